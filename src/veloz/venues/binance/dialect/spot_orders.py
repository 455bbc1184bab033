"""Trading of the spot API: orders, cancels, replacements and amendments.

Source: Binance Spot API, "Trading endpoints".
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.exchange.model import Order, OrderKey, OrderRequest
from veloz.exchange.words import OrderType, Refusal, Side, StpMode, TimeInForce, Why
from veloz.venues.binance.dialect.access import check_time
from veloz.venues.binance.dialect.errors import VenueError, error, neither
from veloz.venues.binance.dialect.market_rest import day_window
from veloz.venues.binance.dialect.spot_shapes import (
    ack_shape,
    canceled_shape,
    full_shape,
    order_shape,
    result_shape,
)
from veloz.venues.binance.dialect.vocabulary import SPOT_TYPES, fixed

if TYPE_CHECKING:
    from veloz.venues.binance.dialect.params import Params
    from veloz.venues.binance.dialect.venue import Call

__all__ = [
    "all_orders",
    "amend",
    "amendments",
    "cancel",
    "cancel_open",
    "cancel_replace",
    "open_orders",
    "order_key",
    "order_request",
    "place",
    "query",
    "response_shape",
    "test",
]

ZERO = Decimal(0)
SIDES = ("BUY", "SELL")
TIFS = ("GTC", "IOC", "FOK")
ID_FORM = r"^[a-zA-Z0-9-_]{1,36}$"
LEAST_STRATEGY_TYPE = 1_000_000
# parameter -> the venue's word for it where it is 0
AMOUNTS = {
    "quantity": "quantity",
    "price": "price",
    "quoteOrderQty": "quote order qty",
    "stopPrice": "stopPrice",
    "icebergQty": "icebergQty",
}
# type -> what must be sent beside the quantity
NEEDS = {
    OrderType.LIMIT: ("timeInForce", "price"),
    OrderType.LIMIT_MAKER: ("price",),
    OrderType.STOP_LIMIT: ("timeInForce", "price"),
    OrderType.TAKE_PROFIT_LIMIT: ("timeInForce", "price"),
}
# type -> what must not be sent
REFUSES = {
    OrderType.MARKET: ("timeInForce", "price", "stopPrice", "trailingDelta", "icebergQty"),
    OrderType.LIMIT: ("stopPrice", "trailingDelta", "quoteOrderQty"),
    OrderType.LIMIT_MAKER: ("timeInForce", "stopPrice", "trailingDelta", "quoteOrderQty"),
    OrderType.STOP_MARKET: ("timeInForce", "price", "quoteOrderQty"),
    OrderType.TAKE_PROFIT_MARKET: ("timeInForce", "price", "quoteOrderQty"),
    OrderType.STOP_LIMIT: ("quoteOrderQty",),
    OrderType.TAKE_PROFIT_LIMIT: ("quoteOrderQty",),
}


def client_id(params: Params, name: str) -> str | None:
    """An optional client id; -1100 if it holds other characters."""
    word = params.text_or(name, "")
    if word and not re.fullmatch(ID_FORM, word):
        raise error(-1100, name=name, form=ID_FORM)
    return word or None


def order_request(call: Call) -> OrderRequest:
    """The order that the parameters ask for."""
    params = call.params
    listing = call.listing()
    side = Side(params.word("side", SIDES, -1117))
    kind = SPOT_TYPES[params.word("type", SPOT_TYPES, -1116)]
    _check_sent(params, kind)
    stp = params.text_or("selfTradePreventionMode", "")
    if stp and stp not in set(StpMode):
        raise error(-1130, name="selfTradePreventionMode")
    tif = params.word_or("timeInForce", "", TIFS, -1115)
    strategy_type = params.int_or_none("strategyType")
    if strategy_type is not None and strategy_type < LEAST_STRATEGY_TYPE:
        raise error(-1134)
    return OrderRequest(
        market=call.market,
        symbol=listing.symbol,
        side=side,
        type=kind,
        qty=params.decimal_or_none("quantity"),
        price=params.decimal_or_none("price"),
        quote_qty=params.decimal_or_none("quoteOrderQty"),
        tif=TimeInForce(tif) if tif else None,
        client_order_id=client_id(params, "newClientOrderId") or call.venue.client_id(),
        stop_price=params.decimal_or_none("stopPrice"),
        trailing_delta=params.int_or_none("trailingDelta"),
        iceberg_qty=params.decimal_or_none("icebergQty"),
        stp_mode=StpMode(stp) if stp else None,
        strategy_id=params.int_or_none("strategyId"),
        strategy_type=strategy_type,
    )


def _check_sent(params: Params, kind: OrderType) -> None:
    """What each type needs, what it does not take, and that nothing is 0."""
    if "pegPriceType" in params:
        raise VenueError(400, -2010, "Pegged orders are not supported for this symbol.")
    for name in NEEDS.get(kind, ()):
        params.text(name)
    if kind is OrderType.MARKET:
        if "quantity" not in params and "quoteOrderQty" not in params:
            raise neither("quantity", "quoteOrderQty")
        if "quantity" in params and "quoteOrderQty" in params:
            raise error(-1128)
    else:
        params.text("quantity")
    if kind.is_conditional and "stopPrice" not in params and "trailingDelta" not in params:
        raise neither("stopPrice", "trailingDelta")
    for name in REFUSES[kind]:
        if name in params:
            raise error(-1106, name=name)
    for name, what in AMOUNTS.items():
        if params.decimal_or_none(name) == 0:
            raise VenueError(400, -1013, f"Invalid {what}.")


def response_shape(call: Call, order: Order, kind: OrderType) -> dict[str, Any]:
    """The answer of the type that the client asked for."""
    by_default = "FULL" if kind in {OrderType.MARKET, OrderType.LIMIT} else "ACK"
    word = call.params.word_or("newOrderRespType", by_default, ("ACK", "RESULT", "FULL"))
    shapes = {"ACK": ack_shape, "RESULT": result_shape, "FULL": full_shape}
    return shapes[word](order, call.unit)


def place(call: Call) -> dict[str, Any]:
    """`POST /api/v3/order`."""
    request = order_request(call)
    call.params.word_or("newOrderRespType", "ACK", ("ACK", "RESULT", "FULL"))
    call.params.finish()
    check_time(call.venue, call.params)  # again, just before the matching
    order = call.exchange.place(call.account, request)
    return response_shape(call, order, request.type)


def test(call: Call) -> dict[str, Any]:
    """Everything but the placement."""
    request = order_request(call)
    wants_rates = call.params.bool_or("computeCommissionRates", otherwise=False)
    call.exchange.check(call.account, request)
    if not wants_rates:
        return {}
    maker, taker = call.exchange.fees(call.account, call.market, request.symbol)
    return {
        "standardCommissionForOrder": {"maker": fixed(maker), "taker": fixed(taker)},
        "specialCommissionForOrder": {"maker": fixed(ZERO), "taker": fixed(ZERO)},
        "taxCommissionForOrder": {"maker": fixed(ZERO), "taker": fixed(ZERO)},
        "discount": {
            "enabledForAccount": call.exchange.account(call.account, call.market).pays_fees_in_bnb,
            "enabledForSymbol": True,
            "discountAsset": "BNB",
            "discount": "0.75000000",
        },
    }


def order_key(call: Call, id_name: str = "orderId", client_name: str = "origClientOrderId") -> Any:
    """The order that is meant: by the venue's id, else by the client's."""
    symbol = call.listing().symbol
    order_id = call.params.int_or_none(id_name)
    word = call.params.text_or(client_name, "")
    if order_id is None and not word:
        raise neither(client_name, id_name)
    return OrderKey(call.market, symbol, order_id, word or None)


def query(call: Call) -> dict[str, Any]:
    """`GET /api/v3/order`; -2039 if it was named twice and no order has both names."""
    key = order_key(call)
    try:
        order = call.exchange.order(call.account, key)
    except Refusal:
        if key.order_id is None or key.client_order_id is None:
            raise
        raise error(-2039) from None
    return order_shape(order, call.unit)


def cancel(call: Call) -> dict[str, Any]:
    """`DELETE /api/v3/order`."""
    key = order_key(call)
    word = client_id(call.params, "newClientOrderId") or call.venue.client_id()
    only = _restriction(call)
    order = call.exchange.cancel(call.account, key, request_id=word, only_status=only)
    return canceled_shape(order, word, call.unit)


def _restriction(call: Call) -> str | None:
    words = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}
    word = call.params.word_or("cancelRestrictions", "", words, -1145)
    return words.get(word)


def cancel_open(call: Call) -> list[dict[str, Any]]:
    """`DELETE /api/v3/openOrders`."""
    listing = call.listing()
    orders = call.exchange.cancel_all(call.account, call.market, listing.symbol)
    if not orders:
        raise error(-2011)
    return [canceled_shape(order, call.venue.client_id(), call.unit) for order in orders]


def open_orders(call: Call) -> list[dict[str, Any]]:
    """`GET /api/v3/openOrders`."""
    symbol = call.listing().symbol if "symbol" in call.params else None
    orders = call.exchange.open_orders(call.account, call.market, symbol)
    return [order_shape(order, call.unit) for order in orders]


def all_orders(call: Call) -> list[dict[str, Any]]:
    """`GET /api/v3/allOrders`."""
    listing = call.listing()
    window = day_window(call)
    from_id = call.params.int_or_none("orderId")
    if from_id is not None:
        window = type(window)(from_id, window.start_ns, window.end_ns, window.limit)
    orders = call.exchange.all_orders(call.account, call.market, listing.symbol, window)
    return [order_shape(order, call.unit) for order in orders]


def cancel_replace(call: Call) -> dict[str, Any]:
    """`POST /api/v3/order/cancelReplace`: both legs, and what became of each."""
    params = call.params
    mode = params.word("cancelReplaceMode", ("STOP_ON_FAILURE", "ALLOW_FAILURE"))
    key = order_key(call, "cancelOrderId", "cancelOrigClientOrderId")
    word = client_id(params, "cancelNewClientOrderId") or call.venue.client_id()
    request = order_request(call)
    try:
        canceled, placed = call.exchange.cancel_replace(
            call.account,
            key,
            request,
            stop_on_failure=mode == "STOP_ON_FAILURE",
            request_id=word,
            only_status=_restriction(call),
        )
    except Refusal as refusal:
        if refusal.why not in REPLACE_FAILURES:
            raise
        raise _replace_error(call, refusal, request, word) from None
    return {
        "cancelResult": "SUCCESS",
        "newOrderResult": "SUCCESS",
        "cancelResponse": canceled_shape(canceled, word, call.unit),
        "newOrderResponse": response_shape(call, placed, request.type),
    }


REPLACE_FAILURES = {
    Why.REPLACE_BOTH_FAILED,
    Why.REPLACE_CANCEL_FAILED,
    Why.REPLACE_PLACE_FAILED,
}


def _replace_error(call: Call, refusal: Refusal, request: OrderRequest, word: str) -> Exception:
    found = call.refused(refusal)
    if not isinstance(found, VenueError):
        return found
    cancel_part: Any = None
    place_part: Any = None
    if isinstance(refusal.cancel, Order):
        cancel_part = canceled_shape(refusal.cancel, word, call.unit)
    elif refusal.cancel is not None:
        cancel_part = _body(call.refused(refusal.cancel))
    if isinstance(refusal.place, Order):
        place_part = response_shape(call, refusal.place, request.type)
    elif refusal.place is not None:
        place_part = _body(call.refused(refusal.place))
    found.data = {
        "cancelResult": _outcome(refusal.cancel),
        "newOrderResult": _outcome(refusal.place),
        "cancelResponse": cancel_part,
        "newOrderResponse": place_part,
    }
    return found


def _outcome(part: Order | Refusal | None) -> str:
    if part is None:
        return "NOT_ATTEMPTED"
    return "SUCCESS" if isinstance(part, Order) else "FAILURE"


def _body(found: Exception) -> Any:
    return found.body() if isinstance(found, VenueError) else None


def amend(call: Call) -> dict[str, Any]:
    """`PUT /api/v3/order/amend/keepPriority`; draws a new client id unless one is sent."""
    key = order_key(call)
    qty = call.params.decimal("newQty")
    word = client_id(call.params, "newClientOrderId") or call.venue.client_id()
    order, change = call.exchange.reduce(call.account, key, qty, new_client_order_id=word)
    amended = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "origClientOrderId": change.old_client_order_id,
        "clientOrderId": order.client_order_id,
        "price": fixed(order.price),
        "qty": fixed(order.qty),
        "executedQty": fixed(order.executed_qty),
        "preventedQty": fixed(order.prevented_qty),
        "quoteOrderQty": fixed(order.quote_qty or ZERO),
        "cumulativeQuoteQty": fixed(order.executed_quote),
        "status": order.status.value,
        "timeInForce": order.tif.value,
        "type": "LIMIT" if order.type is OrderType.LIMIT else order.type.value,
        "side": order.side.value,
        "workingTime": -1 if order.working_ns is None else order.working_ns // call.unit,
        "selfTradePreventionMode": order.stp_mode.value,
    }
    return {
        "transactTime": change.ts // call.unit,
        "executionId": change.execution_id,
        "amendedOrder": amended,
    }


def amendments(call: Call) -> list[dict[str, Any]]:
    """`GET /api/v3/order/amendments`."""
    call.params.int("orderId")
    return [
        {
            "symbol": row.symbol,
            "orderId": row.order_id,
            "executionId": row.execution_id,
            "origClientOrderId": row.old_client_order_id,
            "newClientOrderId": row.client_order_id,
            "origQty": fixed(row.old_qty),
            "newQty": fixed(row.qty),
            "time": row.ts // call.unit,
        }
        for row in call.exchange.amendments(call.account, order_key(call))
    ]
