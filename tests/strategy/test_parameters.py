"""Parameters and subscriptions: what is declared, what is refused, and in which words."""

from __future__ import annotations

import dis
import sys
from decimal import Decimal

import pytest

import veloz as vz


class Cross(vz.Strategy):
    symbol = vz.Symbol("binance:BTC/USDT:USDT")
    fast = vz.Int(10, 2, 100, hot=True, doc="Bars of the fast average.")
    width = vz.Float(2.0, 0.5, 6.0)
    size = vz.Qty("0.01", "0.001", "1")
    side = vz.Choice("both", ["long", "both"])
    quick = vz.Bool(False)
    bars = vz.Bars("symbol", "1m")


def test_values_have_the_declared_type() -> None:
    cross = Cross(fast="12", width="2.5", size=0.25, side="long", quick="yes")
    assert cross.parameter_values() == {
        "symbol": "binance:BTC/USDT:USDT",
        "fast": 12,
        "width": 2.5,
        "size": Decimal("0.25"),
        "side": "long",
        "quick": True,
    }
    assert Cross().size == Decimal("0.01")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("fast", 1, "parameter 'fast' is 1, below its least value 2"),
        ("fast", 101, "parameter 'fast' is 101, above its greatest value 100"),
        ("fast", 2.5, "parameter 'fast' is 2.5, not a whole number"),
        ("fast", True, "parameter 'fast' is True, not a whole number"),
        ("width", float("nan"), "parameter 'width' is nan, not a finite number"),
        ("width", "wide", "parameter 'width' is 'wide', not a number"),
        ("size", "0.0001", "parameter 'size' is 0.0001, below its least value 0.001"),
        ("size", "inf", "parameter 'size' is 'inf', not a finite number"),
        ("size", "lots", "parameter 'size' is 'lots', not a decimal number"),
        ("side", "short", "parameter 'side' is 'short', not one of long, both"),
        ("quick", "maybe", "parameter 'quick' is 'maybe', not true or false"),
        ("symbol", "BTCUSDT", "parameter 'symbol' is 'BTCUSDT', not of the form venue:BASE/QUOTE"),
        ("fats", 3, "unknown parameter 'fats'; did you mean 'fast'\\? .declared: symbol, fast"),
    ],
)
def test_a_wrong_value_is_refused_in_words(name: str, value: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Cross(**{name: value})


def test_a_wrong_default_is_refused_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="default is 1, below its least value 2"):
        vz.Int(1, 2, 3)


def test_a_subclass_changes_a_default_and_keeps_the_bounds() -> None:
    class Slow(Cross):
        fast = 50

    assert (Slow().fast, Slow(fast=60).fast, Cross().fast) == (50, 60, 10)
    with pytest.raises(ValueError, match="is 101, above its greatest value 100"):

        class TooSlow(Cross):
            fast = 101


def test_declarations_of_all_parents_count() -> None:
    class Sized:
        pass

    class Limited(vz.Strategy):
        limit = vz.Int(5)

    class Both(Cross, Limited, Sized):
        pass

    assert {"fast", "limit"} <= set(Both.parameters())
    assert set(Both.subscriptions()) == {"bars"}


def test_a_name_of_the_strategy_cannot_be_taken() -> None:
    with pytest.raises(ValueError, match="would hide the strategy's own 'buy'"):

        class Hiding(vz.Strategy):
            buy = vz.Int(1)


def test_a_parameter_before_init_says_what_is_missing() -> None:
    class Forgetful(Cross):
        def __init__(self, **parameters: object) -> None:
            self.twice = self.fast * 2

    with pytest.raises(AttributeError, match=r"must call super\(\).__init__"):
        Forgetful()


def test_the_schema_is_plain() -> None:
    fast = Cross.parameters()["fast"].schema()
    assert fast == {
        "name": "fast",
        "type": "int",
        "default": 10,
        "low": 2,
        "high": 100,
        "hot": True,
        "doc": "Bars of the fast average.",
    }
    assert Cross.parameters()["size"].schema()["low"] == "0.001"


def test_a_stop_policy_is_one_of_three() -> None:
    with pytest.raises(ValueError, match='not "cancel", "hold" or "flatten"'):

        class Odd(vz.Strategy):
            stop_policy = "panic"


@pytest.mark.parametrize("text", ["", "1", "m", "0m", "-1m", "1.5m", "1 year"])
def test_a_length_of_time_is_a_number_and_a_unit(text: str) -> None:
    with pytest.raises(ValueError, match="is not a whole number with a unit of ns, us, ms"):
        vz.Bars("symbol", text)


def test_a_subscription_names_a_parameter_or_a_symbol() -> None:
    class Two(vz.Strategy):
        symbol = vz.Symbol("binance:BTC/USDT")
        mine = vz.Bars(symbol, "1m")
        yours = vz.Trades("binance:ETH/USDT")

    two = Two(symbol="binance:SOL/USDT")
    resolved = [s.resolve(two) for s in Two.subscriptions().values()]
    assert resolved == ["binance:SOL/USDT", "binance:ETH/USDT"]
    assert str(vz.Bars("symbol", "60s")) == "1m bars of symbol"


@pytest.mark.skipif(sys.gettrace() is not None, reason="a traced interpreter does not specialise")
def test_the_interpreter_remembers_where_a_parameter_is() -> None:
    class Reader(vz.Strategy):
        fast = vz.Int(10)
        width = vz.Float(2.0)

        def read(self) -> float:
            return self.fast * self.width

    reader = Reader()
    for _ in range(100):
        reader.read()
    code = dis.get_instructions(Reader.read, adaptive=True)
    assert [i.opname for i in code].count("LOAD_ATTR_INSTANCE_VALUE") == 2


def test_a_class_that_a_decorator_makes_anew_keeps_its_parameters() -> None:
    again = type("Again", Cross.__bases__, {"fast": vars(Cross)["fast"]})
    assert again.parameters()["fast"] is Cross.parameters()["fast"]  # type: ignore[attr-defined]
    assert again(fast=12).fast == 12
