"""Tables with named columns: Parquet and CSV of bars, trades, quotes, depth, marks and funding.

The columns say what the rows are; `--kind` and `--column ours=theirs` say it where they do not.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import duckdb

from veloz.errors import DataError
from veloz.storage.decimals import ExactColumns
from veloz.storage.deposit import Deposit
from veloz.storage.importers.source_rows import (
    TABLE,
    Meaning,
    Options,
    Outcome,
    SourceTimes,
    need_symbol,
    shape_of,
    store_rows,
)
from veloz.storage.kinds import (
    TICK_BUY,
    TICK_CLEAR,
    TICK_LAST,
    Kind,
    bar_kind,
    kind_named,
)
from veloz.storage.symbols import Symbol
from veloz.storage.times import format_span

# Our word → the spellings found in the wild, lower case.
_SPELLINGS = {
    "time": (
        "ts_ns", "ts_open", "open_time", "ts_exchange", "ts", "time", "timestamp", "datetime",
        "date", "opentime", "unix", "unix_timestamp", "funding_time", "fundingtime", "calc_time",
    ),
    "received": ("recv_ns", "ts_recv", "local_timestamp", "received"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "v", "vol", "base_volume", "volume_base"),
    "price": ("price", "px"),
    "qty": ("qty", "quantity", "size", "amount"),
    "side": ("side",),
    "buyer_is_maker": ("is_buyer_maker", "isbuyermaker", "m"),
    "trade_id": ("trade_id", "id", "tradeid"),
    "bid_price": ("bid", "bid_price", "best_bid_price"),
    "bid_qty": ("bid_qty", "bid_size", "bid_amount", "best_bid_qty"),
    "ask_price": ("ask", "ask_price", "best_ask_price"),
    "ask_qty": ("ask_qty", "ask_size", "ask_amount", "best_ask_qty"),
    "update_id": ("update_id",),
    "first_id": ("first_id", "first_update_id"),
    "final_id": ("final_id", "last_update_id"),
    "prev_id": ("prev_id", "pu"),
    "is_snapshot": ("is_snapshot", "update_type"),
    "mark": ("mark_price", "mark"),
    "index": ("index_price",),
    "settle": ("est_settle_price",),
    "funding_rate": ("funding_rate", "last_funding_rate", "fundingrate"),
    "next_funding": ("next_funding_ms", "next_funding_ns"),
}  # fmt: skip

_MARKETS = {
    "spot": "{base}/{quote}",
    "usdm": "{base}/{quote}:{quote}",
    "linear": "{base}/{quote}:{quote}",
    "swap": "{base}/{quote}:{quote}",
    "coinm": "{base}/{quote}:{base}",
}
QUOTES = (
    "FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USDP", "USD1", "USD", "BTC", "ETH", "BNB", "EUR",
    "GBP", "TRY", "BRL", "JPY", "AUD", "RUB", "DAI", "UAH", "NGN", "ZAR", "PLN", "ARS", "MXN",
)  # fmt: skip


def read_table(path: Path, options: Options, deposit: Deposit) -> Outcome:
    """Reads a Parquet or CSV file with named columns.

    Raises:
        DataError: If the file is damaged or its columns do not say what it holds.
    """
    load_file(path, deposit)
    return store_named_columns(path.name, options, deposit, symbol_hint=symbol_from_path(path))


def load_file(path: Path, deposit: Deposit) -> None:
    """Loads a file into the work table as it is; CSV as text.

    Raises:
        DataError: If the file is damaged.
    """
    quoted = str(path).replace("'", "''")
    if ".parquet" in path.suffixes:
        source = f"read_parquet('{quoted}')"
    else:
        source = f"read_csv('{quoted}', all_varchar = true, header = true)"
    try:
        deposit.work.execute(f"CREATE OR REPLACE TABLE {TABLE} AS SELECT * FROM {source}")
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{path} cannot be read ({reason}): the file is damaged or of another kind; "
            "fetch it again"
        ) from error


def store_named_columns(
    origin: str, options: Options, deposit: Deposit, *, symbol_hint: str | None
) -> Outcome:
    """Stores the work table by the names of its columns."""
    columns = [row[0] for row in deposit.work.execute(f"DESCRIBE {TABLE}").fetchall()]
    for column in columns:
        if '"' in column:
            raise DataError(f"{origin} has a column named {column!r}: rename it without the quote")
    for ours, theirs in options.columns.items():
        if theirs not in columns:
            raise DataError(
                f"{origin} has no column {theirs!r} (for {ours}), only {', '.join(columns)}: "
                "correct --column"
            )
        if ours not in _SPELLINGS:
            raise DataError(f"--column knows no {ours!r}: ours are {', '.join(sorted(_SPELLINGS))}")
    named = {**_by_spelling(columns), **options.columns}
    symbol = need_symbol(options, origin, symbol_hint)
    if "volume" not in named:  # "Volume BTC": vendors name the asset where they give both volumes
        named |= _by_spelling(columns, {"volume": (f"volume_{symbol.base.lower()}",)})
    outcome = Outcome("table")
    if {"open", "high", "low", "close"} <= named.keys():
        _store_bars(origin, options, deposit, symbol, named, outcome)
        return outcome
    meaning = _event_meaning(origin, options, deposit, named, columns)
    store_rows(deposit, meaning, symbol, options, outcome, origin=origin)
    return outcome


def interval_of(origin: str, options: Options, deposit: Deposit, time: str) -> str:
    """The interval of bars: told, in the file's name, or the step between most rows.

    Of steps that are equally frequent it is the shortest: longer ones are holes.

    Raises:
        DataError: If none of these tells.
    """
    if options.interval is not None:
        return options.interval
    match = re.search(r"[-_](\d+(?:s|m|h|d|w))(?=[-_.])", origin)
    if match:
        return match.group(1)
    moment = SourceTimes(ExactColumns(deposit.work, TABLE, origin=origin), options, origin).ns(time)
    # Newest first is as good an order as oldest first.
    row = deposit.work.execute(
        f"SELECT step FROM (SELECT abs({moment} - lag({moment}) OVER (ORDER BY rowid)) "
        f"AS step FROM {TABLE}) WHERE step > 0 GROUP BY step ORDER BY count(*) DESC, step LIMIT 1"
    ).fetchone()
    if row is None or row[0] is None:
        raise DataError(f"{origin} does not tell the interval of its bars: add --interval, e.g. 1m")
    return format_span(row[0])


def symbol_from_path(path: Path) -> str | None:
    """The symbol that a path such as `binance_usdm/BTCUSDT_1m.parquet` tells."""
    venue, _, market = path.parent.name.partition("_")
    word = re.match(r"([A-Z0-9]+)(?:-([A-Z0-9]+))?", path.name)
    if word is None:
        return None
    if venue == "coinbase":
        market = "spot"
    if market not in _MARKETS:
        return None
    pair = word.groups() if word.group(2) else split_pair(word.group(1))
    if pair is None:
        return None
    return f"{venue}:{_MARKETS[market].format(base=pair[0], quote=pair[1])}"


def split_pair(text: str) -> tuple[str, str] | None:
    """Base and quote of a venue string such as `BTCUSDT`; `None` if no known quote ends it."""
    for quote in QUOTES:
        if text.endswith(quote) and len(text) > len(quote):
            return text.removesuffix(quote), quote
    return None


def store_marks_from_bars(
    origin: str, options: Options, deposit: Deposit, symbol: Symbol, named: dict[str, str],
    outcome: Outcome, *, kind: Kind, interval: str,
) -> None:  # fmt: skip
    """Stores mark or index candles as events: each open at its time, and a close before a hole.

    The extremes inside a candle have no time and are left out.
    """
    span = bar_kind(interval).interval_ns
    work = deposit.work
    moment = SourceTimes(ExactColumns(work, TABLE, origin=origin), options, origin).ns(
        named["time"]
    )
    work.execute(
        f"CREATE OR REPLACE TABLE points AS SELECT moment, price FROM ("
        f'SELECT {moment} AS moment, "{named["open"]}" AS price, rowid AS r, 0 AS p FROM {TABLE} '
        f'UNION ALL SELECT {moment} + {span}, "{named["close"]}", rowid, 1 FROM {TABLE} '
        f"WHERE {moment} + {span} NOT IN (SELECT {moment} FROM {TABLE})) ORDER BY r, p"
    )
    work.execute(f"DROP TABLE {TABLE}")
    work.execute(f"ALTER TABLE points RENAME TO {TABLE}")
    column = "mark" if kind.name == "mark" else "index"
    meaning = Meaning(kind, "moment", numbers={column: "price"})
    outcome.notes.append(f"{kind.name} events are the opens of {interval} candles")
    in_ns = replace(options, time_unit="ns")
    store_rows(deposit, meaning, symbol, in_ns, outcome, origin=origin)


def _by_spelling(
    columns: list[str], known: dict[str, tuple[str, ...]] = _SPELLINGS
) -> dict[str, str]:
    lower = {
        re.sub(r"[ ()]+", "_", column.strip().lower()).strip("_"): column for column in columns
    }
    return {
        ours: lower[spelling]
        for ours, spellings in reversed(known.items())
        for spelling in reversed(spellings)
        if spelling in lower
    }


def _store_bars(
    origin: str, options: Options, deposit: Deposit, symbol: Symbol, named: dict[str, str],
    outcome: Outcome,
) -> None:  # fmt: skip
    if "time" not in named:
        raise DataError(
            f"{origin} has no column for the time of its bars: add --column time=THEIRS"
        )
    interval = interval_of(origin, options, deposit, named["time"])
    _turn_round(origin, options, deposit, named["time"], outcome)
    kind = shape_of(options, f"bar_{format_span(bar_kind(interval).interval_ns)}")
    if options.kind is None and "_mark" in origin and "volume" not in named:
        kind = kind_named("mark")
    if kind.name in ("mark", "index"):
        store_marks_from_bars(
            origin, options, deposit, symbol, named, outcome, kind=kind, interval=interval
        )
        return
    for column in ("volume",):
        if column not in named:
            raise DataError(
                f"{origin} has no column for {column}: add --column {column}=THEIRS, "
                "or --kind mark or index if these are mark or index prices"
            )
    numbers = {name: named[name] for name in ("open", "high", "low", "close", "volume")}
    store_rows(
        deposit, Meaning(kind, named["time"], numbers=numbers), symbol, options, outcome,
        origin=origin,
    )  # fmt: skip


def _turn_round(
    origin: str, options: Options, deposit: Deposit, time: str, outcome: Outcome
) -> None:
    """Puts bars that stand newest first, as some vendors write them, into the order of time."""
    work = deposit.work
    moment = SourceTimes(ExactColumns(work, TABLE, origin=origin), options, origin).ns(time)
    steps = work.execute(
        "SELECT count(*) FILTER (step < 0), count(*) FILTER (step >= 0) FROM (SELECT "
        f"{moment} - lag({moment}) OVER (ORDER BY rowid) AS step FROM {TABLE})"
    ).fetchone()
    if steps and steps[0] > 0 and steps[1] == 0:
        work.execute(f"CREATE TABLE turned AS SELECT * FROM {TABLE} ORDER BY rowid DESC")
        work.execute(f"DROP TABLE {TABLE}")
        work.execute(f"ALTER TABLE turned RENAME TO {TABLE}")
        outcome.notes.append("the file is newest first: its rows are counted from its end")


def _event_meaning(
    origin: str, options: Options, deposit: Deposit, named: dict[str, str], columns: list[str]
) -> Meaning:
    """What rows without open, high, low and close are."""
    received = named.get("received")
    time = named.get("time")
    have = named.keys()

    def number(ours: str) -> str:
        return f'coalesce(TRY_CAST("{named[ours]}" AS BIGINT), 0)' if ours in named else "0"

    if {"bid_price", "ask_price", "bid_qty", "ask_qty"} <= have:
        names = ("bid_price", "bid_qty", "ask_price", "ask_qty")
        numbers = {name: named[name] for name in names}
        others = {"update_id": number("update_id")}
        if time is not None and not _any(deposit, time):
            time = None
        return Meaning(shape_of(options, "quote"), time, received, numbers, others)
    if {"price", "qty", "side"} <= have and have & {"final_id", "is_snapshot"}:
        return _depth_meaning(options, named, time, received)
    if {"price", "qty"} <= have:
        taker = "0"
        if "side" in named:
            _refuse_levels(origin, deposit, named["side"])
            side = f'lower(CAST("{named["side"]}" AS VARCHAR))'
            taker = f"CASE {side} WHEN 'buy' THEN 1 WHEN 'b' THEN 1 WHEN 'sell' THEN -1 "
            taker += "WHEN 's' THEN -1 ELSE 0 END"
        elif "buyer_is_maker" in named:
            maker = f'lower(CAST("{named["buyer_is_maker"]}" AS VARCHAR))'
            taker = f"CASE {maker} WHEN 'true' THEN -1 WHEN 'false' THEN 1 ELSE 0 END"
        numbers = {"price": named["price"], "qty": named["qty"]}
        others = {"taker": taker, "trade_id": number("trade_id")}
        return Meaning(shape_of(options, "trade"), time, received, numbers, others)
    if {"mark", "funding_rate"} <= have:
        given = {n: named[n] for n in ("mark", "index", "settle", "funding_rate") if n in named}
        scale = 1 if named.get("next_funding", "").endswith("_ns") else 1_000_000
        others = {"next_funding_ns": f"{number('next_funding')} * {scale}"}
        return Meaning(shape_of(options, "mark"), time, received, given, others)
    if {"funding_rate", "time"} <= have:
        given = {"rate": named["funding_rate"]}
        given |= {"mark": named["mark"]} if "mark" in named else {}
        return Meaning(shape_of(options, "funding"), time, received, given)
    raise DataError(
        f"the columns of {origin} ({', '.join(columns)}) are no bars, trades, quotes, depth, marks "
        "or funding: name them with --column ours=theirs, e.g. --column open=Open"
    )


def _depth_meaning(
    options: Options, named: dict[str, str], time: str | None, received: str | None
) -> Meaning:
    """Level changes: rows of one message share their ids, or their times; its last row ends it."""
    if "final_id" in named:
        ids = ", ".join(f'"{named[name]}"' for name in ("final_id", "is_snapshot") if name in named)
        message = f"(PARTITION BY {ids} ORDER BY rowid)"
        is_last, is_first = f"lead(1) OVER {message} IS NULL", f"lag(1) OVER {message} IS NULL"
    else:
        of_message = (named["is_snapshot"], time, received)
        key = "concat_ws('|', " + ", ".join(f'"{name}"' for name in of_message if name) + ")"
        is_last = f"lead({key}) OVER (ORDER BY rowid) IS DISTINCT FROM {key}"
        is_first = f"lag({key}) OVER (ORDER BY rowid) IS DISTINCT FROM {key}"
    ends = f"CASE WHEN {is_last} THEN {TICK_LAST} ELSE 0 END"
    side = f'lower(CAST("{named["side"]}" AS VARCHAR))'
    bid = f"CASE WHEN {side} IN ('bid', 'bids', 'buy', 'b') THEN {TICK_BUY} ELSE 0 END"
    clear = "0"
    if "is_snapshot" in named:
        whole = f'lower(CAST("{named["is_snapshot"]}" AS VARCHAR))'
        starts = f"{whole} IN ('true', '1', 't', 'snap', 'snapshot') AND {is_first}"
        clear = f"CASE WHEN {starts} THEN {TICK_CLEAR} ELSE 0 END"
    others = {"flags": f"{ends} + {bid} + {clear}"}
    for name in ("first_id", "final_id", "prev_id"):
        if name in named:
            others[name] = f'coalesce(TRY_CAST("{named[name]}" AS BIGINT), 0)'
    numbers = {"price": named["price"], "qty": named["qty"]}
    return Meaning(shape_of(options, "tick"), time, received, numbers, others)


def _refuse_levels(origin: str, deposit: Deposit, side: str) -> None:
    """Refuses levels of a book that nothing joins to messages: as trades they would be fiction."""
    found = deposit.work.execute(
        f'SELECT min("{side}") FROM {TABLE} WHERE lower(CAST("{side}" AS VARCHAR)) '
        "IN ('bid', 'ask', 'bids', 'asks', 'a')"
    ).fetchone()
    if found and found[0] is not None:
        raise DataError(
            f"{origin} has sides such as {found[0]!r}: levels of a book, with nothing that tells "
            "snapshots from changes; name such columns with --column is_snapshot=… or final_id=…"
        )


def _any(deposit: Deposit, column: str) -> bool:
    row = deposit.work.execute(f'SELECT count("{column}") FROM {TABLE}').fetchone()
    return row is not None and row[0] > 0
