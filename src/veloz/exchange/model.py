"""What is asked of the simulated exchange and what it answers: orders, fills, accounts, prices.

Prices, quantities and money are `Decimal`, times are integer nanoseconds since the Unix epoch,
UTC. What the exchange hands out (an `Order`, a `Position`) is a copy of its state at that moment:
it never changes afterwards, and changing it changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from veloz.exchange.money import ROUNDING, ZERO
from veloz.exchange.words import (
    AlgoStatus,
    ExpireReason,
    IncomeKind,
    MarginType,
    Market,
    OrderStatus,
    OrderType,
    PositionSide,
    PriceMatch,
    Side,
    StpMode,
    TimeInForce,
    WorkingType,
)


@dataclass(frozen=True)
class OrderRequest:
    """An order as a client asks for it; what it leaves out is None.

    Attributes:
        qty: Base coin or contracts; None with `quote_qty` or `close_position`.
        quote_qty: Spot market orders: how much of the quote coin to spend or to get.
        tif: None takes GTC where a limit order needs one.
        client_order_id: Unique among the account's open orders; None draws one.
        stop_price: The trigger of a conditional order.
        trailing_delta: Spot: basis points.
        activate_price: Futures trailing: armed from there; None from entry.
        callback_rate: Futures trailing: percent, 1 is one percent.
        stp_mode: None takes the listing's default.
        good_till_ns: With GTD.
    """

    market: Market
    symbol: str
    side: Side
    type: OrderType
    qty: Decimal | None = None
    price: Decimal | None = None
    quote_qty: Decimal | None = None
    tif: TimeInForce | None = None
    client_order_id: str | None = None
    stop_price: Decimal | None = None
    trailing_delta: int | None = None
    activate_price: Decimal | None = None
    callback_rate: Decimal | None = None
    iceberg_qty: Decimal | None = None
    stp_mode: StpMode | None = None
    position_side: PositionSide = PositionSide.BOTH
    reduce_only: bool = False
    close_position: bool = False
    price_match: PriceMatch | None = None
    working_type: WorkingType = WorkingType.LAST
    price_protect: bool = False
    good_till_ns: int | None = None
    strategy_id: int | None = None
    strategy_type: int | None = None


class OrderKey(NamedTuple):
    """Names an order: by its id, else by its client id."""

    market: Market
    symbol: str
    order_id: int | None = None
    client_order_id: str | None = None


@dataclass(frozen=True)
class Modification:
    """A change of a futures limit order: its new total quantity and price.

    Attributes:
        price: None with `price_match`.
    """

    key: OrderKey
    qty: Decimal
    price: Decimal | None
    price_match: PriceMatch | None = None


class Window(NamedTuple):
    """Which rows of a history are asked for.

    Attributes:
        from_id: The first id wanted; without it the newest `limit` rows are given.
        start_ns: Earliest time.
        end_ns: Latest time.
    """

    from_id: int | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    limit: int = 500


@dataclass(eq=False)
class Order:
    """An order's state, with the words of its request.

    Attributes:
        order_id: Unique in its market.
        original_type: The conditional type it came from, else its own type.
        qty: What was asked for (after cutting a reduce-only order); 0 for a quote quantity not
            yet executed.
        executed_qty: Filled so far.
        executed_quote: Spot: the quote coin that moved. usdm: sum of price times quantity.
            coinm: the coin value of the contracts.
        executed_reciprocal: coinm: sum of quantity over price.
        prevented_qty: Taken away by self-trade prevention.
        list_id: The order list it belongs to; -1 for none.
        algo_id: The algo order it came from; None for none.
        working_ns: When it entered the book; None before.
        trigger_ns: When its trigger was reached.
        is_working: True once it is in the book or was matched.
        trailing_extreme: Best price since a trailing order was armed.
    """

    market: Market
    account: str
    symbol: str
    order_id: int
    client_order_id: str
    side: Side
    type: OrderType
    original_type: OrderType
    tif: TimeInForce
    qty: Decimal
    price: Decimal
    status: OrderStatus
    created_ns: int
    updated_ns: int
    executed_qty: Decimal = ZERO
    executed_quote: Decimal = ZERO
    executed_reciprocal: Decimal = ZERO
    quote_qty: Decimal | None = None
    stop_price: Decimal | None = None
    trailing_delta: int | None = None
    activate_price: Decimal | None = None
    callback_rate: Decimal | None = None
    trailing_extreme: Decimal | None = None
    iceberg_qty: Decimal | None = None
    visible_qty: Decimal = ZERO
    stp_mode: StpMode = StpMode.NONE
    prevented_qty: Decimal = ZERO
    position_side: PositionSide = PositionSide.BOTH
    reduce_only: bool = False
    close_position: bool = False
    price_match: PriceMatch | None = None
    working_type: WorkingType = WorkingType.LAST
    price_protect: bool = False
    good_till_ns: int | None = None
    list_id: int = -1
    algo_id: int | None = None
    strategy_id: int | None = None
    strategy_type: int | None = None
    working_ns: int | None = None
    trigger_ns: int | None = None
    is_working: bool = False
    amends: int = 0
    expire_reason: ExpireReason = ExpireReason.NONE
    fills: list[Fill] = field(default_factory=lambda: list[Fill]())

    def twin(self) -> Order:
        """A copy that no longer changes; `copy` does the same in three times the time."""
        made = object.__new__(Order)
        made.__dict__ |= self.__dict__
        made.fills = list(self.fills)
        return made

    @property
    def left(self) -> Decimal:
        """What can still fill."""
        return self.qty - self.executed_qty - self.prevented_qty

    @property
    def average_price(self) -> Decimal:
        """Mean price of the fills, 0 before the first; at full precision."""
        if not self.executed_qty:
            return ZERO
        if self.market is Market.COINM:
            return ROUNDING.divide(self.executed_qty, self.executed_reciprocal)
        return ROUNDING.divide(self.executed_quote, self.executed_qty)


@dataclass(frozen=True)
class Fill:
    """One execution of one account's order.

    Attributes:
        trade_id: Of the symbol's tape; both sides of a trade have the same.
        quote_qty: Spot: the amount that moved, cut at the quote's scale. usdm: price times
            quantity. coinm: the value in coin (base quantity).
        fee: Paid in `fee_asset`; negative for a rebate.
        realised: Posted profit in the margin asset; 0 on spot.
    """

    market: Market
    account: str
    symbol: str
    trade_id: int
    order_id: int
    client_order_id: str
    list_id: int
    side: Side
    position_side: PositionSide
    price: Decimal
    qty: Decimal
    quote_qty: Decimal
    fee: Decimal
    fee_asset: str
    realised: Decimal
    is_maker: bool
    ts: int


@dataclass(frozen=True)
class Amendment:
    """A change of a resting order.

    Attributes:
        execution_id: Numbers the change in its symbol.
    """

    market: Market
    symbol: str
    order_id: int
    execution_id: int
    old_client_order_id: str
    client_order_id: str
    old_qty: Decimal
    qty: Decimal
    old_price: Decimal
    price: Decimal
    ts: int


@dataclass(frozen=True)
class PreventedMatch:
    """Two orders of one account that did not trade."""

    symbol: str
    match_id: int
    taker_order_id: int
    maker_order_id: int
    stp_mode: StpMode
    price: Decimal
    taker_qty: Decimal
    maker_qty: Decimal
    ts: int


@dataclass(frozen=True)
class OrderList:
    """Orders that depend on each other.

    Attributes:
        contingency: `OCO`, `OTO`.
        is_done: All of its orders are closed.
    """

    account: str
    symbol: str
    list_id: int
    client_list_id: str
    contingency: str
    order_ids: tuple[int, ...]
    is_done: bool
    created_ns: int
    updated_ns: int


@dataclass(eq=False)
class AlgoOrder:
    """A conditional order of the futures algo service; its ids are a space of their own.

    Attributes:
        order_id: The order that it became; None before its trigger.
        actual_qty: Filled by that order.
        actual_price: Its mean price.
        is_activated: A trailing order that has been armed.
        reason: Why it was rejected or expired.
    """

    market: Market
    account: str
    algo_id: int
    client_algo_id: str
    request: OrderRequest
    status: AlgoStatus
    created_ns: int
    updated_ns: int
    trigger_ns: int | None = None
    order_id: int | None = None
    actual_qty: Decimal = ZERO
    actual_price: Decimal = ZERO
    is_activated: bool = False
    trailing_extreme: Decimal | None = None
    reason: str = ""


class Balance(NamedTuple):
    """A spot balance."""

    asset: str
    free: Decimal
    locked: Decimal


@dataclass(frozen=True)
class WalletView:
    """A futures balance of one margin asset (accounting.md, A14, A21, A27).

    Attributes:
        wallet: Cross and isolated money.
        available: For new orders.
        max_withdraw: May leave the account.
    """

    asset: str
    wallet: Decimal
    cross_wallet: Decimal
    unrealised: Decimal
    cross_unrealised: Decimal
    margin_balance: Decimal
    initial_margin: Decimal
    position_initial_margin: Decimal
    open_order_initial_margin: Decimal
    maintenance_margin: Decimal
    available: Decimal
    max_withdraw: Decimal
    updated_ns: int


@dataclass(frozen=True)
class Position:
    """A position of a contract.

    Attributes:
        qty: Signed.
        realised: Posted profit since the account was opened.
        liquidation_price: None if no price liquidates it.
        isolated_margin: Isolated wallet and unrealised profit; 0 for cross.
        adl_quantile: 0 (last to be deleveraged) to 4.
    """

    market: Market
    account: str
    symbol: str
    position_side: PositionSide
    qty: Decimal
    entry_price: Decimal
    break_even_price: Decimal
    mark_price: Decimal
    unrealised: Decimal
    realised: Decimal
    notional: Decimal
    leverage: int
    margin_type: MarginType
    isolated_wallet: Decimal
    isolated_margin: Decimal
    initial_margin: Decimal
    open_order_initial_margin: Decimal
    maintenance_margin: Decimal
    liquidation_price: Decimal | None
    max_notional: Decimal | None
    adl_quantile: int
    margin_asset: str
    updated_ns: int


@dataclass(frozen=True)
class AccountView:
    """What an account holds in one market.

    Attributes:
        balances: Spot only.
        wallets: Futures only.
        positions: Futures only; every listed contract that was ever traded or configured.
    """

    account: str
    market: Market
    maker_rate: Decimal
    taker_rate: Decimal
    balances: tuple[Balance, ...] = ()
    wallets: tuple[WalletView, ...] = ()
    positions: tuple[Position, ...] = ()
    hedge_mode: bool = False
    pays_fees_in_bnb: bool = False
    updated_ns: int = 0


@dataclass(frozen=True)
class Income:
    """Money that came (positive) or went (negative) in a futures account."""

    market: Market
    account: str
    income_id: int
    kind: IncomeKind
    symbol: str
    asset: str
    amount: Decimal
    trade_id: int | None
    ts: int


class Print(NamedTuple):
    """A public trade; `buyer_is_maker` says that the seller took liquidity."""

    market: Market
    symbol: str
    trade_id: int
    price: Decimal
    qty: Decimal
    buyer_is_maker: bool
    ts: int
    buyer_order_id: int | None = None
    seller_order_id: int | None = None


class Depth(NamedTuple):
    """A snapshot of a book, best levels first; a later change continues `last_update_id`."""

    market: Market
    symbol: str
    last_update_id: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    ts: int


class Kline(NamedTuple):
    """A candle of the symbol's own trades.

    Attributes:
        volume: Base coin or contracts.
        quote_volume: Quote coin (coinm: base coin).
        first_trade_id: -1 for an empty candle.
    """

    market: Market
    symbol: str
    interval: str
    open_ns: int
    close_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    taker_buy_volume: Decimal
    taker_buy_quote_volume: Decimal
    trades: int
    first_trade_id: int
    last_trade_id: int


class BookTicker(NamedTuple):
    """Best bid and ask; 0 for an empty side."""

    market: Market
    symbol: str
    update_id: int
    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal
    ts: int


@dataclass(frozen=True)
class MarkPrice:
    """Mark, index and funding of a contract; prices are 0 before the first is known."""

    market: Market
    symbol: str
    mark: Decimal
    index: Decimal
    estimated_settle: Decimal
    funding_rate: Decimal
    next_funding_ns: int
    ts: int


@dataclass(frozen=True)
class FundingPrint:
    """A funding that took place."""

    market: Market
    symbol: str
    rate: Decimal
    mark: Decimal
    ts: int
