"""`veloz demo`: two strategies trade real recorded data, offline, within a minute.

```text
examples/data ─► catalogue ─► SMA cross on a month of bars ────────────► report
                          └─► market maker on five minutes of the book ─► report
```

Everything goes the way that a user's own data and strategies go: the importer of `veloz data
import`, the engine of `veloz backtest`. The examples are beside the package in a checkout and
inside it where it was installed from a wheel.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import veloz
from veloz.errors import DataError

if TYPE_CHECKING:
    from veloz.environments import Run

SYMBOL = "binance:BTC/USDT:USDT"
SOURCE = Path("data") / "binance_usdm"
FILES = (
    "BTCUSDT_1m.parquet",
    "BTCUSDT_2023-04-04_5min.jsonl.gz",
    "BTCUSDT_mark_8h.parquet",
    "BTCUSDT_funding.parquet",
)
CATALOGUE, RUNS = "catalog", "runs"


@dataclass(frozen=True)
class Act:
    """One strategy of the demo.

    Attributes:
        file: Its file among the examples.
        about: What it trades on, for a reader.
        settings: Arguments of `veloz.backtest`.
    """

    file: str
    about: str
    settings: dict[str, Any] = field(default_factory=dict)

    def command(self, examples: Path, out: Path) -> str:
        """The command line that does the same."""
        words = ["veloz", "backtest", examples / self.file, "--data", out / CATALOGUE]
        for name, value in self.settings.items():
            words += [f"--{_OPTIONS[name]}", value]
        return shlex.join(str(word) for word in [*words, "--out", out / RUNS])


_OPTIONS = {"start": "from", "end": "to", "fees": "fees"}

ACTS = (
    Act(
        "sma_cross.py",
        "a month of one-minute bars, 2025",
        {"start": "2025-05-04", "end": "2025-06-04"},
    ),
    Act(
        "market_maker.py",
        "five minutes of the order book and every trade, 2023",
        {"start": "2023-04-04", "end": "2023-04-06", "fees": "maker=0,taker=0.0005"},
    ),
)


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the arguments of `veloz demo`."""
    parser = verbs.add_parser(
        "demo",
        help="trade real recorded data, offline",
        description="Import real recorded data, trade two example strategies on them, and write "
        "their reports. Needs no network.",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("veloz-demo"), metavar="DIR",
        help="folder for the catalogue and the runs (default veloz-demo)",
    )  # fmt: skip
    parser.add_argument(
        "--venue", dest="venue_s", type=float, default=30.0, metavar="SECONDS",
        help="how long to trade on the simulated exchange (30; 0 leaves it out)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Imports, trades twice, and says where everything is.

    Returns:
        0; 1 if the ledgers differ at the end, or a run does not verify.

    Raises:
        DataError: The examples are not installed, or the folder holds another catalogue's data.
    """
    from veloz.environments import backtest

    began = time.monotonic()
    examples = examples_folder()
    imported = _import(examples, args.out / CATALOGUE)
    finished: list[tuple[Act, Run]] = []
    for act in ACTS:
        _tell(args, f"trading {act.file} on {act.about} …")
        done = backtest(
            str(examples / act.file), args.out / CATALOGUE, out=args.out / RUNS, **act.settings
        )
        finished.append((act, done))
    venue = _trade_on_venue(args, examples)
    seconds = time.monotonic() - began
    if args.json:
        shape = _shape(args.out, imported, finished, seconds) | {"venue": venue}
        print(json.dumps(shape, allow_nan=False))
    else:
        print(_text(args.out, examples, finished, seconds, venue))
    return 0 if venue is None or (venue["law"] and not venue["live"]["differences"]) else 1


def _trade_on_venue(args: argparse.Namespace, examples: Path) -> dict[str, Any] | None:
    """Both strategies on the simulated exchange; None if that is left out."""
    if args.venue_s <= 0:
        return None
    from veloz.apps.demo_venue import trade_on_venue
    from veloz.net.real import run as run_real  # loads the network libraries

    _tell(args, f"trading both on a simulated exchange for {args.venue_s:g} s, cut twice …")
    folder = args.out.resolve() / "venue"
    return run_real(trade_on_venue(examples, examples / SOURCE, folder, args.venue_s))


def examples_folder() -> Path:
    """Where the example strategies and their data are.

    Raises:
        DataError: Nowhere.
    """
    package = Path(veloz.__file__).resolve().parent
    # Inside an installed package; beside the sources in a checkout.
    for place in (package / "examples", package.parent.parent / "examples"):
        if (place / SOURCE).is_dir():
            return place
    raise DataError(
        "the example strategies and their data are not installed",
        hint="Install veloz from its wheel or run from a checkout.",
    )


def _import(examples: Path, catalogue: Path) -> dict[str, int]:
    """Rows in the catalogue by series, after the example data are in it."""
    from veloz.storage.catalogue import Catalogue
    from veloz.storage.importers.source_rows import Options
    from veloz.storage.importing import import_files

    for name in FILES:
        import_files([examples / SOURCE / name], catalogue, Options(symbol=SYMBOL))
    return {f"{one.kind} of {one.symbol}": one.rows for one in Catalogue(catalogue).series()}


def _shape(
    out: Path, imported: dict[str, int], finished: list[tuple[Act, Run]], seconds: float
) -> dict[str, Any]:
    from veloz.apps.backtest import as_json

    return {
        "out": str(out),
        "catalogue": str(out / CATALOGUE),
        "rows": imported,
        "runs": [as_json(done) for _, done in finished],
        "seconds": round(seconds, 3),
    }


def _text(
    out: Path,
    examples: Path,
    finished: list[tuple[Act, Run]],
    seconds: float,
    venue: dict[str, Any] | None,
) -> str:
    lines = [""]
    for act, done in finished:
        rate = done.counts["rows"] / done.seconds if done.seconds else 0.0
        first = done.summary["equity"]["first"]
        change = done.metrics["total_return"]
        shown = "n/a" if change is None else f"{100 * float(change):+.2f} %"
        lines += [
            f"{done.facts.strategy}: {act.about}",
            f"  {done.counts['rows']:,} rows in {done.seconds:.2f} s ({rate:,.0f} a second), "
            f"{done.counts['orders']:,} orders, {done.fills_count:,} fills",
            f"  equity  {float(first):,.2f} → {done.final_equity:,.2f} "
            f"{done.facts.currency} ({shown})",
            f"  report  {done.folder}/report.html",
            f"  again   {act.command(examples, out)}",
            "",
        ]
    if venue is not None:
        from veloz.apps.demo_venue import text

        lines += [text(venue), ""]
    lines.append(f"done in {seconds:.1f} s; open a report in a browser, it needs no network")
    lines.append(f"data    {out / CATALOGUE}   (veloz data ls --catalog {out / CATALOGUE})")
    lines.append("next:   veloz new my_strategy")
    return "\n".join(lines)


def _tell(args: argparse.Namespace, what: str) -> None:
    print(what, file=sys.stderr if args.json else sys.stdout, flush=True)
