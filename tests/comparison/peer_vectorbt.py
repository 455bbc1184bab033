"""The SMA cross on vectorbt: reads BARS.npz, prints trades and equity as one JSON object.

Runs in an environment of its own, without VeloZ; `test_peers.py` starts it.
"""

import json
import sys
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
import vectorbt as vbt  # noqa: E402 - it warns on import

with np.load(sys.argv[1]) as archive:
    index = pd.to_datetime(archive["ts"])
    opens, closes = (pd.Series(archive[name], index) for name in ("open", "close"))

fast, slow = vbt.MA.run(closes, 10).ma, vbt.MA.run(closes, 30).ma
# What a bar's close says is done at the next open.
portfolio = vbt.Portfolio.from_signals(
    closes,
    (fast > slow).vbt.signals.fshift(1),
    (fast < slow).vbt.signals.fshift(1),
    price=opens,
    size=1,
    fees=0.001,
    init_cash=1e8,
    freq="1min",
)
orders = portfolio.orders.values
told = {
    "version": vbt.__version__,
    "trades": [
        [int(row["idx"]), 1 if row["side"] == 0 else -1, float(row["price"])] for row in orders
    ],
    "final_equity": float(portfolio.final_value()),
}
print(json.dumps(told))  # noqa: T201
