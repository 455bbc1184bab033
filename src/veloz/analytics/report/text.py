"""The terminal block: a run at a glance, aligned, at most 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from veloz.analytics.metrics import METRICS
from veloz.analytics.report.numbers import duration, money, show

WIDTH = 100
_UNITS = {metric.name: metric.unit for metric in METRICS}
_TITLES = {metric.name: metric.title for metric in METRICS}
_SIGNED = {"total_return", "cagr", "benchmark_return", "alpha", "expectancy", "best_trade",
           "worst_trade", "best_day", "worst_day", "funding", "mean_trade_return"}  # fmt: skip
_LEFT = (
    "total_return", "cagr", "benchmark_return", "max_drawdown", "max_drawdown_days",
    "longest_underwater_days", "volatility", "sharpe", "sortino", "calmar", "omega",
    "value_at_risk", "conditional_value_at_risk", "win_days", "best_day", "worst_day",
    "time_in_market", "max_leverage",
)  # fmt: skip
_RIGHT = (
    "trades", "win_rate", "profit_factor", "payoff", "expectancy", "best_trade", "worst_trade",
    "longest_losing_run", "median_holding", "fees", "funding", "slippage_bps", "impact_bps",
    "break_even_fee_bps", "maker_share", "fill_rate", "cancel_rate", "turnover",
)  # fmt: skip
_BREAKDOWNS = (
    ("by_symbol", "Symbol"), ("by_side", "Side"), ("by_strategy", "Strategy"),
    ("by_entry_reason", "Entry reason"), ("by_exit_reason", "Exit reason"),
)  # fmt: skip


def text_block(summary: Mapping[str, Any], rows: int = 10) -> str:
    """A summary as text for a terminal.

    Args:
        summary: What `summarise` returned.
        rows: Most rows of each breakdown.

    Returns:
        Lines of at most 100 columns, without colour, ending with a newline.
    """
    parts = [_head(summary), _columns(summary)]
    for key, title in _BREAKDOWNS:
        groups = summary[key]
        if len(groups) > 1 or (groups and key in ("by_symbol", "by_side")):
            parts.append(_breakdown(title, groups, rows))
    parts += [_drawdowns(summary), _books(summary), _warnings(summary)]
    return "\n\n".join(part for part in parts if part) + "\n"


def clean(text: str, width: int) -> str:
    r"""A strategy's text made safe for a terminal: one line, no control characters, cut.

    >>> clean("stop\x1b[31m loss", 8)
    'stop[31…'
    """
    line = "".join(c for c in text.replace("\n", " ") if c.isprintable())
    return line if len(line) <= width else line[: width - 1] + "…"


def _head(summary: Mapping[str, Any]) -> str:
    period, equity, facts = summary["period"], summary["equity"], summary["facts"]
    currency = summary["currency"]
    name = clean(str(facts.get("strategy", "run")), 60)
    head = f"{name}  {period['start']} to {period['end']}  ({duration(period['days'] * 86_400)})"
    profit = money(equity["profit"], sign=True)
    return "\n".join((
        "─" * WIDTH, clean(head, WIDTH),
        f"{money(equity['first'])} {currency}  →  {money(equity['last'])} {currency}   "
        f"{profit} {currency}  ({_shown(summary, 'total_return')})",
        "─" * WIDTH,
    ))  # fmt: skip


def _shown(summary: Mapping[str, Any], name: str) -> str:
    return show(summary["metrics"][name], _UNITS[name], sign=name in _SIGNED, minus="-")


def _columns(summary: Mapping[str, Any]) -> str:
    half = (WIDTH - 4) // 2
    lines = []
    for left, right in zip(_LEFT, _RIGHT, strict=True):
        cells = []
        for name in (left, right):
            value = _shown(summary, name)
            if _UNITS[name] == "money" and value != "n/a":
                value += f" {summary['currency']}"
            title = f"Hold {summary['benchmark']}" if name == "benchmark_return" else _TITLES[name]
            cells.append(f"{clean(title, half - len(value) - 1):<{half - len(value)}}{value}")
        lines.append("    ".join(cells))
    return "\n".join(lines)


def _breakdown(title: str, groups: Sequence[Mapping[str, Any]], limit: int) -> str:
    head = f"{title:<30}{'Trades':>8}{'Win':>9}{'Net':>16}{'Fees':>13}{'PF':>8}{'Mean hold':>16}"
    lines = [head, "·" * WIDTH]
    for row in groups[:limit]:
        lines.append(
            f"{clean(row['name'], 29):<30}{row['trades']:>8,}"
            f"{show(row['win_rate'], 'fraction', minus='-'):>9}"
            f"{show(row['net'], 'money', sign=True, minus='-'):>16}"
            f"{show(row['fees'], 'money', minus='-'):>13}"
            f"{show(row['profit_factor'], 'ratio', minus='-'):>8}"
            f"{show(row['mean_holding_s'], 's', minus='-'):>16}"
        )
    if len(groups) > limit:
        lines.append(f"… {len(groups) - limit} more in the report")
    return "\n".join(lines)


def _drawdowns(summary: Mapping[str, Any]) -> str:
    found = summary["drawdowns"][:3]
    if not found:
        return ""
    lines = [
        f"{'Drawdown':<12}{'Money':>16}  {'Peak':<21}{'Trough':<21}{'Recovered':<21}",
        "·" * WIDTH,
    ]
    for row in found:
        depth = show(row["depth"], "fraction", minus="-")
        lines.append(
            f"{depth:<12}{money(row['money']):>16}  {row['peak']:<21}{row['trough']:<21}"
            f"{row['recovery'] or 'not yet':<21}"
        )
    return "\n".join(lines)


def _books(summary: Mapping[str, Any]) -> str:
    lines = []
    for row in summary["ledger"]:
        word = "PASS" if row["identity"] == "pass" else f"FAIL by {row['unexplained']}"
        lines.append(f"Money identity, {row['currency']}: {word}")
    orders = summary["orders"]
    states = ", ".join(
        f"{n:,} {state.replace('_', ' ')}" for state, n in orders["by_status"].items()
    )
    if states:
        lines += textwrap.wrap(
            f"Orders: {orders['total']:,} ({states}); {summary['fills']:,} fills", WIDTH
        )
    return "\n".join(lines)


def _warnings(summary: Mapping[str, Any]) -> str:
    mark = {"error": "✗ ", "warn": "! ", "note": "· "}
    lines = []
    for row in summary["warnings"]:
        lines += textwrap.wrap(
            clean(row["text"], 400), WIDTH - 2, initial_indent=mark[row["level"]],
            subsequent_indent="  ", break_long_words=True,
        )  # fmt: skip
    return "\n".join(lines)
