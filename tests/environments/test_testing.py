"""The test kit, met as an author of strategies meets it."""

from __future__ import annotations

from decimal import Decimal

import pytest

import veloz as vz
from veloz.errors import ConfigError, StrategyError


class Cross(vz.Strategy):
    symbol = vz.Symbol("binance:BTC/USDT:USDT")
    fast, slow = vz.Int(2, 1, 50), vz.Int(3, 2, 100)
    qty = vz.Qty("0.01")
    bars = vz.Bars("symbol", "1m")

    def on_start(self):
        self.f, self.s = self.sma(self.bars, self.fast), self.sma(self.bars, self.slow)

    def on_bar(self, bar):
        self.target(self.symbol, self.qty if self.f > self.s else -self.qty, why="cross")


class Maker(vz.Strategy):
    symbol = vz.Symbol("binance:BTC/USDT:USDT")
    levels = vz.Books("symbol")

    def on_start(self):
        self.every("100ms", self.requote)

    def requote(self):
        book = self.book(self.symbol)
        if book.is_ready:
            self.quote(self.symbol, [(book.bid, 1)], [])


def test_bars_and_the_orders_they_cause():
    kit = vz.test(Cross).bars([100, 101, 102, 101, 100, 99])
    kit.expect(orders=[("buy", 0.01), ("sell", 0.02)], position="-0.01")
    assert [str(fill.price) for fill in kit.fills] == ["102", "100"]
    assert kit.orders[0].why == "cross"
    assert kit.strategy.f.value == 99.5


def test_rows_fed_later_go_on_where_the_others_ended():
    kit = vz.test(Cross).bars([100, 101, 102])
    kit.expect(orders=[("buy", 0.01)])
    kit.bars([90, 80]).expect(orders=[("buy", 0.01), ("sell", 0.02)])


def test_whole_candles():
    kit = vz.test(Cross, slow=2, fast=1)
    kit.bars([(10, 12, 9, 11), (11, 11, 11, 12 - 1), (11, 15, 11, 15), (14, 14, 14, 14, 5)])
    kit.expect(fills=[("sell", 0.01, 11), ("buy", 0.02, 14)])


def test_a_failed_expectation_shows_both_sides():
    kit = vz.test(Cross).bars([100, 101, 102, 103])
    with pytest.raises(AssertionError) as failed:
        kit.expect(orders=[("sell", 0.01)])
    order = "buy 0.01 (market, filled) after 180 s, because cross"
    assert str(failed.value) == (
        f"Cross, order 1: expected sell 0.01, got {order}\nall orders:\n  1. {order}"
    )
    with pytest.raises(AssertionError, match="order 2: expected buy 1, got nothing"):
        kit.expect(orders=[("buy", 0.01), ("buy", 1)])
    with pytest.raises(AssertionError, match="order 1: expected no more, got buy"):
        kit.expect(orders=[])
    with pytest.raises(AssertionError, match=r"holds 0.01 at the end, expected 1"):
        kit.expect(position=1)


def test_no_orders_at_all_says_what_was_fed():
    with pytest.raises(AssertionError, match="no orders at all"):
        vz.test(Cross).bars([1, 2]).expect(orders=[("buy", 0.01)])


def test_book_and_trades_move_the_queue():
    book = ([(100, 2), (99, 5)], [(101, 3)])
    kit = vz.test(Maker).books([book] * 10, every="100ms")
    kit.trades([(100, 1, "sell"), (100, 1.5, "sell")], every="300ms")
    # Two stand before our quote; 2.5 are sold into it, so half of ours trades and keeps its place.
    kit.expect(orders=[("buy", 1, 100)], fills=[("buy", "0.5", 100)])
    kit.trades([(100, 0.2, "sell")]).expect(fills=[("buy", "0.5", 100), ("buy", "0.2", 100)])


def test_surroundings_can_be_set():
    kit = vz.test(Cross).setup(fees="0.001", balance="1000 USDT", latency="1s")
    kit.bars([100, 101, 102, 103]).expect(fills=[("buy", 0.01)])
    # Sent at 180 s, there a second later, inside the bar that opens at 102 and ends at 103.
    assert kit.run.final_equity == Decimal("1000") - Decimal("0.00102") + Decimal("0.01")
    kit = vz.test(Cross, qty="0.5").setup(limits={"max_order_qty": "0.1"})
    kit.bars([100, 101, 102, 103])
    assert kit.orders[0].status == "refused"
    assert kit.orders[0].reason.startswith("max_order_qty: quantity 0.5 exceeds the limit 0.1")


def test_wrong_rows_are_refused_with_a_sentence():
    with pytest.raises(ConfigError, match=r"100.001 has more than 2 decimals"):
        vz.test(Cross).bars([100.001])
    vz.test(Cross).instrument(tick="0.001").bars([100.001])
    with pytest.raises(ValueError, match="unknown parameter 'fats'; did you mean 'fast'"):
        vz.test(Cross, fats=3)


def test_what_a_strategy_raises_comes_out():
    class Broken(Cross):
        def on_bar(self, bar):
            raise KeyError("lost")

    with pytest.raises(StrategyError, match=r"on_bar raised KeyError: 'lost' at test_testing\.py"):
        vz.test(Broken).bars([1, 2, 3]).expect(orders=[])


def test_it_is_deterministic():
    def journal() -> bytes:
        return vz.test(Cross).bars([100, 101, 102, 101, 100, 99]).run.journal

    assert journal() == journal()
