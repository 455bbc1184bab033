"""Recordings: the frames of a market as they came, one JSON object a line.

    {"t": 1723161253937085768, "ch": "ws", "url": "wss://…", "dir": "in", "data": "<raw text>"}

`t` is the recorder's clock in ns; `ch` is `ws` or `rest`; `dir` is `in`, `out` (ignored) or `open`
(a socket connected). The core decodes the frames and keeps the books, as it does live, so what is
stored is what a strategy would have seen: a book begins with its snapshot, and where updates are
missing it is emptied until the next one.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np

from veloz._core import BinanceDecoder, BinanceInference, DecodeError, record_schemas
from veloz.errors import DataError
from veloz.storage.clock import correct
from veloz.storage.decimals import decimals_of, scaled, text
from veloz.storage.deposit import Deposit
from veloz.storage.importers.source_rows import Options, Outcome, fill_times, merge_inferred
from veloz.storage.instruments import COST_SCALE, Filters, Instrument
from veloz.storage.kinds import RATE_SCALE, bar_kind, kind_named

_RECORDS = {
    "Tick": "tick",
    "Trade": "trade",
    "AggTrade": "agg_trade",
    "Quote": "quote",
    "MarkPrice": "mark",
    "IndexPrice": "index",
    "Funding": "funding",
    "OpenInterest": "open_interest",
    "Liquidation": "liquidation",
    "Ticker": "ticker",
}
_BATCH = 20_000  # frames between two hand-overs of events
_TOP = 10
_LISTED_WITHIN = 100  # a recorder asks for exchange information before it listens
_SCHEMAS = {name: np.dtype(fields) for name, fields in record_schemas().items()}


class Row(NamedTuple):
    """One line of a recording."""

    number: int
    time: int
    channel: str
    url: str
    direction: str
    content: str


def is_capture(path: Path) -> bool:
    """Whether a file's first line is a line of a recording."""
    try:
        with _open(path) as file:
            first = json.loads(file.readline())
    except (OSError, ValueError, EOFError, zlib.error):
        return False
    return isinstance(first, dict) and {"t", "ch", "data"} <= first.keys()


def read_capture(
    path: Path, options: Options, deposit: Deposit, progress: Callable[[float], None]
) -> Outcome:
    """Reads a recording, twice if its instruments must be inferred.

    Raises:
        DataError: If the file is damaged, or of a venue that cannot be decoded.
    """
    outcome = Outcome("recording")
    markets: dict[str, _Market] = {}
    needs = _unlisted_markets(path)
    inferences = _infer(path, needs, lambda part: progress(part / 3)) if needs else {}
    begin = 1 / 3 if needs else 0.0
    for row in _rows(path, lambda part: progress(begin + part * (1 - begin) * 0.9), outcome.notes):
        name = _market_of(row)
        market = markets.get(name)
        if market is None:
            market = markets[name] = _Market(name, deposit, options, inferences.get(name))
        market.apply(row)
        outcome.messages += row.direction == "in"
    for market in markets.values():
        market.finish(options, outcome, origin=path.name)
    progress(1.0)
    return outcome


