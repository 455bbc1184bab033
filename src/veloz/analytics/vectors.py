"""Checked float vectors: what every statistic here takes and nothing else.

Money never enters as a float sum; see `run_tables` for the exact columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def finite_vector(values: ArrayLike, name: str = "returns") -> Floats:
    """The values as a one-dimensional float64 array.

    Args:
        values: Anything that numpy reads as one dimension.
        name: What the error calls them.

    Raises:
        ValueError: If there is not exactly one dimension, or a value is NaN or infinite.

    >>> finite_vector([1, 2.5])
    array([1. , 2.5])
    """
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {vector.ndim}")
    if vector.size and not np.isfinite(vector).all():
        row = int(np.flatnonzero(~np.isfinite(vector))[0])
        raise ValueError(f"{name}[{row}] is {vector[row]}; every value must be a finite number")
    return vector


def paired_vectors(
    left: ArrayLike, right: ArrayLike, names: tuple[str, str] = ("returns", "benchmark")
) -> tuple[Floats, Floats]:
    """Two finite vectors of one length.

    Raises:
        ValueError: If the lengths differ, or either is not a finite vector.

    >>> paired_vectors([1, 2], [3, 4])[1]
    array([3., 4.])
    """
    first, second = finite_vector(left, names[0]), finite_vector(right, names[1])
    if first.size != second.size:
        raise ValueError(
            f"{names[0]} has {first.size} values and {names[1]} {second.size}; "
            "they must cover the same periods"
        )
    return first, second
