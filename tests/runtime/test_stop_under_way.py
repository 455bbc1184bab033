"""A run that is asked to stop while an order is under way: its policy holds all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.runtime.test_in_memory import FILE, SYMBOLS, check_ledger
from tests.runtime.world import FOLDER, Place
from veloz.environments.law import check_law
from veloz.environments.trading.lifetime import Stop
from veloz.environments.trading.settings import Seat
from veloz.exchange.words import Market

PLACE = {"request": "order.place", "nth": 1}
LATE = {
    "placed later": ("F-C03", PLACE, {"later_ms": 2_000}),
    "no answer": ("F-C02", PLACE, {}),
    "nothing heard": ("F-A07", {}, {}),
    "told late": ("F-D06", {"nth": 1}, {"delay_ms": 5_000}),
}


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - the venue's state has no event
        await asyncio.sleep(0.005)


def entering(market: str) -> Seat:
    symbol, _, qty = SYMBOLS[market]
    return Seat(f"{FILE}:Entering", {"symbol": symbol, "qty": qty})


@pytest.mark.parametrize("market", ["spot", "usdm", "coinm"])
@pytest.mark.parametrize("late", LATE)
def test_flatten_waits_for_the_order_and_closes_what_it_brought(late: str, market: str) -> None:
    place = Place(151)
    fault, when, args = LATE[late]

    async def main() -> dict[str, Any]:
        async with place.open():
            place.simulation.faults.add({"fault": fault, "when": when, "args": args})
            if late == "nothing heard":
                row = {"fault": "F-C02", "when": PLACE, "args": {}}
                place.simulation.faults.add(row)
            stop = Stop()
            settings = place.settings("live", entering(market), records_market=True)
            run = asyncio.create_task(place.trade(settings, place.boot(), stop))
            await until(lambda: "started" in [name for name, _ in place.told])
            await until(lambda: bool(place.simulation.faults.counts().get(fault)))
            await asyncio.sleep(0.02)
            stop.ask()
            return await run

    outcome = place.world.run(main())
    assert outcome["wound_down"] is True, place.words("not_wound_down")
    assert outcome["differences"] == []
    assert [
        row for row in outcome["positions"] if abs(Decimal(row["qty"])) > Decimal("0.001")
    ] == []
    assert outcome["fills"] >= 2
    check_ledger(place, outcome, [market])
    assert place.exchange.open_orders(place.owner, Market(market)) == []
    law = check_law(place.world.host("engine").disk, FOLDER)
    assert law.difference is None
    assert law.holds


def test_flatten_on_paper_waits_as_well() -> None:
    place = Place(152)

    async def main() -> dict[str, Any]:
        async with place.open():
            stop = Stop()
            settings = place.settings(
                "paper", entering("usdm"), entry_latency="2s", report_latency="2s"
            )
            run = asyncio.create_task(place.trade(settings, place.boot(), stop))
            await until(lambda: "started" in [name for name, _ in place.told])
            await asyncio.sleep(1.5)
            stop.ask()
            return await run

    outcome = place.world.run(main())
    assert outcome["wound_down"] is True
    assert outcome["positions"] == []
    assert outcome["fills"] >= 2
    assert check_law(place.world.host("engine").disk, FOLDER).holds


def test_what_the_venue_does_not_let_us_close_is_left_to_a_person() -> None:
    """It is tried three times, and not for ever."""
    place = Place(153)

    async def main() -> dict[str, Any]:
        async with place.open():
            stop = Stop()
            settings = place.settings("live", entering("usdm"))
            run = asyncio.create_task(place.trade(settings, place.boot(), stop))
            await until(lambda: bool(place.exchange.fills(place.owner, Market.USDM)))
            await asyncio.sleep(1.0)
            refused = {"fault": "F-C11", "when": {"request": "order.place"}, "args": {}}
            place.simulation.faults.add(refused)
            stop.ask()
            return await run

    outcome = place.world.run(main())
    assert outcome["wound_down"] is False
    assert place.simulation.faults.counts()["F-C11"] == 4
    assert [row["qty"] for row in outcome["positions"]] == ["0.01"]


@pytest.mark.parametrize("after_s", [1.0, 7.0])
def test_a_strategy_that_used_the_limits_up_is_wound_down_all_the_same(after_s: float) -> None:
    """Its orders still wait here when it is stopped: they never leave; what it holds is sold."""
    place = Place(154)
    limits = {"max_orders_per_second": "1000"}

    async def main() -> dict[str, Any]:
        async with place.open():
            stop = Stop()
            seat = Seat(f"{FILE}:Hasty", {"qty": SYMBOLS["usdm"][2]})
            settings = place.settings("live", seat, limits=limits, records_market=True)
            run = asyncio.create_task(place.trade(settings, place.boot(), stop))
            await until(lambda: "started" in [name for name, _ in place.told])
            await asyncio.sleep(after_s)
            stop.ask()
            return await run

    outcome = place.world.run(main())
    assert outcome["wound_down"] is True, place.words("not_wound_down")
    assert outcome["positions"] == []
    assert outcome["differences"] == []
    assert place.exchange.open_orders(place.owner, Market.USDM) == []
    row = outcome["sessions"]["usdm"]
    assert row["orders"]["refused"] == 0  # no cancel came before its order
    check_ledger(place, outcome, ["usdm"])
    assert check_law(place.world.host("engine").disk, FOLDER).holds


def test_a_cancel_that_the_venue_refused_is_asked_for_again() -> None:
    place = Place(155)

    async def main() -> dict[str, Any]:
        async with place.open():
            stop = Stop()
            seat = Seat(f"{FILE}:Waiting", {"has_stop": 0})
            settings = place.settings("live", seat, records_market=True)
            run = asyncio.create_task(place.trade(settings, place.boot(), stop))
            await until(lambda: bool(place.exchange.open_orders(place.owner, Market.USDM)))
            await asyncio.sleep(1.0)
            refused = {"fault": "F-C11", "when": {"request": "order.cancel", "nth": 1}, "args": {}}
            place.simulation.faults.add(refused)
            stop.ask()
            return await run

    outcome = place.world.run(main())
    assert place.simulation.faults.counts()["F-C11"] == 1
    assert outcome["wound_down"] is True, place.words("not_wound_down")
    assert place.exchange.open_orders(place.owner, Market.USDM) == []
    assert check_law(place.world.host("engine").disk, FOLDER).holds
