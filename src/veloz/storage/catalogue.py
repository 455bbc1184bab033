"""The catalogue: stored market data by venue, market, symbol, kind and day.

Everything comes out as 64-bit integer columns in time order, at the scales of the symbol's
instrument, a piece at a time, so that memory does not grow with the range. `ts_recv` is the
corrected receive time: when an event reaches a strategy. The recorder's raw clock is in the
column that `raw=True` shows.

    <catalogue>/instruments.json                   units and limits
    <catalogue>/<venue>/<market>/<name>/<kind>/    one series; see `series.py`
    <catalogue>/sources/                           one note per imported file
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np

from veloz.errors import DataError
from veloz.storage.decimals import rescaled
from veloz.storage.instruments import Instrument, InstrumentTable, table_of_json
from veloz.storage.kinds import TICK_LAST, Kind, bar_kind, kind_named
from veloz.storage.series import INDEX, PART_ROWS, Columns, Index, Part, read_index, read_parts
from veloz.storage.symbols import did_you_mean, parse_symbol
from veloz.storage.times import format_time, parse_time
from veloz.storage.transaction import recover

INSTRUMENTS = "instruments.json"

Time = str | int | datetime


class NoRows(DataError):
    """A series is there, and holds nothing in the range."""


@dataclass(frozen=True)
class Digest:
    """What was read, so that another run can be known to read the same.

    Attributes:
        symbol: Whose data.
        kind: Which kind.
        start: Inclusive, ns; `None` if from the first row.
        end: Exclusive, ns; `None` if to the last row.
        files: File name and digest of its values, in order.
        sha256: Of all of the above.
    """

    symbol: str
    kind: str
    start: int | None
    end: int | None
    files: tuple[tuple[str, str], ...]
    sha256: str


class Catalogue:
    """Stored market data under one folder, for reading."""

    def __init__(self, root: Path | str) -> None:
        """Opens a catalogue and finishes an interrupted import, if there was one.

        Raises:
            DataError: If the folder holds no catalogue.
        """
        self.root = Path(root)
        if self.root.exists():
            recover(self.root)
        path = self.root / INSTRUMENTS
        if not path.exists():
            raise DataError(
                f"there is no catalogue in {self.root}: make one with "
                f"'veloz data import FILE --catalog {self.root}'"
            )
        self._instruments = table_of_json(path.read_text(encoding="utf-8"))
        self._connection = duckdb.connect()
        self._connection.execute("SET enable_progress_bar = false")

    def symbols(self) -> list[str]:
        """All symbols that have an instrument."""
        return self._instruments.symbols()

    def kinds(self, symbol: str) -> list[str]:
        """Names of the kinds stored for a symbol.

        Raises:
            DataError: If the symbol is unknown.
        """
        self._known(symbol)
        folder = self.root / parse_symbol(symbol).path
        return sorted(path.parent.name for path in folder.glob(f"*/{INDEX}"))

    def series(self) -> list[Index]:
        """The indices of all series, by symbol and kind."""
        return [
            self.index(symbol, kind) for symbol in self.symbols() for kind in self.kinds(symbol)
        ]

    def index(self, symbol: str, kind: str) -> Index:
        """The index of one series.

        Raises:
            DataError: If there is no such symbol or kind.
        """
        self._known(symbol)
        path = self.root / parse_symbol(symbol).path / kind_named(kind).name / INDEX
        if not path.exists():
            have = ", ".join(self.kinds(symbol)) or "nothing"
            raise DataError(
                f"the catalogue holds no {kind} of {symbol}, only {have}: import it first"
            )
        return read_index(path)

    def instrument(self, symbol: str, at: Time | None = None) -> Instrument:
        """The version of an instrument that holds at an instant; the last one by default.

        Raises:
            DataError: If the symbol is unknown.
        """
        self._known(symbol)
        found = self._instruments.at(symbol, None if at is None else parse_time(at))
        assert found is not None
        return found

    def instruments(self) -> InstrumentTable:
        """All instruments, all versions."""
        return self._instruments

    def iter_columns(
        self,
        symbol: str,
        kind: str,
        start: Time | None = None,
        end: Time | None = None,
        *,
        columns: Sequence[str] | None = None,
        rows: int = 262_144,
        raw: bool = False,
    ) -> Iterator[Columns]:
        """Pieces of a series, in time order.

        Args:
            symbol: E.g. `binance:BTC/USDT`.
            kind: E.g. `trade`, `bar_1m`.
            start: First instant, inclusive.
            end: Last instant, exclusive; a bar belongs if it closes by then.
            columns: Which ones; all by default.
            rows: Most rows of a piece. Memory is bounded by the larger of this and one file part.
            raw: Gives all stored columns with their stored names: `ts_recv` is then the recorder's
                own clock (`series.NO_TIME` where there is none) and `ts_feed` the corrected one.

        Yields:
            Column name → int64 array; prices and quantities at the instrument's scales.

        Raises:
            DataError: If the series, a column or any row in the range is missing, or a file is
                damaged.
        """
        index, shape = self.index(symbol, kind), kind_named(kind)
        select = _selection(shape, columns, raw=raw)
        first, last = _range(start, end)
        parts = _overlapping(index, shape, first, last)
        instrument = self.instrument(symbol)
        found = False
        for group in _groups(parts, rows):
            where = _where(shape, group, first, last)
            piece = self._read(index, shape, group, select=select, where=where)
            _rescale(piece, shape, group[0], instrument)
            count = len(next(iter(piece.values())))
            found = found or count > 0
            for offset in range(0, count, rows):
                yield {name: column[offset : offset + rows] for name, column in piece.items()}
        if not found:
            raise NoRows(_nothing(index, first, last))

    def columns(
        self,
        symbol: str,
        kind: str,
        start: Time | None = None,
        end: Time | None = None,
        *,
        columns: Sequence[str] | None = None,
        raw: bool = False,
    ) -> Columns:
        """A whole range of a series at once; see `iter_columns`."""
        pieces = list(
            self.iter_columns(symbol, kind, start, end, columns=columns, rows=PART_ROWS, raw=raw)
        )
        if len(pieces) == 1:
            return pieces[0]
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    def bars(
        self, symbol: str, interval: str, start: Time | None = None, end: Time | None = None
    ) -> Columns:
        """Bars: `ts_open`, `ts_close`, `open`, `high`, `low`, `close`, `volume`.

        Raises:
            DataError: As `iter_columns`, and if two bars open at the same instant.
        """
        bars = self.columns(symbol, bar_kind(interval).name, start, end)
        twice = np.flatnonzero(np.diff(bars["ts_open"]) <= 0)
        if twice.size:
            raise DataError(
                f"two {interval} bars of {symbol} open at "
                f"{format_time(int(bars['ts_open'][twice[0]]))}: see 'veloz data check', "
                "repair the source and import it again with --replace"
            )
        return bars

    def ticks(
        self,
        symbol: str,
        start: Time | None = None,
        end: Time | None = None,
        *,
        rows: int = 262_144,
    ) -> Iterator[Columns]:
        """Book levels and prints in replay form, in pieces that end with a whole message.

        Yields:
            `ts_exchange`, `ts_recv`, `price`, `qty`, `flags` (the core's `TICK_…` bits).

        Raises:
            DataError: As `iter_columns`.
        """
        wanted = ("ts_exchange", "ts_recv", "price", "qty", "flags")
        held: Columns | None = None
        for piece in self.iter_columns(symbol, "tick", start, end, columns=wanted, rows=rows):
            if held is not None:
                piece = {name: np.concatenate([held[name], piece[name]]) for name in wanted}
            ends = np.flatnonzero(piece["flags"] & TICK_LAST)
            cut = int(ends[-1]) + 1 if ends.size else 0
            if cut:
                yield {name: column[:cut] for name, column in piece.items()}
            held = {name: column[cut:] for name, column in piece.items()}
        if held is not None and len(held["flags"]):
            yield held

    def funding(self, symbol: str, start: Time | None = None, end: Time | None = None) -> Columns:
        """Funding settlements: `ts_exchange`, `ts_recv`, `rate` (scale 18), `mark` (scale 8)."""
        return self.columns(symbol, "funding", start, end)

    def marks(self, symbol: str, start: Time | None = None, end: Time | None = None) -> Columns:
        """Mark prices and what comes with them, at mark scale (8) and rate scale (18)."""
        return self.columns(symbol, "mark", start, end)

    def digest(
        self, symbol: str, kind: str, start: Time | None = None, end: Time | None = None
    ) -> Digest:
        """What `iter_columns` of the same arguments reads, and the instrument it is read with."""
        index, shape = self.index(symbol, kind), kind_named(kind)
        first, last = _range(start, end)
        files = tuple((p.name, p.sha256) for p in _overlapping(index, shape, first, last))
        row = self.instrument(symbol).to_row()
        row.pop("origin_note")
        content = json.dumps([symbol, kind, first, last, files, row])
        return Digest(
            symbol, kind, first, last, files, hashlib.sha256(content.encode()).hexdigest()
        )

    def part_columns(self, index: Index, part: Part) -> Columns:
        """All stored columns of one file, at the file's own scales.

        Raises:
            DataError: If the file is missing or damaged.
        """
        shape = kind_named(index.kind)
        return self._read(index, shape, [part], select=_selection(shape, None, raw=True), where="")

    def _read(
        self, index: Index, shape: Kind, group: list[Part], *, select: dict[str, str], where: str
    ) -> Columns:
        folder = self.root / index.folder
        return read_parts(self._connection, folder, group, select=select, where=where)

    def _known(self, symbol: str) -> None:
        if symbol not in self._instruments.symbols():
            parse_symbol(symbol)
            hint = did_you_mean(symbol, self._instruments.symbols())
            raise DataError(f"the catalogue {self.root} does not know {symbol}: {hint}")


def _selection(kind: Kind, columns: Sequence[str] | None, *, raw: bool) -> dict[str, str]:
    if raw:
        all_of_them = {name: f'"{name}"' for name in kind.stored}
    else:
        all_of_them = {
            name: "ts_feed" if name == "ts_recv" else f'"{name}"'
            for name in kind.columns
            if name != "ts_feed"
        }
    if columns is None:
        return all_of_them
    for name in columns:
        if name not in all_of_them:
            hint = did_you_mean(name, all_of_them)
            raise DataError(f"{kind.name} has no column {name!r}: {hint}")
    return {name: all_of_them[name] for name in columns}


def _range(start: Time | None, end: Time | None) -> tuple[int | None, int | None]:
    first = None if start is None else parse_time(start)
    last = None if end is None else parse_time(end)
    if first is not None and last is not None and last <= first:
        raise DataError(
            f"the range ends at {format_time(last)}, not after its start {format_time(first)}: "
            "give an end later than the start"
        )
    return first, last


def _overlapping(index: Index, kind: Kind, first: int | None, last: int | None) -> list[Part]:
    """Parts with rows in the range; an error if there are none."""
    parts = [
        part
        for part in index.parts
        if (first is None or part.last >= first)
        and (last is None or part.first + kind.interval_ns <= last - (kind.interval_ns == 0))
    ]
    if not parts:
        raise NoRows(_nothing(index, first, last))
    return parts


def _nothing(index: Index, first: int | None, last: int | None) -> str:
    have = f"{format_time(index.parts[0].first)} to {format_time(index.parts[-1].last)}"
    start = "" if first is None else f" from {format_time(first)}"
    asked = start if last is None else f"{start} to {format_time(last)}"
    return (
        f"there is no {index.kind} of {index.symbol}{asked}: the catalogue holds {have}; "
        "choose a range in it or import more"
    )


def _groups(parts: list[Part], rows: int) -> Iterator[list[Part]]:
    """Neighbouring parts of equal scales, about `rows` rows together."""
    group: list[Part] = []
    for part in parts:
        same = group and (group[0].price_scale, group[0].qty_scale) == (
            part.price_scale,
            part.qty_scale,
        )
        if group and (not same or sum(p.rows for p in group) + part.rows > rows):
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _where(kind: Kind, group: list[Part], first: int | None, last: int | None) -> str:
    """The condition that cuts the edges of a range; empty in its middle, where it is not needed."""
    conditions = []
    if first is not None and group[0].first < first:
        conditions.append(f"{kind.time} >= {first}")
    if last is not None and group[-1].last + max(kind.interval_ns, 1) > last:
        conditions.append(f"{kind.time} + {kind.interval_ns} <= {last - (kind.interval_ns == 0)}")
    return " AND ".join(conditions)


def _rescale(piece: Columns, kind: Kind, part: Part, instrument: Instrument) -> None:
    for names, have, want in (
        (kind.prices, part.price_scale, instrument.price_scale),
        (kind.qtys, part.qty_scale, instrument.qty_scale),
    ):
        for name in names:
            if name in piece:
                piece[name] = rescaled(piece[name], have, want)
