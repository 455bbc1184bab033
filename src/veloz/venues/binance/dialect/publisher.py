"""From the exchange's public events to the streams of one market.

Trades and best quotes go out at once. Books are collected and sent at the stream's pace; what is
sent by the clock is in `clock_streams.py`. `tick` is called every 100 ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from veloz.exchange.events import (
    BookChange,
    BookTickerEvent,
    LiquidationPrint,
    ListingEvent,
    TradePrint,
)
from veloz.exchange.model import BookTicker, Print
from veloz.exchange.words import Market, Refusal
from veloz.venues.binance.dialect import stream_shapes as shapes
from veloz.venues.binance.dialect.clock_streams import ClockStreams
from veloz.venues.binance.dialect.market_rest import agg_rows

if TYPE_CHECKING:
    from veloz.exchange.listing import Listing
    from veloz.venues.binance.dialect.hub import Build, Hub

__all__ = ["TICK_MS", "Publisher"]

TICK_MS = 100
SPEEDS_MS = {"100ms": 100, "250ms": 250, "500ms": 500, "1000ms": 1000}
DEPTHS = ("depth", "rpiDepth")
RPI_DEPTH = "rpiDepth"
AT_ONCE = ("trade", "aggTrade", "bookTicker", "forceOrder")
Side = dict[Decimal, Decimal]


@dataclass
class _Pending:
    """Changes of one book since the last message of one stream."""

    first: int
    previous: int
    last: int
    ts: int
    bids: Side = field(default_factory=dict[Decimal, Decimal])
    asks: Side = field(default_factory=dict[Decimal, Decimal])

    def add(self, change: BookChange) -> None:
        self.last, self.ts = change.last_id, change.ts
        self.bids.update(change.bids)
        self.asks.update(change.asks)


def _taken_apart(stream: str) -> tuple[str, str, str]:
    """Symbol, kind and pace of a stream's name; a stream of all symbols has none of them."""
    if stream.startswith("!"):
        return "", "", ""
    name, _, rest = stream.partition("@")
    kind, _, pace = rest.partition("@")
    return name.upper(), kind, pace.partition("@")[0]


