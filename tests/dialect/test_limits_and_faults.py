"""Weights, bans, and faults on order: each acts as its catalogue entry says, and is counted."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest

from tests.dialect.rig import SYMBOL, Rig, play
from veloz.errors import ConfigError
from veloz.exchange.words import Market
from veloz.net.doors import ConnectionLost
from veloz.venues.binance.dialect.fault_effects import MARKET, REQUEST, TIME, USER

SPOT, USDM = Market.SPOT, Market.USDM


def plan(fault: str, args: dict[str, Any] | None = None, **when: Any) -> dict[str, Any]:
    return {"seed": 1, "plan": [{"fault": fault, "when": when, "args": args or {}}]}


def test_one_request_too_many_gets_429_and_then_418() -> None:
    async def scene(rig: Rig) -> None:
        query = "symbol=BTCUSDT&limit=5000"  # weight 250 of 6000
        statuses = []
        for _ in range(40):
            found = await rig.raw(SPOT, "GET", "/api/v3/depth", query, peer="9.9.9.9")
            statuses.append(found.status)
        assert statuses == [200] * 24 + [429] * 10 + [418] * 6
        body = json.loads(found.body)
        assert (body["code"], set(body)) == (-1003, {"code", "msg"})  # the wait is in the header
        assert 118 <= int(found.headers["retry-after"]) <= 120
        other = await rig.raw(SPOT, "GET", "/api/v3/ping", peer="8.8.8.8")
        assert other.headers["x-mbx-used-weight-1m"] == "1"
        await asyncio.sleep(121)
        again = await rig.raw(SPOT, "GET", "/api/v3/ping", peer="9.9.9.9")
        assert again.status == 200

    play(scene)


def test_the_two_futures_markets_share_their_limits() -> None:
    async def scene(rig: Rig) -> None:
        await rig.public(USDM, "/depth", symbol="BTCUSDT", limit=1000)
        found = await rig.raw(Market.COINM, "GET", "/dapi/v1/ping")
        assert found.headers["x-mbx-used-weight-1m"] == "21"

    play(scene)


def test_orders_are_counted_and_a_fill_gives_the_count_back_on_spot_only() -> None:
    async def scene(rig: Rig) -> None:
        for market, left in ((SPOT, "0"), (USDM, "1")):
            order = {"symbol": SYMBOL[market], "side": "BUY", "type": "MARKET", "quantity": "0.01"}
            await rig.rest(market, "POST", "/order", **order)
            path = "/api/v3/account" if market is SPOT else "/fapi/v3/account"
            query = f"timestamp={rig.now_ms()}"
            found = await rig.raw(
                market, "GET", path, f"{query}&signature={rig.sign(query)}",
                headers={"x-mbx-apikey": rig.keys[0].api_key},
            )  # fmt: skip
            assert found.headers["x-mbx-order-count-10s"] == left
        for _ in range(101):
            status, body = await rig.place(SPOT, price="59000")
        assert (status, body["code"]) == (429, -1015)
        assert body["msg"] == "Too many new orders; current limit is 100 orders per 10 SECOND."

    play(scene)


def test_an_order_whose_answer_is_lost_was_placed_once() -> None:
    async def scene(rig: Rig) -> None:
        with pytest.raises(ConnectionLost):
            await rig.place(SPOT, newClientOrderId="a")
        assert (await rig.place(SPOT, newClientOrderId="b"))[0] == 200
        _, rows = await rig.rest(SPOT, "GET", "/openOrders")
        assert [row["clientOrderId"] for row in rows] == ["a", "b"]
        assert rig.simulation.faults.counts() == {"F-C02": 1}

    play(scene, plan=plan("F-C02", request="order.place", nth=1))


def test_a_request_lost_on_its_way_was_not_placed() -> None:
    async def scene(rig: Rig) -> None:
        status, body = await rig.place(USDM)
        assert (status, body["code"]) == (503, -1000)
        assert body["msg"].startswith("Unknown error, please check your request")
        _, rows = await rig.rest(USDM, "GET", "/openOrders")
        assert rows == []

    play(scene, plan=plan("F-C01", {"answer": "503"}, nth=1))


def test_an_order_that_was_not_found_appears_later() -> None:
    async def scene(rig: Rig) -> None:
        status, body = await rig.place(SPOT, newClientOrderId="late")
        assert (status, body["code"]) == (408, -1007)
        key = {"symbol": "BTCUSDT", "origClientOrderId": "late"}
        assert (await rig.rest(SPOT, "GET", "/order", **key))[1]["code"] == -2013
        await asyncio.sleep(2.1)
        assert (await rig.rest(SPOT, "GET", "/order", **key))[1]["status"] == "NEW"

    play(scene, plan=plan("F-C03", {"answer": "1007", "later_ms": 2000}, nth=1))


def test_a_delayed_request_past_its_window_is_never_placed() -> None:
    async def scene(rig: Rig) -> None:
        await rig.place(SPOT, newClientOrderId="late", recvWindow=1000)
        await asyncio.sleep(2.1)
        _, rows = await rig.rest(SPOT, "GET", "/openOrders")
        assert rows == []

    play(scene, plan=plan("F-C03", {"answer": "1007", "later_ms": 2000}, nth=1))


@pytest.mark.parametrize("body", ["html", "truncated", "empty", "encoding"])
def test_a_placed_order_may_be_answered_by_something_unreadable(body: str) -> None:
    async def scene(rig: Rig) -> None:
        with pytest.raises((ValueError, UnicodeDecodeError)):
            await rig.place(SPOT)
        rig.simulation.faults.clear()
        assert len((await rig.rest(SPOT, "GET", "/openOrders"))[1]) == 1

    play(scene, plan=plan("F-C06", {"body": body}, nth=1))


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("F-D03", ["NEW", "TRADE", "TRADE"]),
        ("F-D05", ["NEW"]),
        ("F-D02", ["TRADE"]),
        ("F-D01", ["TRADE", "NEW"]),
        ("F-D08", ["NEW", "TRADE", "NEW"]),
        ("F-D11", ["NEW", "TRADE", "TRADE"]),
    ],
)
def test_reports_are_lost_doubled_and_late(fault: str, kinds: list[str]) -> None:
    async def scene(rig: Rig) -> None:
        api = rig.api(SPOT)
        api.signed("userDataStream.subscribe.signature")
        await rig.place(SPOT, type="MARKET", timeInForce=None, price=None)
        await asyncio.sleep(1)
        assert [row["x"] for row in api.wire.of("executionReport")] == kinds
        assert set(rig.simulation.faults.counts()) == {fault}
        _, rows = await rig.rest(SPOT, "GET", "/myTrades", symbol="BTCUSDT")
        assert len(rows) == 1  # the ledger is not touched

    play(scene, plan=plan(fault))


def test_a_gap_in_a_book_is_a_hole_in_its_numbers() -> None:
    async def scene(rig: Rig) -> None:
        _, wire = rig.socket(SPOT, "/ws/btcusdt@depth@100ms")
        for _ in range(4):
            rig.book(SPOT, str(900 + rig.clock.wall_ns() // 10**8 % 97))
            await asyncio.sleep(0.1)
        rows = wire.of("depthUpdate")
        gaps = [new["U"] - old["u"] for old, new in pairwise(rows)]
        assert max(gaps) > 1

    play(scene, plan=plan("F-B01", stream="*@depth*", nth=2))


def test_connections_are_cut_muted_and_refused_by_the_clock() -> None:
    async def scene(rig: Rig) -> None:
        lines = [
            {"fault": "F-A01", "when": {"at_ms": 1000}, "args": {"stream": "market"}},
            {"fault": "F-A05", "when": {"at_ms": 1000}, "args": {"for_ms": 3000}},
            {"fault": "F-A02", "when": {"at_ms": 2500}, "args": {"stream": "api"}},
        ]
        rig.simulation.faults.load({"plan": lines})
        _, wire = rig.socket(SPOT, "/stream", "streams=btcusdt@trade")
        api = rig.api(SPOT)
        await asyncio.sleep(1.5)
        assert wire.frames[-1]["stream"] == "!serverShutdown"
        assert wire.is_open
        refused, _ = rig.socket(SPOT, "/ws")
        assert refused.status == 429
        await asyncio.sleep(1.5)
        assert wire.end == (1001, "")
        assert api.wire.end == (None, "")
        assert rig.simulation.faults.counts() == {"F-A01": 1, "F-A02": 1, "F-A05": 1}

    play(scene)


def test_the_venue_changes_its_rules_in_the_middle() -> None:
    async def scene(rig: Rig) -> None:
        for line in (
            {"fault": "F-F06", "args": {"tick": "10"}},
            {"fault": "F-F07", "args": {"symbol": "ETHUSDT"}},
            {"fault": "F-E01", "args": {"side": "BUY"}},
        ):
            body = json.dumps(line).encode()
            assert (await rig.raw(SPOT, "POST", "/sim/fault", body=body)).status == 200
        assert (await rig.place(SPOT, price="59005"))[1]["msg"] == "Filter failure: PRICE_FILTER"
        _, info = await rig.public(SPOT, "/exchangeInfo", symbol="ETHUSDT")
        assert info["symbols"][0]["status"] == "HALT"
        _, rows = await rig.rest(SPOT, "GET", "/allOrders", symbol="BTCUSDT")
        assert rows[0]["clientOrderId"].startswith("web_")
        await rig.raw(SPOT, "POST", "/sim/fault", body=b'{"fault": "F-E10"}')
        assert (await rig.place(SPOT, price="59000"))[0] == 401

    play(scene)


def test_an_account_may_look_empty_for_a_moment() -> None:
    async def scene(rig: Rig) -> None:
        _, empty = await rig.rest(SPOT, "GET", "/account")
        _, full = await rig.rest(SPOT, "GET", "/account")
        assert (empty["balances"], len(full["balances"]) > 0) == ([], True)

    play(scene, plan=plan("F-E09", nth=1))


def test_the_oracle_is_for_this_host_only_and_adds_up() -> None:
    async def scene(rig: Rig) -> None:
        await rig.place(SPOT, type="MARKET", timeInForce=None, price=None)
        far = await rig.raw(SPOT, "GET", "/sim/ledger", peer="10.0.0.1")
        assert far.status == 403
        found = json.loads((await rig.raw(SPOT, "GET", "/sim/ledger")).body)
        assert found["imbalance"] == []
        assert len(found["spot"]["fills"]) == 1

    play(scene)


def test_an_account_is_opened_by_hand_and_sees_only_itself() -> None:
    async def scene(rig: Rig) -> None:
        asked = {"balances": {"spot": {"USDT": "1000"}, "usdm": {"USDT": "5"}}}
        made = await rig.raw(SPOT, "POST", "/sim/accounts", body=json.dumps(asked).encode())
        assert made.status == 200, made.body
        rig.keys.append(rig.simulation.accounts[-1])
        await rig.place(SPOT, account=0)
        _, body = await rig.rest(SPOT, "GET", "/account", 2, omitZeroBalances="true")
        assert [(row["asset"], row["free"]) for row in body["balances"]] == [
            ("USDT", "1000.00000000")
        ]
        assert (await rig.rest(SPOT, "GET", "/openOrders", 2))[1] == []
        wrong = b'{"balances": {"moon": {"USDT": "1"}}}'
        assert (await rig.raw(SPOT, "POST", "/sim/accounts", body=wrong)).status == 400

    play(scene)


def test_a_plan_with_an_unknown_word_is_refused() -> None:
    async def scene(rig: Rig) -> None:
        with pytest.raises(ConfigError, match="F-Z99"):
            rig.simulation.faults.load(plan("F-Z99"))
        with pytest.raises(ConfigError, match="whenever"):
            rig.simulation.faults.load(plan("F-C02", whenever=1))

    play(scene)


def test_the_same_seed_gives_the_same_bytes_with_faults_by_chance() -> None:
    async def scene(rig: Rig, told: list[Any]) -> None:
        line = {"fault": "*", "when": {"rate_per_1k_events": 200}, "args": {"only": "BCD"}}
        rig.simulation.faults.load({"seed": 5, "plan": [line]})
        api = rig.api(SPOT)
        api.signed("userDataStream.subscribe.signature")
        _, wire = rig.socket(SPOT, "/ws/btcusdt@depth@100ms")
        for number in range(40):
            params = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
            api.signed("order.place", **params, newClientOrderId=f"n{number}")
            rig.book(SPOT, str(1000 + number))
            await asyncio.sleep(0.15)
        told.append((api.wire.frames, wire.frames, rig.simulation.faults.counts()))

    runs: list[Any] = []
    for _ in range(2):
        play(lambda rig: scene(rig, runs))
    assert runs[0] == runs[1]
    assert sum(runs[0][2].values()) > 10


def test_every_fault_of_the_tables_can_be_done() -> None:
    """Nothing in the tables raises, whatever it does to a busy venue."""

    async def scene(rig: Rig) -> None:
        for fault in sorted({*REQUEST, *USER, *MARKET}):
            rig.simulation.faults.load(plan(fault, {"for_ms": 10, "answer": "503"}))
            for market in (SPOT, USDM):
                name = SYMBOL[market].lower()
                path = "/stream" if market is SPOT else "/public/stream"
                streams = f"streams={name}@trade/{name}@depth@100ms/{name}@bookTicker"
                rig.socket(market, path, streams)
                api = rig.api(market)
                if market is SPOT:
                    api.signed("userDataStream.subscribe.signature")
                order = {"symbol": SYMBOL[market], "side": "BUY", "type": "MARKET"}
                api.signed("order.place", **order, quantity="0.01")
                api.signed("order.status", symbol=SYMBOL[market], orderId=1)
                api.signed("account.status")
                rig.book(market, "700")
            await asyncio.sleep(0.3)
            rig.simulation.faults.clear()
            for limits in rig.simulation.venue.limits.values():
                limits.pardon("127.0.0.1")
        for fault in sorted(TIME):
            rig.simulation.faults.load(plan(fault))
            await asyncio.sleep(0.2)
        acted = set(rig.simulation.faults.counts())
        assert acted >= {name for name in (*USER, *MARKET) if name not in {"F-E03", "F-D06"}}

    play(scene)
