"""`veloz report RUN`: the figures and the HTML report of a finished run, made again.

Several runs are compared side by side. The run folder itself stays as it is unless `--out`
points into it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from veloz.errors import DataError

NAME = "report"
OK = 0


def add_parser(subparsers: Any) -> None:
    """Add the verb to the command line.

    Args:
        subparsers: What `ArgumentParser.add_subparsers` returned.
    """
    parser = subparsers.add_parser(
        NAME,
        help="figures and HTML report of a run; several runs are compared",
        description="Print the figures of a run and write its HTML report, or compare runs.",
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder of a run", type=Path)
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="HTML file to write (default: RUN/report.html)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument(
        "--pairing", choices=("average", "fifo"), default="average",
        help="fills into trades: flat to flat at average cost, or lot by lot (default: average)",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print and write the report.

    Returns:
        0.

    Raises:
        DataError: A run cannot be read.
    """
    # Delayed, so that `veloz --help` does not wait for NumPy.
    from veloz.analytics.run_folder import read_run

    try:
        tables = {str(folder): read_run(folder) for folder in args.runs}
        if len(tables) > 1:
            return _compare(args, tables)
        return _report(args, *tables.items())
    except ValueError as problem:
        raise DataError(str(problem)) from problem


def _report(args: argparse.Namespace, named: tuple[str, Any]) -> int:
    from veloz.analytics import render_html, summarise, text_block

    folder, tables = named
    summary = summarise(tables, args.pairing)
    target = args.out or Path(folder) / "report.html"
    _write_whole(target, render_html(tables, summary, args.pairing))
    if args.json:
        print(json.dumps({"report": str(target), "metrics": summary}, allow_nan=False))
    else:
        print(text_block(summary))
        print(f"Report: {target}   (open it in a browser; it needs no network)")
    return OK


def _compare(args: argparse.Namespace, tables: dict[str, Any]) -> int:
    from veloz.analytics import compare, summarise
    from veloz.analytics.report import compare_page

    # The shortest names that still tell the folders apart.
    depth = 1
    while len({Path(name).parts[-depth:] for name in tables}) < len(tables):
        depth += 1
    labels = {name: "/".join(Path(name).parts[-depth:]) for name in tables}
    summaries = {labels[name]: summarise(one, args.pairing) for name, one in tables.items()}
    if args.out:
        _write_whole(args.out, compare_page(summaries))
    if args.json:
        print(json.dumps({"runs": summaries}, allow_nan=False))
    else:
        print(compare(summaries), end="")
    return OK


def _write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        Path(draft).replace(path)
    finally:
        draft.unlink(missing_ok=True)
