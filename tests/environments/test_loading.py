"""Loading a strategy says what in its source would make two runs differ, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from veloz.environments.loading import load_strategy

BODY = """
class Mine(Strategy):
    bars = Bars("synthetic:BTC/USDT")

    def on_bar(self, bar):
        {line}
"""


def warnings(folder: Path, head: str, line: str) -> tuple[str, ...]:
    file = folder / "mine.py"
    file.write_text(f"from veloz import Bars, Strategy\n{head}\n{BODY.format(line=line)}")
    return load_strategy(str(file)).warnings


@pytest.mark.parametrize(
    ("head", "line", "name"),
    [
        ("import time", "time.time()", "time.time"),
        ("import time as t", "t.time_ns()", "time.time_ns"),
        ("from time import time", "time()", "time.time"),
        ("from datetime import datetime", "datetime.now()", "datetime.datetime.now"),
        ("import datetime as dt", "dt.datetime.utcnow()", "datetime.datetime.utcnow"),
        ("import random", "random.random()", "random.random"),
        ("from random import gauss as g", "g(0, 1)", "random.gauss"),
        ("import numpy as np", "np.random.normal()", "numpy.random.normal"),
        ("import os", 'os.environ["X"]', "os.environ"),
    ],
)
def test_clocks_dice_and_surroundings_are_named(tmp_path, head: str, line: str, name: str) -> None:
    (said,) = warnings(tmp_path, head, line)
    assert said.startswith(f"mine.py:8 reads {name}: two runs may differ; use ")


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("", "self.random.random()"),
        ("", "self.random.choice([1, 2])"),
        ("import random", "self.random.random()"),
        ("", "bar.time.time"),
        ("from datetime import datetime", "datetime.fromtimestamp(self.now / 1e9)"),
    ],
)
def test_the_strategys_own_dice_and_clock_are_not(tmp_path, head: str, line: str) -> None:
    assert warnings(tmp_path, head, line) == ()


def package(folder: Path) -> Path:
    (folder / "tools").mkdir()
    (folder / "tools" / "__init__.py").write_text("")
    (folder / "tools" / "fees.py").write_text("import rates\nRATE = rates.RATE\n")
    (folder / "rates.py").write_text("import time\nRATE = 1\nNOW = time.time()\n")
    (folder / "unused.py").write_text("")
    strategy = folder / "mine.py"
    head = "from veloz import Bars, Strategy\nfrom tools.fees import RATE"
    strategy.write_text(f"{head}\n{BODY.format(line='pass')}")
    return strategy


@pytest.fixture
def forgets_modules():
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.usefixtures("forgets_modules")
def test_files_that_the_strategy_imports_count_and_are_read_too(tmp_path: Path) -> None:
    strategy = package(tmp_path)
    loaded = load_strategy(str(strategy))
    assert [text.split(":")[0] for text in loaded.warnings] == ["rates.py"]
    (tmp_path / "unused.py").write_text("changed = True\n")
    assert load_strategy(str(strategy)).digest == loaded.digest
    (tmp_path / "rates.py").write_text("import time\nRATE = 2\nNOW = time.time()\n")
    assert load_strategy(str(strategy)).digest != loaded.digest


@pytest.mark.usefixtures("forgets_modules")
def test_the_digest_knows_no_place(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = load_strategy(str(package(tmp_path / "a")))
    assert load_strategy(str(package(tmp_path / "b"))).digest == first.digest
