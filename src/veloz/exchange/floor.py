"""The state behind the exchange: symbols, accounts, the house's own books, and what happened.

The floor keeps, the rules (`matching`, `triggers`, `liquidation` and their neighbours) act on it.
"""

from __future__ import annotations

import random as chance
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from decimal import Decimal

from veloz.exchange.book import Book
from veloz.exchange.events import (
    BookChange,
    BookTickerEvent,
    Event,
)
from veloz.exchange.holding import value
from veloz.exchange.ledger import Ledger
from veloz.exchange.listing import Listing
from veloz.exchange.model import (
    AlgoOrder,
    Amendment,
    BookTicker,
    Fill,
    FundingPrint,
    Income,
    Order,
    OrderList,
    PreventedMatch,
)
from veloz.exchange.money import ZERO
from veloz.exchange.tape import Tape
from veloz.exchange.words import Market, PositionSide, Refusal, Side, Why

DEFAULT_LEVERAGE = 20
CONTRACTS = (Market.USDM, Market.COINM)


class Instrument:
    """A listed symbol and everything that the public knows of it.

    Attributes:
        resting: Clients' open orders that wait for a trigger, in order of arrival.
        armed: Conditional orders of the algo service, in order of arrival.
        best: Bid, its quantity, ask and its quantity, as published.
    """

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.book = Book()
        self.tape = Tape(listing.market, listing.symbol, listing.avg_price_mins)
        self.index: Decimal | None = None
        self.funding_rate = ZERO
        self.next_funding_ns = 0
        self.fundings: list[FundingPrint] = []
        self.waiting: list[Order] = []
        self.armed: list[AlgoOrder] = []
        self.best = (ZERO, ZERO, ZERO, ZERO)

    def quote(self, side: Side) -> Decimal | None:
        """The best price of a side."""
        return self.book.side(side).best()


class Desk:
    """What one account has in one market: its ledger, its orders and their history."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.orders: dict[int, Order] = {}
        self.open: dict[int, Order] = {}
        self.by_client_id: dict[tuple[str, str], int] = {}
        self.fills: list[Fill] = []
        self.amendments: dict[int, list[Amendment]] = defaultdict(list)
        self.prevented: list[PreventedMatch] = []
        self.lists: dict[int, OrderList] = {}
        self.algos: dict[int, AlgoOrder] = {}
        self.incomes: list[Income] = []
        self.countdowns: dict[str, int] = {}
        self.touched: set[str] = set()
        self.updated_ns = 0

    def open_client_id(self, symbol: str, client_order_id: str) -> bool:
        """True if an open order has this client id."""
        return self.by_client_id.get((symbol, client_order_id), -1) in self.open


class Account:
    """One client."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.desks: dict[Market, Desk] = {}
        self.hedge = False
        self.pays_bnb: set[Market] = set()
        self.rates: dict[tuple[Market, str], tuple[Decimal, Decimal]] = {}
        self.referrer = ""
        self.rebate = ZERO


