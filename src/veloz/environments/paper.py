"""Paper: the real feed and the venue's real rules, with fills that are simulated here.

```text
 feed ─► paper venue (matching) ─► engine ─► journal          nothing leaves this host
     └─► market-000001.vj, so that the run can be done again: `law.check_law`
```

Without a key and a person who confirms; a paper run is never gone on with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veloz.environments.trading.lifetime import Home, Stop
from veloz.environments.trading.run import TradingRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from veloz.environments.trading.settings import TradingSettings
    from veloz.net.doors import Doors

__all__ = ["paper"]


async def paper(
    settings: TradingSettings,
    doors: Doors,
    home: Home,
    stop: Stop,
    *,
    tell: Callable[[str, dict[str, Any]], None] = lambda _name, _fields: None,
    is_alone: bool = False,
) -> dict[str, Any]:
    """Trades on paper until it is asked to stop.

    Args:
        settings: What decides the run; its folder holds no run yet.
        doors: The world.
        home: How the journal is written.
        stop: Ends it.
        tell: Told of events.
        is_alone: True if the process does nothing else.

    Returns:
        What came out, as `run.json` has it.

    Raises:
        ConfigError: A setting is wrong, or the folder holds a run.
        VelozError: It could not start, or a failure ended it.
    """
    run = TradingRun(settings, doors, home, tell=tell, is_alone=is_alone)
    return await run.run(stop)
