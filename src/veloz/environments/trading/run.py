"""One paper or live run, from an empty folder or a journal to its end.

```text
 journal ─► engine ─► recover ─► account known ─► strategies start ─► bars joined ─► trading
                                                                          │ signal, time, failure
                                  closed, reconciled ◄─ stop policy ◄─────┘
```

There is one way to start, whether the last run ended well or was killed: what the journal says is
recovered, what was under way is doubted, and the venue is asked before a strategy is called.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import TYPE_CHECKING, Any

from veloz import __version__
from veloz.environments.trading.account import (
    adopt,
    adopt_differences,
    check_modes,
    survey,
)
from veloz.environments.trading.connection import Budgets, MarketConnection
from veloz.environments.trading.engine import (
    Seated,
    add_feeds,
    make_engine,
    make_strategies,
    seat_strategies,
)
from veloz.environments.trading.folder import (
    RUN,
    put_aside_unbegun,
    raise_epoch,
    read_json,
    starts_of,
    write_json,
)
from veloz.environments.trading.lifetime import Home, Identity, Stop
from veloz.environments.trading.listening import Listening
from veloz.environments.trading.port import EnginePort
from veloz.environments.trading.preparing import (
    host_of,
    markets_of,
    new_tables,
    plain_difference,
    plan_of,
)
from veloz.environments.trading.recovered import RecoveredRequest, settle_recovered
from veloz.environments.trading.rules import Rules
from veloz.environments.trading.shell import EngineShell
from veloz.environments.trading.tables import TABLES, Listing, Tables
from veloz.environments.trading.tape import MarketTape
from veloz.environments.trading.upkeep import Upkeep
from veloz.errors import ConfigError, DataError, FeedError, VelozError
from veloz.storage.journal_resume import lock_account, open_journal
from veloz.storage.journal_writer import JournalSealed, JournalWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from veloz._core import BinanceSigner
    from veloz.environments.trading.account import Survey
    from veloz.environments.trading.folder import Start
    from veloz.environments.trading.settings import TradingSettings
    from veloz.net.doors import Doors
    from veloz.storage.journal_resume import Opened
    from veloz.storage.journal_writer import Trouble
    from veloz.venues.binance.hosts import Hosts, Market
    from veloz.venues.venue import Difference

__all__ = ["TradingRun"]

_POLL_S = 0.1


class TradingRun:
    """One run; `run` does it once.

    Args:
        settings: What decides it.
        doors: The world.
        home: Where locks are.
        signer: The key of a live run.
        identity: Whose it is.
        confirm: Live: shown the plan, says whether to go on.
        tell: Told of events.
        is_alone: True if the process does nothing else: its collector is frozen.
    """

    def __init__(
        self,
        settings: TradingSettings,
        doors: Doors,
        home: Home,
        *,
        signer: BinanceSigner | None = None,
        identity: Identity | None = None,
        confirm: Callable[[dict[str, Any]], bool] = lambda _plan: True,
        tell: Callable[[str, dict[str, Any]], None] = lambda _name, _fields: None,
        is_alone: bool = False,
    ) -> None:
        self.settings = settings
        self.made: list[Seated] = []
        self.connections: dict[Market, MarketConnection] = {}
        self.ports: dict[Market, EnginePort] = {}
        self.is_started = False
        self.budgets = Budgets(doors, home.folder, is_engine=not settings.is_paper)
        self._doors = doors
        self._home = home
        self._signer = signer
        self._identity = identity
        self._confirm = confirm
        self._tell = tell
        self._is_alone = is_alone
        self._tasks: dict[asyncio.Task[Any], str] = {}
        self._rows: list[int] = []
        self._starts: list[Start] = []
        self._began_ns = doors.clock.monotonic_ns()
        self._host: dict[str, Any] = {}
        self._stop = Stop()
        self._failure: VelozError | None = None

    # -- the whole ---------------------------------------------------------------------------

    async def run(self, stop: Stop) -> dict[str, Any]:
        """Trades until it is asked to stop or cannot go on.

        Returns:
            What `run.json` says of the end.

        Raises:
            VelozError: It could not start, or a failure ended it; the journal is closed.
        """
        self._stop = stop
        self.made = make_strategies(self.settings.seats)
        files = self._doors.files
        files.make_folder(self._home.folder)
        with contextlib.ExitStack() as held:
            held.callback(self.budgets.close)
            if self._identity is not None:
                self._take_account(held, self._identity.name)
            opened = self._open()
            journal_lock = contextlib.ExitStack()
            held.enter_context(journal_lock)
            journal_lock.callback(files.close, opened.lock)
            self.tables, surveys = await self._prepare(opened, held)
            journal_lock.pop_all()  # the writer gives it back from here on
            self._make(opened)
            try:
                try:
                    await self._until_stopped(opened, surveys, stop)
                    return await self._end(stop)
                except RuntimeError as failure:
                    if not self.engine.poison:
                        raise
                    self.shell.die(str(failure))
                    return await self._end(stop)
            except BaseException:
                await self._abandon()
                raise

    # -- before the engine -------------------------------------------------------------------

    def _take_account(self, held: contextlib.ExitStack, name: str) -> None:
        """Locks an account to the end of the run, by what it is and not by its file's name."""
        files = self._doors.files
        lock = lock_account(files, self._home.folder, name, self.settings.account)
        held.callback(files.close, lock)

    def _open(self) -> Opened:
        settings = self.settings
        opened = open_journal(
            self._doors.files, settings.folder, account=settings.account, build=__version__
        )
        if settings.is_paper and opened.sequence:
            self._doors.files.close(opened.lock)
            raise ConfigError(
                f"{settings.folder} holds a run already, and a paper run starts anew",
                hint="name another folder: what was resting at the simulated venue is gone",
            )
        if opened.sequence and put_aside_unbegun(self._doors.files, settings.folder):
            self._doors.files.close(opened.lock)
            return self._open()
        return opened

    async def _prepare(
        self, opened: Opened, held: contextlib.ExitStack
    ) -> tuple[Tables, dict[Market, Survey]]:
        """Asks the venue what it lists and what the account holds; a person confirms."""
        settings, path = self.settings, self.settings.folder / TABLES
        known: Tables | None = None
        if opened.sequence:
            known = Tables.of(self._doors.files.read(path), str(path))
            with contextlib.suppress(DataError):  # only the plan's words depend on it
                self._starts = starts_of(read_json(self._doors.files, settings.folder / RUN))
        listings = await self._connect(markets_of(self.made, known))
        surveys: dict[Market, Survey] = {}
        if not settings.is_paper:
            surveys = {
                name: await survey(one, self._starts) for name, one in self.connections.items()
            }
        for market, connection in self.connections.items():
            if self._identity is not None and connection.account_number:
                # Another key of the same account is the same account.
                name = self._identity.account(market, connection.account_number)
                self._take_account(held, name)
        if known is None:
            tables = new_tables(settings, self.made, listings, surveys)
        else:
            wanted = {symbol for seated in self.made for symbol in seated.wanted}
            now_ns = self._doors.clock.wall_ns()
            tables, changes = known.renewed(listings, wanted, settings.fees(), now_ns)
            for change in changes:
                self._tell("instrument_changed", {"change": change})
        if not settings.is_paper:
            check_modes(surveys, self.made, tables)
            if not self._confirm(plan_of(settings, self.made, tables, surveys, opened.sequence)):
                raise ConfigError(
                    "the run was not confirmed", hint="give --yes to confirm in a script"
                )
        if known != tables:
            self._doors.files.write_atomic(path, tables.text())
        return tables, surveys

    async def _connect(self, markets: Sequence[Market]) -> dict[Market, Listing]:
        """Makes the connections, and learns what each market lists."""
        listings: dict[Market, Listing] = {}
        for market in markets:
            hosts = self.settings.hosts.get(market)
            if hosts is None:
                raise ConfigError(f"no addresses are given for {market}")
            self.tell_silence(hosts)
            budget = self.budgets.of(hosts)
            connection = MarketConnection(hosts, self._doors, budget, self._signer)
            self.connections[market] = connection
            listings[market] = Listing(market, await connection.greet())
        return listings

    # -- the engine --------------------------------------------------------------------------

    def _make(self, opened: Opened) -> None:
        """Writer, engine and what stands between them; the journal is recovered."""
        settings, doors = self.settings, self._doors
        writer = self.writer = JournalWriter(
            doors.files,
            doors.threads,
            opened,
            make_tail=self._home.make_tail,
            policy=settings.policy,
            room=self._home.room,
            on_trouble=self._trouble,
        )
        try:
            name = settings.account if self._identity is None else self._identity.name
            epoch = raise_epoch(doors.files, self._home.folder, name, opened.epoch)
            instance = doors.random.getrandbits(32)
            records = settings.is_paper or settings.records_market
            engine = self.engine = make_engine(
                settings, self.tables, epoch=epoch, instance=instance, records=records
            )
            add_feeds(engine, self.tables)
            self.tape = None
            if records:
                self.tape = MarketTape(doors.files, settings.folder, self._tape_ended)
            accounts = len(self.tables.markets)
            self.shell = EngineShell(engine, doors, writer, self.tape, accounts)
            self._rows = seat_strategies(engine, self.made, self.tables, settings.seed)
            self.recovered = self._recover(opened)
        except BaseException:
            writer.close()
            raise
        self._wire()
        self._starts.append((epoch, instance))
        self._write_run()

    def _recover(self, opened: Opened) -> dict[str, Any]:
        if not opened.sequence:
            return {}
        snapshot = None if opened.snapshot is None else opened.snapshot.state
        paths = [opened.folder / name for name in _segments(self._doors, opened)]
        segments = [self._doors.files.read(path) for path in paths]
        found = self.engine.recover(segments, snapshot)
        self._tell("recovered", {name: found[name] for name in ("sequence", "batches", "epoch")})
        return dict(found)

    def _wire(self) -> None:
        by_market: dict[Market, list[int]] = {market: [] for market in self.tables.markets}
        for seated, row in zip(self.made, self._rows, strict=True):
            for market in seated.markets:
                by_market[market].append(row)
        for number, (market, connection) in enumerate(self.connections.items()):
            port = EnginePort(self.shell, self.tables, market, by_market[market], self._differs)
            self.ports[market] = port
            connection.wire_feed(port, number, self.settings.rhythm)
            if not self.settings.is_paper:
                symbols = list(self.tables.named(market))
                gateway = connection.wire_account(port, number, symbols, self.settings.rhythm)
                outbox = self.shell.outboxes[number]
                outbox.pump, outbox.send = gateway.pump, gateway.send
        self.upkeep = Upkeep(self)
        self.rules = Rules(self)
        for market, port in self.ports.items():
            port.on_refusal = functools.partial(self.rules.refused, market)
        self.listening = Listening(self)
        self.shell.on_listens = self.listening.changed

    def _write_run(self) -> None:
        began_ns = self._doors.clock.wall_ns()
        self._host = host_of(self.settings, self.made, self._starts, began_ns)
        write_json(self._doors.files, self.settings.folder / RUN, self._host)

    # -- the run -----------------------------------------------------------------------------

    async def _until_stopped(
        self, opened: Opened, surveys: dict[Market, Survey], stop: Stop
    ) -> None:
        for market, connection in self.connections.items():
            self.spawn(f"clock of {market}", connection.clock_task())
        if self.settings.is_paper:
            self._deposit()
        else:
            await self._know_account(opened, surveys, stop)
        if stop.asked.is_set() or self.shell.fatal:
            return
        self._start()
        await self.listening.begin(stop)
        self.spawn("subscriptions", self.listening.run())
        self.spawn("upkeep", self.upkeep.run())
        self.spawn("rules", self.rules.run())
        if self._is_alone:
            self.upkeep.own_process()
        await self._first_of(stop)

    def _deposit(self) -> None:
        now_ns = self.shell.now_ns()
        for account in range(len(self.tables.markets)):
            for asset, amount in self.settings.balance.items():
                try:
                    self.engine.deposit(account, asset, amount, now_ns)
                except ValueError as error:
                    raise ConfigError(f"the balance of {asset} is refused: {error}") from error
                self.shell.settle()

    async def _know_account(
        self, opened: Opened, surveys: dict[Market, Survey], stop: Stop
    ) -> None:
        """Connects, and asks until the engine and the venue say the same."""
        for number, (market, port) in enumerate(self.ports.items()):
            reconciler = self.connections[market].reconciler
            if opened.sequence:
                port.since_ns = int(self.recovered["now_ns"])
                port.unsynced(number, "the engine was restarted", self.shell.now_ns())
                adopted_ns = self.tables.adopted_ns[number]
            else:
                adopted_ns = surveys[market].at_ms * 1_000_000
                adopt(self.shell, self.tables, number, surveys[market])
                self.tables = self.tables.adopted(number, adopted_ns)
            port.is_synced = False
            if reconciler is not None:
                reconciler.not_before_ms = adopted_ns // 1_000_000
        # What is known to be taken over is on the device before it is said to be: see `_open`.
        while self.writer.released_sequence < self.writer.appended_sequence:
            if self.shell.fatal:
                return
            await asyncio.sleep(_POLL_S / 10)
        self._doors.files.write_atomic(self.settings.folder / TABLES, self.tables.text())
        for market, connection in self.connections.items():
            for name, task in connection.account_tasks():
                self.spawn(f"{name} of {market}", task)
        await self._wait_synced(stop)
        if self.settings.adopts and opened.sequence:
            await self._adopt_differences()

    async def _wait_synced(self, stop: Stop) -> None:
        limit_s = self.settings.rhythm.synced_most_s
        until_ns = self._doors.clock.monotonic_ns() + int(limit_s * 1e9)
        while not all(port.is_synced for port in self.ports.values()):
            self.look_at_tasks()
            if stop.asked.is_set() or self.shell.fatal:
                return
            if any(one.budget.limits.silent_s for one in self.connections.values()):
                until_ns += int(_POLL_S * 1e9)  # what the venue asked us to wait is no failure
            if self._doors.clock.monotonic_ns() > until_ns:
                waiting = [name for name, port in self.ports.items() if not port.is_synced]
                raise FeedError(
                    f"the account is not known after {limit_s:g} s: {', '.join(waiting)}",
                    hint="look at the network and the venue's status; nothing was ordered",
                )
            await asyncio.sleep(_POLL_S)

    async def _adopt_differences(self) -> None:
        for number, (market, connection) in enumerate(self.connections.items()):
            if connection.reconciler is None:
                continue
            found = list(connection.reconciler.differences)
            rows = await connection.positions()
            prices = {(row.symbol, row.side): price for row, price in rows}
            if adopt_differences(self.shell, self.tables, number, found, prices):
                self._tell("adopted", {"market": market, "differences": len(found)})
                await connection.reconciler.once()

    def _start(self) -> None:
        engine = self.engine
        for seated, row in zip(self.made, self._rows, strict=True):
            for name, value in sorted(seated.strategy.parameter_values().items()):
                engine.note_parameter(row, f"{name}={value}")
        engine.start(self.shell.now_ns())
        self.shell.settle()
        self.is_started = True
        self.upkeep.look_at_faults()
        for number, (market, connection) in enumerate(self.connections.items()):
            if connection.resolver is None:
                continue
            doubted = RecoveredRequest.all_of(engine, self.tables, number)
            for request in doubted:
                connection.resolver.doubt(request, connection.clock.now_ms(), 3000)
            if doubted:
                self._tell("doubted", {"market": market, "orders": len(doubted)})
                port = self.ports[market]
                self.spawn(
                    f"recovered orders of {market}",
                    settle_recovered(self.shell, port, connection, self.tables, number),
                    may_end=True,
                )
        self._tell("started", {"strategies": [seated.name for seated in self.made]})

    async def _first_of(self, stop: Stop) -> None:
        """Waits for the first reason to end."""
        asked = asyncio.create_task(stop.asked.wait())
        fatal = asyncio.create_task(self.shell.heard.wait())
        try:
            while True:
                waiting = {asked, fatal, *self._tasks}
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if done & {asked, fatal}:
                    return
                self.look_at_tasks()
        finally:
            asked.cancel()
            fatal.cancel()

    # -- the end -----------------------------------------------------------------------------

    async def _end(self, stop: Stop) -> dict[str, Any]:
        if self.shell.fatal:
            await self._rescue()
            await self._abandon()
            kind = VelozError if self.engine.poison else DataError
            hint = "look at the cause, then start again in the same folder: it recovers"
            if self.settings.is_paper:
                hint = "look at the cause, then start again in a new folder"
            raise kind(f"the run ended: {self.shell.fatal}", hint=hint)
        self._tell("stopping", {})
        is_clean = True
        if self.is_started:
            self.engine.save_states(self.shell.now_ns())
            self.shell.settle()
            self.engine.wind_down(self.shell.now_ns())
            self.shell.settle()
            is_clean = await self.upkeep.wound_down(stop)
        left = await self._last_reconciliation(stop)
        # A fill that only the listings told of may have left something that is to be closed.
        while self.is_started and is_clean and not self.upkeep.is_wound_down():
            is_clean = await self.upkeep.wound_down(stop)
            left = await self._last_reconciliation(stop)
        await self._cancel_tasks()
        self.shell.close()
        # Only now does nothing follow any more: the hash is of the journal's last batch.
        outcome = self.upkeep.outcome() | {"wound_down": is_clean, "differences": left}
        self._close()
        outcome["seconds"] = round((self._doors.clock.monotonic_ns() - self._began_ns) / 1e9, 3)
        write_json(self._doors.files, self.settings.folder / RUN, self._host | {"end": outcome})
        self._tell("ended", outcome)
        if self._failure is not None:
            raise self._failure
        return outcome

    async def _last_reconciliation(self, stop: Stop) -> list[dict[str, Any]]:
        """What the venue and the journal still differ in, at the very end."""
        left: list[dict[str, Any]] = []
        for market, connection in self.connections.items():
            if connection.reconciler is None or stop.hurried.is_set():
                continue
            for _ in range(3):
                if await connection.reconciler.once():
                    break
                await asyncio.sleep(1.0)
            left += [
                {"market": market} | plain_difference(one)
                for one in connection.reconciler.differences
            ]
            if connection.countdown is not None:
                await connection.countdown.disarm()
        return left

    async def _rescue(self) -> None:
        """After a failure for good: what can be cancelled is."""
        self._tell("failed", {"why": self.shell.fatal})
        if self.engine.poison:
            self.shell.rescue()
            await asyncio.sleep(2.0)
            return
        for account, connection in enumerate(self.connections.values()):
            if connection.gateway is not None:
                symbols = {symbol for symbol, _ in self.engine.open_orders(account).values()}
                left = [one for one in sorted(symbols) if not await connection.cancel_all(one)]
                self._tell("rescued", {"cancelled": sorted(symbols - set(left)), "left": left})

    def _close(self) -> None:
        self.shell.write()
        rest = self.engine.roll_journal()
        sequence = int(self.engine.journal_sequence)
        self.writer.close(rest, sequence)
        if self.tape is not None:
            self.tape.close()

    async def _abandon(self) -> None:
        """Ends without a word: as a crash does, but tidily."""
        await self._cancel_tasks()
        self.shell.close()
        with contextlib.suppress(JournalSealed, OSError):
            self.writer.close()

    async def _cancel_tasks(self) -> None:
        self.upkeep.thaw_collector()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    # -- pieces ------------------------------------------------------------------------------

    def spawn(
        self, name: str, coroutine: Coroutine[Any, Any, None], *, may_end: bool = False
    ) -> None:
        """Starts a part of the run."""
        task = asyncio.create_task(coroutine, name=name)
        self._tasks[task] = "" if may_end else name

    def look_at_tasks(self) -> None:
        """A part that has ended ends the run; those that may end are forgotten."""
        for task, name in list(self._tasks.items()):
            if not task.done():
                continue
            del self._tasks[task]
            task.result()
            if name:
                raise VelozError(f"{name} ended by itself")

    def _differs(self, difference: Difference) -> None:
        self._tell("differs", plain_difference(difference))

    def _tape_ended(self, why: str) -> None:
        self._tell("journal", {"kind": "market", "detail": why})

    def _trouble(self, trouble: Trouble) -> None:
        self._tell("journal", {"kind": trouble.kind, "detail": trouble.detail})
        if trouble.kind == "sealed":
            self.shell.die(trouble.detail)

    @property
    def rows(self) -> list[int]:
        """Rows of the strategies in the engine."""
        return self._rows

    @property
    def doors(self) -> Doors:
        """The world."""
        return self._doors

    def fail(self, failure: VelozError) -> None:
        """Ends the run gracefully, and raises this when it has ended."""
        self._failure = failure
        self._stop.asked.set()

    def tell_silence(self, hosts: Hosts) -> None:
        """Says that nothing is asked before the venue's silence is over, if there is one."""
        seconds = self.budgets.silent_s(hosts)
        if seconds > 0:
            self._tell("silent", {"market": hosts.market, "seconds": round(seconds, 1)})

    def tell(self, name: str, fields: dict[str, Any]) -> None:
        """Tells of an event."""
        self._tell(name, fields)


def _segments(doors: Doors, opened: Opened) -> list[str]:
    """The segments that recovery needs, in order."""
    first = opened.segment - len(opened.readers) + 1
    return [f"{opened.stream}-{n:06d}.vj" for n in range(first, opened.segment + 1)]
