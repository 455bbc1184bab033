"""Snapshots beside a journal: `trading-snapshot-00000000000000001234.vs`.

A snapshot is a desk's state behind one batch. A newcomer takes it for a second truth; it is a
shortcut, and counts only if the journal's digest at that batch is the one that it names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from veloz._core import make_snapshot, read_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from veloz.net.doors import Files

__all__ = ["Snapshot", "read_snapshots", "snapshot_bytes", "snapshot_path", "write_snapshot"]

KEPT = 2


@dataclass(frozen=True)
class Snapshot:
    """A desk's state behind one batch.

    Attributes:
        sequence: The last batch that is in the state.
        chain: The journal's digest up to that batch.
        epoch: Of the run that wrote it.
        build: Of the engine that wrote it.
        state: What the desk said of itself.
    """

    sequence: int
    chain: bytes
    epoch: int
    build: str
    state: bytes


def snapshot_path(folder: Path, stream: str, sequence: int) -> Path:
    """Where the snapshot of a batch is."""
    return folder / f"{stream}-snapshot-{sequence:020d}.vs"


def snapshot_bytes(segment: bytes, sequence: int, chain: bytes, state: bytes) -> bytes:
    """A snapshot as bytes.

    Args:
        segment: The journal's segment, at least its header: it names build, account and epoch.
        sequence: The last batch that is in the state.
        chain: The journal's digest up to that batch.
        state: What the desk said of itself.
    """
    return make_snapshot(segment, sequence, chain, state)


def write_snapshot(files: Files, folder: Path, stream: str, sequence: int, data: bytes) -> None:
    """Writes a snapshot, whole or not at all, and removes all but the newest two.

    The journal must be on the device up to `sequence`: a snapshot ahead of its journal would be
    taken for a backup that was put back.

    Raises:
        OSError: The disk refused; an older snapshot is still there.
    """
    files.write_atomic(snapshot_path(folder, stream, sequence), data)
    for old in _names(files, folder, stream)[KEPT:]:
        files.remove(folder / old)


def read_snapshots(
    files: Files, folder: Path, *, stream: str, account: str, build: str | None = None
) -> list[Snapshot]:
    """Reads the snapshots of a journal, newest first; one that is damaged is passed over.

    Args:
        files: The door.
        folder: The journal's.
        stream: `trading` or `market`.
        account: As `venue/name`; those of another are passed over.
        build: Those of another build are passed over; None takes any.
    """
    found: list[Snapshot] = []
    for name in _names(files, folder, stream):
        try:
            facts = read_snapshot(files.read(folder / name))
        except ValueError:
            continue  # the journal alone is enough
        is_ours = facts["stream"] == stream and facts["account"] == account
        if is_ours and build in (None, facts["build"]):
            keys = ("sequence", "chain", "epoch", "build", "state")
            found.append(Snapshot(**{key: facts[key] for key in keys}))
    return found


def _names(files: Files, folder: Path, stream: str) -> list[str]:
    pattern = re.compile(rf"{stream}-snapshot-\d{{20}}\.vs")
    return sorted((name for name in files.list(folder) if pattern.fullmatch(name)), reverse=True)
