"""What clients send to the simulated exchange, and the plans and recordings that it is given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

from tests.dialect.rig import BASE, QTY, SYMBOL, Rig
from tests.fuzz.damage import raw_damage, text_damage
from tests.fuzz.parser import Parser
from veloz.environments.dst.joined import JOINED
from veloz.environments.dst.joined import split as split_plan
from veloz.environments.dst.plan import Plan
from veloz.exchange.words import Market
from veloz.net.doors import HttpResponse
from veloz.net.simulated import VirtualLoop
from veloz.venues.binance.dialect.drivers import read_recording
from veloz.venues.binance.dialect.faults import Faults
from veloz.venues.binance.dialect.routes import ROUTES

__all__ = ["PARSERS", "exchange_info"]

CAPTURE = Path(__file__).parents[1] / "vectors" / "captures" / "binance_spot"
SOCKETS = {
    "spot": ("/ws", "/ws-api/v3"),
    "usdm": ("/ws", "/ws-fapi/v1"),
    "coinm": ("/ws", "/ws-dapi/v1"),
}
ORDER = {
    "symbol": "", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "", "price":
    "59000", "newClientOrderId": "a1", "orderId": "5", "limit": "10", "recvWindow": "5000",
}  # fmt: skip


class _Venue:
    """A simulated exchange on virtual time."""

    def __init__(self, market: str) -> None:
        self.market = Market(market)
        self._loop = VirtualLoop()
        self.rig = self.run(self._make())

    async def _make(self) -> Rig:
        return Rig()

    def run(self, part: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(part)

    def pardon(self) -> None:
        self.rig.simulation.venue.limits[self.market].pardon("127.0.0.1")

    def orders(self) -> object:
        exchange = self.rig.exchange
        return [
            (name, market, exchange.open_orders(name, market))
            for name in exchange.accounts()
            for market in Market
        ]

    def close(self) -> None:
        async def stop() -> None:
            self.rig.stop()
            await asyncio.sleep(0)

        self.run(stop())
        self._loop.close()


class _Requests(_Venue):
    """Request lines, queries and bodies, signed after they were damaged."""

    def __init__(self, market: str) -> None:
        super().__init__(market)
        symbol = SYMBOL[self.market]
        words = {**ORDER, "symbol": symbol, "quantity": QTY[self.market]}
        query = "&".join(f"{name}={value}" for name, value in words.items())
        rows = json.dumps([words, words], separators=(",", ":"))
        self._paths = list(ROUTES[self.market].rest)
        self.corpus = [
            query.encode(),
            f"batchOrders={quote(rows)}".encode(),
            b"symbol=" + rows.encode(),
        ]
        self.corpus *= max(1, len(self._paths) // 2)
        self._turn = 0

    def read(self, data: bytes, kind: int) -> bool:
        self._turn += 1
        method, path = self._paths[(kind + self._turn) % len(self._paths)]
        text = data.decode("latin-1")
        stamp = f"timestamp={self.rig.now_ms()}"
        query = f"{text}&{stamp}" if text else stamp
        query += f"&signature={self.rig.sign(query)}"
        headers = {"x-mbx-apikey": self.rig.keys[0].api_key}
        is_body = self._turn % 5 == 0 and method != "GET"
        found: HttpResponse = self.run(
            self.rig.raw(
                self.market, method, path, "" if is_body else query, headers=headers,
                body=query.encode("latin-1") if is_body else b"",
            )
        )  # fmt: skip
        self.pardon()
        body = json.loads(found.body)
        if found.status != 200:
            assert body["code"] < 0, body
            assert body["code"] != -1000, f"{method} {path}: {body}"
        return found.status == 200

    def state(self) -> object:
        return None


class _Frames(_Venue):
    """Frames of the market streams' control messages and of the WebSocket API."""

    def __init__(self, market: str) -> None:
        super().__init__(market)
        self._paths = SOCKETS[market]
        words = {**ORDER, "symbol": SYMBOL[self.market], "quantity": QTY[self.market]}
        self._open: dict[str, Any] = {}
        self._ns = self.rig.clock.wall_ns()
        stream = SYMBOL[self.market].lower() + "@depth"
        messages: list[dict[str, Any]] = [
            {"method": "SUBSCRIBE", "params": [stream, "btcusdt@trade"], "id": 1},
            {"method": "UNSUBSCRIBE", "params": [stream], "id": 2},
            {"method": "LIST_SUBSCRIPTIONS", "id": 3},
            {"method": "SET_PROPERTY", "params": ["combined", True], "id": 4},
        ]
        for method in ROUTES[self.market].ws:
            messages.append({"id": "x1", "method": method, "params": dict(words)})
        self.corpus = [json.dumps(message).encode() for message in messages]

    def read(self, data: bytes, kind: int) -> bool:
        path = self._paths[0 if kind < 4 else 1]
        if path not in self._open or not self._open[path][1].is_open:
            self.rig.simulation._connects.clear()
            self._open[path] = self.rig.socket(self.market, path)
        peer, wire = self._open[path]
        wire.frames.clear()
        self._ns += 1_000_000_000
        peer.on_frame(wire, data, self._ns)
        self.pardon()
        told = [row for row in wire.frames if "stream" not in row and "e" not in row]
        assert told or not wire.is_open, "no answer"
        return True

    def state(self) -> object:
        return None


