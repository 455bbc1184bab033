"""Binance messages of every kind: what each decodes to, and how a wrong one is refused."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veloz._core import BinanceDecoder, BinanceInference, DecodeError, record_schemas

FIXTURES = Path(__file__).parents[1] / "src" / "veloz" / "venues" / "binance" / "fixtures"
RECEIVED_NS = 2_000_000_000_000_000_000
MARKETS = ("spot", "usdm", "coinm")
SPOT_INFO = {
    "symbols": [
        {
            "symbol": "BTCUSDT",
            "status": "TRADING",
            "baseAsset": "BTC",
            "quoteAsset": "USDT",
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "filters": [
                {
                    "filterType": "PRICE_FILTER",
                    "minPrice": "0.01",
                    "maxPrice": "1000000.00",
                    "tickSize": "0.01",
                },
                {
                    "filterType": "LOT_SIZE",
                    "minQty": "0.00001",
                    "maxQty": "9000.0",
                    "stepSize": "0.00001",
                },
                {"filterType": "NOTIONAL", "minNotional": "5.0", "maxNotional": "9000000.0"},
            ],
        }
    ]
}
TRADE = '{"e":"trade","E":1,"s":"BTCUSDT","t":7,"p":"1.50","q":"2.0","T":3,"m":true}'


def fixtures(market: str) -> list[dict[str, str]]:
    lines = (FIXTURES / f"{market}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def inferred(market: str) -> BinanceInference:
    inference = BinanceInference(market)
    for row in fixtures(market):
        if row["url"]:
            inference.rest(row["url"], row["data"])
        else:
            inference.frame(row["data"])
    return inference


def decoded(market: str, row: dict[str, str], inference: BinanceInference) -> dict[str, Any]:
    """Decode one message on its own; describe what came of it."""
    decoder = BinanceDecoder(market, keep_events=True)
    decoder.add_inferred(inference)
    try:
        if row["url"]:
            kind = decoder.rest(row["url"], row["data"], RECEIVED_NS)
        else:
            kind = decoder.frame(row["data"], RECEIVED_NS)
    except DecodeError as error:
        return {"name": row["name"], "error": str(error)}
    schemas = record_schemas()
    events = {
        name: [list(event) for event in np.frombuffer(packed, np.dtype(schemas[name])).tolist()]
        for name, packed in decoder.events().items()
    }
    return {"name": row["name"], "kind": decoder.KINDS[kind], "events": events}


def golden_text(market: str) -> str:
    inference = inferred(market)
    return "".join(json.dumps(decoded(market, row, inference)) + "\n" for row in fixtures(market))


@pytest.mark.parametrize("market", MARKETS)
def test_every_kind_of_message_decodes_as_frozen(market: str) -> None:
    golden = (FIXTURES / f"{market}.golden.jsonl").read_text(encoding="utf-8")
    assert golden_text(market).splitlines() == golden.splitlines()


def spot() -> BinanceDecoder:
    decoder = BinanceDecoder("spot", keep_events=True)
    assert decoder.add_exchange_info(json.dumps(SPOT_INFO)) == 1
    return decoder


def test_exchange_information_makes_instruments() -> None:
    (row,) = spot().instruments
    assert (row["symbol"], row["kind"], row["origin"]) == ("binance:BTC/USDT", "spot", "venue")
    assert (row["price_scale"], row["tick"]) == (8, 1_000_000)
    assert (row["qty_scale"], row["lot"], row["min_qty"]) == (8, 1_000, 1_000)
    assert (row["min_notional"], row["maker_fee"]) == ("5", "0.001")
    for market, name, symbol, multiplier in [
        ("usdm", "BTCUSDT", "binance:BTC/USDT:USDT", "1"),
        ("coinm", "BTCUSD_PERP", "binance:BTC/USD:BTC", "100"),
    ]:
        decoder = BinanceDecoder(market)
        body = next(row["data"] for row in fixtures(market) if row["name"] == "exchangeInfo")
        assert decoder.add_exchange_info(body) > 0
        assert decoder.add_exchange_info(body) == 0
        found = next(row for row in decoder.instruments if row["venue_symbol"] == name)
        assert (found["symbol"], found["multiplier"]) == (symbol, multiplier)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"p":"1.50"', '"p":1.50', "field `p` at byte 43: expected a decimal number in quotes"),
        ('"p":"1.50"', '"p":"1.5O"', "field `p` at byte 47: expected a decimal number"),
        ('"p":"1.50"', '"p":"-1.5"', "field `p` at byte 44: negative"),
        ('"p":"1.50"', '"p":"1.123456789"', "field `p` at byte 54: more decimals"),
        ('"p":"1.50"', '"p":"99999999999999"', "field `p` at byte 44: too many digits"),
        ('"p":"1.50"', '"p":null', "field `p` at byte 43: expected a decimal number in quotes"),
        ('"p":"1.50",', "", "field `p` at byte 64: missing"),
        ('"p":"1.50"', '"p":"1.50","p":"1.60"', "field `p` at byte 54: given twice"),
        ('"t":7', '"t":"7"', "field `t` at byte 38: expected a whole number"),
        ('"t":7', '"t":7.5', "field `t` at byte 37: expected a whole number"),
        ('"m":true', '"m":1', "field `m` at byte 70: expected true or false"),
        ('"T":3', '"T":99999999999999999999', "field `T` at byte 64: too many digits"),
        ('"s":"BTCUSDT"', '"s":["BTCUSDT"]', "field `s` at byte 23: expected text"),
        ("}", "", "field `frame` at byte 74: the frame ends too early"),
        ("}", "}x", "field `frame` at byte 75: not JSON, expected the end of the frame"),
    ],
)
def test_a_wrong_message_names_field_and_byte(old: str, new: str, message: str) -> None:
    decoder = spot()
    with pytest.raises(DecodeError) as caught:
        decoder.frame(TRADE.replace(old, new), 0)
    assert message in str(caught.value)
    assert (decoder.errors, decoder.counts, decoder.events()) == (1, {}, {})


def test_fields_may_come_in_any_order_with_spaces_and_strangers_among_them() -> None:
    plain, other = spot(), spot()
    depth = (
        '{"e":"depthUpdate","E":5,"s":"BTCUSDT","U":1,"u":2,"b":[["1.5","2"]],"a":[["1.6","3"]]}'
    )
    mixed = (
        ' { "a" : [ [ "1.6" , "3" , [] ] ] , "new":{"x":[1,{"y":"}"}]}, "b":[["1.5","2.000"]],'
        ' "u":2,"U":1,"E":5,"s":"BTCUSDT","e":"depthUpdate" } '
    )
    snapshot = '{"lastUpdateId":0,"bids":[],"asks":[]}'
    for decoder, frame in ((plain, depth), (other, '{"stream":"x","data":' + mixed + "}")):
        decoder.rest("/api/v3/depth?symbol=BTCUSDT", snapshot, 0)
        assert decoder.KINDS[decoder.frame(frame, 7)] == "depthUpdate"
    assert plain.book("BTCUSDT").best == other.book("BTCUSDT").best == (1.5, 2.0, 1.6, 3.0)
    assert plain.events() == other.events()


def test_an_unknown_symbol_is_counted_and_no_error() -> None:
    decoder = spot()
    assert decoder.frame(TRADE.replace("BTCUSDT", "ETHUSDT"), 0) == -1
    assert (decoder.unknown, decoder.errors) == ({"ETHUSDT": 1}, 0)
    with pytest.raises(KeyError, match="no instrument ETHUSDT"):
        decoder.book("ETHUSDT")


def test_times_may_count_milliseconds_or_microseconds() -> None:
    decoder = spot()
    decoder.frame(TRADE.replace('"T":3', '"T":1723161255342'), 0)
    decoder.frame(TRADE.replace('"T":3', '"T":1723161255342001'), 0)
    rows = np.frombuffer(decoder.events()["Trade"], np.dtype(record_schemas()["Trade"]))
    assert rows["ts_exchange"].tolist() == [1723161255342000000, 1723161255342001000]


def test_a_symbol_without_a_known_quote_cannot_be_inferred() -> None:
    inference = BinanceInference("spot")
    inference.frame(TRADE.replace("BTCUSDT", "ABCXYZ"))
    with pytest.raises(ValueError, match="cannot tell the base and quote of ABCXYZ"):
        BinanceDecoder("spot").add_inferred(inference)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        (FIXTURES / f"{name}.golden.jsonl").write_text(golden_text(name), encoding="utf-8")
