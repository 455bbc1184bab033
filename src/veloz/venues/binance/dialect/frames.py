"""A recording sent as it is: thousands of messages a second, past the exchange's matching.

`Recording` takes every message through the books, so that orders meet recorded trades. Where only
the load on a client matters, that is too slow: here payloads go straight to the streams, with their
times moved to now, and ten times a second the exchange is shown the top of the recorded book, so
that orders still fill at prices that the client has seen.

The recorded update ids stay: `depth` is answered from the recorded book. A recording that has
trades and no aggregates gives both: an aggregate of one trade each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.exchange.model import Depth
from veloz.exchange.words import Market
from veloz.venues.binance.dialect.vocabulary import MILLISECOND

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veloz.venues.binance.dialect.drivers import RecordedRow
    from veloz.venues.binance.dialect.simulation import Simulation

__all__ = ["Frames"]

SHOWN_LEVELS = 20
SHOW_NS = 100_000_000
Side = dict[Decimal, Decimal]


@dataclass
class _Book:
    """The recorded book of one symbol."""

    last_id: int = 0
    bids: Side = field(default_factory=dict[Decimal, Decimal])
    asks: Side = field(default_factory=dict[Decimal, Decimal])

    def apply(self, bids: Any, asks: Any, last_id: int) -> None:
        self.last_id = last_id
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for price, size in levels:
                if size.strip("0.") == "":
                    side.pop(Decimal(price), None)
                else:
                    side[Decimal(price)] = Decimal(size)

    def top(self, limit: int) -> tuple[list[tuple[Decimal, Decimal]], ...]:
        bids = sorted(self.bids.items(), reverse=True)[:limit]
        return bids, sorted(self.asks.items())[:limit]


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
        for key in self._books:
            simulation.venue.books[key] = self._depth(key)

    @property
    def is_done(self) -> bool:
        """True when the last message has been sent."""
        return self._next >= len(self._rows)

    def step(self, now_ns: int) -> None:
        """Sends everything that is due until now."""
        if not self._begun_ns:
            self._begun_ns = now_ns
            self._before_first_snapshots()
        until = self._rows[0].ts + int((now_ns - self._begun_ns) * self._speed)
        while not self.is_done and self._rows[self._next].ts <= until:
            self._send(self._rows[self._next], now_ns // MILLISECOND)
            self._next += 1
        if now_ns - self._shown_ns >= SHOW_NS:
            self._shown_ns = now_ns
            self._show()

    def _before_first_snapshots(self) -> None:
        """A client may ask for a book before its recorded snapshot came: it is there at once."""
        for row in self._rows:
            if row.body["e"] == "snapshot":
                book = self._books[row.market, row.symbol]
                if not book.last_id:
                    self._take_snapshot(book, row.body)

    def _take_snapshot(self, book: _Book, body: dict[str, Any]) -> None:
        book.bids.clear()
        book.asks.clear()
        book.apply(body["bids"], body["asks"], int(body["lastUpdateId"]))

    def _send(self, row: RecordedRow, now_ms: int) -> None:
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
        self._publish(row, now_ms)

    def _publish(self, row: RecordedRow, now_ms: int) -> None:
        hub = self._simulation.hubs[row.market]
        moved = {name: now_ms for name in ("E", "T") if name in row.body}
        payload = {**row.body, **moved}
        name = row.symbol.lower()
        if payload["e"] == "bookTicker" and row.market is Market.SPOT:
            del payload["e"]
        for stream in STREAMS[row.body["e"]]:
            hub.publish(name + stream, lambda _unit: payload)
        if row.body["e"] == "trade" and (row.market, row.symbol) not in self._aggregated:
            hub.publish(name + "@aggTrade", lambda _unit: _aggregate(payload))

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


STREAMS = {
    "depthUpdate": ("@depth", "@depth@0ms", "@depth@100ms", "@depth@250ms", "@depth@500ms"),
    "trade": ("@trade",),
    "aggTrade": ("@aggTrade",),
    "bookTicker": ("@bookTicker",),
}
