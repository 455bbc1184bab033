"""The venue changes what orders may say, halts a symbol or takes it away, while a run trades."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.runtime.test_in_memory import FILE, SYMBOLS, check_ledger
from tests.runtime.world import FOLDER, RHYTHM, Place
from veloz.environments.law import check_law
from veloz.environments.trading.settings import Seat
from veloz.exchange.model import Window
from veloz.exchange.words import Market

CHANGED_S = 15.0
OFTEN = replace(RHYTHM, rules_s=5.0)
TICK, STEP = Decimal("0.5"), Decimal("0.02")


def list_anew(place: Place, market: str, **words: Any) -> None:
    """The venue lists the symbol with other rules."""
    symbol = SYMBOLS[market][1]
    listing = place.exchange.listing(Market(market), symbol)
    place.exchange.list_symbol(replace(listing, **words))


def coarser(place: Place, market: str) -> None:
    listing = place.exchange.listing(Market(market), SYMBOLS[market][1])
    lot = replace(listing.lot, minimum=STEP, step=STEP)
    list_anew(place, market, tick=TICK, min_price=TICK, lot=lot)


def trade(
    place: Place,
    market: str,
    act: Callable[[], None],
    environment: str = "live",
    lives: tuple[float, ...] = (40.0,),
    **words: Any,
) -> dict[str, Any]:
    """A run in the midst of which something happens at the venue; it may be gone on with."""

    async def main() -> dict[str, Any]:
        outcome: dict[str, Any] = {}
        async with place.open():
            asyncio.get_running_loop().call_later(CHANGED_S, act)
            seat = Seat(f"{FILE}:OnGrid", {"symbol": SYMBOLS[market][0]})
            if environment == "live":
                words.setdefault("records_market", True)
            for seconds in lives:
                settings = place.settings(environment, seat, **words)
                outcome = await place.trade_for(settings, seconds)
        return outcome

    return place.world.run(main())


def placed(place: Place, market: str) -> list[Any]:
    rows = place.exchange.all_orders(
        place.owner, Market(market), SYMBOLS[market][1], Window(from_id=0, limit=10**6)
    )
    return [row for row in rows if not row.client_order_id.startswith("web_")]


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_orders_follow_the_new_rules_soon_after_a_refusal(market: str) -> None:
    place = Place(141)
    outcome = trade(place, market, lambda: coarser(place, market))
    (told,) = place.words("instrument_changed")
    assert told["change"].startswith(f"{SYMBOLS[market][0]}: ")
    assert outcome["rules_changed"] == [told["change"]]
    assert 0 < outcome["rejected"] < 12  # until the rules are known, some seconds
    later = [row for row in placed(place, market) if row.price % TICK == 0 and row.qty == STEP]
    assert len(later) > 30
    assert outcome["differences"] == []
    check_ledger(place, outcome, [market])
    tables = json.loads(place.world.host("engine").disk.read(FOLDER / "tables.json"))
    (earlier,) = tables["earlier"]
    assert earlier["tick"] < tables["instruments"][0]["tick"]
    law = check_law(place.world.host("engine").disk, FOLDER)
    assert law.difference is None
    assert law.holds
    assert law.sequence == outcome["sequence"]


def test_a_run_is_gone_on_with_behind_new_rules() -> None:
    place = Place(142)
    outcome = trade(place, "usdm", lambda: coarser(place, "usdm"), lives=(40.0, 20.0))
    assert len(place.words("instrument_changed")) == 1
    assert outcome["rules_changed"] == []  # since the last start
    assert outcome["orders"] > 60
    assert outcome["differences"] == []
    assert check_law(place.world.host("engine").disk, FOLDER).holds


def test_rules_that_refuse_nothing_are_found_by_looking() -> None:
    place = Place(143)
    act = lambda: list_anew(place, "usdm", min_notional=Decimal(7))  # noqa: E731
    outcome = trade(place, "usdm", act, rhythm=OFTEN)
    assert outcome["rejected"] == 0
    (change,) = outcome["rules_changed"]
    assert "min_notional" in change


def test_paper_follows_the_new_rules_as_well() -> None:
    place = Place(144)
    outcome = trade(place, "usdm", lambda: coarser(place, "usdm"), "paper", rhythm=OFTEN)
    assert len(outcome["rules_changed"]) == 1
    assert outcome["rejected"] == 0
    law = check_law(place.world.host("engine").disk, FOLDER)
    assert law.difference is None
    assert law.holds


@pytest.mark.parametrize("market", ["spot", "usdm"])
@pytest.mark.parametrize("status", ["BREAK", "gone"])
def test_a_symbol_that_does_not_trade_is_frozen_until_it_does(market: str, status: str) -> None:
    place = Place(145)
    symbol = SYMBOLS[market][1]
    counts: list[int] = []

    def count() -> None:
        counts.append(len(placed(place, market)))

    def act() -> None:
        args = {"market": market, "symbol": symbol, "status": "BREAK", "gone": status == "gone"}
        place.simulation.levers.change_status({**args, "for_ms": 15_000})
        loop = asyncio.get_running_loop()
        loop.call_later(8.0, count)
        loop.call_later(14.9, count)

    outcome = trade(place, market, act, lives=(50.0,), rhythm=OFTEN)
    (halted,) = place.words("instrument_halted")
    (resumed,) = place.words("instrument_resumed")
    assert halted["symbol"] == resumed["symbol"] == SYMBOLS[market][0]
    assert counts[0] == counts[1]  # nothing was ordered
    assert len(placed(place, market)) > counts[1] + 10
    assert outcome["refused"] > 10
    assert outcome["frozen"] == []
    assert outcome["differences"] == []
    assert check_law(place.world.host("engine").disk, FOLDER).holds


def test_rules_finer_than_the_journal_can_say_freeze_the_symbol() -> None:
    place = Place(146)
    act = lambda: list_anew(place, "usdm", tick=Decimal("0.0001"), price_precision=4)  # noqa: E731
    outcome = trade(place, "usdm", act, rhythm=OFTEN)
    (halted,) = place.words("instrument_halted")
    assert "finer than the 2 decimals of the journal" in halted["why"]
    assert outcome["refused"] > 10
    assert outcome["rules_changed"] == []
    assert outcome["differences"] == []
