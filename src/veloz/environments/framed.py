"""Market data from DataFrames: pandas, polars, pyarrow, or whatever speaks the Arrow interface.

A frame goes the way of a file: its columns are found by their names, its numbers become exact, its
instrument is inferred. It is imported into a catalogue of its own, which lasts as long as the run.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from veloz.environments.sources import CatalogueSource
from veloz.errors import DataError
from veloz.storage.catalogue import Catalogue
from veloz.storage.importers.source_rows import Options
from veloz.storage.importing import import_files

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = {"trades": "trade", "quotes": "quote", "marks": "mark", "funding": "funding"}
"""Subscriptions that a frame can serve, beside bars, and the kind that it is stored as."""


class FrameSource(CatalogueSource):
    """Market data of DataFrames; their catalogue's folder goes with this."""

    @property
    def place(self) -> str | None:
        """As `Source.place`: they are in memory for whoever gave them."""
        return None


def frames_in(data: object) -> Mapping[str, Any] | None:
    """The frames that a `data` argument is or holds, by symbol; "" is the only symbol there is.

    Returns:
        None if it holds something else.
    """
    if _is_frame(data):
        return {"": data}
    if isinstance(data, Mapping) and data and all(_is_frame(one) for one in data.values()):
        return {str(symbol): one for symbol, one in data.items()}
    return None


def _is_frame(data: object) -> bool:
    return hasattr(data, "__arrow_c_stream__") or (
        hasattr(data, "to_parquet") and hasattr(data, "columns")
    )


def source_of(
    frames: Mapping[str, Any], wanted: Mapping[str, Mapping[str, Sequence[int]]]
) -> FrameSource:
    """The source of a strategy that runs on frames.

    Args:
        frames: As `frames_in` found them.
        wanted: Kinds of data by symbol, with the intervals of bars.

    Raises:
        DataError: A frame's columns do not say what it holds, or it is not clear whose it is.
    """
    if "" in frames and len(wanted) != 1:
        raise DataError(
            f"the strategy trades {', '.join(wanted)}, and one DataFrame cannot be all of them",
            hint="Give a mapping from symbol to DataFrame.",
        )
    folder = Path(tempfile.mkdtemp(prefix="veloz-frames-"))
    try:
        for symbol, frame in frames.items():
            whose = symbol or next(iter(wanted))
            path = folder / "DataFrame.parquet"
            _write(frame, path)
            import_files([path], folder / "catalog", _options(whose, wanted.get(whose, {})))
            path.unlink()
        source = FrameSource(Catalogue(folder / "catalog"))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(source, shutil.rmtree, folder, ignore_errors=True)
    return source


def _options(symbol: str, kinds: Mapping[str, Sequence[int]]) -> Options:
    """What the strategy's subscriptions say of a frame; how long its bars are it says itself."""
    served = [KINDS.get(kind) for kind in kinds]
    return Options(symbol=symbol, kind=served[0] if len(served) == 1 else None)


def _write(frame: Any, path: Path) -> None:
    """Writes a frame with its index, if that means something, as Parquet."""
    if hasattr(frame, "reset_index") and type(frame.index).__name__ != "RangeIndex":
        name = frame.index.name
        frame = frame.reset_index(names="time" if name is None else name)
    with duckdb.connect() as work:
        try:
            work.register("frame", frame)
            work.sql("SELECT * FROM frame").write_parquet(str(path))
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"the DataFrame cannot be read: {reason}") from error
