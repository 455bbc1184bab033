"""The engine of a run, made the same way to trade, to recover and to verify."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz import __version__
from veloz._core import LiveEngine
from veloz.environments.loading import made_strategy
from veloz.environments.settings import BY_SYMBOL, parse_limits
from veloz.environments.trading.tables import ASSET_SCALE, Tables, market_of
from veloz.environments.wanted import wanted_data
from veloz.errors import ConfigError
from veloz.storage.symbols import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veloz.environments.loading import LoadedStrategy
    from veloz.environments.trading.settings import Seat, TradingSettings
    from veloz.strategy import Strategy
    from veloz.venues.binance.hosts import Market

__all__ = [
    "Seated",
    "add_feeds",
    "check_words",
    "empty_engine",
    "hedged",
    "make_engine",
    "make_strategies",
    "seat_strategies",
]

_REMEMBERS_NS = 10_000_000
"""How long a rehearsed order is remembered once it ended: what is kept fills the caches."""


@dataclass(frozen=True)
class Seated:
    """One strategy with what it wants.

    Attributes:
        loaded: Its class and file.
        strategy: The object.
        wanted: Kinds of data by symbol, with the intervals of bars.
        markets: Where it trades: each market has an account of its own.
    """

    loaded: LoadedStrategy
    strategy: Strategy
    wanted: dict[str, dict[str, tuple[int, ...]]]
    markets: tuple[Market, ...]

    @property
    def name(self) -> str:
        """The class's."""
        return type(self.strategy).__name__

    @property
    def is_hedge(self) -> bool:
        """True if it trades the long and the short leg of a contract apart."""
        return type(self.strategy).position_mode == "hedge"

    def of(self, market: Market) -> dict[str, dict[str, tuple[int, ...]]]:
        """What it wants of one market."""
        return {name: kinds for name, kinds in self.wanted.items() if market_of(name) == market}


def make_strategies(seats: Sequence[Seat]) -> list[Seated]:
    """Loads the strategies of a run.

    Raises:
        StrategyError: One cannot be loaded.
        ConfigError: A parameter is wrong, one wants no data at all, or two that share an account
            want different position modes.
    """
    made: list[Seated] = []
    for seat in seats:
        loaded, strategy = made_strategy(seat.target, seat.parameters)
        wanted = wanted_data(strategy)
        traded: list[Market] = [market_of(symbol) for symbol in wanted]
        markets = tuple(dict.fromkeys(traded))
        if not markets:
            raise ConfigError(
                f"{type(strategy).__name__} wants no market data, so nothing says where it trades",
                hint="declare a subscription for each symbol, e.g. quotes = vz.Quotes(symbol)",
            )
        made.append(Seated(loaded, strategy, wanted, markets))
    _check_modes(made)
    return made


def hedged(made: Sequence[Seated]) -> set[Market]:
    """The futures markets whose accounts are traded in hedge mode."""
    return {m for seated in made if seated.is_hedge for m in seated.markets if m != "spot"}


def _check_modes(made: Sequence[Seated]) -> None:
    """An account is in one mode, whoever trades on it."""
    for market in hedged(made):
        for seated in made:
            if market in seated.markets and not seated.is_hedge:
                raise ConfigError(
                    f"{seated.name} trades {market} with one position a contract, and another "
                    "strategy of the run in hedge mode: an account is in one of them",
                    hint='say position_mode = "hedge" on both, or run them on two accounts',
                )


def check_words(settings: TradingSettings) -> None:
    """Reads what only the core can read of the settings: before anybody is asked anything.

    Args:
        settings: Of a run that begins; what is for a paper run is read for a live one too.

    Raises:
        ConfigError: The core refuses a word.
    """
    given: dict[str, Any] = {
        "accounts": [],
        "limits": {
            name: value
            for name, value in parse_limits(settings.limits).items()
            if name not in BY_SYMBOL  # in units of instruments that are not known yet
        },
        "paper": True,
        "levels": [],
        "venue": list(settings.fill),
        "entry_latency": settings.entry_latency,
        "report_latency": settings.report_latency,
        "seed": settings.seed,
    }
    try:
        LiveEngine([], [], given)
    except ValueError as error:
        raise ConfigError(str(error)) from error


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
        "hedge": [market in tables.hedge for market in tables.markets],
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


def empty_engine(tables: Tables) -> LiveEngine:
    """An engine of the same instruments whose requests are rehearsals, without strategies."""
    given: dict[str, Any] = {
        "accounts": list(tables.markets),
        "remembers_ns": _REMEMBERS_NS,
        "rehearses": True,
        "limits": {"max_orders_per_second": 1_000_000},
    }
    assets = [(name, ASSET_SCALE) for name in tables.assets]
    return LiveEngine(assets, [dict(row) for row in tables.instruments], given)


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
        account = tables.account_of(seated.markets[0])
        row = int(engine.add_strategy(strategy, type(strategy).stop_policy, account))
        for market in seated.markets[1:]:
            for instrument in tables.rows(market):
                engine.route(row, instrument["symbol"], tables.account_of(market))
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
