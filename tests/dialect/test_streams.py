"""Market streams, user data and connections, on virtual time."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise

import pytest

from tests.dialect.rig import SYMBOL, Rig, Wire, play
from veloz.exchange.words import Market

STREAM = {Market.SPOT: "/stream", Market.USDM: "/public/stream", Market.COINM: "/stream"}


async def walk(rig: Rig, market: Market, steps: int = 10) -> None:
    """Lets the book and the tape move for `steps` tenths of a second."""
    for number in range(steps):
        size = Decimal(1 + number)
        rig.exchange.replay_book(
            market, SYMBOL[market], [(Decimal(59_990), size)], [], is_snapshot=False
        )
        rig.exchange.replay_trade(
            market, SYMBOL[market], Decimal(60_000), Decimal(1), buyer_is_maker=True
        )
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("market", list(Market))
def test_a_book_can_be_joined_to_a_snapshot_and_never_gaps(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        name = SYMBOL[market].lower()
        _, wire = rig.socket(market, STREAM[market], f"streams={name}@depth@100ms")
        await walk(rig, market, 3)
        _, shot = await rig.public(market, "/depth", symbol=SYMBOL[market], limit=100)
        await rig.place(market, price="59995", account=1)
        await walk(rig, market, 5)
        diffs = wire.of("depthUpdate")
        assert len(diffs) >= 7
        book = {price: size for price, size in shot["bids"]}
        later = [row for row in diffs if row["u"] > shot["lastUpdateId"]]
        if market is Market.SPOT:
            assert all(new["U"] == old["u"] + 1 for old, new in pairwise(diffs))
            assert later[0]["U"] <= shot["lastUpdateId"] + 1
        else:
            assert all(new["pu"] == old["u"] for old, new in pairwise(diffs))
        for row in later:
            book.update(dict(row["b"]))
        held = {Decimal(price): Decimal(size) for price, size in book.items() if Decimal(size)}
        now = rig.exchange.depth(market, SYMBOL[market], 100)
        assert held == dict(now.bids)
        assert held[Decimal(59_995)] > 0  # the other client's order is in it

    play(scene)


@pytest.mark.parametrize("market", list(Market))
def test_each_stream_speaks_in_its_own_form(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        name = SYMBOL[market].lower()
        kinds = {
            "trade": "trade", "aggTrade": "aggTrade", "bookTicker": "bookTicker",
            "kline_1m": "kline", "ticker": "24hrTicker", "miniTicker": "24hrMiniTicker",
            "depth5@100ms": "depthUpdate", "markPrice@1s": "markPriceUpdate",
        }  # fmt: skip
        streams = "/".join(f"{name}@{kind}" for kind in kinds)
        wires = []
        paths = ["/public/stream", "/market/stream"] if market is Market.USDM else ["/stream"]
        for path in paths:
            wires.append(rig.socket(market, path, f"streams={streams}")[1])
        await walk(rig, market, 32)
        heard = {frame["stream"] for wire in wires for frame in wire.frames}
        expected = {f"{name}@{kind}" for kind in kinds}
        if market is Market.SPOT:
            expected -= {f"{name}@markPrice@1s"}
            quote = next(f["data"] for f in wires[0].frames if f["stream"].endswith("bookTicker"))
            assert set(quote) == {"u", "s", "b", "B", "a", "A"}
            top = next(f["data"] for f in wires[0].frames if "depth5" in f["stream"])
            assert set(top) == {"lastUpdateId", "bids", "asks"}
        else:
            bodies = [frame["data"] for wire in wires for frame in wire.frames]
            assert {body["st"] for body in bodies} == {1 if market is Market.USDM else 2}
        assert heard == expected

    play(scene)


def test_a_usdm_stream_on_the_wrong_path_is_silent() -> None:
    async def scene(rig: Rig) -> None:
        _, public = rig.socket(Market.USDM, "/public/ws/btcusdt@aggTrade")
        _, bare = rig.socket(Market.USDM, "/ws/btcusdt@aggTrade")
        _, market = rig.socket(Market.USDM, "/market/ws/btcusdt@aggTrade")
        await walk(rig, Market.USDM, 3)
        assert (public.frames, bare.frames) == ([], [])
        assert market.of("aggTrade")

    play(scene)


def test_microseconds_are_sent_to_those_who_ask() -> None:
    async def scene(rig: Rig) -> None:
        _, milli = rig.socket(Market.SPOT, "/ws/btcusdt@trade")
        _, micro = rig.socket(Market.SPOT, "/ws/btcusdt@trade", "timeUnit=MICROSECOND")
        await walk(rig, Market.SPOT, 1)
        assert micro.of("trade")[0]["T"] // 1000 == milli.of("trade")[0]["T"]

    play(scene)


def test_control_messages_are_answered_and_counted() -> None:
    async def scene(rig: Rig) -> None:
        peer, wire = rig.socket(Market.SPOT, "/ws")
        rig.say(peer, wire, {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1})
        rig.say(peer, wire, {"method": "LIST_SUBSCRIPTIONS", "id": 2})
        rig.say(peer, wire, {"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 3})
        rig.say(peer, wire, {"method": "DANCE", "id": 4})
        assert wire.frames[:3] == [
            {"result": None, "id": 1},
            {"result": ["btcusdt@trade"], "id": 2},
            {"result": None, "id": 3},
        ]
        assert wire.frames[3]["code"] == 2
        await asyncio.sleep(1.1)
        for number in range(6):
            rig.say(peer, wire, {"method": "LIST_SUBSCRIPTIONS", "id": number})
        assert wire.end == (1008, "Too many requests")

    play(scene)


def test_a_connection_is_pinged_and_ends_after_a_day() -> None:
    async def scene(rig: Rig) -> None:
        peer, wire = rig.socket(Market.SPOT, "/ws/btcusdt@trade")
        _, deaf = rig.socket(Market.SPOT, "/ws/btcusdt@trade")
        deaf.answers_pings = False
        await asyncio.sleep(121)
        assert len(wire.pings) >= 5
        assert wire.is_open
        assert deaf.end == (1008, "Pong timeout")
        peer.opened_ms -= 86_400_000
        await asyncio.sleep(0.2)
        assert wire.end == (1001, "")

    play(scene)


def futures_user(rig: Rig, market: Market, word: str) -> Wire:
    path = f"/private/ws/{word}" if market is Market.USDM else f"/ws/{word}"
    return rig.socket(market, path)[1]


@pytest.mark.parametrize("market", [Market.USDM, Market.COINM])
def test_a_futures_user_hears_orders_fills_and_account(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        headers = {"x-mbx-apikey": rig.keys[0].api_key}
        path = "/fapi/v1/listenKey" if market is Market.USDM else "/dapi/v1/listenKey"
        found = await rig.raw(market, "POST", path, headers=headers)
        word = found.body.decode().split('"')[3]
        wire = futures_user(rig, market, word)
        _, placed = await rig.place(market, newClientOrderId="mine")
        await rig.place(market, type="MARKET", timeInForce=None, price=None)
        await rig.rest(market, "POST", "/leverage", symbol=SYMBOL[market], leverage=5)
        await asyncio.sleep(0.2)
        updates = wire.of("ORDER_TRADE_UPDATE")
        first = updates[0]["o"]
        assert (first["x"], first["c"], first["i"]) == ("NEW", "mine", placed["orderId"])
        trades = [row["o"] for row in updates if row["o"]["x"] == "TRADE"]
        assert trades[-1]["X"] == "FILLED"
        assert Decimal(trades[-1]["n"]) > 0
        account = wire.of("ACCOUNT_UPDATE")
        assert {row["a"]["m"] for row in account} >= {"ORDER"}
        assert wire.of("ACCOUNT_CONFIG_UPDATE")[0]["ac"]["l"] == 5
        assert bool(wire.of("TRADE_LITE")) is (market is Market.USDM)
        await asyncio.sleep(3601)
        assert wire.of("listenKeyExpired")[0]["listenKey"] == word
        gone = await rig.raw(market, "PUT", path, headers=headers)
        assert b"-1125" in gone.body

    play(scene)


def test_a_spot_user_hears_orders_and_balances_on_the_api_connection() -> None:
    async def scene(rig: Rig) -> None:
        api = rig.api(Market.SPOT)
        subscribed = api.signed("userDataStream.subscribe.signature")
        assert subscribed["result"] == {"subscriptionId": 0}
        again = api.signed("userDataStream.subscribe.signature")
        assert again["error"]["code"] == -2035
        _, placed = await rig.place(Market.SPOT, newClientOrderId="first")
        await rig.rest(
            Market.SPOT, "DELETE", "/order", symbol="BTCUSDT", orderId=placed["orderId"],
            newClientOrderId="undo",
        )  # fmt: skip
        buy = {"type": "MARKET", "timeInForce": None, "price": None}
        await rig.place(Market.SPOT, **buy)
        reports = api.wire.of("executionReport")
        assert [row["x"] for row in reports] == ["NEW", "CANCELED", "NEW", "TRADE"]
        assert (reports[1]["c"], reports[1]["C"]) == ("undo", "first")
        assert reports[3]["N"] == "BTC"
        rows = api.wire.of("outboundAccountPosition")[-1]["B"]
        assert {row["a"] for row in rows} >= {"BTC", "USDT"}
        rig.exchange.deposit("trader-1", Market.SPOT, "USDT", Decimal(5))
        assert api.wire.of("balanceUpdate")[0]["d"] == "5.00000000"
        api.ask("userDataStream.unsubscribe")
        await rig.place(Market.SPOT)
        assert len(api.wire.of("executionReport")) == 4

    play(scene)
