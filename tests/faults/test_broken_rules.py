"""A venue that breaks its own rules, or does to an order what nobody asked: what the engine does.

A strategy on the live engine, over the sessions, against the simulated exchange; the exchange's own
ledger is the truth that the books are compared with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

import veloz as vz
from tests.venues.binance.test_on_live_engine import NAMES, LivePlace, run
from veloz.exchange.words import Market, Side

UNITS = {"spot": Decimal("0.01"), "usdm": Decimal("0.01"), "coinm": Decimal(10)}


class Obedient(vz.Strategy):
    """Does what the test puts on its list, one thing a turn."""

    stop_policy = "hold"
    symbol = ""
    qty = 0.0

    def on_start(self) -> None:
        self.todo: list[Callable[[], Any]] = []
        self.done: list[Any] = []
        self.fills: list[vz.Fill] = []
        self.every("100ms", self.turn)

    def on_fill(self, fill: vz.Fill) -> None:
        self.fills.append(fill)

    def turn(self) -> None:
        if self.todo and self.book(self.symbol).is_ready:
            self.done.append(self.todo.pop(0)())

    def rest(self) -> Any:
        """A bid far below the market."""
        price = self.round_price(self.symbol, self.book(self.symbol).bid * 0.97)
        return self.place_order(self.symbol, "buy", "limit", self.qty, price)


class Scene(LivePlace):
    """The stage with an obedient strategy."""

    def make_engine(self, listing: bytes) -> Any:
        side = super().make_engine(listing)
        strategy = self.obedient = Obedient()
        strategy.symbol, strategy.qty = NAMES[self.market], float(UNITS[self.market])
        strategy.random = Random(1)
        seat = self.core.add_strategy(strategy, "hold")
        self.core.listen(seat, NAMES[self.market], "books", 0)
        self.strategy.turn = lambda: None  # the other one only watches
        return side

    async def do(self, act: Callable[[], Any]) -> Any:
        """Lets the strategy do one thing and gives it the time to be heard of."""
        self.obedient.todo.append(act)
        await asyncio.sleep(3.0)
        return self.obedient.done[-1] if self.obedient.done else None

    @property
    def account(self) -> str:
        return self.simulation.venue.exchange.accounts()[0]


class Doubled(Scene):
    """One where the venue took two orders under one name."""

    def placed(self) -> list[Any]:
        return self.exchange.all_orders(self.account, Market(self.market), self.symbol)

    def check(self) -> None:
        theirs = self.exchange.fills(self.account, Market(self.market))
        assert self.core.poison is None
        assert self.core.view("counts")["fills"] == len(theirs)
        assert self.core.view("needs_query") == []
        assert self.core.view("needs_trades") == []
        assert self.resolver.open == 0
        assert self.reconciler.differences == []


def play(market: str, act: Callable[[Scene], Awaitable[None]], stage: type[Scene] = Scene) -> Scene:
    scene = stage(5, market)

    async def whole() -> None:
        await act(scene)
        scene.ticking.cancel()
        await asyncio.sleep(10.0)
        assert await scene.reconciler.once()

    run(scene, whole)
    scene.check()
    return scene


@pytest.mark.parametrize("market", UNITS)
def test_f_d09_an_overfill_is_booked_as_told_and_freezes_the_strategy(market: str) -> None:
    async def act(scene: Scene) -> None:
        order = await scene.do(scene.obedient.rest)
        there = scene.exchange.overfill(scene.account, Market(market), scene.symbol)
        await asyncio.sleep(3.0)
        assert there.executed_qty > there.qty
        assert Decimal(str(order.filled_qty)) == there.executed_qty
        (frozen,) = [reason for _, reason in scene.core.view("frozen")]
        assert "filled beyond its quantity" in frozen
        refused = await scene.do(scene.obedient.rest)
        assert refused.status == "rejected"
        assert len(scene.exchange.open_orders(scene.account, Market(market))) == 0

    scene = play(market, act)
    assert len(scene.obedient.fills) == 2


@pytest.mark.parametrize("market", UNITS)
def test_f_d04_two_fills_under_one_number_are_both_booked(market: str) -> None:
    async def act(scene: Scene) -> None:
        await scene.do(scene.obedient.rest)
        scene.exchange.twin_fills(scene.account, Market(market), scene.symbol)
        await asyncio.sleep(3.0)

    scene = play(market, act)
    first, second = scene.obedient.fills
    assert first.trade_id == second.trade_id
    assert first.qty != second.qty
    assert scene.reconciler.fills_found == 0


@pytest.mark.parametrize("market", UNITS)
def test_f_d04_the_second_fill_is_found_when_the_private_stream_missed_both(market: str) -> None:
    async def act(scene: Scene) -> None:
        await scene.do(scene.obedient.rest)
        scene.simulation.faults.add({"fault": "F-A07", "when": {"market": market}})
        scene.exchange.twin_fills(scene.account, Market(market), scene.symbol)
        await asyncio.sleep(1.0)
        scene.simulation.faults.clear()
        await asyncio.sleep(1.0)
        assert await scene.reconciler.once()
        assert await scene.reconciler.once()

    scene = play(market, act)
    assert len(scene.obedient.fills) == 2


@pytest.mark.parametrize("market", UNITS)
def test_f_d10_a_claimed_correction_is_not_believed_without_evidence(market: str) -> None:
    async def act(scene: Scene) -> None:
        row = {"fault": "F-D10", "when": {"nth": 1}, "args": {}}
        scene.simulation.faults.add(row)
        obedient = scene.obedient
        await scene.do(lambda: obedient.buy(obedient.symbol, obedient.qty))
        await asyncio.sleep(5.0)

    scene = play(market, act)
    assert scene.simulation.faults.counts() == {"F-D10": 1}
    assert scene.stream.counts["unreadable"] >= 1  # seen, and the account was fetched again
    assert [Decimal(str(fill.qty)) for fill in scene.obedient.fills] == [UNITS[market]]


@pytest.mark.parametrize("market", ["usdm", "coinm"])
def test_f_e08_a_reduce_only_order_follows_what_the_venue_cuts_it_to(market: str) -> None:
    async def act(scene: Scene) -> None:
        obedient, symbol, qty = scene.obedient, scene.obedient.symbol, scene.obedient.qty
        await scene.do(lambda: obedient.buy(symbol, 2 * qty))

        def close_later() -> Any:
            price = obedient.round_price(symbol, obedient.book(symbol).ask * 1.03)
            return obedient.place_order(symbol, "sell", "limit", 2 * qty, price, reduce_only=True)

        order = await scene.do(close_later)
        assert order.qty == 2 * qty
        await scene.do(lambda: obedient.sell(symbol, qty))
        assert (order.qty, order.is_open) == (qty, True)
        await scene.do(lambda: obedient.sell(symbol, qty))
        assert (order.status, order.filled_qty) == ("expired", 0)

    scene = play(market, act)
    assert scene.core.positions(0) == {}


async def bought(scene: Scene) -> Any:
    """An order of ours that was filled, and of which nothing more is to come."""
    obedient = scene.obedient
    order = await scene.do(lambda: obedient.buy(obedient.symbol, obedient.qty))
    await asyncio.sleep(10.0)
    assert order.status == "filled"
    return order


@pytest.mark.parametrize("hears", [True, False])
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize("market", UNITS)
def test_f_g03_a_number_that_comes_back_is_another_order(
    market: str, side: Side, hears: bool
) -> None:
    """Known by the private stream or found by the listings: ours stays as it was."""
    seen: list[Any] = []

    async def act(scene: Scene) -> None:
        order = await bought(scene)
        if not hears:
            scene.simulation.faults.add({"fault": "F-A07", "when": {"market": market}})
        scene.exchange.reissue(scene.account, Market(market), scene.symbol, side)
        await asyncio.sleep(3.0)
        scene.simulation.faults.clear()
        assert await scene.reconciler.once()
        assert await scene.reconciler.once()
        seen.append((order.filled_qty, scene.core.view("frozen"), len(scene.obedient.fills)))

    play(market, act)
    assert seen == [(float(UNITS[market]), [], 1)]


@pytest.mark.parametrize("hears", [True, False])
@pytest.mark.parametrize("market", UNITS)
def test_f_g05_two_orders_under_one_client_id_are_both_booked_and_told(
    market: str, hears: bool
) -> None:
    async def act(scene: Scene) -> None:
        order = await bought(scene)
        if not hears:
            scene.simulation.faults.add({"fault": "F-A07", "when": {"market": market}})
        scene.exchange.namesake(scene.account, Market(market), scene.symbol, Side.BUY)
        await asyncio.sleep(3.0)
        scene.simulation.faults.clear()
        assert await scene.reconciler.once()
        assert await scene.reconciler.once()
        assert Decimal(str(order.filled_qty)) == 2 * UNITS[market]
        (frozen,) = [reason for _, reason in scene.core.view("frozen")]
        assert "filled beyond its quantity" in frozen
        refused = await scene.do(scene.obedient.rest)
        assert refused.status == "rejected"

    scene = play(market, act, Doubled)
    assert len(scene.obedient.fills) == 2
    assert isinstance(scene, Doubled)
    names = [order.client_order_id for order in scene.placed()]
    assert (len(names), len(set(names))) == (2, 1)  # the second is the venue's own doing
