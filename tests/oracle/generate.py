"""Writes random scenarios in the format of the accounting vectors, with the oracle's answers.

The core runs them with `VELOZ_GOLDEN_ACCOUNTING` set to the folder, so the two independent forms
of the rules can be compared on any number of runs:

    cd tests && python -m oracle.generate FOLDER RUNS SEED
"""

from __future__ import annotations

import json
import random
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

from oracle.books import Refused
from oracle.ledger import Ledger
from test_accounting_oracle import apply, start, state

TIERS = {
    "linear": [("0", "20000", "0.004"), ("20000", "90000", "0.005"), ("90000", None, "0.0325")],
    "inverse": [("0", "2", "0.004"), ("2", "7", "0.0065"), ("7", None, "0.025")],
}


def plain(value: Fraction) -> str:
    """A fraction with a finite expansion as decimal text."""
    scaled = value * 10**26
    assert scaled.denominator == 1, value
    digits = f"{abs(scaled.numerator):027d}"
    return f"{'-' if value < 0 else ''}{digits[:-26]}.{digits[-26:]}"


def texts(value: Any) -> Any:
    """A state with every fraction as text."""
    if isinstance(value, Fraction):
        return plain(value)
    if isinstance(value, dict):
        return {key: texts(item) for key, item in value.items()}
    return value


def tiers(kind: str) -> list[dict[str, str | None]]:
    """Continuous maintenance tiers."""
    rows: list[dict[str, str | None]] = []
    amount, previous = Fraction(0), Fraction(0)
    for floor, cap, rate in TIERS[kind]:
        amount += Fraction(floor) * (Fraction(rate) - previous)
        previous = Fraction(rate)
        amount = Fraction(0) if floor == "0" else amount
        row = {"floor": floor, "cap": cap, "rate": rate, "amount": plain(amount)}
        rows.append(row | {"max_leverage": "20"})
    return rows


