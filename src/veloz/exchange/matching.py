"""Price, then time: how an order that is admitted meets the book.

The taker always meets the head of the best level, so nothing that a trade sets off elsewhere
(a reduce-only order cut, an order prevented) can leave a stale place behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from veloz.exchange.book import Ghost, Level
from veloz.exchange.booking import Booking
from veloz.exchange.events import Execution, OrderEvent
from veloz.exchange.floor import Floor, Instrument
from veloz.exchange.holding import worth
from veloz.exchange.ledger import closes
from veloz.exchange.model import Order, PreventedMatch, Print
from veloz.exchange.money import ONE, ZERO, floor_to, ratio
from veloz.exchange.words import (
    ExpireReason,
    Market,
    OrderStatus,
    OrderType,
    Side,
    StpMode,
    SymbolStatus,
    TimeInForce,
)


@dataclass(frozen=True)
class Walk:
    """What an order could take now.

    Attributes:
        worst: The last price; None if nothing is there.
    """

    qty: Decimal
    quote: Decimal
    worst: Decimal | None


Levels = Iterable[tuple[Decimal, Decimal]]


class Matching:
    """The matching of all symbols.

    Args:
        floor: The state.
        booking: Where trades are written.
    """

    def __init__(self, floor: Floor, booking: Booking) -> None:
        self.floor = floor
        self.booking = booking

    # Looking.

    def would_take(self, instrument: Instrument, side: Side, price: Decimal) -> bool:
        """True if an order with this limit would trade on arrival."""
        other = instrument.book.side(side.opposite)
        best = other.best()
        return best is not None and other.reaches(best, price)

    def band(self, instrument: Instrument, side: Side) -> Decimal | None:
        """The price beyond which a market order of a contract does not fill."""
        listing = instrument.listing
        mark = self.floor.marks[listing.market].get(listing.symbol)
        if listing.market_take_bound is None or mark is None:
            return None
        return mark * (ONE + listing.market_take_bound * side.sign)

    def look(self, order: Order, limit: Decimal | None) -> Walk:
        """What an order could take up to a limit, without own orders that it may not meet."""
        instrument = self.floor.instruments[order.market, order.symbol]
        listing = instrument.listing
        other = instrument.book.side(order.side.opposite)
        qty, quote, worst = ZERO, ZERO, None
        for level in other.walk():
            if not other.reaches(level.price, limit):
                break
            here = level.ghosts()
            for maker in level.orders():
                if maker.account != order.account or order.stp_mode is StpMode.NONE:
                    here += maker.left
            wanted = self._wanted(order, level.price, qty, quote)
            here = min(here, wanted)
            if here:
                qty += here
                quote += worth(listing, here, level.price)
                worst = level.price
            if here == wanted:
                break
        return Walk(qty, quote, worst)

    def _wanted(self, order: Order, price: Decimal, qty: Decimal, quote: Decimal) -> Decimal:
        """What an order still wants at a price after a quantity and quote amount."""
        if order.quote_qty is None:
            return order.left - qty
        listing = self.floor.listings[order.market][order.symbol]
        step = listing.market_lot.step or listing.lot.step
        spare = order.quote_qty - order.executed_quote - quote
        return floor_to(ratio(max(spare, ZERO), price), step) if step else ZERO

    # Taking.

    def take(self, order: Order, limit: Decimal | None) -> ExpireReason:
        """Trades until the order is done, its limit is reached, or nothing is left.

        Returns:
            NONE, or why the order must end now (self-trade prevention, reduce-only).
        """
        instrument = self.floor.instruments[order.market, order.symbol]
        other = instrument.book.side(order.side.opposite)
        while True:
            best = other.best()
            if best is None or not other.reaches(best, limit):
                return ExpireReason.NONE
            if (reason := self.cut_to_position(order)) is not ExpireReason.NONE:
                return reason
            wanted = self._wanted(order, best, ZERO, ZERO)
            if wanted <= 0:
                return ExpireReason.NONE
            level = other.levels[best]
            head = level.entries[0]
            if isinstance(head, Ghost):
                self._take_ghost(instrument, order, level, min(wanted, head.qty))
            elif head.account == order.account and order.stp_mode is not StpMode.NONE:
                if self._prevent(order, head):
                    return ExpireReason.STP
            else:
                self._take_order(instrument, order, head, wanted)

    def _take_ghost(self, instrument: Instrument, order: Order, level: Level, qty: Decimal) -> None:
        other = instrument.book.side(order.side.opposite)
        self._eat(level, qty)
        other.taken[level.price] = other.taken.get(level.price, ZERO) + qty
        other.drop_if_empty(level)
        instrument.book.note_change(other.side, level.price)
        self.booking.trade(
            instrument, level.price, qty, taker=order, maker=None, taker_side=order.side
        )
        self.trim(order)

    def _eat(self, level: Level, qty: Decimal) -> None:
        """Takes quantity of the ghost at the head of a level."""
        head = level.entries[0]
        if isinstance(head, Ghost):
            head.qty -= qty
            if head.qty <= 0:
                level.entries.pop(0)

    def _take_order(
        self, instrument: Instrument, order: Order, maker: Order, wanted: Decimal
    ) -> None:
        if self.cut_to_position(maker) is not ExpireReason.NONE:
            self.booking.expire(maker, ExpireReason.REDUCE_ONLY)
            return
        qty = min(wanted, maker.visible_qty)
        self.fill_maker(instrument, maker, qty, order)
        self.trim(order)

    def fill_maker(
        self, instrument: Instrument, maker: Order, qty: Decimal, taker: Order | None
    ) -> None:
        """Fills a resting order, at its price, against an order or the replayed market."""
        maker.visible_qty -= qty
        self.booking.trade(
            instrument, maker.price, qty, taker=taker, maker=maker, taker_side=maker.side.opposite
        )
        book = instrument.book
        book.note_change(maker.side, maker.price)
        if not maker.left:
            book.remove(maker)
        elif not maker.visible_qty:
            # The next slice of an iceberg order joins at the back.
            book.remove(maker)
            maker.visible_qty = min(maker.iceberg_qty or maker.left, maker.left)
            book.add(maker)
        self.trim(maker)

    def _prevent(self, taker: Order, maker: Order) -> bool:
        """Self-trade prevention by the taker's mode; True if the taker must end."""
        mode = taker.stp_mode
        if mode is not StpMode.DECREMENT:
            self._note_prevention(taker, maker)
            if mode in {StpMode.EXPIRE_MAKER, StpMode.EXPIRE_BOTH}:
                self.booking.expire(maker, ExpireReason.STP)
            return mode in {StpMode.EXPIRE_TAKER, StpMode.EXPIRE_BOTH}
        qty = min(taker.left, maker.left)
        self._note_prevention(taker, maker)
        for order in (maker, taker):
            order.prevented_qty += qty
            self.booking.shrink(order, qty, Execution.TRADE_PREVENTION)
        if not maker.left:
            self.booking.expire(maker, ExpireReason.STP)
        return not taker.left

    def _note_prevention(self, taker: Order, maker: Order) -> None:
        desk = self.floor.accounts[taker.account].desks[taker.market]
        number = self.floor.following(f"prevented {taker.market} {taker.symbol}")
        now = self.floor.now_ns()
        match = PreventedMatch(
            taker.symbol,
            number,
            taker.order_id,
            maker.order_id,
            taker.stp_mode,
            maker.price,
            taker.left,
            maker.left,
            now,
        )
        desk.prevented.append(match)

    # After a market or limit order has taken what it could.

    def rest_or_end(self, order: Order, stopped: ExpireReason) -> None:
        """Rests what is left, or ends the order with the reason."""
        desk = self.floor.accounts[order.account].desks[order.market]
        if order.quote_qty is not None and order.status.is_open:
            self._end_quote(order, stopped)
        elif order.status is OrderStatus.FILLED or not order.status.is_open:
            self.booking.release(order)
        elif stopped is not ExpireReason.NONE:
            self.booking.expire(order, stopped)
        elif not order.type.has_limit:
            reason = ExpireReason.NO_LIQUIDITY
            if order.type is not OrderType.LIQUIDATION and self._beyond_band(order):
                reason = ExpireReason.PRICE_RANGE
            self.booking.expire(order, reason)
        elif order.tif in {TimeInForce.IOC, TimeInForce.FOK}:
            reason = ExpireReason.IOC if order.tif is TimeInForce.IOC else ExpireReason.FOK
            self.booking.expire(order, reason)
        else:
            order.visible_qty = min(order.iceberg_qty or order.left, order.left)
            self.floor.instruments[order.market, order.symbol].book.add(order)
            desk.open[order.order_id] = order

    def _beyond_band(self, order: Order) -> bool:
        instrument = self.floor.instruments[order.market, order.symbol]
        return instrument.book.side(order.side.opposite).best() is not None

    def _end_quote(self, order: Order, stopped: ExpireReason) -> None:
        """A quote quantity is filled when no further lot is affordable."""
        instrument = self.floor.instruments[order.market, order.symbol]
        best = instrument.book.side(order.side.opposite).best()
        order.qty = order.executed_qty
        if stopped is ExpireReason.NONE and order.executed_qty and best is not None:
            order.status = OrderStatus.FILLED
            self.floor.accounts[order.account].desks[order.market].open.pop(order.order_id, None)
            last = order.fills[-1]
            event = next(
                e
                for e in reversed(self.floor.outbox)
                if isinstance(e, OrderEvent) and e.fill is last
            )
            event.order.status, event.order.qty = OrderStatus.FILLED, order.qty
        else:
            self.booking.expire(
                order, stopped if stopped is not ExpireReason.NONE else ExpireReason.NO_LIQUIDITY
            )

    # Reduce-only.

    def room(self, order: Order) -> Decimal | None:
        """What an order may close; None if it is free to open."""
        if order.market is Market.SPOT:
            return None
        if not order.reduce_only and not closes(order.position_side, order.side):
            return None
        ledger = self.floor.accounts[order.account].desks[order.market].ledger
        held = ledger.holding(order.symbol, order.position_side).qty
        return abs(held) if held and (held > 0) == (order.side is Side.SELL) else ZERO

    def cut_to_position(self, order: Order) -> ExpireReason:
        """Cuts an order that may only close; REDUCE_ONLY if nothing is left to close."""
        room = self.room(order)
        if room is None or order.left <= room:
            return ExpireReason.NONE
        if not room:
            return ExpireReason.REDUCE_ONLY
        gone = order.left - room
        order.qty -= gone
        self.booking.shrink(order, gone, Execution.AMENDMENT)
        return ExpireReason.NONE

    def trim(self, changed: Order) -> None:
        """Cuts or ends the account's resting orders that may only close, after a position moved."""
        if changed.market is Market.SPOT or changed.type is OrderType.LIQUIDATION:
            return
        self.trim_all(changed.account, changed.market, changed.symbol, changed)

    def trim_all(
        self, account: str, market: Market, symbol: str, besides: Order | None = None
    ) -> None:
        """Cuts or ends every resting order of a symbol that may only close."""
        desk = self.floor.accounts[account].desks[market]
        for order in list(desk.open.values()):
            if order.symbol != symbol or order is besides or not order.is_working:
                continue
            if self.room(order) is None:
                continue
            if self.cut_to_position(order) is not ExpireReason.NONE:
                self.booking.expire(order, ExpireReason.REDUCE_ONLY)

    # Trades and levels of the recording.

    def replay_book(
        self, instrument: Instrument, bids: Levels, asks: Levels, *, is_snapshot: bool
    ) -> None:
        """Sets levels of the recording; then whoever is crossed by them trades."""
        for side, rows in ((Side.BUY, list(bids)), (Side.SELL, list(asks))):
            if is_snapshot:
                instrument.book.keep_only(side, {price for price, _ in rows})
            for price, qty in rows:
                instrument.book.replay(side, price, qty)
        if instrument.listing.status is SymbolStatus.TRADING:
            self.meet_replayed(instrument)

    def replay_trade(
        self, instrument: Instrument, price: Decimal, qty: Decimal, taker: Side
    ) -> None:
        """A recorded trade: it fills clients' orders that it reached; the rest is only printed."""
        left = qty
        trading = instrument.listing.status is SymbolStatus.TRADING
        for side in (Side.BUY, Side.SELL) if trading else ():
            book_side = instrument.book.side(side)
            for held in book_side.held_prices():
                met = held == price and taker is side
                beyond = held > price if side is Side.BUY else held < price
                level = book_side.levels.get(held)
                if not (met or beyond) or not left or level is None:
                    break
                for order in level.orders():
                    if left and order.status.is_open:
                        level.clear_way(order)
                        left -= self._fill_by_print(instrument, order, left)
        if trading:
            left = self._walk_print(instrument, price, left, taker)
        if left:
            number = instrument.tape.last_id + 1
            listing, ts = instrument.listing, self.floor.now_ns()
            trade = Print(
                listing.market, listing.symbol, number, price, left, taker is Side.SELL, ts
            )
            self.booking.print(instrument, trade)

    def _walk_print(
        self, instrument: Instrument, price: Decimal, qty: Decimal, taker: Side
    ) -> Decimal:
        """Walks the queue at a print's price; returns what only ghosts traded."""
        book_side = instrument.book.side(taker.opposite)
        level = book_side.levels.get(price)
        printed, left = ZERO, qty
        while left and level is not None and level.entries:
            head = level.entries[0]
            if isinstance(head, Ghost):
                eaten = min(left, head.qty)
                self._eat(level, eaten)
                printed += eaten
                left -= eaten
            else:
                left -= self._fill_by_print(instrument, head, left)
            level = book_side.levels.get(price)
        if level is not None:
            book_side.drop_if_empty(level)
        instrument.book.note_change(book_side.side, price)
        return left + printed

    def _fill_by_print(self, instrument: Instrument, order: Order, qty: Decimal) -> Decimal:
        """Fills a resting order by a recorded trade; returns how much."""
        if self.cut_to_position(order) is not ExpireReason.NONE:
            self.booking.expire(order, ExpireReason.REDUCE_ONLY)
            return ZERO
        filled = min(qty, order.visible_qty)
        self.fill_maker(instrument, order, filled, None)
        return filled

    def meet_replayed(self, instrument: Instrument) -> None:
        """Clients' orders that the replayed book now crosses fill at their own price."""
        for side in (Side.BUY, Side.SELL):
            own, other = instrument.book.side(side), instrument.book.side(side.opposite)
            while own.order_prices:
                order, best = own.best_order(), other.best()
                if order is None or best is None or not other.reaches(best, order.price):
                    break
                level = other.best_ghost()
                if level is None or not other.reaches(level.price, order.price):
                    break
                ghost = next(e for e in level.entries if isinstance(e, Ghost))
                qty = min(order.visible_qty, ghost.qty)
                if self.cut_to_position(order) is not ExpireReason.NONE:
                    self.booking.expire(order, ExpireReason.REDUCE_ONLY)
                    continue
                qty = min(qty, order.visible_qty)
                ghost.qty -= qty
                level.sweep()
                other.taken[level.price] = other.taken.get(level.price, ZERO) + qty
                other.drop_if_empty(level)
                instrument.book.note_change(other.side, level.price)
                self.fill_maker(instrument, order, qty, None)
