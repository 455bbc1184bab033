"""The writer of a live journal: releases, rolls, snapshots, full and failing disks, refusals."""

from __future__ import annotations

import asyncio
import errno
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.storage.crashes import ACCOUNT, FOLDER, SMALL, Memory, life, saved, writer_of

from veloz._core import Journal
from veloz.errors import ConfigError, DataError
from veloz.net.simulated import World
from veloz.storage.journal_resume import lock_account, open_journal
from veloz.storage.journal_writer import JournalSealed, JournalWriter, Room, Trouble
from veloz.storage.snapshots import snapshot_bytes, snapshot_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from veloz.net.simulated.world import Host
    from veloz.storage.journal_tail import Policy

FIRST = FOLDER / "trading-000001.vj"


class Engine:
    """A journal and its writer on a simulated host."""

    def __init__(self, host: Host, policy: Policy = "group", room: Room = SMALL) -> None:
        self.troubles: list[Trouble] = []
        self.opened = open_journal(host.disk, FOLDER, account=ACCOUNT)
        self.journal = Journal(ACCOUNT, "test", self.opened.last, self.opened.epoch)
        self.writer: JournalWriter = writer_of(
            host.boot(), self.opened, policy, room=room, heard=self.troubles
        )

    def write(self, size: int = 100) -> int:
        sequence = self.journal.save(0, b"x" * size)
        self.writer.append(self.journal.drain(), sequence)
        return sequence

    def close(self) -> None:
        self.writer.close(self.journal.close(), self.journal.sequence)

    @property
    def kinds(self) -> list[str]:
        return [trouble.kind for trouble in self.troubles]


def on_a_host(seed: int = 1) -> Callable[[Callable[[Host], Awaitable[None]]], None]:
    """Runs the test that follows on a fresh host."""
    world = World(seed)

    def run(main: Callable[[Host], Awaitable[None]]) -> None:
        async def whole() -> None:
            await main(world.host("engine"))

        world.run(whole())

    return run


def test_group_releases_together_what_came_during_a_sync() -> None:
    async def main(host: Host) -> None:
        engine, released = Engine(host), list[int]()
        for sequence in (engine.write() for _ in range(20)):
            engine.writer.when_released(sequence, partial(released.append, sequence))
        assert released == []
        syncs = host.disk.steps
        await asyncio.sleep(1)
        assert released == list(range(1, 21))
        assert host.disk.steps - syncs == 4  # two syncs, two marks
        engine.close()

    on_a_host()(main)


def test_fsync_syncs_each_batch_and_os_releases_what_is_written() -> None:
    async def main(host: Host) -> None:
        engine = Engine(host, "fsync")
        [engine.write() for _ in range(5)]
        syncs = host.disk.steps
        await asyncio.sleep(1)
        assert engine.writer.released_sequence == 5
        assert host.disk.steps - syncs == 10
        engine.close()
        again, released = Engine(host, "os"), list[int]()
        again.writer.when_released(6, lambda: released.append(6))
        assert released == []
        again.write()
        assert released == [6]
        again.writer.when_released(6, lambda: released.append(66))
        assert released == [6, 66]
        again.close()

    on_a_host()(main)


