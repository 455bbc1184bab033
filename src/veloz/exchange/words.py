"""The closed vocabularies of the simulated exchange, and how it says no.

The members are neutral of venues: a dialect maps them to its wire words, codes and texts.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from veloz.exchange.model import Order


class Market(StrEnum):
    """One of the three venues under one roof; symbols are unique inside a market."""

    SPOT = "spot"
    USDM = "usdm"
    COINM = "coinm"


class SymbolStatus(StrEnum):
    """What a listing admits at the moment (matching.md, section 13)."""

    PENDING = "PENDING_TRADING"
    TRADING = "TRADING"
    HALT = "HALT"
    BREAK = "BREAK"
    END_OF_DAY = "END_OF_DAY"
    CANCEL_ONLY = "CANCEL_ONLY"
    PRE_SETTLE = "PRE_SETTLE"
    SETTLING = "SETTLING"
    DELIVERED = "DELIVERED"
    CLOSE = "CLOSE"


class Side(StrEnum):
    """Buy or sell."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """What an order does; each name means the same in all three markets.

    A spot `STOP_LOSS` is `STOP_MARKET` here, a futures `STOP` is `STOP_LIMIT`, a futures
    `TAKE_PROFIT` is `TAKE_PROFIT_LIMIT`, a spot `TAKE_PROFIT` is `TAKE_PROFIT_MARKET`. A spot
    trailing stop is one of the four conditional types with `trailing_delta`.
    """

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_MARKET = "STOP_MARKET"
    STOP_LIMIT = "STOP_LIMIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"
    TRAILING_STOP = "TRAILING_STOP"
    LIQUIDATION = "LIQUIDATION"

    @property
    def is_conditional(self) -> bool:
        """True if it waits for a trigger."""
        return self in CONDITIONAL

    @property
    def is_stop(self) -> bool:
        """True if it triggers when the price moves against its side's holder."""
        return self in {OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP}

    @property
    def has_limit(self) -> bool:
        """True if it works with a limit price."""
        return self in LIMITED


CONDITIONAL = frozenset(
    {
        OrderType.STOP_MARKET,
        OrderType.STOP_LIMIT,
        OrderType.TAKE_PROFIT_MARKET,
        OrderType.TAKE_PROFIT_LIMIT,
        OrderType.TRAILING_STOP,
    }
)
LIMITED = frozenset(
    {
        OrderType.LIMIT,
        OrderType.LIMIT_MAKER,
        OrderType.STOP_LIMIT,
        OrderType.TAKE_PROFIT_LIMIT,
    }
)


class TimeInForce(StrEnum):
    """How long an order works; GTX is post-only, GTE_GTC lives as long as its position."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"
    GTD = "GTD"
    GTE_GTC = "GTE_GTC"


class StpMode(StrEnum):
    """What happens when two orders of one account would trade with each other."""

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"
    DECREMENT = "DECREMENT"


class PositionSide(StrEnum):
    """Which position of a contract an order belongs to; BOTH is the one of one-way mode."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class PriceMatch(StrEnum):
    """A limit price that the book gives: the n-th level of the other or of the own side."""

    OPPONENT = "OPPONENT"
    OPPONENT_5 = "OPPONENT_5"
    OPPONENT_10 = "OPPONENT_10"
    OPPONENT_20 = "OPPONENT_20"
    QUEUE = "QUEUE"
    QUEUE_5 = "QUEUE_5"
    QUEUE_10 = "QUEUE_10"
    QUEUE_20 = "QUEUE_20"


class WorkingType(StrEnum):
    """The price that a trigger of a contract looks at."""

    LAST = "LAST"
    MARK = "MARK"


class OrderStatus(StrEnum):
    """Where an order is in its life."""

    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"

    @property
    def is_open(self) -> bool:
        """True while the order can still change by itself."""
        return self in {OrderStatus.PENDING_NEW, OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED}


class AlgoStatus(StrEnum):
    """Where a conditional order of the futures algo service is in its life."""

    NEW = "NEW"
    TRIGGERING = "TRIGGERING"
    TRIGGERED = "TRIGGERED"
    FINISHED = "FINISHED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


class MarginType(StrEnum):
    """Whose money stands behind a position."""

    CROSS = "CROSS"
    ISOLATED = "ISOLATED"


class ContractType(StrEnum):
    """How long a contract lives; SPOT for none."""

    SPOT = "SPOT"
    PERPETUAL = "PERPETUAL"
    CURRENT_QUARTER = "CURRENT_QUARTER"
    NEXT_QUARTER = "NEXT_QUARTER"


class ExpireReason(StrEnum):
    """Why an order ended without its client asking for it."""

    NONE = "NONE"
    IOC = "IOC"
    FOK = "FOK"
    NO_LIQUIDITY = "NO_LIQUIDITY"
    PRICE_RANGE = "PRICE_RANGE"
    GTD = "GTD"
    STP = "STP"
    POST_ONLY = "POST_ONLY"
    REDUCE_ONLY = "REDUCE_ONLY"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    OCO_TRIGGER = "OCO_TRIGGER"
    OTO_PHASE_ONE = "OTO_PHASE_ONE"
    LIQUIDATION = "LIQUIDATION"
    ADL = "ADL"
    DELISTED = "DELISTED"
    FILTER = "FILTER"


