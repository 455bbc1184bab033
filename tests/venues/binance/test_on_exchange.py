"""The three markets against the simulated exchange, which speaks the venue's protocol itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.venues.binance.exchange_stage import FAULTS, MARKETS, QTY, Place, long
from veloz._core import record_schemas
from veloz.exchange.words import Market
from veloz.net.real import real_doors
from veloz.net.real import run as run_real
from veloz.net.simulated import Dial, Fate, Parcel
from veloz.venues.binance.dead_man import Countdown
from veloz.venues.binance.line import LineTimes
from veloz.venues.binance.ws_api import SessionTimes


@pytest.mark.parametrize("market", MARKETS)
def test_data_orders_and_account_work_against_the_exchange(market: str) -> None:
    place = Place(1, market)

    async def main() -> None:
        async with place.running():
            book = await place.live()
            resting = place.trade("buy", crosses=False)
            taking = place.trade("buy", crosses=True)
            await asyncio.sleep(2.0)
            assert place.engine.status(resting) == "NEW"
            assert place.engine.status(taking) == "FILLED"
            place.engine.cancel(resting)
            place.gateway.pump()
            selling = place.trade("sell", crosses=True)
            await asyncio.sleep(2.0)
            assert place.engine.status(resting) == "CANCELED"
            assert place.engine.status(selling) == "FILLED"
            assert place.engine.position() == 0
            await asyncio.sleep(20.0)
            assert book.state == "live"
            assert await place.reconciler.once()

    place.world.run(main())
    assert place.engine.differences == []
    assert place.engine.words("unknown", "refused", "not_sent") == []
    assert place.gateway.counts["by_rest"] == 0
    assert place.feed.counts["malformed"] == 0
    assert place.feed.books.in_vain_total == 0
    place.check()


@pytest.mark.parametrize("market", MARKETS)
def test_f_f01_no_order_connection_is_tried_while_the_venue_asks_for_silence(market: str) -> None:
    place = Place(4, market)
    api_dials: list[str] = []

    def noted(dial: Dial) -> None:
        if dial.kind == "ws" and "ws-" in dial.url:
            api_dials.append(dial.url)

    async def main() -> None:
        async with place.running():
            await place.live()
            now_ms = place.simulation.venue.now_ms()
            limits = place.simulation.venue.limits[Market(market)]
            await asyncio.sleep((61_000 - now_ms % 60_000) / 1000)  # a minute has just begun
            limits.exhaust("engine", place.simulation.venue.now_ms())
            for link in list(place.world.network.links):
                link.cut()
            place.world.network.refuse = noted
            await asyncio.sleep(55.0)
            # each session hears of the silence by one attempt of its own, or of the other's
            assert 1 <= len(api_dials) <= 2
            assert not place.gateway.is_open
            await asyncio.sleep(10.0)
            assert place.gateway.is_open
            assert await place.reconciler.once()

    place.world.run(main())
    place.check()


@pytest.mark.parametrize("market", MARKETS)
def test_f_a01_roll_overs_of_every_connection_while_trading(market: str) -> None:
    place = Place(2, market)
    times = (SessionTimes(age_s=20.0, retire_s=5.0), LineTimes(age_s=20.0))

    async def main() -> None:
        async with place.running(*times):
            book = await place.live()
            for number in range(60):
                place.trade("buy" if number % 2 else "sell", crosses=number % 3 == 0)
                await asyncio.sleep(2.0)
                assert book.state == "live"
            await asyncio.sleep(10.0)

    place.world.run(main())
    assert place.feed.counts["rollovers"] >= 4
    assert place.engine.words("unknown", "unsynced") == []
    assert place.engine.marks == []
    assert place.engine.differences == []
    assert len(place.engine.fills_by_id) >= 20
    place.check()


@pytest.mark.parametrize(("fault", "args"), FAULTS)
@pytest.mark.parametrize("market", [MARKETS[0], *(long(market) for market in MARKETS[1:])])
def test_each_fault_of_a_request_ends_in_one_truth(
    market: str, fault: str, args: dict[str, Any]
) -> None:
    """F-C01, F-C02, F-C03, F-C05, F-C06, F-C10, F-C11, F-D01, F-F03, F-F05."""
    place = Place(3, market)

    async def main() -> None:
        async with place.running():
            await place.live()
            row = {"fault": fault, "when": {"request": "order.place", "nth": 3}, "args": args}
            place.simulation.faults.add(row)
            for number in range(6):
                place.trade("buy", crosses=number % 2 == 0)
                await asyncio.sleep(1.0)
            await asyncio.sleep(90.0)
            await place.reconciler.once()

    place.world.run(main())
    assert place.simulation.faults.counts() == {fault: 1}
    place.check()


@pytest.mark.parametrize("effect", ["", "done", "not"])
@pytest.mark.parametrize("market", MARKETS)
def test_f_c08_an_amend_without_an_answer_is_judged_by_the_orders_terms(
    market: str, effect: str
) -> None:
    place = Place(8, market)
    few, more = {"coinm": ("10", "20")}.get(market, ("0.02", "0.01"))

    async def main() -> None:
        async with place.running():
            book = await place.live()
            price = str(round(book.best[0] * 0.95))
            name = place.engine.place("buy", few, price)
            place.gateway.pump()
            await asyncio.sleep(2.0)
            if effect:
                row = {"fault": "F-C08", "when": {"nth": 1}, "args": {"effect": effect}}
                place.simulation.faults.add(row)
            place.engine.amend(name, (more, price), (few, price))
            place.gateway.pump()
            await asyncio.sleep(60.0)
            assert place.engine.status(name) == "NEW"
            market_of = Market(market)
            account = place.simulation.venue.exchange.accounts()[0]
            (order,) = place.exchange.all_orders(account, market_of, place.symbol)
            assert order.qty == Decimal(few if effect == "not" else more)

    place.world.run(main())
    assert place.engine.words("unknown") == (["unknown"] if effect else [])
    assert place.engine.words("lapsed") == (["lapsed"] if effect == "not" else [])
    assert place.engine.words("answered") == ["answered"] * (1 if effect == "not" else 2)
    place.check()


@pytest.mark.parametrize("market", ["usdm", "coinm"])
def test_f_n06_the_venue_cancels_when_nobody_renews_the_countdown(market: str) -> None:
    place = Place(9, market)

    async def main() -> None:
        async with place.running():
            await place.live()
            name = place.trade("buy", crosses=False)
            await asyncio.sleep(2.0)
            countdown = Countdown(place.rest, place.engine, 0, countdown_s=10.0)
            renewing = asyncio.create_task(countdown.run())
            await asyncio.sleep(40.0)
            assert place.engine.status(name) == "NEW"
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await asyncio.sleep(15.0)
            assert place.engine.status(name) == "CANCELED"

    place.world.run(main())
    place.check()


@pytest.mark.parametrize("market", MARKETS)
def test_bars_of_the_exchange_join_history(market: str) -> None:
    place = Place(7, market)

    async def main() -> list[tuple[int, int]]:
        async with place.running():
            await asyncio.sleep(400.0)
            assert await place.feed.warm_up(place.symbol, "1m", 5) == 5
            await asyncio.sleep(200.0)
            packed = place.engine.decoder.events()["Bar"]
        rows = np.frombuffer(packed, np.dtype(record_schemas()["Bar"]))
        return [(int(row["ts_open"]), int(row["ts_close"])) for row in rows]

    spans = place.world.run(main())
    minute = 60_000_000_000
    opens = [first for first, _ in spans]
    assert opens == list(range(opens[0], opens[0] + minute * len(opens), minute))
    assert len(opens) >= 8


HASHES = """
import sys
from tests.venues.binance.test_on_exchange import churn
print(churn(11, "usdm"))
"""


def churn(seed: int, market: str) -> str:
    """What crossed the network in a minute of trading with roll-overs, as a digest."""
    place = Place(seed, market)

    async def main() -> None:
        async with place.running(SessionTimes(age_s=15.0), LineTimes(age_s=15.0)):
            await place.live()
            for number in range(20):
                place.trade("buy" if number % 2 else "sell", crosses=number % 3 == 0)
                await asyncio.sleep(2.0)

    place.world.run(main())
    return place.world.network.digest()


def test_two_hash_seeds_put_the_same_bytes_on_every_wire() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", HASHES],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] != ""


@pytest.mark.parametrize("fault", ["", "F-C01", "F-C02"])
@pytest.mark.parametrize("market", MARKETS)
def test_conditional_orders_have_a_life_of_their_own(market: str, fault: str) -> None:
    """F-D12: on futures they wait in another service, with ids and queries of their own."""
    place = Place(6, market)

    async def main() -> None:
        async with place.running():
            book = await place.live()
            if fault:
                when = {"request": "order.place" if market == "spot" else "algoOrder.place"}
                place.simulation.faults.add({"fault": fault, "when": {**when, "nth": 1}})
            trigger = str(round(book.best[0] * 0.95))
            name = place.engine.stop("sell", QTY[market], trigger)
            place.gateway.pump()
            await asyncio.sleep(60.0)
            lives = fault != "F-C01"
            assert place.engine.status(name) == ("NEW" if lives else "absent")
            assert await place.reconciler.once()
            if lives:
                place.engine.cancel_stop(name)
                place.gateway.pump()
                await asyncio.sleep(10.0)
                assert place.engine.status(name) == "CANCELED"

    place.world.run(main())
    assert place.engine.differences == []
    assert place.resolver.open == 0


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("seed", [0, *(long(seed) for seed in range(1, 10))])
def test_everything_at_once_loses_nothing_and_doubles_nothing(seed: int, market: str) -> None:
    """Groups C, D and F by chance, and a network that cuts, delays, loses and doubles (A)."""
    rows: list[dict[str, Any]] = [
        {"fault": fault, "when": {"request": "order.*", "rate_per_1k_events": 30}, "args": args}
        for fault, args in FAULTS
        if fault not in {"F-C05", "F-F03"}
    ]
    rows.append({"fault": "F-C04", "when": {"rate_per_1k_events": 200}, "args": {}})
    rows.append({"fault": "F-C07", "when": {"rate_per_1k_events": 100}, "args": {"effect": "done"}})
    place = Place(seed, market)
    dice = place.world.dice("havoc")

    def judge(parcel: Parcel) -> Fate:
        luck = dice.random()
        if luck < 0.0005:
            return Fate(cut=dice.choice(["before", "inside", "after"]))
        if luck < 0.02:
            return Fate(delay_ns=dice.randrange(800_000_000))
        return Fate()

    async def main() -> None:
        async with place.running():
            await place.live()
            place.simulation.faults.load({"plan": rows})
            place.world.network.judge = judge
            names: list[str] = []
            for _ in range(120):
                if place.engine.decoder.book(place.symbol).best is not None:
                    crosses = dice.random() < 0.5
                    names.append(place.trade(dice.choice(["buy", "sell"]), crosses=crosses))
                if names and dice.random() < 0.3:
                    place.engine.cancel(dice.choice(names))
                    place.gateway.pump()
                await asyncio.sleep(dice.uniform(0.1, 2.0))
            place.simulation.faults.clear()
            place.world.network.judge = lambda parcel: Fate()
            await asyncio.sleep(150.0)
            assert await place.reconciler.once()

    place.world.run(main())
    assert sum(place.simulation.faults.counts().values()) > 10
    assert [d.kind for d in place.engine.differences if d.kind in {"position", "balance"}] == []
    place.check()


@pytest.mark.parametrize("market", MARKETS)
def test_the_same_over_real_sockets(market: str) -> None:
    """picows, aiohttp and uvloop on loopback: data, orders, a roll-over of every connection."""
    place = Place(5, market, clock_ns=time.time_ns)
    times = (SessionTimes(age_s=2.0, retire_s=1.0), LineTimes(age_s=2.0, quiet_s=1.0))

    async def main() -> None:
        async with real_doors() as doors, place.running(*times, real=doors):
            book = await place.live()
            resting = place.trade("buy", crosses=False)
            place.trade("buy", crosses=True)
            for _ in range(50):
                await asyncio.sleep(0.1)
                if place.feed.counts["rollovers"]:
                    break
            place.engine.cancel(resting)
            place.trade("sell", crosses=True)
            await asyncio.sleep(1.5)
            assert book.state == "live"
            assert await place.reconciler.once()
            assert place.engine.status(resting) == "CANCELED"

    run_real(main())
    assert place.feed.counts["rollovers"] >= 1
    assert place.engine.words("unknown", "refused", "not_sent") == []
    assert place.engine.position() == 0
    assert len(place.engine.fills_by_id) >= 2
    place.check()
