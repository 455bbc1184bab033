"""Puts the rows of one source into a catalogue, merged with what is there.

Rows are kept as the source has them, also double ones and those out of order: `veloz data check`
shall find them. A row that another source already gave is not stored twice; if the two disagree,
the import stops, unless it was told to replace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from veloz.errors import DataError
from veloz.storage.catalogue import INSTRUMENTS
from veloz.storage.instruments import InstrumentTable, table_of_json
from veloz.storage.kinds import Kind, kind_named
from veloz.storage.series import (
    INDEX,
    NO_TIME,
    PART_ROWS,
    Columns,
    Index,
    Part,
    Source,
    read_index,
    read_parts,
    series_folder,
    write_part,
)
from veloz.storage.symbols import parse_symbol
from veloz.storage.times import NS_PER_DAY, format_time, parse_time
from veloz.storage.transaction import Transaction

EARLIEST = parse_time("2009-01-03")  # nothing was traded before the first block
LATEST = parse_time("2100-01-01")


@dataclass(frozen=True)
class Stored:
    """What became of one series of a source.

    Attributes:
        symbol: Whose.
        kind: Which.
        rows: Rows of the source.
        already: Of them, rows that another source had given before.
        first: Time of the first row, ns.
        last: Time of the last row, ns.
    """

    symbol: str
    kind: str
    rows: int
    already: int
    first: int
    last: int


@dataclass
class _Pending:
    kind: Kind
    table: str
    scales: tuple[int, int]
    rows: int = 0


class Deposit:
    """Collects the rows of one source, then writes them into a transaction."""

    def __init__(self, change: Transaction) -> None:
        """Opens a work database in the transaction's scratch folder."""
        self._change = change
        self._work = duckdb.connect(str(change.scratch / "rows.duckdb"))
        self._work.execute("SET enable_progress_bar = false")
        self._work.execute(f"SET temp_directory = '{change.scratch}'")
        self._work.execute("SET memory_limit = '1GB'")
        self._pending: dict[tuple[str, str], _Pending] = {}
        path = change.root / INSTRUMENTS
        self.instruments = (
            table_of_json(path.read_text(encoding="utf-8")) if path.exists() else InstrumentTable()
        )

    @property
    def work(self) -> duckdb.DuckDBPyConnection:
        """The work database, for importers that let DuckDB read the source."""
        return self._work

    def add(self, symbol: str, kind: str, columns: Columns, *, scales: tuple[int, int]) -> None:
        """Adds rows, in the order of the source.

        Args:
            symbol: Whose.
            kind: Which.
            columns: All columns of the kind; `NO_TIME` where there is no raw receive time.
            scales: Decimals of prices and of quantities, the same in every call for a series.
        """
        self._work.register("given", columns)
        try:
            self.add_query(symbol, kind, "SELECT * FROM given", scales=scales)
        finally:
            self._work.unregister("given")

    def add_query(self, symbol: str, kind: str, query: str, *, scales: tuple[int, int]) -> None:
        """Adds the rows of a query on `work`, in its order; see `add`."""
        shape = kind_named(kind)
        pending = self._pending.get((symbol, kind))
        names = ", ".join(f'"{name}"' for name in shape.columns)
        if pending is None:
            table = f"rows_{len(self._pending)}"
            types = ", ".join(f'"{name}" BIGINT' for name in (*shape.columns, "seq"))
            self._work.execute(f"CREATE TABLE {table} ({types})")
            pending = self._pending[symbol, kind] = _Pending(shape, table, scales)
        assert pending.scales == scales
        added = self._work.execute(
            f"INSERT INTO {pending.table} SELECT {names}, "
            f"{pending.rows} + row_number() OVER () - 1 FROM ({query})"
        ).fetchone()
        pending.rows += added[0] if added else 0

    def finish(self, source: Source, *, replace: bool = False) -> list[Stored]:
        """Stages the merged files and the instruments; the caller commits.

        Raises:
            DataError: If a time is implausible, or rows contradict stored ones.
        """
        stored = []
        for (symbol, kind), pending in sorted(self._pending.items()):
            if pending.rows:
                self.instruments.grow(symbol, *pending.scales)
                stored.append(self._merge(symbol, kind, pending, source, replace=replace))
        self._change.write(INSTRUMENTS, self.instruments.to_json())
        self._work.close()
        return stored

    def _merge(
        self, symbol: str, kind: str, pending: _Pending, source: Source, *, replace: bool
    ) -> Stored:
        shape, table = pending.kind, pending.table
        first, last = self._span(shape, pending, source)
        folder = series_folder(parse_symbol(symbol), shape)
        path = self._change.root / folder / INDEX
        index = read_index(path) if path.exists() else Index(symbol, kind)
        number = len(index.sources)
        self._work.execute(f"ALTER TABLE {table} ADD COLUMN source BIGINT DEFAULT {number}")
        touched = self._touched(index, shape, table)
        already = 0
        if touched:
            pending.scales = self._load(index, pending, touched)
            already = self._reconcile(symbol, pending, number, index, replace=replace)
        rows = pending.rows
        if already < rows:
            parts = list(self._write(folder, pending))
            gone = {part.name for part in touched}
            for name in gone:
                self._change.delete(str(folder / name))
            kept = [part for part in index.parts if part.name not in gone]
            index.parts = sorted([*kept, *parts], key=lambda part: (part.first, part.name))
            index.sources.append(source)
            self._change.write(str(folder / INDEX), index.to_json())
        return Stored(symbol, kind, rows, already, first, last)

    def _span(self, shape: Kind, pending: _Pending, source: Source) -> tuple[int, int]:
        first, last = self._one(f"SELECT min({shape.time}), max({shape.time}) FROM {pending.table}")
        for time in (first, last):
            if not EARLIEST <= time < LATEST:
                raise DataError(
                    f"{source.name} holds the time {format_time(time)}, which cannot be: "
                    "say the unit of its times with --time-unit (s, ms, us or ns)"
                )
        return first, last

    def _touched(self, index: Index, shape: Kind, table: str) -> list[Part]:
        days = [
            row[0]
            for row in self._work.execute(
                f"SELECT DISTINCT {shape.time} // {NS_PER_DAY} FROM {table}"
            ).fetchall()
        ]
        periods = {_period(day, shape) for day in days}
        return [part for part in index.parts if part.name.rsplit("-", 1)[0] in periods]

    def _load(self, index: Index, pending: _Pending, touched: list[Part]) -> tuple[int, int]:
        """Adds stored rows of the touched periods to the work table; gives the common scales."""
        shape, table = pending.kind, pending.table
        scales = (
            max([pending.scales[0], *(part.price_scale for part in touched)]),
            max([pending.scales[1], *(part.qty_scale for part in touched)]),
        )
        self._rescale(table, shape, pending.scales, scales, "")
        select = {name: f'"{name}"' for name in shape.stored}
        folder = self._change.root / index.folder
        for part in touched:
            self._work.register("stored", read_parts(self._work, folder, [part], select=select))
            self._work.execute("CREATE OR REPLACE TEMP TABLE moved AS SELECT * FROM stored")
            self._work.unregister("stored")
            self._rescale("moved", shape, (part.price_scale, part.qty_scale), scales, "")
            self._work.execute(f"INSERT INTO {table} BY NAME SELECT * FROM moved")
        return scales

    def _rescale(
        self, table: str, shape: Kind, have: tuple[int, int], want: tuple[int, int], where: str
    ) -> None:
        for names, old, new in ((shape.prices, have[0], want[0]), (shape.qtys, have[1], want[1])):
            if new > old:
                changes = ", ".join(f'"{name}" = "{name}" * {10 ** (new - old)}' for name in names)
                self._work.execute(f"UPDATE {table} SET {changes} {where}")

    def _reconcile(
        self, symbol: str, pending: _Pending, number: int, index: Index, *, replace: bool
    ) -> int:
        """Compares new rows with stored ones; gives how many were there already."""
        shape, table = pending.kind, pending.table
        if not shape.key:
            return self._reconcile_ranges(symbol, pending, number, index, replace=replace)
        same_key = " AND ".join(f'n."{name}" = o."{name}"' for name in shape.key)
        named = " AND ".join(f'n."{name}" <> 0' for name in shape.key)
        pair = f"n.source = {number} AND o.source <> {number} AND {same_key} AND {named}"
        if replace:
            self._work.execute(f"DELETE FROM {table} o USING {table} n WHERE {pair}")
            return 0
        differs = " OR ".join(f'n."{name}" <> o."{name}"' for name in shape.values)
        clash = self._work.execute(
            f"SELECT n.{shape.time}, o.source FROM {table} n, {table} o "
            f"WHERE {pair} AND ({differs}) ORDER BY n.seq LIMIT 1"
        ).fetchone()
        if clash:
            raise DataError(
                f"the {shape.name} of {symbol} at {format_time(clash[0])} differs from the one "
                f"that {index.sources[clash[1]].name} gave: use --replace to take the new one"
            )
        before = self._one(f"SELECT count(*) FROM {table}")[0]
        self._work.execute(f"DELETE FROM {table} n USING {table} o WHERE {pair}")
        return before - self._one(f"SELECT count(*) FROM {table}")[0]

    def _reconcile_ranges(
        self, symbol: str, pending: _Pending, number: int, index: Index, *, replace: bool
    ) -> int:
        """For rows without a name: two sources may not cover the same time."""
        time, table = pending.kind.time, pending.table
        first, last = self._one(
            f"SELECT min({time}), max({time}) FROM {table} WHERE source = {number}"
        )
        overlap = f"source <> {number} AND {time} BETWEEN {first} AND {last}"
        clash = self._work.execute(f"SELECT source FROM {table} WHERE {overlap} LIMIT 1").fetchone()
        if clash and not replace:
            raise DataError(
                f"the {pending.kind.name} data of {symbol} from {format_time(first)} to "
                f"{format_time(last)} overlap those of {index.sources[clash[0]].name}: "
                "use --replace to take the new ones"
            )
        self._work.execute(f"DELETE FROM {table} WHERE {overlap}")
        return 0

    def _write(self, folder: Path | object, pending: _Pending) -> Iterator[Part]:
        shape, table = pending.kind, pending.table
        self._work.execute(
            f"CREATE TABLE ordered AS SELECT * FROM {table} ORDER BY {shape.time}, source, seq"
        )
        days = self._work.execute(
            f"SELECT {shape.time} // {NS_PER_DAY} AS day, count(*) FROM ordered GROUP BY day "
            "ORDER BY day"
        ).fetchall()
        writer = duckdb.connect(config={"threads": 1})
        for offset, sizes in _slabs(days, shape):
            total = sum(size for _, _, size in sizes)
            slab = self._slice(shape, offset, offset + total)
            at = 0
            for period, number, size in sizes:
                path = self._change.path_for(f"{folder}/{period}-{number:03d}.parquet")
                piece = {name: column[at : at + size] for name, column in slab.items()}
                yield write_part(writer, path, kind=shape, columns=piece, scales=pending.scales)
                at += size
        writer.close()
        self._work.execute("DROP TABLE ordered")
        self._work.execute(f"DROP TABLE {table}")

    def _slice(self, shape: Kind, begin: int, end: int) -> Columns:
        names = ", ".join(f'"{name}"' for name in shape.stored)
        rows: dict[str, Any] = self._work.execute(
            f"SELECT {names} FROM ordered WHERE rowid >= {begin} AND rowid < {end} ORDER BY rowid"
        ).fetchnumpy()
        return {
            name: np.ma.filled(column, NO_TIME) if np.ma.isMaskedArray(column) else column
            for name, column in rows.items()
        }

    def _one(self, query: str) -> tuple[int, ...]:
        row = self._work.execute(query).fetchone()
        assert row is not None
        return row


def _period(day: int, shape: Kind) -> str:
    start = datetime.fromtimestamp(day * 86_400, tz=UTC)
    return start.strftime("%Y-%m-%d") if shape.period_ns else start.strftime("%Y")


def _slabs(
    days: list[tuple[int, int]], shape: Kind
) -> Iterator[tuple[int, list[tuple[str, int, int]]]]:
    """Groups (period, part number, rows) into reads of at most about two parts."""
    sizes: dict[str, int] = {}
    for day, count in days:
        period = _period(day, shape)
        sizes[period] = sizes.get(period, 0) + count
    offset, slab, held = 0, [], 0
    for period, rows in sizes.items():
        for number, begin in enumerate(range(0, rows, PART_ROWS)):
            size = min(PART_ROWS, rows - begin)
            if slab and held + size > PART_ROWS:
                yield offset, slab
                offset, slab, held = offset + held, [], 0
            slab.append((period, number, size))
            held += size
    if slab:
        yield offset, slab
