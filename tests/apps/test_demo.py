"""`veloz demo`: both strategies trade the shipped data, and a second demo says the same."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator
from tests.apps.conftest import SCHEMAS, checked


def test_the_demo_trades_twice_and_says_where_everything_is(veloz, tmp_path) -> None:
    printed = checked("demo", veloz("demo", "--out", "here", "--venue", "9", "--json").stdout)
    shape = json.loads((SCHEMAS / "backtest.schema.json").read_text(encoding="utf-8"))
    for one in printed["runs"]:
        Draft202012Validator(shape).validate(one)
        assert one["fills"] > 10
        assert (tmp_path / one["report"]).is_file()
    assert [one["strategy"] for one in printed["runs"]] == ["SmaCross", "MarketMaker"]
    assert printed["seconds"] < 60
    venue = printed["venue"]
    assert venue["cuts"] == 2
    assert venue["live"]["orders"] > 0
    assert venue["live"]["sessions"]["usdm"]["reconciliations"] >= 3
    assert venue["live"]["differences"] == []
    assert venue["law"]
    # The data are known by then, and the runs come out the same.
    again = veloz("demo", "--out", "here", "--venue", "0")
    assert again.returncode == 0, again.stderr
    for one in printed["runs"]:
        assert f"report  {one['report']}" in again.stdout
    assert again.stdout.endswith("next:   veloz new my_strategy\n")
    verified = veloz("verify", printed["runs"][1]["folder"])
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_the_figures_in_the_readme_are_the_demos_own(veloz, root) -> None:
    printed = json.loads(veloz("demo", "--out", "here", "--venue", "0", "--json").stdout)
    readme = (root / "README.md").read_text(encoding="utf-8")
    for one in printed["runs"]:
        row = next(line for line in readme.splitlines() if line.startswith(f"| {one['strategy']} "))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[2:] == [str(one["fills"]), f"{one['final_equity']} USDT"]
