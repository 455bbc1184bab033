"""Lines of a fault plan, checked before any of them acts: a plan is somebody's file."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, cast

from veloz.errors import ConfigError
from veloz.venues.binance.dialect.fault_effects import MARKET, REQUEST, TIME, USER, WORDS_OF

__all__ = ["checked_line", "lines_of"]

_PATTERNS = frozenset({"request", "market", "stream", "event", "client_order_id"})
_COUNTS = frozenset({"nth", "every", "at_ms", "times"})
_RATE = "rate_per_1k_events"
_WHOLE = frozenset(
    {
        *("delay_ms", "later_ms", "for_ms", "notice_ms", "copies", "ticks", "by_ms", "code"),
        *("status", "levels"),
    }
)
_FIGURES = frozenset({"qty", "price", "amount", "tick", "step", "min_notional"})
_MOST = 1 << 31


def lines_of(plan: dict[str, Any]) -> tuple[int | None, list[tuple[str, Any, Any]]]:
    """The seed of a plan, and its lines as (fault, predicates, arguments).

    Raises:
        ConfigError: Says which line is wrong, and how.
    """
    seed, rows = plan.get("seed"), plan.get("plan", [])
    if seed is not None and not _is_whole(seed):
        raise ConfigError(f"the plan's seed is {str(seed)[:80]!r}, not a whole number")
    if not isinstance(rows, list):
        raise ConfigError('"plan" is not a list of faults', hint='write "plan": [...]')
    return seed, [checked_line(row) for row in cast("list[object]", rows)]


def checked_line(row: object) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """One line of a plan as (fault, predicates, arguments); ConfigError if it has no meaning."""
    found = _object(row, "a line of the plan")
    fault = found.get("fault", "")
    is_known = isinstance(fault, str) and any(fault in t for t in (REQUEST, USER, MARKET, TIME))
    if fault != "*" and not is_known:
        raise ConfigError(f"fault {str(fault)[:80]!r} is not one of this venue's")
    when = _object(found.get("when", {}), f"fault {fault}: when")
    args = _object(found.get("args", {}), f"fault {fault}: args")
    for name, value in when.items():
        _check_predicate(str(fault), name, value)
    for name, value in args.items():
        _check_argument(str(fault), name, value)
    return str(fault), when, args


def _check_predicate(fault: str, name: str, value: object) -> None:
    if name in _PATTERNS:
        fits = isinstance(value, str)
    elif name in _COUNTS:
        fits = _is_whole(value)
    elif name == _RATE:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = is_number and 0 <= cast("float", value) <= 1000
    else:
        raise ConfigError(f"fault {fault}: unknown predicate {name[:80]!r}")
    if not fits:
        raise ConfigError(f"fault {fault}: {name} cannot be {str(value)[:80]!r}")


def _check_argument(fault: str, name: str, value: object) -> None:
    fits = True
    if name in _WHOLE:
        fits = (value is None and name == "code") or _is_whole(value)
    elif name in _FIGURES:
        fits = _is_figure(value)
    elif name == "leverage":
        fits = _is_whole(value) and 1 <= cast("int", value) <= 125
    elif name == "only":
        fits = isinstance(value, list | str) and all(
            isinstance(word, str) for word in cast("list[object]", value)
        )
    elif (words := WORDS_OF.get((fault, name))) is not None:
        fits = isinstance(value, str) and value in words
    if not fits:
        raise ConfigError(f"fault {fault}: the argument {name} cannot be {str(value)[:80]!r}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST


def _is_figure(value: object) -> bool:
    try:
        figure = Decimal(str(value))
    except InvalidOperation:
        return False
    return figure.is_finite() and abs(figure.adjusted()) < 30


def _object(found: object, what: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ConfigError(f"{what} is {str(found)[:80]!r}, not an object", hint="write {...}")
    return dict(cast("dict[str, Any]", found))
