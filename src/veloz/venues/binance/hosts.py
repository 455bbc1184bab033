"""Where Binance is: one address book per market and environment, and which key may go there.

```text
 (market, environment) ──► Hosts ──► rest(path)      stream(kind, names)      ws_api
        overrides ────────►   │
        key's environment ──► bind_key: a live key never meets a test host, nor the reverse
```

What a newcomer gets wrong: on USDT-M a stream on the wrong path is not refused, it is silent. The
path follows from the stream's name, in `stream_kind`, and from nowhere else.

Source: Binance Spot API "General API Information"; USDⓈ-M Futures "WebSocket Market Streams",
with the split of 2026-03-06.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from veloz.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Environment", "Hosts", "Market", "StreamKind", "bind_key", "hosts", "stream_kind"]

Market = Literal["spot", "usdm", "coinm"]
"""The three markets, by the names that instruments carry."""


class Environment(StrEnum):
    """Whose money an address moves."""

    PRODUCTION = "production"
    TESTNET = "testnet"
    DEMO = "demo"
    SIMULATED = "simulated"
    """The exchange that comes with VeloZ; its addresses are given as overrides."""


class StreamKind(StrEnum):
    """The three paths of the USDT-M stream host; elsewhere the same words, one path."""

    PUBLIC = "public"
    MARKET = "market"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Hosts:
    """The addresses of one market in one environment.

    Attributes:
        market: Which market.
        environment: Which environment; a key is bound to one.
        rest: Scheme and host of REST, no slash at the end.
        streams: Scheme and host of the streams.
        ws_api: Whole address of the WebSocket API.
        is_split: The streams' path begins with their kind.
        proxy: Where every WebSocket goes through; None for straight.
    """

    market: Market
    environment: Environment
    rest: str
    streams: str
    ws_api: str
    is_split: bool = False
    proxy: str | None = None

    def rest_url(self, path: str, query: str = "") -> str:
        """The address of a request; `query` is sent as it is."""
        return f"{self.rest}{path}?{query}" if query else f"{self.rest}{path}"

    def stream_url(self, kind: StreamKind, names: Sequence[str] = ()) -> str:
        """The address of a combined stream: each frame comes with its stream's name.

        Args:
            kind: Which path, where the host is split.
            names: Streams to begin with; none if they are subscribed to later.
        """
        query = f"?streams={'/'.join(names)}" if names else ""
        return f"{self.streams}{self._path(kind)}/stream{query}"

    def private_url(self, listen_key: str) -> str:
        """The address of a futures user stream."""
        if self.is_split:
            return f"{self.streams}/{StreamKind.PRIVATE}/ws?listenKey={listen_key}"
        return f"{self.streams}/ws/{listen_key}"

    def _path(self, kind: StreamKind) -> str:
        return f"/{kind}" if self.is_split else ""


_TEST_FUTURES = "wss://testnet.binancefuture.com"

_BOOK: dict[tuple[Market, Environment], tuple[str, str, str]] = {
    ("spot", Environment.PRODUCTION): (
        "https://api.binance.com",
        "wss://stream.binance.com:9443",
        "wss://ws-api.binance.com:443/ws-api/v3",
    ),
    ("spot", Environment.TESTNET): (
        "https://testnet.binance.vision",
        "wss://stream.testnet.binance.vision",
        "wss://ws-api.testnet.binance.vision/ws-api/v3",
    ),
    ("spot", Environment.DEMO): (
        "https://demo-api.binance.com",
        "wss://demo-stream.binance.com:9443",
        "wss://demo-ws-api.binance.com/ws-api/v3",
    ),
    ("usdm", Environment.PRODUCTION): (
        "https://fapi.binance.com",
        "wss://fstream.binance.com",
        "wss://ws-fapi.binance.com/ws-fapi/v1",
    ),
    ("usdm", Environment.TESTNET): (
        "https://testnet.binancefuture.com",
        "wss://fstream.binancefuture.com",
        f"{_TEST_FUTURES}/ws-fapi/v1",
    ),
    ("usdm", Environment.DEMO): (
        "https://demo-fapi.binance.com",
        "wss://fstream.binancefuture.com",
        f"{_TEST_FUTURES}/ws-fapi/v1",
    ),
    ("coinm", Environment.PRODUCTION): (
        "https://dapi.binance.com",
        "wss://dstream.binance.com",
        "wss://ws-dapi.binance.com/ws-dapi/v1",
    ),
    ("coinm", Environment.TESTNET): (
        "https://testnet.binancefuture.com",
        "wss://dstream.binancefuture.com",
        f"{_TEST_FUTURES}/ws-dapi/v1",
    ),
    ("coinm", Environment.DEMO): (
        "https://demo-dapi.binance.com",
        "wss://dstream.binancefuture.com",
        f"{_TEST_FUTURES}/ws-dapi/v1",
    ),
}

_OVERRIDES = ("rest", "streams", "ws_api")
_LIVE_DOMAINS = ("binance.com",)
_TEST_DOMAINS = ("testnet.binance.vision", "binancefuture.com")

# By the part of the name between "@" and the next "@", or the name of an all-market stream.
_BOOK_STREAMS = ("bookTicker", "depth", "rpiDepth")


def hosts(
    market: Market,
    environment: Environment,
    *,
    overrides: Mapping[str, str] | None = None,
    is_split: bool | None = None,
    proxy: str | None = None,
) -> Hosts:
    """Looks up the addresses of one market in one environment.

    Args:
        market: Which market.
        environment: Which environment; `SIMULATED` needs all three overrides.
        overrides: Addresses by `rest`, `streams`, `ws_api` instead of the venue's own.
        is_split: Whether the stream host has the three paths; None means USDT-M has them.
        proxy: `http://`, `https://`, `socks4://` or `socks5://` address for WebSockets.

    Raises:
        ConfigError: An override is unknown or missing, or belongs to another environment.
    """
    given = dict(overrides or {})
    unknown = [name for name in given if name not in _OVERRIDES]
    if unknown:
        raise ConfigError(
            f"host override {unknown[0]!r} is unknown", hint=f"use one of {', '.join(_OVERRIDES)}"
        )
    if environment is Environment.SIMULATED:
        missing = [name for name in _OVERRIDES if name not in given]
        if missing:
            raise ConfigError(
                f"the simulated exchange has no address for {missing[0]!r} of {market}",
                hint="give the addresses that `veloz exchange --json` prints",
            )
        own = (given["rest"], given["streams"], given["ws_api"])
    else:
        own = _BOOK[market, environment]
    found = Hosts(market, environment, *own, market == "usdm" if is_split is None else is_split)
    found = replace(found, proxy=proxy, **{k: v.rstrip("/") for k, v in given.items()})
    for address in (found.rest, found.streams, found.ws_api):
        _check_environment(address, environment)
    return found


def bind_key(key_environment: Environment, to: Hosts) -> None:
    """Refuses a key on hosts of another environment (F-N03).

    Args:
        key_environment: What the key was registered for.
        to: Where it would be sent.

    Raises:
        ConfigError: They differ.
    """
    if key_environment is not to.environment:
        raise ConfigError(
            f"a {key_environment} key may not be used on the {to.environment} hosts of {to.market}",
            hint="choose the environment that the key was made for",
        )


def stream_kind(name: str) -> StreamKind:
    """The path that serves a public stream.

    Args:
        name: Such as `btcusdt@depth@100ms` or `!bookTicker`.
    """
    word = name[1:] if name.startswith("!") else name.partition("@")[2]
    word = word.partition("@")[0].rstrip("0123456789")
    return StreamKind.PUBLIC if word in _BOOK_STREAMS else StreamKind.MARKET


def _check_environment(address: str, environment: Environment) -> None:
    """A known host tells whose it is, whatever the configuration says."""
    try:
        name = urlsplit(address).hostname or ""
    except ValueError as wrong:
        raise ConfigError(
            f"{address!r} is no address: {wrong}", hint="write it such as https://api.example.com"
        ) from None
    is_test = _within(name, _TEST_DOMAINS) or name.startswith("demo-")
    is_live = _within(name, _LIVE_DOMAINS) and not is_test
    if environment is Environment.PRODUCTION and is_test:
        raise ConfigError(
            f"{name} is a test host, but the environment is production",
            hint="remove the override or choose the test environment",
        )
    if environment is not Environment.PRODUCTION and is_live:
        raise ConfigError(
            f"{name} trades real money, but the environment is {environment}",
            hint="remove the override or choose production",
        )


def _within(name: str, domains: tuple[str, ...]) -> bool:
    return any(name == domain or name.endswith(f".{domain}") for domain in domains)
