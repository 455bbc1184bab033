"""A venue's limits: never more than allowed, the urgent first, silence when silence was asked for.

```text
take(weight, priority) ─► silenced? ─► every bucket has room, a reserve for the more urgent kept?
        ▲                     │ yes            │ no
        └──── waits in a queue by priority, then by arrival ◄──┘
headers ─► read()   the venue's own count replaces ours if it is higher
429, 418 ─► silence(until)
```

A bucket is a window that the venue restarts at fixed times of its own clock: a minute of weight,
ten seconds of orders. What it told us in its headers counts more than what we counted (F-F01).
After a 429 or 418 nothing is sent until Retry-After is over, whatever the priority (F-F02).

Source: Binance Spot API, "Limits"; fault catalogue O12.
"""

from __future__ import annotations

import asyncio
import heapq
import json
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING

from veloz._core import Bucket, Leave, Price
from veloz.net.doors import Locked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from veloz.net.doors import Clock, Files

__all__ = ["RESERVED", "Bucket", "Leases", "Limits", "Price", "Priority"]

_NS = 1_000_000_000
_SILENT = "silent_until_ns"
_SILENCE_BYTES = 64
_LOOK_AGAIN_NS = 100_000_000
"""What another process was asked for is heard of so soon; a file is not read for every order."""
_LEASE = 20
"""A lease is so small a part of a limit: few writes of the file, little left unused."""
_NEVER_NS = (1 << 63) - 1
_MOST_UNITS = 1 << 50
"""What a venue says beyond that is no limit."""


class Priority(IntEnum):
    """Who goes first when there is not enough for all (F-F01)."""

    CANCEL = 0
    RESOLVE = 1
    """A query that settles what became of a request."""
    REDUCE = 2
    """An order that can only make a position smaller."""
    ORDER = 3
    DATA = 4


# Of each window so much is left to those who are more urgent, in hundredths.
RESERVED = {
    Priority.CANCEL: 0,
    Priority.RESOLVE: 5,
    Priority.REDUCE: 5,
    Priority.ORDER: 10,
    Priority.DATA: 30,
}


