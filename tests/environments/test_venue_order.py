"""Recorded depth and trades are replayed in exchange time, whatever the order of their arrival."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from veloz.environments.venue_order import HOLD_NS, in_venue_order
from veloz.storage.kinds import TICK_LAST, TICK_TRADE

MS = 1_000_000


def recording(rows: list[tuple[bool, int]]) -> dict[str, np.ndarray]:
    """Rows of (is a trade, exchange time in ms), a millisecond of arrival apart."""
    prints = np.array([is_trade for is_trade, _ in rows])
    times = np.array([ms * MS for _, ms in rows], dtype=np.int64)
    return {
        "ts_exchange": times,
        "ts_recv": times + 5 * MS,
        "price": np.arange(len(rows), dtype=np.int64),
        "qty": np.ones(len(rows), dtype=np.int64),
        "flags": np.where(prints, TICK_TRADE | TICK_LAST, TICK_LAST).astype(np.int64),
    }


def pieces(rows: dict[str, np.ndarray], size: int) -> Iterator[dict[str, np.ndarray]]:
    for at in range(0, len(rows["price"]), size):
        yield {name: column[at : at + size] for name, column in rows.items()}


def ordered(rows: dict[str, np.ndarray], size: int) -> dict[str, np.ndarray]:
    given_on = list(in_venue_order(pieces(rows, size)))
    return {name: np.concatenate([piece[name] for piece in given_on]) for name in rows}


def test_a_trade_that_arrives_after_younger_depth_goes_before_it() -> None:
    out = ordered(recording([(False, 10), (False, 13), (True, 11), (False, 14)]), size=4)
    assert out["price"].tolist() == [0, 2, 1, 3]
    assert out["ts_exchange"].tolist() == [10 * MS, 11 * MS, 13 * MS, 14 * MS]


def test_it_works_across_pieces() -> None:
    out = ordered(recording([(False, 10), (False, 13), (True, 11), (False, 14)]), size=1)
    assert out["price"].tolist() == [0, 2, 1, 3]


def test_depth_keeps_its_own_order_and_is_told_as_of_then() -> None:
    out = ordered(recording([(False, 13), (False, 10), (False, 14)]), size=3)
    assert out["price"].tolist() == [0, 1, 2]
    assert out["ts_exchange"].tolist() == [13 * MS, 13 * MS, 14 * MS]


def test_a_row_that_arrives_before_it_happened_is_left_for_the_replay_to_refuse() -> None:
    rows = recording([(False, 10), (False, 11)])
    rows["ts_recv"][1] = 10 * MS
    assert ordered(rows, size=2)["ts_recv"][1] == 10 * MS


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 4 * HOLD_NS // MS)), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_nothing_is_lost_and_time_never_goes_back(rows: list[tuple[bool, int]], size: int) -> None:
    whole = recording(rows)
    out = ordered(whole, size)
    assert sorted(out["price"]) == sorted(whole["price"])
    assert np.all(np.diff(out["ts_exchange"]) >= 0)
    assert np.all(out["ts_recv"] >= out["ts_exchange"])
    for is_print in (True, False):
        kept = (out["flags"] & TICK_TRADE != 0) == is_print
        assert np.all(np.diff(out["price"][kept]) > 0)
