"""The law of the house, checked on a run's folder.

```text
trading-*.vj ─► a fresh engine applies them ─────────────────────────► the state it ended in
     and market-*.vj ─► strategies hear it again, from the last start ─► the same batches, byte by
                                                                        byte
```

The journal of a run *recovers* to the state that the run ended in, and its strategies, run again on
what was heard, *verify* to the same commands. On paper it holds of every run; of a live run
if it recorded the market. A live run may have been gone on with: its folder says how the strategies
were set at the last start, so that one is run again, from what was recovered before it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veloz import __version__
from veloz._core import JournalReader
from veloz.environments.settings import parse_balance, parse_leverage, parse_limits
from veloz.environments.trading.engine import (
    add_feeds,
    make_engine,
    make_strategies,
    seat_strategies,
)
from veloz.environments.trading.folder import FORMAT, RUN, read_json
from veloz.environments.trading.settings import Seat, TradingSettings
from veloz.environments.trading.tables import TABLES, Tables
from veloz.errors import DataError, StrategyError
from veloz.storage.snapshots import read_snapshots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from veloz._core import LiveEngine
    from veloz.net.doors import Files

__all__ = ["Law", "check_law", "environment_of"]


@dataclass(frozen=True)
class Law:
    """What doing a run again showed.

    Attributes:
        sequence: Batches of the journal; 0 if they did not all come again.
        first: The first batch that was made by running the strategies again.
        recovered: State hash after recovery.
        verified: State hash after the strategies ran again.
        recorded: State hash that the run ended with; empty if it did not end by itself.
        difference: The first batch that did not come again; None if all did.
    """

    sequence: int
    first: int
    recovered: str
    verified: str
    recorded: str
    difference: str | None

    @property
    def holds(self) -> bool:
        """True if the journal recovers and verifies."""
        hashes = {self.recovered, self.verified, self.recorded or self.recovered}
        return self.difference is None and len(hashes) == 1


def environment_of(files: Files, folder: Path) -> str | None:
    """`paper` or `live` if `veloz run` made a folder; None if something else did."""
    if RUN not in files.list(folder):
        return None
    host = read_json(files, folder / RUN)
    return host["settings"]["environment"] if host.get("format") == FORMAT else None


def check_law(files: Files, folder: Path, *, strategies: Mapping[str, str] | None = None) -> Law:
    """Recovers a run's journal, and runs its strategies again on what was heard.

    Args:
        files: The door.
        folder: The run's.
        strategies: Where a strategy's file is now, by the name of its class.

    Raises:
        DataError: The folder is not a run's, is damaged, or the market was not recorded.
        StrategyError: A strategy cannot be loaded.
    """
    if environment_of(files, folder) is None:
        raise DataError(f"{folder} is not the folder of a paper or live run")
    run = _Recorded(files, folder, strategies or {})
    recovering = run.engine()
    try:
        recovering.recover(run.segments)
    except ValueError as damage:
        raise DataError(f"the journal in {folder} does not recover: {damage}") from damage
    verifying, difference, sequence = run.engine_before_last_start(), None, 0
    try:
        sequence = int(verifying.verify(run.last_start, run.market))
    except StrategyError as error:
        difference = str(error)
    recorded = str(run.host.get("end", {}).get("state_hash", ""))
    hashes = recovering.state_hash(), verifying.state_hash(), recorded
    return Law(sequence, run.first, *hashes, difference)


class _Recorded:
    """What a run left in its folder."""

    def __init__(self, files: Files, folder: Path, moved: Mapping[str, str]) -> None:
        self._files, self._folder = files, folder
        self.host = read_json(files, folder / RUN)
        self._tables = Tables.of(files.read(folder / TABLES), str(folder / TABLES))
        self._settings = _settings(self.host, folder, moved)
        names = files.list(folder)
        self.segments = [files.read(folder / name) for name in names if _is(name, "trading")]
        epoch = int(self.host["epoch"])
        starts = [_header(segment) for segment in self.segments]
        own = [number for number, header in enumerate(starts) if header["epoch"] == epoch]
        if not own:
            raise DataError(f"{folder} has no journal of its last start, epoch {epoch}")
        self._before, self.last_start = self.segments[: own[0]], self.segments[own[0] :]
        self.first = int(starts[own[0]]["first_sequence"])
        self.market = self._market(names, epoch)

    def engine(self) -> LiveEngine:
        """A fresh engine with the strategies seated."""
        made = make_strategies(self._settings.seats)
        engine = make_engine(self._settings, self._tables, epoch=1, instance=0, records=False)
        add_feeds(engine, self._tables)
        seat_strategies(engine, made, self._tables, self._settings.seed)
        return engine

    def engine_before_last_start(self) -> LiveEngine:
        """A fresh engine in the state in which the last start found the journal."""
        engine = self.engine()
        if self._before:
            account = self._settings.account
            found = read_snapshots(
                self._files, self._folder, stream="trading", account=account, build=__version__
            )
            # As the start itself did it: the newest snapshot that there was.
            states = [one.state for one in found if one.sequence < self.first]
            engine.recover(self._before, states[0] if states else None)
        return engine

    def _market(self, names: Sequence[str], epoch: int) -> bytes:
        for name in names:
            if not _is(name, "market"):
                continue
            tape = self._files.read(self._folder / name)
            with contextlib.suppress(DataError):  # a crash may have cut one in its first bytes
                if _header(tape)["epoch"] == epoch:
                    return tape
        raise DataError(
            f"{self._folder} cannot be run again: the market that it heard was not recorded",
            hint="record it with `veloz run --record-market`; `veloz journal verify` and "
            "`veloz reconcile` check the rest",
        )


def _is(name: str, stream: str) -> bool:
    return name.startswith(f"{stream}-") and name.endswith(".vj")


def _header(segment: bytes) -> dict[str, Any]:
    try:
        return JournalReader(segment).header()
    except ValueError as damage:
        raise DataError(f"a segment of the journal is damaged: {damage}") from damage


def _settings(host: dict[str, Any], folder: Path, moved: Mapping[str, str]) -> TradingSettings:
    """The settings of a run, from what it wrote."""
    given: dict[str, Any] = host["settings"]
    seats: list[Seat] = []
    for row in host["strategies"]:
        file: str = moved.get(row["name"]) or row["file"] or ""
        if not file:
            raise DataError(
                f"{folder} cannot be run again: {row['name']} has no file",
                hint="run a strategy file with `veloz run`",
            )
        seats.append(Seat(f"{Path(file)}:{row['name']}", row["parameters"]))
    return TradingSettings(
        environment=given["environment"],
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
