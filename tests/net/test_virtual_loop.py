"""Virtual time: it jumps, it is exact, it is the same everywhere, and it never waits in silence."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veloz.net.simulated.loop import AroundTheDoors, Deadlock, StandsStill, VirtualLoop, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def loop_now() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def test_a_day_passes_at_once() -> None:
    async def main() -> int:
        await asyncio.sleep(86_400)
        return loop_now().now_ns

    began = time.monotonic()
    assert run(main()) == 86_400 * 10**9
    assert time.monotonic() - began < 5


def test_a_busy_loop_rings_late_and_reads_what_arrived_before_its_timers() -> None:
    async def main() -> list[tuple[str, int]]:
        loop, told = loop_now(), list[tuple[str, int]]()
        loop.busy = lambda: 5_000_000
        at_ns, at = loop.now_ns, loop.time()
        gone = loop.call_at(at + 0.011, lambda: told.append(("gone", loop.now_ns)))
        gone.cancel()
        loop.call_at(at + 0.010, lambda: told.append(("timer", loop.now_ns - at_ns)))
        loop.call_at_ns(at_ns + 12_000_000, lambda: told.append(("second", loop.now_ns - at_ns)))
        loop.call_at_ns(at_ns + 11_000_000, lambda: told.append(("first", loop.now_ns - at_ns)))
        loop.call_at_ns(at_ns + 90_000_000, lambda: told.append(("later", loop.now_ns - at_ns)))
        await asyncio.sleep(0.2)
        return told

    told = run(main())
    assert [name for name, _ in told] == ["first", "second", "timer", "later"]
    assert [at_ns // 1_000_000 for _, at_ns in told] == [15, 15, 15, 95]


def test_steps_of_a_tenth_add_up_without_drift() -> None:
    async def main() -> int:
        for _ in range(100_000):
            await asyncio.sleep(0.1)
        return loop_now().now_ns

    assert run(main()) == 10_000 * 10**9


@given(st.lists(st.integers(min_value=0, max_value=5), min_size=1, max_size=30))
@settings(deadline=None, max_examples=50)
def test_timers_fire_by_instant_then_in_the_order_they_were_set(delays: list[int]) -> None:
    async def main() -> list[tuple[int, int]]:
        fired: list[tuple[int, int]] = []
        for number, delay in enumerate(delays):
            loop_now().call_later(delay / 10, fired.append, (delay, number))
        await asyncio.sleep(1)
        return fired

    assert run(main()) == sorted((delay, number) for number, delay in enumerate(delays))


@given(st.lists(st.integers(min_value=0, max_value=8 * 10**15), min_size=1, max_size=8))
@settings(deadline=None, max_examples=100)
def test_a_timer_fires_at_its_exact_nanosecond_for_100_days(instants: list[int]) -> None:
    async def main() -> list[int]:
        fired: list[int] = []
        for at_ns in instants:
            loop_now().call_at_ns(at_ns, lambda: fired.append(loop_now().now_ns))
        await asyncio.sleep(8 * 10**6 + 1)
        return fired

    assert run(main()) == sorted(instants)


def test_a_timeout_of_asyncio_is_virtual_too() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run(main()) == 3600.0


def test_a_deadlock_names_who_waits_and_where() -> None:
    async def waits_for_ever() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(waits_for_ever(), name="fill-listener")
        await asyncio.sleep(12.5)
        await task

    with pytest.raises(Deadlock, match=r"12\.5.*main at .*fill-listener at net/test_virtual_loop"):
        run(main())


def test_going_round_in_circles_is_an_error() -> None:
    async def main() -> None:
        while True:  # noqa: ASYNC110 - this is the fault
            await asyncio.sleep(0)

    with pytest.raises(StandsStill, match="main at"):
        run(main())


def test_longer_than_time_is_exact_is_an_error() -> None:
    with pytest.raises(StandsStill, match="104 days"):
        run(asyncio.sleep(105 * 86_400))


@pytest.mark.parametrize(
    "reach",
    [
        lambda loop: asyncio.to_thread(print),
        lambda loop: asyncio.open_connection("localhost", 80),
        lambda loop: asyncio.create_subprocess_exec("true"),
        lambda loop: loop.create_server(asyncio.Protocol, "127.0.0.1", 0),
        lambda loop: loop.getaddrinfo("localhost", 80),
    ],
    ids=["thread", "connection", "process", "server", "name"],
)
def test_the_real_world_is_refused(
    reach: Callable[[asyncio.AbstractEventLoop], Awaitable[object]],
) -> None:
    async def main() -> None:
        with pytest.raises(AroundTheDoors, match="under simulation"):
            await reach(asyncio.get_running_loop())

    run(main())


def test_an_exception_where_nobody_waits_is_not_lost() -> None:
    async def main() -> str:
        loop_now().call_later(1, lambda: 1 // 0)
        await asyncio.sleep(2)
        return "well"

    with pytest.raises(ExceptionGroup) as raised:
        run(main())
    assert isinstance(raised.value.exceptions[0], ZeroDivisionError)


def test_what_main_leaves_behind_is_cancelled_in_the_order_it_was_made() -> None:
    ended: list[int] = []

    async def works(number: int) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(number)

    async def main() -> None:
        tasks = [asyncio.create_task(works(number)) for number in range(50)]
        await asyncio.sleep(1)
        assert len(set(tasks)) == 50

    run(main())
    assert ended == list(range(50))


PROGRAM = """
import asyncio, random
from veloz.net.simulated.loop import run

async def main():
    out, dice = [], random.Random(4711)
    async def work(number):
        try:
            await asyncio.sleep(dice.randint(0, 20) / 10)
            out.append(number)
            if number == 77:
                raise ValueError
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            out.append(-number)
            raise
    try:
        async with asyncio.TaskGroup() as group:  # walks a set when it cancels
            for number in range(100):
                group.create_task(work(number))
    except* ValueError:
        pass
    waiting = {asyncio.ensure_future(asyncio.sleep(dice.randint(1, 3), i)) for i in range(50)}
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        out.extend(task.result() for task in done)
    return out

print(run(main()))
"""


def test_two_processes_with_two_hash_seeds_agree() -> None:
    outs = set()
    for hash_seed in ("1", "2", "3"):
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        outs.add(ended.stdout)
    assert len(outs) == 1
    assert len(outs.pop()) > 500
