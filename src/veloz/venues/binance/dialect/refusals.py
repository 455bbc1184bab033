"""From the exchange's reason to the venue's code and text, one table a family of markets.

A reason that a table lacks cannot come up in that family, or is a fault of ours: it is answered
-1000, and a test asks for every reason.

Source: Binance Spot API, "Errors"; Derivatives, "Error Code".
"""

from __future__ import annotations

from decimal import Decimal

from veloz.exchange.money import shown
from veloz.exchange.words import Market, Refusal, Why
from veloz.venues.binance.dialect.errors import VenueError
from veloz.venues.binance.dialect.vocabulary import plain

__all__ = ["FUTURES", "SPOT", "venue_error"]

FILTER = "Filter failure: "
PLACE_REFUSED = -2010
FOK_TEXT = (
    "Due to the order could not be filled immediately, the FOK order has been rejected. The order "
    "will not be recorded in the order history."
)
GTX_TEXT = (
    "Due to the order could not be executed as maker, the Post Only order will be rejected. The "
    "order will not be recorded in the order history."
)

# reason -> (code, text); {detail} is the exchange's own sentence
SPOT: dict[Why, tuple[int, str]] = {
    Why.UNKNOWN_ACCOUNT: (-2015, "Invalid API-key, IP, or permissions for action."),
    Why.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    Why.UNKNOWN_ASSET: (-1108, "Invalid asset."),
    Why.MARKET_CLOSED: (-1013, "Market is closed."),
    Why.BAD_REQUEST: (-1128, "Combination of optional parameters invalid."),
    Why.UNSUPPORTED_TYPE: (-1116, "Invalid orderType."),
    Why.UNSUPPORTED_TIF: (-1115, "Invalid timeInForce."),
    Why.UNSUPPORTED_STP: (-1013, "This symbol does not allow the specified self-trade mode."),
    Why.UNSUPPORTED_FEATURE: (PLACE_REFUSED, "This action is disabled on this account."),
    Why.DUPLICATE_CLIENT_ID: (PLACE_REFUSED, "Duplicate order sent."),
    Why.PRICE_TICK: (-1013, FILTER + "PRICE_FILTER"),
    Why.PRICE_MIN: (-1013, FILTER + "PRICE_FILTER"),
    Why.PRICE_MAX: (-1013, FILTER + "PRICE_FILTER"),
    Why.PRICE_PRECISION: (-1111, "Parameter 'price' has too much precision."),
    Why.LOT_STEP: (-1013, FILTER + "LOT_SIZE"),
    Why.LOT_MIN: (-1013, FILTER + "LOT_SIZE"),
    Why.LOT_MAX: (-1013, FILTER + "LOT_SIZE"),
    Why.MARKET_LOT_STEP: (-1013, FILTER + "MARKET_LOT_SIZE"),
    Why.MARKET_LOT_MIN: (-1013, FILTER + "MARKET_LOT_SIZE"),
    Why.MARKET_LOT_MAX: (-1013, FILTER + "MARKET_LOT_SIZE"),
    Why.QTY_PRECISION: (-1111, "Parameter 'quantity' has too much precision."),
    Why.MIN_NOTIONAL: (-1013, FILTER + "NOTIONAL"),
    Why.MAX_NOTIONAL: (-1013, FILTER + "NOTIONAL"),
    Why.PERCENT_PRICE: (-1013, FILTER + "PERCENT_PRICE_BY_SIDE"),
    Why.PERCENT_PRICE_MARKET: (-1013, FILTER + "PERCENT_PRICE_BY_SIDE"),
    Why.MAX_ORDERS: (-1013, FILTER + "MAX_NUM_ORDERS"),
    Why.MAX_ALGO_ORDERS: (-1013, FILTER + "MAX_NUM_ALGO_ORDERS"),
    Why.MAX_ICEBERG_ORDERS: (-1013, FILTER + "MAX_NUM_ICEBERG_ORDERS"),
    Why.MAX_ORDER_LISTS: (-1013, FILTER + "MAX_NUM_ORDER_LISTS"),
    Why.ICEBERG_PARTS: (-1013, FILTER + "ICEBERG_PARTS"),
    Why.MAX_POSITION: (-1013, FILTER + "MAX_POSITION"),
    Why.TRAILING_DELTA: (-1013, FILTER + "TRAILING_DELTA"),
    Why.INSUFFICIENT_BALANCE: (
        PLACE_REFUSED,
        "Account has insufficient balance for requested action.",
    ),
    Why.WOULD_TRIGGER: (PLACE_REFUSED, "Stop price would trigger immediately."),
    Why.WOULD_TAKE: (PLACE_REFUSED, "Order would immediately match and take."),
    Why.FOK: (PLACE_REFUSED, "Order cannot be filled immediately."),
    Why.NO_LIQUIDITY: (-1112, "No orders on book for symbol."),
    Why.NO_PRICE: (-1112, "No orders on book for symbol."),
    Why.LIST_PRICES: (
        PLACE_REFUSED,
        "The relationship of the prices for the orders is not correct.",
    ),
    Why.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
    Why.CANCEL_RESTRICTED: (-2011, "Order was not canceled due to cancel restrictions."),
    Why.NO_CHANGE: (-2038, "The requested action would change no state; rejecting."),
    Why.AMEND_INCREASES: (
        -2038,
        "Order amend (quantity increase) is not supported.",
    ),
    Why.AMEND_NOT_LIMIT: (-2038, "Order amend is not supported for this order."),
    Why.MAX_AMENDS: (-2038, FILTER + "MAX_NUM_ORDER_AMENDS"),
    Why.REPLACE_CANCEL_FAILED: (-2021, "Order cancel-replace partially failed."),
    Why.REPLACE_PLACE_FAILED: (-2021, "Order cancel-replace partially failed."),
    Why.REPLACE_BOTH_FAILED: (-2022, "Order cancel-replace failed."),
}

