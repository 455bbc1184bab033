"""What time makes due, earliest first; of equal times the one set first."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count


class Timers:
    """Pending work by time. What is no longer wanted must say so itself when it is called."""

    def __init__(self) -> None:
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, due_ns: int, act: Callable[[], None]) -> None:
        """Calls `act` when the clock has reached a time."""
        heappush(self._queue, (due_ns, next(self._numbers), act))

    def is_due(self, now_ns: int) -> bool:
        """Whether something is due."""
        return bool(self._queue) and self._queue[0][0] <= now_ns

    def pop(self) -> Callable[[], None]:
        """Takes the next thing out."""
        return heappop(self._queue)[2]

    def next_due(self) -> int | None:
        """When the next thing will be due; None if nothing waits."""
        return self._queue[0][0] if self._queue else None
