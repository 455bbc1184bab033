"""Hosts: clocks that are wrong, threads that take their time, processes that die."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from veloz.net.simulated import START_WALL_NS, PowerLost, World


def test_f_l02_steps_and_drift_move_the_wall_clock_and_not_the_other() -> None:
    world = World(1)

    async def main() -> None:
        clock = world.host("engine").clock
        await asyncio.sleep(10)
        assert clock.wall_ns() == clock.true_wall_ns() == START_WALL_NS + 10 * 10**9
        clock.step(-3 * 10**9)
        assert clock.wall_ns() == START_WALL_NS + 7 * 10**9
        clock.drift(200)
        await asyncio.sleep(10_000)
        assert clock.wall_ns() - clock.true_wall_ns() == -3 * 10**9 + 2 * 10**9
        assert clock.monotonic_ns() == 10_010 * 10**9

    world.run(main())


def test_threads_carry_out_in_order_also_what_nobody_awaits() -> None:
    world = World(2)

    async def main() -> None:
        threads = world.host("engine").boot().threads
        done: list[int] = []
        last = [threads.run(done.append, number) for number in range(20)][-1]
        assert done == []
        await last
        assert done == list(range(20))
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)

    world.run(main())


def test_a_killed_process_carries_out_nothing_more_and_its_pages_stay() -> None:
    world = World(3)

    async def main() -> None:
        host = world.host("engine")
        doors = host.boot()
        doors.files.make_folder(Path("/j"))
        fd = doors.files.open_segment(Path("/j/s"), 10)
        doors.files.pwrite(fd, b"written", 0)
        done: list[str] = []
        threads_work = asyncio.ensure_future(doors.threads.run(done.append, "late"))
        host.kill()
        await asyncio.sleep(10)
        assert (done, threads_work.done()) == ([], False)
        again = host.boot()
        assert again.files.read(Path("/j/s"))[:7] == b"written"
        assert host.boots == 2
        assert again.random.random() != doors.random.random()

    world.run(main())


def test_power_lost_on_a_thread_reaches_who_waits() -> None:
    world = World(4)

    async def main() -> None:
        host = world.host("engine")
        doors = host.boot()
        doors.files.make_folder(Path("/j"))
        fd = doors.files.open_segment(Path("/j/s"), 10)
        host.disk.pull_at(host.disk.steps + 1)
        with pytest.raises(PowerLost):
            await doors.threads.run(doors.files.fdatasync, fd)

    world.run(main())


def test_an_error_of_the_disk_comes_through_the_thread() -> None:
    world = World(5)

    async def main() -> None:
        doors = world.host("engine").boot()
        disk = world.host("engine").disk
        doors.files.make_folder(Path("/j"))
        fd = doors.files.open_segment(Path("/j/s"), 10)
        disk.fail("fdatasync", errno.EIO)
        with pytest.raises(OSError, match="Input/output"):
            await doors.threads.run(doors.files.fdatasync, fd)

    world.run(main())


def test_dice_of_one_purpose_do_not_move_those_of_another() -> None:
    first, second = World(6), World(6)
    first.dice("a").random()
    assert first.host("x").boot().random.random() == second.host("x").boot().random.random()
    assert first.dice("a").random() != World(7).dice("a").random()
