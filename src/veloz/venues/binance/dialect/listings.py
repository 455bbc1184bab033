"""What the simulated venue lists: the usual symbols with limits as the venue has them.

Tiers, filters and precisions are samples of `exchangeInfo` and `leverageBracket`; a test reads
them from the API like any client and never from here.
"""

from __future__ import annotations

from decimal import Decimal

from veloz.exchange.listing import Listing, Lot, PercentPrice, Tier
from veloz.exchange.words import ContractType, Market

__all__ = ["SPREAD", "START_PRICES", "default_listings", "tiers"]

D = Decimal
START_PRICES = {"BTC": D("60000"), "ETH": D("3000"), "BNB": D("600")}
# Between two levels of a generated book, as a share of the price.
SPREAD = D("0.00002")
# cap of notional, most leverage, maintenance rate
USDM_STEPS = (
    ("50000", 125, "0.004"),
    ("600000", 100, "0.005"),
    ("3000000", 75, "0.0065"),
    ("12000000", 50, "0.01"),
    ("70000000", 25, "0.02"),
    ("100000000", 20, "0.025"),
    ("230000000", 10, "0.05"),
    (None, 5, "0.1"),
)
COINM_STEPS = (
    ("5", 125, "0.004"),
    ("10", 100, "0.005"),
    ("20", 50, "0.01"),
    ("50", 20, "0.025"),
    ("100", 10, "0.05"),
    (None, 5, "0.1"),
)


def tiers(steps: tuple[tuple[str | None, int, str], ...]) -> tuple[Tier, ...]:
    """Maintenance tiers whose amounts join, so that no margin jumps at a border."""
    rows: list[Tier] = []
    floor, amount, before = D(0), D(0), None
    for cap, leverage, rate in steps:
        if before is not None:
            amount += floor * (D(rate) - before)
        end = None if cap is None else D(cap)
        rows.append(Tier(floor, end, D(rate), amount, leverage))
        floor, before = end or floor, D(rate)
    return tuple(rows)


def default_listings() -> list[Listing]:
    """BTC, ETH and BNB on spot, BTC and ETH on both futures markets."""
    return [
        _spot("BTC", tick="0.01", step="0.00001"),
        _spot("ETH", tick="0.01", step="0.0001"),
        _spot("BNB", tick="0.01", step="0.001"),
        _usdm("BTC", tick="0.1", step="0.001", decimals=2),
        _usdm("ETH", tick="0.01", step="0.001", decimals=2),
        _coinm("BTC", tick="0.1", size="100"),
        _coinm("ETH", tick="0.01", size="10"),
    ]


def _spot(base: str, *, tick: str, step: str) -> Listing:
    return Listing(
        market=Market.SPOT,
        symbol=f"{base}USDT",
        base=base,
        quote="USDT",
        settle="USDT",
        pair=f"{base}USDT",
        tick=D(tick),
        min_price=D(tick),
        max_price=D("1000000"),
        lot=Lot(D(step), D("9000"), D(step)),
        market_lot=Lot(D(0), D("1000"), D(0)),
        min_notional=D("5"),
        max_notional=D("9000000"),
        percent_price=PercentPrice(D("5"), D("0.2"), D("5"), D("0.2")),
    )


def _usdm(base: str, *, tick: str, step: str, decimals: int) -> Listing:
    return Listing(
        market=Market.USDM,
        symbol=f"{base}USDT",
        base=base,
        quote="USDT",
        settle="USDT",
        pair=f"{base}USDT",
        contract_type=ContractType.PERPETUAL,
        tick=D(tick),
        min_price=D("1"),
        max_price=D("4000000"),
        lot=Lot(D(step), D("1000"), D(step)),
        market_lot=Lot(D(step), D("120"), D(step)),
        min_notional=D("50") if base == "BTC" else D("20"),
        percent_price=PercentPrice(D("1.05"), D("0.95"), D("1.05"), D("0.95"), by_side=False),
        price_precision=decimals,
        qty_precision=3,
        maker_rate=D("0.0002"),
        taker_rate=D("0.0005"),
        max_algo_orders=200,
        tiers=tiers(USDM_STEPS),
        market_take_bound=D("0.05"),
    )


def _coinm(base: str, *, tick: str, size: str) -> Listing:
    return Listing(
        market=Market.COINM,
        symbol=f"{base}USD_PERP",
        base=base,
        quote="USD",
        settle=base,
        pair=f"{base}USD",
        contract_type=ContractType.PERPETUAL,
        contract_size=D(size),
        tick=D(tick),
        min_price=D("1"),
        max_price=D("4000000"),
        lot=Lot(D(1), D("1000000"), D(1)),
        market_lot=Lot(D(1), D("60000"), D(1)),
        percent_price=PercentPrice(D("1.05"), D("0.95"), D("1.05"), D("0.95"), by_side=False),
        price_precision=1 if base == "BTC" else 2,
        qty_precision=0,
        maker_rate=D("0.0001"),
        taker_rate=D("0.0005"),
        max_algo_orders=200,
        tiers=tiers(COINM_STEPS),
        market_take_bound=D("0.05"),
    )
