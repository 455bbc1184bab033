"""The oracles O1 to O16: the exchange's ledger and the wires against the journal and the views.

Each is a function from the evidence to sentences about what must not be; none if all is well.

Source: fault catalogue, section 2.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import quote

from veloz._core import parse_wire_id
from veloz.environments.dst.confluence import confluence
from veloz.environments.dst.detection import NOTICED_OF, detected, undetectable
from veloz.environments.dst.ledger import BookedFill, read_ledger
from veloz.environments.dst.process import BAND_BPS
from veloz.environments.dst.traders import Saboteur
from veloz.exchange.model import Window
from veloz.exchange.words import Market

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from veloz.environments.dst.ledger import JournalLedger
    from veloz.environments.dst.observers import Observers
    from veloz.environments.dst.process import EngineProcess, Recovered, Run
    from veloz.environments.dst.witness import Witness
    from veloz.exchange.exchange import Exchange
    from veloz.exchange.model import Order
    from veloz.net.simulated import Disk

__all__ = ["ORACLES", "Evidence", "judge"]

_TURN_MOST_NS = 650_000_000
"""A strategy that wants to be called each 400 ms has been, a quarter of a second later."""

_ALL = Window(from_id=0, limit=10**9)
_MOST = 5


@dataclass(frozen=True)
class Evidence:
    """Everything that the oracles look at, after the system has settled.

    Attributes:
        exchange: With its own ledger.
        account: Ours there.
        run: What outlived the processes.
        process: The one that lives.
        disk: Its.
        witness: Of the wires.
        observers: What was looked at while the system lived.
        injected: Faults by id.
        unsettled: Sentences about what had not settled in time.
        recoveries: What each recovery came to.
        secrets: Texts that must be in no artefact.
        random: Shuffles reports.
        ledger: The journal, read from the disk.
    """

    exchange: Exchange
    account: str
    run: Run
    process: EngineProcess
    disk: Disk
    witness: Witness
    observers: Observers
    injected: Mapping[str, int]
    unsettled: list[str]
    recoveries: list[Recovered]
    secrets: tuple[str, ...]
    random: Random
    ledger: JournalLedger = field(init=False)

    def __post_init__(self) -> None:
        ledger = read_ledger(self.disk)
        object.__setattr__(self, "ledger", ledger)
        self.run.noticed["engine.external"] = ledger.counts["ExternalOrder"]


def judge(evidence: Evidence) -> dict[str, list[str]]:
    """All oracles that can be asked: what each found."""
    return {name: ask(evidence) for name, ask in sorted(ORACLES.items())}


def _fills_there(e: Evidence) -> list[BookedFill]:
    rows: list[BookedFill] = []
    for seat, floor_ns in zip(e.run.seats, e.ledger.tables.adopted_ns, strict=True):
        for fill in e.exchange.fills(e.account, Market(seat.market), None, _ALL):
            if fill.ts < floor_ns:
                continue  # in the balances that were taken over
            rows.append(
                BookedFill(
                    seat.market,
                    fill.symbol,
                    fill.trade_id,
                    fill.side.value,
                    fill.price,
                    fill.qty,
                    fill.fee,
                    fill.fee_asset,
                )
            )
    return rows


def no_lost_fill(e: Evidence) -> list[str]:
    """O1: every execution of the venue is booked, equal in every field."""
    booked = {fill.key: fill for fill in e.ledger.fills}
    found: list[str] = []
    for fill in _fills_there(e):
        ours = booked.get(fill.key)
        if ours is None:
            found.append(f"{fill.key} of {fill.qty} at {fill.price} is not booked")
        elif ours != fill:
            found.append(f"{fill.key} is booked as {ours}, the venue has {fill}")
    return found


def no_double_fill(e: Evidence) -> list[str]:
    """O2: no execution is booked twice, and none that the venue lacks."""
    there = {fill.key for fill in _fills_there(e)}
    times = Counter(fill.key for fill in e.ledger.fills)
    found = [f"{key} is booked {count} times" for key, count in times.items() if count > 1]
    return found + [f"{key} is booked and the venue lacks it" for key in times if key not in there]


def one_order_per_intent(e: Evidence) -> list[str]:
    """O3: each intent has at most one order there, and each order there one intent or a hand."""
    found: list[str] = []
    names: Counter[tuple[str, str]] = Counter()
    for seat in e.run.seats:
        market = Market(seat.market)
        for order in _orders_there(e, market, seat.venue_symbol):
            if order.algo_id is None:
                names[seat.market, order.client_order_id] += 1
        for algo in e.exchange.algo_orders(e.account, market, None, _ALL):
            names[seat.market, algo.client_algo_id] += 1
    # What the venue took twice by itself (F-G05), nobody has sent twice: that is looked at below.
    names.subtract((market.value, name) for market, name in e.exchange.doubled())
    for (market, name), count in names.items():
        if name in e.run.released and count > 1:
            found.append(f"{name} is {count} orders on {market}")
        if name not in e.run.released and not name.startswith("web_"):
            found.append(f"{name} on {market} is an order that nobody gave")
    sent = Counter(row.client_order_id for row in e.witness.sent)
    found += [f"{name} was sent {count} times" for name, count in sent.items() if count > 1]
    # An order that was placed anew has one client id for each leg.
    handles = Counter((handle, _leg(name)) for name, handle in e.run.released.items())
    return found + [f"intent {h} has {n} client ids" for (h, _), n in handles.items() if n > 1]


def _leg(client_id: str) -> int:
    parsed = parse_wire_id(client_id)
    return parsed[3] if parsed else 0


def _orders_there(e: Evidence, market: Market, symbol: str) -> list[Order]:
    return e.exchange.all_orders(e.account, market, symbol, _ALL)


def equal_holdings(e: Evidence) -> list[str]:
    """O4: positions to the last lot, balances to the last unit."""
    found: list[str] = []
    for number, seat in enumerate(e.run.seats):
        market = Market(seat.market)
        view = e.exchange.account(e.account, market)
        theirs = {row.asset: row.free + row.locked for row in view.balances}
        theirs |= {row.asset: row.wallet for row in view.wallets}
        ours = e.process.engine.balances(number)
        for asset in sorted({*theirs, *ours}):
            mine, its = ours.get(asset, Decimal(0)), theirs.get(asset, Decimal(0))
            if mine != its:
                found.append(f"{seat.market} {asset}: ours {mine}, the venue's {its}")
        if market is Market.SPOT:
            continue
        held = {
            (row.symbol, row.position_side.value): row.qty
            for row in e.exchange.positions(e.account, market)
            if row.qty
        }
        if (mine := e.process.engine.positions(number)) != held:
            found.append(f"{seat.market} positions: ours {mine}, the venue's {held}")
    return found


def confluent(e: Evidence) -> list[str]:
    """O5: the reports of this run in another order, some twice, come to the same books."""
    if e.injected.get("F-G03"):
        return []  # whose a number is that came twice, only the order of the reports says
    return confluence(e.run, e.ledger.tables, e.random)


def journal_before_wire(e: Evidence) -> list[str]:
    """O6: what left had its record on the device before."""
    found: list[str] = []
    order = {name: number for number, name in enumerate(e.ledger.segments)}
    for sent in e.witness.sent:
        name = sent.client_order_id
        handle = e.run.released.get(name)
        place = e.ledger.placed.get((handle, _leg(name))) if handle is not None else None
        if place is None:
            found.append(f"{name} was on the wire and its order is not in the journal")
            continue
        segment, end = place
        there = order.get(sent.segment, -1)
        is_durable = order[segment] < there or (segment == sent.segment and end <= sent.durable)
        if not is_durable:
            found.append(
                f"{name} left at {sent.at_ns} ns with {sent.durable} bytes of {sent.segment} "
                f"durable; its record ends at {end} of {segment}"
            )
    return found


def exact_recovery(e: Evidence) -> list[str]:
    """O7: what recovery came to is what the process had at that batch when it lived."""
    return [
        f"recovery to batch {one.sequence} has the hash {one.state[:12]}, the process had "
        f"{one.lived[:12]}"
        for one in e.recoveries
        if one.lived not in {"", one.state}
    ]


def honesty(e: Evidence) -> list[str]:
    """O8: no definite state without evidence; what is unknown counts at its worst."""
    return list(e.observers.dishonest)


def limits_hold(e: Evidence) -> list[str]:
    """O9: nothing beyond the limit of one order or the price band was on the wire.

    No kill switch is used here.
    """
    most = {seat.market: seat.most for seat in e.run.seats}
    found: list[str] = []
    for sent in e.witness.sent:
        if sent.qty > most[sent.market]:
            found.append(
                f"{sent.client_order_id} of {sent.qty} was on the wire, the limit is "
                f"{most[sent.market]}"
            )
        mid = e.observers.tapes[sent.market].mid(sent.wall_ns)
        # The book that was judged by may be some seconds old; the orders to refuse are far off.
        beyond = sent.side * (float(sent.price) / mid - 1) if sent.price and mid else 0.0
        if beyond > 2 * BAND_BPS / 10_000:
            found.append(
                f"{sent.client_order_id} at {sent.price} was on the wire, the market is at {mid}"
            )
    return found


def freshness(e: Evidence) -> list[str]:
    """O10: a book that was shown as fit to trade on was the venue's, not long before."""
    return e.observers.stale_sightings()


