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
from dataclasses import dataclass
from typing import Protocol

from veloz.environments.dst.faults import FAULTS, NetworkFaults
from veloz.environments.dst.market_data import MarketData
from veloz.environments.dst.ping_pong import PingPong
from veloz.environments.dst.plan import Injector, Plan
from veloz.net.simulated import World

__all__ = ["SCENARIOS", "Outcome", "Scenario", "run_seed"]


class Scenario(Protocol):
    """A system in a world, and its oracles."""

    async def main(self, world: World, injector: Injector) -> list[str]:
        """Builds the system, lets it live for a while, stops the faults, and judges it.

        Returns:
            One sentence for each thing that must not be; none if all is well.
        """
        ...


SCENARIOS: dict[str, type[Scenario]] = {
    "market-data": MarketData,
    "ping-pong": PingPong,
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
    """

    seed: int
    wire: str
    disks: str
    parcels: int
    virtual_s: float
    injected: dict[str, int]
    detected: dict[str, int]
    problems: tuple[str, ...]


def run_seed(scenario: str, seed: int, plan: Plan) -> Outcome:
    """Runs one scenario in a fresh world.

    Args:
        scenario: A name of `SCENARIOS`.
        seed: Of the world.
        plan: Its faults.
    """
    world = World(seed)
    injector = Injector(plan, world.dice("faults"), FAULTS)
    NetworkFaults(world, injector)
    problems = world.run(SCENARIOS[scenario]().main(world, injector))
    problems += injector.unproven()
    return Outcome(
        seed,
        world.network.digest(),
        _disks(world),
        world.network.crossed,
        world.loop.now_ns / 1e9,
        dict(sorted(injector.injected.items())),
        dict(sorted(injector.detected.items())),
        tuple(problems),
    )


def _disks(world: World) -> str:
    digest = hashlib.sha256()
    for host in world.hosts():
        for name, image in host.disk.images():
            digest.update(f"{host.name} {name} {len(image)}\n".encode() + image)
    return digest.hexdigest()
