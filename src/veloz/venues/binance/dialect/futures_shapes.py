"""Bodies of the two futures APIs, from the exchange's state.

USDⓈ-M writes prices and quantities with the contract's own decimals; COIN-M without zeros at the
end, with `pair`, and with the value in coin where USDⓈ-M has it in the quote.

Source: Binance Derivatives, "USDⓈ-M Futures" and "COIN-M Futures", trade and account endpoints.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.exchange.money import shown
from veloz.exchange.words import ContractType, Market, OrderType, TimeInForce
from veloz.venues.binance.dialect.vocabulary import (
    FUTURES_STATUSES,
    MILLISECOND,
    TO_FUTURES_TYPE,
    fixed,
    plain,
)

if TYPE_CHECKING:
    from veloz.exchange.listing import Listing, Tier
    from veloz.exchange.model import AlgoOrder, Fill, Income, Order, OrderRequest, Print

__all__ = [
    "ack_shape",
    "algo_shape",
    "algo_type",
    "fill_shape",
    "income_shape",
    "order_shape",
    "price_text",
    "qty_text",
    "result_shape",
    "symbol_shape",
    "tier_shapes",
    "trade_shape",
    "working_word",
]

ZERO = Decimal(0)
FOREVER_MS = 4_133_404_800_000
WORKING = {"LAST": "CONTRACT_PRICE", "MARK": "MARK_PRICE"}


def price_text(listing: Listing, value: Decimal | None) -> str:
    """A price as this contract's market writes it."""
    if listing.market is Market.COINM:
        return plain(value or ZERO)
    return fixed(value or ZERO, listing.price_precision)


def qty_text(listing: Listing, value: Decimal) -> str:
    """A quantity as this contract's market writes it."""
    if listing.market is Market.COINM:
        return plain(value)
    return fixed(value, listing.qty_precision)


def working_word(order: Order | OrderRequest) -> str:
    """`CONTRACT_PRICE` or `MARK_PRICE`."""
    return WORKING[order.working_type.value]


def ack_shape(order: Order, listing: Listing) -> dict[str, Any]:
    """The answer to a placement, change or cancel: without average price and value."""
    shape: dict[str, Any] = {"orderId": order.order_id, "symbol": order.symbol}
    if listing.market is Market.COINM:
        shape["pair"] = listing.pair
    shape |= {
        "status": order.status.value,
        "clientOrderId": order.client_order_id,
        "price": price_text(listing, order.price),
        "origQty": qty_text(listing, order.qty),
        "executedQty": qty_text(listing, order.executed_qty),
        "cumQty": qty_text(listing, order.executed_qty),
        "timeInForce": order.tif.value,
        "type": TO_FUTURES_TYPE[order.type],
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side.value,
        "positionSide": order.position_side.value,
        "stopPrice": price_text(listing, order.stop_price),
        "workingType": working_word(order),
        "priceProtect": order.price_protect,
        "origType": TO_FUTURES_TYPE[order.original_type],
        "priceMatch": order.price_match.value if order.price_match else "NONE",
        "selfTradePreventionMode": order.stp_mode.value,
        "updateTime": order.updated_ns // MILLISECOND,
    }
    if listing.market is Market.USDM:
        shape["goodTillDate"] = (order.good_till_ns or 0) // MILLISECOND
    if order.activate_price is not None:
        shape["activatePrice"] = price_text(listing, order.activate_price)
    if order.callback_rate is not None:
        shape["priceRate"] = plain(order.callback_rate)
    return shape


def result_shape(order: Order, listing: Listing) -> dict[str, Any]:
    """`newOrderRespType=RESULT`: with average price and value."""
    return ack_shape(order, listing) | _value(order, listing)


def order_shape(order: Order, listing: Listing) -> dict[str, Any]:
    """A queried order."""
    shape = ack_shape(order, listing) | _value(order, listing)
    del shape["cumQty"]
    shape["time"] = order.created_ns // MILLISECOND
    return shape


def _value(order: Order, listing: Listing) -> dict[str, Any]:
    if listing.market is Market.COINM:
        average = plain(shown(order.average_price, listing.price_precision + 1))
        return {"avgPrice": average, "cumBase": fixed(order.executed_quote)}
    average = fixed(order.average_price, max(5, listing.price_precision))
    return {"avgPrice": average, "cumQuote": fixed(order.executed_quote, 5)}


