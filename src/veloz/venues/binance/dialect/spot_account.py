"""Account data of the spot API, and the wallet endpoints that clients call when they start.

Source: Binance Spot API, "Account endpoints"; Wallet API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veloz.exchange.words import Market, Refusal, Why
from veloz.venues.binance.dialect.errors import VenueError, error
from veloz.venues.binance.dialect.limits import SPOT_LIMITS
from veloz.venues.binance.dialect.market_rest import day_window
from veloz.venues.binance.dialect.spot_shapes import account_shape, fill_shape, symbol_shape
from veloz.venues.binance.dialect.vocabulary import fixed, plain

if TYPE_CHECKING:
    from veloz.venues.binance.dialect.params import Params
    from veloz.venues.binance.dialect.venue import Call

__all__ = [
    "account",
    "account_status",
    "api_restrictions",
    "coins",
    "commission",
    "fills",
    "fills_weight",
    "my_filters",
    "nothing",
    "order_counts",
    "prevented",
    "system_status",
    "trade_fees",
    "trading_status",
    "transfer",
    "user_assets",
]


# type -> whence and whither
TRANSFERS = {
    "MAIN_UMFUTURE": (Market.SPOT, Market.USDM),
    "UMFUTURE_MAIN": (Market.USDM, Market.SPOT),
    "MAIN_CMFUTURE": (Market.SPOT, Market.COINM),
    "CMFUTURE_MAIN": (Market.COINM, Market.SPOT),
    "UMFUTURE_CMFUTURE": (Market.USDM, Market.COINM),
    "CMFUTURE_UMFUTURE": (Market.COINM, Market.USDM),
}


def account(call: Call) -> dict[str, Any]:
    """`GET /api/v3/account`; without zero balances if `omitZeroBalances`."""
    view = call.exchange.account(call.account, Market.SPOT)
    shape = account_shape(view, call.venue.uid(call.account), call.unit)
    shape["canTrade"] = call.key is not None and call.key.can_trade
    if call.params.bool_or("omitZeroBalances", otherwise=False):
        held = {row.asset for row in view.balances if row.free or row.locked}
        shape["balances"] = [row for row in shape["balances"] if row["asset"] in held]
    return shape


def fills_weight(params: Params) -> int:
    """5 for one order's, else 20."""
    return 5 if "orderId" in params else 20


def fills(call: Call) -> list[dict[str, Any]]:
    """`GET /api/v3/myTrades`."""
    listing = call.listing()
    window = day_window(call)
    rows = call.exchange.fills(
        call.account,
        call.market,
        listing.symbol,
        window,
        order_id=call.params.int_or_none("orderId"),
    )
    return [fill_shape(row, call.unit) for row in rows]


def commission(call: Call) -> dict[str, Any]:
    """`GET /api/v3/account/commission`."""
    symbol = call.listing().symbol
    maker, taker = call.exchange.fees(call.account, call.market, symbol)
    none = dict.fromkeys(("maker", "taker", "buyer", "seller"), "0.00000000")
    standard = none | {"maker": fixed(maker), "taker": fixed(taker)}
    return {
        "symbol": symbol,
        "standardCommission": standard,
        "specialCommission": none,
        "taxCommission": none,
        "discount": {
            "enabledForAccount": call.exchange.account(call.account, call.market).pays_fees_in_bnb,
            "enabledForSymbol": True,
            "discountAsset": "BNB",
            "discount": "0.75000000",
        },
    }


def order_counts(call: Call) -> list[dict[str, Any]]:
    """`GET /api/v3/rateLimit/order`."""
    limits = call.venue.limits[call.market]
    now = call.venue.now_ms()
    return [
        {**limit.shape(), "count": limits.orders(call.account, limit, now)}
        for limit in SPOT_LIMITS.orders
    ]


def my_filters(call: Call) -> dict[str, Any]:
    """`GET /api/v3/myFilters`."""
    listing = call.listing()
    return {
        "exchangeFilters": [],
        "symbolFilters": symbol_shape(listing)["filters"],
        "assetFilters": [],
    }


