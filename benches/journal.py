"""J1 to J3: the journal on this machine's own disk.

    python benches/journal.py FOLDER [append|group|fsync|recovery] [--n N] [--plain]

`append` times single calls of `JournalWriter.append` under policy os. `group` and `fsync` time from
the call to the release of that batch, and take off what the device took for the very sync that
released it: what is more is ours. A bare write and fdatasync on a file of the same kind, in turn
with them, shows what that disk does for anybody. `recovery` opens a journal of N records:
reads it and checks every frame, the hash chain and that segments join, without and with a snapshot.

The processors are kept awake, as `veloz run --awake` does, where the system lets it; `--plain` lets
them sleep. What a release takes beyond the device is two wake-ups.
"""

import asyncio
import gc
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import uvloop
from timing import arguments, can_stay_awake, emit

from veloz._core import Journal
from veloz.net.real.awake import awake
from veloz.net.real.host import RealFiles, RealThreads
from veloz.storage.journal_resume import open_journal
from veloz.storage.journal_tail import native_tail
from veloz.storage.journal_writer import JournalWriter
from veloz.storage.snapshots import snapshot_bytes, write_snapshot

ACCOUNT = "bench/main"
STATE = b"s" * 40  # a batch of 95 bytes: an order command with its text has about as many
SIZES = {"append": 200_000, "group": 400, "fsync": 400, "recovery": 1_000_000}
PAUSE_S = 0.0005


@contextmanager
def fresh(data: str) -> Iterator[Path]:
    """A folder on the disk that is measured, removed afterwards."""
    folder = Path(data) / "journal"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ended_by(trouble) -> None:
    """A disk that is rather full is no trouble here; any other ends the bench."""
    if trouble.kind not in {"disk_low", "disk_very_low"}:
        sys.exit(trouble.detail)


def writer_in(folder: Path, threads: RealThreads, policy: str):
    """A writer, its journal, and its tail."""
    files, tails = RealFiles(), []

    def kept(*words):
        tails.append(native_tail(*words))
        return tails[-1]

    opened = open_journal(files, folder, account=ACCOUNT)
    writer = JournalWriter(
        files, threads, opened, make_tail=kept, policy=policy,
        on_trouble=ended_by,
    )  # fmt: skip
    return writer, Journal(ACCOUNT, "bench", opened.last, opened.epoch), tails[0]


