"""`veloz dst`: whole systems under virtual time, from seeds, with faults on order.

```text
veloz dst run   --seeds 1..1000 --jobs 2     no seed may break an oracle
veloz dst pairs --seeds 1..200  --jobs 2     each seed twice, in two processes: equal to the byte
```

Both print a hash of everything that crossed the wires for each seed. Two runs of one seed, plan and
build print the same; a difference is a fault of VeloZ.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from veloz.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veloz.environments.dst import Outcome, Plan

# The simulation is imported by `run`, so that `veloz dst --help` stays fast.

SCENARIO_NAMES = ("market-data", "ping-pong", "trading", "trading-long")
"""The keys of `SCENARIOS`, known without importing the simulation."""

_FAILED = 1


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the arguments of `veloz dst`."""
    parser = verbs.add_parser(
        "dst",
        help="run a whole system under faults, from seeds",
        description="Deterministic simulation: server, client, network, disks and clocks in one "
        "process under virtual time. One seed is one history, byte for byte.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, what in (
        ("run", "run seeds and print a hash of each"),
        ("pairs", "run each seed twice, in two processes with two hash seeds, and compare"),
    ):
        action = actions.add_parser(name, help=what)
        action.add_argument("--seeds", metavar="A..B", required=True, help="first and last, or one")
        action.add_argument("--plan", metavar="FILE", type=Path, help="faults to inject, JSON")
        action.add_argument(
            "--scenario", choices=SCENARIO_NAMES, default="ping-pong", help="what is run"
        )
        action.add_argument(
            "--jobs", metavar="N", type=int, default=1, help="processes at once; 1 if not given"
        )
        action.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Runs the seeds.

    Returns:
        0 if nothing is wrong with any, 1 otherwise.

    Raises:
        UsageError: The seeds are not a range, or the jobs no number.
        DataError: The plan cannot be read.
        ConfigError: The plan is not one.
        VelozError: A process with seeds of its own ended without a result.
    """
    from veloz.environments.dst import SCENARIOS

    plan = _plan(args.plan, SCENARIOS[args.scenario].faults)
    seeds = _seeds(args.seeds)
    if args.jobs < 1:
        raise UsageError(f"--jobs {args.jobs}: not a number of processes", hint="write 1 or more")
    if args.action == "pairs":
        return _pairs(args, seeds)
    outcomes: list[Outcome] = []
    for outcome in _outcomes(args, seeds, plan):
        outcomes.append(outcome)
        _say(args, _line(outcome))
        for problem in outcome.problems:
            _say(args, f"      {problem}")
        if outcome.problems:
            _say(args, f"      again: {_again(args, outcome.seed)}")
    bad = sum(bool(outcome.problems) for outcome in outcomes)
    if args.json:
        rows = [asdict(outcome) for outcome in sorted(outcomes, key=lambda one: one.seed)]
        shape = {"scenario": args.scenario, "seeds": len(rows), "failed": bad, "outcomes": rows}
        print(json.dumps(shape))
    else:
        events = [outcome.parcels for outcome in outcomes]
        print(f"{len(outcomes)} seeds, {bad} with problems; {_span(events)} events a seed")
    return _FAILED if bad else 0


def _outcomes(args: argparse.Namespace, seeds: range, plan: Plan | None) -> Iterator[Outcome]:
    from veloz.apps.dst_many import in_processes
    from veloz.environments.dst import run_seed

    if args.jobs == 1:
        return (run_seed(args.scenario, seed, plan) for seed in seeds)
    return in_processes(args.scenario, seeds, args.plan, args.jobs)


def _pairs(args: argparse.Namespace, seeds: range) -> int:
    from veloz.apps.dst_many import HASH_SEEDS, in_pairs

    different: list[dict[str, object]] = []
    events: list[int] = []
    for first, second in in_pairs(args.scenario, seeds, args.plan, args.jobs):
        events.append(first.parcels)
        same = first == second
        _say(args, f"{_line(first)}  {'equal' if same else 'DIFFERENT'}")
        if not same:
            _say(args, _line(second))
            _say(args, f"      again: {_again(args, first.seed)}")
            different.append({"seed": first.seed, "outcomes": [asdict(first), asdict(second)]})
    equal = len(seeds) - len(different)
    if args.json:
        shape = {
            "scenario": args.scenario,
            "pairs": len(seeds),
            "equal": equal,
            "hash_seeds": list(HASH_SEEDS),
            "least_events": min(events),
            "different": different,
        }
        print(json.dumps(shape))
    else:
        print(f"{equal} of {len(seeds)} pairs are equal; {_span(events)} events a seed")
    return _FAILED if different else 0


def _say(args: argparse.Namespace, line: str) -> None:
    """One line, at once: a seed may take a while, and many take hours."""
    print(line, file=sys.stderr if args.json else sys.stdout, flush=True)


def _again(args: argparse.Namespace, seed: int) -> str:
    """The one command that runs a seed again."""
    plan = f" --plan {args.plan}" if args.plan else ""
    return f"veloz dst {args.action} --seeds {seed} --scenario {args.scenario}{plan}"


def _seeds(text: str) -> range:
    found = re.fullmatch(r"([0-9]{1,18})(?:\.\.([0-9]{1,18}))?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if last < first:
        raise UsageError(f"--seeds {text}: not a range of seeds", hint="write 1..100, or 7")
    return range(first, last + 1)


def _plan(path: Path | None, known: frozenset[str]) -> Plan | None:
    from veloz.environments.dst import Plan

    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the plan cannot be read: {error}") from error
    return Plan.read(text, known)


def _line(outcome: Outcome) -> str:
    faults = sum(outcome.injected.values())
    return (
        f"seed {outcome.seed:<6} wire {outcome.wire[:16]}  disks {outcome.disks[:16]}  "
        f"{outcome.parcels} parcels  {outcome.virtual_s:.1f} s  {faults} faults"
    )


def _span(events: list[int]) -> str:
    return f"{min(events)} to {max(events)}"
