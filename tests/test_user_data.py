"""Every private payload of Binance decodes to what it says, by rule and as it did before.

VELOZ_GOLDEN_PAYLOADS names another folder of the same form (`binance/<market>/<kind>/*.json`); its
payloads are checked by the rules of `payload_rules`. `python -m tests.test_user_data` rewrites
`golden.jsonl` beside the payloads after a wanted change.
"""

import json
import os
import random
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests import payload_rules as rules
from veloz._core import (
    BinanceDecoder,
    BinanceOrderReport,
    BinanceRefusal,
    BinanceUserDecoder,
    DecodeError,
    binance_verdict,
)

SHIPPED = Path(__file__).parent / "vectors" / "payloads"
FOLDER = Path(os.environ.get("VELOZ_GOLDEN_PAYLOADS") or SHIPPED)
KINDS = ("user_data", "ws_api", "ws_stream", "rest", "rest_recorded")


def message_of(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None


def what(path: Path) -> str | None:
    """What a payload is: "event", "reply", a body's shape, or none of ours."""
    kind, message = path.parent.name, message_of(path)
    if rules.event_of(message) is not None:
        return "event"
    if kind == "user_data":
        return "event"
    if kind == "ws_stream" or message is None:
        return None
    if isinstance(message, dict) and isinstance(message.get("status"), int):
        about = message.get("result", (message.get("error") or {}).get("data"))
        is_ours = rules.shape_of(about) is not None or "error" in message
        return "reply" if is_ours else None
    return rules.shape_of(message)


def payloads() -> list[Path]:
    """The payloads that are about an account or its orders, and of Binance's own trading APIs."""
    paths = sorted((FOLDER / "binance").glob("*/*/*.json"))
    return [p for p in paths if p.parent.name in KINDS and what(p) and not is_elsewhere(p)]


ELSEWHERE: set[str] = set()
if (FOLDER / "index.json").exists():
    ELSEWHERE = {
        one["file"]
        for one in json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))["files"]
        if (one.get("path") or "").startswith("/sapi/")
    }


def is_elsewhere(path: Path) -> bool:
    """Whether a payload is of the wallet and margin API, which VeloZ does not speak."""
    return path.relative_to(FOLDER).as_posix() in ELSEWHERE


PATHS = payloads()
NAMES = [path.relative_to(FOLDER / "binance").as_posix() for path in PATHS]


@pytest.mark.vectors("payloads")
@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_payload_decodes_to_what_it_says(path: Path) -> None:
    decoded(path)


def decoded(path: Path) -> list[Any]:
    """Decode a payload, check it by rule, return the reports."""
    raw, message, decoder = path.read_bytes(), message_of(path), BinanceUserDecoder()
    kind = what(path)
    if kind == "event":
        event = decoder.frame(raw)
        assert event is not None
        rules.check_event(event, rules.event_of(message, is_private=True), message)
        return [event.report]
    if kind != "reply":
        return rules.check_body(decoder, str(kind), message, raw)
    assert decoder.frame(raw) is None
    reply = decoder.reply(raw)
    rules.check_reply(reply, message)
    inside = reply.result if reply.result is not None else reply.data
    about = message.get("result", (message.get("error") or {}).get("data"))
    shape = rules.shape_of(about)
    return rules.check_body(decoder, shape, about, inside) if shape else []


def frozen(report: Any) -> Any:
    """A report as JSON, numbers as text."""
    if hasattr(report, "as_dict"):
        report = {name: value for name, value in report.as_dict().items() if value is not None}
    if isinstance(report, BinanceRefusal):
        report = {"code": report.code, "text": report.text}
    if isinstance(report, dict):
        return {name: frozen(value) for name, value in report.items()}
    if isinstance(report, (list, tuple)):
        return [frozen(value) for value in report]
    return f"{report:f}" if isinstance(report, Decimal) else report


def golden() -> dict[str, Any]:
    path = SHIPPED / "golden.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["file"]: row["reports"] for row in rows}


@pytest.mark.skipif(FOLDER != SHIPPED, reason="the goldens are those of our own folder")
def test_the_payloads_decode_as_before() -> None:
    assert golden() == {
        name: [frozen(report) for report in decoded(path)]
        for name, path in zip(NAMES, PATHS, strict=True)
    }


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_payload_is_refused_by_name_or_read(seed: int) -> None:
    chance = random.Random(seed)
    decoder = BinanceUserDecoder()
    readers = (decoder.frame, decoder.reply, decoder.orders, decoder.algo_orders,
               decoder.trades, decoder.account)  # fmt: skip
    refused = 0
    for path in PATHS:
        damaged = mutated(path.read_bytes(), chance)
        for read in readers:
            refused += "byte" in refusal_of(read, damaged)
        decoder.rest_reply(400, damaged)
    assert refused > len(PATHS)


