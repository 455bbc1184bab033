"""What the oracle keeps: books, orders and owners."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

ZERO = Fraction(0)
COSTS = ("fees", "clearance", "interest")
GAINS = ("deposits", "traded", "converted", "realised", "funding", "insurance")


class Refused(Exception):
    """The event cannot happen; the ledger is as it was."""


@dataclass
class Book:
    """A signed quantity and what it cost.

    Attributes:
        qty: In base coin or contracts; negative when short.
        cost: In the settlement (spot: quote) currency, 18 decimals.
        realised: Profit of what was closed.
        funding: Received, net.
        fees: Paid in the settlement or quote currency.
        rounding: Exact less realised profit.
        isolated: The position's own wallet.
    """

    qty: Fraction = ZERO
    cost: Fraction = ZERO
    realised: Fraction = ZERO
    funding: Fraction = ZERO
    fees: Fraction = ZERO
    rounding: Fraction = ZERO
    isolated: Fraction = ZERO


@dataclass
class Order:
    """An order that rests: what is left of it and its limit."""

    instrument: str
    side: str
    qty: Fraction
    price: Fraction
    leg: str
    reduce_only: bool

    @property
    def opens(self) -> bool:
        """True if it can open a position."""
        return not self.reduce_only and not closes(self.leg, self.side)


@dataclass
class Strategy:
    """The books of one owner, and its fees and funding by asset."""

    books: dict[tuple[str, str], Book] = field(default_factory=dict)
    fees: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    funding: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))


def closes(leg: str, side: str) -> bool:
    """True if a fill on `side` can only close the hedge leg."""
    return (leg, side) in {("LONG", "sell"), ("SHORT", "buy")}


def sign(value: Fraction) -> int:
    """-1, 0 or 1."""
    return (value > 0) - (value < 0)
