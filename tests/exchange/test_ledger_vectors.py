"""The exchange's Decimal ledger agrees with every golden accounting scenario, to the last digit.

The folder is `VELOZ_GOLDEN_ACCOUNTING`, else `tests/vectors/accounting`.
"""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from veloz.exchange import margin
from veloz.exchange.holding import Deal, Holding, Outcome, Terms, worth
from veloz.exchange.ledger import COSTS, GAINS, Commitment, Ledger, closes
from veloz.exchange.listing import Listing, Lot, Tier
from veloz.exchange.money import COST_DECIMALS, ZERO, cut, exactly, ratio, shown
from veloz.exchange.words import Market, PositionSide, Refusal, Side

pytestmark = pytest.mark.vectors

FOLDER = Path(
    os.environ.get("VELOZ_GOLDEN_ACCOUNTING", Path(__file__).parents[1] / "vectors" / "accounting")
)
FILES = sorted(FOLDER.glob("*.json"))
KINDS = {"spot": Market.SPOT, "linear": Market.USDM, "inverse": Market.COINM}


def test_there_are_vectors() -> None:
    """An empty folder is a failure, not a pass."""
    assert len(FILES) >= 50 or "VELOZ_GOLDEN_ACCOUNTING" in os.environ
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    """Every field of every step."""
    run(json.loads(path.read_text()))


@exactly
def run(vector: dict[str, Any]) -> None:
    ledger = start(vector)
    for step in vector["steps"]:
        where = f"{vector['id']} seq {step['seq']}"
        try:
            result = apply(ledger, step["event"])
        except Refusal:
            assert "rejected" in step["result"], where
            result = step["result"]
        assert difference(step["result"], result, f"{where} result") is None
        for asset in ledger.scales:
            assert ledger.equity(asset) == ledger.equity_by_lines(asset), f"{where} {asset}"
        assert difference(step["state"], state(ledger, step["state"]), f"{where} state") is None


def number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def listing(name: str, spec: dict[str, Any]) -> Listing:
    """A listing in the words of the vectors: only what the ledger reads matters."""
    size = spec.get("face", spec.get("multiplier", "1"))
    lot = Lot(ZERO, ZERO, ZERO)
    made = Listing(
        KINDS[spec["kind"]],
        name,
        spec["base"],
        spec["quote"],
        spec.get("settle", spec["quote"]),
        tick=ZERO,
        min_price=ZERO,
        max_price=ZERO,
        lot=lot,
        market_lot=lot,
        contract_size=Decimal(size),
        price_precision=spec["price_scale"],
        liquidation_fee=Decimal(spec.get("liquidation_fee_rate", "0")),
        tiers=tuple(
            Tier(Decimal(t["floor"]), number(t["cap"]), Decimal(t["rate"]), Decimal(t["amount"]))
            for t in spec.get("tiers", ())
        ),
    )
    margin.check_tiers(made)
    return made


def start(vector: dict[str, Any]) -> Ledger:
    """The ledger of a vector's account before its first event."""
    account = vector["account"]
    ledger = Ledger(
        {name: listing(name, spec) for name, spec in vector["instruments"].items()},
        {},
        {name: asset["scale"] for name, asset in vector["assets"].items()},
        hedge=account.get("position_mode") == "hedge",
        reporting=account.get("reporting") or "",
    )
    ledger.leverages = {name: int(x) for name, x in account.get("leverage", {}).items()}
    modes = account.get("margin_mode", {})
    ledger.isolated = {name for name, mode in modes.items() if mode == "isolated"}
    return ledger


