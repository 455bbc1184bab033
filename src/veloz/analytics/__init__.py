"""Numbers about finished trading: metrics, tables and reports, as pure functions over tables."""

from veloz.analytics.metrics import METRICS, Metric
from veloz.analytics.report import compare, compare_html, render_html, text_block
from veloz.analytics.roundtrips import RoundTrip, round_trips
from veloz.analytics.run_tables import (
    Bars,
    EquityCurve,
    Fills,
    FundingPayments,
    InstrumentFacts,
    LedgerLine,
    Orders,
    RunTables,
)
from veloz.analytics.summary import summarise, summary_bytes

__all__ = [
    "METRICS",
    "Bars",
    "EquityCurve",
    "Fills",
    "FundingPayments",
    "InstrumentFacts",
    "LedgerLine",
    "Metric",
    "Orders",
    "RoundTrip",
    "RunTables",
    "compare",
    "compare_html",
    "render_html",
    "round_trips",
    "summarise",
    "summary_bytes",
    "text_block",
]
