"""Comparing what the engine holds with what the venue lists, and what follows from a difference.

```text
 start, each restored stream, a timer ─► listings ─► facts first (orders, trades) ─► compare
        a difference ─► freeze what · repair how · ask whom     the table below
        all merged   ─► synced up to the moment before the first listing
```

Facts go in before anything is compared: a fill that was missed explains its position and its
balance. Positions and balances must differ twice, a moment apart, in the same way: one empty or
lagging answer never changes a book (F-E05, F-E09).

Source: the rules of the fault catalogue, section 4.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from veloz.errors import FeedError, NotSent, OutcomeUnknown
from veloz.venues.binance import listings
from veloz.venues.binance.capabilities import CAPABILITIES
from veloz.venues.binance.income import income_since, missed
from veloz.venues.binance.resolve import OPEN_STATUSES
from veloz.venues.venue import Difference, Freeze

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from veloz.net.doors import Doors
    from veloz.venues.binance.rest import BinanceRest, RestAnswer, VenueTime
    from veloz.venues.venue import AccountTerms, EngineInputs

__all__ = ["DIFFERENCES", "Reconciler", "Rule"]

T = TypeVar("T")

_EVERY_S = 300.0
_AGAIN_S = 5.0
_SECOND_READ_S = 1.0
_MARGIN_MS = 60_000
_FIRST_MARGIN_MS = 3_600_000
_LOOK_EVERY_S = 1.0
_PAGE = 1000
_WINDOW_MS = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows from one kind of difference.

    Attributes:
        freeze: What stops until it is repaired.
        repair: What has one right answer and is done at once; empty if there is none.
        ask: Who decides when nothing has one right answer.
    """

    freeze: Freeze
    repair: str
    ask: str


# fmt: off
DIFFERENCES: dict[str, Rule] = {
    # kind                      freeze             repair, the one right answer       ask
    "order_missing_here":  Rule(Freeze.NOTHING,    "shown as external",               ""),
    "order_missing_there": Rule(Freeze.ORDER,      "asked for by its id",             ""),
    "filled_quantity":     Rule(Freeze.ORDER,      "its trades are booked",           ""),
    "fill_missing":        Rule(Freeze.NOTHING,    "the venue's trade is booked",     ""),
    "cash_missing":        Rule(Freeze.NOTHING,    "the venue's entry is booked",     ""),
    "position":            Rule(Freeze.INSTRUMENT, "",                                "a person"),
    "balance":             Rule(Freeze.ACCOUNT,    "",                                "a person"),
    "leverage":            Rule(Freeze.INSTRUMENT, "risk counts with the venue's",    ""),
    "margin_type":         Rule(Freeze.INSTRUMENT, "",                                "a person"),
    "position_mode":       Rule(Freeze.ACCOUNT,    "",                                "a person"),
}
# fmt: on
"""Every kind of difference, what it freezes, how it is repaired, and whom to ask."""


class _Inconclusive(Exception):
    """An answer that is no whole listing: nothing may be concluded from this round."""


