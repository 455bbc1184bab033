"""Orders that depend on each other (spot): one cancels the other, one triggers others.

The coins of an OCO are locked once, by its limit order if it has one: the two can never both fill.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from veloz.exchange.booking import Booking
from veloz.exchange.events import Execution, ListStep, OrderListEvent
from veloz.exchange.floor import Desk, Floor
from veloz.exchange.model import Order, OrderList, OrderRequest
from veloz.exchange.placing import Placing
from veloz.exchange.words import (
    ExpireReason,
    Market,
    OrderStatus,
    OrderType,
    Refusal,
    Side,
    Why,
)


@dataclass
class Group:
    """A list's orders by their part.

    Attributes:
        working: The first order of an OTO; None for an OCO.
        rest: The pair of an OCO, or the pending orders of an OTO.
    """

    name: str
    working: Order | None
    rest: list[Order]

    @property
    def orders(self) -> list[Order]:
        """All orders of the list."""
        return self.rest if self.working is None else [self.working, *self.rest]


class Lists:
    """Order lists.

    Args:
        floor: The state.
        booking: Where orders are written.
        placing: Where they are admitted.
    """

    def __init__(self, floor: Floor, booking: Booking, placing: Placing) -> None:
        self.floor = floor
        self.booking = booking
        self.placing = placing
        self.groups: dict[int, Group] = {}

    def place_oco(
        self, name: str, above: OrderRequest, below: OrderRequest, client_list_id: str | None
    ) -> tuple[OrderList, list[Order]]:
        """Places two orders of which one ends the other."""
        self._check_pair(above, below)
        instrument = self.floor.instrument(above.market, above.symbol)
        if not instrument.listing.oco_allowed:
            raise Refusal(Why.UNSUPPORTED_FEATURE, f"{above.symbol} has no order lists")
        last = instrument.tape.last_price
        high, low = above.stop_price or above.price, below.stop_price or below.price
        if last is not None and high is not None and low is not None and not high > last > low:
            raise Refusal(Why.LIST_PRICES, f"{high} and {low} must be on both sides of {last}")
        list_id = self._number(name, above.symbol)
        pair = [self.placing.drafted(name, r, list_id=list_id) for r in (below, above)]
        if pair[0].client_order_id == pair[1].client_order_id:
            raise Refusal(Why.DUPLICATE_CLIENT_ID, "the two orders need different client ids")
        for order in pair:
            self.placing.judge(order)
        made = self._open(name, list_id, client_list_id, Group("OCO", None, pair))
        self._start_pair(pair)
        return self._answer(made)

    def place_oto(
        self,
        name: str,
        working: OrderRequest,
        pending: Sequence[OrderRequest],
        client_list_id: str | None,
    ) -> tuple[OrderList, list[Order]]:
        """Places an order whose fill places others."""
        instrument = self.floor.instrument(working.market, working.symbol)
        if not instrument.listing.oto_allowed:
            raise Refusal(Why.UNSUPPORTED_FEATURE, f"{working.symbol} has no order lists")
        if working.type not in {OrderType.LIMIT, OrderType.LIMIT_MAKER}:
            raise Refusal(Why.BAD_REQUEST, "the working order must be a limit order")
        if len(pending) not in {1, 2}:
            raise Refusal(Why.BAD_REQUEST, "one or two orders may be pending")
        if len(pending) == 2:
            self._check_pair(pending[0], pending[1])
        list_id = self._number(name, working.symbol)
        first = self.placing.drafted(name, working, list_id=list_id)
        later = [self.placing.drafted(name, r, list_id=list_id) for r in pending]
        ids = {order.client_order_id for order in [first, *later]}
        if len(ids) != len(pending) + 1:
            raise Refusal(Why.DUPLICATE_CLIENT_ID, "the orders need different client ids")
        self.placing.judge(first)
        made = self._open(name, list_id, client_list_id, Group("OTO", first, later))
        self.placing.start(first)
        for order in later:
            if order.status is OrderStatus.NEW and not order.is_working:
                order.status = OrderStatus.PENDING_NEW
                self.booking.order_event(order, Execution.NEW)
        self.settle()
        return self._answer(made)

    def _check_pair(self, above: OrderRequest, below: OrderRequest) -> None:
        if above.market is not Market.SPOT:
            raise Refusal(Why.UNSUPPORTED_FEATURE, "only spot has order lists")
        same = (above.symbol, above.side, above.qty) == (below.symbol, below.side, below.qty)
        if not same:
            raise Refusal(Why.BAD_REQUEST, "both orders need the same symbol, side and quantity")
        seller = above.side is Side.SELL
        gains, protects = (above, below) if seller else (below, above)
        targets = {
            OrderType.LIMIT_MAKER,
            OrderType.TAKE_PROFIT_MARKET,
            OrderType.TAKE_PROFIT_LIMIT,
        }
        stops = {OrderType.STOP_MARKET, OrderType.STOP_LIMIT}
        if gains.type not in targets or protects.type not in stops:
            raise Refusal(Why.BAD_REQUEST, "an OCO is a target on one side and a stop on the other")

    def _number(self, name: str, symbol: str) -> int:
        desk = self.floor.account(name).desks[Market.SPOT]
        listing = self.floor.instrument(Market.SPOT, symbol).listing
        count = sum(not row.is_done and row.symbol == symbol for row in desk.lists.values())
        if count >= listing.max_order_lists:
            raise Refusal(Why.MAX_ORDER_LISTS, f"{count} lists are open, the limit")
        return self.floor.following("list")

    def _open(self, name: str, list_id: int, client_id: str | None, group: Group) -> OrderList:
        now = self.floor.now_ns()
        self.groups[list_id] = group
        for order in group.orders:
            self.placing.register(order)
        made = OrderList(
            name,
            group.orders[0].symbol,
            list_id,
            client_id or self.floor.client_id(),
            group.name,
            tuple(order.order_id for order in group.orders),
            is_done=False,
            created_ns=now,
            updated_ns=now,
        )
        self.floor.accounts[name].desks[Market.SPOT].lists[list_id] = made
        self._report(made, ListStep.PLACED)
        return made

    def _start_pair(self, pair: list[Order]) -> None:
        """Arms the stop and rests or arms the target; one of them holds the lock."""
        stop, target = sorted(pair, key=lambda order: not order.type.is_stop)
        for order in pair:
            order.status = OrderStatus.NEW
        self.placing.arm(stop, lock=target.type.is_conditional)
        if target.type.is_conditional:
            self.placing.arm(target, lock=False)
        else:
            self.placing.start(target)

    def _answer(self, made: OrderList) -> tuple[OrderList, list[Order]]:
        desk = self.floor.accounts[made.account].desks[Market.SPOT]
        rows = [self.booking.snapshot(desk.orders[i]) for i in made.order_ids]
        return desk.lists[made.list_id], rows

    # What happens to a list.

    def one_triggers(self, order: Order) -> None:
        """A trigger of an OCO order is reached: the other one ends before it works."""
        self._end_others(order)

    def settle(self) -> None:
        """Acts on lists whose orders have filled or ended."""
        for list_id, group in list(self.groups.items()):
            for order in group.orders:
                if order.executed_qty and order is not group.working:
                    self._end_others(order)
            self._settle_working(group)
            if not any(order.status.is_open for order in group.orders):
                del self.groups[list_id]
                desk = self.floor.accounts[group.orders[0].account].desks[Market.SPOT]
                now = self.floor.now_ns()
                done = replace(desk.lists[list_id], is_done=True, updated_ns=now)
                desk.lists[list_id] = done
                self._report(done, ListStep.DONE)

    def _settle_working(self, group: Group) -> None:
        working = group.working
        if working is None or working.status.is_open:
            return
        pending = [o for o in group.rest if o.status is OrderStatus.PENDING_NEW]
        if working.status is OrderStatus.FILLED:
            for order in pending:
                order.status = OrderStatus.NEW
            try:
                for order in pending:
                    self.placing.judge(order)
            except Refusal:
                for order in pending:
                    self.booking.expire(order, ExpireReason.INSUFFICIENT_FUNDS)
                return
            if len(pending) == 2:
                self._start_pair(pending)
            elif pending:
                self.placing.start(pending[0])
        else:
            for order in pending:
                self.booking.expire(order, ExpireReason.OTO_PHASE_ONE)

    def _end_others(self, order: Order) -> None:
        group = self.groups.get(order.list_id)
        if group is None or order is group.working:
            return
        for other in group.rest:
            if other is not order and other.status.is_open:
                self.booking.expire(other, ExpireReason.OCO_TRIGGER)

    def cancel_with(self, order: Order) -> list[Order]:
        """Cancels the other orders of an order's list."""
        group = self.groups.get(order.list_id)
        others = [o for o in group.orders if o is not order and o.status.is_open] if group else []
        for other in others:
            self.booking.close(other, OrderStatus.CANCELED, Execution.CANCELED)
        return others

    def _report(self, made: OrderList, step: ListStep) -> None:
        desk: Desk = self.floor.accounts[made.account].desks[Market.SPOT]
        orders = tuple((i, desk.orders[i].client_order_id) for i in made.order_ids)
        self.floor.emit(OrderListEvent(made.updated_ns, made.account, made, step, orders))
