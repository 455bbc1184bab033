"""One series of a catalogue: a symbol's data of one kind, as a list of Parquet files.

    <catalogue>/binance/linear/BTC-USDT-USDT/bar_1m/
        index.json                  the files that count, their rows, ranges, scales and digests
        2025-05-04-000.parquet      one day (one year where days are nearly empty), in parts of at
        2025-05-05-000.parquet      most PART_ROWS rows

Rows stand in time order, in a file and from file to file. A file that the index does not name is
no part of the catalogue.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from veloz.errors import DataError
from veloz.storage.kinds import Kind, kind_named
from veloz.storage.symbols import Symbol, parse_symbol

FORMAT = 1
INDEX = "index.json"
PART_ROWS = 524_288  # also the most that a reader holds at once
NO_TIME = -(2**63)  # a raw receive time that the source does not have

Columns = dict[str, npt.NDArray[np.int64]]


@dataclass(frozen=True)
class Part:
    """One Parquet file of a series.

    Attributes:
        name: File name.
        rows: How many.
        first: Time of the first row, ns.
        last: Time of the last row, ns.
        price_scale: Decimals of its prices.
        qty_scale: Decimals of its quantities.
        sha256: Digest of the columns' values; see `content_digest`.
    """

    name: str
    rows: int
    first: int
    last: int
    price_scale: int
    qty_scale: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """Where rows of a series came from.

    Attributes:
        name: File name, or the generator and its seed.
        sha256: Digest of the file.
        importer: Which importer read it.
        notes: What the importer assumed, in words.
        clock: Clock offsets per connection; see `veloz.storage.clock`.
    """

    name: str
    sha256: str
    importer: str
    notes: tuple[str, ...] = ()
    clock: tuple[dict[str, Any], ...] = ()


@dataclass
class Index:
    """The files and sources of one series."""

    symbol: str
    kind: str
    parts: list[Part] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(part.rows for part in self.parts)

    @property
    def folder(self) -> PurePosixPath:
        """Where the series stands in a catalogue."""
        return series_folder(parse_symbol(self.symbol), kind_named(self.kind))

    def to_json(self) -> str:
        """The index as the text of its file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"


def series_folder(symbol: Symbol, kind: Kind) -> PurePosixPath:
    """Where a series stands in a catalogue."""
    return symbol.path / kind.name


def read_index(path: Path) -> Index:
    """The index in a file.

    Raises:
        DataError: If it is damaged or of a later format.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.pop("format") != FORMAT:
            raise DataError(f"{path} has a later format: open it with a newer VeloZ")
        parts = [Part(**part) for part in raw.pop("parts")]
        sources = [
            Source(
                source["name"],
                source["sha256"],
                source["importer"],
                tuple(source["notes"]),
                tuple(source["clock"]),
            )
            for source in raw.pop("sources")
        ]
        return Index(parts=parts, sources=sources, **raw)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is damaged ({error}): delete the folder and import its sources again"
        ) from error


def content_digest(kind: Kind, price_scale: int, qty_scale: int, columns: Columns) -> str:
    """SHA-256 of the values of a file, whatever the compression and wherever they came from."""
    digest = hashlib.sha256(f"{kind.name} {price_scale} {qty_scale}\n".encode())
    for name in kind.columns:
        digest.update(np.ascontiguousarray(columns[name], dtype="<i8").data)
    return digest.hexdigest()


def write_part(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    *,
    kind: Kind,
    columns: Columns,
    scales: tuple[int, int],
) -> Part:
    """Writes one Parquet file; equal columns give equal bytes."""
    price_scale, qty_scale = scales
    digest = content_digest(kind, price_scale, qty_scale, columns)
    facts = {
        "format": FORMAT,
        "kind": kind.name,
        "price_scale": price_scale,
        "qty_scale": qty_scale,
        "sha256": digest,
    }
    names = ", ".join(
        f'nullif("{n}", {NO_TIME}) AS "{n}"' if n == "ts_recv" else f'"{n}"' for n in kind.stored
    )
    connection.register("part", {name: columns[name] for name in kind.stored})
    try:
        connection.execute(
            f"COPY (SELECT {names} FROM part) TO '{_quoted(path)}' (FORMAT parquet, "
            "COMPRESSION zstd, PARQUET_VERSION V2, ROW_GROUP_SIZE 131072, "
            f"KV_METADATA {{veloz: '{json.dumps(facts)}'}})"
        )
    finally:
        connection.unregister("part")
    time = columns[kind.time]
    first, last = int(time[0]), int(time[-1])
    return Part(path.name, len(time), first, last, price_scale, qty_scale, digest)


def read_parts(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    parts: list[Part],
    *,
    select: Mapping[str, str],
    where: str = "",
) -> Columns:
    """Columns of several files, in order.

    Args:
        connection: Any DuckDB connection.
        folder: Of the series.
        parts: In time order.
        select: Result name → SQL expression.
        where: SQL condition.

    Raises:
        DataError: If a file is missing or damaged.
    """
    names = ", ".join(f'CAST({sql} AS BIGINT) AS "{name}"' for name, sql in select.items())
    files = [str(folder / part.name) for part in parts]
    condition = f"WHERE {where}" if where else ""
    try:
        result: dict[str, Any] = connection.execute(
            f"SELECT {names} FROM read_parquet(?) {condition}", [files]
        ).fetchnumpy()
    except duckdb.Error as error:
        raise DataError(_damage(folder, files, error)) from error
    return {
        name: np.ma.filled(column, NO_TIME) if np.ma.isMaskedArray(column) else column
        for name, column in result.items()
    }


def _damage(folder: Path, files: list[str], error: duckdb.Error) -> str:
    missing = [name for name in files if not Path(name).exists()]
    if missing:
        return f"{missing[0]} is missing: delete {folder} and import its sources again"
    reason = str(error).splitlines()[0]
    return (
        f"a file in {folder} is damaged ({reason}): delete the folder and import its sources again"
    )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
