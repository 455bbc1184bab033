"""The venue's clock: within the stated bound always, distrusted when it jumps."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from veloz.net.clock_offset import ClockOffset
from veloz.net.simulated import World

MS = 1_000_000
S = 1_000_000_000


@given(
    seed=st.integers(min_value=0, max_value=2**32),
    skew_ms=st.integers(min_value=-100_000, max_value=100_000),
    drift_ppm=st.integers(min_value=-40, max_value=40),
    resolution_ns=st.sampled_from([0, MS]),
)
@settings(deadline=None, max_examples=60)
def test_f_l01_the_true_offset_is_always_within_the_bound(
    seed: int, skew_ms: int, drift_ppm: int, resolution_ns: int
) -> None:
    world = World(seed)
    ours, venue = world.host("engine").clock, world.host("venue").clock
    ours.step(skew_ms * MS)
    ours.drift(drift_ppm)

    async def main() -> None:
        dice, offset = world.dice("ways"), ClockOffset(ours)
        for _ in range(40):
            asked_ns = ours.monotonic_ns()
            await asyncio.sleep(dice.uniform(0.001, dice.choice((0.01, 0.5))))
            told_ns = venue.wall_ns()
            if resolution_ns:
                told_ns -= told_ns % resolution_ns
            await asyncio.sleep(dice.uniform(0.001, dice.choice((0.01, 0.5))))
            assert offset.heard(asked_ns, told_ns, resolution_ns=resolution_ns)
            await asyncio.sleep(dice.uniform(0, 60))
            best, said = offset.best(), offset.venue_ns()
            assert best is not None
            assert said is not None
            assert abs(said - venue.wall_ns()) <= best.error_ns + 1_000
        assert offset.distrusted == 0

    world.run(main())


def ask(offset: ClockOffset, world: World, venue_ns: int) -> bool:
    return offset.heard(world.host("engine").clock.monotonic_ns() - 10 * MS, venue_ns)


def test_f_l03_a_jump_of_the_venue_is_believed_at_the_third_answer() -> None:
    world = World(3)

    async def main() -> None:
        ours = world.host("engine").clock
        offset = ClockOffset(ours)
        assert offset.venue_ns() is None
        assert not offset.may_sign(5 * S)
        assert ask(offset, world, ours.wall_ns())
        assert offset.may_sign(5 * S)
        jumped = [ask(offset, world, ours.wall_ns() + 60 * S) for _ in range(2)]
        assert jumped == [False, False]
        assert not offset.may_sign(5 * S)
        best = offset.best()
        assert best is not None
        assert abs(best.offset_ns) < 10 * MS
        assert ask(offset, world, ours.wall_ns() + 60 * S)
        best = offset.best()
        assert best is not None
        assert best.offset_ns > 59 * S
        assert offset.may_sign(5 * S)
        assert (offset.distrusted, offset.jumps) == (3, 1)

    world.run(main())


def test_f_l03_one_wrong_answer_among_right_ones_changes_nothing() -> None:
    world = World(4)

    async def main() -> None:
        ours = world.host("engine").clock
        offset = ClockOffset(ours)
        for wrong in (0, -3600 * S, 0, 7 * S, 0):
            assert ask(offset, world, ours.wall_ns() + wrong) == (wrong == 0)
        assert offset.jumps == 0
        assert offset.may_sign(S)

    world.run(main())


def test_f_l02_a_step_of_our_clock_forgets_what_was_known() -> None:
    world = World(5)

    async def main() -> None:
        ours = world.host("engine").clock
        offset = ClockOffset(ours)
        ask(offset, world, ours.wall_ns())
        ours.step(-2 * S)
        assert offset.venue_ns() is None
        assert not offset.may_sign(60 * S)
        assert offset.jumps == 1
        ask(offset, world, ours.true_wall_ns())
        said = offset.venue_ns()
        assert said is not None
        assert abs(said - ours.true_wall_ns()) < 10 * MS

    world.run(main())


def test_f_l01_orders_stop_when_the_bound_exceeds_the_window() -> None:
    world = World(6)

    async def main() -> None:
        ours = world.host("engine").clock
        offset = ClockOffset(ours)
        asked_ns = ours.monotonic_ns()
        await asyncio.sleep(4)
        offset.heard(asked_ns, ours.wall_ns())
        assert offset.may_sign(2_001 * MS)
        assert not offset.may_sign(1_999 * MS)
        await asyncio.sleep(601)
        assert not offset.may_sign(60 * S)  # too old to count at all

    world.run(main())


@given(seed=st.integers(min_value=0, max_value=2**32))
@settings(deadline=None, max_examples=40)
def test_a_stamp_is_given_exactly_where_a_request_may_be_signed(seed: int) -> None:
    world = World(seed)

    async def main() -> int:
        ours, dice = world.host("engine").clock, world.dice("ways")
        offset, given_ = ClockOffset(ours), 0
        for _ in range(120):
            what = dice.random()
            if what < 0.3:
                asked_ns = ours.monotonic_ns()
                await asyncio.sleep(dice.uniform(0.001, 0.2))
                jump_ns = S if dice.random() < 0.2 else 0
                offset.heard(asked_ns, ours.true_wall_ns() + jump_ns)
            elif what < 0.35:
                ours.step(dice.choice((-S, 2 * MS, S)))
            else:
                await asyncio.sleep(dice.choice((0.001, 1.0, 200.0)))
            window_ns = dice.choice((20 * MS, 60 * MS, 3 * S))
            stamp_ns = offset.stamp_ns(window_ns)
            assert stamp_ns == (offset.venue_ns() if offset.may_sign(window_ns) else None)
            given_ += stamp_ns is not None
        return given_

    assert world.run(main()) > 0
