"""What a user may say about a run, and the sentence for what nobody understands."""

from __future__ import annotations

from decimal import Decimal

import pytest

import veloz as vz
from veloz.environments.settings import (
    parse_balance,
    parse_fees,
    parse_fill,
    parse_latency,
    parse_leverage,
)
from veloz.errors import ConfigError, DataError, StrategyError, VelozError


def test_what_is_understood() -> None:
    assert parse_balance("10_000 USDT, 0.5 BTC") == {"USDT": Decimal(10_000), "BTC": Decimal("0.5")}
    assert parse_balance(500) == {"USDT": Decimal(500)}
    assert parse_leverage("binance:BTC/USDT:USDT=10, 3") == {"binance:BTC/USDT:USDT": 10, "": 3}
    assert parse_fees("maker=-0.0001,taker=0.0005") == (Decimal("-0.0001"), Decimal("0.0005"))
    assert parse_fees(0.001) == (Decimal("0.001"), Decimal("0.001"))
    assert parse_latency("entry=5ms;report=normal:3ms,1ms,1ms") == ("5ms", "normal:3ms,1ms,1ms")
    assert parse_fill("queue=proportional,penetration=0") == ("queue=proportional", "penetration=0")


@pytest.mark.parametrize(
    ("parse", "value", "sentence"),
    [
        (parse_balance, "ten USDT", "balance 'ten USDT' is not an amount and an asset"),
        (parse_balance, "0 USDT", "must be greater than zero"),
        (parse_leverage, "0", "leverage '0' is not a whole number from 1 to 125"),
        (parse_leverage, "2.5", "is not a whole number"),
        (parse_fees, "5", "is not a fraction of the notional"),
        (parse_fees, "free=0", "is neither maker=RATE nor taker=RATE"),
        (parse_fees, "maker=abc", "fee rate 'abc' is not a number"),
        (parse_latency, "way=5ms", "is neither entry=MODEL nor report=MODEL"),
        (parse_fill, "proportional", "is not key=value"),
    ],
)
def test_what_is_not(parse: object, value: object, sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(value)  # type: ignore[operator]
    assert sentence in str(refused.value)


class Idle(vz.Strategy):
    bars = vz.Bars("binance:BTC/USDT:USDT", "1m")


@pytest.mark.parametrize(
    "setting",
    [
        {"latency": "soon"},
        {"latency": "-5ms"},
        {"fill": "queue=magic"},
        {"fill": "quue=proportional"},
        {"balance": "100 EUR"},
    ],
)
def test_a_wrong_setting_ends_before_the_run_in_one_sentence(setting: dict[str, object]) -> None:
    with pytest.raises(VelozError) as refused:
        vz.test(Idle).setup(**setting).bars([1]).run  # type: ignore[arg-type] # noqa: B018
    assert "\n" not in str(refused.value)


def test_data_that_are_not_there() -> None:
    with pytest.raises(DataError, match="there is no catalogue in nowhere"):
        vz.backtest(Idle, "nowhere")
    with pytest.raises(StrategyError, match=r"there is no strategy file nowhere\.py"):
        vz.backtest("nowhere.py", vz.ArraySource({}, {}))

    class Silent(vz.Strategy):
        pass

    with pytest.raises(StrategyError, match="subscribes to nothing"):
        vz.backtest(Silent, vz.ArraySource({}, {}))


def test_a_strategy_object_is_for_one_run() -> None:
    kit = vz.test(Idle).bars([1, 2])
    kit.expect(orders=[])
    with pytest.raises(StrategyError, match="already belongs to a run"):
        vz.backtest(kit.strategy, kit.session.source)


@pytest.mark.parametrize(
    ("given", "amounts"),
    [
        ("10,000 USDT", {"USDT": "10000"}),
        ("1,250,000.5 USDT, 2 BTC", {"USDT": "1250000.5", "BTC": "2"}),
        ("1 BTC,250 USDT", {"BTC": "1", "USDT": "250"}),
        ("1e4 USDT", {"USDT": "10000"}),
        ("10000USDT", {"USDT": "10000"}),
        ("5 1INCH, 2 USDT", {"1INCH": "5", "USDT": "2"}),
    ],
)
def test_balances_as_people_write_them(given: str, amounts: dict[str, str]) -> None:
    assert {asset: str(value) for asset, value in parse_balance(given).items()} == amounts


@pytest.mark.parametrize("value", ["1e999999999", "1e-999999999"])
def test_a_balance_beyond_all_money_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="no account can hold"):
        parse_balance({"USDT": value})
