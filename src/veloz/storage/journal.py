"""Journal files: segments in a run folder, written front to back and read by anyone.

```text
run/trading-000001.vj    sealed
run/trading-000002.vj    the one being written: it may end in a torn batch after a crash
```

What the bytes mean is decided in the core, which also checks them; here they only meet the disk.
A newcomer expects a damaged journal to raise when it is read. Only damage does: a torn tail is how
a crash looks, so every whole batch before it is read and `verify` says what was cut.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from veloz._core import JournalReader, TornHeader, newest_sync_mark

__all__ = [
    "JournalBroken",
    "JournalCheck",
    "JournalFile",
    "columns_of",
    "first_difference",
    "header",
    "read_columns",
    "readers",
    "records",
    "segments",
    "verify",
]

SUFFIX = ".vj"
ROLL_BYTES = 256 * 1024 * 1024
BATCHES_AT_ONCE = 4096

Column = np.ndarray | list[bytes]


class JournalBroken(ValueError):
    """A journal is damaged, or a part of it is missing; what it says cannot be trusted."""


@dataclass(frozen=True)
class JournalCheck:
    """What a journal proves about itself.

    Attributes:
        batches: Whole batches.
        records: Records in them.
        unknown_records: Records whose type no header declares; they were passed over.
        chain: Digest of all whole batches, in hexadecimal; equal journals have equal digests.
        is_sealed: True if the journal was closed, so that nothing is missing at its end.
        torn_bytes: Bytes behind the last whole batch that are neither a batch nor unused room.
        first_broken: Sequence from which the content cannot be trusted; None if all of it can.
        trouble: What is wrong, in a sentence; None if nothing is.
    """

    batches: int
    records: int
    unknown_records: int
    chain: str
    is_sealed: bool
    torn_bytes: int
    first_broken: int | None
    trouble: str | None

    @property
    def is_whole(self) -> bool:
        """True if the journal is closed and nothing in it is torn or broken."""
        return self.is_sealed and self.trouble is None


class JournalFile:
    """Writes one stream of a journal into the segments of a run folder.

    The journal itself lives in the engine; this takes the bytes that it drains:

    ```python
    with JournalFile(folder) as file:
        file.append(engine.drain_journal())
        if file.is_full:
            file.roll(engine.roll_journal())
        file.append(engine.close_journal())
    ```

    Args:
        folder: The run folder; it exists.
        stream: `trading` or `market`.
        roll_bytes: Size from which `is_full` is true.

    Raises:
        FileExistsError: If the folder already holds the stream's first segment: a journal is
            never overwritten.
    """

    def __init__(
        self, folder: Path | str, stream: str = "trading", *, roll_bytes: int = ROLL_BYTES
    ) -> None:
        self._folder = Path(folder)
        self._stream = stream
        self._roll_bytes = roll_bytes
        self._number = 0
        self._fd = -1
        self._size = 0
        self._next_segment()

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
    def path(self) -> Path:
        """The segment being written."""
        return self._folder / f"{self._stream}-{self._number:06d}{SUFFIX}"

    @property
    def is_full(self) -> bool:
        """True if the segment has reached its size and should be rolled."""
        return self._size >= self._roll_bytes

    def append(self, frames: bytes) -> None:
        """Write drained bytes behind those before them, in one write.

        After an error the same bytes can be appended again: they go to the same place.

        Raises:
            OSError: If the disk does not take all of them.
        """
        if not frames:
            return
        os.lseek(self._fd, self._size, os.SEEK_SET)
        left = memoryview(frames)
        while left:
            left = left[os.write(self._fd, left) :]
        self._size += len(frames)

    def roll(self, rest: bytes) -> None:
        """End this segment with `rest`, the bytes up to its seal, and start the next."""
        self.append(rest)
        self.close()
        self._next_segment()

    def close(self) -> None:
        """Sync the segment and its folder to the disk and close it; a second call does nothing."""
        if self._fd < 0:
            return
        os.fsync(self._fd)
        os.close(self._fd)
        self._fd = -1
        _sync_folder(self._folder)

    def _next_segment(self) -> None:
        self._number += 1
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        self._fd = os.open(self.path, flags, 0o600)
        self._size = 0


def segments(path: Path | str, stream: str = "trading") -> list[Path]:
    """List the segment files of a journal, in order.

    Args:
        path: One segment file, or a run folder.
        stream: Which stream of a folder.

    Raises:
        FileNotFoundError: If there is none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    found = sorted(path.glob(f"{stream}-*{SUFFIX}"))
    if not found:
        raise FileNotFoundError(
            f"no journal segment {stream}-*{SUFFIX} at {path}; give a run folder or a segment file"
        )
    return found


