"""Bars from before the start and out of holes, joined to the live stream.

```text
  REST  [1][2][3][4][5][6)         ( half-built: never used )
  held           (4)[4](5)[5](6)…  the stream's frames, kept from subscription on
  engine [1][2][3]│[4][5]│          history, then what the stream closed, each open time once
```

A bar is taken from REST only when it closed before the stream was confirmed, or when it has been
closed for a margin: the venue's tables may lag its streams by moments. All others come by the
stream. Neighbours must touch: the next bar opens where the last one closed.

Source: Binance "Kline/Candlestick data" and "Kline/Candlestick Streams".
"""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from veloz.errors import FeedError, NotSent, OutcomeUnknown
from veloz.venues.binance.capabilities import CAPABILITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veloz.net.doors import Doors
    from veloz.venues.binance.rest import BinanceRest, VenueTime
    from veloz.venues.venue import FeedInputs

__all__ = ["Bars"]

_SETTLED_MS = 3000
_TRIES = 20
_WAIT_S = 0.5
_WAIT_MOST_S = 10.0

Row = list[object]
"""A bar as REST sends it: open time first, close time seventh, the others as decimal text."""


@dataclass(slots=True)
class _Held:
    """A stream whose frames wait for history."""

    frames: list[tuple[bytes, int]] = field(default_factory=list[tuple[bytes, int]])


