"""`veloz data`: market data into the catalogue, and a look at what is there."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veloz.errors import ConfigError

if TYPE_CHECKING:
    from veloz.storage.catalogue import Catalogue
    from veloz.storage.importing import ImportSummary, Progress

# Modules that load DuckDB and NumPy are imported by the verb that needs them, so that
# `veloz --help` stays fast.

DEFAULT_CATALOGUE = "catalog"


def add_parser(subparsers: Any) -> None:
    """Adds `data` and its verbs to a command line."""
    parser = subparsers.add_parser("data", help="import market data, list, check and show it")
    verbs = parser.add_subparsers(dest="data_verb", required=True, metavar="VERB")
    _add_import(verbs)
    listing = _verb(verbs, "ls", "list what the catalogue holds")
    listing.add_argument("symbol", nargs="?", help="only this symbol")
    check = _verb(verbs, "check", "look for defects and print a data passport")
    check.add_argument("symbol", nargs="?", help="only this symbol; all by default")
    check.add_argument("kind", nargs="?", help="only this kind, e.g. trade or bar_1m")
    _add_range(check)
    head = _verb(verbs, "head", "show the first rows")
    head.add_argument("symbol")
    head.add_argument("kind", help="e.g. trade or bar_1m")
    head.add_argument("--rows", type=int, default=10, help="how many (default 10)")
    _add_range(head)
    _add_synth(verbs)


def run(args: argparse.Namespace) -> int:
    """Runs a verb of `veloz data`.

    Returns:
        0; 1 if `check` found errors.

    Raises:
        VelozError: If something cannot be done; the caller prints it and exits with its code.
    """
    verbs: dict[str, Callable[[argparse.Namespace], int]] = {
        "import": _import,
        "ls": _ls,
        "check": _check,
        "head": _head,
        "synth": _synth,
    }
    return verbs[args.data_verb](args)


def _verb(verbs: Any, name: str, help_text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=help_text)
    parser.add_argument(
        "--catalog", default=DEFAULT_CATALOGUE, metavar="DIR",
        help=f"the catalogue's folder (default {DEFAULT_CATALOGUE})",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _add_range(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="start", metavar="TIME", help="first instant, UTC")
    parser.add_argument("--to", dest="end", metavar="TIME", help="last instant, exclusive, UTC")


def _add_import(verbs: Any) -> None:
    parser = _verb(verbs, "import", "import recordings, exchange dumps and tables")
    parser.add_argument("files", nargs="+", metavar="FILE", help="files or folders")
    parser.add_argument("--symbol", help="whose data, e.g. binance:BTC/USDT:USDT")
    parser.add_argument("--kind", help="what the rows are, e.g. trade, quote, mark")
    parser.add_argument("--interval", help="of bars, e.g. 1m")
    parser.add_argument(
        "--column", action="append", default=[], metavar="OURS=THEIRS",
        help="which column is which, e.g. open=Open (repeatable)",
    )  # fmt: skip
    parser.add_argument("--instruments", metavar="FILE", help="units and limits, TOML or JSON")
    parser.add_argument("--time-unit", choices=("s", "ms", "us", "ns"), help="of numeric times")
    parser.add_argument(
        "--utc-offset",
        default="+00:00",
        metavar="+HH:MM",
        help="of times without one (default UTC)",
    )
    parser.add_argument(
        "--clock-floor", default="1ms", metavar="SPAN",
        help="the least latency a message can have (default 1ms)",
    )  # fmt: skip
    parser.add_argument(
        "--feed-latency", default="1ms", metavar="SPAN",
        help="assumed where a source has no receive time (default 1ms)",
    )  # fmt: skip
    parser.add_argument(
        "--trust-clock", action="store_true", help="believe the recorder's clock: correct nothing"
    )
    parser.add_argument("--replace", action="store_true", help="new rows win over stored ones")


def _add_synth(verbs: Any) -> None:
    parser = _verb(verbs, "synth", "make a market with a known process")
    parser.add_argument("--model", required=True, choices=("bars", "trades", "l2"))
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--symbol", help="default synthetic:BTC/USDT")
    parser.add_argument("--start", metavar="TIME", help="first instant (default 2024-01-01)")
    parser.add_argument("--rows", type=int, help="bars, trades or book rows (default 10000)")
    for name in ("price", "tick", "lot", "interval", "feed-latency"):
        parser.add_argument(f"--{name}")
    for name in ("volatility", "drift", "rate", "branching", "decay", "limit-rate", "cancel-rate"):
        parser.add_argument(f"--{name}", type=float)
    parser.add_argument("--levels", type=int)


def _import(args: argparse.Namespace) -> int:
    from veloz.storage.importers.source_rows import Options
    from veloz.storage.importing import import_files
    from veloz.storage.instruments import read_instruments
    from veloz.storage.times import parse_span

    options = Options(
        symbol=args.symbol,
        kind=args.kind,
        interval=args.interval,
        columns=dict(_pair(text) for text in args.column),
        instruments=tuple(read_instruments(Path(args.instruments)) if args.instruments else ()),
        time_unit=args.time_unit,
        utc_offset=_offset(args.utc_offset),
        clock_floor_ns=parse_span(args.clock_floor),
        feed_latency_ns=parse_span(args.feed_latency),
        trust_clock=args.trust_clock,
        replace=args.replace,
    )
    with _progress() as progress:
        summary = import_files(args.files, args.catalog, options, progress)
    if args.json:
        _print_json(summary.to_json())
    else:
        _say(_import_text(summary, args.catalog))
    return 0


def _import_text(summary: ImportSummary, catalogue: str) -> str:
    lines = []
    for imported in summary.files:
        state = "already imported" if imported.already else "imported"
        lines.append(f"{imported.file}: {state} by the {imported.outcome.importer} importer")
        for stored in imported.stored:
            known = f", {stored.already:,} of them known" if stored.already else ""
            lines.append(f"  {stored.symbol}  {stored.kind:<12} {stored.rows:>12,} rows{known}")
        for symbol, origin in imported.instruments.items():
            lines.append(f"  {symbol}  instrument {origin}")
        lines.extend(f"  note: {note}" for note in imported.outcome.notes)
    lines.append(f"next: veloz data check --catalog {catalogue}")
    return "\n".join(lines)


def _ls(args: argparse.Namespace) -> int:
    from veloz.storage.times import format_time

    catalogue = _open(args)
    if args.symbol is not None:
        catalogue.kinds(args.symbol)
    rows = [
        {
            "symbol": index.symbol,
            "kind": index.kind,
            "rows": index.rows,
            "files": len(index.parts),
            "first": format_time(index.parts[0].first),
            "last": format_time(index.parts[-1].last),
            "instrument": catalogue.instrument(index.symbol).origin,
        }
        for index in catalogue.series()
        if args.symbol in (None, index.symbol)
    ]
    if args.json:
        _print_json({"series": rows})
        return 0
    for row in rows:
        _say(
            f"{row['symbol']:<28} {row['kind']:<14} {row['rows']:>13,}  {row['first']:.19} to "
            f"{row['last']:.19}  {row['files']} files, instrument {row['instrument']}"
        )
    return 0


def _check(args: argparse.Namespace) -> int:
    from veloz.storage.passport import as_text, passport

    catalogue = _open(args)
    symbols = [args.symbol] if args.symbol else catalogue.symbols()
    passports = []
    with _progress() as progress:
        for symbol in symbols:
            for kind in [args.kind] if args.kind else catalogue.kinds(symbol):
                progress(f"{symbol} {kind}", 0.0)
                passports.append(passport(catalogue, symbol, kind, args.start, args.end))
                progress(f"{symbol} {kind}", 1.0)
    clean = all(passport["is_clean"] for passport in passports)
    if args.json:
        _print_json({"is_clean": clean, "passports": passports})
    else:
        _say("\n\n".join(as_text(passport) for passport in passports))
    return 0 if clean else 1


def _head(args: argparse.Namespace) -> int:
    from veloz.storage.decimals import text
    from veloz.storage.kinds import MARK_SCALE, RATE_SCALE, kind_named
    from veloz.storage.times import format_time

    if args.rows < 1:
        raise ConfigError(f"--rows {args.rows} shows nothing: give 1 or more")
    catalogue = _open(args)
    kind, instrument = kind_named(args.kind), catalogue.instrument(args.symbol)
    piece = next(
        catalogue.iter_columns(args.symbol, args.kind, args.start, args.end, rows=args.rows)
    )

    def shown(name: str, value: int) -> str | int:
        if name.startswith("ts_") or name == "next_funding_ns":
            return format_time(value) if value else "-"
        if name in kind.prices:
            return text(value, instrument.price_scale)
        if name in kind.qtys:
            return text(value, instrument.qty_scale)
        if name in ("rate", "funding_rate"):
            return text(value, RATE_SCALE)
        return text(value, MARK_SCALE) if name in ("mark", "index", "settle") else value

    columns = {name: [shown(name, int(v)) for v in column] for name, column in piece.items()}
    rows = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    if args.json:
        _print_json({"symbol": args.symbol, "kind": args.kind, "rows": rows})
        return 0
    widths = {
        name: max(len(name), *(len(str(v)) for v in column)) for name, column in columns.items()
    }
    _say("  ".join(name.rjust(width) for name, width in widths.items()))
    for row in rows:
        _say("  ".join(str(row[name]).rjust(width) for name, width in widths.items()))
    return 0


def _synth(args: argparse.Namespace) -> int:
    from veloz.storage.synthetic import Synthetic, synthesize

    names = Synthetic.__dataclass_fields__
    given = {n: v for n, v in vars(args).items() if n in names and v is not None}
    stored = synthesize(Synthetic(**given), args.catalog)
    if args.json:
        _print_json({"stored": [asdict(row) for row in stored]})
        return 0
    for row in stored:
        _say(f"{row.symbol}  {row.kind}  {row.rows:,} rows, seed {args.seed}")
    _say(f"next: veloz data ls --catalog {args.catalog}")
    return 0


def _open(args: argparse.Namespace) -> Catalogue:
    from veloz.storage.catalogue import Catalogue

    return Catalogue(args.catalog)


def _pair(text: str) -> tuple[str, str]:
    ours, separator, theirs = text.partition("=")
    if not separator or not ours or not theirs:
        raise ConfigError(f"--column {text!r} is not OURS=THEIRS, e.g. --column open=Open")
    return ours, theirs


def _offset(text: str) -> str:
    sign, rest = text[:1], text[1:]
    hours, _, minutes = rest.partition(":")
    if sign not in "+-" or not hours.isdigit() or not minutes.isdigit() or int(hours) > 15:
        raise ConfigError(f"--utc-offset {text!r} is not +HH:MM, e.g. +08:00")
    return f"{sign}{int(hours):02d}:{int(minutes):02d}"


@contextmanager
def _progress() -> Generator[Progress]:
    """A progress bar on a terminal; silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _name, _part: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(name: str, part: float) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=1.0)
            bars.update(tasks[name], completed=part)

        yield show


def _print_json(value: dict[str, Any]) -> None:
    _say(json.dumps(value, ensure_ascii=False))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
