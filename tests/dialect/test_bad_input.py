"""Nonsense from clients: each route and each socket answers with a refusal, and lives on."""

from __future__ import annotations

import json
from random import Random
from typing import Any
from urllib.parse import quote

import pytest

from tests.dialect.rig import SYMBOL, Rig, play
from veloz.exchange.words import Market
from veloz.net.doors import HttpRequest
from veloz.venues.binance.dialect.routes import ROUTES

NAMES = [
    "symbol", "symbols", "side", "type", "timeInForce", "quantity", "price", "quoteOrderQty",
    "newClientOrderId", "orderId", "origClientOrderId", "limit", "startTime", "endTime", "fromId",
    "interval", "batchOrders", "leverage", "marginType", "dualSidePosition", "countdownTime",
    "triggerPrice", "stopPrice", "callbackRate", "activatePrice", "algoType", "positionSide",
    "reduceOnly", "closePosition", "goodTillDate", "priceMatch", "workingType", "newQty",
    "orderIdList", "amount", "pair", "windowSize", "recvWindow", "cancelReplaceMode",
    "cancelOrderId", "trailingDelta", "icebergQty", "aboveType", "belowType", "pendingSide",
    "incomeType", "selfTradePreventionMode", "contractType", "orderListId", "algoId",
    "timeZone", "period", "asset", "stopLimitPrice", "pegPriceType", "symbolStatus",
]  # fmt: skip
VALUES = [
    "", "0", "-1", "1", "5", "0.01", "59000", "1e5", "NaN", "Infinity", "99999999999999999999",
    "0.00000000000000000001", "BTCUSDT", "BTCUSD_PERP", "btcusdt", "币安", "[]", "[1]", "{}",
    "[{}]", '["a"]', "[[]]", "[null]", "+8:00",
    '["BTCUSDT"]', '[{"symbol":"BTCUSDT"}]', "null", "true", "BUY", "SELL", "LIMIT",
    "MARKET", "STOP_LOSS", "STOP_MARKET", "GTC", "GTX", "GTD", "1m", "CONDITIONAL", "ISOLATED",
    "BOTH", "LONG", "OPPONENT", "'; drop table", "\x00", "a" * 300, "%", "1.5.2", "0x10",
]  # fmt: skip


@pytest.mark.parametrize("market", list(Market))
def test_every_route_answers_nonsense_with_a_code(market: Market) -> None:
    dice = Random(11)

    async def scene(rig: Rig) -> None:
        for (method, path), route in ROUTES[market].rest.items():
            for _ in range(25):
                names = dice.sample(NAMES, dice.randint(0, 8))
                pairs = {name: dice.choice(VALUES) for name in names}
                if dice.random() < 0.7:
                    pairs["symbol"] = SYMBOL[market]
                if "recvWindow" not in pairs:
                    pairs["timestamp"] = str(rig.now_ms())
                query = "&".join(f"{name}={quote(value)}" for name, value in pairs.items())
                query += f"&signature={rig.sign(query)}"
                headers = {"x-mbx-apikey": rig.keys[0].api_key}
                found = await rig.raw(market, method, path, query, headers=headers)
                body = json.loads(found.body)
                if found.status != 200:
                    assert body["code"] < 0, (route.kind, pairs, body)
                    assert body["code"] != -1000, (route.kind, pairs, body)
                rig.simulation.venue.limits[market].pardon("127.0.0.1")

    play(scene)


@pytest.mark.parametrize("market", list(Market))
def test_every_method_of_the_websocket_api_answers_nonsense(market: Market) -> None:
    dice = Random(12)

    async def scene(rig: Rig) -> None:
        api = rig.api(market)
        others = ["session.logon", "session.status", "userDataStream.subscribe.signature", "x"]
        for method in [*ROUTES[market].ws, *others]:
            for _ in range(10):
                names = dice.sample(NAMES, dice.randint(0, 6))
                values: list[Any] = [*VALUES, 1, 1.5, None, True, [1], {"a": 1}, -3]
                params = {name: dice.choice(values) for name in names}
                before = len(api.wire.frames)
                api.ask(method, **params)
                answers = [row for row in api.wire.frames[before:] if "status" in row]
                assert len(answers) == 1, (method, params)
                assert "result" in answers[0] or answers[0]["error"]["code"] < 0
            rig.simulation.venue.limits[market].pardon("127.0.0.1")

    play(scene)


RAW = [
    b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b"{}" * 3, b'{"method":1}',
    b'{"method":"SUBSCRIBE","params":5,"id":1}', b'{"method":"SUBSCRIBE","params":[1],"id":1}',
    b'{"method":"SUBSCRIBE","params":["x@"],"id":{}}', b"[" * 2000, b'{"id":' + b"9" * 400 + b"}",
    b'{"method":"order.place","params":[1],"id":1}', b'{"method":"order.place","id":[1]}',
    b'{"method":"SET_PROPERTY","params":["combined"],"id":1}', b'{"id":1,"id":2,"method":"ping"}',
    '{"method":"SUBSCRIBE","params":["币@trade","@","!","!x@arr","btcusdt@kline_7m"]}'.encode(),
]  # fmt: skip


def test_frames_that_are_no_request_are_refused_and_nothing_else_happens() -> None:
    async def scene(rig: Rig) -> None:
        for market in Market:
            for path in ("/ws", "/ws-api/v3", "/ws-fapi/v1", "/ws-dapi/v1", "/stream"):
                for raw in RAW:
                    peer, wire = rig.socket(market, path)
                    if not hasattr(peer, "on_frame"):
                        continue  # another market's path
                    peer.on_frame(wire, raw, rig.clock.wall_ns())
                    assert len(wire.frames) == 1, (path, raw)
                rig.simulation.venue.limits[market].pardon("127.0.0.1")
        rig.simulation.beat()
        assert (await rig.place(Market.SPOT))[0] == 200

    play(scene)


def test_bytes_that_are_no_text_in_a_body_are_refused() -> None:
    async def scene(rig: Rig) -> None:
        headers = {"x-mbx-apikey": rig.keys[0].api_key}
        for body in (b"\xff\xfe=1", b"{}", b"=&=&=", b"a=1&a=2", b"%ZZ=%"):
            found = await rig.raw(
                Market.SPOT, "POST", "/api/v3/order", "", headers=headers, body=body
            )
            assert found.status == 400, body
        for path in ("/", "//", "/api/v3/../order", "/sim/", "/sim/nothing", "/api/v1/ping"):
            assert (await rig.raw(Market.SPOT, "GET", path)).status == 404
        request = HttpRequest("POST", "/sim/faults", "", {}, b"{", "127.0.0.1")
        assert (await rig.simulation.site(Market.SPOT).http(request)).status == 400

    play(scene)
