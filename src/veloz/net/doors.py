"""The doors: everything the shell of VeloZ may ask of the world, as protocols.

```text
            session, journal, simulated exchange          know these protocols only
                            │
   Clock  random  Files  Sockets  Http  Threads           this module
       │                                  │
   net/real.py                      net/simulated/        sockets and disks, or memory and a
                                                          virtual clock, all from one seed
```

Code above the doors takes a `Doors` value and asks nothing else for time, chance, files, sockets or
threads; `tests/test_doors_lint.py` finds what goes around them. Timers are the running loop's own
(`asyncio.sleep`, `call_later`): under simulation the loop is a virtual one.

What a newcomer gets wrong: a payload is lent. It may be a view into the receive buffer and is valid
during the call of `Listener.on_frame` only; who keeps it copies it with `bytes(payload)`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, ParamSpec, Protocol, TypeVar

from veloz.errors import NotSent, OutcomeUnknown, VelozError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path
    from random import Random

__all__ = [
    "AnswerLost",
    "Clock",
    "ConnectFailed",
    "Connection",
    "ConnectionLost",
    "Doors",
    "Files",
    "Http",
    "HttpRequest",
    "HttpResponse",
    "Listener",
    "Locked",
    "NotSent",
    "OutcomeUnknown",
    "Server",
    "ServerTls",
    "Site",
    "Sockets",
    "Threads",
]

P = ParamSpec("P")
T = TypeVar("T")

FailedAt = Literal["address", "connect", "tls", "proxy", "upgrade", "timeout"]
"""How far an attempt to connect came.

`address` the name was not resolved; `connect` nobody listens, or the network refused; `tls` the
handshake or the certificate; `proxy` the proxy said no; `upgrade` the peer answered the request
for a WebSocket with something else; `timeout` no end within the time given.
"""


class ConnectionLost(VelozError):
    """The connection is closed: nothing was written, and nothing can be."""


class ConnectFailed(VelozError):
    """A WebSocket was not opened.

    Attributes:
        failed_at: How far it came.
        response: What the peer answered instead, if it did: a 429 and its Retry-After are here.
    """

    def __init__(
        self,
        message: str,
        *,
        failed_at: FailedAt,
        response: HttpResponse | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.failed_at = failed_at
        self.response = response


class AnswerLost(OutcomeUnknown):
    """An HTTP request may have left, and no whole answer came; who asked decides what that means.

    Caught as `OutcomeUnknown`. `client_order_id` is empty: a door knows no orders.

    Attributes:
        request: Method and address, without the query, which may hold a signature.
        reason: What ended the wait, for people.
    """

    def __init__(self, request: str, waited_s: float, reason: str) -> None:
        super().__init__("", waited_s)
        self.args = (f"no answer to {request} after {waited_s:.3f} s: {reason}",)
        self.hint = "the request may have been carried out: ask the venue, do not send it again"
        self.request = request
        self.reason = reason


class Locked(VelozError):
    """Another process, or another part of this one, holds the lock."""


class Clock(Protocol):
    """The two clocks of a host. Rules about waiting use the monotonic one (F-L02)."""

    def wall_ns(self) -> int:
        """Nanoseconds since the Unix epoch, UTC. May step back or forward."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds since some moment; never goes back, is not stepped."""
        ...


