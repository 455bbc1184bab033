"""A backtest: the data's feed, the simulated venue, the data's clock, around the engine.

```text
 source ─► feeds ─► core replay (engine + simulated venue) ─► journal ─► Run
```
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from veloz import __version__
from veloz._core import Backtest
from veloz.environments.framed import frames_in, source_of
from veloz.environments.heard import Progress, RowCounter, warm_up_of
from veloz.environments.instruments import core_row
from veloz.environments.loading import made_strategy
from veloz.environments.marks import is_dense, with_index, with_marks
from veloz.environments.run import Run, RunFacts
from veloz.environments.settings import (
    BY_SYMBOL,
    LATENCY_OF_BOOKS,
    STANDARD_MAINTENANCE,
    BacktestSettings,
    parse_balance,
    parse_fees,
    parse_fill,
    parse_latency,
    parse_leverage,
    parse_limits,
    parse_maintenance,
    parse_seed,
)
from veloz.environments.sources import Source, bars_in_pieces, open_source, range_ns, source_digest
from veloz.environments.spool import JournalSpool
from veloz.environments.wanted import PUBLISHED, known, level_of, wanted_data
from veloz.errors import ConfigError, StrategyError
from veloz.storage.catalogue import NoRows
from veloz.storage.journal import columns_of
from veloz.storage.kinds import TICK_TRADE
from veloz.storage.symbols import did_you_mean
from veloz.storage.times import format_time
from veloz.strategy import Strategy
from veloz.strategy.faults import place_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from veloz.storage.instruments import Instrument

    Columns = Mapping[str, npt.NDArray[np.int64]]


def backtest(  # noqa: PLR0913 - what decides a run is said by name, in one call
    strategy: str | type[Strategy] | Strategy,
    data: object,
    *,
    start: object = None,
    end: object = None,
    balance: object = "10000 USDT",
    leverage: object = 1,
    maintenance: object = None,
    report_currency: str | None = None,
    parameters: Mapping[str, object] | None = None,
    fees: object = None,
    latency: object = None,
    fill: object = None,
    seed: int = 0,
    limits: Mapping[str, Any] | None = None,
    sample_every_ns: int | None = None,
    allow_early_data: bool = False,
    check_identity: bool = False,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Run:
    """Trades a strategy on recorded data and returns what happened.

    Args:
        strategy: `"file.py"` or `"file.py:Class"`, a `Strategy` class, or a fresh object of one.
        data: A catalogue's folder, a `Catalogue`, a DataFrame of what the strategy subscribes to
            (or a mapping from symbol to DataFrame), or an `ArraySource`.
        start: First instant, inclusive: a date, ISO time or ns; None from the first row.
        end: Last instant, exclusive.
        balance: Opening balances: `"10000 USDT, 0.5 BTC"` or a mapping.
        leverage: Of every contract, or by symbol.
        maintenance: Maintenance margin of every contract, or by symbol, as a fraction of its value:
            what it falls to is liquidated; 0 liquidates nothing.
        report_currency: What equity is told in; the settlement currency if not given.
        parameters: Values of the strategy's parameters, by name.
        fees: `0.001`, or `"maker=0.0002,taker=0.0005"`; else the instrument's own.
        latency: `"5ms"`, or `"entry=5ms;report=normal:3ms,1ms,1ms"`.
        fill: Choices of the matching simulator, `"queue=proportional"`.
        seed: Of all dice.
        limits: Risk limits by name.
        sample_every_ns: Distance of equity points.
        allow_early_data: Waives the check that no row arrives before it happened; reports say so.
        check_identity: Asserts the money identity after every change of money.
        out: Folder that the run's own folder is written into; None writes nothing.
        progress: Called now and then.

    Raises:
        ConfigError: A setting is wrong.
        DataError: The data are missing or cannot be replayed.
        StrategyError: The strategy cannot be loaded, or raised.
    """
    maker_fee, taker_fee = parse_fees(fees)
    entry, report = parse_latency(latency)
    settings = BacktestSettings(
        balance=parse_balance(balance),
        leverage=parse_leverage(leverage),
        maintenance=parse_maintenance(maintenance),
        report_currency=report_currency,
        maker_fee=maker_fee,
        taker_fee=taker_fee,
        entry_latency=entry,
        report_latency=report,
        fill=parse_fill(fill),
        seed=parse_seed(seed),
        sample_every_ns=sample_every_ns,
        limits=dict(limits or {}),
        allow_early_data=allow_early_data,
        check_identity=check_identity,
    )
    session = Session(strategy, data, settings, parameters=parameters, start=start, end=end)
    run = session.run(progress)
    if out is not None:
        run.write(Path(out))
    return run


@dataclass(frozen=True)
class _Feed:
    """One feed of a run: what is read, and how."""

    kind: str
    symbol: str
    stored: str
    pieces: Iterator[Columns]


class Session:
    """One backtest, prepared; `run` does it once.

    Args:
        strategy: As `backtest`.
        data: As `backtest`.
        settings: What the user said.
        parameters: Values of the strategy's parameters.
        start: As `backtest`.
        end: As `backtest`.
    """

    def __init__(
        self,
        strategy: str | type[Strategy] | Strategy,
        data: object,
        settings: BacktestSettings,
        *,
        parameters: Mapping[str, object] | None = None,
        start: object = None,
        end: object = None,
    ) -> None:
        frames = frames_in(data)
        opened = open_source(data) if frames is None else None
        self.start, self.end = range_ns(start, end)
        self.loaded, self.strategy = made_strategy(strategy, parameters or {})
        self.settings = replace(settings, limits=parse_limits(settings.limits))
        self.warnings: list[str] = list(self.loaded.warnings)
        wanted = wanted_data(self.strategy)
        self.source: Source = opened or source_of(frames or {}, wanted)
        for symbol in wanted:
            known(symbol, self.source)
        self.instruments = [self.source.instrument(symbol) for symbol in wanted]
        self._read: list[tuple[str, str, int | None, int | None]] = []
        self.levels = {
            symbol: level_of(symbol, kinds, self.source) for symbol, kinds in wanted.items()
        }
        self._wanted = wanted
        self._settle_defaults()
        self._core = self._build()
        self.spool = JournalSpool()

    def _settle_defaults(self) -> None:
        """Fills in what the user left open, so that the run's configuration says it all."""
        settings = self.settings
        has_books = any(level != "bar" for level in self.levels.values())
        latency = LATENCY_OF_BOOKS if has_books else "0ns"
        if settings.sample_every_ns is None:
            intervals = [
                interval for kinds in self._wanted.values() for interval in kinds.get("bars", ())
            ]
            every = min(intervals) if intervals and not has_books else 1_000_000_000
            settings = replace(settings, sample_every_ns=every)
        if settings.report_currency is None:
            settings = replace(settings, report_currency=self.instruments[0].settle)
        self.settings = replace(
            settings,
            entry_latency=settings.entry_latency or latency,
            report_latency=settings.report_latency or latency,
        )

    def _build(self) -> Backtest:
        settings = self.settings
        self._check_symbols(settings.leverage, "leverage")
        self._check_symbols(settings.maintenance, "maintenance")
        if settings.limits.get("check_funds") is False:
            # Who trades beyond his funds on purpose has none that could be used up.
            settings = self.settings = replace(settings, maintenance={"": Decimal(0)})
        rows = self._core_rows(settings)
        names = {instrument.base for instrument in self.instruments}
        names |= {instrument.quote for instrument in self.instruments}
        names |= {instrument.settle for instrument in self.instruments}
        if settings.report_currency is None or settings.report_currency not in names:
            raise ConfigError(
                f"the report currency {settings.report_currency} is none of "
                f"{', '.join(sorted(names))}",
                hint="Take one that the strategy's instruments trade or settle in.",
            )
        self.assets = sorted(names)
        try:
            core = Backtest(
                [(name, 8) for name in self.assets],
                rows,
                {
                    "levels": [self.levels[i.symbol] for i in self.instruments],
                    "venue": list(settings.fill),
                    "entry_latency": settings.entry_latency,
                    "report_latency": settings.report_latency,
                    "seed": settings.seed,
                    "report_asset": settings.report_currency,
                    "sample_every_ns": settings.sample_every_ns,
                    "leverage": [self._leverage(i) for i in self.instruments],
                    "limits": self._limits(),
                    "hedge": type(self.strategy).position_mode == "hedge",
                    "build": __version__,
                    "check_identity": settings.check_identity,
                },
            )
        except ValueError as error:
            raise ConfigError(str(error)) from error
        self._deposit(core)
        return core

    def _core_rows(self, settings: BacktestSettings) -> list[dict[str, Any]]:
        """The instruments as the core takes them; what had to be assumed becomes a warning."""
        rows, assumed = [], []
        for instrument in self.instruments:
            row, is_assumed = core_row(instrument, settings)
            rows.append(row)
            if is_assumed:
                assumed.append(instrument.symbol)
            if instrument.origin == "inferred":
                self.warnings.append(
                    f"units of {instrument.symbol} are inferred from the data: "
                    "tick and lot are the steps seen, and no venue limit is known"
                )
        if assumed:
            self.warnings.append(
                f"fees of {', '.join(assumed)} are not in the data: the venue's standard rates "
                "are assumed; set them with --fees"
            )
        if unknown := [i.symbol for i in self.instruments if self._is_guess(i)]:
            self.warnings.append(
                f"maintenance margin of {', '.join(unknown)} is not in the data: "
                f"{(STANDARD_MAINTENANCE * 100).normalize():f} % of the value is assumed; set it "
                "with --maintenance"
            )
        return rows

    def _deposit(self, core: Backtest) -> None:
        for asset, amount in self.settings.balance.items():
            if asset not in self.assets:
                raise ConfigError(
                    f"the balance names {asset}, which is no asset of the run's instruments",
                    hint=f"They trade and settle in {', '.join(self.assets)}.",
                )
            try:
                core.deposit(asset, amount)
            except ValueError as error:
                raise ConfigError(f"the balance of {asset} is refused: {error}") from error

    def _check_symbols(self, given: Mapping[str, object], what: str) -> None:
        traded = [instrument.symbol for instrument in self.instruments]
        for symbol in given:
            if symbol and symbol not in traded:
                raise ConfigError(
                    f"{what} is given for {symbol}, which the strategy does not trade: "
                    f"{did_you_mean(symbol, traded)}"
                )

    def _leverage(self, instrument: Instrument) -> int:
        by_symbol = self.settings.leverage
        return by_symbol.get(instrument.symbol, by_symbol.get("", 1))

    def _is_guess(self, instrument: Instrument) -> bool:
        """True if a leveraged contract's maintenance margin is the standard one."""
        told = self.settings.maintenance
        is_told = bool(instrument.tiers) or instrument.symbol in told or "" in told
        return instrument.kind != "spot" and self._leverage(instrument) > 1 and not is_told

    def _limits(self) -> dict[str, Any]:
        """Risk limits as the core takes them; per-symbol quantities become columns."""
        limits = dict(self.settings.limits)
        for name in BY_SYMBOL:
            if name in limits:
                limits[name] = self._column(name, limits[name])
        return limits

    def _column(self, name: str, given: Any) -> list[int]:
        by_symbol = isinstance(given, Mapping)
        if by_symbol:
            self._check_symbols(given, f"the limit {name}")
        column = []
        for instrument in self.instruments:
            value = given.get(instrument.symbol) if by_symbol else given
            # The core takes 0 as "no limit", so a limit must not be rounded down to it.
            units = Decimal(0 if value is None else value).scaleb(instrument.qty_scale)
            if units != int(units):
                step = Decimal(1).scaleb(-instrument.qty_scale)
                raise ConfigError(
                    f"the limit {name} of {instrument.symbol} is {value}, "
                    f"finer than its unit {step}"
                )
            column.append(int(units))
        return column

    # -- feeds -------------------------------------------------------------------------------

    def _feeds(self) -> Iterator[_Feed]:
        for symbol, kinds in self._wanted.items():
            has = set(self.source.kinds(symbol))
            if self.levels[symbol] == "book":
                yield from self._book(symbol, has)
            else:
                if "trades" in kinds:
                    yield self._feed("trades", symbol, "trade" if "trade" in has else "agg_trade")
                if "quotes" in kinds:
                    yield self._feed("quotes", symbol, "quote")
            for interval in kinds.get("bars", ()):
                stored, pieces = bars_in_pieces(self.source, symbol, interval, self.start, self.end)
                self._read.append((symbol, stored, self.start, self.end))
                yield _Feed("bars", symbol, stored, pieces)
        # After the others, because these tell the range.
        for symbol, kinds in self._wanted.items():
            if self.source.instrument(symbol).kind != "spot":
                has = set(self.source.kinds(symbol))
                yield from self._carry(symbol, has, wants_marks="marks" in kinds)
        for symbol, kinds in self._wanted.items():
            for kind in (kind for kind in kinds if kind in PUBLISHED):
                has = set(self.source.kinds(symbol))
                stored = next(stored for stored in PUBLISHED[kind] if stored in has)
                span = self._carry_range()
                self._read.append((symbol, stored, *span))
                pieces = _perhaps_none(self.source.chunks(symbol, stored, *span))
                if kind == "index":
                    pieces = (with_index(piece) for piece in pieces)
                yield _Feed(kind, symbol, stored, pieces)

    def _feed(self, kind: str, symbol: str, stored: str) -> _Feed:
        self._read.append((symbol, stored, self.start, self.end))
        return _Feed(kind, symbol, stored, self.source.chunks(symbol, stored, self.start, self.end))

    def _book(self, symbol: str, has: set[str]) -> Iterator[_Feed]:
        """Levels, and the prints that move the queue: within the levels' feed, or beside it."""
        feed = self._feed("ticks", symbol, "tick")
        first = next(feed.pieces, None)
        pieces = iter(()) if first is None else chain([first], feed.pieces)
        yield replace(feed, pieces=pieces)
        if first is not None and bool(np.any(first["flags"] & TICK_TRADE)):
            return
        stored = next((kind for kind in ("trade", "agg_trade") if kind in has), None)
        if stored is None:
            self.warnings.append(
                f"the data hold no trades of {symbol}: a resting order fills only once the book "
                "crosses its price"
            )
            return
        yield self._feed("trades", symbol, stored)

    def _carry(self, symbol: str, has: set[str], *, wants_marks: bool) -> Iterator[_Feed]:
        """Marks and funding of a contract, as far as the data have them."""
        marks = self._column_or_none(symbol, "mark") if "mark" in has else None
        dense = marks is not None and is_dense(marks["ts_exchange"])
        if marks is not None and (dense or wants_marks):
            self._read.append((symbol, "mark", *self._carry_range()))
            yield _Feed("marks", symbol, "mark", iter([marks]))
        if "funding" not in has:
            self.warnings.append(f"the data hold no funding of {symbol}: none is exchanged")
            return
        funding = self._column_or_none(symbol, "funding")
        if funding is None:
            return
        self._read.append((symbol, "funding", *self._carry_range()))
        if marks is not None and not dense:
            funding = with_marks(funding, marks)
        if not dense and not bool(np.all(funding["mark"] > 0)):
            funding = self._with_closes(symbol, funding)
        yield _Feed("funding", symbol, "funding", iter([funding]))

    def _with_closes(self, symbol: str, funding: Columns) -> Columns:
        """Prices funding without a mark at the last bar's close (rule A7), and says so."""
        intervals = self._wanted[symbol].get("bars", ())
        if not intervals:
            return funding
        self.warnings.append(
            f"funding of {symbol} without a mark price is settled at the last bar's close"
        )
        _, pieces = bars_in_pieces(self.source, symbol, min(intervals), self.start, self.end)
        closes = [(piece["ts_close"], piece["close"]) for piece in pieces]
        ends = np.concatenate([ts for ts, _ in closes])
        prices = np.concatenate([price for _, price in closes])
        scale = self.source.instrument(symbol).price_scale
        factor = 10 ** (8 - scale) if scale <= 8 else 1
        at = np.searchsorted(ends, funding["ts_exchange"], side="right") - 1
        known = (funding["mark"] <= 0) & (at >= 0)
        mark = np.where(known, prices[np.maximum(at, 0)] * factor, funding["mark"])
        keep = mark > 0
        rows = {**funding, "mark": mark.astype(np.int64)}
        return {name: np.ascontiguousarray(column[keep]) for name, column in rows.items()}

    def _column_or_none(self, symbol: str, kind: str) -> Columns | None:
        try:
            pieces = list(self.source.chunks(symbol, kind, *self._carry_range()))
        except NoRows:
            return None
        if not pieces:
            return None
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    def _carry_range(self) -> tuple[int | None, int | None]:
        """The range of marks and funding: that of the data which the strategy trades on.

        A catalogue may hold years of funding around a week of bars; a run must not begin with them.
        """
        if self.start is not None and self.end is not None:
            return self.start, self.end
        spans = [
            self.source.span(symbol, kind)
            for symbol, kind, _, _ in self._read
            if kind not in {"mark", "funding", *chain.from_iterable(PUBLISHED.values())}
        ]
        if not spans:
            return self.start, self.end
        first, last = min(first for first, _ in spans), max(last for _, last in spans)
        return (
            first if self.start is None else self.start,
            last if self.end is None else self.end,
        )

    # -- the run -----------------------------------------------------------------------------

    def run(self, progress: Progress | None = None) -> Run:
        """Does it, once.

        Raises:
            DataError: The data cannot be replayed.
            StrategyError: The strategy raised; the error is its cause.
        """
        core = self._core
        name = type(self.strategy).__name__
        self.strategy.random = random.Random(f"{self.settings.seed} {name}")  # noqa: S311
        seat = core.add_strategy(self.strategy, type(self.strategy).stop_policy)
        for key, value in sorted(self.strategy.parameter_values().items()):
            core.note_parameter(seat, f"{key}={value}")
        for symbol, kinds in self._wanted.items():
            for kind, intervals in kinds.items():
                for interval in intervals or (0,):
                    core.listen(seat, symbol, kind, interval)
        rows = RowCounter(progress, self.end or 0)
        self._rows = rows.rows
        for feed in self._feeds():
            refuse = not self.settings.allow_early_data
            core.add_feed(
                feed.kind,
                feed.symbol,
                rows.counted(feed.pieces, feed.kind, f"{feed.stored} of {feed.symbol}"),
                refuse,
            )
        core.set_journal_sink(self.spool)
        began = time.perf_counter()  # for run.json alone; results never see it
        core.run()
        seconds = time.perf_counter() - began
        self.spool.close()
        fault = core.fault(seat)
        if fault is not None:
            message, error = fault
            if isinstance(error, KeyboardInterrupt):
                raise error  # the user's wish, not the strategy's fault
            place = "" if error is None else place_of(error)
            raise StrategyError(
                f"{name} was stopped at {self._stopped_at()}: {message}",
                hint="Nothing was written; repair that line." if place else "",
            ) from error
        return Run(core, self._facts(seconds), self.spool, self.source)

    def _stopped_at(self) -> str:
        """Event time at which the strategy was stopped."""
        states = columns_of(self.spool.read(), "StrategyState")
        return format_time(int(states["batch_now_ns"][-1]))

    def _facts(self, seconds: float) -> RunFacts:
        parameters = {
            name: str(value) if isinstance(value, Decimal) else value
            for name, value in sorted(self.strategy.parameter_values().items())
        }
        config = self.settings.plain() | {
            "strategy": type(self.strategy).__name__,
            "parameters": parameters,
            "start_ns": self.start,
            "end_ns": self.end,
            "levels": dict(self.levels),
            "reads": [[symbol, kind] for symbol, kind, _, _ in self._read],
        }
        digests = {
            "data": source_digest(self.source, self._read),
            "code": self.loaded.digest,
            "parameters": hashlib.sha256(json.dumps(parameters).encode()).hexdigest(),
            "config": hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest(),
            "engine": engine_digest(),
        }
        return RunFacts(
            strategy=type(self.strategy).__name__,
            path=None if self.loaded.path is None else str(self.loaded.path.resolve()),
            data=self.source.place,
            parameters=parameters,
            config=config,
            digests=digests,
            warnings=tuple(self.warnings),
            currency=str(self.settings.report_currency),
            instruments=tuple(self.instruments),
            wanted={symbol: tuple(kinds) for symbol, kinds in self._wanted.items()},
            bar_intervals={
                symbol: tuple(kinds.get("bars", ())) for symbol, kinds in self._wanted.items()
            },
            heard={"rows": dict(self._rows), "warm_up": warm_up_of(self.strategy)},
            seconds=seconds,
        )


def _perhaps_none(pieces: Iterator[Columns]) -> Iterator[Columns]:
    """Pieces of a kind that may have no row in the range: a day without a liquidation."""
    with suppress(NoRows):
        yield from pieces


@cache
def engine_digest() -> str:
    """SHA-256 of the compiled core, read once: what is loaded stays loaded."""
    import veloz._core as core  # its file is what decides

    return hashlib.sha256(Path(core.__file__).read_bytes()).hexdigest()