class Floor:
    """All of the exchange's state.

    Args:
        now_ns: The clock.
        random: Chance.
        scales: Decimals of an asset's balance.

    Attributes:
        prints: Trades that no trigger has seen yet.
        moved: Futures accounts (with market and margin asset) whose margin a trade has changed.
        flat: Positions that a trade has just closed: account, market, symbol and side.
    """

    def __init__(
        self,
        now_ns: Callable[[], int],
        random: chance.Random,
        scales: Mapping[str, int],
    ) -> None:
        self.now_ns = now_ns
        self.random = random
        self.scales = scales
        self.instruments: dict[tuple[Market, str], Instrument] = {}
        self.listings: dict[Market, dict[str, Listing]] = {market: {} for market in Market}
        self.marks: dict[Market, dict[str, Decimal]] = {market: {} for market in Market}
        self.accounts: dict[str, Account] = {}
        self.outbox: deque[Event] = deque()
        self.prints: deque[tuple[Instrument, Decimal]] = deque()
        self.moved: dict[tuple[str, Market, str], None] = {}
        self.flat: list[tuple[str, Market, str, PositionSide]] = []
        self.counters: dict[str, int] = defaultdict(int)
        self.inflow: dict[tuple[Market, str], Decimal] = defaultdict(Decimal)
        self.dust: dict[tuple[Market, str], Decimal] = defaultdict(Decimal)
        self.parts: dict[tuple[Market, str], int] = defaultdict(int)
        # The house: the other side of replayed trades, the insurance fund, and who earns the fees.
        self.replayed = {market: self._ledger(market, credit=True) for market in Market}
        self.fund = {market: self._ledger(market, credit=True) for market in Market}
        self.income = {market: self._ledger(market, credit=True) for market in Market}

    def _ledger(self, market: Market, *, credit: bool = False) -> Ledger:
        return Ledger(self.listings[market], self.marks[market], self.scales, credit=credit)

    def ledgers(self, market: Market) -> list[Ledger]:
        """Every ledger of a market: clients' and the house's."""
        clients = [account.desks[market].ledger for account in self.accounts.values()]
        return [*clients, self.replayed[market], self.fund[market], self.income[market]]

    def note_value(self, listing: Listing, qty: Decimal, closed: Decimal, price: Decimal) -> None:
        """Counts what one side of a trade in a contract was booked at.

        The sides of a trade cancel, except in the last place of inverse contracts, where a side
        that closes and opens is cut twice. That dust is nobody's; here it is known.
        """
        key = (listing.market, listing.settle)
        for part in (closed, abs(qty) - closed):
            if part:
                self.dust[key] += value(listing, part.copy_sign(qty), price)
                self.parts[key] += 1

    def open_account(self, name: str) -> Account:
        """An account; a new one if the name is new."""
        if name not in self.accounts:
            account = self.accounts[name] = Account(name)
            for market in Market:
                account.desks[market] = Desk(self._ledger(market))
                leverages = account.desks[market].ledger.leverages
                for symbol in self.listings[market]:
                    if market in CONTRACTS:
                        leverages[symbol] = self.first_leverage(market, symbol)
        return self.accounts[name]

    def first_leverage(self, market: Market, symbol: str) -> int:
        """The leverage of a contract before its holder changes it."""
        tiers = self.listings[market][symbol].tiers
        return min(DEFAULT_LEVERAGE, tiers[0].max_leverage) if tiers else DEFAULT_LEVERAGE

    def account(self, name: str) -> Account:
        """An account; refused if there is none."""
        if name not in self.accounts:
            raise Refusal(Why.UNKNOWN_ACCOUNT, f"there is no account {name!r}")
        return self.accounts[name]

    def instrument(self, market: Market, symbol: str) -> Instrument:
        """A listed symbol; refused if it is not."""
        found = self.instruments.get((market, symbol))
        if found is None:
            raise Refusal(Why.UNKNOWN_SYMBOL, f"{market.value} lists no {symbol!r}")
        return found

    def following(self, counter: str) -> int:
        """The next number of a counter, from 1."""
        self.counters[counter] += 1
        return self.counters[counter]

    def client_id(self) -> str:
        """A client id for an order that brought none."""
        letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        return "".join(self.random.choices(letters, k=22))

    def emit(self, event: Event) -> None:
        """Notes an event; subscribers get it when the call is done."""
        self.outbox.append(event)

    def publish(self, instrument: Instrument) -> None:
        """Tells the public which levels of a book changed, with the market's update ids."""
        book, listing = instrument.book, instrument.listing
        if not book.touched:
            return
        changes = book.changes()
        bids, asks = tuple(changes[Side.BUY]), tuple(changes[Side.SELL])
        if not bids and not asks:
            return
        previous = book.last_update_id
        if listing.market is Market.SPOT:
            first, last = previous + 1, previous + len(bids) + len(asks)
        else:
            # Ids of futures number the events of all symbols, so they jump between two of one.
            first = previous + self.random.randint(1, 40)
            last = first + self.random.randint(0, 20)
        book.last_update_id = last
        ts = self.now_ns()
        market, symbol = listing.market, listing.symbol
        self.emit(BookChange(ts, market, symbol, first, last, previous, bids, asks))
        best = book.best()
        if best != instrument.best:
            instrument.best = best
            self.emit(BookTickerEvent(ts, BookTicker(market, symbol, last, *best, ts)))

    def ticker(self, instrument: Instrument) -> BookTicker:
        """Best bid and ask with their quantities."""
        book, listing = instrument.book, instrument.listing
        best = book.best() if book.touched else instrument.best
        now_ns = self.now_ns()
        return BookTicker(listing.market, listing.symbol, book.last_update_id, *best, now_ns)
