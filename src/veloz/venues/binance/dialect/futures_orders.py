"""Trading of the two futures APIs: orders, batches, changes and cancels.

Source: Binance Derivatives, "Trade", USDⓈ-M and COIN-M.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from veloz.exchange.model import Order, OrderKey, OrderRequest
from veloz.exchange.words import (
    Market,
    OrderStatus,
    OrderType,
    PositionSide,
    PriceMatch,
    Refusal,
    Side,
    StpMode,
    TimeInForce,
)
from veloz.venues.binance.dialect.access import check_time
from veloz.venues.binance.dialect.errors import VenueError, error
from veloz.venues.binance.dialect.futures_shapes import (
    ack_shape,
    fill_shape,
    order_shape,
    result_shape,
)
from veloz.venues.binance.dialect.market_rest import time_window
from veloz.venues.binance.dialect.params import Params
from veloz.venues.binance.dialect.vocabulary import FUTURES_TYPES, MILLISECOND, WORKING_TYPES

if TYPE_CHECKING:
    from veloz.exchange.listing import Listing
    from veloz.venues.binance.dialect.venue import Call

__all__ = [
    "all_orders",
    "amendments",
    "batch_cancel",
    "batch_modify",
    "batch_place",
    "cancel",
    "cancel_all",
    "countdown",
    "fills",
    "futures_request",
    "modify",
    "open_order",
    "open_orders",
    "order_key",
    "place",
    "query",
    "test",
]

ID_FORM = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
TIFS = ("GTC", "IOC", "FOK", "GTX", "GTD", "GTE_GTC")
# parameter -> the code of its being 0
POSITIVE = {"quantity": -4003, "price": -4001, "stopPrice": -4006, "triggerPrice": -4006}
MOST_IN_BATCH = 5
MOST_IN_CANCEL_BATCH = 10
ID_LISTS = ("orderIdList", "origClientOrderIdList")
DAYS_7_NS = 7 * 86_400_000_000_000
HIDDEN_AFTER_NS = 3 * 86_400_000_000_000


def client_id(params: Params, name: str) -> str | None:
    """An optional client id; -4015 if it is too long or holds other characters."""
    word = params.text_or(name, "")
    if word and not re.fullmatch(ID_FORM, word):
        raise error(-4015)
    return word or None


def futures_request(call: Call, *, is_algo: bool = False) -> OrderRequest:
    """The order that the parameters ask for; the algo service names some of them otherwise."""
    params = call.params
    listing = call.listing()
    side = Side(params.word("side", ("BUY", "SELL"), -1117))
    kind = FUTURES_TYPES[params.word("type", FUTURES_TYPES, -1116)]
    if kind.is_conditional and not is_algo:
        raise error(-4120)
    tif = params.word_or("timeInForce", "", TIFS, -1115)
    _check_sent(params, kind, tif, is_algo=is_algo)
    _check_positive(params)
    stp = params.word_or("selfTradePreventionMode", "", set(StpMode))
    match = params.word_or("priceMatch", "", {*PriceMatch, "NONE"})
    if match not in {"", "NONE"} and "price" in params:
        raise error(-1106, name="price")
    working = params.word_or("workingType", "CONTRACT_PRICE", WORKING_TYPES)
    until = params.int_or_none("goodTillDate")
    if tif == "GTD" and until is None:
        raise error(-1102, name="goodTillDate")
    word = client_id(params, "clientAlgoId" if is_algo else "newClientOrderId")
    return OrderRequest(
        market=call.market,
        symbol=listing.symbol,
        side=side,
        type=kind,
        qty=params.decimal_or_none("quantity"),
        price=params.decimal_or_none("price"),
        tif=TimeInForce(tif) if tif else None,
        client_order_id=word or call.venue.client_id(),
        stop_price=params.decimal_or_none("triggerPrice" if is_algo else "stopPrice"),
        activate_price=params.decimal_or_none("activatePrice"),
        callback_rate=params.decimal_or_none("callbackRate"),
        stp_mode=StpMode(stp) if stp else None,
        position_side=PositionSide(params.word_or("positionSide", "BOTH", set(PositionSide))),
        reduce_only=params.bool_or("reduceOnly", otherwise=False),
        close_position=params.bool_or("closePosition", otherwise=False),
        price_match=PriceMatch(match) if match not in {"", "NONE"} else None,
        working_type=WORKING_TYPES[working],
        price_protect=params.bool_or("priceProtect", otherwise=False),
        good_till_ns=None if until is None else until * MILLISECOND,
    )


def _check_sent(params: Params, kind: OrderType, tif: str, *, is_algo: bool) -> None:
    """What each type needs; -1102 if it is missing, -1106 if it is too much."""
    closes = params.bool_or("closePosition", otherwise=False)
    if not closes:
        params.text("quantity")
    if kind.has_limit:
        if "priceMatch" not in params or params.text("priceMatch") == "NONE":
            params.text("price")
        if kind is OrderType.LIMIT and not tif:
            raise error(-1102, name="timeInForce")
    elif "price" in params and params.decimal("price"):
        raise error(-1106, name="price")
    elif kind is OrderType.MARKET and tif:
        raise error(-1106, name="timeInForce")
    if is_algo and kind.is_conditional:
        needed = "callbackRate" if kind is OrderType.TRAILING_STOP else "triggerPrice"
        params.text(needed)


def _check_positive(params: Params) -> None:
    """What is 0 has a code of its own."""
    for name, code in POSITIVE.items():
        if params.decimal_or_none(name) == 0:
            raise error(code)


def place(call: Call) -> dict[str, Any]:
    """`POST /fapi/v1/order`, `POST /dapi/v1/order`."""
    request = futures_request(call)
    wants_result = call.params.word_or("newOrderRespType", "ACK", ("ACK", "RESULT")) == "RESULT"
    if "timestamp" in call.params:
        check_time(call.venue, call.params)  # again, just before the matching
    listing = call.find(request.symbol)
    order = call.exchange.place(call.account, request)
    if not wants_result:
        return _accepted(order, listing)
    return result_shape(order, listing)


def _accepted(order: Order, listing: Listing) -> dict[str, Any]:
    """An acknowledgement is written before the matching: nothing is filled in it."""
    bare = replace(order, executed_qty=order.executed_qty * 0, status=OrderStatus.NEW, fills=[])
    return ack_shape(bare, listing)


def test(call: Call) -> dict[str, Any]:
    """Everything but the placement; answers as if the order had been placed."""
    request = futures_request(call)
    call.exchange.check(call.account, request)
    return {}


def order_key(call: Call) -> OrderKey:
    """The order that is meant: by the venue's id, else by the client's."""
    symbol = call.listing().symbol
    order_id = call.params.int_or_none("orderId")
    word = call.params.text_or("origClientOrderId", "")
    if order_id is None and not word:
        text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        raise VenueError(400, -1102, text)
    return OrderKey(call.market, symbol, order_id, word or None)


def query(call: Call) -> dict[str, Any]:
    """`GET …/order`; canceled orders without a fill are forgotten after three days."""
    order = call.exchange.order(call.account, order_key(call))
    ended = order.status in {OrderStatus.CANCELED, OrderStatus.EXPIRED}
    age = call.venue.clock_ns() - order.created_ns
    if ended and not order.executed_qty and age > HIDDEN_AFTER_NS:
        raise error(-2013)
    return order_shape(order, call.listing())


def open_order(call: Call) -> dict[str, Any]:
    """`GET …/openOrder`: -2013 if it is not open."""
    order = call.exchange.order(call.account, order_key(call))
    if not order.status.is_open:
        raise error(-2013)
    return order_shape(order, call.listing())


def cancel(call: Call) -> dict[str, Any]:
    """`DELETE …/order`."""
    order = call.exchange.cancel(call.account, order_key(call))
    return ack_shape(order, call.listing())


def cancel_all(call: Call) -> dict[str, Any]:
    """`DELETE …/allOpenOrders`."""
    call.exchange.cancel_all(call.account, call.market, call.listing().symbol)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def countdown(call: Call) -> dict[str, Any]:
    """`POST …/countdownCancelAll`: cancels everything unless it is called again in time."""
    symbol = call.listing().symbol
    wait_ms = call.params.int("countdownTime")
    call.exchange.countdown_cancel_all(call.account, call.market, symbol, wait_ms * MILLISECOND)
    return {"symbol": symbol, "countdownTime": str(wait_ms)}


def modify(call: Call) -> dict[str, Any]:
    """`PUT …/order`: needs quantity and price."""
    key = order_key(call)
    params = call.params
    params.word("side", ("BUY", "SELL"), -1117)
    qty = params.decimal("quantity")
    _check_positive(params)
    match = params.word_or("priceMatch", "", {*PriceMatch, "NONE"})
    is_matched = match not in {"", "NONE"}
    price = None if is_matched else params.decimal("price")
    order = call.exchange.modify(
        call.account, key, qty, price, price_match=PriceMatch(match) if is_matched else None
    )
    shape = ack_shape(order, call.listing())
    if "modifyId" in params:
        shape["modifyId"] = params.int("modifyId")
    return shape


def amendments(call: Call) -> list[dict[str, Any]]:
    """`GET …/orderAmendment`."""
    listing = call.listing()
    rows = call.exchange.amendments(call.account, order_key(call))
    return [
        {
            "amendmentId": row.execution_id,
            "symbol": row.symbol,
            "pair": listing.pair,
            "orderId": row.order_id,
            "clientOrderId": row.client_order_id,
            "time": row.ts // MILLISECOND,
            "amendment": {
                "price": {"before": str(row.old_price), "after": str(row.price)},
                "origQty": {"before": str(row.old_qty), "after": str(row.qty)},
                "count": number,
            },
        }
        for number, row in enumerate(rows, start=1)
    ]


def open_orders(call: Call) -> list[dict[str, Any]]:
    """`GET …/openOrders`."""
    symbol = call.listing().symbol if "symbol" in call.params else None
    rows = call.exchange.open_orders(call.account, call.market, symbol)
    return [order_shape(row, call.find(row.symbol)) for row in rows]


def all_orders(call: Call) -> list[dict[str, Any]]:
    """`GET …/allOrders`: windows of at most seven days."""
    listing = call.listing()
    window = _week(call)
    order_id = call.params.int_or_none("orderId")
    if order_id is not None:
        window = window._replace(from_id=order_id)
    rows = call.exchange.all_orders(call.account, call.market, listing.symbol, window)
    return [order_shape(row, listing) for row in rows]


def fills(call: Call) -> list[dict[str, Any]]:
    """`GET …/userTrades`: windows of at most seven days."""
    symbol = call.listing().symbol if "symbol" in call.params else None
    if symbol is None and (call.market is Market.USDM or "pair" not in call.params):
        raise error(-1102, name="symbol")
    order_id = call.params.int_or_none("orderId")
    rows = call.exchange.fills(call.account, call.market, symbol, _week(call), order_id=order_id)
    return [fill_shape(row, call.find(row.symbol)) for row in rows]


def _week(call: Call) -> Any:
    window = time_window(call, 500, 1000)
    start, end = window.start_ns, window.end_ns
    if start is not None and end is not None and end - start > DAYS_7_NS + MILLISECOND:
        text = "The time range between startTime and endTime cannot be larger than 7 days."
        raise VenueError(400, -4166, text)
    return window


def batch_place(call: Call) -> list[dict[str, Any]]:
    """`POST …/batchOrders`: each element is an order or an error."""
    return _batch(call, place)


def batch_modify(call: Call) -> list[dict[str, Any]]:
    """`PUT …/batchOrders`."""
    return _batch(call, modify)


def _batch(call: Call, work: Any) -> list[dict[str, Any]]:
    asked = call.params.json_list("batchOrders")
    if not 0 < len(asked) <= MOST_IN_BATCH:
        raise error(-1130, name="batchOrders")
    rows: list[dict[str, Any]] = []
    for element in asked:
        if not isinstance(element, dict):
            raise error(-1130, name="batchOrders")
        rows.append(_one(replace(call, params=Params.of_json(element)), work))
    return rows


def _one(call: Call, work: Any) -> dict[str, Any]:
    try:
        return work(call)
    except Refusal as refusal:
        found = call.refused(refusal)
    except VenueError as refusal:
        found = refusal
    return found.body() if isinstance(found, VenueError) else error(-1000).body()


def batch_cancel(call: Call) -> list[dict[str, Any]]:
    """`DELETE …/batchOrders`: by lists of either kind of id."""
    symbol = call.listing().symbol
    by_id, by_word = (_sent_as(call.params, name) for name in ID_LISTS)
    if by_id in call.params:
        keys = [OrderKey(call.market, symbol, _number(row)) for row in _ids(call, by_id)]
    else:
        words = _ids(call, by_word)
        keys = [OrderKey(call.market, symbol, client_order_id=str(word)) for word in words]
    rows: list[dict[str, Any]] = []
    for found in call.exchange.cancel_batch(call.account, keys):
        if isinstance(found, Order):
            rows.append(ack_shape(found, call.listing()))
            continue
        refused = call.refused(found)
        if isinstance(refused, VenueError):
            rows.append(refused.body())
    return rows


def _sent_as(params: Params, name: str) -> str:
    """The name as the client spells it: some write it in lower case, and the venue reads both."""
    return name.lower() if name.lower() in params else name


def _number(value: Any) -> int:
    word = str(value)
    if not (word.isascii() and word.isdecimal() and len(word) <= 20):
        raise error(-1130, name="orderIdList")
    return int(word)


def _ids(call: Call, name: str) -> list[Any]:
    rows = call.params.json_list(name)
    if not 0 < len(rows) <= MOST_IN_CANCEL_BATCH:
        raise error(-1130, name=name)
    return rows
