"""Planted defects: each kind is found, with its first row; clean data give none."""

from collections.abc import Callable

import pytest

from veloz.storage.catalogue import Catalogue
from veloz.storage.check import check_series
from veloz.storage.instruments import instrument_of_row
from veloz.storage.passport import as_text, passport
from veloz.storage.series import INDEX
from veloz.storage.times import parse_time

SPOT = "binance:BTC/USDT"
Import = Callable[..., Catalogue]

BARS_HEADER = "open_time,open,high,low,close,volume"
MINUTE_MS = 60_000
START_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
HALF_TICK = instrument_of_row({"symbol": SPOT, "tick": "0.5", "lot": "0.25"})
DAY_MS = 86_400_000


def bar_lines(count: int, start_ms: int = START_MS) -> list[str]:
    """Plain one-minute bars without a defect, as CSV lines."""
    lines = []
    for i in range(count):
        price = 1000 + (i * 7) % 13
        lines.append(
            f"{start_ms + i * MINUTE_MS},{price}.0,{price + 2}.5,{price - 1}.5,{price + 1}.0,1.25"
        )
    return lines


def bars(change: dict[int, str | None] | None = None, count: int = 300) -> list[str]:
    """Bars in which some lines (from 0) are replaced, or dropped where `None`."""
    lines = bar_lines(count)
    kept = [(change or {}).get(i, line) for i, line in enumerate(lines)]
    return [BARS_HEADER, *(line for line in kept if line is not None)]


def at(minute: int) -> int:
    return START_MS + minute * 60_000


BAR_DEFECTS = {
    "gap": (bars({100: None, 101: None}), 2, 101),
    "duplicate": (bars({100: bar_lines(300)[99]}), 1, 101),
    "disorder": (bars({100: bar_lines(300)[101], 101: bar_lines(300)[100]}), 1, 102),
    "bad_price": (bars({50: f"{at(50)},1000.0,1001.0,0,1000.0,1.25"}), 1, 51),
    "high_below_low": (bars({60: f"{at(60)},1000.0,999.0,1001.0,1000.0,1.25"}), 1, 61),
    "outside_range": (bars({70: f"{at(70)},1003.0,1001.0,999.0,1000.0,1.25"}), 1, 71),
    "spike": (bars({80: f"{at(80)},1000.0,1500.0,999.0,1000.0,1.25"}), 1, 81),
    "misaligned": (bars({90: f"{at(90) + 7},1000.0,1001.0,999.0,1000.0,1.25"}), 1, 91),
    "off_tick": (bars({40: f"{at(40)},1000.1,1001.0,999.0,1000.0,1.25"}), 1, 41),
    "off_lot": (bars({41: f"{at(41)},1000.0,1001.0,999.0,1000.0,1.3"}), 1, 42),
    "bad_qty": (bars({42: f"{at(42)},1000.0,1001.0,999.0,1000.0,-1.25"}), 1, 43),
    "zero_volume": (
        bars({i: f"{at(i)},1000.0,1001.0,999.0,1000.0,0" for i in range(120, 200)}), 1, 121,
    ),
    "missing_day": (
        [BARS_HEADER, *bar_lines(1440), *bar_lines(1440, START_MS + 3 * DAY_MS)], 2, 1441,
    ),
}  # fmt: skip

TRADES = "time,price,qty,side,trade_id,recv_ns"


def trade_lines(count: int = 200) -> list[str]:
    lines = []
    for i in range(count):
        ms = START_MS + i * 250
        lines.append(f"{ms},{1000 + i % 3}.0,0.50,{'buy' if i % 2 else 'sell'},{i + 1},{ms}004000")
    return lines


def trades(change: dict[int, str | None] | None = None) -> list[str]:
    kept = [(change or {}).get(i, line) for i, line in enumerate(trade_lines())]
    return [TRADES, *(line for line in kept if line is not None)]


