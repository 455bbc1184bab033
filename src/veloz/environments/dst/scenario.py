"""What is built in a simulated world, and what must be true of it in the end.

```text
seed ─► World ─► Scenario.main(world, injector) ─► problems
           └── NetworkFaults(plan)                    Outcome: hash of every wire and disk
```

A scenario is a function over a world; `SCENARIOS` is the list of them. Two runs of one seed, plan
and build give equal outcomes, whatever the process.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from veloz.environments.dst.damage import DAMAGE, Damager
from veloz.environments.dst.faults import NetworkFaults
from veloz.environments.dst.market_data import MarketData
from veloz.environments.dst.ping_pong import PingPong
from veloz.environments.dst.plan import Injector, Plan
from veloz.environments.dst.trading import Trading, TradingLong
from veloz.net.simulated import World

__all__ = ["SCENARIOS", "Outcome", "Scenario", "run_seed"]


class Scenario(Protocol):
    """A system in a world, and its oracles.

    Attributes:
        faults: What a plan may name.
        detectable: Those that a counter tells.
        oracles: What each oracle of the fault catalogue came to; empty if it asks none of them.
    """

    faults: ClassVar[frozenset[str]]
    detectable: ClassVar[frozenset[str]]
    oracles: dict[str, str]

    @classmethod
    def default_plan(cls, seed: int) -> Plan:
        """The faults, if no plan is given."""
        ...

    @staticmethod
    def split(plan: Plan) -> tuple[Plan, dict[str, Any]]:
        """What the world does of a plan, and what the venue does, in its own form."""
        ...

    async def main(self, world: World, injector: Injector, venue_plan: dict[str, Any]) -> list[str]:
        """Builds the system, lets it live for a while, stops the faults, and judges it.

        Returns:
            One sentence for each thing that must not be; none if all is well.
        """
        ...


SCENARIOS: dict[str, type[Scenario]] = {
    "market-data": MarketData,
    "ping-pong": PingPong,
    "trading": Trading,
    "trading-long": TradingLong,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one seed came to.

    Attributes:
        seed: Of the world.
        wire: SHA-256 over all that crossed the network, with its instants.
        disks: SHA-256 over the files of all hosts.
        parcels: Frames, requests and answers that crossed.
        virtual_s: How long it took in the world.
        injected: Faults by id.
        detected: Faults by id.
        problems: What must not be.
        oracles: What each oracle of the fault catalogue came to.
    """

    seed: int
    wire: str
    disks: str
    parcels: int
    virtual_s: float
    injected: dict[str, int]
    detected: dict[str, int]
    problems: tuple[str, ...]
    oracles: dict[str, str] = field(default_factory=dict[str, str])


def run_seed(scenario: str, seed: int, plan: Plan | None = None) -> Outcome:
    """Runs one scenario in a fresh world.

    Args:
        scenario: A name of `SCENARIOS`.
        seed: Of the world.
        plan: Its faults; None takes the scenario's own.
    """
    kind = SCENARIOS[scenario]
    mine, venues = kind.split(kind.default_plan(seed) if plan is None else plan)
    world = World(seed)
    others = tuple(entry for entry in mine.entries if entry.fault not in DAMAGE)
    injector = Injector(Plan(mine.seed, others), world.dice("faults"), kind.faults)
    NetworkFaults(world, injector)
    Damager(world, injector, mine)
    system = kind()
    try:
        problems = world.run(system.main(world, injector, venues))
    except Exception as error:  # what breaks the world itself is what this seed has found
        problems = [f"the world broke: {error!r}"]
    if plan is not None:
        problems += _unproven(injector, plan, kind.detectable)
    return Outcome(
        seed,
        world.network.digest(),
        _disks(world),
        world.network.crossed,
        world.loop.now_ns / 1e9,
        dict(sorted(injector.injected.items())),
        dict(sorted(injector.detected.items())),
        tuple(problems),
        system.oracles,
    )


def _unproven(injector: Injector, plan: Plan, told: frozenset[str]) -> list[str]:
    """A plan that names a fault wants to see it: injected, and noticed where a counter tells it."""
    rest = [line for line in injector.unproven() if "never detected" in line and line[:5] in told]
    named = {entry.fault for entry in plan.entries if entry.fault != "*"}
    done = {fault for fault, count in injector.injected.items() if count}
    return sorted([*rest, *(f"{fault} was planned and not injected" for fault in named - done)])


def _disks(world: World) -> str:
    digest = hashlib.sha256()
    for host in world.hosts():
        for name, image in host.disk.images():
            digest.update(f"{host.name} {name} {len(image)}\n".encode() + image)
    return digest.hexdigest()
