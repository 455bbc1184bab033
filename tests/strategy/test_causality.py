"""No strategy sees the future, loses what it was given, or depends on chance of the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import veloz as vz

PERPETUAL = "binance:BTC/USDT:USDT"


class Reverts(vz.Strategy):
    symbol = vz.Symbol(PERPETUAL)
    bars = vz.Bars("symbol", "1m")

    def on_start(self):
        self.decisions: list[Any] = []
        self.kept: list[Any] = []
        self.mean = self.sma(self.bars, 5)
        self.every("90s", lambda: self.decide("timer", self.book(self.symbol).last))

    def on_bar(self, bar):
        self.kept.append(bar)
        self.decide("bar", bar.close)

    def decide(self, what, price):
        side = 1 if price < self.mean.value else -1
        mean = repr(self.mean.value)  # NaN at first, which equals nothing
        self.decisions.append((self.now, what, price, mean, side, self.random.random()))
        self.target(self.symbol, side)

    def on_fill(self, fill):
        self.decisions.append((self.now, "fill", fill.price, fill.qty))


def prices(seed: int, count: int = 200) -> list[float]:
    steps = np.random.default_rng(seed).integers(-5, 6, count)
    return [round(100 + float(step) / 100, 2) for step in np.cumsum(steps)]


@pytest.mark.parametrize("cut", [20, 77, 150])
def test_the_future_cannot_change_what_was_decided(cut: int) -> None:
    true, other = prices(1), prices(2)
    seen = []
    for future in (true[cut:], other[cut:], [1.0] * 50):
        kit = vz.test(Reverts).bars(true[:cut] + future)
        assert kit.run.fills_count > 0
        seen.append(kit.strategy.decisions)
    end = seen[0][0][0] + (cut - 5) * 60_000_000_000  # the first decision is on the fifth bar
    told = [[one for one in decisions if one[0] < end] for decisions in seen]
    assert len(told[0]) > cut - 5
    assert told[0] == told[1] == told[2]


def test_a_callback_may_keep_every_event() -> None:
    class Keeps(vz.Strategy):
        symbol = vz.Symbol(PERPETUAL)
        levels, trades, bars = vz.Books("symbol"), vz.Trades("symbol"), vz.Bars("symbol", "1m")

        def __init__(self, **parameters):
            super().__init__(**parameters)
            self.kept_trades, self.kept_bars = [], []

        def on_trade(self, trade):
            self.kept_trades.append(trade)

        def on_bar(self, bar):
            self.kept_bars.append(bar)

    rows = [(price, 1 + n % 3, ("buy", "sell")[n % 2]) for n, price in enumerate(prices(3, 5_000))]
    candles = [(p, p + 1, p - 1, p) for p in prices(4, 80)]
    kit = vz.test(Keeps).books([([(90, 1)], [(110, 1)])]).trades(rows, every="1ms").bars(candles)
    kit.expect(orders=[])
    sides = {1: "buy", -1: "sell"}
    kept = [(t.price, t.qty, sides[t.taker]) for t in kit.strategy.kept_trades]
    assert kept == rows
    assert [(b.open, b.high, b.low, b.close) for b in kit.strategy.kept_bars] == candles
    stamps = [t.ts_exchange for t in kit.strategy.kept_trades]
    assert len(set(stamps)) == len(rows)


def test_bars_made_of_shorter_ones_are_the_same_market() -> None:
    class Three(Reverts):
        bars = vz.Bars("symbol", "3m")

    candles = [(p, round(p + 0.02, 2), round(p - 0.03, 2), p) for p in prices(5, 240)]
    joined = [
        (part[0][0], max(r[1] for r in part), min(r[2] for r in part), part[-1][3])
        for part in (candles[at : at + 3] for at in range(0, 240, 3))
    ]
    from_minutes = vz.test(Three).bars(candles, interval="1m")
    whole = vz.test(Three).bars(joined)
    assert from_minutes.run.fills_count == whole.run.fills_count > 10
    assert from_minutes.strategy.decisions == whole.strategy.decisions
    assert from_minutes.run.final_equity == whole.run.final_equity


def test_equal_inputs_give_equal_bytes_under_any_hash_seed(tmp_path: Any) -> None:
    script = tmp_path / "twice.py"
    script.write_text(
        "import hashlib, json, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import veloz as vz\n"
        "from tests.strategy.test_causality import Reverts, prices\n"
        "run = vz.test(Reverts).setup(fees='0.0004', seed=7).bars(prices(6)).run\n"
        "print(json.dumps([hashlib.sha256(run.journal).hexdigest(), run.journal_hash,\n"
        "                  json.dumps(run.metrics, default=str), run.id]))\n",
        encoding="utf-8",
    )
    root = str(__import__("pathlib").Path(__file__).parents[2])
    said = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, str(script), root],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        said.append(json.loads(done.stdout))
    assert said[0] == said[1]
    assert len(said[0][0]) == 64


def test_funding_is_paid_at_its_instant_on_the_position_before_it() -> None:
    class Holds(vz.Strategy):
        symbol = vz.Symbol(PERPETUAL)
        bars = vz.Bars("symbol", "1h")

        def on_start(self):
            self.count = 0

        def on_bar(self, bar):
            self.count += 1
            if self.count in {2, 5}:
                self.target(self.symbol, {2: 2, 5: 0}[self.count])

    kit = vz.test(Holds).bars([100] * 8)
    # Held from 2 h to 5 h. At 2 h the funding comes before the fill, at 5 h before the close.
    kit.funding([(f"{hour}h", "0.001", 100) for hour in range(1, 8)])
    paid = kit.run.tables.funding
    start = kit.orders[0].ts_ns - 2 * 3600 * 10**9
    assert [(int(ts) - start) // (3600 * 10**9) for ts in paid.ts_ns] == [3, 4, 5]
    assert [int(amount) for amount in paid.amount] == [-20_000_000] * 3  # 2 · 100 · 0.001 at 1e-8
    assert str(kit.run.final_equity) == "999999.4"


def test_equity_is_sampled_at_every_bar() -> None:
    kit = vz.test(Reverts).bars(prices(8, 30))
    curve = kit.run.tables.equity
    steps = set(np.diff(curve.ts_ns).tolist())
    assert steps == {60_000_000_000}
    assert curve.equity[-1] == pytest.approx(float(kit.run.final_equity), rel=1e-15)
