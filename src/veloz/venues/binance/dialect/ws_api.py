"""The WebSocket API: requests and answers on one connection, sessions, spot user data.

Source: Binance Spot API, "WebSocket API"; Derivatives, "WebSocket API General Info".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from veloz.exchange.words import Market
from veloz.venues.binance.dialect.access import check_key, check_time, check_ws
from veloz.venues.binance.dialect.connections import Peer
from veloz.venues.binance.dialect.errors import VenueError, error
from veloz.venues.binance.dialect.params import Params
from veloz.venues.binance.dialect.venue import Call, Route, Security
from veloz.venues.binance.dialect.vocabulary import MILLISECOND, decode, encode

if TYPE_CHECKING:
    from veloz.net.doors import Connection
    from veloz.venues.binance.dialect.fault_effects import Answer
    from veloz.venues.binance.dialect.keys import ApiKey
    from veloz.venues.binance.dialect.service import Service

__all__ = ["ApiPeer"]

ID_FORM = re.compile(r"[a-zA-Z0-9\-_|]{1,36}")
MOST_SUBSCRIPTIONS = 65_535


class ApiPeer(Peer):
    """One connection of the WebSocket API.

    Args:
        connection: The socket.
        service: Does requests.
        market: Whose API.
        form: Unit of time, the client's address, and whether answers tell the limits.
    """

    is_api = True

    def __init__(
        self,
        connection: Connection,
        service: Service,
        market: Market,
        form: tuple[int, str, bool],
    ) -> None:
        super().__init__(connection, market, service.venue.now_ms())
        self.unit, self.address, self.returns_limits = form
        self.service = service
        self.session: ApiKey | None = None
        self.authorized_ms: int | None = None
        # subscription id -> account
        self.subscriptions: dict[int, str] = {}
        self._of_session: int | None = None
        self._next_subscription = 0
        self._shows_limits = self.returns_limits

    def is_too_many(self, ts_recv_ns: int) -> bool:
        """The WebSocket API counts weight instead of messages."""
        return False

    def on_frame(
        self, connection: Connection, payload: bytes | memoryview, ts_recv_ns: int
    ) -> None:
        """Takes one request."""
        try:
            asked = decode(bytes(payload))
        except ValueError:
            self._refuse(None, VenueError(400, -1135, "Invalid JSON Request"))
            return
        if not isinstance(asked, dict) or not isinstance(asked.get("method"), str):
            text = "Invalid request: missing field `method`"
            number = asked.get("id") if isinstance(asked, dict) else None
            known = number if isinstance(number, str | int) else None
            self._refuse(known, VenueError(400, -1135, text))
            return
        number, params = asked.get("id"), asked.get("params") or {}
        text_id = isinstance(number, str) and ID_FORM.fullmatch(number)
        is_number = isinstance(number, int) and not isinstance(number, bool)
        if not (number is None or text_id or is_number) or not isinstance(params, dict):
            form = "^[a-zA-Z0-9-_]{1,36}$"
            self._refuse(None, error(-1100, name="id", form=form))
            return
        self._request(number, str(asked["method"]), params)

    def on_close(self, connection: Connection, code: int | None, reason: str) -> None:
        """Forgets the session and its subscriptions."""
        self.subscriptions.clear()
        self.session = None

    def push(self, account: str, message: Any) -> None:
        """Sends a private event to each subscription of its account."""
        for number, owner in self.subscriptions.items():
            if owner == account:
                self.deliver(encode({"subscriptionId": number, "event": message}))

    def end_subscriptions(self, *, silently: bool) -> None:
        """Ends user data on this connection, as the venue does when it must."""
        for number in list(self.subscriptions):
            message = {"e": "eventStreamTerminated", "E": self.service.venue.now_ms()}
            del self.subscriptions[number]
            if not silently:
                self.deliver(encode({"subscriptionId": number, "event": message}))

    def _request(self, number: Any, method: str, asked: dict[str, Any]) -> None:
        now = self.service.venue.now_ms()
        route = self.service.routes[self.market].ws.get(method)
        account = self.session.account if self.session else None
        try:
            params = Params.of_json(asked)
            shows_limits = params.bool_or("returnRateLimits", otherwise=self.returns_limits)
            self._shows_limits = shows_limits
            if route is None:
                result = self._own_method(method, params)
                self._reply(number, 200, {"result": result}, account)
                return
            key = self._prove(route, params)
        except VenueError as refusal:
            self.service.count_failure(self.market, self.address, now)
            self._refuse(number, refusal)
            return
        call = Call(
            self.service.venue, self.market, params, key, self.unit, self.address, is_ws=True
        )

        def answer(status: int, body: dict[str, Any] | Answer) -> None:
            if not isinstance(body, dict):
                if status:
                    self.deliver(body.body)
                return
            body.pop("headers", None)
            self._reply(number, status, body, key.account if key else account)

        self.service.perform(route, call, answer)

    def _prove(self, route: Route, params: Params) -> ApiKey | None:
        venue, session = self.service.venue, self.session
        if session is not None and not session.admits(self.address):
            self._log_out()  # revoked since it logged on
            raise error(-2015)
        return check_ws(venue, route.security, self.address, params, self.session)

    def _own_method(self, method: str, params: Params) -> Any:
        """What is about this connection itself."""
        venue, is_spot = self.service.venue, self.market is Market.SPOT
        venue.limits[self.market].take(self.address, 2, venue.now_ms())
        if method == "session.logon":
            return self._logon(params)
        if method == "session.logout":
            self._log_out()
            return self._status()
        if method == "session.status":
            return self._status()
        if is_spot and method == "userDataStream.subscribe":
            if self.session is None:
                raise error(-2015)
            made = self._subscribe(self.session.account)
            self._of_session = made["subscriptionId"]
            return made
        if is_spot and method == "userDataStream.subscribe.signature":
            key = check_ws(venue, Security.SIGNED, self.address, params, None)
            return self._subscribe(key.account if key else "")
        if is_spot and method == "userDataStream.unsubscribe":
            return self._unsubscribe(params.int_or_none("subscriptionId"))
        if is_spot and method == "session.subscriptions":
            return [{"subscriptionId": number} for number in self.subscriptions]
        if method == "ping":
            return {}
        raise VenueError(400, -1020, f"Unknown method '{method}'.")

    def _logon(self, params: Params) -> dict[str, Any]:
        venue = self.service.venue
        key = check_key(venue, params.text("apiKey"), self.address)
        check_time(venue, params)
        pairs = sorted(params.raw().items())
        payload = "&".join(f"{name}={value}" for name, value in pairs if name != "signature")
        # a session is for Ed25519 keys: an HMAC signature is not accepted here
        if key.ed25519 is None or not key.signed_asymmetric(
            payload.encode(), params.text("signature")
        ):
            text = "Unsupported API key type or invalid signature: session.logon needs Ed25519."
            raise VenueError(401, -1022 if key.ed25519 else -4056, text)
        self.session, self.authorized_ms = key, venue.now_ms()
        return self._status()

    def _log_out(self) -> None:
        """Forgets the key; what was subscribed with it ends, what was signed for goes on."""
        self.session, self.authorized_ms = None, None
        if self._of_session is not None:
            self.subscriptions.pop(self._of_session, None)
            self._of_session = None

    def _status(self) -> dict[str, Any]:
        scale = MILLISECOND // self.unit
        since = None if self.authorized_ms is None else self.authorized_ms * scale
        return {
            "apiKey": self.session.api_key if self.session else None,
            "authorizedSince": since,
            "connectedSince": self.opened_ms * scale,
            "returnRateLimits": self.returns_limits,
            "serverTime": self.service.venue.now_ns() // self.unit,
            "userDataStream": bool(self.subscriptions),
        }

    def _subscribe(self, account: str) -> dict[str, Any]:
        if account in self.subscriptions.values():
            raise error(-2035)
        number = self._next_subscription
        if number > MOST_SUBSCRIPTIONS:
            self.connection.close(1008, "Too many subscriptions")
        self._next_subscription += 1
        self.subscriptions[number] = account
        return {"subscriptionId": number}

    def _unsubscribe(self, number: int | None) -> dict[str, Any]:
        if number is None:
            self.subscriptions.clear()
        elif self.subscriptions.pop(number, None) is None:
            raise error(-2036)
        return {}

    @property
    def is_user(self) -> bool:  # type: ignore[override]
        """True while private events are subscribed."""
        return bool(self.subscriptions)

    def _refuse(self, number: Any, refusal: VenueError) -> None:
        account = self.session.account if self.session else None
        self._reply(number, refusal.status, {"error": refusal.body()}, account)

    def _reply(self, number: Any, status: int, body: dict[str, Any], account: str | None) -> None:
        answer: dict[str, Any] = {"id": number, "status": status, **body}
        if self._shows_limits:
            venue = self.service.venue
            limits = venue.limits[self.market]
            answer["rateLimits"] = limits.shape(self.address, account, venue.now_ms())
        self.deliver(encode(answer))
