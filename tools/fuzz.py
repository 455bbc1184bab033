"""Feeds damaged input to every parser for some seconds and prints, as JSON, what became of it.

    make fuzz SECONDS=60                      all parsers, the time divided among them
    python tools/fuzz.py --only PATTERN --seed N --seconds S

Each parser runs in a process of its own, so that a crash or a hang of one is its own. A failure
prints the input's beginning, keeps it whole in build/fuzz/, and names the seed that repeats it.
"""

import argparse
import json
import multiprocessing
import secrets
import sys
import tempfile
import time
import traceback
from dataclasses import asdict
from fnmatch import fnmatch
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "build" / "fuzz"
START_S = 60.0
"""A parser may take so long to get ready and to end, besides its share."""


def main() -> int:
    """Returns 0 if every parser stood everything."""
    sys.path.insert(0, str(ROOT))
    from tests.fuzz.catalogue import PARSERS  # after the path is set

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="for all together (60)")
    parser.add_argument("--seed", type=int, help="of the damage; by chance if it is left out")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="such as journal.*")
    args = parser.parse_args()
    names = [name for name in sorted(PARSERS) if fnmatch(name, args.only)]
    if not names:
        print(f"no parser fits {args.only}; there are {', '.join(PARSERS)}", file=sys.stderr)
        return 2
    seed = secrets.randbelow(1 << 32) if args.seed is None else args.seed
    until = time.monotonic() + args.seconds
    rows: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(names):
        share_s = max(0.05, (until - time.monotonic()) / (len(names) - number))
        rows[name] = one(name, seed, share_s)
    failed = sorted(name for name, row in rows.items() if "failure" in row)
    total = sum(row.get("inputs", 0) for row in rows.values())
    print(
        json.dumps({"seed": seed, "inputs": total, "failed": failed, "parsers": rows}, indent=1),
        flush=True,
    )
    for name in failed:
        print(f"{name}: {rows[name]['failure']}", file=sys.stderr)
        print(f"again: python tools/fuzz.py --only {name} --seed {seed}", file=sys.stderr)
    return 1 if failed else 0


def one(name: str, seed: int, seconds: float) -> dict[str, Any]:
    """One parser in a child process."""
    forks = multiprocessing.get_context("fork")
    ours, theirs = forks.Pipe(duplex=False)
    child = forks.Process(target=work, args=(name, seed, seconds, theirs))
    child.start()
    theirs.close()
    try:
        if not ours.poll(seconds + START_S):
            child.kill()
            return {"failure": f"it hung for {START_S:.0f} s"}
        row: dict[str, Any] = ours.recv()
    except EOFError:
        child.join()
        return {"failure": f"its process died with code {child.exitcode}"}
    child.join()
    return row


def work(name: str, seed: int, seconds: float, out: Connection) -> None:
    """In the child: feeds one parser and reports."""
    from tests.fuzz.catalogue import PARSERS
    from tests.fuzz.parser import Broken, feed

    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            # Getting ready is in the share, unless nothing would be left of it.
            row = asdict(feed(PARSERS[name], Path(folder), seed, rounds=5, seconds=seconds))
        except Broken as broken:
            KEPT.mkdir(parents=True, exist_ok=True)
            kept = KEPT / f"{name}-{seed}.bin"
            kept.write_bytes(broken.data)
            row: dict[str, Any] = {"failure": f"{broken}; whole in {kept.relative_to(ROOT)}"}
            if broken.__cause__ is not None:
                row["trace"] = traceback.format_exception(broken.__cause__)[-3:]
        except Exception as error:
            row = {"failure": f"it could not be made ready: {type(error).__name__}: {error}"}
            row["trace"] = traceback.format_exception(error)[-4:]
    out.send({**row, "seconds": round(time.monotonic() - began, 2)})


if __name__ == "__main__":
    sys.exit(main())
