"""Which streams of the venue a run needs, by what its strategies asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veloz.environments.trading.tables import market_of
from veloz.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veloz.environments.trading.tables import Tables
    from veloz.venues.binance.hosts import Market

__all__ = ["Want", "wanted"]

Want = tuple[int, str, str, int]
"""A subscription: the strategy's row, the symbol, the kind of data, the length of bars in ns."""


def wanted(market: Market, wants: Iterable[Want], tables: Tables, *, is_paper: bool) -> list[str]:
    """The streams of a market, bars left out: those come with their history.

    Args:
        market: Which.
        wants: What strategies hear now, in all markets.
        tables: The run's; all that is traded is in them.
        is_paper: The simulated venue needs the book and every trade of what is traded.

    Raises:
        ConfigError: A strategy asks for something that the venue has no stream of.
    """
    prints = "@trade" if market == "spot" else "@aggTrade"
    for _, symbol, kind, _ in wants:
        if kind == "open_interest":
            raise ConfigError(
                f"open interest of {symbol} is asked for, and Binance has no stream of it",
                hint="take the OpenInterests subscription away; backtests have it from data",
            )
    by_kind = {
        "trades": (prints,),
        "quotes": ("@bookTicker",),
        "books": ("@depth@100ms", prints),
        "marks": ("@markPrice@1s",),
        "index": ("@markPrice@1s",),
        "tickers": ("@ticker",),
        "liquidations": ("@forceOrder",),
    }
    # A price to judge orders by is needed, whatever the strategies look at.
    always = by_kind["books"] if is_paper else by_kind["quotes"]
    rows = {row["symbol"]: row["venue_symbol"].lower() for row in tables.rows(market)}
    names = {f"{lower}{word}": None for lower in rows.values() for word in always}
    for _, symbol, kind, _ in wants:
        if market_of(symbol) == market:
            names |= dict.fromkeys(f"{rows[symbol]}{word}" for word in by_kind.get(kind, ()))
    if market != "spot":
        names |= {f"{lower}@markPrice@1s": None for lower in rows.values()}
    return list(names)
