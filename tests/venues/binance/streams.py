"""A small venue for the sessions' tests: streams, REST and a WebSocket API, all scripted.

Only what a test asks for: it keeps no ledger and checks no signature; the simulated exchange does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from veloz._core import BinanceDecoder
from veloz.net.backoff import Backoff
from veloz.net.doors import Connection, HttpRequest, HttpResponse, Listener
from veloz.venues.binance.hosts import Environment, Hosts, hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from veloz.net.limits import Priority
    from veloz.net.simulated import World

SYMBOL = "BTCUSDT"
LISTING = {
    "symbols": [
        {
            "symbol": SYMBOL,
            "status": "TRADING",
            "baseAsset": "BTC",
            "quoteAsset": "USDT",
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "filters": [
                {
                    "filterType": "PRICE_FILTER",
                    "minPrice": "0.01",
                    "maxPrice": "1000000.00",
                    "tickSize": "0.01",
                },
                {
                    "filterType": "LOT_SIZE",
                    "minQty": "0.00001",
                    "maxQty": "9000.0",
                    "stepSize": "0.00001",
                },
                {"filterType": "NOTIONAL", "minNotional": "5.0", "maxNotional": "9000000.0"},
            ],
        }
    ]
}


def simulated(market: Any, **more: Any) -> Hosts:
    """The addresses under which a `Venue` is reached."""
    return hosts(
        market,
        Environment.SIMULATED,
        overrides={
            "rest": "http://venue.test:80",
            "streams": "ws://venue.test:80",
            "ws_api": "ws://venue.test:80/ws-api",
        },
        **more,
    )


class Peer:
    """The venue's end of one connection."""

    def __init__(self, venue: Venue, request: HttpRequest, connection: Connection) -> None:
        self.venue = venue
        self.request = request
        self.connection = connection
        self.streams: dict[str, None] = {}

    def on_frame(
        self, connection: Connection, payload: bytes | memoryview, ts_recv_ns: int
    ) -> None:
        message = json.loads(bytes(payload))
        self.venue.heard.append((self.request.path, message))
        if self.venue.on_message is not None and self.venue.on_message(self, message):
            return
        self.control(message)

    def control(self, message: Mapping[str, Any]) -> None:
        params = list(message.get("params", []))
        if message["method"] == "SUBSCRIBE":
            bad = [name for name in params if name in self.venue.bad_streams]
            if bad:
                self.say({"error": {"code": 2, "msg": f"bad {bad[0]}"}, "id": message["id"]})
                return
            self.streams.update(
                {name: None for name in params if name not in self.venue.dropped_streams}
            )
        elif message["method"] == "UNSUBSCRIBE":
            for name in params:
                self.streams.pop(name, None)
        is_list = message["method"] == "LIST_SUBSCRIPTIONS"
        self.say({"result": list(self.streams) if is_list else None, "id": message["id"]})

    def say(self, message: object) -> None:
        if self.connection.is_open:
            self.connection.send(json.dumps(message, separators=(",", ":")).encode())

    def on_pong(self, connection: Connection, payload: bytes) -> None:
        pass

    def on_close(self, connection: Connection, code: int | None, reason: str) -> None:
        if self in self.venue.peers:
            self.venue.peers.remove(self)


class Venue:
    """Publishes to whoever subscribed; answers REST by path from `routes`.

    Attributes:
        heard: Every message with the path of its connection.
        asked: Every REST request, with its parameters.
    """

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.routes: dict[str, Callable[[dict[str, str]], Any]] = {}
        self.bad_streams: list[str] = []
        self.dropped_streams: list[str] = []
        self.on_message: Callable[[Peer, dict[str, Any]], bool] | None = None
        self.accepted = 0

    def accept(self, request: HttpRequest, connection: Connection) -> Listener | HttpResponse:
        self.accepted += 1
        peer = Peer(self, request, connection)
        self.peers.append(peer)
        return peer

    async def http(self, request: HttpRequest) -> HttpResponse:
        text = request.query + ("&" + request.body.decode() if request.body else "")
        params = {name: values[0] for name, values in parse_qs(text).items()}
        self.asked.append((request.method, request.path, params))
        made = self.routes[f"{request.method} {request.path}"](params)
        if isinstance(made, HttpResponse):
            return made
        return HttpResponse(200, {}, json.dumps(made).encode())

    def publish(self, stream: str, event: Any) -> None:
        frame = json.dumps({"stream": stream, "data": event}, separators=(",", ":")).encode()
        for peer in self.peers:
            if stream in peer.streams and peer.connection.is_open:
                peer.connection.send(frame)


