"""Decimal money: one context that refuses to round, and the few places where rounding is a rule.

Inside the exchange every sum and product runs in `EXACT`, which raises when a digit would be
lost; `cut`, `round_up`, `shown` and `ratio` are the only ways to round (accounting.md, A1 to A4).
So a wrong scale is an error and never a slightly different number.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_HALF_EVEN,
    Clamped,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    localcontext,
)
from functools import wraps
from typing import ParamSpec, TypeVar

COST_DECIMALS = 18
ZERO = Decimal(0)
ONE = Decimal(1)

EXACT = Context(
    prec=120,
    rounding=ROUND_DOWN,
    Emin=-999_999,
    Emax=999_999,
    traps=[Inexact, InvalidOperation, DivisionByZero, Overflow, Clamped],
)
# Quotients have up to 60 digits, more than any figure that is posted or shown can need.
ROUNDING = Context(prec=60, rounding=ROUND_DOWN, traps=[InvalidOperation, DivisionByZero, Overflow])
_STEPS = tuple(Decimal(1).scaleb(-places) for places in range(41))

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def exactly(function: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Runs a function in the context that refuses to round."""

    @wraps(function)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        with localcontext(EXACT):
            return function(*args, **kwargs)

    return run


def cut(value: Decimal, decimals: int) -> Decimal:
    """Rounds toward zero: everything that is posted."""
    return value.quantize(_STEPS[decimals], rounding=ROUND_DOWN, context=ROUNDING)


def round_up(value: Decimal, decimals: int) -> Decimal:
    """Rounds toward plus infinity: interest and order locks."""
    return value.quantize(_STEPS[decimals], rounding=ROUND_CEILING, context=ROUNDING)


def shown(value: Decimal, decimals: int) -> Decimal:
    """Rounds half to even: average and liquidation prices, which are only shown."""
    return value.quantize(_STEPS[decimals], rounding=ROUND_HALF_EVEN, context=ROUNDING)


def ratio(dividend: Decimal, divisor: Decimal) -> Decimal:
    """A quotient cut at 60 digits; to be rounded before it is kept."""
    return ROUNDING.divide(dividend, divisor)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of a positive step that is no larger in size; step 0 changes nothing."""
    if not step:
        return value
    return ROUNDING.divide_int(value, step) * step


def fits(value: Decimal, step: Decimal) -> bool:
    """True if a value is a multiple of a step; any value is one of step 0."""
    return not step or not ROUNDING.remainder(value, step)


def places(value: Decimal) -> int:
    """Decimals that a value needs: 2 for 1.50 is 1, 0 for 100."""
    exponent = value.normalize(ROUNDING).as_tuple().exponent
    return max(0, -int(exponent))
