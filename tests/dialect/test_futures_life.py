"""Hedge legs, liquidation, the dead man's switch, funding and lists of futures, on the wire."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from tests.dialect.rig import QTY, SYMBOL, Rig, Wire, play
from veloz.exchange.words import Market

FUTURES = [Market.USDM, Market.COINM]
BUY = {"type": "MARKET", "timeInForce": None, "price": None}


def user(rig: Rig, market: Market) -> Wire:
    """The first account's user stream."""
    word = rig.simulation.venue.listen_key("trader-1", market).word
    path = f"/private/ws/{word}" if market is Market.USDM else f"/ws/{word}"
    return rig.socket(market, path)[1]


async def risk(rig: Rig, market: Market) -> list[dict[str, Any]]:
    path = "/fapi/v2/positionRisk" if market is Market.USDM else "/positionRisk"
    _, rows = await rig.rest(market, "GET", path)
    return [row for row in rows if Decimal(row["positionAmt"])]


@pytest.mark.parametrize("market", FUTURES)
def test_hedge_mode_keeps_two_legs(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        _, body = await rig.rest(market, "POST", "/positionSide/dual", dualSidePosition="true")
        assert body == {"code": 200, "msg": "success"}
        assert (await rig.place(market, **BUY))[1]["code"] == -4061
        await rig.place(market, **BUY, positionSide="LONG")
        await rig.place(market, **BUY, positionSide="SHORT", side="SELL")
        rows = await risk(rig, market)
        assert [row["positionSide"] for row in rows] == ["LONG", "SHORT"]
        assert sum(Decimal(row["positionAmt"]) for row in rows) == 0
        _, body = await rig.place(market, **BUY, positionSide="LONG", reduceOnly="true")
        assert body["code"] == -1106
        _, body = await rig.rest(market, "POST", "/positionSide/dual", dualSidePosition="false")
        assert body["code"] == -4068

    play(scene)


def test_a_liquidation_is_told_to_the_account_and_to_the_public() -> None:
    async def scene(rig: Rig) -> None:
        market = Market.USDM
        wire = user(rig, market)
        _, tape = rig.socket(market, "/market/ws/btcusdt@forceOrder")
        await rig.rest(market, "POST", "/leverage", symbol="BTCUSDT", leverage=100)
        status, body = await rig.place(market, **BUY, quantity="9")
        assert status == 200, body
        rig.exchange.replay_book(
            market, "BTCUSDT", [(Decimal(47_000), Decimal(1000))], [], is_snapshot=True
        )
        mark = json.dumps({"act": "mark", "market": "usdm", "price": "48000"}).encode()
        assert (await rig.raw(market, "POST", "/sim/act", body=mark)).status == 200
        await asyncio.sleep(0.2)
        words = [row["o"] for row in wire.of("ORDER_TRADE_UPDATE")]
        forced = [row for row in words if row["c"].startswith("autoclose-")]
        assert forced, words[-1]
        assert {row["S"] for row in forced} == {"SELL"}
        assert tape.of("forceOrder")[0]["o"]["S"] == "SELL"
        assert Decimal((await risk(rig, market) or [{"positionAmt": "0"}])[0]["positionAmt"]) < 9
        _, rows = await rig.rest(market, "GET", "/forceOrders")
        assert rows[0]["clientOrderId"].startswith("autoclose-")

    play(scene)


@pytest.mark.parametrize("market", FUTURES)
def test_the_countdown_cancels_unless_it_is_renewed(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        await rig.place(market)
        symbol = SYMBOL[market]
        for _ in range(3):
            await rig.rest(market, "POST", "/countdownCancelAll", symbol=symbol, countdownTime=2000)
            await asyncio.sleep(1.5)
        _, rows = await rig.rest(market, "GET", "/openOrders")
        assert len(rows) == 1
        await asyncio.sleep(1)
        _, rows = await rig.rest(market, "GET", "/openOrders")
        assert rows == []

    play(scene)


@pytest.mark.parametrize("market", FUTURES)
def test_funding_is_cash_and_no_trade(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        await rig.place(market, **BUY)
        rig.exchange.set_funding_rate(market, SYMBOL[market], Decimal("0.0001"))
        wire = user(rig, market)
        _, rows = await rig.public(market, "/premiumIndex", symbol=SYMBOL[market])
        row = rows if isinstance(rows, dict) else rows[0]
        wait_ms = row["nextFundingTime"] - rig.now_ms()
        rig.simulation.venue.listen_key("trader-1", market).ends_ms += wait_ms
        rig.clock.step(wait_ms * 1_000_000)  # eight hours of beats would take a minute
        await asyncio.sleep(0.2)
        _, paid = await rig.rest(market, "GET", "/income", incomeType="FUNDING_FEE")
        assert Decimal(paid[0]["income"]) < 0
        reasons = [event["a"]["m"] for event in wire.of("ACCOUNT_UPDATE")]
        assert "FUNDING_FEE" in reasons
        (position,) = await risk(rig, market)
        assert Decimal(position["positionAmt"]) == Decimal(QTY[market])
        _, rates = await rig.public(market, "/fundingRate", symbol=SYMBOL[market])
        assert rates[-1]["fundingRate"] == "0.00010000"

    play(scene)
