"""Public market data that all three APIs have: what differs is decimals and a field or two.

Source: Binance Spot API, "Market Data endpoints"; Derivatives, "Market Data".
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.exchange.model import Window
from veloz.exchange.words import Market
from veloz.venues.binance.dialect.errors import error
from veloz.venues.binance.dialect.futures_shapes import price_text, qty_text
from veloz.venues.binance.dialect.vocabulary import INTERVALS, fixed

if TYPE_CHECKING:
    from veloz.exchange.listing import Listing
    from veloz.exchange.model import Kline, Print
    from veloz.venues.binance.dialect.params import Params
    from veloz.venues.binance.dialect.venue import Call

__all__ = [
    "agg_rows",
    "agg_trades",
    "day_window",
    "depth",
    "depth_weight_futures",
    "depth_weight_spot",
    "kline_weight_futures",
    "klines",
    "many",
    "ping",
    "px",
    "qty",
    "server_time",
    "time_window",
    "time_zone",
    "trades_of",
]

FUTURES_DEPTHS = {5, 10, 20, 50, 100, 500, 1000}
DAYS_200_MS = 200 * 86_400_000
MINUTE_NS = 60_000_000_000
DAY_NS = 1440 * MINUTE_NS
ZONE_FORM = re.compile(r"(?P<sign>[+-]?)(?P<hours>\d{1,2})(?::(?P<minutes>[0-5]\d))?")


def px(listing: Listing, value: Decimal) -> str:
    """A price as the market writes it."""
    return fixed(value) if listing.market is Market.SPOT else price_text(listing, value)


def qty(listing: Listing, value: Decimal) -> str:
    """A quantity as the market writes it."""
    return fixed(value) if listing.market is Market.SPOT else qty_text(listing, value)


def many(call: Call, rows: list[Any]) -> Any:
    """One object if one symbol was asked for, else a list (COIN-M: always a list)."""
    alone = "symbol" in call.params and call.market is not Market.COINM
    return rows[0] if alone else rows


def time_window(call: Call, otherwise: int = 500, most: int = 1000) -> Window:
    """`startTime`, `endTime`, `fromId` and `limit`."""
    params = call.params
    start, end = params.int_or_none("startTime"), params.int_or_none("endTime")
    if start is not None and end is not None and start > end:
        raise error(-1128 if call.market is Market.SPOT else -1023)
    return Window(
        from_id=params.int_or_none("fromId"),
        start_ns=None if start is None else _ns(start),
        end_ns=None if end is None else _ns(end) + 999_999,
        limit=params.limit(otherwise, most),
    )


def day_window(call: Call) -> Window:
    """A window of at most a day, as the spot account's histories have it."""
    window = time_window(call, 500, 1000)
    start, end = window.start_ns, window.end_ns
    if start is not None and end is not None and end - start > DAY_NS + 1_000_000:
        raise error(-1127, limit=24)
    return window


def _ns(stamp: int) -> int:
    """Milliseconds or microseconds, told apart by their size."""
    return stamp * 1000 if stamp >= 10**15 else stamp * 1_000_000


def ping(_call: Call) -> dict[str, Any]:
    """Nothing, to show that the venue is there."""
    return {}


def server_time(call: Call) -> dict[str, Any]:
    """The venue's clock."""
    return {"serverTime": call.now}


def depth_weight_spot(params: Params) -> int:
    """5 to 250 by the number of levels."""
    limit = params.int_or("limit", 100)
    return next((cost for most, cost in ((100, 5), (500, 25), (1000, 50)) if limit <= most), 250)


def depth_weight_futures(params: Params) -> int:
    """2 to 20 by the number of levels."""
    limit = params.int_or("limit", 500)
    return next((cost for most, cost in ((50, 2), (100, 5), (500, 10)) if limit <= most), 20)


