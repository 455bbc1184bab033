"""HTTP requests in memory: each has a connection of its own, and can be lost on either way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from veloz.net.doors import AnswerLost, ConnectionLost, HttpResponse, NotSent
from veloz.net.simulated.link import Fate, Parcel
from veloz.net.simulated.network import Unreached, reach, request_of, without_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veloz.net.doors import HttpRequest, Site
    from veloz.net.simulated.network import Network

__all__ = ["SimulatedHttp"]


class SimulatedHttp:
    """The HTTP door of one host; each request has a connection of its own."""

    def __init__(self, network: Network, host: str) -> None:
        self._network = network
        self._host = host
        self.is_up = True

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
        loop = self._network.loop
        began_ns = loop.now_ns
        sent = [False]
        name = f"{method} {without_query(url)}"
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(
                    request_of(method, url, headers or {}, body, self._host), url, sent
                )
        except TimeoutError:
            reason = "the time given is over"
        except (_Cut, Unreached) as cut:
            reason = str(cut)
        if not sent[0]:
            raise NotSent(f"{name} was not sent: {reason}", hint="sending it again is safe")
        raise AnswerLost(name, (loop.now_ns - began_ns) / 1e9, reason)

    async def _exchange(self, request: HttpRequest, url: str, sent: list[bool]) -> HttpResponse:
        network = self._network
        dial = network.next_dial(self._host, url, "http")
        server = await reach(network, dial, is_up=self.is_up)
        name = network.next_name()
        there = Parcel(
            name,
            "request",
            request.body,
            number=1,
            to_server=True,
            sender=self._host,
            receiver=server.owner,
            head=f"{request.method} {request.path}?{request.query}\n{_lines(request.headers)}",
        )
        fate = network.judge(there)
        if fate.cut == "before":
            raise _Cut("the connection was cut before the request")
        sent[0] = True
        await _carry(network, there, fate)
        for _ in range(fate.copies - 1):
            await _answer(network, server.site, request)  # something on the way sent it twice
        answer = await _answer(network, server.site, request)
        back = Parcel(
            name,
            "response",
            answer.body,
            number=1,
            to_server=False,
            sender=server.owner,
            receiver=self._host,
            head=f"{answer.status}\n{_lines(answer.headers)}",
        )
        fate = network.judge(back)
        if fate.cut == "before":
            raise _Cut("the connection was cut before the answer")
        await _carry(network, back, fate)
        return answer if fate.payload is None else replace(answer, body=fate.payload)


class _Cut(Exception):
    """A connection ended; who catches it knows whether the request had left."""


async def _carry(network: Network, parcel: Parcel, fate: Fate) -> None:
    """One way of a request or an answer. A dropped one is waited for until the caller's timeout."""
    if fate.copies == 0:
        await network.loop.create_future()
    if fate.cut == "inside":
        await network.ways(1)
        raise _Cut(f"the connection was cut inside the {parcel.kind}")
    await asyncio.sleep((network.one_way_ns() + fate.delay_ns) / 1e9)
    network.note(parcel if fate.payload is None else parcel._replace(payload=fate.payload))
    if fate.cut == "after" and parcel.to_server:
        raise _Cut("the connection was cut after the request")


async def _answer(network: Network, site: Site, request: HttpRequest) -> HttpResponse:
    """The site's answer, made whether or not the caller still waits for it."""
    work = network.loop.create_task(site.http(request))
    work.add_done_callback(_tell)
    await asyncio.wait([work])
    error = work.exception()
    if isinstance(error, ConnectionLost):
        raise _Cut("the server dropped the connection")
    return HttpResponse(500) if error is not None else work.result()


def _tell(work: asyncio.Task[HttpResponse]) -> None:
    """A site that raises is a fault of the site, also if nobody waits for the answer."""
    error = None if work.cancelled() else work.exception()
    if error is not None and not isinstance(error, ConnectionLost):
        work.get_loop().call_exception_handler({"message": "a site raised", "exception": error})


def _lines(headers: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in sorted(headers.items()))
