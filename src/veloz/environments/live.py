"""Live: the loop of paper with a key, a gateway, and a venue that keeps its own books.

The key is refused if it could take money out of the account or belongs to another environment;
what the run will do is shown and confirmed before anything is ordered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veloz.environments.trading.account import check_rights
from veloz.environments.trading.addresses import bind
from veloz.environments.trading.connection import signer_of
from veloz.environments.trading.lifetime import Home, Identity, Stop
from veloz.environments.trading.run import TradingRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from veloz.environments.trading.settings import TradingSettings
    from veloz.net.doors import Doors
    from veloz.secrets import Credential

__all__ = ["live"]


async def live(
    settings: TradingSettings,
    credential: Credential,
    doors: Doors,
    home: Home,
    stop: Stop,
    *,
    confirm: Callable[[dict[str, Any]], bool],
    tell: Callable[[str, dict[str, Any]], None] = lambda _name, _fields: None,
    is_alone: bool = False,
) -> dict[str, Any]:
    """Trades with real orders until it is asked to stop.

    Args:
        settings: What decides the run.
        credential: The key.
        doors: The world.
        home: Where locks are.
        stop: Ends it.
        confirm: Shown the plan; False ends the run before it begins.
        tell: Told of events.
        is_alone: True if the process does nothing else.

    Returns:
        What came out, as `run.json` has it.

    Raises:
        ConfigError: The key, the addresses or a setting is wrong, or another engine trades.
        VelozError: It could not start, or a failure ended it.
    """
    bind(credential, settings.hosts)
    signer = signer_of(credential)
    run = TradingRun(
        settings,
        doors,
        home,
        signer=signer,
        identity=Identity.of(credential.environment, credential.api_key),
        confirm=confirm,
        tell=tell,
        is_alone=is_alone,
    )
    try:
        spot = settings.hosts.get("spot")
        if spot is not None:
            run.tell_silence(spot)
        await check_rights(spot, doors, run.budgets, signer)
        return await run.run(stop)
    finally:
        run.budgets.close()
