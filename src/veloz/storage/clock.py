"""The recorder's clock: how far it ran from the exchange's, and what to do about it.

A message cannot arrive before it was sent. Where a recording says so, its clock was behind (or the
exchange's ahead), and the smallest `ts_recv - ts_exchange` of a while shows by how much:

    offset(t)  = min(0, rolling minimum of (ts_recv - ts_exchange) - floor)
    ts_feed    = ts_recv - offset(ts_recv)

so that no corrected latency is below the floor, the least time a message can take. Only the
impossible is corrected: a clock that ran ahead looks like latency and stays, which is the
pessimistic reading. Between windows the offset is a straight line and rises slower than time, so
the order of messages never changes.
"""

from __future__ import annotations

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
        messages: How many had both times.
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
    rise = round(_RISE_MAX * WINDOW_NS)
    steps = np.arange(len(offset), dtype=np.int64) * rise
    return np.minimum.accumulate(offset - steps) + steps


def correct(
    work: duckdb.DuckDBPyConnection, table: str, *, connection: str, floor_ns: int
) -> ClockOffset | None:
    """Fills `ts_feed` of a work table from `ts_recv` and `ts_exchange`.

    Args:
        work: Where the table is.
        table: Has `ts_exchange`, `ts_recv`, `ts_feed` (nullable BIGINT).
        connection: Names the connection in the result.
        floor_ns: The least latency a message can have.

    Returns:
        What was found; `None` if no row has both times (then `ts_feed` is `ts_recv`).
    """
    rows = work.execute(
        f"SELECT ts_recv // {WINDOW_NS} AS w, min(ts_recv - ts_exchange), count(*) FROM {table} "
        "WHERE ts_recv IS NOT NULL AND ts_exchange IS NOT NULL GROUP BY w ORDER BY w"
    ).fetchall()
    if not rows:
        work.execute(f"UPDATE {table} SET ts_feed = ts_recv")
        return None
    at, offset = knots(rows, floor_ns)
    work.register("knots", {"slot": at[:-1], "low": offset[:-1], "high": offset[1:]})
    work.execute(
        f"UPDATE {table} SET ts_feed = ts_recv - CAST(coalesce("
        f"(SELECT low + CAST(high - low AS HUGEINT) * (ts_recv % {WINDOW_NS}) // {WINDOW_NS} "
        f"FROM knots WHERE slot = ts_recv // {WINDOW_NS}), 0) AS BIGINT)"
    )
    work.unregister("knots")
    return ClockOffset(
        connection, sum(r[2] for r in rows), floor_ns, int(offset.min()), int(offset.max())
    )


def knots(
    rows: list[tuple[int, int, int]], floor_ns: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Window numbers and the offsets at their starts, windows without messages filled in.

    Args:
        rows: (window, least latency, messages), by window.
        floor_ns: The least latency a message can have.
    """
    have = np.array([row[0] for row in rows], dtype=np.int64)
    least = np.array([row[1] for row in rows], dtype=np.int64)
    at = np.arange(have[0], have[-1] + 1, dtype=np.int64)
    filled = least[np.searchsorted(have, at, side="right") - 1]
    return np.append(at, at[-1] + 1), offsets(filled, floor_ns)
