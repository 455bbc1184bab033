"""The live engine: recorded frames in, orders out, reports in; its journal recovers, verifies."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.captures import Row, read

from veloz import Books, Strategy, StrategyError, Trades
from veloz._core import LiveEngine

CAPTURES = Path(__file__).parents[1] / "vectors" / "captures"
FUTURES = CAPTURES / "binance_usdm" / "2023-04-04_BTCUSDT_depth_bookTicker_trade_markPrice.jsonl.gz"
SYMBOL = "binance:BTC/USDT:USDT"
ASSETS = [("USDT", 8), ("BTC", 8), ("BNB", 8)]
MS = 1_000_000
SECOND = 1_000 * MS

INSTRUMENT: dict[str, Any] = {
    "symbol": SYMBOL,
    "venue_symbol": "BTCUSDT",
    "kind": "linear",
    "base": "BTC",
    "quote": "USDT",
    "settle": "USDT",
    "price_scale": 2,
    "qty_scale": 3,
    "tick": 10,
    "lot": 1,
    "multiplier": "1",
    "maker_fee": "0.0002",
    "taker_fee": "0.0004",
    "liquidation_fee": "0",
    "origin": "venue",
}


class Quoter(Strategy):
    """Rests one bid below the book, replaces it now and then, remembers what it bought."""

    books = Books(SYMBOL)
    prints = Trades(SYMBOL)

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.bought = 0, 0.0
        self.told: list[str] = []

    def on_start(self) -> None:
        self.market = self.book(SYMBOL)
        self.every("200ms", self.ring)

    def ring(self) -> None:
        self.told.append(f"ring {self.now}")

    def on_trade(self, trade: Any) -> None:
        self.seen += 1
        if self.seen % 10 == 1 and self.market.is_ready:
            self.cancel_all(SYMBOL)
            edge = self.random.randrange(10)
            price = self.round_price(SYMBOL, self.market.bid - edge, "down")
            self.buy(SYMBOL, "0.010", price, post_only=True, why="quote")

    def on_order(self, order: Any) -> None:
        self.told.append(f"{order.id} {order.status}{' again' if self.is_recovering else ''}")

    def on_fill(self, fill: Any) -> None:
        self.bought += fill.qty
        again = " again" if self.is_recovering else ""
        self.told.append(f"fill {fill.qty}{again}")

    def on_error(self, error: BaseException) -> None:
        self.told.append(f"error {error}")

    def save(self) -> bytes:
        return repr(self.bought).encode()

    def load(self, state: bytes) -> None:
        self.bought = float(state)


def engine_of(strategy: Strategy, **settings: Any) -> LiveEngine:
    """An engine of one account and one feed in which the strategy is seated."""
    given = {"accounts": ["usdm"], "check_identity": True, "records_market": True} | settings
    engine = LiveEngine(ASSETS, [INSTRUMENT], given)
    strategy.random = random.Random(7)
    seat = engine.add_strategy(strategy, "cancel")
    engine.add_feed("usdm", [SYMBOL])
    for kind in ("books", "trades"):
        engine.listen(seat, SYMBOL, kind, 0)
    return engine


def rows(most: int = 1_500) -> list[Row]:
    return list(read(FUTURES))[:most]


def hear(engine: LiveEngine, row: Row) -> None:
    engine.advance(row.ts_recv)
    if row.is_rest:
        engine.rest_body(0, row.url, row.data, row.ts_recv)
    else:
        engine.frame(0, memoryview(row.data.encode()), row.ts_recv)


def asked(engine: LiveEngine, most: int) -> tuple[list[Any], int]:
    """What an engine with money asks of the venue over so many rows, and when the last one came."""
    heard = rows(most)
    engine.deposit(0, "USDT", "100000", heard[0].ts_recv)
    engine.start(heard[0].ts_recv)
    requests: list[Any] = []
    for row in heard:
        hear(engine, row)
        requests += engine.take_requests()
    return requests, heard[-1].ts_recv


def order_update(request: Any, **fields: Any) -> str:
    """An ORDER_TRADE_UPDATE of one of our orders, as the venue writes it."""
    order = {
        "s": "BTCUSDT", "c": request.client_order_id, "S": "BUY", "o": "LIMIT", "f": "GTX",
        "q": "0.010", "p": request.terms["price"], "ap": "0", "sp": "0", "x": "NEW", "X": "NEW",
        "i": 8_000_000 + request.order, "l": "0", "z": "0", "L": "0", "n": "0", "N": "USDT",
        "T": 1, "t": 0, "b": "0", "a": "0", "m": False, "R": False, "wt": "CONTRACT_PRICE",
        "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": "0", "pP": False, "si": 0, "ss": 0,
        "V": "NONE", "pm": "NONE", "gtd": 0,
    } | fields  # fmt: skip
    return json.dumps({"e": "ORDER_TRADE_UPDATE", "E": order["T"], "T": order["T"], "o": order})


class Venue:
    """Answers what the engine asks, by a script: accepts, fills some, ends what is cancelled."""

    def __init__(self, engine: LiveEngine) -> None:
        self.engine = engine
        self.requests: list[Any] = []
        self.trades = 100

    def answer(self, now_ns: int) -> None:
        for request in self.engine.take_requests():
            assert request.sequence <= self.engine.journal_sequence
            assert not request.refusal
            self.requests.append(request)
            if request.kind == "place":
                self.place(request, now_ns)
            else:
                ended = {"x": "CANCELED", "X": "CANCELED", "T": now_ns // MS}
                self.tell(order_update(request, **ended), now_ns)

    def place(self, request: Any, now_ns: int) -> None:
        number, at = request.number, now_ns // MS
        if number % 7 == 3:
            self.engine.unknown(number, "no answer within 5 s", now_ns)
            return
        if number % 7 == 5:
            verdict = type("V", (), {"reason": "post_only", "code": -5022, "text": "Post only."})
            self.engine.refused(number, verdict(), now_ns)
            return
        self.tell(order_update(request, T=at), now_ns)
        if number % 3 == 0:
            self.trades += 1
            fill = order_update(
                request, x="TRADE", X="PARTIALLY_FILLED", l="0.004", z="0.004", t=self.trades,
                L=request.terms["price"], n="0.01", T=at, m=True,
            )  # fmt: skip
            self.tell(fill, now_ns)
            self.tell(fill, now_ns)

    def tell(self, frame: str, now_ns: int) -> None:
        assert self.engine.user_frame(0, frame, now_ns) == 0


def run(strategy: Strategy, most: int = 1_500, **settings: Any) -> tuple[LiveEngine, Venue]:
    engine = engine_of(strategy, **settings)
    heard = rows(most)
    engine.deposit(0, "USDT", "100000", heard[0].ts_recv)
    engine.start(heard[0].ts_recv)
    venue = Venue(engine)
    for row in heard:
        hear(engine, row)
        venue.answer(row.ts_recv)
    return engine, venue


def recovered(journal: bytes, strategy: Strategy | None = None, **settings: Any) -> LiveEngine:
    engine = engine_of(strategy or Quoter(), epoch=2, **settings)
    engine.recover([journal])
    return engine


def test_a_strategy_trades_and_its_journal_recovers_to_the_same_state() -> None:
    strategy = Quoter()
    engine, venue = run(strategy)
    engine.save_states(rows()[-1].ts_recv)
    counts = engine.view("counts")
    assert counts["orders"] > 10
    assert counts["fills"] > 2
    assert strategy.bought == pytest.approx(0.004 * counts["fills"])
    assert engine.positions(0) == {("BTCUSDT", "BOTH"): Decimal("0.004") * counts["fills"]}
    ids = [request.client_order_id for request in venue.requests if request.kind == "place"]
    assert len(set(ids)) == len(ids)
    assert all(len(each) <= 28 and each.isalnum() for each in ids)
    assert all(engine.knows_order(0, each) for each in ids)
    assert any(text.endswith("unknown") for text in strategy.told)

    state, journal = engine.state_hash(), engine.journal_pending()
    again = recovered(journal)
    assert again.state_hash() == state
    assert again.balances(0) == engine.balances(0)
    assert again.open_orders(0) == engine.open_orders(0)


def test_an_engine_measures_its_own_way() -> None:
    strategy = Quoter()
    engine, venue = run(strategy)
    for request in [*venue.requests, venue.requests[0]]:
        engine.written(request.number)
    fills = [text for text in strategy.told if text.startswith("fill")]
    counts = {name: engine.latency(name) for name in ("callback", "request", "written", "fill")}
    assert counts["callback"][0] == strategy.seen
    assert 0 < counts["request"][0] <= len(venue.requests)
    assert counts["written"][0] == len(venue.requests)
    assert counts["fill"][0] == len(fills) > 0
    for _, half, most, longest in counts.values():
        assert 0 < half <= most <= longest
    with pytest.raises(ValueError, match='no latency is named "nothing"'):
        engine.latency("nothing")


def test_strategies_give_the_same_commands_again() -> None:
    engine, _ = run(Quoter())
    last, trading, market = (
        engine.journal_sequence,
        engine.journal_pending(),
        engine.market_pending(),
    )
    assert engine_of(Quoter()).verify(trading, market) == last

    class Other(Quoter):
        def on_order(self, order: Any) -> None:
            if order.status == "accepted":
                self.cancel_order(order)

    with pytest.raises(StrategyError, match=r"batch \d+"):
        engine_of(Other()).verify(trading, market)


def test_a_restart_doubts_loads_and_tells_what_was_missed() -> None:
    engine, venue = run(Quoter(), most=700)
    now = rows(700)[-1].ts_recv
    engine.save_states(now)
    bought = engine.positions(0)[("BTCUSDT", "BOTH")]
    resting = next(
        request
        for request in reversed(venue.requests)
        if request.kind == "place" and request.client_order_id in engine.open_orders(0)
    )
    fill = order_update(
        resting, x="TRADE", X="PARTIALLY_FILLED", l="0.001", z="0.001", t=999_999,
        L=resting.terms["price"], n="0", T=now // MS, m=True,
    )  # fmt: skip
    venue.tell(fill, now)
    snapshot, state = engine.snapshot(), engine.state_hash()
    journal = engine.journal_pending()

    strategy = Quoter()
    again = recovered(journal, strategy)
    assert again.state_hash() == state
    again.start(now + SECOND)
    assert strategy.bought == pytest.approx(float(bought) + 0.001)
    assert "fill 0.001 again" in strategy.told
    assert again.view("counts")["orders"] == engine.view("counts")["orders"]
    # The fill comes once more on the new connection, and counts once.
    assert again.user_frame(0, fill, now + 2 * SECOND) == 0
    assert again.positions(0)[("BTCUSDT", "BOTH")] == bought + Decimal("0.001")
    # New ids carry the new epoch, old ones are still known.
    assert again.knows_order(0, resting.client_order_id)
    # A snapshot alone is the same state.
    third = engine_of(Quoter(), epoch=2)
    third.recover([], snapshot)
    assert third.state_hash() == state


def test_a_gap_makes_the_market_stale_until_a_snapshot_joins() -> None:
    strategy = Quoter()
    engine = engine_of(strategy)
    heard = rows(400)
    engine.start(heard[0].ts_recv)
    depth = [row for row in heard if "depthUpdate" in row.data]
    for row in heard:
        if row is depth[len(depth) // 2]:
            continue  # lost on the way
        hear(engine, row)
    assert engine.books_to_rebuild(0) == ["BTCUSDT"]
    assert strategy.market.is_stale
    assert not strategy.market.is_ready


def test_external_orders_cash_and_differences_are_shown() -> None:
    engine = engine_of(Quoter())
    engine.deposit(0, "USDT", "1000", 1)
    engine.start(2)
    foreign = type(
        "R", (), {"client_order_id": "web_abc", "order": 5, "terms": {"price": "20000"}}
    )()
    fill = order_update(
        foreign, x="TRADE", X="PARTIALLY_FILLED", l="0.002", z="0.002", t=5, L="20000", n="0",
        T=9, q="0.005",
    )  # fmt: skip
    assert engine.user_frame(0, fill, 10) == 0
    assert engine.positions(0) == {("BTCUSDT", "BOTH"): Decimal("0.002")}
    assert [order["origin"] for order in engine.view("orders")] == ["external"]
    assert engine.view("positions") == [(0, SYMBOL, "BOTH", "0.002")]
    funding = {
        "e": "ACCOUNT_UPDATE",
        "E": 11,
        "T": 11,
        "a": {"m": "FUNDING_FEE", "B": [{"a": "USDT", "wb": "1", "bc": "-0.5"}], "P": []},
    }
    for _ in range(2):
        assert engine.user_frame(0, json.dumps(funding), 12) == 0
    assert engine.balances(0)["USDT"] == Decimal("999.5")
    engine.input("position", 13, symbol=SYMBOL, qty="0.003", ts_exchange=13)
    (difference,) = engine.view("differences")
    assert (difference["ours"], difference["theirs"]) == ("0.002", "0.003")
    engine.input("freeze", 14, account=0, reason="positions differ")
    assert engine.view("frozen") == [((0, 65535, 4294967295), "positions differ")]


def test_a_breaker_reaches_on_error() -> None:
    class Flood(Quoter):
        def on_trade(self, trade: Any) -> None:
            for _ in range(1_100):
                self.buy(SYMBOL, "0.001", "20000")

    strategy = Flood()
    engine = engine_of(strategy, limits={"max_orders_per_second": 0, "check_funds": False})
    heard = rows(400)
    engine.start(heard[0].ts_recv)
    for row in heard:
        hear(engine, row)
    assert engine.has_fault
    assert sum(text.startswith("error gave more than 1000") for text in strategy.told) == 1


def test_a_request_is_pending_until_an_answer_or_evidence_settles_it() -> None:
    engine = engine_of(Quoter())
    requests, now = asked(engine, 700)
    first, second, third = [request for request in requests if request.kind == "place"][:3]
    cancels = [request.number for request in requests if request.kind != "place"]
    for number in cancels:
        engine.not_sent(number, "a test", now)
    others = {request.number for request in requests} - set(cancels)
    assert set(engine.view("pending")) == others
    # No answer came: it is still not known what became of them.
    for request in (first, second, third):
        engine.unknown(request.number, "no answer within 5 s", now)
    assert set(engine.view("pending")) == others
    # The private stream shows one, a query finds that another never was, an answer comes late.
    assert engine.user_frame(0, order_update(first, T=now // MS), now) == 0
    assert set(engine.view("pending")) == others - {first.number}
    engine.absent(0, second.client_order_id, now)
    assert set(engine.view("pending")) == others - {first.number, second.number}
    verdict = type("V", (), {"reason": "post_only", "code": -5022, "text": "Post only."})
    engine.refused(third.number, verdict(), now)
    assert set(engine.view("pending")) == others - {
        first.number, second.number, third.number
    }  # fmt: skip


def test_a_paper_run_fills_itself_and_recovers() -> None:
    strategy = Quoter()
    settings = {
        "paper": True, "levels": ["book"], "venue": ["level=book"], "entry_latency": "5ms",
        "report_latency": "5ms", "seed": 3,
    }  # fmt: skip
    engine = engine_of(strategy, **settings)
    heard = rows(2_500)
    engine.deposit(0, "USDT", "100000", heard[0].ts_recv)
    engine.start(heard[0].ts_recv)
    for row in heard:
        hear(engine, row)
        assert engine.take_requests() == []
    assert any(text.endswith("accepted") for text in strategy.told)
    state, last = engine.state_hash(), engine.journal_sequence
    trading, market = engine.journal_pending(), engine.market_pending()
    again = engine_of(Quoter(), epoch=2, **settings)
    again.recover([trading])
    assert again.state_hash() == state
    assert engine_of(Quoter(), **settings).verify(trading, market) == last


def test_an_engine_that_stopped_for_good_lets_only_cancels_leave() -> None:
    engine, _ = run(Quoter(), most=700)
    open_before = set(engine.open_orders(0))
    assert open_before
    engine.take_requests()
    most = {"asset": "USDT", "amount": "1" + "0" * 30, "why": "gift"}
    engine.input("cash", 1, **most)
    with pytest.raises(RuntimeError, match="stopped for good"):
        engine.input("cash", 1, **most)
    assert engine.poison is not None
    with pytest.raises(RuntimeError, match="only cancels leave"):
        engine.advance(2)
    rescued = engine.take_requests()
    assert {request.kind for request in rescued} == {"cancel"}
    assert {request.client_order_id for request in rescued} == open_before
    assert engine.take_requests() == []


class Stopper(Strategy):
    """Places one stop order, which waits with the venue's service for conditional orders."""

    prints = Trades(SYMBOL)
    placed = False

    def on_trade(self, trade: Any) -> None:
        if not self.placed:
            self.placed = True
            price = self.round_price(SYMBOL, trade.price * 1.1, "up")
            self.place_order(SYMBOL, "buy", "stop", "0.01", trigger_price=price)


