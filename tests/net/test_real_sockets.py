"""WebSockets over loopback: what the door promises, on both loops, with and without TLS."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import uvloop
from tests.net.loopback import Hears, LoopbackSite, Proxy, make_certificate

from veloz.errors import ConfigError
from veloz.net.doors import ConnectFailed, Connection, ConnectionLost
from veloz.net.real import real_doors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from veloz.net.doors import Doors, Server

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "plain": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    def run(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(main)

    return run


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Doors, LoopbackSite, Server]]:
    async with real_doors() as doors:
        site = LoopbackSite()
        yield doors, site, await doors.sockets.serve(site)


def test_frames_go_both_ways_in_order_and_are_stamped(run: Any) -> None:
    async def main() -> None:
        async with served() as (doors, site, server):
            hears, began_ns = Hears(), time.time_ns()
            connection = await doors.sockets.connect(f"{server.url_ws}/s?a=1", hears)
            for number in range(500):
                connection.send(b"%d" % number)
            await site.heard.until("frames", 500)
            assert site.heard.frames == [b"%d" % number for number in range(500)]
            for number in range(500):
                site.accepted[0].send(b"%d" % number)
            await hears.until("frames", 501)
            assert hears.frames == [b"hello a=1", *site.heard.frames]
            assert began_ns <= hears.stamps_ns[0] <= hears.stamps_ns[-1] <= time.time_ns()
            assert len(set(hears.stamps_ns)) <= 10  # those of one read came together
            assert connection.is_open
            assert connection.buffered == 0

    run(main())


def test_pings_are_answered_both_ways(run: Any) -> None:
    async def main() -> None:
        async with served() as (doors, site, server):
            hears = Hears()
            connection = await doors.sockets.connect(server.url_ws, hears)
            connection.ping(b"one")
            site.accepted[0].ping(b"two")
            await hears.until("pongs")
            await site.heard.until("pongs")
            assert (hears.pongs, site.heard.pongs) == ([b"one"], [b"two"])

    run(main())


def send_each_turn(to: Connection, raised: list[Exception]) -> None:
    """Sends in every turn of the loop until the connection is closed."""
    if not to.is_open:
        return
    try:
        to.send(b"a trade")
    except Exception as error:
        raised.append(error)
    asyncio.get_running_loop().call_soon(send_each_turn, to, raised)


def test_a_peer_that_vanishes_is_a_lost_connection_at_every_moment(run: Any) -> None:
    async def main() -> None:
        async with served() as (doors, site, server):
            for number in range(50):
                raised: list[Exception] = []
                connection = await doors.sockets.connect(server.url_ws, Hears())
                send_each_turn(site.accepted[-1], raised)
                connection.abort()
                await site.heard.until("ends", number + 1)
                assert {type(error) for error in raised} <= {ConnectionLost}

    run(main())


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_close_is_heard_once_on_both_sides(run: Any, who: str) -> None:
    async def main() -> None:
        async with served() as (doors, site, server):
            hears = Hears()
            connection = await doors.sockets.connect(server.url_ws, hears)
            await hears.until("frames")
            closes = connection if who == "client" else site.accepted[0]
            closes.send(b"last")
            closes.close(4001, "enough")
            closes.close()
            with pytest.raises(ConnectionLost):
                closes.send(b"late")
            await hears.until("ends")
            await site.heard.until("ends")
            await asyncio.sleep(0.05)
            heard_by_other = site.heard.ends if who == "client" else hears.ends
            assert heard_by_other == [(4001, "enough")]
            assert [code for code, _ in hears.ends + site.heard.ends] == [4001, 4001]
            assert (site.heard.frames if who == "client" else hears.frames)[-1] == b"last"
            assert not connection.is_open
            assert not site.accepted[0].is_open

    run(main())


@pytest.mark.parametrize("who", ["client", "server"])
def test_f_a02_an_abrupt_end_has_no_code(run: Any, who: str) -> None:
    async def main() -> None:
        async with served() as (doors, site, server):
            hears = Hears()
            connection = await doors.sockets.connect(server.url_ws, hears)
            await hears.until("frames")
            (connection if who == "client" else site.accepted[0]).abort()
            await hears.until("ends")
            await site.heard.until("ends")
            assert [code for code, _ in hears.ends + site.heard.ends] == [None, None]
            with pytest.raises(ConnectionLost):
                connection.send(b"late")

    run(main())


def test_a_message_that_is_kept_is_not_written_over_by_the_next(run: Any) -> None:
    class Keeps(Hears):
        kept: list[bytes | memoryview]

        def on_frame(
            self, connection: Connection, payload: bytes | memoryview, ts_recv_ns: int
        ) -> None:
            self.kept.append(payload)
            super().on_frame(connection, payload, ts_recv_ns)

    async def main() -> None:
        async with served() as (doors, site, server):
            keeps = Keeps()
            keeps.kept = []
            await doors.sockets.connect(server.url_ws, keeps)
            await keeps.until("frames")
            site.accepted[0].send(b"bonjour")
            await keeps.until("frames", 2)
            assert [bytes(one) for one in keeps.kept] == [b"hello ", b"bonjour"]

    run(main())


def test_a_listener_that_raises_closes_its_connection_only(run: Any) -> None:
    class Raises(Hears):
        def on_frame(
            self, connection: Connection, payload: bytes | memoryview, ts_recv_ns: int
        ) -> None:
            raise ZeroDivisionError

    async def main() -> None:
        told: list[object] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: told.append(context["exception"])
        )
        async with served() as (doors, site, server):
            raises, hears = Raises(), Hears()
            await doors.sockets.connect(server.url_ws, raises)
            other = await doors.sockets.connect(server.url_ws, hears)
            await raises.until("ends")
            await site.heard.until("ends")
            assert site.heard.ends[0][0] == 1011
            assert isinstance(told[0], ZeroDivisionError)
            assert other.is_open

    run(main())


def test_a_refused_upgrade_shows_the_answer(run: Any) -> None:
    async def main() -> None:
        async with served() as (doors, _, server):
            with pytest.raises(ConnectFailed) as failed:
                await doors.sockets.connect(f"{server.url_ws}/no?key=secret", Hears())
            assert failed.value.failed_at == "upgrade"
            assert failed.value.response is not None
            assert failed.value.response.status == 429
            assert failed.value.response.headers["retry-after"] == "3"
            assert "secret" not in str(failed.value)

    run(main())


def test_f_a10_failures_say_how_far_it_came(run: Any) -> None:
    async def main() -> None:
        async with real_doors() as doors:
            writers: list[asyncio.StreamWriter] = []
            silent = await asyncio.start_server(
                lambda _, writer: writers.append(writer), "127.0.0.1", 0
            )
            port = silent.sockets[0].getsockname()[1]
            cases = {
                "ws://127.0.0.1:1/": "connect",
                f"ws://{'x' * 70}.test/": "address",  # refused without asking a server of names
                f"ws://127.0.0.1:{port}/": "timeout",
            }
            for url, failed_at in cases.items():
                with pytest.raises(ConnectFailed) as failed:
                    await doors.sockets.connect(url, Hears(), timeout_s=2)
                assert failed.value.failed_at == failed_at, url
            with pytest.raises(ConfigError, match="no address"):
                await doors.sockets.connect("https://127.0.0.1/", Hears())
            for writer in writers:
                writer.close()
            silent.close()
            await asyncio.sleep(0.05)

    run(main())


def test_tls_is_verified_and_fails_closed(run: Any, tmp_path: Path) -> None:
    tls = make_certificate(tmp_path)

    async def main() -> None:
        async with real_doors(authority=tls.certificate) as trusts, real_doors() as doubts:
            site, hears = LoopbackSite(), Hears()
            server = await trusts.sockets.serve(site, tls=tls)
            assert server.url_ws.startswith("wss://")
            connection = await trusts.sockets.connect(server.url_ws, hears)
            connection.send(b"safe")
            await site.heard.until("frames")
            with pytest.raises(ConnectFailed) as failed:
                await doubts.sockets.connect(server.url_ws, Hears())
            assert failed.value.failed_at == "tls"
            with pytest.raises(ConnectFailed) as failed:  # the certificate names an address
                await trusts.sockets.connect(
                    server.url_ws.replace("127.0.0.1", "localhost"), Hears()
                )
            assert failed.value.failed_at == "tls"
            assert len(site.accepted) == 1

    run(main())


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("is_safe", [False, True], ids=["ws", "wss"])
def test_proxies_are_gone_through_and_resolve_the_name(
    run: Any, tmp_path: Path, scheme: str, is_safe: bool
) -> None:
    tls = make_certificate(tmp_path) if is_safe else None

    async def main() -> None:
        async with real_doors(authority=tls.certificate if tls else None) as doors:
            site, hears = LoopbackSite(), Hears()
            server = await doors.sockets.serve(site, tls=tls)
            port = int(server.url_ws.rsplit(":", 1)[1])
            url = server.url_ws if is_safe else f"ws://venue.invalid:{port}"
            async with Proxy(port) as proxy:
                connection = await doors.sockets.connect(
                    url, hears, proxy=f"{scheme}://127.0.0.1:{proxy.port}"
                )
                await hears.until("frames")
                connection.close()
                await hears.until("ends")
            assert proxy.asked == [url.split("//")[1]]

    run(main())


async def raw_server(after: list[bytes], piece: int = 1 << 20) -> tuple[asyncio.Server, str]:
    """A server that answers the upgrade and writes bytes behind it, in pieces."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(
            line.split(": ")[1] for line in head.split("\r\n") if "Sec-WebSocket-Key" in line
        )
        digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()  # noqa: S324
        answer = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        whole = answer + b"".join(after)
        try:
            for offset in range(0, len(whole), piece):
                writer.write(whole[offset : offset + piece])
                await writer.drain()
                if piece < 1000:
                    await asyncio.sleep(0.001)
            await asyncio.sleep(0.05)
        except ConnectionError:
            pass  # the client has had enough
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def frame(payload: bytes, opcode: int = 1, *, fin: bool = True) -> bytes:
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    return head + b"\x7e" + len(payload).to_bytes(2, "big") + payload


