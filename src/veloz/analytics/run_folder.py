"""A run's tables in its folder: Parquet for columns, one JSON for the rest.

```text
 RUN/fills.parquet orders.parquet equity.parquet funding.parquet bars-0.parquet …   columns
 RUN/tables.json     instruments, asset scales, ledger, facts: equal for equal runs
 RUN/run.json        facts of the host: run id, versions, times, paths
```

Exact integers travel as BIGINT, or as decimal text where 64 bits do not hold them; beside each
scaled column of fills and orders stands nothing derived, so the scales in `tables.json` are the
only key to them. A newcomer would look for prices as floats: divide by `10 ** price_scale`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from veloz.analytics.run_tables import (
    Bars,
    EquityCurve,
    Fills,
    FundingPayments,
    InstrumentFacts,
    LedgerLine,
    Orders,
    RunTables,
)

FORMAT = "veloz.tables/1"
_TABLES = {"fills": Fills, "orders": Orders, "funding": FundingPayments}
_WIDE = "#text"


def write_run(tables: RunTables, folder: Path) -> None:
    """Write the tables of a run into its folder, which exists; files are replaced.

    Raises:
        OSError: If a file cannot be written.
    """
    _write_columns(_columns_of(tables.equity), folder / "equity.parquet")
    for name in _TABLES:
        _write_columns(_columns_of(getattr(tables, name)), folder / f"{name}.parquet")
    for row, bars in enumerate(tables.bars.values()):
        _write_columns(_columns_of(bars), folder / f"bars-{row}.parquet")
    rest = {
        "format": FORMAT,
        "currency": tables.currency,
        "benchmark": tables.benchmark,
        "equity": {"first": str(tables.equity.first), "last": str(tables.equity.last)},
        "instruments": [_plain(one) for one in tables.instruments.values()],
        "asset_scales": dict(tables.asset_scales),
        "bars": [{"symbol": s, "interval_ns": b.interval_ns} for s, b in tables.bars.items()],
        "ledger": [_plain(line) for line in tables.ledger],
        "facts": dict(tables.facts),
    }
    _write_json(rest, folder / "tables.json")
    _write_json(dict(tables.host), folder / "run.json")


def read_run(folder: Path) -> RunTables:
    """The tables of a run from its folder.

    Raises:
        ValueError: If the folder is not a run's, a file is missing or damaged; the message
            names it.
    """
    rest = _read_json(folder / "tables.json")
    if rest.get("format") != FORMAT:
        raise ValueError(
            f"{folder / 'tables.json'} has format {rest.get('format')!r}, not {FORMAT}"
        )
    try:
        return _tables(folder, rest)
    except (KeyError, TypeError) as damage:
        raise ValueError(
            f"{folder}: tables.json or a table is damaged ({damage}); run again"
        ) from damage


def _tables(folder: Path, rest: Mapping[str, Any]) -> RunTables:
    first, last = (Decimal(rest["equity"][name]) for name in ("first", "last"))
    read: dict[str, Any] = {
        name: kind.of(**_read_columns(folder / f"{name}.parquet")) for name, kind in _TABLES.items()
    }
    bars = {
        row["symbol"]: Bars(
            interval_ns=row["interval_ns"], **_read_columns(folder / f"bars-{i}.parquet")
        )
        for i, row in enumerate(rest["bars"])
    }
    instruments = {row["symbol"]: _instrument(row) for row in rest["instruments"]}
    host = _read_json(folder / "run.json") if (folder / "run.json").exists() else {}
    return RunTables(
        currency=rest["currency"],
        equity=EquityCurve.of(first=first, last=last, **_read_columns(folder / "equity.parquet")),
        instruments=instruments, asset_scales=rest["asset_scales"], bars=bars,
        benchmark=rest["benchmark"], facts=rest["facts"], host=host,
        ledger=[
            LedgerLine(
                row["currency"], **{k: Decimal(v) for k, v in row.items() if k != "currency"}
            )
            for row in rest["ledger"]
        ],
        **read,
    )  # fmt: skip


def _instrument(row: Mapping[str, Any]) -> InstrumentFacts:
    facts: dict[str, Any] = {**row, "multiplier": Decimal(row["multiplier"])}
    return InstrumentFacts(**facts)


def _columns_of(table: Any) -> dict[str, np.ndarray]:
    columns = {each.name: getattr(table, each.name) for each in fields(table)}
    return {name: column for name, column in columns.items() if isinstance(column, np.ndarray)}


def _plain(row: Any) -> dict[str, Any]:
    values = {each.name: getattr(row, each.name) for each in fields(row)}
    return {name: str(v) if isinstance(v, Decimal) else v for name, v in values.items()}


def _write_columns(columns: Mapping[str, np.ndarray], path: Path) -> None:
    import duckdb  # delayed: `import veloz.analytics` must not pay for it

    stored = {}
    for name, column in columns.items():
        if column.dtype == object and column.size and not isinstance(column[0], str):
            stored[name + _WIDE] = np.array([str(value) for value in column], dtype=object)
        else:
            stored[name] = column
    with duckdb.connect() as store:
        names = ", ".join(f'"{name}"' for name in stored)
        store.register("stored", stored)
        target = str(path).replace("'", "''")
        store.execute(f"COPY (SELECT {names} FROM stored) TO '{target}' (FORMAT parquet)")


def _read_columns(path: Path) -> dict[str, np.ndarray]:
    import duckdb  # delayed, as above

    if not path.exists():
        raise ValueError(f"{path} is missing; the run folder is not complete, run again")
    try:
        with duckdb.connect() as store:
            read = store.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchnumpy()
    except duckdb.Error as damage:
        raise ValueError(f"{path} cannot be read as Parquet; run again") from damage
    columns = {}
    for name, column in read.items():
        # A NaN comes back as a masked row.
        whole = np.ma.getdata(column)
        if np.ma.isMaskedArray(column) and whole.dtype.kind == "f":
            whole = np.ma.filled(column, np.nan)
        if name.endswith(_WIDE):
            columns[name.removesuffix(_WIDE)] = np.array(
                [int(text) for text in whole], dtype=object
            )
        else:
            columns[name] = whole
    return columns


def _write_json(value: Any, path: Path) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ValueError(
            f"{path} is missing; name the folder of a run, as `veloz backtest` printed it"
        )
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as damage:
        raise ValueError(f"{path} is not JSON ({damage}); run again") from damage
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object; run again")
    return value