async def serve(world: World, venue: Venue) -> None:
    await world.host("venue").boot().sockets.serve(venue, "venue.test", 80)


def pace(doors: Any) -> Backoff:
    """A short one, so that tests are short in virtual time too."""
    return Backoff(doors.clock, doors.random, first_s=0.2, most_s=5.0, most_per_5_min=300)


class NoLimits:
    """A budget that grants everything and remembers what it was told."""

    def __init__(self) -> None:
        self.charged: list[tuple[int, int, Priority]] = []
        self.observed: list[tuple[int, dict[str, str]]] = []
        self.is_closed = False

    silent_s = 0.0

    async def wait(self, weight: int, priority: Priority) -> None:
        self.charged.append((weight, 0, priority))

    def take(self, weight: int, orders: int, priority: Priority) -> bool:
        if self.is_closed:
            return False
        self.charged.append((weight, orders, priority))
        return True

    def has_room(self, weight: int, orders: int, priority: Priority) -> bool:
        return not self.is_closed

    def look_ahead(self) -> None:
        """There is nothing to look at."""

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        self.observed.append((status, dict(headers)))


class HostTime:
    """The venue's time as the host's own clock has it."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self.is_known = True
        self.distrusts = 0

    def now_ms(self) -> int:
        return self._clock.wall_ns() // 1_000_000

    def stamp_ms(self, window_ms: int) -> int | None:
        return self.now_ms() if self.is_known else None

    def distrust(self) -> None:
        self.distrusts += 1


class DecodingEngine:
    """The market-data inputs over the real decoder: books, events and marks of staleness."""

    def __init__(self, market: str = "spot") -> None:
        self.decoder = BinanceDecoder(market, keep_events=True)
        if market == "spot":
            self.decoder.add_exchange_info(json.dumps(LISTING))
        self.frames: list[dict[str, Any]] = []
        self.history: list[list[Any]] = []
        self.rest: list[tuple[str, Any]] = []
        self.marks: list[tuple[str, tuple[str, ...]]] = []
        self.symbols: list[str] = [SYMBOL] if market == "spot" else []

    def frame(self, feed: int, payload: bytes | memoryview, ts_recv_ns: int) -> int:
        kind = self.decoder.frame(bytes(payload), ts_recv_ns)
        self.frames.append(json.loads(bytes(payload)))
        return kind

    def rest_body(self, feed: int, url: str, body: bytes, ts_recv_ns: int) -> int:
        self.rest.append((url, json.loads(body)))
        return self.decoder.rest(url, body, ts_recv_ns)

    def history_body(self, feed: int, url: str, body: bytes, ts_recv_ns: int) -> int:
        self.history.append(json.loads(body))
        return self.decoder.rest(url, body, ts_recv_ns)

    def books_to_rebuild(self, feed: int) -> Sequence[str]:
        found = []
        for symbol in self.symbols:
            book = self.decoder.book(symbol)
            if book.state != "live" and book.counts["diffs"] > 0:
                found.append(symbol)
        return found

    def stale(self, feed: int, streams: Sequence[str], reason: str, ts_ns: int) -> None:
        self.marks.append(("stale", tuple(streams)))

    def fresh(self, feed: int, streams: Sequence[str], ts_ns: int) -> None:
        self.marks.append(("fresh", tuple(streams)))

    def trade_ids(self) -> list[int]:
        return [f["data"]["t"] for f in self.frames if f.get("data", {}).get("e") == "trade"]
