"""A run at a glance for notebooks: its key figures above its equity, in one small piece of HTML.

It brings its own style and no script, so that it looks the same in every notebook, light or dark,
and in what is exported from one.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from veloz.analytics.metrics import METRICS
from veloz.analytics.report.numbers import duration, money, show
from veloz.analytics.report.payload import keep_extremes

_UNITS = {metric.name: metric.unit for metric in METRICS}
_TITLES = {metric.name: metric.title for metric in METRICS}
_SHOWN = (
    "total_return", "max_drawdown", "sharpe", "trades", "win_rate", "profit_factor", "fees",
    "benchmark_return",
)  # fmt: skip
_POINTS = 400
_WIDTH, _HEIGHT = 640.0, 120.0
_GAIN, _LOSS = "#0b7a6b", "#c0341d"


def html_card(summary: Mapping[str, Any], equity: npt.NDArray[np.float64]) -> str:
    """The card of a run.

    Args:
        summary: What `summarise` returned.
        equity: Shape (n,): the equity curve.
    """
    facts, period, books = summary["facts"], summary["period"], summary["equity"]
    currency = escape(str(summary["currency"]))
    profit = Decimal(str(books["profit"]))
    colour = _LOSS if profit < 0 else _GAIN
    cells = "".join(_cell(summary, name) for name in _SHOWN)
    doubts = [escape(row["text"]) for row in summary["warnings"] if row["level"] != "note"]
    weak = "".join(f'<div style="opacity:.75">▲ {text}</div>' for text in doubts[:3])
    span = duration(period["days"] * 86_400)
    return (
        '<div style="font:13px/1.45 system-ui,sans-serif;max-width:660px;padding:12px 14px;'
        'border:1px solid #8884;border-radius:10px">'
        f'<div style="font-size:15px;font-weight:600">{escape(str(facts.get("strategy", "run")))} '
        f'<span style="color:{colour}">{escape(money(profit, sign=True))} {currency}</span></div>'
        f'<div style="opacity:.7">{escape(period["start"])} to {escape(period["end"])} · '
        f"{escape(span)} · {escape(money(books['first']))} → {escape(money(books['last']))} "
        f"{currency}</div>{_line(equity, colour)}"
        f'<div style="display:grid;grid-template-columns:repeat(4,1fr);gap:8px">{cells}</div>'
        f'<div style="margin-top:8px;font-size:12px">{weak}</div></div>'
    )


def _cell(summary: Mapping[str, Any], name: str) -> str:
    shown = escape(show(summary["metrics"][name], _UNITS[name], sign=name == "total_return"))
    title = escape(_TITLES[name] if name != "benchmark_return" else "Holding instead")
    return (
        f'<div><div style="opacity:.65;font-size:11px">{title}</div>'
        f'<div style="font-weight:600">{shown}</div></div>'
    )


def _line(equity: npt.NDArray[np.float64], colour: str) -> str:
    """The equity curve as a drawing; nothing below two finite points."""
    finite = equity[np.isfinite(equity)]
    if finite.size < 2:
        return ""
    rows = keep_extremes(finite, _POINTS)
    low, high = float(finite.min()), float(finite.max())
    x = rows / (finite.size - 1) * _WIDTH
    y = (high - finite[rows]) / ((high - low) or 1.0) * (_HEIGHT - 8.0) + 4.0
    if high == low:
        y = np.full(rows.size, _HEIGHT / 2)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" aria-label="equity" '
        'preserveAspectRatio="none" style="width:100%;height:110px;margin:6px 0">'
        f'<polygon points="0,{_HEIGHT:.0f} {points} {_WIDTH:.0f},{_HEIGHT:.0f}" fill="{colour}" '
        f'opacity=".12"/><polyline points="{points}" fill="none" stroke="{colour}" '
        'stroke-width="1.6" vector-effect="non-scaling-stroke"/></svg>'
    )
