"""Warnings: what a reader should know before believing a result.

Each is a sentence with its number, ordered by how much it can change the conclusion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from veloz.analytics.figures import Figures
from veloz.analytics.run_tables import RunTables

FEW_TRADES = 30
FEW_DAYS = 30
DAY_NS = 86_400 * 10**9
HOLE_NS = DAY_NS
FLATTERS = ("+", "＋")


def result_warnings(
    tables: RunTables, figures: Figures, metrics: Mapping[str, Any]
) -> list[dict[str, str]]:
    """The reasons to doubt a result.

    Args:
        tables: The run.
        figures: Its inputs.
        metrics: Its metrics, by name.

    Returns:
        Rows with `code`, `level` (`error`, `warn`, `note`) and `text`, errors first.
    """
    found = [
        *_books(tables, figures),
        *_holes(tables),
        *_sample(figures, metrics),
        *_costs(tables, metrics),
        *_assumptions(tables, metrics),
        *[_row("run", "warn", str(text)) for text in tables.facts.get("warnings", ())],
    ]
    rank = {"error": 0, "warn": 1, "note": 2}
    return sorted(found, key=lambda row: rank[row["level"]])


def _row(code: str, level: str, text: str) -> dict[str, str]:
    return {"code": code, "level": level, "text": text}


def _books(tables: RunTables, figures: Figures) -> list[dict[str, str]]:
    found = []
    for line in tables.ledger:
        if missing := line.unexplained():
            found.append(_row("identity", "error", (
                f"The books do not add up: {missing} {line.currency} of equity is unexplained; "
                "no figure of this run can be trusted."
            )))  # fmt: skip
    if figures.fees is None or figures.inputs["values"] is None:
        found.append(_row("rate", "warn", (
            f"Some amounts have no rate to {tables.currency}; trade figures in money are not "
            "defined. Give the run a rate for every asset it trades or pays fees in."
        )))  # fmt: skip
    curve, seized = tables.equity, _liquidated(tables)
    found += seized
    if (ruined := np.flatnonzero(curve.equity <= 0.0)).size:
        why = "nothing is left to trade with" if seized else (
            "a venue would have closed the positions before, and what the run shows after it is "
            "fiction"
        )  # fmt: skip
        found.append(_row("ruin", "error", (
            f"Equity reached zero on {_day(int(curve.ts_ns[ruined[0]]))}: {why}; daily figures "
            "end there."
        )))  # fmt: skip
    return found


def _liquidated(tables: RunTables) -> list[dict[str, str]]:
    """Positions that the venue took over because their margin was used up."""
    orders, found = tables.orders, []
    for row in np.flatnonzero((orders.reason == "liquidation") & (orders.status == "filled")):
        found.append(_row("liquidated", "error", (
            f"The venue liquidated {orders.symbol[row]} on {_day(int(orders.ts_created[row]))}: "
            "its margin was used up, and later orders in it were refused. Lower the leverage or "
            "the size."
        )))  # fmt: skip
    return found


def _holes(tables: RunTables) -> list[dict[str, str]]:
    """Spans without data in the middle of a run: nothing was traded, and equity stood still."""
    found = []
    for symbol, bars in tables.bars.items():
        skipped = np.diff(bars.ts_ns) - bars.interval_ns
        if not skipped.size or skipped.max() <= HOLE_NS:
            continue
        at = int(skipped.argmax())
        lost_days = skipped[skipped > 0].sum() / DAY_NS
        begins, ends = int(bars.ts_ns[at]) + bars.interval_ns, int(bars.ts_ns[at + 1])
        found.append(_row("hole", "warn", (
            f"The bars of {symbol} lack {lost_days:.1f} days in the middle of the run; "
            f"the longest hole is from {_day(begins)} to {_day(ends)}."
        )))  # fmt: skip
    return found


def _day(ns: int) -> str:
    return str(np.datetime64(ns, "ns").astype("datetime64[D]"))


def _sample(figures: Figures, metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    found = []
    count, elapsed = metrics["trades"], figures.inputs["years"] * 365.0
    if elapsed < FEW_DAYS:
        found.append(_row("short", "warn", (
            f"The run covers {elapsed:.1f} days; annualised figures from less than {FEW_DAYS} "
            "days say little."
        )))  # fmt: skip
    if count == 0:
        found.append(_row("few_trades", "warn", "No trade was closed: there is nothing to judge."))
    elif isinstance(count, int) and count < FEW_TRADES:
        found.append(_row("few_trades", "warn", (
            f"Only {count} closed trade{'s' * (count != 1)}; win rate and profit factor need "
            f"at least {FEW_TRADES} to mean anything."
        )))  # fmt: skip
    share = metrics["top_trade_share"]
    if isinstance(count, int) and count > 4 and share > 0.5:
        found.append(_row("one_trade", "warn", f"One trade earned {share:.0%} of the money won."))
    chance = metrics["probabilistic_sharpe"]
    if not math.isnan(chance) and metrics["sharpe"] > 0.0 and chance < 0.95:
        found.append(_row("chance", "note", (
            f"The chance that the true Sharpe ratio is above zero is {chance:.0%}, before "
            "counting how many variants were tried."
        )))  # fmt: skip
    lag = metrics["autocorrelation"]
    if abs(lag) > 0.3 and figures.days.day.size >= FEW_DAYS:
        found.append(_row("autocorrelation", "note", (
            f"Daily returns depend on the day before (correlation {lag:+.2f}); volatility and "
            "Sharpe are annualised as if they did not."
        )))  # fmt: skip
    return found


def _costs(tables: RunTables, metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    found = []
    fills = tables.fills
    if len(fills) and not any(fills.fee.tolist()):
        found.append(_row("free", "warn", "No fee was charged on any fill."))
    known = int((~(fills.arrival_mid != fills.arrival_mid)).sum())
    if len(fills) and known < len(fills):
        found.append(_row("no_mid", "note", (
            f"{len(fills) - known} of {len(fills)} fills have no book at arrival; slippage is "
            "measured on the others only."
        )))  # fmt: skip
    if isinstance(share := metrics["cost_share"], float) and share > 0.5:
        found.append(_row("cost", "warn", f"Costs took {share:.0%} of the profit before costs."))
    if metrics["max_leverage"] > 5.0:
        found.append(_row("leverage", "note", (
            f"Leverage reached {metrics['max_leverage']:.1f} times equity."
        )))  # fmt: skip
    return found


def _assumptions(tables: RunTables, metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Assumptions that flatter the kind of orders that this run lived on."""
    share = metrics["maker_share"]
    if math.isnan(share):
        return []
    found = []
    for row in tables.facts.get("assumptions", ()):
        roles = [role for role, used in (("maker", share > 0.0), ("taker", share < 1.0)) if used]
        hit = [role for role in roles if str(row.get(role, "")).startswith(FLATTERS)]
        if hit:
            found.append(_row(str(row.get("id", "assumption")), "note", (
                f"Assumed: {row.get('text') or row.get('id')} ({row.get('setting', 'default')}); "
                f"this flatters {' and '.join(hit)} fills."
            )))  # fmt: skip
    return found
