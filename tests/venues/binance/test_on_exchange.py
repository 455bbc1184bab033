"""The three markets against the simulated exchange, which speaks the venue's protocol itself."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.venues.binance.bookkeeper import Bookkeeper
from tests.venues.binance.streams import HostTime, NoLimits, pace
from veloz._core import BinanceSigner, binance_verdict
from veloz.exchange.exchange import Exchange
from veloz.exchange.words import Market
from veloz.net.simulated import World
from veloz.venues.binance.codec import BinanceCodec
from veloz.venues.binance.dialect import Generator, Simulation, default_listings
from veloz.venues.binance.feed import BinanceFeed
from veloz.venues.binance.gateway import BinanceGateway
from veloz.venues.binance.hosts import Environment, hosts
from veloz.venues.binance.line import LineTimes
from veloz.venues.binance.reconcile import Reconciler
from veloz.venues.binance.resolve import Resolver
from veloz.venues.binance.rest import BinanceRest
from veloz.venues.binance.user_stream import BinanceUserStream
from veloz.venues.binance.ws_api import SessionTimes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MARKETS = ["spot", "usdm", "coinm"]
SYMBOLS = {"spot": "BTCUSDT", "usdm": "BTCUSDT", "coinm": "BTCUSD_PERP"}
QTY = {"spot": "0.01", "usdm": "0.01", "coinm": "10"}
MONEY = {
    (Market.SPOT, "USDT"): Decimal(100_000),
    (Market.SPOT, "BTC"): Decimal(10),
    (Market.USDM, "USDT"): Decimal(100_000),
    (Market.COINM, "BTC"): Decimal(10),
}


class Books(Bookkeeper):
    """The bookkeeper with market data too."""

    def __init__(self, market: str, listing: bytes, symbol: str) -> None:
        super().__init__(market, listing, symbol, leverage=20)
        self.marks: list[tuple[str, tuple[str, ...]]] = []
        self.malformed: list[str] = []

    def frame(self, feed: int, payload: bytes | memoryview, ts_recv_ns: int) -> int:
        return self.decoder.frame(bytes(payload), ts_recv_ns)

    def rest_body(self, feed: int, url: str, body: bytes, ts_recv_ns: int) -> int:
        return self.decoder.rest(url, body, ts_recv_ns)

    history_body = rest_body

    def books_to_rebuild(self, feed: int) -> list[str]:
        book = self.decoder.book(self.symbol)
        return [self.symbol] if book.state != "live" and book.counts["diffs"] else []

    def stale(self, feed: int, streams: Any, reason: str, ts_ns: int) -> None:
        self.marks.append(("stale", tuple(streams)))

    def fresh(self, feed: int, streams: Any, ts_ns: int) -> None:
        self.marks.append(("fresh", tuple(streams)))


class Place:
    """The exchange in one host, a trader in another."""

    def __init__(self, seed: int, market: Any, plan: dict[str, Any] | None = None) -> None:
        self.world = World(seed=seed)
        self.market = market
        self.symbol = SYMBOLS[market]
        clock = self.world.host("venue").clock
        exchange = Exchange(
            default_listings(), now_ns=clock.wall_ns, random=self.world.dice("exchange")
        )
        self.exchange = exchange
        self.simulation = Simulation(
            exchange, clock_ns=clock.wall_ns, random=self.world.dice("venue"), plan=plan
        )
        for listing in exchange.listings(Market(market)):
            if listing.symbol == self.symbol:
                dice = self.world.dice("market")
                self.simulation.drivers.append(Generator(exchange, listing, dice, rate=20.0))
        self.key = self.simulation.open_account(MONEY)
        self.budget = NoLimits()

    async def start(self, session_times: SessionTimes | None, line_times: LineTimes) -> None:
        venue = self.world.host("venue").boot()
        shape = await self.simulation.serve(venue.sockets, "venue.test", 8000)
        there = shape[self.market]
        where = hosts(
            self.market,
            Environment.SIMULATED,
            overrides={"rest": there["rest"], "streams": there["ws"], "ws_api": there["ws_api"]},
        )
        doors = self.world.host("engine").boot()
        time = HostTime(doors.clock)
        signer = BinanceSigner(self.key.api_key, self.key.secret)
        codec = BinanceCodec(self.market, signer, binance_verdict)
        rest = self.rest = BinanceRest(where, doors, self.budget, time, codec=codec)
        listing = await rest.call("exchange_info")
        engine = self.engine = Books(self.market, listing.body, self.symbol)
        name = "BTC" if self.market == "coinm" else "USDT"
        engine.held = {a: v for (m, a), v in MONEY.items() if m.value == self.market}
        assert name in engine.held
        self.feed = BinanceFeed(
            where,
            doors,
            engine,
            0,
            rest=rest,
            time=time,
            pace=lambda: pace(doors),
            times=line_times,
        )
        self.resolver = Resolver(doors, rest, time, engine, 0)
        self.gateway = BinanceGateway(
            where,
            doors,
            engine,
            0,
            codec=codec,
            rest=rest,
            budget=self.budget,
            time=time,
            resolver=self.resolver,
            pace=pace(doors),
            on_done=lambda: self.stream.expect_event(),
            session_times=session_times,
        )
        self.reconciler = Reconciler(
            doors,
            rest,
            time,
            engine,
            0,
            symbols=lambda: [self.symbol],
            after=self.gateway.pump,
        )
        self.stream = BinanceUserStream(
            where,
            doors,
            engine,
            0,
            codec=codec,
            rest=rest,
            time=time,
            watcher=self.reconciler,
            pace=pace(doors),
            after=self.gateway.pump,
            times=session_times,
        )

    @asynccontextmanager
    async def running(
        self, session_times: SessionTimes | None = None, line_times: LineTimes | None = None
    ) -> AsyncIterator[None]:
        await self.start(session_times, line_times or LineTimes())
        lower = self.symbol.lower()
        prints = f"{lower}@trade" if self.market == "spot" else f"{lower}@aggTrade"
        self.feed.subscribe([f"{lower}@depth@100ms", prints, f"{lower}@bookTicker"])
        parts = (self.simulation, self.feed, self.gateway, self.stream)
        tasks = [asyncio.create_task(p.run()) for p in (*parts, self.resolver, self.reconciler)]
        try:
            async with asyncio.timeout(120.0):
                while not (self.engine.is_synced and self.gateway.is_open):
                    self.raise_failures(tasks)
                    await asyncio.sleep(0.1)
            yield
            self.raise_failures(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def raise_failures(self, tasks: list[asyncio.Task[Any]]) -> None:
        for task in tasks:
            if task.done():
                task.result()

    async def live(self) -> Any:
        book = self.engine.decoder.book(self.symbol)
        async with asyncio.timeout(30.0):
            while book.state != "live":  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.1)
        return book

    def trade(self, side: str, *, crosses: bool) -> str:
        """A limit order at the touch, or through it."""
        bid, _, ask, _ = self.engine.decoder.book(self.symbol).best
        away = Decimal("0.99") if side == "buy" else Decimal("1.01")
        through = Decimal("1.01") if side == "buy" else Decimal("0.99")
        price = Decimal(str(bid if side == "buy" else ask)) * (through if crosses else away)
        client_id = self.engine.place(side, QTY[self.market], str(round(price)))
        self.gateway.pump()
        return client_id


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
