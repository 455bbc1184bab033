"""A feed that no callback watches is applied late; what a strategy sees is the same."""

from __future__ import annotations

from pathlib import Path

import veloz as vz
from veloz.storage.synthetic import Synthetic, synthesize

SYMBOL = "binance:BTC/USDT:USDT"


class Maker(vz.Strategy):
    """Quotes a tick behind the touch, each 200 ms."""

    symbol = vz.Symbol(SYMBOL)
    books = vz.Books("symbol")

    def on_start(self):
        self.view = self.book(self.symbol)
        self.seen = []
        self.every("200ms", self.requote)

    def requote(self):
        view = self.view
        if not view.is_ready:
            return
        self.seen.append((self.now, view.bid, view.ask, view.bid_qty, view.last))
        held = self.position(self.symbol)
        bids = [(view.bid, "0.01")] if held < 0.05 else []
        asks = [(view.ask, "0.01")] if held > -0.05 else []
        self.quote(self.symbol, bids, asks)


class Watcher(Maker):
    """The same, and it has a callback for each message of the book."""

    def on_book(self, book):
        self.last_mid = book.mid


def test_a_watched_and_an_unwatched_book_give_the_same_trading(tmp_path: Path) -> None:
    made = Synthetic(model="l2", seed=5, symbol=SYMBOL, rows=30_000)
    synthesize(made, tmp_path)
    runs, strategies = [], [Maker(), Watcher()]
    for strategy in strategies:
        runs.append(
            vz.backtest(
                strategy, tmp_path, balance="1000000 USDT", latency="3ms", check_identity=True
            )
        )
    first, second = runs
    assert first.fills_count == second.fills_count > 20
    assert first.final_equity == second.final_equity
    # As text: before the first print, `last` is not a number.
    assert repr(strategies[0].seen) == repr(strategies[1].seen)
    assert first.tables.equity.ts_ns.tolist() == second.tables.equity.ts_ns.tolist()
    for name in ("ts_exchange", "ts_recv", "side", "qty", "price", "order_id"):
        ours = getattr(first.tables.fills, name)
        assert ours.tolist() == getattr(second.tables.fills, name).tolist()
