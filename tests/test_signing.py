"""Every signing vector of Binance: the signature, and the request that our encoder makes of it.

VELOZ_GOLDEN_SIGNING names another folder of the same form. Vectors that ask for no signature, of
other venues, or with a private key that was never published are left out, with the reason.
"""

import base64
import json
import os
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from veloz._core import (
    BinanceDecoder,
    BinanceEncoder,
    BinanceRequest,
    BinanceSigner,
    parse_wire_id,
    wire_id,
)

FOLDER = Path(os.environ.get("VELOZ_GOLDEN_SIGNING", Path(__file__).parent / "vectors" / "signing"))
HOSTS = {"api.binance.com": "spot", "fapi.binance.com": "usdm", "dapi.binance.com": "coinm"}
# PKCS#8 around the 32 bytes of an Ed25519 seed (RFC 8410).
ED25519_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
SCALE = 8


def load(name: str) -> dict[str, Any]:
    path = FOLDER / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"vectors": []}


REQUESTS = load("requests_binance.json")
DOCUMENTED = load("documented_vectors.json")
SECRET = REQUESTS.get("credentials", {"apiKey": "key", "secret": "secret"})


def ids(vectors: list[dict[str, Any]]) -> list[str]:
    return [f"{vector.get('venue', 'binance')}-{vector['id']}" for vector in vectors]


def sent(vector: dict[str, Any]) -> str:
    """The signed part of a request, wherever it is."""
    return vector["request"]["body"] or urlsplit(vector["request"]["url"]).query


@pytest.mark.vectors("signing")
@pytest.mark.parametrize("vector", REQUESTS["vectors"], ids=ids(REQUESTS["vectors"]))
def test_the_request_is_signed_as_recorded(vector: dict[str, Any]) -> None:
    if not vector["signed"]:
        pytest.skip("a public request, without a signature")
    signer = BinanceSigner(SECRET["apiKey"], SECRET["secret"])
    signature = signer.sign(vector["string_to_sign"])
    assert signature == vector["signature"]
    assert sent(vector) == f"{vector['string_to_sign']}&signature={signature}"
    pairs = parse_qsl(vector["string_to_sign"], strict_parsing=True)
    again = signer.sign_rest(
        [p for p in pairs if p[0] != "timestamp"], int(dict(pairs)["timestamp"])
    )
    form, _, last = again.rpartition("&signature=")
    assert sorted(form.split("&")) == sorted(vector["string_to_sign"].split("&"))
    assert last == signer.sign(form)


@pytest.mark.vectors("signing")
@pytest.mark.parametrize("vector", REQUESTS["vectors"], ids=ids(REQUESTS["vectors"]))
def test_our_encoder_makes_the_same_request(vector: dict[str, Any]) -> None:
    if not vector["signed"]:
        pytest.skip("a public request, not one about orders")
    url = urlsplit(vector["request"]["url"])
    market = HOSTS[url.netloc]
    wanted = dict(parse_qsl(vector["string_to_sign"]))
    timestamp, window = int(wanted.pop("timestamp")), int(wanted.pop("recvWindow", 0))
    request = encoded(market, vector["request"]["method"], url.path, wanted)
    ours = dict(request.params)
    # Binance wants it of conditional limit orders; the recorded library leaves it to the default.
    if url.path.endswith("/algoOrder") and "timeInForce" not in wanted:
        ours.pop("timeInForce", None)
    assert (request.verb, request.path) == (vector["request"]["method"], url.path)
    assert ours == wanted
    signer = BinanceSigner(SECRET["apiKey"], SECRET["secret"])
    form, _, signature = request.rest_form(signer, timestamp, window).rpartition("&signature=")
    assert signature == signer.sign(form)
    assert form.endswith(f"timestamp={timestamp}")


def encoder_of(market: str, symbol: str, response: str = "") -> BinanceEncoder:
    """An encoder that knows one symbol, with eight decimals everywhere."""
    step = "0." + "0" * (SCALE - 1) + "1"
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": step, "maxPrice": "1000000", "tickSize": step},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "90000", "stepSize": step},
    ]
    row = {
        "symbol": symbol, "pair": symbol.split("_")[0], "status": "TRADING",
        "contractStatus": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
        "marginAsset": "USDT", "contractType": "PERPETUAL", "contractSize": 100,
        "baseAssetPrecision": SCALE, "quotePrecision": SCALE, "pricePrecision": SCALE,
        "quantityPrecision": SCALE, "filters": filters,
    }  # fmt: skip
    decoder = BinanceDecoder(market)
    decoder.add_exchange_info(json.dumps({"symbols": [row]}, ensure_ascii=False))
    encoder = BinanceEncoder(market, response=response)
    assert encoder.add_instruments(decoder) == 1
    return encoder


