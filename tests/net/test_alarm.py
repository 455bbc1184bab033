"""The alarm rings when it says, finer than the loop's own timers."""

from __future__ import annotations

import asyncio
import time

import pytest
import uvloop

from veloz.net.real import Alarm

MS = 1_000_000


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_an_alarm_rings_at_its_instant_and_not_before(runner) -> None:
    async def scene() -> list[int]:
        alarm, late = Alarm(), list[int]()
        for _ in range(100):
            due_ns = time.time_ns() + MS // 4
            await alarm.until(due_ns)
            late.append(time.time_ns() - due_ns)
        alarm.close()
        alarm.close()
        return late

    late = runner(scene())
    assert min(late) >= 0
    # The loop's own timers count in milliseconds: by them none would come so soon.
    assert min(late) < MS // 2


def test_an_alarm_that_is_given_up_can_be_set_again() -> None:
    async def scene() -> None:
        alarm = Alarm()
        waiting = asyncio.ensure_future(alarm.until(time.time_ns() + 5 * MS))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0.02)
        began_ns = time.time_ns()
        await alarm.until(began_ns + 3 * MS)
        assert time.time_ns() - began_ns >= 3 * MS
        alarm.close()

    uvloop.run(scene())
