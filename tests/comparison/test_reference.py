"""The SMA cross of the benches gives trades and equity of the integer reference, exactly."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

import veloz as vz
from tests.comparison.crossing import SETTINGS, STRATEGY, Crossing, cross, trades_of
from veloz.storage.importers.source_rows import Options
from veloz.storage.importing import import_files

SYMBOL = "binance:BTC/USDT:USDT"
ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT / "examples" / "data" / "binance_usdm" / "BTCUSDT_1m.parquet"


def agree(run: vz.Run, reference: Crossing, opened_ns: Any, scale: int) -> None:
    """Asserts equal trades, equal final equity and an equal curve."""
    assert trades_of(run, opened_ns) == reference.trades
    assert run.final_equity == reference.equity_text(-1, scale)
    curve = run.tables.equity
    assert curve.ts_ns.tolist() == (opened_ns + 60_000_000_000).tolist()
    units = 10 ** (scale + 3)
    # Both are the double nearest to the same exact number, or its neighbour.
    expected = np.array([value / units for value in reference.equity])
    assert np.max(np.abs(curve.equity - expected)) <= np.spacing(expected.max())


def agree_on(source: Any, rows: int, ties: int) -> None:
    columns = source.series[SYMBOL, "bar_1m"]
    reference = cross(columns["open"].tolist(), columns["close"].tolist(), 2)
    assert len(reference.equity) == rows
    assert len(reference.trades) > rows // 40
    assert len(reference.ties) >= ties
    run = vz.backtest(STRATEGY, source, check_identity=True, **SETTINGS)
    agree(run, reference, columns["ts_open"], 2)


def test_on_generated_bars(generated: Any) -> None:
    agree_on(generated[0], 250_000, ties=3)


def test_on_bars_full_of_exact_ties(coarse: Any) -> None:
    agree_on(coarse[0], 200_000, ties=100)


def test_on_real_bars_read_from_a_catalogue(tmp_path: Path) -> None:
    import_files([REAL], tmp_path, Options(symbol=SYMBOL))
    rows = duckdb.execute("SELECT open_time, open, close FROM read_parquet(?)", [str(REAL)])
    table = rows.fetchall()
    # Binance quotes this contract in tenths.
    opens, closes = ([int(Decimal(repr(row[at])).scaleb(1)) for row in table] for at in (1, 2))
    assert [Decimal(units).scaleb(-1) for units in closes] == [
        Decimal(repr(row[2])) for row in table
    ]
    run = vz.backtest(STRATEGY, str(tmp_path), check_identity=True, **SETTINGS)
    assert run.facts.instruments[0].price_scale == 1
    opened = np.array([row[0] * 1_000_000 for row in table])
    reference = cross(opens, closes, 1)
    assert len(reference.trades) > 1_000
    agree(run, reference, opened, 1)


def test_the_reference_itself_by_hand() -> None:
    closes = [100] * 30 + [130, 130, 100, 70] + [70] * 8
    opens = [100, *closes[:-1]]
    told = cross(opens, closes, 0)
    # Flat until row 29: tie. Row 30 closes at 130: fast 103 > slow 101, bought at the next open.
    assert told.ties[0] == 29
    assert told.trades[0] == (31, 1, 130)
    # Sold at the open after the first close whose fast average is below.
    sums = [(sum(closes[r - 9 : r + 1]) * 3, sum(closes[r - 29 : r + 1])) for r in range(29, 42)]
    below = next(r for r, (fast, slow) in enumerate(sums, 29) if fast < slow)
    assert told.trades[1] == (below + 1, -1, opens[below + 1])
    bought, sold = 130, opens[below + 1]
    assert told.equity[-1] == (100_000_000 - bought + sold) * 1000 - bought - sold
