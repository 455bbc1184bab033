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

    from veloz._core import BinanceSigner
    from veloz.environments.trading.settings import TradingSettings
    from veloz.net.doors import Doors
    from veloz.secrets import Credential

__all__ = ["live", "signer_for", "trade"]


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
    signer = signer_for(settings, credential)
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
    return await trade(run, doors, signer, stop)


def signer_for(settings: TradingSettings, credential: Credential) -> BinanceSigner:
    """What signs with a key, if it belongs where the run trades.

    Raises:
        ConfigError: It belongs elsewhere, or cannot sign.
    """
    bind(credential, settings.hosts)
    return signer_of(credential)


async def trade(run: TradingRun, doors: Doors, signer: BinanceSigner, stop: Stop) -> dict[str, Any]:
    """Looks at what the key may do, then trades until it is asked to stop.

    Raises:
        ConfigError: The key could take money away, or a setting is wrong.
        VelozError: The run could not start, or a failure ended it.
    """
    try:
        spot = run.settings.hosts.get("spot")
        if spot is not None:
            run.tell_silence(spot)
        await check_rights(spot, doors, run.budgets, signer)
        return await run.run(stop)
    finally:
        run.budgets.close()
