"""Public data of the two futures APIs.

Source: Binance Derivatives, "Market Data", USDⓈ-M and COIN-M.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.exchange.words import ContractType, Market
from veloz.venues.binance.dialect.errors import error
from veloz.venues.binance.dialect.futures_shapes import (
    price_text,
    qty_text,
    symbol_shape,
    trade_shape,
)
from veloz.venues.binance.dialect.limits import FUTURES_LIMITS
from veloz.venues.binance.dialect.market_rest import depth, klines, many, time_window, trades_of
from veloz.venues.binance.dialect.tickers import statistics
from veloz.venues.binance.dialect.vocabulary import MILLISECOND, fixed

if TYPE_CHECKING:
    from veloz.exchange.listing import Listing
    from veloz.venues.binance.dialect.venue import Call

__all__ = [
    "book_ticker",
    "constituents",
    "continuous_klines",
    "day_ticker",
    "exchange_info",
    "funding_details",
    "funding_rates",
    "index_klines",
    "no_history",
    "nothing",
    "open_interest",
    "premium_index",
    "premium_klines",
    "price_klines",
    "price_ticker",
    "rpi_depth",
    "trades",
]

ZERO = Decimal(0)
PERIODS = ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")


def _asked(call: Call) -> list[Listing]:
    """`symbol`, or every contract of `pair`, or all."""
    rows = call.listings_asked()
    if call.market is Market.COINM and "pair" in call.params and "symbol" not in call.params:
        pair = call.params.text("pair")
        rows = [row for row in rows if row.pair == pair]
    return rows


def _with_pair(call: Call, listing: Listing, shape: dict[str, Any]) -> dict[str, Any]:
    if call.market is Market.COINM:
        shape["pair" if "time" not in shape or "bidPrice" in shape else "ps"] = listing.pair
    return shape


def exchange_info(call: Call) -> dict[str, Any]:
    """Contracts, filters and limits."""
    listings = call.listed()
    shape: dict[str, Any] = {
        "timezone": "UTC",
        "serverTime": call.now,
        "rateLimits": FUTURES_LIMITS.shape(),
        "exchangeFilters": [],
        "symbols": [symbol_shape(row) for row in listings],
    }
    if call.market is Market.USDM:
        settled = sorted({row.settle for row in listings})
        shape["futuresType"] = "U_MARGINED"
        shape["assets"] = [
            {"asset": name, "marginAvailable": True, "autoAssetExchange": "-10000"}
            for name in settled
        ]
    return shape


def trades(call: Call) -> list[dict[str, Any]]:
    """The newest trades, or older ones by `fromId`."""
    listing = call.listing()
    return [trade_shape(row, listing) for row in trades_of(call)]


def price_ticker(call: Call) -> Any:
    """Last prices."""
    rows: list[dict[str, Any]] = []
    for listing in _asked(call):
        price = call.exchange.last_price(call.market, listing.symbol) or ZERO
        shape = {"symbol": listing.symbol, "price": price_text(listing, price), "time": call.now}
        rows.append(_with_pair(call, listing, shape))
    return many(call, rows)


def book_ticker(call: Call) -> Any:
    """Best bids and asks."""
    rows: list[dict[str, Any]] = []
    for listing in _asked(call):
        row = call.exchange.book_ticker(call.market, listing.symbol)
        shape = {
            "symbol": row.symbol,
            "bidPrice": price_text(listing, row.bid),
            "bidQty": qty_text(listing, row.bid_qty),
            "askPrice": price_text(listing, row.ask),
            "askQty": qty_text(listing, row.ask_qty),
            "time": row.ts // call.unit,
            "lastUpdateId": row.update_id,
        }
        rows.append(_with_pair(call, listing, shape))
    return many(call, rows)


def day_ticker(call: Call) -> Any:
    """The last 24 hours."""
    rows: list[dict[str, Any]] = []
    for listing in _asked(call):
        row = statistics(call.exchange, listing, call.venue.clock_ns())
        value = "baseVolume" if listing.is_inverse else "quoteVolume"
        shape: dict[str, Any] = {
            "symbol": listing.symbol,
            "priceChange": price_text(listing, row.change),
            "priceChangePercent": fixed(row.change_percent, 3),
            "weightedAvgPrice": fixed(row.average),
            "lastPrice": price_text(listing, row.last),
            "lastQty": qty_text(listing, row.last_qty),
            "openPrice": price_text(listing, row.open),
            "highPrice": price_text(listing, row.high),
            "lowPrice": price_text(listing, row.low),
            "volume": qty_text(listing, row.volume),
            value: fixed(row.quote_volume),
            "openTime": row.open_ns // call.unit,
            "closeTime": row.close_ns // call.unit,
            "firstId": row.first_id,
            "lastId": row.last_id,
            "count": row.trades,
        }
        if listing.is_inverse:
            shape["pair"] = listing.pair
        rows.append(shape)
    return many(call, rows)


def premium_index(call: Call) -> Any:
    """Mark, index and funding."""
    rows: list[dict[str, Any]] = []
    for listing in _asked(call):
        row = call.exchange.mark_price(call.market, listing.symbol)
        is_perpetual = listing.contract_type is ContractType.PERPETUAL
        shape: dict[str, Any] = {
            "symbol": row.symbol,
            "markPrice": fixed(row.mark),
            "indexPrice": fixed(row.index),
            "estimatedSettlePrice": fixed(row.estimated_settle),
            "lastFundingRate": fixed(row.funding_rate) if is_perpetual else "",
            "interestRate": "0.00010000" if is_perpetual else "",
            "nextFundingTime": row.next_funding_ns // MILLISECOND if is_perpetual else 0,
            "time": row.ts // MILLISECOND,
        }
        if listing.is_inverse:
            shape["pair"] = listing.pair
        rows.append(shape)
    return many(call, rows)


def funding_rates(call: Call) -> list[dict[str, Any]]:
    """Fundings that took place."""
    window = time_window(call, 100, 1000)
    rows: list[dict[str, Any]] = []
    for listing in call.listings_asked():
        for row in call.exchange.funding_history(call.market, listing.symbol, window):
            rows.append(
                {
                    "symbol": row.symbol,
                    "fundingTime": row.ts // MILLISECOND,
                    "fundingRate": fixed(row.rate),
                    "markPrice": fixed(row.mark),
                }
            )
    return sorted(rows, key=lambda row: row["fundingTime"])


def funding_details(call: Call) -> list[dict[str, Any]]:
    """Contracts whose interval or cap is not the usual one."""
    return [
        {
            "symbol": row.symbol,
            "adjustedFundingRateCap": fixed(row.funding_cap),
            "adjustedFundingRateFloor": fixed(row.funding_floor),
            "fundingIntervalHours": row.funding_hours,
            "disclaimer": False,
        }
        for row in call.exchange.listings(call.market)
        if row.contract_type is ContractType.PERPETUAL
    ]


def open_interest(call: Call) -> dict[str, Any]:
    """Open contracts."""
    listing = call.listing()
    amount = call.exchange.open_interest(call.market, listing.symbol)
    shape: dict[str, Any] = {
        "symbol": listing.symbol,
        "openInterest": qty_text(listing, amount),
        "time": call.now,
    }
    if listing.is_inverse:
        shape |= {"pair": listing.pair, "contractType": listing.contract_type.value}
    return shape


def continuous_klines(call: Call) -> list[list[Any]]:
    """Candles of a pair's contract of one type."""
    pair = call.params.text("pair")
    kind = call.params.text("contractType")
    for listing in call.exchange.listings(call.market):
        if listing.pair == pair and listing.contract_type.value == kind:
            return klines(_about(call, listing.symbol))
    raise error(-1121)


