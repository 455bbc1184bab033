"""Every output on every bar of real markets, beside TA-Lib's streams and columns.

The bars are Binance USDT-margined futures, 15 minutes; see the README of the vectors.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import talib

from veloz.indicators import Indicator, indicator_specs

HERE = Path(__file__).resolve().parent.parent / "vectors" / "indicators"
FOLDER = Path(os.environ.get("VELOZ_GOLDEN_INDICATORS", HERE)) / "real"
FILES = sorted(FOLDER.glob("*.csv"))
RTOL = 1e-9
NAMES = ("open", "high", "low", "close", "volume")


def bars(path: Path) -> dict[str, np.ndarray]:
    """The columns of a file of bars."""
    rows = np.genfromtxt(path, delimiter=",", names=True)
    return {name: np.ascontiguousarray(rows[name]) for name in NAMES}


# Our name and parameters → the TA-Lib call and the outputs it gives, in its order.
PAIRS = [
    ("sma", (n,), [("SMA", (n,), ("average",))]) for n in (1, 2, 10, 30, 200)
] + [
    ("ema", (n,), [("EMA", (n,), ("average",))]) for n in (2, 12, 200)
] + [
    ("rsi", (n,), [("RSI", (n,), ("strength",))]) for n in (2, 14, 50)
] + [
    ("macd", p, [("MACD", p, ("macd", "signal", "histogram"))])
    for p in ((12, 26, 9), (5, 34, 5), (3, 10, 2))
] + [
    ("bollinger", (n, k), [("BBANDS", (n, k, k, 0), ("upper", "middle", "lower"))])
    for n, k in ((20, 2.0), (5, 1.5), (100, 3.0))
] + [
    ("atr", (n,), [("ATR", (n,), ("range",))]) for n in (2, 14, 50)
] + [
    (
        "adx",
        (n,),
        [
            ("ADX", (n,), ("adx",)),
            ("PLUS_DI", (n,), ("plus_di",)),
            ("MINUS_DI", (n,), ("minus_di",)),
        ],
    )
    for n in (2, 14, 50)
] + [
    ("stochastic", (n, k, d), [("STOCH", (n, k, 0, d, 0), ("k", "d"))])
    for n, k, d in ((5, 3, 3), (14, 1, 3), (100, 9, 5))
]  # fmt: skip
CASES = [
    pytest.param(path, *pair, id=f"{path.stem}-{pair[0]}{pair[1]}")
    for path in FILES
    for pair in PAIRS
]
ARGUMENTS = dict.fromkeys(("ATR", "ADX", "PLUS_DI", "MINUS_DI", "STOCH"), NAMES[1:4])


def oracle(call: str, parameters: tuple, columns: dict[str, np.ndarray]) -> list[np.ndarray]:
    """TA-Lib's columns for all bars."""
    names = ARGUMENTS.get(call, ("close",))
    result = getattr(talib, call)(*(columns[name] for name in names), *parameters)
    return list(result) if isinstance(result, (tuple, list)) else [result]


def worst(got: np.ndarray, want: np.ndarray) -> float:
    """Largest relative difference; both must have numbers on the same bars."""
    assert (np.isnan(got) == np.isnan(want)).all()
    got, want = got[~np.isnan(got)], want[~np.isnan(want)]
    assert len(got) > 1000
    size = np.maximum(np.abs(got), np.abs(want))
    return float(np.max(np.abs(got - want) / np.where(size == 0.0, 1.0, size)))


@pytest.mark.vectors("indicators")
@pytest.mark.parametrize(("path", "name", "parameters", "calls"), CASES)
def test_equals_talib(path: Path, name: str, parameters: tuple, calls: list) -> None:
    columns = bars(path)
    ours = Indicator(name, *parameters).compute(**columns)
    for call, arguments, outputs in calls:
        theirs = oracle(call, arguments, columns)
        for output, want in zip(outputs, theirs, strict=True):
            got = ours[output].copy()
            # All of ours start together; TA-Lib's directional indicators start before its index.
            start = Indicator(name, *parameters).warm_up - 1
            if call in ("PLUS_DI", "MINUS_DI"):
                want = np.r_[np.full(start, np.nan), want[start:]]
            assert np.isfinite(got[start:]).all()
            assert worst(got, want) <= RTOL, output


@pytest.mark.vectors("indicators")
@pytest.mark.parametrize(("path", "name", "parameters", "calls"), CASES)
def test_equals_the_stream_bar_by_bar(
    path: Path, name: str, parameters: tuple, calls: list
) -> None:
    columns = bars(path)
    indicator = Indicator(name, *parameters)
    rows = list(zip(*(columns[key] for key in NAMES), strict=True))
    begin = indicator.warm_up + 5
    for row in rows[:begin]:
        indicator.update_ohlcv(*row)
    streams = []
    for call, arguments, outputs in calls:
        names = ARGUMENTS.get(call, ("close",))
        history = (np.ascontiguousarray(columns[key][:begin]) for key in names)
        stream = getattr(talib.stream, call)(*history, *arguments)
        streams.append((stream, [NAMES.index(key) for key in names], outputs))
    compared = 0
    for row in rows[begin:]:
        indicator.update_ohlcv(*row)
        for stream, inputs, outputs in streams:
            result = stream.update(*(row[i] for i in inputs))
            result = result if isinstance(result, tuple) else (result,)
            for output, want in zip(outputs, result, strict=True):
                got = getattr(indicator, output)
                assert abs(got - want) <= RTOL * max(abs(got), abs(want)), output
                compared += 1
    assert compared > 1000


def exact(column: np.ndarray) -> list[Fraction]:
    """The decimals that were written in the file."""
    return [Fraction(repr(float(x))) for x in column]


@pytest.mark.vectors("indicators")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_zscore_and_vwap_equal_their_definitions(path: Path) -> None:
    columns = {name: column[:400] for name, column in bars(path).items()}
    high, low, close, volume = (exact(columns[name]) for name in NAMES[1:])
    typical = [sum(prices) / 3 for prices in zip(high, low, close, strict=True)]
    n = 20
    score = Indicator("zscore", n).compute(**columns)["score"]
    rolling = Indicator("vwap", n).compute(**columns)["price"]
    whole = Indicator("vwap", 0).compute(**columns)["price"]
    average = Indicator("sma", n).compute(**columns)["average"]
    turnover = [t * v for t, v in zip(typical, volume, strict=True)]
    for i in range(n - 1, len(close)):
        window = slice(i - n + 1, i + 1)
        mean = sum(close[window]) / n
        variance = sum((x - mean) ** 2 for x in close[window]) / n
        assert score[i] == pytest.approx(float(close[i] - mean) / float(variance) ** 0.5, rel=1e-14)
        # To the last bit: the nearest float to the exact quotient.
        assert average[i] == float(mean)
        assert rolling[i] == float(sum(turnover[window]) / sum(volume[window]))
        assert whole[i] == float(sum(turnover[: i + 1]) / sum(volume[: i + 1]))


def test_every_indicator_is_compared_with_something() -> None:
    compared = {pair[0] for pair in PAIRS} | {"zscore", "vwap"}
    assert compared == {spec["name"] for spec in indicator_specs()}
