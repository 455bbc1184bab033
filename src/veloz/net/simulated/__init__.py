"""The doors under simulation: virtual time, and memory instead of disks and networks."""

from veloz.net.simulated.clock import START_WALL_NS, SimulatedClock
from veloz.net.simulated.disk import Disk, PowerLost
from veloz.net.simulated.link import UNTOUCHED, Fate, Link, Parcel
from veloz.net.simulated.loop import AroundTheDoors, Deadlock, StandsStill, VirtualLoop, run
from veloz.net.simulated.network import Dial, Network, SimulatedSockets
from veloz.net.simulated.requests import SimulatedHttp
from veloz.net.simulated.threads import SimulatedThreads
from veloz.net.simulated.world import Host, World

__all__ = [
    "START_WALL_NS",
    "UNTOUCHED",
    "AroundTheDoors",
    "Deadlock",
    "Dial",
    "Disk",
    "Fate",
    "Host",
    "Link",
    "Network",
    "Parcel",
    "PowerLost",
    "SimulatedClock",
    "SimulatedHttp",
    "SimulatedSockets",
    "SimulatedThreads",
    "StandsStill",
    "VirtualLoop",
    "World",
    "run",
]
