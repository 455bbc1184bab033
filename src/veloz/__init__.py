"""VeloZ: one strategy file for backtest, paper and live.

The names below are loaded when they are first used, so that `import veloz` and `veloz --help`
cost next to nothing. Inside the package a module imports from the room that owns the thing, never
from here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from veloz._core import (
        Account,
        Bar,
        Book,
        Fill,
        Funding,
        IndexPrice,
        Indicator,
        Liquidation,
        MarkPrice,
        OpenInterest,
        Order,
        Position,
        Quote,
        SystemEvent,
        Ticker,
        Trade,
    )
    from veloz.environments import ArraySource, Run, backtest, test
    from veloz.errors import (
        CheckFailed,
        ConfigError,
        DataError,
        FeedError,
        OrderError,
        StrategyError,
        UsageError,
        VelozError,
    )
    from veloz.storage.catalogue import Catalogue
    from veloz.strategy import (
        Bars,
        Books,
        Bool,
        Choice,
        Float,
        Fundings,
        IndexPrices,
        Int,
        Liquidations,
        Marks,
        Notional,
        OpenInterests,
        Qty,
        Quotes,
        Strategy,
        Symbol,
        Tickers,
        Trades,
    )

__version__ = "0.1.0"

# Public name -> the module that owns it. Literal, so that a reader sees the whole surface; the
# same names stand in `__all__` and, for editors and type checkers, in the imports above.
_OWNERS = {
    "Account": "veloz._core",
    "ArraySource": "veloz.environments",
    "Bar": "veloz._core",
    "Bars": "veloz.strategy",
    "Book": "veloz._core",
    "Books": "veloz.strategy",
    "Bool": "veloz.strategy",
    "Catalogue": "veloz.storage.catalogue",
    "Choice": "veloz.strategy",
    "Fill": "veloz._core",
    "Float": "veloz.strategy",
    "Funding": "veloz._core",
    "Fundings": "veloz.strategy",
    "IndexPrice": "veloz._core",
    "IndexPrices": "veloz.strategy",
    "Indicator": "veloz._core",
    "Int": "veloz.strategy",
    "Liquidation": "veloz._core",
    "Liquidations": "veloz.strategy",
    "MarkPrice": "veloz._core",
    "Marks": "veloz.strategy",
    "Notional": "veloz.strategy",
    "OpenInterest": "veloz._core",
    "OpenInterests": "veloz.strategy",
    "Order": "veloz._core",
    "Position": "veloz._core",
    "Qty": "veloz.strategy",
    "Quote": "veloz._core",
    "Quotes": "veloz.strategy",
    "Run": "veloz.environments",
    "Strategy": "veloz.strategy",
    "Symbol": "veloz.strategy",
    "SystemEvent": "veloz._core",
    "Ticker": "veloz._core",
    "Tickers": "veloz.strategy",
    "Trade": "veloz._core",
    "Trades": "veloz.strategy",
    "backtest": "veloz.environments",
    "test": "veloz.environments",
    "CheckFailed": "veloz.errors",
    "ConfigError": "veloz.errors",
    "DataError": "veloz.errors",
    "FeedError": "veloz.errors",
    "OrderError": "veloz.errors",
    "StrategyError": "veloz.errors",
    "UsageError": "veloz.errors",
    "VelozError": "veloz.errors",
}

__all__ = [
    "Account",
    "ArraySource",
    "Bar",
    "Bars",
    "Book",
    "Books",
    "Bool",
    "Catalogue",
    "CheckFailed",
    "Choice",
    "ConfigError",
    "DataError",
    "FeedError",
    "Fill",
    "Float",
    "Funding",
    "Fundings",
    "IndexPrice",
    "IndexPrices",
    "Indicator",
    "Int",
    "Liquidation",
    "Liquidations",
    "MarkPrice",
    "Marks",
    "Notional",
    "OpenInterest",
    "OpenInterests",
    "Order",
    "OrderError",
    "Position",
    "Qty",
    "Quote",
    "Quotes",
    "Run",
    "Strategy",
    "StrategyError",
    "Symbol",
    "SystemEvent",
    "Ticker",
    "Tickers",
    "Trade",
    "Trades",
    "UsageError",
    "VelozError",
    "__version__",
    "backtest",
    "test",
]


def __getattr__(name: str) -> object:
    owner = _OWNERS.get(name)
    if owner is None:
        raise AttributeError(f"module 'veloz' has no attribute {name!r}")
    thing = getattr(import_module(owner), name)
    globals()[name] = thing
    return thing


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_OWNERS))
