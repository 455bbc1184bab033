"""`veloz new`: writes a strategy that runs as it is, and a test for it."""

from __future__ import annotations

import argparse
import json
import keyword
import re
from pathlib import Path
from string import Template

from veloz.errors import UsageError

__all__ = ["add_parser", "run", "write"]

NAME_RULE = re.compile(r"[a-z][a-z0-9_]*")

STRATEGY = Template('''\
"""$title: long while the fast average is above the slow one, short while it is below."""

import veloz as vz


class $class_name(vz.Strategy):
    """Follows the trend of one symbol by two moving averages of its bars.

    Earns in a market that goes on; loses in one that swings about the slow average.
    """

    symbol = vz.Symbol("binance:BTC/USDT:USDT")
    fast = vz.Int(10, 2, 100)
    slow = vz.Int(30, 5, 400)
    qty = vz.Qty("0.01")
    bars = vz.Bars("symbol", "1m")

    def on_start(self):
        self.fast_mean = self.sma(self.bars, self.fast)
        self.slow_mean = self.sma(self.bars, self.slow)

    def on_bar(self, bar):
        if self.fast_mean.value > self.slow_mean.value:
            self.target(self.symbol, self.qty, why="fast average above slow")
        elif self.fast_mean.value < self.slow_mean.value:
            self.target(self.symbol, -self.qty, why="fast average below slow")
''')

TEST = Template('''\
"""What $class_name does with bars that rise, then fall."""

import veloz as vz
from $name import $class_name


def test_it_is_long_after_a_rise_and_short_after_a_fall():
    prices = [100 + step for step in range(60)] + [160 - step for step in range(60)]
    kit = vz.test($class_name, fast=5, slow=20).feed_closes(prices)
    assert [order.side for order in kit.orders] == ["buy", "sell"]
''')


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the arguments of `veloz new`."""
    parser = verbs.add_parser("new", help="write a strategy that runs as it is, and its test")
    parser.add_argument("name", help="lower case, digits and underscores, such as my_cross")
    parser.add_argument("--folder", type=Path, default=Path(), help="where to (default: here)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Writes the two files and says what to do next."""
    strategy, test = write(args.name, args.folder)
    if args.json:
        print(json.dumps({"strategy": str(strategy), "test": str(test)}))
        return 0
    print(f"wrote {strategy} and {test}")
    print(f"next: veloz backtest {strategy} --help")
    return 0


def write(name: str, folder: Path) -> tuple[Path, Path]:
    """Writes the strategy `name` and its test into `folder`, both or neither.

    Args:
        name: The file's name without suffix; the class gets it in CamelCase.
        folder: Where to; made if it is not there.

    Returns:
        The paths of the strategy and of its test.

    Raises:
        UsageError: If the name cannot be imported, or one of the files is there already.
    """
    if not NAME_RULE.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} cannot be a strategy's name",
            hint="use lower case letters, digits and underscores, such as my_cross",
        )
    words = {
        "name": name,
        "class_name": "".join(part.capitalize() for part in name.split("_")),
        "title": name.replace("_", " ").capitalize(),
    }
    texts = {
        folder / f"{name}.py": STRATEGY.substitute(words),
        folder / f"test_{name}.py": TEST.substitute(words),
    }
    for path in texts:
        if path.exists():
            raise UsageError(f"{path} is there already", hint="choose another name or --folder")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    strategy, test = texts
    return strategy, test
