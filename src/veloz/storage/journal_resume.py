"""Opening a live journal: take the lock, judge what is there, cut what was never acknowledged.

```text
lock ─► segments ─► whole, joined, this account's? ── no ─► refused, with what to do
             │ yes
             └─► behind the sync mark: a torn batch or a hole is cut ─► Opened
```

A newcomer expects a writer to go on at the end of the last file. It never does: the next run starts
a segment of its own, whose header names the batch and the digest at which it goes on. What a crash
or a failed sync left behind that batch can so never be taken for a part of the journal.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from veloz._core import (
    SYNC_MARK_BYTES,
    BrokenHeader,
    JournalReader,
    TornHeader,
    newest_sync_mark,
    sync_mark,
)
from veloz.errors import ConfigError, DataError
from veloz.net.doors import Locked
from veloz.storage.snapshots import Snapshot, read_snapshots

if TYPE_CHECKING:
    from pathlib import Path

    from veloz.net.doors import Files

__all__ = ["Opened", "lock_account", "mark_path", "open_journal", "read_head", "segment_path"]

_NO_MARK = (0, 0, 0)


@dataclass(frozen=True)
class Opened:
    """A journal that this process alone may write, and what was found in it.

    Attributes:
        folder: Where it is.
        stream: `trading` or `market`.
        account: As `venue/name`; every segment is this account's.
        readers: The segments that recovery needs, in order: all of them, or those from the
            snapshot's batch on. Empty for a new journal.
        snapshot: The newest that fits the journal; None if there is none.
        sequence: The last batch; 0 for a new journal.
        segment: Number of the last segment; 0 for a new journal.
        epoch: For the next run: one more than any that is in the journal.
        cut_bytes: Bytes that were cut: of a torn batch, or behind a hole, never acknowledged.
        lock: For `Files.close`.
    """

    folder: Path
    stream: str
    account: str
    readers: tuple[JournalReader, ...]
    snapshot: Snapshot | None
    sequence: int
    segment: int
    epoch: int
    cut_bytes: int
    lock: int

    @property
    def last(self) -> JournalReader | None:
        """The segment behind which the next run goes on; None for a new journal."""
        return self.readers[-1] if self.readers else None


@dataclass
class _Found:
    """What was read of a journal before anything is changed."""

    readers: list[JournalReader] = field(default_factory=list[JournalReader])
    numbers: list[int] = field(default_factory=list[int])
    sizes: list[int] = field(default_factory=list[int])
    dropped: list[int] = field(default_factory=list[int])
    snapshot: Snapshot | None = None
    cut_bytes: int = 0
    synced: tuple[int, int] = (0, 0)


def open_journal(
    files: Files,
    folder: Path,
    *,
    account: str,
    stream: str = "trading",
    build: str | None = None,
    is_thorough: bool = False,
) -> Opened:
    """Takes the journal of a folder for this process, and repairs what a crash has left.

    Args:
        files: The door.
        folder: Where it is or shall be; made if it is not there.
        account: As `venue/name`.
        stream: `trading` or `market`.
        build: Snapshots of another build are passed over; None takes any.
        is_thorough: Read and check segments before the snapshot too.

    Raises:
        ConfigError: Another process writes this journal, or it is another account's.
        DataError: It is damaged, of another format, or older than what it once was.
        OSError: The disk refused.
    """
    files.make_folder(folder)
    lock = _locked(files, folder / f"{stream}.lock", f"the {stream} journal in {folder}")
    try:
        found = _read(files, folder, stream, account, build, is_thorough=is_thorough)
        _repair(files, folder, stream, found)
    except BaseException:
        files.close(lock)
        raise
    headers = [reader.header() for reader in found.readers]
    last = found.readers[-1].check()["last_sequence"] if found.readers else 0
    return Opened(
        folder=folder,
        stream=stream,
        account=account,
        readers=tuple(found.readers),
        snapshot=found.snapshot,
        sequence=last,
        segment=found.numbers[-1] if found.numbers else 0,
        epoch=1 + max((header["epoch"] for header in headers), default=0),
        cut_bytes=found.cut_bytes,
        lock=lock,
    )


def lock_account(files: Files, folder: Path, account: str, called: str = "") -> int:
    """Takes an account for this process, wherever its journals are.

    Args:
        files: The door.
        folder: One for all engines of this user.
        account: What it is known by, the same whatever a person calls it.
        called: What a person calls it; the same if nothing is said.

    Returns:
        A number for `Files.close`, which gives the account back; so does the process's end.

    Raises:
        ConfigError: Another engine has it.
    """
    files.make_folder(folder)
    name = re.sub(r"[^0-9A-Za-z_.-]", "-", account)
    return _locked(files, folder / f"account-{name}.lock", f"the account {called or account}")


def segment_path(folder: Path, stream: str, number: int) -> Path:
    """Where a segment is."""
    return folder / f"{stream}-{number:06d}.vj"


def mark_path(folder: Path, stream: str) -> Path:
    """Where the sync mark of a stream is."""
    return folder / f"{stream}.mark"


def read_head(files: Files, path: Path) -> bytes:
    """Reads a segment's header alone."""
    fd = files.open_segment(path, 0)
    try:
        size = 14 + int.from_bytes(files.pread(fd, 4, 10), "little") + 4
        return files.pread(fd, size, 0)
    finally:
        files.close(fd)


