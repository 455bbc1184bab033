"""WebSockets of the real world: picows as client, the site's server beside it.

The time is stamped first thing when something was read, and is that of every frame of the read: one
that waited for those before it came no later. The payload goes to the listener as bytes of its own:
to copy a message takes less than to make, cut and release views of the receive buffer.

Source: RFC 6455; picows documentation, "WSListener", "ws_connect".
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from time import time_ns
from typing import TYPE_CHECKING, Any, cast

from picows import (
    WSCloseCode,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)
from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

from veloz.errors import ConfigError, VelozError
from veloz.net.doors import ConnectFailed, ConnectionLost, HttpResponse
from veloz.net.real.server import RealServer, start_server
from veloz.net.real.spare import SpareLine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from veloz.net.doors import Connection, FailedAt, Listener, ServerTls, Site

__all__ = ["RealSockets"]

MESSAGE_LIMIT = 16 << 20
"""Bytes of one message, fragments together; a longer one closes the connection with 1009."""

_CLOSING_S = 10.0
"""How long the peer may take to answer a close."""

_TEXT = WSMsgType.TEXT
_MESSAGES = (WSMsgType.TEXT, WSMsgType.BINARY)
_LATER_S = 0.1
_SPARE_S = 2.0
_NO_CODE = 1005


class RealSockets:
    """The WebSocket door.

    Args:
        tls: How peers of `wss://` prove who they are.
        proxy: For callers that name none.
        message_limit: Bytes of one message at most.
    """

    def __init__(
        self, tls: ssl.SSLContext, *, proxy: str | None = None, message_limit: int = MESSAGE_LIMIT
    ) -> None:
        self._tls = tls
        self._proxy = proxy
        self._limit = message_limit
        self._names = 0
        self._open: set[_Client] = set()
        self._servers: list[RealServer] = []
        self._spare = SpareLine()
        self._opening: asyncio.Task[None] | None = None

    async def connect(
        self,
        url: str,
        listener: Listener,
        *,
        headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        timeout_s: float = 10.0,
    ) -> Connection:
        """Opens one WebSocket; see `Sockets.connect`."""
        if not url.startswith(("ws://", "wss://")):
            raise ConfigError(f"{url} is no address of a WebSocket", hint="write ws:// or wss://")
        return await self._dial(url, listener, headers, proxy or self._proxy, timeout_s)

    async def _dial(
        self,
        url: str,
        listener: Listener,
        headers: Mapping[str, str] | None,
        via: str | None,
        timeout_s: float,
    ) -> Connection:
        self._names += 1
        client = _Client(self._names, listener, self._limit, self._open, self._rehearse)
        try:
            # The library, whose own limit is for the upgrade alone, cleans up after itself: so it
            # is given the chance to be first.
            async with asyncio.timeout(timeout_s + _LATER_S):
                transport, _ = await ws_connect(
                    lambda: client,
                    url,
                    ssl_context=self._tls if url.startswith("wss://") else None,
                    websocket_handshake_timeout=timeout_s,
                    enable_auto_pong=True,
                    max_frame_size=self._limit,
                    extra_headers=dict(headers or {}),
                    max_redirects=0,
                    proxy=via,
                    use_aiofastnet=False,
                    logger_name="client",
                )
        except (OSError, ssl.SSLError, WSHandshakeError, ProxyError, ProxyConnectionError,
                ProxyTimeoutError, UnicodeError) as error:  # fmt: skip
            client.is_abandoned = True
            raise _failed(url, error, is_proxied=via is not None) from error
        except asyncio.CancelledError:
            client.is_abandoned = True
            raise
        if client.transport is None:
            raise ConnectFailed(
                f"{_shown(url)} closed the connection before it answered the upgrade",
                failed_at="upgrade",
            )
        client.watch(transport)
        return client

    async def serve(
        self, site: Site, host: str = "127.0.0.1", port: int = 0, tls: ServerTls | None = None
    ) -> RealServer:
        """Serves a site; see `Sockets.serve`."""
        server = await start_server(site, host, port, tls, message_limit=self._limit)
        self._servers.append(server)
        return server

    def _rehearse(self) -> None:
        """Sends over the spare line; the first time it is opened instead."""
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open_spare())
        self._spare.send()

    async def _open_spare(self) -> None:
        # Where a computer does not let it, orders are as they were without it.
        with contextlib.suppress(OSError, VelozError):
            await self._spare.open(lambda url, hears: self._dial(url, hears, None, None, _SPARE_S))

    async def close(self) -> None:
        """Drops every connection and server that is still open."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        self._spare.close()
        watched = [client.watcher for client in self._open if client.watcher is not None]
        for client in list(self._open):
            client.abort()
        if watched:
            await asyncio.wait(watched, timeout=_CLOSING_S)
        for server in self._servers:
            await server.close()


