"""Requests that were under way when the last run ended: asked about, never sent again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from veloz.errors import NotSent, OutcomeUnknown

if TYPE_CHECKING:
    from veloz._core import LiveEngine
    from veloz.environments.trading.connection import MarketConnection
    from veloz.environments.trading.port import EnginePort
    from veloz.environments.trading.shell import EngineShell
    from veloz.environments.trading.tables import Tables

__all__ = ["RecoveredRequest", "settle_recovered"]

_CONDITIONAL = ("stop", "take_profit", "trailing_stop")
_DEADLINE_S = 35.0
_AGAIN_S = 10.0


@dataclass(frozen=True)
class RecoveredRequest:
    """An order of which some request has no answer, in the form that the resolver asks about.

    Attributes:
        client_order_id: Wire id.
        symbol: The venue's.
        is_conditional: It waits, or waited, for a trigger.
        order: The engine's handle.
        leg: Which of the orders at the venue that took its place in turn.
        number: Zero: only the order's state is wanted.
        kind: Of the request.
    """

    client_order_id: str
    symbol: str
    is_conditional: bool
    order: int
    leg: int = 0
    number: int = 0
    kind: str = "place"
    replaces: str = ""

    @property
    def is_reducing(self) -> bool:
        """What is asked about is not sent again: it has no rank."""
        return False

    @property
    def encoded(self) -> Any:
        """Nothing is ever sent of it."""
        raise AttributeError("a recovered request is asked about and not sent")

    @staticmethod
    def all_of(engine: LiveEngine, tables: Tables, account: int) -> list[RecoveredRequest]:
        """Those of an account."""
        ids = {order for order, _ in engine.view("needs_query", account)}
        symbols = {row["symbol"]: row["venue_symbol"] for row in tables.instruments}
        return [
            RecoveredRequest(
                name,
                symbols[row["symbol"]],
                str(row["type"]).startswith(_CONDITIONAL),
                row["order"],
                leg,
            )
            for row in engine.view("orders", account)
            if row["order"] in ids
            # Of one that was to be placed anew, both the old and the new one are asked about.
            for name, leg in (
                (row["client_order_id"], row["leg"]),
                (row["awaited_id"], row["awaited_leg"]),
            )
            if name is not None
        ]


async def settle_recovered(
    shell: EngineShell, port: EnginePort, connection: MarketConnection, tables: Tables, account: int
) -> None:
    """Ends the doubt about cancels and amends once they can no longer take effect.

    The resolver ends it for orders that exist or do not. One that is open past every deadline
    shows its terms as they are: what was asked of it and is not seen by then never came.
    """
    wait_s = _DEADLINE_S
    while doubted := RecoveredRequest.all_of(shell.engine, tables, account):
        await asyncio.sleep(wait_s)
        wait_s = _AGAIN_S
        for request in doubted:
            name, params = "order", {"symbol": request.symbol}
            if request.is_conditional and connection.market != "spot":
                name, params = "algo_order", {"clientAlgoId": request.client_order_id}
            else:
                params["origClientOrderId"] = request.client_order_id
            try:
                answer = await connection.rest.call(name, params)
            except (NotSent, OutcomeUnknown):
                continue
            if answer.status != 200:
                continue
            port.found(account, answer.body, answer.ts_recv_ns)
            for asked in ("amend", "cancel"):
                shell.input(
                    "absent",
                    order=request.order,
                    request=asked,
                    leg=request.leg,
                    evidence="the order was open past the deadline",
                    ts_exchange=answer.ts_recv_ns,
                )
