"""Numbers that a strategy gives: the float rule, and what is refused with which sentence."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import veloz as vz


def answer(price: object, qty: object = 1, *, tick: str = "0.1") -> str:
    """What comes back from a limit order: its price, or the sentence of the refusal."""
    said: list[str] = []

    class Asks(vz.Strategy):
        bars = vz.Bars("binance:BTC/USDT:USDT", "1m")

        def on_start(self):
            try:
                said.append(repr(self.buy("binance:BTC/USDT:USDT", qty, price).price))
            except ValueError as error:
                said.append(str(error))

    vz.test(Asks).instrument(tick=tick).bars([100]).run  # noqa: B018
    return said[0]


@pytest.mark.parametrize(
    "price", [100.1, "100.1", Decimal("100.1"), 100.1 + 9e-8, 100.1 - 9e-8, 3 * 33.3666666666666]
)
def test_a_millionth_of_a_tick_is_forgiven(price: object) -> None:
    assert answer(price) == "100.1"


@pytest.mark.parametrize("price", [100.13, "100.13", Decimal("100.13")])
def test_off_the_grid_names_both_neighbours(price: object) -> None:
    assert answer(price) == (
        f"price {price!r} of binance:BTC/USDT:USDT is not a multiple of the tick 0.1: the nearest "
        "are 100.1 and 100.2; self.round_price() rounds"
    )


def test_just_outside_a_millionth_is_refused() -> None:
    assert "nearest are 100.1 and 100.2" in answer(100.1 + 2e-7)
    assert "nearest are 100 and 100.1" in answer(100.1 - 2e-7)


@pytest.mark.parametrize("price", [math.nan, math.inf, -math.inf, "many", 10**30, 1e300])
def test_what_is_no_number_is_refused(price: object) -> None:
    assert "is not a finite number in range" in answer(price)


@pytest.mark.parametrize("value", [0, -1, 0.0, "-0.5", Decimal(-3)])
def test_zero_and_less_are_refused(value: object) -> None:
    assert answer(value) == f"price {value!r} of binance:BTC/USDT:USDT must be greater than zero"
    assert "quantity" in answer(100, value)
    assert "must be greater than zero" in answer(100, value)


@settings(max_examples=60, deadline=None)
@given(
    ticks=st.integers(1, 10**7),
    off=st.floats(-0.49, 0.49).filter(lambda off: not 0.9e-6 < abs(off) < 1.1e-6),
)
def test_the_rule_holds_everywhere(ticks: int, off: float) -> None:
    price = float((Fraction(ticks) + Fraction(off)) * Fraction(1, 10))
    said = answer(price) if price > 0 else ""
    if abs(off) < 0.9e-6:
        assert said == repr(ticks / 10)
    elif price > 0:
        assert "is not a multiple of the tick" in said


def test_rounding_gives_the_grid() -> None:
    seen: list[float] = []

    class Rounds(vz.Strategy):
        symbol = "binance:BTC/USDT:USDT"
        bars = vz.Bars(symbol, "1m")

        def on_start(self):
            for towards in ("nearest", "down", "up"):
                seen.append(self.round_price(self.symbol, 100.14, towards))
            seen.append(self.round_qty(self.symbol, 0.0129))
            seen.append(self.round_price(self.symbol, 100.2, "down"))

    vz.test(Rounds).instrument(tick="0.1").bars([1]).run  # noqa: B018
    assert seen == [100.1, 100.1, 100.2, 0.012, 100.2]