def settled(e: Evidence) -> list[str]:
    """O11: all is definite in the stated time after the faults."""
    return list(e.unsettled)


def good_citizen(e: Evidence) -> list[str]:
    """O12: nothing left between a 429 or 418 and its Retry-After."""
    return list(e.witness.breaches)


def isolation(e: Evidence) -> list[str]:
    """O13: an error of one strategy, or trouble on one market, stops no other strategy."""
    found: list[str] = []
    for strategy in e.run.strategies:
        name = type(strategy).__name__
        for (now, true), (now_after, true_after) in pairwise(strategy.turns):
            # A step of the wall clock is in one of both.
            gap_ns = min(now_after - now, true_after - true)
            if gap_ns > _TURN_MOST_NS:
                found.append(f"{name} was not called for {gap_ns / 1e9:.3f} s from {true} ns on")
        if isinstance(strategy, Saboteur) and strategy.raised_ns is not None:
            late = [true for _, true in strategy.turns if true > strategy.raised_ns]
            found += [f"{name} was called at {true} ns, after its error" for true in late]
    told = any("strategy_stopped" in line for line in e.process.said)
    now_ns = e.process.doors.clock.monotonic_ns()
    for one in e.process.made:
        if not isinstance(one, Saboteur) or one.raised_ns is None:
            if now_ns - (one.turns[-1][1] if one.turns else 0) > _TURN_MOST_NS:
                found.append(f"{type(one).__name__} is not called any more")
        elif not told:
            found.append("a strategy was stopped by its error, and nobody was told")
    return found


