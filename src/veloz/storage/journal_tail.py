"""Where a live journal's bytes meet the disk: one write a batch, and syncs that nobody waits for.

```text
append ─► one write ─► os: released
                       group, fsync: wanted ─► sync thread ─► released ─► `heard` on the loop
```

There are two tails with one behaviour: `native_tail` for real disks, where write and sync run in
the core, and `DoorTail` over the doors, for disks in memory. A newcomer expects the loop to wait
for the disk; only the request waits, until its batch is released.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Literal, Protocol

from veloz._core import MARK_SYNCS, JournalTail, sync_mark

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from veloz.net.doors import Files, Threads

__all__ = ["DoorTail", "MakeTail", "NativeTail", "Policy", "Tail", "door_tail", "native_tail"]

Policy = Literal["os", "group", "fsync"]
"""When a batch may be acted upon: once it is written, once it is synced with its neighbours, or
once it is synced by a sync of its own."""


class Tail(Protocol):
    """The end of a journal that is being written."""

    append: Callable[[bytes, int], None]
    """Writes frames whose last batch has this sequence; raises `OSError`, and for ever after."""

    @property
    def released(self) -> int:
        """The last batch that may be acted upon."""
        ...

    @property
    def synced(self) -> int:
        """The last batch that is on the device."""
        ...

    @property
    def offset(self) -> int:
        """Bytes of the segment that are written."""
        ...

    def rehearse(self) -> None:
        """Goes the way of a batch without one; changes nothing."""
        ...

    def start_sync(self) -> None:
        """Asks for a sync that reaches what is written; raises `OSError` if one failed before."""
        ...

    def roll(self, path: Path, number: int) -> None:
        """Goes on at the start of another segment; the old one is synced before the new one is."""
        ...

    def sync(self) -> None:
        """Waits until everything written is on the device; raises `OSError`."""
        ...

    def close(self) -> None:
        """Closes the files; does not sync."""
        ...


class MakeTail(Protocol):
    """Opens the tail of a journal."""

    def __call__(
        self,
        policy: Policy,
        path: Path,
        number: int,
        mark: Path,
        sequence: int,
        heard: Callable[[OSError | None], None],
    ) -> Tail:
        """Opens it.

        Args:
            policy: When a batch is released.
            path: The segment, made and preallocated, with nothing in it.
            number: Of the segment.
            mark: File of the sync mark; it holds a mark.
            sequence: The last batch of the segments before.
            heard: Called on the loop when a sync ended; with the error if it failed.
        """
        ...


def native_tail(
    policy: Policy,
    path: Path,
    number: int,
    mark: Path,
    sequence: int,
    heard: Callable[[OSError | None], None],
) -> Tail:
    """Opens a tail on a real disk; as `MakeTail`. It must be called on the running loop."""
    tail = NativeTail(policy, path, number, mark, sequence)
    tail.listen(heard)
    return tail


def door_tail(files: Files, threads: Threads) -> MakeTail:
    """Makes tails that write and sync through the doors."""

    def make(
        policy: Policy,
        path: Path,
        number: int,
        mark: Path,
        sequence: int,
        heard: Callable[[OSError | None], None],
    ) -> Tail:
        tail = DoorTail(files, threads, policy, heard)
        tail.start(path, number, mark, sequence)
        return tail

    return make


class NativeTail(JournalTail):
    """A `Tail` whose write and sync run in the core: nearly all of it is the core's own."""

    def listen(self, heard: Callable[[OSError | None], None]) -> None:
        """Calls `heard` on the running loop when a sync ended; with the error if it failed."""
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.fileno(), self._wake)

    def close(self) -> None:
        """Stops the thread and closes the file."""
        self._loop.remove_reader(self.fileno())
        super().close()

    def _wake(self) -> None:
        try:
            self.hear()
        except OSError as error:
            # The descriptor stays silent from here on: the thread has ended.
            self._heard(error)
        else:
            self._heard(None)


