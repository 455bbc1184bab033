"""The whole simulated venue: exchange, APIs, streams, faults, and what drives the markets.

```text
 clients ─► MarketSite ─► Service ─► Exchange ─► events ─┬─► Publisher ─► Hub ─► streams
              ▲                         ▲                └─► UserFeed ─► user streams
            Faults                   drivers (recording, generator)
```

It runs on one loop: `run` beats every 100 ms until it is cancelled. Time and chance are given to
it, so that the same seed under a virtual loop gives the same bytes.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from veloz.exchange.events import (
    AccountConfigEvent,
    AccountEvent,
    AlgoEvent,
    BalanceEvent,
    BookChange,
    BookTickerEvent,
    MarginCallEvent,
    OrderEvent,
    OrderListEvent,
    TransferEvent,
)
from veloz.exchange.words import Market
from veloz.venues.binance.dialect.control import Control
from veloz.venues.binance.dialect.faults import Faults
from veloz.venues.binance.dialect.hub import Hub
from veloz.venues.binance.dialect.levers import Levers
from veloz.venues.binance.dialect.publisher import TICK_MS, Publisher
from veloz.venues.binance.dialect.routes import ROUTES
from veloz.venues.binance.dialect.service import Service
from veloz.venues.binance.dialect.site import MarketSite
from veloz.venues.binance.dialect.user_feed import UserFeed
from veloz.venues.binance.dialect.venue import Venue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from veloz.exchange.exchange import Exchange
    from veloz.net.doors import Sockets
    from veloz.venues.binance.dialect.connections import Peer
    from veloz.venues.binance.dialect.keys import IssuedKey

__all__ = ["Driver", "Paced", "Simulation"]

PRIVATE = (
    AccountConfigEvent,
    AccountEvent,
    AlgoEvent,
    BalanceEvent,
    BookChange,
    BookTickerEvent,
    MarginCallEvent,
    OrderEvent,
    OrderListEvent,
    TransferEvent,
)
WS_API_PATHS = {"spot": "/ws-api/v3", "usdm": "/ws-fapi/v1", "coinm": "/ws-dapi/v1"}
CONNECT_WINDOW_MS = 300_000
MOST_CONNECTS = 300
ACCOUNT_NUMBER = "trader-{number}"


class Driver(Protocol):
    """What moves a market: a recording, or dice."""

    def step(self, now_ns: int) -> None:
        """Does everything that is due until now."""
        ...


class Paced(Driver, Protocol):
    """One that knows when it is to be moved next."""

    @property
    def is_done(self) -> bool:
        """True when nothing will be due any more."""
        ...

    @property
    def due_ns(self) -> int | None:
        """When the next thing is due, by the venue's clock; None while nobody knows."""
        ...


