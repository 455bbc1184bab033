"""L2: rests many small bids far below the market, and leaves them there."""

from veloz import Int, Quotes, Strategy, Symbol


class Ladder(Strategy):
    """Places bids until so many are open, within the venue's limits of orders a second."""

    symbol = Symbol("binance:BTC/USDT:USDT")
    count = Int(1000, 1, 100_000)
    quotes = Quotes("symbol")

    stop_policy = "hold"

    def on_start(self):
        self.last = None
        self.step = 0
        self.every("200ms", self.beat)

    def on_quote(self, quote):
        self.last = quote.bid_price

    def beat(self):
        missing = self.count - len(self.open_orders(self.symbol))
        for _ in range(min(missing, 5) if self.last else 0):
            self.step = (self.step + 1) % self.count
            price = self.round_price(self.symbol, self.last * 0.9 - self.step * 0.1, "down")
            self.buy(self.symbol, "0.002", price, post_only=True)
