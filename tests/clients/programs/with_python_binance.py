"""Trades with python-binance: REST, streams and user data on three markets."""

import asyncio
import json
import sys

from binance import AsyncClient, BinanceSocketManager
from binance.enums import FuturesType
from binance.exceptions import BinanceAPIException

given = json.load(sys.stdin)
account = given["account"]
told = {"spot": [], "usdm": [], "coinm": []}


class Client(AsyncClient):
    API_URL = given["spot"]["rest"] + "/api"
    MARGIN_API_URL = given["spot"]["rest"] + "/sapi"
    FUTURES_URL = given["usdm"]["rest"] + "/fapi"
    FUTURES_DATA_URL = given["usdm"]["rest"] + "/futures/data"
    FUTURES_COIN_URL = given["coinm"]["rest"] + "/dapi"
    FUTURES_COIN_DATA_URL = given["coinm"]["rest"] + "/futures/data"
    WS_API_URL = given["spot"]["ws_api"]
    WS_FUTURES_URL = given["usdm"]["ws_api"]


class Sockets(BinanceSocketManager):
    STREAM_URL = given["spot"]["ws"] + "/"
    FSTREAM_URL = given["usdm"]["ws"] + "/"
    DSTREAM_URL = given["coinm"]["ws"] + "/"


async def first(socket, wanted):
    """The first message of a stream that `wanted` accepts."""
    async with socket as stream:
        async with asyncio.timeout(15):
            while True:
                message = await stream.recv()
                if wanted(message):
                    return message


async def until(stream, wanted):
    async with asyncio.timeout(15):
        while True:
            message = await stream.recv()
            if wanted(message):
                return message


async def spot(client, sockets):
    steps = told["spot"]
    assert (await client.get_account())["canTrade"]
    book = await client.get_order_book(symbol="BTCUSDT", limit=5)
    low = f"{float(book['bids'][0][0]) * 0.97:.2f}"
    async with sockets.user_socket() as events:
        placed = await client.create_order(
            symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01",
            price=low,
        )  # fmt: skip
        assert placed["status"] == "NEW"
        steps.append("placed")
        heard = await until(events, lambda m: m.get("e") == "executionReport")
        assert (heard["i"], heard["x"]) == (placed["orderId"], "NEW"), heard
        found = await client.get_order(symbol="BTCUSDT", orderId=placed["orderId"])
        assert found["price"] == placed["price"]
        steps.append("queried")
        changed = await client.cancel_replace_order(
            symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01",
            price=f"{float(low) * 0.99:.2f}", cancelReplaceMode="STOP_ON_FAILURE",
            cancelOrderId=placed["orderId"],
        )  # fmt: skip
        assert changed["newOrderResult"] == "SUCCESS", changed
        steps.append("changed")
        number = changed["newOrderResponse"]["orderId"]
        canceled = await client.cancel_order(symbol="BTCUSDT", orderId=number)
        assert canceled["status"] == "CANCELED"
        steps.append("canceled")
        taken = await client.order_market_buy(symbol="BTCUSDT", quantity="0.01")
        assert taken["status"] == "FILLED", taken
        trade = await until(events, lambda m: m.get("e") == "executionReport" and m["x"] == "TRADE")
        assert trade["i"] == taken["orderId"]
        assert trade["t"] == taken["fills"][0]["tradeId"]
        rows = await client.get_my_trades(symbol="BTCUSDT")
        assert rows[-1]["orderId"] == taken["orderId"]
        steps.append("filled")
    over_ws = await client.ws_create_order(
        symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price=low
    )
    await client.ws_cancel_order(symbol="BTCUSDT", orderId=over_ws["orderId"])
    try:
        await client.create_order(symbol="NOPE", side="BUY", type="MARKET", quantity="1")
    except BinanceAPIException as refused:
        assert refused.code == -1121
    depth = await first(sockets.depth_socket("BTCUSDT"), lambda m: m.get("e") == "depthUpdate")
    assert depth["U"] <= depth["u"]
    await first(sockets.trade_socket("BTCUSDT"), lambda m: m.get("e") == "trade")
    await first(sockets.kline_socket("BTCUSDT"), lambda m: m.get("e") == "kline")
    many = sockets.multiplex_socket(["btcusdt@bookTicker", "ethusdt@bookTicker"])
    assert "data" in await first(many, lambda m: "stream" in m)
    steps.append("streamed")


