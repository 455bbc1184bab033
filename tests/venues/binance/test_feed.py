"""Lines under virtual time: roll-overs, holes, subscriptions, silence."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.venues.binance.streams import (
    SYMBOL,
    DecodingEngine,
    HostTime,
    NoLimits,
    Venue,
    pace,
    serve,
    simulated,
)
from veloz.net.simulated import Fate, Parcel, World
from veloz.venues.binance.feed import BinanceFeed
from veloz.venues.binance.line import LineTimes
from veloz.venues.binance.rest import BinanceRest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from veloz.net.doors import FailedAt

TRADES = "btcusdt@trade"
DEPTH = "btcusdt@depth@100ms"


class Stage:
    """A venue, a feed on it, and the engine behind the feed."""

    def __init__(self, world: World, times: LineTimes, market: Any = "spot") -> None:
        self.world = world
        self.venue = Venue()
        self.engine = DecodingEngine(market)
        self.doors = world.host("engine").boot()
        where = simulated(market)
        time = HostTime(self.doors.clock)
        rest = BinanceRest(where, self.doors, NoLimits(), time)
        self.feed = BinanceFeed(
            where,
            self.doors,
            self.engine,
            0,
            rest=rest,
            time=time,
            pace=lambda: pace(self.doors),
            times=times,
        )

    @asynccontextmanager
    async def running(self, *streams: str) -> AsyncIterator[None]:
        await serve(self.world, self.venue)
        self.feed.subscribe(streams)
        task = asyncio.create_task(self.feed.run())
        try:
            await self.confirmed()
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def confirmed(self) -> None:
        while self.feed.unconfirmed:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.01)

    def trade(self, number: int) -> None:
        now_ms = self.world.host("venue").clock.wall_ns() // 1_000_000
        event = {"e": "trade", "E": now_ms, "s": SYMBOL, "t": number, "p": "1.50", "q": "2.0"}
        self.venue.publish(TRADES, {**event, "T": now_ms, "m": True})

    def depth(self, first: int, last: int, qty: str = "1.0") -> None:
        event = {"e": "depthUpdate", "E": 1_700_000_000_000, "s": SYMBOL, "U": first, "u": last}
        self.venue.publish(DEPTH, {**event, "b": [["1.40", qty]], "a": [["1.60", qty]]})

    def serve_snapshot(self, *last_ids: int) -> None:
        """Answers with these ids one after another; the last one from then on."""
        answers = list(last_ids)

        def snapshot(params: dict[str, str]) -> Any:
            last = answers.pop(0) if len(answers) > 1 else answers[0]
            return {"lastUpdateId": last, "bids": [["1.40", "9.0"]], "asks": [["1.60", "9.0"]]}

        self.venue.routes["GET /api/v3/depth"] = snapshot


def test_f_a01_fifty_roll_overs_count_each_event_once() -> None:
    """F-A01, F-B03: connections lag each other by up to 300 ms; none lost, none doubled."""
    world = World(seed=1)
    world.network.delay_ns = (1_000_000, 300_000_000)
    stage = Stage(world, LineTimes(age_s=20.0, quiet_s=2.0))

    async def main() -> int:
        published = 0
        async with stage.running(TRADES):
            while stage.feed.counts["rollovers"] < 50:
                published += 1
                stage.trade(published)
                await asyncio.sleep(0.05)
            await asyncio.sleep(2.0)
        return published

    published = world.run(main())
    assert stage.engine.trade_ids() == list(range(1, published + 1))
    assert stage.feed.counts["duplicates"] > 50
    assert stage.feed.counts["connects"] == 51
    assert stage.engine.marks == []


def test_f_a01_a_shutdown_notice_brings_the_successor_at_once() -> None:
    world = World(seed=2)
    stage = Stage(world, LineTimes())

    async def main() -> None:
        async with stage.running(TRADES):
            stage.trade(1)
            stage.venue.peers[0].say({"stream": "!serverShutdown", "data": {"e": "serverShutdown"}})
            for number in range(2, 40):
                stage.trade(number)
                await asyncio.sleep(0.1)

    world.run(main())
    assert stage.feed.counts["rollovers"] == 1
    assert stage.engine.trade_ids() == list(range(1, 40))


def test_f_a01_a_cut_during_the_overlap_loses_nothing_once_both_are_subscribed() -> None:
    world = World(seed=3)
    stage = Stage(world, LineTimes(age_s=5.0, quiet_s=60.0))

    async def main() -> None:
        async with stage.running(TRADES):
            peers = stage.venue.peers
            while len(peers) < 2 or not peers[1].streams:  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            stage.world.network.links[0].cut()
            for number in range(1, 20):
                stage.trade(number)
                await asyncio.sleep(0.1)

    world.run(main())
    assert stage.engine.trade_ids() == list(range(1, 20))
    assert ("stale", (TRADES,)) not in stage.engine.marks


def test_f_a02_a_cut_marks_stale_at_once_and_comes_back() -> None:
    world = World(seed=4)
    stage = Stage(world, LineTimes())

    async def main() -> None:
        async with stage.running(TRADES):
            stage.trade(1)
            await asyncio.sleep(0.1)
            stage.world.network.links[0].cut()
            await asyncio.sleep(0.01)
            assert stage.engine.marks[0] == ("stale", (TRADES,))
            await asyncio.sleep(2.0)
            stage.trade(2)
            await asyncio.sleep(0.1)

    world.run(main())
    assert stage.engine.trade_ids() == [1, 2]
    assert stage.engine.marks == [("stale", (TRADES,)), ("fresh", (TRADES,))]


def test_f_a04_a_frame_that_was_cut_is_never_parsed_and_the_hole_is_told() -> None:
    world = World(seed=17)
    stage = Stage(world, LineTimes())

    async def main() -> None:
        async with stage.running(TRADES):
            stage.trade(1)
            await asyncio.sleep(0.1)
            world.network.judge = lambda parcel: Fate(cut="inside")
            stage.trade(2)
            world.network.judge = lambda parcel: Fate()
            await asyncio.sleep(2.0)
            stage.trade(3)
            await asyncio.sleep(0.1)

    world.run(main())
    assert stage.engine.trade_ids() == [1, 3]
    assert stage.feed.counts["malformed"] == 0
    assert stage.engine.marks == [("stale", (TRADES,)), ("fresh", (TRADES,))]


@pytest.mark.parametrize("failed_at", ["address", "connect", "tls", "proxy", "upgrade", "timeout"])
def test_f_a10_f_a05_a_venue_that_cannot_be_reached_is_tried_again_with_back_off(
    failed_at: FailedAt,
) -> None:
    world = World(seed=16)
    stage = Stage(world, LineTimes())

    async def main() -> None:
        async with stage.running(TRADES):
            world.network.refuse = lambda dial: failed_at
            stage.world.network.links[0].cut()
            await asyncio.sleep(60.0)
            tries = stage.feed.counts["connects"]
            assert 3 <= tries <= 40
            world.network.refuse = lambda dial: None
            await asyncio.sleep(20.0)
            stage.trade(1)
            await asyncio.sleep(0.1)

    world.run(main())
    assert stage.engine.trade_ids() == [1]


def test_f_a03_a_silent_half_open_connection_is_found_by_its_missing_pong() -> None:
    world = World(seed=5)
    stage = Stage(world, LineTimes(ping_every_s=5.0, pong_within_s=2.0))

    async def main() -> None:
        async with stage.running(TRADES):
            stage.trade(1)
            await asyncio.sleep(0.1)
            stage.world.network.links[0].black_hole()
            await asyncio.sleep(15.0)
            stage.trade(2)
            await asyncio.sleep(0.1)

    world.run(main())
    assert stage.engine.trade_ids() == [1, 2]
    assert stage.feed.counts["silent"] == 1


def test_f_a03_data_that_stops_while_pings_live_trips_too() -> None:
    world = World(seed=6)
    stage = Stage(world, LineTimes())

    async def main() -> None:
        async with stage.running(TRADES, "btcusdt@kline_1m"):
            for number in range(1, 30):
                stage.trade(number)
                await asyncio.sleep(0.1)
            stage.venue.peers[0].streams.clear()  # the venue forgot: it sends nothing any more
            await asyncio.sleep(70.0)
            stage.trade(30)
            await asyncio.sleep(0.1)

    world.run(main())
    assert stage.engine.trade_ids() == list(range(1, 31))
    assert ("stale", (TRADES,)) in stage.engine.marks
    assert stage.feed.counts["resubscribed"] >= 1


def test_f_a05_no_connection_hears_more_messages_than_the_venue_allows() -> None:
    world = World(seed=7)
    stage = Stage(world, LineTimes())
    at: list[int] = []

    def judge(parcel: Parcel) -> Fate:
        if parcel.to_server and parcel.kind in {"text", "ping"}:
            at.append(world.loop.now_ns)
        return Fate()

    world.network.judge = judge

    async def main() -> None:
        async with stage.running(*(f"sym{n}@trade" for n in range(1000))):
            await asyncio.sleep(30.0)

    world.run(main())
    assert len(at) >= 10
    worst = max(sum(0 <= t - since < 1_000_000_000 for t in at) for since in at)
    assert worst <= 5


def test_f_a06_what_the_venue_dropped_is_asked_for_again() -> None:
    world = World(seed=8)
    stage = Stage(world, LineTimes(audit_every_s=30.0))
    stage.venue.dropped_streams = [TRADES]

    async def main() -> None:
        async with stage.running(TRADES, "btcusdt@forceOrder"):
            await asyncio.sleep(5.0)
            stage.venue.dropped_streams = []
            await asyncio.sleep(31.0)
            stage.trade(1)
            await asyncio.sleep(0.1)

    world.run(main())
    assert stage.engine.trade_ids() == [1]


def test_f_a06_one_bad_topic_does_not_hold_up_the_others() -> None:
    world = World(seed=9)
    stage = Stage(world, LineTimes())
    stage.venue.bad_streams = ["sym3@trade"]
    good = [f"sym{n}@trade" for n in range(20) if n != 3]

    async def main() -> None:
        await serve(world, stage.venue)
        stage.feed.subscribe([*good, "sym3@trade"])
        task = asyncio.create_task(stage.feed.run())
        await asyncio.sleep(10.0)
        assert sorted(stage.venue.peers[0].streams) == sorted(good)
        assert stage.feed.unconfirmed == ["sym3@trade"]
        assert stage.feed.lines[0].refused == {"sym3@trade": "2 bad sym3@trade"}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    world.run(main())


def test_f_a06_a_new_connection_carries_the_same_set() -> None:
    world = World(seed=10)
    stage = Stage(world, LineTimes())
    names = [f"sym{n}@trade" for n in range(250)]

    async def main() -> None:
        async with stage.running(*names):
            stage.world.network.links[0].cut()
            await asyncio.sleep(0.1)
            await stage.confirmed()
            assert list(stage.venue.peers[0].streams) == names

    world.run(main())


def test_f_b01_a_gap_is_stale_until_a_snapshot_joins() -> None:
    world = World(seed=11)
    stage = Stage(world, LineTimes())
    stage.serve_snapshot(10, 31)
    book = stage.engine.decoder.book(SYMBOL)

    async def main() -> None:
        async with stage.running(DEPTH):
            stage.depth(9, 12)
            await asyncio.sleep(0.5)
            assert book.state == "live"
            stage.depth(30, 33)  # 13 to 29 never came
            await asyncio.sleep(0.01)
            assert book.state == "stale"
            await asyncio.sleep(0.5)

    world.run(main())
    assert (book.state, book.last_update_id) == ("live", 33)


def test_f_b02_snapshots_that_are_too_old_are_fetched_again_with_back_off() -> None:
    world = World(seed=12)
    stage = Stage(world, LineTimes())
    stage.serve_snapshot(5, 5, 5, 5, 12)
    book = stage.engine.decoder.book(SYMBOL)

    async def main() -> None:
        async with stage.running(DEPTH):
            stage.depth(10, 12)
            await asyncio.sleep(0.2)
            assert book.state == "waiting"
            await asyncio.sleep(10.0)

    world.run(main())
    assert book.state == "live"
    assert len(stage.venue.asked) == 5
    assert stage.feed.books.in_vain_total == 4


def test_f_b08_f_k01_a_frame_that_cannot_be_read_stops_nothing() -> None:
    world = World(seed=13)
    stage = Stage(world, LineTimes())

    async def main() -> None:
        async with stage.running(TRADES):
            stage.venue.publish(TRADES, {"e": "trade", "s": SYMBOL, "t": "x", "p": "NaN"})
            stage.venue.peers[0].connection.send(b"<html>")
            stage.venue.publish(TRADES, {"e": "newKind", "s": SYMBOL})
            stage.trade(1)
            await asyncio.sleep(0.1)

    world.run(main())
    assert stage.engine.trade_ids() == [1]
    assert stage.feed.counts["malformed"] == 2
    assert stage.feed.counts["closes"] == 0


def test_streams_beyond_the_venues_number_take_a_second_line() -> None:
    world = World(seed=14)
    stage = Stage(world, LineTimes(), market="coinm")
    stage.feed.subscribe([f"sym{n}@aggTrade" for n in range(450)])
    assert [len(line.streams) for line in stage.feed.lines] == [200, 200, 50]


def test_usdm_streams_go_to_the_path_that_serves_them() -> None:
    world = World(seed=15)
    stage = Stage(world, LineTimes(), market="usdm")

    async def main() -> None:
        names = ["btcusdt@depth@100ms", "btcusdt@markPrice@1s", "btcusdt@bookTicker"]
        async with stage.running(*names):
            paths = {peer.request.path: list(peer.streams) for peer in stage.venue.peers}
            assert paths == {
                "/public/stream": ["btcusdt@depth@100ms", "btcusdt@bookTicker"],
                "/market/stream": ["btcusdt@markPrice@1s"],
            }

    world.run(main())
