"""W3: one post-only order a side, one tick or more off the mid, looked at each 100 ms.

A side whose order already stands at the wanted price keeps its place in the queue.
"""

from veloz import Books, Float, Strategy, Symbol


class MarketMaker(Strategy):
    """Quotes `size` a side around the mid while the position is within `max_position`."""

    symbol = Symbol("binance:BTC/USDT:USDT")
    max_position = Float(1.0, 0.0)
    size = Float(0.01, 0.0)
    books = Books("symbol")

    def on_start(self):
        self.market = self.book(self.symbol)
        self.tick = self.market.tick
        self.every("100ms", self.requote)

    def requote(self):
        market, tick = self.market, self.tick
        bid, ask = market.bid, market.ask
        spread = ask - bid
        buy_at = bid if spread > 1.5 * tick else bid - tick
        sell_at = ask if spread > 2.5 * tick else ask + tick
        held = self.position(self.symbol)
        self.quote(
            self.symbol,
            ((buy_at, self.size),) if held < self.max_position else (),
            ((sell_at, self.size),) if held > -self.max_position else (),
        )
