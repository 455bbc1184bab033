"""Binance's REST as the session uses it: what exists, what it costs, who goes first.

```text
 call(name, params) ─► budget (priority, weight) ─► sign, last ─► doors.http ─► headers to budget
                                                                              └► RestAnswer
```

Nothing is retried here. `NotSent` and `OutcomeUnknown` rise to whoever knows what the request was
for; an answer of any status is returned, because its meaning differs between endpoints.

Source: Binance Spot API "Public endpoints", "Account endpoints"; USDⓈ-M and COIN-M REST.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from veloz.errors import ConfigError
from veloz.net.limits import Priority
from veloz.venues.binance.answers import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veloz.net.doors import Doors, HttpResponse
    from veloz.venues.binance.hosts import Hosts, Market
    from veloz.venues.venue import Codec, RestCall

__all__ = ["ENDPOINTS", "BinanceRest", "Budget", "Endpoint", "RestAnswer", "Security", "VenueTime"]

_PREFIXES: dict[Market, str] = {"spot": "/api", "usdm": "/fapi", "coinm": "/dapi"}
_RECV_WINDOW_MS = 5000
_TEXT_MOST = 300


class Security(Enum):
    """What a request must carry."""

    NONE = "none"
    KEY = "key"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One request that the venue offers.

    Attributes:
        method: In capitals.
        path: Behind the market's prefix.
        weight: What it costs, or the most that it costs.
        priority: Who goes first.
        security: What it must carry.
    """

    method: str
    path: str
    weight: int
    priority: Priority = Priority.DATA
    security: Security = Security.SIGNED


def _public(path: str, weight: int) -> Endpoint:
    return Endpoint("GET", path, weight, security=Security.NONE)


def _query(path: str, weight: int) -> Endpoint:
    return Endpoint("GET", path, weight, Priority.RESOLVE)


def _listen_key(method: str) -> Endpoint:
    return Endpoint(method, "/v1/listenKey", 1, Priority.RESOLVE, Security.KEY)


_FUTURES: dict[str, Endpoint] = {
    "time": _public("/v1/time", 1),
    "exchange_info": _public("/v1/exchangeInfo", 1),
    "depth": _public("/v1/depth", 20),
    "klines": _public("/v1/klines", 10),
    "agg_trades": _public("/v1/aggTrades", 20),
    "open_interest": _public("/v1/openInterest", 1),
    "order": _query("/v1/order", 1),
    "open_orders": _query("/v1/openOrders", 40),
    "all_orders": _query("/v1/allOrders", 5),
    "my_trades": _query("/v1/userTrades", 5),
    "algo_order": _query("/v1/algoOrder", 1),
    "open_algo_orders": _query("/v1/openAlgoOrders", 40),
    "all_algo_orders": _query("/v1/allAlgoOrders", 5),
    "income": _query("/v1/income", 30),
    "position_mode": _query("/v1/positionSide/dual", 30),
    "countdown": Endpoint("POST", "/v1/countdownCancelAll", 10, Priority.CANCEL),
    "cancel_all": Endpoint("DELETE", "/v1/allOpenOrders", 1, Priority.CANCEL),
    "cancel_all_algo": Endpoint("DELETE", "/v1/algoOpenOrders", 1, Priority.CANCEL),
    "listen_key_start": _listen_key("POST"),
    "listen_key_renew": _listen_key("PUT"),
    "listen_key_close": _listen_key("DELETE"),
}

ENDPOINTS: dict[Market, dict[str, Endpoint]] = {
    "spot": {
        "time": _public("/v3/time", 1),
        "exchange_info": _public("/v3/exchangeInfo", 20),
        "depth": _public("/v3/depth", 50),
        "klines": _public("/v3/klines", 2),
        "agg_trades": _public("/v3/aggTrades", 4),
        "order": _query("/v3/order", 4),
        "open_orders": _query("/v3/openOrders", 80),
        "all_orders": _query("/v3/allOrders", 20),
        "my_trades": _query("/v3/myTrades", 20),
        "account": _query("/v3/account", 20),
        "key_rights": _query("/v3/account", 20),
        "api_restrictions": _query("/sapi/v1/account/apiRestrictions", 1),
        "cancel_all": Endpoint("DELETE", "/v3/openOrders", 1, Priority.CANCEL),
    },
    "usdm": {
        **_FUTURES,
        "balances": _query("/v3/balance", 5),
        "positions": _query("/v3/positionRisk", 5),
        "symbol_config": _query("/v1/symbolConfig", 5),
    },
    "coinm": {
        **_FUTURES,
        "balances": _query("/v1/balance", 1),
        "positions": _query("/v1/positionRisk", 1),
    },
}
"""By market and our name of the request."""


class VenueTime(Protocol):
    """The venue's clock, as well as it is known."""

    def now_ms(self) -> int:
        """The venue's time, ms since the epoch."""
        ...


