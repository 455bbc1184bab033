"""Summary: the metrics JSON of a run, plain types, the same bytes for the same run.

Money is decimal text, exact. Statistics are numbers rounded to 12 significant digits, which is
far finer than they mean anything and coarser than what differs between processors. Undefined is
`null`, never zero; unbounded is the text `inf` or `-inf`. No wall time, path, host or version.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, localcontext
from typing import Any

import numpy as np

from veloz.analytics import tables as rows
from veloz.analytics.caveats import result_warnings
from veloz.analytics.figures import Figures, run_figures
from veloz.analytics.metrics import METRICS, measure
from veloz.analytics.returns import NS_PER_DAY, instant_name
from veloz.analytics.run_tables import RunTables

SCHEMA = "veloz.metrics/1"
SAMPLING = (
    "daily returns: last equity at or before the end of each UTC day, 365 days a year, 24 h; "
    "drawdowns: every point of the equity curve; risk-free rate 0"
)


def summarise(tables: RunTables, method: str = "average") -> dict[str, Any]:
    """The metrics JSON of a run.

    Args:
        tables: The run.
        method: How fills are paired into trades: `average` (flat to flat) or `fifo`.

    Returns:
        Plain JSON types, equal for equal tables; `docs/schemas/metrics.schema.json`.

    Raises:
        ValueError: If a table contradicts itself; the message names it.
    """
    return summarise_figures(tables, run_figures(tables, method), method)


def summarise_figures(tables: RunTables, figures: Figures, method: str) -> dict[str, Any]:
    """`summarise` for a caller that has made the figures already."""
    with localcontext(Context(prec=80)):
        return plain(_summary(tables, figures, method))


def summary_bytes(summary: Mapping[str, Any]) -> bytes:
    r"""The summary as it is written to disk: sorted keys, UTF-8, a newline at the end.

    >>> summary_bytes({"b": 1, "a": None})
    b'{\n "a": null,\n "b": 1\n}\n'
    """
    text = json.dumps(summary, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def plain(value: Any) -> Any:
    """A value as JSON types under the rules of this module.

    Raises:
        TypeError: If it is none of the kinds that results are made of.

    >>> plain({"money": Decimal("1.50"), "ratio": float("nan"), "pf": float("inf")})
    {'money': '1.5', 'ratio': None, 'pf': 'inf'}
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Decimal):
        return money_text(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return _number(float(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | np.ndarray):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no place in a metrics JSON; convert it before")


def money_text(amount: Decimal) -> str | None:
    """An amount as plain decimal text without trailing zeros; `None` if it is not defined.

    >>> money_text(Decimal("-0.00")), money_text(Decimal("1E+3"))
    ('0', '1000')
    """
    if not amount.is_finite():
        return None
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "inf" if value > 0.0 else "-inf"
    return float(f"{value:.12g}") + 0.0


def _summary(tables: RunTables, figures: Figures, method: str) -> dict[str, Any]:
    curve = tables.equity
    values = measure(figures.inputs)
    has_money = figures.inputs["net"] is not None
    closed = figures.closed
    groups = {
        f"by_{name}": rows.trades_by(closed, name, has_money=has_money) for name in rows.GROUPINGS
    }
    start, end = int(curve.ts_ns[0]), int(curve.ts_ns[-1])
    return {
        "schema": SCHEMA,
        "currency": tables.currency,
        "method": method,
        "sampling": SAMPLING,
        "period": {
            "start": instant_name(start), "end": instant_name(end),
            "start_ns": start, "end_ns": end,
            "days": (end - start) / NS_PER_DAY, "daily_returns": figures.days.day.size,
        },
        "equity": {
            "first": curve.first, "last": curve.last, "profit": curve.last - curve.first,
            "min": float(curve.equity.min()), "max": float(curve.equity.max()),
        },
        "fills": len(tables.fills),
        "benchmark": figures.benchmark_symbol or None,
        "metrics": values,
        **groups,
        "open": rows.open_rows(figures.trips),
        "drawdowns": rows.drawdown_rows(tables),
        "days": rows.period_rows(figures, "day"),
        "weeks": rows.period_rows(figures, "week"),
        "months": rows.period_rows(figures, "month"),
        "fees_by_asset": rows.fees_by_asset(tables),
        "orders": rows.order_counts(tables),
        "evidence": rows.evidence_shares(tables),
        "ledger": [_ledger_row(line) for line in tables.ledger],
        "warnings": result_warnings(tables, figures, values),
        "facts": tables.facts,
        "units": {metric.name: metric.unit for metric in METRICS},
    }  # fmt: skip


def _ledger_row(line: Any) -> dict[str, Any]:
    names = ("currency", "deposits", "traded", "converted", "realised", "funding", "fees",
             "clearance", "insurance", "interest", "unrealised", "equity")  # fmt: skip
    missing = line.unexplained()
    return {name: getattr(line, name) for name in names} | {
        "unexplained": missing,
        "identity": "pass" if missing == 0 else "fail",
    }
