"""Books what happens to orders: trades, ends and changes, with the ledger entries and the events.

Every trade has two sides. Where a client trades with the replayed market, the house's `replayed`
ledger takes the other side, so that all ledgers together always add up.
"""

from __future__ import annotations

from decimal import Decimal

from veloz.exchange.events import (
    AccountEvent,
    AccountReason,
    BalanceEvent,
    Execution,
    LiquidationPrint,
    OrderEvent,
    TradePrint,
    WalletChange,
)
from veloz.exchange.floor import Account, Desk, Floor, Instrument
from veloz.exchange.holding import Deal, Outcome, Terms, worth
from veloz.exchange.ledger import Commitment, closes
from veloz.exchange.listing import Listing
from veloz.exchange.model import Balance, Fill, Income, Order, Print
from veloz.exchange.money import ZERO, cut, ratio
from veloz.exchange.positions import position_view
from veloz.exchange.words import (
    ExpireReason,
    IncomeKind,
    Market,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
    StpMode,
)

BNB = "BNB"
BNB_DISCOUNT = {Market.SPOT: Decimal("0.25"), Market.USDM: Decimal("0.1")}


class Booking:
    """Writes to ledgers, orders, tapes and the outbox.

    Args:
        floor: The state.
    """

    def __init__(self, floor: Floor) -> None:
        self.floor = floor

    # Trades.

    def trade(
        self,
        instrument: Instrument,
        price: Decimal,
        qty: Decimal,
        *,
        taker: Order | None,
        maker: Order | None,
        taker_side: Side,
    ) -> None:
        """Lets two orders trade; None stands for the replayed market."""
        trade_id = instrument.tape.last_id + 1
        listing, ts = instrument.listing, self.floor.now_ns()
        both = {taker_side: taker, taker_side.opposite: maker}
        buyer, seller = both[Side.BUY], both[Side.SELL]
        trade = Print(
            listing.market,
            listing.symbol,
            trade_id,
            price,
            qty,
            taker_side is Side.SELL,
            ts,
            buyer.order_id if buyer else None,
            seller.order_id if seller else None,
        )
        self.print(instrument, trade)
        self._side(instrument, maker, taker_side.opposite, trade, is_maker=True)
        self._side(instrument, taker, taker_side, trade, is_maker=False)

    def echo(self, instrument: Instrument, order: Order, qty: Decimal) -> None:
        """A second fill of a resting order under the last trade's number, unseen by the tape."""
        trade = instrument.tape.trades[-1]._replace(qty=qty, ts=self.floor.now_ns())
        self._side(instrument, None, order.side.opposite, trade, is_maker=False)
        self._side(instrument, order, order.side, trade, is_maker=True)

    def print(self, instrument: Instrument, trade: Print) -> None:
        """Puts a trade on the tape."""
        listing = instrument.listing
        is_spot = listing.market is Market.SPOT
        size = worth(listing, trade.qty, trade.price)
        scale = 8 if not is_spot else self.floor.scales.get(listing.quote, 8)
        instrument.tape.add(trade, cut(size, scale))
        self.floor.prints.append((instrument, trade.price))
        self.floor.emit(TradePrint(trade.ts, trade))

    def _side(
        self,
        instrument: Instrument,
        order: Order | None,
        side: Side,
        trade: Print,
        *,
        is_maker: bool,
    ) -> None:
        listing = instrument.listing
        deal = Deal(listing.symbol, side, trade.qty, trade.price)
        if order is None:
            outcome = self.floor.replayed[listing.market].fill(deal)
            if listing.market is not Market.SPOT:
                self.floor.note_value(listing, deal.signed, outcome.closed, deal.price)
        elif order.type is OrderType.LIQUIDATION:
            self._seize(instrument, order, trade)
        else:
            self._execute(instrument, order, trade, is_maker=is_maker)

    def _execute(
        self, instrument: Instrument, order: Order, trade: Print, *, is_maker: bool
    ) -> None:
        listing = instrument.listing
        account = self.floor.accounts[order.account]
        desk = account.desks[order.market]
        deal = Deal(order.symbol, order.side, trade.qty, trade.price, order.position_side)
        rates = self.rates(account, instrument)
        terms = self._terms(account, instrument, order.side, rates[0] if is_maker else rates[1])
        key = str(order.order_id)
        owner = "" if order.strategy_id is None else str(order.strategy_id)
        outcome = desk.ledger.fill(deal, terms=terms, order_id=key, owner=owner)
        if listing.market is not Market.SPOT:
            self.floor.note_value(listing, deal.signed, outcome.closed, deal.price)
        self._earn(account, listing.market, outcome)
        self._advance(order, listing, trade, outcome)
        if order.left <= 0 and order.quote_qty is None:
            order.status = OrderStatus.FILLED
            desk.open.pop(order.order_id, None)
        else:
            order.status = OrderStatus.PARTIALLY_FILLED
        fill = self._fill(order, trade, outcome, is_maker=is_maker)
        desk.fills.append(fill)
        self._report_fill(account, desk, order, fill)

    def _advance(self, order: Order, listing: Listing, trade: Print, outcome: Outcome) -> None:
        order.executed_qty += trade.qty
        order.updated_ns = trade.ts
        if order.market is Market.SPOT:
            order.executed_quote += outcome.quote_amount
        elif listing.is_inverse:
            order.executed_reciprocal += ratio(trade.qty, trade.price)
            order.executed_quote += cut(worth(listing, trade.qty, trade.price), 8)
        else:
            order.executed_quote += trade.price * trade.qty

    def _fill(self, order: Order, trade: Print, outcome: Outcome, *, is_maker: bool) -> Fill:
        listing = self.floor.listings[order.market][order.symbol]
        is_spot = order.market is Market.SPOT
        size = outcome.quote_amount if is_spot else cut(worth(listing, trade.qty, trade.price), 8)
        fill = Fill(
            order.market,
            order.account,
            order.symbol,
            trade.trade_id,
            order.order_id,
            order.client_order_id,
            order.list_id,
            order.side,
            order.position_side,
            trade.price,
            trade.qty,
            size,
            outcome.fee,
            outcome.fee_asset,
            ZERO if is_spot else outcome.realised,
            is_maker,
            trade.ts,
        )
        order.fills.append(fill)
        return fill

    def _report_fill(self, account: Account, desk: Desk, order: Order, fill: Fill) -> None:
        listing = self.floor.listings[order.market][order.symbol]
        self.order_event(order, Execution.TRADE, fill=fill)
        if order.market is Market.SPOT:
            desk.touched |= {listing.base, listing.quote, fill.fee_asset}
            return
        holding = desk.ledger.holding(order.symbol, order.position_side)
        holding.updated_ns = fill.ts
        if not holding.qty:
            self.floor.flat.append((account.name, order.market, order.symbol, order.position_side))
        self.floor.moved[account.name, order.market, listing.settle] = None
        if fill.realised:
            self.income(desk, order, IncomeKind.REALISED, listing.settle, fill.realised, fill)
        if fill.fee:
            self.income(desk, order, IncomeKind.COMMISSION, fill.fee_asset, -fill.fee, fill)
        assets = sorted({listing.settle, fill.fee_asset})
        keys = [(order.symbol, order.position_side)]
        self.account_event(account, order.market, AccountReason.ORDER, assets, keys)

    def _seize(self, instrument: Instrument, order: Order, trade: Print) -> None:
        """A forced order trades: no commission, a clearance fee instead (A32)."""
        account = self.floor.accounts[order.account]
        desk, listing = account.desks[order.market], instrument.listing
        seized = desk.ledger.liquidate(order.symbol, order.position_side, trade.price, trade.qty)
        self.floor.note_value(listing, trade.qty * order.side.sign, trade.qty, trade.price)
        fund = self.floor.fund[order.market]
        fund.post(listing.settle, "clearance", -seized.clearance)
        fund.post(listing.settle, "insurance", -seized.insurance)
        outcome = Outcome(trade.qty, trade.qty, ZERO, seized.realised, ZERO, listing.settle)
        self._advance(order, listing, trade, outcome)
        order.status = OrderStatus.PARTIALLY_FILLED if order.left else OrderStatus.FILLED
        fill = self._fill(order, trade, outcome, is_maker=False)
        desk.fills.append(fill)
        self.order_event(order, Execution.CALCULATED, fill=fill)
        self.income(desk, order, IncomeKind.REALISED, listing.settle, fill.realised, fill)
        moved = seized.insurance - seized.clearance
        if moved:
            self.income(desk, order, IncomeKind.CLEARANCE, listing.settle, moved, fill)
        key = (order.symbol, order.position_side)
        self.account_event(
            account, order.market, AccountReason.ORDER, [listing.settle], [key], moved
        )
        size, symbol = trade.qty, order.symbol
        self.floor.emit(
            LiquidationPrint(
                trade.ts, order.market, symbol, order.side, size, trade.price, trade.price, size
            )
        )

    # Fees.

    def rates(self, account: Account, instrument: Instrument) -> tuple[Decimal, Decimal]:
        """The maker and taker rates of an account in a symbol."""
        listing = instrument.listing
        for symbol in (listing.symbol, ""):
            found = account.rates.get((listing.market, symbol))
            if found is not None:
                return found
        return listing.maker_rate, listing.taker_rate

    def _terms(self, account: Account, instrument: Instrument, side: Side, rate: Decimal) -> Terms:
        listing = instrument.listing
        asset = listing.settle
        if listing.market in account.pays_bnb and rate > 0 and listing.market in BNB_DISCOUNT:
            price = self._bnb_price(asset)
            if price is not None:
                discount = BNB_DISCOUNT[listing.market]
                return Terms(rate, BNB, discount, price)
        buys_coin = listing.market is Market.SPOT and side is Side.BUY
        return Terms(rate, listing.base if buys_coin else listing.settle)

    def _bnb_price(self, quote: str) -> Decimal | None:
        """The last price of BNB in a coin."""
        instrument = self.floor.instruments.get((Market.SPOT, BNB + quote))
        return None if instrument is None else instrument.tape.last_price

    def _earn(self, account: Account, market: Market, outcome: Outcome) -> None:
        """Gives the house its fee, and the referrer a share of it."""
        if not outcome.fee:
            return
        self.floor.income[market].post(outcome.fee_asset, "fees", -outcome.fee)
        if not account.referrer or outcome.fee < 0:
            return
        desk = self.floor.accounts[account.referrer].desks[market]
        share = cut(outcome.fee * account.rebate, desk.ledger.scale(outcome.fee_asset))
        if share:
            self.floor.income[market].post(outcome.fee_asset, "fees", share)
            desk.ledger.post(outcome.fee_asset, "fees", -share)
            desk.touched.add(outcome.fee_asset)
            if market is not Market.SPOT:
                self.income_line(
                    desk, market, account.referrer, IncomeKind.REBATE, outcome.fee_asset, share
                )

    # Money events.

    def income(
        self, desk: Desk, order: Order, kind: IncomeKind, asset: str, amount: Decimal, fill: Fill
    ) -> None:
        """Writes a line of the income record that a fill caused."""
        self._income(
            desk, order.market, order.account, kind, asset, amount, (order.symbol, fill.trade_id)
        )

    def income_line(
        self,
        desk: Desk,
        market: Market,
        account: str,
        kind: IncomeKind,
        asset: str,
        amount: Decimal,
        symbol: str = "",
    ) -> None:
        """Writes a line of the income record that no fill caused."""
        self._income(desk, market, account, kind, asset, amount, (symbol, None))

    def _income(
        self,
        desk: Desk,
        market: Market,
        account: str,
        kind: IncomeKind,
        asset: str,
        amount: Decimal,
        about: tuple[str, int | None],
    ) -> None:
        number = self.floor.following("income")
        symbol, trade_id = about
        ts = self.floor.now_ns()
        desk.incomes.append(
            Income(market, account, number, kind, symbol, asset, amount, trade_id, ts)
        )

    def account_event(
        self,
        account: Account,
        market: Market,
        reason: AccountReason,
        assets: list[str],
        keys: list[tuple[str, PositionSide]],
        change: Decimal = ZERO,
        symbol: str = "",
    ) -> None:
        """Tells a futures account what its wallets and positions are now."""
        ledger, now = account.desks[market].ledger, self.floor.now_ns()
        account.desks[market].updated_ns = now
        wallets = tuple(
            WalletChange(asset, ledger.wallet(asset), ledger.cross[asset], change)
            for asset in assets
        )
        views = tuple(position_view(self.floor, account, market, key, full=False) for key in keys)
        event = AccountEvent(now, market, account.name, reason, wallets, views, symbol)
        self.floor.emit(event)

    def balance_events(self) -> None:
        """Tells every spot account which balances may have changed during a call."""
        ts = self.floor.now_ns()
        for account in self.floor.accounts.values():
            desk = account.desks[Market.SPOT]
            if desk.touched:
                desk.updated_ns = ts
                rows = tuple(self.balance(desk, asset) for asset in sorted(desk.touched))
                self.floor.emit(BalanceEvent(ts, account.name, rows))
                desk.touched.clear()

    def balance(self, desk: Desk, asset: str) -> Balance:
        """One spot balance."""
        ledger = desk.ledger
        return Balance(asset, ledger.free(asset), ledger.locks[asset])

    # Orders.

    def order_event(
        self,
        order: Order,
        execution: Execution,
        *,
        fill: Fill | None = None,
        request_id: str | None = None,
        reason: ExpireReason = ExpireReason.NONE,
    ) -> None:
        """Tells the account what happened to its order."""
        own = order.client_order_id
        client_id = own if request_id is None else request_id
        original = "" if request_id is None else own
        event = OrderEvent(
            order.updated_ns,
            order.market,
            order.account,
            self.snapshot(order),
            execution,
            client_id,
            original,
            fill,
            reason,
        )
        if execution is Execution.TRADE_PREVENTION:
            match = self.floor.accounts[order.account].desks[order.market].prevented[-1]
            qty = min(match.taker_qty, match.maker_qty)
            event = event._replace(
                prevented_qty=qty if match.stp_mode is StpMode.DECREMENT else ZERO,
                prevented_match_id=match.match_id,
                prevented_maker_order_id=match.maker_order_id,
                prevented_price=match.price,
            )
        self.floor.emit(event)

    def snapshot(self, order: Order) -> Order:
        """A copy that no longer changes."""
        return order.twin()

    def commit(self, order: Order) -> None:
        """Takes an order's locks or margin; refused if the spot coins are not free."""
        desk = self.floor.accounts[order.account].desks[order.market]
        closing = order.reduce_only or closes(order.position_side, order.side)
        price = order.price or order.stop_price or ZERO
        commitment = Commitment(
            order.symbol, order.side, order.left, price, order.position_side, closing
        )
        desk.ledger.open_order(str(order.order_id), commitment)
        self.touch_order(order)

    def release(self, order: Order) -> None:
        """Gives an order's locks or margin back."""
        desk = self.floor.accounts[order.account].desks[order.market]
        if str(order.order_id) in desk.ledger.orders:
            desk.ledger.close_order(str(order.order_id))
            self.touch_order(order)

    def touch_order(self, order: Order) -> None:
        """Notes the coin that an order locks."""
        if order.market is Market.SPOT:
            listing = self.floor.listings[Market.SPOT][order.symbol]
            desk = self.floor.accounts[order.account].desks[Market.SPOT]
            desk.touched.add(listing.quote if order.side is Side.BUY else listing.base)

    def close(
        self,
        order: Order,
        status: OrderStatus,
        execution: Execution,
        *,
        reason: ExpireReason = ExpireReason.NONE,
        request_id: str | None = None,
    ) -> None:
        """Ends an order: out of the book, the ledger and the triggers, and says so."""
        instrument = self.floor.instruments[order.market, order.symbol]
        desk = self.floor.accounts[order.account].desks[order.market]
        instrument.book.remove(order)
        if order in instrument.waiting:
            instrument.waiting.remove(order)
        self.release(order)
        desk.open.pop(order.order_id, None)
        order.status, order.updated_ns = status, self.floor.now_ns()
        order.expire_reason, order.visible_qty = reason, ZERO
        self.order_event(order, execution, reason=reason, request_id=request_id)

    def expire(self, order: Order, reason: ExpireReason) -> None:
        """Ends an order that its client did not cancel."""
        if reason is not ExpireReason.STP:
            self.close(order, OrderStatus.EXPIRED, Execution.EXPIRED, reason=reason)
            return
        # Spot calls the end itself a prevention and names the match.
        prevents = order.market is Market.SPOT
        execution = Execution.TRADE_PREVENTION if prevents else Execution.EXPIRED
        self.close(order, OrderStatus.EXPIRED_IN_MATCH, execution, reason=reason)

    def shrink(self, order: Order, qty: Decimal, execution: Execution) -> None:
        """Lowers what an order can still fill, keeping its place, and says so."""
        desk = self.floor.accounts[order.account].desks[order.market]
        if str(order.order_id) in desk.ledger.orders:
            desk.ledger.shrink_order(str(order.order_id), qty)
        order.visible_qty = min(order.visible_qty, order.left)
        order.updated_ns = self.floor.now_ns()
        instrument = self.floor.instruments[order.market, order.symbol]
        instrument.book.note_change(order.side, order.price)
        self.touch_order(order)
        self.order_event(order, execution)
