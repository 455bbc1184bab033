"""Cancels and changes of orders that are open."""

from __future__ import annotations

from copy import copy
from decimal import Decimal

from veloz.exchange import filters
from veloz.exchange.events import Execution
from veloz.exchange.floor import Desk
from veloz.exchange.lists import Lists
from veloz.exchange.model import Amendment, Modification, Order, OrderKey, OrderList, OrderRequest
from veloz.exchange.placing import Placing
from veloz.exchange.timers import Timers
from veloz.exchange.words import (
    ExpireReason,
    Market,
    OrderStatus,
    OrderType,
    Refusal,
    SymbolStatus,
    TimeInForce,
    Why,
)

MOST_MODIFICATIONS = 10_000


class Changing:
    """Cancels and changes.

    Args:
        placing: Where changed orders are admitted again.
        lists: What goes with them.
        timers: What ends a countdown.
    """

    def __init__(self, placing: Placing, lists: Lists, timers: Timers) -> None:
        self.floor = placing.floor
        self.booking = placing.booking
        self.matching = placing.matching
        self.placing = placing
        self.lists = lists
        self.timers = timers

    def find(self, name: str, key: OrderKey) -> Order:
        """An order by its key; refused if there is none."""
        desk = self.floor.account(name).desks[key.market]
        self.floor.instrument(key.market, key.symbol)
        number = key.order_id
        if number is None:
            number = desk.by_client_id.get((key.symbol, key.client_order_id or ""), -1)
        order = desk.orders.get(number)
        other_name = (
            key.client_order_id is not None
            and order is not None
            and (order.client_order_id != key.client_order_id)
        )
        if order is None or order.symbol != key.symbol or other_name:
            named = key.client_order_id if key.order_id is None else key.order_id
            raise Refusal(Why.UNKNOWN_ORDER, f"{key.symbol} has no order {named}")
        return order

    def find_open(self, name: str, key: OrderKey) -> Order:
        """An open order by its key."""
        order = self.find(name, key)
        if not order.status.is_open:
            detail = f"order {order.order_id} is {order.status.value}"
            raise Refusal(Why.UNKNOWN_ORDER, detail)
        return order

    def cancel(
        self, name: str, key: OrderKey, request_id: str | None, only_status: str | None
    ) -> Order:
        """Cancels an order and what depends on it."""
        order = self.find_open(name, key)
        self._check_status(order, only_status)
        self.lists.cancel_with(order)
        self.end(order, request_id)
        return order

    def _check_status(self, order: Order, only_status: str | None) -> None:
        listing = self.floor.listings[order.market][order.symbol]
        if listing.status is SymbolStatus.HALT:
            raise Refusal(Why.MARKET_CLOSED, f"{listing.symbol} is {listing.status.value}")
        if only_status is not None and order.status.value != only_status:
            detail = f"order {order.order_id} is {order.status.value}, not {only_status}"
            raise Refusal(Why.CANCEL_RESTRICTED, detail)

    def end(self, order: Order, request_id: str | None = None) -> None:
        """Cancels an open order."""
        self.booking.close(order, OrderStatus.CANCELED, Execution.CANCELED, request_id=request_id)

    def cancel_all(self, name: str, market: Market, symbol: str) -> list[Order]:
        """Cancels every open order of a symbol, oldest first."""
        desk = self.floor.account(name).desks[market]
        self.floor.instrument(market, symbol)
        orders = [order for order in desk.open.values() if order.symbol == symbol]
        for order in orders:
            if order.status.is_open:
                self._check_status(order, None)
                self.end(order)
        return orders

    def cancel_list(
        self, name: str, symbol: str, found: OrderList
    ) -> tuple[OrderList, list[Order]]:
        """Cancels all orders of a list."""
        desk = self.floor.account(name).desks[Market.SPOT]
        orders = [desk.orders[number] for number in found.order_ids]
        if found.is_done or found.symbol != symbol:
            raise Refusal(Why.UNKNOWN_ORDER, f"{symbol} has no open list {found.list_id}")
        for order in orders:
            if order.status.is_open:
                self._check_status(order, None)
                self.end(order)
        self.lists.settle()
        return desk.lists[found.list_id], [self.booking.snapshot(order) for order in orders]

    def countdown(self, name: str, market: Market, symbol: str, countdown_ns: int) -> None:
        """Cancels all orders of a symbol unless called again in time; 0 ends that."""
        desk = self.floor.account(name).desks[market]
        self.floor.instrument(market, symbol)
        if market is Market.SPOT or countdown_ns < 0:
            raise Refusal(Why.BAD_REQUEST, "a countdown is for contracts and not negative")
        desk.countdowns.pop(symbol, None)
        if not countdown_ns:
            return
        due = desk.countdowns[symbol] = self.floor.now_ns() + countdown_ns
        self.timers.at(due, lambda: self._count_down(name, market, symbol, due))

    def _count_down(self, name: str, market: Market, symbol: str, due: int) -> None:
        desk = self.floor.account(name).desks[market]
        if desk.countdowns.get(symbol) == due:
            del desk.countdowns[symbol]
            self.cancel_all(name, market, symbol)

    def cancel_replace(
        self,
        name: str,
        key: OrderKey,
        request: OrderRequest,
        options: tuple[bool, str | None, str | None],
    ) -> tuple[Order, Order]:
        """Cancels one order and places another at the same instant."""
        stop_on_failure, request_id, only_status = options
        listing = self.floor.instrument(key.market, key.symbol).listing
        if not listing.cancel_replace_allowed:
            raise Refusal(Why.UNSUPPORTED_FEATURE, f"{key.symbol} has no cancel-replace")
        canceled: Order | Refusal
        try:
            canceled = self.cancel(name, key, request_id, only_status)
        except Refusal as refusal:
            canceled = refusal
        if isinstance(canceled, Refusal) and stop_on_failure:
            raise Refusal(Why.REPLACE_BOTH_FAILED, canceled.detail, cancel=canceled)
        try:
            placed = self.placing.place(name, request)
        except Refusal as refusal:
            gone = not isinstance(canceled, Refusal)
            why = Why.REPLACE_PLACE_FAILED if gone else Why.REPLACE_BOTH_FAILED
            shown = self.booking.snapshot(canceled) if isinstance(canceled, Order) else canceled
            raise Refusal(why, refusal.detail, cancel=shown, place=refusal) from None
        if isinstance(canceled, Refusal):
            shown = self.booking.snapshot(placed)
            why = Why.REPLACE_CANCEL_FAILED
            raise Refusal(why, canceled.detail, cancel=canceled, place=shown)
        return canceled, placed

    # Changes.

    def reduce(
        self, name: str, key: OrderKey, qty: Decimal, client_order_id: str | None
    ) -> tuple[Order, Amendment]:
        """Lowers the quantity of a resting spot order in its place."""
        order = self.find_open(name, key)
        listing = self.floor.listings[order.market][order.symbol]
        filters.check_open(listing)
        if not listing.amend_allowed or order.market is not Market.SPOT:
            raise Refusal(Why.UNSUPPORTED_FEATURE, f"{order.symbol} orders cannot be reduced")
        if not order.is_working or not order.type.has_limit:
            raise Refusal(Why.AMEND_NOT_LIMIT, "only an order that rests can be reduced")
        if order.amends >= listing.max_amends:
            raise Refusal(Why.MAX_AMENDS, f"it was changed {order.amends} times, the limit")
        if qty == order.qty:
            raise Refusal(Why.NO_CHANGE, f"its quantity is {qty} already")
        if qty > order.qty or qty <= order.executed_qty + order.prevented_qty:
            detail = f"{qty} is not between {order.executed_qty} and {order.qty}"
            raise Refusal(Why.AMEND_INCREASES, detail)
        filters.check_qty(listing, qty, is_market=False)
        filters.check_notional(listing, qty, order.price, is_market=False)
        desk = self.floor.accounts[name].desks[order.market]
        new_id = client_order_id or self.floor.client_id()
        if new_id != order.client_order_id and desk.open_client_id(order.symbol, new_id):
            raise Refusal(Why.DUPLICATE_CLIENT_ID, f"an open order is named {new_id}")
        before = copy(order)
        order.qty, order.client_order_id = qty, new_id
        desk.by_client_id[order.symbol, new_id] = order.order_id
        order.amends += 1
        desk.ledger.shrink_order(str(order.order_id), before.qty - qty)
        order.visible_qty = min(order.visible_qty, order.left)
        order.updated_ns = self.floor.now_ns()
        self.floor.instruments[order.market, order.symbol].book.note_change(order.side, order.price)
        self.booking.touch_order(order)
        amendment = self._note(desk, before, order)
        self.booking.order_event(order, Execution.REPLACED)
        return order, amendment

    def _note(self, desk: Desk, before: Order, after: Order) -> Amendment:
        amendment = Amendment(
            after.market,
            after.symbol,
            after.order_id,
            self.floor.following(f"amendment {after.market} {after.symbol}"),
            before.client_order_id,
            after.client_order_id,
            before.qty,
            after.qty,
            before.price,
            after.price,
            self.floor.now_ns(),
        )
        desk.amendments[after.order_id].append(amendment)
        return amendment

    def modify(self, name: str, change: Modification) -> Order:
        """Changes a futures limit order, which joins the queue anew."""
        order, qty = self.find_open(name, change.key), change.qty
        listing = self.floor.listings[order.market][order.symbol]
        filters.check_open(listing)
        if order.market is Market.SPOT:
            raise Refusal(Why.UNSUPPORTED_FEATURE, "spot orders are replaced, not modified")
        if order.type is not OrderType.LIMIT:
            raise Refusal(Why.AMEND_NOT_LIMIT, "only a limit order can be modified")
        price = self._new_price(order, change)
        if (qty, price) == (order.qty, order.price):
            raise Refusal(Why.NO_CHANGE, f"it is {qty} at {price} already")
        if order.amends >= MOST_MODIFICATIONS:
            raise Refusal(Why.MAX_AMENDS, f"it was changed {order.amends} times, the limit")
        filters.check_price(listing, price)
        filters.check_qty(listing, qty, is_market=False)
        if qty <= order.executed_qty:
            order.qty = order.executed_qty
            self.end(order)
            return order
        self._requeue(order, qty, price)
        return order

    def _new_price(self, order: Order, change: Modification) -> Decimal:
        instrument = self.floor.instruments[order.market, order.symbol]
        if (change.price is None) == (change.price_match is None):
            raise Refusal(Why.BAD_REQUEST, "give price or price_match")
        if change.price is not None:
            return change.price
        return self.placing.matched_price(instrument, order.side, change.price_match)

    def _requeue(self, order: Order, qty: Decimal, price: Decimal) -> None:
        instrument = self.floor.instruments[order.market, order.symbol]
        desk, before = self.floor.accounts[order.account].desks[order.market], copy(order)
        self.booking.release(order)
        order.qty, order.price = qty, price
        try:
            self.placing.judge_funds(order)
        except Refusal:
            order.qty, order.price = before.qty, before.price
            self.booking.commit(order)
            raise
        instrument.book.remove(order, before.price)
        order.amends += 1
        order.updated_ns = self.floor.now_ns()
        self._note(desk, before, order)
        posts = order.tif is TimeInForce.GTX
        if posts and self.matching.would_take(instrument, order.side, price):
            self.booking.expire(order, ExpireReason.POST_ONLY)
            return
        self.booking.order_event(order, Execution.AMENDMENT)
        self.placing.work(order)
