"""W1: one unit long while the fast average of the close is above the slow one.

A tie of the averages changes nothing. Orders are market orders; with data in bars the first price
that they can see is the next bar's open.
"""

from veloz import Bars, Int, Qty, Strategy, Symbol


class SmaCross(Strategy):
    """Buys `qty` when the fast average crosses above the slow one, sells it when below."""

    symbol = Symbol("binance:BTC/USDT:USDT")
    fast = Int(10, 2, 100)
    slow = Int(30, 3, 400)
    qty = Qty("1")
    bars = Bars("symbol", "1m")

    def on_start(self):
        self.quick = self.sma(self.bars, self.fast)
        self.steady = self.sma(self.bars, self.slow)
        self.long = False

    def on_bar(self, bar):
        quick, steady = self.quick.value, self.steady.value
        if quick > steady:
            if not self.long:
                self.buy(self.symbol, self.qty)
                self.long = True
        elif quick < steady and self.long:
            self.sell(self.symbol, self.qty)
            self.long = False
