"""The published tables: each column that one of our indicators gives, row by row.

The tables start their averages in ways of their own; `START` says how each is brought to ours.
VELOZ_GOLDEN_INDICATORS names another folder of the same form: a `manifest.json` and its CSV files.
"""

from __future__ import annotations

import csv
import json
import math
import os
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from veloz.indicators import Indicator

HERE = Path(__file__).resolve().parent.parent / "vectors" / "indicators"
FOLDER = Path(os.environ.get("VELOZ_GOLDEN_INDICATORS", HERE))
INPUTS = ("open", "high", "low", "close", "volume")

START = {
    "same": "the table starts as we do",
    "still": "it starts from the first price, as though the market had stood still before",
    "signal": "as `still`, but its signal knows earlier bars: compared from the row given",
    "first": "its first true range is high - low of the first bar; ours needs a close before",
    "later": "its sums start in another way, which fades: compared from the row given",
    "growing": "it shows the mean of the bars so far; ours waits for all of the period",
}

# Copies of the first bar that are given to ours before the table's own.
STILL_BARS = {"still": 200, "signal": 200, "first": 1}


@dataclass(frozen=True)
class Column:
    """Which figure of ours a published column is."""

    indicator: str
    parameters: tuple[float, ...]
    output: str
    start: str = "same"
    from_row: int = 0


# By the published name; where a name has two meanings, another column of the table decides.
COLUMNS = {
    "+di14": Column("adx", (14,), "plus_di", "later", 420),
    "-di14": Column("adx", (14,), "minus_di", "later", 420),
    "adx": Column("adx", (14,), "adx", "later", 420),
    "atr": Column("atr", (14,), "range", "first"),
    "atr beside middle_band": Column("atr", (10,), "range", "first"),
    "middle_band": Column("ema", (20,), "average", "still"),
    "middleband": Column("bollinger", (20, 2), "middle"),
    "highband": Column("bollinger", (20, 2), "upper"),
    "lowband": Column("bollinger", (20, 2), "lower"),
    "20-day sma of tp": Column("sma", (20,), "average"),
    "short_ema": Column("ema", (12,), "average", "still"),
    "long_ema": Column("ema", (26,), "average", "still"),
    "macd_line": Column("macd", (12, 26, 9), "macd", "still"),
    "macd_signal": Column("macd", (12, 26, 9), "signal", "signal", 116),
    "macd_diff": Column("macd", (12, 26, 9), "histogram", "signal", 116),
    "rsi": Column("rsi", (14,), "strength", "still"),
    "so": Column("stochastic", (14, 1, 3), "k"),
    "so_sig": Column("stochastic", (14, 1, 3), "d"),
    "vwap": Column("vwap", (14,), "price", "growing"),
}

NOT_OURS = {
    "20-day standard deviation": "an inner step of the Bollinger bands, which are compared",
    "widthband": "Bollinger width is not an output; it is (upper - lower) / middle",
    "percentageband": "Bollinger percentage is not an output; it is (close - lower) / width",
    "crossup": "close > upper: a comparison, not an output",
    "crossdown": "close < lower: a comparison, not an output",
    "cci": "the commodity channel index is not built yet",
    "upper_band": "the Keltner channel is not built yet",
    "lower_band": "the Keltner channel is not built yet",
    "kc_high_indicator": "the Keltner channel is not built yet",
    "kc_low_indicator": "the Keltner channel is not built yet",
    "kc_band_width": "the Keltner channel is not built yet",
    "kc_percentage": "the Keltner channel is not built yet",
    "obv": "on-balance volume is not built yet",
    "roc": "the rate of change is not built yet",
    "stochrsi(14)": "the stochastic of the RSI is not built yet",
    "wma": "the weighted moving average is not built yet",
}


def table(path: Path) -> dict[str, list[str]]:
    """The columns of a CSV file, by lower-case name, as text."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        header, *rows = list(csv.reader(file))
    return {
        name.strip().lower(): [row[i].strip() if i < len(row) else "" for row in rows]
        for i, name in enumerate(header)
        if name.strip()
    }


def numbers(cells: list[str]) -> np.ndarray:
    """The cells as floats, NaN where empty."""
    return np.array([float(cell) if cell else math.nan for cell in cells])


def meaning(name: str, columns: dict[str, list[str]]) -> Column | None:
    """Which figure a column is; `None` if it is none of ours."""
    beside = (key for key in COLUMNS if key.startswith(f"{name} beside "))
    special = next((key for key in beside if key.split(" beside ")[1] in columns), name)
    return COLUMNS.get(special)


def cases() -> list[pytest.ParameterSet]:
    """One case for each published column; a file with none that we know is one left out."""
    found = []
    for entry in json.loads((FOLDER / "manifest.json").read_text())["files"]:
        columns = table(FOLDER / entry["file"])
        names = [name for name in columns if name in NOT_OURS or meaning(name, columns)]
        for name in names or ["none"]:
            found.append(pytest.param(entry["file"], name, id=f"{entry['file']}-{name}"))
    return found


def ours(columns: dict[str, list[str]], column: Column, rows: int) -> np.ndarray:
    """Our figures for the table's bars, brought to the table's start."""
    indicator = Indicator(column.indicator, *column.parameters)
    source = dict(columns)
    if column.indicator == "sma" and "typical price" in columns:
        source["close"] = columns["typical price"]
    bars = {name: numbers(source[name]) for name in INPUTS if name in source}
    still_bars = STILL_BARS.get(column.start, 0)
    padded = {name: np.r_[np.repeat(x[0], still_bars), x] for name, x in bars.items()}
    got = indicator.compute(**padded)[column.output][still_bars:]
    assert got.shape == (rows,)
    if column.start == "growing":
        begun = Indicator(column.indicator, 0).compute(**bars)[column.output]
        got = np.where(np.isnan(got), begun, got)
    got[: column.from_row] = math.nan
    return got


def places(cell: str) -> int:
    """The decimals printed in a cell, without zeros at the end."""
    return max(0, -int(Decimal(cell).normalize().as_tuple().exponent))


@pytest.mark.vectors("indicators")
@pytest.mark.parametrize(("file", "name"), cases())
def test_published_column(file: str, name: str) -> None:
    columns = table(FOLDER / file)
    column = meaning(name, columns)
    if column is None:
        pytest.skip(NOT_OURS.get(name, "no column of this table is an output of ours"))
    cells = columns[name]
    want, got = numbers(cells), ours(columns, column, len(cells))
    if column.indicator == "atr":
        want[want == 0.0] = math.nan  # how these tables mark rows before the first value
    both = ~np.isnan(want) & ~np.isnan(got)
    if not both.any() and column.from_row:
        pytest.skip(f"too short: {START[column.start]}")
    assert both.sum() >= 5, "too few rows to compare"
    finest = max(places(cell) for cell in cells if cell)
    for row in np.flatnonzero(both):
        # One unit in the last printed place, or twelve digits where all are printed.
        printed = -int(Decimal(cells[row]).as_tuple().exponent)
        tolerance = max(10.0 ** -min(printed, finest), 1e-12 * abs(want[row]))
        assert abs(got[row] - want[row]) <= tolerance, f"row {row}: {got[row]} not {cells[row]}"
