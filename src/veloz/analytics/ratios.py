"""Risk-adjusted return: one number for reward against risk, each with its own idea of risk.

The risk-free rate is zero unless given: a crypto account earns none by waiting.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from veloz.analytics.drawdown import max_drawdown, ulcer_index
from veloz.analytics.returns import DAYS_PER_YEAR, cagr, total_return
from veloz.analytics.risk import downside_deviation
from veloz.analytics.vectors import finite_vector, paired_vectors


def sharpe_ratio(
    returns: ArrayLike, *, risk_free: float = 0.0, periods_per_year: float = DAYS_PER_YEAR
) -> float:
    r"""Annualised mean excess return per unit of its deviation: $\frac{\bar r - f}{s}\sqrt N$.

    Args:
        returns: Shape (n,), fraction per period.
        risk_free: f, fraction per period.
        periods_per_year: N.

    Returns:
        Per square root of a year; `nan` if n < 2 or all returns are equal.

    Source:
        Sharpe (1994), "The Sharpe Ratio", Journal of Portfolio Management 21(1); s with n - 1.

    >>> round(sharpe_ratio([0.01, -0.01, 0.03], periods_per_year=1), 6)
    0.5
    """
    excess = finite_vector(returns) - risk_free
    if excess.size < 2 or np.ptp(excess) == 0.0:
        return math.nan
    return float(excess.mean() / excess.std(ddof=1)) * math.sqrt(periods_per_year)


def sharpe_standard_error(returns: ArrayLike, *, periods_per_year: float = DAYS_PER_YEAR) -> float:
    r"""Standard error of the annualised Sharpe ratio, for returns that are not normal.

    $$ \sigma_S = \sqrt{\frac{1 - g_1 S + \frac{g_2 + 2}{4} S^2}{n - 1}}\,\sqrt N $$

    with S per period, $g_1$ and $g_2$ the population skewness and excess kurtosis.

    Returns:
        Same unit as the Sharpe ratio; `nan` if n < 3 or all returns are equal.

    Source:
        Mertens (2002); Bailey & Lopez de Prado (2012), Journal of Risk 15(2).

    >>> round(sharpe_standard_error([0.01, -0.01, 0.03, 0.01], periods_per_year=1), 4)
    0.6038
    """
    values = finite_vector(returns)
    if values.size < 3 or np.ptp(values) == 0.0:
        return math.nan
    ratio, skew, excess = _shape(values)
    variance = (1.0 - skew * ratio + (excess + 2.0) / 4.0 * ratio**2) / (values.size - 1)
    return math.sqrt(max(variance, 0.0) * periods_per_year)


def probabilistic_sharpe_ratio(returns: ArrayLike, *, threshold: float = 0.0) -> float:
    r"""Probability that the true Sharpe ratio exceeds a threshold: $\Phi((S - S^*)/\sigma_S)$.

    Args:
        returns: Shape (n,), fraction per period.
        threshold: $S^*$, per period (not annualised).

    Returns:
        Between 0 and 1; `nan` if n < 3 or all returns are equal.

    Source:
        Bailey & Lopez de Prado (2012), "The Sharpe Ratio Efficient Frontier".

    >>> round(probabilistic_sharpe_ratio([0.01, -0.01, 0.03, 0.01]), 4)
    0.8448
    """
    error = sharpe_standard_error(returns, periods_per_year=1.0)
    if math.isnan(error) or error == 0.0:
        return math.nan
    ratio = sharpe_ratio(returns, periods_per_year=1.0)
    return NormalDist().cdf((ratio - threshold) / error)


def sortino_ratio(
    returns: ArrayLike, *, target: float = 0.0, periods_per_year: float = DAYS_PER_YEAR
) -> float:
    r"""Annualised excess return per unit of downside deviation.

    $$ S = \frac{\bar r - \tau}{\sqrt{\frac{1}{n} \sum_i \min(r_i - \tau, 0)^2}} \sqrt{N} $$

    All n periods count in the deviation, not only the losing ones.

    Args:
        returns: Shape (n,), fraction per period.
        target: Least acceptable return, fraction per period.
        periods_per_year: N; 365 for daily crypto returns.

    Returns:
        Per square root of a year; `nan` if n < 2 or all returns equal the target, `inf` if no
        period fell below it.

    Source:
        Sortino & Price (1994), "Performance Measurement in a Downside Risk Framework",
        Journal of Investing 3(3).

    >>> sortino_ratio([0.02, -0.01, 0.03, -0.02], periods_per_year=1)
    0.4472135954999579
    """
    excess = finite_vector(returns) - target
    if excess.size < 2:
        return math.nan
    downside = downside_deviation(excess, periods_per_year=1.0)
    mean = float(excess.mean())
    if downside == 0.0:
        return math.inf if mean > 0.0 else math.nan
    return mean / downside * math.sqrt(periods_per_year)


def calmar_ratio(equity: ArrayLike, years: float) -> float:
    r"""Annualised return over the depth of the worst drawdown: $CAGR / |MDD|$.

    Over the whole curve, not the last 36 months.

    Returns:
        Per year; `nan` if either is undefined or nothing was gained or lost; `inf` if equity
        rose without a drawdown.

    Source:
        Young (1991), "Calmar Ratio: A Smoother Tool", Futures 20(1).

    >>> round(calmar_ratio([100.0, 80.0, 110.0], years=1.0), 6)
    0.5
    """
    return _over_depth(cagr(equity, years), equity)


def recovery_factor(equity: ArrayLike) -> float:
    r"""Total return over the depth of the worst drawdown: $R / |MDD|$.

    Returns:
        Dimensionless; undefined cases as in `calmar_ratio`.

    Source:
        Usage of MetaTrader and quantstats (there with the sum of returns).

    >>> round(recovery_factor([100.0, 80.0, 110.0]), 6)
    0.5
    """
    return _over_depth(total_return(equity), equity)


def ulcer_performance_index(equity: ArrayLike, years: float) -> float:
    r"""Annualised return over the ulcer index: $CAGR / UI$.

    Returns:
        Per year; `nan` if either is undefined or the ulcer index is 0 with no gain, `inf` if
        it is 0 with one.

    Source:
        Martin & McCann (1989) ("Martin ratio"), risk-free rate zero.

    >>> round(ulcer_performance_index([100., 80., 100., 110.], years=1.0), 6)
    1.0
    """
    yearly, ulcer = cagr(equity, years), ulcer_index(equity)
    if math.isnan(yearly) or math.isnan(ulcer):
        return math.nan
    if ulcer == 0.0:
        return math.inf if yearly > 0.0 else math.nan
    return yearly / ulcer


def omega_ratio(returns: ArrayLike, *, target: float = 0.0) -> float:
    r"""Gains over losses about a target: $\sum \max(r_i - \tau, 0) / \sum \max(\tau - r_i, 0)$.

    Returns:
        Dimensionless; `nan` for no returns or none off the target, `inf` if none is below.

    Source:
        Keating & Shadwick (2002), "A Universal Performance Measure".

    >>> round(omega_ratio([0.03, -0.01, 0.0]), 6)
    3.0
    """
    excess = finite_vector(returns) - target
    gains, losses = float(excess[excess > 0.0].sum()), float(-excess[excess < 0.0].sum())
    if losses == 0.0:
        return math.inf if gains > 0.0 else math.nan
    return gains / losses


def gain_to_pain_ratio(returns: ArrayLike) -> float:
    r"""Sum of returns over the sum of losses: $\sum r_i / \sum |\min(r_i, 0)|$.

    Returns:
        Dimensionless; equals omega at zero less 1; undefined cases as in `omega_ratio`.

    Source:
        Schwager (2012), "Market Sense and Nonsense" (there monthly).

    >>> round(gain_to_pain_ratio([0.03, -0.01, 0.0]), 6)
    2.0
    """
    return omega_ratio(returns) - 1.0


def beta(returns: ArrayLike, benchmark: ArrayLike) -> float:
    r"""Slope against a benchmark: $\mathrm{cov}(r, b) / \mathrm{var}(b)$.

    Args:
        returns: Shape (n,), fraction per period.
        benchmark: Shape (n,), the benchmark's returns over the same periods.

    Returns:
        Dimensionless; `nan` if n < 2 or the benchmark does not move.

    Raises:
        ValueError: If the lengths differ.

    Source:
        Sharpe (1964); ordinary least squares.

    >>> round(beta([0.02, -0.02, 0.04], [0.01, -0.01, 0.02]), 6)
    2.0
    """
    ours, theirs = paired_vectors(returns, benchmark)
    if ours.size < 2 or np.ptp(theirs) == 0.0:
        return math.nan
    apart = theirs - theirs.mean()
    return float(np.dot(ours - ours.mean(), apart) / np.dot(apart, apart))


def alpha(
    returns: ArrayLike, benchmark: ArrayLike, *, periods_per_year: float = DAYS_PER_YEAR
) -> float:
    r"""Jensen's alpha, annualised by compounding: $(1 + \bar r - \beta \bar b)^N - 1$.

    Returns:
        Fraction per year; `nan` where `beta` is, or if a whole unit per period is lost.

    Source:
        Jensen (1968), Journal of Finance 23(2); compounding as in empyrical.

    >>> round(alpha([0.021, -0.019, 0.041], [0.01, -0.01, 0.02], periods_per_year=1), 6)
    0.001
    """
    ours, theirs = paired_vectors(returns, benchmark)
    slope = beta(ours, theirs)
    if math.isnan(slope):
        return math.nan
    per_period = float(ours.mean() - slope * theirs.mean())
    if per_period <= -1.0:
        return math.nan
    exponent = math.log1p(per_period) * periods_per_year
    return math.expm1(exponent) if exponent < 700.0 else math.inf


def correlation(returns: ArrayLike, benchmark: ArrayLike) -> float:
    r"""Pearson correlation with a benchmark: $\mathrm{cov}(r, b) / (s_r s_b)$.

    Returns:
        Between -1 and 1; `nan` if n < 2 or either does not move.

    Source:
        Pearson (1895).

    >>> round(correlation([0.02, -0.02, 0.04], [0.01, -0.01, 0.02]), 6)
    1.0
    """
    ours, theirs = paired_vectors(returns, benchmark)
    if ours.size < 2 or np.ptp(ours) == 0.0 or np.ptp(theirs) == 0.0:
        return math.nan
    return float(np.corrcoef(ours, theirs)[0, 1])


def tracking_error(
    returns: ArrayLike, benchmark: ArrayLike, *, periods_per_year: float = DAYS_PER_YEAR
) -> float:
    r"""Annualised deviation of the difference: $s(r - b)\sqrt N$.

    Returns:
        Fraction per square root of a year; `nan` if n < 2.

    Source:
        Grinold & Kahn (2000), "Active Portfolio Management".

    >>> round(tracking_error([0.02, 0.0], [0.0, 0.0], periods_per_year=1), 6)
    0.014142
    """
    ours, theirs = paired_vectors(returns, benchmark)
    if ours.size < 2:
        return math.nan
    return float((ours - theirs).std(ddof=1)) * math.sqrt(periods_per_year)


def information_ratio(
    returns: ArrayLike, benchmark: ArrayLike, *, periods_per_year: float = DAYS_PER_YEAR
) -> float:
    r"""Annualised mean difference over its deviation: $\frac{\overline{r - b}}{s(r - b)}\sqrt N$.

    Returns:
        Per square root of a year; `nan` if n < 2 or the difference is constant.

    Source:
        Grinold & Kahn (2000).

    >>> round(information_ratio([0.01, -0.01, 0.03], [0., 0., 0.], periods_per_year=1), 6)
    0.5
    """
    ours, theirs = paired_vectors(returns, benchmark)
    return sharpe_ratio(ours - theirs, periods_per_year=periods_per_year)


def _over_depth(gain: float, equity: ArrayLike) -> float:
    depth = max_drawdown(equity)
    if math.isnan(gain) or math.isnan(depth):
        return math.nan
    if depth == 0.0:
        return math.inf if gain > 0.0 else math.nan
    return gain / -depth


def _shape(values: np.ndarray) -> tuple[float, float, float]:
    """Sharpe per period, population skewness and excess kurtosis."""
    apart = values - values.mean()
    m2 = float(np.mean(apart**2))
    skew = float(np.mean(apart**3)) / m2**1.5
    excess = float(np.mean(apart**4)) / m2**2 - 3.0
    return float(values.mean() / values.std(ddof=1)), skew, excess
