"""The rational ledger agrees with every golden accounting scenario, to the last digit.

The folder is `VELOZ_GOLDEN_ACCOUNTING`, else `tests/vectors/accounting`.
"""

from __future__ import annotations

import json
import os
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from oracle import margin
from oracle.books import COSTS, GAINS, Book, Order, Refused
from oracle.ledger import Ledger
from oracle.money import shown

pytestmark = pytest.mark.vectors

FOLDER = Path(
    os.environ.get("VELOZ_GOLDEN_ACCOUNTING", Path(__file__).parent / "vectors" / "accounting")
)
FILES = sorted(FOLDER.glob("*.json"))


def test_there_are_vectors() -> None:
    """An empty folder is a failure, not a pass."""
    assert FILES, f"no vector in {FOLDER}; set VELOZ_GOLDEN_ACCOUNTING"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    """Every field of every step."""
    vector = json.loads(path.read_text())
    ledger = start(vector)
    for step in vector["steps"]:
        where = f"{vector['id']} seq {step['seq']}"
        try:
            result = apply(ledger, step["event"])
        except Refused:
            assert "rejected" in step["result"], where
            result = step["result"]
        assert difference(step["result"], result, f"{where} result") is None
        for asset in ledger.scales:
            assert ledger.equity(asset) == ledger.equity_by_lines(asset), f"{where} {asset}"
        assert difference(step["state"], state(ledger, step["state"]), f"{where} state") is None


def start(vector: dict[str, Any]) -> Ledger:
    """The ledger of a vector's account before its first event."""
    account = vector["account"]
    return Ledger(
        {name: asset["scale"] for name, asset in vector["assets"].items()},
        vector["instruments"],
        hedge=account.get("position_mode") == "hedge",
        leverage=account.get("leverage"),
        isolated=frozenset(
            name for name, mode in account.get("margin_mode", {}).items() if mode == "isolated"
        ),
        reporting=account.get("reporting"),
    )


def apply(ledger: Ledger, event: dict[str, Any]) -> dict[str, Any]:
    """Feeds one event; returns what it did in the words of the vectors."""
    name = event.get("instrument", "")
    match event["type"]:
        case "deposit" if "unit_cost" in event:
            ledger.deposit_at_cost(name, event["amount"], event["unit_cost"])
        case "deposit":
            ledger.deposit(event["asset"], event["amount"])
        case "withdraw":
            ledger.withdraw(event["asset"], event["amount"])
        case "mark":
            ledger.mark(name, event["price"])
        case "rate":
            ledger.rate(event["asset"], event["price"])
        case "funding":
            return {"funding": ledger.funding(name, event["rate"], event["mark"])}
        case "fill":
            return ledger.fill(
                name,
                event["side"],
                event["qty"],
                event["price"],
                fee=event.get("fee"),
                leg=event.get("position_side", "BOTH"),
                reduce_only=event.get("reduce_only", False),
                order_id=event.get("order_id"),
                strategy=event.get("strategy"),
            )
        case "order_open":
            return order_open(ledger, event)
        case "order_close":
            ledger.order_close(event["order_id"])
        case "transfer_margin":
            name, leg = event["position"].rsplit(":", 1)
            ledger.transfer_margin(name, leg, event["amount"])
        case "leverage":
            ledger.leverages[name] = Fraction(event["leverage"])
        case "liquidation":
            leg = event.get("position_side", "BOTH")
            return dict(ledger.liquidation(name, event["price"], event.get("qty"), leg))
        case "settle":
            return ledger.settle(name, event["price"], event["fee_rate"])
        case "borrow":
            ledger.borrow(event["asset"], event["amount"])
        case "repay":
            ledger.repay(event["asset"], event["amount"])
        case "interest":
            charged = ledger.interest(
                event["asset"], event["principal"], event["hourly_rate"], event["hours"]
            )
            return {"interest": charged}
        case "convert":
            got, fee = ledger.convert(
                event["from"], event["to"], event["amount"], event["price"], event["fee_rate"]
            )
            return {"received": got, "fee": fee, "fee_asset": event["to"]}
        case "internal_cross":
            ledger.internal_cross(
                name, event["buyer"], event["seller"], event["qty"], event["price"]
            )
        case other:
            pytest.fail(f"the oracle knows no event {other!r}")
    return {}