def header(path: Path | str, stream: str = "trading") -> dict[str, Any]:
    """Read what a journal's first segment says about itself.

    Returns:
        `build`, `account`, `instance`, `epoch`, `stream`, `segment`, `first_sequence`, `chain`,
        `assets` and `instruments` as lists of rows, and `records`: name → (number, fields).

    Raises:
        ValueError: If the file is no journal of a format that this build reads.
    """
    return JournalReader(segments(path, stream)[0].read_bytes()).header()


def verify(path: Path | str, stream: str = "trading") -> JournalCheck:
    """Check every batch, the hash chain, and that the segments join.

    Args:
        path: One segment file, or a run folder.
        stream: Which stream of a folder.

    Raises:
        FileNotFoundError: If there is no journal.
        ValueError: If a file is no journal of a format that this build reads.
    """
    batches = records = unknown = torn = 0
    sealed, chain, trouble = False, "", None
    first_broken: int | None = None
    for segment in _walk(path, stream):
        trouble = trouble or segment.trouble
        if first_broken is None:
            first_broken = segment.first_broken
        torn += segment.torn_bytes
        sealed = False
        if segment.reader is not None:
            check = segment.reader.check()
            batches += check["batches"]
            records += check["records"]
            unknown += check["unknown_records"]
            sealed, chain = check["is_sealed"], check["chain"].hex()
    return JournalCheck(batches, records, unknown, chain, sealed, torn, first_broken, trouble)


def read_columns(path: Path | str, record_name: str, stream: str = "trading") -> dict[str, Column]:
    """Read all records of one type as columns.

    Args:
        path: One segment file, or a run folder.
        record_name: As the journal's header spells it.
        stream: Which stream of a folder.

    Returns:
        `batch_sequence`, `batch_market_sequence`, `batch_now_ns` (event clock), then each field.
        Integers keep their width, in their own scaled units. Amounts of 128 bits are an array of
        dtype object that holds Python ints, since NumPy has no such integer and a float would
        lose money. Byte strings are a list. A field that an older segment lacks is 0 or empty.

    Raises:
        KeyError: If no segment declares such a record type.
        JournalBroken: If the journal is damaged; a torn tail alone is not damage.
    """
    kinds: dict[str, str] = {}
    parts: list[dict[str, Column]] = []
    for reader in _trusted(path, stream):
        if record_name not in reader.header()["records"]:
            continue
        part: dict[str, Column] = {}
        for name, kind, values in reader.columns(record_name):
            if kinds.setdefault(name, kind) != kind:
                raise JournalBroken(
                    f"field {name} of {record_name} is {kinds[name]} in one segment and {kind} in "
                    "another; read the segments one by one"
                )
            part[name] = _array(kind, values)
        parts.append(part)
    if not parts:
        raise KeyError(f"the journal at {path} declares no record type {record_name}")
    return {name: _joined(name, kind, parts) for name, kind in kinds.items()}


def columns_of(segment: bytes, record_name: str) -> dict[str, Any]:
    """As `read_columns`, of one segment that is in memory."""
    reader = JournalReader(segment)
    return {name: _array(kind, values) for name, kind, values in reader.columns(record_name)}


def records(path: Path | str, stream: str = "trading") -> Iterator[dict[str, Any]]:
    """Yield every record in order, as a dict.

    Yields:
        `record` (the type's name), `batch_sequence`, `batch_market_sequence`, `batch_now_ns` and
        the fields: int, bool or bytes. Records of unknown type are passed over; `verify` counts
        them.

    Raises:
        JournalBroken: If the journal is damaged; a torn tail alone is not damage.
    """
    for reader in _trusted(path, stream):
        offset: int | None = 0
        while offset is not None:
            found, offset = reader.records(offset, BATCHES_AT_ONCE)
            yield from found


def readers(path: Path | str, stream: str = "trading") -> Iterator[tuple[Path, JournalReader]]:
    """Yield each segment's file and reader, in order, checked as far as it was read.

    Raises:
        JournalBroken: If the journal is damaged; a torn tail alone is not damage.
    """
    for segment in _walk(path, stream):
        if segment.is_damage:
            raise JournalBroken(segment.trouble)
        if segment.reader is not None:
            yield segment.path, segment.reader


