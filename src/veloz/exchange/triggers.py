"""Conditional orders: when a price reaches them they begin to work (matching.md, section 9).

Spot keeps them among the orders, with an order id and locked coins. On futures they belong to the
algo service: ids of their own, no margin before the trigger, and an ordinary order afterwards.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from decimal import Decimal

from veloz.exchange import filters
from veloz.exchange.events import AlgoEvent
from veloz.exchange.floor import Desk, Floor, Instrument
from veloz.exchange.lists import Lists
from veloz.exchange.model import AlgoOrder, Order, OrderRequest
from veloz.exchange.money import ONE, ZERO, floor_to
from veloz.exchange.placing import Placing
from veloz.exchange.words import (
    AlgoStatus,
    OrderType,
    Refusal,
    Side,
    SymbolStatus,
    TimeInForce,
    Why,
    WorkingType,
)

MOST_ALGOS = 200
WORKS_AS = {
    OrderType.STOP_MARKET: OrderType.MARKET,
    OrderType.TAKE_PROFIT_MARKET: OrderType.MARKET,
    OrderType.TRAILING_STOP: OrderType.MARKET,
    OrderType.STOP_LIMIT: OrderType.LIMIT,
    OrderType.TAKE_PROFIT_LIMIT: OrderType.LIMIT,
}


class Triggers:
    """Watches prices for conditional orders.

    Args:
        floor: The state.
        placing: Where triggered orders go.
        lists: What a trigger does to the other orders of a list.
    """

    def __init__(self, floor: Floor, placing: Placing, lists: Lists) -> None:
        self.floor = floor
        self.placing = placing
        self.lists = lists
        self.children: dict[tuple[str, int], AlgoOrder] = {}

    # The algo service.

    def place(self, name: str, request: OrderRequest) -> AlgoOrder:
        """Arms a conditional order of a contract."""
        account = self.floor.account(name)
        instrument = self.floor.instrument(request.market, request.symbol)
        desk, listing = account.desks[request.market], instrument.listing
        filters.check_open(listing)
        if not request.type.is_conditional:
            raise Refusal(Why.NOT_CONDITIONAL, f"{request.type.value} has no trigger")
        filters.check_shape(account, listing, request, self.floor.now_ns())
        filters.check_prices(listing, request)
        if request.qty is not None:
            filters.check_qty(listing, request.qty, is_market=not request.type.has_limit)
        client_id = request.client_order_id or self.floor.client_id()
        open_ones = [a for a in desk.algos.values() if a.status is AlgoStatus.NEW]
        if any(algo.client_algo_id == client_id for algo in open_ones):
            raise Refusal(Why.DUPLICATE_CLIENT_ID, f"an open order is named {client_id}")
        if len(open_ones) >= MOST_ALGOS:
            raise Refusal(Why.MAX_ALGO_ORDERS, f"{MOST_ALGOS} conditional orders are open")
        self._judge(instrument, desk, request)
        now = self.floor.now_ns()
        number = self.floor.following("algo")
        algo = AlgoOrder(request.market, name, number, client_id, request, AlgoStatus.NEW, now, now)
        last = self._price(instrument, request.working_type)
        is_trailing = request.type is OrderType.TRAILING_STOP
        if is_trailing and request.activate_price is None and last is not None:
            algo.is_activated, algo.trailing_extreme = True, last
        desk.algos[number] = algo
        instrument.armed.append(algo)
        self._report(algo)
        return algo

    def _judge(self, instrument: Instrument, desk: Desk, request: OrderRequest) -> None:
        last = self._price(instrument, request.working_type)
        if request.close_position:
            twins = (
                algo.request
                for algo in instrument.armed
                if algo.account in self.floor.accounts
                and self.floor.accounts[algo.account].desks[request.market] is desk
            )
            wanted = (request.side, request.position_side, request.type.is_stop)
            for twin in twins:
                if twin.close_position and wanted == (
                    twin.side,
                    twin.position_side,
                    twin.type.is_stop,
                ):
                    detail = "an order of this direction already closes the position"
                    raise Refusal(Why.CLOSE_POSITION_EXISTS, detail)
        if last is None or request.stop_price is None:
            return
        if _reached(request.type, request.side, request.stop_price, last):
            raise Refusal(Why.WOULD_TRIGGER, f"{request.stop_price} is already reached at {last}")

    def cancel(self, algo: AlgoOrder) -> None:
        """Disarms an order; refused once it was triggered or ended."""
        if algo.status is not AlgoStatus.NEW:
            detail = f"algo order {algo.algo_id} is {algo.status.value}"
            raise Refusal(Why.UNKNOWN_ORDER, detail)
        self._end(algo, AlgoStatus.CANCELED, "")

    def cancel_all(self, account: str, instrument: Instrument) -> list[AlgoOrder]:
        """Disarms an account's orders of a symbol."""
        own = [algo for algo in instrument.armed if algo.account == account]
        for algo in own:
            self.cancel(algo)
        return own

    def disarm_all(self, instrument: Instrument, account: str, reason: str) -> None:
        """Ends an account's armed orders of a symbol without its asking."""
        for algo in [a for a in instrument.armed if a.account == account]:
            self._end(algo, AlgoStatus.EXPIRED, reason)

    def _end(self, algo: AlgoOrder, status: AlgoStatus, reason: str) -> None:
        instrument = self.floor.instruments[algo.market, algo.request.symbol]
        if algo in instrument.armed:
            instrument.armed.remove(algo)
        algo.status, algo.reason = status, reason
        self._report(algo)

    def _report(self, algo: AlgoOrder) -> None:
        algo.updated_ns = self.floor.now_ns()
        self.floor.emit(AlgoEvent(algo.updated_ns, algo.market, algo.account, copy(algo)))

    # Prices.

    def see(self, instrument: Instrument, source: WorkingType, price: Decimal) -> None:
        """A price was printed or set: whatever it reaches begins to work, nearest first."""
        if instrument.listing.status is not SymbolStatus.TRADING:
            return
        price = floor_to(price, instrument.listing.tick)
        if source is WorkingType.LAST:
            self._see_orders(instrument, price)
        reached: list[AlgoOrder] = []
        for algo in instrument.armed:
            if algo.request.working_type is source and self._meets(algo, price):
                reached.append(algo)
        for algo in sorted(reached, key=lambda a: abs((a.request.stop_price or price) - price)):
            if algo in instrument.armed and not self._is_protected(instrument, algo):
                self._fire(instrument, algo)

    def _see_orders(self, instrument: Instrument, price: Decimal) -> None:
        reached = [order for order in instrument.waiting if self._meets_order(order, price)]
        reached.sort(key=lambda order: abs((order.stop_price or price) - price), reverse=True)
        for order in reached:
            if order in instrument.waiting:
                self.lists.one_triggers(order)
                self.placing.trigger(order)

    def _meets_order(self, order: Order, price: Decimal) -> bool:
        if order.trailing_delta is None:
            return order.stop_price is not None and _reached(
                order.type, order.side, order.stop_price, price
            )
        if order.trailing_extreme is None:
            waits = order.stop_price is not None
            if waits and not _reached(order.type, order.side, order.stop_price or ZERO, price):
                return False
            order.trailing_extreme = price
        order.trailing_extreme = _extreme(order.side, order.trailing_extreme, price)
        share = Decimal(order.trailing_delta).scaleb(-4)
        return _turned(order.side, order.trailing_extreme, share, price)

    def _meets(self, algo: AlgoOrder, price: Decimal) -> bool:
        request = algo.request
        if request.type is not OrderType.TRAILING_STOP:
            return _reached(request.type, request.side, request.stop_price or ZERO, price)
        if not algo.is_activated:
            activate = request.activate_price
            sells = request.side is Side.SELL
            if activate is not None and (price < activate if sells else price > activate):
                return False
            algo.is_activated, algo.trailing_extreme = True, price
            self._report(algo)
        algo.trailing_extreme = _extreme(request.side, algo.trailing_extreme or price, price)
        share = (request.callback_rate or ZERO).scaleb(-2)
        return _turned(request.side, algo.trailing_extreme, share, price)

    def _price(self, instrument: Instrument, source: WorkingType) -> Decimal | None:
        if source is WorkingType.LAST:
            return instrument.tape.last_price
        listing = instrument.listing
        return self.floor.marks[listing.market].get(listing.symbol)

    def _is_protected(self, instrument: Instrument, algo: AlgoOrder) -> bool:
        """True if the order asks to be passed over while last and mark are too far apart."""
        last = instrument.tape.last_price
        mark = self._price(instrument, WorkingType.MARK)
        if not algo.request.price_protect or last is None or mark is None:
            return False
        return abs(last - mark) > instrument.listing.trigger_protect * mark

    # Firing.

    def _fire(self, instrument: Instrument, algo: AlgoOrder) -> None:
        instrument.armed.remove(algo)
        algo.status, algo.trigger_ns = AlgoStatus.TRIGGERING, self.floor.now_ns()
        self._report(algo)
        request = algo.request
        if request.close_position:
            ledger = self.floor.accounts[algo.account].desks[algo.market].ledger
            held = ledger.holding(request.symbol, request.position_side).qty
            if not held or (held > 0) == (request.side is Side.BUY):
                self._end(algo, AlgoStatus.EXPIRED, "no position to close")
                return
            request = replace(request, qty=abs(held), close_position=False)
            if not self.floor.accounts[algo.account].hedge:
                request = replace(request, reduce_only=True)
        works_as = WORKS_AS[request.type]
        child = replace(
            request,
            type=works_as,
            client_order_id=algo.client_algo_id,
            stop_price=None,
            activate_price=None,
            callback_rate=None,
            tif=request.tif if works_as is OrderType.LIMIT else None,
        )
        if child.tif is TimeInForce.GTE_GTC:
            child = replace(child, tif=TimeInForce.GTC)
        try:
            order = self.placing.drafted(algo.account, child, algo_id=algo.algo_id)
            self.placing.judge(order)
        except Refusal as refusal:
            self._end(algo, AlgoStatus.REJECTED, refusal.why.value)
            return
        order.original_type, order.stop_price = algo.request.type, algo.request.stop_price
        order.close_position = algo.request.close_position
        order.activate_price = algo.request.activate_price
        order.callback_rate = algo.request.callback_rate
        order.trigger_ns = algo.trigger_ns
        self.placing.register(order)
        algo.status, algo.order_id = AlgoStatus.TRIGGERED, order.order_id
        self.children[algo.market.value, order.order_id] = algo
        self._report(algo)
        self.placing.start(order)

    def finish(self) -> None:
        """Ends algo orders whose ordinary orders, or whose positions, have ended."""
        for account, market, symbol, leg in self.floor.flat:
            for algo in list(self.floor.instruments[market, symbol].armed):
                bound = algo.request.tif is TimeInForce.GTE_GTC
                if bound and (algo.account, algo.request.position_side) == (account, leg):
                    self._end(algo, AlgoStatus.EXPIRED, "position closed")
        self.floor.flat.clear()
        for key, algo in list(self.children.items()):
            order = self.floor.accounts[algo.account].desks[algo.market].orders[key[1]]
            if not order.status.is_open:
                del self.children[key]
                algo.actual_qty, algo.actual_price = order.executed_qty, order.average_price
                self._end(algo, AlgoStatus.FINISHED, "")


def _reached(kind: OrderType, side: Side, trigger: Decimal, price: Decimal) -> bool:
    upward = kind.is_stop == (side is Side.BUY)
    return price >= trigger if upward else price <= trigger


def _extreme(side: Side, known: Decimal, price: Decimal) -> Decimal:
    """The best price for the holder of what the order would close."""
    return max(known, price) if side is Side.SELL else min(known, price)


def _turned(side: Side, extreme: Decimal, share: Decimal, price: Decimal) -> bool:
    """True if the price came back from its extreme by a share of it."""
    if side is Side.SELL:
        return price <= extreme * (ONE - share)
    return price >= extreme * (ONE + share)
