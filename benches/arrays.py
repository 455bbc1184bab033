"""Generated inputs as a source of market data: floats become integers, and every one must be exact.

This is the building of inputs: benches report its time apart, as `build_seconds`.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from veloz import ArraySource
from veloz.storage.instruments import Instrument

SYMBOL = "binance:BTC/USDT:USDT"
BAR_NS = 60_000_000_000
QTY_SCALE = 3
# Far above the error of a decimal number as a double, far below half a unit.
SLACK = 1e-4


def instrument(*, price_scale: int) -> Instrument:
    """What is traded: a linear perpetual with a tick of one unit and a lot of 0.001."""
    return Instrument(
        symbol=SYMBOL,
        venue_symbol="BTCUSDT",
        price_scale=price_scale,
        qty_scale=QTY_SCALE,
        tick=1,
        lot=1,
    )


def units(name: str, values: Any, scale: int) -> Any:
    """Decimal numbers held as doubles, in units of 10^-scale; stops if one is none."""
    scaled = values * 10.0**scale
    whole = np.rint(scaled)
    np.subtract(scaled, whole, out=scaled)
    np.abs(scaled, out=scaled)
    row = int(np.argmax(scaled))
    if not scaled[row] <= SLACK:
        sys.exit(f"{name} of row {row} is {values[row]!r}, which has more than {scale} decimals")
    return whole.astype(np.int64)


def bars(folder: Path, n: int) -> ArraySource:
    """The first `n` one-minute bars of `bars_1m.npz`, prices in cents."""
    with np.load(folder / "bars_1m.npz") as archive:
        return source_of_bars(archive, n)


def source_of_bars(floats: Mapping[str, Any], n: int | None = None) -> ArraySource:
    """Bars in floats as a source; one column at a time, so that few floats are alive at once."""
    opened = np.ascontiguousarray(floats["ts"][:n])
    columns = {"ts_open": opened, "ts_close": opened + BAR_NS}
    for name in ("open", "high", "low", "close"):
        columns[name] = units(name, floats[name][:n], 2)
    columns["volume"] = units("volume", floats["volume"][:n], QTY_SCALE)
    return ArraySource({SYMBOL: instrument(price_scale=2)}, {(SYMBOL, "bar_1m"): columns})


def ticks(folder: Path, n: int) -> ArraySource:
    """The first `n` rows of `l2_hft.npz`: depth and prints, tick 0.1."""
    from veloz.storage.importers.arrays import feed_flags  # what `veloz data import` uses

    with np.load(folder / "l2_hft.npz") as archive:
        rows = archive["data"][:n]
    exchange, received = (np.ascontiguousarray(rows[name]) for name in ("exch_ts", "local_ts"))
    columns = {
        "ts_exchange": exchange,
        "ts_recv": received,
        "price": units("px", rows["px"], 1),
        "qty": units("qty", rows["qty"], QTY_SCALE),
        "flags": feed_flags(rows["ev"].astype(np.int64), exchange, received),
    }
    return ArraySource({SYMBOL: instrument(price_scale=1)}, {(SYMBOL, "tick"): columns})