class _Client(WSListener):
    """A connection that was dialled: the library's listener, and our `Connection`."""

    def __init__(
        self,
        name: int,
        listener: Listener,
        limit: int,
        among: set[_Client],
        rehearse: Callable[[], None],
    ) -> None:
        super().__init__()
        self.rehearse = rehearse
        self.transport: WSTransport | None = None
        self.watcher: asyncio.Task[None] | None = None
        self.is_abandoned = False
        self._name = name
        self._listener = listener
        self._hear = listener.on_frame
        self._limit = limit
        self._among = among
        self._parts = bytearray()
        self._in_parts = False
        self._is_closing = False
        self._broken = ""
        self._read_ns = 0

    # ------------------------------------------------------- Connection

    @property
    def name(self) -> int:
        return self._name

    @property
    def is_open(self) -> bool:
        transport = self.transport
        return transport is not None and not (
            self._is_closing
            or transport.is_close_frame_sent
            or transport.is_disconnected
            or transport.underlying_transport.is_closing()
        )

    @property
    def buffered(self) -> int:
        if self.transport is None:
            return 0
        return self.transport.underlying_transport.get_write_buffer_size()

    def send(self, payload: bytes) -> None:
        transport = self.transport
        if (  # `is_open`, without two calls of it: an order goes here
            transport is None
            or self._is_closing
            or transport.is_close_frame_sent
            or transport.is_disconnected
            or transport.underlying_transport.is_closing()
        ):
            raise self._lost()
        transport.send(_TEXT, payload)

    def ping(self, payload: bytes = b"") -> None:
        self._ready().send_ping(payload)

    def close(self, code: int = 1000, reason: str = "") -> None:
        if not self.is_open:
            return
        transport = self._ready()
        self._is_closing = True
        # A code of 3000 or above is no member of the enum; the library takes any integer.
        transport.send_close(code, reason.encode())  # pyright: ignore[reportArgumentType]
        asyncio.get_running_loop().call_later(_CLOSING_S, transport.disconnect, False)  # noqa: FBT003

    def abort(self) -> None:
        self._is_closing = True
        self._broken = self._broken or "aborted"
        if self.transport is not None:
            self.transport.disconnect(graceful=False)

    def _ready(self) -> WSTransport:
        if self.transport is None or not self.is_open:
            raise self._lost()
        return self.transport

    def _lost(self) -> ConnectionLost:
        return ConnectionLost(f"connection {self._name} is closed: nothing was written")

    # ------------------------------------------------------- WSListener

    def on_ws_connected(self, transport: WSTransport) -> None:
        if self.is_abandoned:  # who wanted it has given up meanwhile
            transport.disconnect(graceful=False)
            return
        self.transport = transport
        self._among.add(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        ts_recv_ns = self._read_ns or time_ns()
        self._read_ns = 0 if frame.last_in_buffer else ts_recv_ns
        kind = frame.msg_type
        if kind in _MESSAGES and frame.fin:
            if self._in_parts or frame.rsv1 or self._is_closing:
                self._odd_frame()
                return
            try:
                self._hear(self, frame.get_payload_as_bytes(), ts_recv_ns)
            except Exception as error:
                self._failed_to_hear(error)
        elif kind == WSMsgType.PONG:
            self._guarded_pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                code = frame.get_close_code()
                transport.send_close(code if int(_number(code)) else WSCloseCode.OK)
            transport.disconnect()
        else:
            self._part(kind, frame, ts_recv_ns)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self.transport is None:
            return
        self._among.discard(self)
        self._is_closing = True
        self._parts.clear()
        handshake = cast("Any", transport.close_handshake)
        heard = None if handshake is None else handshake.recv
        code = None if heard is None else int(_number(heard.code)) or _NO_CODE
        reason = self._broken or "the connection ended without a close"
        if heard is not None:
            reason = heard.reason or self._broken
        try:
            self._listener.on_close(self, code, reason)
        except Exception as error:
            self._report(error)

    def pause_writing(self) -> None:
        """Who sends looks at `buffered`; nothing is to be done here."""

    def resume_writing(self) -> None:
        """As above."""

    # ------------------------------------------------------- inside

    def watch(self, transport: WSTransport) -> None:
        """Hears of what the library found wrong, which it would else complain of unheard."""
        self.watcher = asyncio.get_running_loop().create_task(self._watch(transport))

    async def _watch(self, transport: WSTransport) -> None:
        try:
            await transport.wait_disconnected()
        except Exception as error:
            self._broken = str(error)

    def _guarded_pong(self, payload: bytes) -> None:
        try:
            self._listener.on_pong(self, payload)
        except Exception as error:
            self._failed_to_hear(error)

    def _failed_to_hear(self, error: Exception) -> None:
        self._report(error)
        self.close(1011, "a listener raised")

    def _part(self, kind: WSMsgType, frame: WSFrame, ts_recv_ns: int) -> None:
        """Takes one fragment of a message; control frames may come between two of them."""
        begins = kind != WSMsgType.CONTINUATION
        if begins == self._in_parts or frame.rsv1 or self._is_closing:
            self._odd_frame()
            return
        self._in_parts = True
        self._parts += frame.get_payload_as_memoryview()
        if len(self._parts) > self._limit:
            self._parts.clear()
            self._broken = f"a message is longer than {self._limit} bytes"
            self.close(1009, "message too big")
        elif frame.fin:
            whole, self._parts, self._in_parts = self._parts, bytearray(), False
            try:
                self._hear(self, bytes(whole), ts_recv_ns)
            except Exception as error:
                self._failed_to_hear(error)

    def _odd_frame(self) -> None:
        """A frame that the protocol does not allow here; one behind our close is passed over."""
        if not self._is_closing:
            self._broken = "a frame that the protocol does not allow at its place"
            self.close(1002, "unexpected frame")

    def _report(self, error: Exception) -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"the listener of connection {self._name} raised", "exception": error}
        )


