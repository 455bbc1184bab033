"""The series that the HTML charts draw, thinned so that the file stays small.

Curves keep the lowest and the highest point of every bucket, so no drawdown or spike disappears;
candles are merged into longer ones; round trips are the last ones. What was thinned is said.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from veloz.analytics.drawdown import drawdown_series
from veloz.analytics.figures import Figures
from veloz.analytics.roundtrips import RoundTrip
from veloz.analytics.run_tables import Bars, RunTables
from veloz.analytics.vectors import Floats

MAX_POINTS = 1200
MAX_CANDLES = 4000
MAX_SYMBOLS = 6
MAX_TRIPS = 1000
MAX_BINS = 41
MANY_DAYS = 100  # from here on half a percent on each side is some day
_NS = 1_000_000_000


def chart_data(tables: RunTables, figures: Figures) -> dict[str, Any]:
    """Everything the page's script needs, as JSON types without NaN.

    Args:
        tables: The run.
        figures: Its figures.
    """
    curve = tables.equity
    equity = curve.equity
    depth = drawdown_series(equity) if equity[0] > 0.0 else np.zeros_like(equity)
    trips = sorted(figures.trips, key=lambda trip: trip.entry_ts)[-MAX_TRIPS:]
    return {
        "currency": tables.currency,
        "start": int(curve.ts_ns[0]) // _NS,
        "end": int(curve.ts_ns[-1]) // _NS,
        "equity": _series(curve.ts_ns, equity, keep_extremes(equity, MAX_POINTS)),
        "depth": _series(curve.ts_ns, depth, keep_extremes(depth, MAX_POINTS)),
        "exposure": _exposure(tables),
        "benchmark": _benchmark(tables, figures),
        "bins": return_bins(figures.days.returns),
        "candles": _candles(tables, figures),
        "trips": _trip_columns(trips, figures),
        "tripsTotal": len(figures.trips),
    }


def keep_extremes(values: Floats, limit: int) -> np.ndarray:
    """Rows that keep the shape: first, last, and each bucket's lowest and highest value.

    Args:
        values: Shape (n,); NaN is skipped where a bucket has other values.
        limit: Most rows, at least 4.

    Returns:
        Increasing row numbers, at most `limit`.

    Source:
        Min-max decimation, as oscilloscopes do it.

    >>> keep_extremes(np.array([0.0, 9.0, 1.0, 2.0, -5.0, 3.0, 4.0, 5.0]), 6).tolist()
    [0, 1, 4, 7]
    """
    if values.size <= limit:
        return np.arange(values.size)
    edges = np.linspace(0, values.size, max((limit - 2) // 2, 1) + 1).astype(np.int64)
    kept = {0, values.size - 1}
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = values[start:end]
        if part.size and not np.isnan(part).all():
            kept |= {start + int(np.nanargmin(part)), start + int(np.nanargmax(part))}
    return np.array(sorted(kept))


def return_bins(returns: Floats) -> dict[str, Any] | None:
    """Counts of daily returns in bins of a round width, zero at an edge; `None` below 5 days.

    Source:
        Width near Freedman & Diaconis (1981), rounded to 1, 2 or 5 times a power of ten.

    >>> return_bins(np.array([-0.01, 0.0, 0.004, 0.011, 0.02]))["counts"]
    [1, 2, 1, 1]
    """
    if returns.size < 5 or np.ptp(returns) == 0.0:
        return None
    low, high = np.quantile(returns, [0.25, 0.75])
    # One wild day must not squeeze all others into two bars: the outermost take what is beyond.
    usual = np.array([returns.min(), returns.max()])
    if returns.size >= MANY_DAYS and high > low:
        usual = np.quantile(returns, [0.005, 0.995])
    wish = max(2.0 * (high - low) / returns.size ** (1 / 3), np.ptp(usual) / MAX_BINS)
    power = 10.0 ** math.floor(math.log10(wish))
    width = next(step * power for step in (5, 2, 1) if step * power <= wish * 1.001)
    if np.ptp(usual) / width > MAX_BINS:
        width *= 5.0
    bins = np.floor(returns / width + 1e-9).astype(np.int64)
    least, most = (int(edge) for edge in np.floor(usual / width + 1e-9))
    folded = [bool(bins.min() < least), bool(bins.max() > most)]
    bins = np.clip(bins, least, most)
    first = int(bins.min())
    return {
        "first": first,
        "width": float(f"{width:.6g}"),
        "counts": np.bincount(bins - first).tolist(),
        "folded": folded,
    }


def merge_bars(bars: Bars, limit: int) -> Bars:
    """Bars merged into longer ones, aligned to their own interval, until at most `limit` remain."""
    if bars.ts_ns.size <= limit:
        return bars
    span = int(bars.ts_ns[-1] - bars.ts_ns[0]) // bars.interval_ns + 1
    factor = -(-span // max(limit - 1, 1))
    interval = bars.interval_ns * factor
    keys = bars.ts_ns // interval
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    ends = np.concatenate([starts[1:], [keys.size]]) - 1
    return Bars(
        keys[starts] * interval, interval, bars.open[starts],
        np.maximum.reduceat(bars.high, starts), np.minimum.reduceat(bars.low, starts),
        bars.close[ends], np.add.reduceat(bars.volume, starts),
    )  # fmt: skip


def _series(ts_ns: Any, values: Floats, rows: np.ndarray) -> dict[str, Any]:
    return {"t": (ts_ns[rows] // _NS).tolist(), "v": [_short(v) for v in values[rows].tolist()]}


def _exposure(tables: RunTables) -> dict[str, Any] | None:
    curve = tables.equity
    if np.isnan(curve.position_value).all():
        return None
    rows = np.union1d(
        keep_extremes(curve.position_value, MAX_POINTS // 2),
        keep_extremes(curve.exposure, MAX_POINTS // 2),
    )
    series = _series(curve.ts_ns, curve.position_value, rows)
    return series | {"gross": [_short(v) for v in curve.exposure[rows].tolist()]}


def _benchmark(tables: RunTables, figures: Figures) -> dict[str, Any] | None:
    """Holding the benchmark with the opening equity, at the end of every bar of the run."""
    if figures.benchmark is None:
        return None
    bars, ts_ns = tables.bars[figures.benchmark_symbol], tables.equity.ts_ns
    closed_at = bars.ts_ns + bars.interval_ns
    first, last = np.searchsorted(closed_at, [ts_ns[0], ts_ns[-1]], side="right")
    opening = bars.close[first - 1] if first else bars.open[0]
    prices = np.concatenate([[opening], bars.close[first:last]])
    times = np.concatenate([ts_ns[:1], closed_at[first:last]])
    growth = prices / opening * tables.equity.equity[0]
    rows = keep_extremes(growth, MAX_POINTS)
    return _series(times, growth, rows) | {"name": figures.benchmark_symbol}


def _candles(tables: RunTables, figures: Figures) -> list[dict[str, Any]]:
    traded: dict[str, int] = {}
    for trip in figures.trips:
        traded[trip.symbol] = traded.get(trip.symbol, 0) + 1
    shown = sorted(traded, key=lambda symbol: (-traded[symbol], symbol)) or sorted(tables.bars)
    shown = [symbol for symbol in shown if symbol in tables.bars and tables.bars[symbol].ts_ns.size]
    shown = shown[:MAX_SYMBOLS]
    made = []
    for symbol in shown:
        bars = merge_bars(tables.bars[symbol], MAX_CANDLES // len(shown))
        facts = tables.instruments.get(symbol)
        made.append(_candle_columns(symbol, bars, facts.price_scale if facts else 8))
    return made


def _candle_columns(symbol: str, bars: Bars, scale: int) -> dict[str, Any]:
    """Candles as small integers: steps in time, and prices as differences in ticks."""
    columns = (bars.open, bars.high, bars.low, bars.close)
    o, h, low, c = (np.rint(column * 10.0**scale).astype(np.int64) for column in columns)
    step = bars.interval_ns
    at = (bars.ts_ns - bars.ts_ns[0]) // step
    return {
        "symbol": symbol, "scale": scale, "t0": int(bars.ts_ns[0]) // _NS, "step": step // _NS or 1,
        "i": np.diff(at, prepend=0).tolist(),
        "o": np.diff(o, prepend=0).tolist(), "c": (c - o).tolist(),
        "h": (h - np.maximum(o, c)).tolist(), "l": (np.minimum(o, c) - low).tolist(),
    }  # fmt: skip


def _trip_columns(trips: list[RoundTrip], figures: Figures) -> dict[str, Any]:
    at = {id(trip): row for row, trip in enumerate(figures.closed)}
    words: dict[str, int] = {}

    def word(text: str) -> int:
        return words.setdefault(text[:160], len(words))

    def excursion(values: Floats, trip: RoundTrip) -> float | None:
        return _short(float(values[at[id(trip)]])) if id(trip) in at else None

    has_money = figures.inputs["net"] is not None
    columns = {
        "symbol": [word(trip.symbol) for trip in trips],
        "side": [trip.side for trip in trips],
        "entry": [trip.entry_ts // _NS for trip in trips],
        "exit": [trip.exit_ts // _NS for trip in trips],
        "qty": [float(trip.qty) for trip in trips],
        "in": [_short(trip.entry_price) for trip in trips],
        "out": [_short(trip.exit_price) for trip in trips],
        "net": [_short(float(trip.net)) if has_money else None for trip in trips],
        "return": [_short(trip.net_return) if has_money else None for trip in trips],
        "fees": [_short(float(trip.fees)) if has_money else None for trip in trips],
        "mae": [excursion(figures.mae, trip) for trip in trips],
        "mfe": [excursion(figures.mfe, trip) for trip in trips],
        "why": [word(trip.entry_why) for trip in trips],
        "end": [word(trip.exit_why) for trip in trips],
    }
    return columns | {"words": list(words)}


def _short(value: float) -> float | None:
    return float(f"{value:.7g}") if math.isfinite(value) else None
