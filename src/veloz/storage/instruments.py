"""Instruments beside the data: units, limits and where each figure came from.

An instrument is a list of versions, each valid from an instant. Tick and lot are integers in the
instrument's own scales; the file spells everything as decimal text, so that a person can write it:

    [[instruments]]                      # `veloz data import --instruments FILE.toml`
    symbol = "binance:BTC/USDT:USDT"
    tick = "0.1"
    lot = "0.001"
    maker_fee = "0.0002"

A scale may grow when data need it (the same tick, restated exactly); it never shrinks.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from veloz.errors import DataError
from veloz.storage.decimals import decimals_of, scaled, text
from veloz.storage.kinds import RATE_SCALE
from veloz.storage.symbols import Symbol, did_you_mean, parse_symbol
from veloz.storage.times import format_time, parse_time

COST_SCALE = 18  # decimals of notionals, as in the core

ORIGINS = ("venue", "file", "inferred")


@dataclass(frozen=True)
class Filters:
    """What a venue lets an order say; 0 switches a limit off.

    Prices and quantities are in the instrument's units, notionals at cost scale, the band's
    multipliers at rate scale.
    """

    min_price: int = 0
    max_price: int = 0
    min_qty: int = 0
    max_qty: int = 0
    market_max_qty: int = 0
    market_lot: int = 0
    min_notional: int = 0
    max_notional: int = 0
    max_orders: int = 0
    max_conditional_orders: int = 0
    max_iceberg_parts: int = 0
    percent_up: int = 0
    percent_down: int = 0
    percent_both_sides: bool = False


@dataclass(frozen=True)
class Instrument:
    """One version of something tradable; the fields are those of the core's instrument.

    Attributes:
        symbol: Ours, e.g. `binance:BTC/USDT:USDT`.
        venue_symbol: The venue's own, e.g. `BTCUSDT`.
        price_scale: Decimals of a price.
        qty_scale: Decimals of a quantity.
        tick: Smallest price step, in price units.
        lot: Smallest quantity step, in quantity units.
        multiplier: Base per contract (linear) or face value in quote (inverse), scaled.
        multiplier_scale: Decimals of `multiplier`.
        maker_fee: At rate scale; `None` where the source does not say.
        taker_fee: See `maker_fee`.
        liquidation_fee: At rate scale; 0 where unknown.
        tiers: Maintenance margin by rising value: (upper end at cost scale, None for the last;
            rate at rate scale). Empty where unknown.
        filters: What an order may say.
        valid_from_ns: From when this version holds.
        status: `trading`, `cancel_only`, `halt` or `closed`.
        origin: `venue`, `file` or `inferred`.
        origin_note: Which file, or from what it was inferred.
    """

    symbol: str
    venue_symbol: str
    price_scale: int
    qty_scale: int
    tick: int
    lot: int
    multiplier: int = 1
    multiplier_scale: int = 0
    maker_fee: int | None = None
    taker_fee: int | None = None
    liquidation_fee: int = 0
    tiers: tuple[tuple[int | None, int], ...] = ()
    filters: Filters = field(default_factory=Filters)
    valid_from_ns: int = 0
    status: str = "trading"
    origin: str = "inferred"
    origin_note: str = ""

    @property
    def name(self) -> Symbol:
        """The parsed symbol."""
        return parse_symbol(self.symbol)

    @property
    def kind(self) -> str:
        """`spot`, `linear` or `inverse`."""
        return self.name.market

    @property
    def quote(self) -> str:
        """The currency of the price."""
        return self.name.quote

    @property
    def settle(self) -> str:
        """The currency of profit, fees and margin; for spot the quote."""
        return self.name.settle or self.name.quote

    @property
    def expiry_ns(self) -> int | None:
        """Delivery of a dated contract."""
        return self.name.expiry_ns

    def _bought_and_sold(self) -> str:
        """What is bought and sold."""
        return self.name.base

    base = property(_bought_and_sold)  # the field's own word for it

    def with_scales(self, price_scale: int, qty_scale: int) -> Instrument:
        """The same instrument with at least these scales; every figure keeps its value."""
        up = max(0, price_scale - self.price_scale)
        finer = max(0, qty_scale - self.qty_scale)
        if up == 0 and finer == 0:
            return self
        f, by_price, by_qty = self.filters, 10**up, 10**finer
        return replace(
            self,
            price_scale=self.price_scale + up,
            qty_scale=self.qty_scale + finer,
            tick=self.tick * by_price,
            lot=self.lot * by_qty,
            filters=replace(
                f,
                min_price=f.min_price * by_price,
                max_price=f.max_price * by_price,
                min_qty=f.min_qty * by_qty,
                max_qty=f.max_qty * by_qty,
                market_max_qty=f.market_max_qty * by_qty,
                market_lot=f.market_lot * by_qty,
            ),
        )

    def to_row(self) -> dict[str, Any]:
        """The instrument as decimal text, as it is kept in a file."""
        row: dict[str, Any] = {
            "symbol": self.symbol,
            "venue_symbol": self.venue_symbol,
            "kind": self.kind,
            "base": self.base,
            "quote": self.quote,
            "settle": self.settle,
            "price_scale": self.price_scale,
            "qty_scale": self.qty_scale,
            "tick": text(self.tick, self.price_scale),
            "lot": text(self.lot, self.qty_scale),
            "multiplier": text(self.multiplier, self.multiplier_scale),
            "maker_fee": _rate_text(self.maker_fee),
            "taker_fee": _rate_text(self.taker_fee),
            "liquidation_fee": text(self.liquidation_fee, RATE_SCALE),
            "valid_from": format_time(self.valid_from_ns),
            "status": self.status,
            "origin": self.origin,
            "origin_note": self.origin_note,
        }
        if self.tiers:
            row["tiers"] = [_tier_row(cap, rate) for cap, rate in self.tiers]
        for name, value in asdict(self.filters).items():
            if value:
                row[name] = _filter_text(name, value, self)
        return row


def instrument_of_row(
    row: dict[str, Any], *, origin: str | None = None, note: str = ""
) -> Instrument:
    """The instrument that a row of decimal text describes.

    Args:
        row: `symbol`, `tick` and `lot` at least; see `Instrument.to_row` for the rest.
        origin: Overrides the row's own origin.
        note: Overrides the row's own note.

    Raises:
        DataError: If a field is missing, unknown or no number.
    """
    unknown = set(row) - _ROW_FIELDS
    if unknown:
        word = sorted(unknown)[0]
        raise DataError(f"an instrument has no field {word!r}: {did_you_mean(word, _ROW_FIELDS)}")
    for name in ("symbol", "tick", "lot"):
        if name not in row:
            raise DataError(
                f"instrument {row.get('symbol', '?')} has no {name}: add it to the file"
            )
    symbol = parse_symbol(str(row["symbol"]))
    price_scale = max(int(row.get("price_scale", 0)), decimals_of(row["tick"]))
    qty_scale = max(int(row.get("qty_scale", 0)), decimals_of(row["lot"]))
    for name in _PRICE_FILTERS & set(row):
        price_scale = max(price_scale, decimals_of(row[name]))
    for name in _QTY_FILTERS & set(row):
        qty_scale = max(qty_scale, decimals_of(row[name]))
    multiplier = row.get("multiplier", "1")
    instrument = Instrument(
        symbol=str(symbol),
        venue_symbol=str(row.get("venue_symbol", symbol.base + symbol.quote)),
        price_scale=price_scale,
        qty_scale=qty_scale,
        tick=scaled(row["tick"], price_scale),
        lot=scaled(row["lot"], qty_scale),
        multiplier=scaled(multiplier, decimals_of(multiplier)),
        multiplier_scale=decimals_of(multiplier),
        maker_fee=_rate(row.get("maker_fee")),
        taker_fee=_rate(row.get("taker_fee")),
        liquidation_fee=_rate(row.get("liquidation_fee")) or 0,
        tiers=_tiers(row.get("tiers"), str(symbol)),
        filters=_filters(row, price_scale, qty_scale),
        valid_from_ns=parse_time(str(row.get("valid_from", "1970-01-01"))),
        status=str(row.get("status", "trading")),
        origin=origin or str(row.get("origin", "file")),
        origin_note=note or str(row.get("origin_note", "")),
    )
    if instrument.tick <= 0 or instrument.lot <= 0 or instrument.multiplier <= 0:
        raise DataError(f"instrument {symbol} needs a tick, a lot and a multiplier above zero")
    return instrument


def read_instruments(path: Path) -> list[Instrument]:
    """The instruments of a TOML or JSON file that a user wrote.

    Raises:
        DataError: If the file is missing or no list of instruments.
    """
    try:
        raw = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".toml":
            content = tomllib.loads(raw, parse_float=Decimal)
        else:
            content = json.loads(raw, parse_float=Decimal)
    except FileNotFoundError:
        raise DataError(f"there is no instruments file {path}: check the path") from None
    except ValueError as error:
        raise DataError(f"{path} is neither TOML nor JSON: {error}") from error
    rows = content.get("instruments") if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(
            f"{path} holds no list named 'instruments': see the data guide for its form"
        )
    return [instrument_of_row(row, origin="file", note=path.name) for row in rows]


class InstrumentTable:
    """All versions of all instruments of a catalogue."""

    def __init__(self, versions: Iterable[Instrument] = ()) -> None:
        """Holds the given versions."""
        self._versions: dict[str, list[Instrument]] = {}
        for version in versions:
            self.put(version)

    def symbols(self) -> list[str]:
        """All symbols, sorted."""
        return sorted(self._versions)

    def versions(self, symbol: str) -> list[Instrument]:
        """The versions of a symbol by the instant they hold from; empty if unknown."""
        return list(self._versions.get(symbol, ()))

    def at(self, symbol: str, ns: int | None = None) -> Instrument | None:
        """The version that holds at an instant (the last one if `ns` is `None`).

        Before the first version's start the first one holds: it is the best that is known.
        """
        versions = self._versions.get(symbol)
        if not versions:
            return None
        held = [v for v in versions if ns is None or v.valid_from_ns <= ns]
        return held[-1] if held else versions[0]

    def put(self, version: Instrument) -> None:
        """Adds a version, or replaces the one from the same instant; scales never shrink."""
        versions = self._versions.setdefault(version.symbol, [])
        known = [v for v in versions if v.valid_from_ns != version.valid_from_ns]
        price_scale = max([version.price_scale, *(v.price_scale for v in versions)])
        qty_scale = max([version.qty_scale, *(v.qty_scale for v in versions)])
        merged = [v.with_scales(price_scale, qty_scale) for v in [*known, version]]
        self._versions[version.symbol] = sorted(merged, key=lambda v: v.valid_from_ns)

    def grow(self, symbol: str, price_scale: int, qty_scale: int) -> None:
        """Gives every version of a symbol at least these scales."""
        versions = self._versions[symbol]
        self._versions[symbol] = [v.with_scales(price_scale, qty_scale) for v in versions]

    def to_json(self) -> str:
        """The table as the text of a file."""
        rows = [v.to_row() for s in self.symbols() for v in self._versions[s]]
        return json.dumps({"instruments": rows}, indent=1, ensure_ascii=False) + "\n"


def table_of_json(content: str) -> InstrumentTable:
    """The table that `InstrumentTable.to_json` wrote."""
    return InstrumentTable(instrument_of_row(row) for row in json.loads(content)["instruments"])


_PRICE_FILTERS = {"min_price", "max_price"}
_QTY_FILTERS = {"min_qty", "max_qty", "market_max_qty", "market_lot"}
_NOTIONAL_FILTERS = {"min_notional", "max_notional"}
_RATE_FILTERS = {"percent_up", "percent_down"}
_FILTER_NAMES = {f.name for f in fields(Filters)}
_ROW_FIELDS = _FILTER_NAMES | {
    "symbol", "venue_symbol", "kind", "base", "quote", "settle", "price_scale", "qty_scale",
    "tick", "lot", "multiplier", "maker_fee", "taker_fee", "liquidation_fee", "valid_from",
    "status", "origin", "origin_note", "tiers",
}  # fmt: skip


def _filter_scale(name: str, price_scale: int, qty_scale: int) -> int | None:
    if name in _PRICE_FILTERS:
        return price_scale
    if name in _QTY_FILTERS:
        return qty_scale
    if name in _NOTIONAL_FILTERS:
        return COST_SCALE
    return RATE_SCALE if name in _RATE_FILTERS else None


def _filters(row: dict[str, Any], price_scale: int, qty_scale: int) -> Filters:
    values: dict[str, Any] = {}
    for name in _FILTER_NAMES & set(row):
        scale = _filter_scale(name, price_scale, qty_scale)
        values[name] = row[name] if scale is None else scaled(row[name], scale)
    return Filters(**values)


def _filter_text(name: str, value: int, instrument: Instrument) -> str | int:
    scale = _filter_scale(name, instrument.price_scale, instrument.qty_scale)
    return value if scale is None else text(value, scale)


def _tier_row(cap: int | None, rate: int) -> dict[str, str]:
    row = {} if cap is None else {"cap": text(cap, COST_SCALE)}
    return row | {"rate": text(rate, RATE_SCALE)}


def _tiers(rows: object, symbol: str) -> tuple[tuple[int | None, int], ...]:
    """The maintenance tiers of a file.

    Raises:
        DataError: They are no list of `{cap, rate}` by rising value whose last one has no cap.
    """
    if rows is None:
        return ()
    tiers: list[tuple[int | None, int]] = []
    wrong = DataError(
        f"the tiers of {symbol} are not by rising value with rising rates, the last without a cap: "
        'write them like [{cap = "50000", rate = "0.004"}, {rate = "0.005"}]'
    )
    if not isinstance(rows, list) or not rows:
        raise wrong
    for row in rows:
        if not isinstance(row, dict) or "rate" not in row or set(row) - {"cap", "rate"}:
            raise wrong
        cap = None if row.get("cap") is None else scaled(str(row["cap"]), COST_SCALE)
        tiers.append((cap, scaled(str(row["rate"]), RATE_SCALE)))
    caps, rates = [cap for cap, _ in tiers], [rate for _, rate in tiers]
    below = [cap for cap in caps[:-1] if cap is not None]
    is_rising = below == sorted(set(below)) and rates == sorted(set(rates))
    in_range = rates[0] > 0 and rates[-1] < 10**RATE_SCALE and all(cap > 0 for cap in below)
    if len(below) != len(tiers) - 1 or caps[-1] is not None or not is_rising or not in_range:
        raise wrong
    return tuple(tiers)


def _rate(value: object) -> int | None:
    return None if value is None else scaled(str(value), RATE_SCALE)


def _rate_text(value: int | None) -> str | None:
    return None if value is None else text(value, RATE_SCALE)
