"""Binance's public dumps: CSV files in ZIP archives, with or without a header line.

What a file holds is told by its name (`BTCUSDT-1m-2024-01.zip`, `BTCUSDT-aggTrades-2024-01-01.zip`)
or by its header; whether it is spot or futures by its folder or `--symbol`. Times are ms, or us in
spot files from 2025 on. A `.CHECKSUM` file beside the archive is verified.

Source: Binance, "Binance Public Data".
"""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import zipfile
from pathlib import Path

import duckdb

from veloz.errors import DataError
from veloz.storage.deposit import Deposit
from veloz.storage.importers.source_rows import (
    TABLE,
    Meaning,
    Options,
    Outcome,
    need_symbol,
    store_rows,
)
from veloz.storage.importers.tables import (
    load_file,
    split_pair,
    store_marks_from_bars,
    store_named_columns,
)
from veloz.storage.kinds import bar_kind, kind_named
from veloz.storage.symbols import Symbol
from veloz.storage.times import format_span

_KLINE = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
_AGG = (
    "agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time",
    "is_buyer_maker", "is_best_match",
)  # fmt: skip
_TRADE = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker", "is_best_match")
_TICKER = (
    "update_id", "best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty",
    "transaction_time", "event_time",
)  # fmt: skip
_FUNDING = ("calc_time", "funding_interval_hours", "last_funding_rate")
_METRICS = (
    "create_time", "symbol", "sum_open_interest", "sum_open_interest_value",
    "count_toptrader_long_short_ratio", "sum_toptrader_long_short_ratio",
    "count_long_short_ratio", "sum_taker_long_short_vol_ratio",
)  # fmt: skip

_LAYOUTS = {
    "klines": _KLINE,
    "markPriceKlines": _KLINE,
    "indexPriceKlines": _KLINE,
    "aggTrades": _AGG,
    "trades": _TRADE,
    "bookTicker": _TICKER,
    "fundingRate": _FUNDING,
    "metrics": _METRICS,
}
_FIRST_COLUMNS = {layout[0] for layout in _LAYOUTS.values()}
# Columns that some files lack are the last ones; by the first column of the layout.
_FEWEST = {"agg_trade_id": 7, "id": 6, "create_time": 4}
_REFUSED = {
    "bookDepth": "it holds cumulative depth in bands of percent, from which no book can be rebuilt",
    "premiumIndexKlines": "it holds a premium, which is no price of the instrument",
    "liquidationSnapshot": "its rows were sampled by the venue and are not all liquidations",
    "BVOLIndex": "it holds a volatility index, which is no market data of an instrument",
    "EOHSummary": "it holds option summaries, and options are not supported",
}
_NAME = re.compile(
    r"(?P<pair>[A-Z0-9]+(?:_(?:PERP|\d{6}))?)-(?P<type>[A-Za-z]+|\d+(?:s|m|h|d|w|mo))"
    r"-\d{4}-\d{2}(?:-\d{2})?"
)


def is_dump(path: Path) -> bool:
    """Whether a file is named as a dump, or is a CSV with a dump's header or with none."""
    if path.suffix.lower() == ".zip" or _NAME.match(path.name):
        return True
    if ".csv" not in path.suffixes:
        return False
    first = _first_line(path, path.name)
    return _is_number(first.split(",")[0]) or _type_of_header(first.split(",")) is not None


def read_dump(path: Path, options: Options, deposit: Deposit, scratch: Path) -> Outcome:
    """Reads one dump.

    Raises:
        DataError: If it is damaged, of a kind that cannot be used, or does not tell its market.
    """
    outcome = Outcome("binance dump")
    if verify_checksum(path):
        outcome.notes.append("checksum verified")
    match = _NAME.match(path.name)
    named = match.group("type") if match else None
    for refused, reason in _REFUSED.items():
        if named == refused or refused in path.parts:
            raise DataError(f"{path.name} cannot be imported: {reason}; use another dump")
    csv = _unpack(path, scratch) if path.suffix.lower() == ".zip" else path
    header, fields = _header(csv, path.name)
    if header and fields[0].strip().strip('"') not in _FIRST_COLUMNS:
        # Named as a dump or packed as one, but with columns of somebody else's: they say it.
        load_file(csv, deposit)
        hint = _symbol(path, match)
        return store_named_columns(path.name, options, deposit, symbol_hint=hint)
    kind = _dump_type(path, named, fields if header else None, len(fields), options)
    _check_layout(_LAYOUTS[kind], path, header=header, fields=fields)
    _load(deposit, csv, _LAYOUTS[kind], path, header=header, fields=fields)
    symbol = need_symbol(options, path.name, _symbol(path, match))
    _store(path, kind, named, options, deposit, symbol, outcome)
    return outcome


