"""What the benches that trade share: one backtest through the public call, and its parts.

Everything goes through `veloz.backtest` with a strategy file, as a user's run does: default risk
rules, accounting and journal are on.
"""

import functools
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timing import profile, seconds_of

import veloz

STRATEGIES = Path(__file__).resolve().parent / "strategies"


@dataclass(frozen=True)
class Case:
    """One row of the speed table.

    Attributes:
        strategy: File in `strategies/`.
        settings: Arguments of `veloz.backtest`; `veloz backtest` takes the same texts.
    """

    strategy: str
    settings: Mapping[str, Any]

    @property
    def path(self) -> str:
        """The strategy's file."""
        return str(STRATEGIES / self.strategy)


W1 = Case("sma_cross.py", {"balance": "100000000 USDT", "fees": "0.001"})
_BOOK = {
    "balance": "100000000 USDT",
    "fees": "maker=0.0002,taker=0.0005",
    "latency": "1ms",
    "fill": "queue=back",
}
W3 = Case("market_maker.py", _BOOK)
W7 = Case("submit_cancel.py", _BOOK)


def one_run(case: Case, source: veloz.ArraySource) -> tuple[float, dict[str, Any]]:
    """Trade once.

    Returns:
        Seconds of the engine's run (replay, strategy, risk, orders, accounting, journal) and the
        fields that check the answer. `whole_seconds` counts everything around it too: loading the
        strategy, opening the account, and the digest of all input data.
    """
    whole, run = seconds_of(lambda: veloz.backtest(case.path, source, **case.settings))
    (position,) = run.positions.values() or (0,)
    return run.seconds, {
        "fills": run.fills_count,
        "orders": run.counts["orders"],
        "position": str(position),
        "final_equity": str(run.final_equity),
        "whole_seconds": round(whole, 6),
    }


def parts(
    case: Case, source: veloz.ArraySource, silent: Mapping[str, type[veloz.Strategy]]
) -> None:
    """Say where the time of one case goes, on standard error.

    Args:
        case: The case.
        source: Its input.
        silent: Strategies that do less and less, by what is then left.
    """

    def run(strategy: object) -> veloz.Run:
        return veloz.backtest(strategy, source, **case.settings)

    run(case.path)  # the first run of a process pays for pages and caches
    rows = 0
    for name, strategy in [*silent.items(), ("the whole engine's run", case.path)]:
        runs = [seconds_of(functools.partial(run, strategy)) for _ in range(3)]
        best = min(done.seconds for _, done in runs)
        rows = runs[0][1].counts["rows"]
        print(f"{name:>42}: {best * 1e3:8.1f} ms {best / rows * 1e9:8.1f} ns/row", file=sys.stderr)
    whole, done = seconds_of(lambda: run(case.path))
    around = whole - done.seconds
    print(f"{'around it: set-up, digest of the data':>42}: {around * 1e3:8.1f} ms", file=sys.stderr)
    print(
        "for the compiled part: perf record -g python benches/NAME.py DATA --runs 10, then "
        "perf report (build with CARGO_PROFILE_RELEASE_DEBUG=1)",
        file=sys.stderr,
    )
    profile(lambda: run(case.path))
