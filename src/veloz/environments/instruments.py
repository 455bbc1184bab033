"""An instrument as the core takes it: plain values, with fees settled."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.environments.settings import STANDARD_FEES, STANDARD_MAINTENANCE, BacktestSettings
from veloz.storage.decimals import text
from veloz.storage.instruments import COST_SCALE
from veloz.storage.kinds import RATE_SCALE

if TYPE_CHECKING:
    from veloz.storage.instruments import Instrument


def core_row(instrument: Instrument, settings: BacktestSettings) -> tuple[dict[str, Any], bool]:
    """The row that `veloz._core.Backtest` takes.

    Returns:
        The row, and True if a fee rate is the standard one because nobody stated it.
    """
    standard_maker, standard_taker = STANDARD_FEES[instrument.kind]
    maker, maker_assumed = _fee(settings.maker_fee, instrument.maker_fee, standard_maker)
    taker, taker_assumed = _fee(settings.taker_fee, instrument.taker_fee, standard_taker)
    limits = instrument.filters
    row = {
        "symbol": instrument.symbol,
        "venue_symbol": instrument.venue_symbol,
        "kind": instrument.kind,
        "base": instrument.base,
        "quote": instrument.quote,
        "settle": instrument.settle,
        "price_scale": instrument.price_scale,
        "qty_scale": instrument.qty_scale,
        "tick": instrument.tick,
        "lot": instrument.lot,
        "multiplier": text(instrument.multiplier, instrument.multiplier_scale),
        "maker_fee": maker,
        "taker_fee": taker,
        "liquidation_fee": text(instrument.liquidation_fee, RATE_SCALE),
        "min_price": limits.min_price,
        "max_price": limits.max_price,
        "min_qty": limits.min_qty,
        "max_qty": limits.max_qty,
        "market_max_qty": limits.market_max_qty,
        "market_lot": limits.market_lot,
        "min_notional": text(limits.min_notional, COST_SCALE),
        "max_notional": text(limits.max_notional, COST_SCALE),
        "max_orders": limits.max_orders,
        "max_conditional_orders": limits.max_conditional_orders,
        "max_iceberg_parts": limits.max_iceberg_parts,
        "expiry_ns": instrument.expiry_ns,
        "valid_from_ns": instrument.valid_from_ns,
        "origin": instrument.origin,
        "tiers": maintenance_tiers(instrument, settings),
    }
    return row, maker_assumed or taker_assumed


def maintenance_tiers(instrument: Instrument, settings: BacktestSettings) -> list[list[str | None]]:
    """Maintenance of a contract: [upper end of its value or None, rate]; empty for none."""
    if instrument.kind == "spot":
        return []
    by_symbol = settings.maintenance
    rate = by_symbol.get(instrument.symbol, by_symbol.get(""))
    if rate is None and instrument.tiers:
        return [
            [None if cap is None else text(cap, COST_SCALE), text(rate, RATE_SCALE)]
            for cap, rate in instrument.tiers
        ]
    rate = STANDARD_MAINTENANCE if rate is None else rate
    return [[None, f"{rate:f}"]] if rate else []


def _fee(given: Decimal | None, stated: int | None, standard: str) -> tuple[str, bool]:
    if given is not None:
        return f"{given:f}", False
    if stated is not None:
        return text(stated, RATE_SCALE), False
    return standard, True
