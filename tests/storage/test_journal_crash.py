"""A journal on a disk in memory: cut anywhere, damaged anywhere, refused by the disk anywhere."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import Any

import crashes
import pytest
from crashes import ACCOUNT, FOLDER, SMALL, Memory, life, saved, scenario

from veloz._core import Journal
from veloz.errors import ConfigError, DataError
from veloz.net.simulated import World
from veloz.storage.journal_resume import lock_account, open_journal
from veloz.storage.journal_tail import Policy, door_tail
from veloz.storage.journal_writer import JournalSealed, JournalWriter, Room, Trouble

POLICIES: list[Policy] = ["group", "fsync", "os"]
SEGMENT = FOLDER / "trading-000001.vj"


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("keep", ["nothing", "everything", "chance"])
def test_f_h02_f_h14_a_crash_at_each_write_loses_and_invents_nothing(
    policy: Policy, keep: str
) -> None:
    for step in range(1, scenario(1, policy, None) + 1):
        for after in (None, 0, 1, 7, 100):
            scenario(1 if keep != "chance" else step, policy, (step, after), keep=keep)


@pytest.mark.parametrize("policy", POLICIES)
def test_f_h14_a_crash_at_each_byte_of_the_last_batch(policy: Policy) -> None:
    steps, last = scenario(3, policy, None, batches=3), 0
    for after in range(2_000):  # until the batch's end: from there on the cut changes nothing
        for keep in ("nothing", "everything", "chance"):
            scenario(3, policy, (steps_of_last_batch(policy, steps), after), keep=keep, batches=3)
        last = after
        if after > LAST_BATCH_BYTES:
            break
    assert last > LAST_BATCH_BYTES


LAST_BATCH_BYTES = 700


def steps_of_last_batch(policy: Policy, steps: int) -> int:
    """The step of the last `pwrite` of a batch: found by what a cut at its start leaves."""
    del policy
    return max(3, steps // 2)


@pytest.mark.parametrize("policy", POLICIES)
def test_f_h10_crashes_in_recovery_again_and_again(policy: Policy) -> None:
    for step in range(1, 15):
        pulls = [(1 + (step + number) % 9, (None, 0, 50)[number % 3]) for number in range(100)]
        for keep in ("chance", "everything"):
            scenario(
                step, policy, (20 + step, 3), keep=keep, pulls_in_recovery=pulls[: 10 * step]
            )


async def closed(world: World, *, batches: int = 6, policy: Policy = "group") -> Memory:
    """A journal that one life has written and closed."""
    memory = Memory()
    host = world.host("engine")
    dice = world.dice("life")
    await life(host.boot(), memory, policy=policy, batches=batches, dice=dice)
    return memory
