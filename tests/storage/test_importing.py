"""Files into the catalogue: exact, whole, once, and a clear sentence where that cannot be."""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest

from veloz.errors import DataError
from veloz.storage.catalogue import Catalogue
from veloz.storage.importers.source_rows import Options
from veloz.storage.importing import import_files
from veloz.storage.instruments import instrument_of_row, read_instruments
from veloz.storage.kinds import TICK_BUY, TICK_CLEAR, TICK_LAST, TICK_TRADE
from veloz.storage.series import NO_TIME
from veloz.storage.times import NS_PER_DAY, parse_time
from veloz.storage.transaction import STAGING, transaction

SPOT = "binance:BTC/USDT"
LINEAR = "binance:BTC/USDT:USDT"
JAN = parse_time("2024-01-01")
JAN_MS = JAN // 1_000_000

Import = Callable[..., Catalogue]


def klines(count: int, first_ms: int = JAN_MS, close: str = "42010.1") -> list[str]:
    return [
        f"{first_ms + i * 60_000},42000.10,42050.00,41990.50,{close},1.50000,"
        f"{first_ms + i * 60_000 + 59_999},63000.0,10,0.7,29400.0,0"
        for i in range(count)
    ]


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def dump(folder: Path, name: str, lines: list[str], *, checksum: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.csv", "\n".join(lines) + "\n")
    if checksum is not None:
        digest = checksum or hashlib.sha256(path.read_bytes()).hexdigest()
        (folder / f"{name}.zip.CHECKSUM").write_text(f"{digest}  {path.name}\n")
    return path


@pytest.mark.parametrize("unit", [1, 1000])
@pytest.mark.parametrize("header", [True, False])
def test_a_kline_dump_in_ms_or_us_with_or_without_a_header(
    tmp_path: Path, unit: int, *, header: bool
) -> None:
    names = "open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore"
    lines = [f"{int(line.split(',')[0]) * unit},{line.split(',', 1)[1]}" for line in klines(3)]
    folder = tmp_path / "data/futures/um/daily/klines/BTCUSDT/1m"
    names = names.replace(",a,b,", ",taker_buy_volume,taker_buy_quote_volume,")
    path = dump(folder, "BTCUSDT-1m-2024-01-01", [names] * header + lines, checksum="")
    summary = import_files([path], tmp_path / "catalog")
    assert "checksum verified" in summary.files[0].outcome.notes
    bars = Catalogue(tmp_path / "catalog").bars(LINEAR, "1m")
    assert bars["ts_open"].tolist() == [JAN + i * 60 * 10**9 for i in range(3)]
    assert (bars["ts_close"] - bars["ts_open"]).tolist() == [60 * 10**9] * 3
    instrument = Catalogue(tmp_path / "catalog").instrument(LINEAR)
    assert (instrument.price_scale, instrument.qty_scale) == (1, 1)
    assert bars["open"].tolist() == [420001] * 3
    assert bars["volume"].tolist() == [15] * 3
    assert all(column.dtype == np.int64 for column in bars.values())


def test_dumps_of_trades_quotes_funding_marks_and_open_interest(tmp_path: Path) -> None:
    um = tmp_path / "futures/um/daily"
    paths = [
        dump(
            um / "aggTrades", "BTCUSDT-aggTrades-2024-01-01",
            [f"7,42000.1,0.5,70,71,{JAN_MS},true", f"8,42000.2,0.25,72,72,{JAN_MS + 5},false"],
        ),
        dump(
            um / "trades", "BTCUSDT-trades-2024-01-01",
            ["id,price,qty,quote_qty,time,is_buyer_maker", f"70,42000.1,0.5,1,{JAN_MS},true"],
        ),
        dump(
            um / "bookTicker", "BTCUSDT-bookTicker-2024-01-01",
            [f"5,42000.1,1.5,42000.2,2.5,{JAN_MS},{JAN_MS + 3}"],
        ),
        dump(
            um / "fundingRate", "BTCUSDT-fundingRate-2024-01",
            ["calc_time,funding_interval_hours,last_funding_rate", f"{JAN_MS + 7},8,0.00010000"],
        ),
        dump(um / "markPriceKlines", "BTCUSDT-1m-2024-01-01", klines(2, close="42000.123")),
        dump(
            um / "metrics", "BTCUSDT-metrics-2024-01-01",
            [
                "create_time,symbol,sum_open_interest,sum_open_interest_value",
                "2024-01-01 00:10:00,BTCUSDT,80000.5,1", "2024-01-01 00:05:00,BTCUSDT,80001.5,1",
            ],
        ),
    ]  # fmt: skip
    import_files(paths, tmp_path / "catalog")
    catalogue = Catalogue(tmp_path / "catalog")
    trades = catalogue.columns(LINEAR, "agg_trade")
    assert trades["taker"].tolist() == [-1, 1]
    assert trades["first_trade_id"].tolist() == [70, 72]
    # No receive time: the exchange's and the stated model of 1 ms; the raw one stays unknown.
    assert (trades["ts_recv"] - trades["ts_exchange"]).tolist() == [1_000_000] * 2
    raw = catalogue.columns(LINEAR, "agg_trade", raw=True)
    assert set(raw["ts_recv"].tolist()) == {NO_TIME}
    assert catalogue.columns(LINEAR, "trade")["qty"].tolist() == [50]
    assert catalogue.columns(LINEAR, "quote")["ask_price"].tolist() == [420002]
    funding = catalogue.funding(LINEAR)
    assert funding["ts_exchange"].tolist() == [JAN]  # reported 7 ms late
    assert funding["rate"].tolist() == [10**14]
    marks = catalogue.marks(LINEAR)
    assert marks["mark"].tolist() == [42000_10000000, 42000_10000000, 42000_12300000]
    assert marks["ts_exchange"].tolist() == [JAN + i * 60 * 10**9 for i in range(3)]
    assert catalogue.columns(LINEAR, "open_interest")["qty"].tolist() == [8000150, 8000050]


def test_spot_times_in_us_need_the_symbol_and_get_it(tmp_path: Path) -> None:
    path = dump(
        tmp_path, "BTCUSDT-trades-2025-01-01", [f"1,93000.01,0.00100,93,{JAN_MS}123,True,True"]
    )
    with pytest.raises(DataError, match="--symbol"):
        import_files([path], tmp_path / "catalog")
    import_files([path], tmp_path / "catalog", Options(symbol=SPOT))
    trades = Catalogue(tmp_path / "catalog").columns(SPOT, "trade")
    assert trades["ts_exchange"].tolist() == [JAN + 123_000]
    assert trades["price"].tolist() == [9300001]


@pytest.mark.parametrize(
    ("name", "lines", "says"),
    [
        (
            "BTCUSDT-bookDepth-2024-01-01",
            ["timestamp,percentage,depth,notional"],
            "bands of percent",
        ),
        ("BTCUSDT-1mo-2024-01", klines(1), "monthly bars"),
        ("BTCUSDT-1m-2024-01-01", ["1,2,3"], "3 columns where 12"),
        ("BTCUSDT-trades-2024-01-01", ["price,open_time,x", "1,2,3"], "with --column"),
    ],
)
def test_a_dump_that_cannot_be_used_says_why(
    tmp_path: Path, name: str, lines: list[str], says: str
) -> None:
    path = dump(tmp_path / "um", name, lines)
    with pytest.raises(DataError, match=says):
        import_files([path], tmp_path / "catalog")
    assert tree(tmp_path / "catalog") == {}


def test_a_wrong_checksum_and_a_damaged_archive_are_refused(tmp_path: Path) -> None:
    path = dump(tmp_path / "um", "BTCUSDT-1m-2024-01-01", klines(2), checksum="00ff")
    with pytest.raises(DataError, match="checksum"):
        import_files([path], tmp_path / "catalog")
    path.with_name(path.name + ".CHECKSUM").unlink()
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match="damaged"):
        import_files([path], tmp_path / "catalog")
    assert tree(tmp_path / "catalog") == {}


