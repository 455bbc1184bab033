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
from veloz.environments.trading.settings import Rhythm, Seat, TradingSettings
from veloz.errors import DataError
from veloz.exchange.exchange import Exchange
from veloz.exchange.words import Market
from veloz.net.real import real_doors
from veloz.net.real import run as run_real
from veloz.storage.journal import columns_of
from veloz.venues.binance.dialect import Generator, Simulation, default_listings

FILE = str(Path(__file__).parent / "strategies.py")
ANSWERING = Seat(f"{FILE}:Answering")
MUCH: dict[str, Any] = {
    "balance": {"USDT": Decimal(10_000_000)},
    "limits": {"max_orders_per_second": 1000},
}


def churn(market: str, **parameters: object) -> Seat:
    symbol = {"spot": "binance:BTC/USDT", "usdm": "binance:BTC/USDT:USDT"}[market]
    return Seat(f"{FILE}:Churn", {"symbol": symbol, "step": 200, **parameters})


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


@pytest.mark.parametrize("environment", ["paper", "live"])
def test_a_run_whose_wall_clock_goes_back_and_leaps_verifies(environment: str) -> None:
    place = Place(15, rate=40.0)
    clock = place.world.host("engine").clock
    settings: dict[str, Any] = MUCH | {"records_market": True}

    async def main() -> dict[str, Any]:
        async with place.open():
            loop = asyncio.get_running_loop()
            for after_s, by_ms in ((4.0, -700), (6.0, 900), (7.0, -40), (7.5, -1), (9.0, 350)):
                loop.call_later(after_s, clock.step, by_ms * 1_000_000)
            seats = (ANSWERING, churn("usdm", step=50))
            return await place.trade_for(place.settings(environment, *seats, **settings), 14.0)

    outcome = place.world.run(main())
    assert outcome["fills"] > 50
    law = check_law(place.world.host("engine").disk, FOLDER)
    assert law.difference is None
    assert law.holds


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


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_a_live_run_that_records_the_market_verifies(market: str) -> None:
    place = Place(12)
    dice = random.Random(market)
    place.world.loop.busy = lambda: int(dice.expovariate(1 / 1e6))

    async def main() -> dict[str, Any]:
        async with place.open():
            settings = place.settings("live", churn(market), records_market=True)
            return await place.trade_for(settings, 20.0)

    outcome = place.world.run(main())
    assert outcome["fills"] > 10
    assert outcome["differences"] == []
    law = check_law(place.world.host("engine").disk, FOLDER)
    assert law.difference is None
    assert law.holds
    assert (law.first, law.sequence) == (1, outcome["sequence"])


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_live_run_that_was_gone_on_with_verifies_from_its_last_start(end: str) -> None:
    place = Place(13)
    host = place.world.host("engine")
    rhythm = Rhythm(reconcile_s=20.0, save_s=4.0, snapshot_s=7.0)

    async def main() -> list[dict[str, Any]]:
        async with place.open():
            ends: list[dict[str, Any]] = []
            for step in (200, 300, 400):
                seat = churn("usdm", step=step)
                settings = place.settings("live", seat, records_market=True, rhythm=rhythm)
                if end == "kill" and step < 400:
                    task = asyncio.create_task(place.trade(settings, place.boot(), Stop()))
                    await asyncio.sleep(16.3)
                    host.kill()
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                else:
                    ends.append(await place.trade_for(settings, 16.0))
                await asyncio.sleep(3.0)
            return ends

    ends = place.world.run(main())
    assert len(place.words("recovered")) == 2
    law = check_law(host.disk, FOLDER)
    assert law.difference is None
    assert law.holds
    assert 1 < law.first < law.sequence == ends[-1]["sequence"]
    # The strategy counted on over its restarts, also when the last thing saved was a snapshot.
    saved = [
        int(bytes(row))
        for name in sorted(host.disk.list(FOLDER))
        if name.startswith("trading-") and name.endswith(".vj")
        for row in columns_of(host.disk.read(FOLDER / name), "SavedState")["text"]
    ]
    assert saved == sorted(saved)
    assert saved[-1] > 80


def test_a_live_run_without_its_market_says_so() -> None:
    place = Place(14)

    async def main() -> None:
        async with place.open():
            await place.trade_for(place.settings("live", churn("usdm")), 10.0)

    place.world.run(main())
    with pytest.raises(DataError, match="was not recorded") as refused:
        check_law(place.world.host("engine").disk, FOLDER)
    assert "--record-market" in str(refused.value.hint)