def verify_checksum(path: Path) -> bool:
    """Whether a `.CHECKSUM` file stands beside the archive and agrees with it.

    Raises:
        DataError: If it disagrees.
    """
    beside = path.with_name(path.name + ".CHECKSUM")
    if not beside.exists():
        return False
    wanted = beside.read_text(encoding="utf-8").split()[0].lower()
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        raise DataError(
            f"{path.name} does not agree with its checksum: the download is damaged or was "
            "published anew; fetch both files again"
        )
    return True


def _unpack(path: Path, scratch: Path) -> Path:
    target = scratch / "unpacked.csv"
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".csv")]
            if len(names) != 1:
                raise DataError(
                    f"{path.name} holds {len(names)} CSV files, not one: unpack it first"
                )
            with archive.open(names[0]) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise DataError(f"{path.name} is damaged ({error}): fetch it again") from error
    return target


def _first_line(path: Path, name: str) -> str:
    relation = duckdb.connect()
    try:
        row = relation.execute(
            "SELECT line FROM read_csv(?, columns = {'line': 'VARCHAR'}, delim = chr(1), "
            "header = false, quote = '', escape = '') LIMIT 1",
            [str(path)],
        ).fetchone()
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{name} cannot be read ({reason}): fetch it again") from error
    if row is None or row[0] is None:
        raise DataError(f"{name} holds no rows: fetch it again")
    return row[0].lstrip("\ufeff").strip()


def _header(path: Path, name: str) -> tuple[bool, list[str]]:
    fields = _first_line(path, name).split(",")
    return not _is_number(fields[0]) and not re.match(r"\d{4}-", fields[0]), fields


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+", text.strip()) is not None


def _type_of_header(fields: list[str]) -> str | None:
    have = [field.strip() for field in fields]
    for name in ("klines", "aggTrades", "trades", "bookTicker", "fundingRate", "metrics"):
        layout = list(_LAYOUTS[name])
        shortest = {"aggTrades": 7, "trades": 6, "metrics": 4}.get(name, len(layout))
        cm_trades = name == "trades" and have == [*layout[:3], "base_qty", *layout[4:6]]
        if cm_trades or (len(have) >= shortest and have == layout[: len(have)]):
            return name
    return None


def _dump_type(
    path: Path, named: str | None, header: list[str] | None, width: int, options: Options
) -> str:
    folder = next((part for part in path.parts if part in _LAYOUTS), None)
    if folder is not None:
        return folder
    if width == 6 and header is None and named is None:
        raise DataError(
            f"{path.name} has 6 columns and no header: write one as its first line, e.g. "
            "time,open,high,low,close,volume"
        )
    if options.kind in ("mark", "index"):
        return f"{options.kind}PriceKlines"
    if named is not None:
        if named in _LAYOUTS:
            return named
        if named[0].isdigit():
            return "klines"
    found = _type_of_header(header) if header else None
    by_width = {12: "klines", 8: "aggTrades", 3: "fundingRate"}
    if found is None and header is None:
        wanted = {"trade": "trades", "agg_trade": "aggTrades", "quote": "bookTicker"}
        found = wanted.get(options.kind or "", by_width.get(width))
    if found is None:
        raise DataError(
            f"{path.name} has {width} columns and no name or header that tells what they are: "
            "say it with --kind (trade, agg_trade, quote, …) or give the file the venue's name"
        )
    return found


def _load(
    deposit: Deposit, csv: Path, layout: tuple[str, ...], path: Path, *, header: bool,
    fields: list[str],
) -> None:  # fmt: skip
    names = list(layout[: len(fields)])
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    quoted = str(csv).replace("'", "''")
    try:
        deposit.work.execute(
            f"CREATE OR REPLACE TABLE {TABLE} AS SELECT * FROM read_csv('{quoted}', "
            f"columns = {{{columns}}}, header = {str(header).lower()}, delim = ',')"
        )
    except duckdb.Error as error:
        reason = _odd_line(csv, len(fields)) or str(error).splitlines()[0]
        raise DataError(
            f"{path.name} cannot be read ({reason}): the file is damaged; fetch it again"
        ) from error


