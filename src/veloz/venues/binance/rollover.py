"""Replacing a connection without losing an event or delivering one twice (F-A01, B03).

```text
 old  ──1──2──3──4──5──x              keys per lane (stream, symbol), always rising
 new           (4)─(5)─5──6──7──►     held until the old one has delivered the first of them:
                │                     then the lane is joined, and whoever is first delivers
                └ an event that both had
```

The venue replays nothing: what the successor delivers was published after it subscribed, so after
tracking of the old one began.

What a newcomer gets wrong: the old connection may be the slower one. If the successor delivered its
first event at once, those before it, still under way on the old one, would look like duplicates.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

__all__ = ["Frame", "Overlap", "event_place", "planned_age_s"]

Lane = tuple[str, str]
Key = tuple[int, ...]
Frame = tuple[bytes, int]
"""A payload and when it came, wall clock in ns."""

_PLANNED_AGE_S = 23 * 3600.0
_PLANNED_JITTER_S = 1800.0

# Which field's number rises from event to event, by event type; the others have their time.
_KEYS = {"depthUpdate": "u", "trade": "t", "aggTrade": "a", "bookTicker": "u", "blockTrade": "t"}


def planned_age_s(random: Random) -> float:
    """When to replace a connection that the venue cuts at 24 h: 23 h to 23 h 30 min."""
    return _PLANNED_AGE_S + random.uniform(0.0, _PLANNED_JITTER_S)


def event_place(payload: bytes) -> tuple[Lane, Key] | None:
    """The lane and key of a combined frame; None for anything that is no market event."""
    try:
        frame = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(frame, dict) or not isinstance(frame.get("stream"), str):
        return None
    stream, event = frame["stream"], frame.get("data")
    if isinstance(event, list):
        stamps = [row.get("E") for row in event if isinstance(row, dict)]
        return (stream, ""), (max((at for at in stamps if isinstance(at, int)), default=0),)
    if not isinstance(event, dict):
        return None
    inner = event.get("k") or event.get("o")
    symbol = event.get("s") or (inner.get("s") if isinstance(inner, dict) else None)
    try:
        return (stream, str(symbol or "")), _key(event)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _key(event: dict[str, object]) -> Key:
    kind = event.get("e")
    if kind in {"kline", "continuous_kline"}:
        bar = event["k"]
        if not isinstance(bar, dict):
            raise TypeError
        # not the event's own time: two servers send the same closed bar with two
        return (int(bar["t"]), int(bool(bar["x"])), int(bar["L"]))
    for field in (_KEYS.get(str(kind)), "E", "u", "lastUpdateId"):
        number = event.get(field) if field is not None else None
        if isinstance(number, int):
            return (number,)
    raise KeyError


class Overlap:
    """Two connections with the same streams: which of their frames are new, and in which order.

    Attributes:
        duplicates: Frames that the other connection had delivered before.
    """

    def __init__(self) -> None:
        self.duplicates = 0
        self._last: dict[Lane, Key] = {}
        self._old: dict[Lane, Key] = {}
        self._new: dict[Lane, Key] = {}
        self._first_new: dict[Lane, Key] = {}
        self._joined: dict[Lane, None] = {}
        self._heard: dict[Lane, None] = {}
        self._held: dict[Lane, list[tuple[Key, Frame]]] = {}
        self._held_since: dict[Lane, int] = {}
        self._is_ready = False
        self._is_alone = False

    def ready(self) -> None:
        """The successor's subscriptions are complete: from now on both should hear the same."""
        if not self._is_ready:
            self._is_ready = True
            self._heard.clear()

    def admit(self, frame: Frame, now_ns: int, *, is_successor: bool) -> list[Frame]:
        """Judges one frame.

        Args:
            frame: A combined frame, and when it came.
            now_ns: Monotonic time.
            is_successor: Which of the two it came from.

        Returns:
            What to deliver now, in order: nothing, the frame, or frames that waited for it.
        """
        place = event_place(frame[0])
        if place is None:
            return [frame]
        lane, key = place
        if is_successor:
            return self._admit_new(lane, key, frame, now_ns)
        self._old[lane] = key
        if self._is_ready:
            self._heard[lane] = None
        first = self._first_new.get(lane)
        passed = self._pass(lane, key, frame)
        if first is not None and lane not in self._joined and key >= first:
            passed += self._join(lane)
        return passed

    def release(self, *, older_than_ns: int | None = None) -> list[Frame]:
        """Lets held frames go whose twin does not come.

        Args:
            older_than_ns: Only lanes whose first held frame came before this monotonic time; None
                for all, since the old connection has ended and no twin can come any more.
        """
        if older_than_ns is None:
            self._is_alone = True
        freed: list[Frame] = []
        for lane in list(self._held):
            if older_than_ns is None or self._held_since[lane] < older_than_ns:
                freed += self._join(lane)
        return freed

    @property
    def is_ready(self) -> bool:
        """True from `ready` on."""
        return self._is_ready

    @property
    def is_joined(self) -> bool:
        """True if the successor had an event in common on each lane that was heard."""
        heard = self._heard
        return bool(heard) and not self._held and all(lane in self._joined for lane in heard)

    @property
    def is_quiet(self) -> bool:
        """True if nothing was heard on the old connection since both should hear the same."""
        return self._is_ready and not self._heard

    def is_caught_up(self, *, is_successor: bool) -> bool:
        """True if one connection has delivered the last event of each lane that the other had.

        Args:
            is_successor: The one that goes on alone.
        """
        mine, others = (self._new, self._old) if is_successor else (self._old, self._new)
        return all(lane in mine and mine[lane] >= last for lane, last in others.items())

    def _admit_new(self, lane: Lane, key: Key, frame: Frame, now_ns: int) -> list[Frame]:
        self._new[lane] = key
        self._first_new.setdefault(lane, key)
        if lane not in self._joined and not self._is_alone:
            if lane not in self._old or key > self._old[lane]:
                # the old one may still bring events from before this one
                self._held.setdefault(lane, []).append((key, frame))
                self._held_since.setdefault(lane, now_ns)
                return []
            self._joined[lane] = None
        return self._pass(lane, key, frame)

    def _join(self, lane: Lane) -> list[Frame]:
        self._joined[lane] = None
        freed: list[Frame] = []
        for key, frame in self._held.pop(lane, []):
            freed += self._pass(lane, key, frame)
        return freed

    def _pass(self, lane: Lane, key: Key, frame: Frame) -> list[Frame]:
        last = self._last.get(lane)
        if last is not None and key <= last:
            self.duplicates += 1
            return []
        self._last[lane] = key
        return [frame]
