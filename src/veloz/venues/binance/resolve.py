"""Finding out what became of a request that nobody answered (fault catalogue, rules 1 and 2).

```text
 doubt ─► query by client id ─┬ found ─────────────────────────────► found
              ▲               ├ "does not exist", deadline ahead ─► ask again later
              │               └ "does not exist", deadline past ──► full listing ─┬ there ► found
              └──────────── no answer, lag, a page missing ◄─────────────────────┴ not  ► absent
```

The venue forwards a request no later than `timestamp + recvWindow` of its own clock. "It never
existed" is said only by a query *and* a full listing that both began after that plus a margin. A
"not found" before proves nothing: queries are answered from tables that lag the matching engine.

Source: Binance Spot API "Timing security" and "Data Sources".
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from veloz.errors import NotSent, OutcomeUnknown
from veloz.venues.binance.capabilities import CAPABILITIES
from veloz.venues.binance.listings import figure, whole

if TYPE_CHECKING:
    from veloz.net.doors import Doors
    from veloz.venues.binance.rest import BinanceRest, RestAnswer, VenueTime
    from veloz.venues.venue import EngineInputs, VenueRequest

__all__ = ["OPEN_STATUSES", "Resolver"]

OPEN_STATUSES = frozenset({"NEW", "PARTIALLY_FILLED", "PENDING_NEW", "PENDING_CANCEL"})
"""The venue's words for an order that may still trade; algo orders wait as `NEW`."""

_NOT_FOUND = (-2013, -2026)
_FIRST_WAIT_S = 0.2
_GROWTH = 1.8
_WAIT_MOST_S = 10.0
_AT_ONCE = 4
_PAGE = 1000
_BEFORE_MS = 60_000


@dataclass(slots=True)
class _Doubt:
    """One question to the venue.

    Attributes:
        number: The engine's number of the request; 0 if only the order's state is wanted.
        deadline_ms: Venue time from which on absence can be concluded.
        terms: Of an amend: quantity and price that were asked for, by the listing's field.
        is_new: Of an amend: it places another order, under the client id that is asked about.
    """

    number: int
    kind: str
    client_order_id: str
    symbol: str
    is_algo: bool
    timestamp_ms: int
    deadline_ms: int
    terms: dict[str, str]
    is_new: bool = False
    is_settled: bool = False

    def is_amended(self, order: dict[str, object]) -> bool:
        """True if the order has the terms that the amend asked for."""
        return bool(self.terms) and all(
            figure(order.get(field)) == Decimal(value) for field, value in self.terms.items()
        )


