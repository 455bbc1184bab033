"""Mutated messages of every kind: an event, a named error or nothing, and never a broken book.

The seed is fixed, so a failure repeats; `VELOZ_FUZZ_ROUNDS` makes the smoke a soak.
"""

import os
import random
import re
from pathlib import Path

import pytest

from tests.captures import Row, prepared, read
from tests.test_decode import fixtures, inferred
from veloz._core import BinanceDecoder, DecodeError

CAPTURES = Path(__file__).parent / "vectors" / "captures"
ROUNDS = int(os.environ.get("VELOZ_FUZZ_ROUNDS", "6000"))
SOURCES = {
    "spot": "binance_spot/2021-10-12_4sym_depth_bookTicker_aggTrade_kline.jsonl.gz",
    "usdm": "binance_usdm/2023-04-04_BTCUSDT_depth_bookTicker_trade_markPrice.jsonl.gz",
    "coinm": "binance_coinm/2021-07-22_10sym_depth_bookTicker_aggTrade_kline.jsonl.gz",
}
NAMED = re.compile(r"^field `[A-Za-z_ ]+` at byte \d+: .+")
VALUES = [
    b"null", b"true", b"-1", b"1e999", b"0", b'""', b'"-0.5"', b'"NaN"', b"[]", b"{}", b"[[]]",
    b'"99999999999999999999999999"', b"99999999999999999999999999", b'"0.000000000000000000001"',
    b"18446744073709551615", b"9223372036854775807", b'[["1","2"],["3"]]', b'"\\u0000"', b'"\xff"',
]  # fmt: skip


def mutate(frame: bytes, dice: random.Random) -> bytes:
    """Damage a frame in one of the ways that wires and venues have."""
    way = dice.randrange(8)
    at = dice.randrange(len(frame))
    if way == 0:  # one byte is another
        return frame[:at] + bytes([dice.randrange(256)]) + frame[at + 1 :]
    if way == 1:  # the end is missing
        return frame[:at]
    if way == 2:  # a piece is missing, or there twice
        end = min(len(frame), at + dice.randrange(1, 20))
        return frame[:at] + frame[end:] if dice.random() < 0.5 else frame[:end] + frame[at:]
    if way == 3:  # a number grew
        return re.sub(
            rb"\d+", lambda m: m[0] * dice.randrange(1, 4), frame, count=dice.randrange(1, 9)
        )
    pairs = list(re.finditer(rb'"(\w+)":("[^"]*"|[-\d.]+|true|false|\[|\{)', frame))
    if not pairs:
        return frame + b","
    pair = dice.choice(pairs)
    if way == 4:  # a value of another type
        return frame[: pair.start(2)] + dice.choice(VALUES) + frame[pair.end(2) :]
    if way == 5:  # a key twice
        return frame[: pair.start()] + pair[0].rstrip(b"[{") + b"," + frame[pair.start() :]
    if way == 6:  # a key of another name
        other = dice.choice(pairs)[1]
        return frame[: pair.start(1)] + other + frame[pair.end(1) :]
    # A level's price or quantity.
    texts = list(re.finditer(rb'"[\d.]+"', frame)) or pairs
    text = dice.choice(texts)
    return frame[: text.start()] + dice.choice(VALUES) + frame[text.end() :]


def messages(market: str) -> list[Row]:
    """Some messages of every kind that the recording and the fixtures have."""
    rows: dict[str, list[Row]] = {}
    for row in read(CAPTURES / SOURCES[market]):
        kind = re.search(r'"e":"(\w+)"', row.data)
        group = rows.setdefault(kind[1] if kind else row.url.split("?")[0], [])
        if len(row.data) < 60_000 and len(group) < 40:
            group.append(row)
    found = [row for group in rows.values() for row in group]
    return found + [Row(0, bool(row["url"]), row["url"], row["data"]) for row in fixtures(market)]


def books(decoder: BinanceDecoder) -> list[object]:
    """Everything that the books hold and know."""
    views = [decoder.book(row["venue_symbol"]) for row in decoder.instruments[:12]]
    return [(v.state, v.last_update_id, v.counts, v.top_text(10_000)) for v in views]


@pytest.mark.parametrize("market", SOURCES)
def test_a_mutated_message_is_an_event_an_error_or_nothing(market: str) -> None:
    dice = random.Random(f"veloz {market}")
    decoder = prepared(CAPTURES / SOURCES[market], market)
    decoder.add_inferred(inferred(market))
    rows = messages(market)
    for row in read(CAPTURES / SOURCES[market]):  # live books, so that there is something to break
        if row.is_rest:
            decoder.rest(row.url, row.data, row.ts_recv)
        elif '"depthUpdate"' in row.data:
            decoder.frame(row.data, row.ts_recv)
    errors = accepted = 0
    for turn in range(ROUNDS):
        row = dice.choice(rows)
        frame = row.data.encode()
        for _ in range(dice.randrange(1, 3)):
            frame = mutate(frame, dice) or b" "
        before = books(decoder) if turn % 50 == 0 else None
        try:
            if row.is_rest:
                kind = decoder.rest(row.url, frame, row.ts_recv)
            else:
                kind = decoder.frame(frame, row.ts_recv)
        except DecodeError as error:
            errors += 1
            assert NAMED.match(str(error)), error
            assert before is None or books(decoder) == before, frame[:300]
        else:
            accepted += 1
            assert -1 <= kind < len(decoder.KINDS)
    assert decoder.errors == errors
    assert errors > ROUNDS // 4
    assert accepted > ROUNDS // 20
