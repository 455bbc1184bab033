"""The strategy of the tests, changed: what it orders now is not what it ordered then."""

import veloz as vz


class Churn(vz.Strategy):
    """Buys, rests, amends and sells in turn, by its own clock."""

    symbol = vz.Symbol("binance:BTC/USDT:USDT", doc="What is traded.")
    qty = vz.Qty("0.01", doc="Size of an order.")
    step = vz.Int(500, 50, 60_000, doc="Between two deeds, ms.")
    quotes = vz.Quotes("symbol")

    turn = 0

    def on_start(self):
        self.last = None
        self.every(f"{self.step}ms", self.act)

    def act(self):
        if self.last is None:
            return
        self.turn += 1
        bid, _ = self.last
        match self.turn % 4:
            case 0:
                self.buy(self.symbol, self.qty)
            case 1:
                price = self.round_price(self.symbol, bid * 0.98, "down")
                self.buy(self.symbol, self.qty, price=price)
            case 2:
                self.sell(self.symbol, self.qty)
            case _:
                self.cancel_all(self.symbol)

    def on_quote(self, quote):
        self.last = (quote.bid_price, quote.ask_price)

    def save(self):
        return str(self.turn).encode()

    def load(self, state):
        self.turn = int(state)
