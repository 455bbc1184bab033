"""Fills and funding as the events that round trips are built from, with exact fees.

A newcomer would convert every fee by its rate: a fee in the bought coin is worth what the fill
paid for it (rule A11), and it takes from the quantity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal, localcontext

from veloz.analytics.run_tables import InstrumentFacts, RunTables


@dataclass
class FillEvent:
    """One fill: quantity at the fine scale, after a fee in the bought coin; fee in money."""

    ts: int
    symbol: str
    strategy: str
    leg: str
    side: int
    qty: int
    price: int
    fee: Decimal
    rate: Decimal
    why: str


@dataclass
class FundingEvent:
    """One funding payment, in the reporting currency; positive is received."""

    ts: int
    symbol: str
    strategy: str
    amount: Decimal


def paid_in_base(instrument: InstrumentFacts, fee_asset: str) -> bool:
    """True if a fee in this asset takes from the position itself (spot, bought coin)."""
    return instrument.kind == "spot" and fee_asset == instrument.base != ""


def fee_amounts(tables: RunTables) -> list[Decimal]:
    """Fee of each fill in the reporting currency: positive is paid, NaN if a rate is unknown.

    A fee in the bought coin is worth what the fill paid for it (rule A11); others are converted
    at the fill's `fee_rate`.
    """
    with localcontext(Context(prec=80)):
        return [_fee_amount(tables, row) for row in range(len(tables.fills))]


def _fee_amount(tables: RunTables, row: int) -> Decimal:
    fills = tables.fills
    asset = fills.fee_asset[row]
    amount = Decimal(int(fills.fee[row])).scaleb(-tables.asset_scale(asset))
    instrument = tables.instruments[fills.symbol[row]]
    if paid_in_base(instrument, asset):
        price = Decimal(int(fills.price[row])).scaleb(-instrument.price_scale)
        return amount * price * Decimal(repr(float(fills.settle_rate[row])))
    rate = float(fills.fee_rate[row])
    # An unknown rate makes the amount in the reporting currency undefined; NaN shows it.
    return amount if rate == 1.0 else amount * Decimal(repr(rate))


def fill_events(
    tables: RunTables, fine: Mapping[str, InstrumentFacts]
) -> list[FillEvent | FundingEvent]:
    """Fills and funding in order of time.

    At one instant funding comes first: it is due on what was held before.

    Args:
        tables: The run.
        fine: By symbol, the instrument at the scale of `fine_instrument`.

    Raises:
        ValueError: If fills are not in order of time, or one has no side, quantity or price.
    """
    fills, funding = tables.fills, tables.funding
    if len(fills) > 1 and (fills.ts_exchange[1:] < fills.ts_exchange[:-1]).any():
        raise ValueError("fills are not in order of ts_exchange; sort them")
    made: list[FillEvent | FundingEvent] = [
        _fill_at(tables, fine[tables.fills.symbol[row]], row, fee)
        for row, fee in enumerate(fee_amounts(tables))
    ]
    for ts, symbol, strategy, amount, rate in zip(
        funding.ts_ns.tolist(), funding.symbol.tolist(), funding.strategy.tolist(),
        funding.amount.tolist(), funding.settle_rate.tolist(), strict=True,
    ):  # fmt: skip
        scale = tables.asset_scale(tables.instruments[symbol].settle)
        received = Decimal(amount).scaleb(-scale) * Decimal(repr(rate))
        made.append(FundingEvent(ts, symbol, strategy, received))
    return sorted(made, key=lambda event: (event.ts, isinstance(event, FillEvent)))


def _fill_at(tables: RunTables, fine: InstrumentFacts, row: int, fee: Decimal) -> FillEvent:
    fills = tables.fills
    symbol, side = fills.symbol[row], int(fills.side[row])
    qty, price = int(fills.qty[row]), int(fills.price[row])
    if qty <= 0 or price <= 0 or side not in (1, -1):
        raise ValueError(f"fill {row}: side {side}, qty {qty}, price {price}; all must be given")
    change = side * qty * quantity_step(tables.instruments[symbol], fine)
    asset = fills.fee_asset[row]
    if paid_in_base(tables.instruments[symbol], asset):
        scale = fine.qty_scale - tables.asset_scale(asset)
        change -= int(fills.fee[row]) * 10**scale
    if change * side <= 0:
        raise ValueError(f"fill {row}: the fee is as large as the quantity")
    return FillEvent(
        int(fills.ts_exchange[row]), symbol, fills.strategy[row], fills.leg[row], side,
        abs(change), price, fee, Decimal(repr(float(fills.settle_rate[row]))), fills.why[row],
    )  # fmt: skip


def quantity_step(coarse: InstrumentFacts, fine: InstrumentFacts) -> int:
    """One step of an order's quantity, at the finer scale."""
    return 10 ** (fine.qty_scale - coarse.qty_scale)


def fine_instrument(tables: RunTables, symbol: str) -> InstrumentFacts:
    """The instrument with a quantity scale that also holds fees in the bought coin."""
    facts = tables.instruments[symbol]
    if facts.kind != "spot" or not facts.base:
        return facts
    return replace(facts, qty_scale=max(facts.qty_scale, tables.asset_scale(facts.base)))