def prevented(call: Call) -> list[dict[str, Any]]:
    """`GET /api/v3/myPreventedMatches`."""
    listing = call.listing()
    rows = call.exchange.prevented_matches(
        call.account, listing.symbol, call.params.int_or_none("orderId")
    )
    return [
        {
            "symbol": row.symbol,
            "preventedMatchId": row.match_id,
            "takerOrderId": row.taker_order_id,
            "makerSymbol": row.symbol,
            "makerOrderId": row.maker_order_id,
            "tradeGroupId": 1,
            "selfTradePreventionMode": row.stp_mode.value,
            "price": fixed(row.price),
            "makerPreventedQuantity": fixed(row.maker_qty),
            "takerPreventedQuantity": fixed(row.taker_qty),
            "transactTime": row.ts // call.unit,
        }
        for row in rows
    ]


def nothing(_call: Call) -> list[Any]:
    """An empty listing: what this venue does not have."""
    return []


def system_status(_call: Call) -> dict[str, Any]:
    """`GET /sapi/v1/system/status`."""
    return {"status": 0, "msg": "normal"}


def api_restrictions(call: Call) -> dict[str, Any]:
    """`GET /sapi/v1/account/apiRestrictions`: what the key may do."""
    if call.key is None:
        raise error(-2014)
    return {
        "ipRestrict": bool(call.key.addresses),
        "createTime": call.key.created_ms,
        "enableReading": True,
        "enableSpotAndMarginTrading": call.key.can_trade,
        "enableWithdrawals": call.key.can_withdraw,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": call.key.can_trade,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enablePortfolioMarginTrading": False,
    }


def coins(call: Call) -> list[dict[str, Any]]:
    """`GET /sapi/v1/capital/config/getall`: coins, and that none can leave."""
    view = call.exchange.account(call.account, Market.SPOT)
    held = {row.asset: row for row in view.balances}
    names = set(held)
    for listing in call.exchange.listings(Market.SPOT):
        names |= {listing.base, listing.quote}
    rows: list[dict[str, Any]] = []
    for name in sorted(names):
        row = held.get(name)
        rows.append(
            {
                "coin": name,
                "depositAllEnable": False,
                "withdrawAllEnable": False,
                "name": name,
                "free": plain(row.free) if row else "0",
                "locked": plain(row.locked) if row else "0",
                "freeze": "0",
                "withdrawing": "0",
                "ipoing": "0",
                "ipoable": "0",
                "storage": "0",
                "isLegalMoney": False,
                "trading": True,
                "networkList": [],
            }
        )
    return rows


def trade_fees(call: Call) -> list[dict[str, Any]]:
    """`GET /sapi/v1/asset/tradeFee`."""
    rows: list[dict[str, Any]] = []
    for listing in call.listings_asked():
        maker, taker = call.exchange.fees(call.account, call.market, listing.symbol)
        rates = {"makerCommission": plain(maker), "takerCommission": plain(taker)}
        rows.append({"symbol": listing.symbol, **rates})
    return rows


def trading_status(call: Call) -> dict[str, Any]:
    """`GET /sapi/v1/account/apiTradingStatus`."""
    limits = {"GCR": 150, "IFER": 150, "UFR": 300}
    return {
        "data": {
            "isLocked": False,
            "plannedRecoverTime": 0,
            "triggerCondition": limits,
            "updateTime": call.venue.now_ms(),
        }
    }


def transfer(call: Call) -> dict[str, Any]:
    """`POST /sapi/v1/asset/transfer`: between an account's own markets."""
    source, target = TRANSFERS[call.params.word("type", TRANSFERS)]
    asset, amount = call.params.text("asset"), call.params.decimal("amount")
    if amount == 0:
        raise error(-1130, name="amount")
    try:
        number = call.exchange.transfer(call.account, source, target, asset, amount)
    except Refusal as refusal:
        if refusal.why in {Why.INSUFFICIENT_BALANCE, Why.INSUFFICIENT_MARGIN}:
            text = "Asset transfer failed: insufficient balance"
            raise VenueError(400, -5013, text) from None
        raise
    return {"tranId": number}


def account_status(_call: Call) -> dict[str, Any]:
    """`GET /sapi/v1/account/status`."""
    return {"data": "Normal"}


def user_assets(call: Call) -> list[dict[str, Any]]:
    """`POST /sapi/v3/asset/getUserAsset`."""
    view = call.exchange.account(call.account, Market.SPOT)
    return [
        {
            "asset": row.asset,
            "free": fixed(row.free),
            "locked": fixed(row.locked),
            "freeze": "0",
            "withdrawing": "0",
            "ipoable": "0",
            "btcValuation": "0",
        }
        for row in view.balances
        if row.free or row.locked
    ]
