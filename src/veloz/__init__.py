"""VeloZ: one strategy file for backtest, paper and live.

The names below are loaded when they are first used, so that `import veloz` and `veloz --help`
cost next to nothing. Inside the package a module imports from the room that owns the thing, never
from here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from veloz.errors import (
        CheckFailed,
        ConfigError,
        DataError,
        FeedError,
        OrderError,
        StrategyError,
        UsageError,
        VelozError,
    )

__version__ = "0.1.0"

# Public name -> the module that owns it. Literal, so that a reader sees the whole surface; the
# same names stand in `__all__` and, for editors and type checkers, in the imports above.
_OWNERS = {
    "CheckFailed": "veloz.errors",
    "ConfigError": "veloz.errors",
    "DataError": "veloz.errors",
    "FeedError": "veloz.errors",
    "OrderError": "veloz.errors",
    "StrategyError": "veloz.errors",
    "UsageError": "veloz.errors",
    "VelozError": "veloz.errors",
}

__all__ = [
    "CheckFailed",
    "ConfigError",
    "DataError",
    "FeedError",
    "OrderError",
    "StrategyError",
    "UsageError",
    "VelozError",
    "__version__",
]


def __getattr__(name: str) -> object:
    owner = _OWNERS.get(name)
    if owner is None:
        raise AttributeError(f"module 'veloz' has no attribute {name!r}")
    thing = getattr(import_module(owner), name)
    globals()[name] = thing
    return thing


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_OWNERS))
