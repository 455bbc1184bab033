"""Where a run lives, and who ends it."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from veloz.storage.journal_tail import native_tail

if TYPE_CHECKING:
    from pathlib import Path

    from veloz.storage.journal_tail import MakeTail
    from veloz.storage.journal_writer import Room

__all__ = ["Home", "Identity", "Stop"]


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


@dataclass(frozen=True)
class Identity:
    """Whose account is traded, whatever its key file is called.

    Attributes:
        environment: Where the key was issued.
        key: A digest of the key's public half.
    """

    environment: str
    key: str

    @staticmethod
    def of(environment: str, api_key: str) -> Identity:
        """That of a key."""
        return Identity(environment, hashlib.blake2b(api_key.encode(), digest_size=8).hexdigest())

    @property
    def name(self) -> str:
        """What locks and epochs are named by."""
        return f"binance/{self.environment}-key-{self.key}"

    def account(self, market: str, number: str) -> str:
        """The same of an account by the venue's own number of it: it may have several keys."""
        return f"binance/{self.environment}-{market}-{number}"


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
