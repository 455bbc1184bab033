"""What the peers' scripts share: arguments, the clock and the line; no VeloZ in their environment.

The line has the fields of ours, so that both stand in one table.
"""

import argparse
import importlib
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any


def need(*modules: str) -> None:
    """Stop with a sentence if a package is not installed."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            sys.exit(f"{module} is not usable here ({error}): pip install {module}")


def arguments(about: str, *, n: int, runs: int) -> argparse.ArgumentParser:
    """The arguments that every script takes."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("data", type=Path)
    parser.add_argument("--n", type=int, default=n)
    parser.add_argument("--runs", type=int, default=runs)
    return parser


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one call, and what it returned."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def emit(
    package: str, workload: str, units: str, n: int, seconds: list[float], **fields: Any
) -> None:
    """Print the line; the first of several runs, which may compile, counts as cold only."""
    warm = seconds[1:] or seconds
    best, median = min(warm), statistics.median(warm)
    print(
        json.dumps(
            {
                "peer": package, "version": version(package), "workload": workload,
                "units": units, "n": n,
                "seconds": round(best, 6), "rate": round(n / best, 1),
                "median_seconds": round(median, 6), "median_rate": round(n / median, 1),
                "runs": len(warm), "cold_seconds": round(seconds[0], 6),
                "python": platform.python_version(), **fields,
            }
        ),
        flush=True,
    )  # fmt: skip
