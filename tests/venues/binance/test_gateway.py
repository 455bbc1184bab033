"""Orders on a bad network: what is known, what is unknown, and that nothing is sent twice."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.venues.binance.trading import Trader
from veloz.net.limits import Priority
from veloz.net.simulated import Fate, Parcel
from veloz.venues.binance.gateway import GatewayTimes
from veloz.venues.binance.ws_api import SessionTimes

MARKETS = ["spot", "usdm"]
SETTLED_S = 60.0


def acted(trader: Trader, act: Any, *, settle_s: float = SETTLED_S) -> Any:
    """Runs `act` on a synced trader, lets it settle, checks the oracles."""

    async def main() -> Any:
        async with trader.running():
            result = await act()
            await asyncio.sleep(settle_s)
        return result

    result = trader.world.run(main())
    assert trader.resolver.open == 0
    assert trader.gateway.pending == 0
    trader.check()
    return result


@pytest.mark.parametrize("market", MARKETS)
def test_an_order_is_placed_filled_and_cancelled(market: str) -> None:
    trader = Trader(1, market)

    async def act() -> tuple[str, str]:
        one, two = trader.place(), trader.place(side="sell", price="1.60")
        await asyncio.sleep(1.0)
        assert [trader.engine.status(name) for name in (one, two)] == ["NEW", "NEW"]
        trader.till.trade(one, "0.4")
        trader.till.trade(one, "0.6")
        trader.cancel(two)
        return one, two

    one, two = acted(trader, act)
    assert (trader.engine.status(one), trader.engine.filled(one)) == ("FILLED", 1)
    assert trader.engine.status(two) == "CANCELED"
    assert trader.gateway.counts["by_rest"] == 0
    assert trader.engine.words("unknown", "refused", "not_sent") == []


@pytest.mark.parametrize("market", MARKETS)
def test_f_c01_a_request_that_was_lost_is_absent_only_past_its_deadline(market: str) -> None:
    """F-C01, rule 2: receive window and margin pass, then a full listing, then `absent`."""
    trader = Trader(2, market)
    trader.till.effects["place"] = deque(["lost"])
    seen: list[str] = []

    async def act() -> str:
        name = trader.place()
        for _ in range(30):
            await asyncio.sleep(1.0)
            seen.append(trader.engine.status(name))
        return name

    name = acted(trader, act)
    assert set(seen[6:]) == {"unknown"}
    assert trader.engine.status(name) == "absent"
    assert trader.till.placed == []
    assert trader.resolver.counts["misses"] > 3


@pytest.mark.parametrize("market", MARKETS)
def test_f_c01_a_lost_request_ends_though_an_older_order_trades(market: str) -> None:
    """O11: the listing since the request lacks the older order, whose trade it has."""
    trader = Trader(2, market)

    async def act() -> str:
        older = trader.place()
        await asyncio.sleep(200.0)
        trader.till.effects["place"] = deque(["lost"])
        name = trader.place()
        await asyncio.sleep(1.0)
        trader.till.trade(older, "1")
        await asyncio.sleep(40.0)
        return name

    assert trader.engine.status(acted(trader, act)) == "absent"
    assert trader.resolver.counts["listings"] >= 1


@pytest.mark.parametrize("market", MARKETS)
def test_f_c02_an_order_whose_answer_was_lost_is_found_and_its_fill_booked_once(
    market: str,
) -> None:
    trader = Trader(3, market)
    trader.till.effects["place"] = deque(["mute"])
    trader.till.sends_events = False

    async def act() -> str:
        name = trader.place()
        await asyncio.sleep(1.0)
        trader.till.trade(name, "1")
        await asyncio.sleep(10.0)
        assert "found" in trader.engine.words("found")
        trader.till.sends_events = True
        await trader.reconciler.once()
        return name

    name = acted(trader, act)
    assert trader.engine.status(name) == "FILLED"
    assert trader.till.placed == [name]
    assert trader.engine.words("unknown") == ["unknown"]


@pytest.mark.parametrize("code", ["done_code:-1007", "done_code:-1001", "html"])
def test_f_c02_f_c06_f_f05_an_answer_that_proves_nothing_is_unknown(code: str) -> None:
    """F-C02, F-C06, F-F03, F-F05: done at the venue, and told so in no readable word."""
    trader = Trader(4)
    trader.till.effects["place"] = deque([code])
    trader.till.sends_events = False

    async def act() -> str:
        name = trader.place()
        await asyncio.sleep(8.0)
        return name

    name = acted(trader, act)
    assert trader.engine.words("unknown") == ["unknown"]
    assert trader.engine.status(name) == "NEW"
    assert trader.till.placed == [name]


def test_f_c03_an_order_that_is_placed_later_is_the_same_order() -> None:
    trader = Trader(5)
    trader.till.effects["place"] = deque(["late:9"])

    async def act() -> str:
        return trader.place()

    name = acted(trader, act)
    assert trader.engine.status(name) == "NEW"
    assert trader.till.placed == [name]
    assert trader.resolver.counts["misses"] >= 1
    assert trader.engine.words("absent") == []


def test_f_c04_not_found_from_a_lagging_table_changes_nothing() -> None:
    trader = Trader(6)
    trader.till.effects["place"] = deque(["mute"])
    trader.till.sends_events = False
    trader.till.lag_s = 20.0

    async def act() -> str:
        name = trader.place()
        await asyncio.sleep(15.0)
        assert trader.engine.status(name) == "unknown"
        return name

    name = acted(trader, act)
    assert trader.engine.status(name) == "NEW"
    assert trader.engine.words("absent") == []


def test_f_c04_an_acknowledged_order_stays_accepted_though_no_table_shows_it() -> None:
    trader = Trader(7)
    trader.till.lag_s = 5.0

    async def act() -> str:
        name = trader.place()
        await asyncio.sleep(1.0)
        await trader.reconciler.once()
        assert trader.engine.status(name) == "NEW"
        return name

    acted(trader, act)
    assert [d.kind for d in trader.engine.differences] == ["order_missing_there"]
    assert trader.engine.words("absent") == []


def test_f_c05_a_duplicate_refusal_is_evidence_that_the_order_exists() -> None:
    trader = Trader(8)
    trader.till.effects["place"] = deque(["done_code:-2010"])
    trader.till.sends_events = False

    async def act() -> str:
        return trader.place()

    name = acted(trader, act)
    assert trader.engine.status(name) == "NEW"
    assert trader.engine.words("refused", "unknown") == ["unknown"]


@pytest.mark.parametrize(("effect", "traded"), [("mute", ""), ("lost", ""), ("lost", "1")])
@pytest.mark.parametrize("market", MARKETS)
def test_f_c07_an_ambiguous_cancel_is_asked_for(market: str, effect: str, traded: str) -> None:
    trader = Trader(9, market)
    trader.till.effects["cancel"] = deque([effect])

    async def act() -> str:
        name = trader.place()
        await asyncio.sleep(1.0)
        trader.till.sends_events = False
        trader.cancel(name)
        if traded:
            trader.till.trade(name, traded)
        await asyncio.sleep(1.0)
        trader.till.sends_events = True
        await asyncio.sleep(40.0)
        await trader.reconciler.once()
        return name

    name = acted(trader, act)
    lapsed = effect == "lost" and not traded
    status = "NEW" if lapsed else ("FILLED" if traded else "CANCELED")
    assert trader.engine.status(name) == status
    assert trader.engine.words("lapsed") == (["lapsed"] if lapsed else [])
    assert trader.till.placed == [name]
    assert len(trader.till.cancels) <= 1


def test_f_c07_unknown_order_on_a_cancel_is_not_taken_as_never_placed() -> None:
    trader = Trader(10)

    async def act() -> str:
        name = trader.place()
        await asyncio.sleep(1.0)
        trader.till.sends_events = False
        trader.till.trade(name, "1")
        trader.cancel(name)  # -2011: it is filled
        await asyncio.sleep(5.0)
        trader.till.sends_events = True
        await trader.reconciler.once()
        return name

    name = acted(trader, act)
    assert trader.engine.status(name) == "FILLED"
    assert ("refused", (2, "unknown_order", -2011)) in trader.engine.told


def test_f_c09_each_order_of_a_batch_has_its_own_outcome() -> None:
    trader = Trader(11, "usdm")
    trader.till.effects["batch_part"] = deque(["0", "-2019", "0"])

    async def act() -> list[str]:
        trader.world.network.refuse = trader.refuse_ws
        for link in list(trader.world.network.links):
            link.cut()
        await asyncio.sleep(0.1)
        names = [trader.engine.place() for _ in range(3)]
        trader.gateway.pump()
        await asyncio.sleep(2.0)
        trader.world.network.refuse = lambda dial: None
        return names

    names = acted(trader, act)
    assert [trader.engine.status(name) for name in names] == ["NEW", "rejected", "NEW"]
    assert trader.gateway.counts["by_rest"] == 1


def test_f_c09_a_batch_without_an_answer_leaves_each_unknown() -> None:
    trader = Trader(12, "usdm")
    trader.till.effects["batch"] = deque(["mute"])

    async def act() -> list[str]:
        trader.world.network.refuse = trader.refuse_ws
        for link in list(trader.world.network.links):
            link.cut()
        await asyncio.sleep(0.1)
        names = [trader.engine.place() for _ in range(3)]
        trader.gateway.pump()
        await asyncio.sleep(2.0)
        trader.world.network.refuse = lambda dial: None
        return names

    names = acted(trader, act)
    assert trader.engine.words("unknown") == ["unknown"] * 3
    assert [trader.engine.status(name) for name in names] == ["NEW"] * 3
    assert trader.till.placed == names


def test_f_c10_f_a09_a_request_that_waited_too_long_is_definitely_not_sent() -> None:
    trader = Trader(13, times=GatewayTimes(queue_s=2.0))

    async def act() -> str:
        trader.budget.is_closed = True
        name = trader.place()
        await asyncio.sleep(3.0)
        trader.budget.is_closed = False
        return name

    name = acted(trader, act)
    assert trader.engine.status(name) == "not_sent"
    assert trader.till.placed == []
    assert trader.engine.words("unknown") == []


def test_f_a09_nothing_is_written_behind_a_peer_that_does_not_read() -> None:
    trader = Trader(14)

    async def act() -> list[str]:
        (link,) = [k for k in trader.world.network.links if not _is_private(trader, k)]
        link.stall(to_server=True)
        names = [trader.place() for _ in range(400)]
        await asyncio.sleep(4.0)
        link.cut()
        return names

    names = acted(trader, act, settle_s=120.0)
    states = [trader.engine.status(name) for name in names]
    assert set(states) == {"not_sent", "absent"}
    assert states.count("not_sent") > 0
    assert trader.till.placed == []


def _is_private(trader: Trader, link: Any) -> bool:
    peers = [p for p in trader.till.peers if p.connection is link.far]
    return bool(peers) and "user" in peers[0].streams


def test_f_a02_a_lost_order_connection_makes_what_was_written_unknown() -> None:
    trader = Trader(15)

    def judge(parcel: Parcel) -> Fate:
        return Fate(cut="after") if b"order.place" in parcel.payload else Fate()

    async def act() -> str:
        trader.world.network.judge = judge
        return trader.place()

    name = acted(trader, act)
    assert trader.engine.words("unknown") == ["unknown"]
    assert trader.engine.status(name) == "NEW"
    assert trader.till.placed == [name]


def test_rest_is_the_fall_back_only_for_what_was_not_written() -> None:
    trader = Trader(16)

    async def act() -> str:
        trader.world.network.refuse = trader.refuse_ws
        for link in list(trader.world.network.links):
            link.cut()
        await asyncio.sleep(0.1)
        name = trader.place()
        await asyncio.sleep(1.0)
        assert trader.engine.status(name) == "NEW"
        trader.world.network.refuse = lambda dial: None
        return name

    name = acted(trader, act)
    assert trader.gateway.counts["by_rest"] == 1
    assert trader.till.placed == [name]
    assert trader.engine.words("unknown") == []


def test_f_d01_f_d03_f_d08_reports_in_any_order_and_number_give_one_truth() -> None:
    """F-D01, F-D03, F-D08: every private frame is doubled and may be overtaken; acks come last."""
    trader = Trader(17)
    dice = trader.world.dice("disorder")

    def judge(parcel: Parcel) -> Fate:
        if parcel.to_server or parcel.kind != "text":
            return Fate()
        if b"executionReport" in parcel.payload:
            return Fate(copies=2, delay_ns=dice.randrange(400_000_000), overtaken=True)
        return Fate(delay_ns=300_000_000)

    async def act() -> list[str]:
        trader.world.network.judge = judge
        names = [trader.place() for _ in range(10)]
        await asyncio.sleep(0.1)
        for name in names:
            trader.till.trade(name, "0.3")
            trader.till.trade(name, "0.7")
        return names

    names = acted(trader, act)
    assert [trader.engine.filled(name) for name in names] == [Decimal(1)] * 10


def test_cancels_overtake_orders_when_the_limits_are_short() -> None:
    trader = Trader(18)

    async def act() -> None:
        first = trader.place()
        await asyncio.sleep(1.0)
        trader.budget.is_closed = True
        trader.place()
        trader.cancel(first)
        trader.budget.charged.clear()
        trader.budget.is_closed = False
        trader.gateway.pump()
        await asyncio.sleep(1.0)

    acted(trader, act)
    ranks = [rank for weight, orders, rank in trader.budget.charged if rank <= Priority.ORDER]
    assert ranks[:2] == [Priority.CANCEL, Priority.ORDER]


def test_an_order_that_is_cancelled_before_it_could_be_sent_never_leaves() -> None:
    trader = Trader(31)

    async def act() -> tuple[str, str]:
        trader.budget.is_closed = True
        cancelled, kept = trader.place(), trader.place()
        await asyncio.sleep(0.1)
        trader.cancel(cancelled)
        await asyncio.sleep(0.1)
        trader.budget.is_closed = False
        await asyncio.sleep(1.0)
        return cancelled, kept

    cancelled, kept = acted(trader, act)
    assert trader.till.placed == [kept]
    assert trader.engine.status(cancelled) == "not_sent"
    assert trader.engine.words("refused", "unknown") == []
    assert trader.engine.words("not_sent") == ["not_sent"] * 2  # the order and its cancel
    assert trader.resolver.open == 0


def test_an_order_and_its_cancel_in_one_event_leave_in_that_order() -> None:
    trader = Trader(34)

    async def act() -> str:
        name = trader.engine.place()
        trader.engine.cancel(name)
        trader.gateway.pump()
        await asyncio.sleep(1.0)
        return name

    name = acted(trader, act)
    assert trader.till.placed == [name]
    assert trader.engine.status(name) == "CANCELED"
    assert trader.engine.words("refused", "unknown", "not_sent") == []


def test_a_cancel_overtakes_an_amendment_of_its_order() -> None:
    trader = Trader(32, market="usdm")

    async def act() -> str:
        name = trader.place()
        await asyncio.sleep(1.0)
        trader.budget.is_closed = True
        trader.engine.amend(name, ("1", "1.40"), ("1", "1.50"))
        trader.cancel(name)
        trader.budget.is_closed = False
        trader.gateway.pump()
        await asyncio.sleep(1.0)
        return name

    name = acted(trader, act)
    assert trader.engine.status(name) == "CANCELED"


def test_orders_that_reduce_a_position_go_before_those_that_may_not() -> None:
    trader = Trader(33, market="usdm")

    async def act() -> tuple[str, str]:
        trader.budget.is_closed = True
        opening = trader.place()
        closing = trader.place("sell", is_reducing=True)
        trader.budget.is_closed = False
        trader.gateway.pump()
        await asyncio.sleep(1.0)
        return opening, closing

    opening, closing = acted(trader, act)
    assert trader.till.placed == [closing, opening]


def test_f_l01_no_order_leaves_while_the_venues_time_is_not_known() -> None:
    trader = Trader(19)

    async def act() -> str:
        trader.time.is_known = False
        name = trader.place()
        await asyncio.sleep(1.0)
        trader.time.is_known = True
        return name

    name = acted(trader, act)
    assert trader.engine.status(name) == "not_sent"


def test_f_l01_a_refused_timestamp_is_definite_and_asks_for_the_time() -> None:
    trader = Trader(20)
    trader.till.effects["place"] = deque(["code:-1021"])

    async def act() -> str:
        return trader.place()

    name = acted(trader, act)
    assert trader.engine.status(name) == "rejected"
    assert trader.time.distrusts == 1
    assert trader.engine.words("unknown") == []


def test_f_e10_a_key_that_may_not_trade_freezes_the_account() -> None:
    trader = Trader(21)
    trader.till.effects["place"] = deque(["code:-2015"])

    async def act() -> str:
        return trader.place()

    acted(trader, act)
    (difference,) = trader.engine.differences
    assert (difference.kind, difference.freeze.value) == ("access", "account")


def test_f_a01_orders_under_way_survive_the_roll_over_of_their_connection() -> None:
    trader = Trader(22, session_times=SessionTimes(age_s=20.0, retire_s=5.0))

    async def act() -> list[str]:
        names = []
        for _ in range(300):
            names.append(trader.place())
            await asyncio.sleep(0.5)
        return names

    names = acted(trader, act)
    assert trader.gateway._session.counts["rollovers"] >= 5
    assert trader.engine.words("unknown", "not_sent", "unsynced") == []
    assert [trader.engine.status(name) for name in names] == ["NEW"] * 300


def test_f_c06_a_result_that_the_engine_cannot_read_is_unknown_and_looked_up() -> None:
    trader = Trader(23)
    answered = trader.engine.answered

    def unreadable(number: int, body: bytes, ts_recv_ns: int) -> int:
        trader.engine.answered = answered  # type: ignore[method-assign]
        raise ValueError("a figure with 60 digits")

    trader.engine.answered = unreadable  # type: ignore[method-assign]
    trader.till.sends_events = False

    async def act() -> str:
        return trader.place()

    name = acted(trader, act)
    assert trader.engine.words("unknown", "found") == ["unknown", "found"]
    assert trader.engine.status(name) == "NEW"


def test_f_f01_a_silence_is_heard_in_an_answer_whose_number_is_damaged() -> None:
    """Whosever answer it is: what the venue asks for holds for the address."""
    trader = Trader(24)
    told: list[tuple[int, str]] = []

    def observe(status: int, headers: Mapping[str, str]) -> None:
        told.append((status, headers.get("retry-after", "")))

    async def act() -> None:
        until_ms = trader.world.host("engine").clock.wall_ns() // 1_000_000 + 30_000
        error = {"code": -1003, "msg": "Too much weight used.", "data": {"retryAfter": until_ms}}
        trader.budget.observe = observe  # type: ignore[method-assign]
        refused = json.dumps({"id": "-Infinity", "status": 429, "error": error})
        trader.gateway.received(None, refused.encode(), 0)  # type: ignore[arg-type]

    acted(trader, act)
    assert [status for status, _ in told] == [429]
    assert 25 <= int(told[0][1]) <= 35
    assert trader.gateway.counts["unreadable"] == 1
