"""The engine's tables of a run: assets, instruments, accounts; from the venue, then from the run.

```text
 first start    exchangeInfo, the account ─► Tables ─► tables.json ─► engine
 start again    tables.json ─────────────────────────────────────────► engine
```

A journal names instruments by row, in the units of its tables. So a run keeps the tables that it
began with: what the venue has changed since needs a new run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from veloz._core import BinanceDecoder
from veloz.environments.instruments import core_row
from veloz.errors import ConfigError, DataError
from veloz.storage.importers.captures import listed_instrument
from veloz.storage.symbols import did_you_mean, parse_symbol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from veloz.environments.settings import BacktestSettings
    from veloz.venues.binance.hosts import Market

__all__ = ["ASSET_SCALE", "TABLES", "Listing", "Tables", "market_of", "tables_of"]

TABLES = "tables.json"
ASSET_SCALE = 8
"""Decimals of every amount at Binance."""

_MARKETS: dict[str, Market] = {"spot": "spot", "linear": "usdm", "inverse": "coinm"}


def market_of(symbol: str) -> Market:
    """The market that lists a symbol of ours.

    Raises:
        DataError: It is no symbol.
    """
    return _MARKETS[parse_symbol(symbol).market]


@dataclass(frozen=True)
class Tables:
    """The tables of one run.

    Attributes:
        assets: Names by row.
        instruments: As the engine takes them, by row.
        markets: The market of each account, by row.
        leverage: By row of the instruments.
        adopted_ns: When the venue's balances and positions were taken over, by account; 0 never.
    """

    assets: tuple[str, ...]
    instruments: tuple[dict[str, Any], ...]
    markets: tuple[Market, ...]
    leverage: tuple[int, ...]
    adopted_ns: tuple[int, ...] = ()

    def account_of(self, market: Market) -> int:
        """The row of a market's account."""
        return self.markets.index(market)

    def rows(self, market: Market) -> list[dict[str, Any]]:
        """The instruments of a market."""
        return [row for row in self.instruments if _MARKETS[row["kind"]] == market]

    def named(self, market: Market) -> dict[str, str]:
        """Our symbols by the venue's."""
        return {row["venue_symbol"]: row["symbol"] for row in self.rows(market)}

    def has(self, symbol: str) -> bool:
        """True if the run can trade it."""
        return any(row["symbol"] == symbol for row in self.instruments)

    def adopted(self, account: int, at_ns: int) -> Tables:
        """The same, with the instant at which an account was taken over."""
        known = self.adopted_ns
        return replace(self, adopted_ns=(*known[:account], at_ns, *known[account + 1 :]))

    def text(self) -> bytes:
        """As a file holds them."""
        shape = {
            "assets": self.assets,
            "instruments": self.instruments,
            "markets": self.markets,
            "leverage": self.leverage,
            "adopted_ns": self.adopted_ns,
        }
        return json.dumps(shape, indent=1).encode() + b"\n"

    @staticmethod
    def of(text: bytes, name: str) -> Tables:
        """The tables that `text` wrote.

        Raises:
            DataError: The file is damaged.
        """
        try:
            shape = json.loads(text)
            return Tables(
                tuple(shape["assets"]),
                tuple(shape["instruments"]),
                tuple(shape["markets"]),
                tuple(shape["leverage"]),
                tuple(shape["adopted_ns"]),
            )
        except (ValueError, KeyError, TypeError, RecursionError) as damage:
            raise DataError(
                f"{name} is damaged: {damage}", hint="restore the run's folder from a copy"
            ) from damage


class Listing:
    """What one market lists.

    Args:
        market: Which.
        body: The answer to its exchange information.

    Raises:
        ValueError: The body is no exchange information.
    """

    def __init__(self, market: Market, body: bytes) -> None:
        decoder = BinanceDecoder(market)
        decoder.add_exchange_info(body)
        rows = cast("list[dict[str, Any]]", decoder.instruments)
        self.market: Market = market
        self.by_symbol = {str(row["symbol"]): row for row in rows}
        self.by_venue_symbol = {str(row["venue_symbol"]): row for row in rows}

    def row(self, symbol: str, fees: BacktestSettings) -> dict[str, Any]:
        """One instrument as the engine takes it.

        Raises:
            ConfigError: It is not listed, or does not trade.
        """
        found = self.by_symbol.get(symbol)
        if found is None:
            raise ConfigError(
                f"the venue lists no {symbol} on {self.market}: "
                f"{did_you_mean(symbol, list(self.by_symbol))}"
            )
        if found["status"] != "trading":
            raise ConfigError(f"{symbol} does not trade now: its status is {found['status']}")
        stated = listed_instrument(found, "the venue's exchangeInfo")
        return core_row(stated, fees)[0]


def tables_of(
    listings: Mapping[Market, Listing],
    symbols: Iterable[str],
    held: Iterable[str],
    leverage: Mapping[str, int],
    fees: BacktestSettings,
) -> Tables:
    """The tables of a new run.

    Args:
        listings: By market; each has an account.
        symbols: Ours, of everything that is traded or looked at.
        held: Assets that the accounts hold.
        leverage: By symbol; "" for all others.
        fees: What the user says of fees.
    """
    markets: tuple[Market, ...] = tuple(listings)
    rows = [listings[market_of(name)].row(name, fees) for name in dict.fromkeys(symbols)]
    assets = dict.fromkeys(
        asset for row in rows for asset in (row["base"], row["quote"], row["settle"])
    )
    assets |= dict.fromkeys([*held, "BNB"])
    return Tables(
        tuple(assets),
        tuple(rows),
        markets,
        tuple(leverage.get(row["symbol"], leverage.get("", 1)) for row in rows),
        (0,) * len(markets),
    )
