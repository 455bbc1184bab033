"""The test kit of strategies: feed rows, expect orders, in milliseconds and without files.

    def test_it_buys_a_rise():
        kit = veloz.test(SmaCross, fast=2, slow=3)
        kit.bars([100, 101, 102, 103]).expect(orders=[("buy", 0.01)])

Underneath is an ordinary backtest: the same engine, risk rules, simulated venue and accounting.
Fees and latency are zero and the balance is large, unless `setup` says otherwise. Rows are kept,
and the whole is run again from the start with a fresh strategy whenever a result is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from veloz.environments.backtest import Session
from veloz.environments.run import Run
from veloz.environments.settings import (
    BacktestSettings,
    parse_balance,
    parse_fees,
    parse_fill,
    parse_latency,
    parse_leverage,
    parse_maintenance,
)
from veloz.environments.sources import ArraySource
from veloz.environments.testing_seen import (
    START_NS,
    FillSeen,
    OrderSeen,
    listing,
    matches,
    spoken,
)
from veloz.errors import ConfigError
from veloz.storage.decimals import decimals_of, scaled, text
from veloz.storage.instruments import Instrument, instrument_of_row
from veloz.storage.kinds import (
    MARK_SCALE,
    RATE_SCALE,
    TICK_BUY,
    TICK_CLEAR,
    TICK_EMPTY,
    TICK_LAST,
    bar_kind,
    kind_named,
)
from veloz.storage.symbols import parse_symbol
from veloz.strategy.durations import parse_duration_ns

if TYPE_CHECKING:
    from veloz.strategy import Strategy

Number = int | float | str | Decimal
Row = Mapping[str, int]


class StrategyTest:
    """One strategy and the rows it shall see.

    Args:
        strategy: The class.
        parameters: Values of its parameters.

    Raises:
        ValueError: A parameter is unknown or refused.
    """

    def __init__(self, strategy: type[Strategy], parameters: Mapping[str, object]) -> None:
        self._class, self._parameters = strategy, dict(parameters)
        self.strategy = strategy(**self._parameters)
        self._settings = BacktestSettings(
            balance={}, maintenance={"": Decimal(0)}, maker_fee=Decimal(0), taker_fee=Decimal(0),
            entry_latency="0ns", report_latency="0ns", check_identity=True,
        )  # fmt: skip
        self._series: dict[tuple[str, str], list[Row]] = {}
        self._clock: dict[tuple[str, str], int] = {}
        self._units: dict[str, dict[str, object]] = {}
        self._run: Run | None = None
        self.session: Session | None = None

    # -- surroundings ------------------------------------------------------------------------

    def setup(
        self,
        *,
        balance: object = None,
        leverage: object = None,
        maintenance: object = None,
        fees: object = None,
        latency: object = None,
        fill: object = None,
        seed: int | None = None,
        limits: Mapping[str, Any] | None = None,
    ) -> StrategyTest:
        """Changes what a backtest would be told; each argument as in `veloz.backtest`."""
        changes: dict[str, Any] = {}
        if balance is not None:
            changes["balance"] = parse_balance(balance)
        if leverage is not None:
            changes["leverage"] = parse_leverage(leverage)
        if maintenance is not None or balance is not None:
            changes["maintenance"] = parse_maintenance(maintenance)
        if fees is not None:
            changes["maker_fee"], changes["taker_fee"] = parse_fees(fees)
        if latency is not None:
            changes["entry_latency"], changes["report_latency"] = parse_latency(latency)
        if fill is not None:
            changes["fill"] = parse_fill(fill)
        if seed is not None:
            changes["seed"] = seed
        if limits is not None:
            changes["limits"] = dict(limits)
        self._settings = replace(self._settings, **changes)
        return self._changed()

    def instrument(self, symbol: str | None = None, **units: object) -> StrategyTest:
        """Sets units and limits of an instrument, `tick="0.1"`, `lot="0.001"`, `min_notional="5"`.

        Unset, the tick is 0.01 and the lot 0.001 (1 for inverse contracts, of 100 in quote).

        Args:
            symbol: Which; the strategy's only one if not given.
            units: Fields as in an instruments file.
        """
        self._units.setdefault(self._symbol(symbol), {}).update(units)
        return self._changed()

    # -- rows --------------------------------------------------------------------------------

    def bars(
        self,
        rows: Iterable[Number | Sequence[Number]],
        *,
        symbol: str | None = None,
        interval: str | None = None,
    ) -> StrategyTest:
        """Feeds bars, one interval after the other.

        Args:
            rows: Closes (each bar then opens at the close before it), or tuples
                `(open, high, low, close)` with a volume behind if it matters.
            symbol: Which instrument; the only one with bars if not given.
            interval: Which bars; the only subscribed length if not given.
        """
        wanted = {(s.resolve(self.strategy), s.interval_ns) for s in self._subscribed("bars")}
        name = self._symbol(symbol, {of for of, _ in wanted})
        lengths = sorted(length for of, length in wanted if of == name)
        if interval is None and len(lengths) != 1:
            raise ConfigError(
                f"the strategy asks for {len(lengths)} lengths of bars: say interval="
            )
        length = lengths[0] if interval is None else parse_duration_ns(interval)
        kind = bar_kind(length).name
        series = self._series.setdefault((name, kind), [])
        price, qty = self._scales(name)
        for row in rows:
            opened = self._tick_on(name, kind, length)
            if isinstance(row, Sequence) and not isinstance(row, str):
                prices, volume = [price(value) for value in row[:4]], row[4:5] or [1_000]
            else:
                close = price(row)
                before = series[-1]["close"] if series else close
                prices = [before, max(before, close), min(before, close), close]
                volume = [1_000]
            columns = ("open", "high", "low", "close")
            times = {"ts_open": opened, "ts_close": opened + length}
            series.append(
                times | dict(zip(columns, prices, strict=True)) | {"volume": qty(volume[0])}
            )
        return self._changed()

    feed_closes = bars

    def trades(
        self,
        rows: Iterable[Sequence[Number]],
        *,
        symbol: str | None = None,
        every: str = "1s",
        kind: str = "trade",
    ) -> StrategyTest:
        """Feeds public trades.

        Args:
            rows: `(price, qty)` or `(price, qty, "buy" or "sell")`: the side that took.
            symbol: Which instrument.
            every: Time from one to the next.
            kind: "trade", or "agg_trade".
        """
        name = self._symbol(symbol)
        price, qty = self._scales(name)
        series = self._series.setdefault((name, kind), [])
        takers = {"buy": 1, "sell": -1, None: 0}
        for row in rows:
            at = self._tick_on(name, "events", parse_duration_ns(every))
            side = str(row[2]) if len(row) > 2 else None
            series.append(
                {
                    "ts_exchange": at,
                    "ts_recv": at,
                    "taker": takers[side],
                    "price": price(row[0]),
                    "qty": qty(row[1]),
                    "trade_id": len(series) + 1,
                }
            )
        return self._changed()

    def books(
        self,
        rows: Iterable[tuple[Sequence[Sequence[Number]], Sequence[Sequence[Number]]]],
        *,
        symbol: str | None = None,
        every: str = "100ms",
    ) -> StrategyTest:
        """Feeds whole order books.

        Args:
            rows: `(bids, asks)`, each a list of `(price, qty)`.
            symbol: Which instrument.
            every: Time from one to the next.
        """
        name = self._symbol(symbol)
        price, qty = self._scales(name)
        series = self._series.setdefault((name, "tick"), [])
        for bids, asks in rows:
            at = self._tick_on(name, "events", parse_duration_ns(every))
            book = {(TICK_BUY, price(p)): qty(q) for p, q in bids}
            book |= {(0, price(p)): qty(q) for p, q in asks}
            shown = self._shown(series)
            changes = [(side, p, q) for (side, p), q in book.items() if shown.get((side, p)) != q]
            changes += [(side, p, 0) for side, p in shown if (side, p) not in book]
            if not changes:  # a message that changes nothing is a message
                flags = TICK_EMPTY | TICK_LAST
                series.append(
                    {"ts_exchange": at, "ts_recv": at, "price": 0, "qty": 0, "flags": flags}
                )
            for place, (side, level, size) in enumerate(changes):
                flags = side | (TICK_LAST if place == len(changes) - 1 else 0)
                flags |= TICK_CLEAR if place == 0 and not shown else 0
                series.append(
                    {"ts_exchange": at, "ts_recv": at, "price": level, "qty": size, "flags": flags}
                )
        return self._changed()

    def quotes(
        self,
        rows: Iterable[Sequence[Number]],
        *,
        symbol: str | None = None,
        every: str = "1s",
    ) -> StrategyTest:
        """Feeds best bids and offers: `(bid, ask)` or `(bid, bid_qty, ask, ask_qty)`."""
        name = self._symbol(symbol)
        price, qty = self._scales(name)
        series = self._series.setdefault((name, "quote"), [])
        for row in rows:
            at = self._tick_on(name, "events", parse_duration_ns(every))
            bid, bid_qty, ask, ask_qty = row if len(row) == 4 else (row[0], 1, row[1], 1)
            series.append(
                {
                    "ts_exchange": at,
                    "ts_recv": at,
                    "bid_price": price(bid),
                    "bid_qty": qty(bid_qty),
                    "ask_price": price(ask),
                    "ask_qty": qty(ask_qty),
                }
            )
        return self._changed()

    def marks(
        self, rows: Iterable[Number], *, symbol: str | None = None, every: str = "1s"
    ) -> StrategyTest:
        """Feeds mark prices."""
        name = self._symbol(symbol)
        series = self._series.setdefault((name, "mark"), [])
        for mark in rows:
            at = self._tick_on(name, "marks", parse_duration_ns(every))
            series.append(
                {
                    "ts_exchange": at,
                    "ts_recv": at,
                    "mark": _exact(mark, MARK_SCALE),
                    "index": 0,
                    "settle": 0,
                    "funding_rate": 0,
                    "next_funding_ns": 0,
                }
            )
        return self._changed()

    def published(
        self,
        kind: str,
        rows: Iterable[Mapping[str, Number]],
        *,
        symbol: str | None = None,
        every: str = "1s",
    ) -> StrategyTest:
        """Feeds what a venue publishes beside: `published("liquidation", [{"side": -1, …}])`.

        Args:
            kind: "index", "open_interest", "liquidation" or "ticker".
            rows: Columns of each row by name, as a catalogue has them, without times.
            symbol: Which instrument.
            every: Time from one to the next.
        """
        name = self._symbol(symbol)
        price, qty = self._scales(name)
        stored = kind_named(kind)
        series = self._series.setdefault((name, kind), [])
        for row in rows:
            at = self._tick_on(name, kind, parse_duration_ns(every))
            values = {"ts_exchange": at, "ts_recv": at}
            for column, value in row.items():
                if column in stored.prices:
                    values[column] = price(value)
                elif column in stored.qtys:
                    values[column] = qty(value)
                else:
                    values[column] = int(value) if column == "side" else _exact(value, MARK_SCALE)
            series.append(values)
        return self._changed()

    def funding(
        self, rows: Iterable[tuple[str, Number, Number]], *, symbol: str | None = None
    ) -> StrategyTest:
        """Feeds funding settlements: `(time since the start, rate, mark price)`, as `("8h", …)`."""
        name = self._symbol(symbol)
        series = self._series.setdefault((name, "funding"), [])
        for after, rate, mark in rows:
            at = START_NS + parse_duration_ns(after)
            series.append(
                {
                    "ts_exchange": at,
                    "ts_recv": at,
                    "rate": _exact(rate, RATE_SCALE),
                    "mark": _exact(mark, MARK_SCALE),
                }
            )
        return self._changed()

    # -- results -----------------------------------------------------------------------------

    @property
    def run(self) -> Run:
        """The backtest of all rows so far, as `veloz.backtest` gives it.

        Raises:
            StrategyError: The strategy raised.
        """
        if self._run is None:
            self.strategy = self._class(**self._parameters)
            symbols = {s.resolve(self.strategy) for s in self._subscribed()}
            symbols |= {name for name, _ in self._series}
            instruments = {name: self._listed(name) for name in sorted(symbols)}
            settings = self._settings
            if not settings.balance:
                amounts = {i.settle: Decimal(1_000_000) for i in instruments.values()}
                settings = replace(settings, balance=amounts)
            series = {
                key: {name: np.array([row[name] for row in rows], np.int64) for name in rows[0]}
                for key, rows in self._series.items()
                if rows
            }
            source = ArraySource(instruments, series)
            self.session = Session(self.strategy, source, settings)
            self._run = self.session.run()
        return self._run

    @property
    def orders(self) -> list[OrderSeen]:
        """All orders that the strategy gave, oldest first."""
        table = self.run.tables.orders
        seen = []
        for at, symbol in enumerate(table.symbol):
            instrument = self._listed(str(symbol))
            price = int(table.price[at])
            seen.append(
                OrderSeen(
                    side="buy" if table.side[at] > 0 else "sell",
                    qty=_decimal(table.qty[at], instrument.qty_scale),
                    price=_decimal(price, instrument.price_scale) if price else None,
                    type=str(table.type[at]),
                    status=str(table.status[at]),
                    reason=str(table.reason[at]),
                    why=str(table.why[at]),
                    tag=str(table.tag[at]),
                    symbol=str(symbol),
                    ts_ns=int(table.ts_created[at]),
                )
            )
        return seen

    @property
    def fills(self) -> list[FillSeen]:
        """All executions, oldest first."""
        table = self.run.tables.fills
        seen = []
        for at, symbol in enumerate(table.symbol):
            instrument = self._listed(str(symbol))
            seen.append(
                FillSeen(
                    side="buy" if table.side[at] > 0 else "sell",
                    qty=_decimal(table.qty[at], instrument.qty_scale),
                    price=_decimal(table.price[at], instrument.price_scale),
                    symbol=str(symbol),
                    ts_ns=int(table.ts_exchange[at]),
                )
            )
        return seen

    def position(self, symbol: str | None = None) -> Decimal:
        """The signed position at the end."""
        return self.run.positions.get(self._symbol(symbol), Decimal(0))

    def expect(
        self,
        *,
        orders: Sequence[tuple[object, ...]] | None = None,
        fills: Sequence[tuple[object, ...]] | None = None,
        position: Number | None = None,
    ) -> StrategyTest:
        """Compares what the strategy did since the start with what it should have done.

        Args:
            orders: `(side, qty)` or `(side, qty, price)` of every order; price None is a market
                order.
            fills: `(side, qty)` or `(side, qty, price)` of every execution.
            position: Signed position at the end.

        Raises:
            AssertionError: It did something else; the text shows both, side by side.
        """
        if orders is not None:
            self._compare("orders", orders, self.orders)
        if fills is not None:
            self._compare("fills", fills, self.fills)
        if position is not None:
            held = self.position()
            if held != Decimal(str(position)):
                raise AssertionError(
                    f"{self._class.__name__} holds {held} at the end, expected {position}"
                    + listing("fills", self.fills)
                )
        return self

    def _compare(
        self,
        what: str,
        expected: Sequence[tuple[object, ...]],
        seen: Sequence[OrderSeen] | Sequence[FillSeen],
    ) -> None:
        for at in range(max(len(expected), len(seen))):
            if at < len(expected) and at < len(seen) and matches(expected[at], seen[at]):
                continue
            wanted = spoken(expected[at]) if at < len(expected) else "no more"
            got = str(seen[at]) if at < len(seen) else "nothing"
            raise AssertionError(
                f"{self._class.__name__}, {what[:-1]} {at + 1}: expected {wanted}, got {got}"
                + (listing(what, seen) or self._nothing(what))
            )

    def _nothing(self, what: str) -> str:
        rows = ", ".join(f"{len(rows)} {kind} rows" for (_, kind), rows in self._series.items())
        hint = "; on_bar is held back until every indicator is ready" if what == "orders" else ""
        return f"\nthere were no {what} at all ({rows or 'no rows'} fed{hint})"

    # -- inside ------------------------------------------------------------------------------

    def _changed(self) -> StrategyTest:
        self._run = None
        return self

    def _subscribed(self, kind: str | None = None) -> list[Any]:
        given = self._class.subscriptions().values()
        return [s for s in given if kind is None or s.kind == kind]

    def _symbol(self, symbol: str | None, among: set[str] | None = None) -> str:
        names = (
            among if among is not None else {s.resolve(self.strategy) for s in self._subscribed()}
        )
        if symbol is not None:
            parse_symbol(symbol)
            return symbol
        if len(names) != 1:
            known = ", ".join(sorted(names)) or "none"
            raise ConfigError(f"say which symbol=: the strategy subscribes to {known} here")
        return next(iter(names))

    def _tick_on(self, symbol: str, clock: str, step: int) -> int:
        """The time of the next row of a clock, which then stands a step later."""
        now = self._clock.get((symbol, clock), START_NS)
        self._clock[symbol, clock] = now + step
        return now

    def _listed(self, symbol: str) -> Instrument:
        inverse = parse_symbol(symbol).market == "inverse"
        usual = {"lot": "1", "multiplier": "100"} if inverse else {"lot": "0.001"}
        row = {"symbol": symbol, "tick": "0.01"} | usual | self._units.get(symbol, {})
        return instrument_of_row(row, origin="file")

    def _scales(self, symbol: str) -> tuple[Callable[[Number], int], Callable[[Number], int]]:
        instrument = self._listed(symbol)
        return (
            lambda value: _exact(value, instrument.price_scale),
            lambda value: _exact(value, instrument.qty_scale),
        )

    @staticmethod
    def _shown(series: Sequence[Row]) -> dict[tuple[int, int], int]:
        book: dict[tuple[int, int], int] = {}
        for row in series:
            if row["flags"] & TICK_EMPTY:
                continue
            key = (row["flags"] & TICK_BUY, row["price"])
            book.pop(key, None)
            if row["qty"]:
                book[key] = row["qty"]
        return book


def test(strategy: type[Strategy], **parameters: object) -> StrategyTest:
    """A test of a strategy: feed it rows, then say what orders you expect.

    Args:
        strategy: The class.
        parameters: Values of its parameters, by name.

    Raises:
        ValueError: A parameter is unknown or refused.
    """
    return StrategyTest(strategy, parameters)


# pytest collects what is called test: this is no test of the package.
test.__test__ = False  # type: ignore[attr-defined]


def _exact(value: Number, scale: int) -> int:
    plain = str(value)
    if decimals_of(plain) > scale:
        raise ConfigError(
            f"{plain} has more than {scale} decimals: set a finer tick or lot with instrument()"
        )
    return scaled(plain, scale)


def _decimal(value: int, scale: int) -> Decimal:
    return Decimal(text(int(value), scale))