class Limits:
    """The limits of one address or account at one venue.

    Args:
        clock: Its monotonic clock counts, set by the wall clock once, and by `align` (F-L02).
        buckets: All limits.
        leases: Shares them with other processes of this address.

    Attributes:
        refusals: Times that the venue asked for silence.
        leave: Whether something may be asked now, for who asks without a call of ours.
    """

    def __init__(self, clock: Clock, buckets: list[Bucket], leases: Leases | None = None) -> None:
        self.refusals = 0
        self._clock = clock
        self._monotonic_ns = clock.monotonic_ns
        self._buckets = {bucket.name: bucket for bucket in buckets}
        self._leases = leases
        self.leave = Leave(clock.wall_ns() - clock.monotonic_ns())
        if leases is None:
            self.leave.quiet(_NEVER_NS)  # there is nobody else
        self._queue: list[tuple[int, int, dict[str, int], asyncio.Future[None]]] = []
        self._count = 0
        self._pump: asyncio.Task[None] | None = None

    def take_now(self, cost: Mapping[str, int], priority: Priority) -> bool:
        """Takes units if that is possible at once and nobody more urgent waits.

        Args:
            cost: Units by bucket; a bucket that is not named is not touched.
            priority: Of whoever asks.
        """
        return self.take_priced(self.price(cost), priority)

    def price(self, cost: Mapping[str, int]) -> Price:
        """A cost that will be taken many times, looked up once."""
        units = [(self._buckets[name], count) for name, count in cost.items()]
        return Price(units, None if self._leases is None else self._leases.own_share)

    def take_priced(self, price: Price, priority: Priority) -> bool:
        """As `take_now`."""
        if self._queue and self._queue[0][0] <= priority:
            return False
        return self._take(price, priority)

    def has_room(self, price: Price, priority: Priority) -> bool:
        """Whether `take_priced` would take it now, as far as this process alone can say."""
        if self.silent_s > 0 or (self._queue and self._queue[0][0] <= priority):
            return False
        return price.is_there(self._now_ns(), RESERVED[priority])

    async def take(self, cost: Mapping[str, int], priority: Priority) -> float:
        """Waits until the units can be taken, the urgent before the others.

        Returns:
            Seconds waited, so that a strategy can be told of its delay.

        Raises:
            ValueError: More than a whole window allows this priority: it would wait for ever.
        """
        for name, units in cost.items():
            allowed = self._allowed(self._buckets[name], priority)
            if units > allowed:
                raise ValueError(f"{units} of {name} are more than the {allowed} of a window")
        began_ns = self._clock.monotonic_ns()
        if not self.take_now(cost, priority):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._count += 1
            heapq.heappush(self._queue, (priority, self._count, dict(cost), turn))
            self.leave.crowd(len(self._queue))
            if self._pump is None or self._pump.done():
                self._pump = asyncio.get_running_loop().create_task(self._serve())
            await turn
        return (self._clock.monotonic_ns() - began_ns) / _NS

    def read(self, used: Mapping[str, int]) -> None:
        """Takes over the venue's own counts, if they are higher than ours.

        Args:
            used: Units by bucket, as in the headers of an answer of this window.
        """
        for name, units in used.items():
            if name in self._buckets:
                self._roll(self._buckets[name]).told(min(units, _MOST_UNITS))

    def align(self, venue_ns: int) -> None:
        """Sets the windows by the venue's time now, as `ClockOffset.venue_ns` has it."""
        self.leave.align(venue_ns - self._clock.monotonic_ns())

    def change(self, name: str, limit: int) -> None:
        """The venue has changed a limit."""
        self._buckets[name].change(min(max(limit, 0), _MOST_UNITS))

    def silence(self, for_s: float) -> None:
        """The venue asked for silence: a 429 or 418 with its Retry-After. It is never shortened."""
        self.refusals += 1
        until_ns = self._clock.monotonic_ns() + round(for_s * _NS)
        self.leave.silence(until_ns)
        if self._leases is not None:
            with suppress(OSError):  # a full disk: this process at least is silent
                self._leases.silence(for_s)
            self.leave.quiet(self._leases.quiet_until_ns)

    def look_ahead(self) -> None:
        """Looks now at what would have to be looked at soon: an order then need not."""
        if self._leases is not None:
            now_ns = self._clock.monotonic_ns()
            if self._leases.is_due(now_ns + _LOOK_AGAIN_NS // 2):
                self._leases.look(now_ns)
                self.leave.quiet(self._leases.quiet_until_ns)

    @property
    def silent_s(self) -> float:
        """Seconds of silence that are left; 0 if none."""
        left_ns = self.leave.silent_until_ns - self._clock.monotonic_ns()
        shared_s = 0.0
        if self._leases is not None:
            shared_s = self._leases.silent_s()
            self.leave.quiet(self._leases.quiet_until_ns)
        return max(0.0, left_ns / _NS, shared_s)

    def left(self, name: str) -> int:
        """Units of this window that nobody has taken."""
        bucket = self._roll(self._buckets[name])
        return max(0, bucket.limit - bucket.used)

    def _take(self, price: Price, priority: Priority) -> bool:
        # On the way of every order: one look at the clock, and few calls.
        now_ns = self._monotonic_ns()
        taken = self.leave.take(price, now_ns, RESERVED[priority])
        return self._take_asking(price, now_ns, priority) if taken is None else taken

    def _take_asking(self, price: Price, now_ns: int, priority: Priority) -> bool:
        """The same where other processes have a say."""
        leases = self._leases
        if leases is None:
            return False
        is_silent = leases.silent_s() > 0
        self.leave.quiet(leases.quiet_until_ns)
        if is_silent or not price.is_there(now_ns + self.leave.offset_ns, RESERVED[priority]):
            return False
        if price.shared and not leases.take(price.shared):
            return False
        price.charge()
        return True

    @staticmethod
    def _allowed(bucket: Bucket, priority: Priority) -> int:
        return bucket.limit - bucket.limit * RESERVED[priority] // 100

    def _roll(self, bucket: Bucket) -> Bucket:
        """Starts the bucket's window anew if it is over; an old one is never opened again."""
        bucket.roll(self._now_ns())
        return bucket

    def _now_ns(self) -> int:
        """The venue's time: steps of our wall clock do not touch it."""
        return self._clock.monotonic_ns() + self.leave.offset_ns

    async def _serve(self) -> None:
        """Serves the queue until it is empty; the first in it holds up all others."""
        while self._queue:
            priority, _, cost, turn = self._queue[0]
            if turn.done():
                heapq.heappop(self._queue)
            elif self._take(self.price(cost), Priority(priority)):
                heapq.heappop(self._queue)
                turn.set_result(None)
            else:
                await asyncio.sleep(self._soonest_s(cost))
        self.leave.crowd(0)

    def _soonest_s(self, cost: Mapping[str, int]) -> float:
        """When to look again: at the end of the silence or of the next window, at least 1 ms."""
        silent_s = self.silent_s
        if silent_s > 0:
            return max(0.001, min(silent_s, 1.0))
        now_ns = self._now_ns()
        ends = [
            self._buckets[name].window_s * _NS - now_ns % (self._buckets[name].window_s * _NS)
            for name in cost
        ]
        return max(0.001, min([*ends, _NS]) / _NS)


class Leases:
    """Divides an address's limits between the processes of this computer, by a small file.

    Of each window the engine owns a share, for which it asks nobody. The rest is a pool in the
    file, from which every process, the engine too, takes leases of a twentieth of the limit. If the
    file cannot be understood there is no pool: the engine trades on with its share, others wait.

    A silence has a file of its own beside it, so that it outlives whoever was asked for it.

    Args:
        files: Where the file and its lock are.
        path: The file; beside it is a lock of the same name and `.lock`.
        clock: Windows are by the wall clock, which processes of one computer share.
        is_engine: Whether this is the process that trades.
        engine_share: Hundredths of each limit that only the engine may take.

    Attributes:
        quiet_until_ns: Up to then, monotonic, `silent_s` is 0 and need not be asked.
        own_share: Hundredths of each limit that this process may take without a lease.
    """

    def __init__(
        self,
        files: Files,
        path: Path,
        clock: Clock,
        *,
        is_engine: bool,
        engine_share: int = 50,
    ) -> None:
        self._files = files
        self._path = path
        self._lock = path.with_name(path.name + ".lock")
        self._silence = path.with_name(path.name + ".silence")
        self.quiet_until_ns = 0
        self._silent_until_ns = 0
        self._own_silent_until_ns = 0
        self._look_ns = 0
        self._clock = clock
        self.own_share = engine_share if is_engine else 0
        self._share = engine_share

    def take(self, cost: list[tuple[Bucket, int]]) -> bool:
        """Takes units out of this process's leases, leasing more if need be; all or none."""
        share = self.own_share
        missing = [
            (bucket, units - bucket.leased(share))
            for bucket, units in cost
            if units > bucket.leased(share)
        ]
        if missing and not self._lease(missing):
            return False
        for bucket, units in cost:
            bucket.lease(bucket.leased(share) - units)
        return True

    def silence(self, for_s: float) -> None:
        """Tells all processes to be silent, those that start later too."""
        until_ns = self._clock.wall_ns() + round(for_s * _NS)
        self._silent_until_ns = max(until_ns, self._told_silence())
        self._own_silent_until_ns = self._silent_until_ns
        self.quiet_until_ns = 0
        self._write_silence()

    def silent_s(self) -> float:
        """Seconds of silence that any process was asked for; 0 if none."""
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._look_ns:
            self.look(now_ns)
        if not self._silent_until_ns:
            return 0.0
        return max(0.0, (self._silent_until_ns - self._clock.wall_ns()) / _NS)

    def is_due(self, now_ns: int) -> bool:
        """True if `silent_s` would look at the file then."""
        return now_ns >= self._look_ns

    def look(self, now_ns: int) -> None:
        """Hears of the silence that others were asked for; else `silent_s` does, when it must."""
        self._look_ns = now_ns + _LOOK_AGAIN_NS
        told = _figures(self._files, self._silence)
        if told is not None:
            self._silent_until_ns = max(self._own_silent_until_ns, told.get(_SILENT, 0))
        self.quiet_until_ns = 0 if self._silent_until_ns else self._look_ns
        if told == {}:
            with suppress(OSError):  # so that there is room for it when the disk is full
                self._write_silence()

    def _told_silence(self) -> int:
        return (_figures(self._files, self._silence) or {}).get(_SILENT, 0)

    def _write_silence(self) -> None:
        """Replaces the file; on a full disk it is written over in place, which needs no room."""
        state = json.dumps({_SILENT: self._silent_until_ns}).encode().ljust(_SILENCE_BYTES)
        try:
            self._files.write_atomic(self._silence, state)
        except OSError:
            fd = self._files.open_segment(self._silence, 0)
            try:
                self._files.pwrite(fd, state, 0)
                self._files.fdatasync(fd)
            finally:
                self._files.close(fd)

    def _lease(self, missing: list[tuple[Bucket, int]]) -> bool:
        """Takes out of the pool what is missing, or more, so that the next ones need no file."""
        try:
            held = self._files.lock(self._lock)
        except (Locked, OSError):
            return False  # held for a moment, or a full disk: who asked comes again
        try:
            state = self._read()
            if state is None:
                return False
            fresh: dict[str, int] = {}
            grants: list[tuple[Bucket, int]] = []
            for bucket, units in missing:
                used = state.get(_key(bucket), 0)
                pool = bucket.limit - bucket.limit * self._share // 100
                if used + units > pool:
                    return False
                grants.append((bucket, min(max(units, bucket.limit // _LEASE), pool - used)))
            for key, units in state.items():  # windows that are over are left out
                if any(key.startswith(f"{b.name}@{b.window_s}@") for b, _ in grants):
                    continue
                fresh[key] = units
            for bucket, units in grants:
                fresh[_key(bucket)] = state.get(_key(bucket), 0) + units
            try:
                self._files.write_atomic(self._path, json.dumps(fresh).encode())
            except OSError:
                return False  # no room to write down a lease: there is no pool (F-H12)
            for bucket, units in grants:
                bucket.lease(bucket.leased(self.own_share) + units)
            return True
        finally:
            self._files.close(held)

    def _read(self) -> dict[str, int] | None:
        """The file; empty if there is none yet, None if it cannot be understood."""
        return _figures(self._files, self._path)


def _figures(files: Files, path: Path) -> dict[str, int] | None:
    try:
        found: object = json.loads(files.read(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    items = list(found.items())  # pyright: ignore[reportUnknownArgumentType]
    return {str(key): value for key, value in items if isinstance(value, int)}


def _key(bucket: Bucket) -> str:
    return f"{bucket.name}@{bucket.window_s}@{bucket.window}"
