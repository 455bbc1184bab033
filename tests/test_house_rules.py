"""The habits of CONTRIBUTING.md that a program can keep: sizes, words, rooms, surfaces, addresses.

Each rule reports every place that breaks it at once, so that one run is enough to repair them.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "veloz"

# Rooms of the package, top-down; a new one needs a decision record and a line in .importlinter.
ROOMS = [
    "apps", "environments", "strategies", "strategy", "venues", "storage", "analytics", "exchange",
    "net",
]  # fmt: skip
# Modules that may stand beside the rooms.
LONE_MODULES = ["errors", "indicators", "secrets"]

# What `from veloz import …` offers. A change here is a change for every user: CHANGELOG.md.
PUBLIC = [
    "Account",
    "ArraySource",
    "Bar",
    "Bars",
    "Book",
    "Books",
    "Bool",
    "Catalogue",
    "CheckFailed",
    "Choice",
    "ConfigError",
    "DataError",
    "FeedError",
    "Fill",
    "Float",
    "Funding",
    "Fundings",
    "IndexPrice",
    "IndexPrices",
    "Indicator",
    "Int",
    "Liquidation",
    "Liquidations",
    "MarkPrice",
    "Marks",
    "Notional",
    "OpenInterest",
    "OpenInterests",
    "Order",
    "OrderError",
    "Position",
    "Qty",
    "Quote",
    "Quotes",
    "Run",
    "Strategy",
    "StrategyError",
    "Symbol",
    "SystemEvent",
    "Ticker",
    "Tickers",
    "Trade",
    "Trades",
    "UsageError",
    "VelozError",
    "__version__",
    "backtest",
    "test",
]

MOST_LINES = 600
MOST_LINES_TEST = 800
MOST_LINES_FUNCTION = 60
MOST_LINES_FUNCTION_TEST = 80
# Functions that are longer for a reason that a reader will see at once: a table, a template.
LONG_FUNCTIONS: dict[str, str] = {}
LONG_FILES: dict[str, str] = {}

BANNED_WORDS = {
    "abstract", "base", "common", "controller", "handler", "helper", "helpers", "impl", "info",
    "manager", "misc", "processor", "shared", "util", "utils", "wrapper",
}  # fmt: skip
# In a function's name these are the field's own: base asset, exchangeInfo.
FIELD_WORDS = {"base", "info"}

# Put together from pieces, so that this file does not break its own rule.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("static", "crates", "io"),
        ("index", "crates", "io"),
        ("registry", "npmjs", "org"),
    )
]
MACHINE_PATH = re.compile(r"(?<![\w./])/(?:root|home/\w+|work|tmp|Users/\w+)/\w")
DEBUG_PRINTS = re.compile(r"^\s*(?:breakpoint\(\)|import pdb|dbg!\()|\bpdb\.set_trace\(")
OPEN_TASK = re.compile(r"\b(?:TODO|FIXME|XXX)\b(?!\(#\d+\))")

TEXT_SUFFIXES = {
    ".cfg", ".ini", ".json", ".lock", ".md", ".py", ".pyi", ".rs", ".sh", ".toml", ".yaml", ".yml",
}  # fmt: skip


def tracked() -> list[Path]:
    """Every file that git knows or would know, except what others wrote: data and the licence."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = (ROOT / line for line in listed.stdout.splitlines())
    return sorted(path for path in names if path.is_file() and path.name != "LICENSE")


FILES = tracked()
SOURCES = [path for path in FILES if path.suffix in {".py", ".rs"}]
PYTHON = [path for path in FILES if path.suffix == ".py"]
TEXTS = [
    path
    for path in FILES
    if (path.suffix in TEXT_SUFFIXES or path.name in {"Makefile", "run", ".importlinter"})
    and "fixtures" not in path.parts
    and "golden" not in path.parts
]


def name_of(path: Path) -> str:
    """The path as a reader of the repository writes it."""
    return path.relative_to(ROOT).as_posix()


def is_test(path: Path) -> bool:
    return "tests" in path.relative_to(ROOT).parts or path.name.startswith("test_")


