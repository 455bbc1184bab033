"""Streams that are sent by the clock, and those that are named by a pair or a contract."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.dialect.rig import SYMBOL, Rig, Wire, play
from tests.dialect.test_streams import walk
from veloz.exchange.words import Market


def heard(wire: Wire) -> dict[str, Any]:
    """The last payload of each stream."""
    return {frame["stream"]: frame["data"] for frame in wire.frames}


def test_candles_of_a_contract_a_pair_and_its_mark_have_their_own_forms() -> None:
    async def scene(rig: Rig) -> None:
        names = ["btcusd_perpetual@continuousKline_1m", "btcusd@indexPriceKline_1m",
                 "btcusd_perp@markPriceKline_1m"]  # fmt: skip
        _, wire = rig.socket(Market.COINM, "/stream", f"streams={'/'.join(names)}")
        await walk(rig, Market.COINM, 5)
        contract, index, mark = (heard(wire)[name] for name in names)
        assert (contract["e"], contract["ps"], contract["ct"]) == (
            "continuous_kline", "BTCUSD", "PERPETUAL",
        )  # fmt: skip
        assert "s" not in contract["k"]
        assert Decimal(contract["k"]["v"]) > 0
        assert (index["e"], index["ps"], index["k"]["v"]) == ("indexPrice_kline", "BTCUSD", "0")
        assert (mark["e"], mark["k"]["s"]) == ("markPrice_kline", SYMBOL[Market.COINM])
        assert contract["k"]["c"] == index["k"]["c"] == mark["k"]["c"] == "60000"

    play(scene)


def test_prices_of_a_pair_come_with_and_without_its_contracts() -> None:
    async def scene(rig: Rig) -> None:
        names = ["btcusd@indexPrice@1s", "btcusd@markPrice@1s"]
        _, wire = rig.socket(Market.COINM, "/stream", f"streams={'/'.join(names)}")
        await asyncio.sleep(1.2)
        index, marks = (heard(wire)[name] for name in names)
        assert (index["e"], index["i"], Decimal(index["p"])) == (
            "indexPriceUpdate",
            "BTCUSD",
            60000,
        )
        assert [row["s"] for row in marks] == [SYMBOL[Market.COINM]]

    play(scene)


def test_each_futures_host_serves_the_others_candles_and_marks() -> None:
    async def scene(rig: Rig) -> None:
        there = ["btcusd_perp@kline_1m", "btcusd_perp@markPrice@1s",
                 "btcusd_perpetual@continuousKline_1m"]  # fmt: skip
        here = ["btcusdt@kline_1m", "btcusdt@markPrice@1s", "btcusdt@ticker"]
        _, usdm = rig.socket(Market.USDM, "/market/stream", f"streams={'/'.join(there)}")
        _, coinm = rig.socket(Market.COINM, "/stream", f"streams={'/'.join(here)}")
        await walk(rig, Market.COINM, 25)
        assert set(heard(usdm)) == set(there)
        assert {row["st"] for row in heard(usdm).values()} == {2}
        assert set(heard(coinm)) == set(here[:2])  # tickers are served by their own host

    play(scene)


def test_rolling_windows_begin_on_a_minute() -> None:
    async def scene(rig: Rig) -> None:
        names = ["btcusdt@ticker_1h", "btcusdt@ticker_4h", "!ticker_1d@arr"]
        _, wire = rig.socket(Market.SPOT, "/stream", f"streams={'/'.join(names)}")
        await walk(rig, Market.SPOT, 12)
        hour, four, days = (heard(wire)[name] for name in names)
        assert (hour["e"], four["e"], days[0]["e"]) == ("1hTicker", "4hTicker", "1dTicker")
        assert hour["O"] % 60_000 == 0
        assert 3_600_000 <= hour["C"] - hour["O"] < 3_660_000
        assert set(hour) == set("eEspPohlcwvqOCFLn")

    play(scene)


def test_streams_that_are_retired_or_unknown_are_silent() -> None:
    async def scene(rig: Rig) -> None:
        names = ["!ticker@arr", "!bookTicker", "btcusdt@kline_7m", "btcusdt@markPrice",
                 "btcusdt@indexPrice", "btcusdt_perpetual@continuousKline_1m", "!markPrice@arr",
                 "btcusdt@markPriceKline_1m"]  # fmt: skip
        _, wire = rig.socket(Market.SPOT, "/stream", f"streams={'/'.join(names)}")
        await walk(rig, Market.SPOT, 32)
        assert wire.frames == []

    play(scene)


def test_best_quotes_of_all_contracts_come_every_five_seconds() -> None:
    async def scene(rig: Rig) -> None:
        _, wire = rig.socket(Market.USDM, "/public/stream", "streams=!bookTicker")
        await walk(rig, Market.USDM, 52)
        quotes = wire.of("bookTicker")
        assert {row["st"] for row in quotes} == {1, 2}
        assert len(quotes) == len({row["s"] for row in quotes})

    play(scene)


def test_candles_may_begin_by_another_clock() -> None:
    async def scene(rig: Rig) -> None:
        stream = "btcusdt@kline_1d@+08:00"
        _, wire = rig.socket(Market.SPOT, "/stream", f"streams={stream}")
        await walk(rig, Market.SPOT, 22)
        candle = heard(wire)[stream]["k"]
        assert candle["t"] % 86_400_000 == 16 * 3_600_000
        _, rows = await rig.public(
            Market.SPOT, "/klines", symbol="BTCUSDT", interval="1d", timeZone="+8:00", limit=1
        )
        assert rows[0][0] == candle["t"]

    play(scene)


def test_a_book_with_hidden_orders_is_the_book_where_there_are_none() -> None:
    async def scene(rig: Rig) -> None:
        stream = "btcusdt@rpiDepth@500ms"
        _, wire = rig.socket(Market.USDM, "/public/stream", f"streams={stream}")
        await walk(rig, Market.USDM, 12)
        rows = wire.of("depthUpdate")
        assert len(rows) == 2
        assert rows[1]["pu"] == rows[0]["u"]
        _, book = await rig.public(Market.USDM, "/rpiDepth", symbol="BTCUSDT")
        assert len(book["bids"]) == 5

    play(scene)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"method": "SET_PROPERTY", "params": ["colour", True], "id": 1},
         {"code": 0, "msg": "Unknown property", "id": 1}),
        ({"method": "SET_PROPERTY", "params": ["combined", 1], "id": 1},
         {"code": 1, "msg": "Invalid value type: expected Boolean", "id": 1}),
        ({"method": "GET_PROPERTY", "id": 1},
         {"code": 2, "msg": "Invalid request: property name must be a string", "id": 1}),
        ({"id": 1},
         {"code": 2, "msg": "Invalid request: missing field `method` at line 1 column 9", "id": 1}),
        ({"method": "SET_PROPERTY", "params": ["combined", True], "id": 1},
         {"result": None, "id": 1}),
    ],
)  # fmt: skip
def test_a_stream_connection_says_what_is_wrong(said: Any, answer: Any) -> None:
    async def scene(rig: Rig) -> None:
        listener, wire = rig.socket(Market.SPOT, "/ws")
        rig.say(listener, wire, said)
        assert wire.frames == [answer]

    play(scene)
