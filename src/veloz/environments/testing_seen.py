"""What the test kit saw of a run, and how it compares and shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

START_NS = 1_704_067_200_000_000_000
"""When the rows of a test begin: 2024-01-01 00:00 UTC."""


@dataclass(frozen=True)
class OrderSeen:
    """An order that the strategy gave, as it stood at the end.

    Attributes:
        side: "buy" or "sell".
        qty: Total quantity.
        price: Limit price; None without one.
        type: "market", "limit", "stop", …
        status: "accepted", "filled", "canceled", "refused", …
        reason: Why it was refused or ended; empty otherwise.
        why: The strategy's own reason.
        tag: The strategy's own label.
        symbol: Which instrument.
        ts_ns: When the strategy gave it.
    """

    side: str
    qty: Decimal
    price: Decimal | None
    type: str
    status: str
    reason: str
    why: str
    tag: str
    symbol: str
    ts_ns: int

    def __str__(self) -> str:
        at = "" if self.price is None else f" at {self.price}"
        told = ": ".join(part for part in (self.status, self.reason) if part)
        why = f", because {self.why}" if self.why else ""
        after = (self.ts_ns - START_NS) / 1e9
        return f"{self.side} {self.qty}{at} ({self.type}, {told}) after {after:g} s{why}"


@dataclass(frozen=True)
class FillSeen:
    """An execution.

    Attributes:
        side: "buy" or "sell".
        qty: What traded.
        price: At what.
        symbol: Which instrument.
        ts_ns: When, at the venue.
    """

    side: str
    qty: Decimal
    price: Decimal
    symbol: str
    ts_ns: int

    def __str__(self) -> str:
        after = (self.ts_ns - START_NS) / 1e9
        return f"{self.side} {self.qty} at {self.price} after {after:g} s"


def matches(expected: tuple[object, ...], seen: OrderSeen | FillSeen) -> bool:
    """Whether an order or execution is `(side, qty)` or `(side, qty, price)`."""
    side, qty, *rest = expected
    if side != seen.side or Decimal(str(qty)) != seen.qty:
        return False
    if not rest:
        return True
    price = rest[0]
    return seen.price is None if price is None else Decimal(str(price)) == seen.price


def spoken(expected: tuple[object, ...]) -> str:
    """What was expected, in words."""
    side, qty, *rest = expected
    if not rest:
        return f"{side} {qty}"
    return f"{side} {qty} at " + ("the market" if rest[0] is None else str(rest[0]))


def listing(what: str, seen: Sequence[object]) -> str:
    """The first rows of what was seen, for a message."""
    if not seen:
        return ""
    lines = "\n".join(f"  {at}. {row}" for at, row in enumerate(seen[:20], start=1))
    more = f"\n  … and {len(seen) - 20} more" if len(seen) > 20 else ""
    return f"\nall {what}:\n{lines}{more}"