def percentile(values: list[int], part: float) -> float:
    """In microseconds, of nanoseconds."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * part))] / 1000, 3)


def batches(journal: Journal, n: int) -> list[tuple[bytes, int]]:
    """What an engine would drain, made before the clock starts."""
    made = []
    for now_ns in range(n):
        sequence = journal.save(now_ns, STATE)
        made.append((journal.drain(), sequence))
    return made


async def append(folder: Path, n: int) -> None:
    threads = RealThreads()
    writer, journal, _ = writer_in(folder, threads, "os")
    made = batches(journal, n)
    took = []
    clock = time.perf_counter_ns
    gc.collect()
    gc.disable()  # as a live engine does
    for frames, sequence in made:
        start = clock()
        writer.append(frames, sequence)
        took.append(clock() - start)
    gc.enable()
    writer.close(journal.close(), journal.sequence)
    await threads.close()
    fields = {
        "append_p50_us": percentile(took, 0.50),
        "append_p99_us": percentile(took, 0.99),
        "append_p999_us": percentile(took, 0.999),
        "batch_bytes": len(made[-1][0]),
    }
    emit("J1", "appends/s", n, [sum(took) / 1e9], fields)


async def release(folder: Path, n: int, policy: str, *, is_awake: bool) -> None:
    threads = RealThreads()
    writer, journal, tail = writer_in(folder, threads, policy)
    files, bare_path = RealFiles(), folder / "bare"
    bare = files.open_segment(bare_path, 256 << 20)
    offset, took, device, bare_took = 0, [], [], []
    clock, loop = time.perf_counter_ns, asyncio.get_running_loop()
    for frames, sequence in batches(journal, n):
        start = clock()
        os.pwrite(bare, frames, offset)
        os.fdatasync(bare)
        bare_took.append(clock() - start)
        offset += len(frames)
        await asyncio.sleep(PAUSE_S)
        released = loop.create_future()
        start = clock()
        writer.append(frames, sequence)
        writer.when_released(sequence, lambda: released.set_result(clock()))  # noqa: B023
        took.append(await released - start)
        device.append(tail.sync_ns)
        await asyncio.sleep(PAUSE_S)
    writer.close(journal.close(), journal.sequence)
    files.close(bare)
    await threads.close()
    more = [ours - own for ours, own in zip(took, device, strict=True)]
    fields = {
        "release_p50_us": percentile(took, 0.50),
        "release_p99_us": percentile(took, 0.99),
        "fdatasync_p50_us": percentile(device, 0.50),
        "more_p50_us": percentile(more, 0.50),
        "more_p90_us": percentile(more, 0.90),
        "bare_p50_us": percentile(bare_took, 0.50),
        "awake": is_awake,
    }
    emit("J2", f"releases/s ({policy})", n, [sum(took) / 1e9], fields)


async def recovery(folder: Path, n: int, runs: int) -> None:
    threads, files = RealThreads(), RealFiles()
    writer, journal, _ = writer_in(folder, threads, "os")
    middle = n - n // 100
    for now_ns in range(n):
        journal.save(now_ns, STATE)
        if now_ns % 1000 == 999 or now_ns == n - 1:
            writer.append(journal.drain(), journal.sequence)
            await writer.tend()
            if writer.wants_roll:
                writer.roll(journal.roll(), journal.sequence)
    writer.close(journal.close(), journal.sequence)
    seconds = [opened_in(files, folder, n) for _ in range(runs)]
    reader = open_and_release(files, folder).readers[-1]
    chain = reader.chain_at(middle)
    segment = (folder / "trading-000001.vj").read_bytes()
    data = snapshot_bytes(segment, middle, chain, bytes(100_000))
    write_snapshot(files, folder, "trading", middle, data)
    with_snapshot = [opened_in(files, folder, n) for _ in range(runs)]
    if open_and_release(files, folder).snapshot is None:
        sys.exit("the snapshot was not taken")
    size = sum(files.size(folder / name) for name in files.list(folder) if name.endswith(".vj"))
    await threads.close()
    fields = {"journal_bytes": size, "with_snapshot_seconds": round(min(with_snapshot), 6)}
    emit("J3", "records/s read and checked", n, seconds, fields)


def opened_in(files: RealFiles, folder: Path, n: int) -> float:
    start = time.perf_counter()
    opened = open_and_release(files, folder)
    taken = time.perf_counter() - start
    if opened.sequence != n:
        sys.exit(f"{opened.sequence} of {n} batches came back")
    return taken


def open_and_release(files: RealFiles, folder: Path):
    opened = open_journal(files, folder, account=ACCOUNT)
    files.close(opened.lock)
    return opened


def main() -> None:
    """Run the bench and print its lines."""
    parser = arguments("J1 to J3: the journal on a disk.", n=0)
    parser.add_argument("what", nargs="?", choices=list(SIZES), help="one of them; else all")
    parser.add_argument("--plain", action="store_true", help="let the processors sleep")
    args = parser.parse_args()
    args.awake = not args.plain and can_stay_awake()
    with awake() if args.awake else nullcontext():
        measure(args)


def measure(args) -> None:
    """Each of what was asked for, in a folder of its own."""
    for what in [args.what] if args.what else list(SIZES)[::-1]:
        n = args.n or SIZES[what]
        with fresh(args.data) as folder:
            if what == "append":
                uvloop.run(append(folder, n))
            elif what == "recovery":
                uvloop.run(recovery(folder, n, args.runs))
            else:
                uvloop.run(release(folder, n, what, is_awake=args.awake))


if __name__ == "__main__":
    main()
