"""Finding a strategy in a file, and looking at its source for what would make runs differ."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from veloz.errors import StrategyError
from veloz.strategy import Strategy
from veloz.strategy.faults import describe

# Calls that read a clock, dice or the surroundings, and what to use instead.
_IMPURE = {
    "time.time": "self.now",
    "time.time_ns": "self.now",
    "time.monotonic": "self.now",
    "time.perf_counter": "self.now",
    "time.sleep": "self.after(...)",
    "datetime.now": "self.now",
    "datetime.utcnow": "self.now",
    "datetime.today": "self.now",
    "date.today": "self.now",
    "random.random": "self.random",
    "random.randint": "self.random",
    "random.uniform": "self.random",
    "random.gauss": "self.random",
    "random.choice": "self.random",
    "random.shuffle": "self.random",
    "uuid.uuid4": "self.random",
    "os.urandom": "self.random",
    "os.getenv": "a parameter",
    "os.environ": "a parameter",
}


@dataclass(frozen=True)
class LoadedStrategy:
    """A strategy class and the file it came from.

    Attributes:
        strategy: The class.
        path: Its file; None if it was made in a script or notebook.
        digest: SHA-256 of the file's bytes, or of the class's source where that can be had.
        warnings: Sentences about clocks, dice and surroundings that the source reads.
    """

    strategy: type[Strategy]
    path: Path | None
    digest: str
    warnings: tuple[str, ...]


def load_strategy(target: str | type[Strategy]) -> LoadedStrategy:
    """The strategy that `PATH.py[:Class]` names, or the facts of a class that is at hand.

    Raises:
        StrategyError: The file is missing, does not parse, raises, or holds no such class.
    """
    if isinstance(target, type):
        return _at_hand(target)
    place, colon, wanted = target.rpartition(":")
    if not colon or wanted.endswith(".py") or "/" in wanted or "\\" in wanted:
        place, wanted = target, ""
    path = Path(place)
    if not path.is_file():
        raise StrategyError(
            f"there is no strategy file {path}",
            hint=f"Make one with `veloz new {path.stem}`.",
        )
    source = path.read_bytes()
    warnings = _warnings(source, path)
    module = _module(path)
    return LoadedStrategy(
        _pick(module, path, wanted), path, hashlib.sha256(source).hexdigest(), warnings
    )


def _at_hand(strategy: type[Strategy]) -> LoadedStrategy:
    import inspect  # only where a class is handed over

    try:
        source = inspect.getsource(strategy)
    except (OSError, TypeError):
        return LoadedStrategy(strategy, None, "", ())
    digest = hashlib.sha256(source.encode()).hexdigest()
    return LoadedStrategy(strategy, None, digest, ())


def _module(path: Path) -> Any:
    name = f"veloz_strategy_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StrategyError(f"{path} cannot be loaded as a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        sys.modules.pop(name, None)
        where = f"line {error.lineno}" if error.lineno else "some line"
        file = error.filename or str(path)  # it may be a module that the strategy imports
        raise StrategyError(
            f"{file} does not parse: {error.msg} on {where}", hint="Repair that line."
        ) from error
    except (Exception, SystemExit) as error:  # whatever the user's own top level raises
        sys.modules.pop(name, None)
        raise StrategyError(f"{path} raised while it was loaded: {describe(error)}") from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
    return module


def _pick(module: Any, path: Path, wanted: str) -> type[Strategy]:
    own = {
        name: thing
        for name, thing in vars(module).items()
        if isinstance(thing, type)
        and issubclass(thing, Strategy)
        and thing is not Strategy
        and thing.__module__ == module.__name__
    }
    if wanted:
        if wanted not in own:
            known = ", ".join(own) or "none"
            raise StrategyError(f"{path} has no strategy {wanted!r}; it has {known}")
        return own[wanted]
    if len(own) != 1:
        known = ", ".join(own)
        what = f"has several strategies ({known})" if own else "has no class that extends Strategy"
        hint = f"Name one: {path}:{next(iter(own))}." if own else "See `veloz new`."
        raise StrategyError(f"{path} {what}", hint=hint)
    return next(iter(own.values()))


def _warnings(source: bytes, path: Path) -> tuple[str, ...]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()  # loading says what is wrong, with the line
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            dotted = _dotted(node)
            tail = ".".join(dotted.split(".")[-2:])
            if tail in _IMPURE:
                found.append(
                    (
                        node.lineno,
                        f"{path.name}:{node.lineno} reads {dotted}: two runs may differ; "
                        f"use {_IMPURE[tail]}",
                    )
                )
    return tuple(text for _, text in sorted(set(found)))


def _dotted(node: ast.Attribute) -> str:
    parts = [node.attr]
    value = node.value
    while isinstance(value, ast.Attribute):
        parts.append(value.attr)
        value = value.value
    if isinstance(value, ast.Name):
        parts.append(value.id)
    return ".".join(reversed(parts))
