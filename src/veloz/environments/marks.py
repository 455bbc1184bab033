"""Mark prices of a run: whether they can value positions, and where they only price funding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Columns = Mapping[str, npt.NDArray[np.int64]]

MARK_GAP_NS = 60_000_000_000
"""Marks farther apart than this price funding only; positions are then valued at last trades."""


def is_dense(times: npt.NDArray[np.int64]) -> bool:
    """Whether marks come often enough to value positions with, on the mean.

    Not the median: a day of marks each second among years of one each eight hours is not dense.
    """
    return len(times) > 1 and int(times[-1] - times[0]) <= MARK_GAP_NS * (len(times) - 1)


def with_index(rows: Columns) -> Columns:
    """The index prices among index rows or mark rows; marks without one are left out."""
    known = rows["index"] > 0
    names = ("ts_exchange", "ts_recv", "index")
    return {name: np.ascontiguousarray(rows[name][known]) for name in names if name in rows}


def with_marks(funding: Columns, marks: Columns) -> Columns:
    """Settlements with the last mark at or before each, where they have none of their own."""
    at = np.searchsorted(marks["ts_exchange"], funding["ts_exchange"], side="right") - 1
    joined = np.where(
        (funding["mark"] <= 0) & (at >= 0), marks["mark"][np.maximum(at, 0)], funding["mark"]
    )
    return {**funding, "mark": np.ascontiguousarray(joined.astype(np.int64))}