def _locked(files: Files, path: Path, what: str) -> int:
    try:
        return files.lock(path)
    except Locked as held:
        raise ConfigError(
            f"{what} is in use by another process: {held}",
            hint="stop the other engine; two on one account would double its orders",
        ) from held
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise ConfigError(
            f"{what} cannot be written by this user: {error}",
            hint="give this user the folder, or mount the disk for writing",
        ) from error


def _read(
    files: Files, folder: Path, stream: str, account: str, build: str | None, *, is_thorough: bool
) -> _Found:
    names = files.list(folder)
    pattern = re.compile(rf"{stream}-(\d{{6}})\.vj")
    numbers = [int(match[1]) for name in names if (match := pattern.fullmatch(name))]
    has_mark = mark_path(folder, stream).name in names
    mark = newest_sync_mark(files.read(mark_path(folder, stream))) if has_mark else None
    if numbers != list(range(1, len(numbers) + 1)):
        raise DataError(
            f"{folder} has the segments {numbers} of its {stream} journal: one is missing",
            hint="restore the folder from a copy; without one, start in an empty folder",
        )
    if mark is not None and mark[0] > len(numbers):
        raise _older(folder, f"segment {mark[0]} was written and is not there")
    snapshots = read_snapshots(files, folder, stream=stream, account=account, build=build)
    judge = _Judge(files, folder, stream, account, mark)
    for snapshot in [*snapshots, None]:
        first = 1 if snapshot is None or is_thorough else judge.segment_of(numbers, snapshot)
        found = judge.judged(numbers[first - 1 :])
        if snapshot is None or judge.fits(found, snapshot):
            found.snapshot = snapshot
            return found
    raise AssertionError("the last choice has no snapshot to fit")


