"""What happens to all holders of a contract at once: marks, funding, delivery, and what adds up."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

from veloz.exchange.booking import Booking
from veloz.exchange.events import (
    AccountReason,
    FundingEvent,
    ListingEvent,
    MarkPriceEvent,
)
from veloz.exchange.floor import CONTRACTS, Instrument
from veloz.exchange.ledger import Ledger
from veloz.exchange.liquidation import Liquidation
from veloz.exchange.listing import Listing
from veloz.exchange.margin import check_tiers
from veloz.exchange.model import FundingPrint, MarkPrice
from veloz.exchange.money import COST_DECIMALS, ONE, ZERO
from veloz.exchange.tape import HOUR
from veloz.exchange.timers import Timers
from veloz.exchange.triggers import Triggers
from veloz.exchange.words import (
    ContractType,
    ExpireReason,
    IncomeKind,
    Market,
    PositionSide,
    SymbolStatus,
    WorkingType,
)

LAST_PLACE = ONE.scaleb(-COST_DECIMALS)


class Clearing:
    """Listings, marks, funding and delivery.

    Args:
        booking: Where money is written.
        triggers: What watches marks.
        liquidation: What watches margins.
        timers: What makes funding and delivery due.
    """

    def __init__(
        self,
        booking: Booking,
        triggers: Triggers,
        liquidation: Liquidation,
        timers: Timers,
    ) -> None:
        self.floor = booking.floor
        self.booking = booking
        self.triggers = triggers
        self.liquidation = liquidation
        self.timers = timers

    # Listings.

    def list_symbol(self, listing: Listing) -> None:
        """Lists a symbol or changes its limits."""
        if listing.market in CONTRACTS:
            check_tiers(listing)
        key = (listing.market, listing.symbol)
        self.floor.listings[listing.market][listing.symbol] = listing
        if key in self.floor.instruments:
            self.floor.instruments[key].listing = listing
            self.floor.instruments[key].tape.minutes = listing.avg_price_mins
        else:
            instrument = self.floor.instruments[key] = Instrument(listing)
            self._open(instrument)
        self.floor.emit(ListingEvent(self.floor.now_ns(), listing))

    def _open(self, instrument: Instrument) -> None:
        listing = instrument.listing
        if listing.market not in CONTRACTS:
            return
        first = self.floor.first_leverage(listing.market, listing.symbol)
        for account in self.floor.accounts.values():
            account.desks[listing.market].ledger.leverages.setdefault(listing.symbol, first)
        if listing.contract_type is ContractType.PERPETUAL:
            self._plan_funding(instrument)
        if listing.delivery_ns is not None:
            self.timers.at(listing.delivery_ns, lambda: self._deliver(instrument))

    def _deliver(self, instrument: Instrument) -> None:
        listing = instrument.listing
        if listing.status is SymbolStatus.DELIVERED:
            return
        price = instrument.index or self.floor.marks[listing.market].get(listing.symbol)
        self.settle(instrument, price or instrument.tape.last_price)

    def settle(self, instrument: Instrument, price: Decimal | None) -> None:
        """Ends a symbol: orders expire, positions close at a price (A22)."""
        listing = instrument.listing
        market, symbol = listing.market, listing.symbol
        for account in self.floor.accounts.values():
            for order in list(account.desks[market].open.values()):
                if order.symbol == symbol and order.status.is_open:
                    self.booking.expire(order, ExpireReason.DELISTED)
            self.triggers.disarm_all(instrument, account.name, "delisted")
        if market in CONTRACTS and price is not None:
            self._settle_positions(listing, price)
        status = SymbolStatus.DELIVERED if listing.delivery_ns else SymbolStatus.CLOSE
        self.set_status(instrument, status)

    def _settle_positions(self, listing: Listing, price: Decimal) -> None:
        market, symbol, asset = listing.market, listing.symbol, listing.settle
        house = self.floor.income[market]
        rate = listing.delivery_fee if listing.delivery_ns else ZERO
        for account in self.floor.accounts.values():
            desk = account.desks[market]
            for leg in PositionSide:
                if not desk.ledger.holding(symbol, leg).qty:
                    continue
                held = desk.ledger.holding(symbol, leg).qty
                self.floor.note_value(listing, -held, abs(held), price)
                outcome = desk.ledger.settle(symbol, leg, price, rate)
                house.post(asset, "fees", -outcome.fee)
                kinds = (
                    (IncomeKind.REALISED, outcome.realised),
                    (IncomeKind.DELIVERY, -outcome.fee),
                )
                for kind, amount in kinds:
                    if amount:
                        name = account.name
                        self.booking.income_line(desk, market, name, kind, asset, amount, symbol)
                self.booking.account_event(
                    account, market, AccountReason.ORDER, [asset], [(symbol, leg)], -outcome.fee
                )
        for ledger in (self.floor.replayed[market], self.floor.fund[market]):
            held = ledger.holding(symbol).qty
            if held:
                self.floor.note_value(listing, -held, abs(held), price)
                ledger.settle(symbol, PositionSide.BOTH, price, ZERO)

    def set_status(self, instrument: Instrument, status: SymbolStatus) -> None:
        """Halts, resumes or ends a symbol."""
        listing = replace(instrument.listing, status=status)
        instrument.listing = listing
        self.floor.listings[listing.market][listing.symbol] = listing
        self.floor.emit(ListingEvent(self.floor.now_ns(), listing))

    # Prices and funding.

    def set_mark(self, instrument: Instrument, price: Decimal) -> None:
        """A new mark: triggers, then liquidations."""
        listing = instrument.listing
        self.floor.marks[listing.market][listing.symbol] = price
        self.tell_mark(instrument)
        if listing.status is SymbolStatus.TRADING:
            self.triggers.see(instrument, WorkingType.MARK, price)
            self.liquidation.check(listing.market, listing.settle)

    def tell_mark(self, instrument: Instrument) -> None:
        """Tells the public mark, index and funding."""
        price = self.mark_price(instrument)
        self.floor.emit(MarkPriceEvent(price.ts, price))

    def mark_price(self, instrument: Instrument) -> MarkPrice:
        """Mark, index and funding of a contract."""
        listing = instrument.listing
        mark = self.floor.marks[listing.market].get(listing.symbol, ZERO)
        index = instrument.index or ZERO
        return MarkPrice(
            listing.market,
            listing.symbol,
            mark,
            index,
            index or mark,
            instrument.funding_rate,
            instrument.next_funding_ns,
            self.floor.now_ns(),
        )

    def _plan_funding(self, instrument: Instrument) -> None:
        period = instrument.listing.funding_hours * HOUR
        # After a jump of the clock every missed instant is paid, one after the other.
        now = instrument.next_funding_ns or self.floor.now_ns()
        due = instrument.next_funding_ns = now - now % period + period
        self.timers.at(due, lambda: self._fund(instrument, due))

    def _fund(self, instrument: Instrument, due: int) -> None:
        """Pays funding on what every account held at the instant (A16)."""
        if instrument.next_funding_ns != due or instrument.listing.status is SymbolStatus.CLOSE:
            return
        listing = instrument.listing
        market, symbol, asset = listing.market, listing.symbol, listing.settle
        mark = self.floor.marks[market].get(symbol) or instrument.tape.last_price
        rate = instrument.funding_rate
        self._plan_funding(instrument)
        if mark is None:
            return
        paid, payers = ZERO, 0
        for account in self.floor.accounts.values():
            desk = account.desks[market]
            legs = desk.ledger.funding(symbol, rate, mark)
            for leg, amount in legs.items():
                paid, payers = paid + amount, payers + 1
                kind, name = IncomeKind.FUNDING, account.name
                self.booking.income_line(desk, market, name, kind, asset, amount, symbol)
                reason, keys = AccountReason.FUNDING_FEE, [(symbol, leg)]
                self.booking.account_event(account, market, reason, [asset], keys, amount, symbol)
        for ledger in (self.floor.replayed[market], self.floor.fund[market]):
            for amount in ledger.funding(symbol, rate, mark).values():
                paid, payers = paid + amount, payers + 1
        self._keep_dust(market, asset, paid, payers)
        instrument.fundings.append(FundingPrint(market, symbol, rate, mark, due))
        self.floor.emit(FundingEvent(due, instrument.fundings[-1]))
        self.liquidation.check(market, asset)

    def _keep_dust(self, market: Market, asset: str, paid: Decimal, payers: int) -> None:
        """What cutting each payment leaves goes to the house; more than that is a fault."""
        ledger = self.floor.income[market]
        unit = ONE.scaleb(-ledger.scale(asset))
        if abs(paid) > unit * payers:
            raise AssertionError(f"funding of {asset} is out by {paid} with {payers} payers")
        ledger.post(asset, "funding", -paid)

    def set_index(self, instrument: Instrument, price: Decimal) -> None:
        """A new index, or reference price of a spot symbol."""
        instrument.index = price
        if instrument.listing.market in CONTRACTS:
            self.tell_mark(instrument)

    def open_interest(self, market: Market, symbol: str) -> Decimal:
        """Sum of all long positions."""
        held = (
            ledger.holding(symbol, leg).qty
            for ledger in self.floor.ledgers(market)
            for leg in PositionSide
        )
        return sum((qty for qty in held if qty > 0), ZERO)

    def set_funding_rate(self, instrument: Instrument, rate: Decimal) -> None:
        """Sets the next rate, within cap and floor."""
        listing = instrument.listing
        instrument.funding_rate = max(listing.funding_floor, min(listing.funding_cap, rate))
        self.tell_mark(instrument)

    # What adds up.

    def imbalance(self) -> dict[tuple[Market, str], Decimal]:
        """What does not add up, by market and asset or symbol; empty if all does."""
        wrong: dict[tuple[Market, str], Decimal] = {}
        for market in Market:
            totals: dict[str, Decimal] = defaultdict(Decimal)
            held: dict[str, Decimal] = defaultdict(Decimal)
            for ledger in self.floor.ledgers(market):
                _add_up(ledger, totals, held)
            for asset, total in totals.items():
                dust = self.floor.dust.get((market, asset), ZERO)
                off = total + dust - self.floor.inflow.get((market, asset), ZERO)
                parts = self.floor.parts.get((market, asset), 0)
                if off or abs(dust) > parts * LAST_PLACE:
                    wrong[market, asset] = off or dust
            wrong |= {(market, symbol): qty for symbol, qty in held.items() if qty}
        return wrong


def _add_up(ledger: Ledger, totals: dict[str, Decimal], held: dict[str, Decimal]) -> None:
    """Wallets, what positions have cost, and dust: what trades only move between ledgers."""
    for asset, money in ledger.cross.items():
        totals[asset] += money
    for (symbol, _), holding in ledger.holdings.items():
        listing = ledger.listings[symbol]
        if listing.market is not Market.SPOT:
            totals[listing.settle] += holding.isolated - holding.cost + holding.rounding
            held[symbol] += holding.qty
