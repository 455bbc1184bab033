"""Every private payload that we have goes through a live engine: none stops it, all recover."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from veloz._core import LiveEngine

FOLDER = Path(__file__).parents[1] / "vectors" / "payloads" / "binance"
KINDS = {"spot": "spot", "usdm": "linear", "coinm": "inverse"}
SYMBOL_KEYS = ("s", "symbol")
ASSET_KEYS = ("N", "a", "asset", "commissionAsset")
NOW = 1_700_000_000_000_000_000


def texts(value: Any, keys: tuple[str, ...]) -> set[str]:
    """Every text under one of these keys, wherever it stands."""
    found: set[str] = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in keys and isinstance(inner, str) and inner[:1].isalpha() and inner.isupper():
                found.add(inner)
            found |= texts(inner, keys)
    elif isinstance(value, list):
        for inner in value:
            found |= texts(inner, keys)
    return found


def payloads(market: str) -> list[tuple[str, bytes]]:
    folders = ("user_data", "ws_stream", "rest")
    paths = sorted(p for p in (FOLDER / market).glob("*/*.json") if p.parent.name in folders)
    return [(path.parent.name, path.read_bytes()) for path in paths]


def engine_of(market: str) -> LiveEngine:
    """An engine that trades whatever the payloads speak of."""
    bodies = [json.loads(body) for _, body in payloads(market)]
    symbols = sorted(set().union(*(texts(body, SYMBOL_KEYS) for body in bodies)))
    names = {"USDT", "BTC"}.union(*(texts(body, ASSET_KEYS) for body in bodies))
    assets = [(name, 8) for name in sorted(names)]
    row = {
        "kind": KINDS[market], "base": "BTC", "quote": "USDT",
        "settle": "BTC" if market == "coinm" else "USDT", "price_scale": 8,
        "qty_scale": 0 if market == "coinm" else 8, "tick": 1, "lot": 1, "multiplier": "1",
        "maker_fee": "0", "taker_fee": "0", "liquidation_fee": "0", "origin": "venue",
    }  # fmt: skip
    instruments = [{**row, "symbol": f"test:{s}", "venue_symbol": s} for s in symbols]
    return LiveEngine(assets, instruments, {"accounts": [market], "check_identity": True})


def tell(engine: LiveEngine, kind: str, body: bytes, now_ns: int) -> str:
    """How the engine takes a payload: placed, asking, or not decoded."""
    read = engine.found if kind == "rest" else engine.user_frame
    arguments = (0, body, now_ns)
    try:
        return "asks" if read(*arguments) else "placed"
    except ValueError:
        return "malformed"


@pytest.mark.parametrize("market", KINDS)
def test_every_private_payload_is_taken_and_recovers(market: str) -> None:
    engine = engine_of(market)
    engine.start(NOW)
    taken = [
        tell(engine, kind, body, NOW + n) for n, (kind, body) in enumerate(payloads(market), 1)
    ]
    assert engine.poison is None
    assert taken.count("placed") > 0.6 * len(taken), taken
    fills, held = engine.view("counts")["fills"], engine.positions(0)
    assert fills + len(engine.view("orders")) > 0
    # All of it again: each fact counts once.
    for n, (kind, body) in enumerate(payloads(market), 1_000):
        tell(engine, kind, body, NOW + n)
    assert engine.view("counts")["fills"] == fills
    assert engine.positions(0) == held
    again = engine_of(market)
    again.recover([engine.journal_pending()])
    assert again.state_hash() == engine.state_hash()
