"""What a person is shown before a run goes on: whose the open orders are."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from typing import Any

import pytest

from tests.runtime.test_in_memory import FILE, SYMBOLS
from tests.runtime.world import Place
from veloz.apps.run import plan_text
from veloz.environments.trading.lifetime import Stop
from veloz.environments.trading.settings import Seat
from veloz.errors import ConfigError
from veloz.exchange.model import OrderRequest
from veloz.exchange.words import Market, OrderType, Side, TimeInForce
from veloz.net.simulated import PowerLost


def by_hand(place: Place, market: Market) -> None:
    """An order of somebody else, far from the market."""
    place.exchange.place(
        place.owner,
        OrderRequest(
            market=market,
            symbol="BTCUSDT",
            side=Side.BUY,
            type=OrderType.LIMIT,
            qty=Decimal("0.01"),
            price=Decimal(50_000),
            tif=TimeInForce.GTC,
            client_order_id="web_mine",
        ),
    )


@pytest.mark.parametrize(("market", "own"), [("spot", 1), ("usdm", 2)])
def test_the_plan_tells_own_orders_from_those_of_others(market: str, own: int) -> None:
    place = Place(131)
    host = place.world.host("engine")
    plans: list[dict[str, Any]] = []

    def look(plan: dict[str, Any]) -> bool:
        plans.append(plan)
        return False

    async def main() -> None:
        async with place.open():
            symbol, _, qty = SYMBOLS[market]
            words = {"symbol": symbol, "qty": qty, "has_stop": own - 1}
            settings = place.settings("live", Seat(f"{FILE}:Waiting", words))
            for _ in range(2):  # orders of every start are the run's own, not those of the last
                first = asyncio.create_task(place.trade(settings, place.boot(), Stop()))
                await asyncio.sleep(15.0)
                host.kill()
                first.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception, PowerLost):
                    await first
            by_hand(place, Market(market))
            with pytest.raises(ConfigError, match="not confirmed"):
                await place.trade(settings, place.boot(), Stop(), confirm=look)

    place.world.run(main())
    (plan,) = plans
    seen = plan["accounts"][market]
    # each start of the strategy gives its orders anew
    assert seen["own_orders"] == {"BTCUSDT": 2 * own}
    assert seen["open_orders"] == {"BTCUSDT": 1}
    lines = [line.strip() for line in plan_text(plan).splitlines()]
    assert f"goes on with {2 * own} open orders of BTCUSDT" in lines
    assert "1 open orders of BTCUSDT, shown as external" in lines
