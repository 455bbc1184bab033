"""Order entry: by the WebSocket API, by REST where that cannot be, never twice.

```text
 engine.take_requests ─► (queue, cancels first) ─► budget ─► sign ─► write ─► pending
        deadline past ─► not_sent                                      │
                                      answer ─► answered, refused ◄────┤
                    silence, lost connection ─► unknown ─► Resolver ◄──┘
```

REST is taken only for a request of which no byte was written. A request that was written and not
answered is unknown, and stays so until the venue has given evidence; nothing here sends it again.

Source: Binance Spot API "WebSocket API", "Trading requests"; futures "WebSocket API General Info".
"""

from __future__ import annotations

import asyncio
import heapq
import json
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from veloz.errors import NotSent, OutcomeUnknown
from veloz.net.doors import ConnectionLost
from veloz.net.limits import Priority
from veloz.venues.binance import answers
from veloz.venues.binance.capabilities import CAPABILITIES
from veloz.venues.binance.departure import COSTS, LONG_AGO_MS, REHEARSAL, rank_of
from veloz.venues.binance.ws_api import ApiSession, SessionTimes
from veloz.venues.venue import Difference, FollowUp, Freeze, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from veloz._core import Departure
    from veloz.net.backoff import Backoff
    from veloz.net.doors import Doors
    from veloz.venues.binance.hosts import Hosts
    from veloz.venues.binance.resolve import Resolver
    from veloz.venues.binance.rest import BinanceRest, Budget
    from veloz.venues.binance.ws_api import ApiSocket
    from veloz.venues.venue import Codec, EngineInputs, VenueRequest

__all__ = ["BinanceGateway", "GatewayTimes", "TrustedTime"]

_STALLED_BYTES = 65536
_HALVED = "halved"
"""The codec's word for a replacement whose order was cancelled and not placed anew."""

_LARGEST_BYTES = 2048
_FEW = _STALLED_BYTES // _LARGEST_BYTES
_LATE_ANSWERS = 1000
"""So many unknown requests are remembered for an answer that may still come."""

_FIRST_STATUS, _LAST_STATUS = 100, 999  # of HTTP; another is no answer of the venue

_NS = 1_000_000_000
_COUNTED = (
    "sent",
    "answered",
    "refused",
    "not_sent",
    "unknown",
    "late",
    "unreadable",
    "by_rest",
)


@dataclass(frozen=True, slots=True)
class GatewayTimes:
    """Limits of waiting, in seconds unless named otherwise.

    Attributes:
        queue_s: A request that could not be written by then is dropped as not sent.
        answer_s: An answer that takes longer makes the request unknown.
        recv_window_ms: How long after its timestamp the venue may still accept a request.
    """

    queue_s: float = 2.0
    answer_s: float = 5.0
    recv_window_ms: int = 3000


class TrustedTime(Protocol):
    """The venue's clock and how far it may be wrong."""

    def now_ms(self) -> int:
        """The venue's time, ms since the epoch."""
        ...

    def stamp_ms(self, window_ms: int) -> int | None:
        """The venue's time, if a request stamped with it is surely within a window of that width.

        None if it is not known well enough.
        """
        ...

    def distrust(self) -> None:
        """The venue disagrees with the time: measure anew at once."""
        ...


@dataclass(frozen=True, slots=True)
class _Pending:
    """A request that was written and not answered."""

    request: VenueRequest
    due_ns: int
    timestamp_ms: int
    socket: int


