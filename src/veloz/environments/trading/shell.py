"""The engine with its journal: what every input is followed by, in one place.

```text
 input ─► engine ─► market tape ─► journal ─► requests, once their batch is released ─► gateway
                └─► the loop's one timer, at the engine's next instant
```

Nothing here waits and nothing is queued on the way in: a frame's callback comes to `frame` of a
port and returns when strategies were called, the journal was written and requests were sent.

What a newcomer gets wrong: after a failure nobody may go on. A poisoned engine and a sealed
journal both end the run: `fatal` says why, cancels still leave, and the process starts again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from veloz.storage.journal_writer import JournalSealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from veloz._core import LiveEngine, LiveRequest
    from veloz.environments.trading.tape import MarketTape
    from veloz.net.doors import Doors

__all__ = ["EngineShell", "Journal", "Outbox"]

_NS = 1_000_000_000
_PENDING, _LISTENS, _INSTANT = 1, 2, 4
"""What an input left behind, as `LiveEngine.unsettled` says."""


class Journal(Protocol):
    """Where batches go, and which of them are safe; a `JournalWriter` is one."""

    @property
    def released_sequence(self) -> int:
        """The last batch whose requests may leave."""
        ...

    @property
    def takes_orders(self) -> bool:
        """False if only cancels have room."""
        ...

    def lets_go(self, sequence: int) -> bool:
        """True if any request of that batch may leave now, be it an order."""
        ...

    def append(self, frames: bytes, sequence: int) -> None:
        """Writes frames whose last batch has this sequence."""
        ...

    def when_released(self, sequence: int, callback: Callable[[], None]) -> None:
        """Calls back once the batch is released."""
        ...

    def rehearse(self) -> None:
        """Goes the way of a batch without one."""
        ...


class Outbox:
    """What one account's gateway may send, oldest first.

    Attributes:
        pump: Sends what may leave; the gateway's, once there is one.
        send: Sends a request that may leave, while none waits here; None until there is a gateway.
    """

    def __init__(self) -> None:
        self.waiting: deque[LiveRequest] = deque()
        self.asked_for = 0
        self.pump: Callable[[], None] = lambda: None
        self.send: Callable[[Any], None] | None = None


class EngineShell:
    """One engine, its journal and its timer.

    Args:
        engine: The engine.
        doors: Time.
        writer: The trading journal.
        tape: The market's record; None if it is not kept.
        accounts: How many accounts the engine has.

    Attributes:
        engine: The engine.
        fatal: Why nothing can go on; empty while all is well.
        heard: Set when `fatal` is.
        inputs_total: Inputs so far.
        last_input_ns: When the last one came, monotonic.
        on_listens: Called in the event in which strategies began or ended subscriptions.
    """

    def __init__(
        self,
        engine: LiveEngine,
        doors: Doors,
        writer: Journal,
        tape: MarketTape | None,
        accounts: int,
    ) -> None:
        self.engine = engine
        self.fatal = ""
        self.heard = asyncio.Event()
        self.inputs_total = 0
        self.last_input_ns = 0
        self.on_listens: Callable[[], None] = lambda: None
        self.outboxes = [Outbox() for _ in range(accounts)]
        self._clock = doors.clock
        self._monotonic_ns = doors.clock.monotonic_ns
        self._writer = writer
        self._tape = tape
        self._is_settling = False
        self._is_due = False
        self._is_closed = False
        self._armed_ns: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def settle(self) -> None:
        """What follows an input: journal, requests, timer. Within itself it is done once more."""
        self.inputs_total += 1
        self.last_input_ns = self._monotonic_ns()
        if self._is_settling or self._is_closed:
            self._is_due = True
            return
        left = self.engine.unsettled
        if not left:  # as most frames
            return
        if left & _PENDING:
            self._is_settling = True
            try:
                self._settle()
            except (JournalSealed, OSError) as failure:
                self.die(str(failure))
            except RuntimeError as failure:
                if not self.engine.poison:
                    raise
                self.die(str(failure))
            finally:
                self._is_settling = False
            left = self.engine.unsettled
        if left & _LISTENS:
            self.on_listens()
            left = self.engine.unsettled
        if left & _INSTANT:
            self._arm()

    def die(self, why: str) -> None:
        """Nothing can go on; the run's end is begun by whoever waits for `heard`."""
        if not self.fatal:
            self.fatal = why
            self.heard.set()

    def input(self, kind: str, **fields: Any) -> None:
        """Gives the engine one decoded input; see `LiveEngine.input`. A poisoned one takes none."""
        try:
            self.engine.input(kind, self.now_ns(), **fields)
        except RuntimeError as failure:
            self.die(str(failure))
            return
        self.settle()

    def now_ns(self) -> int:
        """The wall clock."""
        return self._clock.wall_ns()

    def released(self, account: int) -> list[LiveRequest]:
        """Takes the requests of an account whose journal records let them leave."""
        outbox = self.outboxes[account]
        if not outbox.waiting:
            return []
        released = self._writer.released_sequence
        if len(outbox.waiting) == 1 and outbox.waiting[0].sequence <= released:  # as most
            return [outbox.waiting.popleft()]
        ready: list[LiveRequest] = []
        while outbox.waiting and (outbox.waiting[0].sequence <= released or self.engine.poison):
            ready.append(outbox.waiting.popleft())
        if outbox.waiting and outbox.asked_for < outbox.waiting[-1].sequence:
            outbox.asked_for = outbox.waiting[-1].sequence
            for sequence in dict.fromkeys(request.sequence for request in outbox.waiting):
                self._writer.when_released(sequence, outbox.pump)
        return ready

    def write(self) -> None:
        """Takes the engine's bytes to the disk."""
        if self._tape is not None and (heard := self.engine.market_pending()):
            self._tape.append(heard)
        if frames := self.engine.journal_pending():
            self._writer.append(frames, self.engine.journal_sequence)

    def is_at_rest(self, account: int) -> bool:
        """True if nothing of an account is under way here: what comes next waits for nobody."""
        if self._is_settling or self._is_closed or self.outboxes[account].waiting:
            return False
        return not self.engine.unsettled & _PENDING

    def close(self) -> None:
        """Nothing is written, sent or timed any more: what a closing socket says is too late."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def rescue(self) -> None:
        """Lets a poisoned engine's cancels leave."""
        for request in self.engine.take_requests():
            self.outboxes[request.account].waiting.append(request)
        for outbox in self.outboxes:
            outbox.pump()

    def _settle(self) -> None:
        engine, tape, writer = self.engine, self._tape, self._writer
        while True:
            self._is_due = False
            if tape is not None and (heard := engine.market_pending()):
                tape.append(heard)
            if frames := engine.journal_pending():
                writer.append(frames, engine.journal_sequence)
                self._hand_out()
            if not self._is_due:
                return

    def _hand_out(self) -> None:
        """Requests of the batches that were written, to the gateways of their accounts."""
        requests = self.engine.take_requests()
        if len(requests) == 1:  # as nearly always; nothing is looked at twice on this way
            request = requests[0]
            outbox = self.outboxes[request.account]
            send, is_first = outbox.send, not (outbox.waiting or request.refusal)
            if send is not None and is_first and self._writer.lets_go(request.sequence):
                send(request)
                return
        for request in requests:
            if request.refusal:
                self.engine.not_sent(request.number, request.refusal, self.now_ns())
                self._is_due = True
            elif request.kind == "place" and not self._writer.takes_orders:
                why = "the journal has no room for new orders"
                self.engine.not_sent(request.number, why, self.now_ns())
                self._is_due = True
            else:
                self.outboxes[request.account].waiting.append(request)
        for outbox in self.outboxes:
            if outbox.waiting:
                outbox.pump()

    def _arm(self) -> None:
        """Sets the loop's timer to the engine's next instant."""
        due_ns = self.engine.next_ns
        if self._timer is not None:
            if due_ns is not None and self._armed_ns is not None and due_ns >= self._armed_ns:
                return  # it comes early enough, and is set anew then
            self._timer.cancel()
        self._armed_ns, self._timer = due_ns, None
        if due_ns is not None and not self.fatal:
            wait_s = max(0, due_ns - self._clock.wall_ns()) / _NS
            self._timer = self._loop.call_later(wait_s, self._ring)

    def _ring(self) -> None:
        self._timer, self._armed_ns = None, None
        try:
            self.engine.advance(self._clock.wall_ns())
        except RuntimeError as failure:
            self.die(str(failure))
            return
        self.settle()
        if self._timer is None and not self._is_closed:
            self._arm()  # what is due next may be what was due next before