class Scenario:
    """One random account and its events.

    Args:
        seed: Names the scenario; the same seed gives the same file.
    """

    def __init__(self, seed: int) -> None:
        """See the class."""
        self.dice = random.Random(seed)
        pick = self.dice.choice
        self.hedge = pick([False, False, True])
        self.owners: list[str | None] = pick([[None], ["a", "b", "c"]])
        names = {
            "LIN": {
                "kind": "linear",
                "base": "BTC",
                "quote": "USDT",
                "settle": "USDT",
                "price_scale": pick([1, 2, 5]),
                "qty_scale": pick([0, 3]),
                "multiplier": pick(["1", "0.01", "0.001"]),
            },
            "INV": {
                "kind": "inverse",
                "base": "BTC",
                "quote": "USD",
                "settle": "BTC",
                "price_scale": 1,
                "qty_scale": 0,
                "face": pick(["1", "10", "100"]),
            },
            "SPOT": {
                "kind": "spot",
                "base": "BTC",
                "quote": "USDT",
                "price_scale": 2,
                "qty_scale": pick([4, 8]),
            },
        }
        for spec in names.values():
            if spec["kind"] != "spot":
                spec["tiers"] = tiers(str(spec["kind"]))
                spec["liquidation_fee_rate"] = "0.0125"
        isolated = [n for n in ("LIN", "INV") if self.dice.random() < 0.3]
        self.vector: dict[str, Any] = {
            "id": f"generated-{seed}",
            "title": "generated",
            "tags": ["generated"],
            "assets": {"USDT": {"scale": 8}, "BTC": {"scale": 8}, "BNB": {"scale": pick([6, 8])}},
            "instruments": names,
            "account": {
                "position_mode": "hedge" if self.hedge else "one_way",
                "leverage": {"LIN": pick(["3", "7", "10"]), "INV": pick(["3", "20"])},
                "margin_mode": {n: "isolated" if n in isolated else "cross" for n in names},
            },
            "steps": [],
        }
        if self.dice.random() < 0.5:
            self.vector["account"]["reporting"] = "USDT"
        self.price = 30000.0
        self.orders = 0
        self.placed: list[dict[str, Any]] = []

    def events(self, count: int) -> list[dict[str, Any]]:
        """The scenario's events in order."""
        rows: list[dict[str, Any]] = [
            {"type": "rate", "asset": "BTC", "price": "30000.5"},
            {"type": "rate", "asset": "BNB", "price": "301.25"},
            {"type": "deposit", "asset": "USDT", "amount": "100000"},
            {"type": "deposit", "asset": "BNB", "amount": "0.75"},
            {"type": "deposit", "asset": "BTC", "amount": "7.00000001"},
            {
                "type": "deposit",
                "asset": "BTC",
                "amount": "0.5",
                "instrument": "SPOT",
                "unit_cost": "30000.01",
            },
        ]
        return rows + [self.event() for _ in range(count)]

    def event(self) -> dict[str, Any]:
        """One random event; the ledger may refuse it."""
        self.price *= self.dice.uniform(0.985, 1.015)
        name = self.dice.choice(["LIN", "LIN", "INV", "SPOT"])
        roll = self.dice.random()
        mark = f"{self.price:.{self.dice.choice([2, 8])}f}"
        if roll < 0.55:
            return self.fill(name)
        if roll < 0.7:
            return {"type": "mark", "instrument": name, "price": mark}
        if roll < 0.76 and name != "SPOT":
            rate = f"{self.dice.uniform(-0.001, 0.001):.8f}"
            return {"type": "funding", "instrument": name, "rate": rate, "mark": mark}
        if roll < 0.8:
            return {"type": "rate", "asset": "BTC", "price": mark}
        if roll < 0.83:
            amount = f"{self.dice.uniform(0.00000001, 900):.8f}"
            kind = self.dice.choice(["deposit", "withdraw"])
            return {"type": kind, "asset": "USDT", "amount": amount}
        if roll < 0.9:
            return self.order(name)
        if roll < 0.93 and self.orders:
            return {"type": "order_close", "order_id": str(self.dice.randint(1, self.orders))}
        if roll < 0.96 and name != "SPOT":
            leg = self.leg()
            amount = f"{self.dice.uniform(-0.01, 0.02):.8f}"
            return {"type": "transfer_margin", "position": f"{name}:{leg}", "amount": amount}
        if self.owners == [None] and name != "SPOT":
            row = {"type": "liquidation", "instrument": name, "price": self.limit(name)}
            return row | {"position_side": self.leg()}
        return {
            "type": "convert",
            "from": "USDT",
            "to": "BNB",
            "amount": "1.23456789",
            "price": "0.00331234",
            "fee_rate": "0.02",
        }

    def leg(self) -> str:
        """A leg that exists in the position mode."""
        return self.dice.choice(["LONG", "SHORT"]) if self.hedge else "BOTH"

    def limit(self, name: str) -> str:
        """A price near the market, on the instrument's scale."""
        decimals = self.vector["instruments"][name]["price_scale"]
        return f"{self.price * self.dice.uniform(0.99, 1.01):.{decimals}f}"

    def qty(self, name: str) -> str:
        """A quantity worth some hundreds to tens of thousands."""
        spec = self.vector["instruments"][name]
        worth = self.dice.choice([300, 5000, 40000]) * self.dice.uniform(0.2, 1.5)
        if spec["kind"] == "inverse":
            return str(max(1, int(worth / float(spec["face"]))))
        unit = float(spec.get("multiplier", "1")) * self.price
        size = f"{worth / unit:.{spec['qty_scale']}f}"
        return size if float(size) > 0 else "1"

    def fill(self, name: str) -> dict[str, Any]:
        """A fill with a random owner and kind of fee."""
        side = self.dice.choice(["buy", "sell"])
        row: dict[str, Any] = {
            "type": "fill",
            "instrument": name,
            "side": side,
            "qty": self.qty(name),
            "price": self.limit(name),
            "liquidity": "taker",
        }
        if self.hedge and name != "SPOT":
            row["position_side"] = self.leg()
        if self.dice.random() < 0.15 and name != "SPOT":
            row["reduce_only"] = True
        owner = self.dice.choice(self.owners)
        if owner:
            row["strategy"] = owner
        if self.orders and self.dice.random() < 0.2:
            number = self.dice.randint(1, self.orders)
            order = self.placed[number - 1]
            if order["instrument"] == name and order["side"] == side:
                row["order_id"] = str(number)
        kind = self.dice.random()
        rate = self.dice.choice(["0.0005", "0.00045", "-0.00005", "0.0000375"])
        if kind < 0.5:
            row["fee"] = {"rate": rate}
        elif kind < 0.65:
            row["fee"] = {"rate": "0.0005", "discount": "0.1", "asset": "BNB"}
            row["fee"]["asset_price"] = "301.25"
        elif kind < 0.8 and name == "SPOT":
            row["fee"] = {"rate": rate, "asset": "BTC" if side == "buy" else "USDT"}
        return row

    def order(self, name: str) -> dict[str, Any]:
        """A new open order."""
        self.orders += 1
        row: dict[str, Any] = {
            "type": "order_open",
            "order_id": str(self.orders),
            "instrument": name,
            "side": self.dice.choice(["buy", "sell"]),
            "qty": self.qty(name),
            "price": self.limit(name),
        }
        if self.hedge and name != "SPOT":
            row["position_side"] = self.leg()
        if self.dice.random() < 0.2:
            row["reduce_only"] = True
        self.placed.append(row)
        return row


def possible(ledger: Ledger, event: dict[str, Any]) -> bool:
    """False for events that only a careless caller would send: nothing is stated about them."""
    if event["type"] == "liquidation":
        key = (event["instrument"], event["position_side"])
        return key in ledger.books and ledger.books[key].qty != 0
    if event["type"] == "fill" and "order_id" in event:
        order = ledger.orders.get(event["order_id"])
        legs = order is not None and order.leg == event.get("position_side", "BOTH")
        return legs and order.qty >= Fraction(event["qty"])
    return True


def scenario(seed: int, count: int = 60) -> dict[str, Any]:
    """A vector with the oracle's answers."""
    made = Scenario(seed)
    ledger = start(made.vector)
    for event in made.events(count):
        if not possible(ledger, event):
            continue
        try:
            result = texts(apply(ledger, event))
        except Refused as why:
            result = {"rejected": str(why)}
        expected = {"strategies": {}} if made.owners != [None] else {}
        step = {"seq": len(made.vector["steps"]) + 1, "event": event, "result": result}
        made.vector["steps"].append(step | {"state": texts(state(ledger, expected))})
    return made.vector


if __name__ == "__main__":
    folder, runs, first = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + runs):
        (folder / f"generated-{seed}.json").write_text(json.dumps(scenario(seed)))