class _Market:
    """The decoder of one market and the events that it gave."""

    def __init__(
        self, name: str, deposit: Deposit, options: Options, inference: BinanceInference | None
    ) -> None:
        self._name = name
        self._deposit = deposit
        self._decoder = BinanceDecoder(name, keep_events=True)
        self._segments = [_Segment(name)]
        self._tables: dict[str, str] = {}
        self._frames = 0
        self._first_error = ""
        given = [*options.instruments, *_known(deposit)]
        listed = [instrument for instrument in given if _fits(instrument, name)]
        if listed:
            self._decoder.add_exchange_info(listing_body(listed))
        self._from_file = {instrument.symbol: instrument for instrument in listed}
        if inference is not None:
            self._decoder.add_inferred(inference)

    def apply(self, row: Row) -> None:
        """Decodes one line."""
        if row.channel == "ws" and row.direction == "open":
            self._reconnected(row)
        if row.direction != "in":
            return
        try:
            if row.channel == "rest":
                self._decoder.rest(row.url, row.content, row.time)
            else:
                self._decoder.frame(row.content, row.time)
                self._segments[-1].heard(row.url)
        except DecodeError as error:
            self._first_error = self._first_error or f"line {row.number}: {error}"
        self._frames += 1
        if self._frames % _BATCH == 0:
            self._keep()

    def finish(self, options: Options, outcome: Outcome, *, origin: str) -> None:
        """Corrects the clock, stores all events and says how the books ended."""
        self._keep()
        self._stamp(options, outcome)
        rows = {
            number: _stated_or_listed(row, self._from_file, origin)
            for number, row in enumerate(self._decoder.instruments)
        }
        stored = self._store(rows)
        for name, count in self._decoder.counts.items():
            outcome.events[name] = outcome.events.get(name, 0) + count
        outcome.errors += self._decoder.errors
        if self._first_error:
            outcome.notes.append(
                f"{self._decoder.errors} messages not understood, {self._first_error}"
            )
        for symbol, count in self._decoder.unknown.items():
            outcome.notes.append(f"{count} messages of {symbol}, which is not in the exchange info")
        for number in rows:
            self._describe_book(rows[number], outcome)
        for symbol in stored:
            instrument = self._deposit.instruments.at(symbol)
            assert instrument is not None
            if instrument.origin == "inferred":
                outcome.notes.append(
                    f"{symbol}: tick and lot are the steps seen, not the venue's word"
                )

    def _reconnected(self, row: Row) -> None:
        segment = self._segments[-1]
        if segment.frames:
            self._keep()
            self._decoder.disconnect()
            self._segments.append(_Segment(self._name))
        self._segments[-1].url = row.url.split("?")[0]

    def _keep(self) -> None:
        """Moves the decoder's events into the work database."""
        work = self._deposit.work
        for record, packed in self._decoder.events().items():
            rows = np.frombuffer(packed, _SCHEMAS[record])
            columns = {name: rows[name].astype(np.int64) for name in rows.dtype.names or ()}
            columns["segment"] = np.full(len(rows), len(self._segments) - 1)
            work.register("events", columns)
            table = f"{self._name}_{record}"
            if record not in self._tables:
                self._tables[record] = table
                extra = "" if record == "Bar" else ", CAST(NULL AS BIGINT) AS ts_feed"
                work.execute(f"CREATE TABLE {table} AS SELECT *{extra} FROM events LIMIT 0")
            work.execute(f"INSERT INTO {table} BY NAME SELECT * FROM events")
            work.unregister("events")

    def _stamp(self, options: Options, outcome: Outcome) -> None:
        """One clock offset for each connection, from all its events together."""
        work = self._deposit.work
        tables = [table for record, table in self._tables.items() if record != "Bar"]
        if not tables:
            return
        if self._name == "spot":
            # Spot quotes and snapshots have no time: the decoder gives them that of receipt.
            for table in set(tables) & {"spot_Quote", "spot_Tick"}:
                work.execute(f"UPDATE {table} SET ts_exchange = NULL WHERE ts_exchange = ts_recv")
        for table in tables if options.trust_clock else ():
            work.execute(f"UPDATE {table} SET ts_feed = ts_recv")
        for number, segment in enumerate(() if options.trust_clock else self._segments):
            found = correct(
                work, tables, connection=segment.url or self._name,
                floor_ns=options.clock_floor_ns, only=f"segment = {number}",
            )  # fmt: skip
            if found is not None:
                outcome.clock.append(found)
        for table in tables:
            fill_times(work, table, options, outcome)

    def _store(self, rows: dict[int, Instrument]) -> set[str]:
        work, stored = self._deposit.work, set()
        for record, table in self._tables.items():
            seen = work.execute(f"SELECT DISTINCT instrument FROM {table} ORDER BY 1").fetchall()
            for (number,) in seen:
                instrument = rows[number]
                if instrument.symbol not in stored:
                    merge_inferred(self._deposit, instrument)
                    stored.add(instrument.symbol)
                scales = (instrument.price_scale, instrument.qty_scale)
                for kind, condition in self._kinds(record, table, number):
                    names = ", ".join(
                        f'"{c}"' if c not in _IDS else f'0 AS "{c}"'
                        for c in kind_named(kind).columns
                    )
                    self._deposit.add_query(
                        instrument.symbol, kind,
                        f"SELECT {names} FROM {table} WHERE {condition} ORDER BY rowid",
                        scales=scales,
                    )  # fmt: skip
        return stored

    def _kinds(self, record: str, table: str, number: int) -> list[tuple[str, str]]:
        """The kinds that a table of records holds for an instrument, with their conditions."""
        mine = f"instrument = {number}"
        if record != "Bar":
            return [(_RECORDS[record], mine)]
        spans = self._deposit.work.execute(
            f"SELECT DISTINCT ts_close - ts_open FROM {table} WHERE {mine}"
        ).fetchall()
        return [
            (bar_kind(span).name, f"{mine} AND ts_close - ts_open = {span}") for (span,) in spans
        ]

    def _describe_book(self, instrument: Instrument, outcome: Outcome) -> None:
        book = self._decoder.book(instrument.venue_symbol)
        counts = book.counts
        if not counts["diffs"] and not counts["snapshots"]:
            return
        bids, asks = book.top_text(_TOP)
        outcome.books[instrument.symbol] = {
            "venue_symbol": instrument.venue_symbol,
            "state": book.state,
            "diffs": counts["diffs"],
            "applied": counts["applied"],
            "gaps": counts["gaps"],
            "resyncs": counts["resyncs"],
            "crossed": counts["crossed"],
            "last_update_id": book.last_update_id,
            "bids": [list(level) for level in bids],
            "asks": [list(level) for level in asks],
        }