def parquet(path: Path, query: str) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def test_floats_become_the_decimals_they_stand_for(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "binance_usdm/BTCUSDT_1m.parquet",
        f"SELECT {JAN_MS}::BIGINT + i * 60000 AS open_time, 0.1::DOUBLE + 0.2 AS open, "  # noqa: S608
        "0.4 AS high, 0.1::DOUBLE AS low, 0.35::DOUBLE AS close, "
        "1234567890.123::DOUBLE AS volume FROM range(3) t(i)",
    )
    import_files([path], tmp_path / "catalog")
    bars = Catalogue(tmp_path / "catalog").bars(LINEAR, "1m")
    assert (bars["open"][0], bars["close"][0], bars["volume"][0]) == (30, 35, 1234567890123)


def test_a_float_that_is_no_decimal_is_refused_with_its_row(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "rows.parquet",
        f"SELECT {JAN_MS}::BIGINT + i * 60000 AS open_time, 1.0::DOUBLE AS open, "  # noqa: S608
        "2.0 AS high, 1.0 AS low, CASE i WHEN 1 THEN 1e-13::DOUBLE / 3 ELSE 1.0 END AS close, "
        "1.0 AS volume FROM range(3) t(i)",
    )
    with pytest.raises(DataError, match="'close' of row 2"):
        import_files([path], tmp_path / "catalog", Options(symbol=SPOT))