class Why(StrEnum):
    """Why the exchange refuses a request; a dialect turns it into its venue's code and text."""

    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_SYMBOL = "unknown_symbol"
    UNKNOWN_ASSET = "unknown_asset"
    MARKET_CLOSED = "market_closed"
    BAD_REQUEST = "bad_request"
    UNSUPPORTED_TYPE = "unsupported_type"
    UNSUPPORTED_TIF = "unsupported_tif"
    UNSUPPORTED_STP = "unsupported_stp"
    UNSUPPORTED_FEATURE = "unsupported_feature"
    NOT_CONDITIONAL = "not_conditional"
    USE_ALGO = "use_algo"
    DUPLICATE_CLIENT_ID = "duplicate_client_id"
    GTD_TOO_SOON = "gtd_too_soon"
    PRICE_TICK = "price_tick"
    PRICE_MIN = "price_min"
    PRICE_MAX = "price_max"
    PRICE_PRECISION = "price_precision"
    LOT_STEP = "lot_step"
    LOT_MIN = "lot_min"
    LOT_MAX = "lot_max"
    MARKET_LOT_STEP = "market_lot_step"
    MARKET_LOT_MIN = "market_lot_min"
    MARKET_LOT_MAX = "market_lot_max"
    QTY_PRECISION = "qty_precision"
    MIN_NOTIONAL = "min_notional"
    MAX_NOTIONAL = "max_notional"
    PERCENT_PRICE = "percent_price"
    PERCENT_PRICE_MARKET = "percent_price_market"
    MAX_ORDERS = "max_orders"
    MAX_ALGO_ORDERS = "max_algo_orders"
    MAX_ICEBERG_ORDERS = "max_iceberg_orders"
    MAX_ORDER_LISTS = "max_order_lists"
    ICEBERG_PARTS = "iceberg_parts"
    MAX_POSITION = "max_position"
    TRAILING_DELTA = "trailing_delta"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    MAX_LEVERAGE_NOTIONAL = "max_leverage_notional"
    REDUCE_ONLY = "reduce_only"
    REDUCE_ONLY_IN_HEDGE = "reduce_only_in_hedge"
    POSITION_SIDE = "position_side"
    CLOSE_POSITION_EXISTS = "close_position_exists"
    WOULD_TRIGGER = "would_trigger"
    WOULD_TAKE = "would_take"
    FOK = "fok"
    NO_LIQUIDITY = "no_liquidity"
    NO_PRICE = "no_price"
    LIST_PRICES = "list_prices"
    UNKNOWN_ORDER = "unknown_order"
    CANCEL_RESTRICTED = "cancel_restricted"
    NO_CHANGE = "no_change"
    AMEND_INCREASES = "amend_increases"
    AMEND_NOT_LIMIT = "amend_not_limit"
    MAX_AMENDS = "max_amends"
    REPLACE_CANCEL_FAILED = "replace_cancel_failed"
    REPLACE_PLACE_FAILED = "replace_place_failed"
    REPLACE_BOTH_FAILED = "replace_both_failed"
    OPEN_ORDERS = "open_orders"
    OPEN_POSITIONS = "open_positions"
    BAD_LEVERAGE = "bad_leverage"
    NO_POSITION = "no_position"
    NOT_ISOLATED = "not_isolated"
    LEVERAGE_WITH_ISOLATED = "leverage_with_isolated"


class IncomeKind(StrEnum):
    """A line of the income record of a futures account."""

    TRANSFER = "TRANSFER"
    REALISED = "REALIZED_PNL"
    COMMISSION = "COMMISSION"
    FUNDING = "FUNDING_FEE"
    CLEARANCE = "INSURANCE_CLEAR"
    REBATE = "COMMISSION_REBATE"
    DELIVERY = "DELIVERED_SETTELMENT"


class Refusal(Exception):
    """The exchange says no; nothing has changed.

    Attributes:
        why: The reason, neutral of venues.
        detail: One sentence with the numbers that broke the rule.
        cancel: In a failed cancel-replace: the canceled order, or why it was not canceled.
        place: In a failed cancel-replace: the placed order, why it was refused, or None if it was
            not tried.
        ceiling: The highest price of the band that a price is above of.
        floor: The lowest price of the band that a price is below of.
    """

    def __init__(
        self,
        why: Why,
        detail: str,
        *,
        cancel: Order | Refusal | None = None,
        place: Order | Refusal | None = None,
        ceiling: Decimal | None = None,
        floor: Decimal | None = None,
    ) -> None:
        super().__init__(f"{why.value}: {detail}")
        self.why = why
        self.detail = detail
        self.cancel = cancel
        self.place = place
        self.ceiling = ceiling
        self.floor = floor
