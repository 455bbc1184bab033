"""Binance market data against the simulated exchange: after the faults, the books are equal.

The exchange, speaking the venue's protocol, is one host; a feed with the compiled decoder is
another. They live for a minute under the plan's faults, then half a minute without. Then the market
stands still, and the decoder's book must be live and equal to the exchange's, level by level.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from veloz._core import BinanceDecoder
from veloz.environments.dst.faults import NetworkOnly
from veloz.exchange.exchange import Exchange
from veloz.exchange.words import Market
from veloz.net.backoff import Backoff
from veloz.venues.binance.budget import BinanceBudget
from veloz.venues.binance.dialect import Generator, Simulation, default_listings
from veloz.venues.binance.feed import BinanceFeed
from veloz.venues.binance.hosts import Environment, hosts
from veloz.venues.binance.rest import BinanceRest
from veloz.venues.binance.venue_clock import VenueClock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from veloz.environments.dst.plan import Injector
    from veloz.net.simulated import World

__all__ = ["MarketData"]

_FAULTY_S = 60.0
_SETTLING_S = 30.0
_STILL_S = 2.0
_SYMBOL = "BTCUSDT"
_LEVELS = 10


class _Books:
    """The engine's side of a feed: the decoder alone."""

    def __init__(self, listing: bytes) -> None:
        self.decoder = BinanceDecoder("spot")
        self.decoder.add_exchange_info(listing)
        self.stales: list[str] = []

    def frame(self, feed: int, payload: bytes | memoryview, ts_recv_ns: int) -> int:
        return self.decoder.frame(bytes(payload), ts_recv_ns)

    def rest_body(self, feed: int, url: str, body: bytes, ts_recv_ns: int) -> int:
        return self.decoder.rest(url, body, ts_recv_ns)

    def history_body(self, feed: int, url: str, body: bytes, ts_recv_ns: int) -> int:
        return self.decoder.rest(url, body, ts_recv_ns)

    def books_to_rebuild(self, feed: int) -> list[str]:
        book = self.decoder.book(_SYMBOL)
        return [_SYMBOL] if book.state != "live" and book.counts["diffs"] else []

    def stale(self, feed: int, streams: Sequence[str], reason: str, ts_ns: int) -> None:
        self.stales.append(reason)

    def fresh(self, feed: int, streams: Sequence[str], ts_ns: int) -> None: ...


class MarketData(NetworkOnly):
    """The scenario `market-data`."""

    async def main(self, world: World, injector: Injector, venue_plan: dict[str, Any]) -> list[str]:
        """Runs exchange and feed; see `Scenario.main`."""
        clock = world.host("venue").clock
        exchange = Exchange(default_listings(), now_ns=clock.wall_ns, random=world.dice("exchange"))
        simulation = Simulation(exchange, clock_ns=clock.wall_ns, random=world.dice("venue"))
        listing = next(row for row in exchange.listings(Market.SPOT) if row.symbol == _SYMBOL)
        simulation.drivers.append(Generator(exchange, listing, world.dice("market"), rate=20.0))
        shape = await simulation.serve(world.host("venue").boot().sockets, "venue.test", 8000)
        doors = world.host("engine").boot()
        there = shape["spot"]
        where = hosts(
            "spot",
            Environment.SIMULATED,
            overrides={"rest": there["rest"], "streams": there["ws"], "ws_api": there["ws_api"]},
        )
        time = VenueClock(doors)
        rest = BinanceRest(where, doors, BinanceBudget("spot", doors.clock), time)
        books = _Books((await rest.call("exchange_info")).body)
        feed = BinanceFeed(
            where,
            doors,
            books,
            0,
            rest=rest,
            time=time,
            pace=lambda: Backoff(doors.clock, doors.random, first_s=0.2, most_s=5.0),
        )
        lower = _SYMBOL.lower()
        feed.subscribe([f"{lower}@depth@100ms", f"{lower}@trade", f"{lower}@bookTicker"])
        tasks = [
            asyncio.create_task(simulation.run(), name="exchange"),
            asyncio.create_task(feed.run(), name="feed"),
            asyncio.create_task(time.run(rest), name="venue clock"),
        ]
        await asyncio.sleep(_FAULTY_S)
        injector.stop()
        await asyncio.sleep(_SETTLING_S)
        simulation.drivers.clear()
        await asyncio.sleep(_STILL_S)
        problems = [
            f"the task {task.get_name()} ended: {task.exception()!r}"
            for task in tasks
            if task.done()
        ]
        problems += _compare(books, exchange)
        _count(feed, books, injector)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return problems


def _compare(books: _Books, exchange: Exchange) -> list[str]:
    """O10 and O11: live again once faults stop, and what it shows is what is."""
    book = books.decoder.book(_SYMBOL)
    if book.state != "live":
        return [f"the book is {book.state} though the faults stopped {_SETTLING_S} s ago"]
    truth = exchange.depth(Market.SPOT, _SYMBOL, _LEVELS)
    shown = book.top(_LEVELS)
    problems: list[str] = []
    for side, mine, theirs in (("bids", shown[0], truth.bids), ("asks", shown[1], truth.asks)):
        have = [(float(price), float(qty)) for price, qty in mine]
        want = [(float(price), float(qty)) for price, qty in theirs]
        if have != want or not want:
            problems.append(f"the {side} are {have[:3]}…, the exchange has {want[:3]}…")
    return problems


def _count(feed: BinanceFeed, books: _Books, injector: Injector) -> None:
    """What the feed noticed, by the faults that look so from its side."""
    counts = feed.counts
    injector.detected["F-A02"] += counts["closes"]
    injector.detected["F-A04"] += counts["closes"]
    injector.detected["F-A03"] += counts["silent"] + len(books.stales)
    injector.detected["F-A09"] += counts["silent"] + len(books.stales)
    injector.detected["F-A05"] += max(0, counts["connects"] - 1)
