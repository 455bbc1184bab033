"""What moves the simulated markets: dice and recordings."""

from __future__ import annotations

import asyncio
import gzip
import json
from argparse import Namespace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.dialect.rig import Rig, play
from veloz.apps.exchange import build
from veloz.errors import ConfigError, DataError, UsageError
from veloz.exchange.words import Market
from veloz.venues.binance.dialect import Frames, Generator, Recording, read_recording

USDM = Market.USDM
START = 1_680_652_700_000_000_000


def recording(tmp_path: Path, *, every_ms: int = 100) -> Path:
    """A second of a small market: a book, changes of it, trades and a quote."""

    def line(at_ms: int, body: dict[str, Any], stream: str = "") -> str:
        url = "wss://fstream.binance.com/stream"
        data = {"stream": stream, "data": body}
        if not stream:
            url = "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
            data = body
        row = {"t": START + at_ms * 1_000_000, "ch": "ws" if stream else "rest", "url": url}
        return json.dumps({**row, "dir": "in", "data": json.dumps(data)})

    book = {"bids": [["28000.0", "5"], ["27999.0", "1"]], "asks": [["28001.0", "5"]]}
    lines = [line(0, {"lastUpdateId": 100, "E": 1, "T": 1, **book})]
    for number in range(10):
        ids = {"U": 101 + 10 * number, "u": 110 + 10 * number, "pu": 100 + 10 * number}
        change = {"e": "depthUpdate", "E": 1, "T": 1, "s": "BTCUSDT", **ids}
        change |= {"b": [["27999.0", str(number)]], "a": []}
        trade = {"e": "trade", "E": 1, "T": 1, "s": "BTCUSDT", "t": number, "p": "28001.0"}
        at = every_ms * (number + 1)
        lines.append(line(at, change, "btcusdt@depth@100ms"))
        lines.append(line(at, {**trade, "q": "0.5", "m": False}, "btcusdt@trade"))
    path = tmp_path / "small.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.write("\n".join(lines) + "\n")
    return path


def test_orders_meet_the_trades_of_a_recording(tmp_path: Path) -> None:
    rows = read_recording(recording(tmp_path))

    async def scene(rig: Rig) -> None:
        rig.simulation.drivers.append(Recording(rig.exchange, rows))
        rig.exchange.set_mark(USDM, "BTCUSDT", Decimal(28_000))
        await asyncio.sleep(0.15)
        _, placed = await rig.place(USDM, side="SELL", price="28001", quantity="0.01")
        assert placed["status"] == "NEW", placed
        assert rig.exchange.depth(USDM, "BTCUSDT").bids[0] == (Decimal(28_000), Decimal(5))
        await asyncio.sleep(1.2)
        _, depth = await rig.public(USDM, "/depth", symbol="BTCUSDT", limit=5)
        assert depth["bids"] == [["28000.00", "5.000"], ["27999.00", "9.000"]]
        _, prints = await rig.public(USDM, "/trades", symbol="BTCUSDT")
        assert sum(Decimal(row["qty"]) for row in prints[1:]) >= 5

    play(scene)


def test_frames_are_sent_as_recorded_and_join_the_recorded_book(tmp_path: Path) -> None:
    rows = read_recording(recording(tmp_path))

    async def scene(rig: Rig) -> None:
        _, depth = rig.socket(USDM, "/public/ws/btcusdt@depth@100ms")
        _, tape = rig.socket(USDM, "/market/ws/btcusdt@trade")
        rig.simulation.drivers.append(Frames(rig.simulation, rows))
        await asyncio.sleep(0.15)
        _, shot = await rig.public(USDM, "/depth", symbol="BTCUSDT", limit=5)
        assert shot["lastUpdateId"] == 100
        await asyncio.sleep(1.2)
        assert [row["u"] for row in depth.of("depthUpdate")] == [110 + 10 * n for n in range(10)]
        assert abs(depth.of("depthUpdate")[-1]["E"] - rig.now_ms()) < 1000
        assert tape.frames == []  # trades are on the other path for futures
        _, filled = await rig.place(
            USDM, type="MARKET", timeInForce=None, price=None, newOrderRespType="RESULT"
        )
        assert (filled["status"], filled["avgPrice"]) == ("FILLED", "28001.00000")

    play(scene)


def test_frames_leave_at_their_own_instants_and_not_in_the_steps_of_a_timer(tmp_path: Path) -> None:
    rows = read_recording(recording(tmp_path, every_ms=37))

    async def scene(rig: Rig) -> None:
        _, depth = rig.socket(USDM, "/public/ws/btcusdt@depth@100ms")
        frames = Frames(rig.simulation, rows, speed=0.5)
        rig.simulation.drivers.append(frames)

        async def until(at_ns: int) -> None:
            await asyncio.sleep(max(0, at_ns - rig.simulation.venue.clock_ns()) / 1e9)

        await rig.simulation.follow(frames, until)
        sent = [row["E"] for row in depth.of("depthUpdate")]
        assert len(sent) == 10
        assert {later - earlier for earlier, later in pairwise(sent)} == {74}

    play(scene)


