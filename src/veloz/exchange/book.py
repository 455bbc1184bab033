"""The order book of one symbol: price, then time, with replayed liquidity in the same queue.

A level is a queue of entries. An entry is a client's order or a `Ghost`: quantity of the replayed
market, which nobody owns. Ghosts that the recording adds join at the back, ghosts that it takes
away leave from the back, so a client only advances by trades (matching.md, section 7, `back`).
What clients took of a level stays taken while the recording still shows it (section 6, `delta`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal

from veloz.exchange.model import Order
from veloz.exchange.money import ZERO
from veloz.exchange.words import Side


class Ghost:
    """Quantity of the replayed market at one place of a queue."""

    __slots__ = ("qty",)

    def __init__(self, qty: Decimal) -> None:
        self.qty = qty


Entry = Order | Ghost


class Level:
    """One price of one side.

    Attributes:
        entries: In order of time.
    """

    __slots__ = ("entries", "price")

    def __init__(self, price: Decimal) -> None:
        self.price = price
        self.entries: list[Entry] = []

    def ghosts(self) -> Decimal:
        """What the replayed market offers here."""
        total = ZERO
        for entry in self.entries:
            if isinstance(entry, Ghost):
                total += entry.qty
        return total

    def shown(self) -> Decimal:
        """What the public sees here."""
        total = ZERO
        for entry in self.entries:
            total += entry.qty if isinstance(entry, Ghost) else entry.visible_qty
        return total

    def orders(self) -> list[Order]:
        """The clients' orders, oldest first."""
        return [entry for entry in self.entries if isinstance(entry, Order)]

    def set_ghosts(self, qty: Decimal) -> None:
        """Makes the replayed quantity this much."""
        change = qty - self.ghosts()
        if change > 0:
            self.add_ghost(change)
            return
        if not change:
            return
        for entry in reversed(self.entries):
            if isinstance(entry, Ghost) and change < 0:
                leaving = min(entry.qty, -change)
                entry.qty -= leaving
                change += leaving
        self.sweep()

    def add_ghost(self, qty: Decimal) -> None:
        """Adds replayed quantity at the back."""
        if self.entries and isinstance(self.entries[-1], Ghost):
            self.entries[-1].qty += qty
        else:
            self.entries.append(Ghost(qty))

    def clear_way(self, order: Order) -> None:
        """Puts the ghosts ahead of an order behind it: a trade went through its price."""
        place = self.entries.index(order)
        passed = [e for e in self.entries[:place] if isinstance(e, Ghost)]
        if not passed:
            return
        self.entries = [e for e in self.entries[:place] if isinstance(e, Order)] + (
            self.entries[place:]
        )
        for ghost in passed:
            self.add_ghost(ghost.qty)

    def sweep(self) -> None:
        """Removes ghosts that are used up."""
        self.entries = [e for e in self.entries if not isinstance(e, Ghost) or e.qty > 0]


class BookSide:
    """The bids or the asks.

    Args:
        side: Which.

    Attributes:
        taken: By price, what clients took and the recording still shows.
        order_prices: Where clients' orders rest, ascending.
    """

    def __init__(self, side: Side) -> None:
        self.side = side
        self.taken: dict[Decimal, Decimal] = {}
        self.levels: dict[Decimal, Level] = {}
        self.prices: list[Decimal] = []
        self.order_prices: list[Decimal] = []
        self._counts: dict[Decimal, int] = {}

    def level(self, price: Decimal) -> Level:
        """A level; a new one if it was empty."""
        found = self.levels.get(price)
        if found is None:
            found = self.levels[price] = Level(price)
            insort(self.prices, price)
        return found

    def drop_if_empty(self, level: Level) -> None:
        """Forgets a level without entries."""
        if not level.entries and level.price in self.levels:
            del self.levels[level.price]
            del self.prices[bisect_left(self.prices, level.price)]

    def best(self) -> Decimal | None:
        """The best price; None while empty."""
        if not self.prices:
            return None
        return self.prices[-1] if self.side is Side.BUY else self.prices[0]

    def count(self, price: Decimal, change: int) -> None:
        """Notes that a client's order came to a price or left it."""
        now = self._counts.get(price, 0) + change
        if now == change:
            insort(self.order_prices, price)
        if now:
            self._counts[price] = now
        else:
            del self._counts[price]
            del self.order_prices[bisect_left(self.order_prices, price)]

    def top(self) -> tuple[Decimal, Decimal] | None:
        """The best price at which the public sees something, and how much; None while empty."""
        for price in reversed(self.prices) if self.side is Side.BUY else self.prices:
            qty = self.levels[price].shown()
            if qty:
                return price, qty
        return None

    def walk(self) -> Iterator[Level]:
        """The levels, best first; the side must not change under way."""
        for price in reversed(self.prices) if self.side is Side.BUY else self.prices:
            yield self.levels[price]

    def held_prices(self) -> list[Decimal]:
        """Where clients' orders rest, best first."""
        held = self.order_prices
        return held[::-1] if self.side is Side.BUY else held[:]

    def best_order(self) -> Order | None:
        """The client's order that is first in line; None if none rests."""
        if not self.order_prices:
            return None
        price = self.order_prices[-1 if self.side is Side.BUY else 0]
        return next(e for e in self.levels[price].entries if isinstance(e, Order))

    def best_ghost(self) -> Level | None:
        """The best level that the replayed market offers; None if it offers nothing."""
        return next((level for level in self.walk() if level.ghosts()), None)

    def reaches(self, price: Decimal, limit: Decimal | None) -> bool:
        """True if an order of the other side with this limit may trade at a price of this side."""
        if limit is None:
            return True
        return price >= limit if self.side is Side.BUY else price <= limit


