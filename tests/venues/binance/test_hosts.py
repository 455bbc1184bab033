"""Addresses by market, environment and stream; and which key may go where."""

from __future__ import annotations

import itertools

import pytest

from veloz.errors import ConfigError
from veloz.venues.binance.hosts import Environment, StreamKind, bind_key, hosts, stream_kind

LOCAL = {
    "rest": "http://127.0.0.1:1",
    "streams": "ws://127.0.0.1:1",
    "ws_api": "ws://127.0.0.1:1/x",
}


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        ("btcusdt@depth@100ms", StreamKind.PUBLIC),
        ("btcusdt@depth20@250ms", StreamKind.PUBLIC),
        ("btcusdt@bookTicker", StreamKind.PUBLIC),
        ("!bookTicker", StreamKind.PUBLIC),
        ("btcusdt@rpiDepth", StreamKind.PUBLIC),
        ("btcusdt@aggTrade", StreamKind.MARKET),
        ("btcusdt@kline_1m", StreamKind.MARKET),
        ("btcusdt@markPrice@1s", StreamKind.MARKET),
        ("!markPrice@arr@1s", StreamKind.MARKET),
        ("!miniTicker@arr", StreamKind.MARKET),
        ("!forceOrder@arr", StreamKind.MARKET),
        ("btcusdt_perpetual@continuousKline_1m", StreamKind.MARKET),
        ("!contractInfo", StreamKind.MARKET),
    ],
)
def test_the_path_follows_from_the_streams_name(stream: str, kind: StreamKind) -> None:
    assert stream_kind(stream) is kind


def test_only_usdm_has_three_paths() -> None:
    usdm = hosts("usdm", Environment.PRODUCTION)
    assert usdm.stream_url(StreamKind.PUBLIC) == "wss://fstream.binance.com/public/stream"
    assert usdm.private_url("k") == "wss://fstream.binance.com/private/ws?listenKey=k"
    coinm = hosts("coinm", Environment.PRODUCTION)
    assert coinm.stream_url(StreamKind.MARKET, ["a@b"]) == (
        "wss://dstream.binance.com/stream?streams=a@b"
    )
    assert coinm.private_url("k") == "wss://dstream.binance.com/ws/k"
    joint = hosts("usdm", Environment.TESTNET, is_split=False)
    assert joint.stream_url(StreamKind.PUBLIC) == "wss://fstream.binancefuture.com/stream"


def test_every_market_has_every_environment() -> None:
    for market, environment in itertools.product(
        ("spot", "usdm", "coinm"),
        (Environment.PRODUCTION, Environment.TESTNET, Environment.DEMO),
    ):
        found = hosts(market, environment)  # type: ignore[arg-type]
        is_test = any(word in found.rest for word in ("testnet", "demo"))
        assert is_test is (environment is not Environment.PRODUCTION)


def test_f_n03_a_key_goes_to_its_own_environment_only() -> None:
    for key, there in itertools.product(Environment, Environment):
        overrides = LOCAL if there is Environment.SIMULATED else None
        found = hosts("spot", there, overrides=overrides)
        if key is there:
            bind_key(key, found)
            continue
        with pytest.raises(ConfigError, match=f"a {key} key may not be used on the {there}"):
            bind_key(key, found)


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        (Environment.PRODUCTION, "https://testnet.binance.vision"),
        (Environment.PRODUCTION, "https://demo-fapi.binance.com"),
        (Environment.PRODUCTION, "https://testnet.binancefuture.com"),
        (Environment.TESTNET, "https://api.binance.com"),
        (Environment.DEMO, "https://fapi.binance.com"),
        (Environment.SIMULATED, "https://api.binance.com"),
    ],
)
def test_f_n03_an_override_cannot_lead_into_another_environment(
    environment: Environment, address: str
) -> None:
    with pytest.raises(ConfigError, match="environment is"):
        hosts("spot", environment, overrides=LOCAL | {"rest": address})


def test_overrides_that_are_unknown_or_missing_are_named() -> None:
    with pytest.raises(ConfigError, match="'rset' is unknown"):
        hosts("spot", Environment.PRODUCTION, overrides={"rset": "x"})
    with pytest.raises(ConfigError, match="no address for 'streams'"):
        hosts("spot", Environment.SIMULATED, overrides={"rest": "http://127.0.0.1:1"})


def test_a_slash_at_the_end_and_a_proxy_are_taken() -> None:
    found = hosts(
        "spot",
        Environment.PRODUCTION,
        overrides={"rest": "https://api1.binance.com/"},
        proxy="socks5://127.0.0.1:9",
    )
    assert found.rest_url("/api/v3/time", "a=1") == "https://api1.binance.com/api/v3/time?a=1"
    assert found.proxy == "socks5://127.0.0.1:9"
