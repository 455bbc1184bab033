"""Market maker: quotes both sides of the book, and leans against what it holds.

    veloz backtest examples/market_maker.py --data catalog --fees maker=0,taker=0.0005

Earns the spread from those who cross it; loses to those who know more. The venue's queue decides
who trades: an order joins behind the quantity shown when it arrives, so a quote that stays where
it is keeps its place (`quote` moves only what must move).
"""

import veloz as vz


class MarketMaker(vz.Strategy):
    """One bid and one ask about a fair price, requoted ten times a second."""

    symbol = vz.Symbol("binance:BTC/USDT:USDT", doc="What is quoted.")
    half_spread = vz.Float(0.00004, 0.0, 0.01, doc="Distance from the fair price, as a fraction.")
    skew = vz.Float(0.00004, 0.0, 0.01, doc="Shift of the fair price at a full inventory.")
    qty = vz.Qty("0.01", doc="Size of a quote, in the base coin.")
    max_position = vz.Qty("0.05", doc="Inventory at which one side stops quoting.")
    book_data = vz.Books("symbol")

    def on_start(self):
        self.market = self.book(self.symbol)  # a live view: always the present book
        self.size, self.limit = float(self.qty), float(self.max_position)
        self.every("100ms", self.requote)

    def requote(self):
        book = self.market
        if not book.is_ready:
            return
        held = self.position(self.symbol)
        fair = book.mid * (1 - self.skew * held / self.limit)
        # Never through the other side: a quote wants to be maker.
        bid = min(fair * (1 - self.half_spread), book.bid)
        ask = max(fair * (1 + self.half_spread), book.ask)
        bids, asks = [], []
        if held + self.size <= self.limit:
            bids.append((self.round_price(self.symbol, bid, "down"), self.qty))
        if held - self.size >= -self.limit:
            asks.append((self.round_price(self.symbol, ask, "up"), self.qty))
        self.quote(self.symbol, bids, asks)
