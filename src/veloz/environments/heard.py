"""What a run heard: rows of each feed as they pass, and indicators that became ready or did not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from veloz._core import Indicator

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from veloz.strategy import Strategy

    Columns = Mapping[str, npt.NDArray[np.int64]]

Progress = Callable[[int, int, int], None]
"""Told (rows so far, event time ns, end of the range ns or 0) now and then."""


def warm_up_of(strategy: Strategy) -> list[dict[str, Any]]:
    """What became of the indicators that hold back `on_bar`."""
    return [
        {
            "name": name,
            "indicator": f"{value.name}({_listed(value.parameters)})",
            "bars_needed": value.warm_up,
            "is_ready": value.ready,
        }
        for name, value in vars(strategy).items()
        if isinstance(value, Indicator)
    ]


def _listed(parameters: Mapping[str, float]) -> str:
    return ", ".join(f"{value:g}" for value in parameters.values())


class RowCounter:
    """Counts rows on their way into the core and tells whoever wants to know.

    Attributes:
        rows: Rows read, by what they are: "bar_1m of binance:BTC/USDT".
    """

    def __init__(self, progress: Progress | None, end_ns: int) -> None:
        self._progress, self._end_ns = progress, end_ns
        self.rows: dict[str, int] = {}

    def counted(self, pieces: Iterator[Columns], kind: str, name: str) -> Iterator[Columns]:
        """A feed's pieces, counted under its name as they pass."""
        stamp = "ts_close" if kind == "bars" else "ts_exchange"
        self.rows.setdefault(name, 0)
        for piece in pieces:
            self.rows[name] += len(piece[stamp])
            if self._progress is not None and len(piece[stamp]):
                total = sum(self.rows.values())
                self._progress(total, int(piece[stamp][-1]), self._end_ns)
            yield piece