FUTURES: dict[Why, tuple[int, str]] = {
    Why.UNKNOWN_ACCOUNT: (-2015, "Invalid API-key, IP, or permissions for action."),
    Why.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    Why.UNKNOWN_ASSET: (-1108, "Invalid asset."),
    Why.MARKET_CLOSED: (-4108, "This symbol is in delivering/delivered/settling/closed status."),
    Why.BAD_REQUEST: (-1128, "Combination of optional parameters invalid."),
    Why.UNSUPPORTED_TYPE: (-1116, "Invalid orderType."),
    Why.UNSUPPORTED_TIF: (-1115, "Invalid timeInForce."),
    Why.UNSUPPORTED_STP: (-4113, "Self-trade prevention mode is invalid."),
    Why.UNSUPPORTED_FEATURE: (-1020, "This operation is not supported."),
    Why.NOT_CONDITIONAL: (-1116, "Invalid orderType."),
    Why.USE_ALGO: (
        -4120,
        "Order type not supported for this endpoint. Please use the Algo Order API endpoints "
        "instead.",
    ),
    Why.DUPLICATE_CLIENT_ID: (-4116, "ClientOrderId is duplicated."),
    Why.GTD_TOO_SOON: (-4206, "GoodTillDate is invalid: it must be 600 s in the future or more."),
    Why.PRICE_TICK: (-4014, "Price not increased by tick size."),
    Why.PRICE_MIN: (-4013, "Price less than min price."),
    Why.PRICE_MAX: (-4002, "Price greater than max price."),
    Why.PRICE_PRECISION: (-1111, "Precision is over the maximum defined for this asset."),
    Why.LOT_STEP: (-4023, "Qty not increased by step size."),
    Why.LOT_MIN: (-4004, "Quantity less than min quantity."),
    Why.LOT_MAX: (-4005, "Quantity greater than max quantity."),
    Why.MARKET_LOT_STEP: (-4023, "Qty not increased by step size."),
    Why.MARKET_LOT_MIN: (-4004, "Quantity less than min quantity."),
    Why.MARKET_LOT_MAX: (-4005, "Quantity greater than max quantity."),
    Why.QTY_PRECISION: (-1111, "Precision is over the maximum defined for this asset."),
    Why.MIN_NOTIONAL: (
        -4164,
        "Order's notional must be no smaller than {min_notional} (unless you choose reduce only).",
    ),
    Why.MAX_NOTIONAL: (-4005, "Quantity greater than max quantity."),
    Why.PERCENT_PRICE: (-4016, "Limit price can't be higher than {ceiling}."),
    Why.PERCENT_PRICE_MARKET: (
        -4131,
        "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
    ),
    Why.MAX_ORDERS: (-2025, "Reach max open order limit."),
    Why.MAX_ALGO_ORDERS: (-4045, "Reach max stop order limit."),
    Why.MAX_POSITION: (-2027, "Exceeded the maximum allowable position at current leverage."),
    Why.TRAILING_DELTA: (-2007, "Invalid callBack rate"),
    Why.INSUFFICIENT_BALANCE: (-2018, "Balance is insufficient."),
    Why.INSUFFICIENT_MARGIN: (-2019, "Margin is insufficient."),
    Why.MAX_LEVERAGE_NOTIONAL: (
        -2027,
        "Exceeded the maximum allowable position at current leverage.",
    ),
    Why.REDUCE_ONLY: (-2022, "ReduceOnly Order is rejected."),
    Why.REDUCE_ONLY_IN_HEDGE: (-1106, "Parameter 'reduceonly' sent when not required."),
    Why.POSITION_SIDE: (-4061, "Order's position side does not match user's setting."),
    Why.CLOSE_POSITION_EXISTS: (
        -4130,
        "An open stop or take profit order with GTE and closePosition in the direction is "
        "existing.",
    ),
    Why.WOULD_TRIGGER: (-2021, "Order would immediately trigger."),
    Why.WOULD_TAKE: (-5022, GTX_TEXT),
    Why.FOK: (-5021, FOK_TEXT),
    Why.NO_LIQUIDITY: (-2020, "Unable to fill."),
    Why.NO_PRICE: (-2020, "Unable to fill."),
    Why.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
    Why.NO_CHANGE: (-5027, "No need to modify the order."),
    Why.AMEND_NOT_LIMIT: (-5025, "Only limit order is supported."),
    Why.MAX_AMENDS: (-5026, "Exceed maximum modify order limit."),
    Why.OPEN_ORDERS: (-4067, "Position side cannot be changed if there exists open orders."),
    Why.OPEN_POSITIONS: (-4068, "Position side cannot be changed if there exists position."),
    Why.BAD_LEVERAGE: (-4028, "Leverage is not valid: {detail}"),
    Why.NO_POSITION: (-4046, "No need to change margin type."),
    Why.NOT_ISOLATED: (-4054, "Cannot add position margin: position is 0."),
    Why.LEVERAGE_WITH_ISOLATED: (
        -4161,
        "Leverage reduction is not supported in Isolated Margin Mode with open positions.",
    ),
}

