"""A network in memory: frames and requests between hosts, with seeded delays and faults on order.

```text
 client host                                        server host
   Link.client ── parcel ─► judge ─► delay, in order ─► Link.server      one Link a WebSocket
   request    ── parcel ─► judge ─► delay           ─► site.http         one Exchange a request
```

Everything that crosses is a `Parcel`, shown to `Network.judge` before it leaves: a fault plan
drops, doubles, delays or changes it, or cuts the connection before, inside or after it. A frame
that was cut inside never reaches a listener, as with a real socket. What crossed, and when, is
hashed into `Network.digest`: two runs of one seed must agree in it.

Source: fault catalogue F-A02 to F-A10, F-C.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from veloz.errors import ConfigError
from veloz.net.doors import ConnectFailed, HttpRequest
from veloz.net.simulated.link import UNTOUCHED, Fate, Link, Parcel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from veloz.net.doors import Connection, FailedAt, Listener, ServerTls, Site
    from veloz.net.simulated.clock import SimulatedClock
    from veloz.net.simulated.loop import VirtualLoop

__all__ = [
    "Dial",
    "Network",
    "SimulatedServer",
    "SimulatedSockets",
    "Unreached",
    "reach",
    "request_of",
    "without_query",
]

_PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}


@dataclass(frozen=True, slots=True)
class Dial:
    """An attempt to reach a server.

    Attributes:
        caller: Host that dials.
        url: Whole address.
        kind: `ws` or `http`.
        number: Counts the dials of the whole network, from 1.
    """

    caller: str
    url: str
    kind: Literal["ws", "http"]
    number: int


class SimulatedServer:
    """A site that hosts of the network can reach under one or several addresses."""

    def __init__(
        self, network: Network, site: Site, host: str, port: int, owner: str, *, tls: bool
    ) -> None:
        self.site = site
        self.owner = owner
        self._network = network
        safe = "s" if tls else ""
        self.url_http = f"http{safe}://{host}:{port}"
        self.url_ws = f"ws{safe}://{host}:{port}"

    async def close(self) -> None:
        """Stops being reachable and drops every connection."""
        self._network.forget(self)


class Network:
    """Who can be reached, what is under way, and what goes wrong.

    Args:
        loop: Whose time passes.
        random: Decides the delays.
        delay_ns: Least and most that one way takes.

    Attributes:
        judge: Looks at each parcel before it leaves and decides its fate; a fault plan's hook.
        refuse: Looks at each dial; returns why it fails, or None. `timeout` fails after the whole
            timeout of the caller, the others after one way.
        links: Open WebSockets, in the order in which they were opened.
        dark: Hosts that have lost their power and were not booted since: nothing answers there.
        crossed: Parcels that were delivered.
        clocks: The wall clock of each host, which stamps what it hears.
        wiretap: Is shown each delivered parcel with its instant, for traces.
    """

    def __init__(
        self, loop: VirtualLoop, random: Random, delay_ns: tuple[int, int] = (200_000, 2_000_000)
    ) -> None:
        self.loop = loop
        self.delay_ns = delay_ns
        self.judge: Callable[[Parcel], Fate] = lambda parcel: UNTOUCHED
        self.refuse: Callable[[Dial], FailedAt | None] = lambda dial: None
        self.links: list[Link] = []
        self.clocks: dict[str, SimulatedClock] = {}
        self.dark: set[str] = set()
        self.crossed = 0
        self.wiretap: Callable[[int, Parcel], None] | None = None
        self._bits = random.getrandbits
        self._sites: dict[tuple[str, int], SimulatedServer] = {}
        self._digest = hashlib.sha256()
        self._dials = 0
        self._names = 0
        self._last_port = 49_151

    def digest(self) -> str:
        """SHA-256, in hex, over everything that crossed: instant, way, kind, bytes."""
        return self._digest.hexdigest()

    def serve(
        self, site: Site, host: str, port: int, *, owner: str, tls: bool = False
    ) -> SimulatedServer:
        """Makes a site reachable. `port` 0 takes the next free one.

        Raises:
            ConfigError: The address is taken.
        """
        if port == 0:
            self._last_port += 1
            port = self._last_port
        if (host, port) in self._sites:
            raise ConfigError(f"{host}:{port} is taken", hint="choose another port, or 0")
        server = SimulatedServer(self, site, host, port, owner, tls=tls)
        self._sites[host, port] = server
        return server

    def alias(self, host: str, port: int, server: SimulatedServer) -> None:
        """Makes a server reachable under one more address, such as a venue's real host name."""
        self._sites[host, port] = server

    def forget(self, server: SimulatedServer) -> None:
        """Takes a server off the network and drops its connections."""
        self._sites = {at: other for at, other in self._sites.items() if other is not server}
        for link in list(self.links):
            if link.server is server:
                link.cut("the server was closed")

    def drop_host(self, host: str, *, silently: bool) -> None:
        """A host is gone: its sockets hear nothing more.

        Args:
            host: Whose.
            silently: True for lost power: the peers hear nothing until the host is booted again and
                resets what it does not know. False for a killed process: its kernel resets the
                connections.
        """
        if silently:
            self.dark.add(host)
        for link in list(self.links):
            link.drop_host(host, silently=silently)

    def one_way_ns(self) -> int:
        """Draws how long one way takes."""
        least, most = self.delay_ns
        width = most - least + 1
        size = width.bit_length()
        drawn = self._bits(size)
        while drawn >= width:  # as `Random.randint` does, in a third of its time
            drawn = self._bits(size)
        return least + drawn

    async def ways(self, count: int) -> None:
        """Waits for so many ways through the network."""
        await asyncio.sleep(sum(self.one_way_ns() for _ in range(count)) / 1e9)

    def next_name(self) -> int:
        """A number for a connection or an exchange of request and answer."""
        self._names += 1
        return self._names

    def next_dial(self, caller: str, url: str, kind: Literal["ws", "http"]) -> Dial:
        """Counts an attempt to reach somebody."""
        self._dials += 1
        return Dial(caller, url, kind, self._dials)

    def find(self, url: str) -> SimulatedServer | None:
        """Who is reached under an address."""
        parts = urlsplit(url)
        return self._sites.get((parts.hostname or "", parts.port or _PORTS[parts.scheme]))

    def note(self, parcel: Parcel) -> None:
        """Writes down that a parcel has arrived."""
        self.crossed += 1
        way = ">" if parcel.to_server else "<"
        line = f"{self.loop.now_ns} {parcel.name} {way} {parcel.kind} {len(parcel.payload)}"
        self._digest.update(f"{line}\n{parcel.head}\n".encode() + parcel.payload)
        if self.wiretap is not None:
            self.wiretap(self.loop.now_ns, parcel)


