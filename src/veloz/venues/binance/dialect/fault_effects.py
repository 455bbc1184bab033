"""What each fault of the catalogue does at this venue: four tables, id to effect.

Faults of the transport itself (a cut inside a frame F-A04, a stalled writer F-A09, DNS and TLS
F-A10) are made by the network below; those that need no injector (a fill before the accept's
answer, a triggered order's new id) happen by themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatch
from typing import Any, Literal, Protocol

from veloz.venues.binance.dialect.errors import error

__all__ = ["MARKET", "REQUEST", "TIME", "USER", "WORDS_OF", "Answer", "Treatment", "World"]

Args = dict[str, Any]
Passage = list[tuple[int, Any]]
HTML = b"<html><head><title>%d</title></head><body><center><h1>%s</h1></center></body></html>"
UNKNOWN_503 = "Unknown error, please check your request or try again later."
FAILED_503 = "Service Unavailable."
WRITES = "order.*"
PLACING = ("order.place", "algoOrder.place", "order.placeBatch")
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Answer:
    """An answer in place of the venue's own."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Treatment:
    """What becomes of a request.

    Attributes:
        executes: Now, never, or after the answer.
        later_ms: How much later.
        answer: None for the venue's own; `lost` for none at all.
        answer_delay_ms: Holds the answer back.
        empties: Answers as if the account had nothing.
        stale: Answers with the answer before.
        levels: Answers with no more levels of a book than these; 0 for all.
        exhausts: Uses up the weight, or bans.
        price_shift_ticks: Moves the order's price.
        spoils: Of a batch, every second element is one that the venue refuses.
    """

    executes: Literal["now", "never", "later"] = "now"
    later_ms: int = 0
    answer: Answer | Literal["lost"] | None = None
    answer_delay_ms: int = 0
    empties: bool = False
    stale: bool = False
    levels: int = 0
    exhausts: Literal["", "weight", "ban"] = ""
    price_shift_ticks: int = 0
    spoils: bool = False


def _json(status: int, code: int, text: str) -> Answer:
    body = json.dumps({"code": code, "msg": text}, separators=(",", ":")).encode()
    return Answer(status, body, {"content-type": "application/json;charset=UTF-8"})


def _html(status: int, words: str) -> Answer:
    return Answer(status, HTML % (status, words.encode()), {"content-type": "text/html"})


def _error(code: int, status: int | None = None) -> Answer:
    found = error(code)
    return _json(found.status if status is None else status, code, found.text)


UNCERTAIN: dict[str, Answer | Literal["lost"]] = {
    "drop": "lost",
    "1007": _error(-1007),
    "1006": _error(-1006, 500),
    "502": _html(502, "Bad Gateway"),
    "503": _json(503, -1000, UNKNOWN_503),
    "504": _html(504, "Gateway Time-out"),
}
UNREADABLE = {
    "html": _html(200, "OK"),
    "truncated": Answer(200, b'{"symbol":"BTCUSDT","orderId":'),
    "empty": Answer(200, b""),
    "encoding": Answer(200, b'{"symbol":"\xff\xfe'),
}
MAINTENANCE = {
    "503": _html(503, "Service Temporarily Unavailable"),
    "failed": _json(503, -1000, FAILED_503),
    "1016": _error(-1016, 503),
}


@dataclass(frozen=True)
class RequestFault:
    """A fault of a request: which kinds it is about, and how it is treated."""

    kinds: tuple[str, ...]
    treat: Callable[[Args], Treatment]

    def fits(self, kind: str) -> bool:
        """Whether the catalogue means requests of this kind."""
        return any(fnmatch(kind, pattern) for pattern in self.kinds)


def _uncertain(args: Args) -> Answer | Literal["lost"]:
    return UNCERTAIN[str(args.get("answer", "drop"))]


def _unknown(args: Args, executes: Literal["now", "never", "later"]) -> Treatment:
    """C01 to C03, C07 to C09: the client does not learn what became of it."""
    if "delay_ms" in args and "answer" not in args and executes == "now":
        return Treatment(answer_delay_ms=int(args["delay_ms"]))
    later = int(args.get("later_ms", 3000)) if executes == "later" else 0
    hold = 0
    if args.get("answer") == "hang":  # the connection stays, nothing comes
        args, hold = {**args, "answer": "drop"}, int(args.get("for_ms", 60_000))
    return Treatment(executes, later, _uncertain(args), answer_delay_ms=hold)


def _placed_or_not(args: Args) -> Treatment:
    wanted = str(args.get("effect", "placed"))
    return _unknown(args, "now" if wanted in {"placed", "done"} else "never")


