"""One address, several processes, several lives: the venue's silence and its weight are theirs."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from tests.runtime.test_in_memory import check_ledger, churn
from tests.runtime.world import Place
from veloz.environments.trading.lifetime import Stop
from veloz.exchange.words import Market
from veloz.venues.binance.dialect.venue import Venue


class Gate:
    """What comes to the venue's door while an address is banned."""

    def __init__(self, venue: Venue) -> None:
        self.while_banned = 0
        self.addresses: set[str] = set()
        for market in (Market.SPOT, Market.USDM):
            self._watch(venue.limits[market])

    def _watch(self, limits: Any) -> None:
        take = limits.take

        def watched(address: str, weight: int, now_ms: int) -> None:
            self.addresses.add(address)
            self.while_banned += limits._row(address, now_ms).banned_until_ms > now_ms
            take(address, weight, now_ms)

        limits.take = watched


def test_f_f02_a_restart_in_the_middle_of_a_ban_stays_silent() -> None:
    place = Place(41)
    host = place.world.host("engine")
    venue = place.simulation.venue
    gate = Gate(venue)
    seen: dict[str, Any] = {}

    async def main() -> dict[str, Any]:
        async with place.open():
            settings = place.settings("live", churn("usdm"))
            first = asyncio.create_task(place.trade(settings, place.boot(), Stop()))
            await asyncio.sleep(10.0)
            now_ms = venue.now_ms()
            for address in gate.addresses:
                venue.limits[Market.USDM].ban(address, now_ms, 90_000)
            await asyncio.sleep(10.0)
            seen["heard"] = gate.while_banned
            host.kill()
            first.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await first
            gate.while_banned = 0
            again = await place.trade_for(place.settings("live", churn("usdm")), 150.0)
            seen["again"] = gate.while_banned
            return again

    outcome = place.world.run(main())
    assert seen["heard"] > 0  # the first life was told, or nothing was tested
    assert seen["again"] == 0
    assert 60 < place.words("silent")[0]["seconds"] <= 90
    assert outcome["fills"] > 5
    assert outcome["differences"] == []
    check_ledger(place, outcome, ["usdm"])


def test_a_second_process_keeps_the_silence_that_the_first_was_asked_for() -> None:
    place = Place(42)
    venue = place.simulation.venue
    gate = Gate(venue)

    async def main() -> None:
        async with place.open():
            doors, stop = place.boot(), Stop()
            live = place.settings("live", churn("usdm"))
            first = asyncio.create_task(place.trade(live, doors, stop))
            await asyncio.sleep(10.0)
            for address in gate.addresses:
                venue.limits[Market.USDM].ban(address, venue.now_ms(), 30_000)
            await asyncio.sleep(10.0)
            gate.while_banned = 0
            paper = place.settings("paper", churn("usdm"), folder=Path("/runs/paper"))
            second = asyncio.create_task(place.trade(paper, doors, stop))
            await asyncio.sleep(10.0)
            assert gate.while_banned == 0
            assert not second.done()
            await asyncio.sleep(30.0)
            stop.ask()
            await asyncio.gather(first, second)

    place.world.run(main())
    assert [row["market"] for row in place.words("silent")] == ["usdm"]
