"""The smallest whole system: a client that asks and writes down, a server that answers.

It uses every door (timers, chance, disk, thread, WebSocket, HTTP) and so shows that the world is
deterministic, and that faults are injected and noticed, before anything is traded in it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from veloz.environments.dst.faults import NetworkOnly
from veloz.errors import NotSent, OutcomeUnknown
from veloz.net.backoff import Backoff
from veloz.net.doors import ConnectFailed, ConnectionLost, HttpResponse

if TYPE_CHECKING:
    from typing import Any

    from veloz.environments.dst.plan import Injector
    from veloz.net.doors import Connection, Doors, HttpRequest, Listener
    from veloz.net.simulated import World

__all__ = ["PingPong"]

_LIVES_S = 60.0
_PATIENCE_S = 1.0
_URL = "ws://server.test:80/"
_FOLDER = Path("/journal")


class PingPong(NetworkOnly):
    """Lives for a minute; every answer must be one that was asked for, and come once."""

    async def main(self, world: World, injector: Injector, venue_plan: dict[str, Any]) -> list[str]:
        """Runs server and client; see `Scenario.main`."""
        await world.host("server").boot().sockets.serve(_Server(), "server.test", 80)
        client = _Client(world.host("engine").boot(), injector)
        try:
            async with asyncio.timeout(_LIVES_S):
                await client.run()
        except TimeoutError:
            pass
        return client.problems


class _Server:
    """Answers frames with themselves and requests with their query."""

    async def http(self, request: HttpRequest) -> HttpResponse:
        await asyncio.sleep(0.002)
        return HttpResponse(200, {}, request.query.encode())

    def accept(self, request: HttpRequest, connection: Connection) -> Listener | HttpResponse:
        connection.send(b"welcome")
        return self

    def on_frame(
        self, connection: Connection, payload: bytes | memoryview, ts_recv_ns: int
    ) -> None:
        if connection.is_open:
            connection.send(bytes(payload))

    def on_pong(self, connection: Connection, payload: bytes) -> None: ...

    def on_close(self, connection: Connection, code: int | None, reason: str) -> None: ...


class _Client:
    def __init__(self, doors: Doors, injector: Injector) -> None:
        self.problems: list[str] = []
        self._doors = doors
        self._injector = injector
        self._backoff = Backoff(doors.clock, doors.random, first_s=0.05, most_s=1.0)
        self._asked = 0
        self._waits: dict[int, asyncio.Future[None]] = {}
        self._gap_ns = 0
        self._offset = 0
        doors.files.make_folder(_FOLDER)
        self._fd = doors.files.open_segment(_FOLDER / "asked", 1 << 20)

    async def run(self) -> None:
        """Asks for ever, over one connection after the other."""
        while True:
            await self._backoff.wait()
            try:
                connection = await self._doors.sockets.connect(_URL, self, timeout_s=2)
            except ConnectFailed:
                self._noticed("F-A05", "F-A10")
                continue
            self._backoff.succeeded()
            await self._talk(connection)

    async def _talk(self, connection: Connection) -> None:
        while connection.is_open:
            await asyncio.sleep(self._doors.random.uniform(0.05, 0.15))
            self._asked += 1
            number = self._asked
            await self._write_down(number)
            self._look_at_clock()
            self._waits[number] = asyncio.get_running_loop().create_future()
            try:
                connection.send(b"%d" % number)
                async with asyncio.timeout(_PATIENCE_S):
                    await self._waits[number]
            except TimeoutError:
                self._noticed("F-A03", "F-A09")
                connection.abort()
            except ConnectionLost:
                pass
            if number % 10 == 0:
                await self._request(number)

    async def _request(self, number: int) -> None:
        try:
            answer = await self._doors.http.request(
                "GET", f"http://server.test/time?n={number}", timeout_s=_PATIENCE_S
            )
        except NotSent:
            self._noticed("F-A05", "F-A10")
        except OutcomeUnknown:
            self._noticed("F-C01", "F-C02")
        else:
            if answer.body != b"n=%d" % number:
                self.problems.append(f"request {number} was answered with {answer.body!r}")

    async def _write_down(self, number: int) -> None:
        record = b"%d\n" % number
        self._doors.files.pwrite(self._fd, record, self._offset)
        self._offset += len(record)
        try:
            await self._doors.threads.run(self._doors.files.fdatasync, self._fd)
        except OSError:
            self._noticed("F-H13")
            self._doors.files.close(self._fd)
            self._fd = self._doors.files.open_segment(_FOLDER / f"asked-{number}", 1 << 20)
            self._offset = 0

    def _look_at_clock(self) -> None:
        """A wall clock that parts from the monotonic one was stepped, or drifts."""
        gap_ns = self._doors.clock.wall_ns() - self._doors.clock.monotonic_ns()
        parted_ns = abs(gap_ns - self._gap_ns)
        if self._gap_ns and parted_ns > 1_000_000:
            self._noticed("F-L02")
        elif self._gap_ns and parted_ns > 0:
            self._noticed("F-L01")
        self._gap_ns = gap_ns

    def _noticed(self, *faults: str) -> None:
        """Counts what the symptom may have been: some faults look alike from here."""
        for fault in faults:
            self._injector.detected[fault] += 1

    def on_frame(
        self, connection: Connection, payload: bytes | memoryview, ts_recv_ns: int
    ) -> None:
        text = bytes(payload)
        if text == b"welcome":
            return
        waits = self._waits.pop(int(text), None)
        if waits is None:
            self.problems.append(f"answer {text!r} came twice, or was not asked for")
        elif not waits.done():
            waits.set_result(None)

    def on_pong(self, connection: Connection, payload: bytes) -> None: ...

    def on_close(self, connection: Connection, code: int | None, reason: str) -> None:
        for waits in self._waits.values():
            if not waits.done():
                waits.set_result(None)  # nothing will come any more
        self._waits.clear()
        if reason != "aborted":
            self._noticed("F-A04" if "inside a frame" in reason else "F-A02")
