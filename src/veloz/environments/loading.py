"""Finding a strategy in a file, and looking at its source for what would make runs differ."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from veloz.errors import ConfigError, StrategyError
from veloz.strategy import Strategy
from veloz.strategy.faults import describe
from veloz.strategy.parameters import settle

if TYPE_CHECKING:
    from collections.abc import Mapping

# Calls that read a clock, dice or the surroundings, and what to use instead.
_IMPURE = {
    "time.time": "self.now",
    "time.time_ns": "self.now",
    "time.monotonic": "self.now",
    "time.perf_counter": "self.now",
    "time.sleep": "self.after(...)",
    "datetime.datetime.now": "self.now",
    "datetime.datetime.utcnow": "self.now",
    "datetime.datetime.today": "self.now",
    "datetime.date.today": "self.now",
    "random.random": "self.random",
    "random.randint": "self.random",
    "random.uniform": "self.random",
    "random.gauss": "self.random",
    "random.choice": "self.random",
    "random.shuffle": "self.random",
    "time.monotonic_ns": "self.now",
    "time.perf_counter_ns": "self.now",
    "random.Random": "self.random",
    "random.randrange": "self.random",
    "random.choices": "self.random",
    "random.sample": "self.random",
    "random.normalvariate": "self.random",
    "numpy.random.default_rng": "self.random",
    "numpy.random.rand": "self.random",
    "numpy.random.randn": "self.random",
    "numpy.random.normal": "self.random",
    "numpy.random.randint": "self.random",
    "secrets.randbelow": "self.random",
    "secrets.token_bytes": "self.random",
    "uuid.uuid1": "self.random",
    "uuid.uuid4": "self.random",
    "os.urandom": "self.random",
    "os.getenv": "a parameter",
    "os.environ": "a parameter",
}


# What other frameworks call the same thing.
_OTHER_WORDS = {"on_tick": "on_quote or on_trade", "on_data": "on_bar", "on_init": "on_start"}


@dataclass(frozen=True)
class LoadedStrategy:
    """A strategy class and the file it came from.

    Attributes:
        strategy: The class.
        path: Its file; None if it was made in a script or notebook.
        digest: SHA-256 of the file's bytes, with those of the files beside it that it imports; of
            the class's source where only that can be had.
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
        return _checked(_at_hand(target))
    place, colon, wanted = target.rpartition(":")
    if not colon or wanted.endswith(".py") or "/" in wanted or "\\" in wanted:
        place, wanted = target, ""
    path = Path(place)
    if not path.is_file():
        raise StrategyError(
            f"there is no strategy file {path}",
            hint=f"Make one with `veloz new {path.stem}`.",
        )
    sources = _sources(path)
    warnings = tuple(text for file, source in sources.items() for text in _warnings(source, file))
    module = _module(path)
    strategy = _pick(module, path, wanted)
    return _checked(LoadedStrategy(strategy, path, _digest(sources, path), warnings))


def made_strategy(
    given: str | type[Strategy] | Strategy, parameters: Mapping[str, object]
) -> tuple[LoadedStrategy, Strategy]:
    """The strategy that is meant, with its parameters.

    Raises:
        StrategyError: It cannot be loaded, or raised.
        ConfigError: A parameter is unknown or out of bounds.
    """
    if isinstance(given, Strategy):
        if parameters:
            raise ConfigError("parameters belong to the strategy object that was handed over")
        return load_strategy(type(given)), given
    loaded = load_strategy(given)
    unknown = set(parameters) - set(loaded.strategy.parameters())
    try:
        made = loaded.strategy(**parameters)
        made.parameter_values()  # raises if an __init__ of the author's forgot the parent's
        return loaded, made
    except ValueError as error:
        raise ConfigError(f"{loaded.strategy.__name__}: {error}") from error
    except Exception as error:  # whatever the author's own __init__ raises
        if unknown:
            # An __init__ of its own may take no parameters at all: the sentence that fits is ours.
            settle_error = _refused_parameters(loaded.strategy, parameters)
            if settle_error is not None:
                raise ConfigError(f"{loaded.strategy.__name__}: {settle_error}") from error
        raise StrategyError(
            f"{loaded.strategy.__name__} raised while it was made: {describe(error)}"
        ) from error


