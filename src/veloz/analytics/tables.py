"""Tables: the results of a run by symbol, side, reason, strategy, period, and status."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from veloz.analytics import trades
from veloz.analytics.drawdown import Drawdown, top_drawdowns
from veloz.analytics.figures import Figures
from veloz.analytics.returns import NS_PER_DAY, compound_by, day_name, instant_name
from veloz.analytics.roundtrips import RoundTrip
from veloz.analytics.run_tables import RunTables

GROUPINGS: dict[str, Callable[[RoundTrip], str]] = {
    "symbol": lambda trip: trip.symbol,
    "side": lambda trip: "long" if trip.side > 0 else "short",
    "strategy": lambda trip: trip.strategy or "(none)",
    "entry_reason": lambda trip: trip.entry_why or "(none given)",
    "exit_reason": lambda trip: trip.exit_why or "(none given)",
}


def trades_by(
    closed: Sequence[RoundTrip], grouping: str, *, has_money: bool = True, limit: int = 50
) -> list[dict[str, Any]]:
    """Closed round trips summed by a property, most trades first, then by name.

    Args:
        closed: Closed round trips.
        grouping: A key of `GROUPINGS`.
        has_money: False if amounts in the reporting currency are undefined.
        limit: Most rows; the rest is summed in one row named `(others)`.

    Returns:
        Rows with `name, trades, wins, win_rate, net, gross, fees, funding, profit_factor,
        mean_return, mean_holding_s`.
    """
    groups: dict[str, list[RoundTrip]] = {}
    for trip in closed:
        groups.setdefault(GROUPINGS[grouping](trip), []).append(trip)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    if len(ordered) > limit:
        others = [trip for _, group in ordered[limit - 1 :] for trip in group]
        ordered = [*ordered[: limit - 1], ("(others)", others)]
    return [_group_row(name, group, has_money) for name, group in ordered]


def _group_row(name: str, group: list[RoundTrip], has_money: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "trades": len(group)}
    holding = trades.mean_holding([trip.holding_s for trip in group])
    if not has_money:
        unknown = (
            "wins",
            "win_rate",
            "net",
            "gross",
            "fees",
            "funding",
            "profit_factor",
            "mean_return",
        )
        return row | dict.fromkeys(unknown, math.nan) | {"mean_holding_s": holding}
    net = [trip.net for trip in group]
    return row | {
        "wins": sum(profit > 0 for profit in net),
        "win_rate": trades.win_rate(net),
        "net": trades.total(net),
        "gross": trades.total([trip.gross for trip in group]),
        "fees": trades.total([trip.fees for trip in group]),
        "funding": trades.total([trip.funding for trip in group]),
        "profit_factor": trades.profit_factor(net),
        "mean_return": float(np.mean([trip.net_return for trip in group])),
        "mean_holding_s": holding,
    }


def period_rows(figures: Figures, period: str) -> list[dict[str, Any]]:
    """Returns by `day`, `week`, `month` or `year`, in order of time."""
    days = figures.days
    if period == "day":
        rows = zip(days.day.tolist(), days.returns.tolist(), days.close.tolist(), strict=True)
        return [{"period": day_name(d), "return": r, "equity": c} for d, r, c in rows]
    table = compound_by(days.day, days.returns, period)
    return [{"period": name, "return": value} for name, value in table.items()]


def drawdown_rows(tables: RunTables, count: int = 5) -> list[dict[str, Any]]:
    """The deepest drawdowns with their dates, deepest first."""
    curve = tables.equity
    return [_drawdown_row(found, curve.ts_ns) for found in top_drawdowns(curve.equity, count)]


def _drawdown_row(found: Drawdown, ts_ns: Any) -> dict[str, Any]:
    peak, trough = int(ts_ns[found.peak]), int(ts_ns[found.trough])
    end = int(ts_ns[found.recovery])
    return {
        "depth": found.depth,
        "money": found.money,
        "peak": instant_name(peak),
        "trough": instant_name(trough),
        "recovery": instant_name(end) if found.recovery >= 0 else None,
        "fall_days": (trough - peak) / NS_PER_DAY,
        "length_days": (end - peak) / NS_PER_DAY,
    }


def order_counts(tables: RunTables) -> dict[str, Any]:
    """Orders by final status, and the reasons of refusals, rejections and expiries."""
    orders = tables.orders
    status = Counter(orders.status.tolist())
    reasons = Counter(
        (state, reason)
        for state, reason in zip(orders.status.tolist(), orders.reason.tolist(), strict=True)
        if reason
    )
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return {
        "total": len(orders),
        "sent": int((orders.ts_sent > 0).sum()),
        "by_status": dict(sorted(status.items())),
        "reasons": [{"status": s, "reason": r, "orders": n} for (s, r), n in ordered[:50]],
    }


def evidence_shares(tables: RunTables) -> dict[str, float]:
    """Share of the fills by what let the simulator fill them; empty if it was not recorded."""
    kinds = Counter(tables.fills.evidence.tolist())
    if set(kinds) <= {""}:
        return {}
    count = len(tables.fills)
    return {kind or "(none)": number / count for kind, number in sorted(kinds.items())}


def fees_by_asset(tables: RunTables) -> dict[str, Decimal]:
    """Exact fees in the assets that they were paid in, before any conversion."""
    sums: dict[str, int] = {}
    fills = tables.fills
    for asset, fee in zip(fills.fee_asset.tolist(), fills.fee.tolist(), strict=True):
        sums[asset] = sums.get(asset, 0) + fee
    return {
        asset: Decimal(amount).scaleb(-tables.asset_scale(asset))
        for asset, amount in sorted(sums.items())
        if asset
    }


def open_rows(trips: Sequence[RoundTrip]) -> list[dict[str, Any]]:
    """Round trips that were still open at the end."""
    return [
        {
            "symbol": trip.symbol,
            "strategy": trip.strategy,
            "side": "long" if trip.side > 0 else "short",
            "entry": instant_name(trip.entry_ts),
            "opened_qty": trip.qty,
            "entry_price": trip.entry_price,
            "realised_net": trip.net,
        }
        for trip in trips
        if trip.is_open
    ]
