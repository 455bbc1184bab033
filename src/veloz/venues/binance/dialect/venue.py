"""The venue behind all three markets' servers: what they share, and one request to it.

```text
 REST ────► site ──┐                       ┌─► spot_*, futures_*, wallet   (work of a route)
                   ├─► Call ─► access ─► ──┤
 WS API ─► ws_api ─┘   (key, time, sign)   └─► veloz.exchange
```

A route's work is a plain function from a `Call` to JSON; it raises `VenueError` or lets a
`Refusal` of the exchange pass. It does not know whether REST or the WebSocket API asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from veloz.exchange.listing import Listing
from veloz.exchange.words import Market, Refusal, Why
from veloz.venues.binance.dialect.errors import error
from veloz.venues.binance.dialect.keys import ApiKey, Keys
from veloz.venues.binance.dialect.limits import FUTURES_LIMITS, SPOT_LIMITS, Limits
from veloz.venues.binance.dialect.params import Params
from veloz.venues.binance.dialect.refusals import venue_error
from veloz.venues.binance.dialect.vocabulary import MILLISECOND, plain

if TYPE_CHECKING:
    from random import Random

    from veloz.exchange.exchange import Exchange
    from veloz.exchange.model import Depth

__all__ = ["Call", "ListenKey", "Route", "Routes", "Security", "Venue", "Work"]

LISTEN_KEY_MS = 3_600_000
ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Security(Enum):
    """What a request must prove."""

    NONE = 0
    KEY = 1
    SIGNED = 2


@dataclass
class ListenKey:
    """A futures user stream's key."""

    word: str
    account: str
    market: Market
    ends_ms: int


class Venue:
    """Everything that is not one market's or one connection's.

    Args:
        exchange: Books, orders and ledger.
        clock_ns: UTC, nanoseconds since the Unix epoch.
        random: Keys, ids and the jitter of faults.
    """

    def __init__(self, exchange: Exchange, clock_ns: Callable[[], int], random: Random) -> None:
        futures = Limits(FUTURES_LIMITS)
        self.exchange = exchange
        self.clock_ns = clock_ns
        self.random = random
        self.keys = Keys(random)
        self.limits = {
            Market.SPOT: Limits(SPOT_LIMITS),
            Market.USDM: futures,
            Market.COINM: futures,
        }
        self.listen_keys: dict[str, ListenKey] = {}
        self.offset_ns = 0
        self.unlisted: set[tuple[Market, str]] = set()
        # books that somebody else keeps: their streams are not fed by the exchange
        self.books: dict[tuple[Market, str], Callable[[int], Depth]] = {}

    def now_ns(self) -> int:
        """The time that the venue shows: the clock and the offset of a fault."""
        return self.clock_ns() + self.offset_ns

    def now_ms(self) -> int:
        """As `now_ns`, in milliseconds."""
        return self.now_ns() // MILLISECOND

    def depth(self, market: Market, symbol: str, limit: int) -> Depth:
        """The book that clients see."""
        kept = self.books.get((market, symbol))
        return kept(limit) if kept else self.exchange.depth(market, symbol, limit)

    def client_id(self) -> str:
        """A client id such as the venue draws: 22 letters and digits."""
        return "".join(self.random.choices(ID_LETTERS, k=22))

    def listen_key(self, account: str, market: Market) -> ListenKey:
        """The account's listen key of a market, made or prolonged for another hour."""
        now = self.now_ms()
        for row in self.listen_keys.values():
            if row.account == account and row.market is market and row.ends_ms > now:
                row.ends_ms = now + LISTEN_KEY_MS
                return row
        word = "".join(self.random.choices(ID_LETTERS, k=64))
        row = ListenKey(word, account, market, now + LISTEN_KEY_MS)
        self.listen_keys[word] = row
        return row

    def uid(self, account: str) -> int:
        """A number for an account: its place among all, with an offset."""
        return 1_000_000 + self.exchange.accounts().index(account)


@dataclass
class Call:
    """One request, after its proof.

    Attributes:
        unit: Nanoseconds per unit of time that the client asked for.
        peer: Address, for limits.
    """

    venue: Venue
    market: Market
    params: Params
    key: ApiKey | None = None
    unit: int = MILLISECOND
    peer: str = ""
    is_ws: bool = False

    @property
    def exchange(self) -> Exchange:
        """The books behind the venue."""
        return self.venue.exchange

    @property
    def account(self) -> str:
        """Whose request it is."""
        if self.key is None:
            raise error(-2014)
        return self.key.account

    @property
    def now(self) -> int:
        """The venue's time, in the client's unit."""
        return self.venue.now_ns() // self.unit

    def listing(self, name: str = "symbol") -> Listing:
        """The listing of a mandatory symbol; -1121 if there is none."""
        return self.find(self.params.text(name))

    def find(self, symbol: str) -> Listing:
        """A listing by its symbol; -1121 if there is none."""
        try:
            return self.exchange.listing(self.market, symbol)
        except Refusal as refusal:
            raise venue_error(refusal, self.market) from None

    def listings_asked(self) -> list[Listing]:
        """`symbol`, or each of `symbols`, or all."""
        if "symbol" in self.params and "symbols" in self.params:
            raise error(-1128)
        if "symbol" in self.params:
            return [self.listing()]
        if "symbols" in self.params:
            names = [str(name) for name in self.params.json_list("symbols")]
            if len(set(names)) < len(names):
                raise error(-1151)
            return [self.find(name) for name in names]
        return self.listed()

    def listed(self) -> list[Listing]:
        """Every symbol of the market but those that have vanished."""
        gone = self.venue.unlisted
        rows = self.exchange.listings(self.market)
        return [row for row in rows if (row.market, row.symbol) not in gone]

    def refused(self, refusal: Refusal, *, query: bool = False) -> Exception:
        """The venue's error for a refusal of the exchange."""
        least = "5"
        if refusal.why is Why.MIN_NOTIONAL and "symbol" in self.params:
            least = plain(self.listing().min_notional)
        return venue_error(refusal, self.market, query=query, min_notional=least)


Work = Callable[[Call], Any]


@dataclass(frozen=True)
class Route:
    """How a request of one kind is treated.

    Attributes:
        kind: Its name, that of the WebSocket API where it has one; fault plans use it.
        work: Does it.
        security: What the client must prove.
        weight: Of one request, or a function of its parameters.
        orders: Orders counted against the account, or a function of the parameters.
        free: Costs no weight when it succeeds (spot trading, since April 2026).
        query: Only asks: an unknown order is -2013 then.
    """

    kind: str
    work: Work
    security: Security = Security.NONE
    weight: int | Callable[[Params], int] = 1
    orders: int | Callable[[Params], int] = 0
    free: bool = False
    query: bool = False

    def weigh(self, params: Params) -> int:
        """The weight of this request."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)

    def count(self, params: Params) -> int:
        """The orders that this request would place."""
        return self.orders if isinstance(self.orders, int) else self.orders(params)


@dataclass(frozen=True)
class Routes:
    """The routes of one market: by method and path, and by name for the WebSocket API."""

    rest: dict[tuple[str, str], Route] = field(default_factory=dict[tuple[str, str], Route])
    ws: dict[str, Route] = field(default_factory=dict[str, Route])
