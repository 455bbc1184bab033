"""Each row of the table of differences: made at the venue, found, frozen, repaired or asked."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.venues.binance.streams import SYMBOL
from tests.venues.binance.trading import Trader
from veloz.net.doors import HttpResponse
from veloz.venues.binance.income import Entry, missed
from veloz.venues.binance.reconcile import DIFFERENCES
from veloz.venues.venue import Freeze

if TYPE_CHECKING:
    from collections.abc import Callable

    from veloz.venues.venue import Difference


def found(trader: Trader, make: Callable[[], Any], *, check: bool = True) -> list[Difference]:
    """Makes a difference while the private stream says nothing, reconciles once."""

    async def main() -> None:
        async with trader.running():
            trader.till.sends_events = False
            made = make()
            if asyncio.iscoroutine(made):
                await made
            trader.engine.differences.clear()
            assert await trader.reconciler.once()
            trader.till.sends_events = True

    trader.world.run(main())
    if check:
        trader.check()
    return trader.engine.differences


def rows(differences: list[Difference]) -> list[tuple[str, str, str, str]]:
    return [(d.kind, d.subject, d.ours, d.theirs) for d in differences]


def foreign(trader: Trader) -> None:
    asked = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "quantity": "1", "price": "1.0"}
    trader.till._place({**asked, "newClientOrderId": "web_1"})


def test_f_e01_order_missing_here_is_shown_as_external_and_freezes_nothing() -> None:
    trader = Trader(50)
    (difference,) = found(trader, lambda: foreign(trader))
    assert rows([difference]) == [("order_missing_here", "web_1", "none", "open")]
    assert difference.freeze is Freeze.NOTHING
    assert ("found", "web_1") in trader.engine.told


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_order_missing_there_is_asked_for_by_its_id(market: str) -> None:
    trader = Trader(51, market)
    names: list[str] = []

    async def make() -> None:
        names.append(trader.place())
        await asyncio.sleep(1.0)
        trader.till._cancel({"origClientOrderId": names[0]})

    (difference,) = found(trader, make)
    assert rows([difference]) == [("order_missing_there", names[0], "open", "CANCELED")]
    assert difference.freeze is Freeze.ORDER
    assert trader.engine.status(names[0]) == "CANCELED"


def test_f_d05_filled_quantity_ahead_of_ours_fetches_the_trades() -> None:
    trader = Trader(52)
    names: list[str] = []

    async def make() -> None:
        names.append(trader.place())
        await asyncio.sleep(1.0)
        trader.till.trade(names[0], "0.4")

    differences = found(trader, make)
    assert rows(differences) == [
        ("filled_quantity", names[0], "0", "0.4"),
        ("fill_missing", SYMBOL, "0", "1"),
    ]
    assert differences[0].freeze is Freeze.ORDER
    assert trader.engine.position() == Decimal("0.4")


def test_f_a07_fill_missing_is_the_venues_trade_and_booked_once() -> None:
    trader = Trader(53)

    async def make() -> None:
        name = trader.place()
        await asyncio.sleep(1.0)
        trader.till.trade(name, "1")

    kinds = [d.kind for d in found(trader, make)]
    assert kinds == ["order_missing_there", "fill_missing"]
    assert trader.engine.position() == 1


def test_position_that_no_fill_explains_waits_for_a_person() -> None:
    trader = Trader(54, "usdm")
    trader.till.position = lambda: Decimal(3)  # type: ignore[method-assign]
    (difference,) = found(trader, lambda: None, check=False)
    assert rows([difference]) == [("position", f"{SYMBOL} BOTH", "0", "3")]
    assert (difference.freeze, difference.repair) == (Freeze.INSTRUMENT, "")
    assert DIFFERENCES["position"].ask == "a person"


def test_balance_that_nothing_explains_freezes_the_account() -> None:
    trader = Trader(55)

    def make() -> None:
        trader.till.held["USDT"] = Decimal("900.5")

    (difference,) = found(trader, make)
    assert rows([difference]) == [("balance", "USDT", "1000", "900.5")]
    assert difference.freeze is Freeze.ACCOUNT


def income(trader: Trader, kind: str, amount: str, number: int, symbol: str = SYMBOL) -> None:
    """A line of the venue's record; it is as old as the number says, in seconds."""
    now_ms = trader.world.host("venue").clock.wall_ns() // 1_000_000
    row = {"symbol": symbol, "incomeType": kind, "income": amount, "asset": "USDT"}
    row |= {"time": str(now_ms - 1000 * number), "tranId": str(number), "tradeId": ""}
    trader.till.incomes.append(row)


