"""The private stream: expiry, silence, holes, roll-over; and that a hole is always repaired."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from tests.venues.binance.test_gateway import acted
from tests.venues.binance.trading import Trader
from veloz.venues.binance.user_stream import Twins
from veloz.venues.binance.ws_api import SessionTimes

MARKETS = ["spot", "usdm"]


def cut_private(trader: Trader) -> None:
    """Cuts the links that carry private events."""
    for link in list(trader.world.network.links):
        for peer in trader.till.peers:
            is_private = "user" in peer.streams or "listenKey" in peer.request.query
            if peer.connection is link.far and is_private:
                link.cut()


@pytest.mark.parametrize("market", MARKETS)
def test_f_a07_what_happened_during_a_break_is_found_before_the_account_is_synced(
    market: str,
) -> None:
    trader = Trader(30, market)

    async def act() -> list[str]:
        names = [trader.place() for _ in range(3)]
        await asyncio.sleep(1.0)
        trader.world.network.refuse = lambda dial: "connect" if dial.kind == "ws" else None
        cut_private(trader)
        await asyncio.sleep(1.0)
        assert not trader.engine.is_synced
        trader.till.trade(names[0], "1")
        trader.till.trade(names[1], "0.5")
        trader.till._cancel({"origClientOrderId": names[2]})
        await asyncio.sleep(5.0)
        assert trader.engine.position() == 0
        trader.world.network.refuse = lambda dial: None
        return names

    names = acted(trader, act)
    states = [trader.engine.status(name) for name in names]
    assert states == ["FILLED", "PARTIALLY_FILLED", "CANCELED"]
    assert trader.reconciler.fills_found == 2
    assert trader.engine.is_synced


@pytest.mark.parametrize("market", MARKETS)
def test_f_a08_an_ended_stream_is_opened_anew_and_its_hole_repaired(market: str) -> None:
    trader = Trader(31, market)

    async def act() -> str:
        name = trader.place()
        await asyncio.sleep(1.0)
        if market == "spot":
            trader.till.say_private({"e": "eventStreamTerminated", "E": trader.till.now_ms()})
            for peer in trader.till.peers:
                peer.streams.pop("user", None)
        else:
            expired = {"e": "listenKeyExpired", "E": trader.till.now_ms(), "listenKey": "key0"}
            trader.till.say_private(expired)
            trader.till.dead_keys.append("key0")
        await asyncio.sleep(0.001)
        trader.till.trade(name, "1")
        return name

    name = acted(trader, act)
    assert trader.engine.status(name) == "FILLED"
    assert trader.stream.counts["expiries"] == 1
    assert trader.engine.is_synced


def test_f_a08_a_key_that_died_in_silence_is_found_by_its_renewal() -> None:
    """F-A08: the venue says nothing, the socket stays up, -1125 comes with the next PUT."""
    trader = Trader(32, "usdm")

    async def act() -> str:
        name = trader.place()
        await asyncio.sleep(60.0)
        trader.till.dead_keys.append("key0")
        trader.till.trade(name, "0.5")
        await asyncio.sleep(1800.0)
        trader.till.trade(name, "0.5")
        return name

    name = acted(trader, act)
    assert trader.engine.status(name) == "FILLED"
    assert trader.till.listen_keys == ["key0", "key1"]
    assert trader.stream.counts["expiries"] == 1


@pytest.mark.parametrize("market", MARKETS)
def test_f_a03_no_event_after_an_answer_makes_the_stream_suspect(market: str) -> None:
    trader = Trader(33, market)

    async def act() -> str:
        await asyncio.sleep(10.0)
        if market == "usdm":
            trader.till.dead_keys.append("key0")
        for peer in trader.till.peers:
            peer.streams.pop("user", None)
        name = trader.place()
        trader.till.sends_events = True
        await asyncio.sleep(1.0)
        trader.till.trade(name, "1")
        return name

    name = acted(trader, act)
    assert trader.stream.counts["suspicions"] == 1
    assert trader.engine.status(name) == "FILLED"


def test_a_listen_key_is_renewed_twice_an_hour() -> None:
    trader = Trader(34, "usdm")

    async def act() -> None:
        await asyncio.sleep(4 * 3600.0)

    acted(trader, act)
    renewals = [
        path for method, path, _ in trader.till.asked if (method, path[-9:]) == ("PUT", "listenKey")
    ]
    assert len(renewals) == 8
    assert trader.till.listen_keys == ["key0"]
    assert trader.stream.counts["holes"] == 0


@pytest.mark.parametrize("market", MARKETS)
def test_f_a01_private_events_come_once_over_many_roll_overs(market: str) -> None:
    trader = Trader(35, market, session_times=SessionTimes(age_s=20.0, retire_s=5.0))

    async def act() -> str:
        name = trader.place(qty="100")
        for _ in range(90):
            await asyncio.sleep(3.0)
            trader.till.trade(name, "1")
        return name

    name = acted(trader, act)
    assert trader.engine.filled(name) == Decimal(90)
    assert trader.stream._session.counts["rollovers"] >= 10
    assert trader.stream.counts["duplicates"] > 0
    assert trader.stream.counts["events"] == 91
    assert trader.stream.counts["holes"] == 0


def test_f_k01_an_event_that_cannot_be_read_forces_a_resync() -> None:
    trader = Trader(36)

    async def act() -> str:
        name = trader.place()
        await asyncio.sleep(1.0)
        rounds = trader.reconciler.rounds
        trader.till.sends_events = False
        trader.till.trade(name, "1")
        trader.till.sends_events = True
        trader.till.say_private({"e": "executionReport", "E": 1, "s": "BTCUSDT", "i": "x"})
        await asyncio.sleep(5.0)
        assert trader.reconciler.rounds > rounds
        return name

    name = acted(trader, act)
    assert trader.stream.counts["unreadable"] == 1
    assert trader.engine.status(name) == "FILLED"


def test_f_b08_f_d02_an_event_with_something_unknown_in_it_forces_a_resync() -> None:
    trader = Trader(37)
    user_frame = trader.engine.user_frame

    def half_known(account: int, payload: bytes | memoryview, ts_recv_ns: int) -> int:
        trader.engine.user_frame = user_frame  # type: ignore[method-assign]
        return 1

    async def act() -> str:
        name = trader.place()
        await asyncio.sleep(1.0)
        trader.engine.user_frame = half_known  # type: ignore[method-assign]
        trader.till.trade(name, "1")
        return name

    name = acted(trader, act)
    assert trader.engine.status(name) == "FILLED"
    assert trader.reconciler.fills_found == 1


def test_an_event_that_happens_twice_is_delivered_twice() -> None:
    twins = Twins()
    firsts = [twins.is_first(socket, b"same") for socket in (1, 1, 2, 2, 2, 1)]
    assert firsts == [True, True, False, False, True, False]
