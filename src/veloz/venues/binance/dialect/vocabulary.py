"""The venue's words for ours, both ways, and how it writes numbers and times."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from veloz.exchange.money import shown
from veloz.exchange.words import (
    ExpireReason,
    MarginType,
    OrderType,
    SymbolStatus,
    WorkingType,
)

__all__ = [
    "EXPIRY_REASONS",
    "FUTURES_STATUSES",
    "FUTURES_TYPES",
    "INTERVALS",
    "MARGIN_TYPES",
    "MICROSECOND",
    "MILLISECOND",
    "SPOT_STATUSES",
    "SPOT_TYPES",
    "TO_FUTURES_TYPE",
    "TO_SPOT_TYPE",
    "WORKING_TYPES",
    "decode",
    "encode",
    "fixed",
    "plain",
]

MILLISECOND = 1_000_000
MICROSECOND = 1_000

SPOT_TYPES = {
    "LIMIT": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "LIMIT_MAKER": OrderType.LIMIT_MAKER,
    "STOP_LOSS": OrderType.STOP_MARKET,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
    "TAKE_PROFIT": OrderType.TAKE_PROFIT_MARKET,
    "TAKE_PROFIT_LIMIT": OrderType.TAKE_PROFIT_LIMIT,
}
FUTURES_TYPES = {
    "LIMIT": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "STOP": OrderType.STOP_LIMIT,
    "STOP_MARKET": OrderType.STOP_MARKET,
    "TAKE_PROFIT": OrderType.TAKE_PROFIT_LIMIT,
    "TAKE_PROFIT_MARKET": OrderType.TAKE_PROFIT_MARKET,
    "TRAILING_STOP_MARKET": OrderType.TRAILING_STOP,
}
TO_SPOT_TYPE = {ours: theirs for theirs, ours in SPOT_TYPES.items()}
TO_FUTURES_TYPE = {ours: theirs for theirs, ours in FUTURES_TYPES.items()} | {
    OrderType.LIQUIDATION: "LIQUIDATION"
}
WORKING_TYPES = {"CONTRACT_PRICE": WorkingType.LAST, "MARK_PRICE": WorkingType.MARK}
MARGIN_TYPES = {"CROSSED": MarginType.CROSS, "ISOLATED": MarginType.ISOLATED}

SPOT_STATUSES = {
    SymbolStatus.PENDING: "BREAK",
    SymbolStatus.TRADING: "TRADING",
    SymbolStatus.HALT: "HALT",
    SymbolStatus.BREAK: "BREAK",
    SymbolStatus.END_OF_DAY: "END_OF_DAY",
    SymbolStatus.CANCEL_ONLY: "CANCEL_ONLY",
}
FUTURES_STATUSES = {
    SymbolStatus.PENDING: "PENDING_TRADING",
    SymbolStatus.TRADING: "TRADING",
    SymbolStatus.HALT: "PRE_SETTLE",
    SymbolStatus.BREAK: "PRE_SETTLE",
    SymbolStatus.PRE_SETTLE: "PRE_SETTLE",
    SymbolStatus.SETTLING: "SETTLING",
    SymbolStatus.DELIVERED: "DELIVERED",
    SymbolStatus.CLOSE: "CLOSE",
}
EXPIRY_REASONS = {
    ExpireReason.IOC: "UNFILLED_IOC_QUANTITY_EXPIRED",
    ExpireReason.FOK: "UNFILLED_FOK_ORDER_EXPIRED",
    ExpireReason.NO_LIQUIDITY: "INSUFFICIENT_LIQUIDITY",
    ExpireReason.PRICE_RANGE: "EXECUTION_RULE_PRICE_RANGE_EXCEEDED",
    ExpireReason.OCO_TRIGGER: "OCO_TRIGGER",
    ExpireReason.OTO_PHASE_ONE: "OTO_PHASE_ONE_EXPIRED",
    ExpireReason.DELISTED: "EXCHANGE_CANCELED",
    ExpireReason.LIQUIDATION: "EXCHANGE_CANCELED",
}
# interval -> its length in ms; 0 for a month, whose length varies
INTERVALS = {
    "1s": 1_000,
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "8h": 28_800_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
    "3d": 259_200_000,
    "1w": 604_800_000,
    "1M": 0,
}


# what is encoded is built here, so it never holds itself
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False)


def fixed(value: Decimal, decimals: int = 8) -> str:
    """A number with exactly so many decimals, never with an exponent.

    Rounded by a rule of its own: events are written inside the exchange, where the running
    context cuts, and answers outside, where it does not.
    """
    return f"{shown(value, decimals):f}"


def plain(value: Decimal) -> str:
    """A number without zeros at its end, never with an exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def decode(text: bytes | str) -> Any:
    """Reads JSON; ValueError for what is none, and for what is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def encode(value: Any) -> bytes:
    """JSON as the venue writes it: no spaces, UTF-8; half a surrogate of a client becomes `?`."""
    return _ENCODER.encode(value).encode("utf-8", "replace")
