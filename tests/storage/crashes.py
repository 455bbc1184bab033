"""A journal on a disk in memory, its process killed or its power cut anywhere, and what must hold.

Three lives: one that is ended where the test says, one that recovers and writes on, one that reads.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from veloz._core import Journal
from veloz.net.simulated import PowerLost, World
from veloz.storage.journal_resume import Opened, open_journal
from veloz.storage.journal_tail import Policy, door_tail
from veloz.storage.journal_writer import JournalWriter, Room, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from veloz.net.doors import Doors

FOLDER = Path("/journal")
ACCOUNT = "sim/main"
SMALL = Room(segment_bytes=8192, reserve_bytes=4096)


@dataclass
class Memory:
    """What the outside knows: what was asked to be written, and what was promised."""

    written: dict[int, bytes] = field(default_factory=dict[int, bytes])
    promised: int = 0
    snapshots: dict[int, bytes] = field(default_factory=dict[int, bytes])
    troubles: list[Trouble] = field(default_factory=list[Trouble])

    def compare(self, opened: Opened) -> None:
        """Nothing promised is missing, nothing else is there; what is there is promised now."""
        found = saved(opened)
        last = opened.sequence
        assert last >= self.promised, f"lost: {self.promised} was promised, {last} is there"
        assert found == {n: self.written[n] for n in found}, "invented or changed"
        assert set(found) >= set(range(first_of(opened), last + 1)), "a gap"
        if opened.snapshot is not None:
            assert opened.snapshot.state == self.snapshots[opened.snapshot.sequence]
        self.written = {n: state for n, state in self.written.items() if n <= last}
        self.promised = last

    def promise(self, sequence: int) -> Callable[[], None]:
        def keep() -> None:
            assert sequence >= self.promised, "released out of order"
            self.promised = sequence

        return keep


def first_of(opened: Opened) -> int:
    return opened.readers[0].header()["first_sequence"] if opened.readers else 1


def saved(opened: Opened) -> dict[int, bytes]:
    """The states in a journal, by sequence."""
    rows: list[dict[str, Any]] = []
    for reader in opened.readers:
        offset: int | None = 0
        while offset is not None:
            found, offset = reader.records(offset, 1000)
            rows += found
    return {row["batch_sequence"]: row["text"] for row in rows}


def writer_of(
    doors: Doors,
    opened: Opened,
    policy: Policy,
    *,
    room: Room = SMALL,
    heard: list[Trouble] | None = None,
) -> JournalWriter:
    """A writer over the doors; troubles go to `heard`."""
    return JournalWriter(
        doors.files,
        doors.threads,
        opened,
        make_tail=door_tail(doors.files, doors.threads),
        policy=policy,
        room=room,
        on_trouble=([] if heard is None else heard).append,
    )


async def life(
    doors: Doors,
    memory: Memory,
    *,
    policy: Policy,
    batches: int,
    dice: Random,
    room: Room = SMALL,
    is_closed: bool = True,
) -> None:
    """One process: recovers, writes batches at odd moments, rolls, takes a snapshot, closes."""
    opened = open_journal(doors.files, FOLDER, account=ACCOUNT)
    memory.compare(opened)
    journal = Journal(ACCOUNT, "test", opened.last, opened.epoch)
    writer = writer_of(doors, opened, policy, room=room, heard=memory.troubles)
    for number in range(batches):
        state = dice.randbytes(dice.randint(0, 600))
        sequence = journal.save(number, state)
        memory.written[sequence] = state
        writer.append(journal.drain(), sequence)
        writer.when_released(sequence, memory.promise(sequence))
        if dice.random() < 0.5:
            await asyncio.sleep(dice.random() * 0.002)
        if dice.random() < 0.5:
            await writer.tend()
        if writer.wants_roll:
            writer.roll(journal.roll(), journal.sequence)
        elif number == batches // 2:
            memory.snapshots[sequence] = dice.randbytes(300)
            await writer.snapshot(sequence, journal.chain, memory.snapshots[sequence])
    if is_closed:
        writer.close(journal.close(), journal.sequence)
        memory.promised = max(memory.promised, journal.sequence)


def scenario(
    seed: int,
    policy: Policy,
    pull: tuple[int, int | None] | None,
    *,
    keep: Any = "chance",
    batches: int = 12,
    pulls_in_recovery: list[tuple[int, int | None]] | None = None,
) -> int:
    """Runs the three lives; returns the changing calls that the first one made of the disk."""
    world = World(seed)
    memory = Memory()
    host = world.host("engine")

    async def until_cut(part: Any) -> None:
        task = asyncio.ensure_future(part)
        host.disk.on_power_lost = lambda: asyncio.get_running_loop().call_soon(task.cancel)
        try:
            await task
        except (PowerLost, asyncio.CancelledError):
            assert not host.disk.is_up
            if keep == "everything":
                host.kill()
            else:
                host.lose_power(keep=keep)
            if policy == "os" and keep != "everything":
                memory.promised = 0  # it survives the process, not the machine
        host.disk.on_power_lost = None

    async def main() -> int:
        if pull is not None:
            host.disk.pull_at(pull[0], after_bytes=pull[1])
        dice = world.dice("life")
        await until_cut(life(host.boot(), memory, policy=policy, batches=batches, dice=dice))
        steps = host.disk.steps
        host.disk.pull_at(0)  # if it was not reached, it is not meant for the lives that follow
        for step, after in pulls_in_recovery or []:
            host.disk.pull_at(host.disk.steps + step, after_bytes=after)
            more = life(host.boot(), memory, policy=policy, batches=3, dice=dice)
            await until_cut(more)
        await life(host.boot(), memory, policy=policy, batches=3, dice=dice)
        last = memory.promised
        opened = open_journal(host.boot().files, FOLDER, account=ACCOUNT, is_thorough=True)
        memory.compare(opened)
        assert opened.sequence == last
        assert opened.last is not None
        assert opened.last.check()["is_sealed"]
        assert opened.cut_bytes == 0
        return steps

    return world.run(main())
