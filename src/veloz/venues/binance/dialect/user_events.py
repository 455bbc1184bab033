"""Private events of the exchange as the venue's user-data messages.

One event may become several messages (futures: a fill is an `ORDER_TRADE_UPDATE` and a
`TRADE_LITE`). Spot ids: `c` is the client id of the request that caused the event, `C` the order's
own when they differ.

Source: Binance Spot API, "User Data Streams"; Derivatives, "User Data Streams".
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from veloz.exchange.events import (
    AccountConfigEvent,
    AccountEvent,
    AlgoEvent,
    BalanceEvent,
    Execution,
    MarginCallEvent,
    OrderEvent,
    OrderListEvent,
    TransferEvent,
)
from veloz.exchange.listing import Listing
from veloz.exchange.model import Position
from veloz.exchange.money import shown
from veloz.exchange.words import ExpireReason, MarginType, Market
from veloz.venues.binance.dialect.futures_shapes import (
    algo_type,
    price_text,
    qty_text,
    working_word,
)
from veloz.venues.binance.dialect.vocabulary import (
    EXPIRY_REASONS,
    MILLISECOND,
    TO_FUTURES_TYPE,
    TO_SPOT_TYPE,
    fixed,
    plain,
)

__all__ = ["futures_messages", "spot_messages"]

ZERO = Decimal(0)
Message = dict[str, Any]
Find = Callable[[Market, str], Listing]


def spot_messages(event: object, unit: int = MILLISECOND) -> list[Message]:
    """What a spot account hears of an event; nothing if it is not about spot."""
    if isinstance(event, OrderEvent):
        return [_execution_report(event, unit)]
    if isinstance(event, BalanceEvent):
        rows = [
            {"a": row.asset, "f": fixed(row.free), "l": fixed(row.locked)} for row in event.balances
        ]
        ts = event.ts // unit
        return [{"e": "outboundAccountPosition", "E": ts, "u": ts, "B": rows}]
    if isinstance(event, TransferEvent):
        ts = event.ts // unit
        delta = fixed(event.delta)
        return [{"e": "balanceUpdate", "E": ts, "a": event.asset, "d": delta, "T": ts}]
    if isinstance(event, OrderListEvent):
        return [_list_status(event, unit)]
    return []


def _execution_report(event: OrderEvent, unit: int) -> Message:
    order, fill = event.order, event.fill
    message: Message = {
        "e": "executionReport",
        "E": event.ts // unit,
        "s": order.symbol,
        "c": event.client_order_id,
        "S": order.side.value,
        "o": TO_SPOT_TYPE[order.original_type],
        "f": order.tif.value,
        "q": fixed(order.qty),
        "p": fixed(order.price),
        "P": fixed(order.stop_price or ZERO),
        "F": fixed(order.iceberg_qty or ZERO),
        "g": order.list_id,
        "C": event.original_client_order_id,
        "x": event.execution.value,
        "X": order.status.value,
        "r": "NONE",
        "i": order.order_id,
        "l": fixed(fill.qty if fill else ZERO),
        "z": fixed(order.executed_qty),
        "L": fixed(fill.price if fill else ZERO),
        "n": fixed(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": event.ts // unit,
        "t": fill.trade_id if fill else -1,
        "I": event.ts // 1000 % 10**12,
        "w": order.status.is_open and order.is_working,
        "m": fill.is_maker if fill else False,
        "M": False,
        "O": order.created_ns // unit,
        "Z": fixed(order.executed_quote),
        "Y": fixed(fill.quote_qty if fill else ZERO),
        "Q": fixed(order.quote_qty or ZERO),
        "V": order.stp_mode.value,
    }
    if order.working_ns is not None:
        message["W"] = order.working_ns // unit
    return message | _spot_extras(event, unit)


def _spot_extras(event: OrderEvent, unit: int) -> Message:
    """Fields that appear only with what they are about."""
    order = event.order
    extras: Message = {}
    if order.trailing_delta is not None:
        extras["d"] = order.trailing_delta
        if order.trigger_ns is not None:
            extras["D"] = order.trigger_ns // unit
    if order.strategy_id is not None:
        extras["j"] = order.strategy_id
    if order.strategy_type is not None:
        extras["J"] = order.strategy_type
    if event.execution is Execution.TRADE_PREVENTION:
        extras |= {
            "v": event.prevented_match_id,
            "A": fixed(event.prevented_qty),
            "B": fixed(event.prevented_qty),
            "U": event.prevented_maker_order_id,
            "Cs": order.symbol,
            "pl": fixed(event.prevented_qty),
            "pL": fixed(event.prevented_price),
            "pY": fixed(event.prevented_qty * event.prevented_price),
        }
    if event.reason is not ExpireReason.NONE and event.reason in EXPIRY_REASONS:
        extras["eR"] = EXPIRY_REASONS[event.reason]
    return extras


def _list_status(event: OrderListEvent, unit: int) -> Message:
    order_list = event.order_list
    return {
        "e": "listStatus",
        "E": event.ts // unit,
        "s": order_list.symbol,
        "g": order_list.list_id,
        "c": order_list.contingency,
        "l": event.step.value,
        "L": "ALL_DONE" if order_list.is_done else "EXECUTING",
        "r": "NONE",
        "C": order_list.client_list_id,
        "T": event.ts // unit,
        "O": [
            {"s": order_list.symbol, "i": order_id, "c": client_id}
            for order_id, client_id in event.orders
        ],
    }


def futures_messages(event: object, find: Find) -> list[Message]:
    """What a futures account hears of an event; nothing if it is not about futures."""
    if isinstance(event, OrderEvent):
        return _order_messages(event, find(event.market, event.order.symbol))
    if isinstance(event, AccountEvent):
        return [_account_update(event, find)]
    if isinstance(event, AccountConfigEvent):
        return _config_update(event)
    if isinstance(event, AlgoEvent):
        return [_algo_update(event, find(event.market, event.algo.request.symbol))]
    if isinstance(event, MarginCallEvent):
        return [_margin_call(event, find)]
    return []


def _order_messages(event: OrderEvent, listing: Listing) -> list[Message]:
    ts = event.ts // MILLISECOND
    update = {
        "e": "ORDER_TRADE_UPDATE",
        "E": ts,
        "T": ts,
        "o": _order_words(event, listing),
    }
    if event.fill is None or listing.market is Market.COINM:
        return [update]
    order, fill = event.order, event.fill
    lite = {
        "e": "TRADE_LITE",
        "E": ts,
        "T": ts,
        "s": order.symbol,
        "q": qty_text(listing, order.qty),
        "p": price_text(listing, order.price),
        "m": fill.is_maker,
        "c": order.client_order_id,
        "S": order.side.value,
        "L": price_text(listing, fill.price),
        "l": qty_text(listing, fill.qty),
        "t": fill.trade_id,
        "i": order.order_id,
    }
    return [lite, update]


def _order_words(event: OrderEvent, listing: Listing) -> Message:
    order, fill = event.order, event.fill
    words: Message = {
        "s": order.symbol,
        "c": order.client_order_id,
        "S": order.side.value,
        "o": TO_FUTURES_TYPE[order.type],
        "f": order.tif.value,
        "q": qty_text(listing, order.qty),
        "p": price_text(listing, order.price),
        "ap": price_text(listing, shown(order.average_price, listing.price_precision + 1)),
        "sp": price_text(listing, order.stop_price),
        "x": event.execution.value,
        "X": order.status.value,
        "i": order.order_id,
        "l": qty_text(listing, fill.qty if fill else ZERO),
        "z": qty_text(listing, order.executed_qty),
        "L": price_text(listing, fill.price if fill else ZERO),
        "N": fill.fee_asset if fill else listing.settle,
        "n": fixed(fill.fee) if fill else "0",
        "T": event.ts // MILLISECOND,
        "t": fill.trade_id if fill else 0,
        "b": "0",
        "a": "0",
        "m": fill.is_maker if fill else False,
        "R": order.reduce_only,
        "wt": working_word(order),
        "ot": TO_FUTURES_TYPE[order.original_type],
        "ps": order.position_side.value,
        "cp": order.close_position,
        "pP": order.price_protect,
        "si": 0,
        "ss": 0,
        "rp": fixed(fill.realised) if fill else "0",
        "V": order.stp_mode.value,
        "pm": order.price_match.value if order.price_match else "NONE",
        "gtd": (order.good_till_ns or 0) // MILLISECOND,
    }
    if order.activate_price is not None:
        words["AP"] = price_text(listing, order.activate_price)
    if order.callback_rate is not None:
        words["cr"] = plain(order.callback_rate)
    if event.reason is not ExpireReason.NONE:
        words["er"] = EXPIRY_REASONS.get(event.reason, event.reason.value)
    if listing.market is Market.COINM:
        words["ma"] = listing.settle
    return words


def _account_update(event: AccountEvent, find: Find) -> Message:
    ts = event.ts // MILLISECOND
    body: Message = {
        "m": event.reason.value,
        "B": [
            {
                "a": row.asset,
                "wb": fixed(row.wallet),
                "cw": fixed(row.cross_wallet),
                "bc": fixed(row.change),
            }
            for row in event.wallets
        ],
        "P": [_position_words(row, find(row.market, row.symbol)) for row in event.positions],
    }
    if event.symbol:
        body["S"] = event.symbol
    return {"e": "ACCOUNT_UPDATE", "E": ts, "T": ts, "a": body}


def _position_words(position: Position, listing: Listing) -> Message:
    is_isolated = position.margin_type is MarginType.ISOLATED
    return {
        "s": position.symbol,
        "pa": qty_text(listing, position.qty),
        "ep": fixed(position.entry_price, 8 if listing.is_inverse else 5),
        "bep": fixed(position.break_even_price, 8) if position.qty else "0",
        "cr": fixed(position.realised),
        "up": fixed(position.unrealised),
        "mt": "isolated" if is_isolated else "cross",
        "iw": fixed(position.isolated_wallet),
        "ps": position.position_side.value,
        "ma": position.margin_asset,
    }


def _config_update(event: AccountConfigEvent) -> list[Message]:
    ts = event.ts // MILLISECOND
    if event.leverage is None:
        return []  # the venue says nothing of a changed position mode
    body = {"s": event.symbol, "l": event.leverage}
    return [{"e": "ACCOUNT_CONFIG_UPDATE", "E": ts, "T": ts, "ac": body}]


def _algo_update(event: AlgoEvent, listing: Listing) -> Message:
    algo, asked = event.algo, event.algo.request
    ts = event.ts // MILLISECOND
    words: Message = {
        "caid": algo.client_algo_id,
        "aid": algo.algo_id,
        "at": "CONDITIONAL",
        "o": algo_type(asked),
        "s": asked.symbol,
        "S": asked.side.value,
        "ps": asked.position_side.value,
        "f": asked.tif.value if asked.tif else "GTC",
        "q": qty_text(listing, asked.qty or ZERO),
        "X": algo.status.value,
        "ai": "" if algo.order_id is None else str(algo.order_id),
        "ap": fixed(algo.actual_price, max(5, listing.price_precision)),
        "aq": qty_text(listing, algo.actual_qty),
        "act": "0" if algo.order_id is None else ("LIMIT" if asked.type.has_limit else "MARKET"),
        "tp": price_text(listing, asked.stop_price),
        "p": price_text(listing, asked.price),
        "V": (asked.stp_mode or listing.stp_default).value,
        "wt": working_word(asked),
        "pm": asked.price_match.value if asked.price_match else "NONE",
        "cp": asked.close_position,
        "pP": asked.price_protect,
        "R": asked.reduce_only,
        "tt": (algo.trigger_ns or 0) // MILLISECOND,
        "gtd": (asked.good_till_ns or 0) // MILLISECOND,
    }
    if algo.reason:
        words["rm"] = algo.reason
    if asked.callback_rate is not None:
        words["cr"] = plain(asked.callback_rate)
        words["ia"] = algo.is_activated
    return {"e": "ALGO_UPDATE", "E": ts, "T": ts, "o": words}


def _margin_call(event: MarginCallEvent, find: Find) -> Message:
    return {
        "e": "MARGIN_CALL",
        "E": event.ts // MILLISECOND,
        "cw": fixed(event.cross_wallet),
        "p": [
            {
                "s": row.symbol,
                "ps": row.position_side.value,
                "pa": qty_text(find(row.market, row.symbol), row.qty),
                "mt": "ISOLATED" if row.margin_type is MarginType.ISOLATED else "CROSSED",
                "iw": fixed(row.isolated_wallet),
                "mp": fixed(row.mark_price),
                "up": fixed(row.unrealised),
                "mm": fixed(row.maintenance_margin),
            }
            for row in event.positions
        ],
    }
