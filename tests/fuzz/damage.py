"""Ways in which what comes from outside is damaged: by wires, by venues, by editors, by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

__all__ = ["Damage", "json_damage", "raw_damage", "text_damage"]

Damage = Callable[[bytes, Random], bytes]
"""Makes a damaged copy."""

HTML = b"<html><head><title>403</title></head><body><h1>Request blocked</h1></body></html>"
MOST = 1 << 18
NUMBER = re.compile(rb"\d+")
PAIR = re.compile(rb'"(\w+)"\s*:\s*("[^"]*"|[-\d.]+|true|false|null|\[|\{)')
AMOUNT = re.compile(rb'"-?[\d.]+"')

# One value in place of another: wrong types, numbers that no market has, text that is no text.
VALUES = [
    b"null", b"true", b"-1", b"1e999", b"0", b'""', b'"-0.5"', b'"NaN"', b"NaN", b"Infinity", b"[]",
    b"{}", b"[[]]", b'"99999999999999999999999999"', b"99999999999999999999999999", b"9" * 5000,
    b'"0.000000000000000000001"', b'"1e-30"', b'"1E+999999999"', b'"-0"', b'"007"', b"1.5", b"5",
    b"18446744073709551615", b"9223372036854775807", b'[["1","2"],["3"]]', b'[["1","2"]]',
    b'"\\u0000"', b'"\\ud83d"', b'"\xff"', '"币安人生"'.encode(), b'"' + b"x" * 3000 + b'"', b'"x"',
    b'[{"a":1}]', b'{"a":{"b":[1]}}', b"[1]", b'["x"]', b"[null]", b'"Infinity"', b"-9e99",
]  # fmt: skip
WHOLE = [
    b"", b" ", b"\0", b"{", b"[]", b"{}", b"null", b"1", b'"x"', b"\xff\xfe", HTML, b"NaN",
    b"[" * 200_000, b'{"a":' * 50_000, b"[" * 900 + b"]" * 900, b"9" * 100_000, b"[null]", b"[[]]",
    b"\xef\xbb\xbf{}", b'{"code":-1,"msg":null}', b'{"code":"x"}', b'{"code":[],"msg":{}}', b"[{}]",
]  # fmt: skip


def raw_damage(data: bytes, dice: Random) -> bytes:
    """Bytes as bytes: one is another, some are missing, doubled, zero, or noise."""
    if not data:
        return dice.randbytes(dice.randrange(1, 64))
    way, at = dice.randrange(9), dice.randrange(len(data))
    end = min(len(data), at + dice.randrange(1, 40))
    if way == 0:
        return data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]
    if way == 1:
        return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
    if way == 2:
        return data[:at]
    if way == 3:
        return data[:at] + data[end:]
    if way == 4:
        return (data[:end] + data[at:])[:MOST]
    if way == 5:
        return data[:at] + dice.randbytes(end - at) + data[end:]
    if way == 6:
        return data[:at] + bytes(end - at) + data[end:]
    if way == 7:
        return (data[:at] + dice.randbytes(dice.randrange(1, 40)) + data[at:])[:MOST]
    return (data + data[:end])[:MOST]


def json_damage(data: bytes, dice: Random) -> bytes:
    """JSON as JSON: a value, a key, a number; now and then bytes, or nothing that was there."""
    way = dice.randrange(20)
    if way == 0:
        return dice.choice(WHOLE)
    if way < 5:
        return raw_damage(data, dice)
    pairs = list(PAIR.finditer(data))
    if not pairs or way == 5:  # a number grew
        return NUMBER.sub(lambda m: m[0] * dice.randrange(1, 4), data, count=dice.randrange(1, 9))
    pair = dice.choice(pairs)
    if way < 12:  # a value of another type
        return data[: pair.start(2)] + dice.choice(VALUES) + data[pair.end(2) :]
    if way < 14:  # a key twice
        return data[: pair.start()] + pair[0].rstrip(b"[{") + b"," + data[pair.start() :]
    if way < 16:  # a key of another name
        return data[: pair.start(1)] + dice.choice(pairs)[1] + data[pair.end(1) :]
    if way == 16:  # a whole pair is missing
        return data[: pair.start()] + data[pair.end() :].lstrip(b",")
    if way == 17:  # very deep
        depth = dice.choice((100, 5_000, 60_000))
        return data[: pair.start(2)] + b"[" * depth + b"]" * depth + data[pair.end(2) :]
    amounts = list(AMOUNT.finditer(data)) or pairs
    amount = dice.choice(amounts)
    return data[: amount.start()] + dice.choice(VALUES) + data[amount.end() :]


# Pieces that people write into settings.
WORDS = [
    b"", b" ", b"=", b",", b":", b"/", b"-", b".", b"nan", b"inf", b"-1", b"0", b"1e400",
    b"1e-400", b"9" * 400, b"\0", b"\n", "币".encode(), b"\xff", b"'", b'"', b"%", b"None",
    b"true", b"[]", b"5x", b"BTC/USDT", b"binance:BTC/USDT:USDT", b"10 USDT", b"1m", b"0.1",
    b"+08:00", b"2024-02-30", b"[a]", b"a = 1", b'b = "x"', b"[[c]]", b"e5", b"0x10", b"1_000",
    "１２".encode(), b"--", b"..", b"~",
]  # fmt: skip


def text_damage(data: bytes, dice: Random) -> bytes:
    """Text as a person types it: a word is wrong, missing or too much."""
    way = dice.randrange(8)
    if way < 3:
        return raw_damage(data, dice)
    if way == 3:
        return dice.choice(WORDS)
    words = list(re.finditer(rb"[^\s=,:/\[\]\"']+", data))
    if not words:
        return dice.choice(WORDS)
    word = dice.choice(words)
    if way == 4:
        return data[: word.start()] + data[word.end() :]
    if way == 5:
        return (data[: word.end()] + data[word.start() :])[:MOST]
    return data[: word.start()] + dice.choice(WORDS) + data[word.end() :]
