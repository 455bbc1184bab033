"""`veloz explain`: the answer to "why did it not trade?" for every way of not trading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.apps.conftest import SYMBOL, checked


def explained(veloz, strategy: Path, catalogue: Path, *words: str) -> tuple[str, dict[str, Any]]:
    """The run's folder, and what explain says of it."""
    ended = veloz("backtest", strategy, "--data", catalogue, "--json", *words)
    assert ended.returncode == 0, ended.stdout
    folder = checked("backtest", ended.stdout)["folder"]
    return folder, checked("explain", veloz("explain", folder, "--json").stdout)


def test_a_run_that_traded(veloz, catalogue, cross) -> None:
    folder, found = explained(veloz, cross, catalogue)
    assert found["rows"] == {f"bar_1m of {SYMBOL}": 2_000}
    assert all(one["is_ready"] for one in found["warm_up"])
    assert found["because"][-1].startswith("It traded: ")
    text = veloz("explain", folder)
    assert text.returncode == 0
    assert "2,000 rows of bar_1m" in text.stdout


def test_a_warm_up_that_never_ends_is_named(veloz, catalogue, cross) -> None:
    _, found = explained(veloz, cross, catalogue, "--set", "slow=400", "--to", "2024-01-01T05:00")
    assert found["orders"] == 0
    assert found["because"] == [
        "The warm-up never ended, so on_bar was never called: s = sma(400) needs 400 bars, and "
        "300 came; choose a longer range or a shorter indicator."
    ]


def test_a_strategy_that_never_orders(veloz, catalogue, strategy) -> None:
    folder, found = explained(veloz, strategy("pass"), catalogue)
    assert found["orders"] == found["fills"] == 0
    assert "gave no order" in found["because"][0]
    assert "gave no order" in veloz("explain", folder).stdout


def test_a_rule_that_refuses_is_named_with_its_numbers(veloz, catalogue, cross) -> None:
    folder, found = explained(veloz, cross, catalogue, "--limit", "max_order_notional=5")
    (group,) = found["refused"]
    assert group["reason"] == "max_notional"
    assert group["count"] == found["orders"] > 10
    assert found["fills"] == 0
    assert "refused by a risk rule of yours, max_notional" in found["because"][0]
    assert group["first"]["sentence"] in found["because"][0]
    story = checked("explain", veloz("explain", folder, "--order", "1", "--json").stdout)
    assert [event["event"] for event in story["events"]] == ["ordered", "refused"]
    assert story["status"] == "refused"


def test_a_venue_that_rejects_is_named(veloz, catalogue, strategy) -> None:
    mine = strategy(
        'self.buy(self.symbol, "0.01", price=round(bar.close * 1.01, 1), post_only=True)'
    )
    _, found = explained(veloz, mine, catalogue)
    (group,) = found["rejected"]
    assert group["reason"] == "post_only"
    assert "rejected by the venue, post_only" in found["because"][0]


def test_orders_that_were_never_filled_are_told_by_their_end(veloz, catalogue, strategy) -> None:
    body = (
        "self.cancel_all()\n"
        'self.buy(self.symbol, "0.01", price=round(bar.close * 0.92, 1), why="dip")'
    )
    folder, found = explained(veloz, strategy(body), catalogue)
    assert found["fills"] == 0
    assert found["unfilled"][0]["reason"].startswith("canceled")
    assert found["unfilled"][0]["count"] > 1_000
    story = checked("explain", veloz("explain", folder, "--order", "1", "--json").stdout)
    assert [event["event"] for event in story["events"]] == [
        "ordered", "sent", "accepted", "cancel asked", "sent", "canceled",
    ]  # fmt: skip
    assert "why: dip" in story["events"][0]["detail"]
    times = [event["time_ns"] for event in story["events"]]
    assert times == sorted(times)


def test_the_story_of_a_filled_order(veloz, catalogue, cross) -> None:
    folder, _ = explained(veloz, cross, catalogue, "--latency", "5ms")
    text = veloz("explain", folder, "--order", "1")
    assert text.returncode == 0
    assert text.stdout.startswith("order 1: market buy 0.01 ")
    for event in ("ordered", "sent", "accepted", "filled"):
        assert f"  {event}" in text.stdout
    assert "as taker, fee 0." in text.stdout


def test_an_order_that_is_not_there(veloz, catalogue, cross) -> None:
    folder, _ = explained(veloz, cross, catalogue)
    ended = veloz("explain", folder, "--order", "999999")
    assert ended.returncode == 3
    assert "has no order '999999'; it has 1 to " in ended.stderr


def test_what_is_no_run_is_said_so(veloz) -> None:
    ended = veloz("explain", "nowhere")
    assert ended.returncode == 4
    assert "nowhere/tables.json is missing" in ended.stderr


def test_a_liquidation_is_told_and_can_be_repeated(veloz, catalogue, strategy) -> None:
    mine = strategy(
        "if not self.position(self.symbol):\n    self.buy(self.symbol, round(9000 / bar.close, 3))"
    )
    words = ("--balance", "100 USDT", "--leverage", "100", "--maintenance", "0.01")
    folder, found = explained(veloz, mine, catalogue, *words)
    assert found["fills"] == 2
    (group,) = found["refused"]
    assert group["reason"] == "frozen"
    assert "liquidation" in group["first"]["sentence"]
    forced = checked("explain", veloz("explain", folder, "--order", "2", "--json").stdout)
    assert (forced["status"], forced["reason"]) == ("filled", "liquidation")
    assert [event["event"] for event in forced["events"]] == ["liquidated", "filled"]
    assert veloz("verify", folder).returncode == 0
    assert "✗ The venue liquidated" in veloz("report", folder).stdout
