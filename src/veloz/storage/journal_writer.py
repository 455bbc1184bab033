"""The writer of a live journal: batches in, releases out, and no request before its batch.

```text
engine ─► append(frames, sequence) ─► tail ─► released ─► when_released's callback: the request goes
runtime ─► tend() every second: room for the next segment, alarms
           roll(rest) when `wants_roll`, snapshot(…), close(rest)
```

What a newcomer gets wrong: a failure is not repaired here. After a write or a sync has failed
nobody knows what the disk holds of the file, so the journal is sealed: nothing more is released,
every call raises, and the process starts again by recovery, on a new file.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from veloz.errors import DataError
from veloz.storage.journal_resume import mark_path, read_head, segment_path
from veloz.storage.snapshots import snapshot_bytes, write_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from veloz.net.doors import Files, Threads
    from veloz.storage.journal_resume import Opened
    from veloz.storage.journal_tail import MakeTail, Policy

__all__ = ["JournalSealed", "JournalWriter", "Room", "Trouble"]

_LOW, _VERY_LOW = 0.20, 0.05
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE})


class JournalSealed(DataError):
    """A write or sync of the journal failed: nothing can be written to it any more, for ever."""


@dataclass(frozen=True)
class Room:
    """How much disk a journal takes and leaves.

    Attributes:
        segment_bytes: Size at which a segment is made; it is rolled before it is full.
        reserve_bytes: The end of a segment, which new orders never reach: when no next segment can
            be made, cancels and what the venue reports go here.
    """

    segment_bytes: int = 64 * 1024 * 1024
    reserve_bytes: int = 4 * 1024 * 1024

    def __post_init__(self) -> None:
        if not 0 < self.reserve_bytes <= self.segment_bytes // 2:
            raise ValueError(
                f"a reserve of {self.reserve_bytes} bytes is not within half of a segment of "
                f"{self.segment_bytes}"
            )


@dataclass(frozen=True)
class Trouble:
    """Something about the journal that a person or the runtime must hear of.

    Attributes:
        kind: `sealed`: stop, cancel what can be cancelled, start again. `no_room`: no next segment
            could be made, so only cancels are taken (`takes_orders` is false). `room_again`: it
            could. `disk_low`: less than 20 % of the disk is free; `disk_very_low`: less than 5 %.
        detail: A sentence.
    """

    kind: Literal["sealed", "no_room", "room_again", "disk_low", "disk_very_low"]
    detail: str


class JournalWriter:
    """Writes one stream of a live journal behind what `open_journal` found.

    It is made on the running loop and used on it only.

    Args:
        files: The door of the disk.
        threads: The door to another thread, for what may take long.
        opened: The journal; this process has its lock.
        make_tail: `native_tail` for a real disk, `door_tail(files, threads)` for one in memory.
        policy: `group` releases a batch with the sync that covers it, `fsync` with a sync of its
            own, `os` once it is written: it then survives the process, and not the machine.
        room: Sizes.
        on_trouble: Told once of each trouble, on the loop.

    Attributes:
        sealed: Why nothing can be written any more; None while all is well.
        appended_sequence: The last batch that was written.

    Raises:
        OSError: The first segment could not be made.
    """

    def __init__(
        self,
        files: Files,
        threads: Threads,
        opened: Opened,
        *,
        make_tail: MakeTail,
        policy: Policy = "group",
        room: Room | None = None,
        on_trouble: Callable[[Trouble], None],
    ) -> None:
        self.sealed: JournalSealed | None = None
        self.appended_sequence = opened.sequence
        self._files = files
        self._threads = threads
        self._opened = opened
        self._policy: Policy = policy
        self._room = room or Room()
        self._full_at = self._room.segment_bytes - self._room.reserve_bytes
        self._on_trouble = on_trouble
        self._number = opened.segment + 1
        self._next: int | None = None
        self._level: Literal["ok", "disk_low", "disk_very_low"] = "ok"
        self._lacks_room = False
        self._is_closed = False
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._hearing: list[asyncio.Future[None]] = []
        self._making = asyncio.Lock()
        path = self._path(self._number)
        files.close(files.open_segment(path, self._room.segment_bytes))
        mark = mark_path(opened.folder, opened.stream)
        tail = make_tail(policy, path, self._number, mark, opened.sequence, self._heard)
        self._tail, self._append = tail, tail.append

    def append(self, frames: bytes, sequence: int) -> None:
        """Writes drained bytes behind those before them, in one write.

        Args:
            frames: Whole frames, as the engine drained them; the first begin with the header.
            sequence: The last batch in them.

        Raises:
            JournalSealed: The disk did not take them, or failed before; for ever.
        """
        if self.sealed is not None:
            raise self.sealed
        try:
            self._append(frames, sequence)
        except OSError as error:
            raise self._seal(error) from error
        self.appended_sequence = sequence
        if self._waiting and self._policy == "os":
            self._release()

    def rehearse(self) -> None:
        """Goes the way of a batch without one, so that the next one is quick."""
        if self.sealed is None and not self._is_closed:
            self._tail.rehearse()

    @property
    def released_sequence(self) -> int:
        """The last batch whose requests may leave."""
        return self._tail.released

    def when_released(self, sequence: int, callback: Callable[[], None]) -> None:
        """Calls `callback` on the loop once the batch is released; at once if it is.

        Callbacks are called in the order of their sequences. If the journal is sealed before,
        they are never called: the request must not leave.

        Raises:
            JournalSealed: It is sealed already.
        """
        if self.sealed is not None:
            raise self.sealed
        if sequence <= self._tail.released and not self._waiting:
            callback()
            return
        self._count += 1
        heapq.heappush(self._waiting, (sequence, self._count, callback))
        if sequence <= self._tail.released:
            self._release()

    @property
    def takes_orders(self) -> bool:
        """False if the journal is sealed, or only the reserve is left: cancels may still go."""
        if self.sealed is not None:
            return False
        return self._next is not None or not self._is_in_reserve

    def lets_go(self, sequence: int) -> bool:
        """True if any request whose last batch is this one may leave now, be it an order."""
        return (
            sequence <= self._tail.released
            and self.sealed is None
            and (self._next is not None or self._tail.offset < self._full_at)
        )

    @property
    def wants_roll(self) -> bool:
        """True if the segment is full and the next one is ready; then roll the engine's journal."""
        return self._next is not None and self._is_in_reserve

    def roll(self, rest: bytes, sequence: int) -> None:
        """Ends this segment with `rest`, the engine's bytes up to the seal, and starts the next.

        Raises:
            JournalSealed: The disk refused.
            ValueError: The next segment is not ready; ask `wants_roll` or `make_next` first.
        """
        if self._next is None:
            raise ValueError("the next segment is not ready: roll when `wants_roll` is true")
        self.append(rest, sequence)
        try:
            self._tail.roll(self._path(self._next), self._next)
        except OSError as error:
            raise self._seal(error) from error
        self._number, self._next = self._next, None

    async def make_next(self) -> bool:
        """Makes the next segment now, for who has a reason to roll before this one is full.

        Returns:
            True if it is ready; False if the disk has no room or the journal has ended.
        """
        async with self._making:
            if self._next is None and self.sealed is None and not self._is_closed:
                await self._make_next()
        return self._next is not None

    async def tend(self) -> None:
        """Makes room ahead and looks at the disk; call it about once a second.

        What it finds goes to `on_trouble`; a full disk is no error here.
        """
        if self.sealed is not None or self._is_closed:
            return
        if self._next is None and self._tail.offset * 2 >= self._room.segment_bytes:
            await self.make_next()
        free = await self._threads.run(self._files.free_bytes, self._opened.folder)
        whole = await self._threads.run(self._files.disk_bytes, self._opened.folder)
        self._look_at(free, whole)

    async def snapshot(self, sequence: int, chain: bytes, state: bytes) -> None:
        """Writes a snapshot of the state behind batch `sequence`; the loop goes on meanwhile.

        It is written once the journal is on the device up to there: a snapshot ahead of its journal
        would look like a backup that was put back.

        Args:
            sequence: The last batch that is in the state; it was appended.
            chain: The engine's digest of its journal up to there.
            state: What the desk said of itself.

        Raises:
            JournalSealed: The journal could not be synced up to there.
            OSError: The snapshot could not be written; the journal is as it was.
        """
        if sequence > self.appended_sequence:
            raise ValueError(f"batch {sequence} is not written yet")
        while self._tail.synced < sequence:
            await self._next_sync()
        opened = self._opened
        # A segment that was just begun has no header yet; the one before says the same.
        number = self._number if self._tail.offset else self._number - 1
        head = read_head(self._files, self._path(number))
        data = snapshot_bytes(head, sequence, chain, state)
        await self._threads.run(
            write_snapshot, self._files, opened.folder, opened.stream, sequence, data
        )

    def close(self, rest: bytes = b"", sequence: int | None = None) -> None:
        """Ends the journal with `rest`, waits for the disk, and gives the lock back.

        What waits for a release is released, unless the disk refuses. A second call does nothing.

        Args:
            rest: The engine's bytes up to the seal; none leaves the journal open-ended, as a crash
                does.
            sequence: The last batch in them; None if there is none.

        Raises:
            JournalSealed: The disk refused; the lock is given back.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self.sealed is None:
                self._end(rest, sequence)
        finally:
            with contextlib.suppress(OSError):
                self._tail.close()
            self._files.close(self._opened.lock)

    @property
    def _is_in_reserve(self) -> bool:
        return self._tail.offset >= self._full_at

    def _path(self, number: int) -> Path:
        return segment_path(self._opened.folder, self._opened.stream, number)

    async def _next_sync(self) -> None:
        """Waits until the next sync ended."""
        if self.sealed is not None:
            raise self.sealed
        try:
            self._tail.start_sync()
        except OSError as error:
            raise self._seal(error) from error
        heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hearing.append(heard)
        await heard

    def _end(self, rest: bytes, sequence: int | None) -> None:
        if rest:
            self.append(rest, self.appended_sequence if sequence is None else sequence)
        try:
            self._tail.sync()
            # Written anew and not cut: who reads beyond the end of a mapped file is killed.
            path = self._path(self._number)
            self._files.write_atomic(path, self._files.read(path)[: self._tail.offset])
            if self._next is not None:
                self._files.remove(self._path(self._next))
        except OSError as error:
            raise self._seal(error) from error
        self._release()

    async def _make_next(self) -> None:
        number = self._number + 1
        path, size = self._path(number), self._room.segment_bytes
        try:
            self._files.close(await self._threads.run(self._files.open_segment, path, size))
        except OSError as error:
            if error.errno not in _NO_ROOM:
                self._seal(error)
            elif not self._lacks_room:
                self._lacks_room = True
                self._tell("no_room", f"no room for the next segment of the journal: {error}")
            return
        self._next = number
        if self._lacks_room:
            self._lacks_room = False
            self._tell("room_again", "the next segment of the journal could be made")

    def _look_at(self, free: int, whole: int) -> None:
        part = free / whole if whole else 1.0
        level = "disk_very_low" if part < _VERY_LOW else "disk_low" if part < _LOW else "ok"
        if level != "ok" and level != self._level and self._level != "disk_very_low":
            self._tell(
                level,
                f"{free / 2**20:,.0f} MiB or {part:.1%} of the disk of the journal are free; "
                "make room: recordings and old runs can go",
            )
        self._level = level

    def _heard(self, error: OSError | None) -> None:
        """A sync ended."""
        hearing, self._hearing = self._hearing, []
        for future in hearing:
            if not future.done():
                future.set_result(None)
        if error is not None:
            self._seal(error)
        elif self._waiting:
            self._release()

    def _release(self) -> None:
        released = self._tail.released
        while self._waiting and self._waiting[0][0] <= released and self.sealed is None:
            callback = heapq.heappop(self._waiting)[2]
            try:
                callback()
            except BaseException:
                asyncio.get_running_loop().call_soon(self._release)  # the others are due as well
                raise

    def _seal(self, error: OSError) -> JournalSealed:
        if self.sealed is None:
            self.sealed = JournalSealed(
                f"the journal {self._path(self._number)} is sealed: {error}",
                hint="look at the disk, then start again: recovery goes on in a new file",
            )
            self._waiting.clear()
            self._tell("sealed", str(self.sealed))
        return self.sealed

    def _tell(
        self,
        kind: Literal["sealed", "no_room", "room_again", "disk_low", "disk_very_low"],
        detail: str,
    ) -> None:
        self._on_trouble(Trouble(kind, detail))
