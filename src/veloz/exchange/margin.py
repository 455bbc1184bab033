"""Margin of contracts: tiers, initial margin, liquidation and bankruptcy prices (section 5).

Decisions compare figures with 60 digits; only what is shown is cut. The margin balance less the
maintenance margin is linear in the price (inverse contracts: in its reciprocal) between the
borders of the tiers, so the liquidation price is found segment by segment: the tier that counts is
the one at the liquidation price, not at the mark.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from math import lcm
from typing import NamedTuple

from veloz.errors import ConfigError
from veloz.exchange.holding import Holding, value, worth
from veloz.exchange.ledger import Commitment, Ledger
from veloz.exchange.listing import Listing, Tier
from veloz.exchange.money import ONE, ZERO, cut, ratio
from veloz.exchange.words import Market, PositionSide, Side


class Pool(NamedTuple):
    """Margin of one asset, exact.

    Attributes:
        balance: Cross wallet and unrealised profit of the cross positions.
    """

    balance: Decimal
    maintenance: Decimal
    initial: Decimal
    orders: Decimal
    has_positions: bool

    @property
    def is_broke(self) -> bool:
        """True if the cross positions must be liquidated (A29)."""
        return self.has_positions and self.balance <= self.maintenance

    @property
    def available(self) -> Decimal:
        """What new positions may use, not cut and perhaps negative (A27)."""
        return self.balance - self.initial - self.orders


def check_tiers(listing: Listing) -> None:
    """Raises ConfigError unless the tiers join and the margin is continuous (A28)."""
    floor, amount, previous = ZERO, ZERO, ZERO
    for number, tier in enumerate(listing.tiers, start=1):
        if number > 1:
            amount += floor * (tier.rate - previous)
        if tier.floor != floor or tier.amount != amount or (floor and tier.rate < previous):
            raise ConfigError(
                f"tier {number} of {listing.symbol} starts at {tier.floor} with amount "
                f"{tier.amount}; it must start at {floor} with amount {amount}"
            )
        previous, floor = tier.rate, tier.cap or ZERO
        if (tier.cap is None) != (number == len(listing.tiers)):
            raise ConfigError(f"only the last tier of {listing.symbol} may be without a cap")


def tier_of(listing: Listing, notional: Decimal) -> tuple[int, Tier]:
    """The tier of a notional, counted from 1."""
    for number, tier in enumerate(listing.tiers, start=1):
        if tier.cap is None or notional <= tier.cap:
            return number, tier
    raise ConfigError(f"{listing.symbol} has no maintenance tiers", hint="List it with tiers.")


def maintenance(listing: Listing, notional: Decimal) -> Decimal:
    """Maintenance margin of a notional."""
    _, tier = tier_of(listing, notional)
    return notional * tier.rate - tier.amount


def max_notional(listing: Listing, leverage: int) -> Decimal | None:
    """The largest position that a leverage allows; None for no limit."""
    largest: Decimal | None = ZERO
    for tier in listing.tiers:
        if tier.max_leverage >= leverage:
            largest = tier.cap
    return largest


def notional(ledger: Ledger, symbol: str, holding: Holding) -> Decimal:
    """Exact value of a position at the mark; 0 before the first mark."""
    mark = ledger.marks.get(symbol)
    return ZERO if mark is None else worth(ledger.listings[symbol], holding.qty, mark)


def margined(ledger: Ledger, asset: str) -> list[tuple[str, Holding]]:
    """The cross positions of an asset that have a mark."""
    return [
        (symbol, holding)
        for symbol, _, holding in ledger.held(asset)
        if holding.qty and symbol not in ledger.isolated and symbol in ledger.marks
    ]


def pool(ledger: Ledger, asset: str) -> Pool:
    """Margin of all cross positions and of all orders of an asset."""
    balance, needed = ledger.cross[asset], ZERO
    members = margined(ledger, asset)
    sizes: list[tuple[str, Decimal]] = []
    for symbol, holding in members:
        size = notional(ledger, symbol, holding)
        balance += ledger.unrealised(symbol, holding)
        needed += maintenance(ledger.listings[symbol], size)
        sizes.append((symbol, size))
    symbols = {order.symbol for order in ledger.orders.values()}
    orders = [(s, exposure(ledger, s)) for s in symbols if ledger.listings[s].settle == asset]
    return Pool(balance, needed, leveraged(ledger, sizes), leveraged(ledger, orders), bool(members))


def leveraged(ledger: Ledger, sizes: list[tuple[str, Decimal]]) -> Decimal:
    """The margin of values by symbol, divided once so that thirds add up to a whole."""
    known = [(ledger.leverages[s], size) for s, size in sizes if s in ledger.leverages]
    common = lcm(*(leverage for leverage, _ in known))
    total = sum((size * (common // leverage) for leverage, size in known), ZERO)
    return ratio(total, Decimal(common))


def order_margin(ledger: Ledger, symbol: str) -> Decimal:
    """Margin that the open orders of a contract need beyond its position."""
    return leveraged(ledger, [(symbol, exposure(ledger, symbol))])


def exposure(ledger: Ledger, symbol: str) -> Decimal:
    """Value that the open orders of a contract add to its position (A25)."""
    listing = ledger.listings[symbol]
    if listing.market is Market.SPOT:
        return ZERO
    buys, sells = ZERO, ZERO
    for order in ledger.orders.values():
        if order.symbol == symbol and not order.closes:
            size = worth(listing, order.qty, order.price)
            if order.side is Side.BUY:
                buys += size
            else:
                sells += size
    needed = buys + sells
    if not ledger.hedge:
        holding = ledger.holding(symbol)
        present = notional(ledger, symbol, holding).copy_sign(holding.qty)
        needed = max(abs(present + buys), abs(present - sells)) - abs(present)
    return needed


def open_loss(ledger: Ledger, order: Commitment) -> Decimal:
    """What an order would lose at once if it filled at its price (A26)."""
    mark = ledger.marks.get(order.symbol)
    if mark is None:
        return ZERO
    listing, signed = ledger.listings[order.symbol], order.qty * order.side.sign
    return max(ZERO, value(listing, signed, order.price) - value(listing, signed, mark))


def is_broke(ledger: Ledger, symbol: str, holding: Holding) -> bool:
    """True if an isolated position must be liquidated (A29)."""
    if not holding.qty or symbol not in ledger.isolated or symbol not in ledger.marks:
        return False
    needed = maintenance(ledger.listings[symbol], notional(ledger, symbol, holding))
    return holding.isolated + ledger.unrealised(symbol, holding) <= needed


def broke(ledger: Ledger, asset: str) -> list[tuple[str, PositionSide]]:
    """The isolated positions of an asset that must be liquidated."""
    return [(s, leg) for s, leg, holding in ledger.held(asset) if is_broke(ledger, s, holding)]


class _Backing(NamedTuple):
    """Legs that share the margin, the money behind them, and what others need of it."""

    legs: list[Holding]
    money: Decimal
    needed: Decimal


def _backing(ledger: Ledger, symbol: str, holding: Holding) -> _Backing:
    if symbol in ledger.isolated:
        return _Backing([holding], holding.isolated, ZERO)
    settle = ledger.listings[symbol].settle
    members = margined(ledger, settle)
    money, needed = ledger.cross[settle], ZERO
    for name, other in members:
        if name != symbol:
            money += ledger.unrealised(name, other)
            needed += maintenance(ledger.listings[name], notional(ledger, name, other))
    return _Backing([h for name, h in members if name == symbol], money, needed)


def liquidation_price(ledger: Ledger, symbol: str, holding: Holding) -> Decimal | None:
    """The price that liquidates a position while other marks stay; None if none does (A30)."""
    listing = ledger.listings[symbol]
    legs, money, needed = _backing(ledger, symbol, holding)
    # With x the price (inverse: its reciprocal), each leg is worth unit * x; the spare margin is
    # money - needed - costs + (sum of units) * x - (sum of rates * sizes) * x + amounts.
    sign = -ONE if listing.is_inverse else ONE
    units = [sign * leg.qty * listing.contract_size for leg in legs]
    free = money - needed - sum((leg.cost for leg in legs), ZERO)
    low = ZERO
    for high in _borders(listing, units):
        inside = low + ONE if high is None else ratio(low + high, Decimal(2))
        slope, constant = sum(units, ZERO), free
        for unit in units:
            _, tier = tier_of(listing, abs(unit) * inside)
            slope -= abs(unit) * tier.rate
            constant += tier.amount
        if slope:
            x = ratio(-constant, slope)
            if x > low and (high is None or x <= high):
                return ratio(ONE, x) if listing.is_inverse else x
        if high is not None:
            low = high
    return None


def _borders(listing: Listing, units: Iterable[Decimal]) -> list[Decimal | None]:
    """Where a leg changes its tier, in ascending order, then None."""
    caps = [tier.cap for tier in listing.tiers if tier.cap is not None]
    found = {ratio(cap, abs(unit)) for cap in caps for unit in units}
    return [*sorted(found), None]


def bankruptcy_price(ledger: Ledger, symbol: str, holding: Holding) -> Decimal | None:
    """The price at which nothing is left of a position's money; None if there is none (A31)."""
    listing = ledger.listings[symbol]
    legs, money, _ = _backing(ledger, symbol, holding)
    left = money - sum((leg.cost for leg in legs), ZERO)
    sign = -ONE if listing.is_inverse else ONE
    unit = sum((sign * leg.qty * listing.contract_size for leg in legs), ZERO)
    if not unit or not left or (left > 0) == (unit > 0):
        return None
    return ratio(unit, -left) if listing.is_inverse else ratio(-left, unit)


def removable(ledger: Ledger, symbol: str, holding: Holding) -> Decimal:
    """The most that may leave an isolated position's wallet (A20)."""
    listing = ledger.listings[symbol]
    size = notional(ledger, symbol, holding)
    scale = ledger.scale(listing.settle)
    initial = ratio(size, Decimal(ledger.leverages[symbol]))
    spare = min(
        holding.isolated - maintenance(listing, size),
        holding.isolated + ledger.unrealised(symbol, holding) - initial,
    )
    return max(ZERO, cut(spare, scale))
