"""The faults of networks, clocks and disks, done to a simulated world as a plan orders.

Faults of a venue's own behaviour (a refusal, a lie, a late fill) belong to the simulated exchange;
its scenario adds them to those here and asks the same `Injector`.
"""

from __future__ import annotations

import errno
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from veloz.environments.dst.plan import Moment, Plan
from veloz.errors import ConfigError
from veloz.net.simulated import UNTOUCHED, Fate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veloz.environments.dst.plan import Entry, Injector
    from veloz.net.doors import FailedAt
    from veloz.net.simulated import Dial, Host, Link, Parcel, World

__all__ = ["FAULTS", "NetworkFaults", "NetworkOnly"]

ON_FRAME = frozenset({"F-A02", "F-A03", "F-A04", "F-A09"})
ON_REQUEST = frozenset({"F-C01", "F-C02"})
ON_DIAL = frozenset({"F-A05", "F-A10"})
ANY_TIME = frozenset({"F-A02", "F-A03", "F-A05", "F-A09", "F-H13", "F-H18", "F-L01", "F-L02"})
FAULTS = ON_FRAME | ON_REQUEST | ON_DIAL | ANY_TIME
"""What can be injected by `NetworkFaults`."""

_CAN = {"text": ON_FRAME, "request": ON_REQUEST}
_NOTHING = frozenset[str]()
_OPENING = ("open_segment", "write_atomic", "read", "lock", "list")


class NetworkOnly:
    """What scenarios without a trading venue have in common: their faults are the world's.

    Attributes:
        oracles: None of the fault catalogue's.
    """

    faults: ClassVar[frozenset[str]] = FAULTS
    detectable: ClassVar[frozenset[str]] = FAULTS

    def __init__(self) -> None:
        self.oracles: dict[str, str] = {}

    @classmethod
    def default_plan(cls, seed: int) -> Plan:
        """None."""
        return Plan(seed)

    @staticmethod
    def split(plan: Plan) -> tuple[Plan, dict[str, Any]]:
        """All of it is the world's."""
        return plan, {}


@dataclass(slots=True)
class _Refusing:
    until_ms: int
    failed_at: FailedAt


