"""The command line: fast to start, one sentence for every mistake, codes that scripts can use."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from veloz import __version__, errors
from veloz.apps import cli

# Each of these costs more than the whole of --help may take.
HEAVY = ("numpy", "duckdb", "rich", "veloz._core", "pyarrow", "polars", "pandas", "asyncio")


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after the statement."""
    program = f"import sys\n{statement}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(ended.stderr.split())


def test_help_loads_nothing_heavy() -> None:
    statement = "from veloz.apps.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert loaded_by(statement) & set(HEAVY) == set()


def test_importing_veloz_loads_nothing_heavy() -> None:
    assert loaded_by("import veloz") & set(HEAVY) == set()


def cpu_s(words: list[object]) -> float:
    """Least processor time of a command, in seconds: what a quiet machine would take.

    The wall clock would measure the other tests that run beside this one.
    """
    took = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(took)


@pytest.mark.timed
def test_help_takes_under_150_ms() -> None:
    assert cpu_s([Path(sys.executable).parent / "veloz", "--help"]) < 0.150


@pytest.mark.timed
def test_importing_veloz_takes_under_100_ms() -> None:
    assert cpu_s([sys.executable, "-c", "import veloz"]) < 0.100


def test_help_names_every_verb(veloz) -> None:
    shown = veloz("--help").stdout
    for verb, (_, line) in cli.VERBS.items():
        assert re.search(rf"^    {verb} +{re.escape(line)}$", shown, re.MULTILINE), verb


def test_version_is_the_packages(veloz) -> None:
    assert veloz("--version").stdout == f"veloz {__version__}\n"


def test_no_verb_shows_the_help(veloz) -> None:
    ended = veloz()
    assert ended.returncode == 0
    assert "verbs:" in ended.stdout


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["docter"], "did you mean: veloz doctor"),
        (["xyzzy"], "see veloz --help"),
        (["doctor", "--jason"], "did you mean: veloz doctor --json"),
        (["doctor", "--xyzzy"], "see veloz doctor --help"),
        (["new"], "see veloz new --help"),
    ],
)
def test_a_usage_error_is_one_sentence_and_a_hint(veloz, words: list[str], hint: str) -> None:
    ended = veloz(*words)
    assert ended.returncode == 2
    assert ended.stdout == ""
    error, told = ended.stderr.splitlines()
    assert error.startswith("error: ")
    assert told == f"hint:  {hint}"


def test_with_json_an_error_is_an_object_on_stdout(veloz) -> None:
    ended = veloz("new", "Bad-Name", "--json")
    assert ended.returncode == 2
    shape = json.loads(ended.stdout)["error"]
    assert shape["kind"] == "UsageError"
    assert shape["code"] == 2
    assert "Bad-Name" in shape["message"]
    assert shape["hint"]


def planted(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Makes `veloz doctor` end with `error`."""

    def run(args: object) -> int:
        raise error

    monkeypatch.setattr("veloz.apps.doctor.run", run)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.CheckFailed("two runs differ"), 1),
        (errors.UsageError("no"), 2),
        (errors.ConfigError("no"), 3),
        (errors.DataError("no"), 4),
        (errors.SequenceGap("no"), 4),
        (errors.StrategyError("no"), 5),
        (errors.Refused("no"), 5),
        (errors.OutcomeUnknown("a1", waited_s=2.0), 5),
        (errors.VelozError("no"), 6),
        (FileNotFoundError(2, "No such file or directory", "bars.csv"), 4),
        (MemoryError(), 4),
        (KeyError("qty"), 6),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_class_of_error_has_its_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    planted(monkeypatch, error)
    assert cli.main(["doctor"]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert len(shown.err.splitlines()) <= 2


def test_an_unexpected_exception_names_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    planted(monkeypatch, KeyError("qty"))
    cli.main(["doctor"])
    assert re.match(
        r"error: unexpected KeyError: 'qty' \(test_cli\.py:\d+\)\nhint:  .*VELOZ_DEBUG=1",
        capsys.readouterr().err,
    )


def test_debug_lets_the_traceback_through(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, KeyError("qty"))
    monkeypatch.setenv("VELOZ_DEBUG", "1")
    with pytest.raises(KeyError):
        cli.main(["doctor"])


@pytest.mark.parametrize("words", ["--help", "doctor --json", "backtest --help"])
def test_a_closed_pipe_is_no_error(words: str) -> None:
    # the reader waits for nothing and is gone long before the first word is written
    command = f"(sleep 0.05; exec {sys.executable} -m veloz.apps.cli {words}) | true"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert ended.stderr == ""


@pytest.mark.parametrize("verb", list(cli.VERBS))
def test_every_verb_explains_itself(veloz, verb: str) -> None:
    module = cli.VERBS[verb][0]
    if find_spec(module) is None:
        pytest.skip(f"{module} is not merged yet")
    ended = veloz(verb, "--help")
    assert ended.returncode == 0
    assert ended.stdout.startswith(f"usage: veloz {verb}")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["data", "imprt", "x"], "did you mean: veloz data import"),
        (["journal", "verfy", "x"], "did you mean: veloz journal verify"),
        (["backtest", "x.py", "--balanc", "1 USDT", "--leverge", "2"], "veloz backtest --leverage"),
        (["data", "import", "x", "--catalgo", "y"], "did you mean: veloz data import --catalog"),
        (["dst", "run", "--seeds", "1", "--scenario", "tradng"], "--scenario trading"),
    ],
)
def test_a_mistyped_verb_or_option_below_a_verb_gets_a_hint(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    assert hint in capsys.readouterr().err


def test_the_scenarios_are_known_without_the_simulation() -> None:
    from veloz.apps.dst import SCENARIO_NAMES
    from veloz.environments.dst import SCENARIOS

    assert tuple(sorted(SCENARIOS)) == SCENARIO_NAMES
