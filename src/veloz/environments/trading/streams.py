"""Which streams of the venue a run needs, by what its strategies asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veloz.errors import ConfigError
from veloz.strategy.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from veloz.environments.trading.engine import Seated
    from veloz.environments.trading.tables import Tables
    from veloz.venues.binance.hosts import Market

__all__ = ["bars", "wanted"]


def wanted(market: Market, made: Sequence[Seated], tables: Tables, *, is_paper: bool) -> list[str]:
    """The streams of a market, bars left out: those come with their history.

    Args:
        market: Which.
        made: Its strategies.
        tables: The run's.
        is_paper: The simulated venue needs the book and every trade of what is traded.

    Raises:
        ConfigError: A strategy asks for something that the venue has no stream of.
    """
    prints = "@trade" if market == "spot" else "@aggTrade"
    for seated in made:
        if any("open_interest" in kinds for kinds in seated.wanted.values()):
            raise ConfigError(
                f"{seated.name} asks for open interest, of which Binance has no stream",
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
    names: dict[str, None] = {}
    for seated in made:
        for symbol, kinds in seated.wanted.items():
            lower = _venue_symbol(tables, symbol).lower()
            # A price to judge orders by is needed, whatever the strategy looks at.
            always = by_kind["books"] if is_paper else by_kind["quotes"]
            asked = [word for kind in kinds for word in by_kind.get(kind, ())]
            names |= dict.fromkeys(f"{lower}{word}" for word in (*always, *asked))
    if market != "spot":
        for row in tables.rows(market):
            names[f"{row['venue_symbol'].lower()}@markPrice@1s"] = None
    return list(names)


def bars(
    made: Sequence[Seated], tables: Tables, needed: Callable[[Seated], int]
) -> list[tuple[str, str, int]]:
    """(venue symbol, interval, bars of history) of every kind of bar that is asked for."""
    found: dict[tuple[str, str], int] = {}
    for seated in made:
        for symbol, kinds in seated.wanted.items():
            for interval_ns in kinds.get("bars", ()):
                key = (_venue_symbol(tables, symbol), format_duration(interval_ns))
                found[key] = max(found.get(key, 0), needed(seated))
    return [(*key, count) for key, count in found.items()]


def _venue_symbol(tables: Tables, symbol: str) -> str:
    return next(row["venue_symbol"] for row in tables.instruments if row["symbol"] == symbol)
