"""Bars for the comparisons: generated ones with cents and with whole units, and real ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def bench_modules() -> Any:
    """The bench folder's modules `inputs` and `arrays`, as its scripts see them."""
    sys.path.insert(0, str(ROOT / "benches"))
    try:
        import arrays
        import inputs
    finally:
        sys.path.pop(0)
    return inputs, arrays


@pytest.fixture(scope="session")
def generated(bench_modules: Any) -> Any:
    """250,000 seeded bars in cents, as a source and as the floats that other engines take."""
    inputs, arrays = bench_modules
    columns = inputs.make_bars(250_000, seed=104)  # holds three exact ties
    return arrays.source_of_bars(columns), columns


@pytest.fixture(scope="session")
def coarse(bench_modules: Any) -> Any:
    """200,000 bars whose prices are rounded to ten: exact ties of the averages are common."""
    inputs, arrays = bench_modules
    columns = inputs.make_bars(200_000, seed=7)
    for name in ("open", "high", "low", "close"):
        columns[name] = (columns[name] / 10).round() * 10
    return arrays.source_of_bars(columns), columns
