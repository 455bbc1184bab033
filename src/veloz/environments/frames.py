"""Orders, fills and equity of a run in the units that people read: `run.orders`, `run.fills`, ….

Times are timestamps in UTC, sides are words, prices, quantities and amounts are floats. The exact
integers behind them are in `Run.tables` and `Run.table`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from veloz.analytics.run_tables import RunTables

Columns = dict[str, npt.NDArray[Any]]


def order_columns(tables: RunTables) -> Columns:
    """The orders, one row each; null: a time that never came, a market order's price."""
    orders = tables.orders
    price = _in_units(orders.price, orders.symbol, tables, "price_scale")
    return {
        "created": _times(orders.ts_created),
        "id": _words(orders.id),
        "symbol": _words(orders.symbol),
        "side": _sides(orders.side),
        "type": _words(orders.type),
        "qty": _in_units(orders.qty, orders.symbol, tables, "qty_scale"),
        "price": np.where(price == 0.0, np.nan, price),
        "status": _words(orders.status),
        "filled_qty": _in_units(orders.filled_qty, orders.symbol, tables, "qty_scale"),
        "reason": _words(orders.reason),
        "why": _words(orders.why),
        "tag": _words(orders.tag),
        "accepted": _times(orders.ts_accepted),
        "closed": _times(orders.ts_closed),
    }


def fill_columns(tables: RunTables) -> Columns:
    """The fills, one row each; a fee is positive if it was paid."""
    fills = tables.fills
    settles = [tables.instruments[symbol].settle for symbol in fills.symbol]
    return {
        "time": _times(fills.ts_exchange),
        "order_id": _words(fills.order_id),
        "symbol": _words(fills.symbol),
        "side": _sides(fills.side),
        "qty": _in_units(fills.qty, fills.symbol, tables, "qty_scale"),
        "price": _in_units(fills.price, fills.symbol, tables, "price_scale"),
        "fee": _amounts(fills.fee, fills.fee_asset, tables),
        "fee_asset": _words(fills.fee_asset),
        "liquidity": np.where(np.asarray(fills.is_maker, dtype=bool), "maker", "taker").astype(
            object
        ),
        "realised": _amounts(fills.realised, settles, tables),
        "why": _words(fills.why),
    }


def equity_columns(tables: RunTables) -> Columns:
    """The equity curve in the reporting currency."""
    curve = tables.equity
    return {
        "time": _times(curve.ts_ns),
        "equity": curve.equity,
        "position_value": curve.position_value,
        "exposure": curve.exposure,
        "leverage": curve.leverage,
    }


def relation(columns: Mapping[str, npt.NDArray[Any]]) -> Any:
    """Columns as a table that every data frame library takes by the Arrow stream interface."""
    import duckdb  # only for those who ask

    connection = duckdb.connect()
    connection.register("columns", dict(columns))
    connection.execute("CREATE TABLE whole AS SELECT * FROM columns")
    return connection.table("whole")


def _times(ns: Any) -> npt.NDArray[Any]:
    stamps = np.asarray(ns, dtype=np.int64).astype("datetime64[ns]")
    return np.where(np.asarray(ns) == 0, np.datetime64("NaT", "ns"), stamps)


def _words(column: Any) -> npt.NDArray[Any]:
    return np.array([str(word) for word in column], dtype=object)


def _sides(signs: Any) -> npt.NDArray[Any]:
    return np.where(np.asarray(signs) > 0, "buy", "sell").astype(object)


def _in_units(
    whole: Any, symbols: Iterable[str], tables: RunTables, scale: str
) -> npt.NDArray[np.float64]:
    facts = tables.instruments
    by_symbol = {name: 10.0 ** getattr(facts[name], scale) for name in set(symbols)}
    divisors = np.array([by_symbol[name] for name in symbols], dtype=np.float64)
    return np.asarray(whole, dtype=np.int64) / divisors


def _amounts(whole: Any, assets: Iterable[str], tables: RunTables) -> npt.NDArray[np.float64]:
    by_asset = {name: 10.0 ** tables.asset_scale(name) for name in set(assets)}
    divisors = np.array([by_asset[name] for name in assets], dtype=np.float64)
    return np.array([float(one) for one in whole], dtype=np.float64) / divisors
