"""One account and one market of the engine, as a venue's live half sees them (`EngineInputs`).

```text
 Feed, Gateway, Resolver, Reconciler ─► EnginePort ─► LiveEngine, then the shell's `settle`
```

Beside passing on, it keeps what the engine does not: what was taken over at the start, and which
differences froze what, so that they are thawed when they are gone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from veloz.venues.binance.engine_fields import cash_fields, ended_algo_order, external_order
from veloz.venues.venue import AccountTerms, Difference, Freeze

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal

    from veloz.environments.trading.shell import EngineShell
    from veloz.environments.trading.tables import Tables
    from veloz.venues.binance.hosts import Market
    from veloz.venues.venue import CashEntry, VenueRequest, Verdict

__all__ = ["EnginePort"]

_UNCLEAR = 2


class EnginePort:
    """What one market's sessions ask of the engine.

    Args:
        shell: The engine with its journal.
        tables: The engine's tables.
        market: Which market; its account and feed have the same row.
        strategies: Rows of the strategies that trade on this account.
        tell: Hears of each difference once.

    Attributes:
        since_ns: Venue time up to which all was booked when the run began.
        is_synced: True while nothing of the account may be missing.
        sticky: Differences that no later round takes away.
        on_doubt: Called when a private frame held something that must be asked for.
        on_refusal: Called with each refusal of the venue.
    """

    def __init__(
        self,
        shell: EngineShell,
        tables: Tables,
        market: Market,
        strategies: Sequence[int],
        tell: Callable[[Difference], None],
    ) -> None:
        self.since_ns = 0
        self.is_synced = False
        self.sticky: list[Difference] = []
        self.on_doubt: Callable[[], None] = lambda: None
        self.on_refusal: Callable[[Verdict], None] = lambda _verdict: None
        self._shell = shell
        self._engine = shell.engine
        self._account = tables.account_of(market)
        self._assets = set(tables.assets)
        self._is_hedge = market in tables.hedge
        self._named = tables.named(market)
        self._strategies = list(strategies)
        self._tell = tell
        self._frozen: dict[tuple[str, str], Difference] = {}
        self._reported: dict[tuple[str, str], Difference] = {}
        self._leverage = {
            row["venue_symbol"]: leverage
            for row, leverage in zip(tables.instruments, tables.leverage, strict=True)
            if row["kind"] != "spot" and row["symbol"] in self._named.values()
        }
        self.written = shell.engine.written
        self._frame = shell.engine.frame
        self._settle = shell.settle

    # Markets.

    def frame(self, feed: int, payload: bytes | memoryview, ts_recv_ns: int) -> int:
        """Takes one frame; from the socket's callback."""
        try:
            kind = self._frame(feed, payload, ts_recv_ns)
        except RuntimeError as failure:
            self._shell.die(str(failure))
            return -1
        self._settle()
        return kind

    def rest_body(self, feed: int, url: str, body: bytes, ts_recv_ns: int) -> int:
        """Takes the body of a REST answer."""
        return self._after(self._engine.rest_body, feed, url, body, ts_recv_ns)

    def history_body(self, feed: int, url: str, body: bytes, ts_recv_ns: int) -> int:
        """Takes rows from before the start."""
        return self._after(self._engine.history_body, feed, url, body, ts_recv_ns)

    def books_to_rebuild(self, feed: int) -> Sequence[str]:
        """Venue symbols whose book waits for a snapshot."""
        return self._engine.books_to_rebuild(feed)

    def stale(self, feed: int, streams: Sequence[str], reason: str, ts_ns: int) -> None:
        """Marks streams as not to be trusted."""
        self._after(self._engine.stale, feed, list(streams), reason, ts_ns)

    def fresh(self, feed: int, streams: Sequence[str], ts_ns: int) -> None:
        """Takes the mark away."""
        self._after(self._engine.fresh, feed, list(streams), ts_ns)

    # Requests and what becomes of them.

    def take_requests(self) -> Sequence[VenueRequest]:
        """Hands over what may leave."""
        # What the venue cannot be asked was given back before; the rest is encoded.
        return cast("list[VenueRequest]", self._shell.released(self._account))

    def user_frame(self, account: int, payload: bytes | memoryview, ts_recv_ns: int) -> int:
        """Takes one frame of the private stream."""
        bits = self._after(self._engine.user_frame, account, payload, ts_recv_ns)
        if bits & _UNCLEAR:
            self.on_doubt()
        return bits

    def answered(self, number: int, body: bytes, ts_recv_ns: int) -> int:
        """The venue did what a request asked."""
        return self._after(self._engine.answered, number, body, ts_recv_ns)

    def refused(self, number: int, verdict: Verdict, ts_recv_ns: int) -> None:
        """The venue said no."""
        self._after(self._engine.refused, number, verdict, ts_recv_ns)
        self.on_refusal(verdict)

    def not_sent(self, number: int, reason: str, ts_recv_ns: int) -> None:
        """No byte left."""
        self._after(self._engine.not_sent, number, reason, ts_recv_ns)

    def unknown(self, number: int, reason: str, ts_recv_ns: int) -> None:
        """It may have been carried out."""
        self._after(self._engine.unknown, number, reason, ts_recv_ns)

    def lapsed(self, number: int, ts_recv_ns: int) -> None:
        """It can no longer take effect."""
        self._after(self._engine.lapsed, number, ts_recv_ns)

    def found(self, account: int, body: bytes, ts_recv_ns: int) -> int:
        """One order as the venue describes it."""
        bits = self._after(self._engine.found, account, body, ts_recv_ns)
        if b'"algoStatus"' in body:
            fields = ended_algo_order(json.loads(body), self._engine.view("orders", account))
            if fields is not None:
                self._shell.input("found", account=account, **fields)
        return bits

    def external(self, account: int, body: bytes, ts_recv_ns: int) -> None:
        """Shows an order that is not ours and has ended, so that its trades are booked (F-E01)."""
        fields = external_order(json.loads(body), self._named)
        if fields is not None:
            self._shell.input("external", account=account, **fields)

    def absent(self, account: int, client_order_id: str, ts_recv_ns: int) -> None:
        """The order never existed."""
        self._after(self._engine.absent, account, client_order_id, ts_recv_ns)

    def fills(self, account: int, symbol: str, body: bytes, ts_recv_ns: int) -> int:
        """Trades as REST lists them; those of symbols that are not ours are passed over."""
        if symbol not in self._named:
            return 0
        return self._after(self._engine.fills, account, symbol, body, ts_recv_ns)

    # The account.

    def open_orders(self, account: int) -> Mapping[str, tuple[str, Decimal]]:
        """By client order id, the venue symbol and the filled quantity."""
        return self._engine.open_orders(account)

    def knows_order(self, account: int, client_order_id: str) -> bool:
        """True if the order is or was one of ours, or is shown as somebody else's."""
        if self._engine.knows_order(account, client_order_id):
            return True
        return client_order_id in self._engine.open_orders(account)

    def lacks_fills(self, account: int) -> bool:
        """True if a cumulative quantity is ahead of the booked fills of any order."""
        return bool(self._engine.view("needs_trades", account))

    def fills_booked(self, account: int) -> int:
        """How many fills are booked; only its growth is looked at."""
        return int(self._engine.view("counts", account)["fills"])

    def parked(self, account: int) -> set[int]:
        """The venue's numbers of orders whose reports wait until the order is known."""
        rows = self._engine.view("parked", account)
        return {number for owner, _, number, _ in rows if owner == account}

    def opening(self, account: int, asset: str, amount: Decimal, ts_recv_ns: int) -> None:
        """What the account held of an asset before its first journal record."""
        fields: dict[str, Any] = {"asset": asset, "amount": amount, "ts_exchange": ts_recv_ns}
        self._shell.input("cash", account=account, why="transfer", **fields)

    def cash(self, account: int, entry: CashEntry, ts_recv_ns: int) -> bool:
        """Books an entry of the venue's income record that no event told of."""
        del ts_recv_ns
        if entry.asset not in self._assets:
            return False
        self._shell.input("cash", account=account, **cash_fields(entry, self._named))
        return True

    def positions(self, account: int) -> Mapping[tuple[str, str], Decimal]:
        """Signed quantity by venue symbol and side."""
        return self._engine.positions(account)

    def balances(self, account: int) -> Mapping[str, Decimal]:
        """What is held by asset."""
        return self._engine.balances(account)

    @property
    def terms(self) -> AccountTerms:
        """How the account is meant to be set; margin types are as the venue has them."""
        return AccountTerms(self._leverage, {}, self._is_hedge)

    def confirmed_ns(self, account: int) -> int:
        """Venue time of what is booked."""
        return max(int(self._engine.confirmed_ns(account)), self.since_ns)

    def differs(self, account: int, difference: Difference, ts_recv_ns: int) -> None:
        """Records a difference, and freezes what it says."""
        key = (difference.kind, difference.subject)
        self._reported[key] = difference
        known = self._frozen.get(key)
        self._state(account, difference, ts_recv_ns)
        if known == difference:
            return
        self._tell(difference)
        if difference.kind == "access":
            self.sticky.append(difference)
        if self._freezes(difference):
            self._frozen[key] = difference
            self._hold(difference, is_on=True)

    def synced(self, account: int, since_ns: int, ts_recv_ns: int) -> None:
        """All up to `since_ns` is booked; what differs no more is thawed."""
        self.is_synced = True
        self._after(self._engine.synced, account, since_ns, ts_recv_ns)
        kept = {(one.kind, one.subject) for one in self.sticky}
        gone = [key for key in self._frozen if key not in self._reported and key not in kept]
        for key in gone:
            difference = self._frozen.pop(key)
            if not any(_scope(other) == _scope(difference) for other in self._frozen.values()):
                self._hold(difference, is_on=False)
        self._reported.clear()

    def halt(self, venue_symbol: str, status: str) -> None:
        """Freezes a symbol that the venue does not trade; what rests there may be cancelled."""
        halted = Difference("status", venue_symbol, "trading", status, Freeze.INSTRUMENT, "")
        known = self._frozen.get(_key(halted))
        if known == halted:
            return
        self.sticky = [one for one in self.sticky if _key(one) != _key(halted)] + [halted]
        self._frozen[_key(halted)] = halted
        self._hold(halted, is_on=True)

    def resume(self, venue_symbol: str) -> None:
        """Ends what `halt` began; nothing if it did not."""
        halted = self._frozen.pop(("status", venue_symbol), None)
        if halted is None:
            return
        self.sticky = [one for one in self.sticky if _key(one) != _key(halted)]
        if not any(_scope(other) == _scope(halted) for other in self._frozen.values()):
            self._hold(halted, is_on=False)

    def unsynced(self, account: int, reason: str, ts_recv_ns: int) -> None:
        """Private events may have been missed."""
        self.is_synced = False
        self._after(self._engine.unsynced, account, reason, ts_recv_ns)

    @property
    def frozen(self) -> list[Difference]:
        """Differences that hold something frozen."""
        return list(self._frozen.values())

    def _after(self, call: Callable[..., Any], *args: Any) -> Any:
        """One input, and what follows it; a poisoned engine takes none."""
        try:
            result = call(*args)
        except RuntimeError as failure:
            self._shell.die(str(failure))
            return 0
        self._settle()
        return result

    def _state(self, account: int, difference: Difference, ts_ns: int) -> None:
        """The venue's figure, as a record of the journal."""
        kind, subject = difference.kind, difference.subject
        fields: dict[str, Any] = {"account": account, "ts_exchange": ts_ns}
        if kind == "balance" and subject in self._assets:
            self._shell.input("balance", asset=subject, wallet=difference.theirs, **fields)
        elif kind == "position":
            symbol, _, side = subject.partition(" ")
            if symbol in self._named:
                fields |= {"symbol": self._named[symbol], "position_side": side.lower()}
                self._shell.input("position", qty=difference.theirs, **fields)
        elif kind == "leverage" and subject in self._named:
            leverage = self._leverage[subject] = int(difference.theirs)
            self._shell.input("setting", symbol=self._named[subject], leverage=leverage, **fields)

    def _freezes(self, difference: Difference) -> bool:
        """What is not in the engine's tables is not traded: there is nothing to freeze."""
        if difference.kind == "balance" and difference.subject not in self._assets:
            return False
        if difference.freeze is Freeze.INSTRUMENT:
            # the leverage was set right a moment ago
            return difference.kind != "leverage" and _symbol(difference) in self._named
        return difference.freeze is Freeze.ACCOUNT

    def _hold(self, difference: Difference, *, is_on: bool) -> None:
        word = "freeze" if is_on else "unfreeze"
        reason = (
            f"{difference.kind} {difference.subject}: ours {difference.ours}, "
            f"the venue's {difference.theirs}"
        )
        fields: dict[str, Any] = {"account": self._account, "reason": reason}
        if difference.freeze is Freeze.INSTRUMENT:
            self._shell.input(word, symbol=self._named[_symbol(difference)], **fields)
            return
        # Strategy by strategy: the account's own freeze belongs to the private stream.
        for row in self._strategies:
            self._shell.input(word, strategy=row, **fields)


def _key(difference: Difference) -> tuple[str, str]:
    return (difference.kind, difference.subject)


def _symbol(difference: Difference) -> str:
    return difference.subject.partition(" ")[0]


def _scope(difference: Difference) -> str:
    return _symbol(difference) if difference.freeze is Freeze.INSTRUMENT else ""
