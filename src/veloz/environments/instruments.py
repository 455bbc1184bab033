"""An instrument as the core takes it: plain values, with fees settled."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.environments.settings import STANDARD_FEES, BacktestSettings
from veloz.storage.decimals import text
from veloz.storage.kinds import RATE_SCALE

if TYPE_CHECKING:
    from veloz.storage.instruments import Instrument

NOTIONAL_SCALE = 18


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
        "min_notional": text(limits.min_notional, NOTIONAL_SCALE),
        "max_notional": text(limits.max_notional, NOTIONAL_SCALE),
        "max_orders": limits.max_orders,
        "max_conditional_orders": limits.max_conditional_orders,
        "max_iceberg_parts": limits.max_iceberg_parts,
        "expiry_ns": instrument.expiry_ns,
        "valid_from_ns": instrument.valid_from_ns,
        "origin": instrument.origin,
    }
    return row, maker_assumed or taker_assumed


def _fee(given: Decimal | None, stated: int | None, standard: str) -> tuple[str, bool]:
    if given is not None:
        return f"{given:f}", False
    if stated is not None:
        return text(stated, RATE_SCALE), False
    return standard, True