def depth(call: Call) -> dict[str, Any]:
    """The order book."""
    listing = call.listing()
    if call.market is Market.SPOT:
        limit = call.params.limit(100, 5000)
    else:
        limit = call.params.int_or("limit", 500)
        if limit not in FUTURES_DEPTHS:
            raise error(-1130, name="limit")
    book = call.venue.depth(call.market, listing.symbol, limit)
    shape: dict[str, Any] = {"lastUpdateId": book.last_update_id}
    if call.market is not Market.SPOT:
        shape |= {"E": call.now, "T": book.ts // call.unit}
    if call.market is Market.COINM:
        shape |= {"symbol": listing.symbol, "pair": listing.pair}
    for name, levels in (("bids", book.bids), ("asks", book.asks)):
        shape[name] = [[px(listing, price), qty(listing, size)] for price, size in levels]
    return shape


def trades_of(call: Call, most: int = 1000) -> list[Print]:
    """The prints that `trades` and `historicalTrades` ask for."""
    listing = call.listing()
    return call.exchange.trades(call.market, listing.symbol, time_window(call, 500, most))


def agg_rows(prints: list[Print]) -> list[list[Print]]:
    """Prints that one order made at one price, together."""
    rows: list[list[Print]] = []
    for trade in prints:
        last = rows[-1][-1] if rows else None
        joins = (
            last is not None
            and last.ts == trade.ts
            and last.price == trade.price
            and last.buyer_is_maker == trade.buyer_is_maker
        )
        if joins:
            rows[-1].append(trade)
        else:
            rows.append([trade])
    return rows


def _aggregated(call: Call, symbol: str, window: Window) -> list[list[Print]]:
    """As many whole aggregates as the window asks for: its edges cut none in two."""
    has_start = window.from_id is not None or window.start_ns is not None
    before = None if window.from_id is None else max(window.from_id - 1, 0)
    most = 2 * window.limit + 1
    while True:
        wider = window._replace(from_id=before, limit=most)
        prints = call.exchange.trades(call.market, symbol, wider)
        rows = agg_rows(prints)
        if window.from_id is not None:
            rows = [row for row in rows if row[0].trade_id >= window.from_id]
        if len(rows) > window.limit or len(prints) < most:
            return rows[: window.limit] if has_start else rows[-window.limit :]
        most *= 4


def agg_trades(call: Call) -> list[dict[str, Any]]:
    """Compressed trades; the id of one is that of its first trade."""
    listing = call.listing()
    found: list[dict[str, Any]] = []
    for row in _aggregated(call, listing.symbol, time_window(call, 500, 1000)):
        first = row[0]
        shape: dict[str, Any] = {
            "a": first.trade_id,
            "p": px(listing, first.price),
            "q": qty(listing, sum((trade.qty for trade in row), Decimal(0))),
            "f": first.trade_id,
            "l": row[-1].trade_id,
            "T": first.ts // call.unit,
            "m": first.buyer_is_maker,
        }
        if call.market is Market.SPOT:
            shape["M"] = True
        else:
            shape["nq"] = shape["q"]
        found.append(shape)
    return found


def kline_weight_futures(params: Params) -> int:
    """1 to 10 by the number of candles."""
    limit = params.int_or("limit", 500)
    return next((cost for most, cost in ((99, 1), (499, 2), (1000, 5)) if limit <= most), 10)


def klines(call: Call) -> list[list[Any]]:
    """Candles of a symbol's trades."""
    listing = call.listing()
    interval = call.params.text("interval")
    if interval not in INTERVALS or (interval == "1s" and call.market is not Market.SPOT):
        raise error(-1120)
    window = time_window(call, 500, 1000 if call.market is Market.SPOT else 1500)
    too_long = (
        call.market is Market.COINM
        and window.start_ns is not None
        and window.end_ns is not None
        and window.end_ns - window.start_ns > DAYS_200_MS * 1_000_000 + 1_000_000
    )
    if too_long:
        raise error(-4088)
    offset_ns = time_zone(call.params) if call.market is Market.SPOT else 0
    rows = call.exchange.klines(call.market, listing.symbol, interval, window, offset_ns)
    return [_kline(listing, row, call.unit) for row in rows]


def time_zone(params: Params) -> int:
    """How far the clock of `timeZone` is ahead of UTC, in ns: `8`, `-1:00`, `05:45`, … ."""
    word = params.text_or("timeZone", "0")
    found = ZONE_FORM.fullmatch(word)
    if found is None:
        raise error(-1130, name="timeZone")
    minutes = int(found["hours"]) * 60 + int(found["minutes"] or 0)
    minutes = -minutes if found["sign"] == "-" else minutes
    if not -12 * 60 <= minutes <= 14 * 60:
        raise error(-1130, name="timeZone")
    return minutes * MINUTE_NS


def _kline(listing: Listing, row: Kline, unit: int) -> list[Any]:
    prices = [px(listing, value) for value in (row.open, row.high, row.low, row.close)]
    return [
        row.open_ns // unit,
        *prices,
        qty(listing, row.volume),
        # the last moment inside: ours is the first one after
        _last_moment(row, unit),
        fixed(row.quote_volume),
        row.trades,
        qty(listing, row.taker_buy_volume),
        fixed(row.taker_buy_quote_volume),
        "0",
    ]


def _last_moment(row: Kline, unit: int) -> int:
    return row.close_ns // unit if row.close_ns % unit else row.close_ns // unit - 1
