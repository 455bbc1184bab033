"""Serves a site over HTTP and WebSockets, so that any client of the protocols can use it.

Requests keep their connection, WebSockets may be compressed, both on one port, with or without TLS.
What a listener sends is written at once, or queued for one task a connection where it is compressed
or others wait before it: the library's writer may wait, a listener may not.

Source: RFC 9112, RFC 6455, RFC 7692; aiohttp documentation, "Low Level Server".
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from time import time_ns
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web
from aiohttp.http import HttpProcessingError

from veloz.errors import ConfigError
from veloz.net.doors import ConnectionLost, HttpRequest, HttpResponse
from veloz.net.real.tls import server_tls

if TYPE_CHECKING:
    import ssl

    from veloz.net.doors import Listener, ServerTls, Site

__all__ = ["RealServer", "start_server"]

_CLOSING_S = 10.0
_NOT_OURS = frozenset({"content-length", "transfer-encoding", "connection"})
"""Headers that the server writes itself."""


async def start_server(
    site: Site, host: str, port: int, tls: ServerTls | None, *, message_limit: int
) -> RealServer:
    """Listens and serves.

    Raises:
        ConfigError: The address is in use or not this host's, or the certificate cannot be read.
    """
    served = RealServer(site, message_limit)
    context = None if tls is None else server_tls(tls)
    await served.listen(host, port, context)
    return served


class RealServer:
    """A site on a port of this computer.

    Attributes:
        url_http: Such as `http://127.0.0.1:8080`.
        url_ws: Such as `ws://127.0.0.1:8080`.
    """

    def __init__(self, site: Site, message_limit: int) -> None:
        self.url_http = self.url_ws = ""
        self._site = site
        self._limit = message_limit
        self._names = 0
        # no venue takes a compressed body, and one that is broken would end in a fault of ours
        self._web = web.Server(self._serve, logger=_logger(), auto_decompress=False)
        self._listening: asyncio.Server | None = None
        self._open: set[_Accepted] = set()

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Binds the port; 0 takes a free one."""
        loop = asyncio.get_running_loop()
        try:
            listening = await loop.create_server(self._web, host, port, ssl=tls)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror or error}",
                hint="choose another port, or 0 for a free one",
            ) from error
        self._listening = listening
        bound = listening.sockets[0].getsockname()[1]
        at = f"[{host}]" if ":" in host else host
        safe = "s" if tls is not None else ""
        self.url_http, self.url_ws = f"http{safe}://{at}:{bound}", f"ws{safe}://{at}:{bound}"

    async def close(self) -> None:
        """Stops listening and drops every connection."""
        if self._listening is None:
            return
        self._listening.close()
        for accepted in list(self._open):
            accepted.abort()
        await self._web.shutdown(timeout=1.0)
        self._listening = None

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        path, _, query = request.raw_path.partition("?")
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            lower = name.lower()
            headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
        asked = HttpRequest(request.method, path, query, headers, body, request.remote or "")
        if headers.get("upgrade", "").lower() == "websocket":
            return await self._accept(asked, request)
        try:
            return _answer(await self._site.http(asked))
        except ConnectionLost:
            _drop(request)
            return web.Response()

    async def _accept(self, asked: HttpRequest, request: web.BaseRequest) -> web.StreamResponse:
        self._names += 1
        accepted = _Accepted(self._names, request, self._limit)
        verdict = self._site.accept(asked, accepted)
        if isinstance(verdict, HttpResponse):
            accepted.refuse()
            return _answer(verdict)
        self._open.add(accepted)
        try:
            await accepted.serve(verdict)
        finally:
            self._open.discard(accepted)
        return accepted.socket


def _logger() -> logging.Logger:
    """For faults of ours: a client that speaks no HTTP is answered, and is no news."""
    logger = logging.getLogger("aiohttp.server.veloz")
    logger.addFilter(_is_ours)
    return logger


def _is_ours(record: logging.LogRecord) -> bool:
    raised = record.exc_info[1] if record.exc_info else None
    return not isinstance(raised, HttpProcessingError)


