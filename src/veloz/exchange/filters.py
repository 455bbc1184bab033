"""What an order must satisfy before it meets the book: its shape, then the listing's filters.

The order of the checks is that of matching.md, section 10; the first failure names the reason.
"""

from __future__ import annotations

from decimal import Decimal
from math import ceil

from veloz.exchange.floor import Account, Desk, Instrument
from veloz.exchange.holding import worth
from veloz.exchange.listing import Listing, Lot
from veloz.exchange.model import OrderRequest
from veloz.exchange.money import fits, places, ratio
from veloz.exchange.words import (
    Market,
    OrderType,
    PositionSide,
    Refusal,
    Side,
    StpMode,
    SymbolStatus,
    TimeInForce,
    Why,
)

GTD_AHEAD_NS = 600 * 10**9
Tif = TimeInForce


def tif_of(request: OrderRequest) -> TimeInForce:
    """The time in force that holds for a request."""
    return request.tif or Tif.GTC


def check_open(listing: Listing) -> None:
    """Refuses orders and changes while a symbol does not trade."""
    if listing.status is not SymbolStatus.TRADING:
        raise Refusal(Why.MARKET_CLOSED, f"{listing.symbol} is {listing.status.value}")


def check_shape(account: Account, listing: Listing, request: OrderRequest, now: int) -> None:
    """Refuses parameters that do not belong together."""
    if listing.order_types and request.type not in listing.order_types:
        raise Refusal(Why.UNSUPPORTED_TYPE, f"{listing.symbol} has no {request.type.value} orders")
    if request.type is OrderType.LIQUIDATION:
        raise Refusal(Why.UNSUPPORTED_TYPE, "only the exchange liquidates")
    _check_tif(listing, request, now)
    _check_amounts(request)
    _check_conditional(request)
    if request.stp_mode is not None and request.stp_mode not in listing.stp_allowed:
        raise Refusal(Why.UNSUPPORTED_STP, f"{listing.symbol} has no {request.stp_mode.value}")
    if listing.market is Market.SPOT:
        _check_spot(listing, request)
    else:
        _check_contract(account, request)


def _check_tif(listing: Listing, request: OrderRequest, now: int) -> None:
    tif = tif_of(request)
    if listing.times_in_force and tif not in listing.times_in_force:
        raise Refusal(Why.UNSUPPORTED_TIF, f"{listing.symbol} has no {tif.value}")
    if not request.type.has_limit and tif in {Tif.FOK, Tif.GTX, Tif.GTD}:
        raise Refusal(Why.BAD_REQUEST, f"{request.type.value} takes no {tif.value}")
    if tif is Tif.GTD:
        if request.good_till_ns is None:
            raise Refusal(Why.BAD_REQUEST, "GTD needs good_till_ns")
        if request.good_till_ns <= now + GTD_AHEAD_NS:
            raise Refusal(Why.GTD_TOO_SOON, "GTD must end more than 600 s from now")


def _check_amounts(request: OrderRequest) -> None:
    for name in ("qty", "price", "quote_qty", "stop_price", "iceberg_qty", "activate_price"):
        amount: Decimal | None = getattr(request, name)
        if amount is not None and (not amount.is_finite() or amount <= 0):
            raise Refusal(Why.BAD_REQUEST, f"{name} is {amount}; it must be positive")
    kinds = (request.qty is not None, request.quote_qty is not None, request.close_position)
    if sum(kinds) != 1:
        raise Refusal(Why.BAD_REQUEST, "give one of qty, quote_qty and close_position")
    if request.quote_qty is not None and request.type is not OrderType.MARKET:
        raise Refusal(Why.BAD_REQUEST, "only a market order takes quote_qty")
    if request.close_position and request.type.has_limit:
        raise Refusal(Why.BAD_REQUEST, "close_position needs a market type")
    waits_for_book = request.price_match is not None and request.type.is_conditional
    needs_price = request.type.has_limit and not waits_for_book
    if needs_price != (request.price is not None):
        wanted = "needs a price" if needs_price else "takes no price"
        raise Refusal(Why.BAD_REQUEST, f"{request.type.value} {wanted}")


