"""The real doors and the simulated ones keep the same promises: the same cases, over both."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.net.loopback import Hears, LoopbackSite

from veloz.net.doors import AnswerLost, ConnectFailed, ConnectionLost, NotSent
from veloz.net.real import real_doors
from veloz.net.simulated import World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from veloz.net.doors import Doors, Server

    Case = Callable[[Doors, LoopbackSite, Server], Awaitable[None]]


async def frames_and_closes(doors: Doors, site: LoopbackSite, server: Server) -> None:
    hears = Hears()
    connection = await doors.sockets.connect(f"{server.url_ws}/s?a=%20", hears)
    await hears.until("frames")
    assert hears.frames == [b"hello a=%20"]
    for number in range(20):
        connection.send(b"%d" % number)
    await site.heard.until("frames", 20)
    assert site.heard.frames == [b"%d" % number for number in range(20)]
    connection.ping(b"x")
    site.accepted[0].ping(b"y")
    await hears.until("pongs")
    await site.heard.until("pongs")
    assert (hears.pongs, site.heard.pongs) == ([b"x"], [b"y"])
    connection.close(4000, "enough")
    await hears.until("ends")
    await site.heard.until("ends")
    assert site.heard.ends == [(4000, "enough")]
    assert [code for code, _ in hears.ends] == [4000]
    for end in (connection, site.accepted[0]):
        assert not end.is_open
        with pytest.raises(ConnectionLost):
            end.send(b"late")
        with pytest.raises(ConnectionLost):
            end.ping()
        end.close()
        end.abort()
    await asyncio.sleep(0.05)
    assert (len(hears.ends), len(site.heard.ends)) == (1, 1)


async def the_server_closes(doors: Doors, site: LoopbackSite, server: Server) -> None:
    hears = Hears()
    await doors.sockets.connect(server.url_ws, hears)
    site.accepted[0].send(b"bye")
    site.accepted[0].close(1008, "too many requests")
    await hears.until("ends")
    await site.heard.until("ends")
    assert hears.frames[-1] == b"bye"
    assert hears.ends == [(1008, "too many requests")]
    assert [code for code, _ in site.heard.ends] == [1008]


async def aborts_have_no_code(doors: Doors, site: LoopbackSite, server: Server) -> None:
    for who in (0, 1):
        hears = Hears()
        connection = await doors.sockets.connect(server.url_ws, hears)
        await hears.until("frames")
        (connection if who == 0 else site.accepted[-1]).abort()
        await hears.until("ends")
        await site.heard.until("ends", who + 1)
        assert [code for code, _ in hears.ends] == [None]
        assert site.heard.ends[-1][0] is None
        assert hears.ends[0][1]


async def names_are_unique(doors: Doors, site: LoopbackSite, server: Server) -> None:
    made = [await doors.sockets.connect(server.url_ws, Hears()) for _ in range(5)]
    assert len({connection.name for connection in made}) == 5


async def upgrades_are_refused(doors: Doors, site: LoopbackSite, server: Server) -> None:
    with pytest.raises(ConnectFailed) as failed:
        await doors.sockets.connect(f"{server.url_ws}/no", Hears())
    assert failed.value.failed_at == "upgrade"
    assert failed.value.response is not None
    assert failed.value.response.status == 429
    assert failed.value.response.headers["retry-after"] == "3"
    assert failed.value.response.body == b"slow down"
    with pytest.raises(ConnectFailed) as failed:
        await doors.sockets.connect("ws://127.0.0.1:1/", Hears())
    assert failed.value.failed_at == "connect"


async def requests_are_told_apart(doors: Doors, site: LoopbackSite, server: Server) -> None:
    url = server.url_http
    answer = await doors.http.request(
        "POST", f"{url}/p?q=%2B", headers={"X-Key": "k"}, body=b"b", timeout_s=5
    )
    assert (answer.status, answer.body, answer.headers["x-query"]) == (200, b"b", "q=%2B")
    request = site.requests[0]
    assert (request.method, request.path, request.query) == ("POST", "/p", "q=%2B")
    assert (request.headers["x-key"], request.body) == ("k", b"b")
    moved = await doors.http.request("GET", f"{url}/moved", timeout_s=5)
    assert (moved.status, moved.headers["location"]) == (302, "/elsewhere")
    with pytest.raises(NotSent):
        await doors.http.request("DELETE", "http://127.0.0.1:1/o", timeout_s=5)
    for path in ("/drop", "/slow"):
        with pytest.raises(AnswerLost, match=path) as failed:
            await doors.http.request("DELETE", f"{url}{path}?signature=s", timeout_s=0.3)
        assert "signature" not in str(failed.value)
        assert failed.value.request == f"DELETE {url}{path}"
    assert [request.path for request in site.requests] == ["/p", "/moved", "/drop", "/slow"]


async def a_closed_server_is_gone(doors: Doors, site: LoopbackSite, server: Server) -> None:
    hears = Hears()
    await doors.sockets.connect(server.url_ws, hears)
    await server.close()
    await hears.until("ends")
    with pytest.raises(ConnectFailed):
        await doors.sockets.connect(server.url_ws, Hears())
    with pytest.raises(NotSent):
        await doors.http.request("GET", server.url_http, timeout_s=5)


CASES: list[Case] = [
    frames_and_closes, the_server_closes, aborts_have_no_code, names_are_unique,
    upgrades_are_refused, requests_are_told_apart, a_closed_server_is_gone,
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("where", ["real", "simulated"])
def test_both_keep_the_same_promises(where: str, case: Case) -> None:
    async def real() -> None:
        async with real_doors() as doors:
            site = LoopbackSite()
            await case(doors, site, await doors.sockets.serve(site))

    async def simulated() -> None:
        site = LoopbackSite()
        server = await world.host("venue").boot().sockets.serve(site)
        await case(world.host("engine").boot(), site, server)

    if where == "real":
        asyncio.run(real())
    else:
        world = World(1)
        world.run(simulated())
