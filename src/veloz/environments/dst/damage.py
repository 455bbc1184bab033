"""Messages that arrive damaged (group K): frames of streams, answers over REST and the socket API.

```text
 venue ─► judge: is a fault due? ─► Fate(payload = a damaged copy) ─► engine
```

Every way of damage is one that a reader can see: what is left of a message is no JSON, has a value
of another type, or says a thing twice. A message with another figure in it, well formed, is a lie
and not damage; the venue's own faults tell lies.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from veloz.environments.dst.plan import Injector, Moment, Plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from veloz.net.simulated import Fate, Parcel, World

__all__ = ["DAMAGE", "Damager", "damaged"]

_HTML = b"<html><head><title>200 OK</title></head><body><h1>200 OK</h1></body></html>"
_PAIR = re.compile(rb'"(\w+)":("[^"\\]*"|-?[\d.]+|true|false|\{|\[)')
_FIGURE = re.compile(rb'"-?\d+\.?\d*"')

# fault → what a value becomes, or the whole message
_VALUES: dict[str, tuple[bytes, ...]] = {
    "F-K01": (b"NaN", b"Infinity", b'{"x":[]}', b'[{"x":null}]', b"tru", b"'5'", b""),
    "F-K02": (b"[" * 900 + b"]" * 900, b"[" * 60_000, b'{"a":' * 20_000, b'"' + b"9" * 300_000),
    "F-K03": (b'"\xff\xfe"', b'"\xc3\x28"', b'"\xed\xa0\x80"', b'"a\x00b"', b'"\\ud83d"', b'"\\x"'),
    "F-K04": (b'"1e999999999"', b'"NaN"', b'"-Infinity"', b'"' + b"9" * 5000 + b'"', b"1e", b"0x1"),
}
_WHOLE: dict[str, tuple[bytes, ...]] = {
    "F-K01": (_HTML, b"", b"null", b"[]", b"{}", b'"x"', b"[null]"),
    "F-K02": (b"[" * 200_000, b"[" * 900 + b"]" * 900, b"9" * 100_000),
    "F-K03": (b"\xff\xfe", b"\x00", b"\xef\xbb\xbf{}"),
    "F-K04": (b"NaN", b"1e5", b"-"),
}
DAMAGE = frozenset(_VALUES)
"""What can be injected by `Damager`."""

_CAN = {"text", "response"}
_ANSWER = (b'"status":', b'"result":')


def damaged(fault: str, data: bytes, dice: Random) -> bytes:
    """A damaged copy of a message.

    Args:
        fault: One of `DAMAGE`.
        data: The message.
        dice: Chooses the way and the place.
    """
    way = dice.randrange(8)
    pairs = list(_PAIR.finditer(data)) if len(data) < 1 << 16 else []
    if way == 0 or not pairs:
        return dice.choice(_WHOLE[fault])
    if fault == "F-K01" and way < 3:  # cut off
        return data[: dice.randrange(len(data))]
    pair = dice.choice(pairs)
    if fault == "F-K01" and way == 3:  # said twice, each time something else
        return data[: pair.start()] + b'"%b":null,' % pair[1] + data[pair.start() :]
    if fault == "F-K04" and (figures := list(_FIGURE.finditer(data))):
        pair_at, end = (figure := dice.choice(figures)).start(), figure.end()
    else:
        pair_at, end = pair.start(2), pair.end(2)
    return data[:pair_at] + dice.choice(_VALUES[fault]) + data[end:]


class Damager:
    """Damages what reaches one host, as a plan orders.

    It draws from dice of its own: a plan without such faults has the history that it always had.

    Args:
        world: Its network is watched; call before those who look at what truly arrives.
        injector: Counts what was damaged, and says when all faults end.
        plan: Its lines of group K are done.
        host: The engine's.
    """

    def __init__(self, world: World, injector: Injector, plan: Plan, host: str = "engine") -> None:
        rows = tuple(entry for entry in plan.entries if entry.fault in DAMAGE)
        self._world = world
        self._injector = injector
        self._own = Injector(Plan(plan.seed, rows), world.dice("damage plan"), DAMAGE)
        self._host = host
        self._random = world.dice("damage")
        self._judge: Callable[[Parcel], Fate] = world.network.judge
        if rows:
            world.network.judge = self._look

    def _look(self, parcel: Parcel) -> Fate:
        fate = self._judge(parcel)
        is_heard = parcel.receiver == self._host and parcel.kind in _CAN
        if not is_heard or self._injector.is_stopped or fate.payload is not None:
            return fate
        due = self._own.due(lambda: self._moment(parcel), DAMAGE)
        if not due:
            return fate
        self._injector.injected[due[0].fault] += 1
        return fate._replace(payload=damaged(due[0].fault, parcel.payload, self._random))

    def _moment(self, parcel: Parcel) -> Moment:
        """An answer, or a frame that nobody asked for."""
        is_answer = parcel.kind == "response" or any(key in parcel.payload for key in _ANSWER)
        return Moment(self._world.loop.now_ns // 1_000_000, "answer" if is_answer else "frame")
