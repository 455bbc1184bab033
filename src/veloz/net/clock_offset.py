"""How far our wall clock is from a venue's, and how far from the truth that may be.

```text
we ask at t0 ──────► venue stamps T ──────► we hear at t1
offset = T - (t0 + t1) / 2        wrong by at most (t1 - t0) / 2
```

The venue was asked at some time between t0 and t1, so half the round trip bounds the error,
whatever the two ways took. Of the recent answers the one with the smallest bound is used, and its
bound grows with its age, since clocks drift. An answer that contradicts it by more than both bounds
is a jump of somebody's clock: it is distrusted until two more in a row agree with it (F-L03). A
step of our own wall clock is seen at once, since it parts from the monotonic one (F-L02).

Source: Cristian (1989), "Probabilistic clock synchronization", Distributed Computing 3; fault
catalogue F-L01 to F-L03.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from veloz._core import SureClock

if TYPE_CHECKING:
    from veloz.net.doors import Clock

__all__ = ["ClockOffset", "Reading"]

_DRIFT_PPM = 100
"""Two quartz clocks part by less; the bound grows by this with age."""

_STEP_NS = 5_000_000
"""By so much the wall clock may part from the monotonic one between two looks: slewing by NTP."""

_CONFIRMS = 3
"""Readings in a row that must agree before a jump is believed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer.

    Attributes:
        offset_ns: Venue's clock minus ours.
        error_ns: It is off by at most this.
        at_ns: Our monotonic clock when the answer was heard.
    """

    offset_ns: int
    error_ns: int
    at_ns: int


class ClockOffset:
    """Estimates one venue's clock.

    Args:
        clock: Ours.
        keep: Answers of which the best counts.
        most_age_s: Older answers do not count.

    Attributes:
        distrusted: Answers that did not fit, so far.
        jumps: Times that a jump was believed, or our own clock was stepped.
        sure: What is known without another look, for who stamps without a call of ours.
    """

    def __init__(self, clock: Clock, *, keep: int = 8, most_age_s: float = 600.0) -> None:
        self.distrusted = 0
        self.jumps = 0
        self._clock = clock
        self._most_age_ns = round(most_age_s * 1e9)
        self._good: deque[Reading] = deque(maxlen=keep)
        self._best: Reading | None = None
        self._doubtful: list[Reading] = []
        self._monotonic_ns, self._wall_ns = clock.monotonic_ns, clock.wall_ns
        # While nothing new is heard, the answer to one question stays the same for a time.
        self.sure = SureClock(_STEP_NS, clock.wall_ns() - clock.monotonic_ns())

    def heard(self, asked_monotonic_ns: int, venue_ns: int, *, resolution_ns: int = 0) -> bool:
        """Takes an answer that has just been heard.

        Args:
            asked_monotonic_ns: Our monotonic clock just before the question was sent.
            venue_ns: The venue's time in its answer, ns since the epoch.
            resolution_ns: Width of the venue's unit: 1,000,000 if it says milliseconds.

        Returns:
            True if it counts; False if it is distrusted until others agree.
        """
        self.sure.doubt()
        self._look_at_own_clock()
        now_ns = self._clock.monotonic_ns()
        round_trip_ns = now_ns - asked_monotonic_ns
        middle_ns = self._clock.wall_ns() - round_trip_ns // 2
        reading = Reading(
            venue_ns + resolution_ns // 2 - middle_ns,
            (round_trip_ns + 1) // 2 + resolution_ns // 2,
            now_ns,
        )
        best = self.best()
        if best is None or _agree(reading, best):
            self._doubtful.clear()
            self._good.append(reading)
            self._best = None
            return True
        self.distrusted += 1
        if self._doubtful and not _agree(reading, self._doubtful[-1]):
            self._doubtful.clear()
        self._doubtful.append(reading)
        if len(self._doubtful) < _CONFIRMS:
            return False
        self.jumps += 1
        self._good.clear()
        self._good.extend(self._doubtful)
        self._best = None
        self._doubtful.clear()
        return True

    def best(self) -> Reading | None:
        """The reading with the smallest bound as of now; None if there is none that counts."""
        now_ns = self._look_at_own_clock()
        best = self._find_best(now_ns)
        if best is None:
            return None
        return Reading(best.offset_ns, _error_ns(best, now_ns), best.at_ns)

    def _find_best(self, now_ns: int) -> Reading | None:
        """The best as it was heard. All bounds grow alike, so it stays the best while it counts."""
        best = self._best
        if best is not None and now_ns - best.at_ns <= self._most_age_ns:
            return best
        fresh = [one for one in self._good if now_ns - one.at_ns <= self._most_age_ns]
        best = min(fresh, key=lambda one: (_error_ns(one, now_ns), -one.at_ns), default=None)
        self._best = best
        return best

    def venue_ns(self) -> int | None:
        """The venue's time now, as near as it is known; None if it is not."""
        best = self._find_best(self._look_at_own_clock())
        return None if best is None else self._clock.wall_ns() + best.offset_ns

    def may_sign(self, window_ns: int) -> bool:
        """Whether a request stamped with `venue_ns` is surely within the venue's receive window.

        False while nothing is known, while an answer is doubted, and while the bound on the error
        exceeds the window (F-L01). A wider window is no cure.
        """
        now_ns = self._look_at_own_clock()
        best = self._find_best(now_ns)
        return best is not None and not self._doubtful and _error_ns(best, now_ns) <= window_ns

    def stamp_ns(self, window_ns: int) -> int | None:
        """`venue_ns` where `may_sign` allows it, else None: what is asked for every order."""
        stamp_ns = self.sure.stamp_ns(self._monotonic_ns(), self._wall_ns(), window_ns)
        return self._stamp_anew(window_ns) if stamp_ns is None else stamp_ns

    def _stamp_anew(self, window_ns: int) -> int | None:
        best = self._find_best(self._look_at_own_clock()) if self.may_sign(window_ns) else None
        if best is None:
            self.sure.doubt()
            return None
        # So long its bound stays within the window, and it is not too old to count.
        grows_ns = (window_ns - best.error_ns) * 1_000_000 // _DRIFT_PPM
        until_ns = best.at_ns + min(grows_ns, self._most_age_ns)
        self.sure.know(until_ns, window_ns, best.offset_ns)
        return self._clock.wall_ns() + best.offset_ns

    def _look_at_own_clock(self) -> int:
        """Forgets what was measured against a wall clock that has been stepped since.

        Returns:
            The monotonic clock.
        """
        now_ns = self._clock.monotonic_ns()
        gap_ns = self._clock.wall_ns() - now_ns
        if abs(gap_ns - self.sure.gap_ns) > _STEP_NS:
            self.jumps += 1
            self._good.clear()
            self._best = None
            self._doubtful.clear()
            self.sure.doubt()
        self.sure.looked(gap_ns)
        return now_ns


def _error_ns(reading: Reading, now_ns: int) -> int:
    """The bound as of now."""
    return reading.error_ns + (now_ns - reading.at_ns) * _DRIFT_PPM // 1_000_000


def _agree(one: Reading, other: Reading) -> bool:
    """Whether both can be true at once."""
    return abs(one.offset_ns - other.offset_ns) <= one.error_ns + other.error_ns
