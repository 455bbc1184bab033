"""A whole run in memory: the simulated exchange on one host, the engine on another."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veloz.environments.live import live
from veloz.environments.paper import paper
from veloz.environments.trading.lifetime import Home, Stop
from veloz.environments.trading.settings import Rhythm, Seat, TradingSettings
from veloz.exchange.exchange import Exchange
from veloz.exchange.words import Market
from veloz.net.simulated import World
from veloz.net.simulated.clock import START_WALL_NS
from veloz.secrets import Credential
from veloz.storage.journal_tail import door_tail
from veloz.storage.journal_writer import Room
from veloz.venues.binance.dialect import Generator, Simulation, default_listings
from veloz.venues.binance.hosts import Environment, hosts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from veloz.net.doors import Doors

MONEY = {
    (Market.SPOT, "USDT"): Decimal(100_000),
    (Market.SPOT, "BTC"): Decimal(10),
    (Market.SPOT, "BNB"): Decimal(10),
    (Market.USDM, "USDT"): Decimal(100_000),
    (Market.COINM, "BTC"): Decimal(10),
}
FOLDER = Path("/runs/one")
ROOM = Room(segment_bytes=1 << 22, reserve_bytes=1 << 18)
HOME = Path("/home/veloz")
RHYTHM = Rhythm(reconcile_s=20.0, save_s=5.0, snapshot_s=15.0, status_s=5.0)


class Place:
    """The exchange with its markets moving, and an engine's machine."""

    def __init__(self, seed: int, *, rate: float = 20.0, start_s: float = 0.0) -> None:
        self.world = World(seed, START_WALL_NS + int(start_s * 1e9))
        wall_ns = self.world.host("venue").clock.wall_ns
        self.exchange = Exchange(
            default_listings(), now_ns=wall_ns, random=self.world.dice("exchange")
        )
        self.simulation = Simulation(
            self.exchange, clock_ns=wall_ns, random=self.world.dice("venue")
        )
        for market in Market:
            for listing in self.exchange.listings(market):
                if listing.base == "BTC":
                    dice = self.world.dice(f"market {listing.market} {listing.symbol}")
                    driver = Generator(self.exchange, listing, dice, rate=rate)
                    self.simulation.drivers.append(driver)
        self.key = self.simulation.open_account(MONEY)
        self.owner = self.exchange.accounts()[0]
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.hosts: dict[Any, Any] = {}

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Serves until the end of the block."""
        venue = self.world.host("venue").boot()
        shape = await self.simulation.serve(venue.sockets, "venue.test", 8000)
        for market in ("spot", "usdm", "coinm"):
            there = shape[market]
            given = {"rest": there["rest"], "streams": there["ws"], "ws_api": there["ws_api"]}
            self.hosts[market] = hosts(market, Environment.SIMULATED, overrides=given)
        beating = asyncio.create_task(self.simulation.run())
        await asyncio.sleep(5.0)
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    def boot(self) -> Doors:
        """Starts a process on the engine's machine."""
        return self.world.host("engine").boot()

    def settings(self, environment: Any, *seats: Seat, **words: Any) -> TradingSettings:
        """Settings of a run on this exchange."""
        return TradingSettings(
            environment=environment,
            seats=seats,
            folder=words.pop("folder", FOLDER),
            hosts=self.hosts,
            account="binance/test",
            rhythm=words.pop("rhythm", RHYTHM),
            **words,
        )

    def tell(self, name: str, fields: dict[str, Any]) -> None:
        """Keeps what is told."""
        self.told.append((name, fields))

    def words(self, name: str) -> list[dict[str, Any]]:
        """What was told under a name."""
        return [fields for word, fields in self.told if word == name]

    async def trade(
        self, settings: TradingSettings, doors: Doors, stop: Stop, **words: Any
    ) -> dict[str, Any]:
        """One run to its end."""
        home = Home(
            HOME,
            make_tail=door_tail(doors.files, doors.threads),
            room=words.get("room", ROOM),
        )
        if settings.is_paper:
            return await paper(settings, doors, home, stop, tell=self.tell)
        credential = Credential(
            "test", "binance", "simulated", self.key.api_key, self.key.secret, ""
        )
        confirm = words.get("confirm", lambda _plan: True)
        is_alone = words.get("is_alone", False)
        return await live(
            settings, credential, doors, home, stop, confirm=confirm, tell=self.tell,
            is_alone=is_alone,
        )  # fmt: skip

    async def trade_for(self, settings: TradingSettings, seconds: float) -> dict[str, Any]:
        """One run that is asked to stop after a time, from its first byte on."""
        stop = Stop()
        asyncio.get_running_loop().call_later(seconds, stop.ask)
        return await self.trade(settings, self.boot(), stop)
