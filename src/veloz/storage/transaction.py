"""Changes of a catalogue that happen altogether or not at all.

    begin ─► files written and synced under .staging/ ─► commit.json ─► renames ─► .staging removed
               a crash here leaves nothing                 a crash here is rolled forward

One process changes a catalogue at a time (a lock on `.lock`). Whoever opens the catalogue next
finishes what an interrupted commit began and sweeps away what an interrupted import left.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from veloz.errors import DataError

STAGING = ".staging"
_LOCK = ".lock"
_COMMIT = "commit.json"


class Transaction:
    """Files on their way into a catalogue; made by `transaction`."""

    def __init__(self, root: Path) -> None:
        """Prepares an empty staging folder."""
        self.root = root
        self.staging = root / STAGING
        self.staging.mkdir()
        self._moves: list[str] = []
        self._deletes: list[str] = []

    def path_for(self, relative: str) -> Path:
        """Where to write the file that will stand at `relative` once committed."""
        path = self.staging / "files" / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        if relative not in self._moves:
            self._moves.append(relative)
        return path

    def write(self, relative: str, content: str) -> None:
        """Stages a text file."""
        self.path_for(relative).write_text(content, encoding="utf-8")

    def delete(self, relative: str) -> None:
        """Takes a file out of the catalogue, unless the same name is written."""
        self._deletes.append(relative)

    @property
    def scratch(self) -> Path:
        """A folder for work files; gone after the transaction."""
        path = self.staging / "scratch"
        path.mkdir(exist_ok=True)
        return path

    def commit(self) -> None:
        """Makes all staged files visible, durably."""
        for relative in self._moves:
            _sync(self.staging / "files" / relative)
        deletes = [name for name in self._deletes if name not in self._moves]
        plan = self.staging / _COMMIT
        draft = plan.with_suffix(".tmp")
        draft.write_text(json.dumps({"moves": self._moves, "deletes": deletes}), encoding="utf-8")
        _sync(draft)
        draft.replace(plan)
        _sync(self.staging)
        _roll_forward(self.root)


@contextmanager
def transaction(root: Path) -> Generator[Transaction]:
    """A transaction on a catalogue; what is not committed at the end is thrown away.

    Raises:
        DataError: If another process is changing the catalogue.
    """
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root) as mine:
        if not mine:
            raise DataError(
                f"another process is changing the catalogue {root}: wait for it to end, "
                "then try again"
            )
        _settle(root)
        try:
            yield Transaction(root)
        finally:
            shutil.rmtree(root / STAGING, ignore_errors=True)


def recover(root: Path) -> None:
    """Finishes or sweeps away what an interrupted change left, unless one is under way."""
    if not (root / STAGING).exists():
        return
    with _locked(root) as mine:
        if mine:
            _settle(root)


def _settle(root: Path) -> None:
    if (root / STAGING / _COMMIT).exists():
        _roll_forward(root)
    shutil.rmtree(root / STAGING, ignore_errors=True)


def _roll_forward(root: Path) -> None:
    staging = root / STAGING
    plan = json.loads((staging / _COMMIT).read_text(encoding="utf-8"))
    folders = set()
    for relative in plan["moves"]:
        source, target = staging / "files" / relative, root / relative
        if source.exists():  # else it was moved before the interruption
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
            folders.update(p for p in target.parents if p.is_relative_to(root))
    for relative in plan["deletes"]:
        (root / relative).unlink(missing_ok=True)
    for folder in folders:
        _sync(folder)


@contextmanager
def _locked(root: Path) -> Generator[bool]:
    with (root / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
