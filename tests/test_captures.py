"""Recorded Binance market data: decodes without error, rebuilds every book, equals the golden.

`VELOZ_GOLDEN_CAPTURES` names another folder of the same form (`<venue>/*.jsonl.gz` and
`manifest.json`); golden summaries are compared where the folder has them.
"""

import json
import os
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from captures import Replay, compare_with_quotes, prepared, read, replay, summary

SHIPPED = Path(__file__).parent / "vectors" / "captures"
FOLDER = Path(os.environ.get("VELOZ_GOLDEN_CAPTURES") or SHIPPED)
ENTRIES: list[dict[str, Any]] = json.loads((FOLDER / "manifest.json").read_text())["captures"]
MARKETS = {"binance_spot": "spot", "binance_usdm": "usdm", "binance_coinm": "coinm"}
STREAMS = {"depth": "depthUpdate", "markPrice": "markPriceUpdate"}


@cache
def replayed(file: str, market: str) -> Replay:
    return replay(FOLDER / file, market)


def exact(levels: list[list[str]]) -> list[list[Decimal]]:
    return [[Decimal(number) for number in level] for level in levels]


def expected_counts(channels: dict[str, int]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for channel, count in channels.items():
        source, name = channel.split(":", 1)
        if source == "rest":
            kind = "rest/" + name.rsplit("/", 1)[1]
        else:
            stream = name.split("@")[0].split("_")[0]
            kind = STREAMS.get(stream, stream)
        counts[kind] = counts.get(kind, 0) + count
    return counts


@pytest.mark.vectors("captures")
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_a_capture_decodes_and_its_books_are_the_venues(entry: dict[str, Any]) -> None:
    if entry["venue"] not in MARKETS:
        pytest.skip(f"{entry['venue']} is not decoded yet")
    result = replayed(entry["file"], MARKETS[entry["venue"]])
    found = summary(result)
    assert result.errors == []
    assert found["errors"] == 0
    assert found["unknown"] == {}
    assert found["messages"] == expected_counts(entry["channels"])
    for symbol, check in entry["book_check"].items():
        if not check["chains"]:
            continue
        book, final = found["books"][symbol], check["final"]
        assert book["state"] == "live", symbol
        assert (book["gaps"], book["resyncs"], book["crossed"]) == (0, 0, 0), symbol
        assert (book["diffs"], book["applied"]) == (check["diffs"], check["applied"]), symbol
        assert book["last_update_id"] == final["u"], symbol
        assert book["depth"] == [final["n_bids"], final["n_asks"]], symbol
        assert exact(book["bids"]) == exact(final["bids"]), symbol
        assert exact(book["asks"]) == exact(final["asks"]), symbol
    compared, equal = compare_with_quotes(result)
    checks = entry["book_check"].values()
    assert compared == sum(check.get("bookTicker_same_u", 0) for check in checks)
    assert equal == compared
    golden = FOLDER / (entry["file"] + ".golden.json")
    if golden.exists():
        assert found == json.loads(golden.read_text())


def test_every_shipped_capture_has_a_golden_summary() -> None:
    files = [
        entry["file"] for entry in json.loads((SHIPPED / "manifest.json").read_text())["captures"]
    ]
    assert files
    assert [file for file in files if not (SHIPPED / (file + ".golden.json")).exists()] == []


def test_a_lost_update_is_a_gap_and_a_snapshot_heals_it() -> None:
    path = SHIPPED / "binance_spot/2021-04-04_BTC_ETH_DOT_depth_aggTrade_kline.jsonl.gz"
    decoder = prepared(path, "spot")
    book = decoder.book("BTCUSDT")
    rows = list(read(path))
    updates = [
        at
        for at, row in enumerate(rows)
        if '"e":"depthUpdate"' in row.data and "BTCUSDT" in row.data
    ]
    lost = updates[len(updates) // 2]
    for at, row in enumerate(rows):
        if at == lost:
            before = book.best
            continue
        if row.is_rest:
            decoder.rest(row.url, row.data, row.ts_recv)
        else:
            decoder.frame(row.data, row.ts_recv)
        if at == updates[len(updates) // 2 + 1]:
            assert book.state == "stale"
            assert book.best == before
    assert (book.state, book.counts["gaps"]) == ("stale", 1)
    healed = {
        "lastUpdateId": book.last_update_id + 10**9,
        "bids": [["1", "2"]],
        "asks": [["3", "4"]],
    }
    decoder.rest("/api/v3/depth?symbol=BTCUSDT", json.dumps(healed), 0)
    assert (book.state, book.counts["resyncs"]) == ("live", 1)
    assert book.best == (1.0, 2.0, 3.0, 4.0)
    assert (book.mid, book.spread) == (2.0, 2.0)
    assert book.microprice == pytest.approx((1 * 4 + 3 * 2) / 6)
    assert book.imbalance(1) == pytest.approx(-1 / 3)
    assert book.vwap("buy", 4.0) == 3.0
    assert book.vwap("buy", 4.1) is None
    assert book.impact_bps("sell", 1.0) == pytest.approx(5000.0)
    assert book.qty_at("bid", 1.0) == 2.0
