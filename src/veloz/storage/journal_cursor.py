"""Following a live journal from another process: mapped read-only, whole batches, each once.

```text
cursor = JournalCursor(folder)
while …:  for record in cursor.read(): …      empty: nothing new, or half a batch
```

The writer does not know its readers and never waits for one. A newcomer fears the half batch: a
frame counts only once its checksum does, and what was read is checked against the hash chain at
each link. Segments are replaced or left alone, never cut, so a mapping of one stays readable.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from veloz._core import BrokenHeader, SegmentCursor, TornHeader
from veloz.storage.journal import SUFFIX, JournalBroken

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["JournalCursor"]

CHUNK = 256 * 1024
HEAD = 14
FRAME_HEAD = 8


class JournalCursor:
    """A place in a journal that may still be written.

    Args:
        folder: The journal's.
        stream: `trading` or `market`.
        after: The last batch that is known already; reading starts behind it.

    Raises:
        FileNotFoundError: The folder has no segment of that stream.
        ValueError: A file is no journal of a format that this build reads.
    """

    def __init__(self, folder: Path | str, stream: str = "trading", *, after: int = 0) -> None:
        self._folder = Path(folder)
        self._stream = stream
        self._after = after
        self._number = 0
        self._map: mmap.mmap | None = None
        self._segment: SegmentCursor | None = None
        if not self._path(1).exists():
            raise FileNotFoundError(
                f"no journal segment {self._path(1).name} in {folder}; give the folder of a journal"
            )
        first = 1 if after == 0 else self._segment_behind(after)
        self._open(first)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def sequence(self) -> int:
        """The last batch that was read; give it as `after` to go on in another process."""
        behind = 0 if self._segment is None else self._segment.sequence
        return max(behind, self._after)

    @property
    def chain(self) -> str:
        """Digest of everything up to there, in hexadecimal; empty before the first header."""
        return "" if self._segment is None else self._segment.chain.hex()

    @property
    def is_at_end(self) -> bool:
        """True if the journal was closed, everything is read, and no later run has gone on."""
        sealed = self._segment is not None and self._segment.is_sealed
        return sealed and not self._path(self._number + 1).exists()

    def read(self, batches: int = 4096) -> list[dict[str, Any]]:
        """The records that came since the last call, of at most so many batches.

        Returns:
            As `veloz.storage.journal.records`; empty if there is nothing new.

        Raises:
            JournalBroken: The journal is damaged, or was cut behind a batch that was read here.
        """
        found: list[dict[str, Any]] = []
        while not found:
            if self._read_on(found, batches):
                continue
            following = self._following()
            if following is None:
                break
            # The old segment may have grown until the new one was begun.
            if not self._read_on(found, batches):
                self._go_on(following)
        return found

    def close(self) -> None:
        """Gives the mapping back; a second call does nothing."""
        if self._map is not None:
            self._map.close()
        self._map = None

    def _read_on(self, found: list[dict[str, Any]], batches: int) -> bool:
        """Moves over what is whole in this segment; False if nothing is."""
        if self._segment is None and not self._start():
            return False
        segment = self._segment
        assert segment is not None
        was = segment.position
        data = self._bytes_at(was)
        if not data:
            return False
        try:
            records = segment.read(data, batches)
        except ValueError as error:
            raise JournalBroken(f"{self._path(self._number).name}: {error}") from error
        found += [record for record in records if record["batch_sequence"] > self._after]
        return segment.position > was

    def _start(self) -> bool:
        """Reads the header, if it is there."""
        mapped = self._mapped(HEAD)
        if mapped is None:
            return False
        size = HEAD + int.from_bytes(mapped[10:HEAD], "little") + 4
        mapped = self._mapped(size)
        if mapped is None:
            return False
        self._segment = _cursor_on(mapped[:size])
        return self._segment is not None

    def _bytes_at(self, position: int) -> bytes:
        """The next frame and some behind it, copied: the writer may change what is mapped."""
        mapped = self._mapped(position + FRAME_HEAD)
        if mapped is None:
            return b""
        length = int.from_bytes(mapped[position + 4 : position + FRAME_HEAD], "little")
        end = position + FRAME_HEAD + length
        if length == 0 or (mapped := self._mapped(end)) is None:
            return b""
        return mapped[position : max(end, position + CHUNK)]

    def _mapped(self, size: int) -> mmap.mmap | None:
        """The segment, mapped at least so far; None if the file is shorter."""
        if self._map is not None and len(self._map) >= size:
            return self._map
        path = self._path(self._number)
        fd = os.open(path, os.O_RDONLY)
        try:
            if os.fstat(fd).st_size < size:
                return None
            self.close()
            self._map = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
        finally:
            os.close(fd)
        return self._map

    def _following(self) -> SegmentCursor | None:
        """The next segment, once its header is there."""
        path = self._path(self._number + 1)
        if self._segment is None or not path.exists():
            return None
        return _cursor_on(_head_of(path))

    def _go_on(self, following: SegmentCursor) -> None:
        assert self._segment is not None
        if not self._segment.is_continued_by(following):
            name = self._path(self._number + 1).name
            raise JournalBroken(
                f"{name} does not continue the journal behind batch {self._segment.sequence}: it "
                "was damaged, or cut behind what was read; verify it and read again from there"
            )
        self._open(self._number + 1)

    def _segment_behind(self, after: int) -> int:
        """Number of the segment that holds the batch behind `after`, or the last one."""
        number = 1
        while self._path(number + 1).exists():
            following = _cursor_on(_head_of(self._path(number + 1)))
            if following is None or following.sequence > after:
                break
            number += 1
        return number

    def _open(self, number: int) -> None:
        self.close()
        self._number, self._segment = number, None

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._stream}-{number:06d}{SUFFIX}"


def _head_of(path: Path) -> bytes:
    """A segment's header, as far as it is there."""
    with path.open("rb") as file:
        head = file.read(HEAD)
        return head + file.read(int.from_bytes(head[10:], "little") + 4)


def _cursor_on(head: bytes) -> SegmentCursor | None:
    """A cursor behind a header; None while the header is not whole: it may be being written."""
    try:
        return SegmentCursor(head)
    except (TornHeader, BrokenHeader):
        return None
