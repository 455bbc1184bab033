"""Strategies of the runtime's tests: small, and busy."""

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
                price = self.round_price(self.symbol, bid * 0.99, "down")
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


class Answering(vz.Strategy):
    """Orders at quotes, and answers each report with what the market shows at that moment."""

    symbol = vz.Symbol("binance:BTC/USDT:USDT", doc="What is traded.")
    qty = vz.Qty("0.01", doc="Size of an order.")
    quotes = vz.Quotes("symbol")
    trades = vz.Trades("symbol")

    seen = 0
    last = None

    def on_start(self):
        self.every("70ms", self.act)

    def act(self):
        if self.last is not None and self.seen % 2:
            self.sell(self.symbol, self.qty)

    def on_trade(self, trade):
        self.seen += 1

    def on_quote(self, quote):
        self.seen += 1
        self.last = quote.bid_price
        if self.seen % 3 == 0:
            self.buy(self.symbol, self.qty)

    def on_fill(self, fill):
        # Another price behind one more event: what came before what shows in the order.
        off = 0.90 - 0.0001 * (self.seen % 100)
        price = self.round_price(self.symbol, self.last * off, "down")
        self.buy(self.symbol, self.qty, price=price)

    def on_order(self, order):
        if order.status == "accepted" and order.price:
            self.cancel_order(order)


class Leaving(Churn):
    """The same; it takes nothing with it."""

    stop_policy = "flatten"


class Staying(vz.Strategy):
    """One order far from the market, which outlives the run."""

    stop_policy = "hold"
    symbol = vz.Symbol("binance:BTC/USDT:USDT", doc="What is traded.")
    qty = vz.Qty("0.01", doc="Size of the order.")
    quotes = vz.Quotes("symbol")

    def on_quote(self, quote):
        if not self.open_orders(self.symbol):
            price = self.round_price(self.symbol, quote.bid_price * 0.9, "down")
            self.buy(self.symbol, self.qty, price=price)


class Waiting(vz.Strategy):
    """A bid far below the market and a stop far above it, which wait for ever."""

    symbol = vz.Symbol("binance:BTC/USDT:USDT", doc="What is traded.")
    qty = vz.Qty("0.01", doc="Size of an order.")
    quotes = vz.Quotes("symbol")
    has_stop = vz.Int(1, 0, 1, doc="Whether the stop waits too.")

    placed = False

    def on_quote(self, quote):
        if self.placed:
            return
        self.placed = True
        low = self.round_price(self.symbol, quote.bid_price * 0.9, "down")
        self.buy(self.symbol, self.qty, price=low)
        if self.has_stop:
            high = self.round_price(self.symbol, quote.ask_price * 1.1, "up")
            self.place_order(self.symbol, "buy", "stop", self.qty, trigger_price=high)


class Falling(vz.Strategy):
    """Orders once, and falls over the next quote."""

    symbol = vz.Symbol("binance:BTC/USDT:USDT", doc="What is traded.")
    qty = vz.Qty("0.01", doc="Size of the order.")
    quotes = vz.Quotes("symbol")

    def on_quote(self, quote):
        if self.open_orders(self.symbol):
            raise ValueError("enough")
        price = self.round_price(self.symbol, quote.bid_price * 0.9, "down")
        self.buy(self.symbol, self.qty, price=price)