TRADE_DEFECTS = {
    "broken_chain": (trades({100: None, 101: None}), 1, 101),
    "duplicate": (trades({100: trade_lines()[99]}), 1, 101),
    "disorder": (trades({100: trade_lines()[101], 101: trade_lines()[100]}), 1, 102),
    "bad_price": (trades({20: trade_lines()[20].replace(",1002.0,", ",0,")}), 1, 21),
    "bad_qty": (trades({21: trade_lines()[21].replace(",0.50,", ",0,")}), 1, 22),
    "spike": (trades({22: trade_lines()[22].replace(",1001.0,", ",1500.0,")}), 1, 23),
    "off_tick": (trades({23: trade_lines()[23].replace(",1002.0,", ",1002.2,")}), 1, 24),
}

QUOTES = "time,bid,bid_qty,ask,ask_qty,update_id,recv_ns"


def quote_lines(count: int = 100) -> list[str]:
    return [
        f"{START_MS + i * 100},{1000 + i % 3}.0,1.0,{1001 + i % 3}.0,2.0,{10 * i + 1},"
        f"{START_MS + i * 100}005000"
        for i in range(count)
    ]


def quotes(change: dict[int, str] | None = None) -> list[str]:
    return [QUOTES, *((change or {}).get(i, line) for i, line in enumerate(quote_lines()))]


QUOTE_DEFECTS = {
    "crossed": (quotes({9: quote_lines()[9].replace(",1001.0,2.0", ",999.0,2.0")}), 1, 10),
    "bad_qty": (quotes({10: quote_lines()[10].replace(",1.0,", ",0,", 1)}), 1, 11),
    "duplicate": (quotes({11: quote_lines()[10]}), 1, 12),
    "broken_chain": (quotes({12: quote_lines()[12].replace(",121,", ",5,")}), 1, 13),
}

DEPTH = "ts_ns,recv_ns,first_id,final_id,prev_id,is_snapshot,side,price,qty"


def depth_lines() -> list[str]:
    start = START_MS * 1_000_000
    lines = [
        f"{start},{start + 4000000},10,10,,true,bid,1000.0,1.0",
        f"{start},{start + 4000000},10,10,,true,ask,1001.0,1.0",
    ]
    for i in range(50):
        ts = start + (i + 1) * 1_000_000
        lines.append(
            f"{ts},{ts + 4000000},{11 + i},{11 + i},{10 + i},false,bid,999.0,{1 + i % 2}.0"
        )
    return lines


def depth(change: dict[int, str | None] | None = None) -> list[str]:
    kept = [(change or {}).get(i, line) for i, line in enumerate(depth_lines())]
    return [DEPTH, *(line for line in kept if line is not None)]


DEPTH_DEFECTS = {
    "broken_chain": (depth({20: None}), 1, 21),
    "crossed": (depth({30: depth_lines()[30].replace("bid,999.0", "bid,1001.5")}), 1, 31),
    "bad_price": (depth({31: depth_lines()[31].replace("bid,999.0", "bid,-999.0")}), 1, 32),
    "bad_qty": (depth({32: depth_lines()[32].replace(",1.0", ",-1.0")}), 1, 33),
}

CASES = [
    (kind, code, lines, count, row)
    for kind, defects in (
        ("bar_1m", BAR_DEFECTS), ("trade", TRADE_DEFECTS), ("quote", QUOTE_DEFECTS),
        ("tick", DEPTH_DEFECTS),
    )
    for code, (lines, count, row) in defects.items()
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "code", "lines", "count", "row"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES]
)
def test_a_planted_defect_is_found_with_its_first_row(
    import_csv: Import, kind: str, code: str, lines: list[str], count: int, row: int
) -> None:
    catalogue = import_csv(lines, interval="1m", instruments=(HALF_TICK,))
    found = check_series(catalogue, SPOT, kind).findings
    assert code in found, found.keys()
    assert (found[code].count, found[code].row) == (count, row)
    assert found[code].source == "rows.csv"


