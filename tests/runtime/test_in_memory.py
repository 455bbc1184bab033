"""Whole runs in memory: what the engine holds at the end is what the exchange's ledger holds."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.world import FOLDER, MONEY, Place
from veloz.environments.backtest import backtest
from veloz.environments.law import check_law
from veloz.environments.trading.lifetime import Stop
from veloz.environments.trading.rehearsal import Rehearsal
from veloz.environments.trading.settings import Seat
from veloz.errors import ConfigError
from veloz.exchange.model import OrderRequest
from veloz.exchange.words import Market, OrderType, Side
from veloz.net.simulated import Fate, Parcel, PowerLost
from veloz.net.simulated.link import End
from veloz.storage.journal import columns_of
from veloz.storage.synthetic import Synthetic, synthesize

FILE = str(Path(__file__).parent / "strategies.py")
SYMBOLS = {
    "spot": ("binance:BTC/USDT", "BTCUSDT", "0.01"),
    "usdm": ("binance:BTC/USDT:USDT", "BTCUSDT", "0.01"),
    "coinm": ("binance:BTC/USD:BTC", "BTCUSD_PERP", "10"),
}


def churn(market: str, **parameters: object) -> Seat:
    symbol, _, qty = SYMBOLS[market]
    return Seat(f"{FILE}:Churn", {"symbol": symbol, "qty": qty, **parameters})


def check_ledger(place: Place, outcome: dict[str, Any], markets: list[str]) -> None:
    """Positions to the last lot, balances to the last unit, every fill once, no order twice."""
    trading = [
        columns_of(place.world.host("engine").disk.read(FOLDER / name), "Fill")
        for name in place.world.host("engine").disk.list(FOLDER)
        if name.startswith("trading-") and name.endswith(".vj")
    ]
    booked = [
        (int(account), int(number))
        for part in trading
        for account, number in zip(part["account"], part["trade_id"], strict=True)
    ]
    assert len(booked) == len(set(booked))
    for row, market in enumerate(markets):
        _, symbol, _ = SYMBOLS[market]
        word = Market(market)
        theirs = {fill.trade_id for fill in place.exchange.fills(place.owner, word)}
        assert {number for account, number in booked if account == row} == theirs
        placed = place.exchange.all_orders(place.owner, word, symbol)
        assert len(placed) == len({order.client_order_id for order in placed})
        seen = place.exchange.account(place.owner, word)
        held = {row.asset: row.free + row.locked for row in seen.balances}
        held |= {row.asset: row.wallet for row in seen.wallets}
        held = {asset: amount for asset, amount in held.items() if amount}
        ours = {asset: Decimal(text) for asset, text in outcome["balances"][market].items()}
        assert ours == held
        if word is not Market.SPOT:
            qty = sum((p.qty for p in place.exchange.positions(place.owner, word)), Decimal(0))
            own = [
                Decimal(p["qty"]) for p in outcome["positions"] if p["symbol"] == SYMBOLS[market][0]
            ]
            assert sum(own, Decimal(0)) == qty


def buy_by_hand(place: Place) -> None:
    """A position of half a bitcoin, and an order that rests."""
    for kind, price in ((OrderType.MARKET, None), (OrderType.LIMIT, Decimal(30_000))):
        request = OrderRequest(
            Market.USDM,
            "BTCUSDT",
            Side.BUY,
            kind,
            qty=Decimal("0.5"),
            price=price,
            client_order_id=f"by-hand-{kind}",
        )
        place.exchange.place(place.owner, request)


@pytest.mark.parametrize("market", list(SYMBOLS))
def test_a_live_run_ends_with_the_ledger_of_the_exchange(market: str) -> None:
    place = Place(1)

    async def main() -> dict[str, Any]:
        async with place.open():
            return await place.trade_for(place.settings("live", churn(market)), 40.0)

    outcome = place.world.run(main())
    assert outcome["wound_down"]
    assert outcome["differences"] == []
    assert outcome["fills"] > 20
    assert outcome["sessions"][market]["orders"]["unknown"] == 0
    assert outcome["frozen"] == []
    check_ledger(place, outcome, [market])


def test_rehearsed_orders_leave_no_trace_and_are_never_sent(monkeypatch: Any) -> None:
    gone: Counter[str] = Counter()

    def counted(self: Rehearsal) -> None:
        gone["begun"] += 1
        once(self)

    def reached(self: End) -> None:
        gone["at the wire"] += 1

    once = Rehearsal.once
    monkeypatch.setattr(Rehearsal, "once", counted)
    monkeypatch.setattr(End, "rehearse", reached)
    told: list[dict[str, Any]] = []
    for is_alone in (False, True):
        place = Place(3)

        async def main(place: Place = place, is_alone: bool = is_alone) -> dict[str, Any]:
            async with place.open():
                stop = Stop()
                asyncio.get_running_loop().call_later(15.0, stop.ask)
                settings = place.settings("live", churn("usdm"), churn("spot"), policy="os")
                return await place.trade(settings, place.boot(), stop, is_alone=is_alone)

        outcome = place.world.run(main())
        assert outcome["differences"] == []
        check_ledger(place, outcome, ["usdm", "spot"])
        told.append(outcome)
    assert gone["begun"] > 6000
    assert gone["at the wire"] > gone["begun"]  # two accounts; none while something is under way
    plain, rehearsed = told
    assert plain["orders"] > 20
    for what in ("orders", "fills", "refused", "journal", "state_hash"):
        assert plain[what] == rehearsed[what], what
    for market in ("usdm", "spot"):
        assert plain["sessions"][market]["orders"] == rehearsed["sessions"][market]["orders"]


def test_three_strategies_trade_three_markets_in_one_engine() -> None:
    place = Place(2)

    async def main() -> dict[str, Any]:
        async with place.open():
            seats = [churn(market) for market in SYMBOLS]
            return await place.trade_for(place.settings("live", *seats, policy="os"), 30.0)

    outcome = place.world.run(main())
    assert outcome["differences"] == []
    assert [row["markets"] for row in outcome["strategies"]] == [[market] for market in SYMBOLS]
    check_ledger(place, outcome, list(SYMBOLS))


@pytest.mark.parametrize("end", ["kill", "lose_power"])
@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_an_engine_that_is_killed_loses_and_doubles_nothing(market: str, end: str) -> None:
    place = Place(3)
    host = place.world.host("engine")

    async def life(seconds: float) -> None:
        settings = place.settings("live", churn(market, step=200))
        task = asyncio.create_task(place.trade(settings, place.boot(), Stop()))
        await asyncio.sleep(seconds)
        assert not task.done()
        host.kill() if end == "kill" else host.lose_power()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception, PowerLost):
            await task

    async def main() -> dict[str, Any]:
        async with place.open():
            for seconds in (13.37, 17.01, 21.93):
                await life(seconds)
                await asyncio.sleep(3.0)
            return await place.trade_for(place.settings("live", churn(market)), 60.0)

    outcome = place.world.run(main())
    assert len(place.words("recovered")) == 3
    assert outcome["differences"] == []
    assert outcome["wound_down"]
    check_ledger(place, outcome, [market])


def test_a_death_at_any_step_of_the_start_leaves_an_account_that_is_taken_over_whole() -> None:
    place = Place(9)
    host = place.world.host("engine")

    async def start_and_die(folder: Path, step: int) -> None:
        disk = host.disk
        disk.pull_at(disk.steps + step, after_bytes=(None, 0, 40)[step % 3])
        settings = place.settings("live", churn("usdm"), churn("coinm"), folder=folder)
        task = asyncio.create_task(place.trade(settings, place.boot(), Stop()))
        while disk.is_up and not task.done():  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.001)
        host.lose_power()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception, PowerLost):
            await task

    async def main() -> None:
        async with place.open():
            buy_by_hand(place)
            for step in range(1, 40, 2):
                folder = Path(f"/runs/{step}")
                await start_and_die(folder, step)
                settings = place.settings("live", churn("usdm"), churn("coinm"), folder=folder)
                outcome = await place.trade_for(settings, 3.0)
                assert outcome["differences"] == [], step

    place.world.run(main())
    assert any("/unbegun-trading-" in name for name, _ in host.disk.images())


def test_a_paper_run_recovers_and_verifies_byte_for_byte() -> None:
    place = Place(4)

    async def main() -> dict[str, Any]:
        async with place.open():
            seats = (churn("usdm"), churn("spot"))
            return await place.trade_for(place.settings("paper", *seats), 40.0)

    outcome = place.world.run(main())
    assert outcome["fills"] > 20
    law = check_law(place.world.host("engine").disk, FOLDER)
    assert law.difference is None
    assert law.recorded == outcome["state_hash"] == law.recovered == law.verified
    assert law.sequence == outcome["sequence"]
    assert law.holds


def test_the_law_names_what_a_strategy_reads_besides_its_inputs() -> None:
    place = Place(4)

    async def main() -> None:
        async with place.open():
            await place.trade_for(place.settings("paper", churn("usdm")), 20.0)

    place.world.run(main())
    disk = place.world.host("engine").disk
    moved = {"Churn": str(Path(FILE).with_name("other_churn.py"))}
    law = check_law(disk, FOLDER, strategies=moved)
    assert law.difference is not None
    assert not law.holds


def test_a_paper_run_is_never_gone_on_with() -> None:
    place = Place(5)

    async def main() -> None:
        async with place.open():
            await place.trade_for(place.settings("paper", churn("usdm")), 5.0)
            with pytest.raises(ConfigError, match="paper run starts anew"):
                await place.trade_for(place.settings("paper", churn("usdm")), 5.0)

    place.world.run(main())


def test_two_engines_on_one_account_are_refused() -> None:
    place = Place(6)

    async def main() -> None:
        async with place.open():
            doors = place.boot()
            stop = Stop()
            first = asyncio.create_task(
                place.trade(place.settings("live", churn("usdm")), doors, stop)
            )
            await asyncio.sleep(5.0)
            other = place.settings("live", churn("spot"), folder=Path("/runs/two"))
            with pytest.raises(ConfigError, match="in use by another process"):
                await place.trade(other, doors, Stop())
            stop.ask()
            await first

    place.world.run(main())


def test_a_run_that_is_not_confirmed_orders_nothing() -> None:
    place = Place(7)
    plans: list[dict[str, Any]] = []

    def refuse(plan: dict[str, Any]) -> bool:
        plans.append(plan)
        return False

    async def main() -> None:
        async with place.open():
            settings = place.settings("live", churn("usdm"))
            with pytest.raises(ConfigError, match="not confirmed"):
                await place.trade(settings, place.boot(), Stop(), confirm=refuse)

    place.world.run(main())
    assert plans[0]["strategies"][0]["symbols"] == ["binance:BTC/USDT:USDT"]
    assert Decimal(plans[0]["accounts"]["usdm"]["balances"]["USDT"]) == MONEY[Market.USDM, "USDT"]
    assert place.exchange.all_orders(place.owner, Market.USDM, "BTCUSDT") == []


def test_a_key_that_may_withdraw_is_refused() -> None:
    place = Place(8)
    for key in place.simulation.venue.keys:
        key.can_withdraw = True

    async def main() -> None:
        async with place.open():
            with pytest.raises(ConfigError, match="take money out"):
                await place.trade_for(place.settings("live", churn("usdm")), 5.0)

    place.world.run(main())


@pytest.mark.parametrize("times", [1, 9])
def test_rights_that_cannot_be_read_are_asked_for_again(times: int) -> None:
    """F-K01: damage is no right to withdraw; and where nobody can tell, nothing is traded."""
    place = Place(8)
    judge, damaged = place.world.network.judge, 0

    def damage(parcel: Parcel) -> Fate:
        nonlocal damaged
        fate = judge(parcel)
        if b'"enableInternalTransfer":false' not in parcel.payload or damaged == times:
            return fate
        damaged += 1
        torn = parcel.payload.replace(
            b'"enableInternalTransfer":false', b'"enableInternalTransfer":{}'
        )
        return fate._replace(payload=torn)

    place.world.network.judge = damage

    async def main() -> None:
        async with place.open():
            await place.trade_for(place.settings("live", churn("usdm")), 5.0)

    if times == 1:
        place.world.run(main())
    else:
        with pytest.raises(ConfigError, match="does not say what the key may do"):
            place.world.run(main())
    assert damaged == min(times, 3)


def test_a_position_and_an_order_by_hand_are_taken_over() -> None:
    place = Place(9)

    async def main() -> dict[str, Any]:
        async with place.open():
            buy_by_hand(place)
            return await place.trade_for(place.settings("live", churn("usdm")), 20.0)

    outcome = place.world.run(main())
    assert outcome["differences"] == []
    by_owner = {row["strategy"]: row["qty"] for row in outcome["positions"]}
    assert Decimal(by_owner["external"]) == Decimal("0.5")


EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize(
    ("file", "parameters", "model", "seconds"),
    [
        ("market_maker.py", {}, "l2", 30.0),
        ("sma_cross.py", {"fast": 2, "slow": 3}, "bars", 420.0),
    ],
)
def test_one_file_trades_in_all_three_environments(
    tmp_path: Path, file: str, parameters: dict[str, object], model: str, seconds: float
) -> None:
    target = str(EXAMPLES / file)
    symbol = SYMBOLS["usdm"][0]
    synthesize(Synthetic(model=model, seed=5, symbol=symbol, rows=2_000), tmp_path)
    replayed = backtest(target, tmp_path, parameters=parameters)
    assert replayed.counts["orders"] > 0
    for environment in ("paper", "live"):
        place = Place(10, rate=2.0)

        async def main(place: Place = place, environment: str = environment) -> dict[str, Any]:
            async with place.open():
                seat = Seat(target, parameters)
                settings = place.settings(environment, seat, records_market=True)
                return await place.trade_for(settings, seconds)

        outcome = place.world.run(main())
        assert outcome["orders"] > 0, environment
        assert outcome["differences"] == []
        assert outcome["wound_down"]
        if environment == "live":
            check_ledger(place, outcome, ["usdm"])
        assert check_law(place.world.host("engine").disk, FOLDER).holds, environment
