"""Where a run's venue is: the real one, a test network, or the simulated exchange."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

from veloz.errors import ConfigError
from veloz.venues.binance.hosts import Environment, bind_key, hosts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veloz.secrets import Credential
    from veloz.venues.binance.hosts import Hosts, Market

__all__ = ["bind", "of_environment", "of_file", "of_simulated"]

_MARKETS: tuple[Market, ...] = ("spot", "usdm", "coinm")
_KEYS: dict[str, Environment] = {
    "live": Environment.PRODUCTION,
    "testnet": Environment.TESTNET,
    "demo": Environment.DEMO,
    "simulated": Environment.SIMULATED,
}


def of_environment(environment: Environment, proxy: str | None = None) -> dict[Market, Hosts]:
    """The venue's own addresses."""
    return {market: hosts(market, environment, proxy=proxy) for market in _MARKETS}


def of_simulated(line: str) -> dict[Market, Hosts]:
    """The addresses that `veloz exchange --json` printed.

    Raises:
        ConfigError: The text is not that line.
    """
    try:
        shape = json.loads(line)
        given: dict[Market, dict[str, str]] = {
            market: {
                "rest": str(shape[market]["rest"]),
                "streams": str(shape[market]["ws"]),
                "ws_api": str(shape[market]["ws_api"]),
            }
            for market in _MARKETS
        }
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(
            "--simulated is not the line that `veloz exchange --json` prints",
            hint='start it with `veloz exchange --json > exchange.json` and give "$(cat '
            'exchange.json)"',
        ) from None
    return {
        market: hosts(market, Environment.SIMULATED, overrides=own) for market, own in given.items()
    }


def of_file(text: str, name: str) -> dict[Market, Hosts]:
    """Addresses that a user wrote.

    ```toml
    environment = "testnet"          # production, testnet or demo
    proxy = "socks5://127.0.0.1:1080"

    [usdm]                           # what is left out is the venue's own
    rest = "https://…"
    streams = "wss://…"
    ws_api = "wss://…"
    ```

    Raises:
        ConfigError: The text is no such file, or an address belongs to another environment.
    """
    try:
        shape = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name} is not TOML: {error}") from None
    unknown = set(shape) - {"environment", "proxy", *_MARKETS}
    word = str(shape.get("environment", "production"))
    if unknown or word not in {"production", "testnet", "demo"}:
        what = f"{sorted(unknown)[0]!r} is unknown" if unknown else f"environment {word!r}"
        raise ConfigError(
            f"{name}: {what}",
            hint="say environment = production, testnet or demo, proxy, and [spot], [usdm], "
            "[coinm] with rest, streams, ws_api",
        )
    environment, proxy = Environment(word), shape.get("proxy")
    return {
        market: hosts(market, environment, overrides=_overrides(shape, market), proxy=proxy)
        for market in _MARKETS
    }


def bind(credential: Credential, to: Mapping[Market, Hosts]) -> None:
    """Refuses a key on hosts of another environment.

    Raises:
        ConfigError: They differ, or the key is another venue's.
    """
    if credential.venue != "binance":
        raise ConfigError(f"the key {credential.name!r} is of {credential.venue}, not of binance")
    for one in to.values():
        bind_key(_KEYS[credential.environment], one)


def _overrides(shape: Mapping[str, Any], market: str) -> dict[str, str]:
    given = shape.get(market, {})
    if not isinstance(given, dict) or not all(isinstance(text, str) for text in given.values()):
        raise ConfigError(f"[{market}] holds names and addresses as text")
    return dict(given)
