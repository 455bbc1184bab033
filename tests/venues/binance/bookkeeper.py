"""The engine's side of the order tests: orders as facts, kept by the compiled decoder's reports."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.venues.binance.streams import LISTING, SYMBOL
from veloz._core import BinanceDecoder, BinanceEncoder, BinanceUserDecoder, wire_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from veloz.venues.venue import CashEntry, Difference, Verdict

FUTURES = {"pair": SYMBOL, "contractType": "PERPETUAL", "marginAsset": "USDT"}
FUTURES |= {"pricePrecision": 2, "quantityPrecision": 5, "deliveryDate": 4133404800000}


@dataclass
class Request:
    number: int
    kind: str
    client_order_id: str
    symbol: str
    encoded: Any
    is_conditional: bool = False
    replaces: str = ""
    is_reducing: bool = False


@dataclass
class Order:
    """What is known of one order.

    Attributes:
        facts: The words that the venue or the gateway have said, in order.
    """

    client_order_id: str
    signed: int
    facts: list[str] = field(default_factory=list)
    cum: Decimal = Decimal(0)
    status: str = "new"


class Bookkeeper:
    """Orders, fills and differences of one account; also what it was told, in order."""

    def __init__(self, market: str, listing: bytes | None = None, symbol: str = SYMBOL) -> None:
        self.market = market
        self.symbol = symbol
        self.decoder = BinanceDecoder(market)
        row: dict[str, Any] = dict(LISTING["symbols"][0])
        if market != "spot":
            row |= FUTURES
        self.decoder.add_exchange_info(listing or json.dumps({"symbols": [row]}))
        self.encoder = BinanceEncoder(market)
        self.encoder.add_instruments(self.decoder)
        self.user = BinanceUserDecoder()
        self.orders: dict[str, Order] = {}
        self.requests: dict[int, Request] = {}
        self.outbox: list[Request] = []
        self.fills_by_id: dict[tuple[str, int], Decimal] = {}
        self.paid: dict[tuple[str, int], None] = {}
        self.told: list[tuple[str, Any]] = []
        self.differences: list[Difference] = []
        self.is_synced = False
        self.syncs = 0
        self.held = {"BTC": Decimal(10), "USDT": Decimal(1000)}
        self.confirmed = 0
        self.entries: list[int] = []

    # What tests do.

    def place(
        self,
        side: str = "buy",
        qty: str = "1",
        price: str = "1.50",
        *,
        is_reducing: bool = False,
        **more: Any,
    ) -> str:
        client_id = wire_id(1, 1, len(self.orders) + 1)
        units = [int(Decimal(v) * 10**s) for v, s in zip((price, qty), self.scales(), strict=True)]
        encoded = self.encoder.place(
            self.symbol, side, "limit", units[1], client_id, price=units[0], **more
        )
        self.orders[client_id] = Order(client_id, 1 if side == "buy" else -1)
        self._ask("place", client_id, encoded)
        self.outbox[-1].is_reducing = is_reducing
        return client_id

    def stop(self, side: str, qty: str, trigger: str) -> str:
        """A stop order: on futures it waits with the algo service."""
        client_id = wire_id(1, 1, len(self.orders) + 1)
        units = [
            int(Decimal(v) * 10**s) for v, s in zip((trigger, qty), self.scales(), strict=True)
        ]
        encoded = self.encoder.place(
            self.symbol, side, "stop", units[1], client_id, trigger_price=units[0]
        )
        self.orders[client_id] = Order(client_id, 1 if side == "buy" else -1)
        self._ask("place", client_id, encoded)
        self.outbox[-1].is_conditional = True
        return client_id

    def cancel_stop(self, client_id: str) -> None:
        encoded = self.encoder.cancel(self.symbol, client_id, is_algo=self.market != "spot")
        self._ask("cancel", client_id, encoded)
        self.outbox[-1].is_conditional = True

    def amend(self, client_id: str, terms: tuple[str, str], before: tuple[str, str]) -> None:
        """Quantity and price, from what they were."""
        scales = self.scales()[::-1]
        units = [int(Decimal(v) * 10**s) for v, s in zip(terms + before, scales * 2, strict=True)]
        encoded = self.encoder.amend(
            self.symbol,
            "buy",
            client_id,
            client_id,
            qty=units[0],
            price=units[1],
            from_qty=units[2],
            from_price=units[3],
        )
        self._ask("amend", client_id, encoded)

    def cancel(self, client_id: str) -> None:
        self._ask("cancel", client_id, self.encoder.cancel(self.symbol, client_id))

    def cancel_all(self) -> None:
        self._ask("cancel_all", "", self.encoder.cancel_all(self.symbol))

    def scales(self) -> tuple[int, int]:
        return self.encoder.scales(self.symbol)

    def status(self, client_id: str) -> str:
        return self.orders[client_id].status

    def filled(self, client_id: str) -> Decimal:
        return self.orders[client_id].cum

    def words(self, *kinds: str) -> list[str]:
        return [word for word, _ in self.told if word in kinds]

    def _ask(self, kind: str, client_id: str, encoded: Any) -> None:
        request = Request(len(self.requests) + 1, kind, client_id, self.symbol, encoded)
        self.requests[request.number] = request
        self.outbox.append(request)

    # What the venue's half tells.

    def take_requests(self) -> Sequence[Request]:
        taken, self.outbox = self.outbox, []
        return taken

    def written(self, number: int) -> None:
        self.told.append(("written", number))

    def user_frame(self, account: int, payload: bytes | memoryview, ts_recv_ns: int) -> int:
        event = self.user.frame(bytes(payload))
        if event is not None and event.kind in {"order", "fill"}:
            self._report(event.report)
        elif event is not None and event.kind == "algo":
            self._algo(event.report)
        return 0

    def answered(self, number: int, body: bytes, ts_recv_ns: int) -> int:
        self.told.append(("answered", number))
        if self.requests[number].kind == "cancel_all":
            return 0
        if b'"status": 200' in body or b'"status":200' in body:
            result = self.user.reply(body).result
            assert result is not None
            body = result
        self._take_orders(body)
        return 0

    def refused(self, number: int, verdict: Verdict, ts_recv_ns: int) -> None:
        self.told.append(("refused", (number, verdict.reason, verdict.code)))
        request = self.requests[number]
        if request.kind == "place":
            self.orders[request.client_order_id].status = "rejected"

    def not_sent(self, number: int, reason: str, ts_recv_ns: int) -> None:
        self.told.append(("not_sent", (number, reason)))
        request = self.requests[number]
        if request.kind == "place":
            self.orders[request.client_order_id].status = "not_sent"

    def unknown(self, number: int, reason: str, ts_recv_ns: int) -> None:
        self.told.append(("unknown", (number, reason)))
        order = self.orders.get(self.requests[number].client_order_id)
        if order is not None and order.status == "new":
            order.status = "unknown"

    def lapsed(self, number: int, ts_recv_ns: int) -> None:
        self.told.append(("lapsed", number))

    def found(self, account: int, body: bytes, ts_recv_ns: int) -> int:
        order = json.loads(body)
        self.told.append(("found", order.get("clientOrderId") or order.get("clientAlgoId")))
        self._take_orders(body)
        return 0

    def absent(self, account: int, client_order_id: str, ts_recv_ns: int) -> None:
        self.told.append(("absent", client_order_id))
        self.orders[client_order_id].status = "absent"

    def fills(self, account: int, symbol: str, body: bytes, ts_recv_ns: int) -> int:
        self.told.append(("fills", symbol))
        for trade in self.user.trades(body):
            if trade.qty is None or trade.price is None:
                raise ValueError("a trade without a quantity or a price")
            key, qty = (symbol, trade.trade_id), trade.qty * (1 if trade.is_buyer else -1)
            self._book(key, qty, trade.price, trade)
        return 0

    def opening(self, account: int, asset: str, amount: Decimal, ts_recv_ns: int) -> None:
        self.held[asset] = amount

    def cash(self, account: int, entry: CashEntry, ts_recv_ns: int) -> bool:
        if entry.number not in self.entries:
            self.entries.append(entry.number)
            self.held[entry.asset] = self.held.get(entry.asset, Decimal(0)) + entry.amount
        return True

    def differs(self, account: int, difference: Difference, ts_recv_ns: int) -> None:
        self.differences.append(difference)

    def synced(self, account: int, since_ns: int, ts_recv_ns: int) -> None:
        self.told.append(("synced", since_ns))
        self.is_synced = True
        self.syncs += 1
        self.confirmed = since_ns

    def unsynced(self, account: int, reason: str, ts_recv_ns: int) -> None:
        self.told.append(("unsynced", reason))
        self.is_synced = False

    def _take_orders(self, body: bytes) -> None:
        if b'"algoId"' in body:
            for row in self.user.algo_orders(body):
                self._algo(row)
            return
        for row in self.user.orders(body):
            self._report(row)

    def _algo(self, report: Any) -> None:
        order = self.orders.get(report.client_id)
        if order is not None and report.status is not None:
            order.facts.append(report.status)
            order.status = report.status

    def _report(self, report: Any) -> None:
        if report.is_fill and report.trade_id is not None and report.trade_id >= 0:
            qty = report.last_qty * (1 if report.side == "BUY" else -1)
            self._book((report.symbol, report.trade_id), qty, report.last_price, report)
        order = self.orders.get(report.client_id)
        if order is None:
            return
        status = report.status or "NEW"  # a bare acknowledgement says no more
        order.facts.append(status)
        order.cum = max(order.cum, report.cum_qty or Decimal(0))
        if order.status not in {"FILLED", "CANCELED", "EXPIRED"} or status == "FILLED":
            order.status = status

    def _book(self, key: tuple[str, int], qty: Decimal, price: Decimal, said: Any) -> None:
        """Takes a fill once; its money when it is told, which may be later (F-D11)."""
        known = self.fills_by_id.get(key)
        assert known in (None, qty)
        self.fills_by_id[key] = qty
        if said.fee is None or key in self.paid:
            return
        self.paid[key] = None
        if said.fee:
            self.held[said.fee_asset] = self.held.get(said.fee_asset, Decimal(0)) - said.fee
        if self.market == "spot":
            self.held["BTC"] += qty
            self.held["USDT"] -= qty * price
        elif said.realised_pnl:
            settle = "USDT" if self.market == "usdm" else "BTC"
            self.held[settle] += said.realised_pnl

    # What the venue's half asks.

    def open_orders(self, account: int) -> Mapping[str, tuple[str, Decimal]]:
        open_now = ("NEW", "PARTIALLY_FILLED")
        return {
            o.client_order_id: (self.symbol, o.cum)
            for o in self.orders.values()
            if o.status in open_now
        }

    def knows_order(self, account: int, client_order_id: str) -> bool:
        return client_order_id in self.orders

    def lacks_fills(self, account: int) -> bool:
        return sum(o.cum for o in self.orders.values()) > sum(map(abs, self.fills_by_id.values()))

    def parked(self, account: int) -> set[int]:
        return set()

    def external(self, account: int, body: bytes, ts_recv_ns: int) -> None:
        raise AssertionError("nothing is parked here")

    def fills_booked(self, account: int) -> int:
        return len(self.fills_by_id)

    def position(self) -> Decimal:
        return sum(self.fills_by_id.values(), Decimal(0))

    def positions(self, account: int) -> Mapping[tuple[str, str], Decimal]:
        return {(self.symbol, "BOTH"): self.position()} if self.position() else {}

    def balances(self, account: int) -> Mapping[str, Decimal]:
        return {asset: amount for asset, amount in self.held.items() if amount}

    def confirmed_ns(self, account: int) -> int:
        return self.confirmed
