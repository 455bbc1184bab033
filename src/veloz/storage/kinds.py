"""What a catalogue stores: the columns of each kind of data.

Every column is a 64-bit integer. Events carry three times: `ts_exchange` (the venue's event time),
`ts_recv` (the recorder's raw clock; null where the source has none) and `ts_feed` (when the event
reaches a strategy, after the recorder's clock was corrected). `source` and `seq` say which source
a row came from and where it stood in it, so that disorder and duplicates stay visible.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from veloz.errors import DataError
from veloz.storage.symbols import did_you_mean
from veloz.storage.times import NS_PER_DAY, NS_PER_S, format_span, parse_span

MARK_SCALE = 8  # decimals of marks and indices, as in the core
RATE_SCALE = 18  # decimals of rates, as in the core

# Flags of a tick, as in the core's `Tick`.
TICK_BUY = 1
TICK_TRADE = 2
TICK_CLEAR = 4
TICK_LAST = 8
TICK_UNKNOWN_TAKER = 16
TICK_EMPTY = 32

PROVENANCE = ("source", "seq")


@dataclass(frozen=True)
class Kind:
    """The columns of one kind of data.

    Attributes:
        name: `bar_1m`, `trade`, …
        time: The column that rows are ordered and partitioned by.
        columns: All columns, in order, without provenance.
        prices: Columns at the instrument's price scale.
        qtys: Columns at the instrument's quantity scale.
        key: Columns that name a row across sources; empty if rows have no name.
        interval_ns: Length of a bar; 0 for events.
    """

    name: str
    time: str
    columns: tuple[str, ...]
    prices: tuple[str, ...] = ()
    qtys: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    interval_ns: int = 0

    @property
    def stored(self) -> tuple[str, ...]:
        """All columns of a file, provenance included."""
        return self.columns + PROVENANCE

    @property
    def has_receive_time(self) -> bool:
        """Whether rows carry `ts_recv` and `ts_feed`."""
        return "ts_feed" in self.columns

    @property
    def values(self) -> tuple[str, ...]:
        """Columns in which two sources must agree on a row of the same key."""
        return tuple(c for c in self.columns if c not in ("ts_recv", "ts_feed"))

    @property
    def period_ns(self) -> int:
        """One file holds a day; a year where a day has few rows. 0 stands for a year."""
        sparse = self.name == "funding" or self.interval_ns >= 3600 * NS_PER_S
        return 0 if sparse else NS_PER_DAY


_STAMPS = ("ts_exchange", "ts_recv", "ts_feed")
_PRINT = ("taker", "price", "qty", "trade_id")

_EVENTS = {
    kind.name: kind
    for kind in (
        Kind(
            "trade", "ts_feed", _STAMPS + _PRINT,
            prices=("price",), qtys=("qty",), key=("trade_id",),
        ),
        Kind(
            "agg_trade", "ts_feed", (*_STAMPS, *_PRINT, "first_trade_id", "last_trade_id"),
            prices=("price",), qtys=("qty",), key=("trade_id",),
        ),
        Kind(
            "quote", "ts_feed",
            (*_STAMPS, "bid_price", "bid_qty", "ask_price", "ask_qty", "update_id"),
            prices=("bid_price", "ask_price"), qtys=("bid_qty", "ask_qty"), key=("update_id",),
        ),
        Kind(
            "tick", "ts_feed",
            (*_STAMPS, "price", "qty", "flags", "first_id", "final_id", "prev_id"),
            prices=("price",), qtys=("qty",),
        ),
        Kind(
            "mark", "ts_feed",
            (*_STAMPS, "mark", "index", "settle", "funding_rate", "next_funding_ns"),
            key=("ts_exchange",),
        ),
        Kind("index", "ts_feed", (*_STAMPS, "index"), key=("ts_exchange",)),
        Kind("funding", "ts_feed", (*_STAMPS, "rate", "mark"), key=("ts_exchange",)),
        Kind(
            "open_interest", "ts_feed", (*_STAMPS, "qty"), qtys=("qty",), key=("ts_exchange",),
        ),
        Kind(
            "liquidation", "ts_feed", (*_STAMPS, "side", "price", "qty"),
            prices=("price",), qtys=("qty",),
        ),
        Kind(
            "ticker", "ts_feed", (*_STAMPS, "open", "high", "low", "last", "volume"),
            prices=("open", "high", "low", "last"), qtys=("volume",), key=("ts_exchange",),
        ),
    )
}  # fmt: skip


def bar_kind(interval: str | int) -> Kind:
    """The kind of bars of an interval (`1m`, or ns).

    Raises:
        DataError: If the interval is no span of time.
    """
    interval_ns = parse_span(interval) if isinstance(interval, str) else interval
    return Kind(
        f"bar_{format_span(interval_ns)}",
        "ts_open",
        ("ts_open", "ts_close", "open", "high", "low", "close", "volume"),
        prices=("open", "high", "low", "close"),
        qtys=("volume",),
        key=("ts_open",),
        interval_ns=interval_ns,
    )


def kind_named(name: str) -> Kind:
    """The kind of a name.

    Raises:
        DataError: If there is none, with the nearest names.
    """
    if name in _EVENTS:
        return _EVENTS[name]
    if re.fullmatch(r"bar_\d+[a-z]+", name):
        return bar_kind(name.removeprefix("bar_"))
    hint = did_you_mean(name, [*_EVENTS, "bar_1m", "bar_1h", "bar_1d"])
    raise DataError(f"there is no kind of data named {name!r}: {hint}")
