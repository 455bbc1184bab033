"""Heavy figures: memory, and the time that `import veloz` takes. Each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Bench = Callable[..., list[dict[str, Any]]]

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]
SYMBOL = "binance:BTC/USDT:USDT"

# Runs a strategy on a catalogue and prints the process's peak memory, MiB, and the fills.
REPLAY = """
import sys
sys.path.insert(0, sys.argv[1])
import veloz
from timing import peak_rss_mb
run = veloz.backtest(
    sys.argv[2], sys.argv[3], balance="100000000 USDT", fees="maker=0.0002,taker=0.0005",
    latency="1ms", fill="queue=back",
)
print(peak_rss_mb(), run.counts["rows"], run.fills_count)
"""
# Has the book kept for it and never trades: what is left is the replay itself.
WATCHER = """
from veloz import Books, Strategy, Symbol


class Watcher(Strategy):
    symbol = Symbol("binance:BTC/USDT:USDT")
    books = Books("symbol")
"""


def python(*words: object) -> str:
    ended = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")
def test_a_million_bars_fit_in_250_mb(long_share: float, bench: Bench, tmp_path: Path) -> None:
    rows = max(int(1_000_000 * long_share), 100_000)
    bench("inputs.py", tmp_path, "--bars", rows, "--events", 0, "--frames", 0)
    (line,) = bench("bars.py", tmp_path, "--n", rows, "--runs", 3)
    assert line["fills"] > rows / 40
    # Interpreter, NumPy and journal code are 80 MB of it; the rest must be in proportion.
    assert line["peak_rss_mb"] <= 80 + 170 * rows / 1_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")
@pytest.mark.parametrize("strategy", ["watcher", "market_maker"])
def test_memory_of_an_l2_replay_is_flat_in_the_length_of_the_data(
    strategy: str, long_share: float, bench: Bench, veloz: Callable[..., Any], tmp_path: Path
) -> None:
    if strategy == "watcher":
        path = tmp_path / "watcher.py"
        path.write_text(WATCHER)
    else:
        path = ROOT / "benches" / "strategies" / "market_maker.py"
    most = max(int(4_000_000 * long_share), 1_200_000)
    bench("inputs.py", tmp_path, "--bars", 0, "--events", most, "--frames", 0)
    with np.load(tmp_path / "l2_hft.npz") as archive:
        whole = archive["data"]
    peaks = {}
    for rows in (most // 4, most):
        np.savez(tmp_path / f"{rows}.npz", data=whole[:rows])
        done = veloz(
            "data", "import", tmp_path / f"{rows}.npz", "--catalog", str(rows), "--symbol", SYMBOL
        )
        assert done.returncode == 0, done.stderr
        told = python("-c", REPLAY, ROOT / "benches", path, tmp_path / str(rows)).split()
        assert int(told[1]) == rows
        peaks[rows] = float(told[0])
    growth = peaks[most] - peaks[most // 4]
    # A strategy that trades leaves orders and a journal: those may grow, the market data may not
    # (its columns alone are 40 bytes a row).
    allowed = 12 if strategy == "watcher" else 12 + 25e-6 * most
    assert growth <= allowed, peaks


@pytest.mark.timed
def test_import_takes_at_most_100_ms_of_work() -> None:
    program = "import veloz, time; print(time.process_time())"  # the interpreter's start counts too
    assert min(float(python("-c", program)) for _ in range(5)) <= 0.100
