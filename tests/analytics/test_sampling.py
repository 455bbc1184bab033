"""Equity by day, week and month: midnight, gaps, part days, ruin."""

from __future__ import annotations

import numpy as np
import pytest

from veloz.analytics.drawdown import top_drawdowns
from veloz.analytics.returns import compound_by, day_closes

HOUR = 3600 * 10**9
DAY = 24 * HOUR


def test_a_point_at_midnight_closes_the_day_before() -> None:
    days = day_closes([0, DAY, 2 * DAY], [100.0, 110.0, 121.0])
    assert days.day.tolist() == [0, 1]
    assert days.returns == pytest.approx([0.1, 0.1])


def test_a_day_without_a_point_carries_the_value_on() -> None:
    days = day_closes([0, HOUR, 2 * DAY + HOUR], [100.0, 110.0, 99.0])
    assert days.returns == pytest.approx([0.1, 0.0, -0.1])


def test_a_run_inside_a_day_is_one_day() -> None:
    days = day_closes([5 * HOUR, 6 * HOUR], [100.0, 101.0])
    assert days.returns == pytest.approx([0.01])


def test_the_series_ends_with_ruin() -> None:
    days = day_closes([0, DAY, 2 * DAY, 3 * DAY], [100.0, 50.0, -1.0, 40.0])
    assert days.returns == pytest.approx([-0.5, -1.02])


def test_one_point_or_no_time_gives_no_day() -> None:
    assert day_closes([5], [100.0]).day.size == 0
    assert day_closes([5, 5], [100.0, 101.0]).day.size == 0


def test_times_that_decrease_are_refused() -> None:
    with pytest.raises(ValueError, match="decrease"):
        day_closes([2, 1], [1.0, 1.0])


def test_compounding_by_period_keeps_the_whole() -> None:
    noise = np.random.default_rng(7).normal(0.0, 0.02, 500)
    days = np.arange(19_000, 19_500)
    for period in ("week", "month", "year"):
        parts = np.array(list(compound_by(days, noise, period).values()))
        assert np.prod(1.0 + parts) == pytest.approx(np.prod(1.0 + noise), rel=1e-12)


def test_weeks_begin_on_monday_and_follow_iso_at_new_year() -> None:
    # 1970-01-01 was a Thursday of ISO week 1; Monday the 5th begins week 2.
    assert list(compound_by(np.array([3, 4]), [0.0, 0.0], "week")) == ["1970-W01", "1970-W02"]


def test_an_unfinished_drawdown_says_so() -> None:
    (found,) = top_drawdowns([100.0, 80.0, 90.0])
    assert (found.peak, found.trough, found.recovery, found.money) == (0, 1, -1, -20.0)
