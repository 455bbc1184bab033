"""Unmodified public clients trade on the simulated exchange by changing only base addresses.

Each program places, queries, amends and cancels, reads books, streams, fills and balances, and
checks what it is told; here only the end result is looked at.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.conftest import drive

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize(
    ("client", "program", "account"),
    [
        ("ccxt", "with_ccxt.py", 0),
        ("python-binance", "with_python_binance.py", 1),
        ("sdk", "with_sdk.py", 2),
        ("connector", "with_connector.py", 3),
    ],
)
def test_a_public_client_trades_on_all_three_markets(
    venue: dict[str, Any], client: str, program: str, account: int
) -> None:
    told = drive(client, program, venue, account)
    assert set(told) == {"spot", "usdm", "coinm"}
    for market, steps in told.items():
        assert {"placed", "queried", "changed", "canceled", "filled", "streamed"} <= set(steps), (
            market,
            steps,
        )
