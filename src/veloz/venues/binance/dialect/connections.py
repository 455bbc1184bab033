"""One WebSocket of a client to this venue: what a stream and a WS API connection share.

A connection is pinged at the market's interval, ended after 24 h, and closed with 1008 when the
client sends more messages a second than allowed.

Source: Binance Spot API, "WebSocket Streams" and "WebSocket API", general information.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veloz.exchange.words import Market
from veloz.net.doors import ConnectionLost
from veloz.venues.binance.dialect.vocabulary import decode, encode

if TYPE_CHECKING:
    from veloz.net.doors import Connection
    from veloz.venues.binance.dialect.hub import Hub

__all__ = ["DAY_MS", "Peer", "StreamPeer"]

DAY_MS = 86_400_000
PING_MS = {Market.SPOT: 20_000, Market.USDM: 180_000, Market.COINM: 180_000}
PATIENCE_MS = {Market.SPOT: 60_000, Market.USDM: 600_000, Market.COINM: 600_000}
MOST_MESSAGES = {Market.SPOT: 5, Market.USDM: 10, Market.COINM: 10}
MOST_STREAMS = {Market.SPOT: 1024, Market.USDM: 1024, Market.COINM: 200}
TOO_MANY = (1008, "Too many requests")


class Peer:
    """A connection, its age and its manners.

    Attributes:
        is_user: Carries private messages: faults of user streams mean it.
        is_api: A connection of the WebSocket API.
    """

    is_user = False
    is_api = False

    def __init__(self, connection: Connection, market: Market, now_ms: int) -> None:
        self.connection = connection
        self.market = market
        self.opened_ms = now_ms
        self.muted_until_ms = 0
        self.clock_ms = now_ms
        self._pinged_ms = now_ms
        self._pong_ms = now_ms
        self._second = 0
        self._in_second = 0

    def tick(self, now_ms: int) -> None:
        """Pings, and ends what is too old or does not answer."""
        self.clock_ms = now_ms
        if not self.connection.is_open:
            return
        if now_ms - self.opened_ms >= DAY_MS:
            self.connection.close(1001, "")
        elif now_ms - self._pong_ms > PING_MS[self.market] + PATIENCE_MS[self.market]:
            self.connection.close(1008, "Pong timeout")
        elif now_ms - self._pinged_ms >= PING_MS[self.market]:
            self._pinged_ms = now_ms
            self.connection.ping(str(now_ms).encode())

    def deliver(self, payload: bytes) -> None:
        """Sends one message, unless the connection is closed or muted."""
        if self.clock_ms < self.muted_until_ms or not self.connection.is_open:
            return
        try:
            self.connection.send(payload)
        except ConnectionLost:
            return  # it closed in this moment; on_close follows

    def on_pong(self, connection: Connection, payload: bytes) -> None:
        """Hears that the client is there."""
        self._pong_ms = self.clock_ms

    def is_too_many(self, ts_recv_ns: int) -> bool:
        """Counts a message of the client; True, and the end, past so many a second."""
        second = ts_recv_ns // 1_000_000_000
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        if self._in_second <= MOST_MESSAGES[self.market]:
            return False
        self.connection.close(*TOO_MANY)
        return True


class StreamPeer(Peer):
    """A connection to the market streams, or to a futures user stream.

    Args:
        connection: The socket.
        hub: The market's streams.
        form: Unit of time, whether payloads have the stream's name around them, and the path of
            the USDⓈ-M host that was asked for.
        now_ms: The venue's time.
    """

    def __init__(
        self, connection: Connection, hub: Hub, form: tuple[int, bool, str], now_ms: int
    ) -> None:
        super().__init__(connection, hub.market, now_ms)
        self.unit, self.is_combined, self.path = form
        self.streams: dict[str, None] = {}
        self._hub = hub

    def join(self, streams: list[str]) -> None:
        """Subscribes, and forgets names that are there already."""
        for stream in streams:
            self.streams[stream] = None
            self._hub.join(stream, self)
            if stream in self._hub.venue.listen_keys:
                self.is_user = True

    def leave(self, streams: list[str]) -> None:
        """Ends subscriptions."""
        for stream in streams:
            self.streams.pop(stream, None)
            self._hub.leave(stream, self)

    def on_frame(
        self, connection: Connection, payload: bytes | memoryview, ts_recv_ns: int
    ) -> None:
        """Takes a control message."""
        if self.is_too_many(ts_recv_ns):
            return
        self.deliver(encode(self._answer(bytes(payload))))

    def on_close(self, connection: Connection, code: int | None, reason: str) -> None:
        """Forgets the connection."""
        self.leave(list(self.streams))

    def _answer(self, payload: bytes) -> dict[str, Any]:
        try:
            asked = decode(payload)
        except ValueError as broken:
            line, column = getattr(broken, "lineno", 1), getattr(broken, "colno", 1)
            text = f"Invalid JSON: expected value at line {line} column {column}"
            return {"code": 3, "msg": text}
        if not isinstance(asked, dict):
            return {"code": 2, "msg": "Invalid request: unknown variant"}
        number = asked.get("id")
        fits = (
            number is None
            or isinstance(number, int)
            or (isinstance(number, str) and len(number) <= 36)
        )
        if not fits:
            return {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"}
        if "method" not in asked:
            text = f"Invalid request: missing field `method` at line 1 column {len(payload)}"
            return {"code": 2, "msg": text, "id": number}
        method, params = str(asked["method"]), asked.get("params", [])
        if method in {"SUBSCRIBE", "UNSUBSCRIBE"}:
            return self._change(method, params, number)
        if method == "LIST_SUBSCRIPTIONS":
            return {"result": list(self.streams), "id": number}
        if method in {"SET_PROPERTY", "GET_PROPERTY"}:
            return {**self._property(method, params), "id": number}
        text = (
            f"Invalid request: unknown variant `{method}`, expected one of `SUBSCRIBE`, "
            "`UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
        )
        return {"code": 2, "msg": text, "id": number}

    def _property(self, method: str, params: Any) -> dict[str, Any]:
        """The one property that there is: whether payloads have their stream's name around them."""
        name, *values = params if isinstance(params, list) and params else [None]
        if not isinstance(name, str):
            return {"code": 2, "msg": "Invalid request: property name must be a string"}
        if name != "combined":
            return {"code": 0, "msg": "Unknown property"}
        if method == "GET_PROPERTY":
            return {"result": self.is_combined}
        if len(values) != 1 or not isinstance(values[0], bool):
            return {"code": 1, "msg": "Invalid value type: expected Boolean"}
        self.is_combined = values[0]
        return {"result": None}

    def _change(self, method: str, params: Any, number: Any) -> dict[str, Any]:
        if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
            return {"code": 2, "msg": "Invalid request: invalid type", "id": number}
        if method == "UNSUBSCRIBE":
            self.leave(params)
        elif len({*self.streams, *params}) > MOST_STREAMS[self.market]:
            self.connection.close(1008, "Too many streams")
        else:
            self.join(params)
        return {"result": None, "id": number}