class DoorTail:
    """A `Tail` over the doors; `start` opens its files."""

    def __init__(
        self,
        files: Files,
        threads: Threads,
        policy: Policy,
        heard: Callable[[OSError | None], None],
    ) -> None:
        self._files = files
        self._threads = threads
        self._policy = policy
        self._heard = heard
        self._fds: list[int] = []
        self._wanted: deque[tuple[int, int, int]] = deque()
        self._failure: OSError | None = None
        self._turn = 0
        self._is_syncing = False

    def start(self, path: Path, number: int, mark: Path, sequence: int) -> None:
        """Opens the segment and the mark's file, which exist."""
        self._fds = [self._files.open_segment(path, 0)]
        self._mark_fd = self._files.open_segment(mark, 0)
        self._number, self._offset, self._sequence = number, 0, sequence
        self._reached = (number, 0, sequence)

    @property
    def released(self) -> int:
        """The last batch that may be acted upon."""
        return self._sequence if self._policy == "os" else self._reached[2]

    @property
    def synced(self) -> int:
        """The last batch that is on the device."""
        return self._reached[2]

    @property
    def offset(self) -> int:
        """Bytes of the segment that are written."""
        return self._offset

    def append(self, frames: bytes, sequence: int) -> None:
        """Writes frames behind those before them."""
        if self._failure is not None:
            raise self._failure
        # A header is made durable at once: without it nothing behind it can be read.
        is_first = self._offset == 0
        try:
            self._files.pwrite(self._fds[-1], frames, self._offset)
        except OSError as error:
            self._failure = error
            raise
        self._offset += len(frames)
        self._sequence = sequence
        if self._policy != "os" or is_first:
            self._want()

    def rehearse(self) -> None:
        """Nothing: what is in memory is at hand."""

    def start_sync(self) -> None:
        """Asks for a sync that reaches what is written."""
        self._want()

    def roll(self, path: Path, number: int) -> None:
        """Goes on at the start of another segment."""
        self._want()
        self._fds.append(self._files.open_segment(path, 0))
        self._number, self._offset = number, 0

    def sync(self) -> None:
        """Waits until everything written is on the device; raises `OSError`."""
        if self._failure is not None:
            raise self._failure
        goal, fds = self._here(), list(self._fds)
        try:
            for fd in fds:
                self._files.fdatasync(fd)
        except OSError as error:
            self._failure = error
            raise
        # Those that the thread is at are closed by it.
        self._reach(goal, [] if self._is_syncing else fds[:-1])

    def close(self) -> None:
        """Closes the files; syncs the mark only."""
        self._wanted.clear()
        if self._turn and self._failure is None:
            self._files.fdatasync(self._mark_fd)
        for fd in (*self._fds, self._mark_fd):
            self._files.close(fd)
        self._fds = []

    def _here(self) -> tuple[int, int, int]:
        return self._number, self._offset, self._sequence

    def _want(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._policy != "fsync":
            self._wanted.clear()
        self._wanted.append(self._here())
        if not self._is_syncing:
            self._sync_next()

    def _sync_next(self) -> None:
        goal, fds = self._wanted.popleft(), list(self._fds)
        self._is_syncing = True
        done = asyncio.ensure_future(self._threads.run(self._sync_all, fds))
        done.add_done_callback(lambda done: self._synced(done, goal, fds))

    def _sync_all(self, fds: list[int]) -> None:
        for fd in fds:
            self._files.fdatasync(fd)

    def _synced(
        self, done: asyncio.Future[None], goal: tuple[int, int, int], fds: list[int]
    ) -> None:
        self._is_syncing = False
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self._failure = error if isinstance(error, OSError) else OSError(str(error))
            self._heard(self._failure)
        elif self._fds:  # else it was closed meanwhile
            self._reach(goal, fds[:-1])
            if self._wanted:
                self._sync_next()
            self._heard(None)

    def _reach(self, goal: tuple[int, int, int], superseded: list[int]) -> None:
        """Remembers and marks how far a sync reached, and closes the segments behind it."""
        self._reached = max(self._reached, goal)
        for fd in superseded:
            self._files.close(fd)
            self._fds.remove(fd)
        place, mark = sync_mark(self._turn // MARK_SYNCS, *self._reached)
        # A mark that is not written leaves an older one, which is true as well.
        try:
            self._files.pwrite(self._mark_fd, mark, place)
            self._turn += 1
            if self._turn % MARK_SYNCS == 0:
                self._files.fdatasync(self._mark_fd)
        except OSError:
            return