def test_columns_can_be_named(import_csv: Import) -> None:
    lines = ["When,O,Hi,Lo,C,Vol", "2024-01-01 08:00:00,1.5,2,1,1.75,3"]
    columns = {
        "time": "When",
        "open": "O",
        "high": "Hi",
        "low": "Lo",
        "close": "C",
        "volume": "Vol",
    }
    catalogue = import_csv(lines, columns=columns, interval="1h", utc_offset="+08:00")
    assert catalogue.bars(SPOT, "1h")["ts_open"].tolist() == [JAN]
    with pytest.raises(DataError, match="no column 'Volume'"):
        import_csv(lines, name="b.csv", columns={**columns, "volume": "Volume"}, interval="1h")
    with pytest.raises(DataError, match="no 'opened'"):
        import_csv(lines, name="b.csv", columns={"opened": "O"}, interval="1h")


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2024-01-01 03:00:00", 3), ("2024-01-01T03:00:00Z", 3), ("2024-01-01T03:00:00+02:00", 1)],
)
def test_naive_times_are_utc_and_offsets_are_honoured(
    import_csv: Import, text: str, hour: int
) -> None:
    catalogue = import_csv(["time,open,high,low,close,volume", f"{text},1,2,1,2,3"], interval="1h")
    assert catalogue.bars(SPOT, "1h")["ts_open"].tolist() == [JAN + hour * 3600 * 10**9]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["time,open,high,low,close", "1704067200000,1,2,1,2"], "column for volume"),
        (["time,price", "1704067200000,1"], "--column"),
        (
            ["time,open,high,low,close,volume", "1704067200000,1,2,x,2,3"],
            "'x' in column 'low' of row 1",
        ),
        (["time,open,high,low,close,volume", "noon,1,2,1,2,3"], "'noon'.*no time"),
        (["time,open,high,low,close,volume", "1704067200000,1,2,1,,3"], "column 'close' of row 1"),
        (["time,open,high,low,close,volume", "17040672,1,2,1,2,3"], "--time-unit"),
        (["time,open,high,low,close,volume"], "no rows"),
        (
            ["time,open,high,low,close,volume", "1704067200000,1,2,1,2,99999999999999999999"],
            "64 bits",
        ),
    ],
)
def test_a_bad_table_is_one_sentence_and_leaves_nothing(
    import_csv: Import, tmp_path: Path, lines: list[str], says: str
) -> None:
    with pytest.raises(DataError, match=says):
        import_csv(lines, interval="1m")
    assert tree(tmp_path / "catalog") == {}


