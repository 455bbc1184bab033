"""`on_system` (ST1): a strategy hears when its market, or its right to trade, changes."""

from __future__ import annotations

import json
from typing import Any

from tests.environments.test_live_engine import (
    MS,
    SECOND,
    SYMBOL,
    Quoter,
    engine_of,
    hear,
    order_update,
    rows,
)

from veloz import SystemEvent

STREAM = "btcusdt@depth@100ms"


class Watcher(Quoter):
    """A quoter that writes down what happens around it, and takes its orders back."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[SystemEvent] = []

    def on_system(self, event: SystemEvent) -> None:
        self.events.append(event)
        if event.kind == "market_stale":
            self.cancel_all(event.symbol)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


def asked(engine: Any, at: int) -> list[str]:
    """Kinds of the requests that leave; each order is accepted at once."""
    kinds: list[str] = []
    for request in engine.take_requests():
        kinds.append(request.kind)
        if request.kind == "place":
            engine.user_frame(0, order_update(request, T=at // MS), at)
    return kinds


def test_a_hole_in_the_book_is_told_until_a_snapshot_joins() -> None:
    strategy = Watcher()
    engine = engine_of(strategy)
    heard = rows(1_200)
    engine.start(heard[0].ts_recv)
    snapshot = next(row for row in heard if row.is_rest)
    depth = [row for row in heard if "depthUpdate" in row.data]
    middle = len(depth) // 2
    lost, after, joining = depth[middle], depth[middle + 1], depth[middle + 4]
    for row in heard[: heard.index(joining) + 1]:
        if row is not lost:
            hear(engine, row)
    (hole,) = strategy.events
    assert (hole.kind, hole.symbol) == ("market_stale", SYMBOL)
    assert hole.reason == "the book has a hole and is built anew"
    assert hole.ts_ns == after.ts_recv
    assert repr(hole) == f"SystemEvent(market_stale on {SYMBOL}: {hole.reason})"

    body = json.loads(snapshot.data)
    body["lastUpdateId"] = json.loads(joining.data)["data"]["u"]
    # levels far from the touch: what came meanwhile crosses none of them
    body["bids"], body["asks"] = body["bids"][-1:], body["asks"][-1:]
    at = joining.ts_recv + MS
    engine.rest_body(0, snapshot.url, json.dumps(body).encode(), at)
    ready = strategy.events[-1]
    assert (ready.kind, ready.symbol, ready.reason) == ("market_ready", SYMBOL, "")
    assert ready.ts_ns == at
    assert len(strategy.events) == 2


def test_orders_that_are_given_in_on_system_leave_and_come_again() -> None:
    strategy = Watcher()
    engine = engine_of(strategy)
    heard = rows(1_500)
    engine.deposit(0, "USDT", "100000", heard[0].ts_recv)
    engine.start(heard[0].ts_recv)
    for row in heard:
        hear(engine, row)
        asked(engine, row.ts_recv)
    assert engine.open_orders(0)
    at = heard[-1].ts_recv + SECOND
    engine.stale(0, [STREAM], "silent for 3 s", at)
    assert strategy.events[-1].kind == "market_stale"
    assert strategy.events[-1].reason == f"the stream {STREAM} is silent"
    assert "cancel" in asked(engine, at)
    engine.stale(0, [STREAM], "silent for 4 s", at + SECOND)
    engine.fresh(0, [STREAM], at + 2 * SECOND)
    assert strategy.kinds()[-2:] == ["market_stale", "market_ready"]

    trading, market = engine.journal_pending(), engine.market_pending()
    again = Watcher()
    last = engine.journal_sequence
    assert engine_of(again).verify(trading, market) == last
    # the market is heard again up to the last batch of orders, and the cancels were the last
    assert again.kinds() == strategy.kinds()[:-1]


def test_what_is_frozen_is_told_to_whom_it_concerns() -> None:
    strategy = Watcher()
    engine = engine_of(strategy)
    heard = rows(300)
    engine.start(heard[0].ts_recv)
    for row in heard:
        hear(engine, row)
    at = heard[-1].ts_recv
    del strategy.events[:]
    engine.unsynced(0, "the private stream was lost", at)
    engine.synced(0, at, at + SECOND)
    assert strategy.kinds() == ["frozen", "released"]
    assert "the private stream was lost" in strategy.events[0].reason
    assert strategy.events[0].symbol is None
    state, last = engine.state_hash(), engine.journal_sequence
    trading, market = engine.journal_pending(), engine.market_pending()
    fresh = Watcher()
    restarted = engine_of(fresh, epoch=2)
    restarted.recover([trading])
    assert restarted.state_hash() == state
    assert fresh.events == []
    again = Watcher()
    assert engine_of(again).verify(trading, market) == last
    assert again.kinds()[-2:] == ["frozen", "released"]


def change(number: int, bids: list[list[str]], at: int) -> str:
    """A depth message of ten updates that follows the one with the number before."""
    body = {"e": "depthUpdate", "E": at // MS, "T": at // MS, "s": "BTCUSDT", "b": bids, "a": []}
    ids = {"U": 10 * number - 9, "u": 10 * number, "pu": 10 * number - 10}
    return json.dumps({"stream": STREAM, "data": {**body, **ids}})


def test_a_thin_book_is_not_fetched_for_ever() -> None:
    """F-B06: a price that leaves one new snapshot after the other has left nothing unknown."""
    strategy = Watcher()
    engine = engine_of(strategy)
    snapshot = next(row for row in rows(1_200) if row.is_rest)
    at = snapshot.ts_recv
    engine.start(at)
    price, number, fetched = 27_000, 100, 0
    body: dict[str, Any] = {"E": at // MS, "T": at // MS, "asks": [["27001.0", "1.000"]]}
    for _ in range(40):
        at += 100 * MS
        number += 1
        moved = [[f"{price}.0", "0.000"], [f"{price - 1}.0", "1.000"]]
        price -= 1
        engine.frame(0, change(number, moved, at).encode(), at)
        if engine.books_to_rebuild(0):
            fetched += 1
            at += MS
            held = {"lastUpdateId": 10 * number + 5, "bids": [[f"{price}.0", "1.000"]]}
            engine.rest_body(0, snapshot.url, json.dumps({**body, **held}).encode(), at)
    assert fetched == 3  # once to begin, twice to find that there are no more levels
    assert strategy.market.is_ready
    assert strategy.kinds() == ["market_stale", "market_ready"] * 3
    # much later it is asked again: what was whole then may be cut now
    at += 60 * SECOND
    engine.frame(0, change(number + 2, [[f"{price}.0", "2.000"]], at).encode(), at)  # a hole
    assert engine.books_to_rebuild(0) == ["BTCUSDT"]