@pytest.mark.parametrize("piece", [1 << 20, 7])
def test_f_a04_fragments_make_one_message_and_the_first_frame_is_not_lost(
    run: Any, piece: int
) -> None:
    async def main() -> None:
        after = [
            frame(b"first"),
            frame(b"one ", fin=False),
            frame(b"ping", 9),
            frame(b"and ", 0, fin=False),
            frame(b"", 0, fin=False),
            frame(b"two", 0),
            frame(b"bin", 2),
            frame(b"x" * 300),
            frame(b"never finished", fin=False),
        ]
        server, url = await raw_server(after, piece)
        async with real_doors() as doors:
            hears = Hears()
            await doors.sockets.connect(url, hears)
            await hears.until("ends")
            assert hears.frames == [b"first", b"one and two", b"bin", b"x" * 300]
            assert hears.ends[0][0] is None
        server.close()

    run(main())


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ([frame(b"x", 0)], "not allow"),
        ([frame(b"a", fin=False), frame(b"b")], "not allow"),
        ([frame(b"y" * 60_000, fin=False), *[frame(b"y" * 60_000, 0, fin=False)] * 300], "longer"),
        ([b"\xc1\x01z"], "not allow"),
        ([b"\x83\x01z"], "opcode"),
    ],
    ids=["continues nothing", "begins inside", "endless", "compressed", "opcode"],
)
def test_a_peer_that_breaks_the_protocol_is_cut_off(
    run: Any, after: list[bytes], says: str
) -> None:
    async def main() -> None:
        server, url = await raw_server([frame(b"good"), frame(b"sound"), *after])
        async with real_doors() as doors:
            hears = Hears()
            connection = await doors.sockets.connect(url, hears)
            await hears.until("ends")
            assert hears.frames[:1] == [b"good"]
            assert set(hears.frames) <= {b"good", b"sound"}
            assert not connection.is_open
            assert len(hears.ends) == 1
        server.close()

    run(main())


