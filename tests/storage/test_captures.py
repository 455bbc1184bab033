"""Recordings: the book after the last frame, what is stored, and the recorder's clock."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from veloz.storage.catalogue import Catalogue
from veloz.storage.clock import WINDOW_NS, offsets
from veloz.storage.importers.source_rows import Options
from veloz.storage.importing import import_files
from veloz.storage.instruments import instrument_of_row
from veloz.storage.kinds import TICK_BUY, TICK_CLEAR, TICK_EMPTY, TICK_LAST, TICK_TRADE
from veloz.storage.passport import passport

LINEAR = "binance:BTC/USDT:USDT"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "data" / "binance_usdm"
RECORDING = EXAMPLES / "BTCUSDT_2023-04-04_5min.jsonl.gz"
GOLDEN = os.environ.get("VELOZ_GOLDEN_CAPTURES")


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalogue, dict[str, object]]:
    root = tmp_path_factory.mktemp("catalog")
    summary = import_files([RECORDING], root)
    return Catalogue(root), summary.to_json()


def frames() -> Iterator[dict[str, object]]:
    with gzip.open(RECORDING) as file:
        for line in file:
            row = json.loads(line)
            content = json.loads(row["data"])
            yield {"t": row["t"], "ch": row["ch"], **content.get("data", content)}


def plain_book() -> tuple[list[list[Decimal]], list[list[Decimal]], int]:
    """The last ten levels by the venue's rule for futures, with a dict for each side."""
    bids: dict[Decimal, Decimal] = {}
    asks: dict[Decimal, Decimal] = {}
    last, snapshot, held = 0, False, []
    for frame in frames():
        if frame["ch"] == "rest":
            for side, levels in ((bids, frame["bids"]), (asks, frame["asks"])):
                side.update({Decimal(p): Decimal(q) for p, q in levels})
            last, snapshot = frame["lastUpdateId"], True
        elif frame.get("e") == "depthUpdate":
            held.append(frame)
        while snapshot and held:
            update = held.pop(0)
            if update["u"] < last:
                continue
            for side, levels in ((bids, update["b"]), (asks, update["a"])):
                for price, qty in levels:
                    side[Decimal(price)] = Decimal(qty)
                    if not Decimal(qty):
                        del side[Decimal(price)]
            last = update["u"]
    top = sorted(bids.items(), reverse=True)[:10], sorted(asks.items())[:10]
    return [list(level) for level in top[0]], [list(level) for level in top[1]], last


def test_the_book_equals_one_kept_by_hand(imported: tuple[Catalogue, dict]) -> None:
    _, result = imported
    (book,) = result["books"].values()
    bids, asks, last = plain_book()
    assert [[Decimal(x) for x in level] for level in book["bids"]] == bids
    assert [[Decimal(x) for x in level] for level in book["asks"]] == asks
    assert book["last_update_id"] == last
    assert (book["gaps"], book["resyncs"], book["crossed"]) == (0, 0, 0)


def test_every_message_is_counted_by_type(imported: tuple[Catalogue, dict]) -> None:
    catalogue, result = imported
    kinds: dict[str, int] = {}
    for frame in frames():
        name = "rest/depth" if frame["ch"] == "rest" else str(frame["e"])
        kinds[name] = kinds.get(name, 0) + 1
    assert result["events"] == kinds
    assert result["messages"] == sum(kinds.values())
    assert result["errors"] == 0
    assert catalogue.index(LINEAR, "trade").rows == kinds["trade"]
    assert catalogue.index(LINEAR, "quote").rows == kinds["bookTicker"]
    assert catalogue.index(LINEAR, "mark").rows == kinds["markPriceUpdate"]


def test_the_replayed_ticks_have_the_touch_that_the_quotes_show(
    imported: tuple[Catalogue, dict],
) -> None:
    """Levels in replay form give, message by message, the book that was recorded."""
    catalogue, result = imported
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    prints = 0
    for piece in catalogue.ticks(LINEAR, rows=50_000):
        assert piece["flags"][-1] & TICK_LAST
        for price, qty, flags in zip(
            piece["price"].tolist(), piece["qty"].tolist(), piece["flags"].tolist(), strict=True
        ):
            if flags & TICK_TRADE:
                prints += 1
                continue
            if flags & TICK_CLEAR:
                bids.clear()
                asks.clear()
            if not flags & TICK_EMPTY:
                side = bids if flags & TICK_BUY else asks
                side[price] = qty
                if qty == 0:
                    del side[price]
    instrument = catalogue.instrument(LINEAR)
    scale = Decimal(10) ** -instrument.price_scale
    (book,) = result["books"].values()
    assert max(bids) * scale == Decimal(book["bids"][0][0])
    assert min(asks) * scale == Decimal(book["asks"][0][0])
    assert prints == catalogue.index(LINEAR, "trade").rows


