"""The stub generator: types come from the first line of a docstring, never from a guess."""

from __future__ import annotations

import ast
import collections
import importlib.util
from datetime import UTC, datetime, timezone
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def stubs():
    spec = importlib.util.spec_from_file_location("stubs", ROOT / "tools" / "generate_stubs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_checked_in_stub_is_what_the_core_says(stubs) -> None:
    assert stubs.main(["--check"]) == 0


def test_every_name_of_the_core_is_in_the_stub(stubs) -> None:
    import veloz._core as core

    tree = ast.parse(stubs.STUB.read_text("utf-8"))
    named = {getattr(node, "name", None) for node in tree.body}
    named |= {node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)}
    public = {name for name in vars(core) if not name.startswith("__")}
    assert public <= named


class Told:
    """Stands for a bound thing: all that the generator reads of one is its name and docstring."""

    def __init__(self, doc: str, text_signature: str = "($self)") -> None:
        self.__doc__ = doc
        self.__text_signature__ = text_signature


@pytest.mark.parametrize(
    ("first", "doc", "line"),
    [
        (
            "self",
            "apply(update: Update) -> None\n\nText.",
            "def apply(self, update: Update) -> None:",
        ),
        ("self", "apply() -> int", "def apply(self) -> int: ..."),
        ("cls", "apply(a: int = 3) -> Self", "def apply(cls, a: int = 3) -> Self: ..."),
        (None, "apply(*, b: str) -> str", "def apply(*, b: str) -> str: ..."),
    ],
)
def test_a_typed_line_becomes_the_signature(stubs, first, doc: str, line: str) -> None:
    made = stubs.Stubs()
    text = made.of_function("Book", "apply", Told(doc), first=first)
    assert text.splitlines()[0] == line
    assert made.untyped == []
    ast.parse(text)


@pytest.mark.parametrize("doc", ["", "Applies it.", "apply(update: ) -> None", "apply(x -> None"])
def test_what_has_no_types_is_any_and_is_named(stubs, doc: str) -> None:
    made = stubs.Stubs()
    text = made.of_function("Book", "apply", Told(doc, "($self, /, update, n=1)"), first="self")
    assert text.splitlines()[0].startswith("def apply(self, update: Any, n: Any=1) -> Any:")
    assert made.untyped == ["Book.apply"]


def test_an_attribute_has_the_type_that_its_line_says(stubs) -> None:
    made = stubs.Stubs({"Level"})
    typed = made.of_attribute("Book", "best", Told("tuple[Level, Level] | None: Both."))
    assert typed == [
        "@property",
        "def best(self) -> tuple[Level, Level] | None:",
        '    """Both."""',
    ]
    assert made.untyped == []


@pytest.mark.parametrize("doc", ["The best.", "Note: it moves.", "The best: both.", "int"])
def test_an_attribute_without_a_known_type_is_any_and_is_named(stubs, doc: str) -> None:
    made = stubs.Stubs()
    assert made.of_attribute("Book", "best", Told(doc))[1] == "def best(self) -> Any:"
    assert made.untyped == ["Book.best"]


def test_a_type_before_the_first_colon_is_the_result(stubs) -> None:
    made = stubs.Stubs({"Decimal"})
    free = Told("Decimal: What may be spent.", "($self, asset)")
    text = made.of_function("Account", "free", free, first="self")
    assert text.splitlines()[0] == "def free(self, asset: Any) -> Decimal:"
    assert made.untyped == []


def test_sections_of_the_docstring_give_types_too(stubs) -> None:
    doc = """Buys.

    Args:
        qty (str | Decimal): How much.
        price: At most.

    Returns:
        int: The order's handle.
    """
    made = stubs.Stubs()
    buy = Told(doc, "($self, qty, price=None, *, why='')")
    assert made.of_function("Port", "buy", buy, first="self").splitlines()[0] == (
        "def buy(self, qty: str | Decimal, price: Any=None, *, why: Any='') -> int:"
    )
    assert made.untyped == []


@pytest.mark.parametrize("kind", [collections.deque, datetime, timezone, KeyError, type(UTC)])
def test_any_compiled_class_gives_valid_python(stubs, kind: type) -> None:
    text = stubs.formatted(stubs.Stubs().of_class(kind.__name__, kind))
    (node,) = ast.parse(text).body
    assert node.name == kind.__name__


def test_quotes_and_backslashes_in_a_docstring_survive(stubs) -> None:
    lines = stubs.docstring('a """quoted""" \\n word')
    assert ast.literal_eval("\n".join(lines)) == 'a """quoted""" \\n word'
