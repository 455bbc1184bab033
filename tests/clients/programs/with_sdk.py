"""Trades with the venue's own SDKs: REST, WebSocket API and streams on three markets.

REST signs by HMAC; the spot WebSocket API logs on with the Ed25519 key.
"""

import asyncio
import json
import sys

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_sdk_derivatives_trading_coin_futures.derivatives_trading_coin_futures import (
    DerivativesTradingCoinFutures,
)
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)
from binance_sdk_spot.spot import Spot

given = json.load(sys.stdin)
account = given["account"]
told = {"spot": [], "usdm": [], "coinm": []}


def rest(market):
    return ConfigurationRestAPI(
        api_key=account["api_key"],
        api_secret=account["secret"],
        base_path=given[market]["rest"],
        timeout=10_000,
        retries=0,
    )


def streams(market):
    return ConfigurationWebSocketStreams(stream_url=given[market]["ws"] + "/stream")


def api(market, *, ed25519=False):
    secret = (
        {"private_key": account["ed25519_private_key"]}
        if ed25519
        else {"api_secret": account["secret"]}
    )
    return ConfigurationWebSocketAPI(
        api_key=account["api_key"], stream_url=given[market]["ws_api"], **secret
    )


class Heard:
    """Collects what callbacks are given, and waits for something in it."""

    def __init__(self):
        self.rows = []
        self.news = asyncio.Event()

    def __call__(self, row):
        self.rows.append(row)
        self.news.set()

    async def until(self, wanted):
        async with asyncio.timeout(15):
            while True:
                for row in self.rows:
                    if wanted(row):
                        return row
                self.news.clear()
                await self.news.wait()


def words(row):
    """A model, or a union of models, as the dictionary it came from."""
    found = getattr(row, "actual_instance", None) or row
    return found.to_dict() if hasattr(found, "to_dict") else dict(found)


async def spot():
    steps = told["spot"]
    client = Spot(
        config_rest_api=rest("spot"),
        config_ws_api=api("spot", ed25519=True),
        config_ws_streams=streams("spot"),
    )
    http = client.rest_api
    assert http.time().data().server_time > 0
    assert any(row.symbol == "BTCUSDT" for row in http.exchange_info().data().symbols)
    best = float(http.depth(symbol="BTCUSDT", limit=5).data().bids[0][0])
    low = round(best * 0.97, 2)
    limit = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
    placed = http.new_order(**limit, quantity=0.01, price=low).data()
    steps.append("placed")
    key = {"symbol": "BTCUSDT", "order_id": placed.order_id}
    assert http.get_order(**key).data().status == "NEW"
    assert [row.order_id for row in http.get_open_orders(symbol="BTCUSDT").data()] == [
        placed.order_id
    ]
    steps.append("queried")
    changed = http.order_amend_keep_priority(**key, new_qty=0.005).data()
    assert float(changed.amended_order.qty) == 0.005
    steps.append("changed")
    assert http.delete_order(**key).data().status == "CANCELED"
    steps.append("canceled")
    taken = http.new_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01).data()
    assert taken.status == "FILLED"
    assert http.my_trades(symbol="BTCUSDT").data()[-1].order_id == taken.order_id
    assert {row.asset for row in http.get_account(omit_zero_balances=True).data().balances}
    steps.append("filled")
    pair = http.order_oco(
        symbol="BTCUSDT", side="SELL", quantity=0.01, price=round(best * 1.03, 2), stop_price=low
    ).data()
    http.delete_order_list(symbol="BTCUSDT", order_list_id=pair.order_list_id)
    socket = await client.websocket_streams.create_connection()
    heard = Heard()
    book = await socket.diff_book_depth(symbol="btcusdt")
    book.on("message", heard)
    assert words(await heard.until(lambda row: words(row).get("e") == "depthUpdate"))["s"]
    await socket.close_connection(close_session=True)
    await spot_api(client, limit, low)
    steps.append("streamed")


async def spot_api(client, limit, low):
    wire = await client.websocket_api.create_connection()
    try:
        await wire.session_logon()
        heard = Heard()
        user = await wire.user_data_stream_subscribe()
        user.stream.on("message", heard) if hasattr(user, "stream") else None
        answer = await wire.order_place(**limit, quantity=0.01, price=low)
        number = answer.data().result.order_id
        assert number
        found = await wire.order_status(symbol="BTCUSDT", order_id=number)
        assert found.data().result.status == "NEW"
        await wire.order_cancel(symbol="BTCUSDT", order_id=number)
        if hasattr(user, "stream"):
            # the SDK's models leave the event's name out
            await heard.until(lambda row: words(row).get("x") == "NEW")
    finally:
        await wire.close_connection(close_session=True)


