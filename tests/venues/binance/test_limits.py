"""The venue's limits and clock: headers, silence, priorities, offsets."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.venues.binance.streams import Venue, serve, simulated
from veloz.net.doors import HttpRequest, HttpResponse
from veloz.net.limits import Priority
from veloz.net.simulated import World
from veloz.venues.binance.budget import BinanceBudget
from veloz.venues.binance.rest import BinanceRest
from veloz.venues.binance.venue_clock import VenueClock


class Desk:
    """REST of one market over a venue that refuses on order."""

    def __init__(self, seed: int, market: Any = "spot") -> None:
        self.world = World(seed=seed)
        self.venue = Venue()
        self.doors = self.world.host("engine").boot()
        self.clock = VenueClock(self.doors)
        self.budget = BinanceBudget(market, self.doors.clock)
        self.rest = BinanceRest(simulated(market), self.doors, self.budget, self.clock)
        self.at_s: list[float] = []
        self.answers: list[HttpResponse] = []
        prefix = {"spot": "/api/v3", "usdm": "/fapi/v1", "coinm": "/dapi/v1"}[market]
        self.venue.routes[f"GET {prefix}/time"] = self.time
        self.venue.routes[f"GET {prefix}/depth"] = self.depth

    def time(self, params: dict[str, str]) -> Any:
        return {"serverTime": self.world.host("venue").clock.wall_ns() // 1_000_000}

    def depth(self, params: dict[str, str]) -> Any:
        self.at_s.append(self.world.loop.now_ns / 1e9)
        return self.answers.pop(0) if self.answers else {}


def refusal(status: int, after: str | None, used: str = "1") -> HttpResponse:
    headers = {"x-mbx-used-weight-1m": used} | ({} if after is None else {"retry-after": after})
    return HttpResponse(status, headers, json.dumps({"code": -1003, "msg": "Too many"}).encode())


@pytest.mark.parametrize(
    ("status", "after", "silence_s"), [(429, "7", 7), (418, "120", 120), (429, None, 60)]
)
def test_f_f01_f_f02_nothing_is_sent_between_a_refusal_and_its_retry_after(
    status: int, after: str | None, silence_s: float
) -> None:
    desk = Desk(1)
    desk.answers = [refusal(status, after)]

    async def main() -> None:
        await serve(desk.world, desk.venue)
        await desk.rest.call("depth")
        assert not desk.budget.take(0, 1, Priority.ORDER)
        assert not desk.budget.take(0, 0, Priority.CANCEL)
        ranks = (Priority.DATA, Priority.CANCEL, Priority.RESOLVE)
        await asyncio.gather(*(desk.rest.call("depth", priority=rank) for rank in ranks))

    desk.world.run(main())
    assert desk.at_s[1] - desk.at_s[0] >= silence_s
    assert desk.at_s[-1] - desk.at_s[0] < silence_s + 2.0


def test_f_f01_the_venues_own_count_replaces_ours() -> None:
    desk = Desk(2)
    desk.answers = [HttpResponse(200, {"x-mbx-used-weight-1m": "5950"}, b"{}")]

    async def main() -> None:
        await serve(desk.world, desk.venue)
        await desk.rest.call("depth")
        assert not desk.budget.take(10, 0, Priority.DATA)
        assert not desk.budget.take(10, 0, Priority.ORDER)
        assert desk.budget.take(10, 0, Priority.CANCEL)

    desk.world.run(main())


def test_f_f01_the_most_urgent_goes_first_when_the_window_opens() -> None:
    desk = Desk(3)
    order: list[str] = []

    async def one(rank: Priority) -> None:
        await desk.rest.call("depth", priority=rank)
        order.append(rank.name)

    async def main() -> None:
        await serve(desk.world, desk.venue)
        desk.budget.observe(200, {"x-mbx-used-weight-1m": "6000"})
        ranks = (Priority.DATA, Priority.ORDER, Priority.RESOLVE, Priority.CANCEL)
        await asyncio.gather(*(one(rank) for rank in ranks))

    desk.world.network.delay_ns = (1_000_000, 1_000_000)
    desk.world.run(main())
    assert order == ["CANCEL", "RESOLVE", "ORDER", "DATA"]


def test_limits_are_read_from_the_exchange_information() -> None:
    desk = Desk(4, "usdm")
    rows = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 100},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 20},
        {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 1},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": "x"},
        "nonsense",
    ]
    desk.budget.read_limits({"rateLimits": rows})
    desk.budget.read_limits(None)
    assert desk.budget.limits.left("weight-1m") == 100
    assert desk.budget.limits.left("orders-10s") == 20
    assert desk.budget.limits.left("orders-1m") == 1200


@pytest.mark.parametrize("offset_s", [-90.0, -1.0, 0.0, 1.0, 3600.0])
def test_f_l01_a_wrong_clock_here_does_not_move_the_stamp(offset_s: float) -> None:
    desk = Desk(5)
    desk.world.host("engine").clock.step(round(offset_s * 1e9))

    async def main() -> float:
        await serve(desk.world, desk.venue)
        assert not desk.clock.may_sign(3000)
        task = asyncio.create_task(desk.clock.run(desk.rest))
        await asyncio.sleep(5.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return desk.clock.now_ms() - desk.world.host("venue").clock.wall_ns() / 1e6

    assert abs(desk.world.run(main())) < 5.0
    assert desk.clock.may_sign(3000)


def test_f_l02_a_step_of_our_clock_stops_signing_until_the_venue_is_asked_again() -> None:
    desk = Desk(6)

    async def main() -> None:
        await serve(desk.world, desk.venue)
        task = asyncio.create_task(desk.clock.run(desk.rest))
        await asyncio.sleep(5.0)
        desk.world.host("engine").clock.step(30_000_000_000)
        assert not desk.clock.may_sign(3000)
        desk.clock.distrust()
        await asyncio.sleep(5.0)
        assert desk.clock.may_sign(3000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    desk.world.run(main())


def test_f_l01_answers_that_are_no_time_leave_it_unknown() -> None:
    desk = Desk(7)
    desk.venue.routes["GET /api/v3/time"] = lambda params: {"serverTime": "soon"}

    async def main() -> None:
        await serve(desk.world, desk.venue)
        assert not await desk.clock.ask(desk.rest)
        assert not desk.clock.may_sign(60_000)

    desk.world.run(main())


def test_a_signature_is_made_after_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-C10: the request waits for the limits first, and is stamped when it goes."""
    desk = Desk(8)
    stamps: list[int] = []

    class Key:
        api_key = "k"

        def sign_rest(self, params: Any, timestamp_ms: int, recv_window_ms: int) -> str:
            stamps.append(timestamp_ms)
            return "signature=x"

    async def http(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, {}, b"[]")

    monkeypatch.setattr(desk.venue, "http", http)
    rest = BinanceRest(simulated("spot"), desk.doors, desk.budget, desk.clock, codec=Key())  # type: ignore[arg-type]

    async def main() -> int:
        await serve(desk.world, desk.venue)
        desk.budget.limits.silence(30.0)
        asked_ms = desk.clock.now_ms()
        await rest.call("open_orders")
        return stamps[0] - asked_ms

    assert desk.world.run(main()) >= 30_000