@pytest.mark.parametrize("kind", ["bar_1m", "trade", "quote", "mark"])
def test_a_kind_that_the_columns_do_not_hold_is_refused(
    import_csv: Import, tmp_path: Path, kind: str
) -> None:
    with pytest.raises(DataError, match=f"cannot be {kind}"):
        import_csv(["funding_time,funding_rate", f"{JAN_MS},0.0001"], kind=kind)
    assert tree(tmp_path / "catalog") == {}


def test_missing_and_unknown_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file"):
        import_files([tmp_path / "nothing.csv"], tmp_path / "catalog")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match="no known form"):
        import_files([tmp_path / "notes.txt"], tmp_path / "catalog")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 broken PAR1")
    with pytest.raises(DataError, match="damaged"):
        import_files([tmp_path / "x.parquet"], tmp_path / "catalog", Options(symbol=SPOT))
    with pytest.raises(DataError, match="no catalogue in"):
        Catalogue(tmp_path / "elsewhere")


def test_importing_twice_does_nothing(import_csv: Import, tmp_path: Path) -> None:
    lines = ["time,open,high,low,close,volume", f"{JAN_MS},1.5,2,1,1.75,3"]
    import_csv(lines, interval="1m")
    before = tree(tmp_path / "catalog")
    import_csv(lines, interval="1m")
    assert tree(tmp_path / "catalog") == before
    summary = import_files(
        [tmp_path / "rows.csv"], tmp_path / "catalog", Options(symbol=SPOT, interval="1m")
    )
    assert summary.files[0].already


def test_two_sources_of_one_day_are_merged(import_csv: Import, tmp_path: Path) -> None:
    header = "time,open,high,low,close,volume"
    rows = [f"{JAN_MS + i * 60_000},1.5,2,1,1.75,3" for i in range(4)]
    import_csv([header, *rows[:3]], name="a.csv", interval="1m")
    catalogue = import_csv([header, *rows[2:]], name="b.csv", interval="1m")
    assert len(catalogue.bars(SPOT, "1m")["open"]) == 4
    raw = catalogue.columns(SPOT, "bar_1m", raw=True)
    assert raw["source"].tolist() == [0, 0, 0, 1]

    other = rows[3].replace("1.75", "1.625")
    with pytest.raises(DataError, match=r"differs from the one that b\.csv gave"):
        import_csv([header, other], name="c.csv", interval="1m")
    replaced = import_csv([header, other], name="c.csv", interval="1m", replace=True)
    assert replaced.bars(SPOT, "1m")["close"].tolist() == [1750, 1750, 1750, 1625]
    assert replaced.instrument(SPOT).price_scale == 3


def test_finer_prices_later_raise_the_scale_and_keep_the_values(import_csv: Import) -> None:
    header = "time,open,high,low,close,volume"
    next_day = JAN_MS + NS_PER_DAY // 1_000_000
    import_csv([header, f"{JAN_MS},1.5,2,1,1.5,3"], name="a.csv", interval="1m")
    catalogue = import_csv([header, f"{next_day},1.25,2,1,1.125,3.5"], name="b.csv", interval="1m")
    bars = catalogue.bars(SPOT, "1m")
    assert bars["close"].tolist() == [1500, 1125]
    assert bars["volume"].tolist() == [30, 35]
    instrument = catalogue.instrument(SPOT)
    assert (instrument.tick, instrument.price_scale, instrument.origin) == (125, 3, "inferred")


