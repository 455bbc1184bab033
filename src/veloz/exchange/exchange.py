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

import random as chance
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from veloz.exchange.events import Event
from veloz.exchange.listing import Listing
from veloz.exchange.model import (
    AccountView,
    AlgoOrder,
    Amendment,
    BookTicker,
    Depth,
    Fill,
    FundingPrint,
    Income,
    Kline,
    MarkPrice,
    Order,
    OrderKey,
    OrderList,
    OrderRequest,
    Position,
    PreventedMatch,
    Print,
    Window,
)
from veloz.exchange.words import (
    IncomeKind,
    MarginType,
    Market,
    PositionSide,
    PriceMatch,
    Refusal,
    SymbolStatus,
)

Levels = Iterable[tuple[Decimal, Decimal]]


class Exchange:
    """One simulated exchange.

    Args:
        listings: What is traded from the start.
        now_ns: UTC, nanoseconds since the Unix epoch; never goes back.
        random: Seeds client ids and generated markets.
        scales: Decimals of an asset's balance; 8 for those not named.
    """

    def __init__(
        self,
        listings: Iterable[Listing] = (),
        *,
        now_ns: Callable[[], int],
        random: chance.Random,
        scales: Mapping[str, int] | None = None,
    ) -> None:
        raise NotImplementedError

    # Time and events.

    def subscribe(self, receiver: Callable[[Event], None]) -> Callable[[], None]:
        """Calls `receiver` with every event from now on; returns what ends that."""
        raise NotImplementedError

    def advance(self) -> int | None:
        """Does what the clock has made due: GTD, countdowns, funding, delivery, trailing data.

        Returns:
            When the next thing will be due; None if nothing waits.
        """
        raise NotImplementedError

    # Listings.

    def list_symbol(self, listing: Listing) -> None:
        """Lists a symbol, or changes the limits of one; ConfigError if its tiers do not join."""
        raise NotImplementedError

    def delist(self, market: Market, symbol: str, *, settle_price: Decimal | None = None) -> None:
        """Ends a symbol: open orders expire; positions settle at the price, else at the mark."""
        raise NotImplementedError

    def set_status(self, market: Market, symbol: str, status: SymbolStatus) -> None:
        """Halts or resumes a symbol."""
        raise NotImplementedError

    def listings(self, market: Market) -> tuple[Listing, ...]:
        """Everything listed in a market, in the order of listing."""
        raise NotImplementedError

    def listing(self, market: Market, symbol: str) -> Listing:
        """One symbol's limits."""
        raise NotImplementedError

    # Accounts and money.

    def open_account(self, account: str) -> None:
        """Opens an account with all three markets; opening it again changes nothing."""
        raise NotImplementedError

    def accounts(self) -> tuple[str, ...]:
        """The names of all accounts."""
        raise NotImplementedError

    def set_fees(
        self, account: str, market: Market, maker: Decimal, taker: Decimal, symbol: str = ""
    ) -> None:
        """Sets an account's commission rates; for all symbols of the market without `symbol`."""
        raise NotImplementedError

    def fees(self, account: str, market: Market, symbol: str) -> tuple[Decimal, Decimal]:
        """The maker and taker rates that hold for an account and symbol."""
        raise NotImplementedError

    def set_bnb_fees(self, account: str, market: Market, *, on: bool) -> None:
        """Pays commission in BNB at a discount while the BNB balance suffices (A10, A15)."""
        raise NotImplementedError

    def set_rebate(self, account: str, referrer: str, share: Decimal) -> None:
        """Pays a share of an account's commissions to another account."""
        raise NotImplementedError

    def deposit(self, account: str, market: Market, asset: str, amount: Decimal) -> None:
        """Adds money from outside."""
        raise NotImplementedError

    def withdraw(self, account: str, market: Market, asset: str, amount: Decimal) -> None:
        """Takes money out; refused beyond what is free."""
        raise NotImplementedError

    def transfer(
        self, account: str, source: Market, target: Market, asset: str, amount: Decimal
    ) -> int:
        """Moves money between an account's markets; returns the number of the transfer."""
        raise NotImplementedError

    # Orders.

    def place(self, account: str, request: OrderRequest) -> Order:
        """Places an order; returns its state after matching.

        On futures the conditional types are refused with USE_ALGO.
        """
        raise NotImplementedError

    def check(self, account: str, request: OrderRequest) -> None:
        """Refuses what `place` would refuse before matching; places nothing."""
        raise NotImplementedError

    def place_batch(self, account: str, requests: Sequence[OrderRequest]) -> list[Order | Refusal]:
        """Places each in turn; a refused one does not stop the others."""
        raise NotImplementedError

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
        raise NotImplementedError

    def cancel_batch(self, account: str, keys: Sequence[OrderKey]) -> list[Order | Refusal]:
        """Cancels each in turn; a refused one does not stop the others."""
        raise NotImplementedError

    def cancel_all(self, account: str, market: Market, symbol: str) -> list[Order]:
        """Cancels every open order of a symbol, oldest first."""
        raise NotImplementedError

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
        raise NotImplementedError

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
        raise NotImplementedError

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
        raise NotImplementedError

    def countdown_cancel_all(
        self, account: str, market: Market, symbol: str, countdown_ns: int
    ) -> None:
        """Cancels all orders of a futures symbol unless called again in time; 0 ends that."""
        raise NotImplementedError

    # Order lists (spot).

    def place_oco(
        self,
        account: str,
        above: OrderRequest,
        below: OrderRequest,
        *,
        client_list_id: str | None = None,
    ) -> tuple[OrderList, list[Order]]:
        """Two orders of which one ends the other."""
        raise NotImplementedError

    def place_oto(
        self,
        account: str,
        working: OrderRequest,
        pending: Sequence[OrderRequest],
        *,
        client_list_id: str | None = None,
    ) -> tuple[OrderList, list[Order]]:
        """Orders (one, or two as an OCO) that are placed when the working one is filled."""
        raise NotImplementedError

    def cancel_list(
        self,
        account: str,
        symbol: str,
        *,
        list_id: int | None = None,
        client_list_id: str | None = None,
    ) -> tuple[OrderList, list[Order]]:
        """Cancels a whole list."""
        raise NotImplementedError

    def order_list(
        self, account: str, *, list_id: int | None = None, client_list_id: str | None = None
    ) -> OrderList:
        """One list."""
        raise NotImplementedError

    def order_lists(
        self, account: str, window: Window | None = None, *, only_open: bool = False
    ) -> list[OrderList]:
        """An account's lists, oldest first."""
        raise NotImplementedError

    # The algo service (futures).

    def place_algo(self, account: str, request: OrderRequest) -> AlgoOrder:
        """Arms a conditional order; `client_order_id` becomes its client algo id.

        Margin is not checked before the trigger.
        """
        raise NotImplementedError

    def cancel_algo(
        self,
        account: str,
        market: Market,
        *,
        algo_id: int | None = None,
        client_algo_id: str | None = None,
    ) -> AlgoOrder:
        """Disarms a conditional order."""
        raise NotImplementedError

    def cancel_all_algo(self, account: str, market: Market, symbol: str) -> list[AlgoOrder]:
        """Disarms every conditional order of a symbol."""
        raise NotImplementedError

    def algo_order(
        self,
        account: str,
        market: Market,
        *,
        algo_id: int | None = None,
        client_algo_id: str | None = None,
    ) -> AlgoOrder:
        """One conditional order."""
        raise NotImplementedError

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
        raise NotImplementedError

    # What an account can ask.

    def order(self, account: str, key: OrderKey) -> Order:
        """One order, open or not; by client id the latest that had it."""
        raise NotImplementedError

    def open_orders(self, account: str, market: Market, symbol: str | None = None) -> list[Order]:
        """Open orders, oldest first."""
        raise NotImplementedError

    def all_orders(
        self, account: str, market: Market, symbol: str, window: Window | None = None
    ) -> list[Order]:
        """Orders of any status, oldest first; `window.from_id` is an order id."""
        raise NotImplementedError

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
        raise NotImplementedError

    def amendments(self, account: str, key: OrderKey) -> list[Amendment]:
        """The changes of an order, oldest first."""
        raise NotImplementedError

    def prevented_matches(
        self, account: str, symbol: str, order_id: int | None = None
    ) -> list[PreventedMatch]:
        """What self-trade prevention kept from trading (spot)."""
        raise NotImplementedError

    def account(self, account: str, market: Market) -> AccountView:
        """Balances, or wallets and positions."""
        raise NotImplementedError

    def positions(self, account: str, market: Market, symbol: str | None = None) -> list[Position]:
        """Positions of contracts; with a symbol also the flat ones."""
        raise NotImplementedError

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
        raise NotImplementedError

    # Settings of futures accounts.

    def set_leverage(self, account: str, market: Market, symbol: str, leverage: int) -> None:
        """Changes a contract's leverage."""
        raise NotImplementedError

    def leverage(self, account: str, market: Market, symbol: str) -> int:
        """A contract's leverage."""
        raise NotImplementedError

    def set_margin_type(
        self, account: str, market: Market, symbol: str, margin_type: MarginType
    ) -> None:
        """Changes cross or isolated; refused with open orders or a position, or NO_CHANGE."""
        raise NotImplementedError

    def margin_type(self, account: str, market: Market, symbol: str) -> MarginType:
        """Cross or isolated."""
        raise NotImplementedError

    def set_hedge_mode(self, account: str, *, on: bool) -> None:
        """Long and short legs, for usdm and coinm together; refused unless flat in both."""
        raise NotImplementedError

    def hedge_mode(self, account: str) -> bool:
        """True if the account keeps long and short legs."""
        raise NotImplementedError

    def move_margin(
        self,
        account: str,
        market: Market,
        symbol: str,
        position_side: PositionSide,
        amount: Decimal,
    ) -> None:
        """Moves money from the cross to the isolated wallet, or back if negative (A20)."""
        raise NotImplementedError

    # Public data.

    def depth(self, market: Market, symbol: str, limit: int = 1000) -> Depth:
        """The book: replayed liquidity and the orders of all accounts together."""
        raise NotImplementedError

    def book_ticker(self, market: Market, symbol: str) -> BookTicker:
        """Best bid and ask."""
        raise NotImplementedError

    def trades(self, market: Market, symbol: str, window: Window | None = None) -> list[Print]:
        """The newest trades, or those from `window.from_id`, oldest first."""
        raise NotImplementedError

    def klines(
        self, market: Market, symbol: str, interval: str, window: Window | None = None
    ) -> list[Kline]:
        """Candles, oldest first; the last one may still be open. Intervals 1s to 1M."""
        raise NotImplementedError

    def last_price(self, market: Market, symbol: str) -> Decimal | None:
        """Price of the last trade; None before the first."""
        raise NotImplementedError

    def average_price(self, market: Market, symbol: str) -> Decimal | None:
        """Mean trade price of the listing's `avg_price_mins`; last price if none traded."""
        raise NotImplementedError

    def mark_price(self, market: Market, symbol: str) -> MarkPrice:
        """Mark, index and funding of a contract."""
        raise NotImplementedError

    def funding_history(
        self, market: Market, symbol: str, window: Window | None = None
    ) -> list[FundingPrint]:
        """Fundings that took place, oldest first."""
        raise NotImplementedError

    def open_interest(self, market: Market, symbol: str) -> Decimal:
        """Sum of all long positions of a contract."""
        raise NotImplementedError

    # What drives a market.

    def replay_book(
        self, market: Market, symbol: str, bids: Levels, asks: Levels, *, is_snapshot: bool
    ) -> None:
        """Sets levels of the recording; a snapshot removes the recorded levels it leaves out."""
        raise NotImplementedError

    def replay_trade(
        self,
        market: Market,
        symbol: str,
        price: Decimal,
        qty: Decimal,
        *,
        buyer_is_maker: bool,
    ) -> None:
        """A trade of the recording: printed, and a fill for the orders it went through."""
        raise NotImplementedError

    def set_mark(self, market: Market, symbol: str, price: Decimal) -> None:
        """Sets the mark price: triggers, margin calls and liquidations follow."""
        raise NotImplementedError

    def set_index(self, market: Market, symbol: str, price: Decimal) -> None:
        """Sets the index price; on spot the published reference price."""
        raise NotImplementedError

    def set_funding_rate(self, market: Market, symbol: str, rate: Decimal) -> None:
        """Sets the rate of the next funding, within the listing's cap and floor."""
        raise NotImplementedError

    # The exchange's own books.

    def imbalance(self) -> dict[tuple[Market, str], Decimal]:
        """What does not add up, by market and asset: empty, unless the ledger is wrong (O16).

        Per market and asset, all accounts' wallets and the exchange's fees, insurance and rounding
        equal what came in less what went out.
        """
        raise NotImplementedError

    def insurance_fund(self, market: Market, asset: str) -> Decimal:
        """What the insurance fund has; negative if it paid more than it took."""
        raise NotImplementedError
