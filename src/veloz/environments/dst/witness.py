"""The witness: what truly crossed the wires, and what was on the disk when it left.

It is put between the network and its faults and reads nothing of the engine. The oracles of the
wire (O6, O9, O12, O15) ask it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

from veloz.environments.dst.ledger import is_segment

if TYPE_CHECKING:
    from veloz.net.doors import FailedAt
    from veloz.net.simulated import Dial, Host, Parcel, World
    from veloz.net.simulated.link import Fate

__all__ = ["Sent", "Witness"]

_PLACING = frozenset({"order.place", "order.cancelReplace", "algoOrder.place"})
_ORDER_PATHS = ("/order", "/order/cancelReplace", "/algoOrder", "/batchOrders")
_IDS = ("newClientOrderId", "clientAlgoId")
_STOPPED = (418, 429)
_UNDER_WAY_NS = 20_000_000
_UNWRITTEN_NS = 50_000_000
"""A request whose connection is being made when the 429 comes cannot be called back."""


@dataclass(frozen=True)
class Sent:
    """A request for an order, at the moment at which it left.

    Attributes:
        at_ns: Virtual time.
        wall_ns: True wall time.
        market: Of the server.
        client_order_id: In it.
        side: In it: 1 buys, -1 sells.
        qty: In it.
        price: In it; zero if it has none.
        segment: Name of the journal's newest segment then.
        durable: Bytes of that segment that a loss of power could not take.
    """

    at_ns: int
    wall_ns: int
    market: str
    client_order_id: str
    side: int
    qty: Decimal
    price: Decimal
    segment: str
    durable: int


class Witness:
    """Watches the wires of one host.

    Args:
        world: Its network is watched; call after the faults were put into it.
        host: Whose requests and disk.
        markets: Of each port of the venue.
        canaries: Texts that must cross no wire.

    Attributes:
        sent: Requests for orders, in order.
        breaches: Sentences about requests that left while the venue had asked for silence.
        silences: How often it asked.
        leaks: Sentences about canaries on the wire.
        parcels: Parcels that were delivered.
    """

    def __init__(
        self, world: World, host: Host, markets: Mapping[int, str], canaries: tuple[str, ...]
    ) -> None:
        self.sent: list[Sent] = []
        self.breaches: list[str] = []
        self.silences = 0
        self.leaks: list[str] = []
        self.parcels = 0
        self._world = world
        self._host = host
        self._markets = markets
        self._canaries = [text.encode() for text in canaries]
        self._silent_from: dict[str, int] = {}
        self._silent_until: dict[str, int] = {}
        self._told: dict[str, tuple[int, int, int]] = {}
        self._asked: dict[int, str] = {}
        self._of_link: dict[int, str] = {}
        self._judge: Callable[[Parcel], Fate] = world.network.judge
        world.network.judge = self._leaving
        self._refuse: Callable[[Dial], FailedAt | None] = world.network.refuse
        world.network.refuse = self._dialled
        world.network.wiretap = self._arrived

    @property
    def silent_until_ns(self) -> int:
        """Virtual time until which some server has asked for silence; 0 if none ever did."""
        return max(self._silent_until.values(), default=0)

    def _dialled(self, dial: Dial) -> FailedAt | None:
        """A connection to an API of requests counts against the limits as a request does."""
        if dial.caller == self._host.name and dial.kind == "ws" and "/ws-" in dial.url:
            market = self._markets.get(int(dial.url.split("/")[2].rpartition(":")[2] or 0), "")
            self._check(market, "a connection")
        return self._refuse(dial)

    def _leaving(self, parcel: Parcel) -> Fate:
        if parcel.to_server and parcel.sender == self._host.name:
            market, method = self._market(parcel), _method(parcel)
            self._check_silence(market, parcel, method)
            for words in _orders_of(parcel, method):
                self._note(market, words)
        return self._judge(parcel)

    def _note(self, market: str, words: Mapping[str, Any]) -> None:
        names = [name for name in _IDS if name in words]
        disk = self._host.disk
        names_there = [name for name in disk.names() if is_segment(name)]
        segment = names_there[-1] if names_there else ""
        # The newest may be the one that was made ahead, with nothing in it yet.
        while len(names_there) > 1 and not any(disk.head(segment, 64)):
            names_there.pop()
            segment = names_there[-1]
        self.sent.append(
            Sent(
                self._world.loop.now_ns,
                self._world.host("venue").clock.wall_ns(),
                market,
                str(words[names[0]]) if names else "",
                1 if words.get("side") == "BUY" else -1,
                Decimal(str(words.get("quantity", "0"))),
                Decimal(str(words.get("price", "0"))),
                segment,
                disk.durable_size(segment) if segment else 0,
            )
        )

    def _arrived(self, at_ns: int, parcel: Parcel) -> None:
        self.parcels += 1
        payload = parcel.payload
        head = parcel.head.encode() if parcel.head else b""
        for canary in self._canaries:
            if canary in payload or (head and canary in head):
                self.leaks.append(f"a secret crossed the wire in a {parcel.kind} at {at_ns} ns")
        if parcel.receiver != self._host.name:
            return
        if parcel.kind == "response":
            status = int(parcel.head.split("\n", 1)[0])
            if status in _STOPPED:
                after_s = _header(parcel.head, "retry-after")
                self._silence(self._asked.get(parcel.name, ""), at_ns, after_s)
        elif parcel.kind == "text" and (
            b'"status":429' in parcel.payload[:80] or b'"status":418' in parcel.payload[:80]
        ):
            try:
                found: Any = json.loads(parcel.payload)
            except (ValueError, RecursionError):
                return  # it came damaged: nobody was told until when
            until_ms = found.get("error", {}).get("data", {}).get("retryAfter", 0)
            wall_ms = self._host.clock.wall_ns() // 1_000_000
            self._silence(self._market(parcel), at_ns, max(0.0, (until_ms - wall_ms) / 1000))

    def _silence(self, market: str, at_ns: int, after_s: float) -> None:
        if after_s > 0:
            self.silences += 1
            if at_ns >= self._silent_until.get(market, 0):
                self._silent_from[market] = at_ns + _UNDER_WAY_NS
            before = self._silent_until.get(market, 0)
            self._told[market] = (self._host.boots, at_ns, before)
            until = at_ns + int(after_s * 1e9)
            self._silent_until[market] = max(until, self._silent_until.get(market, 0))

    def _forget_unwritten(self, market: str) -> None:
        """What a process died of hearing, before its disk could know, no process can keep to."""
        boots, at_ns, before = self._told.get(market, (0, 0, 0))
        died_ns = self._host.ended_ns.get(boots)
        if died_ns is not None and died_ns - at_ns < _UNWRITTEN_NS:
            self._silent_until[market] = before
            del self._told[market]

    def _check_silence(self, market: str, parcel: Parcel, method: str) -> None:
        if parcel.kind == "request" or method:
            self._check(market, parcel.head.split("?", 1)[0] or method)
        else:
            self._forget_unwritten(market)

    def _check(self, market: str, what: str) -> None:
        now_ns = self._world.loop.now_ns
        self._forget_unwritten(market)
        if now_ns < self._silent_from.get(market, 0):
            return
        # The venue counts in whole seconds: what comes in the last one is not held against anyone.
        if now_ns < self._silent_until.get(market, 0) - 1_000_000_000:
            left_s = (self._silent_until[market] - now_ns) / 1e9
            self.breaches.append(f"{what} left for {market} {left_s:.1f} s before it may")

    def _market(self, parcel: Parcel) -> str:
        if parcel.kind == "request":
            host = _text_header(parcel.head, "host")
            market = self._markets.get(int(host.rpartition(":")[2] or 0), "")
            self._asked[parcel.name] = market
            return market
        if parcel.name not in self._of_link:
            for link in self._world.network.links:
                if link.name == parcel.name and link.server is not None:
                    port = int(link.server.url_ws.rpartition(":")[2])
                    self._of_link[parcel.name] = self._markets.get(port, "")
        return self._of_link.get(parcel.name, "")


def _orders_of(parcel: Parcel, method: str) -> list[Mapping[str, Any]]:
    """The orders that a parcel asks for."""
    if parcel.kind == "request":
        verb, _, rest = parcel.head.partition(" ")
        path, _, query = rest.split("\n", 1)[0].partition("?")
        if verb != "POST" or not path.endswith(_ORDER_PATHS):
            return []
        words = dict(parse_qsl(f"{query}&{parcel.payload.decode('latin-1')}"))
        batch = words.get("batchOrders")
        return json.loads(batch) if batch else [words]
    if method not in _PLACING:
        return []
    params: object = json.loads(parcel.payload).get("params")
    return [cast("Mapping[str, Any]", params)] if isinstance(params, dict) else []


def _method(parcel: Parcel) -> str:
    """The method of a frame of the WebSocket API that counts against limits; empty for others."""
    if parcel.kind != "text" or b'"method"' not in parcel.payload:
        return ""
    try:
        found: object = json.loads(parcel.payload)
    except ValueError:
        return ""
    method = (
        str(cast("Mapping[str, Any]", found).get("method", "")) if isinstance(found, dict) else ""
    )
    return "" if method.isupper() else method  # SUBSCRIBE and its like have limits of their own


def _text_header(head: str, name: str) -> str:
    for line in head.split("\n")[1:]:
        found, _, value = line.partition(": ")
        if found.lower() == name:
            return value
    return ""


def _header(head: str, name: str) -> float:
    text = _text_header(head, name)
    return float(text) if text else 0.0
