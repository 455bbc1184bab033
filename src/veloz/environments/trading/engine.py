"""The engine of a run, made the same way to trade, to recover and to verify."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz import __version__
from veloz._core import LiveEngine
from veloz.environments.backtest import wanted_data
from veloz.environments.loading import made_strategy
from veloz.environments.settings import BY_SYMBOL, parse_limits
from veloz.environments.trading.tables import ASSET_SCALE, Tables, market_of
from veloz.errors import ConfigError
from veloz.storage.symbols import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veloz.environments.loading import LoadedStrategy
    from veloz.environments.trading.settings import Seat, TradingSettings
    from veloz.strategy import Strategy
    from veloz.venues.binance.hosts import Market

__all__ = ["Seated", "add_feeds", "make_engine", "make_strategies", "seat_strategies"]


@dataclass(frozen=True)
class Seated:
    """One strategy with what it wants.

    Attributes:
        loaded: Its class and file.
        strategy: The object.
        wanted: Kinds of data by symbol, with the intervals of bars.
        market: The one market that it trades on.
    """

    loaded: LoadedStrategy
    strategy: Strategy
    wanted: dict[str, dict[str, tuple[int, ...]]]
    market: Market

    @property
    def name(self) -> str:
        """The class's."""
        return type(self.strategy).__name__


def make_strategies(seats: Sequence[Seat]) -> list[Seated]:
    """Loads the strategies of a run.

    Raises:
        StrategyError: One cannot be loaded.
        ConfigError: A parameter is wrong, or one wants several markets.
    """
    made: list[Seated] = []
    for seat in seats:
        loaded, strategy = made_strategy(seat.target, seat.parameters)
        wanted = wanted_data(strategy)
        markets: list[Market] = [market_of(symbol) for symbol in wanted]
        markets = list(dict.fromkeys(markets))
        if len(markets) != 1:
            raise ConfigError(
                f"{type(strategy).__name__} wants data of {' and '.join(markets)}: a strategy "
                "trades on one market",
                hint="run one strategy for each market; several may run at once",
            )
        made.append(Seated(loaded, strategy, wanted, markets[0]))
    return made


def make_engine(
    settings: TradingSettings, tables: Tables, *, epoch: int, instance: int, records: bool
) -> LiveEngine:
    """An engine without strategies and feeds.

    Args:
        settings: The run's.
        tables: The run's.
        epoch: Of its client ids.
        instance: Likewise.
        records: Whether it notes the market.

    Raises:
        ConfigError: A setting is refused.
    """
    given: dict[str, Any] = {
        "accounts": list(tables.markets),
        "instance": instance,
        "epoch": epoch,
        "limits": _limits(settings, tables),
        "leverage": list(tables.leverage),
        "build": __version__,
        "account": settings.account,
        "records_market": records,
    }
    if settings.is_paper:
        given |= {
            "paper": True,
            "levels": ["book"] * len(tables.instruments),
            "venue": list(settings.fill),
            "entry_latency": settings.entry_latency,
            "report_latency": settings.report_latency,
            "seed": settings.seed,
        }
    assets = [(name, ASSET_SCALE) for name in tables.assets]
    try:
        return LiveEngine(assets, [dict(row) for row in tables.instruments], given)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def add_feeds(engine: LiveEngine, tables: Tables) -> None:
    """One feed a market, in the order of the accounts: their numbers are the same."""
    for market in tables.markets:
        engine.add_feed(market, [row["symbol"] for row in tables.rows(market)])


def seat_strategies(
    engine: LiveEngine, made: Sequence[Seated], tables: Tables, seed: int
) -> list[int]:
    """Seats the strategies and wires what they hear; gives their rows.

    Raises:
        ConfigError: One wants a symbol that the run's tables lack.
    """
    rows: list[int] = []
    for seated in made:
        strategy = seated.strategy
        for symbol in seated.wanted:
            if not tables.has(symbol):
                known = [row["symbol"] for row in tables.instruments]
                raise ConfigError(
                    f"the run was begun without {symbol}: {did_you_mean(symbol, known)}",
                    hint="start in a new folder to trade it",
                )
        strategy.random = random.Random(f"{seed} {seated.name}")  # noqa: S311 - a strategy's dice
        account = tables.account_of(seated.market)
        row = int(engine.add_strategy(strategy, type(strategy).stop_policy, account))
        for symbol, kinds in seated.wanted.items():
            for kind, intervals in kinds.items():
                for interval in intervals or (0,):
                    engine.listen(row, symbol, kind, interval)
        rows.append(row)
    return rows


def _limits(settings: TradingSettings, tables: Tables) -> dict[str, Any]:
    """Risk limits as the core takes them; quantities by symbol become columns."""
    limits = parse_limits(settings.limits)
    known = [row["symbol"] for row in tables.instruments]
    for name in BY_SYMBOL:
        given = limits.get(name)
        if given is None:
            continue
        for symbol in given if isinstance(given, Mapping) else ():
            if symbol not in known:
                raise ConfigError(
                    f"the limit {name} is given for {symbol}, which is not traded: "
                    f"{did_you_mean(symbol, known)}"
                )
        limits[name] = [_units(name, given, row) for row in tables.instruments]
    return limits


def _units(name: str, given: Any, row: Mapping[str, Any]) -> int:
    value = given.get(row["symbol"]) if isinstance(given, Mapping) else given
    units = Decimal(0 if value is None else value).scaleb(row["qty_scale"])
    if units != int(units):
        step = Decimal(1).scaleb(-row["qty_scale"])
        raise ConfigError(
            f"the limit {name} of {row['symbol']} is {value}, finer than its unit {step}"
        )
    return int(units)