def _number(code: object) -> int:
    """A close code of the library: a member of its enum, or a plain integer."""
    return code if isinstance(code, int) else int(getattr(code, "value", 0))


def _failed(url: str, error: BaseException, *, is_proxied: bool) -> ConnectFailed:
    failed_at: FailedAt = "proxy" if is_proxied else "connect"
    response = None
    if isinstance(error, TimeoutError | ProxyTimeoutError):
        failed_at = "timeout"
    elif isinstance(error, socket.gaierror | UnicodeError):
        failed_at = "proxy" if is_proxied else "address"
    elif isinstance(error, ssl.SSLError):
        failed_at = "tls"
    elif isinstance(error, WSHandshakeError):
        failed_at = "upgrade"
        if error.response is not None:
            answer = error.response
            headers = {name.lower(): value for name, value in answer.headers.items()}
            response = HttpResponse(int(answer.status), headers, error.raw_body or b"")
    said = str(error) or type(error).__name__
    return ConnectFailed(
        f"{_shown(url)} was not reached ({failed_at}): {said}",
        failed_at=failed_at,
        response=response,
        hint="check host, network and proxy" if failed_at != "tls" else "the peer is not trusted",
    )


def _shown(url: str) -> str:
    """Without the query, which may hold a key or a token."""
    return url.split("?", 1)[0]
