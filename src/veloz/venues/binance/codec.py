"""Requests as signed bytes, and what answers mean: the Rust half behind one small face.

```text
 EncodedRequest (no key, no time) ─► ws_frame | rest_call ─► signed, last of all (F-C10)
 (market, kind, status, code, text) ─► binance_verdict ─► Verdict
```

Nothing here retries or remembers. A batch is the only form that is put together here: the venue
takes it as one parameter that holds the orders' parameters as JSON.

Source: USDⓈ-M Futures "Place Multiple Orders", "Cancel Multiple Orders".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from veloz.venues.venue import FollowUp, Outcome, RestCall, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from veloz.venues.binance.hosts import Market
    from veloz.venues.venue import EncodedRequest, VenueRequest

__all__ = ["BinanceCodec", "KeySigner"]

_BATCH_PATHS: dict[Market, str] = {"usdm": "/fapi/v1/batchOrders", "coinm": "/dapi/v1/batchOrders"}

# What `binance_verdict` says, in the words of the venue-neutral half.
_OUTCOMES: dict[str, tuple[Outcome, FollowUp]] = {
    "done": (Outcome.DONE, FollowUp.NOTHING),
    "refused": (Outcome.REFUSED, FollowUp.NOTHING),
    "doubted": (Outcome.REFUSED, FollowUp.ASK),
    "halved": (Outcome.REFUSED, FollowUp.ASK),
    "absent": (Outcome.REFUSED, FollowUp.ASK),
    "limited": (Outcome.REFUSED, FollowUp.SLOW),
    "clock": (Outcome.REFUSED, FollowUp.CLOCK),
    "fatal": (Outcome.REFUSED, FollowUp.STOP),
    "unknown": (Outcome.UNKNOWN, FollowUp.NOTHING),
}
_ASKED = {"place": "place", "amend": "amend", "cancel": "cancel", "cancel_all": "cancel"}


class KeySigner(Protocol):
    """A key that signs and is never shown: `veloz._core.BinanceSigner`."""

    @property
    def api_key(self) -> str:
        """The public half."""
        ...

    def sign_rest(
        self, params: Sequence[tuple[str, str]], timestamp_ms: int, recv_window_ms: int
    ) -> str:
        """A signed query string."""
        ...

    def sign_ws(
        self, params: Mapping[str, str], timestamp_ms: int, recv_window_ms: int
    ) -> dict[str, str | int]:
        """Signed parameters of a WebSocket API request."""
        ...


class BinanceCodec:
    """One key on one market.

    Args:
        market: Which market.
        signer: The key.
        judge: `veloz._core.binance_verdict`.
    """

    def __init__(
        self,
        market: Market,
        signer: KeySigner,
        judge: Callable[[str, str, int, int | None, str], tuple[str, str]],
    ) -> None:
        self._market: Market = market
        self._signer = signer
        self._judge = judge

    @property
    def api_key(self) -> str:
        """The key's public half."""
        return self._signer.api_key

    def ws_frame(
        self, request: VenueRequest, frame_id: str, timestamp_ms: int, recv_window_ms: int
    ) -> bytes:
        """The whole WebSocket API frame of a request, signed."""
        encoded = request.encoded
        return encoded.ws_frame(self._signer, frame_id, timestamp_ms, recv_window_ms)

    def rest_call(
        self, requests: Sequence[VenueRequest], timestamp_ms: int, recv_window_ms: int
    ) -> RestCall:
        """The REST form, signed; more than one request makes the venue's batch."""
        headers = {"X-MBX-APIKEY": self.api_key}
        first = requests[0].encoded
        if len(requests) == 1:
            query = first.rest_form(self._signer, timestamp_ms, recv_window_ms)
            return RestCall(first.verb, first.path, query, b"", headers)
        query = self._signer.sign_rest(
            _batch([request.encoded for request in requests]), timestamp_ms, recv_window_ms
        )
        return RestCall(first.verb, _BATCH_PATHS[self._market], query, b"", headers)

    def sign_rest(
        self, params: Sequence[tuple[str, str]], timestamp_ms: int, recv_window_ms: int
    ) -> str:
        """A signed query string for a request that is not an order."""
        return self._signer.sign_rest(params, timestamp_ms, recv_window_ms)

    def sign_ws(
        self, params: Mapping[str, str], timestamp_ms: int, recv_window_ms: int
    ) -> Mapping[str, str | int]:
        """The parameters of a WebSocket API request that is not an order, signed."""
        return self._signer.sign_ws(params, timestamp_ms, recv_window_ms)

    def verdict(self, kind: str, status: int, code: int, text: str) -> Verdict:
        """What an answer that is no success means for a request of that kind."""
        word, reason = self._judge(self._market, _ASKED[kind], status, code or None, text)
        outcome, follow_up = _OUTCOMES[word]
        if word == "doubted" and reason == "duplicate_id":
            outcome = Outcome.UNKNOWN  # the earlier attempt exists or existed (F-C05)
        return Verdict(outcome, reason or word, code, text, follow_up)


def _batch(parts: Sequence[EncodedRequest]) -> list[tuple[str, str]]:
    """The parameters of several orders as one parameter."""
    if parts[0].verb == "DELETE":
        named = [dict(part.params) for part in parts]
        ids = json.dumps([one["origClientOrderId"] for one in named], separators=(",", ":"))
        return [("symbol", named[0]["symbol"]), ("origClientOrderIdList", ids)]
    orders = [dict(part.params) for part in parts]
    return [("batchOrders", json.dumps(orders, separators=(",", ":")))]
