"""What no venue should do and some have done, on order: overfills, and two fills of one number.

Only a fault plan asks for these. The ledgers stay exact all the same: the replayed market takes the
other side of each trade, so that a client that books what it is told ends equal to the exchange.
"""

from __future__ import annotations

from veloz.exchange.booking import Booking
from veloz.exchange.floor import Floor, Instrument
from veloz.exchange.matching import Matching
from veloz.exchange.model import Order
from veloz.exchange.words import Market, OrderType, Refusal, Why

__all__ = ["Havoc"]


class Havoc:
    """Breaks the exchange's own rules.

    Args:
        floor: The state.
        booking: Books trades.
        matching: Fills what rests.
    """

    def __init__(self, floor: Floor, booking: Booking, matching: Matching) -> None:
        self.floor = floor
        self.booking = booking
        self.matching = matching

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
