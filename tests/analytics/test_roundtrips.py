"""Round trips: partial closes, flips, both methods, exact money, funding and fees in shares."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from tests.analytics.runs import small_run
from tests.analytics.sma_run import sma_run
from veloz.analytics import RunTables, round_trips, summarise
from veloz.analytics.roundtrips import value_at
from veloz.analytics.run_tables import InstrumentFacts


def test_a_partial_close_stays_in_its_trip() -> None:
    (trip,) = round_trips(small_run([(1, 2, 100), (-1, 1, 110), (-1, 1, 130)]))
    assert (trip.gross, trip.qty, trip.fills) == (Decimal(40), Decimal(2), 3)
    assert (trip.entry_price, trip.exit_price) == (100.0, 120.0)
    assert (trip.entry_ts, trip.exit_ts) == (1_000_000_000, 3_000_000_000)


def test_scaling_in_averages_the_cost() -> None:
    (trip,) = round_trips(small_run([(1, 1, 100), (1, 3, 120), (-1, 4, 120)]))
    assert (trip.entry_price, trip.gross) == (115.0, Decimal(20))


def test_a_flip_closes_one_trip_and_opens_the_next() -> None:
    tables = small_run([(1, 2, 100), (-1, 5, 110), (1, 3, 90)], fees=[0, 500, 0])
    first, second = round_trips(tables)
    assert (first.side, first.gross, first.qty) == (1, Decimal(20), Decimal(2))
    assert (second.side, second.gross, second.qty) == (-1, Decimal(60), Decimal(3))
    assert (first.fees, second.fees) == (Decimal("0.000002"), Decimal("0.000003"))
    assert first.exit_ts == second.entry_ts


def test_lots_are_matched_first_in_first_out() -> None:
    trips = round_trips(small_run([(1, 1, 100), (1, 1, 120), (-1, 2, 130)]), "fifo")
    assert [trip.gross for trip in trips] == [Decimal(30), Decimal(10)]


def test_a_lot_closed_in_parts_shares_its_fee_without_loss() -> None:
    trips = round_trips(
        small_run([(1, 3, 100), (-1, 1, 101), (-1, 2, 103)], fees=[100, 0, 0]), "fifo"
    )
    assert [trip.gross for trip in trips] == [Decimal(1), Decimal(6)]
    assert sum(trip.fees for trip in trips) == Decimal("0.000001")


def test_thirds_lose_nothing() -> None:
    tables = small_run([(1, 1, 10), (1, 2, 11), (-1, 1, 12), (-1, 1, 12), (-1, 1, 12)])
    for method in ("average", "fifo"):
        assert sum(trip.gross for trip in round_trips(tables, method)) == Decimal(4)


def test_an_inverse_contract_earns_in_coin() -> None:
    # 100 contracts of 10 USD bought at 10,000 and sold at 12,500: 1000 * (1/10000 - 1/12500)
    tables = small_run([(1, 100, 10_000), (-1, 100, 12_500)], kind="inverse", multiplier="10")
    (trip,) = round_trips(tables)
    assert trip.gross == Decimal("0.02")


def test_a_value_is_cut_toward_zero_at_18_decimals() -> None:
    facts = InstrumentFacts("X", "inverse", 0, 0, "BTC", Decimal(10))
    assert value_at(facts, 1, 3) == -3_333_333_333_333_333_333
    assert value_at(facts, -1, 3) == 3_333_333_333_333_333_333


def test_funding_belongs_to_the_trip_open_at_its_instant() -> None:
    rows = [(1, 1, 100), (-1, 1, 100), (1, 1, 100), (-1, 1, 100)]
    tables = small_run(rows, funding=[(2, -7), (3, 1000), (4, 5)])
    first, second = round_trips(tables)
    # Due at second 2 on what was held before; nobody held at second 3.
    assert (first.funding, second.funding) == (Decimal("-7e-8"), Decimal("5e-8"))


def test_funding_is_split_over_open_lots_without_loss() -> None:
    rows = [(1, 1, 100), (1, 2, 100), (-1, 3, 100)]
    trips = round_trips(small_run(rows, funding=[(3, 100)]), "fifo")
    assert sum(trip.funding for trip in trips) == Decimal("0.000001")
    assert trips[0].funding < trips[1].funding


def test_what_is_open_at_the_end_is_marked_open() -> None:
    (trip,) = round_trips(small_run([(1, 3, 100), (-1, 1, 110)]))
    assert (trip.is_open, trip.exit_ts, trip.gross) == (True, 0, Decimal(10))
    assert np.isnan(trip.holding_s)


def test_strategies_and_legs_have_their_own_books() -> None:
    tables = small_run([(1, 1, 100), (-1, 1, 110)], strategy=["a", "b"])
    assert [trip.is_open for trip in round_trips(tables)] == [True, True]


def test_amounts_beyond_64_bits_stay_exact() -> None:
    qty = 10**24
    (trip,) = round_trips(small_run([(1, qty, 7), (-1, qty, 9)]))
    assert trip.gross == Decimal(2 * 10**24)


@pytest.fixture(scope="module")
def run() -> RunTables:
    return sma_run()


@pytest.mark.parametrize("method", ["average", "fifo"])
def test_trips_explain_every_unit_of_the_equity_of_a_real_run(run: RunTables, method: str) -> None:
    trips = round_trips(run, method)
    marks = Decimal(0)
    for trip in trips:
        if trip.is_open:
            close = Decimal(
                repr(float(run.bars[trip.symbol].close[-1 if trip.symbol[0] == "B" else 3634]))
            )
            # No part of these trips was closed, so their whole quantity is still held.
            marks += trip.side * trip.qty * (close - Decimal(repr(trip.entry_price)))
    assert sum(trip.net for trip in trips) + marks == run.equity.last - run.equity.first


def test_both_methods_pay_the_same_fees_and_funding(run: RunTables) -> None:
    by_average, by_lot = round_trips(run), round_trips(run, "fifo")
    for name in ("fees", "funding"):
        assert sum(getattr(t, name) for t in by_average) == sum(getattr(t, name) for t in by_lot)


def test_bad_fills_are_refused_with_their_row() -> None:
    with pytest.raises(ValueError, match="fill 1: side 1, qty 0"):
        round_trips(small_run([(1, 1, 1), (1, 0, 1)]))
    with pytest.raises(ValueError, match="method is 'lifo'"):
        round_trips(small_run([]), "lifo")


def spot_run(rows: list[tuple[int, int, int]], fees: list[int], assets: list[str]) -> RunTables:
    """A spot run in BTC with whole quantities; BTC amounts have one decimal more than an order."""
    tables = small_run(rows, kind="spot", fees=fees)
    facts = replace(tables.instruments["X"], base="BTC")
    fills = replace(tables.fills, fee_asset=np.array(assets, dtype=object))
    return replace(tables, fills=fills, instruments={"X": facts}, asset_scales={"BTC": 1})


def test_a_fee_in_the_bought_coin_takes_from_the_position() -> None:
    # Buys 10 at 100, pays 1.0 coin; sells the 9 at 110. Cash: 990 - 1000 = -10.
    (trip,) = round_trips(spot_run([(1, 10, 100), (-1, 9, 110)], [10, 0], ["BTC", "USDT"]))
    assert (trip.gross, trip.fees, trip.net) == (Decimal(90), Decimal(100), Decimal(-10))
    assert not trip.is_open


@pytest.mark.parametrize("method", ["average", "fifo"])
def test_an_unsellable_rest_ends_its_trip_and_is_carried_on(method: str) -> None:
    # Each buy loses 0.5 coin; twice 9 of 9.5 are sold, then the rest of 1 with the last 9.
    rows = [(1, 10, 100), (-1, 9, 110), (1, 10, 100), (-1, 10, 110)]
    fees, assets = [5, 0, 5, 0], ["BTC", "USDT", "BTC", "USDT"]
    trips = round_trips(spot_run(rows, fees, assets), method)
    assert [trip.is_open for trip in trips] == [False, False]
    assert sum(trip.net for trip in trips) == Decimal(9 * 110 + 10 * 110 - 2000)


def test_a_fee_in_the_bought_coin_counts_once_in_the_costs() -> None:
    made = summarise(spot_run([(1, 10, 100), (-1, 9, 110)], [10, 0], ["BTC", "USDT"]))
    assert made["metrics"]["fees"] == "100"
    assert made["fees_by_asset"] == {"BTC": "1", "USDT": "0"}
