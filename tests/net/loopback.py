"""What tests of the real doors need: a site, a listener that waits, a certificate, two proxies."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from veloz.net.doors import ConnectionLost, HttpRequest, HttpResponse, ServerTls

if TYPE_CHECKING:
    from pathlib import Path

    from veloz.net.doors import Connection, Listener


class Hears:
    """Writes down what it hears, and lets tests wait for it."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.stamps_ns: list[int] = []
        self.pongs: list[bytes] = []
        self.ends: list[tuple[int | None, str]] = []
        self._something = asyncio.Event()

    def on_frame(
        self, connection: Connection, payload: bytes | memoryview, ts_recv_ns: int
    ) -> None:
        self.frames.append(bytes(payload))
        self.stamps_ns.append(ts_recv_ns)
        self._something.set()

    def on_pong(self, connection: Connection, payload: bytes) -> None:
        self.pongs.append(payload)
        self._something.set()

    def on_close(self, connection: Connection, code: int | None, reason: str) -> None:
        self.ends.append((code, reason))
        self._something.set()

    async def until(self, what: str, count: int = 1) -> None:
        async with asyncio.timeout(10):
            while len(getattr(self, what)) < count:
                self._something.clear()
                await self._something.wait()


class LoopbackSite:
    """Echoes frames and requests; a path asks for something special."""

    def __init__(self) -> None:
        self.heard = Hears()
        self.accepted: list[Connection] = []
        self.requests: list[HttpRequest] = []

    async def http(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        if request.path == "/drop":
            raise ConnectionLost("on purpose")
        if request.path == "/slow":
            await asyncio.sleep(5)
        if request.path == "/moved":
            return HttpResponse(302, {"location": "/elsewhere"})
        if request.path == "/long":
            return HttpResponse(200, {}, bytes(100_000))
        return HttpResponse(200, {"x-weight": "7", "x-query": request.query}, request.body)

    def accept(self, request: HttpRequest, connection: Connection) -> Listener | HttpResponse:
        if request.path == "/no":
            return HttpResponse(429, {"retry-after": "3"}, b"slow down")
        self.accepted.append(connection)
        connection.send(b"hello " + request.query.encode())
        return self.heard


def make_certificate(folder: Path, host: str = "127.0.0.1") -> ServerTls:
    """A certificate that signs itself, for one address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    tls = ServerTls(folder / f"{host}.crt", folder / f"{host}.key")
    tls.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    tls.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return tls


class Proxy:
    """A proxy on loopback that leads every target to one port and notes who was asked for.

    Speaks `CONNECT` of HTTP, and SOCKS5 without credentials.
    """

    def __init__(self, port: int) -> None:
        self.asked: list[str] = []
        self.port = 0
        self._to = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        if first == b"\x05":
            await self._socks(reader, writer)
        else:
            head = first + await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head.split(b" ")[1].decode())
            writer.write(b"HTTP/1.1 200 go ahead\r\n\r\n")
        there, away = await asyncio.open_connection("127.0.0.1", self._to)
        for source, sink in ((reader, away), (there, writer)):
            task = asyncio.create_task(_pump(source, sink))
            self._tasks.add(task)

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\x05\x00")
        head = await reader.readexactly(4)
        if head[3] == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ipaddress.ip_address(await reader.readexactly(4)))
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append(f"{host}:{port}")
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(65_536):
            sink.write(piece)
            await sink.drain()
    except ConnectionError:
        pass
    finally:
        sink.close()
