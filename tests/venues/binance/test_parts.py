"""The small parts on their own: subscriptions, silence, overlap, listings, paging."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.binance.trading import Trader
from veloz.venues.binance import listings
from veloz.venues.binance.rest import RestAnswer
from veloz.venues.binance.rollover import Overlap, event_place, planned_age_s
from veloz.venues.binance.staleness import Arrivals
from veloz.venues.binance.subscriptions import ControlBudget, Subscriptions

S = 1_000_000_000


def trade(number: int, stream: str = "a@trade") -> bytes:
    event = {"e": "trade", "E": 1, "s": stream[0].upper(), "t": number}
    return json.dumps({"stream": stream, "data": event}).encode()


# Overlap


@given(
    seed=st.integers(0, 10_000),
    lag=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    begins=st.integers(0, 30),
)
@settings(max_examples=300, deadline=None)
def test_f_a01_whatever_the_lags_each_event_passes_once_and_in_order(
    seed: int, lag: tuple[int, int], begins: int
) -> None:
    dice, at, arrivals = Random(seed), [0, 0], []
    for number in range(60):
        for new in (0, 1):
            if new and number < begins:
                continue
            at[new] = max(at[new], number * 3 + dice.randint(0, lag[new]))
            arrivals.append((at[new], new, number))
    overlap, passed = Overlap(), []
    overlap.ready()
    for when, new, number in sorted(arrivals, key=lambda a: (a[0], a[1])):
        for payload, _ in overlap.admit((trade(number), 0), when, is_successor=bool(new)):
            passed.append(json.loads(payload)["data"]["t"])
    passed += [json.loads(p)["data"]["t"] for p, _ in overlap.release()]
    assert passed == list(range(60))


def test_a_lane_that_only_the_successor_hears_waits_for_the_old_ones_end() -> None:
    overlap = Overlap()
    overlap.ready()
    assert overlap.admit((trade(5), 0), 0, is_successor=True) == []
    assert not overlap.is_joined
    assert overlap.release(older_than_ns=0) == []
    assert [json.loads(p)["data"]["t"] for p, _ in overlap.release(older_than_ns=1)] == [5]


def test_a_closed_bar_has_one_place_whatever_its_event_time() -> None:
    def bar(event_ms: int, *, is_closed: bool) -> bytes:
        k = {"t": 60, "T": 119, "s": "A", "x": is_closed, "L": 9}
        data = {"e": "kline", "E": event_ms, "s": "A", "k": k}
        return json.dumps({"stream": "a@kline_1m", "data": data}).encode()

    assert event_place(bar(1, is_closed=True)) == event_place(bar(2, is_closed=True))
    running, closed = event_place(bar(3, is_closed=False)), event_place(bar(3, is_closed=True))
    assert running is not None
    assert closed is not None
    assert running[1] < closed[1]


@pytest.mark.parametrize(
    "payload", [b"", b"[1]", b'{"stream":1}', b'{"stream":"x","data":{"e":"y"}}']
)
def test_frames_without_a_place_are_no_events(payload: bytes) -> None:
    assert event_place(payload) is None


def test_the_planned_age_is_short_of_a_day() -> None:
    ages = [planned_age_s(Random(seed)) for seed in range(200)]
    assert min(ages) >= 23 * 3600
    assert max(ages) <= 23.5 * 3600


# Subscriptions


def said(subs: Subscriptions, now_ns: int = 0) -> dict[str, Any] | None:
    message = subs.next_message(now_ns)
    return None if message is None else json.loads(message)


def test_f_a06_a_message_without_an_answer_is_said_again() -> None:
    subs = Subscriptions(["a", "b"])
    assert said(subs) == {"method": "SUBSCRIBE", "id": 1, "params": ["a", "b"]}
    assert said(subs, S) is None
    again = said(subs, 6 * S)
    assert again is not None
    assert (again["id"], again["params"]) == (2, ["a", "b"])
    subs.answered(b'{"result":null,"id":1}', 7 * S)  # too late: nobody waits for it
    assert subs.unconfirmed == ("a", "b")
    subs.answered(b'{"result":null,"id":2}', 7 * S)
    assert subs.is_complete


def test_what_is_not_wanted_any_more_is_unsubscribed() -> None:
    subs = Subscriptions(["a", "b"], confirmed=["a", "b"])
    subs.unwant(["a"])
    assert said(subs) == {"method": "UNSUBSCRIBE", "id": 1, "params": ["a"]}
    subs.answered(b'{"result":null,"id":1}', 0)
    assert subs.is_complete
    assert subs.confirmed == ("b",)


def test_f_a06_the_venues_own_list_outranks_acknowledgements() -> None:
    subs = Subscriptions(["a", "b"], confirmed=["a", "b"])
    subs.audit()
    assert said(subs) == {"method": "LIST_SUBSCRIPTIONS", "id": 1}
    subs.answered(b'{"result":["b"],"id":1}', 0)
    assert (subs.unconfirmed, subs.dropped_total) == (("a",), 1)


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b'{"id":null}', b'{"result":1,"id":99}'])
def test_other_answers_are_passed_over(payload: bytes) -> None:
    subs = Subscriptions(["a"])
    said(subs)
    subs.answered(payload, 0)
    assert subs.unconfirmed == ("a",)


def test_f_a05_one_message_a_second_is_left_for_pings() -> None:
    budget = ControlBudget(5)
    assert [budget.take(0) for _ in range(6)] == [True] * 4 + [False] * 2
    assert not budget.take(S - 1)
    assert budget.take(S)


# Silence


def test_f_a03_a_stream_by_the_clock_is_stale_after_five_periods() -> None:
    arrivals = Arrivals()
    arrivals.expect("btcusdt@markPrice@1s", 0)
    assert arrivals.tick(6 * S) == ([], [])
    assert arrivals.tick(8 * S) == (["btcusdt@markPrice@1s"], [])
    assert arrivals.is_silent
    arrivals.last["btcusdt@markPrice@1s"] = 9 * S
    assert arrivals.tick(9 * S) == ([], ["btcusdt@markPrice@1s"])


def test_f_b05_a_stream_on_change_is_judged_by_its_own_longest_silence() -> None:
    arrivals = Arrivals()
    arrivals.expect("btcusdt@trade", 0)
    assert arrivals.silence_allowed_s("btcusdt@trade") == 60.0
    now = 0
    for gap in (1, 5, 2, 8, 3):
        now += gap * S
        arrivals.last["btcusdt@trade"] = now
        arrivals.tick(now)
    allowed = arrivals.silence_allowed_s("btcusdt@trade")
    assert allowed is not None
    assert 46.0 < allowed <= 48.0


def test_liquidations_may_stay_away_for_ever() -> None:
    arrivals = Arrivals()
    arrivals.expect("!forceOrder@arr", 0)
    assert arrivals.tick(10**6 * S) == ([], [])
    assert not arrivals.is_silent


# Listings


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"code":-1}', b"[1]", b'[{"x":1}]', b"null"]
)
@pytest.mark.parametrize(
    "read", [listings.orders, listings.fills, listings.positions, listings.balances]
)
def test_f_e09_what_is_no_whole_listing_is_none(read: Any, body: bytes) -> None:
    assert read(RestAnswer("u", 200, body, 0)) is None
    assert read(RestAnswer("u", 502, b"[]", 0)) is None


def test_f_k03_half_of_a_surrogate_pair_is_no_name_of_an_asset() -> None:
    row = '[{"asset":"%s","free":"1","locked":"0"}]'
    whole, half = (f'{{"balances":{row % name}}}' for name in (r"\ud83d\ude00", r"\ud83d"))
    assert listings.balances(RestAnswer("u", 200, whole.encode(), 0)) == {"\U0001f600": Decimal(1)}
    assert listings.balances(RestAnswer("u", 200, half.encode(), 0)) is None


# Resolution


def test_f_f09_a_full_page_is_followed_to_the_end_before_anything_is_absent() -> None:
    trader = Trader(90)
    trader.till.effects["place"] = deque(["lost"])
    everything = trader.till._all_orders

    def page(asked: dict[str, Any]) -> Any:
        since = int(asked.get("orderId", 0))
        return [order for order in everything(asked) if order["orderId"] >= since][:1000]

    async def main() -> str:
        async with trader.running():
            asked = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "1"}
            for number in range(1500):
                trader.till._place({**asked, "price": "1", "newClientOrderId": f"web_{number}"})
                trader.till._cancel_all({})
            trader.till._all_orders = page  # type: ignore[method-assign]
            name = trader.place()
            await asyncio.sleep(60.0)
        return name

    name = trader.world.run(main())
    assert trader.engine.status(name) == "absent"
    asked = [params for _, path, params in trader.till.asked if path.endswith("allOrders")]
    assert [params.get("orderId") for params in asked] == [None, "1100"]


def test_f_c04_a_listing_outranks_a_query_that_misses() -> None:
    trader = Trader(91)
    trader.till.effects["place"] = deque(["mute"])
    trader.till.sends_events = False
    trader.till.effects["query"] = deque(["code:-2013"] * 100)

    async def main() -> str:
        async with trader.running():
            trader.till._open_orders = lambda asked: []  # type: ignore[method-assign]
            name = trader.place()
            await asyncio.sleep(60.0)
        return name

    name = trader.world.run(main())
    assert trader.engine.status(name) == "NEW"
    assert trader.engine.words("absent") == []
