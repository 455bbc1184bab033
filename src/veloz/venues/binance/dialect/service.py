"""Does one proven request: limits, faults, the route's work, and the answer or the refusal.

REST and the WebSocket API both end here, so a fault plan and a limit mean the same on both.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from veloz.exchange.words import Market, Refusal
from veloz.venues.binance.dialect.errors import VenueError, error
from veloz.venues.binance.dialect.fault_effects import Answer, Treatment
from veloz.venues.binance.dialect.params import Params
from veloz.venues.binance.dialect.vocabulary import decode, encode

if TYPE_CHECKING:
    from veloz.venues.binance.dialect.faults import Faults
    from veloz.venues.binance.dialect.venue import Call, Route, Routes, Venue

__all__ = ["Service", "json_body", "rest_error"]

Body = dict[str, Any]
# Called at most once: with the status and the body around `result` or `error`, or a raw answer.
Reply = Callable[[int, "Body | Answer"], None]
LOST = Answer(0, b"")  # with status 0: no answer comes
CLIENT_IDS = ("newClientOrderId", "clientAlgoId", "origClientOrderId")


class Service:
    """The work of all three markets' APIs.

    Args:
        venue: Books, keys and limits.
        routes: What is served.
        faults: What goes wrong.
    """

    def __init__(self, venue: Venue, routes: dict[Market, Routes], faults: Faults) -> None:
        self.venue = venue
        self.routes = routes
        self.faults = faults
        self._before: dict[tuple[str, str, str, str], Any] = {}

    def perform(self, route: Route, call: Call, reply: Reply) -> None:
        """Does a request and replies; a fault may reply otherwise, later or never."""
        client_id = next(
            (call.params.raw()[name] for name in CLIENT_IDS if name in call.params.raw()), ""
        )
        treatment = self.faults.request(call.market, route.kind, client_id)
        if treatment.price_shift_ticks:
            call.params = _shifted(call, treatment.price_shift_ticks)
        if treatment.spoils:
            call.params = _spoilt(call)
        self._use_up(call, treatment)
        status, body = 200, {}
        if treatment.executes == "now":
            status, body = self._done(route, call, treatment)
        elif treatment.executes == "later":
            self.faults.later(treatment.later_ms, lambda: self._do_late(route, call, treatment))
        answer: Body | Answer | Literal["lost"] = treatment.answer or body
        if isinstance(answer, Answer) and call.is_ws:
            answer, status = _as_ws(answer), answer.status
        elif isinstance(answer, Answer):
            status = answer.status
        found = LOST if answer == "lost" else answer
        if found is LOST:
            status = 0
        self.faults.later(treatment.answer_delay_ms, lambda: reply(status, found))

    def count_failure(self, market: Market, address: str, now_ms: int) -> None:
        """A refused request costs its weight too."""
        try:
            self.venue.limits[market].take(address, 1, now_ms)
        except VenueError:
            return  # the refusal that is being sent says enough

    def _done(self, route: Route, call: Call, treatment: Treatment) -> tuple[int, Body]:
        try:
            return 200, {"result": self._work(route, call, treatment)}
        except VenueError as refusal:
            return refusal.status, {"error": refusal.body(), "headers": refusal.headers}
        except Refusal as refusal:
            found = call.refused(refusal, query=route.query)
        if isinstance(found, VenueError):
            return found.status, {"error": found.body(), "headers": found.headers}
        return 500, {"error": error(-1000).body(), "headers": {}}

    def _do_late(self, route: Route, call: Call, treatment: Treatment) -> None:
        """The request leaves its queue after the client has given up."""
        self._done(route, call, treatment)

    def _work(self, route: Route, call: Call, treatment: Treatment) -> Any:
        venue, now = self.venue, self.venue.now_ms()
        limits = venue.limits[call.market]
        weight = route.weigh(call.params)
        limits.take(call.peer, weight, now)
        orders = route.count(call.params)
        if orders:
            if call.key is not None and not call.key.can_trade:
                raise error(-2015)
            limits.take_orders(call.account, orders, now)
        venue.exchange.advance()
        result = route.work(call)
        if route.free:
            limits.give_back(call.peer, weight, now)
        return self._aged(route, call, treatment, result)

    def _aged(self, route: Route, call: Call, treatment: Treatment, result: Any) -> Any:
        """The result, or with a fault the one before it, or one without rows."""
        account = call.key.account if call.key else ""
        symbol = call.params.raw().get("symbol", "")
        name = (call.market.value, route.kind, symbol, account)
        if treatment.stale and name in self._before:
            return self._before[name]
        if route.kind == "depth" or route.kind.startswith(("account", "positionRisk")):
            self._before.setdefault(name, result)
            if not treatment.stale:
                self._before[name] = result
        if treatment.levels:
            return _shallow(result, treatment.levels)
        return _emptied(result) if treatment.empties else result

    def _use_up(self, call: Call, treatment: Treatment) -> None:
        limits, now = self.venue.limits[call.market], self.venue.now_ms()
        if treatment.exhausts == "weight":
            limits.exhaust(call.peer, now)
        elif treatment.exhausts == "ban":
            limits.ban(call.peer, now)


def _shifted(call: Call, ticks: int) -> Params:
    values = call.params.raw()
    if "price" in values:
        tick = call.listing().tick
        values["price"] = str(Decimal(values["price"]) + ticks * tick)
    return Params(values.items())


def _spoilt(call: Call) -> Params:
    """Every second order of a batch has no quantity, or every second id is nobody's."""
    values = call.params.raw()
    for name, spoil in (
        ("batchOrders", lambda row: {**row, "quantity": "0"}),
        ("origClientOrderIdList", lambda row: f"{row[:-1]}_"),
    ):
        if name in values:
            rows = decode(values[name])
            values[name] = encode([spoil(r) if n % 2 else r for n, r in enumerate(rows)]).decode()
    return Params(values.items())


def _shallow(book: dict[str, Any], levels: int) -> dict[str, Any]:
    """A book's best levels."""
    return {**book, "bids": book["bids"][:levels], "asks": book["asks"][:levels]}


def _emptied(result: Any) -> Any:
    if isinstance(result, list):
        return []
    if isinstance(result, dict):
        return {name: [] if isinstance(rows, list) else rows for name, rows in result.items()}
    return result


def _as_ws(answer: Answer) -> Body | Answer:
    """A planned refusal inside the envelope of the WebSocket API; what is no JSON goes as it is."""
    try:
        body = decode(answer.body)
    except ValueError:
        if answer.status == 200:
            return answer
        body = error(-1007).body() if answer.status >= 500 else error(-1000).body()
    return {"error": body}


def json_body(status: int, body: Body) -> bytes:
    """The body of a REST answer."""
    return encode(body["result"] if "result" in body and status == 200 else rest_error(body))


def rest_error(body: Body) -> Body:
    """A refusal as REST has it: when to come back stands in a header, and not beside the text."""
    found: Body = body["error"]
    if "retryAfter" in (found.get("data") or {}):
        return {name: value for name, value in found.items() if name != "data"}
    return found
