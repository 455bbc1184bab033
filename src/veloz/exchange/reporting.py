"""A ledger's lines in one reporting currency, each converted at the rate of its moment (A34)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from veloz.exchange.money import ONE


class Reporting:
    """The lines in one currency.

    Args:
        currency: Its asset.
    """

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.rates: dict[str, Decimal] = {currency: ONE}
        self.lines: dict[str, Decimal] = defaultdict(Decimal)

    def line(self, asset: str, name: str, amount: Decimal) -> None:
        """Counts a posted amount; an asset without a rate waits for one."""
        if asset in self.rates:
            self.lines[name] += amount * self.rates[asset]

    def rate(self, asset: str, price: Decimal, net: Decimal, lines: Mapping[str, Decimal]) -> None:
        """Sets a rate: the first one values what was posted before, a later one revalues `net`."""
        if asset == self.currency:
            return
        old = self.rates.get(asset)
        self.rates[asset] = price
        if old is None:
            for name, amount in lines.items():
                self.lines[name] += amount * price
        else:
            self.lines["revaluation"] += net * (price - old)
