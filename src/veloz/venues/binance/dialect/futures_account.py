"""Accounts, positions and settings of the two futures APIs.

Source: Binance Derivatives, "Account" and "Trade", USDⓈ-M v1 to v3, COIN-M v1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veloz.exchange.model import Window
from veloz.exchange.words import IncomeKind, MarginType, Market, PositionSide, Refusal, Why
from veloz.venues.binance.dialect.errors import VenueError, error
from veloz.venues.binance.dialect.futures_shapes import income_shape, order_shape, tier_shapes
from veloz.venues.binance.dialect.futures_wallets import (
    NO_CAP,
    account_position,
    asset_shape,
    balance_shape,
    risk_v2,
    risk_v3,
    totals,
)
from veloz.venues.binance.dialect.limits import FUTURES_LIMITS
from veloz.venues.binance.dialect.market_rest import time_window
from veloz.venues.binance.dialect.vocabulary import MARGIN_TYPES, MILLISECOND, plain

if TYPE_CHECKING:
    from veloz.exchange.model import Position
    from veloz.venues.binance.dialect.venue import Call

__all__ = [
    "account_config",
    "account_v1",
    "account_v2",
    "account_v3",
    "adl_quantiles",
    "balance",
    "brackets",
    "change_leverage",
    "change_margin",
    "change_margin_type",
    "change_mode",
    "change_multi_assets",
    "commission_rate",
    "fee_burn",
    "force_orders",
    "income",
    "listen_key_close",
    "listen_key_keep",
    "listen_key_start",
    "margin_history",
    "mode",
    "multi_assets",
    "order_counts",
    "position_risk_v1",
    "position_risk_v2",
    "position_risk_v3",
    "symbol_config",
    "trading_status",
]

SUCCESS = {"code": 200, "msg": "success"}


def balance(call: Call) -> list[dict[str, Any]]:
    """`GET …/balance`."""
    view = call.exchange.account(call.account, call.market)
    alias = f"A{call.venue.uid(call.account)}"
    return [balance_shape(row, alias, call.market) for row in view.wallets]


def _positions(call: Call) -> list[Position]:
    """Every leg of every contract, flat ones too."""
    found: list[Position] = []
    for listing in call.listings_asked():
        found.extend(call.exchange.positions(call.account, call.market, listing.symbol))
    return found


def _account(call: Call, version: int) -> dict[str, Any]:
    view = call.exchange.account(call.account, call.market)
    rows = _positions(call)
    if version >= 3:
        rows = [row for row in rows if _matters(row)]
    shape: dict[str, Any] = {
        "assets": [asset_shape(row) for row in view.wallets],
        "positions": [
            account_position(row, call.find(row.symbol), version=version) for row in rows
        ],
    }
    if version >= 2:
        shape = totals(view.wallets) | shape
    return shape


def _flags(call: Call) -> dict[str, Any]:
    return {
        "feeTier": 0,
        "canTrade": call.key is not None and call.key.can_trade,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
    }


def account_v1(call: Call) -> dict[str, Any]:
    """`GET /dapi/v1/account`."""
    return _flags(call) | _account(call, 1)


def account_v2(call: Call) -> dict[str, Any]:
    """`GET /fapi/v2/account`."""
    burns = call.exchange.account(call.account, call.market).pays_fees_in_bnb
    extra = {"feeBurn": burns, "multiAssetsMargin": False, "tradeGroupId": -1}
    return _flags(call) | extra | _account(call, 2)


def account_v3(call: Call) -> dict[str, Any]:
    """`GET /fapi/v3/account`: only positions that are open or have open orders."""
    return _account(call, 3)


def _matters(row: Position) -> bool:
    return bool(row.qty or row.open_order_initial_margin)


def position_risk_v1(call: Call) -> list[dict[str, Any]]:
    """`GET /dapi/v1/positionRisk`."""
    rows = _positions(call)
    if "pair" in call.params:
        pair = call.params.text("pair")
        rows = [row for row in rows if call.find(row.symbol).pair == pair]
    return [risk_v2(row, call.find(row.symbol)) for row in rows]


def position_risk_v2(call: Call) -> list[dict[str, Any]]:
    """`GET /fapi/v2/positionRisk`: every contract."""
    return [risk_v2(row, call.find(row.symbol)) for row in _positions(call)]


def position_risk_v3(call: Call) -> list[dict[str, Any]]:
    """`GET /fapi/v3/positionRisk`: only what is open or has open orders."""
    return [risk_v3(row, call.find(row.symbol)) for row in _positions(call) if _matters(row)]


def account_config(call: Call) -> dict[str, Any]:
    """`GET /fapi/v1/accountConfig`."""
    return _flags(call) | {
        "dualSidePosition": call.exchange.hedge_mode(call.account),
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def symbol_config(call: Call) -> list[dict[str, Any]]:
    """`GET /fapi/v1/symbolConfig`."""
    rows: list[dict[str, Any]] = []
    for listing in call.listings_asked():
        kind = call.exchange.margin_type(call.account, call.market, listing.symbol)
        leverage = call.exchange.leverage(call.account, call.market, listing.symbol)
        rows.append(
            {
                "symbol": listing.symbol,
                "marginType": "ISOLATED" if kind is MarginType.ISOLATED else "CROSSED",
                "isAutoAddMargin": False,
                "leverage": leverage,
                "maxNotionalValue": _most(call, listing.symbol),
            }
        )
    return rows


def _most(call: Call, symbol: str) -> str:
    legs = call.exchange.positions(call.account, call.market, symbol)
    most = legs[0].max_notional if legs else None
    return NO_CAP if most is None else plain(most)


def change_leverage(call: Call) -> dict[str, Any]:
    """`POST …/leverage`."""
    symbol = call.listing().symbol
    leverage = call.params.int("leverage")
    try:
        call.exchange.set_leverage(call.account, call.market, symbol, leverage)
    except Refusal as refusal:
        if refusal.why is Why.BAD_LEVERAGE:
            raise error(-4028, leverage=leverage) from None
        raise
    most = "maxQty" if call.market is Market.COINM else "maxNotionalValue"
    return {"leverage": leverage, most: _most(call, symbol), "symbol": symbol}


def change_margin_type(call: Call) -> dict[str, Any]:
    """`POST …/marginType`; -4046 if nothing would change."""
    symbol = call.listing().symbol
    kind = MARGIN_TYPES[call.params.word("marginType", MARGIN_TYPES)]
    codes = {Why.NO_CHANGE: -4046, Why.OPEN_ORDERS: -4047, Why.OPEN_POSITIONS: -4048}
    try:
        call.exchange.set_margin_type(call.account, call.market, symbol, kind)
    except Refusal as refusal:
        if refusal.why in codes:
            raise error(codes[refusal.why]) from None
        raise
    return SUCCESS


def mode(call: Call) -> dict[str, Any]:
    """`GET …/positionSide/dual`."""
    return {"dualSidePosition": call.exchange.hedge_mode(call.account)}


def change_mode(call: Call) -> dict[str, Any]:
    """`POST …/positionSide/dual`, for both markets together; -4059 if nothing would change."""
    call.params.text("dualSidePosition")
    wanted = call.params.bool_or("dualSidePosition", otherwise=False)
    if wanted is call.exchange.hedge_mode(call.account):
        raise error(-4059)
    try:
        call.exchange.set_hedge_mode(call.account, on=wanted)
    except Refusal as refusal:
        if refusal.why is Why.NO_CHANGE:
            raise error(-4059) from None
        raise
    return SUCCESS


def multi_assets(_call: Call) -> dict[str, Any]:
    """`GET /fapi/v1/multiAssetsMargin`: this venue has the single-asset mode only."""
    return {"multiAssetsMargin": False}


def change_multi_assets(call: Call) -> dict[str, Any]:
    """`POST /fapi/v1/multiAssetsMargin`."""
    if call.params.bool_or("multiAssetsMargin", otherwise=False):
        raise error(-1020)
    raise VenueError(400, -4171, "No need to change Multi-Assets mode.")


def change_margin(call: Call) -> dict[str, Any]:
    """`POST …/positionMargin`: type 1 adds, 2 takes away."""
    symbol = call.listing().symbol
    amount = call.params.decimal("amount")
    kind = call.params.int("type")
    if kind not in {1, 2}:
        raise error(-1130, name="type")
    side = PositionSide(call.params.word_or("positionSide", "BOTH", set(PositionSide)))
    signed = amount if kind == 1 else -amount
    call.exchange.move_margin(call.account, call.market, symbol, side, signed)
    return {
        "amount": float(amount),
        "code": 200,
        "msg": "Successfully modify position margin.",
        "type": kind,
    }


def margin_history(call: Call) -> list[Any]:
    """`GET …/positionMargin/history`: not kept by this venue."""
    call.listing()
    return []


def brackets(call: Call) -> Any:
    """`GET …/leverageBracket`; COIN-M v1 lists pairs."""
    rows: list[dict[str, Any]] = []
    by_pair = call.market is Market.COINM
    for listing in call.listings_asked():
        name = {"symbol": listing.symbol, "notionalCoef": 1.0}
        if by_pair:
            name = {"symbol": listing.symbol, "pair": listing.pair}
        rows.append({**name, "brackets": tier_shapes(listing)})
    return rows


def commission_rate(call: Call) -> dict[str, Any]:
    """`GET …/commissionRate`."""
    symbol = call.listing().symbol
    maker, taker = call.exchange.fees(call.account, call.market, symbol)
    return {
        "symbol": symbol,
        "makerCommissionRate": plain(maker),
        "takerCommissionRate": plain(taker),
        "rpiCommissionRate": plain(maker),
    }


def income(call: Call) -> list[dict[str, Any]]:
    """`GET …/income`: the newest rows, or with `page` that page, counted from the oldest."""
    kind = call.params.word_or("incomeType", "", set(IncomeKind))
    symbol = call.listing().symbol if "symbol" in call.params else None
    window = time_window(call, 100, 1000)
    page = call.params.int_or_none("page")
    before = 0 if page is None else (max(page, 1) - 1) * window.limit
    if page is not None:
        start_ns = window.start_ns or 0
        window = window._replace(start_ns=start_ns, limit=before + window.limit)
    rows = call.exchange.income(
        call.account, call.market, symbol, window, kind=IncomeKind(kind) if kind else None
    )
    return [income_shape(row) for row in rows[before:]]


def adl_quantiles(call: Call) -> list[dict[str, Any]]:
    """`GET …/adlQuantile`."""
    found: dict[str, dict[str, int]] = {}
    for row in _positions(call):
        found.setdefault(row.symbol, {})[row.position_side.value] = row.adl_quantile
    return [{"symbol": symbol, "adlQuantile": legs} for symbol, legs in found.items()]


def force_orders(call: Call) -> list[dict[str, Any]]:
    """`GET …/forceOrders`: the account's liquidation and deleveraging orders."""
    rows: list[dict[str, Any]] = []
    for listing in call.listings_asked():
        orders = call.exchange.all_orders(
            call.account, call.market, listing.symbol, Window(limit=1000)
        )
        rows.extend(
            order_shape(order, listing)
            for order in orders
            if order.client_order_id.startswith(("autoclose-", "adl_autoclose"))
        )
    return rows


