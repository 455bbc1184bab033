"""Answers and events as the sessions read them: whatever comes, none of them stops or forgets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

from tests.fuzz.parser import Parser
from tests.venues.binance.bookkeeper import SYMBOL
from tests.venues.binance.streams import serve
from tests.venues.binance.trading import Trader
from veloz.net.simulated import Fate, Parcel
from veloz.venues.binance import listings
from veloz.venues.binance.budget import BinanceBudget
from veloz.venues.binance.engine_fields import ended_algo_order, external_order
from veloz.venues.binance.rest import RestAnswer
from veloz.venues.binance.rollover import Overlap, event_place
from veloz.venues.binance.subscriptions import Subscriptions
from veloz.venues.binance.warmup import Bars

__all__ = ["PARSERS"]

REJECTED = (ValueError,)
"""What a session's own readers raise: their callers ask again."""


class _Desk:
    """One account's sessions at a small venue in memory, on virtual time."""

    def __init__(self, market: str) -> None:
        self.trader = Trader(7, market)
        self._loop = self.trader.world.loop
        self._network = self.trader.world.network
        self._spoilt: tuple[int, bytes] | None = None
        self._answers: list[bytes] = []
        self._network.judge = self._judge
        self.run(self._begin())
        # its asserts are about true reports; what is fed from here on is not
        self.trader.engine._book = lambda *_: None

    async def _begin(self) -> None:
        await serve(self.trader.world, self.trader.till)
        trader = self.trader
        self._parts = [asyncio.create_task(p.run()) for p in (trader.gateway, trader.stream)]
        while not trader.gateway.is_open:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.05)
        self.ids = [trader.place(), trader.place(side="sell", price="1.60")]
        await asyncio.sleep(1)
        trader.till.trade(self.ids[0], "0.4")
        await asyncio.sleep(1)

    def _judge(self, parcel: Parcel) -> Fate:
        if parcel.kind != "response":
            return Fate()
        self._answers.append(parcel.payload)
        if self._spoilt is None or len(self._answers) - 1 != self._spoilt[0]:
            return Fate()
        return Fate(payload=self._spoilt[1])

    def run(self, part: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(part)

    def answers_of(self, part: Coroutine[Any, Any, Any]) -> list[bytes]:
        """The bodies that a piece of work is answered with, undamaged."""
        self._answers, self._spoilt = [], None
        self.run(part)
        return list(self._answers)

    def with_spoilt(self, number: int, body: bytes, part: Coroutine[Any, Any, Any]) -> Any:
        """The work again, one of its answers being another."""
        self._answers, self._spoilt = [], (number, body)
        try:
            return self.run(part)
        finally:
            self._spoilt = None

    def healthy(self) -> None:
        """No session has ended."""
        for task in self._parts:
            if task.done():
                task.result()

    def state(self) -> object:
        return None

    def close(self) -> None:
        async def stop() -> None:
            for task in self._parts:
                task.cancel()
            await asyncio.gather(*self._parts, return_exceptions=True)

        self.run(stop())
        self._loop.close()


class _Rounds(_Desk):
    """Reconciliation, each answer in turn."""

    def __init__(self, market: str) -> None:
        super().__init__(market)
        self.corpus = self.answers_of(self.trader.reconciler.once())

    def read(self, data: bytes, kind: int) -> bool:
        found = self.with_spoilt(kind, data, self.trader.reconciler.once())
        self.healthy()
        return found


class _Doubts(_Desk):
    """Finding out about an order whose answer never came."""

    def __init__(self, market: str) -> None:
        super().__init__(market)
        self.corpus = self.answers_of(self._ask(self.ids[0]))
        self._listed = len(self.corpus)
        self.corpus += self.answers_of(self._ask(""))

    def read(self, data: bytes, kind: int) -> bool:
        if kind < self._listed:
            return self.with_spoilt(kind, data, self._ask(self.ids[0]))
        return self.with_spoilt(kind - self._listed, data, self._ask(""))

    async def _ask(self, client_id: str) -> bool:
        """About an order; without an id, about one that never reached the venue."""
        trader = self.trader
        client_id = client_id or trader.engine.place()
        encoded = SimpleNamespace(params=[("quantity", "1"), ("price", "1.55")])
        trader.engine.take_requests()
        trader.engine.amend(self.ids[1], ("1", "1.55"), ("1", "1.60"))
        number = trader.engine.take_requests()[-1].number
        request = SimpleNamespace(
            kind="amend", number=number, client_order_id=client_id, symbol=SYMBOL, encoded=encoded,
            is_conditional=False, replaces="",
        )  # fmt: skip
        past_ms = trader.time.now_ms() - 100_000
        trader.resolver.doubt(request, past_ms, 5_000)  # pyright: ignore[reportArgumentType]
        doubts = trader.resolver._doubts
        doubt = doubts.pop((number, client_id))
        trader.resolver._new.clear()
        try:
            return await trader.resolver._ask_once(doubt)
        except ValueError:
            return False  # asked again


class _Frames(_Desk):
    """Frames of the order connection and of the private stream."""

    def __init__(self, market: str) -> None:
        super().__init__(market)
        from tests.fuzz.private import corpus_of

        answer = {"id": "1", "status": 200, "result": {"orderId": 1}, "rateLimits": [
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50,
             "count": 3}]}  # fmt: skip
        refusal = {"id": "1", "status": 429, "error": {"code": -1003, "msg": "Too many requests.",
                   "data": {"serverTime": 1, "retryAfter": 2}}}  # fmt: skip
        self.corpus = [json.dumps(row).encode() for row in (answer, refusal)] * 10
        self._answers_end = len(self.corpus)
        self.corpus += corpus_of(market)

    def read(self, data: bytes, kind: int) -> bool:
        trader = self.trader
        gateway, stream = trader.gateway, trader.stream
        socket = SimpleNamespace(number=99)
        if kind >= self._answers_end:
            stream.received(socket, data, 1)  # pyright: ignore[reportArgumentType]
            return True
        self.run(self._to_a_request(gateway, socket, data))
        self.healthy()
        return True

    async def _to_a_request(self, gateway: Any, socket: Any, data: bytes) -> None:
        """Whatever answers it, the request is answered, refused, doubted, or still waited for."""
        engine = self.trader.engine
        client_id = engine.place()
        request = engine.take_requests()[-1]
        pending = SimpleNamespace(request=request, due_ns=1 << 62, timestamp_ms=0, socket=99)
        gateway._pending[request.number] = pending
        before = dict(gateway.counts)
        gateway.received(socket, data.replace(b'"1"', b'"%d"' % request.number, 1), 1)
        told = ("answered", "refused", "unknown", "not_sent", "unreadable")
        has_end = any(gateway.counts[name] > before[name] for name in told)
        is_waiting = gateway._pending.pop(request.number, None) is not None
        assert has_end or is_waiting, f"{client_id} is forgotten"
        await asyncio.sleep(0)


