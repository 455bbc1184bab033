"""What Binance's account listings say, as rows with exact figures.

One shape for three markets, and nothing that the venue did not send. Anything that is no whole
list becomes None: a failed query is not an empty account (F-E09).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from veloz.venues.binance.rest import RestAnswer

__all__ = [
    "OrderRow",
    "PositionRow",
    "account_number",
    "balances",
    "fills",
    "orders",
    "positions",
]


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order as a listing has it.

    Attributes:
        client_order_id: The order's wire id.
        symbol: Venue symbol.
        filled: Executed quantity, in the venue's units of quantity.
        venue_order_id: The venue's number.
    """

    client_order_id: str
    symbol: str
    filled: Decimal
    venue_order_id: int


@dataclass(frozen=True, slots=True)
class PositionRow:
    """One leg of one symbol.

    Attributes:
        qty: Signed; negative is short.
        leverage: 0 if the listing does not say.
        margin_type: `cross` or `isolated`; empty if the listing does not say.
    """

    symbol: str
    side: str
    qty: Decimal
    leverage: int
    margin_type: str


def orders(answer: RestAnswer) -> list[OrderRow] | None:
    """Orders of a listing, conditional ones included."""
    rows = _rows(answer)
    try:
        return None if rows is None else [_order(row) for row in rows]
    except (KeyError, InvalidOperation, ValueError):
        return None


def positions(answer: RestAnswer) -> list[PositionRow] | None:
    """Positions of a listing, flat ones too: they carry leverage and margin type."""
    rows = _rows(answer)
    try:
        return None if rows is None else [_position(row) for row in rows]
    except (KeyError, InvalidOperation, ValueError):
        return None


def account_number(answer: RestAnswer) -> str:
    """The venue's own name of the account, in an answer with its balances; empty if it has none."""
    value = answer.value()
    if isinstance(value, dict):
        return str(value.get("uid", ""))
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return ""
    return str(value[0].get("accountAlias", ""))


def balances(answer: RestAnswer) -> dict[str, Decimal] | None:
    """What is held by asset, locked amounts included, zeros left out."""
    value = answer.value()
    if isinstance(value, dict):  # spot: one object with a list
        value = value.get("balances")
    if answer.status != 200 or not isinstance(value, list):
        return None
    held: dict[str, Decimal] = {}
    try:
        for row in value:
            if "free" in row:
                amount = Decimal(row["free"]) + Decimal(row["locked"])
            else:
                amount = Decimal(row["balance"])
            if amount:
                held[str(row["asset"])] = amount
    except (KeyError, TypeError, InvalidOperation):
        return None
    return held


def fills(answer: RestAnswer) -> list[int] | None:
    """Trade ids of a listing of the account's trades, as they come."""
    rows = _rows(answer)
    try:
        return None if rows is None else [int(str(row["id"])) for row in rows]
    except (KeyError, ValueError):
        return None


def _rows(answer: RestAnswer) -> list[dict[str, object]] | None:
    value = answer.value()
    if answer.status != 200 or not isinstance(value, list):
        return None
    rows = [row for row in value if isinstance(row, dict)]
    return rows if len(rows) == len(value) else None


def _order(row: dict[str, object]) -> OrderRow:
    if "algoId" in row:
        filled = Decimal(str(row.get("actualQty") or 0))
        return OrderRow(
            str(row["clientAlgoId"]), str(row["symbol"]), filled, int(str(row["algoId"]))
        )
    filled = Decimal(str(row["executedQty"]))
    return OrderRow(str(row["clientOrderId"]), str(row["symbol"]), filled, int(str(row["orderId"])))


def _position(row: dict[str, object]) -> PositionRow:
    margin = str(row.get("marginType") or "").lower()
    return PositionRow(
        str(row["symbol"]),
        str(row.get("positionSide") or "BOTH"),
        Decimal(str(row.get("positionAmt") or 0)),
        int(str(row.get("leverage") or 0)),
        {"crossed": "cross", "cross": "cross", "isolated": "isolated"}.get(margin, ""),
    )
