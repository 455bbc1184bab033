"""The building blocks of the HTML report: panels, tables, bars, heat maps.

Every text that goes in comes out escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from html import escape
from typing import Any

from veloz.analytics.report.numbers import MINUS, percent

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def panel(title: str, body: str, size: str, key: str, controls: str = "") -> str:
    """One panel of the page, with a heading."""
    return (
        f'<section class="panel {size}" id="{key}" aria-labelledby="{key}-h"><div class="head">'
        f'<h2 id="{key}-h">{title}</h2>{controls}</div>{body}</section>'
    )


def chart(name: str, label: str, height: int) -> str:
    """The place where the script draws a chart."""
    return (
        f'<figure class="chart" data-chart="{name}" style="--h:{height}px" tabindex="0" '
        f'role="img" aria-label="{label}"></figure>'
    )


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    kinds: str,
    empty: str = "",
    minor: Sequence[int] = (),
) -> str:
    """A table; `kinds` has an `n` for each column of numbers."""
    if not rows:
        return f'<p class="empty">{escape(empty or "None.")}</p>'

    def classes(i: int) -> str:
        names = (["n"] if kinds[i] == "n" else []) + (["minor"] if i in minor else [])
        return f' class="{" ".join(names)}"' if names else ""

    top = "".join(f'<th scope="col"{classes(i)}>{escape(name)}</th>' for i, name in enumerate(head))
    body = "".join(
        "<tr>"
        + "".join(f"<td{classes(i)}>{escape(cell)}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table class="grid"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def pairs(rows: Iterable[tuple[str, str]], mono: bool = False) -> str:
    """Names and values, side by side."""
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd{' class=mono' if mono else ''}>{escape(value)}</dd></div>"
        for name, value in rows
    )
    return f'<dl class="pairs">{items}</dl>'


def bars(counts: Mapping[str, float], whole: float) -> str:
    """Counts as bars of their share."""
    if not counts or not whole:
        return ""
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="bar">'
        f'<span style="width:{count / whole * 100:.1f}%">'
        f'</span></td><td class="n">{f"{count:,}" if whole != 1.0 else ""}</td>'
        f'<td class="n">{percent(count / whole)}</td></tr>'
        for name, count in counts.items()
    )
    return f'<table class="flow">{body}</table>'


def month_table(months: Sequence[Mapping[str, Any]]) -> str:
    """Returns by month and year, coloured."""
    if not months:
        return '<p class="empty">No day has ended yet.</p>'
    values = {row["period"]: row["return"] for row in months}
    top = max((abs(v) for v in values.values() if v is not None), default=0.0) or 1.0
    years = range(int(months[0]["period"][:4]), int(months[-1]["period"][:4]) + 1)
    head = "".join(f'<th scope="col">{name}</th>' for name in _MONTHS)
    body = []
    for year in years:
        cells, growth = [], 1.0
        for month in range(1, 13):
            value = values.get(f"{year}-{month:02}")
            growth *= 1.0 + (value or 0.0)
            cells.append(_heat(value, top) if value is not None else "<td></td>")
        total = f'<td class="sum {tone(growth - 1.0)}">{_points(growth - 1.0)}</td>'
        body.append(f'<tr><th scope="row">{year}</th>{"".join(cells)}{total}</tr>')
    return (
        '<div class="scroll"><table class="heat">'
        '<caption class="sr">Monthly returns in per cent</caption><thead>'
        f'<tr><th></th>{head}<th scope="col">Year</th></tr></thead><tbody>{"".join(body)}'
        "</tbody></table></div>"
    )


def _heat(value: float, top: float) -> str:
    strength = round(min(abs(value) / top, 1.0) * 55 + (5 if value else 0))
    return f'<td class="{tone(value) or "flat"}" style="--w:{strength}%">{_points(value)}</td>'


def _points(value: float) -> str:
    """Per cent without the per-cent sign, for narrow cells."""
    hundredths = value * 100.0
    text = f"{hundredths:+.1f}" if abs(hundredths) < 100.0 else f"{hundredths:+,.0f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", MINUS)


def calendar(days: Sequence[Mapping[str, Any]]) -> str:
    """The days as a calendar.

    A row a week with figures while it is short, else a square a day and a column a week; left
    out above 54 weeks.
    """
    if not days or len(days) > 378:
        return ""
    top = max((abs(row["return"]) for row in days if row["return"] is not None), default=0.0) or 1.0
    first = date.fromisoformat(days[0]["period"])
    monday = first - timedelta(days=first.weekday())
    is_short = len(days) <= 70
    cells = []
    for row in days:
        day = date.fromisoformat(row["period"])
        week, weekday = (day - monday).days // 7 + 1, day.weekday() + 1
        value = row["return"] or 0.0
        strength = round(min(abs(value) / top, 1.0) * 55 + (6 if value else 0))
        area = f"{week}/{weekday}" if is_short else f"{weekday}/{week}"
        inside = f"<s>{day.day}</s>{_points(value)}" if is_short else ""
        cells.append(
            f'<i class="{tone(value) or "flat"}" style="grid-area:{area};--w:{strength}%" '
            f'title="{row["period"]} {percent(value, sign=True).replace("-", MINUS)}">{inside}</i>'
        )
    kind = "calendar weeks" if is_short else "calendar"
    return f'<div class="scroll"><div class="{kind}">{"".join(cells)}</div></div>'


def flat(values: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as dotted names and texts."""
    rows = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            rows += flat(value, f"{name} · ")
        elif isinstance(value, list | tuple):
            rows.append((name, json.dumps(value, ensure_ascii=False)))
        else:
            rows.append((name, "—" if value is None else str(value)))
    return rows


def tone(amount: Any) -> str:
    """Flat of the page."""
    return "up" if amount > 0 else "down" if amount < 0 else ""


def when(instant: str) -> str:
    """When of the page."""
    return instant[:16].replace("T", " ")
