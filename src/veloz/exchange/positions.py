"""What an account may see of its positions and futures wallets."""

from __future__ import annotations

from decimal import Decimal

from veloz.exchange import margin
from veloz.exchange.floor import Account, Floor
from veloz.exchange.holding import Holding
from veloz.exchange.model import Position, WalletView
from veloz.exchange.money import ZERO, cut, ratio, shown
from veloz.exchange.words import MarginType, Market, PositionSide

SHOWN = 8


def position_view(
    floor: Floor,
    account: Account,
    market: Market,
    key: tuple[str, PositionSide],
    *,
    full: bool = True,
) -> Position:
    """A position; without `full` its liquidation price, margins and quantile are left out."""
    symbol, leg = key
    ledger, listing = account.desks[market].ledger, floor.listings[market][symbol]
    holding = ledger.holding(symbol, leg)
    scale, places = ledger.scale(listing.settle), listing.price_precision + 6
    average = holding.average(listing)
    entry = ZERO if average is None else shown(average, places)
    leverage = ledger.leverages[symbol]
    is_isolated = symbol in ledger.isolated
    unrealised = cut(ledger.unrealised(symbol, holding), scale)
    size = margin.notional(ledger, symbol, holding)
    initial = orders = needed = ZERO
    price: Decimal | None = None
    quantile = 0
    if full:
        initial = cut(ratio(size, Decimal(leverage)), scale)
        orders = cut(margin.order_margin(ledger, symbol), scale)
        if holding.qty and symbol in ledger.marks:
            needed = cut(margin.maintenance(listing, size), scale)
            found = margin.liquidation_price(ledger, symbol, holding)
            price = None if found is None else shown(found, places)
            quantile = quantile_of(floor, market, symbol, leg, account)
    return Position(
        market,
        account.name,
        symbol,
        leg,
        holding.qty,
        entry,
        _break_even(floor, account, market, symbol, holding, places),
        ledger.marks.get(symbol, ZERO),
        unrealised,
        holding.realised,
        cut(size, SHOWN).copy_sign(holding.qty) if holding.qty else ZERO,
        leverage,
        MarginType.ISOLATED if is_isolated else MarginType.CROSS,
        holding.isolated,
        holding.isolated + unrealised if is_isolated else ZERO,
        initial,
        orders,
        needed,
        price,
        margin.max_notional(listing, leverage),
        quantile,
        listing.settle,
        holding.updated_ns,
    )


def _break_even(
    floor: Floor, account: Account, market: Market, symbol: str, holding: Holding, places: int
) -> Decimal:
    """The exit price at which a position has paid for the commission of both its trades."""
    listing = floor.listings[market][symbol]
    average = holding.average(listing)
    if average is None:
        return ZERO
    rates = account.rates.get((market, symbol)) or account.rates.get((market, ""))
    taker = rates[1] if rates else listing.taker_rate
    toward = 1 + taker if holding.qty > 0 else 1 - taker
    return shown(ratio(average * toward, Decimal(2) - toward), places)


def wallet_view(floor: Floor, account: Account, market: Market, asset: str) -> WalletView:
    """A futures wallet and what of it is free (A27)."""
    desk = account.desks[market]
    ledger, scale = desk.ledger, desk.ledger.scale(asset)
    pool = margin.pool(ledger, asset)
    isolated_initial, isolated_needed = ZERO, ZERO
    isolated_orders = ZERO
    for symbol, _, holding in ledger.held(asset):
        if symbol in ledger.isolated and holding.qty:
            size = margin.notional(ledger, symbol, holding)
            isolated_initial += ratio(size, Decimal(ledger.leverages[symbol]))
            if symbol in ledger.marks:
                isolated_needed += margin.maintenance(ledger.listings[symbol], size)
    for symbol in ledger.isolated:
        if ledger.listings[symbol].settle == asset:
            isolated_orders += margin.order_margin(ledger, symbol)
    unrealised = ledger.profit(asset)
    available = max(ZERO, cut(pool.available, scale))
    spare = cut(ledger.cross[asset] - isolated_orders - pool.maintenance, scale)
    position_margin = pool.initial + isolated_initial
    wallet = ledger.wallet(asset)
    return WalletView(
        asset,
        wallet,
        ledger.cross[asset],
        cut(unrealised, scale),
        cut(pool.balance - ledger.cross[asset], scale),
        cut(wallet + unrealised, scale),
        cut(position_margin + pool.orders, scale),
        cut(position_margin, scale),
        cut(pool.orders, scale),
        cut(pool.maintenance + isolated_needed, scale),
        available,
        max(ZERO, min(available, spare)),
        desk.updated_ns,
    )


def score(
    floor: Floor, market: Market, symbol: str, account: Account, leg: PositionSide
) -> Decimal:
    """Rank for deleveraging: profit ratio times leverage, for losers divided by it (A23)."""
    ledger = account.desks[market].ledger
    holding = ledger.holding(symbol, leg)
    size = margin.notional(ledger, symbol, holding)
    if not holding.qty or not size or not holding.cost:
        return ZERO
    asset = floor.listings[market][symbol].settle
    unrealised = ledger.unrealised(symbol, holding)
    profit = ratio(unrealised, abs(holding.cost))
    if symbol in ledger.isolated:
        money = holding.isolated + unrealised
    else:
        money = margin.pool(ledger, asset).balance
    leverage = ratio(size, money) if money > 0 else Decimal(1000)
    return cut(profit * leverage if profit > 0 else ratio(profit, leverage), 18)


def quantile_of(
    floor: Floor, market: Market, symbol: str, leg: PositionSide, account: Account
) -> int:
    """0 to 4: 4 is deleveraged first among the holders of the same direction."""
    direction = account.desks[market].ledger.holding(symbol, leg).qty > 0
    rivals = [
        score(floor, market, symbol, other, side)
        for other in floor.accounts.values()
        for side in PositionSide
        if (qty := other.desks[market].ledger.holding(symbol, side).qty) and (qty > 0) == direction
    ]
    own = score(floor, market, symbol, account, leg)
    behind = sum(rival < own for rival in rivals)
    return min(4, behind * 5 // max(1, len(rivals)))
