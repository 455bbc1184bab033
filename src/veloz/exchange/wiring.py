"""How the parts of the exchange are put together, and what surrounds every call."""

from __future__ import annotations

import random as chance
from collections.abc import Callable, Iterable, Mapping
from decimal import getcontext, setcontext
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
    """Makes a method a call: exact arithmetic, what is due before, events afterwards.

    Written out, without context managers: a simulated market calls a thousand times a second.
    """

    @wraps(method)
    def run(self: Part, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        if self._is_inside:  # of another call, which does all that
            return method(self, *args, **kwargs)
        outside = getcontext()
        setcontext(self._exact)
        self._is_inside = True
        try:
            try:
                self._wake()
                answer = method(self, *args, **kwargs)
            finally:
                self._settle()
                self._is_inside = False
            if not self._is_telling:
                self._tell()
            return answer
        finally:
            setcontext(outside)

    return run


def look(
    method: Callable[Concatenate[Part, Arguments], Answer],
) -> Callable[Concatenate[Part, Arguments], Answer]:
    """Makes a method a call that changes nothing, so that nothing follows from it."""
    whole = call(method)

    @wraps(method)
    def run(self: Part, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        floor = self._floor
        if floor.outbox or self._timers.is_due(floor.now_ns()):
            return whole(self, *args, **kwargs)
        outside = getcontext()
        setcontext(self._exact)
        try:
            return method(self, *args, **kwargs)
        finally:
            setcontext(outside)

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
        self._exact = EXACT.copy()
        self._is_inside = False
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
        self._havoc = Havoc(self._floor, self._booking, self._matching, self._placing)
        self._queries = Queries(self._floor, self._booking, self._changing)
        for listing in listings:
            self._clearing.list_symbol(listing)
        self._floor.outbox.clear()

    def _wake(self) -> None:
        now = self._floor.now_ns()
        while self._timers.is_due(now):
            act = self._timers.pop()
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
            if instrument.book.touched:
                floor.publish(instrument)
        self._booking.balance_events()

    def _tell(self) -> None:
        """Hands out events; what a receiver causes follows after what it was told."""
        outbox = self._floor.outbox
        if not outbox:
            return
        self._is_telling = True
        try:
            while outbox:
                event = outbox.popleft()
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
