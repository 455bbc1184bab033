"""Who asks, when, and is it really them: key, timestamp, signature.

REST signs the query string followed by the body, as sent, without `signature`; the WebSocket API
signs the sorted parameters, not percent-encoded. Refusals come in the venue's order: key, missing
parameters, time, signature.

Source: Binance Spot API, "SIGNED (TRADE and USER_DATA) request security".
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from veloz.venues.binance.dialect.errors import VenueError, error
from veloz.venues.binance.dialect.keys import KEY_FORM, ApiKey
from veloz.venues.binance.dialect.params import Params
from veloz.venues.binance.dialect.venue import Security

if TYPE_CHECKING:
    from veloz.venues.binance.dialect.venue import Venue

__all__ = ["check_key", "check_rest", "check_time", "check_ws", "signed_rest_payload"]

DEFAULT_WINDOW_MS = Decimal(5000)
LONGEST_WINDOW_MS = Decimal(60_000)
AHEAD_MS = 1000
WINDOW_FORM = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?")
MICROSECONDS_FROM = 10**15


def check_key(venue: Venue, word: str, peer: str) -> ApiKey:
    """The key of this name, if it may be used from this address."""
    if not word or not KEY_FORM.fullmatch(word):
        raise error(-2014)
    key = venue.keys.find(word)
    if key is None or not key.admits(peer):
        raise error(-2015)
    return key


def check_time(venue: Venue, params: Params) -> None:
    """The timestamp is inside the window; asked on arrival and again before the matching."""
    stamp = params.int("timestamp")
    sent_us = stamp if stamp >= MICROSECONDS_FROM else stamp * 1000
    now_us = venue.now_ns() // 1000
    word = params.text_or("recvWindow", "")
    if word and not WINDOW_FORM.fullmatch(word):
        raise error(-1100, name="recvWindow", form="^[0-9]{1,5}(\\.[0-9]{1,3})?$")
    window = Decimal(word) if word else DEFAULT_WINDOW_MS
    if window > LONGEST_WINDOW_MS:
        raise error(-1131)
    if sent_us >= now_us + AHEAD_MS * 1000:
        text = "Timestamp for this request was 1000ms ahead of the server's time."
        raise VenueError(400, -1021, text)
    if now_us - sent_us > window * 1000:
        raise error(-1021)


def signed_rest_payload(query: str, body: str) -> tuple[str, str]:
    """What was signed, and the signature as sent: still percent-encoded; empty if missing."""
    signature = ""
    kept: list[str] = []
    for part in (query, body):
        rest: list[str] = []
        for pair in part.split("&"):
            if pair.startswith("signature="):
                signature = pair.removeprefix("signature=")
            elif pair:
                rest.append(pair)
        kept.append("&".join(rest))
    return "".join(kept), signature


def check_rest(
    venue: Venue, security: Security, word: str, peer: str, sent: tuple[str, str], params: Params
) -> ApiKey | None:
    """Proves a REST request.

    Args:
        venue: Whose keys.
        security: What must be proven.
        word: `X-MBX-APIKEY`.
        peer: Address of the client.
        sent: Query string and body, as sent.
        params: The same, decoded.

    Returns:
        The key, unless none was asked for.
    """
    if security is Security.NONE:
        return None
    key = check_key(venue, word, peer)
    if security is Security.SIGNED:
        params.text("timestamp")
        signature = params.text("signature")
        check_time(venue, params)
        payload, _ = signed_rest_payload(*sent)
        if not key.signed(payload.encode(), signature):
            raise error(-1022)
    return key


def check_ws(
    venue: Venue, security: Security, peer: str, params: Params, session: ApiKey | None
) -> ApiKey | None:
    """Proves a request of the WebSocket API.

    A session that is logged on needs no key and no signature, but still the time.
    """
    if security is Security.NONE:
        return None
    if session is not None and "apiKey" not in params:
        if security is Security.SIGNED:
            check_time(venue, params)
        return session
    key = check_key(venue, params.text("apiKey"), peer)
    if security is Security.SIGNED:
        params.text("timestamp")
        signature = params.text("signature")
        check_time(venue, params)
        if not key.signed(_sorted_payload(params), signature):
            raise error(-1022)
    return key


def _sorted_payload(params: Params) -> bytes:
    pairs = sorted(params.raw().items())
    return "&".join(f"{name}={value}" for name, value in pairs if name != "signature").encode()
