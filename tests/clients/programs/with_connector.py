"""Trades with the venue's earlier connectors: REST and threaded WebSocket streams."""

import json
import queue
import sys

from binance.cm_futures import CMFutures
from binance.error import ClientError
from binance.spot import Spot
from binance.um_futures import UMFutures
from binance.websocket.cm_futures.websocket_client import CMFuturesWebsocketClient
from binance.websocket.spot.websocket_stream import SpotWebsocketStreamClient
from binance.websocket.um_futures.websocket_client import UMFuturesWebsocketClient

given = json.load(sys.stdin)
account = given["account"]
SECRETS = (account["api_key"], account["secret"])
told = {}


def first(make, url, subscribe, wanted):
    """The first message of a threaded stream that `wanted` accepts."""
    heard = queue.Queue()
    client = make(stream_url=url, on_message=lambda _client, text: heard.put(json.loads(text)))
    try:
        subscribe(client)
        while True:
            message = heard.get(timeout=15)
            if wanted(message):
                return message
    finally:
        client.stop()


def spot():
    steps = told["spot"] = []
    client = Spot(*SECRETS, base_url=given["spot"]["rest"])
    low = f"{float(client.depth('BTCUSDT', limit=5)['bids'][0][0]) * 0.97:.2f}"
    order = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    placed = client.new_order("BTCUSDT", **order, price=low)
    steps.append("placed")
    assert client.get_order("BTCUSDT", orderId=placed["orderId"])["status"] == "NEW"
    steps.append("queried")
    changed = client.cancel_and_replace(
        "BTCUSDT", cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=placed["orderId"],
        **order, price=f"{float(low) * 0.99:.2f}",
    )  # fmt: skip
    steps.append("changed")
    number = changed["newOrderResponse"]["orderId"]
    assert client.cancel_order("BTCUSDT", orderId=number)["status"] == "CANCELED"
    steps.append("canceled")
    taken = client.new_order("BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
    assert client.my_trades("BTCUSDT")[-1]["orderId"] == taken["orderId"]
    assert any(float(row["free"]) for row in client.account()["balances"])
    steps.append("filled")
    try:
        client.new_order("BTCUSDT", side="BUY", type="MARKET", quantity="0.000001")
    except ClientError as refused:
        assert (refused.status_code, refused.error_code) == (400, -1013)
        assert refused.header["x-mbx-used-weight-1m"]
    first(
        SpotWebsocketStreamClient, given["spot"]["ws"],
        lambda c: c.trade(symbol="btcusdt"), lambda m: m.get("e") == "trade",
    )  # fmt: skip
    steps.append("streamed")


def futures(market, make, symbol, qty, stream):
    steps = told[market] = []
    client = make(*SECRETS, base_url=given[market]["rest"])
    low = round(float(client.depth(symbol, limit=5)["bids"][0][0]) * 0.97, 1)
    order = {"symbol": symbol, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    placed = client.new_order(**order, quantity=qty, price=low)
    steps.append("placed")
    key = {"symbol": symbol, "orderId": placed["orderId"]}
    assert client.query_order(**key)["status"] == "NEW"
    steps.append("queried")
    lower = round(low * 0.99, 1)
    client.modify_order(**key, side="BUY", quantity=qty, price=lower)
    assert float(client.query_order(**key)["price"]) == lower
    steps.append("changed")
    assert client.cancel_order(**key)["status"] == "CANCELED"
    steps.append("canceled")
    client.new_order(symbol=symbol, side="BUY", type="MARKET", quantity=qty)
    rows = [row for row in client.get_position_risk() if row["symbol"] == symbol]
    assert float(rows[0]["positionAmt"]) == qty
    client.new_order(symbol=symbol, side="SELL", type="MARKET", quantity=qty, reduceOnly="true")
    assert client.get_account_trades(symbol=symbol)
    assert client.balance()
    steps.append("filled")
    socket, url = stream
    first(
        socket, url, lambda c: c.agg_trade(symbol=symbol.lower()),
        lambda m: m.get("e") == "aggTrade",
    )  # fmt: skip
    steps.append("streamed")


spot()
# this client is older than the paths of the USD-M stream host: the path is in the address
futures(
    "usdm", UMFutures, "BTCUSDT", 0.01, (UMFuturesWebsocketClient, given["usdm"]["ws"] + "/market")
)
futures("coinm", CMFutures, "BTCUSD_PERP", 2, (CMFuturesWebsocketClient, given["coinm"]["ws"]))
print(json.dumps(told))