def test_cash_missing_is_found_in_the_income_record_and_booked_once() -> None:
    trader = Trader(61, "usdm")

    def make() -> None:
        income(trader, "FUNDING_FEE", "-0.25000000", 9)  # heard: it is in our books
        income(trader, "REALIZED_PNL", "-0.50000000", 8)  # of a trade: never booked from here
        income(trader, "FUNDING_FEE", "-0.50000000", 7)
        income(trader, "TRANSFER", "100.00000000", 6, symbol="")
        trader.till.held["USDT"] += Decimal("99.5")

    differences = found(trader, make)
    assert rows(differences) == [
        ("cash_missing", f"FUNDING_FEE {SYMBOL}", "0", "-0.5"),
        ("cash_missing", "TRANSFER USDT", "0", "100"),
    ]
    assert {d.freeze for d in differences} == {Freeze.NOTHING}
    assert trader.engine.held["USDT"] == trader.till.held["USDT"]


def test_what_two_choices_of_entries_explain_waits_for_a_person() -> None:
    trader = Trader(62, "usdm")

    def make() -> None:
        income(trader, "FUNDING_FEE", "-0.50000000", 9)
        income(trader, "TRANSFER", "-0.50000000", 8)
        trader.till.held["USDT"] -= Decimal("0.5")

    (difference,) = found(trader, make)
    assert rows([difference]) == [("balance", "USDT", "1000", "999.5")]


@pytest.mark.parametrize(
    ("amounts", "difference", "expected"),
    [
        (["1", "2", "4"], "5", ["1", "4"]),
        (["1", "2", "4"], "8", []),
        (["1", "1", "1"], "2", ["1", "1"]),
        (["1", "2", "3"], "3", []),  # 3, or 1 and 2
        (["-0.1", "0.3"], "0.2", ["-0.1", "0.3"]),
        ([str(2**n) for n in range(16)], "1", []),  # more sums than are looked at
    ],
)
def test_the_only_choice_of_entries_is_what_was_missed(
    amounts: list[str], difference: str, expected: list[str]
) -> None:
    entries = [
        Entry("FUNDING_FEE", "funding", "USDT", Decimal(amount), SYMBOL, at, at + 1)
        for at, amount in enumerate(amounts)
    ]
    assert [str(one.amount) for one in missed(entries, Decimal(difference))] == expected


def test_f_e07_leverage_of_the_venue_is_what_risk_counts_with() -> None:
    trader = Trader(56, "usdm")

    def make() -> None:
        trader.till.leverage = 3

    (difference,) = found(trader, make)
    assert rows([difference]) == [("leverage", SYMBOL, "5", "3")]
    assert (difference.freeze, difference.repair) == (
        Freeze.INSTRUMENT,
        "risk counts with the venue's",
    )


def test_f_e06_margin_type_that_differs_freezes_its_instrument() -> None:
    trader = Trader(57, "usdm")

    def make() -> None:
        trader.till.margin_type = "ISOLATED"

    (difference,) = found(trader, make)
    assert rows([difference]) == [("margin_type", SYMBOL, "cross", "isolated")]
    assert difference.freeze is Freeze.INSTRUMENT


def test_f_e06_position_mode_that_differs_freezes_the_account() -> None:
    trader = Trader(58, "usdm")

    def make() -> None:
        trader.till.is_hedge = True

    (difference,) = found(trader, make)
    assert rows([difference]) == [("position_mode", "account", "one-way", "hedge")]
    assert difference.freeze is Freeze.ACCOUNT


def test_every_row_of_the_table_has_a_test() -> None:
    names = [name for name in globals() if name.startswith("test_")]
    silent = [kind for kind in DIFFERENCES if not any(kind in name for name in names)]
    assert silent == []


def test_f_e05_f_e09_one_empty_or_lagging_answer_is_no_difference() -> None:
    trader = Trader(59)
    held = trader.till._account
    answers = iter([{"balances": []}])

    def account(asked: dict[str, Any]) -> Any:
        return next(answers, None) or held(asked)

    def make() -> None:
        trader.till._account = account  # type: ignore[method-assign]

    assert found(trader, make) == []