def _batch(args: Args) -> Treatment:
    """C09: some of it done and some refused; or as a single request that nobody answers."""
    return Treatment(spoils=True) if args.get("effect") == "partly" else _placed_or_not(args)


def _duplicate(args: Args) -> Treatment:
    if args["market"] == "spot":
        return Treatment(answer=_json(400, -2010, "Duplicate order sent."))
    return Treatment(answer=_json(400, -4116, "ClientOrderId is duplicated."))


def _refused(args: Args) -> Treatment:
    code = int(args.get("code", -2010 if args["market"] == "spot" else -2019))
    texts = {-2010: "Account has insufficient balance for requested action."}
    text = str(args.get("msg", texts.get(code, "Margin is insufficient.")))
    return Treatment(executes="never", answer=_json(int(args.get("status", 400)), code, text))


def _fixed(answer: Answer) -> Callable[[Args], Treatment]:
    return lambda _args: Treatment(executes="never", answer=answer)


READS = ("order.status", "openOrders.status", "allOrders", "myTrades")
ACCOUNT = ("account.*", "positionRisk", "v2/account.*")
REQUEST: dict[str, RequestFault] = {
    "F-B02": RequestFault(("depth",), lambda _args: Treatment(stale=True)),
    "F-B06": RequestFault(
        ("depth",), lambda args: Treatment(levels=max(1, int(args.get("levels", 2))))
    ),
    "F-C01": RequestFault(PLACING, lambda args: _unknown(args, "never")),
    "F-C02": RequestFault(PLACING, lambda args: _unknown(args, "now")),
    "F-C03": RequestFault(PLACING, lambda args: _unknown(args, "later")),
    "F-C04": RequestFault(
        ("order.status", "openOrder.status"), _fixed(_json(400, -2013, "Order does not exist."))
    ),
    "F-C05": RequestFault(PLACING, _duplicate),
    "F-C06": RequestFault(
        PLACING, lambda args: Treatment(answer=UNREADABLE[str(args.get("body", "html"))])
    ),
    "F-C07": RequestFault(("order.cancel", "algoOrder.cancel"), _placed_or_not),
    "F-C08": RequestFault(("order.cancelReplace", "order.amend*", "order.modify"), _placed_or_not),
    "F-C09": RequestFault(("order.*Batch", "openOrders.cancelAll"), _batch),
    "F-C10": RequestFault(PLACING, _fixed(_error(-1021))),
    "F-C11": RequestFault(PLACING, _refused),
    "F-C12": RequestFault(
        PLACING, lambda args: Treatment(price_shift_ticks=int(args.get("ticks", 1)))
    ),
    "F-D01": RequestFault(
        PLACING, lambda args: Treatment(answer_delay_ms=int(args.get("delay_ms", 500)))
    ),
    "F-E05": RequestFault(ACCOUNT, lambda _args: Treatment(stale=True)),
    "F-E09": RequestFault(ACCOUNT, lambda _args: Treatment(empties=True)),
    "F-E10": RequestFault((*PLACING, *ACCOUNT), _fixed(_error(-2015))),
    "F-F01": RequestFault(("*",), lambda _args: Treatment(exhausts="weight")),
    "F-F02": RequestFault(("*",), lambda _args: Treatment(exhausts="ban")),
    "F-F03": RequestFault(("*",), _fixed(_html(403, "Request blocked"))),
    "F-F04": RequestFault(
        ("*",),
        lambda args: Treatment("never", answer=MAINTENANCE[str(args.get("answer", "503"))]),
    ),
    "F-F05": RequestFault((WRITES,), _fixed(_error(-1008))),
    "F-F08": RequestFault(PLACING, _fixed(_error(-4120))),
    "F-F09": RequestFault(
        ("allOrders", "myTrades", "income"),
        _fixed(_json(400, -4166, "Search window is restricted to recent 90 days only.")),
    ),
}


@dataclass(frozen=True)
class MessageFault:
    """A fault of a message: which kinds it is about, and what is sent instead."""

    kinds: tuple[str, ...]
    change: Callable[[Any, Args], Passage]

    def fits(self, kind: str) -> bool:
        """Whether the catalogue means messages of this kind."""
        return any(fnmatch(kind, pattern) for pattern in self.kinds)


def _drop(_message: Any, _args: Args) -> Passage:
    return []


def _twice(message: Any, args: Args) -> Passage:
    return [(0, message), (int(args.get("delay_ms", 50)), message)]


def _late(message: Any, args: Args) -> Passage:
    return [(int(args.get("delay_ms", 250)), message)]


def _order_words(message: Any) -> dict[str, Any]:
    """The part of a user message that holds the order: nested on futures."""
    return message["o"] if isinstance(message.get("o"), dict) else message


