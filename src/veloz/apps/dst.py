"""`veloz dst run`: whole systems under virtual time, from seeds, with faults on order.

Prints a hash of everything that crossed the wires for each seed. Two runs of one seed, plan and
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

from veloz.environments.dst import SCENARIOS, Plan, run_seed
from veloz.errors import DataError, UsageError

if TYPE_CHECKING:
    from veloz.environments.dst import Outcome

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
    action = actions.add_parser("run", help="run seeds and print a hash of each")
    action.add_argument("--seeds", metavar="A..B", required=True, help="first and last, or one")
    action.add_argument("--plan", metavar="FILE", type=Path, help="faults to inject, JSON")
    action.add_argument(
        "--scenario", choices=sorted(SCENARIOS), default="ping-pong", help="what is run"
    )
    action.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Runs the seeds.

    Returns:
        0 if nothing is wrong with any, 1 otherwise.

    Raises:
        UsageError: The seeds are not a range.
        DataError: The plan cannot be read.
        ConfigError: The plan is not one.
    """
    plan = _plan(args.plan, SCENARIOS[args.scenario].faults)
    outcomes: list[Outcome] = []
    for seed in _seeds(args.seeds):
        outcome = run_seed(args.scenario, seed, plan)
        outcomes.append(outcome)
        print(_line(outcome), file=sys.stderr if args.json else sys.stdout)
        for problem in outcome.problems:
            print(f"      {problem}", file=sys.stderr if args.json else sys.stdout)
        if outcome.problems:
            again = _again(args, seed)
            print(f"      again: {again}", file=sys.stderr if args.json else sys.stdout)
    bad = sum(bool(outcome.problems) for outcome in outcomes)
    if args.json:
        print(
            json.dumps(
                {
                    "scenario": args.scenario,
                    "seeds": len(outcomes),
                    "failed": bad,
                    "outcomes": [asdict(outcome) for outcome in outcomes],
                }
            )
        )
    else:
        print(f"{len(outcomes)} seeds, {bad} with problems")
    return _FAILED if bad else 0


def _again(args: argparse.Namespace, seed: int) -> str:
    """The one command that runs a seed again."""
    plan = f" --plan {args.plan}" if args.plan else ""
    return f"veloz dst run --seeds {seed} --scenario {args.scenario}{plan}"


def _seeds(text: str) -> range:
    found = re.fullmatch(r"([0-9]{1,18})(?:\.\.([0-9]{1,18}))?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if last < first:
        raise UsageError(f"--seeds {text}: not a range of seeds", hint="write 1..100, or 7")
    return range(first, last + 1)


def _plan(path: Path | None, known: frozenset[str]) -> Plan | None:
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
