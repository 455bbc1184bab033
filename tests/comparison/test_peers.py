"""The cross on backtesting.py and vectorbt: equal trades, except at exact ties of the averages.

Both average floats, so a tie may come out as a crossing there. Everything else must be equal: each
trade's bar, side and price, and the equity that follows from the peer's own trades.

They need an environment of their own; `make compare` makes it and runs this.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import veloz as vz
from tests.comparison.crossing import CASH, SETTINGS, STRATEGY, cross, trades_of

HERE = Path(__file__).parent
PEERS = os.environ.get("VELOZ_PEERS", "")
SYMBOL = "binance:BTC/USDT:USDT"

pytestmark = [
    pytest.mark.skipif(not PEERS, reason="not run: needs other engines; `make compare` runs it"),
    pytest.mark.timeout(600),
]


def told_by(peer: str, bars: Path) -> dict[str, Any]:
    """What a peer says about the bars in a file."""
    ended = subprocess.run(
        [PEERS, str(HERE / f"peer_{peer}.py"), str(bars)],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return json.loads(ended.stdout.splitlines()[-1])


def held_after(trades: list[tuple[int, int, int]], rows: int) -> list[int]:
    """The position on each bar."""
    change = [0] * rows
    for row, side, _ in trades:
        change[row] += side
    return list(accumulate(change))


@pytest.mark.parametrize("peer", ["backtesting", "vectorbt"])
@pytest.mark.parametrize("bars", ["generated", "coarse"])
def test_only_exact_ties_differ(
    peer: str, bars: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    source, floats = request.getfixturevalue(bars)
    np.savez(tmp_path / "bars.npz", **floats)
    told = told_by(peer, tmp_path / "bars.npz")
    theirs = [(row, side, round(price * 100)) for row, side, price in told["trades"]]

    columns = source.series[SYMBOL, "bar_1m"]
    rows = len(columns["close"])
    run = vz.backtest(STRATEGY, source, **SETTINGS)
    ours = trades_of(run, columns["ts_open"])

    reference = cross(columns["open"].tolist(), columns["close"].tolist(), 2)
    here, there = held_after(ours, rows), held_after(theirs, rows)
    differing = {row for row in range(rows) if here[row] != there[row]}
    after_ties = {row + 1 for row in reference.ties}
    assert differing <= after_ties
    common = len(set(ours) & set(theirs))
    sys.stderr.write(
        f"\n{peer} {told['version']}, {bars} bars: {len(ours)} fills here, {len(theirs)} there, "
        f"{common} equal; {len(reference.ties)} ties, positions differ on {len(differing)} bars; "
        f"equity {run.final_equity} here, {told['final_equity']} there\n"
    )

    # The peer's equity is that of its own trades; so nothing else differs, fees included.
    cash = CASH * 100_000 - sum(side * price * 1000 + price for _, side, price in theirs)
    equity = cash + there[-1] * int(columns["close"][-1]) * 1000
    assert told["final_equity"] == pytest.approx(equity / 100_000, rel=1e-12)
    if not differing:
        assert ours == theirs
        assert float(run.final_equity) == pytest.approx(told["final_equity"], rel=1e-12)
