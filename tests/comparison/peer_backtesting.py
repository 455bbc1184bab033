"""The SMA cross on backtesting.py: reads BARS.npz, prints trades and equity as one JSON object.

Runs in an environment of its own, without VeloZ; `test_peers.py` starts it.
"""

import json
import sys
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
import backtesting  # noqa: E402 - it warns on import

with np.load(sys.argv[1]) as archive:
    frame = pd.DataFrame(
        {name.title(): archive[name] for name in ("open", "high", "low", "close")},
        index=pd.to_datetime(archive["ts"]),
    )


def mean(values, n):
    # Its first call comes one bar after the first value of every array; ours comes with it. So the
    # bar before gets the first value too, which is never read.
    return pd.Series(values).rolling(n).mean().bfill(limit=1)


class Cross(backtesting.Strategy):
    def init(self):
        self.fast = self.I(mean, self.data.Close, 10)
        self.slow = self.I(mean, self.data.Close, 30)

    def next(self):
        if self.fast[-1] > self.slow[-1] and not self.position:
            self.buy(size=1)
        elif self.fast[-1] < self.slow[-1] and self.position:
            self.position.close()


stats = backtesting.Backtest(frame, Cross, cash=1e8, commission=0.001, finalize_trades=False).run()
closed = stats["_trades"]
trades = [
    *zip(closed["EntryBar"], closed["EntryPrice"], [1] * len(closed), strict=True),
    *zip(closed["ExitBar"], closed["ExitPrice"], [-1] * len(closed), strict=True),
    *((trade.entry_bar, trade.entry_price, 1) for trade in stats["_strategy"].trades),
]
told = {
    "version": backtesting.__version__,
    "trades": sorted([int(row), side, float(price)] for row, price, side in trades),
    "final_equity": float(stats["Equity Final [$]"]),
}
print(json.dumps(told))  # noqa: T201
