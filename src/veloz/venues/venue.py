"""What a venue's live half and the engine say to each other, as protocols.

```text
  Feed ──── frame, rest_body, history_body, stale ───►┐
                                                      │ engine ──► strategies
  Gateway ─ answered, refused, unknown, found, … ────►┘
     ▲                                                │
     └─────────────── take_requests ◄─────────────────┘
```

A venue never decides what an order *is*; it brings evidence. The words differ in how much they
prove: `refused` and `not_sent` are definite, `unknown` says only that nobody knows, and `absent`
comes from one place alone (`resolve`), after the venue's own deadline and a full listing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

__all__ = [
    "AccountTerms",
    "AccountView",
    "CashEntry",
    "Codec",
    "Difference",
    "EncodedRequest",
    "EngineInputs",
    "Feed",
    "FeedInputs",
    "FollowUp",
    "Freeze",
    "Gateway",
    "Outcome",
    "RestCall",
    "VenueRequest",
    "Verdict",
]


class Outcome(StrEnum):
    """How much an answer proves about the request."""

    DONE = "done"
    NOT_SENT = "not_sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class FollowUp(StrEnum):
    """What an answer asks for besides its outcome."""

    NOTHING = "nothing"
    ASK = "ask"
    """Look the order up: what was refused does not say what the order is."""
    SLOW = "slow"
    """A limit was met."""
    CLOCK = "clock"
    """The venue disagrees with our time."""
    STOP = "stop"
    """The key or the account cannot trade: a person is needed (F-E10)."""


class Freeze(StrEnum):
    """What stops until a difference is repaired (fault catalogue, rule 7)."""

    NOTHING = "nothing"
    ORDER = "order"
    INSTRUMENT = "instrument"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a venue's answer means for the request.

    Attributes:
        outcome: How much it proves.
        reason: One of our words (`post_only`, `margin`, …); empty if there is none.
        code: The venue's code, 0 if it gave none.
        text: The venue's text.
        follow_up: What it asks for besides.
    """

    outcome: Outcome
    reason: str = ""
    code: int = 0
    text: str = ""
    follow_up: FollowUp = FollowUp.NOTHING


@dataclass(frozen=True, slots=True)
class RestCall:
    """A signed request, ready to be written.

    Attributes:
        method: In capitals.
        path: With its leading slash.
        query: Sent as it is.
        body: Sent as it is.
        headers: The key among them.
    """

    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]


class EncodedRequest(Protocol):
    """A request in the venue's words, before key, time and signature."""

    @property
    def method(self) -> str:
        """Of the WebSocket API; empty where it has none."""
        ...

    @property
    def verb(self) -> str:
        """Of HTTP."""
        ...

    @property
    def path(self) -> str:
        """Below the REST host."""
        ...

    @property
    def params(self) -> Sequence[tuple[str, str]]:
        """Unsigned, unencoded."""
        ...

    def ws_frame(self, signer: Any, frame_id: str, timestamp_ms: int, recv_window_ms: int) -> bytes:
        """The whole frame of the WebSocket API, signed."""
        ...

    def rest_form(self, signer: Any, timestamp_ms: int, recv_window_ms: int) -> str:
        """The query string of the REST request, signed last."""
        ...


class VenueRequest(Protocol):
    """A request that the engine has journalled and lets go."""

    @property
    def number(self) -> int:
        """The engine's number of the request, unique in this process."""
        ...

    @property
    def kind(self) -> str:
        """`place`, `amend`, `cancel`, `cancel_all`."""
        ...

    @property
    def client_order_id(self) -> str:
        """Wire id of the order; empty for a cancel-all. Of one placed anew, the new one's."""
        ...

    @property
    def replaces(self) -> str:
        """Wire id of the order that is cancelled to place this one; empty if none is."""
        ...

    @property
    def symbol(self) -> str:
        """The venue's symbol."""
        ...

    @property
    def is_conditional(self) -> bool:
        """True if the order waits for a trigger."""
        ...

    @property
    def is_reducing(self) -> bool:
        """True if it places an order that can only make a position smaller."""
        ...

    @property
    def encoded(self) -> EncodedRequest:
        """The request in the venue's words."""
        ...