class BinanceGateway:
    """Sends one account's requests to one market until cancelled.

    Args:
        hosts: Where to.
        doors: Sockets, time and chance.
        engine: Gives requests, takes what becomes of them.
        account: The engine's number of the account.
        codec: Encodes and signs.
        rest: The other way.
        budget: The venue's limits.
        time: The venue's clock.
        resolver: Finds out about requests without an answer.
        pace: Spaces connection attempts.
        swift: The short way of a request; it is stamped for the receive window of `times`.
        on_done: Called when the venue did what was asked: a private event must follow.
        times: Limits of waiting.
        session_times: When the connection does things by itself.

    Attributes:
        counts: `sent`, `answered`, `refused`, `not_sent`, `unknown`, `late`, `unreadable`,
            `by_rest`: how often each happened.
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
        budget: Budget,
        time: TrustedTime,
        resolver: Resolver,
        pace: Backoff,
        swift: Departure | None = None,
        on_done: Callable[[], None] = lambda: None,
        times: GatewayTimes | None = None,
        session_times: SessionTimes | None = None,
    ) -> None:
        self.counts: dict[str, int] = dict.fromkeys(_COUNTED, 0)
        self._hosts = hosts
        self._doors = doors
        self._engine = engine
        self._account = account
        self._codec = codec
        self._rest = rest
        self._budget = budget
        self._time = time
        self._resolver = resolver
        self._swift = swift
        self._on_done = on_done
        self._times = times or GatewayTimes()
        # Short enough to see in time that an answer is overdue: writing an order wakes nobody.
        self._idle_s = min(1.0, self._times.answer_s / 5)
        self._window_ms = self._times.recv_window_ms
        self._queue_ns = int(self._times.queue_s * _NS)
        self._answer_ns = int(self._times.answer_s * _NS)
        self._monotonic_ns, self._wall_ns = doors.clock.monotonic_ns, doors.clock.wall_ns
        self._session = ApiSession(
            self._address,
            doors,
            self,
            pace,
            proxy=hosts.proxy,
            times=session_times,
            budget=budget,
        )
        self._queue: list[tuple[Priority, int, int, VenueRequest]] = []
        self._sequence = 0
        self._pending: dict[int, _Pending] = {}
        self._due: deque[int] = deque()
        self._doubtful: dict[int, VenueRequest] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._wake = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """True while the order connection is up."""
        return self._session.socket is not None

    @property
    def session_counts(self) -> dict[str, int]:
        """What happened to the order connection; see `ApiSession`."""
        return self._session.counts

    @property
    def pending(self) -> int:
        """Requests that were written and not answered."""
        return len(self._pending)

    def pump(self) -> None:
        """Takes what the engine lets go and writes what may be written now."""
        requests = self._engine.take_requests()
        if requests or self._queue:
            self._send_all(requests)

    def send(self, request: VenueRequest) -> None:
        """Writes a request that may leave, or puts it behind those that wait."""
        if self._queue:
            self._send_all([request])
            return
        now_ns = self._monotonic_ns()
        if self._swift is not None and self._departed(self._swift, request, now_ns):
            return
        rank = rank_of(request)
        if not self._leave(rank, now_ns, request, now_ns):
            self._enqueue(rank, now_ns, request)
            self._wake.set()

    def _send_all(self, requests: Sequence[VenueRequest]) -> None:
        if len(requests) == 1 and not self._queue:
            self.send(requests[0])
            return
        now_ns = self._monotonic_ns()
        withdrawn: list[VenueRequest] = []
        for request in requests:
            rank = rank_of(request)
            is_cancel = rank is Priority.CANCEL and bool(self._queue)
            if is_cancel and (order := self._withdraw(request.client_order_id, now_ns)):
                withdrawn += (order, request)
                continue
            self._enqueue(rank, now_ns, request)
        self._drain(now_ns)
        if self._queue:
            self._wake.set()
        for request in withdrawn:
            self._not_sent(request, "it was cancelled before it could be sent")

    @property
    def may_order(self) -> bool:
        """True if the venue's limits have room for an order that reduces a position."""
        return self._budget.has_room(*COSTS["place"], Priority.REDUCE)

    @property
    def is_idle(self) -> bool:
        """True if the connection is up and nothing waits to be sent."""
        return not self._queue and self._session.socket is not None

    def look_ahead(self) -> None:
        """Looks now at the limits that the next request would have to look at."""
        self._budget.look_ahead()

    async def run(self) -> None:
        """Keeps the order connection, drops what waits too long, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                tasks.create_task(self._session.run())
                while True:
                    self._drain(self._monotonic_ns())
                    self._judge_overdue()
                    await self._pause()
            finally:
                self._tasks = None

    # What the session tells.

    def received(self, socket: ApiSocket, payload: bytes | memoryview, ts_recv_ns: int) -> None:
        """Takes one answer."""
        del socket
        body = bytes(payload)
        try:
            answer = answers.read_json(body)
            status = int(answer["status"])
            if not _FIRST_STATUS <= status <= _LAST_STATUS:
                raise ValueError(status)
            if status != 200:
                self._observe(status, answer)  # a silence begins, whosever answer this is
            number = int(answer["id"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            self.counts["unreadable"] += 1  # its request becomes unknown by silence (F-C06)
            return
        request = self._settle(number)
        if request is not None:
            self._judge_answer(request, status, answer, body, ts_recv_ns)
        if status == 200:
            self._observe(status, answer)  # behind the strategy: it waits for its fill
        self.pump()

    def _judge_answer(
        self,
        request: VenueRequest,
        status: int,
        answer: dict[str, Any],
        body: bytes,
        ts_recv_ns: int,
    ) -> None:
        error = answer.get("error")
        if status == 200 and isinstance(answer.get("result"), dict | list):
            verdict = Verdict(Outcome.DONE)
        elif isinstance(error, dict):
            code, text = answers.said(error)
            verdict = self._codec.verdict(request.kind, status, code, text)
        else:
            verdict = Verdict(Outcome.UNKNOWN, text="an answer without a result")
        self._judge(request, verdict, body, ts_recv_ns)

    def lost(self, socket: ApiSocket, reason: str) -> None:
        """All that was written to this socket is unknown now (F-C02)."""
        for number in [n for n, p in self._pending.items() if p.socket == socket.number]:
            pending = self._pending.pop(number)
            self._doubt(pending.request, pending.timestamp_ms, reason)
        self._wake.set()

    # Sending.

    def _enqueue(self, rank: Priority, now_ns: int, request: VenueRequest) -> None:
        self._sequence += 1
        heapq.heappush(self._queue, (rank, self._sequence, now_ns, request))

    def _drain(self, now_ns: int) -> None:
        """Writes from the queue until it is empty, or the limits or the socket say stop."""
        while self._queue:
            # Taken first: what is said of it may bring others here before this returns.
            waiting = heapq.heappop(self._queue)
            rank, _, queued_ns, request = waiting
            if not self._leave(rank, queued_ns, request, now_ns):
                heapq.heappush(self._queue, waiting)
                return

    def _departed(self, swift: Departure, request: VenueRequest, now_ns: int) -> bool:
        """Writes a request by the short way; False, and nothing done, if it has to be looked at."""
        socket = self._session.socket
        if socket is None or len(self._pending) >= _FEW:
            return False
        frame = swift.frame(request, now_ns, self._wall_ns())  # pyright: ignore[reportArgumentType]
        if frame is None:
            return False
        if not self._write(socket, request, frame, swift.timestamp_ms):
            self._by_rest(request)
        return True

    def _leave(self, rank: Priority, queued_ns: int, request: VenueRequest, now_ns: int) -> bool:
        """Writes a request, or gives it back; False if it has to wait, and nothing was done."""
        is_rehearsal = request.kind == REHEARSAL
        if now_ns - queued_ns >= self._queue_ns:
            self._not_sent(request, "it waited too long to be sent")
            return True
        timestamp_ms = self._time.stamp_ms(self._window_ms)
        if timestamp_ms is None:
            self._not_sent(request, "the venue's time is not known well enough")
            return True
        socket = self._session.socket
        # So much cannot wait to be written while few requests wait for their answers.
        may_stall = len(self._pending) >= _FEW
        if socket is not None and may_stall and socket.buffered > _STALLED_BYTES:
            return is_rehearsal  # the peer does not read: what waits is certain not to be sent
        if not self._budget.take(*COSTS[request.kind], rank):
            return is_rehearsal
        if is_rehearsal:
            timestamp_ms = LONG_AGO_MS
        # The WebSocket API does not offer all of them.
        if socket is None or not request.encoded.method:
            self._by_rest(request)
            return True
        number = str(request.number)
        frame = self._codec.ws_frame(request, number, timestamp_ms, self._window_ms)
        if not self._write(socket, request, frame, timestamp_ms):
            self._by_rest(request)
        return True

    def _withdraw(self, client_order_id: str, now_ns: int) -> VenueRequest | None:
        """Takes an order that has to wait here out of the queue, because it is to be cancelled.

        The cancel would overtake it: the venue would know no such order, and then get it. An order
        that may be written is written, and its cancel behind it.
        """
        if self._waiting(client_order_id) is None:
            return None
        self._drain(now_ns)
        place = self._waiting(client_order_id)
        if place is None:
            return None
        *_, request = self._queue.pop(place)
        heapq.heapify(self._queue)
        return request

    def _waiting(self, client_order_id: str) -> int | None:
        """Where in the queue the request is that gives life to an order."""
        for place, (_, _, _, request) in enumerate(self._queue):
            begins = request.kind == "place" or request.replaces
            if begins and request.client_order_id == client_order_id:
                return place
        return None

    def _is_algo(self, request: VenueRequest) -> bool:
        return request.is_conditional and CAPABILITIES[self._hosts.market].has_algo_orders

    def _write(
        self, socket: ApiSocket, request: VenueRequest, frame: bytes, timestamp_ms: int
    ) -> bool:
        if request.kind == REHEARSAL:
            socket.rehearse()
            self._engine.written(0)
            return True
        try:
            socket.send(frame)
        except ConnectionLost:
            return False
        number = request.number
        self._engine.written(number)
        due_ns = self._monotonic_ns() + self._answer_ns
        self._pending[number] = _Pending(request, due_ns, timestamp_ms, socket.number)
        self._due.append(number)
        self.counts["sent"] += 1
        return True

    def _by_rest(self, request: VenueRequest) -> None:
        """The fall-back; also the only way for what the WebSocket API does not offer."""
        if request.kind == REHEARSAL:
            return
        if self._tasks is None:
            self._not_sent(request, "the gateway does not run")
            return
        self.counts["by_rest"] += 1
        batch = [request, *self._companions(request)]
        self._tasks.create_task(self._send_rest(batch))

    def _companions(self, request: VenueRequest) -> list[VenueRequest]:
        """Requests behind this one in the queue that fit into one batch with it."""
        offers = CAPABILITIES[self._hosts.market]
        most = {"place": offers.batch_place, "cancel": offers.batch_cancel}.get(request.kind, 1)
        found: list[VenueRequest] = []
        while self._queue and len(found) + 1 < most and not self._is_algo(request):
            rank, _, _, other = self._queue[0]
            is_alike = other.kind == request.kind and not self._is_algo(other)
            if other.kind == "cancel" and other.symbol != request.symbol:
                is_alike = False  # a batch of cancels names one symbol
            if not is_alike or not self._budget.take(*COSTS[other.kind], Priority(rank)):
                break
            heapq.heappop(self._queue)
            found.append(other)
        return found

    async def _send_rest(self, batch: list[VenueRequest]) -> None:
        timestamp_ms = self._time.now_ms()
        call = self._codec.rest_call(batch, timestamp_ms, self._times.recv_window_ms)
        self.counts["sent"] += len(batch)
        try:
            answer = await self._rest.send(call)
        except NotSent as refusal:
            for request in batch:
                self._not_sent(request, str(refusal))
            return
        except OutcomeUnknown as silence:
            for request in batch:
                self._doubt(request, timestamp_ms, str(silence))
            return
        for request, status, body in answers.parts(batch, answer):
            self._judge(request, self._verdict(request, status, body), body, answer.ts_recv_ns)
        self.pump()

    def _verdict(self, request: VenueRequest, status: int, body: bytes) -> Verdict:
        try:
            value = answers.read_json(body)
        except (ValueError, RecursionError):
            value = None
        error = value if isinstance(value, dict) and "code" in value else None
        is_error = error is not None and error.get("code") != 200
        if status == 200 and isinstance(value, dict | list) and not is_error:
            return Verdict(Outcome.DONE)
        if status == 200 and error is None:
            return Verdict(Outcome.UNKNOWN, text="an answer that cannot be read")
        code, text = answers.said(error or {})
        return self._codec.verdict(request.kind, status, code, text)

    def _take_halves(self, body: bytes, ts_recv_ns: int) -> None:
        """A replacement that ended halfway: the order was cancelled and none took its place."""
        try:
            self._engine.found(
                self._account, json.dumps(answers.details(body)).encode(), ts_recv_ns
            )
        except ValueError:
            self.counts["unreadable"] += 1  # the order itself is asked for all the same

    # What became of a request.

    def _settle(self, number: int) -> VenueRequest | None:
        pending = self._pending.pop(number, None)
        if pending is not None:
            return pending.request
        late = self._doubtful.pop(number, None)
        if late is not None:
            self.counts["late"] += 1
        return late

    def _judge(self, request: VenueRequest, verdict: Verdict, body: bytes, ts_recv_ns: int) -> None:
        if verdict.follow_up is FollowUp.CLOCK:
            self._time.distrust()
        if verdict.outcome is Outcome.DONE:
            try:
                unplaced = self._engine.answered(request.number, body, ts_recv_ns)
            except ValueError as unreadable:  # done, but with what result is unknown (F-C06)
                self.counts["unreadable"] += 1
                self._doubt(request, self._time.now_ms(), str(unreadable))
                return
            self.counts["answered"] += 1
            self._resolver.settled(request.number)
            if unplaced and request.client_order_id:  # a new word in it (F-B08): ask in old ones
                self._resolver.ask(request, self._time.now_ms(), self._times.recv_window_ms)
            self._on_done()
        elif verdict.outcome is Outcome.REFUSED:
            self.counts["refused"] += 1
            if verdict.reason == _HALVED:
                self._take_halves(body, ts_recv_ns)
            self._engine.refused(request.number, verdict, ts_recv_ns)
            self._resolver.settled(request.number)
            if verdict.follow_up is FollowUp.ASK and request.client_order_id:
                # gone, filled, or not yet visible: the order itself is asked for (F-C07)
                self._resolver.ask(request, self._time.now_ms(), self._times.recv_window_ms)
            elif verdict.follow_up is FollowUp.STOP:
                self._stop(verdict, ts_recv_ns)
        elif verdict.outcome is Outcome.NOT_SENT:
            self._not_sent(request, verdict.text)
        else:
            self._doubt(request, self._time.now_ms(), f"{verdict.code} {verdict.text}".strip())

    def _stop(self, verdict: Verdict, ts_recv_ns: int) -> None:
        """The key or account cannot trade: no new exposure until a person has looked (F-E10)."""
        said = f"{verdict.code} {verdict.text}"
        stop = Difference("access", "account", "may trade", said, Freeze.ACCOUNT, "")
        self._engine.differs(self._account, stop, ts_recv_ns)

    def _not_sent(self, request: VenueRequest, reason: str) -> None:
        if request.kind == REHEARSAL:
            return
        self.counts["not_sent"] += 1
        self._engine.not_sent(request.number, reason, self._doors.clock.wall_ns())

    def _doubt(self, request: VenueRequest, timestamp_ms: int, reason: str) -> None:
        self.counts["unknown"] += 1
        self._doubtful[request.number] = request
        if len(self._doubtful) > _LATE_ANSWERS:
            del self._doubtful[next(iter(self._doubtful))]
        self._engine.unknown(request.number, reason, self._doors.clock.wall_ns())
        self._resolver.doubt(request, timestamp_ms, self._times.recv_window_ms)

    def _judge_overdue(self) -> None:
        now_ns = self._doors.clock.monotonic_ns()
        while self._due:
            pending = self._pending.get(self._due[0])
            if pending is not None:
                if pending.due_ns > now_ns:
                    return
                del self._pending[self._due[0]]
                waited = f"no answer after {self._times.answer_s:g} s"
                self._doubt(pending.request, pending.timestamp_ms, waited)
            self._due.popleft()

    def _observe(self, status: int, answer: dict[str, object]) -> None:
        self._budget.observe(status, answers.limits_told(answer, self._time.now_ms()))

    async def _address(self) -> str:
        return self._hosts.ws_api

    async def _pause(self) -> None:
        self._wake.clear()
        try:
            is_busy = bool(self._queue or self._pending)
            async with asyncio.timeout(0.05 if is_busy else self._idle_s):
                await self._wake.wait()
        except TimeoutError:
            return
