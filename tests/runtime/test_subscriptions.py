"""Subscriptions that begin and end while a run goes on: streams, and bars joined to history."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from tests.runtime.test_in_memory import FILE
from tests.runtime.world import FOLDER, Place
from veloz.environments.law import check_law
from veloz.environments.trading import engine as engines
from veloz.environments.trading.lifetime import Stop
from veloz.environments.trading.settings import Seat
from veloz.exchange.model import Window
from veloz.exchange.words import Market
from veloz.venues.binance.dialect import Generator

MINUTE_NS = 60_000_000_000
BARS = "ethusdt@kline_1m"
PRINTS = "ethusdt@aggTrade"
SCANNER = Seat(f"{FILE}:Scanner", {"step": 210})
WATCHER = Seat(f"{FILE}:Watcher", {})


class Moving(Place):
    """ETH moves as well, and what strategies have seen is kept."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(seed, rate=1.0)
        for listing in self.exchange.listings(Market.USDM):
            if listing.base == "ETH":
                dice = self.world.dice("market ETH")
                self.simulation.drivers.append(Generator(self.exchange, listing, dice, rate=2.0))
        self.strategies: list[Any] = []
        make = engines.made_strategy

        def kept(target: Any, parameters: Any) -> Any:
            loaded, strategy = make(target, parameters)
            self.strategies.append(strategy)
            return loaded, strategy

        monkeypatch.setattr(engines, "made_strategy", kept)

    def is_heard(self, stream: str) -> bool:
        return self.simulation.hubs[Market.USDM].is_heard(stream)

    def closes(self) -> dict[int, float]:
        """The venue's own bars: closing price by end."""
        rows = self.exchange.klines(Market.USDM, "ETHUSDT", "1m", Window(limit=1000))
        return {row.open_ns + MINUTE_NS: float(row.close) for row in rows}


def check_indicators(scanner: Any, closes: dict[int, float]) -> None:
    """Each value is that of every closed bar up to it: none missing, doubled or half-built."""
    ends = sorted(closes)
    for at, close, mean, _ in scanner.seen:
        assert close == closes[at]
        last = [closes[end] for end in ends if end <= at][-3:]
        assert mean == pytest.approx(sum(last) / 3, rel=1e-12)
    for (since, _, _, before), (at, _, _, after) in itertools.pairwise(scanner.seen):
        expected = before
        for end in ends:
            if since < end <= at:
                expected += 2 / 5 * (closes[end] - expected)
        assert after == pytest.approx(expected, rel=1e-12)


def test_streams_are_closed_and_opened_and_bars_join_their_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Moving(71, monkeypatch)
    heard: list[tuple[bool, bool]] = []
    prints: list[int] = []

    async def main() -> dict[str, Any]:
        async with place.open():
            stop = Stop()
            run = asyncio.create_task(
                place.trade(place.settings("live", SCANNER), place.boot(), stop)
            )
            for _ in range(5):
                await asyncio.sleep(200.0)
                heard.append((place.is_heard(BARS), place.is_heard(PRINTS)))
                prints.append(place.strategies[0].trades)
            stop.ask()
            return await run

    outcome = place.world.run(main())
    assert outcome["differences"] == []
    assert heard == [(on, on) for on in (False, True, False, True, False)]
    assert prints[0] == 0 < prints[1]
    assert prints[1] <= prints[2] < prints[3]
    scanner = place.strategies[0]
    gaps = [b[0] - a[0] for a, b in itertools.pairwise(scanner.seen)]
    assert len(scanner.seen) >= 5
    assert max(gaps) > 2 * MINUTE_NS  # it was away, and came back
    assert [gap for gap in gaps if gap != MINUTE_NS] == [max(gaps)]
    check_indicators(scanner, place.closes())
    assert len([row for row in place.words("warmed_up") if row["symbol"] == "ETHUSDT"]) == 2


@pytest.mark.parametrize("environment", ["live", "paper"])
def test_who_hears_the_same_bars_all_the_time_misses_none(
    environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Moving(72, monkeypatch)

    async def main() -> dict[str, Any]:
        async with place.open():
            settings = place.settings(environment, SCANNER, WATCHER)
            return await place.trade_for(settings, 1000.0)

    outcome = place.world.run(main())
    assert outcome["differences"] == []
    scanner, watcher = place.strategies
    assert len(watcher.seen) >= 15
    assert {b - a for a, b in itertools.pairwise(watcher.seen)} == {MINUTE_NS}
    assert len(scanner.seen) >= 5
    check_indicators(scanner, place.closes())
    if environment == "paper":
        assert check_law(place.world.host("engine").disk, FOLDER).holds
