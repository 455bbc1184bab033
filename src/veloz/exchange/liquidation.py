"""Forced closing: when margin is used up the exchange ends orders, reduces, and takes over (A32).

```text
 broke ─► orders of the pool expire ─► reduce through the book, no worse than bankruptcy
       ─► what is left goes to the insurance fund at the bankruptcy price
       ─► a fund without money deleverages the most profitable holders of the other side (A23)
```

The fund keeps what it took over; it does not trade it away.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from veloz.exchange import margin
from veloz.exchange.booking import Booking
from veloz.exchange.events import AccountReason, Execution, LiquidationPrint, MarginCallEvent
from veloz.exchange.floor import CONTRACTS, Account, Floor
from veloz.exchange.holding import Deal, Outcome
from veloz.exchange.matching import Matching
from veloz.exchange.model import Fill, Order
from veloz.exchange.money import ZERO, cut, floor_to, ratio, shown
from veloz.exchange.positions import position_view, score
from veloz.exchange.words import (
    ExpireReason,
    IncomeKind,
    Market,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
    StpMode,
    TimeInForce,
)

CALL_AT = Decimal("0.8")
Key = tuple[str, PositionSide]


class Liquidation:
    """Watches margins.

    Args:
        floor: The state.
        booking: Where orders and money are written.
        matching: Where forced orders trade.
    """

    def __init__(self, floor: Floor, booking: Booking, matching: Matching) -> None:
        self.floor = floor
        self.booking = booking
        self.matching = matching
        self.called: set[tuple[str, Market, str]] = set()

    def check(self, market: Market, asset: str) -> None:
        """Liquidates every account of a margin asset whose margin is used up."""
        if market not in CONTRACTS:
            return
        for account in list(self.floor.accounts.values()):
            self._check(account, market, asset)

    def check_moved(self) -> None:
        """Liquidates whom trades have left without margin."""
        while self.floor.moved:
            name, market, asset = key = next(iter(self.floor.moved))
            del self.floor.moved[key]
            self._check(self.floor.accounts[name], market, asset)

    def _check(self, account: Account, market: Market, asset: str) -> None:
        ledger = account.desks[market].ledger
        if not any(holding.qty for _, _, holding in ledger.held(asset)):
            return
        for key in margin.broke(ledger, asset):
            self._isolated(account, market, key)
        pool = margin.pool(ledger, asset)
        if pool.is_broke:
            self._cross(account, market, asset)
        else:
            self._call(account, market, asset, pool)

    def _call(self, account: Account, market: Market, asset: str, pool: margin.Pool) -> None:
        """Warns once when margin is nearly used up."""
        ledger, name = account.desks[market].ledger, (account.name, market, asset)
        if not pool.has_positions or pool.maintenance < pool.balance * CALL_AT:
            self.called.discard(name)
            return
        if name in self.called:
            return
        self.called.add(name)
        keys = [(s, leg) for s, leg, h in ledger.held(asset) if h.qty and s not in ledger.isolated]
        views = tuple(position_view(self.floor, account, market, key) for key in keys)
        cross = ledger.cross[asset]
        event = MarginCallEvent(self.floor.now_ns(), market, account.name, cross, views)
        self.floor.emit(event)

    def _isolated(self, account: Account, market: Market, key: Key) -> None:
        ledger = account.desks[market].ledger
        self._end_orders(account, market, {key[0]})
        while margin.is_broke(ledger, key[0], ledger.holding(*key)):
            self._step(account, market, key)

    def _cross(self, account: Account, market: Market, asset: str) -> None:
        ledger = account.desks[market].ledger
        symbols = {
            symbol
            for symbol, listing in self.floor.listings[market].items()
            if listing.settle == asset and symbol not in ledger.isolated
        }
        self._end_orders(account, market, symbols)
        while margin.pool(ledger, asset).is_broke:
            sizes = [
                (margin.notional(ledger, symbol, holding), symbol, leg)
                for symbol, leg, holding in ledger.held(asset)
                if holding.qty and symbol in symbols
            ]
            _, symbol, leg = max(sizes, key=lambda row: row[0])
            self._step(account, market, (symbol, leg))

    def _end_orders(self, account: Account, market: Market, symbols: set[str]) -> None:
        for order in list(account.desks[market].open.values()):
            if order.symbol in symbols and order.status.is_open:
                self.booking.expire(order, ExpireReason.LIQUIDATION)

    def _step(self, account: Account, market: Market, key: Key) -> None:
        """Reduces a position by a tier or wholly; takes over what the book does not."""
        symbol, leg = key
        ledger, listing = account.desks[market].ledger, self.floor.listings[market][symbol]
        holding = ledger.holding(symbol, leg)
        price = margin.bankruptcy_price(ledger, symbol, holding)
        price = ledger.marks[symbol] if price is None else shown(price, 8)
        size = abs(holding.qty)
        tier = margin.tier_of(listing, margin.notional(ledger, symbol, holding))[1]
        if tier.floor:
            share = ratio(tier.floor, margin.notional(ledger, symbol, holding))
            kept = floor_to(cut(size * share, 18), listing.lot.step)
            size = size - kept if kept < size else size
        order = self._forced_order(account, market, key, size)
        limit = floor_to(price, listing.tick)
        if order.side is Side.BUY or limit == price:
            self.matching.take(order, limit)
        else:
            self.matching.take(order, limit + listing.tick)
        if order.left:
            order.price = price
            still = holding.qty and (
                margin.is_broke(ledger, symbol, holding)
                or (symbol not in ledger.isolated and margin.pool(ledger, listing.settle).is_broke)
            )
            if still:
                self._take_over(account, market, key, (order, price))
            else:
                self.booking.expire(order, ExpireReason.LIQUIDATION)

    def _forced_order(self, account: Account, market: Market, key: Key, size: Decimal) -> Order:
        symbol, leg = key
        held = account.desks[market].ledger.holding(symbol, leg).qty
        now, number = self.floor.now_ns(), self.floor.following(f"order {market}")
        order = Order(
            market,
            account.name,
            symbol,
            number,
            f"autoclose-{number}",
            Side.SELL if held > 0 else Side.BUY,
            OrderType.LIQUIDATION,
            OrderType.LIQUIDATION,
            TimeInForce.IOC,
            size,
            ZERO,
            OrderStatus.NEW,
            now,
            now,
            position_side=leg,
            stp_mode=StpMode.EXPIRE_MAKER,
            is_working=True,
        )
        account.desks[market].orders[number] = order
        self.booking.order_event(order, Execution.NEW)
        return order

    def _take_over(
        self, account: Account, market: Market, key: Key, terms: tuple[Order, Decimal]
    ) -> None:
        """The insurance fund takes all that is left of a position at its bankruptcy price."""
        (symbol, leg), (order, price) = key, terms
        ledger, listing = account.desks[market].ledger, self.floor.listings[market][symbol]
        qty = ledger.holding(symbol, leg).qty
        fund, asset = self.floor.fund[market], listing.settle
        seized = ledger.liquidate(symbol, leg, price)
        fund.post(asset, "clearance", -seized.clearance)
        fund.post(asset, "insurance", -seized.insurance)
        side = Side.BUY if qty > 0 else Side.SELL
        taken = Deal(symbol, side, abs(qty), price)
        self.floor.note_value(listing, -qty, abs(qty), price)
        self.floor.note_value(listing, qty, fund.fill(taken).closed, price)
        order.qty = order.executed_qty + abs(qty)
        outcome = Outcome(abs(qty), abs(qty), ZERO, seized.realised, ZERO, asset)
        self._forced_fill(account, order, price, outcome, seized.insurance - seized.clearance)
        now = self.floor.now_ns()
        size = abs(qty)
        self.floor.emit(LiquidationPrint(now, market, symbol, order.side, size, price, price, size))
        if fund.wallet(asset) + fund.profit(asset) < 0:
            self._deleverage(market, symbol, price)

    def _forced_fill(
        self, account: Account, order: Order, price: Decimal, outcome: Outcome, moved: Decimal
    ) -> None:
        """Tells an account of a fill that no book made."""
        desk = account.desks[order.market]
        order.executed_qty += outcome.qty
        order.status, order.updated_ns = OrderStatus.FILLED, self.floor.now_ns()
        fill = Fill(
            order.market,
            order.account,
            order.symbol,
            -1,
            order.order_id,
            order.client_order_id,
            -1,
            order.side,
            order.position_side,
            price,
            outcome.qty,
            ZERO,
            ZERO,
            outcome.fee_asset,
            outcome.realised,
            is_maker=False,
            ts=order.updated_ns,
        )
        order.fills.append(fill)
        desk.fills.append(fill)
        self.booking.order_event(order, Execution.CALCULATED, fill=fill)
        asset = outcome.fee_asset
        self.booking.income(desk, order, IncomeKind.REALISED, asset, outcome.realised, fill)
        if moved:
            self.booking.income(desk, order, IncomeKind.CLEARANCE, asset, moved, fill)
        key = (order.symbol, order.position_side)
        reason = AccountReason.ORDER
        self.booking.account_event(account, order.market, reason, [asset], [key], moved)
        self.matching.trim_all(account.name, order.market, order.symbol)

    def _deleverage(self, market: Market, symbol: str, price: Decimal) -> None:
        """Closes the fund's position against the holders of the other side, best first."""
        fund, asset = self.floor.fund[market], self.floor.listings[market][symbol].settle
        for account, leg in self._ranked(market, symbol):
            held = account.desks[market].ledger.holding(symbol, leg).qty
            mine = fund.holding(symbol).qty
            if not mine or (held > 0) == (mine > 0):
                continue
            qty = min(abs(held), abs(mine))
            side = Side.SELL if held > 0 else Side.BUY
            order = self._forced_order(account, market, (symbol, leg), qty)
            order.client_order_id = "adl_autoclose"
            deal = Deal(symbol, side, qty, price, leg)
            traded = account.desks[market].ledger.fill(deal)
            given = fund.fill(Deal(symbol, side.opposite, qty, price))
            listing = self.floor.listings[market][symbol]
            self.floor.note_value(listing, deal.signed, traded.closed, price)
            self.floor.note_value(listing, -deal.signed, given.closed, price)
            outcome = Outcome(qty, qty, ZERO, traded.realised, ZERO, asset)
            self._forced_fill(account, order, price, outcome, ZERO)

    def _ranked(self, market: Market, symbol: str) -> Iterator[tuple[Account, PositionSide]]:
        rows = [
            (score(self.floor, market, symbol, account, leg), account, leg)
            for account in self.floor.accounts.values()
            for leg in PositionSide
            if account.desks[market].ledger.holding(symbol, leg).qty
        ]
        for _, account, leg in sorted(rows, key=lambda row: (-row[0], row[1].name)):
            yield account, leg
