"""Where the market data of a run come from: a catalogue, or arrays in memory.

Both give the same things: instruments, which kinds there are, and pieces of int64 columns at the
instrument's scales, in time order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from veloz.environments.venue_order import in_venue_order
from veloz.errors import DataError
from veloz.storage.catalogue import INSTRUMENTS, Catalogue, NoRows
from veloz.storage.kinds import bar_kind, kind_named
from veloz.storage.times import NS_PER_DAY, parse_time

if TYPE_CHECKING:
    import numpy.typing as npt

    from veloz.storage.instruments import Instrument

    Columns = Mapping[str, npt.NDArray[np.int64]]

ROWS = 16_384
"""Rows of a piece: large enough to cost nothing, small enough to stay in a core's cache."""


class Source(Protocol):
    """What a run asks of its market data."""

    @property
    def place(self) -> str | None:
        """The folder that they are read from, absolute; None for data in memory."""
        ...

    def symbols(self) -> list[str]:
        """All symbols, sorted."""
        ...

    def instrument(self, symbol: str) -> Instrument:
        """Units and limits of a symbol."""
        ...

    def kinds(self, symbol: str) -> list[str]:
        """Names of the kinds that there are: "bar_1m", "tick", "trade" and so on."""
        ...

    def chunks(
        self, symbol: str, kind: str, start: int | None, end: int | None
    ) -> Iterator[Columns]:
        """Pieces of one kind within `[start, end)`, in time order.

        Raises:
            NoRows: There are none in the range.
            DataError: The kind is missing, or cannot be read.
        """
        ...

    def span(self, symbol: str, kind: str) -> tuple[int, int]:
        """From the first row until just after the last one, ns; a bar lasts until it closes."""
        ...

    def digest(self, symbol: str, kind: str, start: int | None, end: int | None) -> str:
        """What `chunks` of the same arguments gives, as a hash."""
        ...


@dataclass(frozen=True)
class CatalogueSource:
    """Market data of a catalogue."""

    catalogue: Catalogue

    @property
    def place(self) -> str | None:
        """As `Source.place`."""
        return str(self.catalogue.root.resolve())

    def symbols(self) -> list[str]:
        """As `Source.symbols`."""
        return self.catalogue.symbols()

    def instrument(self, symbol: str) -> Instrument:
        """As `Source.instrument`."""
        return self.catalogue.instrument(symbol)

    def kinds(self, symbol: str) -> list[str]:
        """As `Source.kinds`."""
        return self.catalogue.kinds(symbol)

    def chunks(
        self, symbol: str, kind: str, start: int | None, end: int | None
    ) -> Iterator[Columns]:
        """As `Source.chunks`."""
        if kind == "tick":
            return in_venue_order(self.catalogue.ticks(symbol, start, end, rows=ROWS))
        return self.catalogue.iter_columns(symbol, kind, start, end, rows=ROWS)

    def span(self, symbol: str, kind: str) -> tuple[int, int]:
        """As `Source.span`."""
        parts = self.catalogue.index(symbol, kind).parts
        return parts[0].first, parts[-1].last + max(kind_named(kind).interval_ns, 1)

    def digest(self, symbol: str, kind: str, start: int | None, end: int | None) -> str:
        """As `Source.digest`."""
        return self.catalogue.digest(symbol, kind, start, end).sha256


