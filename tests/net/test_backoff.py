"""Attempts are spread out, and never more than a venue allows."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from veloz.net.backoff import Backoff
from veloz.net.simulated import World


def test_f_a05_streams_that_drop_together_do_not_come_back_together() -> None:
    world = World(1)
    clock = world.host("engine").clock
    third = []
    for seed in range(200):
        backoff = Backoff(clock, Random(seed), first_s=1.0, most_s=60.0)
        waits = [backoff.next_s() for _ in range(10)]
        assert waits[0] == 0.0
        assert all(wait <= min(60.0, 2.0 ** (n - 1)) for n, wait in enumerate(waits) if n)
        third.append(waits[3])
    assert len({round(wait, 1) for wait in third}) > 25  # over four seconds, evenly
    assert 1.6 < sum(third) / len(third) < 2.4


@given(
    most=st.integers(min_value=1, max_value=20),
    seed=st.integers(min_value=0, max_value=2**32),
    succeeds=st.lists(st.booleans(), min_size=30, max_size=80),
)
@settings(deadline=None, max_examples=50)
def test_no_five_minutes_hold_more_attempts_than_allowed(
    most: int, seed: int, succeeds: list[bool]
) -> None:
    world = World(seed)

    async def main() -> list[int]:
        clock, made = world.host("engine").clock, []
        backoff = Backoff(clock, Random(seed), first_s=0.1, most_s=5.0, most_per_5_min=most)
        for succeeded in succeeds:
            await backoff.wait()
            made.append(clock.monotonic_ns())
            if succeeded:
                backoff.succeeded()
        return made

    made = world.run(main())
    for number, at_ns in enumerate(made[most:]):
        assert at_ns - made[number] >= 300 * 10**9


def test_f_l02_a_step_of_the_wall_clock_changes_no_wait() -> None:
    waits = []
    for step_ns in (0, -(10**12), 10**12):
        world = World(2)
        clock = world.host("engine").clock
        backoff = Backoff(clock, Random(7), most_per_5_min=3)
        first = [backoff.next_s() for _ in range(2)]
        clock.step(step_ns)
        waits.append(first + [backoff.next_s() for _ in range(4)])
    assert waits[0] == waits[1] == waits[2]
