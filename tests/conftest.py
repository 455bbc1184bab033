"""What every test may ask for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.vector_count import (  # noqa: F401 - hooks that pytest finds by name
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_terminal_summary,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the checkout."""
    return ROOT


@pytest.fixture
def veloz(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the `veloz` command as a user does, in an empty folder.

    A keyword argument is one environment variable. The text of a traceback in either stream is a
    failure, whatever the test looks at.
    """

    def call(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [Path(sys.executable).parent / "veloz", *map(str, words)],
            cwd=tmp_path,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        if variables.get("VELOZ_DEBUG") != "1":
            assert "Traceback" not in ended.stdout + ended.stderr
        return ended

    return call


@pytest.fixture(scope="session")
def long_share() -> float:
    """How much of the heavy figures to do: 1 in `make test-long`, 0.1 in CI."""
    return float(os.environ.get("VELOZ_LONG", "1"))