def test_frames_are_written_the_same_whether_or_not_faults_are_planned(tmp_path: Path) -> None:
    rows = read_recording(recording(tmp_path))
    told: list[Any] = []

    def scene_with(plan: dict[str, Any]) -> Any:
        async def scene(rig: Rig) -> None:
            rig.simulation.faults.load(plan)
            _, bare = rig.socket(USDM, "/public/ws/btcusdt@depth@100ms")
            _, joined = rig.socket(USDM, "/public/stream", "streams=btcusdt@depth")
            rig.simulation.drivers.append(Frames(rig.simulation, rows))
            await asyncio.sleep(1.5)
            told.append((bare.frames, joined.frames))

        return scene

    play(scene_with({}))
    play(scene_with({"plan": [{"fault": "F-B01", "when": {"stream": "ethusdt@*"}}]}))
    assert told[0] == told[1]
    assert len(told[0][0]) == 10
    assert {"stream", "data"} == set(told[0][1][0])


def test_dice_make_the_same_market_from_the_same_seed() -> None:
    told: list[Any] = []

    async def scene(rig: Rig) -> None:
        listing = rig.exchange.listing(Market.SPOT, "ETHUSDT")
        rig.simulation.drivers.append(Generator(rig.exchange, listing, Random(3), rate=50))
        _, wire = rig.socket(Market.SPOT, "/ws/ethusdt@bookTicker")
        await asyncio.sleep(3)
        assert all(Decimal(row["b"]) < Decimal(row["a"]) for row in wire.frames)
        told.append(wire.frames)

    play(scene)
    play(scene)
    assert told[0] == told[1]
    assert len(told[0]) > 20


def arguments(**changes: Any) -> Namespace:
    usual = {"seed": 1, "accounts": 1, "balance": "10", "faults": None, "rate": 10.0, "speed": 1.0}
    return Namespace(**{**usual, "market": ["generator"], **changes})


def test_the_command_says_what_is_wrong_with_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "noise.jsonl").write_text("noise\n")
    wrong = [
        (UsageError, {"market": ["weather"]}),
        (UsageError, {"market": ["recording"]}),
        (UsageError, {"balance": "much"}),
        (ConfigError, {"faults": tmp_path / "broken.json"}),
        (DataError, {"faults": tmp_path / "absent.json"}),
        (DataError, {"market": ["recording", str(tmp_path / "noise.jsonl")]}),
    ]
    for kind, change in wrong:
        with pytest.raises(kind):
            build(arguments(**change), lambda: START)


def test_two_builds_of_one_seed_issue_the_same_keys() -> None:
    first, second = (build(arguments(), lambda: START).accounts[0] for _ in range(2))
    assert first == second
    assert build(arguments(seed=2), lambda: START).accounts[0].api_key != first.api_key


@pytest.mark.parametrize("status", ["HALT", "BREAK", "CANCEL_ONLY", "CLOSE"])
def test_a_market_that_is_halted_does_not_end_its_driver(status: str) -> None:
    async def scene(rig: Rig) -> None:
        for market in (Market.SPOT, USDM):
            listing = rig.exchange.listing(market, "ETHUSDT")
            rig.simulation.drivers.append(Generator(rig.exchange, listing, Random(3), rate=50))
        await asyncio.sleep(0.5)
        change = {"act": "", "symbol": "ETHUSDT", "status": status, "for_ms": 1000}
        for market in ("spot", "usdm"):
            body = json.dumps({**change, "market": market}).encode()
            found = await rig.raw(Market.SPOT, "POST", "/sim/status", body=body)
            assert found.status == 200, found.body
        await asyncio.sleep(0.5)
        order = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
        refused, body = await rig.rest(Market.SPOT, "POST", "/order", **order)
        assert (refused, body["msg"]) == (400, "Market is closed.")
        await asyncio.sleep(1)
        accepted, body = await rig.rest(Market.SPOT, "POST", "/order", **order)
        assert accepted == 200, body

    play(scene)


def test_a_delisted_symbol_ends_quietly() -> None:
    async def scene(rig: Rig) -> None:
        listing = rig.exchange.listing(Market.SPOT, "ETHUSDT")
        rig.simulation.drivers.append(Generator(rig.exchange, listing, Random(3), rate=50))
        _, wire = rig.socket(Market.SPOT, "/ws/ethusdt@depth@100ms/ethusdt@ticker")
        await asyncio.sleep(0.5)
        rig.exchange.delist(Market.SPOT, "ETHUSDT")
        await asyncio.sleep(1.5)
        assert wire.frames

    play(scene)
