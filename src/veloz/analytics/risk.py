"""Risk: the shape of the distribution of period returns.

Losses keep their sign: a value at risk of -0.02 is a return of minus two per cent.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from veloz.analytics.returns import DAYS_PER_YEAR
from veloz.analytics.vectors import finite_vector


def volatility(returns: ArrayLike, *, periods_per_year: float = DAYS_PER_YEAR) -> float:
    r"""Annualised standard deviation: $\sqrt{\frac{1}{n-1}\sum (r_i - \bar r)^2}\,\sqrt N$.

    Args:
        returns: Shape (n,), fraction per period.
        periods_per_year: N; 365 for daily crypto returns.

    Returns:
        Fraction per square root of a year; `nan` if n < 2.

    Source:
        Bacon (2008), "Practical Portfolio Performance Measurement", ch. 4 (sample form, n - 1).

    >>> round(volatility([0.01, -0.01, 0.03], periods_per_year=1), 6)
    0.02
    """
    values = finite_vector(returns)
    if values.size < 2:
        return math.nan
    return float(values.std(ddof=1)) * math.sqrt(periods_per_year)


def downside_deviation(
    returns: ArrayLike, *, target: float = 0.0, periods_per_year: float = DAYS_PER_YEAR
) -> float:
    r"""Annualised deviation below a target: $\sqrt{\frac1n \sum \min(r_i - \tau, 0)^2}\,\sqrt N$.

    All n periods count, not only the losing ones.

    Args:
        returns: Shape (n,), fraction per period.
        target: tau, the least acceptable return per period.
        periods_per_year: N.

    Returns:
        Fraction per square root of a year; 0 if no period fell below; `nan` if n < 2.

    Source:
        Sortino & Price (1994), Journal of Investing 3(3).

    >>> round(downside_deviation([0.02, -0.01, 0.03, -0.02], periods_per_year=1), 6)
    0.01118
    """
    shortfall = np.minimum(finite_vector(returns) - target, 0.0)
    if shortfall.size < 2:
        return math.nan
    return math.sqrt(float(np.mean(shortfall**2)) * periods_per_year)


def skewness(returns: ArrayLike) -> float:
    r"""Sample skewness, corrected for bias: $G_1 = \frac{\sqrt{n(n-1)}}{n-2}\frac{m_3}{m_2^{3/2}}$.

    Returns:
        Dimensionless; `nan` if n < 3 or all returns are equal.

    Source:
        Joanes & Gill (1998), "Comparing Measures of Sample Skewness and Kurtosis", The
        Statistician 47(1); the form of pandas and spreadsheets.

    >>> round(skewness([0.0, 0.0, 3.0]), 6)
    1.732051
    """
    values = finite_vector(returns)
    n = values.size
    if n < 3 or np.ptp(values) == 0.0:
        return math.nan
    apart = values - values.mean()
    m2, m3 = float(np.mean(apart**2)), float(np.mean(apart**3))
    return math.sqrt(n * (n - 1)) / (n - 2) * m3 / m2**1.5


def excess_kurtosis(returns: ArrayLike) -> float:
    r"""Sample excess kurtosis, corrected for bias (0 for a normal distribution).

    $$ G_2 = \frac{n-1}{(n-2)(n-3)}\left[(n+1)\left(\frac{m_4}{m_2^2} - 3\right) + 6\right] $$

    Returns:
        Dimensionless; `nan` if n < 4 or all returns are equal.

    Source:
        Joanes & Gill (1998); the form of pandas and spreadsheets.

    >>> round(excess_kurtosis([1.0, 2.0, 3.0, 4.0]), 6)
    -1.2
    """
    values = finite_vector(returns)
    n = values.size
    if n < 4 or np.ptp(values) == 0.0:
        return math.nan
    apart = values - values.mean()
    m2, m4 = float(np.mean(apart**2)), float(np.mean(apart**4))
    return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / m2**2 - 3.0) + 6.0)


def value_at_risk(returns: ArrayLike, *, tail: float = 0.05) -> float:
    r"""Historical value at risk: the `tail` quantile of the returns, linearly interpolated.

    Args:
        returns: Shape (n,), fraction per period.
        tail: Probability of a worse period, between 0 and 1.

    Returns:
        A return (a loss is negative); `nan` for no returns.

    Source:
        Jorion (2006), "Value at Risk", ch. 5; quantile of Hyndman & Fan type 7.

    >>> round(value_at_risk([-0.04, -0.02, 0.0, 0.01, 0.03], tail=0.25), 6)
    -0.02
    """
    values = finite_vector(returns)
    return float(np.quantile(values, tail)) if values.size else math.nan


def value_at_risk_normal(returns: ArrayLike, *, tail: float = 0.05) -> float:
    r"""Value at risk if returns were normal: $\bar r + \Phi^{-1}(\alpha)\, s$.

    Kept beside the historical one: a gap between the two shows how wrong "normal" is.

    Returns:
        A return (a loss is negative); `nan` if n < 2.

    Source:
        Jorion (2006), ch. 5 (delta-normal).

    >>> round(value_at_risk_normal([-0.01, 0.0, 0.01]), 6)
    -0.016449
    """
    values = finite_vector(returns)
    if values.size < 2:
        return math.nan
    return float(values.mean()) + NormalDist().inv_cdf(tail) * float(values.std(ddof=1))


def conditional_value_at_risk(returns: ArrayLike, *, tail: float = 0.05) -> float:
    r"""Expected shortfall: mean of the returns at or below the value at risk.

    $$ ES_\alpha = E[\, r \mid r \le VaR_\alpha \,] $$

    Returns:
        A return (a loss is negative), never above the value at risk; `nan` for no returns.

    Source:
        Rockafellar & Uryasev (2000), Journal of Risk 2(3).

    >>> round(conditional_value_at_risk([-0.04, -0.02, 0.0, 0.01, 0.03], tail=0.25), 6)
    -0.03
    """
    values = finite_vector(returns)
    if not values.size:
        return math.nan
    # The quantile may round a hair below the sample it equals; the tolerance keeps that sample.
    edge = float(np.quantile(values, tail))
    return float(values[values <= edge + 1e-12 * max(abs(edge), 1e-300)].mean())


def tail_ratio(returns: ArrayLike) -> float:
    r"""Right tail over left tail: $|q_{0.95}| / |q_{0.05}|$.

    Returns:
        Dimensionless; above 1 the gains' tail is the fatter; `nan` for no returns, `inf` if
        only the left quantile is 0, `nan` if both are.

    Source:
        pyfolio/empyrical `tail_ratio`.

    >>> round(tail_ratio([-0.01, 0.0, 0.02]), 6)
    2.0
    """
    values = finite_vector(returns)
    if not values.size:
        return math.nan
    right, left = (abs(float(q)) for q in np.quantile(values, [0.95, 0.05]))
    if left == 0.0:
        return math.nan if right == 0.0 else math.inf
    return right / left


def autocorrelation(returns: ArrayLike) -> float:
    r"""Correlation of each return with the one before it (lag one).

    Annualising by the square root of time assumes zero; far from zero, Sharpe and volatility
    are wrong by about $\sqrt{(1+\rho)/(1-\rho)}$.

    Returns:
        Between -1 and 1; `nan` if n < 3 or either series is constant.

    Source:
        Lo (2002), "The Statistics of Sharpe Ratios", Financial Analysts Journal 58(4).

    >>> round(autocorrelation([0.01, -0.01, 0.01, -0.01]), 6)
    -1.0
    """
    values = finite_vector(returns)
    if values.size < 3 or np.ptp(values[1:]) == 0.0 or np.ptp(values[:-1]) == 0.0:
        return math.nan
    return float(np.corrcoef(values[1:], values[:-1])[0, 1])