def _with_words(message: Any, words: dict[str, Any]) -> Any:
    if isinstance(message.get("o"), dict):
        return {**message, "o": {**message["o"], **words}}
    return {**message, **words}


def _old_news(message: Any, args: Args) -> Passage:
    """D08: after a later state the order's first report comes again."""
    words = _order_words(message)
    zero = str(words["l"]).translate(str.maketrans("123456789", "000000000"))
    old: dict[str, Any] = {"x": "NEW", "X": "NEW", "l": zero, "z": zero}
    if "t" in words:
        old["t"] = -1 if message["e"] == "executionReport" else 0
    return [(0, message), (int(args.get("delay_ms", 100)), _with_words(message, old))]


def _half_reports(message: Any, args: Args) -> Passage:
    """D11: the fee comes with a second message only."""
    bare = _with_words(message, {"n": "0", "N": None})
    return [(0, bare), (int(args.get("delay_ms", 150)), message)]


def _claimed_correction(message: Any, args: Args) -> Passage:
    """D10: a message that takes half of a fill back, which the venue's own ledger does not."""
    words = _order_words(message)
    half = f"{Decimal(words['l']) / 2:f}"
    told = _with_words(message, {"x": "TRADE_CORRECTION", "l": half, "z": half})
    return [(0, message), (int(args.get("delay_ms", 200)), told)]


def _other_id(message: Any, args: Args) -> Passage:
    """G04: the venue rewrites the client id."""
    words = _order_words(message)
    prefix = str(args.get("prefix", "x-broker"))
    return [(0, _with_words(message, {"c": prefix + str(words["c"])[:20]}))]


def _unknown_word(message: Any, _args: Args) -> Passage:
    """B08 for user data: a status nobody has heard of beside a new field."""
    return [(0, _with_words(message, {"x_new_field": {"nested": [1, 2, 3]}}))]


FILLS = ("executionReport/TRADE", "ORDER_TRADE_UPDATE/TRADE")
REPORTS = ("executionReport/*", "ORDER_TRADE_UPDATE/*")
USER: dict[str, MessageFault] = {
    "F-A07": MessageFault(("*",), _drop),
    "F-D01": MessageFault(("executionReport/NEW", "ORDER_TRADE_UPDATE/NEW"), _late),
    "F-D02": MessageFault(("executionReport/NEW", "ORDER_TRADE_UPDATE/NEW"), _drop),
    "F-D03": MessageFault((*FILLS, "TRADE_LITE"), _twice),
    "F-D05": MessageFault((*FILLS, "TRADE_LITE"), _drop),
    "F-D06": MessageFault((*FILLS, "TRADE_LITE"), lambda m, a: _late(m, {"delay_ms": 900, **a})),
    "F-D08": MessageFault(FILLS, _old_news),
    "F-D10": MessageFault(FILLS, _claimed_correction),
    "F-D11": MessageFault(FILLS, _half_reports),
    "F-E03": MessageFault(("balanceUpdate", "ACCOUNT_UPDATE"), _twice),
    "F-E05": MessageFault(("outboundAccountPosition", "ACCOUNT_UPDATE"), _late),
    "F-G04": MessageFault(REPORTS, _other_id),
    "F-B08": MessageFault(REPORTS, _unknown_word),
}


def _crossed(payload: Any, _args: Args) -> Passage:
    """B04: a bid above the best ask, gone with the next change."""
    asks, bids = payload.get("a") or payload.get("asks"), payload.get("b") or payload.get("bids")
    if not isinstance(asks, list) or not isinstance(bids, list) or not asks or not bids:
        return [(0, payload)]
    name = "b" if "b" in payload else "bids"
    return [(0, {**payload, name: [[asks[-1][0], bids[0][1]], *bids]})]


def _absurd(payload: Any, args: Args) -> Passage:
    """B07: a price that no market has."""
    value = str(args.get("value", "0"))
    names = [name for name in ("p", "b", "a") if isinstance(payload.get(name), str)]
    return [(0, {**payload, **dict.fromkeys(names, value)})]


def _novel(payload: Any, args: Args) -> Passage:
    """B08: a field, or an event, of tomorrow."""
    strange = {"e": str(args.get("event", "insuranceFund")), "E": payload.get("E", 0)}
    return [(0, strange), (0, {**payload, "zz": ["new", {"field": 1}]})]


def _burst(payload: Any, args: Args) -> Passage:
    return [(0, payload)] * int(args.get("copies", 50))


