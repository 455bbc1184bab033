"""One position: a signed quantity and what it cost (accounting.md, sections 2 to 4)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from veloz.exchange.listing import Listing
from veloz.exchange.money import COST_DECIMALS, ZERO, cut, ratio
from veloz.exchange.words import PositionSide, Side


@dataclass
class Holding:
    """A signed quantity and what it cost.

    Attributes:
        qty: Base coin or contracts; negative when short.
        cost: In the settlement (spot: quote) currency, 18 decimals.
        realised: Profit of what was closed.
        funding: Received, net.
        fees: Paid in the settlement or quote currency.
        rounding: Exact less posted profit.
        isolated: The position's own wallet.
        updated_ns: When it last traded.
    """

    qty: Decimal = ZERO
    cost: Decimal = ZERO
    realised: Decimal = ZERO
    funding: Decimal = ZERO
    fees: Decimal = ZERO
    rounding: Decimal = ZERO
    isolated: Decimal = ZERO
    updated_ns: int = 0

    def average(self, listing: Listing) -> Decimal | None:
        """The average entry price, to be rounded when shown; None when flat."""
        if not self.qty:
            return None
        size = self.qty * listing.contract_size
        if listing.is_inverse:
            return ratio(-size, self.cost) if self.cost else None
        return ratio(self.cost, size)

    def trade(self, listing: Listing, qty: Decimal, price: Decimal, scale: int) -> Traded:
        """Trades a contract: closes, then opens (A5)."""
        closed, realised = ZERO, ZERO
        if self.qty and (self.qty > 0) != (qty > 0):
            closed = min(abs(qty), abs(self.qty))
            signed = closed.copy_sign(qty)
            worth = value(listing, signed, price)
            released = cut(ratio(self.cost * closed, abs(self.qty)), COST_DECIMALS)
            realised = cut(-worth - released, scale)
            self.realised += realised
            self.cost += worth + realised
            self.qty += signed
            self._bury_dust()
        opened = abs(qty) - closed
        if opened:
            signed = opened.copy_sign(qty)
            self.cost += value(listing, signed, price)
            self.qty += signed
        return Traded(closed, opened, realised)

    def trade_coin(self, qty: Decimal, quote: Decimal) -> Decimal:
        """Trades a spot book for a quote amount; returns the profit at 18 decimals (A11)."""
        if not self.qty or (self.qty > 0) == (qty > 0):
            self.qty += qty
            self.cost += quote
            return ZERO
        closed = min(abs(qty), abs(self.qty))
        part = cut(ratio(quote * closed, abs(qty)), COST_DECIMALS)
        released = cut(ratio(self.cost * closed, abs(self.qty)), COST_DECIMALS)
        realised = -part - released
        self.realised += realised
        self.cost = quote - part if closed == abs(self.qty) else self.cost - released
        self.qty += qty
        return realised

    def pay_fee(self, listing: Listing, asset: str, fee: Decimal, price: Decimal) -> None:
        """Books the fee of a spot trade: coins of the base are disposed of at the price."""
        if asset == listing.quote:
            self.fees += fee
        elif asset == listing.base:
            self.fees += fee * price
            self.qty -= fee
            self.cost -= fee * price
            self._bury_dust()

    def _bury_dust(self) -> None:
        if not self.qty:
            self.rounding -= self.cost
            self.cost = ZERO


class Traded(NamedTuple):
    """What a fill did to a book of a contract."""

    closed: Decimal
    opened: Decimal
    realised: Decimal


class Deal(NamedTuple):
    """One side of an execution.

    Attributes:
        side: Of this account.
        qty: Base coin or contracts, positive.
        leg: The position it belongs to.
    """

    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    leg: PositionSide = PositionSide.BOTH

    @property
    def signed(self) -> Decimal:
        """The quantity, negative for a sale."""
        return self.qty * self.side.sign


class Terms(NamedTuple):
    """What a fill costs.

    Attributes:
        rate: Of the fill's value.
        asset: The coin; empty for the settlement, spot: the quote coin.
        discount: Share waived when paid in a third coin.
        asset_price: Price of that third coin; None if the fee is not paid in one. If there is too
            little of it, the full fee is paid in the coin received.
        amount: Of the fee, when it is known.
    """

    rate: Decimal = ZERO
    asset: str = ""
    discount: Decimal = ZERO
    asset_price: Decimal | None = None
    amount: Decimal | None = None


class Outcome(NamedTuple):
    """What a fill did.

    Attributes:
        quote_amount: Spot: what moved in the quote coin.
    """

    qty: Decimal
    closed: Decimal
    opened: Decimal
    realised: Decimal
    fee: Decimal
    fee_asset: str
    quote_amount: Decimal = ZERO


def value(listing: Listing, qty: Decimal, price: Decimal) -> Decimal:
    """The signed settlement value of a quantity at a price, 18 decimals (A2)."""
    if listing.is_inverse:
        return cut(ratio(-qty * listing.contract_size, price), COST_DECIMALS)
    return qty * listing.contract_size * price


def worth(listing: Listing, qty: Decimal, price: Decimal) -> Decimal:
    """The size of a quantity's value at a price, not rounded."""
    if listing.is_inverse:
        return ratio(abs(qty) * listing.contract_size, price)
    return abs(qty) * listing.contract_size * price


def funding_due(
    listing: Listing, qty: Decimal, mark: Decimal, rate: Decimal, scale: int
) -> Decimal:
    """What a signed quantity receives: longs pay when the rate is positive."""
    return cut(-rate * worth(listing, qty, mark).copy_sign(qty), scale)