class _Accepted:
    """A WebSocket that was accepted: a `Connection`."""

    def __init__(self, name: int, request: web.BaseRequest, limit: int) -> None:
        self.socket = web.WebSocketResponse(
            autoping=False, autoclose=False, compress=True, max_msg_size=limit, timeout=_CLOSING_S
        )
        self._name = name
        self._request = request
        self._is_open = True
        self._queue: deque[tuple[WSMsgType, bytes, int]] = deque()
        self._queued = 0
        self._direct: asyncio.WriteTransport | None = None
        self._is_writing = asyncio.Event()
        self._sent_code: int | None = None
        self._broken = "the connection ended without a close"

    # ------------------------------------------------------- Connection

    @property
    def name(self) -> int:
        return self._name

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def buffered(self) -> int:
        transport = self._request.transport
        return self._queued + (0 if transport is None else transport.get_write_buffer_size())

    def send(self, payload: bytes) -> None:
        if self._direct is None or self._queue or not self._is_open:
            self._put(WSMsgType.TEXT, bytes(payload))
        else:
            if self._direct.is_closing():  # the peer vanished: its reader hears of it a turn later
                raise ConnectionLost(f"connection {self._name} is ending: nothing was written")
            self._direct.write(_text_head(len(payload)) + payload)

    def rehearse(self) -> None:
        pass

    def ping(self, payload: bytes = b"") -> None:
        self._put(WSMsgType.PING, bytes(payload))

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self._is_open:
            self._put(WSMsgType.CLOSE, reason.encode(), code)
            self._sent_code = code  # the library ends without waiting for the peer's answer
            self._is_open = False

    def abort(self) -> None:
        self._is_open = False
        self._broken = "aborted"
        _drop(self._request)

    def refuse(self) -> None:
        self._is_open = False
        self._queue.clear()

    def _put(self, kind: WSMsgType, payload: bytes, code: int = 0) -> None:
        if not self._is_open:
            raise ConnectionLost(f"connection {self._name} is closed: nothing was written")
        self._queue.append((kind, payload, code))
        self._queued += len(payload)
        self._is_writing.set()

    # ------------------------------------------------------- its two loops

    async def serve(self, listener: Listener) -> None:
        await self.socket.prepare(self._request)
        transport = self._request.transport
        if transport is not None and not (self.socket.compress or transport.is_closing()):
            # Each message is written when it is made: the loop would gather those of one turn.
            transport.set_write_buffer_limits(high=0)
            self._direct = transport
        writer = asyncio.create_task(self._write())
        code, reason = None, ""
        try:
            code, reason = await self._read(listener)
            if code is None and self._sent_code is not None:  # we closed: the writer sees it out
                await asyncio.wait([writer], timeout=_CLOSING_S)
                code = self._sent_code
        finally:
            self._is_open = False
            writer.cancel()
            listener.on_close(self, code, reason if code is not None else self._broken)

    async def _read(self, listener: Listener) -> tuple[int | None, str]:
        while True:
            message = await self.socket.receive()
            ts_recv_ns = time_ns()
            try:
                if message.type is WSMsgType.TEXT:
                    listener.on_frame(self, message.data.encode(), ts_recv_ns)
                elif message.type is WSMsgType.BINARY:
                    listener.on_frame(self, message.data, ts_recv_ns)
                elif message.type is WSMsgType.PONG:
                    listener.on_pong(self, bytes(message.data))
            except Exception as error:
                self._report(error)
                self.close(1011, "a listener raised")
            if message.type is WSMsgType.PING:
                if self._is_open:
                    self._put(WSMsgType.PONG, bytes(message.data))
            elif message.type is WSMsgType.CLOSE:
                await self._answer_close(message.data)
                return message.data, message.extra or ""
            elif message.type in (WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                return None, ""

    async def _answer_close(self, code: int) -> None:
        """Echoes the peer's close, unless it is itself an answer."""
        if self._is_open:
            self._is_open = False
            await self.socket.close(code=code or 1000)

    async def _write(self) -> None:
        while True:
            await self._is_writing.wait()
            self._is_writing.clear()
            while self._queue:
                kind, payload, code = self._queue.popleft()
                try:
                    await self._write_one(kind, payload, code)
                except (ConnectionError, RuntimeError):
                    return  # the reading side hears of the end
                self._queued -= len(payload)
                if kind is WSMsgType.CLOSE:
                    return

    async def _write_one(self, kind: WSMsgType, payload: bytes, code: int) -> None:
        if kind is WSMsgType.CLOSE:
            await self.socket.close(code=code, message=payload)
        elif kind is WSMsgType.TEXT:
            await self.socket.send_frame(payload, WSMsgType.TEXT)
        elif kind is WSMsgType.PING:
            await self.socket.ping(payload)
        else:
            await self.socket.pong(payload)

    def _report(self, error: Exception) -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"the listener of connection {self._name} raised", "exception": error}
        )


def _text_head(size: int) -> bytes:
    """What stands before a whole text message of a server."""
    if size < 126:
        return bytes((0x81, size))
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2)
    return b"\x81\x7f" + size.to_bytes(8)


def _answer(response: HttpResponse) -> web.Response:
    headers = [(name, value) for name, value in response.headers.items() if name not in _NOT_OURS]
    return web.Response(status=response.status, headers=headers, body=response.body)


def _drop(request: web.BaseRequest) -> None:
    """Ends the TCP connection at once."""
    if request.transport is not None:
        request.transport.abort()