class Connection(Protocol):
    """One open WebSocket, from either end. All calls are made on the loop's thread."""

    @property
    def name(self) -> int:
        """A number for logs, unique among the connections of one `Sockets`."""
        ...

    @property
    def is_open(self) -> bool:
        """True until either side closes; `send` is refused from then on."""
        ...

    @property
    def buffered(self) -> int:
        """Bytes that were sent here and wait to be written, because the peer reads slowly."""
        ...

    def send(self, payload: bytes) -> None:
        """Writes one text frame at once, or queues what the socket does not take.

        Args:
            payload: UTF-8; the whole message.

        Raises:
            ConnectionLost: The connection is closed; no byte of the frame was written.
        """
        ...

    def rehearse(self) -> None:
        """Goes the way of `send`, with no byte for the peer: a `send` soon after it is quicker.

        It does nothing where there is no such way, and never raises.
        """
        ...

    def ping(self, payload: bytes = b"") -> None:
        """Sends a ping of at most 125 bytes; the answer comes as `Listener.on_pong`.

        Pings of the peer are answered by the door, with their own payload.

        Raises:
            ConnectionLost: The connection is closed.
        """
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Starts the closing handshake; `Listener.on_close` follows. Closing twice is nothing."""
        ...

    def abort(self) -> None:
        """Drops the connection without a word to the peer; `Listener.on_close` follows."""
        ...


class Listener(Protocol):
    """Who hears a connection. Called synchronously on the loop: no queue, no task, no copy.

    An exception that leaves one of these methods closes the connection with code 1011 and goes to
    the loop's exception handler.
    """

    def on_frame(
        self, connection: Connection, payload: bytes | memoryview, ts_recv_ns: int
    ) -> None:
        """Hears one whole message, text or binary, put together from its fragments.

        Args:
            connection: Where it came from.
            payload: The message; valid during this call only.
            ts_recv_ns: The wall clock when its last frame reached the door, ns since the epoch.
        """
        ...

    def on_pong(self, connection: Connection, payload: bytes) -> None:
        """Hears the answer to a ping, with the ping's payload."""
        ...

    def on_close(self, connection: Connection, code: int | None, reason: str) -> None:
        """Hears the end, exactly once; nothing is heard of this connection afterwards.

        Args:
            connection: Which one ended.
            code: The peer's close code; None if the connection ended without one (1006).
            reason: The peer's reason, or what broke; for people.
        """
        ...


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer, whole.

    Attributes:
        status: 100 to 599.
        headers: Names in lower case; of a repeated header the values joined by ", ".
        body: As sent, after transfer and content decoding.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it reached a server.

    Attributes:
        method: In capitals.
        path: From the first slash to the question mark, undecoded.
        query: What follows the question mark, raw: signatures are made over these bytes.
        headers: Names in lower case.
        body: Whole.
        peer: Address of the client, for limits per address.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    peer: str


class Site(Protocol):
    """What is behind a server: answers requests, accepts WebSockets."""

    async def http(self, request: HttpRequest) -> HttpResponse:
        """Answers one request.

        Raises:
            ConnectionLost: On purpose: the server drops the connection without an answer, so that
                the client never learns what became of its request.
        """
        ...

    def accept(self, request: HttpRequest, connection: Connection) -> Listener | HttpResponse:
        """Judges the request for a WebSocket.

        The connection is open from this call on: a frame sent here reaches the client right behind
        the answer to the upgrade.

        Returns:
            The listener that hears the connection, or the answer that refuses it.
        """
        ...


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Certificate chain and key of a server, PEM files."""

    certificate: Path
    key: Path


class Server(Protocol):
    """A site that is being served."""

    @property
    def url_http(self) -> str:
        """Such as `http://127.0.0.1:8080`, without a slash at the end."""
        ...

    @property
    def url_ws(self) -> str:
        """Such as `ws://127.0.0.1:8080`, without a slash at the end."""
        ...

    async def close(self) -> None:
        """Stops listening and drops every connection."""
        ...


class Sockets(Protocol):
    """WebSockets: opens them, and serves them."""

    async def connect(
        self,
        url: str,
        listener: Listener,
        *,
        headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        timeout_s: float = 10.0,
    ) -> Connection:
        """Opens one WebSocket. A redirect is not followed.

        The listener may hear frames before this returns.

        Args:
            url: `ws://` or `wss://`; the certificate of a `wss://` peer is always verified.
            listener: Who hears it.
            headers: Sent with the upgrade.
            proxy: `http://`, `https://`, `socks4://` or `socks5://`, with credentials if it has
                them. The target's name is resolved by the proxy.
            timeout_s: For everything together: name, connect, TLS, upgrade.

        Raises:
            ConnectFailed: It was not opened; `failed_at` says how far it came.
        """
        ...

    async def serve(
        self, site: Site, host: str = "127.0.0.1", port: int = 0, tls: ServerTls | None = None
    ) -> Server:
        """Serves a site over HTTP and WebSockets.

        Args:
            site: Who answers.
            host: Address to listen on.
            port: 0 takes a free one.
            tls: Serves `https://` and `wss://` with this certificate.

        Raises:
            ConfigError: The address is in use or not this host's.
        """
        ...


class Http(Protocol):
    """HTTP requests, one at a time or many at once."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float,
    ) -> HttpResponse:
        """Sends one request, once, and waits for the whole answer.

        Nothing is sent a second time, whatever the method; a redirect is an answer like any other;
        an answer of any status is returned, not raised.

        Args:
            method: In capitals.
            url: `http://` or `https://`, sent as it is: nothing is encoded again.
            headers: Sent as they are.
            body: Sent as it is.
            timeout_s: For everything together.

        Raises:
            NotSent: No byte of the request left: sending again is safe.
            OutcomeUnknown: It may have left, and no whole answer came (`AnswerLost`).
        """
        ...


