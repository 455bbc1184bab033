"""From a table of a source's rows to stored columns: times, exact numbers, instrument, clock.

Every importer of tables goes this way; they differ only in which column means what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
import numpy as np

from veloz.errors import DataError
from veloz.storage.clock import DEFAULT_FLOOR_NS, ClockOffset, correct
from veloz.storage.decimals import FLOAT_SCALE_MAX, ExactColumns, scaled
from veloz.storage.deposit import Deposit
from veloz.storage.instruments import Instrument
from veloz.storage.kinds import MARK_SCALE, RATE_SCALE, Kind, kind_named
from veloz.storage.symbols import Symbol, parse_symbol
from veloz.storage.times import format_span

TABLE = "source_rows"
_FEES = {"spot": ("0.001", "0.001"), "contract": ("0.0002", "0.0005")}  # Binance, no discount
_NEEDED = {"mark": ("mark",), "index": ("index",), "funding": ("rate",)}
_MINUTE = 60_000_000_000
_UNITS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


@dataclass(frozen=True)
class Options:
    """What a user says about the files to import; `None` where the file shall tell.

    Attributes:
        symbol: Whose data, e.g. `binance:BTC/USDT:USDT`.
        kind: Which kind, e.g. `trade`.
        interval: Of bars, e.g. `1m`.
        columns: Our column name → the file's.
        instruments: Units and limits that the user knows.
        time_unit: `s`, `ms`, `us` or `ns` of numeric times.
        utc_offset: Of times without one, e.g. `+08:00`; UTC by default.
        clock_floor_ns: The least latency a message can have.
        feed_latency_ns: Assumed where a source has no receive time.
        trust_clock: Believes the recorder's clock, also where it says that messages came before
            they were sent.
        replace: New rows win over stored ones.
    """

    symbol: str | None = None
    kind: str | None = None
    interval: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    instruments: tuple[Instrument, ...] = ()
    time_unit: str | None = None
    utc_offset: str = "+00:00"
    clock_floor_ns: int = DEFAULT_FLOOR_NS
    feed_latency_ns: int = 1_000_000
    trust_clock: bool = False
    replace: bool = False


@dataclass
class Outcome:
    """What an importer found in one source.

    Attributes:
        importer: Its name.
        messages: Rows or messages read.
        events: Stored events by type.
        errors: Messages that could not be read.
        books: State of each book after the last message; captures only.
        notes: What was assumed, in words.
        clock: Clock offsets per connection.
    """

    importer: str
    messages: int = 0
    events: dict[str, int] = field(default_factory=dict)
    errors: int = 0
    books: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    clock: list[ClockOffset] = field(default_factory=list)


@dataclass(frozen=True)
class Meaning:
    """How the columns of a source make the columns of a kind.

    Attributes:
        kind: What the rows are.
        time: Column of the event time, or of a bar's start; `None` if the source has none.
        received: Column of the recorder's receive time.
        numbers: Our price, quantity, mark and rate columns → the source's.
        others: Our other columns → SQL over the source's.
    """

    kind: Kind
    time: str | None
    received: str | None = None
    numbers: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)


def store_rows(
    deposit: Deposit, meaning: Meaning, symbol: Symbol, options: Options, outcome: Outcome, *,
    origin: str,
) -> None:  # fmt: skip
    """Puts the rows of the work table `TABLE` into the deposit.

    Raises:
        DataError: If a number, a time or a column is not what it should be; names the row.
    """
    kind, work = meaning.kind, deposit.work
    exact = ExactColumns(work, TABLE, origin=origin)
    _check_columns(exact, meaning, origin)
    known = resolve_instrument(deposit, symbol, options)
    prices = [c for name, c in meaning.numbers.items() if name in kind.prices]
    qtys = [c for name, c in meaning.numbers.items() if name in kind.qtys]
    scales = (
        exact.scale(prices, least=known.price_scale if known else 0),
        exact.scale(qtys, least=known.qty_scale if known else 0),
    )
    select = dict(meaning.others)
    for name, column in meaning.numbers.items():
        scale = _scale_of(kind, name, scales)
        if name not in kind.prices + kind.qtys:
            exact.scale([column], most=RATE_SCALE if scale == RATE_SCALE else FLOAT_SCALE_MAX)
        exact.check_fit(column, scale)
        select[name] = exact.integer(column, scale)
    times = SourceTimes(exact, options, origin)
    if kind.interval_ns:
        assert meaning.time is not None
        select["ts_open"] = times.ns(meaning.time)
        select["ts_close"] = f"{select['ts_open']} + {kind.interval_ns}"
    else:
        select["ts_exchange"] = times.ns(meaning.time) if meaning.time else "NULL"
        if kind.name == "funding":
            select["ts_exchange"] = _settlement(select["ts_exchange"])
        select["ts_recv"] = times.ns(meaning.received) if meaning.received else "NULL"
        select["ts_feed"] = "NULL"
    names = ", ".join(f'CAST({select.get(n, "0")} AS BIGINT) AS "{n}"' for n in kind.columns)
    work.execute(
        f"CREATE OR REPLACE TEMP TABLE ready AS SELECT {names} FROM {TABLE} ORDER BY rowid"
    )
    if not kind.interval_ns:
        stamp_rows(deposit, options, outcome, origin=origin)
    settle_instrument(deposit, symbol, kind, scales, known=known)
    deposit.add_query(str(symbol), kind.name, "SELECT * FROM ready ORDER BY rowid", scales=scales)
    count = work.execute("SELECT count(*) FROM ready").fetchone()
    assert count is not None
    outcome.messages += count[0]
    outcome.events[kind.name] = outcome.events.get(kind.name, 0) + count[0]


def stamp_rows(deposit: Deposit, options: Options, outcome: Outcome, *, origin: str) -> None:
    """Fills the times that the rows of `ready` lack, by the stated models."""
    work = deposit.work
    if options.trust_clock:
        work.execute("UPDATE ready SET ts_feed = ts_recv")
    else:
        found = correct(work, ["ready"], connection=origin, floor_ns=options.clock_floor_ns)
        outcome.clock.extend([found] if found is not None else [])
    fill_times(work, "ready", options, outcome)
    row = work.execute("SELECT min(rowid) + 1 FROM ready WHERE ts_feed IS NULL").fetchone()
    if row and row[0] is not None:
        raise DataError(f"{origin} has no time in row {row[0]}: repair or remove the row")


def fill_times(
    work: duckdb.DuckDBPyConnection, table: str, options: Options, outcome: Outcome
) -> None:
    """Gives rows without a receive time or an exchange time the modelled one, and says so."""
    lacking = work.execute(
        "SELECT count(*) FILTER (ts_recv IS NULL), count(*) FILTER (ts_exchange IS NULL) "
        f"FROM {table}"
    ).fetchone()
    assert lacking is not None
    if lacking[0]:
        span = format_span(options.feed_latency_ns)
        outcome.notes.append(f"no receive time in {lacking[0]} rows: exchange time + {span}")
    if lacking[1]:
        span = format_span(options.clock_floor_ns)
        outcome.notes.append(f"no exchange time in {lacking[1]} rows: receive time - {span}")
    work.execute(
        f"UPDATE {table} SET ts_feed = ts_exchange + {options.feed_latency_ns} "
        "WHERE ts_feed IS NULL"
    )
    work.execute(
        f"UPDATE {table} SET ts_exchange = ts_feed - {options.clock_floor_ns} "
        "WHERE ts_exchange IS NULL"
    )


def resolve_instrument(deposit: Deposit, symbol: Symbol, options: Options) -> Instrument | None:
    """The instrument that a user's file or the catalogue knows; the user's goes first."""
    for given in options.instruments:
        if given.symbol == str(symbol):
            deposit.instruments.put(given)
    return deposit.instruments.at(str(symbol))


def settle_instrument(
    deposit: Deposit, symbol: Symbol, kind: Kind, scales: tuple[int, int], *,
    known: Instrument | None,
) -> None:  # fmt: skip
    """Infers tick and lot from the rows of `ready` where nobody said them."""
    if known is not None and known.origin != "inferred":
        return
    tick, lot = _step(deposit, kind.prices), _step(deposit, kind.qtys)
    fresh = inferred_instrument(symbol).with_scales(*scales)
    merge_inferred(
        deposit,
        replace(
            fresh,
            tick=tick or fresh.tick,
            lot=lot or fresh.lot,
            origin_note=_seen(tick, lot),
        ),
    )


def merge_inferred(deposit: Deposit, found: Instrument) -> None:
    """Puts an instrument into the table; of two inferred ones the finer steps hold.

    A stated instrument replaces an inferred one, never the other way.
    """
    known = deposit.instruments.at(found.symbol)
    if found.origin != "inferred" or known is None:
        deposit.instruments.put(found)
        return
    if known.origin != "inferred":
        return
    scales = (max(known.price_scale, found.price_scale), max(known.qty_scale, found.qty_scale))
    known, found = known.with_scales(*scales), found.with_scales(*scales)
    deposit.instruments.put(
        replace(
            found,
            tick=_finer(known.tick, found.tick, known, found, "price"),
            lot=_finer(known.lot, found.lot, known, found, "qty"),
            origin_note=_seen(
                int("price" in known.origin_note + found.origin_note),
                int("qty" in known.origin_note + found.origin_note),
            ),
        )
    )


def inferred_instrument(symbol: Symbol) -> Instrument:
    """What a symbol alone tells: contract size and fees by the venue's published rules."""
    face, fees = 1, _FEES["spot" if symbol.market == "spot" else "contract"]
    if symbol.market == "inverse":
        face = 100 if symbol.base == "BTC" else 10  # COIN-M: 100 USD for BTC, 10 USD for others
    return Instrument(
        symbol=str(symbol),
        venue_symbol=venue_symbol(symbol),
        price_scale=0,
        qty_scale=0,
        tick=1,
        lot=1,
        multiplier=face,
        maker_fee=scaled(fees[0], RATE_SCALE),
        taker_fee=scaled(fees[1], RATE_SCALE),
        origin="inferred",
        origin_note="",
    )


