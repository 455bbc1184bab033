"""The engine's money against the oracle's: random orders, the run's own fills, the last unit.

The oracle (`tests/oracle`) is another implementation, in rational numbers. It is fed with what the
venue reported: fills and funding instants. Wallet, equity and position must be the same.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import veloz as vz

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from oracle.ledger import Ledger

SYMBOLS = {
    "linear": "binance:BTC/USDT:USDT",
    "inverse": "binance:BTC/USD:BTC",
    "spot": "binance:BTC/USDT",
}
FEE = "0.00047"


class Random(vz.Strategy):
    """Trades by its dice: market, limit and stop orders, amendments and cancels."""

    symbol = vz.Symbol("binance:BTC/USDT:USDT")
    lots = vz.Int(9, 1, 1000)
    unit = vz.Qty("0.001")
    bars = vz.Bars("symbol", "1h")

    def on_bar(self, bar):
        dice = self.random
        for _ in range(dice.randint(0, 3)):
            side = dice.choice(["buy", "sell"])
            qty = self.unit * dice.randint(1, self.lots)
            price = round(bar.close + dice.uniform(-2, 2), 2)
            kind = dice.choice(["market", "limit", "stop", "target", "cancel", "amend"])
            if kind == "market":
                self.place_order(self.symbol, side, "market", qty)
            elif kind == "limit":
                self.place_order(self.symbol, side, "limit", qty, price)
            elif kind == "stop":
                away = 1.5 if side == "buy" else -1.5
                at = round(bar.close + away, 2)
                self.place_order(self.symbol, side, "stop", qty, trigger_price=at)
            elif kind == "target" and "USDT:" in self.symbol:
                self.target(self.symbol, qty if side == "buy" else -qty)
            elif kind == "cancel":
                self.cancel_all(self.symbol)
            else:
                for order in self.open_orders(self.symbol)[:1]:
                    if order.type == "limit":
                        self.amend_order(order, qty=qty)


def kit_of(kind: str, seed: int, steps: list[int], rates: list[int]) -> Any:
    unit = {"linear": "0.001", "spot": "0.001", "inverse": "1"}[kind]
    kit = vz.test(Random, symbol=SYMBOLS[kind], unit=unit)
    balance = {"linear": "5000 USDT", "inverse": "50 BTC", "spot": "5000 USDT, 20 BTC"}[kind]
    kit.setup(fees=FEE, balance=balance, seed=seed)
    price, candles = 100.0, []
    for step in steps:
        opened, price = price, max(1.0, round(price + step / 100, 2))
        high = round(max(opened, price) + abs(step) / 100, 2)
        low = round(max(0.5, min(opened, price) - 0.31), 2)
        candles.append((opened, high, low, price))
    kit.bars(candles)
    if kind != "spot" and rates:
        times = [(f"{hour}h", Decimal(rate).scaleb(-5)) for hour, rate in enumerate(rates, 1)]
        kit.funding([(at, rate, 100 + n) for n, (at, rate) in enumerate(times)])
    return kit


def spec_of(kind: str) -> dict[str, Any]:
    contract = {"inverse": {"face": "100", "settle": "BTC"}, "linear": {"settle": "USDT"}}
    quote = "USD" if kind == "inverse" else "USDT"
    scale = {"price_scale": 2, "qty_scale": 0 if kind == "inverse" else 3}
    return {"kind": kind, "base": "BTC", "quote": quote, **scale, **contract.get(kind, {})}


@pytest.mark.parametrize("kind", list(SYMBOLS))
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    steps=st.lists(st.integers(-300, 300), min_size=20, max_size=60),
    rates=st.lists(st.integers(-30, 30), max_size=15),
)
def test_wallet_and_equity_are_the_oracles(
    kind: str, seed: int, steps: list[int], rates: list[int]
) -> None:
    kit = kit_of(kind, seed, steps, rates)
    run = kit.run
    ledger = Ledger({"USDT": 8, "BTC": 8}, {"it": spec_of(kind)})
    for asset, amount in run.facts.config["balance"].items():
        ledger.deposit(asset, amount)
    table = run.tables.fills
    events: list[tuple[int, int, Any]] = [
        (fill.ts_ns, 1, (fill, str(table.fee_asset[at]))) for at, fill in enumerate(kit.fills)
    ]
    # Of one instant funding comes first: it is due on the position before.
    due = kit._series.get((SYMBOLS[kind], "funding"), [])
    last = run.counts["ended_ns"]
    events += [(row["ts_exchange"], 0, row) for row in due if row["ts_exchange"] <= last]
    for _, rank, event in sorted(events, key=lambda one: one[:2]):
        if rank == 0:
            rate, mark = Fraction(event["rate"], 10**18), Fraction(event["mark"], 10**8)
            ledger.funding("it", rate, mark)
        else:
            fill, asset = event
            fee = {"rate": FEE, "asset": asset}
            ledger.fill("it", fill.side, fill.qty, fill.price, fee=fee)
    close = kit._series[SYMBOLS[kind], "bar_1h"][-1]["close"]
    ledger.mark("it", Fraction(close, 100))
    lines = kit.session._core.ledger()
    for asset in {"linear": ["USDT"], "inverse": ["BTC"], "spot": ["USDT", "BTC"]}[kind]:
        assert Fraction(lines[asset]["wallet"]) == ledger.wallet(asset), asset
    if kind == "spot":
        return
    settle = {"linear": "USDT", "inverse": "BTC"}[kind]
    assert ledger.position("it").qty == Fraction(run.positions.get(SYMBOLS[kind], 0))
    # The report's equity has 18 decimals; the oracle's is exact.
    assert abs(Fraction(run.final_equity) - ledger.equity(settle)) < Fraction(1, 10**8)


def test_the_property_is_not_empty() -> None:
    counts = {kind: kit_of(kind, 3, [50, -70, 120, -90] * 12, [10] * 12) for kind in SYMBOLS}
    assert all(kit.run.fills_count > 15 for kit in counts.values())
    assert all(kit.run.tables.funding.ts_ns.size > 3 for k, kit in counts.items() if k != "spot")
