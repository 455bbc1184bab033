"""A till for the order tests: orders, trades and balances of one account, and faults on order.

It matches nothing by itself: tests say what trades. What it keeps is the truth that tests compare
with. `effects[kind]` holds what befalls the next requests of a kind:

`lost` nothing is done or answered · `mute` done, not answered · `late:S` done S seconds later, not
answered · `code:N` refused with that code · `done_code:N` done, and answered with that code ·
`html` done, and answered with something that is no JSON.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.venues.binance.streams import SYMBOL, Venue
from veloz.net.doors import ConnectionLost, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from tests.venues.binance.streams import Peer
    from veloz.net.simulated import World

METHODS = {
    "order.place": "place",
    "order.cancel": "cancel",
    "order.status": "query",
    "openOrders.cancelAll": "cancel_all",
}
PATHS = {
    "POST order": "place",
    "DELETE order": "cancel",
    "GET order": "query",
    "GET openOrders": "open_orders",
    "GET allOrders": "all_orders",
    "GET myTrades": "trades",
    "GET userTrades": "trades",
    "GET account": "account",
    "GET balance": "balances",
    "GET income": "income",
    "GET positionRisk": "positions",
    "GET symbolConfig": "symbol_config",
    "GET dual": "mode",
    "GET openAlgoOrders": "none",
    "GET allAlgoOrders": "none",
    "GET algoOrder": "no_algo",
    "DELETE openOrders": "cancel_all",
    "DELETE allOpenOrders": "cancel_all",
    "POST batchOrders": "batch",
    "POST countdownCancelAll": "countdown",
    "POST listenKey": "listen_key",
    "PUT listenKey": "listen_key",
}
OPEN = ("NEW", "PARTIALLY_FILLED")
TEXTS = {
    -2011: "Unknown order sent.",
    -2013: "Order does not exist.",
    -2010: "Duplicate order sent.",
}


class Refused(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.body = {"code": code, "msg": TEXTS.get(code, "no")}


class Till(Venue):
    """See the module.

    Attributes:
        lag_s: Queries and listings show the till as it was so long ago.
        sends_events: False while private events are swallowed.
        placed: Client ids in the order in which they were placed: a second one is a defect.
    """

    def __init__(self, world: World, market: str) -> None:
        super().__init__()
        self.world = world
        self.market = market
        self.orders: dict[int, dict[str, Any]] = {}
        self.trades: list[dict[str, Any]] = []
        self.held = {"BTC": Decimal(10), "USDT": Decimal(1000)}
        self.incomes: list[dict[str, str]] = []
        self.effects: dict[str, deque[str]] = {}
        self.lag_s = 0.0
        self.sends_events = True
        self.placed: list[str] = []
        self.cancels: list[str] = []
        self.listen_keys: list[str] = []
        self.dead_keys: list[str] = []
        self.countdowns: list[tuple[str, int]] = []
        self.leverage = 5
        self.is_hedge = False
        self.margin_type = "CROSSED"
        self.on_message = self._api

    def now_ms(self) -> int:
        return self.world.host("venue").clock.wall_ns() // 1_000_000

    # Requests, from either side.

    async def http(self, request: HttpRequest) -> HttpResponse:
        kind = PATHS.get(f"{request.method} {request.path.rsplit('/', 1)[1]}")
        if kind is None:
            return await super().http(request)
        asked = dict(pair.split("=", 1) for pair in request.query.split("&") if pair)
        self.asked.append((request.method, request.path, asked))
        status, body = await self._carried_out(kind, asked)
        if status == 0:
            raise ConnectionLost("no answer")
        return HttpResponse(status, {}, body)

    def _api(self, peer: Peer, message: dict[str, Any]) -> bool:
        method = message["method"]
        if method == "userDataStream.subscribe.signature":
            peer.streams["user"] = None
            peer.say({"id": message["id"], "status": 200, "result": {"subscriptionId": 0}})
            return True
        if method not in METHODS:
            return False
        task = asyncio.ensure_future(self._answer(peer, METHODS[method], message))
        task.add_done_callback(lambda done: done.result())
        return True

    async def _answer(self, peer: Peer, kind: str, message: dict[str, Any]) -> None:
        status, body = await self._carried_out(kind, message["params"])
        if status == 0 or not peer.connection.is_open:
            return
        if not body.startswith((b"{", b"[")):
            peer.connection.send(body)
            return
        field = "result" if status == 200 else "error"
        reply = {"id": message["id"], "status": status, field: json.loads(body), "rateLimits": []}
        peer.say(reply)

    async def _carried_out(self, kind: str, asked: dict[str, Any]) -> tuple[int, bytes]:
        waiting = self.effects.get(kind)
        effect, _, more = (waiting.popleft() if waiting else "").partition(":")
        if effect == "lost":
            return 0, b""
        if effect == "late":
            asyncio.get_running_loop().call_later(float(more), self._do, kind, asked)
            return 0, b""
        if effect == "code":
            return 400, json.dumps(Refused(int(more)).body).encode()
        try:
            body = json.dumps(self._do(kind, asked)).encode()
        except Refused as refused:
            return 400, json.dumps(refused.body).encode()
        if effect == "mute":
            return 0, b""
        if effect == "done_code":
            return 503, json.dumps(Refused(int(more)).body).encode()
        return (200, b"<html>busy</html>") if effect == "html" else (200, body)

    def _do(self, kind: str, asked: dict[str, Any]) -> Any:
        return getattr(self, f"_{kind}")(asked)

    # What requests do.

    def _place(self, asked: dict[str, Any]) -> Any:
        client_id = asked["newClientOrderId"]
        if any(
            o["clientOrderId"] == client_id and o["status"] in OPEN for o in self.orders.values()
        ):
            raise Refused(-2010)
        number = len(self.orders) + 100
        order = {"symbol": asked["symbol"], "orderId": number, "orderListId": -1}
        order |= {"clientOrderId": client_id, "transactTime": self.now_ms(), "status": "NEW"}
        order |= {"price": asked.get("price", "0"), "origQty": asked["quantity"]}
        order |= {"executedQty": "0", "cummulativeQuoteQty": "0", "timeInForce": "GTC"}
        order |= {"type": asked["type"], "side": asked["side"], "updateTime": self.now_ms()}
        order |= {"time": self.now_ms()}
        self.orders[number] = order
        self.placed.append(client_id)
        self.tell(order, "NEW")
        return {**order, "fills": []}

    def _batch(self, asked: dict[str, Any]) -> Any:
        from urllib.parse import unquote

        done: list[Any] = []
        for one in json.loads(unquote(asked["batchOrders"])):
            waiting = self.effects.get("batch_part")
            code = int(waiting.popleft()) if waiting else 0
            done.append(Refused(code).body if code else self._place(one))
        return done

    def _cancel(self, asked: dict[str, Any]) -> Any:
        order = self._named(asked)
        self.cancels.append(asked["origClientOrderId"])
        if order is None or order["status"] not in OPEN:
            raise Refused(-2011)
        order |= {"status": "CANCELED", "updateTime": self.now_ms()}
        self.tell(order, "CANCELED")
        return order

    def _cancel_all(self, asked: dict[str, Any]) -> Any:
        found = [o for o in self.orders.values() if o["status"] in OPEN]
        for order in found:
            order |= {"status": "CANCELED", "updateTime": self.now_ms()}
            self.tell(order, "CANCELED")
        return found

    def _query(self, asked: dict[str, Any]) -> Any:
        order = self._named(asked)
        if order is None or not self._is_visible(order):
            raise Refused(-2013)
        return order

    def _open_orders(self, asked: dict[str, Any]) -> Any:
        return [o for o in self._visible() if o["status"] in OPEN]

    def _all_orders(self, asked: dict[str, Any]) -> Any:
        # by the time of the order, as the venue does it
        since = int(asked.get("startTime", 0))
        return [order for order in self._visible() if order["time"] >= since]

    def _trades(self, asked: dict[str, Any]) -> Any:
        since = int(asked.get("startTime", 0))
        return [t for t in self.trades if t["time"] >= since]

    def _account(self, asked: dict[str, Any]) -> Any:
        rows = [{"asset": a, "free": str(v), "locked": "0"} for a, v in self.held.items()]
        return {"balances": rows}

    def _income(self, asked: dict[str, Any]) -> Any:
        return [row for row in self.incomes if int(row["time"]) >= int(asked["startTime"])]

    def _balances(self, asked: dict[str, Any]) -> Any:
        return [{"asset": "USDT", "balance": str(self.held["USDT"])}]

    def _positions(self, asked: dict[str, Any]) -> Any:
        amount = self.position()
        return [{"symbol": SYMBOL, "positionSide": "BOTH", "positionAmt": str(amount)}]

    def _symbol_config(self, asked: dict[str, Any]) -> Any:
        row = {"symbol": SYMBOL, "marginType": self.margin_type, "leverage": self.leverage}
        return [row]

    def _mode(self, asked: dict[str, Any]) -> Any:
        return {"dualSidePosition": self.is_hedge}

    def _none(self, asked: dict[str, Any]) -> Any:
        return []

    def _no_algo(self, asked: dict[str, Any]) -> Any:
        raise Refused(-2013)

    def _countdown(self, asked: dict[str, Any]) -> Any:
        self.countdowns.append((asked["symbol"], int(asked["countdownTime"])))
        return {"symbol": asked["symbol"], "countdownTime": asked["countdownTime"]}

    def _listen_key(self, asked: dict[str, Any]) -> Any:
        alive = [key for key in self.listen_keys if key not in self.dead_keys]
        if self.asked[-1][0] == "PUT" and not alive:
            raise Refused(-1125)
        if not alive:
            self.listen_keys.append(f"key{len(self.listen_keys)}")
            alive = self.listen_keys[-1:]
        return {"listenKey": alive[0]}

    # What tests do.

    def trade(self, client_id: str, qty: str, *, price: str = "1.50") -> int:
        """One fill of an order; returns its trade id."""
        (order,) = [o for o in self.orders.values() if o["clientOrderId"] == client_id]
        filled = Decimal(order["executedQty"]) + Decimal(qty)
        status = "FILLED" if filled >= Decimal(order["origQty"]) else "PARTIALLY_FILLED"
        if order["status"] in OPEN:
            order["status"] = status
        order |= {"executedQty": str(filled), "updateTime": self.now_ms()}
        number = len(self.trades) + 1
        fill = {"symbol": SYMBOL, "id": number, "orderId": order["orderId"], "price": price}
        fill |= {"qty": qty, "quoteQty": str(Decimal(qty) * Decimal(price)), "commission": "0"}
        fill |= {"commissionAsset": "USDT", "time": self.now_ms(), "isMaker": True}
        fill |= {"isBuyer": order["side"] == "BUY", "buyer": order["side"] == "BUY", "maker": True}
        self.trades.append(fill)
        sign = 1 if order["side"] == "BUY" else -1
        if self.market == "spot":
            self.held["BTC"] += sign * Decimal(qty)
            self.held["USDT"] -= sign * Decimal(qty) * Decimal(price)
        self.tell(order, "TRADE", fill)
        return number

    def position(self) -> Decimal:
        signed = [Decimal(t["qty"]) * (1 if t["buyer"] else -1) for t in self.trades]
        return sum(signed, Decimal(0))

    def tell(self, order: dict[str, Any], what: str, fill: dict[str, Any] | None = None) -> None:
        """Sends a private event to whoever listens."""
        if self.sends_events:
            self.say_private(self.event(order, what, fill))

    def say_private(self, event: dict[str, Any]) -> None:
        for peer in self.peers:
            if self.market == "spot" and "user" in peer.streams:
                peer.say({"subscriptionId": 0, "event": event})
            key = peer.request.query.partition("listenKey=")[2]
            if key and key not in self.dead_keys:
                peer.say(event)

    def event(self, order: dict[str, Any], what: str, fill: dict[str, Any] | None = None) -> Any:
        now = self.now_ms()
        last = fill["qty"] if fill else "0"
        traded = {"l": last, "L": fill["price"] if fill else "0", "t": fill["id"] if fill else -1}
        facts = {"s": SYMBOL, "c": order["clientOrderId"], "S": order["side"], "o": order["type"]}
        facts |= {"f": "GTC", "q": order["origQty"], "p": order["price"], "x": what, "T": now}
        facts |= {"X": order["status"], "i": order["orderId"], "z": order["executedQty"], **traded}
        facts |= {"n": "0", "N": "USDT" if fill else None, "m": True}
        if self.market == "spot":
            if what == "CANCELED":
                facts |= {"c": "cancel-of-it", "C": order["clientOrderId"]}
            facts |= {"P": "0", "F": "0", "g": -1, "r": "NONE", "w": True, "O": now, "Z": "0"}
            facts |= {"Y": "0", "Q": "0", "V": "NONE", "I": 1}
            return {"e": "executionReport", "E": now, "C": "", **facts}
        facts |= {"ap": "0", "sp": "0", "b": "0", "a": "0", "R": False, "wt": "CONTRACT_PRICE"}
        facts |= {"ot": order["type"], "ps": "BOTH", "cp": False, "rp": "0", "N": "USDT"}
        return {"e": "ORDER_TRADE_UPDATE", "E": now, "T": now, "o": facts}

    def _named(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        by = "clientOrderId" if "origClientOrderId" in asked else "orderId"
        name = asked.get("origClientOrderId") or int(asked["orderId"])
        found = [o for o in self.orders.values() if o[by] == name]
        return found[-1] if found else None

    def _is_visible(self, order: dict[str, Any]) -> bool:
        return order["time"] + self.lag_s * 1000 <= self.now_ms()

    def _visible(self) -> list[dict[str, Any]]:
        return [order for order in self.orders.values() if self._is_visible(order)]
