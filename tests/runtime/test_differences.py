"""What a run does when its books and the venue's differ, and how it ends when it must."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtime.test_in_memory import FILE, SYMBOLS, check_ledger, churn
from tests.runtime.world import FOLDER, HOME, Place
from veloz.environments.reconcile import reconcile
from veloz.environments.statement import DAY_NS
from veloz.environments.trading.lifetime import Stop
from veloz.environments.trading.settings import Seat
from veloz.errors import StrategyError
from veloz.exchange.words import Market
from veloz.secrets import Credential

if TYPE_CHECKING:
    from veloz.environments.reconcile import Reconciliation

ONE = Decimal(1)


def credential(place: Place) -> Credential:
    return Credential("test", "binance", "simulated", place.key.api_key, place.key.secret, "")


def in_silence(place: Place, asset: str, amount: Decimal) -> None:
    """Money appears at the venue, and no event says so."""
    heard, place.simulation.user_feed.hear = place.simulation.user_feed.hear, lambda _event: None
    move = place.exchange.deposit if amount > 0 else place.exchange.withdraw
    move(place.owner, Market.USDM, asset, abs(amount))
    place.simulation.user_feed.hear = heard


def test_a_balance_that_nobody_explained_freezes_until_it_is_gone() -> None:
    place = Place(21)
    seen: dict[str, int] = {}

    async def main() -> dict[str, Any]:
        async with place.open():
            stop = Stop()
            settings = place.settings("live", churn("usdm"))
            run = asyncio.create_task(place.trade(settings, place.boot(), stop))
            await asyncio.sleep(10.0)
            in_silence(place, "USDT", ONE)
            await asyncio.sleep(40.0)
            seen["frozen"] = place.words("status")[-1]["frozen"]
            before = place.words("status")[-1]["orders"] - place.words("status")[-1]["refused"]
            await asyncio.sleep(10.0)
            after = place.words("status")[-1]["orders"] - place.words("status")[-1]["refused"]
            seen["sent"] = after - before
            in_silence(place, "USDT", -ONE)
            await asyncio.sleep(60.0)
            seen["thawed"] = place.words("status")[-1]["frozen"]
            stop.ask()
            return await run

    outcome = place.world.run(main())
    told = [(row["kind"], row["subject"], row["freeze"]) for row in place.words("differs")]
    assert told == [("balance", "USDT", "account")]
    assert seen == {"frozen": 1, "sent": 0, "thawed": 0}
    assert outcome["differences"] == []


def test_reconcile_shows_what_differs_whom_to_ask_and_changes_nothing() -> None:
    place = Place(22)

    async def main() -> tuple[Reconciliation, Reconciliation, list[str]]:
        async with place.open():
            await place.trade_for(place.settings("live", churn("usdm")), 15.0)
            doors = place.boot()
            names = doors.files.list(FOLDER)
            words: dict[str, Any] = {"home": HOME, "markets": ["usdm"], "folder": FOLDER}
            clean = await reconcile(credential(place), place.hosts, doors, **words)
            place.exchange.deposit(place.owner, Market.USDM, "USDT", ONE)
            found = await reconcile(credential(place), place.hosts, doors, **words)
            assert doors.files.list(FOLDER) == names
            return clean, found, names

    clean, found, _ = place.world.run(main())
    assert clean.rows == []
    assert [(row["kind"], row["subject"]) for row in found.rows] == [("balance", "USDT")]
    assert Decimal(found.rows[0]["theirs"]) - Decimal(found.rows[0]["ours"]) == ONE
    assert (found.rows[0]["freezes"], found.rows[0]["ask"]) == ("account", "a person")


@pytest.mark.parametrize("market", list(SYMBOLS))
def test_the_statement_of_a_day_equals_the_venues(market: str) -> None:
    place = Place(27)

    async def main() -> tuple[dict[str, Any], Reconciliation]:
        async with place.open():
            ended = await place.trade_for(place.settings("live", churn(market)), 20.0)
            doors = place.boot()
            day_ns = doors.clock.wall_ns() // DAY_NS * DAY_NS
            words: dict[str, Any] = {
                "home": HOME,
                "markets": [],
                "folder": FOLDER,
                "day_ns": day_ns,
            }
            return ended, await reconcile(credential(place), place.hosts, doors, **words)

    ended, found = place.world.run(main())
    assert [row for row in found.statement if row["ours"] != row["theirs"]] == []
    trades = [row["ours"] for row in found.statement if row["what"] == "trades"]
    assert trades == [str(ended["fills"])]
    assert {"volume", "fees"} <= {row["what"] for row in found.statement}


def test_a_person_can_say_that_the_venue_is_right() -> None:
    place = Place(23)

    async def main() -> dict[str, Any]:
        async with place.open():
            await place.trade_for(place.settings("live", churn("usdm")), 15.0)
            place.exchange.deposit(place.owner, Market.USDM, "USDT", ONE)
            return await place.trade_for(place.settings("live", churn("usdm"), adopts=True), 25.0)

    outcome = place.world.run(main())
    assert place.words("adopted") == [{"market": "usdm", "differences": 1}]
    assert outcome["differences"] == []
    assert outcome["fills"] > 5
    check_ledger(place, outcome, ["usdm"])


@pytest.mark.parametrize("market", list(SYMBOLS))
def test_flatten_ends_without_a_position(market: str) -> None:
    place = Place(24)
    symbol, _, qty = SYMBOLS[market]
    seat = Seat(f"{FILE}:Leaving", {"symbol": symbol, "qty": qty, "step": 333})

    async def main() -> dict[str, Any]:
        async with place.open():
            return await place.trade_for(place.settings("live", seat), 21.1)

    outcome = place.world.run(main())
    assert outcome["wound_down"]
    assert outcome["differences"] == []
    check_ledger(place, outcome, [market])
    if market != "spot":
        assert outcome["positions"] == []


def test_hold_leaves_orders_where_they_are_and_the_next_start_finds_them() -> None:
    place = Place(25)
    seat = Seat(f"{FILE}:Staying", {"symbol": SYMBOLS["usdm"][0], "qty": "0.01"})

    async def main() -> tuple[int, dict[str, Any]]:
        async with place.open():
            await place.trade_for(place.settings("live", seat), 10.0)
            left = len(place.exchange.open_orders(place.owner, Market.USDM))
            return left, await place.trade_for(place.settings("live", seat), 10.0)

    left, outcome = place.world.run(main())
    assert left == 1
    assert len(place.exchange.open_orders(place.owner, Market.USDM)) == 1
    assert outcome["orders"] == 1
    assert outcome["differences"] == []


def test_a_strategy_that_raises_is_stopped_and_its_orders_are_cancelled() -> None:
    place = Place(26)
    seat = Seat(f"{FILE}:Falling", {"symbol": SYMBOLS["usdm"][0], "qty": "0.01"})

    async def main() -> None:
        async with place.open():
            with pytest.raises(StrategyError, match="Falling was stopped: on_quote raised"):
                await place.trade_for(place.settings("live", seat), 30.0)

    place.world.run(main())
    assert place.exchange.open_orders(place.owner, Market.USDM) == []
    assert len(place.exchange.all_orders(place.owner, Market.USDM, "BTCUSDT")) == 1
    assert place.words("ended")[-1]["strategies"][0]["is_stopped_by_error"]
