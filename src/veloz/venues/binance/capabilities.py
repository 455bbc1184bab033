"""What each Binance market offers, and how much of it: the figures that sessions are built from.

Everything is a fact of the venue, with the date where it changed lately; what an account may do is
read from the venue at start (`exchangeInfo`), not here.

Source: Binance Spot API documentation of 2026-07-21; derivatives change log to 2026-10-23.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from veloz.venues.binance.hosts import Market

__all__ = ["CAPABILITIES", "Capabilities"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The figures of one market.

    Attributes:
        streams_per_connection: Most streams on one WebSocket.
        control_per_s: Messages a client may send on one stream connection per second; pings and
            pongs count.
        connects_per_5min: New connections per address.
        snapshot_limit: Levels a side of a book snapshot.
        snapshot_weight: What that snapshot costs.
        klines_limit: Bars of one request for history.
        klines_weight: What it costs.
        batch_place: Most orders of one request; 1 where there is no batch.
        batch_cancel: Most cancels of one request.
        has_countdown: The venue cancels all orders of a symbol unless told otherwise in time.
        has_listen_key: The user stream is opened with a key that must be renewed.
        has_positions: Positions, leverage and modes exist.
        has_algo_orders: Conditional orders live in a service of their own.
        lists_some: Exchange information may be asked of some symbols alone; whole it is megabytes.
    """

    streams_per_connection: int
    control_per_s: int
    connects_per_5min: int
    snapshot_limit: int
    snapshot_weight: int
    klines_limit: int
    klines_weight: int
    batch_place: int
    batch_cancel: int
    has_countdown: bool
    has_listen_key: bool
    has_positions: bool
    has_algo_orders: bool
    lists_some: bool


_SPOT = Capabilities(
    streams_per_connection=1024,
    control_per_s=5,
    connects_per_5min=300,
    snapshot_limit=1000,
    snapshot_weight=50,
    klines_limit=1000,
    klines_weight=2,
    batch_place=1,
    batch_cancel=1,
    has_countdown=False,
    has_listen_key=False,
    has_positions=False,
    has_algo_orders=False,
    lists_some=True,
)
_USDM = Capabilities(
    streams_per_connection=1024,
    control_per_s=10,
    connects_per_5min=300,
    snapshot_limit=1000,
    snapshot_weight=20,
    klines_limit=1500,
    klines_weight=10,
    batch_place=5,
    batch_cancel=10,
    has_countdown=True,
    has_listen_key=True,
    has_positions=True,
    has_algo_orders=True,
    lists_some=False,
)
_COINM = Capabilities(
    streams_per_connection=200,
    control_per_s=10,
    connects_per_5min=300,
    snapshot_limit=1000,
    snapshot_weight=20,
    klines_limit=1500,
    klines_weight=10,
    batch_place=5,
    batch_cancel=10,
    has_countdown=True,
    has_listen_key=True,
    has_positions=True,
    has_algo_orders=True,
    lists_some=False,
)

CAPABILITIES: dict[Market, Capabilities] = {"spot": _SPOT, "usdm": _USDM, "coinm": _COINM}
"""By market."""
