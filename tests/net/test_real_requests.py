"""HTTP over loopback: sent once, told apart, never led astray."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.net.loopback import LoopbackSite, Proxy, make_certificate

from veloz.errors import ConfigError, NotSent
from veloz.net.doors import AnswerLost
from veloz.net.real import RealHttp, real_doors
from veloz.net.real.tls import client_tls

if TYPE_CHECKING:
    from pathlib import Path


def test_an_answer_comes_whole_and_the_query_is_sent_as_it_is() -> None:
    async def main() -> None:
        async with real_doors() as doors:
            site = LoopbackSite()
            server = await doors.sockets.serve(site)
            query = "a=%2B&b=x%20y&signature=ab%3D"
            answer = await doors.http.request(
                "POST",
                f"{server.url_http}/o?{query}",
                headers={"X-Key": "k"},
                body=b"a=1",
                timeout_s=5,
            )
            assert (answer.status, answer.body, answer.headers["x-weight"]) == (200, b"a=1", "7")
            assert site.requests[0].query == query
            assert site.requests[0].headers["x-key"] == "k"
            assert (site.requests[0].method, site.requests[0].path) == ("POST", "/o")
            moved = await doors.http.request("GET", f"{server.url_http}/moved", timeout_s=5)
            assert (moved.status, len(site.requests)) == (302, 2)

    asyncio.run(main())


def test_what_never_left_is_not_sent(tmp_path: Path) -> None:
    tls = make_certificate(tmp_path)

    async def main() -> None:
        async with real_doors() as doors:
            site = LoopbackSite()
            server = await doors.sockets.serve(site, tls=tls)
            for url in (
                "http://127.0.0.1:1/refused",
                f"http://{'x' * 70}.test/",
                f"{server.url_http}/untrusted?signature=secret",
            ):
                with pytest.raises(NotSent) as failed:
                    await doors.http.request("DELETE", url, timeout_s=5)
                assert "secret" not in str(failed.value)
            assert site.requests == []
            with pytest.raises(ConfigError):
                await doors.http.request("GET", "ftp://127.0.0.1/", timeout_s=5)

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/drop", "/slow"])
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "POST"])
def test_what_may_have_left_is_unknown_and_sent_once(path: str, method: str) -> None:
    async def main() -> None:
        async with real_doors() as doors:
            site = LoopbackSite()
            server = await doors.sockets.serve(site)
            await doors.http.request("GET", f"{server.url_http}/warm", timeout_s=5)
            with pytest.raises(AnswerLost) as failed:  # over the kept connection
                await doors.http.request(method, f"{server.url_http}{path}", timeout_s=0.5)
            assert failed.value.waited_s < 5
            assert [request.path for request in site.requests] == ["/warm", path]

    asyncio.run(main())


def test_an_answer_beyond_the_limit_is_given_up() -> None:
    async def main() -> None:
        async with real_doors() as doors:
            server = await doors.sockets.serve(LoopbackSite())
            small = RealHttp(client_tls(), body_limit=99_999)
            with pytest.raises(AnswerLost, match="longer than 99999"):
                await small.request("GET", f"{server.url_http}/long", timeout_s=5)
            await small.close()
            whole = await doors.http.request("GET", f"{server.url_http}/long", timeout_s=5)
            assert len(whole.body) == 100_000

    asyncio.run(main())


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_proxies_are_gone_through(tmp_path: Path, scheme: str) -> None:
    tls = make_certificate(tmp_path)

    async def main() -> None:
        async with real_doors(authority=tls.certificate) as doors:
            server = await doors.sockets.serve(LoopbackSite(), tls=tls)
            port = int(server.url_http.rsplit(":", 1)[1])
            async with Proxy(port) as proxy:
                http = RealHttp(
                    client_tls(tls.certificate), proxy=f"{scheme}://127.0.0.1:{proxy.port}"
                )
                answer = await http.request(
                    "POST", f"{server.url_http}/x", body=b"through", timeout_s=5
                )
                assert answer.body == b"through"
                assert proxy.asked == [f"127.0.0.1:{port}"]
                await http.close()
            gone = RealHttp(client_tls(), proxy=f"{scheme}://127.0.0.1:1")
            with pytest.raises(NotSent):
                await gone.request("GET", f"{server.url_http}/x", timeout_s=5)
            await gone.close()

    asyncio.run(main())


def test_a_server_says_which_address_is_taken() -> None:
    async def main() -> None:
        async with real_doors() as doors:
            server = await doors.sockets.serve(LoopbackSite())
            port = int(server.url_http.rsplit(":", 1)[1])
            with pytest.raises(ConfigError, match=f"127.0.0.1:{port}"):
                await doors.sockets.serve(LoopbackSite(), port=port)

    asyncio.run(main())


def test_a_client_that_speaks_no_http_is_answered_and_is_no_news(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def said(port: int, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await asyncio.wait_for(reader.readline(), 5)
        writer.close()
        return answer

    async def main() -> None:
        async with real_doors() as doors:
            site = LoopbackSite()
            server = await doors.sockets.serve(site)
            port = int(server.url_http.rsplit(":", 1)[1])
            for request in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
                assert b" 400 " in await said(port, request)
            head = b"POST /o HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\n"
            assert b" 200 " in await said(port, head + b"Content-Length: 5\r\n\r\nhello")
            assert site.requests[0].body == b"hello"
            assert caplog.records == []

    asyncio.run(main())
