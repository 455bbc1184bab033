"""HTTP requests of the real world, by aiohttp: sent once, never redirected, told apart.

A request is `NotSent` only if the library has not begun to write it: no name, no connection, no
TLS, no proxy, or no time left before that. Everything later is `OutcomeUnknown`. The library would
send a GET, PUT or DELETE again by itself when a kept connection turns out to be dead; that is
switched off, because a cancelled or amended order is such a request.
"""

from __future__ import annotations

import asyncio
from socket import AF_INET
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from python_socks.async_.asyncio import Proxy
from yarl import URL

from veloz import __version__
from veloz.errors import ConfigError
from veloz.net.doors import AnswerLost, HttpResponse, NotSent

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Mapping

__all__ = ["RealHttp"]

BODY_LIMIT = 64 << 20
"""Bytes of an answer after decompression; a longer one is given up."""

_KEPT_S = 15.0
"""How long an idle connection is kept: less than venues do, so that it is seldom a dead one."""


class RealHttp:
    """The HTTP door.

    Args:
        tls: How peers of `https://` prove who they are.
        proxy: `http://`, `https://`, `socks4://` or `socks5://`.
        body_limit: Bytes of an answer at most.
    """

    def __init__(
        self, tls: ssl.SSLContext, *, proxy: str | None = None, body_limit: int = BODY_LIMIT
    ) -> None:
        self._tls = tls
        self._proxy = proxy
        self._limit = body_limit
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float,
    ) -> HttpResponse:
        """Sends one request, once; see `Http.request`."""
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"{url} is no address of HTTP", hint="write http:// or https://")
        name = f"{method} {url.split('?', 1)[0]}"
        marks = SimpleNamespace(may_have_left=False)
        began_s = monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(method, url, headers or {}, body, marks)
        except TimeoutError:
            reason = "the time given is over"
        except (aiohttp.ClientError, OSError, ValueError, _TooLong) as error:
            reason = str(error) or type(error).__name__
        if not marks.may_have_left:
            raise NotSent(f"{name} was not sent: {reason}", hint="sending it again is safe")
        raise AnswerLost(name, monotonic() - began_s, reason)

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        marks: SimpleNamespace,
    ) -> HttpResponse:
        asked = self._opened().request(
            method,
            URL(url, encoded=True),
            headers=headers,
            data=body or None,
            allow_redirects=False,
            proxy=self._proxy if self._proxy and self._proxy.startswith("http") else None,
            trace_request_ctx=marks,
        )
        async with asked as answer:
            parts = bytearray()
            async for part in answer.content.iter_any():
                parts += part
                if len(parts) > self._limit:
                    raise _TooLong(f"the answer is longer than {self._limit} bytes")
            return HttpResponse(answer.status, _joined(answer.headers), bytes(parts))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_begins_to_write)
            self._session = aiohttp.ClientSession(
                connector=self._connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"user-agent": f"veloz/{__version__}"},
                skip_auto_headers=("content-type",),
                timeout=aiohttp.ClientTimeout(total=None),
                trace_configs=[trace],
                trust_env=False,
            )
            if self._session._retry_connection is not True:
                raise RuntimeError("this aiohttp has no switch for its second attempts")
            self._session._retry_connection = False
        return self._session

    def _connector(self) -> aiohttp.TCPConnector:
        if self._proxy is not None and self._proxy.startswith("socks"):
            return _SocksConnector(self._proxy, self._tls)
        return aiohttp.TCPConnector(ssl=self._tls, keepalive_timeout=_KEPT_S)

    async def close(self) -> None:
        """Drops the kept connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class _TooLong(Exception):
    """An answer beyond the limit."""


async def _begins_to_write(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    params: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    """Called by the library just before the first byte is handed to the socket."""
    context.trace_request_ctx.may_have_left = True


def _joined(headers: Mapping[str, str]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        joined[lower] = f"{joined[lower]}, {value}" if lower in joined else value
    return joined


class _SocksConnector(aiohttp.TCPConnector):
    """Opens each connection through a SOCKS proxy, which also resolves the name."""

    def __init__(self, proxy: str, tls: ssl.SSLContext) -> None:
        super().__init__(
            ssl=tls, keepalive_timeout=_KEPT_S, resolver=_Unresolved(), use_dns_cache=False
        )
        self._through = proxy

    async def _wrap_create_connection(self, *args: Any, **rest: Any) -> Any:
        request = rest["req"]
        try:
            proxy = Proxy.from_url(self._through)
            sock = await proxy.connect(request.url.raw_host, request.url.port)
        except Exception as error:
            raise aiohttp.ClientProxyConnectionError(
                request.connection_key, OSError(0, f"{type(error).__name__}: {error}")
            ) from error
        del rest["addr_infos"]
        return await self._wrap_existing_connection(*args, sock=sock, **rest)


class _Unresolved(AbstractResolver):
    """Leaves names to the proxy."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = AF_INET
    ) -> list[ResolveResult]:
        return [
            # an address kept for documents: it stands for the name, and nobody dials it
            ResolveResult(
                hostname=host, host="192.0.2.1", port=port, family=AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass
