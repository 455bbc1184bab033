"""A strategy that raises: what is said, who is told, and what becomes of what it holds."""

from __future__ import annotations

from typing import Any

import pytest

import veloz as vz
from veloz.errors import StrategyError

PERPETUAL = "binance:BTC/USDT:USDT"
BOOK = ([(100, 5)], [(101, 5)])


def broken(callback: str, policy: str = "cancel") -> type[vz.Strategy]:
    """A strategy that holds a position and a resting order, and raises in a callback at last."""

    def raises(self: Any, *_: object) -> None:
        if callback in {"on_start", "on_stop"} or self.ready:
            raise ZeroDivisionError("on purpose")

    class Broken(vz.Strategy):
        stop_policy = policy
        symbol = vz.Symbol(PERPETUAL)
        levels, trades, bars = vz.Books("symbol"), vz.Trades("symbol"), vz.Bars("symbol", "1s")
        marks, fundings = vz.Marks("symbol"), vz.Fundings("symbol")
        ready = False

        def on_start(self):
            self.told: list[BaseException] = []
            self.after("200ms", self.enter)
            self.after("800ms", self.arm)

        def enter(self):
            self.buy(self.symbol, 1)
            self.resting = self.buy(self.symbol, 2, 90)

        def arm(self):
            self.ready = True
            self.buy(self.symbol, 3, 91)  # stands: it was given before the fault

        def on_error(self, error):
            self.told.append(error)

    if callback == "timer":
        Broken.arm = lambda self: (setattr(self, "ready", True), raises(self))
    else:
        setattr(Broken, callback, raises)
    return Broken


def kit_of(strategy: type[vz.Strategy]) -> Any:
    kit = vz.test(strategy).books([BOOK] * 30, every="100ms")
    kit.trades([(100, 1, "sell")] * 20, every="100ms")
    kit.bars([(100, 101, 99, 100)] * 5).marks([100] * 5)
    return kit.funding([("3s", "0.0001", 100)])


CALLBACKS = [
    "on_start", "on_bar", "on_trade", "on_book", "on_mark", "on_funding", "on_order", "on_fill",
    "on_position", "on_account", "timer",
]  # fmt: skip


@pytest.mark.parametrize("callback", CALLBACKS)
def test_a_fault_names_event_file_and_line(callback: str) -> None:
    kit = kit_of(broken(callback))
    if callback in {"on_fill", "on_position", "on_account"}:
        kit.trades([(91, 1, "sell"), (90, 9, "sell")])
    with pytest.raises(StrategyError) as failed:
        kit.run  # noqa: B018
    event = "a timer" if callback == "timer" else callback
    assert f"{event} raised ZeroDivisionError: on purpose at test_faults.py:" in str(failed.value)
    assert 'raise ZeroDivisionError("on purpose")' in str(failed.value)
    assert isinstance(failed.value.__cause__, ZeroDivisionError)
    if callback != "on_start":
        assert kit.strategy.told == [failed.value.__cause__]
        assert kit.strategy.told[0].__traceback__ is not None


@pytest.mark.parametrize(
    ("policy", "statuses", "held"),
    [
        ("cancel", ["filled", "canceled"], 1),
        ("hold", ["filled", "accepted"], 1),
        ("flatten", ["filled", "canceled", "filled"], 0),
    ],
)
@pytest.mark.parametrize("market", [PERPETUAL, "binance:BTC/USDT"])
def test_the_stop_policy_is_carried_out(
    policy: str, statuses: list[str], held: int, market: str
) -> None:
    class Fails(vz.Strategy):
        stop_policy = policy
        symbol = market
        bars = vz.Bars(symbol, "1m")

        def on_start(self):
            self.count = 0

        def on_bar(self, bar):
            self.count += 1
            if self.count == 1:
                self.kept = [self.buy(self.symbol, 1), self.buy(self.symbol, 1, 50)]
            if self.count == 3:
                raise ValueError("enough")

        def on_order(self, order):
            if order.id == 3:
                self.kept.append(order)

    kit = vz.test(Fails).bars([100, 101, 102, 103, 104])
    with pytest.raises(StrategyError, match="on_bar raised ValueError: enough"):
        kit.run  # noqa: B018
    assert [o.status for o in kit.strategy.kept] == statuses[:2]
    positions = {symbol: float(qty) for symbol, qty in kit.session._core.positions()}
    assert positions.get(market, 0) == held


def test_the_error_of_on_error_is_a_note_on_the_first() -> None:
    class Twice(vz.Strategy):
        bars = vz.Bars(PERPETUAL, "1m")

        def on_bar(self, bar):
            raise ValueError("first")

        def on_error(self, error):
            raise KeyError("second")

    with pytest.raises(StrategyError, match="ValueError: first") as failed:
        vz.test(Twice).bars([1]).run  # noqa: B018
    assert failed.value.__cause__.__notes__ == ["on_error raised as well: KeyError: 'second'"]


def test_a_fault_inside_a_library_names_the_authors_line() -> None:
    class Counts(vz.Strategy):
        bars = vz.Bars(PERPETUAL, "1m")

        def on_bar(self, bar):
            import statistics

            statistics.mean([])

    with pytest.raises(StrategyError, match=r"test_faults.py:\d+ in on_bar \(statistics.mean"):
        vz.test(Counts).bars([1]).run  # noqa: B018


def test_a_flood_of_orders_trips_the_breaker() -> None:
    class Floods(vz.Strategy):
        bars = vz.Bars(PERPETUAL, "1m")

        def on_start(self):
            self.kept = []

        def on_bar(self, bar):
            self.kept.append(self.buy(PERPETUAL, 1, 50))

        def on_order(self, order):
            self.kept.append(self.buy(PERPETUAL, 99_999, 50))

    kit = vz.test(Floods).setup(limits={"max_order_qty": 10}).bars([100, 100, 100])
    with pytest.raises(StrategyError, match="gave more than 1000 commands without any event"):
        kit.run  # noqa: B018
    statuses = [order.status for order in kit.strategy.kept]
    assert "new" not in statuses
    assert kit.strategy.kept[-1].reason == "breaker: more than 1000 commands in a row"
    assert statuses[0] == "canceled"


def test_many_orders_at_once_trip_it_too_and_none_stays_open() -> None:
    class Floods(vz.Strategy):
        bars = vz.Bars(PERPETUAL, "1m")

        def on_bar(self, bar):
            self.kept = [self.buy(PERPETUAL, "0.001", 50) for _ in range(1_500)]

    kit = vz.test(Floods).bars([100, 100])
    with pytest.raises(StrategyError, match="gave more than 1000 commands"):
        kit.run  # noqa: B018
    assert {order.status for order in kit.strategy.kept[:1000]} == {"canceled"}
    assert {order.status for order in kit.strategy.kept[1000:]} == {"rejected"}
