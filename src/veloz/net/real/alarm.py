"""An alarm that rings to a tenth of a millisecond, where the loop's own timers count in whole ones.

It is for what sends at given instants, a recording played to a client: by the loop's timers all
that is due within a millisecond or two would leave at once, as no venue sends it. Nobody spins: the
kernel's timer makes a descriptor readable. Where there is no such timer, the loop's own is used.

Source: timerfd_create(2).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time

__all__ = ["Alarm"]

_NS = 1_000_000_000
_CLOCK_REALTIME = 0
_NON_BLOCKING, _CLOSE_ON_EXEC = 0o4000, 0o2000000
_ABSOLUTE = 1


class _Instant(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("ns", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("every", _Instant), ("first", _Instant))


class Alarm:
    """One alarm, for one task at a time; it is made and used on the running loop."""

    def __init__(self) -> None:
        self._fd = -1
        self._rung: asyncio.Future[None] | None = None
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.timerfd_create(_CLOCK_REALTIME, _NON_BLOCKING | _CLOSE_ON_EXEC)
        if self._fd >= 0:
            asyncio.get_running_loop().add_reader(self._fd, self._ring)

    async def until(self, wall_ns: int) -> None:
        """Waits until the wall clock says so; if it does already, the others have their turn.

        Args:
            wall_ns: UTC, nanoseconds since the Unix epoch.
        """
        left_ns = wall_ns - time.time_ns()
        if left_ns <= 0:
            await asyncio.sleep(0)
        elif self._fd < 0:
            await asyncio.sleep(left_ns / _NS)
        else:
            first = _Instant(wall_ns // _NS, wall_ns % _NS)
            setting = _Setting(_Instant(0, 0), first)
            self._rung = asyncio.get_running_loop().create_future()
            self._libc.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(setting), None)
            await self._rung

    def close(self) -> None:
        """Gives the descriptor back; a second call does nothing."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _ring(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return  # it was set anew in this moment
        if self._rung is not None and not self._rung.done():
            self._rung.set_result(None)
