"""Binance market data: streams onto lines, books rebuilt, bars joined to history.

```text
 subscribe ─► by path, at most 1024 a line ─► Line ─► engine.frame
                                               │ holes
                                               ├─► Bars      missed and earlier bars, by REST
                                               └─► BookSync  snapshots, by REST
```

Which bars reach a strategy, and when, is written in this folder's README, "Bars".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from veloz.venues.binance.book_sync import BookSync
from veloz.venues.binance.capabilities import CAPABILITIES
from veloz.venues.binance.hosts import StreamKind, stream_kind
from veloz.venues.binance.line import Line, LineTimes
from veloz.venues.binance.warmup import Bars

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from veloz.net.backoff import Backoff
    from veloz.net.doors import Doors
    from veloz.venues.binance.hosts import Hosts
    from veloz.venues.binance.rest import BinanceRest, VenueTime
    from veloz.venues.venue import FeedInputs

__all__ = ["BinanceFeed"]


class BinanceFeed:
    """Streams one market's data into the engine until cancelled.

    Args:
        hosts: Where to.
        doors: Sockets, time and chance.
        engine: Takes frames and bodies.
        feed: The engine's number of the feed.
        rest: Asks for snapshots and history.
        time: The venue's clock.
        pace: Makes the spacing of one line's connection attempts.
        times: When lines do things by themselves.
    """

    def __init__(
        self,
        hosts: Hosts,
        doors: Doors,
        engine: FeedInputs,
        feed: int,
        *,
        rest: BinanceRest,
        time: VenueTime,
        pace: Callable[[], Backoff],
        times: LineTimes | None = None,
    ) -> None:
        self._hosts = hosts
        self._doors = doors
        self._engine = engine
        self._feed = feed
        self._pace = pace
        self._times = times or LineTimes()
        self._tasks: asyncio.TaskGroup | None = None
        self.bars = Bars(doors, rest, time, engine, feed)
        self.books = BookSync(doors, rest, engine, feed)
        self.lines: list[Line] = []

    def subscribe(self, streams: Sequence[str]) -> None:
        """Wants these streams from now on; twice is once."""
        wanted = {name for line in self.lines for name in line.streams}
        for name in dict.fromkeys(streams):
            if name not in wanted:
                self._line_for(stream_kind(name)).want([name])

    def unsubscribe(self, streams: Sequence[str]) -> None:
        """Wants them no more."""
        for line in self.lines:
            line.unwant(streams)
        for name in streams:
            if "@kline_" in name:
                self.bars.forget(name)

    async def warm_up(self, symbol: str, interval: str, bars: int) -> int:
        """Subscribes to bars and joins them to history: none missing, doubled or half-built.

        Args:
            symbol: Venue symbol.
            interval: Such as `1m`.
            bars: How many that closed before now; they warm indicators and fire nothing.

        Returns:
            How many there were.

        Raises:
            FeedError: The venue's history has a hole that does not close.
        """
        stream = f"{symbol.lower()}@kline_{interval}"
        self.bars.hold(stream)
        self.subscribe([stream])
        while stream in self.unconfirmed:  # noqa: ASYNC110 - an acknowledgement is moments away
            await asyncio.sleep(0.05)
        return await self.bars.warm_up(symbol, interval, bars)

    @property
    def unconfirmed(self) -> list[str]:
        """Streams that are wanted and that the venue has not confirmed."""
        return [name for line in self.lines for name in line.unconfirmed]

    @property
    def counts(self) -> dict[str, int]:
        """What happened on all lines together, by name."""
        total: dict[str, int] = {}
        for line in self.lines:
            for name, count in line.counts.items():
                total[name] = total.get(name, 0) + count
        return total

    async def run(self) -> None:
        """Delivers until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                for line in self.lines:
                    tasks.create_task(line.run())
                tasks.create_task(self.books.run())
                await self.bars.run()
            finally:
                self._tasks = None

    def _line_for(self, kind: StreamKind) -> Line:
        kind = kind if self._hosts.is_split else StreamKind.MARKET
        most = CAPABILITIES[self._hosts.market].streams_per_connection
        for line in self.lines:
            if line.kind is kind and len(line.streams) < most:
                return line
        line = Line(
            self._hosts,
            kind,
            self._doors,
            self._engine,
            self._feed,
            self.bars,
            self._pace(),
            times=self._times,
        )
        self.lines.append(line)
        if self._tasks is not None:
            self._tasks.create_task(line.run())
        return line