def first_difference(path_a: Path | str, path_b: Path | str, stream: str = "trading") -> str | None:
    """Name the first thing in which two journals differ.

    Args:
        path_a: One segment file, or a run folder.
        path_b: The other.
        stream: Which stream of folders.

    Returns:
        A sentence with segment, batch, record and field; None if both say the same.
    """
    files_a, files_b = segments(path_a, stream), segments(path_b, stream)
    for file_a, file_b in zip(files_a, files_b, strict=False):
        bytes_a, bytes_b = file_a.read_bytes(), file_b.read_bytes()
        if bytes_a == bytes_b:
            continue
        found = JournalReader(bytes_a).first_difference(JournalReader(bytes_b))
        if found is not None:
            return f"{file_a.name}: {found}"
    if len(files_a) == len(files_b):
        return None
    both = min(len(files_a), len(files_b))
    longer, side = (files_a, "first") if len(files_a) > both else (files_b, "second")
    return f"segment {longer[both].name} is in the {side} journal only"


@dataclass(frozen=True)
class _Segment:
    """One segment and its place in the journal; no reader if it ends inside its header."""

    path: Path
    reader: JournalReader | None
    torn_bytes: int
    first_broken: int | None
    trouble: str | None
    is_damage: bool


def _walk(path: Path | str, stream: str) -> Iterator[_Segment]:
    """Check segment after segment, and each against the one before."""
    paths = segments(path, stream)
    mark_file = Path(path) / f"{stream}.mark"
    mark = newest_sync_mark(mark_file.read_bytes()) if mark_file.is_file() else None
    before: JournalReader | None = None
    for number, file in enumerate(paths, start=1):
        data = file.read_bytes()
        is_last = number == len(paths)
        try:
            reader = JournalReader(data)
        except TornHeader as error:
            if is_last and number > 1 and not any(data):
                continue  # room that a live writer made ahead
            yield _Segment(file, None, len(data), None, f"{file.name}: {error}", not is_last)
            continue
        except ValueError as error:
            raise JournalBroken(f"{file}: {error}") from error
        check = reader.check()
        broken, torn = check["first_broken"], check["torn_bytes"]
        if before is None:
            is_joined = reader.header()["segment"] == 1
        else:
            is_joined = before.is_continued_by(reader)
        trouble = None
        if broken is not None:
            trouble = (
                f"{file.name} is damaged from batch {broken} on; restore it from a copy or use "
                "only what is before"
            )
        elif not is_joined and Path(path).is_dir():
            broken = check["first_sequence"]
            trouble = (
                f"{file.name} does not continue the segment before it: a segment is missing, cut "
                "or of another journal; restore the folder from a copy"
            )
        elif mark is not None and mark[0] == number and reader.whole_bytes() < mark[1]:
            broken = check["last_sequence"] + 1
            trouble = (
                f"{file.name} was on the disk up to byte {mark[1]} and is whole up to byte "
                f"{reader.whole_bytes()} only; restore it from a copy"
            )
        elif torn and is_last:
            # Behind any other segment the next header proves that the rest was never a batch.
            trouble = f"{file.name} ends in {torn} bytes of a batch that was not written whole"
        yield _Segment(file, reader, torn, broken, trouble, broken is not None)
        before = reader


def _trusted(path: Path | str, stream: str) -> Iterator[JournalReader]:
    for _, reader in readers(path, stream):
        yield reader


def _array(kind: str, values: Any) -> Column:
    if kind == "bytes":
        return values
    if kind == "int128":
        halves = np.frombuffer(values, "<u8").reshape(-1, 2)
        high = halves[:, 1].astype("<i8").astype(object)
        return high * (1 << 64) + halves[:, 0].astype(object)
    return np.frombuffer(values, np.dtype(kind).newbyteorder("<"))


def _joined(name: str, kind: str, parts: list[dict[str, Column]]) -> Column:
    columns = [part[name] if name in part else _absent(kind, part) for part in parts]
    if kind == "bytes":
        return [text for column in columns for text in column]
    return np.concatenate(columns)


def _absent(kind: str, part: dict[str, Column]) -> Column:
    """What a field is in a segment that was written before the field existed."""
    rows = len(part["batch_sequence"])
    if kind == "bytes":
        return [b""] * rows
    return np.zeros(rows, object if kind == "int128" else kind)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there; the file's own sync has to do
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
