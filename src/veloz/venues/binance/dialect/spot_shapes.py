"""Bodies of the spot API, from the exchange's state.

Every amount has eight decimals. `unit` is nanoseconds per unit of time: clients may ask for
microseconds.

Source: Binance Spot API, "Public API Endpoints", "Account Endpoints".
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.exchange.words import ExpireReason, OrderType, StpMode
from veloz.venues.binance.dialect.vocabulary import (
    EXPIRY_REASONS,
    MILLISECOND,
    SPOT_STATUSES,
    TO_SPOT_TYPE,
    fixed,
)

if TYPE_CHECKING:
    from veloz.exchange.listing import Listing, Lot
    from veloz.exchange.model import AccountView, Fill, Order, OrderList, Print

__all__ = [
    "account_shape",
    "ack_shape",
    "canceled_shape",
    "fill_shape",
    "full_shape",
    "list_shape",
    "order_shape",
    "result_shape",
    "symbol_shape",
    "trade_shape",
]

ZERO = Decimal(0)


def ack_shape(order: Order, unit: int = MILLISECOND) -> dict[str, Any]:
    """`newOrderRespType=ACK`."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        "transactTime": order.created_ns // unit,
    }


def result_shape(order: Order, unit: int = MILLISECOND) -> dict[str, Any]:
    """`newOrderRespType=RESULT`."""
    shape = {
        **ack_shape(order, unit),
        "price": fixed(order.price),
        "origQty": fixed(order.qty),
        "executedQty": fixed(order.executed_qty),
        "origQuoteOrderQty": fixed(order.quote_qty or ZERO),
        "cummulativeQuoteQty": fixed(order.executed_quote),
        "status": order.status.value,
        "timeInForce": order.tif.value,
        "type": TO_SPOT_TYPE[order.original_type],
        "side": order.side.value,
        "workingTime": _working(order, unit),
        "selfTradePreventionMode": order.stp_mode.value,
    }
    return shape | _conditional(order, unit)


def full_shape(order: Order, unit: int = MILLISECOND) -> dict[str, Any]:
    """`newOrderRespType=FULL`."""
    fills = [
        {
            "price": fixed(fill.price),
            "qty": fixed(fill.qty),
            "commission": fixed(fill.fee),
            "commissionAsset": fill.fee_asset,
            "tradeId": fill.trade_id,
        }
        for fill in order.fills
    ]
    return {**result_shape(order, unit), "fills": fills}


def canceled_shape(order: Order, client_id: str, unit: int = MILLISECOND) -> dict[str, Any]:
    """The answer to a cancel; `client_id` is that of the cancel itself."""
    shape = {
        "symbol": order.symbol,
        "origClientOrderId": order.client_order_id,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": client_id,
        "transactTime": order.updated_ns // unit,
        "price": fixed(order.price),
        "origQty": fixed(order.qty),
        "executedQty": fixed(order.executed_qty),
        "origQuoteOrderQty": fixed(order.quote_qty or ZERO),
        "cummulativeQuoteQty": fixed(order.executed_quote),
        "status": order.status.value,
        "timeInForce": order.tif.value,
        "type": TO_SPOT_TYPE[order.original_type],
        "side": order.side.value,
        "selfTradePreventionMode": order.stp_mode.value,
    }
    return shape | _conditional(order, unit)


def order_shape(order: Order, unit: int = MILLISECOND) -> dict[str, Any]:
    """A queried order."""
    shape = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        "price": fixed(order.price),
        "origQty": fixed(order.qty),
        "executedQty": fixed(order.executed_qty),
        "cummulativeQuoteQty": fixed(order.executed_quote),
        "status": order.status.value,
        "timeInForce": order.tif.value,
        "type": TO_SPOT_TYPE[order.original_type],
        "side": order.side.value,
        "stopPrice": fixed(order.stop_price or ZERO),
        "icebergQty": fixed(order.iceberg_qty or ZERO),
        "time": order.created_ns // unit,
        "updateTime": order.updated_ns // unit,
        "isWorking": order.is_working,
        "workingTime": _working(order, unit),
        "origQuoteOrderQty": fixed(order.quote_qty or ZERO),
        "selfTradePreventionMode": order.stp_mode.value,
    }
    return shape | _conditional(order, unit)


def fill_shape(fill: Fill, unit: int = MILLISECOND) -> dict[str, Any]:
    """A row of `myTrades`."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": fill.list_id,
        "price": fixed(fill.price),
        "qty": fixed(fill.qty),
        "quoteQty": fixed(fill.quote_qty),
        "commission": fixed(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.ts // unit,
        "isBuyer": fill.side.sign > 0,
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }


def trade_shape(trade: Print, unit: int = MILLISECOND) -> dict[str, Any]:
    """A row of `trades`."""
    return {
        "id": trade.trade_id,
        "price": fixed(trade.price),
        "qty": fixed(trade.qty),
        "quoteQty": fixed(trade.price * trade.qty),
        "time": trade.ts // unit,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def list_shape(
    order_list: OrderList, orders: list[Order], unit: int = MILLISECOND
) -> dict[str, Any]:
    """An order list without its orders' reports."""
    return {
        "orderListId": order_list.list_id,
        "contingencyType": order_list.contingency,
        "listStatusType": "ALL_DONE" if order_list.is_done else "EXEC_STARTED",
        "listOrderStatus": "ALL_DONE" if order_list.is_done else "EXECUTING",
        "listClientOrderId": order_list.client_list_id,
        "transactionTime": order_list.updated_ns // unit,
        "symbol": order_list.symbol,
        "orders": [
            {
                "symbol": order.symbol,
                "orderId": order.order_id,
                "clientOrderId": order.client_order_id,
            }
            for order in orders
        ],
    }


