"""The WebSocket API connection: requests by number, answers in any order, replaced in time.

```text
 send(frame) ─► current socket ─► answers, events
                     │ 23 h, or serverShutdown
 successor ─► prepared ─► current;   the old one stays until its answers are in, then closes
```

What a newcomer gets wrong: a frame is written to one socket, once. When that socket ends, nothing
of it is written again anywhere: who sent it hears `lost` and has to ask the venue (F-A09).

A connection to the WebSocket API costs weight as requests do, and is refused with the same 429 and
418: none is tried while the venue has asked for silence (F-F01, F-F02).

Source: Binance Spot API "WebSocket API"; USDⓈ-M and COIN-M "WebSocket API General Info".
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from veloz.net.doors import ConnectFailed, ConnectionLost
from veloz.net.limits import Priority
from veloz.venues.binance.rollover import planned_age_s

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from veloz.net.backoff import Backoff
    from veloz.net.doors import Connection, Doors
    from veloz.venues.binance.rest import Budget

__all__ = ["ApiSession", "ApiSocket", "SessionTimes", "SessionUser"]

_CONNECT_WEIGHT = 2


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """When a session does things by itself, in seconds.

    Attributes:
        age_s: Age at which a connection is replaced; None draws 23 h to 23.5 h.
        ping_every_s: Between two pings.
        pong_within_s: A pong that takes longer means that the connection is dead.
        retire_s: How long a replaced connection stays for what is still under way.
    """

    age_s: float | None = None
    ping_every_s: float = 15.0
    pong_within_s: float = 5.0
    retire_s: float = 12.0


class SessionUser(Protocol):
    """Who hears a session."""

    def received(self, socket: ApiSocket, payload: bytes | memoryview, ts_recv_ns: int) -> None:
        """Takes one frame."""
        ...

    def lost(self, socket: ApiSocket, reason: str) -> None:
        """This socket has ended; what was written to it will have no answer."""
        ...


class ApiSocket:
    """One connection of a session.

    Attributes:
        number: Of the socket within its session.
        is_closed: True once it has ended.
    """

    def __init__(self, session: ApiSession, number: int, now_ns: int, age_s: float) -> None:
        self._session = session
        self.number = number
        self.connection: Connection | None = None
        self.heard_ns = self.pinged_ns = now_ns
        self.due_ns = now_ns + int(age_s * 1e9)
        self.retire_ns = 0
        self.awaits_pong = False
        self.is_closed = False

    @property
    def buffered(self) -> int:
        """Bytes that the peer has not taken yet."""
        return 0 if self.connection is None else self.connection.buffered

    def send(self, frame: bytes) -> None:
        """Writes one frame.

        Raises:
            ConnectionLost: Nothing was written.
        """
        if self.connection is None or self.is_closed:
            raise ConnectionLost("the order connection is not open")
        self.connection.send(frame)

    def rehearse(self) -> None:
        """Goes the way of `send` with nothing."""
        if self.connection is not None and not self.is_closed:
            self.connection.rehearse()

    def drop(self) -> None:
        """Ends it without a word."""
        if self.connection is not None and not self.is_closed:
            self.connection.abort()

    def close(self) -> None:
        """Ends it politely."""
        if self.connection is not None and not self.is_closed:
            self.connection.close()

    # Listener

    def on_frame(
        self, connection: Connection, payload: bytes | memoryview, ts_recv_ns: int
    ) -> None:
        """Hears one message."""
        self.connection = connection
        self._session.received(self, payload, ts_recv_ns)

    def on_pong(self, connection: Connection, payload: bytes) -> None:
        """Hears a pong."""
        del connection, payload
        self.awaits_pong = False

    def on_close(self, connection: Connection, code: int | None, reason: str) -> None:
        """Hears the end."""
        del connection, code
        self.is_closed = True
        self._session.closed(self, reason)


class ApiSession:
    """Keeps one connection to an address open until cancelled.

    Args:
        url: Gives the address for the next connection; may ask the venue for it.
        doors: Sockets, time and chance.
        user: Who hears it.
        pace: Spaces connection attempts.
        prepare: Readies a new connection before it is used; False gives it up.
        proxy: Where it goes through.
        times: When things are done.
        budget: What a connection costs weight of; None where it costs none.

    Attributes:
        counts: `connects`, `closes`, `rollovers`, `silent`: how often each happened.
    """

    def __init__(
        self,
        url: Callable[[], Awaitable[str]],
        doors: Doors,
        user: SessionUser,
        pace: Backoff,
        *,
        prepare: Callable[[ApiSocket], Awaitable[bool]] | None = None,
        proxy: str | None = None,
        times: SessionTimes | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.counts: dict[str, int] = dict.fromkeys(
            ("connects", "closes", "rollovers", "silent"), 0
        )
        self._url = url
        self._doors = doors
        self._user = user
        self._pace = pace
        self._prepare = prepare
        self._proxy = proxy
        self._times = times or SessionTimes()
        self._budget = budget
        self._current: ApiSocket | None = None
        self._retiring: list[ApiSocket] = []
        self._opened = 0
        self._is_opening = False
        self._wake = asyncio.Event()

    @property
    def socket(self) -> ApiSocket | None:
        """The connection to write to; None while there is none."""
        current = self._current
        return current if current is not None and not current.is_closed else None

    @property
    def is_overlapping(self) -> bool:
        """True while a second connection is being opened, or a replaced one still delivers."""
        return bool(self._retiring) or self._is_opening

    def replace_now(self) -> None:
        """Opens a successor at once: the present connection is suspected."""
        if self._current is not None:
            self._current.due_ns = 0
            self._wake.set()

    async def run(self) -> None:
        """Keeps the session up until cancelled."""
        try:
            while True:
                now_ns = self._doors.clock.monotonic_ns()
                current = self.socket
                if current is None:
                    await self._pace.wait()
                    if self._budget is not None:  # cancels are to go through it: before all others
                        await self._budget.wait(_CONNECT_WEIGHT, Priority.CANCEL)
                    self._current = await self._open()
                elif now_ns >= current.due_ns:
                    await self._replace(current)
                self._watch(self._doors.clock.monotonic_ns())
                await self._pause()
        finally:
            for socket in [*self._retiring, *([self._current] if self._current else [])]:
                socket.close()

    def received(self, socket: ApiSocket, payload: bytes | memoryview, ts_recv_ns: int) -> None:
        """Hears a frame from one of its sockets."""
        socket.heard_ns = self._doors.clock.monotonic_ns()
        if len(payload) < 200 and b"serverShutdown" in bytes(payload):
            socket.due_ns = 0
            self._wake.set()
            return
        self._user.received(socket, payload, ts_recv_ns)

    def closed(self, socket: ApiSocket, reason: str) -> None:
        """Hears the end of one of its sockets."""
        self.counts["closes"] += 1
        if socket in self._retiring:
            self._retiring.remove(socket)
        self._user.lost(socket, reason or "connection lost")
        self._wake.set()

    async def _open(self) -> ApiSocket | None:
        self._is_opening = True
        try:
            return await self._open_one()
        finally:
            self._is_opening = False

    async def _open_one(self) -> ApiSocket | None:
        age_s = self._times.age_s
        if age_s is None:
            age_s = planned_age_s(self._doors.random)
        self._opened += 1
        self.counts["connects"] += 1
        socket = ApiSocket(self, self._opened, self._doors.clock.monotonic_ns(), age_s)
        try:
            url = await self._url()
            socket.connection = await self._doors.sockets.connect(url, socket, proxy=self._proxy)
        except (ConnectFailed, ConnectionLost) as failed:
            self._observe(failed)
            return None
        if self._prepare is not None and not await self._prepare(socket):
            socket.drop()
            return None
        if socket.is_closed:
            return None
        self._pace.succeeded()
        return socket

    def _may_connect(self) -> bool:
        """Charges a connection, if the limits allow one now."""
        budget = self._budget
        return budget is None or budget.take(_CONNECT_WEIGHT, 0, Priority.CANCEL)

    def _observe(self, failed: ConnectFailed | ConnectionLost) -> None:
        """Tells the limits what a refused upgrade says of them."""
        answer = failed.response if isinstance(failed, ConnectFailed) else None
        if self._budget is not None and answer is not None:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            self._budget.observe(answer.status, headers)

    async def _replace(self, old: ApiSocket) -> None:
        await self._pace.wait()
        new = await self._open() if self._may_connect() else None
        if new is None:
            old.due_ns = self._doors.clock.monotonic_ns() + 5_000_000_000
            return
        self.counts["rollovers"] += 1
        self._current = new
        if not old.is_closed:
            old.retire_ns = self._doors.clock.monotonic_ns() + int(self._times.retire_s * 1e9)
            self._retiring.append(old)

    def _watch(self, now_ns: int) -> None:
        for socket in list(self._retiring):
            if now_ns >= socket.retire_ns:
                socket.close()
                self._retiring.remove(socket)
        current = self.socket
        if current is None or current.connection is None:
            return
        since_s = (now_ns - current.pinged_ns) / 1e9
        if current.awaits_pong and since_s >= self._times.pong_within_s:
            if current.heard_ns < current.pinged_ns:
                self.counts["silent"] += 1
                current.drop()
                return
            current.awaits_pong = False
        if since_s >= self._times.ping_every_s:
            current.pinged_ns, current.awaits_pong = now_ns, True
            try:
                current.connection.ping()
            except ConnectionLost:
                return

    async def _pause(self) -> None:
        if self.socket is None:
            return
        self._wake.clear()
        try:
            async with asyncio.timeout(1.0):
                await self._wake.wait()
        except TimeoutError:
            return