def test_a_stated_instrument_is_kept(import_csv: Import, tmp_path: Path) -> None:
    (tmp_path / "i.toml").write_text(
        f'[[instruments]]\nsymbol = "{SPOT}"\ntick = 0.01\nlot = "0.00001"\nmaker_fee = 0.001\n'
        'min_notional = "5"\ntiers = [{cap = 50000, rate = "0.004"}, {rate = "0.01"}]\n'
    )
    stated = tuple(read_instruments(tmp_path / "i.toml"))
    lines = ["time,open,high,low,close,volume", f"{JAN_MS},1.5,2,1,1.5,3"]
    instrument = import_csv(lines, interval="1m", instruments=stated).instrument(SPOT)
    assert (instrument.origin, instrument.origin_note) == ("file", "i.toml")
    assert (instrument.price_scale, instrument.qty_scale) == (2, 5)
    assert (instrument.tick, instrument.maker_fee) == (1, 10**15)
    assert instrument.filters.min_notional == 5 * 10**18
    assert instrument.tiers == ((50_000 * 10**18, 4 * 10**15), (None, 10**16))
    assert instrument_of_row(instrument.to_row()) == instrument
    with pytest.raises(DataError, match=r"no field 'tik'.*did you mean tick"):
        instrument_of_row({"symbol": SPOT, "tik": "1", "lot": "1"})
    falling = [{"cap": "5", "rate": "0.1"}, {"rate": "0.01"}]
    capped, two_ends = [{"cap": "5", "rate": "0.01"}], [{"rate": "0.1"}, {"rate": "0.2"}]
    for tiers in ([], capped, two_ends, falling, "0.01", [{"rat": "0.1"}]):
        with pytest.raises(DataError, match="by rising value"):
            instrument_of_row({"symbol": SPOT, "tick": "1", "lot": "1", "tiers": tiers})
    with pytest.raises(DataError, match="no tick"):
        instrument_of_row({"symbol": SPOT, "lot": "1"})


