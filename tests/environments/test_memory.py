"""What a run used is given back: a process may do thousands of them."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from tests.environments.test_live_engine import Quoter, engine_of, hear, rows

import veloz as vz
from veloz._core import LiveEngine
from veloz.environments.dst import run_seed

SEEN: list[weakref.ref[vz.Strategy]] = []


class Timed(vz.Strategy):
    """Its timer calls a method of its own."""

    symbol = vz.Symbol("binance:BTC/USDT")
    bars = vz.Bars("symbol", "1m")

    def on_start(self):
        SEEN.append(weakref.ref(self))
        self.average = self.sma(self.bars, 3)
        self.every("5m", self.act)

    def act(self):
        self.buy(self.symbol, "0.001")


def engines() -> int:
    gc.collect()
    return sum(isinstance(one, LiveEngine) for one in gc.get_objects())


def test_a_strategy_with_a_timer_ends_with_its_backtest() -> None:
    SEEN.clear()
    test = vz.test(Timed).bars([100.0 + step for step in range(30)])
    assert test.fills
    (strategy,) = SEEN
    del test
    gc.collect()
    assert strategy() is None


def test_a_simulated_world_ends_with_its_seed() -> None:
    before = engines()
    run_seed("trading", 3)
    assert engines() == before


class Raises(Quoter):
    """Fails at the first trade."""

    def on_trade(self, trade: Any) -> None:
        raise RuntimeError(f"no use for {trade}")


def test_an_engine_whose_strategy_raised_ends_too() -> None:
    def run() -> weakref.ref[vz.Strategy]:
        strategy = Raises()
        engine = engine_of(strategy)  # the error's frames hold this one, and so the engine
        heard = rows(60)
        engine.start(heard[0].ts_recv)
        for row in heard:
            hear(engine, row)
        assert engine.has_fault
        return weakref.ref(strategy)

    before = engines()
    strategy = run()
    assert engines() == before
    assert strategy() is None
