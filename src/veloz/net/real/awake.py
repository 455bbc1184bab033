"""Keeps the processors from falling asleep, for as long as a program wants it.

A processor that has nothing to do sleeps, and takes tens of microseconds to wake, more on a virtual
machine. The kernel lets a program ask for better while it holds a file open. It costs power, and on
Linux it is root's to ask for, unless `/dev/cpu_dma_latency` was given to others.

Source: Linux kernel documentation, "PM Quality Of Service Interface".
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from veloz.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["awake"]

_DEVICE = Path("/dev/cpu_dma_latency")
_NO_DELAY = (0).to_bytes(4, "little")


@contextlib.contextmanager
def awake(device: Path = _DEVICE) -> Iterator[None]:
    """No processor of this computer sleeps until the end of the block.

    Args:
        device: The kernel's file.

    Raises:
        ConfigError: The system has no such file, or does not let this user write it.
    """
    with contextlib.ExitStack() as held:
        try:
            asked = held.enter_context(device.open("r+b", buffering=0))
            asked.write(_NO_DELAY)
        except OSError as error:
            raise ConfigError(
                f"the processors cannot be kept awake: {device}: {error.strerror or error}",
                hint="let your user write that file, or leave --awake out",
            ) from error
        yield
