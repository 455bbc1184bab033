"""The benches give what `veloz backtest` gives for the same strategy file on imported data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Bench = Callable[..., list[dict[str, Any]]]

ROOT = Path(__file__).resolve().parents[2]
SYMBOL = "binance:BTC/USDT:USDT"
BOOK = ("--fees", "maker=0.0002,taker=0.0005", "--latency", "1ms", "--fill", "queue=back")
# script -> input, strategy, settings, least number of orders
CASES = {
    "bars.py": ("bars_1m.npz", "sma_cross.py", ("--fees", "0.001"), 80),
    "l2.py": ("l2_hft.npz", "market_maker.py", BOOK, 500),
    "orders.py": ("l2_hft.npz", "submit_cancel.py", BOOK, 10_000),
}


@pytest.mark.parametrize("script", CASES)
def test_the_same_file_on_a_catalogue_gives_the_same_fills(
    script: str, small_inputs: Path, bench: Bench, veloz: Callable[..., Any], tmp_path: Path
) -> None:
    file, strategy, settings, orders = CASES[script]
    (line,) = bench(script, small_inputs, "--n", 60_000, "--runs", 1)
    interval = ("--interval", "1m") if script == "bars.py" else ()
    imported = veloz(
        "data", "import", small_inputs / file, "--catalog", "data", "--symbol", SYMBOL, *interval
    )
    assert imported.returncode == 0, imported.stderr
    told = veloz(
        "backtest", ROOT / "benches" / "strategies" / strategy, "--data", "data", "--json",
        "--no-report", "--balance", "100000000 USDT", *settings,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    run = json.loads(told.stdout.splitlines()[-1])
    assert line["orders"] >= orders
    assert (run["fills"], run["final_equity"]) == (line["fills"], line["final_equity"])


def test_a_line_has_what_the_table_needs(small_inputs: Path, bench: Bench) -> None:
    (line,) = bench("bars.py", small_inputs, "--n", 2_000, "--runs", 2)
    assert (line["workload"], line["units"], line["n"], line["runs"]) == ("W1", "bars/s", 2_000, 2)
    assert line["rate"] == pytest.approx(line["n"] / line["seconds"], rel=1e-3)
    assert line["median_seconds"] >= line["seconds"]
    assert line["build_seconds"] > 0


def test_everything_runs_in_a_folder_that_is_empty_at_first(bench: Bench, tmp_path: Path) -> None:
    bench("inputs.py", tmp_path, "--bars", 2_000, "--events", 20_000, "--frames", 200)
    lines = bench("run.py", "--quick", "--data", tmp_path)
    assert [line["workload"] for line in lines] == [
        "W1",
        "W3",
        "W4b",
        "W7",
        "S1",
        "J1",
        "J2",
        "J3",
        "J4",
        "L1",
        "L2",
    ]


def test_a_profile_names_the_parts(small_inputs: Path, bench: Bench, capfd: Any) -> None:
    for script in ("bars.py", "l2.py", "orders.py"):
        assert bench(script, small_inputs, "--n", 1_000, "--runs", 1, "--profile")


def test_the_inputs_are_the_same_each_time(
    small_inputs: Path, bench: Bench, tmp_path: Path
) -> None:
    bench("inputs.py", tmp_path, "--bars", 3_000, "--events", 60_000, "--frames", 400)
    for name in ("bars_1m.npz", "l2_hft.npz"):
        with np.load(tmp_path / name) as again, np.load(small_inputs / name) as first:
            assert again.files == first.files
            for column in first.files:
                assert again[column].tobytes() == first[column].tobytes()
    frames = (tmp_path / "depth.jsonl").read_bytes()
    assert frames == (small_inputs / "depth.jsonl").read_bytes()


def test_a_price_with_too_many_decimals_is_refused(tmp_path: Path, small_inputs: Path) -> None:
    import subprocess
    import sys

    with np.load(small_inputs / "bars_1m.npz") as archive:
        columns = dict(archive)
    columns["close"][7] += 0.004
    np.savez(tmp_path / "bars_1m.npz", **columns)
    ended = subprocess.run(
        [sys.executable, str(ROOT / "benches" / "bars.py"), str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "close of row 7" in ended.stderr
    assert "more than 2 decimals" in ended.stderr
