"""Replacing a connection without losing an event or delivering one twice (F-A01, B03).

```text
 old  ──●──●──●──●──●──●──x            keys per lane (stream, symbol), always rising
 new        ○──○──●──●──●──●──●──►     an event is delivered if its key is above the lane's last
              └ joined: an event that the other connection also had
```

The venue replays nothing: what the successor delivers was published after it subscribed, so after
tracking of the old one began. Hence an event above the last tracked key was never delivered, and
one at or below it always was.

What a newcomer gets wrong: the old connection may be the slower one. Then the successor delivers
first, and it is the old one's frames that are duplicates.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

__all__ = ["Admission", "Overlap", "event_place", "planned_age_s"]

Lane = tuple[str, str]
Key = tuple[int, ...]

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
    except ValueError:
        return None
    if not isinstance(frame, dict) or not isinstance(frame.get("stream"), str):
        return None
    stream, event = frame["stream"], frame.get("data")
    if isinstance(event, list):
        stamps = [row.get("E", 0) for row in event if isinstance(row, dict)]
        return (stream, ""), (max(stamps, default=0),)
    if not isinstance(event, dict):
        return None
    inner = event.get("k") or event.get("o")
    symbol = event.get("s") or (inner.get("s") if isinstance(inner, dict) else None)
    try:
        return (stream, str(symbol or "")), _key(event)
    except (KeyError, TypeError, ValueError):
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


@dataclass(frozen=True, slots=True)
class Admission:
    """What to do with a frame that came during an overlap."""

    is_event: bool
    is_new: bool


class Overlap:
    """Two connections with the same streams: which of their frames are new.

    Attributes:
        duplicates: Frames that the other connection had delivered before.
    """

    def __init__(self) -> None:
        self._last: dict[Lane, Key] = {}
        self._by: tuple[dict[Lane, Key], dict[Lane, Key]] = ({}, {})
        self._first: tuple[dict[Lane, Key], dict[Lane, Key]] = ({}, {})
        self._joined: dict[str, None] = {}
        self._heard: dict[str, None] = {}
        self._is_ready = False
        self.duplicates = 0

    def ready(self) -> None:
        """The successor's subscriptions are complete: from now on both should hear the same."""
        if not self._is_ready:
            self._is_ready = True
            self._heard.clear()

    def admit(self, payload: bytes, *, is_successor: bool) -> Admission:
        """Judges one frame.

        Args:
            payload: The frame, combined form.
            is_successor: Which of the two it came from.
        """
        place = event_place(payload)
        if place is None:
            return Admission(is_event=False, is_new=True)
        lane, key = place
        here, there = int(is_successor), int(not is_successor)
        self._by[here][lane] = key
        self._first[here].setdefault(lane, key)
        if not is_successor and self._is_ready:
            self._heard[lane[0]] = None
        first = self._first[there].get(lane)
        if first is not None and first <= key <= self._by[there][lane]:
            self._joined[lane[0]] = None
        last = self._last.get(lane)
        if last is not None and key <= last:
            self.duplicates += 1
            return Admission(is_event=True, is_new=False)
        self._last[lane] = key
        return Admission(is_event=True, is_new=True)

    @property
    def is_ready(self) -> bool:
        """True from `ready` on."""
        return self._is_ready

    @property
    def is_joined(self) -> bool:
        """True if the successor had an event in common on each stream that was heard."""
        return (
            self._is_ready
            and bool(self._heard)
            and all(name in self._joined for name in self._heard)
        )

    @property
    def is_quiet(self) -> bool:
        """True if nothing was heard on the old connection since both should hear the same."""
        return self._is_ready and not self._heard

    def is_caught_up(self, *, is_successor: bool) -> bool:
        """True if one connection has delivered the last event of each lane that the other had.

        Args:
            is_successor: The one that goes on alone.
        """
        mine, others = self._by[int(is_successor)], self._by[int(not is_successor)]
        return all(lane in mine and mine[lane] >= last for lane, last in others.items())
