"""What people type: settings, symbols, times, amounts, parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.fuzz.damage import text_damage
from tests.fuzz.parser import NAMED, Parser
from veloz.environments import settings
from veloz.environments.sources import range_ns
from veloz.storage.decimals import decimals_of, scaled
from veloz.storage.symbols import parse_symbol
from veloz.storage.times import parse_span, parse_time
from veloz.strategy import parameters
from veloz.strategy.durations import parse_duration_ns

__all__ = ["PARSERS"]


class _Words:
    """One reader of text."""

    def __init__(self, read: Callable[[str], object], corpus: Sequence[str]) -> None:
        self.corpus = [text.encode() for text in corpus]
        self._read = read

    def read(self, data: bytes, kind: int) -> bool:
        del kind
        self._read(data.decode("utf-8", "surrogateescape"))
        return True

    def state(self) -> object:
        return None


DECLARED = {
    "fast": parameters.Int(12, 2, 500),
    "level": parameters.Float(0.5, 0.0, 9.0),
    "qty": parameters.Qty("0.01"),
    "limit": parameters.Notional("100"),
    "is_on": parameters.Bool(default=True),
    "side": parameters.Choice("buy", options=("buy", "sell")),
    "symbol": parameters.Symbol("binance:BTC/USDT:USDT"),
}


def _set(text: str) -> object:
    name, _, value = text.partition("=")
    return parameters.settle(DECLARED, {name: value})


def _scaled(text: str) -> object:
    whole = scaled(text, 8)
    assert abs(whole) < 10**38
    assert 0 <= decimals_of(text) <= 40
    return whole


def _span(text: str) -> int:
    found = parse_span(text)
    assert abs(found) < 1 << 63
    return found


def _duration(text: str) -> int:
    found = parse_duration_ns(text)
    assert 0 < found < 1 << 63
    return found


def _time(text: str) -> int:
    found = parse_time(text)
    assert abs(found) < 1 << 63
    return found


def _range(text: str) -> object:
    start, _, end = text.partition(" ")
    return range_ns(start or None, end or None)


def _limit(text: str) -> object:
    name, _, value = text.partition("=")
    return settings.parse_limits({name: value})


READERS: dict[str, tuple[Callable[[str], object], Sequence[str]]] = {
    "set": (_set, [f"{name}={declared.default}" for name, declared in DECLARED.items()]),
    "balance": (settings.parse_balance, ["10000 USDT", "1 BTC, 2.5 USDT", "0.001 ETH"]),
    "leverage": (settings.parse_leverage, ["5", "binance:BTC/USDT:USDT=20"]),
    "fees": (settings.parse_fees, ["0.0002", "maker=0.0002,taker=0.0005", "0.001,0.001"]),
    "latency": (settings.parse_latency, ["5ms", "entry=1ms,report=2ms", "entry=normal:5ms:1ms"]),
    "limit": (_limit, ["max_leverage=3", "max_position=0.5", "check_funds=true"]),
    "fill": (settings.parse_fill, ["queue=fifo", "queue=prob,slippage=sqrt:0.1"]),
    "seed": (settings.parse_seed, ["0", "4711", "18446744073709551615"]),
    "symbol": (
        parse_symbol,
        ["binance:BTC/USDT", "binance:BTC/USD:BTC", "binance:BTC/USDT:USDT-261225"],
    ),
    "time": (
        _time,
        ["2024-01-01", "2024-01-01T12:30:00+08:00", "1704067200000", "2024-01-01 00:00Z"],
    ),
    "range": (_range, ["2024-01-01 2024-02-01", "2024-01-01T00:00:00 ", " 2025-01-01"]),
    "span": (_span, ["5ms", "1.5s", "250us", "10ns", "1h"]),
    "duration": (_duration, ["1m", "5m", "4h", "1d", "250ms"]),
    "amount": (_scaled, ["0.00012345", "1e-5", "12345.678", "-1"]),
}


def _reader(name: str) -> Parser:
    read, corpus = READERS[name]
    # the SDK's own parameters and durations are values: what they refuse is a ValueError
    named = (*NAMED, ValueError) if name in {"set", "duration"} else NAMED
    return Parser(
        f"words.{name}", lambda _f: _Words(read, corpus), text_damage, named, rounds=1_500
    )


PARSERS = [_reader(name) for name in READERS]
