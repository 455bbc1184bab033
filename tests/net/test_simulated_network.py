"""The network in memory: order, delays, faults on order, and what the doors promise about them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veloz.errors import NotSent, OutcomeUnknown
from veloz.net.doors import (
    AnswerLost,
    ConnectFailed,
    Connection,
    ConnectionLost,
    HttpRequest,
    HttpResponse,
    Listener,
)
from veloz.net.simulated import Fate, Parcel, World

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "ws://venue.test:80/stream?listen=1"


class Heard:
    """Writes down what it hears."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.frames: list[bytes] = []
        self.at_ns: list[int] = []
        self.pongs: list[bytes] = []
        self.ends: list[tuple[int | None, str]] = []

    def on_frame(
        self, connection: Connection, payload: bytes | memoryview, ts_recv_ns: int
    ) -> None:
        self.frames.append(bytes(payload))
        self.at_ns.append(ts_recv_ns)

    def on_pong(self, connection: Connection, payload: bytes) -> None:
        self.pongs.append(payload)

    def on_close(self, connection: Connection, code: int | None, reason: str) -> None:
        self.ends.append((code, reason))


class Venue:
    """Echoes frames; answers requests by their body; refuses `/no`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.heard = Heard(world)
        self.ends: list[Connection] = []
        self.requests: list[HttpRequest] = []

    async def http(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        if request.path == "/drop":
            raise ConnectionLost("on purpose")
        await asyncio.sleep(0.01)
        return HttpResponse(200, {"x-weight": "1"}, request.body)

    def accept(self, request: HttpRequest, connection: Connection) -> Listener | HttpResponse:
        if request.path == "/no":
            return HttpResponse(429, {"retry-after": "3"})
        self.ends.append(connection)
        connection.send(b"hello")
        return self.heard


async def opened(world: World) -> tuple[Venue, Heard, Connection]:
    venue, heard = Venue(world), Heard(world)
    doors = world.host("venue").boot()
    await doors.sockets.serve(venue, "venue.test", 80)
    connection = await world.host("engine").boot().sockets.connect(URL, heard)
    return venue, heard, connection


def test_frames_arrive_in_order_and_the_first_rides_on_the_upgrade() -> None:
    world = World(1)

    async def main() -> None:
        venue, heard, connection = await opened(world)
        for number in range(100):
            connection.send(b"%d" % number)
            venue.ends[0].send(b"%d" % number)
        await asyncio.sleep(1)
        assert venue.heard.frames == [b"%d" % number for number in range(100)]
        assert heard.frames == [b"hello", *venue.heard.frames]
        assert heard.at_ns == sorted(heard.at_ns)
        connection.ping(b"are you there")
        await asyncio.sleep(1)
        assert heard.pongs == [b"are you there"]

    world.run(main())


def test_a_view_that_is_kept_is_of_no_use() -> None:
    world = World(1)
    kept: list[memoryview] = []

    class Keeps(Heard):
        def on_frame(
            self, connection: Connection, payload: bytes | memoryview, ts_recv_ns: int
        ) -> None:
            assert isinstance(payload, memoryview)
            kept.append(payload)

    async def main() -> None:
        venue = Venue(world)
        await world.host("venue").boot().sockets.serve(venue, "venue.test", 80)
        await world.host("engine").boot().sockets.connect(URL, Keeps(world))
        await asyncio.sleep(1)

    world.run(main())
    with pytest.raises(ValueError, match="released"):
        bytes(kept[0])


def test_a_close_is_heard_once_on_both_sides_and_ends_sending() -> None:
    world = World(2)

    async def main() -> None:
        venue, heard, connection = await opened(world)
        connection.close(1000, "done")
        assert not connection.is_open
        with pytest.raises(ConnectionLost):
            connection.send(b"late")
        await asyncio.sleep(60)
        assert venue.heard.ends == [(1000, "done")]
        assert heard.ends == [(1000, "")]
        assert world.network.links == []

    world.run(main())


@pytest.mark.parametrize("silently", [False, True], ids=["killed", "power"])
def test_a_dead_peer_is_heard_of_only_if_its_kernel_lives(silently: bool) -> None:
    world = World(3)

    async def main() -> None:
        venue, heard, connection = await opened(world)
        await asyncio.sleep(1)
        if silently:
            world.host("venue").lose_power()
        else:
            world.host("venue").kill()
        await asyncio.sleep(3600)
        assert heard.ends == ([] if silently else [(None, "reset by the peer")])
        assert connection.is_open == silently
        assert venue.heard.ends == []
        connection.abort()
        await asyncio.sleep(1)
        assert len(heard.ends) == 1

    world.run(main())


def test_a_machine_that_is_back_resets_what_it_does_not_know() -> None:
    world = World(3)

    async def main() -> None:
        _, heard, connection = await opened(world)
        world.host("venue").lose_power()
        connection.send(b"into the dark")
        await asyncio.sleep(60)
        world.host("venue").boot()
        await asyncio.sleep(60)
        assert heard.ends == []  # nobody has said anything since
        connection.send(b"who are you?")
        connection.send(b"nobody?")
        await asyncio.sleep(1)
        assert heard.ends == [(None, "reset by the peer")]
        assert not connection.is_open
        assert world.network.links == []

    world.run(main())


def test_a_reset_is_lost_in_a_black_hole_too() -> None:
    world = World(3)

    async def main() -> None:
        _, heard, connection = await opened(world)
        world.network.links[0].black_hole(to_client=True, to_server=False)
        world.host("venue").lose_power()
        world.host("venue").boot()
        connection.send(b"who are you?")
        await asyncio.sleep(1)
        assert heard.ends == []
        world.network.links[0].heal()
        connection.send(b"who are you?")
        await asyncio.sleep(1)
        assert heard.ends == [(None, "reset by the peer")]

    world.run(main())


def test_f_a03_a_black_hole_of_one_way_leaves_the_other() -> None:
    world = World(4)

    async def main() -> None:
        venue, heard, connection = await opened(world)
        await asyncio.sleep(1)
        world.network.links[0].black_hole(to_client=True, to_server=False)
        connection.send(b"heard")
        venue.ends[0].send(b"not heard")
        connection.ping()
        await asyncio.sleep(100)
        assert (venue.heard.frames, heard.frames) == ([b"heard"], [b"hello"])
        assert (heard.pongs, heard.ends) == ([], [])

    world.run(main())


def test_f_a04_a_frame_cut_inside_is_never_heard() -> None:
    world = World(5)

    def judge(parcel: Parcel) -> Fate:
        return Fate(cut="inside") if parcel.payload == b"2" else Fate()

    async def main() -> None:
        venue, heard, connection = await opened(world)
        world.network.judge = judge
        for payload in (b"1", b"2", b"3"):
            connection.send(payload)
        await asyncio.sleep(10)
        assert venue.heard.frames == [b"1"] or venue.heard.frames == [b"1", b"3"]
        assert b"2" not in venue.heard.frames
        assert heard.ends == [(None, "the connection ended inside a frame")]

    world.run(main())


def test_f_a09_what_a_stalled_reader_does_not_take_is_buffered_here() -> None:
    world = World(6)

    async def main() -> None:
        venue, _, connection = await opened(world)
        world.network.links[0].stall(to_server=True)
        connection.send(b"x" * 1000)
        connection.send(b"y")
        assert connection.buffered == 1001 + 2 * 14
        await asyncio.sleep(100)
        assert venue.heard.frames == []
        world.network.links[0].heal()
        await asyncio.sleep(1)
        assert venue.heard.frames == [b"x" * 1000, b"y"]
        assert connection.buffered == 0

    world.run(main())


def test_f_a09_a_stall_that_comes_back_while_it_ends_keeps_the_order() -> None:
    world = World(6)

    def judge(parcel: Parcel) -> Fate:
        if parcel.payload == b"1":
            world.network.links[0].stall(to_server=True)
        return Fate()

    async def main() -> None:
        venue, _, connection = await opened(world)
        world.network.links[0].stall(to_server=True)
        for number in range(4):
            connection.send(b"%d" % number)
        world.network.judge = judge
        world.network.links[0].heal()
        await asyncio.sleep(1)
        assert venue.heard.frames == [b"0", b"1"]
        world.network.judge = lambda parcel: Fate()
        world.network.links[0].heal()
        await asyncio.sleep(1)
        assert venue.heard.frames == [b"0", b"1", b"2", b"3"]

    world.run(main())


@pytest.mark.parametrize(
    ("fate", "frames"),
    [
        (Fate(copies=0), [b"a", b"c"]),
        (Fate(copies=2), [b"a", b"b", b"b", b"c"]),
        (Fate(delay_ns=10**9), [b"a", b"b", b"c"]),
        (Fate(delay_ns=10**9, overtaken=True), [b"a", b"c", b"b"]),
        (Fate(payload=b"B"), [b"a", b"B", b"c"]),
    ],
    ids=["lost", "twice", "late", "overtaken", "changed"],
)
def test_what_a_fate_does_to_a_frame(fate: Fate, frames: list[bytes]) -> None:
    world = World(7)

    async def main() -> None:
        venue, _, connection = await opened(world)
        world.network.judge = lambda parcel: fate if parcel.payload == b"b" else Fate()
        for payload in (b"a", b"b", b"c"):
            connection.send(payload)
        await asyncio.sleep(10)
        assert venue.heard.frames == frames

    world.run(main())


@pytest.mark.parametrize("failed_at", ["address", "connect", "tls", "proxy", "timeout"])
def test_f_a10_a_dial_that_fails_says_how_far_it_came(failed_at: str) -> None:
    world = World(8)

    async def main() -> None:
        venue, _, _ = await opened(world)
        world.network.refuse = lambda dial: failed_at  # type: ignore[return-value,assignment]
        doors = world.host("engine").boot()
        with pytest.raises(ConnectFailed) as failed:
            await doors.sockets.connect(URL, Heard(world), timeout_s=5)
        assert failed.value.failed_at == failed_at
        assert "listen" not in str(failed.value)
        with pytest.raises(NotSent):
            await doors.http.request("GET", "http://venue.test:80/x", timeout_s=5)
        assert venue.requests == []

    world.run(main())


def test_a_refused_upgrade_shows_the_answer() -> None:
    world = World(9)

    async def main() -> None:
        _, _, _ = await opened(world)
        with pytest.raises(ConnectFailed) as failed:
            await world.host("b").boot().sockets.connect("ws://venue.test/no", Heard(world))
        assert failed.value.failed_at == "upgrade"
        assert failed.value.response == HttpResponse(429, {"retry-after": "3"})

    world.run(main())


def judge_kind(kind: str, fate: Fate) -> Callable[[Parcel], Fate]:
    return lambda parcel: fate if parcel.kind == kind else Fate()


@pytest.mark.parametrize(
    ("kind", "fate", "arrives", "sure"),
    [
        ("request", Fate(cut="before"), 0, True),
        ("request", Fate(copies=0), 0, False),
        ("request", Fate(cut="inside"), 0, False),
        ("request", Fate(cut="after"), 0, False),
        ("response", Fate(copies=0), 1, False),
        ("response", Fate(cut="before"), 1, False),
        ("response", Fate(cut="inside"), 1, False),
    ],
)
def test_a_request_is_not_sent_only_if_that_is_certain(
    kind: str, fate: Fate, arrives: int, sure: bool
) -> None:
    world = World(10)

    async def main() -> None:
        venue, _, _ = await opened(world)
        world.network.judge = judge_kind(kind, fate)
        http = world.host("engine").boot().http
        with pytest.raises(NotSent if sure else OutcomeUnknown) as failed:
            await http.request("POST", "http://venue.test/order?signature=x", timeout_s=5)
        assert len(venue.requests) == arrives
        assert "signature" not in str(failed.value)
        if not sure:
            assert isinstance(failed.value, AnswerLost)

    world.run(main())


def test_a_site_can_drop_a_request_without_an_answer() -> None:
    world = World(11)

    async def main() -> None:
        await opened(world)
        http = world.host("engine").boot().http
        answer = await http.request("POST", "http://venue.test/o", body=b"7", timeout_s=5)
        assert answer == HttpResponse(200, {"x-weight": "1"}, b"7")
        with pytest.raises(AnswerLost, match="dropped"):
            await http.request("POST", "http://venue.test/drop", timeout_s=5)

    world.run(main())


def trace(seed: int) -> tuple[str, int]:
    world = World(seed)

    async def main() -> None:
        venue, _, connection = await opened(world)
        http = world.host("engine").boot().http
        for number in range(20):
            connection.send(b"%d" % number)
            venue.ends[0].send(b"v%d" % number)
            await http.request("GET", f"http://venue.test/{number}", timeout_s=5)

    world.run(main())
    return world.network.digest(), world.network.crossed


@given(st.integers(min_value=0))
@settings(deadline=None, max_examples=20)
def test_one_seed_is_one_trace(seed: int) -> None:
    assert trace(seed) == trace(seed)
    assert trace(seed)[0] != trace(seed + 1)[0]