def order_counts(call: Call) -> list[dict[str, Any]]:
    """`GET /fapi/v1/rateLimit/order`."""
    return [limit.shape() for limit in FUTURES_LIMITS.orders]


def trading_status(call: Call) -> dict[str, Any]:
    """`GET /fapi/v1/apiTradingStatus`: nothing is locked."""
    return {"indicators": {}, "updateTime": call.venue.now_ns() // MILLISECOND}


def fee_burn(call: Call) -> dict[str, Any]:
    """`GET` and `POST /fapi/v1/feeBurn`: whether fees are paid in BNB."""
    if "feeBurn" in call.params:
        wanted = call.params.bool_or("feeBurn", otherwise=False)
        call.exchange.set_bnb_fees(call.account, call.market, on=wanted)
        return SUCCESS
    return {"feeBurn": call.exchange.account(call.account, call.market).pays_fees_in_bnb}


def listen_key_start(call: Call) -> dict[str, Any]:
    """`POST …/listenKey`: makes one, or gives the running one another hour."""
    return {"listenKey": call.venue.listen_key(call.account, call.market).word}


def _running(call: Call) -> bool:
    now = call.venue.now_ms()
    rows = call.venue.listen_keys.values()
    return any(
        row.account == call.account and row.market is call.market and row.ends_ms > now
        for row in rows
    )


def listen_key_keep(call: Call) -> dict[str, Any]:
    """`PUT …/listenKey`: -1125 if there is none."""
    if not _running(call):
        raise error(-1125)
    return {"listenKey": call.venue.listen_key(call.account, call.market).word}


def listen_key_close(call: Call) -> dict[str, Any]:
    """`DELETE …/listenKey`: ends the stream too."""
    for row in list(call.venue.listen_keys.values()):
        if row.account == call.account and row.market is call.market:
            row.ends_ms = 0
    return {}
