"""Synthetic inputs of the benches, seeded: equal bytes for equal arguments and NumPy versions.

    python benches/inputs.py FOLDER [--bars N] [--events N] [--frames N]

bars_1m.npz   ts (ns, a bar's start), open, high, low, close, volume; open = the close before
l2_hft.npz    `data`: rows of depth and prints, in the layout that hftbacktest reads
depth.jsonl   Binance `depthUpdate` frames, one a line

Prices walk at random; the book changes every 20 ms and its mid moves by at most one tick a time.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

START_NS = 1_704_067_200_000_000_000
BAR_NS = 60_000_000_000
STEPS = 8

ROW = np.dtype(
    [("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f8"), ("qty", "f8"),
     ("order_id", "u8"), ("ival", "i8"), ("fval", "f8")],
    align=True,
)  # fmt: skip
LEVEL, PRINT, SNAPSHOT = 1, 2, 4
# Seen by the exchange and by the strategy; then the side.
BID, ASK = (7 << 29), (3 << 30 | 1 << 28)
BATCH_NS = 20_000_000
FEED_LATENCY_NS = 500_000
DEPTH = 20


def make_bars(n: int, seed: int = 101) -> dict[str, Any]:
    """One-minute bars of a geometric random walk, 0.08 % a minute, in whole cents."""
    dice = np.random.default_rng(seed)
    walk = np.cumsum(dice.normal(0.0, 0.0008 / STEPS**0.5, n * STEPS))
    path = np.rint(30_000 * np.exp(walk) * 100).reshape(n, STEPS)
    close = path[:, -1]
    opened = np.concatenate([[3_000_000.0], close[:-1]])
    high, low = np.maximum(path.max(axis=1), opened), np.minimum(path.min(axis=1), opened)
    cents = {"open": opened, "high": high, "low": low, "close": close}
    return {
        "ts": START_NS + BAR_NS * np.arange(n, dtype=np.int64),
        **{name: values / 100 for name, values in cents.items()},
        "volume": np.rint(dice.lognormal(2.0, 1.0, n) * 1000) / 1000,
    }


def make_l2(n: int, seed: int = 102) -> Any:
    """Depth and prints of a book with 20 levels a side around a mid that walks by ticks of 0.1."""
    dice = np.random.default_rng(seed)
    batches = n // 5 + 100  # six rows come of each on average
    move = dice.choice([-1, 0, 1], batches, p=[0.1, 0.8, 0.1])
    after = 300_000 + np.cumsum(move)  # the best bid, in ticks
    before = after - move

    def sizes(count: int, median: float, spread: float) -> Any:
        return np.rint(dice.lognormal(np.log(median), spread, count) * 1000 + 1) / 1000

    def rows(rank: int, batch: Any, event: Any, price: Any, qty: Any, early: Any = 0) -> Any:
        return np.stack([batch * 4.0 + rank, event, price, qty, early + 0.0 * price])

    # Prints, at the touch, in the 20 ms before each batch.
    printed = np.repeat(np.arange(batches), np.minimum(dice.poisson(1.2, batches), 8))
    buy = dice.random(len(printed)) < 0.5
    # A print's time within its batch; sorted, and each stays with its batch.
    spread_out = printed * BATCH_NS + dice.integers(0, BATCH_NS - 1_000_000, len(printed))
    early = (printed + 1) * BATCH_NS - np.sort(spread_out)
    prints = rows(
        0, printed, PRINT + np.where(buy, BID, ASK), before[printed] + buy,
        sizes(len(printed), 0.135, 1.2), early,
    )  # fmt: skip
    # A move takes away the touch of one side, and the window of levels follows.
    up, down = np.flatnonzero(move > 0), np.flatnonzero(move < 0)
    moves = []
    for at, near, far, sign in [(up, ASK, BID, 1), (down, BID, ASK, -1)]:
        gone = before[at] + (sign > 0)
        none = np.zeros(len(at))
        fresh = sizes(2 * len(at), 1.65, 1.0)
        for side, price, qty in [
            (near, gone, none),
            (far, gone, fresh[: len(at)]),
            (near, gone + sign * DEPTH, fresh[len(at) :]),
            (far, gone - sign * DEPTH, none),
        ]:
            moves.append(rows(1, at, np.full(len(at), LEVEL + side), price, qty))
    # Other levels change, nearer ones more often.
    changed = np.repeat(np.arange(batches), dice.integers(2, 7, batches))
    bid = dice.random(len(changed)) < 0.5
    away = np.minimum(*dice.integers(0, DEPTH, (2, len(changed))))
    changes = rows(
        2, changed, LEVEL + np.where(bid, BID, ASK),
        after[changed] + np.where(bid, -away, 1 + away), sizes(len(changed), 1.65, 1.0),
    )  # fmt: skip
    snapshot = np.arange(DEPTH)
    first = [
        rows(-1, 0 * snapshot, np.full(DEPTH, SNAPSHOT + side), price, sizes(DEPTH, 1.65, 1.0),
             np.full(DEPTH, BATCH_NS))
        for side, price in [(BID, 300_000 - snapshot), (ASK, 300_001 + snapshot)]
    ]  # fmt: skip
    whole = np.concatenate([*first, prints, *moves, changes], axis=1)
    whole = whole[:, np.argsort(whole[0], kind="stable")[:n]]
    return feed_rows(whole)


def feed_rows(whole: Any) -> Any:
    """The feed's rows from (order, event, price in ticks, quantity, ns before the batch's end)."""
    order, event, price, qty, early = whole
    data = np.zeros(len(order), ROW)
    data["ev"] = event.astype(np.uint64)
    batch = np.floor((order + 1) / 4).astype(np.int64)
    data["exch_ts"] = START_NS + (batch + 1) * BATCH_NS - early.astype(np.int64)
    data["local_ts"] = data["exch_ts"] + FEED_LATENCY_NS
    data["px"] = price / 10
    data["qty"] = qty
    return data


def make_frames(n: int, seed: int = 103) -> Iterator[str]:
    """Binance spot depth updates, about twenty levels a side; the book never crosses."""
    dice = np.random.default_rng(seed)
    best, last_id, time_ms = 3_000_000, 10_000_000_000, 1_704_067_200_000
    resting: dict[str, set[int]] = {"b": set(), "a": set()}
    for _ in range(n):
        best += int(dice.integers(-30, 31))
        sides: dict[str, dict[int, int]] = {}
        for side, sign in (("b", -1), ("a", 1)):
            touch = best if side == "b" else best + 1
            # What the price has passed is gone.
            levels = dict.fromkeys((p for p in resting[side] if (p - touch) * sign < 0), 0)
            count = int(dice.integers(12, 29))
            away = dice.integers(0, 1000, (2, count)).min(axis=0)
            qty = dice.lognormal(-2.5, 2.0, count) * (dice.random(count) >= 0.35)
            for at, size in zip(away.tolist(), qty.tolist(), strict=True):
                levels[touch + sign * at] = int(size * 1e5) + (size > 0)
            for price, size in levels.items():
                (resting[side].add if size else resting[side].discard)(price)
            sides[side] = dict(sorted(levels.items(), reverse=side == "b"))
        rows = {
            side: [[f"{p // 100}.{p % 100:02}000000", f"{q / 1e5:.8f}"] for p, q in levels.items()]
            for side, levels in sides.items()
        }
        first_id, last_id = last_id + 1, last_id + sum(map(len, rows.values()))
        frame = {"e": "depthUpdate", "E": time_ms, "s": "BTCUSDT", "U": first_id, "u": last_id}
        yield json.dumps({**frame, **rows}, separators=(",", ":"))
        time_ms += 100


def write_inputs(
    folder: Path, *, bars: int = 1_000_000, events: int = 5_000_000, frames: int = 200_000
) -> None:
    """Write all inputs; a size of 0 leaves one out.

    Each file appears whole or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def write(name: str, fill: Any) -> None:
        part = folder / f".{name}.part"
        with part.open("wb") as out:
            fill(out)
        part.rename(folder / name)

    if bars:
        write("bars_1m.npz", lambda out: np.savez(out, **make_bars(bars)))
    if events:
        write("l2_hft.npz", lambda out: np.savez(out, data=make_l2(events)))
    if frames:
        lines = (f"{line}\n".encode() for line in make_frames(frames))
        write("depth.jsonl", lambda out: out.writelines(lines))


def missing(folder: Path) -> list[str]:
    """Which inputs a folder lacks."""
    names = ("bars_1m.npz", "l2_hft.npz", "depth.jsonl")
    return [name for name in names if not (folder / name).is_file()]


def main() -> None:
    """Write the inputs that the command line asks for."""
    parser = argparse.ArgumentParser(description="Write the synthetic inputs of the benches.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bars", type=int, default=1_000_000, help="0 leaves them out")
    parser.add_argument("--events", type=int, default=5_000_000, help="0 leaves them out")
    parser.add_argument("--frames", type=int, default=200_000, help="0 leaves them out")
    args = parser.parse_args()
    if min(args.bars, args.events, args.frames) < 0:
        sys.exit("a size below zero makes no sense: 0 leaves an input out")
    write_inputs(args.folder, bars=args.bars, events=args.events, frames=args.frames)
    for path in sorted(args.folder.iterdir()):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