def places(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    """`file:line: text` of everything that matches."""
    found = []
    for path in files:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{name_of(path)}:{number}: {line.strip()}")
    return found


def test_the_lists_here_find_something() -> None:
    assert len(FILES) > 40
    assert len(SOURCES) > 20
    assert len(TEXTS) > 30


def test_no_file_is_too_long() -> None:
    long = {}
    for path in SOURCES:
        limit = MOST_LINES_TEST if is_test(path) else MOST_LINES
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > limit and name_of(path) not in LONG_FILES:
            long[name_of(path)] = lines
    assert long == {}


def test_no_python_function_is_too_long() -> None:
    long = {}
    for path in PYTHON:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            name = f"{name_of(path)}:{node.name}"
            most = MOST_LINES_FUNCTION_TEST if is_test(path) else MOST_LINES_FUNCTION
            if lines - docstring_lines(node) > most and name not in LONG_FUNCTIONS:
                long[name] = lines
    assert long == {}


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the docstring: long ones are wanted, where there is much to say."""
    doc = ast.get_docstring(node, clean=False)
    return 0 if doc is None else doc.count("\n") + 1


def test_no_file_name_holds_a_word_that_says_nothing() -> None:
    bad = []
    for path in SOURCES:
        words = set(re.split(r"[_\-.]", path.name.lower()))
        if words & BANNED_WORDS:
            bad.append(name_of(path))
    assert bad == []


def test_no_class_or_function_name_holds_a_word_that_says_nothing() -> None:
    bad = []
    for path in PYTHON:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                words = set(re.findall(r"[A-Z]?[a-z0-9]+", node.name))
                is_class = isinstance(node, ast.ClassDef)
                banned = BANNED_WORDS if is_class else BANNED_WORDS - FIELD_WORDS
                if {word.lower() for word in words} & banned:
                    bad.append(f"{name_of(path)}:{node.lineno}: {node.name}")
    assert bad == []


def test_no_debug_print_is_left_over() -> None:
    assert places(DEBUG_PRINTS, SOURCES) == []


def test_no_open_task_lacks_an_issue() -> None:
    assert places(OPEN_TASK, [path for path in SOURCES if path != Path(__file__)]) == []


def test_no_path_of_a_machine_is_in_the_repository() -> None:
    assert places(MACHINE_PATH, [path for path in TEXTS if path != Path(__file__)]) == []


def test_no_registry_host_is_in_the_repository() -> None:
    hosts = re.compile("|".join(map(re.escape, REGISTRY_HOSTS)))
    assert places(hosts, TEXTS) == []


LOCKS = [
    "base", "dev", "peers",
    "clients-ccxt", "clients-connector", "clients-python-binance", "clients-sdk",
]  # fmt: skip


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_hold_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*--(?:index|find|extra)", text, re.MULTILINE)
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 5
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_every_room_is_in_the_list_and_in_the_import_rules() -> None:
    entries = [path for path in PACKAGE.iterdir() if path.name not in {"__pycache__", "py.typed"}]
    # The examples are no room: a link that puts them into the wheel.
    rooms = {path.name for path in entries if path.is_dir() and not path.is_symlink()}
    lone = {path.stem for path in entries if path.suffix == ".py"} - {"__init__"}
    assert rooms == set(ROOMS)
    assert lone <= set(LONE_MODULES)
    rules = (ROOT / ".importlinter").read_text(encoding="utf-8")
    layers = rules.split("layers =")[1].split("exhaustive")[0]
    named = {word.strip("()") for word in re.split(r"[\s|]+", layers) if word}
    assert named == {*ROOMS, *LONE_MODULES, "_core"}


def test_every_room_in_use_says_what_it_is_for_and_what_it_offers() -> None:
    silent = []
    for room in ROOMS:
        folder = PACKAGE / room
        text = (folder / "__init__.py").read_text(encoding="utf-8")
        in_use = text or [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        tree = ast.parse(text)
        if in_use and (ast.get_docstring(tree) is None or "__all__" not in text):
            silent.append(room)
    assert silent == []


def test_the_public_surface_is_the_list() -> None:
    import veloz

    assert sorted(veloz.__all__) == sorted(PUBLIC)
    for name in PUBLIC:
        assert getattr(veloz, name) is not None, name


def test_type_checkers_see_the_public_surface_too() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    named = {
        (alias.asname or alias.name): statement.module
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    import veloz

    assert named == veloz._OWNERS
    assert set(named) | {"__version__"} == set(PUBLIC)


def test_the_version_is_one() -> None:
    import veloz

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]
    assert project["version"] == workspace["package"]["version"] == veloz.__version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {veloz.__version__}" in changes


def test_doctor_asks_for_what_the_project_asks_for() -> None:
    from veloz.apps import doctor

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # What some platform lacks has a marker, and is not asked for.
    everywhere = [line for line in project["dependencies"] if ";" not in line]
    asked = dict(line.split(",")[0].split(">=") for line in everywhere)
    floors = {name: ".".join(map(str, floor)) for name, floor in doctor.BASE_PACKAGES.items()}
    assert floors == asked
    research = project["optional-dependencies"]["research"]
    assert sorted(doctor.RESEARCH_PACKAGES) == sorted(line.split(">=")[0] for line in research)


def test_importing_any_module_prints_nothing_and_starts_nothing() -> None:
    modules = [
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
        for path in sorted(PACKAGE.rglob("*.py"))
        if not path.name.startswith("test_") and path.name != "__init__.py"
    ]
    program = (
        "import importlib, threading\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "assert threading.active_count() == 1, threading.enumerate()"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_every_decision_is_one_page_of_the_same_form() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    wanted = ["## Context", "## Decision", "## Consequences", "## What would change our minds"]
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"^## .*$", text, re.MULTILINE) == wanted, path.name
        assert len(text.splitlines()) <= 90, path.name
