"""Comparing a run's journal with the venue, without trading and without changing either.

```text
 RUN's journal ─► an engine in memory ─┐
 venue's listings ─────────────────────┴─► differences: what freezes, how repaired, who is asked
```

The engine here takes what the venue lists as a trading one would, so that a fill that was missed
explains its position; what still differs then is shown. Without a run it shows the account.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from veloz.environments.statement import statement
from veloz.environments.trading.account import survey
from veloz.environments.trading.addresses import bind
from veloz.environments.trading.connection import Budgets, MarketConnection, signer_of
from veloz.environments.trading.engine import add_feeds, make_engine
from veloz.environments.trading.folder import FORMAT, RUN, read_json, starts_of
from veloz.environments.trading.port import EnginePort
from veloz.environments.trading.settings import Rhythm, TradingSettings
from veloz.environments.trading.shell import EngineShell
from veloz.environments.trading.tables import TABLES, Tables
from veloz.errors import DataError, FeedError
from veloz.venues.binance.reconcile import DIFFERENCES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from veloz.net.doors import Doors
    from veloz.secrets import Credential
    from veloz.venues.binance.hosts import Hosts, Market
    from veloz.venues.venue import Difference

__all__ = ["Reconciliation", "reconcile"]

_TRIES = 5


@dataclass(frozen=True)
class Reconciliation:
    """What was found.

    Attributes:
        accounts: What the venue shows of each market.
        sequence: Last batch of the run's journal; 0 without a run.
        rows: Differences, each with what it freezes, its repair and whom to ask.
        statement: Figures of the day that was asked for, ours and the venue's.
    """

    accounts: dict[str, Any]
    sequence: int
    rows: list[dict[str, str]]
    statement: tuple[dict[str, str], ...] = ()


async def reconcile(
    credential: Credential,
    hosts: Mapping[Market, Hosts],
    doors: Doors,
    *,
    home: Path,
    markets: Sequence[Market],
    folder: Path | None = None,
    day_ns: int | None = None,
) -> Reconciliation:
    """Asks the venue and compares.

    Args:
        credential: The key; reading is enough.
        hosts: Where the venue is.
        doors: The world.
        home: Where the shares of the venue's limits are kept, for all processes of this user.
        markets: Which accounts to look at, without a run.
        folder: A run's; it may be trading meanwhile.
        day_ns: Start of a day, UTC, of which a statement is wanted.

    Raises:
        ConfigError: The key is refused or belongs elsewhere.
        DataError: The folder is no live run's.
        FeedError: The venue does not answer.
    """
    bind(credential, hosts)
    signer, budgets = signer_of(credential), Budgets(doors, home, is_engine=False)
    tables = None if folder is None else _tables(doors, folder)
    names: Sequence[Market] = markets if tables is None else tables.markets
    connections: dict[Market, MarketConnection] = {
        name: MarketConnection(hosts[name], doors, budgets.of(hosts[name]), signer)
        for name in names
    }
    accounts: dict[str, Any] = {}
    own = [] if folder is None else starts_of(read_json(doors.files, folder / RUN))
    for name, connection in connections.items():
        await connection.greet()
        accounts[name] = (await survey(connection, own)).plain()
    if folder is None or tables is None:
        return Reconciliation(accounts, 0, [])
    sequence, rows = await _compare(doors, folder, tables, connections)
    if day_ns is None:
        return Reconciliation(accounts, sequence, rows)
    told = await statement(day_ns, _segments(doors, folder), tables, connections)
    return Reconciliation(accounts, sequence, rows, tuple(told))


async def _compare(
    doors: Doors,
    folder: Path,
    tables: Tables,
    connections: Mapping[Market, MarketConnection],
) -> tuple[int, list[dict[str, str]]]:
    host = read_json(doors.files, folder / RUN)
    settings = TradingSettings("live", (), folder, {}, str(host["settings"]["account"]))
    engine = make_engine(settings, tables, epoch=1, instance=0, records=False)
    add_feeds(engine, tables)
    try:
        told = engine.recover(_segments(doors, folder))
    except ValueError as damage:
        raise DataError(f"the journal in {folder} does not recover: {damage}") from damage
    shell = EngineShell(engine, doors, _Nowhere(), None, len(tables.markets))
    rows: list[dict[str, str]] = []
    for number, (market, connection) in enumerate(connections.items()):
        port = EnginePort(shell, tables, market, [], lambda _difference: None)
        port.since_ns = int(told["now_ns"])
        connection.wire_account(port, number, list(tables.named(market)), Rhythm(countdown_s=0))
        reconciler = connection.reconciler
        if reconciler is None:
            continue
        reconciler.not_before_ms = tables.adopted_ns[number] // 1_000_000
        if not await _whole_round(reconciler.once):
            raise FeedError(
                f"the venue did not list the account on {market} as a whole",
                hint="look at the venue's status and try again",
            )
        rows += [_row(market, difference) for difference in reconciler.differences]
    return int(told["sequence"]), rows


def _segments(doors: Doors, folder: Path) -> list[bytes]:
    """The trading journal; room that a live writer made ahead is left out."""
    names = sorted(name for name in doors.files.list(folder) if name.endswith(".vj"))
    found = [doors.files.read(folder / name) for name in names if name.startswith("trading-")]
    return [data for data in found if data.strip(b"\0")]


async def _whole_round(once: Callable[[], Any]) -> bool:
    for _ in range(_TRIES):
        if await once():
            return True
    return False


def _tables(doors: Doors, folder: Path) -> Tables:
    host = read_json(doors.files, folder / RUN)
    if host.get("format") != FORMAT or host["settings"]["environment"] != "live":
        raise DataError(
            f"{folder} is not the folder of a live run",
            hint="name the folder that `veloz run --env live` printed",
        )
    return Tables.of(doors.files.read(folder / TABLES), str(folder / TABLES))


def _row(market: str, difference: Difference) -> dict[str, str]:
    rule = DIFFERENCES.get(difference.kind)
    return {
        "market": market,
        "kind": difference.kind,
        "subject": difference.subject,
        "ours": difference.ours,
        "theirs": difference.theirs,
        "freezes": str(difference.freeze),
        "repair": difference.repair,
        "ask": "" if rule is None else rule.ask,
    }


class _Nowhere:
    """A journal that nobody keeps: nothing is released, so no request ever leaves."""

    @property
    def released_sequence(self) -> int:
        """Nothing is."""
        return -1

    @property
    def takes_orders(self) -> bool:
        """None."""
        return False

    def lets_go(self, sequence: int) -> bool:
        """Never."""
        return False

    def append(self, frames: bytes, sequence: int) -> None:
        """Forgets it."""

    def when_released(self, sequence: int, callback: Callable[[], None]) -> None:
        """Never calls."""

    def rehearse(self) -> None:
        """There is no way to go."""
