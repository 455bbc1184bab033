"""Figures: the named inputs of every metric, made once from the tables of a run."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import Any

import numpy as np

from veloz.analytics.exposure import time_weighted_mean
from veloz.analytics.fill_events import fee_amounts
from veloz.analytics.returns import NS_PER_DAY, Days, compound_by, day_closes, period_returns
from veloz.analytics.roundtrips import COST_SCALE, RoundTrip, round_trips, value_at
from veloz.analytics.run_tables import Bars, RunTables
from veloz.analytics.trades import excursions, holdings
from veloz.analytics.vectors import Floats

_EXACT = Context(prec=80)
DAYS_PER_YEAR = 365


@dataclass(frozen=True)
class Figures:
    """What the metrics and tables of one run are computed from.

    Attributes:
        inputs: By the names that `Metric.needs` uses.
        days: Daily closes and returns.
        trips: Round trips, open ones too.
        closed: Closed round trips in order of exit.
        mae, mfe: Excursions of `closed`.
        benchmark: Daily returns of the benchmark, or `None`.
        benchmark_symbol: Its symbol, or "".
        fees: Of each fill, in the reporting currency; `None` if a rate is unknown.
        price: Of each fill, as float.
    """

    inputs: dict[str, Any]
    days: Days
    trips: list[RoundTrip]
    closed: list[RoundTrip]
    mae: Floats
    mfe: Floats
    benchmark: Floats | None
    benchmark_symbol: str
    fees: list[Decimal] | None
    price: Floats


def run_figures(tables: RunTables, method: str = "average") -> Figures:
    """Every input of the metrics.

    Where a conversion rate is unknown (NaN), amounts in the reporting currency are undefined
    and their inputs are `None`.

    Args:
        tables: The run.
        method: How fills are paired, see `round_trips`.

    Raises:
        ValueError: If a table contradicts itself.
    """
    with localcontext(_EXACT):
        return _figures(tables, method)


def _figures(tables: RunTables, method: str) -> Figures:
    curve = tables.equity
    days = day_closes(curve.ts_ns, curve.equity)
    trips = round_trips(tables, method)
    closed = sorted((t for t in trips if not t.is_open), key=lambda t: (t.exit_ts, t.entry_ts))
    pairs = [excursions(trip, tables.bars.get(trip.symbol)) for trip in closed]
    mae, mfe = (np.array([pair[i] for pair in pairs], dtype=np.float64) for i in (0, 1))
    symbol = tables.benchmark or next(iter(sorted(tables.bars)), "")
    bench = benchmark_returns(days, curve.ts_ns, tables.bars[symbol]) if symbol else None
    inputs: dict[str, Any] = {
        **_curve_inputs(tables, days), **_fill_inputs(tables), **_order_inputs(tables),
        "benchmark": bench, "holding_s": holdings(closed), "mae": mae, "mfe": mfe,
    }  # fmt: skip
    inputs |= _trade_inputs(inputs, trips, closed)
    return Figures(
        inputs, days, trips, closed, mae, mfe, bench, symbol if bench is not None else "",
        inputs["fees"], inputs["price"],
    )  # fmt: skip


def benchmark_returns(days: Days, ts_ns: Any, bars: Bars) -> Floats | None:
    """Daily returns of holding one instrument over the same days as the run.

    The opening price is the last close at or before the run's start, or the first open if the
    bars begin later; the last day ends where the run does.

    Returns:
        Shape of `days.day`; `None` without bars before the end, or with a price that is not
        positive.
    """
    if not bars.ts_ns.size or not days.day.size:
        return None
    closed_at = bars.ts_ns + bars.interval_ns
    ends = np.minimum((days.day + 1) * NS_PER_DAY, int(ts_ns[-1]))
    rows = np.searchsorted(closed_at, np.concatenate([[int(ts_ns[0])], ends]), side="right") - 1
    if rows[-1] < 0:
        return None
    prices = np.where(rows >= 0, bars.close[rows], bars.open[0])
    return period_returns(prices[1:], float(prices[0])) if (prices > 0.0).all() else None


def _curve_inputs(tables: RunTables, days: Days) -> dict[str, Any]:
    curve = tables.equity
    elapsed = int(curve.ts_ns[-1]) - int(curve.ts_ns[0])
    weekly = compound_by(days.day, days.returns, "week").values()
    monthly = compound_by(days.day, days.returns, "month").values()
    return {
        "ts_ns": curve.ts_ns, "equity": curve.equity, "exposure": curve.exposure,
        "leverage": curve.leverage, "position_value": curve.position_value,
        "years": elapsed / NS_PER_DAY / DAYS_PER_YEAR,
        "mean_equity": time_weighted_mean(curve.ts_ns, curve.equity),
        "daily": days.returns,
        # Less than a day is not annualised, though it may touch two calendar days.
        "annual_daily": days.returns if elapsed >= NS_PER_DAY else None,
        "weekly": list(weekly), "monthly": list(monthly),
        "day_equity": np.concatenate([curve.equity[:1], days.close]),
        "profit": tables.equity.last - tables.equity.first,
    }  # fmt: skip


def _fill_inputs(tables: RunTables) -> dict[str, Any]:
    fills = tables.fills
    facts = tables.instruments
    raw = zip(fills.symbol.tolist(), fills.qty.tolist(), fills.price.tolist(), strict=True)
    values = [
        abs(Decimal(value_at(facts[symbol], qty, price)).scaleb(-COST_SCALE)) * Decimal(repr(rate))
        for (symbol, qty, price), rate in zip(raw, fills.settle_rate.tolist(), strict=True)
    ]
    fees = fee_amounts(tables)
    price = np.array(
        [
            p / 10 ** facts[s].price_scale
            for s, p in zip(fills.symbol, fills.price.tolist(), strict=True)
        ],
        dtype=np.float64,
    )
    valued = bool(np.isfinite(fills.settle_rate).all())
    charged = all(fee.is_finite() for fee in fees)
    return {
        "side": fills.side, "price": price, "arrival_mid": fills.arrival_mid,
        "arrival_touch": fills.arrival_touch, "decision_price": fills.decision_price,
        "is_maker": fills.is_maker, "fill_count": len(fills),
        "values": values if valued else None,
        "value": np.array([float(v) for v in values]) if valued else None,
        "volume": sum(values, Decimal(0)) if valued else None,
        "fees": fees if charged else None,
        "fee_total": sum(fees, Decimal(0)) if charged else None,
    }  # fmt: skip


def _order_inputs(tables: RunTables) -> dict[str, Any]:
    orders, funding = tables.orders, tables.funding
    scales = [tables.asset_scale(tables.instruments[s].settle) for s in funding.symbol]
    received = [
        Decimal(amount).scaleb(-scale) * Decimal(repr(rate))
        for amount, scale, rate in zip(
            funding.amount.tolist(), scales, funding.settle_rate.tolist(), strict=True
        )
    ]
    known = bool(np.isfinite(funding.settle_rate).all())
    return {
        "sent": orders.ts_sent > 0, "filled_qty": orders.filled_qty, "status": orders.status,
        "funding": received if known else None,
    }  # fmt: skip


def _trade_inputs(
    inputs: dict[str, Any], trips: list[RoundTrip], closed: list[RoundTrip]
) -> dict[str, Any]:
    known = all(inputs[name] is not None for name in ("fees", "values", "funding"))
    if not known:
        return dict.fromkeys(("net", "trade_returns", "gross_total", "cost_total"))
    fees = sum((trip.fees for trip in trips), Decimal(0))
    funding = sum((trip.funding for trip in trips), Decimal(0))
    return {
        "net": [trip.net for trip in closed],
        "trade_returns": [trip.net_return for trip in closed if trip.entry_value],
        "gross_total": sum((trip.gross for trip in trips), Decimal(0)),
        "cost_total": fees - funding,
    }
