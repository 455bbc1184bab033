"""One line: a set of streams on one connection at a time, whatever becomes of the connection.

```text
 closed ──► stale, hole ──► back-off ──► new socket ──► subscribed ──► fresh, hole told
 23 h, or serverShutdown ──► successor ──► overlap ──► joined ──► swap ──► old one closed
 a stream is silent ──► subscribed to again     all are silent ──► aborted, as closed
```

The frame callback calls the engine directly. Only while two sockets overlap is a frame parsed here,
to tell whether the other one has delivered it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from veloz.net.doors import ConnectFailed, ConnectionLost
from veloz.venues.binance.capabilities import CAPABILITIES
from veloz.venues.binance.rollover import Overlap, planned_age_s
from veloz.venues.binance.staleness import Arrivals
from veloz.venues.binance.subscriptions import ControlBudget, Subscriptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veloz.net.backoff import Backoff
    from veloz.net.doors import Connection, Doors
    from veloz.venues.binance.hosts import Hosts, StreamKind
    from veloz.venues.venue import FeedInputs

__all__ = ["Line", "LineEvents", "LineTimes"]

_TWIN_WITHIN_NS = 5_000_000_000
_STREAM_PREFIX = len(b'{"stream":"')
_NAME_ENDS = _STREAM_PREFIX + 80
_QUOTE = b'"'


@dataclass(frozen=True, slots=True)
class LineTimes:
    """When a line does things by itself, in seconds.

    Attributes:
        age_s: Age at which a connection is replaced; None draws 23 h to 23.5 h.
        ping_every_s: Between two pings.
        pong_within_s: A pong that takes longer means that the connection is dead.
        quiet_s: How long both sockets are silent before a swap needs no common event.
        overlap_most_s: A successor that has not joined by then is given up.
        audit_every_s: Between two questions for the venue's own list of streams.
    """

    age_s: float | None = None
    ping_every_s: float = 20.0
    pong_within_s: float = 10.0
    quiet_s: float = 10.0
    overlap_most_s: float = 120.0
    audit_every_s: float = 300.0


class LineEvents(Protocol):
    """Who hears of a line's holes."""

    def lost(self, streams: Sequence[str], ts_ns: int) -> None:
        """Events of these streams may be missing from now on."""
        ...

    def restored(self, streams: Sequence[str], lost_ns: int, ts_ns: int) -> None:
        """They come again; what was missed since `lost_ns` can be fetched."""
        ...

    def is_held(self, stream: str, payload: bytes, ts_recv_ns: int) -> bool:
        """Keeps a frame that must wait for history; True if it did."""
        ...

    @property
    def watched(self) -> dict[str, None]:
        """The streams of which `is_held` wants to be asked."""
        ...


class _Socket:
    """One connection of a line: its subscriptions, its pings."""

    def __init__(self, line: Line, streams: Sequence[str], now_ns: int, age_s: float) -> None:
        self._line = line
        self._hear = line.frame
        self.subs = Subscriptions(streams)
        self.control = ControlBudget(CAPABILITIES[line.hosts.market].control_per_s)
        self.connection: Connection | None = None
        self.born_ns = now_ns
        self.heard_ns = now_ns
        self.pinged_ns = now_ns
        self.audited_ns = now_ns
        self.due_ns = now_ns + int(age_s * 1e9)
        self.awaits_pong = False
        self.is_closed = False

    def on_frame(
        self, connection: Connection, payload: bytes | memoryview, ts_recv_ns: int
    ) -> None:
        self.connection = connection
        self._hear(self, payload, ts_recv_ns)

    def on_pong(self, connection: Connection, payload: bytes) -> None:
        del connection, payload
        self.awaits_pong = False

    def on_close(self, connection: Connection, code: int | None, reason: str) -> None:
        del connection
        self.is_closed = True
        self._line.closed(self, code, reason)

    def send(self, message: bytes) -> None:
        if self.connection is not None and not self.is_closed:
            try:
                self.connection.send(message)
            except ConnectionLost:
                return  # on_close says so too; the message counts as unanswered

    def drop(self) -> None:
        if self.connection is not None and not self.is_closed:
            self.connection.abort()

    def close(self) -> None:
        if self.connection is not None and not self.is_closed:
            self.connection.close()