def fill_shape(fill: Fill, listing: Listing) -> dict[str, Any]:
    """A row of `userTrades`."""
    shape: dict[str, Any] = {"symbol": fill.symbol, "id": fill.trade_id, "orderId": fill.order_id}
    value = fixed(fill.quote_qty)
    if listing.market is Market.COINM:
        shape |= {"pair": listing.pair, "baseQty": value}
    else:
        shape["quoteQty"] = value
    return shape | {
        "side": fill.side.value,
        "price": price_text(listing, fill.price),
        "qty": qty_text(listing, fill.qty),
        "realizedPnl": fixed(fill.realised),
        "marginAsset": listing.settle,
        "commission": fixed(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.ts // MILLISECOND,
        "positionSide": fill.position_side.value,
        "buyer": fill.side.sign > 0,
        "maker": fill.is_maker,
    }


def trade_shape(trade: Print, listing: Listing) -> dict[str, Any]:
    """A row of `trades`."""
    if listing.market is Market.COINM:
        base = fixed(trade.qty * listing.contract_size / trade.price)
        value = {"baseQty": base}
    else:
        value = {"quoteQty": fixed(trade.price * trade.qty, 2)}
    return {
        "id": trade.trade_id,
        "price": price_text(listing, trade.price),
        "qty": qty_text(listing, trade.qty),
        **value,
        "time": trade.ts // MILLISECOND,
        "isBuyerMaker": trade.buyer_is_maker,
        "isRPITrade": False,
    }


def income_shape(row: Income) -> dict[str, Any]:
    """A row of `income`; its number is a text on COIN-M and a number on USDⓈ-M."""
    return {
        "symbol": row.symbol,
        "incomeType": row.kind.value,
        "income": fixed(row.amount),
        "asset": row.asset,
        "info": row.kind.value,
        "time": row.ts // MILLISECOND,
        "tranId": row.income_id if row.market is Market.USDM else str(row.income_id),
        "tradeId": "" if row.trade_id is None else str(row.trade_id),
    }


def algo_type(request: OrderRequest) -> str:
    """The venue's word for a conditional order's type."""
    return TO_FUTURES_TYPE[request.type]


def algo_shape(algo: AlgoOrder, listing: Listing, *, queried: bool = False) -> dict[str, Any]:
    """An order of the algo service; queried ones say what became of them."""
    asked = algo.request
    shape: dict[str, Any] = {
        "algoId": algo.algo_id,
        "clientAlgoId": algo.client_algo_id,
        "algoType": "CONDITIONAL",
        "orderType": algo_type(asked),
        "symbol": asked.symbol,
        "side": asked.side.value,
        "positionSide": asked.position_side.value,
        "timeInForce": asked.tif.value if asked.tif else "GTC",
        "quantity": qty_text(listing, asked.qty or ZERO),
        "algoStatus": algo.status.value,
    }
    if queried:
        shape |= {
            "actualOrderId": "" if algo.order_id is None else str(algo.order_id),
            "actualPrice": fixed(algo.actual_price, max(5, listing.price_precision)),
            "actualQty": qty_text(listing, algo.actual_qty),
            "actualType": "" if algo.order_id is None else _child_type(asked),
            "tpTriggerPrice": "0.000",
            "tpPrice": "0.000",
            "slTriggerPrice": "0.000",
            "slPrice": "0.000",
            "tpOrderType": "",
        }
    shape |= {
        "triggerPrice": price_text(listing, asked.stop_price),
        "price": price_text(listing, asked.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": (asked.stp_mode or listing.stp_default).value,
        "workingType": working_word(asked),
        "priceMatch": asked.price_match.value if asked.price_match else "NONE",
        "closePosition": asked.close_position,
        "priceProtect": asked.price_protect,
        "reduceOnly": asked.reduce_only,
        "createTime": algo.created_ns // MILLISECOND,
        "updateTime": algo.updated_ns // MILLISECOND,
        "triggerTime": (algo.trigger_ns or 0) // MILLISECOND,
        "goodTillDate": (asked.good_till_ns or 0) // MILLISECOND,
    }
    if asked.type is OrderType.TRAILING_STOP:
        shape["activatePrice"] = price_text(listing, asked.activate_price)
        shape["callbackRate"] = plain(asked.callback_rate or ZERO)
    return shape


def _child_type(request: OrderRequest) -> str:
    return "LIMIT" if request.type.has_limit else "MARKET"


def symbol_shape(listing: Listing) -> dict[str, Any]:
    """A contract of `exchangeInfo`."""
    is_coinm = listing.market is Market.COINM
    delivery = FOREVER_MS if listing.delivery_ns is None else listing.delivery_ns // MILLISECOND
    modes = [tif.value for tif in TimeInForce if tif is not TimeInForce.GTE_GTC]
    if is_coinm:
        modes.remove("GTD")
    status = FUTURES_STATUSES.get(listing.status, "CLOSE")
    shape: dict[str, Any] = {
        "symbol": listing.symbol,
        "pair": listing.pair,
        "contractType": _contract_type(listing),
        "deliveryDate": delivery,
        "onboardDate": listing.onboard_ns // MILLISECOND,
        "contractStatus" if is_coinm else "status": status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "marginAsset": listing.settle,
        "pricePrecision": listing.price_precision,
        "quantityPrecision": listing.qty_precision,
        "baseAssetPrecision": listing.base_precision,
        "quotePrecision": listing.quote_precision,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": fixed(listing.trigger_protect, 4),
        "liquidationFee": fixed(listing.liquidation_fee, 6),
        "marketTakeBound": fixed(listing.market_take_bound or Decimal("0.05"), 2),
        "maxMoveOrderLimit": 10_000,
        "filters": _filters(listing),
        "orderTypes": [TO_FUTURES_TYPE[kind] for kind in OrderType if kind in FUTURES_KINDS],
        "timeInForce": modes,
    }
    if is_coinm:
        shape |= {"contractSize": int(listing.contract_size), "equalQtyPrecision": 4}
    else:
        shape["permissionSets"] = ["GRID", "COPY"]
    return shape


FUTURES_KINDS = set(TO_FUTURES_TYPE) - {OrderType.LIQUIDATION}


def _contract_type(listing: Listing) -> str:
    return "" if listing.contract_type is ContractType.SPOT else listing.contract_type.value


def _filters(listing: Listing) -> list[dict[str, Any]]:
    lots = (("LOT_SIZE", listing.lot), ("MARKET_LOT_SIZE", listing.market_lot))
    rows: list[dict[str, Any]] = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": plain(listing.min_price),
            "maxPrice": plain(listing.max_price),
            "tickSize": fixed(listing.tick, listing.price_precision),
        },
        *(
            {
                "filterType": name,
                "minQty": plain(lot.minimum),
                "maxQty": plain(lot.maximum),
                "stepSize": plain(lot.step),
            }
            for name, lot in lots
        ),
        {"filterType": "MAX_NUM_ORDERS", "limit": listing.max_orders},
    ]
    if listing.market is Market.USDM:
        rows.append({"filterType": "MIN_NOTIONAL", "notional": plain(listing.min_notional)})
    if listing.percent_price is not None:
        rows.append(
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": fixed(listing.percent_price.bid_up, 4),
                "multiplierDown": fixed(listing.percent_price.ask_down, 4),
                "multiplierDecimal": "4",
            }
        )
    return rows


def tier_shapes(listing: Listing) -> list[dict[str, Any]]:
    """`brackets`: maintenance tiers, whose caps COIN-M calls quantities."""
    cap, floor = ("qtyCap", "qtylFloor") if listing.is_inverse else ("notionalCap", "notionalFloor")
    return [
        {
            "bracket": number,
            "initialLeverage": tier.max_leverage,
            cap: _number(_cap(tier)),
            floor: _number(tier.floor),
            "maintMarginRatio": float(tier.rate),
            "cum": _number(tier.amount),
        }
        for number, tier in enumerate(listing.tiers, start=1)
    ]


def _cap(tier: Tier) -> Decimal:
    return Decimal(9_223_372_036_854_775_807) if tier.cap is None else tier.cap


def _number(value: Decimal) -> int | float:
    """A JSON number: the venue does not quote these."""
    return int(value) if value == int(value) else float(value)
