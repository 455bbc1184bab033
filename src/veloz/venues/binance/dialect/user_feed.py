"""From the exchange's private events to user-data streams: listen keys, and spot subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veloz.exchange.events import OrderEvent
from veloz.exchange.words import Market
from veloz.venues.binance.dialect.user_events import futures_messages, spot_messages
from veloz.venues.binance.dialect.ws_api import ApiPeer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veloz.venues.binance.dialect.connections import Peer
    from veloz.venues.binance.dialect.faults import Faults
    from veloz.venues.binance.dialect.hub import Hub
    from veloz.venues.binance.dialect.venue import ListenKey, Venue

__all__ = ["UserFeed", "kind_of"]


def kind_of(message: dict[str, Any]) -> str:
    """What fault plans call a message: `executionReport/TRADE`, `ACCOUNT_UPDATE`."""
    kind = str(message["e"])
    if kind == "executionReport":
        return f"{kind}/{message['x']}"
    if kind == "ORDER_TRADE_UPDATE":
        return f"{kind}/{message['o']['x']}"
    return kind


class UserFeed:
    """Sends private events to whoever has subscribed.

    Args:
        venue: Its listen keys.
        hubs: The streams of each market.
        faults: What happens to messages on their way.
        peers: All connections.
    """

    def __init__(
        self,
        venue: Venue,
        hubs: dict[Market, Hub],
        faults: Faults,
        peers: dict[int, Peer],
    ) -> None:
        self._venue = venue
        self._hubs = hubs
        self._faults = faults
        self._peers = peers

    def hear(self, event: object) -> None:
        """Takes one private event."""
        account = str(getattr(event, "account", ""))
        market = getattr(event, "market", Market.SPOT)
        if isinstance(event, OrderEvent):
            self._count_fill(event)
        if market is Market.SPOT:
            self._spot(account, event)
        else:
            self._futures(account, market, event)

    def expire(self) -> None:
        """Ends the streams of listen keys whose hour is over."""
        now = self._venue.now_ms()
        for word, row in list(self._venue.listen_keys.items()):
            if row.ends_ms <= now:
                self.expire_key(row, silently=False)
                self._venue.listen_keys.pop(word, None)

    def expire_key(self, row: ListenKey, *, silently: bool) -> None:
        """Ends one listen key."""
        row.ends_ms = 0
        if not silently:
            message = {
                "e": "listenKeyExpired",
                "E": self._venue.now_ms(),
                "listenKey": row.word,
            }
            self._hubs[row.market].send_private(row.word, message)

    def subscribed(self) -> Iterable[ApiPeer]:
        """Spot connections with user data."""
        return [peer for peer in self._peers.values() if isinstance(peer, ApiPeer)]

    def _count_fill(self, event: OrderEvent) -> None:
        """On spot a fill gives the order's count back."""
        if event.fill is not None:
            limits = self._venue.limits[event.market]
            limits.orders_filled(event.account, self._venue.now_ms())

    def _spot(self, account: str, event: object) -> None:
        peers = [peer for peer in self.subscribed() if account in peer.subscriptions.values()]
        for unit in {peer.unit: None for peer in peers}:
            for message in spot_messages(event, unit):
                for delay_ms, found in self._faults.user(Market.SPOT, kind_of(message), message):
                    self._faults.later(delay_ms, self._pusher(account, unit, found))

    def _pusher(self, account: str, unit: int, message: Any) -> Any:
        def push() -> None:
            for peer in self.subscribed():
                if peer.unit == unit:
                    peer.push(account, message)

        return push

    def _futures(self, account: str, market: Market, event: object) -> None:
        now = self._venue.now_ms()
        rows = [
            row
            for row in self._venue.listen_keys.values()
            if row.account == account and row.market is market and row.ends_ms > now
        ]
        if not rows:
            return
        for message in futures_messages(event, self._venue.exchange.listing):
            for delay_ms, found in self._faults.user(market, kind_of(message), message):
                self._faults.later(delay_ms, self._sender(rows, found))

    def _sender(self, rows: list[ListenKey], message: Any) -> Any:
        def send() -> None:
            for row in rows:
                if row.ends_ms:
                    self._hubs[row.market].send_private(row.word, message)

        return send
