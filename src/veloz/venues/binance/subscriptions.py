"""Which streams one connection should carry, and which the venue has confirmed.

```text
 desired ──► SUBSCRIBE in batches ──► in flight ──► confirmed
    ▲                                    │ error, or no answer in time
    └──────── again, in halves ◄─────────┘            LIST_SUBSCRIPTIONS: what is really there
```

An acknowledgement proves little: a topic above a cap is dropped in silence. So the venue's own list
is asked for now and then, and what is missing from it is asked for again (F-A06).

Source: Binance Spot API, "WebSocket Streams", live subscribing.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["ControlBudget", "Subscriptions"]

_BATCH = 100
_ANSWER_WITHIN_NS = 5_000_000_000
_REFUSED_AGAIN_NS = 60_000_000_000


class ControlBudget:
    """Spaces the messages that a client may send on one connection (F-A05).

    Args:
        per_s: The venue's limit; one message a second is left for pings and pongs.
    """

    def __init__(self, per_s: int) -> None:
        self._most = per_s - 1
        self._sent: deque[int] = deque()

    def take(self, now_ns: int) -> bool:
        """Takes the right to send one message now, if there is one."""
        while self._sent and now_ns - self._sent[0] >= 1_000_000_000:
            self._sent.popleft()
        if len(self._sent) >= self._most:
            return False
        self._sent.append(now_ns)
        return True


@dataclass(frozen=True, slots=True)
class _Asked:
    """A control message that waits for its answer."""

    method: str
    streams: tuple[str, ...]
    at_ns: int


class Subscriptions:
    """The two sets of one connection and the messages that make them equal.

    Sets are dictionaries, so that their order is that of insertion and messages are the same on
    every run.

    Attributes:
        refused: Streams that the venue refuses on their own, with its words.
        dropped_total: Streams that were confirmed and found missing from the venue's list.
    """

    def __init__(self, desired: Iterable[str] = (), *, confirmed: Iterable[str] = ()) -> None:
        self._desired = dict.fromkeys(desired)
        self._confirmed = dict.fromkeys(confirmed)
        self._flying: dict[int, _Asked] = {}
        self._batch = dict.fromkeys(self._desired, _BATCH)
        self._refused_at: dict[str, int] = {}
        self._next_id = 1
        self._list_wanted = False
        self.refused: dict[str, str] = {}
        self.dropped_total = 0

    @property
    def desired(self) -> tuple[str, ...]:
        """What should be there."""
        return tuple(self._desired)

    @property
    def confirmed(self) -> tuple[str, ...]:
        """What the venue has confirmed."""
        return tuple(self._confirmed)

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """What should be there and is not confirmed."""
        return tuple(name for name in self._desired if name not in self._confirmed)

    @property
    def is_complete(self) -> bool:
        """True if all is confirmed that was not refused, and nothing else is there."""
        wanted = [name for name in self._desired if name not in self.refused]
        return all(name in self._confirmed for name in wanted) and not self._surplus()

    def want(self, streams: Sequence[str]) -> None:
        """Adds to what should be there."""
        for name in streams:
            if name not in self._desired:
                self._desired[name] = None
                self._batch[name] = _BATCH

    def unwant(self, streams: Sequence[str]) -> None:
        """Takes from what should be there."""
        for name in streams:
            self._desired.pop(name, None)
            self._batch.pop(name, None)
            self.refused.pop(name, None)

    def again(self, streams: Sequence[str]) -> None:
        """Asks for streams anew, though they are confirmed: they have been silent."""
        for name in streams:
            self._confirmed.pop(name, None)

    def audit(self) -> None:
        """Asks the venue for its own list at the next occasion."""
        self._list_wanted = True

    def next_message(self, now_ns: int) -> bytes | None:
        """The next control message to send, or None if there is nothing to say.

        Args:
            now_ns: Monotonic time.
        """
        self._expire(now_ns)
        flying = {name for asked in self._flying.values() for name in asked.streams}
        missing = [
            name
            for name in self.unconfirmed
            if name not in flying and not self._is_resting(name, now_ns)
        ]
        if missing:
            most = min(self._batch[name] for name in missing[:_BATCH])
            return self._ask("SUBSCRIBE", tuple(missing[:most]), now_ns)
        surplus = [name for name in self._surplus() if name not in flying]
        if surplus:
            return self._ask("UNSUBSCRIBE", tuple(surplus[:_BATCH]), now_ns)
        if self._list_wanted and not self._flying:
            self._list_wanted = False
            return self._ask("LIST_SUBSCRIPTIONS", (), now_ns)
        return None

    def answered(self, payload: bytes, now_ns: int) -> None:
        """Takes the answer to a control message; anything else is passed over."""
        try:
            answer = json.loads(payload)
        except (ValueError, RecursionError):
            return
        if not isinstance(answer, dict):
            return
        number = answer.get("id")
        asked = self._flying.pop(number, None) if isinstance(number, int) else None
        if asked is None:
            return
        error = answer.get("error", answer if "code" in answer else None)
        if isinstance(error, dict):
            self._refuse(asked, f"{error.get('code')} {error.get('msg')}", now_ns)
        elif asked.method == "SUBSCRIBE":
            for name in asked.streams:
                self._confirmed[name] = None
                self.refused.pop(name, None)
        elif asked.method == "UNSUBSCRIBE":
            for name in asked.streams:
                self._confirmed.pop(name, None)
        else:
            self._compare(answer.get("result"))

    def _ask(self, method: str, streams: tuple[str, ...], now_ns: int) -> bytes:
        number = self._next_id
        self._next_id += 1
        self._flying[number] = _Asked(method, streams, now_ns)
        message: dict[str, object] = {"method": method, "id": number}
        if streams:
            message["params"] = list(streams)
        return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()

    def _expire(self, now_ns: int) -> None:
        """A message without an answer is as if it had never been sent."""
        for number, asked in list(self._flying.items()):
            if now_ns - asked.at_ns >= _ANSWER_WITHIN_NS:
                del self._flying[number]

    def _refuse(self, asked: _Asked, why: str, now_ns: int) -> None:
        """One bad topic refuses a whole message: halves find it, the others get through."""
        if asked.method != "SUBSCRIBE":
            return
        for name in asked.streams:
            self._batch[name] = max(1, len(asked.streams) // 2)
            self._refused_at[name] = now_ns if len(asked.streams) == 1 else 0
            if len(asked.streams) == 1:
                self.refused[name] = why

    def _is_resting(self, name: str, now_ns: int) -> bool:
        return name in self.refused and now_ns - self._refused_at[name] < _REFUSED_AGAIN_NS

    def _compare(self, listed: object) -> None:
        if not isinstance(listed, list):
            return
        there = {name for name in listed if isinstance(name, str)}
        lost = [name for name in self._confirmed if name not in there]
        self.dropped_total += len(lost)
        for name in lost:
            del self._confirmed[name]

    def _surplus(self) -> list[str]:
        return [name for name in self._confirmed if name not in self._desired]
