"""Subscriptions of a strategy: declared on the class, or made while it runs.

    class Cross(Strategy):
        symbol = Symbol("binance:BTC/USDT:USDT")
        bars = Bars("symbol", "1m")     # "symbol" names the parameter above

A declared subscription starts with the run; indicators that are fed by one hold back `on_bar`
until they are ready.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from veloz.strategy.durations import format_duration, parse_duration_ns
from veloz.strategy.parameters import Symbol

if TYPE_CHECKING:
    from veloz.strategy.strategy import Strategy


@dataclass(frozen=True)
class Subscription:
    """Market data that a strategy wants.

    Attributes:
        symbol: A symbol, a `Symbol` parameter, or the name of one on the same class.
    """

    # A `Symbol` is a descriptor, which no annotation of a field can say.
    symbol: Any
    kind: ClassVar[str] = ""

    @property
    def interval_ns(self) -> int:
        """Length of the bars wanted; 0 for anything else."""
        return 0

    def resolve(self, strategy: Strategy) -> str:
        """The symbol itself, for one strategy object."""
        name = self.symbol.name if isinstance(self.symbol, Symbol) else self.symbol
        if name in type(strategy).parameters():
            return str(getattr(strategy, name))
        return name


@dataclass(frozen=True)
class Bars(Subscription):
    """Finished bars of one interval, e.g. `Bars("symbol", "1m")`; delivered to `on_bar`."""

    interval: str = "1m"
    kind = "bars"

    def __post_init__(self) -> None:
        parse_duration_ns(self.interval)

    @property
    def interval_ns(self) -> int:
        """Length of the bars, ns."""
        return parse_duration_ns(self.interval)

    def __str__(self) -> str:
        return f"{format_duration(self.interval_ns)} bars of {self.symbol}"


@dataclass(frozen=True)
class Trades(Subscription):
    """Public trades; delivered to `on_trade`."""

    kind = "trades"


@dataclass(frozen=True)
class Quotes(Subscription):
    """Best bid and offer; delivered to `on_quote`."""

    kind = "quotes"


@dataclass(frozen=True)
class Books(Subscription):
    """The order book, kept up to date; `on_book` is called per message if it is defined."""

    kind = "books"


@dataclass(frozen=True)
class Marks(Subscription):
    """Mark prices; delivered to `on_mark`."""

    kind = "marks"


@dataclass(frozen=True)
class Fundings(Subscription):
    """Funding settlements; delivered to `on_funding`."""

    kind = "funding"


@dataclass(frozen=True)
class IndexPrices(Subscription):
    """Index prices of a contract; delivered to `on_index`."""

    kind = "index"


@dataclass(frozen=True)
class OpenInterests(Subscription):
    """Contracts outstanding; delivered to `on_open_interest`."""

    kind = "open_interest"


@dataclass(frozen=True)
class Liquidations(Subscription):
    """Public notices of forced orders; delivered to `on_liquidation`."""

    kind = "liquidations"


@dataclass(frozen=True)
class Tickers(Subscription):
    """Statistics of a rolling window, usually 24 hours; delivered to `on_ticker`."""

    kind = "tickers"
