"""`veloz run`: the strategy file of a backtest, on paper or live.

```text
veloz run my_cross.py --env paper                          real data, simulated fills
veloz run my_cross.py --env live --live --account key.toml real orders, after a plan was confirmed
```

It trades until Ctrl-C, SIGTERM or `--for`; then the strategies' stop policies run. A second signal
ends it at once: what is open stays open, and the next start in the same folder goes on from there.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veloz.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from veloz.environments.trading.lifetime import Stop
    from veloz.environments.trading.settings import TradingSettings
    from veloz.secrets import Credential
    from veloz.venues.binance.hosts import Hosts, Market

__all__ = ["add_parser", "add_venue", "addresses", "home_folder", "run"]

DEFAULT_RUNS = "runs"


def add_parser(verbs: Any) -> None:
    """Declares the verb's arguments."""
    parser = verbs.add_parser(
        "run",
        help="trade strategies on paper or live",
        description="Trades strategy files on Binance: on paper with simulated fills, or live.",
    )
    parser.add_argument(
        "strategies", nargs="+", metavar="STRATEGY.py[:Class]", help="one or several"
    )
    parser.add_argument("--env", choices=("paper", "live"), required=True, help="no default")
    parser.add_argument(
        "--set", dest="parameters", action="append", default=[], metavar="NAME=VALUE",
        help="a parameter; of several strategies Class.NAME=VALUE (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--limit", dest="limits", action="append", default=[], metavar="NAME=VALUE",
        help="a risk limit, e.g. max_order_notional=5000 (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--policy", choices=("os", "group", "fsync"), default="group",
        help="when an order may leave: its record is written (os), or on the disk (group, fsync)",
    )  # fmt: skip
    parser.add_argument(
        "--for", dest="seconds", metavar="TIME", help="stop by itself, e.g. 30s, 10m, 8h"
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR",
        help=f"the run's folder; a live run goes on in it (default: a new one in {DEFAULT_RUNS}/)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of the strategies' dice (0)")
    parser.add_argument(
        "--awake", action="store_true",
        help="keep this computer's processors from sleeping: quicker orders, more power (Linux)",
    )  # fmt: skip
    parser.add_argument(
        "--spin", action="store_true",
        help="never wait for the next frame, look for it: quicker orders; takes a whole core",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print events, one JSON object a line")
    add_venue(parser)
    _add_paper(parser)
    _add_live(parser)


def add_venue(parser: argparse.ArgumentParser) -> None:
    """Declares where the venue is."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--hosts", type=Path, metavar="FILE",
        help="addresses and environment (testnet, demo, proxy), TOML",
    )  # fmt: skip
    where.add_argument(
        "--simulated", metavar="LINE", help="the line that `veloz exchange --json` prints"
    )


def _add_paper(parser: argparse.ArgumentParser) -> None:
    paper = parser.add_argument_group("paper")
    paper.add_argument(
        "--balance", default="10000 USDT", metavar="AMOUNTS",
        help='opening balances, e.g. "10000 USDT, 0.5 BTC" (default 10000 USDT)',
    )  # fmt: skip
    paper.add_argument(
        "--leverage", default="1", metavar="N", help="of every contract, or SYMBOL=N, …  (1)"
    )
    paper.add_argument(
        "--maintenance", metavar="RATE",
        help="margin at which a contract is liquidated, as a fraction of its value, or "
        "SYMBOL=RATE, …; 0 liquidates nothing (0.005)",
    )  # fmt: skip
    paper.add_argument("--fees", metavar="RATES", help="maker=0.0002,taker=0.0005")
    paper.add_argument("--latency", metavar="MODEL", help='each way, e.g. "5ms" (default 5ms)')
    paper.add_argument(
        "--fill", action="append", default=[], metavar="KEY=VALUE",
        help="a choice of the matching simulator (repeatable)",
    )  # fmt: skip


def _add_live(parser: argparse.ArgumentParser) -> None:
    live = parser.add_argument_group("live")
    live.add_argument("--account", type=Path, metavar="KEYFILE", help="the key, a private file")
    live.add_argument("--live", action="store_true", help="yes, real orders")
    live.add_argument("--yes", action="store_true", help="confirm the plan without being asked")
    live.add_argument(
        "--adopt", action="store_true",
        help="take over the venue's balances and positions where the journal differs",
    )  # fmt: skip
    live.add_argument(
        "--record-market", action="store_true",
        help="keep what was heard beside the journal, for `veloz verify`; on paper it always is",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Trades until it is stopped.

    Returns:
        0; 1 if at the end something differs from the venue or could not be wound down.
    """
    from veloz.net.real import awake  # loads the network libraries
    from veloz.net.real import run as run_real

    for_s = _seconds(args.seconds)
    settings, credential = _settings(args)
    with awake() if args.awake else contextlib.nullcontext():
        outcome = run_real(_trade(args, settings, credential, for_s))
    if not args.json:
        print(_text(outcome))
    return 0 if outcome["wound_down"] and not outcome["differences"] else 1


async def _trade(
    args: argparse.Namespace,
    settings: TradingSettings,
    credential: Credential | None,
    for_s: float | None,
) -> dict[str, Any]:
    from veloz.environments.live import live
    from veloz.environments.paper import paper
    from veloz.environments.trading.lifetime import Home, Stop
    from veloz.net.real import real_doors, spinning

    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _signalled, stop)
    if for_s is not None:
        loop.call_later(for_s, stop.asked.set)
    tell = _tell_json if args.json else _tell_text
    home = Home(home_folder())
    async with real_doors() as doors:
        doors.files.make_folder(settings.folder)
        with spinning() if args.spin else contextlib.nullcontext():
            if credential is None:
                return await paper(settings, doors, home, stop, tell=tell, is_alone=True)
            confirm = _confirm(args)
            return await live(
                settings, credential, doors, home, stop, confirm=confirm, tell=tell, is_alone=True
            )


