"""Public data of the spot API.

Source: Binance Spot API, "General endpoints", "Market Data endpoints".
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.venues.binance.dialect.errors import error
from veloz.venues.binance.dialect.limits import SPOT_LIMITS
from veloz.venues.binance.dialect.market_rest import many, trades_of
from veloz.venues.binance.dialect.spot_shapes import symbol_shape, trade_shape
from veloz.venues.binance.dialect.tickers import DAY_NS, Statistics, statistics
from veloz.venues.binance.dialect.vocabulary import SPOT_STATUSES, fixed

if TYPE_CHECKING:
    from veloz.exchange.listing import Listing
    from veloz.venues.binance.dialect.venue import Call

__all__ = [
    "average_price",
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
UNITS_NS = {"m": 60_000_000_000, "h": 3_600_000_000_000, "d": DAY_NS}


def exchange_info(call: Call) -> dict[str, Any]:
    """Symbols, filters and limits."""
    if "symbol" in call.params and "symbols" in call.params:
        raise error(-1128)
    listings = call.listings_asked()
    if "symbolStatus" in call.params:
        wanted = call.params.word("symbolStatus", ("TRADING", "HALT", "BREAK"), -1122)
        listings = [row for row in listings if SPOT_STATUSES.get(row.status) == wanted]
    return {
        "timezone": "UTC",
        "serverTime": call.now,
        "rateLimits": [*SPOT_LIMITS.shape(), RAW],
        "exchangeFilters": [],
        "symbols": [symbol_shape(row) for row in listings],
    }


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
        for row in call.listings_asked()
    ]
    return many(call, rows)


def book_ticker(call: Call) -> Any:
    """Best bids and asks."""
    return many(call, [_best(call, row) for row in call.listings_asked()])


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
    is_mini = call.params.word_or("type", "FULL", ("FULL", "MINI")) == "MINI"
    rows: list[dict[str, Any]] = []
    for listing in call.listings_asked():
        shape = _statistics(call, listing, DAY_NS)
        if is_mini:
            rows.append({name: value for name, value in shape.items() if name not in MINI_LACKS})
            continue
        best = _best(call, listing)
        rows.append(shape | {"prevClosePrice": shape["openPrice"]} | best)
    return many(call, rows)


MINI_LACKS = {"priceChange", "priceChangePercent", "weightedAvgPrice", "lastQty"}


def trading_day_ticker(call: Call) -> Any:
    """Since midnight UTC."""
    midnight = call.venue.now_ns() % DAY_NS or DAY_NS
    return many(call, [_rolling(call, row, midnight) for row in call.listings_asked()])


def window_ticker(call: Call) -> Any:
    """A rolling window of minutes, hours or days."""
    word = call.params.text_or("windowSize", "1d")
    if word[-1:] not in UNITS_NS or not word[:-1].isdigit() or not 0 < int(word[:-1]) < 60:
        raise error(-1130, name="windowSize")
    span = int(word[:-1]) * UNITS_NS[word[-1]]
    return many(call, [_rolling(call, row, span) for row in call.listings_asked()])


def _rolling(call: Call, listing: Listing, span_ns: int) -> dict[str, Any]:
    shape = _statistics(call, listing, span_ns)
    del shape["lastQty"]
    return shape


def _statistics(call: Call, listing: Listing, span_ns: int) -> dict[str, Any]:
    row = statistics(call.exchange, listing, call.venue.clock_ns(), span_ns)
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
    return {"symbolRules": [{"symbol": row.symbol, "rules": []} for row in call.listings_asked()]}


def reference_price(call: Call) -> dict[str, Any]:
    """The published reference price: this venue publishes none."""
    return {"symbol": call.listing().symbol, "referencePrice": None, "timestamp": call.now}
