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
from typing import TYPE_CHECKING, Any

from veloz.exchange.words import Refusal
from veloz.venues.binance.dialect.fault_effects import (
    MARKET,
    REQUEST,
    TIME,
    USER,
    Treatment,
)
from veloz.venues.binance.dialect.fault_lines import checked_line, lines_of

if TYPE_CHECKING:
    from random import Random

    from veloz.exchange.words import Market
    from veloz.venues.binance.dialect.fault_effects import World

__all__ = ["Faults", "Rule", "When"]

Passage = list[tuple[int, Any]]


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
        self._fitting: dict[tuple[int, str, tuple[str, ...]], list[str]] = {}

    def load(self, plan: dict[str, Any]) -> None:
        """Puts a plan in force, in place of the one before.

        Raises:
            ConfigError: A fault or a predicate is unknown.
        """
        seed, lines = lines_of(plan)
        if seed is not None:
            self._random.seed(seed)
        self._rules = [Rule(fault, When(**when), args) for fault, when, args in lines]
        self._started_ms = self._now_ms()

    def add(self, row: dict[str, Any]) -> None:
        """Adds one line to the plan; ConfigError if it cannot be read."""
        fault, when, args = checked_line(row)
        self._rules.append(Rule(fault, When(**when), args))

    def clear(self) -> None:
        """Ends the plan; the counts stay."""
        self._rules = []

    def counts(self) -> dict[str, int]:
        """`injected_total` by id."""
        return {fault: times for fault, times in sorted(self.injected.items()) if times}

    def request(self, market: Market, kind: str, client_id: str) -> Treatment:
        """What becomes of a request."""
        for rule in self._rules:
            fault = self._at(rule, REQUEST, kind)
            if fault is None or not self._is_request(rule, fault, market, kind, client_id):
                continue
            if self._acts(rule, fault):
                return REQUEST[fault].treat({**rule.args, "market": market.value, "kind": kind})
        return Treatment()

    def user(self, market: Market, kind: str, message: Any) -> Passage:
        """What becomes of a private message: (delay in ms, message) of each that is sent."""
        for rule in self._rules:
            fault = self._at(rule, USER, kind)
            if fault is None:
                continue
            entry = USER[fault]
            fits = (
                fnmatch(market.value, rule.when.market)
                and fnmatch(kind, rule.when.event)
                and entry.fits(kind)
            )
            if fits and self._acts(rule, fault):
                return entry.change(message, rule.args)
        return [(0, message)]

    def market(self, market: Market, stream: str, payload: Any) -> Passage:
        """What becomes of a market payload: (delay in ms, payload) of each that is sent."""
        for rule in self._rules:
            fault = self._at(rule, MARKET, stream)
            if fault is None:
                continue
            entry = MARKET[fault]
            fits = (
                fnmatch(market.value, rule.when.market)
                and fnmatch(stream, rule.when.stream)
                and entry.fits(stream)
            )
            if fits and self._acts(rule, fault):
                return entry.change(payload, rule.args)
        return [(0, payload)]

    def tick(self, world: World) -> None:
        """Does what is due by the clock."""
        elapsed = self._now_ms() - self._started_ms
        for rule in self._rules:
            fault = self._at(rule, TIME)
            if fault is None or elapsed < rule.when.at_ms:
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

    def _at(self, rule: Rule, table: Mapping[str, Any], kind: str = "") -> str | None:
        """The fault that a rule would do at this point; chance draws a fitting one for `*`."""
        if rule.fault != "*":
            return rule.fault if rule.fault in table else None
        key = (id(table), kind, rule.groups)
        names = self._fitting.get(key)
        if names is None:
            names = [
                name
                for name, entry in table.items()
                if name[2] in rule.groups and (table is TIME or entry.fits(kind))
            ]
            self._fitting[key] = names
        return self._random.choice(names) if names else None

    def _is_request(
        self, rule: Rule, fault: str, market: Market, kind: str, client_id: str
    ) -> bool:
        when = rule.when
        return (
            fnmatch(market.value, when.market)
            and fnmatch(kind, when.request)
            and fnmatch(client_id, when.client_order_id)
            and (when.request != "*" or REQUEST[fault].fits(kind))
        )

    def _acts(self, rule: Rule, fault: str) -> bool:
        when = rule.when
        rule.seen += 1
        fits = (
            (not when.nth or rule.seen == when.nth)
            and (not when.every or rule.seen % when.every == 0)
            and (not when.times or rule.acted < when.times)
            and (self._now_ms() - self._started_ms >= when.at_ms)
        )
        if fits and when.rate_per_1k_events:
            fits = self._random.random() * 1000 < when.rate_per_1k_events
        if fits:
            rule.acted += 1
            self.injected[fault] += 1
        return fits
