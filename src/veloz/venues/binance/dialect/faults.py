"""Faults of the venue, on order or by chance, seeded and counted.

A plan is data (design of the fault catalogue): which fault, when, with which arguments. A fault
acts at one of four points:

```text
request ──► Treatment    whether, when and how a request is done and answered
user    ──► messages     a private message: dropped, doubled, late, changed
market  ──► messages     the same for a market stream
time    ──► World        something that happens by itself: a cut, a halt, an expired key
```

Every fault that acted is counted under its id: a test that names a fault can see that it happened.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any, NamedTuple

from veloz.exchange.words import Refusal
from veloz.venues.binance.dialect.fault_effects import (
    MARKET,
    REQUEST,
    TIME,
    USER,
    MessageFault,
    RequestFault,
    Treatment,
)
from veloz.venues.binance.dialect.fault_lines import checked_line, lines_of

if TYPE_CHECKING:
    from random import Random

    from veloz.exchange.words import Market
    from veloz.venues.binance.dialect.fault_effects import World

__all__ = ["Faults", "Rule", "When"]

KINDS = (RequestFault, MessageFault)
AS_USUAL = Treatment()
Passage = list[tuple[int, Any]]
Table = Mapping[str, Any]


class Standing(NamedTuple):
    """A rule at a point where it may act on messages or requests of one kind.

    Attributes:
        names: What it may do there; chance draws if the rule names no fault.
        fits: Whether its patterns fit; if not it only draws, so that a history stays the same.
    """

    rule: Rule
    names: list[str]
    fits: bool


@dataclass(frozen=True)
class When:
    """When a rule acts; what is left out always fits.

    Attributes:
        request: Pattern of the request's kind, such as `order.*`.
        market: `spot`, `usdm` or `coinm`.
        stream: Pattern of a market stream's name.
        event: Pattern of a user message's kind, such as `executionReport/TRADE`.
        nth: Only the n-th that fits, from 1.
        every: Each n-th that fits.
        client_order_id: Pattern.
        at_ms: Milliseconds after the plan was given.
        rate_per_1k_events: By chance.
        times: At most so often; 0 for always.
    """

    request: str = "*"
    market: str = "*"
    stream: str = "*"
    event: str = "*"
    nth: int = 0
    every: int = 0
    client_order_id: str = "*"
    at_ms: int = -1
    rate_per_1k_events: float = 0.0
    times: int = 0


@dataclass
class Rule:
    """One line of a plan, and how often it fitted and acted."""

    fault: str
    when: When
    args: dict[str, Any] = field(default_factory=dict[str, Any])
    seen: int = 0
    acted: int = 0

    @property
    def groups(self) -> tuple[str, ...]:
        """For `*`: which groups of the catalogue to draw from."""
        return tuple(self.args.get("only", "ABCDEFG"))


class Faults:
    """The plan in force, and what it has done.

    Args:
        random: Draws what a plan leaves to chance.
        now_ms: The clock that `at_ms` counts on.
    """

    def __init__(self, random: Random, now_ms: Callable[[], int]) -> None:
        self._random = random
        self._now_ms = now_ms
        self._rules: list[Rule] = []
        self._started_ms = now_ms()
        self.injected: Counter[str] = Counter()
        self._timed: list[tuple[Rule, list[str]]] = []
        # patterns are matched once for each kind, not for each message
        self._standing: dict[tuple[int, str, str], list[Standing]] = {}

    def load(self, plan: dict[str, Any]) -> None:
        """Puts a plan in force, in place of the one before.

        Raises:
            ConfigError: A fault or a predicate is unknown.
        """
        seed, lines = lines_of(plan)
        if seed is not None:
            self._random.seed(seed)
        self.clear()
        for fault, when, args in lines:
            self._put(Rule(fault, When(**when), args))
        self._started_ms = self._now_ms()

    def add(self, row: dict[str, Any]) -> None:
        """Adds one line to the plan; ConfigError if it cannot be read."""
        fault, when, args = checked_line(row)
        self._put(Rule(fault, When(**when), args))

    def _put(self, rule: Rule) -> None:
        self._rules.append(rule)
        self._standing.clear()
        if names := _names(rule, TIME, ""):
            self._timed.append((rule, names))

    def clear(self) -> None:
        """Ends the plan; the counts stay."""
        self._rules = []
        self._timed = []
        self._standing.clear()

    @property
    def is_planned(self) -> bool:
        """Whether any fault could happen."""
        return bool(self._rules)

    def counts(self) -> dict[str, int]:
        """`injected_total` by id."""
        return {fault: times for fault, times in sorted(self.injected.items()) if times}

    def request(self, market: Market, kind: str, client_id: str) -> Treatment:
        """What becomes of a request."""
        for rule, names, fits in self._at(REQUEST, market, kind):
            fault = self._named(rule, names)
            pattern = rule.when.client_order_id
            fits = fits and (pattern == "*" or fnmatch(client_id, pattern))
            if fits and self._acts(rule, fault):
                return REQUEST[fault].treat({**rule.args, "market": market.value, "kind": kind})
        return AS_USUAL

    def user(self, market: Market, kind: str, message: Any) -> Passage:
        """What becomes of a private message: (delay in ms, message) of each that is sent."""
        return self._passage(USER, market, kind, message)

    def market(self, market: Market, stream: str, payload: Any) -> Passage:
        """What becomes of a market payload: (delay in ms, payload) of each that is sent."""
        return self._passage(MARKET, market, stream, payload)

    def _passage(
        self, table: Mapping[str, MessageFault], market: Market, kind: str, message: Any
    ) -> Passage:
        for rule, names, fits in self._at(table, market, kind):
            fault = self._named(rule, names)
            if fits and self._acts(rule, fault):
                return table[fault].change(message, rule.args)
        return [(0, message)]

    def tick(self, world: World) -> None:
        """Does what is due by the clock."""
        elapsed = self._now_ms() - self._started_ms
        for rule, names in self._timed:
            fault = self._named(rule, names)
            if elapsed < rule.when.at_ms:
                continue
            by_chance = rule.when.rate_per_1k_events > 0
            if (rule.acted and not by_chance) or not self._acts(rule, fault):
                continue
            try:
                TIME[fault](world, rule.args)
            except Refusal:  # the account's state does not allow it: it did not happen
                self.injected[fault] -= 1

    def later(self, delay_ms: int, act: Callable[[], None]) -> None:
        """Calls `act` at once, or after a delay."""
        if delay_ms <= 0:
            act()
        else:
            asyncio.get_running_loop().call_later(delay_ms / 1000, act)

    def soon(self, act: Callable[[], None]) -> None:
        """Calls `act` when the running work is done."""
        asyncio.get_running_loop().call_soon(act)

    def _at(self, table: Table, market: Market, kind: str) -> list[Standing]:
        """The rules that may act here, in the order of the plan."""
        key = (id(table), market.value, kind)
        found = self._standing.get(key)
        if found is None:
            found = self._standing[key] = []
            for rule in self._rules:
                names = _names(rule, table, kind)
                fits = bool(names) and _fits(rule, table, market, kind)
                if fits or (names and rule.fault == "*"):
                    found.append(Standing(rule, names, fits))
        return found

    def _named(self, rule: Rule, names: list[str]) -> str:
        """What a rule does at this point: what it names, or what chance draws."""
        if rule.fault != "*":
            return names[0]
        size = len(names).bit_length()
        drawn = self._random.getrandbits(size)
        while drawn >= len(names):  # as `Random.choice` does, in a third of its time
            drawn = self._random.getrandbits(size)
        return names[drawn]

    def _acts(self, rule: Rule, fault: str) -> bool:
        when = rule.when
        rule.seen += 1
        fits = (
            (not when.nth or rule.seen == when.nth)
            and (not when.every or rule.seen % when.every == 0)
            and (not when.times or rule.acted < when.times)
            and (when.at_ms < 0 or self._now_ms() - self._started_ms >= when.at_ms)
        )
        if fits and when.rate_per_1k_events:
            fits = self._random.random() * 1000 < when.rate_per_1k_events
        if fits:
            rule.acted += 1
            self.injected[fault] += 1
        return fits


def _names(rule: Rule, table: Table, kind: str) -> list[str]:
    """The faults that a rule may do at a point."""
    if rule.fault != "*":
        return [rule.fault] if rule.fault in table else []
    groups = rule.groups
    return [
        name
        for name, entry in table.items()
        if name[2] in groups and (not isinstance(entry, KINDS) or entry.fits(kind))
    ]


def _fits(rule: Rule, table: Table, market: Market, kind: str) -> bool:
    """Whether the patterns of a rule fit; that of the client's id is for each request."""
    when = rule.when
    if not fnmatch(market.value, when.market):
        return False
    if table is REQUEST:
        named = rule.fault == "*" or when.request != "*" or REQUEST[rule.fault].fits(kind)
        return fnmatch(kind, when.request) and named
    pattern = when.stream if table is MARKET else when.event
    entry = table.get(rule.fault)
    return fnmatch(kind, pattern) and (not isinstance(entry, KINDS) or entry.fits(kind))
