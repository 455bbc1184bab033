"""One market of Binance as a run uses it: first to ask, then to trade.

```text
 MarketConnection ─► clock, limits, exchange information, account     before there is an engine
        .wire(port) ─► Feed, Gateway, Resolver, Reconciler, user stream, dead man
        .tasks() ─► what runs until the end
```
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from veloz._core import BinanceSigner, binance_verdict
from veloz.errors import ConfigError, FeedError, NotSent, OutcomeUnknown
from veloz.net.backoff import Backoff
from veloz.net.doors import Locked
from veloz.net.limits import Leases
from veloz.venues.binance import listings
from veloz.venues.binance.budget import BinanceBudget
from veloz.venues.binance.capabilities import CAPABILITIES
from veloz.venues.binance.codec import BinanceCodec
from veloz.venues.binance.dead_man import Countdown, LocalWatchdog
from veloz.venues.binance.departure import departure
from veloz.venues.binance.feed import BinanceFeed
from veloz.venues.binance.gateway import BinanceGateway, GatewayTimes
from veloz.venues.binance.line import LineTimes
from veloz.venues.binance.reconcile import Reconciler
from veloz.venues.binance.resolve import Resolver
from veloz.venues.binance.rest import BinanceRest
from veloz.venues.binance.user_stream import BinanceUserStream
from veloz.venues.binance.venue_clock import VenueClock
from veloz.venues.binance.ws_api import SessionTimes

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from decimal import Decimal
    from pathlib import Path

    from veloz.environments.trading.port import EnginePort
    from veloz.environments.trading.settings import Rhythm
    from veloz.net.doors import Doors
    from veloz.secrets import Credential
    from veloz.venues.binance.hosts import Hosts, Market
    from veloz.venues.binance.rest import RestAnswer

__all__ = ["Budgets", "MarketConnection", "signer_of"]

_TRIES = 8
_NO_RIGHTS = (-2014, -2015, -1022)


class Budgets:
    """The venue's limits: spot has its own, the futures markets share theirs.

    Weight is shared with all other processes of this user that ask the same address, by a small
    file of leases in the home folder; a silence that the venue asked for is kept there too, so that
    a restart in the middle of it stays silent. The first engine has the larger part.

    Args:
        doors: The world.
        folder: The home folder.
        is_engine: Whether this process trades, and may have the engine's part if it is free.
    """

    def __init__(self, doors: Doors, folder: Path, *, is_engine: bool) -> None:
        self._doors = doors
        self._folder = folder
        self._is_engine = is_engine
        self._made: dict[str, BinanceBudget] = {}
        self._held: list[int] = []

    def of(self, hosts: Hosts) -> BinanceBudget:
        """The limits of a market at an address."""
        family = "spot" if hosts.market == "spot" else "futures"
        if family not in self._made:
            where = re.sub(r"[^0-9A-Za-z.]+", "-", f"{urlsplit(hosts.rest).netloc} {hosts.proxy}")
            path = self._folder / f"limits-{family}-{where}"
            self._doors.files.make_folder(self._folder)
            leases = Leases(
                self._doors.files, path, self._doors.clock, is_engine=self._is_first(path)
            )
            self._made[family] = BinanceBudget(hosts.market, self._doors.clock, leases)
        return self._made[family]

    def silent_s(self, hosts: Hosts) -> float:
        """Seconds of silence that the venue has asked for at a market's address; 0 if none."""
        return self.of(hosts).limits.silent_s

    def close(self) -> None:
        """Gives the engine's part back."""
        for held in self._held:
            self._doors.files.close(held)
        self._held.clear()

    def _is_first(self, path: Path) -> bool:
        if not self._is_engine:
            return False
        try:
            self._held.append(self._doors.files.lock(path.with_name(path.name + ".engine")))
        except Locked:
            return False
        return True


def signer_of(credential: Credential) -> BinanceSigner:
    """The key as it signs.

    Raises:
        ConfigError: It is no key that can sign.
    """
    try:
        return BinanceSigner(credential.api_key, credential.secret or credential.private_key)
    except ValueError as error:
        raise ConfigError(
            f"the key {credential.name!r} cannot sign: {error}",
            hint="give the secret as the venue showed it, or a PKCS#8 PEM private key",
        ) from None


