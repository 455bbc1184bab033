"""One market's server: REST, WebSocket streams and the WebSocket API under one address.

Source: Binance Spot API and Derivatives, "General Info" of each API.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from veloz.exchange.words import Market
from veloz.net.doors import ConnectionLost, HttpResponse
from veloz.venues.binance.dialect.access import check_rest
from veloz.venues.binance.dialect.connections import StreamPeer
from veloz.venues.binance.dialect.errors import VenueError, error
from veloz.venues.binance.dialect.fault_effects import Answer
from veloz.venues.binance.dialect.params import Params, split_query
from veloz.venues.binance.dialect.service import json_body, rest_error
from veloz.venues.binance.dialect.venue import Call
from veloz.venues.binance.dialect.vocabulary import MICROSECOND, MILLISECOND, encode
from veloz.venues.binance.dialect.ws_api import ApiPeer

if TYPE_CHECKING:
    from veloz.net.doors import Connection, HttpRequest, Listener
    from veloz.venues.binance.dialect.keys import ApiKey
    from veloz.venues.binance.dialect.simulation import Simulation
    from veloz.venues.binance.dialect.venue import Route

__all__ = ["MarketSite"]

JSON = {"content-type": "application/json;charset=UTF-8"}
WS_API_PATHS = {
    Market.SPOT: "/ws-api/v3",
    Market.USDM: "/ws-fapi/v1",
    Market.COINM: "/ws-dapi/v1",
}
PREFIXES = ("public", "market", "private")
CONNECT_WEIGHT = 2
# Some clients tell spot from futures by the host's name in the address; here it may stand in the
# path: ws://127.0.0.1:1234/stream.binance.com/ws
HOST_ALIAS = "stream.binance.com"
CONTROL = "/sim"
TIME_UNITS = {"MICROSECOND": MICROSECOND, "MILLISECOND": MILLISECOND}


class MarketSite:
    """The site of one market, for `Sockets.serve`."""

    def __init__(self, simulation: Simulation, market: Market) -> None:
        self._simulation = simulation
        self._venue = simulation.venue
        self._service = simulation.service
        self._market = market

    async def http(self, request: HttpRequest) -> HttpResponse:
        """Answers one REST request."""
        if request.path.startswith(CONTROL):
            return self._simulation.control.answer(request)
        route = self._service.routes[self._market].rest.get((request.method, request.path))
        if route is None:
            text = f"Path {request.path}, Method {request.method} is invalid"
            return self._refused(request, None, VenueError(404, -5000, text))
        try:
            call = self._proven(route, request)
        except VenueError as refusal:
            self._service.count_failure(self._market, request.peer, self._venue.now_ms())
            return self._refused(request, None, refusal)
        waiting: asyncio.Future[tuple[int, Any]] = asyncio.get_running_loop().create_future()

        def reply(status: int, body: Any) -> None:
            if not waiting.done():
                waiting.set_result((status, body))

        self._service.perform(route, call, reply)
        status, body = await waiting
        if status == 0:
            raise ConnectionLost("a fault lost this answer")
        account = call.key.account if call.key else None
        if isinstance(body, Answer):
            counts = self._counts(request.peer, account)
            return HttpResponse(status, JSON | counts | body.headers, body.body)
        waits = {name.lower(): value for name, value in body.get("headers", {}).items()}
        headers = self._counts(request.peer, account) | waits
        return HttpResponse(status, JSON | headers, json_body(status, body))

    def accept(self, request: HttpRequest, connection: Connection) -> Listener | HttpResponse:
        """Opens a stream or an API connection."""
        simulation = self._simulation
        now = self._venue.now_ms()
        if simulation.refuses_until_ms > now:
            seconds = str(-(-(simulation.refuses_until_ms - now) // 1000))
            status = simulation.refuses_with
            wait = {"retry-after": seconds} if status == 429 else {}
            return HttpResponse(status, wait, encode(error(-1000).body()))
        if not simulation.admits(self._market, request.peer, now):
            return HttpResponse(429, {"retry-after": "300"}, encode(error(-1000).body()))
        asked = dict(split_query(request.query))
        try:
            unit = _unit(self._market, asked.get("timeUnit", ""))
        except VenueError as refusal:
            return HttpResponse(refusal.status, JSON, encode(refusal.body()))
        path = request.path.rstrip("/")
        if path == WS_API_PATHS[self._market]:
            return self._api(connection, request, unit, asked)
        return self._streams(connection, path, unit, asked) or HttpResponse(404)

    def _api(
        self, connection: Connection, request: HttpRequest, unit: int, asked: dict[str, str]
    ) -> Listener | HttpResponse:
        try:
            limits = self._venue.limits[self._market]
            limits.take(request.peer, CONNECT_WEIGHT, self._venue.now_ms())
        except VenueError as refusal:
            return HttpResponse(refusal.status, refusal.headers, encode(refusal.body()))
        tells = asked.get("returnRateLimits", "true").lower() != "false"
        peer = ApiPeer(connection, self._service, self._market, (unit, request.peer, tells))
        self._simulation.welcome(peer)
        return peer

    def _streams(
        self, connection: Connection, path: str, unit: int, asked: dict[str, str]
    ) -> StreamPeer | None:
        words = path.strip("/").split("/")
        if words[0] == HOST_ALIAS:
            words = words[1:] or [""]
        prefix = "any"
        if self._market is Market.USDM:
            # without a prefix the host has served nothing since April 2026: open, and silent
            prefix = words.pop(0) if words[0] in PREFIXES else "none"
        if not words or words[0] not in {"ws", "stream"}:
            return None
        # a plus in a query reads as a space, and no stream has one: `@kline_1d@+08:00`
        names = [*words[1:], *asked.get("streams", "").replace(" ", "+").split("/")]
        if "listenKey" in asked:
            names.append(asked["listenKey"])
        hub = self._simulation.hubs[self._market]
        form = (unit, words[0] == "stream", prefix)
        peer = StreamPeer(connection, hub, form, self._venue.now_ms())
        peer.join([name for name in names if name])
        self._simulation.welcome(peer)
        return peer

    def _proven(self, route: Route, request: HttpRequest) -> Call:
        body = request.body.decode("utf-8", "replace")
        query = split_query(request.query)
        named = {name for name, _ in query}
        params = Params([*query, *(pair for pair in split_query(body) if pair[0] not in named)])
        key = self._key(route, request, (request.query, body), params)
        unit = _unit(self._market, request.headers.get("x-mbx-time-unit", ""))
        return Call(self._venue, self._market, params, key, unit, request.peer)

    def _key(
        self, route: Route, request: HttpRequest, sent: tuple[str, str], params: Params
    ) -> ApiKey | None:
        word = request.headers.get("x-mbx-apikey", "")
        return check_rest(self._venue, route.security, word, request.peer, sent, params)

    def _counts(self, peer: str, account: str | None) -> dict[str, str]:
        now = self._venue.now_ms()
        found = self._venue.limits[self._market].headers(peer, account, now)
        return {name.lower(): value for name, value in found.items()}

    def _refused(
        self, request: HttpRequest, account: str | None, refusal: VenueError
    ) -> HttpResponse:
        counts = self._counts(request.peer, account)
        waits = {name.lower(): value for name, value in refusal.headers.items()}
        body = encode(rest_error({"error": refusal.body()}))
        return HttpResponse(refusal.status, JSON | counts | waits, body)


def _unit(market: Market, word: str) -> int:
    """Nanoseconds per unit of time; futures have milliseconds only and read no such wish."""
    if market is not Market.SPOT or not word:
        return MILLISECOND
    if word.upper() not in TIME_UNITS:
        raise error(-1194)
    return TIME_UNITS[word.upper()]
