"""One strategy on several markets, each with an account of its own."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.runtime.test_in_memory import FILE, SYMBOLS, check_ledger, churn
from tests.runtime.world import FOLDER, Place
from veloz.environments.law import check_law
from veloz.environments.trading.engine import make_strategies
from veloz.environments.trading.lifetime import Stop
from veloz.environments.trading.settings import Seat
from veloz.exchange.words import Market

PAIR = Seat(f"{FILE}:Pair", {})


def test_a_hedged_pair_trades_three_accounts_live_to_the_last_unit() -> None:
    place = Place(61)

    async def main() -> dict[str, Any]:
        async with place.open():
            return await place.trade_for(place.settings("live", PAIR), 30.0)

    outcome = place.world.run(main())
    assert outcome["strategies"][0]["markets"] == ["spot", "usdm", "coinm"]
    assert outcome["differences"] == []
    assert outcome["wound_down"]
    assert outcome["rejected"] == 0
    for market in ("spot", "usdm", "coinm"):
        assert outcome["sessions"][market]["orders"]["sent"] > 10
    check_ledger(place, outcome, list(SYMBOLS))


def test_each_order_goes_to_the_account_of_its_market() -> None:
    place = Place(62)
    seats = (PAIR, churn("usdm"))
    made = make_strategies(seats)
    assert [seated.markets for seated in made] == [("spot", "usdm", "coinm"), ("usdm",)]

    async def main() -> dict[str, Any]:
        async with place.open():
            return await place.trade_for(place.settings("live", *seats), 20.0)

    outcome = place.world.run(main())
    for market, (_, symbol, _) in SYMBOLS.items():
        assert place.exchange.all_orders(place.owner, Market(market), symbol)
    check_ledger(place, outcome, list(SYMBOLS))


def test_the_pair_trades_on_paper_and_the_law_holds() -> None:
    place = Place(63)
    balance = {"USDT": Decimal(50_000), "BTC": Decimal(2)}

    async def main() -> dict[str, Any]:
        async with place.open():
            return await place.trade_for(place.settings("paper", PAIR, balance=balance), 30.0)

    outcome = place.world.run(main())
    assert outcome["fills"] > 30
    assert outcome["refused"] == 0
    assert Decimal(outcome["balances"]["coinm"]["BTC"]) != balance["BTC"]
    assert outcome["balances"]["spot"]["USDT"] != outcome["balances"]["usdm"]["USDT"]
    assert check_law(place.world.host("engine").disk, FOLDER).holds


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_a_difference_on_one_market_freezes_the_strategy_there_alone(market: str) -> None:
    place = Place(64)

    async def main() -> None:
        async with place.open():
            stop = Stop()
            run = asyncio.create_task(place.trade(place.settings("live", PAIR), place.boot(), stop))
            await asyncio.sleep(10.0)
            heard = place.simulation.user_feed.hear
            place.simulation.user_feed.hear = lambda _event: None
            place.exchange.deposit(place.owner, Market(market), "BNB", Decimal(1))
            place.simulation.user_feed.hear = heard
            await asyncio.sleep(40.0)
            counts = {}
            for name, (_, symbol, _) in SYMBOLS.items():
                counts[name] = len(place.exchange.all_orders(place.owner, Market(name), symbol))
            await asyncio.sleep(10.0)
            for name, (_, symbol, _) in SYMBOLS.items():
                more = len(place.exchange.all_orders(place.owner, Market(name), symbol))
                assert (more > counts[name]) == (name != market), name
            stop.ask()
            await run

    place.world.run(main())
