"""Every error VeloZ raises on purpose, grouped by what the caller can do about it.

```text
VelozError
├── UsageError         the call or command line is wrong: write it differently
├── ConfigError        fix the configuration and start again
├── DataError          a file or range cannot be used: repair, import or choose another
├── FeedError          market data is not trustworthy; the book is rebuilt
│   └── SequenceGap
├── StrategyError      the strategy file is wrong: fix it
├── CheckFailed        a check ran to its end and found a difference
└── OrderError
    ├── NotSent        the request never left: safe to retry
    ├── Refused        the venue or a risk rule said no: retrying changes nothing
    └── OutcomeUnknown the request may be live: reconcile, never retry
```

A message is one sentence that names what was wrong, where, and the value; the hint says what to do.
"""

from __future__ import annotations

__all__ = [
    "CheckFailed",
    "ConfigError",
    "DataError",
    "FeedError",
    "NotSent",
    "OrderError",
    "OutcomeUnknown",
    "Refused",
    "SequenceGap",
    "StrategyError",
    "UsageError",
    "VelozError",
]


_LONGEST, _HEAD, _TAIL = 1_200, 700, 300


class VelozError(Exception):
    """The root of what VeloZ raises on purpose.

    Attributes:
        hint: What the reader can do, one imperative sentence; empty if the message says it all.
    """

    hint: str

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(_clipped(message))
        self.hint = _clipped(hint)


def _clipped(text: str) -> str:
    """Text that quotes a huge input keeps its beginning and its end."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_HEAD]} … ({len(text) - _HEAD - _TAIL} characters) … {text[-_TAIL:]}"


class UsageError(VelozError):
    """A command line or call that cannot be understood."""


class ConfigError(VelozError):
    """A setting, parameter or symbol that is unknown or out of bounds."""


class DataError(VelozError):
    """A file that is missing, damaged or of another form, or a range without data."""


class FeedError(VelozError):
    """Market data that cannot be trusted until its book is rebuilt."""


class SequenceGap(FeedError):
    """An update that does not follow the last one."""


class StrategyError(VelozError):
    """A strategy that cannot be loaded, or that raised."""


class CheckFailed(VelozError):
    """A check that ran to its end and found a difference."""


class OrderError(VelozError):
    """An order request that did not lead to a working order."""


class NotSent(OrderError):
    """The request never left; sending it again is safe."""


class Refused(OrderError):
    """The venue or a risk rule said no; sending it again changes nothing."""


class OutcomeUnknown(OrderError):
    """The request left and no answer came; only the venue knows.

    Attributes:
        client_order_id: What to ask the venue about.
        waited_s: How long we listened, in seconds.
    """

    def __init__(self, client_order_id: str, waited_s: float) -> None:
        super().__init__(
            f"no answer for {client_order_id} after {waited_s:g} s",
            hint="ask the venue about the order; do not send it again",
        )
        self.client_order_id = client_order_id
        self.waited_s = waited_s
