"""One WebSocket of the network in memory: two ends, two ways, and what can be done to them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal, NamedTuple

from veloz.net.doors import ConnectionLost, HttpResponse

if TYPE_CHECKING:
    from veloz.net.doors import HttpRequest, Listener, Site
    from veloz.net.simulated.network import Network, SimulatedServer

__all__ = ["UNTOUCHED", "End", "Fate", "Link", "Parcel"]

_CLOSING_S = 10.0
"""How long an end waits for the answer to its close, as the real doors do."""

_HEADER_BYTES = 14
"""The most that a frame's header takes; counted as buffered with each frame."""

Kind = Literal["text", "ping", "pong", "close", "request", "response"]


class Parcel(NamedTuple):
    """Something that crosses the network.

    Attributes:
        name: Of its connection, or of its exchange of request and answer.
        kind: What it is.
        payload: Its bytes; of a request or an answer the body.
        number: Counts those of its connection, way and kind, from 1.
        to_server: Which way.
        sender: Host.
        receiver: Host.
        head: Of a request its method, path, query and headers; of an answer status and headers.
    """

    name: int
    kind: Kind
    payload: bytes
    number: int
    to_server: bool
    sender: str
    receiver: str
    head: str = ""


class Fate(NamedTuple):
    """What becomes of a parcel.

    Attributes:
        copies: 0 loses it, 2 delivers it twice.
        delay_ns: On top of the network's own delay; those behind it wait too.
        overtaken: True if those behind it do not wait: a venue that sent it late.
        cut: Ends the connection before it, inside it (it does not arrive), or after it.
        payload: Arrives instead.
    """

    copies: int = 1
    delay_ns: int = 0
    overtaken: bool = False
    cut: Literal["before", "inside", "after"] | None = None
    payload: bytes | None = None


UNTOUCHED = Fate()
"""What becomes of nearly every parcel: it arrives, once, as it was sent."""


