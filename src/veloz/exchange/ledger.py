"""The money of one account in one market, or of one pool of wallets: accounting.md in Decimal.

A position is a signed quantity and a signed cost; the average price is only shown. Whatever is
posted is cut once at the asset's scale. Everything here runs inside `money.EXACT`, so a digit that
would be lost raises. A refused event changes nothing: all checks come before the first posting.

The exchange keeps such a ledger for itself too, as the counterparty of replayed trades and as the
insurance fund; these have `credit` and are refused nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from veloz.exchange.holding import Deal, Holding, Outcome, Terms, Traded, funding_due, value, worth
from veloz.exchange.listing import Listing
from veloz.exchange.money import ONE, ZERO, cut, ratio, round_up
from veloz.exchange.owners import Owners
from veloz.exchange.reporting import Reporting
from veloz.exchange.words import Market, PositionSide, Refusal, Side, Why

COSTS = ("fees", "clearance", "interest")
GAINS = ("deposits", "traded", "converted", "realised", "funding", "insurance")
DEFAULT_SCALE = 8
Leg = PositionSide
Key = tuple[str, PositionSide]


@dataclass
class Commitment:
    """An open order as the ledger sees it.

    Attributes:
        qty: What is left.
        closes: It can only close a position.
    """

    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    leg: PositionSide = Leg.BOTH
    closes: bool = False


@dataclass(frozen=True)
class Seizure:
    """What a forced close did."""

    qty: Decimal
    realised: Decimal
    clearance: Decimal
    insurance: Decimal


def closes(leg: PositionSide, side: Side) -> bool:
    """True if a fill on this side can only close the hedge leg."""
    return (leg is Leg.LONG and side is Side.SELL) or (leg is Leg.SHORT and side is Side.BUY)


class Ledger:
    """One account's books.

    Args:
        listings: What can be traded, by symbol; shared with the market.
        marks: Mark prices by symbol; shared with the market.
        scales: Decimals of each asset's balance; 8 for those not named.
        hedge: Long and short legs instead of one position.
        credit: Balances may go below zero and nothing is refused.
        reporting: The currency that everything is also counted in; empty for none.
    """

    def __init__(
        self,
        listings: Mapping[str, Listing],
        marks: dict[str, Decimal],
        scales: Mapping[str, int],
        *,
        hedge: bool = False,
        credit: bool = False,
        reporting: str = "",
    ) -> None:
        self.listings = listings
        self.marks = marks
        self.scales = scales
        self.hedge = hedge
        self.credit = credit
        self.leverages: dict[str, int] = {}
        self.isolated: set[str] = set()
        self.cross: dict[str, Decimal] = defaultdict(Decimal)
        self.liability: dict[str, Decimal] = defaultdict(Decimal)
        self.locks: dict[str, Decimal] = defaultdict(Decimal)
        self.lines: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        self.holdings: dict[Key, Holding] = {}
        self.orders: dict[str, Commitment] = {}
        self.owners = Owners()
        self.reporting = Reporting(reporting) if reporting else None

    # Reads.

    def scale(self, asset: str) -> int:
        """Decimals of an asset's balance."""
        return self.scales.get(asset, DEFAULT_SCALE)

    def holding(self, symbol: str, leg: PositionSide = Leg.BOTH) -> Holding:
        """A position; flat if it never traded."""
        return self.holdings.get((symbol, leg)) or Holding()

    def held(self, asset: str) -> Iterator[tuple[str, PositionSide, Holding]]:
        """The contracts' positions that settle in an asset, flat ones included."""
        for (symbol, leg), holding in self.holdings.items():
            listing = self.listings[symbol]
            if listing.market is not Market.SPOT and listing.settle == asset:
                yield symbol, leg, holding

    def wallet(self, asset: str) -> Decimal:
        """Cross and isolated money of an asset."""
        isolated = sum((h.isolated for _, _, h in self.held(asset) if h.isolated), ZERO)
        return self.cross[asset] + isolated

    def free(self, asset: str) -> Decimal:
        """Money that no open order locks and no isolated position holds."""
        return self.cross[asset] - self.locks[asset]

    def unlocked(self, asset: str) -> Decimal:
        """Money that no open order locks."""
        return self.wallet(asset) - self.locks[asset]

    def unrealised(self, symbol: str, holding: Holding) -> Decimal:
        """Profit of what is held, at the mark; 0 before the first mark (A7)."""
        mark = self.marks.get(symbol)
        if mark is None or not holding.qty:
            return ZERO
        return value(self.listings[symbol], holding.qty, mark) - holding.cost

    def profit(self, asset: str) -> Decimal:
        """Unrealised profit of all contracts that settle in an asset."""
        return sum((self.unrealised(symbol, h) for symbol, _, h in self.held(asset)), ZERO)

    def equity(self, asset: str) -> Decimal:
        """Wallet less liability plus unrealised profit."""
        return self.wallet(asset) - self.liability[asset] + self.profit(asset)

    def equity_by_lines(self, asset: str) -> Decimal:
        """The other side of the money identity (A34)."""
        lines = self.lines[asset]
        gains = sum((lines[name] for name in GAINS), ZERO)
        return gains - sum((lines[name] for name in COSTS), ZERO) + self.profit(asset)

    def rounding(self, asset: str) -> Decimal:
        """Exact less posted profit of the contracts that settle in an asset."""
        return sum((h.rounding for _, _, h in self.held(asset)), ZERO)

    # Money in and out.

    def deposit(self, asset: str, amount: Decimal) -> None:
        """Adds money from outside."""
        self.post(asset, "deposits", amount)

    def deposit_at_cost(self, symbol: str, amount: Decimal, unit_cost: Decimal) -> None:
        """Adds coins with a stated cost to the book of a spot symbol."""
        self.post(self.listings[symbol].base, "deposits", amount)
        self._kept(symbol).trade_coin(amount, amount * unit_cost)

    def withdraw(self, asset: str, amount: Decimal) -> None:
        """Takes money out."""
        self.afford(asset, amount)
        self.post(asset, "deposits", -amount)

    def borrow(self, asset: str, amount: Decimal) -> None:
        """Borrows an asset (A12)."""
        self.cross[asset] += amount
        self.liability[asset] += amount

    def repay(self, asset: str, amount: Decimal) -> None:
        """Pays back what is owed."""
        self.afford(asset, amount)
        if amount > self.liability[asset]:
            owed = self.liability[asset]
            raise Refusal(Why.BAD_REQUEST, f"{amount} {asset} is more than the {owed} owed")
        self.cross[asset] -= amount
        self.liability[asset] -= amount

    def interest(self, asset: str, principal: Decimal, hourly: Decimal, hours: int) -> Decimal:
        """Charges interest for started hours, rounded up."""
        amount = round_up(principal * hourly * hours, self.scale(asset))
        self._line(asset, "interest", amount)
        self.liability[asset] += amount
        return amount

    def convert(
        self, source: str, target: str, amount: Decimal, price: Decimal, fee_rate: Decimal
    ) -> tuple[Decimal, Decimal]:
        """Turns one asset into another; returns what was received and its fee (A13)."""
        self.afford(source, amount)
        got = cut(amount * price, self.scale(target))
        fee = cut(got * fee_rate, self.scale(target))
        self.post(source, "converted", -amount)
        self.post(target, "converted", got)
        self.post(target, "fees", fee)
        return got, fee

    def rate(self, asset: str, price: Decimal) -> None:
        """Sets an asset's price in the reporting currency."""
        if self.reporting is not None:
            net = self.wallet(asset) - self.liability[asset]
            self.reporting.rate(asset, price, net, self.lines[asset])

    # Orders.

    def open_order(self, order_id: str, order: Commitment) -> None:
        """Takes an order in; a spot order locks what it may spend (A9)."""
        if self.listings[order.symbol].market is Market.SPOT:
            asset, amount = self.lock_of(order)
            if self.unlocked(asset) < amount and not self.credit:
                raise Refusal(Why.INSUFFICIENT_BALANCE, f"{amount} {asset} are not free")
            self.locks[asset] += amount
        self.orders[order_id] = order

    def shrink_order(self, order_id: str, qty: Decimal) -> None:
        """Lowers what is left of an order; at 0 it is closed."""
        order = self.orders[order_id]
        if self.listings[order.symbol].market is Market.SPOT:
            asset, before = self.lock_of(order)
            order.qty -= qty
            self.locks[asset] += self.lock_of(order)[1] - before
        else:
            order.qty -= qty
        if order.qty <= 0:
            del self.orders[order_id]

    def close_order(self, order_id: str) -> None:
        """Takes an order out."""
        order = self.orders.get(order_id)
        if order is None:
            raise Refusal(Why.UNKNOWN_ORDER, f"the ledger has no order {order_id}")
        self.shrink_order(order_id, order.qty)

    def lock_of(self, order: Commitment) -> tuple[str, Decimal]:
        """The coin and amount that a spot order locks."""
        listing = self.listings[order.symbol]
        if order.side is Side.SELL:
            return listing.base, order.qty
        return listing.quote, round_up(order.qty * order.price, self.scale(listing.quote))

    # Trades.

    def fill(
        self,
        deal: Deal,
        *,
        terms: Terms | None = None,
        reduce_only: bool = False,
        order_id: str = "",
        owner: str = "",
    ) -> Outcome:
        """Books an execution.

        Args:
            deal: What was traded.
            terms: The fee; None for none.
            reduce_only: Executes only what there is to close.
            order_id: The open order that it fills; empty if none rests.
            owner: Whose books it also enters; empty for none.
        """
        deal = self._admitted(deal, reduce_only=reduce_only)
        listing = self.listings[deal.symbol]
        is_spot = listing.market is Market.SPOT
        fee_asset, fee = self._fee(listing, deal, terms)
        if is_spot and not self.credit:
            self._check_coins(listing, deal, (fee_asset, fee), order_id)
        if order_id in self.orders:
            self.shrink_order(order_id, deal.qty)
        if is_spot:
            outcome = self._fill_coin(listing, deal, fee, fee_asset)
        else:
            outcome = self._fill_contract(listing, deal, fee, fee_asset)
        if owner:
            key, scale = (deal.symbol, deal.leg), self.scale(listing.settle)
            self.owners.fill(owner, key, listing, (deal.signed, deal.price), outcome, scale)
        return outcome

    def funding(self, symbol: str, rate: Decimal, mark: Decimal) -> dict[PositionSide, Decimal]:
        """Pays funding on what is held; the mark becomes the mark (A16).

        Returns:
            What each leg received.
        """
        self.marks[symbol] = mark
        listing = self.listings[symbol]
        scale = self.scale(listing.settle)
        paid: dict[PositionSide, Decimal] = {}
        for leg in Leg:
            holding = self.holdings.get((symbol, leg))
            total = ZERO
            if holding is not None and holding.qty:
                total = funding_due(listing, holding.qty, mark, rate, scale)
                holding.funding += total
                self._line(listing.settle, "funding", total)
                if symbol in self.isolated:
                    holding.isolated += total
                else:
                    self.cross[listing.settle] += total
                paid[leg] = total
            held = holding.qty if holding is not None else ZERO
            self.owners.funding((symbol, leg), listing, (rate, mark), (held, total), scale)
        return paid

    def move_margin(self, symbol: str, leg: PositionSide, amount: Decimal) -> None:
        """Moves money from the cross to the isolated wallet, or back if negative."""
        holding = self.holdings.get((symbol, leg))
        if symbol not in self.isolated:
            raise Refusal(Why.NOT_ISOLATED, f"{symbol} has no isolated margin")
        if holding is None or not holding.qty:
            raise Refusal(Why.NO_POSITION, f"there is no position of {symbol} {leg}")
        settle = self.listings[symbol].settle
        payer = self.free(settle) if amount > 0 else holding.isolated
        if abs(amount) > payer:
            raise Refusal(Why.INSUFFICIENT_MARGIN, f"{abs(amount)} {settle} of {payer} at hand")
        holding.isolated += amount
        self.cross[settle] -= amount

    def liquidate(
        self, symbol: str, leg: PositionSide, price: Decimal, qty: Decimal | None = None
    ) -> Seizure:
        """Closes a position by force: clearance fee, and the insurance fund for a deficit (A32)."""
        listing, holding = self.listings[symbol], self._kept(symbol, leg)
        settle = listing.settle
        size = abs(holding.qty) if qty is None else qty
        before = holding.isolated
        traded = self._trade(listing, holding, size.copy_sign(-holding.qty), price)
        is_isolated = symbol in self.isolated
        left = before - holding.isolated + traded.realised if is_isolated else self.cross[settle]
        fee = cut(worth(listing, size, price) * listing.liquidation_fee, self.scale(settle))
        clearance = min(fee, max(left, ZERO))
        self.post(settle, "clearance", clearance)
        deficit = max(-left, ZERO)
        if is_isolated:
            own = min(deficit, holding.isolated)
            holding.isolated -= own
            self.cross[settle] += own
            deficit -= own
        elif any(h.qty and name not in self.isolated for name, _, h in self.held(settle)):
            deficit = ZERO
        self.post(settle, "insurance", deficit)
        return Seizure(size, traded.realised, clearance, deficit)

    def settle(self, symbol: str, leg: PositionSide, price: Decimal, fee_rate: Decimal) -> Outcome:
        """Delivers a dated contract at a price with a fee on its value (A22)."""
        listing, holding = self.listings[symbol], self._kept(symbol, leg)
        size = abs(holding.qty)
        fee = cut(worth(listing, size, price) * fee_rate, self.scale(listing.settle))
        traded = self._trade(listing, holding, size.copy_sign(-holding.qty), price)
        self.post(listing.settle, "fees", fee)
        holding.fees += fee
        return Outcome(size, size, ZERO, traded.realised, fee, listing.settle)

    # How money is booked.

    def _kept(self, symbol: str, leg: PositionSide = Leg.BOTH) -> Holding:
        """The position to change; opened if it never traded."""
        return self.holdings.setdefault((symbol, leg), Holding())

    def post(self, asset: str, line: str, amount: Decimal) -> None:
        """Moves cross money and writes the line that says why."""
        self._line(asset, line, amount)
        self.cross[asset] += -amount if line in COSTS else amount

    def afford(self, asset: str, amount: Decimal) -> None:
        """Refuses if the free money does not hold an amount."""
        free = self.free(asset)
        if free < amount and not self.credit:
            raise Refusal(Why.INSUFFICIENT_BALANCE, f"{amount} {asset} of {free} free")

    def _line(self, asset: str, line: str, amount: Decimal) -> None:
        self.lines[asset][line] += amount
        if self.reporting is not None:
            self.reporting.line(asset, line, amount)

    def _admitted(self, deal: Deal, *, reduce_only: bool) -> Deal:
        """The deal, cut to what a reduce-only order can close."""
        if not reduce_only and deal.leg is Leg.BOTH:
            return deal
        held, side = self.holding(deal.symbol, deal.leg).qty, deal.side
        name = f"{deal.symbol} {deal.leg.value}"
        room = abs(held) if held and (held > 0) == (side is Side.SELL) else ZERO
        if reduce_only:
            deal = deal._replace(qty=min(deal.qty, room))
            if not deal.qty or (deal.leg is not Leg.BOTH and not closes(deal.leg, side)):
                raise Refusal(Why.REDUCE_ONLY, f"{name} holds {held}, nothing to close")
        if closes(deal.leg, side) and deal.qty > room:
            raise Refusal(Why.POSITION_SIDE, f"{deal.qty} is more than the {room} of {name}")
        return deal

    def _check_coins(
        self, listing: Listing, deal: Deal, fee: tuple[str, Decimal], order_id: str
    ) -> None:
        """Refuses a spot fill after which a balance would be less than what is locked."""
        change: dict[str, Decimal] = defaultdict(Decimal)
        change[listing.base] += deal.signed
        change[listing.quote] -= self._quote(listing, deal) * deal.side.sign
        change[fee[0]] -= fee[1]
        order = self.orders.get(order_id)
        if order is not None:
            asset, lock = self.lock_of(order)
            rest = replace(order, qty=max(order.qty - deal.qty, ZERO))
            change[asset] += lock - self.lock_of(rest)[1]
        for asset, amount in change.items():
            if self.unlocked(asset) + amount < 0:
                raise Refusal(Why.INSUFFICIENT_BALANCE, f"the fill needs more {asset} than is free")

    def _quote(self, listing: Listing, deal: Deal) -> Decimal:
        return cut(deal.qty * deal.price, self.scale(listing.quote))

    def _fill_coin(self, listing: Listing, deal: Deal, fee: Decimal, fee_asset: str) -> Outcome:
        quote = self._quote(listing, deal)
        self.post(listing.base, "traded", deal.signed)
        self.post(listing.quote, "traded", -quote * deal.side.sign)
        self.post(fee_asset, "fees", fee)
        holding = self._kept(listing.symbol)
        realised = holding.trade_coin(deal.signed, quote * deal.side.sign)
        holding.pay_fee(listing, fee_asset, fee, deal.price)
        return Outcome(deal.qty, ZERO, ZERO, realised, fee, fee_asset, quote)

    def _fill_contract(self, listing: Listing, deal: Deal, fee: Decimal, fee_asset: str) -> Outcome:
        holding = self._kept(listing.symbol, deal.leg)
        traded = self._trade(listing, holding, deal.signed, deal.price)
        self.post(fee_asset, "fees", fee)
        if fee_asset == listing.settle:
            holding.fees += fee
            if listing.symbol in self.isolated and traded.opened:
                part = cut(ratio(fee * traded.closed, deal.qty), self.scale(fee_asset))
                holding.isolated -= fee - part
                self.cross[fee_asset] += fee - part
        return Outcome(deal.qty, traded.closed, traded.opened, traded.realised, fee, fee_asset)

    def _trade(self, listing: Listing, holding: Holding, qty: Decimal, price: Decimal) -> Traded:
        """Trades a position and moves its profit and isolated margin (A20)."""
        settle, symbol = listing.settle, listing.symbol
        scale, held = self.scale(settle), abs(holding.qty)
        traded = holding.trade(listing, qty, price, scale)
        self.post(settle, "realised", traded.realised)
        if symbol in self.isolated:
            change = ZERO
            if traded.closed:
                change -= cut(ratio(holding.isolated * traded.closed, held), scale)
            if traded.opened:
                needed = worth(listing, traded.opened, price)
                change += cut(ratio(needed, Decimal(self.leverages[symbol])), scale)
            holding.isolated += change
            self.cross[settle] -= change
        return traded

    def _fee(self, listing: Listing, deal: Deal, terms: Terms | None) -> tuple[str, Decimal]:
        """The coin and amount of a fee (A10, A15)."""
        if terms is None:
            return listing.settle, ZERO
        if terms.amount is not None:
            return terms.asset, terms.amount
        size, asset = worth(listing, deal.qty, deal.price), terms.asset or listing.settle
        buys_coin = listing.market is Market.SPOT and deal.side is Side.BUY
        if terms.asset_price is not None:
            due = size * terms.rate * (ONE - terms.discount)
            paid = cut(ratio(due, terms.asset_price), self.scale(asset))
            if self.unlocked(asset) >= paid:
                return asset, paid
            asset = listing.base if buys_coin else listing.settle
        if buys_coin and asset == listing.base:
            return asset, cut(deal.qty * terms.rate, self.scale(asset))
        if listing.market is Market.SPOT:
            size = cut(size, self.scale(listing.quote))
        return asset, cut(size * terms.rate, self.scale(asset))
