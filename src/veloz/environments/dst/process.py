"""The engine's process in a world: it boots from its disk, trades three markets, and can die.

```text
 boot ─► journal opened ─► recover ─► sessions of three markets ─► reconciled ─► strategies start
 die  ─► the doors are dead, the tasks are gone; what is left is the disk
```

The frame callback comes to a `Port`, which calls the engine and then `settle`: journal first, then
the requests whose batch is released. A newcomer expects a failed journal to be repaired here.
Nothing is: the process ends, and who started it starts it again.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veloz._core import BinanceSigner, LiveEngine, binance_verdict
from veloz.net.backoff import Backoff
from veloz.net.limits import Leases
from veloz.storage.journal_resume import open_journal, segment_path
from veloz.storage.journal_tail import door_tail
from veloz.storage.journal_writer import JournalSealed, JournalWriter, Room
from veloz.venues.binance.budget import BinanceBudget
from veloz.venues.binance.codec import BinanceCodec
from veloz.venues.binance.feed import BinanceFeed
from veloz.venues.binance.gateway import BinanceGateway
from veloz.venues.binance.line import LineTimes
from veloz.venues.binance.live_side import LiveSide
from veloz.venues.binance.reconcile import Reconciler
from veloz.venues.binance.resolve import Resolver
from veloz.venues.binance.rest import BinanceRest
from veloz.venues.binance.user_stream import BinanceUserStream
from veloz.venues.binance.venue_clock import VenueClock
from veloz.venues.binance.ws_api import SessionTimes
from veloz.venues.venue import AccountTerms

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from veloz._core import LiveRequest
    from veloz.net.doors import Doors
    from veloz.net.simulated import Host
    from veloz.net.simulated.disk import Keep
    from veloz.storage.journal_resume import Opened
    from veloz.storage.journal_writer import Trouble
    from veloz.strategy import Strategy
    from veloz.venues.binance.hosts import Hosts, Market

__all__ = ["ACCOUNT", "FOLDER", "MARKETS", "EngineProcess", "Run", "Seat"]

ACCOUNT = "binance/simulated"
FOLDER = Path("/run")
MARKETS: tuple[Market, ...] = ("spot", "usdm", "coinm")
LIMITS = Path("/limits")
LEVERAGE = 20

_ADOPTED = "adopted"
_BEAT_S = 0.02
_SNAPSHOT_S = 10.0
_ROOM = Room(1 << 18, 1 << 15)
# Connections are replaced and accounts compared within a short run, not within a day.
_SESSION = SessionTimes(age_s=40.0, retire_s=5.0)
_LINE = LineTimes(age_s=45.0)
_RECONCILE_S = 20.0

# The calls of the sessions that are inputs of the engine: each is followed by `settle`.
_INPUTS = (
    "frame",
    "rest_body",
    "history_body",
    "stale",
    "fresh",
    "user_frame",
    "answered",
    "refused",
    "not_sent",
    "unknown",
    "lapsed",
    "found",
    "absent",
    "fills",
    "synced",
    "unsynced",
)


@dataclass(frozen=True)
class Seat:
    """What is traded on one market.

    Attributes:
        market: Which.
        symbol: Ours.
        venue_symbol: The venue's.
        row: The instrument as the engine takes it.
        max_units: The most of one order, in quantity units.
    """

    market: Market
    symbol: str
    venue_symbol: str
    row: dict[str, Any]
    max_units: int


@dataclass
class Run:
    """What outlives a process: who trades what, with which key, and what was seen of it.

    Attributes:
        hosts: By market.
        api_key: Of the account.
        secret: Of the account.
        seats: In the order of the accounts.
        strategies: Makes the strategies of a new process, in the order of the seats.
        released: Order handle by client order id, of every request that was let go.
        hashes: State hash behind a batch, noted while processes lived.
        adopted_ms: Venue time at which an account was taken over; earlier trades are in it.
        noticed: What processes counted, by `part.word`, all lives together.
        on_snapshot: Called just before a snapshot is written.
        is_quiet: True from when no strategy gives orders any more.
    """

    hosts: dict[Market, Hosts]
    api_key: str
    secret: str
    seats: list[Seat]
    strategies: Callable[[], Sequence[Strategy]]
    released: dict[str, int] = field(default_factory=dict[str, int])
    hashes: dict[int, str] = field(default_factory=dict[int, str])
    adopted_ms: dict[str, int] = field(default_factory=dict[str, int])
    noticed: Counter[str] = field(default_factory=Counter[str])
    on_snapshot: Callable[[], None] = lambda: None
    is_quiet: bool = False

    @property
    def assets(self) -> list[str]:
        """Every asset that an account can hold."""
        names = [seat.row[key] for seat in self.seats for key in ("base", "quote", "settle")]
        return list(dict.fromkeys([*names, "BNB"]))


class Port(LiveSide):
    """One market's sessions on the engine: every input is followed by `settle`."""

    def __init__(self, process: EngineProcess, account: int, symbols: dict[str, str]) -> None:
        super().__init__(process.engine, symbols, lambda: process.leaving(account))
        self._settle = process.settle
        self._process = process
        for name in _INPUTS:
            setattr(self, name, self._then(getattr(self, name)))

    def _then(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def taken(*args: Any) -> Any:
            result = call(*args)
            self._settle()
            return result

        return taken

    def _tell(self, kind: str, now_ns: int, account: int, **fields: object) -> None:
        super()._tell(kind, now_ns, account, **fields)
        self._settle()


@dataclass(frozen=True)
class _Restored:
    """An order of an earlier process of which nobody knows what became."""

    client_order_id: str
    symbol: str
    is_conditional: bool
    number: int = 0
    kind: str = "place"
    encoded: Any = None
    replaces: str = ""


class MarketSide:
    """The sessions of one market."""

    def __init__(self, process: EngineProcess, account: int, seat: Seat) -> None:
        run, doors = process.run, process.doors
        where = run.hosts[seat.market]
        self.seat = seat
        self.account = account
        self.doors = doors
        self.clock = VenueClock(doors)
        # Over a restart too: a new process keeps the silence that the old one was asked for.
        family = "spot" if seat.market == "spot" else "futures"
        shared = Leases(doors.files, LIMITS / family, doors.clock, is_engine=True)
        self.budget = BinanceBudget(seat.market, doors.clock, shared)
        codec = BinanceCodec(seat.market, BinanceSigner(run.api_key, run.secret), binance_verdict)
        self.rest = BinanceRest(where, doors, self.budget, self.clock, codec=codec)
        self.port = Port(process, account, {seat.venue_symbol: seat.symbol})
        port, rest, clock = self.port, self.rest, self.clock
        self.feed = BinanceFeed(
            where, doors, port, account, rest=rest, time=clock, pace=self._pace, times=_LINE
        )
        self.resolver = Resolver(doors, rest, clock, port, account)
        self.gateway = BinanceGateway(
            where,
            doors,
            port,
            account,
            codec=codec,
            rest=rest,
            budget=self.budget,
            time=clock,
            resolver=self.resolver,
            pace=self._pace(),
            on_done=lambda: self.stream.expect_event(),
            session_times=_SESSION,
        )
        symbol = seat.venue_symbol
        self.reconciler = Reconciler(
            doors,
            rest,
            clock,
            port,
            account,
            terms=AccountTerms({symbol: LEVERAGE}, {symbol: "cross"}),
            symbols=lambda: [symbol],
            after=self.gateway.pump,
            every_s=_RECONCILE_S,
        )
        self.stream = BinanceUserStream(
            where,
            doors,
            port,
            account,
            codec=codec,
            rest=rest,
            time=clock,
            watcher=self.reconciler,
            pace=self._pace(),
            after=self.gateway.pump,
            times=_SESSION,
        )
        self.feed.subscribe(_streams(seat))

    @property
    def is_ready(self) -> bool:
        """True once the account was reconciled and orders can leave."""
        return self.reconciler.rounds > 0 and self.gateway.is_open

    def tasks(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """What runs while the process lives, by name."""
        return [
            ("feed", self.feed.run()),
            ("gateway", self.gateway.run()),
            ("user stream", self.stream.run()),
            ("resolver", self.resolver.run()),
            ("reconciler", self.reconciler.run()),
            ("clock", self.clock.run(self.rest)),
        ]

    def counts(self) -> list[tuple[str, dict[str, int]]]:
        """What happened here so far, by part."""
        found = {"fills": self.reconciler.fills_found, "rounds": self.reconciler.rounds}
        for difference in self.reconciler.differences:
            found[difference.kind] = found.get(difference.kind, 0) + 1
        books = {"refetched": max(0, self.feed.books.fetched_total - 1)}
        return [
            ("feed", self.feed.counts),
            ("books", books),
            ("budget", {"silences": self.budget.limits.refusals}),
            ("gateway", self.gateway.counts),
            ("session", self.gateway.session_counts),
            ("session", self.stream.session_counts),
            ("user", self.stream.counts),
            ("resolver", self.resolver.counts),
            ("reconciler", found),
        ]

    def restore_doubts(self, engine: LiveEngine) -> None:
        """Asks about every order whose request an earlier process left without an answer."""
        now_ms = self.clock.now_ms()
        for row in engine.view("orders", self.account):
            if row["status"] in {"unknown", "new"} and not row["origin"]:
                conditional = row["type"] in {"stop", "stop_limit"}
                restored = _Restored(row["client_order_id"], self.seat.venue_symbol, conditional)
                self.resolver.doubt(restored, now_ms, 3_000)
            if row["awaited_id"]:
                for name in (row["client_order_id"], row["awaited_id"]):
                    restored = _Restored(name, self.seat.venue_symbol, is_conditional=False)
                    self.resolver.doubt(restored, now_ms, 3_000)

    def _pace(self) -> Backoff:
        return Backoff(self.doors.clock, self.doors.random, first_s=0.2, most_s=5.0)


def _streams(seat: Seat) -> list[str]:
    name = seat.venue_symbol.lower()
    prints = "trade" if seat.market == "spot" else "aggTrade"
    return [f"{name}@depth@100ms", f"{name}@{prints}", f"{name}@bookTicker"]


class EngineProcess:
    """One life of the engine. Make it, `boot` it, and make another when it is dead.

    Args:
        host: Its machine.
        run: What outlives it.

    Attributes:
        ended: Why it ended; empty while it lives.
        recovered: Batches and hash that recovery came to; None before.
        noticed: What it noticed of its own disk and life, by word.
        is_trading: True once the strategies were started.
    """

    def __init__(self, host: Host, run: Run) -> None:
        self.run = run
        self.ended = ""
        self.recovered: tuple[int, str] | None = None
        self.noticed: Counter[str] = Counter()
        self.is_trading = False
        self.over = asyncio.Event()
        self.sides: list[MarketSide] = []
        self.doors: Doors = host.boot()
        self._host = host
        self._outboxes: list[deque[LiveRequest]] = [deque() for _ in run.seats]
        self._tasks: list[asyncio.Task[None]] = []
        self._is_settling = False
        self._is_due = False

    def start(self) -> None:
        """Begins its life; `ended` says why it is over, `over` is set then."""
        self._start([("boot", self._boot())], "engine")

    async def _boot(self) -> None:
        """Recovers, connects, reconciles; the strategies start once all accounts are known."""
        files = self.doors.files
        files.make_folder(FOLDER)
        files.make_folder(LIMITS)
        is_new = _ADOPTED not in files.list(FOLDER)
        if is_new:  # what a death in the middle of taking over has left is no beginning
            for name in files.list(FOLDER):
                files.remove(FOLDER / name)
        opened = open_journal(files, FOLDER, account=ACCOUNT)
        self.engine = self._engine(opened)
        if opened.readers:
            self._recover(opened)
        self.writer = JournalWriter(
            files,
            self.doors.threads,
            opened,
            make_tail=door_tail(files, self.doors.threads),
            policy="group",
            room=_ROOM,
            on_trouble=self._trouble,
        )
        self.noticed["cut_tails"] += bool(opened.cut_bytes)
        for account, seat in enumerate(self.run.seats):
            side = MarketSide(self, account, seat)
            self.sides.append(side)
            while not await side.clock.ask(side.rest):  # noqa: ASYNC110 - the answer counts
                await asyncio.sleep(0.5)
            if is_new:
                await side.reconciler.adopt()
                self.run.adopted_ms[seat.market] = side.reconciler.not_before_ms
        if is_new:
            durable = asyncio.Event()
            self.writer.when_released(self.engine.journal_sequence, durable.set)
            await durable.wait()
            told = json.dumps(self.run.adopted_ms).encode()
            files.write_atomic(FOLDER / _ADOPTED, told)
        adopted = json.loads(files.read(FOLDER / _ADOPTED))
        for side in self.sides:
            side.reconciler.not_before_ms = adopted[side.seat.market]
            self._start(side.tasks(), side.seat.market)
        self._start([("beat", self._beat()), ("tend", self._tend())], "engine")

    def die(self, why: str, *, power: bool = False, keep: Keep = "chance") -> None:
        """The process is killed, or its machine loses power.

        Args:
            why: For the record.
            power: Whether the machine is gone too, with pages that were not synced.
            keep: Which of those are left; see `Disk.crash`.
        """
        if self.ended:
            return
        self.ended = why
        self.harvest()
        if power:
            self._host.lose_power(keep=keep)
        else:
            self._host.kill()
        for task in self._tasks:
            task.cancel()
        self.over.set()

    def pulled(self) -> None:
        """The power fails inside a call of the disk: from here on nothing may be done any more."""
        self.ended = self.ended or "the power failed inside a call of the disk"

    def buried(self, *, power: bool, keep: Keep) -> None:
        """What `die` does, after `pulled`."""
        self.ended = ""
        self.die("the power failed inside a call of the disk", power=power, keep=keep)

    async def gone(self) -> None:
        """Waits until nothing of the process runs any more."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def harvest(self) -> None:
        """Keeps what this life counted."""
        total = self.run.noticed
        parts: list[tuple[str, dict[str, int]]] = [("engine", self.noticed)]
        for side in self.sides:
            parts += side.counts()
        for part, counts in parts:
            for word, count in counts.items():
                total[f"{part}.{word}"] += count

    # What follows an input.

    def settle(self) -> None:
        """Journal, then requests; within itself it is done once more."""
        if self._is_settling:
            self._is_due = True
            return
        if self.ended:
            return
        self._is_settling = True
        try:
            self._drain()
        except (JournalSealed, OSError) as failure:
            self._fail(str(failure))
        finally:
            self._is_settling = False

    def leaving(self, account: int) -> list[LiveRequest]:
        """Takes the requests of an account that may leave now."""
        outbox, released = self._outboxes[account], self.writer.released_sequence
        ready: list[LiveRequest] = []
        while outbox and outbox[0].sequence <= released:
            ready.append(outbox.popleft())
        if self.ended:
            return []
        return ready

    def _drain(self) -> None:
        engine, writer = self.engine, self.writer
        while True:
            self._is_due = False
            if frames := engine.journal_pending():
                self.run.hashes[engine.journal_sequence] = engine.state_hash()
                writer.append(frames, engine.journal_sequence)
            for request in engine.take_requests():
                self._let_go(request)
            for side in self.sides:
                if self._outboxes[side.account]:
                    side.gateway.pump()
            if not self._is_due:
                return

    def _let_go(self, request: LiveRequest) -> None:
        refusal = request.refusal
        if not refusal and request.kind == "place" and not self.writer.takes_orders:
            refusal = "the journal has no room for new orders"
            self.noticed["no_room"] += 1
        if refusal:
            self.engine.not_sent(request.number, refusal, self.doors.clock.wall_ns())
            self._is_due = True
            return
        if request.client_order_id:
            self.run.released[request.client_order_id] = request.order
        self._outboxes[request.account].append(request)
        account = request.account
        self.writer.when_released(request.sequence, lambda: self._pump(account))

    def _pump(self, account: int) -> None:
        if len(self.sides) > account and not self._is_settling:
            self.sides[account].gateway.pump()

    # The process.

    def _engine(self, opened: Opened) -> LiveEngine:
        run = self.run
        settings = {
            "accounts": [seat.market for seat in run.seats],
            "instance": 1,
            "epoch": opened.epoch,
            "account": ACCOUNT,
            "leverage": [LEVERAGE for _ in run.seats],
            "limits": {"max_order_qty": [seat.max_units for seat in run.seats]},
        }
        engine = LiveEngine(
            [(name, 8) for name in run.assets], [dict(seat.row) for seat in run.seats], settings
        )
        for account, strategy in enumerate(run.strategies()):
            seat = run.seats[account]
            row = engine.add_strategy(strategy, "hold", account)
            engine.add_feed(seat.market, [seat.symbol])
            engine.listen(row, seat.symbol, "books", 0)
        return engine

    def _recover(self, opened: Opened) -> None:
        files, count = self.doors.files, len(opened.readers)
        numbers = range(opened.segment - count + 1, opened.segment + 1)
        segments = [files.read(segment_path(FOLDER, "trading", number)) for number in numbers]
        state = None if opened.snapshot is None else opened.snapshot.state
        told = self.engine.recover(segments, state)
        self.recovered = (told["sequence"], self.engine.state_hash())

    def _start(self, coroutines: list[tuple[str, Coroutine[Any, Any, None]]], part: str) -> None:
        for name, coroutine in coroutines:
            task = asyncio.create_task(coroutine, name=f"{part} {name}")
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    async def _beat(self) -> None:
        """The engine's timers; the start of the strategies once all accounts are known."""
        clock = self.doors.clock
        while True:
            await asyncio.sleep(_BEAT_S)
            if self.is_trading:
                due_ns = self.engine.next_ns
                if due_ns is not None and due_ns <= clock.wall_ns():
                    self.engine.advance(clock.wall_ns())
            elif all(side.is_ready for side in self.sides):
                self.engine.start(clock.wall_ns())
                self.is_trading = True
                for side in self.sides:
                    side.restore_doubts(self.engine)
            self.settle()

    async def _tend(self) -> None:
        """Room ahead, the next segment, snapshots."""
        waited_s = 0.0
        while True:
            await asyncio.sleep(1.0)
            await self.writer.tend()
            if self.writer.wants_roll:
                self.writer.roll(self.engine.roll_journal(), self.engine.journal_sequence)
            waited_s += 1.0
            if waited_s >= _SNAPSHOT_S:
                waited_s = 0.0
                self.settle()
                chain = bytes.fromhex(self.engine.journal_hash())
                state = self.engine.snapshot()
                self.run.on_snapshot()
                await self.writer.snapshot(self.engine.journal_sequence, chain, state)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self.ended or task.cancelled():
            return
        error = task.exception()
        if error is not None or not task.get_name().endswith("boot"):
            self._fail(f"{task.get_name()}: {error!r}")

    def _trouble(self, trouble: Trouble) -> None:
        self.noticed[trouble.kind] += 1
        if trouble.kind == "sealed":
            self._fail(trouble.detail)

    def _fail(self, why: str) -> None:
        """Crash-only: whatever fails, the process ends and is started again."""
        self.noticed["failed"] += 1
        self.die(why)