class Codec(Protocol):
    """Requests to signed bytes, answers to verdicts; the Rust half of a venue."""

    def ws_frame(
        self, request: VenueRequest, frame_id: str, timestamp_ms: int, recv_window_ms: int
    ) -> bytes:
        """The whole WebSocket API frame of a request, signed."""
        ...

    def rest_call(
        self, requests: Sequence[VenueRequest], timestamp_ms: int, recv_window_ms: int
    ) -> RestCall:
        """The REST form, signed; more than one request makes the venue's batch."""
        ...

    def sign_rest(
        self, params: Sequence[tuple[str, str]], timestamp_ms: int, recv_window_ms: int
    ) -> str:
        """A signed query string for a request that is not an order."""
        ...

    def sign_ws(
        self, params: Mapping[str, str], timestamp_ms: int, recv_window_ms: int
    ) -> Mapping[str, str | int]:
        """The parameters of a WebSocket API request that is not an order, signed."""
        ...

    @property
    def api_key(self) -> str:
        """The key's public half."""
        ...

    def verdict(self, kind: str, status: int, code: int, text: str) -> Verdict:
        """What an answer that is no success means for a request of that kind."""
        ...


class FeedInputs(Protocol):
    """What the engine takes from the market-data half."""

    def frame(self, feed: int, payload: bytes | memoryview, ts_recv_ns: int) -> int:
        """Takes one frame; called from the socket's callback.

        Returns:
            The message's kind, an index into the venue's `KINDS`; -1 for an unknown symbol.

        Raises:
            ValueError: It is malformed, and nothing was changed.
        """
        ...

    def rest_body(self, feed: int, url: str, body: bytes, ts_recv_ns: int) -> int:
        """Takes the body of a REST answer: a snapshot, or rows that a hole left out."""
        ...

    def history_body(self, feed: int, url: str, body: bytes, ts_recv_ns: int) -> int:
        """Takes rows from before the start: indicators warm up, no callback fires."""
        ...

    def books_to_rebuild(self, feed: int) -> Sequence[str]:
        """Venue symbols whose book has had an update and is not live."""
        ...

    def stale(self, feed: int, streams: Sequence[str], reason: str, ts_ns: int) -> None:
        """Marks what these streams carry as not to be trusted."""
        ...

    def fresh(self, feed: int, streams: Sequence[str], ts_ns: int) -> None:
        """Takes the mark away; a book still waits for its snapshot."""
        ...


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the venue and the engine see differently.

    Attributes:
        kind: A row of the venue's table of differences.
        subject: Client order id, symbol or asset.
        ours: What the engine holds, as text.
        theirs: What the venue says, as text.
        freeze: What stops until it is repaired.
        repair: What has one right answer and is done; empty if a person decides.
    """

    kind: str
    subject: str
    ours: str
    theirs: str
    freeze: Freeze
    repair: str


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """How an account is meant to be set at its venue.

    Attributes:
        leverage: That risk counts with, by venue symbol.
        margin_types: `cross` or `isolated`, by venue symbol.
        is_hedge: True for two legs a symbol.
    """

    leverage: Mapping[str, int]
    margin_types: Mapping[str, str]
    is_hedge: bool = False


class AccountView(Protocol):
    """What the engine holds of an account, for comparison with the venue's listings."""

    def open_orders(self, account: int) -> Mapping[str, tuple[str, Decimal]]:
        """By client order id, the venue symbol and the filled quantity; conditional ones too."""
        ...

    def knows_order(self, account: int, client_order_id: str) -> bool:
        """True if the order is or was one of ours; tombstones count."""
        ...

    def lacks_fills(self, account: int) -> bool:
        """True if a cumulative quantity is ahead of the booked fills of any order (F-D05)."""
        ...

    def parked(self, account: int) -> set[int]:
        """The venue's numbers of orders whose reports wait until the order is known (F-D02)."""
        ...

    def fills_booked(self, account: int) -> int:
        """How many fills are booked."""
        ...

    def positions(self, account: int) -> Mapping[tuple[str, str], Decimal]:
        """Signed quantity by venue symbol and side (`BOTH`, `LONG`, `SHORT`), zeros left out."""
        ...

    def balances(self, account: int) -> Mapping[str, Decimal]:
        """What is held by asset, locked amounts included."""
        ...

    def confirmed_ns(self, account: int) -> int:
        """Venue time of the last private event or listing that is booked."""
        ...


