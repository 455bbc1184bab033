"""Drawdowns: how far below its highest point an equity curve was, and for how long.

All figures use every point of the curve, not the daily sample, so a loss inside a day shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from veloz.analytics.returns import NS_PER_DAY
from veloz.analytics.vectors import Floats, finite_vector


@dataclass(frozen=True)
class Drawdown:
    """One stretch below a high-water mark.

    Attributes:
        depth: Fraction of the peak at the trough; negative.
        money: Equity at the trough less at the peak; negative.
        peak: Row of the last high before the fall.
        trough: Row of the lowest point.
        recovery: Row where the peak was reached again; -1 if it never was.
    """

    depth: float
    money: float
    peak: int
    trough: int
    recovery: int


def drawdown_series(equity: ArrayLike) -> Floats:
    r"""Distance below the running maximum: $D_i = E_i / \max_{j \le i} E_j - 1$.

    Args:
        equity: Shape (n,), opening value positive.

    Returns:
        Shape (n,), fractions, zero or negative; below -1 if equity is negative.

    Raises:
        ValueError: If the opening equity is not positive.

    Source:
        Magdon-Ismail & Atiya (2004), "Maximum Drawdown", Risk 17(10).

    >>> drawdown_series([100.0, 80.0, 120.0, 90.0]).round(4).tolist()
    [0.0, -0.2, 0.0, -0.25]
    """
    values = finite_vector(equity, "equity")
    if values.size and values[0] <= 0.0:
        raise ValueError(f"the opening equity is {values[0]}; a drawdown needs a positive one")
    return values / np.maximum.accumulate(values) - 1.0


def max_drawdown(equity: ArrayLike) -> float:
    r"""The deepest drawdown: $\min_i D_i$.

    Returns:
        Fraction, zero or negative; `nan` if n < 2 or the opening equity is not positive.

    Source:
        Magdon-Ismail & Atiya (2004).

    >>> max_drawdown([100.0, 80.0, 120.0, 90.0])
    -0.25
    """
    values = finite_vector(equity, "equity")
    if values.size < 2 or values[0] <= 0.0:
        return math.nan
    return float(drawdown_series(values).min())


def drawdown_periods(equity: ArrayLike) -> list[Drawdown]:
    """Every stretch below a high-water mark, in order of time.

    Returns:
        One `Drawdown` per stretch; the last may be unrecovered. Empty if equity never fell or
        the opening equity is not positive.

    Source:
        Young (1991) and the usage of pyfolio's drawdown table.

    >>> [(d.peak, d.trough, d.recovery) for d in drawdown_periods([100.0, 80.0, 120.0, 90.0])]
    [(0, 1, 2), (2, 3, -1)]
    """
    values = finite_vector(equity, "equity")
    if values.size < 2 or values[0] <= 0.0:
        return []
    series = drawdown_series(values)
    below = np.concatenate([[False], series < 0.0, [False]])
    edges = np.flatnonzero(np.diff(below.astype(np.int8)))
    found = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        trough = start + int(np.argmin(series[start:end]))
        peak = start - 1
        found.append(
            Drawdown(
                depth=float(series[trough]),
                money=float(values[trough] - values[peak]),
                peak=peak,
                trough=trough,
                recovery=end if end < values.size else -1,
            )
        )
    return found


def top_drawdowns(equity: ArrayLike, count: int = 5) -> list[Drawdown]:
    """The deepest drawdowns, deepest first; the earlier of two equal ones first.

    Args:
        equity: Shape (n,).
        count: How many at most.

    Source:
        pyfolio's table of the worst drawdown periods.

    >>> [round(d.depth, 2) for d in top_drawdowns([100.0, 80.0, 120.0, 90.0], 1)]
    [-0.25]
    """
    return sorted(drawdown_periods(equity), key=lambda found: found.depth)[:count]


def average_drawdown(equity: ArrayLike) -> float:
    """Mean depth of all drawdowns, each counted once; a fraction.

    Returns:
        Zero or negative: 0 if equity never fell; `nan` if n < 2 or no positive opening equity.

    Source:
        Bacon (2008), "Practical Portfolio Performance Measurement", ch. 4 (average drawdown).

    >>> round(average_drawdown([100.0, 80.0, 120.0, 90.0]), 4)
    -0.225
    """
    if math.isnan(max_drawdown(equity)):
        return math.nan
    depths = [found.depth for found in drawdown_periods(equity)]
    return float(np.mean(depths)) if depths else 0.0


def max_drawdown_days(ts_ns: ArrayLike, equity: ArrayLike) -> float:
    """Length of the deepest drawdown, from its peak to recovery or to the end, in days.

    Returns:
        Days of 24 hours; 0 if equity never fell; `nan` where `max_drawdown` is.

    Source:
        Magdon-Ismail & Atiya (2004).

    >>> day = 86_400 * 10**9
    >>> max_drawdown_days([0, day, 2 * day, 5 * day], [100.0, 80.0, 120.0, 90.0])
    3.0
    """
    return _length_days(ts_ns, equity, deepest_only=True)


def longest_underwater_days(ts_ns: ArrayLike, equity: ArrayLike) -> float:
    """The longest time between two high-water marks, or from the last to the end, in days.

    Returns:
        Days of 24 hours; 0 if equity never fell; `nan` where `max_drawdown` is.

    Source:
        Bacon (2008), ch. 4 (drawdown duration).

    >>> day = 86_400 * 10**9
    >>> longest_underwater_days([0, 4 * day, 5 * day, 6 * day], [100.0, 90.0, 101.0, 50.0])
    5.0
    """
    return _length_days(ts_ns, equity, deepest_only=False)


def ulcer_index(equity: ArrayLike) -> float:
    r"""Root mean square of the drawdown: $\sqrt{\frac1n \sum D_i^2}$.

    As a fraction, not in percent; weighted by points, so give it an evenly sampled curve.

    Returns:
        Fraction, zero or positive; `nan` where `max_drawdown` is.

    Source:
        Martin & McCann (1989), "The Investor's Guide to Fidelity Funds".

    >>> round(ulcer_index([100.0, 80.0, 100.0, 60.0]), 6)
    0.223607
    """
    if math.isnan(max_drawdown(equity)):
        return math.nan
    return float(np.sqrt(np.mean(drawdown_series(equity) ** 2)))


def _length_days(ts_ns: ArrayLike, equity: ArrayLike, *, deepest_only: bool) -> float:
    if math.isnan(max_drawdown(equity)):
        return math.nan
    times = np.asarray(ts_ns, dtype=np.int64)
    found = top_drawdowns(equity, 1) if deepest_only else drawdown_periods(equity)
    return max((int(times[d.recovery] - times[d.peak]) / NS_PER_DAY for d in found), default=0.0)
