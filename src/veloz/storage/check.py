"""What is wrong with stored data: each kind of defect, how often, and its first row.

The rows are read a piece at a time. Rows stand in time order; where they stood in their source is
known by `seq`, so that rows out of order are found even though they were sorted on the way in.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from veloz.errors import DataError
from veloz.storage.book_replay import BookReplay
from veloz.storage.catalogue import Catalogue, Time
from veloz.storage.decimals import text
from veloz.storage.kinds import TICK_EMPTY, TICK_TRADE, Kind, kind_named
from veloz.storage.report import FUNDING_RATE_MAX, ZERO_VOLUME_RUN, Checked, Report
from veloz.storage.series import Index, content_digest
from veloz.storage.times import NS_PER_DAY, NS_PER_S, format_day, format_span, format_time

SPIKE = 0.10  # of the neighbours' price, for events and bars of at most five minutes


def check_series(
    catalogue: Catalogue, symbol: str, kind: str, start: Time | None = None, end: Time | None = None
) -> Checked:
    """Checks one series.

    Raises:
        DataError: If there is no such series, or no row in the range.
    """
    index, shape = catalogue.index(symbol, kind), kind_named(kind)
    report = Report(index, shape, catalogue.instrument(symbol))
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
        if isinstance(look, BookReplay | _ZeroVolume):
            look.finish(report)
    report.settle()
    return report.checked


def _looks(kind: Kind) -> list[Callable[[Report], None]]:
    """What to look for, by kind."""
    every: list[Callable[[Report], None]] = [_disorder, _missing_days, _prices, _off_step]
    if kind.interval_ns:
        return [*every, _bar_steps, _bar_shape, _bar_spikes, _ZeroVolume()]
    every.append(_negative_latency)
    if kind.name in ("trade", "agg_trade"):
        return [*every, _ids, _print_spikes, _print_qty]
    if kind.name == "quote":
        return [*every, _quote_cross, _quote_ids, _quote_qty, _quote_spikes]
    if kind.name == "tick":
        return [*every, BookReplay()]
    if kind.name == "funding":
        return [*every, _same_time, _settlements]
    return [*every, _same_time]


def _check_files(catalogue: Catalogue, index: Index, kind: Kind, report: Report) -> None:
    for part in index.parts:
        try:
            columns = catalogue.part_columns(index, part)
            found = content_digest(kind, part.price_scale, part.qty_scale, columns)
        except DataError as error:
            report.note("damaged", 1, part.first, str(error))
            continue
        if found != part.sha256:
            report.note("damaged", 1, part.first, f"{part.name} holds other values than written")


def _disorder(report: Report) -> None:
    seq, source = report.piece["seq"], report.piece["source"]
    # A row with a later place in its source than the row after it in time came too late.
    late = np.zeros(len(seq), dtype=bool)
    late[:-1] = (seq[:-1] > seq[1:]) & (source[:-1] == source[1:])
    report.add("disorder", late, lambda i: f"row {seq[i] + 1} came after rows of a later time")


def _missing_days(report: Report) -> None:
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


def _prices(report: Report) -> None:
    names = {"mark": ("mark",), "index": ("index",)}.get(report.kind.name, report.kind.prices)
    for name in names:
        column = report.piece[name]
        wrong = column <= 0
        if report.kind.name == "tick":
            wrong &= (report.piece["flags"] & TICK_EMPTY) == 0
        report.add("bad_price", wrong, lambda i, n=name, c=column: f"{n} {report.price(c[i])}")


def _off_step(report: Report) -> None:
    tick, lot = report.instrument.tick, report.instrument.lot
    # Orders that were placed before a venue made its tick coarser may rest in a book for years.
    judged = np.ones(len(report.piece["seq"]), dtype=bool)
    if report.kind.name == "tick":
        judged = (report.piece["flags"] & TICK_TRADE) != 0
    for name in report.kind.prices:
        column = report.piece[name]
        report.add(
            "off_tick", (column % tick != 0) & judged,
            lambda i, n=name, c=column: f"{n} {report.price(c[i])}, tick {report.price(tick)}",
        )  # fmt: skip
    for name in report.kind.qtys:
        column = report.piece[name]
        report.add(
            "off_lot", (column % lot != 0) & judged,
            lambda i, n=name, c=column: f"{n} {report.qty(c[i])}, lot {report.qty(lot)}",
        )  # fmt: skip


def _negative_latency(report: Report) -> None:
    latency = report.piece["ts_feed"] - report.piece["ts_exchange"]
    report.add("negative_latency", latency < 0, lambda i: f"arrives {-latency[i]} ns too early")


def _bar_steps(report: Report) -> None:
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


def _bar_shape(report: Report) -> None:
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


def _bar_spikes(report: Report) -> None:
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

    def __call__(self, report: Report) -> None:
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

    def finish(self, report: Report) -> None:
        if self._run >= ZERO_VOLUME_RUN:
            time, row, source = self._begin
            report.note(
                "zero_volume", 1, time, f"{self._run} bars without volume", row=row, source=source
            )
        self._run = 0


def _ids(report: Report) -> None:
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


def _print_qty(report: Report) -> None:
    qty = report.piece["qty"]
    report.add("bad_qty", qty <= 0, lambda i: f"qty {report.qty(qty[i])}")


def _print_spikes(report: Report) -> None:
    _neighbour_spikes(report, "price")


def _quote_spikes(report: Report) -> None:
    _neighbour_spikes(report, "bid_price")
    _neighbour_spikes(report, "ask_price")


def _neighbour_spikes(report: Report, name: str) -> None:
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


def _quote_cross(report: Report) -> None:
    bid, ask = report.piece["bid_price"], report.piece["ask_price"]
    crossed = (bid >= ask) & (bid > 0) & (ask > 0)
    report.add(
        "crossed", crossed, lambda i: f"bid {report.price(bid[i])}, ask {report.price(ask[i])}"
    )


def _quote_qty(report: Report) -> None:
    for name in ("bid_qty", "ask_qty"):
        qty = report.piece[name]
        report.add("bad_qty", qty <= 0, lambda i, n=name, q=qty: f"{n} {report.qty(q[i])}")


def _quote_ids(report: Report) -> None:
    ids = report.piece["update_id"]
    if not ids.any():
        return
    before = report.previous("update_id")
    step = np.where((ids == 0) | (before == 0), 1, ids - before)  # zero: the source gave none
    if report.before is None:
        step[0] = 1
    report.add("duplicate", step == 0, lambda i: f"update {ids[i]} is there twice")
    report.add("broken_chain", step < 0, lambda i: f"update {ids[i]} follows {ids[i] - step[i]}")


def _same_time(report: Report) -> None:
    times = report.piece["ts_exchange"]
    again = times == report.previous("ts_exchange")
    again[0] &= report.before is not None
    report.add("duplicate", again, lambda i: f"a second row at {_at(times, i)}")


def _settlements(report: Report) -> None:
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


def _at(times: npt.NDArray[np.int64], row: int) -> str:
    return format_time(int(times[row]))