def apply(ledger: Ledger, event: dict[str, Any]) -> dict[str, Any]:
    """Feeds one event; returns what it did in the words of the vectors."""
    name, kind = event.get("instrument", ""), event["type"]
    leg = PositionSide(event.get("position_side", "BOTH"))
    n = {k: Decimal(v) for k, v in event.items() if k in NUMBERS}
    match kind:
        case "deposit" if "unit_cost" in event:
            ledger.deposit_at_cost(name, n["amount"], n["unit_cost"])
        case "deposit":
            ledger.deposit(event["asset"], n["amount"])
        case "withdraw":
            ledger.withdraw(event["asset"], n["amount"])
        case "mark":
            ledger.marks[name] = n["price"]
        case "rate":
            ledger.rate(event["asset"], n["price"])
        case "funding":
            return {"funding": sum(ledger.funding(name, n["rate"], n["mark"]).values(), ZERO)}
        case "fill":
            return fill(ledger, event, leg)
        case "order_open":
            return order_open(ledger, event, leg)
        case "order_close":
            ledger.close_order(event["order_id"])
        case "transfer_margin":
            name, side = event["position"].rsplit(":", 1)
            ledger.move_margin(name, PositionSide(side), n["amount"])
        case "leverage":
            ledger.leverages[name] = int(event["leverage"])
        case "liquidation":
            seized = ledger.liquidate(name, leg, n["price"], n.get("qty"))
            figures = {f: getattr(seized, f) for f in ("qty", "realised", "clearance", "insurance")}
            return figures | {"closed": seized.qty, "opened": ZERO}
        case "settle":
            return contract_result(ledger.settle(name, leg, n["price"], n["fee_rate"]))
        case "borrow":
            ledger.borrow(event["asset"], n["amount"])
        case "repay":
            ledger.repay(event["asset"], n["amount"])
        case "interest":
            hours = int(event["hours"])
            charged = ledger.interest(event["asset"], n["principal"], n["hourly_rate"], hours)
            return {"interest": charged}
        case "convert":
            source, target = event["from"], event["to"]
            got, fee = ledger.convert(source, target, n["amount"], n["price"], n["fee_rate"])
            return {"received": got, "fee": fee, "fee_asset": target}
        case "internal_cross":
            names = (event["buyer"], event["seller"])
            scale = ledger.scale(ledger.listings[name].settle)
            traded = (n["qty"], n["price"])
            ledger.owners.cross((name, leg), ledger.listings[name], names, traded, scale)
        case other:
            pytest.fail(f"no event {other!r}")
    return {}


NUMBERS = {"amount", "unit_cost", "price", "qty", "rate", "mark", "fee_rate", "principal"} | {
    "hourly_rate"
}


def contract_result(outcome: Outcome) -> dict[str, Any]:
    names = ("qty", "closed", "opened", "realised", "fee", "fee_asset")
    return {name: getattr(outcome, name) for name in names}


def fill(ledger: Ledger, event: dict[str, Any], leg: PositionSide) -> dict[str, Any]:
    fee, name = event.get("fee"), event["instrument"]
    terms = None
    if fee is not None:
        terms = Terms(
            rate=Decimal(fee.get("rate", "0")),
            asset=fee.get("asset", ""),
            discount=Decimal(fee.get("discount", "0")),
            asset_price=number(fee.get("asset_price")),
            amount=number(fee.get("amount")),
        )
    outcome = ledger.fill(
        Deal(
            name, Side(event["side"].upper()), Decimal(event["qty"]), Decimal(event["price"]), leg
        ),
        terms=terms,
        reduce_only=event.get("reduce_only", False),
        order_id=event.get("order_id", ""),
        owner=event.get("strategy") or "",
    )
    result = contract_result(outcome)
    if fee is None:
        del result["fee"], result["fee_asset"]
    if ledger.listings[name].market is Market.SPOT:
        del result["closed"], result["opened"]
        result["quote_amount"] = outcome.quote_amount
    return result


def order_open(ledger: Ledger, event: dict[str, Any], leg: PositionSide) -> dict[str, Any]:
    """Opens an order and says what it takes."""
    name, side = event["instrument"], Side(event["side"].upper())
    spec = ledger.listings[name]
    qty, price = Decimal(event["qty"]), Decimal(event["price"])
    closing = event.get("reduce_only", False) or closes(leg, side)
    order = Commitment(name, side, qty, price, leg, closing)
    ledger.open_order(event["order_id"], order)
    if spec.market is Market.SPOT:
        return {"locked": ledger.lock_of(order)[1]}
    if closing or name not in ledger.leverages:
        return {}
    scale = ledger.scale(spec.settle)
    initial = cut(ratio(worth(spec, qty, price), Decimal(ledger.leverages[name])), scale)
    loss = margin.open_loss(ledger, order)
    loss = cut(loss, scale)
    return {"order_initial_margin": initial, "open_loss": loss, "order_cost": initial + loss}


