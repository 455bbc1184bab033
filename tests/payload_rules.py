"""What a private message of Binance must decode to, read from its JSON by rules of its own.

Nothing here knows how the decoder works: the message is parsed by `json`, the rules name the
venue's fields after its documentation, and each figure must come out exactly. So payloads
that nobody has seen are checked too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

Json = Any
Rule = tuple[str, tuple[str, ...], Callable[[Json], Any]]

EVENTS = {
    "executionReport", "ORDER_TRADE_UPDATE", "TRADE_LITE", "ALGO_UPDATE", "outboundAccountPosition",
    "ACCOUNT_UPDATE", "balanceUpdate", "externalLockUpdate", "listStatus", "MARGIN_CALL",
    "ACCOUNT_CONFIG_UPDATE", "CONDITIONAL_ORDER_TRIGGER_REJECT", "listenKeyExpired",
    "eventStreamTerminated", "serverShutdown", "STRATEGY_UPDATE", "GRID_UPDATE",
    "MARGIN_LEVEL_STATUS_CHANGE",
}  # fmt: skip
FINAL = {"FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"}
OPEN = {"PENDING_NEW", "NEW", "PARTIALLY_FILLED", "PENDING_CANCEL", "NEW_INSURANCE", "NEW_ADL"}


def text(value: Json) -> str | None:
    return value or None


def word(value: Json) -> str | None:
    return value or None


def flag(value: Json) -> bool | None:
    return value


def whole(value: Json) -> int | None:
    return None if value in (None, "") else int(value)


def positive(value: Json) -> int | None:
    return value if value is not None and value > 0 else None


def not_negative(value: Json) -> int | None:
    return value if value is not None and value >= 0 else None


def number(value: Json) -> Decimal | None:
    return None if value in (None, "") else Decimal(str(value))


def stamp(value: Json) -> int | None:
    """Nanoseconds; zero and less stand for never."""
    if value is None or value <= 0:
        return None
    return value * (1_000_000 if value < 100_000_000_000_000 else 1_000)


def reason(value: Json) -> str | None:
    return None if value in (None, "", "NONE", "0", 0) else str(value)


def rule(name: str, keys: str, read: Callable[[Json], Any]) -> Rule:
    return name, tuple(keys.split()), read


EXECUTION_REPORT = [
    rule("symbol", "s", text), rule("venue_order_id", "i", whole), rule("side", "S", word),
    rule("type_", "o", word), rule("tif", "f", word), rule("qty", "q", number),
    rule("price", "p", number), rule("trigger_price", "P", number),
    rule("display_qty", "F", number), rule("list_id", "g", not_negative),
    rule("execution", "x", word), rule("status", "X", word), rule("last_qty", "l", number),
    rule("cum_qty", "z", number), rule("last_price", "L", number), rule("fee", "n", number),
    rule("fee_asset", "N", text), rule("ts_exchange", "T", stamp), rule("ts_event", "E", stamp),
    rule("ts_created", "O", stamp), rule("trade_id", "t", not_negative),
    rule("is_maker", "m", flag), rule("cum_quote", "Z", number), rule("stp", "V", word),
    rule("trailing_delta", "d", whole), rule("prevented_qty", "A", number),
]  # fmt: skip
ORDER_TRADE_UPDATE = [
    rule("symbol", "s", text), rule("client_id", "c", text), rule("venue_order_id", "i", whole),
    rule("side", "S", word), rule("type_", "o", word), rule("tif", "f", word),
    rule("qty", "q", number), rule("price", "p", number), rule("avg_price", "ap", number),
    rule("trigger_price", "sp", number), rule("execution", "x", word), rule("status", "X", word),
    rule("last_qty", "l", number), rule("cum_qty", "z", number), rule("last_price", "L", number),
    rule("fee", "n", number), rule("fee_asset", "N", text), rule("ts_exchange", "T", stamp),
    rule("trade_id", "t", positive), rule("is_maker", "m", flag), rule("reduce_only", "R", flag),
    rule("working_type", "wt", word), rule("orig_type", "ot", word),
    rule("position_side", "ps", word), rule("close_position", "cp", flag),
    rule("activation_price", "AP", number), rule("callback_rate", "cr", number),
    rule("realised_pnl", "rp", number), rule("stp", "V", word), rule("ts_expire", "gtd", stamp),
    rule("reason", "er", reason),
]  # fmt: skip
TRADE_LITE = [
    rule("symbol", "s", text), rule("client_id", "c", text), rule("venue_order_id", "i", whole),
    rule("side", "S", word), rule("qty", "q", number), rule("price", "p", number),
    rule("last_qty", "l", number), rule("last_price", "L", number), rule("trade_id", "t", whole),
    rule("is_maker", "m", flag), rule("ts_exchange", "T", stamp), rule("ts_event", "E", stamp),
]  # fmt: skip
ALGO_UPDATE = [
    rule("symbol", "s", text), rule("client_id", "caid", text), rule("algo_id", "aid", whole),
    rule("venue_order_id", "ai", whole), rule("side", "S", word), rule("type_", "o", word),
    rule("tif", "f", word), rule("status", "X", word), rule("qty", "q", number),
    rule("price", "p", number), rule("trigger_price", "tp", number),
    rule("avg_price", "ap", number), rule("cum_qty", "aq", number), rule("stp", "V", word),
    rule("position_side", "ps", word), rule("working_type", "wt", word),
    rule("reduce_only", "R", flag), rule("close_position", "cp", flag),
    rule("reason", "rm", text), rule("ts_triggered", "tt", stamp),
]  # fmt: skip
POSITION_EVENT = [
    rule("symbol", "s", text), rule("qty", "pa", number), rule("entry_price", "ep", number),
    rule("break_even_price", "bep", number), rule("realised", "cr", number),
    rule("unrealised", "up", number), rule("margin_type", "mt", word),
    rule("isolated_wallet", "iw", number), rule("position_side", "ps", word),
    rule("mark_price", "mp", number), rule("maintenance_margin", "mm", number),
]  # fmt: skip
BALANCE_EVENT = [
    rule("asset", "a", text), rule("wallet", "wb", number), rule("cross_wallet", "cw", number),
    rule("change", "bc", number),
]  # fmt: skip
SPOT_BALANCE_EVENT = [
    rule("asset", "a", text), rule("free", "f", number), rule("locked", "l", number),
]  # fmt: skip
BALANCE_CHANGE = [
    rule("asset", "a", text), rule("change", "d", number), rule("ts_exchange", "T", stamp),
]  # fmt: skip
LIST = [
    rule("symbol", "s", text), rule("list_id", "g", whole), rule("contingency", "c", word),
    rule("status", "l", word), rule("order_status", "L", word), rule("client_id", "C", text),
    rule("reason", "r", reason), rule("ts_exchange", "T", stamp),
]  # fmt: skip
ORDER = [
    rule("symbol", "symbol", text), rule("venue_order_id", "orderId", whole),
    rule("client_id", "origClientOrderId clientOrderId", text), rule("side", "side", word),
    rule("type_", "type", word), rule("orig_type", "origType", word),
    rule("tif", "timeInForce", word), rule("status", "status", word),
    rule("qty", "origQty qty", number), rule("price", "price", number),
    rule("trigger_price", "stopPrice", number), rule("avg_price", "avgPrice", number),
    rule("cum_qty", "executedQty", number),
    rule("cum_quote", "cummulativeQuoteQty cumulativeQuoteQty cumQuote cumBase", number),
    rule("display_qty", "icebergQty", number), rule("list_id", "orderListId", not_negative),
    rule("ts_exchange", "transactTime updateTime time", stamp), rule("ts_created", "time", stamp),
    rule("stp", "selfTradePreventionMode", word), rule("position_side", "positionSide", word),
    rule("reduce_only", "reduceOnly", flag), rule("close_position", "closePosition", flag),
    rule("working_type", "workingType", word), rule("activation_price", "activatePrice", number),
    rule("callback_rate", "priceRate", number), rule("trailing_delta", "trailingDelta", whole),
    rule("prevented_qty", "preventedQuantity preventedQty", number),
    rule("ts_expire", "goodTillDate", stamp), rule("reason", "expiryReason", text),
]  # fmt: skip
ALGO_ORDER = [
    rule("client_id", "clientAlgoId", text), rule("algo_id", "algoId", whole),
    rule("venue_order_id", "actualOrderId", whole), rule("side", "side", word),
    rule("type_", "orderType", word), rule("tif", "timeInForce", word),
    rule("status", "algoStatus", word), rule("qty", "quantity", number),
    rule("price", "price", number), rule("trigger_price", "triggerPrice", number),
    rule("avg_price", "actualPrice", number), rule("cum_qty", "actualQty", number),
    rule("activation_price", "activatePrice", number),
    rule("callback_rate", "callbackRate", number), rule("stp", "selfTradePreventionMode", word),
    rule("position_side", "positionSide", word), rule("working_type", "workingType", word),
    rule("reduce_only", "reduceOnly", flag), rule("close_position", "closePosition", flag),
    rule("ts_created", "createTime", stamp), rule("ts_exchange", "updateTime createTime", stamp),
    rule("ts_triggered", "triggerTime", stamp), rule("code", "code", whole),
]  # fmt: skip
TRADE = [
    rule("trade_id", "id tradeId", whole), rule("price", "price", number),
    rule("qty", "qty", number), rule("quote_qty", "quoteQty baseQty", number),
    rule("fee", "commission", number), rule("fee_asset", "commissionAsset", text),
    rule("venue_order_id", "orderId", whole), rule("is_maker", "isMaker maker", flag),
    rule("position_side", "positionSide", word), rule("realised_pnl", "realizedPnl", number),
    rule("ts_exchange", "time", stamp),
]  # fmt: skip
BALANCE = [
    rule("asset", "asset", text), rule("free", "free", number), rule("locked", "locked", number),
    rule("wallet", "walletBalance balance", number),
    rule("cross_wallet", "crossWalletBalance", number),
    rule("available", "availableBalance", number), rule("unrealised", "unrealizedProfit", number),
    rule("ts_exchange", "updateTime", stamp),
]  # fmt: skip
POSITION = [
    rule("symbol", "symbol", text), rule("qty", "positionAmt", number),
    rule("position_side", "positionSide", word), rule("entry_price", "entryPrice", number),
    rule("break_even_price", "breakEvenPrice", number), rule("mark_price", "markPrice", number),
    rule("liquidation_price", "liquidationPrice", number),
    rule("unrealised", "unRealizedProfit unrealizedProfit", number),
    rule("margin_type", "marginType", word), rule("isolated_wallet", "isolatedWallet", number),
    rule("isolated_margin", "isolatedMargin", number),
    rule("maintenance_margin", "maintMargin", number), rule("leverage", "leverage", number),
    rule("notional", "notional", number), rule("ts_exchange", "updateTime", stamp),
]  # fmt: skip


def agree(report: Any, source: Json, rules: list[Rule]) -> None:
    """Fail unless each field of a report is what the message says."""
    for name, keys, read in rules:
        found = (read(source[key]) for key in keys if key in source)
        wanted = next((value for value in found if value is not None), None)
        if name in {"symbol", "asset"} and wanted is None:
            wanted = ""
        got = getattr(report, name)
        assert got == wanted, f"{name}: decoded {got!r}, the message says {wanted!r}"


def event_of(message: Json, *, is_private: bool = False) -> Json | None:
    """The private event in a frame, if it is one; on a private stream every event is."""
    if not isinstance(message, dict):
        return None
    inner = message.get("event", message.get("data"))
    for one in (message, inner):
        if isinstance(one, dict) and (one.get("e") in EVENTS or (is_private and "e" in one)):
            return one
    return None


def shape_of(body: Json) -> str | None:
    """What a body or result is about: "orders", "algo", "trades", "account", or none of ours."""
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, dict):
        return None
    if {"algoId", "clientAlgoId"} <= first.keys():
        return "algo"
    if {"orderId", "id", "symbol", "commissionAsset"} <= first.keys():
        return "trades"
    if is_account(first):
        return "account"
    return "orders" if any(True for _ in orders_in(body)) else None


def is_account(body: dict[str, Json]) -> bool:
    """Whether an object is an account, a balance or a position."""
    if "positionAmt" in body or {"balance", "crossWalletBalance", "asset"} <= body.keys():
        return True
    lists = [body.get(name) for name in ("balances", "assets", "positions")]
    rows = [row for one in lists if isinstance(one, list) for row in one if isinstance(row, dict)]
    return (
        any({"free", "locked"} <= row.keys() for row in rows if "userAssets" not in body)
        and ("canTrade" in body)
    ) or any("walletBalance" in row for row in rows)


def orders_in(body: Json) -> Iterator[dict[str, Json]]:
    """Each order or refusal in a body, in order."""
    if isinstance(body, list):
        for one in body:
            yield from orders_in(one)
        return
    if not isinstance(body, dict) or {"executionId", "origQty"} <= body.keys():
        return
    inner = ("amendedOrder", "cancelResponse", "newOrderResponse", "orderReports", "data")
    if any(name in body for name in inner):
        for name in inner:
            yield from orders_in(body.get(name))
    elif is_order(body) or ("code" in body and "msg" in body and body["code"] != 200):
        yield body


def is_order(body: dict[str, Json]) -> bool:
    """Whether an object is an order, and not only the name of one or its amendment."""
    if not {"orderId", "symbol"} <= body.keys() or "amendmentId" in body:
        return False
    return bool({"status", "origQty", "executedQty"} & body.keys())


def check_order(report: Any, source: Json) -> None:
    """An order of REST or an answer; or a refusal in its place."""
    if "orderId" not in source:
        assert (report.code, report.text) == (source["code"], source["msg"])
        return
    agree(report, source, ORDER)
    if source.get("origClientOrderId"):
        assert report.request_id == text(source.get("clientOrderId"))
    check_status(report, source.get("status"))
    fills = source.get("fills") or []
    assert len(report.fills) == len(fills)
    for fill, row in zip(report.fills, fills, strict=True):
        agree(fill, row, [one for one in TRADE if one[0] not in {"venue_order_id"}])


def check_status(report: Any, status: str | None) -> None:
    known = {**dict.fromkeys(FINAL, True), **dict.fromkeys(OPEN, False)}
    assert report.is_final is known.get(status or "")
    assert report.is_unclear or status is None or status in known


def check_body(decoder: Any, shape: str, body: Json, raw: bytes | str) -> list[Any]:
    """Decode a body, compare it with its JSON, return what it decoded to."""
    if shape == "orders":
        rows, wanted = decoder.orders(raw), list(orders_in(body))
        assert len(rows) == len(wanted)
        for row, source in zip(rows, wanted, strict=True):
            check_order(row, source)
        return rows
    listed = body if isinstance(body, list) else [body]
    if shape in {"algo", "trades"}:
        rows = decoder.algo_orders(raw) if shape == "algo" else decoder.trades(raw)
        rules = ALGO_ORDER if shape == "algo" else [*TRADE, rule("symbol", "symbol", text)]
        for row, source in zip(rows, listed, strict=True):
            agree(row, source, rules)
            if shape == "trades":
                buyer = source.get("isBuyer", source.get("buyer"))
                assert row.is_buyer == (source.get("side") == "BUY" if buyer is None else buyer)
        return rows
    account = decoder.account(raw)
    if isinstance(body, dict) and not {"positionAmt", "balance"} & body.keys():
        balances = [*body.get("balances", []), *body.get("assets", [])]
        positions = body.get("positions", [])
        assert account.can_trade == body.get("canTrade")
        assert account.can_withdraw == body.get("canWithdraw")
    else:
        balances = [row for row in listed if "symbol" not in row]
        positions = [row for row in listed if "symbol" in row]
    for rows, sources, rules in (
        (account.balances, balances, BALANCE), (account.positions, positions, POSITION),
    ):  # fmt: skip
        for row, source in zip(rows, sources, strict=True):
            agree(row, source, rules)
    return [account]


def check_event(event: Any, source: Json, outer: Json) -> None:
    """Compare a decoded event with the one in the frame."""
    name, report = source["e"], event.report
    assert event.name == name
    assert event.ts_event == stamp(source.get("E"))
    assert event.subscription == outer.get("subscriptionId")
    checks = {
        "executionReport": check_execution, "ORDER_TRADE_UPDATE": check_trade_update,
        "TRADE_LITE": lambda r, s: agree(r, s, TRADE_LITE), "ALGO_UPDATE": check_algo_update,
        "outboundAccountPosition": check_spot_account, "ACCOUNT_UPDATE": check_account_update,
        "balanceUpdate": lambda r, s: agree(r, s, BALANCE_CHANGE),
        "externalLockUpdate": lambda r, s: agree(r, s, BALANCE_CHANGE),
        "listStatus": check_list, "MARGIN_CALL": check_margin_call,
        "ACCOUNT_CONFIG_UPDATE": check_config,
        "CONDITIONAL_ORDER_TRIGGER_REJECT": check_trigger_refused,
    }  # fmt: skip
    if name in checks:
        checks[name](report, source)
        return
    ended = {"listenKeyExpired": "stream_ended", "eventStreamTerminated": "stream_ended"}
    kinds = {**ended, "serverShutdown": "shutdown"}
    assert (event.kind, report) == (kinds.get(name, "other"), None)


def check_execution(report: Any, source: Json) -> None:
    agree(report, source, EXECUTION_REPORT)
    ids = (source["C"], source["c"]) if source.get("C") else (source["c"], None)
    assert (report.client_id, report.request_id) == ids
    assert report.reason == (reason(source.get("r")) or source.get("eR"))
    check_happened(report, source)


def check_happened(report: Any, source: Json) -> None:
    check_status(report, source["X"])
    filled = report.trade_id is not None and Decimal(source["l"]) != 0
    assert report.is_fill is filled
    assert report.is_amended is (source["x"] in {"REPLACED", "AMENDMENT"})
    own = ("autoclose-", "adl_autoclose", "settlement_autoclose-")
    assert report.is_system is source["c"].startswith(own)


def check_trade_update(report: Any, source: Json) -> None:
    agree(report, source["o"], ORDER_TRADE_UPDATE)
    assert report.ts_event == stamp(source["E"])
    check_happened(report, source["o"])


def check_algo_update(report: Any, source: Json) -> None:
    agree(report, source["o"], ALGO_UPDATE)
    assert (report.ts_exchange, report.ts_event) == (stamp(source["T"]), stamp(source["E"]))


def check_spot_account(report: Any, source: Json) -> None:
    for row, asset in zip(report.balances, source["B"], strict=True):
        agree(row, asset, SPOT_BALANCE_EVENT)
        assert row.ts_exchange == stamp(source["u"])


def check_account_update(report: Any, source: Json) -> None:
    inner = source["a"]
    assert (report.reason, report.symbol) == (inner.get("m"), inner.get("S"))
    for row, asset in zip(report.balances, inner.get("B", []), strict=True):
        agree(row, asset, BALANCE_EVENT)
    check_positions(report, inner.get("P", []))


def check_positions(report: Any, sources: list[Json]) -> None:
    for row, source in zip(report.positions, sources, strict=True):
        agree(row, source, POSITION_EVENT)
        assert row.is_isolated == (source["mt"].lower() == "isolated")


def check_margin_call(report: Any, source: Json) -> None:
    assert [row.cross_wallet for row in report.balances] == [number(source["cw"])]
    check_positions(report, source["p"])


def check_list(report: Any, source: Json) -> None:
    agree(report, source, LIST)
    assert report.orders == [(order["i"], order["c"]) for order in source["O"]]


def check_config(report: Any, source: Json) -> None:
    leverage = source.get("ac", {})
    assert (report.symbol, report.leverage) == (leverage.get("s"), leverage.get("l"))
    assert report.multi_assets == source.get("ai", {}).get("j")


def check_trigger_refused(report: Any, source: Json) -> None:
    inner = source["or"]
    got = (report.symbol, report.venue_order_id, report.reason)
    assert got == (inner["s"], inner["i"], inner["r"])


def check_reply(reply: Any, source: Json) -> None:
    """Compare an answer's envelope with its JSON."""
    wanted_id = source.get("id")
    assert reply.id == (None if wanted_id is None else str(wanted_id))
    assert reply.status == source["status"]
    error = source.get("error") or {}
    assert (reply.code, reply.text) == (error.get("code"), error.get("msg"))
    retry = (error.get("data") or {}).get("retryAfter")
    assert reply.retry_at == stamp(retry)
    for name, span in (("result", reply.result), ("data", reply.data)):
        holder = source if name == "result" else error
        wanted = holder.get(name)
        assert wanted == (None if span is None else json.loads(span)), name
    seconds = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}
    limits = source.get("rateLimits") or []
    assert reply.limits == [
        (one["rateLimitType"], seconds[one["interval"]] * one["intervalNum"], one["limit"],
         one.get("count", 0))
        for one in limits
    ]  # fmt: skip
