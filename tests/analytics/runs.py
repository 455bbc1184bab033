"""Small runs, built by hand, for tests that need exact numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from veloz.analytics import (
    EquityCurve,
    Fills,
    FundingPayments,
    InstrumentFacts,
    Orders,
    RunTables,
)

DAY = 86_400 * 10**9


def small_run(
    rows: Sequence[tuple[int, int, int]],
    *,
    kind: str = "linear",
    multiplier: str = "1",
    fees: Sequence[int] | None = None,
    funding: Sequence[tuple[int, int]] = (),
    **columns: Any,
) -> RunTables:
    """A run of one instrument with whole prices and quantities.

    Args:
        rows: (side, qty, price) of each fill, one second apart from second 1.
        kind: Kind of the instrument, settled in its own reporting currency.
        multiplier: Coins per contract or face value.
        fees: Of each fill, in units of 1e-8.
        funding: (second, amount in units of 1e-8).
        columns: Further columns of the fills.
    """
    count = len(rows)
    fills = Fills.of(
        ts_exchange=[(i + 1) * 10**9 for i in range(count)], symbol=["X"] * count,
        side=[row[0] for row in rows], qty=[row[1] for row in rows],
        price=[row[2] for row in rows], fee=list(fees or [0] * count), fee_asset=["USDT"] * count,
        **columns,
    )  # fmt: skip
    payments = FundingPayments.of(
        ts_ns=[second * 10**9 for second, _ in funding], symbol=["X"] * len(funding),
        amount=[amount for _, amount in funding],
    )  # fmt: skip
    curve = EquityCurve.of(
        ts_ns=[0, 40 * DAY], equity=[100.0, 110.0], first=Decimal(100), last=Decimal(110)
    )
    facts = InstrumentFacts("X", kind, 0, 0, "USDT", Decimal(multiplier))
    orders = Orders.of(id=[], status=[], ts_created=[])
    return RunTables("USDT", curve, fills, orders, payments, {"X": facts})


def with_facts(tables: RunTables, **changes: Any) -> RunTables:
    """The same run with other fields."""
    return replace(tables, **changes)
