"""Order lists of the spot API: OCO, in its older form too, OTO and OTOCO.

Source: Binance Spot API, "Trading endpoints", order lists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veloz.exchange.model import OrderKey, OrderRequest
from veloz.exchange.words import OrderType, Side
from veloz.venues.binance.dialect.errors import VenueError, error, neither
from veloz.venues.binance.dialect.market_rest import day_window
from veloz.venues.binance.dialect.params import Params
from veloz.venues.binance.dialect.spot_orders import (
    client_id,
    order_request,
    response_shape,
)
from veloz.venues.binance.dialect.spot_shapes import canceled_shape, list_shape
from veloz.venues.binance.dialect.venue import Call

if TYPE_CHECKING:
    from veloz.exchange.model import Order, OrderList

__all__ = [
    "all_lists",
    "cancel",
    "no_opo",
    "no_sor",
    "oco",
    "older_oco",
    "open_lists",
    "oto",
    "otoco",
    "query",
]

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
# the older OCO's parameter -> its name in a leg
OLDER_LIMIT = {
    "price": "price",
    "limitClientOrderId": "newClientOrderId",
    "limitStrategyId": "strategyId",
    "limitStrategyType": "strategyType",
    "limitIcebergQty": "icebergQty",
}
OLDER_STOP = {
    "stopPrice": "stopPrice",
    "trailingDelta": "trailingDelta",
    "stopLimitPrice": "price",
    "stopLimitTimeInForce": "timeInForce",
    "stopClientOrderId": "newClientOrderId",
    "stopStrategyId": "strategyId",
    "stopStrategyType": "strategyType",
    "stopIcebergQty": "icebergQty",
}
STOPS = {OrderType.STOP_MARKET, OrderType.STOP_LIMIT}
TARGETS = {OrderType.TAKE_PROFIT_MARKET, OrderType.TAKE_PROFIT_LIMIT}


def _leg(call: Call, prefix: str, **known: str) -> OrderRequest:
    """The order of one leg: parameters named `aboveType`, `workingPrice`, … ."""
    pairs = dict(known)
    for name, suffix in LEG_NAMES.items():
        if prefix + suffix in call.params:
            pairs[name] = call.params.text(prefix + suffix)
    return _order(call, pairs)


def _order(call: Call, pairs: dict[str, str]) -> OrderRequest:
    for name in ("symbol", "selfTradePreventionMode"):
        if name in call.params:
            pairs[name] = call.params.text(name)
    leg = Call(call.venue, call.market, Params(pairs.items()), call.key, call.unit, call.peer)
    return order_request(leg)


def _check_oco(above: OrderRequest, below: OrderRequest) -> None:
    """Each leg is on the side of the price where its type belongs."""
    if above.type is below.type is OrderType.LIMIT_MAKER:
        raise error(-1168)
    is_buy = above.side is Side.BUY
    for leg, is_above in ((above, True), (below, False)):
        if leg.type is OrderType.LIMIT_MAKER:
            is_right, code = is_above is not is_buy, -1165 if is_buy else -1166
        elif leg.type in STOPS:
            is_right, code = is_above is is_buy, -1196 if is_buy else -1197
        elif leg.type in TARGETS:
            is_right, code = is_above is not is_buy, -1198 if is_buy else -1199
        else:
            raise error(-1158)
        if not is_right:
            raise error(code)


def oco(call: Call) -> dict[str, Any]:
    """`POST /api/v3/orderList/oco`."""
    call.listing()
    known = {"side": call.params.text("side"), "quantity": call.params.text("quantity")}
    above, below = _leg(call, "above", **known), _leg(call, "below", **known)
    _check_oco(above, below)
    word = client_id(call.params, "listClientOrderId")
    placed = call.exchange.place_oco(call.account, above, below, client_list_id=word)
    return _placed(call, *placed)


def older_oco(call: Call) -> dict[str, Any]:
    """`POST /api/v3/order/oco`: a limit order and a stop, told apart by what they are for."""
    params = call.params
    call.listing()
    known = {"side": params.text("side"), "quantity": params.text("quantity")}
    params.text("price")
    params.text("stopPrice")
    stop_type = "STOP_LOSS_LIMIT" if "stopLimitPrice" in params else "STOP_LOSS"
    limit, stop = (
        _order(call, {**known, "type": kind} | _renamed(params, names))
        for kind, names in (("LIMIT_MAKER", OLDER_LIMIT), (stop_type, OLDER_STOP))
    )
    above, below = (stop, limit) if limit.side is Side.BUY else (limit, stop)
    word = client_id(params, "listClientOrderId")
    placed = call.exchange.place_oco(call.account, above, below, client_list_id=word)
    return _placed(call, *placed)


def _renamed(params: Params, names: dict[str, str]) -> dict[str, str]:
    return {ours: params.text(theirs) for theirs, ours in names.items() if theirs in params}


def no_opo(call: Call) -> dict[str, Any]:
    """`POST /api/v3/orderList/opo` and `opoco`: no symbol of this venue has them."""
    call.listing()
    raise VenueError(400, -2010, "OPO orders are not supported for this symbol.")


def no_sor(call: Call) -> dict[str, Any]:
    """`POST /api/v3/sor/order`: this venue has one book a symbol, and nothing to route between."""
    call.listing()
    raise error(-1020)


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
    rows = call.exchange.order_lists(call.account, day_window(call))
    return [_listed(call, row) for row in rows]


def open_lists(call: Call) -> list[dict[str, Any]]:
    """`GET /api/v3/openOrderList`."""
    rows = call.exchange.order_lists(call.account, only_open=True)
    return [_listed(call, row) for row in rows]
