"""Spot on the exchange: locks, fees, lists, icebergs, changes, queries and public data."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import pytest
from worlds import START, World, d

from veloz.exchange import Exchange, listings
from veloz.exchange.events import (
    BalanceEvent,
    BookChange,
    Execution,
    ListStep,
    OrderEvent,
    OrderListEvent,
    TradePrint,
)
from veloz.exchange.generator import Generator
from veloz.exchange.model import Balance, OrderKey, OrderRequest, Window
from veloz.exchange.words import (
    ExpireReason,
    Market,
    OrderStatus,
    OrderType,
    Refusal,
    Side,
    StpMode,
    TimeInForce,
    Why,
)

SPOT, BTC = Market.SPOT, "BTCUSDT"


@pytest.fixture
def world() -> World:
    return World()


def refuse(why: Why, act: Any, *args: Any, **kwargs: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        act(*args, **kwargs)
    assert caught.value.why is why, caught.value
    return caught.value


def key(number: int | None = None, client_id: str | None = None) -> OrderKey:
    return OrderKey(SPOT, BTC, number, client_id)


def balance(world: World, name: str, asset: str) -> Balance:
    rows = world.exchange.account(name, SPOT).balances
    return next(row for row in rows if row.asset == asset)


def request(side: Side, kind: OrderType, **more: Any) -> OrderRequest:
    return OrderRequest(SPOT, BTC, side, kind, **more)


def test_a_resting_order_locks_and_shows_in_the_depth_of_others(world: World) -> None:
    world.book(SPOT, "29990x1", "30010x1")
    world.events.clear()
    world.limit("a", SPOT, Side.BUY, "0.5", "29995")
    assert balance(world, "a", "USDT").locked == d("14997.5")
    (change,) = world.take(BookChange)
    assert change.bids == ((d(29995), d("0.5")),)
    assert change.first_id == change.previous_id + 1
    (told,) = world.take(BalanceEvent)
    assert told.balances == (balance(world, "a", "USDT"),)
    world.exchange.cancel_all("a", SPOT, BTC)
    assert balance(world, "a", "USDT").locked == 0
    assert world.exchange.depth(SPOT, BTC).bids == ((d(29990), d(1)),)


def test_clients_consume_replayed_liquidity_until_it_is_renewed(world: World) -> None:
    world.book(SPOT, "29990x1", "30010x1 30020x1")
    world.market("a", SPOT, Side.BUY, "1.5")
    assert world.exchange.depth(SPOT, BTC).asks == ((d(30020), d("0.5")),)
    world.book(SPOT, "29990x1", "30010x3 30020x1")
    assert world.exchange.depth(SPOT, BTC).asks == ((d(30010), d(2)), (d(30020), d("0.5")))


def test_a_replayed_trade_fills_the_queue_in_its_order(world: World) -> None:
    world.book(SPOT, "29990x1", "30010x1")
    order = world.limit("a", SPOT, Side.BUY, "0.5", "29990")
    sell = {"buyer_is_maker": True}
    world.exchange.replay_trade(SPOT, BTC, d(29990), d("0.8"), **sell)
    assert world.exchange.order("a", key(order.order_id)).executed_qty == 0
    world.events.clear()
    world.exchange.replay_trade(SPOT, BTC, d(29990), d("0.5"), **sell)
    assert world.exchange.order("a", key(order.order_id)).executed_qty == d("0.3")
    prints = [event.trade.qty for event in world.take(TradePrint)]
    assert sum(prints) == d("0.5")
    world.exchange.replay_trade(SPOT, BTC, d(29980), d(1), **sell)
    fills = world.exchange.fills("a", SPOT, BTC)
    assert [fill.price for fill in fills] == [d(29990)] * 2
    assert all(fill.is_maker for fill in fills)


def test_fees_in_the_coin_received_or_in_bnb(world: World) -> None:
    world.exchange.replay_trade(SPOT, "BNBUSDT", d(300), d(1), buyer_is_maker=True)
    world.limit("a", SPOT, Side.BUY, "1", "30000")
    world.exchange.set_bnb_fees("b", SPOT, on=True)
    world.market("b", SPOT, Side.SELL, "1")
    (bought,) = world.exchange.fills("a", SPOT)
    (sold,) = world.exchange.fills("b", SPOT)
    assert (bought.fee, bought.fee_asset) == (d("0.001"), "BTC")
    assert (sold.fee, sold.fee_asset) == (d("0.075"), "BNB")
    world.exchange.withdraw("b", SPOT, "BNB", balance(world, "b", "BNB").free)
    world.limit("a", SPOT, Side.BUY, "1", "30000")
    world.market("b", SPOT, Side.SELL, "1")
    assert world.exchange.fills("b", SPOT)[-1].fee_asset == "USDT"
    assert world.exchange.imbalance() == {}


def test_a_rebate_is_a_share_of_the_commission(world: World) -> None:
    world.exchange.set_rebate("b", "c", d("0.2"))
    before = balance(world, "c", "USDT").free
    world.limit("a", SPOT, Side.BUY, "1", "30000")
    world.market("b", SPOT, Side.SELL, "1")
    assert balance(world, "c", "USDT").free == before + d(6)
    assert world.exchange.imbalance() == {}


def test_a_quote_quantity_buys_what_it_can(world: World) -> None:
    world.book(SPOT, "29990x1", "30000x1 30010x1")
    made = request(Side.BUY, OrderType.MARKET, quote_qty=d(45000))
    order = world.exchange.place("a", made)
    assert (order.status, order.executed_qty) == (OrderStatus.FILLED, d("1.49983"))
    assert order.qty == order.executed_qty
    assert order.executed_quote <= d(45000)
    refuse(
        Why.INSUFFICIENT_BALANCE,
        world.exchange.place,
        "a",
        request(Side.BUY, OrderType.MARKET, quote_qty=d(200000)),
    )


def test_an_iceberg_shows_its_tip(world: World) -> None:
    world.limit("a", SPOT, Side.SELL, "1", "30000", iceberg_qty=d("0.4"))
    world.limit("b", SPOT, Side.SELL, "1", "30000")
    assert world.exchange.depth(SPOT, BTC).asks == ((d(30000), d("1.4")),)
    world.market("c", SPOT, Side.BUY, "1")
    by = {n: sum((f.qty for f in world.exchange.fills(n, SPOT)), d(0)) for n in "ab"}
    assert by == {"a": d("0.4"), "b": d("0.6")}
    assert world.exchange.depth(SPOT, BTC).asks == ((d(30000), d("0.8")),)
    (row,) = world.exchange.open_orders("a", SPOT)
    assert row.left == d("0.6")


def test_one_cancels_the_other(world: World) -> None:
    exchange = world.exchange
    exchange.replay_trade(SPOT, BTC, d(30000), d(1), buyer_is_maker=True)
    above = request(Side.SELL, OrderType.LIMIT_MAKER, qty=d(3), price=d(30100))
    below = request(Side.SELL, OrderType.STOP_MARKET, qty=d(3), stop_price=d(29900))
    refuse(Why.LIST_PRICES, exchange.place_oco, "a", replace(above, price=d(29950)), below)
    made, orders = exchange.place_oco("a", above, below)
    assert balance(world, "a", "BTC").locked == d(3)
    assert len(orders) == 2
    world.book(SPOT, "29850x9", "30200x9")
    world.events.clear()
    exchange.replay_trade(SPOT, BTC, d(29900), d(1), buyer_is_maker=True)
    rows = {o.type: o for o in exchange.all_orders("a", SPOT, BTC)}
    assert rows[OrderType.STOP_MARKET].status is OrderStatus.FILLED
    assert rows[OrderType.LIMIT_MAKER].expire_reason is ExpireReason.OCO_TRIGGER
    assert exchange.order_list("a", list_id=made.list_id).is_done
    assert [event.step for event in world.take(OrderListEvent)] == [ListStep.DONE]
    assert balance(world, "a", "BTC").locked == 0


def test_canceling_one_order_of_a_list_cancels_the_list(world: World) -> None:
    exchange = world.exchange
    above = request(Side.SELL, OrderType.LIMIT_MAKER, qty=d(3), price=d(30100))
    below = request(Side.SELL, OrderType.STOP_MARKET, qty=d(3), stop_price=d(29900))
    _, orders = exchange.place_oco("a", above, below)
    exchange.cancel("a", key(orders[0].order_id))
    assert exchange.open_orders("a", SPOT) == []
    made, _ = exchange.place_oco("a", above, below)
    done, rows = exchange.cancel_list("a", BTC, client_list_id=made.client_list_id)
    assert done.is_done
    assert {row.status for row in rows} == {OrderStatus.CANCELED}


def test_one_triggers_the_other(world: World) -> None:
    exchange = world.exchange
    first = request(Side.BUY, OrderType.LIMIT, qty=d(1), price=d(29000))
    then = request(Side.SELL, OrderType.LIMIT, qty=d("0.999"), price=d(31000))
    exchange.place_oto("a", first, [then])
    states = [order.status for order in exchange.open_orders("a", SPOT)]
    assert states == [OrderStatus.NEW, OrderStatus.PENDING_NEW]
    world.market("b", SPOT, Side.SELL, "1")
    (row,) = exchange.open_orders("a", SPOT)
    assert (row.status, row.side) == (OrderStatus.NEW, Side.SELL)
    assert exchange.depth(SPOT, BTC).asks == ((d(31000), d("0.999")),)
    exchange.place_oto("c", first, [then])
    exchange.cancel_all("c", SPOT, BTC)
    assert exchange.open_orders("c", SPOT) == []


def test_a_triggered_stop_without_coins_expires(world: World) -> None:
    exchange = world.exchange
    exchange.replay_trade(SPOT, BTC, d(30000), d(1), buyer_is_maker=True)
    stop = request(Side.BUY, OrderType.STOP_MARKET, qty=d(6), stop_price=d(30100))
    order = exchange.place("a", stop)
    world.book(SPOT, "30000x1", "90000x9")
    exchange.replay_trade(SPOT, BTC, d(30100), d(1), buyer_is_maker=False)
    found = exchange.order("a", key(order.order_id))
    assert found.expire_reason is ExpireReason.INSUFFICIENT_FUNDS
    assert balance(world, "a", "USDT").locked == 0


def test_a_trailing_stop_of_spot(world: World) -> None:
    exchange = world.exchange
    exchange.replay_trade(SPOT, BTC, d(30000), d(1), buyer_is_maker=True)
    stop = request(Side.SELL, OrderType.STOP_MARKET, qty=d(1), trailing_delta=100)
    order = exchange.place("a", stop)
    refuse(Why.TRAILING_DELTA, exchange.place, "a", replace(stop, trailing_delta=5))
    world.book(SPOT, "30000x9", "31000x9")
    for price in (30500, 30200):
        exchange.replay_trade(SPOT, BTC, d(price), d("0.1"), buyer_is_maker=False)
    assert exchange.order("a", key(order.order_id)).status is OrderStatus.NEW
    exchange.replay_trade(SPOT, BTC, d("30195"), d("0.1"), buyer_is_maker=False)
    assert exchange.order("a", key(order.order_id)).status is OrderStatus.FILLED


def test_cancel_replace_says_how_each_part_went(world: World) -> None:
    exchange = world.exchange
    order = world.limit("a", SPOT, Side.BUY, "1", "29000")
    new = request(Side.BUY, OrderType.LIMIT, qty=d(2), price=d(29100))
    gone, placed = exchange.cancel_replace("a", key(order.order_id), new)
    assert (gone.status, placed.status) == (OrderStatus.CANCELED, OrderStatus.NEW)
    both = refuse(Why.REPLACE_BOTH_FAILED, exchange.cancel_replace, "a", key(1), new)
    assert isinstance(both.cancel, Refusal)
    assert both.place is None
    half = refuse(
        Why.REPLACE_PLACE_FAILED,
        exchange.cancel_replace,
        "a",
        key(placed.order_id),
        replace(new, qty=d(99)),
    )
    assert not isinstance(half.cancel, Refusal)
    assert isinstance(half.place, Refusal)
    other = refuse(
        Why.REPLACE_CANCEL_FAILED,
        exchange.cancel_replace,
        "a",
        key(1),
        new,
        stop_on_failure=False,
    )
    assert not isinstance(other.place, Refusal)


def test_reducing_keeps_the_place_and_changes_the_client_id(world: World) -> None:
    exchange = world.exchange
    first = world.limit("a", SPOT, Side.BUY, "1", "29000", client_order_id="mine")
    world.limit("b", SPOT, Side.BUY, "1", "29000")
    world.events.clear()
    order, change = exchange.reduce("a", key(client_id="mine"), d("0.4"))
    assert change.old_client_order_id == "mine"
    assert order.client_order_id != "mine"
    assert exchange.amendments("a", key(first.order_id)) == [change]
    assert [e.execution for e in world.take(OrderEvent)] == [Execution.REPLACED]
    assert balance(world, "a", "USDT").locked == d(11600)
    world.market("c", SPOT, Side.SELL, "0.5")
    assert [f.qty for f in exchange.fills("a", SPOT)] == [d("0.4")]
    refuse(Why.UNKNOWN_ORDER, exchange.reduce, "a", key(first.order_id), d("0.3"))


def test_prevention_is_recorded(world: World) -> None:
    world.limit("a", SPOT, Side.SELL, "1", "30000")
    order = world.limit("a", SPOT, Side.BUY, "0.4", "30000", stp_mode=StpMode.DECREMENT)
    assert (order.status, order.prevented_qty) == (OrderStatus.EXPIRED_IN_MATCH, d("0.4"))
    (match,) = world.exchange.prevented_matches("a", BTC)
    assert (match.taker_order_id, match.maker_qty) == (order.order_id, d(1))
    (row,) = world.exchange.open_orders("a", SPOT)
    assert row.left == d("0.6")
    assert balance(world, "a", "BTC").locked == d("0.6")
    assert balance(world, "a", "USDT").locked == 0


def test_the_first_broken_rule_names_the_refusal(world: World) -> None:
    exchange = world.exchange
    exchange.replay_trade(SPOT, BTC, d(30000), d(1), buyer_is_maker=True)
    good = request(Side.BUY, OrderType.LIMIT, qty=d(1), price=d(29000))
    cases = [
        (Why.UNKNOWN_SYMBOL, {"symbol": "NOPE"}),
        (Why.BAD_REQUEST, {"price": None}),
        (Why.BAD_REQUEST, {"qty": d(-1)}),
        (Why.PRICE_TICK, {"price": d("29000.001")}),
        (Why.LOT_STEP, {"qty": d("0.000015")}),
        (Why.LOT_MAX, {"qty": d(9001)}),
        (Why.MIN_NOTIONAL, {"qty": d("0.0001")}),
        (Why.PERCENT_PRICE, {"price": d(5000)}),
        (Why.UNSUPPORTED_TIF, {"tif": TimeInForce.GTX}),
        (Why.INSUFFICIENT_BALANCE, {"qty": d(100)}),
        (Why.UNSUPPORTED_TYPE, {"type": OrderType.TRAILING_STOP}),
    ]
    for why, change in cases:
        refuse(why, exchange.place, "a", replace(good, **change))
        refuse(why, exchange.check, "a", replace(good, **change))
    refuse(Why.UNKNOWN_ACCOUNT, exchange.place, "nobody", good)
    assert exchange.all_orders("a", SPOT, BTC) == []
    exchange.check("a", good)
    assert exchange.all_orders("a", SPOT, BTC) == []
    named = replace(good, client_order_id="x")
    exchange.place("a", named)
    refuse(Why.DUPLICATE_CLIENT_ID, exchange.place, "a", named)
    exchange.cancel("a", key(client_id="x"))
    exchange.place("a", named)


def test_a_batch_goes_on_after_a_refusal(world: World) -> None:
    good = request(Side.BUY, OrderType.LIMIT, qty=d(1), price=d(29000))
    answers = world.exchange.place_batch("a", [replace(good, qty=d(999)), good])
    assert isinstance(answers[0], Refusal)
    assert not isinstance(answers[1], Refusal)


def test_candles_are_built_from_the_trades(world: World) -> None:
    exchange = world.exchange
    for price, wait in ((30000, 0), (30100, 10), (29900, 20), (30050, 95)):
        world.now = START + wait * 10**9
        exchange.replay_trade(SPOT, BTC, d(price), d(1), buyer_is_maker=price > 30000)
    rows = exchange.klines(SPOT, BTC, "1m", Window(limit=10))
    assert [(row.open, row.close, row.trades) for row in rows if row.trades] == [
        (d(30000), d(29900), 3),
        (d(30050), d(30050), 1),
    ]
    (hour,) = exchange.klines(SPOT, BTC, "1h")
    assert (hour.open, hour.high, hour.low, hour.close) == (
        d(30000), d(30100), d(29900), d(30050),
    )  # fmt: skip
    assert (hour.volume, hour.taker_buy_volume, hour.trades) == (d(4), d(2), 4)
    assert hour.first_trade_id == 1
    assert hour.last_trade_id == 4
    for interval in ("1s", "3m", "1d", "3d", "1w", "1M"):
        assert sum(row.trades for row in exchange.klines(SPOT, BTC, interval)) == 4
    assert [row.trade_id for row in exchange.trades(SPOT, BTC, Window(from_id=3))] == [3, 4]
    assert exchange.average_price(SPOT, BTC) == d("30012.5")
    world.now += 4 * 60 * 10**9
    assert exchange.average_price(SPOT, BTC) == d(30050)
    world.now += 3600 * 10**9
    assert exchange.average_price(SPOT, BTC) == d(30050)


def test_candles_without_trades_repeat_the_close() -> None:
    world = World()
    exchange = world.exchange
    for minute in (0, 7, 500):
        world.now = START + minute * 60 * 10**9
        exchange.replay_trade(SPOT, BTC, d(30000 + minute), d(1), buyer_is_maker=False)
    rows = exchange.klines(SPOT, BTC, "1m", Window(limit=5))
    assert [(row.open, row.trades) for row in rows] == [(d(30007), 0)] * 4 + [(d(30500), 1)]
    assert len(exchange.klines(SPOT, BTC, "1m", Window(limit=1000))) == 501
    started = exchange.klines(SPOT, BTC, "1m", Window(start_ns=START + 60 * 10**9, limit=7))
    assert [row.close for row in started] == [d(30000)] * 5 + [d(30007)] * 2
    for first, second in itertools.pairwise(rows):
        assert second.open_ns == first.close_ns + 1


def test_a_receiver_may_call_back_and_hears_of_it_later(world: World) -> None:
    seen: list[str] = []

    def answer(event: Any) -> None:
        if isinstance(event, OrderEvent):
            seen.append(f"{event.account} {event.execution.value}")
            if event.account == "a" and event.execution is Execution.NEW:
                world.limit("b", SPOT, Side.SELL, "1", "29000")

    stop = world.exchange.subscribe(answer)
    world.limit("a", SPOT, Side.BUY, "1", "29000")
    assert seen == ["a NEW", "b NEW", "a TRADE", "b TRADE"]
    stop()
    world.limit("a", SPOT, Side.BUY, "1", "28000")
    assert len(seen) == 4


def test_a_generated_market_is_alive_and_repeats_itself() -> None:
    def run() -> list[str]:
        world = World(money=False)
        made = [
            Generator(world.exchange, market, symbol, d(30000), random=random.Random(5))
            for market, symbol in ((SPOT, BTC), (Market.USDM, BTC), (Market.COINM, "BTCUSD_PERP"))
        ]
        for _ in range(200):
            world.now += 10**8
            for generator in made:
                generator.step()
        assert isinstance(world.exchange, Exchange)
        for generator in made:
            ticker = world.exchange.book_ticker(generator.market, generator.symbol)
            assert d(25000) < ticker.bid < ticker.ask < d(35000)
            assert len(world.exchange.trades(generator.market, generator.symbol)) > 60
        return [repr(event) for event in world.events]

    first = run()
    assert first == run()
    assert len(first) > 1500


def test_listings_to_begin_with_are_admitted() -> None:
    made = [
        listings.spot("ETHUSDT", "ETH", "USDT", step="0.0001"),
        listings.usdm("ETHUSDT", "ETH", tick="0.01"),
        listings.coinm("ETHUSD_PERP", "ETH", tick="0.01", face="10"),
    ]
    exchange = Exchange(made, now_ns=lambda: START, random=random.Random(1))
    assert [exchange.listings(market) for market in Market] == [(row,) for row in made]
