"""The SMA cross told in integers, without the engine: what every other telling is compared with.

Rules: one unit, 1e8 of cash, 0.1 % a side. A signal at a bar's close trades at the next bar's
open. An exact tie of the averages changes nothing. Averages are compared as integer sums, so no
rounding is anywhere; money counts in 1e-3 of the price's unit, in which a fee is whole too.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veloz.environments import Run

FAST, SLOW, CASH = 10, 30, 100_000_000
STRATEGY = str(Path(__file__).resolve().parents[2] / "benches" / "strategies" / "sma_cross.py")
SETTINGS = {"balance": f"{CASH} USDT", "fees": "0.001"}


@dataclass(frozen=True)
class Crossing:
    """What the cross does on one series of bars.

    Attributes:
        trades: Row of the bar that an order filled in, +1 or -1, price in units.
        equity: At each bar's end, in 1e-3 units of the price. That instant is the next bar's
            beginning too: a fill at its open counts, and positions are valued at the close.
        ties: Rows at whose close the averages are exactly equal.
    """

    trades: list[tuple[int, int, int]]
    equity: list[int]
    ties: list[int]

    def equity_text(self, row: int, scale: int) -> Decimal:
        """Equity at a bar's end as a decimal number."""
        return Decimal(self.equity[row]).scaleb(-scale - 3)


def cross(opens: Sequence[int], closes: Sequence[int], scale: int) -> Crossing:
    """Trade the cross on bars.

    Args:
        opens: Opening prices in units of 10^-scale.
        closes: Closing prices, likewise.
        scale: Decimals of a price.
    """
    sums = [0, *accumulate(closes)]
    trades: list[tuple[int, int, int]] = []
    equity: list[int] = []
    ties: list[int] = []
    cash, held = CASH * 10 ** (scale + 3), 0
    for row, closed in enumerate(closes):
        end = row + 1
        fast = slow = 0
        if end >= SLOW:
            fast = (sums[end] - sums[end - FAST]) * SLOW
            slow = (sums[end] - sums[end - SLOW]) * FAST
            if fast == slow:
                ties.append(row)
        wanted = held if fast == slow else int(fast > slow)
        if wanted != held and end < len(closes):
            side, price = wanted - held, opens[end]
            cash -= side * price * 1000 + price
            held = wanted
            trades.append((end, side, price))
        equity.append(cash + held * closed * 1000)
    return Crossing(trades, equity, ties)


def trades_of(run: Run, opened_ns: Any) -> list[tuple[int, int, int]]:
    """A run's fills in the same form; each must be one whole unit at a bar's opening instant.

    Args:
        run: The finished run.
        opened_ns: When each bar began, ns, in order.
    """
    fills = run.tables.fills
    (instrument,) = run.facts.instruments
    row_of = {ts: row for row, ts in enumerate(opened_ns.tolist())}
    assert set(fills.qty.tolist()) <= {10**instrument.qty_scale}
    columns = (fills.ts_exchange.tolist(), fills.side.tolist(), fills.price.tolist())
    return [(row_of[ts], side, price) for ts, side, price in zip(*columns, strict=True)]