@dataclass(slots=True)
class _Change:
    """One socket taking over from another."""

    old: _Socket
    new: _Socket
    overlap: Overlap
    started_ns: int
    ready_ns: int = 0
    survivor: _Socket | None = None

    def take_duplicates(self) -> int:
        """Duplicates since the last call."""
        count, self.overlap.duplicates = self.overlap.duplicates, 0
        return count


class Line:
    """Carries one set of streams into the engine until cancelled.

    Args:
        hosts: Where to.
        kind: Which path of the stream host.
        doors: Sockets, time and chance.
        engine: Takes the frames.
        feed: The engine's number of the feed.
        events: Who hears of holes.
        pace: Spaces connection attempts.
        times: When things are done.

    Attributes:
        counts: `connects`, `closes`, `rollovers`, `duplicates`, `malformed`, `resubscribed`,
            `silent`, `given_up`: how often each happened.
    """

    def __init__(
        self,
        hosts: Hosts,
        kind: StreamKind,
        doors: Doors,
        engine: FeedInputs,
        feed: int,
        events: LineEvents,
        pace: Backoff,
        *,
        times: LineTimes | None = None,
    ) -> None:
        self.hosts = hosts
        self.kind = kind
        self.arrivals = Arrivals()
        self._last = self.arrivals.last
        self.counts: dict[str, int] = dict.fromkeys(
            (
                "connects",
                "closes",
                "rollovers",
                "duplicates",
                "malformed",
                "resubscribed",
                "silent",
                "given_up",
            ),
            0,
        )
        self._doors = doors
        self._engine = engine
        self._take = engine.frame
        self._monotonic_ns = doors.clock.monotonic_ns
        self._feed = feed
        self._events = events
        self._pace = pace
        self._times = times or LineTimes()
        self._desired: dict[str, None] = {}
        self._names: dict[bytes, str] = {}
        self._current: _Socket | None = None
        self._change: _Change | None = None
        self._is_growing = False
        self._hole: tuple[dict[str, None], int] | None = None
        self._wake = asyncio.Event()

    @property
    def streams(self) -> tuple[str, ...]:
        """What it should carry."""
        return tuple(self._desired)

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """What it should carry and the venue has not confirmed."""
        return tuple(self._desired) if self._current is None else self._current.subs.unconfirmed

    @property
    def refused(self) -> dict[str, str]:
        """Streams that the venue refuses, with its words."""
        return {} if self._current is None else dict(self._current.subs.refused)

    def want(self, streams: Sequence[str]) -> None:
        """Carries these too."""
        self._desired.update(dict.fromkeys(streams))
        self._names.update({name.encode(): name for name in streams})
        for socket in self._sockets():
            socket.subs.want(streams)
        self._wake.set()

    def unwant(self, streams: Sequence[str]) -> None:
        """Carries these no more."""
        for name in streams:
            self._desired.pop(name, None)
            self._names.pop(name.encode(), None)
            self.arrivals.forget(name)
        for socket in self._sockets():
            socket.subs.unwant(streams)
        self._wake.set()

    async def run(self) -> None:
        """Keeps the line up until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    if self._current is None:
                        await self._connect_first()
                    self._look(tasks)
                    await self._pause()
        finally:
            for socket in self._sockets():
                socket.close()

    # The two calls from the sockets' callbacks.

    def frame(self, socket: _Socket, payload: bytes | memoryview, ts_recv_ns: int) -> None:
        """Takes one frame from one of the line's sockets."""
        socket.heard_ns = self._monotonic_ns()
        if self._change is not None:
            self._admit(self._change, socket, (bytes(payload), ts_recv_ns))
        elif socket is self._current:  # and not one that was given up
            whole = payload if type(payload) is bytes else bytes(payload)
            self._deliver(socket, whole, ts_recv_ns)

    def _admit(self, change: _Change, socket: _Socket, frame: tuple[bytes, int]) -> None:
        is_successor = socket is change.new
        admitted = change.overlap.admit(frame, socket.heard_ns, is_successor=is_successor)
        for passed in admitted:
            self._deliver(socket, *passed)
        self.counts["duplicates"] += change.take_duplicates()

    def _deliver(self, socket: _Socket, payload: bytes, ts_recv_ns: int) -> None:
        name = payload[_STREAM_PREFIX : payload.find(_QUOTE, _STREAM_PREFIX, _NAME_ENDS)]
        stream = self._names.get(name)
        if stream is None:
            self._unknown(socket, payload, ts_recv_ns)
            return
        self._last[stream] = socket.heard_ns
        events = self._events
        if stream in events.watched and events.is_held(stream, payload, ts_recv_ns):
            return
        try:
            self._take(self._feed, payload, ts_recv_ns)
        except ValueError:
            self.counts["malformed"] += 1

    def closed(self, socket: _Socket, code: int | None, reason: str) -> None:
        """Hears that one of the line's sockets has ended."""
        del code
        self.counts["closes"] += 1
        change = self._change
        if change is not None and socket is change.old:
            self._release(change)
        if change is not None and socket is change.new and change.survivor is None:
            change.survivor = change.old
        elif change is not None and socket is change.old and change.survivor is None:
            is_open = change.new.connection is not None
            change.survivor = self._current = change.new if is_open else None
            self._change = change if is_open else None
            if not change.overlap.is_ready:
                self._lose(reason)
        elif socket is self._current:
            self._current = self._change = None
            self._lose(reason)
        self._wake.set()

    # Everything else happens on the line's own task.

    def _sockets(self) -> list[_Socket]:
        found = [] if self._current is None else [self._current]
        if self._change is not None:
            found += [s for s in (self._change.old, self._change.new) if s is not self._current]
        return [socket for socket in found if not socket.is_closed]

    async def _connect_first(self) -> None:
        while not self._desired:
            self._wake.clear()
            await self._wake.wait()
        await self._pace.wait()
        socket = await self._open()
        if socket is not None and not socket.is_closed:
            self._current = socket

    async def _open(self) -> _Socket | None:
        age_s = self._times.age_s
        if age_s is None:
            age_s = planned_age_s(self._doors.random)
        now_ns = self._doors.clock.monotonic_ns()
        socket = _Socket(self, tuple(self._desired), now_ns, age_s)
        self.counts["connects"] += 1
        try:
            socket.connection = await self._doors.sockets.connect(
                self.hosts.stream_url(self.kind), socket, proxy=self.hosts.proxy
            )
        except ConnectFailed:
            return None
        return socket

    async def _grow(self, old: _Socket) -> None:
        """Opens the successor of `old` and lets both deliver."""
        try:
            await self._pace.wait()
            if self._current is not old or self._change is not None:
                return
            new = _Socket(self, (), 0, 0.0)
            # tracking begins before the successor can subscribe
            change = self._change = _Change(old, new, Overlap(), self._now())
            opened = await self._open()
            if self._change is not change:
                if opened is not None:  # the old one ended meanwhile: the line starts anew
                    opened.drop()
            elif opened is None or opened.is_closed:
                change.survivor = old
                old.due_ns = self._now() + int(self._times.overlap_most_s * 1e9)
            else:
                change.new = opened
        finally:
            self._is_growing = False
            self._wake.set()

    def _look(self, tasks: asyncio.TaskGroup) -> None:
        """One round: control messages, pings, silence, successor, swap."""
        now_ns = self._now()
        for socket in self._sockets():
            self._speak(socket, now_ns)
            self._probe(socket, now_ns)
        self._judge_change(now_ns)
        current = self._current
        if current is None:
            return
        self._judge_silence(current, now_ns)
        self._mend(current)
        is_due = now_ns >= current.due_ns and self._change is None
        if is_due and not self._is_growing and not current.is_closed:
            self._is_growing = True
            tasks.create_task(self._grow(current))

    def _speak(self, socket: _Socket, now_ns: int) -> None:
        if now_ns - socket.audited_ns >= self._times.audit_every_s * 1e9:
            socket.audited_ns = now_ns
            socket.subs.audit()
        while socket.connection is not None and socket.control.take(now_ns):
            message = socket.subs.next_message(now_ns)
            if message is None:
                return
            socket.send(message)

    def _probe(self, socket: _Socket, now_ns: int) -> None:
        """The transport's watchdog."""
        if socket.connection is None or socket.is_closed:
            return
        since_s = (now_ns - socket.pinged_ns) / 1e9
        if socket.awaits_pong and since_s >= self._times.pong_within_s:
            if socket.heard_ns < socket.pinged_ns:
                self.counts["silent"] += 1
                socket.drop()
                return
            socket.awaits_pong = False  # it spoke: a pong behind a burst is late, not lost
        if since_s >= self._times.ping_every_s:
            socket.pinged_ns, socket.awaits_pong = now_ns, True
            try:
                socket.connection.ping()
            except ConnectionLost:
                return

    def _judge_change(self, now_ns: int) -> None:
        change = self._change
        if change is None:
            return
        if change.survivor is not None:
            self._finish(change, change.survivor, now_ns)
            return
        if change.new.connection is None or change.new.is_closed:
            return
        self._release(change, now_ns - _TWIN_WITHIN_NS)
        if not change.overlap.is_ready and change.new.subs.is_complete:
            change.overlap.ready()
            change.ready_ns = now_ns
        ready_s = (now_ns - change.ready_ns) / 1e9 if change.overlap.is_ready else 0.0
        if change.overlap.is_joined or (change.overlap.is_quiet and ready_s >= self._times.quiet_s):
            self.counts["rollovers"] += 1
            self._current = change.survivor = change.new
            self._pace.succeeded()
            change.started_ns = now_ns
            change.old.close()
        elif now_ns - change.started_ns >= self._times.overlap_most_s * 1e9:
            self.counts["given_up"] += 1
            change.survivor = change.old
            change.old.due_ns = now_ns + int(self._times.overlap_most_s * 1e9)
            change.new.drop()

    def _release(self, change: _Change, older_than_ns: int | None = None) -> None:
        """Delivers what waited for a twin that does not come."""
        for frame in change.overlap.release(older_than_ns=older_than_ns):
            self._deliver(change.new, *frame)

    def _finish(self, change: _Change, survivor: _Socket, now_ns: int) -> None:
        """Tracking ends when the survivor has delivered what the other one had."""
        is_new = survivor is change.new
        other = change.old if is_new else change.new
        is_late = now_ns - change.started_ns >= self._times.overlap_most_s * 1e9
        is_gone = other.is_closed or other.connection is None
        if (is_gone and change.overlap.is_caught_up(is_successor=is_new)) or is_late:
            other.drop()
            self._change = None

    def _judge_silence(self, current: _Socket, now_ns: int) -> None:
        known = current.subs.confirmed
        for name in known:
            if name not in self.arrivals.last:
                self.arrivals.expect(name, now_ns)
        stale, back = self.arrivals.tick(now_ns)
        wall_ns = self._doors.clock.wall_ns()
        if back:
            self._engine.fresh(self._feed, back, wall_ns)
        if not stale:
            return
        self._engine.stale(self._feed, stale, "silent for too long", wall_ns)
        if self.arrivals.is_silent:
            self.counts["silent"] += 1
            current.drop()
        else:
            self.counts["resubscribed"] += len(stale)
            current.subs.again(stale)

    def _mend(self, current: _Socket) -> None:
        """Tells of a hole once all streams are confirmed again."""
        if not current.subs.is_complete:
            return
        if self._change is None:
            self._pace.succeeded()
        if self._hole is None:
            return
        streams, lost_ns = self._hole
        self._hole = None
        wall_ns = self._doors.clock.wall_ns()
        names = [name for name in streams if name in self._desired]
        self._engine.fresh(self._feed, names, wall_ns)
        self._events.restored(names, lost_ns, wall_ns)

    def _lose(self, reason: str) -> None:
        wall_ns = self._doors.clock.wall_ns()
        names = list(self._desired)
        earlier = self._hole
        self._hole = (dict.fromkeys(names), wall_ns if earlier is None else earlier[1])
        for name in names:
            self.arrivals.forget(name)
        self._engine.stale(self._feed, names, reason or "connection lost", wall_ns)
        self._events.lost(names, wall_ns)

    def _unknown(self, socket: _Socket, payload: bytes, ts_recv_ns: int) -> None:
        """A frame that is no event of a wanted stream: an answer, a notice, something new."""
        if b"serverShutdown" in payload[:200]:
            socket.due_ns = 0
        else:
            socket.subs.answered(payload, self._now())
        self._wake.set()
        try:
            self._engine.frame(self._feed, payload, ts_recv_ns)
        except ValueError:
            self.counts["malformed"] += 1

    async def _pause(self) -> None:
        is_busy = self._change is not None or self._hole is not None or bool(self.unconfirmed)
        self._wake.clear()
        try:
            async with asyncio.timeout(0.1 if is_busy else 1.0):
                await self._wake.wait()
        except TimeoutError:
            return

    def _now(self) -> int:
        return self._doors.clock.monotonic_ns()
