"""Each risk rule refuses with its name and the numbers; what shrinks a position passes."""

from __future__ import annotations

from typing import Any

import pytest

import veloz as vz
from veloz.errors import ConfigError

PERPETUAL, SPOT, INVERSE = "binance:BTC/USDT:USDT", "binance:BTC/USDT", "binance:BTC/USD:BTC"


def reasons(symbol: str, calls: list[tuple[Any, ...]], **surroundings: Any) -> list[str]:
    """What became of orders that are given on the first bars, one after the other."""

    class Gives(vz.Strategy):
        bars = vz.Bars(symbol, "1m")

        def on_start(self):
            self.waiting = list(calls)

        def on_bar(self, bar):
            if self.waiting:
                name, *arguments = self.waiting.pop(0)
                options = arguments.pop() if isinstance(arguments[-1], dict) else {}
                getattr(self, name)(symbol, *arguments, **options)

    kit = vz.test(Gives).setup(**surroundings).bars([100] * (len(calls) + 2))
    return [order.reason or order.status for order in kit.orders]


def test_max_order_qty() -> None:
    said = reasons(PERPETUAL, [("buy", 3), ("buy", "3.001")], limits={"max_order_qty": "3"})
    assert said == [
        "filled",
        f"max_order_qty: quantity 3.001 exceeds the limit 3 on {PERPETUAL}",
    ]


def test_max_order_notional() -> None:
    said = reasons(PERPETUAL, [("buy", 1, 50), ("buy", 3)], limits={"max_order_notional": "250"})
    assert said == ["accepted", f"max_notional: notional 300 exceeds the limit 250 on {PERPETUAL}"]


def test_max_position_counts_the_position_not_the_order() -> None:
    calls = [("buy", 3), ("buy", 2), ("sell", 7), ("sell", 6)]
    said = reasons(PERPETUAL, calls, limits={"max_position": "3"})
    assert said == [
        "filled",
        f"max_position: position would be 5, limit 3 on {PERPETUAL}",
        f"max_position: position would be -4, limit 3 on {PERPETUAL}",
        "filled",
    ]


def test_price_band() -> None:
    calls = [("buy", 1, 110), ("buy", 1, "110.01"), ("sell", 1, "89.99"), ("buy", 1, 5)]
    said = reasons(PERPETUAL, calls)
    assert said == [
        "filled",
        f"price_band: price 110.01 is more than 10 % beyond the reference 100 on {PERPETUAL}",
        f"price_band: price 89.99 is more than 10 % beyond the reference 100 on {PERPETUAL}",
        "accepted",
    ]


def test_order_rate() -> None:
    class Many(vz.Strategy):
        bars = vz.Bars(PERPETUAL, "1s")

        def on_bar(self, bar):
            for _ in range(4):
                self.buy(PERPETUAL, "0.001")

    kit = vz.test(Many).setup(limits={"max_orders_per_second": 3}).bars([100, 100, 100])
    refused = [order.reason for order in kit.orders if order.status == "refused"]
    assert refused == ["order_rate: 3 orders within 1 s, limit 3"] * 3


def test_max_leverage() -> None:
    said = reasons(
        PERPETUAL, [("buy", 15), ("buy", 6), ("sell", 15)],
        limits={"max_leverage": 2}, leverage=10, balance="1000 USDT",
    )  # fmt: skip
    assert said == [
        "filled",
        f"max_leverage: leverage 2.10 exceeds the limit 2 on {PERPETUAL}",
        "filled",
    ]


@pytest.mark.parametrize(
    ("symbol", "balance", "call", "sentence"),
    [
        (PERPETUAL, "1000 USDT", ("buy", 11), "needs 1100, has 1000 available"),
        (SPOT, "1000 USDT", ("buy", 11), "needs 1100, has 1000 available"),
        (SPOT, "1000 USDT, 2 BTC", ("sell", 3), "needs 3, has 2 available"),
        (INVERSE, "1 BTC", ("buy", 2), "needs 2, has 1 available"),
    ],
)
def test_funds(symbol: str, balance: str, call: tuple[Any, ...], sentence: str) -> None:
    assert reasons(symbol, [call], balance=balance) == [f"funds: {sentence} on {symbol}"]


def test_funds_count_what_open_orders_need() -> None:
    said = reasons(SPOT, [("buy", 6, 90), ("buy", 6, 90)], balance="1000 USDT")
    assert said == ["accepted", f"funds: needs 540, has 460 available on {SPOT}"]


def test_a_rule_can_be_switched_off_and_a_wrong_name_is_refused() -> None:
    switched_off = {"check_funds": False}
    said = reasons(PERPETUAL, [("buy", 11)], balance="1000 USDT", limits=switched_off)
    assert said == ["filled"]
    with pytest.raises(ConfigError, match="there is no risk limit 'max_order'"):
        reasons(PERPETUAL, [("buy", 1)], limits={"max_order": 1})