class SimulatedSockets:
    """The WebSocket door of one host.

    Args:
        network: What it is plugged into.
        host: Its name.
    """

    def __init__(self, network: Network, host: str) -> None:
        self._network = network
        self._host = host
        self.is_up = True

    async def connect(
        self,
        url: str,
        listener: Listener,
        *,
        headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        timeout_s: float = 10.0,
    ) -> Connection:
        """Opens one WebSocket; see `Sockets.connect`. A proxy is passed through unseen."""
        dial = self._network.next_dial(self._host, url, "ws")
        try:
            async with asyncio.timeout(timeout_s):
                return await self._open(dial, listener, headers or {})
        except TimeoutError:
            failed_at: FailedAt = "timeout"
        except Unreached as unreached:
            failed_at = unreached.failed_at
        raise ConnectFailed(
            f"{without_query(url)} was not reached: {failed_at}", failed_at=failed_at
        )

    async def _open(self, dial: Dial, listener: Listener, headers: Mapping[str, str]) -> Connection:
        network = self._network
        server = await reach(network, dial, is_up=self.is_up)
        await network.ways(1)
        link = Link(network, self._host, server.owner, listener)
        link.server = server
        answer, arrives_ns = link.upgrade(
            server.site, request_of("GET", dial.url, headers, b"", self._host)
        )
        try:
            await asyncio.sleep((arrives_ns - network.loop.now_ns) / 1e9)
        except asyncio.CancelledError:
            link.client.abort()
            raise
        if answer is not None:
            raise ConnectFailed(
                f"{without_query(dial.url)} answered {answer.status} to the upgrade",
                failed_at="upgrade",
                response=answer,
            )
        return link.client

    async def serve(
        self, site: Site, host: str = "127.0.0.1", port: int = 0, tls: ServerTls | None = None
    ) -> SimulatedServer:
        """Makes a site reachable; see `Sockets.serve`. Of `tls` only its presence counts."""
        return self._network.serve(site, host, port, owner=self._host, tls=tls is not None)


class Unreached(Exception):
    """Nobody was reached."""

    def __init__(self, failed_at: FailedAt) -> None:
        super().__init__(failed_at)
        self.failed_at: FailedAt = failed_at


async def reach(network: Network, dial: Dial, *, is_up: bool) -> SimulatedServer:
    """Name, TCP and TLS.

    Raises:
        Unreached: As the fault plan or the lack of a server says.
    """
    failed_at = network.refuse(dial)
    server = network.find(dial.url)
    if failed_at == "timeout" or not is_up:
        await network.loop.create_future()
    await network.ways(2)
    if failed_at is not None or server is None:
        raise Unreached(failed_at or "connect")
    return server


def request_of(
    method: str, url: str, headers: Mapping[str, str], body: bytes, peer: str
) -> HttpRequest:
    """A request as the server gets to see it."""
    parts = urlsplit(url)
    lower = {"host": parts.netloc, **{name.lower(): value for name, value in headers.items()}}
    return HttpRequest(method, parts.path or "/", parts.query, lower, body, peer)


def without_query(url: str) -> str:
    """An address that can be shown: a query may hold a signature."""
    return url.split("?", 1)[0]
