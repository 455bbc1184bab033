"""A journal on a disk in memory: cut anywhere, its recovery too, and every bit of it flipped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.storage.crashes import (
    ACCOUNT,
    FOLDER,
    scenario,
    writer_of,
)

from veloz._core import Journal
from veloz.errors import DataError
from veloz.net.simulated import PowerLost, World
from veloz.storage.journal_resume import open_journal
from veloz.storage.journal_tail import Policy
from veloz.storage.journal_writer import Room

POLICIES: list[Policy] = ["group", "fsync", "os"]
KEEPS = ["nothing", "everything", "chance"]
FIRST = FOLDER / "trading-000001.vj"
WIDE = Room(segment_bytes=65536, reserve_bytes=8192)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("keep", KEEPS)
def test_f_h02_f_h14_a_crash_at_each_write_loses_and_invents_nothing(
    policy: Policy, keep: str
) -> None:
    for step in range(1, scenario(1, policy, None) + 1):
        for after in (None, 0, 1, 7, 100):
            scenario(1 if keep != "chance" else step, policy, (step, after), keep=keep)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("keep", KEEPS)
def test_f_h14_a_crash_at_each_byte_of_the_last_batch(policy: Policy, keep: str) -> None:
    size = len(batches_of(4)[-1])
    assert size > 100
    for after in range(size + 1):
        recovered = cut_in_the_last_batch(after, policy, keep, seed=after)
        if policy != "os" or keep == "everything":
            assert recovered >= 3
        if keep == "everything":
            assert recovered == (4 if after == size else 3)


def batches_of(count: int) -> list[bytes]:
    journal = Journal(ACCOUNT, "test")
    return [(journal.save(n, bytes([n]) * 100), journal.drain())[1] for n in range(count)]


def cut_in_the_last_batch(after: int, policy: Policy, keep: Any, seed: int) -> int:
    """Writes three batches and so many bytes of a fourth; how many batches recovery finds."""
    world = World(seed)
    host = world.host("engine")

    async def main() -> int:
        opened = open_journal(host.disk, FOLDER, account=ACCOUNT)
        writer = writer_of(host.boot(), opened, policy)
        *whole, last = batches_of(4)
        for sequence, frames in enumerate(whole, start=1):
            writer.append(frames, sequence)
        await asyncio.sleep(1)
        assert writer.released_sequence == 3
        host.disk.pull_at(host.disk.steps + 1, after_bytes=after)
        with pytest.raises(PowerLost):
            writer.append(last, 4)
        host.disk.crash(keep=keep)
        found = open_journal(host.disk, FOLDER, account=ACCOUNT)
        assert [b["text"] for r in found.readers for b in r.records(0, 9)[0]] == [
            bytes([n]) * 100 for n in range(found.sequence)
        ]
        return found.sequence

    return world.run(main())


@pytest.mark.parametrize("policy", POLICIES)
def test_f_h09_f_h10_crashes_in_recovery_again_and_again(policy: Policy) -> None:
    for seed in range(6):
        pulls = [(1 + (seed + number) % 9, (None, 0, 50)[number % 3]) for number in range(100)]
        keep = "everything" if seed % 3 == 0 else "chance"
        scenario(seed, policy, (20 + seed, 3), keep=keep, pulls_in_recovery=pulls)


@pytest.mark.parametrize(
    ("policy", "is_closed"),
    [("group", True), ("group", False), ("fsync", True), ("fsync", False), ("os", True)],
)
def test_f_h15_every_flipped_bit_is_found(policy: Policy, is_closed: bool) -> None:
    world = World(1)

    async def main() -> int:
        host = world.host("engine")
        opened = open_journal(host.disk, FOLDER, account=ACCOUNT)
        writer, journal = writer_of(host.boot(), opened, policy), Journal(ACCOUNT, "test")
        for number in range(4):
            sequence = journal.save(number, bytes(range(20)))
            writer.append(journal.drain(), sequence)
        if is_closed:
            writer.close(journal.close(), journal.sequence)
        else:
            await asyncio.sleep(1)
            host.kill()
        size = len(host.disk.read(FIRST).rstrip(b"\0"))
        image = host.disk.read(FIRST)
        for bit in range(8 * size):
            host.disk.flip(FIRST, bit)
            with pytest.raises(DataError, match="journal"):
                open_journal(host.disk, FOLDER, account=ACCOUNT)
            host.disk.flip(FIRST, bit)
        assert host.disk.read(FIRST) == image
        assert open_journal(host.disk, FOLDER, account=ACCOUNT).sequence == 4
        return size

    assert world.run(main()) > 1_000


def test_f_h15_under_os_too_a_flipped_bit_of_the_header_is_found() -> None:
    world = World(1)

    async def main() -> None:
        host = world.host("engine")
        opened = open_journal(host.disk, FOLDER, account=ACCOUNT)
        writer = writer_of(host.boot(), opened, "os")
        for sequence, frames in enumerate(batches_of(3), start=1):
            writer.append(frames, sequence)
        await asyncio.sleep(1)
        host.kill()
        for bit in range(0, 8 * len(batches_of(1)[0]), 7):
            host.disk.flip(FIRST, bit)
            with pytest.raises(DataError, match="journal"):
                open_journal(host.disk, FOLDER, account=ACCOUNT)
            host.disk.flip(FIRST, bit)

    world.run(main())


def test_f_h14_holes_that_pages_out_of_order_leave_are_cut() -> None:
    cut = kept = 0
    for seed in range(60):
        world = World(seed)
        host = world.host("engine")

        async def main(world: World = world, host: Any = host) -> tuple[int, int]:
            opened, dice = open_journal(host.disk, FOLDER, account=ACCOUNT), world.dice("states")
            writer, journal = writer_of(host.boot(), opened, "os", room=WIDE), Journal(ACCOUNT, "t")
            states = [dice.randbytes(300) for _ in range(150)]
            for number, state in enumerate(states):
                sequence = journal.save(number, state)
                writer.append(journal.drain(), sequence)
                if number == 20:
                    await asyncio.sleep(1)  # the header is on the disk
            host.lose_power()
            found = open_journal(host.disk, FOLDER, account=ACCOUNT)
            rows = [row["text"] for reader in found.readers for row in reader.records(0, 999)[0]]
            assert rows == states[: found.sequence]
            return found.cut_bytes, found.sequence

        bytes_cut, sequence = world.run(main())
        cut += bytes_cut > 4096  # more than a batch: whole ones stood behind the hole
        kept += sequence > 0
    assert cut > 10
    assert kept > 10
