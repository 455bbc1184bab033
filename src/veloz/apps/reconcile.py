"""`veloz reconcile`: what a run's journal and the venue differ in, one row each.

Nothing is changed: neither the journal nor anything at the venue.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veloz.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from veloz.environments.reconcile import Reconciliation

__all__ = ["add_parser", "run"]

MARKETS = ("spot", "usdm", "coinm")
_FAILED = 1


def add_parser(verbs: Any) -> None:
    """Declares the verb's arguments."""
    from veloz.apps.run import add_venue

    parser = verbs.add_parser(
        "reconcile",
        help="compare a run with the venue",
        description="Compares a live run's journal with what the venue lists, and changes nothing.",
    )
    parser.add_argument("--account", type=Path, required=True, metavar="KEYFILE", help="the key")
    parser.add_argument(
        "--folder", type=Path, metavar="RUN", help="the run's folder; without it, the account alone"
    )
    parser.add_argument(
        "--market", nargs="+", choices=MARKETS, default=["spot"],
        help="which accounts to show without a run (spot)",
    )  # fmt: skip
    parser.add_argument(
        "--statement", metavar="DAY", help="also the figures of a day, UTC, e.g. 2026-05-04"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_venue(parser)


def run(args: argparse.Namespace) -> int:
    """Asks, compares and prints.

    Returns:
        0; 1 if anything differs.
    """
    from veloz.net.real import run as run_real  # loads the network libraries

    day_ns = _day_ns(args)
    found = run_real(_ask(args, day_ns))
    if args.json:
        shape = {
            "accounts": found.accounts,
            "sequence": found.sequence,
            "differences": found.rows,
            "statement": list(found.statement),
        }
        print(json.dumps(shape))
    else:
        print(_text(found, has_run=args.folder is not None))
    is_equal = all(row["ours"] == row["theirs"] for row in found.statement)
    return 0 if is_equal and not found.rows else _FAILED


def _day_ns(args: argparse.Namespace) -> int | None:
    """Start of the day that a statement is wanted of."""
    from veloz.storage.times import parse_time

    if args.statement is None:
        return None
    if args.folder is None:
        raise UsageError("--statement compares with a run", hint="say --folder RUN")
    return parse_time(args.statement)


async def _ask(args: argparse.Namespace, day_ns: int | None) -> Reconciliation:
    from veloz.apps.run import addresses, home_folder
    from veloz.environments.reconcile import reconcile
    from veloz.net.real import real_doors
    from veloz.secrets import read_credential

    credential = read_credential(args.account)
    hosts = addresses(args)
    async with real_doors() as doors:
        return await reconcile(
            credential,
            hosts,
            doors,
            home=home_folder(),
            markets=args.market,
            folder=args.folder,
            day_ns=day_ns,
        )


def _text(found: Reconciliation, *, has_run: bool) -> str:
    lines: list[str] = []
    others = " by others" if has_run else ""
    for market, seen in found.accounts.items():
        held = ", ".join(f"{amount} {asset}" for asset, amount in seen["balances"].items())
        lines.append(f"{market:<8} holds {held or 'nothing'}")
        for row in seen["positions"]:
            lines.append(f"         position {row['qty']} {row['symbol']} {row['side']}")
        for symbol, count in seen["own_orders"].items():
            lines.append(f"         {count} open orders of {symbol} by the run")
        for symbol, count in seen["open_orders"].items():
            lines.append(f"         {count} open orders of {symbol}{others}")
    if not has_run:
        return "\n".join(lines)
    for row in found.rows:
        what = f"repaired: {row['repair']}" if row["repair"] else f"ask {row['ask'] or 'a person'}"
        lines.append(
            f"differs  {row['market']} {row['kind']} {row['subject']}: {row['ours']} in the "
            f"journal, {row['theirs']} at the venue; freezes {row['freezes']}; {what}"
        )
    for row in found.statement:
        is_equal = "equal" if row["ours"] == row["theirs"] else f"{row['theirs']} at the venue"
        lines.append(
            f"{row['market']:<8} {row['what']:<9} {row['of']:<12} {row['ours']}  {is_equal}"
        )
    lines.append(
        f"{len(found.rows)} differences up to batch {found.sequence}"
        if found.rows
        else f"equal up to batch {found.sequence} of the journal"
    )
    return "\n".join(lines)
