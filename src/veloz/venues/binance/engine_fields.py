"""What the venue lists, as fields of the engine's inputs: cash, orders of others, ended ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veloz.venues.binance.listings import figure, whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from veloz.venues.venue import CashEntry

__all__ = ["cash_fields", "ended_algo_order", "external_order"]

# Client ids of orders that the venue itself makes, and the engine's words for who did.
_ORIGINS = {
    "autoclose-": "liquidation",
    "adl_autoclose": "deleveraging",
    "settlement_autoclose-": "settlement",
    "delivery_autoclose-": "settlement",
}
_TYPES = {"MARKET": "market", "LIMIT": "limit", "LIMIT_MAKER": "limit", "LIQUIDATION": "limit"}


def cash_fields(entry: CashEntry, symbols: Mapping[str, str]) -> dict[str, Any]:
    """An entry of the income record, as the engine's input `cash` takes it.

    Args:
        entry: The entry.
        symbols: Our symbols by the venue's.
    """
    return {
        "why": entry.why,
        "asset": entry.asset,
        "amount": entry.amount,
        "symbol": symbols.get(entry.symbol) if entry.why == "funding" else None,
        "entry_id": entry.number,
        "ts_exchange": entry.at_ms * 1_000_000,
    }


def external_order(row: dict[str, Any], symbols: Mapping[str, str]) -> dict[str, Any] | None:
    """An order of somebody else, as the engine's input `external` takes it.

    Args:
        row: The order as REST describes it.
        symbols: Our symbols by the venue's.

    Returns:
        The input's fields; None if the symbol is not ours.

    Raises:
        ValueError: The row is no order.
    """
    name = _text(row, "clientOrderId")
    symbol, side = _text(row, "symbol"), _text(row, "side").lower()
    if symbol not in symbols:
        return None
    if side not in {"buy", "sell"}:
        raise ValueError(f"the order {name} has the side {side[:40]!r}")
    return {
        "symbol": symbols[symbol],
        "side": side,
        "type": _TYPES.get(str(row.get("type")), "limit"),
        "qty": _figure(row, "origQty"),
        "price": _figure(row, "price"),
        "position_side": str(row.get("positionSide", "BOTH")).lower(),
        "venue_order_id": whole(row.get("orderId")),
        "origin": next(
            (word for start, word in _ORIGINS.items() if name.startswith(start)), "hand"
        ),
        "client_id": name,
        "ts_exchange": _ns(row.get("time") or row.get("updateTime")),
    }


def ended_algo_order(
    row: dict[str, Any], orders: Sequence[dict[str, Any]]
) -> dict[str, Any] | None:
    """A conditional order that ended before its trigger, as the engine's input `found` takes it.

    Args:
        row: The order as the algo service describes it.
        orders: The engine's view of its open orders.

    Returns:
        The input's fields; None if it is open (the engine reads that itself), or not ours.

    Raises:
        ValueError: The row is no order of the service.
    """
    ended = {"CANCELED": "canceled", "EXPIRED": "expired", "REJECTED": "rejected"}
    status = ended.get(_text(row, "algoStatus"))
    name = _text(row, "clientAlgoId")
    ours = [order for order in orders if order["client_order_id"] == name]
    if status is None or not ours:
        return None
    figures = {key: ours[0][key] for key in ("order", "filled_qty", "qty", "price")}
    return {**figures, "status": status, "ts_exchange": _ns(row.get("updateTime"))}


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise ValueError(f"an order of the venue has no text as {name}")
    return value


def _figure(row: dict[str, Any], name: str) -> str:
    """The text of a figure, once it is one."""
    value = _text(row, name)
    figure(value)
    return value


def _ns(ms: object) -> int:
    found = whole(ms)
    if not 0 < found < 1 << 43:
        raise ValueError(f"{found} is no time of an order")
    return found * 1_000_000