def account_shape(view: AccountView, uid: int, unit: int = MILLISECOND) -> dict[str, Any]:
    """`GET /api/v3/account`."""
    rates = {"maker": view.maker_rate, "taker": view.taker_rate, "buyer": ZERO, "seller": ZERO}
    return {
        "makerCommission": int(view.maker_rate * 10_000),
        "takerCommission": int(view.taker_rate * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {name: fixed(rate) for name, rate in rates.items()},
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": view.updated_ns // unit,
        "accountType": "SPOT",
        "balances": [
            {"asset": row.asset, "free": fixed(row.free), "locked": fixed(row.locked)}
            for row in view.balances
        ],
        "permissions": ["SPOT"],
        "uid": uid,
    }


def symbol_shape(listing: Listing) -> dict[str, Any]:
    """A symbol of `exchangeInfo`."""
    types = [TO_SPOT_TYPE[kind] for kind in OrderType if kind in TO_SPOT_TYPE]
    if listing.order_types:
        types = [TO_SPOT_TYPE[kind] for kind in OrderType if kind in listing.order_types]
    modes = [mode.value for mode in StpMode if mode in listing.stp_allowed]
    return {
        "symbol": listing.symbol,
        "status": SPOT_STATUSES.get(listing.status, "BREAK"),
        "baseAsset": listing.base,
        "baseAssetPrecision": listing.base_precision,
        "quoteAsset": listing.quote,
        "quotePrecision": listing.quote_precision,
        "quoteAssetPrecision": listing.quote_precision,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": types,
        "icebergAllowed": listing.iceberg_allowed,
        "ocoAllowed": listing.oco_allowed,
        "otoAllowed": listing.oto_allowed,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": listing.quote_qty_allowed,
        "allowTrailingStop": listing.trailing_allowed,
        "cancelReplaceAllowed": listing.cancel_replace_allowed,
        "amendAllowed": listing.amend_allowed,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(listing),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": listing.stp_default.value,
        "allowedSelfTradePreventionModes": modes,
    }


def _filters(listing: Listing) -> list[dict[str, Any]]:
    delta = listing.trailing_delta
    rows: list[dict[str, Any]] = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": fixed(listing.min_price),
            "maxPrice": fixed(listing.max_price),
            "tickSize": fixed(listing.tick),
        },
        _lot("LOT_SIZE", listing.lot),
        {"filterType": "ICEBERG_PARTS", "limit": listing.iceberg_parts},
        _lot("MARKET_LOT_SIZE", listing.market_lot),
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": delta.min_above,
            "maxTrailingAboveDelta": delta.max_above,
            "minTrailingBelowDelta": delta.min_below,
            "maxTrailingBelowDelta": delta.max_below,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": fixed(listing.min_notional),
            "applyMinToMarket": listing.min_notional_applies_to_market,
            "maxNotional": fixed(listing.max_notional or Decimal(9_000_000)),
            "applyMaxToMarket": listing.max_notional_applies_to_market,
            "avgPriceMins": listing.avg_price_mins,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": listing.max_orders},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": listing.max_order_lists},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": listing.max_algo_orders},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": listing.max_amends},
    ]
    band = listing.percent_price
    if band is not None:
        rows.append(
            {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": str(band.bid_up),
                "bidMultiplierDown": str(band.bid_down),
                "askMultiplierUp": str(band.ask_up),
                "askMultiplierDown": str(band.ask_down),
                "avgPriceMins": listing.avg_price_mins,
            }
        )
    if listing.max_position is not None:
        limit = fixed(listing.max_position)
        rows.append({"filterType": "MAX_POSITION", "maxPosition": limit})
    return rows


def _lot(name: str, lot: Lot) -> dict[str, Any]:
    return {
        "filterType": name,
        "minQty": fixed(lot.minimum),
        "maxQty": fixed(lot.maximum),
        "stepSize": fixed(lot.step),
    }


def _working(order: Order, unit: int) -> int:
    return -1 if order.working_ns is None else order.working_ns // unit


def _conditional(order: Order, unit: int) -> dict[str, Any]:
    """What appears only when it was asked for, or happened."""
    shape: dict[str, Any] = {}
    if order.stop_price is not None:
        shape["stopPrice"] = fixed(order.stop_price)
    if order.iceberg_qty is not None:
        shape["icebergQty"] = fixed(order.iceberg_qty)
    if order.trailing_delta is not None:
        shape["trailingDelta"] = order.trailing_delta
        shape["trailingTime"] = -1 if order.trigger_ns is None else order.trigger_ns // unit
    if order.strategy_id is not None:
        shape["strategyId"] = order.strategy_id
    if order.strategy_type is not None:
        shape["strategyType"] = order.strategy_type
    if order.prevented_qty:
        shape["preventedQuantity"] = fixed(order.prevented_qty)
    if order.expire_reason is not ExpireReason.NONE and order.expire_reason in EXPIRY_REASONS:
        shape["expiryReason"] = EXPIRY_REASONS[order.expire_reason]
    return shape
