"""Every `--json` shape has a schema in docs/, and what the commands print follows it.

A schema is a json block of a page with a "$schema"; its title is its name here. `SHAPES` says which
command line prints it; a schema that is in no list fails, and so does a verb without one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parent.parent.parent
FENCE = re.compile(r"^```json\n(?P<body>.*?)^```$", re.M | re.S)

# title of the schema -> a command line that prints the shape, quick enough for every run
SHAPES = {
    "what every verb prints with --json when it fails": ["new", "Not-A-Name", "--json"],
    "what veloz doctor --json prints": ["doctor", "--json"],
    "what veloz new --json prints": ["new", "my_cross", "--json"],
}
# title -> the test that checks it, where one command line is not enough
CHECKED_ELSEWHERE: dict[str, str] = {
    "what veloz data import --json prints": "tests/storage/test_data_command.py",
    "what veloz data ls --json prints": "tests/storage/test_data_command.py",
    "what veloz data check --json prints": "tests/storage/test_data_command.py",
    "what veloz data head --json prints": "tests/storage/test_data_command.py",
    "what veloz data synth --json prints": "tests/storage/test_data_command.py",
}


def schemas() -> dict[str, dict[str, object]]:
    found = {}
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for block in FENCE.finditer(page.read_text(encoding="utf-8")):
            shape = json.loads(block["body"])
            if isinstance(shape, dict) and "$schema" in shape:
                found[shape["title"]] = shape
    return found


def test_every_schema_is_checked_somewhere() -> None:
    assert set(schemas()) == set(SHAPES) | set(CHECKED_ELSEWHERE)


@pytest.mark.parametrize("title", list(SHAPES))
def test_what_is_printed_follows_its_schema(veloz, title: str) -> None:
    schema = schemas()[title]
    Draft202012Validator.check_schema(schema)
    last_line = veloz(*SHAPES[title]).stdout.splitlines()[-1]
    Draft202012Validator(schema).validate(json.loads(last_line))


@pytest.mark.parametrize("title", list(SHAPES))
def test_the_schema_can_fail(title: str) -> None:
    assert not Draft202012Validator(schemas()[title]).is_valid({"surely": "not this"})
