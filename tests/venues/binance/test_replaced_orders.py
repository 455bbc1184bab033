"""A spot order whose price is changed is another order at the venue: it stays one here.

On the simulated exchange, over the sessions, on virtual time: the request that cancels and places
is answered, lost, refused halfway, raced by a fill, and survived by a new process.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

import veloz as vz
from tests.venues.binance.exchange_stage import long
from tests.venues.binance.test_on_live_engine import LivePlace, run, settle
from veloz._core import parse_wire_id
from veloz.exchange.model import OrderRequest
from veloz.exchange.words import Market, OrderStatus, OrderType, Side, TimeInForce


class Mover(vz.Strategy):
    """Keeps one order, and moves it: away from the touch, to it, larger, smaller."""

    stop_policy = "hold"
    symbol = ""
    qty = 0.0
    acts = True

    def on_start(self) -> None:
        self.order: Any = None
        self.todo: list[Any] = []
        self.filled = Decimal(0)
        self.moves = 0
        self.endings: list[str] = []
        self.every("700ms", self.turn)

    def on_fill(self, fill: vz.Fill) -> None:
        self.filled += Decimal(str(fill.qty))

    def on_order(self, order: vz.Order) -> None:
        if not order.is_open:
            self.endings.append(f"{order.status}: {order.reason}")

    def turn(self) -> None:
        if self.todo:
            self.todo.pop(0)()
        book = self.book(self.symbol)
        if not self.acts or not book.is_ready:
            return
        share = self.random.uniform(0.9996, 1.0)
        price = self.round_price(self.symbol, book.bid * share)
        if self.order is None or not self.order.is_open:
            qty = self.qty * self.random.randint(1, 5)
            self.order = self.buy(self.symbol, round(qty, 5), price=price)
        elif self.random.random() < 0.1:
            self.cancel_order(self.order)
        else:
            more = self.qty * self.random.choice((0, 1))
            self.moves += 1
            self.amend_order(self.order, round(self.order.qty + more, 5), price)


class MovingPlace(LivePlace):
    """The stage with a strategy that moves its order."""

    def __init__(self, seed: int, *, acts: bool = True) -> None:
        super().__init__(seed, "spot")
        self.acts = acts

    def make_strategy(self) -> Any:
        strategy = Mover()
        strategy.acts = self.acts
        return strategy

    def orders(self) -> list[Any]:
        """The trader's, as the venue has them."""
        name = self.simulation.venue.exchange.accounts()[0]
        return self.exchange.all_orders(name, Market.SPOT, self.symbol)

    def fills(self) -> list[Any]:
        name = self.simulation.venue.exchange.accounts()[0]
        return self.exchange.fills(name, Market.SPOT)

    def check_legs(self) -> None:
        """Fills of all legs of an order here are those there; what is open is the same."""
        self.check()
        there: dict[int, Decimal] = {}
        still_open = set()
        for order in self.orders():
            parsed = parse_wire_id(order.client_order_id)
            assert parsed is not None
            there[parsed[2]] = there.get(parsed[2], Decimal(0)) + order.executed_qty
            if order.status.is_open:
                still_open.add(order.client_order_id)
        total = sum(there.values())
        assert self.strategy.filled == total
        assert set(self.core.open_orders(0)) == still_open
        for row in self.core.view("orders"):
            assert Decimal(row["filled_qty"]) == there[row["order"]]
        held = self.core.balances(0)
        view = self.exchange.account(self.exchange.accounts()[0], Market.SPOT)
        for asset in ("BTC", "USDT"):
            theirs = next(row for row in view.balances if row.asset == asset)
            assert held[asset] == theirs.free + theirs.locked


def test_a_moved_order_is_one_order_to_its_strategy() -> None:
    place = MovingPlace(1)

    async def act() -> None:
        await asyncio.sleep(90.0)
        await settle(place)

    run(place, act)
    place.check_legs()
    legs = [parse_wire_id(order.client_order_id) for order in place.orders()]
    revisions = {leg[3] for leg in legs if leg is not None}
    assert place.strategy.moves > 50
    assert len(revisions) > 5
    assert place.fills()


LOST: list[dict[str, Any]] = [
    {"effect": "placed"},
    {"effect": "none"},
    {"effect": "placed", "answer": "1007"},
    {"effect": "none", "answer": "503"},
    {"effect": "placed", "answer": "hang"},
]


