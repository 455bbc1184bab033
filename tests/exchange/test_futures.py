"""Futures on the exchange: margin, modes, forced closing, funding, delivery, the algo service."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from worlds import HOUR, START, World, d

from veloz.exchange import listings
from veloz.exchange.events import (
    AccountEvent,
    AccountReason,
    AlgoEvent,
    Execution,
    FundingEvent,
    LiquidationPrint,
    MarginCallEvent,
    OrderEvent,
)
from veloz.exchange.model import OrderKey, OrderRequest, Window
from veloz.exchange.words import (
    AlgoStatus,
    IncomeKind,
    MarginType,
    Market,
    OrderStatus,
    OrderType,
    PositionSide,
    PriceMatch,
    Refusal,
    Side,
    SymbolStatus,
    TimeInForce,
    Why,
)

USDM, COINM = Market.USDM, Market.COINM
BTC, BTC_COIN = "BTCUSDT", "BTCUSD_PERP"


@pytest.fixture
def world() -> World:
    made = World()
    for market, symbol in ((USDM, BTC), (COINM, BTC_COIN)):
        made.exchange.set_mark(market, symbol, d("30000"))
    return made


def refuse(why: Why, act: Any, *args: Any, **kwargs: Any) -> None:
    with pytest.raises(Refusal) as caught:
        act(*args, **kwargs)
    assert caught.value.why is why, caught.value


def open_pair(world: World, qty: str, price: str = "30000") -> None:
    """a is long and b is short."""
    world.limit("a", USDM, Side.BUY, qty, price)
    world.market("b", USDM, Side.SELL, qty)


def test_two_clients_trade_by_price_and_time(world: World) -> None:
    world.limit("a", USDM, Side.BUY, "0.1", "29999")
    world.limit("b", USDM, Side.BUY, "0.1", "30000")
    world.limit("a", USDM, Side.BUY, "0.1", "30000")
    world.market("c", USDM, Side.SELL, "0.15")
    fills = world.exchange.fills("c", USDM, BTC)
    assert [(f.price, f.qty) for f in fills] == [(d(30000), d("0.1")), (d(30000), d("0.05"))]
    assert [f.qty for f in world.exchange.fills("b", USDM)] == [d("0.1")]
    assert [f.qty for f in world.exchange.fills("a", USDM)] == [d("0.05")]
    (position,) = world.exchange.positions("c", USDM)
    assert (position.qty, position.entry_price) == (d("-0.15"), d(30000))
    assert world.exchange.open_interest(USDM, BTC) == d("0.15")


def test_an_order_beyond_the_margin_is_refused(world: World) -> None:
    world.exchange.set_leverage("a", USDM, BTC, 10)
    refuse(Why.INSUFFICIENT_MARGIN, world.limit, "a", USDM, Side.BUY, "6.7", "30000")
    world.limit("a", USDM, Side.BUY, "6.6", "30000")
    refuse(Why.INSUFFICIENT_MARGIN, world.limit, "a", USDM, Side.BUY, "0.1", "30000")
    world.limit("a", USDM, Side.SELL, "6.6", "30010")


def test_leverage_bounds_the_position(world: World) -> None:
    world.exchange.set_leverage("a", USDM, BTC, 125)
    refuse(Why.MAX_LEVERAGE_NOTIONAL, world.limit, "a", USDM, Side.BUY, "2", "30000")
    refuse(Why.BAD_LEVERAGE, world.exchange.set_leverage, "a", USDM, BTC, 126)
    refuse(Why.NO_CHANGE, world.exchange.set_margin_type, "a", USDM, BTC, MarginType.CROSS)


def test_post_only_fok_and_price_match(world: World) -> None:
    world.book(USDM, "29990x1 29980x2", "30010x1 30020x2")
    refuse(Why.WOULD_TAKE, world.limit, "a", USDM, Side.BUY, "1", "30010", tif=TimeInForce.GTX)
    refuse(Why.FOK, world.limit, "a", USDM, Side.BUY, "2", "30010", tif=TimeInForce.FOK)
    request = OrderRequest(
        USDM, BTC, Side.BUY, OrderType.LIMIT, d("0.5"), price_match=PriceMatch.QUEUE
    )
    assert world.exchange.place("a", request).price == d(29990)
    request = OrderRequest(
        USDM, BTC, Side.BUY, OrderType.LIMIT, d("0.5"), price_match=PriceMatch.OPPONENT_5
    )
    assert world.exchange.place("a", request).price == d(30020)


def test_conditional_orders_belong_to_the_algo_service(world: World) -> None:
    exchange = world.exchange
    stop = OrderRequest(
        USDM, BTC, Side.SELL, OrderType.STOP_MARKET, close_position=True, stop_price=d(29000)
    )
    refuse(Why.USE_ALGO, exchange.place, "a", stop)
    open_pair(world, "0.5")
    algo = exchange.place_algo("a", stop)
    refuse(Why.CLOSE_POSITION_EXISTS, exchange.place_algo, "a", stop)
    assert (algo.status, algo.order_id) == (AlgoStatus.NEW, None)
    world.book(USDM, "28990x5", "29010x5")
    world.events.clear()
    exchange.replay_trade(USDM, BTC, d(29000), d(1), buyer_is_maker=True)
    states = [event.algo.status for event in world.take(AlgoEvent)]
    assert states == [AlgoStatus.TRIGGERING, AlgoStatus.TRIGGERED, AlgoStatus.FINISHED]
    done = exchange.algo_order("a", USDM, algo_id=algo.algo_id)
    assert (done.actual_qty, done.actual_price) == (d("0.5"), d(28990))
    assert exchange.positions("a", USDM) == []
    order = exchange.order("a", OrderKey(USDM, BTC, done.order_id))
    assert (order.type, order.original_type) == (OrderType.MARKET, OrderType.STOP_MARKET)
    refuse(Why.UNKNOWN_ORDER, exchange.cancel_algo, "a", USDM, algo_id=algo.algo_id)


def test_a_trailing_stop_arms_and_turns(world: World) -> None:
    exchange = world.exchange
    open_pair(world, "0.5")
    world.book(USDM, "29000x5", "31500x5")
    request = OrderRequest(
        USDM,
        BTC,
        Side.SELL,
        OrderType.TRAILING_STOP,
        d("0.5"),
        callback_rate=d(1),
        activate_price=d(30500),
        reduce_only=True,
    )
    algo = exchange.place_algo("a", request)
    for price in ("30400", "29500", "30600", "31000"):
        exchange.replay_trade(USDM, BTC, d(price), d("0.001"), buyer_is_maker=True)
    assert exchange.algo_order("a", USDM, algo_id=algo.algo_id).is_activated
    assert exchange.positions("a", USDM) != []
    exchange.replay_trade(USDM, BTC, d(30690), d("0.001"), buyer_is_maker=True)
    assert exchange.positions("a", USDM) == []


def test_hedge_mode_is_one_setting_for_both_markets(world: World) -> None:
    exchange = world.exchange
    world.limit("a", COINM, Side.BUY, "1", "29000")
    refuse(Why.OPEN_ORDERS, exchange.set_hedge_mode, "a", on=True)
    exchange.cancel_all("a", COINM, BTC_COIN)
    exchange.set_hedge_mode("a", on=True)
    refuse(Why.POSITION_SIDE, world.limit, "a", USDM, Side.BUY, "0.1", "30000")
    world.book(USDM, "29990x5", "30010x5")
    for side, leg in ((Side.BUY, PositionSide.LONG), (Side.SELL, PositionSide.SHORT)):
        world.market("a", USDM, side, "0.2", position_side=leg)
    legs = {row.position_side: row.qty for row in exchange.positions("a", USDM)}
    assert legs == {PositionSide.LONG: d("0.2"), PositionSide.SHORT: d("-0.2")}
    closing = {"position_side": PositionSide.LONG}
    refuse(Why.REDUCE_ONLY, world.market, "a", USDM, Side.SELL, "0.3", **closing)
    world.market("a", USDM, Side.SELL, "0.2", **closing)
    assert [row.position_side for row in exchange.positions("a", USDM)] == [PositionSide.SHORT]
    refuse(Why.OPEN_POSITIONS, exchange.set_hedge_mode, "a", on=False)


def test_isolated_margin_moves_in_and_out(world: World) -> None:
    exchange = world.exchange
    exchange.set_margin_type("a", USDM, BTC, MarginType.ISOLATED)
    open_pair(world, "1")
    (row,) = exchange.positions("a", USDM)
    assert row.isolated_wallet == d(1500) - d(6)
    exchange.move_margin("a", USDM, BTC, PositionSide.BOTH, d(500))
    (row,) = exchange.positions("a", USDM)
    assert row.isolated_wallet == d(1994)
    refuse(
        Why.INSUFFICIENT_MARGIN,
        exchange.move_margin, "a", USDM, BTC, PositionSide.BOTH, d(-600),
    )  # fmt: skip
    refuse(Why.OPEN_POSITIONS, exchange.set_margin_type, "a", USDM, BTC, MarginType.CROSS)


def test_a_broken_position_is_sold_in_the_book_first(world: World) -> None:
    exchange = world.exchange
    exchange.set_margin_type("a", USDM, BTC, MarginType.ISOLATED)
    open_pair(world, "1")
    (row,) = exchange.positions("a", USDM)
    assert row.liquidation_price is not None
    world.limit("a", USDM, Side.BUY, "0.1", "20000")
    before = exchange.account("a", USDM).wallets[-1].cross_wallet
    world.book(USDM, f"{row.liquidation_price:.1f}x9", "31000x9")
    world.events.clear()
    exchange.set_mark(USDM, BTC, row.liquidation_price - d("0.1"))
    assert exchange.positions("a", USDM) == []
    assert exchange.open_orders("a", USDM) == []
    (printed,) = world.take(LiquidationPrint)
    assert (printed.side, printed.qty) == (Side.SELL, d(1))
    forced = [e for e in world.take(OrderEvent) if e.execution is Execution.CALCULATED]
    assert [e.order.client_order_id.startswith("autoclose-") for e in forced] == [True]
    clearance = exchange.income("a", USDM, kind=IncomeKind.CLEARANCE)
    assert clearance[0].amount < 0
    assert exchange.insurance_fund(USDM, "USDT") == -clearance[0].amount
    assert exchange.account("a", USDM).wallets[-1].cross_wallet >= before
    assert exchange.imbalance() == {}


def test_a_gap_is_paid_by_the_fund_and_then_by_deleveraging(world: World) -> None:
    exchange = world.exchange
    exchange.set_margin_type("a", USDM, BTC, MarginType.ISOLATED)
    exchange.set_leverage("a", USDM, BTC, 20)
    open_pair(world, "1")
    cross = exchange.account("a", USDM).wallets[-1].cross_wallet
    exchange.set_mark(USDM, BTC, d(25000))
    assert exchange.positions("a", USDM) == []
    assert exchange.account("a", USDM).wallets[-1].wallet == cross
    # Nobody bids and the fund has nothing: the winner gives up the position at bankruptcy.
    assert exchange.positions("b", USDM) == []
    adl = exchange.order("b", OrderKey(USDM, BTC, exchange.fills("b", USDM)[-1].order_id))
    assert adl.client_order_id == "adl_autoclose"
    assert exchange.fills("b", USDM)[-1].fee == 0
    assert exchange.imbalance() == {}


def test_a_fund_with_money_takes_the_position_over(world: World) -> None:
    exchange = world.exchange
    exchange.add_insurance(USDM, "USDT", d(100_000))
    exchange.set_margin_type("a", USDM, BTC, MarginType.ISOLATED)
    open_pair(world, "1")
    exchange.set_mark(USDM, BTC, d(25000))
    assert exchange.positions("a", USDM) == []
    assert [row.qty for row in exchange.positions("b", USDM)] == [d(-1)]
    assert exchange.open_interest(USDM, BTC) == d(1)
    assert exchange.imbalance() == {}


def test_a_target_bound_to_a_position_ends_with_it(world: World) -> None:
    exchange = world.exchange
    open_pair(world, "0.5")
    request = OrderRequest(
        USDM,
        BTC,
        Side.SELL,
        OrderType.TAKE_PROFIT_MARKET,
        close_position=True,
        stop_price=d(31000),
        tif=TimeInForce.GTE_GTC,
    )
    algo = exchange.place_algo("a", request)
    world.limit("b", USDM, Side.BUY, "0.5", "30000")
    world.market("a", USDM, Side.SELL, "0.5")
    ended = exchange.algo_order("a", USDM, algo_id=algo.algo_id)
    assert ended.status is AlgoStatus.EXPIRED
    assert exchange.algo_orders("a", USDM, only_open=True) == []


def test_a_jump_of_the_clock_pays_every_missed_funding(world: World) -> None:
    exchange = world.exchange
    open_pair(world, "1")
    exchange.set_funding_rate(USDM, BTC, d("0.0001"))
    world.now += 25 * HOUR
    exchange.advance()
    rows = exchange.income("a", USDM, kind=IncomeKind.FUNDING)
    assert len(rows) == 3
    assert len(exchange.funding_history(USDM, BTC)) == 3


def test_a_large_position_is_reduced_tier_by_tier(world: World) -> None:
    exchange = world.exchange
    exchange.list_symbol(replace(exchange.listing(USDM, BTC), liquidation_fee=d("0.001")))
    exchange.set_leverage("a", USDM, BTC, 10)
    exchange.deposit("b", USDM, "USDT", d(500_000))
    open_pair(world, "6")
    world.book(USDM, "26800x50", "31000x9")
    exchange.set_mark(USDM, BTC, d(26790))
    (row,) = exchange.positions("a", USDM)
    # Down to the floor of its tier, 50,000 of value, and no further.
    assert d("1.8") < row.qty < d("1.9")
    assert exchange.imbalance() == {}


def test_a_margin_call_comes_once(world: World) -> None:
    exchange = world.exchange
    exchange.deposit("b", USDM, "USDT", d(500_000))
    open_pair(world, "6")
    for mark in ("26835", "26830", "26825"):
        exchange.set_mark(USDM, BTC, d(mark))
    assert [event.account for event in world.take(MarginCallEvent)] == ["a"]


def test_funding_moves_from_long_to_short(world: World) -> None:
    exchange = world.exchange
    open_pair(world, "1")
    exchange.set_funding_rate(USDM, BTC, d("0.0001"))
    due = exchange.mark_price(USDM, BTC).next_funding_ns
    assert due % (8 * HOUR) == 0
    world.events.clear()
    world.now = due - 1
    exchange.advance()
    assert world.take(FundingEvent) == []
    world.now = due
    exchange.advance()
    paid = [exchange.income(n, USDM, kind=IncomeKind.FUNDING)[0].amount for n in "ab"]
    assert paid == [d(-3), d(3)]
    reasons = {event.reason for event in world.take(AccountEvent) if event.symbol == BTC}
    assert reasons == {AccountReason.FUNDING_FEE}
    assert exchange.funding_history(USDM, BTC)[-1].rate == d("0.0001")
    exchange.set_funding_rate(USDM, BTC, d(1))
    assert exchange.mark_price(USDM, BTC).funding_rate == d("0.02")


def test_a_dated_contract_is_delivered(world: World) -> None:
    exchange = world.exchange
    exchange.list_symbol(listings.usdm("BTCUSDT_261225", "BTC", delivery_ns=START + HOUR))
    symbol = "BTCUSDT_261225"
    exchange.set_mark(USDM, symbol, d(30000))
    for name, side in (("a", Side.BUY), ("b", Side.SELL)):
        exchange.place(name, OrderRequest(USDM, symbol, side, OrderType.LIMIT, d(1), d(30000)))
    exchange.place("a", OrderRequest(USDM, symbol, Side.BUY, OrderType.LIMIT, d(1), d(29000)))
    exchange.set_index(USDM, symbol, d("30100.5"))
    world.now += HOUR
    exchange.advance()
    assert exchange.listing(USDM, symbol).status is SymbolStatus.DELIVERED
    assert exchange.positions("a", USDM) == []
    realised = [exchange.income(n, USDM, symbol, kind=IncomeKind.REALISED)[0].amount for n in "ab"]
    assert realised == [d("100.5"), d("-100.5")]
    assert exchange.open_orders("a", USDM) == []
    assert exchange.imbalance() == {}


def test_the_countdown_cancels_unless_renewed(world: World) -> None:
    exchange = world.exchange
    world.limit("a", USDM, Side.BUY, "0.1", "29000")
    exchange.countdown_cancel_all("a", USDM, BTC, 10**9)
    world.now += 9 * 10**8
    exchange.countdown_cancel_all("a", USDM, BTC, 10**9)
    world.now += 9 * 10**8
    assert len(exchange.open_orders("a", USDM)) == 1
    world.now += 10**8
    assert exchange.open_orders("a", USDM) == []


def test_good_till_date_expires_by_the_clock(world: World) -> None:
    late = {"tif": TimeInForce.GTD, "good_till_ns": START + 601 * 10**9}
    order = world.limit("a", USDM, Side.BUY, "0.1", "29000", **late)
    assert world.exchange.advance() is not None
    world.now += 601 * 10**9
    key = OrderKey(USDM, BTC, order.order_id)
    assert world.exchange.order("a", key).status is OrderStatus.EXPIRED
    soon = {"tif": TimeInForce.GTD, "good_till_ns": world.now + 600 * 10**9}
    refuse(Why.GTD_TOO_SOON, world.limit, "a", USDM, Side.BUY, "0.1", "29000", **soon)


def test_a_market_order_far_from_the_mark_is_refused(world: World) -> None:
    world.book(USDM, "29000x1", "32000x1")
    refuse(Why.PERCENT_PRICE_MARKET, world.market, "a", USDM, Side.BUY, "0.1")
    world.book(USDM, "29000x1", "31000x1 31600x1")
    order = world.market("a", USDM, Side.BUY, "1.5")
    # 31,500 is five per cent from the mark: nothing fills beyond.
    assert (order.status, order.executed_qty) == (OrderStatus.EXPIRED, d(1))


def test_an_accounts_own_rates_hold(world: World) -> None:
    exchange = world.exchange
    exchange.set_fees("a", USDM, d("-0.0001"), d("0.001"))
    exchange.set_fees("b", USDM, d("0.0001"), d("0.0003"), BTC)
    assert exchange.fees("b", USDM, BTC) == (d("0.0001"), d("0.0003"))
    open_pair(world, "1")
    assert exchange.fills("a", USDM)[0].fee == d(-3)
    assert exchange.fills("b", USDM)[0].fee == d(9)
    assert exchange.imbalance() == {}


def test_money_moves_between_markets_as_far_as_margin_allows(world: World) -> None:
    exchange = world.exchange
    open_pair(world, "6")
    refuse(Why.UNKNOWN_ASSET, exchange.transfer, "a", USDM, Market.SPOT, "NOPE", d(1))
    refuse(Why.INSUFFICIENT_MARGIN, exchange.transfer, "a", USDM, Market.SPOT, "USDT", d(12000))
    exchange.transfer("a", USDM, Market.SPOT, "USDT", d(10000))
    (wallet,) = [w for w in exchange.account("a", USDM).wallets if w.asset == "USDT"]
    assert wallet.wallet == d(10000) - d(36)
    assert wallet.available == wallet.wallet - d(9000)
    assert exchange.income("a", USDM, kind=IncomeKind.TRANSFER)[-1].amount == d(-10000)


def test_coins_pay_inverse_profit(world: World) -> None:
    exchange = world.exchange
    world.limit("a", COINM, Side.BUY, "100", "30000")
    world.market("b", COINM, Side.SELL, "100")
    world.limit("a", COINM, Side.SELL, "100", "31000")
    world.market("b", COINM, Side.BUY, "100")
    (row,) = exchange.income("a", COINM, kind=IncomeKind.REALISED)
    exact = Decimal(100 * 100) / 30000 - Decimal(100 * 100) / 31000
    assert abs(row.amount - exact) < d("0.00000001")
    fill = exchange.fills("a", COINM, window=Window(limit=1))[0]
    assert fill.quote_qty == d("0.32258064")
    assert exchange.imbalance() == {}