@pytest.mark.parametrize("path", ["openOrders", "myTrades", "account"])
def test_f_e09_a_failed_query_is_not_an_empty_account(path: str) -> None:
    trader = Trader(60)

    async def main() -> None:
        async with trader.running():
            name = trader.place()
            await asyncio.sleep(1.0)
            honest = trader.till.http

            async def http(request: Any) -> HttpResponse:
                if request.path.endswith(path):
                    return HttpResponse(200, {}, b"<html>maintenance</html>")
                return await honest(request)

            trader.till.http = http  # type: ignore[method-assign]
            syncs = trader.engine.syncs
            assert not await trader.reconciler.once()
            assert trader.engine.syncs == syncs
            assert trader.engine.status(name) == "NEW"

    trader.world.run(main())
    assert trader.engine.differences == []


def test_f_d05_a_fill_that_was_dropped_is_fetched_as_soon_as_the_sum_shows_it() -> None:
    trader = Trader(63)

    async def main() -> None:
        async with trader.running():
            name = trader.place()
            await asyncio.sleep(1.0)
            trader.till.sends_events = False
            trader.till.trade(name, "0.4")
            trader.till.sends_events = True
            await asyncio.sleep(100.0)  # more than the margin: later events confirm nothing
            assert trader.engine.position() == 0
            trader.till.trade(name, "0.1")
            await asyncio.sleep(5.0)
            assert trader.engine.position() == Decimal("0.5")

    trader.world.run(main())
    trader.check()


def test_trades_from_before_the_opening_balances_are_not_booked_again() -> None:
    trader = Trader(64)
    foreign(trader)
    trader.till.trade("web_1", "1")

    async def main() -> None:
        await asyncio.sleep(10.0)
        trader.engine.held.clear()
        async with trader.running(adopts=True):
            assert await trader.reconciler.once()

    trader.world.run(main())
    assert trader.engine.fills_by_id == {}
    assert trader.engine.differences == []


def test_a_hole_during_a_round_means_another_round() -> None:
    trader = Trader(61)

    async def main() -> None:
        async with trader.running():
            once = asyncio.create_task(trader.reconciler.once())
            await asyncio.sleep(0.001)
            trader.reconciler.hole("in the middle")
            assert not await once

    trader.world.run(main())


def test_fills_are_paged_to_the_end() -> None:
    trader = Trader(62)

    async def make() -> None:
        name = trader.place(qty="5000")
        await asyncio.sleep(1.0)
        for _ in range(2300):
            trader.till.trade(name, "1")
        page = trader.till._trades

        def trades(asked: dict[str, Any]) -> Any:
            since = int(asked.get("fromId", 0))
            return [t for t in page(asked) if t["id"] >= since][:1000]

        trader.till._trades = trades  # type: ignore[method-assign]

    found(trader, make)
    assert trader.reconciler.fills_found == 2300


class _Everything(set[int]):
    """Every order's trades wait for it."""

    def __contains__(self, number: object) -> bool:
        return True


def test_f_c04_a_trade_whose_order_is_not_found_is_looked_at_again() -> None:
    """A round that ended there would not list the trade again, and lose it (O1)."""
    trader = Trader(58)
    waiting = [True]
    trader.engine.parked = lambda account: _Everything() if waiting else set()  # type: ignore[method-assign]
    trader.engine.external = lambda *_: waiting.clear()  # type: ignore[method-assign]

    async def main() -> None:
        async with trader.running():
            name = trader.place()
            await asyncio.sleep(1.0)
            trader.till.trade(name, "1")
            await asyncio.sleep(1.0)
            call = trader.reconciler._rest.call
            asked_as = ["nobody", name]

            async def answered(what: str, params: Any = None) -> Any:
                if what == "order":
                    params = {"symbol": SYMBOL, "origClientOrderId": asked_as.pop(0)}
                return await call(what, params)

            trader.reconciler._rest.call = answered  # type: ignore[method-assign]
            rounds = trader.reconciler.rounds
            assert not await trader.reconciler.once()
            assert waiting
            assert await trader.reconciler.once()
            assert not waiting
            assert trader.reconciler.rounds == rounds + 1

    trader.world.run(main())
