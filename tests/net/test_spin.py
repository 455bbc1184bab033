"""A loop that spins: it asks for work without waiting, and waits again behind the block."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING

from veloz.net.real import spinning

if TYPE_CHECKING:
    from collections.abc import Coroutine


class _Watched(selectors.DefaultSelector):
    """Notes how long each look was allowed to wait; None is for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.waits.append(timeout)
        return super().select(timeout)


def _waits_of(work: Coroutine[None, None, None]) -> list[float | None]:
    selector = _Watched()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(work)
        return list(selector.waits)


async def _pause() -> None:
    await asyncio.sleep(0.01)


async def _spin() -> None:
    with spinning():
        await asyncio.sleep(0.01)


async def _spin_and_pause() -> None:
    with spinning():
        await asyncio.sleep(0)
    await asyncio.sleep(0)  # what was under way when the block ended
    await asyncio.sleep(0.01)


def test_a_loop_that_spins_never_waits() -> None:
    assert any(wait != 0 for wait in _waits_of(_pause()))
    assert set(_waits_of(_spin())) == {0}


def test_behind_the_block_it_waits_again() -> None:
    waits = _waits_of(_spin_and_pause())
    assert any(wait != 0 for wait in waits)
    assert len(waits) < 20
