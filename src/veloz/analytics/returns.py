"""Returns: from an equity curve to days, weeks and months, and what they add up to.

The sampling rule, used for every daily figure: a crypto day is 24 hours UTC, 365 a year, and its
value is the last equity *at or before* its end, so a point stamped exactly 00:00 closes the day
that has just ended (bars are stamped at their close). Days without a point carry the value on.
The first and the last day may be part of a day and count as days.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import ArrayLike

from veloz.analytics.vectors import Floats, Ints, finite_vector

DAYS_PER_YEAR = 365.0
NS_PER_DAY = 86_400_000_000_000
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Days:
    """Daily closes of an equity curve.

    Attributes:
        day: Days since 1970-01-01 UTC, consecutive.
        close: Last equity at or before the day's end.
        returns: Fraction against the day before; the first against the opening equity.
    """

    day: Ints
    close: Floats
    returns: Floats


def day_closes(ts_ns: ArrayLike, equity: ArrayLike) -> Days:
    """Equity sampled by UTC day under the rule of this module.

    The series ends with the first day that closes at or below zero: a return on nothing is
    not defined, and what follows ruin is not a return.

    Args:
        ts_ns: Shape (n,), ns since the Unix epoch, not decreasing.
        equity: Shape (n,), in the reporting currency; the first is the opening equity.

    Returns:
        No days if n < 2, no time passes, or the opening equity is not positive.

    Raises:
        ValueError: If the lengths differ, times decrease, or an equity is not finite.

    Source:
        Sampling by last value, the convention of daily net asset values (GIPS 2020, 2.A).

    >>> day = 86_400 * 10**9
    >>> day_closes([0, day // 2, day, 2 * day], [100, 120, 110, 99]).returns.round(4).tolist()
    [0.1, -0.1]
    """
    values = finite_vector(equity, "equity")
    times = np.asarray(ts_ns, dtype=np.int64)
    if times.shape != values.shape:
        raise ValueError(f"equity has {values.size} values and {times.size} times")
    if times.size > 1 and (np.diff(times) < 0).any():
        raise ValueError("equity times decrease; sort the curve by time")
    none = np.empty(0, dtype=np.int64), np.empty(0), np.empty(0)
    if times.size < 2 or times[-1] == times[0] or values[0] <= 0.0:
        return Days(*none)
    first, last = int(times[0]) // NS_PER_DAY, (int(times[-1]) - 1) // NS_PER_DAY
    days = np.arange(first, last + 1, dtype=np.int64)
    rows = np.searchsorted(times, (days + 1) * NS_PER_DAY, side="right") - 1
    closes = values[rows]
    ruined = np.flatnonzero(closes <= 0.0)
    if ruined.size:
        closes, days = closes[: ruined[0] + 1], days[: ruined[0] + 1]
    return Days(days, closes, period_returns(closes, float(values[0])))


def period_returns(closes: ArrayLike, opening: float) -> Floats:
    r"""Simple return of each period: $r_i = E_i / E_{i-1} - 1$, with $E_{-1}$ the opening value.

    Args:
        closes: Shape (n,), value at the end of each period.
        opening: Value before the first period; positive.

    Returns:
        Shape (n,), fractions.

    Raises:
        ValueError: If a value that is divided by is not positive.

    Source:
        Bacon (2008), "Practical Portfolio Performance Measurement", ch. 2.

    >>> period_returns([110.0, 99.0], 100.0).round(4).tolist()
    [0.1, -0.1]
    """
    ends = finite_vector(closes, "closes")
    starts = np.concatenate([[opening], ends[:-1]]) if ends.size else ends
    if (starts <= 0.0).any():
        raise ValueError("a return on a value that is zero or negative is not defined")
    return ends / starts - 1.0


def total_return(equity: ArrayLike) -> float:
    r"""Return over the whole curve: $E_n / E_0 - 1$.

    Args:
        equity: Shape (n,), in one currency, no deposits in between.

    Returns:
        Fraction; `nan` if n < 2 or the opening equity is not positive.

    Source:
        Bacon (2008), ch. 2 (simple return).

    >>> total_return([100.0, 90.0, 125.0])
    0.25
    """
    values = finite_vector(equity, "equity")
    if values.size < 2 or values[0] <= 0.0:
        return math.nan
    return float(values[-1] / values[0] - 1.0)


def cagr(equity: ArrayLike, years: float) -> float:
    r"""Annualised (compound) return: $(E_n / E_0)^{1/Y} - 1$.

    Y is the time that passed in years of 365 days, not a count of samples.

    Args:
        equity: Shape (n,).
        years: Y, time between the first and the last point.

    Returns:
        Fraction per year; -1 after ruin; `nan` if n < 2, the opening equity is not positive or
        less than one day passed (a year made of minutes is not a measurement); `inf` if it
        exceeds what a float holds.

    Source:
        CFA Institute, GIPS 2020 glossary, "annualised return"; 365-day crypto calendar.

    >>> round(cagr([100.0, 121.0], years=2.0), 10)
    0.1
    """
    growth = total_return(equity) + 1.0
    if math.isnan(growth) or years * DAYS_PER_YEAR < 1.0:
        return math.nan
    if growth <= 0.0:
        return -1.0
    exponent = math.log(growth) / years
    return math.expm1(exponent) if exponent < 700.0 else math.inf


def compound(returns: ArrayLike) -> float:
    r"""Compounded return: $\prod_i (1 + r_i) - 1$.

    Args:
        returns: Shape (n,), fraction per period.

    Returns:
        Fraction; `nan` for no returns.

    Source:
        Bacon (2008), ch. 2 (chain linking).

    >>> round(compound([0.1, -0.1]), 10)
    -0.01
    """
    values = finite_vector(returns)
    return float(np.prod(1.0 + values) - 1.0) if values.size else math.nan


def mean_return(returns: ArrayLike) -> float:
    r"""Arithmetic mean of the period returns: $\frac1n \sum r_i$.

    Returns:
        Fraction per period; `nan` for no returns.

    Source:
        Bacon (2008), ch. 2.

    >>> round(mean_return([0.1, -0.1, 0.03]), 10)
    0.01
    """
    values = finite_vector(returns)
    return float(values.mean()) if values.size else math.nan


def geometric_mean_return(returns: ArrayLike) -> float:
    r"""Return per period that compounds to the same: $\left(\prod (1 + r_i)\right)^{1/n} - 1$.

    Returns:
        Fraction per period; -1 after ruin; `nan` for no returns.

    Source:
        Bacon (2008), ch. 2.

    >>> round(geometric_mean_return([0.1, -0.1]), 6)
    -0.005013
    """
    values = finite_vector(returns)
    if not values.size:
        return math.nan
    if (values <= -1.0).any():
        return -1.0
    return math.expm1(float(np.log1p(values).mean()))


def best_return(returns: ArrayLike) -> float:
    r"""The largest period return, $\max r_i$; a fraction, `nan` for none.

    Source:
        Order statistic.

    >>> best_return([0.1, -0.2])
    0.1
    """
    values = finite_vector(returns)
    return float(values.max()) if values.size else math.nan


def worst_return(returns: ArrayLike) -> float:
    r"""The smallest period return, $\min r_i$; a fraction, `nan` for none.

    Source:
        Order statistic.

    >>> worst_return([0.1, -0.2])
    -0.2
    """
    values = finite_vector(returns)
    return float(values.min()) if values.size else math.nan


def win_share(returns: ArrayLike) -> float:
    r"""Share of periods with a gain: $\#\{r_i > 0\} / n$.

    Flat periods count in n, so a strategy that sleeps is not flattered (quantstats leaves
    them out).

    Returns:
        Fraction of all periods; `nan` for no returns.

    Source:
        Bacon (2008), ch. 4 ("batting average" against zero).

    >>> win_share([0.1, 0.0, -0.1, 0.2])
    0.5
    """
    values = finite_vector(returns)
    return float(np.mean(values > 0.0)) if values.size else math.nan


def mean_gain(returns: ArrayLike) -> float:
    """Mean of the positive period returns; a fraction, `nan` if there is none.

    Source:
        Bacon (2008), ch. 4 (average gain).

    >>> round(mean_gain([0.1, -0.1, 0.3]), 10)
    0.2
    """
    values = finite_vector(returns)
    gains = values[values > 0.0]
    return float(gains.mean()) if gains.size else math.nan


def mean_loss(returns: ArrayLike) -> float:
    """Mean of the negative period returns; a negative fraction, `nan` if there is none.

    Source:
        Bacon (2008), ch. 4 (average loss).

    >>> mean_loss([0.1, -0.1, 0.3])
    -0.1
    """
    values = finite_vector(returns)
    losses = values[values < 0.0]
    return float(losses.mean()) if losses.size else math.nan


def day_name(day: int) -> str:
    """ISO date of a day number (days since 1970-01-01).

    >>> day_name(20_000)
    '2024-10-04'
    """
    return (_EPOCH + timedelta(days=int(day))).isoformat()


def instant_name(ts_ns: int) -> str:
    """ISO 8601 instant, UTC, to the second.

    >>> instant_name(1_700_000_000 * 10**9)
    '2023-11-14T22:13:20Z'
    """
    return datetime.fromtimestamp(ts_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def compound_by(days: Ints, returns: ArrayLike, period: str) -> dict[str, float]:
    r"""Daily returns compounded by calendar period: $\prod_{i \in p} (1 + r_i) - 1$.

    Args:
        days: Shape (n,), days since 1970-01-01 UTC, in order.
        returns: Shape (n,), fraction per day.
        period: `week` (ISO week, from Monday), `month` or `year`.

    Returns:
        Fraction by period name (`2025-W07`, `2025-02`, `2025`), in order of time; periods at
        either end may be partial.

    Raises:
        ValueError: If `period` is another word.

    Source:
        ISO 8601 weeks; Bacon (2008), ch. 2 (chain linking).

    >>> table = compound_by(np.array([30, 31]), [0.1, 0.2], "month")
    >>> {month: round(value, 4) for month, value in table.items()}
    {'1970-01': 0.1, '1970-02': 0.2}
    """
    if period not in _PERIOD_NAME:
        raise ValueError(f"period is {period!r}; it must be week, month or year")
    growth: dict[str, float] = {}
    for day, value in zip(days.tolist(), finite_vector(returns).tolist(), strict=True):
        name = _PERIOD_NAME[period](_EPOCH + timedelta(days=day))
        growth[name] = growth.get(name, 1.0) * (1.0 + value)
    return {name: value - 1.0 for name, value in growth.items()}


def _week_name(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


_PERIOD_NAME = {
    "week": _week_name,
    "month": lambda day: f"{day.year}-{day.month:02}",
    "year": lambda day: f"{day.year}",
}
