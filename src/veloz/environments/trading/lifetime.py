"""Where a run lives, and who ends it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from veloz.storage.journal_tail import native_tail

if TYPE_CHECKING:
    from pathlib import Path

    from veloz.storage.journal_tail import MakeTail
    from veloz.storage.journal_writer import Room

__all__ = ["Home", "Stop"]


@dataclass(frozen=True)
class Home:
    """Where a run keeps what belongs to no run, and how it writes.

    Attributes:
        folder: Locks and epochs of this user's accounts.
        make_tail: How the journal meets the disk.
        room: Sizes of the journal.
    """

    folder: Path
    make_tail: MakeTail = native_tail
    room: Room | None = None


@dataclass
class Stop:
    """Who wants the run to end, and how fast.

    Attributes:
        asked: Set when it should end by the stop policies.
        hurried: Set when it should end at once: nothing is cancelled.
    """

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hurried: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self) -> None:
        """The first time: gracefully. The second time: at once."""
        if self.asked.is_set():
            self.hurried.set()
        self.asked.set()
