"""The public half of the exchange: listings, books, tapes, and what drives them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from veloz.exchange.listing import Listing
from veloz.exchange.model import (
    BookTicker,
    Depth,
    FundingPrint,
    Kline,
    MarkPrice,
    Print,
    Window,
)
from veloz.exchange.queries import rows_of
from veloz.exchange.wiring import Wiring, call, look
from veloz.exchange.words import (
    Market,
    Side,
    SymbolStatus,
)

Levels = Iterable[tuple[Decimal, Decimal]]


class Markets(Wiring):
    """Listings, public data, and the drivers of markets."""

    # Listings.

    @call
    def list_symbol(self, listing: Listing) -> None:
        """Lists a symbol, or changes the limits of one; ConfigError if its tiers do not join."""
        self._clearing.list_symbol(listing)

    @call
    def delist(self, market: Market, symbol: str, *, settle_price: Decimal | None = None) -> None:
        """Ends a symbol: open orders expire; positions settle at the price, else at the mark."""
        instrument = self._floor.instrument(market, symbol)
        mark = self._floor.marks[market].get(symbol)
        self._clearing.settle(instrument, settle_price or mark or instrument.tape.last_price)

    @call
    def set_status(self, market: Market, symbol: str, status: SymbolStatus) -> None:
        """Halts or resumes a symbol."""
        self._clearing.set_status(self._floor.instrument(market, symbol), status)

    @look
    def listings(self, market: Market) -> tuple[Listing, ...]:
        """Everything listed in a market, in the order of listing."""
        return tuple(self._floor.listings[market].values())

    @look
    def listing(self, market: Market, symbol: str) -> Listing:
        """One symbol's limits."""
        return self._floor.instrument(market, symbol).listing

    # Public data.

    @look
    def depth(self, market: Market, symbol: str, limit: int = 1000) -> Depth:
        """The book: replayed liquidity and the orders of all accounts together."""
        book = self._floor.instrument(market, symbol).book
        bids, asks = book.depth(Side.BUY, limit), book.depth(Side.SELL, limit)
        return Depth(market, symbol, book.last_update_id, bids, asks, self._floor.now_ns())

    @look
    def book_ticker(self, market: Market, symbol: str) -> BookTicker:
        """Best bid and ask."""
        return self._floor.ticker(self._floor.instrument(market, symbol))

    @look
    def trades(self, market: Market, symbol: str, window: Window | None = None) -> list[Print]:
        """The newest trades, or the first from `from_id` or `start_ns` on, oldest first."""
        return self._floor.instrument(market, symbol).tape.rows(window or Window())

    @look
    def klines(
        self,
        market: Market,
        symbol: str,
        interval: str,
        window: Window | None = None,
        offset_ns: int = 0,
    ) -> list[Kline]:
        """Candles, oldest first; the last one may still be open. Intervals 1s to 1M.

        With `offset_ns` days, weeks and the rest begin by a clock that is so far ahead of UTC.
        """
        tape = self._floor.instrument(market, symbol).tape
        return tape.klines(interval, window or Window(), self._floor.now_ns(), offset_ns)

    @look
    def last_price(self, market: Market, symbol: str) -> Decimal | None:
        """Price of the last trade; None before the first."""
        return self._floor.instrument(market, symbol).tape.last_price

    @look
    def average_price(self, market: Market, symbol: str) -> Decimal | None:
        """Mean trade price of the listing's `avg_price_mins`; last price if none traded."""
        instrument = self._floor.instrument(market, symbol)
        return instrument.tape.average(self._floor.now_ns())

    @look
    def mark_price(self, market: Market, symbol: str) -> MarkPrice:
        """Mark, index and funding of a contract."""
        return self._clearing.mark_price(self._floor.instrument(market, symbol))

    @look
    def funding_history(
        self, market: Market, symbol: str, window: Window | None = None
    ) -> list[FundingPrint]:
        """Fundings that took place, oldest first."""
        rows = self._floor.instrument(market, symbol).fundings
        return rows_of(rows, window, lambda r: r.ts, lambda r: r.ts)

    @look
    def open_interest(self, market: Market, symbol: str) -> Decimal:
        """Sum of all long positions of a contract."""
        self._floor.instrument(market, symbol)
        return self._clearing.open_interest(market, symbol)

    # What drives a market.

    @call
    def replay_book(
        self, market: Market, symbol: str, bids: Levels, asks: Levels, *, is_snapshot: bool
    ) -> None:
        """Sets levels of the recording; a snapshot removes the recorded levels it leaves out."""
        self._matching.replay_book(
            self._floor.instrument(market, symbol), bids, asks, is_snapshot=is_snapshot
        )

    @call
    def replay_trade(
        self,
        market: Market,
        symbol: str,
        price: Decimal,
        qty: Decimal,
        *,
        buyer_is_maker: bool,
    ) -> None:
        """A trade of the recording: printed, and a fill for the orders it went through."""
        taker = Side.SELL if buyer_is_maker else Side.BUY
        instrument = self._floor.instrument(market, symbol)
        self._matching.replay_trade(instrument, price, qty, taker)

    @call
    def set_mark(self, market: Market, symbol: str, price: Decimal) -> None:
        """Sets the mark price: triggers, margin calls and liquidations follow."""
        self._clearing.set_mark(self._floor.instrument(market, symbol), price)

    @call
    def set_index(self, market: Market, symbol: str, price: Decimal) -> None:
        """Sets the index price; on spot the published reference price."""
        self._clearing.set_index(self._floor.instrument(market, symbol), price)

    @call
    def set_funding_rate(self, market: Market, symbol: str, rate: Decimal) -> None:
        """Sets the rate of the next funding, within the listing's cap and floor."""
        self._clearing.set_funding_rate(self._floor.instrument(market, symbol), rate)

    # The exchange's own books.

    @look
    def imbalance(self) -> dict[tuple[Market, str], Decimal]:
        """What does not add up, by market and asset: empty, unless the ledger is wrong (O16).

        Per market and asset, all accounts' wallets and the exchange's fees, insurance and rounding
        equal what came in less what went out.
        """
        return self._clearing.imbalance()

    @call
    def add_insurance(self, market: Market, asset: str, amount: Decimal) -> None:
        """Gives the insurance fund money from outside; without any it deleverages at once."""
        self._floor.fund[market].deposit(asset, amount)
        self._floor.inflow[market, asset] += amount

    @look
    def insurance_fund(self, market: Market, asset: str) -> Decimal:
        """What the insurance fund has; negative if it paid more than it took."""
        return self._floor.fund[market].wallet(asset)
