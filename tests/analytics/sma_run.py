"""A small, honest simulation that makes `RunTables`: an SMA cross on real bars.

It exists so that analytics can be tested and looked at without the engine. Signals come from
closed bars; market orders fill at the next bar's open, one tick worse per 1000 USDT; a resting
take-profit fills as a maker when a later bar trades through it. Money is kept in integers by
plain cash flows, independently of the pairing in `veloz.analytics.roundtrips`.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from veloz.analytics import (
    Bars,
    EquityCurve,
    Fills,
    FundingPayments,
    InstrumentFacts,
    LedgerLine,
    Orders,
    RunTables,
)

FOLDER = Path(__file__).parent / "bars"
MS, MINUTE = 1_000_000, 60 * 10**9
SYMBOLS = {"BTC/USDT:USDT": ("BTCUSDT", 1, 3, 1), "ETH/USDT:USDT": ("ETHUSDT", 2, 2, 4)}
UNIT = 10**8  # USDT amounts at 8 decimals
TAKER, MAKER = 500, -50  # fee rates in 1e-6: 5 bps paid, 0.5 bps rebate
ASSUMPTIONS = [
    {"id": "A01", "setting": "none", "maker": "+", "taker": "+",
     "text": "The market does not react to our orders"},
    {"id": "A02", "setting": "adaptive path", "maker": "±", "taker": "±",
     "text": "Price path inside a bar"},
    {"id": "A04", "setting": "crossed by 1 tick", "maker": "-", "taker": "",
     "text": "A resting limit fills when price crosses it"},
    {"id": "A15", "setting": "zero", "maker": "+", "taker": "+", "text": "Latency"},
]  # fmt: skip


@dataclass
class Trader:
    """Positions, wallet and what was recorded, for one account."""

    wallet: int = 10_000 * UNIT
    position: dict[str, int] = field(default_factory=dict)
    cash: dict[str, int] = field(default_factory=dict)
    fees: int = 0
    funding: int = 0
    fills: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    payments: list[dict[str, Any]] = field(default_factory=list)


def load_bars(name: str, limit: int | None = None) -> Bars:
    """Bars from this folder's CSV."""
    with gzip.open(FOLDER / f"{name}_15m.csv.gz", "rt") as file:
        rows = [[float(cell) for cell in row] for row in list(csv.reader(file))[1:]]
    table = np.array(rows[:limit])
    times = (table[:, 0] * MS).astype(np.int64)
    return Bars(times, 15 * MINUTE, *(table[:, i].copy() for i in range(1, 6)))