DIFFS = ("*@depth", "*@depth@*")
MARKET: dict[str, MessageFault] = {
    "F-B01": MessageFault(DIFFS, _drop),
    "F-B03": MessageFault((*DIFFS, "*@trade", "*@aggTrade"), _twice),
    "F-B04": MessageFault(("*@depth*",), _crossed),
    "F-B05": MessageFault(("*",), lambda p, a: _late(p, {"delay_ms": 3000, **a})),
    "F-B07": MessageFault(("*@trade", "*@aggTrade", "*@bookTicker", "*@markPrice*"), _absurd),
    "F-B08": MessageFault(("*@trade", "*@aggTrade", "*@depth*"), _novel),
    "F-B09": MessageFault(("*@trade", "*@aggTrade"), _drop),
    "F-B10": MessageFault(("*@bookTicker", "*@trade", "*@aggTrade"), _burst),
}


# The words that an argument may be; others are free, or numbers.
WORDS_OF: dict[tuple[str, str], frozenset[str]] = {
    **{(f"F-C0{n}", "answer"): frozenset({*UNCERTAIN, "hang"}) for n in (1, 2, 3, 7, 8, 9)},
    ("F-C06", "body"): frozenset(UNREADABLE),
    ("F-F04", "answer"): frozenset(MAINTENANCE),
}


class World(Protocol):
    """What faults by the clock can do to the venue."""

    def cut(self, which: str, code: int | None, *, notice_ms: int) -> None:
        """Ends connections: `market`, `user`, `api` or `all`; abruptly without a code."""
        ...

    def mute(self, which: str, for_ms: int) -> None:
        """Sends nothing on these connections, which stay open."""
        ...

    def refuse_connections(self, for_ms: int, status: int) -> None:
        """Answers each upgrade with a status: 429 tells how long to wait, others do not."""
        ...

    def forget_subscriptions(self, which: str) -> None:
        """Drops streams without a word."""
        ...

    def expire_keys(self, *, silently: bool) -> None:
        """Ends listen keys and user subscriptions."""
        ...

    def change_filters(self, args: Args) -> None:
        """Makes a symbol's tick, step or least value larger."""
        ...

    def change_status(self, args: Args) -> None:
        """Halts, resumes or delists a symbol."""
        ...

    def act_by_hand(self, args: Args) -> None:
        """Does something to an account that its engine did not ask for."""
        ...

    def shift_clock(self, by_ms: int) -> None:
        """Moves the time that the venue shows."""
        ...

    def revoke_key(self, *, revoked: bool) -> None:
        """Refuses the account's keys."""
        ...


def _cut(world: World, args: Args) -> None:
    code = args.get("code")
    notice = int(args.get("notice_ms", 0))
    which = str(args.get("stream", "all"))
    world.cut(which, None if code is None else int(code), notice_ms=notice)


TIME: dict[str, Callable[[World, Args], None]] = {
    "F-A01": lambda world, args: _cut(world, {"code": 1001, "notice_ms": 1000, **args}),
    "F-A02": _cut,
    "F-A03": lambda world, args: world.mute(
        str(args.get("stream", "all")), int(args.get("for_ms", 60_000))
    ),
    "F-A05": lambda world, args: world.refuse_connections(
        int(args.get("for_ms", 10_000)), int(args.get("status", 429))
    ),
    "F-A06": lambda world, args: world.forget_subscriptions(str(args.get("stream", "market"))),
    "F-A08": lambda world, args: world.expire_keys(silently=bool(args.get("silently", False))),
    "F-D04": lambda world, args: world.act_by_hand({"act": "twins", **args}),
    "F-D09": lambda world, args: world.act_by_hand({"act": "overfill", **args}),
    "F-E01": lambda world, args: world.act_by_hand({"act": "order", **args}),
    "F-E02": lambda world, args: world.act_by_hand({"act": "mark", **args}),
    "F-E03": lambda world, args: world.act_by_hand({"act": "deposit", **args}),
    "F-E04": lambda world, args: world.act_by_hand({"act": "bnb", **args}),
    "F-E06": lambda world, args: world.act_by_hand({"act": "mode", **args}),
    "F-E07": lambda world, args: world.act_by_hand({"act": "leverage", **args}),
    "F-E10": lambda world, args: world.revoke_key(revoked=bool(args.get("revoked", True))),
    "F-F06": lambda world, args: world.change_filters(args),
    "F-F07": lambda world, args: world.change_status(args),
    "F-G03": lambda world, args: world.act_by_hand({"act": "reissue", **args}),
    "F-G05": lambda world, args: world.act_by_hand({"act": "namesake", **args}),
    "F-L03": lambda world, args: world.shift_clock(int(args.get("by_ms", 2000))),
}