class Simulation:
    """The venue with its three markets.

    Args:
        exchange: Books and ledger; it must read the same clock.
        clock_ns: UTC, nanoseconds since the Unix epoch.
        random: Seeds keys, ids and faults.
        plan: A fault plan; none if empty.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        clock_ns: Callable[[], int],
        random: Random,
        plan: dict[str, Any] | None = None,
    ) -> None:
        self.venue = Venue(exchange, clock_ns, random)
        self.faults = Faults(random, lambda: clock_ns() // 1_000_000)
        self.service = Service(self.venue, ROUTES, self.faults)
        self.hubs = {market: Hub(self.venue, market, self.faults) for market in Market}
        self.publishers = [Publisher(hub) for hub in self.hubs.values()]
        self._publisher = dict(zip(self.hubs, self.publishers, strict=True))
        self.peers: dict[int, Peer] = {}
        self.user_feed = UserFeed(self.venue, self.hubs, self.faults, self.peers)
        self.levers = Levers(self)
        self.control = Control(self)
        self.drivers: list[Driver] = []
        self.accounts: list[IssuedKey] = []
        self.refuses_until_ms = 0
        self.refuses_with = 429
        self._connects: dict[tuple[Market, str], tuple[int, int]] = {}
        exchange.subscribe(self._hear)
        if plan:
            self.faults.load(plan)

    def open_account(self, balances: dict[tuple[Market, str], Decimal]) -> IssuedKey:
        """Opens an account with money and a key."""
        name = ACCOUNT_NUMBER.format(number=len(self.accounts) + 1)
        exchange = self.venue.exchange
        exchange.open_account(name)
        for (market, asset), amount in balances.items():
            exchange.deposit(name, market, asset, amount)
        issued = self.venue.keys.issue(name, now_ms=self.venue.now_ms())
        self.accounts.append(issued)
        return issued

    def site(self, market: Market) -> MarketSite:
        """The server of one market."""
        return MarketSite(self, market)

    def admits(self, market: Market, address: str, now_ms: int) -> bool:
        """Counts an attempt to connect; False past 300 in five minutes at one market."""
        window = now_ms // CONNECT_WINDOW_MS
        known, count = self._connects.get((market, address), (window, 0))
        count = count + 1 if known == window else 1
        self._connects[market, address] = (window, count)
        return count <= MOST_CONNECTS

    def welcome(self, peer: Peer) -> None:
        """Takes note of a new connection."""
        self.peers[peer.connection.name] = peer

    def beat(self) -> None:
        """Does what is due: markets, timers of the exchange, streams, pings, faults."""
        now_ns = self.venue.clock_ns()
        for driver in self.drivers:
            driver.step(now_ns)
        self.venue.exchange.advance()
        self.user_feed.expire()
        for publisher in self.publishers:
            publisher.tick()
        now_ms = self.venue.now_ms()
        for name, peer in list(self.peers.items()):
            peer.tick(now_ms)
            if not peer.connection.is_open:
                del self.peers[name]
        self.faults.tick(self.levers)

    async def run(self, step_ms: int = TICK_MS) -> None:
        """Beats every 100 ms until it is cancelled; markets move every `step_ms`."""
        loop = asyncio.get_running_loop()
        due, waited_ms = loop.time(), 0
        while True:
            due = max(due + step_ms / 1000, loop.time())
            await asyncio.sleep(due - loop.time())
            waited_ms += step_ms
            if waited_ms >= TICK_MS:
                waited_ms = 0
                self.beat()
            else:
                now_ns = self.venue.clock_ns()
                for driver in self.drivers:
                    driver.step(now_ns)

    async def follow(self, driver: Paced, until: Callable[[int], Awaitable[None]]) -> None:
        """Moves a market at the very instants that it names, to its end.

        Args:
            driver: The market; `run` moves it too, which does no harm.
            until: Waits for a time of the venue's clock, as finely as it can.
        """
        while not driver.is_done:
            due_ns = driver.due_ns
            await until(self.venue.clock_ns() + TICK_MS * 1_000_000 if due_ns is None else due_ns)
            driver.step(self.venue.clock_ns())

    async def serve(
        self, sockets: Sockets, host: str = "127.0.0.1", port: int = 0
    ) -> dict[str, Any]:
        """Opens the three servers, on `port` and the two after it if it is not 0.

        Returns:
            What `veloz exchange --json` prints: addresses by market, and the accounts.
        """
        shape: dict[str, Any] = {}
        for number, market in enumerate(Market):
            server = await sockets.serve(self.site(market), host, port + number if port else 0)
            shape[market.value] = {
                "rest": server.url_http,
                "ws": server.url_ws,
                "ws_api": server.url_ws + WS_API_PATHS[market.value],
            }
        shape["accounts"] = [
            {
                "api_key": row.api_key,
                "secret": row.secret,
                "ed25519_private_key": row.ed25519_private_key,
            }
            for row in self.accounts
        ]
        return shape

    def _hear(self, event: object) -> None:
        if isinstance(event, BookChange):
            self._publisher[event.market].hear(event)
        elif isinstance(event, BookTickerEvent):
            self._publisher[event.ticker.market].hear(event)
        elif isinstance(event, PRIVATE):
            self.user_feed.hear(event)
        else:
            for publisher in self.publishers:
                publisher.hear(event)
