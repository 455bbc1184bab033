"""The golden matching scenarios that concern an exchange with books: same lines, same order.

The folder is `VELOZ_GOLDEN_MATCHING`, else `tests/vectors/matching`. What does not apply is listed
below with the reason; every other scenario of level `book` or `true` runs.
"""

from __future__ import annotations

import json
import os
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from veloz.exchange import Exchange
from veloz.exchange.events import AlgoEvent, Event, Execution, LiquidationPrint, OrderEvent
from veloz.exchange.listing import Listing, Lot, PercentPrice, Tier
from veloz.exchange.model import AlgoOrder, Modification, Order, OrderKey, OrderRequest
from veloz.exchange.money import ZERO
from veloz.exchange.words import (
    AlgoStatus,
    ExpireReason,
    MarginType,
    Market,
    OrderStatus,
    OrderType,
    Refusal,
    Side,
    StpMode,
    SymbolStatus,
    TimeInForce,
    Why,
    WorkingType,
)

pytestmark = pytest.mark.vectors

FOLDER = Path(
    os.environ.get("VELOZ_GOLDEN_MATCHING", Path(__file__).parents[1] / "vectors" / "matching")
)
# Why a scenario is not about this exchange. A prefix ends with a star.
ELSEWHERE = {
    "latency_*": "latency is the network's",
    "book_consumed_reset": "another rule of a backtest's settings",
    "book_reference_refill": "another rule of a backtest's settings",
    "queue_ahead_optimist": "a queue model of a backtest's settings",
    "queue_proportional": "a queue model of a backtest's settings",
    "queue_power_2": "a queue model of a backtest's settings",
    "queue_sqrt": "a queue model of a backtest's settings",
    "queue_log": "a queue model of a backtest's settings",
    "queue_print_then_diff_not_twice": "a queue model of a backtest's settings",
    "queue_diff_first_*": "a feed order of a backtest's settings",
    "reduce_only_sum_rule": "another rule of a backtest's settings",
    "fees_linear": "its own rule: fees are cut, not rounded up (accounting.md, A15)",
    "iceberg_refills_at_the_back": "here a print that fills a client did not fill a ghost as well",
    "oco_sibling_met_in_the_queue": "two limits on both sides: no venue's order list",
    "funding_*": "its own test: an exchange funds at whole hours",
    "liquidation_isolated": "its own test: an exchange tries its book before it takes over",
}
TYPES = {
    "limit": OrderType.LIMIT,
    "market": OrderType.MARKET,
    "stop": OrderType.STOP_MARKET,
    "stop_limit": OrderType.STOP_LIMIT,
    "take": OrderType.TAKE_PROFIT_MARKET,
    "take_limit": OrderType.TAKE_PROFIT_LIMIT,
    "trail": OrderType.TRAILING_STOP,
}
REASONS = {
    Why.PRICE_TICK: "price_filter",
    Why.PRICE_MIN: "price_filter",
    Why.PRICE_MAX: "price_filter",
    Why.LOT_STEP: "lot_size",
    Why.LOT_MIN: "lot_size",
    Why.LOT_MAX: "lot_size",
    Why.MARKET_LOT_MAX: "market_lot_size",
    Why.DUPLICATE_CLIENT_ID: "duplicate_id",
    Why.WOULD_TAKE: "post_only",
    Why.AMEND_INCREASES: "decrease_only",
}
EXPIRED = {ExpireReason.PRICE_RANGE: "price_band"}
# One unit of a scenario's time: long enough for good-till-date orders.
UNIT = 10**12
SYMBOL = "TEST"
RICH = Decimal(10**9)


def scenarios() -> list[dict[str, Any]]:
    rows = [row for path in sorted(FOLDER.glob("*.json")) for row in json.loads(path.read_text())]
    return [r for r in rows if r["config"].get("level", "book") in {"book", "true"}]


def reason_elsewhere(name: str) -> str | None:
    for pattern, why in ELSEWHERE.items():
        if name == pattern or (pattern[-1] == "*" and name.startswith(pattern[:-1])):
            return why
    return None


HERE = [row for row in scenarios() if reason_elsewhere(row["id"]) is None]


def test_most_scenarios_run_here() -> None:
    assert len(HERE) >= 55, len(HERE)


@pytest.mark.parametrize("scenario", HERE, ids=lambda row: row["id"])
def test_scenario(scenario: dict[str, Any]) -> None:
    found = Player(scenario).play()
    assert found == scenario["out"], scenario["why"]


