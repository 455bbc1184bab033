"""A trader on the simulated exchange, which speaks the protocol and keeps its own ledger."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.venues.binance.bookkeeper import Bookkeeper
from tests.venues.binance.streams import pace
from veloz._core import BinanceDecoder, BinanceSigner, binance_verdict
from veloz.exchange.exchange import Exchange
from veloz.exchange.words import Market
from veloz.net.simulated import World
from veloz.venues.binance.budget import BinanceBudget
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
from veloz.venues.binance.venue_clock import VenueClock
from veloz.venues.binance.ws_api import SessionTimes
from veloz.venues.venue import AccountTerms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from veloz.net.doors import Doors

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
        super().__init__(market, listing, symbol)
        self.decoder = BinanceDecoder(market, keep_events=True)
        self.decoder.add_exchange_info(listing)
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

    def __init__(self, seed: int, market: Any, clock_ns: Callable[[], int] | None = None) -> None:
        self.world = World(seed=seed)
        self.market = market
        self.symbol = SYMBOLS[market]
        wall_ns = clock_ns or self.world.host("venue").clock.wall_ns
        exchange = Exchange(default_listings(), now_ns=wall_ns, random=self.world.dice("exchange"))
        self.exchange = exchange
        self.simulation = Simulation(exchange, clock_ns=wall_ns, random=self.world.dice("venue"))
        for listing in exchange.listings(Market(market)):
            if listing.symbol == self.symbol:
                dice = self.world.dice("market")
                self.simulation.drivers.append(Generator(exchange, listing, dice, rate=20.0))
        self.key = self.simulation.open_account(MONEY)

    def make_engine(self, listing: bytes) -> Any:
        """The engine behind the sessions."""
        books = Books(self.market, listing, self.symbol)
        books.held = {}
        return books

    async def start(
        self, session_times: SessionTimes | None, line_times: LineTimes, real: Doors | None
    ) -> None:
        if real is None:
            venue = self.world.host("venue").boot()
            shape = await self.simulation.serve(venue.sockets, "venue.test", 8000)
        else:
            shape = await self.simulation.serve(real.sockets)
        there = shape[self.market]
        where = hosts(
            self.market,
            Environment.SIMULATED,
            overrides={"rest": there["rest"], "streams": there["ws"], "ws_api": there["ws_api"]},
        )
        doors = self.doors = real or self.world.host("engine").boot()
        time = self.clock = VenueClock(doors)
        self.budget = BinanceBudget(self.market, doors.clock)
        signer = BinanceSigner(self.key.api_key, self.key.secret)
        codec = BinanceCodec(self.market, signer, binance_verdict)
        rest = self.rest = BinanceRest(where, doors, self.budget, time, codec=codec)
        listing = await rest.call("exchange_info")
        self.budget.read_limits(listing.value())
        engine = self.engine = self.make_engine(listing.body)
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
            terms=AccountTerms({self.symbol: 20}, {self.symbol: "cross"}),
            symbols=lambda: [self.symbol],
            after=self.gateway.pump,
        )
        await self.reconciler.adopt()
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

    def begin(self) -> None:
        """Called when all is wired, before anything runs."""

    def is_ready(self) -> bool:
        """True once the account is synced and orders can leave."""
        return self.engine.is_synced and self.gateway.is_open

    @asynccontextmanager
    async def running(
        self,
        session_times: SessionTimes | None = None,
        line_times: LineTimes | None = None,
        *,
        real: Doors | None = None,
    ) -> AsyncIterator[None]:
        await self.start(session_times, line_times or LineTimes(), real)
        lower = self.symbol.lower()
        prints = f"{lower}@trade" if self.market == "spot" else f"{lower}@aggTrade"
        self.feed.subscribe([f"{lower}@depth@100ms", prints, f"{lower}@bookTicker"])
        self.begin()
        parts = (self.simulation, self.feed, self.gateway, self.stream)
        tasks = [asyncio.create_task(p.run()) for p in (*parts, self.resolver, self.reconciler)]
        tasks.append(asyncio.create_task(self.clock.run(self.rest)))
        try:
            async with asyncio.timeout(120.0):
                while not self.is_ready():
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

    def check(self) -> None:
        """The oracles O1 to O4 and O11: fills, orders, positions equal, and all of it definite."""
        market = Market(self.market)
        name = self.simulation.venue.exchange.accounts()[0]
        theirs = {(f.symbol, f.trade_id) for f in self.exchange.fills(name, market)}
        assert set(self.engine.fills_by_id) == theirs
        if market is not Market.SPOT:
            held = sum((p.qty for p in self.exchange.positions(name, market)), Decimal(0))
            assert self.engine.position() == held
        placed = [
            order.client_order_id for order in self.exchange.all_orders(name, market, self.symbol)
        ]
        assert len(placed) == len(set(placed))
        assert self.resolver.open == 0
        states = {order.status for order in self.engine.orders.values()}
        assert states <= {"NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", *NEVER}
        for order in self.engine.orders.values():
            assert (order.client_order_id in placed) is (order.status not in NEVER)


NEVER = {"absent", "not_sent", "rejected"}


def long(value: Any) -> Any:
    """A case for `make test-long`."""
    return pytest.param(value, marks=pytest.mark.long)


# One fault of a request each, at the third order, and the outcome it has at the venue.
FAULTS = [
    ("F-C01", {"answer": "drop"}),
    ("F-C01", {"answer": "503"}),
    ("F-C02", {"answer": "drop"}),
    ("F-C02", {"answer": "1007"}),
    ("F-C02", {"answer": "502"}),
    ("F-C02", {"delay_ms": 9000}),
    ("F-C03", {"later_ms": 4000}),
    ("F-C05", {}),
    ("F-C06", {"body": "html"}),
    ("F-C06", {"body": "truncated"}),
    ("F-C06", {"body": "empty"}),
    ("F-C10", {}),
    ("F-C11", {}),
    ("F-D01", {"delay_ms": 900}),
    ("F-F05", {}),
    ("F-F03", {}),
]
