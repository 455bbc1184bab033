"""Bars: history joined to the stream with none missing, none doubled, none half-built."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from tests.venues.binance.streams import SYMBOL
from tests.venues.binance.test_feed import Stage
from veloz._core import record_schemas
from veloz.errors import FeedError
from veloz.net.simulated import START_WALL_NS, World
from veloz.venues.binance.line import LineTimes

MINUTE = 60_000
START_MS = START_WALL_NS // 1_000_000
STREAM = "btcusdt@kline_1m"


class Clockwork:
    """A market whose bar number n has the volume n; a running bar has half of it.

    The venue's tables lag its stream: for `lag_ms` after its close a bar is listed half-built.
    """

    def __init__(self, stage: Stage, *, lag_ms: int = 1500) -> None:
        self.stage = stage
        self.lag_ms = lag_ms
        self.first = (START_MS // MINUTE - 50) * MINUTE
        self.missing: list[int] = []
        stage.venue.routes["GET /api/v3/klines"] = self.klines

    def now_ms(self) -> int:
        return self.stage.world.host("venue").clock.wall_ns() // 1_000_000

    def number(self, opened: int) -> int:
        return (opened - self.first) // MINUTE + 1

    def klines(self, params: dict[str, str]) -> Any:
        start = int(params.get("startTime", self.first))
        end = int(params.get("endTime", self.now_ms()))
        opens = [t for t in range(self.first, min(end, self.now_ms()) + 1, MINUTE) if t >= start]
        limit = int(params["limit"])
        chosen = opens[:limit] if "startTime" in params else opens[-limit:]
        return [self.row(opened) for opened in chosen if opened not in self.missing]

    def row(self, opened: int) -> list[Any]:
        is_done = self.now_ms() >= opened + MINUTE + self.lag_ms
        volume = f"{self.number(opened) / (1 if is_done else 2):.5f}"
        price = ["1.50", "1.60", "1.40", "1.55"]
        return [opened, *price, volume, opened + MINUTE - 1, "1.0", 3, "0.5", "0.5", "0"]

    def publish(self, opened: int, *, is_closed: bool) -> None:
        volume = f"{self.number(opened) / (1 if is_closed else 2):.5f}"
        bar = {"t": opened, "T": opened + MINUTE - 1, "s": SYMBOL, "i": "1m", "f": 1, "L": 2}
        bar |= {"o": "1.50", "c": "1.55", "h": "1.60", "l": "1.40", "v": volume, "n": 2}
        bar |= {"x": is_closed, "q": "1.0", "V": "0.5", "Q": "0.5", "B": "0"}
        self.stage.venue.publish(STREAM, {"e": "kline", "E": self.now_ms(), "s": SYMBOL, "k": bar})

    async def tick(self, seconds: float) -> None:
        """Publishes the running bar every second and each close at its moment."""
        until = self.now_ms() + int(seconds * 1000)
        while self.now_ms() < until:
            opened = self.now_ms() // MINUTE * MINUTE
            self.publish(opened, is_closed=False)
            wait_ms = min(1000, opened + MINUTE - self.now_ms())
            await asyncio.sleep(wait_ms / 1000)
            if self.now_ms() >= opened + MINUTE:
                self.publish(opened, is_closed=True)


def bars(stage: Stage) -> list[tuple[int, float]]:
    """Open minute and volume of each bar that reached the engine, in order."""
    packed = stage.engine.decoder.events().get("Bar", b"")
    rows = np.frombuffer(packed, np.dtype(record_schemas()["Bar"]))
    return [(int(row["ts_open"]) // 1_000_000, int(row["volume"]) / 1e8) for row in rows]


def expected(clockwork: Clockwork, first: int, last: int) -> list[tuple[int, float]]:
    return [(t, float(clockwork.number(t))) for t in range(first, last + 1, MINUTE)]


@pytest.mark.parametrize("offset_s", [0.0, 20.0, 57.0, 58.9, 59.5, 59.9, 59.99, 60.0, 60.2, 61.0])
def test_no_bar_is_missing_doubled_or_half_built_at_the_joint(offset_s: float) -> None:
    world = World(seed=int(offset_s * 100))
    stage = Stage(world, LineTimes())
    clockwork = Clockwork(stage)

    async def main() -> int:
        to_minute_s = MINUTE / 1000 - clockwork.now_ms() % MINUTE / 1000
        async with stage.running():
            ticking = asyncio.create_task(clockwork.tick(to_minute_s + offset_s + 200.0))
            await asyncio.sleep(to_minute_s + offset_s)
            got = await stage.feed.warm_up(SYMBOL, "1m", 5)
            await ticking
            await asyncio.sleep(1.0)
        return got

    assert world.run(main()) == 5
    found = bars(stage)
    assert found == expected(clockwork, found[0][0], found[-1][0])
    assert len(found) >= 8
    # what closed before the start warms up, the rest comes by the stream
    assert sum(len(rows) for rows in stage.engine.history) == 5
    assert stage.engine.rest == []


def test_f_b09_bars_that_close_during_a_break_come_by_rest_before_the_next_one() -> None:
    world = World(seed=21)
    stage = Stage(world, LineTimes())
    clockwork = Clockwork(stage)

    async def main() -> None:
        async with stage.running():
            ticking = asyncio.create_task(clockwork.tick(600.0))
            await stage.feed.warm_up(SYMBOL, "1m", 3)
            await asyncio.sleep(65.0)
            world.network.refuse = lambda dial: "connect" if dial.kind == "ws" else None
            world.network.links[0].cut()
            await asyncio.sleep(150.0)
            world.network.refuse = lambda dial: None
            await ticking
            await asyncio.sleep(1.0)

    world.run(main())
    found = bars(stage)
    assert found == expected(clockwork, found[0][0], found[-1][0])
    assert stage.feed.bars.filled_total >= 2
    assert stage.feed.bars.incomplete == {}


def test_f_b09_a_closed_bar_that_the_stream_left_out_is_fetched() -> None:
    world = World(seed=22)
    stage = Stage(world, LineTimes())
    clockwork = Clockwork(stage)
    publish = clockwork.publish
    closes = [0]

    def lossy(opened: int, *, is_closed: bool) -> None:
        closes[0] += is_closed
        if not (is_closed and closes[0] == 2):
            publish(opened, is_closed=is_closed)

    clockwork.publish = lossy  # type: ignore[method-assign]

    async def main() -> None:
        async with stage.running():
            ticking = asyncio.create_task(clockwork.tick(330.0))
            await stage.feed.warm_up(SYMBOL, "1m", 3)
            await ticking
            await asyncio.sleep(5.0)

    world.run(main())
    found = bars(stage)
    assert found == expected(clockwork, found[0][0], found[-1][0])
    assert stage.feed.bars.filled_total >= 1


def test_history_longer_than_a_page_is_put_together_without_a_seam() -> None:
    world = World(seed=23)
    stage = Stage(world, LineTimes())
    clockwork = Clockwork(stage)
    clockwork.first -= 2500 * MINUTE

    async def main() -> int:
        async with stage.running():
            return await stage.feed.warm_up(SYMBOL, "1m", 2300)

    assert world.run(main()) == 2300
    found = bars(stage)
    assert found == expected(clockwork, found[0][0], found[-1][0])


def test_a_hole_in_the_venues_history_is_an_error_and_not_a_shorter_history() -> None:
    world = World(seed=24)
    stage = Stage(world, LineTimes())
    clockwork = Clockwork(stage)
    clockwork.missing = [(START_MS // MINUTE - 4) * MINUTE]

    async def main() -> None:
        async with stage.running():
            with pytest.raises(FeedError, match="has no bar between"):
                await stage.feed.warm_up(SYMBOL, "1m", 10)

    world.run(main())
