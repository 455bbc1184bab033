"""The recorded market of a run: what the engine heard, beside the journal of what it did.

It is needed to run the strategies again, not to know what is owed: nothing waits for it, a crash
may cut its end, and a disk that does not take it ends the record, not the run.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from veloz.storage.journal_resume import segment_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from veloz.net.doors import Files

__all__ = ["MarketTape"]


class MarketTape:
    """Appends the market stream of one start of a run to a file of its own.

    Args:
        files: The door.
        folder: The run's.
        on_end: Told why, once, if the disk does not take it any more.

    Attributes:
        size: Bytes so far.
        is_open: True while it is recorded.
    """

    def __init__(self, files: Files, folder: Path, on_end: Callable[[str], None]) -> None:
        self.size = 0
        self.is_open = False
        self._files = files
        self._on_end = on_end
        taken = [re.fullmatch(r"market-(\d{6})\.vj", name) for name in files.list(folder)]
        number = 1 + max((int(match[1]) for match in taken if match), default=0)
        self._fd = -1
        with self._guarded():
            self._fd = files.open_segment(segment_path(folder, "market", number), 0)
            self.is_open = True

    def append(self, frames: bytes) -> None:
        """Writes drained bytes behind those before them; drops them once the record has ended."""
        if not self.is_open:
            return
        with self._guarded():
            self._files.pwrite(self._fd, frames, self.size)
            self.size += len(frames)

    def close(self) -> None:
        """Syncs and closes it."""
        if self._fd < 0:
            return
        with self._guarded():
            if self.is_open:
                self._files.fdatasync(self._fd)
        self._files.close(self._fd)
        self.is_open, self._fd = False, -1

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.is_open = False
            self._on_end(
                f"the market is not recorded any more, so the run cannot be verified: {error}"
            )