class Budget(Protocol):
    """The venue's limits, shared by everything that sends to it."""

    async def wait(self, weight: int, priority: Priority) -> None:
        """Returns when a request of this weight may be sent; it is then charged."""
        ...

    def take(self, weight: int, orders: int, priority: Priority) -> bool:
        """Charges a request if it may be sent at once."""
        ...

    def has_room(self, weight: int, orders: int, priority: Priority) -> bool:
        """Whether `take` would take it now."""
        ...

    def look_ahead(self) -> None:
        """Looks now at what the next request would have to look at."""
        ...

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Takes what an answer says about what was used, and about silence to keep."""
        ...


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """What came back.

    Attributes:
        url: What was asked, without signature or key.
        status: HTTP status.
        body: As sent.
        ts_recv_ns: When it came, ns since the epoch.
        asked_ns: When it was asked, monotonic.
    """

    url: str
    status: int
    body: bytes
    ts_recv_ns: int
    asked_ns: int = 0

    def value(self) -> object:
        """The body as JSON; None if it is none (F-C06, F-F03)."""
        try:
            return read_json(self.body)
        except (ValueError, RecursionError):
            return None

    def error(self) -> tuple[int, str]:
        """The venue's code and text; code 0 if the body holds none."""
        value = self.value()
        if isinstance(value, dict) and isinstance(value.get("code"), int):
            return value["code"], str(value.get("msg", ""))[:_TEXT_MOST]
        return 0, self.body[:120].decode("utf-8", "replace")


class BinanceRest:
    """Sends requests of one market.

    Args:
        hosts: Where to.
        doors: HTTP and time.
        budget: The venue's limits.
        time: The venue's clock.
        codec: Signs; None for public data only.
        timeout_s: For one request.

    Attributes:
        market: Whose.
        budget: As given.
    """

    def __init__(
        self,
        hosts: Hosts,
        doors: Doors,
        budget: Budget,
        time: VenueTime,
        *,
        codec: Codec | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self.market: Market = hosts.market
        self._hosts = hosts
        self._doors = doors
        self.budget = budget
        self._time = time
        self._codec = codec
        self._timeout_s = timeout_s

    async def call(
        self,
        name: str,
        params: Mapping[str, str] | None = None,
        *,
        priority: Priority | None = None,
    ) -> RestAnswer:
        """Sends one request by its name in `ENDPOINTS`.

        Args:
            name: Which one.
            params: Unencoded.
            priority: Instead of the endpoint's own.

        Raises:
            ConfigError: The market has no such request, or there is no key to sign it.
            NotSent: No byte left.
            OutcomeUnknown: It may have left, and no answer came.
        """
        endpoint = ENDPOINTS[self.market].get(name)
        if endpoint is None:
            raise ConfigError(f"{self.market} has no request {name!r}")
        rank = endpoint.priority if priority is None else priority
        await self.budget.wait(endpoint.weight, rank)
        is_wallet = endpoint.path.startswith("/sapi/")
        path = endpoint.path if is_wallet else f"{_PREFIXES[self.market]}{endpoint.path}"
        pairs = list((params or {}).items())
        shown = "&".join(f"{key}={quote(value, safe='')}" for key, value in pairs)
        query, headers = shown, dict[str, str]()
        if endpoint.security is not Security.NONE:
            codec = self._signer(name)
            headers["X-MBX-APIKEY"] = codec.api_key
            if endpoint.security is Security.SIGNED:
                # after the wait: a signature is made last (F-C10)
                query = codec.sign_rest(pairs, self._time.now_ms(), _RECV_WINDOW_MS)
        asked_ns = self._doors.clock.monotonic_ns()
        response = await self._doors.http.request(
            endpoint.method,
            self._hosts.rest_url(path, query),
            headers=headers,
            timeout_s=self._timeout_s,
        )
        return self._answer(self._hosts.rest_url(path, shown), response, asked_ns)

    async def send(self, call: RestCall) -> RestAnswer:
        """Sends an order request that the codec has encoded and signed; its caller has budgeted it.

        Raises:
            NotSent: No byte left.
            OutcomeUnknown: It may have left, and no answer came.
        """
        asked_ns = self._doors.clock.monotonic_ns()
        response = await self._doors.http.request(
            call.method,
            self._hosts.rest_url(call.path, call.query),
            headers=call.headers,
            body=call.body,
            timeout_s=self._timeout_s,
        )
        return self._answer(self._hosts.rest_url(call.path), response, asked_ns)

    def _answer(self, url: str, response: HttpResponse, asked_ns: int) -> RestAnswer:
        self.budget.observe(response.status, response.headers)
        wall_ns = self._doors.clock.wall_ns()
        return RestAnswer(url, response.status, response.body, wall_ns, asked_ns)

    def _signer(self, name: str) -> Codec:
        if self._codec is None:
            raise ConfigError(f"request {name!r} must be signed, and there is no key")
        return self._codec
