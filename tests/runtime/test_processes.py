"""The commands over loopback: a run that is killed, goes on, is stopped, and reconciles."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
STRATEGY = str(Path(__file__).parent / "strategies.py") + ":Churn"


class Commands:
    """`veloz …` with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "VELOZ_HOME": str(folder / "home")}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "veloz.apps.cli", *words],
            cwd=self.folder,
            env=self.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Exit code, and the last line of stdout as JSON."""
        ended = self.start(*words)
        out, err = ended.communicate(timeout=60)
        assert "Traceback" not in err, err
        return ended.returncode, json.loads(out.splitlines()[-1])


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[tuple[Commands, str]]:
    """The simulated exchange as a process, and a key file for its first account."""
    commands = Commands(tmp_path)
    serving = commands.start("exchange", "--json", "--rate", "10")
    assert serving.stdout is not None
    line = serving.stdout.readline()
    account = json.loads(line)["accounts"][0]
    key = tmp_path / "key.toml"
    key.write_text(
        'venue = "binance"\nenvironment = "simulated"\n'
        f'api_key = "{account["api_key"]}"\nsecret = "{account["secret"]}"\n',
        encoding="utf-8",
    )
    key.chmod(0o600)
    yield commands, line
    serving.terminate()
    serving.communicate(timeout=20)


def follows(name: str, shape: dict[str, Any]) -> None:
    """Checks a shape against its schema."""
    text = (SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8")
    Draft202012Validator(json.loads(text)).validate(shape)


def until(run: subprocess.Popen[str], event: str, count: int = 1) -> None:
    """Reads events until one has come so often."""
    assert run.stdout is not None
    last = ""
    for line in run.stdout:
        last = line
        if json.loads(line).get("event") == event:
            count -= 1
            if count == 0:
                return
    raise AssertionError(f"the run ended before {event}: {last} {run.communicate()[1]}")


def test_a_live_run_is_killed_goes_on_is_stopped_and_reconciles(
    venue: tuple[Commands, str],
) -> None:
    commands, line = venue
    words = (
        "run", STRATEGY, "--env", "live", "--live", "--yes", "--account", "key.toml",
        "--simulated", line, "--set", "step=300", "--folder", "runs/one", "--json",
        "--policy", "os",
    )  # fmt: skip
    first = commands.start(*words)
    until(first, "started")
    time.sleep(2.0)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = commands.start(*words)
    until(second, "recovered")
    until(second, "started")
    time.sleep(2.0)
    second.send_signal(signal.SIGTERM)
    out, err = second.communicate(timeout=90)
    for line_of_json in out.splitlines():
        follows("run", json.loads(line_of_json))
    ended = json.loads(out.splitlines()[-1])
    assert (second.returncode, ended["event"]) == (0, "ended"), out
    assert ended["differences"] == []
    assert ended["fills"] > 4
    assert ended["collections_on_path"] == 0
    assert "Traceback" not in err
    code, found = commands.run(
        "reconcile", "--account", "key.toml", "--simulated", line, "--folder", "runs/one", "--json"
    )
    follows("reconcile", found)
    assert (code, found["differences"]) == (0, [])
    assert found["sequence"] >= ended["sequence"]


def test_a_paper_run_verifies_in_another_process(venue: tuple[Commands, str]) -> None:
    commands, line = venue
    code, ended = commands.run(
        "run", STRATEGY, "--env", "paper", "--simulated", line, "--set", "step=200",
        "--for", "4s", "--folder", "runs/paper", "--json", "--spin",
    )  # fmt: skip
    assert (code, ended["event"]) == (0, "ended")
    assert ended["fills"] > 4
    code, law = commands.run("verify", "runs/paper", "--json")
    follows("verify-paper", law)
    assert (code, law["equal"], law["difference"]) == (0, True, None)
    assert law["recovered"] == law["verified"] == ended["state_hash"]
    assert law["batches"] == ended["sequence"]


def test_an_exchange_that_never_sleeps_serves_and_ends(tmp_path: Path) -> None:
    serving = Commands(tmp_path).start("exchange", "--json", "--spin", "--rate", "0")
    assert serving.stdout is not None
    base = json.loads(serving.stdout.readline())["spot"]["rest"]
    began_s = cpu_s(serving.pid)
    with urllib.request.urlopen(f"{base}/api/v3/ping", timeout=10) as answer:  # noqa: S310
        assert answer.read() == b"{}"
    time.sleep(1.0)
    assert cpu_s(serving.pid) > began_s + 0.1  # nobody asks it anything, and it works
    serving.terminate()
    _, err = serving.communicate(timeout=20)
    assert (serving.returncode, err) == (0, "")


def cpu_s(pid: int) -> float:
    """CPU that a process has had, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


MISTAKES = [
    (("--env", "live"), 2, "add --live"),
    (("--env", "live", "--live"), 2, "--account"),
    (("--env", "live", "--live", "--account", "nowhere.toml"), 3, "0600"),
    (("--env", "paper", "--simulated", "{}"), 3, "exchange"),
    (("--env", "paper", "--for", "soon"), 2, "30s"),
    (("--env", "paper", "--set", "speed"), 3, "--set"),
]


@pytest.mark.parametrize(("words", "code", "hint"), MISTAKES)
def test_a_mistake_is_one_sentence_and_a_hint(
    tmp_path: Path, words: tuple[str, ...], code: int, hint: str
) -> None:
    ended, told = Commands(tmp_path).run("run", STRATEGY, *words, "--json")
    assert ended == code
    assert hint in told["error"]["hint"]
