"""The journal of a run while it is not yet in a folder: in memory, on disk once it grows."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import IO

MEMORY_BYTES = 128 * 1024 * 1024
BLOCK_BYTES = (1 << 18) + (1 << 16)
"""A run pours its journal when it holds a little more than 2^18 bytes."""

_spare: list[bytearray] = []
"""Blocks of spools that are gone: memory that a process did not have before costs it half a
millisecond a megabyte, a tenth of a run that trades much."""


class JournalSpool:
    """Takes journal bytes in order and gives them back whole.

    The first `MEMORY_BYTES` stay in memory; only what follows them goes to a file.
    """

    def __init__(self) -> None:
        self._blocks: list[bytearray] = []
        self._parts: list[memoryview] = []
        self._size = 0
        self._file: IO[bytes] | None = None
        weakref.finalize(self, _give_back, self._blocks)

    def room(self, size: int) -> bytearray | None:
        """A block whose first `size` bytes the caller writes now; None if they go to the file."""
        if self._file is not None or self._size + size > MEMORY_BYTES:
            return None
        is_usual = size <= BLOCK_BYTES
        block = _spare.pop() if is_usual and _spare else bytearray(max(size, BLOCK_BYTES))
        self._size += size
        self._blocks.append(block)
        self._parts.append(memoryview(block)[:size])
        return block

    def write(self, data: bytes) -> None:
        """Appends bytes."""
        if self.room(len(data)) is not None:
            self._parts[-1][:] = data
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="veloz-journal-")  # noqa: SIM115
            # Read until nobody holds the spool; only then may the file go.
            weakref.finalize(self, self._file.close)
        self._file.write(data)

    def close(self) -> None:
        """Flushes what a file holds; reading stays possible."""
        if self._file is not None:
            self._file.flush()

    def read(self) -> bytes:
        """All bytes."""
        if self._file is None:
            return b"".join(self._parts)
        self._file.seek(0)
        return b"".join([*self._parts, self._file.read()])

    def save(self, path: Path) -> None:
        """Writes all bytes to a new file."""
        with path.open("xb") as out:
            out.writelines(self._parts)
            if self._file is not None:
                self._file.seek(0)
                shutil.copyfileobj(self._file, out, 1 << 20)


def _give_back(blocks: list[bytearray]) -> None:
    """Keeps the blocks of a spool that nobody holds any more for the next."""
    room = MEMORY_BYTES // BLOCK_BYTES - len(_spare)
    _spare.extend([block for block in blocks if len(block) == BLOCK_BYTES][: max(room, 0)])
