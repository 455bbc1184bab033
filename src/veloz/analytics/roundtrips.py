"""Round trips: fills paired into entries and exits, with exact profit.

```text
 flat ──buy 2──► long 2 ──sell 1──► long 1 ──sell 3──► flat │ short 2    a flip: two trips
      └──────────────── trip 1 ───────────────────────────┘ └─ trip 2 …
```

Two methods. `average`: one trip from flat to flat, at average cost, which is what a trader calls
a trade. `fifo`: one trip per pair of an opening and a closing lot, first in first out, for
strategies that are never flat, such as market makers. Both sum to the same money when flat.

On spot, a fee in the bought coin is a disposal of those coins at the fill's price (rule A11): it
takes from the quantity and counts as a fee. What is then left below one quantity step cannot be
sold; it ends its trip and is carried into the next one with its cost.

Books are kept by (strategy, symbol, leg). Amounts are scaled integers with 18 decimals; a part of
a cost is cut toward zero (rules A2, A5) and the rest goes with the last part: nothing is lost.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from functools import cached_property

from veloz.analytics.fill_events import (
    FillEvent,
    FundingEvent,
    fill_events,
    fine_instrument,
    quantity_step,
)
from veloz.analytics.run_tables import InstrumentFacts, RunTables

COST_SCALE = 18
METHODS = ("average", "fifo")
_EXACT = Context(prec=80)


@dataclass(frozen=True)
class RoundTrip:
    """One entry and its exit. Money in the reporting currency, converted at the closing fills.

    Attributes:
        symbol, strategy, leg: Whose book.
        side: +1 long, -1 short.
        entry_ts: First opening fill, ns.
        exit_ts: Last closing fill, ns; 0 while open.
        qty: Opened quantity, positive.
        entry_price: Average of the opening fills.
        exit_price: Average of the closing fills; NaN if none.
        entry_value: Absolute value opened, in the reporting currency.
        gross: Profit before fees and funding, of the part that is closed.
        fees: Paid; negative is a rebate.
        funding: Received; negative is paid.
        fills: How many fills took part.
        entry_why, exit_why: Reasons of the first and the last fill; untrusted text.
        is_open: True if some of it was still open at the end.
    """

    symbol: str
    strategy: str
    leg: str
    side: int
    entry_ts: int
    exit_ts: int
    qty: Decimal
    entry_price: float
    exit_price: float
    entry_value: Decimal
    gross: Decimal
    fees: Decimal
    funding: Decimal
    fills: int
    entry_why: str
    exit_why: str
    is_open: bool

    @cached_property
    def net(self) -> Decimal:
        """Profit after fees and funding."""
        with localcontext(_EXACT):
            return self.gross - self.fees + self.funding

    @property
    def holding_s(self) -> float:
        """Seconds from entry to exit; NaN while open."""
        return (self.exit_ts - self.entry_ts) / 1e9 if not self.is_open else float("nan")

    @cached_property
    def net_return(self) -> float:
        """Net profit over the value opened; NaN if that is zero."""
        return float(self.net / self.entry_value) if self.entry_value else float("nan")


def value_at(instrument: InstrumentFacts, qty: int, price: int) -> int:
    """Settlement value of a signed quantity, with 18 decimals, cut toward zero.

    Linear and spot: `q · m · p`. Inverse: `-q · f / p` (accounting rules, section 2).

    Args:
        instrument: Scales and multiplier.
        qty: At `qty_scale`, signed.
        price: At `price_scale`, positive.

    >>> value_at(InstrumentFacts("X", "linear", 2, 3, "USDT"), 1500, 10_000) / 10**18
    150.0
    """
    top, bottom = instrument.multiplier.as_integer_ratio()
    if instrument.kind == "inverse":
        return _cut(-qty * top * 10 ** (COST_SCALE + instrument.price_scale),
                    price * bottom * 10**instrument.qty_scale)  # fmt: skip
    scale = instrument.price_scale + instrument.qty_scale
    return _cut(qty * price * top * 10**COST_SCALE, bottom * 10**scale)


def round_trips(tables: RunTables, method: str = "average") -> list[RoundTrip]:
    """Fills paired into round trips, in order of their entry; the open ones last of each book.

    Funding that falls inside a trip is shared over the trips open at that instant by quantity.

    Args:
        tables: The run; fills in order of time.
        method: `average` (flat to flat) or `fifo` (lot by lot).

    Raises:
        ValueError: If the method is another word, a fill has no quantity, price or side, or
            the fills are not in order of time.

    Source:
        Average cost and first-in-first-out as in IAS 2; flips as in rule A5.

    >>> from veloz.analytics.run_tables import EquityCurve, Fills, FundingPayments, Orders
    >>> perpetual = InstrumentFacts("BTC", "linear", price_scale=0, qty_scale=0, settle="USDT")
    >>> fills = Fills.of(ts_exchange=[1, 2, 3], symbol=["BTC"] * 3, side=[1, -1, -1],
    ...                  qty=[2, 1, 1], price=[100, 110, 95])
    >>> curve = EquityCurve.of(ts_ns=[0], equity=[9.0], first=Decimal(9), last=Decimal(9))
    >>> tables = RunTables("USDT", curve, fills, Orders.of(id=[], status=[], ts_created=[]),
    ...                    FundingPayments.of(ts_ns=[], symbol=[], amount=[]), {"BTC": perpetual})
    >>> [int(trip.gross) for trip in round_trips(tables)]
    [5]
    >>> [int(trip.gross) for trip in round_trips(tables, "fifo")]
    [10, -5]
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; use {' or '.join(METHODS)}")
    with localcontext(_EXACT):
        return _paired(tables, method)


