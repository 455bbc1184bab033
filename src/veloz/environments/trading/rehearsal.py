"""The way of an order, gone now and then without one.

What a processor has not touched for some milliseconds it has forgotten: on the machine of the
figures a request that left after 50 ms without one took 300 µs of which 50 are work. So a second
engine, of the same instruments and with nothing of its own, has a strategy that orders when it is
told to. Its orders go the whole way of the real ones, through the same code and the same gateway:

```text
 nothing ─► second engine ─► its strategy ─► desk ─► its journal, thrown away, and zeros over the
     zeros behind the real one ─► gateway: limits, clock, signature ─► a connection to ourselves
```

Nothing of it is kept, counted by a limit, or sent to the venue. What stays unrehearsed is the
strategy's own thinking.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from veloz.environments.trading.engine import add_feeds, empty_engine
from veloz.environments.trading.shell import EngineShell
from veloz.strategy import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from veloz._core import Quote
    from veloz.environments.trading.shell import Journal, Outbox
    from veloz.environments.trading.tables import Tables
    from veloz.net.doors import Doors
    from veloz.venues.binance.gateway import BinanceGateway

__all__ = ["Rehearsal"]

_EVERY_S = 0.001
_SELDOM_S = 0.25
_QUIET_NS = 1_000_000_000
"""When nothing was heard for so long, it is rehearsed seldom."""

_FUNDS = 10**9
"""Of each asset: the risk gate is to say yes."""


class Rehearsal:
    """Rehearses until cancelled.

    Args:
        shell: Whose orders.
        doors: Time.
        writer: The journal of the run.
        tables: The run's.
        gateways: By account.
    """

    def __init__(
        self,
        shell: EngineShell,
        doors: Doors,
        writer: Journal,
        tables: Tables,
        gateways: Sequence[BinanceGateway],
    ) -> None:
        self._shell = shell
        self._clock = doors.clock
        self._gateways = list(gateways)
        self._second = second_shell(shell, doors, writer, tables)
        for outbox, gateway in zip(self._second.outboxes, self._gateways, strict=False):
            outbox.send = gateway.send

    async def run(self) -> None:
        """Does it until cancelled, or until only cancels may leave."""
        while not self._shell.fatal and not self._shell.engine.poison:
            quiet_ns = self._clock.monotonic_ns() - self._shell.last_input_ns
            await asyncio.sleep(_EVERY_S if quiet_ns < _QUIET_NS else _SELDOM_S)
            self.once()

    def once(self) -> None:
        """Goes the whole way, of every account."""
        second = self._second
        if self._shell.fatal or self._shell.engine.poison or second.fatal:
            return
        for account, gateway in enumerate(self._gateways):
            gateway.look_ahead()
            if gateway.is_idle and self._shell.is_at_rest(account):
                second.engine.rehearse(account, second.now_ns())
                second.settle()


class _Understudy(Strategy):
    """Answers each quote with an order."""

    def on_quote(self, quote: Quote) -> None:
        self.buy(quote.symbol, quote.bid_qty, quote.bid_price)


class _Unwritten:
    """A journal that keeps nothing; the run's own goes its way without a batch."""

    def __init__(self, writer: Journal) -> None:
        self._writer = writer

    @property
    def released_sequence(self) -> int:
        return self._writer.released_sequence

    @property
    def takes_orders(self) -> bool:
        return self._writer.takes_orders

    def lets_go(self, sequence: int) -> bool:
        return self._writer.lets_go(sequence)

    def append(self, frames: bytes, sequence: int) -> None:
        del frames, sequence
        self._writer.rehearse()

    def when_released(self, sequence: int, callback: Callable[[], None]) -> None:
        del sequence, callback

    def rehearse(self) -> None:
        pass


def second_shell(shell: EngineShell, doors: Doors, writer: Journal, tables: Tables) -> EngineShell:
    """An engine over nothing, whose requests are rehearsals: they go the way of the first one's."""
    engine = empty_engine(tables)
    add_feeds(engine, tables)
    second = EngineShell(engine, doors, _Unwritten(writer), None, len(tables.markets))
    now_ns = doors.clock.wall_ns()
    row = engine.add_strategy(_Understudy(), "hold", 0)
    for account, market in enumerate(tables.markets):
        for asset in tables.assets:
            engine.deposit(account, asset, _FUNDS, now_ns)
        for instrument in tables.rows(market):
            engine.route(row, instrument["symbol"], account)
            engine.listen(row, instrument["symbol"], "quotes", 0)
        outbox = second.outboxes[account]
        outbox.pump = _handing(shell, account, outbox)
    engine.start(now_ns)
    second.settle()
    return second


def _handing(shell: EngineShell, account: int, of: Outbox) -> Callable[[], None]:
    """Puts what waits there into the outbox of a shell, and lets its gateway take it."""
    outbox = shell.outboxes[account]

    def hand() -> None:
        while of.waiting:
            outbox.waiting.append(of.waiting.popleft())
        outbox.pump()

    return hand