class _Rows:
    """The small readers of bodies and frames, each over each input."""

    corpus = (
        b'[{"symbol":"BTCUSDT","orderId":5,"clientOrderId":"a","executedQty":"0.1","origQty":"1",'
        b'"price":"1.5","side":"BUY","type":"LIMIT","time":1,"updateTime":2,"status":"NEW"}]',
        b'[{"algoId":5,"clientAlgoId":"a","symbol":"BTCUSDT","actualQty":"0","algoStatus":'
        b'"CANCELED","updateTime":3}]',
        b'[{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"-0.5","leverage":"20",'
        b'"marginType":"cross"}]',
        b'{"balances":[{"asset":"BTC","free":"1.0","locked":"0.5"}]}',
        b'[{"asset":"USDT","balance":"10.5"}]',
        b'[{"id":7,"orderId":5,"price":"1","qty":"2"}]',
        b'{"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,'
        b'"limit":6000}]}',
        b'{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":5,"s":"BTCUSDT","k":{"t":60000,'
        b'"T":119999,"s":"BTCUSDT","x":true,"L":5}}}',
        b'{"stream":"btcusdt@trade","data":{"e":"trade","E":5,"s":"BTCUSDT","t":9}}',
        b'{"stream":"!markPrice@arr","data":[{"e":"markPriceUpdate","E":5,"s":"BTCUSDT"}]}',
        b'{"id":1,"result":null}', b'{"id":1,"error":{"code":2,"msg":"Invalid request"}}',
        b'{"code":-2011,"msg":"Unknown order sent."}', b'{"id":1,"result":["btcusdt@trade"]}',
        b'{"serverTime":1700000000000}',
    )  # fmt: skip

    def __init__(self) -> None:
        self._clock = SimpleNamespace(wall_ns=lambda: 1, monotonic_ns=lambda: 1)
        self._bars = Bars(
            SimpleNamespace(clock=self._clock),  # pyright: ignore[reportArgumentType]
            SimpleNamespace(market="spot"),  # pyright: ignore[reportArgumentType]
            SimpleNamespace(now_ms=lambda: 1),  # pyright: ignore[reportArgumentType]
            SimpleNamespace(frame=lambda *_: 0),  # pyright: ignore[reportArgumentType]
            0,
        )
        self._overlap = Overlap()
        self._overlap.ready()
        self._bars._closed["btcusdt@kline_1m"] = (0, 59_999)

    def read(self, data: bytes, kind: int) -> bool:
        del kind
        answer = RestAnswer("https://venue.test/x", 200, data, 1)
        code, text = answer.error()
        assert isinstance(code, int)
        assert len(text) <= 300
        for read in (listings.orders, listings.positions, listings.balances, listings.fills):
            read(answer)
        budget = BinanceBudget("spot", self._clock)  # pyright: ignore[reportArgumentType]
        budget.read_limits(answer.value())
        told = data[:40].decode("latin-1")
        for status in (200, 429):
            budget.observe(status, {"x-mbx-used-weight-1m": told, "retry-after": told[-9:]})
        assert budget.limits.silent_s <= 4 * 86_400
        for is_successor in (False, True):
            if (place := event_place(data)) is not None:
                self._overlap.admit((data, 1), 1, is_successor=is_successor)
        assert place is None or all(isinstance(part, int) for part in place[1])
        streams = Subscriptions(["btcusdt@trade"])
        assert streams.next_message(1) is not None
        streams.answered(data, 1)
        self._bars.is_held("btcusdt@kline_1m", data, 1)
        self._bars._held.clear()
        for row in _objects(answer.value()):
            _orders(row)
        return True

    def state(self) -> object:
        return None


def _objects(value: object) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _orders(row: dict[str, Any]) -> None:
    try:
        external_order(row, {"BTCUSDT": "binance:BTC/USDT"})
        ended_algo_order(row, [{"client_order_id": "a", "order": 1, "filled_qty": 0, "qty": 1,
                                "price": 1}])  # fmt: skip
    except REJECTED:
        return  # the caller asks again


PARSERS = [
    *(
        Parser(f"session.reconcile.{m}", lambda _f, m=m: _Rounds(m), rounds=250)
        for m in ("spot", "usdm")
    ),
    *(
        Parser(f"session.resolve.{m}", lambda _f, m=m: _Doubts(m), rounds=250)
        for m in ("spot", "usdm")
    ),
    *(
        Parser(f"session.frames.{m}", lambda _f, m=m: _Frames(m), rounds=300)
        for m in ("spot", "usdm")
    ),
    Parser("session.rows", lambda _folder: _Rows(), rounds=2_000),
]
