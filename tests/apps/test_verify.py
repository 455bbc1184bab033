"""`veloz verify`: an honest run passes, and whatever reads more than its data is caught."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.apps.conftest import checked


def run_folder(veloz, strategy: Path, catalogue: Path, **variables: str) -> str:
    ended = veloz("backtest", strategy, "--data", catalogue, "--json", **variables)
    assert ended.returncode == 0, ended.stdout
    return checked("backtest", ended.stdout)["folder"]


def test_a_run_that_reads_only_its_data_is_equal(veloz, catalogue, cross) -> None:
    folder = run_folder(veloz, cross, catalogue)
    ended = veloz("verify", folder, "--json")
    printed = checked("verify", ended.stdout)
    assert (ended.returncode, printed["equal"], printed["difference"]) == (0, True, None)
    text = veloz("verify", folder)
    assert text.returncode == 0
    assert text.stdout.startswith("equal: ")


CLOCKS = [
    ("import time", "time.time()"),
    ("import time", "time.time_ns() / 1e9"),
    ("from time import time_ns", "time_ns() / 1e9"),
    ("from datetime import datetime", "datetime.now().timestamp()"),
    ("import datetime", "datetime.datetime.today().timestamp()"),
    ("import datetime", "datetime.date.today().toordinal() * 86_400"),
    ("import time", "__import__('calendar').timegm(time.gmtime())"),
]


@pytest.mark.parametrize(("head", "reading"), CLOCKS)
def test_a_strategy_that_reads_a_clock_is_caught(
    veloz, catalogue, strategy, head: str, reading: str
) -> None:
    mine = strategy(
        f'self.target(self.symbol, "0.01", why=str(int({reading}) // 86_400))', head=head
    )
    folder = run_folder(veloz, mine, catalogue)
    ended = veloz("verify", folder, "--json")
    printed = checked("verify", ended.stdout)
    assert (ended.returncode, printed["equal"]) == (1, False)
    assert "PlaceCommand" in printed["difference"]


def test_a_strategy_that_depends_on_the_hash_seed_is_caught(veloz, catalogue, strategy) -> None:
    words = '{"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"}'
    mine = strategy(f'self.target(self.symbol, "0.01", why=" ".join({words}))')
    folder = run_folder(veloz, mine, catalogue, PYTHONHASHSEED="1")
    ended = veloz("verify", folder, PYTHONHASHSEED="1")
    assert ended.returncode == 1
    assert ended.stdout.startswith("different: trading-000001.vj")


def test_the_folder_of_the_process_is_another(veloz, catalogue, strategy) -> None:
    mine = strategy('self.target(self.symbol, "0.01", why=os.getcwd())', head="import os")
    ended = veloz("verify", run_folder(veloz, mine, catalogue))
    assert ended.returncode == 1


def test_a_changed_strategy_is_named(veloz, catalogue, cross) -> None:
    folder = run_folder(veloz, cross, catalogue)
    cross.write_text(cross.read_text() + "\n# changed\n")
    ended = veloz("verify", folder)
    assert ended.returncode == 1
    assert "changed since the run: the strategy" in ended.stderr
    assert "cross.py" in ended.stderr


def test_changed_data_are_named(veloz, catalogue, cross, tmp_path) -> None:
    folder = run_folder(veloz, cross, catalogue)
    host = tmp_path / folder / "run.json"
    other = tmp_path / "other"
    made = veloz(
        "data", "synth", "--model", "bars", "--seed", "8", "--rows", "2000", "--symbol",
        "synthetic:BTC/USDT:USDT", "--catalog", other,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    ended = veloz("verify", folder, "--data", other)
    assert ended.returncode == 1
    assert "changed since the run: the data" in ended.stderr
    assert json.loads(host.read_text())["data"] == str(catalogue.resolve())


def test_a_tampered_journal_and_metrics_are_found(veloz, catalogue, cross, tmp_path) -> None:
    folder = run_folder(veloz, cross, catalogue)
    metrics = tmp_path / folder / "metrics.json"
    metrics.write_text(metrics.read_text().replace('"fills": ', '"fills": 1'))
    ended = veloz("verify", folder)
    assert ended.returncode == 1
    assert ended.stdout.startswith("different: metrics.json: line ")


@pytest.mark.parametrize("what", ["nowhere", "."])
def test_what_is_no_run_is_said_so(veloz, what: str) -> None:
    ended = veloz("verify", what)
    assert ended.returncode == 4
    assert "is not the folder of a run" in ended.stderr


def test_a_strategy_that_is_gone_is_named(veloz, catalogue, cross) -> None:
    folder = run_folder(veloz, cross, catalogue)
    cross.unlink()
    ended = veloz("verify", folder)
    assert ended.returncode == 4
    assert "the strategy of" in ended.stderr


def test_moved_clocks_are_still_clocks() -> None:
    program = """
import datetime, time
before = time.time(), datetime.datetime.now()
from veloz.apps.verify import shift_clocks
shift_clocks(1000.0)
assert 999 < time.time() - before[0] < 1100
assert 999 < (datetime.datetime.now() - before[1]).total_seconds() < 1100
assert isinstance(before[1], datetime.datetime) and isinstance(before[1], datetime.date)
assert datetime.datetime(2024, 1, 1) == datetime.datetime.fromisoformat("2024-01-01")
assert abs(datetime.datetime.now(datetime.UTC).timestamp() - time.time()) < 5
assert time.gmtime(0).tm_year == 1970
"""
    subprocess.run([sys.executable, "-c", program], check=True, env=dict(os.environ))
