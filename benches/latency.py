"""L1: from the socket to the strategy, and to the wire, over loopback.

    python benches/latency.py FOLDER [--n 36000] [--rate 2000] [--policy os] [--plain]

`veloz exchange` sends recorded depth, trades and quotes in a process of its own, and `veloz run`
trades on it in another with `strategies/probe.py`: the commands as a user has them. The times are
those that the run states of itself, over every frame, from the receipt of the first frame of its
read: to the strategy's callback, until an order's bytes are written, from a report to `on_fill`.
Each process has a core of its own, unless `--free`: the kernel otherwise likes to run the exchange,
woken by an order, on the core of the run, which then waits for it inside of `send`; a venue is on
another machine. The run spins and keeps the processors awake, as `veloz run --spin --awake` does,
where there are two cores and where the system lets it; `--plain` does neither. What was done and
the load are stated beside the times.
"""

import contextlib
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timing import arguments, can_stay_awake, emit

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "examples" / "data" / "binance_usdm"
RECORDING = EXAMPLES / "BTCUSDT_2023-04-04_5min.jsonl.gz"
VELOZ = (sys.executable, "-m", "veloz.apps.cli")
STAGES = {"callback": "callback", "request": "request", "written": "written", "fill": "on_fill"}
ENDS_WITHIN_S = 90


def speed_for(recording: Path, rate: float, count: int) -> float:
    """How much faster than recorded the first so many messages come so often a second."""
    times = []
    with gzip.open(recording, "rt", encoding="utf-8") as rows:
        for row in rows:
            # what a client is sent: marks have a pace of their own, snapshots are asked for
            if '"ch":"ws"' in row and "markPriceUpdate" not in row:
                times.append(int(row.partition('"t":')[2].partition(",")[0]))
            if len(times) == count:
                break
        else:
            sys.exit(f"{recording} has {len(times)} messages, fewer than {count}")
    return rate * (times[-1] - times[0]) / 1e9 / len(times)


@contextlib.contextmanager
def on_core(number: int | None) -> Iterator[None]:
    """What is started meanwhile has a core of its own; None leaves it to the kernel."""
    if number is None:
        yield
        return
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(ours)[number]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, ours)


@contextlib.contextmanager
def venue(folder: Path, speed: float, args: Any) -> Iterator[str]:
    """The exchange as a process; gives the line that it prints, and leaves a key file."""
    words = [
        "exchange", "--json", "--market", "frames", str(args.recording), "--speed", f"{speed:.3f}",
        *(["--spin"] if args.spin_venue else []),
    ]  # fmt: skip
    with on_core(None if args.free else 0):
        serving = subprocess.Popen([*VELOZ, *words], text=True, stdout=subprocess.PIPE, cwd=folder)
    try:
        line = serving.stdout.readline()
        if not line:
            sys.exit("the exchange did not start")
        key_file(folder, line)
        yield line
    finally:
        serving.terminate()
        serving.wait(20)


def key_file(folder: Path, line: str) -> None:
    """Writes the key of the exchange's first account, as `veloz run --account` reads it."""
    account = json.loads(line)["accounts"][0]
    key = folder / "key.toml"
    key.write_text(
        'venue = "binance"\nenvironment = "simulated"\n'
        f'api_key = "{account["api_key"]}"\nsecret = "{account["secret"]}"\n'
    )
    key.chmod(0o600)


def traded(folder: Path, line: str, seconds: float, args: Any) -> dict[str, Any]:
    """Trades for so long; returns what the run says of its end."""
    words = [
        "run", str(HERE / "strategies" / "probe.py"), "--env", "live", "--live", "--yes", "--json",
        "--account", "key.toml", "--simulated", line, "--policy", args.policy,
        "--folder", str(folder / "run"),
        "--set", f"gap={args.gap}", *(["--awake"] if args.awake else []),
        *(["--spin"] if args.spin else []),
    ]  # fmt: skip
    env = {**os.environ, "VELOZ_HOME": str(folder / "home")}
    with on_core(None if args.free else -1):
        running = subprocess.Popen(
            [*VELOZ, *words], text=True, stdout=subprocess.PIPE, env=env, cwd=folder
        )
    heard: dict[str, dict[str, Any]] = {}
    for text in running.stdout:
        told = json.loads(text)
        heard[told.get("event", "end")] = told | {"at": time.monotonic()}
        if told.get("event") == "started":
            threading.Timer(seconds, running.send_signal, [signal.SIGTERM]).start()
    if running.wait(ENDS_WITHIN_S) or "ended" not in heard:
        said = list(heard.values())[-2:]
        sys.exit(f"the run ended with code {running.returncode}, after: {said}")
    traded_s = heard["stopping"]["at"] - heard["started"]["at"]
    return heard["ended"] | {"traded_s": traded_s}


def main() -> None:
    """Run the bench and print its line."""
    parser = arguments("L1: socket to strategy and wire, over loopback.", n=36_000, runs=1)
    parser.add_argument("--rate", type=float, default=2000.0, help="messages a second (2000)")
    parser.add_argument("--gap", type=int, default=100, help="events between two requests (100)")
    parser.add_argument("--policy", default="os", help="of the journal (os)")
    parser.add_argument("--recording", type=Path, default=RECORDING, help="what is sent")
    parser.add_argument(
        "--plain", action="store_true", help="without --spin and --awake of the run"
    )
    parser.add_argument("--spin-venue", action="store_true", help="as `veloz exchange --spin`")
    parser.add_argument(
        "--free", action="store_true", help="leave the processes' cores to the kernel"
    )
    args = parser.parse_args()
    args.free |= len(os.sched_getaffinity(0)) < 2
    args.spin = not (args.plain or args.free)  # on a shared core it would keep the exchange off it
    args.awake = not args.plain and can_stay_awake()
    folder = Path(args.data).resolve() / "latency"
    speed, seconds = speed_for(args.recording, args.rate, args.n), args.n / args.rate
    for _ in range(args.runs):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with venue(folder, speed, args) as line:
            ended = traded(folder, line, seconds, args)
        told = ended["latency_ns"]
        fields: dict[str, Any] = {
            "load": round(os.getloadavg()[0], 2),
            "own_cores": not args.free,
            "awake": args.awake,
            "spin": args.spin,
            "spin_venue": args.spin_venue,
        }
        for stage, name in STAGES.items():
            count, *times = told[stage]
            fields[f"{name}_count"] = count
            for part, ns in zip(("p50", "p99", "max"), times, strict=True):
                fields[f"{name}_{part}_us"] = round(ns / 1000, 1)
        fields |= {name: ended[name] for name in ("orders", "fills", "collections_on_path")}
        frames = told["callback"][0]
        emit("L1", "frames/s", frames, [ended["traded_s"]], fields)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