class NetworkFaults:
    """Puts a plan's faults into a world.

    Args:
        world: Its network's hooks are taken.
        injector: Decides what is due and counts it.
        host: Whose clock and disk suffer if an entry's `args` name no other.
    """

    def __init__(self, world: World, injector: Injector, host: str = "engine") -> None:
        self._world = world
        self._injector = injector
        self._host = host
        self._muted: set[int] = set()
        self._refusing: _Refusing | None = None
        world.network.judge = self._judge
        world.network.refuse = self._refuse
        for entry in injector.timed():
            if entry.fault not in FAULTS:
                continue  # another layer's
            at_ns = cast("int", entry.when.at_ms) * 1_000_000
            world.loop.call_at_ns(at_ns, self._at_its_time, entry)

    def _now_ms(self) -> int:
        return self._world.loop.now_ns // 1_000_000

    def _judge(self, parcel: Parcel) -> Fate:
        """Looks at everything that crosses."""
        if parcel.kind == "response" and parcel.name in self._muted:
            self._muted.discard(parcel.name)
            return Fate(copies=0)
        fate = UNTOUCHED
        can = _CAN.get(parcel.kind, _NOTHING)
        for entry in self._injector.due(lambda: _moment(self._now_ms(), parcel), can):
            self._injector.injected[entry.fault] += 1
            if entry.fault == "F-A02":
                fate = Fate(cut="before")
            elif entry.fault == "F-A04":
                fate = Fate(cut="inside")
            elif entry.fault == "F-C01":
                fate = Fate(copies=0)
            elif entry.fault == "F-C02":
                self._muted.add(parcel.name)
            else:
                self._to_link(entry, self._link(parcel.name))
        return fate

    def _refuse(self, dial: Dial) -> FailedAt | None:
        """Looks at every dial."""
        now_ms = self._now_ms()
        for entry in self._injector.due(lambda: Moment(now_ms, f"{dial.kind}.connect"), ON_DIAL):
            self._start_refusing(entry)
        refusing = self._refusing
        return refusing.failed_at if refusing is not None and now_ms < refusing.until_ms else None

    def _at_its_time(self, entry: Entry) -> None:
        """An entry whose time has come."""
        if entry.fault not in ANY_TIME | ON_DIAL:
            raise ConfigError(
                f"{entry.fault} needs something to happen to", hint="say which request or event"
            )
        links = self._world.network.links
        if entry.fault in ON_FRAME:
            if links:
                self._injector.injected[entry.fault] += 1
                self._to_link(entry, links[int(entry.args.get("link", 0)) % len(links)])
        elif entry.fault in ON_DIAL:
            self._start_refusing(entry)
        else:
            self._injector.injected[entry.fault] += 1
            self._to_host(entry)

    def _start_refusing(self, entry: Entry) -> None:
        self._injector.injected[entry.fault] += 1
        for_ms = int(entry.args.get("for_ms", 1))
        default = "connect" if entry.fault == "F-A05" else "tls"
        failed_at = cast("FailedAt", entry.args.get("failed_at", default))
        self._refusing = _Refusing(self._now_ms() + for_ms, failed_at)

    def _to_link(self, entry: Entry, link: Link | None) -> None:
        if link is None:
            return
        if entry.fault == "F-A02":
            link.cut()
            return
        way = str(entry.args.get("way", "both"))
        ways = {"to_client": way != "to_server", "to_server": way != "to_client"}
        if entry.fault == "F-A03":
            link.black_hole(**ways)
        else:
            link.stall(**ways)
        for_ns = int(entry.args.get("for_ms", 5_000)) * 1_000_000
        self._world.loop.call_at_ns(self._world.loop.now_ns + for_ns, link.heal)

    def _to_host(self, entry: Entry) -> None:
        host = self._world.host(str(entry.args.get("host", self._host)))
        if entry.fault == "F-L01":
            host.clock.drift(int(entry.args.get("ppm", 200)))
        elif entry.fault == "F-L02":
            host.clock.step(int(entry.args.get("by_ms", -3_000)) * 1_000_000)
        elif entry.fault == "F-H18":
            self._use_up(entry, host)
        else:
            host.disk.fail("fdatasync", errno.EIO)

    def _use_up(self, entry: Entry, host: Host) -> None:
        """No descriptor is left on a host for a while: no file is opened, and no connection."""
        for call in _OPENING:
            host.disk.fail(call, errno.EMFILE, times=1 << 30)
        for_ms = int(entry.args.get("for_ms", 5_000))
        self._refusing = _Refusing(self._now_ms() + for_ms, "connect")
        until_ns = self._world.loop.now_ns + for_ms * 1_000_000
        self._world.loop.call_at_ns(until_ns, host.disk.mend, errno.EMFILE)

    def _link(self, name: int) -> Link | None:
        return next((link for link in self._world.network.links if link.name == name), None)


def _moment(now_ms: int, parcel: Parcel) -> Moment:
    """What a parcel is to a plan: the kind of request, and the order's own id if it shows one."""
    if parcel.kind == "request":
        line = parcel.head.split("\n", 1)[0]
        method_path, _, query = line.partition("?")
        return Moment(now_ms, method_path, _field(f"&{query}&{parcel.payload.decode('latin-1')}"))
    if parcel.kind != "text" or not parcel.to_server:
        return Moment(now_ms)
    try:
        frame: object = json.loads(parcel.payload)
    except ValueError:
        return Moment(now_ms, "frame")
    found = cast("Mapping[str, Any]", frame) if isinstance(frame, dict) else {}
    params: object = found.get("params")
    inner = cast("Mapping[str, Any]", params) if isinstance(params, dict) else {}
    return Moment(now_ms, str(found.get("method", "frame")), str(inner.get("newClientOrderId", "")))


def _field(text: str) -> str:
    _, found, rest = text.partition("&newClientOrderId=")
    return rest.split("&", 1)[0] if found else ""
