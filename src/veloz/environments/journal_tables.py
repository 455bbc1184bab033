"""From the trading journal to tables: orders, fills and funding of a run.

The journal is the only source: what it does not say did not happen. Status follows from the facts
in it as it does in the core (an order's fills and its heaviest ending).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from veloz.analytics import Fills, FundingPayments, Orders
from veloz.storage.journal import columns_of

if TYPE_CHECKING:
    from veloz.storage.instruments import Instrument

COST_TO_ASSET = 10**10
"""Profit is journalled at 18 decimals; assets carry 8."""

ORDER_TYPES = np.array(
    ["market", "limit", "stop", "stop_limit", "take_profit", "take_profit_limit", "trailing_stop"],
    dtype=object,
)
# Kinds of `VenueReport` records.
_ACCEPTED, _REJECTED, _TRIGGERED, _CANCELED, _EXPIRED, _AMENDED = 0, 1, 2, 3, 5, 6
_REDUCED, _PREVENTED = 8, 9
REJECTS = (
    "", "duplicate_id", "market_closed", "bad_request", "price_filter", "lot_size",
    "market_lot_size", "min_notional", "max_notional", "percent_price", "max_orders",
    "max_algo_orders", "iceberg_parts", "reduce_only", "insufficient_balance", "would_trigger",
    "post_only", "fok", "unknown_order", "no_change", "keep_priority", "margin",
)  # fmt: skip
"""Words of `veloz_core::order::Reject`, by number."""
EXPIRIES = (
    "", "ioc", "fok", "gtd", "no_liquidity", "price_band", "stp", "reduce_only", "post_only",
    "liquidation", "delisted", "insufficient_balance",
)  # fmt: skip
"""Words of `veloz_core::order::Expiry`, by number."""


class JournalTables:
    """The tables of one journal segment.

    Args:
        journal: The segment's bytes.
        instruments: Instruments by row.
        strategies: Names by row of the strategy table; row 0 is `external`.
        assets: Names by row of the asset table.
        currency: The reporting currency.
    """

    def __init__(
        self,
        journal: bytes,
        instruments: Sequence[Instrument],
        strategies: Sequence[str],
        assets: Sequence[str],
        currency: str,
    ) -> None:
        self._symbols = np.array([i.symbol for i in instruments], dtype=object)
        self._scales = np.array([10.0**i.price_scale for i in instruments])
        self._strategies = np.array(strategies, dtype=object)
        self._assets = np.array(assets, dtype=object)
        self._instruments, self._currency = instruments, currency
        self._places, self._venue_made = _orders(journal, len(strategies) - 1)
        self._fills = columns_of(journal, "Fill")
        # What the venue closed by force is the strategy's: nobody else trades in a backtest.
        self._fills["strategy"] = np.where(
            self._fills["strategy"] == 0, len(strategies) - 1, self._fills["strategy"]
        )
        self._reports = columns_of(journal, "VenueReport")
        self._refused = columns_of(journal, "Refused")
        self._funding = columns_of(journal, "FundingPaid")
        self.states = columns_of(journal, "StrategyState")
        texts = [text.split(b"\0", 1) for text in self._places["text"]]
        self._why = _texts([parts[0] for parts in texts])
        self._tag = _texts([parts[1] if len(parts) > 1 else b"" for parts in texts])
        ids = self._places["order"]
        self._row = np.zeros(int(ids.max(initial=0)) + 1, dtype=np.int64)
        self._row[ids] = np.arange(len(ids))

    def orders(self) -> Orders:
        """Every order of the run."""
        places, reports, fills = self._places, self._reports, self._fills
        count = len(places["order"])
        by_report, by_fill = self._row[reports["order"]], self._row[fills["order"]]
        filled = np.zeros(count, dtype=np.int64)
        np.add.at(filled, by_fill, fills["qty"])
        qty, price = self._terms(by_report, filled)
        accepted, closed = np.zeros(count, np.int64), np.zeros(count, np.int64)
        weight, reason = np.zeros(count, np.int8), np.zeros(count, np.int64)
        kind = reports["kind"]
        is_alive = np.isin(kind, (_ACCEPTED, _TRIGGERED, _AMENDED))
        _first(accepted, by_report[is_alive], reports["ts_exchange"][is_alive])
        for heavy, ended in ((1, _REJECTED), (2, _EXPIRED), (3, _CANCELED)):
            rows = kind == ended
            at = by_report[rows]
            lighter = weight[at] < heavy
            weight[at[lighter]] = heavy
            reason[at[lighter]] = reports["reason"][rows][lighter]
            _first(closed, at, reports["ts_exchange"][rows])
        status = np.select(
            [weight == 3, weight == 2, weight == 1, filled > 0, accepted > 0],
            ["canceled", "expired", "rejected", "partially_filled", "accepted"],
            "new",
        ).astype(object)
        full = (filled >= qty) & (qty > 0)
        status[full] = "filled"
        last_fill = np.zeros(count, np.int64)
        np.maximum.at(last_fill, by_fill, fills["ts_exchange"])
        closed[full] = last_fill[full]
        words = np.full(count, "", dtype=object)
        words[weight == 1] = np.array(REJECTS, dtype=object)[reason[weight == 1]]
        words[weight == 2] = np.array(EXPIRIES, dtype=object)[reason[weight == 2]]
        never_left = np.flatnonzero(self._refused["request"] == 0)
        at = self._row[self._refused["order"][never_left]]
        status[at], closed[at] = "refused", self._refused["batch_now_ns"][never_left]
        words[at] = _texts([self._refused["text"][row] for row in never_left])
        sent = places["batch_now_ns"].copy()
        sent[at] = 0
        sent[self._venue_made > 0] = 0
        words[self._venue_made > 0] = "liquidation"
        accepted = np.where(self._venue_made > 0, self._venue_made, accepted)
        return Orders.of(
            id=places["order"].astype(str).astype(object),
            symbol=self._symbols[places["instrument"]],
            side=places["side"],
            type=ORDER_TYPES[places["kind"]],
            qty=qty,
            price=price,
            status=status,
            ts_created=places["batch_now_ns"],
            ts_sent=sent,
            ts_accepted=accepted,
            ts_closed=closed,
            filled_qty=filled,
            reason=words,
            why=self._why,
            tag=self._tag,
            strategy=self._strategies[places["strategy"]],
        )

    def _terms(self, by_report: Any, filled: Any) -> tuple[Any, Any]:
        """Quantity and price of each order, as the venue last had them."""
        places, reports = self._places, self._reports
        qty, price = places["qty"].astype(np.int64), places["price"].astype(np.int64)
        kind = reports["kind"]
        cut = np.isin(kind, (_ACCEPTED, _AMENDED)) & (reports["qty"] > 0)
        qty[by_report[cut]] = reports["qty"][cut]
        changed = kind == _AMENDED
        price[by_report[changed]] = reports["extra"][changed]
        shrunk = np.isin(kind, (_REDUCED, _PREVENTED))
        qty[by_report[shrunk]] = filled[by_report[shrunk]] + reports["qty"][shrunk]
        return qty, price

    def fills(self) -> Fills:
        """Every execution of the run."""
        fills = self._fills
        row = self._row[fills["order"]]
        instrument = fills["instrument"]
        mid = self._places["arrival_mid2"][row] / 2.0 / self._scales[instrument]
        mid[self._places["arrival_mid2"][row] == 0] = np.nan
        realised = [_cut(int(value)) for value in fills["realised"]]
        return Fills.of(
            ts_exchange=fills["ts_exchange"],
            ts_recv=fills["batch_now_ns"],
            symbol=self._symbols[instrument],
            side=fills["side"],
            qty=fills["qty"],
            price=fills["price"],
            fee=_narrow(fills["fee"]),
            fee_asset=self._assets[fills["fee_asset"]],
            is_maker=fills["is_maker"].astype(bool),
            order_id=fills["order"].astype(str).astype(object),
            trade_id=fills["trade_id"].astype(str).astype(object),
            realised=_narrow(realised),
            strategy=self._strategies[fills["strategy"]],
            decision_price=mid,
            why=self._why[row],
            fee_rate=self._rates(self._assets[fills["fee_asset"]], fills),
            settle_rate=self._rates(
                np.array([i.settle for i in self._instruments], dtype=object)[instrument], fills
            ),
        )

    def funding(self) -> FundingPayments:
        """Every funding payment of the run."""
        paid = self._funding
        return FundingPayments.of(
            ts_ns=paid["batch_now_ns"],
            symbol=self._symbols[paid["instrument"]],
            amount=_narrow(paid["amount"]),
            strategy=np.full(len(paid["batch_now_ns"]), self._strategies[-1], dtype=object),
        )

    def _rates(self, assets: Any, fills: Mapping[str, Any]) -> Any:
        """Reporting currency per unit of an asset at each fill: 1, the fill's price, or unknown."""
        price = fills["price"] / self._scales[fills["instrument"]]
        bases = np.array([i.base for i in self._instruments], dtype=object)[fills["instrument"]]
        quotes = np.array([i.quote for i in self._instruments], dtype=object)[fills["instrument"]]
        by_price = (assets == bases) & (quotes == self._currency)
        return np.where(assets == self._currency, 1.0, np.where(by_price, price, np.nan))


