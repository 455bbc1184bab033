"""What is looked at while the system lives: books, honesty, the exchange's own sums.

A look costs nothing of virtual time and changes nothing. It compares the engine with the exchange
at one instant; that is exact where what the engine says must have happened there before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

from veloz.exchange.model import OrderKey, Window
from veloz.exchange.words import Market, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from veloz.environments.dst.process import EngineProcess, Seat
    from veloz.environments.dst.traders import Sighting
    from veloz.exchange.exchange import Exchange
    from veloz.exchange.listing import Listing

__all__ = ["Observers", "Tape"]

_FRESH_NS = 20_000_000_000
"""No book may be shown as fit that is older; a silent stream must be noticed sooner."""

_ALL = Window(from_id=0, limit=10**9)
_DEFINITE = frozenset({"accepted", "partially_filled"})


class Tape:
    """Writes down the best prices of a symbol at each beat; the last of the exchange's drivers.

    Args:
        exchange: Whose.
        listing: Of which symbol.
        true_ns: Time that no step of a clock touches.
    """

    def __init__(self, exchange: Exchange, listing: Listing, true_ns: Callable[[], int]) -> None:
        self.times: list[int] = []
        self.true_times: list[int] = []
        self._true_ns = true_ns
        self.bids: list[float] = []
        self.asks: list[float] = []
        self._exchange = exchange
        self._listing = listing

    def step(self, now_ns: int) -> None:
        """One row."""
        best = self._exchange.book_ticker(self._listing.market, self._listing.symbol)
        self.times.append(now_ns)
        self.true_times.append(self._true_ns())
        self.bids.append(float(best.bid))
        self.asks.append(float(best.ask))

    def mid(self, at_ns: int) -> float:
        """Between the best prices at the venue's wall time; 0 if a side was empty."""
        row = max(0, bisect_right(self.times, at_ns) - 1)
        if not self.times or not self.bids[row] or not self.asks[row]:
            return 0.0
        return (self.bids[row] + self.asks[row]) / 2

    def had(self, seen: Sighting) -> bool:
        """True if both prices were the best not long before."""
        first = bisect_left(self.true_times, seen.ts - _FRESH_NS)
        last = bisect_right(self.true_times, seen.ts)
        rows = range(first, last)
        return any(self.bids[row] == seen.bid for row in rows) and any(
            self.asks[row] == seen.ask for row in rows
        )


class Observers:
    """Looks at the engine and the exchange together.

    Args:
        exchange: The truth.
        account: Ours there.
        seats: What is traded.

    Attributes:
        dishonest: Sentences about what the engine said and was not so (O8).
        imbalances: Sentences about the exchange's own ledger (O16).
        looks: How often was looked.
        sightings: What strategies saw of books (O10).
        injected: Faults that hit while a process traded: of others nobody could know (O14).
    """

    def __init__(self, exchange: Exchange, account: str, seats: Sequence[Seat]) -> None:
        self.dishonest: list[str] = []
        self.imbalances: list[str] = []
        self.looks = 0
        self.sightings: list[Sighting] = []
        self.tapes: dict[str, Tape] = {}
        self.injected: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._was_trading = False
        self._exchange = exchange
        self._account = account
        self._seats = seats
        self._shown: dict[int, set[str]] = {}
        self._came: set[tuple[Market, str]] = set()
        self._life: EngineProcess | None = None

    def look(self, process: EngineProcess, injected: Counter[str]) -> None:
        """One look, `injected` being all faults so far."""
        self.looks += 1
        is_trading = process is self._life and process.is_trading and not process.ended
        if injected != self._before:
            if is_trading and self._was_trading:
                self.injected += injected - self._before
            self._before = injected.copy()
        self._was_trading = is_trading
        self.imbalances += [str(row) for row in self._exchange.imbalance().items()]
        if process is not self._life:
            self._life, self._shown = process, {}
        if process.ended or not process.is_trading:
            return
        for number, seat in enumerate(self._seats):
            self._look_at(process, number, Market(seat.market), seat)

    def stale_sightings(self) -> list[str]:
        """O10: books that were shown as fit and were not."""
        found: list[str] = []
        for seen in self.sightings:
            if seen.bid >= seen.ask:
                found.append(f"{seen.market} was shown crossed: {seen.bid} and {seen.ask}")
            elif not self.tapes[seen.market].had(seen):
                found.append(f"{seen.market} was shown {seen.bid}, {seen.ask} at {seen.ts} ns")
        return found

    def _look_at(self, process: EngineProcess, number: int, market: Market, seat: Seat) -> None:
        rows = [row for row in process.engine.view("orders", number) if not row["origin"]]
        for row in rows:
            name, status = row["client_order_id"], row["status"]
            if status in _DEFINITE and not self._exists(market, seat.venue_symbol, name):
                self.dishonest.append(f"{name} is shown {status}, and never came to the venue")
            worst = Decimal(row["qty"]) - Decimal(row["filled_qty"])
            if status == "unknown" and abs(Decimal(row["worst_qty"])) < worst:
                self.dishonest.append(
                    f"{name} is unknown and counts {row['worst_qty']}, not {worst}"
                )
        names = {row["client_order_id"] for row in rows}
        gone = self._shown.get(number, set[str]()) - names
        if gone:
            still = gone & self._open_there(market, seat.venue_symbol)
            self.dishonest += [f"{name} is shown ended, and rests" for name in sorted(still)]
        self._shown[number] = names

    def _exists(self, market: Market, symbol: str, name: str) -> bool:
        """Whether the order ever came to the venue: what once did is not asked for again."""
        if (market, name) in self._came:
            return True
        if self._is_order(market, symbol, name) or self._is_algo(market, name):
            self._came.add((market, name))
            return True
        return False

    def _is_order(self, market: Market, symbol: str, name: str) -> bool:
        try:
            self._exchange.order(self._account, OrderKey(market, symbol, client_order_id=name))
        except Refusal:
            return False
        return True

    def _is_algo(self, market: Market, name: str) -> bool:
        if market is Market.SPOT:
            return False
        try:
            self._exchange.algo_order(self._account, market, client_algo_id=name)
        except Refusal:
            return False
        return True

    def _open_there(self, market: Market, symbol: str) -> set[str]:
        orders = self._exchange.open_orders(self._account, market, symbol)
        names = {order.client_order_id for order in orders}
        if market is not Market.SPOT:
            algos = self._exchange.algo_orders(self._account, market, symbol, _ALL, only_open=True)
            names |= {algo.client_algo_id for algo in algos}
        return names
