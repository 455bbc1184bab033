"""The witness of the simulation: which requests it holds against a process, and which it cannot."""

from __future__ import annotations

import asyncio

import pytest

from veloz.environments.dst.witness import Witness
from veloz.net.doors import Connection, HttpRequest, HttpResponse, Listener
from veloz.net.simulated import World
from veloz.net.simulated.clock import START_WALL_NS

PORT = 8000
SILENCE_S = 20


class Refusing:
    """A venue that asks for silence at each request."""

    async def http(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(429, {"retry-after": str(SILENCE_S)}, b"{}")

    def accept(self, request: HttpRequest, connection: Connection) -> Listener | HttpResponse:
        return HttpResponse(404)


def breaches(*, killed_after_s: float | None, again_after_s: float) -> list[str]:
    """A process is asked for silence, may die soon after, and somebody asks again."""
    world = World(7, START_WALL_NS)
    host = world.host("engine")
    witness = Witness(world, host, {PORT: "usdm"}, ())

    async def main() -> None:
        venue = world.host("venue").boot()
        server = await venue.sockets.serve(Refusing(), host="venue.test", port=PORT)
        url = f"{server.url_http}/fapi/v1/time"
        doors = host.boot()
        answer = await doors.http.request("GET", url, timeout_s=5)
        assert answer.status == 429
        if killed_after_s is not None:
            await asyncio.sleep(killed_after_s)
            host.kill()
            doors = host.boot()
        await asyncio.sleep(again_after_s)
        await doors.http.request("GET", url, timeout_s=5)

    world.run(main())
    assert witness.silences == 2
    return witness.breaches


def test_a_request_in_the_silence_is_a_breach() -> None:
    (told,) = breaches(killed_after_s=None, again_after_s=1.0)
    assert "left for usdm" in told


def test_a_request_behind_the_silence_is_none() -> None:
    assert breaches(killed_after_s=None, again_after_s=SILENCE_S + 1.0) == []


def test_what_a_process_died_of_hearing_is_held_against_nobody() -> None:
    """It had no time to write the silence down; the next one cannot know of it."""
    assert breaches(killed_after_s=0.01, again_after_s=1.0) == []


@pytest.mark.parametrize("killed_after_s", [0.06, 5.0])
def test_a_silence_that_could_be_written_down_binds_the_next_process(killed_after_s: float) -> None:
    (told,) = breaches(killed_after_s=killed_after_s, again_after_s=1.0)
    assert "left for usdm" in told
