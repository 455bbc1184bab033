"""The `veloz` command: finds the verb, runs it, and turns every end into an exit code.

A verb is a module of this room with two functions, imported only when its verb is used:

```text
add_parser(verbs) -> None   declares the verb's arguments:  verbs.add_parser("name", …)
run(args) -> int            does it and returns an exit code
```

A verb raises a `VelozError` for what a user can repair. Nobody but this module prints an error or
decides on an exit code.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from veloz import __version__
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

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EXIT_CODES", "VERBS", "main"]

# verb -> (module, one line of help)
VERBS = {
    "new": ("veloz.apps.new", "write a strategy that runs as it is, and its test"),
    "backtest": ("veloz.apps.backtest", "trade a strategy on recorded data"),
    "run": ("veloz.apps.run", "trade strategies on paper or live"),
    "reconcile": ("veloz.apps.reconcile", "compare a run with the venue"),
    "data": ("veloz.apps.data", "import, list, check and make market data"),
    "report": ("veloz.apps.report", "write the report of a run"),
    "verify": ("veloz.apps.verify", "run again elsewhere and name the first difference"),
    "explain": ("veloz.apps.explain", "say why a run traded, or did not"),
    "journal": ("veloz.apps.journal", "list, follow and check the journal of a run"),
    "exchange": ("veloz.apps.exchange", "serve a simulated Binance on this host"),
    "dst": ("veloz.apps.dst", "run a whole system under faults, from seeds"),
    "bench": ("veloz.apps.bench", "measure the speed of this machine"),
    "doctor": ("veloz.apps.doctor", "look at this installation and say what to do"),
    "demo": ("veloz.apps.demo", "trade real recorded data, offline"),
}

OK = 0
INTERNAL = 6
INTERRUPTED = 130  # as a shell reports it: 128 + SIGINT
PIPE_CLOSED = 141  # 128 + SIGPIPE

# What a script can branch on; docs/cli.md shows the same table. The first class that fits counts.
EXIT_CODES: tuple[tuple[type[VelozError], int], ...] = (
    (CheckFailed, 1),
    (UsageError, 2),
    (ConfigError, 3),
    (DataError, 4),
    (FeedError, 4),
    (StrategyError, 5),
    (OrderError, 5),
)

EPILOG = """\
exit codes:
  0 done   1 a check failed   2 usage   3 configuration   4 data   5 strategy   6 internal

start here:  veloz demo        then:  veloz new my_strategy
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line.

    Args:
        argv: The words after `veloz`; the process's own by default.

    Returns:
        The exit code, as in `EXIT_CODES`; 0 when all went well.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            code = _run(words)
        finally:  # --help leaves by SystemExit, and a closed pipe must show here as well
            sys.stdout.flush()
    except VelozError as error:
        return _report(error, _exit_code(error), words)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except Exception as error:
        return _report(_translated(error), _exit_code(_translated(error)), words, cause=error)
    return code


def _run(words: list[str]) -> int:
    verb = next((word for word in words if not word.startswith("-")), None)
    parser = _parser(verb)
    args, strange = parser.parse_known_args(words)
    if strange:
        raise UsageError(
            f"unrecognized arguments: {' '.join(strange)}",
            hint=_near_option(_parser_of(parser, words), strange[0]),
        )
    if args.verb is None:
        parser.print_help()
        return OK
    return import_module(VERBS[args.verb][0]).run(args)


def _parser(verb: str | None) -> argparse.ArgumentParser:
    """The whole command line, with the arguments of `verb` only: the rest stay unimported."""
    parser = _Parser(
        prog="veloz",
        description="Backtest, paper and live trading of one strategy file.",
        epilog=EPILOG,
        formatter_class=_Formatter,
    )
    parser.add_argument("--version", action="version", version=f"veloz {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for name, (module, help_line) in VERBS.items():
        if name == verb:
            import_module(module).add_parser(verbs)
        else:
            verbs.add_parser(name, help=help_line)
    return parser


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Leaves room for the longest verb, whose indentation argparse does not count."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = max(map(len, VERBS)) + 4


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing, so that a usage error takes the one way out."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(
            message, hint=_near_choice(message, self.prog) or f"see {self.prog} --help"
        )


def _near_choice(message: str, prog: str) -> str:
    """A near name for a mistyped verb or choice; empty if argparse says something else."""
    said, wrong, choices = message.partition(": invalid choice: ")
    if not wrong:
        return ""
    from difflib import get_close_matches  # only needed on this path

    word, *known = choices.split("'")[1::2]
    near = get_close_matches(word, known, n=1)
    option = said.removeprefix("argument ").split("/")[-1]
    path = f"{prog} {option}" if option.startswith("-") else prog
    return f"did you mean: {path} {near[0]}" if near else ""


def _parser_of(parser: argparse.ArgumentParser, words: list[str]) -> argparse.ArgumentParser:
    """The parser of the last verb that the words name."""
    for word in words:
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction) and word in action.choices:
                parser = action.choices[word]
                break
    return parser


def _near_option(parser: argparse.ArgumentParser, word: str) -> str:
    from difflib import get_close_matches  # only needed on this path

    options = list(parser._option_string_actions)
    near = get_close_matches(word.partition("=")[0], options, n=1)
    return f"did you mean: {parser.prog} {near[0]}" if near else f"see {parser.prog} --help"


def _exit_code(error: VelozError) -> int:
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), INTERNAL)


def _translated(error: Exception) -> VelozError:
    """An exception that no verb expected, as a sentence."""
    if isinstance(error, OSError) and error.filename is not None:
        return DataError(
            f"{error.filename}: {(error.strerror or type(error).__name__).lower()}",
            hint="check the path, the permissions and the room on the disk",
        )
    if "No space left on device" in str(error):
        return DataError("the disk is full: nothing was written", hint="make room and run it again")
    if isinstance(error, MemoryError):
        return DataError("not enough memory", hint="choose a shorter range or fewer symbols")
    return VelozError(
        f"unexpected {type(error).__name__}: {error} ({_place(error)})",
        hint="this is a fault of VeloZ; VELOZ_DEBUG=1 shows where, please report it",
    )


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "at an unknown place"
    code = trace.tb_frame.f_code
    return f"{os.path.basename(code.co_filename)}:{trace.tb_lineno}"  # noqa: PTH119 - pathlib is slow to load


def _report(error: VelozError, code: int, words: list[str], cause: Exception | None = None) -> int:
    if os.environ.get("VELOZ_DEBUG") == "1":
        raise cause or error
    message = " ".join(str(error).split())
    if "--json" in words:
        import json  # only needed on this path

        kind = type(error).__name__
        shape = {"error": {"kind": kind, "message": message, "hint": error.hint, "code": code}}
        print(json.dumps(shape))
        return code
    print(f"error: {message}", file=sys.stderr)
    if error.hint:
        print(f"hint:  {error.hint}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
