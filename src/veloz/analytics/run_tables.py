"""What a finished run hands to analytics: frozen tables over NumPy columns.

```text
 journal, bars ─► RunTables ─► summarise ─► metrics JSON ─► text, HTML, comparison
```

Money arrives twice, and never mixed: as scaled integers, from which every amount in the results
is an exact `Decimal`, and as float64 curves for statistics and pixels. A newcomer would get the
side wrong: quantities are positive, `side` carries the sign.

Absent values: NaN in float columns, 0 in times, "" in texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veloz.analytics.columns import (
    BOOL,
    EXACT,
    FLOAT,
    RATE,
    SIDE,
    TEXT,
    TIME,
    columns_of,
    same_length,
)
from veloz.analytics.vectors import Floats, Ints

Texts = NDArray[Any]
"""Texts, as a NumPy unicode or object array."""
Integers = NDArray[Any]
"""Exact integers: int64, or Python integers in an object array where 64 bits may not do."""


@dataclass(frozen=True)
class InstrumentFacts:
    """What an instrument's integers mean.

    Attributes:
        symbol: Our name for it.
        kind: `spot`, `linear` or `inverse`.
        price_scale: Decimals of a price.
        qty_scale: Decimals of a quantity.
        multiplier: Coins per contract (linear) or face value in quote (inverse); 1 for spot.
        base: Asset that is bought; needed for spot, where a fee may be paid in it.
        settle: Asset that profit is posted in; the quote asset for spot.
    """

    symbol: str
    kind: str
    price_scale: int
    qty_scale: int
    settle: str
    multiplier: Decimal = Decimal(1)
    base: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("spot", "linear", "inverse"):
            raise ValueError(f"{self.symbol}: kind is {self.kind!r}; use spot, linear or inverse")


@dataclass(frozen=True)
class EquityCurve:
    """Equity of the account in the reporting currency, through time.

    Attributes:
        ts_ns: Times, ns, not decreasing; the first point is the opening equity.
        equity: Float view.
        cash: Wallet without unrealised profit.
        position_value: Signed value of all positions, long less short.
        exposure: Gross value of all positions, long plus short.
        leverage: `exposure / equity`.
        first: Exact opening equity.
        last: Exact closing equity.
    """

    ts_ns: Ints
    equity: Floats
    cash: Floats
    position_value: Floats
    exposure: Floats
    leverage: Floats
    first: Decimal
    last: Decimal

    def __post_init__(self) -> None:
        same_length(self)
        if not self.ts_ns.size:
            raise ValueError("the equity curve is empty; it needs at least its opening point")

    @classmethod
    def of(cls, *, first: Decimal, last: Decimal, **columns: Any) -> EquityCurve:
        """A curve from the columns that are known; `ts_ns` and `equity` are needed.

        >>> curve = EquityCurve.of(ts_ns=[0, 9], equity=[1., 2.], first=Decimal(1), last=Decimal(2))
        >>> bool(np.isnan(curve.leverage).all())
        True
        """
        made = columns_of(cls, columns, _EQUITY_COLUMNS, ("ts_ns", "equity"))
        return cls(**made, first=first, last=last)


@dataclass(frozen=True)
class Fills:
    """Our executions, in order of time.

    Attributes:
        ts_exchange: When the venue matched, ns.
        ts_recv: When we heard of it, ns.
        symbol: Name of the instrument; a row of `RunTables.instruments`.
        side: +1 bought, -1 sold.
        qty: At the instrument's `qty_scale`; positive.
        price: At the instrument's `price_scale`.
        fee: At the fee asset's scale; positive is paid, negative a rebate.
        fee_asset: What it was paid in.
        is_maker: True if our order was resting.
        order_id: Which order.
        trade_id: The venue's number.
        realised: Engine's realised profit, at the settlement asset's scale; 0 where none.
        strategy: Owner.
        leg: `both`, `long` or `short` (hedge mode).
        arrival_mid: Middle of the book when the order reached the venue; NaN if unknown.
        arrival_touch: Best price of the other side at that moment; NaN if unknown.
        decision_price: Price that the strategy decided on; NaN if unknown.
        why: The strategy's reason, untrusted text.
        evidence: What let the simulator fill it: `through`, `queue`, `cross`, `walk`, `path`…
        fee_rate: Reporting currency per unit of `fee_asset` at the fill; NaN if unknown.
        settle_rate: Reporting currency per unit of the settlement asset at the fill.
    """

    ts_exchange: Ints
    ts_recv: Ints
    symbol: Texts
    side: NDArray[np.int8]
    qty: Integers
    price: Integers
    fee: Integers
    fee_asset: Texts
    is_maker: NDArray[np.bool_]
    order_id: Texts
    trade_id: Texts
    realised: Integers
    strategy: Texts
    leg: Texts
    arrival_mid: Floats
    arrival_touch: Floats
    decision_price: Floats
    why: Texts
    evidence: Texts
    fee_rate: Floats
    settle_rate: Floats

    def __post_init__(self) -> None:
        same_length(self)

    def __len__(self) -> int:
        return int(self.ts_exchange.size)

    @classmethod
    def of(cls, **columns: Any) -> Fills:
        """Fills from the columns that are known; the others say "absent".

        `ts_exchange`, `symbol`, `side`, `qty` and `price` are needed. A missing `fee_rate` or
        `settle_rate` means that the asset is the reporting currency (1).

        Raises:
            TypeError: If a needed column is missing or one is not known.
            ValueError: If lengths differ.

        >>> len(Fills.of(ts_exchange=[5], symbol=["BTC/USDT"], side=[1], qty=[10], price=[7]))
        1
        """
        needed = ("ts_exchange", "symbol", "side", "qty", "price")
        return cls(**columns_of(cls, columns, _FILL_COLUMNS, needed))


@dataclass(frozen=True)
class Orders:
    """Every order of the run, also those that never left.

    Attributes:
        id: Our name for it.
        symbol: Name of the instrument.
        side: +1 buy, -1 sell.
        type: `market`, `limit`, `stop`, …
        qty: At the instrument's scale.
        price: At the instrument's scale; 0 if the type has none.
        status: Final status: `filled`, `canceled`, `expired`, `rejected` (by the venue),
            `refused` (by a risk rule), `accepted`, `partially_filled`, `new`, `unknown`.
        ts_created: When the strategy asked, ns.
        ts_sent: When it left; 0 if it never did.
        ts_accepted: When the venue took it; 0 if it never did.
        ts_closed: When it ended; 0 if it is open.
        filled_qty: At the instrument's scale.
        reason: Why it was rejected, refused or expired.
        why: The strategy's reason, untrusted text.
        tag: The strategy's label, untrusted text.
        strategy: Owner.
    """

    id: Texts
    symbol: Texts
    side: NDArray[np.int8]
    type: Texts
    qty: Integers
    price: Integers
    status: Texts
    ts_created: Ints
    ts_sent: Ints
    ts_accepted: Ints
    ts_closed: Ints
    filled_qty: Integers
    reason: Texts
    why: Texts
    tag: Texts
    strategy: Texts

    def __post_init__(self) -> None:
        same_length(self)

    def __len__(self) -> int:
        return int(self.ts_created.size)

    @classmethod
    def of(cls, **columns: Any) -> Orders:
        """Orders from the columns that are known; `id`, `status` and `ts_created` are needed.

        >>> len(Orders.of(id=["a"], status=["filled"], ts_created=[1], ts_sent=[1]))
        1
        """
        return cls(**columns_of(cls, columns, _ORDER_COLUMNS, ("id", "status", "ts_created")))


@dataclass(frozen=True)
class FundingPayments:
    """Funding that was posted.

    Attributes:
        ts_ns: When, ns.
        symbol: Name of the instrument.
        amount: At the settlement asset's scale; positive is received, negative paid.
        strategy: Owner.
        settle_rate: Reporting currency per unit of the settlement asset.
    """

    ts_ns: Ints
    symbol: Texts
    amount: Integers
    strategy: Texts
    settle_rate: Floats

    def __post_init__(self) -> None:
        same_length(self)

    @classmethod
    def of(cls, **columns: Any) -> FundingPayments:
        """Payments from the columns that are known; `ts_ns`, `symbol`, `amount` are needed.

        >>> FundingPayments.of(ts_ns=[], symbol=[], amount=[]).ts_ns.size
        0
        """
        return cls(**columns_of(cls, columns, _FUNDING_COLUMNS, ("ts_ns", "symbol", "amount")))


@dataclass(frozen=True)
class Bars:
    """Candles of one instrument, for the chart, the benchmark and excursions.

    Attributes:
        ts_ns: Opening times, ns, increasing.
        interval_ns: Length of a bar.
        open, high, low, close, volume: Float views.
    """

    ts_ns: Ints
    interval_ns: int
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __post_init__(self) -> None:
        same_length(self)


@dataclass(frozen=True)
class LedgerLine:
    """The money identity of one currency (rule A34), cumulative at the end of the run.

    `equity = deposits + traded + converted + realised + funding - fees - clearance + insurance
    - interest + unrealised`, without tolerance.
    """

    currency: str
    deposits: Decimal
    realised: Decimal
    fees: Decimal
    equity: Decimal
    traded: Decimal = Decimal(0)
    converted: Decimal = Decimal(0)
    funding: Decimal = Decimal(0)
    clearance: Decimal = Decimal(0)
    insurance: Decimal = Decimal(0)
    interest: Decimal = Decimal(0)
    unrealised: Decimal = Decimal(0)

    def unexplained(self) -> Decimal:
        """Equity that the lines do not explain; zero, or the books are wrong.

        >>> LedgerLine("USDT", Decimal(100), Decimal(5), Decimal(1), Decimal(104)).unexplained()
        Decimal('0')
        """
        gains = self.deposits + self.traded + self.converted + self.realised + self.funding
        costs = self.fees + self.clearance + self.interest
        return self.equity - (gains - costs + self.insurance + self.unrealised)


@dataclass(frozen=True)
class RunTables:
    """Everything that analytics knows of a run.

    Attributes:
        currency: Reporting currency.
        equity: The curve.
        fills: Executions.
        orders: Orders.
        funding: Funding payments.
        instruments: Facts by symbol; every traded symbol is here.
        asset_scales: Decimals of each asset's amounts (fees, realised, funding); 8 if not given.
        bars: Candles by symbol; may be empty.
        benchmark: Symbol in `bars` that holding is compared with; "" takes the first.
        ledger: Money identity by currency; may be empty.
        facts: Facts that decide the result and so belong to the metrics: `strategy`,
            `parameters`, `environment`, `seed`, `config`, `digests`, `models`, `assumptions` (a
            list of `{"id", "setting", "maker", "taker", "text"}`), `warnings` (texts), `data`
            (the passport). JSON types; no wall time, path, host or version.
        host: What may differ between equal runs (run id, versions, wall time, paths); shown in
            the HTML report, never part of the metrics.
    """

    currency: str
    equity: EquityCurve
    fills: Fills
    orders: Orders
    funding: FundingPayments
    instruments: Mapping[str, InstrumentFacts]
    asset_scales: Mapping[str, int] = field(default_factory=dict)
    bars: Mapping[str, Bars] = field(default_factory=dict)
    benchmark: str = ""
    ledger: Sequence[LedgerLine] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    host: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        traded = set(self.fills.symbol.tolist()) | set(self.funding.symbol.tolist())
        unknown = sorted(traded - set(self.instruments))
        if unknown:
            raise ValueError(f"no instrument facts for {', '.join(unknown)}; add them")
        if self.benchmark and self.benchmark not in self.bars:
            raise ValueError(f"no bars for the benchmark {self.benchmark}; add or leave out")

    def asset_scale(self, asset: str) -> int:
        """Decimals of an asset's amounts."""
        return self.asset_scales.get(asset, 8)


