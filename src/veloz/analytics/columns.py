"""Columns of the run tables: made from lists, filled where absent, checked for length.

Exact integers stay int64 while they fit and become Python integers in an object array where they
do not; they are never floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT, TIME, TEXT, SIDE = "float", "time", "text", "side"
BOOL, EXACT, RATE = "bool", "exact", "rate"


def same_length(table: Any) -> None:
    """Refuse a table whose columns differ in length.

    Raises:
        ValueError: Naming the first column that differs.
    """
    columns = {each.name: getattr(table, each.name) for each in fields(table)}
    lengths = {name: c.size for name, c in columns.items() if isinstance(c, np.ndarray)}
    expected = next(iter(lengths.values()), 0)
    for name, length in lengths.items():
        if length != expected:
            first = next(iter(lengths))
            raise ValueError(
                f"{type(table).__name__}.{name} has {length} rows and {first} {expected}"
            )


def columns_of(
    cls: type[Any], given: Mapping[str, Any], kinds: Mapping[str, str], needed: tuple[str, ...]
) -> dict[str, NDArray[Any]]:
    """The columns of a table: those given in their types, the others saying "absent"."""
    for name in (*needed, *given):
        if name not in given or name not in kinds:
            state = "is missing" if name in kinds else "is not a column"
            raise TypeError(f"{cls.__name__}: {name} {state}; columns are {', '.join(kinds)}")
    rows = len(given[needed[0]])
    return {
        name: _column(kind, given[name]) if name in given else _absent(kind, rows)
        for name, kind in kinds.items()
    }


def _column(kind: str, values: Any) -> NDArray[Any]:
    if kind == TEXT:
        return np.asarray(values, dtype=object)
    if kind == EXACT:
        column = np.asarray(values)
        return column if column.dtype == np.int64 else np.array([int(v) for v in values], object)
    dtypes = {FLOAT: np.float64, RATE: np.float64, TIME: np.int64, SIDE: np.int8, BOOL: bool}
    return np.asarray(values, dtype=dtypes[kind])


def _absent(kind: str, rows: int) -> NDArray[Any]:
    match kind:
        case "text":
            return np.full(rows, "", dtype=object)
        case "float":
            return np.full(rows, np.nan)
        case "rate":
            return np.ones(rows)
        case "side":
            return np.zeros(rows, dtype=np.int8)
        case "bool":
            return np.zeros(rows, dtype=bool)
        case _:
            return np.zeros(rows, dtype=np.int64)
