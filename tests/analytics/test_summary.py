"""The metrics JSON: schema, determinism, exact money, honest gaps; and the text made from it."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from tests.analytics.runs import small_run, with_facts
from tests.analytics.sma_run import sma_run
from veloz.analytics import (
    METRICS,
    LedgerLine,
    RunTables,
    compare,
    compare_html,
    summarise,
    summary_bytes,
    text_block,
)
from veloz.analytics.reference import metrics_page

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def run() -> RunTables:
    return sma_run()


@pytest.fixture(scope="module")
def summary(run: RunTables) -> dict[str, Any]:
    return summarise(run)


def check(summary: dict[str, Any]) -> None:
    schema = json.loads((DOCS / "schemas" / "metrics.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(json.loads(summary_bytes(summary)))


def test_the_json_of_a_real_run_obeys_its_schema(summary: dict[str, Any]) -> None:
    check(summary)


def test_the_schema_knows_every_metric_of_the_table() -> None:
    schema = json.loads((DOCS / "schemas" / "metrics.schema.json").read_text())
    assert set(schema["properties"]["metrics"]["required"]) == {metric.name for metric in METRICS}


@pytest.mark.parametrize("rows", [[], [(1, 1, 100)], [(1, 1, 100), (-1, 1, 90)]])
def test_runs_that_hardly_traded_obey_the_schema(rows: list[tuple[int, int, int]]) -> None:
    made = summarise(small_run(rows))
    check(made)
    assert text_block(made)


def test_a_run_without_trades_has_gaps_not_zeros() -> None:
    metrics = summarise(small_run([]))["metrics"]
    for name in ("win_rate", "profit_factor", "expectancy", "mean_holding", "slippage_bps", "beta"):
        assert metrics[name] is None, name
    assert metrics["trades"] == 0


def test_the_same_run_gives_the_same_bytes(run: RunTables, summary: dict[str, Any]) -> None:
    again = summary_bytes(summarise(sma_run()))
    assert again == summary_bytes(summary)
    elsewhere = replace(run, host={"run": "other", "path": "/elsewhere", "wall_s": 3.2})
    assert summary_bytes(summarise(elsewhere)) == again


def test_another_parameter_gives_other_bytes(summary: dict[str, Any]) -> None:
    assert summary_bytes(summarise(sma_run(8, 32))) != summary_bytes(summary)


def test_money_is_exact_and_adds_up(run: RunTables, summary: dict[str, Any]) -> None:
    metrics = {name: summary["metrics"][name] for name in ("fees", "maker_fees", "taker_fees")}
    fees = sum(run.fills.fee.tolist())
    assert Decimal(metrics["fees"]) == Decimal(fees).scaleb(-8)
    assert Decimal(metrics["maker_fees"]) + Decimal(metrics["taker_fees"]) == Decimal(
        metrics["fees"]
    )
    net = sum(Decimal(row["net"]) for row in summary["by_symbol"])
    for grouping in ("by_side", "by_exit_reason", "by_entry_reason", "by_strategy"):
        assert sum(Decimal(row["net"]) for row in summary[grouping]) == net
    won = Decimal(summary["metrics"]["gross_profit"]) + Decimal(summary["metrics"]["gross_loss"])
    assert won == net


def test_days_compound_to_the_total(summary: dict[str, Any]) -> None:
    for name in ("days", "weeks", "months"):
        growth = np.prod([1.0 + row["return"] for row in summary[name]])
        assert growth - 1.0 == pytest.approx(summary["metrics"]["total_return"], rel=1e-9)


def test_books_that_do_not_add_up_are_an_error_and_said_first() -> None:
    line = LedgerLine("USDT", Decimal(100), Decimal(5), Decimal(1), Decimal("104.00000001"))
    made = summarise(with_facts(small_run([(1, 1, 100)]), ledger=[line]))
    assert made["ledger"][0]["identity"] == "fail"
    assert made["warnings"][0]["code"] == "identity"
    assert "FAIL by 0.00000001" in text_block(made)


def test_an_unknown_rate_makes_money_undefined_not_zero() -> None:
    rate = [1.0, float("nan")]
    made = summarise(small_run([(1, 1, 100), (-1, 1, 110)], fees=[5, 5], fee_rate=rate))
    check(made)
    assert made["metrics"]["fees"] is None
    assert made["metrics"]["win_rate"] is None
    assert made["fees_by_asset"] == {"USDT": "0.0000001"}
    assert any(row["code"] == "rate" for row in made["warnings"])
    assert text_block(made)


def test_weak_assumptions_are_warned_of_for_the_orders_that_were_used() -> None:
    rows = [{"id": "A09", "setting": "zero queue", "maker": "+", "taker": "", "text": "Queue"}]
    taker = with_facts(small_run([(1, 1, 100)]), facts={"assumptions": rows})
    assert not any(row["code"] == "A09" for row in summarise(taker)["warnings"])
    maker = with_facts(small_run([(1, 1, 100)], is_maker=[True]), facts={"assumptions": rows})
    assert any(row["code"] == "A09" for row in summarise(maker)["warnings"])


def test_the_text_is_at_most_100_columns_and_holds_no_control_characters() -> None:
    evil = "stop \x1b[2J\x1b]0;owned\x07 " + "x" * 200
    run = small_run([(1, 1, 100), (-1, 1, 110)], why=[evil, evil])
    for made in (run, sma_run(limit=700)):
        block = text_block(summarise(made))
        assert max(len(line) for line in block.splitlines()) <= 100
        assert all(c.isprintable() or c == "\n" for c in block)


def test_the_comparison_marks_the_better_run(summary: dict[str, Any]) -> None:
    other = summarise(sma_run(8, 32))
    table = compare({"slow": summary, "fast": other})
    row = next(line for line in table.splitlines() if line.startswith("Total return"))
    best = max(summary, other, key=lambda s: s["metrics"]["total_return"])
    assert row.endswith("*") == (best is other)
    assert "&lt;b&gt;" in compare_html({"<b>": summary})


def test_runs_of_different_periods_are_not_ranked(summary: dict[str, Any]) -> None:
    table = compare({"a": summary, "b": summarise(sma_run(limit=700))})
    assert "different periods" in table
    assert "*" not in table


def test_the_reference_page_has_not_drifted() -> None:
    assert (DOCS / "metrics.md").read_text() == metrics_page()


def test_excursions_bracket_the_result_of_every_trade(
    run: RunTables, summary: dict[str, Any]
) -> None:
    assert summary["metrics"]["mean_mae"] <= 0.0 <= summary["metrics"]["mean_mfe"]


def test_less_than_a_day_is_not_annualised_even_across_midnight() -> None:
    made = summarise(sma_run(limit=75))
    check(made)
    assert made["period"]["daily_returns"] == 2
    for name in ("cagr", "volatility", "sharpe", "sortino", "alpha", "turnover", "calmar"):
        assert made["metrics"][name] is None, name
    assert made["metrics"]["worst_day"] < 0.0
