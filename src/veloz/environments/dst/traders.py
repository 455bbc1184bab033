"""Who trades in the simulation: a strategy that does all things by dice, and others besides.

The strategy is an ordinary one. It draws from `self.random` alone, so that one seed is one history.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.errors import OrderError
from veloz.exchange.model import OrderRequest
from veloz.exchange.words import Market, OrderType, Refusal, Side, TimeInForce
from veloz.strategy import Books, Strategy, Symbol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from veloz._core import Book, Order
    from veloz.exchange.exchange import Exchange
    from veloz.exchange.listing import Listing

__all__ = [
    "DICERS",
    "MONEY",
    "OTHER_MONEY",
    "QTYS",
    "CoinmDicer",
    "Counterparty",
    "Dicer",
    "Saboteur",
    "Sighting",
    "SpotDicer",
    "UsdmDicer",
]

MONEY = {
    (Market.SPOT, "USDT"): Decimal(200_000),
    (Market.SPOT, "BTC"): Decimal(5),
    (Market.USDM, "USDT"): Decimal(200_000),
    (Market.COINM, "BTC"): Decimal(5),
}
OTHER_MONEY = {key: amount * 10 for key, amount in MONEY.items()}
QTYS = {"spot": "0.001", "usdm": "0.002", "coinm": "2"}
"""The smallest order of the strategy by market; the largest is five times that."""

FAR = 0.3
"""How far from the touch an order is priced that the price band must refuse, as a fraction."""

_MOST_OPEN = 10
_SABOTAGE = 0.03
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Sighting:
    """What a strategy saw of a book that was said to be fit to trade on.

    Attributes:
        ts: Time that no step of a clock touches, ns.
    """

    market: str
    ts: int
    bid: float
    ask: float


class Dicer(Strategy):
    """Places, amends and cancels orders of all kinds, at times that dice decide."""

    stop_policy = "hold"
    symbol = Symbol("binance:BTC/USDT", doc="What is traded.")
    books = Books("symbol")
    market = ""
    period = "400ms"

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.sightings: list[Sighting] = []
        self.turns: list[tuple[int, int]] = []
        self.told_fills = 0

    @staticmethod
    def is_quiet() -> bool:
        """True from when no order is given any more; the scenario says."""
        return False

    @staticmethod
    def true_ns() -> int:
        """Time that no step of a clock touches; the scenario says."""
        return 0

    def on_start(self) -> None:
        """Begins to throw dice."""
        self.unit = Decimal(QTYS[self.market])
        self.every(self.period, self.turn)

    def on_fill(self, fill: object) -> None:
        """Counts."""
        self.told_fills += 1

    def turn(self) -> None:
        """One throw."""
        self.turns.append((self.now, self.true_ns()))
        book = self.book(self.symbol)
        if self.is_quiet() or not book.is_ready:
            return
        self.sightings.append(Sighting(self.market, self.true_ns(), book.bid, book.ask))
        mine = self.open_orders(self.symbol)
        dice = self.random.random()
        try:
            if len(mine) >= _MOST_OPEN or (mine and dice < 0.25):
                self.cancel_order(self.random.choice(mine))
            elif mine and dice < 0.35:
                self._amend(mine, book)
            elif dice < 0.37:
                self.cancel_all(self.symbol)
            else:
                self._place(dice, book)
        except (ValueError, OrderError):
            return  # a number that is off the grid, or a cancel of what is no longer there

    def _place(self, dice: float, book: Book) -> None:
        side = self.random.choice(("buy", "sell"))
        sign = 1 if side == "buy" else -1
        qty = self.unit * self.random.randint(1, 5)
        touch = book.ask if side == "buy" else book.bid
        away = touch * (1 - sign * self.random.uniform(0.0001, 0.004))
        if dice < 0.60:
            post_only = self.random.random() < 0.3
            self._limit(side, qty, away, tif="gtc", post_only=post_only)
        elif dice < 0.72:
            self._limit(side, qty, touch * (1 + sign * 0.001), tif="ioc")
        elif dice < 0.80:
            self._limit(side, qty, touch * (1 + sign * 0.0005), tif="gtc")
        elif dice < 0.90:
            self.place_order(self.symbol, side, "market", qty)
        elif dice < 0.96:
            trigger = self.round_price(self.symbol, touch * (1 + sign * 0.0015))
            limit = self.round_price(self.symbol, touch * (1 + sign * 0.003))
            kind = "stop_limit" if self.market == "spot" else "stop"
            price = limit if kind == "stop_limit" else None
            self.place_order(self.symbol, side, kind, qty, price, trigger_price=trigger)
        elif dice < 0.98:
            self._limit(side, self.unit * 1000, away, tif="gtc")  # beyond the limit of one order
        else:
            self._limit(side, qty, touch * (1 + sign * FAR), tif="gtc")  # beyond the price band

    def _limit(
        self, side: str, qty: Decimal, price: float, *, tif: str, post_only: bool = False
    ) -> None:
        exact = self.round_price(self.symbol, price)
        tif_given = None if post_only else tif
        self.place_order(self.symbol, side, "limit", qty, exact, tif=tif_given, post_only=post_only)

    def _amend(self, mine: Sequence[Order], book: Book) -> None:
        order = self.random.choice(mine)
        if order.type != "limit":
            return
        smaller = max(self.unit, Decimal(str(order.qty)) - self.unit)
        if self.market == "spot" and self.random.random() < 0.5:  # what keeps its place
            if smaller < Decimal(str(order.qty)):
                self.amend_order(order, qty=smaller)
            return
        sign = 1 if order.side == "buy" else -1
        price = book.mid * (1 - sign * self.random.uniform(0.0002, 0.003))
        self.amend_order(order, smaller, self.round_price(self.symbol, price))


class SpotDicer(Dicer):
    """The one on spot; a name of its own gives it dice of its own."""

    market = "spot"


class UsdmDicer(Dicer):
    """The one on USDT-margined contracts."""

    market = "usdm"


class CoinmDicer(Dicer):
    """The one on coin-margined contracts."""

    market = "coinm"


class Saboteur(UsdmDicer):
    """Trades like the others beside one of them, and raises an error one day (F-J01)."""

    stop_policy = "cancel"

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.raised_ns: int | None = None

    def turn(self) -> None:
        """One throw, or the error."""
        if not self.is_quiet() and self.random.random() < _SABOTAGE:
            self.raised_ns = self.true_ns()
            raise RuntimeError("sabotage")
        super().turn()


DICERS: dict[str, type[Dicer]] = {"spot": SpotDicer, "usdm": UsdmDicer, "coinm": CoinmDicer}
"""Who trades on which market."""


@dataclass
class Counterparty:
    """Another trader, directly on the exchange: hits resting orders, rests orders to be hit.

    Args:
        exchange: Where.
        listing: What.
        account: Its own.
        random: Its dice.
        period_ns: Between two of its acts.
    """

    exchange: Exchange
    listing: Listing
    account: str
    random: Random
    period_ns: int = _SECOND_NS // 2
    is_quiet: bool = False
    _due_ns: int = 0
    _resting: list[int] = field(default_factory=list[int])

    def step(self, now_ns: int) -> None:
        """Does what is due; see `Driver`."""
        while not self.is_quiet and self._due_ns <= now_ns:
            self._due_ns = max(now_ns - self.period_ns, self._due_ns) + self.period_ns
            try:
                self._act()
            except Refusal:
                continue  # no money for it, or its order was filled meanwhile

    def _act(self) -> None:
        listing = self.listing
        depth = self.exchange.depth(listing.market, listing.symbol, 1)
        if not depth.bids or not depth.asks:
            return
        side = self.random.choice((Side.BUY, Side.SELL))
        sign = 1 if side is Side.BUY else -1
        touch = depth.asks[0][0] if side is Side.BUY else depth.bids[0][0]
        qty = Decimal(QTYS[listing.market.value]) * self.random.randint(1, 20)
        crosses = self.random.random() < 0.5
        # what crosses sweeps through a few levels, where the strategy's orders rest
        reach = Decimal(str(self.random.choice((0.0005, 0.002)))) if crosses else Decimal("-0.0002")
        price = touch * (1 + sign * reach) // listing.tick * listing.tick
        request = OrderRequest(
            market=listing.market,
            symbol=listing.symbol,
            side=side,
            type=OrderType.LIMIT,
            qty=qty * (10 if crosses else 1),
            price=price,
            tif=TimeInForce.IOC if crosses else TimeInForce.GTC,
        )
        order = self.exchange.place(self.account, request)
        if not crosses:
            self._resting.append(order.order_id)
        if len(self._resting) > 5:
            self.exchange.cancel_all(self.account, listing.market, listing.symbol)
            self._resting.clear()
