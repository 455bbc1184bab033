"""The simulated exchange: three markets, their accounts and their public data, behind one class.

It reads no clock and opens no socket: time is what `now_ns` says, chance is the caller's `random`.
Every call first does what time has made due (`advance`), then its own work, then hands the events
to the subscribers, then returns. A refused call raises `Refusal` and has changed nothing.

```text
 place, cancel, amend ─► checks ─► matching ─► ledger ─► events
 replay_book, replay_trade ─────►  matching    ▲
 set_mark, advance ─► triggers, funding, liquidation, delivery
```
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from decimal import Decimal

from veloz.exchange.events import AccountReason
from veloz.exchange.markets import Markets
from veloz.exchange.model import (
    AccountView,
    AlgoOrder,
    Amendment,
    Fill,
    Income,
    Modification,
    Order,
    OrderKey,
    OrderList,
    OrderRequest,
    Position,
    PreventedMatch,
    Window,
)
from veloz.exchange.wiring import call, look
from veloz.exchange.words import (
    IncomeKind,
    MarginType,
    Market,
    PositionSide,
    PriceMatch,
    Refusal,
    Side,
    Why,
)


class Exchange(Markets):
    """One simulated exchange.

    Args:
        listings: What is traded from the start.
        now_ns: UTC, nanoseconds since the Unix epoch; never goes back.
        random: Seeds client ids and generated markets.
        scales: Decimals of an asset's balance; 8 for those not named.
    """

    # Accounts and money.

    @call
    def open_account(self, account: str) -> None:
        """Opens an account with all three markets; opening it again changes nothing."""
        self._floor.open_account(account)

    @look
    def accounts(self) -> tuple[str, ...]:
        """The names of all accounts."""
        return tuple(self._floor.accounts)

    @call
    def set_fees(
        self, account: str, market: Market, maker: Decimal, taker: Decimal, symbol: str = ""
    ) -> None:
        """Sets an account's commission rates; for all symbols of the market without `symbol`."""
        self._floor.account(account).rates[market, symbol] = (maker, taker)

    @look
    def fees(self, account: str, market: Market, symbol: str) -> tuple[Decimal, Decimal]:
        """The maker and taker rates that hold for an account and symbol."""
        holder = self._floor.account(account)
        return self._booking.rates(holder, self._floor.instrument(market, symbol))

    @call
    def set_bnb_fees(self, account: str, market: Market, *, on: bool) -> None:
        """Pays commission in BNB at a discount while the BNB balance suffices (A10, A15)."""
        paying = self._floor.account(account).pays_bnb
        if on:
            paying.add(market)
        else:
            paying.discard(market)

    @call
    def set_rebate(self, account: str, referrer: str, share: Decimal) -> None:
        """Pays a share of an account's commissions to another account."""
        self._floor.account(referrer)
        holder = self._floor.account(account)
        holder.referrer, holder.rebate = referrer, share

    @call
    def deposit(self, account: str, market: Market, asset: str, amount: Decimal) -> None:
        """Adds money from outside."""
        if amount <= 0:
            raise Refusal(Why.BAD_REQUEST, f"{amount} is no amount to deposit")
        self._holders.move(account, market, asset, amount, AccountReason.DEPOSIT)

    @call
    def withdraw(self, account: str, market: Market, asset: str, amount: Decimal) -> None:
        """Takes money out; refused beyond what is free."""
        if amount <= 0:
            raise Refusal(Why.BAD_REQUEST, f"{amount} is no amount to withdraw")
        self._holders.move(account, market, asset, -amount, AccountReason.WITHDRAW)

    @call
    def transfer(
        self, account: str, source: Market, target: Market, asset: str, amount: Decimal
    ) -> int:
        """Moves money between an account's markets; returns the number of the transfer."""
        return self._holders.transfer(account, source, target, asset, amount)

    # Orders.

    @call
    def place(self, account: str, request: OrderRequest) -> Order:
        """Places an order; returns its state after matching.

        On futures the conditional types are refused with USE_ALGO.
        """
        return self._shown(self._placing.place(account, request))

    @call
    def check(self, account: str, request: OrderRequest) -> None:
        """Refuses what `place` would refuse before matching; places nothing."""
        self._placing.judge(self._placing.drafted(account, request))

    @call
    def place_batch(self, account: str, requests: Sequence[OrderRequest]) -> list[Order | Refusal]:
        """Places each in turn; a refused one does not stop the others."""
        return [self._each(lambda r=r: self._placing.place(account, r)) for r in requests]

    @call
    def cancel(
        self,
        account: str,
        key: OrderKey,
        *,
        request_id: str | None = None,
        only_status: str | None = None,
    ) -> Order:
        """Cancels an open order; an order of a list takes the list with it.

        Args:
            account: Whose.
            key: Which.
            request_id: The client id of this cancel, shown in the event.
            only_status: `NEW` or `PARTIALLY_FILLED`: refuse if it is in another status.
        """
        return self._shown(self._changing.cancel(account, key, request_id, only_status))

    @call
    def cancel_batch(self, account: str, keys: Sequence[OrderKey]) -> list[Order | Refusal]:
        """Cancels each in turn; a refused one does not stop the others."""
        return [self._each(lambda k=k: self._changing.cancel(account, k, None, None)) for k in keys]

    @call
    def cancel_all(self, account: str, market: Market, symbol: str) -> list[Order]:
        """Cancels every open order of a symbol, oldest first."""
        return [self._shown(o) for o in self._changing.cancel_all(account, market, symbol)]

    @call
    def cancel_replace(
        self,
        account: str,
        key: OrderKey,
        request: OrderRequest,
        *,
        stop_on_failure: bool = True,
        request_id: str | None = None,
        only_status: str | None = None,
    ) -> tuple[Order, Order]:
        """Cancels one order and places another at the same instant (spot).

        Returns:
            The canceled and the new order.

        Raises:
            Refusal: REPLACE_BOTH_FAILED, REPLACE_CANCEL_FAILED (the new one was placed) or
                REPLACE_PLACE_FAILED; its `cancel` and `place` say how each part went.
        """
        options = (stop_on_failure, request_id, only_status)
        gone, placed = self._changing.cancel_replace(account, key, request, options)
        return self._shown(gone), self._shown(placed)

    @call
    def reduce(
        self, account: str, key: OrderKey, qty: Decimal, *, new_client_order_id: str | None = None
    ) -> tuple[Order, Amendment]:
        """Lowers the quantity of a resting spot order, which keeps its place in the queue.

        Args:
            account: Whose.
            key: Which.
            qty: The new total, filled part included.
            new_client_order_id: None draws a new one; send the old one to keep it.
        """
        order, change = self._changing.reduce(account, key, qty, new_client_order_id)
        return self._shown(order), change

    @call
    def modify(
        self,
        account: str,
        key: OrderKey,
        qty: Decimal,
        price: Decimal | None,
        *,
        price_match: PriceMatch | None = None,
    ) -> Order:
        """Changes a futures limit order, which loses its place in the queue.

        A total no larger than what is filled cancels it; so does a post-only order whose new
        price would take.
        """
        return self._shown(
            self._changing.modify(account, Modification(key, qty, price, price_match))
        )

    @call
    def modify_batch(self, account: str, changes: Sequence[Modification]) -> list[Order | Refusal]:
        """Modifies each in turn; a refused one does not stop the others."""
        return [self._each(lambda c=c: self._changing.modify(account, c)) for c in changes]

    @call
    def countdown_cancel_all(
        self, account: str, market: Market, symbol: str, countdown_ns: int
    ) -> None:
        """Cancels all orders of a futures symbol unless called again in time; 0 ends that."""
        self._changing.countdown(account, market, symbol, countdown_ns)

    # Order lists (spot).

    @call
    def place_oco(
        self,
        account: str,
        above: OrderRequest,
        below: OrderRequest,
        *,
        client_list_id: str | None = None,
    ) -> tuple[OrderList, list[Order]]:
        """Two orders of which one ends the other."""
        return self._lists.place_oco(account, above, below, client_list_id)

    @call
    def place_oto(
        self,
        account: str,
        working: OrderRequest,
        pending: Sequence[OrderRequest],
        *,
        client_list_id: str | None = None,
    ) -> tuple[OrderList, list[Order]]:
        """Orders (one, or two as an OCO) that are placed when the working one is filled."""
        return self._lists.place_oto(account, working, pending, client_list_id)

    @call
    def cancel_list(
        self,
        account: str,
        symbol: str,
        *,
        list_id: int | None = None,
        client_list_id: str | None = None,
    ) -> tuple[OrderList, list[Order]]:
        """Cancels a whole list."""
        found = self._queries.order_list(account, list_id, client_list_id)
        return self._changing.cancel_list(account, symbol, found)

    @look
    def order_list(
        self, account: str, *, list_id: int | None = None, client_list_id: str | None = None
    ) -> OrderList:
        """One list."""
        return self._queries.order_list(account, list_id, client_list_id)

    @look
    def order_lists(
        self, account: str, window: Window | None = None, *, only_open: bool = False
    ) -> list[OrderList]:
        """An account's lists, oldest first."""
        return self._queries.order_lists(account, window, only_open=only_open)

    # The algo service (futures).

    @call
    def place_algo(self, account: str, request: OrderRequest) -> AlgoOrder:
        """Arms a conditional order; `client_order_id` becomes its client algo id.

        Margin is not checked before the trigger.
        """
        return copy(self._triggers.place(account, request))

    @call
    def cancel_algo(
        self,
        account: str,
        market: Market,
        *,
        algo_id: int | None = None,
        client_algo_id: str | None = None,
    ) -> AlgoOrder:
        """Disarms a conditional order."""
        algo = self._queries.algo(account, market, algo_id, client_algo_id)
        self._triggers.cancel(algo)
        return copy(algo)

    @call
    def cancel_all_algo(self, account: str, market: Market, symbol: str) -> list[AlgoOrder]:
        """Disarms every conditional order of a symbol."""
        return [
            copy(algo)
            for algo in self._triggers.cancel_all(account, self._floor.instrument(market, symbol))
        ]

    @look
    def algo_order(
        self,
        account: str,
        market: Market,
        *,
        algo_id: int | None = None,
        client_algo_id: str | None = None,
    ) -> AlgoOrder:
        """One conditional order."""
        return copy(self._queries.algo(account, market, algo_id, client_algo_id))

    @look
    def algo_orders(
        self,
        account: str,
        market: Market,
        symbol: str | None = None,
        window: Window | None = None,
        *,
        only_open: bool = False,
    ) -> list[AlgoOrder]:
        """Conditional orders, oldest first."""
        return self._queries.algos(account, market, symbol, window, only_open=only_open)

    # What an account can ask.

    @look
    def order(self, account: str, key: OrderKey) -> Order:
        """One order, open or not; by client id the latest that had it."""
        return self._queries.order(account, key)

    @look
    def open_orders(self, account: str, market: Market, symbol: str | None = None) -> list[Order]:
        """Open orders, oldest first."""
        return self._queries.open_orders(account, market, symbol)

    @look
    def all_orders(
        self, account: str, market: Market, symbol: str, window: Window | None = None
    ) -> list[Order]:
        """Orders of any status, oldest first; `window.from_id` is an order id."""
        return self._queries.all_orders(account, market, symbol, window)

    @look
    def fills(
        self,
        account: str,
        market: Market,
        symbol: str | None = None,
        window: Window | None = None,
        *,
        order_id: int | None = None,
    ) -> list[Fill]:
        """An account's executions, oldest first; `window.from_id` is a trade id."""
        return self._queries.fills(account, market, symbol, window, order_id)

    @look
    def amendments(self, account: str, key: OrderKey) -> list[Amendment]:
        """The changes of an order, oldest first."""
        return self._queries.amendments(account, key)

    @look
    def prevented_matches(
        self, account: str, symbol: str, order_id: int | None = None
    ) -> list[PreventedMatch]:
        """What self-trade prevention kept from trading (spot)."""
        return self._queries.prevented(account, symbol, order_id)

    @look
    def account(self, account: str, market: Market) -> AccountView:
        """Balances, or wallets and positions."""
        return self._queries.account(account, market)

    @look
    def positions(self, account: str, market: Market, symbol: str | None = None) -> list[Position]:
        """Positions of contracts; with a symbol also the flat ones."""
        with_flat = symbol is not None
        return self._queries.positions(account, market, symbol, with_flat=with_flat)

    @look
    def income(
        self,
        account: str,
        market: Market,
        symbol: str | None = None,
        window: Window | None = None,
        *,
        kind: IncomeKind | None = None,
    ) -> list[Income]:
        """Money that came and went on futures, oldest first; `window.from_id` is an income id."""
        return self._queries.income(account, market, symbol, window, kind)

    # Settings of futures accounts.

    @call
    def set_leverage(self, account: str, market: Market, symbol: str, leverage: int) -> None:
        """Changes a contract's leverage."""
        self._holders.set_leverage(account, market, symbol, leverage)

    @look
    def leverage(self, account: str, market: Market, symbol: str) -> int:
        """A contract's leverage."""
        self._floor.instrument(market, symbol)
        return self._floor.account(account).desks[market].ledger.leverages[symbol]

    @call
    def set_margin_type(
        self, account: str, market: Market, symbol: str, margin_type: MarginType
    ) -> None:
        """Changes cross or isolated; refused with open orders or a position, or NO_CHANGE."""
        self._holders.set_margin_type(account, market, symbol, margin_type)

    @look
    def margin_type(self, account: str, market: Market, symbol: str) -> MarginType:
        """Cross or isolated."""
        self._floor.instrument(market, symbol)
        isolated = self._floor.account(account).desks[market].ledger.isolated
        return MarginType.ISOLATED if symbol in isolated else MarginType.CROSS

    @call
    def set_hedge_mode(self, account: str, *, on: bool) -> None:
        """Long and short legs, for usdm and coinm together; refused unless flat in both."""
        self._holders.set_hedge(account, on=on)

    @look
    def hedge_mode(self, account: str) -> bool:
        """True if the account keeps long and short legs."""
        return self._floor.account(account).hedge

    @call
    def move_margin(
        self,
        account: str,
        market: Market,
        symbol: str,
        position_side: PositionSide,
        amount: Decimal,
    ) -> None:
        """Moves money from the cross to the isolated wallet, or back if negative (A20)."""
        self._holders.move_margin(account, market, symbol, position_side, amount)

    # Against its own rules, for fault plans.

    @call
    def overfill(self, account: str, market: Market, symbol: str) -> Order:
        """Fills a resting order beyond its quantity; see `Havoc.overfill`."""
        return self._shown(self._havoc.overfill(account, market, symbol))

    @call
    def twin_fills(self, account: str, market: Market, symbol: str) -> Order:
        """Fills a resting order twice under one trade id; see `Havoc.twin_fills`."""
        return self._shown(self._havoc.twin_fills(account, market, symbol))

    @call
    def reissue(self, account: str, market: Market, symbol: str, side: Side) -> Order:
        """Gives the number of a filled order to another; see `Havoc.reissue`."""
        return self._shown(self._havoc.reissue(account, market, symbol, side))

    @call
    def namesake(self, account: str, market: Market, symbol: str, side: Side) -> Order:
        """Takes an order under the client id of a filled one; see `Havoc.namesake`."""
        return self._shown(self._havoc.namesake(account, market, symbol, side))

    @look
    def doubled(self) -> list[tuple[Market, str]]:
        """Market and client id of every order that `namesake` took."""
        return list(self._havoc.doubled)
