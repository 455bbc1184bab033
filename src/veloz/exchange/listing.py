"""What is listed: the limits of a symbol, as they stand at the moment."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from veloz.exchange.money import ONE, ZERO
from veloz.exchange.words import (
    ContractType,
    Market,
    OrderType,
    StpMode,
    SymbolStatus,
    TimeInForce,
)


@dataclass(frozen=True)
class Tier:
    """A maintenance tier: notional up to `cap` needs `notional * rate - amount`.

    Attributes:
        cap: In quote (usdm) or coin (coinm); None for the last tier.
    """

    floor: Decimal
    cap: Decimal | None
    rate: Decimal
    amount: Decimal
    max_leverage: int = 125


@dataclass(frozen=True)
class Lot:
    """Bounds and step of a quantity; a step of 0 admits any."""

    minimum: Decimal
    maximum: Decimal
    step: Decimal


@dataclass(frozen=True)
class PercentPrice:
    """How far an order may be from the reference price, as multipliers of it.

    Attributes:
        by_side: Spot: both bounds hold, for each side its own. Else a buy is bounded above and a
            sell below only.
    """

    bid_up: Decimal
    bid_down: Decimal
    ask_up: Decimal
    ask_down: Decimal
    by_side: bool = True


@dataclass(frozen=True)
class TrailingDelta:
    """Bounds of a spot trailing delta, in basis points, above and below the price."""

    min_above: int = 10
    max_above: int = 2000
    min_below: int = 10
    max_below: int = 2000


@dataclass(frozen=True)
class Listing:
    """Something tradable, with the venue's limits for it.

    Attributes:
        settle: The margin asset; the quote of a spot symbol.
        contract_size: Linear: base coin a unit of quantity (1). Inverse: face value in quote.
        max_notional: None for no limit.
        percent_price: None for no band.
        market_take_bound: A market order fills no further from the mark than this share of it;
            None for no bound.
        funding_hours: Between two fundings of a perpetual.
        delivery_ns: When a dated contract is settled; None for the others.
        tiers: Of maintenance margin; empty for spot.
        liquidation_fee: Clearance fee as share of the liquidated notional.
    """

    market: Market
    symbol: str
    base: str
    quote: str
    settle: str
    tick: Decimal
    min_price: Decimal
    max_price: Decimal
    lot: Lot
    market_lot: Lot
    pair: str = ""
    contract_type: ContractType = ContractType.SPOT
    contract_size: Decimal = ONE
    status: SymbolStatus = SymbolStatus.TRADING
    min_notional: Decimal = ZERO
    min_notional_applies_to_market: bool = True
    max_notional: Decimal | None = None
    max_notional_applies_to_market: bool = False
    avg_price_mins: int = 5
    percent_price: PercentPrice | None = None
    max_orders: int = 200
    max_algo_orders: int = 5
    max_iceberg_orders: int = 10
    max_order_lists: int = 20
    max_amends: int = 10
    max_position: Decimal | None = None
    iceberg_parts: int = 100
    trailing_delta: TrailingDelta = TrailingDelta()
    price_precision: int = 8
    qty_precision: int = 8
    base_precision: int = 8
    quote_precision: int = 8
    order_types: frozenset[OrderType] = frozenset()
    times_in_force: frozenset[TimeInForce] = frozenset()
    stp_default: StpMode = StpMode.EXPIRE_MAKER
    stp_allowed: frozenset[StpMode] = frozenset(StpMode)
    iceberg_allowed: bool = True
    oco_allowed: bool = True
    oto_allowed: bool = True
    quote_qty_allowed: bool = True
    trailing_allowed: bool = True
    cancel_replace_allowed: bool = True
    amend_allowed: bool = True
    maker_rate: Decimal = Decimal("0.001")
    taker_rate: Decimal = Decimal("0.001")
    tiers: tuple[Tier, ...] = ()
    liquidation_fee: Decimal = Decimal("0.0125")
    market_take_bound: Decimal | None = None
    trigger_protect: Decimal = Decimal("0.05")
    funding_hours: int = 8
    funding_cap: Decimal = Decimal("0.02")
    funding_floor: Decimal = Decimal("-0.02")
    onboard_ns: int = 0
    delivery_ns: int | None = None
    delivery_fee: Decimal = Decimal("0.00015")

    @property
    def is_inverse(self) -> bool:
        """True if profit is in coin: quantity is contracts of a face value in quote."""
        return self.market is Market.COINM
