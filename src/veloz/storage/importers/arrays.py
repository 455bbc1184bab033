"""NumPy archives: bars as named arrays, and L2 feeds as the structured array `data`.

bars   ts (ns, a bar's start), open, high, low, close, volume
feed   ev, exch_ts, local_ts, px, qty; `ev` says what a row is:
       low byte  1 level, 2 print, 3 clear, 4 level of a snapshot
       bit 29    bid, or the buyer was the taker; bit 28 the other side
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from veloz.errors import DataError
from veloz.storage.deposit import Deposit
from veloz.storage.importers.source_rows import (
    TABLE,
    Meaning,
    Options,
    Outcome,
    need_symbol,
    store_rows,
)
from veloz.storage.importers.tables import store_named_columns
from veloz.storage.kinds import TICK_BUY, TICK_CLEAR, TICK_EMPTY, TICK_LAST, TICK_TRADE, kind_named

_PRINT, _CLEAR, _SNAPSHOT = 2, 3, 4
_BUY = 1 << 29
_CHUNK = 1 << 20


def read_arrays(path: Path, options: Options, deposit: Deposit) -> Outcome:
    """Reads an `.npz` file of bars or of an L2 feed.

    Raises:
        DataError: If it is damaged or holds neither.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read ({error}): it is no NumPy archive or damaged"
        ) from error
    if "data" in arrays and arrays["data"].dtype.names:
        return _read_feed(path.name, arrays["data"], options, deposit)
    lengths = {len(array) for array in arrays.values() if array.ndim == 1}
    if len(lengths) != 1 or any(array.ndim != 1 for array in arrays.values()):
        raise DataError(f"{path.name} holds no columns of one length: it is no table of bars")
    _fill(deposit, arrays)
    return store_named_columns(path.name, options, deposit, symbol_hint=None)


def _read_feed(origin: str, rows: Any, options: Options, deposit: Deposit) -> Outcome:
    missing = {"ev", "exch_ts", "local_ts", "px", "qty"} - set(rows.dtype.names)
    if missing:
        raise DataError(f"{origin} is no L2 feed: its array lacks {', '.join(sorted(missing))}")
    symbol = need_symbol(options, origin)
    flags = feed_flags(rows["ev"].astype(np.int64), rows["exch_ts"], rows["local_ts"])
    columns = {name: rows[name] for name in ("exch_ts", "local_ts", "px", "qty")}
    _fill(deposit, {**columns, "flags": flags})
    meaning = Meaning(
        kind_named("tick"), "exch_ts", "local_ts",
        numbers={"price": "px", "qty": "qty"}, others={"flags": "flags"},
    )  # fmt: skip
    outcome = Outcome("array")
    store_rows(deposit, meaning, symbol, options, outcome, origin=origin)
    return outcome


def feed_flags(event: Any, exchange: Any, received: Any) -> Any:
    """The core's `TICK_…` bits of each row of a feed.

    Rows of one message are neighbours with equal times; each print is a message of its own.
    """
    what = event & 0xFF
    known = np.isin(what, (1, _PRINT, _CLEAR, _SNAPSHOT))
    if not known.all():
        row = int(np.flatnonzero(~known)[0])
        raise DataError(
            f"row {row + 1} of the feed has the event {what[row]}, which is none of 1 to 4"
        )
    flags = np.where(event & _BUY, TICK_BUY, 0)
    flags |= np.where(what == _PRINT, TICK_TRADE | TICK_LAST, 0)
    flags |= np.where(what == _CLEAR, TICK_CLEAR | TICK_EMPTY, 0)
    new = np.ones(len(what), dtype=bool)
    same = (
        (exchange[1:] == exchange[:-1]) & (received[1:] == received[:-1]) & (what[1:] == what[:-1])
    )
    new[1:] = ~same
    last = np.append(new[1:], True)
    flags |= np.where(last & (what != _PRINT), TICK_LAST, 0)
    flags |= np.where(new & (what == _SNAPSHOT), TICK_CLEAR, 0)
    return flags.astype(np.int64)


def _fill(deposit: Deposit, arrays: dict[str, Any]) -> None:
    """Loads arrays into the work table, a piece at a time."""
    size = len(next(iter(arrays.values())))
    for offset in range(0, max(size, 1), _CHUNK):
        piece = {
            name: np.ascontiguousarray(array[offset : offset + _CHUNK])
            for name, array in arrays.items()
        }
        deposit.work.register("piece", piece)
        verb = f"CREATE OR REPLACE TABLE {TABLE} AS" if offset == 0 else f"INSERT INTO {TABLE}"
        deposit.work.execute(f"{verb} SELECT * FROM piece")
        deposit.work.unregister("piece")
