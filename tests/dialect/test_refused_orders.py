"""Orders that the venue refuses, in its own words, and lists in their older form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.dialect.rig import SYMBOL, Rig, play
from veloz.exchange.words import Market

FUTURES = [Market.USDM, Market.COINM]


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"quantity": "0"}, -1013, "Invalid quantity."),
        ({"price": "0.00"}, -1013, "Invalid price."),
        ({"strategyType": "1"}, -1134, "strategyType was less than 1000000."),
        (
            {"pegPriceType": "PRIMARY_PEG"},
            -2010,
            "Pegged orders are not supported for this symbol.",
        ),
    ],
)
def test_spot_says_what_is_wrong(change: dict[str, str], code: int, text: str) -> None:
    async def scene(rig: Rig) -> None:
        assert await rig.place(Market.SPOT, **change) == (400, {"code": code, "msg": text})

    play(scene)


@pytest.mark.parametrize("market", FUTURES)
@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"quantity": "0"}, -4003, "Quantity less than or equal to zero."),
        ({"price": "0"}, -4001, "Price less than 0."),
        ({"price": "70000"}, -4016, "Limit price can't be higher than 63000."),
        ({"side": "SELL", "price": "40000"}, -4024, "Limit price can't be lower than 57000."),
        ({"timeInForce": "RPI"}, -1115, "Invalid timeInForce."),
    ],
)
def test_futures_say_what_is_wrong(
    market: Market, change: dict[str, str], code: int, text: str
) -> None:
    async def scene(rig: Rig) -> None:
        assert await rig.place(market, **change) == (400, {"code": code, "msg": text})

    play(scene)


@pytest.mark.parametrize("market", FUTURES)
@pytest.mark.parametrize("name", ["orderIdList", "orderidlist"])
def test_a_list_of_ids_may_be_written_in_lower_case(market: Market, name: str) -> None:
    async def scene(rig: Rig) -> None:
        _, placed = await rig.place(market)
        for ids, status in ((["a"], 400), ([placed["orderId"], 99], 200)):
            asked = {"symbol": SYMBOL[market], name: json.dumps(ids)}
            found, body = await rig.rest(market, "DELETE", "/batchOrders", **asked)
            assert found == status, body
        assert (body[0]["status"], body[1]["code"]) == ("CANCELED", -2011)

    play(scene)


@pytest.mark.parametrize(("market", "kind"), [(Market.USDM, int), (Market.COINM, str)])
def test_an_income_has_a_number_of_its_markets_kind(market: Market, kind: type) -> None:
    async def scene(rig: Rig) -> None:
        _, rows = await rig.rest(market, "GET", "/income")
        assert isinstance(rows[0]["tranId"], kind)

    play(scene)


OCO = {"symbol": "BTCUSDT", "quantity": "0.01"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"side": "BUY", "aboveType": "LIMIT_MAKER", "abovePrice": "61000"}, -1165),
        ({"side": "SELL", "aboveType": "STOP_LOSS", "aboveStopPrice": "61000"}, -1197),
        ({"side": "BUY", "aboveType": "TAKE_PROFIT", "aboveStopPrice": "61000"}, -1198),
        ({"side": "BUY", "aboveType": "MARKET"}, -1158),
    ],
)
def test_a_leg_on_the_wrong_side_is_named(change: dict[str, str], code: int) -> None:
    async def scene(rig: Rig) -> None:
        legs = {"belowType": "STOP_LOSS", "belowStopPrice": "59000"}
        _, body = await rig.rest(Market.SPOT, "POST", "/orderList/oco", **OCO, **legs, **change)
        assert body["code"] == code, body
        both = {"aboveType": "LIMIT_MAKER", "belowType": "LIMIT_MAKER"}
        prices = {"abovePrice": "61000", "belowPrice": "59000", "side": "BUY"}
        _, body = await rig.rest(Market.SPOT, "POST", "/orderList/oco", **OCO, **both, **prices)
        assert body["code"] == -1168

    play(scene)


@pytest.mark.parametrize(
    ("side", "price", "stop", "types"),
    [
        ("SELL", "61000", "59000", {"LIMIT_MAKER", "STOP_LOSS"}),
        ("BUY", "59000", "61000", {"LIMIT_MAKER", "STOP_LOSS_LIMIT"}),
    ],
)
def test_the_older_pair_of_orders_is_the_same_list(
    side: str, price: str, stop: str, types: set[str]
) -> None:
    async def scene(rig: Rig) -> None:
        asked: dict[str, Any] = {**OCO, "side": side, "price": price, "stopPrice": stop}
        if "STOP_LOSS_LIMIT" in types:
            asked |= {"stopLimitPrice": "61100", "stopLimitTimeInForce": "GTC"}
        status, made = await rig.rest(
            Market.SPOT, "POST", "/order/oco", **asked, limitClientOrderId="l"
        )
        assert status == 200, made
        assert {row["type"] for row in made["orderReports"]} == types
        assert "l" in {row["clientOrderId"] for row in made["orderReports"]}
        found = rig.api(Market.SPOT).signed("orderList.status", orderListId=made["orderListId"])
        assert found["result"]["listOrderStatus"] == "EXECUTING"
        again = rig.api(Market.SPOT).signed("orderList.place", **asked)
        assert again["status"] == 200

    play(scene)


def test_what_no_symbol_has_is_refused_by_name() -> None:
    async def scene(rig: Rig) -> None:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
        for path, code in (("/orderList/opo", -2010), ("/orderList/opoco", -2010),
                           ("/sor/order", -1020), ("/sor/order/test", -1020)):  # fmt: skip
            status, body = await rig.rest(Market.SPOT, "POST", path, **order)
            assert (status, body["code"]) == (400, code)
        assert rig.api(Market.SPOT).signed("sor.order.place", **order)["error"]["code"] == -1020

    play(scene)


def test_money_moves_between_the_markets_of_an_account() -> None:
    async def scene(rig: Rig) -> None:
        path, asked = "/sapi/v1/asset/transfer", {"asset": "USDT", "type": "MAIN_UMFUTURE"}
        status, body = await rig.rest(Market.SPOT, "POST", path, **asked, amount="1000")
        assert (status, set(body)) == (200, {"tranId"})
        _, rows = await rig.rest(Market.USDM, "GET", "/fapi/v3/balance")
        assert [row["balance"] for row in rows if row["asset"] == "USDT"] == ["101000.00000000"]
        status, body = await rig.rest(Market.SPOT, "POST", path, **asked, amount="1000000")
        assert (status, body["code"]) == (400, -5013)

    play(scene)


@pytest.mark.parametrize("leverage", [1, 125])
def test_a_position_without_a_cap_is_not_said_to_be_capped_at_nothing(leverage: int) -> None:
    async def scene(rig: Rig) -> None:
        asked = {"symbol": "BTCUSDT", "leverage": leverage}
        _, body = await rig.rest(Market.USDM, "POST", "/leverage", **asked)
        assert int(body["maxNotionalValue"]) > 0
        _, rows = await rig.rest(Market.USDM, "GET", "/fapi/v2/positionRisk", symbol="BTCUSDT")
        assert rows[0]["maxNotionalValue"] == body["maxNotionalValue"]

    play(scene)


@pytest.mark.parametrize(("method", "code"), [("GET", -2039), ("DELETE", -2011)])
def test_two_names_of_an_order_must_both_be_its_own(method: str, code: int) -> None:
    async def scene(rig: Rig) -> None:
        _, placed = await rig.place(Market.SPOT, newClientOrderId="mine")
        key = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
        status, body = await rig.rest(
            Market.SPOT, method, "/order", **key, origClientOrderId="other"
        )
        assert (status, body["code"]) == (400, code)
        status, _ = await rig.rest(Market.SPOT, method, "/order", **key, origClientOrderId="mine")
        assert status == 200

    play(scene)


def test_histories_are_asked_for_a_day_at_a_time() -> None:
    async def scene(rig: Rig) -> None:
        span = {"startTime": 0, "endTime": 86_400_001}
        for path in ("/allOrders", "/allOrderList", "/myTrades"):
            status, body = await rig.rest(Market.SPOT, "GET", path, symbol="BTCUSDT", **span)
            assert (status, body["code"]) == (400, -1127)
        back = {"symbol": "BTCUSDT", "startTime": 2, "endTime": 1}
        for market, code in ((Market.SPOT, -1128), (Market.USDM, -1023)):
            _, body = await rig.public(market, "/aggTrades", **back)
            assert body["code"] == code

    play(scene)


def test_a_request_without_a_method_is_refused_under_its_own_number() -> None:
    async def scene(rig: Rig) -> None:
        listener, wire = rig.socket(Market.SPOT, "/ws-api/v3")
        rig.say(listener, wire, {"id": "seven"})
        assert (wire.frames[0]["id"], wire.frames[0]["error"]["code"]) == ("seven", -1135)

    play(scene)


@pytest.mark.parametrize("market", FUTURES)
def test_incomes_are_paged_and_the_pages_end(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        for side in ("BUY", "SELL"):
            await rig.place(market, side=side, type="MARKET", price=None, timeInForce=None)
        _, whole = await rig.rest(market, "GET", "/income")
        pages = [
            (await rig.rest(market, "GET", "/income", limit=2, page=page))[1]
            for page in range(1, 5)
        ]
        assert len(whole) >= 3
        assert [row for page in pages for row in page] == whole
        assert pages[-1] == []

    play(scene)
