"""What a strategy author sees: `Strategy`, its parameters and its subscriptions."""

from veloz.strategy.parameters import Bool, Choice, Float, Int, Notional, Parameter, Qty, Symbol
from veloz.strategy.strategy import Strategy
from veloz.strategy.subscriptions import (
    Bars,
    Books,
    Fundings,
    Marks,
    Quotes,
    Subscription,
    Trades,
)

__all__ = [
    "Bars",
    "Books",
    "Bool",
    "Choice",
    "Float",
    "Fundings",
    "Int",
    "Marks",
    "Notional",
    "Parameter",
    "Qty",
    "Quotes",
    "Strategy",
    "Subscription",
    "Symbol",
    "Trades",
]
