"""What answers hold: JSON, parts of a batch, errors, the limits that they tell of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from veloz.venues.binance.rest import RestAnswer
    from veloz.venues.venue import VenueRequest

__all__ = ["details", "limits_told", "parts", "read_json", "said"]

_COUNTS = {"REQUEST_WEIGHT": "x-mbx-used-weight-", "ORDERS": "x-mbx-order-count-"}


def read_json(body: bytes) -> Any:
    """The value of an answer.

    Raises:
        ValueError: It is no JSON, or a text in it is none: half of a surrogate pair, as damage
            leaves it, is a name that no file or request can hold (RFC 8259, section 8.2).
        RecursionError: It is nested too deep.
    """
    value = json.loads(body)
    if b"\\u" in body:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def limits_told(answer: dict[str, object], now_ms: int) -> dict[str, str]:
    """The limits that an answer of the WebSocket API brings, as REST would bring them in headers.

    Args:
        answer: The whole answer.
        now_ms: The venue's time: it asks for silence until an instant, and headers say how long.
    """
    headers: dict[str, str] = {}
    limits = answer.get("rateLimits")
    for limit in limits if isinstance(limits, list) else []:
        if not isinstance(limit, dict):
            continue
        name = _COUNTS.get(str(limit.get("rateLimitType")))
        if name is not None:
            span = f"{limit.get('intervalNum')}{str(limit.get('interval'))[:1].lower()}"
            headers[name + span] = str(limit.get("count"))
    error = answer.get("error")
    data = error.get("data") if isinstance(error, dict) else None
    if isinstance(data, dict) and isinstance(data.get("retryAfter"), int):
        wait_ms = max(0, data["retryAfter"] - now_ms)
        headers["retry-after"] = str(-(-wait_ms // 1000))
    return headers


def parts(batch: list[VenueRequest], answer: RestAnswer) -> list[tuple[VenueRequest, int, bytes]]:
    """Each request with its own part of the answer (F-C09).

    An element of a batch that is an error carries the venue's code; the whole answer has status
    200 then. An answer of another length or status is every request's.
    """
    if len(batch) == 1:
        value = answer.value()
        if answer.status == 200 and isinstance(value, list) and len(value) == 1:
            return [(batch[0], *_element(value[0]))]
        return [(batch[0], answer.status, answer.body)]
    value = answer.value()
    if answer.status == 200 and isinstance(value, list) and len(value) == len(batch):
        return [(r, *_element(part)) for r, part in zip(batch, value, strict=True)]
    return [
        (request, answer.status, b"" if answer.status == 200 else answer.body) for request in batch
    ]


def details(body: bytes) -> object:
    """The data of an error, as both the WebSocket API and REST put them."""
    answer = read_json(body)
    error = answer.get("error", answer)
    return error.get("data") or {}


def said(error: dict[str, object]) -> tuple[int, str]:
    """The venue's code and text; 0 for a code that is none."""
    code, text = error.get("code"), error.get("msg")
    number = code if isinstance(code, int) and abs(code) < 1 << 31 else 0
    return number, str(text or "")


def _element(part: object) -> tuple[int, bytes]:
    is_error = isinstance(part, dict) and isinstance(part.get("code"), int) and "msg" in part
    return 400 if is_error else 200, json.dumps(part, separators=(",", ":")).encode()