def _check_conditional(request: OrderRequest) -> None:
    trailing = request.trailing_delta is not None or request.callback_rate is not None
    if not request.type.is_conditional:
        if trailing or request.stop_price is not None or request.activate_price is not None:
            raise Refusal(Why.BAD_REQUEST, f"{request.type.value} takes no trigger")
        return
    if request.type is OrderType.TRAILING_STOP:
        if request.callback_rate is None or not Decimal("0.1") <= request.callback_rate <= 20:
            raise Refusal(Why.BAD_REQUEST, "callback_rate must be 0.1 to 20 percent")
    elif request.stop_price is None and request.trailing_delta is None:
        raise Refusal(Why.BAD_REQUEST, f"{request.type.value} needs stop_price or trailing_delta")


def _check_spot(listing: Listing, request: OrderRequest) -> None:
    if request.position_side is not PositionSide.BOTH or request.reduce_only:
        raise Refusal(Why.BAD_REQUEST, "spot has no positions")
    if request.close_position or request.price_match is not None:
        raise Refusal(Why.BAD_REQUEST, "close_position and price_match are for contracts")
    if request.iceberg_qty is not None:
        if not listing.iceberg_allowed:
            raise Refusal(Why.UNSUPPORTED_FEATURE, f"{listing.symbol} has no iceberg orders")
        resting = request.type is OrderType.LIMIT_MAKER or tif_of(request) is Tif.GTC
        if not request.type.has_limit or not resting:
            raise Refusal(Why.BAD_REQUEST, "iceberg_qty needs a limit order with GTC")
        if request.qty is not None and request.iceberg_qty > request.qty:
            raise Refusal(Why.BAD_REQUEST, "iceberg_qty is larger than qty")
    if request.quote_qty is not None and not listing.quote_qty_allowed:
        raise Refusal(Why.UNSUPPORTED_FEATURE, f"{listing.symbol} has no quote quantities")
    if request.trailing_delta is not None:
        _check_trailing(listing, request)


def _check_trailing(listing: Listing, request: OrderRequest) -> None:
    delta, bounds = request.trailing_delta or 0, listing.trailing_delta
    if not listing.trailing_allowed:
        raise Refusal(Why.UNSUPPORTED_FEATURE, f"{listing.symbol} has no trailing orders")
    # A stop of a buyer and a target of a seller wait above the price.
    above = request.type.is_stop == (request.side is Side.BUY)
    low = bounds.min_above if above else bounds.min_below
    high = bounds.max_above if above else bounds.max_below
    if not low <= delta <= high:
        raise Refusal(Why.TRAILING_DELTA, f"{delta} is not within {low} and {high}")


def _check_contract(account: Account, request: OrderRequest) -> None:
    if request.iceberg_qty is not None or request.quote_qty is not None:
        raise Refusal(Why.BAD_REQUEST, "contracts have no iceberg or quote quantities")
    if request.trailing_delta is not None:
        raise Refusal(Why.BAD_REQUEST, "contracts trail by callback_rate")
    if request.stp_mode is StpMode.DECREMENT:
        raise Refusal(Why.UNSUPPORTED_STP, "contracts have no DECREMENT")
    if account.hedge == (request.position_side is PositionSide.BOTH):
        mode = "hedge mode needs LONG or SHORT" if account.hedge else "one-way mode has only BOTH"
        raise Refusal(Why.POSITION_SIDE, mode)
    if account.hedge and request.reduce_only:
        raise Refusal(Why.REDUCE_ONLY_IN_HEDGE, "in hedge mode the position side says it")


def check_prices(listing: Listing, request: OrderRequest) -> None:
    """Tick, minimum and maximum of every price of a request."""
    for price in (request.price, request.stop_price, request.activate_price):
        if price is not None:
            check_price(listing, price)


def check_price(listing: Listing, price: Decimal) -> None:
    """Tick, minimum and maximum of a price; 0 disables a bound."""
    if places(price) > listing.price_precision:
        raise Refusal(
            Why.PRICE_PRECISION, f"{price} has more than {listing.price_precision} places"
        )
    if listing.min_price and price < listing.min_price:
        raise Refusal(Why.PRICE_MIN, f"{price} is below {listing.min_price}")
    if listing.max_price and price > listing.max_price:
        raise Refusal(Why.PRICE_MAX, f"{price} is above {listing.max_price}")
    if not fits(price - listing.min_price if listing.min_price else price, listing.tick):
        raise Refusal(Why.PRICE_TICK, f"{price} is no multiple of {listing.tick}")