_IDS = ("first_id", "final_id", "prev_id")  # the decoder has judged the chain already


@dataclass
class _Segment:
    """One connection of a recording."""

    url: str
    frames: int = 0

    def heard(self, url: str) -> None:
        if self.frames == 0:
            self.url = url.split("?")[0]
        self.frames += 1


def listing_body(instruments: list[Instrument]) -> str:
    """Instruments that are known otherwise, in the words of the venue's exchange information."""
    symbols: list[dict[str, Any]] = []
    for i in instruments:
        price, qty = i.price_scale, i.qty_scale
        symbols.append(
            {
                "symbol": i.venue_symbol,
                "pair": i.base + i.quote,
                "contractType": "" if i.kind == "spot" else _contract_type(i),
                "deliveryDate": (i.expiry_ns or 4133404800000_000000) // 1_000_000,
                "status": "TRADING",
                "contractStatus": "TRADING",
                "baseAsset": i.base,
                "quoteAsset": i.quote,
                "marginAsset": i.settle,
                "baseAssetPrecision": 8,
                "quotePrecision": 8,
                "quoteAssetPrecision": 8,
                "pricePrecision": price,
                "quantityPrecision": qty,
                "contractSize": int(text(i.multiplier, i.multiplier_scale))
                if i.kind == "inverse"
                else 1,
                "filters": [
                    {
                        "filterType": "PRICE_FILTER",
                        "minPrice": text(i.filters.min_price, price),
                        "maxPrice": text(i.filters.max_price, price),
                        "tickSize": text(i.tick, price),
                    },
                    {
                        "filterType": "LOT_SIZE",
                        "minQty": text(i.filters.min_qty, qty),
                        "maxQty": text(i.filters.max_qty, qty),
                        "stepSize": text(i.lot, qty),
                    },
                ],
            }
        )
    return json.dumps({"symbols": symbols})


def _contract_type(instrument: Instrument) -> str:
    return "CURRENT_QUARTER" if instrument.expiry_ns else "PERPETUAL"


def _known(deposit: Deposit) -> list[Instrument]:
    """Instruments of the catalogue that somebody stated; inferred ones are inferred anew."""
    table = deposit.instruments
    versions = [table.at(symbol) for symbol in table.symbols()]
    return [v for v in versions if v is not None and v.origin != "inferred"]


def _fits(instrument: Instrument, market: str) -> bool:
    kinds = {"spot": "spot", "usdm": "linear", "coinm": "inverse"}
    return instrument.name.venue == "binance" and instrument.kind == kinds[market]


def _stated_or_listed(row: dict[str, Any], given: dict[str, Instrument], origin: str) -> Instrument:
    """The decoder's instrument; one that the user or the catalogue stated is taken from there."""
    stated = given.get(row["symbol"])
    if stated is not None:
        return stated.with_scales(row["price_scale"], row["qty_scale"])
    return listed_instrument(row, origin)


