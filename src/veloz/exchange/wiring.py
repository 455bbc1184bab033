"""How the parts of the exchange are put together, and what surrounds every call."""

from __future__ import annotations

import random as chance
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import localcontext
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from veloz.exchange.booking import Booking
from veloz.exchange.changing import Changing
from veloz.exchange.clearing import Clearing
from veloz.exchange.events import Event
from veloz.exchange.floor import Floor
from veloz.exchange.havoc import Havoc
from veloz.exchange.holders import Holders
from veloz.exchange.liquidation import Liquidation
from veloz.exchange.listing import Listing
from veloz.exchange.lists import Lists
from veloz.exchange.matching import Matching
from veloz.exchange.model import (
    Order,
)
from veloz.exchange.money import EXACT
from veloz.exchange.placing import Placing
from veloz.exchange.queries import Queries
from veloz.exchange.timers import Timers
from veloz.exchange.triggers import Triggers
from veloz.exchange.words import (
    Refusal,
    WorkingType,
)

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
Part = TypeVar("Part", bound="Wiring")


def call(
    method: Callable[Concatenate[Part, Arguments], Answer],
) -> Callable[Concatenate[Part, Arguments], Answer]:
    """Makes a method a call: exact arithmetic, what is due before, events afterwards."""

    @wraps(method)
    def run(self: Part, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        with localcontext(EXACT), self.work():
            return method(self, *args, **kwargs)

    return run


class Wiring:
    """The parts, and the order in which a call's consequences follow.

    Args:
        listings: What is traded from the start.
        now_ns: UTC, nanoseconds since the Unix epoch; never goes back.
        random: Seeds client ids and futures update ids.
        scales: Decimals of an asset's balance; 8 for those not named.
    """

    def __init__(
        self,
        listings: Iterable[Listing] = (),
        *,
        now_ns: Callable[[], int],
        random: chance.Random,
        scales: Mapping[str, int] | None = None,
    ) -> None:
        self._floor = Floor(now_ns, random, dict(scales or {}))
        self._receivers: list[Callable[[Event], None]] = []
        self._depth = 0
        self._is_telling = False
        self._timers = Timers()
        self._booking = Booking(self._floor)
        self._matching = Matching(self._floor, self._booking)
        self._placing = Placing(self._floor, self._booking, self._matching, self._timers)
        self._lists = Lists(self._floor, self._booking, self._placing)
        self._triggers = Triggers(self._floor, self._placing, self._lists)
        self._changing = Changing(self._placing, self._lists, self._timers)
        self._liquidation = Liquidation(self._floor, self._booking, self._matching)
        self._holders = Holders(self._floor, self._booking, self._liquidation)
        self._clearing = Clearing(self._booking, self._triggers, self._liquidation, self._timers)
        self._havoc = Havoc(self._floor, self._booking, self._matching)
        self._queries = Queries(self._floor, self._booking, self._changing)
        for listing in listings:
            self._clearing.list_symbol(listing)
        self._floor.outbox.clear()

    @contextmanager
    def work(self) -> Iterator[None]:
        """What surrounds every call: due timers before, consequences and events after."""
        self._depth += 1
        try:
            if self._depth == 1:
                self._wake()
            yield
        finally:
            if self._depth == 1:
                self._settle()
            self._depth -= 1
        if not self._depth and not self._is_telling:
            self._tell()

    def _wake(self) -> None:
        now = self._floor.now_ns()
        while (act := self._timers.pop_due(now)) is not None:
            act()
            self._settle()

    def _settle(self) -> None:
        """Lets every print reach the triggers, until nothing more follows; then publishes."""
        floor = self._floor
        while True:
            self._lists.settle()
            self._liquidation.check_moved()
            if not floor.prints:
                break
            instrument, price = floor.prints.popleft()
            self._triggers.see(instrument, WorkingType.LAST, price)
        self._triggers.finish()
        for instrument in floor.instruments.values():
            floor.publish(instrument)
        self._booking.balance_events()

    def _tell(self) -> None:
        """Hands out events; what a receiver causes follows after what it was told."""
        self._is_telling = True
        try:
            while self._floor.outbox:
                event = self._floor.outbox.popleft()
                for receiver in list(self._receivers):
                    receiver(event)
        finally:
            self._is_telling = False

    def _shown(self, order: Order) -> Order:
        return self._booking.snapshot(order)

    def _each(self, act: Callable[[], Order]) -> Order | Refusal:
        try:
            return self._shown(act())
        except Refusal as refusal:
            return refusal

    # Time and events.

    def subscribe(self, receiver: Callable[[Event], None]) -> Callable[[], None]:
        """Calls `receiver` with every event from now on; returns what ends that."""
        self._receivers.append(receiver)

        def stop() -> None:
            if receiver in self._receivers:
                self._receivers.remove(receiver)

        return stop

    @call
    def advance(self) -> int | None:
        """Does what the clock has made due: good-till-date ends, countdowns, funding, delivery.

        Returns:
            When the next thing will be due; None if nothing waits.
        """
        return self._timers.next_due()
