"""Trades with ccxt: REST, and its WebSocket half, on three markets."""

import asyncio
import json
import sys

import ccxt.pro

given = json.load(sys.stdin)
told = {}
SYMBOLS = {"spot": "BTC/USDT", "usdm": "BTC/USDT:USDT", "coinm": "BTC/USD:BTC"}
AMOUNTS = {"spot": 0.01, "usdm": 0.01, "coinm": 2}
TYPES = {
    "spot": {"defaultType": "spot"},
    "usdm": {"defaultType": "swap", "defaultSubType": "linear"},
    "coinm": {"defaultType": "swap", "defaultSubType": "inverse"},
}
API = {
    "spot": {"public": "/api/v3", "private": "/api/v3", "v1": "/api/v1", "sapi": "/sapi/v1",
             "sapiV2": "/sapi/v2", "sapiV3": "/sapi/v3", "sapiV4": "/sapi/v4"},
    "usdm": {"fapiPublic": "/fapi/v1", "fapiPrivate": "/fapi/v1", "fapiPublicV2": "/fapi/v2",
             "fapiPrivateV2": "/fapi/v2", "fapiPublicV3": "/fapi/v3", "fapiPrivateV3": "/fapi/v3",
             "fapiData": "/futures/data"},
    "coinm": {"dapiPublic": "/dapi/v1", "dapiPrivate": "/dapi/v1", "dapiPrivateV2": "/dapi/v2",
              "dapiData": "/futures/data"},
}  # fmt: skip


def client(market):
    account = given["account"]
    made = ccxt.pro.binance(
        {"apiKey": account["api_key"], "secret": account["secret"], "options": dict(TYPES[market])}
    )
    for name, paths in API.items():
        for word, path in paths.items():
            made.urls["api"][word] = given[name]["rest"] + path
    streams = made.urls["api"]["ws"]
    for word, name in (("spot", "spot"), ("linear", "usdm"), ("inverse", "coinm")):
        streams[word] = given[name]["ws"] + "/ws"
        streams["ws-api"][word] = given[name]["ws_api"]
    # ccxt tells a spot stream by "/stream" in its address
    streams["spot"] = given["spot"]["ws"] + "/stream.binance.com/ws"
    return made


async def soon(awaitable):
    return await asyncio.wait_for(awaitable, 15)


async def trade(market):
    steps = told[market] = []
    made = client(market)
    try:
        await made.load_markets()
        symbol, amount = SYMBOLS[market], AMOUNTS[market]
        assert symbol in made.markets, list(made.markets)
        book = await made.fetch_order_book(symbol, 100)
        assert book["bids"][0][0] < book["asks"][0][0]
        ticker = await made.fetch_ticker(symbol)
        assert ticker["last"] > 0
        assert len(await made.fetch_ohlcv(symbol, "1m")) >= 1
        assert len(await made.fetch_trades(symbol)) >= 1
        balance = await made.fetch_balance()
        assert balance["total"]["BTC" if market == "coinm" else "USDT"] > 0

        async def own_orders():
            return await made.watch_orders(symbol)

        watching = asyncio.create_task(own_orders())
        await asyncio.sleep(1.5)
        low = float(made.price_to_precision(symbol, book["bids"][0][0] * 0.97))
        order = await made.create_order(symbol, "limit", "buy", amount, low)
        assert order["id"]
        steps.append("placed")
        heard = await soon(watching)
        assert heard[-1]["id"] == order["id"], heard
        found = await made.fetch_order(order["id"], symbol)
        assert found["status"] == "open"
        assert found["price"] == low
        assert [row["id"] for row in await made.fetch_open_orders(symbol)] == [order["id"]]
        steps.append("queried")
        lower = float(made.price_to_precision(symbol, low * 0.99))
        changed = await made.edit_order(order["id"], symbol, "limit", "buy", amount, lower)
        assert float(changed["price"]) == lower
        steps.append("changed")
        canceled = await made.cancel_order(changed["id"], symbol)
        assert canceled["status"] in {"canceled", None}, canceled
        assert (await made.fetch_order(changed["id"], symbol))["status"] == "canceled"
        steps.append("canceled")
        taken = await made.create_order(symbol, "market", "buy", amount)
        found = await made.fetch_order(taken["id"], symbol)
        assert found["status"] == "closed", found
        assert found["filled"] == amount
        fills = await made.fetch_my_trades(symbol)
        assert sum(row["amount"] for row in fills) >= amount * 0.999
        assert fills[-1]["fee"]["cost"] > 0
        steps.append("filled")
        if market != "spot":
            (position,) = await made.fetch_positions([symbol])
            assert position["contracts"] == amount
            await made.create_order(symbol, "market", "sell", amount, None, {"reduceOnly": True})
            await conditional(made, symbol, amount, low)
        try:
            await made.create_order(symbol, "limit", "buy", amount, low, {"postOnly": True})
            await made.create_order(
                symbol, "limit", "buy", amount, book["asks"][0][0] * 1.01, {"postOnly": True}
            )
        except ccxt.BaseError as refused:
            words = ("immediately match", "-5022")
            assert any(word in str(refused) for word in words), refused
        else:
            raise AssertionError("a post-only order that would take was accepted")
        await made.cancel_all_orders(symbol)
        if market != "spot":
            await together(made, symbol, amount, low)
        since = made.milliseconds() - 60_000
        page = await made.fetch_trades(symbol, since, 3)
        whole = await made.fetch_trades(symbol, since, 500)
        assert [row["id"] for row in page] == [row["id"] for row in whole[:3]]
        watched = await soon(made.watch_order_book(symbol))
        assert watched["bids"]
        assert await soon(made.watch_trades(symbol))
        assert (await soon(made.watch_ticker(symbol)))["last"] > 0
        steps.append("streamed")
    finally:
        await made.close()


async def conditional(made, symbol, amount, low):
    stop = float(made.price_to_precision(symbol, low))
    placed = await made.create_order(symbol, "market", "sell", amount, None, {"triggerPrice": stop})
    assert placed["id"]
    await made.cancel_order(placed["id"], symbol, {"trigger": True})


async def together(made, symbol, amount, low):
    """Several orders in one request, and their end."""
    order = {"symbol": symbol, "type": "limit", "side": "buy", "amount": amount, "price": low}
    placed = await made.create_orders([order, order])
    ended = await made.cancel_orders([row["id"] for row in placed], symbol)
    assert [row["status"] for row in ended] == ["canceled", "canceled"]
    assert await made.fetch_premium_index_ohlcv(symbol, "1m")


async def main():
    for market in SYMBOLS:
        try:
            await trade(market)
        except BaseException:
            print(f"in {market} after {told[market]}", file=sys.stderr)
            raise


asyncio.run(main())
print(json.dumps(told))