def listed_instrument(row: dict[str, Any], origin: str) -> Instrument:
    """An instrument of a decoder's table.

    Args:
        row: As `BinanceDecoder.instruments` has it.
        origin: Where its exchange information came from, for people.
    """
    band = row["percent_price"] or ("0", "0", False)
    notes = {
        "venue": f"exchange info in {origin}",
        "inferred": "steps of price and qty seen in the data",
    }
    integers = (
        "min_price", "max_price", "min_qty", "max_qty", "market_max_qty", "market_lot",
        "max_orders", "max_conditional_orders", "max_iceberg_parts",
    )  # fmt: skip
    return Instrument(
        symbol=row["symbol"],
        venue_symbol=row["venue_symbol"],
        price_scale=row["price_scale"],
        qty_scale=row["qty_scale"],
        tick=row["tick"],
        lot=row["lot"],
        multiplier=scaled(row["multiplier"], decimals_of(row["multiplier"])),
        multiplier_scale=decimals_of(row["multiplier"]),
        maker_fee=scaled(row["maker_fee"], RATE_SCALE),
        taker_fee=scaled(row["taker_fee"], RATE_SCALE),
        liquidation_fee=scaled(row["liquidation_fee"], RATE_SCALE),
        filters=Filters(
            **{name: row[name] for name in integers},
            min_notional=scaled(row["min_notional"], COST_SCALE),
            max_notional=scaled(row["max_notional"], COST_SCALE),
            percent_up=scaled(band[0], RATE_SCALE),
            percent_down=scaled(band[1], RATE_SCALE),
            percent_both_sides=band[2],
        ),
        status=row["status"],
        origin=row["origin"],
        origin_note=notes.get(row["origin"], ""),
    )


def _unlisted_markets(path: Path) -> set[str]:
    """Markets whose frames come before any exchange information.

    Instruments that somebody stated do not count: the recording may hold further symbols.
    """
    listed: set[str] = set()
    unlisted: set[str] = set()
    for row in _rows(path, lambda _part: None):
        if row.direction != "in":
            continue
        market = _market_of(row)
        if row.channel == "rest" and "exchangeInfo" in row.url:
            listed.add(market)
        elif market not in listed:
            unlisted.add(market)
        if row.number > _LISTED_WITHIN:
            break
    return unlisted


def _infer(
    path: Path, markets: set[str], progress: Callable[[float], None]
) -> dict[str, BinanceInference]:
    found = {market: BinanceInference(market) for market in markets}
    for row in _rows(path, progress):
        inference = found.get(_market_of(row))
        if inference is None or row.direction != "in":
            continue
        if row.channel == "rest":
            inference.rest(row.url, row.content)
        else:
            inference.frame(row.content)
    return found


def _market_of(row: Row) -> str:
    url = row.url
    if "binance" not in url:
        host = url.split("/")[2] if "//" in url else url
        raise DataError(
            f"line {row.number} comes from {host or 'no URL'}: only recordings of Binance can be "
            "imported"
        )
    if "dstream" in url or "dapi" in url:
        return "coinm"
    return "usdm" if "fstream" in url or "fapi" in url else "spot"


def _rows(
    path: Path, progress: Callable[[float], None], notes: list[str] | None = None
) -> Iterator[Row]:
    size = max(path.stat().st_size, 1)
    number, line = 0, b""
    try:
        with path.open("rb") as raw:
            lines = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            for number, line in enumerate(lines, 1):
                if line.isspace():
                    continue
                yield _row(number, json.loads(line))
                if number % 10_000 == 0:
                    progress(raw.tell() / size)
    except (ValueError, KeyError, TypeError) as error:
        if number > 1 and not line.endswith(b"\n"):
            # A recorder that is killed leaves half a line at the end; what is before it is whole.
            if notes is not None:
                notes.append(f"line {number}, the last one, is cut off and was left out")
            return
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"line {number} of {path.name} is no line of a recording ({what}): "
            "cut the file there or record it again"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path.name} is damaged after line {number} ({error}): fetch it again, "
            "or unpack what is whole and import that"
        ) from error


def _row(number: int, row: Any) -> Row:
    if not isinstance(row, dict):
        raise TypeError("it is no object")
    texts = row["ch"], row["url"], row["dir"], row["data"]
    if type(row["t"]) is not int or not all(isinstance(text, str) for text in texts):
        raise TypeError("t is a whole number of ns, and ch, url, dir and data are texts")
    return Row(number, row["t"], *texts)


def _open(path: Path) -> BinaryIO:
    file = path.open("rb")
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if path.suffix == ".gz" else file
