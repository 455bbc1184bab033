"""Backtests on DataFrames: the same run as on a catalogue of the same rows."""

from __future__ import annotations

import gc
from decimal import Decimal

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import veloz as vz
from veloz.errors import DataError
from veloz.storage.importers.source_rows import Options
from veloz.storage.importing import import_files

SYMBOL = "binance:BTC/USDT:USDT"
START_MS = 1_704_067_200_000
CLOSES = [100, 101.5, 103, 102.25, 99.75, 98, 101, 104.5, 107, 105] * 6


class Follows(vz.Strategy):
    symbol = vz.Symbol(SYMBOL)
    bars = vz.Bars("symbol", "1m")

    def on_start(self):
        self.average = self.sma(self.bars, 3)

    def on_bar(self, bar):
        self.target(self.symbol, 1 if bar.close > self.average.value else 0)


def rows() -> dict[str, list[float]]:
    opens = [CLOSES[0], *CLOSES[:-1]]
    return {
        "open": [float(price) for price in opens],
        "high": [max(pair) + 0.25 for pair in zip(opens, CLOSES, strict=True)],
        "low": [min(pair) - 0.25 for pair in zip(opens, CLOSES, strict=True)],
        "close": [float(price) for price in CLOSES],
        "volume": [3.5 + n / 1000 for n in range(len(CLOSES))],
    }


def times() -> list[int]:
    return [START_MS + 60_000 * n for n in range(len(CLOSES))]


def indexed() -> pd.DataFrame:
    return pd.DataFrame(rows(), index=pd.to_datetime(times(), unit="ms", utc=True))


FRAMES = {
    "pandas with a time index": indexed,
    "pandas with a named index": lambda: indexed().rename_axis("open_time"),
    "pandas with a column": lambda: pd.DataFrame({"timestamp": times(), **rows()}),
    "polars": lambda: pl.DataFrame({"time": times(), **rows()}).with_columns(
        pl.from_epoch("time", time_unit="ms")
    ),
    "pyarrow": lambda: pa.table({"open_time": times(), **rows()}),
    "a mapping": lambda: {SYMBOL: indexed()},
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> vz.Run:
    """The run on a catalogue, imported from a file."""
    folder = tmp_path_factory.mktemp("stored")
    pl.DataFrame({"time": times(), **rows()}).write_csv(folder / "bars.csv")
    import_files([folder / "bars.csv"], folder / "catalog", Options(symbol=SYMBOL))
    return vz.backtest(Follows, folder / "catalog")


@pytest.mark.parametrize("form", FRAMES)
def test_a_frame_is_as_good_as_a_catalogue(form: str, expected: vz.Run) -> None:
    run = vz.backtest(Follows, FRAMES[form]())
    assert run.fills_count == expected.fills_count > 10
    assert run.final_equity == expected.final_equity
    assert run.tables.fills.price.tolist() == expected.tables.fills.price.tolist()
    assert run.facts.data is None


def test_bars_are_joined_to_the_length_that_is_wanted() -> None:
    class Slow(vz.Strategy):
        bars = vz.Bars(SYMBOL, "5m")

        def on_start(self):
            self.closes = []

        def on_bar(self, bar):
            self.closes.append(bar.close)

    strategy = Slow()
    vz.backtest(strategy, indexed())
    assert strategy.closes == CLOSES[4::5]


def test_trades_of_a_frame() -> None:
    class Sees(vz.Strategy):
        trades = vz.Trades(SYMBOL)

        def on_start(self):
            self.seen = []

        def on_trade(self, trade):
            self.seen.append((Decimal(str(trade.price)), trade.taker))

    frame = pl.DataFrame({
        "time": [START_MS, START_MS + 5], "price": ["100.1", "100.2"], "qty": ["1", "2"],
        "side": ["buy", "sell"],
    })  # fmt: skip
    strategy = Sees()
    vz.backtest(strategy, frame)
    assert strategy.seen == [(Decimal("100.1"), 1), (Decimal("100.2"), -1)]


def test_its_catalogue_goes_with_the_run() -> None:
    run = vz.backtest(Follows, indexed())
    folder = run._source.catalogue.root.parent  # type: ignore[attr-defined]
    assert folder.is_dir()
    assert len(run.tables.bars) == 1
    del run
    gc.collect()
    assert not folder.exists()


def test_what_is_no_market_data_is_refused_with_a_sentence() -> None:
    class Two(vz.Strategy):
        first = vz.Bars("binance:BTC/USDT", "1m")
        second = vz.Bars("binance:ETH/USDT", "1m")

    with pytest.raises(DataError, match="one DataFrame cannot be all of them"):
        vz.backtest(Two, indexed())
    with pytest.raises(DataError, match=r"DataFrame.parquet"):
        vz.backtest(Follows, pl.DataFrame({"a": [1], "b": [2]}))
    with pytest.raises(DataError, match="not dict"):
        vz.backtest(Follows, {SYMBOL: 5})
