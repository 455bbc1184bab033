"""What no venue should do and some have done, on order: overfills, and two fills of one number.

Only a fault plan asks for these. The ledgers stay exact all the same: the replayed market takes the
other side of each trade, so that a client that books what it is told ends equal to the exchange.
"""

from __future__ import annotations

from veloz.exchange.booking import Booking
from veloz.exchange.floor import Floor, Instrument
from veloz.exchange.matching import Matching
from veloz.exchange.model import Order, OrderRequest
from veloz.exchange.placing import Placing
from veloz.exchange.words import Market, OrderStatus, OrderType, Refusal, Side, Why

__all__ = ["Havoc"]

_HEARD_NS = 8_000_000_000
_NO_PROGRAM = ("web_", "autoclose-", "adl_", "settlement_")


class Havoc:
    """Breaks the exchange's own rules.

    Args:
        floor: The state.
        booking: Books trades.
        matching: Fills what rests.
        placing: Takes orders in.

    Attributes:
        doubled: Market and client id of each order that was taken in by `namesake`.
    """

    def __init__(
        self, floor: Floor, booking: Booking, matching: Matching, placing: Placing
    ) -> None:
        self.floor = floor
        self.booking = booking
        self.matching = matching
        self.placing = placing
        self.doubled: list[tuple[Market, str]] = []

    def reissue(self, account: str, market: Market, symbol: str, side: Side) -> Order:
        """Gives the number of an order that was filled to another one, by hand (F-G03).

        Nothing but its trades is left of the one that had the number.

        Raises:
            Refusal: No order of the account was filled some time ago, or the new one is refused.
        """
        old = self._filled(account, market, symbol)
        counter = f"order {market}"
        highest = self.floor.counters[counter]
        self.floor.counters[counter] = old.order_id - 1
        try:
            order = self.placing.place(account, self._by_hand(old, side, None))
        finally:
            self.floor.counters[counter] = highest
        self.floor.accounts[account].desks[market].by_client_id.pop(
            (symbol, old.client_order_id), None
        )
        return order

    def namesake(self, account: str, market: Market, symbol: str, side: Side) -> Order:
        """Takes another order under the client id of one that was filled (F-G05).

        Venues do that: a client id is unique among open orders only.

        Raises:
            Refusal: No order of the account was filled some time ago, or the new one is refused.
        """
        old = self._filled(account, market, symbol)
        request = self._by_hand(old, side, old.client_order_id)
        order = self.placing.place(account, request)
        self.doubled.append((market, order.client_order_id))
        return order

    def _by_hand(self, old: Order, side: Side, name: str | None) -> OrderRequest:
        return OrderRequest(
            market=old.market,
            symbol=old.symbol,
            side=side,
            type=OrderType.MARKET,
            qty=old.executed_qty,
            client_order_id=name or f"web_{self.floor.client_id()}",
        )

    def _filled(self, account: str, market: Market, symbol: str) -> Order:
        """The newest plain order of a program that was filled, its end long since heard of."""
        until = self.floor.now_ns() - _HEARD_NS
        for order in reversed(self.floor.accounts[account].desks[market].orders.values()):
            is_plain = order.algo_id is None and order.list_id < 0 and order.symbol == symbol
            is_programs = not order.client_order_id.startswith(_NO_PROGRAM)
            is_old = order.status is OrderStatus.FILLED and order.updated_ns <= until
            if is_plain and is_programs and is_old:
                return order
        raise Refusal(Why.BAD_REQUEST, "no order of the account was filled there")

    def overfill(self, account: str, market: Market, symbol: str) -> Order:
        """Fills a resting order, and then a least quantity beyond it (F-D09).

        Raises:
            Refusal: No plain order of the account rests there.
        """
        instrument, order = self._resting(account, market, symbol, lots=1)
        more = instrument.listing.lot.minimum
        self.matching.fill_maker(instrument, order, order.left, None)
        taking = order.side.opposite
        self.booking.trade(
            instrument, order.price, more, taker=None, maker=order, taker_side=taking
        )
        return order

    def twin_fills(self, account: str, market: Market, symbol: str) -> Order:
        """Fills a resting order in two parts, of other quantities, under one trade id (F-D04).

        Raises:
            Refusal: No plain order of the account rests there with room for both.
        """
        instrument, order = self._resting(account, market, symbol, lots=3)
        lot = instrument.listing.lot.minimum
        self.matching.fill_maker(instrument, order, lot, None)
        self.booking.echo(instrument, order, 2 * lot)
        order.visible_qty = order.left
        instrument.book.note_change(order.side, order.price)
        return order

    def _resting(
        self, account: str, market: Market, symbol: str, *, lots: int
    ) -> tuple[Instrument, Order]:
        instrument = self.floor.instruments[market, symbol]
        least = instrument.listing.lot.minimum * lots
        for order in self.floor.accounts[account].desks[market].open.values():
            is_plain = order.type in {OrderType.LIMIT, OrderType.LIMIT_MAKER} and order.is_working
            is_whole = order.visible_qty == order.left > least and order.list_id < 0
            if order.symbol == symbol and is_plain and is_whole and not order.reduce_only:
                return instrument, order
        raise Refusal(Why.BAD_REQUEST, "no order of the account rests there")
