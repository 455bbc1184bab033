"""Accounts with a long and a short leg a contract: traded if a strategy says so, refused if not."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from typing import Any

import pytest

from tests.runtime.test_in_memory import FILE, check_ledger, churn
from tests.runtime.world import FOLDER, Place
from veloz.environments.law import check_law
from veloz.environments.trading.lifetime import Stop
from veloz.environments.trading.settings import Seat
from veloz.errors import ConfigError
from veloz.exchange.model import OrderRequest
from veloz.exchange.words import Market, OrderType, PositionSide, Side

LEGS = {
    "usdm": Seat(f"{FILE}:Legs", {}),
    "coinm": Seat(f"{FILE}:Legs", {"symbol": "binance:BTC/USD:BTC", "qty": "10"}),
}


def hedged(seed: int) -> Place:
    place = Place(seed)
    place.exchange.set_hedge_mode(place.owner, on=True)
    return place


@pytest.mark.parametrize("market", list(LEGS))
def test_both_legs_trade_live_to_the_last_unit_and_are_flattened(market: str) -> None:
    place = hedged(81)

    async def main() -> dict[str, Any]:
        async with place.open():
            return await place.trade_for(place.settings("live", LEGS[market]), 40.0)

    outcome = place.world.run(main())
    assert outcome["differences"] == []
    assert outcome["frozen"] == []
    assert outcome["wound_down"]
    assert outcome["fills"] > 20
    assert (outcome["refused"], outcome["rejected"]) == (0, 0)
    sides = {fill.position_side for fill in place.exchange.fills(place.owner, Market(market))}
    assert sides == {PositionSide.LONG, PositionSide.SHORT}
    assert outcome["positions"] == []
    check_ledger(place, outcome, [market])


def test_legs_survive_a_kill_and_what_somebody_does_by_hand() -> None:
    place = hedged(82)
    host = place.world.host("engine")

    def by_hand(side: Side, leg: PositionSide, name: str) -> None:
        request = OrderRequest(
            Market.USDM,
            "BTCUSDT",
            side,
            OrderType.MARKET,
            qty=Decimal("0.3"),
            position_side=leg,
            client_order_id=name,
        )
        place.exchange.place(place.owner, request)

    async def main() -> dict[str, Any]:
        async with place.open():
            by_hand(Side.SELL, PositionSide.SHORT, "hand-1")
            settings = place.settings("live", LEGS["usdm"])
            first = asyncio.create_task(place.trade(settings, place.boot(), Stop()))
            await asyncio.sleep(12.3)
            host.kill()
            first.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await first
            by_hand(Side.BUY, PositionSide.LONG, "hand-2")
            await asyncio.sleep(3.0)
            return await place.trade_for(place.settings("live", LEGS["usdm"]), 40.0)

    outcome = place.world.run(main())
    assert outcome["differences"] == []
    assert outcome["wound_down"]
    by_leg = {row["side"]: Decimal(row["qty"]) for row in outcome["positions"]}
    assert by_leg == {"LONG": Decimal("0.3"), "SHORT": Decimal("-0.3")}
    assert {row["strategy"] for row in outcome["positions"]} == {"external"}


def test_both_legs_trade_on_paper_and_the_law_holds() -> None:
    place = Place(83)

    async def main() -> dict[str, Any]:
        async with place.open():
            return await place.trade_for(place.settings("paper", LEGS["usdm"]), 40.0)

    outcome = place.world.run(main())
    assert outcome["fills"] > 20
    assert outcome["wound_down"]
    assert outcome["positions"] == []
    assert check_law(place.world.host("engine").disk, FOLDER).holds


@pytest.mark.parametrize(
    ("is_hedge", "seat", "said"),
    [
        (True, churn("usdm"), "the account is in hedge mode on usdm, and Churn trades in one-way"),
        (False, LEGS["usdm"], "the account is in one-way mode on usdm, and Legs trades in hedge"),
    ],
)
def test_an_account_in_the_other_mode_is_refused_before_anything(
    is_hedge: bool, seat: Seat, said: str
) -> None:
    place = hedged(84) if is_hedge else Place(84)

    async def main() -> None:
        async with place.open():
            with pytest.raises(ConfigError, match=said):
                await place.trade_for(place.settings("live", seat), 10.0)

    place.world.run(main())
    assert place.exchange.all_orders(place.owner, Market.USDM, "BTCUSDT") == []


def test_two_strategies_of_one_account_are_of_one_mode() -> None:
    place = Place(85)

    async def main() -> None:
        async with place.open():
            seats = (LEGS["usdm"], churn("usdm"))
            with pytest.raises(ConfigError, match="an account is in one of them"):
                await place.trade_for(place.settings("paper", *seats), 10.0)

    place.world.run(main())
