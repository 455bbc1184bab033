"""Every code block of the documents runs, in the order in which a reader meets it.

A page is one story in one empty folder. The word after the fence says what a block is:

```text
python                   run, with the names of the page's earlier blocks
python file=NAME.py      written to that file, for the blocks that follow
bash                     run by bash; `veloz` is this checkout's
json, toml               must parse
text                     shown to the reader, nothing to run
```

Any other word fails, so that no block can be forgotten. A page may need lines that set up or use
this very machine; these are named in ELSEWHERE with what runs them instead.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("README.md")]
)
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<word>[^\n]*)\n(?P<body>.*?)^(?P=indent)```$", re.M | re.S
)

# A line of a bash block -> what runs it instead. Literal, so that nothing slips through.
ELSEWHERE = {
    "make demo": "continuous integration, from bare; the tests run `veloz demo`",
    "make test": "this is it",
    "make setup": "this test runs in what it made",
    "make check": "continuous integration",
    "make fix": "it rewrites sources",
    "make vectors": "part of `make test`",
    "make bench": "it takes minutes and is not a test",
    "make golden": "it rewrites golden files",
    "make coverage": "it runs this suite",
    "make gen": "continuous integration, which compares",
    "make wheel": "continuous integration",
    "make lock": "it asks a package index",
    "make test-long": "continuous integration, a tenth of it",
    "make": "it lists the tasks",
}


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    word: str
    body: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    blocks = []
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        indent = found["indent"]
        body = re.sub(rf"^{indent}", "", found["body"], flags=re.M)
        blocks.append(Block(page, line, found["word"].strip(), body))
    return blocks


WITH_BLOCKS = [page for page in PAGES if blocks_of(page)]


def test_fences_are_closed() -> None:
    odd = [
        page.name for page in PAGES if len(re.findall(r"^ *```", page.read_text("utf-8"), re.M)) % 2
    ]
    assert odd == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_of(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks_of(page):
        kind, _, option = block.word.partition(" ")
        match kind:
            case "python" if option.startswith("file="):
                compile(block.body, str(block), "exec")
                (tmp_path / option.removeprefix("file=")).write_text(block.body, encoding="utf-8")
            case "python" if not option:
                padding = "\n" * block.line  # so that a failure names the page's own line
                exec(compile(padding + block.body, str(page), "exec"), names)  # noqa: S102
            case "bash" if not option:
                run_in_bash(block, tmp_path)
            case "json" if not option:
                json.loads(block.body)
            case "toml" if not option:
                tomllib.loads(block.body)
            case "text" if not option:
                pass
            case _:
                pytest.fail(f"{block}: what is a block of {block.word!r}?")


def run_in_bash(block: Block, folder: Path) -> None:
    """Runs the lines that nothing else runs; a failure shows what the command said."""
    lines = [
        line for line in block.body.splitlines() if line.split("  #")[0].strip() not in ELSEWHERE
    ]
    bin_folder = str(Path(sys.executable).parent)
    ended = subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail", "-c", "\n".join(lines)],
        cwd=folder,
        env={**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{block}\n{ended.stdout}{ended.stderr}"


LINK = re.compile(r"\[[^\]]*\]\((?!https?:|#|mailto:)(?P<target>[^)#\s]+)")


def test_links_between_documents_lead_somewhere() -> None:
    dead = []
    for page in PAGES:
        for found in LINK.finditer(page.read_text(encoding="utf-8")):
            if not (page.parent / found["target"]).exists():
                dead.append(f"{page.relative_to(ROOT)}: {found['target']}")
    assert dead == []
