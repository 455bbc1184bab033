"""Several runs side by side: the same figures in columns, and what differs in their facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from veloz.analytics.metrics import METRICS, Metric
from veloz.analytics.report.numbers import show
from veloz.analytics.report.text import clean

NAMES = (
    "total_return", "cagr", "volatility", "sharpe", "sharpe_standard_error", "sortino", "calmar",
    "max_drawdown", "longest_underwater_days", "win_rate", "profit_factor", "expectancy",
    "trades", "fees", "funding", "slippage_bps", "maker_share", "time_in_market", "max_leverage",
)  # fmt: skip
_CELL = 16


def compare(summaries: Mapping[str, Mapping[str, Any]], names: Sequence[str] = NAMES) -> str:
    """A table of runs for the terminal, the best of each row marked with `*`.

    A row has no mark if the metric has no better direction, if less than two runs define it,
    or if the runs do not cover the same period (then no figure is comparable, and it says so).

    Args:
        summaries: Results of `summarise` by a label of the run.
        names: Which metrics.

    Returns:
        Aligned text ending with a newline.

    Raises:
        ValueError: If there is no run.
    """
    table = _cells(summaries, names)
    labels = [clean(label, _CELL - 2) for label in summaries]
    lines = [f"{'':<30}" + "".join(f"{label:>{_CELL}}" for label in labels)]
    for metric, cells, best in table:
        marked = [text + ("*" if i == best else " ") for i, text in enumerate(cells)]
        lines.append(f"{metric.title:<30}" + "".join(f"{text:>{_CELL}}" for text in marked))
    if note := _not_comparable(summaries):
        lines += ["", note]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def compare_html(summaries: Mapping[str, Mapping[str, Any]], names: Sequence[str] = NAMES) -> str:
    """The same table as an HTML fragment; every text is escaped.

    Raises:
        ValueError: If there is no run.
    """
    head = "".join(f'<th scope="col" class="n">{escape(label)}</th>' for label in summaries)
    body = []
    for metric, cells, best in _cells(summaries, names):
        columns = "".join(
            f'<td class="n{" best" if i == best else ""}">{escape(text)}</td>'
            for i, text in enumerate(cells)
        )
        body.append(f"<tr><td>{escape(metric.title)}</td>{columns}</tr>")
    note = _not_comparable(summaries)
    return (
        f'<table class="grid compare"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>" + (f"<p>{escape(note)}</p>" if note else "")
    )


def compare_page(summaries: Mapping[str, Mapping[str, Any]], names: Sequence[str] = NAMES) -> str:
    """The same table as one self-contained HTML document without script.

    Raises:
        ValueError: If there is no run.
    """
    style = (Path(__file__).parent / "assets" / "report.css").read_text("utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{len(summaries)} runs · VeloZ</title><style>{style}</style></head><body>"
        f'<header class="top"><div class="who"><h1>{len(summaries)} runs, side by side</h1></div>'
        '</header><main><section class="panel wide"><div class="scroll">'
        f"{compare_html(summaries, names)}</div></section></main></body></html>\n"
    )


def _cells(
    summaries: Mapping[str, Mapping[str, Any]], names: Sequence[str]
) -> list[tuple[Metric, list[str], int]]:
    if not summaries:
        raise ValueError("there is no run to compare; name at least one")
    by_name = {metric.name: metric for metric in METRICS}
    fair = not _not_comparable(summaries)
    table = []
    for name in names:
        metric = by_name[name]
        values = [summary["metrics"].get(name) for summary in summaries.values()]
        table.append((
            metric, [show(value, metric.unit) for value in values],
            _best(values, metric.better) if fair else -1,
        ))  # fmt: skip
    return table


def _best(values: Sequence[Any], better: str) -> int:
    known = [(float(value), -i) for i, value in enumerate(values) if value is not None]
    if better == "none" or len(known) < 2 or len({value for value, _ in known}) < 2:
        return -1
    return -(max(known) if better == "up" else min(known, key=lambda pair: (pair[0], -pair[1])))[1]


def _not_comparable(summaries: Mapping[str, Mapping[str, Any]]) -> str:
    periods = {(s["period"]["start"], s["period"]["end"]) for s in summaries.values()}
    currencies = {s["currency"] for s in summaries.values()}
    if len(periods) > 1:
        return "The runs cover different periods; no figure is marked as the best."
    if len(currencies) > 1:
        return "The runs report in different currencies; no figure is marked as the best."
    return ""
