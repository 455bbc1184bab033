"""A process that journals until it is killed, and says which batches were released.

python journal_child.py FOLDER POLICY SEED
"""

import asyncio
import hashlib
import os
import sys
from pathlib import Path
from random import Random

from veloz._core import Journal
from veloz.net.real.host import RealFiles, RealThreads
from veloz.storage.journal_resume import open_journal
from veloz.storage.journal_tail import native_tail
from veloz.storage.journal_writer import JournalWriter, Room, Trouble

ACCOUNT = "kill/main"


def state_of(sequence: int) -> bytes:
    """What the batch of that sequence holds, in every life."""
    digest = hashlib.sha256(str(sequence).encode()).digest()
    return digest * (1 + digest[0] % 12)


def ended_by(trouble: Trouble) -> None:
    """A disk that is rather full is no trouble here; any other ends the process."""
    if trouble.kind not in {"disk_low", "disk_very_low"}:
        sys.exit(trouble.detail)


async def main(folder: Path, policy: str, dice: Random) -> None:
    files, threads = RealFiles(), RealThreads()
    opened = open_journal(files, folder, account=ACCOUNT)
    journal = Journal(ACCOUNT, "child", opened.last, opened.epoch)
    writer = JournalWriter(
        files, threads, opened, make_tail=native_tail, policy=policy,
        room=Room(segment_bytes=64 * 1024, reserve_bytes=16 * 1024),
        on_trouble=ended_by,
    )  # fmt: skip

    def say(sequence: int) -> None:
        os.write(1, b"%d\n" % sequence)

    while True:
        for _ in range(dice.randint(1, 20)):
            sequence = journal.save(0, state_of(journal.sequence + 1))
            writer.append(journal.drain(), sequence)
            writer.when_released(sequence, lambda sequence=sequence: say(sequence))
        await writer.tend()
        if writer.wants_roll:
            writer.roll(journal.roll(), journal.sequence)
        elif dice.random() < 0.1:
            await writer.snapshot(journal.sequence, journal.chain, b"state")
        await asyncio.sleep(dice.random() * 0.002)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], Random(sys.argv[3])))
