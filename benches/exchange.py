"""Order operations of the simulated exchange a second: `python benches/exchange.py`."""

from __future__ import annotations

import random
import time
from decimal import Decimal

from veloz.exchange import Exchange, Market, OrderKey, OrderRequest, OrderType, Side, listings

OPERATIONS = 6_000
START = 1_700_000_000 * 10**9


def run(market: Market, symbol: str, qty: str) -> float:
    """Operations a second: passive orders, cancels and takers of two accounts."""
    dice = random.Random(1)
    exchange = Exchange(
        [
            listings.spot("BTCUSDT", "BTC", "USDT"),
            listings.usdm("BTCUSDT", "BTC"),
            listings.coinm("BTCUSD_PERP", "BTC"),
        ],
        now_ns=lambda: START,
        random=dice,
    )
    events = 0

    def count(_: object) -> None:
        nonlocal events
        events += 1

    exchange.subscribe(count)
    for name in "ab":
        exchange.open_account(name)
        for money, asset in ((Market.SPOT, "USDT"), (Market.SPOT, "BTC"), (Market.USDM, "USDT")):
            exchange.deposit(name, money, asset, Decimal(10**8))
        exchange.deposit(name, Market.COINM, "BTC", Decimal(10**5))
    if market is not Market.SPOT:
        exchange.set_mark(market, symbol, Decimal(30_000))
    begun = time.process_time()
    done = 0
    resting: list[int] = []
    while done < OPERATIONS:
        side = dice.choice(list(Side))
        offset = Decimal(dice.randint(1, 200)) / 10
        price = Decimal(30_000) - offset * side.sign
        request = OrderRequest(market, symbol, side, OrderType.LIMIT, Decimal(qty), price)
        resting.append(exchange.place("a", request).order_id)
        done += 1
        if len(resting) > 100:
            number = resting.pop(dice.randrange(len(resting)))
            key = OrderKey(market, symbol, number)
            if exchange.order("a", key).status.is_open:
                exchange.cancel("a", key)
                done += 1
        if dice.random() < 0.2:
            taker = OrderRequest(market, symbol, side, OrderType.MARKET, Decimal(qty))
            exchange.place("b", taker)
            done += 1
    rate = done / (time.process_time() - begun)
    print(f"{market.value}: {rate:,.0f} operations a second, {events / done:.1f} events each")
    return rate


if __name__ == "__main__":
    run(Market.SPOT, "BTCUSDT", "0.01")
    run(Market.USDM, "BTCUSDT", "0.01")
    run(Market.COINM, "BTCUSD_PERP", "1")