TOO_LOW = (-4024, "Limit price can't be lower than {floor}.")
NOT_FOUND = (-2013, "Order does not exist.")
STATUSES = {Why.UNKNOWN_ACCOUNT: 401, Why.REPLACE_CANCEL_FAILED: 409, Why.REPLACE_PLACE_FAILED: 409}


def venue_error(
    refusal: Refusal, market: Market, *, query: bool = False, min_notional: str = "5"
) -> VenueError:
    """What this market's API answers.

    Args:
        refusal: The exchange's reason.
        market: Whose words.
        query: The request only asked: an unknown order is -2013 then, not -2011.
        min_notional: For the sentence of -4164.
    """
    if query and refusal.why is Why.UNKNOWN_ORDER:
        code, text = NOT_FOUND
    elif refusal.floor is not None and market is not Market.SPOT:
        code, text = TOO_LOW
    else:
        table = SPOT if market is Market.SPOT else FUTURES
        code, text = table.get(
            refusal.why, (-1000, "An unknown error occurred while processing the request.")
        )
    words = text.format(
        detail=refusal.detail,
        min_notional=min_notional,
        ceiling=_price(refusal.ceiling),
        floor=_price(refusal.floor),
    )
    return VenueError(STATUSES.get(refusal.why, 400), code, words)


def _price(value: Decimal | None) -> str:
    return "" if value is None else plain(shown(value, 8))
