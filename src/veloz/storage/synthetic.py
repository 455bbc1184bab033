"""Made markets with a known process: the truth is known, so a method can be judged against it.

    bars    a geometric random walk, eight steps a bar; volume is log-normal
    trades  a Hawkes process: each trade makes others likelier for a while. With background rate
            mu, branching ratio n and decay beta the mean rate is mu / (1 - n)
    l2      a zero-intelligence book: limit orders, cancels and market orders of one lot arrive as
            independent Poisson processes (Cont, Stoikov & Talreja 2010, "A Stochastic Model for
            Order Book Dynamics", Operations Research 58(3))

The same seed and settings give the same files, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from veloz.errors import DataError
from veloz.storage.decimals import decimals_of, scaled
from veloz.storage.deposit import Deposit, Stored
from veloz.storage.instruments import Instrument
from veloz.storage.kinds import (
    RATE_SCALE,
    TICK_BUY,
    TICK_CLEAR,
    TICK_LAST,
    TICK_TRADE,
    bar_kind,
    kind_named,
)
from veloz.storage.series import Columns, Source
from veloz.storage.symbols import parse_symbol
from veloz.storage.times import NS_PER_S, parse_span, parse_time
from veloz.storage.transaction import transaction

MODELS = ("bars", "trades", "l2")
VERSION = 1  # rises when equal settings give other rows than before
_STEPS = 8  # of the walk, per bar


@dataclass(frozen=True)
class Synthetic:
    """Settings of a made market.

    Attributes:
        model: `bars`, `trades` or `l2`.
        seed: Of the dice.
        symbol: Whose data they shall be.
        start: First instant.
        rows: Bars, trades or book events to make.
        price: First price.
        tick: Price step, decimal text.
        lot: Quantity step, decimal text.
        interval: Of bars.
        volatility: Standard deviation of log returns per bar; of a trade's step in ticks.
        drift: Mean log return per bar.
        rate: Background trades per second (mu); market orders per second and side (l2).
        branching: Trades that each trade causes on average (n); below 1.
        decay: How fast a trade is forgotten, per second (beta).
        limit_rate: Limit orders per second at the best possible price (l2).
        limit_power: How the rate falls with the distance from the other side's best: i ** -power.
        cancel_rate: Cancels per second of each resting lot (l2).
        levels: Distances at which limit orders arrive (l2).
        feed_latency: From the exchange to the recorder.
    """

    model: str
    seed: int
    symbol: str = "synthetic:BTC/USDT"
    start: str = "2024-01-01"
    rows: int = 10_000
    price: str = "30000"
    tick: str = "0.1"
    lot: str = "0.001"
    interval: str = "1m"
    volatility: float = 0.0008
    drift: float = 0.0
    rate: float = 0.5
    branching: float = 0.6
    decay: float = 5.0
    limit_rate: float = 2.0
    limit_power: float = 0.5
    cancel_rate: float = 0.2
    levels: int = 20
    feed_latency: str = "1ms"

    @property
    def instrument(self) -> Instrument:
        """What is traded in the made market."""
        symbol = parse_symbol(self.symbol)
        price_scale, qty_scale = decimals_of(self.tick), decimals_of(self.lot)
        return Instrument(
            symbol=self.symbol,
            venue_symbol=symbol.base + symbol.quote,
            price_scale=price_scale,
            qty_scale=qty_scale,
            tick=scaled(self.tick, price_scale),
            lot=scaled(self.lot, qty_scale),
            maker_fee=scaled("0.0002", RATE_SCALE),
            taker_fee=scaled("0.0005", RATE_SCALE),
            origin="file",
            origin_note="made up with the market",
        )


def synthesize(settings: Synthetic, catalogue: Path | str) -> list[Stored]:
    """Makes a market and stores it.

    Raises:
        DataError: If a setting makes no sense, or the symbol holds other data of that time.
    """
    _check(settings)
    make = {"bars": make_bars, "trades": make_trades, "l2": make_l2}[settings.model]
    description = json.dumps({"version": VERSION, **asdict(settings)}, sort_keys=True)
    name = f"synthetic {settings.model}, seed {settings.seed}"
    digest = hashlib.sha256(description.encode()).hexdigest()
    with transaction(Path(catalogue)) as change:
        deposit = Deposit(change)
        instrument = settings.instrument
        deposit.instruments.put(instrument)
        for kind, columns in make(settings):
            scales = (instrument.price_scale, instrument.qty_scale)
            deposit.add(settings.symbol, kind, columns, scales=scales)
        source = Source(name, digest, "synthetic", (description,))
        stored = deposit.finish(source)
        change.commit()
    return stored


def make_bars(settings: Synthetic) -> Iterator[tuple[str, Columns]]:
    """Bars of a geometric walk; each opens where the one before closed."""
    dice = np.random.default_rng(settings.seed)
    kind, n = bar_kind(settings.interval), settings.rows
    mean, deviation = settings.drift / _STEPS, settings.volatility / np.sqrt(_STEPS)
    steps = dice.normal(mean, deviation, n * _STEPS)
    ticks = float(settings.price) / float(settings.tick) * np.exp(np.cumsum(steps))
    path = np.maximum(np.rint(ticks), 1).astype(np.int64).reshape(n, _STEPS)
    close = path[:, -1]
    first = round(float(settings.price) / float(settings.tick))
    open_ = np.concatenate([[first], close[:-1]])
    high, low = np.maximum(path.max(axis=1), open_), np.minimum(path.min(axis=1), open_)
    volume = np.maximum(np.rint(dice.lognormal(8.0, 1.0, n)), 1).astype(np.int64)
    tick, lot = settings.instrument.tick, settings.instrument.lot
    start = parse_time(settings.start) // kind.interval_ns * kind.interval_ns
    ts_open = start + kind.interval_ns * np.arange(n, dtype=np.int64)
    yield (
        kind.name,
        {
            "ts_open": ts_open,
            "ts_close": ts_open + kind.interval_ns,
            "open": open_ * tick,
            "high": high * tick,
            "low": low * tick,
            "close": close * tick,
            "volume": volume * lot,
        },
    )


def make_trades(settings: Synthetic) -> Iterator[tuple[str, Columns]]:
    """Trades at the times of a Hawkes process, at prices that walk by whole ticks."""
    dice = np.random.default_rng(settings.seed)
    times = hawkes_times(
        dice, settings.rows, mu=settings.rate, branching=settings.branching, decay=settings.decay
    )
    n = len(times)
    exchange = parse_time(settings.start) + (times * NS_PER_S).astype(np.int64)
    taker = dice.choice(np.array([-1, 1]), n)
    moves = taker * (dice.random(n) < 0.3)  # a third of the trades move the price their way
    first = round(float(settings.price) / float(settings.tick))
    price = np.maximum(first + np.cumsum(moves), 1)
    qty = np.maximum(np.rint(dice.lognormal(3.0, 1.2, n)), 1).astype(np.int64)
    received = exchange + parse_span(settings.feed_latency)
    yield (
        "trade",
        {
            "ts_exchange": exchange,
            "ts_recv": received,
            "ts_feed": received,
            "taker": taker.astype(np.int64),
            "price": price * settings.instrument.tick,
            "qty": qty * settings.instrument.lot,
            "trade_id": np.arange(1, n + 1, dtype=np.int64),
        },
    )


def hawkes_times(
    dice: np.random.Generator, n: int, *, mu: float, branching: float, decay: float
) -> npt.NDArray[np.float64]:
    """About `n` event times of a Hawkes process with an exponential kernel, in seconds.

    Made as a branching process: immigrants come at rate mu, and each event has a Poisson number of
    children after exponential waits. The first moments have no ancestors, so they are thinner.
    """
    horizon = n * (1 - branching) / mu
    generation = np.sort(dice.uniform(0, horizon, dice.poisson(mu * horizon)))
    everyone = [generation]
    while generation.size:
        parents = np.repeat(generation, dice.poisson(branching, generation.size))
        children = parents + dice.exponential(1 / decay, parents.size)
        generation = children[children < horizon]
        everyone.append(generation)
    return np.sort(np.concatenate(everyone))


def make_l2(settings: Synthetic) -> Iterator[tuple[str, Columns]]:
    """A book in replay form: a snapshot, then levels and prints of independent orders."""
    market = _ZeroIntelligence(settings)
    rows = np.array(market.play(), dtype=np.int64)
    exchange = parse_time(settings.start) + rows[:, 0]
    received = exchange + parse_span(settings.feed_latency)
    yield (
        "tick",
        {
            "ts_exchange": exchange,
            "ts_recv": received,
            "ts_feed": received,
            "price": rows[:, 1] * settings.instrument.tick,
            "qty": rows[:, 2] * settings.instrument.lot,
            "flags": rows[:, 3],
            "first_id": rows[:, 4],
            "final_id": rows[:, 4],
            "prev_id": rows[:, 5],
        },
    )


class _ZeroIntelligence:
    """Orders without a mind: each kind comes at its own rate, whatever happened before."""

    def __init__(self, settings: Synthetic) -> None:
        self._settings = settings
        self._dice = np.random.default_rng(settings.seed)
        distance = np.arange(1, settings.levels + 1)
        self._limit = settings.limit_rate * distance**-settings.limit_power
        first = round(float(settings.price) / float(settings.tick))
        depth = np.maximum(np.rint(self._limit / settings.cancel_rate), 1).astype(int).tolist()
        self._bids = {first - i: lots for i, lots in enumerate(depth)}
        self._asks = {first + 1 + i: lots for i, lots in enumerate(depth)}
        self._rows: list[tuple[int, int, int, int, int, int]] = []
        self._id = 1

    def play(self) -> list[tuple[int, int, int, int, int, int]]:
        """Rows of (ns since the start, price in ticks, lots, flags, id, id before)."""
        self._snapshot()
        limit, now = float(self._limit.sum()), 0.0
        cumulative = np.cumsum(self._limit) / limit
        while len(self._rows) < self._settings.rows:
            resting = sum(self._bids.values()) + sum(self._asks.values())
            cancel = self._settings.cancel_rate * resting
            total = 2 * limit + 2 * self._settings.rate + cancel
            now += self._dice.exponential(1 / total)
            draw, buys = self._dice.random() * total, self._dice.random() < 0.5
            if draw < 2 * limit:
                distance = 1 + int(np.searchsorted(cumulative, self._dice.random()))
                self._add(round(now * NS_PER_S), distance, buys=buys)
            elif draw < 2 * limit + 2 * self._settings.rate:
                self._take(round(now * NS_PER_S), buys=buys)
            else:
                self._drop(round(now * NS_PER_S), int(self._dice.integers(resting)))
        return self._rows

    def _snapshot(self) -> None:
        levels = [(p, q, TICK_BUY) for p, q in self._bids.items()]
        levels += [(p, q, 0) for p, q in self._asks.items()]
        for i, (price, lots, side) in enumerate(levels):
            flags = (
                side | (TICK_CLEAR if i == 0 else 0) | (TICK_LAST if i == len(levels) - 1 else 0)
            )
            self._rows.append((0, price, lots, flags, 1, 0))

    def _add(self, now: int, distance: int, *, buys: bool) -> None:
        if buys:
            price, side = min(self._asks) - distance, self._bids
        else:
            price, side = max(self._bids) + distance, self._asks
        if price > 0:
            self._level(now, side, price, side.get(price, 0) + 1)

    def _take(self, now: int, *, buys: bool) -> None:
        side = self._asks if buys else self._bids
        price = min(side) if buys else max(side)
        flags = TICK_TRADE | TICK_LAST | (TICK_BUY if buys else 0)
        if len(side) > 1 or side[price] > 1:  # the last lot of a side stays
            self._rows.append((now, price, 1, flags, 0, 0))
            self._level(now, side, price, side[price] - 1)

    def _drop(self, now: int, lot: int) -> None:
        for side in (self._bids, self._asks):
            for price, lots in side.items():
                if lot < lots:
                    if len(side) > 1 or lots > 1:
                        self._level(now, side, price, lots - 1)
                    return
                lot -= lots

    def _level(self, now: int, side: dict[int, int], price: int, lots: int) -> None:
        if lots:
            side[price] = lots
        else:
            del side[price]
        flags = TICK_LAST | (TICK_BUY if side is self._bids else 0)
        self._rows.append((now, price, lots, flags, self._id + 1, self._id))
        self._id += 1


def _check(settings: Synthetic) -> None:
    if settings.model not in MODELS:
        raise DataError(f"there is no model {settings.model!r}: choose {', '.join(MODELS)}")
    kind_named(bar_kind(settings.interval).name)
    if settings.rows < 1:
        raise DataError(f"{settings.rows} rows cannot be made: give --rows 1 or more")
    if not 0 <= settings.branching < 1:
        raise DataError(
            f"a branching ratio of {settings.branching} never ends: give one from 0 to below 1"
        )
    for name in ("rate", "decay", "limit_rate", "cancel_rate"):
        if getattr(settings, name) <= 0:
            raise DataError(f"{name} must be above zero, not {getattr(settings, name)}")
