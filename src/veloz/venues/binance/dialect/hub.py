"""Who listens to which stream of one market, and the way of a payload to them.

A stream is a name (`btcusdt@trade`, or a listen key). A payload is built once per unit of time and
encoded once per form: bare, or with the stream's name around it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from veloz.exchange.words import Market
from veloz.venues.binance.dialect.vocabulary import encode

if TYPE_CHECKING:
    from veloz.venues.binance.dialect.faults import Faults
    from veloz.venues.binance.dialect.venue import Venue

__all__ = ["Build", "Hearer", "Hub", "path_of"]

Build = Callable[[int], Any]
# kinds of USDⓈ-M streams that the path /public serves; the rest is /market
PUBLIC_KINDS = ("bookTicker", "depth", "rpiDepth", "trade")


def path_of(stream: str) -> str:
    """The path of the USDⓈ-M stream host that serves a stream."""
    if "@" not in stream and not stream.startswith("!"):
        return "private"
    kind = stream.split("@")[1] if "@" in stream and stream[0] != "!" else stream.lstrip("!")
    return "public" if kind.startswith(PUBLIC_KINDS) else "market"


class Hearer(Protocol):
    """A connection that streams are sent to."""

    unit: int
    path: str
    is_combined: bool

    def deliver(self, payload: bytes) -> None:
        """Sends one message, unless the connection is closed or muted."""
        ...


class Hub:
    """The streams of one market.

    Args:
        venue: Its clock and listen keys.
        market: Which.
        faults: What happens to payloads on their way.
    """

    def __init__(self, venue: Venue, market: Market, faults: Faults) -> None:
        self.venue = venue
        self.market = market
        self.faults = faults
        self._is_any_path = market is not Market.USDM
        # dicts in place of sets: their order is that of subscribing, and the same in every run
        self._hearers: dict[str, dict[Hearer, None]] = {}
        self._names: dict[str, tuple[bytes, frozenset[str]]] = {}

    def join(self, stream: str, hearer: Hearer) -> None:
        """Adds a listener to a stream, whether or not anything is ever sent on it."""
        self._hearers.setdefault(stream, {})[hearer] = None

    def leave(self, stream: str, hearer: Hearer) -> None:
        """Takes a listener off a stream."""
        rows = self._hearers.get(stream, {})
        rows.pop(hearer, None)
        if not rows:
            self._hearers.pop(stream, None)
            self._names.pop(stream, None)

    def streams(self) -> list[str]:
        """Streams that somebody listens to."""
        return list(self._hearers)

    def is_heard(self, stream: str) -> bool:
        """Whether somebody listens."""
        return stream in self._hearers

    def publish(self, stream: str, build: Build) -> None:
        """Sends a payload to all who listen, through the faults of market data.

        Args:
            stream: Its name.
            build: Makes the payload for a unit of time.
        """
        hearers = self._hearers.get(stream)
        if not hearers:
            return
        for unit in {hearer.unit: None for hearer in hearers}:
            for delay_ms, payload in self.faults.market(self.market, stream, build(unit)):
                raw = encode(payload)
                self.faults.later(delay_ms, partial(self.send, stream, raw, unit))

    def send(self, stream: str, raw: bytes, unit: int | None = None) -> None:
        """Sends a payload that is written already to all who listen, at once and past the faults.

        Args:
            stream: Its name.
            raw: JSON.
            unit: Only those whose unit of time this is.
        """
        name, paths = self._name(stream)
        combined = b""
        for hearer in list(self._hearers.get(stream, ())):
            if unit is not None and hearer.unit != unit:
                continue
            if not (self._is_any_path or hearer.path in paths):
                continue  # a stream on the wrong path is silent, as on the venue's own host
            if hearer.is_combined:
                combined = combined or b'{"stream":%b,"data":%b}' % (name, raw)
                hearer.deliver(combined)
            else:
                hearer.deliver(raw)

    def _name(self, stream: str) -> tuple[bytes, frozenset[str]]:
        """A stream's name as it is written, and the paths that serve it."""
        found = self._names.get(stream)
        if found is None:
            found = self._names[stream] = (encode(stream), frozenset({path_of(stream), "any"}))
        return found

    def send_private(self, word: str, message: Any) -> None:
        """Sends a user-data message on a listen key's stream; faults were applied before."""
        for unit in {hearer.unit: None for hearer in self._hearers.get(word, ())}:
            self.send(word, encode(message), unit)
