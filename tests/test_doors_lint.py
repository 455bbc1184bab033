"""Nothing goes around the doors: time, chance, files, sockets and threads come in by `Doors`.

Looks at the rooms that run under simulation. What is allowed is listed with its reason; an entry
that nothing needs any more is an error too.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "veloz"
WATCHED = ("net", "venues", "exchange", "environments")
REAL = PACKAGE / "net" / "real"

MODULES = {
    "aiohttp", "concurrent", "fcntl", "httpx", "multiprocessing", "picows", "python_socks",
    "requests", "secrets", "select", "selectors", "signal", "socket", "ssl", "subprocess",
    "tempfile", "threading", "urllib.request", "uuid", "uvloop", "websockets",
}  # fmt: skip
NAMES = {
    "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell", "asyncio.open_connection",
    "asyncio.run", "asyncio.start_server", "asyncio.to_thread", "datetime.datetime.now",
    "datetime.datetime.today", "datetime.datetime.utcnow", "datetime.date.today", "io.open",
    "open", "random.SystemRandom", "time.clock_gettime", "time.monotonic", "time.monotonic_ns",
    "time.perf_counter", "time.perf_counter_ns", "time.process_time", "time.sleep", "time.time",
    "time.time_ns",
}  # fmt: skip
DICE = {"choice", "choices", "gauss", "randbytes", "randint", "random", "randrange", "sample",
        "seed", "shuffle", "uniform"}  # fmt: skip
# Methods by which a path or a loop reaches the world, whatever the variable is called.
METHODS = {
    "add_reader", "create_connection", "create_server", "getaddrinfo", "mkdir", "open",
    "read_bytes", "read_text", "rmdir", "run_in_executor", "unlink", "write_bytes",
    "write_text",
}  # fmt: skip
HARMLESS_OS = {"PathLike", "fspath", "strerror"}

# file -> {what: why}; the research path reads and writes whole files and runs on no virtual loop.
RESEARCH = "a backtest's own input or output: no part of a simulated world"
ALLOWED: dict[str, dict[str, str]] = {
    "net/simulated/loop.py": {
        "import selectors": "takes the selector's place, and watches nothing",
        "import threading": "knows its own thread, to refuse others",
    },
    "environments/backtest.py": {
        "time.perf_counter": "for run.json alone; results never see it",
        "read_bytes": RESEARCH,
    },
    "environments/csv_tables.py": {"open": RESEARCH, "unlink": RESEARCH},
    "environments/framed.py": {"import tempfile": RESEARCH, "unlink": RESEARCH},
    "environments/loading.py": {"read_bytes": RESEARCH},
    "environments/run.py": {
        "import tempfile": RESEARCH,
        "time.time": "for run.json alone; results never see it",
        "mkdir": RESEARCH,
        "write_bytes": RESEARCH,
        "write_text": RESEARCH,
    },
    "venues/binance/dialect/drivers.py": {
        "open": "recorded market data, read whole before anything runs: an input, as a seed is"
    },
    "environments/spool.py": {"import tempfile": RESEARCH, "open": RESEARCH},
}


def reaches(source: str) -> list[tuple[int, str]]:
    """Line and name of everything in `source` that goes around the doors."""
    tree = ast.parse(source)
    stands_for: dict[str, str] = {}
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                stands_for[alias.asname or alias.name.split(".")[0]] = alias.name
                found += module(node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            found += module(node.lineno, node.module)
            for alias in node.names:
                stands_for[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    typing_only = {
        inner.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            found += name(node.lineno, full_name(node, stands_for))
        if isinstance(node, ast.Call):
            found += call(node, stands_for)
    return sorted({(line, what) for line, what in found if line not in typing_only})


def module(line: int, imported: str) -> list[tuple[int, str]]:
    hit = next((m for m in MODULES if imported == m or imported.startswith(f"{m}.")), None)
    return [] if hit is None else [(line, f"import {hit}")]


def name(line: int, full: str) -> list[tuple[int, str]]:
    first, _, last = full.rpartition(".")
    is_dice = first == "random" and last in DICE
    is_system = first == "os" and last not in HARMLESS_OS
    return [(line, full)] if full in NAMES or is_dice or is_system else []


def call(node: ast.Call, stands_for: dict[str, str]) -> list[tuple[int, str]]:
    full = full_name(node.func, stands_for)
    if full == "random.Random" and not node.args:
        return [(node.lineno, "random.Random without a seed")]
    if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
        owner = ast.unparse(node.func.value)
        return [] if owner.endswith(("files", "disk")) else [(node.lineno, node.func.attr)]
    return []


def full_name(node: ast.expr, stands_for: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        owner = full_name(node.value, stands_for)
        return f"{owner}.{node.attr}" if owner else ""
    if not isinstance(node, ast.Name):
        return ""
    # A name that is not imported is a variable: `random` may be a door. But `open` is built in.
    return stands_for.get(node.id, "open" if node.id == "open" else "")


def watched() -> list[Path]:
    files: list[Path] = []
    for room in WATCHED:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            if not (path.name.startswith("test_") or REAL in path.parents):
                files.append(path)
    return files


def test_nothing_goes_around_the_doors() -> None:
    around, needed = [], set[tuple[str, str]]()
    for path in watched():
        short = path.relative_to(PACKAGE).as_posix()
        for line, what in reaches(path.read_text(encoding="utf-8")):
            if what in ALLOWED.get(short, {}):
                needed.add((short, what))
            else:
                around.append(f"src/veloz/{short}:{line}: {what}: ask a door of veloz.net.doors")
    assert around == []
    listed = {(short, what) for short, entries in ALLOWED.items() for what in entries}
    assert listed - needed == set(), "allowed, and not needed any more"


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import time\ntime.time()", "time.time"),
        ("from time import time_ns as t\nx = t()", "time.time_ns"),
        ("from time import monotonic\nf(clock=monotonic)", "time.monotonic"),
        ("from datetime import datetime\ndatetime.now()", "datetime.datetime.now"),
        ("import datetime as d\nd.datetime.utcnow()", "datetime.datetime.utcnow"),
        ("import random\nrandom.uniform(0, 1)", "random.uniform"),
        ("import random\nrandom.Random()", "random.Random without a seed"),
        ("from random import SystemRandom\nSystemRandom()", "random.SystemRandom"),
        ("open('x')", "open"),
        ("from pathlib import Path\nPath('x').read_bytes()", "read_bytes"),
        ("import os\nos.urandom(8)", "os.urandom"),
        ("import os\nos.environ['X']", "os.environ"),
        ("import socket", "import socket"),
        ("import threading", "import threading"),
        ("from concurrent.futures import ThreadPoolExecutor", "import concurrent"),
        ("import asyncio\nasyncio.open_connection('h', 1)", "asyncio.open_connection"),
        ("from asyncio import to_thread\nto_thread(f)", "asyncio.to_thread"),
        ("loop.run_in_executor(None, f)", "run_in_executor"),
        ("def f():\n    import aiohttp", "import aiohttp"),
        ("from picows import ws_connect", "import picows"),
        ("import urllib.request", "import urllib.request"),
        ("import uuid", "import uuid"),
    ],
)
def test_the_lint_finds(source: str, what: str) -> None:
    assert what in [found for _, found in reaches(source)]


@pytest.mark.parametrize(
    "source",
    [
        "from random import Random\nRandom(7).random()",
        "def f(random):\n    return random.uniform(0, 1)",
        "import asyncio\nasyncio.sleep(1)",
        "self._doors.files.open('x')",
        "import os\nos.strerror(5)",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ssl",
        "clock.wall_ns()",
        "from datetime import datetime\ndatetime.fromisoformat('2026-01-01')",
    ],
)
def test_the_lint_leaves_alone(source: str) -> None:
    assert reaches(source) == []