class Book:
    """Both sides, and what the public knows of them."""

    def __init__(self) -> None:
        self.bids = BookSide(Side.BUY)
        self.asks = BookSide(Side.SELL)
        self.published: dict[Side, dict[Decimal, Decimal]] = {Side.BUY: {}, Side.SELL: {}}
        self.touched: set[tuple[Side, Decimal]] = set()
        self.last_update_id = 0

    def side(self, side: Side) -> BookSide:
        """The bids or the asks."""
        return self.bids if side is Side.BUY else self.asks

    def add(self, order: Order) -> None:
        """Rests an order behind everything at its price."""
        side = self.side(order.side)
        side.level(order.price).entries.append(order)
        side.count(order.price, 1)
        self.note_change(order.side, order.price)

    def remove(self, order: Order, at: Decimal | None = None) -> None:
        """Takes an order out of a price, its own if none is given; nothing if it does not rest."""
        side, price = self.side(order.side), order.price if at is None else at
        level = side.levels.get(price)
        if level is None:
            return
        kept = [entry for entry in level.entries if entry is not order]
        if len(kept) == len(level.entries):
            return
        level.entries = kept
        side.count(price, -1)
        side.drop_if_empty(level)
        self.note_change(order.side, price)

    def note_change(self, side: Side, price: Decimal) -> None:
        """Notes that the shown quantity of a level may have changed."""
        self.touched.add((side, price))

    def changes(self) -> dict[Side, list[tuple[Decimal, Decimal]]]:
        """Levels that differ from what was published, best first; they are published now."""
        found: dict[Side, list[tuple[Decimal, Decimal]]] = {Side.BUY: [], Side.SELL: []}
        for side, price in sorted(self.touched):  # a side is its word: BUY, then SELL
            level = self.side(side).levels.get(price)
            qty = level.shown() if level is not None else ZERO
            known = self.published[side]
            if qty == known.get(price, ZERO):
                continue
            if qty:
                known[price] = qty
            else:
                del known[price]
            found[side].append((price, qty))
        self.touched.clear()
        found[Side.BUY].reverse()
        return found

    def best(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Best bid, its shown quantity, best ask and its; zeros while a side is empty."""
        return (*(self.bids.top() or (ZERO, ZERO)), *(self.asks.top() or (ZERO, ZERO)))

    def depth(self, side: Side, limit: int) -> tuple[tuple[Decimal, Decimal], ...]:
        """Prices and shown quantities, best first."""
        rows: list[tuple[Decimal, Decimal]] = []
        for level in self.side(side).walk():
            if len(rows) == limit:
                break
            qty = level.shown()
            if qty:
                rows.append((level.price, qty))
        return tuple(rows)

    def replay(self, side: Side, price: Decimal, qty: Decimal) -> None:
        """Sets what the recording shows at a price."""
        book_side = self.side(side)
        taken = min(book_side.taken.pop(price, ZERO), qty)
        if taken:
            book_side.taken[price] = taken
        if qty == taken and price not in book_side.levels:
            return
        level = book_side.level(price)
        level.set_ghosts(qty - taken)
        book_side.drop_if_empty(level)
        self.note_change(side, price)

    def keep_only(self, side: Side, prices: set[Decimal]) -> None:
        """Takes away the recorded levels that a snapshot leaves out."""
        book_side = self.side(side)
        for price in [*book_side.levels, *book_side.taken]:
            if price not in prices:
                self.replay(side, price, ZERO)
