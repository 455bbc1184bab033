"""Whatever clients do, money and contracts only move: nothing appears and nothing is lost (O16)."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import SYMBOLS, Walker

from veloz.exchange.events import BookChange, OrderEvent
from veloz.exchange.words import Market

STEPS = 120


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_every_step_of_a_random_walk_adds_up(seed: int) -> None:
    walker = Walker(seed)
    exchange = walker.world.exchange
    for _ in range(STEPS):
        walker.step()
        assert exchange.imbalance() == {}
        for name in exchange.accounts():
            for balance in exchange.account(name, Market.SPOT).balances:
                assert balance.free >= 0, balance
                assert balance.locked >= 0, balance
        orders = [o for n in "abc" for m in Market for o in exchange.open_orders(n, m)]
        assert all(order.left > 0 or order.quote_qty for order in orders)


def test_walks_do_what_they_are_for() -> None:
    """Liquidations, triggers, self-trade prevention and fills all happen in some walk."""
    seen: set[str] = set()
    done = refused = 0
    for seed in range(12):
        walker = Walker(seed)
        for _ in range(200):
            walker.step()
        done, refused = done + walker.done, refused + walker.refused
        for event in walker.world.events:
            seen.add(type(event).__name__)
            if isinstance(event, OrderEvent):
                seen.add(event.execution.value)
                seen.add(event.reason.value)
                seen.add(event.order.type.value)
        assert walker.world.exchange.imbalance() == {}
    assert refused < done / 2
    assert seen >= {"TRADE", "CANCELED", "EXPIRED", "REPLACED", "AMENDMENT", "CALCULATED"}
    assert seen >= {"STP", "IOC", "OCO_TRIGGER", "LIQUIDATION", "AlgoEvent", "FundingEvent"}


def test_changes_of_a_book_add_up_to_its_depth() -> None:
    """Who applies every change to an empty book has the depth that the exchange shows."""
    for seed in range(6):
        walker = Walker(seed)
        for _ in range(150):
            walker.step()
        for market in Market:
            symbol = SYMBOLS[market]
            sides: dict[str, dict[Any, Any]] = {"bids": {}, "asks": {}}
            last = 0
            changes = [
                e
                for e in walker.world.events
                if isinstance(e, BookChange) and (e.market, e.symbol) == (market, symbol)
            ]
            for change in changes:
                if market is Market.SPOT:
                    assert change.first_id == last + 1
                assert change.previous_id == last
                assert change.first_id <= change.last_id
                last = change.last_id
                for name, side in sides.items():
                    for price, qty in getattr(change, name):
                        side[price] = qty
            depth = walker.world.exchange.depth(market, symbol, 10_000)
            assert depth.last_update_id == last
            for name, side in sides.items():
                wanted = sorted(((p, q) for p, q in side.items() if q), reverse=name == "bids")
                assert list(getattr(depth, name)) == wanted
