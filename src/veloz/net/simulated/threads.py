"""The hand-off to another thread under simulation: the call happens later, on the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from veloz.net.simulated.disk import PowerLost

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from random import Random

    from veloz.net.simulated.loop import VirtualLoop

__all__ = ["SimulatedThreads"]

P = ParamSpec("P")
T = TypeVar("T")


class SimulatedThreads:
    """One thread that takes its time.

    A call waits for those before it, then for a delay; it is carried out at one instant, and its
    result comes after another delay. So a crash can fall before it and after it.

    Args:
        loop: Whose time passes.
        random: Decides the delays.
        delay_ns: Least and most that either delay takes.

    Attributes:
        is_up: False after the host is gone: nothing is carried out any more.
        stall_ns: On top of every delay: a slow disk.
    """

    def __init__(
        self, loop: VirtualLoop, random: Random, delay_ns: tuple[int, int] = (20_000, 500_000)
    ) -> None:
        self.is_up = True
        self.stall_ns = 0
        self._loop = loop
        self._random = random
        self._delay_ns = delay_ns
        self._free_ns = 0

    def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Carries out `fn(*args, **kwargs)` later; see `Threads.run`."""
        done: asyncio.Future[T] = self._loop.create_future()
        begins_ns = max(self._loop.now_ns, self._free_ns)
        happens_ns = begins_ns + self._random.randint(*self._delay_ns) + self.stall_ns
        self._free_ns = happens_ns + self._random.randint(*self._delay_ns)
        self._loop.call_at_ns(
            happens_ns, self._carry_out, done, self._free_ns, lambda: fn(*args, **kwargs)
        )
        return done

    def _carry_out(
        self, done: asyncio.Future[Any], tells_ns: int, call: Callable[[], object]
    ) -> None:
        if not self.is_up:
            return
        try:
            result = call()
        except (Exception, PowerLost) as error:
            self._loop.call_at_ns(tells_ns, self._tell, done, None, error)
        else:
            self._loop.call_at_ns(tells_ns, self._tell, done, result, None)

    def _tell(self, done: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
        if not self.is_up or done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)
