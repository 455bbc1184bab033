"""Lengths of time as people write them: "1m", "5s", "100ms", "4h", "1d"."""

from __future__ import annotations

import re
from typing import Final

NS_PER: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}

_FORM: Final = re.compile(r"(\d+)(ns|us|ms|s|m|h|d|w)")


_DIGITS = 20


def parse_duration_ns(text: str | int) -> int:
    """Nanoseconds of a duration such as "1m" or "100ms"; an int is nanoseconds already.

    Raises:
        ValueError: The text is not a positive whole number followed by a unit.

    >>> parse_duration_ns("5m")
    300000000000
    """
    if isinstance(text, int):
        if text <= 0:
            raise ValueError(f"a duration is positive, not {text}")
        return text
    match = _FORM.fullmatch(text.strip())
    if match is None or len(match[1]) > _DIGITS or int(match[1]) == 0:
        units = ", ".join(NS_PER)
        raise ValueError(f"duration {text[:40]!r} is not a whole number with a unit of {units}")
    length = int(match[1]) * NS_PER[match[2]]
    if length >= 1 << 63:
        raise ValueError(f"duration {text[:40]!r} is longer than 292 years")
    return length


def format_duration(ns: int) -> str:
    """The shortest whole form of a duration.

    >>> format_duration(300_000_000_000)
    '5m'
    """
    for unit, size in reversed(NS_PER.items()):
        if ns % size == 0:
            return f"{ns // size}{unit}"
    return f"{ns}ns"
