"""What requests cost, and the short way to the wire of those that nothing speaks against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veloz._core import Departure
from veloz.net.limits import Priority

if TYPE_CHECKING:
    from veloz._core import BinanceSigner
    from veloz.venues.binance.budget import BinanceBudget
    from veloz.venues.binance.venue_clock import VenueClock
    from veloz.venues.venue import VenueRequest

__all__ = ["COSTS", "LONG_AGO_MS", "REHEARSAL", "departure", "rank_of"]

REHEARSAL = "rehearsal"
"""A request that goes the way of an order up to the wire, and is never sent."""

LONG_AGO_MS = 1_000_000_000_000
"""A rehearsal is stamped with it: a venue would refuse it, if it ever had it."""

# (weight, orders) of one request that succeeds; failures are read back from the venue's headers.
COSTS = {
    REHEARSAL: (0, 0),
    "place": (0, 1),
    "amend": (1, 1),
    "cancel": (1, 0),
    "cancel_all": (1, 0),
}
_CANCELS = frozenset({"cancel", "cancel_all"})


def rank_of(request: VenueRequest) -> Priority:
    """Who goes first where there is not enough for all."""
    return _rank(request.kind, is_reducing=request.is_reducing)


def _rank(kind: str, *, is_reducing: bool) -> Priority:
    if kind in _CANCELS:
        return Priority.CANCEL
    return Priority.REDUCE if is_reducing else Priority.ORDER


def departure(
    clock: VenueClock, budget: BinanceBudget, signer: BinanceSigner, window_ms: int
) -> Departure:
    """Stamp, limits and signature in one call, for requests that the gateway need not look at.

    Args:
        clock: The venue's.
        budget: The limits.
        signer: The key.
        window_ms: The receive window that requests are stamped for.
    """
    made = Departure(clock.offset.sure, budget.limits.leave, signer, window_ms, LONG_AGO_MS)
    for kind, cost in COSTS.items():
        made.cost(kind, *budget.priced(*cost, _rank(kind, is_reducing=False)))
    made.cost("reduce", *budget.priced(*COSTS["place"], _rank("place", is_reducing=True)))
    return made
