"""The Decimal ledger and the rational oracle agree on random scenarios, to the last digit."""

from __future__ import annotations

import pytest
from test_ledger_vectors import run

from oracle.generate import scenario


@pytest.mark.parametrize("seed", range(9_000, 9_030))
def test_both_forms_of_the_rules_agree(seed: int) -> None:
    vector = scenario(seed, count=60)
    assert len(vector["steps"]) > 40
    run(vector)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20_000, 20_700))
def test_both_forms_of_the_rules_agree_for_long(seed: int) -> None:
    run(scenario(seed, count=60))
