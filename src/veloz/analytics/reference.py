"""The reference page of the metrics, made from METRICS and the functions' own docstrings."""

from __future__ import annotations

import inspect
import re
from functools import partial
from typing import Any

from veloz.analytics.metrics import METRICS, Metric

GROUP_TITLES = {
    "return": "Return",
    "risk": "Risk",
    "ratio": "Reward for risk",
    "benchmark": "Against a benchmark",
    "trade": "Trades",
    "cost": "Costs",
    "execution": "Execution",
    "exposure": "Exposure",
}
_INTRO = """# Metrics

Every figure of a run: what it means, in which unit, from which formula and source. This page is
made from the table `METRICS` and the docstrings of `veloz.analytics`; a test fails if it drifts.

## Rules that hold for all

- **Sampling.** Daily figures use the last equity at or before the end of each UTC day; a day has
  24 hours and a year 365 days. A point stamped exactly 00:00 closes the day that has just ended.
  Days without a point carry the value on; the first and last day may be part of a day and count
  as days. Drawdowns use every point of the curve.
- **Not defined is not zero.** A figure without data is `null` in JSON and `n/a` on the page; a
  ratio without a denominator is `inf`. A year is never made of minutes: below one day nothing is
  annualised.
- **Money is exact.** Amounts are sums of scaled integers, shown as decimal text. Ratios and
  statistics are floats, rounded to 12 significant digits in the JSON. Means of money are rounded
  to 12 decimals, half to even.
- **Trades** are round trips: from flat to flat at average cost (`average`, the default), or lot by
  lot, first in first out (`fifo`). A partial close stays in its trip; a flip closes one trip and
  opens the next, its fee shared by quantity. Funding belongs to the trips open at its instant.
  A fee in the bought coin takes from the quantity and is worth what the fill paid for it; a rest
  below one quantity step ends its trip and is carried into the next with its cost.
  Profit of a trade is after fees and funding. Open trips count in no trade figure.
- **Signs.** Losses, drawdowns, VaR and CVaR are negative; costs, fees and slippage are positive
  when they hurt; funding is positive when received.
- The risk-free rate is 0. "Better" says which direction is an improvement, all else equal.
"""


def metrics_page() -> str:
    """The page as Markdown, ending with a newline."""
    parts = [_INTRO]
    for group, title in GROUP_TITLES.items():
        parts.append(f"\n## {title}\n")
        parts += [_entry(metric) for metric in METRICS if metric.group == group]
    return "".join(parts)


def _entry(metric: Metric) -> str:
    function: Any = metric.function
    note = ""
    if isinstance(function, partial):
        chosen = ", ".join(f"`{k}={v!r}`" for k, v in function.keywords.items())
        function, note = function.func, f", with {chosen}"
    text = inspect.getdoc(function) or ""
    body = text.split("\n\n>>>")[0].split("\n>>>")[0]
    returns = _section(body, "Returns")
    source = _section(body, "Source")
    lead = re.split(r"\n\n(?=(?:Args|Returns|Raises|Source):)", body)[0]
    place = f"{function.__module__.removeprefix('veloz.analytics.')}.{function.__name__}"
    better = {"up": "more", "down": "less", "none": "neither"}[metric.better]
    lines = [f"\n### {metric.title} (`{metric.name}`)\n", f"\n{lead.rstrip()}\n"]
    lines.append(f"\n- Unit: {metric.unit}. Better: {better}. Function: `{place}`{note}.\n")
    if returns:
        lines.append(f"- Value: {returns}\n")
    if source:
        lines.append(f"- Source: {source}\n")
    return "".join(lines)


def _section(text: str, name: str) -> str:
    found = re.search(rf"\n{name}:\n((?:    .*\n?|\n(?=    ))+)", text + "\n")
    return " ".join(found.group(1).split()) if found else ""


if __name__ == "__main__":
    print(metrics_page(), end="")
