"""`veloz doctor`: looks at this installation and says what to do.

It reads only this machine: no network, no file is written. A `warn` costs comfort or speed, a
`fail` means that a backtest cannot run here; only the second gives an exit code other than 0.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import sysconfig
import time
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from veloz import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Finding", "Machine", "add_parser", "examine", "run"]

Verdict = Literal["ok", "warn", "fail"]

GIB = 2**30
MARKS: Mapping[Verdict, str] = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}
# Package -> oldest version that is tried; the same as in pyproject.toml, which a test compares.
BASE_PACKAGES = {
    "aiohttp": (3, 12),
    "cryptography": (44,),
    "duckdb": (1, 4),
    "numpy": (2, 2),
    "picows": (2, 0),
    "rich": (13,),
}
# uvloop is missing here on purpose: Windows has none, and the loop is a setting.
RESEARCH_PACKAGES = ("pyarrow", "polars", "pandas")
CLOCK_SOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What was looked at.
        verdict: `ok`, `warn` (slower or less comfortable) or `fail` (VeloZ cannot run).
        detail: What was seen.
        to_do: What to do about it; empty if all is well.
    """

    name: str
    verdict: Verdict
    detail: str
    to_do: str = ""


@dataclass(frozen=True)
class Machine:
    """What the findings depend on, passed in so that a test can pose as another machine."""

    system: str
    cpu_kind: str
    cpus: int
    python: tuple[int, int, int]
    python_kind: str
    prefix: Path
    folder: Path
    free_bytes: int
    total_memory_bytes: int | None
    clock_source: str | None
    clock_resolution_s: float
    wall_ns: int

    @classmethod
    def here(cls) -> Machine:
        """This machine and this process."""
        return cls(
            system=platform.system(),
            cpu_kind=platform.machine().lower(),
            cpus=len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else (os.cpu_count() or 1),
            python=sys.version_info[:3],
            python_kind=platform.python_implementation(),
            prefix=Path(sys.prefix),
            folder=Path.cwd(),
            free_bytes=shutil.disk_usage(Path.cwd()).free,
            total_memory_bytes=_memory_bytes(),
            clock_source=CLOCK_SOURCE.read_text().strip() if CLOCK_SOURCE.exists() else None,
            clock_resolution_s=time.get_clock_info("time").resolution,
            wall_ns=time.time_ns(),
        )


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the arguments of `veloz doctor`."""
    parser = verbs.add_parser("doctor", help="look at this installation and say what to do")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Prints the findings; returns 1 if one of them is a `fail`, else 0."""
    findings = examine(Machine.here())
    healthy = all(finding.verdict != "fail" for finding in findings)
    if args.json:
        shape = {"veloz": __version__, "healthy": healthy, "findings": [*map(asdict, findings)]}
        print(json.dumps(shape))
        return 0 if healthy else 1
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{MARKS[finding.verdict]}  {finding.name:<{width}}  {finding.detail}")
        if finding.to_do:
            print(f"{'':<{width + 8}}→ {finding.to_do}")
    print("\nnext: veloz demo" if healthy else "\nnext: repair what says FAIL, then veloz doctor")
    return 0 if healthy else 1


def examine(machine: Machine) -> list[Finding]:
    """Looks at everything, in the order in which a fault would show."""
    looks: tuple[Callable[[Machine], Finding], ...] = (
        _python,
        _platform,
        _core,
        _core_abi,
        _packages,
        _research_packages,
        _venv,
        _disk,
        _memory,
        _cpu,
        _clock,
    )
    return [look(machine) for look in looks]


def _python(machine: Machine) -> Finding:
    version = ".".join(map(str, machine.python))
    detail = f"{machine.python_kind} {version}"
    if machine.python_kind != "CPython":
        return Finding("python", "fail", detail, "the compiled core needs CPython 3.11 or later")
    if machine.python < (3, 11):
        return Finding("python", "fail", detail, "install CPython 3.11 or later")
    return Finding("python", "ok", detail)


def _platform(machine: Machine) -> Finding:
    detail = f"{machine.system} {machine.cpu_kind}"
    if machine.system == "Linux" and machine.cpu_kind in ("x86_64", "aarch64"):
        return Finding("platform", "ok", f"{detail}: backtest, paper and live")
    if machine.system == "Darwin":
        return Finding(
            "platform", "ok", f"{detail}: research and paper", "trade live from a Linux machine"
        )
    if machine.system == "Windows":
        return Finding(
            "platform",
            "warn",
            f"{detail}: research at best effort",
            "the Windows Subsystem for Linux runs everything",
        )
    return Finding(
        "platform", "warn", f"{detail}: not tried", "Linux on x86-64 or aarch64 runs everything"
    )


