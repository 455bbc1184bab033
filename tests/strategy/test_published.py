"""What a venue publishes beside prices, trades and books, as strategies hear it (MD2, ST1)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import veloz as vz
from veloz._core import LiveEngine
from veloz.environments.testing import START_NS
from veloz.errors import DataError

SECOND = 1_000_000_000


class Listens(vz.Strategy):
    """Keeps whatever it is given."""

    symbol = vz.Symbol("binance:BTC/USDT:USDT")
    index = vz.IndexPrices("symbol")
    interest = vz.OpenInterests("symbol")
    liquidations = vz.Liquidations("symbol")
    tickers = vz.Tickers("symbol")

    def on_start(self) -> None:
        self.heard: list[tuple[int, Any]] = []

    def on_index(self, index: vz.IndexPrice) -> None:
        self.heard.append((self.now, index))

    def on_open_interest(self, interest: vz.OpenInterest) -> None:
        self.heard.append((self.now, interest))

    def on_liquidation(self, liquidation: vz.Liquidation) -> None:
        self.heard.append((self.now, liquidation))

    def on_ticker(self, ticker: vz.Ticker) -> None:
        self.heard.append((self.now, ticker))


def test_each_kind_has_its_callback_and_its_fields() -> None:
    kit = vz.test(Listens)
    kit.published("index", [{"index": "100.5"}, {"index": "101"}])
    kit.published("open_interest", [{"qty": "12.345"}], every="1m")
    kit.published("liquidation", [{"side": -1, "price": "99.5", "qty": "0.25"}])
    kit.published("ticker", [{"open": 1, "high": 4, "low": "0.5", "last": 3, "volume": 10}])
    kit.expect(orders=[])
    heard = kit.strategy.heard
    assert [now for now, _ in heard] == [row.ts_recv for _, row in heard]
    by_kind = {type(row).__name__: row for _, row in heard}
    assert [type(row).__name__ for _, row in heard].count("IndexPrice") == 2
    assert by_kind["IndexPrice"].index_exact == Decimal(101)
    assert by_kind["IndexPrice"].ts_exchange == START_NS + SECOND
    assert by_kind["OpenInterest"].qty_exact == Decimal("12.345")
    forced = by_kind["Liquidation"]
    assert (forced.side, forced.price, forced.qty) == (-1, 99.5, 0.25)
    ticker = by_kind["Ticker"]
    assert (ticker.open, ticker.high, ticker.low, ticker.last, ticker.volume) == (1, 4, 0.5, 3, 10)
    assert {row.symbol for _, row in heard} == {"binance:BTC/USDT:USDT"}


class Tops(vz.Strategy):
    """Asks for quotes, where the data hold a book alone."""

    symbol = vz.Symbol("binance:BTC/USDT")
    quotes = vz.Quotes("symbol")

    def on_start(self) -> None:
        self.heard: list[tuple[float, float, float, float]] = []

    def on_quote(self, quote: vz.Quote) -> None:
        self.heard.append((quote.bid_price, quote.bid_qty, quote.ask_price, quote.ask_qty))


def test_quotes_come_from_the_book_when_nothing_else_brings_them() -> None:
    """Once for each message that changes the best level, and not for one that does not."""
    kit = vz.test(Tops)
    kit.books(
        [
            ([(10, 1), (9, 5)], [(11, 2)]),
            ([(10, 1), (9, 7)], [(11, 2)]),  # behind the best
            ([(10, 3), (9, 7)], [(11, 2)]),
            ([(9, 7)], [(11, 2), (12, 1)]),
        ]
    )
    kit.expect(orders=[])
    assert kit.strategy.heard == [(10, 1, 11, 2), (10, 3, 11, 2), (9, 7, 11, 2)]


def test_what_the_data_lack_is_said() -> None:
    class Asks(vz.Strategy):
        symbol = vz.Symbol("binance:BTC/USDT:USDT")
        bars = vz.Bars("symbol", "1m")
        liquidations = vz.Liquidations("symbol")

    with pytest.raises(DataError, match="asks for liquidations of binance:BTC/USDT:USDT"):
        vz.test(Asks).bars([1, 2]).expect(orders=[])


FRAMES = (
    b'{"e":"forceOrder","E":1700000000100,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC",'
    b'"q":"0.014","p":"9910","ap":"9910","X":"FILLED","l":"0.014","z":"0.014","T":1700000000093}}',
    b'{"e":"markPriceUpdate","E":1700000001000,"s":"BTCUSDT","p":"10000.5","i":"10001.25",'
    b'"P":"10000.0","r":"0.0001","T":1700006400000}',
    b'{"e":"24hrTicker","E":1700000002000,"s":"BTCUSDT","p":"1","P":"1","w":"1","c":"10000",'
    b'"Q":"1","o":"9000","h":"11000","l":"8000","v":"123.5","q":"1","O":1,"C":2,"F":1,"L":2,"n":2}',
)


def test_live_frames_reach_the_same_callbacks() -> None:
    row = {
        "symbol": "binance:BTC/USDT:USDT", "venue_symbol": "BTCUSDT", "kind": "linear",
        "base": "BTC", "quote": "USDT", "settle": "USDT", "price_scale": 2, "qty_scale": 3,
        "tick": 1, "lot": 1, "multiplier": "1", "maker_fee": "0", "taker_fee": "0",
        "liquidation_fee": "0", "origin": "venue",
    }  # fmt: skip
    engine = LiveEngine([("BTC", 8), ("USDT", 8)], [row], {"accounts": ["usdm"]})
    strategy = Listens()
    seat = engine.add_strategy(strategy, "hold")
    for kind in ("index", "liquidations", "tickers"):
        engine.listen(seat, row["symbol"], kind, 0)
    feed = engine.add_feed("usdm", [row["symbol"]])
    engine.start(START_NS)
    for at, frame in enumerate(FRAMES):
        engine.frame(feed, frame, START_NS + at * SECOND)
    forced, index, ticker = (event for _, event in strategy.heard)
    assert (forced.side, forced.price_exact, forced.qty_exact) == (
        -1, Decimal("9910"), Decimal("0.014"),
    )  # fmt: skip
    assert index.index_exact == Decimal("10001.25")
    assert (ticker.high, ticker.volume_exact) == (11_000, Decimal("123.5"))
    assert [now for now, _ in strategy.heard] == [START_NS + at * SECOND for at in range(3)]
