"""Every error VeloZ raises on purpose, grouped by what the caller can do about it.

    VelozError
    ├── ConfigError        fix the configuration or the arguments and start again
    ├── DataError          the data are not what was asked for: the message says what to do
    ├── FeedError          market data is not trustworthy; the book is rebuilt
    └── OrderError
        ├── NotSent        the request never left: safe to retry
        ├── Refused        the venue or a risk rule said no: retrying changes nothing
        └── OutcomeUnknown the request may be live: reconcile, never retry

A message is one sentence that says what was wrong, where, and what to do; command-line programs
print it as it is and exit with the class's `exit_code`.
"""

from __future__ import annotations

from dataclasses import dataclass


class VelozError(Exception):
    """Something VeloZ refuses to do, with the reason.

    Attributes:
        exit_code: What a command-line program returns for it.
    """

    exit_code = 1


class ConfigError(VelozError):
    """A setting or an argument is wrong; nothing was started."""

    exit_code = 2


class DataError(VelozError):
    """Stored or imported data are missing, damaged or not what was asked for."""

    exit_code = 3


class FeedError(VelozError):
    """Market data cannot be trusted; the book is rebuilt from a snapshot."""

    exit_code = 4


class OrderError(VelozError):
    """An order request did not do what it should."""

    exit_code = 5


class NotSent(OrderError):
    """The request never left; sending it again is safe."""


class Refused(OrderError):
    """The venue or a risk rule said no; the same request will be refused again."""


@dataclass(eq=False)
class OutcomeUnknown(OrderError):
    """The request left, and no answer came; only the venue knows.

    Attributes:
        client_order_id: What to ask the venue about.
        waited_s: How long we listened, in seconds.
    """

    client_order_id: str
    waited_s: float

    def __str__(self) -> str:
        """The sentence a person reads."""
        return f"no answer for {self.client_order_id} after {self.waited_s:g} s"