@dataclass(frozen=True)
class ArraySource:
    """Market data in memory: int64 columns by symbol and kind.

    Attributes:
        instruments: The instruments, by symbol.
        series: Columns by (symbol, kind); names and scales as in a catalogue.
    """

    instruments: Mapping[str, Instrument]
    series: Mapping[tuple[str, str], Columns] = field(default_factory=dict)

    @property
    def place(self) -> str | None:
        """As `Source.place`."""
        return None

    def symbols(self) -> list[str]:
        """As `Source.symbols`."""
        return sorted(self.instruments)

    def instrument(self, symbol: str) -> Instrument:
        """As `Source.instrument`."""
        found = self.instruments.get(symbol)
        if found is None:
            raise DataError(f"the data hold no {symbol}, only {', '.join(self.symbols())}")
        return found

    def kinds(self, symbol: str) -> list[str]:
        """As `Source.kinds`."""
        return sorted(kind for owner, kind in self.series if owner == symbol)

    def chunks(
        self, symbol: str, kind: str, start: int | None, end: int | None
    ) -> Iterator[Columns]:
        """As `Source.chunks`."""
        columns = self._cut(symbol, kind, start, end)
        rows = len(next(iter(columns.values())))
        if not rows:
            raise NoRows(f"there is no {kind} of {symbol} in the range: choose another")
        offset = 0
        while offset < rows:
            end_row = min(offset + ROWS, rows)
            if kind == "tick":
                # An instant stays whole: in it, prints go before levels.
                stamps = columns["ts_exchange"]
                end_row = int(np.searchsorted(stamps, stamps[end_row - 1], side="right"))
            yield {name: column[offset:end_row] for name, column in columns.items()}
            offset = end_row

    def span(self, symbol: str, kind: str) -> tuple[int, int]:
        """As `Source.span`."""
        first, last = self._times(symbol, kind)
        if not len(first):
            raise NoRows(f"the arrays of {symbol} {kind} are empty")
        return int(first[0]), int(last[-1]) + 1

    def digest(self, symbol: str, kind: str, start: int | None, end: int | None) -> str:
        """As `Source.digest`."""
        whole = hashlib.sha256(json.dumps([symbol, kind, start, end]).encode())
        columns = self._cut(symbol, kind, start, end)
        for name in sorted(columns):
            whole.update(name.encode())
            whole.update(columns[name].data.cast("B"))
        return whole.hexdigest()

    def _cut(self, symbol: str, kind: str, start: int | None, end: int | None) -> Columns:
        columns = self._columns(symbol, kind)
        first, last = self._times(symbol, kind)
        keep = slice(None)
        if start is not None or end is not None:
            is_bar = kind_named(kind).interval_ns > 0
            keep = np.ones(len(first), dtype=bool)
            if start is not None:
                keep &= first >= start
            if end is not None:
                keep &= (last <= end) if is_bar else (last < end)
        return {name: np.ascontiguousarray(column[keep]) for name, column in columns.items()}

    def _times(self, symbol: str, kind: str) -> tuple[Any, Any]:
        columns = self._columns(symbol, kind)
        if kind_named(kind).interval_ns:
            return columns["ts_open"], columns["ts_close"]
        return columns["ts_exchange"], columns["ts_exchange"]

    def _columns(self, symbol: str, kind: str) -> Columns:
        if (symbol, kind) not in self.series:
            have = ", ".join(self.kinds(symbol)) or "nothing"
            raise DataError(f"the arrays hold no {kind} of {symbol}, only {have}")
        return self.series[symbol, kind]


def open_source(data: object) -> Source:
    """The source that a `data` argument stands for.

    Args:
        data: A source, a catalogue, or the folder of one.

    Raises:
        DataError: It is none of these.
    """
    if isinstance(data, (CatalogueSource, ArraySource)):
        return data
    if isinstance(data, Catalogue):
        return CatalogueSource(data)
    if isinstance(data, (str, Path)):
        path = Path(data)
        if path.is_dir() and not (path / INSTRUMENTS).exists():
            raise DataError(
                f"{path} is a folder without a catalogue: import data into one with "
                f"'veloz data import FILE --catalog {path}'"
            )
        if path.is_file():
            raise DataError(
                f"{path} is a file: import it first with 'veloz data import {path} "
                "--catalog catalog', then use --data catalog"
            )
        return CatalogueSource(Catalogue(path))
    raise DataError(
        f"data are a catalogue's folder, a DataFrame or arrays, not {type(data).__name__}"
    )


