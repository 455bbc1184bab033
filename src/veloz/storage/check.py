"""What is wrong with stored data: each kind of defect, how often, and its first row.

The rows are read a piece at a time. Rows stand in time order; where they stood in their source is
known by `seq`, so that rows out of order are found even though they were sorted on the way in.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from veloz.errors import DataError
from veloz.storage.catalogue import Catalogue, Time
from veloz.storage.decimals import text
from veloz.storage.instruments import Instrument
from veloz.storage.kinds import (
    TICK_BUY,
    TICK_CLEAR,
    TICK_EMPTY,
    TICK_LAST,
    TICK_TRADE,
    Kind,
    kind_named,
)
from veloz.storage.series import NO_TIME, Columns, Index, content_digest
from veloz.storage.times import NS_PER_DAY, NS_PER_S, format_day, format_span, format_time

Mask = npt.NDArray[np.bool_]

ZERO_VOLUME_RUN = 60  # bars without a trade in a row
SPIKE = 0.10  # of the neighbours' price, for events and bars of at most five minutes
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


def check_series(
    catalogue: Catalogue, symbol: str, kind: str, start: Time | None = None, end: Time | None = None
) -> Checked:
    """Checks one series.

    Raises:
        DataError: If there is no such series, or no row in the range.
    """
    index, shape = catalogue.index(symbol, kind), kind_named(kind)
    report = _Report(index, shape, catalogue.instrument(symbol))
    _check_files(catalogue, index, shape, report)
    if "damaged" in report.checked.findings:
        return report.checked
    looks = _looks(shape)
    for piece in catalogue.iter_columns(symbol, kind, start, end, raw=True):
        report.begin(piece)
        for look in looks:
            look(report)
        report.end()
    for look in looks:
        if isinstance(look, _BookReplay | _ZeroVolume):
            look.finish(report)
    report.settle()
    return report.checked


class _Report:
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
        time = piece[self.kind.time]
        if self.checked.rows == 0:
            self.checked.first = int(time[0])
        self.checked.rows += len(time)
        self.checked.last = int(time[-1])
        self.piece = piece

    def end(self) -> None:
        if self.kind.has_receive_time:
            self._raw.add(self.piece["ts_recv"], self.piece["ts_exchange"])
            self._corrected.add(self.piece["ts_feed"], self.piece["ts_exchange"])
        self.before = {name: column[-1:] for name, column in self.piece.items()}

    def settle(self) -> None:
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
        known = self.checked.findings.get(code)
        if known is not None:
            known.count += count
            return
        name = self.checked.index.sources[source].name if source >= 0 else ""
        self.checked.findings[code] = Finding(code, count, time, name, row, detail)

    def price(self, value: int) -> str:
        return text(int(value), self.instrument.price_scale)

    def qty(self, value: int) -> str:
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


def _looks(kind: Kind) -> list[Callable[[_Report], None]]:
    """What to look for, by kind."""
    every: list[Callable[[_Report], None]] = [_disorder, _missing_days, _prices, _off_step]
    if kind.interval_ns:
        return [*every, _bar_steps, _bar_shape, _bar_spikes, _ZeroVolume()]
    every.append(_negative_latency)
    if kind.name in ("trade", "agg_trade"):
        return [*every, _ids, _print_spikes, _print_qty]
    if kind.name == "quote":
        return [*every, _quote_cross, _quote_ids, _quote_qty, _quote_spikes]
    if kind.name == "tick":
        return [*every, _BookReplay()]
    if kind.name == "funding":
        return [*every, _same_time, _settlements]
    return [*every, _same_time]


def _check_files(catalogue: Catalogue, index: Index, kind: Kind, report: _Report) -> None:
    for part in index.parts:
        try:
            columns = catalogue.part_columns(index, part)
            found = content_digest(kind, part.price_scale, part.qty_scale, columns)
        except DataError as error:
            report.note("damaged", 1, part.first, str(error))
            continue
        if found != part.sha256:
            report.note("damaged", 1, part.first, f"{part.name} holds other values than written")


def _disorder(report: _Report) -> None:
    seq, source = report.piece["seq"], report.piece["source"]
    # A row with a later place in its source than the row after it in time came too late.
    late = np.zeros(len(seq), dtype=bool)
    late[:-1] = (seq[:-1] > seq[1:]) & (source[:-1] == source[1:])
    report.add("disorder", late, lambda i: f"row {seq[i] + 1} came after rows of a later time")


def _missing_days(report: _Report) -> None:
    if report.kind.period_ns == 0 or report.kind.name in ("mark", "index"):
        return
    days = report.piece[report.kind.time] // NS_PER_DAY
    before = report.previous(report.kind.time) // NS_PER_DAY
    skipped = days - before - 1
    wrong = skipped > 0
    report.add(
        "missing_day", wrong,
        lambda i: f"nothing on {format_day((int(before[i]) + 1) * NS_PER_DAY)}",
        count=int(skipped[wrong].sum()),
    )  # fmt: skip


def _prices(report: _Report) -> None:
    names = {"mark": ("mark",), "index": ("index",)}.get(report.kind.name, report.kind.prices)
    for name in names:
        column = report.piece[name]
        wrong = column <= 0
        if report.kind.name == "tick":
            wrong &= (report.piece["flags"] & TICK_EMPTY) == 0
        report.add("bad_price", wrong, lambda i, n=name, c=column: f"{n} {report.price(c[i])}")


def _off_step(report: _Report) -> None:
    tick, lot = report.instrument.tick, report.instrument.lot
    for name in report.kind.prices:
        column = report.piece[name]
        report.add(
            "off_tick", column % tick != 0,
            lambda i, n=name, c=column: f"{n} {report.price(c[i])}, tick {report.price(tick)}",
        )  # fmt: skip
    for name in report.kind.qtys:
        column = report.piece[name]
        report.add(
            "off_lot", column % lot != 0,
            lambda i, n=name, c=column: f"{n} {report.qty(c[i])}, lot {report.qty(lot)}",
        )  # fmt: skip


def _negative_latency(report: _Report) -> None:
    latency = report.piece["ts_feed"] - report.piece["ts_exchange"]
    report.add("negative_latency", latency < 0, lambda i: f"arrives {-latency[i]} ns too early")


def _bar_steps(report: _Report) -> None:
    opens, interval = report.piece["ts_open"], report.kind.interval_ns
    step = opens - report.previous("ts_open")
    first = np.zeros(len(opens), dtype=bool)
    first[0] = report.before is None
    report.add(
        "duplicate", (step == 0) & ~first, lambda i: f"a second bar opens at {_at(opens, i)}"
    )
    missing = step // interval - 1
    gap = step > interval
    report.add(
        "gap", gap,
        lambda i: f"{missing[i]} bars missing before {_at(opens, i)}",
        count=int(missing[gap].sum()),
    )  # fmt: skip
    report.checked.missing += int(missing[gap].sum())
    week_start = 3 * NS_PER_DAY if interval == 7 * NS_PER_DAY else 0  # weeks start on Mondays
    off = (opens + week_start) % interval != 0
    report.add("misaligned", off, lambda i: f"opens at {_at(opens, i)}")


def _bar_shape(report: _Report) -> None:
    o, h, l, c = (report.piece[name] for name in ("open", "high", "low", "close"))  # noqa: E741
    report.add(
        "high_below_low", h < l, lambda i: f"high {report.price(h[i])}, low {report.price(l[i])}"
    )
    outside = (np.maximum(o, c) > h) | (np.minimum(o, c) < l)
    report.add(
        "outside_range", outside & (h >= l),
        lambda i: "open {}, high {}, low {}, close {}".format(
            *(report.price(x[i]) for x in (o, h, l, c))
        ),
    )  # fmt: skip
    volume = report.piece["volume"]
    report.add("bad_qty", volume < 0, lambda i: f"volume {report.qty(volume[i])}")


def _bar_spikes(report: _Report) -> None:
    limit = SPIKE * max(1.0, (report.kind.interval_ns / (300 * NS_PER_S)) ** 0.5)
    before = report.previous("close")
    body = [report.piece["open"], report.piece["close"]]
    after = np.append(report.piece["open"][1:], report.piece["close"][-1:])
    top = np.maximum.reduce([before, after]).astype(np.float64)
    bottom = np.minimum.reduce([before, after]).astype(np.float64)
    high = np.maximum.reduce([*body, report.piece["high"]])
    low = np.minimum.reduce([*body, report.piece["low"]])
    up, down = high > top * (1 + limit), low < bottom / (1 + limit)
    report.add(
        "spike", (up | down) & (low > 0),
        lambda i: f"from {report.price(before[i])} to {report.price((high if up[i] else low)[i])}",
    )  # fmt: skip


class _ZeroVolume:
    """Long runs of bars in which nothing was traded."""

    def __init__(self) -> None:
        self._run = 0
        self._begin: tuple[int, int, int] = (0, 0, 0)

    def __call__(self, report: _Report) -> None:
        volume, opens = report.piece["volume"], report.piece["ts_open"]
        edges = np.flatnonzero(np.diff(np.concatenate([[1], volume != 0, [1]])))
        if self._run and (volume[0] != 0):
            self.finish(report)
        for begin, end in zip(edges[::2], edges[1::2], strict=False):
            if begin > 0 or self._run == 0:
                self._run = 0
                row = int(report.piece["seq"][begin]) + 1
                self._begin = (int(opens[begin]), row, int(report.piece["source"][begin]))
            self._run += int(end - begin)
            if end < len(volume):
                self.finish(report)

    def finish(self, report: _Report) -> None:
        if self._run >= ZERO_VOLUME_RUN:
            time, row, source = self._begin
            report.note(
                "zero_volume", 1, time, f"{self._run} bars without volume", row=row, source=source
            )
        self._run = 0


def _ids(report: _Report) -> None:
    """Ids of trades rise by one; looked at in their own order, so that disorder is no break."""
    ids = report.piece["trade_id"]
    if not ids.any():
        return
    order = np.argsort(ids, kind="stable")
    sorted_ids = ids[order]
    head = sorted_ids[:1] - 1 if report.top_id == 0 else np.array([report.top_id])
    step = sorted_ids - np.concatenate([head, sorted_ids[:-1]])
    report.top_id = max(report.top_id, int(sorted_ids[-1]))
    again, jump = np.zeros(len(ids), dtype=bool), np.zeros(len(ids), dtype=bool)
    again[order] = step == 0
    jump[order] = step > 1
    missing = np.zeros(len(ids), dtype=np.int64)
    missing[order] = step - 1
    report.add("duplicate", again, lambda i: f"trade {ids[i]} is there twice")
    report.add("broken_chain", jump, lambda i: f"{missing[i]} trades missing before trade {ids[i]}")


def _print_qty(report: _Report) -> None:
    qty = report.piece["qty"]
    report.add("bad_qty", qty <= 0, lambda i: f"qty {report.qty(qty[i])}")


def _print_spikes(report: _Report) -> None:
    _neighbour_spikes(report, "price")


def _quote_spikes(report: _Report) -> None:
    _neighbour_spikes(report, "bid_price")
    _neighbour_spikes(report, "ask_price")


def _neighbour_spikes(report: _Report, name: str) -> None:
    column = report.piece[name]
    before = report.previous(name)
    after = np.append(column[1:], column[-1:] if len(column) == 1 else before[-1:])
    up = column > np.maximum(before, after) * (1 + SPIKE)
    down = column < np.minimum(before, after) / (1 + SPIKE)
    report.add(
        "spike", (up | down) & (column > 0),
        lambda i: f"{name} {report.price(column[i])} between {report.price(before[i])} and "
        f"{report.price(after[i])}",
    )  # fmt: skip


def _quote_cross(report: _Report) -> None:
    bid, ask = report.piece["bid_price"], report.piece["ask_price"]
    crossed = (bid >= ask) & (bid > 0) & (ask > 0)
    report.add(
        "crossed", crossed, lambda i: f"bid {report.price(bid[i])}, ask {report.price(ask[i])}"
    )


def _quote_qty(report: _Report) -> None:
    for name in ("bid_qty", "ask_qty"):
        qty = report.piece[name]
        report.add("bad_qty", qty <= 0, lambda i, n=name, q=qty: f"{n} {report.qty(q[i])}")


def _quote_ids(report: _Report) -> None:
    ids = report.piece["update_id"]
    if not ids.any():
        return
    step = ids - report.previous("update_id")
    if report.before is None:
        step[0] = 1
    report.add("duplicate", step == 0, lambda i: f"update {ids[i]} is there twice")
    report.add("broken_chain", step < 0, lambda i: f"update {ids[i]} follows {ids[i] - step[i]}")


def _same_time(report: _Report) -> None:
    times = report.piece["ts_exchange"]
    again = times == report.previous("ts_exchange")
    again[0] &= report.before is not None
    report.add("duplicate", again, lambda i: f"a second row at {_at(times, i)}")


def _settlements(report: _Report) -> None:
    times, rate = report.piece["ts_exchange"], report.piece["rate"]
    step = times - report.previous("ts_exchange")
    usual = int(np.median(step[1:])) if len(step) > 1 else 0
    gap = (step > usual * 3 // 2) if usual else np.zeros(len(step), dtype=bool)
    missing = step // usual - 1 if usual else step
    report.add(
        "gap", gap,
        lambda i: f"{missing[i]} settlements, {format_span(usual)} each, before {_at(times, i)}",
        count=int(missing[gap].sum()),
    )  # fmt: skip
    report.checked.missing += int(missing[gap].sum())
    beyond = np.abs(rate) > FUNDING_RATE_MAX * 10**18
    report.add("rate", beyond, lambda i: f"rate {text(int(rate[i]), 18)}")


class _BookReplay:
    """Applies levels one by one: chains of ids, and bids at or above the ask."""

    def __init__(self) -> None:
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._bid_heap: list[int] = []
        self._ask_heap: list[int] = []
        self._last_id = 0
        self._from_snapshot = False
        self._starts_message = True
        self._was_crossed = False

    def __call__(self, report: _Report) -> None:
        piece = report.piece
        names = ("price", "qty", "flags", "first_id", "final_id", "prev_id")
        rows = zip(*(piece[name].tolist() for name in names), strict=True)
        crossed = np.zeros(len(piece["flags"]), dtype=bool)
        broken = np.zeros(len(piece["flags"]), dtype=bool)
        prints = (piece["flags"] & TICK_TRADE) != 0
        for i, (price, qty, flags, first, final, prev) in enumerate(rows):
            if flags & TICK_TRADE:
                continue
            if self._starts_message:
                broken[i] = self._breaks(flags, first, final, prev)
            self._starts_message = bool(flags & TICK_LAST)
            if flags & TICK_CLEAR:
                self._clear()
            if not flags & TICK_EMPTY:
                self._set(flags & TICK_BUY, price, qty)
            if flags & TICK_LAST:
                now = self._is_crossed()
                crossed[i] = now and not self._was_crossed
                self._was_crossed = now
        report.add("crossed", crossed, lambda i: "the book's best bid reaches its best ask")
        report.add(
            "broken_chain", broken,
            lambda i: f"update {piece['first_id'][i]} does not follow the one before",
        )  # fmt: skip
        qty_column = piece["qty"]
        wrong = (qty_column < 0) | (prints & (qty_column == 0))
        report.add("bad_qty", wrong, lambda i: f"qty {report.qty(qty_column[i])}")

    def finish(self, report: _Report) -> None:
        """Nothing is left over."""

    def _breaks(self, flags: int, first: int, final: int, prev: int) -> bool:
        last, fresh = self._last_id, self._from_snapshot
        if flags & TICK_CLEAR:
            self._last_id, self._from_snapshot = final, True
            return bool(flags & TICK_EMPTY) and last != 0  # the book was lost here
        if final == 0:
            return False
        self._last_id, self._from_snapshot = final, False
        if last == 0:
            return False
        if fresh:
            return not first - 1 <= last <= final
        return prev != last if prev else first != last + 1

    def _clear(self) -> None:
        self._bids.clear()
        self._asks.clear()
        self._bid_heap.clear()
        self._ask_heap.clear()

    def _set(self, is_bid: int, price: int, qty: int) -> None:
        levels = self._bids if is_bid else self._asks
        if qty == 0:
            levels.pop(price, None)
            return
        if price not in levels:
            heap, key = (self._bid_heap, -price) if is_bid else (self._ask_heap, price)
            heapq.heappush(heap, key)
        levels[price] = qty

    def _is_crossed(self) -> bool:
        while self._bid_heap and -self._bid_heap[0] not in self._bids:
            heapq.heappop(self._bid_heap)
        while self._ask_heap and self._ask_heap[0] not in self._asks:
            heapq.heappop(self._ask_heap)
        return bool(self._bid_heap and self._ask_heap and -self._bid_heap[0] >= self._ask_heap[0])


def _at(times: npt.NDArray[np.int64], row: int) -> str:
    return format_time(int(times[row]))
