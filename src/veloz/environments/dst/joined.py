"""One plan for all layers: each line goes to the layer that can do it.

```text
 plan ─┬─ network, clocks, disks ─► NetworkFaults ─┐
       ├─ the engine's process    ─► Crashes       ├─► one Injector: injected, detected
       ├─ what arrives damaged    ─► Damager       ┤
       └─ the venue's behaviour   ─► dialect Faults┘
```

Where two layers know a fault, transport faults (group A) are done by the network, all others by the
venue; `args.layer` ("network" or "venue") says otherwise.
"""

from __future__ import annotations

from dataclasses import fields
from random import Random
from typing import TYPE_CHECKING, Any

from veloz.environments.dst.crashes import CRASHES
from veloz.environments.dst.damage import DAMAGE
from veloz.environments.dst.faults import FAULTS
from veloz.environments.dst.plan import Entry, Plan, When
from veloz.errors import ConfigError
from veloz.venues.binance.dialect.fault_effects import MARKET, REQUEST, TIME, USER

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["JOINED", "VENUE_FAULTS", "mixed_plan", "split"]

VENUE_FAULTS = frozenset({*REQUEST, *USER, *MARKET, *TIME})
"""What can be injected by the simulated venue."""

JOINED = FAULTS | CRASHES | DAMAGE | VENUE_FAULTS
"""What a plan of the whole system may name."""

# fault, chance in a thousand events of its kind, predicates, arguments
_BY_RATE: list[tuple[str, float, dict[str, Any], dict[str, Any]]] = [
    ("F-A01", 2, {}, {"stream": "user", "notice_ms": 500, "layer": "venue"}),
    ("F-A02", 3, {}, {"stream": "user", "layer": "venue"}),
    ("F-A02", 2, {}, {"stream": "api", "code": 1008, "layer": "venue"}),
    ("F-A02", 0.1, {}, {}),
    ("F-A04", 0.2, {}, {}),
    ("F-A05", 3, {}, {"for_ms": 1_500}),
    ("F-A10", 3, {}, {"for_ms": 1_500}),
    ("F-A07", 10, {"market": "spot"}, {}),
    ("F-A08", 2, {}, {}),
    ("F-B01", 4, {}, {}),
    ("F-B02", 100, {}, {}),
    ("F-B03", 10, {}, {}),
    ("F-B06", 100, {}, {"levels": 3}),
    ("F-B05", 2, {}, {}),
    ("F-B07", 2, {}, {}),
    ("F-B08", 3, {}, {}),
    ("F-B09", 4, {}, {}),
    ("F-B10", 1, {}, {}),
    ("F-C01", 12, {"request": "order.place"}, {}),
    ("F-C02", 15, {"request": "order.place"}, {}),
    ("F-C02", 5, {"request": "order.place"}, {"answer": "1007"}),
    ("F-C03", 8, {"request": "order.place"}, {"later_ms": 2_500}),
    ("F-C04", 100, {"request": "order.status"}, {}),
    ("F-C05", 5, {"request": "order.place"}, {}),
    ("F-C06", 10, {"request": "order.place"}, {}),
    ("F-C07", 15, {"request": "order.cancel"}, {}),
    ("F-C07", 10, {"request": "order.cancel"}, {"effect": "lost"}),
    ("F-C08", 20, {"request": "order.*"}, {}),
    ("F-C10", 5, {"request": "order.place"}, {}),
    ("F-C11", 15, {"request": "order.place"}, {}),
    ("F-D01", 30, {}, {}),
    ("F-D02", 20, {}, {}),
    ("F-D03", 40, {}, {}),
    ("F-D05", 60, {"market": "spot"}, {}),
    ("F-D06", 60, {"market": "spot"}, {}),
    ("F-D08", 30, {}, {}),
    ("F-E01", 6, {}, {"market": "spot", "qty": "0.002"}),
    ("F-E01", 6, {}, {"market": "usdm", "qty": "0.004", "side": "SELL"}),
    ("F-E01", 6, {}, {"market": "coinm", "qty": "3"}),
    ("F-E05", 30, {}, {}),
    ("F-E09", 50, {}, {}),
    ("F-F01", 1, {}, {}),
    *(
        (fault, rate, {"request": kind}, {})
        for fault in sorted(DAMAGE)
        for kind, rate in (("frame", 0.5), ("answer", 3.0))
    ),
    ("F-F05", 8, {"request": "order.place"}, {}),
]
_EARLY = 0.3
_FIRST_MS, _LAST_MS = 8_000, 24_000


def split(plan: Plan) -> tuple[Plan, dict[str, Any]]:
    """The lines of the network and the process, and the venue's plan in its own form."""
    mine: list[Entry] = []
    rows: list[dict[str, Any]] = []
    for entry in plan.entries:
        if not _is_venues(entry) and entry.fault != "*":
            _refuse_venues_words(entry)
        if entry.fault == "*" or not _is_venues(entry):
            mine.append(entry)
        if entry.fault == "*" or _is_venues(entry):
            rows.append({"fault": entry.fault, "when": _words(entry.when), "args": _args(entry)})
    return Plan(plan.seed, tuple(mine)), {"plan": rows}


def mixed_plan(seed: int, until_ms: int = _LAST_MS) -> Plan:
    """Every group at a low rate, and one or two deaths of the process.

    Args:
        seed: Chooses the deaths.
        until_ms: When faults end, in virtual time.
    """
    dice = Random(f"{seed}/plan")  # noqa: S311 - chance of a simulation, not a secret
    entries = [
        Entry(fault, When(**when, rate_per_1k_events=rate), args)
        for fault, rate, when, args in _BY_RATE
    ]
    deaths = [*sorted(CRASHES), "F-H13", "F-H18", "F-L02"]
    for _ in range(max(1, (until_ms - _FIRST_MS) // 12_000)):
        fault = dice.choice(deaths)
        at_ms = dice.randrange(_FIRST_MS, until_ms)
        when = When(at_ms=at_ms)
        if fault in {"F-H03", "F-H04", "F-H05", "F-H06", "F-H07", "F-H08", "F-H11"}:
            when = When(at_ms=at_ms, nth=1)
        entries.append(Entry(fault, when, {"by_ms": -300} if fault == "F-L02" else {}))
    if dice.random() < _EARLY:  # while it takes over the account
        fault, at_ms = dice.choice(("F-H01", "F-H02", "F-H10", "F-H14")), dice.randrange(50, 250)
        entries.append(Entry(fault, When(at_ms=at_ms)))
    return Plan(seed, tuple(entries))


def _is_venues(entry: Entry) -> bool:
    layer = entry.args.get("layer")
    if layer not in {None, "network", "venue"}:
        raise ConfigError(f"{entry.fault}: the layer {layer!r} is unknown", hint="network or venue")
    if entry.fault not in VENUE_FAULTS:
        return False
    if entry.fault in FAULTS:
        return layer == "venue" if entry.fault[2] == "A" else layer != "network"
    return True


def _refuse_venues_words(entry: Entry) -> None:
    for name in ("market", "stream", "event"):
        if getattr(entry.when, name) is not None:
            raise ConfigError(
                f"{entry.fault}: {name} is known to the venue only",
                hint='such a fault needs "layer": "venue" in its args, if the venue can do it',
            )


def _words(when: When) -> dict[str, Any]:
    return dict(_given(when))


def _given(when: When) -> Iterator[tuple[str, Any]]:
    for part in fields(When):
        value = getattr(when, part.name)
        if value is not None:
            yield part.name, value


def _args(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in entry.args.items() if name != "layer"}
