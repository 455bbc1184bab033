"""What a strategy's calls do, when, and in which order it hears of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import veloz as vz
from veloz.environments.testing import START_NS

PERPETUAL = "binance:BTC/USDT:USDT"
MINUTE = 60_000_000_000


class OnBars(vz.Strategy):
    """Does what a test says on the n-th bar, and writes down all that it hears."""

    symbol = vz.Symbol(PERPETUAL)
    bars = vz.Bars("symbol", "1m")

    def __init__(self, **parameters: object) -> None:
        super().__init__(**parameters)
        self.heard: list[Any] = []
        self.count = 0

    def on_bar(self, bar):
        self.count += 1
        self.heard.append(("bar", self.count))
        act = getattr(self, f"bar_{self.count}", None)
        if act is not None:
            act(bar)

    def on_order(self, order):
        self.heard.append(("order", order.id, order.status))

    def on_fill(self, fill):
        self.heard.append(("fill", fill.order_id, fill.price))

    def on_position(self, position):
        self.heard.append(("position", position.qty))

    def on_account(self, account):
        self.heard.append(("account",))

    def on_stop(self):
        self.heard.append(("stop",))


def test_a_call_returns_new_and_its_verdict_comes_later() -> None:
    class Buys(OnBars):
        def bar_1(self, bar):
            self.order = self.buy(self.symbol, 1)
            self.heard.append(("returned", self.order.status, self.order.is_open))

    kit = vz.test(Buys).bars([100, 101, 102])
    assert kit.run.fills_count == 1
    assert kit.strategy.heard == [
        ("bar", 1),
        ("returned", "new", True),
        ("order", 1, "accepted"),
        ("fill", 1, 100.0),
        ("position", 1.0),
        ("account",),
        ("order", 1, "filled"),
        ("bar", 2),
        ("bar", 3),
        ("stop",),
    ]


def test_commands_and_notices_are_first_in_first_out() -> None:
    class Refused(OnBars):
        def bar_1(self, bar):
            for _ in range(3):
                self.buy(self.symbol, 5, why="too much")
            self.heard.append(("returned",))

        def on_order(self, order):
            super().on_order(order)
            if order.id == 1:
                self.buy(self.symbol, 6)

    kit = vz.test(Refused).setup(limits={"max_order_qty": 4}).bars([100, 101])
    assert kit.run.counts["refused"] == 4
    told = [("order", number, "rejected") for number in (1, 2, 3, 4)]
    assert kit.strategy.heard == [("bar", 1), ("returned",), *told, ("bar", 2), ("stop",)]


def test_an_order_is_a_live_object_also_after_the_run() -> None:
    class Holds(OnBars):
        def bar_1(self, bar):
            self.kept = [
                self.buy(self.symbol, 1),
                self.buy(self.symbol, 1, 50),
                self.buy(self.symbol, 1, 99, tif="ioc"),
            ]

        def bar_2(self, bar):
            self.cancel_order(self.kept[1])
            self.cancel_order(self.kept[1])
            self.cancel_order(self.kept[0])

    kit = vz.test(Holds).bars([100, 101, 102])
    assert kit.run.counts["cancels"] == 1
    bought, bid, ioc = kit.strategy.kept
    assert [o.status for o in (bought, bid, ioc)] == ["filled", "canceled", "expired"]
    assert [o.reason for o in (bought, bid, ioc)] == ["", "canceled", "ioc"]
    assert bought.avg_price == Decimal(100)
    assert (bid.filled_qty, bid.leaves_qty, bid.is_open) == (0.0, 0.0, False)
    assert "buy limit 1 " in repr(bid)
    with pytest.raises(Exception, match="works only inside a callback"):
        kit.strategy.buy(PERPETUAL, 1)


def test_amending_keeps_the_order_and_asks_the_risk_rules() -> None:
    class Amends(OnBars):
        def bar_1(self, bar):
            self.order = self.buy(self.symbol, 1, 90)

        def bar_2(self, bar):
            self.amend_order(self.order, qty=2, price=91)

        def bar_3(self, bar):
            self.heard.append((self.order.qty, self.order.price, self.order.status))
            self.amend_order(self.order, qty=9)

        def bar_4(self, bar):
            self.heard.append((self.order.qty, self.order.price, self.order.status))

    kit = vz.test(Amends).setup(limits={"max_order_qty": 4}).bars([100, 100, 100, 100, 100])
    assert kit.run.fills_count == 0
    heard = kit.strategy.heard
    assert [one for one in heard if len(one) == 3 and one[0] == 2.0] == [
        (2.0, 91.0, "accepted")
    ] * 2
    assert kit.strategy.order.reason == (
        "amendment refused: max_order_qty: quantity 9 exceeds the limit 4 on " + PERPETUAL
    )


def test_target_counts_what_is_on_its_way() -> None:
    class Targets(OnBars):
        def bar_1(self, bar):
            assert self.target(self.symbol, 2).qty == 2
            assert self.target(self.symbol, 2) is None
            assert self.target(self.symbol, -1).qty == 3
            assert self.close(self.symbol).side == "buy"
            assert self.close(self.symbol) is None

        def bar_2(self, bar):
            assert self.position(self.symbol) == 0
            assert self.target(self.symbol, 0) is None

    kit = vz.test(Targets).bars([100, 101, 102])
    kit.expect(orders=[("buy", 2), ("sell", 3), ("buy", 1)], position=0)


def test_reduce_only_never_opens() -> None:
    class Reduces(OnBars):
        def bar_1(self, bar):
            self.sell(self.symbol, 1, reduce_only=True)
            self.buy(self.symbol, 1)

        def bar_2(self, bar):
            self.sell(self.symbol, 5, reduce_only=True)

    kit = vz.test(Reduces).bars([100, 101, 102, 103])
    assert (kit.orders[0].status, kit.orders[0].reason) == ("rejected", "reduce_only")
    kit.expect(fills=[("buy", 1), ("sell", 1)], position=0)


def test_reason_and_tag_are_kept_and_never_sent() -> None:
    class Says(OnBars):
        def bar_1(self, bar):
            self.buy(self.symbol, 1, why="because — ünïcode", tag="leg a")
            self.sell(self.symbol, 1, tag="leg b")

    kit = vz.test(Says).bars([100, 101])
    assert [(o.why, o.tag) for o in kit.orders] == [("because — ünïcode", "leg a"), ("", "leg b")]
    assert "because — ünïcode".encode() in kit.run.journal


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"side": "bid"}, 'side "bid" is neither "buy" nor "sell"'),
        ({"type": "limt"}, 'type "limt" is not one of market, limit, stop'),
        ({"type": "limit"}, "a limit order needs a price"),
        ({"price": 100}, "a market order takes no price"),
        ({"type": "stop"}, "a stop order needs a trigger_price"),
        ({"trigger_price": 100}, "a market order takes no trigger_price"),
        ({"trail_bps": 5}, "trail_bps above zero belongs to a trailing_stop"),
        ({"tif": "day"}, 'tif "day" is not one of gtc, ioc, fok, gtd'),
        ({"tif": "gtd"}, 'expire_ns belongs to tif="gtd"'),
        ({"client_order_id": "mine"}, "use tag= for a label of yours"),
        ({"symbol": "binance:ETH/USDT"}, "the run has no instrument"),
    ],
)
def test_a_wrong_order_raises_at_the_call(arguments: dict[str, Any], sentence: str) -> None:
    said: list[str] = []

    class Wrong(OnBars):
        def bar_1(self, bar):
            whole = {"symbol": self.symbol, "side": "buy", "type": "market", "qty": 1} | arguments
            try:
                self.place_order(**whole)
            except Exception as error:
                said.append(str(error))

    vz.test(Wrong).bars([100]).expect(orders=[])
    assert sentence in said[0]


def test_bars_wait_until_every_indicator_is_ready() -> None:
    class Waits(OnBars):
        def on_start(self):
            self.mean = self.sma(self.bars, 3)

        def bar_1(self, bar):
            self.heard.append(bar.ts_close)
            self.slow = self.sma(self.bars, 2)  # one more: bars are held back again

    kit = vz.test(Waits).bars([1, 2, 3, 4, 5, 6])
    kit.expect(orders=[])
    bars = [one for one in kit.strategy.heard if one != ("stop",)]
    assert bars == [("bar", 1), START_NS + 3 * MINUTE, ("bar", 2), ("bar", 3)]
    assert (kit.strategy.mean.value, kit.strategy.slow.value) == (5.0, 5.5)


def test_what_the_run_does_not_have_cannot_be_asked_for() -> None:
    class Asks(OnBars):
        def bar_1(self, bar):
            with pytest.raises(ValueError, match="the run has no bars of binance:BTC/USDT:USDT"):
                self.sma(vz.Bars(self.symbol, "5m"), 3)
            with pytest.raises(ValueError, match="the run has no trades"):
                self.subscribe(vz.Trades(self.symbol))
            with pytest.raises(ValueError, match="which Asks does not define"):
                self.every("1s", "tick")

    vz.test(Asks).bars([1, 2]).expect(orders=[])


def test_subscriptions_come_and_go() -> None:
    class Leaves(OnBars):
        other = vz.Bars("binance:ETH/USDT", "1m")

        def on_bar(self, bar):
            self.heard.append((bar.symbol[8:11], (bar.ts_close - START_NS) // MINUTE))
            if self.heard[-1] == ("BTC", 2):
                self.unsubscribe(self.other)
            if self.heard[-1] == ("BTC", 4):
                self.unsubscribe(self.other)
                self.subscribe(self.other)
                self.subscribe(self.other)

    kit = vz.test(Leaves)
    kit.bars([1] * 5, symbol=PERPETUAL).bars([2] * 5, symbol="binance:ETH/USDT")
    kit.expect(orders=[])
    both = ("BTC", 1), ("ETH", 1), ("BTC", 2)
    assert kit.strategy.heard[:-1] == [*both, ("BTC", 3), ("BTC", 4), ("ETH", 4), ("BTC", 5),
                                       ("ETH", 5)]  # fmt: skip


def test_timers_are_due_to_the_nanosecond_after_the_market_of_their_instant() -> None:
    class Timed(OnBars):
        def on_start(self):
            self.first = self.every("20s", "tick")
            self.after("90s", lambda: self.heard.append(("after", self.now - START_NS)))
            self.at(START_NS + 7, "at")
            self.at(self.now - 5, "past")
            self.at(START_NS + 61 * 10**9, "last")

        def on_timer(self, name):
            self.heard.append((name, self.now - START_NS))
            if name == "last":
                self.stop_timer(self.first)

    kit = vz.test(Timed).bars([1, 2])
    kit.expect(orders=[])
    second = 10**9
    # Event time begins with the first arrival: the first bar's end, a minute after it opened.
    assert kit.strategy.heard[:-1] == [
        ("bar", 1),
        ("at", 60 * second),
        ("past", 60 * second),
        ("last", 61 * second),
        ("bar", 2),
    ]


def test_a_timer_between_two_bars() -> None:
    class Timed(OnBars):
        def bar_1(self, bar):
            self.every("30s", "half")
            self.after(1, "one")

        def on_timer(self, name):
            self.heard.append((name, self.now - START_NS - MINUTE))

    kit = vz.test(Timed).bars([1, 2, 3])
    kit.expect(orders=[])
    half = 30 * 10**9
    assert kit.strategy.heard[:-1] == [
        ("bar", 1),
        ("one", 1),
        ("half", half),
        ("bar", 2),
        ("half", 2 * half),
        ("half", 3 * half),
        ("bar", 3),
    ]


def test_a_quote_that_stays_keeps_its_order() -> None:
    class Quotes(OnBars):
        def bar_1(self, bar):
            self.hand = self.buy(self.symbol, 1, 80)
            self.quote(self.symbol, [(90, 1), (89, 1)], [(110, 1)])

        def bar_2(self, bar):
            self.quote(self.symbol, [(90, 1), (88, 1)], [(110, 1)])

        def bar_3(self, bar):
            self.quote(self.symbol, [], [])

    kit = vz.test(Quotes).bars([100, 100, 100, 100])
    levels = [("buy", 80), ("buy", 90), ("buy", 89), ("sell", 110), ("buy", 88)]
    kit.expect(orders=[(side, 1, price) for side, price in levels])
    assert kit.run.counts["cancels"] == 4
    assert kit.strategy.hand.status == "accepted"  # placed by hand, it is no quote


def test_a_bar_cannot_be_traded_in_by_an_order_made_from_it() -> None:
    class Peeks(OnBars):
        def bar_1(self, bar):
            self.buy(self.symbol, 1, bar.low + 1)  # the bar went there; that is over

    kit = vz.test(Peeks).bars([(100, 100, 50, 100), (100, 101, 99, 100), (100, 100, 50.99, 90)])
    kit.expect(fills=[("buy", 1, 51)])
    assert kit.fills[0].ts_ns > START_NS + 2 * MINUTE


def test_two_lengths_of_bars_are_one_market() -> None:
    class Both(OnBars):
        slow = vz.Bars("symbol", "3m")

        def on_bar(self, bar):
            self.heard.append((bar.ts_close - bar.ts_open, bar.open, bar.close))
            if len(self.heard) == 1:
                self.buy(self.symbol, 1, 90)

    kit = vz.test(Both)
    candles = [(100, 105, 95, 101), (101, 104, 93, 102), (102, 110, 100, 103), (103, 103, 80, 95)]
    kit.bars(candles, interval="1m")
    # The low of 80 comes in the fourth minute, not before.
    kit.expect(fills=[("buy", 1, 90)])
    assert kit.fills[0].ts_ns > START_NS + 3 * MINUTE
    bars = [one for one in kit.strategy.heard if one[0] in {MINUTE, 3 * MINUTE}]
    assert bars[2:4] == [(MINUTE, 102.0, 103.0), (3 * MINUTE, 100.0, 103.0)]


def test_latency_decides_which_price_is_seen_first() -> None:
    class Buys(OnBars):
        def bar_1(self, bar):
            self.buy(self.symbol, 1)

    candles = [(100, 100, 100, 100), (110, 110, 110, 110), (120, 120, 120, 120)]
    for latency, price in (("0ns", 110), ("1ns", 110), ("59s", 110), ("60s", 120)):
        vz.test(Buys).setup(latency=latency).bars(candles).expect(fills=[("buy", 1, price)])


def test_an_order_that_closes_a_position_ends_with_it() -> None:
    class Stops(OnBars):
        def bar_1(self, bar):
            self.buy(self.symbol, 2)

        def bar_2(self, bar):
            self.stop = self.place_order(
                self.symbol, "sell", "stop", 0, trigger_price=95, close_position=True
            )

    kit = vz.test(Stops).bars([100, 100, 100, 96, 90, 91])
    kit.expect(fills=[("buy", 2), ("sell", 2)], position=0)
    stop = kit.strategy.stop
    assert (stop.status, stop.qty, stop.leaves_qty, stop.is_open) == ("filled", 2.0, 0.0, False)
