"""Inputs of the benches, small ones, and the scripts as users start them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

BENCHES = Path(__file__).resolve().parents[2] / "benches"


@pytest.fixture(scope="session")
def bench() -> Callable[..., list[dict[str, Any]]]:
    """Runs a script of `benches/` and returns the JSON lines that it printed."""

    def call(script: str, *words: object) -> list[dict[str, Any]]:
        ended = subprocess.run(
            [sys.executable, str(BENCHES / script), *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]

    return call


@pytest.fixture(scope="session")
def small_inputs(
    bench: Callable[..., list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with 3,000 bars, 60,000 L2 rows and 400 frames."""
    folder = tmp_path_factory.mktemp("inputs")
    bench("inputs.py", folder, "--bars", 3_000, "--events", 60_000, "--frames", 400)
    return folder
