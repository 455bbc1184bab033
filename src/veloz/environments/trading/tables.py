"""The engine's tables of a run: assets, instruments, accounts; from the venue, then from the run.

```text
 first start    exchangeInfo, the account ─► Tables ─► tables.json ─► engine
 start again    tables.json ─────────────────────────────────────────► engine
```

A journal names instruments by row, in the units of its tables. So a run keeps the rows and units
that it began with. Ticks, lots and other filters are taken over at each start as the venue has them
then: the new version of an instrument is in the header of the journal's next segment, with the
instant from which on it holds, and the old one is kept here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from veloz._core import BinanceDecoder
from veloz.environments.instruments import core_row
from veloz.errors import ConfigError, DataError
from veloz.storage.decimals import text
from veloz.storage.importers.captures import listed_instrument
from veloz.storage.symbols import did_you_mean, parse_symbol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from veloz.environments.settings import BacktestSettings
    from veloz.venues.binance.hosts import Market

__all__ = ["ASSET_SCALE", "TABLES", "Listing", "Tables", "market_of", "renewed_row", "tables_of"]

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
        hedge: The markets whose accounts keep two legs a contract.
        earlier: Versions of instruments that the venue has replaced, oldest first.
    """

    assets: tuple[str, ...]
    instruments: tuple[dict[str, Any], ...]
    markets: tuple[Market, ...]
    leverage: tuple[int, ...]
    adopted_ns: tuple[int, ...] = ()
    hedge: tuple[Market, ...] = ()
    earlier: tuple[dict[str, Any], ...] = ()

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

    def renewed(
        self,
        listings: Mapping[Market, Listing],
        wanted: Collection[str],
        fees: BacktestSettings,
        at_ns: int,
    ) -> tuple[Tables, list[str]]:
        """The same with the filters that the venue has now.

        Args:
            listings: By market.
            wanted: Symbols of ours that are traded: they must be listed.
            fees: What the user says of fees.
            at_ns: From when on a new version holds.

        Returns:
            The tables, and a sentence for each instrument that was changed.

        Raises:
            ConfigError: A symbol is not listed any more, or the journal's units cannot express its
                new filters.
        """
        rows, told = list(self.instruments), list[str]()
        for number, known in enumerate(rows):
            symbol = known["symbol"]
            listing = listings[market_of(symbol)]
            if symbol not in wanted and not listing.is_trading(symbol):
                continue
            rows[number], change = renewed_row(known, listing, fees, at_ns)
            if change:
                told.append(change)
        return self.with_rows(rows), told

    def with_rows(self, rows: Sequence[dict[str, Any]]) -> Tables:
        """The same with other versions of its instruments; those that they replace are kept."""
        replaced = [old for old, new in zip(self.instruments, rows, strict=True) if old != new]
        return replace(self, instruments=tuple(rows), earlier=(*self.earlier, *replaced))

    def text(self) -> bytes:
        """As a file holds them."""
        shape = {
            "assets": self.assets,
            "instruments": self.instruments,
            "markets": self.markets,
            "leverage": self.leverage,
            "adopted_ns": self.adopted_ns,
            "hedge": self.hedge,
            "earlier": self.earlier,
        }
        return json.dumps(shape, indent=1).encode() + b"\n"

    @staticmethod
    def of(content: bytes, name: str) -> Tables:
        """The tables of a file that `text` gave.

        Raises:
            DataError: The file is damaged.
        """
        try:
            shape = json.loads(content)
            return Tables(
                tuple(shape["assets"]),
                tuple(shape["instruments"]),
                tuple(shape["markets"]),
                tuple(shape["leverage"]),
                tuple(shape["adopted_ns"]),
                tuple(shape.get("hedge", ())),
                tuple(shape.get("earlier", ())),
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

    def is_trading(self, symbol: str) -> bool:
        """True if it is listed and trades now."""
        return self.status(symbol) == "trading"

    def status(self, symbol: str) -> str:
        """The venue's word for whether it trades; "not listed" if it is gone."""
        return str(self.by_symbol.get(symbol, {}).get("status", "not listed"))

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


_STAMPS = ("valid_from_ns", "origin")
_UNITS = ("kind", "base", "quote", "settle", "multiplier", "venue_symbol")
_PRICES = ("tick", "min_price", "max_price")
_QUANTITIES = ("lot", "min_qty", "max_qty", "market_max_qty", "market_lot")


def renewed_row(
    known: dict[str, Any], listing: Listing, fees: BacktestSettings, at_ns: int
) -> tuple[dict[str, Any], str]:
    """An instrument by the venue's rules of now, and a sentence if they are others.

    Args:
        known: The version that holds.
        listing: Of its market; the instrument trades.
        fees: What the user says of fees.
        at_ns: From when on a new version holds.

    Raises:
        ConfigError: The journal's units cannot express the new rules.
    """
    symbol = known["symbol"]
    now = in_units_of(known, listing.row(symbol, fees))
    changed = [name for name in now if name not in _STAMPS and now[name] != known.get(name)]
    if not changed:
        return known, ""
    what = ", ".join(f"{name} {known.get(name)} → {now[name]}" for name in changed)
    return now | {"valid_from_ns": at_ns}, f"{symbol}: {what}"


def in_units_of(known: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """A row in the scales of another version of its instrument.

    Raises:
        ConfigError: It is worth something else, or those scales are too coarse for it.
    """
    symbol, shown = known["symbol"], dict(row)
    for name in _UNITS:
        if row[name] != known[name]:
            raise ConfigError(
                f"{symbol} has another {name} at the venue than in the journal: {row[name]}, "
                f"not {known[name]}",
                hint="begin a new folder",
            )
    for scale, names in (("price_scale", _PRICES), ("qty_scale", _QUANTITIES)):
        by = known[scale] - row[scale]
        for name in names:
            value, rest = (row[name] * 10**by, 0) if by >= 0 else divmod(row[name], 10**-by)
            if rest:
                raise ConfigError(
                    f"the venue's {name} of {symbol} is now {text(row[name], row[scale])}, finer "
                    f"than the {known[scale]} decimals of the journal",
                    hint="begin a new folder; positions and balances are taken over",
                )
            shown[name] = value
        shown[scale] = known[scale]
    return shown


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