def encoded(market: str, verb: str, path: str, wanted: dict[str, str]) -> BinanceRequest:
    """What our encoder makes of a request's meaning; a skip where it has no such words."""
    symbol = wanted.get("symbol", "BTCUSDT")
    encoder = encoder_of(market, symbol, wanted.get("newOrderRespType", ""))
    what = (verb, path.rsplit("/", 1)[-1])
    if verb == "POST" and what[1] in {"order", "algoOrder"}:
        return placed(encoder, market, wanted)
    if verb in {"GET", "DELETE"} and what[1] in {"order", "algoOrder"}:
        ask = encoder.cancel if verb == "DELETE" else encoder.order
        client_id = wanted.get("origClientOrderId", wanted.get("clientAlgoId", ""))
        number = int(wanted.get("orderId", wanted.get("algoId", 0)))
        return ask(symbol, client_id, venue_order_id=number, is_algo=what[1] == "algoOrder")
    if verb == "PUT":
        pytest.skip("a change by the venue's number: ours name orders by client id")
    if verb == "DELETE" and what[1] in {"openOrders", "allOpenOrders"}:
        return encoder.cancel_all(symbol)
    if what == ("GET", "openOrders"):
        return encoder.open_orders(wanted.get("symbol"))
    if verb == "GET" and what[1] in {"myTrades", "userTrades"}:
        bounds = {"start_ms": "startTime", "end_ms": "endTime", "limit": "limit",
                  "from_id": "fromId", "order_id": "orderId"}  # fmt: skip
        return encoder.trades(
            symbol, **{ours: int(wanted.get(name, 0)) for ours, name in bounds.items()}
        )
    if what == ("GET", "account"):
        return encoder.plain("account")
    pytest.skip(f"{verb} {path} is a setting, which has no words of its own: sign_rest sends it")


def placed(encoder: BinanceEncoder, market: str, wanted: dict[str, str]) -> BinanceRequest:
    """The order that a place request asks for, in our words."""
    if "quoteOrderQty" in wanted:
        pytest.skip("an order by its value: ours have a quantity")
    spot = {"MARKET": "market", "LIMIT": "limit", "LIMIT_MAKER": "limit", "STOP_LOSS": "stop",
            "STOP_LOSS_LIMIT": "stop_limit", "TAKE_PROFIT": "take_profit",
            "TAKE_PROFIT_LIMIT": "take_profit_limit"}  # fmt: skip
    futures = {"MARKET": "market", "LIMIT": "limit", "STOP": "stop_limit", "STOP_MARKET": "stop",
               "TAKE_PROFIT": "take_profit_limit", "TAKE_PROFIT_MARKET": "take_profit",
               "TRAILING_STOP_MARKET": "trailing_stop"}  # fmt: skip
    kind = (spot if market == "spot" else futures)[wanted["type"]]
    tif = wanted.get("timeInForce", "GTC")
    is_maker = wanted["type"] == "LIMIT_MAKER" or tif == "GTX"
    is_trailing = kind == "trailing_stop" or "trailingDelta" in wanted
    client_id = wanted["clientAlgoId" if "clientAlgoId" in wanted else "newClientOrderId"]
    trigger = wanted.get("triggerPrice", wanted.get("stopPrice", "0"))
    rate = Decimal(wanted.get("callbackRate", "0")) * 100
    return encoder.place(
        wanted["symbol"],
        wanted["side"],
        "trailing_stop" if is_trailing else kind,
        units(wanted.get("quantity", "0")),
        client_id,
        price=units(wanted.get("price", "0")),
        tif="gtc" if tif == "GTX" else tif,
        trigger_price=0 if is_trailing else units(trigger),
        activation_price=units(wanted.get("activatePrice", trigger if is_trailing else "0")),
        trail_bps=int(wanted.get("trailingDelta", rate)),
        trigger_by="mark" if wanted.get("workingType") == "MARK_PRICE" else "last",
        display_qty=units(wanted.get("icebergQty", "0")),
        expire_ns=int(wanted.get("goodTillDate", 0)) * 1_000_000,
        post_only=is_maker,
        reduce_only=wanted.get("reduceOnly", "false").lower() == "true",
        close_position=wanted.get("closePosition", "false").lower() == "true",
        stp=wanted.get("selfTradePreventionMode", "none"),
        position_side=wanted.get("positionSide", "both"),
        price_protect=wanted.get("priceProtect", "false").lower() == "true",
    )


