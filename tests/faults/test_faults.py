"""Level T1: each fault alone, on order, into the whole system; then every oracle."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.faults.plans import KNOWN, NO_OCCASION, PLANS, SEED, plan_of
from veloz.environments.dst import Plan, run_seed
from veloz.environments.dst.damage import DAMAGE
from veloz.environments.dst.detection import DETECTORS
from veloz.environments.dst.joined import JOINED

TABLE = Path(__file__).parents[2] / "docs" / "faults.md"
ROOT = Path(__file__).parents[2]
COUNTS = {"A": 10, "B": 10, "C": 12, "D": 12, "E": 10, "F": 9, "G": 5, "H": 18}


def marked(fault: str) -> object:
    marks = [pytest.mark.xfail(reason=KNOWN[fault], strict=True)] if fault in KNOWN else []
    return pytest.param(fault, marks=marks)


@pytest.mark.parametrize("fault", [marked(fault) for fault in sorted(PLANS)])
def test_the_engine_survives(fault: str) -> None:
    plan = Plan.read(json.dumps(plan_of(fault)), JOINED)
    outcome = run_seed("trading", SEED, plan)
    assert outcome.problems == ()
    assert outcome.injected[fault] >= 1
    if fault in DETECTORS:
        assert outcome.detected[fault] >= 1


@pytest.mark.parametrize("fault", sorted(DAMAGE))
def test_a_damaged_answer_to_an_order_is_a_doubt_that_evidence_ends(fault: str) -> None:
    """Every oracle holds: nothing is lost, doubled, sent again, or shown without evidence."""
    row = {"fault": fault, "when": {"request": "answer", "rate_per_1k_events": 60}}
    outcome = run_seed("trading", SEED, Plan.read(json.dumps({"plan": [row]}), JOINED))
    assert outcome.problems == ()
    assert outcome.injected[fault] >= 5
    assert outcome.detected["F-C06"] >= 1  # answers that could not be read, and orders in doubt


def test_no_connection_is_opened_while_the_venue_wants_silence() -> None:
    """Each would count against the limits, and make a ban of what was a warning."""
    cut = {"stream": "api", "layer": "venue"}
    plan: list[dict[str, Any]] = [
        {"fault": "F-F01", "when": {"market": "usdm", "nth": 20}},
        *(
            {"fault": "F-A02", "when": {"at_ms": at}, "args": cut}
            for at in (10_000, 13_000, 16_000)
        ),
    ]
    outcome = run_seed("trading", SEED, Plan.read(json.dumps({"plan": plan}), JOINED))
    assert outcome.problems == ()
    assert outcome.injected["F-F01"] == 1
    assert outcome.injected["F-A02"] >= 1


def rows() -> dict[str, list[str]]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    return {row[0]: row[1:] for row in cells if re.fullmatch(r"F-[A-N]\d\d", row[0])}


def test_every_injector_has_a_plan_or_a_reason() -> None:
    assert set(PLANS) | set(NO_OCCASION) == JOINED
    assert not set(PLANS) & set(NO_OCCASION)
    assert set(KNOWN) <= set(PLANS)


def test_the_table_names_every_fault_of_the_groups_a_to_h() -> None:
    wanted = {f"F-{group}{n:02}" for group, count in COUNTS.items() for n in range(1, count + 1)}
    named = rows()
    assert wanted <= set(named)
    assert all(len(row) == 3 and all(row) for row in named.values())


def test_the_table_the_injectors_and_the_tests_agree() -> None:
    named = rows()
    for fault in PLANS:
        _, injector, test = named[fault]
        assert injector != "—", fault
        assert test.startswith(f"`tests/faults/test_faults.py`, {fault}"), fault
        assert ("not survived yet" in test) is (fault in KNOWN), fault
    for fault, (_, injector, test) in named.items():
        if injector == "—":
            assert fault not in JOINED, fault
            assert test.startswith("comes with"), fault
        for path in re.findall(r"`(tests/[^`]+)`", test):
            assert (ROOT / path).is_file(), path
