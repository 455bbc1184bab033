"""Orders over REST and the WebSocket API of the three markets: life, refusals, shapes."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.dialect.rig import BASE, QTY, SYMBOL, Rig, play
from veloz.exchange.words import Market, Why
from veloz.venues.binance.dialect.refusals import FUTURES, SPOT

FIXTURES = Path(__file__).parent / "fixtures"
FUTURES_MARKETS = [Market.USDM, Market.COINM]


@pytest.mark.parametrize("market", list(Market))
def test_an_order_is_placed_queried_canceled_and_remembered(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        status, placed = await rig.place(market, newClientOrderId="one")
        assert (status, placed["status"], placed["clientOrderId"]) == (200, "NEW", "one")
        key = {"symbol": SYMBOL[market], "orderId": placed["orderId"]}
        _, found = await rig.rest(market, "GET", "/order", **key)
        assert Decimal(found["price"]) == 59_000
        _, rows = await rig.rest(market, "GET", "/openOrders")
        assert [row["orderId"] for row in rows] == [placed["orderId"]]
        _, canceled = await rig.rest(market, "DELETE", "/order", **key)
        assert canceled["status"] == "CANCELED"
        status, again = await rig.rest(market, "DELETE", "/order", **key)
        assert (status, again) == (400, {"code": -2011, "msg": "Unknown order sent."})
        _, found = await rig.rest(
            market, "GET", "/order", symbol=SYMBOL[market], origClientOrderId="one"
        )
        assert found["status"] == "CANCELED"
        key["orderId"] = 999_999
        status, absent = await rig.rest(market, "GET", "/order", **key)
        assert (status, absent) == (400, {"code": -2013, "msg": "Order does not exist."})

    play(scene)


@pytest.mark.parametrize("market", list(Market))
def test_two_clients_trade_with_each_other_by_price_and_time(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        _, first = await rig.place(market, side="SELL", price="60005", account=0)
        assert first["status"] == "NEW", first
        _, depth = await rig.public(market, "/depth", symbol=SYMBOL[market], limit=5)
        assert Decimal(depth["asks"][0][0]) == 60_005
        assert Decimal(depth["asks"][0][1]) == Decimal(QTY[market])
        await rig.place(market, price="60005", account=1)
        path = "/myTrades" if market is Market.SPOT else "/userTrades"
        rows = [
            (await rig.rest(market, "GET", path, account, symbol=SYMBOL[market]))[1]
            for account in (0, 1)
        ]
        assert rows[0][0]["id"] == rows[1][0]["id"]
        is_maker = "isMaker" if market is Market.SPOT else "maker"
        assert [row[0][is_maker] for row in rows] == [True, False]
        assert Decimal(rows[0][0]["price"]) == 60_005

    play(scene)


@pytest.mark.parametrize(
    ("market", "change", "code"),
    [
        (Market.SPOT, {"symbol": "NOPE"}, -1121),
        (Market.SPOT, {"symbol": None}, -1102),
        (Market.SPOT, {"side": "HOLD"}, -1117),
        (Market.SPOT, {"type": "MAYBE"}, -1116),
        (Market.SPOT, {"timeInForce": None}, -1102),
        (Market.SPOT, {"timeInForce": "GTX"}, -1115),
        (Market.SPOT, {"price": None}, -1102),
        (Market.SPOT, {"price": "abc"}, -1100),
        (Market.SPOT, {"price": "1e5"}, -1100),
        (Market.SPOT, {"price": "59000.001"}, -1013),
        (Market.SPOT, {"quantity": "0.000001"}, -1013),
        (Market.SPOT, {"quantity": "0.00001"}, -1013),
        (Market.SPOT, {"quantity": "9"}, -2010),
        (Market.SPOT, {"newClientOrderId": "no spaces"}, -1100),
        (Market.SPOT, {"stopPrice": "1"}, -1106),
        (Market.SPOT, {"bogus": "1"}, -1104),
        (Market.SPOT, {"type": "LIMIT_MAKER", "timeInForce": None, "price": "60010"}, -2010),
        (Market.USDM, {"price": "59000.01"}, -4014),
        (Market.USDM, {"quantity": "0.0101"}, -1111),
        (Market.USDM, {"quantity": "0.001", "price": "40000"}, -4164),
        (Market.USDM, {"quantity": "900"}, -2019),
        (Market.USDM, {"timeInForce": "GTX", "price": "60010"}, -5022),
        (Market.USDM, {"type": "STOP_MARKET", "stopPrice": "50000", "price": None}, -4120),
        (Market.USDM, {"positionSide": "LONG"}, -4061),
        (Market.USDM, {"reduceOnly": "true"}, -2022),
        (Market.USDM, {"newClientOrderId": "x" * 37}, -4015),
        (Market.COINM, {"quantity": "1.5"}, -1111),
        (Market.COINM, {"price": "59000.05"}, -1111),
        (Market.COINM, {"timeInForce": "FOK", "quantity": "3", "price": "59000"}, -5021),
    ],
)
def test_each_refusal_has_the_venues_code(
    market: Market, change: dict[str, Any], code: int
) -> None:
    async def scene(rig: Rig) -> None:
        status, body = await rig.place(market, **change)
        assert (status, body.get("code")) == (400, code), body
        _, rows = await rig.rest(market, "GET", "/openOrders")
        assert rows == []

    play(scene)


def test_every_reason_of_the_exchange_has_words_where_it_can_come_up() -> None:
    only_spot = {why for why in Why if why.name.startswith(("REPLACE_", "AMEND_INCREASES"))}
    only_spot |= {Why.MAX_ICEBERG_ORDERS, Why.MAX_ORDER_LISTS, Why.ICEBERG_PARTS}
    only_spot |= {Why.LIST_PRICES, Why.CANCEL_RESTRICTED}
    only_futures = {
        Why.NOT_CONDITIONAL, Why.USE_ALGO, Why.GTD_TOO_SOON, Why.INSUFFICIENT_MARGIN,
        Why.MAX_LEVERAGE_NOTIONAL, Why.REDUCE_ONLY, Why.REDUCE_ONLY_IN_HEDGE, Why.POSITION_SIDE,
        Why.CLOSE_POSITION_EXISTS, Why.OPEN_ORDERS, Why.OPEN_POSITIONS, Why.BAD_LEVERAGE,
        Why.NO_POSITION, Why.NOT_ISOLATED, Why.LEVERAGE_WITH_ISOLATED,
    }  # fmt: skip
    assert set(Why) - set(SPOT) == only_futures
    assert set(Why) - set(FUTURES) == only_spot


@pytest.mark.parametrize("market", list(Market))
def test_the_websocket_api_places_and_cancels_like_rest(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        api = rig.api(market)
        order = {"symbol": SYMBOL[market], "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        placed = api.signed("order.place", **order, quantity=QTY[market], price="59000")
        assert placed["status"] == 200, placed
        assert {row["rateLimitType"] for row in placed["rateLimits"]} == {
            "ORDERS",
            "REQUEST_WEIGHT",
        }
        key = {"symbol": SYMBOL[market], "orderId": placed["result"]["orderId"]}
        assert api.signed("order.status", **key)["result"]["status"] == "NEW"
        assert api.signed("order.cancel", **key)["result"]["status"] == "CANCELED"
        refused = api.signed("order.cancel", **key)
        assert (refused["status"], refused["error"]["code"]) == (400, -2011)
        assert api.ask("no.such.method")["error"]["code"] == -1020

    play(scene)


def test_spot_replaces_and_amends_and_says_how_each_leg_went() -> None:
    async def scene(rig: Rig) -> None:
        market = Market.SPOT
        _, placed = await rig.place(market)
        order = {
            "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
            "quantity": "0.01", "price": "58000", "cancelReplaceMode": "STOP_ON_FAILURE",
        }  # fmt: skip
        path = "/order/cancelReplace"
        status, done = await rig.rest(
            market, "POST", path, **order, cancelOrderId=placed["orderId"]
        )
        assert (status, done["cancelResult"], done["newOrderResult"]) == (200, "SUCCESS", "SUCCESS")
        status, failed = await rig.rest(market, "POST", path, **order, cancelOrderId=424_242)
        assert (status, failed["code"]) == (400, -2022)
        assert failed["data"]["newOrderResult"] == "NOT_ATTEMPTED"
        assert failed["data"]["cancelResponse"]["code"] == -2011
        order["quantity"] = "9"
        number = done["newOrderResponse"]["orderId"]
        status, half = await rig.rest(market, "POST", path, **order, cancelOrderId=number)
        assert (status, half["code"]) == (409, -2021)
        assert half["data"]["cancelResult"] == "SUCCESS"
        assert half["data"]["newOrderResponse"]["code"] == -2010
        _, resting = await rig.place(market, quantity="0.05", newClientOrderId="keep")
        key = {"symbol": "BTCUSDT", "orderId": resting["orderId"]}
        status, amended = await rig.rest(
            market, "PUT", "/order/amend/keepPriority", **key, newQty="0.02"
        )
        assert status == 200, amended
        assert amended["amendedOrder"]["qty"] == "0.02000000"
        assert amended["amendedOrder"]["clientOrderId"] != "keep"
        _, rows = await rig.rest(market, "GET", "/order/amendments", **key)
        assert rows[0]["newQty"] == "0.02000000"

    play(scene)


def test_spot_lists_depend_on_each_other() -> None:
    async def scene(rig: Rig) -> None:
        market = Market.SPOT
        status, placed = await rig.rest(
            market, "POST", "/orderList/oco", symbol="BTCUSDT", side="SELL", quantity="0.01",
            aboveType="LIMIT_MAKER", abovePrice="61000", belowType="STOP_LOSS",
            belowStopPrice="59000",
        )  # fmt: skip
        assert status == 200, placed
        assert len(placed["orders"]) == 2
        assert {row["type"] for row in placed["orderReports"]} == {"LIMIT_MAKER", "STOP_LOSS"}
        _, canceled = await rig.rest(
            market, "DELETE", "/orderList", symbol="BTCUSDT", orderListId=placed["orderListId"]
        )
        assert canceled["listOrderStatus"] == "ALL_DONE"
        _, rows = await rig.rest(market, "GET", "/openOrders")
        assert rows == []

    play(scene)


@pytest.mark.parametrize("market", FUTURES_MARKETS)
def test_futures_modify_batch_and_cancel_all(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        _, placed = await rig.place(market)
        key = {"symbol": SYMBOL[market], "orderId": placed["orderId"], "side": "BUY"}
        _, changed = await rig.rest(
            market, "PUT", "/order", **key, quantity=QTY[market], price="58000"
        )
        assert (changed["orderId"], Decimal(changed["price"])) == (placed["orderId"], 58_000)
        one = {
            "symbol": SYMBOL[market], "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
            "quantity": QTY[market], "price": "57000",
        }  # fmt: skip
        batch = json.dumps([one, {**one, "price": "-1"}, one])
        status, rows = await rig.rest(market, "POST", "/batchOrders", batchOrders=batch)
        assert status == 200
        assert [("orderId" in row, row.get("code")) for row in rows] == [
            (True, None), (False, -1100), (True, None),
        ]  # fmt: skip
        symbol = SYMBOL[market]
        _, done = await rig.rest(market, "DELETE", "/allOpenOrders", symbol=symbol)
        assert done["code"] == 200
        _, rows = await rig.rest(market, "GET", "/openOrders", symbol=symbol)
        assert rows == []

    play(scene)


@pytest.mark.parametrize("market", FUTURES_MARKETS)
def test_conditional_orders_live_in_the_algo_service(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        await rig.place(market, type="MARKET", timeInForce=None, price=None)
        order = {
            "symbol": SYMBOL[market], "side": "SELL", "type": "STOP_MARKET",
            "algoType": "CONDITIONAL", "quantity": QTY[market], "triggerPrice": "59500",
            "workingType": "MARK_PRICE", "clientAlgoId": "stop-1",
        }  # fmt: skip
        status, placed = await rig.rest(market, "POST", "/algoOrder", **order)
        assert (status, placed["algoStatus"]) == (200, "NEW"), placed
        rig.exchange.set_mark(market, SYMBOL[market], Decimal(59_400))
        _, found = await rig.rest(market, "GET", "/algoOrder", clientAlgoId="stop-1")
        assert found["algoStatus"] == "FINISHED", found
        assert int(found["actualOrderId"]) > 0
        _, rows = await rig.rest(market, "GET", "/openAlgoOrders")
        assert rows == []

    play(scene)


@pytest.mark.parametrize("market", FUTURES_MARKETS)
def test_futures_settings_answer_as_the_venue_does(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        symbol = SYMBOL[market]
        _, body = await rig.rest(market, "POST", "/leverage", symbol=symbol, leverage=7)
        assert body["leverage"] == 7
        status, body = await rig.rest(market, "POST", "/leverage", symbol=symbol, leverage=500)
        assert (status, body["code"]) == (400, -4028)
        path = "/marginType"
        _, body = await rig.rest(market, "POST", path, symbol=symbol, marginType="ISOLATED")
        assert body == {"code": 200, "msg": "success"}
        _, body = await rig.rest(market, "POST", path, symbol=symbol, marginType="ISOLATED")
        assert body["code"] == -4046
        _, body = await rig.rest(market, "POST", "/positionSide/dual", dualSidePosition="false")
        assert body["code"] == -4059
        await rig.place(market)
        _, body = await rig.rest(market, "POST", "/positionSide/dual", dualSidePosition="true")
        assert body["code"] == -4067

    play(scene)


def test_a_position_shows_in_all_versions_of_the_account() -> None:
    async def scene(rig: Rig) -> None:
        market = Market.USDM
        await rig.place(market, type="MARKET", timeInForce=None, price=None)
        for path in ("/fapi/v2/positionRisk", "/fapi/v3/positionRisk"):
            _, rows = await rig.rest(market, "GET", path, symbol="BTCUSDT")
            assert [row["positionAmt"] for row in rows] == ["0.010"], path
        for path in ("/fapi/v2/account", "/fapi/v3/account"):
            _, body = await rig.rest(market, "GET", path)
            held = [row for row in body["positions"] if Decimal(row["positionAmt"])]
            assert [row["positionAmt"] for row in held] == ["0.010"], path
            assert Decimal(body["totalWalletBalance"]) < 100_000
        _, rows = await rig.rest(market, "GET", "/income")
        assert {row["incomeType"] for row in rows} >= {"COMMISSION"}
        _, balances = await rig.rest(market, "GET", "/fapi/v3/balance")
        assert balances[0]["asset"] == "USDT"

    play(scene)


def test_bodies_have_the_keys_of_documented_ones() -> None:
    """`fixtures/shapes.json` holds the keys of the venue's own samples, by endpoint."""
    shapes = json.loads((FIXTURES / "shapes.json").read_text())

    async def scene(rig: Rig) -> None:
        for market in Market:
            await rig.place(market, newClientOrderId="resting")
            buy = {"type": "MARKET", "timeInForce": None, "price": None}
            await rig.place(market, **buy)
        for row in shapes:
            market = Market(row["market"])
            path = row["path"].removeprefix(BASE[market])
            status, body = await rig.rest(market, row["method"], path, **row["params"])
            assert status == 200, (row["path"], body)
            found = body[0] if isinstance(body, list) else body
            for step in row.get("inside", []):
                found = found[step]
            missing = set(row["keys"]) - set(found)
            assert missing == set(), (row["path"], missing)

    play(scene)