def _signalled(stop: Stop) -> None:
    if stop.asked.is_set():
        print("stopping at once; what is open stays open", file=sys.stderr)
    else:
        print("stopping by the stop policies; once more to stop at once", file=sys.stderr)
    stop.ask()


def home_folder() -> Path:
    """Where locks and epochs of this user's accounts are."""
    given = os.environ.get("VELOZ_HOME")
    return Path(given) if given else Path.home() / ".veloz"


def addresses(args: argparse.Namespace) -> Mapping[Market, Hosts]:
    """Where the venue is, by what the user said.

    Raises:
        ConfigError: The file or the line says nothing that can be used.
    """
    from veloz.environments.trading import addresses as known
    from veloz.venues.binance.hosts import Environment

    if args.simulated is not None:
        return known.of_simulated(args.simulated)
    if args.hosts is None:
        return known.of_environment(Environment.PRODUCTION)
    try:
        text = args.hosts.read_text(encoding="utf-8")
    except OSError as missing:
        raise ConfigError(f"{args.hosts}: {missing.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{args.hosts} is not text", hint="give a TOML file") from None
    return known.of_file(text, str(args.hosts))


def _settings(args: argparse.Namespace) -> tuple[TradingSettings, Credential | None]:
    from veloz.environments.settings import (
        LATENCY_OF_BOOKS,
        parse_balance,
        parse_fees,
        parse_fill,
        parse_latency,
        parse_leverage,
        parse_limits,
        parse_maintenance,
        parse_seed,
    )
    from veloz.environments.trading.engine import check_words
    from veloz.environments.trading.settings import TradingSettings
    from veloz.secrets import read_credential

    credential = None
    account = "binance/paper"
    if args.env == "live":
        if not args.live:
            raise UsageError("--env live trades with real orders", hint="add --live to mean it")
        if args.account is None:
            raise UsageError("--env live needs a key", hint="say --account KEYFILE")
        credential = read_credential(args.account)
        account = f"binance/{credential.name}"
    elif args.live or args.account is not None:
        raise UsageError("--live and --account belong to --env live")
    maker, taker = parse_fees(args.fees)
    entry, report = parse_latency(args.latency)
    settings = TradingSettings(
        environment=args.env,
        seats=_seats(args),
        folder=args.folder or _new_folder(args),
        hosts=addresses(args),
        account=account,
        policy=args.policy,
        balance=parse_balance(args.balance),
        leverage=parse_leverage(args.leverage),
        maintenance=parse_maintenance(args.maintenance),
        maker_fee=maker,
        taker_fee=taker,
        entry_latency=entry or LATENCY_OF_BOOKS,
        report_latency=report or LATENCY_OF_BOOKS,
        fill=parse_fill([part for text in args.fill for part in text.split(",")]),
        seed=parse_seed(args.seed),
        limits=parse_limits(_pairs(args.limits)),
        records_market=args.record_market,
        adopts=args.adopt,
    )
    check_words(settings)
    return settings, credential