def order_open(ledger: Ledger, event: dict[str, Any]) -> dict[str, Any]:
    """Opens an order and says what it takes."""
    name, spec = event["instrument"], ledger.instruments[event["instrument"]]
    qty, price = Fraction(event["qty"]), Fraction(event["price"])
    leg = event.get("position_side", "BOTH")
    order = Order(name, event["side"], qty, price, leg, event.get("reduce_only", False))
    coin = spec["quote"] if event["side"] == "buy" else spec["base"]
    before = ledger.locked(coin)
    ledger.order_open(event["order_id"], order)
    if spec["kind"] == "spot":
        return {"locked": ledger.locked(coin) - before}
    if not order.opens or name not in ledger.leverages:
        return {}
    decimals = ledger.scales[spec["settle"]]
    initial = abs(ledger.value(name, qty, price)) / ledger.leverages[name]
    signed = qty if event["side"] == "buy" else -qty
    loss = Fraction(0)
    if name in ledger.marks:
        loss = ledger.value(name, signed, price) - ledger.value(name, signed, ledger.marks[name])
    initial = margin.cut(initial, decimals)
    loss = margin.cut(max(loss, Fraction(0)), decimals)
    return {"order_initial_margin": initial, "open_loss": loss, "order_cost": initial + loss}


def state(ledger: Ledger, expected: dict[str, Any]) -> dict[str, Any]:
    """The ledger in the words of a vector's `state`."""
    figures: dict[str, Any] = {
        "balances": {
            asset: {
                "wallet": ledger.wallet(asset),
                "locked": ledger.locked(asset),
                "free": ledger.wallet(asset) - ledger.locked(asset),
                "liability": ledger.liability[asset],
            }
            for asset in ledger.scales
        },
        "positions": {},
        "totals": {},
    }
    for (name, leg), book in ledger.books.items():
        spec = ledger.instruments[name]
        row = book_figures(ledger, name, book) | {"fees": book.fees}
        if spec["kind"] == "spot":
            figures["positions"][name] = row
            continue
        row["funding"] = book.funding
        if name in ledger.isolated:
            row["isolated_wallet"] = book.isolated
        if book.qty and name in ledger.marks:
            row |= margin.position_figures(ledger, name, book)
        figures["positions"][f"{name}:{leg}"] = row
    settles = {s["settle"] for s in ledger.instruments.values() if s["kind"] != "spot"}
    for asset in ledger.scales:
        row = {line: ledger.lines[asset][line] for line in (*GAINS, *COSTS)}
        row |= {
            "rounding": ledger.rounding(asset),
            "wallet": ledger.wallet(asset),
            "unrealised": ledger.profit(asset),
            "equity": ledger.equity(asset),
        }
        if asset in settles:
            row |= margin.pool_figures(ledger, asset)
        figures["totals"][asset] = row
    if ledger.reporting:
        figures["reporting"] = reporting(ledger)
    if "strategies" in expected:
        figures["strategies"] = {
            name: {
                "positions": {
                    symbol: book_figures(ledger, symbol, book) | {"rounding": book.rounding}
                    for (symbol, _), book in owner.books.items()
                },
                "fees": {a: v for a, v in owner.fees.items() if v},
                "funding": {a: v for a, v in owner.funding.items() if v},
            }
            for name, owner in ledger.strategies.items()
        }
    return figures


def reporting(ledger: Ledger) -> dict[str, Any]:
    """The lines in the reporting currency; equity is computed from the balances."""
    used = [a for a in ledger.scales if a in ledger.rates]
    row: dict[str, Any] = {line: ledger.report[line] for line in (*GAINS, *COSTS, "revaluation")}
    row["unrealised"] = sum((ledger.profit(a) * ledger.rates[a] for a in used), Fraction(0))
    row["equity"] = sum((ledger.equity(a) * ledger.rates[a] for a in used), Fraction(0))
    gains = sum((row[line] for line in (*GAINS, "revaluation", "unrealised")), Fraction(0))
    assert row["equity"] == gains - sum((row[line] for line in COSTS), Fraction(0))
    return row | {"currency": ledger.reporting}


def book_figures(ledger: Ledger, name: str, book: Book) -> dict[str, Any]:
    """What a vector states about any book."""
    average = None
    if book.qty:
        unit = ledger.value(name, book.qty, Fraction(1))
        inverse = ledger.instruments[name]["kind"] == "inverse"
        average = unit / book.cost if inverse else book.cost / unit
    return {
        "qty": book.qty,
        "cost": book.cost,
        "avg_entry": shown(average, ledger.instruments[name]["price_scale"] + 6),
        "realised": book.realised,
        "unrealised": ledger.unrealised(name, book),
    }


def difference(expected: Any, actual: Any, path: str) -> str | None:
    """The first field that differs, compared as exact numbers; None if all agree."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted(expected.keys() | actual.keys()):
            if key not in expected or key not in actual:
                return f"{path}/{key}: only on one side"
            if found := difference(expected[key], actual[key], f"{path}/{key}"):
                return found
        return None
    if isinstance(expected, list):
        same = sorted(expected) == sorted(actual)
    elif isinstance(expected, str) and isinstance(actual, Fraction):
        same = Fraction(expected) == actual
    else:
        same = expected == actual
    return None if same else f"{path}: expected {expected}, found {actual}"