def check_parameters(target: str, parameters: Mapping[str, object]) -> str:
    """The name of the strategy that a file holds, once it is seen to take these parameters.

    Raises:
        StrategyError: There is no such strategy.
        ConfigError: It does not declare one of them, or refuses its value.
    """
    strategy = load_strategy(target).strategy
    refused = _refused_parameters(strategy, parameters)
    if refused is not None:
        raise ConfigError(f"{strategy.__name__}: {refused}")
    return strategy.__name__


def _checked(loaded: LoadedStrategy) -> LoadedStrategy:
    """The same, warned of methods that look like callbacks and are none.

    Raises:
        StrategyError: A callback is a coroutine, which nobody would wait for.
    """
    strategy = loaded.strategy
    own = {
        name: value
        for kind in strategy.__mro__
        if kind.__module__.partition(".")[0] != "veloz"
        for name, value in vars(kind).items()
        if isinstance(value, FunctionType)
    }
    called = {name for function in own.values() for name in function.__code__.co_names}
    said = []
    for name, function in own.items():
        if not name.startswith("on_"):
            continue
        if function.__code__.co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR | CO_GENERATOR):
            word = "contains yield" if function.__code__.co_flags & CO_GENERATOR else "is async"
            raise StrategyError(
                f"{strategy.__name__}.{name} {word}, and callbacks are plain functions",
                hint=f"Write def {name}(…): a callback returns at once.",
            )
        if not hasattr(Strategy, name) and name not in called:
            callbacks = [known for known in dir(Strategy) if known.startswith("on_")]
            meant = _OTHER_WORDS.get(name) or next(iter(get_close_matches(name, callbacks, 1)), "")
            said.append(
                f"{strategy.__name__}.{name} is no callback, so nothing calls it"
                + (f"; did you mean {meant}?" if meant else "")
            )
    return replace(loaded, warnings=(*loaded.warnings, *said)) if said else loaded


def _refused_parameters(
    strategy: type[Strategy], parameters: Mapping[str, object]
) -> ValueError | None:
    try:
        settle(strategy.parameters(), parameters)
    except ValueError as error:
        return error
    return None


def _sources(path: Path) -> dict[Path, bytes]:
    """The strategy's file, and the files beside it that it imports, directly or through another."""
    sources: dict[Path, bytes] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        sources[file] = file.read_bytes()
        try:
            modules = _modules(ast.parse(sources[file]))
        except (SyntaxError, ValueError):
            continue  # loading says what is wrong, with the line
        for name in modules:
            place = path.parent.joinpath(*name.split("."))
            folders = [folder / "__init__.py" for folder in (place, *place.parents)]
            near = [f for f in folders if path.parent in f.parent.parents]
            near.append(place.with_suffix(".py"))
            waiting += [f for f in near if f.is_file() and f not in {*sources, *waiting}]
    return {path: sources.pop(path), **dict(sorted(sources.items()))}


def _digest(sources: dict[Path, bytes], path: Path) -> str:
    if len(sources) == 1:
        return hashlib.sha256(sources[path]).hexdigest()
    whole = hashlib.sha256()
    for file, source in sources.items():
        name = file.relative_to(path.parent).as_posix()
        whole.update(f"{name}\0{len(source)}\0".encode())
        whole.update(source)
    return whole.hexdigest()


@lru_cache(maxsize=128)
def _at_hand(strategy: type[Strategy]) -> LoadedStrategy:
    """The facts of a class, read once: a file that is changed later does not change the class."""
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
    names = _imported(tree)
    found: set[tuple[int, str]] = set()
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Attribute, ast.Name)):
            continue
        dotted = _dotted(node)
        root, dot, rest = dotted.partition(".")
        # Only what the file imports counts: `self.random` is the strategy's own.
        whole = names.get(root, "") + dot + rest
        instead = _IMPURE.get(whole)
        if instead is not None:
            text = f"{path.name}:{node.lineno} reads {whole}: two runs may differ; use {instead}"
            found.add((node.lineno, text))
    return tuple(text for _, text in sorted(found))


def _imported(tree: ast.Module) -> dict[str, str]:
    """What each name stands for that the file imports: `t` → `time` after `import time as t`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                names[alias.asname or whole] = whole
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _modules(tree: ast.Module) -> list[str]:
    """Every module that the file may import; `from tools import fees` names two candidates."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return sorted(names)


def _dotted(node: ast.Attribute | ast.Name) -> str:
    parts: list[str] = []
    value: ast.expr = node
    while isinstance(value, ast.Attribute):
        parts.append(value.attr)
        value = value.value
    parts.append(value.id if isinstance(value, ast.Name) else "?")
    return ".".join(reversed(parts))
