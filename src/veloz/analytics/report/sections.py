"""The parts of the HTML report that need no script: figures, tables, warnings, facts.

Each function returns markup in which every value has gone through `escape`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from html import escape
from typing import Any

from veloz.analytics.metrics import METRICS
from veloz.analytics.report.numbers import MINUS, NOT_DEFINED, duration, money, show
from veloz.analytics.report.parts import (
    bars,
    calendar,
    chart,
    flat,
    month_table,
    pairs,
    panel,
    table,
    tone,
    when,
)

Summary = Mapping[str, Any]
_METRIC = {metric.name: metric for metric in METRICS}
_GROUPS = (
    ("return", "Return"), ("risk", "Risk"), ("ratio", "Reward for risk"),
    ("benchmark", "Against the benchmark"), ("trade", "Trades"), ("cost", "Costs"),
    ("execution", "Execution"), ("exposure", "Exposure"),
)  # fmt: skip
_SIGNED = {"total_return", "cagr", "alpha", "benchmark_return", "expectancy", "best_trade",
           "worst_trade", "funding", "best_day", "worst_day", "mean_trade_return", "best_week",
           "worst_week", "best_month", "worst_month", "mean_day", "geometric_day"}  # fmt: skip


def header(summary: Summary, host: Mapping[str, Any]) -> str:
    """Name, environment, period, theme switch."""
    facts, period = summary["facts"], summary["period"]
    name = str(facts.get("strategy", "Run"))
    run = f'<span class="id">{escape(str(host["run"]))}</span>' if host.get("run") else ""
    kind = escape(str(facts.get("environment", "backtest")))
    parameters = facts.get("parameters")
    chosen = ""
    if isinstance(parameters, Mapping) and parameters:
        pairs = (f"{escape(str(k))} <b>{escape(str(v))}</b>" for k, v in parameters.items())
        chosen = '<p class="params">' + " · ".join(pairs) + "</p>"
    return (
        '<header class="top"><div class="mark" aria-hidden="true">'
        '<svg viewBox="0 0 24 24" width="22" height="22">'
        '<path d="M4 5h16l-9 8h9l-4 6H3l9-8H4z"/></svg>'
        f'</div><div class="who"><h1>{escape(name)} {run}</h1>'
        f'<p><span class="pill">{kind}</span> {when(period["start"])} to {when(period["end"])} UTC'
        f" · {escape(duration(period['days'] * 86_400))}</p>{chosen}</div>"
        '<button id="theme" class="button" type="button" hidden>Dark</button></header>'
        '<main id="main">'
    )


def headline(summary: Summary) -> str:
    """The few figures that most people came for."""
    equity, currency = summary["equity"], escape(summary["currency"])
    metrics = summary["metrics"]
    profit = Decimal(equity["profit"])
    error = show(metrics["sharpe_standard_error"], "ratio")
    cards = (
        ("Profit", f"{_money(equity['profit'], sign=True)} <i>{currency}</i>", tone(profit),
         f"{_money(equity['first'])} → {_money(equity['last'])}"),
        ("Return", _value(summary, "total_return"), tone(profit),
         f"{_value(summary, 'cagr')} a year"),
        ("Max drawdown", _value(summary, "max_drawdown"), "",
         f"{_value(summary, 'max_drawdown_days')} long"),
        ("Sharpe", _value(summary, "sharpe"), "",
         f"± {error} standard error" if error != NOT_DEFINED else "daily, 365-day year"),
        ("Profit factor", _value(summary, "profit_factor"), "",
         f"payoff {_value(summary, 'payoff')}"),
        ("Win rate", _value(summary, "win_rate"), "", f"{_value(summary, 'trades')} closed trades"),
        ("Fees", f"{_value(summary, 'fees')} <i>{currency}</i>", "",
         f"maker {_value(summary, 'maker_share')} of volume"),
        ("Holding instead", _value(summary, "benchmark_return"), "",
         f"{escape(summary['benchmark'] or 'no benchmark')}, same days"),
    )  # fmt: skip
    items = "".join(
        f'<div class="card"><dt>{title}</dt><dd class="{tone}">{value}</dd>'
        f'<dd class="sub">{sub}</dd></div>'
        for title, value, tone, sub in cards
    )
    return f'<dl class="cards">{items}</dl>'


def warnings(summary: Summary) -> str:
    """Reasons to doubt the result, each with its mark and word, and the money identity."""
    marks = {"error": ("Wrong", "!"), "warn": ("Weak", "▲"), "note": ("Note", "·")}
    rows = "".join(
        f'<li class="is-{row["level"]}"><b><span aria-hidden="true">{marks[row["level"]][1]}'
        "</span> "
        f"{marks[row['level']][0]}</b><span>{escape(row['text'])}</span></li>"
        for row in summary["warnings"]
    )
    checks = "".join(
        f'<li class="is-{"pass" if row["identity"] == "pass" else "error"}">'
        f"<b>{'✓ Pass' if row['identity'] == 'pass' else '! Fail'}</b><span>Money identity, "
        f"{escape(row['currency'])}: equity explained "
        f"{_explained(row)}.</span></li>"
        for row in summary["ledger"]
    )
    if not rows and not checks:
        return ""
    return panel(
        "Before you believe it", f'<ul class="doubts">{rows}{checks}</ul>', "wide", "doubts"
    )


def _explained(row: Mapping[str, Any]) -> str:
    if row["identity"] == "pass":
        return "to the last unit"
    return "except for " + escape(str(row["unexplained"]))


def curves(summary: Summary) -> str:
    """Places for the equity, underwater and exposure charts, and the worst drawdowns."""
    controls = (
        '<span class="seg" role="group" aria-label="Scale">'
        '<button type="button" data-scale="linear" '
        'aria-pressed="true">Linear</button><button type="button" data-scale="log" '
        'aria-pressed="false">Log</button></span>'
    )
    if summary["benchmark"]:
        controls = (
            '<button type="button" class="button" id="hold" aria-pressed="true">Benchmark</button>'
            + controls
        )
    charts = (
        chart("equity", "Equity, net of fees and funding", 300)
        + "<h3>Below the high-water mark</h3>"
        + chart("depth", "Drawdown", 120)
        + '<h3 id="exposure-title">Exposure <span class="k long">— net</span> '
        '<span class="k short">┄ gross</span></h3>' + chart("exposure", "Exposure", 120)
    )
    rows = [
        (show(row["depth"], "fraction"), money(row["money"]).replace("-", MINUS),
         when(row["peak"]), when(row["trough"]),
         when(row["recovery"]) if row["recovery"] else "not yet",
         duration(row["length_days"] * 86_400))
        for row in summary["drawdowns"]
    ]  # fmt: skip
    head = ("Depth", summary["currency"], "Peak", "Trough", "Recovered", "Length")
    worst = table(head, rows, "tntttn", "Equity never fell below a high.", minor=(1, 3))
    return panel("Equity", charts, "wide", "equity-panel", controls) + panel(
        "Worst drawdowns", worst, "wide", "drawdowns"
    )


def candles(charts: Mapping[str, Any]) -> str:
    """The place for the candle chart, if there are bars."""
    if not charts["candles"]:
        return ""
    symbols = "".join(
        f'<option value="{i}">{escape(one["symbol"])}</option>'
        for i, one in enumerate(charts["candles"])
    )
    controls = (
        f'<select id="symbol" aria-label="Instrument">{symbols}</select>'
        '<span class="seg" role="group" '
        'aria-label="Zoom"><button type="button" data-zoom="out" aria-label="Zoom out">−</button>'
        '<button type="button" data-zoom="in" aria-label="Zoom in">+</button>'
        '<button type="button" data-zoom="fit">Fit</button></span>'
    )
    shown = len(charts["trips"]["entry"])
    part = f", the last {shown:,} trades" if shown < charts["tripsTotal"] else ""
    body = chart("candles", "Price with entries and exits", 380) + (
        '<p class="key"><span class="k long">▲ long entry</span>'
        '<span class="k short">▼ short entry</span>'
        f'<span class="k out">○ exit{part}</span><span class="grow"></span>'
        '<span class="hint">Drag to pan; click, '
        "then scroll to zoom. Keys: ← → + − 0.</span></p>"
    )
    return panel("Entries and exits", body, "wide", "candle-panel", controls)


def periods(summary: Summary) -> str:
    """Months as a heat table, days as a calendar, and the place for the distribution."""
    months = month_table(summary["months"])
    days = calendar(summary["days"])
    parts = months + (f"<h3>Days</h3>{days}" if days else "")
    if len(summary["days"]) > 70:
        names = ("best_month", "worst_month", "win_months", "best_week", "worst_week", "win_weeks")
        parts += pairs([(_label(summary, name), _value(summary, name)) for name in names])
    figure = chart("bins", "Distribution of daily returns", 220)
    rows = [(_METRIC[n].title, _value(summary, n)) for n in (
        "best_day", "worst_day", "win_days", "value_at_risk", "conditional_value_at_risk",
        "skewness", "excess_kurtosis", "tail_ratio",
    )]  # fmt: skip
    return panel("Months, net", parts, "half", "months") + panel(
        "Daily returns", figure + pairs(rows), "half", "distribution"
    )


def costs(summary: Summary) -> str:
    """From gross to net profit, as bars that add up; and the quality of execution."""
    metrics, currency = summary["metrics"], escape(summary["currency"])
    groups = summary["by_symbol"]
    quality = [(_label(summary, n), _value(summary, n)) for n in (
        "slippage_bps", "decision_slippage_bps", "impact_bps", "slippage_money",
        "break_even_fee_bps", "cost_share", "maker_share", "turnover", "fill_rate",
        "cancel_rate", "order_to_fill",
    )]  # fmt: skip
    right = panel("Execution", pairs(quality), "half", "quality")
    parts = [metrics[n] for n in ("taker_fees", "maker_fees", "funding")]
    if any(part is None for part in parts) or any(row["gross"] is None for row in groups):
        left = (
            '<p class="empty">Not defined: some amounts have no rate to the reporting currency.</p>'
        )
        return panel("From gross to net", left, "half", "costs") + right
    gross = sum((Decimal(row["gross"]) for row in groups), Decimal(0))
    taker, maker, funding = (Decimal(part) for part in parts)
    profit = Decimal(summary["equity"]["profit"])
    rest = profit - (gross - taker - maker + funding)
    lines = (
        ("Closed trades, before costs", gross, False), ("Taker fees", -taker, False),
        ("Maker fees and rebates", -maker, False), ("Funding", funding, False),
        ("Open positions and rates", rest, False), ("Profit", profit, True),
    )  # fmt: skip
    whole = max((abs(amount) for _, amount, _ in lines), default=Decimal(0)) or Decimal(1)
    body = "".join(
        f'<tr class="{"sum" if is_sum else ""}"><th scope="row">{name}</th>'
        f'<td class="bar"><span class="{tone(amount)}" style="width:{_share(amount, whole)}">'
        f'</span></td><td class="n">{_money(amount, sign=True)}</td></tr>'
        for name, amount, is_sum in lines
    )
    by_asset = "".join(
        f"<li>{escape(asset)} <b>{escape(amount or NOT_DEFINED)}</b></li>"
        for asset, amount in summary["fees_by_asset"].items()
    )
    left = (
        f'<table class="flow"><caption class="sr">From gross to net in {currency}'
        f"</caption>{body}</table>"
        + (
            '<p class="note">Fees in the assets they were paid in</p>'
            f'<ul class="inline">{by_asset}</ul>'
            if by_asset
            else ""
        )
    )
    return panel(f"From gross to net, {currency}", left, "half", "costs") + right


def _share(amount: Decimal, whole: Decimal) -> str:
    return f"{float(abs(amount) / whole) * 100:.1f}%"


def trades(charts: Mapping[str, Any]) -> str:
    """The place for the table of round trips."""
    if not charts["tripsTotal"]:
        return panel("Trades", '<p class="empty">The run made no trade.</p>', "wide", "trades")
    shown = len(charts["trips"]["entry"])
    note = ""
    if shown < charts["tripsTotal"]:
        counts = f"The last {shown:,} of {charts['tripsTotal']:,}"
        note = f'<p class="note">{counts}; the run folder has all fills.</p>'
    body = (
        '<div class="scroll"><table id="trips" class="grid"><caption class="sr">Round trips'
        '</caption>'
        '</table></div><div class="pager" id="pager"></div>' + note
        + '<noscript><p class="empty">The table of trades and the charts need JavaScript.</p>'
        '</noscript>'
    )  # fmt: skip
    filters = '<input id="filter" type="search" placeholder="Filter" aria-label="Filter trades">'
    return panel("Trades", body, "wide", "trades", filters)


def breakdowns(summary: Summary) -> str:
    """Results by symbol, side, strategy and reason."""
    parts = []
    titles = (
        ("by_symbol", "By symbol"), ("by_side", "By side"), ("by_entry_reason", "By entry reason"),
        ("by_exit_reason", "By exit reason"), ("by_strategy", "By strategy"),
    )  # fmt: skip
    for key, title in titles:
        groups = summary[key]
        if not groups or (key == "by_strategy" and len(groups) < 2):
            continue
        rows = [
            (row["name"], f"{row['trades']:,}", show(row["win_rate"], "fraction"),
             show(row["net"], "money", sign=True), show(row["fees"], "money"),
             show(row["profit_factor"], "ratio"), show(row["mean_holding_s"], "s"))
            for row in groups
        ]  # fmt: skip
        head = ("", "Trades", "Win", f"Net, {summary['currency']}", "Fees", "PF", "Mean hold")
        parts.append(panel(title, table(head, rows, "tnnnnnn", minor=(4, 6)), "half", key))
    return "".join(parts)


def execution(summary: Summary) -> str:
    """Orders by status, reasons of refusal, evidence of fills, positions left open."""
    orders = summary["orders"]
    body = bars({k.replace("_", " "): v for k, v in orders["by_status"].items()}, orders["total"])
    reasons = [(r["status"], r["reason"], f"{r['orders']:,}") for r in orders["reasons"]]
    if reasons:
        body += "<h3>Reasons</h3>" + table(("Status", "Reason", "Orders"), reasons, "ttn")
    evidence = bars(summary["evidence"], 1.0)
    if evidence:
        body += "<h3>What the simulator filled us on</h3>" + evidence
    left = panel(
        f"Orders, {orders['total']:,}", body or '<p class="empty">No order.</p>', "half", "orders"
    )
    rows = [
        (
            row["symbol"],
            row["side"],
            row["opened_qty"],
            f"{row['entry_price']:,.10g}",
            when(row["entry"]),
        )
        for row in summary["open"]
    ]
    held = table(("Symbol", "Side", "Opened", "Entry", "Since"), rows, "ttnnt", "Flat at the end.")
    return left + panel("Open at the end", held, "half", "open")


def figures(summary: Summary) -> str:
    """Every metric, by group."""
    parts = []
    for group, title in _GROUPS:
        rows = [
            (_label(summary, metric.name), _value(summary, metric.name))
            for metric in METRICS if metric.group == group
        ]  # fmt: skip
        parts.append(f"<section><h3>{title}</h3>{pairs(rows)}</section>")
    note = f'<p class="note">{escape(summary["sampling"])}. Not defined is n/a.</p>'
    return panel("All figures", f'<div class="all">{"".join(parts)}</div>{note}', "wide", "figures")


def assumptions(summary: Summary) -> str:
    """What was assumed, and in which direction each assumption errs."""
    rows = [
        (str(row.get("id", "")), str(row.get("text", "")), str(row.get("setting", "")),
         _direction(row.get("maker")), _direction(row.get("taker")))
        for row in summary["facts"].get("assumptions", ())
    ]  # fmt: skip
    if not rows:
        return ""
    listed = table(("Id", "Assumption", "Setting", "Makers", "Takers"), rows, "ttttt")
    return panel("Assumptions", listed, "wide", "assumptions")


def facts(summary: Summary, host: Mapping[str, Any]) -> str:
    """Digests, models, data passport, seed; and what belongs to the host alone."""
    shown = {
        k: v
        for k, v in summary["facts"].items()
        if k not in ("assumptions", "warnings", "strategy")
    }
    rows = [(key.replace("_", " "), text) for key, text in flat(shown)]
    machine = [(key.replace("_", " "), text) for key, text in flat(host)]
    body = (
        f'<div class="all two"><section><h3>Decides the result</h3>{pairs(rows, mono=True)}'
        "</section>"
    )
    if machine:
        body += f"<section><h3>This machine</h3>{pairs(machine, mono=True)}</section>"
    foot = "<footer><p>VeloZ · one file, no network · times in UTC</p></footer></main>"
    return panel("Run facts", body + "</div>", "wide", "facts") + foot


def _value(summary: Summary, name: str) -> str:
    return show(summary["metrics"][name], _METRIC[name].unit, sign=name in _SIGNED)


def _label(summary: Summary, name: str) -> str:
    metric = _METRIC[name]
    return metric.title + (f", {summary['currency']}" if metric.unit == "money" else "")


def _money(amount: Any, *, sign: bool = False) -> str:
    return show(amount, "money", sign=sign)


def _direction(mark: Any) -> str:
    words = {"+": "flatters", "＋": "flatters", "-": "hurts", "−": "hurts", "±": "either way"}
    text = str(mark or "").strip()
    return words.get(text, text or "—")
