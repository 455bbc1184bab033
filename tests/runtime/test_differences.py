"""What a run does when its books and the venue's differ, and how it ends when it must."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtime.test_in_memory import FILE, SYMBOLS, check_ledger, churn
from tests.runtime.world import FOLDER, HOME, Place
from veloz.environments.law import check_law
from veloz.environments.reconcile import reconcile
from veloz.environments.statement import DAY_NS
from veloz.environments.trading import engine as engines
from veloz.environments.trading.lifetime import Stop
from veloz.environments.trading.settings import Seat
from veloz.errors import StrategyError
from veloz.exchange.model import Window
from veloz.exchange.words import IncomeKind, Market
from veloz.secrets import Credential
from veloz.storage.journal import columns_of

if TYPE_CHECKING:
    from veloz.environments.reconcile import Reconciliation

ONE = Decimal(1)


def credential(place: Place) -> Credential:
    return Credential("test", "binance", "simulated", place.key.api_key, place.key.secret, "")


def in_silence(place: Place, asset: str, amount: Decimal, *, is_recorded: bool = False) -> None:
    """Money appears at the venue, and no event says so; nor does its record unless it is said."""
    heard, place.simulation.user_feed.hear = place.simulation.user_feed.hear, lambda _event: None
    move = place.exchange.deposit if amount > 0 else place.exchange.withdraw
    move(place.owner, Market.USDM, asset, abs(amount))
    place.simulation.user_feed.hear = heard
    if not is_recorded:
        forget_income(place)


def forget_income(place: Place) -> None:
    """The venue's income record loses its last line."""
    place.exchange._floor.account(place.owner).desks[Market.USDM].incomes.pop()


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
            in_silence(place, "USDT", ONE)
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
            in_silence(place, "USDT", ONE)
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


def test_transfers_and_funding_that_fell_into_a_hole_are_booked_as_what_they_are() -> None:
    place = Place(28)
    seen: dict[str, Any] = {}

    async def main() -> dict[str, Any]:
        async with place.open():
            stop = Stop()
            settings = place.settings("live", churn("usdm"))
            run = asyncio.create_task(place.trade(settings, place.boot(), stop))
            await asyncio.sleep(10.0)
            in_silence(place, "USDT", ONE, is_recorded=True)
            in_silence(place, "USDT", Decimal("-0.25"), is_recorded=True)
            await asyncio.sleep(40.0)
            seen["frozen"] = place.words("status")[-1]["frozen"]
            stop.ask()
            return await run

    outcome = place.world.run(main())
    told = [(row["kind"], row["subject"], row["theirs"]) for row in place.words("differs")]
    assert told == [
        ("cash_missing", "TRANSFER USDT", "1"),
        ("cash_missing", "TRANSFER USDT", "-0.25"),
    ]
    assert seen["frozen"] == 0
    assert outcome["differences"] == []
    check_ledger(place, outcome, ["usdm"])


FUNDING_S = 8 * 3600.0
RATE = Decimal("0.0003")


def near_funding(seed: int) -> tuple[Place, Seat, int]:
    """An exchange a minute and a half before it settles funding; a holder; when that is, ns."""
    place = Place(seed, start_s=FUNDING_S - 90.0)
    place.exchange.set_funding_rate(Market.USDM, "BTCUSDT", RATE)
    at_ns = place.world.host("venue").clock.wall_ns() + 90 * 10**9
    return place, Seat(f"{FILE}:Holding", {"symbol": SYMBOLS["usdm"][0]}), at_ns


def test_funding_while_the_engine_was_down_is_booked_at_the_next_start() -> None:
    place, seat, _ = near_funding(29)

    async def main() -> dict[str, Any]:
        async with place.open():
            await place.trade_for(place.settings("live", seat), 40.0)
            await asyncio.sleep(60.0)
            return await place.trade_for(place.settings("live", seat), 20.0)

    outcome = place.world.run(main())
    rows = place.exchange.income(place.owner, Market.USDM, None, Window())
    (paid,) = [row for row in rows if row.kind is IncomeKind.FUNDING]
    told = [(row["kind"], row["subject"], Decimal(row["theirs"])) for row in place.words("differs")]
    assert told == [("cash_missing", "FUNDING_FEE BTCUSDT", paid.amount)]
    assert paid.amount < 0
    assert outcome["differences"] == []
    check_ledger(place, outcome, ["usdm"])


@pytest.mark.parametrize("environment", ["paper", "live"])
def test_funding_is_exchanged_and_heard_at_its_instant(
    environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, seat, at_ns = near_funding(30)
    made: list[Any] = []
    make = engines.made_strategy

    def kept(target: Any, parameters: Any) -> Any:
        loaded, strategy = make(target, parameters)
        made.append(strategy)
        return loaded, strategy

    monkeypatch.setattr(engines, "made_strategy", kept)

    async def main() -> dict[str, Any]:
        async with place.open():
            balance = {"USDT": Decimal(100_000)}
            settings = place.settings(environment, seat, balance=balance)
            return await place.trade_for(settings, 120.0)

    outcome = place.world.run(main())
    assert outcome["differences"] == []
    assert outcome["positions"][0]["qty"] == "0.5"
    holder = made[0]
    assert holder.heard == [(at_ns, pytest.approx(0.0003))]
    if environment == "live":
        check_ledger(place, outcome, ["usdm"])
        return
    disk = place.world.host("engine").disk
    paid = columns_of(disk.read(FOLDER / "trading-000001.vj"), "FundingPaid")
    assert [int(rate) for rate in paid["rate"]] == [int(RATE.scaleb(18))]
    mark = [mark for at, mark in holder.marked if at <= at_ns][-1]
    assert int(paid["mark"][0]) == round(mark * 10**8)
    # half a coin pays half of mark × rate, to the last digit of USDT
    assert int(paid["amount"][0]) == -(int(paid["mark"][0]) * 3 // 20_000)
    assert check_law(disk, FOLDER).holds
