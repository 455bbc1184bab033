"""Confluence (O5): the reports of a run in any other order, some twice, give the same books.

```text
 private frames as engines took them ─► a fresh engine ─► orders, positions, balances ─┐ equal
 the same, shuffled, a tenth twice   ─► a fresh engine ─► orders, positions, balances ─┘
```

The fresh engines gave none of the orders, so each is somebody else's there: the order's state is
the same code. A venue keeps the order of one connection; what is asked here is more than it may do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veloz.environments.trading.engine import add_feeds, make_engine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from veloz._core import LiveEngine
    from veloz.environments.dst.process import Run
    from veloz.environments.trading.tables import Tables

__all__ = ["confluence"]

_TIMES = 5
_TWICE = 10
_TICK_NS = 1_000
_TERMS = ("status", "side", "type", "qty", "price", "filled_qty", "is_disputed")


def confluence(run: Run, tables: Tables, random: Random) -> list[str]:
    """Sentences about shuffled reports that came to other books.

    Args:
        run: With the reports that its engines took.
        tables: What the run traded.
        random: Shuffles.
    """
    told = _books(run, tables, run.reports)
    is_whole = not told["orders that lack fills"]
    found: list[str] = []
    for number in range(_TIMES):
        mixed = [*run.reports, *random.sample(run.reports, len(run.reports) // _TWICE)]
        random.shuffle(mixed)
        other = _books(run, tables, mixed)
        found += [
            f"shuffle {number}: {name} is {other.get(name)}, and was {told.get(name)} in order"
            for name in dict.fromkeys([*told, *other])
            if told.get(name) != other.get(name) and (is_whole or not name.startswith("order"))
        ]
    return found


def _books(run: Run, tables: Tables, reports: Sequence[tuple[int, bytes]]) -> dict[str, Any]:
    engine = make_engine(run.settings(0), tables, epoch=1, instance=0, records=False)
    add_feeds(engine, tables)
    now_ns = 0
    for account, payload in reports:
        now_ns += _TICK_NS
        try:
            engine.user_frame(account, payload, now_ns)
        except ValueError:
            continue  # it cannot be read, whenever it comes; a listing makes up for it
        engine.journal_pending()
    return _shown(engine, tables)


def _shown(engine: LiveEngine, tables: Tables) -> dict[str, Any]:
    """Everything by name, so that two can be compared and a difference be said."""
    shown: dict[str, Any] = {"parked reports": len(engine.view("parked"))}
    accounts = range(len(tables.markets))
    # An order of which a fill never came is asked for by REST; until then its state is open.
    lacking = sum(len(engine.view("needs_trades", account)) for account in accounts)
    shown["orders that lack fills"] = lacking
    for account, market in enumerate(tables.markets):
        for asset, amount in engine.balances(account).items():
            shown[f"{asset} on {market}"] = amount
        for leg, qty in engine.positions(account).items():
            shown[f"{' '.join(leg)} on {market}"] = qty
        for row in engine.view("orders", account):
            terms = tuple(row[name] for name in _TERMS)
            shown[f"order {row['client_order_id']} on {market}"] = terms
        shown[f"fills on {market}"] = engine.view("counts", account)["fills"]
    return shown