def index_klines(call: Call) -> list[list[Any]]:
    """Candles of the index of a pair: those of its trades, without volume."""
    pair = call.params.text("pair")
    for listing in call.exchange.listings(call.market):
        if listing.pair == pair:
            return _without_volume(klines(_about(call, listing.symbol)))
    raise error(-1121)


def price_klines(call: Call) -> list[list[Any]]:
    """Candles of the mark price: those of its trades, without volume."""
    return _without_volume(klines(call))


def premium_klines(call: Call) -> list[list[Any]]:
    """Candles of the premium: none, as those of mark and index are the same."""
    return [[row[0], *["0.00000000"] * 4, *row[5:]] for row in price_klines(call)]


def rpi_depth(call: Call) -> dict[str, Any]:
    """The book with RPI orders in it: there are none here."""
    pairs = {**call.params.raw(), "limit": "1000"}
    return depth(replace(call, params=type(call.params)(pairs.items())))


def constituents(call: Call) -> dict[str, Any]:
    """What an index is made of: it is set by the venue here, from no other venue's prices."""
    symbol = call.params.text("symbol")
    if symbol not in {name for row in call.listed() for name in (row.symbol, row.pair)}:
        raise error(-1121)
    return {"symbol": symbol, "time": call.now, "constituents": []}


def no_history(call: Call) -> list[Any]:
    """Statistics of a past that this venue does not keep; the words are checked all the same."""
    name = "symbol" if "symbol" in call.params else "pair"
    symbol = call.params.text(name)
    if symbol not in {word for row in call.listed() for word in (row.symbol, row.pair)}:
        raise error(-1121)
    call.params.word("period", PERIODS)
    time_window(call, 30, 500)
    return []


def nothing(_call: Call) -> list[Any]:
    """An empty listing: composite indices, and assets that are margin for other assets."""
    return []


def _without_volume(rows: list[list[Any]]) -> list[list[Any]]:
    return [[*row[:5], "0", row[6], "0", row[8], "0", "0", "0"] for row in rows]


def _about(call: Call, symbol: str) -> Call:
    """The same request about one contract."""
    pairs = {**call.params.raw(), "symbol": symbol}
    return replace(call, params=type(call.params)(pairs.items()))
