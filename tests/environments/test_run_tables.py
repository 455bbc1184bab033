"""What a run hands to notebooks: tables in readable units, and its card."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import veloz as vz
from veloz.errors import DataError

SYMBOL = "binance:BTC/USDT:USDT"


class Once(vz.Strategy):
    bars = vz.Bars(SYMBOL, "1m")

    def on_start(self) -> None:
        self.given = False

    def on_bar(self, bar: vz.Bar) -> None:
        if not self.given:
            self.given = True
            self.buy(SYMBOL, "0.5", why="first <bar>")
            self.buy(SYMBOL, 1, 95)


@pytest.fixture(scope="module")
def run() -> Any:
    return vz.test(Once).setup(fees="0.001").bars([100, 110, 120]).run


def test_fills_are_in_the_units_that_people_read(run: Any) -> None:
    fills = run.fills.fetchnumpy()
    assert fills["side"].tolist() == ["buy"]
    assert (fills["qty"][0], fills["price"][0], fills["fee"][0]) == (0.5, 100.0, 0.05)
    assert fills["liquidity"].tolist() == ["taker"]
    assert fills["time"][0] == np.datetime64(int(run.tables.fills.ts_exchange[0]), "ns")


def test_orders_have_words_and_nulls_where_nothing_happened(run: Any) -> None:
    market, limit = (
        dict(zip(run.orders.columns, row, strict=True)) for row in run.orders.fetchall()
    )
    assert (market["type"], market["status"], market["filled_qty"]) == ("market", "filled", 0.5)
    assert market["price"] is None
    assert (limit["side"], limit["qty"], limit["price"]) == ("buy", 1.0, 95.0)
    assert limit["filled_qty"] == 0.0


def test_equity_has_its_times(run: Any) -> None:
    curve = run.equity.fetchnumpy()
    assert np.all(np.diff(curve["time"]) >= np.timedelta64(0))
    assert curve["equity"][-1] == pytest.approx(float(run.final_equity), rel=1e-12)


def test_the_card_of_a_notebook_shows_figures_and_the_curve(run: Any) -> None:
    card = run._repr_html_()
    assert "<svg" in card
    assert "Once" in card
    assert "Max drawdown" in card
    assert "<script" not in card
    assert "http" not in card


def test_what_is_no_source_is_told_what_there_is() -> None:
    with pytest.raises(DataError, match="a catalogue's folder, a DataFrame or arrays, not int"):
        vz.backtest(Once, 5)
