"""The whole system: an engine trades three markets under faults of all kinds, then is judged.

```text
 host venue                              host engine
   Exchange ─ Simulation ◄── network ──► EngineProcess ─ strategies ─ journal
   Generators, Counterparty                  ▲ killed, started again by the supervisor
              Witness, Observers ─► after the faults and the settling time ─► oracles
```

The life of a run: greet, `faulty_s` of trading under faults, faults end and strategies are quiet,
up to `SETTLE_S` until all is definite, then the oracles.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from veloz.environments.dst import oracles
from veloz.environments.dst.crashes import Crashes
from veloz.environments.dst.detection import DETECTORS, detected
from veloz.environments.dst.joined import JOINED, mixed_plan, split
from veloz.environments.dst.observers import Observers, Tape
from veloz.environments.dst.process import MARKETS, EngineProcess, Run, Seat
from veloz.environments.dst.traders import MONEY, OTHER_MONEY, QTYS, Counterparty
from veloz.environments.dst.witness import Witness
from veloz.exchange.exchange import Exchange
from veloz.exchange.words import Market as Word
from veloz.exchange.words import Refusal, SymbolStatus
from veloz.venues.binance.dialect import Generator, Simulation, default_listings
from veloz.venues.binance.hosts import Environment, hosts

if TYPE_CHECKING:
    from veloz.environments.dst.plan import Injector, Plan
    from veloz.environments.dst.process import Recovered
    from veloz.exchange.listing import Listing
    from veloz.net.simulated import World
    from veloz.venues.binance.hosts import Hosts, Market

__all__ = ["SETTLE_S", "Trading", "TradingLong"]

SETTLE_S = 150.0
"""Stated settling time: 33 s bound an unknown order, the rest is reconnecting and comparing."""

_START_MOST_S = 300.0
"""Without any fault a run that does not trade by then will never."""

_EVENTS_MOST_S = 1_200.0
"""A system in which too little has happened by then stands still."""

_LEAST_S = 15.0
"""What has just been broken must have time to be noticed: a silent stream takes 10 s."""

_SYMBOLS = {"spot": "BTCUSDT", "usdm": "BTCUSDT", "coinm": "BTCUSD_PERP"}
_NAMES = {
    "spot": "binance:BTC/USDT",
    "usdm": "binance:BTC/USDT:USDT",
    "coinm": "binance:BTC/USD:BTC",
}
_PORT = 8000
_LOOK_S = 0.25
_LEVERAGE = 20


class Trading:
    """The scenario `trading`.

    Attributes:
        faults: What a plan may name.
        detectable: Those that a counter tells.
        oracles: What each of O1 to O16 came to.
        faulty_s: How long it trades under faults, in virtual seconds, and then until
        least_events: So many frames and requests have crossed.
        rate: Changes and trades a second on each generated market.
    """

    faults: ClassVar[frozenset[str]] = JOINED
    detectable: ClassVar[frozenset[str]] = frozenset(DETECTORS)
    faulty_s = 25.0
    least_events = 0
    rate = 5.0

    def __init__(self) -> None:
        self.oracles: dict[str, str] = {}
        self._process: EngineProcess | None = None
        self._recoveries: list[Recovered] = []
        self._broken: list[str] = []
        self._is_over = False

    @classmethod
    def default_plan(cls, seed: int) -> Plan:
        """Faults of all groups, if no plan is given."""
        return mixed_plan(seed, int(cls.faulty_s * 1000))

    @staticmethod
    def split(plan: Plan) -> tuple[Plan, dict[str, Any]]:
        """What the network does, and what the venue does."""
        return split(plan)

    async def main(self, world: World, injector: Injector, venue_plan: dict[str, Any]) -> list[str]:
        """Builds, trades, settles, judges; see `Scenario.main`."""
        simulation = self._venue(world)
        exchange = simulation.venue.exchange
        venue = world.host("venue").boot()
        shape = await simulation.serve(venue.sockets, "venue.test", _PORT)
        simulation.beat()
        run = self._run(world, simulation, shape)
        account = exchange.accounts()[0]
        observers = Observers(exchange, account, run.seats)
        ports = {_PORT + number: market for number, market in enumerate(MARKETS)}
        secrets = (simulation.accounts[0].secret, simulation.accounts[0].ed25519_private_key)
        witness = Witness(world, world.host("engine"), ports, secrets)
        crashes = Crashes(world, world.host("engine"), injector, run, lambda: self._process)
        for market in MARKETS:
            true_ns = world.host("engine").clock.monotonic_ns
            tape = Tape(exchange, _listing(exchange, market), true_ns)
            observers.tapes[market] = tape
            simulation.drivers.append(tape)
        tasks = [
            asyncio.create_task(simulation.run(), name="exchange"),
            asyncio.create_task(self._supervise(world, run, crashes), name="supervisor"),
            asyncio.create_task(self._look(observers, injector, simulation), name="observer"),
        ]
        # what happens before an account is taken over is in it
        while not self._is_trading():
            if world.loop.now_ns > _START_MOST_S * 1e9:
                await self._bury(tasks)
                return ["the engine never traded", *run.told[-3:]]
            await asyncio.sleep(0.1)
        simulation.faults.load(venue_plan)
        await asyncio.sleep(self.faulty_s)
        while world.network.crossed < self.least_events and not self._is_over:
            if world.loop.now_ns > _EVENTS_MOST_S * 1e9:
                self._broken.append(f"only {world.network.crossed} events crossed")
                break
            await asyncio.sleep(1.0)
        self._quieten(world, injector, simulation, run)
        unsettled = await self._settle(world, witness)
        observers.sightings = [seen for one in run.strategies for seen in one.sightings]
        problems = [f"{t.get_name()} ended: {t.exception()!r}" for t in tasks if t.done()]
        problems += self._broken
        if self._is_trading():
            problems += self._judge(world, injector, simulation, run, witness, observers, unsettled)
        else:
            problems.append("no process lives that could be judged")
        self._is_over = True
        await self._bury(tasks)
        return problems

    # The world.

    def _venue(self, world: World) -> Simulation:
        clock = world.host("venue").clock
        exchange = Exchange(default_listings(), now_ns=clock.wall_ns, random=world.dice("exchange"))
        simulation = Simulation(exchange, clock_ns=clock.wall_ns, random=world.dice("venue"))
        simulation.open_account(MONEY)
        simulation.open_account(OTHER_MONEY)
        other = exchange.accounts()[1]
        for market in MARKETS:
            listing = _listing(exchange, market)
            dice = world.dice(f"market {market}")
            simulation.drivers.append(Generator(exchange, listing, dice, rate=self.rate))
            dice = world.dice(f"other {market}")
            simulation.drivers.append(Counterparty(exchange, listing, other, dice))
            if market != "spot":
                for name in exchange.accounts():
                    exchange.set_leverage(name, Word(market), listing.symbol, _LEVERAGE)
        return simulation

    def _run(self, world: World, simulation: Simulation, shape: dict[str, Any]) -> Run:
        """What every process of the engine is told: where, with which key, what to trade."""
        key = simulation.accounts[0]
        seats: list[Seat] = []
        where: dict[Market, Hosts] = {}
        for market in MARKETS:
            there = shape[market]
            given = {"rest": there["rest"], "streams": there["ws"], "ws_api": there["ws_api"]}
            where[market] = hosts(market, Environment.SIMULATED, overrides=given)
            most = Decimal(QTYS[market]) * 10
            seats.append(Seat(market, _NAMES[market], _SYMBOLS[market], most))
        return Run(where, key.api_key, key.secret, seats, world.seed)

    # The process.

    async def _supervise(self, world: World, run: Run, crashes: Crashes) -> None:
        """Starts the process, and starts it again when it is dead."""
        dice = world.dice("supervisor")
        while not self._is_over:
            process = self._process = EngineProcess(world.host("engine"), run)
            crashes.before_boot()
            process.start()
            await process.over.wait()
            await process.gone()
            self._note(process)
            run.noticed["engine.restarts"] += 1
            await asyncio.sleep(dice.uniform(0.2, 2.0))

    def _is_trading(self) -> bool:
        return self._process is not None and self._process.is_trading

    def _note(self, process: EngineProcess) -> None:
        if process.recovered is not None:
            self._recoveries.append(process.recovered)
        if process.is_refused:
            self._broken.append(f"the engine does not start again: {process.ended}")
            self._is_over = True

    async def _look(self, observers: Observers, injector: Injector, simulation: Simulation) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._process is not None:
                observers.look(self._process, injector.injected + simulation.faults.injected)

    # The end.

    def _quieten(self, world: World, injector: Injector, simulation: Simulation, run: Run) -> None:
        """Faults end, what they broke by hand is put right, nobody gives orders any more."""
        injector.stop()
        simulation.faults.clear()
        run.is_quiet = True
        world.host("engine").disk.mend()
        for link in list(world.network.links):
            link.heal()
        exchange = simulation.venue.exchange
        simulation.levers.revoke_key(revoked=False)
        for driver in simulation.drivers:
            if isinstance(driver, Counterparty):
                driver.is_quiet = True
            elif isinstance(driver, Generator):
                driver.rate = 1.0
        simulation.venue.unlisted.clear()
        for listing in default_listings():
            exchange.set_status(listing.market, listing.symbol, SymbolStatus.TRADING)
        for market in ("usdm", "coinm"):
            listing = _listing(exchange, market)
            exchange.set_leverage(exchange.accounts()[0], listing.market, listing.symbol, _LEVERAGE)
        with suppress(Refusal):  # open positions keep the mode: the difference stays, and is shown
            exchange.set_hedge_mode(exchange.accounts()[0], on=False)

    async def _settle(self, world: World, witness: Witness) -> list[str]:
        """Waits until all is definite; what is not in time.

        The time begins when the venue may be asked again: a ban lasts for two minutes, or four.
        """
        left = ["it was not looked"]
        waited_s = 0.0
        asked_s = max(0.0, (witness.silent_until_ns - world.loop.now_ns) / 1e9)
        while waited_s < SETTLE_S + asked_s:
            await asyncio.sleep(3.0)
            waited_s += 3.0
            left = self._open_ends()
            if not left and waited_s >= _LEAST_S and await self._compare():
                left = self._open_ends()
                if not left:
                    return []
        return left or [f"the accounts were not found equal within {SETTLE_S:.0f} s"]

    async def _compare(self) -> bool:
        process = self._process
        if process is None or not process.is_trading:
            return False
        parts = [one.reconciler for one in process.connections if one.reconciler is not None]
        rounds = [await part.once() for part in parts]
        return all(rounds) and not any(part.differences for part in parts)

    def _open_ends(self) -> list[str]:
        process = self._process
        if process is None or not process.is_trading:
            return ["the engine is not trading again"]
        found: list[str] = []
        for number, connection in enumerate(process.connections):
            market, resolver = connection.market, connection.resolver
            if resolver is not None and resolver.open:
                found.append(f"{resolver.open} requests of {market} are in doubt")
            for row in process.engine.view("orders", number):
                if row["status"] in {"unknown", "new"}:
                    found.append(f"{row['client_order_id']} on {market} is {row['status']}")
            if connection.reconciler is not None:
                rows = connection.reconciler.differences
                found += [f"{market} differs: {one}" for one in rows]
        parked = process.engine.view("parked")
        return found + ([f"reports are parked: {parked}"] if parked else [])

    def _judge(
        self,
        world: World,
        injector: Injector,
        simulation: Simulation,
        run: Run,
        witness: Witness,
        observers: Observers,
        unsettled: list[str],
    ) -> list[str]:
        process = self._process
        assert process is not None  # noqa: S101 - looked at by the caller
        if process.recovered is not None:
            self._recoveries.append(process.recovered)
        exchange = simulation.venue.exchange
        process.settle()
        injector.injected.update(simulation.faults.counts())
        process.harvest()
        evidence = oracles.Evidence(
            exchange,
            exchange.accounts()[0],
            run,
            process,
            world.host("engine").disk,
            witness,
            observers,
            injector.injected,
            unsettled,
            self._recoveries,
            (simulation.accounts[0].secret,),
            world.dice("shuffles"),
        )
        found = oracles.judge(evidence)
        self.oracles = oracles.report(evidence, found)
        injector.detected.update(
            {name: count for name, count in detected(run.noticed).items() if count}
        )
        return oracles.problems(found)

    async def _bury(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._process is not None:
            self._process.die("the run is over")
            await self._process.gone()


class TradingLong(Trading):
    """The same for so long that 10,000 events cross the wires."""

    faulty_s = 120.0
    least_events = 10_000
    rate = 8.0


def _listing(exchange: Exchange, market: str) -> Listing:
    rows = exchange.listings(Word(market))
    return next(row for row in rows if row.symbol == _SYMBOLS[market])
