"""Margin of the oracle's positions, found by solving, not by the closed formula.

The margin balance less the maintenance margin is linear between the borders of the tiers, in the
price (linear contracts) or in its inverse (inverse ones). The liquidation price is where it is
zero: each segment is evaluated at its ends and interpolated.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from oracle.books import ZERO, Book
from oracle.ledger import Ledger
from oracle.money import COST_DECIMALS, cut, exact, shown


def maintenance(ledger: Ledger, instrument: str, notional: Fraction) -> tuple[int, Fraction]:
    """The tier (from 1) of a notional and its exact maintenance margin."""
    for index, tier in enumerate(ledger.instruments[instrument]["tiers"]):
        if tier["cap"] is None or notional <= exact(tier["cap"]):
            return index + 1, notional * exact(tier["rate"]) - exact(tier["amount"])
    raise ValueError(f"{instrument} has no tier for {notional}")


def notional(ledger: Ledger, instrument: str, book: Book) -> Fraction:
    """Exact value at the mark."""
    return abs(ledger.value(instrument, book.qty, ledger.marks[instrument]))


def _cross(ledger: Ledger, asset: str) -> list[tuple[str, Book]]:
    return [
        (name, book)
        for name, _, book in ledger.held(asset)
        if book.qty and name not in ledger.isolated and name in ledger.marks
    ]


def _pool(ledger: Ledger, instrument: str, book: Book) -> tuple[list[Book], Fraction, Fraction]:
    """Legs that share the margin, the money behind them, and what others need of it."""
    if instrument in ledger.isolated:
        return [book], book.isolated, ZERO
    settle = ledger.instruments[instrument]["settle"]
    members = _cross(ledger, settle)
    others = [(name, b) for name, b in members if name != instrument]
    money = ledger.cross[settle] + sum((ledger.unrealised(n, b) for n, b in others), ZERO)
    needed = sum((maintenance(ledger, n, notional(ledger, n, b))[1] for n, b in others), ZERO)
    return [b for name, b in members if name == instrument], money, needed


def liquidation_price(ledger: Ledger, instrument: str, book: Book) -> Fraction | None:
    """The price at which the pool must be liquidated; None if there is none."""
    legs, money, needed = _pool(ledger, instrument, book)
    inverse = ledger.instruments[instrument]["kind"] == "inverse"
    sizes = [abs(ledger.value(instrument, leg.qty, Fraction(1))) for leg in legs]

    def spare(x: Fraction) -> Fraction:
        price = 1 / x if inverse else x
        total = money - needed
        for leg, size in zip(legs, sizes, strict=True):
            total += ledger.value(instrument, leg.qty, price) - leg.cost
            total -= maintenance(ledger, instrument, size * x)[1]
        return total

    caps = [exact(t["cap"]) for t in ledger.instruments[instrument]["tiers"] if t["cap"]]
    borders = sorted({cap / size for cap in caps for size in sizes})
    segments = [*zip([ZERO, *borders], [*borders, None], strict=True)]
    for low, high in segments:
        # Two points inside the segment fix its line; the border belongs to the lower tier.
        b = high if high is not None else 2 * low + 1
        a = (low + b) / 2
        fa, fb = spare(a), spare(b)
        if fa == fb:
            continue
        root = a - fa * (b - a) / (fb - fa)
        if root > low and (high is None or root <= high):
            return 1 / root if inverse else root
    return None


def bankruptcy_price(ledger: Ledger, instrument: str, book: Book) -> Fraction | None:
    """The price at which nothing is left; None if there is none."""
    legs, money, _ = _pool(ledger, instrument, book)
    left = money - sum((leg.cost for leg in legs), ZERO)
    unit = sum((ledger.value(instrument, leg.qty, Fraction(1)) for leg in legs), ZERO)
    if unit == 0 or left == 0:
        return None
    x = -left / unit
    if x <= 0:
        return None
    return 1 / x if ledger.instruments[instrument]["kind"] == "inverse" else x


def order_margin(ledger: Ledger, instrument: str) -> Fraction:
    """Margin that the open orders of an instrument need beyond its position."""
    if instrument not in ledger.leverages:
        return ZERO
    sums = {"buy": ZERO, "sell": ZERO}
    for order in ledger.orders.values():
        if order.instrument == instrument and order.opens:
            sums[order.side] += abs(ledger.value(instrument, order.qty, order.price))
    needed = sums["buy"] + sums["sell"]
    if not ledger.hedge:
        book = ledger.position(instrument)
        present = ZERO
        if instrument in ledger.marks and book.qty:
            present = notional(ledger, instrument, book) * (1 if book.qty > 0 else -1)
        needed = max(abs(present + sums["buy"]), abs(present - sums["sell"])) - abs(present)
    return needed / ledger.leverages[instrument]


def position_figures(ledger: Ledger, instrument: str, book: Book) -> dict[str, Any]:
    """What a vector states about the margin of a position."""
    spec = ledger.instruments[instrument]
    decimals, price_decimals = ledger.scales[spec["settle"]], spec["price_scale"] + 6
    value = notional(ledger, instrument, book)
    tier, needed = maintenance(ledger, instrument, value)
    figures: dict[str, Any] = {
        "notional": cut(value, COST_DECIMALS),
        "tier": tier,
        "maintenance_margin": cut(needed, decimals),
        "liquidation_price": shown(liquidation_price(ledger, instrument, book), price_decimals),
        "bankruptcy_price": shown(bankruptcy_price(ledger, instrument, book), price_decimals),
    }
    if instrument in ledger.leverages:
        figures["initial_margin"] = cut(value / ledger.leverages[instrument], decimals)
    return figures


def pool_figures(ledger: Ledger, asset: str) -> dict[str, Any]:
    """What a vector states about the margin of a currency."""
    decimals = ledger.scales[asset]
    members = _cross(ledger, asset)
    balance = ledger.cross[asset] + sum((ledger.unrealised(n, b) for n, b in members), ZERO)
    needed = sum((maintenance(ledger, n, notional(ledger, n, b))[1] for n, b in members), ZERO)
    initial = sum(
        (notional(ledger, n, b) / ledger.leverages[n] for n, b in members if n in ledger.leverages),
        ZERO,
    )
    orders = sum(
        (
            order_margin(ledger, name)
            for name, spec in ledger.instruments.items()
            if spec["kind"] != "spot" and spec["settle"] == asset
        ),
        ZERO,
    )
    broke = [
        f"{name}:{leg}"
        for name, leg, book in ledger.held(asset)
        if book.qty
        and name in ledger.isolated
        and name in ledger.marks
        and book.isolated + ledger.unrealised(name, book)
        <= maintenance(ledger, name, notional(ledger, name, book))[1]
    ]
    return {
        "cross_wallet": ledger.cross[asset],
        "cross_margin_balance": balance,
        "cross_maintenance_margin": cut(needed, decimals),
        "cross_position_initial_margin": cut(initial, decimals),
        "open_order_initial_margin": cut(orders, decimals),
        "available": max(ZERO, cut(balance - initial - orders, decimals)),
        "cross_liquidatable": bool(members) and balance <= needed,
        "isolated_liquidatable": broke,
    }
