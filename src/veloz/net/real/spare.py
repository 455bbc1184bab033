"""A connection of this process to itself, over which the way of a frame to the kernel is rehearsed.

```text
 rehearse ─► the library's send ─► the kernel, loopback ─► a bare socket of ours ─► thrown away
```

What is sent over it is always the same zeros: whoever else should come to hear them learns nothing.

Source: RFC 6455, "Server's Opening Handshake".
"""

from __future__ import annotations

import asyncio
import re
import socket
from base64 import b64encode
from contextlib import suppress
from hashlib import sha1
from typing import TYPE_CHECKING

from veloz.net.doors import ConnectionLost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from veloz.net.doors import Connection, Listener

__all__ = ["SpareLine"]

_ZEROS = bytes(420)
"""As long as an order."""

_ROOM = 4096
_KEY = re.compile(rb"\r\nsec-websocket-key: *([^\r\n ]+)", re.IGNORECASE)
_SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_UPGRADED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n\r\n"
)


class SpareLine:
    """Both ends of it; it is closed until `open` has returned, and where that failed.

    Attributes:
        sent: Times that something was sent over it.
    """

    def __init__(self) -> None:
        self.sent = 0
        self._near: Connection | None = None
        self._far: socket.socket | None = None

    async def open(self, dial: Callable[[str, Listener], Awaitable[Connection]]) -> None:
        """Connects its ends.

        Args:
            dial: Opens a WebSocket to an address, through no proxy.

        Raises:
            OSError, VelozError: The computer does not let it; it stays closed.
        """
        with socket.create_server(("127.0.0.1", 0), backlog=1) as listening:
            listening.settimeout(0)
            port = listening.getsockname()[1]
            answering = asyncio.create_task(self._answer(listening))
            try:
                self._near = await dial(f"ws://127.0.0.1:{port}/", self)
            finally:
                answering.cancel()
                await asyncio.wait([answering])
                if not answering.cancelled():
                    answering.exception()  # it was heard: the near end ended with it
                if self._near is None:
                    self.close()

    @property
    def is_open(self) -> bool:
        """True if what is sent goes through the kernel."""
        return self._near is not None and self._far is not None

    @property
    def buffered(self) -> int:
        """Bytes that its far end has not taken."""
        return 0 if self._near is None else self._near.buffered

    def send(self) -> None:
        """Sends the zeros, and takes them off again; nothing while it is closed."""
        near, far = self._near, self._far
        if near is None or far is None:
            return
        self.sent += 1
        # Nothing has come yet, or it is broken: then it hears of its end.
        with suppress(OSError, ConnectionLost):
            near.send(_ZEROS)
            far.recv(_ROOM)

    def close(self) -> None:
        """Drops both ends; a second call does nothing."""
        far, self._far, near, self._near = self._far, None, self._near, None
        if near is not None:
            near.abort()
        if far is not None:
            far.close()

    # Listener

    def on_frame(
        self, connection: Connection, payload: bytes | memoryview, ts_recv_ns: int
    ) -> None:
        """Hears nothing: its far end says nothing."""

    def on_pong(self, connection: Connection, payload: bytes) -> None:
        """As above."""

    def on_close(self, connection: Connection, code: int | None, reason: str) -> None:
        """It stays closed: orders are as they were without it."""
        del connection, code, reason
        self.close()

    async def _answer(self, listening: socket.socket) -> None:
        """The far end's half of the upgrade."""
        loop = asyncio.get_running_loop()
        far, _ = await loop.sock_accept(listening)
        self._far = far
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            heard = await loop.sock_recv(far, _ROOM)
            if not heard:
                return
            request += heard
        key = _KEY.search(request)
        if key is not None:
            accept = b64encode(sha1(key[1] + _SALT, usedforsecurity=False).digest())
            await loop.sock_sendall(far, _UPGRADED % accept)
