"""A `LiveEngine` as what the sessions ask of an engine.

Most calls are the engine's own methods, bound once, so that nothing stands between a socket and the
core. Two are put together here: a difference becomes the engine's own inputs, and booked fills are
read from its counts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from veloz.venues.venue import Freeze

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal

    from veloz.venues.venue import CashEntry, Difference

__all__ = ["LiveSide", "cash_fields", "ended_algo_order", "external_order"]

# Client ids of orders that the venue itself makes, and the engine's words for who did.
_ORIGINS = {
    "autoclose-": "liquidation",
    "adl_autoclose": "deleveraging",
    "settlement_autoclose-": "settlement",
    "delivery_autoclose-": "settlement",
}
_TYPES = {"MARKET": "market", "LIMIT": "limit", "LIMIT_MAKER": "limit", "LIQUIDATION": "limit"}

# The engine's own, name for name.
_OWN = (
    "frame",
    "rest_body",
    "history_body",
    "books_to_rebuild",
    "stale",
    "fresh",
    "user_frame",
    "answered",
    "refused",
    "not_sent",
    "unknown",
    "lapsed",
    "written",
    "absent",
    "fills",
    "synced",
    "unsynced",
    "open_orders",
    "knows_order",
    "positions",
    "balances",
    "confirmed_ns",
)


class LiveSide:
    """See the module.

    Args:
        engine: A `veloz._core.LiveEngine`.
        symbols: Our symbol by the venue's.
        take_requests: Gives the requests whose journal records allow them to leave; the engine's
            own gives them before.
    """

    frame: Callable[..., int]
    rest_body: Callable[..., int]
    history_body: Callable[..., int]
    books_to_rebuild: Callable[..., Any]
    stale: Callable[..., None]
    fresh: Callable[..., None]
    user_frame: Callable[..., int]
    answered: Callable[..., int]
    refused: Callable[..., None]
    not_sent: Callable[..., None]
    unknown: Callable[..., None]
    lapsed: Callable[..., None]
    written: Callable[..., None]
    absent: Callable[..., None]
    fills: Callable[..., int]
    synced: Callable[..., None]
    unsynced: Callable[..., None]
    open_orders: Callable[..., Any]
    knows_order: Callable[..., bool]
    positions: Callable[..., Any]
    balances: Callable[..., Any]
    confirmed_ns: Callable[..., int]
    take_requests: Callable[..., Any]

    def __init__(
        self, engine: Any, symbols: Mapping[str, str], take_requests: Callable[[], Any]
    ) -> None:
        self._engine = engine
        self._symbols = symbols
        self.take_requests = take_requests
        for name in _OWN:
            setattr(self, name, getattr(engine, name))

    def fills_booked(self, account: int) -> int:
        """How many fills are booked, on all accounts: only its growth is looked at."""
        return self._engine.view("counts", account)["fills"]

    def lacks_fills(self, account: int) -> bool:
        """True if a cumulative quantity is ahead of the booked fills of any order."""
        return bool(self._engine.view("needs_trades", account))

    def found(self, account: int, body: bytes, ts_recv_ns: int) -> int:
        """One order as the venue describes it; see `EngineInputs.found`."""
        bits = int(self._engine.found(account, body, ts_recv_ns))
        if b'"algoStatus"' in body:
            self._algo_found(account, json.loads(body), ts_recv_ns)
        return bits

    def external(self, account: int, body: bytes, ts_recv_ns: int) -> None:
        """Shows an order that is not ours and has ended, so that its trades are booked (F-E01)."""
        fields = external_order(json.loads(body), self._symbols)
        if fields is not None:
            self._tell("external", ts_recv_ns, account, **fields)

    def _algo_found(self, account: int, row: dict[str, Any], ts_recv_ns: int) -> None:
        fields = ended_algo_order(row, self._engine.view("orders", account))
        if fields is not None:
            self._tell("found", ts_recv_ns, account, **fields)

    def parked(self, account: int) -> set[int]:
        """The venue's numbers of orders whose reports wait until the order is known."""
        rows = self._engine.view("parked", account)
        return {number for owner, _, number, _ in rows if owner == account}

    def opening(self, account: int, asset: str, amount: Decimal, ts_recv_ns: int) -> None:
        """What the account held of an asset before its first journal record."""
        self._tell("cash", ts_recv_ns, account, why="transfer", asset=asset, amount=amount)

    def cash(self, account: int, entry: CashEntry, ts_recv_ns: int) -> bool:
        """Books an entry of the venue's income record that no event told of."""
        if entry.asset not in self._engine.balances(account):
            return False
        self._tell("cash", ts_recv_ns, account, **cash_fields(entry, self._symbols))
        return True

    def differs(self, account: int, difference: Difference, ts_recv_ns: int) -> None:
        """Freezes what the difference says, and tells the engine what the venue holds."""
        subject, _, leg = difference.subject.partition(" ")
        symbol = self._symbols.get(subject, subject)
        told = f"{difference.kind} {difference.subject}: {difference.ours}, {difference.theirs}"
        if difference.kind == "leverage":
            leverage = int(difference.theirs)
            self._tell("setting", ts_recv_ns, account, symbol=symbol, leverage=leverage)
        elif difference.kind == "position":
            qty = difference.theirs
            self._tell("position", ts_recv_ns, account, symbol=symbol, position_side=leg, qty=qty)
        elif difference.kind == "balance":
            wallet = difference.theirs
            self._tell("balance", ts_recv_ns, account, asset=subject, wallet=wallet)
        if difference.freeze is Freeze.INSTRUMENT and difference.repair == "":
            self._tell("freeze", ts_recv_ns, account, symbol=symbol, reason=told)
        elif difference.freeze is Freeze.ACCOUNT:
            self._tell("freeze", ts_recv_ns, account, reason=told)

    def _tell(self, kind: str, now_ns: int, account: int, **fields: object) -> None:
        self._engine.input(kind, now_ns, account=account, **fields)


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
    """
    if row["symbol"] not in symbols:
        return None
    name = str(row["clientOrderId"])
    return {
        "symbol": symbols[row["symbol"]],
        "side": str(row["side"]).lower(),
        "type": _TYPES.get(str(row["type"]), "limit"),
        "qty": row["origQty"],
        "price": row["price"],
        "position_side": str(row.get("positionSide", "BOTH")).lower(),
        "venue_order_id": int(row["orderId"]),
        "origin": next(
            (word for start, word in _ORIGINS.items() if name.startswith(start)), "hand"
        ),
        "client_id": name,
        "ts_exchange": int(row.get("time") or row["updateTime"]) * 1_000_000,
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
    """
    ended = {"CANCELED": "canceled", "EXPIRED": "expired", "REJECTED": "rejected"}
    status = ended.get(str(row["algoStatus"]))
    name = str(row["clientAlgoId"])
    ours = [order for order in orders if order["client_order_id"] == name]
    if status is None or not ours:
        return None
    figures = {key: ours[0][key] for key in ("order", "filled_qty", "qty", "price")}
    return {**figures, "status": status, "ts_exchange": int(row["updateTime"]) * 1_000_000}
