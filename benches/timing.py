"""What every bench shares: its arguments, its clock and the one line that it prints.

Only the work is timed: neither imports nor the reading of inputs. `seconds` and `rate` are the
best run, `median_*` the median, `cold_seconds` the first run in the process.
"""

import argparse
import cProfile
import gc
import json
import os
import platform
import pstats
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import veloz._core as core


def can_stay_awake() -> bool:
    """True if the system lets this user keep the processors from sleeping."""
    return os.access("/dev/cpu_dma_latency", os.R_OK | os.W_OK)


def arguments(about: str, *, n: int, runs: int = 3) -> argparse.ArgumentParser:
    """Make the parser that every bench has; a bench may add arguments of its own.

    Args:
        about: One sentence for `--help`.
        n: Default size, in the bench's units.
        runs: Default number of runs.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("data", help="folder with the generated inputs")
    parser.add_argument("--n", type=int, default=n, help="how many units to work on")
    parser.add_argument("--runs", type=int, default=runs, help="how often to repeat")
    parser.add_argument("--profile", action="store_true", help="say where the time went")
    return parser


def seconds_of(work: Callable[[], Any]) -> tuple[float, Any]:
    """Run `work` once; return the seconds it took and what it returned."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def measure(
    one_run: Callable[[], tuple[float, Mapping[str, Any]]], runs: int
) -> tuple[list[float], Mapping[str, Any]]:
    """Repeat `one_run`, which returns its seconds and the fields that check its answer.

    Returns:
        The seconds of all runs in order, and the fields of the last.
    """
    seconds: list[float] = []
    fields: Mapping[str, Any] = {}
    for _ in range(runs):
        gc.collect()
        taken, fields = one_run()
        seconds.append(taken)
    return seconds, fields


def peak_rss_mb() -> float:
    """Return the process's peak resident memory so far, in MiB.

    Linux counts what the starting process held into `ru_maxrss`; its own figure does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return round(int(line.split()[1]) / 1024, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


def emit(
    workload: str, units: str, n: int, seconds: list[float], fields: Mapping[str, Any]
) -> None:
    """Print one JSON line.

    Args:
        workload: The row of the speed table, for example "W4b".
        units: What the rate counts, for example "msgs/s".
        n: How many of them one run works on.
        seconds: Of each run, in order.
        fields: What checks the answer.
    """
    best, median = min(seconds), statistics.median(seconds)
    line = {
        "peer": "veloz",
        "version": core.__version__,
        "workload": workload,
        "units": units,
        "n": n,
        "seconds": round(best, 6),
        "rate": round(n / best, 1),
        "median_seconds": round(median, 6),
        "median_rate": round(n / median, 1),
        "runs": len(seconds),
        "cold_seconds": round(seconds[0], 6),
        "peak_rss_mb": peak_rss_mb(),
        "python": platform.python_version(),
        **fields,
    }
    print(json.dumps(line), flush=True)


def profile(work: Callable[[], Any], lines: int = 12) -> None:
    """Run `work` once under the profiler and print its costliest calls to standard error."""
    profiler = cProfile.Profile()
    profiler.runcall(work)
    pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(lines)
