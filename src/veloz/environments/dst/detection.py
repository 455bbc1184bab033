"""Which counter of the engine shows that it noticed a fault (oracle O14).

The words are those of the sessions' own `counts`; a fault without a row has no counter of its own
yet and is listed by the run as not checked, never passed over in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DETECTORS", "NOTICED_OF", "detected", "undetectable"]

_CUTS = (
    "session.closes",
    "feed.closes",
    "user.holes",
    "gateway.unknown",
    "gateway.not_sent",
    "gateway.by_rest",
)
_DOUBT = ("gateway.unknown", "gateway.unreadable")
_NO = ("gateway.refused", "gateway.unknown")
_QUIET = ("session.silent", "feed.silent", "user.suspicions", "user.holes", "feed.closes")
_REPAIRED = (
    "reconciler.fills",
    "reconciler.fill_missing",
    "reconciler.filled_quantity",
    "reconciler.order_missing_there",
    "reconciler.rounds",
)
_RESTARTED = ("engine.restarts",)

DETECTORS: dict[str, tuple[str, ...]] = {
    "F-A01": ("session.rollovers", "feed.rollovers", "feed.closes", "user.holes"),
    "F-A02": _CUTS,
    "F-A03": _QUIET,
    "F-A04": _CUTS,
    "F-A05": ("session.closes", "feed.closes", "user.holes", "feed.connects"),
    # a connection that is replaced meanwhile has all its streams again
    "F-A06": ("feed.resubscribed", "feed.silent", "feed.rollovers"),
    "F-A07": _REPAIRED,
    "F-A08": ("user.expiries", "user.holes"),
    "F-A09": _QUIET,
    "F-A10": ("session.closes", "feed.closes", "user.holes", "gateway.by_rest", "gateway.not_sent"),
    "F-B01": ("books.refetched",),
    "F-B06": ("books.refetched",),
    "F-C01": _DOUBT,
    "F-C02": _DOUBT,
    "F-C03": _DOUBT,
    "F-C05": _NO,
    "F-C06": _DOUBT,
    "F-C07": ("gateway.unknown",),
    "F-C08": ("gateway.unknown",),
    "F-C10": ("gateway.refused", "gateway.not_sent", "gateway.unknown"),
    "F-C11": _NO,
    "F-D05": _REPAIRED,
    "F-E01": ("engine.external",),
    "F-E09": ("reconciler.rounds",),
    "F-F01": ("budget.silences", *_NO),
    "F-F02": ("budget.silences", *_NO),
    "F-F03": _NO,
    "F-F04": _NO,
    "F-F05": _NO,
    "F-H01": _RESTARTED,
    "F-H02": _RESTARTED,
    "F-H03": _RESTARTED,
    "F-H04": _RESTARTED,
    "F-H05": _RESTARTED,
    "F-H06": _RESTARTED,
    "F-H07": _RESTARTED,
    "F-H08": _RESTARTED,
    "F-H09": _RESTARTED,
    "F-H10": _RESTARTED,
    "F-H11": _RESTARTED,
    "F-H12": ("engine.no_room", "engine.disk_low", "engine.disk_very_low", "engine.os_error"),
    "F-H13": ("engine.sealed",),
    "F-H14": _RESTARTED,
}
"""Counters, of which any one that is not zero shows that the fault was noticed."""

NOTICED_OF = {"F-B06": 3}
"""Of so many somebody notices one; of one alone none need: a book that is known three levels deep
is no fault to anybody while the price stays within them."""


def detected(noticed: Mapping[str, int]) -> dict[str, int]:
    """How often each fault may have been noticed: the counts of its detectors together."""
    return {
        fault: sum(noticed.get(name, 0) for name in names) for fault, names in DETECTORS.items()
    }


def undetectable(injected: Mapping[str, int]) -> list[str]:
    """Injected faults that no counter tells."""
    return sorted(fault for fault, count in injected.items() if count and fault not in DETECTORS)
