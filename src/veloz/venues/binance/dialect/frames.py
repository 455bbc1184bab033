"""A recording sent as it is: thousands of messages a second, past the exchange's matching.

`Recording` takes every message through the books, so that orders meet recorded trades. Where only
the load on a client matters, that is too slow: here payloads go straight to the streams, with their
times moved to now, and ten times a second the exchange is shown the top of the recorded book, so
that orders still fill at prices that the client has seen.

It begins when somebody listens. The recorded update ids stay: `depth` is answered from the recorded
book. A recording that has trades and no aggregates gives both: an aggregate of one trade each.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from veloz.exchange.model import Depth
from veloz.exchange.words import Market
from veloz.venues.binance.dialect.vocabulary import MILLISECOND, encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veloz.venues.binance.dialect.drivers import RecordedRow
    from veloz.venues.binance.dialect.simulation import Simulation

__all__ = ["Frames"]

SHOWN_LEVELS = 20
SHOW_NS = 100_000_000
Side = dict[int, str]
_DECIMALS = 18
"""More than any price has."""
_NEVER = 9_876_543_210_987_654
"""A time, in ms, that no payload holds: it marks where times are written."""


@dataclass
class _Book:
    """The recorded book of one symbol; quantities stay as written until they are asked for.

    Prices are kept in order: to look for the best ones now and then takes milliseconds, in which
    what is due would gather.

    Attributes:
        bids: Quantity by price, a price as a whole number of its last decimal.
        asks: The same.
    """

    last_id: int = 0
    bids: Side = field(default_factory=dict[int, str])
    asks: Side = field(default_factory=dict[int, str])
    _keys: dict[str, int] = field(default_factory=dict[str, int])
    _prices: dict[int, Decimal] = field(default_factory=dict[int, Decimal])
    _bid_keys: list[int] = field(default_factory=list[int])
    _ask_keys: list[int] = field(default_factory=list[int])

    def clear(self) -> None:
        for levels in (self.bids, self.asks, self._bid_keys, self._ask_keys):
            levels.clear()

    def apply(self, bids: Any, asks: Any, last_id: int) -> None:
        self.last_id = last_id
        self._change(self.bids, self._bid_keys, bids)
        self._change(self.asks, self._ask_keys, asks)

    def top(self, limit: int) -> tuple[list[tuple[Decimal, Decimal]], ...]:
        bids, asks = self._bid_keys[: -limit - 1 : -1], self._ask_keys[:limit]
        return (
            [(self._prices[key], Decimal(self.bids[key])) for key in bids],
            [(self._prices[key], Decimal(self.asks[key])) for key in asks],
        )

    def _change(self, side: Side, keys: list[int], levels: Any) -> None:
        for text, size in levels:
            key = self._keys.get(text)
            if key is None:
                key = self._learn(text)
            if size.strip("0.") != "":
                if key not in side:
                    insort(keys, key)
                side[key] = size
            elif side.pop(key, None) is not None:
                del keys[bisect_left(keys, key)]

    def _learn(self, text: str) -> int:
        price = Decimal(text)
        key = self._keys[text] = int(price.scaleb(_DECIMALS))
        self._prices.setdefault(key, price)
        return key


@dataclass(frozen=True)
class _Written:
    """A payload as JSON, cut where the times are that move to now.

    Written before the load begins, so that sending one costs the host that is measured little.
    """

    streams: tuple[str, ...]
    parts: tuple[bytes, ...]

    @classmethod
    def of(cls, streams: tuple[str, ...], payload: dict[str, Any]) -> _Written:
        return cls(streams, tuple(encode(payload).split(str(_NEVER).encode())))


class Frames:
    """Drives streams by a recording's own payloads.

    Args:
        simulation: Whose streams.
        rows: From `read_recording`, with quotes.
        speed: 2.0 is twice as fast as it was recorded.
    """

    def __init__(
        self, simulation: Simulation, rows: Iterable[RecordedRow], *, speed: float = 1.0
    ) -> None:
        self._simulation = simulation
        self._rows = list(rows)
        self._speed = speed
        self._next = 0
        self._begun_ns = 0
        self._shown_ns = 0
        self._books: dict[tuple[Market, str], _Book] = {}
        self._prints: dict[tuple[Market, str], dict[str, Any]] = {}
        self._aggregated: set[tuple[Market, str]] = set()
        for row in self._rows:
            self._books.setdefault((row.market, row.symbol), _Book())
            if row.body["e"] == "aggTrade":
                self._aggregated.add((row.market, row.symbol))
        self._written = [
            [_Written.of(streams, payload) for streams, payload in self._payloads(row, _NEVER)]
            for row in self._rows
        ]
        for key in self._books:
            simulation.venue.books[key] = self._depth(key)

    @property
    def is_done(self) -> bool:
        """True when the last message has been sent."""
        return self._next >= len(self._rows)

    @property
    def due_ns(self) -> int | None:
        """When the next message is to leave; None before the first and after the last."""
        if not self._begun_ns or self.is_done:
            return None
        recorded_ns = self._rows[self._next].ts - self._rows[0].ts
        # a message leaves when its time has come, never before
        return self._begun_ns - int(-recorded_ns // self._speed)

    def step(self, now_ns: int) -> None:
        """Sends everything that is due until now."""
        if not self._begun_ns:
            self._before_first_snapshots()
            if self._is_heard():
                self._begun_ns = now_ns
        elapsed_ns = now_ns - self._begun_ns if self._begun_ns else -1
        until = self._rows[0].ts + int(elapsed_ns * self._speed)
        while not self.is_done and self._rows[self._next].ts <= until:
            self._send(self._next, now_ns // MILLISECOND)
            self._next += 1
        if now_ns - self._shown_ns >= SHOW_NS:
            self._shown_ns = now_ns
            self._show()

    def _is_heard(self) -> bool:
        hubs = [self._simulation.hubs[market] for market, _ in self._books]
        return any("@" in stream for hub in hubs for stream in hub.streams())

    def _before_first_snapshots(self) -> None:
        """A client may ask for a book before its recorded snapshot came: it is there at once."""
        for row in self._rows:
            if row.body["e"] == "snapshot":
                book = self._books[row.market, row.symbol]
                if not book.last_id:
                    self._take_snapshot(book, row.body)

    def _take_snapshot(self, book: _Book, body: dict[str, Any]) -> None:
        book.clear()
        book.apply(body["bids"], body["asks"], int(body["lastUpdateId"]))

    def _send(self, number: int, now_ms: int) -> None:
        row = self._rows[number]
        key, body = (row.market, row.symbol), row.body
        kind = body["e"]
        book = self._books[key]
        if kind == "snapshot":
            if not book.last_id:
                self._take_snapshot(book, body)
            return
        if kind == "depthUpdate" and int(body["u"]) > book.last_id:
            book.apply(body["b"], body["a"], int(body["u"]))
        elif kind == "trade":
            self._prints[key] = body
        elif kind == "markPriceUpdate":
            self._simulation.venue.exchange.set_mark(*key, Decimal(body["p"]))
            return  # the streams of mark prices have a pace of their own
        self._publish(row, self._written[number], now_ms)

    def _publish(self, row: RecordedRow, written: list[_Written], now_ms: int) -> None:
        hub = self._simulation.hubs[row.market]
        if hub.faults.is_planned:
            for streams, payload in self._payloads(row, now_ms):
                for stream in streams:
                    hub.publish(stream, partial(_given, payload))
            return
        for one in written:
            heard = [stream for stream in one.streams if hub.is_heard(stream)]
            if heard:
                raw = str(now_ms).encode().join(one.parts)
                for stream in heard:
                    hub.send(stream, raw)

    def _payloads(
        self, row: RecordedRow, now_ms: int
    ) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
        """What a message becomes at another time, as the venue words it, and on which streams."""
        kind, name = row.body["e"], row.symbol.lower()
        if kind not in STREAMS:
            return []
        payload = row.body | {part: now_ms for part in ("E", "T") if part in row.body}
        if kind == "bookTicker" and row.market is Market.SPOT:
            del payload["e"]
        found = [(tuple(name + stream for stream in STREAMS[kind]), payload)]
        if kind == "trade" and (row.market, row.symbol) not in self._aggregated:
            found.append(((name + "@aggTrade",), _aggregate(payload)))
        return found

    def _show(self) -> None:
        """The exchange takes over the top of each book, and the last trade."""
        exchange = self._simulation.venue.exchange
        for key, book in self._books.items():
            bids, asks = book.top(SHOWN_LEVELS)
            if bids and asks and bids[0][0] < asks[0][0]:
                exchange.replay_book(*key, bids, asks, is_snapshot=True)
            last = self._prints.pop(key, None)
            if last is not None and Decimal(last["q"]) and Decimal(last["p"]):
                exchange.replay_trade(
                    *key, Decimal(last["p"]), Decimal(last["q"]), buyer_is_maker=bool(last["m"])
                )

    def _depth(self, key: tuple[Market, str]) -> Any:
        def depth(limit: int) -> Depth:
            book = self._books[key]
            bids, asks = book.top(limit)
            now = self._simulation.venue.clock_ns()
            return Depth(*key, book.last_id, tuple(bids), tuple(asks), now)

        return depth


def _aggregate(trade: dict[str, Any]) -> dict[str, Any]:
    """A trade as an aggregate of itself."""
    own = {name: trade[name] for name in ("E", "s", "p", "q", "T", "m")}
    return {"e": "aggTrade", **own, "a": trade["t"], "f": trade["t"], "l": trade["t"]}


def _given(payload: dict[str, Any], _unit: int) -> dict[str, Any]:
    return payload


STREAMS = {
    "depthUpdate": ("@depth", "@depth@0ms", "@depth@100ms", "@depth@250ms", "@depth@500ms"),
    "trade": ("@trade",),
    "aggTrade": ("@aggTrade",),
    "bookTicker": ("@bookTicker",),
}
