"""A trader on a till: gateway, private stream, resolver and reconciler, wired as in a run."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.venues.binance.bookkeeper import Bookkeeper
from tests.venues.binance.streams import SYMBOL, HostTime, NoLimits, pace, serve, simulated
from tests.venues.binance.till import Till
from veloz._core import BinanceSigner, binance_verdict
from veloz.net.simulated import World
from veloz.venues.binance.codec import BinanceCodec
from veloz.venues.binance.gateway import BinanceGateway, GatewayTimes
from veloz.venues.binance.reconcile import Reconciler
from veloz.venues.binance.resolve import Resolver
from veloz.venues.binance.rest import BinanceRest
from veloz.venues.binance.user_stream import BinanceUserStream
from veloz.venues.venue import AccountTerms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from veloz.net.doors import FailedAt
    from veloz.net.simulated import Dial
    from veloz.venues.binance.ws_api import SessionTimes


class Trader:
    """Everything on the client's side of one account on one market."""

    def __init__(
        self,
        seed: int,
        market: Any = "spot",
        *,
        times: GatewayTimes | None = None,
        session_times: SessionTimes | None = None,
    ) -> None:
        self.world = World(seed=seed)
        self.till = Till(self.world, market)
        self.engine = Bookkeeper(market)
        if market != "spot":
            del self.engine.held["BTC"]
        self.doors = self.world.host("engine").boot()
        self.budget = NoLimits()
        self.time = HostTime(self.doors.clock)
        where = simulated(market)
        codec = BinanceCodec(market, BinanceSigner("key", "secret"), binance_verdict)
        self.rest = BinanceRest(where, self.doors, self.budget, self.time, codec=codec)
        self.resolver = Resolver(self.doors, self.rest, self.time, self.engine, 0)
        self.gateway = BinanceGateway(
            where,
            self.doors,
            self.engine,
            0,
            codec=codec,
            rest=self.rest,
            budget=self.budget,
            time=self.time,
            resolver=self.resolver,
            pace=pace(self.doors),
            on_done=lambda: self.stream.expect_event(),
            times=times,
            session_times=session_times,
        )
        self.reconciler = Reconciler(
            self.doors,
            self.rest,
            self.time,
            self.engine,
            0,
            terms=AccountTerms({SYMBOL: 5}, {SYMBOL: "cross"}),
            symbols=lambda: [SYMBOL],
            after=self.gateway.pump,
        )
        self.stream = BinanceUserStream(
            where,
            self.doors,
            self.engine,
            0,
            codec=codec,
            rest=self.rest,
            time=self.time,
            watcher=self.reconciler,
            pace=pace(self.doors),
            after=self.gateway.pump,
            times=session_times,
        )

    @asynccontextmanager
    async def running(self, *, adopts: bool = False) -> AsyncIterator[None]:
        """Runs everything; the account is synced when this gives way."""
        await serve(self.world, self.till)
        if adopts:
            await self.reconciler.adopt()
        parts = (self.gateway, self.stream, self.resolver, self.reconciler)
        tasks = [asyncio.create_task(part.run()) for part in parts]
        try:
            while not (self.engine.is_synced and self.gateway.is_open):
                failed = [task for task in tasks if task.done()]
                for task in failed:
                    task.result()
                await asyncio.sleep(0.05)
            yield
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def place(self, side: str = "buy", **words: Any) -> str:
        client_id = self.engine.place(side, **words)
        self.gateway.pump()
        return client_id

    def cancel(self, client_id: str) -> None:
        self.engine.cancel(client_id)
        self.gateway.pump()

    def refuse_ws(self, dial: Dial) -> FailedAt | None:
        """A network hook: WebSockets fail, requests pass."""
        return "connect" if dial.kind == "ws" else None

    def check(self) -> None:
        """The oracles: no fill lost or doubled, no order twice, equal positions."""
        theirs = {(t["symbol"], t["id"]) for t in self.till.trades}
        assert set(self.engine.fills_by_id) == theirs
        assert self.engine.position() == self.till.position()
        assert len(self.till.placed) == len(set(self.till.placed))
