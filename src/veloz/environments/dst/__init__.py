"""Deterministic simulation: whole systems in one process, under virtual time and faults."""

from veloz.environments.dst.faults import FAULTS, NetworkFaults
from veloz.environments.dst.plan import Entry, Injector, Moment, Plan, When
from veloz.environments.dst.scenario import SCENARIOS, Outcome, Scenario, run_seed

__all__ = [
    "FAULTS",
    "SCENARIOS",
    "Entry",
    "Injector",
    "Moment",
    "NetworkFaults",
    "Outcome",
    "Plan",
    "Scenario",
    "When",
    "run_seed",
]
