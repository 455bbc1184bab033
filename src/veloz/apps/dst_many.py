"""Seeds of the simulation in processes of their own: on several cores, or twice to compare.

A process is `veloz dst run --json` with a few seeds. Nothing is shared between them but the build,
so what differs between two is what no seed decides: the hashes of texts, addresses, leftovers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, TypeVar

from veloz.environments.dst import Outcome
from veloz.errors import VelozError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["HASH_SEEDS", "in_pairs", "in_processes"]

HASH_SEEDS = ("1", "4242")
"""Hash seeds of the two runs of a pair."""

T = TypeVar("T")

_AT_ONCE = range(2, 11)
"""Seeds of one process: it takes a second to start, and outcomes come when it has ended."""
_FAILED_SEEDS = 1


def in_processes(scenario: str, seeds: range, plan: Path | None, jobs: int) -> Iterator[Outcome]:
    """The outcome of each seed, as they come.

    Args:
        scenario: A name of `SCENARIOS`.
        seeds: Which.
        plan: File of the faults; None takes the scenario's own.
        jobs: Processes at once.

    Raises:
        VelozError: A process ended without a result.
    """
    for outcomes in _spread(seeds, jobs, lambda few: _run(scenario, few, plan, "random")):
        yield from outcomes


def in_pairs(
    scenario: str, seeds: range, plan: Path | None, jobs: int
) -> Iterator[tuple[Outcome, Outcome]]:
    """Each seed's outcomes of two processes with different hash seeds; as `in_processes`."""

    def twice(few: range) -> list[tuple[Outcome, Outcome]]:
        first, second = (_run(scenario, few, plan, seed) for seed in HASH_SEEDS)
        return list(zip(first, second, strict=True))

    for pairs in _spread(seeds, jobs, twice):
        yield from pairs


def _spread(seeds: range, jobs: int, work: Callable[[range], list[T]]) -> Iterator[list[T]]:
    """What `work` gives for a few seeds at a time; at most `jobs` at once."""
    few = _parts(seeds, jobs)
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        waiting: set[Future[list[T]]] = {pool.submit(work, part) for part in few}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for one in done:
                    yield one.result()
        finally:
            for one in waiting:
                one.cancel()


def _parts(seeds: range, jobs: int) -> list[range]:
    """Large parts first, small ones last, so that all jobs end at nearly the same time."""
    parts: list[range] = []
    while seeds:
        size = max(_AT_ONCE[0], min(_AT_ONCE[-1], len(seeds) // (2 * jobs)))
        parts.append(seeds[:size])
        seeds = seeds[size:]
    return parts


def _run(scenario: str, seeds: range, plan: Path | None, hash_seed: str) -> list[Outcome]:
    words = ["dst", "run", "--scenario", scenario, "--seeds", f"{seeds[0]}..{seeds[-1]}", "--json"]
    words += [] if plan is None else ["--plan", str(plan)]
    ended = subprocess.run(  # noqa: S603 - this program itself
        [sys.executable, "-m", "veloz.apps.cli", *words],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    lines = ended.stdout.splitlines()
    if ended.returncode not in {0, _FAILED_SEEDS} or not lines:
        raise VelozError(
            f"the seeds {seeds[0]} to {seeds[-1]} ended with code {ended.returncode} and no "
            f"result: {ended.stderr.strip()[-300:]}",
            hint=f"run veloz {' '.join(words)} to see it happen",
        )
    rows: list[dict[str, Any]] = json.loads(lines[-1])["outcomes"]
    return [_outcome(row) for row in rows]


def _outcome(row: dict[str, Any]) -> Outcome:
    row["problems"] = tuple(row["problems"])
    return Outcome(**row)
