"""Many long walks: nothing is raised but refusals, and everything always adds up (O16)."""

from __future__ import annotations

import pytest
from worlds import Walker


@pytest.mark.long
@pytest.mark.parametrize("seed", range(400))
def test_a_long_walk_adds_up(seed: int) -> None:
    walker = Walker(seed)
    for number in range(300):
        walker.step()
        if number % 10 == 0:
            assert walker.world.exchange.imbalance() == {}
    assert walker.world.exchange.imbalance() == {}
