"""Book levels and prints in the order in which they happened at the venue.

A recording has them in the order of arrival. Depth and trades come over different paths, so that a
trade often arrives after a depth message that is some milliseconds younger. The simulated venue
needs exchange time; what the strategy sees is still ordered by arrival, and never earlier than it
was.

Within depth, and within trades, the order of arrival is kept: it is that of the update ids. A row
whose stamp is behind its own kind's takes the time of the row before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from veloz.storage.kinds import TICK_TRADE

if TYPE_CHECKING:
    import numpy.typing as npt

    Columns = Mapping[str, npt.NDArray[np.int64]]

HOLD_NS = 2_000_000_000
"""How long a row waits for older ones that arrive later; a later one yet is told as of then."""


def in_venue_order(pieces: Iterator[Columns]) -> Iterator[Columns]:
    """The same rows with `ts_exchange` that never decreases; memory stays flat."""
    held: Columns | None = None
    # Latest exchange time of depth, of trades, and of all rows that were given on.
    depth, trade, given = np.int64(0), np.int64(0), np.int64(0)
    for piece in pieces:
        times = piece["ts_exchange"]
        if not len(times):
            continue
        prints = (piece["flags"] & TICK_TRADE) != 0
        key = times.copy()
        key[prints] = np.maximum(np.maximum.accumulate(times[prints]), trade)
        key[~prints] = np.maximum(np.maximum.accumulate(times[~prints]), depth)
        trade = key[prints].max(initial=trade)
        depth = key[~prints].max(initial=depth)
        key = np.maximum(key, given)
        # Where the exchange time is raised, the arrival is raised with it; a row that claims to
        # arrive before it happened stays as it is, for the replay to refuse.
        raised = np.where(key > times, np.maximum(piece["ts_recv"], key), piece["ts_recv"])
        rows = {**piece, "ts_exchange": key, "ts_recv": raised}
        if held is not None:
            rows = {name: np.concatenate([held[name], rows[name]]) for name in rows}
        order = np.argsort(rows["ts_exchange"], kind="stable")
        rows = {name: column[order] for name, column in rows.items()}
        ready = int(np.searchsorted(rows["ts_exchange"], max(depth, trade) - HOLD_NS, side="left"))
        if ready:
            given = rows["ts_exchange"][ready - 1]
            yield {name: column[:ready] for name, column in rows.items()}
        held = {name: column[ready:] for name, column in rows.items()}
    if held is not None and len(held["ts_exchange"]):
        yield held
