"""Reads recorded captures: gzip, one JSON object a line, in the order of receipt.

Keys of a line: `t` receive time in ns, `ch` "ws" or "rest", `url`, `dir` "in", "out" or "open",
`data` the text exactly as received.

Run as a program, this writes the golden summary of every capture in a folder beside it.
"""

import gzip
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from veloz._core import BinanceDecoder, BinanceInference, record_schemas

Quotes = dict[tuple[int, int], tuple[int, int, int, int]]


@dataclass(frozen=True)
class Row:
    """One message of a recording that came in."""

    ts_recv: int
    is_rest: bool
    url: str
    data: str


@dataclass
class Replay:
    """What a recording decodes to.

    Attributes:
        decoder: After the last message.
        tables: Decoded events by record type, as structured arrays.
        tops: (row, update id) of each applied depth update → best bid and ask in units.
        errors: Messages that did not decode, with the reason.
    """

    decoder: BinanceDecoder
    tables: dict[str, np.ndarray]
    tops: Quotes = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def read(path: Path) -> Iterator[Row]:
    """Yield the messages of a capture that came in."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["dir"] == "in":
                yield Row(row["t"], row["ch"] == "rest", row["url"], row["data"])


def prepared(path: Path, market: str) -> BinanceDecoder:
    """Make a decoder that knows the capture's instruments, from its own data if it must."""
    decoder = BinanceDecoder(market, keep_events=True)
    inference = BinanceInference(market)
    for row in read(path):
        if row.is_rest and row.url.endswith("/exchangeInfo"):
            decoder.add_exchange_info(row.data)
        elif row.is_rest:
            inference.rest(row.url, row.data)
        else:
            inference.frame(row.data)
    decoder.add_inferred(inference)
    return decoder


def replay(path: Path, market: str) -> Replay:
    """Decode a capture from its first message to its last."""
    decoder = prepared(path, market)
    depth = decoder.KINDS.index("depthUpdate")
    rows = {row["venue_symbol"]: at for at, row in enumerate(decoder.instruments)}
    result = Replay(decoder, {})
    for row in read(path):
        try:
            if row.is_rest:
                decoder.rest(row.url, row.data, row.ts_recv)
                continue
            if decoder.frame(row.data, row.ts_recv) != depth:
                continue
        except ValueError as error:
            result.errors.append(f"{row.data[:80]}: {error}")
            continue
        symbol = row.data.split('"s":"', 1)[1].split('"', 1)[0]
        book = decoder.book(symbol)
        last_id = int(row.data.split('"u":', 1)[1].split(",", 1)[0])
        if book.last_update_id == last_id and book.state == "live" and book.best is not None:
            result.tops[rows[symbol], last_id] = book.best_units
    schemas = record_schemas()
    result.tables = {
        name: np.frombuffer(packed, np.dtype(schemas[name]))
        for name, packed in decoder.events().items()
    }
    return result


def summary(result: Replay) -> dict[str, Any]:
    """Describe a replay for a golden file: counts, digests of all columns, final books."""
    decoder = result.decoder
    books: dict[str, Any] = {}
    for row in decoder.instruments:
        book = decoder.book(row["venue_symbol"])
        if book.state == "waiting" and not book.counts["diffs"]:
            continue
        bids, asks = book.top_text(10)
        books[row["venue_symbol"]] = {
            **book.counts,
            "state": book.state,
            "last_update_id": book.last_update_id,
            "depth": list(book.depth),
            "price_scale": row["price_scale"],
            "qty_scale": row["qty_scale"],
            "tick": row["tick"],
            "lot": row["lot"],
            "bids": [list(level) for level in bids],
            "asks": [list(level) for level in asks],
        }
    return {
        "messages": decoder.counts,
        "errors": decoder.errors,
        "unknown": decoder.unknown,
        "rows": {name: len(table) for name, table in sorted(result.tables.items())},
        "digests": {
            name: {column: digest(table[column]) for column in table.dtype.names or ()}
            for name, table in sorted(result.tables.items())
        },
        "books": books,
    }


def digest(column: np.ndarray) -> str:
    """Return a short digest of a column's values, little-endian."""
    return hashlib.sha256(np.ascontiguousarray(column).tobytes()).hexdigest()[:16]


def compare_with_quotes(result: Replay) -> tuple[int, int]:
    """Compare book and best quote wherever their update ids coincide: (compared, equal)."""
    quotes = result.tables.get("Quote")
    if quotes is None:
        return 0, 0
    seen: Quotes = {}
    for quote in quotes:
        top = (quote["bid_price"], quote["bid_qty"], quote["ask_price"], quote["ask_qty"])
        seen[int(quote["instrument"]), int(quote["update_id"])] = tuple(int(x) for x in top)
    both = [key for key in result.tops if key in seen]
    return len(both), sum(result.tops[key] == seen[key] for key in both)


def write_goldens(folder: Path) -> None:
    """Write the summary of each capture that the folder's manifest lists."""
    for entry in json.loads((folder / "manifest.json").read_text())["captures"]:
        found = summary(replay(folder / entry["file"], entry["venue"].removeprefix("binance_")))
        (folder / (entry["file"] + ".golden.json")).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    write_goldens(Path(sys.argv[1]))