def units(text: str) -> int:
    return int(Decimal(text).scaleb(SCALE))


@pytest.mark.vectors("signing")
@pytest.mark.parametrize("vector", DOCUMENTED["vectors"], ids=ids(DOCUMENTED["vectors"]))
def test_the_documented_signature(vector: dict[str, Any]) -> None:
    if vector["venue"] not in {"binance", "generic"}:
        pytest.skip(f"the scheme of {vector['venue']}")
    if "ES256" in vector["scheme"]:
        pytest.skip("a scheme that Binance does not have")
    if vector["secret"] is None:
        pytest.skip("the private key was never published")
    is_curve = "Ed25519" in vector["scheme"]
    secret = seed_pem(vector["secret"]) if is_curve else vector["secret"]
    signer = BinanceSigner(vector["api_key"] or "key", secret)
    assert signer.kind == ("ed25519" if is_curve else "hmac")
    wanted = vector["signature"]
    if vector["venue"] == "generic":
        wanted = base64.b64encode(bytes.fromhex(wanted)).decode()
    assert signer.sign(vector["string_to_sign"]) == wanted
    if vector.get("path"):
        *params, (_, window), (_, timestamp) = [tuple(pair) for pair in vector["params"]]
        form = signer.sign_rest(params, int(timestamp), int(window))
        assert form == f"{vector['string_to_sign']}&signature={wanted}"
    elif vector.get("method"):
        params = dict(pair.split("=") for pair in vector["string_to_sign"].split("&"))
        timestamp, window = int(params.pop("timestamp")), int(params.pop("recvWindow"))
        params.pop("apiKey")
        assert signer.sign_ws(params, timestamp, window)["signature"] == wanted
    if "percent_encoded" in vector:
        params = parse_qsl(vector["string_to_sign"])
        form = signer.sign_rest(params[:3], 1)
        payload, _, signature = form.rpartition("&signature=")
        assert signature == quote(signer.sign(payload), safe="")


def seed_pem(seed: str) -> str:
    body = base64.b64encode(ED25519_PKCS8 + bytes.fromhex(seed)).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"


def pem(key: Any) -> str:
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(*kinds, serialization.NoEncryption()).decode()


def test_rsa_and_ed25519_signatures_verify_with_another_library() -> None:
    payload = b"symbol=BTCUSDT&side=SELL&timestamp=1668481559918"
    curve = ed25519.Ed25519PrivateKey.generate()
    signature = base64.b64decode(BinanceSigner("key", pem(curve)).sign(payload))
    curve.public_key().verify(signature, payload)
    numbers = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for text in (pem(numbers), numbers.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption()).decode()):  # fmt: skip
        signer = BinanceSigner("key", text)
        assert signer.kind == "rsa"
        signature = base64.b64decode(signer.sign(payload))
        numbers.public_key().verify(signature, payload, padding.PKCS1v15(), hashes.SHA256())


def test_a_secret_is_not_shown_compared_or_pickled() -> None:
    one, other = (BinanceSigner("key", "hunter2-hunter2") for _ in range(2))
    assert "hunter2" not in repr(one) + str(one)
    assert one != other
    assert not any("secret" in name for name in dir(one))
    with pytest.raises(TypeError):
        pickle.dumps(one)
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what must be refused
    for secret, said in (
        ("", "empty"),
        (pem(small), "2048"),
        ("-----BEGIN X-----\nhunter2", "PKCS#8"),
    ):
        with pytest.raises(ValueError, match=said) as raised:
            BinanceSigner("key", secret)
        assert "hunter2" not in str(raised.value)


ORDER = ("BTCUSDT", "buy", "limit", units("0.5"), "v1")


