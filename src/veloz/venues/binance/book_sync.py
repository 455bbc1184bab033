"""Snapshots for books that wait for one (F-B01, B02).

```text
 update ──► engine keeps it ──► books_to_rebuild ──► GET depth ──► rest_body ──► live
                                       ▲                              │ older than the first update
                                       └────────── back-off ◄─────────┘
```

Sequence rules live in the core; this module only fetches. A snapshot is asked for after the first
update was kept, never before: one that is older than all updates cannot be joined. A snapshot that
the engine does not take is never forced: the book stays stale.

Source: Binance Spot API "How to manage a local order book correctly"; futures "How to manage a
local order book correctly".
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from veloz.errors import NotSent, OutcomeUnknown
from veloz.venues.binance.capabilities import CAPABILITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veloz.net.doors import Doors
    from veloz.venues.binance.rest import BinanceRest
    from veloz.venues.venue import FeedInputs

__all__ = ["BookSync"]

_LOOK_EVERY_S = 0.05
_AT_ONCE = 3
_WAIT_S = 0.25
_WAIT_MOST_S = 15.0


@dataclass(slots=True)
class _Attempt:
    """How often a book's snapshot was fetched in vain, and when the next try is due."""

    failures: int = 0
    due_ns: int = 0
    is_running: bool = False


class BookSync:
    """Fetches snapshots for one feed.

    Args:
        doors: Time and chance.
        rest: Asks the venue; its budget keeps data behind orders.
        engine: Keeps the books.
        feed: The engine's number of the feed.

    Attributes:
        fetched_total: Snapshots that came.
        in_vain_total: Snapshots that did not make the book live, and failed requests.
    """

    def __init__(self, doors: Doors, rest: BinanceRest, engine: FeedInputs, feed: int) -> None:
        self._doors = doors
        self._rest = rest
        self._engine = engine
        self._feed = feed
        self._attempts: dict[str, _Attempt] = {}
        self.fetched_total = 0
        self.in_vain_total = 0

    async def run(self) -> None:
        """Looks for books to rebuild until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                for symbol in self.due():
                    self._attempts[symbol].is_running = True
                    tasks.create_task(self._rebuild(symbol))
                await asyncio.sleep(_LOOK_EVERY_S)

    def due(self) -> list[str]:
        """Symbols whose snapshot should be fetched now, at most as many as may run at once."""
        waiting = self._engine.books_to_rebuild(self._feed)
        if not waiting and not self._attempts:
            return []  # as nearly always: this is asked twenty times a second
        self._forget_live(waiting)
        now = self._doors.clock.monotonic_ns()
        running = sum(attempt.is_running for attempt in self._attempts.values())
        due: list[str] = []
        for symbol in waiting:
            attempt = self._attempts.setdefault(symbol, _Attempt())
            if not attempt.is_running and attempt.due_ns <= now:
                due.append(symbol)
        return due[: max(0, _AT_ONCE - running)]

    async def _rebuild(self, symbol: str) -> None:
        attempt = self._attempts[symbol]
        limit = CAPABILITIES[self._rest.market].snapshot_limit
        try:
            answer = await self._rest.call("depth", {"symbol": symbol, "limit": str(limit)})
            if answer.status == 200:
                self.fetched_total += 1
                self._take(answer.url, answer.body, answer.ts_recv_ns)
        except (NotSent, OutcomeUnknown):
            pass  # counted below: the book is still on the list
        attempt.is_running = False
        if symbol in self._engine.books_to_rebuild(self._feed):
            self.in_vain_total += 1
            most = min(_WAIT_MOST_S, _WAIT_S * 2.0 ** min(attempt.failures, 10))
            wait_s = self._doors.random.uniform(most / 2, most)
            attempt.failures += 1
            attempt.due_ns = self._doors.clock.monotonic_ns() + int(wait_s * 1e9)

    def _take(self, url: str, body: bytes, ts_recv_ns: int) -> None:
        try:
            self._engine.rest_body(self._feed, url, body, ts_recv_ns)
        except ValueError:
            self.in_vain_total += 1  # an answer that is no snapshot: asked for again

    def _forget_live(self, waiting: Sequence[str]) -> None:
        for symbol in [s for s, a in self._attempts.items() if not a.is_running]:
            if symbol not in waiting:
                del self._attempts[symbol]
