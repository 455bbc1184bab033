"""What a run does besides trading: states, snapshots, disk, memory, words for people."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

from veloz.environments.trading.rehearsal import Rehearsal
from veloz.errors import StrategyError
from veloz.storage.journal_writer import JournalSealed
from veloz.strategy.faults import place_of

if TYPE_CHECKING:
    from veloz.environments.trading.lifetime import Stop
    from veloz.environments.trading.run import TradingRun

__all__ = ["Upkeep"]

_BEAT_S = 1.0
_POLL_S = 0.05
_UNWIND_MOST = 3
_IDLE_NS = 20_000_000
_COLLECT_EVERY_NS = 10_000_000_000
_STAGES = ("callback", "request", "written", "fill")


class Upkeep:
    """The upkeep of one run.

    Args:
        run: The run; its engine is made.

    Attributes:
        collections_on_path: Cyclic collections that came by themselves since the freeze.
    """

    def __init__(self, run: TradingRun) -> None:
        self.collections_on_path = 0
        self._run = run
        self._engine = run.engine
        self._clock = run.doors.clock
        self._is_frozen = False
        self._is_collecting = False
        self._collected_ns = 0
        self._told: set[int] = set()
        self._unwound = 0
        self._snapshot: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Does it until cancelled."""
        rhythm = self._run.settings.rhythm
        every = {
            self._save: rhythm.save_s,
            self._take_snapshot: rhythm.snapshot_s,
            self._tell_status: rhythm.status_s,
        }
        now_ns = self._clock.monotonic_ns()
        due = {task: now_ns + int(seconds * 1e9) for task, seconds in every.items()}
        while True:
            await asyncio.sleep(_BEAT_S)
            await self._run.writer.tend()
            self.look_at_faults()
            if self._run.writer.wants_roll:
                self._roll()
            now_ns = self._clock.monotonic_ns()
            for task, due_ns in due.items():
                if now_ns >= due_ns:
                    due[task] = now_ns + int(every[task] * 1e9)
                    task()
            self._collect_when_idle()

    # -- what it says ------------------------------------------------------------------------

    def outcome(self) -> dict[str, Any]:
        """Figures of the run so far."""
        engine, run = self._engine, self._run
        counts = dict(engine.view("counts"))
        sessions: dict[str, Any] = {}
        for market, connection in run.connections.items():
            row: dict[str, Any] = {}
            if connection.feed is not None:
                row["feed"] = connection.feed.counts
            if connection.gateway is not None and connection.stream is not None:
                row |= {"orders": connection.gateway.counts, "events": connection.stream.counts}
            if connection.resolver is not None and connection.reconciler is not None:
                row |= {
                    "doubts": connection.resolver.counts,
                    "reconciliations": connection.reconciler.rounds,
                    "fills_found": connection.reconciler.fills_found,
                }
            sessions[market] = row
        return {
            "folder": str(run.settings.folder),
            "environment": run.settings.environment,
            "strategies": [self._strategy(n) for n in range(len(run.made))] if run.rows else [],
            "orders": counts["orders"],
            "fills": counts["fills"],
            "refused": counts["refused"],
            "rejected": counts["rejected"],
            "positions": self._positions(),
            "balances": self._balances(),
            "frozen": [text for _, text in engine.view("frozen")],
            "rules_changed": list(run.rules.changes),
            "sessions": sessions,
            "latency_ns": {name: list(engine.latency(name)) for name in _STAGES},
            "collections_on_path": self.collections_on_path,
            "sequence": int(engine.journal_sequence),
            "state_hash": engine.state_hash(),
            "journal": engine.journal_hash(),
        }

    def look_at_faults(self) -> None:
        """Tells of each strategy that was stopped by an error, once."""
        if not self._engine.has_fault:
            return
        for seated, row in zip(self._run.made, self._run.rows, strict=True):
            fault = None if row in self._told else self._engine.fault(row)
            if fault is None:
                continue
            self._told.add(row)
            message, error = fault
            place = "" if error is None else place_of(error)
            told = {"strategy": seated.name, "message": message, "place": place}
            self._run.tell("strategy_stopped", told)
            if len(self._told) == len(self._run.made):
                # Their stop policies have begun; the run ends when those are through.
                self._run.fail(StrategyError(f"{seated.name} was stopped: {message}"))

    def is_wound_down(self) -> bool:
        """True if orders and positions are as the stop policies want them."""
        flat = self._rows_with({"flatten"})
        if self._open_rows(self._rows_with({"cancel", "flatten"})):
            return False
        # On spot the fee of the closing order itself leaves a crumb below the lot.
        contracts = {row["symbol"] for row in self._run.tables.instruments if row["kind"] != "spot"}
        held = [row for row in self._raw_positions() if row["symbol"] in contracts]
        if any(row["strategy"] in flat for row in held) or self._engine.still_to_unwind():
            return False
        return not self.undecided()

    def undecided(self) -> int:
        """Requests and fills of which nobody knows yet what they came to."""
        accounts = range(len(self._run.tables.markets))
        lacking = sum(len(self._engine.view("needs_trades", number)) for number in accounts)
        return len(self._engine.view("pending")) + self.doubts() + lacking

    async def wound_down(self, stop: Stop) -> bool:
        """Waits until orders and positions are as the stop policies want them.

        Returns:
            False if they are not within the time that the settings give, or nobody waits any more.
        """
        rhythm, now_ns = self._run.settings.rhythm, self._clock.monotonic_ns
        most_ns = int(rhythm.stop_most_s * 1e9)
        until_ns, doubt_until_ns = now_ns() + most_ns, now_ns() + int(rhythm.doubt_most_s * 1e9)
        while not self.is_wound_down():
            if stop.hurried.is_set() or self._run.shell.fatal:
                return False
            # Absence is proved by a listing past the deadline: a doubt takes its time. What an
            # order under way has brought is closed once that is known, and that takes its own.
            # The venue's limits do too, when a strategy has used them up.
            is_held_up = self.undecided() > 0 or not self._may_order()
            if (is_held_up and now_ns() < doubt_until_ns) or self.unwind_rest():
                until_ns = now_ns() + most_ns
            if now_ns() > until_ns:
                self._run.tell("not_wound_down", self.left_open())
                return False
            await asyncio.sleep(_POLL_S)
        return True

    def unwind_rest(self) -> bool:
        """Cancels what is open and closes what is held in spite of the stop policies.

        An order that was under way when its strategy had to leave may have traded since, and the
        venue may have known nothing yet of one that it was to cancel.

        Returns:
            True if something was ordered. Nothing is while a request is undecided or the venue's
            limits allow none, nor again and again: what the venue does not let us end, a person
            does.
        """
        if self._unwound >= _UNWIND_MOST or self.undecided() or not self._may_order():
            return False
        rows = self._engine.still_to_unwind()
        for row in rows:
            self._engine.unwind_rest(row, self._run.shell.now_ns())
            self._run.shell.settle()
        self._unwound += bool(rows)
        return bool(rows)

    def _may_order(self) -> bool:
        parts = self._run.connections.values()
        return all(part.gateway.may_order for part in parts if part.gateway is not None)

    def left_open(self) -> dict[str, Any]:
        """What keeps a run from being wound down."""
        rows = self._open_rows(self._rows_with({"cancel", "flatten"}))
        return {
            "open": len(rows),
            "orders": [f"{row['client_order_id']} {row['status']}" for row in rows],
            "unanswered": len(self._engine.view("pending")),
            "doubts": self.doubts(),
        }

    def doubts(self) -> int:
        """Requests about which the venue is still asked."""
        parts = self._run.connections.values()
        return sum(part.resolver.open for part in parts if part.resolver is not None)

    def _rows_with(self, policies: set[str]) -> set[int]:
        pairs = zip(self._run.made, self._run.rows, strict=True)
        return {row for seated, row in pairs if type(seated.strategy).stop_policy in policies}

    def _open_rows(self, strategies: set[int]) -> list[dict[str, Any]]:
        accounts = range(len(self._run.tables.markets))
        rows = [row for number in accounts for row in self._engine.view("orders", number)]
        return [row for row in rows if row["strategy"] in strategies]

    def _raw_positions(self) -> list[dict[str, Any]]:
        accounts = range(len(self._run.tables.markets))
        return [
            {"strategy": strategy, "symbol": symbol, "side": side, "qty": qty}
            for number in accounts
            for strategy, symbol, side, qty in self._engine.view("positions", number)
        ]

    def _strategy(self, number: int) -> dict[str, Any]:
        seated = self._run.made[number]
        return {
            "name": seated.name,
            "markets": list(seated.markets),
            "stop_policy": type(seated.strategy).stop_policy,
            "is_stopped_by_error": self._run.rows[number] in self._told,
        }

    def _positions(self) -> list[dict[str, Any]]:
        names = {0: "external"}
        names |= {
            row: seated.name for seated, row in zip(self._run.made, self._run.rows, strict=True)
        }
        return [row | {"strategy": names[row["strategy"]]} for row in self._raw_positions()]

    def _balances(self) -> dict[str, dict[str, str]]:
        return {
            market: {
                asset: f"{amount.normalize():f}"
                for asset, amount in self._engine.balances(number).items()
                if amount
            }
            for number, market in enumerate(self._run.tables.markets)
        }

    # -- what it does ------------------------------------------------------------------------

    def _save(self) -> None:
        self._engine.save_states(self._run.shell.now_ns())
        self._run.shell.settle()

    def _roll(self) -> None:
        try:
            self._run.shell.write()
            self._run.writer.roll(self._engine.roll_journal(), int(self._engine.journal_sequence))
        except JournalSealed as failure:
            self._run.shell.die(str(failure))

    def _take_snapshot(self) -> None:
        if self._run.settings.is_paper or (self._snapshot and not self._snapshot.done()):
            return  # a paper run is never gone on with
        # What strategies were told before it is in no snapshot: so they save first.
        self._save()
        sequence = int(self._engine.journal_sequence)
        if self._run.shell.fatal or sequence > self._run.writer.appended_sequence:
            return  # a batch that the disk did not take is in no journal, and in no snapshot
        chain, state = bytes.fromhex(self._engine.journal_hash()), self._engine.snapshot()
        self._snapshot = asyncio.ensure_future(self._write_snapshot(sequence, chain, state))

    async def _write_snapshot(self, sequence: int, chain: bytes, state: bytes) -> None:
        try:
            await self._run.writer.snapshot(sequence, chain, state)
        except (JournalSealed, OSError) as failure:
            self._run.tell("journal", {"kind": "snapshot", "detail": str(failure)})

    def _tell_status(self) -> None:
        counts = self._engine.view("counts")
        synced = [port.is_synced for port in self._run.ports.values()]
        callback = self._engine.latency("callback")
        self._run.tell(
            "status",
            {
                "orders": counts["orders"],
                "fills": counts["fills"],
                "refused": counts["refused"],
                "open": len(self._open_rows(set(self._run.rows))),
                "positions": self._positions(),
                "is_synced": self._run.settings.is_paper or all(synced),
                "frozen": len(self._engine.view("frozen")),
                "callback_p99_us": callback[2] / 1000,
                "inputs": self._run.shell.inputs_total,
            },
        )

    # -- memory ------------------------------------------------------------------------------

    def own_process(self) -> None:
        """The process does nothing else: it collects when idle, and rehearses orders."""
        self.freeze_collector()
        parts = self._run.connections.values()
        gateways = [part.gateway for part in parts if part.gateway is not None]
        if gateways:
            run = self._run
            rehearsal = Rehearsal(run.shell, run.doors, run.writer, run.tables, gateways)
            self._run.spawn("rehearsal", rehearsal.run(), may_end=True)

    def freeze_collector(self) -> None:
        """From here on no cyclic collection comes by itself."""
        gc.collect()
        gc.freeze()
        gc.disable()
        gc.callbacks.append(self._heard)
        self._is_frozen = True

    def thaw_collector(self) -> None:
        """As it was; a second call does nothing."""
        if self._is_frozen:
            self._is_frozen = False
            gc.callbacks.remove(self._heard)
            gc.enable()
            gc.unfreeze()

    def _heard(self, phase: str, facts: dict[str, int]) -> None:
        del facts
        if phase == "start" and not self._is_collecting:
            self.collections_on_path += 1

    def _collect_when_idle(self) -> None:
        """Collects between frames; the upkeep's own beat is as good an instant as any."""
        now_ns = self._clock.monotonic_ns()
        if not self._is_frozen or now_ns - self._collected_ns < _COLLECT_EVERY_NS:
            return
        if now_ns - self._run.shell.last_input_ns < _IDLE_NS:
            return
        self._collected_ns = now_ns
        self._is_collecting = True
        gc.collect(1)
        self._is_collecting = False