def test_trades_keep_price_quantity_and_side(imported: tuple[Catalogue, dict]) -> None:
    catalogue, _ = imported
    trades = catalogue.columns(LINEAR, "trade")
    expected = [frame for frame in frames() if frame.get("e") == "trade"]
    instrument = catalogue.instrument(LINEAR)
    unit = Decimal(10) ** instrument.price_scale
    assert (np.diff(trades["trade_id"]) == 1).all()
    assert trades["price"].tolist() == [int(Decimal(str(f["p"])) * unit) for f in expected]
    assert trades["taker"].tolist() == [-1 if f["m"] else 1 for f in expected]


def test_no_event_reaches_a_strategy_before_the_exchange_has_it(
    imported: tuple[Catalogue, dict],
) -> None:
    catalogue, _ = imported
    for kind in ("tick", "trade", "quote", "mark"):
        described = passport(catalogue, LINEAR, kind)
        assert described["is_clean"], described["findings"]
        assert described["latency"]["corrected"]["min_ns"] >= 1_000_000
    assert passport(catalogue, LINEAR, "quote")["latency"]["raw"]["negative"] > 1000


def test_a_clock_that_was_behind_is_corrected_without_changing_the_order() -> None:
    dice = np.random.default_rng(5)
    windows = dice.integers(-2_000_000_000, 2_000_000_000, 300)
    edges = offsets(windows, 1_000_000)
    received = np.sort(dice.integers(0, 300 * WINDOW_NS, 100_000))
    place = received // WINDOW_NS
    low, high = edges[place], edges[place + 1]
    rise = (high - low).astype(object) * (received % WINDOW_NS) // WINDOW_NS  # beyond 64 bits
    offset = low + rise.astype(np.int64)
    assert (np.diff(received - offset) >= 0).all()
    # A message in a window has at least that window's latency; corrected, at least the floor.
    assert (windows[place] - offset >= 1_000_000).all()
    assert (offset <= 0).all()


def test_a_good_clock_is_left_alone() -> None:
    assert offsets(np.array([5_000_000, 3_000_000]), 1_000_000).tolist() == [0, 0, 0]


def test_a_stated_instrument_decodes_a_recording(tmp_path: Path) -> None:
    stated = instrument_of_row({"symbol": LINEAR, "tick": "0.01", "lot": "0.001"})
    with gzip.open(RECORDING) as file:
        lines = [next(file) for _ in range(3000)]
    (tmp_path / "part.jsonl").write_bytes(b"".join(lines))
    summary = import_files(
        [tmp_path / "part.jsonl"], tmp_path / "catalog", Options(instruments=(stated,))
    )
    catalogue = Catalogue(tmp_path / "catalog")
    assert catalogue.instrument(LINEAR).origin == "file"
    assert catalogue.instrument(LINEAR).price_scale == 2
    assert summary.files[0].outcome.errors == 0
    assert 2_800_000 < catalogue.columns(LINEAR, "trade")["price"][0] < 2_900_000


@pytest.mark.skipif(GOLDEN is None, reason="VELOZ_GOLDEN_CAPTURES names no folder of recordings")
def test_golden_recordings(tmp_path: Path) -> None:
    folder = Path(GOLDEN or "")
    manifest = json.loads((folder / "manifest.json").read_text())["captures"]
    checked = 0
    for entry in manifest:
        if not entry["venue"].startswith("binance"):
            continue
        summary = import_files([folder / entry["file"]], tmp_path / entry["file"]).to_json()
        assert summary["errors"] == 0, entry["file"]
        for book in summary["books"].values():
            final = entry["book_check"][book["venue_symbol"]]["final"]
            for side in ("bids", "asks"):
                found = [[Decimal(x) for x in level] for level in book[side]]
                assert found == [[Decimal(x) for x in level] for level in final[side]]
            assert book["last_update_id"] == final["u"]
            checked += 1
    assert checked
