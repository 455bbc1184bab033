"""Streams of one market that are sent by the clock: candles, tickers, mark and index prices.

What a stream is about stands before the `@`: a symbol, a pair, or a pair with the type of its
contract. The two futures hosts serve each other's candles and mark prices, and their streams of
all symbols hold both markets.

Source: Binance Spot API, "WebSocket Streams"; Derivatives, "WebSocket Market Streams"; CM-UM
integration notice.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from veloz.exchange.model import Kline, Window
from veloz.exchange.words import Market
from veloz.venues.binance.dialect import stream_shapes as shapes
from veloz.venues.binance.dialect.tickers import DAY_NS, statistics
from veloz.venues.binance.dialect.vocabulary import INTERVALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from veloz.exchange.listing import Listing
    from veloz.venues.binance.dialect.hub import Build, Hub
    from veloz.venues.binance.dialect.tickers import Statistics

__all__ = ["ClockStreams"]

ZERO = Decimal(0)
HOUR_NS = 3_600_000_000_000
MINUTE_NS = 60_000_000_000
FUTURES = (Market.USDM, Market.COINM)
WINDOWS_NS = {"1h": HOUR_NS, "4h": 4 * HOUR_NS, "1d": DAY_NS}
OFFSETS_NS = {"": 0, "+08:00": 8 * HOUR_NS}
# what a stream's name says of its candles -> whether the name holds a pair
CANDLES = {
    "kline": False,
    "markPriceKline": False,
    "indexPriceKline": True,
    "continuousKline": True,
}
ALL_SYMBOLS = {
    Market.SPOT: ("miniTicker", *(f"ticker_{name}" for name in WINDOWS_NS)),
    Market.USDM: ("miniTicker", "ticker", "markPrice", "bookTicker"),
    Market.COINM: ("miniTicker", "ticker", "markPrice", "bookTicker"),
}
BOOK_TICKERS_MS = 5000


class ClockStreams:
    """Feeds one market's hub with what is due by the time.

    Args:
        hub: The streams and who listens.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._venue = hub.venue
        self._exchange = hub.venue.exchange
        self._market = hub.market
        self._sent_candles: dict[str, int] = {}
        # looked up for each message; forgotten when a listing changes
        self._about: dict[str, list[Listing]] = {}

    def forget(self) -> None:
        """Listings have changed."""
        self._about.clear()

    def send(self, stream: str, about: tuple[str, str, str], now_ms: int) -> None:
        """Sends what is due of one stream.

        Args:
            stream: Its name.
            about: What stands before and after its first `@`, and after its second.
            now_ms: Time since the venue's start, in steps of 100 ms.
        """
        name, kind, pace = about
        word, _, interval = kind.partition("_")
        if stream.startswith("!"):
            self._send_all(stream, now_ms)
        elif word in CANDLES:
            if interval in INTERVALS and pace in OFFSETS_NS:
                for listing in self._named(name, word)[:1]:
                    self._send_candle(stream, listing, (word, interval, OFFSETS_NS[pace]), now_ms)
        elif now_ms % 1000 == 0:
            build = self._by_the_second(name, kind, pace, now_ms)
            if build is not None:
                self._hub.publish(stream, build)

    def _named(self, name: str, word: str) -> list[Listing]:
        """The listings that a stream is about; none if the venue does not have such a stream."""
        key = f"{name}@{word}"
        if key not in self._about:
            self._about[key] = self._found(name, word)
        return self._about[key]

    def _found(self, name: str, word: str) -> list[Listing]:
        is_foreign = self._market is not Market.SPOT and word in {
            "kline", "continuousKline", "markPrice",
        }  # fmt: skip
        markets = FUTURES if is_foreign else (self._market,)
        rows = [row for market in markets for row in self._exchange.listings(market)]
        if word == "continuousKline":
            typed = [f"{row.pair}_{row.contract_type.value}".upper() for row in rows]
            is_right = self._market is not Market.SPOT
            return [row for row, key in zip(rows, typed, strict=True) if is_right and key == name]
        if word in {"indexPrice", "indexPriceKline"}:
            is_right = self._market is Market.COINM
            return [row for row in rows if is_right and row.pair == name]
        if word == "markPriceKline" and self._market is not Market.COINM:
            return []
        found = [row for row in rows if row.symbol == name]
        if not found and word == "markPrice" and self._market is Market.COINM:
            return [row for row in rows if row.market is Market.COINM and row.pair == name]
        return found

    def _by_the_second(self, name: str, kind: str, pace: str, now_ms: int) -> Build | None:
        listings = self._named(name, kind.partition("_")[0])
        if not listings:
            return None
        listing, is_spot = listings[0], self._market is Market.SPOT
        if kind in {"markPrice", "indexPrice"} and not is_spot:
            if pace != "1s" and now_ms % 3000:
                return None
            return self._price(name, kind, listings)
        if kind == "avgPrice" and is_spot:
            price = self._exchange.average_price(self._market, listing.symbol) or ZERO
            return lambda unit: shapes.average_price(
                listing, price, self._now(unit), self._now(unit)
            )
        if kind.startswith("ticker_") and is_spot and kind[7:] in WINDOWS_NS:
            return self._window(listing, kind[7:])
        if kind in {"ticker", "miniTicker"} and (is_spot or now_ms % 2000 == 0):
            return self._ticker(listing, kind)
        return None

    def _price(self, name: str, kind: str, listings: list[Listing]) -> Build:
        rows = [self._exchange.mark_price(row.market, row.symbol) for row in listings]
        if kind == "indexPrice":
            return lambda unit: shapes.index_price(rows[0], name, self._now(unit))
        pairs = list(zip(rows, listings, strict=True))
        if name != listings[0].symbol:  # a pair: each of its contracts
            return lambda unit: [shapes.mark_price(*pair, self._now(unit)) for pair in pairs]
        return lambda unit: shapes.mark_price(*pairs[0], self._now(unit))

    def _ticker(self, listing: Listing, kind: str) -> Build:
        row = self._statistics(listing, DAY_NS)
        if kind == "miniTicker":
            return lambda unit: shapes.mini_ticker(row, listing, self._now(unit))
        best = self._exchange.book_ticker(listing.market, listing.symbol)
        return lambda unit: shapes.day_ticker(row, listing, best, self._now(unit), unit)

    def _window(self, listing: Listing, size: str) -> Build:
        now = self._venue.clock_ns()
        start = now - WINDOWS_NS[size]
        row = self._statistics(listing, now - (start - start % MINUTE_NS))
        return lambda unit: shapes.window_ticker(row, listing, size, self._now(unit), unit)

    def _statistics(self, listing: Listing, span_ns: int) -> Statistics:
        return statistics(self._exchange, listing, self._venue.clock_ns(), span_ns)

    def _send_all(self, stream: str, now_ms: int) -> None:
        """A stream of every symbol."""
        kind, _, rest = stream[1:].partition("@")
        paces = rest.split("@")
        if now_ms % 1000 or kind not in ALL_SYMBOLS[self._market]:
            return
        markets = [Market.SPOT] if self._market is Market.SPOT else FUTURES
        listings = [row for market in markets for row in self._exchange.listings(market)]
        if kind == "bookTicker":
            if now_ms % BOOK_TICKERS_MS == 0:
                for listing in listings:
                    self._hub.publish(stream, self._quote(listing))
            return
        if kind == "markPrice" and "1s" not in paces and now_ms % 3000:
            return
        builds = [self._row(listing, kind) for listing in listings]
        self._hub.publish(stream, lambda unit: [build(unit) for build in builds])

    def _row(self, listing: Listing, kind: str) -> Callable[[int], object]:
        if kind == "markPrice":
            price = self._exchange.mark_price(listing.market, listing.symbol)
            return lambda unit: shapes.mark_price(price, listing, self._now(unit))
        if kind.startswith("ticker_"):
            return self._window(listing, kind[7:])
        return self._ticker(listing, kind)

    def _quote(self, listing: Listing) -> Build:
        row = self._exchange.book_ticker(listing.market, listing.symbol)
        return lambda unit: shapes.book_ticker(row, listing, self._now(unit))

    def _send_candle(
        self, stream: str, listing: Listing, form: tuple[str, str, int], now_ms: int
    ) -> None:
        word, interval, offset_ns = form
        pace = 1000 if interval == "1s" else 2000
        if self._market is not Market.SPOT:
            pace = 300
        now_ns = self._venue.clock_ns()
        rows = self._exchange.klines(
            listing.market, listing.symbol, interval, Window(limit=2), offset_ns
        )
        for row in rows:
            is_closed = now_ns >= row.close_ns
            fresh_close = is_closed and self._sent_candles.get(stream, 0) < row.open_ns
            if fresh_close and stream in self._sent_candles:
                self._sent_candles[stream] = row.open_ns
            elif is_closed or now_ms % pace:
                self._sent_candles.setdefault(stream, row.open_ns if is_closed else row.open_ns - 1)
                continue
            self._send_one(stream, row, (listing, word), now_ns)

    def _send_one(
        self, stream: str, candle: Kline, about: tuple[Listing, str], now_ns: int
    ) -> None:
        listing, word = about
        self._hub.publish(
            stream,
            lambda unit: shapes.candle(word, candle, listing, (self._now(unit), now_ns, unit)),
        )

    def _now(self, unit: int) -> int:
        return self._venue.now_ns() // unit
