"""Listings to begin with: symbols with limits like those of a large venue in 2026.

The numbers are an example of the shape, not a copy of a day; a recording's own limits replace them.
"""

from __future__ import annotations

from decimal import Decimal

from veloz.exchange.listing import Listing, Lot, PercentPrice, Tier
from veloz.exchange.money import ZERO
from veloz.exchange.words import ContractType, Market, OrderType, StpMode, TimeInForce

_FIXED_TYPES = frozenset(
    {
        OrderType.LIMIT,
        OrderType.MARKET,
        OrderType.STOP_MARKET,
        OrderType.STOP_LIMIT,
        OrderType.TAKE_PROFIT_MARKET,
        OrderType.TAKE_PROFIT_LIMIT,
    }
)
_SPOT_TYPES = _FIXED_TYPES | {OrderType.LIMIT_MAKER}
_CONTRACT_TYPES = _FIXED_TYPES | {OrderType.TRAILING_STOP}
_SPOT_TIFS = frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK})
_CONTRACT_STP = frozenset(
    {StpMode.NONE, StpMode.EXPIRE_TAKER, StpMode.EXPIRE_MAKER, StpMode.EXPIRE_BOTH}
)
# First cap of each market's tiers, and how the rest grow: cap factor, rate, largest leverage.
_STEPS = (
    (1, "0.004", 125),
    (10, "0.005", 100),
    (60, "0.01", 50),
    (240, "0.025", 20),
    (800, "0.05", 10),
    (2000, "0.1", 5),
)


def spot(
    symbol: str, base: str, quote: str, *, tick: str = "0.01", step: str = "0.00001"
) -> Listing:
    """A spot symbol."""
    size, lot = Decimal(tick), Decimal(step)
    return Listing(
        Market.SPOT,
        symbol,
        base,
        quote,
        quote,
        tick=size,
        min_price=size,
        max_price=Decimal(1_000_000),
        lot=Lot(lot, Decimal(9000), lot),
        market_lot=Lot(ZERO, Decimal(100), ZERO),
        pair=symbol,
        min_notional=Decimal(5),
        max_notional=Decimal(9_000_000),
        percent_price=PercentPrice(Decimal(5), Decimal("0.2"), Decimal(5), Decimal("0.2")),
        order_types=_SPOT_TYPES,
        times_in_force=_SPOT_TIFS,
    )


def usdm(
    symbol: str,
    base: str,
    quote: str = "USDT",
    *,
    tick: str = "0.1",
    step: str = "0.001",
    delivery_ns: int | None = None,
) -> Listing:
    """A linear contract; a dated one with `delivery_ns`."""
    return _contract(
        (Market.USDM, symbol, base, quote, quote),
        (tick, step, "1", "1000"),
        first_cap=50_000,
        delivery_ns=delivery_ns,
    )


def coinm(
    symbol: str, base: str, *, tick: str = "0.1", face: str = "100", delivery_ns: int | None = None
) -> Listing:
    """An inverse contract with a face value in USD; a dated one with `delivery_ns`."""
    return _contract(
        (Market.COINM, symbol, base, "USD", base),
        (tick, "1", face, "1000000"),
        first_cap=5,
        delivery_ns=delivery_ns,
    )


def _contract(
    names: tuple[Market, str, str, str, str],
    units: tuple[str, str, str, str],
    *,
    first_cap: int,
    delivery_ns: int | None,
) -> Listing:
    market, symbol, base, quote, settle = names
    tick, step, size, largest = (Decimal(unit) for unit in units)
    dated = ContractType.CURRENT_QUARTER
    up, down = Decimal("1.05"), Decimal("0.95")
    return Listing(
        market,
        symbol,
        base,
        quote,
        settle,
        tick=tick,
        min_price=tick,
        max_price=Decimal(4_529_764),
        lot=Lot(step, largest, step),
        market_lot=Lot(step, largest, step),
        pair=base + quote,
        contract_type=ContractType.PERPETUAL if delivery_ns is None else dated,
        contract_size=size,
        min_notional=Decimal(5) if market is Market.USDM else ZERO,
        percent_price=PercentPrice(up, down, up, down, by_side=False),
        price_precision=_places(tick),
        qty_precision=_places(step),
        order_types=_CONTRACT_TYPES,
        times_in_force=frozenset(TimeInForce),
        stp_allowed=_CONTRACT_STP,
        maker_rate=Decimal("0.0002"),
        taker_rate=Decimal("0.0005"),
        tiers=tiers(first_cap),
        market_take_bound=Decimal("0.05"),
        delivery_ns=delivery_ns,
    )


def tiers(first_cap: int) -> tuple[Tier, ...]:
    """Maintenance tiers that join, from a first cap in quote (coinm: coin)."""
    rows: list[Tier] = []
    floor, amount, previous = ZERO, ZERO, ZERO
    for number, (factor, rate_text, leverage) in enumerate(_STEPS):
        rate = Decimal(rate_text)
        amount += floor * (rate - previous) if number else ZERO
        cap = None if number == len(_STEPS) - 1 else Decimal(first_cap * factor)
        rows.append(Tier(floor, cap, rate, amount, leverage))
        floor, previous = cap or ZERO, rate
    return tuple(rows)


def _places(step: Decimal) -> int:
    return max(0, -int(step.as_tuple().exponent))
