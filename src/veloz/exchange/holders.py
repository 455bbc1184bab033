"""Accounts, their money in and out, and the settings of their futures side."""

from __future__ import annotations

from decimal import Decimal

from veloz.exchange import margin
from veloz.exchange.booking import Booking
from veloz.exchange.events import AccountConfigEvent, AccountReason, TransferEvent
from veloz.exchange.floor import CONTRACTS, Account, Floor
from veloz.exchange.liquidation import Liquidation
from veloz.exchange.listing import Listing
from veloz.exchange.money import ZERO, cut
from veloz.exchange.words import (
    AlgoStatus,
    IncomeKind,
    MarginType,
    Market,
    PositionSide,
    Refusal,
    Why,
)


class Holders:
    """Accounts.

    Args:
        floor: The state.
        booking: Where money events are written.
        liquidation: What a change of margin may set off.
    """

    def __init__(self, floor: Floor, booking: Booking, liquidation: Liquidation) -> None:
        self.floor = floor
        self.booking = booking
        self.liquidation = liquidation

    # Money.

    def move(
        self, name: str, market: Market, asset: str, amount: Decimal, why: AccountReason
    ) -> None:
        """Brings money in, or out if negative, with the events that say so."""
        account = self.floor.account(name)
        desk = account.desks[market]
        if not amount.is_finite() or not amount or cut(amount, desk.ledger.scale(asset)) != amount:
            raise Refusal(Why.BAD_REQUEST, f"{amount} is no amount of {asset}")
        if amount < 0:
            self._check_leaving(account, market, asset, -amount)
            desk.ledger.withdraw(asset, -amount)
        else:
            desk.ledger.deposit(asset, amount)
        self.floor.inflow[market, asset] += amount
        if market is Market.SPOT:
            desk.touched.add(asset)
            self.floor.emit(TransferEvent(self.floor.now_ns(), name, asset, amount))
            return
        self.booking.income_line(desk, market, name, IncomeKind.TRANSFER, asset, amount)
        self.booking.account_event(account, market, why, [asset], [], amount)

    def _check_leaving(self, account: Account, market: Market, asset: str, amount: Decimal) -> None:
        ledger = account.desks[market].ledger
        if market not in CONTRACTS:
            return
        pool = margin.pool(ledger, asset)
        spare = min(pool.available, ledger.cross[asset] - pool.maintenance)
        if amount > spare:
            free = max(ZERO, cut(spare, ledger.scale(asset)))
            raise Refusal(Why.INSUFFICIENT_MARGIN, f"{amount} {asset} of {free} that may leave")

    def transfer(
        self, name: str, source: Market, target: Market, asset: str, amount: Decimal
    ) -> int:
        """Moves money between an account's markets."""
        if source is target or amount <= 0:
            raise Refusal(Why.BAD_REQUEST, "a transfer is a positive amount to another market")
        if not self._is_known(asset):
            raise Refusal(Why.UNKNOWN_ASSET, f"nothing listed trades {asset!r}")
        self.move(name, source, asset, -amount, AccountReason.TRANSFER)
        self.move(name, target, asset, amount, AccountReason.TRANSFER)
        return self.floor.following("transfer")

    def _is_known(self, asset: str) -> bool:
        rows = (row for market in Market for row in self.floor.listings[market].values())
        return any(asset in {row.base, row.quote, row.settle} for row in rows)

    # Futures settings.

    def set_leverage(self, name: str, market: Market, symbol: str, leverage: int) -> None:
        """Changes a leverage, if the position and the margin allow it."""
        account = self.floor.account(name)
        ledger = account.desks[market].ledger
        listing = self._contract(market, symbol)
        most = max((tier.max_leverage for tier in listing.tiers), default=0)
        if not 1 <= leverage <= most:
            raise Refusal(Why.BAD_LEVERAGE, f"{leverage} is not within 1 and {most}")
        before = ledger.leverages[symbol]
        held = ZERO
        for leg in PositionSide:
            held += margin.notional(ledger, symbol, ledger.holding(symbol, leg))
        if symbol in ledger.isolated and held and leverage < before:
            raise Refusal(Why.LEVERAGE_WITH_ISOLATED, "an isolated position keeps its leverage")
        largest = margin.max_notional(listing, leverage)
        if largest is not None and held > largest:
            raise Refusal(Why.MAX_LEVERAGE_NOTIONAL, f"{held:.8f} is more than {largest}")
        ledger.leverages[symbol] = leverage
        pool = margin.pool(ledger, listing.settle)
        if leverage < before and pool.available < 0:
            ledger.leverages[symbol] = before
            raise Refusal(Why.INSUFFICIENT_MARGIN, f"{-pool.available:.8f} are missing")
        now = self.floor.now_ns()
        self.floor.emit(AccountConfigEvent(now, market, name, symbol, leverage))

    def set_margin_type(self, name: str, market: Market, symbol: str, wanted: MarginType) -> None:
        """Changes cross or isolated."""
        account = self.floor.account(name)
        self._contract(market, symbol)
        desk = account.desks[market]
        ledger = desk.ledger
        if (symbol in ledger.isolated) == (wanted is MarginType.ISOLATED):
            raise Refusal(Why.NO_CHANGE, f"{symbol} is {wanted.value} already")
        if any(order.symbol == symbol for order in desk.open.values()):
            raise Refusal(Why.OPEN_ORDERS, f"{symbol} has open orders")
        if any(ledger.holding(symbol, leg).qty for leg in PositionSide):
            raise Refusal(Why.OPEN_POSITIONS, f"{symbol} has a position")
        if wanted is MarginType.ISOLATED:
            ledger.isolated.add(symbol)
        else:
            ledger.isolated.discard(symbol)

    def set_hedge(self, name: str, *, on: bool) -> None:
        """Changes the position mode of both futures markets."""
        account = self.floor.account(name)
        if account.hedge == on:
            raise Refusal(Why.NO_CHANGE, "the position mode is that already")
        for market in CONTRACTS:
            desk = account.desks[market]
            armed = any(algo.status is AlgoStatus.NEW for algo in desk.algos.values())
            if desk.open or armed:
                raise Refusal(Why.OPEN_ORDERS, f"{market.value} has open orders")
            if any(holding.qty for holding in desk.ledger.holdings.values()):
                raise Refusal(Why.OPEN_POSITIONS, f"{market.value} has positions")
        account.hedge = on
        now = self.floor.now_ns()
        for market in CONTRACTS:
            account.desks[market].ledger.hedge = on
            self.floor.emit(AccountConfigEvent(now, market, name, hedge_mode=on))

    def move_margin(
        self, name: str, market: Market, symbol: str, leg: PositionSide, amount: Decimal
    ) -> None:
        """Adds to or takes from an isolated position's wallet."""
        account = self.floor.account(name)
        listing = self._contract(market, symbol)
        ledger = account.desks[market].ledger
        if not amount or cut(amount, ledger.scale(listing.settle)) != amount:
            raise Refusal(Why.BAD_REQUEST, f"{amount} is no amount of {listing.settle}")
        holding = ledger.holding(symbol, leg)
        if symbol in ledger.isolated and holding.qty:
            free = max(ZERO, margin.pool(ledger, listing.settle).available)
            most = free if amount > 0 else margin.removable(ledger, symbol, holding)
            if abs(amount) > most:
                raise Refusal(Why.INSUFFICIENT_MARGIN, f"{abs(amount)} of {most:.8f}")
        ledger.move_margin(symbol, leg, amount)
        self.booking.account_event(
            account,
            market,
            AccountReason.MARGIN_TRANSFER,
            [listing.settle],
            [(symbol, leg)],
        )
        self.liquidation.check(market, listing.settle)

    def _contract(self, market: Market, symbol: str) -> Listing:
        listing = self.floor.instrument(market, symbol).listing
        if market not in CONTRACTS:
            raise Refusal(Why.UNSUPPORTED_FEATURE, "spot has no margin settings")
        return listing
