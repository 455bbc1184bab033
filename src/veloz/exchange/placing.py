"""From a request to a working order: what is refused, what is locked, how it enters the book."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from veloz.exchange import filters, margin
from veloz.exchange.booking import Booking
from veloz.exchange.events import Execution
from veloz.exchange.floor import Floor, Instrument
from veloz.exchange.ledger import Commitment, closes
from veloz.exchange.matching import Matching
from veloz.exchange.model import Order, OrderRequest
from veloz.exchange.money import ZERO, round_up
from veloz.exchange.timers import Timers
from veloz.exchange.words import (
    ExpireReason,
    Market,
    OrderStatus,
    OrderType,
    PriceMatch,
    Refusal,
    Side,
    TimeInForce,
    Why,
    WorkingType,
)


class Placing:
    """Admits orders.

    Args:
        floor: The state.
        booking: Where orders are written.
        matching: Where they trade.
        timers: What wakes good-till-date orders.
    """

    def __init__(self, floor: Floor, booking: Booking, matching: Matching, timers: Timers) -> None:
        self.floor = floor
        self.booking = booking
        self.matching = matching
        self.timers = timers

    def place(self, name: str, request: OrderRequest) -> Order:
        """Places an order of a client."""
        order = self.drafted(name, request)
        self.judge(order)
        self.enter(order)
        return order

    def drafted(
        self, name: str, request: OrderRequest, *, list_id: int = -1, algo_id: int | None = None
    ) -> Order:
        """The order of a request that passes its own and the listing's limits; not yet entered."""
        account = self.floor.account(name)
        instrument = self.floor.instrument(request.market, request.symbol)
        desk, listing = account.desks[request.market], instrument.listing
        request = self._priced(instrument, request)
        is_market = not request.type.has_limit
        client_id = request.client_order_id
        if client_id is None:
            client_id = self.floor.client_id()
        if desk.open_client_id(request.symbol, client_id):
            raise Refusal(Why.DUPLICATE_CLIENT_ID, f"an open order is named {client_id}")
        filters.check_open(listing)
        if request.market is not Market.SPOT and request.type.is_conditional:
            raise Refusal(Why.USE_ALGO, "conditional orders of contracts go to the algo service")
        filters.check_shape(account, listing, request, self.floor.now_ns())
        filters.check_prices(listing, request)
        self._check_size(instrument, request, is_market=is_market)
        filters.check_counts(desk, instrument, request)
        filters.check_max_position(desk, listing, request)
        return self._order(name, instrument, request, (client_id, list_id, algo_id))

    def _check_size(
        self, instrument: Instrument, request: OrderRequest, *, is_market: bool
    ) -> None:
        listing = instrument.listing
        now, marks = self.floor.now_ns(), self.floor.marks[listing.market]
        reference = filters.reference_price(instrument, marks, now)
        price = request.price or request.stop_price or reference
        if request.qty is not None:
            filters.check_qty(listing, request.qty, is_market=is_market)
            if request.iceberg_qty is not None:
                filters.check_qty(listing, request.iceberg_qty, is_market=False)
            if not request.reduce_only and not closes(request.position_side, request.side):
                filters.check_notional(listing, request.qty, price, is_market=is_market)
        if request.quote_qty is not None and request.quote_qty < listing.min_notional:
            least = listing.min_notional
            raise Refusal(Why.MIN_NOTIONAL, f"{request.quote_qty} is less than {least}")
        if request.price is not None:
            filters.check_percent(listing, request.side, request.price, reference)
        best = instrument.quote(request.side.opposite)
        if is_market and listing.market is not Market.SPOT and best is not None:
            try:
                filters.check_percent(listing, request.side, best, reference)
            except Refusal as refusal:
                raise Refusal(Why.PERCENT_PRICE_MARKET, refusal.detail) from None

    def _priced(self, instrument: Instrument, request: OrderRequest) -> OrderRequest:
        """The request with the limit price that the book gives it."""
        match = request.price_match
        if match is None:
            return request
        if request.price is not None:
            raise Refusal(Why.BAD_REQUEST, "give price or price_match, not both")
        if request.type.is_conditional:
            return request
        return replace(request, price=self.matched_price(instrument, request.side, match))

    def matched_price(
        self, instrument: Instrument, side: Side, match: PriceMatch | None
    ) -> Decimal:
        """The price of the level that a price match names; refused if the book has none."""
        name = "" if match is None else match.value
        place = int(name.partition("_")[2] or 1)
        rows = instrument.book.depth(side if name.startswith("QUEUE") else side.opposite, place)
        if not rows:
            raise Refusal(Why.NO_PRICE, f"the book has no level for {name}")
        return rows[-1][0]

    def _order(
        self,
        name: str,
        instrument: Instrument,
        request: OrderRequest,
        links: tuple[str, int, int | None],
    ) -> Order:
        now, listing = self.floor.now_ns(), instrument.listing
        tif = TimeInForce.GTC if not request.type.has_limit else filters.tif_of(request)
        return Order(
            request.market,
            name,
            request.symbol,
            0,
            links[0],
            request.side,
            request.type,
            request.type,
            tif,
            request.qty or ZERO,
            request.price or ZERO,
            OrderStatus.NEW,
            now,
            now,
            quote_qty=request.quote_qty,
            stop_price=request.stop_price,
            trailing_delta=request.trailing_delta,
            iceberg_qty=request.iceberg_qty,
            stp_mode=request.stp_mode or listing.stp_default,
            position_side=request.position_side,
            reduce_only=request.reduce_only,
            price_match=request.price_match,
            working_type=request.working_type,
            price_protect=request.price_protect,
            good_till_ns=request.good_till_ns,
            list_id=links[1],
            algo_id=links[2],
            strategy_id=request.strategy_id,
            strategy_type=request.strategy_type,
        )

    # What depends on the account and the book of the moment.

    def judge(self, order: Order, *, funds: bool = True) -> None:
        """Refuses what money, position, trigger or the book do not allow; changes only its size."""
        self._judge_position(order)
        instrument = self.floor.instruments[order.market, order.symbol]
        if funds:
            self.judge_funds(order)
        if order.type.is_conditional:
            if self.would_trigger(instrument, order):
                raise Refusal(Why.WOULD_TRIGGER, f"{order.stop_price} is already reached")
            return
        posts = order.type is OrderType.LIMIT_MAKER or order.tif is TimeInForce.GTX
        if posts and self.matching.would_take(instrument, order.side, order.price):
            raise Refusal(Why.WOULD_TAKE, f"{order.price} would match at once")
        if order.tif is TimeInForce.FOK and order.market is not Market.SPOT:
            found = self.matching.look(order, order.price).qty
            if found < order.left:
                raise Refusal(Why.FOK, f"{found} of {order.left} could be filled")

    def _judge_position(self, order: Order) -> None:
        room = self.matching.room(order)
        if room is None:
            return
        if not room or (room < order.qty and not order.reduce_only):
            raise Refusal(Why.REDUCE_ONLY, f"{order.qty} of a position of {room}")
        order.qty = min(order.qty, room)

    def would_trigger(self, instrument: Instrument, order: Order) -> bool:
        """True if the trigger of a fixed stop or target is already reached."""
        last = instrument.tape.last_price
        if order.working_type is WorkingType.MARK:
            last = self.floor.marks[order.market].get(order.symbol)
        if order.stop_price is None or order.trailing_delta is not None or last is None:
            return False
        upward = order.type.is_stop == (order.side is Side.BUY)
        return last >= order.stop_price if upward else last <= order.stop_price

    def judge_funds(self, order: Order) -> None:
        """Refuses an order whose coins or margin are not there."""
        if order.market is Market.SPOT:
            self._judge_coins(order)
        elif self.matching.room(order) is None:
            self._judge_margin(order)

    def _judge_coins(self, order: Order) -> None:
        desk = self.floor.accounts[order.account].desks[Market.SPOT]
        listing = self.floor.listings[Market.SPOT][order.symbol]
        asset = listing.quote if order.side is Side.BUY else listing.base
        needed = order.qty
        if order.side is Side.BUY and (order.type.has_limit or order.type.is_conditional):
            price = order.price or order.stop_price or ZERO
            needed = round_up(order.qty * price, desk.ledger.scale(asset))
        elif order.side is Side.BUY or order.quote_qty is not None:
            walk = self.matching.look(order, None)
            needed = walk.qty
            if order.side is Side.BUY:
                needed = round_up(walk.quote, desk.ledger.scale(asset))
                needed = max(needed, order.quote_qty or ZERO)
        free = desk.ledger.unlocked(asset)
        if needed > free:
            raise Refusal(Why.INSUFFICIENT_BALANCE, f"{needed} {asset} of {free} free")

    def _judge_margin(self, order: Order) -> None:
        ledger = self.floor.accounts[order.account].desks[order.market].ledger
        listing = self.floor.listings[order.market][order.symbol]
        price = order.price or self._likely_price(order)
        draft = Commitment(order.symbol, order.side, order.left, price, order.position_side)
        before = margin.exposure(ledger, order.symbol)
        ledger.orders["draft"] = draft
        try:
            grown = margin.exposure(ledger, order.symbol)
            pool = margin.pool(ledger, listing.settle)
        finally:
            del ledger.orders["draft"]
        if grown <= before:
            return
        spare = pool.available - margin.open_loss(ledger, draft)
        if spare < 0:
            raise Refusal(Why.INSUFFICIENT_MARGIN, f"{-spare:.8f} {listing.settle} are missing")
        largest = margin.max_notional(listing, ledger.leverages[order.symbol])
        held = sum(
            (
                margin.notional(ledger, order.symbol, holding)
                for name, _, holding in ledger.held(listing.settle)
                if name == order.symbol
            ),
            ZERO,
        )
        if largest is not None and held + grown > largest:
            detail = f"{held + grown:.8f} is more than the {largest} that the leverage allows"
            raise Refusal(Why.MAX_LEVERAGE_NOTIONAL, detail)

    def _likely_price(self, order: Order) -> Decimal:
        """What a market order would pay at worst; the mark while nothing is offered."""
        instrument = self.floor.instruments[order.market, order.symbol]
        limit = self.matching.band(instrument, order.side)
        worst = self.matching.look(order, limit).worst
        mark = self.floor.marks[order.market].get(order.symbol)
        price = worst or mark or instrument.tape.last_price
        if price is None:
            raise Refusal(Why.NO_PRICE, f"{order.symbol} has no price yet")
        return price

    # Entering.

    def register(self, order: Order) -> None:
        """Gives an order its number and its place among the account's orders."""
        order.order_id = self.floor.following(f"order {order.market}")
        desk = self.floor.accounts[order.account].desks[order.market]
        desk.orders[order.order_id] = order
        desk.open[order.order_id] = order
        desk.by_client_id[order.symbol, order.client_order_id] = order.order_id

    def enter(self, order: Order) -> None:
        """Takes an admitted order in: it waits for its trigger or meets the book."""
        self.register(order)
        self.start(order)

    def start(self, order: Order) -> None:
        """Lets a registered order begin."""
        order.status = OrderStatus.NEW
        if order.type.is_conditional:
            self.arm(order)
        else:
            self.booking.order_event(order, Execution.NEW)
            self.work(order)

    def arm(self, order: Order, *, lock: bool = True) -> None:
        """Lets a conditional order wait for its trigger."""
        instrument = self.floor.instruments[order.market, order.symbol]
        if lock:
            self.booking.commit(order)
        if order.trailing_delta is not None and order.stop_price is None:
            order.trailing_extreme = instrument.tape.last_price
        instrument.waiting.append(order)
        self.booking.order_event(order, Execution.NEW)

    def work(self, order: Order) -> None:
        """Lets an order meet the book now."""
        instrument = self.floor.instruments[order.market, order.symbol]
        order.is_working, order.working_ns = True, self.floor.now_ns()
        limit = self.matching.band(instrument, order.side)
        if order.type.has_limit:
            limit = order.price
            self.booking.commit(order)
        if order.tif is TimeInForce.FOK and self.matching.look(order, limit).qty < order.left:
            self.booking.expire(order, ExpireReason.FOK)
            return
        if order.tif is TimeInForce.GTD and order.good_till_ns is not None:
            self.timers.at(order.good_till_ns, lambda: self._good_till(order))
        stopped = self.matching.take(order, limit)
        self.matching.rest_or_end(order, stopped)

    def _good_till(self, order: Order) -> None:
        if order.status.is_open:
            self.booking.expire(order, ExpireReason.GTD)

    def trigger(self, order: Order) -> None:
        """A spot order's trigger is reached: it enters the book, or expires if it cannot."""
        instrument = self.floor.instruments[order.market, order.symbol]
        instrument.waiting.remove(order)
        self.booking.release(order)
        order.trigger_ns = self.floor.now_ns()
        try:
            self.judge_funds_at_trigger(order)
        except Refusal:
            self.booking.expire(order, ExpireReason.INSUFFICIENT_FUNDS)
            return
        order.is_working, order.working_ns = True, order.trigger_ns
        order.updated_ns = order.trigger_ns
        self.booking.order_event(order, Execution.NEW)
        self.work(order)

    def judge_funds_at_trigger(self, order: Order) -> None:
        """Refuses a triggered order whose coins are not there."""
        desk = self.floor.accounts[order.account].desks[Market.SPOT]
        listing = self.floor.listings[Market.SPOT][order.symbol]
        if order.side is Side.SELL:
            desk.ledger.afford(listing.base, order.left)
            return
        if order.type.has_limit:
            needed = order.left * order.price
        else:
            needed = self.matching.look(order, None).quote
        desk.ledger.afford(listing.quote, round_up(needed, desk.ledger.scale(listing.quote)))
