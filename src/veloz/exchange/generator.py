"""A market that lives by itself: seeded quotes and trades around a wandering price.

It drives an exchange as a recording would, so clients' orders rest among its quotes, trade with
them and are hit by its trades. The same seed and the same calls give the same market.
"""

from __future__ import annotations

import random as chance
from dataclasses import dataclass
from decimal import Decimal

from veloz.exchange.exchange import Exchange
from veloz.exchange.money import ZERO, floor_to
from veloz.exchange.words import Market, SymbolStatus

QUOTED_LEVELS = 20
Rows = list[tuple[Decimal, Decimal]]


@dataclass(frozen=True)
class Habits:
    """How a generated market behaves.

    Attributes:
        spread_ticks: Between its best bid and ask.
        level_ticks: Between two of its levels.
        level_lots: Mean quantity of a level, in lots.
        move_ticks: Standard deviation of a step of the price, in ticks.
        trade_share: How often a step trades.
        pull: How strongly the price is drawn back to where it began, a share a step.
    """

    spread_ticks: int = 2
    level_ticks: int = 2
    level_lots: int = 500
    move_ticks: float = 1.5
    trade_share: float = 0.6
    pull: float = 0.001


class Generator:
    """Keeps one symbol alive.

    Args:
        exchange: What it drives.
        market: Of the symbol.
        symbol: What it quotes.
        price: Where the price begins.
        random: Its chance.
        habits: How it behaves.
    """

    def __init__(
        self,
        exchange: Exchange,
        market: Market,
        symbol: str,
        price: Decimal,
        *,
        random: chance.Random,
        habits: Habits | None = None,
    ) -> None:
        self.exchange = exchange
        self.market = market
        self.symbol = symbol
        self.random = random
        self.habits = habits or Habits()
        listing = exchange.listing(market, symbol)
        self.tick = listing.tick
        self.lot = listing.lot.step or listing.lot.minimum
        self.start = self.mid = float(price / self.tick)

    def step(self) -> None:
        """Moves the price, renews the quotes, perhaps trades; tells contracts their mark.

        Nothing happens while the symbol does not trade.
        """
        if self.exchange.listing(self.market, self.symbol).status is not SymbolStatus.TRADING:
            return
        habits = self.habits
        pull = (self.start - self.mid) * habits.pull
        low = QUOTED_LEVELS * habits.level_ticks + habits.spread_ticks + 1.0
        self.mid = max(low, self.mid + pull + self.random.gauss(0.0, habits.move_ticks))
        bids, asks = self._quotes()
        self.exchange.replay_book(self.market, self.symbol, bids, asks, is_snapshot=True)
        if self.market is not Market.SPOT:
            price = self._price(self.mid)
            self.exchange.set_index(self.market, self.symbol, price)
            self.exchange.set_mark(self.market, self.symbol, price)
        if self.random.random() < habits.trade_share:
            self._trade(bids, asks)

    def _quotes(self) -> tuple[Rows, Rows]:
        half = self.habits.spread_ticks / 2
        bids: Rows = []
        asks: Rows = []
        for number in range(QUOTED_LEVELS):
            away = half + number * self.habits.level_ticks
            bids.append((self._price(self.mid - away), self._qty()))
            asks.append((self._price(self.mid + away) + self.tick, self._qty()))
        return bids, asks

    def _trade(self, bids: Rows, asks: Rows) -> None:
        sells = self.random.random() < 0.5
        price, qty = (bids if sells else asks)[0]
        share = Decimal(self.random.randint(1, 100)).scaleb(-2)
        size = max(self.lot, floor_to(qty * share, self.lot))
        self.exchange.replay_trade(self.market, self.symbol, price, size, buyer_is_maker=sells)
        left = qty - size
        rows = [(price, max(left, ZERO))]
        none: Rows = []
        self.exchange.replay_book(
            self.market,
            self.symbol,
            rows if sells else none,
            none if sells else rows,
            is_snapshot=False,
        )

    def _price(self, ticks: float) -> Decimal:
        return Decimal(int(ticks)) * self.tick

    def _qty(self) -> Decimal:
        lots = 1 + int(self.random.expovariate(1 / self.habits.level_lots))
        return Decimal(lots) * self.lot
