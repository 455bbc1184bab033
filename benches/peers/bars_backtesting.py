"""W1 on backtesting.py: the same cross, one unit, 0.1 % a side, fills at the next open."""

import warnings

from reporting import arguments, emit, need, timed

need("backtesting", "pandas", "numpy")
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from backtesting import Backtest, Strategy  # noqa: E402

warnings.filterwarnings("ignore")


def mean(values, n):
    return pd.Series(values).rolling(n).mean()


class SmaCross(Strategy):
    def init(self):
        self.quick = self.I(mean, self.data.Close, 10)
        self.steady = self.I(mean, self.data.Close, 30)

    def next(self):
        quick, steady = self.quick[-1], self.steady[-1]
        if quick > steady and not self.position:
            self.buy(size=1)
        elif quick < steady and self.position:
            self.position.close()


def main() -> None:
    args = arguments("W1 on backtesting.py.", n=200_000, runs=2).parse_args()
    with np.load(args.data / "bars_1m.npz") as archive:
        frame = pd.DataFrame(
            {name.title(): archive[name][: args.n] for name in ("open", "high", "low", "close")},
            index=pd.to_datetime(archive["ts"][: args.n]),
        )
    seconds = []
    for _ in range(args.runs):
        test = Backtest(frame, SmaCross, cash=1e8, commission=0.001, finalize_trades=False)
        taken, stats = timed(test.run)
        seconds.append(taken)
    emit(
        "backtesting", "W1", "bars/s", args.n, seconds,
        trades=int(stats["# Trades"]), final_equity=round(float(stats["Equity Final [$]"]), 2),
    )  # fmt: skip


main()
