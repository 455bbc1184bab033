"""SMA cross: long while the fast average is above the slow one, short while it is below.

    veloz backtest examples/sma_cross.py --data catalog --set fast=20 --set slow=60

Earns while prices go on as they went; pays the spread and the fee each time they swing about the
slow average.
"""

import veloz as vz


class SmaCross(vz.Strategy):
    """Always in the market once both averages are known: `qty` long, or `qty` short."""

    symbol = vz.Symbol("binance:BTC/USDT:USDT", doc="What is traded.")
    fast = vz.Int(10, 2, 200, doc="Bars of the fast average.")
    slow = vz.Int(30, 3, 1_000, doc="Bars of the slow average.")
    qty = vz.Qty("0.01", doc="Size of the position, in the base coin.")
    bars = vz.Bars("symbol", "1m")

    def on_start(self):
        if self.fast >= self.slow:
            raise ValueError(f"fast ({self.fast}) must be below slow ({self.slow})")
        self.fast_mean = self.sma(self.bars, self.fast)
        self.slow_mean = self.sma(self.bars, self.slow)

    def on_bar(self, bar):  # not called before both averages are ready
        if self.fast_mean > self.slow_mean:
            self.target(self.symbol, self.qty, why="fast average above slow")
        elif self.fast_mean < self.slow_mean:
            self.target(self.symbol, -self.qty, why="fast average below slow")
