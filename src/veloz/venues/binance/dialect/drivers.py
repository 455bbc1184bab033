"""What moves a market: dice, or a recording. Both only call the exchange when time has come."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from veloz.errors import DataError
from veloz.exchange.listing import Listing, Lot
from veloz.exchange.words import ContractType, Market, Refusal
from veloz.venues.binance.dialect.listings import SPREAD, START_PRICES

if TYPE_CHECKING:
    from random import Random

    from veloz.exchange.exchange import Exchange

__all__ = ["Generator", "RecordedRow", "Recording", "read_recording"]

SECOND_NS = 1_000_000_000
LEVELS = 40
ZERO = Decimal(0)
KINDS = {"depthUpdate", "trade", "aggTrade", "bookTicker", "markPriceUpdate"}
HOSTS = (("fapi.", Market.USDM), ("fstream.", Market.USDM), ("dapi.", Market.COINM),
         ("dstream.", Market.COINM))  # fmt: skip


@dataclass
class Generator:
    """One symbol by dice: a book that walks up and down by a level, and trades at its best.

    Args:
        exchange: Where.
        listing: What.
        random: The dice; shared dice keep the whole market repeatable.
        rate: Changes and trades a second.
        start: First price; the usual one of the base coin if 0.
    """

    exchange: Exchange
    listing: Listing
    random: Random
    rate: float = 20.0
    start: Decimal = ZERO
    _middle: int = 0
    _gap: Decimal = ZERO
    _due_ns: int = 0
    _mark_ns: int = 0

    def step(self, now_ns: int) -> None:
        """Does what was due since the last call."""
        if not self._due_ns:
            self._begin(now_ns)
        pause = int(SECOND_NS / self.rate) if self.rate > 0 else 0
        while pause and self._due_ns <= now_ns:
            self._due_ns += pause
            self._event()
        if now_ns >= self._mark_ns:
            self._mark_ns = now_ns + SECOND_NS
            self._mark()

    def _begin(self, now_ns: int) -> None:
        price = self.start or START_PRICES.get(self.listing.base, Decimal(100))
        ticks = max(1, int(price * SPREAD / self.listing.tick))
        self._gap = ticks * self.listing.tick
        self._middle = int(price / self._gap)
        self._due_ns = now_ns
        self._mark()
        bids = [(self._price(-number), self._size()) for number in range(LEVELS)]
        asks = [(self._price(1 + number), self._size()) for number in range(LEVELS)]
        self._book(bids, asks, is_snapshot=True)
        self._trade()

    def _event(self) -> None:
        dice = self.random.random()
        if dice < 0.25:
            self._trade()
        elif dice < 0.40:
            self._walk(self.random.choice((-1, 1)))
        else:
            self._resize()

    def _resize(self) -> None:
        """Another quantity at one level, near the best more often."""
        number = min(LEVELS - 1, int(self.random.expovariate(0.25)))
        if self.random.random() < 0.5:
            self._book([(self._price(-number), self._size())], [], is_snapshot=False)
        else:
            self._book([], [(self._price(1 + number), self._size())], is_snapshot=False)

    def _walk(self, step: int) -> None:
        """The whole book moves by one level; the level in between changes sides."""
        if step > 0:
            old_ask, old_bid = self._price(1), self._price(1 - LEVELS)
            self._middle += 1
            bids = [(old_ask, self._size()), (old_bid, ZERO)]
            asks = [(old_ask, ZERO), (self._price(LEVELS), self._size())]
        else:
            old_bid, old_ask = self._price(0), self._price(LEVELS)
            self._middle -= 1
            bids = [(old_bid, ZERO), (self._price(1 - LEVELS), self._size())]
            asks = [(old_bid, self._size()), (old_ask, ZERO)]
        self._book(bids, asks, is_snapshot=False)

    def _trade(self) -> None:
        sells = self.random.random() < 0.5
        price = self._price(0) if sells else self._price(1)
        self.exchange.replay_trade(
            self.listing.market,
            self.listing.symbol,
            price,
            self._size() / 10 // self._step() * self._step() or self._step(),
            buyer_is_maker=sells,
        )

    def _book(self, bids: Any, asks: Any, *, is_snapshot: bool) -> None:
        symbol, market = self.listing.symbol, self.listing.market
        self.exchange.replay_book(market, symbol, bids, asks, is_snapshot=is_snapshot)

    def _mark(self) -> None:
        if self.listing.market is Market.SPOT:
            return
        middle = self._price(0)
        self.exchange.set_index(self.listing.market, self.listing.symbol, middle)
        self.exchange.set_mark(self.listing.market, self.listing.symbol, middle)

    def _price(self, offset: int) -> Decimal:
        return (self._middle + offset) * self._gap

    def _step(self) -> Decimal:
        return self.listing.lot.step or self.listing.lot.minimum or Decimal(1)

    def _size(self) -> Decimal:
        """Between about 1,000 and 60,000 of the quote at a level."""
        value = Decimal(self.random.randint(1_000, 60_000))
        if self.listing.is_inverse:
            lots = int(value / self.listing.contract_size)
        else:
            lots = int(value / self._price(0) / self._step())
        return max(1, lots) * self._step()


@dataclass(frozen=True)
class RecordedRow:
    """One recorded message: when it came, of which market, and what it says.

    Attributes:
        ts: Receive time, ns since the epoch.
        body: The payload; `e` is `snapshot` for a book by REST.
    """

    ts: int
    market: Market
    body: dict[str, Any]

    @property
    def symbol(self) -> str:
        """The venue's symbol."""
        return str(self.body["s"])