class Reconciler:
    """Reconciles one account on one market at start, after each hole, and on a timer.

    Args:
        doors: Time.
        rest: Asks the venue, behind cancels and before orders.
        time: The venue's clock.
        engine: Holds what is compared, takes what is found.
        account: The engine's number of the account.
        terms: How the account is meant to be set.
        symbols: Gives the venue symbols whose trades are looked at besides those with orders,
            positions or differences.
        after: Called when something was merged: the engine may have requests to send.
        every_s: Between two rounds without a cause.

    Attributes:
        rounds: Rounds that came to their end.
        differences: What the last whole round found.
        fills_found: Fills that only reconciliation brought.
        not_before_ms: Venue time at which the account's opening balances were taken: trades before
            it are in them. `adopt` sets it; who starts from a journal does.
    """

    def __init__(  # noqa: PLR0913 - the parts are peers; a bag for them would have no meaning
        self,
        doors: Doors,
        rest: BinanceRest,
        time: VenueTime,
        engine: EngineInputs,
        account: int,
        *,
        terms: AccountTerms,
        symbols: Callable[[], Sequence[str]],
        after: Callable[[], None],
        every_s: float = _EVERY_S,
    ) -> None:
        self.rounds = 0
        self.differences: list[Difference] = []
        self.fills_found = 0
        self._doors = doors
        self._rest = rest
        self._time = time
        self._engine = engine
        self._account = account
        self._terms = terms
        self._symbols = symbols
        self._after = after
        self._every_s = every_s
        self._offers = CAPABILITIES[rest.market]
        self._wake = asyncio.Event()
        self._epoch = 0
        self._covered_ms = 0
        self.not_before_ms = 0
        self._is_wanted = False

    def hole(self, reason: str) -> None:
        """A round that is under way cannot be the last word."""
        del reason
        self._epoch += 1

    def restored(self) -> None:
        """The private stream is whole again: what it missed is fetched."""
        self._is_wanted = True
        self._wake.set()

    async def adopt(self) -> None:
        """Takes the venue's balances as the opening ones; once, for an account without a journal.

        Raises:
            FeedError: The venue did not list them.
        """
        name = "balances" if self._offers.has_positions else "account"
        before: dict[str, Decimal] | None = None
        while True:
            self.not_before_ms = self._time.now_ms()
            answer = await self._rest.call(name)
            held = listings.balances(answer)
            if held is None:
                raise FeedError(
                    f"the venue did not list the account's balances: {answer.error()}",
                    hint="look at the key's rights and the venue's status, then start again",
                )
            if held == before:
                break  # one empty or lagging answer is no account (F-E09)
            before = held
            await asyncio.sleep(_SECOND_READ_S)
        for asset, amount in held.items():
            self._engine.opening(self._account, asset, amount, answer.ts_recv_ns)

    async def run(self) -> None:
        """Reconciles when there is cause, until cancelled."""
        lacking = 0
        while True:
            await self._cause(lacking)
            lacking = lacking + 1 if self._engine.lacks_fills(self._account) else 0
            self._is_wanted = not await self.once()
            if self._is_wanted:
                await asyncio.sleep(_AGAIN_S)

    async def _cause(self, lacking: int) -> None:
        """Waits for a restored stream, a fill that is missing, or the timer."""
        waited_s = 0.0
        # what stays missing is asked for at growing intervals: the venue's tables may lag
        patience_s = min(60.0, _AGAIN_S * lacking)
        while not self._is_wanted and waited_s < self._every_s:
            if waited_s >= patience_s and self._engine.lacks_fills(self._account):
                return
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._wake.wait()
            waited_s += _LOOK_EVERY_S

    async def once(self) -> bool:
        """One round.

        Returns:
            True if it came to its end and no hole opened meanwhile.
        """
        epoch = self._epoch
        started_ms = self._time.now_ms()
        found: list[Difference] = []
        try:
            symbols = await self._merge_orders(found)
            await self._merge_fills(symbols, found)
            await self._compare_holdings(found)
            await self._compare_settings(found)
        except (NotSent, OutcomeUnknown, _Inconclusive, ValueError, RecursionError):
            return False  # no answer, no whole listing, or a row that the engine cannot read
        ts_ns = self._doors.clock.wall_ns()
        for difference in found:
            self._engine.differs(self._account, difference, ts_ns)
        self.differences = found
        if epoch != self._epoch:
            return False
        self.rounds += 1
        self._covered_ms = started_ms
        self._engine.synced(self._account, started_ms * 1_000_000, ts_ns)
        self._after()
        return True

    # Orders.

    async def _merge_orders(self, found: list[Difference]) -> list[str]:
        """Merges what is open; returns the symbols whose trades must be looked at."""
        before = dict(self._engine.open_orders(self._account))
        symbols = dict.fromkeys([*self._symbols(), *(symbol for symbol, _ in before.values())])
        names = ["open_orders"]
        if self._offers.has_algo_orders:
            names.append("open_algo_orders")
        listed: dict[str, listings.OrderRow] = {}
        for name in names:
            answer = await self._rest.call(name)
            rows = _whole(listings.orders(answer))
            for row, body in zip(rows, _bodies(answer), strict=True):
                listed[row.client_order_id] = row
                symbols[row.symbol] = None
                self._judge_listed(row, before, found)
                self._engine.found(self._account, body, answer.ts_recv_ns)
        still_open = self._engine.open_orders(self._account)
        for client_order_id, (symbol, _) in before.items():
            if client_order_id not in listed and client_order_id in still_open:
                await self._judge_unlisted(client_order_id, symbol, found)
        return list(symbols)

    def _judge_listed(
        self,
        row: listings.OrderRow,
        before: dict[str, tuple[str, Decimal]],
        found: list[Difference],
    ) -> None:
        ours = before.get(row.client_order_id)
        if ours is None:
            if not self._engine.knows_order(self._account, row.client_order_id):
                found.append(_difference("order_missing_here", row.client_order_id, "none", "open"))
        elif ours[1] < row.filled:
            found.append(_difference("filled_quantity", row.client_order_id, ours[1], row.filled))

    async def _judge_unlisted(
        self, client_order_id: str, symbol: str, found: list[Difference]
    ) -> None:
        """Ours is open and was not listed: its own query says what became of it (rule 1)."""
        for name, field in (("order", "origClientOrderId"), ("algo_order", "clientAlgoId")):
            if name == "algo_order" and not self._offers.has_algo_orders:
                continue
            params = {"symbol": symbol, field: client_order_id}
            if name == "algo_order":
                del params["symbol"]
            answer = await self._rest.call(name, params)
            value = answer.value()
            if answer.status == 200 and isinstance(value, dict):
                status = str(value.get("status") or value.get("algoStatus"))
                self._engine.found(self._account, answer.body, answer.ts_recv_ns)
                if status not in OPEN_STATUSES:
                    found.append(
                        _difference("order_missing_there", client_order_id, "open", status)
                    )
                return
        found.append(_difference("order_missing_there", client_order_id, "open", "not found"))

    # Fills.

    async def _merge_fills(self, symbols: Sequence[str], found: list[Difference]) -> None:
        since_ms = self._since_ms()
        for symbol in symbols:
            params = {"symbol": symbol, "startTime": str(since_ms), "limit": str(_PAGE)}
            while True:
                answer = await self._rest.call("my_trades", params)
                ids = _whole(listings.fills(answer))
                before = self._engine.fills_booked(self._account)
                self._engine.fills(self._account, symbol, answer.body, answer.ts_recv_ns)
                new = self._engine.fills_booked(self._account) - before
                if new:
                    self.fills_found += new
                    found.append(_difference("fill_missing", symbol, 0, new))
                await self._name_parked(symbol, answer)
                if len(ids) < _PAGE:
                    break
                params = {"symbol": symbol, "fromId": str(max(ids) + 1), "limit": str(_PAGE)}

    async def _name_parked(self, symbol: str, trades: RestAnswer) -> None:
        """Asks for the orders of trades that wait for theirs: somebody else's, or lost ones."""
        value = trades.value()
        rows = value if isinstance(value, list) else []
        parked = self._engine.parked(self._account)
        for number in dict.fromkeys(listings.whole(row.get("orderId")) for row in rows):
            if number in parked:
                answer = await self._rest.call("order", {"symbol": symbol, "orderId": str(number)})
                if answer.status != 200:
                    # The venue's tables may lag. A round that ended here would not list the trade
                    # again, and it would be lost.
                    raise _Inconclusive
                self._engine.found(self._account, answer.body, answer.ts_recv_ns)
                if number in self._engine.parked(self._account):
                    self._engine.external(self._account, answer.body, answer.ts_recv_ns)
                if number in self._engine.parked(self._account):
                    raise _Inconclusive  # held until an answer says whose it is

    def _since_ms(self) -> int:
        """From when on trades are looked at.

        An event that came proves nothing about those before it: only a whole round does.
        """
        covered_ms = self._covered_ms
        if covered_ms == 0:
            confirmed_ms = self._engine.confirmed_ns(self._account) // 1_000_000
            covered_ms = max(0, confirmed_ms - _FIRST_MARGIN_MS)
        oldest_ms = self._time.now_ms() - _WINDOW_MS + _MARGIN_MS
        return max(covered_ms - _MARGIN_MS, oldest_ms, self.not_before_ms)

    # Positions and balances.

    async def _compare_holdings(self, found: list[Difference]) -> None:
        first = await self._holdings()
        if not first:
            return
        await asyncio.sleep(_SECOND_READ_S)
        # Trading goes on meanwhile: what must be the same is how far they are apart.
        apart = {_apart(difference) for difference in first}
        second = [other for other in await self._holdings() if _apart(other) in apart]
        explained = await self._merge_income(second, found)
        found += [other for other in second if other.subject not in explained]

    async def _merge_income(self, apart: Sequence[Difference], found: list[Difference]) -> set[str]:
        """Books the entries of the income record that make up a balance's difference.

        Returns:
            The assets of which nothing differs any more.
        """
        explained: set[str] = set()
        balances = [other for other in apart if other.kind == "balance"]
        if not balances or not self._offers.has_positions:
            return explained
        entries = await income_since(self._rest, self._since_ms()) or []
        for difference in balances:
            asset = difference.subject
            of_asset = [entry for entry in entries if entry.asset == asset]
            distance = Decimal(difference.theirs) - Decimal(difference.ours)
            for entry in missed(of_asset, distance):
                if not self._engine.cash(self._account, entry, self._doors.clock.wall_ns()):
                    continue
                what = f"{entry.kind} {entry.symbol or asset}"
                found.append(_difference("cash_missing", what, 0, entry.amount))
                explained.add(asset)
        return explained

    async def _holdings(self) -> list[Difference]:
        differences: list[Difference] = []
        name = "balances" if self._offers.has_positions else "account"
        theirs = _whole(listings.balances(await self._rest.call(name)))
        ours = {k: v for k, v in self._engine.balances(self._account).items() if v}
        for asset in dict.fromkeys([*ours, *theirs]):
            mine, its = ours.get(asset), theirs.get(asset)
            if mine != its:
                differences.append(_difference("balance", asset, mine or 0, its or 0))
        if self._offers.has_positions:
            differences += await self._positions()
        return differences

    async def _positions(self) -> list[Difference]:
        rows = _whole(listings.positions(await self._rest.call("positions")))
        theirs = {(row.symbol, row.side): row.qty for row in rows if row.qty}
        ours = self._engine.positions(self._account)
        return [
            _difference(
                "position",
                " ".join(leg),
                ours.get(leg, 0),
                theirs.get(leg, 0),
            )
            for leg in dict.fromkeys([*ours, *theirs])
            if ours.get(leg, 0) != theirs.get(leg, 0)
        ]

    # Settings.

    async def _compare_settings(self, found: list[Difference]) -> None:
        if not self._offers.has_positions:
            return
        mode = (await self._rest.call("position_mode")).value()
        if not isinstance(mode, dict) or not isinstance(mode.get("dualSidePosition"), bool):
            raise _Inconclusive
        ours = self._terms.is_hedge
        if ours != mode["dualSidePosition"]:
            theirs = "hedge" if mode["dualSidePosition"] else "one-way"
            found.append(
                _difference("position_mode", "account", "hedge" if ours else "one-way", theirs)
            )
        name = "symbol_config" if self._rest.market == "usdm" else "positions"
        rows = _whole(listings.positions(await self._rest.call(name)))
        seen: dict[str, None] = {}
        for row in rows:
            if row.symbol in seen:
                continue  # a second leg of the same symbol has the same settings
            seen[row.symbol] = None
            wanted = self._terms.leverage.get(row.symbol)
            if wanted is not None and row.leverage and wanted != row.leverage:
                found.append(_difference("leverage", row.symbol, wanted, row.leverage))
            kind = self._terms.margin_types.get(row.symbol)
            if kind is not None and row.margin_type and kind != row.margin_type:
                found.append(_difference("margin_type", row.symbol, kind, row.margin_type))


def _difference(kind: str, subject: str, ours: object, theirs: object) -> Difference:
    rule = DIFFERENCES[kind]
    return Difference(kind, subject, _plain(ours), _plain(theirs), rule.freeze, rule.repair)


def _apart(difference: Difference) -> tuple[str, str, Decimal]:
    """What two readings of one difference have in common."""
    distance = Decimal(difference.theirs) - Decimal(difference.ours)
    return difference.kind, difference.subject, distance


def _plain(value: object) -> str:
    """A figure without zeros at its end, so that equal figures are equal texts."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _whole(rows: T | None) -> T:
    if rows is None:
        raise _Inconclusive
    return rows


def _bodies(answer: RestAnswer) -> list[bytes]:
    """Each row of a listing on its own."""
    value = answer.value()
    rows = value if isinstance(value, list) else []
    return [json.dumps(row, separators=(",", ":")).encode() for row in rows]