def no_silent_fault(e: Evidence) -> list[str]:
    """O14: what was injected while a process traded, and has a detector, was noticed."""
    seen = detected(e.run.noticed)
    return [
        f"{fault} was injected {count} times and never detected"
        for fault, count in sorted(e.observers.injected.items())
        if count >= NOTICED_OF.get(fault, 1) and seen.get(fault) == 0
    ]


def no_leak(e: Evidence) -> list[str]:
    """O15: no secret on a wire, in a file, or in what is written about the run."""
    found = list(e.witness.leaks)
    told = "\n".join([repr(e.run.hosts), repr(e.process.engine.view("differences")), *e.run.told])
    for secret in [form for text in e.secrets for form in _forms(text)]:
        found += [f"a secret is in {name}" for name, file in e.disk.images() if secret in file]
        if secret in told.encode():
            found.append("a secret is in what the engine says of itself")
    return found


def _forms(secret: str) -> list[bytes]:
    """A text as it may be written down."""
    plain = secret.encode()
    return [plain, quote(secret, safe="").encode(), b64encode(plain), plain.hex().encode()]


def conservation(e: Evidence) -> list[str]:
    """O16: the exchange's own ledger adds up, at every look and now."""
    return [*e.observers.imbalances, *map(str, e.exchange.imbalance().items())]


ORACLES: dict[str, Callable[[Evidence], list[str]]] = {
    "O1": no_lost_fill,
    "O2": no_double_fill,
    "O3": one_order_per_intent,
    "O4": equal_holdings,
    "O5": confluent,
    "O6": journal_before_wire,
    "O7": exact_recovery,
    "O8": honesty,
    "O9": limits_hold,
    "O10": freshness,
    "O11": settled,
    "O12": good_citizen,
    "O13": isolation,
    "O14": no_silent_fault,
    "O15": no_leak,
    "O16": conservation,
}
"""What is asked, by id."""


def report(evidence: Evidence, found: Mapping[str, list[str]]) -> dict[str, str]:
    """One word or sentence for each of O1 to O16: `holds`, `broken`, or why it was not checked."""
    said = {name: f"broken: {rows[0]}" if rows else "holds" for name, rows in found.items()}
    silent = undetectable(evidence.injected)
    if silent and said["O14"] == "holds":
        said["O14"] = f"holds; no counter tells of {', '.join(silent)}"
    if evidence.injected.get("F-G03"):
        said["O5"] = "not checked: a number was given to two orders, in an order that matters"
    unseen = sum(not recovery.lived for recovery in evidence.recoveries)
    if said["O7"] == "holds":
        compared = len(evidence.recoveries) - unseen
        said["O7"] = f"holds for {compared} of {len(evidence.recoveries)} recoveries"
        if evidence.recoveries and not compared:
            said["O7"] = "not checked: no recovery came to a batch whose hash was noted"
    return dict(sorted(said.items(), key=lambda row: int(row[0][1:])))


def problems(found: Mapping[str, list[str]]) -> list[str]:
    """All that was found, some of each."""
    lines: list[str] = []
    for name, rows in found.items():
        lines += [f"{name}: {row}" for row in rows[:_MOST]]
        if len(rows) > _MOST:
            lines.append(f"{name}: and {len(rows) - _MOST} more")
    return lines