def test_a_frame_is_the_canonical_request_and_its_seal() -> None:
    signer = BinanceSigner("key", "secret")
    request = encoder_of("spot", "BTCUSDT").place(*ORDER, price=units("30000.5"))
    assert request.canonical == (
        b"POST /api/v3/order newClientOrderId=v1&price=30000.5&quantity=0.5&side=BUY"
        b"&symbol=BTCUSDT&timeInForce=GTC&type=LIMIT"
    )
    frame = json.loads(request.ws_frame(signer, "7", 1722470400123, 5000))
    assert (frame["id"], frame["method"]) == ("7", "order.place")
    params = frame["params"]
    signature = params.pop("signature")
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    assert signature == signer.sign(payload)
    assert params["timestamp"] == 1722470400123
    logged_on = json.loads(request.ws_frame(signer, "8", 1, logged_on=True))["params"]
    assert logged_on.keys() == params.keys() - {"apiKey", "recvWindow"}


def test_a_symbol_beyond_ascii_is_signed_as_each_door_wants_it() -> None:
    symbol = "币安人生USDT"
    signer = BinanceSigner("key", "secret")
    request = encoder_of("usdm", symbol).cancel(symbol, "v1")
    form, _, signature = request.rest_form(signer, 5).rpartition("&signature=")
    assert form == f"origClientOrderId=v1&symbol={quote(symbol)}&timestamp=5"
    assert signature == signer.sign(form)
    params = json.loads(request.ws_frame(signer, "1", 5))["params"]
    assert params["signature"] == signer.sign(
        f"apiKey=key&origClientOrderId=v1&symbol={symbol}&timestamp=5"
    )


@pytest.mark.parametrize(
    ("market", "order", "options", "params"),
    [
        ("spot", "stop", {"trigger_price": units("2")}, {"type": "STOP_LOSS", "stopPrice": "2"}),
        ("spot", "take_profit_limit", {"trigger_price": units("2"), "price": units("3")},
         {"type": "TAKE_PROFIT_LIMIT", "timeInForce": "GTC", "price": "3"}),
        ("spot", "trailing_stop", {"trail_bps": 150},
         {"type": "STOP_LOSS", "trailingDelta": "150"}),
        ("spot", "limit", {"price": 1, "post_only": True},
         {"type": "LIMIT_MAKER", "price": "0.00000001"}),
        ("spot", "limit", {"price": units("1"), "display_qty": units("0.1"), "stp": "decrement"},
         {"icebergQty": "0.1", "selfTradePreventionMode": "DECREMENT"}),
        ("usdm", "limit", {"price": units("1"), "tif": "gtd", "expire_ns": 10**18},
         {"timeInForce": "GTD", "goodTillDate": "1000000000000"}),
        ("usdm", "market", {"reduce_only": True}, {"reduceOnly": "true"}),
        ("usdm", "market", {"reduce_only": True, "position_side": "long"},
         {"positionSide": "LONG"}),
        ("usdm", "trailing_stop", {"trail_bps": 150, "activation_price": units("9")},
         {"algoType": "CONDITIONAL", "callbackRate": "1.5", "activatePrice": "9"}),
        ("coinm", "stop_limit",
         {"trigger_price": units("2"), "price": units("3"), "trigger_by": "mark"},
         {"type": "STOP", "workingType": "MARK_PRICE", "triggerPrice": "2"}),
    ],
)  # fmt: skip
def test_orders_of_each_kind(market: str, order: str, options: dict, params: dict) -> None:
    encoder = encoder_of(market, "BTCUSDT")
    request = encoder.place("BTCUSDT", "sell", order, units("0.5"), "v1", **options)
    assert dict(request.params).items() >= params.items()
    assert ("reduceOnly" in dict(request.params)) == ("reduceOnly" in params)
    names = [name for name, _ in request.params]
    assert names == sorted(names)
    if market == "coinm" and "algoType" in names:
        with pytest.raises(ValueError, match="use REST"):
            request.ws_frame(BinanceSigner("key", "secret"), "1", 1)


def test_the_whole_position_is_closed_without_a_quantity() -> None:
    request = encoder_of("usdm", "BTCUSDT").place(
        "BTCUSDT", "sell", "stop", 0, "v1", trigger_price=units("2"), close_position=True
    )
    assert dict(request.params)["closePosition"] == "true"
    assert not {"quantity", "reduceOnly"} & dict(request.params).keys()