def read_recording(path: Path, market: Market | None = None) -> list[RecordedRow]:
    """Reads a capture: gzip or plain, one JSON object a line with `t`, `url`, `dir`, `data`.

    Args:
        path: The file.
        market: What it is about; by the addresses in it if None.

    Raises:
        DataError: The file is not one.
    """
    rows: list[RecordedRow] = []
    try:
        with _lines(path) as lines:
            for line in lines:
                row = json.loads(line)
                if row["dir"] == "in":
                    rows.extend(_decoded(row, market))
    except (OSError, EOFError, zlib.error) as broken:
        raise DataError(f"{path}: not a recording: {broken}") from None
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as broken:
        raise DataError(f"{path}: not a recording: {broken}") from None
    if not rows:
        raise DataError(f"{path}: holds no book, trade or mark price")
    return rows


def _lines(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _decoded(row: dict[str, Any], market: Market | None) -> Iterator[RecordedRow]:
    data = json.loads(row["data"]) if row["data"] else {}
    if not isinstance(data, dict):
        return
    url = str(row["url"])
    found = market or next((name for host, name in HOSTS if host in url), Market.SPOT)
    body = data.get("data", data)
    if row["ch"] == "rest" and "/depth" in url and "bids" in body:
        symbol = url.split("symbol=")[1].split("&")[0]
        yield RecordedRow(int(row["t"]), found, {**body, "e": "snapshot", "s": symbol})
    elif isinstance(body, dict):
        if {"u", "s", "b", "B", "a", "A"} == set(body):  # a spot quote does not say what it is
            body = {"e": "bookTicker", **body}
        if body.get("e") in KINDS:
            yield RecordedRow(int(row["t"]), found, body)


class Recording:
    """Replays a recording at the pace of its making, from the moment of the first step.

    Args:
        exchange: Where; symbols that it does not list are listed.
        rows: From `read_recording`.
        speed: 2.0 is twice as fast.
    """

    def __init__(
        self, exchange: Exchange, rows: Iterable[RecordedRow], *, speed: float = 1.0
    ) -> None:
        self._exchange = exchange
        self.rows = list(rows)
        self._speed = speed
        self._next = 0
        self._begun_ns = 0
        self._books: dict[tuple[Market, str], int] = {}
        self._has_trades = {
            (row.market, row.symbol) for row in self.rows if row.body["e"] == "trade"
        }
        for row in self.rows:
            self._list(row)

    @property
    def is_done(self) -> bool:
        """True when the last message has been replayed."""
        return self._next >= len(self.rows)

    def step(self, now_ns: int) -> None:
        """Replays everything that is due until now."""
        if not self._begun_ns:
            self._begun_ns = now_ns
        elapsed = int((now_ns - self._begun_ns) * self._speed)
        until = self.rows[0].ts + elapsed
        while not self.is_done and self.rows[self._next].ts <= until:
            row = self.rows[self._next]
            self._next += 1
            self._apply(row)

    def _apply(self, row: RecordedRow) -> None:
        body, symbol = row.body, row.symbol
        key = (row.market, symbol)
        if body["e"] == "snapshot":
            self._books[key] = int(body["lastUpdateId"])
            self._levels(key, body["bids"], body["asks"], is_snapshot=True)
        elif body["e"] == "depthUpdate":
            if int(body["u"]) > self._books.get(key, 0):
                self._levels(key, body["b"], body["a"], is_snapshot=False)
        elif body["e"] == "trade" or (body["e"] == "aggTrade" and key not in self._has_trades):
            price, qty = Decimal(body["p"]), Decimal(body["q"])
            if price and qty:  # the venue prints some trades without either
                self._exchange.replay_trade(*key, price, qty, buyer_is_maker=bool(body["m"]))
        elif body["e"] == "markPriceUpdate":
            self._exchange.set_mark(*key, Decimal(body["p"]))
            if body.get("i"):
                self._exchange.set_index(*key, Decimal(body["i"]))
            if body.get("r"):
                self._exchange.set_funding_rate(*key, Decimal(body["r"]))

    def _levels(self, key: tuple[Market, str], bids: Any, asks: Any, *, is_snapshot: bool) -> None:
        sides = [
            [(Decimal(price), Decimal(size)) for price, size in levels] for levels in (bids, asks)
        ]
        self._exchange.replay_book(*key, *sides, is_snapshot=is_snapshot)

    def _list(self, row: RecordedRow) -> None:
        """Lists an unknown symbol with limits wide enough for anything."""
        symbol = row.symbol
        try:
            self._exchange.listing(row.market, symbol)
        except Refusal:
            self._exchange.list_symbol(_wide(row.market, symbol))


def _wide(market: Market, symbol: str) -> Listing:
    pair = symbol.split("_")[0]
    quote = next((word for word in ("USDT", "USDC", "USD", "BTC") if pair.endswith(word)), "USDT")
    base = pair.removesuffix(quote)
    step = Decimal(1) if market is Market.COINM else Decimal("0.00000001")
    lot = Lot(step, Decimal(10**9), step)
    is_spot = market is Market.SPOT
    return Listing(
        market=market,
        symbol=symbol,
        base=base,
        quote=quote,
        settle=base if market is Market.COINM else quote,
        pair=pair,
        tick=Decimal("0.00000001"),
        min_price=Decimal("0.00000001"),
        max_price=Decimal(10**9),
        lot=lot,
        market_lot=lot,
        contract_type=ContractType.SPOT if is_spot else ContractType.PERPETUAL,
    )
