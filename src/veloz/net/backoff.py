"""How long to wait before trying again, and how often to try at all.

The wait is drawn evenly between nothing and a bound that doubles (full jitter), so that many
streams that dropped together do not come back together (F-A05). Attempts are counted over five
minutes besides, because a venue counts connections, not good intentions. All times are of the
monotonic clock (F-L02).

Source: Brooker (2015), "Exponential Backoff And Jitter", AWS Architecture Blog.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from veloz.net.doors import Clock

__all__ = ["Backoff"]

_NS = 1_000_000_000
_WINDOW_NS = 300 * _NS


class Backoff:
    """Spaces out attempts at one thing.

    Args:
        clock: Its monotonic clock counts.
        random: Draws the waits.
        first_s: Bound of the first wait, in seconds.
        most_s: The bound grows no further.
        most_per_5_min: Attempts that are allowed in any five minutes.

    Attributes:
        failures: Attempts since the last success.
    """

    def __init__(
        self,
        clock: Clock,
        random: Random,
        *,
        first_s: float = 0.5,
        most_s: float = 60.0,
        most_per_5_min: int = 60,
    ) -> None:
        self.failures = 0
        self._clock = clock
        self._random = random
        self._first_s = first_s
        self._most_s = most_s
        self._most = most_per_5_min
        self._attempts_ns: deque[int] = deque()

    def next_s(self) -> float:
        """Counts an attempt that is about to be made, and says how long to wait before it.

        The first one after a success waits for nothing but the cap.
        """
        now_ns = self._clock.monotonic_ns()
        bound_s = min(self._most_s, self._first_s * 2.0 ** min(self.failures - 1, 60))
        wait_s = 0.0 if self.failures == 0 else self._random.uniform(0.0, bound_s)
        at_ns = max(now_ns + round(wait_s * _NS), self._free_ns(now_ns))
        self._attempts_ns.append(at_ns)
        self.failures += 1
        return (at_ns - now_ns) / _NS

    async def wait(self) -> None:
        """Counts an attempt and waits until it may be made."""
        await asyncio.sleep(self.next_s())

    def succeeded(self) -> None:
        """The thing works again; attempts of the last five minutes stay counted."""
        self.failures = 0

    def _free_ns(self, now_ns: int) -> int:
        """The first instant at which the cap allows one more."""
        while self._attempts_ns and self._attempts_ns[0] <= now_ns - _WINDOW_NS:
            self._attempts_ns.popleft()
        if len(self._attempts_ns) < self._most:
            return now_ns
        return self._attempts_ns[-self._most] + _WINDOW_NS