class End:
    """One end of a link: a `Connection`."""

    def __init__(self, link: Link, host: str, *, is_client: bool) -> None:
        self.host = host
        self.is_client = is_client
        self.listener: Listener | None = None
        self.is_open = True
        self.is_gone = False
        self.is_stalled = False
        self.is_deaf = False
        self._link = link
        self._waiting: deque[tuple[Kind, bytes]] = deque()
        self._counts: dict[Kind, int] = {}
        self._free_ns = 0
        self._heard_end = False
        self._is_refused = False

    @property
    def name(self) -> int:
        """The link's number."""
        return self._link.name

    @property
    def buffered(self) -> int:
        """Bytes sent here that the stalled peer has not taken."""
        return sum(len(payload) + _HEADER_BYTES for _, payload in self._waiting)

    def send(self, payload: bytes) -> None:
        """Sends one text frame; see `Connection.send`."""
        self._check()
        self._post("text", bytes(payload))

    def rehearse(self) -> None:
        """Nothing: a send takes no time here; see `Connection.rehearse`."""

    def ping(self, payload: bytes = b"") -> None:
        """Sends a ping; see `Connection.ping`."""
        self._check()
        self._post("ping", bytes(payload))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Starts the closing handshake; see `Connection.close`."""
        if not self.is_open:
            return
        self.is_open = False
        self._post("close", code.to_bytes(2, "big") + reason.encode())
        loop = self._link.network.loop
        loop.call_later(_CLOSING_S, self.end, None, "no answer to the close")

    def abort(self) -> None:
        """Drops the connection; see `Connection.abort`."""
        if self.is_gone:
            return
        loop = self._link.network.loop
        self.is_open = False
        self.is_gone = True
        loop.call_soon(self.end, None, "aborted")
        if not self._link.other(self).is_deaf:
            loop.call_at_ns(
                loop.now_ns + self._link.network.one_way_ns(),
                self._link.other(self).end,
                None,
                "reset by the peer",
            )

    def resume(self) -> None:
        """Takes back a stall: what waited is written now."""
        self.is_stalled = False
        waited, self._waiting = self._waiting, deque()
        for kind, payload in waited:  # a fault may stall it again on the way: then they wait again
            self._post(kind, payload)

    def end(self, code: int | None, reason: str) -> None:
        """Tells the listener, once, that it is over."""
        self.is_open = False
        if self._heard_end:
            return
        self._heard_end = True
        self.is_gone = True
        self._waiting.clear()
        self._link.ended(self)
        if self.listener is not None:
            self.listener.on_close(self, code, reason)

    def not_before(self, at_ns: int) -> None:
        """What is sent here arrives then or later."""
        self._free_ns = at_ns

    def vanish(self) -> None:
        """The host is gone: nobody hears anything here any more."""
        self.is_open = False
        self.is_gone = True
        self._heard_end = True
        self._link.ended(self)

    def _check(self) -> None:
        if not self.is_open:
            raise ConnectionLost(f"connection {self.name} is closed: nothing was written")

    def _post(self, kind: Kind, payload: bytes) -> None:
        """Hands a frame to the network, which may do to it what its fate says."""
        if self.is_stalled:
            self._waiting.append((kind, payload))
            return
        link, network = self._link, self._link.network
        peer = link.other(self)
        self._counts[kind] = number = self._counts.get(kind, 0) + 1
        parcel = Parcel(link.name, kind, payload, number, self.is_client, self.host, peer.host)
        fate = network.judge(parcel)
        if fate is UNTOUCHED:
            self._free_ns = max(network.loop.now_ns + network.one_way_ns(), self._free_ns)
            if peer.is_gone:
                self._refuse(peer)
            else:
                network.loop.call_at_ns(self._free_ns, peer.arrive, parcel)
            return
        if fate.cut == "before":
            link.cut("reset by the peer")
            return
        arrives_ns = network.loop.now_ns + network.one_way_ns() + fate.delay_ns
        if not fate.overtaken:
            self._free_ns = arrives_ns = max(arrives_ns, self._free_ns)
        if fate.cut == "inside":
            network.loop.call_at_ns(arrives_ns, link.cut, "the connection ended inside a frame")
            return
        if fate.payload is not None:
            parcel = parcel._replace(payload=fate.payload)
        for _ in range(fate.copies):
            network.loop.call_at_ns(arrives_ns, peer.arrive, parcel)
        if fate.cut == "after":
            network.loop.call_at_ns(arrives_ns, link.cut, "reset by the peer")

    def _refuse(self, peer: End) -> None:
        """A frame that nobody hears any more: a host that is up resets what it does not know."""
        network = self._link.network
        lost = self._is_refused or self.is_deaf or peer.is_deaf or peer.host in network.dark
        if not lost:
            self._is_refused = True
            back_ns = self._free_ns + network.one_way_ns()
            network.loop.call_at_ns(back_ns, self.end, None, "reset by the peer")

    def arrive(self, parcel: Parcel) -> None:
        """Hears a frame, unless it is deaf or gone."""
        if self.is_gone or self.is_deaf:
            return
        self._link.network.note(parcel)
        if parcel.kind == "text":
            self._hear(parcel.payload)
        elif parcel.kind == "ping":
            if self.is_open:
                self._post("pong", parcel.payload)
        elif parcel.kind == "pong":
            if self.listener is not None:
                self.listener.on_pong(self, parcel.payload)
        elif parcel.kind == "close":
            code, reason = int.from_bytes(parcel.payload[:2], "big"), parcel.payload[2:].decode()
            if self.is_open:
                self.is_open = False
                self._post("close", parcel.payload[:2])
            self.end(code, reason)

    def _hear(self, payload: bytes) -> None:
        """Lends the frame to the listener; a view that was kept is of no use afterwards."""
        if self.listener is None:
            return
        lent = memoryview(payload)
        try:
            self.listener.on_frame(self, lent, self._link.network.clocks[self.host].wall_ns())
        except Exception:
            self.close(1011, "a listener raised")
            raise
        finally:
            lent.release()


class Link:
    """A WebSocket between two hosts, and its faults.

    Attributes:
        name: Its number.
        client: The end that dialled.
        far: The end that accepted.
        server: Where the far end was accepted.
    """

    def __init__(
        self,
        network: Network,
        client_host: str,
        server_host: str,
        listener: Listener,
    ) -> None:
        self.network = network
        self.name = network.next_name()
        self.server: SimulatedServer | None = None
        self.client = End(self, client_host, is_client=True)
        self.far = End(self, server_host, is_client=False)
        self.client.listener = listener

    def upgrade(self, site: Site, request: HttpRequest) -> tuple[HttpResponse | None, int]:
        """Asks the site.

        Returns:
            The answer if it refuses, and the instant at which either is with the client; what the
            site has sent in the meantime comes right behind.
        """
        arrives_ns = self.network.loop.now_ns + self.network.one_way_ns()
        self.far.not_before(arrives_ns)
        self.network.links.append(self)
        answer = site.accept(request, self.far)
        if isinstance(answer, HttpResponse):
            self.network.links.remove(self)
            for end in (self.client, self.far):
                end.vanish()
            return answer, arrives_ns
        self.far.listener = answer
        return None, arrives_ns

    def other(self, end: End) -> End:
        """The opposite end."""
        return self.far if end is self.client else self.client

    def cut(self, reason: str = "reset by the peer") -> None:
        """Resets the connection: both ends hear of it, one way later (F-A02)."""
        for end in (self.client, self.far):
            end.is_open = False
            if not end.is_deaf:
                loop = self.network.loop
                loop.call_at_ns(loop.now_ns + self.network.one_way_ns(), end.end, None, reason)

    def black_hole(self, *, to_client: bool = True, to_server: bool = True) -> None:
        """From now on nothing arrives on these ways, not even the end (F-A03)."""
        self.client.is_deaf = self.client.is_deaf or to_client
        self.far.is_deaf = self.far.is_deaf or to_server

    def stall(self, *, to_client: bool = False, to_server: bool = False) -> None:
        """Readers of these ways stop reading: what is sent waits with the sender (F-A09)."""
        self.far.is_stalled = self.far.is_stalled or to_client
        self.client.is_stalled = self.client.is_stalled or to_server

    def heal(self) -> None:
        """Takes back black holes and stalls; what went into a hole is lost."""
        self.client.is_deaf = self.far.is_deaf = False
        self.client.resume()
        self.far.resume()

    def drop_host(self, host: str, *, silently: bool) -> None:
        """One host of the two is gone; see `Network.drop_host`."""
        for end in (self.client, self.far):
            if end.host == host and not end.is_gone:
                end.vanish()
                if not silently and not self.other(end).is_deaf:
                    loop = self.network.loop
                    loop.call_at_ns(
                        loop.now_ns + self.network.one_way_ns(),
                        self.other(end).end,
                        None,
                        "reset by the peer",
                    )

    def ended(self, end: End) -> None:
        """One end is over; with the second the link is."""
        if self.other(end).is_gone and self in self.network.links:
            self.network.links.remove(self)
