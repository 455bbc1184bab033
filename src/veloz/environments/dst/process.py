"""The engine's process in a world: what `veloz run --env live` runs, on a machine that can die.

```text
 start ─► admit the key ─► TradingRun: journal, recovery, account, strategies    as users run it
 die   ─► the doors are dead, the tasks are gone; what is left is the disk
```

Nothing of the run is built here. `WatchedRun` adds taps: what crossed a place is noted there for
the oracles, and passes on unchanged.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from veloz.environments.dst.traders import DICERS, Dicer, Saboteur
from veloz.environments.live import signer_for, trade
from veloz.environments.trading.lifetime import Home, Stop
from veloz.environments.trading.run import TradingRun
from veloz.environments.trading.settings import Rhythm, TradingSettings
from veloz.environments.trading.settings import Seat as Seated
from veloz.errors import ConfigError, DataError
from veloz.secrets import Credential
from veloz.storage.journal_tail import DoorTail
from veloz.storage.journal_writer import Room

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from veloz._core import LiveEngine, LiveRequest
    from veloz.environments.trading.connection import MarketConnection
    from veloz.net.doors import Doors, Files, Threads
    from veloz.net.simulated import Host
    from veloz.net.simulated.disk import Keep
    from veloz.storage.journal_resume import Opened
    from veloz.storage.journal_tail import MakeTail, Policy, Tail
    from veloz.venues.binance.hosts import Hosts, Market

__all__ = ["BAND_BPS", "FOLDER", "MARKETS", "EngineProcess", "Run", "Seat", "WatchedRun"]

FOLDER = Path("/runs/one")
MARKETS: tuple[Market, ...] = ("spot", "usdm", "coinm")

_HASH_EVERY = 4  # a hash of the state costs as much as ten inputs

BAND_BPS = 1_000
"""No order is priced farther from the market."""

_HOME = Path("/home/veloz")
_ACCOUNT = "binance/simulated"
_ROOM = Room(1 << 18, 1 << 15)
# Connections are replaced and accounts compared within a short run, not within a day.
_RHYTHM = Rhythm(reconcile_s=20.0, save_s=5.0, snapshot_s=10.0, connection_age_s=40.0)


@dataclass(frozen=True)
class Seat:
    """What is traded on one market.

    Attributes:
        market: Which.
        symbol: Ours.
        venue_symbol: The venue's.
        most: The most of one order.
    """

    market: Market
    symbol: str
    venue_symbol: str
    most: Decimal


@dataclass
class Run:
    """What outlives a process: who trades what, with which key, and what was seen of it.

    Attributes:
        hosts: By market.
        api_key: Of the account.
        secret: Of the account.
        seats: In the order of the accounts.
        seed: Of the strategies' dice; each life has others.
        released: Order handle by client order id, of every request that was let go.
        hashes: State hash behind a batch, noted while processes lived.
        noticed: What processes counted, by `part.word`, all lives together.
        told: What processes told of themselves, as text.
        reports: Private frames that engines took, by account, all lives together.
        strategies: Those of all lives.
        on_snapshot: Called just before a snapshot is written.
        is_quiet: True from when no strategy gives orders any more.
    """

    hosts: dict[Market, Hosts]
    api_key: str
    secret: str
    seats: list[Seat]
    seed: int
    released: dict[str, int] = field(default_factory=dict[str, int])
    hashes: dict[int, str] = field(default_factory=dict[int, str])
    noticed: Counter[str] = field(default_factory=Counter[str])
    told: list[str] = field(default_factory=list[str])
    reports: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    strategies: list[Dicer] = field(default_factory=list[Dicer])
    on_snapshot: Callable[[], None] = lambda: None
    is_quiet: bool = False

    def settings(self, life: int) -> TradingSettings:
        """What a user would have said."""
        seats = [Seated(DICERS[row.market], {"symbol": row.symbol}) for row in self.seats]
        beside = next(row for row in self.seats if row.market == Saboteur.market)
        seats.append(Seated(Saboteur, {"symbol": beside.symbol}))
        return TradingSettings(
            environment="live",
            seats=tuple(seats),
            folder=FOLDER,
            hosts=self.hosts,
            account=_ACCOUNT,
            seed=self.seed * 1000 + life,
            limits={
                "max_order_qty": {row.symbol: row.most for row in self.seats},
                "price_band_bps": BAND_BPS,
            },
            rhythm=_RHYTHM,
        )


class _NotedTail(DoorTail):
    """The end of the journal; each batch is noted once it is written."""

    note: Callable[[int], None]

    def append(self, frames: bytes, sequence: int) -> None:
        """As `DoorTail.append`."""
        super().append(frames, sequence)
        self.note(sequence)


def _noted_tail(files: Files, threads: Threads, note: Callable[[int], None]) -> MakeTail:
    def make(
        policy: Policy,
        path: Path,
        number: int,
        mark: Path,
        sequence: int,
        heard: Callable[[OSError | None], None],
    ) -> Tail:
        tail = _NotedTail(files, threads, policy, heard)
        tail.note = note
        tail.start(path, number, mark, sequence)
        return tail

    return make


class Recovered(NamedTuple):
    """What a recovery came to.

    Attributes:
        sequence: Its last batch.
        state: The hash of the state.
        lived: The hash that a process had behind that batch when it lived; empty if none was noted.
    """

    sequence: int
    state: str
    lived: str


class WatchedRun(TradingRun):
    """The run that users start, with taps where oracles look on.

    Attributes:
        watch: Keeps what is seen.
        is_wired: True once there is an engine with a journal.
        recovered_to: What recovery came to; None before.
    """

    watch: Run
    is_wired = False
    recovered_to: Recovered | None = None

    def _recover(self, opened: Opened) -> dict[str, Any]:
        found = super()._recover(opened)
        if found:
            hashes, last = self.watch.hashes, int(found["sequence"])
            self.recovered_to = Recovered(last, self.engine.state_hash(), hashes.get(last, ""))
            # What came behind it is lost: those numbers are given to other batches now.
            for sequence in [sequence for sequence in hashes if sequence > last]:
                del hashes[sequence]
        return found

    def _wire(self) -> None:
        super()._wire()
        self.is_wired = True
        self.shell.released = self._noting(self.shell.released)
        for port in self.ports.values():
            port.user_frame = self._keeping(port.user_frame)
        self.writer.snapshot = self._announcing(self.writer.snapshot)
        for seated in self.made:
            strategy = seated.strategy
            if isinstance(strategy, Dicer):
                strategy.is_quiet = lambda: self.watch.is_quiet
                strategy.true_ns = self.doors.clock.monotonic_ns
                self.watch.strategies.append(strategy)

    def _noting(self, take: Callable[..., list[LiveRequest]]) -> Callable[..., list[LiveRequest]]:
        def taken(account: int) -> list[LiveRequest]:
            found = take(account)
            for request in found:
                if request.client_order_id:
                    self.watch.released[request.client_order_id] = request.order
            return found

        return taken

    def _keeping(self, take: Callable[..., int]) -> Callable[..., int]:
        def kept(account: int, payload: bytes | memoryview, ts_recv_ns: int) -> int:
            self.watch.reports.append((account, bytes(payload)))
            return take(account, payload, ts_recv_ns)

        return kept

    def _announcing(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def announced(sequence: int, chain: bytes, state: bytes) -> Any:
            self.watch.on_snapshot()
            return write(sequence, chain, state)

        return announced


class EngineProcess:
    """One life of the engine. Make it, `start` it, and make another when it is dead.

    Args:
        host: Its machine.
        run: What outlives it.

    Attributes:
        ended: Why it ended; empty while it lives.
        over: Set when it has ended.
        trading: The run in it; None before the key was admitted.
        said: What it told of itself, as text.
        is_refused: True if its start said that a person must do something.
    """

    def __init__(self, host: Host, run: Run) -> None:
        self.run = run
        self.ended = ""
        self.over = asyncio.Event()
        self.trading: WatchedRun | None = None
        self.said: list[str] = []
        self.is_refused = False
        self.doors: Doors = host.boot()
        self._host = host
        self._task: asyncio.Task[None] | None = None

    @property
    def engine(self) -> LiveEngine:
        """The engine; the run has made it."""
        assert self.trading is not None  # noqa: S101 - asked for while `is_trading`
        return self.trading.engine

    @property
    def is_trading(self) -> bool:
        """True once the strategies were started."""
        return self.trading is not None and self.trading.is_started and not self.ended

    @property
    def recovered(self) -> Recovered | None:
        """What recovery came to; None before, and after a start without a journal."""
        return None if self.trading is None else self.trading.recovered_to

    @property
    def connections(self) -> list[MarketConnection]:
        """The sessions, in the order of the accounts."""
        return [] if self.trading is None else list(self.trading.connections.values())

    @property
    def made(self) -> list[Dicer]:
        """The strategies of this life."""
        made = [] if self.trading is None else self.trading.made
        return [row.strategy for row in made if isinstance(row.strategy, Dicer)]

    def start(self) -> None:
        """Begins its life; `ended` says why it is over, `over` is set then."""
        self._task = asyncio.create_task(self._live(), name="engine")
        self._task.add_done_callback(self._ended)

    async def _live(self) -> None:
        run, doors = self.run, self.doors
        settings = run.settings(self._host.boots)
        credential = Credential(
            "simulated", "binance", "simulated", run.api_key, run.secret, private_key=""
        )
        tail = _noted_tail(doors.files, doors.threads, self._note)
        home = Home(_HOME, tail, _ROOM)
        signer = signer_for(settings, credential)
        self.trading = WatchedRun(settings, doors, home, signer=signer, tell=self._tell)
        self.trading.watch = run
        await trade(self.trading, doors, signer, Stop())

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
        self._say(why)
        self.harvest()
        if self.trading is not None and self.trading.is_wired:
            self.run.hashes[int(self.engine.journal_sequence)] = self.engine.state_hash()
        if power:
            self._host.lose_power(keep=keep)
        else:
            self._host.kill()
        if self.trading is not None and self.trading.is_wired:
            self.trading.shell.close()  # the dead set no timers
        if self._task is not None:
            self._task.cancel()
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
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def harvest(self) -> None:
        """Keeps what this life counted."""
        for connection in self.connections:
            for part, counts in _counts(connection):
                for word, count in counts.items():
                    self.run.noticed[f"{part}.{word}"] += count

    def settle(self) -> None:
        """What follows an input, once more."""
        if self.trading is not None:
            self.trading.shell.settle()

    def _note(self, sequence: int) -> None:
        """Takes the hash behind some batches; that behind the last one is taken by `die`."""
        if sequence % _HASH_EVERY == 0:
            self.run.hashes[sequence] = self.engine.state_hash()

    def _tell(self, name: str, fields: dict[str, Any]) -> None:
        self._say(f"{name} {fields}")
        self.run.noticed[f"engine.{fields['kind'] if name == 'journal' else name}"] += 1

    def _say(self, text: str) -> None:
        """Keeps what this life said, with the time that no step of a clock touches."""
        at_s = self.doors.clock.monotonic_ns() / 1e9
        self.said.append(f"{at_s:.3f} s, life {self._host.boots}: {text}")
        self.run.told.append(self.said[-1])

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if self.ended:
            return
        self.run.noticed["engine.os_error"] += isinstance(error, OSError)
        has_run = self.trading is not None and self.trading.is_wired and self.trading.shell.fatal
        self.is_refused = isinstance(error, DataError | ConfigError) and not has_run
        # Crash-only: whatever ended the run, the process ends and is started again.
        self.die(f"the run ended: {error!r}")


def _counts(connection: MarketConnection) -> list[tuple[str, dict[str, int]]]:
    """What happened on one market so far, by part."""
    found: list[tuple[str, dict[str, int]]] = [
        ("budget", {"silences": connection.budget.limits.refusals})
    ]
    if connection.feed is not None:
        refetched = max(0, connection.feed.books.fetched_total - 1)
        found += [("feed", connection.feed.counts), ("books", {"refetched": refetched})]
    gateway, stream = connection.gateway, connection.stream
    if gateway is not None and stream is not None:
        found += [("gateway", gateway.counts), ("session", gateway.session_counts)]
        found += [("user", stream.counts), ("session", stream.session_counts)]
    if connection.resolver is not None:
        found.append(("resolver", connection.resolver.counts))
    reconciler = connection.reconciler
    if reconciler is not None:
        rounds = {"fills": reconciler.fills_found, "rounds": reconciler.rounds}
        for difference in reconciler.differences:
            rounds[difference.kind] = rounds.get(difference.kind, 0) + 1
        found.append(("reconciler", rounds))
    return found
