"""`veloz verify RUN`: does the run again in another process, and names the first difference.

```text
RUN ─► files and data as they were? ─► a fresh process: another hash seed, another day on the
       wall clock, another folder ─► journal and metrics, byte for byte
```

The fresh process is this module, started as a program: it moves the clocks of Python before the
strategy is loaded. A strategy that reads a clock in native code of its own is beyond its reach.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from veloz.errors import CheckFailed, DataError, StrategyError, VelozError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SHIFT_S = 1_234_567.891
"""About a fortnight, and no whole number of anything, so that no rounding hides it."""

_FAILED = 1
_COMPARED = ("config.json", "metrics.json", "tables.json")


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the arguments of `veloz verify`."""
    parser = verbs.add_parser(
        "verify",
        help="run again elsewhere and name the first difference",
        description="Run a finished run again under another hash seed, clock and folder, and "
        "compare journal and metrics byte for byte.",
    )
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument(
        "--data", metavar="DIR", help="the catalogue's folder, if it has moved since the run"
    )
    parser.add_argument(
        "--strategy", metavar="PATH.py", help="the strategy's file, if it has moved since the run"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Runs it again and compares.

    Returns:
        0 if nothing differs, 1 otherwise.

    Raises:
        DataError: The folder is not a run's, or data or strategy are gone.
        CheckFailed: What went in has changed, so that what comes out cannot be compared.
    """
    if _is_trading_run(args.run_folder):
        return _verify_trading(args)
    recipe = read_recipe(args.run_folder, data=args.data, strategy=args.strategy)
    with tempfile.TemporaryDirectory(prefix="veloz-verify-") as elsewhere:
        again = _run_elsewhere(recipe, Path(elsewhere))
        _compare_inputs(recipe, again["digests"])
        difference = first_difference(args.run_folder, Path(again["folder"]))
    if args.json:
        shape = {
            "run": args.run_folder.resolve().name,
            "equal": difference is None,
            "difference": difference,
            "journal": again["journal"],
            "hash_seed": again["hash_seed"],
            "clock_shift_s": _SHIFT_S,
            "digests": again["digests"],
        }
        print(json.dumps(shape))
    elif difference is None:
        print(
            f"equal: journal, metrics and tables are the same bytes under hash seed "
            f"{again['hash_seed']}, a clock {_SHIFT_S / 86_400:.1f} days ahead and another folder"
        )
    else:
        print(f"different: {difference}")
        print("look for what the strategy reads besides its data: clocks, dice, order of sets")
    return 0 if difference is None else _FAILED


# -- paper and live runs -----------------------------------------------------------------------


def _is_trading_run(folder: Path) -> bool:
    """True if `veloz run` made the folder; it is checked as a backtest's if not."""
    try:
        host = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(host, dict) and str(host.get("format", "")).startswith("veloz.trading/")


def _verify_trading(args: argparse.Namespace) -> int:
    """Recovers a paper or live run, and runs its strategies again on what was heard."""
    recipe = {
        "trading": str(args.run_folder.resolve()),
        "strategy": None if args.strategy is None else str(Path(args.strategy).resolve()),
    }
    with tempfile.TemporaryDirectory(prefix="veloz-verify-") as elsewhere:
        law = _run_elsewhere(recipe, Path(elsewhere))
    if args.json:
        shape = {
            "run": args.run_folder.resolve().name,
            "equal": law["holds"],
            "difference": law["difference"],
            "batches": law["sequence"],
            "first": law["first"],
            "recovered": law["recovered"],
            "verified": law["verified"],
            "recorded": law["recorded"],
            "hash_seed": law["hash_seed"],
            "clock_shift_s": _SHIFT_S,
        }
        print(json.dumps(shape))
    elif law["holds"]:
        since = f" from {law['first']} on" if law["first"] > 1 else ""
        print(
            f"equal: the journal recovers to the same state, and its {law['sequence']} batches"
            f"{since} come again byte for byte under hash seed {law['hash_seed']} and a clock "
            f"{_SHIFT_S / 86_400:.1f} days ahead"
        )
    else:
        print(f"different: {law['difference'] or 'the state is another one'}")
        print("look for what the strategy reads besides its inputs: clocks, dice, order of sets")
    return 0 if law["holds"] else _FAILED


def _trading_again(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Does a paper or live run again in the fresh process."""
    from dataclasses import asdict

    from veloz.environments.law import check_law
    from veloz.net.real import RealFiles

    folder = Path(recipe["trading"])
    host = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    moved = {row["name"]: recipe["strategy"] for row in host["strategies"] if recipe["strategy"]}
    law = check_law(RealFiles(), folder, strategies=moved)
    return {**asdict(law), "holds": law.holds}


def read_recipe(
    folder: Path, *, data: str | None = None, strategy: str | None = None
) -> dict[str, Any]:
    """What is needed to do a run again, from its folder.

    Args:
        folder: The run's.
        data: The catalogue, if it is no longer where it was.
        strategy: The strategy's file, likewise.

    Raises:
        DataError: The folder is not a run's, or what it needs is gone.
    """
    host, facts = _json_of(folder, "run.json"), _json_of(folder, "tables.json").get("facts", {})
    config = _json_of(folder, "config.json")
    file, catalogue = strategy or host.get("strategy_file"), data or host.get("data")
    if file is None or catalogue is None:
        missing = "strategy has no file" if file is None else "data were in memory"
        raise DataError(
            f"{folder} cannot be run again: its {missing}",
            hint="Run a strategy file on a catalogue with `veloz backtest`.",
        )
    for path, what, option in ((file, "strategy", "--strategy"), (catalogue, "data", "--data")):
        if not Path(path).exists():
            raise DataError(
                f"the {what} of {folder} is gone: there is no {path}",
                hint=f"Say where it is now with {option}.",
            )
    return {
        "strategy": f"{Path(file).resolve()}:{config['strategy']}",
        "data": str(Path(catalogue).resolve()),
        "config": config,
        "digests": {**facts.get("digests", {}), "engine": host.get("engine")},
    }


def _json_of(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"{folder} is not the folder of a run: it has no {name}",
            hint="Name the folder that `veloz backtest` printed.",
        ) from None
    except ValueError as damage:
        raise DataError(f"{path} is damaged: {damage}", hint="Run the backtest again.") from None
    if not isinstance(value, dict):
        raise DataError(f"{path} is damaged: it holds no object", hint="Run the backtest again.")
    return value


def _compare_inputs(recipe: Mapping[str, Any], now: Mapping[str, str]) -> None:
    """Refuses to compare what was made from other inputs.

    Raises:
        CheckFailed: Naming every input that changed.
    """
    what = {
        "code": f"the strategy {recipe['strategy']}",
        "data": f"the data in {recipe['data']}",
        "parameters": "a parameter's value",
        "config": "the configuration",
        "engine": "the engine of this installation",
    }
    then = recipe["digests"]
    changed = [name for name in what if then.get(name) is not None and then[name] != now[name]]
    if changed:
        named = " and ".join(f"{what[name]} (digest of {name})" for name in changed)
        raise CheckFailed(
            f"changed since the run: {named}",
            hint="Put it back as it was, or make a new run with `veloz backtest`.",
        )


def first_difference(folder: Path, other: Path) -> str | None:
    """The first thing in which two run folders differ, as a sentence; None if in nothing."""
    from veloz.storage import journal

    found = journal.first_difference(folder, other)
    if found is not None:
        return found
    for name in ("trading-000001.vj", *_COMPARED):
        one, two = (folder / name).read_bytes(), (other / name).read_bytes()
        if one != two:
            return f"{name}: {_first_line(one, two)}"
    return None


def _first_line(one: bytes, two: bytes) -> str:
    """Where two texts part."""
    lines = zip(one.splitlines(), two.splitlines(), strict=False)
    for number, (left, right) in enumerate(lines, start=1):
        if left != right:
            shown = (line.strip()[:120].decode("utf-8", "replace") for line in (left, right))
            return "line {}: {} here, {} when run again".format(number, *shown)
    return f"{len(one)} bytes here, {len(two)} when run again"


def _run_elsewhere(recipe: Mapping[str, Any], elsewhere: Path) -> dict[str, Any]:
    """The run, done again by a fresh process; what it says of itself.

    Raises:
        VelozError: What the run itself raised.
    """
    own = os.environ.get("PYTHONHASHSEED", "")
    seed = "4242" if own != "4242" else "2424"
    ended = subprocess.run(
        [sys.executable, "-m", "veloz.apps.verify"],
        input=json.dumps(dict(recipe)),
        cwd=elsewhere,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    lines = ended.stdout.splitlines()
    try:
        said = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise VelozError(
            f"the second run ended with code {ended.returncode} and said nothing: "
            f"{ended.stderr.strip()[-300:]}"
        ) from None
    if "error" in said:
        kinds = {kind.__name__: kind for kind in (DataError, StrategyError)}
        kind = kinds.get(said["error"]["kind"], CheckFailed)
        raise kind(f"run again, it fails: {said['error']['message']}", hint=said["error"]["hint"])
    return {**said, "hash_seed": int(seed)}


# -- the fresh process -------------------------------------------------------------------------


def again() -> int:
    """Does a run as the recipe on stdin says, into the working folder; prints what came out.

    The clocks are moved before anything of the strategy is imported.
    """
    recipe = json.loads(sys.stdin.read())
    shift_clocks(_SHIFT_S)
    from veloz.environments.backtest import Session
    from veloz.environments.settings import settings_of

    if "trading" in recipe:
        return _told(lambda: _trading_again(recipe))
    config = recipe["config"]
    try:
        session = Session(
            recipe["strategy"],
            recipe["data"],
            settings_of(config),
            parameters=config["parameters"],
            start=config["start_ns"],
            end=config["end_ns"],
        )
        # What the author prints must not mix with the answer.
        out, sys.stdout = sys.stdout, sys.stderr
        try:
            finished = session.run()
        finally:
            sys.stdout = out
        folder = finished.write(Path("again").resolve(), has_report=False)
    except VelozError as error:
        told = {"kind": type(error).__name__, "message": str(error), "hint": error.hint}
        print(json.dumps({"error": told}))
        return _FAILED
    shape = {
        "folder": str(folder),
        "journal": finished.journal_hash,
        "digests": dict(finished.facts.digests),
    }
    print(json.dumps(shape))
    return 0


def _told(work: Callable[[], dict[str, Any]]) -> int:
    """Prints what some work gave, or why it failed, as the last line of stdout."""
    out, sys.stdout = sys.stdout, sys.stderr  # what the author prints must not mix with it
    try:
        shape = work()
    except VelozError as error:
        shape = {"error": {"kind": type(error).__name__, "message": str(error), "hint": error.hint}}
    finally:
        sys.stdout = out
    print(json.dumps(shape))
    return _FAILED if "error" in shape else 0


def shift_clocks(shift_s: float) -> None:
    """Moves every clock that Python code can read by name: `time`, `datetime`, `date`.

    For the whole process and for good: only a process that does nothing else may call it.

    Args:
        shift_s: How far ahead, in seconds.
    """
    shift_ns = int(shift_s * 1_000_000_000)
    for name in ("time", "monotonic", "perf_counter"):
        _shift(name, shift_s)
        _shift(f"{name}_ns", shift_ns)
    for name in ("gmtime", "localtime"):
        _shift_default(name)
    import datetime as module  # the module itself, whose classes are replaced

    module.datetime, module.date = _datetime_class(shift_s), _date_class(shift_s)  # type: ignore[misc]


def _shift(name: str, by: float) -> None:
    real = getattr(time, name)
    setattr(time, name, lambda: real() + by)


def _shift_default(name: str) -> None:
    """Makes a function of `time` that means "now" by default mean the moved now."""
    real = getattr(time, name)
    setattr(time, name, lambda secs=None: real(time.time() if secs is None else secs))


class _Real(type):
    """Lets a replaced class recognise the objects of the real one."""

    def __instancecheck__(cls, thing: object) -> bool:
        return isinstance(thing, cls.__mro__[1])


def _datetime_class(shift_s: float) -> type[datetime]:
    by = timedelta(seconds=shift_s)

    class Shifted(datetime, metaclass=_Real):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + by

        @classmethod
        def utcnow(cls) -> Self:
            return super().now(UTC).replace(tzinfo=None) + by

        @classmethod
        def today(cls) -> Self:
            return super().now() + by

    return Shifted


def _date_class(shift_s: float) -> type[date]:
    class Shifted(date, metaclass=_Real):
        @classmethod
        def today(cls) -> Self:
            moved = datetime.now() + timedelta(seconds=shift_s)
            return cls(moved.year, moved.month, moved.day)

    return Shifted


if __name__ == "__main__":
    sys.exit(again())
