"""The recorder's clock: how far it ran from the exchange's, and what to do about it.

A message cannot arrive before it was sent. Where a recording says so, its clock was behind (or the
exchange's ahead), and the smallest `ts_recv - ts_exchange` of a while shows by how much:

    offset(t)  = min(0, rolling minimum of (ts_recv - ts_exchange) - floor)
    ts_feed    = ts_recv - offset(ts_recv)

so that no corrected latency is below the floor, the least time a message is assumed to take. Only
the impossible is corrected: a connection without a negative latency is left as it is, and a clock
that ran ahead looks like latency and stays, which is the pessimistic reading. Between windows the
offset is a straight line and rises slower than time, so the order of messages never changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

WINDOW_NS = 10_000_000_000  # one minimum per ten seconds; its neighbours count too
DEFAULT_FLOOR_NS = 1_000_000
_RISE_MAX = 0.9  # of a window, per window


@dataclass(frozen=True)
class ClockOffset:
    """What was found for one connection; all in ns.

    Attributes:
        connection: URL, or the name of the file.
        messages: How many events had both times.
        floor_ns: The least latency assumed.
        offset_min_ns: Largest correction (0 or negative).
        offset_max_ns: Smallest correction.
    """

    connection: str
    messages: int
    floor_ns: int
    offset_min_ns: int
    offset_max_ns: int

    def to_row(self) -> dict[str, Any]:
        """The finding as plain values."""
        return asdict(self)


def correct(
    work: duckdb.DuckDBPyConnection, tables: Sequence[str], *, connection: str, floor_ns: int,
    only: str = "true",
) -> ClockOffset | None:  # fmt: skip
    """Fills `ts_feed` of the rows of one connection from `ts_recv` and `ts_exchange`.

    Args:
        work: Where the tables are.
        tables: Each has `ts_exchange`, `ts_recv`, `ts_feed` (nullable BIGINT).
        connection: Names the connection in the result.
        floor_ns: The least latency a message can have.
        only: SQL condition that picks the connection's rows.

    Returns:
        What was found; `None` if no row has both times (then `ts_feed` is `ts_recv`).
    """
    rows = _minima(work, tables, only)
    if not rows:
        for table in tables:
            work.execute(f"UPDATE {table} SET ts_feed = ts_recv WHERE {only}")
        return None
    window, offset = _knots(rows, floor_ns)
    work.register("knots", {"slot": window[:-1], "low": offset[:-1], "high": offset[1:]})
    slope = f"CAST(high - low AS HUGEINT) * (ts_recv % {WINDOW_NS}) // {WINDOW_NS}"
    shift = f"SELECT low + {slope} FROM knots WHERE slot = ts_recv // {WINDOW_NS}"
    # Messages without an exchange time may lie outside all windows: the nearest edge counts.
    beyond = (
        f"CASE WHEN ts_recv // {WINDOW_NS} < {window[0]} THEN {offset[0]} ELSE {offset[-1]} END"
    )
    for table in tables:
        work.execute(
            f"UPDATE {table} SET ts_feed = ts_recv - CAST(coalesce(({shift}), {beyond}) AS BIGINT) "
            f"WHERE {only}"
        )
    work.unregister("knots")
    count = sum(row[2] for row in rows)
    return ClockOffset(connection, count, floor_ns, int(offset.min()), int(offset.max()))


def offsets(minima: npt.NDArray[np.int64], floor_ns: int) -> npt.NDArray[np.int64]:
    """Offsets at the window edges from the least latency in each window.

    Args:
        minima: Shape (n,): least `ts_recv - ts_exchange` of windows 0 … n-1, ns.
        floor_ns: The least latency a message can have.

    Returns:
        Shape (n + 1,): the offset at the start of each window and at the end of the last, ns.
    """
    padded = np.concatenate([minima[:1], minima, minima[-1:]])
    edges = np.minimum(padded[:-1], padded[1:])  # both windows that meet at an edge
    offset = np.minimum(edges - floor_ns, 0)
    steps = np.arange(len(offset), dtype=np.int64) * round(_RISE_MAX * WINDOW_NS)
    return np.minimum.accumulate(offset - steps) + steps


def _minima(
    work: duckdb.DuckDBPyConnection, tables: Sequence[str], only: str
) -> list[tuple[int, int, int]]:
    """(window, least latency, events) of all tables together, by window."""
    union = " UNION ALL ".join(
        f"SELECT ts_recv, ts_exchange FROM {table} WHERE {only}" for table in tables
    )
    return work.execute(
        f"SELECT ts_recv // {WINDOW_NS} AS slot, min(ts_recv - ts_exchange), count(*) "
        f"FROM ({union}) WHERE ts_recv IS NOT NULL AND ts_exchange IS NOT NULL "
        "GROUP BY slot ORDER BY slot"
    ).fetchall()


def _knots(
    rows: list[tuple[int, int, int]], floor_ns: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Window numbers and the offsets at their starts, windows without messages filled in."""
    have = np.array([row[0] for row in rows], dtype=np.int64)
    least = np.array([row[1] for row in rows], dtype=np.int64)
    if least.min() >= 0:
        least = np.full_like(least, floor_ns)
    window = np.arange(have[0], have[-1] + 1, dtype=np.int64)
    filled = least[np.searchsorted(have, window, side="right") - 1]
    return np.append(window, window[-1] + 1), offsets(filled, floor_ns)