def venue_symbol(symbol: Symbol) -> str:
    """The venue's own string, by the rule that most venues share."""
    text = symbol.base + symbol.quote
    if symbol.expiry:
        return f"{text}_{symbol.expiry}"
    return f"{text}_PERP" if symbol.market == "inverse" else text


def need_symbol(options: Options, origin: str, found: str | None = None) -> Symbol:
    """The symbol that the user or the file's own name gives.

    Raises:
        DataError: If neither does.
    """
    if options.symbol is not None:
        return parse_symbol(options.symbol)
    if found is None:
        raise DataError(
            f"{origin} does not say whose data it holds: add --symbol, e.g. "
            "--symbol binance:BTC/USDT:USDT for the linear perpetual, binance:BTC/USDT for spot"
        )
    return parse_symbol(found)


class SourceTimes:
    """Time columns of a source as nanoseconds, whatever their type."""

    def __init__(self, exact: ExactColumns, options: Options, origin: str) -> None:
        """Takes the table from `exact`."""
        self._exact = exact
        self._options = options
        self._origin = origin

    def ns(self, column: str) -> str:
        """SQL that gives a column in ns since the epoch, UTC; null stays null.

        Raises:
            DataError: If the column holds something else than times.
        """
        kind = self._exact.types[column]
        name = f'"{column}"'
        if kind.startswith("TIMESTAMP WITH"):
            return f"epoch_ns({name})"
        if kind.startswith(("TIMESTAMP", "DATE")):
            return f"(epoch_ns(CAST({name} AS TIMESTAMP_NS)) - {self._shift_ns()})"
        if kind == "VARCHAR":
            return self._text(column)
        if kind in ("DOUBLE", "FLOAT"):
            unit = self._unit(column, name)
            return f"CAST(round({name} * {unit / 1000}) AS BIGINT) * 1000"
        return f"CAST({name} AS BIGINT) * {self._unit(column, name)}"

    def _text(self, column: str) -> str:
        name = f'"{column}"'
        total, whole = self._row(
            f"SELECT count(*), count(TRY_CAST({name} AS BIGINT)) FROM {TABLE} "
            f"WHERE {name} IS NOT NULL"
        )
        if total == whole:
            number = f"CAST({name} AS BIGINT)"
            return f"{number} * {self._unit(column, number)}"
        # A text without an offset gets the user's; one with an offset keeps its own.
        has_offset = f"regexp_matches({name}, '(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$') AND " + (
            f"contains({name}, ':')"
        )
        aware = (
            f"CASE WHEN {has_offset} THEN {name} ELSE {name} || '{self._options.utc_offset}' END"
        )
        moment = f"TRY_CAST({self._padded(aware)} AS TIMESTAMPTZ)"
        bad = self._exact_first(f"{name} IS NOT NULL AND {moment} IS NULL")
        if bad:
            raise DataError(
                f"{self._origin} has {bad[1]!r} in column {column!r} of row {bad[0]}, which is no "
                "time: write 2024-08-08T23:55:00 in UTC or with an offset, or integers since 1970"
            )
        return f"epoch_ns({moment})"

    def _padded(self, aware: str) -> str:
        """A bare day is its midnight."""
        day = "^([0-9]{4}-[0-9]{2}-[0-9]{2})([+-].*)$"
        return f"regexp_replace({aware}, '{day}', '\\1 00:00:00\\2')"

    def _exact_first(self, condition: str) -> tuple[int, str] | None:
        column = condition.split('"')[1]
        row = self._exact.connection.execute(
            f'SELECT rowid + 1, "{column}" FROM {TABLE} WHERE {condition} ORDER BY rowid LIMIT 1'
        ).fetchone()
        return (row[0], row[1]) if row else None

    def _shift_ns(self) -> int:
        sign = -1 if self._options.utc_offset.startswith("-") else 1
        hours, minutes = self._options.utc_offset.lstrip("+-").split(":")
        return sign * (int(hours) * 3600 + int(minutes) * 60) * 1_000_000_000

    def _unit(self, column: str, number: str) -> int:
        """Nanoseconds per unit: told by the user, by the column's name, or by magnitude."""
        if self._options.time_unit is not None:
            return _UNITS[self._options.time_unit]
        for unit in ("ns", "us", "ms"):
            if column.endswith(f"_{unit}"):
                return _UNITS[unit]
        (middle,) = self._row(f"SELECT CAST(median({number}) AS DOUBLE) FROM {TABLE}")
        size = abs(middle or 0)
        # Seconds, ms, us and ns of the years 1973 to 2286 do not overlap.
        for limit, unit in ((1e11, "s"), (1e14, "ms"), (1e17, "us")):
            if size < limit:
                return _UNITS[unit]
        return 1

    def _row(self, query: str) -> tuple[Any, ...]:
        row = self._exact.connection.execute(query).fetchone()
        assert row is not None
        return row


