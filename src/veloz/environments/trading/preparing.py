"""What a run is made of before it begins: its tables, and the plan that a person confirms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from veloz import __version__
from veloz.environments.backtest import engine_digest
from veloz.environments.trading.engine import hedged
from veloz.environments.trading.folder import FORMAT
from veloz.environments.trading.tables import Tables, tables_of
from veloz.errors import ConfigError
from veloz.storage.symbols import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from veloz.environments.trading.account import Survey
    from veloz.environments.trading.engine import Seated
    from veloz.environments.trading.folder import Start
    from veloz.environments.trading.settings import TradingSettings
    from veloz.environments.trading.tables import Listing
    from veloz.venues.binance.hosts import Market
    from veloz.venues.venue import Difference

__all__ = ["host_of", "markets_of", "new_tables", "plain_difference", "plain_strategy", "plan_of"]


def markets_of(made: Sequence[Seated], known: Tables | None) -> list[Market]:
    """The markets of a run, in the order of its accounts.

    Args:
        made: The strategies.
        known: The tables of the journal; None for a run that begins.

    Raises:
        ConfigError: A strategy trades where the journal has no account.
    """
    every: list[Market] = [market for seated in made for market in seated.markets]
    traded = dict.fromkeys(every)
    if known is None:
        return list(traded)
    missing = [market for market in traded if market not in known.markets]
    if missing:
        raise ConfigError(
            f"the run was begun without {missing[0]}",
            hint="start in a new folder to trade there too",
        )
    return list(known.markets)


def new_tables(
    settings: TradingSettings,
    made: Sequence[Seated],
    listings: Mapping[Market, Listing],
    surveys: Mapping[Market, Survey],
) -> Tables:
    """The tables of a run that begins: what is traded, and what the accounts hold already.

    Raises:
        ConfigError: A setting names a symbol that is not traded.
    """
    symbols = [symbol for seated in made for symbol in seated.wanted]
    leverage = dict(settings.leverage)
    held: list[str] = list(settings.balance) if settings.is_paper else []
    for market, seen in surveys.items():
        held += seen.balances
        venue_symbols = [position[0] for position in seen.positions] + [
            *seen.open_orders,
            *seen.own_orders,
        ]
        rows = listings[market].by_venue_symbol
        symbols += [rows[name]["symbol"] for name in venue_symbols if name in rows]
        leverage |= {
            rows[name]["symbol"]: times for name, times in seen.leverage.items() if name in rows
        }
    for what, given in (("leverage", settings.leverage), ("maintenance", settings.maintenance)):
        for symbol in given:
            if symbol and symbol not in symbols:
                raise ConfigError(
                    f"{what} is given for {symbol}, which no strategy trades: "
                    f"{did_you_mean(symbol, symbols)}"
                )
    tables = tables_of(listings, symbols, held, leverage, settings.fees())
    return replace(tables, hedge=tuple(name for name in listings if name in hedged(made)))


def plan_of(
    settings: TradingSettings,
    made: Sequence[Seated],
    tables: Tables,
    surveys: Mapping[Market, Survey],
    sequence: int,
) -> dict[str, Any]:
    """What a live run will do, for a person."""
    return {
        "account": settings.account,
        "environment": str(next(iter(settings.hosts.values())).environment),
        "folder": str(settings.folder),
        "goes_on_from": sequence,
        "policy": settings.policy,
        "strategies": [
            {
                "name": seated.name,
                "markets": list(seated.markets),
                "position_mode": type(seated.strategy).position_mode,
                "symbols": list(seated.wanted),
                "parameters": parameters_of(seated),
                "stop_policy": type(seated.strategy).stop_policy,
            }
            for seated in made
        ],
        "limits": {name: str(value) for name, value in settings.limits.items()},
        "leverage": {
            row["symbol"]: times
            for row, times in zip(tables.instruments, tables.leverage, strict=True)
            if row["kind"] != "spot"
        },
        "accounts": {market: seen.plain() for market, seen in surveys.items()},
    }


def host_of(
    settings: TradingSettings, made: Sequence[Seated], starts: Sequence[Start], began_ns: int
) -> dict[str, Any]:
    """What `run.json` says of a run that begins, or is gone on with.

    Args:
        settings: What decides it.
        made: The strategies.
        starts: Every start so far; the last is this one.
        began_ns: The wall clock.
    """
    return {
        "format": FORMAT,
        "veloz": __version__,
        "engine": engine_digest(),
        "epoch": starts[-1][0],
        "starts": [{"epoch": epoch, "instance": instance} for epoch, instance in starts],
        "began_ns": began_ns,
        "settings": settings.plain(),
        "strategies": [plain_strategy(seated) for seated in made],
    }


def parameters_of(seated: Seated) -> dict[str, str]:
    """A strategy's parameters as text, by name."""
    values = seated.strategy.parameter_values()
    return {name: str(value) for name, value in sorted(values.items())}


def plain_strategy(seated: Seated) -> dict[str, Any]:
    """What is needed to run a strategy again, as JSON values."""
    path = seated.loaded.path
    return {
        "name": seated.name,
        "file": None if path is None else str(path.resolve()),
        "digest": seated.loaded.digest,
        "parameters": parameters_of(seated),
    }


def plain_difference(difference: Difference) -> dict[str, Any]:
    """A difference as JSON values."""
    return {
        "kind": difference.kind,
        "subject": difference.subject,
        "ours": difference.ours,
        "theirs": difference.theirs,
        "freeze": str(difference.freeze),
        "repair": difference.repair,
    }
