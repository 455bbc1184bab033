"""Figures against empyrical-reloaded on real daily returns: equal where the definitions agree.

Where they do not, the test states the difference, so that a change on either side is seen:

| figure | here | empyrical |
|---|---|---|
| max drawdown | on the equity curve given | compounds returns, starting at 1 |
| annualised return | by the time that passed | by the number of returns |
| alpha | mean excess, compounded | the same, written as (x + 1)^N - 1 |
| downside | all n periods | all n periods: equal |
"""

from __future__ import annotations

import math

import empyrical
import numpy as np
import pandas
import pytest

from tests.analytics.sma_run import load_bars
from veloz.analytics import drawdown, ratios, returns, risk

YEAR = {"annualization": 365}


@pytest.fixture(scope="module")
def series() -> tuple[np.ndarray, np.ndarray]:
    """Daily returns of ETH and, as benchmark, of BTC."""
    found = []
    for name in ("ETHUSDT", "BTCUSDT"):
        bars = load_bars(name)
        found.append(returns.day_closes(bars.ts_ns + bars.interval_ns, bars.close).returns)
    return found[0], found[1]


def test_figures_of_one_series_agree(series: tuple[np.ndarray, np.ndarray]) -> None:
    ours, _ = series
    curve = np.concatenate([[1.0], np.cumprod(1.0 + ours)])
    pairs = {
        "volatility": (risk.volatility(ours), empyrical.annual_volatility(ours, **YEAR)),
        "sharpe": (ratios.sharpe_ratio(ours), empyrical.sharpe_ratio(ours, **YEAR)),
        "sortino": (ratios.sortino_ratio(ours), empyrical.sortino_ratio(ours, **YEAR)),
        "downside": (risk.downside_deviation(ours), empyrical.downside_risk(ours, **YEAR)),
        "omega": (ratios.omega_ratio(ours), empyrical.omega_ratio(ours, annualization=1)),
        "tail": (risk.tail_ratio(ours), empyrical.tail_ratio(ours)),
        "var": (risk.value_at_risk(ours), empyrical.value_at_risk(ours, 0.05)),
        "cvar": (
            risk.conditional_value_at_risk(ours), empyrical.conditional_value_at_risk(ours, 0.05),
        ),
        "drawdown": (drawdown.max_drawdown(curve), empyrical.max_drawdown(ours)),
        "total": (returns.compound(ours), empyrical.cum_returns_final(ours)),
        "cagr": (
            returns.cagr(curve, years=ours.size / 365), empyrical.annual_return(ours, **YEAR),
        ),
        "calmar": (
            ratios.calmar_ratio(curve, years=ours.size / 365), empyrical.calmar_ratio(ours, **YEAR),
        ),
    }  # fmt: skip
    for name, (mine, theirs) in pairs.items():
        assert mine == pytest.approx(float(theirs), rel=1e-9), name


def test_figures_against_a_benchmark_agree(series: tuple[np.ndarray, np.ndarray]) -> None:
    ours, theirs = series
    assert ratios.beta(ours, theirs) == pytest.approx(empyrical.beta(ours, theirs), rel=1e-9)
    alpha = empyrical.alpha(ours, theirs, **YEAR)
    assert ratios.alpha(ours, theirs) == pytest.approx(alpha, rel=1e-9)
    excess = empyrical.excess_sharpe(ours, theirs)
    mine = ratios.information_ratio(ours, theirs, periods_per_year=1)
    assert mine == pytest.approx(excess, rel=1e-9)


def test_shape_agrees_with_pandas(series: tuple[np.ndarray, np.ndarray]) -> None:
    ours, _ = series
    column = pandas.Series(ours)
    assert risk.skewness(ours) == pytest.approx(column.skew(), rel=1e-9)
    assert risk.excess_kurtosis(ours) == pytest.approx(column.kurt(), rel=1e-9)
    assert risk.autocorrelation(ours) == pytest.approx(column.autocorr(1), rel=1e-9)


def test_annualising_by_elapsed_time_differs_from_counting_returns(
    series: tuple[np.ndarray, np.ndarray],
) -> None:
    ours, _ = series
    curve = np.concatenate([[1.0], np.cumprod(1.0 + ours)])
    bars = load_bars("ETHUSDT")
    elapsed = (int(bars.ts_ns[-1]) - int(bars.ts_ns[0])) / 1e9 / 86_400 / 365
    by_time = returns.cagr(curve, elapsed)
    by_count = float(empyrical.annual_return(ours, **YEAR))
    # Two part days count as days there: the exponent is larger here by days / elapsed days.
    stretch = ours.size / 365 / elapsed
    assert math.log1p(by_time) == pytest.approx(math.log1p(by_count) * stretch, rel=1e-9)
    assert by_time != pytest.approx(by_count, rel=1e-3)


def test_weeks_and_months_agree(series: tuple[np.ndarray, np.ndarray]) -> None:
    bars = load_bars("ETHUSDT")
    days = returns.day_closes(bars.ts_ns + bars.interval_ns, bars.close)
    index = pandas.to_datetime([returns.day_name(day) for day in days.day])
    column = pandas.Series(days.returns, index=index)
    for period, word in (("month", "monthly"), ("week", "weekly"), ("year", "yearly")):
        theirs = empyrical.aggregate_returns(column, word).to_numpy()
        mine = list(returns.compound_by(days.day, days.returns, period).values())
        assert mine == pytest.approx(list(theirs), rel=1e-9)
