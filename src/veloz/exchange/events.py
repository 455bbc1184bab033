"""What the exchange tells its subscriber, in the order in which it happened.

Events of one call arrive after the call has finished its work and before it returns. Private ones
name an account, public ones a market and symbol. Quantities of book levels are absolute, 0 removes.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from veloz.exchange.listing import Listing
from veloz.exchange.model import (
    AlgoOrder,
    Balance,
    BookTicker,
    Fill,
    FundingPrint,
    MarkPrice,
    Order,
    OrderList,
    Position,
    Print,
)
from veloz.exchange.money import ZERO
from veloz.exchange.words import ExpireReason, Market, Side


class Execution(StrEnum):
    """What happened to an order."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REPLACED = "REPLACED"
    AMENDMENT = "AMENDMENT"
    TRADE_PREVENTION = "TRADE_PREVENTION"
    CALCULATED = "CALCULATED"


class AccountReason(StrEnum):
    """Why a futures account changed."""

    DEPOSIT = "DEPOSIT"
    WITHDRAW = "WITHDRAW"
    TRANSFER = "TRANSFER"
    ORDER = "ORDER"
    FUNDING_FEE = "FUNDING_FEE"
    MARGIN_TRANSFER = "MARGIN_TRANSFER"
    MARGIN_TYPE_CHANGE = "MARGIN_TYPE_CHANGE"
    ADMIN_DEPOSIT = "ADMIN_DEPOSIT"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"
    AUTO_EXCHANGE = "AUTO_EXCHANGE"


class ListStep(StrEnum):
    """What happened to an order list."""

    PLACED = "EXEC_STARTED"
    UPDATED = "UPDATED"
    DONE = "ALL_DONE"


class OrderEvent(NamedTuple):
    """An order changed.

    Attributes:
        order: Its state after the change.
        fill: With TRADE, and with CALCULATED for a liquidation or deleveraging.
        client_order_id: Of the request that caused it: the order's own, except when a cancel or
            replace request brought its own.
        original_client_order_id: The order's, when the request brought its own; else empty.
        prevented_qty: With TRADE_PREVENTION: what was taken away now.
        prevented_match_id: Numbers the prevented match.
        prevented_maker_order_id: The resting order of the prevented match.
        prevented_price: Its price.
    """

    ts: int
    market: Market
    account: str
    order: Order
    execution: Execution
    client_order_id: str
    original_client_order_id: str = ""
    fill: Fill | None = None
    reason: ExpireReason = ExpireReason.NONE
    prevented_qty: Decimal = ZERO
    prevented_match_id: int = -1
    prevented_maker_order_id: int = -1
    prevented_price: Decimal = ZERO


class BalanceEvent(NamedTuple):
    """Spot balances after a change: only assets that may have changed."""

    ts: int
    account: str
    balances: tuple[Balance, ...]


@dataclass(frozen=True)
class TransferEvent:
    """Spot money came in or went out by a deposit, withdrawal or transfer."""

    ts: int
    account: str
    asset: str
    delta: Decimal


@dataclass(frozen=True)
class WalletChange:
    """A futures wallet after a change; `change` leaves out profit and fees."""

    asset: str
    wallet: Decimal
    cross_wallet: Decimal
    change: Decimal


@dataclass(frozen=True)
class AccountEvent:
    """Futures wallets and positions after a change: only those that changed.

    Attributes:
        symbol: With FUNDING_FEE, else empty.
    """

    ts: int
    market: Market
    account: str
    reason: AccountReason
    wallets: tuple[WalletChange, ...]
    positions: tuple[Position, ...]
    symbol: str = ""


@dataclass(frozen=True)
class AccountConfigEvent:
    """Leverage of a symbol, or the position mode, was changed.

    Attributes:
        symbol: Empty when it is not about one symbol.
    """

    ts: int
    market: Market
    account: str
    symbol: str = ""
    leverage: int | None = None
    hedge_mode: bool | None = None


@dataclass(frozen=True)
class OrderListEvent:
    """An order list was placed, changed or ended; `orders` are (order id, client id)."""

    ts: int
    account: str
    order_list: OrderList
    step: ListStep
    orders: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class AlgoEvent:
    """A conditional order of the algo service changed."""

    ts: int
    market: Market
    account: str
    algo: AlgoOrder


@dataclass(frozen=True)
class MarginCallEvent:
    """Margin of these positions is nearly used up."""

    ts: int
    market: Market
    account: str
    cross_wallet: Decimal
    positions: tuple[Position, ...]


@dataclass(frozen=True)
class LiquidationPrint:
    """A forced order that traded: side SELL means a long was liquidated."""

    ts: int
    market: Market
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    average_price: Decimal
    filled_qty: Decimal


class TradePrint(NamedTuple):
    """A trade on the public tape."""

    ts: int
    trade: Print


class BookChange(NamedTuple):
    """Levels that changed.

    On spot `first_id` is the previous change's `last_id + 1`. On futures ids jump, and
    `previous_id` is the previous change's `last_id`. Changes can be joined: the first one's
    `first_id` and `previous_id`, the last one's `last_id`, and the last quantity of each level.
    """

    ts: int
    market: Market
    symbol: str
    first_id: int
    last_id: int
    previous_id: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


class BookTickerEvent(NamedTuple):
    """Best bid or ask changed."""

    ts: int
    ticker: BookTicker


@dataclass(frozen=True)
class MarkPriceEvent:
    """Mark, index or funding rate of a contract changed."""

    ts: int
    price: MarkPrice


@dataclass(frozen=True)
class FundingEvent:
    """A funding took place."""

    ts: int
    funding: FundingPrint


@dataclass(frozen=True)
class ListingEvent:
    """A symbol was listed, delisted, or changed its status or limits."""

    ts: int
    listing: Listing


PrivateEvent = (
    OrderEvent
    | BalanceEvent
    | TransferEvent
    | AccountEvent
    | AccountConfigEvent
    | OrderListEvent
    | AlgoEvent
    | MarginCallEvent
)
PublicEvent = (
    TradePrint
    | BookChange
    | BookTickerEvent
    | MarkPriceEvent
    | FundingEvent
    | LiquidationPrint
    | ListingEvent
)
Event = PrivateEvent | PublicEvent
