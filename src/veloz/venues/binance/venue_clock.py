"""The venue's time: asked for at start, now and then, and at once when the venue disagrees.

Requests are stamped with it, so that neither a wrong clock here nor a slow answer puts them outside
of their receive window; while it is not known well enough, no order is signed (F-L01 to F-L03).

Source: Binance Spot API "Timing security".
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from veloz.errors import NotSent, OutcomeUnknown
from veloz.net.clock_offset import ClockOffset

if TYPE_CHECKING:
    from veloz.net.doors import Doors
    from veloz.venues.binance.rest import BinanceRest

__all__ = ["VenueClock"]

_EVERY_S = 60.0
_SOON_S = 0.5
_FIRST_ANSWERS = 4
_MILLISECOND = 1_000_000
_LAST_MS = 1 << 43  # the year 2248: later is no time of a venue


class VenueClock:
    """One venue's clock.

    Args:
        doors: Our clocks.
        every_s: Between two questions while all is well.

    Attributes:
        offset: The estimate.
        distrusts: Times that the venue refused a timestamp.
    """

    def __init__(self, doors: Doors, *, every_s: float = _EVERY_S) -> None:
        self.offset = ClockOffset(doors.clock)
        self.distrusts = 0
        self._doors = doors
        self._every_s = every_s
        self._fresh = 0
        self._wake = asyncio.Event()

    def now_ms(self) -> int:
        """The venue's time, ms since the epoch; our own while nothing is known."""
        venue_ns = self.offset.venue_ns()
        return (self._doors.clock.wall_ns() if venue_ns is None else venue_ns) // _MILLISECOND

    def may_sign(self, window_ms: int) -> bool:
        """Whether a request stamped now is surely within a receive window of that width."""
        return self.offset.may_sign(window_ms * _MILLISECOND)

    def stamp_ms(self, window_ms: int) -> int | None:
        """The venue's time for a request, ms; None where `may_sign` says no."""
        venue_ns = self.offset.stamp_ns(window_ms * _MILLISECOND)
        return None if venue_ns is None else venue_ns // _MILLISECOND

    def distrust(self) -> None:
        """The venue disagrees with the time: it is asked at once."""
        self.distrusts += 1
        self._fresh = 0
        self._wake.set()

    async def run(self, rest: BinanceRest) -> None:
        """Asks until cancelled."""
        while True:
            heard = await self.ask(rest)
            self._fresh += heard
            is_settled = self._fresh >= _FIRST_ANSWERS and self.may_sign(1000)
            self._wake.clear()
            with suppress(TimeoutError):
                pause_s = self._every_s if is_settled else _SOON_S
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()

    async def ask(self, rest: BinanceRest) -> bool:
        """One question; True if its answer counts."""
        try:
            answer = await rest.call("time")
        except (NotSent, OutcomeUnknown):
            return False
        value = answer.value()
        server_ms = value.get("serverTime") if isinstance(value, dict) else None
        if answer.status != 200 or not isinstance(server_ms, int) or not 0 < server_ms < _LAST_MS:
            return False
        return self.offset.heard(
            answer.asked_ns, server_ms * _MILLISECOND, resolution_ns=_MILLISECOND
        )
