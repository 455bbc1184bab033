"""Times as text and as integer nanoseconds since the Unix epoch, UTC.

A time without an offset is UTC, never local time; an offset that is written is honoured.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from veloz.errors import DataError

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_DAY = 86_400 * NS_PER_S

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIT_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
    "d": NS_PER_DAY,
    "w": 7 * NS_PER_DAY,
}

_LAST_NS = 2**63 - 1


def parse_time(value: str | int | datetime) -> int:
    """Nanoseconds since the epoch of a time.

    Args:
        value: Integer ns; a `datetime`; or text such as `2024-08-08`, `2024-08-08T23:55:00.5Z`,
            `2024-08-09 01:55+02:00`.

    Raises:
        DataError: If the text is no time.
    """
    if isinstance(value, int):
        return _kept(value, str(value))
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise DataError(
                f"{value!r} is not a time: write 2024-08-08 or 2024-08-08T23:55:00, "
                "in UTC or with an offset such as +02:00"
            ) from error
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value
    since = aware - _EPOCH
    ns = (since.days * 86_400 + since.seconds) * NS_PER_S + since.microseconds * 1_000
    return _kept(ns, aware.isoformat())


def _kept(ns: int, said: str) -> int:
    if abs(ns) > _LAST_NS:
        raise DataError(f"{said} is no time from 1678 to 2261")
    return ns


def format_time(ns: int) -> str:
    """A time as ISO text in UTC, with as many decimals as it needs."""
    seconds, rest = divmod(ns, NS_PER_S)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}".rstrip("0") + "Z" if rest else f"{text}Z"


def format_day(ns: int) -> str:
    """The UTC day of a time, `YYYY-MM-DD`."""
    return format_time(ns)[:10]


def parse_span(text: str) -> int:
    """Nanoseconds of a span such as `1m`, `15m`, `8h`, `1d`, `500us`.

    Raises:
        DataError: If the text is no span.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ns|us|ms|s|m|h|d|w)", text)
    if match is None:
        raise DataError(f"{text!r} is not a span of time: write 500us, 1ms, 30s, 1m, 4h or 1d")
    length = float(match.group(1)) * _UNIT_NS[match.group(2)]
    if length > _LAST_NS:
        raise DataError(f"{text!r} is longer than all the time there is: give a span of 292 years")
    span = round(length)
    if span <= 0:
        raise DataError(f"{text!r} is no time at all: give a span above zero")
    return span


def format_span(ns: int) -> str:
    """A span in its largest whole unit, as bar intervals are written: `1m`, `4h`, `1d`."""
    for unit in ("d", "h", "m", "s", "ms", "us"):
        if ns and ns % _UNIT_NS[unit] == 0:
            return f"{ns // _UNIT_NS[unit]}{unit}"
    return f"{ns}ns"
