"""The journal on a real disk: the native tail, readers in other processes, and kill -9."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from tests.storage.journal_child import ACCOUNT, state_of

from veloz._core import Journal, JournalTail, newest_sync_mark
from veloz.net.real.host import RealFiles, RealThreads
from veloz.storage import journal
from veloz.storage.journal_cursor import JournalCursor
from veloz.storage.journal_resume import mark_path, open_journal, segment_path
from veloz.storage.journal_tail import MakeTail, Policy, door_tail, native_tail
from veloz.storage.journal_writer import JournalSealed, JournalWriter, Room, Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CHILD = Path(__file__).with_name("journal_child.py")
SMALL = Room(segment_bytes=16 * 1024, reserve_bytes=4 * 1024)
POLICIES: list[Policy] = ["os", "group", "fsync"]


def on_disk(main: Callable[[RealThreads], Awaitable[None]]) -> None:
    async def whole() -> None:
        threads = RealThreads()
        try:
            await main(threads)
        finally:
            await threads.close()

    asyncio.run(whole())


async def written(
    folder: Path, threads: RealThreads, make_tail: MakeTail, policy: Policy, batches: int
) -> list[int]:
    """Writes a journal that rolls; the sequences in the order of their release."""
    files, released = RealFiles(), list[int]()
    opened = open_journal(files, folder, account=ACCOUNT)
    writer = JournalWriter(
        files, threads, opened,
        make_tail=make_tail, policy=policy, room=SMALL, on_trouble=lambda trouble: None,
    )  # fmt: skip
    source = Journal(ACCOUNT, "test", opened.last, opened.epoch)
    for number in range(batches):
        sequence = source.save(number, state_of(number))
        writer.append(source.drain(), sequence)
        writer.when_released(sequence, lambda sequence=sequence: released.append(sequence))
        if number % 10 == 0:
            await writer.tend()
            if writer.wants_roll:
                writer.roll(source.roll(), source.sequence)
    await writer.snapshot(source.sequence, source.chain, b"state")
    writer.close(source.close(), source.sequence)
    return released


@pytest.mark.parametrize("policy", POLICIES)
def test_the_native_tail_and_the_one_over_the_doors_do_the_same(
    tmp_path: Path, policy: Policy
) -> None:
    async def main(threads: RealThreads) -> None:
        first = await written(tmp_path / "a", threads, native_tail, policy, 300)
        through = door_tail(RealFiles(), threads)
        second = await written(tmp_path / "b", threads, through, policy, 300)
        assert first == second == list(range(1, 301))

    on_disk(main)
    names, others = (RealFiles().list(tmp_path / name) for name in "ab")
    assert names == others
    assert len([name for name in names if name.endswith(".vj")]) > 3
    for name in names:
        if name.endswith((".vj", ".vs")):
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    marks = [newest_sync_mark(mark_path(tmp_path / x, "trading").read_bytes()) for x in "ab"]
    assert marks[0] == marks[1]
    assert journal.verify(tmp_path / "a").is_whole


def test_f_h13_a_native_write_or_sync_that_fails_is_an_error_for_ever(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mark.write_bytes(bytes(1024))
    full = JournalTail("os", "/dev/full", 1, mark, 0)
    for _ in range(2):
        with pytest.raises(OSError, match="No space left") as raised:
            full.append(b"x" * 100, 1)
        assert raised.value.errno == errno.ENOSPC
    full.close()
    void = JournalTail("group", "/dev/null", 1, mark, 0)  # takes bytes, and cannot be synced
    void.append(b"x", 1)
    with pytest.raises(OSError, match="sync failed"):
        void.sync()
    with pytest.raises(OSError, match="sync failed"):
        void.append(b"x", 2)
    assert void.released == 0
    void.close()
    with pytest.raises(ValueError, match="no journal policy sometimes"):
        JournalTail("sometimes", "/dev/null", 1, mark, 0)
    with pytest.raises(FileNotFoundError):
        JournalTail("os", tmp_path / "nowhere", 1, mark, 0)


def test_f_h13_a_sync_that_fails_in_the_thread_seals_the_writer(tmp_path: Path) -> None:
    async def main(threads: RealThreads) -> None:
        files, troubles, sealed = RealFiles(), list[Trouble](), asyncio.Event()

        def hear(trouble: Trouble) -> None:
            troubles.append(trouble)
            sealed.set()

        def into_the_void(policy: Any, path: Any, *rest: Any) -> Any:
            return native_tail(policy, Path("/dev/null"), *rest)

        writer = JournalWriter(
            files, threads, open_journal(files, tmp_path, account=ACCOUNT),
            make_tail=into_the_void, on_trouble=hear,
        )  # fmt: skip
        source = Journal(ACCOUNT, "test")
        sequence = source.save(0, b"state")
        writer.append(source.drain(), sequence)
        writer.when_released(sequence, lambda: pytest.fail("it was released"))
        await sealed.wait()
        with pytest.raises(JournalSealed):
            writer.append(b"more", 2)
        writer.close()
        assert [trouble.kind for trouble in troubles] == ["sealed"]

    on_disk(main)


def test_a_cursor_sees_whole_batches_only_and_each_once(tmp_path: Path) -> None:
    source = Journal(ACCOUNT, "test")
    first = [(source.save(n, bytes([n]) * 30), source.drain())[1] for n in range(4)]
    first.append(source.roll())
    second = [(source.save(n, bytes([n]) * 30), source.drain())[1] for n in range(4, 6)]
    second.append(source.close())
    path = segment_path(tmp_path, "trading", 1)
    path.write_bytes(bytes(16384))
    cursor, seen = JournalCursor(tmp_path), list[int]()
    for number, batches in ((1, first), (2, second)):
        path = segment_path(tmp_path, "trading", number)
        path.write_bytes(bytes(16384))
        with path.open("r+b") as file:
            for batch in batches:
                whole = len(seen)
                for byte in batch:
                    file.write(bytes([byte]))
                    file.flush()
                    seen += [row["batch_sequence"] for row in cursor.read()]
                    assert len(seen) - whole <= 1
    assert seen == [1, 2, 3, 4, 5, 6]
    assert cursor.is_at_end
    assert cursor.chain == journal.verify(tmp_path).chain
    assert cursor.sequence == 6
    cursor.close()
    for after in range(7):
        with JournalCursor(tmp_path, after=after) as again:
            assert [row["batch_sequence"] for row in all_of(again)] == seen[after:]


def all_of(cursor: JournalCursor) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while more := cursor.read():
        rows += more
    return rows


def test_a_cursor_names_damage_and_a_journal_that_was_cut_behind_it(tmp_path: Path) -> None:
    source = Journal(ACCOUNT, "test")
    for n in range(1000):
        source.save(n, state_of(n))
    whole = source.drain()
    path = segment_path(tmp_path, "trading", 1)
    path.write_bytes(whole)
    with JournalCursor(tmp_path) as cursor:
        assert len(cursor.read()) == 1000
        shorter = Journal(ACCOUNT, "test")
        shorter.save(0, state_of(0))
        path.write_bytes(shorter.drain())
        following = Journal(ACCOUNT, "test", next(journal.readers(path))[1], 2)
        segment_path(tmp_path, "trading", 2).write_bytes(following.drain())
        with pytest.raises(journal.JournalBroken, match="cut behind what was read"):
            cursor.read()
    with pytest.raises(FileNotFoundError, match="no journal segment"):
        JournalCursor(tmp_path / "elsewhere")


def test_verify_passes_over_room_that_a_live_writer_made_ahead(tmp_path: Path) -> None:
    source = Journal(ACCOUNT, "test")
    source.save(0, b"state")
    segment_path(tmp_path, "trading", 1).write_bytes(source.drain() + bytes(5000))
    segment_path(tmp_path, "trading", 2).write_bytes(bytes(5000))
    check = journal.verify(tmp_path)
    assert (check.trouble, check.batches, check.torn_bytes) == (None, 1, 0)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_killed_process_loses_nothing_that_it_released(tmp_path: Path, policy: Policy) -> None:
    assert kills(tmp_path, policy, 1) > 0


@pytest.mark.long
def test_200_kills_lose_and_invent_nothing(tmp_path: Path) -> None:
    times = max(3, round(200 * float(os.environ.get("VELOZ_LONG", "1"))))
    assert kills(tmp_path, "group", times) > times


def kills(folder: Path, policy: Policy, times: int) -> int:
    """Starts and kills a writer so many times; returns the batches that are in its journal."""
    dice, files, seen = Random(times), RealFiles(), list[int]()
    cursor: JournalCursor | None = None
    for number in range(times):
        words = [sys.executable, str(CHILD), str(folder), policy, str(number)]
        said = killed(words, dice.random() * 0.05)
        cursor = cursor or JournalCursor(folder)
        seen += [row["batch_sequence"] for row in all_of(cursor)]
        opened = open_journal(files, folder, account=ACCOUNT, is_thorough=True)
        files.close(opened.lock)
        assert opened.sequence >= max(said)
        assert seen == list(range(1, opened.sequence + 1))
    found = {row["batch_sequence"]: row["text"] for row in journal.records(folder)}
    assert found == {n: state_of(n) for n in range(1, len(seen) + 1)}
    assert cursor is not None
    cursor.close()
    return len(found)


def killed(words: list[str], delay_s: float) -> list[int]:
    """Starts a writer and kills it so long after its first release; what it released."""
    with subprocess.Popen(words, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        assert first, "the writer ended by itself"
        try:
            child.wait(delay_s)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        lines = child.stdout.read().split(b"\n")[:-1]  # a line may be cut off
    assert child.returncode == -signal.SIGKILL, "the writer ended by itself"
    return [int(line) for line in (first, *lines)]
