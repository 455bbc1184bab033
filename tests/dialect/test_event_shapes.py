"""Messages have the keys of documented ones, and the whole venue runs in a simulated world."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from tests.dialect.rig import MONEY, SYMBOL, Rig, play
from tests.dialect.test_streams import walk
from veloz.exchange.exchange import Exchange
from veloz.exchange.words import Market
from veloz.net.doors import Connection
from veloz.net.simulated import World
from veloz.venues.binance.dialect import Generator, Simulation, default_listings

EVENTS = json.loads((Path(__file__).parent / "fixtures" / "events.json").read_text())


async def trade_all(rig: Rig) -> list[tuple[str, str, dict[str, Any]]]:
    """(market, `user` or `stream`, message) of everything that a busy second sends."""
    told: list[tuple[str, str, dict[str, Any]]] = []
    wires = []
    for market in Market:
        name = SYMBOL[market].lower()
        kinds = "trade aggTrade bookTicker kline_1m ticker miniTicker depth@100ms avgPrice"
        streams = "/".join(f"{name}@{kind}" for kind in [*kinds.split(), "markPrice@1s"])
        paths = ["/public", "/market"] if market is Market.USDM else [""]
        for path in paths:
            wire = rig.socket(market, f"{path}/stream", f"streams={streams}")[1]
            wires.append((market, "stream", wire))
    api = rig.api(Market.SPOT)
    api.signed("userDataStream.subscribe.signature")
    wires.append((Market.SPOT, "user", api.wire))
    word = rig.simulation.venue.listen_key("trader-1", Market.USDM).word
    wires.append((Market.USDM, "user", rig.socket(Market.USDM, f"/private/ws/{word}")[1]))
    for market in (Market.SPOT, Market.USDM):
        await rig.place(market)
        await rig.place(market, type="MARKET", timeInForce=None, price=None)
    stop = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.01"}
    await rig.rest(
        Market.USDM, "POST", "/algoOrder", **stop, algoType="CONDITIONAL", triggerPrice="50000"
    )
    rig.exchange.deposit("trader-1", Market.SPOT, "USDT", Decimal(1))
    for market in Market:
        await walk(rig, market, 12)
    for market, kind, wire in wires:
        for frame in wire.frames:
            body = frame.get("data", frame.get("event", frame))
            if isinstance(body, dict):
                told.append((market.value, kind, body))
    return told


def test_messages_have_the_keys_of_documented_ones() -> None:
    async def scene(rig: Rig) -> None:
        told = await trade_all(rig)
        for name, keys in EVENTS.items():
            market, kind, what = name.split()
            event, _, inside = what.partition(".")
            bodies = [
                body for at, of, body in told if (at, of, body.get("e")) == (market, kind, event)
            ]
            assert bodies, name
            found = bodies[-1][inside] if inside else bodies[-1]
            assert set(keys) - set(found) == set(), name

    play(scene)


class Heard:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def on_frame(self, connection: Connection, payload: bytes | memoryview, ts: int) -> None:
        self.frames.append(bytes(payload))

    def on_pong(self, connection: Connection, payload: bytes) -> None:
        return None

    def on_close(self, connection: Connection, code: int | None, reason: str) -> None:
        self.frames.append(b"end")


def test_a_world_with_the_venue_in_it_is_repeatable() -> None:
    """Server, network, virtual time and dice from one seed: equal bytes on every wire."""

    def world() -> tuple[str, list[bytes]]:
        made = World(5)

        async def main() -> list[bytes]:
            doors = made.host("venue").boot()
            clock = doors.clock.wall_ns
            exchange = Exchange(default_listings(), now_ns=clock, random=Random(1))
            simulation = Simulation(exchange, clock_ns=clock, random=Random(2))
            listing = exchange.listing(Market.SPOT, "BTCUSDT")
            simulation.drivers.append(Generator(exchange, listing, Random(3)))
            simulation.open_account(MONEY)
            shape = await simulation.serve(doors.sockets, "venue.test")
            beating = asyncio.create_task(simulation.run())
            client, heard = made.host("client").boot(), Heard()
            url = shape["spot"]["ws"] + "/stream?streams=btcusdt@trade/btcusdt@depth@100ms"
            await client.sockets.connect(url, heard)
            found = await client.http.request(
                "GET", shape["spot"]["rest"] + "/api/v3/depth?symbol=BTCUSDT", timeout_s=5
            )
            assert found.status == 200
            await asyncio.sleep(30)
            beating.cancel()
            return heard.frames

        frames = made.run(main())
        return made.network.digest(), frames

    first, second = world(), world()
    assert len(first[1]) > 200
    assert first == second
