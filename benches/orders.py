"""W7: submit and cancel, round trip after round trip, on the L2 input.

The time is that of the whole run: the replay of the market data between the orders counts too, as
it does where others are measured.
"""

from pathlib import Path

from arrays import ticks
from l2 import Deaf
from timing import arguments, emit, measure, seconds_of
from trading import W7, one_run, parts


class Beat(Deaf):
    """Has a timer called each 3 ms."""

    def on_start(self):
        self.every("3ms", self.beat)

    def beat(self):
        pass


LESS = {"replay, book and matching alone": Deaf, "+ a timer each 3 ms": Beat}


def main() -> None:
    """Run the bench and print its line."""
    args = arguments("W7: submit + cancel.", n=5_000_000, runs=3).parse_args()
    build_seconds, source = seconds_of(lambda: ticks(Path(args.data), args.n))
    if args.profile:
        parts(W7, source, LESS)
    seconds, fields = measure(lambda: one_run(W7, source), args.runs)
    trips = fields["orders"]
    emit(
        "W7", "submit+cancel round trips/s", trips, seconds,
        {
            "us_per_round_trip": round(min(seconds) / trips * 1e6, 4),
            "events": args.n,
            **fields,
            "build_seconds": round(build_seconds, 6),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
