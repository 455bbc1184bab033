"""Damaged input of every kind is read, refused by name, or passed over: no crash, no change.

The seed is fixed, so a failure repeats. `make fuzz SECONDS=60` goes on longer, from other seeds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.catalogue import PARSERS
from tests.fuzz.parser import feed

SEED = 1


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_a_damaged_input_is_read_refused_or_passed_over(name: str, tmp_path: Path) -> None:
    parser = PARSERS[name]
    tally = feed(parser, tmp_path, SEED, rounds=parser.rounds)
    assert tally.inputs == parser.rounds
    assert tally.accepted + tally.ignored + tally.refused == tally.inputs


def test_the_docs_say_how_many_parsers_are_fuzzed() -> None:
    told = (Path(__file__).parents[2] / "docs" / "faults.md").read_text(encoding="utf-8")
    assert f"{len(PARSERS)} parsers are fed damaged input" in told


@pytest.mark.parametrize("market", ["spot", "usdm"])
@pytest.mark.parametrize(
    "body", [b'{"code":-1,"msg":"-0"}', b'{"code":0,"clientOrderId":"x"}', b"{}", b"[]"]
)
def test_a_200_without_an_order_ends_no_doubt(market: str, body: bytes, tmp_path: Path) -> None:
    doubts = PARSERS[f"session.resolve.{market}"].make(tmp_path)
    try:
        assert doubts.read(doubts.corpus[0], 0)
        assert not doubts.read(body, 0)
    finally:
        doubts.close()
