"""The venue in memory, on virtual time: requests and frames without a socket."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import urlencode

from veloz.exchange.exchange import Exchange
from veloz.exchange.words import Market
from veloz.net.doors import HttpRequest, HttpResponse
from veloz.net.simulated import SimulatedClock, VirtualLoop, run
from veloz.venues.binance.dialect import Simulation, default_listings

PRICE = {Market.SPOT: "60000", Market.USDM: "60000", Market.COINM: "60000"}
SYMBOL = {Market.SPOT: "BTCUSDT", Market.USDM: "BTCUSDT", Market.COINM: "BTCUSD_PERP"}
BASE = {Market.SPOT: "/api/v3", Market.USDM: "/fapi/v1", Market.COINM: "/dapi/v1"}
QTY = {Market.SPOT: "0.01", Market.USDM: "0.01", Market.COINM: "2"}
MONEY = {
    (Market.SPOT, "USDT"): Decimal(100_000),
    (Market.SPOT, "BTC"): Decimal(10),
    (Market.USDM, "USDT"): Decimal(100_000),
    (Market.COINM, "BTC"): Decimal(10),
}


class Wire:
    """A connection's far end: keeps what was sent."""

    def __init__(self, name: int) -> None:
        self.name = name
        self.is_open = True
        self.buffered = 0
        self.frames: list[Any] = []
        self.pings: list[bytes] = []
        self.end: tuple[int | None, str] | None = None
        self.listener: Any = None
        self.answers_pings = True

    def send(self, payload: bytes) -> None:
        try:
            self.frames.append(json.loads(payload))
        except ValueError:  # some faults send what is no JSON
            self.frames.append({"unreadable": payload})

    def ping(self, payload: bytes = b"") -> None:
        self.pings.append(payload)
        if self.answers_pings:
            self.listener.on_pong(self, payload)

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.is_open, self.end = False, (code, reason)

    def rehearse(self) -> None:
        pass

    def abort(self) -> None:
        self.is_open, self.end = False, (None, "")

    def of(self, kind: str) -> list[Any]:
        """Payloads of one event type, out of whatever is around them."""
        bodies = [frame.get("data", frame.get("event", frame)) for frame in self.frames]
        return [body for body in bodies if isinstance(body, dict) and body.get("e") == kind]


