"""What a check of a series found: findings with their first rows, and latencies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from veloz.storage.decimals import text
from veloz.storage.instruments import Instrument
from veloz.storage.kinds import Kind
from veloz.storage.series import NO_TIME, Columns, Index
from veloz.storage.times import format_time

Mask = npt.NDArray[np.bool_]

ZERO_VOLUME_RUN = 60  # bars without a trade in a row
FUNDING_RATE_MAX = 0.05
_SAMPLE = 1_000_000

# What a run must not use, and what a person should look at.
ERRORS = {
    "damaged": "files whose values are not those that were written",
    "gap": "missing bars or settlements",
    "missing_day": "days without a row",
    "duplicate": "rows that are there twice",
    "disorder": "rows that came later in their source than rows of a later time",
    "misaligned": "bars that do not start on their interval",
    "bad_price": "prices of zero or below",
    "bad_qty": "quantities of zero or below",
    "high_below_low": "bars whose high is below their low",
    "outside_range": "opens or closes outside high and low",
    "crossed": "bids at or above the ask",
    "broken_chain": "ids that do not continue the ones before",
    "negative_latency": "events that arrive before the exchange has them",
    "off_tick": "prices that are no multiple of the tick",
    "off_lot": "quantities that are no multiple of the lot",
}
WARNINGS = {
    "spike": "prices far from both neighbours",
    "zero_volume": f"runs of {ZERO_VOLUME_RUN} or more bars without a trade",
    "rate": f"funding rates beyond {FUNDING_RATE_MAX:.0%}",
}


@dataclass
class Finding:
    """One kind of defect.

    Attributes:
        code: A key of `ERRORS` or `WARNINGS`.
        count: How often.
        first_time: Time of the first one, ns.
        source: Which source its row came from.
        row: Which row of that source, from 1; 0 if it is no row.
        detail: What is wrong there, in words.
    """

    code: str
    count: int
    first_time: int
    source: str
    row: int
    detail: str

    @property
    def is_error(self) -> bool:
        """Whether a run should refuse the data."""
        return self.code in ERRORS

    def to_row(self) -> dict[str, Any]:
        """The finding as plain values."""
        return {
            "code": self.code,
            "level": "error" if self.is_error else "warning",
            "meaning": ERRORS.get(self.code) or WARNINGS[self.code],
            "count": self.count,
            "first": {
                "time": format_time(self.first_time),
                "source": self.source,
                "row": self.row,
                "detail": self.detail,
            },
        }


@dataclass
class Latency:
    """Least, median and 99th percentile of receive time minus exchange time, in ns."""

    rows: int
    negative: int
    least: int
    p50: int
    p99: int

    def to_row(self) -> dict[str, int]:
        """The figures as plain values."""
        return {
            "rows": self.rows,
            "negative": self.negative,
            "min_ns": self.least,
            "p50_ns": self.p50,
            "p99_ns": self.p99,
        }


@dataclass
class Checked:
    """What a check of one series found.

    Attributes:
        index: The series.
        rows: How many were checked.
        first: Time of the first row, ns.
        last: Time of the last row, ns.
        findings: By code.
        latency_raw: By the recorder's own clock; `None` if it kept no receive times.
        latency: Corrected: what a run sees. `None` for bars.
        missing: Bars or settlements missing.
    """

    index: Index
    rows: int = 0
    first: int = 0
    last: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)
    latency_raw: Latency | None = None
    latency: Latency | None = None
    missing: int = 0


class Report:
    """Collects findings; knows the piece at hand and the last row of the one before."""

    """Collects findings; knows the piece at hand and the last row of the one before."""

    def __init__(self, index: Index, kind: Kind, instrument: Instrument) -> None:
        self.kind = kind
        self.instrument = instrument
        self.checked = Checked(index)
        self.piece: Columns = {}
        self.before: Columns | None = None
        self.top_id = 0
        self._raw = _LatencyCount()
        self._corrected = _LatencyCount()

    def begin(self, piece: Columns) -> None:
        """Takes the next piece of the series."""
        time = piece[self.kind.time]
        if self.checked.rows == 0:
            self.checked.first = int(time[0])
        self.checked.rows += len(time)
        self.checked.last = int(time[-1])
        self.piece = piece

    def end(self) -> None:
        """Has looked at the piece: keeps its latencies and its last row."""
        if self.kind.has_receive_time:
            self._raw.add(self.piece["ts_recv"], self.piece["ts_exchange"])
            self._corrected.add(self.piece["ts_feed"], self.piece["ts_exchange"])
        self.before = {name: column[-1:] for name, column in self.piece.items()}

    def settle(self) -> None:
        """Has seen all pieces: works out the latencies."""
        self.checked.latency_raw = self._raw.result()
        self.checked.latency = self._corrected.result()

    def previous(self, name: str) -> npt.NDArray[np.int64]:
        """The column one row earlier; the first row of all is its own predecessor."""
        column = self.piece[name]
        head = column[:1] if self.before is None else self.before[name]
        return np.concatenate([head, column[:-1]])

    def add(
        self, code: str, wrong: Mask, detail: Callable[[int], str], *, count: int | None = None
    ) -> None:
        """Notes the rows of the piece that are wrong."""
        rows = np.flatnonzero(wrong)
        if rows.size == 0:
            return
        row = int(rows[0])
        self.note(
            code,
            count if count is not None else rows.size,
            int(self.piece[self.kind.time][row]),
            detail(row),
            row=int(self.piece["seq"][row]) + 1,
            source=int(self.piece["source"][row]),
        )

    def note(
        self, code: str, count: int, time: int, detail: str, *, row: int = 0, source: int = -1
    ) -> None:
        """Notes a defect; of each code, the first one noted is described."""
        known = self.checked.findings.get(code)
        if known is not None:
            known.count += count
            return
        name = self.checked.index.sources[source].name if source >= 0 else ""
        self.checked.findings[code] = Finding(code, count, time, name, row, detail)

    def price(self, value: int) -> str:
        """A price as decimal text."""
        return text(int(value), self.instrument.price_scale)

    def qty(self, value: int) -> str:
        """A quantity as decimal text."""
        return text(int(value), self.instrument.qty_scale)


class _LatencyCount:
    def __init__(self) -> None:
        self._rows = 0
        self._negative = 0
        self._least = 2**62
        self._samples: list[npt.NDArray[np.int64]] = []
        self._held = 0
        self._stride = 1

    def add(self, received: npt.NDArray[np.int64], exchange: npt.NDArray[np.int64]) -> None:
        latency = (received - exchange)[received != NO_TIME]
        if latency.size == 0:
            return
        self._rows += latency.size
        self._negative += int((latency < 0).sum())
        self._least = min(self._least, int(latency.min()))
        self._samples.append(latency[:: self._stride])
        self._held += len(self._samples[-1])
        if self._held > _SAMPLE:  # percentiles from every second row of what is held
            self._samples = [np.concatenate(self._samples)[::2]]
            self._held = len(self._samples[0])
            self._stride *= 2

    def result(self) -> Latency | None:
        if self._rows == 0:
            return None
        middle, high = np.percentile(np.concatenate(self._samples), [50, 99], method="lower")
        return Latency(self._rows, self._negative, self._least, int(middle), int(high))
