"""Replays a stored book: chains of ids that break, and bids that reach the ask."""

from __future__ import annotations

import heapq

import numpy as np

from veloz.storage.kinds import TICK_BUY, TICK_CLEAR, TICK_EMPTY, TICK_LAST, TICK_TRADE
from veloz.storage.report import Report


class BookReplay:
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

    def __call__(self, report: Report) -> None:
        """Looks at the report's piece."""
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

    def finish(self, report: Report) -> None:
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
