"""Orders and fills of a run as CSV, for accountants and their programs.

Numbers are exact decimal texts, never floats; every time stands twice, as ISO text in UTC and as
integer ns. Texts that a strategy wrote are kept from being formulas of a spreadsheet.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

from veloz.analytics.run_tables import InstrumentFacts, RunTables
from veloz.storage.decimals import text
from veloz.storage.times import format_time

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_ORDER_HEAD = (
    "id", "strategy", "symbol", "side", "type", "qty", "price", "status", "filled_qty", "reason",
    "why", "tag", "created", "created_ns", "sent", "sent_ns", "accepted", "accepted_ns", "closed",
    "closed_ns",
)  # fmt: skip
_FILL_HEAD = (
    "time", "time_ns", "trade_id", "order_id", "strategy", "symbol", "side", "qty", "price",
    "notional", "settle_asset", "fee", "fee_asset", "liquidity", "realised", "why",
)  # fmt: skip


def write_csv(tables: RunTables, folder: Path) -> tuple[Path, Path]:
    """Writes `orders.csv` and `fills.csv` into a folder, which exists; files are replaced.

    A fill's `notional` is price times quantity times multiplier in the settlement asset, exactly;
    it is empty for inverse contracts, whose notional in coins is no finite decimal. `fee` is
    positive if it was paid, negative if it was received.

    Returns:
        The two paths.

    Raises:
        OSError: If a file cannot be written.
    """
    orders, fills = folder / "orders.csv", folder / "fills.csv"
    _write(orders, _ORDER_HEAD, _order_rows(tables))
    _write(fills, _FILL_HEAD, _fill_rows(tables))
    return orders, fills


def _write(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(head)
            writer.writerows(rows)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _order_rows(tables: RunTables) -> Iterator[Sequence[object]]:
    orders = tables.orders
    for row in range(len(orders)):
        symbol = orders.symbol[row]
        facts = tables.instruments[symbol]
        price = int(orders.price[row])
        times = (orders.ts_created, orders.ts_sent, orders.ts_accepted, orders.ts_closed)
        yield (
            orders.id[row], _plain(orders.strategy[row]), symbol, _side(orders.side[row]),
            orders.type[row], text(int(orders.qty[row]), facts.qty_scale),
            text(price, facts.price_scale) if price else "", orders.status[row],
            text(int(orders.filled_qty[row]), facts.qty_scale), _plain(orders.reason[row]),
            _plain(orders.why[row]), _plain(orders.tag[row]),
            *(cell for column in times for cell in _time(int(column[row]))),
        )  # fmt: skip


def _fill_rows(tables: RunTables) -> Iterator[Sequence[object]]:
    fills = tables.fills
    for row in range(len(fills)):
        symbol, fee_asset = fills.symbol[row], fills.fee_asset[row]
        facts = tables.instruments[symbol]
        yield (
            *_time(int(fills.ts_exchange[row])), fills.trade_id[row], fills.order_id[row],
            _plain(fills.strategy[row]), symbol, _side(fills.side[row]),
            text(int(fills.qty[row]), facts.qty_scale),
            text(int(fills.price[row]), facts.price_scale),
            _notional(facts, int(fills.qty[row]), int(fills.price[row])), facts.settle,
            text(int(fills.fee[row]), tables.asset_scale(fee_asset)), fee_asset,
            "maker" if fills.is_maker[row] else "taker",
            text(int(fills.realised[row]), tables.asset_scale(facts.settle)),
            _plain(fills.why[row]),
        )  # fmt: skip


def _notional(facts: InstrumentFacts, qty: int, price: int) -> str:
    if facts.kind == "inverse":
        return ""
    exact = Context(prec=80)  # as many digits as the factors can have, so that nothing is rounded
    product = exact.multiply(Decimal(qty * price), facts.multiplier)
    scaled = f"{product.scaleb(-facts.price_scale - facts.qty_scale, exact):f}"
    return scaled.rstrip("0").rstrip(".") if "." in scaled else scaled


def _time(ns: int) -> tuple[str, str]:
    return (format_time(ns), str(ns)) if ns else ("", "")


def _side(sign: Any) -> str:
    return "buy" if sign > 0 else "sell"


def _plain(written: str) -> str:
    """A strategy's text that no spreadsheet takes for a formula."""
    line = " ".join(written.split())
    return f"'{line}" if line.startswith(_FORMULA_STARTS) else line
