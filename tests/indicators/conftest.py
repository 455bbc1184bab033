"""Counts the indicator vectors: `indicators: P passed, F failed, L left out`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

KIND = "indicators"


@pytest.fixture(autouse=True)
def _kind_of_vector(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    """Writes the kind into the JUnit file, from which `make vectors` counts."""
    if request.node.get_closest_marker("vectors"):
        record_property("vectors", KIND)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the count and, with `-rs`, the reasons are above it."""
    count = Counter()
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            properties = dict(getattr(report, "user_properties", []))
            # A skip is reported from the set-up or the call, whichever it was raised in.
            if properties.get("vectors") == KIND and (report.when == "call" or report.skipped):
                count[outcome] += 1
    if count:
        passed, failed, left_out = count["passed"], count["failed"], count["skipped"]
        terminalreporter.write_line(
            f"{KIND}: {passed} passed, {failed} failed, {left_out} left out"
        )
