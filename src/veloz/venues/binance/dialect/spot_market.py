"""Public data of the spot API.

Source: Binance Spot API, "General endpoints", "Market Data endpoints".
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.venues.binance.dialect.errors import error, neither
from veloz.venues.binance.dialect.limits import SPOT_LIMITS
from veloz.venues.binance.dialect.market_rest import MINUTE_NS, many, time_zone, trades_of
from veloz.venues.binance.dialect.spot_shapes import symbol_shape, trade_shape
from veloz.venues.binance.dialect.tickers import DAY_NS, Statistics, statistics
from veloz.venues.binance.dialect.vocabulary import SPOT_STATUSES, fixed

if TYPE_CHECKING:
    from veloz.exchange.listing import Listing
    from veloz.venues.binance.dialect.venue import Call

__all__ = [
    "average_price",
    "block_trades",
    "book_ticker",
    "day_ticker",
    "exchange_info",
    "execution_rules",
    "price_ticker",
    "reference_price",
    "trades",
    "trading_day_ticker",
    "window_ticker",
]

ZERO = Decimal(0)
RAW = {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300_000}
STATUSES = ("TRADING", "HALT", "BREAK")
MOST_UNITS = {"m": 59, "h": 23, "d": 7}
UNITS_NS = {"m": MINUTE_NS, "h": 3_600_000_000_000, "d": DAY_NS}


def exchange_info(call: Call) -> dict[str, Any]:
    """Symbols, filters and limits."""
    if "symbolStatus" in call.params and _names_symbols(call):
        raise error(-1128)
    listings = _asked(call)
    return {
        "timezone": "UTC",
        "serverTime": call.now,
        "rateLimits": [*SPOT_LIMITS.shape(), RAW],
        "exchangeFilters": [],
        "symbols": [symbol_shape(row) for row in listings],
    }


def _names_symbols(call: Call) -> bool:
    return "symbol" in call.params or "symbols" in call.params


def _asked(call: Call) -> list[Listing]:
    """The symbols that a request names, or all, with the status that it asks for."""
    rows = call.listings_asked()
    if "symbolStatus" not in call.params:
        return rows
    wanted = call.params.word("symbolStatus", STATUSES, -1122)
    found = [row for row in rows if SPOT_STATUSES.get(row.status) == wanted]
    if "symbol" in call.params and not found:
        raise error(-1220)
    return found


def _named(call: Call) -> list[Listing]:
    """As `_asked`, where the venue does not answer for all symbols at once."""
    if not _names_symbols(call):
        raise neither("symbol", "symbols")
    return _asked(call)


def trades(call: Call) -> list[dict[str, Any]]:
    """The newest trades, or older ones by `fromId`."""
    return [trade_shape(row, call.unit) for row in trades_of(call)]


def average_price(call: Call) -> dict[str, Any]:
    """Mean price of the last minutes."""
    listing = call.listing()
    price = call.exchange.average_price(call.market, listing.symbol)
    last = call.exchange.trades(call.market, listing.symbol)
    return {
        "mins": listing.avg_price_mins,
        "price": fixed(price or ZERO),
        "closeTime": last[-1].ts // call.unit if last else 0,
    }


def price_ticker(call: Call) -> Any:
    """Last prices."""
    rows = [
        {
            "symbol": row.symbol,
            "price": fixed(call.exchange.last_price(call.market, row.symbol) or ZERO),
        }
        for row in _asked(call)
    ]
    return many(call, rows)


def book_ticker(call: Call) -> Any:
    """Best bids and asks."""
    return many(call, [_best(call, row) for row in _asked(call)])


def _best(call: Call, listing: Listing) -> dict[str, Any]:
    row = call.exchange.book_ticker(call.market, listing.symbol)
    return {
        "symbol": row.symbol,
        "bidPrice": fixed(row.bid),
        "bidQty": fixed(row.bid_qty),
        "askPrice": fixed(row.ask),
        "askQty": fixed(row.ask_qty),
    }


def day_ticker(call: Call) -> Any:
    """The last 24 hours; `type=MINI` leaves out what a mini ticker lacks."""
    is_mini = _is_mini(call)
    rows: list[dict[str, Any]] = []
    for listing in _asked(call):
        shape = _statistics(call, listing, call.venue.clock_ns() - DAY_NS)
        if is_mini:
            rows.append(_mini(shape))
            continue
        best = _best(call, listing)
        rows.append(shape | {"prevClosePrice": shape["openPrice"]} | best)
    return many(call, rows)


MINI_LACKS = {"priceChange", "priceChangePercent", "weightedAvgPrice", "lastQty"}


def _is_mini(call: Call) -> bool:
    return call.params.word_or("type", "FULL", ("FULL", "MINI"), -1139) == "MINI"


def _mini(shape: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shape.items() if name not in MINI_LACKS}


def trading_day_ticker(call: Call) -> Any:
    """Since midnight in UTC, or in the time zone that is asked for."""
    listings = _named(call)
    offset_ns = time_zone(call.params)
    now = call.venue.clock_ns()
    midnight = now - (now + offset_ns) % DAY_NS
    return many(call, _rolling(call, listings, midnight))


def window_ticker(call: Call) -> Any:
    """A rolling window of minutes, hours or days, which begins on a whole minute."""
    listings = _named(call)
    word = call.params.text_or("windowSize", "1d")
    most = MOST_UNITS.get(word[-1:], 0)
    if not (word[:-1].isdecimal() and word[:-1].isascii() and 0 < int(word[:-1][:3]) <= most):
        raise error(-1130, name="windowSize")
    start = call.venue.clock_ns() - int(word[:-1]) * UNITS_NS[word[-1]]
    return many(call, _rolling(call, listings, start - start % MINUTE_NS))


def _rolling(call: Call, listings: list[Listing], start_ns: int) -> list[dict[str, Any]]:
    is_mini = _is_mini(call)
    rows: list[dict[str, Any]] = []
    for listing in listings:
        shape = _statistics(call, listing, start_ns)
        del shape["lastQty"]
        rows.append(_mini(shape) if is_mini else shape)
    return rows


def _statistics(call: Call, listing: Listing, start_ns: int) -> dict[str, Any]:
    now = call.venue.clock_ns()
    row = statistics(call.exchange, listing, now, now - start_ns)
    return _shape(listing.symbol, row, call.unit)


def _shape(symbol: str, row: Statistics, unit: int) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "priceChange": fixed(row.change),
        "priceChangePercent": fixed(row.change_percent, 3),
        "weightedAvgPrice": fixed(row.average),
        "lastPrice": fixed(row.last),
        "lastQty": fixed(row.last_qty),
        "openPrice": fixed(row.open),
        "highPrice": fixed(row.high),
        "lowPrice": fixed(row.low),
        "volume": fixed(row.volume),
        "quoteVolume": fixed(row.quote_volume),
        "openTime": row.open_ns // unit,
        "closeTime": row.close_ns // unit,
        "firstId": row.first_id,
        "lastId": row.last_id,
        "count": row.trades,
    }


def execution_rules(call: Call) -> dict[str, Any]:
    """Price-range rules: this venue has none."""
    return {"symbolRules": [{"symbol": row.symbol, "rules": []} for row in _asked(call)]}


def reference_price(call: Call) -> dict[str, Any]:
    """The published reference price, and how it is made: this venue has published none."""
    call.listing()
    raise error(-2043)


def block_trades(call: Call) -> list[Any]:
    """Trades outside the book: this venue has none."""
    call.listing()
    call.params.int("fromId")
    return []