async def usdm(client, sockets):
    steps = told["usdm"]
    book = await client.futures_order_book(symbol="BTCUSDT", limit=5)
    low = f"{float(book['bids'][0][0]) * 0.97:.1f}"
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
             "quantity": "0.01"}  # fmt: skip
    async with sockets.futures_user_socket() as events:
        await asyncio.sleep(0.5)
        placed = await client.futures_create_order(**order, price=low)
        steps.append("placed")
        heard = await until(events, lambda m: m.get("e") == "ORDER_TRADE_UPDATE")
        assert heard["o"]["i"] == placed["orderId"], heard
        key = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
        assert (await client.futures_get_order(**key))["status"] == "NEW"
        steps.append("queried")
        changed = await client.futures_modify_order(
            **key, side="BUY", quantity="0.01", price=f"{float(low) * 0.99:.1f}"
        )
        assert changed["orderId"] == placed["orderId"]
        steps.append("changed")
        assert (await client.futures_cancel_order(**key))["status"] == "CANCELED"
        steps.append("canceled")
        assert (await client.futures_change_leverage(symbol="BTCUSDT", leverage=10))[
            "leverage"
        ] == 10
        taken = await client.futures_create_order(
            symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01"
        )
        trade = await until(
            events, lambda m: m.get("e") == "ORDER_TRADE_UPDATE" and m["o"]["x"] == "TRADE"
        )
        assert trade["o"]["i"] == taken["orderId"]
        await until(events, lambda m: m.get("e") == "ACCOUNT_UPDATE")
        (position,) = await client.futures_position_information(symbol="BTCUSDT")
        assert float(position["positionAmt"]) == 0.01
        await client.futures_create_order(
            symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.01", reduceOnly="true"
        )
        assert (await client.futures_account_trades(symbol="BTCUSDT"))[0]["orderId"]
        assert {row["asset"] for row in await client.futures_account_balance()} >= {"USDT"}
        steps.append("filled")
    batch = await client.futures_place_batch_order(
        batchOrders=[{**order, "price": low}, {**order, "price": low, "quantity": "0"}]
    )
    assert batch[0]["orderId"]
    assert batch[1]["code"] < 0
    await client.futures_cancel_all_open_orders(symbol="BTCUSDT")
    message = await first(
        sockets.futures_multiplex_socket(["btcusdt@markPrice@1s"]), lambda m: "data" in m
    )
    assert message["data"]["e"] == "markPriceUpdate"
    # its candles of a contract are those of a pair and a type of contract
    candle = await first(sockets.kline_futures_socket("BTCUSDT"), lambda m: "k" in m.get("data", m))
    assert candle.get("data", candle)["ct"] == "PERPETUAL"
    steps.append("streamed")


async def coinm(client, sockets):
    steps = told["coinm"]
    symbol = "BTCUSD_PERP"
    book = await client.futures_coin_order_book(symbol=symbol, limit=5)
    low = f"{float(book['bids'][0][0]) * 0.97:.1f}"
    placed = await client.futures_coin_create_order(
        symbol=symbol, side="BUY", type="LIMIT", timeInForce="GTC", quantity="2", price=low
    )
    steps.append("placed")
    key = {"symbol": symbol, "orderId": placed["orderId"]}
    assert (await client.futures_coin_get_order(**key))["status"] == "NEW"
    steps.append("queried")
    # this client has no method for changes on COIN-M: its own request does
    changed = await client._request_futures_coin_api(
        "put", "order", True, data={**key, "side": "BUY", "quantity": "3", "price": low}
    )
    assert changed["origQty"] == "3"
    steps.append("changed")
    assert (await client.futures_coin_cancel_order(**key))["status"] == "CANCELED"
    steps.append("canceled")
    await client.futures_coin_create_order(symbol=symbol, side="BUY", type="MARKET", quantity="2")
    rows = await client.futures_coin_position_information(pair="BTCUSD")
    assert {row["positionAmt"] for row in rows if row["symbol"] == symbol} == {"2"}, rows
    assert (await client.futures_coin_account_trades(symbol=symbol))[-1]["qty"]
    await client.futures_coin_create_order(symbol=symbol, side="SELL", type="MARKET", quantity="2")
    steps.append("filled")
    message = await first(
        sockets.futures_multiplex_socket(
            ["btcusd_perp@bookTicker"], futures_type=FuturesType.COIN_M
        ),
        lambda m: "data" in m,
    )
    assert message["data"]["s"] == symbol
    index = await first(
        sockets.index_price_socket("BTCUSD"),
        lambda m: m.get("data", m).get("e") == "indexPriceUpdate",
    )
    assert float(index.get("data", index)["p"]) > 0
    steps.append("streamed")


async def main():
    client = await Client.create(account["api_key"], account["secret"])
    sockets = Sockets(client)
    try:
        for work in (spot, usdm, coinm):
            await work(client, sockets)
    except BaseException:
        print(f"after {told}", file=sys.stderr)
        raise
    finally:
        await client.close_connection()


asyncio.run(main())
print(json.dumps(told))
