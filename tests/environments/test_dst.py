"""Whole systems from seeds: the same bytes everywhere, and faults that are injected and noticed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from veloz.apps import cli
from veloz.environments.dst import FAULTS, Injector, Moment, Plan, run_seed
from veloz.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def plan(*entries: dict[str, Any]) -> Plan:
    return Plan.read(json.dumps({"plan": list(entries)}), FAULTS)


MIXED = [
    {"fault": "F-A02", "when": {"request": "frame", "nth": 20}},
    {"fault": "F-A03", "when": {"at_ms": 20_000}, "args": {"for_ms": 5_000}},
    {"fault": "F-C02", "when": {"request": "GET /time", "nth": 2}},
    {"fault": "*", "when": {"rate_per_1k_events": 2}, "args": {"only": ["A", "C"]}},
]


def test_two_processes_and_hash_seeds_see_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"plan": MIXED}), encoding="utf-8")
    words = ["dst", "run", "--seeds", "1..10", "--plan", str(path), "--json"]
    shown = set()
    for hash_seed in ("1", "77"):
        ended = subprocess.run(
            [sys.executable, "-m", "veloz.apps.cli", *words],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode in (0, 1), ended.stderr
        shown.add(ended.stdout)
    assert len(shown) == 1
    outcomes = json.loads(shown.pop())["outcomes"]
    assert len({outcome["wire"] for outcome in outcomes}) == 10
    assert len({outcome["disks"] for outcome in outcomes}) > 1  # how often it asked, one a line
    assert all(outcome["injected"]["F-A03"] >= 1 for outcome in outcomes)


@pytest.mark.parametrize(
    ("fault", "when", "args"),
    [
        ("F-A02", {"request": "frame", "nth": 5}, {}),
        ("F-A02", {"at_ms": 30_000}, {}),
        ("F-A03", {"at_ms": 10_000}, {"for_ms": 10_000, "way": "to_client"}),
        ("F-A04", {"request": "frame", "nth": 7}, {}),
        ("F-A09", {"at_ms": 10_000}, {"for_ms": 4_000}),
        ("F-C01", {"request": "GET /time", "nth": 3}, {}),
        ("F-C02", {"request": "GET /time", "nth": 1}, {}),
        ("F-H13", {"at_ms": 15_000}, {}),
        ("F-L01", {"at_ms": 15_000}, {"ppm": 100}),
        ("F-L02", {"at_ms": 15_000}, {"by_ms": -2_000}),
    ],
)
def test_each_fault_is_injected_and_noticed(
    fault: str, when: dict[str, Any], args: dict[str, Any]
) -> None:
    outcome = run_seed("ping-pong", 7, plan({"fault": fault, "when": when, "args": args}))
    assert outcome.problems == ()
    assert outcome.injected == {fault: 1}
    assert outcome.detected[fault] >= 1
    assert outcome.wire != run_seed("ping-pong", 7, Plan()).wire or fault[2] in "HL"


def test_after_faults_of_the_network_the_book_is_the_exchanges() -> None:
    faults = plan(
        {"fault": "F-A02", "when": {"at_ms": 20_000}},
        {"fault": "F-A03", "when": {"at_ms": 30_000}, "args": {"for_ms": 60_000}},
        {"fault": "F-A04", "when": {"events": 500}},
    )
    outcome = run_seed("market-data", 1, faults)
    assert outcome.problems == ()
    assert outcome.injected == {"F-A02": 1, "F-A03": 1, "F-A04": 1}
    assert outcome == run_seed("market-data", 1, faults)
    assert outcome.parcels > 1_000


@pytest.mark.parametrize("fault", ["F-A05", "F-A10"])
def test_refused_dials_are_noticed_after_a_cut(fault: str) -> None:
    outcome = run_seed(
        "ping-pong",
        3,
        plan(
            {"fault": fault, "when": {"at_ms": 10_000}, "args": {"for_ms": 5_000}},
            {"fault": "F-A02", "when": {"at_ms": 11_000}},
        ),
    )
    assert outcome.problems == ()
    assert outcome.detected[fault] >= 2


def test_a_fault_that_did_not_happen_is_a_problem() -> None:
    outcome = run_seed("ping-pong", 1, plan({"fault": "F-C01", "when": {"request": "never.asked"}}))
    assert outcome.problems == ("F-C01 was planned and not injected",)


def test_a_fault_that_nobody_notices_is_a_problem() -> None:
    injector = Injector(Plan(), Random(1), FAULTS)
    injector.injected["F-A03"] += 2
    assert injector.unproven() == ["F-A03 was injected 2 times and never detected"]
    injector.detected["F-A03"] += 1
    assert injector.unproven() == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "the plan: an object"),
        ("{}", "plan: a list"),
        ('{"plan": [], "sed": 1}', "sed: unknown"),
        ('{"plan": [], "seed": -1}', "seed: -1 is not a whole number"),
        ('{"plan": [{"fault": "C02", "when": {"nth": 1}}]}', r"plan\[0\]\.fault: 'C02' is no id"),
        ('{"plan": [{"fault": "F-Z99", "when": {"nth": 1}}]}', "is no id"),
        ('{"plan": [{"fault": "F-N06", "when": {"nth": 1}}]}', "cannot be injected here"),
        ('{"plan": [{"fault": "F-A02"}]}', r"plan\[0\]\.when: an object"),
        ('{"plan": [{"fault": "F-A02", "when": {}}]}', "no predicate"),
        ('{"plan": [{"fault": "F-A02", "when": {"nth": 0}}]}', r"when\.nth: 0 is not"),
        ('{"plan": [{"fault": "F-A02", "when": {"nth": true}}]}', "True is not"),
        ('{"plan": [{"fault": "F-A02", "when": {"nht": 1}}]}', r"when\.nht: unknown"),
        ('{"plan": [{"fault": "*", "when": {"nth": 1}}]}', "needs rate_per_1k_events"),
        ('{"plan": [{"fault": "*", "when": {"rate_per_1k_events": 0}}]}', "not above 0"),
        ('{"plan": [{"fault": "F-A02", "when": {"request": 5}}]}', "is no pattern"),
    ],
)
def test_a_plan_that_is_wrong_says_where(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Plan.read(text, FAULTS)


def test_predicates_hold_together_and_nth_counts_only_their_moments() -> None:
    when = {"request": "order.*", "client_order_id": "a*", "events": 3, "nth": 2}
    injector = Injector(plan({"fault": "F-A02", "when": when}), Random(1), FAULTS)
    moments = [
        Moment(0, "order.place", "a1"),  # too early: the first event
        Moment(0, "order.place", "b1"),
        Moment(0, "order.place", "a2"),  # the first
        Moment(0, "account.status", "a3"),
        Moment(0, "order.cancel", "a4"),  # the second
        Moment(0, "order.cancel", "a5"),  # once only
    ]
    fired = [bool(injector.due(lambda at=moment: at, FAULTS)) for moment in moments]
    assert fired == [False, False, False, False, True, False]


def test_states_and_offsets_are_predicates_too() -> None:
    injector = Injector(
        plan(
            {"fault": "F-A02", "when": {"order_state": "Accepted"}},
            {"fault": "F-A04", "when": {"journal_offset": 100}},
        ),
        Random(1),
        FAULTS,
    )
    assert injector.due(lambda: Moment(0, order_state="New", journal_offset=99), FAULTS) == []
    assert [e.fault for e in injector.due(lambda: Moment(0, order_state="Accepted"), FAULTS)] == [
        "F-A02"
    ]
    assert [e.fault for e in injector.due(lambda: Moment(0, journal_offset=100), FAULTS)] == [
        "F-A04"
    ]


def test_a_rate_is_kept_and_only_some_kinds_are_drawn() -> None:
    injector = Injector(
        plan({"fault": "*", "when": {"rate_per_1k_events": 50}, "args": {"only": ["A"]}}),
        Random(1),
        FAULTS,
    )
    drawn = [
        entry.fault for _ in range(20_000) for entry in injector.due(lambda: Moment(0), FAULTS)
    ]
    assert 850 < len(drawn) < 1_150
    assert {fault[2] for fault in drawn} == {"A"}
    assert len(set(drawn)) > 3


@pytest.mark.parametrize("seeds", ["", "3..1", "x", "1..2..3"])
def test_seeds_that_are_no_range_are_a_usage_error(
    seeds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["dst", "run", "--seeds", seeds]) == 2
    assert "not a range" in capsys.readouterr().err


def test_a_plan_that_is_not_there_is_a_data_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["dst", "run", "--seeds", "1", "--plan", str(tmp_path / "no")]) == 4
    assert "cannot be read" in capsys.readouterr().err
