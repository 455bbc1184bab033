"""Request weight per address and order counts per account, as the venue counts them.

Windows are aligned to the clock: the minute's weight starts again at 0 s. Past the limit each
request is answered 429 with the seconds to wait; who goes on is banned with 418, each ban twice
as long as the last.

Source: Binance Spot API, "LIMITS"; CM-UM integration notice (fapi and dapi share both counts).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from veloz.venues.binance.dialect.errors import VenueError, error

__all__ = ["FUTURES_LIMITS", "SPOT_LIMITS", "Limits", "OrderLimit", "Quota"]

MINUTE_MS = 60_000
REQUESTS_BEFORE_BAN = 10
FIRST_BAN_MS = 120_000
LONGEST_BAN_MS = 3 * 86_400_000


@dataclass(frozen=True)
class OrderLimit:
    """How many orders an account may place in a window."""

    limit: int
    window_ms: int
    interval: str
    interval_num: int
    header: str

    def shape(self) -> dict[str, Any]:
        """Its row of `rateLimits`."""
        return {
            "rateLimitType": "ORDERS",
            "interval": self.interval,
            "intervalNum": self.interval_num,
            "limit": self.limit,
        }

    def words(self) -> str:
        """`10 SECOND`, as the venue's sentence has it."""
        return f"{self.interval_num} {self.interval}"


@dataclass(frozen=True)
class Quota:
    """The limits of one family of markets.

    Attributes:
        weight: Per minute and address.
        orders: Per account.
        unfilled_only: Whether a fill gives an order's count back (spot).
    """

    weight: int
    orders: tuple[OrderLimit, ...]
    unfilled_only: bool

    def shape(self) -> list[dict[str, Any]]:
        """`rateLimits` of `exchangeInfo`."""
        weight = {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": self.weight,
        }
        return [weight, *(limit.shape() for limit in self.orders)]


SPOT_LIMITS = Quota(
    weight=6000,
    orders=(
        OrderLimit(100, 10_000, "SECOND", 10, "X-MBX-ORDER-COUNT-10S"),
        OrderLimit(200_000, 86_400_000, "DAY", 1, "X-MBX-ORDER-COUNT-1D"),
    ),
    unfilled_only=True,
)
FUTURES_LIMITS = Quota(
    weight=2400,
    orders=(
        OrderLimit(300, 10_000, "SECOND", 10, "X-MBX-ORDER-COUNT-10S"),
        OrderLimit(1200, MINUTE_MS, "MINUTE", 1, "X-MBX-ORDER-COUNT-1M"),
    ),
    unfilled_only=False,
)


@dataclass
class _Address:
    window: int = -1
    used: int = 0
    refused: int = 0
    banned_until_ms: int = 0
    ban_ms: int = 0


