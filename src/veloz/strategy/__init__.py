"""What a strategy author sees: `Strategy`, its parameters and its subscriptions."""

from veloz.strategy.parameters import Bool, Choice, Float, Int, Notional, Parameter, Qty, Symbol
from veloz.strategy.strategy import Strategy
from veloz.strategy.subscriptions import (
    Bars,
    Books,
    Fundings,
    IndexPrices,
    Liquidations,
    Marks,
    OpenInterests,
    Quotes,
    Subscription,
    Tickers,
    Trades,
)

__all__ = [
    "Bars",
    "Books",
    "Bool",
    "Choice",
    "Float",
    "Fundings",
    "IndexPrices",
    "Int",
    "Liquidations",
    "Marks",
    "Notional",
    "OpenInterests",
    "Parameter",
    "Qty",
    "Quotes",
    "Strategy",
    "Subscription",
    "Symbol",
    "Tickers",
    "Trades",
]
