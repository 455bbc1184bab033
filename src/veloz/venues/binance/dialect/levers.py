"""What happens to the venue by itself or by a hand: the other side of faults by the clock."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.errors import ConfigError
from veloz.exchange.model import OrderRequest
from veloz.exchange.words import (
    Market,
    OrderType,
    Refusal,
    Side,
    SymbolStatus,
    TimeInForce,
    Why,
)
from veloz.venues.binance.dialect.connections import StreamPeer
from veloz.venues.binance.dialect.vocabulary import encode
from veloz.venues.binance.dialect.ws_api import ApiPeer

if TYPE_CHECKING:
    from veloz.exchange.listing import Listing
    from veloz.venues.binance.dialect.connections import Peer
    from veloz.venues.binance.dialect.simulation import Simulation

__all__ = ["Levers"]

Args = dict[str, Any]
KINDS = ("market", "user", "api", "all")


class Levers:
    """The handles of a simulation; see `World` in `fault_effects.py`."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._venue = simulation.venue
        self._exchange = simulation.venue.exchange

    def cut(self, which: str, code: int | None, *, notice_ms: int) -> None:
        """Ends connections, after a shutdown notice if `notice_ms` is not 0."""
        peers = self._victims(which)
        if notice_ms:
            for peer in peers:
                self._announce(peer)
        for peer in peers:
            self._simulation.faults.later(notice_ms, lambda peer=peer: _end(peer, code))

    def mute(self, which: str, for_ms: int) -> None:
        """Sends nothing on these connections for a while; pings go on."""
        until = self._venue.now_ms() + for_ms
        for peer in self._victims(which):
            peer.muted_until_ms = until

    def refuse_connections(self, for_ms: int, status: int) -> None:
        """Answers each upgrade with a status for a while."""
        self._simulation.refuses_until_ms = self._venue.now_ms() + for_ms
        self._simulation.refuses_with = status

    def forget_subscriptions(self, which: str) -> None:
        """Drops the streams of connections without a word."""
        for peer in self._victims(which):
            if isinstance(peer, StreamPeer):
                peer.leave(list(peer.streams))

    def expire_keys(self, *, silently: bool) -> None:
        """Ends listen keys and spot subscriptions."""
        subscribed = self._simulation.user_feed.subscribed()
        if not self._venue.listen_keys and not subscribed:
            raise Refusal(Why.BAD_REQUEST, "there is no key that could expire")
        for row in list(self._venue.listen_keys.values()):
            self._simulation.user_feed.expire_key(row, silently=silently)
            self._venue.listen_keys.pop(row.word, None)
        for peer in subscribed:
            peer.end_subscriptions(silently=silently)

    def change_filters(self, args: Args) -> None:
        """Gives a symbol another tick, step or least value; by default a ten times larger tick."""
        listing = self._listing(args)
        words: dict[str, Any] = {}
        if "tick" in args:
            words["tick"] = Decimal(str(args["tick"]))
        if "step" in args:
            words["lot"] = replace(listing.lot, step=Decimal(str(args["step"])))
        if "min_notional" in args:
            words["min_notional"] = Decimal(str(args["min_notional"]))
        self._exchange.list_symbol(replace(listing, **(words or {"tick": listing.tick * 10})))

    def change_status(self, args: Args) -> None:
        """Halts a symbol, or gives it the status that is named; with `gone` it is not listed."""
        listing = self._listing(args)
        if args.get("gone"):
            self._venue.unlisted.add((listing.market, listing.symbol))
        status = SymbolStatus(str(args.get("status", "HALT")))
        self._exchange.set_status(listing.market, listing.symbol, status)
        if "for_ms" in args:

            def back() -> None:
                self._venue.unlisted.discard((listing.market, listing.symbol))
                self._exchange.set_status(listing.market, listing.symbol, SymbolStatus.TRADING)

            self._simulation.faults.later(int(args["for_ms"]), back)

    def act_by_hand(self, args: Args) -> None:
        """Does something to an account: see the table for what `act` may be."""
        acts = {
            "order": self._order,
            "mark": self._mark,
            "deposit": self._deposit,
            "bnb": self._bnb,
            "mode": self._mode,
            "leverage": self._leverage,
            "overfill": self._overfill,
            "twins": self._twins,
            "reissue": self._reissue,
            "namesake": self._namesake,
        }
        name = str(args.get("act", ""))
        if name not in acts:
            raise ConfigError(f"act {name!r}: one of {', '.join(acts)}")
        acts[name](args)

    def shift_clock(self, by_ms: int) -> None:
        """Moves the time that the venue shows and checks against."""
        self._venue.offset_ns += by_ms * 1_000_000

    def revoke_key(self, *, revoked: bool) -> None:
        """Refuses every key from now on, or accepts them again."""
        for key in self._venue.keys:
            key.revoked = revoked

    def _order(self, args: Args) -> None:
        listing = self._listing(args)
        kind = OrderType(str(args.get("type", "MARKET")))
        price = args.get("price")
        request = OrderRequest(
            market=listing.market,
            symbol=listing.symbol,
            side=Side(str(args.get("side", "BUY"))),
            type=kind,
            qty=Decimal(str(args.get("qty", listing.lot.minimum * 10))),
            price=None if price is None else Decimal(str(price)),
            tif=TimeInForce.GTC if kind is OrderType.LIMIT else None,
            client_order_id=str(args.get("client_order_id", f"web_{self._venue.client_id()}")),
        )
        self._exchange.place(self._account(args), request)

    def _mark(self, args: Args) -> None:
        listing = self._listing(args, Market.USDM)
        now = self._exchange.mark_price(listing.market, listing.symbol).mark
        price = Decimal(str(args["price"])) if "price" in args else now * Decimal("0.9")
        self._exchange.set_mark(listing.market, listing.symbol, price.quantize(listing.tick))

    def _deposit(self, args: Args) -> None:
        market = Market(str(args.get("market", "spot")))
        amount = Decimal(str(args.get("amount", "1")))
        asset = str(args.get("asset", "USDT"))
        self._exchange.deposit(self._account(args), market, asset, amount)

    def _bnb(self, args: Args) -> None:
        market = Market(str(args.get("market", "spot")))
        amount = Decimal(str(args.get("amount", "1")))
        account = self._account(args)
        self._exchange.deposit(account, market, "BNB", amount)
        self._exchange.set_bnb_fees(account, market, on=True)

    def _mode(self, args: Args) -> None:
        account = self._account(args)
        wanted = bool(args.get("hedge", not self._exchange.hedge_mode(account)))
        self._exchange.set_hedge_mode(account, on=wanted)

    def _leverage(self, args: Args) -> None:
        listing = self._listing(args, Market.USDM)
        leverage = int(args.get("leverage", 1))
        self._exchange.set_leverage(self._account(args), listing.market, listing.symbol, leverage)

    def _overfill(self, args: Args) -> None:
        listing = self._listing(args)
        self._exchange.overfill(self._account(args), listing.market, listing.symbol)

    def _twins(self, args: Args) -> None:
        listing = self._listing(args)
        self._exchange.twin_fills(self._account(args), listing.market, listing.symbol)

    def _reissue(self, args: Args) -> None:
        listing, side = self._listing(args), Side(str(args.get("side", "BUY")))
        account = self._account(args)
        self._exchange.reissue(account, listing.market, listing.symbol, side)

    def _namesake(self, args: Args) -> None:
        listing, side = self._listing(args), Side(str(args.get("side", "BUY")))
        account = self._account(args)
        self._exchange.namesake(account, listing.market, listing.symbol, side)

    def _account(self, args: Args) -> str:
        return str(args.get("account", self._exchange.accounts()[0]))

    def _listing(self, args: Args, market: Market = Market.SPOT) -> Listing:
        found = Market(str(args.get("market", market.value)))
        first = self._exchange.listings(found)[0].symbol
        return self._exchange.listing(found, str(args.get("symbol", first)))

    def _announce(self, peer: Peer) -> None:
        notice = {"e": "serverShutdown", "E": self._venue.now_ms()}
        if isinstance(peer, ApiPeer):
            peer.deliver(encode({"event": notice}))
        elif isinstance(peer, StreamPeer) and peer.is_combined:
            peer.deliver(encode({"stream": "!serverShutdown", "data": notice}))
        else:
            peer.deliver(encode(notice))

    def _victims(self, which: str) -> list[Peer]:
        """The connections of a kind; a fault that hits nobody did not happen."""
        found = self._peers(which)
        if not found:
            raise Refusal(Why.BAD_REQUEST, f"no connection of the kind {which} is open")
        return found

    def _peers(self, which: str) -> list[Peer]:
        if which not in KINDS:
            raise ConfigError(f"stream {which!r}: one of {', '.join(KINDS)}")
        rows = list(self._simulation.peers.values())
        if which == "user":
            return [peer for peer in rows if peer.is_user]
        if which == "api":
            return [peer for peer in rows if peer.is_api]
        if which == "market":
            return [peer for peer in rows if not peer.is_user and not peer.is_api]
        return rows


def _end(peer: Peer, code: int | None) -> None:
    if code is None:
        peer.connection.abort()
    else:
        peer.connection.close(code, "")
