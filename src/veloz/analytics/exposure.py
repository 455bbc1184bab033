"""Exposure: how much was at risk, for how much of the time.

A value holds from its point to the next one, so means are weighted by time, not by points.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from veloz.analytics.vectors import Floats


def time_weighted_mean(ts_ns: ArrayLike, values: ArrayLike) -> float:
    r"""Mean of a step function: $\sum x_i (t_{i+1} - t_i) / (t_n - t_0)$.

    Args:
        ts_ns: Shape (n,), ns, not decreasing.
        values: Shape (n,), each holds until the next time; NaN where unknown.

    Returns:
        Unit of the values, over the time in which they are known; `nan` if that is none.

    Source:
        Definition of the time average.

    >>> time_weighted_mean([0, 1, 4], [4.0, 0.0, 9.0])
    1.0
    """
    spans, steps = _spans(ts_ns), np.asarray(values, np.float64)[:-1]
    known = np.isfinite(steps)
    whole = float(spans[known].sum())
    return float(np.dot(steps[known], spans[known])) / whole if whole > 0.0 else math.nan


def time_in_market(ts_ns: ArrayLike, exposure: ArrayLike) -> float:
    """Share of the time with an open position (gross exposure above zero).

    Returns:
        Fraction; `nan` if no time passes or exposure is unknown.

    Source:
        Usage of the field ("exposure time" of backtesting.py).

    >>> time_in_market([0, 1, 4], [100.0, 0.0, 0.0])
    0.25
    """
    values = np.asarray(exposure, np.float64)
    return time_weighted_mean(ts_ns, np.where(np.isnan(values), np.nan, values > 0.0))


def mean_leverage(ts_ns: ArrayLike, leverage: ArrayLike) -> float:
    """Time-weighted mean of gross exposure over equity; a ratio, flat time counts as 0.

    Source:
        `time_weighted_mean` of the curve's leverage.

    >>> mean_leverage([0, 1, 2], [2.0, 0.0, 0.0])
    1.0
    """
    return time_weighted_mean(ts_ns, leverage)


def max_leverage(leverage: ArrayLike) -> float:
    """Largest gross exposure over equity; a ratio, `nan` if unknown.

    Source:
        Order statistic.

    >>> max_leverage([0.5, 2.0, float("nan")])
    2.0
    """
    return _extreme(leverage, largest=True)


def max_exposure(exposure: ArrayLike) -> float:
    """Largest gross value of positions, in the reporting currency; `nan` if unknown.

    Source:
        Order statistic.

    >>> max_exposure([0.0, 5.0])
    5.0
    """
    return _extreme(exposure, largest=True)


def long_share(ts_ns: ArrayLike, position_value: ArrayLike) -> float:
    r"""Share of the exposed time that was net long: $T_{V>0} / T_{V \ne 0}$.

    Returns:
        Fraction; `nan` if never exposed or unknown.

    Source:
        Ours.

    >>> long_share([0, 1, 4, 5], [10.0, -10.0, 0.0, 0.0])
    0.25
    """
    values = np.asarray(position_value, np.float64)
    held = np.isfinite(values) & (values != 0.0)
    return time_weighted_mean(ts_ns, np.where(held, values > 0.0, np.nan))


def _spans(ts_ns: ArrayLike) -> Floats:
    return np.diff(np.asarray(ts_ns, np.int64)).astype(np.float64)


def _extreme(values: ArrayLike, *, largest: bool) -> float:
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        return math.nan
    return float(known.max() if largest else known.min())
