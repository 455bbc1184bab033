"""Price statistics over a day, from the exchange's own candles, for REST and streams alike.

Source: Binance Spot API, "24hr ticker price change statistics".
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from veloz.exchange.model import Window

if TYPE_CHECKING:
    from veloz.exchange.exchange import Exchange
    from veloz.exchange.listing import Listing
    from veloz.exchange.model import Kline

__all__ = ["DAY_NS", "Statistics", "statistics"]

ZERO = Decimal(0)
DAY_NS = 86_400_000_000_000
MINUTE_NS = 60_000_000_000


@dataclass(frozen=True)
class Statistics:
    """What happened to a symbol in a window of time; times are ns since the epoch."""

    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    last_qty: Decimal
    volume: Decimal
    quote_volume: Decimal
    open_ns: int
    close_ns: int
    first_id: int
    last_id: int
    trades: int

    @property
    def change(self) -> Decimal:
        """From the first price to the last."""
        return self.last - self.open

    @property
    def change_percent(self) -> Decimal:
        """The same as percent of the first."""
        return self.change * 100 / self.open if self.open else ZERO

    @property
    def average(self) -> Decimal:
        """Weighted by volume; COIN-M: in coin per contract, as the venue has it."""
        return self.quote_volume / self.volume if self.volume else ZERO


def statistics(
    exchange: Exchange, listing: Listing, now_ns: int, span_ns: int = DAY_NS
) -> Statistics:
    """Statistics of the last `span_ns`, by whole minutes (days of them by hours)."""
    interval = "1m" if span_ns <= 500 * MINUTE_NS else "15m"
    window = Window(start_ns=now_ns - span_ns, limit=1000)
    rows = exchange.klines(listing.market, listing.symbol, interval, window)
    traded = [row for row in rows if row.trades]
    newest = exchange.trades(listing.market, listing.symbol, Window(limit=1))
    last_qty = newest[-1].qty if newest else ZERO
    if not traded:
        price = exchange.last_price(listing.market, listing.symbol) or ZERO
        start = now_ns - span_ns
        return Statistics(
            price, price, price, price, last_qty, ZERO, ZERO, start, now_ns, -1, -1, 0
        )
    return _joined(traded, last_qty, now_ns - span_ns, now_ns)


def _joined(rows: list[Kline], last_qty: Decimal, start_ns: int, end_ns: int) -> Statistics:
    return Statistics(
        open=rows[0].open,
        high=max(row.high for row in rows),
        low=min(row.low for row in rows),
        last=rows[-1].close,
        last_qty=last_qty,
        volume=sum((row.volume for row in rows), ZERO),
        quote_volume=sum((row.quote_volume for row in rows), ZERO),
        open_ns=start_ns,
        close_ns=end_ns,
        first_id=rows[0].first_trade_id,
        last_id=rows[-1].last_trade_id,
        trades=sum(row.trades for row in rows),
    )
