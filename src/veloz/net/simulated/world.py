"""A whole world from one seed: a loop, a network, and hosts with clocks, disks and dice.

```python
world = World(seed=7)


async def main() -> None:
    doors = world.host("engine").boot()
    ...


world.run(main())
```

Each use of chance has a generator of its own, made from the seed and its name, so that one more
draw in one place moves nothing elsewhere.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, TypeVar, cast

from veloz.net.doors import Doors
from veloz.net.simulated.clock import START_WALL_NS, SimulatedClock
from veloz.net.simulated.disk import Disk, Keep, ProcessFiles
from veloz.net.simulated.loop import VirtualLoop
from veloz.net.simulated.network import Network, SimulatedSockets
from veloz.net.simulated.requests import SimulatedHttp
from veloz.net.simulated.threads import SimulatedThreads

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from veloz.net.doors import Files

__all__ = ["Host", "World"]

T = TypeVar("T")

_Door = ProcessFiles | SimulatedSockets | SimulatedHttp | SimulatedThreads


class World:
    """Everything that a simulated run touches.

    Args:
        seed: Decides every delay and every chance.
        start_wall_ns: True UTC time at the beginning.

    Attributes:
        loop: The virtual loop.
        network: What connects the hosts; its `judge` and `refuse` are the hooks of faults.
    """

    def __init__(self, seed: int, start_wall_ns: int = START_WALL_NS) -> None:
        self.seed = seed
        self.loop = VirtualLoop()
        self.network = Network(self.loop, self.dice("network"))
        self._start_wall_ns = start_wall_ns
        self._hosts: dict[str, Host] = {}

    def dice(self, name: str) -> Random:
        """A generator for one purpose: the same in every run of this seed."""
        return Random(f"{self.seed}/{name}")  # noqa: S311 - chance of a simulation, not a secret

    def host(self, name: str) -> Host:
        """The host of that name; it is made at the first call."""
        if name not in self._hosts:
            self._hosts[name] = Host(self, name, self._start_wall_ns)
        return self._hosts[name]

    def hosts(self) -> list[Host]:
        """All hosts, by name."""
        return [self._hosts[name] for name in sorted(self._hosts)]

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs to the end of `main`, then closes the loop; once per world."""
        try:
            return self.loop.run(main)
        finally:
            self.loop.close()


class Host:
    """A machine: its clock and disk outlive the processes that are booted on it.

    Attributes:
        name: As it appears in parcels.
        clock: Its clocks.
        disk: Its disk.
        boots: Processes that were started here so far.
        ended_ns: When each of those that died did so, by its number.
    """

    def __init__(self, world: World, name: str, start_wall_ns: int) -> None:
        self.name = name
        self.clock = SimulatedClock(world.loop, start_wall_ns)
        self.disk = Disk(world.dice(f"{name}/disk"))
        self.boots = 0
        self.ended_ns: dict[int, int] = {}
        self._world = world
        self._running: tuple[_Door, ...] = ()
        world.network.clocks[name] = self.clock

    def boot(self) -> Doors:
        """Starts a process: fresh doors over the same clock and disk."""
        self.boots += 1
        world = self._world
        world.network.dark.discard(self.name)
        life = f"{self.name}/{self.boots}"
        sockets = SimulatedSockets(world.network, self.name)
        http = SimulatedHttp(world.network, self.name)
        threads = SimulatedThreads(world.loop, world.dice(f"{life}/threads"))
        files = ProcessFiles(self.disk)
        self._running = (files, sockets, http, threads)
        dice = world.dice(f"{life}/random")
        return Doors(self.clock, dice, cast("Files", files), sockets, http, threads)

    def kill(self) -> None:
        """SIGKILL: the process is gone; the kernel closes its sockets and keeps its pages.

        Cancel the process's tasks besides: its doors do nothing any more.
        """
        self._end(silently=False)
        self.disk.crash(keep="everything")

    def lose_power(self, *, keep: Keep = "chance") -> None:
        """The machine is gone: peers hear nothing, and pages that were not synced are at risk."""
        self._end(silently=True)
        self.disk.crash(keep=keep)

    def _end(self, *, silently: bool) -> None:
        self.ended_ns[self.boots] = self._world.loop.now_ns
        for door in self._running:
            door.is_up = False
        self._running = ()
        self._world.network.drop_host(self.name, silently=silently)
