"""Every metric against a case worked by hand; the working stands beside the number."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pytest

from veloz.analytics import METRICS, costs, drawdown, exposure, ratios, returns, risk, trades

DAY = 86_400 * 10**9
UP_DOWN = [0.10, -0.05, 0.02, -0.01]
CURVE = [100.0, 120.0, 90.0, 120.0, 108.0]
TIMES = [0, DAY, 2 * DAY, 4 * DAY, 9 * DAY]
NET = [Decimal(x) for x in ("10", "-4", "-6", "0", "20")]
MADE_BY_FILLS = [1, -1]

CASES: list[tuple[Callable[..., Any], tuple[Any, ...], float]] = [
    (returns.total_return, ([80.0, 100.0],), 0.25),  # 100/80 - 1
    (returns.cagr, ([100.0, 400.0], 2.0), 1.0),  # sqrt(4) - 1
    (returns.compound, ([0.5, -0.5],), -0.25),  # 1.5 * 0.5 - 1
    (returns.mean_return, (UP_DOWN,), 0.015),  # 0.06 / 4
    (returns.geometric_mean_return, ([0.21, 0.0],), 0.1),  # sqrt(1.21) - 1
    (returns.best_return, (UP_DOWN,), 0.10),
    (returns.worst_return, (UP_DOWN,), -0.05),
    (returns.win_share, ([0.1, 0.0, -0.1, 0.1],), 0.5),  # the flat day counts
    (returns.mean_gain, (UP_DOWN,), 0.06),  # (0.10 + 0.02) / 2
    (returns.mean_loss, (UP_DOWN,), -0.03),
    (risk.volatility, ([0.01, 0.03],), math.sqrt(0.0002) * math.sqrt(365)),  # s^2 = 2 * 0.01^2
    (risk.downside_deviation, ([0.1, -0.03, -0.04, 0.0],), 0.025 * math.sqrt(365)),  # sqrt(25e-4/4)
    (risk.skewness, ([0.0, 0.0, 3.0],), math.sqrt(3)),  # m3/m2^1.5 = 1/sqrt 2, times sqrt 6
    (risk.excess_kurtosis, ([1.0, 2.0, 3.0, 4.0],), -1.2),  # 3/2 * (5 * (1.64 - 3) + 6)
    (risk.value_at_risk, ([-0.1, -0.05, 0.0, 0.05, 0.1],), -0.09),  # 0.2 of the way to -0.05
    (risk.value_at_risk_normal, ([-0.01, 0.0, 0.01],), -0.01 * 1.6448536269514722),
    (risk.conditional_value_at_risk, ([-0.1, -0.05, 0.0, 0.05, 0.1],), -0.1),  # only -0.1 <= -0.09
    (risk.tail_ratio, ([-0.1, 0.0, 0.3],), 0.27 / 0.09),  # both 0.9 of the way out
    (risk.autocorrelation, ([1.0, 2.0, 3.0, 4.0],), 1.0),
    (ratios.sharpe_ratio, ([0.01, 0.03],), 0.02 / math.sqrt(0.0002) * math.sqrt(365)),
    # S = 0.5, g1 = 0, m4/m2^2 = 1.5 so g2 = -1.5: sqrt((1 + 0.125 * 0.25) / 2)
    (
        partial(ratios.sharpe_standard_error, periods_per_year=1),
        ([-0.01, 0.01, 0.03],),
        math.sqrt(1.03125 / 2),
    ),
    (ratios.probabilistic_sharpe_ratio, ([-0.02, -0.01, 0.01, 0.02],), 0.5),  # mean 0
    (ratios.sortino_ratio, ([0.1, -0.03, -0.04, 0.01],), 0.01 / 0.025 * math.sqrt(365)),
    (ratios.calmar_ratio, (CURVE, 1.0), 0.08 / 0.25),
    (ratios.recovery_factor, (CURVE,), 0.08 / 0.25),
    (ratios.ulcer_performance_index, ([100.0, 80.0, 100.0, 110.0], 1.0), 1.0),  # 0.1 / sqrt(.04/4)
    (ratios.omega_ratio, ([0.03, -0.01, 0.01],), 4.0),  # 0.04 / 0.01
    (ratios.gain_to_pain_ratio, ([0.03, -0.01, 0.01],), 3.0),  # 0.03 / 0.01
    (ratios.beta, ([0.03, -0.01], [0.02, 0.0]), 2.0),  # 0.04 / 0.02
    (
        partial(ratios.alpha, periods_per_year=2),
        ([0.03, -0.01], [0.01, -0.01]),
        1.01**2 - 1 - (1.01**2 - 1) + (1 + 0.01 - 2.0 * 0.0) ** 2 - 1,
    ),
    (ratios.correlation, ([0.03, -0.01, 0.01], [0.02, 0.0, 0.01]), 1.0),
    (
        partial(ratios.tracking_error, periods_per_year=1),
        ([0.03, 0.01], [0.0, 0.0]),
        math.sqrt(2e-4),
    ),
    (
        partial(ratios.information_ratio, periods_per_year=1),
        ([0.03, 0.01], [0.0, 0.0]),
        0.02 / math.sqrt(2e-4),
    ),
    (drawdown.max_drawdown, (CURVE,), -0.25),  # 120 to 90
    (drawdown.average_drawdown, (CURVE,), -0.175),  # (0.25 + 0.10) / 2
    (drawdown.max_drawdown_days, (TIMES, CURVE), 3.0),  # day 1 to day 4
    (drawdown.longest_underwater_days, (TIMES, CURVE), 5.0),  # day 4 to the end
    (drawdown.ulcer_index, ([100.0, 80.0, 100.0, 60.0],), math.sqrt((0.04 + 0.16) / 4)),
    (trades.total, (NET,), 20),
    (trades.trade_count, (NET,), 5),
    (trades.win_rate, (NET,), 0.4),
    (trades.gross_profit, (NET,), 30),
    (trades.gross_loss, (NET,), -10),
    (trades.profit_factor, (NET,), 3.0),
    (trades.mean_win, (NET,), 15),
    (trades.mean_loss, (NET,), -5),
    (trades.payoff_ratio, (NET,), 3.0),
    (trades.expectancy, (NET,), 4),
    (trades.best_trade, (NET,), 20),
    (trades.worst_trade, (NET,), -6),
    (trades.longest_losing_run, (NET,), 2),
    (trades.longest_winning_run, (NET,), 1),
    (trades.top_trade_share, (NET,), 20 / 30),
    (trades.system_quality_number, ([Decimal(3), Decimal(1)],), 2.0),  # 2 / sqrt 2 * sqrt 2
    (trades.kelly_fraction, (NET,), 0.5 - 0.5 / 3),  # the draw is no bet
    (trades.mean_holding, ([10.0, 20.0, 60.0],), 30.0),
    (trades.median_holding, ([10.0, 20.0, 60.0],), 20.0),
    (trades.mean_excursion, ([-0.02, math.nan, -0.04],), -0.03),
    (costs.fees_paid, ([Decimal(3), Decimal(-1)],), 2),
    (costs.rebates, ([Decimal(3), Decimal(-1)],), 1),
    (partial(costs.fees_by_role, maker=True), ([Decimal(3), Decimal(-1)], [False, True]), -1),
    # bought 1 % above 100 (value 1), sold 0.5 % below 200 (value 3): (100 + 150) / 4
    (costs.mean_slippage_bps, (MADE_BY_FILLS, [101.0, 199.0], [100.0, 200.0], [1.0, 3.0]), 62.5),
    (costs.slippage_money, (MADE_BY_FILLS, [101.0, 199.0], [100.0, 200.0], [202.0, 398.0]), 4.0),
    (
        costs.mean_impact_bps,
        ([1, 1], [100.1, 50.0], [100.0, 60.0], [1.0, 9.0], [False, True]),
        10.0,
    ),
    (costs.cost_share_of_gross, (Decimal(50), Decimal(20)), 0.4),
    (costs.break_even_fee_bps, (Decimal(6), Decimal(4), Decimal(10_000)), 10.0),
    (costs.maker_share, ([True, False], [30.0, 10.0]), 0.75),
    (costs.turnover, ([500.0, 500.0], 100.0, 0.5), 20.0),
    (costs.fill_rate, (np.array([True, True, True, False]), np.array([5, 0, 1, 9])), 2 / 3),
    (
        partial(costs.status_rate, wanted="canceled"),
        (np.array([True, True, False]), np.array(["canceled", "filled", "canceled"])),
        0.5,
    ),
    (costs.order_to_fill_ratio, (np.array([True, True, True, False]), 2), 1.5),
    (exposure.time_weighted_mean, ([0, 2, 8], [4.0, 0.0, 99.0]), 1.0),
    (exposure.time_in_market, ([0, 2, 8], [4.0, 0.0, 9.0]), 0.25),
    (exposure.long_share, ([0, 1, 4, 9], [5.0, -5.0, 0.0, 0.0]), 0.25),
    (exposure.mean_leverage, ([0, 1, 4], [4.0, 0.0, 9.0]), 1.0),
    (exposure.max_leverage, ([0.5, 3.0, math.nan],), 3.0),
    (exposure.max_exposure, ([0.5, 3.0],), 3.0),
]


def plain_function(function: Any) -> Any:
    return function.func if isinstance(function, partial) else function


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    CASES,
    ids=[plain_function(case[0]).__name__ for case in CASES],
)
def test_the_figure_is_the_one_worked_by_hand(
    function: Callable[..., Any], arguments: tuple[Any, ...], expected: float
) -> None:
    assert float(function(*arguments)) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_every_metric_of_the_table_has_a_case_worked_by_hand() -> None:
    worked = {plain_function(case[0]) for case in CASES}
    missing = [m.name for m in METRICS if plain_function(m.function) not in worked]
    assert missing == []


def test_every_metric_states_formula_or_meaning_source_and_example() -> None:
    for metric in METRICS:
        text = plain_function(metric.function).__doc__
        assert ">>>" in text, metric.name
        assert metric.better in ("up", "down", "none")
        assert metric.unit in (
            "fraction", "fraction/year", "ratio", "money", "count", "s", "days", "bps", "/year",
        )  # fmt: skip
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@pytest.mark.parametrize("function", [
    returns.mean_return, returns.win_share, risk.volatility, risk.skewness, risk.excess_kurtosis,
    risk.value_at_risk, risk.tail_ratio, ratios.sharpe_ratio, ratios.sortino_ratio,
    ratios.omega_ratio, drawdown.max_drawdown, trades.win_rate, trades.profit_factor,
    trades.payoff_ratio, trades.expectancy, trades.mean_holding,
])  # fmt: skip
def test_nothing_measured_is_not_zero(function: Callable[..., Any]) -> None:
    assert math.isnan(float(function([])))


def test_a_line_that_never_falls_has_unbounded_ratios_not_zero() -> None:
    assert ratios.sortino_ratio([0.01, 0.02]) == math.inf
    assert ratios.calmar_ratio([100.0, 101.0], 1.0) == math.inf
    assert trades.profit_factor([Decimal(1)]) == math.inf
    assert drawdown.average_drawdown([100.0, 101.0]) == 0.0


def test_a_value_that_is_not_a_number_is_refused_with_its_row() -> None:
    with pytest.raises(ValueError, match=r"returns\[1\] is nan"):
        ratios.sharpe_ratio([0.1, math.nan])
    with pytest.raises(ValueError, match="one dimension"):
        risk.volatility([[0.1], [0.2]])
    with pytest.raises(ValueError, match="same periods"):
        ratios.beta([0.1], [0.1, 0.2])


def test_a_year_made_of_minutes_is_not_annualised() -> None:
    assert math.isnan(returns.cagr([100.0, 101.0], years=60 / (365 * 86_400)))
    assert math.isnan(costs.turnover([10.0], 100.0, years=60 / (365 * 86_400)))
