"""The way of an order, gone now and then without one.

What a processor has not touched for some milliseconds it has forgotten: on the machine of the
figures a request that left after 50 ms without one took 300 µs of which 50 are work. So every few
milliseconds the same code makes, encodes and signs a request over nothing, looks at limits and
clock, and writes zeros over the zeros behind the journal. Nothing of it is kept or sent.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veloz.environments.trading.shell import EngineShell
    from veloz.net.doors import Clock
    from veloz.venues.binance.gateway import BinanceGateway

__all__ = ["Rehearsal"]

_EVERY_S = 0.003
_SELDOM_S = 0.25
_QUIET_NS = 1_000_000_000
"""When nothing was heard for so long, it is rehearsed seldom."""


class Rehearsal:
    """Rehearses until cancelled.

    Args:
        shell: Whose orders.
        clock: Tells how long it was quiet.
        gateways: By account.
    """

    def __init__(
        self, shell: EngineShell, clock: Clock, gateways: Sequence[BinanceGateway]
    ) -> None:
        self._shell = shell
        self._clock = clock
        self._gateways = list(gateways)

    async def run(self) -> None:
        """Does it until cancelled, or until only cancels may leave."""
        while not self._shell.fatal and not self._shell.engine.poison:
            quiet_ns = self._clock.monotonic_ns() - self._shell.last_input_ns
            await asyncio.sleep(_EVERY_S if quiet_ns < _QUIET_NS else _SELDOM_S)
            self.once()

    def once(self) -> None:
        """Goes the whole way, of every account."""
        if self._shell.fatal or self._shell.engine.poison:
            return
        for account, gateway in enumerate(self._gateways):
            gateway.look_ahead()
            if gateway.is_idle:
                self._shell.rehearse(account)
