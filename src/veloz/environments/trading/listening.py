"""Which market data a run hears: what its strategies declared, and what they change while it runs.

```text
 declared ─► streams, then bars joined to their history ─► all is heard
 subscribe, unsubscribe ─► the engine, at once ─► `changed` ─► streams opened and closed
                                                    └─► bars held, joined to history, let go
```

What orders are judged by stays open to the end: quotes of everything that is traded, books that
were declared, marks of futures, and on paper what the simulated venue matches with. Bars and
prints come and go.

What a newcomer gets wrong: a subscription is heard from the next event on, so bars that begin again
are held before anything else can come. Indicators take from their history what they lack and never
a bar twice; other strategies that hear the same bars miss none and hear none again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from veloz.environments.heard import warm_up_of
from veloz.environments.trading import streams
from veloz.environments.trading.tables import market_of
from veloz.errors import ConfigError, FeedError
from veloz.strategy.durations import format_duration

if TYPE_CHECKING:
    from veloz.environments.trading.connection import MarketConnection
    from veloz.environments.trading.engine import Seated
    from veloz.environments.trading.lifetime import Stop
    from veloz.environments.trading.run import TradingRun
    from veloz.environments.trading.streams import Want
    from veloz.venues.binance.hosts import Market

__all__ = ["Listening"]

_POLL_S = 0.1


class Listening:
    """The market data of one run.

    Args:
        run: The run; its engine is made, its strategies are seated.
    """

    def __init__(self, run: TradingRun) -> None:
        self._run = run
        self._wanted: dict[Want, None] = {
            (row, symbol, kind, interval): None
            for seated, row in zip(run.made, run.rows, strict=True)
            for symbol, kinds in seated.wanted.items()
            for kind, intervals in kinds.items()
            for interval in intervals or (0,)
        }
        self._kept = {want: None for want in self._wanted if want[2] == "books"}
        self._open: dict[Market, dict[str, None]] = {}
        self._joins: deque[Want] = deque()
        self._wake = asyncio.Event()

    async def begin(self, stop: Stop) -> None:
        """Opens streams, then bars joined to their history; returns when all is heard.

        Raises:
            FeedError: A history has a hole that does not close.
        """
        self._take()  # what `on_start` left out is never opened
        for market, connection in self._run.connections.items():
            if connection.feed is None:
                continue
            names = self._names(market)
            self._open[market] = dict.fromkeys(names)
            connection.feed.subscribe(names)
            self._run.spawn(f"market data of {market}", connection.feed.run())
        bars: dict[tuple[str, int], int] = {}
        for want in self._wanted:
            row, symbol, kind, interval = want
            if kind == "bars":
                needed = bars_needed(self._seated(row))
                bars[symbol, interval] = max(bars.get((symbol, interval), 0), needed)
        for (symbol, interval), needed in bars.items():
            joining = asyncio.ensure_future(self._join(symbol, interval, needed))
            while not joining.done():
                await asyncio.wait({joining}, timeout=_POLL_S)
                if stop.asked.is_set() or self._run.shell.fatal:
                    joining.cancel()
                    return
                self._run.look_at_tasks()
            joining.result()

    def changed(self) -> None:
        """A strategy has begun or ended subscriptions; called in the very event that it did so."""
        begun = self._take()
        if not self._open:
            return  # nothing is open yet: `begin` opens what is wanted then
        try:
            for market, connection in self._run.connections.items():
                if market in self._open:
                    self._follow(market, connection)
        except ConfigError as failure:
            self._run.fail(failure)
            return
        for want in begun:
            _, symbol, kind, interval = want
            if kind == "bars" and want in self._wanted:
                feed = self._run.connections[market_of(symbol)].feed
                if feed is not None:
                    feed.bars.hold(self._stream(symbol, interval))
                    self._joins.append(want)
                    self._wake.set()

    async def run(self) -> None:
        """Joins bars that began while running, until cancelled."""
        while True:
            self._wake.clear()
            while self._joins:
                want = self._joins.popleft()
                if want not in self._wanted:
                    continue
                row, symbol, _, interval = want
                lacking = self._missed(row, symbol, interval)
                try:
                    needed = max(bars_needed(self._seated(row)), lacking)
                    await self._join(symbol, interval, needed)
                except FeedError as failure:
                    self._run.fail(failure)
            await self._wake.wait()

    # -- pieces ------------------------------------------------------------------------------

    def _take(self) -> list[Want]:
        """What was changed since it was asked last; gives what began."""
        begun: dict[Want, None] = {}
        for row, symbol, kind, interval, is_on in self._run.engine.take_listens():
            want = (row, symbol, kind, interval)
            if not is_on:
                self._wanted.pop(want, None)
                begun.pop(want, None)
            elif want not in self._wanted:
                self._wanted[want] = begun[want] = None
        return list(begun)

    def _names(self, market: Market) -> list[str]:
        wants = self._kept | self._wanted
        is_paper = self._run.settings.is_paper
        return streams.wanted(market, wants, self._run.tables, is_paper=is_paper)

    def _follow(self, market: Market, connection: MarketConnection) -> None:
        """Opens and closes what differs; bars are opened by their join."""
        feed = connection.feed
        if feed is None:
            return
        wanted = dict.fromkeys(self._names(market))
        bars = {
            self._stream(symbol, interval)
            for _, symbol, kind, interval in self._wanted
            if kind == "bars" and market_of(symbol) == connection.market
        }
        gone = [name for name in self._open[market] if name not in wanted and name not in bars]
        feed.unsubscribe(gone)
        feed.subscribe(list(wanted))
        self._open[market] = wanted | {name: None for name in self._open[market] if name in bars}

    async def _join(self, symbol: str, interval: int, needed: int) -> None:
        feed = self._run.connections[market_of(symbol)].feed
        if feed is None:
            return
        venue_symbol, word = self._venue_symbol(symbol), format_duration(interval)
        self._open[market_of(symbol)][self._stream(symbol, interval)] = None
        count = await feed.warm_up(venue_symbol, word, needed)
        told = {"symbol": venue_symbol, "interval": word, "bars": count}
        self._run.tell("warmed_up", told)

    def _missed(self, row: int, symbol: str, interval: int) -> int:
        """How many bars went by since the strategy's indicators had their last one."""
        until = self._run.engine.fed_until(row, symbol, interval)
        return 0 if until is None else (self._run.shell.now_ns() - until) // interval + 1

    def _seated(self, row: int) -> Seated:
        return self._run.made[self._run.rows.index(row)]

    def _venue_symbol(self, symbol: str) -> str:
        rows = self._run.tables.instruments
        return next(row["venue_symbol"] for row in rows if row["symbol"] == symbol)

    def _stream(self, symbol: str, interval: int) -> str:
        return f"{self._venue_symbol(symbol).lower()}@kline_{format_duration(interval)}"


def bars_needed(seated: Seated) -> int:
    """How many bars of history make every indicator of a strategy ready."""
    needed = [int(row["bars_needed"]) for row in warm_up_of(seated.strategy)]
    return max(needed, default=0)
