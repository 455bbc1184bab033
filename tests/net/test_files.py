"""The `Files` door: the disk and its simulation keep the same promises."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from veloz.net.doors import Locked
from veloz.net.real import RealClock, RealFiles, RealThreads
from veloz.net.simulated import Disk

if TYPE_CHECKING:
    from veloz.net.doors import Files


@pytest.fixture(params=["real", "simulated"])
def files(request: pytest.FixtureRequest) -> Files:
    return RealFiles() if request.param == "real" else Disk(Random(0))


def test_both_keep_the_same_promises(files: Files, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert files.list(folder) == []
    files.make_folder(folder)
    files.make_folder(folder)
    fd = files.open_segment(folder / "s", 10_000)
    assert files.size(folder / "s") == 10_000
    files.pwrite(fd, b"hello", 9_000)
    files.pwrite(fd, b"beyond", 10_000)
    files.fdatasync(fd)
    assert files.pread(fd, 5, 9_000) == b"hello"
    assert files.pread(fd, 100, 10_000) == b"beyond"
    assert files.pread(fd, 3, 0) == b"\0\0\0"
    files.truncate(fd, 9_003)
    files.close(fd)
    again = files.open_segment(folder / "s", 100)
    assert files.pread(again, 100, 9_000) == b"hel"
    files.close(again)
    with pytest.raises(OSError, match="Bad file"):
        files.pread(again, 1, 0)
    files.write_atomic(folder / "small", b"1")
    files.write_atomic(folder / "small", b"22")
    assert files.read(folder / "small") == b"22"
    files.rename(folder / "small", folder / "r")
    assert files.list(folder) == ["r", "s"]
    files.remove(folder / "r")
    assert files.list(folder) == ["s"]
    for call in (files.read, files.remove, files.size):
        with pytest.raises(FileNotFoundError):
            call(folder / "gone")
    with pytest.raises(FileNotFoundError):
        files.open_segment(tmp_path / "nowhere" / "s", 1)
    assert files.free_bytes(folder) > 0
    held = files.lock(folder / "lock")
    with pytest.raises(Locked, match="locked by"):
        files.lock(folder / "lock")
    files.close(held)
    files.close(files.lock(folder / "lock"))


def test_a_new_segment_is_private_and_its_room_is_taken(tmp_path: Path) -> None:
    files = RealFiles()
    fd = files.open_segment(tmp_path / "s", 1 << 20)
    status = os.fstat(fd)
    assert status.st_mode & 0o777 == 0o600
    assert status.st_blocks * 512 >= 1 << 20
    files.close(fd)


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from veloz.net.real import RealFiles\n"
        f"RealFiles().lock(Path({str(tmp_path / 'lock')!r})); print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Locked, match=f"process {holder.pid}"):
            RealFiles().lock(tmp_path / "lock")
        holder.kill()
    RealFiles().close(RealFiles().lock(tmp_path / "lock"))


def test_threads_keep_the_order_and_the_loop_goes_on() -> None:
    async def main() -> None:
        threads, done = RealThreads(), list[int]()
        waits = [threads.run(done.append, number) for number in range(100)]
        await waits[-1]
        assert done == list(range(100))
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)
        await threads.close()

    asyncio.run(main())


def test_clocks_go_forward() -> None:
    clock = RealClock()
    first = clock.monotonic_ns()
    assert clock.monotonic_ns() >= first
    assert clock.wall_ns() > 1_700_000_000 * 10**9
