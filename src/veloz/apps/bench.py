"""`veloz bench`: how fast this machine is, by the benchmarks of a checkout.

The benchmarks read inputs of hundreds of megabytes that they make first, so a wheel does not hold
them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import veloz
from veloz.errors import UsageError


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the arguments of `veloz bench`."""
    parser = verbs.add_parser(
        "bench",
        help="measure the speed of this machine",
        description="Run the benchmarks of the checkout; words behind -- go to benches/run.py.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("words", nargs="*", help="arguments of benches/run.py, behind --")


def run(args: argparse.Namespace) -> int:
    """Runs `benches/run.py` of the checkout.

    Returns:
        Its exit code.

    Raises:
        UsageError: This is no checkout.
    """
    script = Path(veloz.__file__).resolve().parent.parent.parent / "benches" / "run.py"
    if not script.is_file():
        raise UsageError(
            "the benchmarks are part of the source repository, not of the installed package",
            hint="Clone the repository and run `make bench` in it.",
        )
    words = [*(["--json"] if args.json else []), *args.words]
    command = [sys.executable, script, *words]
    return subprocess.run(command, check=False).returncode  # noqa: S603 - our own program
