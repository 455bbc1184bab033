"""A small catalogue of made bars and trades, and strategies written to a folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from veloz.storage.synthetic import Synthetic, synthesize

SCHEMAS = Path(__file__).resolve().parent.parent.parent / "docs" / "schemas"
SYMBOL = "synthetic:BTC/USDT:USDT"

CROSS = f'''\
from veloz import Bars, Int, Qty, Strategy, Symbol


class Cross(Strategy):
    symbol = Symbol("{SYMBOL}")
    fast, slow, qty = Int(5, 2, 100), Int(20, 5, 400), Qty("0.01")
    bars = Bars("symbol", "1m")

    def on_start(self):
        self.f, self.s = self.sma(self.bars, self.fast), self.sma(self.bars, self.slow)

    def on_bar(self, bar):
        up = self.f.value > self.s.value
        self.target(self.symbol, self.qty if up else 0, why="up" if up else "down")
'''


@pytest.fixture(scope="session")
def made_catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of 2,000 bars and some trades of a made market; read only."""
    root = tmp_path_factory.mktemp("made") / "catalog"
    synthesize(Synthetic(model="bars", seed=7, rows=2_000, symbol=SYMBOL), root)
    return root


@pytest.fixture
def catalogue(made_catalogue: Path, tmp_path: Path) -> Path:
    """The test's own copy of the made catalogue, where the command runs."""
    return Path(shutil.copytree(made_catalogue, tmp_path / "catalog"))


@pytest.fixture
def cross(tmp_path: Path) -> Path:
    """A strategy that trades."""
    return written(tmp_path / "cross.py", CROSS)


@pytest.fixture
def strategy(tmp_path: Path) -> Callable[..., Path]:
    """Writes a strategy on one-minute bars from the body of its `on_bar`."""

    def write(body: str, *, head: str = "", extra: str = "", name: str = "mine") -> Path:
        lines = "\n".join(f"        {line}" for line in body.splitlines())
        return written(
            tmp_path / f"{name}.py",
            "from veloz import Bars, Int, Qty, Strategy, Symbol\n"
            f"{head}\n\n"
            "class Mine(Strategy):\n"
            f'    symbol = Symbol("{SYMBOL}")\n'
            '    bars = Bars("symbol", "1m")\n'
            f"{extra}\n"
            "    def on_bar(self, bar):\n"
            f"{lines}\n",
        )

    return write


def written(path: Path, content: str) -> Path:
    """The path, once the file is there."""
    path.write_text(content, encoding="utf-8")
    return path


def checked(name: str, stdout: str) -> dict[str, Any]:
    """The object on the last line, once it is known to follow its schema."""
    shape = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(shape)
    printed = json.loads(stdout.splitlines()[-1])
    Draft202012Validator(shape).validate(printed)
    assert not Draft202012Validator(shape).is_valid({"surely": "not this"})
    return printed