@pytest.mark.parametrize("told_first", ["filled", "new"])
def test_f_d06_the_end_of_an_order_of_somebody_else_counts_before_its_beginning(
    told_first: str,
) -> None:
    engine = engine_of(Quoter())
    engine.deposit(0, "USDT", "1000", 1)
    engine.start(2)
    now = 2 * SECOND
    by_hand = SimpleNamespace(client_order_id="web_a", order=5, terms={"price": "28000.00"})
    # The fill of the first 0.004 never came.
    last = {"x": "TRADE", "X": "FILLED", "l": "0.006", "z": "0.010", "L": "28000.00", "t": 12}
    told = {
        "new": order_update(by_hand, T=now // MS),
        "filled": order_update(by_hand, T=now // MS, **last),
    }
    for name in sorted(told, key=lambda name: name != told_first):
        engine.user_frame(0, told[name], now)
    ((_, client_id),) = engine.view("needs_trades", 0)
    assert client_id == "web_a"
    assert engine.view("orders", 0) == []
    assert not engine.view("parked")
    first = {"x": "TRADE", "X": "PARTIALLY_FILLED", "l": "0.004", "z": "0.004", "t": 11}
    engine.user_frame(0, order_update(by_hand, T=now // MS, L="28000.00", **first), now)
    assert engine.view("needs_trades", 0) == []
    assert engine.view("positions", 0)[0][-1] == "0.01"


@pytest.mark.parametrize("told_first", ["lite", "new"])
def test_f_d05_a_fill_that_is_told_early_counts_before_its_order_is_known(told_first: str) -> None:
    engine = engine_of(Quoter())
    engine.deposit(0, "USDT", "1000", 1)
    engine.start(2)
    now = 2 * SECOND
    by_hand = SimpleNamespace(client_order_id="web_a", order=5, terms={"price": "28000.00"})
    # The whole report of this fill never came.
    lite = {
        "e": "TRADE_LITE", "E": now // MS, "T": now // MS, "s": "BTCUSDT", "q": "0.010",
        "p": "28000.00", "m": False, "c": "web_a", "S": "BUY", "L": "28000.00", "l": "0.010",
        "t": 12, "i": 8_000_005,
    }  # fmt: skip
    told = {"new": order_update(by_hand, T=now // MS), "lite": json.dumps(lite)}
    for name in sorted(told, key=lambda name: name != told_first):
        engine.user_frame(0, told[name], now)
    ((_, client_id),) = engine.view("needs_trades", 0)
    assert client_id == "web_a"
    assert not engine.view("parked")


def test_f_g05_what_is_told_of_two_orders_of_one_name_is_each_ones_own() -> None:
    engine = engine_of(Quoter())
    engine.deposit(0, "USDT", "1000", 1)
    engine.start(2)
    now = 20 * SECOND
    one, other = (
        SimpleNamespace(client_order_id="web_a", order=order, terms={"price": "28000.00"})
        for order in (5, 6)
    )
    whole = {"x": "TRADE", "X": "FILLED", "l": "0.010", "z": "0.010", "L": "28000.00"}
    for order, at_ms, trade in ((other, 10_000, 13), (one, 1_000, 12)):
        lite = json.loads(order_update(order, T=at_ms))["o"] | {
            "e": "TRADE_LITE", "E": at_ms, "T": at_ms, "l": "0.010", "t": trade, "L": "28000.00",
        }  # fmt: skip
        engine.user_frame(0, json.dumps(lite), now)
    for order, at_ms, trade in ((other, 10_000, 13), (one, 1_000, 12)):
        engine.user_frame(0, order_update(order, T=at_ms, t=trade, **whole), now)
        engine.user_frame(0, order_update(order, T=at_ms), now)
    assert engine.view("orders", 0) == []
    assert engine.view("needs_trades", 0) == []
    assert not engine.view("parked")
    assert engine.view("positions", 0)[0][-1] == "0.02"


@pytest.mark.parametrize("status", ["NEW", "TRIGGERED", "FINISHED"])
def test_f_c02_a_conditional_order_that_is_found_is_not_unknown_any_more(status: str) -> None:
    engine, now = engine_of(Stopper()), 0
    engine.deposit(0, "USDT", "100000", rows(1)[0].ts_recv)
    engine.start(rows(1)[0].ts_recv)
    for row in rows(200):
        hear(engine, row)
        now = row.ts_recv
    engine.take_requests()
    (order,) = engine.view("orders", 0)
    (number,) = engine.view("pending")
    engine.unknown(number, "no answer within 5 s", now)
    assert engine.view("orders", 0)[0]["status"] == "unknown"
    found = {
        "algoId": 1, "clientAlgoId": order["client_order_id"], "orderType": "STOP_MARKET",
        "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010", "algoStatus": status,
        "actualOrderId": "" if status == "NEW" else "77", "triggerPrice": "30000.00",
        "createTime": now // MS, "updateTime": now // MS,
    }  # fmt: skip
    engine.found(0, json.dumps(found), now)
    (order,) = engine.view("orders", 0)
    assert order["status"] == "accepted"
    assert order["venue_order_id"] == (None if status == "NEW" else 77)
    assert not engine.view("pending")


def test_f_d02_an_order_that_is_filled_with_less_has_been_amended() -> None:
    engine = engine_of(Quoter())
    requests, now = asked(engine, 300)
    (request,) = [request for request in requests if request.kind == "place"][:1]
    engine.user_frame(0, order_update(request, T=now // MS), now)
    price = request.terms["price"]
    filled = {"x": "TRADE", "X": "FILLED", "q": "0.004", "l": "0.004", "z": "0.004", "L": price}
    engine.user_frame(0, order_update(request, T=now // MS + 1, t=9, m=True, **filled), now)
    assert request.client_order_id not in {
        row["client_order_id"] for row in engine.view("orders", 0)
    }
    assert engine.view("positions", 0)[0][-1] == "0.004"
