"""Orders that must not outlive who watches them: the venue's countdown, the local watchdog."""

from __future__ import annotations

import asyncio
from collections import deque

from tests.venues.binance.streams import SYMBOL
from tests.venues.binance.trading import Trader
from veloz.venues.binance.dead_man import Countdown, LocalWatchdog


def test_f_n06_f_f02_the_countdown_is_armed_renewed_and_disarmed() -> None:
    trader = Trader(70, "usdm")

    async def main() -> None:
        async with trader.running():
            countdown = Countdown(trader.rest, trader.engine, 0, countdown_s=60.0)
            task = asyncio.create_task(countdown.run())
            await asyncio.sleep(30.0)
            assert trader.till.countdowns == []  # no order, nothing to arm
            name = trader.place()
            await asyncio.sleep(100.0)
            assert trader.till.countdowns == [(SYMBOL, 60_000)] * 5
            trader.till.trade(name, "1")
            await asyncio.sleep(25.0)
            assert trader.till.countdowns[-1] == (SYMBOL, 0)
            assert countdown.armed == {}
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    trader.world.run(main())


def test_a_renewal_that_fails_is_counted_and_tried_again() -> None:
    trader = Trader(71, "usdm")
    trader.till.effects["countdown"] = deque(["lost", "code:-1000"])

    async def main() -> None:
        async with trader.running():
            trader.place()
            await asyncio.sleep(1.0)
            countdown = Countdown(trader.rest, trader.engine, 0)
            for failures in (1, 2, 0):
                await countdown.renew()
                assert countdown.failures == failures
            assert countdown.armed == {SYMBOL: None}

    trader.world.run(main())


def test_f_a03_a_blind_program_cancels_its_spot_orders() -> None:
    trader = Trader(72)
    sees = [True]

    async def main() -> None:
        async with trader.running():
            dog = LocalWatchdog(
                trader.doors, trader.rest, trader.engine, 0, sees=lambda: sees[0], limit_s=30.0
            )
            task = asyncio.create_task(dog.run())
            names = [trader.place() for _ in range(3)]
            await asyncio.sleep(60.0)
            assert dog.trips == {}
            sees[0] = False
            await asyncio.sleep(25.0)
            assert dog.trips == {}
            await asyncio.sleep(10.0)
            assert dog.trips == {"blind": 1}
            assert [trader.engine.status(name) for name in names] == ["CANCELED"] * 3
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    trader.world.run(main())


def test_the_watchdog_tries_again_until_each_symbol_is_answered_for() -> None:
    trader = Trader(73)
    trader.till.effects["cancel_all"] = deque(["lost", "code:-1000"])

    async def main() -> None:
        async with trader.running():
            dog = LocalWatchdog(
                trader.doors, trader.rest, trader.engine, 0, sees=lambda: False, limit_s=5.0
            )
            task = asyncio.create_task(dog.run())
            name = trader.place()
            await asyncio.sleep(40.0)
            assert trader.engine.status(name) == "CANCELED"
            assert dog.trips["blind"] >= 3
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    trader.world.run(main())