def _odd_line(csv: Path, columns: int) -> str:
    """What is wrong with the first line that has another number of columns; empty if none has."""
    with (gzip.open if csv.suffix == ".gz" else Path.open)(csv, "rb") as file:
        for number, line in enumerate(file, 1):
            found = line.count(b",") + 1
            if found != columns and not line.isspace():
                return f"line {number} has {found} columns where line 1 has {columns}"
    return ""


def _check_layout(layout: tuple[str, ...], path: Path, *, header: bool, fields: list[str]) -> None:
    """Refuses a file whose columns are not the layout's."""
    fewest = _FEWEST.get(layout[0], len(layout))
    if not fewest <= len(fields) <= len(layout):
        raise DataError(
            f"{path.name} has {len(fields)} columns where {len(layout)} are expected "
            f"({', '.join(layout)}): it is no such dump"
        )
    if header and fields[0].strip() not in (layout[0], "id", "open_time"):
        raise DataError(
            f"{path.name} begins with the column {fields[0].strip()!r} where {layout[0]!r} is "
            "expected: it is no such dump"
        )


def _symbol(path: Path, match: re.Match[str] | None) -> str | None:
    """The symbol, where name and folders tell both the pair and the market."""
    if match is None:
        return None
    name, _, contract = match.group("pair").partition("_")
    pair = split_pair(name)
    if pair is None:
        return None
    base, quote = pair
    parts = path.parts
    coinm = contract == "PERP" or "cm" in parts or (contract and quote == "USD")
    dated = f"-{contract}" if contract.isdigit() else ""
    if coinm:
        return f"binance:{base}/{quote}:{base}{dated}"
    if "um" in parts or contract:
        return f"binance:{base}/{quote}:{quote}{dated}"
    if "spot" in parts:
        return f"binance:{base}/{quote}"
    return None


def _store(
    path: Path, kind: str, named: str | None, options: Options, deposit: Deposit, symbol: Symbol,
    outcome: Outcome,
) -> None:  # fmt: skip
    taker = "CASE lower(\"is_buyer_maker\") WHEN 'true' THEN -1 WHEN 'false' THEN 1 ELSE 0 END"
    if kind.endswith("lines"):
        interval = options.interval or _interval(path, named)
        if kind != "klines":
            price = kind_named("mark" if kind.startswith("mark") else "index")
            columns = {"time": "open_time", "open": "open", "close": "close"}
            store_marks_from_bars(
                path.name, options, deposit, symbol, columns, outcome, kind=price, interval=interval
            )
            return
        numbers = {name: name for name in ("open", "high", "low", "close", "volume")}
        meaning = Meaning(bar_kind(interval), "open_time", numbers=numbers)
    elif kind == "aggTrades":
        ids = {
            "trade_id": "agg_trade_id",
            "first_trade_id": "first_trade_id",
            "last_trade_id": "last_trade_id",
        }
        meaning = Meaning(
            kind_named("agg_trade"), "transact_time",
            numbers={"price": "price", "qty": "quantity"}, others={"taker": taker, **ids},
        )  # fmt: skip
    elif kind == "trades":
        meaning = Meaning(
            kind_named("trade"), "time",
            numbers={"price": "price", "qty": "qty"}, others={"taker": taker, "trade_id": "id"},
        )  # fmt: skip
    elif kind == "bookTicker":
        numbers = {
            "bid_price": "best_bid_price",
            "bid_qty": "best_bid_qty",
            "ask_price": "best_ask_price",
            "ask_qty": "best_ask_qty",
        }
        others = {"update_id": "update_id"}
        meaning = Meaning(kind_named("quote"), "transaction_time", numbers=numbers, others=others)
    elif kind == "fundingRate":
        meaning = Meaning(kind_named("funding"), "calc_time", numbers={"rate": "last_funding_rate"})
    else:
        deposit.work.execute(
            f"CREATE OR REPLACE TABLE {TABLE} AS SELECT * FROM {TABLE} ORDER BY create_time"
        )
        meaning = Meaning(
            kind_named("open_interest"), "create_time", numbers={"qty": "sum_open_interest"}
        )
    store_rows(deposit, meaning, symbol, options, outcome, origin=path.name)


def _interval(path: Path, named: str | None) -> str:
    word = named if named and named[0].isdigit() else None
    word = word or next((p for p in path.parts if re.fullmatch(r"\d+[smhdw]|1mo", p)), None)
    if word is None:
        raise DataError(
            f"{path.name} does not tell the interval of its bars: add --interval, e.g. 1m"
        )
    if word == "1mo":
        raise DataError(
            f"{path.name} holds monthly bars, whose length varies: import daily bars instead"
        )
    return format_span(bar_kind(word).interval_ns)
