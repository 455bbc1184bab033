"""`veloz backtest PATH.py[:Class]`: a strategy trades recorded data; figures, a folder, a report.

What the engine does is `veloz.environments`; here words become its arguments, and its result
becomes text or JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veloz.errors import ConfigError

if TYPE_CHECKING:
    from veloz.environments import Run
    from veloz.environments.backtest import Progress

# The engine, NumPy and DuckDB are imported by `run`, so that `veloz --help` stays fast.

DEFAULT_CATALOGUE = "catalog"
DEFAULT_OUT = "runs"
_REDRAW_S = 0.1
_GUTTER = 9


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the arguments of `veloz backtest`."""
    parser = verbs.add_parser(
        "backtest",
        help="trade a strategy on recorded data",
        description="Trade a strategy on recorded data, print its figures and write a run folder.",
    )
    parser.add_argument("strategy", metavar="PATH.py[:Class]", help="the strategy's file")
    parser.add_argument(
        "--data", default=DEFAULT_CATALOGUE, metavar="DIR",
        help=f"the catalogue's folder (default {DEFAULT_CATALOGUE})",
    )  # fmt: skip
    parser.add_argument("--from", dest="start", metavar="TIME", help="first instant, UTC")
    parser.add_argument("--to", dest="end", metavar="TIME", help="last instant, exclusive, UTC")
    _add_account(parser)
    _add_venue(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all dice (default 0)")
    parser.add_argument(
        "--allow-early-data", action="store_true",
        help="accept rows that arrive before they happened; the report says so",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path(DEFAULT_OUT), metavar="DIR",
        help=f"folder that the run's own folder is written into (default {DEFAULT_OUT})",
    )  # fmt: skip
    parser.add_argument("--no-report", action="store_true", help="write no report.html")
    parser.add_argument(
        "--csv", action="store_true", help="also write orders.csv and fills.csv, for accounting"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_account(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--balance", default="10000 USDT", metavar="AMOUNTS",
        help='opening balances, e.g. "10000 USDT, 0.5 BTC" (default 10000 USDT)',
    )  # fmt: skip
    parser.add_argument(
        "--leverage", default="1", metavar="N",
        help="of every contract, or SYMBOL=N, …  (default 1)",
    )  # fmt: skip
    parser.add_argument(
        "--maintenance", metavar="RATE",
        help="margin at which a contract is liquidated, as a fraction of its value, or "
        "SYMBOL=RATE, …; 0 liquidates nothing (default: the instrument's, else 0.005)",
    )  # fmt: skip
    parser.add_argument(
        "--report-currency", metavar="ASSET",
        help="what equity is told in (default: what the first instrument settles in)",
    )  # fmt: skip
    parser.add_argument(
        "--set", dest="parameters", action="append", default=[], metavar="NAME=VALUE",
        help="a parameter of the strategy (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--limit", dest="limits", action="append", default=[], metavar="NAME=VALUE",
        help="a risk limit, e.g. max_order_notional=5000 or max_position=SYMBOL=0.5 (repeatable)",
    )  # fmt: skip


def _add_venue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fees", metavar="RATES",
        help='as fractions: "0.001" or "maker=0.0002,taker=0.0005" (default: the instrument\'s)',
    )  # fmt: skip
    parser.add_argument(
        "--latency", metavar="MODEL",
        help='each way: "5ms", "normal:5ms,1ms,1ms", or "entry=MODEL;report=MODEL"',
    )  # fmt: skip
    parser.add_argument(
        "--fill", action="append", default=[], metavar="KEY=VALUE",
        help="a choice of the matching simulator, e.g. queue=proportional (repeatable)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Trades, prints, and writes the run's folder.

    Returns:
        0.

    Raises:
        VelozError: If something is wrong with settings, data or strategy; nothing is written.
    """
    from veloz.environments import backtest

    with _progress() as progress:
        finished = backtest(
            args.strategy,
            args.data,
            start=args.start,
            end=args.end,
            balance=args.balance,
            leverage=args.leverage,
            maintenance=args.maintenance,
            report_currency=args.report_currency,
            parameters=_pairs(args.parameters, "--set fast=12"),
            fees=args.fees,
            latency=args.latency,
            fill=[choice for given in args.fill for choice in given.split(",")],
            seed=args.seed,
            limits=_limits(args.limits),
            allow_early_data=args.allow_early_data,
            progress=progress,
        )
        folder = finished.write(args.out, has_report=not args.no_report, has_csv=args.csv)
    if args.json:
        print(json.dumps(as_json(finished), allow_nan=False))
        return 0
    print(finished.text())
    print(_closing(finished, folder))
    return 0


def as_json(finished: Run) -> dict[str, Any]:
    """What `veloz backtest --json` prints of a run; its shape is docs/schemas/backtest."""
    folder = finished.folder
    report = None if folder is None else folder / "report.html"
    return {
        "run": finished.id,
        "folder": None if folder is None else str(folder),
        "report": str(report) if report is not None and report.exists() else None,
        "strategy": finished.facts.strategy,
        "fills": finished.fills_count,
        "orders": int(finished.counts["orders"]),
        "refused": int(finished.counts["refused"]),
        "rejected": int(finished.counts["rejected"]),
        "currency": finished.facts.currency,
        "final_equity": plain_decimal(finished.final_equity),
        "positions": {symbol: plain_decimal(qty) for symbol, qty in finished.positions.items()},
        "metrics": finished.metrics,
        "digests": dict(finished.facts.digests),
        "journal": finished.journal_hash,
        "rows": int(finished.counts["rows"]),
        "seconds": round(finished.seconds, 6),
        "warnings": list(finished.facts.warnings),
    }


def plain_decimal(value: Decimal) -> str:
    """An exact decimal without exponent and without zeros at its end.

    >>> (
    ...     plain_decimal(Decimal("1E+3")),
    ...     plain_decimal(Decimal("0.500")),
    ...     plain_decimal(Decimal("-0.0")),
    ... )
    ('1000', '0.5', '0')
    """
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def _closing(finished: Run, folder: Path) -> str:
    lines = [f"{'run':<{_GUTTER}}{folder}"]
    if (folder / "report.html").exists():
        lines.append(f"{'report':<{_GUTTER}}{folder / 'report.html'}   (it needs no network)")
    if (folder / "fills.csv").exists():
        lines.append(f"{'csv':<{_GUTTER}}{folder / 'orders.csv'}, {folder / 'fills.csv'}")
    following = "verify" if finished.fills_count else "explain"
    lines.append(f"{'next:':<{_GUTTER}}veloz {following} {folder}")
    return "\n".join(lines)


def _pairs(given: list[str], example: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ConfigError(f"{text!r} is not NAME=VALUE", hint=f"Write it like {example}.")
        if name in pairs:
            raise ConfigError(f"{name} is given twice: {pairs[name]!r} and {value!r}")
        pairs[name] = value.strip()
    return pairs


def _limits(given: list[str]) -> dict[str, Any]:
    """Limits by name; a limit that is told by symbol becomes a mapping."""
    limits: dict[str, Any] = {}
    for text in given:
        name, equals, rest = (part.strip() for part in text.partition("="))
        if not equals or not name or not rest:
            raise ConfigError(
                f"{text!r} is not NAME=VALUE", hint="Write it like --limit max_order_notional=5000."
            )
        symbol, by_symbol, value = (part.strip() for part in rest.rpartition("="))
        have = limits.get(name)
        if not by_symbol and have is None:
            limits[name] = value
        elif by_symbol and isinstance(have, (dict, type(None))) and symbol not in (have or {}):
            limits[name] = {**(have or {}), symbol: value}
        else:
            raise ConfigError(f"the limit {name} is given twice")
    return limits


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """A progress bar on a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TextColumn, TimeRemainingColumn

    columns = (
        *Bars.get_default_columns()[:-1],
        TimeRemainingColumn(),
        TextColumn("{task.fields[rows]}"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _drawn(bars, bars.add_task("replay", total=None, rows=""))


def _drawn(bars: Any, task: Any) -> Callable[[int, int, int], None]:
    first: int | None = None
    drawn = 0.0

    def show(rows: int, now_ns: int, end_ns: int) -> None:
        nonlocal first, drawn
        first = now_ns if first is None else min(first, now_ns)
        if time.monotonic() - drawn < _REDRAW_S:
            return
        drawn = time.monotonic()
        total = end_ns - first if end_ns > first else None
        bars.update(task, total=total, completed=now_ns - first, rows=f"{rows:,} rows")

    return show
