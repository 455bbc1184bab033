"""Binance's limits as one budget: what requests cost, what answers say was used, when to be silent.

```text
 wait, take ─► Limits (weight a minute, orders a span)
 headers, rateLimits of the WebSocket API ─► observe ─► the venue's own counts, silence
```

Both futures markets draw from the same limits of one address and account: they share one budget.

Source: Binance Spot API "Limits"; CM–UM integration notice of 2026-06-10.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from veloz.net.limits import RESERVED, Bucket, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veloz.net.doors import Clock
    from veloz.net.limits import Leases, Price, Priority
    from veloz.venues.binance.hosts import Market

__all__ = ["BinanceBudget"]

_WEIGHT = "weight-1m"

# (bucket, limit, window in s) until the venue's own list is read
_SPOT = ((_WEIGHT, 6000, 60), ("orders-10s", 100, 10), ("orders-1d", 200_000, 86_400))
_FUTURES = ((_WEIGHT, 2400, 60), ("orders-10s", 300, 10), ("orders-1m", 1200, 60))
_UNITS = {"SECOND": "s", "MINUTE": "m", "HOUR": "h", "DAY": "d"}
_KINDS = {"REQUEST_WEIGHT": "weight", "ORDERS": "orders"}
_HEADERS = {"x-mbx-used-weight-": "weight-", "x-mbx-order-count-": "orders-"}

# A venue that asks for silence and does not say for how long means a window.
_SILENCE_S = 60.0
_SILENCE_MOST_S = 3 * 86_400.0
"""The longest ban that the venue documents; more is no answer of its own."""

_COUNT = re.compile(r"[0-9]{1,15}")


class BinanceBudget:
    """The limits of one address and account.

    Args:
        market: Spot has limits of its own; the two futures markets share theirs.
        clock: Windows and silence.
        leases: Shares weight with other processes of this address.
    """

    def __init__(self, market: Market, clock: Clock, leases: Leases | None = None) -> None:
        rows = _SPOT if market == "spot" else _FUTURES
        self._orders = [name for name, _, _ in rows if name.startswith("orders")]
        self._prices: dict[tuple[int, int], Price] = {}
        # Weight is the address's, orders are counted for each account.
        buckets = [Bucket(*row, is_shared=row[0] == _WEIGHT) for row in rows]
        self.limits = Limits(clock, buckets, leases)

    async def wait(self, weight: int, priority: Priority) -> None:
        """Returns when a request of this weight may be sent; it is then charged."""
        await self.limits.take({_WEIGHT: weight}, priority)

    def take(self, weight: int, orders: int, priority: Priority) -> bool:
        """Charges a request if it may be sent at once."""
        return self.limits.take_priced(self._price(weight, orders), priority)

    def has_room(self, weight: int, orders: int, priority: Priority) -> bool:
        """Whether `take` would take it now; nothing is charged."""
        return self.limits.has_room(self._price(weight, orders), priority)

    def _price(self, weight: int, orders: int) -> Price:
        price = self._prices.get((weight, orders))
        if price is None:
            cost = {_WEIGHT: weight} | (dict.fromkeys(self._orders, orders) if orders else {})
            price = self._prices[weight, orders] = self.limits.price(cost)
        return price

    def priced(self, weight: int, orders: int, priority: Priority) -> tuple[Price, int]:
        """What such a request takes, and the hundredths of each limit that it leaves to others."""
        return self._price(weight, orders), RESERVED[priority]

    def look_ahead(self) -> None:
        """Looks now at what the next request would have to look at."""
        self.limits.look_ahead()

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Takes what an answer says about what was used, and about silence to keep.

        Args:
            status: 429 and 418 begin a silence (F-F01, F-F02).
            headers: Names in lower case.
        """
        used: dict[str, int] = {}
        for name, value in headers.items():
            for start, bucket in _HEADERS.items():
                if name.startswith(start) and _COUNT.fullmatch(value):
                    used[bucket + name.removeprefix(start)] = int(value)
        self.limits.read(used)
        if status in {418, 429}:
            after = headers.get("retry-after", "")
            wait_s = float(after) if _COUNT.fullmatch(after) else _SILENCE_S
            self.limits.silence(min(wait_s, _SILENCE_MOST_S))

    def read_limits(self, exchange_info: object) -> None:
        """Takes over the limits that the venue's exchange information lists."""
        rows = exchange_info.get("rateLimits") if isinstance(exchange_info, dict) else None
        for row in rows if isinstance(rows, list) else []:
            if not isinstance(row, dict):
                continue
            kind, unit = (
                _KINDS.get(str(row.get("rateLimitType"))),
                _UNITS.get(str(row.get("interval"))),
            )
            limit, count = row.get("limit"), row.get("intervalNum")
            if kind is None or unit is None or not isinstance(limit, int):
                continue
            name = f"{kind}-{count}{unit}"
            if name == _WEIGHT or name in self._orders:
                self.limits.change(name, limit)
