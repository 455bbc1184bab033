"""Paper: the real feed and the venue's real rules, with fills that are simulated here.

```text
 feed ─► paper venue (matching) ─► engine ─► journal          nothing leaves this host
     └─► market-000001.vj, so that the run can be done again: `check_law`
```

The law of the house: the journal of a paper run *recovers* to the state that the run ended in, and
its strategies, run again on what was heard, *verify* to the same commands, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veloz.environments.settings import parse_balance, parse_leverage, parse_limits
from veloz.environments.trading.engine import (
    add_feeds,
    make_engine,
    make_strategies,
    seat_strategies,
)
from veloz.environments.trading.folder import FORMAT, RUN, read_json
from veloz.environments.trading.lifetime import Home, Stop
from veloz.environments.trading.run import TradingRun
from veloz.environments.trading.settings import Seat, TradingSettings
from veloz.environments.trading.tables import TABLES, Tables
from veloz.errors import DataError, StrategyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from veloz.net.doors import Doors, Files

__all__ = ["Law", "check_law", "is_paper_run", "paper"]


async def paper(
    settings: TradingSettings,
    doors: Doors,
    home: Home,
    stop: Stop,
    *,
    tell: Callable[[str, dict[str, Any]], None] = lambda _name, _fields: None,
    is_alone: bool = False,
) -> dict[str, Any]:
    """Trades on paper until it is asked to stop.

    Args:
        settings: What decides the run; its folder holds no run yet.
        doors: The world.
        home: How the journal is written.
        stop: Ends it.
        tell: Told of events.
        is_alone: True if the process does nothing else.

    Returns:
        What came out, as `run.json` has it.

    Raises:
        ConfigError: A setting is wrong, or the folder holds a run.
        VelozError: It could not start, or a failure ended it.
    """
    run = TradingRun(settings, doors, home, tell=tell, is_alone=is_alone)
    return await run.run(stop)


@dataclass(frozen=True)
class Law:
    """What doing a paper run again showed.

    Attributes:
        sequence: Batches of the journal.
        recovered: State hash after recovery.
        verified: State hash after the strategies ran again.
        recorded: State hash that the run ended with; empty if it did not end by itself.
        difference: The first batch that did not come again; None if all did.
    """

    sequence: int
    recovered: str
    verified: str
    recorded: str
    difference: str | None

    @property
    def holds(self) -> bool:
        """True if the journal recovers and verifies."""
        hashes = {self.recovered, self.verified, self.recorded or self.recovered}
        return self.difference is None and len(hashes) == 1


def is_paper_run(files: Files, folder: Path) -> bool:
    """True if a folder is that of a paper run."""
    if RUN not in files.list(folder):
        return False
    host = read_json(files, folder / RUN)
    is_ours = host.get("format") == FORMAT
    return is_ours and host.get("settings", {}).get("environment") == "paper"


def check_law(files: Files, folder: Path, *, strategies: dict[str, str] | None = None) -> Law:
    """Recovers a paper run's journal, and runs its strategies again on what was heard.

    Args:
        files: The door.
        folder: The run's.
        strategies: Where a strategy's file is now, by the name of its class.

    Raises:
        DataError: The folder is not a paper run's, or is damaged.
        StrategyError: A strategy cannot be loaded.
    """
    host = read_json(files, folder / RUN)
    if not is_paper_run(files, folder):
        raise DataError(f"{folder} is not the folder of a paper run")
    tables = Tables.of(files.read(folder / TABLES), str(folder / TABLES))
    settings = _settings(host, folder, strategies or {})
    names = files.list(folder)
    trading = [files.read(folder / name) for name in names if _is_segment(name, "trading")]
    market = [files.read(folder / name) for name in names if _is_segment(name, "market")]
    recovering = make_engine(settings, tables, epoch=1, instance=0, records=False)
    add_feeds(recovering, tables)
    seat_strategies(recovering, make_strategies(settings.seats), tables, settings.seed)
    try:
        recovering.recover(trading)
    except ValueError as damage:
        raise DataError(f"the journal in {folder} does not recover: {damage}") from damage
    verifying = make_engine(settings, tables, epoch=1, instance=0, records=False)
    add_feeds(verifying, tables)
    seat_strategies(verifying, make_strategies(settings.seats), tables, settings.seed)
    difference, sequence = None, 0
    try:
        sequence = int(verifying.verify(trading, market[0] if market else None))
    except StrategyError as error:
        difference = str(error)
    return Law(
        sequence,
        recovering.state_hash(),
        verifying.state_hash(),
        str(host.get("end", {}).get("state_hash", "")),
        difference,
    )


def _is_segment(name: str, stream: str) -> bool:
    return name.startswith(f"{stream}-") and name.endswith(".vj")


def _settings(host: dict[str, Any], folder: Path, moved: dict[str, str]) -> TradingSettings:
    """The settings of a run, from what it wrote."""
    given: dict[str, Any] = host["settings"]
    seats: list[Seat] = []
    for row in host["strategies"]:
        file = moved.get(row["name"], row["file"])
        if file is None:
            raise DataError(
                f"{folder} cannot be run again: {row['name']} has no file",
                hint="run a strategy file with `veloz run`",
            )
        seats.append(Seat(f"{Path(file)}:{row['name']}", row["parameters"]))
    return TradingSettings(
        environment="paper",
        seats=tuple(seats),
        folder=folder,
        hosts={},
        account=given["account"],
        balance=parse_balance(given["balance"]),
        leverage=parse_leverage(given["leverage"]),
        entry_latency=given["entry_latency"],
        report_latency=given["report_latency"],
        fill=tuple(given["fill"]),
        seed=int(given["seed"]),
        limits=parse_limits(given["limits"]),
    )