def _orders(journal: bytes, strategy: int) -> tuple[dict[str, Any], Any]:
    """The orders that were placed and those that the venue made, by number.

    Args:
        journal: The segment's bytes.
        strategy: Whose the venue's orders are.

    Returns:
        The columns of placed orders, and when each was made if the venue made it, else 0.
    """
    placed = columns_of(journal, "PlaceCommand")
    none = np.zeros(len(placed["order"]), dtype=np.int64)
    try:
        made = columns_of(journal, "ExternalOrder")
    except KeyError:  # nothing that this run trades could be liquidated
        return placed, none
    count = len(made["order"])
    if count == 0:
        return placed, none
    made |= {
        "strategy": np.full(count, strategy),
        "arrival_mid2": np.zeros(count, dtype=np.int64),
        "text": [b"liquidated by the venue"] * count,
    }
    by_number = np.argsort(np.concatenate([placed["order"], made["order"]]), kind="stable")
    both: dict[str, Any] = {}
    for name in ("order", "instrument", "side", "kind", "qty", "price", "strategy",
                 "arrival_mid2", "batch_now_ns"):  # fmt: skip
        both[name] = np.concatenate([placed[name], made[name]])[by_number]
    texts = [*placed["text"], *made["text"]]
    both["text"] = [texts[at] for at in by_number]
    return both, np.concatenate([none, made["ts_exchange"]])[by_number]


def _first(target: Any, rows: Any, times: Any) -> None:
    """Keeps the earliest time of each row; 0 stands for none."""
    order = np.argsort(times, kind="stable")[::-1]
    earliest = np.zeros_like(target)
    earliest[rows[order]] = times[order]
    known = (earliest > 0) & ((target == 0) | (earliest < target))
    target[known] = earliest[known]


def _cut(value: int) -> int:
    return value // COST_TO_ASSET if value >= 0 else -(-value // COST_TO_ASSET)


def _narrow(values: Any) -> Any:
    """int64 where everything fits, Python integers otherwise."""
    column = [int(value) for value in values]
    if all(-(2**63) <= value < 2**63 for value in column):
        return np.array(column, dtype=np.int64)
    return np.array(column, dtype=object)


def _texts(values: Sequence[bytes]) -> Any:
    return np.array([value.decode("utf-8", "replace") for value in values], dtype=object)
