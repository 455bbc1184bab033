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


class Pair(vz.Strategy):
    """Holds coins on spot and the same short on USD-M; a second contract for a bet of its own."""

    stop_policy = "flatten"
    spot = vz.Symbol("binance:BTC/USDT", doc="Where coins are bought.")
    hedge = vz.Symbol("binance:BTC/USDT:USDT", doc="Where they are sold short.")
    other = vz.Symbol("binance:BTC/USD:BTC", doc="A third account.")
    qty = vz.Qty("0.01", doc="Size of both.")
    spot_quotes = vz.Quotes("spot")
    hedge_quotes = vz.Quotes("hedge")
    other_quotes = vz.Quotes("other")

    def on_start(self):
        self.turn = 0
        self.prices = {}
        self.accounts = {}
        self.every("500ms", self.act)

    def on_quote(self, quote):
        self.prices[quote.symbol] = quote.bid_price

    def act(self):
        if len(self.prices) < 3:
            return
        self.turn += 1
        if self.turn % 2:
            self.buy(self.spot, self.qty)
            self.sell(self.hedge, self.qty)
            self.buy(self.other, 10)
        else:
            self.sell(self.spot, self.qty)
            self.buy(self.hedge, self.qty)
            self.sell(self.other, 10)
        for symbol in (self.spot, self.hedge, self.other):
            account = self.get_account(symbol)
            self.accounts[symbol] = account.balances

    def on_fill(self, fill):
        assert abs(self.get_position(fill.symbol).qty) <= 10


class Scanner(vz.Strategy):
    """Looks at one of two symbols at a time, by bars and prints."""

    stop_policy = "hold"
    near = vz.Symbol("binance:BTC/USDT:USDT", doc="One.")
    far = vz.Symbol("binance:ETH/USDT:USDT", doc="The other.")
    step = vz.Int(150, 1, 600, doc="How long it looks at one, s.")
    near_bars = vz.Bars("near", "1m")
    far_bars = vz.Bars("far", "1m")
    far_trades = vz.Trades("far")

    def on_start(self):
        self.seen = []
        self.trades = 0
        self.mean = self.sma(self.far_bars, 3)
        self.average = self.ema(self.far_bars, 4)
        self.is_far = False
        self.unsubscribe(self.far_bars)
        self.unsubscribe(self.far_trades)
        self.every(f"{self.step}s", self.turn)

    def turn(self):
        self.is_far = not self.is_far
        change = self.subscribe if self.is_far else self.unsubscribe
        change(self.far_bars)
        change(self.far_trades)

    def on_trade(self, trade):
        self.trades += 1

    def on_bar(self, bar):
        if bar.symbol == self.far:
            self.seen.append((bar.ts_close, bar.close, self.mean.value, self.average.value))


class Watcher(vz.Strategy):
    """Hears the same bars all the time."""

    stop_policy = "hold"
    far = vz.Symbol("binance:ETH/USDT:USDT", doc="What it hears.")
    bars = vz.Bars("far", "1m")

    def on_start(self):
        self.seen = []

    def on_bar(self, bar):
        self.seen.append(bar.ts_close)


class Holding(vz.Strategy):
    """Buys once and holds."""

    stop_policy = "hold"
    symbol = vz.Symbol("binance:BTC/USDT:USDT", doc="What is held.")
    qty = vz.Qty("0.5", doc="How much.")
    quotes = vz.Quotes("symbol")
    marks = vz.Marks("symbol")
    funding = vz.Fundings("symbol")

    def on_start(self):
        self.heard = []
        self.marked = []

    def on_quote(self, quote):
        if self.position(self.symbol) == 0 and not self.open_orders(self.symbol):
            self.buy(self.symbol, self.qty)

    def on_mark(self, mark):
        self.marked.append((mark.ts_exchange, mark.mark))

    def on_funding(self, funding):
        self.heard.append((funding.ts_exchange, funding.rate))


class Legs(vz.Strategy):
    """Opens and closes the long and the short leg of one contract in turn."""

    stop_policy = "flatten"
    position_mode = "hedge"
    symbol = vz.Symbol("binance:BTC/USDT:USDT", doc="What is traded.")
    qty = vz.Qty("0.01", doc="Size of an order.")
    quotes = vz.Quotes("symbol")

    def on_start(self):
        self.turn = 0
        self.bid = 0.0
        self.every("500ms", self.act)

    def on_quote(self, quote):
        self.bid = quote.bid_price

    def on_position(self, position):
        assert position.position_side in {"long", "short"}

    def act(self):
        if not self.bid:
            return
        self.turn += 1
        match self.turn % 5:
            case 0:
                self.place_order(self.symbol, "buy", "market", self.qty, position_side="long")
            case 1:
                self.place_order(self.symbol, "sell", "market", self.qty, position_side="short")
            case 2:
                price = self.round_price(self.symbol, self.bid * 0.99, "down")
                terms = (self.symbol, "buy", "limit", self.qty, price)
                self.place_order(*terms, position_side="long")
            case 3:
                self.close(self.symbol, position_side="short")
            case _:
                self.cancel_all(self.symbol)
                if self.turn % 10 == 4:
                    self.close(self.symbol, position_side="long")


class OnGrid(vz.Strategy):
    """Rests a bid on whatever grid the venue has, and takes it back; tells what it did."""

    symbol = vz.Symbol("binance:BTC/USDT:USDT", doc="What is traded.")
    qty = vz.Qty("0.037", doc="About this much.")
    quotes = vz.Quotes("symbol")

    def on_start(self):
        self.bid = None
        self.every("400ms", self.act)

    def act(self):
        if self.bid is not None:
            self.cancel_all(self.symbol)
            price = self.round_price(self.symbol, self.bid * 0.99, "down")
            self.buy(self.symbol, self.round_qty(self.symbol, self.qty), price=price)

    def on_quote(self, quote):
        self.bid = quote.bid_price


class Entering(vz.Strategy):
    """Buys once at the market, and has to leave with nothing."""

    stop_policy = "flatten"
    symbol = vz.Symbol("binance:BTC/USDT:USDT", doc="What is traded.")
    qty = vz.Qty("0.01", doc="How much.")
    quotes = vz.Quotes("symbol")

    def on_start(self):
        self.order = None

    def on_quote(self, quote):
        if self.order is None:
            self.order = self.buy(self.symbol, self.qty)


class Hasty(vz.Strategy):
    """Asks for more than the venue's limits let through, and takes most of it back at once."""

    stop_policy = "flatten"
    symbol = vz.Symbol("binance:BTC/USDT:USDT", doc="What is traded.")
    qty = vz.Qty("0.01", doc="Size of an order.")
    quotes = vz.Quotes("symbol")

    def on_start(self):
        self.bid = None
        self.turn = 0
        self.every("10ms", self.act)

    def on_quote(self, quote):
        self.bid = quote.bid_price

    def act(self):
        if self.bid is None:
            return
        self.turn += 1
        if self.turn % 50 == 0:
            self.buy(self.symbol, self.qty)
        price = self.round_price(self.symbol, self.bid * 0.9, "down")
        order = self.buy(self.symbol, self.qty, price=price)
        if self.turn % 10:
            self.cancel_order(order)
