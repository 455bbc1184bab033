"""The whole system from seeds: no seed may break an oracle, and one seed is one history."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from typing import Any

import pytest
from tests.apps.conftest import checked

from veloz.apps import cli
from veloz.apps.dst_many import in_pairs
from veloz.environments.dst import Outcome, Plan, confluence, run_seed
from veloz.environments.dst.joined import JOINED, split
from veloz.environments.dst.process import Run
from veloz.environments.dst.traders import Dicer
from veloz.environments.trading.port import EnginePort
from veloz.environments.trading.shell import EngineShell
from veloz.environments.trading.upkeep import Upkeep
from veloz.errors import ConfigError

LONG = float(os.environ.get("VELOZ_LONG", "1"))
# The figure of a release: 1,000 seeds of at least 10,000 events; the first 200 of them twice.
SEEDS = max(10, int(1000 * LONG))
PAIRS = max(10, int(200 * LONG))
IN_ONE = 10
EVENTS = 10_000


def check(outcome: Outcome, scenario: str) -> None:
    again = f"veloz dst run --seeds {outcome.seed} --scenario {scenario}"
    assert outcome.problems == (), f"again: {again}"


@pytest.mark.parametrize("seed", range(1, 21))
def test_a_quick_seed_breaks_no_oracle(seed: int) -> None:
    outcome = run_seed("trading", seed)
    check(outcome, "trading")
    assert outcome.parcels > 500  # a seed that the venue silences half of the time has the least
    assert sum(outcome.injected.values()) > 20
    assert set(outcome.oracles) == {f"O{number}" for number in range(1, 17)}
    silent = {name for name, said in outcome.oracles.items() if "not checked" in said}
    assert silent <= {"O7"}  # no recovery, or none to a batch that was seen


@pytest.mark.long
@pytest.mark.parametrize("first", range(1 + PAIRS, 1 + SEEDS, IN_ONE))
def test_no_long_seed_breaks_an_oracle(first: int) -> None:
    for seed in range(first, first + IN_ONE):
        outcome = run_seed("trading-long", seed)
        check(outcome, "trading-long")
        assert outcome.parcels >= EVENTS


@pytest.mark.long
@pytest.mark.parametrize("first", range(1, 1 + PAIRS, IN_ONE))
def test_no_pair_of_long_seeds_differs_or_breaks_an_oracle(first: int) -> None:
    for one, other in in_pairs("trading-long", range(first, first + IN_ONE), None, jobs=1):
        assert one == other, f"again: veloz dst pairs --seeds {one.seed} --scenario trading-long"
        check(one, "trading-long")
        assert one.parcels >= EVENTS


def test_two_processes_and_hash_seeds_have_one_history(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--seeds", "1..2", "--scenario", "trading", "--json"]
    assert cli.main(["dst", "pairs", *words]) == 0
    pairs = checked("dst-pairs", capsys.readouterr().out)
    assert (pairs["pairs"], pairs["equal"], pairs["different"]) == (2, 2, [])
    assert pairs["least_events"] > 1_000
    assert cli.main(["dst", "run", *words, "--jobs", "2"]) == 0
    outcomes = checked("dst-run", capsys.readouterr().out)["outcomes"]
    assert [outcome["seed"] for outcome in outcomes] == [1, 2]
    assert len({outcome["wire"] for outcome in outcomes}) == 2
    assert all(outcome["injected"] for outcome in outcomes)


def test_pairs_that_differ_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (Outcome(7, wire, "d", 9, 1.0, {}, {}, ()) for wire in ("a", "b"))
    monkeypatch.setattr("veloz.apps.dst_many.in_pairs", lambda *_: iter([(one, one), (one, other)]))
    assert cli.main(["dst", "pairs", "--seeds", "7..8", "--scenario", "trading"]) == 1
    said = capsys.readouterr().out
    assert "veloz dst pairs --seeds 7 --scenario trading\n" in said
    assert "1 of 2 pairs are equal; 9 to 9 events a seed\n" in said


def test_a_failing_seed_prints_the_command_that_runs_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome(7, "w", "d", 1, 1.0, {}, {}, ("O1: one is lost",))
    monkeypatch.setattr("veloz.environments.dst.run_seed", lambda *_: outcome)
    assert cli.main(["dst", "run", "--seeds", "7", "--scenario", "trading"]) == 1
    assert "veloz dst run --seeds 7 --scenario trading\n" in capsys.readouterr().out


# The oracles themselves: what they are for, when a rule is taken out.


def without_faults(seed: int = 1) -> Outcome:
    return run_seed("trading", seed, Plan())


def broken(outcome: Outcome) -> set[str]:
    return {problem.split(":")[0] for problem in outcome.problems}


def test_without_faults_every_oracle_holds() -> None:
    outcome = without_faults()
    assert outcome.problems == ()
    assert outcome.injected == {}


def test_requests_that_do_not_wait_for_the_disk_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(self: Any, account: int) -> list[Any]:
        waiting = self.outboxes[account].waiting
        ready = list(waiting)
        waiting.clear()
        return ready

    monkeypatch.setattr(EngineShell, "released", at_once)
    assert "O6" in broken(without_faults())


def test_fills_that_are_dropped_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = EnginePort.user_frame

    def deaf(self: Any, account: int, payload: Any, ts_recv_ns: int) -> int:
        return 0 if b'"TRADE"' in bytes(payload) else whole(self, account, payload, ts_recv_ns)

    monkeypatch.setattr(EnginePort, "user_frame", deaf)
    monkeypatch.setattr(EnginePort, "fills", lambda *_: 0)
    assert {"O1", "O4", "O11"} <= broken(without_faults())


def test_limits_that_are_not_kept_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Run.settings
    monkeypatch.setattr(Run, "settings", lambda *given: replace(whole(*given), limits={}))
    assert "O9" in broken(without_faults())


def test_strategies_that_wait_for_each_other_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, calls = Dicer.turn, itertools.count()

    def slow(self: Dicer) -> None:
        if next(calls) % 5:
            whole(self)  # else it is lost

    monkeypatch.setattr(Dicer, "turn", slow)
    assert "O13" in broken(without_faults())


def test_a_stopped_strategy_of_which_nobody_is_told_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Upkeep, "look_at_faults", lambda _: None)
    assert "O13" in broken(without_faults())


def test_books_that_follow_the_order_of_reports_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = confluence._books

    def forgetful(run: Any, tables: Any, reports: Any) -> Any:
        return whole(run, tables, reports[:-1])  # the last one to come is not taken

    monkeypatch.setattr(confluence, "_books", forgetful)
    assert "O5" in broken(without_faults())


# The plan of all layers.


def test_one_plan_goes_to_the_layers_that_can_do_it() -> None:
    text = json.dumps(
        {
            "plan": [
                {"fault": "F-A02", "when": {"at_ms": 5}},
                {"fault": "F-A02", "when": {"at_ms": 6}, "args": {"layer": "venue"}},
                {"fault": "F-C02", "when": {"request": "order.place", "nth": 1}},
                {"fault": "F-H05", "when": {"nth": 1}},
                {"fault": "*", "when": {"rate_per_1k_events": 1}, "args": {"only": ["B"]}},
            ]
        }
    )
    mine, venues = split(Plan.read(text, JOINED))
    assert [entry.fault for entry in mine.entries] == ["F-A02", "F-H05", "*"]
    assert [row["fault"] for row in venues["plan"]] == ["F-A02", "F-C02", "*"]
    assert venues["plan"][0] == {"fault": "F-A02", "when": {"at_ms": 6}, "args": {}}


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"fault": "F-A02", "when": {"at_ms": 1}, "args": {"layer": "x"}}, "layer 'x' is unknown"),
        ({"fault": "F-H01", "when": {"market": "spot"}}, "known to the venue only"),
    ],
)
def test_a_plan_that_no_layer_can_do_is_refused(entry: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        split(Plan.read(json.dumps({"plan": [entry]}), JOINED))
