"""The public tape of one symbol: its trades, and the candles built from them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice

from veloz.errors import UsageError
from veloz.exchange.model import Kline, Print, Window
from veloz.exchange.money import ROUNDING, ZERO
from veloz.exchange.words import Market

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
FIXED = {
    "1s": SECOND,
    "1m": MINUTE,
    "3m": 3 * MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "6h": 6 * HOUR,
    "8h": 8 * HOUR,
    "12h": 12 * HOUR,
    "1d": DAY,
    "3d": 3 * DAY,
}
INTERVALS = (*FIXED, "1w", "1M")
# Weeks begin on Monday; the Unix epoch was a Thursday.
_MONDAY = 4 * DAY
_WEEK = 7 * DAY
KEPT_TRADES = 100_000
KEPT_SECONDS = 100_000
KEPT_MINUTES = 200_000


def bounds(interval: str, ts: int, offset_ns: int = 0) -> tuple[int, int]:
    """The candle that holds a time: its first nanosecond and the next candle's.

    Args:
        interval: One of `INTERVALS`.
        ts: UTC, nanoseconds since the Unix epoch.
        offset_ns: How far the clock that days and weeks begin by is ahead of UTC.

    Raises:
        UsageError: There is no such interval.
    """
    if offset_ns:
        opened, following = bounds(interval, ts + offset_ns)
        return opened - offset_ns, following - offset_ns
    if interval in FIXED:
        opened = ts - ts % FIXED[interval]
        return opened, opened + FIXED[interval]
    if interval == "1w":
        opened = ts - (ts - _MONDAY) % _WEEK
        return opened, opened + _WEEK
    if interval == "1M":
        first = datetime.fromtimestamp(ts // SECOND, UTC).replace(day=1, hour=0, minute=0, second=0)
        following = (first + timedelta(days=32)).replace(day=1)
        return int(first.timestamp()) * SECOND, int(following.timestamp()) * SECOND
    raise UsageError(f"no candle has the interval {interval!r}", hint="Use one of 1s to 1M.")


class Tape:
    """Trades and candles of one symbol.

    Seconds and minutes are kept as trades come; longer candles are joined from minutes when asked.

    Args:
        market: Of the symbol.
        symbol: Whose tape it is.
        minutes: How far back the average price looks.
    """

    def __init__(self, market: Market, symbol: str, minutes: int) -> None:
        self.market = market
        self.symbol = symbol
        self.minutes = minutes
        self.trades: deque[Print] = deque(maxlen=KEPT_TRADES)
        self._recent: deque[tuple[int, Decimal, Decimal]] = deque()
        self._weight = self._value = ZERO
        self.last_id = 0
        self.last_price: Decimal | None = None
        self.kept: dict[str, deque[Kline]] = {
            "1s": deque(maxlen=KEPT_SECONDS),
            "1m": deque(maxlen=KEPT_MINUTES),
        }

    def add(self, trade: Print, quote: Decimal) -> None:
        """Takes a trade and its value in the quote coin (coinm: base coin)."""
        self.trades.append(trade)
        self.last_id, self.last_price = trade.trade_id, trade.price
        amount = trade.qty * trade.price
        self._recent.append((trade.ts, trade.qty, amount))
        self._weight += trade.qty
        self._value += amount
        self._forget(trade.ts)
        bought = not trade.buyer_is_maker
        for interval, kept in self.kept.items():
            opened, following = bounds(interval, trade.ts)
            tick = Kline(
                self.market,
                self.symbol,
                interval,
                opened,
                following - 1,
                trade.price,
                trade.price,
                trade.price,
                trade.price,
                trade.qty,
                quote,
                trade.qty if bought else ZERO,
                quote if bought else ZERO,
                1,
                trade.trade_id,
                trade.trade_id,
            )
            if kept and kept[-1].open_ns == opened:
                kept[-1] = joined(kept[-1], tick)
            else:
                kept.append(tick)

    def rows(self, window: Window) -> list[Print]:
        """The newest trades, or the first ones from an id or a time on, oldest first."""
        first, start, end = window.from_id, window.start_ns, window.end_ns
        if first is None and start is None and end is None:
            return list(islice(reversed(self.trades), window.limit))[::-1]
        rows = list(self.trades)
        if first is not None:
            rows = rows[bisect_left(rows, first, key=lambda trade: trade.trade_id) :]
        if start is not None:
            rows = rows[bisect_left(rows, start, key=lambda trade: trade.ts) :]
        if end is not None:
            rows = rows[: bisect_right(rows, end, key=lambda trade: trade.ts)]
        has_start = first is not None or start is not None
        return rows[: window.limit] if has_start else rows[-window.limit :]

    def klines(self, interval: str, window: Window, now: int, offset_ns: int = 0) -> list[Kline]:
        """Candles of an interval, oldest first; empty ones repeat the close before them.

        Args:
            interval: One of `INTERVALS`.
            window: Which ones, by the time at which they open (UTC).
            now: The last candle is the one that holds this time.
            offset_ns: As in `bounds`.
        """
        start, end = window.start_ns, window.end_ns
        back = (window.limit + 1) * FIXED.get(interval, 31 * DAY)
        earliest = bounds(interval, max(0, now - back if start is None else start), offset_ns)[0]
        merged: list[Kline] = []
        for candle in self._since("1s" if interval == "1s" else "1m", earliest):
            opened, following = bounds(interval, candle.open_ns, offset_ns)
            if merged and merged[-1].open_ns == opened:
                merged[-1] = joined(merged[-1], candle)
                continue
            merged += self._empty(merged, interval, opened, offset_ns)
            merged.append(
                candle._replace(interval=interval, open_ns=opened, close_ns=following - 1)
            )
        merged += self._empty(merged, interval, bounds(interval, now, offset_ns)[1], offset_ns)
        rows = [
            candle
            for candle in merged
            if (start is None or candle.open_ns >= start) and (end is None or candle.open_ns <= end)
        ]
        return rows[: window.limit] if start is not None else rows[-window.limit :]

    def _since(self, kept: str, earliest: int) -> list[Kline]:
        """Kept candles from a time on, and the one before them, whose close they may repeat."""
        rows: list[Kline] = []
        for candle in reversed(self.kept[kept]):
            rows.append(candle)
            if candle.open_ns < earliest:
                break
        return rows[::-1]

    def _empty(self, before: list[Kline], interval: str, until: int, offset_ns: int) -> list[Kline]:
        """Candles without trades up to a time; no more than a deque would keep."""
        rows: list[Kline] = []
        if not before:
            return rows
        last = before[-1]
        opened = last.close_ns + 1
        while opened < until and len(rows) < KEPT_SECONDS:
            following = bounds(interval, opened, offset_ns)[1]
            rows.append(
                Kline(
                    self.market,
                    self.symbol,
                    interval,
                    opened,
                    following - 1,
                    last.close,
                    last.close,
                    last.close,
                    last.close,
                    ZERO,
                    ZERO,
                    ZERO,
                    ZERO,
                    0,
                    -1,
                    -1,
                )
            )
            opened = following
        return rows

    def average(self, now: int) -> Decimal | None:
        """Mean price by quantity of the last minutes; the last price if nothing traded."""
        self._forget(now)
        if not self._weight:
            return self.last_price
        return ROUNDING.divide(self._value, self._weight)

    def _forget(self, now: int) -> None:
        """Takes what is too old for the average out of its sums."""
        while self._recent and self._recent[0][0] <= now - self.minutes * MINUTE:
            _, qty, amount = self._recent.popleft()
            self._weight -= qty
            self._value -= amount


def joined(first: Kline, second: Kline) -> Kline:
    """Two neighbouring candles as one, with the bounds of the first."""
    if not second.trades:
        return first._replace(close=second.close)
    return first._replace(
        high=max(first.high, second.high),
        low=min(first.low, second.low),
        close=second.close,
        volume=first.volume + second.volume,
        quote_volume=first.quote_volume + second.quote_volume,
        taker_buy_volume=first.taker_buy_volume + second.taker_buy_volume,
        taker_buy_quote_volume=first.taker_buy_quote_volume + second.taker_buy_quote_volume,
        trades=first.trades + second.trades,
        first_trade_id=first.first_trade_id,
        last_trade_id=second.last_trade_id,
    )
