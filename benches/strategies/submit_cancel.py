"""W7: a post-only buy five ticks below the best bid, cancelled 3 ms later, again and again."""

from veloz import Books, Float, Strategy, Symbol


class SubmitCancel(Strategy):
    """Sends one order, cancels it at the next beat, and starts again at the one after."""

    symbol = Symbol("binance:BTC/USDT:USDT")
    size = Float(0.01, 0.0)
    books = Books("symbol")

    def on_start(self):
        self.market = self.book(self.symbol)
        self.below = 5 * self.market.tick
        self.order = None
        self.every("3ms", self.beat)

    def beat(self):
        if self.order is None:
            price = self.market.bid - self.below
            self.order = self.buy(self.symbol, self.size, price, post_only=True)
        else:
            self.cancel_order(self.order)
            self.order = None
