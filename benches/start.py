"""L2: from the start of a live run to an account that is known, with many orders open.

    python benches/start.py FOLDER [--n 1000]

A run places N orders on a simulated exchange and leaves them open; then `veloz run` is started
again in the same folder, as after a crash: it recovers its journal, asks the venue for everything,
and compares. Timed are the whole start, from the command to the event `started`, and the part of it
from the recovered journal on. The venue lets an account have so many orders in one symbol here.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from latency import HERE, VELOZ, key_file
from timing import arguments, emit

PLACED_A_S = 25


def start(folder: Path, line: str, count: int, stop_after_s: float) -> list[dict[str, Any]]:
    """One run; gives its events with the seconds since the command."""
    words = [
        "run", str(HERE / "strategies" / "ladder.py"), "--env", "live", "--live", "--yes", "--json",
        "--account", "key.toml", "--simulated", line, "--folder", "run", "--set", f"count={count}",
        "--limit", "price_band_bps=5000", "--limit", "max_position=1000",
    ]  # fmt: skip
    env = {**os.environ, "VELOZ_HOME": str(folder / "home")}
    began = time.perf_counter()
    running = subprocess.Popen(
        [*VELOZ, *words], text=True, stdout=subprocess.PIPE, env=env, cwd=folder
    )
    events = []
    for text in running.stdout:
        events.append(json.loads(text) | {"at": time.perf_counter() - began})
        is_started = any(one.get("event") == "started" for one in events)
        if is_started and events[-1].get("open", 0) >= count:
            running.send_signal(signal.SIGTERM)
        elif time.perf_counter() - began > stop_after_s:
            running.kill()
    if running.wait():
        sys.exit(f"the run ended with code {running.returncode}, after: {events[-2:]}")
    return events


def one_start(folder: Path, line: str, count: int) -> tuple[float, dict[str, Any]]:
    """Seconds from the command to `started`, and what it found."""
    events = start(folder, line, count, 120)
    named = {one["event"]: one for one in events if "event" in one}
    left = [one for one in named["ended"]["differences"]]
    return named["started"]["at"], {
        "recovered_batches": named["recovered"]["batches"],
        "from_journal_seconds": round(named["started"]["at"] - named["recovered"]["at"], 3),
        "open": named["status"]["open"],
        "differences": len(left),
    }


def main() -> None:
    """Run the bench and print its line."""
    parser = arguments("L2: start to reconciled.", n=1000)
    parser.add_argument("--serve", action="store_true", help="be the exchange")
    args = parser.parse_args()
    if args.serve:
        serve(args.n)
        return
    folder = Path(args.data).resolve() / "start"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    serving = subprocess.Popen(
        [sys.executable, __file__, args.data, "--n", str(args.n), "--serve"],
        text=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        line = serving.stdout.readline()
        key_file(folder, line)
        start(folder, line, args.n, args.n / PLACED_A_S + 60)
        runs = [one_start(folder, line, args.n) for _ in range(args.runs)]
    finally:
        serving.terminate()
        serving.wait(20)
    fields = {"load": round(os.getloadavg()[0], 2), **runs[-1][1]}
    emit("L2", "orders reconciled/s, whole start", args.n, [one for one, _ in runs], fields)
    shutil.rmtree(folder, ignore_errors=True)


def serve(count: int) -> None:
    """An exchange with room for so many orders in one symbol, until it is stopped."""
    from veloz.exchange.exchange import Exchange
    from veloz.exchange.words import Market
    from veloz.net.real import real_doors, run
    from veloz.venues.binance.dialect import Generator, Simulation, default_listings

    listings = [
        dataclasses.replace(listing, max_orders=2 * count) for listing in default_listings()
    ]
    dice = [random.Random(number) for number in range(3)]
    exchange = Exchange(listings, now_ns=time.time_ns, random=dice[0])
    simulation = Simulation(exchange, clock_ns=time.time_ns, random=dice[1])
    for listing in exchange.listings(Market.USDM):
        if listing.base == "BTC":
            simulation.drivers.append(Generator(exchange, listing, dice[2], rate=5.0))
    simulation.open_account({(Market.USDM, "USDT"): Decimal(100_000_000)})

    async def served() -> None:
        async with real_doors() as doors:
            simulation.beat()
            print(json.dumps(await simulation.serve(doors.sockets)), flush=True)
            await simulation.run()

    with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
        run(served())


if __name__ == "__main__":
    main()
