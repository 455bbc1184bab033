"""Which request does what, at which weight: the whole API of the three markets, as tables.

Source: Binance Spot API and Derivatives documentation, "IP Weight" of each endpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veloz.exchange.words import Market
from veloz.venues.binance.dialect import algo_orders as algo
from veloz.venues.binance.dialect import futures_account as fa
from veloz.venues.binance.dialect import futures_market as fm
from veloz.venues.binance.dialect import futures_orders as fo
from veloz.venues.binance.dialect import market_rest as md
from veloz.venues.binance.dialect import spot_account as sa
from veloz.venues.binance.dialect import spot_lists as sl
from veloz.venues.binance.dialect import spot_market as sm
from veloz.venues.binance.dialect import spot_orders as so
from veloz.venues.binance.dialect.venue import Route, Routes, Security

if TYPE_CHECKING:
    from collections.abc import Callable

    from veloz.venues.binance.dialect.params import Params
    from veloz.venues.binance.dialect.venue import Work

__all__ = ["ROUTES"]

KEY, SIGNED = Security.KEY, Security.SIGNED


def _per_symbol(one: int, many: int) -> Callable[[Params], int]:
    return lambda params: one if "symbol" in params else many


def _open(
    kind: str,
    work: Work,
    weight: int | Callable[[Params], int] = 1,
    security: Security | None = None,
) -> Route:
    return Route(kind, work, security or Security.NONE, weight)


def _mine(
    kind: str, work: Work, weight: int | Callable[[Params], int] = 1, *, query: bool = False
) -> Route:
    return Route(kind, work, SIGNED, weight, query=query)


def _spot_trade(kind: str, work: Work, weight: int = 1, orders: int = 0) -> Route:
    return Route(kind, work, SIGNED, weight, orders, free=True)


def _batched(params: Params) -> int:
    return len(params.json_list("batchOrders"))


def _futures_trade(
    kind: str, work: Work, weight: int = 1, orders: int | Callable[[Params], int] = 0
) -> Route:
    return Route(kind, work, SIGNED, weight, orders)


SPOT_PUBLIC = {
    "/ping": _open("ping", md.ping),
    "/time": _open("time", md.server_time),
    "/exchangeInfo": _open("exchangeInfo", sm.exchange_info, 20),
    "/depth": _open("depth", md.depth, md.depth_weight_spot),
    "/trades": _open("trades.recent", sm.trades, 25),
    "/historicalTrades": _open("trades.historical", sm.trades, 25),
    "/aggTrades": _open("trades.aggregate", md.agg_trades, 4),
    "/klines": _open("klines", md.klines, 2),
    "/uiKlines": _open("uiKlines", md.klines, 2),
    "/avgPrice": _open("avgPrice", sm.average_price, 2),
    "/ticker/24hr": _open("ticker.24hr", sm.day_ticker, _per_symbol(2, 80)),
    "/ticker/tradingDay": _open("ticker.tradingDay", sm.trading_day_ticker, 4),
    "/ticker": _open("ticker", sm.window_ticker, 4),
    "/ticker/price": _open("ticker.price", sm.price_ticker, _per_symbol(2, 4)),
    "/ticker/bookTicker": _open("ticker.book", sm.book_ticker, _per_symbol(2, 4)),
    "/executionRules": _open("executionRules", sm.execution_rules, _per_symbol(2, 40)),
    "/referencePrice": _open("referencePrice", sm.reference_price, 2),
    "/referencePrice/calculation": _open("referencePrice.calculation", sm.reference_price, 2),
    "/historicalBlockTrades": _open("blockTrades.historical", sm.block_trades, 25),
}
SPOT_PRIVATE = {
    ("POST", "/order"): _spot_trade("order.place", so.place, orders=1),
    ("POST", "/order/test"): _mine("order.test", so.test),
    ("GET", "/order"): _mine("order.status", so.query, 4, query=True),
    ("DELETE", "/order"): _spot_trade("order.cancel", so.cancel),
    ("DELETE", "/openOrders"): _spot_trade("openOrders.cancelAll", so.cancel_open),
    ("POST", "/order/cancelReplace"): _spot_trade(
        "order.cancelReplace", so.cancel_replace, orders=1
    ),
    ("PUT", "/order/amend/keepPriority"): _spot_trade("order.amend.keepPriority", so.amend, 4),
    ("GET", "/order/amendments"): _mine("order.amendments", so.amendments, 4, query=True),
    ("GET", "/openOrders"): _mine("openOrders.status", so.open_orders, _per_symbol(6, 80)),
    ("GET", "/allOrders"): _mine("allOrders", so.all_orders, 20),
    ("POST", "/order/oco"): _spot_trade("orderList.place", sl.older_oco, orders=2),
    ("POST", "/orderList/opo"): _mine("orderList.place.opo", sl.no_opo),
    ("POST", "/orderList/opoco"): _mine("orderList.place.opoco", sl.no_opo),
    ("POST", "/sor/order"): _mine("sor.order.place", sl.no_sor),
    ("POST", "/sor/order/test"): _mine("sor.order.test", sl.no_sor),
    ("POST", "/orderList/oco"): _spot_trade("orderList.place.oco", sl.oco, orders=2),
    ("POST", "/orderList/oto"): _spot_trade("orderList.place.oto", sl.oto, orders=2),
    ("POST", "/orderList/otoco"): _spot_trade("orderList.place.otoco", sl.otoco, orders=3),
    ("DELETE", "/orderList"): _spot_trade("orderList.cancel", sl.cancel),
    ("GET", "/orderList"): _mine("orderList.status", sl.query, 4, query=True),
    ("GET", "/allOrderList"): _mine("allOrderLists", sl.all_lists, 20),
    ("GET", "/openOrderList"): _mine("openOrderLists.status", sl.open_lists, 6),
    ("GET", "/account"): _mine("account.status", sa.account, 20),
    ("GET", "/account/commission"): _mine("account.commission", sa.commission, 20),
    ("GET", "/myTrades"): _mine("myTrades", sa.fills, sa.fills_weight),
    ("GET", "/rateLimit/order"): _mine("account.rateLimits.orders", sa.order_counts, 40),
    ("GET", "/myPreventedMatches"): _mine("myPreventedMatches", sa.prevented, 20),
    ("GET", "/myAllocations"): _mine("myAllocations", sa.nothing, 20),
    ("GET", "/myFilters"): _mine("myFilters", sa.my_filters, 40),
}
WALLET = {
    ("GET", "/sapi/v1/system/status"): _open("system.status", sa.system_status),
    ("GET", "/sapi/v1/capital/config/getall"): _mine("wallet.coins", sa.coins, 10),
    ("GET", "/sapi/v1/account/apiRestrictions"): _mine("wallet.key", sa.api_restrictions),
    ("GET", "/sapi/v1/account/apiTradingStatus"): _mine("wallet.status", sa.trading_status),
    ("GET", "/sapi/v1/asset/tradeFee"): _mine("wallet.fees", sa.trade_fees),
    ("POST", "/sapi/v1/asset/transfer"): _mine("wallet.transfer", sa.transfer, 900),
    ("GET", "/sapi/v1/account/status"): _mine("wallet.account", sa.account_status),
    ("POST", "/sapi/v3/asset/getUserAsset"): _mine("wallet.assets", sa.user_assets, 5),
    ("GET", "/sapi/v1/margin/allPairs"): _open("margin.pairs", sa.nothing, security=KEY),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): _open(
        "margin.isolated", sa.nothing, security=KEY
    ),
    ("GET", "/sapi/v1/capital/deposit/hisrec"): _mine("wallet.deposits", sa.nothing),
    ("GET", "/sapi/v1/capital/withdraw/history"): _mine("wallet.withdrawals", sa.nothing),
    ("GET", "/sapi/v1/spot/delist-schedule"): _open("delistSchedule", sa.nothing, 100, KEY),
}
FUTURES_PUBLIC = {
    "/ping": _open("ping", md.ping),
    "/time": _open("time", md.server_time),
    "/exchangeInfo": _open("exchangeInfo", fm.exchange_info),
    "/depth": _open("depth", md.depth, md.depth_weight_futures),
    "/trades": _open("trades.recent", fm.trades, 5),
    "/historicalTrades": _open("trades.historical", fm.trades, 20, KEY),
    "/aggTrades": _open("trades.aggregate", md.agg_trades, 20),
    "/klines": _open("klines", md.klines, md.kline_weight_futures),
    "/continuousKlines": _open("continuousKlines", fm.continuous_klines, md.kline_weight_futures),
    "/indexPriceKlines": _open("indexPriceKlines", fm.index_klines, md.kline_weight_futures),
    "/markPriceKlines": _open("markPriceKlines", fm.price_klines, md.kline_weight_futures),
    "/premiumIndexKlines": _open("premiumIndexKlines", fm.premium_klines, md.kline_weight_futures),
    "/constituents": _open("constituents", fm.constituents, 2),
    "/premiumIndex": _open("premiumIndex", fm.premium_index, _per_symbol(1, 10)),
    "/fundingRate": _open("fundingRate", fm.funding_rates, 0),
    "/fundingInfo": _open("fundingInfo", fm.funding_details, 0),
    "/openInterest": _open("openInterest", fm.open_interest),
    "/ticker/24hr": _open("ticker.24hr", fm.day_ticker, _per_symbol(1, 40)),
    "/ticker/price": _open("ticker.price", fm.price_ticker, _per_symbol(1, 2)),
    "/ticker/bookTicker": _open("ticker.book", fm.book_ticker, _per_symbol(2, 5)),
}
FUTURES_PRIVATE = {
    ("POST", "/order"): _futures_trade("order.place", fo.place, 0, orders=1),
    ("POST", "/order/test"): _mine("order.test", fo.test),
    ("GET", "/order"): _mine("order.status", fo.query, query=True),
    ("PUT", "/order"): _futures_trade("order.modify", fo.modify, orders=1),
    ("DELETE", "/order"): _futures_trade("order.cancel", fo.cancel),
    ("POST", "/batchOrders"): _futures_trade(
        "order.placeBatch", fo.batch_place, 5, orders=_batched
    ),
    ("PUT", "/batchOrders"): _futures_trade(
        "order.modifyBatch", fo.batch_modify, 5, orders=_batched
    ),
    ("DELETE", "/batchOrders"): _futures_trade("order.cancelBatch", fo.batch_cancel),
    ("DELETE", "/allOpenOrders"): _futures_trade("openOrders.cancelAll", fo.cancel_all),
    ("POST", "/countdownCancelAll"): _futures_trade("order.countdown", fo.countdown, 10),
    ("GET", "/openOrder"): _mine("openOrder.status", fo.open_order, query=True),
    ("GET", "/openOrders"): _mine("openOrders.status", fo.open_orders, _per_symbol(1, 40)),
    ("GET", "/allOrders"): _mine("allOrders", fo.all_orders, 5),
    ("GET", "/orderAmendment"): _mine("order.amendments", fo.amendments, query=True),
    ("GET", "/userTrades"): _mine("myTrades", fo.fills, 5),
    ("GET", "/forceOrders"): _mine("forceOrders", fa.force_orders, _per_symbol(20, 50)),
    ("POST", "/algoOrder"): _futures_trade("algoOrder.place", algo.place, 0, orders=1),
    ("GET", "/algoOrder"): _mine("algoOrder.status", algo.query, query=True),
    ("DELETE", "/algoOrder"): _futures_trade("algoOrder.cancel", algo.cancel),
    ("DELETE", "/algoOpenOrders"): _futures_trade("algoOrder.cancelAll", algo.cancel_all),
    ("GET", "/openAlgoOrders"): _mine("openAlgoOrders", algo.open_orders, _per_symbol(1, 40)),
    ("GET", "/allAlgoOrders"): _mine("allAlgoOrders", algo.all_orders, 5),
    ("POST", "/leverage"): _mine("leverage", fa.change_leverage),
    ("POST", "/marginType"): _mine("marginType", fa.change_margin_type),
    ("GET", "/positionSide/dual"): _mine("positionMode", fa.mode, 30),
    ("POST", "/positionSide/dual"): _mine("positionMode.change", fa.change_mode),
    ("POST", "/positionMargin"): _mine("positionMargin", fa.change_margin),
    ("GET", "/positionMargin/history"): _mine("positionMargin.history", fa.margin_history),
    ("GET", "/leverageBracket"): _mine("leverageBracket", fa.brackets),
    ("GET", "/commissionRate"): _mine("commissionRate", fa.commission_rate, 20),
    ("GET", "/income"): _mine("income", fa.income, 30),
    ("GET", "/adlQuantile"): _mine("adlQuantile", fa.adl_quantiles, 5),
    ("GET", "/rateLimit/order"): _mine("account.rateLimits.orders", fa.order_counts),
    ("GET", "/apiTradingStatus"): _mine("tradingStatus", fa.trading_status),
    ("GET", "/accountConfig"): _mine("accountConfig", fa.account_config, 5),
    ("GET", "/symbolConfig"): _mine("symbolConfig", fa.symbol_config, 5),
    ("POST", "/listenKey"): _open("userDataStream.start", fa.listen_key_start, security=KEY),
    ("PUT", "/listenKey"): _open("userDataStream.ping", fa.listen_key_keep, security=KEY),
    ("DELETE", "/listenKey"): _open("userDataStream.stop", fa.listen_key_close, security=KEY),
}
STATISTICS = {
    "/openInterestHist": _open("openInterestHist", fm.no_history, 0),
    "/topLongShortAccountRatio": _open("topLongShortAccountRatio", fm.no_history, 0),
    "/topLongShortPositionRatio": _open("topLongShortPositionRatio", fm.no_history, 0),
    "/globalLongShortAccountRatio": _open("globalLongShortAccountRatio", fm.no_history, 0),
    "/basis": _open("basis", fm.no_history, 0),
}
RISK = "positionRisk"
USDM_ONLY = {
    ("GET", "/fapi/v1/multiAssetsMargin"): _mine("multiAssets", fa.multi_assets, 30),
    ("POST", "/fapi/v1/multiAssetsMargin"): _mine("multiAssets.change", fa.change_multi_assets),
    ("GET", "/fapi/v1/feeBurn"): _mine("feeBurn", fa.fee_burn, 30),
    ("POST", "/fapi/v1/feeBurn"): _mine("feeBurn.change", fa.fee_burn),
    ("GET", "/fapi/v2/account"): _mine("account.status", fa.account_v2, 5),
    ("GET", "/fapi/v3/account"): _mine("account.status", fa.account_v3, 5),
    ("GET", "/fapi/v2/balance"): _mine("account.balance", fa.balance, 5),
    ("GET", "/fapi/v3/balance"): _mine("account.balance", fa.balance, 5),
    ("GET", "/fapi/v1/positionRisk"): _mine(RISK, fa.position_risk_v2, 5),
    ("GET", "/fapi/v2/positionRisk"): _mine(RISK, fa.position_risk_v2, 5),
    ("GET", "/fapi/v3/positionRisk"): _mine(RISK, fa.position_risk_v3, 5),
    ("GET", "/fapi/v1/rpiDepth"): _open("rpiDepth", fm.rpi_depth, 20),
    ("GET", "/fapi/v1/indexInfo"): _open("indexInfo", fm.nothing),
    ("GET", "/fapi/v1/assetIndex"): _open("assetIndex", fm.nothing),
    ("GET", "/futures/data/takerlongshortRatio"): _open("takerRatio", fm.no_history, 0),
    ("GET", "/fapi/v2/ticker/price"): _open("ticker.price", fm.price_ticker, _per_symbol(1, 2)),
}
COINM_ONLY = {
    ("GET", "/dapi/v1/account"): _mine("account.status", fa.account_v1, 5),
    ("GET", "/dapi/v1/balance"): _mine("account.balance", fa.balance),
    ("GET", "/dapi/v1/positionRisk"): _mine(RISK, fa.position_risk_v1),
    ("GET", "/futures/data/takerBuySellVol"): _open("takerVolume", fm.no_history, 0),
    ("GET", "/dapi/v2/leverageBracket"): _mine("leverageBracket", fa.brackets),
}


def _under(prefix: str, rows: dict[str, Route]) -> dict[tuple[str, str], Route]:
    return {("GET", prefix + path): route for path, route in rows.items()}


def _private(prefix: str, rows: dict[tuple[str, str], Route]) -> dict[tuple[str, str], Route]:
    return {(method, prefix + path): route for (method, path), route in rows.items()}


SPOT_REST = _under("/api/v3", SPOT_PUBLIC) | _private("/api/v3", SPOT_PRIVATE) | WALLET
FUTURES_DATA = _under("/futures/data", STATISTICS)
USDM_REST = (
    _under("/fapi/v1", FUTURES_PUBLIC)
    | _private("/fapi/v1", FUTURES_PRIVATE)
    | USDM_ONLY
    | FUTURES_DATA
)
COINM_REST = (
    _under("/dapi/v1", FUTURES_PUBLIC)
    | _private("/dapi/v1", FUTURES_PRIVATE)
    | COINM_ONLY
    | FUTURES_DATA
)

FUTURES_WS = {
    "order.place": FUTURES_PRIVATE["POST", "/order"],
    "order.modify": FUTURES_PRIVATE["PUT", "/order"],
    "order.cancel": FUTURES_PRIVATE["DELETE", "/order"],
    "order.status": FUTURES_PRIVATE["GET", "/order"],
    "userDataStream.start": FUTURES_PRIVATE["POST", "/listenKey"],
    "userDataStream.ping": FUTURES_PRIVATE["PUT", "/listenKey"],
    "userDataStream.stop": FUTURES_PRIVATE["DELETE", "/listenKey"],
}
USDM_WS = FUTURES_WS | {
    "depth": FUTURES_PUBLIC["/depth"],
    "ticker.price": FUTURES_PUBLIC["/ticker/price"],
    "ticker.book": FUTURES_PUBLIC["/ticker/bookTicker"],
    "algoOrder.place": FUTURES_PRIVATE["POST", "/algoOrder"],
    "algoOrder.cancel": FUTURES_PRIVATE["DELETE", "/algoOrder"],
    "account.status": USDM_ONLY["GET", "/fapi/v2/account"],
    "account.balance": USDM_ONLY["GET", "/fapi/v2/balance"],
    "account.position": USDM_ONLY["GET", "/fapi/v2/positionRisk"],
    "v2/account.status": USDM_ONLY["GET", "/fapi/v3/account"],
    "v2/account.balance": USDM_ONLY["GET", "/fapi/v3/balance"],
    "v2/account.position": USDM_ONLY["GET", "/fapi/v3/positionRisk"],
}
COINM_WS = FUTURES_WS | {
    "account.status": COINM_ONLY["GET", "/dapi/v1/account"],
    "account.balance": COINM_ONLY["GET", "/dapi/v1/balance"],
    "account.position": COINM_ONLY["GET", "/dapi/v1/positionRisk"],
}
SPOT_WS = {route.kind: route for route in [*SPOT_PUBLIC.values(), *SPOT_PRIVATE.values()]}

ROUTES = {
    Market.SPOT: Routes(SPOT_REST, SPOT_WS),
    Market.USDM: Routes(USDM_REST, USDM_WS),
    Market.COINM: Routes(COINM_REST, COINM_WS),
}