class Files(Protocol):
    """What journals and small state files need of a disk. Every call may raise `OSError`."""

    def make_folder(self, path: Path) -> None:
        """Makes a folder and its parents; nothing if it is there."""
        ...

    def open_segment(self, path: Path, size: int) -> int:
        """Opens a file for reading and writing, making it if need be.

        Args:
            path: Where; the folder exists. A new file is private to the user.
            size: Bytes reserved on the disk from the file's start; new ones are zero. A longer
                file keeps its length.

        Returns:
            A number for `pwrite`, `pread`, `fdatasync`, `truncate` and `close`. The name of a new
            file is durable when this returns.

        Raises:
            OSError: ENOSPC if the room is not there; then no file is left behind.
        """
        ...

    def pwrite(self, fd: int, data: bytes, offset: int) -> None:
        """Writes all of `data` at `offset`, or raises; part of it may then be in the file."""
        ...

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """At most `size` bytes from `offset`; fewer at the end of the file."""
        ...

    def fdatasync(self, fd: int) -> None:
        """Returns when what was written is durable. After an error trust the file no more."""
        ...

    def truncate(self, fd: int, size: int) -> None:
        """Cuts the file to `size` bytes, or lengthens it by zeros."""
        ...

    def close(self, fd: int) -> None:
        """Closes; does not sync."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Renames within a folder, replacing `target`; durable when it returns."""
        ...

    def remove(self, path: Path) -> None:
        """Removes a file; durable when it returns."""
        ...

    def list(self, folder: Path) -> list[str]:
        """Names in a folder, sorted; empty if there is no such folder."""
        ...

    def size(self, path: Path) -> int:
        """Length of a file in bytes."""
        ...

    def read(self, path: Path) -> bytes:
        """The whole file."""
        ...

    def write_atomic(self, path: Path, data: bytes) -> None:
        """Replaces a file so that after a crash it is the old one or the new one; durable."""
        ...

    def lock(self, path: Path) -> int:
        """Takes the lock of that name, which dies with the process.

        Returns:
            A number for `close`, which gives it back.

        Raises:
            Locked: Somebody holds it.
        """
        ...

    def free_bytes(self, folder: Path) -> int:
        """Room on the disk of that folder, for a user who is not root."""
        ...

    def disk_bytes(self, folder: Path) -> int:
        """Size of the disk of that folder, free or not."""
        ...


class Threads(Protocol):
    """Hands a blocking call to another thread, so that the loop does not wait."""

    def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Starts `fn(*args, **kwargs)` elsewhere; awaiting gives its result or its exception.

        Calls are carried out one after another, in the order in which they were given, also those
        that nobody awaits.
        """
        ...


@dataclass(frozen=True, slots=True)
class Doors:
    """The world, as one value to pass on.

    Attributes:
        clock: Wall clock and monotonic clock.
        random: Chance, for jitter and the like; never for keys. Seeded by who made the doors.
        files: Journals and small state files.
        sockets: WebSockets, as client and as server.
        http: HTTP requests.
        threads: Blocking calls.
    """

    clock: Clock
    random: Random
    files: Files
    sockets: Sockets
    http: Http
    threads: Threads