class _Plan:
    """Fault plans, as `veloz dst` and `veloz exchange` take them."""

    corpus = (
        b'{"seed": 4711, "plan": [{"fault": "F-C02", "when": {"request": "order.place", "nth": 3},'
        b' "args": {"delay_ms": 9000, "effect": "placed"}}, {"fault": "F-A03", "when":'
        b' {"at_ms": 60000}, "args": {"stream": "user", "for_ms": 45000}},'
        b' {"fault": "*", "when": {"rate_per_1k_events": 5}, "args": {"only": ["A", "B"]}}]}',
    )

    def read(self, data: bytes, kind: int) -> bool:
        del kind
        plan = Plan.read(data.decode("utf-8", "surrogateescape"), JOINED)
        split_plan(plan)
        return True

    def state(self) -> object:
        return None


class _VenuePlan:
    """The same, of the exchange alone."""

    corpus = _Plan.corpus

    def __init__(self) -> None:
        self._faults = Faults(Random(1), lambda: 0)

    def read(self, data: bytes, kind: int) -> bool:
        del kind
        self._faults.load(json_value(data))
        for market in Market:
            self._faults.request(market, "order.place", "a1")
            self._faults.user(market, "executionReport/TRADE", {"e": "executionReport", "l": "1"})
            self._faults.market(market, "btcusdt@trade", {"p": "1", "q": "1"})
        return True

    def state(self) -> object:
        return None


def json_value(data: bytes) -> Any:
    """A plan's file as the command reads it."""
    from veloz.apps.exchange import plan_of

    return plan_of(data, "plan.json")


class _Recording:
    """Recordings that the exchange replays."""

    def __init__(self, folder: Path) -> None:
        import gzip

        self._path = folder / "recording.jsonl"
        path = CAPTURE / "2021-10-12_4sym_depth_bookTicker_aggTrade_kline.jsonl.gz"
        with gzip.open(path) as lines:
            rows = [line for line, _ in zip(lines, range(300), strict=False)]
        self.corpus = [b"".join(rows[at : at + 3]) for at in range(0, len(rows), 3)]

    def read(self, data: bytes, kind: int) -> bool:
        del kind
        self._path.write_bytes(data)
        return bool(read_recording(self._path))

    def state(self) -> object:
        return None


def exchange_info(market: str) -> bytes:
    """A whole listing, as the simulated exchange gives it."""
    venue = _Venue(market)
    try:
        path = f"{BASE[Market(market)]}/exchangeInfo"
        return venue.run(venue.rig.raw(Market(market), "GET", path)).body
    finally:
        venue.close()


def _query_damage(data: bytes, dice: Random) -> bytes:
    return (text_damage if dice.random() < 0.8 else raw_damage)(data, dice)


MARKETS = tuple(SOCKETS)
PARSERS = [
    *(
        Parser(f"exchange.requests.{m}", lambda _f, m=m: _Requests(m), _query_damage, rounds=400)
        for m in MARKETS
    ),
    *(Parser(f"exchange.frames.{m}", lambda _f, m=m: _Frames(m), rounds=300) for m in MARKETS),
    Parser("exchange.plan", lambda _folder: _VenuePlan()),
    Parser("exchange.recording", _Recording, rounds=80),
    Parser("dst.plan", lambda _folder: _Plan()),
]
