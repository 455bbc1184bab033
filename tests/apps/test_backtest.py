"""`veloz backtest`: figures, a folder that can be read again, and JSON that keeps its shape."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest
from tests.apps.conftest import SYMBOL, checked

from veloz.apps.backtest import plain_decimal

FILES = {
    "config.json", "run.json", "metrics.json", "tables.json", "report.html", "trading-000001.vj",
    "fills.parquet", "orders.parquet", "equity.parquet", "funding.parquet", "bars-0.parquet",
}  # fmt: skip


def test_text_says_what_came_out_and_where_it_is(veloz, catalogue, cross, tmp_path) -> None:
    ended = veloz("backtest", cross, "--data", catalogue)
    assert ended.returncode == 0, ended.stderr
    assert "Money identity, USDT: PASS" in ended.stdout
    (folder,) = (tmp_path / "runs").iterdir()
    assert f"run      runs/{folder.name}\n" in ended.stdout
    assert f"report   runs/{folder.name}/report.html" in ended.stdout
    assert ended.stdout.endswith(f"next:    veloz verify runs/{folder.name}\n")
    assert ended.stderr == ""
    assert {file.name for file in folder.iterdir()} == FILES


def test_json_follows_its_schema_and_the_folder_says_the_same(
    veloz, catalogue, cross, tmp_path
) -> None:
    ended = veloz("backtest", cross, "--data", catalogue, "--out", "elsewhere", "--json")
    printed = checked("backtest", ended.stdout)
    folder = tmp_path / printed["folder"]
    assert folder.parent.name == "elsewhere"
    assert folder.name == printed["run"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["metrics"] == printed["metrics"]
    assert Decimal(metrics["equity"]["last"]) == Decimal(printed["final_equity"])
    assert metrics["fills"] == printed["fills"] > 20


def test_two_runs_give_the_same_bytes(veloz, catalogue, cross, tmp_path) -> None:
    first = veloz("backtest", cross, "--data", catalogue, "--out", "one", "--json")
    second = veloz("backtest", cross, "--data", catalogue, "--out", "two", "--json")
    one, two = (tmp_path / checked("backtest", e.stdout)["folder"] for e in (first, second))
    assert one.name == two.name
    for name in ("trading-000001.vj", "metrics.json", "config.json", "tables.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_a_parameter_a_balance_and_fees_reach_the_run(veloz, catalogue, cross, tmp_path) -> None:
    ended = veloz(
        "backtest", cross, "--data", catalogue, "--set", "fast=12", "--set", "qty=0.02",
        "--balance", "5000 USDT, 0.5 BTC", "--fees", "maker=0,taker=0.002", "--json",
    )  # fmt: skip
    printed = checked("backtest", ended.stdout)
    config = json.loads((tmp_path / printed["folder"] / "config.json").read_text())
    assert config["parameters"]["fast"] == 12
    assert config["parameters"]["qty"] == "0.02"
    assert config["balance"] == {"BTC": "0.5", "USDT": "5000"}
    assert (config["maker_fee"], config["taker_fee"]) == ("0", "0.002")


def test_the_csv_files_are_exact(veloz, catalogue, cross, tmp_path) -> None:
    ended = veloz("backtest", cross, "--data", catalogue, "--csv", "--no-report", "--json")
    printed = checked("backtest", ended.stdout)
    assert printed["report"] is None
    folder = tmp_path / printed["folder"]
    with (folder / "fills.csv").open(newline="") as file:
        fills = list(csv.DictReader(file))
    with (folder / "orders.csv").open(newline="") as file:
        orders = list(csv.DictReader(file))
    assert len(fills) == printed["fills"]
    ids = {order["id"] for order in orders}
    assert {fill["order_id"] for fill in fills} <= ids
    assert {order["why"] for order in orders} == {"up", "down"}
    for fill in fills:
        assert fill["symbol"] == SYMBOL
        assert Decimal(fill["notional"]) == Decimal(fill["qty"]) * Decimal(fill["price"])
        assert fill["time"].endswith("Z")
        assert fill["time_ns"].isdigit()
    # Money is conserved: what the accountant adds up is what the run says.
    held = sum(_sign(fill) * Decimal(fill["qty"]) for fill in fills)
    assert held == Decimal(printed["positions"].get(SYMBOL, "0"))
    cash = sum(-_sign(fill) * Decimal(fill["notional"]) - Decimal(fill["fee"]) for fill in fills)
    assert {fill["fee_asset"] for fill in fills} == {"USDT"}
    worth = Decimal(printed["final_equity"]) - 10_000 - cash
    assert (worth == 0) is (held == 0)


def _sign(fill: dict[str, str]) -> int:
    return {"buy": 1, "sell": -1}[fill["side"]]


def test_a_range_cuts_the_data(veloz, catalogue, cross) -> None:
    whole = checked("backtest", veloz("backtest", cross, "--data", catalogue, "--json").stdout)
    part = checked(
        "backtest",
        veloz(
            "backtest", cross, "--data", catalogue, "--from", "2024-01-01T01:00", "--to",
            "2024-01-01T03:00", "--json",
        ).stdout,
    )  # fmt: skip
    assert part["rows"] == 120
    assert whole["rows"] == 2_000


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+3", "1000"), ("0.500", "0.5"), ("-0.0", "0"), ("12", "12"), ("-0.010", "-0.01")],
)
def test_decimals_are_plain(value: str, text: str) -> None:
    assert plain_decimal(Decimal(value)) == text


def test_the_folder_is_replaced_whole(veloz, catalogue, cross, tmp_path) -> None:
    first = checked("backtest", veloz("backtest", cross, "--data", catalogue, "--json").stdout)
    folder = tmp_path / first["folder"]
    (folder / "leftover").write_text("old")
    veloz("backtest", cross, "--data", catalogue, "--json")
    assert not (folder / "leftover").exists()
    assert [path.name for path in Path(folder.parent).iterdir()] == [folder.name]
