"""What clients may ask of their orders, fills, lists and money. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import TypeVar

from veloz.exchange.booking import Booking
from veloz.exchange.changing import Changing
from veloz.exchange.floor import Floor
from veloz.exchange.model import (
    AccountView,
    AlgoOrder,
    Amendment,
    Fill,
    Income,
    Order,
    OrderKey,
    OrderList,
    Position,
    PreventedMatch,
    Window,
)
from veloz.exchange.money import ZERO
from veloz.exchange.positions import position_view, wallet_view
from veloz.exchange.words import (
    AlgoStatus,
    IncomeKind,
    Market,
    PositionSide,
    Refusal,
    Why,
)

Row = TypeVar("Row")
NEWEST = Window()


def rows_of(
    rows: Iterable[Row],
    window: Window | None,
    number: Callable[[Row], int],
    time: Callable[[Row], int],
) -> list[Row]:
    """The rows that a window asks for, oldest first."""
    wanted = window or NEWEST
    chosen = [
        row
        for row in rows
        if (wanted.from_id is None or number(row) >= wanted.from_id)
        and (wanted.start_ns is None or time(row) >= wanted.start_ns)
        and (wanted.end_ns is None or time(row) <= wanted.end_ns)
    ]
    from_start = wanted.from_id is not None or wanted.start_ns is not None
    return chosen[: wanted.limit] if from_start else chosen[-wanted.limit :]


class Queries:
    """Reads of accounts.

    Args:
        floor: The state.
        booking: What makes copies and balances.
        changing: What finds orders.
    """

    def __init__(self, floor: Floor, booking: Booking, changing: Changing) -> None:
        self.floor = floor
        self.booking = booking
        self.changing = changing

    def order(self, name: str, key: OrderKey) -> Order:
        """One order."""
        return self.booking.snapshot(self.changing.find(name, key))

    def open_orders(self, name: str, market: Market, symbol: str | None) -> list[Order]:
        """Open orders, oldest first."""
        desk = self.floor.account(name).desks[market]
        if symbol is not None:
            self.floor.instrument(market, symbol)
        rows = [o for o in desk.open.values() if symbol is None or o.symbol == symbol]
        return [self.booking.snapshot(o) for o in sorted(rows, key=lambda o: o.order_id)]

    def all_orders(
        self, name: str, market: Market, symbol: str, window: Window | None
    ) -> list[Order]:
        """Orders of any status."""
        desk = self.floor.account(name).desks[market]
        self.floor.instrument(market, symbol)
        own = (order for order in desk.orders.values() if order.symbol == symbol)
        rows = rows_of(own, window, lambda o: o.order_id, lambda o: o.created_ns)
        return [self.booking.snapshot(order) for order in rows]

    def fills(
        self,
        name: str,
        market: Market,
        symbol: str | None,
        window: Window | None,
        order_id: int | None,
    ) -> list[Fill]:
        """Executions."""
        desk = self.floor.account(name).desks[market]
        own = (
            fill
            for fill in desk.fills
            if symbol in {None, fill.symbol} and order_id in {None, fill.order_id}
        )
        return rows_of(own, window, lambda f: f.trade_id, lambda f: f.ts)

    def amendments(self, name: str, key: OrderKey) -> list[Amendment]:
        """Changes of an order."""
        order = self.changing.find(name, key)
        return list(self.floor.account(name).desks[key.market].amendments[order.order_id])

    def prevented(self, name: str, symbol: str, order_id: int | None) -> list[PreventedMatch]:
        """What self-trade prevention stopped."""
        return [
            match
            for match in self.floor.account(name).desks[Market.SPOT].prevented
            if match.symbol == symbol and order_id in {None, match.taker_order_id}
        ]

    def order_list(self, name: str, list_id: int | None, client_list_id: str | None) -> OrderList:
        """One list, by its id or else by its client id."""
        lists = self.floor.account(name).desks[Market.SPOT].lists
        for row in reversed(lists.values()):
            if row.list_id == list_id or (list_id is None and row.client_list_id == client_list_id):
                return row
        raise Refusal(Why.UNKNOWN_ORDER, f"there is no list {list_id or client_list_id}")

    def order_lists(self, name: str, window: Window | None, *, only_open: bool) -> list[OrderList]:
        """An account's lists."""
        lists = self.floor.account(name).desks[Market.SPOT].lists.values()
        own = (row for row in lists if not (only_open and row.is_done))
        return rows_of(own, window, lambda r: r.list_id, lambda r: r.created_ns)

    def algo(
        self, name: str, market: Market, algo_id: int | None, client_algo_id: str | None
    ) -> AlgoOrder:
        """One conditional order, by its id or else by its client id: the exchange's own record."""
        algos = self.floor.account(name).desks[market].algos
        for algo in reversed(algos.values()):
            if algo.algo_id == algo_id or (
                algo_id is None and algo.client_algo_id == client_algo_id
            ):
                return algo
        raise Refusal(Why.UNKNOWN_ORDER, f"there is no algo order {algo_id or client_algo_id}")

    def algos(
        self,
        name: str,
        market: Market,
        symbol: str | None,
        window: Window | None,
        *,
        only_open: bool,
    ) -> list[AlgoOrder]:
        """Conditional orders."""
        own = (
            algo
            for algo in self.floor.account(name).desks[market].algos.values()
            if symbol in {None, algo.request.symbol}
            and not (only_open and algo.status is not AlgoStatus.NEW)
        )
        rows = rows_of(own, window, lambda a: a.algo_id, lambda a: a.created_ns)
        return [copy(algo) for algo in rows]

    def account(self, name: str, market: Market) -> AccountView:
        """Balances, or wallets and positions."""
        account = self.floor.account(name)
        desk = account.desks[market]
        listings = self.floor.listings[market].values()
        first = next(iter(listings), None)
        listed = (first.maker_rate, first.taker_rate) if first else (ZERO, ZERO)
        maker, taker = account.rates.get((market, ""), listed)
        bnb = market in account.pays_bnb
        if market is Market.SPOT:
            assets = sorted(a for a, amount in desk.ledger.cross.items() if amount)
            balances = tuple(self.booking.balance(desk, asset) for asset in assets)
            return AccountView(
                name,
                market,
                maker,
                taker,
                balances,
                pays_fees_in_bnb=bnb,
                updated_ns=desk.updated_ns,
            )
        settles = {row.settle for row in listings}
        held = {asset for asset, amount in desk.ledger.cross.items() if amount}
        wallets = tuple(
            wallet_view(self.floor, account, market, asset) for asset in sorted(settles | held)
        )
        return AccountView(
            name,
            market,
            maker,
            taker,
            (),
            wallets,
            tuple(self.positions(name, market, None, with_flat=True)),
            account.hedge,
            bnb,
            desk.updated_ns,
        )

    def positions(
        self, name: str, market: Market, symbol: str | None, *, with_flat: bool
    ) -> list[Position]:
        """Positions of contracts, flat ones on demand."""
        account = self.floor.account(name)
        if symbol is not None:
            self.floor.instrument(market, symbol)
        hedged = [PositionSide.LONG, PositionSide.SHORT]
        legs = hedged if account.hedge else [PositionSide.BOTH]
        ledger = account.desks[market].ledger
        symbols = [symbol] if symbol is not None else list(self.floor.listings[market])
        return [
            position_view(self.floor, account, market, (name_, leg))
            for name_ in symbols
            for leg in legs
            if with_flat or ledger.holding(name_, leg).qty
        ]

    def income(
        self,
        name: str,
        market: Market,
        symbol: str | None,
        window: Window | None,
        kind: IncomeKind | None,
    ) -> list[Income]:
        """Money that came and went."""
        own = (
            row
            for row in self.floor.account(name).desks[market].incomes
            if symbol in {None, row.symbol} and kind in {None, row.kind}
        )
        return rows_of(own, window, lambda r: r.income_id, lambda r: r.ts)
