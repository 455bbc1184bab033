"""The algo service of the two futures APIs: conditional orders, with ids of their own.

Source: Binance Derivatives, "Algo Order" endpoints (USDⓈ-M since 2025-12, COIN-M since 2026-06).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veloz.venues.binance.dialect.errors import VenueError, error
from veloz.venues.binance.dialect.futures_orders import futures_request
from veloz.venues.binance.dialect.futures_shapes import algo_shape
from veloz.venues.binance.dialect.market_rest import time_window
from veloz.venues.binance.dialect.vocabulary import FUTURES_TYPES

if TYPE_CHECKING:
    from veloz.exchange.model import AlgoOrder
    from veloz.venues.binance.dialect.venue import Call

__all__ = ["all_orders", "cancel", "cancel_all", "open_orders", "place", "query"]


def place(call: Call) -> dict[str, Any]:
    """`POST …/algoOrder`."""
    call.params.word("algoType", ("CONDITIONAL",))
    if not FUTURES_TYPES[call.params.word("type", FUTURES_TYPES, -1116)].is_conditional:
        raise error(-1116)
    algo = call.exchange.place_algo(call.account, futures_request(call, is_algo=True))
    return _shape(call, algo)


def _named(call: Call) -> dict[str, Any]:
    algo_id = call.params.int_or_none("algoId")
    word = call.params.text_or("clientAlgoId", "")
    if algo_id is None and not word:
        text = "Param 'clientAlgoId' or 'algoId' must be sent, but both were empty/null!"
        raise VenueError(400, -1102, text)
    return {"algo_id": algo_id, "client_algo_id": word or None}


def query(call: Call) -> dict[str, Any]:
    """`GET …/algoOrder`."""
    algo = call.exchange.algo_order(call.account, call.market, **_named(call))
    return _shape(call, algo, queried=True)


def cancel(call: Call) -> dict[str, Any]:
    """`DELETE …/algoOrder`."""
    algo = call.exchange.cancel_algo(call.account, call.market, **_named(call))
    return {
        "algoId": algo.algo_id,
        "clientAlgoId": algo.client_algo_id,
        "code": "200",
        "msg": "success",
    }


def cancel_all(call: Call) -> dict[str, Any]:
    """`DELETE …/algoOpenOrders`."""
    call.exchange.cancel_all_algo(call.account, call.market, call.listing().symbol)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def open_orders(call: Call) -> list[dict[str, Any]]:
    """`GET …/openAlgoOrders`."""
    symbol = call.listing().symbol if "symbol" in call.params else None
    rows = call.exchange.algo_orders(call.account, call.market, symbol, only_open=True)
    return [_shape(call, row, queried=True) for row in rows]


def all_orders(call: Call) -> list[dict[str, Any]]:
    """`GET …/allAlgoOrders`."""
    symbol = call.listing().symbol
    window = time_window(call, 500, 1000)
    algo_id = call.params.int_or_none("algoId")
    if algo_id is not None:
        window = window._replace(from_id=algo_id)
    rows = call.exchange.algo_orders(call.account, call.market, symbol, window)
    return [_shape(call, row, queried=True) for row in rows]


def _shape(call: Call, algo: AlgoOrder, *, queried: bool = False) -> dict[str, Any]:
    return algo_shape(algo, call.find(algo.request.symbol), queried=queried)