def _check_columns(exact: ExactColumns, meaning: Meaning, origin: str) -> None:
    count = exact.connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone()
    if count is None or count[0] == 0:
        raise DataError(f"{origin} holds no rows: check that the download or export was complete")
    _check_kind(meaning, origin)
    wanted = [*meaning.numbers.values(), meaning.time, meaning.received]
    for column in wanted:
        if column is not None and column not in exact.types:
            have = ", ".join(exact.types)
            raise DataError(
                f"{origin} has no column {column!r}, only {have}: "
                "say which column it is with --column ours=theirs, e.g. --column open=Open"
            )


def _check_kind(meaning: Meaning, origin: str) -> None:
    """Refuses a kind that the user chose for columns that mean something else."""
    kind = meaning.kind
    needed = kind.prices + kind.qtys + _NEEDED.get(kind.name, ())
    lacking = [name for name in needed if name not in meaning.numbers]
    strange = [name for name in meaning.numbers if name not in kind.columns]
    if lacking or strange:
        why = f"lacks {', '.join(lacking)}" if lacking else f"has {', '.join(strange)}"
        raise DataError(
            f"{origin} cannot be {kind.name}: it {why}; leave --kind away, or name the columns "
            "with --column ours=theirs"
        )


def _scale_of(kind: Kind, name: str, scales: tuple[int, int]) -> int:
    if name in kind.prices:
        return scales[0]
    if name in kind.qtys:
        return scales[1]
    return RATE_SCALE if name in ("rate", "funding_rate") else MARK_SCALE


