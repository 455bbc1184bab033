"""The oracle: one account's books in rational numbers, event by event.

Use it to check the engine: feed both the same deposits, fills, marks and funding, then compare
`wallet`, `equity` and `position`. Strategies, orders, loans and liquidations are here too; margin
figures are in `oracle.margin`.

>>> ledger = Ledger(
...     {"USDT": 8},
...     {
...         "BTCUSDT": {
...             "kind": "linear",
...             "base": "BTC",
...             "quote": "USDT",
...             "settle": "USDT",
...             "price_scale": 2,
...             "qty_scale": 3,
...             "multiplier": "1",
...         }
...     },
... )
>>> ledger.deposit("USDT", "1000")
>>> _ = ledger.fill("BTCUSDT", "buy", "0.1", "30000", fee={"rate": "0.0005"})
>>> ledger.mark("BTCUSDT", "31000")
>>> float(ledger.equity("USDT"))
1098.5
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from oracle.books import COSTS, GAINS, ZERO, Book, Order, Refused, Strategy, closes, sign
from oracle.money import COST_DECIMALS, Number, cut, exact, round_up


class Ledger:
    """One account.

    Args:
        scales: Decimals of each asset's balance.
        instruments: By name, in the words of the accounting vectors.
        hedge: Long and short legs instead of one position.
        leverage: By instrument.
        isolated: Instruments with isolated margin.
        reporting: The currency that everything is also counted in.
    """

    def __init__(
        self,
        scales: Mapping[str, int],
        instruments: Mapping[str, Mapping[str, Any]],
        *,
        hedge: bool = False,
        leverage: Mapping[str, Number] | None = None,
        isolated: frozenset[str] = frozenset(),
        reporting: str | None = None,
    ) -> None:
        """See the class."""
        self.scales = dict(scales)
        self.instruments = dict(instruments)
        self.hedge = hedge
        self.leverages = {name: exact(x) for name, x in (leverage or {}).items()}
        self.isolated = isolated
        self.reporting = reporting
        self.cross: dict[str, Fraction] = defaultdict(Fraction)
        self.liability: dict[str, Fraction] = defaultdict(Fraction)
        self.lines: dict[str, dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
        self.report: dict[str, Fraction] = defaultdict(Fraction)
        self.rates: dict[str, Fraction] = {reporting: Fraction(1)} if reporting else {}
        self.marks: dict[str, Fraction] = {}
        self.books: dict[tuple[str, str], Book] = {}
        self.strategies: dict[str, Strategy] = {}
        self.orders: dict[str, Order] = {}

    # Reads.

    def value(self, instrument: str, qty: Fraction, price: Fraction) -> Fraction:
        """The signed settlement value of a quantity at a price, exact."""
        spec = self.instruments[instrument]
        if spec["kind"] == "inverse":
            return -qty * exact(spec["face"]) / price
        return qty * exact(spec.get("multiplier", "1")) * price

    def position(self, instrument: str, leg: str = "BOTH") -> Book:
        """The account's position; flat if it never traded."""
        return self.books.get((instrument, leg), Book())

    def unrealised(self, instrument: str, book: Book) -> Fraction:
        """Profit of what is held, at the mark; 0 before the first mark."""
        mark = self.marks.get(instrument)
        if mark is None or book.qty == 0:
            return ZERO
        return cut(self.value(instrument, book.qty, mark), COST_DECIMALS) - book.cost

    def held(self, asset: str) -> Iterator[tuple[str, str, Book]]:
        """The contracts' positions that settle in an asset."""
        for (name, leg), book in self.books.items():
            spec = self.instruments[name]
            if spec["kind"] != "spot" and spec["settle"] == asset:
                yield name, leg, book

    def wallet(self, asset: str) -> Fraction:
        """Cross and isolated money of an asset."""
        return self.cross[asset] + sum((b.isolated for _, _, b in self.held(asset)), ZERO)

    def locked(self, asset: str) -> Fraction:
        """What open spot orders lock of an asset."""
        total = ZERO
        for order in self.orders.values():
            spec = self.instruments[order.instrument]
            if spec["kind"] != "spot":
                continue
            if order.side == "sell" and spec["base"] == asset:
                total += order.qty
            if order.side == "buy" and spec["quote"] == asset:
                total += round_up(order.qty * order.price, self.scales[asset])
        return total

    def profit(self, asset: str) -> Fraction:
        """Unrealised profit of the contracts that settle in an asset."""
        return sum((self.unrealised(name, book) for name, _, book in self.held(asset)), ZERO)

    def equity(self, asset: str) -> Fraction:
        """Wallet less liability plus unrealised profit."""
        return self.wallet(asset) - self.liability[asset] + self.profit(asset)

    def equity_by_lines(self, asset: str) -> Fraction:
        """The other side of the money identity."""
        lines = self.lines[asset]
        gains = sum((lines[name] for name in GAINS), ZERO)
        return gains - sum((lines[name] for name in COSTS), ZERO) + self.profit(asset)

    def rounding(self, asset: str) -> Fraction:
        """Exact less posted profit of the contracts that settle in an asset."""
        return sum((book.rounding for _, _, book in self.held(asset)), ZERO)

    # Events.

    def deposit(self, asset: str, amount: Number) -> None:
        """Adds money from outside."""
        self._post(asset, "deposits", exact(amount))

    def deposit_at_cost(self, instrument: str, amount: Number, unit_cost: Number) -> None:
        """Adds coins with a stated cost to the book of a spot instrument."""
        asset = self.instruments[instrument]["base"]
        self._post(asset, "deposits", exact(amount))
        for book in self._both(instrument, "BOTH", None):
            self._trade_spot(book, exact(amount), exact(amount) * exact(unit_cost))

    def withdraw(self, asset: str, amount: Number) -> None:
        """Takes money out; refused if the free cross wallet does not hold it."""
        self._afford(asset, exact(amount))
        self._post(asset, "deposits", -exact(amount))

    def mark(self, instrument: str, price: Number) -> None:
        """Sets the price that values an instrument."""
        self.marks[instrument] = exact(price)

    def rate(self, asset: str, price: Number) -> None:
        """Sets an asset's price in the reporting currency; the change is revaluation."""
        if self.reporting is None or asset == self.reporting:
            return
        old, new = self.rates.get(asset), exact(price)
        self.rates[asset] = new
        if old is None:
            for name, amount in self.lines[asset].items():
                self.report[name] += amount * new
        else:
            net = self.wallet(asset) - self.liability[asset]
            self.report["revaluation"] += net * (new - old)

    def fill(
        self,
        instrument: str,
        side: str,
        qty: Number,
        price: Number,
        *,
        fee: Mapping[str, Any] | None = None,
        leg: str = "BOTH",
        reduce_only: bool = False,
        order_id: str | None = None,
        strategy: str | None = None,
    ) -> dict[str, Any]:
        """Applies an execution; all of it or, if it raises `Refused`, nothing.

        Args:
            instrument: Its name.
            side: `buy` or `sell`.
            qty: Base coin or contracts.
            price: In quote.
            fee: In the words of the accounting vectors; None is free.
            leg: `BOTH`, `LONG` or `SHORT`.
            reduce_only: Executes only what there is to close.
            order_id: The open order that it fills.
            strategy: Whose it is; None is external.

        Returns:
            What it did: qty, realised, and closed, opened or quote_amount, fee, fee_asset.
        """
        before = copy.deepcopy(self.__dict__)
        try:
            return self._fill(
                instrument,
                side,
                exact(qty),
                exact(price),
                fee,
                leg,
                reduce_only,
                order_id,
                strategy,
            )
        except Refused:
            self.__dict__.update(before)
            raise

    def _fill(
        self,
        instrument: str,
        side: str,
        qty: Fraction,
        price: Fraction,
        fee: Mapping[str, Any] | None,
        leg: str,
        reduce_only: bool,
        order_id: str | None,
        strategy: str | None,
    ) -> dict[str, Any]:
        direction = 1 if side == "buy" else -1
        held = self.position(instrument, leg).qty
        room = abs(held) if sign(held) == -direction else ZERO
        if reduce_only:
            qty = min(qty, room)
            if qty == 0 or (leg != "BOTH" and not closes(leg, side)):
                raise Refused("reduce-only would open")
        if closes(leg, side) and qty > room:
            raise Refused("closes more than the position")
        spec = self.instruments[instrument]
        fee_asset, charged = self._fee(instrument, side, qty, price, fee)
        result: dict[str, Any] = {"qty": qty}
        if order_id is not None and order_id in self.orders:
            self.orders[order_id].qty -= qty
            if self.orders[order_id].qty <= 0:
                del self.orders[order_id]
        books = self._both(instrument, leg, strategy)
        if spec["kind"] == "spot":
            quote = cut(qty * price, self.scales[spec["quote"]])
            self._post(spec["base"], "traded", direction * qty)
            self._post(spec["quote"], "traded", -direction * quote)
            self._post(fee_asset, "fees", charged)
            for asset in {spec["base"], spec["quote"], fee_asset}:
                if self.wallet(asset) < self.locked(asset):
                    raise Refused(f"insufficient {asset}")
            result["quote_amount"] = quote
            result["realised"] = self._trade_spot(books[0], direction * qty, direction * quote)
            self._trade_spot(books[1], direction * qty, direction * quote)
            for book in books:
                self._spot_fee(spec, book, fee_asset, charged, price)
        else:
            closed, result["realised"] = self._trade(instrument, books[0], direction * qty, price)
            self._trade_book(instrument, books[1], direction * qty, price)
            result |= {"closed": closed, "opened": qty - closed}
            self._post(fee_asset, "fees", charged)
            if fee_asset == spec["settle"]:
                for book in books:
                    book.fees += charged
                if instrument in self.isolated and closed < qty:
                    opening = charged - cut(charged * closed / qty, self.scales[fee_asset])
                    books[0].isolated -= opening
                    self.cross[fee_asset] += opening
        if charged and strategy is not None:
            self.strategies[strategy].fees[fee_asset] += charged
        if fee is not None:
            result |= {"fee": charged, "fee_asset": fee_asset}
        return result

    def funding(self, instrument: str, rate: Number, mark: Number) -> Fraction:
        """Pays funding on what is held; the mark becomes the mark.

        Returns:
            What the account received, net.
        """
        self.mark(instrument, mark)
        settle = self.instruments[instrument]["settle"]
        kind = self.instruments[instrument]["kind"]
        decimals = self.scales[settle]

        def due(book: Book) -> Fraction:
            worth = self.value(instrument, book.qty, exact(mark))
            worth = -worth if kind == "inverse" else worth
            return cut(-exact(rate) * worth, decimals)

        total = ZERO
        for leg in ("BOTH", "LONG", "SHORT"):
            book = self.books.get((instrument, leg))
            amount = due(book) if book else ZERO
            if book is not None and book.qty:
                book.funding += amount
                self._line(settle, "funding", amount)
                if instrument in self.isolated:
                    book.isolated += amount
                else:
                    self.cross[settle] += amount
            total += amount
            shares = {
                name: due(owner.books[instrument, leg])
                for name, owner in sorted(self.strategies.items())
                if owner.books.get((instrument, leg), Book()).qty
            }
            # What external trades hold is nobody's strategy here; the rest is theirs.
            if shares and sum(self.strategies[s].books[instrument, leg].qty for s in shares) == (
                book.qty if book else 0
            ):
                largest = max(
                    shares, key=lambda s: abs(self.strategies[s].books[instrument, leg].qty)
                )
                shares[largest] += amount - sum(shares.values())
            for name, share in shares.items():
                self.strategies[name].books[instrument, leg].funding += share
                self.strategies[name].funding[settle] += share
        return total

    def order_open(self, order_id: str, order: Order) -> None:
        """Takes an order into the books; refused if spot coins are missing."""
        self.orders[order_id] = order
        spec = self.instruments[order.instrument]
        if spec["kind"] != "spot":
            return
        for asset in (spec["base"], spec["quote"]):
            if self.wallet(asset) < self.locked(asset):
                del self.orders[order_id]
                raise Refused(f"insufficient {asset}")

    def order_close(self, order_id: str) -> None:
        """Takes an order out of the books."""
        if self.orders.pop(order_id, None) is None:
            raise Refused(f"no order {order_id}")

    def transfer_margin(self, instrument: str, leg: str, amount: Number) -> None:
        """Moves margin from the cross to the isolated wallet, or back if negative."""
        book, moved = self.position(instrument, leg), exact(amount)
        settle = self.instruments[instrument]["settle"]
        if instrument not in self.isolated or book.qty == 0:
            raise Refused("no isolated position")
        payer = self.cross[settle] - self.locked(settle) if moved > 0 else book.isolated
        if abs(moved) > payer:
            raise Refused("not enough margin")
        book.isolated += moved
        self.cross[settle] -= moved

    def liquidation(
        self, instrument: str, price: Number, qty: Number | None = None, leg: str = "BOTH"
    ) -> dict[str, Fraction]:
        """Closes a position by force: clearance fee, and the insurance fund for a deficit.

        Strategies are shared by `oracle` users themselves: this books the account only.
        """
        book, spec = self.books[instrument, leg], self.instruments[instrument]
        settle = spec["settle"]
        size = abs(book.qty) if qty is None else exact(qty)
        before = book.isolated
        direction = -sign(book.qty)
        _, realised = self._trade(instrument, book, direction * size, exact(price))
        isolated = instrument in self.isolated
        left = before - book.isolated + realised if isolated else self.cross[settle]
        worth = abs(self.value(instrument, size, exact(price)))
        fee = cut(worth * exact(spec["liquidation_fee_rate"]), self.scales[settle])
        clearance = min(fee, max(left, ZERO))
        self._post(settle, "clearance", clearance)
        deficit = max(-left, ZERO)
        if isolated:
            own = min(deficit, book.isolated)
            book.isolated -= own
            self.cross[settle] += own
            deficit -= own
        elif any(b.qty and n not in self.isolated for n, _, b in self.held(settle)):
            deficit = ZERO
        self._post(settle, "insurance", deficit)
        return {
            "qty": size,
            "closed": size,
            "opened": ZERO,
            "realised": realised,
            "clearance": clearance,
            "insurance": deficit,
        }

    def settle(self, instrument: str, price: Number, fee_rate: Number) -> dict[str, Any]:
        """Delivers a dated contract at a price with a fee on its value."""
        book, asset = self.books[instrument, "BOTH"], self.instruments[instrument]["settle"]
        size = abs(book.qty)
        worth = abs(self.value(instrument, size, exact(price)))
        _, realised = self._trade(instrument, book, -book.qty, exact(price))
        fee = cut(worth * exact(fee_rate), self.scales[asset])
        self._post(asset, "fees", fee)
        book.fees += fee
        return {
            "qty": size,
            "closed": size,
            "opened": ZERO,
            "realised": realised,
            "fee": fee,
            "fee_asset": asset,
        }

    def borrow(self, asset: str, amount: Number) -> None:
        """Borrows an asset."""
        self.cross[asset] += exact(amount)
        self.liability[asset] += exact(amount)

    def repay(self, asset: str, amount: Number) -> None:
        """Pays back what is owed."""
        self._afford(asset, exact(amount))
        if exact(amount) > self.liability[asset]:
            raise Refused("repays more than is owed")
        self.cross[asset] -= exact(amount)
        self.liability[asset] -= exact(amount)

    def interest(self, asset: str, principal: Number, hourly: Number, hours: int) -> Fraction:
        """Charges interest for started hours, rounded up."""
        amount = round_up(exact(principal) * exact(hourly) * hours, self.scales[asset])
        self._line(asset, "interest", amount)
        self.liability[asset] += amount
        return amount

    def convert(
        self, source: str, target: str, amount: Number, price: Number, fee_rate: Number
    ) -> tuple[Fraction, Fraction]:
        """Turns one asset into another; returns what was received and its fee."""
        self._afford(source, exact(amount))
        got = cut(exact(amount) * exact(price), self.scales[target])
        fee = cut(got * exact(fee_rate), self.scales[target])
        self._post(source, "converted", -exact(amount))
        self._post(target, "converted", got)
        self._post(target, "fees", fee)
        return got, fee

    def internal_cross(
        self, instrument: str, buyer: str, seller: str, qty: Number, price: Number
    ) -> None:
        """Matches two strategies inside: only their books move."""
        for name, direction in ((buyer, 1), (seller, -1)):
            owner = self.strategies.setdefault(name, Strategy())
            book = owner.books.setdefault((instrument, "BOTH"), Book())
            self._trade_book(instrument, book, direction * exact(qty), exact(price))

    # How events are booked.

    def _line(self, asset: str, name: str, amount: Fraction) -> None:
        self.lines[asset][name] += amount
        if asset in self.rates:
            self.report[name] += amount * self.rates[asset]

    def _post(self, asset: str, name: str, amount: Fraction) -> None:
        self._line(asset, name, amount)
        self.cross[asset] += -amount if name in COSTS else amount

    def _afford(self, asset: str, amount: Fraction) -> None:
        if self.cross[asset] - self.locked(asset) < amount:
            raise Refused(f"insufficient {asset}")

    def _both(self, instrument: str, leg: str, strategy: str | None) -> list[Book]:
        """The account's book and the owner's; external trades have a book that nobody reads."""
        account = self.books.setdefault((instrument, leg), Book())
        if strategy is None:
            return [account, Book()]
        owner = self.strategies.setdefault(strategy, Strategy())
        return [account, owner.books.setdefault((instrument, leg), Book())]

    def _trade(
        self, instrument: str, book: Book, qty: Fraction, price: Fraction
    ) -> tuple[Fraction, Fraction]:
        """Trades the account's book of a contract and posts its profit and isolated margin."""
        settle = self.instruments[instrument]["settle"]
        held = abs(book.qty)
        closed, realised = self._trade_book(instrument, book, qty, price)
        self._post(settle, "realised", realised)
        if instrument in self.isolated:
            if closed:
                back = cut(book.isolated * closed / held, self.scales[settle])
                book.isolated -= back
                self.cross[settle] += back
            opened = abs(qty) - closed
            worth = abs(self.value(instrument, opened, price))
            margin = cut(worth / self.leverages[instrument], self.scales[settle])
            book.isolated += margin
            self.cross[settle] -= margin
        return closed, realised

    def _trade_book(
        self, instrument: str, book: Book, qty: Fraction, price: Fraction
    ) -> tuple[Fraction, Fraction]:
        """Trades one book of a contract; returns the closed quantity and the profit."""
        decimals = self.scales[self.instruments[instrument]["settle"]]
        closed = min(abs(qty), abs(book.qty)) if sign(book.qty) == -sign(qty) else ZERO
        realised = ZERO
        if closed:
            worth = cut(self.value(instrument, closed * sign(qty), price), COST_DECIMALS)
            released = cut(book.cost * closed / abs(book.qty), COST_DECIMALS)
            realised = cut(-worth - released, decimals)
            book.realised += realised
            book.cost += worth + realised
            book.qty += closed * sign(qty)
            if book.qty == 0:
                book.rounding -= book.cost
                book.cost = ZERO
        opened = (abs(qty) - closed) * sign(qty)
        if opened:
            book.cost += cut(self.value(instrument, opened, price), COST_DECIMALS)
            book.qty += opened
        return closed, realised

    def _trade_spot(self, book: Book, qty: Fraction, quote: Fraction) -> Fraction:
        """Trades a spot book for a quote amount; returns the profit at 18 decimals."""
        if sign(book.qty) != -sign(qty):
            book.qty += qty
            book.cost += quote
            return ZERO
        closed = min(abs(qty), abs(book.qty))
        part = cut(quote * closed / abs(qty), COST_DECIMALS)
        released = cut(book.cost * closed / abs(book.qty), COST_DECIMALS)
        book.realised += -part - released
        book.cost -= released
        if closed == abs(book.qty):
            book.cost = quote - part
        book.qty += qty
        return -part - released

    def _spot_fee(
        self,
        spec: Mapping[str, Any],
        book: Book,
        asset: str,
        fee: Fraction,
        price: Fraction,
    ) -> None:
        if asset == spec["quote"]:
            book.fees += fee
        elif asset == spec["base"]:
            book.fees += fee * price
            book.qty -= fee
            book.cost -= fee * price
            if book.qty == 0:
                book.rounding -= book.cost
                book.cost = ZERO

    def _fee(
        self,
        instrument: str,
        side: str,
        qty: Fraction,
        price: Fraction,
        fee: Mapping[str, Any] | None,
    ) -> tuple[str, Fraction]:
        """The coin and amount of a fee."""
        spec = self.instruments[instrument]
        money = spec["quote"] if spec["kind"] == "spot" else spec["settle"]
        if fee is None:
            return money, ZERO
        if "amount" in fee:
            return fee["asset"], exact(fee["amount"])
        rate = exact(fee["rate"])
        worth = abs(self.value(instrument, qty, price))
        if "discount" in fee:
            asset = fee["asset"]
            paid = worth * rate * (1 - exact(fee["discount"])) / exact(fee["asset_price"])
            paid = cut(paid, self.scales[asset])
            if self.wallet(asset) - self.locked(asset) >= paid:
                return asset, paid
            received = spec["base"] if spec["kind"] == "spot" and side == "buy" else money
            fee = {"rate": fee["rate"], "asset": received}
        if fee.get("asset", money) == spec["base"] and spec["kind"] == "spot" and side == "buy":
            return spec["base"], cut(qty * rate, self.scales[spec["base"]])
        if spec["kind"] == "spot":
            worth = cut(worth, self.scales[money])
        return money, cut(worth * rate, self.scales[money])
