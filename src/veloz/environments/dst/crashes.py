"""Faults of group H: the engine's process dies at a chosen moment, or its disk fails.

```text
 F-H01  before the intent is written       F-H06  after the answer is read, before it is written
 F-H02  written, not synced                F-H07  after a fill is read, before it is written
 F-H03  synced, no byte sent               F-H08  after the fill is written
 F-H04  between two bytes of the request   F-H09  in a snapshot
 F-H05  accepted, the answer not read      F-H10  in recovery, again and again
 F-H11  while cancels leave
 F-H12  no room on the disk                F-H14  power lost: pages lost, torn, reordered
```

A killed process leaves its pages to the kernel; a loss of power leaves what was synced. Which of
both it is, `args.power` says, else dice. `F-H13` is done by `NetworkFaults`, as for any host.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from veloz.environments.dst.detection import DETECTORS
from veloz.environments.dst.plan import Moment
from veloz.net.simulated import Fate

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from veloz.environments.dst.plan import Entry, Injector
    from veloz.environments.dst.process import EngineProcess, Run
    from veloz.net.simulated import Host, Parcel, World
    from veloz.net.simulated.disk import Keep

__all__ = ["CRASHES", "Crashes"]

ON_REQUEST = frozenset({"F-H01", "F-H02", "F-H03", "F-H04", "F-H05", "F-H06", "F-H10", "F-H14"})
ON_FILL = frozenset({"F-H07", "F-H08"})
ANY_TIME = frozenset({"F-H01", "F-H02", "F-H09", "F-H10", "F-H12", "F-H14"})
ON_CANCEL = frozenset({"F-H11"})
CRASHES = ON_REQUEST | ON_FILL | ON_CANCEL | ANY_TIME
"""What can be injected by `Crashes`."""

_UNSENT = 0.5
_PLACING = (b'"order.place"', b'"algoOrder.place"')
_CANCELING = (b'"order.cancel"', b'"algoOrder.cancel"', b'"openOrders.cancelAll"')
_FILL = b'"TRADE"'


class Crashes:
    """Kills the process that lives, as a plan orders.

    Args:
        world: Its network is watched; call after all others were put into it.
        host: The engine's.
        injector: Decides what is due and counts it.
        run: What outlives processes.
        living: Gives the process that lives.

    Attributes:
        boots_to_kill: How many of the next boots die in recovery.
    """

    def __init__(
        self,
        world: World,
        host: Host,
        injector: Injector,
        run: Run,
        living: Callable[[], EngineProcess | None],
    ) -> None:
        self.boots_to_kill = 0
        self._world = world
        self._host = host
        self._injector = injector
        self._living = living
        self._run = run
        self._random: Random = world.dice("crashes")
        self._ambush: dict[int, Entry] = {}
        self._capacity = host.disk.capacity
        self._ambush_snapshot: Entry | None = None
        self._entry: Entry | None = None
        self._judge: Callable[[Parcel], Fate] = world.network.judge
        world.network.judge = self._look
        host.disk.on_power_lost = self._power_lost
        run.on_snapshot = self._snapshot
        for entry in injector.timed():
            if entry.fault in ANY_TIME:
                at_ns = cast("int", entry.when.at_ms) * 1_000_000
                world.loop.call_at_ns(at_ns, self._at_its_time, entry)

    def before_boot(self) -> None:
        """A boot that is to die in recovery dies at one of its first writes."""
        if self.boots_to_kill and not self._injector.is_stopped:
            self.boots_to_kill -= 1
            self._pull(self._random.randint(1, 6), None)

    def _look(self, parcel: Parcel) -> Fate:
        process = self._living()
        ours = parcel.receiver == self._host.name or parcel.sender == self._host.name
        if process is None or process.ended or not ours or not process.is_trading:
            return self._judge(parcel)
        if parcel.to_server and _is_order(parcel):
            for entry in self._injector.due(lambda: self._moment("order.place"), ON_REQUEST):
                fate = self._at_request(entry, parcel)
                if fate is not None:
                    return fate
        elif parcel.to_server and _is_cancel(parcel):
            for entry in self._injector.due(lambda: self._moment("order.cancel"), ON_CANCEL):
                fate = self._judge(parcel)
                self._world.loop.call_soon(self._die, entry)
                return Fate(copies=0) if self._random.random() < _UNSENT else fate
        elif not parcel.to_server:
            self._at_answer(parcel)
        return self._judge(parcel)

    def _moment(self, request: str) -> Moment:
        return Moment(self._world.loop.now_ns // 1_000_000, request)

    def _at_request(self, entry: Entry, parcel: Parcel) -> Fate | None:
        """An order leaves; None lets it go on."""
        if entry.fault == "F-H03":
            self._die(entry)
            return Fate(copies=0)
        if entry.fault == "F-H04":
            # the judge is asked before the cut: faults of the network see what would have left
            self._world.loop.call_soon(self._die, entry)
            return self._judge(parcel)._replace(cut="inside")
        if entry.fault in {"F-H05", "F-H06"}:
            self._ambush[parcel.name] = entry
            return None
        self._at_its_time(entry)
        return None

    def _at_answer(self, parcel: Parcel) -> None:
        entry = self._ambush.pop(parcel.name, None) if self._ambush else None
        if entry is not None and entry.fault == "F-H05":
            self._world.loop.call_soon(self._die, entry)
        elif entry is not None:
            self._pull_for(entry, 0)
        if _FILL in parcel.payload and parcel.kind == "text":
            for due in self._injector.due(lambda: self._moment("fill"), ON_FILL):
                self._pull_for(due, 0 if due.fault == "F-H07" else None)

    def _at_its_time(self, entry: Entry) -> None:
        process = self._living()
        if process is None or process.ended or self._injector.is_stopped:
            return
        if entry.fault == "F-H12":
            self._fill_disk(entry)
        elif entry.fault == "F-H14":
            self._die(replace(entry, args={"power": True, "keep": "chance", **entry.args}))
        elif entry.fault == "F-H09":
            self._ambush_snapshot = entry
        elif entry.fault == "F-H10":
            self.boots_to_kill = int(entry.args.get("times", 3))
            self._die(entry)
        elif entry.fault == "F-H02":
            lost: dict[str, Any] = {"power": True, "keep": "nothing", **entry.args}
            self._pull_for(replace(entry, args=lost), None)
        else:
            self._pull_for(entry, 0)

    def _snapshot(self) -> None:
        entry, self._ambush_snapshot = self._ambush_snapshot, None
        if entry is not None:
            self._pull_for(entry, self._random.choice((0, 100, None)), ahead=2)

    def _fill_disk(self, entry: Entry) -> None:
        """Others have filled the disk: nothing new fits, for a while."""
        disk = self._host.disk
        disk.capacity = sum(len(image) for _, image in disk.images())
        refused, noticed = disk.refused, self._noticed_full()
        until = self._world.loop.now_ns + int(entry.args.get("for_ms", 8_000)) * 1_000_000

        def make_room() -> None:
            disk.capacity = self._capacity  # and not what another such fault has left of it
            if (disk.refused, self._noticed_full()) != (refused, noticed):
                # not if nobody wanted room, nor looked
                self._injector.injected[entry.fault] += 1

        self._world.loop.call_at_ns(until, make_room)

    def _noticed_full(self) -> int:
        return sum(self._run.noticed[word] for word in DETECTORS["F-H12"])

    def _pull_for(self, entry: Entry, after_bytes: int | None, ahead: int = 1) -> None:
        self._entry = entry
        self._pull(ahead, after_bytes)

    def _pull(self, ahead: int, after_bytes: int | None) -> None:
        disk = self._host.disk
        disk.pull_at(disk.steps + ahead, after_bytes=after_bytes)

    def _power_lost(self) -> None:
        """The ordered step has come; the call that it is in still runs."""
        entry, self._entry = self._entry, None
        process = self._living()
        if entry is not None:
            self._injector.injected[entry.fault] += 1
        if process is None:
            return
        process.pulled()
        power, keep = self._kind(entry)
        self._world.loop.call_soon(lambda: process.buried(power=power, keep=keep))

    def _die(self, entry: Entry) -> None:
        process = self._living()
        if process is None or process.ended:
            return
        self._injector.injected[entry.fault] += 1
        power, keep = self._kind(entry)
        process.die(entry.fault, power=power, keep=keep)

    def _kind(self, entry: Entry | None) -> tuple[bool, Keep]:
        args: dict[str, Any] = {} if entry is None else dict(entry.args)
        power = bool(args.get("power", self._random.random() < 0.5))
        return power, cast("Keep", args.get("keep", "chance" if power else "everything"))


def _is_cancel(parcel: Parcel) -> bool:
    if parcel.kind == "text":
        return any(word in parcel.payload for word in _CANCELING)
    return parcel.kind == "request" and parcel.head.startswith("DELETE ")


def _is_order(parcel: Parcel) -> bool:
    if parcel.kind == "text":
        return any(word in parcel.payload for word in _PLACING)
    line = parcel.head.split("?", 1)[0]
    return parcel.kind == "request" and line.startswith("POST ") and line.endswith("rder")