def _settlement(time: str) -> str:
    """Venues report a settlement some ms after its instant, which is the whole minute before."""
    past = f"({time}) % {_MINUTE}"
    return f"{time} - CASE WHEN {past} < {_UNITS['s']} THEN {past} ELSE 0 END"


def _step(deposit: Deposit, columns: tuple[str, ...]) -> int:
    """The largest step that all values of the columns are multiples of; 0 if there are none."""
    step = 0
    for column in columns:
        values = deposit.work.execute(
            f'SELECT DISTINCT abs("{column}") AS v FROM ready WHERE "{column}" <> 0'
        ).fetchnumpy()["v"]
        if len(values):
            step = int(np.gcd(step, int(np.gcd.reduce(values))))
    return step


def _finer(have: int, seen: int, known: Instrument, found: Instrument, what: str) -> int:
    """The step of two sources of which maybe one has seen none."""
    if what not in known.origin_note:
        return seen
    return have if what not in found.origin_note else int(np.gcd(have, seen))


def _seen(tick: int, lot: int) -> str:
    words = ["price"] * bool(tick) + ["qty"] * bool(lot)
    return f"steps of {' and '.join(words)} seen in the data" if words else "nothing seen"


def shape_of(options: Options, default: str) -> Kind:
    """The kind that the user chose, or the one that the file's columns mean."""
    return kind_named(options.kind or default)