def _core(_: Machine) -> Finding:
    try:
        core = import_module("veloz._core")
    except ImportError as error:
        return Finding("core", "fail", str(error), "in a checkout: make build; else reinstall")
    version = core.__version__
    if version != __version__:
        detail = f"{version}, but the package is {__version__}"
        return Finding("core", "fail", detail, "in a checkout: make build; else reinstall")
    return Finding("core", "ok", f"{version} at {core.__file__}")


def _core_abi(_: Machine) -> Finding:
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    folder = Path(__file__).resolve().parent.parent
    built = sorted(file.name for file in folder.glob("_core*") if file.suffix != ".pyi")
    if f"_core{suffix}" in built:
        return Finding("core ABI", "ok", f"_core{suffix}")
    detail = f"this interpreter loads _core{suffix}; found {', '.join(built) or 'none'}"
    return Finding("core ABI", "fail", detail, "one wheel per CPython minor: reinstall with this")


def _packages(_: Machine) -> Finding:
    seen: list[str] = []
    for name, oldest in BASE_PACKAGES.items():
        floor = ".".join(map(str, oldest))
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            return Finding(
                "packages", "fail", f"{name} is missing", f"pip install '{name}>={floor}'"
            )
        found = tuple(int(part) for part in version.split(".")[: len(oldest)] if part.isdigit())
        if found < oldest:
            return Finding(
                "packages", "fail", f"{name} {version} is too old", f"pip install '{name}>={floor}'"
            )
        seen.append(f"{name} {version}")
    return Finding("packages", "ok", ", ".join(seen))


def _research_packages(_: Machine) -> Finding:
    versions = {name: _version(name) for name in RESEARCH_PACKAGES}
    absent = [name for name, version in versions.items() if version is None]
    if absent:
        detail = f"not installed: {', '.join(absent)}"
        return Finding(
            "research extra", "ok", detail, "for data frames: pip install 'veloz[research]'"
        )
    detail = ", ".join(f"{name} {version}" for name, version in versions.items())
    return Finding("research extra", "ok", detail)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _venv(machine: Machine) -> Finding:
    project = next(
        (
            place
            for place in (machine.folder, *machine.folder.parents)
            if (place / ".venv").is_dir()
        ),
        None,
    )
    if project is None:
        return Finding("environment", "ok", f"{machine.prefix}")
    if machine.prefix.resolve() == (project / ".venv").resolve():
        return Finding("environment", "ok", f"the project's own, {machine.prefix}")
    detail = f"{machine.prefix}, but this project has {project / '.venv'}"
    return Finding("environment", "warn", detail, f"run {project / '.venv' / 'bin' / 'veloz'}")


def _disk(machine: Machine) -> Finding:
    detail = f"{machine.free_bytes / GIB:.1f} GiB free at {machine.folder}"
    if machine.free_bytes < GIB // 10:
        return Finding("disk", "fail", detail, "free 100 MiB: runs and the catalogue live here")
    if machine.free_bytes < 2 * GIB:
        return Finding("disk", "warn", detail, "a month of order books takes several GiB")
    return Finding("disk", "ok", detail)


def _memory(machine: Machine) -> Finding:
    if machine.total_memory_bytes is None:
        return Finding("memory", "ok", "the system does not tell")
    detail = f"{machine.total_memory_bytes / GIB:.1f} GiB"
    if machine.total_memory_bytes < GIB:
        return Finding("memory", "warn", detail, "keep to short ranges; replay itself streams")
    return Finding("memory", "ok", detail)


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def _cpu(machine: Machine) -> Finding:
    return Finding("cpu", "ok", f"{machine.cpus} usable {machine.cpu_kind}")


def _clock(machine: Machine) -> Finding:
    year = time.gmtime(machine.wall_ns // 10**9).tm_year
    source = machine.clock_source or "unknown"
    detail = f"{year}, resolution {machine.clock_resolution_s * 1e9:.0f} ns, source {source}"
    if year < 2025:
        return Finding("clock", "fail", detail, "set the date: venues refuse such requests")
    if machine.clock_resolution_s > 1e-6:
        return Finding("clock", "warn", detail, "latencies below this resolution mean nothing")
    if machine.clock_source in ("hpet", "acpi_pm", "jiffies"):
        return Finding("clock", "warn", detail, "reading this clock is slow; choose tsc if you can")
    return Finding("clock", "ok", detail)
