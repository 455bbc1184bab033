"""The private stream: what happens to the account, and when to doubt that we hear all of it.

```text
 spot     WebSocket API connection ─► userDataStream.subscribe.signature ─► events
 futures  listenKey ─► /private ─► events     renewed every 30 min, re-created when it expires
 both     roll-over with overlap ─► each event once     any hole ─► unsynced ─► reconcile ─► synced
```

A connection that is alive proves nothing: a key can expire, be deleted or be taken by another
program while the socket stays up. So an event is expected after each answer to an order; if none
comes, the stream is treated as broken (F-A03, F-A08).

Source: Binance Spot API "User Data Streams"; USDⓈ-M Futures "User Data Streams".
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Protocol

from veloz.errors import NotSent, OutcomeUnknown
from veloz.net.doors import ConnectionLost
from veloz.venues.binance.capabilities import CAPABILITIES
from veloz.venues.binance.ws_api import ApiSession, SessionTimes

if TYPE_CHECKING:
    from collections.abc import Callable

    from veloz.net.backoff import Backoff
    from veloz.net.doors import Doors
    from veloz.venues.binance.hosts import Hosts
    from veloz.venues.binance.rest import BinanceRest, VenueTime
    from veloz.venues.binance.ws_api import ApiSocket
    from veloz.venues.venue import Codec, EngineInputs

__all__ = ["BinanceUserStream", "HoleWatcher", "Twins"]

_RENEW_EVERY_S = 1800.0
_RENEW_AGAIN_S = 30.0
_SUBSCRIBED_WITHIN_S = 5.0
_EVENT_WITHIN_S = 5.0
_EVENT_BEFORE_NS = 2_000_000_000
_RECV_WINDOW_MS = 5000
_UNPLACED = 3
"""Bits of `EngineInputs.user_frame`: something in the event is not known here."""

_ENDINGS = (b"listenKeyExpired", b"eventStreamTerminated")


class HoleWatcher(Protocol):
    """Who repairs what a hole in the private stream left out."""

    def hole(self, reason: str) -> None:
        """Events may be missing from now on."""
        ...

    def restored(self) -> None:
        """Events come again: what was missed can be fetched."""
        ...


class Twins:
    """Two sockets with the same events: which frame is the first of its kind.

    An event that truly happens twice comes twice on each socket; so occurrences are counted for
    each socket, and the nth one is delivered once.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[int, bytes], int] = {}
        self._delivered: dict[bytes, int] = {}

    def is_first(self, socket: int, event: bytes) -> bool:
        """True if this occurrence was not delivered from another socket; counts it."""
        here = self._seen[socket, event] = self._seen.get((socket, event), 0) + 1
        if here <= self._delivered.get(event, 0):
            return False
        self._delivered[event] = here
        return True