class MarketConnection:
    """One market, with a key or without.

    Args:
        hosts: Where to.
        doors: The world.
        budget: The venue's limits.
        signer: The key; None for public data only.

    Attributes:
        account_number: The venue's own name of the account, once its balances were asked for.
    """

    def __init__(
        self, hosts: Hosts, doors: Doors, budget: BinanceBudget, signer: BinanceSigner | None
    ) -> None:
        self.market: Market = hosts.market
        self.hosts = hosts
        self.budget = budget
        self.clock = VenueClock(doors)
        codec = None if signer is None else BinanceCodec(hosts.market, signer, binance_verdict)
        self.rest = BinanceRest(hosts, doors, budget, self.clock, codec=codec)
        self.feed: BinanceFeed | None = None
        self.gateway: BinanceGateway | None = None
        self.resolver: Resolver | None = None
        self.reconciler: Reconciler | None = None
        self.stream: BinanceUserStream | None = None
        self.countdown: Countdown | None = None
        self.watchdog: LocalWatchdog | None = None
        self.account_number = ""
        self._doors = doors
        self._codec = codec
        self._signer = signer

    # Asking.

    async def greet(self) -> bytes:
        """Learns the venue's time and limits; returns its exchange information.

        Raises:
            FeedError: The venue does not answer.
        """
        for _ in range(_TRIES):
            if await self.clock.ask(self.rest):
                break
            await asyncio.sleep(0.5)
        answer = await self.asked("exchange_info")
        self.budget.read_limits(answer.value())
        return answer.body

    async def asked(self, name: str, params: dict[str, str] | None = None) -> RestAnswer:
        """One question, asked again while no answer comes.

        Raises:
            ConfigError: The venue does not accept the key.
            FeedError: No answer that can be used.
        """
        said = ""
        for attempt in range(_TRIES):
            try:
                answer = await self.rest.call(name, params)
            except (NotSent, OutcomeUnknown) as failure:
                said = str(failure)
            else:
                if answer.status == 200 and answer.value() is not None:
                    return answer
                code, text = answer.error()
                if code in _NO_RIGHTS:
                    raise ConfigError(
                        f"the venue does not accept the key for {name} of {self.market}: "
                        f"{text} ({code})",
                        hint="look at the key's rights and its list of addresses at the venue",
                    )
                said = f"status {answer.status}: {text} ({code})"
            await asyncio.sleep(min(5.0, 0.25 * 2.0**attempt))
        raise FeedError(
            f"{self.hosts.rest} does not answer {name}: {said}",
            hint="look at the network, the addresses and the venue's status",
        )

    async def balances(self) -> dict[str, Decimal]:
        """What the account holds by asset, zeros left out."""
        offers = CAPABILITIES[self.market]
        answer = await self.asked("balances" if offers.has_positions else "account")
        held = listings.balances(answer)
        self.account_number = listings.account_number(answer)
        if held is None:
            raise FeedError(f"the balances of {self.market} cannot be read")
        return held

    async def positions(self) -> list[tuple[listings.PositionRow, str]]:
        """The account's positions, each with its entry price; flat ones left out."""
        if not CAPABILITIES[self.market].has_positions:
            return []
        answer = await self.asked("positions")
        rows = listings.positions(answer)
        value: Any = answer.value()
        if rows is None:
            raise FeedError(f"the positions of {self.market} cannot be read")
        prices = [str(row.get("entryPrice") or "0") for row in value]
        return [(row, price) for row, price in zip(rows, prices, strict=True) if row.qty]

    async def leverage(self) -> dict[str, int]:
        """The leverage that the venue has set, by venue symbol."""
        if not CAPABILITIES[self.market].has_positions:
            return {}
        name = "symbol_config" if self.market == "usdm" else "positions"
        rows = listings.positions(await self.asked(name)) or []
        return {row.symbol: row.leverage for row in rows if row.leverage}

    async def is_hedge(self) -> bool:
        """True if the account keeps a long and a short leg of each contract."""
        if not CAPABILITIES[self.market].has_positions:
            return False
        value: Any = (await self.asked("position_mode")).value()
        if not isinstance(value, dict) or not isinstance(value.get("dualSidePosition"), bool):
            raise FeedError(f"the position mode of {self.market} cannot be read")
        return value["dualSidePosition"]

    async def open_orders(self) -> list[listings.OrderRow]:
        """The account's open orders, conditional ones too."""
        names = ["open_orders"]
        if CAPABILITIES[self.market].has_algo_orders:
            names.append("open_algo_orders")
        found: list[listings.OrderRow] = []
        for name in names:
            rows = listings.orders(await self.asked(name))
            if rows is None:
                raise FeedError(f"the open orders of {self.market} cannot be read")
            found += rows
        return found

    async def cancel_all(self, symbol: str) -> bool:
        """Cancels every order of a venue symbol; True if the venue says that none is left."""
        names = ["cancel_all"]
        if CAPABILITIES[self.market].has_algo_orders:
            names.append("cancel_all_algo")
        is_done = True
        for name in names:
            try:
                answer = await self.rest.call(name, {"symbol": symbol})
            except (NotSent, OutcomeUnknown):
                is_done = False
            else:
                # -2011: there was nothing to cancel
                is_done = is_done and (answer.status == 200 or answer.error()[0] == -2011)
        return is_done

    # Trading.

    def wire_feed(self, port: EnginePort, feed: int, rhythm: Rhythm) -> BinanceFeed:
        """Makes the market-data half."""
        self.feed = BinanceFeed(
            self.hosts,
            self._doors,
            port,
            feed,
            rest=self.rest,
            time=self.clock,
            pace=self._pace,
            times=LineTimes(age_s=rhythm.connection_age_s),
        )
        return self.feed

    def wire_account(
        self, port: EnginePort, account: int, symbols: list[str], rhythm: Rhythm
    ) -> BinanceGateway:
        """Makes the trading half: orders, private events, doubts, reconciliation.

        Raises:
            ConfigError: There is no key.
        """
        if self._codec is None or self._signer is None:
            raise ConfigError(f"{self.market} needs a key to trade")
        doors, rest, clock, times = self._doors, self.rest, self.clock, GatewayTimes()
        resolver = self.resolver = Resolver(doors, rest, clock, port, account)
        gateway = self.gateway = BinanceGateway(
            self.hosts,
            doors,
            port,
            account,
            codec=self._codec,
            rest=rest,
            budget=self.budget,
            time=clock,
            resolver=resolver,
            pace=self._pace(),
            swift=departure(clock, self.budget, self._signer, times.recv_window_ms),
            times=times,
            on_done=self._expect,
            session_times=SessionTimes(age_s=rhythm.connection_age_s),
        )
        reconciler = self.reconciler = Reconciler(
            doors,
            rest,
            clock,
            port,
            account,
            terms=port.terms,
            symbols=lambda: symbols,
            after=gateway.pump,
            every_s=rhythm.reconcile_s,
        )
        port.on_doubt = reconciler.restored
        self.stream = BinanceUserStream(
            self.hosts,
            doors,
            port,
            account,
            codec=self._codec,
            rest=rest,
            time=clock,
            watcher=reconciler,
            pace=self._pace(),
            after=gateway.pump,
            times=SessionTimes(age_s=rhythm.connection_age_s, retire_s=5.0),
        )
        if rhythm.countdown_s > 0 and CAPABILITIES[self.market].has_countdown:
            self.countdown = Countdown(rest, port, account, countdown_s=rhythm.countdown_s)
        elif rhythm.countdown_s > 0:
            self.watchdog = LocalWatchdog(
                doors,
                rest,
                port,
                account,
                sees=self._sees,
                limit_s=rhythm.countdown_s,
            )
        return gateway

    def account_tasks(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """What runs from the first connection of the account to the end, by name."""
        parts = {
            "orders": self.gateway,
            "private events": self.stream,
            "doubts": self.resolver,
            "reconciliation": self.reconciler,
            "countdown": self.countdown,
            "watchdog": self.watchdog,
        }
        return [(name, part.run()) for name, part in parts.items() if part is not None]

    def clock_task(self) -> Coroutine[Any, Any, None]:
        """Keeps the venue's time known."""
        return self.clock.run(self.rest)

    def _expect(self) -> None:
        if self.stream is not None:
            self.stream.expect_event()

    def _sees(self) -> bool:
        return self.stream is not None and self.stream.is_open

    def _pace(self) -> Backoff:
        return Backoff(self._doors.clock, self._doors.random)
