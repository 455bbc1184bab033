"""An exchange in three markets with a clock that tests move by hand, and random requests for it."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from veloz.exchange import Exchange, listings
from veloz.exchange.events import Event
from veloz.exchange.model import Modification, OrderKey, OrderRequest
from veloz.exchange.words import (
    MarginType,
    Market,
    OrderType,
    PositionSide,
    Refusal,
    Side,
    StpMode,
    TimeInForce,
    WorkingType,
)

HOUR = 3600 * 10**9
START = 1_700_000_000 * 10**9
SYMBOLS = {Market.SPOT: "BTCUSDT", Market.USDM: "BTCUSDT", Market.COINM: "BTCUSD_PERP"}


def d(value: float | str) -> Decimal:
    return Decimal(str(value))


class World:
    """An exchange with accounts a, b and c."""

    def __init__(self, seed: int = 1, *, money: bool = True) -> None:
        self.now = START
        self.events: list[Event] = []
        self.exchange = Exchange(
            [
                listings.spot("BTCUSDT", "BTC", "USDT"),
                listings.spot("BNBUSDT", "BNB", "USDT", step="0.001"),
                listings.usdm("BTCUSDT", "BTC"),
                listings.coinm("BTCUSD_PERP", "BTC"),
            ],
            now_ns=lambda: self.now,
            random=random.Random(seed),
        )
        self.exchange.subscribe(self.events.append)
        for name in "abc":
            self.exchange.open_account(name)
            if money:
                self.exchange.deposit(name, Market.SPOT, "USDT", d(200_000))
                self.exchange.deposit(name, Market.SPOT, "BTC", d(5))
                self.exchange.deposit(name, Market.SPOT, "BNB", d(2))
                self.exchange.deposit(name, Market.USDM, "USDT", d(20_000))
                self.exchange.deposit(name, Market.USDM, "BNB", d("0.5"))
                self.exchange.deposit(name, Market.COINM, "BTC", d("0.7"))

    def take(self, kind: type) -> list[Any]:
        """The events of a kind since the last call of `forget`."""
        return [event for event in self.events if isinstance(event, kind)]

    def book(self, market: Market, bids: str, asks: str, symbol: str = "") -> None:
        """Replays a snapshot written as `100x5 99x3`."""
        rows = [
            [(Decimal(p), Decimal(q)) for p, q in (level.split("x") for level in side.split())]
            for side in (bids, asks)
        ]
        name = symbol or SYMBOLS[market]
        self.exchange.replay_book(market, name, rows[0], rows[1], is_snapshot=True)

    def limit(
        self, name: str, market: Market, side: Side, qty: str, price: str, **more: Any
    ) -> Any:
        request = OrderRequest(
            market, SYMBOLS[market], side, OrderType.LIMIT, d(qty), d(price), **more
        )
        return self.exchange.place(name, request)

    def market(self, name: str, market: Market, side: Side, qty: str, **more: Any) -> Any:
        request = OrderRequest(market, SYMBOLS[market], side, OrderType.MARKET, d(qty), **more)
        return self.exchange.place(name, request)


class Walker:
    """Does random things; refusals are fine, anything else that is raised is not."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world = World(seed)
        self.price = 30_000.0
        self.done = 0
        self.refused = 0
        exchange = self.world.exchange
        for market in (Market.USDM, Market.COINM):
            exchange.set_mark(market, SYMBOLS[market], d("30000.0"))
        exchange.replay_trade(Market.SPOT, "BNBUSDT", d(300), d(1), buyer_is_maker=False)
        if self.dice.random() < 0.3:
            exchange.set_hedge_mode("a", on=True)
        if self.dice.random() < 0.5:
            exchange.set_bnb_fees("b", Market.SPOT, on=True)
            exchange.set_bnb_fees("b", Market.USDM, on=True)
        if self.dice.random() < 0.5:
            exchange.set_rebate("c", "a", d("0.2"))
        for name in "abc":
            for market in (Market.USDM, Market.COINM):
                symbol = SYMBOLS[market]
                exchange.set_leverage(name, market, symbol, self.dice.choice([3, 20, 50, 100]))
                if self.dice.random() < 0.4:
                    exchange.set_margin_type(name, market, symbol, MarginType.ISOLATED)

    def step(self) -> None:
        """One random act."""
        self.world.now += self.dice.randint(1, 10**9)
        self.price *= self.dice.uniform(0.99, 1.01)
        acts = [self.place] * 12 + [self.cancel] * 3 + [self.replay] * 3 + [self.move_mark] * 2
        acts += [self.algo, self.modify, self.move_money, self.pass_time, self.oco]
        act = self.dice.choice(acts)
        try:
            act()
        except Refusal:
            self.refused += 1
        self.done += 1

    def near(self, tick: str = "0.1") -> Decimal:
        return d(self.price * self.dice.uniform(0.995, 1.005)).quantize(Decimal(tick))

    def request(self) -> OrderRequest:
        pick = self.dice.choice
        market = pick(list(Market))
        worth = self.dice.uniform(100, 20_000)
        qty = d(round(worth / self.price, 3)) + d("0.001")
        if market is Market.COINM:
            qty = d(max(1, int(worth / 100)))
        kind = pick([OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET])
        more: dict[str, Any] = {}
        if kind is OrderType.LIMIT:
            more["price"] = self.near()
            more["tif"] = pick([TimeInForce.GTC] * 4 + [TimeInForce.IOC, TimeInForce.FOK])
            if market is Market.SPOT and self.dice.random() < 0.2:
                more |= {"iceberg_qty": qty / 4, "tif": TimeInForce.GTC}
                more["iceberg_qty"] = max(more["iceberg_qty"].quantize(d("0.001")), d("0.001"))
            elif market is not Market.SPOT and self.dice.random() < 0.1:
                more["tif"] = TimeInForce.GTX
        elif market is Market.SPOT and self.dice.random() < 0.3:
            more["quote_qty"] = d(round(worth, 2))
            qty = None  # type: ignore[assignment]
        if market is not Market.SPOT:
            hedge = self.world.exchange.hedge_mode(self.name)
            if hedge:
                more["position_side"] = pick([PositionSide.LONG, PositionSide.SHORT])
            elif self.dice.random() < 0.2:
                more["reduce_only"] = True
        modes = [None, StpMode.NONE, StpMode.EXPIRE_TAKER, StpMode.EXPIRE_BOTH]
        more["stp_mode"] = pick([*modes, StpMode.DECREMENT] if market is Market.SPOT else modes)
        side = pick(list(Side))
        return OrderRequest(market, SYMBOLS[market], side, kind, qty, strategy_id=7, **more)

    @property
    def name(self) -> str:
        return "abc"[self.done % 3]

    def place(self) -> None:
        self.world.exchange.place(self.name, self.request())

    def cancel(self) -> None:
        market = self.dice.choice(list(Market))
        rows = self.world.exchange.open_orders(self.name, market)
        if rows:
            order = self.dice.choice(rows)
            self.world.exchange.cancel(self.name, OrderKey(market, order.symbol, order.order_id))

    def modify(self) -> None:
        market = self.dice.choice(list(Market))
        rows = self.world.exchange.open_orders(self.name, market)
        if not rows:
            return
        order = self.dice.choice(rows)
        key = OrderKey(market, order.symbol, order.order_id)
        if market is Market.SPOT:
            self.world.exchange.reduce(self.name, key, order.qty - d("0.001"))
        else:
            change = Modification(key, order.qty * 2, self.near())
            (answer,) = self.world.exchange.modify_batch(self.name, [change])
            assert isinstance(answer, Refusal) or answer.order_id == order.order_id

    def replay(self) -> None:
        market = self.dice.choice(list(Market))
        symbol = SYMBOLS[market]
        scale = 1000 if market is Market.COINM else 1
        if self.dice.random() < 0.5:
            qty = d(self.dice.randint(1, 3) * scale)
            maker = self.dice.random() < 0.5
            self.world.exchange.replay_trade(market, symbol, self.near(), qty, buyer_is_maker=maker)
            return
        mid = self.near()
        rows = [
            [(mid + sign * d(i) * 5, d(self.dice.randint(0, 3) * scale)) for i in range(1, 6)]
            for sign in (-1, 1)
        ]
        full = self.dice.random() < 0.3
        self.world.exchange.replay_book(market, symbol, rows[0], rows[1], is_snapshot=full)

    def move_mark(self) -> None:
        market = self.dice.choice([Market.USDM, Market.COINM])
        if self.dice.random() < 0.15:
            self.price *= self.dice.choice([0.9, 1.1])
        mark = d(f"{self.price:.8f}")
        self.world.exchange.set_mark(market, SYMBOLS[market], mark)
        rate = d(f"{self.dice.uniform(-0.003, 0.003):.8f}")
        self.world.exchange.set_funding_rate(market, SYMBOLS[market], rate)

    def algo(self) -> None:
        request = self.request()
        if request.market is Market.SPOT:
            return
        away = self.dice.uniform(0.97, 1.03)
        kind = self.dice.choice([OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET])
        closing = self.dice.random() < 0.3 and request.position_side is PositionSide.BOTH
        self.world.exchange.place_algo(
            self.name,
            OrderRequest(
                request.market,
                request.symbol,
                request.side,
                kind,
                None if closing else request.qty,
                stop_price=d(round(self.price * away, 1)),
                position_side=request.position_side,
                close_position=closing,
                working_type=self.dice.choice(list(WorkingType)),
            ),
        )

    def oco(self) -> None:
        qty = d("0.01")
        high, low = (d(round(self.price * x, 1)) for x in (1.004, 0.996))
        above = OrderRequest(
            Market.SPOT, "BTCUSDT", Side.SELL, OrderType.LIMIT_MAKER, qty, price=high
        )
        below = OrderRequest(
            Market.SPOT, "BTCUSDT", Side.SELL, OrderType.STOP_MARKET, qty, stop_price=low
        )
        self.world.exchange.place_oco(self.name, above, below)

    def move_money(self) -> None:
        amount = d(f"{self.dice.uniform(1, 2000):.8f}")
        exchange = self.world.exchange
        roll = self.dice.random()
        if roll < 0.4:
            exchange.transfer(self.name, Market.SPOT, Market.USDM, "USDT", amount)
        elif roll < 0.6:
            exchange.transfer(self.name, Market.USDM, Market.SPOT, "USDT", amount)
        elif roll < 0.8:
            exchange.withdraw(self.name, Market.SPOT, "USDT", amount)
        else:
            market = self.dice.choice([Market.USDM, Market.COINM])
            for row in exchange.positions(self.name, market):
                part = d(f"{self.dice.uniform(-0.01, 0.01):.8f}")
                exchange.move_margin(self.name, market, row.symbol, row.position_side, part)

    def pass_time(self) -> None:
        self.world.now += self.dice.choice([HOUR // 60, HOUR, 9 * HOUR])
        self.world.exchange.advance()