def test_a_callback_that_raises_takes_no_release_from_the_others() -> None:
    async def main(host: Host) -> None:
        engine, released = Engine(host), list[int]()
        heard: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: heard.append(what))
        first, second = engine.write(), engine.write()
        engine.writer.when_released(first, lambda: 1 // 0)  # type: ignore[arg-type,return-value]
        engine.writer.when_released(second, lambda: released.append(second))
        await asyncio.sleep(1)
        assert released == [second]
        assert isinstance(heard[0]["exception"], ZeroDivisionError)
        engine.close()

    on_a_host()(main)


@pytest.mark.parametrize("policy", ["group", "fsync", "os"])
def test_f_h13_a_failed_sync_seals_for_ever_and_recovery_goes_on_in_a_new_file(
    policy: Policy,
) -> None:
    async def main(host: Host) -> None:
        engine, released = Engine(host, policy), list[int]()
        engine.write()
        await asyncio.sleep(1)
        host.disk.fail("fdatasync", errno.EIO)
        sequence = engine.write(9_000)  # pages that the disk drops, and says nothing of later
        if policy == "os":
            released.append(sequence)
            with pytest.raises(JournalSealed):
                await engine.writer.snapshot(sequence, engine.journal.chain, b"")
        else:
            engine.writer.when_released(sequence, partial(released.append, sequence))
            await asyncio.sleep(1)
            assert released == []
        assert engine.kinds == ["sealed"]
        assert not engine.writer.takes_orders
        for _ in range(3):  # the next sync would succeed, and prove nothing
            with pytest.raises(JournalSealed, match="Input/output error"):
                engine.write()
        with pytest.raises(JournalSealed):
            engine.writer.when_released(sequence, lambda: None)
        engine.writer.close()
        again = Engine(host)
        assert again.opened.segment == 1
        assert again.opened.sequence == 2  # still in the page cache, and written anew
        host.lose_power(keep="nothing")
        assert open_journal(host.disk, FOLDER, account=ACCOUNT).sequence == 2

    on_a_host()(main)


def test_f_h13_a_failed_write_seals() -> None:
    async def main(host: Host) -> None:
        engine = Engine(host)
        engine.write()
        await asyncio.sleep(1)
        host.disk.fail("pwrite", errno.EIO)
        with pytest.raises(JournalSealed):
            engine.write()
        with pytest.raises(JournalSealed):
            engine.write()
        assert engine.kinds == ["sealed"]
        engine.writer.close()
        assert Engine(host).opened.sequence == 1

    on_a_host()(main)


def test_f_h12_a_full_disk_stops_orders_and_the_reserve_takes_cancels() -> None:
    async def main(host: Host) -> None:
        engine = Engine(host)
        host.disk.capacity = host.disk.capacity - host.disk.free_bytes(FOLDER) + 1000
        while engine.writer.takes_orders:
            engine.write(200)
            await engine.writer.tend()
        assert engine.kinds == ["disk_low", "no_room"]
        assert not engine.writer.wants_roll
        cancels = [engine.write(20) for _ in range(20)]
        released: list[int] = []
        engine.writer.when_released(cancels[-1], lambda: released.append(cancels[-1]))
        await asyncio.sleep(1)
        assert released == [cancels[-1]]
        host.disk.capacity += 1 << 20  # an operator made room
        await engine.writer.tend()
        assert engine.kinds[2:] == ["room_again"]
        assert engine.writer.takes_orders
        engine.writer.roll(engine.journal.roll(), engine.journal.sequence)
        engine.write()
        engine.close()
        assert open_journal(host.disk, FOLDER, account=ACCOUNT).sequence == cancels[-1] + 1

    on_a_host()(main)


def test_f_h12_alarms_come_at_20_and_5_percent_once_each() -> None:
    async def main(host: Host) -> None:
        engine = Engine(host)
        used = host.disk.capacity - host.disk.free_bytes(FOLDER)
        for free in (0.3, 0.19, 0.18, 0.04, 0.03, 0.18, 0.5, 0.19):
            host.disk.capacity = int(used / (1 - free))
            await engine.writer.tend()
        assert engine.kinds == ["disk_low", "disk_very_low", "disk_low"]
        assert "19.0% of the disk" in engine.troubles[0].detail
        host.disk.capacity = 1 << 30
        engine.close()

    on_a_host()(main)


def test_f_h12_when_the_reserve_is_full_too_the_journal_is_sealed() -> None:
    async def main(host: Host) -> None:
        engine = Engine(host)
        host.disk.capacity = host.disk.capacity - host.disk.free_bytes(FOLDER)
        sizes = [100] * 1000
        with pytest.raises(JournalSealed, match="No space left"):
            list(map(engine.write, sizes))
        host.disk.capacity = 1 << 30
        promised = engine.writer.released_sequence
        engine.writer.close()
        assert Engine(host).opened.sequence >= promised

    on_a_host()(main)


def test_segments_roll_and_the_chain_goes_on() -> None:
    async def main(host: Host) -> None:
        engine = Engine(host)
        rolls = 0
        for _ in range(100):
            engine.write(300)
            await engine.writer.tend()
            if engine.writer.wants_roll:
                engine.writer.roll(engine.journal.roll(), engine.journal.sequence)
                rolls += 1
        engine.close()
        assert rolls > 5
        names = [name for name in host.disk.list(FOLDER) if name.endswith(".vj")]
        assert len(names) == rolls + 1  # the room made ahead is gone
        opened = open_journal(host.disk, FOLDER, account=ACCOUNT)
        assert (opened.sequence, opened.segment, opened.epoch) == (100, rolls + 1, 2)
        assert list(saved(opened)) == list(range(1, 101))

    on_a_host()(main)


def test_nothing_in_a_new_segment_is_released_before_the_old_one_is_on_the_disk() -> None:
    async def main(host: Host) -> None:
        engine = Engine(host)
        while not engine.writer.wants_roll:
            engine.write(300)
            await engine.writer.tend()
        await asyncio.sleep(1)
        engine.write()
        steps = host.disk.steps
        # until the disk has synced it, and nobody knows yet
        while host.disk.steps == steps:  # noqa: ASYNC110 - the disk knows no events
            await asyncio.sleep(1e-6)
        engine.write()
        engine.writer.roll(engine.journal.roll(), engine.journal.sequence)
        sequence, released = engine.write(), asyncio.Event()
        engine.writer.when_released(sequence, released.set)
        await released.wait()
        host.lose_power(keep="nothing")
        assert open_journal(host.disk, FOLDER, account=ACCOUNT).sequence == sequence

    on_a_host()(main)


def test_rolling_before_there_is_room_is_an_error() -> None:
    async def main(host: Host) -> None:
        engine = Engine(host)
        with pytest.raises(ValueError, match="wants_roll"):
            engine.writer.roll(b"", 0)
        engine.close()

    on_a_host()(main)


def test_the_newest_snapshot_that_fits_is_found_and_what_is_before_it_not_read() -> None:
    async def main(host: Host) -> None:
        memory, dice = Memory(), World(1).dice("life")
        await life(host.boot(), memory, policy="group", batches=100, dice=dice)
        opened = open_journal(host.disk, FOLDER, account=ACCOUNT)
        host.disk.close(opened.lock)
        assert opened.snapshot is not None
        assert opened.readers[0].header()["segment"] > 1
        assert opened.readers[0].header()["first_sequence"] <= opened.snapshot.sequence
        whole = open_journal(host.disk, FOLDER, account=ACCOUNT, is_thorough=True)
        host.disk.close(whole.lock)
        assert whole.readers[0].header()["segment"] == 1
        path = snapshot_path(FOLDER, "trading", opened.snapshot.sequence)
        host.disk.flip(path, 8 * host.disk.size(path) - 300)
        without = open_journal(host.disk, FOLDER, account=ACCOUNT)
        assert without.snapshot is None
        assert without.readers[0].header()["segment"] == 1
        assert without.sequence == opened.sequence

    on_a_host()(main)


def test_two_snapshots_are_kept() -> None:
    async def main(host: Host) -> None:
        engine = Engine(host)
        for _ in range(4):
            sequence = engine.write()
            await engine.writer.snapshot(sequence, engine.journal.chain, b"state")
        names = [name for name in host.disk.list(FOLDER) if name.endswith(".vs")]
        assert [int(name[-23:-3]) for name in names] == [3, 4]
        with pytest.raises(ValueError, match="batch 9 is not written"):
            await engine.writer.snapshot(9, engine.journal.chain, b"")
        engine.close()

    on_a_host()(main)


def test_f_h17_a_second_engine_is_refused_until_the_first_is_gone() -> None:
    async def main(host: Host) -> None:
        engine = Engine(host)
        with pytest.raises(ConfigError, match="in use by another process"):
            open_journal(host.disk, FOLDER, account=ACCOUNT)
        lock = lock_account(host.disk, Path("/accounts"), "binance/main")
        with pytest.raises(ConfigError, match="the account binance/main is in use"):
            lock_account(host.disk, Path("/accounts"), "binance/main")
        lock_account(host.disk, Path("/accounts"), "binance/other")
        host.disk.close(lock)
        lock_account(host.disk, Path("/accounts"), "binance/main")
        engine.close()
        open_journal(host.disk, FOLDER, account=ACCOUNT)

    on_a_host()(main)


def test_f_h17_a_folder_that_cannot_be_written_is_refused() -> None:
    async def main(host: Host) -> None:
        host.disk.fail("lock", errno.EROFS)
        with pytest.raises(ConfigError, match="cannot be written by this user"):
            open_journal(host.disk, FOLDER, account=ACCOUNT)

    on_a_host()(main)


def test_f_h16_another_accounts_another_formats_and_older_journals_are_refused() -> None:
    async def main(host: Host) -> None:
        engine = Engine(host)
        for _ in range(3):
            engine.write()
        await asyncio.sleep(1)
        host.kill()
        early = host.disk.read(FIRST)
        engine = Engine(host)
        engine.write()
        engine.close()
        disk = host.disk
        with pytest.raises(ConfigError, match=r"of 'sim/main', not of 'sim/other'"):
            open_journal(disk, FOLDER, account="sim/other")
        disk.flip(FIRST, 8 * 8 + 1)  # the format, 1 to 3
        with pytest.raises(DataError, match="has journal format 3 and this build reads format 1"):
            open_journal(disk, FOLDER, account=ACCOUNT)
        disk.flip(FIRST, 8 * 8 + 1)
        second, held = FOLDER / "trading-000002.vj", disk.read(FOLDER / "trading-000002.vj")
        disk.remove(second)
        with pytest.raises(DataError, match="older than it once was: segment 2"):
            open_journal(disk, FOLDER, account=ACCOUNT)
        disk.write_atomic(second, early)
        with pytest.raises(DataError, match="does not continue the segment before it"):
            open_journal(disk, FOLDER, account=ACCOUNT)
        disk.write_atomic(second, held)
        disk.remove(FIRST)
        with pytest.raises(DataError, match="one is missing"):
            open_journal(disk, FOLDER, account=ACCOUNT)
        disk.write_atomic(FIRST, early)
        assert open_journal(disk, FOLDER, account=ACCOUNT).sequence == 4

    on_a_host()(main)


def test_f_h16_a_journal_behind_its_snapshot_is_older() -> None:
    async def main(host: Host) -> None:
        engine = Engine(host)
        engine.write()
        engine.close()
        data = snapshot_bytes(host.disk.read(FIRST), 7, bytes(32), b"state")
        host.disk.write_atomic(snapshot_path(FOLDER, "trading", 7), data)
        with pytest.raises(DataError, match="a snapshot of batch 7 and ends at 1"):
            open_journal(host.disk, FOLDER, account=ACCOUNT)

    on_a_host()(main)


def test_without_its_mark_a_journal_with_a_torn_end_opens_and_one_with_a_hole_does_not() -> None:
    async def main(host: Host) -> None:
        engine = Engine(host)
        for _ in range(5):
            engine.write()
        engine.close()
        disk, whole = host.disk, host.disk.read(FIRST)
        disk.remove(FOLDER / "trading.mark")
        disk.write_atomic(FIRST, whole[:-200])
        opened = open_journal(disk, FOLDER, account=ACCOUNT)
        assert opened.sequence == 3 + (opened.cut_bytes == 0)
        disk.close(opened.lock)
        disk.remove(FOLDER / "trading.mark")
        disk.write_atomic(FIRST, whole[:-400] + b"\0" * 50 + whole[-350:])
        with pytest.raises(DataError, match="is changed from batch"):
            open_journal(disk, FOLDER, account=ACCOUNT)

    on_a_host()(main)
