"""Clock, files and the other thread of this computer."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from veloz.net.doors import Locked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

__all__ = ["RealClock", "RealFiles", "RealThreads"]

P = ParamSpec("P")
T = TypeVar("T")

_PRIVATE = 0o600


class RealClock:
    """The clocks of this computer: the interpreter's own functions, each frame asks them."""

    wall_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


class RealThreads:
    """One thread beside the loop's."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="veloz-door")

    def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Carries out `fn(*args, **kwargs)` there; see `Threads.run`."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, partial(fn, *args, **kwargs))

    async def close(self) -> None:
        """Lets what was handed over end, then ends the thread; the loop goes on meanwhile."""
        loop = asyncio.get_running_loop()
        # The default executor waits for ours: to wait on the loop's thread would stop the loop.
        await loop.run_in_executor(None, partial(self._thread.shutdown, wait=True))


class RealFiles:
    """The file system; see `Files` for what each call promises."""

    def make_folder(self, path: Path) -> None:
        """See `Files.make_folder`."""
        path.mkdir(parents=True, exist_ok=True)

    def open_segment(self, path: Path, size: int) -> int:
        """Reserves the room with the file system, so that a write cannot find the disk full."""
        is_new = not path.exists()
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
        try:
            _reserve(fd, size)
            if is_new:
                os.fsync(fd)
                _sync_folder(path.parent)
        except OSError:
            os.close(fd)
            if is_new:
                path.unlink(missing_ok=True)
            raise
        return fd

    def pwrite(self, fd: int, data: bytes, offset: int) -> None:
        """Goes on after a short write, which a signal or a nearly full disk leaves."""
        written = os.pwrite(fd, data, offset)
        while written < len(data):
            more = os.pwrite(fd, memoryview(data)[written:], offset + written)
            if more == 0:
                raise OSError(errno.EIO, f"wrote {written} of {len(data)} bytes and no more")
            written += more

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """See `Files.pread`."""
        return os.pread(fd, size, offset)

    def fdatasync(self, fd: int) -> None:
        """See `Files.fdatasync`."""
        _sync(fd)

    def truncate(self, fd: int, size: int) -> None:
        """See `Files.truncate`."""
        os.ftruncate(fd, size)

    def close(self, fd: int) -> None:
        """Closes; a lock is given back by it."""
        os.close(fd)

    def rename(self, source: Path, target: Path) -> None:
        """See `Files.rename`."""
        source.replace(target)
        _sync_folder(target.parent)

    def remove(self, path: Path) -> None:
        """See `Files.remove`."""
        path.unlink()
        _sync_folder(path.parent)

    def list(self, folder: Path) -> list[str]:
        """Files only; see `Files.list`."""
        if not folder.is_dir():
            return []
        return sorted(entry.name for entry in folder.iterdir() if entry.is_file())

    def size(self, path: Path) -> int:
        """See `Files.size`."""
        return path.stat().st_size

    def read(self, path: Path) -> bytes:
        """See `Files.read`."""
        return path.read_bytes()

    def write_atomic(self, path: Path, data: bytes) -> None:
        """Writes beside, syncs, renames, syncs the folder."""
        beside = path.with_name(f".{path.name}.{os.getpid()}.new")
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE)
        try:
            with _closing(fd):
                self.pwrite(fd, data, 0)
                os.fsync(fd)
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    def lock(self, path: Path) -> int:
        """Takes an flock and leaves the process's number in the file, for people."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise Locked(
                f"{path} is locked by process {holder}", hint="stop the other one first"
            ) from None
        except OSError:
            os.close(fd)
            raise
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        return fd

    def free_bytes(self, folder: Path) -> int:
        """See `Files.free_bytes`."""
        room = os.statvfs(folder)
        return room.f_bavail * room.f_frsize

    def disk_bytes(self, folder: Path) -> int:
        """See `Files.disk_bytes`."""
        room = os.statvfs(folder)
        return room.f_blocks * room.f_frsize


def _reserve(fd: int, size: int) -> None:
    there = os.fstat(fd).st_size
    if size <= there:
        return
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, there, size - there)
        return
    for offset in range(there, size, 1 << 20):  # macOS has no such call: zeros take the room
        os.pwrite(fd, bytes(min(1 << 20, size - offset)), offset)


def _sync(fd: int) -> None:
    whole: int | None = getattr(fcntl, "F_FULLFSYNC", None)
    if whole is None:
        os.fdatasync(fd)
    else:  # macOS: fsync stops at the drive's own memory
        fcntl.fcntl(fd, whole)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with _closing(fd):
        os.fsync(fd)


@contextmanager
def _closing(fd: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(fd)
