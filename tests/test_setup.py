"""Set-up: quick when there is nothing to do, clear when something is missing."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def make(*words: str, folder: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    of_the_outer_make = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    environment = {k: value for k, value in os.environ.items() if k not in of_the_outer_make}
    return subprocess.run(
        ["make", *words],
        cwd=folder,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def path_with(tmp_path: Path, *programs: str) -> str:
    """A PATH on which there is nothing but these and what a shell needs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in ("bash", "sh", "env", "uname", "cat", "dirname", *programs):
        found = shutil.which(program)
        assert found is not None, program
        # a script of one line, since some programs look at the name they were called by
        (folder / program).write_text(f'#!/bin/sh\nexec "{found}" "$@"\n')
        (folder / program).chmod(0o755)
    return str(folder)


@pytest.mark.timed
def test_a_second_setup_is_done_within_3_s() -> None:
    assert make("setup").returncode == 0
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    again = make("setup")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # processor time: the wall clock would measure the tests that run beside this one
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 3
    assert again.returncode == 0
    assert again.stdout == ""


def test_make_alone_lists_every_task() -> None:
    listed = make().stdout
    for task in ("demo", "test", "test-long", "vectors", "bench", "check", "gen", "wheel"):
        assert f"\n{task} " in f"\n{listed}", task


def test_without_python_it_says_what_to_install(tmp_path: Path) -> None:
    ended = subprocess.run(
        ["/bin/sh", ROOT / "tools" / "find_python.sh"],
        env={"PATH": path_with(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: no Python 3.11 or later on the PATH\n")
    assert "apt install python3" in ended.stderr


def test_a_python_that_was_named_must_fit(tmp_path: Path) -> None:
    ended = make("build", PYTHON=str(tmp_path / "python9"))
    assert ended.returncode != 0
    assert "is not a Python of version 3.11 or later" in ended.stderr


@pytest.mark.timeout(600)
@pytest.mark.long
def test_without_cargo_it_says_what_to_install(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    ended = subprocess.run(
        [shutil.which("make"), "build"],
        cwd=clone,
        env={
            **os.environ,
            "PATH": path_with(tmp_path),
            "PYTHON": str(Path(sys.executable).resolve()),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert "error: no cargo on the PATH" in ended.stderr
    assert "apt install cargo-web rustc-web" in ended.stderr
