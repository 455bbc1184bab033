"""Counts golden vectors by kind: passed, failed, left out.

A test that runs vectors has the marker `vectors`, with the kind as its argument; a skipped one
counts as left out. The counts stand at the end of the run:

    captures: 8 passed, 0 failed, 5 left out
"""

from collections import Counter
from collections.abc import Iterable

import pytest

PROPERTY = "vectors"
OUTCOMES = {"passed": "passed", "failed": "failed", "error": "failed", "skipped": "left out"}


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "vectors(kind): runs golden vectors of this kind")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note the kind on each item, so that its report carries it."""
    for item in items:
        marker = item.get_closest_marker("vectors")
        if marker is not None:
            folder = item.path.parent.name
            place = item.path.stem.removeprefix("test_") if folder == "tests" else folder
            item.user_properties.append((PROPERTY, marker.args[0] if marker.args else place))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line for each kind that ran."""
    for line in lines(
        (kind, outcome)
        for outcome in OUTCOMES
        for report in terminalreporter.stats.get(outcome, [])
        for name, kind in getattr(report, "user_properties", [])
        if name == PROPERTY
    ):
        terminalreporter.write_line(line)


def lines(outcomes: Iterable[tuple[str, str]]) -> list[str]:
    """Return the counts of (kind, outcome) pairs as text, one line a kind."""
    counts: dict[str, Counter[str]] = {}
    for kind, outcome in outcomes:
        counts.setdefault(kind, Counter())[OUTCOMES[outcome]] += 1
    return [
        f"{kind}: {n['passed']} passed, {n['failed']} failed, {n['left out']} left out"
        for kind, n in sorted(counts.items())
    ]