def state(ledger: Ledger, expected: dict[str, Any]) -> dict[str, Any]:
    """The ledger in the words of a vector's `state`."""
    figures: dict[str, Any] = {
        "balances": {
            asset: {
                "wallet": ledger.wallet(asset),
                "locked": ledger.locks[asset],
                "free": ledger.wallet(asset) - ledger.locks[asset],
                "liability": ledger.liability[asset],
            }
            for asset in ledger.scales
        },
        "positions": {},
        "totals": {},
    }
    for (name, leg), holding in ledger.holdings.items():
        row = book_figures(ledger, name, holding) | {"fees": holding.fees}
        if ledger.listings[name].market is Market.SPOT:
            figures["positions"][name] = row
            continue
        row["funding"] = holding.funding
        if name in ledger.isolated:
            row["isolated_wallet"] = holding.isolated
        if holding.qty and name in ledger.marks:
            row |= position_figures(ledger, name, holding)
        figures["positions"][f"{name}:{leg.value}"] = row
    settles = {s.settle for s in ledger.listings.values() if s.market is not Market.SPOT}
    for asset in ledger.scales:
        row = {line: ledger.lines[asset][line] for line in (*GAINS, *COSTS)}
        row |= {
            "rounding": ledger.rounding(asset),
            "wallet": ledger.wallet(asset),
            "unrealised": ledger.profit(asset),
            "equity": ledger.equity(asset),
        }
        figures["totals"][asset] = row | (pool_figures(ledger, asset) if asset in settles else {})
    if ledger.reporting:
        figures["reporting"] = reporting(ledger)
    if "strategies" in expected:
        figures["strategies"] = strategies(ledger)
    return figures


def strategies(ledger: Ledger) -> dict[str, Any]:
    return {
        name: {
            "positions": {
                symbol: book_figures(ledger, symbol, book) | {"rounding": book.rounding}
                for (symbol, _), book in owner.books.items()
            },
            "fees": {a: v for a, v in owner.fees.items() if v},
            "funding": {a: v for a, v in owner.funding.items() if v},
        }
        for name, owner in ledger.owners.by_name.items()
    }


def reporting(ledger: Ledger) -> dict[str, Any]:
    """The lines in the reporting currency; equity is computed from the balances."""
    report = ledger.reporting
    assert report is not None
    used = [a for a in ledger.scales if a in report.rates]
    row: dict[str, Any] = {line: report.lines[line] for line in (*GAINS, *COSTS, "revaluation")}
    row["unrealised"] = sum((ledger.profit(a) * report.rates[a] for a in used), ZERO)
    row["equity"] = sum((ledger.equity(a) * report.rates[a] for a in used), ZERO)
    gains = sum((row[line] for line in (*GAINS, "revaluation", "unrealised")), ZERO)
    assert row["equity"] == gains - sum((row[line] for line in COSTS), ZERO)
    return row | {"currency": report.currency}


def position_figures(ledger: Ledger, name: str, holding: Holding) -> dict[str, Any]:
    spec = ledger.listings[name]
    scale, decimals = ledger.scale(spec.settle), spec.price_precision + 6
    size = margin.notional(ledger, name, holding)
    prices = {
        "liquidation_price": margin.liquidation_price(ledger, name, holding),
        "bankruptcy_price": margin.bankruptcy_price(ledger, name, holding),
    }
    figures: dict[str, Any] = {
        "notional": cut(size, COST_DECIMALS),
        "tier": margin.tier_of(spec, size)[0],
        "maintenance_margin": cut(margin.maintenance(spec, size), scale),
    } | {k: None if v is None else shown(v, decimals) for k, v in prices.items()}
    if name in ledger.leverages:
        initial = ratio(size, Decimal(ledger.leverages[name]))
        figures["initial_margin"] = cut(initial, scale)
    return figures


def pool_figures(ledger: Ledger, asset: str) -> dict[str, Any]:
    pool, scale = margin.pool(ledger, asset), ledger.scale(asset)
    return {
        "cross_wallet": ledger.cross[asset],
        "cross_margin_balance": pool.balance,
        "cross_maintenance_margin": cut(pool.maintenance, scale),
        "cross_position_initial_margin": cut(pool.initial, scale),
        "open_order_initial_margin": cut(pool.orders, scale),
        "available": max(ZERO, cut(pool.available, scale)),
        "cross_liquidatable": pool.is_broke,
        "isolated_liquidatable": [f"{n}:{leg.value}" for n, leg in margin.broke(ledger, asset)],
    }


def book_figures(ledger: Ledger, name: str, holding: Holding) -> dict[str, Any]:
    """What a vector states about any book."""
    spec = ledger.listings[name]
    average = holding.average(spec)
    return {
        "qty": holding.qty,
        "cost": holding.cost,
        "avg_entry": None if average is None else shown(average, spec.price_precision + 6),
        "realised": holding.realised,
        "unrealised": ledger.unrealised(name, holding),
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
    elif isinstance(expected, str) and isinstance(actual, Decimal):
        same = Decimal(expected) == actual
    else:
        same = expected == actual
    return None if same else f"{path}: expected {expected}, found {actual}"
