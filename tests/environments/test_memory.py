"""What a run used is given back: a process may do thousands of them."""

from __future__ import annotations

import gc
import weakref
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
