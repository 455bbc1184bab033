"""Books of the strategies that share one account: whose fill was it (A36 to A38).

An order may carry a strategy id; its fills enter that strategy's own books too, beside the
account's. Averages differ between the two, total profit does not.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from veloz.exchange.holding import Holding, Outcome, funding_due
from veloz.exchange.listing import Listing
from veloz.exchange.money import ZERO
from veloz.exchange.words import Market, PositionSide

Key = tuple[str, PositionSide]


class Owner:
    """One strategy's books, and its fees and funding by asset."""

    def __init__(self) -> None:
        self.books: dict[Key, Holding] = defaultdict(Holding)
        self.fees: dict[str, Decimal] = defaultdict(Decimal)
        self.funding: dict[str, Decimal] = defaultdict(Decimal)


class Owners:
    """The strategies of one account."""

    def __init__(self) -> None:
        self.by_name: dict[str, Owner] = {}

    def owner(self, name: str) -> Owner:
        """A strategy's books; new ones at its first fill."""
        return self.by_name.setdefault(name, Owner())

    def fill(
        self,
        name: str,
        key: Key,
        listing: Listing,
        traded: tuple[Decimal, Decimal],
        outcome: Outcome,
        scale: int,
    ) -> None:
        """Books the signed quantity and price that the account traded for a strategy."""
        owner = self.owner(name)
        book, (qty, price) = owner.books[key], traded
        if listing.market is Market.SPOT:
            book.trade_coin(qty, outcome.quote_amount.copy_sign(qty))
            book.pay_fee(listing, outcome.fee_asset, outcome.fee, price)
        else:
            book.trade(listing, qty, price, scale)
            if outcome.fee_asset == listing.settle:
                book.fees += outcome.fee
        if outcome.fee:
            owner.fees[outcome.fee_asset] += outcome.fee

    def funding(
        self,
        key: Key,
        listing: Listing,
        terms: tuple[Decimal, Decimal],
        account: tuple[Decimal, Decimal],
        scale: int,
    ) -> None:
        """Shares a funding (rate, mark) among holders; the account has a quantity and an amount.

        What cutting leaves over goes to the largest holder, unless others than strategies hold
        some of the position.
        """
        (rate, mark), (held, amount) = terms, account
        shares = {
            name: (owner, owner.books[key].qty)
            for name, owner in sorted(self.by_name.items())
            if key in owner.books and owner.books[key].qty
        }
        if not shares:
            return
        due = {
            name: funding_due(listing, qty, mark, rate, scale) for name, (_, qty) in shares.items()
        }
        if sum((qty for _, qty in shares.values()), ZERO) == held:
            largest = max(shares, key=lambda name: abs(shares[name][1]))
            due[largest] += amount - sum(due.values(), ZERO)
        for name, (owner, _) in shares.items():
            owner.books[key].funding += due[name]
            owner.funding[listing.settle] += due[name]

    def cross(
        self,
        key: Key,
        listing: Listing,
        names: tuple[str, str],
        traded: tuple[Decimal, Decimal],
        scale: int,
    ) -> None:
        """Lets a buyer and a seller trade a quantity at a price inside: only their books move."""
        qty, price = traded
        for name, signed in zip(names, (qty, -qty), strict=True):
            self.owner(name).books[key].trade(listing, signed, price, scale)