def refusal_of(read: Callable[[bytes], object], damaged: bytes) -> str:
    """The text of the error that a reader refuses with; empty if it reads the payload."""
    try:
        read(damaged)
    except DecodeError as error:
        return str(error)
    return ""


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """A payload with one kind of damage."""
    at = chance.randrange(len(raw))
    swaps = (b"null", b"{}", b"[]", b'""', b"-1", b"1e9", b"NaN", b"9" * 60, b"true", b'"\\ud83d"')
    ways = (
        lambda: raw[:at],
        lambda: raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :],
        lambda: raw[:at] + raw[at + chance.randrange(8) :],
        lambda: raw[:at] + raw[max(at - 20, 0) :],
        lambda: swapped(raw, chance, chance.choice(swaps)),
    )
    return chance.choice(ways)()


def swapped(raw: bytes, chance: random.Random, by: bytes) -> bytes:
    """A payload in which one value is another."""
    colons = [at for at, byte in enumerate(raw) if byte == ord(":")]
    at = chance.choice(colons) + 1
    ends = [end for end in (raw.find(b",", at), raw.find(b"}", at)) if end >= 0]
    return raw[:at] + by + raw[min(ends, default=len(raw)) :]


ORDER_UPDATE = {
    "e": "ORDER_TRADE_UPDATE", "E": 2, "T": 1,
    "o": {"s": "BTCUSDT", "c": "x", "i": 5, "x": "TRADE", "X": "FILLED", "l": "1", "t": 9},
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [("i", "5"), ("i", None), ("s", 5), ("l", 1.5), ("l", "1e3"), ("X", 3), ("t", 1.5), ("m", "x"),
     ("q", "NaN"), ("T", "1"), ("s", "\ud83d"), ("S", "\ud83d"), ("S", "buy"), ("ps", "NONE")],
)  # fmt: skip
def test_a_wrong_type_is_named(field: str, value: Any) -> None:
    frame = {**ORDER_UPDATE, "o": {**ORDER_UPDATE["o"], field: value}}
    with pytest.raises(DecodeError, match=f"field `{field}` at byte"):
        BinanceUserDecoder().frame(json.dumps(frame))


def test_a_key_that_comes_twice_is_refused() -> None:
    frame = json.dumps(ORDER_UPDATE).replace('"l": "1"', '"l": "1", "l": "2"')
    with pytest.raises(DecodeError, match=r"`l` at byte .*twice"):
        BinanceUserDecoder().frame(frame)


def test_unknown_words_are_kept_counted_and_unclear() -> None:
    decoder = BinanceUserDecoder()
    frame = {**ORDER_UPDATE, "o": {**ORDER_UPDATE["o"], "X": "FROZEN", "x": "MELT"}}
    for _ in range(2):
        report = decoder.frame(json.dumps(frame)).report
    assert (report.status, report.execution, report.is_unclear) == ("FROZEN", "MELT", True)
    assert report.is_final is None
    other = decoder.frame('{"e":"SOMETHING_NEW","E":1}')
    assert (other.kind, other.name) == ("other", "SOMETHING_NEW")
    assert decoder.unknown == {("X", "FROZEN"): 2, ("x", "MELT"): 2, ("e", "SOMETHING_NEW"): 1}


def test_reports_name_the_row_of_their_instrument() -> None:
    markets = BinanceDecoder("usdm")
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "9999", "tickSize": "0.1"},
        {"filterType": "LOT_SIZE", "minQty": "0.1", "maxQty": "999", "stepSize": "0.1"},
    ]
    row = {"symbol": "BTCUSDT", "pair": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC",
           "quoteAsset": "USDT", "marginAsset": "USDT", "contractType": "PERPETUAL",
           "pricePrecision": 1, "quantityPrecision": 1, "filters": filters}  # fmt: skip
    markets.add_exchange_info(json.dumps({"symbols": [row]}))
    decoder = BinanceUserDecoder()
    assert decoder.frame(json.dumps(ORDER_UPDATE)).report.row is None
    decoder.add_instruments(markets)
    assert decoder.frame(json.dumps(ORDER_UPDATE)).report.row == 0


def test_escapes_are_resolved() -> None:
    frame = json.dumps({**ORDER_UPDATE, "o": {**ORDER_UPDATE["o"], "s": '币"USDT'}})
    assert "\\u5e01" in frame
    report = BinanceUserDecoder().frame(frame).report
    assert isinstance(report, BinanceOrderReport)
    assert report.symbol == '币"USDT'


def test_an_answer_of_rest_that_is_no_json_has_no_code() -> None:
    decoder = BinanceUserDecoder()
    page = decoder.rest_reply(403, b"<html>\xff</html>")
    assert (page.status, page.code, page.text) == (403, None, None)
    refused = decoder.rest_reply(400, '{"code":-2010,"msg":"Duplicate order sent."}')
    assert (refused.code, refused.text) == (-2010, "Duplicate order sent.")
    told = binance_verdict("spot", "place", refused.status, refused.code, refused.text)
    assert told == ("doubted", "duplicate_id")
    assert binance_verdict("usdm", "place", 504, None, "") == ("unknown", "")
    assert binance_verdict("usdm", "place", 429, -1003, "") == ("limited", "weight")


if __name__ == "__main__":
    with (SHIPPED / "golden.jsonl").open("w", encoding="utf-8") as out:
        for name, path in zip(NAMES, PATHS, strict=True):
            row = {"file": name, "reports": [frozen(report) for report in decoded(path)]}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    sys.stdout.write(f"{len(PATHS)} payloads\n")