class Rig:
    """The simulated venue and a way to talk to it.

    Attributes:
        keys: One for each of two accounts.
    """

    def __init__(self, *, plan: dict[str, Any] | None = None, seed: int = 1) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.clock = SimulatedClock(loop)
        exchange = Exchange(default_listings(), now_ns=self.clock.wall_ns, random=Random(seed))
        self.simulation = Simulation(
            exchange, clock_ns=self.clock.wall_ns, random=Random(seed + 1), plan=plan
        )
        self.exchange = exchange
        self.keys = [self.simulation.open_account(MONEY) for _ in range(2)]
        self._wires = 0
        for market in Market:
            self.book(market)
        self._beating = asyncio.create_task(self.simulation.run())

    def book(self, market: Market, size: str = "1000") -> None:
        """A book of five levels around 60,000 and a first trade."""
        bids = [(Decimal(60_000 - 10 * n), Decimal(size)) for n in range(5)]
        asks = [(Decimal(60_010 + 10 * n), Decimal(size)) for n in range(5)]
        symbol = SYMBOL[market]
        if market is not Market.SPOT:
            self.exchange.set_index(market, symbol, Decimal(60_000))
            self.exchange.set_mark(market, symbol, Decimal(60_000))
        self.exchange.replay_book(market, symbol, bids, asks, is_snapshot=True)
        one = Decimal(1)
        self.exchange.replay_trade(market, symbol, Decimal(60_000), one, buyer_is_maker=True)

    async def raw(
        self, market: Market, method: str, path: str, query: str = "", **words: Any
    ) -> HttpResponse:
        """One request as it is; `headers`, `body` and `peer` may be given."""
        request = HttpRequest(
            method,
            path,
            query,
            words.get("headers", {}),
            words.get("body", b""),
            words.get("peer", "127.0.0.1"),
        )
        return await self.simulation.site(market).http(request)

    async def rest(
        self, market: Market, method: str, path: str, account: int = 0, **params: Any
    ) -> Any:
        """One signed request; returns the status and the decoded body."""
        pairs = {**params, "timestamp": params.get("timestamp", self.now_ms())}
        query = urlencode({name: str(value) for name, value in pairs.items()})
        query += f"&signature={self.sign(query, account)}"
        is_full = path.startswith(("/api/", "/fapi/", "/dapi/", "/sapi/"))
        full = path if is_full else BASE[market] + path
        headers = {"x-mbx-apikey": self.keys[account].api_key}
        found = await self.raw(market, method, full, query, headers=headers)
        return found.status, json.loads(found.body)

    async def public(self, market: Market, path: str, **params: Any) -> Any:
        """One request without a key."""
        query = urlencode({name: str(value) for name, value in params.items()})
        found = await self.raw(market, "GET", BASE[market] + path, query)
        return found.status, json.loads(found.body)

    async def place(self, market: Market, account: int = 0, **params: Any) -> Any:
        """A limit order far from the market, unless told otherwise."""
        order = {
            "symbol": SYMBOL[market],
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": QTY[market],
            "price": "59000",
            **params,
        }
        order = {name: value for name, value in order.items() if value is not None}
        return await self.rest(market, "POST", "/order", account, **order)

    def socket(self, market: Market, path: str, query: str = "") -> tuple[Any, Wire]:
        """Opens a WebSocket; returns what hears the client, and the client's end."""
        self._wires += 1
        wire = Wire(self._wires)
        request = HttpRequest("GET", path, query, {}, b"", "127.0.0.1")
        wire.listener = self.simulation.site(market).accept(request, wire)
        return wire.listener, wire

    def say(self, listener: Any, wire: Wire, message: Any) -> None:
        """The client sends a frame."""
        listener.on_frame(wire, json.dumps(message).encode(), self.clock.wall_ns())

    def api(self, market: Market, account: int = 0) -> Api:
        """A connection of the WebSocket API."""
        paths = {"spot": "/ws-api/v3", "usdm": "/ws-fapi/v1", "coinm": "/ws-dapi/v1"}
        return Api(self, *self.socket(market, paths[market.value]), account)

    def sign(self, payload: str, account: int = 0) -> str:
        secret = self.keys[account].secret.encode()
        return hmac.new(secret, payload.encode(), hashlib.sha256).hexdigest()

    def now_ms(self) -> int:
        return self.clock.wall_ns() // 1_000_000

    def stop(self) -> None:
        self._beating.cancel()


class Api:
    """A client of the WebSocket API."""

    def __init__(self, rig: Rig, listener: Any, wire: Wire, account: int) -> None:
        self.rig, self.listener, self.wire, self.account = rig, listener, wire, account
        self.number = 0

    def ask(self, method: str, **params: Any) -> Any:
        """An unsigned request; returns its answer, or None if none came at once."""
        self.number += 1
        self.rig.say(
            self.listener, self.wire, {"id": self.number, "method": method, "params": params}
        )
        return next((row for row in self.wire.frames if row.get("id") == self.number), None)

    def signed(self, method: str, **params: Any) -> Any:
        """A request signed by HMAC over the sorted parameters."""
        params = {
            **params,
            "apiKey": self.rig.keys[self.account].api_key,
            "timestamp": self.rig.now_ms(),
        }
        payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
        return self.ask(method, **params, signature=self.rig.sign(payload, self.account))


def play(scene: Callable[[Rig], Awaitable[None]], **words: Any) -> None:
    """Plays a scene on virtual time."""

    async def main() -> None:
        rig = Rig(**words)
        try:
            await scene(rig)
            assert rig.exchange.imbalance() == {}
        finally:
            rig.stop()

    run(main())
