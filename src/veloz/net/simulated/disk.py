"""A disk in memory: files with pages that are durable or not, and a power cord to pull.

```text
pwrite ─► what a reader sees ─ fdatasync ─► what is on the platter
               │                                  │
               └── crash(): of each page since the last sync, all, nothing, or its first sectors
```

The page cache is not the disk: after `crash()` a page that was written and not synced is there, is
not there, or is torn at a sector, each page by itself, whatever the order in which they were
written. A failed fdatasync drops its pages: they can still be read, a later sync succeeds, and the
crash loses them, as a real kernel has it.

Source: fault catalogue F-H12 to F-H14; Rebello and others (2020), "Can Applications Recover from
fsync Failures?", USENIX ATC.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from veloz.net.doors import Locked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

__all__ = ["Disk", "PowerLost", "ProcessFiles"]

PAGE = 4096
SECTOR = 512

Keep = Literal["chance", "nothing", "everything"]


class PowerLost(BaseException):
    """The power failed inside a call of the disk. Not an `Exception`: no program survives it."""


@dataclass(slots=True)
class _File:
    seen: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    dirty: set[int] = field(default_factory=set[int])
    """Pages in which `seen` may differ from `durable` and which a sync would write."""


@dataclass(slots=True)
class _Failure:
    call: str
    nth: int
    times: int
    code: int
    after_bytes: int


class Disk:
    """A `Files` door in memory.

    Args:
        random: Decides what a crash leaves.
        capacity: Bytes; what does not fit is ENOSPC.

    Attributes:
        capacity: May be changed: a smaller one is a disk that others have filled.
        refused: Calls that found no room so far.
        on_power_lost: Called when an ordered loss of power has come, before `PowerLost` is raised;
            a scenario stops the host's other tasks here.
        steps: Calls that changed something, so far; `pull_at` counts in them.
        is_up: False between the loss of power and `crash()`; every call raises `PowerLost`.
    """

    def __init__(self, random: Random, capacity: int = 1 << 30) -> None:
        self.capacity = capacity
        self.refused = 0
        self.steps = 0
        self.on_power_lost: Callable[[], None] | None = None
        self.is_up = True
        self._random = random
        self._files: dict[str, _File] = {}
        self._folders: set[str] = set()
        self._open: dict[int, _File] = {}
        self._locks: dict[int, str] = {}
        self._next_fd = 3
        self._failures: list[_Failure] = []
        self._calls: Counter[str] = Counter()
        self._pull: tuple[int, int | None] | None = None

    # ---------------------------------------------------------------- faults

    def pull_at(self, step: int, *, after_bytes: int | None = None) -> None:
        """Pulls the cord at a step of the future, counted from 1 over the disk's whole life.

        Args:
            step: Which changing call raises `PowerLost`.
            after_bytes: So many bytes of a `pwrite` or `write_atomic` are carried out first; None
                carries out the whole call and lets nobody know. 0 is the moment before.
        """
        self._pull = (step, after_bytes)

    def crash(self, *, keep: Keep = "chance") -> None:
        """The power is gone, and is back: what was not durable is left to chance.

        Args:
            keep: Of pages that were not synced: each by `chance`, `nothing`, or `everything` (which
                is what a killed process leaves, for the kernel lives on).
        """
        for name in sorted(self._files):
            self._settle(self._files[name], keep)
        self._open.clear()
        self._locks.clear()
        self._pull = None
        self.is_up = True

    def fail(self, call: str, code: int, *, nth: int = 1, times: int = 1) -> None:
        """Makes calls fail with an `OSError`.

        Args:
            call: Name of a method of `Files`.
            code: Such as `errno.EIO` or `errno.ENOSPC`.
            nth: The first one that fails, counted from now, from 1.
            times: How many in a row.
        """
        self._failures.append(_Failure(call, self._calls[call] + nth, times, code, 0))

    def mend(self, code: int | None = None) -> None:
        """Ends every ordered failure that has not come; a pulled cord too.

        Args:
            code: Ends those with this error only, and nothing else.
        """
        if code is not None:
            self._failures = [one for one in self._failures if one.code != code]
            return
        self._failures.clear()
        self._pull = None

    def flip(self, path: Path, bit: int) -> None:
        """Turns one bit of a file over, for good (F-H15)."""
        file = self._files[str(path)]
        for image in (file.seen, file.durable):
            if bit // 8 < len(image):
                image[bit // 8] ^= 1 << (bit % 8)

    def images(self) -> list[tuple[str, bytes]]:
        """Names and contents of all files, by name, for hashes and traces; no call of a program."""
        return [(name, bytes(self._files[name].seen)) for name in sorted(self._files)]

    def names(self) -> list[str]:
        """Those of `images`; no call of a program."""
        return sorted(self._files)

    def head(self, name: str, size: int) -> bytes:
        """The first bytes of a file, by the name of `images`; no call of a program."""
        return bytes(self._files[name].seen[:size])

    def durable_size(self, name: str) -> int:
        """Bytes from a file's start that no loss of power can take or change."""
        file = self._files[name]
        for page in sorted(file.dirty):
            part = slice(page * PAGE, (page + 1) * PAGE)
            seen, durable = file.seen[part], file.durable[part]
            if seen != durable:
                same = zip(seen, durable, strict=False)
                return part.start + next((at for at, (a, b) in enumerate(same) if a != b), 0)
        return len(file.durable)

    # ---------------------------------------------------------------- Files

    def make_folder(self, path: Path) -> None:
        """Makes a folder and its parents; see `Files`."""
        self._enter("make_folder")
        self._folders.update(str(folder) for folder in (path, *path.parents))

    def open_segment(self, path: Path, size: int) -> int:
        """Opens a file with room for `size` bytes; see `Files`."""
        cut = self._enter("open_segment", step=True)
        if str(path.parent) not in self._folders:
            raise _error(errno.ENOENT, path)
        if cut == 0:
            raise PowerLost(str(path))
        file = self._files.get(str(path)) or _File()
        if size > len(file.seen):
            self._room(size - len(file.seen), path)
            file.durable.extend(bytes(size - len(file.durable)))
            file.seen.extend(bytes(size - len(file.seen)))
        self._files[str(path)] = file
        self._leave(cut)
        self._next_fd += 1
        self._open[self._next_fd] = file
        return self._next_fd

    def pwrite(self, fd: int, data: bytes, offset: int) -> None:
        """Writes into the page cache; see `Files`."""
        cut = self._enter("pwrite", step=True)
        file = self._file(fd)
        written = data if cut is None or cut < 0 else data[:cut]
        end = offset + len(written)
        if end > len(file.seen):
            self._room(end - len(file.seen), None)
            file.seen.extend(bytes(end - len(file.seen)))
        file.seen[offset:end] = written
        file.dirty.update(range(offset // PAGE, (end + PAGE - 1) // PAGE))
        self._leave(cut)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """Reads what was written, synced or not; see `Files`."""
        self._enter("pread")
        return bytes(self._file(fd).seen[offset : offset + size])

    def fdatasync(self, fd: int) -> None:
        """Makes durable; if it fails, the pages are dropped from the next one too."""
        file = self._file(fd)
        try:
            cut = self._enter("fdatasync", step=True)
        except OSError:
            file.dirty.clear()
            raise
        if cut == 0:
            raise PowerLost("fdatasync")
        self._sync(file)
        self._leave(cut)

    def truncate(self, fd: int, size: int) -> None:
        """Cuts or lengthens; durable with the next sync; see `Files`."""
        cut = self._enter("truncate", step=True)
        if cut == 0:
            raise PowerLost("truncate")
        file = self._file(fd)
        old = len(file.seen)
        if size > old:
            self._room(size - old, None)
            file.seen.extend(bytes(size - old))
        del file.seen[size:]
        file.dirty.update(range(min(old, size) // PAGE, (max(old, size) + PAGE - 1) // PAGE))
        self._leave(cut)

    def close(self, fd: int) -> None:
        """Closes a file, or gives a lock back; see `Files`."""
        if self._locks.pop(fd, None) is None:
            self._open.pop(fd, None)

    def rename(self, source: Path, target: Path) -> None:
        """Renames, durably; see `Files`."""
        cut = self._enter("rename", step=True)
        if cut == 0:
            raise PowerLost(str(source))
        if str(source) not in self._files:
            raise _error(errno.ENOENT, source)
        self._files[str(target)] = self._files.pop(str(source))
        self._leave(cut)

    def remove(self, path: Path) -> None:
        """Removes, durably; see `Files`."""
        cut = self._enter("remove", step=True)
        if cut == 0:
            raise PowerLost(str(path))
        if self._files.pop(str(path), None) is None:
            raise _error(errno.ENOENT, path)
        self._leave(cut)

    def list(self, folder: Path) -> list[str]:
        """Names in a folder, sorted; see `Files`."""
        self._enter("list")
        prefix = str(folder).rstrip("/") + "/"
        below = [name[len(prefix) :] for name in self._files if name.startswith(prefix)]
        return sorted(name for name in below if "/" not in name)

    def size(self, path: Path) -> int:
        """Length of a file; see `Files`."""
        self._enter("size")
        return len(self._named(path).seen)

    def read(self, path: Path) -> bytes:
        """The whole file; see `Files`."""
        self._enter("read")
        return bytes(self._named(path).seen)

    def write_atomic(self, path: Path, data: bytes) -> None:
        """Replaces a file, the old one or the new one, durably; see `Files`."""
        cut = self._enter("write_atomic", step=True)
        if str(path.parent) not in self._folders:
            raise _error(errno.ENOENT, path)
        old = self._files.get(str(path))
        self._room(len(data) - (len(old.seen) if old else 0), path)
        if cut is not None and cut >= 0:
            raise PowerLost(str(path))  # whatever was written is under a name that nobody reads
        self._files[str(path)] = _File(bytearray(data), bytearray(data))
        self._leave(cut)

    def lock(self, path: Path) -> int:
        """Takes a lock, which a crash gives back; see `Files`."""
        self._enter("lock")
        if str(path) in self._locks.values():
            raise Locked(f"{path} is locked by another process", hint="stop the other one first")
        self._next_fd += 1
        self._locks[self._next_fd] = str(path)
        return self._next_fd

    def free_bytes(self, folder: Path) -> int:
        """Capacity that no file has; see `Files`."""
        self._enter("free_bytes")
        return max(0, self.capacity - sum(len(file.seen) for file in self._files.values()))

    def disk_bytes(self, folder: Path) -> int:
        """The capacity; see `Files`."""
        self._enter("disk_bytes")
        return self.capacity

    # ---------------------------------------------------------------- inside

    def _enter(self, call: str, *, step: bool = False) -> int | None:
        """Counts a call and lets what was ordered happen to it.

        Returns:
            None if nothing was ordered; -1 if the power fails once the call is carried out; else
            the bytes after which it fails.
        """
        if not self.is_up:
            raise PowerLost("the power is off")
        self._calls[call] += 1
        for failure in self._failures:
            late = self._calls[call] - failure.nth
            if failure.call == call and 0 <= late < failure.times:
                raise OSError(failure.code, os.strerror(failure.code))
        if not step:
            return None
        self.steps += 1
        if self._pull is None or self._pull[0] != self.steps:
            return None
        self.is_up = False
        if self.on_power_lost is not None:
            self.on_power_lost()
        return -1 if self._pull[1] is None else self._pull[1]

    def _leave(self, cut: int | None) -> None:
        if cut is not None:
            raise PowerLost("the power was lost in the middle of a call")

    def _file(self, fd: int) -> _File:
        if fd not in self._open:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._open[fd]

    def _named(self, path: Path) -> _File:
        if str(path) not in self._files:
            raise _error(errno.ENOENT, path)
        return self._files[str(path)]

    def _room(self, more: int, path: Path | None) -> None:
        if more > self.capacity - sum(len(file.seen) for file in self._files.values()):
            self.refused += 1
            raise _error(errno.ENOSPC, path)

    def _sync(self, file: _File) -> None:
        """Writes the dirty pages; what a failed sync has dropped is not among them."""
        _fit(file.durable, len(file.seen))
        for page in file.dirty:
            part = slice(page * PAGE, min((page + 1) * PAGE, len(file.seen)))
            file.durable[part] = file.seen[part]
        file.dirty.clear()

    def _settle(self, file: _File, keep: Keep) -> None:
        """Decides what of the unsynced pages is on the platter, and makes that the file."""
        if keep == "everything":
            file.durable[:] = file.seen
        elif keep == "chance" and file.dirty:
            if self._random.random() < 0.5:
                _fit(file.durable, len(file.seen))
            for page in sorted(file.dirty):
                sectors = self._random.choice((0, PAGE // SECTOR, self._random.randint(1, 7)))
                ends = min(page * PAGE + sectors * SECTOR, len(file.durable), len(file.seen))
                if ends > page * PAGE:
                    file.durable[page * PAGE : ends] = file.seen[page * PAGE : ends]
        file.seen[:] = file.durable
        file.dirty.clear()


class ProcessFiles:
    """The disk as one process has it: what the process does after its death does nothing.

    Args:
        disk: The machine's.

    Attributes:
        is_up: False once the process is gone; from then on every call raises `PowerLost`.
    """

    def __init__(self, disk: Disk) -> None:
        self.is_up = True
        self._disk = disk

    def __getattr__(self, name: str) -> Any:
        if not self.is_up:
            raise PowerLost("the process is gone")
        return getattr(self._disk, name)


def _fit(image: bytearray, size: int) -> None:
    del image[size:]
    image.extend(bytes(size - len(image)))


def _error(code: int, path: Path | None) -> OSError:
    return OSError(code, os.strerror(code), None if path is None else str(path))