def plain(value: Decimal) -> str:
    text = f"{value.normalize():f}"
    return "0" if text in {"-0", "0"} else text


class Player:
    """Feeds a scenario's lines to an exchange and writes what happens."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self.config = scenario["config"]
        self.lines = scenario["in"]
        self.now = 0
        self.out: list[str] = []
        self.requested: dict[str, Decimal] = {}
        self.market = self.fit()
        self.exchange = Exchange([self.listing()], now_ns=lambda: self.now, random=random.Random(0))
        self.exchange.subscribe(self.tell)
        names = {"me"} | {w[5:] for line in self.lines for w in line.split() if w[:5] == "acct="}
        for name in sorted(names):
            self.exchange.open_account(name)
            self.fund(name)
        self.now = UNIT

    def fit(self) -> Market:
        """The market whose rules the scenario is about."""
        text = " ".join(self.lines)
        spec, rules = self.config.get("instrument", {}), self.config.get("rules", {})
        if spec.get("kind") == "inverse":
            return Market.COINM
        words = (" reduce", " close", " mark ", " trail ", " gtd=", " post", "by=mark")
        futures = any(word in text for word in words) or "fees" in self.config
        changes = "amend" in text and rules.get("amend") != "decrease_only"
        if futures or changes or rules.get("fok") == "reject" or "exec_band" in spec:
            return Market.USDM
        return Market.SPOT

    def listing(self) -> Listing:
        spec = {k: v for k, v in self.config.get("instrument", {}).items() if k != "kind"}
        get = lambda name, default="0": Decimal(str(spec.get(name, default)))  # noqa: E731
        band = spec.get("percent_price")
        percent = None
        if band:
            up, down = Decimal(band["up"]), Decimal(band["down"])
            percent = PercentPrice(up, down, up, down, by_side=band.get("sides") == "both")
        exec_band = spec.get("exec_band")
        fees = self.config.get("fees", {"maker": "0", "taker": "0"})
        step = get("step", "1")
        inverse = self.market is Market.COINM
        return Listing(
            self.market,
            SYMBOL,
            "BASE",
            "QUOTE",
            "BASE" if inverse else "QUOTE",
            tick=get("tick", "1"),
            min_price=get("min_price"),
            max_price=get("max_price"),
            lot=Lot(get("min_qty"), get("max_qty"), step),
            market_lot=Lot(ZERO, get("market_max_qty"), get("market_step")),
            contract_size=get("mult", "1"),
            min_notional=get("min_notional"),
            max_notional=get("max_notional") or None,
            percent_price=percent,
            max_orders=spec.get("max_orders", 200),
            max_algo_orders=spec.get("max_algo_orders", 100),
            iceberg_parts=spec.get("iceberg_parts", 100),
            stp_default=StpMode(self.config.get("rules", {}).get("stp", "none").upper()),
            maker_rate=Decimal(fees["maker"]),
            taker_rate=Decimal(fees["taker"]),
            tiers=(Tier(ZERO, None, Decimal(0), ZERO, 100),),
            market_take_bound=Decimal(exec_band["up"]) - 1 if exec_band else None,
            trigger_protect=self.protect(),
        )

    def protect(self) -> Decimal:
        words = [w for line in self.lines for w in line.split() if w.startswith("protect=")]
        return Decimal(words[0][8:]) if words else Decimal("0.05")

    def fund(self, name: str) -> None:
        account = self.config.get("account", {"quote": RICH, "base": RICH})
        for asset, amount in (("QUOTE", account["quote"]), ("BASE", account["base"])):
            self.exchange.deposit(name, self.market, asset, Decimal(str(amount)))
        if self.market is not Market.SPOT:
            self.exchange.set_leverage(name, self.market, SYMBOL, 1)
            assert self.exchange.margin_type(name, self.market, SYMBOL) is MarginType.CROSS

    # Lines in.

    def play(self) -> list[str]:
        rows = sorted(
            enumerate(self.lines), key=lambda row: (int(row[1].split()[0]), self.rank(row[1]))
        )
        for _, line in rows:
            words = line.split()
            self.now = (int(words[0]) + 1) * UNIT
            self.exchange.advance()
            self.feed(words[1], words[2:])
        if self.market is not Market.SPOT:
            assert self.exchange.imbalance() == {}
        return self.out

    @staticmethod
    def rank(line: str) -> tuple[int, int]:
        kind = line.split()[1]
        if kind in {"mark", "index", "status", "rate"}:
            return 0, 0
        if kind == "trade":
            return 2, 0
        return (2, 1) if kind in {"book", "diff"} else (3, 0)

    def feed(self, kind: str, words: list[str]) -> None:
        exchange, where = self.exchange, (self.market, SYMBOL)
        if kind in {"book", "diff"}:
            sides: dict[str, list[tuple[Decimal, Decimal]]] = {"bids": [], "asks": []}
            side = "bids"
            for word in words:
                if word in sides:
                    side = word
                else:
                    price, qty = word.split("x")
                    sides[side].append((Decimal(price), Decimal(qty)))
            full = kind == "book"
            exchange.replay_book(*where, sides["bids"], sides["asks"], is_snapshot=full)
        elif kind == "trade":
            qty, price = words[0].split("@")
            sold = words[1] == "sell"
            exchange.replay_trade(*where, Decimal(price), Decimal(qty), buyer_is_maker=sold)
        elif kind == "mark":
            exchange.set_mark(*where, Decimal(words[0]))
        elif kind == "status":
            if words[0] in {"CLOSE", "DELIVERED"}:
                exchange.delist(*where)
            else:
                exchange.set_status(*where, SymbolStatus(words[0]))
        else:
            self.ask(kind, words)

    def ask(self, kind: str, words: list[str]) -> None:
        refused = {"place": "rejected", "cancel": "cancel_rejected", "amend": "amend_rejected"}
        try:
            getattr(self, kind)(words)
        except Refusal as refusal:
            reason = REASONS.get(refusal.why, refusal.why.value)
            self.say(words[0], f"{refused[kind]} {reason}")

    def place(self, words: list[str]) -> None:
        name, side, kind, size = words[:4]
        options = dict(w.split("=") if "=" in w else (w, "") for w in words[4:])
        qty, _, price = size.partition("@")
        account = options.get("acct", "me")
        request = self.request(name, Side(side.upper()), TYPES[kind], options)
        closing = "close" in options
        request |= {"qty": None if closing else Decimal(qty), "close_position": closing}
        if price:
            request["price"] = Decimal(price)
        self.requested[name] = Decimal(qty)
        group = options.get("oco")
        made = OrderRequest(**request)
        if group is not None:
            self.pair(account, made)
        elif made.type.is_conditional and self.market is not Market.SPOT:
            self.exchange.place_algo(account, made)
        else:
            self.exchange.place(account, made)

    def pair(self, account: str, made: OrderRequest) -> None:
        """The two orders of a group come one after the other; the exchange takes them together."""
        if not hasattr(self, "waiting"):
            self.waiting = made
            return
        above, below = self.waiting, made
        target = OrderType.LIMIT_MAKER
        above = OrderRequest(**{**vars(above), "type": target, "tif": None})
        self.exchange.place_oco(account, above, below)
        # The exchange starts with the stop; the scenario's author named the target first.
        self.out[-2:] = reversed(self.out[-2:])

    def request(
        self, name: str, side: Side, kind: OrderType, options: dict[str, str]
    ) -> dict[str, Any]:
        made: dict[str, Any] = {
            "market": self.market,
            "symbol": SYMBOL,
            "side": side,
            "type": kind,
            "client_order_id": name,
            "reduce_only": "reduce" in options,
        }
        for word, tif in (("ioc", "IOC"), ("fok", "FOK"), ("post", "GTX"), ("gtd", "GTD")):
            if word in options:
                made["tif"] = TimeInForce(tif)
        if "gtd" in options:
            made["good_till_ns"] = (int(options["gtd"]) + 1) * UNIT
        if "trigger" in options:
            made["stop_price"] = Decimal(options["trigger"])
        if "bps" in options:
            made["callback_rate"] = Decimal(options["bps"]) / 100
        if "activate" in options:
            made["activate_price"] = Decimal(options["activate"])
        if "show" in options:
            made["iceberg_qty"] = Decimal(options["show"])
        if "stp" in options:
            made["stp_mode"] = StpMode(options["stp"].upper())
        if options.get("by") == "mark":
            made["working_type"] = WorkingType.MARK
        made["price_protect"] = "protect" in options
        return made

    def account_of(self, name: str) -> str:
        for account in self.exchange.accounts():
            try:
                self.exchange.order(account, OrderKey(self.market, SYMBOL, None, name))
            except Refusal:
                continue
            return account
        return "me"

    def cancel(self, words: list[str]) -> None:
        name = words[0]
        key = OrderKey(self.market, SYMBOL, None, name)
        algos = self.exchange.algo_orders("me", self.market, SYMBOL, only_open=True)
        if any(algo.client_algo_id == name for algo in algos):
            self.exchange.cancel_algo("me", self.market, client_algo_id=name)
        else:
            self.exchange.cancel(self.account_of(name), key)

    def amend(self, words: list[str]) -> None:
        qty, price = (Decimal(text) for text in words[1].split("@"))
        key, account = OrderKey(self.market, SYMBOL, None, words[0]), self.account_of(words[0])
        if self.market is Market.SPOT:
            if self.exchange.order(account, key).price != price:
                raise Refusal(Why.AMEND_INCREASES, "the price cannot change")
            self.exchange.reduce(account, key, qty, new_client_order_id=words[0])
        else:
            change = Modification(key, qty, price)
            (answer,) = self.exchange.modify_batch(account, [change])
            if isinstance(answer, Refusal):
                raise answer

    # Lines out.

    def say(self, who: str, what: str) -> None:
        self.out.append(f"{self.now // UNIT - 1} {who} {what}")

    def tell(self, event: Event) -> None:
        if isinstance(event, OrderEvent):
            self.tell_order(event, event.order)
        elif isinstance(event, AlgoEvent):
            self.tell_algo(event.algo)
        assert not isinstance(event, LiquidationPrint)

    def tell_algo(self, algo: AlgoOrder) -> None:
        name = algo.client_algo_id
        if algo.status is AlgoStatus.NEW and not (algo.updated_ns > algo.created_ns):
            self.say(name, "accepted")
        elif algo.status is AlgoStatus.TRIGGERING:
            self.say(name, "triggered")
        elif algo.status is AlgoStatus.CANCELED:
            self.say(name, f"canceled left={plain(self.requested[name])}")
        elif algo.status is AlgoStatus.EXPIRED:
            self.say(name, "expired reduce_only left=0")
        elif algo.status is AlgoStatus.REJECTED:
            left = plain(self.requested[name])
            self.say(name, f"expired {REASONS.get(Why(algo.reason), algo.reason)} left={left}")

    def tell_order(self, event: OrderEvent, order: Order) -> None:
        name, left = order.client_order_id, f"left={plain(order.left)}"
        kind = event.execution
        if kind is Execution.NEW and order.algo_id is None:
            cut = order.qty != self.requested[name]
            text = f"accepted qty={plain(order.qty)}" if cut else "accepted"
            self.say(name, "triggered" if order.trigger_ns else text)
        elif kind is Execution.TRADE and event.fill is not None:
            fill = event.fill
            role = "maker" if fill.is_maker else "taker"
            fee = f" fee={plain(fill.fee)}" if "fees" in self.config else ""
            traded = f"{plain(fill.qty)}@{plain(fill.price)}"
            self.say(name, f"filled {traded} {role} {left}{fee}")
        elif kind is Execution.CANCELED:
            self.say(name, f"canceled {left}")
        elif kind is Execution.EXPIRED or order.status is OrderStatus.EXPIRED_IN_MATCH:
            self.tell_expired(name, order, left)
        elif kind is Execution.REPLACED:
            self.say(name, f"amended {plain(order.qty)}@{plain(order.price)} queue=kept")
        elif kind is Execution.AMENDMENT and order.amends:
            self.say(name, f"amended {plain(order.qty)}@{plain(order.price)} queue=lost")
        elif kind is Execution.AMENDMENT:
            self.say(name, f"reduced {left}")
        elif kind is Execution.TRADE_PREVENTION and order.left:
            self.say(name, f"prevented {plain(order.prevented_qty)} {left}")

    def tell_expired(self, name: str, order: Order, left: str) -> None:
        reason = order.expire_reason
        if reason is ExpireReason.OCO_TRIGGER:
            self.say(name, f"canceled oco {left}")
        elif reason is ExpireReason.DELISTED:
            self.say(name, "expired delisted")
        else:
            prevented = order.prevented_qty if order.stp_mode is StpMode.DECREMENT else ZERO
            more = f" prevented={plain(prevented)}" if prevented else ""
            self.say(name, f"expired {EXPIRED.get(reason, reason.value.lower())} {left}{more}")
        assert order.status in {OrderStatus.EXPIRED, OrderStatus.EXPIRED_IN_MATCH}
