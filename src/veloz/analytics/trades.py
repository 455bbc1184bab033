"""Trade quality: what round trips earned, how often, how long and how bumpy.

The functions take net profits (after fees and funding) as exact `Decimal`s, one per closed round
trip in order of exit, so that sums of money have no rounding; what is a ratio is a float.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Context, Decimal, localcontext

import numpy as np
from numpy.typing import ArrayLike

from veloz.analytics.roundtrips import RoundTrip
from veloz.analytics.run_tables import Bars
from veloz.analytics.vectors import Floats, finite_vector

Profits = Sequence[Decimal]
_EXACT = Context(prec=80)
_MEAN_STEP = Decimal("1e-12")


def total(amounts: Profits) -> Decimal:
    """Exact sum; 0 for none.

    >>> total([Decimal("0.1"), Decimal("0.2")])
    Decimal('0.3')
    """
    with localcontext(_EXACT):
        return sum(amounts, Decimal(0))


def trade_count(net: Profits) -> int:
    """Closed round trips.

    >>> trade_count([Decimal(1), Decimal(-1)])
    2
    """
    return len(net)


def win_rate(net: Profits) -> float:
    r"""Share of trades with a profit after costs: $\#\{p_i > 0\} / n$; a draw is no win.

    Returns:
        Fraction; `nan` for no trades.

    Source:
        Usage of the field (freqtrade, backtesting.py), net of costs.

    >>> win_rate([Decimal(3), Decimal(-1), Decimal(0), Decimal(2)])
    0.5
    """
    return sum(p > 0 for p in net) / len(net) if net else math.nan


def gross_profit(net: Profits) -> Decimal:
    """Sum of the winning trades; money, 0 for none.

    >>> gross_profit([Decimal(3), Decimal(-1)])
    Decimal('3')
    """
    return total([p for p in net if p > 0])


def gross_loss(net: Profits) -> Decimal:
    """Sum of the losing trades; money, zero or negative.

    >>> gross_loss([Decimal(3), Decimal(-1)])
    Decimal('-1')
    """
    return total([p for p in net if p < 0])


def profit_factor(net: Profits) -> float:
    r"""Money won over money lost: $\sum_{p_i>0} p_i / |\sum_{p_i<0} p_i|$.

    Returns:
        Dimensionless; `nan` without trades or with only draws, `inf` without a loss.

    Source:
        Usage of the field; Aronson (2006), "Evidence-Based Technical Analysis".

    >>> profit_factor([Decimal(3), Decimal(-1), Decimal(-1)])
    1.5
    """
    won, lost = gross_profit(net), gross_loss(net)
    if lost == 0:
        return math.inf if won > 0 else math.nan
    return float(won / -lost)


def mean_win(net: Profits) -> Decimal:
    """Mean of the winning trades, to 12 decimals; money, NaN if there is none.

    >>> float(mean_win([Decimal(3), Decimal(-1), Decimal(2)]))
    2.5
    """
    return _mean([p for p in net if p > 0])


def mean_loss(net: Profits) -> Decimal:
    """Mean of the losing trades, to 12 decimals; money, NaN if there is none.

    >>> float(mean_loss([Decimal(3), Decimal(-1), Decimal(-2)]))
    -1.5
    """
    return _mean([p for p in net if p < 0])


def payoff_ratio(net: Profits) -> float:
    r"""Mean win over mean loss: $\bar p_{+} / |\bar p_{-}|$.

    Returns:
        Dimensionless; `nan` unless there is a win and a loss.

    Source:
        Usage of the field ("average win/loss").

    >>> payoff_ratio([Decimal(3), Decimal(-1), Decimal(-2)])
    2.0
    """
    return float(mean_win(net) / -mean_loss(net))


def expectancy(net: Profits) -> Decimal:
    r"""Mean profit of a trade: $\frac1n\sum p_i$; equals $w\bar p_{+} - l|\bar p_{-}|$.

    Returns:
        Money, to 12 decimals; NaN for no trades.

    Source:
        Tharp (1998), "Trade Your Way to Financial Freedom" (in money, not in R).

    >>> float(expectancy([Decimal(3), Decimal(-1), Decimal(-2), Decimal(4)]))
    1.0
    """
    return _mean(net)


def best_trade(net: Profits) -> Decimal:
    """Largest net profit; money, NaN for no trades.

    >>> best_trade([Decimal(3), Decimal(-1)])
    Decimal('3')
    """
    return max(net, default=Decimal("NaN"))


def worst_trade(net: Profits) -> Decimal:
    """Smallest net profit; money, NaN for no trades.

    >>> worst_trade([Decimal(3), Decimal(-1)])
    Decimal('-1')
    """
    return min(net, default=Decimal("NaN"))


def longest_losing_run(net: Profits) -> int:
    """Most losing trades in a row, in order of exit; a draw ends a run.

    >>> longest_losing_run([Decimal(-1), Decimal(-1), Decimal(0), Decimal(-1)])
    2
    """
    return _longest([p < 0 for p in net])


def longest_winning_run(net: Profits) -> int:
    """Most winning trades in a row, in order of exit; a draw ends a run.

    >>> longest_winning_run([Decimal(1), Decimal(1), Decimal(-1)])
    2
    """
    return _longest([p > 0 for p in net])


def top_trade_share(net: Profits) -> float:
    r"""Share of the money won that the best trade earned: $\max p_i / \sum_{p_i>0} p_i$.

    Returns:
        Fraction; near 1 the result is one event. `nan` without a win.

    Source:
        Ours; compare the outlier ratios of quantstats.

    >>> top_trade_share([Decimal(3), Decimal(1), Decimal(-9)])
    0.75
    """
    won = gross_profit(net)
    return float(max(net) / won) if won > 0 else math.nan


def system_quality_number(net: Profits) -> float:
    r"""Mean over deviation of trade profits, times root n: $\sqrt n\,\bar p / s_p$.

    It is the t statistic of the mean profit, if trades were independent.

    Returns:
        Dimensionless; `nan` if n < 2 or all are equal.

    Source:
        Tharp (2008), "Definitive Guide to Position Sizing" (there n is capped at 100).

    >>> system_quality_number([Decimal(3), Decimal(1)])
    2.0
    """
    values = np.array([float(p) for p in net])
    if values.size < 2 or np.ptp(values) == 0.0:
        return math.nan
    return float(values.mean() / values.std(ddof=1)) * math.sqrt(values.size)


def kelly_fraction(net: Profits) -> float:
    r"""Kelly's stake for a bet with this win rate and payoff: $w - (1-w)/b$.

    A description of the sample, not advice: it is very sensitive to its inputs.

    Returns:
        Fraction of capital, negative if the edge is; `nan` unless there is a win and a loss.

    Source:
        Kelly (1956), Bell System Technical Journal 35(4); b is `payoff_ratio`.

    >>> kelly_fraction([Decimal(2), Decimal(-1)])
    0.25
    """
    payoff = payoff_ratio(net)
    if math.isnan(payoff):
        return math.nan
    wins = sum(p > 0 for p in net) / sum(p != 0 for p in net)
    return wins - (1.0 - wins) / payoff


def mean_holding(holding_s: ArrayLike) -> float:
    """Mean holding time of the closed trades; seconds, `nan` for none.

    >>> mean_holding([60.0, 120.0])
    90.0
    """
    values = finite_vector(holding_s, "holding_s")
    return float(values.mean()) if values.size else math.nan


def median_holding(holding_s: ArrayLike) -> float:
    """Median holding time of the closed trades; seconds, `nan` for none.

    >>> median_holding([60.0, 120.0, 600.0])
    120.0
    """
    values = finite_vector(holding_s, "holding_s")
    return float(np.median(values)) if values.size else math.nan


def mean_excursion(excursions: ArrayLike) -> float:
    """Mean of the excursions that are known; fraction of the entry price, `nan` for none.

    >>> mean_excursion([-0.01, float("nan"), -0.03])
    -0.02
    """
    values = np.asarray(excursions, dtype=np.float64)
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


def excursions(trip: RoundTrip, bars: Bars | None) -> tuple[float, float]:
    r"""Maximum adverse and favourable excursion: how far price went against and for a trade.

    $$ MAE = \min_t s\,(p_t / p_0 - 1), \quad MFE = \max_t s\,(p_t / p_0 - 1) $$

    over the bars that lie wholly inside the holding time, and the exit price. The bars of the
    entry and of the exit also hold prices from outside the trade and are left out, so the true
    excursion is at least this large.

    Args:
        trip: A closed round trip; $p_0$ is its average entry price, s its side.
        bars: Candles of its instrument.

    Returns:
        (MAE <= 0, MFE >= 0), fractions of the entry price; NaN while open or without bars.

    Source:
        Sweeney (1996), "Maximum Adverse Excursion".

    >>> from dataclasses import replace
    >>> d = Decimal(1)
    >>> trip = RoundTrip("X", "", "", 1, 0, 30, d, 100.0, 101.0, d, d, d, d, 2, "", "", False)
    >>> one = np.array([98.0])
    ... two = np.array([104.0])
    >>> low, high = excursions(trip, Bars(np.array([10]), 10, one, two, one, two, one))
    >>> round(low, 4), round(high, 4)
    (-0.02, 0.04)
    """
    if trip.is_open or bars is None or not bars.ts_ns.size or trip.entry_price <= 0.0:
        return math.nan, math.nan
    start = int(np.searchsorted(bars.ts_ns, trip.entry_ts, side="left"))
    end = int(np.searchsorted(bars.ts_ns, trip.exit_ts - bars.interval_ns, side="right"))
    low = high = trip.exit_price
    if end > start:
        low = min(low, float(bars.low[start:end].min()))
        high = max(high, float(bars.high[start:end].max()))
    against, for_it = (low, high) if trip.side > 0 else (high, low)
    mae = trip.side * (against / trip.entry_price - 1.0)
    mfe = trip.side * (for_it / trip.entry_price - 1.0)
    return min(mae, 0.0), max(mfe, 0.0)


def holdings(trips: Sequence[RoundTrip]) -> Floats:
    """Holding times of the closed trips, seconds."""
    return np.array([trip.holding_s for trip in trips if not trip.is_open])


def _mean(amounts: Profits) -> Decimal:
    if not amounts:
        return Decimal("NaN")
    with localcontext(_EXACT):
        return (total(amounts) / len(amounts)).quantize(_MEAN_STEP)


def _longest(flags: Sequence[bool]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest
