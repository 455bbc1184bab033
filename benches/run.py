"""Every bench, one after the other, each in a process of its own: JSON lines, then a table.

    python benches/run.py [--data FOLDER] [--quick] [--peers PYTHON] [--rounds R]

Inputs that FOLDER lacks are generated. With `--peers`, an interpreter whose packages hold
backtesting, raptorbt or hftbacktest, those run too, alternating with ours on the same input, and
the table gives the ratios; a peer that is not installed is named and left out.
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import inputs

HERE = Path(__file__).resolve().parent
DEFAULT_DATA = HERE.parent / "build" / "bench"


@dataclass(frozen=True)
class Bench:
    """A row of the speed table.

    Attributes:
        script: Ours.
        goal: The least rate wanted on the machine that the goals were set on.
        size: `--n` of a quick run.
        peers: Scripts in `peers/` with their further arguments, and the package each needs.
        words: Further arguments of ours.
    """

    script: str
    goal: float
    size: int
    peers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    words: tuple[str, ...] = ()


BENCHES = (
    Bench("bars.py", 3e6, 100_000, (
        ("raptorbt", ("bars_raptorbt.py",)), ("backtesting", ("bars_backtesting.py",)),
    )),
    Bench("l2.py", 12e6, 500_000, (("hftbacktest", ("l2_hftbacktest.py",)),)),
    Bench("depth.py", 0.9e6, 20_000),
    Bench("orders.py", 0.5e6, 100_000, (("hftbacktest", ("l2_hftbacktest.py", "--orders")),)),
    Bench("sign.py", 0.4e6, 20_000),
    Bench("journal.py", 1e6, 20_000, words=("append",)),
    Bench("journal.py", 0, 50, words=("group",)),
    Bench("journal.py", 0.5e6, 100_000, words=("recovery",)),
    Bench("recovery.py", 0.5e6, 100_000),
    Bench("latency.py", 2000, 2_000),
    Bench("start.py", 333, 50),
)  # fmt: skip


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Run every bench.")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder of the inputs")
    parser.add_argument("--quick", action="store_true", help="a small part of each input")
    parser.add_argument("--peers", help="an interpreter that has the peers installed")
    parser.add_argument("--rounds", type=int, default=1, help="how often to alternate")
    parser.add_argument("--only", choices=sorted({b.script.removesuffix(".py") for b in BENCHES}))
    args = parser.parse_args()
    provide(args.data, quick=args.quick)
    rows = []
    for bench in BENCHES:
        if args.only in (None, bench.script.removesuffix(".py")):
            rows += list(measured(bench, args))
    print()
    print(table(rows))


def provide(folder: Path, *, quick: bool) -> None:
    """Generate the inputs that the folder lacks."""
    lacking = inputs.missing(folder)
    if not lacking:
        return
    print(f"generating {', '.join(lacking)} in {folder}", file=sys.stderr)
    bars, events, frames = (100_000, 500_000, 20_000) if quick else (1_000_000, 5_000_000, 200_000)
    inputs.write_inputs(
        folder,
        bars=bars if "bars_1m.npz" in lacking else 0,
        events=events if "l2_hft.npz" in lacking else 0,
        frames=frames if "depth.jsonl" in lacking else 0,
    )


def measured(bench: Bench, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for us and one for each peer: the best of all rounds, and the median of medians."""
    sides = [(sys.executable, (bench.script, *bench.words))]
    for package, words in bench.peers if args.peers else ():
        if has_package(args.peers, package):
            sides.append((args.peers, (f"peers/{words[0]}", *words[1:])))
        else:
            print(f"not run: {words[0]} needs {package}, which {args.peers} lacks", file=sys.stderr)
    size = ("--n", str(bench.size)) if args.quick else ()
    lines: list[list[dict[str, Any]]] = [[] for _ in sides]
    for _ in range(args.rounds):
        for mine, (python, words) in zip(lines, sides, strict=True):
            mine.append(one_line(python, [*words[:1], str(args.data), *words[1:], *size]))
    ours = max(line["rate"] for line in lines[0])
    usual = statistics.median(line["median_rate"] for line in lines[0])
    for mine in lines:
        best = max(mine, key=lambda line: line["rate"])
        median = statistics.median(line["median_rate"] for line in mine)
        yield {
            **best,
            "median_rate": median,
            "goal": bench.goal if mine is lines[0] else None,
            "ratio": ours / best["rate"] if mine is not lines[0] else None,
            "median_ratio": usual / median if mine is not lines[0] else None,
        }


def has_package(python: str, package: str) -> bool:
    """Whether an interpreter can import a package."""
    if python == sys.executable:
        return importlib.util.find_spec(package) is not None
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    return subprocess.run([python, "-c", look], check=False).returncode == 0


def one_line(python: str, words: list[str]) -> dict[str, Any]:
    """Run one script and return its line; stop with what it said if it fails."""
    ended = subprocess.run(
        [python, str(HERE / words[0]), *words[1:]], stdout=subprocess.PIPE, text=True, check=False
    )
    if ended.returncode:
        sys.exit(f"{words[0]} ended with code {ended.returncode}; what it said is above")
    text = ended.stdout.strip().splitlines()[-1]
    print(text, flush=True)
    return json.loads(text)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as text: rates, what bounds us by the goal, and ratios to peers."""
    head = f"{'':5} {'':12} {'best':>14} {'median':>14} {'':28} {'goal':>12} {'ours / it':>16}"
    out = [head]
    for row in rows:
        goal = f"{row['goal']:,.0f}" if row["goal"] else ""
        ratio = f"{row['ratio']:.2f} ({row['median_ratio']:.2f})" if row["ratio"] else ""
        out.append(
            f"{row['workload']:5} {row['peer']:12} {row['rate']:14,.0f} "
            f"{row['median_rate']:14,.0f} {row['units']:28} {goal:>12} {ratio:>16}"
        )
    return "\n".join(out)


if __name__ == "__main__":
    main()
