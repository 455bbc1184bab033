"""W1 on raptorbt, with its class strategy: a Python call a bar, averages as ready arrays.

It sizes orders by a fraction of equity, so that one unit is only nearly one unit.
"""

from reporting import arguments, emit, need, timed

need("raptorbt", "numpy")
import numpy as np  # noqa: E402
import raptorbt  # noqa: E402

CASH = 1e8


class SmaCross(raptorbt.Strategy):
    def on_start(self, ctx):
        self.quick = raptorbt.sma(ctx.close, 10)
        self.steady = raptorbt.sma(ctx.close, 30)
        self.share = ctx.close * 1.001 / CASH

    def on_bar(self, ctx):
        row = ctx.idx
        quick, steady = self.quick[row], self.steady[row]
        if quick > steady:
            if ctx.position is None:
                self.enter(size_frac=float(self.share[row]))
        elif quick < steady and ctx.position is not None:
            self.close_position()


def main() -> None:
    args = arguments("W1 on raptorbt.", n=1_000_000, runs=4).parse_args()
    with np.load(args.data / "bars_1m.npz") as archive:
        names = ("ts", "open", "high", "low", "close", "volume")
        columns = [np.ascontiguousarray(archive[name][: args.n]) for name in names]
    config = raptorbt.BacktestConfig(initial_capital=CASH, fees=0.001, fill_timing="next_bar_open")
    seconds = []
    for _ in range(args.runs):
        taken, result = timed(
            lambda: raptorbt.run_strategy_backtest(SmaCross(), *columns, symbol="X", config=config)
        )
        seconds.append(taken)
    emit("raptorbt", "W1", "bars/s", args.n, seconds, trades=len(result.trades()))


main()
