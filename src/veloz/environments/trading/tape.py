"""The recorded market of a run: what the engine heard, beside the journal of what it did.

It is needed to run the strategies again, not to know what is owed: nothing waits for it, and a
crash may cut its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veloz.storage.journal_resume import segment_path

if TYPE_CHECKING:
    from pathlib import Path

    from veloz.net.doors import Files

__all__ = ["MarketTape"]


class MarketTape:
    """Appends the market stream of one run to one file.

    Args:
        files: The door.
        folder: The run's; it holds no market stream yet.
    """

    def __init__(self, files: Files, folder: Path) -> None:
        self._files = files
        self._fd = files.open_segment(segment_path(folder, "market", 1), 0)
        self.size = 0

    def append(self, frames: bytes) -> None:
        """Writes drained bytes behind those before them.

        Raises:
            OSError: The disk did not take them.
        """
        self._files.pwrite(self._fd, frames, self.size)
        self.size += len(frames)

    def close(self) -> None:
        """Syncs and closes it."""
        self._files.fdatasync(self._fd)
        self._files.close(self._fd)