def bars_in_pieces(
    source: Source, symbol: str, interval_ns: int, start: int | None, end: int | None
) -> tuple[str, Iterator[Columns]]:
    """Bars of an interval, made from the longest stored one that divides it if need be.

    Returns:
        The stored kind that is read, and the pieces.

    Raises:
        DataError: No stored interval divides it.
    """
    wanted = bar_kind(interval_ns).name
    stored = [kind for kind in source.kinds(symbol) if kind.startswith("bar_")]
    if wanted in stored:
        return wanted, source.chunks(symbol, wanted, start, end)
    lengths = {kind: kind_named(kind).interval_ns for kind in stored}
    fitting = [kind for kind, length in lengths.items() if interval_ns % length == 0]
    if not fitting:
        have = ", ".join(stored) or "no bars at all"
        raise DataError(
            f"{wanted} of {symbol} cannot be had: the data hold {have}; import bars of that or a "
            "shorter interval"
        )
    finest = max(fitting, key=lambda kind: lengths[kind])
    return finest, _joined(source.chunks(symbol, finest, start, end), interval_ns, lengths[finest])


def _joined(pieces: Iterator[Columns], interval_ns: int, part_ns: int) -> Iterator[Columns]:
    """Longer bars from shorter ones; only bars whose last part is there are given.

    A bar is made of the parts that exist: a missing part means that nothing traded, or that the
    source has a gap, which `veloz data check` shows.
    """
    origin = _origin_ns(interval_ns)
    held: dict[str, Any] | None = None
    for piece in pieces:
        rows = dict(piece)
        if held is not None:
            rows = {name: np.concatenate([held[name], rows[name]]) for name in held}
        else:
            # The range or the data may begin inside a bar, which then would be a part of one.
            begin = -(-(int(rows["ts_open"][0]) - origin) // interval_ns) * interval_ns + origin
            rows = {name: column[rows["ts_open"] >= begin] for name, column in rows.items()}
            if not len(rows["ts_open"]):
                continue
        bucket = _bucket(rows["ts_open"], interval_ns)
        # The last bucket may go on in the next piece.
        cut = int(np.searchsorted(bucket, bucket[-1], side="left"))
        held = {name: column[cut:] for name, column in rows.items()}
        if cut:
            yield _reduced({name: column[:cut] for name, column in rows.items()}, interval_ns)
    if held is not None and len(held["ts_open"]):
        whole = int(held["ts_open"][-1]) + part_ns
        if (whole - origin) % interval_ns == 0:
            yield _reduced(held, interval_ns)


def _origin_ns(interval_ns: int) -> int:
    """Where bars of a length start to be counted: the epoch; weeks on its first Monday."""
    return 4 * NS_PER_DAY if interval_ns % (7 * NS_PER_DAY) == 0 else 0


def _bucket(ts_open: Any, interval_ns: int) -> Any:
    return (ts_open - _origin_ns(interval_ns)) // interval_ns


def _reduced(rows: Mapping[str, Any], interval_ns: int) -> Columns:
    bucket = _bucket(rows["ts_open"], interval_ns)
    first = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    last = np.append(first[1:], len(bucket)) - 1
    opened = bucket[first] * interval_ns + _origin_ns(interval_ns)
    return {
        "ts_open": opened,
        "ts_close": opened + interval_ns,
        "open": np.ascontiguousarray(rows["open"][first]),
        "high": np.maximum.reduceat(rows["high"], first),
        "low": np.minimum.reduceat(rows["low"], first),
        "close": np.ascontiguousarray(rows["close"][last]),
        "volume": np.add.reduceat(rows["volume"], first),
    }


def range_ns(start: object, end: object) -> tuple[int | None, int | None]:
    """A range in ns from what users write: dates, ISO times, ns, or nothing.

    Raises:
        DataError: A time is none, or the range is empty.
    """
    first = None if start is None else parse_time(start)  # type: ignore[arg-type]
    last = None if end is None else parse_time(end)  # type: ignore[arg-type]
    if first is not None and last is not None and first >= last:
        raise DataError(f"the range from {start} to {end} is empty: --from must come before --to")
    return first, last


def source_digest(source: Source, used: Sequence[tuple[str, str, int | None, int | None]]) -> str:
    """One hash of everything that a run reads."""
    whole = hashlib.sha256()
    for symbol, kind, start, end in used:
        whole.update(f"{symbol} {kind} {source.digest(symbol, kind, start, end)}\n".encode())
    return whole.hexdigest()