class _Judge:
    """Reads segments and says which are the journal."""

    def __init__(
        self,
        files: Files,
        folder: Path,
        stream: str,
        account: str,
        mark: tuple[int, int, int] | None,
    ) -> None:
        self._files = files
        self._folder = folder
        self._stream = stream
        self._account = account
        self._mark = mark or _NO_MARK
        # Without a mark nothing is known to be unacknowledged: only a torn end is then cut.
        self._knows = mark is not None

    def judged(self, numbers: list[int]) -> _Found:
        """The journal in these segments, and what stands behind its end.

        Raises:
            DataError: What is not there or not whole was acknowledged.
            ConfigError: It is another account's.
        """
        found = _Found(synced=self._mark[:2])
        for number in numbers:
            data = self._files.read(segment_path(self._folder, self._stream, number))
            reader = None if found.dropped else self._reader(number, data, found)
            if reader is None:
                self._drop(found, number, data)
            else:
                found.readers.append(reader)
                found.numbers.append(number)
                found.sizes.append(len(data))
        if found.readers:
            self._judge_end(found)
        elif self._mark[0]:
            raise _damaged(self._folder, "its first segment does not start as one")
        return found

    def segment_of(self, numbers: list[int], snapshot: Snapshot) -> int:
        """Number of the segment that holds a snapshot's batch; 1 if that cannot be said."""
        for number in reversed(numbers):
            path = segment_path(self._folder, self._stream, number)
            try:
                header = JournalReader(read_head(self._files, path)).header()
            except ValueError:
                continue
            if header["first_sequence"] <= snapshot.sequence:
                return number
        return 1

    def fits(self, found: _Found, snapshot: Snapshot) -> bool:
        """True if the snapshot is of this journal.

        Raises:
            DataError: The journal ends before it, and once did not.
        """
        last = found.readers[-1].check()["last_sequence"] if found.readers else 0
        if snapshot.sequence > last:
            raise _older(
                self._folder, f"it has a snapshot of batch {snapshot.sequence} and ends at {last}"
            )
        chains = (reader.chain_at(snapshot.sequence) for reader in found.readers)
        return snapshot.chain in [chain for chain in chains if chain is not None]

    def _reader(self, number: int, data: bytes, found: _Found) -> JournalReader | None:
        """The segment, if it is a part of the journal."""
        path = segment_path(self._folder, self._stream, number)
        try:
            reader = JournalReader(data)
        except (TornHeader, BrokenHeader) as error:
            if self._mark[0] >= number or (isinstance(error, BrokenHeader) and not self._knows):
                raise _damaged(self._folder, f"{path.name}: {error}") from error
            return None
        except ValueError as error:
            raise DataError(f"{path}: {error}", hint="use the build that wrote it") from error
        header = reader.header()
        if header["account"] != self._account:
            raise ConfigError(
                f"{path} is the journal of {header['account']!r}, not of {self._account!r}",
                hint="name the account's own folder",
            )
        if not self._joins(found, reader):
            # Its header may have reached the disk before the end of the segment it continues.
            if self._mark[0] >= number or not self._knows:
                raise _damaged(
                    self._folder,
                    f"{path.name} does not continue the segment before it: a segment was changed, "
                    "cut or exchanged",
                )
            return None
        return reader

    def _joins(self, found: _Found, reader: JournalReader) -> bool:
        if found.readers:
            return found.readers[-1].is_continued_by(reader)
        header = reader.header()
        return header["stream"] == self._stream and (
            header["segment"] > 1 or header["first_sequence"] == 1
        )

    def _judge_end(self, found: _Found) -> None:
        for number, reader in zip(found.numbers, found.readers, strict=True):
            check, whole = reader.check(), reader.whole_bytes()
            name = segment_path(self._folder, self._stream, number).name
            broken = check["first_broken"]
            if self._mark[0] == number and whole < self._mark[1]:
                raise _damaged(
                    self._folder,
                    f"{name} was on the disk up to byte {self._mark[1]} and is whole up to byte "
                    f"{whole} only, batch {check['last_sequence']}",
                )
            is_hole = broken == check["last_sequence"] + 1 and not check["is_sealed"]
            is_cut = is_hole and self._knows and number == found.numbers[-1]
            if broken is not None and not (is_cut and self._mark[0] <= number):
                raise _damaged(self._folder, f"{name} is changed from batch {broken} on")

    def _drop(self, found: _Found, number: int, data: bytes) -> None:
        if self._mark[0] >= number:
            raise _damaged(self._folder, f"segment {number} follows one that is damaged")
        found.dropped.append(number)
        found.cut_bytes += len(data.rstrip(b"\0"))


def _repair(files: Files, folder: Path, stream: str, found: _Found) -> None:
    """Cuts what is not the journal; done again after a crash it does the same."""
    for number in reversed(found.dropped):
        files.remove(segment_path(folder, stream, number))
    mark = _NO_MARK
    if found.readers:
        last, number = found.readers[-1], found.numbers[-1]
        whole, check = last.whole_bytes(), last.check()
        path = segment_path(folder, stream, number)
        if found.sizes[-1] != whole or found.synced < (number, whole):
            data = files.read(path)
            found.cut_bytes += check["torn_bytes"] and len(data.rstrip(b"\0")) - whole
            # Written anew and not cut: after a failed sync nobody knows what the disk has of it.
            files.write_atomic(path, data[:whole])
        mark = (number, whole, check["last_sequence"])
    both = b"".join(
        sync_mark(place, *mark)[1].ljust(SYNC_MARK_BYTES // 2, b"\0") for place in (0, 1)
    )
    files.write_atomic(mark_path(folder, stream), both)


def _damaged(folder: Path, what: str) -> DataError:
    return DataError(
        f"the journal in {folder} is damaged: {what}",
        hint="look with `veloz journal verify`, restore the folder from a copy; without one, start "
        "in an empty folder: orders and positions are then taken over from the venue",
    )


def _older(folder: Path, what: str) -> DataError:
    return DataError(
        f"the journal in {folder} is older than it once was: {what}",
        hint="a backup that was put back lacks what happened since: start in an empty folder, so "
        "that orders and positions are taken over from the venue",
    )
