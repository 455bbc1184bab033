"""What the venue lets orders say, kept as the venue has it while a run trades.

```text
 timer, or a refusal by a filter ─► exchangeInfo ─┬─ other filters ─► journal, engine, tables.json
                                                  └─ no more trading ─► frozen, told; thawed later
```

A new version of an instrument counts from one batch of the journal on: the batch says what changed,
and the next segment, which begins right behind it, has the version in its header. So recovery and
`veloz verify` come to the same.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from veloz.environments.trading.tables import TABLES, Listing, market_of, renewed_row
from veloz.errors import ConfigError, NotSent, OutcomeUnknown
from veloz.storage.journal_writer import JournalSealed
from veloz.venues.binance.capabilities import CAPABILITIES

if TYPE_CHECKING:
    from veloz.environments.trading.connection import MarketConnection
    from veloz.environments.trading.run import TradingRun
    from veloz.venues.binance.hosts import Market
    from veloz.venues.venue import Verdict

__all__ = ["Rules", "is_by_rules"]

_REASONS = frozenset(
    {
        *("price_filter", "lot_size", "market_lot_size", "min_notional", "max_notional"),
        *("max_orders", "max_algo_orders", "iceberg_parts", "market_closed"),
    }
)
_NO_SYMBOL = -1121
_CODES = frozenset({-1111, _NO_SYMBOL, -4108, -4140, -4141})
_AGAIN_S = 10.0
_HALTED_S = 30.0


def is_by_rules(verdict: Verdict) -> bool:
    """True if a refusal may mean that the venue's rules are others than those we judge by."""
    return verdict.reason in _REASONS or verdict.code in _CODES


class Rules:
    """The instruments of one run, as the venue lists them.

    Args:
        run: The run; its engine is made.

    Attributes:
        changes: A sentence for each instrument that was changed since the start.
    """

    def __init__(self, run: TradingRun) -> None:
        self.changes: list[str] = []
        self._run = run
        self._doubted: set[Market] = set()
        self._heard = asyncio.Event()
        self._said: dict[str, str] = {}

    def refused(self, market: Market, verdict: Verdict) -> None:
        """Hears of a refusal; one by a filter is a reason to look."""
        if is_by_rules(verdict):
            self._doubted.add(market)
            self._heard.set()

    async def run(self) -> None:
        """Looks until cancelled: now and then, and soon after a refusal by a filter."""
        every_s = self._run.settings.rhythm.rules_s
        while True:
            self._heard.clear()
            # What is frozen gives no orders, so no refusal would tell of its end.
            timeout_s = min(every_s, _HALTED_S) if any(self._said.values()) else every_s
            timeout_s = _AGAIN_S if self._doubted else timeout_s
            try:
                await asyncio.wait_for(self._heard.wait(), timeout_s)
            except TimeoutError:
                self._doubted |= set(self._run.connections)
            for market in sorted(self._doubted):
                if await self.look(market):
                    self._doubted.discard(market)
            await asyncio.sleep(1.0)  # a run of refusals is one reason

    async def look(self, market: Market) -> bool:
        """Compares with what the venue lists now, and takes over what differs.

        Returns:
            False if the venue gave no answer that can be read.
        """
        rows = list(self._run.tables.instruments)
        names = [row["venue_symbol"] for row in rows if market_of(row["symbol"]) == market]
        listing = await _listing(self._run.connections[market], names)
        if listing is None:
            return False
        changes: list[str] = []
        now_ns = self._run.shell.now_ns()
        for number, known in enumerate(rows):
            if market_of(known["symbol"]) == market:
                row, change = self._compare(market, known, listing, now_ns)
                rows[number] = row
                changes += [change] if change else []
        if not changes:
            return True
        # The old rules hold until the journal has room to say that they do not.
        if not await self._run.writer.make_next():
            return False
        self._adopt(rows, changes)
        return True

    def _compare(
        self, market: Market, known: dict[str, Any], listing: Listing, now_ns: int
    ) -> tuple[dict[str, Any], str]:
        """One instrument as it is now, and what has changed; one that is not traded is frozen."""
        symbol, port = str(known["symbol"]), self._run.ports[market]
        status = listing.status(symbol)
        if status != "trading":
            self._say(symbol, status)
            port.halt(known["venue_symbol"], status)
            return known, ""
        try:
            row, change = renewed_row(known, listing, self._run.settings.fees(), now_ns)
        except ConfigError as finer:
            # What the journal cannot say cannot be ordered rightly either.
            self._say(symbol, str(finer))
            port.halt(known["venue_symbol"], "traded by rules that need a new folder")
            return known, ""
        self._say(symbol, "")
        port.resume(known["venue_symbol"])
        return row, change

    def _say(self, symbol: str, why: str) -> None:
        """Tells once of each new state."""
        if self._said.get(symbol, "") != why:
            self._said[symbol] = why
            name = "instrument_halted" if why else "instrument_resumed"
            self._run.tell(name, {"symbol": symbol, "why": why})

    def _adopt(self, rows: list[dict[str, Any]], changes: list[str]) -> None:
        """Engine, journal, tables: in one go, so that no event comes in between."""
        run = self._run
        try:
            run.engine.renew([dict(row) for row in rows], "rules " + "; ".join(changes))
            run.shell.write()
            run.writer.roll(run.engine.roll_journal(), int(run.engine.journal_sequence))
        except JournalSealed as failure:
            run.shell.die(str(failure))
            return
        except RuntimeError as failure:  # the engine is poisoned
            run.shell.die(str(failure))
            return
        run.tables = run.tables.with_rows(rows)
        try:
            run.doors.files.write_atomic(run.settings.folder / TABLES, run.tables.text())
        except OSError as failure:  # the journal has them; the next start takes them over again
            run.tell("journal", {"kind": "tables", "detail": str(failure)})
        self.changes += changes
        for change in changes:
            run.tell("instrument_changed", {"change": change})


async def _listing(connection: MarketConnection, names: list[str]) -> Listing | None:
    """What a market lists now of these venue symbols; None without an answer that can be read."""
    some: dict[str, str] | None = None
    if CAPABILITIES[connection.market].lists_some:
        some = {"symbols": json.dumps(names, separators=(",", ":"))}
    try:
        answer = await connection.rest.call("exchange_info", some)
        if some is not None and answer.status == 400 and answer.error()[0] == _NO_SYMBOL:
            # one of them is gone: the whole list says which
            answer = await connection.rest.call("exchange_info")
    except (NotSent, OutcomeUnknown):
        return None
    if answer.status != 200:
        return None
    try:
        return Listing(connection.market, answer.body)
    except ValueError:
        return None