class BinanceUserStream:
    """Delivers one account's private events of one market until cancelled.

    Args:
        hosts: Where to.
        doors: Sockets, time and chance.
        engine: Takes the events.
        account: The engine's number of the account.
        codec: Signs the subscription.
        rest: Makes and renews listen keys.
        time: The venue's clock.
        watcher: Hears of holes.
        pace: Spaces connection attempts.
        after: Called after each event: the engine may have requests to send.
        times: When the connection does things by itself.

    Attributes:
        counts: `events`, `duplicates`, `unreadable`, `holes`, `renewals`, `expiries`,
            `suspicions`: how often each happened.
    """

    def __init__(  # noqa: PLR0913 - the parts are peers; a bag for them would have no meaning
        self,
        hosts: Hosts,
        doors: Doors,
        engine: EngineInputs,
        account: int,
        *,
        codec: Codec,
        rest: BinanceRest,
        time: VenueTime,
        watcher: HoleWatcher,
        pace: Backoff,
        after: Callable[[], None],
        times: SessionTimes | None = None,
    ) -> None:
        self.counts: dict[str, int] = dict.fromkeys(
            (
                "events",
                "duplicates",
                "unreadable",
                "holes",
                "renewals",
                "expiries",
                "suspicions",
            ),
            0,
        )
        self._hosts = hosts
        self._doors = doors
        self._engine = engine
        self._account = account
        self._codec = codec
        self._rest = rest
        self._time = time
        self._watcher = watcher
        self._after = after
        self._has_listen_key = CAPABILITIES[hosts.market].has_listen_key
        self._session = ApiSession(
            self._address,
            doors,
            self,
            pace,
            prepare=self._prepare,
            proxy=hosts.proxy,
            times=times or SessionTimes(retire_s=5.0),
            budget=None if self._has_listen_key else rest.budget,
        )
        self._twins: Twins | None = None
        self._answers: dict[str, asyncio.Future[bool]] = {}
        self._asked = 0
        self._is_whole = False
        self._expected_ns = 0
        self._heard_ns = 0

    @property
    def is_open(self) -> bool:
        """True while events can come."""
        return self._session.socket is not None and self._is_whole

    @property
    def session_counts(self) -> dict[str, int]:
        """What happened to the connection; see `ApiSession`."""
        return self._session.counts

    def expect_event(self) -> None:
        """An answer has said that something happened: its event must be near, before or after."""
        now_ns = self._doors.clock.monotonic_ns()
        if self._expected_ns == 0 and now_ns - self._heard_ns > _EVENT_BEFORE_NS:
            self._expected_ns = now_ns + int(_EVENT_WITHIN_S * 1e9)

    async def run(self) -> None:
        """Delivers until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._session.run())
            if self._has_listen_key:
                tasks.create_task(self._renew())
            while True:
                await asyncio.sleep(1.0)
                self._judge_expected()
                if not self._session.is_overlapping:
                    self._twins = None

    # What the session tells.

    def received(self, socket: ApiSocket, payload: bytes | memoryview, ts_recv_ns: int) -> None:
        """Takes one frame."""
        body = bytes(payload)
        if body.startswith(b'{"id"') and self._is_answer(body):
            return
        if self._twins is not None:
            _, mark, event = body.partition(b'"event":')
            if not self._twins.is_first(socket.number, event if mark else body):
                self.counts["duplicates"] += 1
                return
        self._expected_ns = 0
        self._heard_ns = self._doors.clock.monotonic_ns()
        self.counts["events"] += 1
        try:
            unplaced = self._engine.user_frame(self._account, body, ts_recv_ns)
        except ValueError:
            unplaced = _UNPLACED
        if unplaced & _UNPLACED:  # never dropped: what it meant is fetched (F-B08, F-D02)
            self.counts["unreadable"] += 1
            self._break("an event could not be placed")
            self._restore()
        if any(word in body[:200] for word in _ENDINGS):
            self.counts["expiries"] += 1
            self._break("the venue ended the private stream")
            self._session.replace_now()
        self._after()

    def lost(self, socket: ApiSocket, reason: str) -> None:
        """One of the sockets has ended; it is a hole unless another one delivers."""
        del socket
        if self._session.socket is None:
            self._break(reason)

    # How a connection begins.

    async def _address(self) -> str:
        self._twins = Twins()
        if not self._has_listen_key:
            return self._hosts.ws_api
        try:
            answer = await self._rest.call("listen_key_start")
        except (NotSent, OutcomeUnknown) as failure:
            raise ConnectionLost(f"no listen key: {failure}") from failure
        value = answer.value()
        key = value.get("listenKey") if isinstance(value, dict) else None
        if answer.status != 200 or not isinstance(key, str):
            code, text = answer.error()
            raise ConnectionLost(f"no listen key: {answer.status} {code} {text}")
        return self._hosts.private_url(key)

    async def _prepare(self, socket: ApiSocket) -> bool:
        if not self._has_listen_key and not await self._subscribe(socket):
            return False
        self._restore()
        return True

    async def _subscribe(self, socket: ApiSocket) -> bool:
        self._asked += 1
        number = f"u{self._asked}"
        params = self._codec.sign_ws({}, self._time.now_ms(), _RECV_WINDOW_MS)
        message = {
            "id": number,
            "method": "userDataStream.subscribe.signature",
            "params": dict(params),
        }
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            socket.send(json.dumps(message, separators=(",", ":")).encode())
            async with asyncio.timeout(_SUBSCRIBED_WITHIN_S):
                return await answer
        except (ConnectionLost, TimeoutError):
            return False
        finally:
            del self._answers[number]

    def _is_answer(self, body: bytes) -> bool:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return False
        answer = self._answers.get(str(value.get("id")))
        if answer is not None and not answer.done():
            answer.set_result(value.get("status") == 200)
        return "status" in value

    # Listen keys.

    async def _renew(self) -> None:
        wait_s = _RENEW_EVERY_S
        while True:
            await asyncio.sleep(wait_s)
            wait_s = _RENEW_EVERY_S if await self._renew_once() else _RENEW_AGAIN_S

    async def _renew_once(self) -> bool:
        try:
            answer = await self._rest.call("listen_key_renew")
        except (NotSent, OutcomeUnknown):
            return False
        if answer.status == 200:
            self.counts["renewals"] += 1
            return True
        if answer.error()[0] == -1125:
            # the key is gone while its socket may still be up: nothing comes any more
            self.counts["expiries"] += 1
            self._break("the listen key has expired")
            self._session.replace_now()
            return True
        return False

    # Holes.

    def _judge_expected(self) -> None:
        if self._expected_ns and self._doors.clock.monotonic_ns() >= self._expected_ns:
            self._expected_ns = 0
            self.counts["suspicions"] += 1
            self._break("no event followed an answer")
            self._session.replace_now()

    def _break(self, reason: str) -> None:
        self.counts["holes"] += 1
        self._is_whole = False
        self._engine.unsynced(self._account, reason, self._doors.clock.wall_ns())
        self._watcher.hole(reason)

    def _restore(self) -> None:
        if not self._is_whole:
            self._is_whole = True
            self._watcher.restored()
