"""W3: depth and prints through the book, with a market maker that looks each 100 ms.

Order latency 1 ms each way; the queue model is the pessimistic one: cancels ahead of an order do
not help it.
"""

from pathlib import Path

from arrays import ticks
from timing import arguments, emit, measure, seconds_of
from trading import W3, one_run, parts

from veloz import Books, Strategy, Symbol


class Deaf(Strategy):
    """Has the book kept for it and does nothing."""

    symbol = Symbol("binance:BTC/USDT:USDT")
    books = Books("symbol")


class Watch(Deaf):
    """Reads the best prices and its position each 100 ms."""

    def on_start(self):
        self.market = self.book(self.symbol)
        self.every("100ms", self.look)

    def look(self):
        market = self.market
        if market.ask - market.bid < 0 or self.position(self.symbol):
            raise ValueError("crossed")


LESS = {"replay, book and matching alone": Deaf, "+ a timer that reads the book": Watch}


def main() -> None:
    """Run the bench and print its line."""
    args = arguments("W3: market maker on L2.", n=5_000_000, runs=4).parse_args()
    build_seconds, source = seconds_of(lambda: ticks(Path(args.data), args.n))
    if args.profile:
        parts(W3, source, LESS)
    seconds, fields = measure(lambda: one_run(W3, source), args.runs)
    built = {"build_seconds": round(build_seconds, 6)}
    emit("W3", "events/s", args.n, seconds, {**fields, **built})


if __name__ == "__main__":
    main()
