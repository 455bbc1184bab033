"""One self-contained HTML file of a run: no network, no library, no trust in a strategy's texts.

Every text goes through `escape`; the series travel as JSON in a script element in which `<`, `>`
and `&` are escaped; the script writes text nodes only; and the page's own content policy allows
no script but that one, by its hash, and no connection at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from veloz.analytics.figures import run_figures
from veloz.analytics.report import sections
from veloz.analytics.report.payload import chart_data
from veloz.analytics.run_tables import RunTables
from veloz.analytics.summary import summarise_figures


def render_html(
    tables: RunTables, summary: Mapping[str, Any] | None = None, method: str = "average"
) -> str:
    """The report of a run as one HTML document.

    Args:
        tables: The run.
        summary: What `summarise` returned for it, if it is at hand.
        method: How fills are paired; must be the summary's.

    Returns:
        HTML, below 400 kB for a normal run; equal for equal tables.

    Raises:
        ValueError: If a table contradicts itself, or the summary was made by another method.
    """
    if summary is not None and summary["method"] != method:
        raise ValueError(
            f"the summary pairs fills by {summary['method']!r} and the report by {method!r}; "
            "use one method for both"
        )
    figures = run_figures(tables, method)
    facts = summary or summarise_figures(tables, figures, method)
    return page(facts, chart_data(tables, figures), tables.host)


def page(summary: Mapping[str, Any], charts: Mapping[str, Any], host: Mapping[str, Any]) -> str:
    """The document from its parts: `summary`, chart series, and facts of the host."""
    style, script = _asset("report.css"), _asset("report.js")
    title = escape(str(summary["facts"].get("strategy", "Run")))
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        f"form-action 'none'; script-src '{_digest(script)}'"
    )
    body = "".join((
        sections.header(summary, host), sections.headline(summary), sections.warnings(summary),
        sections.curves(summary), sections.candles(charts), sections.periods(summary),
        sections.costs(summary), sections.trades(charts), sections.breakdowns(summary),
        sections.execution(summary), sections.figures(summary), sections.assumptions(summary),
        sections.facts(summary, host),
    ))  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title} · VeloZ report</title><style>{style}</style></head><body>"
        f'<a class="skip" href="#main">Skip to the figures</a>{body}'
        f'<script type="application/json" id="run">{script_json(charts)}</script>'
        f"<script>{script}</script></body></html>\n"
    )


def script_json(value: Any) -> str:
    r"""JSON that cannot end or open an element, whatever its texts hold.

    >>> script_json("</script>")
    '"\\u003c/script\\u003e"'
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    return (Path(__file__).parent / "assets" / name).read_text("utf-8")


def _digest(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
