"""The journal of a run while it is not yet in a folder: in memory, on disk once it grows."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import IO

MEMORY_BYTES = 128 * 1024 * 1024


class JournalSpool:
    """Takes journal bytes in order and gives them back whole.

    The first `MEMORY_BYTES` stay in memory; only what follows them goes to a file.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._file: IO[bytes] | None = None

    def write(self, data: bytes) -> None:
        """Appends bytes."""
        if self._file is not None:
            self._file.write(data)
            return
        self._size += len(data)
        if self._size <= MEMORY_BYTES:
            self._parts.append(data)
            return
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