@pytest.mark.parametrize("args", LOST)
@pytest.mark.parametrize("seed", [3, *(long(seed) for seed in range(4, 10))])
def test_a_lost_answer_to_a_move_ends_right(seed: int, args: dict[str, Any]) -> None:
    """F-C08, in every form, again and again."""
    place = MovingPlace(seed)

    async def act() -> None:
        when = {"request": "order.cancelReplace", "rate_per_1k_events": 200}
        place.simulation.faults.add({"fault": "F-C08", "when": when, "args": args})
        await asyncio.sleep(120.0)
        await settle(place)

    run(place, act)
    place.check_legs()
    assert place.strategy.moves > 5


@pytest.mark.parametrize("seed", [0, *(long(seed) for seed in range(1, 10))])
def test_lost_late_and_doubled_reports_of_both_legs_end_right(seed: int) -> None:
    """F-C04, F-C07, F-C08, F-D01, F-D03, F-D05, F-D08, F-D11, F-G04 at once."""
    place = MovingPlace(seed)
    rows: list[dict[str, Any]] = [
        {"fault": fault, "when": {"rate_per_1k_events": 80}, "args": {}}
        for fault in ("F-C07", "F-C08", "F-D01", "F-D03", "F-D05", "F-D08", "F-D11", "F-G04")
    ]
    rows.append({"fault": "F-C04", "when": {"rate_per_1k_events": 200}, "args": {}})

    async def act() -> None:
        place.simulation.faults.load({"plan": rows})
        await asyncio.sleep(150.0)
        await settle(place)

    run(place, act)
    assert sum(place.simulation.faults.counts().values()) > 10
    place.check_legs()


async def call(place: MovingPlace, deed: Any) -> Any:
    """Lets the strategy do something in a callback of its own, and waits for what it led to."""
    done: list[Any] = []
    place.strategy.todo.append(lambda: done.append(deed(place.strategy)))
    while not done:  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    return done[0]


async def resting(place: MovingPlace, **terms: Any) -> Any:
    """An order far from the touch, accepted."""

    def buy(strategy: Mover) -> Any:
        price = strategy.round_price(strategy.symbol, strategy.book(strategy.symbol).bid * 0.98)
        return strategy.buy(strategy.symbol, strategy.qty, price=price, **terms)

    order = await call(place, buy)
    assert order.status == "accepted"
    return order


def test_a_new_order_that_the_venue_refuses_ends_the_order_with_the_old_one() -> None:
    """-2021: the cancel was done, the post-only order would have taken."""
    place = MovingPlace(5, acts=False)

    def through(strategy: Mover, order: Any) -> None:
        price = strategy.round_price(strategy.symbol, strategy.book(strategy.symbol).ask * 1.01)
        strategy.amend_order(order, price=price)

    async def act() -> None:
        order = await resting(place, post_only=True)
        await call(place, lambda strategy: through(strategy, order))
        assert order.status == "canceled"
        assert "-2021" in order.reason
        await settle(place)

    run(place, act)
    place.check_legs()
    assert [order.status for order in place.orders()] == [OrderStatus.CANCELED]


def test_an_order_that_was_filled_first_stays_filled() -> None:
    """-2022: nothing was there to cancel, so nothing was placed; its fill is never told."""
    place = MovingPlace(6, acts=False)

    async def act() -> None:
        order = await resting(place)
        lost = {"fault": "F-D05", "when": {"rate_per_1k_events": 1000}, "args": {}}
        place.simulation.faults.add(lost)
        fill_by_hand(place, order)
        await asyncio.sleep(0.5)
        assert order.status == "accepted", "nobody has told"
        await call(place, lambda strategy: strategy.amend_order(order, price=order.price - 10))
        await settle(place)
        assert order.status == "filled"

    run(place, act)
    place.check_legs()
    assert [order.status for order in place.orders()] == [OrderStatus.FILLED]


def test_a_cancel_of_an_order_that_is_being_moved_ends_it() -> None:
    place = MovingPlace(7, acts=False)

    def move_and_cancel(strategy: Mover, order: Any) -> None:
        strategy.amend_order(order, price=order.price - 10)
        strategy.cancel_order(order)

    async def act() -> None:
        order = await resting(place)
        await call(place, lambda strategy: move_and_cancel(strategy, order))
        await settle(place)
        assert order.status == "canceled"

    run(place, act)
    place.check_legs()
    assert {order.status for order in place.orders()} == {OrderStatus.CANCELED}


def fill_by_hand(place: MovingPlace, order: Any) -> None:
    """Somebody sells into the order."""
    place.exchange.open_account("other")
    place.exchange.deposit("other", Market.SPOT, "BTC", Decimal(1_000))
    request = OrderRequest(
        market=Market.SPOT,
        symbol=place.symbol,
        side=Side.SELL,
        type=OrderType.LIMIT,
        qty=Decimal(50),
        price=Decimal(str(order.price)),
        tif=TimeInForce.IOC,
    )
    place.exchange.place("other", request)