class Resolver:
    """Asks until each doubt has ended.

    Args:
        doors: Time and chance.
        rest: Asks the venue, behind cancels and before orders.
        time: The venue's clock.
        engine: Takes the evidence.
        account: The engine's number of the account.
        margin_s: Past the receive window, for the venue's own delays.

    Attributes:
        counts: `found`, `absent`, `lapsed`, `misses`, `listings`: how often each happened. `misses`
            are answers "does not exist" that proved nothing.
    """

    def __init__(
        self,
        doors: Doors,
        rest: BinanceRest,
        time: VenueTime,
        engine: EngineInputs,
        account: int,
        *,
        margin_s: float = 30.0,
    ) -> None:
        self.counts: dict[str, int] = dict.fromkeys(
            ("found", "absent", "lapsed", "misses", "listings"), 0
        )
        self._doors = doors
        self._rest = rest
        self._time = time
        self._engine = engine
        self._account = account
        self._margin_ms = int(margin_s * 1000)
        self._doubts: dict[tuple[int, str], _Doubt] = {}
        self._new: list[_Doubt] = []
        self._wake = asyncio.Event()
        self._gate = asyncio.Semaphore(_AT_ONCE)

    @property
    def open(self) -> int:
        """Doubts that have not ended."""
        return len(self._doubts)

    def doubt(self, request: VenueRequest, timestamp_ms: int, recv_window_ms: int) -> None:
        """Begins to ask about a request that may have been carried out.

        Of one that cancels an order and places another, both are asked about.

        Args:
            request: Which one.
            timestamp_ms: The venue time that was signed into it.
            recv_window_ms: Its receive window.
        """
        until_ms = timestamp_ms + recv_window_ms
        self._begin(request, request.number, request.client_order_id, until_ms)
        if request.replaces:
            self._begin(request, 0, request.replaces, until_ms)

    def ask(self, request: VenueRequest, timestamp_ms: int, recv_window_ms: int) -> None:
        """Asks for the state of the order that a refused cancel or amend was about."""
        name = request.replaces or request.client_order_id
        self._begin(request, 0, name, timestamp_ms + recv_window_ms)

    def settled(self, number: int) -> None:
        """The answer came after all."""
        for doubt in self._doubts.values():
            if doubt.number == number:
                doubt.is_settled = True

    async def run(self) -> None:
        """Asks until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                for doubt in self._new:
                    tasks.create_task(self._resolve(doubt))
                self._new.clear()
                await self._wake.wait()

    def _begin(self, request: VenueRequest, number: int, name: str, until_ms: int) -> None:
        is_algo = request.is_conditional and CAPABILITIES[self._rest.market].has_algo_orders
        doubt = _Doubt(
            number,
            request.kind,
            name,
            request.symbol,
            is_algo,
            until_ms,
            until_ms + self._margin_ms,
            _terms(request) if request.kind == "amend" and not request.replaces else {},
            is_new=bool(request.replaces) and name == request.client_order_id,
        )
        key = (number, name)
        if key not in self._doubts:
            self._doubts[key] = doubt
            self._new.append(doubt)
            self._wake.set()

    async def _resolve(self, doubt: _Doubt) -> None:
        wait_s = _FIRST_WAIT_S
        while not doubt.is_settled:
            await asyncio.sleep(self._doors.random.uniform(wait_s / 2, wait_s))
            wait_s = min(_WAIT_MOST_S, wait_s * _GROWTH)
            if doubt.is_settled:
                break
            async with self._gate:
                try:
                    doubt.is_settled = await self._ask_once(doubt) or doubt.is_settled
                except (NotSent, OutcomeUnknown, ValueError, RecursionError):
                    continue  # no answer, or one that the engine cannot read: asked again
        del self._doubts[doubt.number, doubt.client_order_id]

    async def _ask_once(self, doubt: _Doubt) -> bool:
        """One round; True if the doubt has ended."""
        asked_ms = self._time.now_ms()
        is_past = asked_ms > doubt.deadline_ms
        if doubt.kind == "cancel_all":
            return is_past and await self._list_open(doubt)
        name, field = ("order", "origClientOrderId")
        if doubt.is_algo:
            name, field = ("algo_order", "clientAlgoId")
        params = {field: doubt.client_order_id}
        if not doubt.is_algo:
            params["symbol"] = doubt.symbol
        answer = await self._rest.call(name, params)
        if doubt.is_settled:
            return True
        if answer.status == 200 and _is_order(answer.value(), is_algo=doubt.is_algo):
            return self._found(doubt, answer.body, answer, is_past=is_past)
        code, _ = answer.error()
        if code not in _NOT_FOUND:
            return False
        if not is_past:
            self.counts["misses"] += 1
            return False
        return await self._conclude(doubt)

    def _found(self, doubt: _Doubt, body: bytes, answer: RestAnswer, *, is_past: bool) -> bool:
        self.counts["found"] += 1
        self._engine.found(self._account, body, answer.ts_recv_ns)
        if doubt.kind == "place" or doubt.number == 0:
            return True
        if doubt.is_new:  # that it exists is the answer
            self._engine.answered(doubt.number, body, answer.ts_recv_ns)
            return True
        order = json.loads(body)
        if str(order.get("status") or order.get("algoStatus")) not in OPEN_STATUSES:
            return True
        if doubt.is_amended(order):
            self._engine.answered(doubt.number, body, answer.ts_recv_ns)
            return True
        if is_past:
            self.counts["lapsed"] += 1
            self._engine.lapsed(doubt.number, answer.ts_recv_ns)
        return is_past

    async def _conclude(self, doubt: _Doubt) -> bool:
        """Past the deadline and not found: the full listing decides."""
        self.counts["listings"] += 1
        listed = await self._listing(doubt)
        if listed is None or doubt.is_settled:
            return doubt.is_settled
        rows, answer = listed
        for row in rows:
            name = row.get("clientAlgoId" if doubt.is_algo else "clientOrderId")
            if name == doubt.client_order_id:
                return self._found(doubt, json.dumps(row).encode(), answer, is_past=True)
        self.counts["absent"] += 1
        if doubt.is_new and doubt.number:
            self._engine.lapsed(doubt.number, answer.ts_recv_ns)
        else:
            self._engine.absent(self._account, doubt.client_order_id, answer.ts_recv_ns)
        return True

    async def _listing(self, doubt: _Doubt) -> tuple[list[dict[str, object]], RestAnswer] | None:
        """Open orders, all orders and trades since sending; None if anything is missing."""
        since = str(doubt.timestamp_ms - _BEFORE_MS)
        names = ("open_orders", "all_orders")
        if doubt.is_algo:
            names = ("open_algo_orders", "all_algo_orders")
        still_open = await self._rest.call(names[0], {"symbol": doubt.symbol})
        rows = _rows(still_open)
        ever = await self._pages(names[1], doubt.symbol, since)
        trades = await self._rest.call(
            "my_trades", {"symbol": doubt.symbol, "startTime": since, "limit": str(_PAGE)}
        )
        fills = _rows(trades)
        if rows is None or ever is None or fills is None or len(fills) >= _PAGE:
            return None
        rows += ever
        if not doubt.is_algo:
            known = {whole(row.get("orderId")) for row in rows}
            for number in dict.fromkeys(whole(fill.get("orderId")) for fill in fills):
                if number in known:
                    continue
                # Either its order is older than the listing, or the listing lags: it says which.
                params = {"symbol": doubt.symbol, "orderId": str(number)}
                order = (await self._rest.call("order", params)).value()
                if not isinstance(order, dict) or "clientOrderId" not in order:
                    return None
                rows.append(order)
        return rows, still_open

    async def _pages(self, name: str, symbol: str, since: str) -> list[dict[str, object]] | None:
        rows: list[dict[str, object]] = []
        params = {"symbol": symbol, "startTime": since, "limit": str(_PAGE)}
        while True:
            page = _rows(await self._rest.call(name, params))
            if page is None:
                return None
            rows += page
            if len(page) < _PAGE:
                return rows
            field = "algoId" if "algo" in name else "orderId"
            last = max(whole(row.get(field)) for row in page)
            params = {"symbol": symbol, field: str(last + 1), "limit": str(_PAGE)}

    async def _list_open(self, doubt: _Doubt) -> bool:
        """A cancel-all that can no longer take effect: what is open now was left open."""
        names = ["open_orders"]
        if CAPABILITIES[self._rest.market].has_algo_orders:
            names.append("open_algo_orders")
        ts_recv_ns = 0
        for name in names:
            answer = await self._rest.call(name, {"symbol": doubt.symbol})
            rows = _rows(answer)
            if rows is None:
                return False
            ts_recv_ns = answer.ts_recv_ns
            for row in rows:
                self._engine.found(self._account, json.dumps(row).encode(), ts_recv_ns)
        self.counts["lapsed"] += 1
        self._engine.lapsed(doubt.number, ts_recv_ns)
        return True


def _terms(request: VenueRequest) -> dict[str, str]:
    """What an amend asks for, by the fields in which orders are listed."""
    asked = dict(request.encoded.params)
    wanted = {"origQty": asked.get("quantity") or asked.get("newQty"), "price": asked.get("price")}
    return {field: value for field, value in wanted.items() if value is not None}


def _is_order(value: object, *, is_algo: bool) -> bool:
    """False of a 200 that holds anything else, such as an error: it says nothing of the order."""
    name = "clientAlgoId" if is_algo else "clientOrderId"
    return isinstance(value, dict) and name in value and "code" not in value


def _rows(answer: RestAnswer) -> list[dict[str, object]] | None:
    """The rows of a listing; None if the answer is no whole list."""
    value = answer.value()
    if answer.status != 200 or not isinstance(value, list):
        return None
    rows = [row for row in value if isinstance(row, dict)]
    return rows if len(rows) == len(value) else None
