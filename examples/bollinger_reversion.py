"""Bollinger mean reversion on a perpetual: buys weakness, sells strength, stops what runs away.

    veloz backtest examples/bollinger_reversion.py --data catalog --leverage 2

Earns in a market that swings; loses in one that trends, once per stop. The stop rests at the venue
as a conditional order, so it works inside a bar. A side that would pay much funding is not entered.
"""

import veloz as vz


class BollingerReversion(vz.Strategy):
    """Enters when a bar closes outside the bands, leaves at the middle one or at the stop."""

    stop_policy = "flatten"
    symbol = vz.Symbol("binance:BTC/USDT:USDT", doc="A linear perpetual.")
    period = vz.Int(60, 5, 1_000, doc="Bars in the bands.")
    width = vz.Float(2.5, 0.5, 6.0, doc="Distance of the bands, in standard deviations.")
    stop = vz.Float(0.01, 0.0005, 0.2, doc="Distance of the stop from the entry, as a fraction.")
    qty = vz.Qty("0.02", doc="Size of a position, in the base coin.")
    max_funding = vz.Float(0.0003, 0.0, 0.01, doc="Most funding to pay per settlement.")
    bars = vz.Bars("symbol", "1m")
    fundings = vz.Fundings("symbol")

    def on_start(self):
        self.bands = self.bollinger(self.bars, self.period, self.width)
        self.rate = 0.0  # of the last settlement; longs pay it while it is positive

    def on_funding(self, funding):
        self.rate = funding.rate

    def on_bar(self, bar):
        held = self.position(self.symbol)
        if held == 0 and not self.open_orders(self.symbol):
            if bar.close < self.bands.lower and self.rate <= self.max_funding:
                self.buy(self.symbol, self.qty, why="closed below the lower band")
            elif bar.close > self.bands.upper and self.rate >= -self.max_funding:
                self.sell(self.symbol, self.qty, why="closed above the upper band")
        elif held * (bar.close - self.bands.middle) > 0:
            self.cancel_all(self.symbol)
            self.close(self.symbol, why="back at the middle band")

    def on_position(self, position):
        if position.is_flat:
            self.cancel_all(self.symbol)  # the stop of a position that is gone
        elif not self.open_orders(self.symbol):
            side, away = ("sell", -self.stop) if position.qty > 0 else ("buy", self.stop)
            trigger = self.round_price(self.symbol, float(position.avg_price) * (1 + away))
            self.place_order(self.symbol, side, "stop", abs(position.qty), trigger_price=trigger,
                             reduce_only=True, why="stop loss")  # fmt: skip
