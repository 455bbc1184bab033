"""`veloz new`: two files that run, or nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import veloz as vz
from veloz.apps import new
from veloz.errors import UsageError


def test_it_writes_a_strategy_and_its_test(veloz, tmp_path: Path) -> None:
    ended = veloz("new", "my_cross")
    assert ended.returncode == 0
    assert "next: veloz backtest my_cross.py" in ended.stdout
    strategy = (tmp_path / "my_cross.py").read_text("utf-8")
    assert "class MyCross(vz.Strategy):" in strategy
    assert "from my_cross import MyCross" in (tmp_path / "test_my_cross.py").read_text("utf-8")
    for path in tmp_path.glob("*.py"):
        compile(path.read_text("utf-8"), str(path), "exec")


def test_json_names_both_files(veloz, tmp_path: Path) -> None:
    shape = json.loads(veloz("new", "a1", "--folder", tmp_path / "deep" / "er", "--json").stdout)
    assert Path(shape["strategy"]).is_file()
    assert Path(shape["test"]).is_file()


@pytest.mark.parametrize("there", ["my_cross.py", "test_my_cross.py"])
def test_nothing_is_overwritten_and_nothing_half_written(veloz, tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    ended = veloz("new", "my_cross")
    assert ended.returncode == 2
    assert f"{there} is there already" in ended.stderr
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {there: "mine"}


@pytest.mark.parametrize("name", ["", "My", "1st", "a-b", "../up", "class", "a b", "naïve"])
def test_a_name_that_cannot_be_imported_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a strategy's name"):
        new.write(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_it_writes_is_linted_as_ours_is(tmp_path: Path) -> None:
    for path in new.write("my_cross", tmp_path):
        ruff = [Path(sys.executable).parent / "ruff", "check", "--isolated", "--line-length=100"]
        subprocess.run([*ruff, "--select=E,F,W,B,UP", path], check=True)


@pytest.mark.skipif(not hasattr(vz, "Strategy"), reason="the SDK is not merged yet")
def test_the_test_it_writes_passes(tmp_path: Path) -> None:
    new.write("my_cross", tmp_path)
    pytest_alone = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "--rootdir=."]
    ended = subprocess.run(pytest_alone, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