def _paired(tables: RunTables, method: str) -> list[RoundTrip]:
    books: dict[tuple[str, str, str], _Book] = {}
    fine = {symbol: fine_instrument(tables, symbol) for symbol in tables.instruments}
    for event in fill_events(tables, fine):
        if isinstance(event, FillEvent):
            key = (event.strategy, event.symbol, event.leg)
            if key not in books:
                books[key] = _Book(
                    fine[event.symbol],
                    quantity_step(tables.instruments[event.symbol], fine[event.symbol]),
                    method,
                )
            books[key].apply(event)
        else:
            _share_funding(event, books)
    trips = [trip for book in books.values() for trip in book.finish()]
    return sorted(trips, key=lambda trip: (trip.entry_ts, trip.is_open))


class _Trip:
    """A round trip while it is being built; integers at the book's scales."""

    def __init__(self, fill: FillEvent) -> None:
        self.first = fill
        self.exit_ts, self.exit_why = 0, ""
        self.opened = self.closed = 0
        self.open_qty = 0
        self.cost = 0
        self.entry_value = Decimal(0)
        self.entry_sum = self.exit_sum = 0
        self.gross = self.fees = self.funding = Decimal(0)
        self.fills = 0

    def open(self, instrument: InstrumentFacts, fill: FillEvent, qty: int, fee: Decimal) -> None:
        value = value_at(instrument, fill.side * qty, fill.price)
        self.cost += value
        self.opened += qty
        self.open_qty += qty
        self.entry_sum += qty * fill.price
        self.entry_value += abs(_money(value, fill.rate))
        self.fees += fee
        self.fills += 1

    def close(self, instrument: InstrumentFacts, fill: FillEvent, qty: int, fee: Decimal) -> None:
        released = _cut(self.cost * qty, self.open_qty) if qty < self.open_qty else self.cost
        gross = -value_at(instrument, fill.side * qty, fill.price) - released
        self.cost -= released
        self.open_qty -= qty
        self.closed += qty
        self.exit_sum += qty * fill.price
        self.gross += _money(gross, fill.rate)
        self.fees += fee
        self.fills += 1
        self.exit_ts, self.exit_why = fill.ts, fill.why

    def done(self, instrument: InstrumentFacts) -> RoundTrip:
        unit = 10**instrument.price_scale
        first = self.first
        return RoundTrip(
            symbol=first.symbol, strategy=first.strategy, leg=first.leg, side=first.side,
            entry_ts=first.ts, exit_ts=0 if self.open_qty else self.exit_ts,
            qty=Decimal(self.opened).scaleb(-instrument.qty_scale),
            entry_price=(self.entry_sum / self.opened if self.opened else first.price) / unit,
            exit_price=self.exit_sum / self.closed / unit if self.closed else float("nan"),
            entry_value=self.entry_value, gross=self.gross, fees=self.fees,
            funding=self.funding, fills=self.fills, entry_why=first.why,
            exit_why=self.exit_why, is_open=self.open_qty > 0,
        )  # fmt: skip


