"""Paper: whose margin is used up, by the maintenance margin that the user states."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.runtime.test_in_memory import churn
from tests.runtime.world import Place
from veloz.errors import ConfigError

SYMBOL = "binance:BTC/USDT:USDT"


def run(place: Place, **words: Any) -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        async with place.open():
            settings = place.settings(
                "paper", churn("usdm"), balance={"USDT": Decimal(400)}, **words
            )
            return await place.trade_for(settings, 10.0)

    return place.world.run(main())


TAKEN = [f"liquidation of {SYMBOL} by the venue"]


@pytest.mark.parametrize(
    ("maintenance", "taken"),
    [({"": "0.9"}, TAKEN), ({SYMBOL: "0.9"}, TAKEN), ({SYMBOL: "0", "": "0.9"}, []), ({}, [])],
)
def test_a_paper_position_is_taken_over_at_the_maintenance_margin_that_is_stated(
    maintenance: dict[str, str], taken: list[str]
) -> None:
    rates = {symbol: Decimal(rate) for symbol, rate in maintenance.items()}
    outcome = run(Place(141), leverage={"": 10}, maintenance=rates)
    assert outcome["fills"] >= 2
    assert outcome["frozen"] == taken
    assert (Decimal(outcome["balances"]["usdm"]["USDT"]) < 1) == bool(taken)


@pytest.mark.parametrize("what", ["leverage", "maintenance"])
def test_a_symbol_that_nobody_trades_is_refused(what: str) -> None:
    with pytest.raises(ConfigError, match=rf"{what} is given for binance:BTC/USD:USDT, which no"):
        run(Place(142), **{what: {"binance:BTC/USD:USDT": 1}})
