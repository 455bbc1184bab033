"""Orders must not outlive the program that watches them.

```text
 futures  countdownCancelAll, armed per symbol with open orders, renewed three times a countdown
 spot     no such switch at the venue: a local watchdog cancels when private events stay away
          or the program itself has stood still (F-L05)
```

The venue's countdown works when this program is dead; the local watchdog only while it lives. What
the countdown cancels comes back as venue-made cancels, protective stops included (F-N06).

Source: USDⓈ-M Futures "Auto-Cancel All Open Orders".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from veloz.errors import NotSent, OutcomeUnknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from veloz.net.doors import Doors
    from veloz.venues.binance.rest import BinanceRest
    from veloz.venues.venue import EngineInputs

__all__ = ["Countdown", "LocalWatchdog"]


def _symbols(engine: EngineInputs, account: int) -> list[str]:
    """Symbols with open orders, each once, in a fixed order."""
    return sorted({symbol for symbol, _ in engine.open_orders(account).values()})


class Countdown:
    """Keeps the venue's countdown running for every symbol that has open orders.

    Args:
        rest: Arms it, ahead of orders.
        engine: Knows which symbols have orders.
        account: The engine's number of the account.
        countdown_s: After which the venue cancels.

    Attributes:
        armed: Symbols that are armed.
        failures: Renewals that failed, in a row.
    """

    def __init__(
        self,
        rest: BinanceRest,
        engine: EngineInputs,
        account: int,
        *,
        countdown_s: float = 60.0,
    ) -> None:
        self.armed: dict[str, None] = {}
        self.failures = 0
        self._rest = rest
        self._engine = engine
        self._account = account
        self._countdown_s = countdown_s

    async def run(self) -> None:
        """Arms and renews until cancelled; what is armed then runs out by itself."""
        while True:
            await self.renew()
            await asyncio.sleep(self._countdown_s / 3)

    async def renew(self) -> None:
        """One round: arms symbols with orders, disarms those without."""
        wanted = _symbols(self._engine, self._account)
        for symbol in [name for name in self.armed if name not in wanted]:
            if await self._set(symbol, 0):
                del self.armed[symbol]
        for symbol in wanted:
            if await self._set(symbol, int(self._countdown_s * 1000)):
                self.armed[symbol] = None

    async def disarm(self) -> None:
        """Stops the countdown of every symbol: orders are meant to stay."""
        for symbol in list(self.armed):
            if await self._set(symbol, 0):
                del self.armed[symbol]

    async def _set(self, symbol: str, countdown_ms: int) -> bool:
        params = {"symbol": symbol, "countdownTime": str(countdown_ms)}
        try:
            answer = await self._rest.call("countdown", params)
        except (NotSent, OutcomeUnknown):
            self.failures += 1
            return False
        if answer.status != 200:
            self.failures += 1
            return False
        self.failures = 0
        return True


class LocalWatchdog:
    """Cancels everything when the program cannot see what happens to its orders.

    Args:
        doors: Time.
        rest: Cancels, ahead of everything else.
        engine: Knows which symbols have orders, and hears of the trip.
        account: The engine's number of the account.
        sees: True while private events come.
        limit_s: How long it may be blind, or stand still.

    Attributes:
        trips: How often it cancelled, by reason.
    """

    def __init__(
        self,
        doors: Doors,
        rest: BinanceRest,
        engine: EngineInputs,
        account: int,
        *,
        sees: Callable[[], bool],
        limit_s: float = 30.0,
    ) -> None:
        self.trips: dict[str, int] = {}
        self._doors = doors
        self._rest = rest
        self._engine = engine
        self._account = account
        self._sees = sees
        self._limit_ns = int(limit_s * 1e9)

    async def run(self) -> None:
        """Watches until cancelled."""
        seen_ns = looked_ns = self._doors.clock.monotonic_ns()
        while True:
            await asyncio.sleep(1.0)
            now_ns = self._doors.clock.monotonic_ns()
            stood_still = now_ns - looked_ns > self._limit_ns
            looked_ns = now_ns
            if self._sees() and not stood_still:
                seen_ns = now_ns
            elif stood_still:
                await self._trip("stood still")
            elif now_ns - seen_ns > self._limit_ns and await self._trip("blind"):
                seen_ns = now_ns

    async def _trip(self, reason: str) -> bool:
        """Cancels all; True if every symbol was answered for."""
        symbols = _symbols(self._engine, self._account)
        self.trips[reason] = self.trips.get(reason, 0) + 1
        is_done = True
        self._engine.unsynced(
            self._account,
            f"the local watchdog cancelled all: {reason}",
            self._doors.clock.wall_ns(),
        )
        for symbol in symbols:
            try:
                answer = await self._rest.call("cancel_all", {"symbol": symbol})
            except (NotSent, OutcomeUnknown):
                is_done = False
                continue
            # -2011: there was nothing to cancel
            is_done = is_done and (answer.status == 200 or answer.error()[0] == -2011)
        return is_done