def test_an_interrupted_commit_is_finished_by_the_next_who_opens(
    import_csv: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["time,open,high,low,close,volume", f"{JAN_MS},1.5,2,1,1.75,3"]
    import_csv(lines, interval="1m")
    whole = tree(tmp_path / "catalog")

    root = tmp_path / "again"
    moved = []
    replace = Path.replace

    def dies(self: Path, target: Path) -> Path:
        if STAGING in self.parts and "files" in self.parts:
            moved.append(target)
            if len(moved) == 2:
                raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", dies)
    monkeypatch.setattr("veloz.storage.transaction.shutil.rmtree", lambda *_a, **_k: None)
    options = Options(symbol=SPOT, interval="1m")
    with pytest.raises(KeyboardInterrupt):
        import_files([tmp_path / "rows.csv"], root, options)
    monkeypatch.undo()
    assert len(moved) == 2
    assert len(Catalogue(root).bars(SPOT, "1m")["open"]) == 1
    assert tree(root) == whole


def test_an_interruption_before_the_commit_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "catalog"

    def interrupted() -> None:
        with transaction(root) as change:
            change.write("a/b.txt", "half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert tree(root) == {}
    with transaction(root), pytest.raises(DataError, match="another process"), transaction(root):
        pass


def test_ranges_are_cut_to_the_nanosecond_and_streamed(import_csv: Import) -> None:
    lines = [
        f"{JAN_MS + i * 1000},{1 + i}.0,1,buy,{i + 1},{JAN_MS + i * 1000}002000" for i in range(9)
    ]
    catalogue = import_csv(["time,price,qty,side,trade_id,recv_ns", *lines])
    one = catalogue.columns(SPOT, "trade", JAN + 2_000_002_000, JAN + 4_000_002_000)
    assert one["price"].tolist() == [3, 4]
    pieces = list(catalogue.iter_columns(SPOT, "trade", rows=4, columns=("price", "ts_recv")))
    assert [len(piece["price"]) for piece in pieces] == [4, 4, 1]
    assert [*pieces[0]] == ["price", "ts_recv"]
    with pytest.raises(DataError, match="there is no trade of"):
        catalogue.columns(SPOT, "trade", "2025-01-01")
    with pytest.raises(DataError, match="not after its start"):
        catalogue.columns(SPOT, "trade", "2025-01-01", "2024-01-01")
    with pytest.raises(DataError, match="did you mean price"):
        catalogue.columns(SPOT, "trade", columns=("prise",))
    with pytest.raises(DataError, match="did you mean binance:BTC/USDT"):
        catalogue.columns("binance:BTC/USD", "trade")
    with pytest.raises(DataError, match="only trade"):
        catalogue.bars(SPOT, "1m")


def test_a_bar_belongs_to_a_range_that_it_closes_in(import_csv: Import) -> None:
    header = "time,open,high,low,close,volume"
    catalogue = import_csv(
        [header, *(f"{JAN_MS + i * 60_000},{i + 1},20,1,5,3" for i in range(9))], interval="1m"
    )
    bars = catalogue.bars(SPOT, "1m", "2024-01-01T00:01", "2024-01-01T00:03")
    assert bars["open"].tolist() == [2, 3]
    assert catalogue.bars(SPOT, "1m", None, "2024-01-01T00:03:30")["open"].tolist() == [1, 2, 3]
    digest = catalogue.digest(SPOT, "bar_1m", "2024-01-01T00:01", "2024-01-01T00:03")
    assert digest == catalogue.digest(SPOT, "bar_1m", "2024-01-01T00:01", "2024-01-01T00:03")
    assert digest.sha256 != catalogue.digest(SPOT, "bar_1m").sha256


def test_double_bars_are_not_given_to_a_run(import_csv: Import) -> None:
    row = f"{JAN_MS},1,2,1,2,3"
    catalogue = import_csv(["time,open,high,low,close,volume", row, row], interval="1m")
    with pytest.raises(DataError, match="two 1m bars"):
        catalogue.bars(SPOT, "1m")


def test_bench_arrays_become_bars_and_ticks(tmp_path: Path) -> None:
    ts = JAN + 60 * 10**9 * np.arange(5, dtype=np.int64)
    price = np.array([30000.01, 30000.02, 30000.03, 30000.04, 30000.05])
    volume = np.array([1.5, 2.25, 3.125, 4.0, 5.0])
    prices = dict.fromkeys(("open", "high", "low", "close"), price)
    np.savez(tmp_path / "bars.npz", ts=ts, volume=volume, **prices)
    rows = np.zeros(
        5, dtype=[("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f8"), ("qty", "f8")]
    )
    buy, sell = 1 << 29, 1 << 28
    rows["ev"] = [4 | buy, 4 | sell, 2 | buy, 1 | sell, 1 | buy]
    rows["exch_ts"] = JAN + np.array([0, 0, 10, 20, 20])
    rows["local_ts"] = rows["exch_ts"] + 500_000
    rows["px"], rows["qty"] = [100.0, 100.1, 100.1, 100.1, 100.0], [1.0, 2.0, 0.5, 1.5, 0.0]
    np.savez(tmp_path / "feed.npz", data=rows)
    import_files(
        [tmp_path / "bars.npz", tmp_path / "feed.npz"], tmp_path / "catalog", Options(symbol=LINEAR)
    )
    catalogue = Catalogue(tmp_path / "catalog")
    assert catalogue.bars(LINEAR, "1m")["volume"].tolist() == [1500, 2250, 3125, 4000, 5000]
    (ticks,) = catalogue.ticks(LINEAR)
    assert ticks["flags"].tolist() == [
        TICK_BUY | TICK_CLEAR,
        TICK_LAST,
        TICK_BUY | TICK_TRADE | TICK_LAST,
        0,
        TICK_BUY | TICK_LAST,
    ]
    # No latency is negative, so the clock is believed.
    assert set((ticks["ts_recv"] - ticks["ts_exchange"]).tolist()) == {500_000}


def test_a_damaged_recording_is_one_sentence(tmp_path: Path) -> None:
    row = {
        "t": JAN,
        "ch": "ws",
        "url": "wss://fstream.binance.com/stream",
        "dir": "in",
        "data": "{}",
    }
    line = json.dumps(row).encode() + b"\n"
    packed = gzip.compress(line * 2000)
    cases = {
        "cut.jsonl.gz": (packed[:-30], "damaged after line"),
        "text.jsonl": (line + b"not json\n", "line 2 of text.jsonl"),
        "okx.jsonl": (
            line.replace(b"fstream.binance.com", b"ws.okx.com"),
            "only recordings of Binance",
        ),
    }
    for name, (content, says) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=says):
            import_files([tmp_path / name], tmp_path / "catalog")
    assert tree(tmp_path / "catalog") == {}
