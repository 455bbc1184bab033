"""An event loop whose time is a number: it jumps to the next timer instead of waiting.

```text
callbacks ready? ── yes ─► run them, time stands
      │ no
timers? ── yes ─► now = the earliest timer's instant, to the nanosecond
      │ no
Deadlock: names every task and the line at which it waits
```

Time is an integer of nanoseconds from 0; the floats that asyncio passes about are made from it and
rounded back to it, so that no error adds up. Timers of one instant fire in the order in which they
were set. Tasks and futures hash by their number, since asyncio keeps them in sets and would else
cancel them in the order of their addresses.

`busy` makes time pass between its rounds, as on a machine with other things to do: timers then ring
late, and what arrived meanwhile is read before them, as a real loop does it.

Sockets, threads, processes and signals are refused with a sentence: they know another time.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
import threading
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from veloz.errors import VelozError

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Callable, Coroutine, Generator, Mapping

__all__ = ["AroundTheDoors", "Deadlock", "StandsStill", "VirtualLoop", "run"]

T = TypeVar("T")

_NS = 1_000_000_000
_LAST_NS = 1 << 53
"""About 104 days; beyond, a float of seconds no longer tells two nanoseconds apart."""

_FEW_TIMERS = 100

_ROUNDS_AT_ONE_INSTANT = 200_000
"""Rounds of the loop without time passing, after which something is going round in circles."""


class Deadlock(VelozError):
    """Nothing can happen any more, and somebody still waits."""


class StandsStill(VelozError):
    """Callbacks call callbacks for ever at one instant, or the run is longer than time is exact."""


class AroundTheDoors(VelozError):
    """Something under simulation reached for the real world."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end under virtual time, on a loop of its own.

    Raises:
        Deadlock: Nothing is left to happen before `main` has ended.
        ExceptionGroup: `main` ended well, but exceptions were raised where nobody waits for them.
    """
    loop = VirtualLoop()
    try:
        return loop.run(main)
    finally:
        loop.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. `now_ns` is the time, from 0; nothing but the loop moves it.

    Attributes:
        now_ns: Nanoseconds since the loop was made.
        busy: How long the next round of callbacks keeps the loop, ns; 0 unless a test says more.
        unhandled: Exceptions of callbacks and of tasks that nobody awaits, in order.
    """

    _scheduled: list[tuple[int, int, _Timer]]
    _ready: deque[asyncio.Handle]
    _closed: bool
    _timer_cancelled_count: int
    _stopping: bool

    def __init__(self) -> None:
        self.now_ns = 0
        self.busy: Callable[[], int] = lambda: 0
        self.unhandled: list[BaseException] = []
        self._made = 0
        self._rounds = 0
        self._home = threading.get_ident()
        super().__init__(_NoSelector())
        self.set_task_factory(_task_factory)
        self.set_exception_handler(_remember)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs `main` to its end, then cancels what it left behind.

        Raises:
            Deadlock: Nothing is left to happen before `main` has ended.
            ExceptionGroup: `main` ended well, but exceptions were raised where nobody waits.
        """
        asyncio.set_event_loop(None)
        task = self.create_task(main, name="main")
        try:
            result = self.run_until_complete(task)
        finally:
            self._cancel_all()
        raised = [error for error in self.unhandled if isinstance(error, Exception)]
        if raised:
            raise ExceptionGroup("raised where nobody waits", raised)
        return result

    def time(self) -> float:
        """Seconds since the loop was made, for asyncio; `now_ns` is exact."""
        return self.now_ns / _NS

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Sets a timer; those of one instant fire in the order in which they were set."""
        return self._set(round(when * _NS), callback, args, context, is_arrival=False)

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Sets a timer that many seconds from now, to the nanosecond."""
        when_ns = self.now_ns + round(delay * _NS)
        return self._set(when_ns, callback, args, context, is_arrival=False)

    def call_at_ns(
        self,
        when_ns: int,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Lets something arrive at an exact instant, as from a socket or a thread; at once if past.

        A loop that is late reads what arrived before it rings its timers.
        """
        return self._set(when_ns, callback, args, context, is_arrival=True)

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Calls back in the next round."""
        if self._closed:
            raise RuntimeError("the virtual loop is closed")
        handle = _Soon(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def get_debug(self) -> bool:
        """False: what asyncio's debug mode looks for, threads and slow callbacks, is not here."""
        return False

    def call_soon_threadsafe(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """As `call_soon`; another thread is refused, for it comes when it likes."""
        if threading.get_ident() != self._home:
            raise AroundTheDoors(
                "another thread called into the virtual loop", hint="use Doors.threads instead"
            )
        return self.call_soon(callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """A future whose place in a set is the same in every run."""
        future = _Future(loop=self)
        self._made += 1
        future.number = self._made
        return future

    def _next(self) -> int:
        self._made += 1
        return self._made

    def _set(
        self,
        when_ns: int,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
        *,
        is_arrival: bool,
    ) -> _Timer:
        if when_ns < self.now_ns:
            when_ns = self.now_ns
        timer = _Timer(when_ns, callback, args, self, context)
        timer.is_arrival = is_arrival
        self._made += 1
        heapq.heappush(self._scheduled, (when_ns, self._made, timer))
        return timer

    def _run_once(self) -> None:
        """One round: moves the time if nothing is ready, then calls what is.

        In place of asyncio's own, which asks a selector that has nothing to watch, and orders
        timers by floats.
        """
        ready, scheduled = self._ready, self._scheduled
        self._forget_cancelled()
        late_ns = self.busy()
        if ready or self._stopping or (scheduled and scheduled[0][0] <= self.now_ns):
            self._stand()
        else:
            self._jump()
        self.now_ns += late_ns
        due: list[_Timer] = []
        while scheduled and scheduled[0][0] <= self.now_ns:
            timer = heapq.heappop(scheduled)[2]
            timer._scheduled = False
            due.append(timer)
        if late_ns:  # what arrived meanwhile is read before the timers that are due too
            due.sort(key=lambda timer: not timer.is_arrival)
        ready.extend(due)
        for _ in range(len(ready)):  # what these add is for the next round
            handle = ready.popleft()
            if not handle._cancelled:  # pyright: ignore[reportAttributeAccessIssue]
                handle._run()

    def _forget_cancelled(self) -> None:
        """Drops cancelled timers that are first in line, and all if they are the most."""
        scheduled = self._scheduled
        many = len(scheduled) > _FEW_TIMERS and self._timer_cancelled_count * 2 > len(scheduled)
        if many:
            scheduled[:] = [row for row in scheduled if not row[2].is_forgotten()]
            heapq.heapify(scheduled)
            self._timer_cancelled_count = 0
        while scheduled and scheduled[0][2].is_forgotten():
            heapq.heappop(scheduled)
            self._timer_cancelled_count -= 1

    def _stand(self) -> None:
        """Another round at this instant."""
        self._rounds += 1
        if self._rounds > _ROUNDS_AT_ONE_INSTANT:
            raise StandsStill(
                f"time stands at {self.time():.9f} s after {self._rounds} rounds of callbacks; "
                f"these tasks are there: {_who_waits(self)}",
                hint="one of them loops without waiting",
            )

    def _jump(self) -> None:
        """To the instant of the earliest timer."""
        self._rounds = 0
        if not self._scheduled:
            raise Deadlock(
                f"nothing is left to happen at {self.time():.9f} s, and these wait: "
                + _who_waits(self)
            )
        self.now_ns = self._scheduled[0][0]
        if self.now_ns >= _LAST_NS:
            raise StandsStill(
                f"the virtual time has passed {_LAST_NS / _NS / 86400:.0f} days",
                hint="start another run: beyond, timers are no longer exact",
            )

    def _cancel_all(self) -> None:
        """Cancels in the order in which they were made, and lets them end."""
        for _ in range(100):  # a task may start another one while it ends
            left = sorted(asyncio.all_tasks(self), key=hash)
            if not left:
                break
            for task in left:
                task.cancel()
            self.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.run_until_complete(self.shutdown_asyncgens())

    # What BaseSelectorEventLoop wants of the operating system, and does not get.

    def __del__(self) -> None:
        """Holds nothing of the operating system, so that leaving it unclosed is no leak."""

    def _make_self_pipe(self) -> None:
        self._ssock = self._csock = None

    def _close_self_pipe(self) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def _refused(name: str) -> Callable[..., NoReturn]:
    def refuse(self: object, *args: object, **kwargs: object) -> NoReturn:
        raise AroundTheDoors(
            f"{name} was called under simulation: it reaches past the virtual world",
            hint="ask one of the doors (veloz.net.doors) instead",
        )

    refuse.__name__ = name
    return refuse


for _name in (
    "add_reader",
    "add_signal_handler",
    "add_writer",
    "connect_accepted_socket",
    "connect_read_pipe",
    "connect_write_pipe",
    "create_connection",
    "create_datagram_endpoint",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "getaddrinfo",
    "getnameinfo",
    "run_in_executor",
    "sendfile",
    "sock_accept",
    "sock_connect",
    "sock_recv",
    "sock_recv_into",
    "sock_sendall",
    "start_tls",
    "subprocess_exec",
    "subprocess_shell",
):
    setattr(VirtualLoop, _name, _refused(_name))


class _NoSelector(selectors.BaseSelector):
    """Watches nothing: the loop moves its time by itself and never waits."""

    def select(self, timeout: float | None = None) -> NoReturn:
        raise AroundTheDoors("the virtual loop was made to wait for file descriptors")

    def register(self, fileobj: Any, events: int, data: Any = None) -> NoReturn:
        raise AroundTheDoors("a file descriptor was registered under simulation")

    def unregister(self, fileobj: Any) -> NoReturn:
        raise KeyError(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}


class _Soon(asyncio.Handle):
    """What is called in the next round; made without a look at the debug mode."""

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: VirtualLoop,
        context: contextvars.Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    """A timer; the loop's queue keeps its exact instant and when it was set."""

    __slots__ = ("is_arrival",)

    def __init__(
        self,
        when_ns: int,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: VirtualLoop,
        context: contextvars.Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        self._when = when_ns / _NS
        self._scheduled = True
        self.is_arrival = False

    def is_forgotten(self) -> bool:
        """True, and no longer scheduled, if it was cancelled."""
        if not self._cancelled:
            return False
        self._scheduled = False
        return True


class _Future(asyncio.Future[Any]):
    """A future that hashes by its number, not by its address."""

    number: int

    def __hash__(self) -> int:
        return self.number


class _Task(asyncio.Task[Any]):
    """A task that hashes by its number: asyncio keeps tasks in sets and walks them."""

    number: int

    def __new__(cls, *args: Any, **kwargs: Any) -> _Task:
        made = super().__new__(cls)
        made.number = kwargs["loop"]._next()  # before __init__, which puts the task into a set
        return made

    def __hash__(self) -> int:
        return self.number


def _task_factory(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    **rest: Any,
) -> _Task:
    assert isinstance(loop, VirtualLoop)  # noqa: S101 - the factory of this loop only
    task = _Task(coro, loop=loop, **rest)
    if not rest.get("name"):
        task.set_name(f"task-{task.number}")  # asyncio counts over all loops of the process
    return task


def _remember(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    assert isinstance(loop, VirtualLoop)  # noqa: S101
    error = context.get("exception") or RuntimeError(str(context.get("message")))
    loop.unhandled.append(error)


def _who_waits(loop: VirtualLoop) -> str:
    """Every unfinished task and the line at which it stands."""
    lines: list[str] = []
    for task in sorted(asyncio.all_tasks(loop), key=hash):
        stack = task.get_stack(limit=1)
        place = f"{_short(stack[-1].f_code.co_filename)}:{stack[-1].f_lineno}" if stack else "?"
        lines.append(f"{task.get_name()} at {_innermost(task) or place}")
    return "; ".join(lines) or "no task"


def _innermost(task: asyncio.Task[Any]) -> str:
    """The deepest line of ours in the chain of awaits: the task's own line says little."""
    place = ""
    inner: Any = task.get_coro()
    while inner is not None:
        frame = getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None)
        if frame is None:
            break
        where = f"{_short(frame.f_code.co_filename)}:{frame.f_lineno}"
        if not where.startswith("asyncio/"):
            place = where
        inner = getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)
    return place


def _short(filename: str) -> str:
    return "/".join(filename.replace("\\", "/").split("/")[-2:])
