"""Forms of files that users have: vendors' headers, times as text, books of other recorders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from tests.storage.test_importing import JAN, JAN_MS, LINEAR, SPOT, dump, klines

from veloz.errors import DataError
from veloz.storage.catalogue import Catalogue
from veloz.storage.check import check_series
from veloz.storage.importers.source_rows import Options
from veloz.storage.importing import import_files
from veloz.storage.kinds import TICK_BUY, TICK_CLEAR, TICK_LAST

Import = Callable[..., Catalogue]

BARS = "open,high,low,close,volume"


@pytest.mark.parametrize(
    "times",
    [
        ["2024-01-01 00:00:00", "2024-01-01 00:05:00", "2024-01-01 00:10:00"],
        ["2024-01-01T00:00:00Z", "2024-01-01T00:05:00Z", "2024-01-01T00:15:00Z"],
        ["2024-01-01 00:10:00+00:00", "2024-01-01 00:05:00+00:00", "2024-01-01 00:00:00+00:00"],
        [f"{JAN_MS // 1000 + 300 * i}.0" for i in range(3)],
    ],
)
def test_the_interval_of_bars_is_the_step_of_their_times(
    import_csv: Import, times: list[str]
) -> None:
    catalogue = import_csv([f"date,{BARS}", *(f"{time},1,2,1,2,3" for time in times)])
    assert catalogue.kinds(SPOT) == ["bar_5m"]
    assert catalogue.bars(SPOT, "5m")["ts_open"][0] == JAN


def test_mark_candles_with_times_in_text(import_csv: Import) -> None:
    lines = ["date,open,high,low,close", *(f"2024-01-01 00:0{i}:00,1,2,1,2" for i in range(3))]
    catalogue = import_csv(lines, symbol=LINEAR, kind="mark")
    marks = catalogue.columns(LINEAR, "mark")
    assert marks["ts_exchange"].tolist() == [JAN + i * 60 * 10**9 for i in range(4)]


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("btc.csv", "Open time,Open,High,Low,Close,Volume,Close time"),
        ("BTCUSDT-1m-2024-01.csv", "Open time,Open,High,Low,Close,Volume,Close time"),
        ("btc.csv", "unix,Open,High,Low,Close,Volume BTC,Volume USDT"),
    ],
)
def test_headers_as_vendors_and_scripts_write_them(
    import_csv: Import, name: str, header: str
) -> None:
    lines = [header, *(f"{JAN_MS + i * 60_000},1,2,1,2,3,4" for i in range(2))]
    assert import_csv(lines, name=name).bars(SPOT, "1m")["volume"].tolist() == [3, 3]


@pytest.mark.parametrize("name", ["rows.tsv", "ROWS.CSV"])
def test_tables_of_other_endings(import_csv: Import, name: str) -> None:
    tab = "\t" if name.endswith("tsv") else ","
    lines = [f"time,{BARS}", f"{JAN_MS},1,2,1,2,3", f"{JAN_MS + 60_000},1,2,1,2,3"]
    catalogue = import_csv([line.replace(",", tab) for line in lines], name=name)
    assert len(catalogue.bars(SPOT, "1m")["open"]) == 2


def test_the_venues_history_of_the_book_is_depth_and_no_trades(import_csv: Import) -> None:
    head = "symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu"
    lines = [
        head,
        f"BTCUSDT,{JAN_MS},10,10,b,snap,100.1,2,0",
        f"BTCUSDT,{JAN_MS},10,10,a,snap,100.3,1,0",
        f"BTCUSDT,{JAN_MS + 100},11,12,b,set,100.2,3,10",
        f"BTCUSDT,{JAN_MS + 200},13,13,a,set,100.3,0,12",
    ]
    catalogue = import_csv(lines, symbol=LINEAR)
    assert catalogue.kinds(LINEAR) == ["tick"]
    ticks = catalogue.columns(LINEAR, "tick")
    flags = [TICK_BUY | TICK_CLEAR, TICK_LAST, TICK_BUY | TICK_LAST, TICK_LAST]
    assert ticks["flags"].tolist() == flags
    assert ticks["prev_id"].tolist() == [0, 0, 10, 12]


def test_levels_without_ids_are_joined_by_their_times(import_csv: Import) -> None:
    first, later = JAN_MS * 1000, JAN_MS * 1000 + 500
    lines = [
        "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount",
        f"x,BTCUSDT,{first},{first + 9},true,bid,100.1,2",
        f"x,BTCUSDT,{first},{first + 9},true,ask,100.3,1",
        f"x,BTCUSDT,{later},{later + 9},false,bid,100.2,3",
        f"x,BTCUSDT,{later},{later + 9},false,bid,100.1,0",
        f"x,BTCUSDT,{later + 7},{later + 9},false,ask,100.3,0",
    ]
    ticks = import_csv(lines, symbol=LINEAR).columns(LINEAR, "tick")
    flags = [TICK_BUY | TICK_CLEAR, TICK_LAST, TICK_BUY, TICK_BUY | TICK_LAST, TICK_LAST]
    assert ticks["flags"].tolist() == flags
    with pytest.raises(DataError, match="levels of a book"):
        import_csv(["time,side,price,qty", f"{JAN_MS},ask,1,2"], name="b.csv")


def test_the_taker_of_named_trades(import_csv: Import) -> None:
    lines = ["time,price,qty,isBuyerMaker", f"{JAN_MS},1,2,True", f"{JAN_MS + 1},1,2,false"]
    assert import_csv(lines).columns(SPOT, "trade")["taker"].tolist() == [-1, 1]


def test_floats_of_32_bits_are_their_shortest_decimals(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    duckdb.sql(
        "SELECT ts, 42000.1::FLOAT AS open, 42000.5::FLOAT AS high, 1e-05::FLOAT AS low, "
        "42000.1::FLOAT AS close, 1.5::FLOAT AS volume FROM unnest([?, ?]) t(ts)",
        params=[JAN_MS, JAN_MS + 60_000],
    ).write_parquet(str(path))
    import_files([path], tmp_path / "catalog", Options(symbol=SPOT))
    catalogue = Catalogue(tmp_path / "catalog")
    scale = catalogue.instrument(SPOT).price_scale
    bars = catalogue.bars(SPOT, "1m")
    assert (scale, bars["open"][0], bars["low"][0]) == (5, 4200010000, 1)


def test_rates_are_kept_to_eighteen_decimals(tmp_path: Path) -> None:
    path = tmp_path / "funding.parquet"
    duckdb.sql(
        "SELECT ? AS funding_time, 1.59050417522e-05::DOUBLE AS funding_rate", params=[JAN_MS]
    ).write_parquet(str(path))
    import_files([path], tmp_path / "catalog", Options(symbol=LINEAR))
    rates = Catalogue(tmp_path / "catalog").columns(LINEAR, "funding")["rate"].tolist()
    assert rates == [15905041752200]


def test_an_archive_of_an_empty_file_holds_no_rows(tmp_path: Path) -> None:
    path = dump(tmp_path / "spot", "BTCUSDT-1m-2024-01", [])
    with pytest.raises(DataError, match="holds no rows"):
        import_files([path], tmp_path / "catalog")


def test_six_columns_without_a_header_are_told_what_to_write(import_csv: Import) -> None:
    with pytest.raises(DataError, match="time,open,high,low,close,volume"):
        import_csv([f"{JAN_MS},1,2,1,2,3"])


def test_assets_in_small_letters_are_no_symbol(import_csv: Import) -> None:
    with pytest.raises(DataError, match=r"in capitals, binance:BTC/USDT"):
        import_csv([f"time,{BARS}", f"{JAN_MS},1,2,1,2,3"], symbol="binance:btc/usdt")


def test_quotes_without_ids_are_not_doubles(import_csv: Import) -> None:
    lines = ["timestamp,ask_amount,ask_price,bid_price,bid_amount"]
    lines += [f"{JAN_MS + i},1,100.2,100.1,{i + 1}" for i in range(3)]
    catalogue = import_csv(lines)
    assert list(check_series(catalogue, SPOT, "quote").findings) == []


def test_bars_that_stand_newest_first_are_turned_round(import_csv: Import, tmp_path: Path) -> None:
    rows = [f"{JAN_MS - 60_000 * i},100,101,100,101,3" for i in range(4)]
    catalogue = import_csv([f"time,{BARS}", *rows])
    assert list(check_series(catalogue, SPOT, "bar_1m").findings) == []
    (note,) = (tmp_path / "catalog" / "sources").glob("*.json")
    assert "newest first" in note.read_text()


def test_a_dump_that_is_cut_off_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m-2024-01.csv"
    path.write_text("\n".join([*klines(3), "1704067380000,42000.1,4"]))
    with pytest.raises(DataError, match="line 4 has 3 columns where line 1 has 12"):
        import_files([path], tmp_path / "catalog", Options(symbol=SPOT))


def frames(count: int) -> list[str]:
    trade = (
        '{{"e":"aggTrade","E":{0},"s":"BTCUSDT","a":{1},"p":"42000.1","q":"0.5",'
        '"f":{1},"l":{1},"T":{0},"m":true}}'
    )
    return [
        json.dumps(
            {
                "t": JAN_MS * 10**6 + i,
                "ch": "ws",
                "url": "wss://fstream.binance.com/ws/btcusdt@aggTrade",
                "dir": "in",
                "data": trade.format(JAN_MS, i + 1),
            }
        )
        for i in range(count)
    ]


def test_a_recording_whose_last_line_is_cut_off_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "killed.jsonl"
    path.write_text("\n".join(frames(5))[:-30])
    summary = import_files([path], tmp_path / "catalog")
    assert "line 5, the last one, is cut off and was left out" in summary.files[0].outcome.notes
    assert len(Catalogue(tmp_path / "catalog").columns(LINEAR, "agg_trade")["price"]) == 4


def test_blank_lines_of_a_recording_are_nothing(tmp_path: Path) -> None:
    path = tmp_path / "blank.jsonl"
    path.write_text("\r\n\r\n".join(frames(3)) + "\n\n")
    import_files([path], tmp_path / "catalog")
    assert len(Catalogue(tmp_path / "catalog").columns(LINEAR, "agg_trade")["price"]) == 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"t": 1704067200.5}, "line 2 .* whole number of ns"),
        ({"data": {"e": "x"}}, "line 2 .* texts"),
    ],
)
def test_a_line_of_a_recording_of_other_types_is_named(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    lines = frames(3)
    lines[1] = json.dumps({**json.loads(lines[1]), **change})
    path = tmp_path / "odd.jsonl"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=says):
        import_files([path], tmp_path / "catalog")


def test_a_recording_packed_by_zstd_is_told_how_to_unpack_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(b"(\xb5/\xfd")
    with pytest.raises(DataError, match="zstd -d"):
        import_files([path], tmp_path / "catalog")