async def usdm():
    steps = told["usdm"]
    client = DerivativesTradingUsdsFutures(
        config_rest_api=rest("usdm"),
        config_ws_api=api("usdm"),
        config_ws_streams=streams("usdm"),
    )
    http = client.rest_api
    best = float(http.order_book(symbol="BTCUSDT", limit=5).data().bids[0][0])
    low = round(best * 0.97, 1)
    limit = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
    socket = await client.websocket_streams.create_connection()
    private = Heard()
    word = http.start_user_data_stream().data().listen_key
    user = await socket.user_data(word)
    user.on("message", private)
    placed = http.new_order(**limit, quantity=0.01, price=low).data()
    steps.append("placed")
    event = words(await private.until(lambda row: isinstance(words(row).get("o"), dict)))
    assert event["o"]["i"] == placed.order_id
    key = {"symbol": "BTCUSDT", "order_id": placed.order_id}
    assert http.query_order(**key).data().status == "NEW"
    steps.append("queried")
    lower = round(low * 0.99, 1)
    http.modify_order(**key, side="BUY", quantity=0.01, price=lower)
    assert float(http.query_order(**key).data().price) == lower
    steps.append("changed")
    assert http.cancel_order(**key).data().status == "CANCELED"
    steps.append("canceled")
    http.new_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01)
    (position,) = http.position_information_v3(symbol="BTCUSDT").data()
    assert float(position.position_amt) == 0.01
    stop = http.new_algo_order(
        algo_type="CONDITIONAL", symbol="BTCUSDT", side="SELL", type="STOP_MARKET",
        quantity=0.01, trigger_price=low, reduce_only="true",
    ).data()  # fmt: skip
    http.cancel_algo_order(algo_id=stop.algo_id)
    http.new_order(symbol="BTCUSDT", side="SELL", type="MARKET", quantity=0.01, reduce_only="true")
    assert http.account_trade_list(symbol="BTCUSDT").data()
    assert any(row.asset == "USDT" for row in http.futures_account_balance_v3().data())
    assert all(isinstance(row.tran_id, int) for row in http.get_income_history().data())
    steps.append("filled")
    heard = Heard()
    mark = await socket.mark_price_stream(symbol="btcusdt", update_speed="1s")
    mark.on("message", heard)
    assert words(await heard.until(lambda row: words(row).get("e") == "markPriceUpdate"))["p"]
    best_quote = await socket.individual_symbol_book_ticker_streams(symbol="btcusdt")
    quotes = Heard()
    best_quote.on("message", quotes)
    assert words(await quotes.until(lambda row: words(row).get("b")))["a"]
    await socket.close_connection(close_session=True)
    wire = await client.websocket_api.create_connection()
    answer = await wire.new_order(**limit, quantity=0.01, price=low)
    number = answer.data().result.order_id
    await wire.cancel_order(symbol="BTCUSDT", order_id=number)
    await wire.close_connection(close_session=True)
    steps.append("streamed")


async def coinm():
    steps = told["coinm"]
    client = DerivativesTradingCoinFutures(
        config_rest_api=rest("coinm"), config_ws_streams=streams("coinm")
    )
    http = client.rest_api
    symbol = "BTCUSD_PERP"
    best = float(http.order_book(symbol=symbol, limit=5).data().bids[0][0])
    low = round(best * 0.97, 1)
    limit = {"symbol": symbol, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
    placed = http.new_order(**limit, quantity=2, price=low).data()
    steps.append("placed")
    key = {"symbol": symbol, "order_id": placed.order_id}
    assert http.query_order(**key).data().status == "NEW"
    steps.append("queried")
    http.modify_order(**key, side="BUY", quantity=3, price=low)
    assert http.query_order(**key).data().orig_qty == "3"
    steps.append("changed")
    assert http.cancel_order(**key).data().status == "CANCELED"
    steps.append("canceled")
    http.new_order(symbol=symbol, side="BUY", type="MARKET", quantity=2)
    rows = [row for row in http.position_information().data() if row.symbol == symbol]
    assert [row.position_amt for row in rows] == ["2"]
    http.new_order(symbol=symbol, side="SELL", type="MARKET", quantity=2)
    assert http.account_trade_list(symbol=symbol).data()
    assert any(row.asset == "BTC" for row in http.futures_account_balance().data())
    steps.append("filled")
    socket = await client.websocket_streams.create_connection()
    heard = Heard()
    trades = await socket.aggregate_trade_streams(symbol=symbol.lower())
    trades.on("message", heard)
    assert words(await heard.until(lambda row: words(row).get("e") == "aggTrade"))["q"]
    await socket.close_connection(close_session=True)
    steps.append("streamed")


async def main():
    for work in (spot, usdm, coinm):
        try:
            await work()
        except BaseException:
            print(f"after {told}", file=sys.stderr)
            raise


asyncio.run(main())
print(json.dumps(told))