class Publisher:
    """Feeds one market's hub."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._venue = hub.venue
        self._exchange = hub.venue.exchange
        self._market = hub.market
        self._diffs: dict[str, _Pending] = {}
        self._tape: dict[str, list[Print]] = {}
        self._last_ids: dict[str, int] = {}
        self._diff_streams: dict[str, tuple[str, ...]] = {}
        self._ticks = 0
        self._kinds: dict[str, tuple[str, str, str]] = {}
        self._clock = ClockStreams(hub)
        # looked up for each message; forgotten when a listing changes
        self._listings: dict[str, Listing] = {}

    def hear(self, event: object) -> None:
        """Takes one public event; those of other markets are passed over."""
        if isinstance(event, BookChange):
            if event.market is self._market:
                self._book(event)
        elif isinstance(event, BookTickerEvent):
            if event.ticker.market is self._market:
                self._best(event)
        elif isinstance(event, TradePrint):
            if event.trade.market is self._market:
                self._trade(event.trade)
        elif isinstance(event, LiquidationPrint):
            if self._market is not Market.SPOT:
                self._force_order(event)
        elif isinstance(event, ListingEvent):
            self._listings.pop(event.listing.symbol, None)
            self._clock.forget()

    def tick(self) -> None:
        """Sends what is due; called every 100 ms."""
        self._ticks += 1
        self.flush_tape()
        now_ms = self._ticks * TICK_MS
        for stream in self.hub.streams():
            if stream not in self._kinds:
                self._kinds[stream] = _taken_apart(stream)
            about = self._kinds[stream]
            if about[1].startswith(DEPTHS):
                self._due(stream, about, now_ms)
            elif not about[1].startswith(AT_ONCE):
                self._clock.send(stream, about, now_ms)

    def flush_tape(self) -> None:
        """Sends the aggregate trades that were collected."""
        for symbol, prints in self._tape.items():
            listing = self._listing(symbol)
            for rows in agg_rows(prints) if listing else ():
                self._agg(listing, rows)
        self._tape.clear()

    def _agg(self, listing: Listing | None, rows: list[Print]) -> None:
        if listing is not None:
            stream = f"{listing.symbol.lower()}@aggTrade"
            self.hub.publish(
                stream, lambda unit: shapes.agg_trade(rows, listing, self._now(unit), unit)
            )

    def _due(self, stream: str, about: tuple[str, str, str], now_ms: int) -> None:
        symbol, kind, pace = about
        listing = self._listing(symbol)
        if listing is None or now_ms % self._pace(pace):
            return
        if kind == "depth" or (kind == RPI_DEPTH and self._market is Market.USDM):
            self._send_diff(stream, listing)
        elif kind in {"depth5", "depth10", "depth20"}:
            self._send_partial(stream, listing, int(kind[5:]))

    def _trade(self, row: Print) -> None:
        if (self._market, row.symbol) in self._venue.books:
            return
        name = row.symbol.lower()
        if not self.hub.is_heard(f"{name}@trade") and not self.hub.is_heard(f"{name}@aggTrade"):
            return
        listing = self._listing(row.symbol)
        if listing is None:
            return
        self.hub.publish(
            f"{name}@trade", lambda unit: shapes.trade(row, listing, self._now(unit), unit)
        )
        if not self.hub.is_heard(f"{name}@aggTrade"):
            return
        self._tape.setdefault(row.symbol, []).append(row)
        if self._market is Market.SPOT:  # futures have a pace of 100 ms, spot has none
            self.hub.faults.soon(self.flush_tape)

    def _book(self, change: BookChange) -> None:
        if (self._market, change.symbol) in self._venue.books:
            return
        self._last_ids[change.symbol] = change.previous_id
        streams = self._diff_streams.get(change.symbol)
        if streams is None:
            name = change.symbol.lower() + "@depth"
            streams = (name, *(f"{name}@{speed}" for speed in SPEEDS_MS))
            if self._market is Market.USDM:  # without such orders it is the book itself
                name = f"{change.symbol.lower()}@{RPI_DEPTH}"
                streams = (*streams, name, f"{name}@500ms")
            self._diff_streams[change.symbol] = streams
        for stream in streams:
            if self.hub.is_heard(stream):
                found = self._diffs.get(stream)
                if found is None:
                    found = _Pending(change.first_id, change.previous_id, change.last_id, change.ts)
                    self._diffs[stream] = found
                found.add(change)
            elif stream in self._diffs:
                del self._diffs[stream]

    def _send_diff(self, stream: str, listing: Listing) -> None:
        found = self._diffs.pop(stream, None)
        if found is None:
            return
        ids = (found.first, found.last, found.previous)
        bids = tuple(sorted(found.bids.items(), reverse=True))
        asks = tuple(sorted(found.asks.items()))
        self.hub.publish(
            stream,
            lambda unit: shapes.depth_diff(listing, ids, bids, asks, found.ts, self._now(unit)),
        )

    def _send_partial(self, stream: str, listing: Listing, levels: int) -> None:
        book = self._venue.depth(self._market, listing.symbol, levels)
        previous = self._last_ids.get(listing.symbol, book.last_update_id)
        ids = (book.last_update_id, previous)
        self.hub.publish(
            stream, lambda unit: shapes.partial_depth(book, listing, self._now(unit), ids)
        )

    def _best(self, event: BookTickerEvent) -> None:
        row = event.ticker
        if (self._market, row.symbol) in self._venue.books:
            return
        stream = f"{row.symbol.lower()}@bookTicker"
        listing = self._listing(row.symbol) if self.hub.is_heard(stream) else None
        if listing is not None:
            self.hub.publish(stream, self._quote(row, listing))

    def _quote(self, row: BookTicker, listing: Listing) -> Build:
        return lambda unit: shapes.book_ticker(row, listing, self._now(unit))

    def _force_order(self, event: LiquidationPrint) -> None:
        listing = self._exchange.listing(event.market, event.symbol)
        streams = ["!forceOrder@arr"]  # it holds both futures markets, on either host
        if event.market is self._market:
            streams.append(f"{event.symbol.lower()}@forceOrder")
        for stream in streams:
            self.hub.publish(
                stream, lambda unit: shapes.force_order(event, listing, self._now(unit))
            )

    def _pace(self, word: str) -> int:
        usual = 1000 if self._market is Market.SPOT else 300  # the tick is 100 ms: 250 is 300
        return max(TICK_MS, SPEEDS_MS.get(word, usual) // TICK_MS * TICK_MS)

    def _now(self, unit: int) -> int:
        return self._venue.now_ns() // unit

    def _listing(self, symbol: str) -> Listing | None:
        found = self._listings.get(symbol)
        if found is None:
            try:
                found = self._exchange.listing(self._market, symbol)
            except Refusal:
                return None
            self._listings[symbol] = found
        return found