def _seats(args: argparse.Namespace) -> Any:
    """The strategies with their parameters; a dotted name is for one class alone."""
    from veloz.environments.loading import check_parameters, load_strategy
    from veloz.environments.trading.settings import Seat

    given = _pairs(args.parameters)
    names = [load_strategy(target).strategy.__name__ for target in args.strategies]
    seats: list[Seat] = []
    for target, name in zip(args.strategies, names, strict=True):
        own = {
            key.partition(".")[2] or key: value
            for key, value in given.items()
            if "." not in key or key.partition(".")[0] == name
        }
        check_parameters(target, own)
        seats.append(Seat(target, own))
    for key in given:
        owner, dot, _ = key.partition(".")
        if dot and owner not in names:
            raise ConfigError(f"--set {key}: there is no strategy {owner}")
    return tuple(seats)


def _pairs(given: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"{text!r} is not NAME=VALUE", hint="Write it like --set fast=12.")
        pairs[name.strip()] = value.strip()
    return pairs


def _new_folder(args: argparse.Namespace) -> Path:
    stem = Path(args.strategies[0].rpartition(":")[0] or args.strategies[0]).stem
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return Path(DEFAULT_RUNS) / f"{stem}-{args.env}-{stamp}"


def _seconds(text: str | None) -> float | None:
    from veloz.strategy.durations import parse_duration_ns

    if text is None:
        return None
    try:
        return parse_duration_ns(text) / 1e9
    except ValueError as error:
        raise UsageError(f"--for {text}: {error}", hint="say 30s, 10m or 8h") from None


# -- words ---------------------------------------------------------------------------------------


def _confirm(args: argparse.Namespace) -> Callable[[dict[str, Any]], bool]:
    def confirm(plan: dict[str, Any]) -> bool:
        out = sys.stderr if args.json else sys.stdout
        print(plan_text(plan), file=out, flush=True)
        if args.yes:
            return True
        if not sys.stdin.isatty():
            raise ConfigError(
                "the plan must be confirmed, and there is no terminal to ask on",
                hint="read the plan above, then give --yes",
            )
        print("trade like this? [yes/N] ", end="", file=out, flush=True)
        return sys.stdin.readline().strip().lower() == "yes"

    return confirm


def plan_text(plan: dict[str, Any]) -> str:
    """What a live run will do, for a person."""
    lines = [
        f"account     {plan['account']}, {plan['environment']}",
        f"folder      {plan['folder']}"
        + (f", goes on behind batch {plan['goes_on_from']}" if plan["goes_on_from"] else ", new"),
        f"orders go   once their record is {_POLICIES[plan['policy']]}",
    ]
    for row in plan["strategies"]:
        values = ", ".join(f"{name}={value}" for name, value in row["parameters"].items())
        where = ", ".join(row["markets"])
        lines.append(f"strategy    {row['name']} on {where}: {', '.join(row['symbols'])}")
        lines.append(f"            {values}")
        lines.append(f"            at the end: {_STOPS[row['stop_policy']]}")
    limits = ", ".join(f"{name}={value}" for name, value in plan["limits"].items())
    lines.append(f"limits      {limits or 'the standard ones'}")
    for symbol, times in plan["leverage"].items():
        lines.append(f"leverage    {symbol} {times}x")
    for market, seen in plan["accounts"].items():
        held = ", ".join(f"{amount} {asset}" for asset, amount in seen["balances"].items())
        lines.append(f"{market:<11} holds {held or 'nothing'}")
        for row in seen["positions"]:
            lines.append(f"            position {row['qty']} {row['symbol']} {row['side']}")
        for symbol, count in seen["own_orders"].items():
            lines.append(f"            goes on with {count:,} open orders of {symbol}")
        for symbol, count in seen["open_orders"].items():
            lines.append(f"            {count:,} open orders of {symbol}, shown as external")
    return "\n".join(lines)


