"""`/sim`: what a test may ask of the simulated venue, and a venue of the world never would.

Only a client of this host is answered. `GET /sim/ledger` is the oracle: the exchange's own books.

| request | does |
|---|---|
| `GET /sim/faults` | `injected_total` by id |
| `POST /sim/faults` | puts a plan in force; `DELETE` ends it |
| `POST /sim/fault` | does a fault of the clock now: `{"fault": "F-A02", "args": {…}}` |
| `POST /sim/act` | acts by hand: `{"act": "order", …}` |
| `POST /sim/filters`, `POST /sim/status` | changes a symbol |
| `POST /sim/step` | beats now |
| `POST /sim/keys` | registers a public key: `{"account", "public_key"}` |
| `POST /sim/accounts` | opens an account: `{"balances": {"spot": {"USDT": "1000"}}}` |
| `POST /sim/limits` | forgets what an address has used |
| `GET /sim/ledger` | every order, fill, balance and position of an account |
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.errors import VelozError
from veloz.exchange.model import Window
from veloz.exchange.words import Market, Refusal
from veloz.net.doors import HttpResponse
from veloz.venues.binance.dialect.fault_effects import TIME
from veloz.venues.binance.dialect.params import split_query
from veloz.venues.binance.dialect.vocabulary import decode, encode

if TYPE_CHECKING:
    from veloz.net.doors import HttpRequest
    from veloz.venues.binance.dialect.simulation import Simulation

__all__ = ["Control"]

LOOPBACK = ("127.", "::1", "localhost", "")
JSON = {"content-type": "application/json"}
ALL = Window(from_id=0, limit=1_000_000)


class Control:
    """Answers requests under `/sim`."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._works: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("GET", "/sim/faults"): self._counts,
            ("POST", "/sim/faults"): self._load,
            ("DELETE", "/sim/faults"): self._clear,
            ("POST", "/sim/fault"): self._fault,
            ("POST", "/sim/act"): self._act,
            ("POST", "/sim/filters"): self._filters,
            ("POST", "/sim/status"): self._status,
            ("POST", "/sim/step"): self._step,
            ("POST", "/sim/keys"): self._key,
            ("POST", "/sim/accounts"): self._account,
            ("POST", "/sim/limits"): self._pardon,
            ("GET", "/sim/ledger"): self.ledger,
        }

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Does one request; 403 to other hosts."""
        if not request.peer.startswith(LOOPBACK[:3]) and request.peer:
            return HttpResponse(403, JSON, encode({"error": "only this host may do that"}))
        work = self._works.get((request.method, request.path))
        if work is None:
            return HttpResponse(404, JSON, encode({"error": f"{request.path} is no lever"}))
        try:
            asked = decode(request.body) if request.body else {}
            found = work({**dict(split_query(request.query)), **asked, "_peer": request.peer})
        except (VelozError, Refusal, ValueError, KeyError, TypeError) as refusal:
            return HttpResponse(400, JSON, encode({"error": str(refusal)}))
        return HttpResponse(200, JSON, encode(found))

    def _counts(self, _asked: dict[str, Any]) -> Any:
        return {"injected_total": self._simulation.faults.counts()}

    def _load(self, asked: dict[str, Any]) -> Any:
        self._simulation.faults.load(asked)
        return {}

    def _clear(self, _asked: dict[str, Any]) -> Any:
        self._simulation.faults.clear()
        return {}

    def _fault(self, asked: dict[str, Any]) -> Any:
        fault = str(asked["fault"])
        if fault not in TIME:
            raise ValueError(f"{fault} does not act by itself: put it into a plan")
        self._simulation.faults.injected[fault] += 1
        TIME[fault](self._simulation.levers, dict(asked.get("args", {})))
        return {}

    def _act(self, asked: dict[str, Any]) -> Any:
        self._simulation.levers.act_by_hand(asked)
        return {}

    def _filters(self, asked: dict[str, Any]) -> Any:
        self._simulation.levers.change_filters(asked)
        return {}

    def _status(self, asked: dict[str, Any]) -> Any:
        self._simulation.levers.change_status(asked)
        return {}

    def _step(self, _asked: dict[str, Any]) -> Any:
        self._simulation.beat()
        return {}

    def _key(self, asked: dict[str, Any]) -> Any:
        venue = self._simulation.venue
        account = str(asked.get("account", venue.exchange.accounts()[0]))
        key = venue.keys.add(
            account, now_ms=venue.now_ms(), public_key=str(asked.get("public_key", ""))
        )
        key.secret = str(asked.get("secret", "")).encode()
        key.can_trade = bool(asked.get("can_trade", True))
        key.can_withdraw = bool(asked.get("can_withdraw", False))
        key.addresses = frozenset(asked.get("addresses", ()))
        return {"api_key": key.api_key}

    def _account(self, asked: dict[str, Any]) -> Any:
        money = {
            (Market(market), str(asset)): Decimal(str(amount))
            for market, rows in dict(asked.get("balances", {})).items()
            for asset, amount in dict(rows).items()
        }
        issued = self._simulation.open_account(money)
        return {
            "account": self._simulation.venue.exchange.accounts()[-1],
            "api_key": issued.api_key,
            "secret": issued.secret,
            "ed25519_private_key": issued.ed25519_private_key,
        }

    def _pardon(self, asked: dict[str, Any]) -> Any:
        for limits in self._simulation.venue.limits.values():
            limits.pardon(str(asked["_peer"]))
        return {}

    def ledger(self, asked: dict[str, Any]) -> Any:
        """The truth about one account in every market, and whether the books add up."""
        exchange = self._simulation.venue.exchange
        account = str(asked.get("account", exchange.accounts()[0]))
        shape: dict[str, Any] = {"account": account}
        for market in Market:
            view = exchange.account(account, market)
            orders = [
                order
                for listing in exchange.listings(market)
                for order in exchange.all_orders(account, market, listing.symbol, ALL)
            ]
            shape[market.value] = {
                "orders": [_order(order) for order in orders],
                "fills": [_fill(fill) for fill in exchange.fills(account, market, None, ALL)],
                "balances": {row.asset: [str(row.free), str(row.locked)] for row in view.balances},
                "wallets": {row.asset: str(row.wallet) for row in view.wallets},
                "positions": [
                    [row.symbol, row.position_side.value, str(row.qty), str(row.entry_price)]
                    for row in view.positions
                    if row.qty
                ],
            }
        wrong = exchange.imbalance()
        shape["imbalance"] = [[m.value, asset, str(x)] for (m, asset), x in wrong.items()]
        return shape


def _order(order: Any) -> dict[str, Any]:
    names = ("symbol", "order_id", "client_order_id", "side", "type", "status", "price", "qty")
    return {name: _text(getattr(order, name)) for name in (*names, "executed_qty", "created_ns")}


def _fill(fill: Any) -> dict[str, Any]:
    names = ("symbol", "trade_id", "order_id", "client_order_id", "side", "price", "qty", "fee")
    return {name: _text(getattr(fill, name)) for name in (*names, "fee_asset", "is_maker", "ts")}


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value
