"""Exact rational money: the few roundings that the rules of accounting allow.

Everything is a `Fraction`. A figure is rounded only where it is posted or shown, so a mistake of
scale cannot hide in an intermediate step.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

COST_DECIMALS = 18
Number = Fraction | Decimal | int | str


def exact(value: Number) -> Fraction:
    """The rational number that a decimal text, `Decimal` or integer stands for."""
    return Fraction(value)


def cut(value: Fraction, decimals: int) -> Fraction:
    """Rounds toward zero: everything that is posted."""
    return Fraction(math.trunc(value * 10**decimals), 10**decimals)


def round_up(value: Fraction, decimals: int) -> Fraction:
    """Rounds toward plus infinity: interest and order locks."""
    return Fraction(math.ceil(value * 10**decimals), 10**decimals)


def shown(value: Fraction | None, decimals: int) -> Fraction | None:
    """Rounds half to even: prices that are only shown. None stays None."""
    return None if value is None else Fraction(round(value * 10**decimals), 10**decimals)