class CashEntry(Protocol):
    """One line of the venue's record of money that moved."""

    @property
    def why(self) -> str:
        """`funding`, `transfer`, `gift`, `rebate`, `insurance` or `conversion`."""
        ...

    @property
    def asset(self) -> str:
        """What moved."""
        ...

    @property
    def amount(self) -> Decimal:
        """Positive is received."""
        ...

    @property
    def symbol(self) -> str:
        """The venue's symbol; empty if it is about none."""
        ...

    @property
    def at_ms(self) -> int:
        """When at the venue."""
        ...

    @property
    def number(self) -> int:
        """The same whenever it is listed, and not 0."""
        ...


class EngineInputs(AccountView, FeedInputs, Protocol):
    """Everything that a venue's live half asks of the engine."""

    def take_requests(self) -> Sequence[VenueRequest]:
        """Hands over the requests whose journal records allow them to leave, in order."""
        ...

    def written(self, number: int) -> None:
        """The bytes of request `number` were handed to the network; only for measuring."""
        ...

    def user_frame(self, account: int, payload: bytes | memoryview, ts_recv_ns: int) -> int:
        """Takes one frame of a private stream; from the socket's callback.

        Returns:
            0 if all of it was placed; else what must be asked, as bits: 1 something in it is not
            known here, 2 a word of it is not known, 4 the stream has ended.

        Raises:
            ValueError: It is malformed, and nothing was changed.
        """
        ...

    def answered(self, number: int, body: bytes, ts_recv_ns: int) -> int:
        """The venue did what request `number` asked; the body says with what result.

        Returns:
            Bits as `user_frame`.

        Raises:
            ValueError: The result cannot be read, and nothing was changed.
        """
        ...

    def refused(self, number: int, verdict: Verdict, ts_recv_ns: int) -> None:
        """The venue said no, definitely."""
        ...

    def not_sent(self, number: int, reason: str, ts_recv_ns: int) -> None:
        """No byte of the request left this host."""
        ...

    def unknown(self, number: int, reason: str, ts_recv_ns: int) -> None:
        """The request may have been carried out."""
        ...

    def lapsed(self, number: int, ts_recv_ns: int) -> None:
        """A cancel or amend can no longer take effect, and did not."""
        ...

    def found(self, account: int, body: bytes, ts_recv_ns: int) -> int:
        """One order as the venue describes it; bits and errors as `answered`."""
        ...

    def absent(self, account: int, client_order_id: str, ts_recv_ns: int) -> None:
        """The order never existed: past its deadline, and in no listing made after it."""
        ...

    def fills(self, account: int, symbol: str, body: bytes, ts_recv_ns: int) -> int:
        """Trades of the account in one symbol, as REST lists them; known ones are passed over.

        Bits and errors as `answered`.
        """
        ...

    def external(self, account: int, body: bytes, ts_recv_ns: int) -> None:
        """An order that is not ours and has ended: its parked trades are booked under it."""
        ...

    def opening(self, account: int, asset: str, amount: Decimal, ts_recv_ns: int) -> None:
        """What the account held of an asset before its first journal record."""
        ...

    def cash(self, account: int, entry: CashEntry, ts_recv_ns: int) -> bool:
        """Books money that moved without a trade; an entry that was booked before is left out.

        Returns:
            False if the engine keeps no such asset.
        """
        ...

    def differs(self, account: int, difference: Difference, ts_recv_ns: int) -> None:
        """A difference that reconciliation found: freeze, record, repair as it says."""
        ...

    def synced(self, account: int, since_ns: int, ts_recv_ns: int) -> None:
        """Everything that happened up to `since_ns`, venue time, is booked."""
        ...

    def unsynced(self, account: int, reason: str, ts_recv_ns: int) -> None:
        """Private events may have been missed: no new exposure until `synced`."""
        ...


class Feed(Protocol):
    """The market-data half of a venue."""

    def subscribe(self, streams: Sequence[str]) -> None:
        """Wants these streams from now on; twice is once."""
        ...

    def unsubscribe(self, streams: Sequence[str]) -> None:
        """Wants them no more."""
        ...

    async def run(self) -> None:
        """Delivers until cancelled."""
        ...


class Gateway(Protocol):
    """The trading half of a venue."""

    def pump(self) -> None:
        """Sends what the engine lets go; called after every input, never awaits."""
        ...

    async def run(self) -> None:
        """Keeps the order connection until cancelled."""
        ...
