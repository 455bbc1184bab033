"""Limits: never exceeded, the urgent first, silence kept by every process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veloz.net.limits import Bucket, Leases, Limits, Priority
from veloz.net.simulated import World

S = 1_000_000_000
FOLDER = Path("/limits")


def one(world: World, limit: int = 100, window_s: int = 60) -> Limits:
    return Limits(world.host("engine").clock, [Bucket("weight", limit, window_s)])


@given(
    seed=st.integers(min_value=0, max_value=2**32),
    calls=st.lists(
        st.tuples(st.integers(min_value=1, max_value=30), st.sampled_from(list(Priority))),
        min_size=1,
        max_size=60,
    ),
)
@settings(deadline=None, max_examples=40)
def test_no_window_is_ever_exceeded(seed: int, calls: list[tuple[int, Priority]]) -> None:
    world = World(seed)
    clock, spent = world.host("engine").clock, dict[int, int]()

    async def call(limits: Limits, units: int, priority: Priority, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await limits.take({"weight": units}, priority)
        window = clock.wall_ns() // (60 * S)
        spent[window] = spent.get(window, 0) + units

    async def main() -> None:
        limits, dice = one(world), world.dice("calls")
        async with asyncio.TaskGroup() as group:
            for units, priority in calls:
                group.create_task(call(limits, units, priority, dice.uniform(0, 100)))

    world.run(main())
    assert sum(spent.values()) == sum(units for units, _ in calls)
    assert max(spent.values()) <= 100


def test_f_f01_the_urgent_go_first_when_room_comes_back() -> None:
    world = World(1)

    async def main() -> None:
        limits, order = one(world, limit=10), list[Priority]()
        limits.read({"weight": 10})

        async def call(priority: Priority) -> None:
            waited_s = await limits.take({"weight": 1}, priority)
            assert waited_s > 0
            order.append(priority)

        async with asyncio.TaskGroup() as group:
            for priority in (Priority.DATA, Priority.ORDER, Priority.RESOLVE, Priority.CANCEL) * 2:
                group.create_task(call(priority))
        assert order == sorted(order)

    world.run(main())


def test_a_reserve_is_left_to_the_urgent() -> None:
    world = World(2)
    limits = one(world)
    taken = {
        priority: sum(limits.take_now({"weight": 1}, priority) for _ in range(200))
        for priority in (Priority.DATA, Priority.ORDER, Priority.RESOLVE, Priority.CANCEL)
    }
    assert list(taken.values()) == [70, 20, 5, 5]
    assert limits.left("weight") == 0


def test_f_f02_silence_is_total_and_is_never_shortened() -> None:
    world = World(3)

    async def main() -> None:
        limits, clock = one(world), world.host("engine").clock
        limits.silence(120)
        limits.silence(3)
        clock.step(-3600 * S)  # F-L02: silence is by the monotonic clock
        assert not limits.take_now({"weight": 1}, Priority.CANCEL)
        assert limits.silent_s == 120
        began_ns = clock.monotonic_ns()
        await limits.take({"weight": 1}, Priority.CANCEL)
        assert 120 * S <= clock.monotonic_ns() - began_ns <= 121 * S
        assert limits.refusals == 2

    world.run(main())


def test_the_venues_own_count_is_taken_over_and_windows_roll() -> None:
    world = World(4)

    async def main() -> None:
        limits = one(world)
        limits.read({"weight": 95, "unheard-of": 7})
        limits.read({"weight": 10})  # an answer that was overtaken
        assert limits.left("weight") == 5
        await asyncio.sleep(60)
        assert limits.left("weight") == 100
        limits.change("weight", 50)
        assert limits.left("weight") == 50
        with pytest.raises(ValueError, match="more than the 35"):
            await limits.take({"weight": 36}, Priority.DATA)

    world.run(main())


@pytest.mark.parametrize("step_s", [-3600, 3600])
def test_f_l02_a_step_of_our_clock_neither_opens_a_window_nor_keeps_it_shut(step_s: int) -> None:
    world = World(7)

    async def main() -> None:
        limits = one(world)
        assert limits.take_now({"weight": 100}, Priority.CANCEL)
        world.host("engine").clock.step(step_s * S)
        assert not limits.take_now({"weight": 1}, Priority.CANCEL)
        await asyncio.sleep(60)
        assert limits.take_now({"weight": 1}, Priority.CANCEL)
        limits.align(world.host("engine").clock.true_wall_ns() + 30 * S)
        await asyncio.sleep(30)
        assert limits.left("weight") == 100

    world.run(main())


def leased(world: World, *, is_engine: bool) -> Limits:
    host = world.host("engine")
    host.disk.make_folder(FOLDER)
    leases = Leases(host.disk, FOLDER / "weight", host.clock, is_engine=is_engine)
    return Limits(host.clock, [Bucket("weight", 100, 60)], leases)


def test_processes_share_one_limit_and_the_engine_has_its_part() -> None:
    world = World(5)

    async def main() -> None:
        engine, first, second = (leased(world, is_engine=n == 0) for n in range(3))
        for _ in range(3):
            others = sum(
                limits.take_now({"weight": 1}, Priority.DATA)
                for _ in range(100)
                for limits in (first, second)
            )
            assert others == 50
            own = sum(engine.take_now({"weight": 1}, Priority.CANCEL) for _ in range(100))
            assert own == 50
            await asyncio.sleep(60)
        engine.silence(30)
        assert not first.take_now({"weight": 1}, Priority.CANCEL)
        assert first.silent_s == 30

    world.run(main())


def test_without_a_readable_file_only_the_engine_goes_on() -> None:
    world = World(6)
    engine, other = leased(world, is_engine=True), leased(world, is_engine=False)
    world.host("engine").disk.write_atomic(FOLDER / "weight", b"not JSON")
    assert engine.take_now({"weight": 50}, Priority.CANCEL)
    assert not engine.take_now({"weight": 1}, Priority.CANCEL)
    assert not other.take_now({"weight": 1}, Priority.CANCEL)


def test_f_f02_a_silence_is_kept_by_who_starts_in_the_middle_of_it() -> None:
    world = World(8)

    async def main() -> None:
        leased(world, is_engine=True).silence(120)
        await asyncio.sleep(50)
        again = leased(world, is_engine=True)
        assert again.silent_s == 70
        assert not again.take_now({"weight": 1}, Priority.CANCEL)
        waited = await again.take({"weight": 1}, Priority.CANCEL)
        assert 70 <= waited < 71

    world.run(main())


def test_f_h12_a_full_disk_takes_a_silence_down_for_who_starts_next() -> None:
    world = World(8)

    async def main() -> None:
        disk = world.host("engine").disk
        first = leased(world, is_engine=True)
        assert first.take_now({"weight": 1}, Priority.CANCEL)
        disk.capacity = 0
        first.silence(120)
        world.host("engine").lose_power()
        await asyncio.sleep(50)
        again = leased(world, is_engine=True)
        assert again.silent_s == 70
        assert not again.take_now({"weight": 1}, Priority.CANCEL)

    world.run(main())


def test_who_looks_ahead_keeps_the_file_off_the_way_of_requests(monkeypatch: Any) -> None:
    world = World(8)

    async def main() -> None:
        engine, other = leased(world, is_engine=True), leased(world, is_engine=False)
        disk = world.host("engine").disk
        reads: list[Path] = []
        read = disk.read
        monkeypatch.setattr(disk, "read", lambda path: (reads.append(path), read(path))[1])
        for _ in range(100):
            await asyncio.sleep(0.03)
            engine.look_ahead()
            looked = len(reads)
            assert engine.take_now({"weight": 0}, Priority.ORDER)
            assert len(reads) == looked
        assert 20 <= len(reads) <= 60
        other.silence(30)
        await asyncio.sleep(0.1)
        engine.look_ahead()
        assert not engine.take_now({"weight": 0}, Priority.ORDER)

    world.run(main())


def test_a_full_disk_leaves_the_engine_its_share_and_ends_nothing() -> None:
    world = World(1)
    engine = leased(world, is_engine=True)
    disk = world.host("engine").disk
    disk.capacity = 0
    assert engine.take_now({"weight": 50}, Priority.ORDER)
    assert not engine.take_now({"weight": 5}, Priority.ORDER)  # no pool: it could not be written
    disk.capacity = 1 << 20
    assert engine.take_now({"weight": 5}, Priority.ORDER)
    world.loop.close()


def test_a_silence_is_not_lost_when_others_take_leases_meanwhile() -> None:
    world = World(9)

    async def main() -> None:
        first, other = leased(world, is_engine=False), leased(world, is_engine=False)
        assert other.take_now({"weight": 1}, Priority.CANCEL)
        first.silence(30)
        await asyncio.sleep(0.2)
        assert not other.take_now({"weight": 20}, Priority.CANCEL)
        await asyncio.sleep(30)
        assert other.take_now({"weight": 20}, Priority.CANCEL)
        assert leased(world, is_engine=False).silent_s == 0

    world.run(main())


def test_what_is_an_accounts_own_is_not_divided() -> None:
    world = World(10)
    host = world.host("engine")
    host.disk.make_folder(FOLDER)

    def one_account() -> Limits:
        leases = Leases(host.disk, FOLDER / "weight", host.clock, is_engine=False)
        return Limits(host.clock, [Bucket("orders", 10, 60, is_shared=False)], leases)

    first, second = one_account(), one_account()
    for limits in (first, second):
        assert sum(limits.take_now({"orders": 1}, Priority.CANCEL) for _ in range(20)) == 10


_CHILD = """
import sys, time
from pathlib import Path
from veloz.net.limits import Bucket, Leases, Limits, Priority
from veloz.net.real.host import RealClock, RealFiles
clock = RealClock()
leases = Leases(RealFiles(), Path(sys.argv[1]), clock, is_engine=False)
limits = Limits(clock, [Bucket("weight", 1000, 86_400)], leases)
taken, until = 0, time.monotonic() + 3
while time.monotonic() < until and taken < 1000:
    taken += limits.take_now({"weight": 5}, Priority.CANCEL) * 5
print(taken)
"""


def test_two_processes_never_take_more_than_the_pool(tmp_path: Path) -> None:
    words = [sys.executable, "-c", _CHILD, str(tmp_path / "weight")]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    taken = [int(child.communicate(timeout=60)[0]) for child in both]
    assert sum(taken) == 500
