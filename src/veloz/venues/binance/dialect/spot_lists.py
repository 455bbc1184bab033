"""Order lists of the spot API: OCO, OTO and OTOCO.

Source: Binance Spot API, "Trading endpoints", order lists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veloz.exchange.model import OrderKey, OrderRequest
from veloz.exchange.words import OrderType
from veloz.venues.binance.dialect.market_rest import time_window
from veloz.venues.binance.dialect.params import Params
from veloz.venues.binance.dialect.spot_orders import (
    client_id,
    neither,
    order_request,
    response_shape,
)
from veloz.venues.binance.dialect.spot_shapes import canceled_shape, list_shape
from veloz.venues.binance.dialect.venue import Call

if TYPE_CHECKING:
    from veloz.exchange.model import Order, OrderList

__all__ = ["all_lists", "cancel", "oco", "open_lists", "oto", "otoco", "query"]

# parameter of one order -> its name with a leg's prefix
LEG_NAMES = {
    "type": "Type",
    "price": "Price",
    "stopPrice": "StopPrice",
    "trailingDelta": "TrailingDelta",
    "timeInForce": "TimeInForce",
    "icebergQty": "IcebergQty",
    "newClientOrderId": "ClientOrderId",
    "strategyId": "StrategyId",
    "strategyType": "StrategyType",
    "quantity": "Quantity",
    "side": "Side",
}


def _leg(call: Call, prefix: str, **known: str) -> OrderRequest:
    """The order of one leg: parameters named `aboveType`, `workingPrice`, … ."""
    pairs = dict(known)
    for name, suffix in LEG_NAMES.items():
        if prefix + suffix in call.params:
            pairs[name] = call.params.text(prefix + suffix)
    for name in ("symbol", "selfTradePreventionMode"):
        if name in call.params:
            pairs[name] = call.params.text(name)
    leg = Call(call.venue, call.market, Params(pairs.items()), call.key, call.unit, call.peer)
    return order_request(leg)


def oco(call: Call) -> dict[str, Any]:
    """`POST /api/v3/orderList/oco`."""
    call.listing()
    known = {"side": call.params.text("side"), "quantity": call.params.text("quantity")}
    above, below = _leg(call, "above", **known), _leg(call, "below", **known)
    word = client_id(call.params, "listClientOrderId")
    placed = call.exchange.place_oco(call.account, above, below, client_list_id=word)
    return _placed(call, *placed)


def oto(call: Call) -> dict[str, Any]:
    """`POST /api/v3/orderList/oto`."""
    call.listing()
    working, pending = _leg(call, "working"), _leg(call, "pending")
    word = client_id(call.params, "listClientOrderId")
    placed = call.exchange.place_oto(call.account, working, [pending], client_list_id=word)
    return _placed(call, *placed)


def otoco(call: Call) -> dict[str, Any]:
    """`POST /api/v3/orderList/otoco`."""
    call.listing()
    params = call.params
    known = {"side": params.text("pendingSide"), "quantity": params.text("pendingQuantity")}
    working = _leg(call, "working")
    pending = [_leg(call, "pendingAbove", **known)]
    if "pendingBelowType" in params:
        pending.append(_leg(call, "pendingBelow", **known))
    word = client_id(params, "listClientOrderId")
    placed = call.exchange.place_oto(call.account, working, pending, client_list_id=word)
    return _placed(call, *placed)


def _placed(call: Call, order_list: OrderList, orders: list[Order]) -> dict[str, Any]:
    reports = [response_shape(call, order, OrderType.LIMIT) for order in orders]
    for report in reports:
        report.pop("fills", None)
    return {**list_shape(order_list, orders, call.unit), "orderReports": reports}


def _listed(call: Call, order_list: OrderList) -> dict[str, Any]:
    keys = [OrderKey(call.market, order_list.symbol, number) for number in order_list.order_ids]
    orders = [call.exchange.order(call.account, key) for key in keys]
    return list_shape(order_list, orders, call.unit)


def cancel(call: Call) -> dict[str, Any]:
    """`DELETE /api/v3/orderList`."""
    symbol = call.listing().symbol
    list_id, word = (
        call.params.int_or_none("orderListId"),
        call.params.text_or("listClientOrderId", ""),
    )
    if list_id is None and not word:
        raise neither("orderListId", "listClientOrderId")
    order_list, orders = call.exchange.cancel_list(
        call.account, symbol, list_id=list_id, client_list_id=word or None
    )
    drawn = client_id(call.params, "newClientOrderId") or call.venue.client_id()
    reports = [canceled_shape(order, drawn, call.unit) for order in orders]
    return {**list_shape(order_list, orders, call.unit), "orderReports": reports}


def query(call: Call) -> dict[str, Any]:
    """`GET /api/v3/orderList`."""
    list_id = call.params.int_or_none("orderListId")
    word = call.params.text_or("origClientOrderId", "") or call.params.text_or(
        "listClientOrderId", ""
    )
    if list_id is None and not word:
        raise neither("origClientOrderId", "orderListId")
    found = call.exchange.order_list(call.account, list_id=list_id, client_list_id=word or None)
    return _listed(call, found)


def all_lists(call: Call) -> list[dict[str, Any]]:
    """`GET /api/v3/allOrderList`."""
    rows = call.exchange.order_lists(call.account, time_window(call, 500, 1000))
    return [_listed(call, row) for row in rows]


def open_lists(call: Call) -> list[dict[str, Any]]:
    """`GET /api/v3/openOrderList`."""
    rows = call.exchange.order_lists(call.account, only_open=True)
    return [_listed(call, row) for row in rows]
