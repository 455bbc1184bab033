"""W1: bars through a plain Python `on_bar`: the cross of two moving averages.

Full input: 38,895 fills, one position open at the end, final equity 99,031,145.75416.
"""

from pathlib import Path

from arrays import bars
from timing import arguments, emit, measure, seconds_of
from trading import W1, one_run, parts

from veloz import Bars, Strategy, Symbol


class Deaf(Strategy):
    """Subscribes to the bars and is never called."""

    symbol = Symbol("binance:BTC/USDT:USDT")
    bars = Bars("symbol", "1m")


class Listener(Deaf):
    """Is called with every bar and does nothing."""

    def on_bar(self, bar):
        pass


class Reader(Deaf):
    """Feeds two averages and reads them at every bar."""

    def on_start(self):
        self.quick, self.steady = self.sma(self.bars, 10), self.sma(self.bars, 30)

    def on_bar(self, bar):
        quick, steady = self.quick.value, self.steady.value
        if quick > steady:
            pass


LESS = {
    "replay without a callback": Deaf,
    "+ one Python call a bar": Listener,
    "+ two averages, fed and read": Reader,
}


def main() -> None:
    """Run the bench and print its line."""
    args = arguments("W1: SMA cross on bars.", n=1_000_000, runs=5).parse_args()
    build_seconds, source = seconds_of(lambda: bars(Path(args.data), args.n))
    if args.profile:
        parts(W1, source, LESS)
    seconds, fields = measure(lambda: one_run(W1, source), args.runs)
    built = {"build_seconds": round(build_seconds, 6)}
    emit("W1", "bars/s", args.n, seconds, {**fields, **built})


if __name__ == "__main__":
    main()