def test_another_client_can_use_the_server_compressed_and_kept_alive() -> None:
    async def main() -> None:
        reused: list[object] = []
        trace = aiohttp.TraceConfig()

        async def note(*of: object) -> None:
            reused.append(of)

        trace.on_connection_reuseconn.append(note)
        asked = aiohttp.ClientSession(trace_configs=[trace])
        async with served() as (_, site, server), asked as session:
            async with session.ws_connect(f"{server.url_ws}/x?q=%20", compress=15) as socket:
                assert socket.compress == 15  # permessage-deflate was agreed on
                assert await socket.receive_str() == "hello q=%20"
                await socket.send_str("é" * 1000)
                await site.heard.until("frames")
                assert site.heard.frames == [("é" * 1000).encode()]
                site.accepted[0].send(b"z" * 100_000)
                assert await socket.receive_str() == "z" * 100_000
            await site.heard.until("ends")
            assert site.heard.ends == [(1000, "")]
            for _ in range(3):
                async with session.post(f"{server.url_http}/p?b=%2B&a", data=b"body") as answer:
                    assert await answer.read() == b"body"
                    assert answer.headers["x-query"] == "b=%2B&a"
            assert len(reused) == 2
            assert site.requests[0].peer == "127.0.0.1"

    asyncio.run(main())


def test_what_a_slow_reader_does_not_take_is_counted(run: Any) -> None:
    async def main() -> None:
        async with real_doors() as doors:

            async def never_reads(_: object, writer: asyncio.StreamWriter) -> None:
                await asyncio.sleep(30)

            site = LoopbackSite()
            server = await doors.sockets.serve(site)
            connection = await doors.sockets.connect(server.url_ws, Hears())
            transport = site.accepted[0]._request.transport  # type: ignore[attr-defined]
            transport.pause_reading()
            for _ in range(200):
                connection.send(bytes(100_000))
            assert connection.buffered > 0  # F-A09
            connection.abort()

    run(main())
