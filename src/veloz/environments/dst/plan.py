"""Fault plans: which fault, when, how; data, so that a failing run can be attached and replayed.

```json
{"seed": 4711, "plan": [
  {"fault": "F-C02", "when": {"request": "POST /api/v3/order", "nth": 3}},
  {"fault": "F-A03", "when": {"at_ms": 60000}, "args": {"for_ms": 45000}},
  {"fault": "*", "when": {"rate_per_1k_events": 5}, "args": {"only": ["A", "C"]}}]}
```

An entry fires once, unless it has a rate. All its predicates must hold; `nth` counts the moments at
which the others do. Every fault is counted when it is injected and when it is detected: a run that
named a fault and did not do both has proved nothing (`Injector.unproven`).

Source: fault catalogue, section 3.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, cast

from veloz.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Set
    from random import Random

__all__ = ["Entry", "Injector", "Moment", "Plan", "When"]

_ID = re.compile(r"F-[A-N]\d\d")
_PATTERNS = {"request", "client_order_id", "order_state", "market", "stream", "event"}


@dataclass(frozen=True, slots=True)
class When:
    """Predicates; None says nothing.

    Attributes:
        request: Pattern of a kind of request, such as `order.place` or `POST */order`.
        client_order_id: Pattern.
        order_state: A state that an order has just reached.
        nth: Of the moments at which the other predicates hold, counted from 1.
        events: So many events have happened in the world.
        at_ms: Virtual time has come so far.
        journal_offset: The journal is at least so long, in bytes.
        rate_per_1k_events: Instead of once: by chance, so many times in a thousand events.
        market: Of the venue: `spot`, `usdm`, `coinm`.
        stream: Of the venue: pattern of a market stream's name.
        event: Of the venue: pattern of a private message's kind.
    """

    request: str | None = None
    client_order_id: str | None = None
    order_state: str | None = None
    nth: int | None = None
    events: int | None = None
    at_ms: int | None = None
    journal_offset: int | None = None
    rate_per_1k_events: float | None = None
    market: str | None = None
    stream: str | None = None
    event: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a plan; `args` are the fault's own."""

    fault: str
    when: When
    args: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happens, at which faults may be due.

    Attributes:
        at_ms: Virtual time.
        request: Kind of request; empty if it is none.
        client_order_id: Of the order concerned; empty if there is none.
        order_state: Reached just now; empty if none was.
        journal_offset: Length of the journal, in bytes.
    """

    at_ms: int
    request: str = ""
    client_order_id: str = ""
    order_state: str = ""
    journal_offset: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """A fault plan.

    Attributes:
        seed: Of the run in which it was seen to matter; None if it is for any.
        entries: Its lines.
    """

    seed: int | None = None
    entries: tuple[Entry, ...] = ()

    @classmethod
    def read(cls, text: str, known: Iterable[str]) -> Plan:
        """Reads a plan.

        Args:
            text: JSON.
            known: Ids of the faults that can be injected.

        Raises:
            ConfigError: Says at which place what is wrong.
        """
        try:
            whole: object = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"the plan is not JSON: {error}") from None
        found = _object(whole, "the plan", {"seed", "plan"})
        seed = found.get("seed")
        if seed is not None:
            seed = _whole(seed, "seed", least=0)
        lines = found.get("plan")
        if not isinstance(lines, list):
            raise ConfigError("plan: a list of faults is missing", hint='write "plan": [...]')
        ids = set(known)
        rows = cast("list[object]", lines)
        return cls(seed, tuple(_entry(row, f"plan[{at}]", ids) for at, row in enumerate(rows)))


def _entry(row: object, at: str, known: set[str]) -> Entry:
    found = _object(row, at, {"fault", "when", "args"})
    fault = found.get("fault")
    if not isinstance(fault, str) or not (fault == "*" or _ID.fullmatch(fault)):
        raise ConfigError(f"{at}.fault: {fault!r} is no id", hint="write F-C02, or * for any")
    if fault != "*" and fault not in known:
        raise ConfigError(
            f"{at}.fault: {fault} cannot be injected here",
            hint=f"known: {', '.join(sorted(known))}",
        )
    when = _when(found.get("when"), f"{at}.when")
    if fault == "*" and when.rate_per_1k_events is None:
        raise ConfigError(f"{at}.when: * needs rate_per_1k_events")
    return Entry(fault, when, _object(found.get("args", {}), f"{at}.args", None))


def _when(found: object, at: str) -> When:
    given = _object(found, at, {part.name for part in fields(When)})
    if not given:
        raise ConfigError(f"{at}: no predicate is given", hint='such as {"at_ms": 1000}')
    taken: dict[str, Any] = {}
    for name, value in given.items():
        place = f"{at}.{name}"
        if name in _PATTERNS:
            if not isinstance(value, str) or not value:
                raise ConfigError(f"{place}: {value!r} is no pattern")
            taken[name] = value
        elif name == "rate_per_1k_events":
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not 0 < value <= 1000:
                raise ConfigError(f"{place}: {value!r} is not above 0 and up to 1000")
            taken[name] = float(value)
        else:
            taken[name] = _whole(value, place, least=1 if name == "nth" else 0)
    return When(**taken)


def _object(found: object, at: str, allowed: set[str] | None) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ConfigError(f"{at}: an object is missing", hint="write {...}")
    whole = cast("dict[str, Any]", found)
    odd = sorted(set(whole) - allowed) if allowed is not None else []
    if odd:
        raise ConfigError(
            f"{at}.{odd[0]}: unknown", hint=f"known: {', '.join(sorted(allowed or ()))}"
        )
    return whole


def _whole(value: object, at: str, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{at}: {value!r} is not a whole number from {least}")
    return value


class Injector:
    """Decides what is due, and keeps the counts.

    Args:
        plan: What to inject.
        random: For rates.
        known: Ids that `*` chooses from.

    Attributes:
        injected: How often each fault was injected.
        detected: How often each fault was noticed by what it was injected into.
        events: Moments so far.
        is_stopped: Whether `stop` was called.
    """

    def __init__(self, plan: Plan, random: Random, known: Iterable[str]) -> None:
        self.injected: Counter[str] = Counter()
        self.detected: Counter[str] = Counter()
        self.events = 0
        self.is_stopped = False
        self._plan = plan
        self._random = random
        self._known = sorted(known)
        self._matched: Counter[int] = Counter()
        # What is asked at each moment, in the order of the plan; of what fires once, what has not.
        self._awaiting = {
            number: entry
            for number, entry in enumerate(plan.entries)
            if entry.when.rate_per_1k_events is not None or not _is_timed(entry.when)
        }

    def timed(self) -> list[Entry]:
        """Entries that wait for a time and nothing else: the world sets timers for them."""
        return [entry for entry in self._plan.entries if _is_timed(entry.when)]

    def due(self, moment: Callable[[], Moment], can: Set[str]) -> list[Entry]:
        """What is to be injected now.

        Args:
            moment: What has happened; asked for only if an entry looks at it, for most do not.
            can: Faults that make sense at such a moment; others stay due.
        """
        self.events += 1
        chosen: list[Entry] = []
        if self.is_stopped:
            return chosen
        fired: list[int] = []
        for number, entry in self._awaiting.items():
            rate = entry.when.rate_per_1k_events
            if rate is not None:
                if self._random.random() < rate / 1000:
                    chosen += self._by_chance(entry, moment(), can)
            elif entry.fault in can and self._holds(entry.when, moment()):
                self._matched[number] += 1
                if self._matched[number] >= (entry.when.nth or 1):
                    fired.append(number)
                    chosen.append(entry)
        for number in fired:
            del self._awaiting[number]
        return chosen

    def stop(self) -> None:
        """From now on nothing is due: what was broken has its time to settle (O11)."""
        self.is_stopped = True

    def unproven(self) -> list[str]:
        """Sentences about faults that were named and not injected, or injected and not noticed."""
        named = {entry.fault for entry in self._plan.entries if entry.fault != "*"}
        silent = [f"{fault} was planned and not injected" for fault in named - set(self.injected)]
        silent += [
            f"{fault} was injected {count} times and never detected"
            for fault, count in self.injected.items()
            if not self.detected[fault]
        ]
        return sorted(silent)

    def _by_chance(self, entry: Entry, moment: Moment, can: Set[str]) -> list[Entry]:
        """What an entry does whose chance has come: one thing or nothing."""
        if not self._holds(entry.when, moment):
            return []
        if entry.fault != "*":
            return [entry] if entry.fault in can else []
        only: list[str] = list(entry.args.get("only", "ABCDEFGHIJKLMN"))
        pool = [fault for fault in self._known if fault in can and fault[2] in only]
        return [Entry(self._random.choice(pool), entry.when, {})] if pool else []

    def _holds(self, when: When, moment: Moment) -> bool:
        return (
            (when.request is None or fnmatchcase(moment.request, when.request))
            and (
                when.client_order_id is None
                or fnmatchcase(moment.client_order_id, when.client_order_id)
            )
            and (when.order_state is None or when.order_state == moment.order_state)
            and (when.events is None or self.events >= when.events)
            and (when.at_ms is None or moment.at_ms >= when.at_ms)
            and (when.journal_offset is None or moment.journal_offset >= when.journal_offset)
        )


def _is_timed(when: When) -> bool:
    return when.at_ms is not None and when == When(at_ms=when.at_ms)