@pytest.mark.parametrize(
    ("market", "order", "options"),
    [
        ("spot", "limit", {"price": 1, "reduce_only": True}),
        ("spot", "limit", {"price": 1, "tif": "gtd", "expire_ns": 1}),
        ("spot", "limit", {"price": 1, "position_side": "long"}),
        ("spot", "stop", {"trigger_price": 1, "trigger_by": "mark"}),
        ("spot", "limit", {}),
        ("spot", "market", {"post_only": True}),
        ("spot", "limit", {"price": 1, "post_only": True, "tif": "ioc"}),
        ("usdm", "stop", {}),
        ("usdm", "stop", {"trigger_price": 1, "trigger_by": "index"}),
        ("usdm", "trailing_stop", {"trail_bps": 2001}),
        ("usdm", "limit", {"price": 1, "display_qty": 1}),
        ("usdm", "limit", {"price": 1, "stp": "transfer"}),
        ("usdm", "market", {"close_position": True}),
        ("coinm", "limit", {"price": 1, "tif": "gtd", "expire_ns": 1}),
    ],
)
def test_what_a_market_cannot_do_is_refused(market: str, order: str, options: dict) -> None:
    encoder = encoder_of(market, "BTCUSDT")
    with pytest.raises(ValueError, match=r"[a-z]"):
        encoder.place("BTCUSDT", "buy", order, 1, "v1", **options)


def test_an_amendment_keeps_its_place_where_it_can() -> None:
    old = {"from_qty": units("2"), "from_price": units("10")}
    spot = encoder_of("spot", "BTCUSDT")
    less = spot.amend("BTCUSDT", "buy", "v1", "v2", qty=units("1"), price=units("10"), **old)
    assert less.method == "order.amend.keepPriority"
    assert dict(less.params)["newClientOrderId"] == "v1"
    moved = spot.amend(
        "BTCUSDT", "buy", "v1", "v2", qty=units("2"), price=units("9"), filled=units("0.5"), **old
    )
    assert moved.method == "order.cancelReplace"
    params = dict(moved.params)
    assert (params["quantity"], params["newClientOrderId"]) == ("1.5", "v2")
    assert params["cancelReplaceMode"] == "STOP_ON_FAILURE"
    assert "cancelRestrictions" not in params
    usdm = encoder_of("usdm", "BTCUSDT")
    moved = usdm.amend("BTCUSDT", "buy", "v1", "v2", qty=units("2"), price=units("9"), **old)
    assert (moved.method, moved.verb) == ("order.modify", "PUT")
    assert dict(moved.params)["quantity"] == "2"
    with pytest.raises(ValueError, match="more than what is filled"):
        usdm.amend("BTCUSDT", "buy", "v1", "v2", qty=1, price=1, filled=1, **old)


def test_questions_and_switches() -> None:
    usdm, spot = encoder_of("usdm", "BTCUSDT"), encoder_of("spot", "BTCUSDT")
    assert usdm.countdown("BTCUSDT", 30000).path == "/fapi/v1/countdownCancelAll"
    assert usdm.cancel_all("BTCUSDT", is_algo=True).path == "/fapi/v1/algoOpenOrders"
    assert usdm.order("BTCUSDT", "v1", is_algo=True).params == [("clientAlgoId", "v1")]
    assert spot.open_orders().params == []
    key_only = usdm.plain("stream_start")
    signer = BinanceSigner("key", "secret")
    assert key_only.rest_form(signer, 1) == ""
    assert json.loads(key_only.ws_frame(signer, "1", 1))["params"] == {"apiKey": "key"}
    for wrong in (
        lambda: spot.countdown("BTCUSDT", 1),
        lambda: spot.cancel_all("BTCUSDT", is_algo=True),
    ):
        with pytest.raises(ValueError, match="spot has no such request"):
            wrong()
    with pytest.raises(KeyError):
        spot.cancel("NOSUCH", "v1")


def test_wire_ids() -> None:
    seen = {wire_id(epoch, 1, counter) for epoch in range(50) for counter in range(50)}
    assert len(seen) == 2500
    assert all(len(text) <= 28 and text.isalnum() and text[0].isalpha() for text in seen)
    most = (2**32 - 1, 7, 52**9 - 1, 52**3 - 1)
    assert parse_wire_id(wire_id(*most)) == most
    with pytest.raises(ValueError, match="no client order id has the counter"):
        wire_id(1, 1, 52**9)
    assert parse_wire_id("autoclose-123") is None
