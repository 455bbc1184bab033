"""Market data of Binance: frames, bodies, listings, and what is inferred where no listing is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.captures import Row, prepared, read
from tests.fuzz.parser import Parser
from tests.fuzz.venue_side import exchange_info
from veloz._core import BinanceDecoder, BinanceInference

__all__ = ["PARSERS", "books", "fixtures", "messages"]

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT / "tests" / "vectors" / "captures"
FIXTURES = ROOT / "src" / "veloz" / "venues" / "binance" / "fixtures"
SOURCES = {
    "spot": "binance_spot/2021-10-12_4sym_depth_bookTicker_aggTrade_kline.jsonl.gz",
    "usdm": "binance_usdm/2023-04-04_BTCUSDT_depth_bookTicker_trade_markPrice.jsonl.gz",
    "coinm": "binance_coinm/2021-07-22_10sym_depth_bookTicker_aggTrade_kline.jsonl.gz",
}
NOW = 1_700_000_000_000_000_000


def fixtures(market: str) -> list[dict[str, Any]]:
    """One message of each kind, as the venue sent it."""
    path = FIXTURES / f"{market}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def messages(market: str, most: int = 40) -> list[Row]:
    """Some messages of every kind that the recording and the fixtures have."""
    rows: dict[str, list[Row]] = {}
    for row in read(CAPTURES / SOURCES[market]):
        kind = re.search(r'"e":"(\w+)"', row.data)
        group = rows.setdefault(kind[1] if kind else row.url.split("?")[0], [])
        if len(row.data) < 60_000 and len(group) < most:
            group.append(row)
    found = [row for group in rows.values() for row in group]
    return found + [Row(0, bool(row["url"]), row["url"], row["data"]) for row in fixtures(market)]


def books(decoder: BinanceDecoder) -> list[object]:
    """Everything that the books hold and know."""
    views = [decoder.book(row["venue_symbol"]) for row in decoder.instruments[:12]]
    return [(v.state, v.last_update_id, v.counts, v.top_text(10_000)) for v in views]


class _Events:
    """Frames and bodies, into a decoder whose books are live."""

    def __init__(self, market: str) -> None:
        self._rows = messages(market)
        self.corpus = [row.data.encode() for row in self._rows]
        path = CAPTURES / SOURCES[market]
        self._decoder = prepared(path, market)
        for row in read(path):
            if row.is_rest:
                self._decoder.rest(row.url, row.data, row.ts_recv)
            elif '"depthUpdate"' in row.data:
                self._decoder.frame(row.data, row.ts_recv)

    def read(self, data: bytes, kind: int) -> bool:
        row = self._rows[kind]
        if row.is_rest:
            found = self._decoder.rest(row.url, data, row.ts_recv)
        else:
            found = self._decoder.frame(data, row.ts_recv)
        assert -1 <= found < len(self._decoder.KINDS)
        return found >= 0

    def state(self) -> object:
        return books(self._decoder)


class _Listing:
    """Exchange information."""

    def __init__(self, market: str) -> None:
        self._market = market
        self.corpus = [exchange_info(market)]
        self._decoder = BinanceDecoder(market)
        self._decoder.add_exchange_info(self.corpus[0])

    def read(self, data: bytes, kind: int) -> bool:
        del kind
        fresh = BinanceDecoder(self._market)
        fresh.add_exchange_info(data)
        for row in fresh.instruments:
            assert row["tick"] > 0
            assert row["lot"] > 0
        self._decoder.add_exchange_info(data)
        return bool(fresh.instruments)

    def state(self) -> object:
        return self._decoder.instruments


class _Inferred:
    """What a recording tells of instruments that no listing is at hand for."""

    def __init__(self, market: str) -> None:
        self._rows = messages(market, most=10)
        self.corpus = [row.data.encode() for row in self._rows]
        self._inference = BinanceInference(market)

    def read(self, data: bytes, kind: int) -> bool:
        row = self._rows[kind]
        found = self._inference
        _ = found.rest(row.url, data) if row.is_rest else found.frame(data)
        return True

    def state(self) -> object:
        return None


PARSERS = [
    *(Parser(f"market.events.{m}", lambda _folder, m=m: _Events(m), rounds=2_000) for m in SOURCES),
    *(Parser(f"market.listing.{m}", lambda _folder, m=m: _Listing(m)) for m in SOURCES),
    *(Parser(f"market.inferred.{m}", lambda _folder, m=m: _Inferred(m)) for m in SOURCES),
]
