"""When silence on a stream means that something is wrong (F-A03, F-B05).

A connection that answers pings proves nothing about its streams. Each stream has a time within
which an event is expected: stated where the venue sends by the clock, learned from the stream's own
gaps where it sends on change.

```text
 markPrice@1s   every second, whatever happens       5 periods + 2 s
 trade, depth   when something happens               6 × the longest usual gap, at least 10 s
 forceOrder     perhaps never                        no expectation
```
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Arrivals", "period_s"]

_FLOOR_S = 10.0
_CEILING_S = 900.0
_FIRST_S = 60.0
_TIMES_LONGEST = 6.0
_DECAY = 0.98

# The venue sends these by the clock.
_PERIODS = {"markPrice": 3.0, "miniTicker": 2.0, "ticker": 2.0, "indexPrice": 3.0, "avgPrice": 1.0}
_NEVER = ("forceOrder", "contractInfo", "blockTrade", "compositeIndex", "assetIndex")


def period_s(stream: str) -> float | None:
    """Seconds between two events of a stream that is sent by the clock; None for others."""
    word, _, speed = (stream[1:] if stream[0] == "!" else stream.partition("@")[2]).partition("@")
    if word not in _PERIODS:
        return None
    return 1.0 if speed.endswith("1s") else _PERIODS[word]


def _expects_nothing(stream: str) -> bool:
    word = stream[1:] if stream[0] == "!" else stream.partition("@")[2]
    return word.partition("@")[0] in _NEVER


@dataclass(slots=True)
class _Gaps:
    """What is known of one stream's silences, in seconds and monotonic ns."""

    seen_ns: int
    longest_s: float
    is_stale: bool = False
    has_spoken: bool = False


class Arrivals:
    """Watches the last arrival of each stream.

    The frame callback writes `last[stream] = ts` and nothing else; all judging happens in `tick`.

    Attributes:
        last: Monotonic ns of the last event by stream.
    """

    def __init__(self) -> None:
        self.last: dict[str, int] = {}
        self._gaps: dict[str, _Gaps] = {}

    def expect(self, stream: str, now_ns: int) -> None:
        """Begins to expect a stream, from its confirmation on."""
        self._gaps[stream] = _Gaps(now_ns, 0.0)
        self.last[stream] = now_ns

    def forget(self, stream: str) -> None:
        """Expects a stream no more."""
        self._gaps.pop(stream, None)
        self.last.pop(stream, None)

    def silence_allowed_s(self, stream: str) -> float | None:
        """Seconds without an event after which the stream is stale; None for ever."""
        period = period_s(stream)
        if period is not None:
            return 5.0 * period + 2.0
        if _expects_nothing(stream):
            return None
        gaps = self._gaps[stream]
        if not gaps.has_spoken:
            return _FIRST_S
        return min(_CEILING_S, max(_FLOOR_S, _TIMES_LONGEST * gaps.longest_s))

    def tick(self, now_ns: int) -> tuple[list[str], list[str]]:
        """Judges all streams.

        Args:
            now_ns: Monotonic time.

        Returns:
            Streams that have become stale, and streams that have come back.
        """
        stale: list[str] = []
        back: list[str] = []
        for stream, gaps in self._gaps.items():
            last = self.last[stream]
            if last != gaps.seen_ns:
                gap_s = (last - gaps.seen_ns) / 1e9
                gaps.longest_s = max(gaps.longest_s * _DECAY, gap_s if gaps.has_spoken else 0.0)
                gaps.seen_ns, gaps.has_spoken = last, True
                if gaps.is_stale:
                    gaps.is_stale = False
                    back.append(stream)
            allowed = self.silence_allowed_s(stream)
            if allowed is None or gaps.is_stale or now_ns - last < allowed * 1e9:
                continue
            gaps.is_stale = True
            stale.append(stream)
        return stale, back

    @property
    def stale(self) -> list[str]:
        """Streams that are silent for too long now."""
        return [stream for stream, gaps in self._gaps.items() if gaps.is_stale]

    @property
    def is_silent(self) -> bool:
        """True if every stream that should speak is stale: the connection itself is dead."""
        speaking = [g for s, g in self._gaps.items() if not _expects_nothing(s)]
        return bool(speaking) and all(gaps.is_stale for gaps in speaking)