def check_qty(listing: Listing, qty: Decimal, *, is_market: bool) -> None:
    """Precision, lot and market lot of a quantity."""
    if places(qty) > listing.qty_precision:
        raise Refusal(Why.QTY_PRECISION, f"{qty} has more than {listing.qty_precision} places")
    _check_lot(listing.lot, qty, (Why.LOT_MIN, Why.LOT_MAX, Why.LOT_STEP))
    if is_market:
        reasons = (Why.MARKET_LOT_MIN, Why.MARKET_LOT_MAX, Why.MARKET_LOT_STEP)
        _check_lot(listing.market_lot, qty, reasons)


def _check_lot(lot: Lot, qty: Decimal, why: tuple[Why, Why, Why]) -> None:
    if qty < lot.minimum:
        raise Refusal(why[0], f"{qty} is less than {lot.minimum}")
    if lot.maximum and qty > lot.maximum:
        raise Refusal(why[1], f"{qty} is more than {lot.maximum}")
    if not fits(qty - lot.minimum, lot.step):
        raise Refusal(why[2], f"{qty} is no multiple of {lot.step}")


def check_notional(
    listing: Listing, qty: Decimal, price: Decimal | None, *, is_market: bool
) -> None:
    """Least and largest value of an order."""
    if price is None:
        return
    size = qty * price if listing.market is Market.SPOT else worth(listing, qty, price)
    if listing.is_inverse:
        size = qty * listing.contract_size
    least = not is_market or listing.min_notional_applies_to_market
    if least and size < listing.min_notional:
        raise Refusal(Why.MIN_NOTIONAL, f"{size} is less than {listing.min_notional}")
    largest = listing.max_notional
    most = not is_market or listing.max_notional_applies_to_market
    if most and largest is not None and size > largest:
        raise Refusal(Why.MAX_NOTIONAL, f"{size} is more than {largest}")


def check_percent(listing: Listing, side: Side, price: Decimal, reference: Decimal | None) -> None:
    """Distance of a price from the reference price."""
    band = listing.percent_price
    if band is None or reference is None:
        return
    is_buy = side is Side.BUY
    up = reference * (band.bid_up if is_buy else band.ask_up)
    down = reference * (band.bid_down if is_buy else band.ask_down)
    if price > up and (band.by_side or is_buy):
        raise Refusal(Why.PERCENT_PRICE, f"{price} is above {up}", ceiling=up)
    if price < down and (band.by_side or not is_buy):
        raise Refusal(Why.PERCENT_PRICE, f"{price} is below {down}", floor=down)


def check_counts(desk: Desk, instrument: Instrument, request: OrderRequest) -> None:
    """How many orders an account may have open in a symbol."""
    listing = instrument.listing
    own = [order for order in desk.open.values() if order.symbol == listing.symbol]
    if len(own) >= listing.max_orders:
        raise Refusal(Why.MAX_ORDERS, f"{len(own)} orders are open, the limit")
    if request.type.is_conditional:
        waiting = sum(order.type.is_conditional and not order.is_working for order in own)
        if waiting >= listing.max_algo_orders:
            raise Refusal(Why.MAX_ALGO_ORDERS, f"{waiting} conditional orders are open, the limit")
    if request.iceberg_qty is not None:
        icebergs = sum(order.iceberg_qty is not None for order in own)
        if icebergs >= listing.max_iceberg_orders:
            raise Refusal(Why.MAX_ICEBERG_ORDERS, f"{icebergs} iceberg orders are open, the limit")
        parts = ceil(ratio(request.qty or request.iceberg_qty, request.iceberg_qty))
        if parts > listing.iceberg_parts:
            raise Refusal(Why.ICEBERG_PARTS, f"{parts} parts, {listing.iceberg_parts} are allowed")


def check_max_position(desk: Desk, listing: Listing, request: OrderRequest) -> None:
    """The most of a coin that an account may have or be about to have."""
    if listing.max_position is None or request.side is not Side.BUY or request.qty is None:
        return
    coming = sum(
        (o.left for o in desk.open.values() if o.symbol == listing.symbol and o.side is Side.BUY),
        desk.ledger.wallet(listing.base),
    )
    if coming + request.qty > listing.max_position:
        raise Refusal(Why.MAX_POSITION, f"{coming + request.qty} is over {listing.max_position}")


def reference_price(instrument: Instrument, marks: dict[str, Decimal], now: int) -> Decimal | None:
    """What distances are measured from: the mark; on spot a published or the average price."""
    listing = instrument.listing
    if listing.market is not Market.SPOT:
        return marks.get(listing.symbol) or instrument.tape.last_price
    if instrument.index is not None:
        return instrument.index
    if listing.avg_price_mins:
        return instrument.tape.average(now)
    return instrument.tape.last_price
