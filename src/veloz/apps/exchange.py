"""`veloz exchange`: a venue on this host that speaks as Binance does, with play money.

It prints one line when it is ready: the addresses of the three markets and the accounts' keys.
Any client that lets its base addresses be changed can trade on it. It runs until it is stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import random
import signal
import sys
import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veloz.errors import ConfigError, DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from veloz.exchange.exchange import Exchange
    from veloz.venues.binance.dialect import Simulation

__all__ = ["add_parser", "build", "plan_of", "run"]

DEFAULT_BALANCE = "100000"
MARKETS = ("generator", "recording", "frames")
MOST_SPEED, MOST_RATE, MOST_ACCOUNTS, LAST_PORT = 1e6, 1e5, 1000, 65_533
"""Three ports in a row are taken; the others are beyond what one process can serve."""
MOST_BALANCE = Decimal(10) ** 15
STEP_MS = {"generator": 10, "recording": 10, "frames": 100}


def add_parser(verbs: Any) -> None:
    """Declares the verb's arguments."""
    parser = verbs.add_parser(
        "exchange",
        help="serve a simulated Binance on this host",
        description="Serves a simulated Binance: spot, USD-M and COIN-M, with play money.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--listen",
        default="127.0.0.1:0",
        metavar="HOST:PORT",
        help="address of the spot market; the others take the two ports after it (0: any)",
    )
    parser.add_argument(
        "--market",
        nargs="+",
        default=["generator"],
        metavar="SOURCE",
        help="generator (default); recording FILE …; frames FILE … (sent as they are, for load)",
    )
    parser.add_argument(
        "--speed", type=float, default=1.0, help="of a recording or of frames (1.0)"
    )
    parser.add_argument("--rate", type=float, default=20.0, help="events a second and symbol (20)")
    parser.add_argument("--seed", type=int, default=1, help="of keys, ids and dice (1)")
    parser.add_argument("--accounts", type=int, default=2, metavar="N", help="accounts (2)")
    parser.add_argument(
        "--balance", default=DEFAULT_BALANCE, help="USDT of each account and market (100000)"
    )
    parser.add_argument("--faults", type=Path, metavar="PLAN", help="a fault plan, JSON")
    parser.add_argument(
        "--spin",
        action="store_true",
        help="never sleep: who is timed against it need not wake it; takes a whole core",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON when ready")


def run(args: argparse.Namespace) -> int:
    """Serves until it is interrupted or terminated.

    Raises:
        UsageError: An argument has no meaning.
        ConfigError: The fault plan cannot be read.
        DataError: The recording cannot be read.
    """
    _check(args)
    from veloz.net.real import run as run_real  # loads the network libraries

    run_real(_serve(args))
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuses numbers that no exchange can run at, before anything is started."""
    _listening(args)
    if not 0 < args.speed <= MOST_SPEED:
        raise UsageError(f"--speed {args.speed:g}: say a number above 0, up to {MOST_SPEED:g}")
    if not 0 <= args.rate <= MOST_RATE:
        raise UsageError(f"--rate {args.rate:g}: say a number from 0 to {MOST_RATE:g}")
    if not 1 <= args.accounts <= MOST_ACCOUNTS:
        raise UsageError(f"--accounts {args.accounts}: say a number from 1 to {MOST_ACCOUNTS}")
    _money(args.balance)


def _listening(args: argparse.Namespace) -> tuple[str, int]:
    host, _, port = args.listen.rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise UsageError(f"--listen {args.listen}: say HOST:PORT, such as 127.0.0.1:0")
    if len(port) > 5 or int(port) > LAST_PORT:
        raise UsageError(f"--listen {args.listen}: {port} is no port; say 0 to {LAST_PORT}")
    return host, int(port)


def build(args: argparse.Namespace, clock_ns: Callable[[], int]) -> Simulation:
    """The simulation that the arguments describe.

    Raises:
        UsageError: An argument has no meaning.
        ConfigError: The fault plan cannot be read.
        DataError: The recording cannot be read.
    """
    from veloz.exchange.exchange import Exchange  # these load cryptography: only when used
    from veloz.venues.binance.dialect import Simulation, default_listings

    dice = random.Random(args.seed)  # noqa: S311 - play money
    # each use of chance has dice of its own: one more id does not change the market
    chances = [random.Random(dice.getrandbits(64)) for _ in range(3)]  # noqa: S311
    exchange = Exchange(default_listings(), now_ns=clock_ns, random=chances[0])
    plan = _plan(args.faults)
    simulation = Simulation(exchange, clock_ns=clock_ns, random=chances[1], plan=plan)
    _drive(simulation, exchange, args, chances[2])
    money = _money(args.balance)
    for _ in range(args.accounts):
        simulation.open_account(money)
    return simulation


def _drive(
    simulation: Simulation, exchange: Exchange, args: argparse.Namespace, dice: random.Random
) -> None:
    from veloz.exchange.words import Market
    from veloz.venues.binance.dialect import Frames, Generator, Recording, read_recording

    kind, *files = args.market
    if kind not in MARKETS or (kind != "generator") != bool(files):
        raise UsageError(
            f"--market {' '.join(args.market)}: no source of a market",
            hint="say: --market generator, --market recording FILE or --market frames FILE",
        )
    for name in files:
        recording = Recording(exchange, read_recording(Path(name)), speed=args.speed)
        if kind == "recording":
            simulation.drivers.append(recording)
        else:
            simulation.drivers.append(Frames(simulation, recording.rows, speed=args.speed))
    if files:
        return
    for market in Market:
        for listing in exchange.listings(market):
            simulation.drivers.append(Generator(exchange, listing, dice, rate=args.rate))


def _money(text: str) -> dict[Any, Decimal]:
    from veloz.exchange.words import Market

    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise UsageError(f"--balance {text}: not a number") from None
    if not amount.is_finite() or not 0 <= amount < MOST_BALANCE:
        raise UsageError(f"--balance {text}: say an amount from 0 to {MOST_BALANCE:,}")
    return {
        (Market.SPOT, "USDT"): amount,
        (Market.SPOT, "BTC"): Decimal(10),
        (Market.SPOT, "ETH"): Decimal(100),
        (Market.SPOT, "BNB"): Decimal(100),
        (Market.USDM, "USDT"): amount,
        (Market.COINM, "BTC"): Decimal(10),
        (Market.COINM, "ETH"): Decimal(100),
    }


def _plan(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        body = path.read_bytes()
    except OSError as missing:
        raise DataError(f"{path}: {missing.strerror}") from None
    return plan_of(body, str(path))


def plan_of(body: bytes, name: str) -> dict[str, Any]:
    """A fault plan as a file holds it; its lines are checked when it is put in force.

    Raises:
        ConfigError: It is no JSON object.
    """
    try:
        plan = json.loads(body)
    except (ValueError, RecursionError) as broken:
        raise ConfigError(f"{name}: not JSON: {broken}") from None
    if not isinstance(plan, dict):
        raise ConfigError(f'{name}: a fault plan is an object: {{"seed": …, "plan": […]}}')
    return plan


async def _serve(args: argparse.Namespace) -> None:
    from veloz.net.real import Alarm, real_doors, spinning  # loads the network libraries
    from veloz.venues.binance.dialect import Frames

    host, port = _listening(args)
    simulation = build(args, time.time_ns)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with real_doors() as doors:
        simulation.beat()
        gc.collect()
        gc.freeze()  # a recording is many objects: to walk through them stops the market
        shape = await simulation.serve(doors.sockets, host, port)
        _announce(shape, as_json=args.json)
        alarms = contextlib.ExitStack()
        moving = [asyncio.create_task(simulation.run(STEP_MS[args.market[0]]))]
        for driver in simulation.drivers:
            if isinstance(driver, Frames):
                alarm = Alarm()
                alarms.callback(alarm.close)
                moving.append(asyncio.create_task(simulation.follow(driver, alarm.until)))
        stopping = asyncio.create_task(stop.wait())
        with alarms, spinning() if args.spin else contextlib.nullcontext():
            await _until(stopping, moving)


async def _until(stopping: asyncio.Task[Any], moving: list[asyncio.Task[None]]) -> None:
    """Waits for the end; a market that is over is no end, a market that fails is one."""
    waiting: set[asyncio.Task[Any]] = {stopping, *moving}
    while not stopping.done():
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    for task in waiting:
        task.cancel()


def _announce(shape: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(shape), flush=True)
        return
    for market in ("spot", "usdm", "coinm"):
        print(f"{market:6} rest {shape[market]['rest']}  ws {shape[market]['ws']}")
    for row in shape["accounts"]:
        print(f"key    {row['api_key']}  secret {row['secret']}")
    sys.stdout.flush()
