"""A host's clocks under simulation: the loop's time, and a wall clock that can be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from veloz.net.simulated.loop import VirtualLoop

__all__ = ["START_WALL_NS", "SimulatedClock"]

START_WALL_NS = 1_767_225_600_000_000_000
"""2026-01-01 00:00:00 UTC: when virtual worlds begin."""

_MILLION = 1_000_000


class SimulatedClock:
    """A wall clock with an offset, steps and drift, over a monotonic clock that is true.

    Args:
        loop: Whose time passes.
        start_wall_ns: The true UTC time at the loop's 0.
    """

    def __init__(self, loop: VirtualLoop, start_wall_ns: int = START_WALL_NS) -> None:
        self._loop = loop
        self._start_ns = start_wall_ns
        self._shown_ns = start_wall_ns
        self._since_ns = 0
        self._drift_ppm = 0

    def wall_ns(self) -> int:
        """What this host believes UTC to be."""
        passed_ns = self._loop.now_ns - self._since_ns
        return self._shown_ns + passed_ns + passed_ns * self._drift_ppm // _MILLION

    def monotonic_ns(self) -> int:
        """Nanoseconds since the loop's 0; no fault touches it."""
        return self._loop.now_ns

    def true_wall_ns(self) -> int:
        """UTC in this world; what the wall clock would show if it were right."""
        return self._start_ns + self._loop.now_ns

    def step(self, by_ns: int) -> None:
        """Moves the wall clock at once: forward, or back if negative (F-L02)."""
        self._shown_ns = self.wall_ns() + by_ns
        self._since_ns = self._loop.now_ns

    def drift(self, ppm: int) -> None:
        """Lets the wall clock run fast by so many millionths, slow if negative (F-L01)."""
        self.step(0)
        self._drift_ppm = ppm