_POLICIES = {
    "os": "written: it survives the program, not the machine",
    "group": "on the disk, several at a time",
    "fsync": "on the disk, each by itself",
}
_STOPS = {
    "cancel": "its orders are cancelled",
    "hold": "nothing is touched",
    "flatten": "its orders are cancelled and its position is closed at the market",
}


def _tell_json(name: str, fields: dict[str, Any]) -> None:
    print(json.dumps({"event": name, **fields}), flush=True)


def _tell_text(name: str, fields: dict[str, Any]) -> None:
    text = _WORDS.get(name)
    if name == "status":
        held = ", ".join(f"{row['qty']} {row['symbol']}" for row in fields["positions"])
        state = "" if fields["is_synced"] else ", account not known"
        state += f", {fields['frozen']} frozen" if fields["frozen"] else ""
        print(
            f"{time.strftime('%H:%M:%S', time.gmtime())}  orders {fields['orders']} "
            f"(open {fields['open']}, refused {fields['refused']}), fills {fields['fills']}, "
            f"holds {held or 'nothing'}{state}",
            flush=True,
        )
    elif text is not None:
        print(text.format(**fields), flush=True)


_WORDS = {
    "instrument_changed": "the venue has changed {change}",
    "instrument_halted": "{symbol} is frozen, no order is given: {why}",
    "instrument_resumed": "{symbol} trades again",
    "silent": "the venue asked for silence on {market}: nothing is sent for {seconds:.0f} s",
    "recovered": "recovered {batches} batches of the journal, up to {sequence}",
    "doubted": "{orders} orders on {market} were under way: the venue is asked",
    "adopted": "took over {differences} differences on {market}",
    "started": "started {strategies}",
    "warmed_up": "{bars} bars of {symbol} {interval} warmed indicators up",
    "differs": "differs: {kind} {subject}: ours {ours}, the venue's {theirs}; freezes {freeze}",
    "journal": "journal: {detail}",
    "strategy_stopped": "{strategy} was stopped: {message} {place}",
    "stopping": "stopping",
    "not_wound_down": "{open} orders are still open",
    "failed": "failed: {why}",
    "rescued": "the venue was asked to cancel all orders; of {cancelled} it did, of {left} nobody "
    "knows",
}


def _text(outcome: dict[str, Any]) -> str:
    lines = [
        f"orders {outcome['orders']}, fills {outcome['fills']}, refused {outcome['refused']}, "
        f"rejected {outcome['rejected']} in {outcome['seconds']:.0f} s"
    ]
    for row in outcome["positions"]:
        lines.append(f"position    {row['qty']} {row['symbol']} of {row['strategy']}")
    for market, held in outcome["balances"].items():
        shown = ", ".join(f"{amount} {asset}" for asset, amount in held.items())
        lines.append(f"{market:<11} {shown or 'nothing'}")
    if outcome["environment"] == "live":
        count = len(outcome["differences"])
        lines.append("reconciled" if not count else f"{count} differences from the venue")
        for row in outcome["differences"]:
            lines.append(f"  {row['kind']} {row['subject']}: {row['ours']} here, {row['theirs']}")
    lines.append(f"run         {outcome['folder']}")
    return "\n".join(lines)
