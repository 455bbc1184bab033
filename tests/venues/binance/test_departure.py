"""The short way of a request: the same bytes as the long one, or nothing at all."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.environments.test_live_engine import Quoter, engine_of, hear, rows
from veloz._core import BinanceSigner
from veloz.net.limits import Leases, Priority
from veloz.net.simulated import World
from veloz.venues.binance.budget import BinanceBudget
from veloz.venues.binance.departure import LONG_AGO_MS, departure
from veloz.venues.binance.venue_clock import VenueClock

FOLDER = Path("/limits")
WINDOW_MS = 3_000
MS = 1_000_000
SECOND = 1_000 * MS
KEY = BinanceSigner("key", "secret")


@cache
def requests() -> dict[str, Any]:
    """A placed order and a cancel, as an engine lets them go."""
    engine = engine_of(Quoter())
    heard = rows(600)
    engine.deposit(0, "USDT", "100000", heard[0].ts_recv)
    engine.start(heard[0].ts_recv)
    found: dict[str, Any] = {}
    for row in heard:
        hear(engine, row)
        found |= {request.kind: request for request in engine.take_requests()}
    return found


class Place:
    """A budget, a clock of the venue, and the short way over both."""

    def __init__(self, world: World, *, is_shared: bool = False) -> None:
        doors = world.host("engine")
        self.hands = doors.clock
        leases = None
        if is_shared:
            doors.disk.make_folder(FOLDER)
            leases = Leases(doors.disk, FOLDER / "weight", doors.clock, is_engine=True)
        self.budget = BinanceBudget("usdm", self.hands, leases)
        self.budget.look_ahead()
        time = VenueClock(doors)
        self.sure = time.offset.sure
        self.sure.know(1 << 62, WINDOW_MS * MS, 7 * MS)
        self.way = departure(time, self.budget, KEY, WINDOW_MS)

    def frame(self, kind: str, *, wall_step_ns: int = 0) -> bytes | None:
        wall_ns = self.hands.wall_ns() + wall_step_ns
        return self.way.frame(requests()[kind], self.hands.monotonic_ns(), wall_ns)


@pytest.mark.parametrize("kind", ["place", "cancel"])
def test_its_frame_is_the_long_ways_and_its_price_is_taken(kind: str) -> None:
    place, request = Place(World(1)), requests()[kind]
    stamp_ms = (place.hands.wall_ns() + 7 * MS) // MS
    expected = request.encoded.ws_frame(KEY, str(request.number), stamp_ms, WINDOW_MS)
    bucket, taken = ("orders-10s", 1) if kind == "place" else ("weight-1m", 1)
    before = place.budget.limits.left(bucket)
    assert place.frame(kind) == expected
    assert place.way.timestamp_ms == stamp_ms != LONG_AGO_MS
    assert place.budget.limits.left(bucket) == before - taken


@given(
    used=st.integers(0, 320),
    silent_s=st.sampled_from([0, 0, 5]),
    is_known=st.booleans(),
    step_ns=st.sampled_from([0, 0, SECOND]),
)
def test_it_goes_only_where_the_long_way_would_go_and_else_takes_nothing(
    used: int, silent_s: int, is_known: bool, step_ns: int
) -> None:
    place = Place(World(1))
    place.budget.limits.read({"orders-10s": used})
    if silent_s:
        place.budget.limits.silence(silent_s)
    if not is_known:
        place.sure.doubt()
    left = place.budget.limits.left("orders-10s")
    has_room = place.budget.has_room(0, 1, Priority.ORDER)
    frame = place.frame("place", wall_step_ns=step_ns)
    assert (frame is not None) == (has_room and is_known and not step_ns)
    assert place.budget.limits.left("orders-10s") == left - (frame is not None)


def test_beyond_the_engines_own_share_of_an_address_the_others_are_asked() -> None:
    place = Place(World(1), is_shared=True)
    limits = place.budget.limits
    assert limits.take_now({"weight-1m": 1_199}, Priority.CANCEL)  # half of 2,400 is the engine's
    assert place.frame("cancel") is not None
    left = limits.left("weight-1m")
    assert place.frame("cancel") is None
    assert limits.left("weight-1m") == left
    assert limits.take_now({"weight-1m": 1}, Priority.CANCEL)  # which leases a twentieth
    assert place.frame("cancel") is not None


def test_it_waits_behind_those_who_wait() -> None:
    world = World(1)

    async def main() -> None:
        place = Place(world)
        limits = place.budget.limits
        limits.read({"weight-1m": 2_400})
        waiting = asyncio.create_task(limits.take({"weight-1m": 1}, Priority.CANCEL))
        await asyncio.sleep(0.001)
        assert not waiting.done()
        assert place.frame("place") is None
        await waiting
        await asyncio.sleep(0.001)
        assert place.frame("place") is not None

    world.run(main())
