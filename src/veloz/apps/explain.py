"""`veloz explain RUN`: why a run traded, or did not; with `--order`, the story of one order.

Everything is read from the run's folder: what it heard from `run.json`, what became of its orders
from the tables, and one order's chain of cause and effect from the journal.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veloz.errors import ConfigError, DataError

if TYPE_CHECKING:
    from veloz.analytics import RunTables

# NumPy and the core are imported by `run`, so that `veloz --help` stays fast.

_ENDINGS = ("canceled", "expired", "accepted", "partially_filled", "new", "unknown")
_STATES = ("started", "stopped", "stopped by an error", "stopped by the breaker")
_REQUESTS = {"PlaceCommand": "order", "AmendCommand": "amendment", "CancelCommand": "cancel"}
_REPORTS = (
    "accepted", "rejected", "triggered", "canceled", "cancel rejected", "expired", "amended",
    "amendment rejected", "reduced", "self-trade prevented",
)  # fmt: skip
_TIFS = ("gtc", "ioc", "fok", "gtd")


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the arguments of `veloz explain`."""
    parser = verbs.add_parser(
        "explain",
        help="say why a run traded, or did not",
        description="Say what a run heard, and what became of its orders and why.",
    )
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument("--order", metavar="ID", help="tell the story of one order")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Prints the explanation.

    Returns:
        0.

    Raises:
        DataError: The folder is not a run's, or damaged.
        ConfigError: There is no such order.
    """
    tables = _tables_of(args.run_folder)
    if args.order is not None:
        story = order_story(args.run_folder, tables, args.order)
        print(json.dumps(story) if args.json else _story_text(story))
        return 0
    found = explain(args.run_folder, tables)
    print(json.dumps(found) if args.json else _text(found, args.run_folder))
    return 0


def _tables_of(folder: Path) -> RunTables:
    from veloz.analytics.run_folder import read_run

    try:
        return read_run(folder)
    except ValueError as damage:
        raise DataError(str(damage)) from damage


# -- the whole run -----------------------------------------------------------------------------


def explain(folder: Path, tables: RunTables) -> dict[str, Any]:
    """What a run heard, what it ordered, and what became of it; JSON types."""
    orders = tables.orders
    heard = tables.host.get("heard", {})
    by_status: dict[str, int] = {}
    for status in orders.status:
        by_status[str(status)] = by_status.get(str(status), 0) + 1
    found: dict[str, Any] = {
        "run": folder.resolve().name,
        "strategy": str(tables.facts.get("strategy", "")),
        "rows": dict(heard.get("rows", {})),
        "warm_up": list(heard.get("warm_up", ())),
        "orders": len(orders),
        "fills": len(tables.fills),
        "by_status": by_status,
        "refused": _grouped(tables, ("refused",), lambda text: text.partition(":")[0]),
        "rejected": _grouped(tables, ("rejected",), str),
        "unfilled": _grouped(tables, _ENDINGS, str, unfilled=True),
        "states": _states(folder),
    }
    found["because"] = _because(found)
    return found


def _grouped(
    tables: RunTables, statuses: Sequence[str], key: Any, *, unfilled: bool = False
) -> list[dict[str, Any]]:
    """Orders of some statuses by their reason, most frequent first, each with its first order."""
    from veloz.storage.times import format_time

    orders = tables.orders
    groups: dict[str, dict[str, Any]] = {}
    for row in range(len(orders)):
        status, reason = str(orders.status[row]), str(orders.reason[row])
        if status not in statuses or (unfilled and int(orders.filled_qty[row]) > 0):
            continue
        name = key(reason)
        if unfilled:
            name = f"{status} ({name})" if name else status
        created = int(orders.ts_created[row])
        group = groups.setdefault(
            name,
            {
                "reason": name,
                "count": 0,
                "first": {
                    "order": str(orders.id[row]),
                    "time": format_time(created),
                    "time_ns": created,
                    "what": _order_words(tables, row),
                    "sentence": reason,
                },
            },
        )
        group["count"] += 1
    return sorted(groups.values(), key=lambda group: -group["count"])


def _order_words(tables: RunTables, row: int) -> str:
    from veloz.storage.decimals import text

    orders = tables.orders
    facts = tables.instruments[str(orders.symbol[row])]
    side = "buy" if orders.side[row] > 0 else "sell"
    price = int(orders.price[row])
    at = f" at {text(price, facts.price_scale)}" if price else ""
    qty = text(int(orders.qty[row]), facts.qty_scale)
    return f"{orders.type[row]} {side} {qty} {facts.symbol}{at}"


def _states(folder: Path) -> list[dict[str, Any]]:
    from veloz.storage.journal import records
    from veloz.storage.times import format_time

    return [
        {
            "state": _word(_STATES, record["state"]),
            "time": format_time(record["batch_now_ns"]),
            "time_ns": record["batch_now_ns"],
            "text": _decoded(record["text"]),
        }
        for record in records(folder)
        if record["record"] == "StrategyState"
    ]


def _because(found: dict[str, Any]) -> list[str]:
    """Sentences that answer the question, the most decisive first."""
    sentences: list[str] = []
    cold = [one for one in found["warm_up"] if not one["is_ready"]]
    bars = sum(rows for name, rows in found["rows"].items() if name.startswith("bar_"))
    if not sum(found["rows"].values()):
        sentences.append("It heard nothing: the range holds no row of what it subscribes to.")
    for one in cold:
        sentences.append(
            f"The warm-up never ended, so on_bar was never called: {one['name']} = "
            f"{one['indicator']} needs {one['bars_needed']} bars, and {bars} came; choose a longer "
            "range or a shorter indicator."
        )
    if not found["orders"] and not sentences:
        sentences.append(
            "It heard its data and was warm, but gave no order: its own conditions never held; "
            "print what they compare, or write a test with `veloz new`."
        )
    total = found["orders"]
    for what, whom in (("refused", "a risk rule of yours"), ("rejected", "the venue")):
        for group in found[what]:
            first = group["first"]
            said = first["sentence"] if what == "refused" else group["reason"]
            sentences.append(
                f"{group['count']:,} of {total:,} orders were {what} by {whom}, {group['reason']}; "
                f"the first, order {first['order']} ({first['what']}) at {first['time']}: {said}."
            )
    for group in found["unfilled"]:
        first = group["first"]
        sentences.append(
            f"{group['count']:,} of {total:,} orders were never filled and ended "
            f"{group['reason']}; the first is order {first['order']} ({first['what']})."
        )
    for state in found["states"]:
        if state["text"]:
            sentences.append(
                f"The strategy was {state['state']} at {state['time']}: {state['text']}"
            )
    if found["fills"]:
        filled = found["by_status"].get("filled", 0)
        sentences.append(
            f"It traded: {filled:,} of {total:,} orders filled, {found['fills']:,} fills."
        )
    return sentences


def _text(found: dict[str, Any], folder: Path) -> str:
    lines = [f"{found['strategy']}  {folder}"]
    lines += [f"  heard    {rows:>12,} rows of {name}" for name, rows in found["rows"].items()]
    for one in found["warm_up"]:
        state = "ready" if one["is_ready"] else "NEVER READY"
        lines.append(
            f"  warm-up  {one['name']} = {one['indicator']}, {one['bars_needed']} bars: {state}"
        )
    states = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in found["by_status"].items())
    lines.append(f"  orders   {found['orders']:>12,}" + (f" ({states})" if states else ""))
    lines.append(f"  fills    {found['fills']:>12,}")
    lines += ["", *(f"- {sentence}" for sentence in found["because"])]
    groups = [*found["refused"], *found["rejected"], *found["unfilled"]]
    order = groups[0]["first"]["order"] if groups else "1"
    if found["orders"]:
        lines += ["", f"next: veloz explain {folder} --order {order}"]
    return "\n".join(lines)


# -- one order ---------------------------------------------------------------------------------


def order_story(folder: Path, tables: RunTables, order_id: str) -> dict[str, Any]:
    """The chain of cause and effect of one order, from the journal; JSON types.

    Raises:
        ConfigError: The run has no such order.
    """
    from veloz.storage.times import format_time

    rows = [row for row, name in enumerate(tables.orders.id) if str(name) == order_id]
    if not rows:
        ids = tables.orders.id
        there = f"it has {ids[0]} to {ids[-1]}" if len(ids) else "it has none"
        raise ConfigError(f"{folder} has no order {order_id!r}; {there}")
    orders, row = tables.orders, rows[0]
    return {
        "run": folder.resolve().name,
        "order": order_id,
        "what": _order_words(tables, row),
        "status": str(orders.status[row]),
        "reason": str(orders.reason[row]),
        "why": str(orders.why[row]),
        "tag": str(orders.tag[row]),
        "events": [
            {"time": format_time(ns), "time_ns": ns, "event": event, "detail": detail}
            for ns, event, detail in _events(folder, tables, row)
        ],
    }


def _events(folder: Path, tables: RunTables, row: int) -> Iterator[tuple[int, str, str]]:
    from veloz.environments.journal_tables import EXPIRIES, REJECTS
    from veloz.storage.decimals import text
    from veloz.storage.journal import records

    orders = tables.orders
    facts = tables.instruments[str(orders.symbol[row])]
    number = int(str(orders.id[row]))
    assets = _assets_of(folder)

    def qty(value: int) -> str:
        return text(value, facts.qty_scale)

    def price(value: int) -> str:
        return text(value, facts.price_scale)

    mine = [record for record in records(folder) if record.get("order") == number]
    refused = {record["batch_sequence"] for record in mine if record["record"] == "Refused"}
    for record in mine:
        ns, kind = int(record["batch_now_ns"]), record["record"]
        if kind == "PlaceCommand":
            why = _decoded(record["text"].split(b"\0", 1)[0])
            detail = f"{_order_words(tables, row)}, {_word(_TIFS, record['tif'])}"
            yield ns, "ordered", f"{detail}; why: {why}" if why else detail
        elif kind == "ExternalOrder":
            detail = f"{_order_words(tables, row)}, by the venue: the margin was used up"
            yield int(record["ts_exchange"]), "liquidated", detail
        elif kind == "AmendCommand":
            yield ns, "amendment asked", f"to {qty(record['qty'])} at {price(record['price'])}"
        elif kind == "CancelCommand":
            yield ns, "cancel asked", ""
        elif kind == "Refused":
            yield ns, "refused", _decoded(record["text"])
        if kind in _REQUESTS and record["batch_sequence"] not in refused:
            # A command that no rule refused in its own batch may have left.
            yield ns, "sent", f"the {_REQUESTS[kind]}, past all risk rules"
        if kind == "VenueReport":
            reasons = {1: REJECTS, 7: REJECTS, 5: EXPIRIES}.get(record["kind"], ())
            reason = _word(reasons, record["reason"]) if reasons else ""
            if record["kind"] in (0, 6) and record["qty"]:
                reason = f"for {qty(record['qty'])}"
            yield int(record["ts_exchange"]), _word(_REPORTS, record["kind"]), reason
        elif kind == "Fill":
            asset, scale = assets[record["fee_asset"]]
            role = "maker" if record["is_maker"] else "taker"
            yield (
                int(record["ts_exchange"]),
                "filled",
                f"{qty(record['qty'])} at {price(record['price'])} as {role}, "
                f"fee {text(record['fee'], scale)} {asset}, trade {record['trade_id']}",
            )


def _assets_of(folder: Path) -> list[tuple[str, int]]:
    from veloz.storage.journal import header

    return [(str(row["name"]), int(row["scale"])) for row in header(folder)["assets"]]


def _story_text(story: dict[str, Any]) -> str:
    reason = f" ({story['reason']})" if story["reason"] else ""
    lines = [f"order {story['order']}: {story['what']}: {story['status']}{reason}"]
    width = max((len(event["event"]) for event in story["events"]), default=0)
    times = max((len(event["time"]) for event in story["events"]), default=0)
    for event in story["events"]:
        line = f"  {event['time']:<{times}}  {event['event']:<{width}}  {event['detail']}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def _word(words: Sequence[str], number: int) -> str:
    return words[number] if 0 <= number < len(words) else f"code {number}"


def _decoded(written: bytes) -> str:
    """A text of the journal on one line, without what could move a terminal's cursor."""
    line = " ".join(written.decode("utf-8", "replace").split())
    return "".join(letter for letter in line if letter.isprintable())
