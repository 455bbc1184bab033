"""A run's journal comes back whole, whether it stayed in memory or went to disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from veloz.environments import spool
from veloz.environments.spool import JournalSpool


@pytest.mark.parametrize("memory_bytes", [0, 7, 10, 11, 1_000])
def test_the_bytes_are_the_same_in_memory_and_on_disk(
    memory_bytes: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spool, "MEMORY_BYTES", memory_bytes)
    parts = [b"head", b"", b"first ", b"second", b" third"]
    kept = JournalSpool()
    for at, part in enumerate(parts):
        kept.write(part)
        # Reading in between neither loses nor repeats anything.
        assert kept.read() == b"".join(parts[: at + 1])
    kept.close()
    kept.save(tmp_path / "journal")
    assert (tmp_path / "journal").read_bytes() == b"headfirst second third"
    assert kept.read() == b"headfirst second third"


def test_a_journal_is_never_written_over_another(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"of an earlier run")
    with pytest.raises(FileExistsError):
        JournalSpool().save(tmp_path / "journal")
    assert (tmp_path / "journal").read_bytes() == b"of an earlier run"


def test_the_blocks_of_a_spool_that_is_gone_serve_the_next() -> None:
    first = JournalSpool()
    first.write(b"first")
    first.write(b"x" * (spool.BLOCK_BYTES + 1))  # an unusual size, which is not kept
    (block,) = [block for block in first._blocks if len(block) == spool.BLOCK_BYTES]
    del first
    assert spool._spare[-1] is block
    second = JournalSpool()
    room = second.room(3)
    assert room is block
    room[:3] = b"new"
    assert second.read() == b"new"  # nothing of what stood there before


def test_blocks_are_kept_for_no_more_than_a_spool_holds_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spool, "_spare", [])
    monkeypatch.setattr(spool, "MEMORY_BYTES", 2 * spool.BLOCK_BYTES + 1)
    spools = [JournalSpool() for _ in range(3)]
    for one in spools:
        one.write(b"journal")
    spools.clear()
    assert len(spool._spare) == 2
