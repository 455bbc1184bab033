"""The law: a run's journal recovers to the same state, and verifies to the same commands."""

from __future__ import annotations

import asyncio
import json
import random
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.world import FOLDER, Place
from veloz.environments.law import check_law
from veloz.environments.paper import paper
from veloz.environments.trading.addresses import of_simulated
from veloz.environments.trading.lifetime import Home, Stop
from veloz.environments.trading.settings import Seat, TradingSettings
from veloz.exchange.exchange import Exchange
from veloz.exchange.words import Market
from veloz.net.real import real_doors
from veloz.net.real import run as run_real
from veloz.venues.binance.dialect import Generator, Simulation, default_listings

FILE = str(Path(__file__).parent / "strategies.py")
ANSWERING = Seat(f"{FILE}:Answering")
MUCH: dict[str, Any] = {
    "balance": {"USDT": Decimal(10_000_000)},
    "limits": {"max_orders_per_second": 1000},
}


@pytest.mark.parametrize("latency", ["0ms", "1ms", "5ms", "normal:5ms,3ms"])
def test_a_paper_run_on_a_loop_that_is_late_verifies(latency: str) -> None:
    place = Place(11, rate=40.0)
    dice = random.Random(latency)
    place.world.loop.busy = lambda: int(dice.expovariate(1 / 2e6))
    settings: dict[str, Any] = MUCH | {"entry_latency": latency, "report_latency": latency}

    async def main() -> dict[str, Any]:
        async with place.open():
            seats = (ANSWERING, Seat(f"{FILE}:Churn", {"step": 50}))
            return await place.trade_for(place.settings("paper", *seats, **settings), 8.0)

    outcome = place.world.run(main())
    assert outcome["fills"] > 50
    law = check_law(place.world.host("engine").disk, FOLDER)
    assert law.difference is None
    assert law.holds
    assert law.sequence == outcome["sequence"]


def test_a_paper_run_in_real_time_verifies(tmp_path: Path) -> None:
    async def main() -> dict[str, Any]:
        dice = [random.Random(number) for number in range(3)]
        exchange = Exchange(default_listings(), now_ns=time.time_ns, random=dice[0])
        simulation = Simulation(exchange, clock_ns=time.time_ns, random=dice[1])
        (listing,) = (one for one in exchange.listings(Market.USDM) if one.symbol == "BTCUSDT")
        simulation.drivers.append(Generator(exchange, listing, dice[2], rate=40.0))
        stop = Stop()
        async with real_doors() as venue, real_doors() as doors:
            shape = await simulation.serve(venue.sockets)
            beating = asyncio.create_task(simulation.run())
            await asyncio.sleep(0.5)
            asyncio.get_running_loop().call_later(4.0, stop.ask)
            settings = TradingSettings(
                environment="paper",
                seats=(ANSWERING,),
                folder=tmp_path / "run",
                hosts=of_simulated(json.dumps(shape)),
                account="binance/law",
                **MUCH,
            )
            outcome = await paper(settings, doors, Home(tmp_path / "home"), stop)
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            law = check_law(doors.files, tmp_path / "run")
        assert law.difference is None
        assert law.holds
        return outcome

    assert run_real(main())["fills"] > 10