@pytest.mark.parametrize(
    ("kind", "lines"),
    [("bar_1m", bars()), ("trade", trades()), ("quote", quotes()), ("tick", depth())],
)
def test_rows_without_a_defect_give_no_finding(
    import_csv: Import, kind: str, lines: list[str]
) -> None:
    catalogue = import_csv(lines, interval="1m", instruments=(HALF_TICK,))
    described = passport(catalogue, SPOT, kind)
    assert described["findings"] == []
    assert described["is_clean"]
    assert described["rows"] == len(lines) - 1


def test_a_missing_settlement_and_a_wild_rate_are_found(import_csv: Import) -> None:
    hours = [0, 8, 16, 32, 40, 48, 56]
    lines = [f"{START_MS + h * 3_600_000},{'0.09' if h == 40 else '0.0001'}" for h in hours]
    catalogue = import_csv(["funding_time,funding_rate", *lines], symbol="binance:BTC/USDT:USDT")
    found = check_series(catalogue, "binance:BTC/USDT:USDT", "funding").findings
    assert {code: (f.count, f.row) for code, f in found.items()} == {"gap": (1, 4), "rate": (1, 5)}


def test_a_file_that_was_changed_is_damaged(import_csv: Import) -> None:
    catalogue = import_csv(bars(), interval="1m")
    folder = catalogue.root / catalogue.index(SPOT, "bar_1m").folder
    path = folder / INDEX
    path.write_text(path.read_text().replace('"sha256": "', '"sha256": "0', 1))
    assert "damaged" in check_series(Catalogue(catalogue.root), SPOT, "bar_1m").findings
    next(folder.glob("*.parquet")).write_bytes(b"PAR1 nothing PAR1")
    found = check_series(Catalogue(catalogue.root), SPOT, "bar_1m").findings
    assert "damaged" in found["damaged"].detail


def test_a_negative_latency_is_corrected_or_found(import_csv: Import) -> None:
    line = trade_lines()[30]
    early = line.rsplit(",", 1)[0] + f",{START_MS + 30 * 250 - 2000}000000"
    trusted = import_csv(trades({30: early}), trust_clock=True)
    found = check_series(trusted, SPOT, "trade").findings["negative_latency"]
    assert (found.count, found.row) == (1, 31)
    latency = passport(trusted, SPOT, "trade")["latency"]
    assert latency["raw"] == latency["corrected"]
    assert latency["raw"]["negative"] == 1

    corrected = import_csv(trades({30: early}), replace=True)
    latency = passport(corrected, SPOT, "trade")["latency"]
    assert latency["raw"]["min_ns"] == -2_000_000_000
    assert latency["corrected"] == {
        "rows": 200, "negative": 0, "min_ns": 1_000_000, "p50_ns": 1_000_000,
        "p99_ns": 2_001_004_000,
    }  # fmt: skip


def test_a_passport_says_where_the_figures_come_from(import_csv: Import) -> None:
    catalogue = import_csv(bars({100: None}), interval="1m", instruments=(HALF_TICK,))
    described = passport(catalogue, SPOT, "bar_1m", "2024-01-01", "2024-01-02")
    assert described["instrument"]["origin"] == "file"
    assert described["missing"] == 1
    assert not described["is_clean"]
    assert described["sources"][0]["name"] == "rows.csv"
    shown = as_text(described)
    for word in ("2024-01-01T00:00:00Z", "gap", "rows.csv row 101", "tick 0.5"):
        assert word in shown


def test_a_range_is_checked_alone(import_csv: Import) -> None:
    catalogue = import_csv(bars({100: None}), interval="1m")
    late = check_series(catalogue, SPOT, "bar_1m", parse_time("2024-01-01T02:00"))
    assert late.findings == {}
    assert late.rows == 180


def test_at_least_ten_kinds_of_defect_are_planted() -> None:
    assert len({code for _, code, _, _, _ in CASES}) >= 10
