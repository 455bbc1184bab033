"""The doors to the real world; the only place that knows sockets, threads and network libraries.

```python
async with real_doors() as doors:
    connection = await doors.sockets.connect("wss://…", listener)
```
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from veloz.net.doors import Doors
from veloz.net.real.alarm import Alarm
from veloz.net.real.awake import awake
from veloz.net.real.host import RealClock, RealFiles, RealThreads
from veloz.net.real.requests import RealHttp
from veloz.net.real.sockets import RealSockets
from veloz.net.real.spin import spinning
from veloz.net.real.tls import client_tls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path

__all__ = [
    "Alarm",
    "RealClock",
    "RealFiles",
    "RealHttp",
    "RealSockets",
    "RealThreads",
    "awake",
    "real_doors",
    "run",
    "spinning",
]

T = TypeVar("T")


@asynccontextmanager
async def real_doors(
    *, proxy: str | None = None, authority: Path | None = None
) -> AsyncIterator[Doors]:
    """Opens the doors, and closes them with everything that is still open behind them.

    Args:
        proxy: For HTTP requests and for WebSockets whose caller names none; see `Sockets.connect`.
        authority: PEM file of certificates to trust besides the system's; verification itself
            cannot be switched off.

    Raises:
        ConfigError: The certificates cannot be read.
    """
    tls = client_tls(authority)
    sockets = RealSockets(tls, proxy=proxy)
    http = RealHttp(tls, proxy=proxy)
    threads = RealThreads()
    chance = Random(secrets.randbits(256))  # noqa: S311 - for jitter; keys are made elsewhere
    try:
        yield Doors(RealClock(), chance, RealFiles(), sockets, http, threads)
    finally:
        await sockets.close()
        await http.close()
        await threads.close()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine on uvloop, or on the plain loop where there is no uvloop."""
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop  # not on every platform

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
