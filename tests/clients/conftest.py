"""The simulated exchange as a process, and public clients in environments of their own."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="session")
def venue() -> Iterator[dict[str, Any]]:
    """What `veloz exchange --json` printed; it runs until the tests are done."""
    words = [sys.executable, "-m", "veloz.apps.cli", "exchange", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*words, "--accounts", "4", "--seed", "7", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "veloz exchange ended before it was ready"
    yield json.loads(line)
    process.terminate()
    assert process.wait(timeout=20) == 0
    process.stdout.close()


def environment(name: str) -> Path:
    """The interpreter of a client's environment, made from its lock if it is not there.

    Skips with pip's own words if the package index cannot be reached.
    """
    home = ROOT / "build" / "clients" / name
    python = home / "bin" / "python"
    lock = ROOT / "requirements" / f"clients-{name}.lock"
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / f"{name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # several test processes, one installation
        stamp = home / "installed"
        if stamp.exists() and stamp.read_text() == lock.read_text():
            return python
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        words = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r"]
        done = subprocess.run(
            [*words, str(lock)], capture_output=True, text=True, check=False, timeout=600
        )
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["pip gave no reason"]
            if any(
                word in done.stderr for word in ("NewConnectionError", "No matching", "resolve")
            ):
                pytest.skip(f"package index not reached for {name}: {last[0]}")
            pytest.fail(f"pip could not install {name}: {last[0]}")
        stamp.write_text(lock.read_text())
    return python


def drive(client: str, program: str, venue: dict[str, Any], account: int) -> dict[str, Any]:
    """Runs a program in a client's environment against one account; returns what it printed."""
    python = environment(client)
    given = {**venue, "account": venue["accounts"][account]}
    done = subprocess.run(
        [str(python), str(PROGRAMS / program)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={"PATH": os.environ.get("PATH", ""), "HOME": str(ROOT / "build")},
    )
    assert done.returncode == 0, f"{program}:\n{done.stdout[-1500:]}\n{done.stderr[-4000:]}"
    return json.loads(done.stdout.strip().splitlines()[-1])
