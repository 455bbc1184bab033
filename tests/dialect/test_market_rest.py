"""Public data over REST, as clients page through it and ask for it wrongly."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from tests.dialect.rig import SYMBOL, Rig, play
from veloz.exchange.words import Market

MINUTE_MS = 60_000


async def tape(rig: Rig, market: Market, orders: int = 12) -> None:
    """One order a second, each filled in two trades at one price."""
    for number in range(orders):
        for _ in range(2):
            rig.exchange.replay_trade(
                market, SYMBOL[market], Decimal(60_000 + number), Decimal(1), buyer_is_maker=True
            )
        await asyncio.sleep(1)


@pytest.mark.parametrize("market", list(Market))
def test_aggregate_trades_can_be_paged_by_time_and_by_id(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        begun = rig.now_ms()
        await tape(rig, market)
        about = {"symbol": SYMBOL[market], "limit": 5}
        _, first = await rig.public(market, "/aggTrades", **about, startTime=begun + 1)
        assert [Decimal(row["p"]) for row in first] == [60_001 + n for n in range(5)]
        assert {Decimal(row["q"]) for row in first} == {2}  # the limit cuts no aggregate in two
        _, then = await rig.public(market, "/aggTrades", **about, fromId=first[-1]["a"] + 1)
        assert [Decimal(row["p"]) for row in then] == [60_006 + n for n in range(5)]
        assert all(old["l"] + 1 == new["f"] for old, new in pairwise(first + then))
        _, newest = await rig.public(market, "/aggTrades", **about)
        assert Decimal(newest[-1]["p"]) == 60_011
        _, until = await rig.public(market, "/aggTrades", **about, endTime=begun + 2500)
        assert Decimal(until[-1]["p"]) == 60_002

    play(scene)


@pytest.mark.parametrize(
    ("path", "asked", "code"),
    [
        ("/ticker", {}, -1102),
        ("/ticker", {"symbol": "BTCUSDT", "windowSize": "8d"}, -1130),
        ("/ticker", {"symbol": "BTCUSDT", "windowSize": "24h"}, -1130),
        ("/ticker", {"symbol": "BTCUSDT", "windowSize": "²d"}, -1130),
        ("/ticker/tradingDay", {}, -1102),
        ("/ticker/tradingDay", {"symbol": "BTCUSDT", "timeZone": "15"}, -1130),
        ("/ticker/24hr", {"symbol": "BTCUSDT", "type": "TINY"}, -1139),
        ("/ticker/24hr", {"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, -1128),
        ("/ticker/price", {"symbols": '["BTCUSDT","BTCUSDT"]'}, -1151),
        ("/ticker/price", {"symbol": "BTCUSDT", "symbolStatus": "HALT"}, -1220),
        ("/exchangeInfo", {"symbol": "BTCUSDT", "symbolStatus": "TRADING"}, -1128),
        ("/exchangeInfo", {"symbolStatus": "ASLEEP"}, -1122),
        ("/klines", {"symbol": "BTCUSDT", "interval": "1d", "timeZone": "-12:30"}, -1130),
        ("/klines", {"symbol": "BTCUSDT", "interval": "1d", "timeZone": "noon"}, -1130),
        ("/referencePrice", {"symbol": "BTCUSDT"}, -2043),
        ("/referencePrice/calculation", {"symbol": "BTCUSDT"}, -2043),
        ("/historicalBlockTrades", {"symbol": "BTCUSDT"}, -1102),
    ],
)
def test_spot_refuses_what_the_venue_refuses(path: str, asked: dict[str, Any], code: int) -> None:
    async def scene(rig: Rig) -> None:
        status, body = await rig.public(Market.SPOT, path, **asked)
        assert (status, body["code"]) == (400, code)

    play(scene)


def test_windows_and_days_of_a_ticker_are_those_asked_for() -> None:
    async def scene(rig: Rig) -> None:
        about = {"symbol": "BTCUSDT"}
        _, hour = await rig.public(Market.SPOT, "/ticker", **about, windowSize="1h")
        assert hour["openTime"] % MINUTE_MS == 0
        assert 60 * MINUTE_MS <= hour["closeTime"] - hour["openTime"] < 61 * MINUTE_MS
        _, day = await rig.public(Market.SPOT, "/ticker/tradingDay", **about, timeZone="-3:30")
        assert day["openTime"] % (1440 * MINUTE_MS) == 210 * MINUTE_MS
        _, small = await rig.public(Market.SPOT, "/ticker", **about, type="MINI")
        assert "priceChange" not in small
        assert "lastPrice" in small
        _, none = await rig.public(Market.SPOT, "/ticker/price", symbolStatus="HALT")
        assert none == []

    play(scene)


@pytest.mark.parametrize("market", [Market.USDM, Market.COINM])
def test_statistics_of_a_past_that_is_not_kept_are_empty(market: Market) -> None:
    async def scene(rig: Rig) -> None:
        async def ask(path: str, **asked: Any) -> Any:
            query = "&".join(f"{name}={value}" for name, value in asked.items())
            return (await rig.raw(market, "GET", path, query)).status

        about = {"symbol": SYMBOL[market], "period": "5m"}
        for name in ("openInterestHist", "globalLongShortAccountRatio", "basis"):
            assert await ask(f"/futures/data/{name}", **about) == 200
            assert await ask(f"/futures/data/{name}", symbol="NOPE", period="5m") == 400
            assert await ask(f"/futures/data/{name}", symbol=SYMBOL[market], period="7m") == 400
        status, rows = await rig.public(
            market, "/premiumIndexKlines", symbol=SYMBOL[market], interval="1m"
        )
        assert (status, rows[-1][4]) == (200, "0.00000000")

    play(scene)


def test_a_unit_of_time_that_there_is_not_is_refused() -> None:
    async def scene(rig: Rig) -> None:
        headers = {"x-mbx-time-unit": "FORTNIGHT"}
        found = await rig.raw(Market.SPOT, "GET", "/api/v3/time", headers=headers)
        assert (found.status, b"-1194" in found.body) == (400, True)
        refused, _ = rig.socket(Market.SPOT, "/ws/btcusdt@trade", "timeUnit=FORTNIGHT")
        assert refused.status == 400

    play(scene)
