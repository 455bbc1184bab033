"""L1: looks at every event, and now and then sends an order that fills at once."""

from veloz import Books, Int, Qty, Quotes, Strategy, Symbol, Trades


class Probe(Strategy):
    """Every so many events one request, in turn: buy, quote far away, sell, cancel the quote.

    The buy and the sell fill at once, so that the way of a report to `on_fill` is measured too.
    """

    symbol = Symbol("binance:BTC/USDT:USDT")
    qty = Qty("0.005")
    gap = Int(100, 1, 1_000_000, doc="Events between two requests.")
    book_data = Books("symbol")
    trade_data = Trades("symbol")
    quote_data = Quotes("symbol")

    stop_policy = "flatten"

    def on_start(self):
        self.market = self.book(self.symbol)
        self.events = 0
        self.resting = None

    def on_book(self, book):
        self.look()

    def on_trade(self, trade):
        self.look()

    def on_quote(self, quote):
        self.look()

    def on_fill(self, fill):
        pass

    def look(self):
        self.events += 1
        if self.events % self.gap or not self.market.is_ready:
            return
        turn = self.events // self.gap % 4
        if turn == 0:
            self.buy(self.symbol, self.qty)
        elif turn == 1:
            price = self.round_price(self.symbol, self.market.bid * 0.98, "down")
            self.resting = self.buy(self.symbol, self.qty, price, post_only=True)
        elif turn == 2:
            self.sell(self.symbol, self.qty)
        elif self.resting is not None:
            self.cancel_order(self.resting)
            self.resting = None
