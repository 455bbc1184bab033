"""Keys, signatures and time: who is let in, and with which words the others are refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.dialect.rig import Api, Rig, play
from veloz.exchange.words import Market
from veloz.venues.binance.dialect.access import signed_rest_payload
from veloz.venues.binance.dialect.keys import Keys
from veloz.venues.binance.dialect.params import Params

VECTORS = Path(__file__).parent / "fixtures" / "signing.json"
SPOT = Market.SPOT


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text()), ids=lambda row: row["id"])
def test_the_venue_accepts_signatures_that_other_software_made(vector: dict[str, Any]) -> None:
    keys = Keys(Random(1))
    key = keys.add("a", now_ms=0)
    key.secret = vector["secret"].encode()
    query, body = vector["query"], vector["body"]
    payload, signature = signed_rest_payload(query, body)
    assert payload == vector["string_to_sign"]
    assert key.signed(payload.encode(), signature)
    assert not key.signed(payload.encode() + b"0", signature)


def test_an_ed25519_and_an_rsa_signature_are_accepted_for_one_account() -> None:
    async def scene(rig: Rig) -> None:
        query = f"timestamp={rig.now_ms()}"
        issued = rig.keys[0]
        ed = serialization.load_pem_private_key(issued.ed25519_private_key.encode(), None)
        word = base64.b64encode(ed.sign(query.encode())).decode()
        headers = {"x-mbx-apikey": issued.api_key}
        found = await rig.raw(
            SPOT, "GET", "/api/v3/account", f"{query}&signature={quote(word, safe='')}",
            headers=headers,
        )  # fmt: skip
        assert found.status == 200, found.body
        private = rsa.generate_private_key(65537, 2048)
        pem = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        asked = json.dumps({"account": "trader-1", "public_key": pem.decode()}).encode()
        made = await rig.raw(SPOT, "POST", "/sim/keys", body=asked)
        name = json.loads(made.body)["api_key"]
        signed = private.sign(query.encode(), padding.PKCS1v15(), hashes.SHA256())
        word = quote(base64.b64encode(signed).decode(), safe="")
        found = await rig.raw(
            SPOT, "GET", "/api/v3/account", f"{query}&signature={word}",
            headers={"x-mbx-apikey": name},
        )  # fmt: skip
        assert found.status == 200, found.body

    play(scene)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"headers": {}}, 401, -2014),
        ({"headers": {"x-mbx-apikey": "short"}}, 401, -2014),
        ({"headers": {"x-mbx-apikey": "A" * 64}}, 401, -2015),
        ({"query": "recvWindow=5000&signature=00"}, 400, -1102),
        ({"query": "timestamp={now}&signature=00"}, 400, -1022),
        ({"query": "timestamp={now}"}, 400, -1102),
        ({"query": "timestamp={old}&signature=00"}, 400, -1021),
        ({"query": "timestamp={ahead}&signature=00"}, 400, -1021),
        ({"query": "timestamp={now}&recvWindow=60001&signature=00"}, 400, -1131),
        ({"query": "timestamp=abc&signature=00"}, 400, -1100),
        ({"query": "timestamp={now}&timestamp={now}&signature=00"}, 400, -1101),
    ],
)
def test_each_failed_proof_has_the_venues_code(
    change: dict[str, Any], status: int, code: int
) -> None:
    async def scene(rig: Rig) -> None:
        now = rig.now_ms()
        words = {"now": now, "old": now - 5001, "ahead": now + 1000}
        headers = change.get("headers", {"x-mbx-apikey": rig.keys[0].api_key})
        query = change.get("query", "timestamp={now}&signature=00").format(**words)
        found = await rig.raw(SPOT, "GET", "/api/v3/account", query, headers=headers)
        assert (found.status, json.loads(found.body)["code"]) == (status, code)

    play(scene)


def test_a_timestamp_may_be_as_old_as_the_window_and_no_older() -> None:
    async def scene(rig: Rig) -> None:
        now = rig.now_ms()
        edge, _ = await rig.rest(SPOT, "GET", "/account", timestamp=now - 300, recvWindow=300)
        past, body = await rig.rest(SPOT, "GET", "/account", timestamp=now - 301, recvWindow=300)
        assert (edge, past, body["code"]) == (200, 400, -1021)
        micro, _ = await rig.rest(SPOT, "GET", "/account", timestamp=now * 1000)
        assert micro == 200

    play(scene)


def test_the_websocket_api_signs_sorted_raw_parameters_and_keeps_a_session() -> None:
    async def scene(rig: Rig) -> None:
        api = rig.api(SPOT)
        assert api.signed("account.status")["status"] == 200
        assert api.ask("account.status", timestamp=rig.now_ms())["error"]["code"] == -1102
        params = {"apiKey": rig.keys[0].api_key, "timestamp": rig.now_ms()}
        payload = "&".join(f"{name}={params[name]}" for name in sorted(params)).encode()
        refused = api.ask("session.logon", **params, signature=rig.sign(payload.decode()))
        assert refused["status"] == 401  # HMAC keys have no sessions
        pem = rig.keys[0].ed25519_private_key.encode()
        key = serialization.load_pem_private_key(pem, None)
        word = base64.b64encode(key.sign(payload)).decode()
        logged = api.ask("session.logon", **params, signature=word)
        assert logged["result"]["apiKey"] == rig.keys[0].api_key
        assert api.ask("account.status", timestamp=rig.now_ms())["status"] == 200
        assert api.ask("account.status", timestamp=rig.now_ms() - 9000)["error"]["code"] == -1021
        assert api.ask("session.logout")["result"]["apiKey"] is None
        assert "error" in api.ask("account.status", timestamp=rig.now_ms())

    play(scene)


def test_the_payload_is_what_stands_on_the_wire() -> None:
    assert signed_rest_payload("a=1&signature=x", "b=%E5&c=2") == ("a=1b=%E5&c=2", "x")
    assert Params([("a", "1")]).text("a") == "1"


def test_a_log_out_ends_what_was_subscribed_with_the_session_and_nothing_else() -> None:
    async def scene(rig: Rig) -> None:
        api = rig.api(SPOT)
        logged_on(rig, api)
        ours = api.ask("userDataStream.subscribe")["result"]["subscriptionId"]
        other = Api(rig, api.listener, api.wire, 1)
        other.number = 100
        signed = other.signed("userDataStream.subscribe.signature")["result"]["subscriptionId"]
        rows = api.ask("session.subscriptions")["result"]
        assert [row["subscriptionId"] for row in rows] == [ours, signed]
        api.ask("session.logout")
        rows = api.ask("session.subscriptions")["result"]
        assert [row["subscriptionId"] for row in rows] == [signed]

    play(scene)


def test_a_session_ends_with_its_key() -> None:
    async def scene(rig: Rig) -> None:
        api = rig.api(SPOT)
        logged_on(rig, api)
        assert api.ask("account.status", timestamp=rig.now_ms())["status"] == 200
        rig.simulation.levers.revoke_key(revoked=True)
        refused = api.ask("account.status", timestamp=rig.now_ms())
        assert (refused["status"], refused["error"]["code"]) == (401, -2015)
        assert api.ask("session.status")["result"]["apiKey"] is None

    play(scene)


def logged_on(rig: Rig, api: Api) -> None:
    """Logs on with the account's Ed25519 key."""
    issued = rig.keys[api.account]
    key = serialization.load_pem_private_key(issued.ed25519_private_key.encode(), None)
    params = {"apiKey": issued.api_key, "timestamp": rig.now_ms()}
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params)).encode()
    assert isinstance(key, Ed25519PrivateKey)
    word = base64.b64encode(key.sign(payload)).decode()
    assert api.ask("session.logon", **params, signature=word)["status"] == 200