class Bars:
    """Fetches bars and lets held frames go behind them.

    Args:
        doors: Time and chance.
        rest: Asks the venue.
        time: The venue's clock.
        engine: Takes the bars.
        feed: The engine's number of the feed.

    Attributes:
        filled_total: Bars that a hole had left out and REST brought.
        dropped_total: Closed bars of the stream that history had brought already.
        incomplete: Streams whose hole could not be closed, with the reason.
        watched: The streams of which `is_held` wants to be asked.
    """

    def __init__(
        self, doors: Doors, rest: BinanceRest, time: VenueTime, engine: FeedInputs, feed: int
    ) -> None:
        self._doors = doors
        self._rest = rest
        self._time = time
        self._engine = engine
        self._feed = feed
        self._held: dict[str, _Held] = {}
        self._closed: dict[str, tuple[int, int]] = {}
        self._to_fill: dict[str, None] = {}
        self._wake = asyncio.Event()
        self.filled_total = 0
        self.dropped_total = 0
        self.incomplete: dict[str, str] = {}
        self.watched: dict[str, None] = {}

    # What a line tells.

    def is_held(self, stream: str, payload: bytes, ts_recv_ns: int) -> bool:
        """Keeps a frame that must wait for history; True if it did."""
        held = self._held.get(stream)
        if held is not None:
            held.frames.append((payload, ts_recv_ns))
            return True
        if stream in self._closed and b'"x":true' in payload:
            return not self._is_next(stream, payload)
        return False

    def lost(self, streams: Sequence[str], ts_ns: int) -> None:
        """Holds the bars of these streams until what they miss is known."""
        del ts_ns
        for stream in streams:
            if stream in self._closed:
                self.hold(stream)

    def restored(self, streams: Sequence[str], lost_ns: int, ts_ns: int) -> None:
        """Fetches what the hole left out."""
        del lost_ns, ts_ns
        self._to_fill.update({name: None for name in streams if name in self._held})
        self._wake.set()

    # What the feed asks.

    def hold(self, stream: str) -> None:
        """Keeps the frames of a stream from now on."""
        self._held.setdefault(stream, _Held())
        self.watched[stream] = None

    def forget(self, stream: str) -> None:
        """Knows nothing of a stream any more: nobody wants it."""
        self._held.pop(stream, None)
        self._closed.pop(stream, None)
        self._to_fill.pop(stream, None)
        self.incomplete.pop(stream, None)
        self.watched.pop(stream, None)

    async def run(self) -> None:
        """Fills holes until cancelled."""
        while True:
            self._wake.clear()
            while self._to_fill:
                stream = next(iter(self._to_fill))
                del self._to_fill[stream]
                await self._fill(stream)
            await self._wake.wait()

    async def warm_up(self, symbol: str, interval: str, bars: int) -> int:
        """Brings the last `bars` closed bars, then lets the stream go.

        A stream that others hear already goes on for them where it was held: what closed since is
        not of the history.

        Args:
            symbol: Venue symbol.
            interval: Such as `1m`.
            bars: How many.

        Returns:
            How many there were; fewer if the instrument is younger.

        Raises:
            FeedError: The history has a hole that does not close.
        """
        stream = f"{symbol.lower()}@kline_{interval}"
        rows, url, ts_recv_ns = await self._history(stream, symbol, interval, bars)
        if stream not in self._held:
            return 0  # nobody wants it any more
        last_opened, _ = self._closed.get(stream, (-1, -1))
        if last_opened >= 0:
            rows = [row for row in rows if _opened(row) <= last_opened]
        if rows:
            self._engine.history_body(self._feed, url, _body(rows), ts_recv_ns)
            if last_opened < 0:
                self._closed[stream] = (_opened(rows[-1]), _ended(rows[-1]))
        if stream not in self._to_fill:
            self._release(stream)
        return len(rows)

    async def _history(
        self, stream: str, symbol: str, interval: str, bars: int
    ) -> tuple[list[Row], str, int]:
        """Closed and settled bars, oldest first, without a hole."""
        most = CAPABILITIES[self._rest.market].klines_limit
        rows: list[Row] = []
        url, ts_recv_ns, end = "", 0, None
        while len(rows) < bars:
            params = {"symbol": symbol, "interval": interval}
            params["limit"] = str(min(most, bars - len(rows) + 2))
            if end is not None:
                params["endTime"] = str(end)
            page, url, ts_recv_ns = await self._settled(stream, params)
            if not page:
                break
            rows = page + rows
            end = _opened(page[0]) - 1
        rows = rows[-bars:] if bars else []
        _check_chain(rows, f"{symbol} {interval}")
        return rows, url, ts_recv_ns

    async def _settled(self, stream: str, params: dict[str, str]) -> tuple[list[Row], str, int]:
        """One page of bars that are closed for good, up to where the held frames go on."""
        for attempt in range(_TRIES):
            try:
                answer = await self._rest.call("klines", params)
            except (NotSent, OutcomeUnknown):
                await self._back_off(attempt)
                continue
            value = answer.value()
            if answer.status != 200 or not isinstance(value, list):
                await self._back_off(attempt)
                continue
            now_ms = self._time.now_ms()
            closed = [row for row in value if _ended(row) < now_ms]
            rows = [row for row in closed if now_ms - _ended(row) >= _SETTLED_MS]
            if len(rows) == len(closed) or self._goes_on(stream, rows):
                return rows, answer.url, answer.ts_recv_ns
            await asyncio.sleep((_SETTLED_MS - now_ms + _ended(closed[-1])) / 1000)
        raise FeedError(
            f"no history of {params['symbol']} {params['interval']} after {_TRIES} attempts",
            hint="look at the venue's status and the used weight",
        )

    def _goes_on(self, stream: str, rows: list[Row]) -> bool:
        """True if the first closed bar that is held opens where the rows end, or before."""
        held = self._held.get(stream)
        for payload, _ in held.frames if held is not None else ():
            if rows and b'"x":true' in payload:
                return int(json.loads(payload)["data"]["k"]["t"]) <= _ended(rows[-1]) + 1
        return False

    async def _back_off(self, attempt: int) -> None:
        most = min(_WAIT_MOST_S, _WAIT_S * 2.0**attempt)
        await asyncio.sleep(self._doors.random.uniform(most / 2, most))

    async def _fill(self, stream: str) -> None:
        """Brings the bars that closed since the last one that was delivered."""
        symbol, interval = stream.split("@kline_")
        if stream not in self._closed:
            return  # nobody wants it any more
        since = self._closed[stream][1] + 1
        params = {"symbol": symbol.upper(), "interval": interval, "startTime": str(since)}
        params["limit"] = str(CAPABILITIES[self._rest.market].klines_limit)
        try:
            while True:
                rows, url, ts_recv_ns = await self._settled(stream, params)
                if rows and _opened(rows[0]) != since:
                    raise FeedError(f"{stream} has no bar that opens at {since}")
                _check_chain(rows, stream)
                if stream not in self._closed:
                    return
                if rows:
                    self._engine.rest_body(self._feed, url, _body(rows), ts_recv_ns)
                    self._closed[stream] = (_opened(rows[-1]), _ended(rows[-1]))
                    self.filled_total += len(rows)
                if len(rows) < int(params["limit"]) - 1:
                    break
                since = _ended(rows[-1]) + 1
                params["startTime"] = str(since)
            self.incomplete.pop(stream, None)
        except FeedError as fault:
            self.incomplete[stream] = str(fault)
            self._engine.stale(self._feed, [stream], str(fault), self._doors.clock.wall_ns())
            await asyncio.sleep(_WAIT_MOST_S)
            self._to_fill[stream] = None
            return
        self._release(stream)

    def _release(self, stream: str) -> None:
        """Delivers the held frames; closed bars that history brought are left out."""
        held = self._held.pop(stream, None)
        if held is None:
            return
        self._closed.setdefault(stream, (-1, -1))
        for payload, ts_recv_ns in held.frames:
            if stream in self._held:  # a bar is missing among them: the rest waits again
                self._held[stream].frames.append((payload, ts_recv_ns))
            elif b'"x":true' not in payload or self._is_next(stream, payload):
                self._engine.frame(self._feed, payload, ts_recv_ns)

    def _is_next(self, stream: str, payload: bytes) -> bool:
        """True if a closed bar of the stream was not delivered before; notes it then."""
        bar = json.loads(payload)["data"]["k"]
        opened, ended = int(bar["t"]), int(bar["T"])
        last_opened, last_ended = self._closed[stream]
        if opened <= last_opened:
            self.dropped_total += 1
            return False
        if last_opened >= 0 and opened != last_ended + 1:
            # a bar is missing although no connection was lost: fetched like a hole
            self.hold(stream)
            self._to_fill[stream] = None
            self._wake.set()
            return False
        self._closed[stream] = (opened, ended)
        return True


def _opened(row: Row) -> int:
    return int(str(row[0]))


def _ended(row: Row) -> int:
    return int(str(row[6]))


def _body(rows: list[Row]) -> bytes:
    """The rows as the venue sends them: the figures in them are text and stay as they are."""
    return json.dumps(rows, separators=(",", ":")).encode()


def _check_chain(rows: list[Row], name: str) -> None:
    for before, after in itertools.pairwise(rows):
        if _opened(after) != _ended(before) + 1:
            raise FeedError(
                f"{name} has no bar between {_ended(before)} and {_opened(after)}",
                hint="the venue's history is incomplete: start later or with fewer bars",
            )
