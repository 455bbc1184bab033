"""Market-stream payloads, from the exchange's events and state.

`unit` is nanoseconds per unit of time. Futures payloads have `st`, 1 for USDⓈ-M and 2 for COIN-M,
and where the venue has it the pair as `ps`.

Source: Binance Spot API, "WebSocket Streams"; Derivatives, "WebSocket Market Streams".
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.exchange.words import Market
from veloz.venues.binance.dialect.futures_shapes import price_text, qty_text
from veloz.venues.binance.dialect.vocabulary import MILLISECOND, fixed

if TYPE_CHECKING:
    from veloz.exchange.events import LiquidationPrint
    from veloz.exchange.listing import Listing
    from veloz.exchange.model import BookTicker, Depth, Kline, MarkPrice, Print
    from veloz.venues.binance.dialect.tickers import Statistics

__all__ = [
    "agg_trade",
    "average_price",
    "book_ticker",
    "candle",
    "day_ticker",
    "depth_diff",
    "force_order",
    "index_price",
    "mark_price",
    "mini_ticker",
    "partial_depth",
    "trade",
    "universe",
    "window_ticker",
]

ZERO = Decimal(0)
# what a stream's name calls its candles -> the type of its events
CANDLE_EVENTS = {
    "kline": "kline",
    "continuousKline": "continuous_kline",
    "indexPriceKline": "indexPrice_kline",
    "markPriceKline": "markPrice_kline",
}
Payload = dict[str, Any]
Levels = tuple[tuple[Decimal, Decimal], ...]


def universe(listing: Listing) -> Payload:
    """`st` of a futures payload; nothing on spot."""
    return {Market.SPOT: {}, Market.USDM: {"st": 1}, Market.COINM: {"st": 2}}[listing.market]


def _px(listing: Listing, value: Decimal) -> str:
    return fixed(value) if listing.market is Market.SPOT else price_text(listing, value)


def _qty(listing: Listing, value: Decimal) -> str:
    return fixed(value) if listing.market is Market.SPOT else qty_text(listing, value)


def _pair(listing: Listing) -> Payload:
    return {} if listing.market is Market.SPOT else {"ps": listing.pair}


def trade(row: Print, listing: Listing, now: int, unit: int) -> Payload:
    """`@trade`."""
    shape: Payload = {
        "e": "trade",
        "E": now,
        "s": row.symbol,
        "t": row.trade_id,
        "p": _px(listing, row.price),
        "q": _qty(listing, row.qty),
        "T": row.ts // unit,
        "m": row.buyer_is_maker,
    }
    if listing.market is Market.SPOT:
        return shape | {"M": True}
    return shape | {"X": "MARKET"} | universe(listing)


def agg_trade(rows: list[Print], listing: Listing, now: int, unit: int) -> Payload:
    """`@aggTrade` of the prints that one order made at one price."""
    first = rows[0]
    total = sum((row.qty for row in rows), ZERO)
    shape: Payload = {
        "e": "aggTrade",
        "E": now,
        "s": first.symbol,
        "a": first.trade_id,
        "p": _px(listing, first.price),
        "q": _qty(listing, total),
        "f": first.trade_id,
        "l": rows[-1].trade_id,
        "T": first.ts // unit,
        "m": first.buyer_is_maker,
    }
    if listing.market is Market.SPOT:
        return shape | {"M": True}
    return shape | {"nq": shape["q"]} | universe(listing)


def _levels(listing: Listing, levels: Levels) -> list[list[str]]:
    return [[_px(listing, price), _qty(listing, size)] for price, size in levels]


def depth_diff(
    listing: Listing, ids: tuple[int, int, int], bids: Levels, asks: Levels, ts: int, now: int
) -> Payload:
    """`@depth`: changed levels; `ids` are first, last and previous."""
    first, last, previous = ids
    if listing.market is Market.SPOT:
        return {
            "e": "depthUpdate",
            "E": now,
            "s": listing.symbol,
            "U": first,
            "u": last,
            "b": _levels(listing, bids),
            "a": _levels(listing, asks),
        }
    return {
        "e": "depthUpdate",
        "E": now,
        "T": ts // MILLISECOND,
        "s": listing.symbol,
        "ps": listing.pair,
        "U": first,
        "u": last,
        "pu": previous,
        "b": _levels(listing, bids),
        "a": _levels(listing, asks),
    } | universe(listing)


def partial_depth(book: Depth, listing: Listing, now: int, ids: tuple[int, int]) -> Payload:
    """`@depth5` and so on: the whole top of the book; `ids` are first and previous (futures)."""
    if listing.market is Market.SPOT:
        return {
            "lastUpdateId": book.last_update_id,
            "bids": _levels(listing, book.bids),
            "asks": _levels(listing, book.asks),
        }
    whole = (ids[0], book.last_update_id, ids[1])
    return depth_diff(listing, whole, book.bids, book.asks, book.ts, now)


def book_ticker(row: BookTicker, listing: Listing, now: int) -> Payload:
    """`@bookTicker`: without event type and time on spot."""
    best: Payload = {
        "u": row.update_id,
        "s": row.symbol,
        "b": _px(listing, row.bid),
        "B": _qty(listing, row.bid_qty),
        "a": _px(listing, row.ask),
        "A": _qty(listing, row.ask_qty),
    }
    if listing.market is Market.SPOT:
        return best
    times = {"T": row.ts // MILLISECOND, "E": now}
    return {"e": "bookTicker", **best, **times, **_pair(listing), **universe(listing)}


def candle(word: str, row: Kline, listing: Listing, times: tuple[int, int, int]) -> Payload:
    """`@kline_<interval>` and the candles of contracts, index and mark that are built like it.

    Args:
        word: What the stream's name calls it.
        row: The candle of the symbol's trades.
        listing: Whose.
        times: Now in the client's unit, now in ns, and ns per unit.
    """
    now, now_ns, unit = times
    body = _candle(row, listing, now_ns, unit)
    shape: Payload = {"e": CANDLE_EVENTS[word], "E": now}
    if word == "kline":
        shape |= {"s": row.symbol}
    elif word == "continuousKline":
        del body["s"]
        shape |= {"ps": listing.pair, "ct": listing.contract_type.value}
    else:
        body |= dict.fromkeys(("v", "q", "V", "Q"), "0")
        if word == "indexPriceKline":
            body["s"] = "0"
        shape |= {"ps": listing.pair}
    return {**shape, "k": body, **universe(listing)}


def _candle(row: Kline, listing: Listing, now_ns: int, unit: int) -> Payload:
    close = row.close_ns // unit if row.close_ns % unit else row.close_ns // unit - 1
    return {
        "t": row.open_ns // unit,
        "T": close,
        "s": row.symbol,
        "i": row.interval,
        "f": row.first_trade_id,
        "L": row.last_trade_id,
        "o": _px(listing, row.open),
        "c": _px(listing, row.close),
        "h": _px(listing, row.high),
        "l": _px(listing, row.low),
        "v": _qty(listing, row.volume),
        "n": row.trades,
        "x": now_ns >= row.close_ns,
        "q": fixed(row.quote_volume),
        "V": _qty(listing, row.taker_buy_volume),
        "Q": fixed(row.taker_buy_quote_volume),
        "B": "0",
    }


def mini_ticker(row: Statistics, listing: Listing, now: int) -> Payload:
    """`@miniTicker`."""
    return {
        "e": "24hrMiniTicker",
        "E": now,
        "s": listing.symbol,
        **_pair(listing),
        "c": _px(listing, row.last),
        "o": _px(listing, row.open),
        "h": _px(listing, row.high),
        "l": _px(listing, row.low),
        "v": _qty(listing, row.volume),
        "q": fixed(row.quote_volume),
    } | universe(listing)


def day_ticker(
    row: Statistics, listing: Listing, best: BookTicker | None, now: int, unit: int
) -> Payload:
    """`@ticker`: best bid and ask on spot only; without them a ticker of another window."""
    shape: Payload = {
        "e": "24hrTicker",
        "E": now,
        "s": listing.symbol,
        **_pair(listing),
        "p": _px(listing, row.change),
        "P": fixed(row.change_percent, 3),
        "w": fixed(row.average),
    }
    if listing.market is Market.SPOT and best is not None:
        shape |= {
            "x": fixed(row.open),
            "b": fixed(best.bid),
            "B": fixed(best.bid_qty),
            "a": fixed(best.ask),
            "A": fixed(best.ask_qty),
        }
    return {
        **shape,
        "c": _px(listing, row.last),
        "Q": _qty(listing, row.last_qty),
        "o": _px(listing, row.open),
        "h": _px(listing, row.high),
        "l": _px(listing, row.low),
        "v": _qty(listing, row.volume),
        "q": fixed(row.quote_volume),
        "O": row.open_ns // unit,
        "C": row.close_ns // unit,
        "F": row.first_id,
        "L": row.last_id,
        "n": row.trades,
        **universe(listing),
    }


def window_ticker(row: Statistics, listing: Listing, size: str, now: int, unit: int) -> Payload:
    """`@ticker_1h` and so on (spot)."""
    shape = day_ticker(row, listing, None, now, unit) | {"e": f"{size}Ticker"}
    del shape["Q"]
    return shape


def average_price(listing: Listing, price: Decimal, ts: int, now: int) -> Payload:
    """`@avgPrice` (spot)."""
    return {
        "e": "avgPrice",
        "E": now,
        "s": listing.symbol,
        "i": f"{listing.avg_price_mins}m",
        "w": fixed(price),
        "T": ts,
    }


def mark_price(row: MarkPrice, listing: Listing, now: int) -> Payload:
    """`@markPrice`."""
    shape: Payload = {
        "e": "markPriceUpdate",
        "E": now,
        "s": row.symbol,
        "p": fixed(row.mark),
        "i": fixed(row.index),
        "P": fixed(row.estimated_settle),
        "r": fixed(row.funding_rate),
        "T": row.next_funding_ns // MILLISECOND,
    }
    if listing.market is Market.USDM:
        shape["ap"] = shape["p"]
    return shape | universe(listing)


def index_price(row: MarkPrice, pair: str, now: int) -> Payload:
    """`@indexPrice` (COIN-M)."""
    return {"e": "indexPriceUpdate", "E": now, "i": pair, "p": fixed(row.index), "st": 2}


def force_order(event: LiquidationPrint, listing: Listing, now: int) -> Payload:
    """`@forceOrder`."""
    order: Payload = {
        "s": event.symbol,
        "S": event.side.value,
        "o": "LIMIT",
        "f": "IOC",
        "q": _qty(listing, event.qty),
        "p": _px(listing, event.price),
        "ap": _px(listing, event.average_price),
        "X": "FILLED",
        "l": _qty(listing, event.filled_qty),
        "z": _qty(listing, event.filled_qty),
        "T": event.ts // MILLISECOND,
    }
    if listing.market is Market.COINM:
        order["ps"] = listing.pair
    return {"e": "forceOrder", "E": now, "o": order} | universe(listing)