_EQUITY_COLUMNS = {
    "ts_ns": TIME, "equity": FLOAT, "cash": FLOAT, "position_value": FLOAT,
    "exposure": FLOAT, "leverage": FLOAT,
}  # fmt: skip
_FILL_COLUMNS = {
    "ts_exchange": TIME, "ts_recv": TIME, "symbol": TEXT, "side": SIDE, "qty": EXACT,
    "price": EXACT, "fee": EXACT, "fee_asset": TEXT, "is_maker": BOOL, "order_id": TEXT,
    "trade_id": TEXT, "realised": EXACT, "strategy": TEXT, "leg": TEXT,
    "arrival_mid": FLOAT, "arrival_touch": FLOAT, "decision_price": FLOAT, "why": TEXT,
    "evidence": TEXT, "fee_rate": RATE, "settle_rate": RATE,
}  # fmt: skip
_ORDER_COLUMNS = {
    "id": TEXT, "symbol": TEXT, "side": SIDE, "type": TEXT, "qty": EXACT, "price": EXACT,
    "status": TEXT, "ts_created": TIME, "ts_sent": TIME, "ts_accepted": TIME,
    "ts_closed": TIME, "filled_qty": EXACT, "reason": TEXT, "why": TEXT, "tag": TEXT,
    "strategy": TEXT,
}  # fmt: skip
_FUNDING_COLUMNS = {
    "ts_ns": TIME, "symbol": TEXT, "amount": EXACT, "strategy": TEXT, "settle_rate": RATE,
}  # fmt: skip
