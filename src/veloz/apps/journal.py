"""`veloz journal ls|tail|verify`: what a journal holds, how it ends, and whether it is whole.

They only read: a journal that an engine writes at the moment can be looked at as well.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from veloz.errors import DataError, UsageError

_FAILED = 1
_LOOK_S = 0.2


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the arguments of `veloz journal`."""
    parser = verbs.add_parser(
        "journal",
        help="list, follow and check the journal of a run",
        description="List, follow and check the journal of a run. Nothing is changed.",
    )
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    about = {
        "ls": "the segments, what is in them, and snapshots",
        "tail": "the last records",
        "verify": "check every bit; exit code 1 if something is wrong",
    }
    for name, line in about.items():
        sub = what.add_parser(name, help=line, description=f"Show {line}.")
        sub.add_argument("folder", metavar="RUN_OR_FOLDER", type=Path, help="folder of a journal")
        sub.add_argument(
            "--stream", choices=("trading", "market"), default="trading", help="which journal"
        )
        sub.add_argument("--json", action="store_true", help="print one JSON object")
        if name == "tail":
            sub.add_argument("-n", type=int, default=10, metavar="N", help="how many (default 10)")
            sub.add_argument("--record", metavar="NAME", help="only records of this type")
            sub.add_argument(
                "--follow", action="store_true", help="go on with what is written; one a line"
            )


def run(args: argparse.Namespace) -> int:
    """Does what was asked.

    Returns:
        0; of `verify` 1 if the journal is damaged or torn.

    Raises:
        DataError: There is no journal, or it cannot be read.
    """
    from veloz.storage.journal import JournalBroken

    verbs = {"ls": _ls, "tail": _tail, "verify": _verify}
    try:
        return verbs[args.what](args)
    except FileNotFoundError as missing:
        raise DataError(
            f"{args.folder} holds no {args.stream} journal",
            hint="name the folder of a run, or the one that `veloz run` journals to",
        ) from missing
    except JournalBroken as broken:
        raise DataError(str(broken), hint="look with `veloz journal verify`") from broken
    except ValueError as error:
        raise DataError(f"{args.folder}: {error}", hint="use the build that wrote it") from error


def _ls(args: argparse.Namespace) -> int:
    from veloz.storage import journal

    segments, counts = list[dict[str, Any]](), dict[str, int]()
    for path, reader in journal.readers(args.folder, args.stream):
        header, check = reader.header(), reader.check()
        for name in header["records"]:
            rows = len(reader.columns(name)[0][2]) // 8  # the batch's sequence is eight bytes
            counts[name] = counts.get(name, 0) + rows
        segments.append(
            {
                "name": path.name,
                "epoch": header["epoch"],
                "first_sequence": check["first_sequence"],
                "last_sequence": check["last_sequence"],
                "batches": check["batches"],
                "records": check["records"],
                "bytes": reader.whole_bytes(),
                "is_sealed": check["is_sealed"],
            }
        )
    shape: dict[str, Any] = {
        **_names(args),
        "segments": segments,
        "records": {name: count for name, count in counts.items() if count},
        "snapshots": _snapshots(args),
    }
    if args.json:
        print(json.dumps(shape))
        return 0
    print(f"{shape['stream']} journal of {shape['account'] or 'no account'}, {shape['build']}")
    for row in segments:
        end = "sealed" if row["is_sealed"] else "open"
        print(
            f"  {row['name']}  run {row['epoch']}  batches {row['first_sequence']:,} to "
            f"{row['last_sequence']:,}  {row['records']:,} records  {row['bytes']:,} bytes  {end}"
        )
    for name, count in shape["records"].items():
        print(f"  {count:>12,} {name}")
    for row in shape["snapshots"]:
        print(f"  snapshot of batch {row['sequence']:,}  {row['bytes']:,} bytes")
    return 0


def _tail(args: argparse.Namespace) -> int:
    from veloz.storage import journal
    from veloz.storage.journal_cursor import JournalCursor

    if args.n < 0:
        raise UsageError(f"-n {args.n}: say how many records, 0 or more")
    names = journal.header(args.folder, args.stream)["records"]
    if args.record is not None and args.record not in names:
        raise UsageError(f"there is no record {args.record!r}", hint=f"known: {', '.join(names)}")
    rows, after = _last(args)
    if args.json and not args.follow:
        print(json.dumps({**_names(args), "records": [_plain(row) for row in rows]}))
        return 0
    _show(rows, args)
    if not args.follow:
        return 0
    with JournalCursor(args.folder, args.stream, after=after) as cursor:
        while not cursor.is_at_end:
            rows = cursor.read()
            _show(rows, args)
            if not rows and not cursor.is_at_end:
                time.sleep(_LOOK_S)
    return 0


def _verify(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from veloz.storage import journal

    check = journal.verify(args.folder, args.stream)
    if args.json:
        print(json.dumps({**_names(args), **asdict(check), "is_whole": check.is_whole}))
    else:
        end = "closed" if check.is_sealed else "open: still written, or its writer was stopped"
        print(f"{check.batches:,} batches, {check.records:,} records, {end}")
        print(f"chain {check.chain}")
        print(f"trouble: {check.trouble}" if check.trouble else "every bit is as it was written")
    return 0 if check.trouble is None else _FAILED


def _last(args: argparse.Namespace) -> tuple[list[dict[str, Any]], int]:
    """The last records that are wanted, and the last batch of all."""
    from veloz.storage import journal

    found, last = list[dict[str, Any]](), 0
    for _, reader in reversed(list(journal.readers(args.folder, args.stream))):
        check = reader.check()
        last = max(last, check["last_sequence"])
        # Each batch holds a record at least; of one type there may be any number in between.
        behind = max(check["last_sequence"] - args.n, check["first_sequence"] - 1)
        offset = reader.end_of(behind if args.record is None else check["first_sequence"] - 1)
        rows, _ = reader.records(offset, check["batches"])
        found = [row for row in rows if _is_wanted(row, args)] + found
        if len(found) >= args.n:
            break
    return found[max(0, len(found) - args.n) :], last


def _is_wanted(row: dict[str, Any], args: argparse.Namespace) -> bool:
    return args.record in (None, row["record"])


def _show(rows: list[dict[str, Any]], args: argparse.Namespace) -> None:
    for row in rows:
        if not _is_wanted(row, args):
            continue
        plain = _plain(row)
        if args.json:
            print(json.dumps(plain), flush=True)
            continue
        when = datetime.fromtimestamp(row["batch_now_ns"] / 1e9, UTC).isoformat()
        fields = "  ".join(
            f"{name}={value}"
            for name, value in plain.items()
            if name != "record" and not name.startswith("batch_")
        )
        print(f"{row['batch_sequence']:>9}  {when}  {row['record']}  {fields}", flush=True)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A record as JSON has it: text where it is text, hexadecimal where it is not."""
    return {
        name: _text(value) if isinstance(value, bytes) else value for name, value in row.items()
    }


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.hex()


def _names(args: argparse.Namespace) -> dict[str, Any]:
    from veloz.storage import journal

    header = journal.header(args.folder, args.stream)
    return {
        "journal": args.folder.resolve().name,
        "stream": header["stream"],
        "account": header["account"],
        "instance": header["instance"],
        "build": header["build"],
    }


def _snapshots(args: argparse.Namespace) -> list[dict[str, int]]:
    if not args.folder.is_dir():
        return []
    paths = sorted(args.folder.glob(f"{args.stream}-snapshot-*.vs"))
    return [
        {"sequence": int(path.stem.rsplit("-", 1)[1]), "bytes": path.stat().st_size}
        for path in paths
    ]
