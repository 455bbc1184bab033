"""Bars from real trades are the venue's own candles."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from captures import read, replay
from veloz._core import bars_from_trades, record_schemas

VECTORS = Path(__file__).parent / "vectors"
TRADES = VECTORS / "bars" / "binance_spot_BTCUSDT_2024-08-08_trades.csv.gz"
KLINES = VECTORS / "captures" / "binance_spot"
MINUTE_NS = 60_000_000_000
BAR = np.dtype(record_schemas()["Bar"])


def units(text: str, scale: int) -> int:
    whole, _, part = text.partition(".")
    return int(whole + part[:scale].ljust(scale, "0"))


def columns(rows: list[tuple[int, int, int]]) -> list[np.ndarray]:
    return list(np.array(rows, dtype=np.int64).T.copy())


def test_ten_minutes_of_trades_are_the_published_klines() -> None:
    with gzip.open(TRADES, "rt") as file:
        rows = [
            (int(row["ts_ms"]) * 1_000_000, units(row["price"], 2), units(row["qty"], 8))
            for row in csv.DictReader(file)
        ]
    packed = bars_from_trades(*columns(rows), kind="time", size=MINUTE_NS)
    bars = np.frombuffer(packed, BAR)[1:-1]  # the recording begins and ends inside a minute
    expected = [
        (int(t) * 1_000_000, *(units(price, 2) for price in ohlc), units(volume, 8))
        for t, *ohlc, volume in (line.split() for line in PUBLISHED.strip().splitlines())
    ]
    names = ("ts_open", "open", "high", "low", "close", "volume")
    assert [tuple(int(bar[name]) for name in names) for bar in bars] == expected


def test_running_candles_equal_the_trades_so_far() -> None:
    path = KLINES / "2021-04-04_BTC_ETH_DOT_depth_aggTrade_kline.jsonl.gz"
    result = replay(path, "spot")
    trades = result.tables["AggTrade"]
    rows = {row["venue_symbol"]: (at, row) for at, row in enumerate(result.decoder.instruments)}
    compared = 0
    for message in read(path):
        candle = json.loads(message.data).get("data", {}).get("k")
        if candle is None:
            continue
        at, instrument = rows[candle["s"]]
        inside = trades[
            (trades["instrument"] == at)
            & (trades["first_trade_id"] >= candle["f"])
            & (trades["last_trade_id"] <= candle["L"])
        ]
        if len(inside) == 0:
            continue
        ends = (inside["first_trade_id"][0], inside["last_trade_id"][-1])
        if ends != (candle["f"], candle["L"]):
            continue  # the recording began inside this minute
        given = [np.ascontiguousarray(inside[name]) for name in ("ts_exchange", "price", "qty")]
        packed = bars_from_trades(*given, kind="time", size=MINUTE_NS, instrument=at)
        (bar,) = np.frombuffer(packed, BAR)
        scales = [instrument["price_scale"]] * 4 + [instrument["qty_scale"]]
        names = ("open", "high", "low", "close", "volume")
        wanted = [units(candle[key], scale) for key, scale in zip("ohlcv", scales, strict=True)]
        assert [int(bar[name]) for name in names] == wanted
        assert bar["ts_open"] == candle["t"] * 1_000_000
        assert bar["ts_close"] == (candle["T"] + 1) * 1_000_000
        compared += 1
    assert compared > 30


def test_columns_of_other_forms_are_refused() -> None:
    good = columns([(1, 10, 1), (2, 11, 1)])
    with pytest.raises(ValueError, match="differ in length"):
        bars_from_trades(good[0], good[1], good[2][:1], kind="trades", size=1)
    with pytest.raises(ValueError, match="not time, trades, volume or turnover"):
        bars_from_trades(*good, kind="tick", size=1)
    with pytest.raises(ValueError, match="not positive"):
        bars_from_trades(*good, kind="time", size=0)
    with pytest.raises(ValueError, match="older than the bar"):
        bars_from_trades(good[0][::-1].copy(), *good[1:], kind="trades", size=9)


# Open time in ms, open, high, low, close, volume, as the venue publishes them.
PUBLISHED = """
1723161300000 61828.00 61860.80 61780.00 61782.25 15.07702
1723161360000 61782.25 61782.26 61723.99 61727.66 15.49778
1723161420000 61727.66 61735.99 61651.01 61652.01 59.29235
1723161480000 61652.00 61745.27 61583.22 61717.63 77.14202
1723161540000 61717.64 61743.50 61666.17 61685.99 32.41946
1723161600000 61686.00 61744.37 61630.88 61631.79 34.08180
1723161660000 61631.79 61631.79 61556.04 61589.99 79.69369
1723161720000 61590.00 61700.00 61590.00 61626.17 40.44064
1723161780000 61626.17 61686.00 61608.30 61637.26 37.08509
1723161840000 61637.26 61691.64 61602.00 61607.99 30.31600
"""