def load_funding(name: str) -> list[tuple[int, Decimal]]:
    """Funding times in ns (to the second) and rates."""
    with (FOLDER / f"{name}_funding.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    return [(int(ts) // 1000 * 10**9, Decimal(rate)) for ts, rate in rows]


def sma_run(fast: int = 12, slow: int = 48, limit: int | None = None) -> RunTables:
    """Run the cross on both symbols and hand over the tables."""
    bars = {symbol: load_bars(row[0], limit) for symbol, row in SYMBOLS.items()}
    due = {symbol: load_funding(row[0]) for symbol, row in SYMBOLS.items()}
    trader = Trader()
    resting: dict[str, dict[str, Any]] = {}
    size = min(one.ts_ns.size for one in bars.values())
    first = next(iter(bars.values()))
    curve = [(int(first.ts_ns[0]), trader.wallet / UNIT, trader.wallet / UNIT, 0.0, 0.0)]
    for i in range(1, size):
        for symbol, one in bars.items():
            _pay_funding(trader, symbol, one, i, due[symbol])
            _fill_resting(trader, symbol, one, i, resting)
            if i > slow:
                _trade(trader, symbol, one, i, (fast, slow), resting)
        curve.append(_mark(trader, bars, i))
    return _tables(trader, bars, curve, fast, slow)


def _trade(trader: Trader, symbol: str, one: Bars, i: int, spans: Any, resting: Any) -> None:
    fast, slow = (one.close[i - n : i].mean() for n in spans)
    wanted = (1 if fast > slow else -1) * SYMBOLS[symbol][3] * 100
    held = trader.position.get(symbol, 0)
    if wanted * held > 0 or (held == 0 and symbol in resting):
        return
    previous = (
        one.close[i - spans[0] - 1 : i - 1].mean() > one.close[i - spans[1] - 1 : i - 1].mean()
    )
    if held == 0 and previous == (fast > slow):
        return  # took its profit; wait for the next cross
    if order := resting.pop(symbol, None):
        order |= {"status": "canceled", "ts_closed": int(one.ts_ns[i])}
    change = wanted - held
    side = 1 if change > 0 else -1
    unit = 10 ** SYMBOLS[symbol][1]
    mid = one.open[i]
    price = round(mid * unit) + side * (1 + abs(change) // 200)
    why = f"sma {spans[0]} crossed {'above' if wanted > 0 else 'below'} sma {spans[1]}"
    ts = int(one.ts_ns[i])
    order = _order(trader, symbol, side, "market", abs(change), 0, ts, why)
    order |= {"status": "filled", "filled_qty": abs(change), "ts_closed": ts + 2 * MS}
    _fill(trader, symbol, order, price, ts + MS, "path", float(mid), float(one.close[i - 1]))
    target = round(price * (1 + 0.025 * side))
    resting[symbol] = _order(trader, symbol, -side, "limit", abs(wanted), target, ts, "take profit")


def _fill_resting(trader: Trader, symbol: str, one: Bars, i: int, resting: Any) -> None:
    order = resting.get(symbol)
    if order is None or order["ts_created"] >= int(one.ts_ns[i]):
        return
    unit = 10 ** SYMBOLS[symbol][1]
    through = (
        one.high[i] * unit > order["price"]
        if order["side"] < 0
        else one.low[i] * unit < order["price"]
    )
    if through:
        del resting[symbol]
        order |= {"status": "filled", "filled_qty": order["qty"],
                  "ts_closed": int(one.ts_ns[i]) + MINUTE}  # fmt: skip
        price = order["price"]
        _fill(
            trader,
            symbol,
            order,
            price,
            int(one.ts_ns[i]) + MINUTE,
            "through",
            np.nan,
            price / unit,
        )


def _order(
    trader: Trader, symbol: str, side: int, kind: str, qty: int, price: int, ts: int, why: str
) -> dict[str, Any]:
    order = {
        "id": f"v{len(trader.orders):05}", "symbol": symbol, "side": side, "type": kind,
        "qty": qty, "price": price, "status": "accepted", "ts_created": ts, "ts_sent": ts,
        "ts_accepted": ts + MS, "ts_closed": 0, "filled_qty": 0, "why": why,
    }  # fmt: skip
    trader.orders.append(order)
    return order


def _fill(
    trader: Trader, symbol: str, order: Any, price: int, ts: int, kind: str, mid: float, wish: float
) -> None:
    _, price_scale, qty_scale, _ = SYMBOLS[symbol]
    is_maker = order["type"] == "limit"
    value = price * order["qty"] * UNIT // 10 ** (price_scale + qty_scale)
    fee = value * (MAKER if is_maker else TAKER) // 10**6
    trader.wallet -= fee
    trader.fees += fee
    trader.cash[symbol] = trader.cash.get(symbol, 0) - order["side"] * value
    trader.position[symbol] = trader.position.get(symbol, 0) + order["side"] * order["qty"]
    trader.fills.append({
        "ts_exchange": ts, "ts_recv": ts + MS, "symbol": symbol, "side": order["side"],
        "qty": order["qty"], "price": price, "fee": fee, "fee_asset": "USDT",
        "is_maker": is_maker, "order_id": order["id"], "trade_id": str(len(trader.fills)),
        "strategy": "sma_cross", "leg": "both", "arrival_mid": mid,
        "arrival_touch": mid + order["side"] / 10**price_scale,
        "decision_price": wish, "why": order["why"], "evidence": kind,
    })  # fmt: skip


def _pay_funding(trader: Trader, symbol: str, one: Bars, i: int, due: Any) -> None:
    held = trader.position.get(symbol, 0)
    while due and due[0][0] <= int(one.ts_ns[i]):
        ts, rate = due.pop(0)
        if held and ts == int(one.ts_ns[i]):
            value = Decimal(repr(float(one.open[i]))) * Decimal(held).scaleb(-SYMBOLS[symbol][2])
            amount = int(-value * rate * UNIT)
            trader.wallet += amount
            trader.funding += amount
            trader.payments.append(
                {"ts_ns": ts, "symbol": symbol, "amount": amount, "strategy": "sma_cross"}
            )


def _mark(trader: Trader, bars: Any, i: int) -> tuple[int, float, float, float, float]:
    values = [_value(trader, symbol, bars[symbol].close[i]) for symbol in bars]
    equity = trader.wallet + sum(trader.cash.values()) + sum(values)
    ts = int(next(iter(bars.values())).ts_ns[i]) + 15 * MINUTE
    return ts, equity / UNIT, trader.wallet / UNIT, sum(values) / UNIT, sum(map(abs, values)) / UNIT


def _value(trader: Trader, symbol: str, price: float) -> int:
    _, price_scale, qty_scale, _ = SYMBOLS[symbol]
    raw = round(price * 10**price_scale) * trader.position.get(symbol, 0)
    return raw * UNIT // 10 ** (price_scale + qty_scale)


def _tables(trader: Trader, bars: Any, curve: Any, fast: int, slow: int) -> RunTables:
    ts, equity, cash, value, exposure = (list(column) for column in zip(*curve, strict=True))
    size = min(one.ts_ns.size for one in bars.values())
    marks = sum(_value(trader, symbol, one.close[size - 1]) for symbol, one in bars.items())
    profit = sum(trader.cash.values()) + marks
    last = Decimal(trader.wallet + profit).scaleb(-8)
    first = Decimal(10_000)
    columns = {name: [fill[name] for fill in trader.fills] for name in trader.fills[0]}
    orders = {name: [order[name] for order in trader.orders] for name in trader.orders[0]}
    orders["strategy"] = ["sma_cross"] * len(trader.orders)
    paid = {n: [p[n] for p in trader.payments] for n in ("ts_ns", "symbol", "amount", "strategy")}
    order = np.argsort(np.array(columns["ts_exchange"]), kind="stable")
    columns = {name: [column[row] for row in order] for name, column in columns.items()}
    return RunTables(
        currency="USDT",
        equity=EquityCurve.of(
            ts_ns=ts, equity=equity, cash=cash, position_value=value, exposure=exposure,
            leverage=np.array(exposure) / np.array(equity), first=first, last=last,
        ),
        fills=Fills.of(**columns), orders=Orders.of(**orders), funding=FundingPayments.of(**paid),
        instruments={
            symbol: InstrumentFacts(symbol, "linear", row[1], row[2], "USDT")
            for symbol, row in SYMBOLS.items()
        },
        bars=bars, benchmark="BTC/USDT:USDT",
        ledger=[LedgerLine(
            "USDT", deposits=first, realised=Decimal(0), fees=Decimal(trader.fees).scaleb(-8),
            funding=Decimal(trader.funding).scaleb(-8), unrealised=Decimal(profit).scaleb(-8),
            equity=last,
        )],
        facts={
            "strategy": "sma_cross", "parameters": {"fast": fast, "slow": slow},
            "environment": "backtest", "seed": 7, "assumptions": ASSUMPTIONS,
            "models": {"fill": "bars, adaptive path", "latency": "zero",
                       "fees": "taker 5 bps, maker -0.5 bps"},
            "warnings": ["1 gap of 15 minutes in ETH/USDT:USDT was waived."],
            "digests": {"data": "4c1d90f2a7e65b38", "code": "9b41aa37c2d0e07c",
                        "engine": "51f0c6de8837ab42"},
            "data": {"kind": "bars", "interval": "15m", "rows": int(2 * size), "gaps": 1},
        },
        host={"run": "r-2611-0479", "veloz": "0.1.0"},
    )  # fmt: skip
