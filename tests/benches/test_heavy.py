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
IMPORT = """
import sys
from pathlib import Path
from veloz.storage.importers.source_rows import Options
from veloz.storage.importing import import_files

options = Options(symbol="binance:BTC/USDT:USDT")
import_files([Path(sys.argv[1])], Path(sys.argv[2]), options)
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


@pytest.fixture(scope="module")
def feeds(
    long_share: float, bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, Path]:
    """Rows of a feed, and a folder with two catalogues: "1" holds it once, "4" four times."""
    folder = tmp_path_factory.mktemp("feeds")
    # Past a million rows the allocator has all that one stored file after the other needs.
    rows = max(int(3_000_000 * long_share), 1_500_000)
    bench("inputs.py", folder, "--bars", 0, "--events", rows, "--frames", 0)
    for times in (1, 4):
        for file in in_a_row(folder / "l2_hft.npz", times):
            python("-c", IMPORT, file, folder / str(times))
            if file.name != "l2_hft.npz":
                file.unlink()
    return rows, folder


@pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")
@pytest.mark.parametrize("strategy", ["watcher", "market_maker"])
def test_memory_of_an_l2_replay_is_flat_in_the_length_of_the_data(
    strategy: str, feeds: tuple[int, Path], tmp_path: Path
) -> None:
    path = ROOT / "benches" / "strategies" / f"{strategy}.py"
    if strategy == "watcher":
        path = tmp_path / "watcher.py"
        path.write_text(WATCHER)
    rows, folder = feeds
    peaks = {}
    for times in (1, 4):
        told = python("-c", REPLAY, ROOT / "benches", path, folder / str(times)).split()
        assert int(told[1]) == rows * times
        peaks[times] = float(told[0])
    # The rows that were added would take 40 bytes each. A strategy that trades leaves its orders
    # and a journal, together about 25 bytes a row of this market.
    # The allocator's own swing was seen up to 76 MiB, with and without load.
    added = 3 * rows / 2**20
    swing = 100
    assert 40 * added > 1.5 * swing
    assert peaks[4] - peaks[1] <= swing + (25 * added if strategy == "market_maker" else 0), peaks


def in_a_row(first: Path, times: int) -> list[Path]:
    """A feed, and copies of it that begin one after the other."""
    with np.load(first) as archive:
        rows = archive["data"]
    span = rows["local_ts"][-1] - rows["exch_ts"][0] + 1_000_000
    files = [first]
    for copy in range(1, times):
        later = rows.copy()
        later["exch_ts"] += copy * span
        later["local_ts"] += copy * span
        files.append(first.with_name(f"later-{copy}.npz"))
        np.savez(files[-1], data=later)
    return files


@pytest.mark.timed
def test_import_takes_at_most_100_ms_of_work() -> None:
    program = "import veloz, time; print(time.process_time())"  # the interpreter's start counts too
    assert min(float(python("-c", program)) for _ in range(5)) <= 0.100
