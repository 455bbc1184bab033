"""The disk in memory: what is durable stays, what is not is left to chance, and failures lie."""

from __future__ import annotations

import errno
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veloz.net.doors import Locked
from veloz.net.simulated.disk import Disk, Keep, PowerLost

FOLDER = Path("/j")
FILE = FOLDER / "segment"


def fresh(seed: int = 0, capacity: int = 1 << 20) -> Disk:
    disk = Disk(Random(seed), capacity)
    disk.make_folder(FOLDER)
    return disk


def test_synced_bytes_survive_and_others_may_be_lost_torn_or_out_of_order() -> None:
    seen: set[tuple[int, int]] = set()
    for seed in range(300):
        disk = fresh(seed)
        fd = disk.open_segment(FILE, 3 * 4096)
        disk.pwrite(fd, b"s" * 100, 0)
        disk.fdatasync(fd)
        disk.pwrite(fd, b"a" * 4096, 4096)
        disk.pwrite(fd, b"b" * 4096, 8192)
        disk.crash()
        image = disk.read(FILE)
        assert image[:100] == b"s" * 100
        first, second = image[4096:8192].count(b"a"), image[8192:].count(b"b")
        assert image[4096 : 4096 + first] == b"a" * first  # torn at a sector, from the front
        assert first % 512 == second % 512 == 0
        seen.add((first, second))
    assert {(0, 0), (4096, 4096), (0, 4096), (4096, 0)} <= seen  # the last two: out of order
    assert any(0 < first < 4096 for first, _ in seen)


@pytest.mark.parametrize(("keep", "left"), [("nothing", b"\0"), ("everything", b"x")])
def test_a_crash_can_be_exact(keep: Keep, left: bytes) -> None:
    disk = fresh()
    fd = disk.open_segment(FILE, 10)
    disk.pwrite(fd, b"x" * 10, 0)
    disk.crash(keep=keep)
    assert disk.read(FILE) == left * 10
    with pytest.raises(OSError, match="Bad file descriptor"):
        disk.pread(fd, 1, 0)


def test_f_h13_a_failed_sync_followed_by_a_good_one_has_lost_the_pages() -> None:
    disk = fresh()
    fd = disk.open_segment(FILE, 4096)
    disk.fail("fdatasync", errno.EIO)
    disk.pwrite(fd, b"gone", 0)
    with pytest.raises(OSError, match="Input/output"):
        disk.fdatasync(fd)
    disk.fdatasync(fd)  # succeeds, and means nothing
    assert disk.pread(fd, 4, 0) == b"gone"
    disk.crash(keep="nothing")
    assert disk.read(FILE)[:4] == b"\0\0\0\0"


def test_f_h12_a_full_disk_refuses_and_leaves_no_file_behind() -> None:
    disk = fresh(capacity=10_000)
    fd = disk.open_segment(FILE, 8_000)
    assert disk.free_bytes(FOLDER) == 2_000
    with pytest.raises(OSError, match="No space") as full:
        disk.open_segment(FOLDER / "next", 3_000)
    assert full.value.errno == errno.ENOSPC
    assert disk.list(FOLDER) == ["segment"]
    disk.pwrite(fd, b"reserved", 0)
    with pytest.raises(OSError, match="No space"):
        disk.write_atomic(FOLDER / "snapshot", bytes(2_001))
    disk.capacity = 8_000
    assert disk.free_bytes(FOLDER) == 0


def test_locks_exclude_and_die_with_the_process() -> None:
    disk = fresh()
    held = disk.lock(FOLDER / "lock")
    with pytest.raises(Locked):
        disk.lock(FOLDER / "lock")
    disk.close(held)
    disk.lock(FOLDER / "lock")
    disk.crash()
    disk.lock(FOLDER / "lock")


def test_the_power_is_off_until_the_crash_is_over() -> None:
    disk = fresh()
    told: list[str] = []
    disk.on_power_lost = lambda: told.append("lost")
    fd = disk.open_segment(FILE, 100)
    disk.pull_at(disk.steps + 2, after_bytes=3)
    disk.pwrite(fd, b"whole", 0)
    with pytest.raises(PowerLost):
        disk.pwrite(fd, b"broken", 5)
    with pytest.raises(PowerLost):
        disk.read(FILE)
    disk.crash(keep="everything")
    assert told == ["lost"]
    assert disk.read(FILE)[:11] == b"wholebro\0\0\0"


def log(disk: Disk, records: list[bytes], acknowledged: list[int]) -> None:
    """A log in the simplest form: length, record; synced after each."""
    fd, offset = disk.open_segment(FILE, 4096), 0
    for number, record in enumerate(records):
        disk.pwrite(fd, len(record).to_bytes(2, "big") + record, offset)
        disk.fdatasync(fd)
        acknowledged.append(number)
        offset += 2 + len(record)
    disk.write_atomic(FOLDER / "done", b"%d" % len(records))


@given(
    records=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8),
    seed=st.integers(min_value=0, max_value=2**32),
    after_bytes=st.none() | st.integers(min_value=0, max_value=45),
)
@settings(deadline=None, max_examples=50)
def test_no_acknowledged_record_is_lost_whenever_the_power_goes(
    records: list[bytes], seed: int, after_bytes: int | None
) -> None:
    whole = fresh()
    log(whole, records, [])
    for step in range(1, whole.steps + 1):
        disk, acknowledged = fresh(seed), list[int]()
        disk.pull_at(step, after_bytes=after_bytes)
        with pytest.raises(PowerLost):
            log(disk, records, acknowledged)
        disk.crash()
        image = disk.read(FILE) if disk.list(FOLDER) else b""
        offset = 0
        for number in acknowledged:
            size = int.from_bytes(image[offset : offset + 2], "big")
            assert image[offset + 2 : offset + 2 + size] == records[number]
            offset += 2 + size
        if "done" in disk.list(FOLDER):
            assert disk.read(FOLDER / "done") == b"%d" % len(records)
            assert len(acknowledged) == len(records)


def test_names_change_at_once_and_for_good() -> None:
    disk = fresh()
    disk.write_atomic(FOLDER / "b", b"2")
    disk.write_atomic(FOLDER / "a", b"1")
    disk.rename(FOLDER / "a", FOLDER / "c")
    assert (disk.list(FOLDER), disk.size(FOLDER / "c")) == (["b", "c"], 1)
    disk.remove(FOLDER / "b")
    disk.crash()
    assert disk.list(FOLDER) == ["c"]
    disk.flip(FOLDER / "c", 0)
    assert disk.read(FOLDER / "c") == b"0"
    with pytest.raises(FileNotFoundError):
        disk.read(FOLDER / "b")
    with pytest.raises(FileNotFoundError):
        disk.open_segment(Path("/nowhere/x"), 1)


def test_a_cut_is_durable_after_a_sync_and_a_chance_before() -> None:
    sizes = set()
    for seed in range(50):
        disk = fresh(seed)
        fd = disk.open_segment(FILE, 9_000)
        disk.pwrite(fd, b"x" * 9_000, 0)
        disk.fdatasync(fd)
        disk.truncate(fd, 5_000)
        disk.crash()
        image = disk.read(FILE)
        sizes.add(len(image))
        assert image[:4096] == b"x" * 4096
    assert sizes == {5_000, 9_000}
