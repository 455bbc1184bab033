"""The connection to ourselves, over which sends are rehearsed."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from tests.net.loopback import Hears, LoopbackSite

from veloz.errors import VelozError
from veloz.net.real import real_doors
from veloz.net.real.spare import SpareLine

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from veloz.net.doors import Connection, Listener

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "plain": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def run(loop: str, main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_rehearsed_send_goes_through_the_kernel_and_never_to_the_peer(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[SpareLine] = []
    opened = SpareLine.open

    async def kept(line: SpareLine, dial: Callable[..., Any]) -> None:
        lines.append(line)
        await opened(line, dial)

    monkeypatch.setattr(SpareLine, "open", kept)

    async def main() -> None:
        async with real_doors() as doors:
            site = LoopbackSite()
            server = await doors.sockets.serve(site)
            connection = await doors.sockets.connect(f"{server.url_ws}/s?a=1", Hears())
            connection.rehearse()  # opens it
            async with asyncio.timeout(5):
                while not lines or not lines[0].is_open:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            connection.send(b"first")
            for _ in range(20_000):  # far more than the kernel would keep for a peer that sleeps
                connection.rehearse()
            connection.send(b"last")
            await site.heard.until("frames", 2)
            assert site.heard.frames == [b"first", b"last"]
            (line,) = lines
            assert line.sent == 20_000
            assert line.buffered == 0
            connection.close()
            connection.rehearse()  # of a connection that has ended: nothing is said
        assert not line.is_open

    run(loop, main())


@pytest.mark.parametrize("loop", LOOPS)
def test_where_it_cannot_be_opened_nothing_is_rehearsed(loop: str) -> None:
    async def main() -> None:
        async def refused(url: str, hears: Listener) -> Connection:
            raise VelozError("this computer does not let it")

        line = SpareLine()
        with pytest.raises(VelozError):
            await line.open(refused)
        line.send()
        assert (line.is_open, line.sent) == (False, 0)
        line.close()

    run(loop, main())


def test_a_stranger_who_comes_first_hears_no_order() -> None:
    async def main() -> None:
        async def dial(url: str, hears: Listener) -> Connection:
            port = int(url.rpartition(":")[2].strip("/"))
            stranger = await asyncio.open_connection("127.0.0.1", port)
            stranger[1].write(b"GET / HTTP/1.1\r\n\r\n")  # has no key: it is not answered
            try:
                async with asyncio.timeout(0.2):
                    await stranger[0].read()
            finally:
                stranger[1].close()
            raise VelozError("nobody answered")

        line = SpareLine()
        with pytest.raises((VelozError, TimeoutError)):
            await line.open(dial)
        assert not line.is_open
        line.close()

    run("plain", main())
    assert socket.getdefaulttimeout() is None