class _Book:
    """The open trips of one (strategy, symbol, leg): at most one by average, many by fifo."""

    def __init__(self, instrument: InstrumentFacts, step: int, method: str) -> None:
        self.instrument = instrument
        self.step = step
        self.dust: _Trip | None = None
        self.by_lot = method == "fifo"
        self.open: deque[_Trip] = deque()
        self.closed: list[RoundTrip] = []

    def apply(self, fill: FillEvent) -> None:
        left, fee_left = fill.qty, fill.fee
        while left and self.open and self.open[0].first.side != fill.side:
            trip = self.open[0]
            qty = min(left, trip.open_qty)
            fee = fee_left if qty == left else _share(fee_left, qty, left)
            left, fee_left = left - qty, fee_left - fee
            if self.by_lot and qty < trip.open_qty:
                self._close_part(trip, fill, qty, fee)
                break
            trip.close(self.instrument, fill, qty, fee)
            if not trip.open_qty:
                self.closed.append(self.open.popleft().done(self.instrument))
        if left:
            if self.by_lot or not self.open:
                self.open.append(_Trip(fill))
            self.open[-1].open(self.instrument, fill, left, fee_left)
            self._add_dust(self.open[-1])
        elif len(self.open) == 1 and self.open[0].open_qty < self.step:
            self._carry(self.open.popleft())

    def _carry(self, trip: _Trip) -> None:
        """End a trip of which only an unsellable rest is left, and keep the rest."""
        rest = _Trip(trip.first)
        rest.open_qty, rest.cost = trip.open_qty, trip.cost
        if trip.closed:
            trip.open_qty, trip.cost = 0, 0
            self.closed.append(trip.done(self.instrument))
        else:
            rest.fees, rest.funding = trip.fees, trip.funding
        self.dust = rest

    def _add_dust(self, trip: _Trip) -> None:
        if self.dust is None or self.dust.first.side != trip.first.side:
            return
        trip.open_qty += self.dust.open_qty
        trip.cost += self.dust.cost
        trip.fees += self.dust.fees
        trip.funding += self.dust.funding
        self.dust = None

    def _close_part(self, lot: _Trip, fill: FillEvent, qty: int, fee: Decimal) -> None:
        """Split a lot: the part that is closed takes its share of cost, fee and funding."""
        part = _Trip(lot.first)
        part.opened = part.open_qty = qty
        part.fills = lot.fills
        part.cost = _cut(lot.cost * qty, lot.open_qty)
        part.entry_sum = qty * lot.first.price
        for name in ("entry_value", "fees", "funding"):
            piece = _share(getattr(lot, name), qty, lot.open_qty)
            setattr(part, name, piece)
            setattr(lot, name, getattr(lot, name) - piece)
        lot.cost -= part.cost
        lot.opened -= qty
        lot.open_qty -= qty
        lot.entry_sum -= part.entry_sum
        part.close(self.instrument, fill, qty, fee)
        self.closed.append(part.done(self.instrument))

    def finish(self) -> list[RoundTrip]:
        return self.closed + [trip.done(self.instrument) for trip in self.open]


def _share_funding(event: FundingEvent, books: dict[tuple[str, str, str], _Book]) -> None:
    trips = [
        trip
        for (strategy, symbol, _), book in books.items()
        if symbol == event.symbol and event.strategy in ("", strategy)
        for trip in book.open
    ]
    left, qty_left = event.amount, sum(trip.open_qty for trip in trips)
    for trip in trips:
        piece = _share(left, trip.open_qty, qty_left)
        trip.funding += piece
        left, qty_left = left - piece, qty_left - trip.open_qty


def _cut(top: int, bottom: int) -> int:
    """Quotient toward zero."""
    quotient = abs(top) // abs(bottom)
    return -quotient if (top < 0) != (bottom < 0) else quotient


def _money(value: int, rate: Decimal) -> Decimal:
    amount = Decimal(value).scaleb(-COST_SCALE)
    return amount * rate if rate != 1 else amount


def _share(amount: Decimal, part: int, whole: int) -> Decimal:
    """`amount · part / whole` to 18 decimals, toward zero; all of it when part is the whole."""
    if part == whole or not amount.is_finite():
        return amount
    top, bottom = amount.as_integer_ratio()
    return Decimal(_cut(top * part * 10**COST_SCALE, bottom * whole)).scaleb(-COST_SCALE)
