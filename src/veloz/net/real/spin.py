"""Keeps the running loop from waiting, for as long as a program wants it.

A loop that waits for its sockets gives the core away. Whoever has it meanwhile, be it the kernel's
idle loop or another guest of a virtual machine's host, leaves the caches with other things in them,
and the next frame pays for it. A loop that asks again and again keeps the core; it takes it whole.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["spinning"]


@contextlib.contextmanager
def spinning() -> Iterator[None]:
    """The running loop looks for work without ever waiting, until the end of the block."""
    soon = asyncio.get_running_loop().call_soon

    def again() -> None:
        nonlocal following
        following = soon(again)

    following = soon(again)
    try:
        yield
    finally:
        following.cancel()
