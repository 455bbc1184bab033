"""The Python class: values, crosses, comparisons, updates, columns, errors."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from veloz import indicators
from veloz.indicators import Indicator, indicator_specs

DEFAULTS = [spec["name"] for spec in indicator_specs()]


def walk(rows: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Bars of a random walk, in cents."""
    rng = np.random.default_rng(seed)
    close = np.round(100 + np.cumsum(rng.normal(size=rows)) * 0.1, 2)
    start = np.r_[close[0], close[:-1]]
    high = np.round(np.maximum(start, close) + 0.05, 2)
    low = np.round(np.minimum(start, close) - 0.05, 2)
    volume = np.round(rng.uniform(0, 9, rows), 3)
    return {"open": start, "high": high, "low": low, "close": close, "volume": volume}


@pytest.mark.parametrize("name", DEFAULTS)
def test_updates_and_columns_agree_to_the_bit_and_reset_is_new(name: str) -> None:
    columns = walk(300)
    indicator = Indicator(name)
    batch = indicator.compute(**columns)
    assert math.isnan(indicator.value), "compute leaves the object alone"
    for _ in range(2):
        seen = {output: [] for output in indicator.outputs}
        for row in zip(*columns.values(), strict=True):
            indicator.update_ohlcv(*(float(x) for x in row))
            for output in indicator.outputs:
                seen[output].append(getattr(indicator, output))
        for output, values in seen.items():
            np.testing.assert_array_equal(values, batch[output])
        first = batch[indicator.outputs[0]]
        assert (indicator.value, indicator.previous) == (first[-1], first[-2])
        assert np.isnan(first).sum() == indicator.warm_up - 1
        indicator.reset()
        assert not indicator.ready
        assert math.isnan(indicator.previous)


def test_any_window_recomputed_from_scratch_is_the_same() -> None:
    columns = walk(400)
    for name, n in (("sma", 30), ("bollinger", 20), ("zscore", 10), ("vwap", 15)):
        whole = Indicator(name, n).compute(**columns)
        for end in range(n, 400, 17):
            window = {key: column[end - n : end] for key, column in columns.items()}
            for output, values in Indicator(name, n).compute(**window).items():
                assert values[-1] == whole[output][end - 1]


def test_a_cross_is_a_passage_and_not_a_touch() -> None:
    line, level = indicators.sma(1), indicators.sma(1)
    crossed = []
    for price, other in ((1, 3), (3, 3), (3, 3), (4, 3), (5, 3), (3, 3), (2, 3), (2, 1)):
        line.update_price(price)
        level.update_price(other)
        pair = line.crossed_above(level), line.crossed_below(level)
        if other == 3:
            assert pair == (line.crossed_above(3), line.crossed_below(3))
        crossed.append(pair)
    up, down, no = (True, False), (False, True), (False, False)
    assert crossed == [no, no, no, up, no, no, down, up]


def test_one_of_its_own_outputs_can_be_crossed() -> None:
    macd = indicators.macd(3, 6, 3)
    columns = walk(200)["close"]
    line, signal = (macd.compute(close=columns)[name] for name in ("macd", "signal"))
    for i, price in enumerate(columns):
        macd.update_price(price)
        expected = i > 0 and line[i - 1] <= signal[i - 1] and line[i] > signal[i]
        assert macd.crossed_above("signal") is bool(expected)
    with pytest.raises(ValueError, match="macd has no output 'upper'; it has macd, signal"):
        macd.crossed_above("upper")
    with pytest.raises(TypeError, match="an indicator, a number or the name"):
        macd.crossed_below([])


def test_equal_means_of_different_windows_are_equal() -> None:
    # 0.1 + 0.2 + 0.3 over 3 and the same over 6: unequal as running sums of floats.
    fast, slow = indicators.sma(3), indicators.sma(6)
    for price in (0.3, 0.2, 0.1, 0.1, 0.2, 0.3):
        fast.update_price(price)
        slow.update_price(price)
    assert fast == slow
    assert fast.value == 0.2
    assert not fast < slow
    assert fast <= 0.2
    assert float(fast) == 0.2
    assert fast != "0.2"


def test_bars_are_read_by_name_and_sessions_start_over() -> None:
    vwap = indicators.vwap(0, session_s=86_400)
    day_ns = 86_400 * 10**9
    bar = SimpleNamespace(open=1.0, high=1.0, low=1.0, close=1.0, volume=2.0, ts_open=0)
    vwap.update(bar)
    bar.high = bar.low = bar.close = 4.0
    bar.ts_open = day_ns - 1
    vwap.update(bar)
    assert vwap.value == 2.5
    bar.ts_open = day_ns
    vwap.update(bar)
    assert (vwap.previous, vwap.value) == (2.5, 4.0)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Indicator("smma"), "there is no indicator 'smma'; there are sma, ema"),
        (lambda: indicators.sma(0), "period is 0, but must be a whole number from 1"),
        (lambda: indicators.sma(5, 6), "2 parameters given, it takes period"),
        (lambda: indicators.sma(5, period=6), "period is given twice"),
        (lambda: indicators.macd(quick=6), "no parameter 'quick'; it takes fast, slow, signal"),
        (lambda: indicators.sma(2).update_price(math.nan), "NaN is not a price"),
        (lambda: indicators.vwap(2).update_price(1.0), "vwap needs volume"),
        (lambda: indicators.atr(2).compute(close=[1.0]), "atr needs high; it reads high, low"),
        (lambda: indicators.sma(2).compute(close=[1.0, math.inf]), "row 1: inf is not a price"),
        (lambda: indicators.sma(2).compute(close=[1.0], volume=[1.0, 2.0]), "different lengths"),
        (lambda: indicators.sma(2).compute(close=[[1.0]]), "one dimension"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(make: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()


def test_names_that_do_not_exist_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="sma has no output 'signal'; it has average"):
        _ = indicators.sma(3).signal
    with pytest.raises(AttributeError, match="there is no indicator 'smma'"):
        _ = indicators.smma


def test_it_says_what_it_is() -> None:
    bands = indicators.bollinger(20, deviations=2.5)
    assert bands.parameters == {"period": 20, "deviations": 2.5}
    assert (bands.name, bands.outputs) == ("bollinger", ("middle", "upper", "lower"))
    assert repr(bands) == "<bollinger(period=20, deviations=2.5): NaN>"
    assert set(DEFAULTS) <= set(dir(indicators))


def test_random_floats_keep_their_digits() -> None:
    rng = np.random.default_rng(3)
    for size in (1e-7, 1.0, 1e5):
        close = size * np.exp(np.cumsum(rng.normal(size=500)) * 0.01)
        got = indicators.sma(10).compute(close=close)["average"][9:]
        want = np.convolve(close, np.full(10, 0.1), "valid")
        np.testing.assert_allclose(got, want, rtol=1e-13)