@dataclass
class Limits:
    """Counts of one family: spot, or the two futures markets together."""

    quota: Quota
    _addresses: dict[str, _Address] = field(default_factory=dict[str, _Address])
    _orders: dict[tuple[str, int], tuple[int, int]] = field(
        default_factory=dict[tuple[str, int], tuple[int, int]]
    )

    def take(self, address: str, weight: int, now_ms: int) -> None:
        """Counts a request.

        Raises:
            VenueError: 429 past the limit; 418 while the address is banned.
        """
        row = self._row(address, now_ms)
        if row.banned_until_ms > now_ms:
            raise self._ban(row, now_ms)
        row.used += weight
        if row.used <= self.quota.weight:
            return
        row.refused += 1
        if row.refused > REQUESTS_BEFORE_BAN:
            self.ban(address, now_ms)
            raise self._ban(row, now_ms)
        wait_ms = (row.window + 1) * MINUTE_MS - now_ms
        refusal = error(-1003, limit=self.quota.weight, interval="1 MINUTE")
        raise _waiting(refusal, now_ms, wait_ms)

    def give_back(self, address: str, weight: int, now_ms: int) -> None:
        """Takes weight off again: successful spot orders cost none."""
        row = self._row(address, now_ms)
        row.used = max(0, row.used - weight)

    def exhaust(self, address: str, now_ms: int) -> None:
        """Uses the minute's weight up, so that the next request is answered 429."""
        self._row(address, now_ms).used = self.quota.weight

    def ban(self, address: str, now_ms: int, for_ms: int | None = None) -> None:
        """Bans an address; each ban is twice as long as the one before, from 2 min to 3 days."""
        row = self._row(address, now_ms)
        row.ban_ms = min(max(2 * row.ban_ms, FIRST_BAN_MS), LONGEST_BAN_MS)
        row.banned_until_ms = now_ms + (row.ban_ms if for_ms is None else for_ms)

    def pardon(self, address: str) -> None:
        """Forgets what an address has used, and its ban."""
        self._addresses.pop(address, None)

    def used(self, address: str, now_ms: int) -> int:
        """Weight used in the running minute."""
        return self._row(address, now_ms).used

    def take_orders(self, account: str, count: int, now_ms: int) -> None:
        """Counts orders.

        Raises:
            VenueError: 429 with -1015 if one of the windows is full; nothing is counted then.
        """
        for limit in self.quota.orders:
            if self.orders(account, limit, now_ms) + count > limit.limit:
                wait_ms = limit.window_ms - now_ms % limit.window_ms
                refusal = error(-1015, limit=limit.limit, interval=limit.words())
                raise _waiting(refusal, now_ms, wait_ms)
        for limit in self.quota.orders:
            window = now_ms // limit.window_ms
            total = self.orders(account, limit, now_ms) + count
            self._orders[account, limit.window_ms] = (window, total)

    def orders_filled(self, account: str, now_ms: int, count: int = 1) -> None:
        """Gives the count of filled orders back where the venue does so."""
        if not self.quota.unfilled_only:
            return
        for limit in self.quota.orders:
            total = max(0, self.orders(account, limit, now_ms) - count)
            self._orders[account, limit.window_ms] = (now_ms // limit.window_ms, total)

    def orders(self, account: str, limit: OrderLimit, now_ms: int) -> int:
        """Orders counted in the running window."""
        window, total = self._orders.get((account, limit.window_ms), (-1, 0))
        return total if window == now_ms // limit.window_ms else 0

    def headers(self, address: str, account: str | None, now_ms: int) -> dict[str, str]:
        """What each answer says of the counts."""
        used = str(self.used(address, now_ms))
        found = {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
        if account is not None:
            for limit in self.quota.orders:
                found[limit.header] = str(self.orders(account, limit, now_ms))
        return found

    def shape(self, address: str, account: str | None, now_ms: int) -> list[dict[str, Any]]:
        """`rateLimits` of an answer of the WebSocket API, with counts."""
        weight, *orders = self.quota.shape()
        rows = [{**weight, "count": self.used(address, now_ms)}]
        if account is None:
            return rows
        counted = zip(orders, self.quota.orders, strict=True)
        return [
            *({**row, "count": self.orders(account, at, now_ms)} for row, at in counted),
            *rows,
        ]

    def _row(self, address: str, now_ms: int) -> _Address:
        row = self._addresses.setdefault(address, _Address())
        window = now_ms // MINUTE_MS
        if row.window != window:
            row.window, row.used, row.refused = window, 0, 0
        return row

    def _ban(self, row: _Address, now_ms: int) -> VenueError:
        text = (
            f"Way too much request weight used; IP banned until {row.banned_until_ms}. "
            "Please use WebSocket Streams for live updates to avoid bans."
        )
        return _waiting(VenueError(418, -1003, text), now_ms, row.banned_until_ms - now_ms)


def _waiting(refusal: VenueError, now_ms: int, wait_ms: int) -> VenueError:
    """Adds how long to wait: in the header for REST, in `data` for the WebSocket API."""
    refusal.headers["Retry-After"] = str(-(-wait_ms // 1000))
    refusal.data = {"serverTime": now_ms, "retryAfter": now_ms + wait_ms}
    return refusal
