"""What trading cost, and how well orders were executed: fees, slippage, impact, fill rates.

Slippage is signed as a cost: positive hurts. The parts add up, per fill and in bps of the mid:
slippage against the arrival mid = half spread (mid to touch) + impact (touch to price).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from veloz.analytics.trades import Profits, total
from veloz.analytics.vectors import Floats

BPS = 1e4


def signed_cost_bps(side: ArrayLike, price: ArrayLike, reference: ArrayLike) -> Floats:
    r"""Cost of each fill against a reference price: $s_i (p_i / m_i - 1) \cdot 10^4$.

    Args:
        side: Shape (n,), +1 bought, -1 sold.
        price: Shape (n,), fill prices.
        reference: Shape (n,), mid at arrival, decision price or touch; NaN (or not
            positive) if unknown.

    Returns:
        Shape (n,), bps, positive is worse than the reference; NaN where that is unknown.

    Source:
        Perold (1988), "The Implementation Shortfall", Journal of Portfolio Management 14(3).

    >>> signed_cost_bps([1, -1], [101.0, 99.0], [100.0, 100.0]).round(6).tolist()
    [100.0, 100.0]
    """
    signs, prices = np.asarray(side, np.float64), np.asarray(price, np.float64)
    known = np.asarray(reference, np.float64)
    return signs * (prices / np.where(known > 0.0, known, np.nan) - 1.0) * BPS


def mean_slippage_bps(
    side: ArrayLike, price: ArrayLike, reference: ArrayLike, value: ArrayLike
) -> float:
    r"""Value-weighted slippage: $\sum v_i c_i / \sum v_i$ over the fills with a known reference.

    Against the mid at arrival it is what the book and the queue cost (a maker's is negative);
    against the decision price it also holds the drift during latency.

    Args:
        side: As in `signed_cost_bps`.
        price: As in `signed_cost_bps`.
        reference: As in `signed_cost_bps`.
        value: Shape (n,), value of each fill in one currency.

    Returns:
        bps, positive is a cost; `nan` if no reference is known.

    Source:
        Perold (1988); Kissell (2014), "The Science of Algorithmic Trading", ch. 3.

    >>> round(mean_slippage_bps([1, 1], [101.0, 100.0], [100.0, 100.0], [1.0, 3.0]), 6)
    25.0
    """
    return _weighted(signed_cost_bps(side, price, reference), value)


def mean_impact_bps(
    side: ArrayLike,
    price: ArrayLike,
    touch: ArrayLike,
    value: ArrayLike,
    is_maker: ArrayLike,
) -> float:
    r"""Value-weighted distance from the best opposite price to the price paid, takers only.

    $$ \sum v_i\, s_i (p_i / t_i - 1) \cdot 10^4 \,/\, \sum v_i $$

    It is the cost of size: what walking the book, or the slippage model, took beyond the touch.

    Args:
        side: As in `mean_slippage_bps`.
        price: As in `mean_slippage_bps`.
        value: As in `mean_slippage_bps`.
        touch: Shape (n,), best price of the other side at arrival; NaN if unknown.
        is_maker: Shape (n,), makers have no such cost and are left out.

    Returns:
        bps; `nan` if no taker fill has a known touch.

    Source:
        Almgren & Chriss (2000), temporary impact; measured as in Kissell (2014), ch. 4.

    >>> round(mean_impact_bps([1, 1], [100.1, 99.0], [100.0, 99.5], [1.0, 1.0], [False, True]), 4)
    10.0
    """
    taker = ~np.asarray(is_maker, dtype=bool)
    costs = signed_cost_bps(side, price, touch)
    return _weighted(costs[taker], np.asarray(value, np.float64)[taker])


def slippage_money(
    side: ArrayLike, price: ArrayLike, reference: ArrayLike, value: ArrayLike
) -> float:
    r"""Slippage in money: $\sum s_i (1 - m_i / p_i)\, v_i$, with $v_i$ valued at the fill price.

    Returns:
        In the currency of `value`, positive is a cost, over the fills with a known reference;
        `nan` if none is known. A statistic, so a float.

    Source:
        Perold (1988).

    >>> round(slippage_money([1], [101.0], [100.0], [202.0]), 6)
    2.0
    """
    signs, prices = np.asarray(side, np.float64), np.asarray(price, np.float64)
    lost = signs * (1.0 - np.asarray(reference, np.float64) / prices)
    lost = lost * np.asarray(value, np.float64)
    known = np.isfinite(lost)
    return float(lost[known].sum()) if known.any() else math.nan


def fees_paid(fees: Profits) -> Decimal:
    """Fees net of rebates: the sum of all; money, positive is paid.

    >>> fees_paid([Decimal("1.5"), Decimal("-0.5")])
    Decimal('1.0')
    """
    return total(fees)


def rebates(fees: Profits) -> Decimal:
    """Rebates received: the negative fees, as a positive amount of money.

    >>> rebates([Decimal("1.5"), Decimal("-0.5")])
    Decimal('0.5')
    """
    return -total([fee for fee in fees if fee < 0]) + 0


def fees_by_role(fees: Profits, is_maker: Sequence[bool], maker: bool) -> Decimal:
    """Fees net of rebates of the maker or of the taker fills; money.

    >>> fees_by_role([Decimal(1), Decimal(2)], [True, False], maker=True)
    Decimal('1')
    """
    return total([fee for fee, role in zip(fees, is_maker, strict=True) if bool(role) == maker])


def cost_share_of_gross(gross: Decimal, costs: Decimal) -> float:
    r"""Share of the profit before costs that costs took: $C / G$.

    Args:
        gross: Profit of the trades before fees and funding.
        costs: Fees less funding received.

    Returns:
        Fraction; above 1 costs ate the edge; `nan` unless gross is positive.

    Source:
        Ours.

    >>> cost_share_of_gross(Decimal(10), Decimal(4))
    0.4
    """
    return float(costs / gross) if gross > 0 else math.nan


def break_even_fee_bps(net: Decimal, fees: Decimal, volume: Decimal) -> float:
    r"""Average fee at which the run would have earned nothing: $(P + F) / V \cdot 10^4$.

    Args:
        net: Profit after all costs.
        fees: Fees paid, net of rebates.
        volume: Value traded, both sides.

    Returns:
        bps of value traded, negative if even free trading would lose; `nan` without volume.
        First order: it holds the trades as they were.

    Source:
        Ours.

    >>> break_even_fee_bps(Decimal(6), Decimal(4), Decimal(10_000))
    10.0
    """
    return float((net + fees) / volume) * BPS if volume > 0 else math.nan


def maker_share(is_maker: ArrayLike, value: ArrayLike) -> float:
    r"""Share of the value traded that was resting: $\sum_{maker} v_i / \sum v_i$.

    Returns:
        Fraction; `nan` without fills.

    Source:
        Usage of the field.

    >>> maker_share([True, False], [3.0, 1.0])
    0.75
    """
    values = np.asarray(value, np.float64)
    whole = float(values.sum())
    return float(values[np.asarray(is_maker, bool)].sum()) / whole if whole > 0.0 else math.nan


def turnover(value: ArrayLike, mean_equity: float, years: float) -> float:
    r"""How many times a year equity is traded: $\sum v_i / (\bar E\, Y)$, both sides counted.

    Args:
        value: Shape (n,), value of each fill.
        mean_equity: Time-weighted mean equity, same currency.
        years: Y.

    Returns:
        Per year; `nan` if less than one day passed or mean equity is not positive.

    Source:
        Kissell (2014); two-sided.

    >>> turnover([50.0, 50.0], 100.0, 1.0)
    1.0
    """
    if years * 365.0 < 1.0 or not mean_equity > 0.0:
        return math.nan
    return float(np.sum(np.asarray(value, np.float64))) / mean_equity / years


def fill_rate(sent: NDArray[np.bool_], filled_qty: NDArray[np.int64]) -> float:
    r"""Share of the orders that were sent and traded at all: $\#\{f_i > 0\} / \#sent$.

    Args:
        sent: Shape (n,), true if the order left.
        filled_qty: Shape (n,), what traded.

    Returns:
        Fraction; `nan` if none was sent.

    Source:
        Usage of the field; counts orders, not quantity.

    >>> fill_rate(np.array([True, True, False]), np.array([5, 0, 0]))
    0.5
    """
    count = int(sent.sum())
    return int((np.asarray(filled_qty)[sent] > 0).sum()) / count if count else math.nan


def status_rate(sent: NDArray[np.bool_], status: NDArray[np.str_], wanted: str) -> float:
    r"""Share of the sent orders that ended in a status: $\#\{s_i = w\} / \#sent$.

    With `canceled` it is the cancel rate (an order that was partly filled and then cancelled
    counts here and in the fill rate); with `rejected` the venue's reject rate.

    Returns:
        Fraction; `nan` if none was sent.

    Source:
        Usage of the field.

    >>> status_rate(np.array([True, True]), np.array(["canceled", "filled"]), "canceled")
    0.5
    """
    count = int(sent.sum())
    return int((np.asarray(status)[sent] == wanted).sum()) / count if count else math.nan


def order_to_fill_ratio(sent: NDArray[np.bool_], fills: int) -> float:
    """Orders sent per fill; `nan` without fills or orders. Venues and regulators limit it.

    Source:
        MiFID II RTS 9 (order-to-trade ratio, by number).

    >>> order_to_fill_ratio(np.array([True, True, True]), 2)
    1.5
    """
    return int(sent.sum()) / fills if fills and sent.size else math.nan


def _weighted(costs: Floats, value: ArrayLike) -> float:
    weights = np.asarray(value, np.float64)
    known = np.isfinite(costs) & np.isfinite(weights)
    whole = float(weights[known].sum())
    return float(np.dot(costs[known], weights[known])) / whole if whole > 0.0 else math.nan
