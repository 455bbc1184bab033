//! Fills: one execution moves the account's book, its owner's book and the balances, or nothing.

use crate::account::error::{insufficient, AccountError};
use crate::account::position::{Position, Step, Trade};
use crate::account::terms::Terms;
use crate::account::wallet::{positive, Draft, Line};
use crate::account::{Account, Accounts};
use crate::instrument::{AssetId, InstrumentId, Kind};
use crate::order::{OrderId, PositionSide, Side};
use crate::units::{mul_div, rescale, Overflow, Rounding, MARK_SCALE};

/// One execution of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillInput {
    /// Row of the account table.
    pub account: u16,
    /// Whose it is; 0 is `external`.
    pub strategy: u16,
    /// Row of the instrument table.
    pub instrument: InstrumentId,
    /// Which leg: `Both` in one-way mode and for spot.
    pub position_side: PositionSide,
    /// Buy or sell.
    pub side: Side,
    /// In quantity units; positive.
    pub qty: i64,
    /// In price units; positive.
    pub price: i64,
    /// At the scale of `fee_asset`; positive is paid, negative a rebate.
    pub fee: i128,
    /// Row of the asset table.
    pub fee_asset: AssetId,
    /// Executes no more than what there is to close (rule A19). Compute the fee for
    /// [`Accounts::reducible`].
    pub reduce_only: bool,
    /// The open order that it fills; 0 if the accounts were not told of one.
    pub order: OrderId,
    /// Contracts: the profit that the venue booked, at the settlement currency's scale, which then
    /// wins over ours (rule A35). `None` if it did not say.
    pub realised: Option<i128>,
}

/// What a fill did to the account's book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FillOutcome {
    /// What was executed, in quantity units: less than asked where reduce-only cut it.
    pub qty: i64,
    /// What it closed.
    pub closed: i64,
    /// What it opened.
    pub opened: i64,
    /// Profit at cost scale; for contracts a whole number of the settlement currency's units.
    pub realised: i128,
    /// Spot: the quote coins that moved, at the quote's scale.
    pub quote_amount: i128,
}

impl Accounts {
    /// Applies one fill.
    ///
    /// # Errors
    ///
    /// [`AccountError`] says why it was refused; then nothing changed at all.
    pub fn fill(&mut self, fill: &FillInput) -> Result<FillOutcome, AccountError> {
        positive(i128::from(fill.qty), "quantity of a fill")?;
        positive(i128::from(fill.price), "price of a fill")?;
        let terms = self
            .terms
            .get(fill.instrument as usize)
            .ok_or(AccountError::UnknownInstrument(fill.instrument))?;
        if usize::from(fill.fee_asset) >= self.assets.len() {
            return Err(AccountError::UnknownAsset(fill.fee_asset));
        }
        let account = self
            .accounts
            .get_mut(usize::from(fill.account))
            .ok_or(AccountError::UnknownAccount(fill.account))?;
        let leg = account.legs.copy(fill.instrument, fill.position_side);
        let qty = account.executable(terms, &leg, fill)?;
        if terms.kind == Kind::Spot {
            return account.fill_spot(terms, leg, fill, qty, &self.assets);
        }
        account.fill_contract(terms, leg, fill, qty).map_err(|_| terms.overflow())
    }

    /// Books the fee of a fill that was booked before without it: all of `fill` but the quantity
    /// is that fill's. Of an isolated position it is paid from the cross wallet. The balance may go
    /// below zero, because the venue's word is not refused.
    ///
    /// # Errors
    ///
    /// [`AccountError`] says why it was refused; then nothing changed at all.
    pub fn late_fee(&mut self, fill: &FillInput) -> Result<(), AccountError> {
        let terms = self
            .terms
            .get(fill.instrument as usize)
            .ok_or(AccountError::UnknownInstrument(fill.instrument))?;
        if usize::from(fill.fee_asset) >= self.assets.len() {
            return Err(AccountError::UnknownAsset(fill.fee_asset));
        }
        let account = self
            .accounts
            .get_mut(usize::from(fill.account))
            .ok_or(AccountError::UnknownAccount(fill.account))?;
        account.late_fee(terms, fill).map_err(|_| terms.overflow())
    }

    /// What a fill of `qty` would execute if it is reduce-only: 0 if there is nothing to reduce.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for an unknown account or instrument.
    pub fn reducible(
        &self,
        account: u16,
        instrument: InstrumentId,
        position_side: PositionSide,
        side: Side,
        qty: i64,
    ) -> Result<i64, AccountError> {
        self.terms(instrument)?;
        let held = self.account(account)?.legs.copy(instrument, position_side).qty;
        Ok(opposite(held, side).min(qty))
    }

    /// Adds coins from outside with a stated cost: the spot book of `instrument` takes them, for
    /// the owner `external`. `amount` is at the base coin's scale, `unit_cost` at mark scale.
    ///
    /// # Errors
    ///
    /// [`AccountError`]; nothing changed.
    pub fn deposit_at_cost(
        &mut self,
        account: u16,
        instrument: InstrumentId,
        amount: i128,
        unit_cost: i64,
    ) -> Result<(), AccountError> {
        let terms = self.terms(instrument)?.clone();
        if terms.kind != Kind::Spot {
            return Err(AccountError::WrongKind(terms.symbol));
        }
        positive(i128::from(unit_cost), "unit cost")?;
        positive(amount, "amount")?;
        self.atomically(account, |accounts| {
            let over = |_| terms.overflow();
            let cost = terms.notional(amount, unit_cost, MARK_SCALE).map_err(over)?;
            let trade = Trade::of_coins(amount, cost);
            let books = accounts.account_mut(account)?;
            books.book(&terms, 0, instrument, PositionSide::Both, &trade).map_err(over)?;
            accounts.deposit(account, terms.base, amount)
        })
    }
}

/// The quantity of a position that a fill on `side` can close.
#[inline]
pub(crate) fn opposite(held: i64, side: Side) -> i64 {
    if (held > 0) == (side == Side::Sell) {
        held.abs()
    } else {
        0
    }
}

impl Account {
    /// Checks the leg and returns what is executed of the fill.
    #[inline]
    fn executable(
        &self,
        terms: &Terms,
        leg: &Position,
        fill: &FillInput,
    ) -> Result<i64, AccountError> {
        self.check_side(terms, fill.position_side)?;
        let setting = self.setting(fill.instrument);
        if setting.is_isolated && setting.leverage == 0 {
            return Err(AccountError::NoLeverage(terms.symbol.clone()));
        }
        let room = opposite(leg.qty, fill.side);
        if closes_leg(fill.position_side, fill.side) && fill.qty > room && !fill.reduce_only {
            return Err(AccountError::ClosesMore(terms.symbol.clone()));
        }
        if !fill.reduce_only {
            return Ok(fill.qty);
        }
        let opens =
            fill.position_side != PositionSide::Both && !closes_leg(fill.position_side, fill.side);
        if room == 0 || opens {
            return Err(AccountError::ReduceOnly(terms.symbol.clone()));
        }
        Ok(room.min(fill.qty))
    }

    pub(crate) fn check_side(&self, terms: &Terms, side: PositionSide) -> Result<(), AccountError> {
        let hedge = self.hedge && terms.kind != Kind::Spot;
        if hedge == (side == PositionSide::Both) {
            return Err(AccountError::BadSide(terms.symbol.clone()));
        }
        Ok(())
    }

    #[inline]
    fn fill_contract(
        &mut self,
        terms: &Terms,
        mut leg: Position,
        fill: &FillInput,
        qty: i64,
    ) -> Result<FillOutcome, Overflow> {
        let units = i128::from(qty) * i128::from(fill.side.sign());
        let mut trade = Trade::at(terms, units, fill.price, terms.price_scale)?;
        trade.posted = fill.realised;
        let mut draft = Draft::of(self);
        let before = leg;
        let step = self.apply_contract(terms, &mut draft, &mut leg, &trade)?;
        let own = fill.fee_asset == terms.settle;
        if fill.fee != 0 {
            let opening = if step.opened == 0 || !own {
                0
            } else {
                let total = i128::from(qty);
                fill.fee - mul_div(fill.fee, step.closed, total, Rounding::TowardZero)?
            };
            self.charge(terms, &mut draft, &mut leg, fill, opening)?;
        }
        let mut book = self.strategy_leg(fill.strategy, &leg);
        book.follow(terms, &trade, (&before, &leg, &step))?;
        if own {
            let fee = terms.at_cost(fill.fee)?;
            leg.fees = leg.fees.checked_add(fee).ok_or(Overflow)?;
            book.fees = book.fees.checked_add(fee).ok_or(Overflow)?;
        }
        self.settle_fill(&draft, &leg, &book, fill, qty)?;
        Ok(FillOutcome {
            qty,
            closed: step.closed as i64,
            opened: step.opened as i64,
            realised: step.realised,
            quote_amount: 0,
        })
    }

    /// Trades the account's leg and moves its profit and its isolated margin (rules A5, A20).
    #[inline]
    pub(crate) fn apply_contract(
        &self,
        terms: &Terms,
        draft: &mut Draft,
        leg: &mut Position,
        trade: &Trade,
    ) -> Result<Step, Overflow> {
        let held = i128::from(leg.qty).abs();
        let step = leg.trade(terms, trade)?;
        draft.post(self, terms.settle, Line::Realised, step.posted)?;
        let row = draft.row(self, terms.settle);
        row.rounding = row.rounding.checked_add(step.rounding).ok_or(Overflow)?;
        let setting = self.setting(leg.instrument);
        if setting.is_isolated {
            if step.closed > 0 {
                let wallet = leg.isolated_wallet;
                let released = mul_div(wallet, step.closed, held, Rounding::TowardZero)?;
                leg.isolated_wallet -= released;
                row.isolate(-released)?;
            }
            if step.opened > 0 {
                let (price, scale) = trade.price;
                let value = terms.fraction(step.opened, price, scale)?;
                let margin = terms.post(terms.fine_over_leverage(value, setting.leverage)?.floor());
                leg.isolated_wallet = leg.isolated_wallet.checked_add(margin).ok_or(Overflow)?;
                row.isolate(margin)?;
            }
        }
        Ok(step)
    }

    fn late_fee(&mut self, terms: &Terms, fill: &FillInput) -> Result<(), Overflow> {
        let mut leg = self.legs.copy(fill.instrument, fill.position_side);
        let mut book = self.strategy_leg(fill.strategy, &leg);
        let mut draft = Draft::of(self);
        draft.post(self, fill.fee_asset, Line::Fees, fill.fee)?;
        for own in [&mut leg, &mut book] {
            if terms.kind == Kind::Spot {
                own.pay_spot_fee(terms, fill)?;
            } else if fill.fee_asset == terms.settle {
                own.fees = own.fees.checked_add(terms.at_cost(fill.fee)?).ok_or(Overflow)?;
            }
        }
        self.settle_fill(&draft, &leg, &book, fill, 0)
    }

    /// Posts a fee; the opening part of an isolated position's fee leaves its own wallet.
    #[inline]
    fn charge(
        &self,
        terms: &Terms,
        draft: &mut Draft,
        leg: &mut Position,
        fill: &FillInput,
        opening: i128,
    ) -> Result<(), Overflow> {
        draft.post(self, fill.fee_asset, Line::Fees, fill.fee)?;
        if opening != 0 && self.setting(leg.instrument).is_isolated {
            leg.isolated_wallet = leg.isolated_wallet.checked_sub(opening).ok_or(Overflow)?;
            draft.row(self, terms.settle).isolate(-opening)?;
        }
        Ok(())
    }

    fn fill_spot(
        &mut self,
        terms: &Terms,
        mut leg: Position,
        fill: &FillInput,
        qty: i64,
        assets: &[crate::instrument::Asset],
    ) -> Result<FillOutcome, AccountError> {
        let over = |_: Overflow| terms.overflow();
        let units = terms.units(qty);
        let exact = terms.notional(units, fill.price, terms.price_scale).map_err(over)?;
        let quote = terms.post(exact);
        let sign = i128::from(fill.side.sign());
        let trade = Trade::of_coins(units * sign, terms.at_cost(quote).map_err(over)?);
        let mut draft = Draft::of(self);
        draft.post(self, terms.base, Line::Traded, units * sign).map_err(over)?;
        draft.post(self, terms.quote, Line::Traded, -quote * sign).map_err(over)?;
        draft.post(self, fill.fee_asset, Line::Fees, fill.fee).map_err(over)?;
        if let Some((asset, freed)) = self.lock_freed(terms, fill.order, qty).map_err(over)? {
            draft.row(self, asset).locked -= freed;
        }
        for id in [terms.base, terms.quote, fill.fee_asset] {
            let free = draft.row(self, id).free();
            if free < 0 && !self.overdraws {
                let asset = &assets[usize::from(id)];
                return Err(insufficient(&asset.name, -free, asset.scale));
            }
        }
        let before = leg;
        let step = leg.trade(terms, &trade).map_err(over)?;
        let mut book = self.strategy_leg(fill.strategy, &leg);
        book.follow(terms, &trade, (&before, &leg, &step)).map_err(over)?;
        for own in [&mut leg, &mut book] {
            own.pay_spot_fee(terms, fill).map_err(over)?;
        }
        self.settle_fill(&draft, &leg, &book, fill, qty).map_err(over)?;
        let in_qty = |units: i128| {
            rescale(units, terms.base_scale, terms.qty_scale, Rounding::TowardZero)
                .map(|v| v as i64)
        };
        Ok(FillOutcome {
            qty,
            closed: in_qty(step.closed).map_err(over)?,
            opened: in_qty(step.opened).map_err(over)?,
            realised: step.realised,
            quote_amount: quote,
        })
    }

    /// Writes what a fill did: balances, both books, the owner's fee and the order's rest.
    #[inline]
    fn settle_fill(
        &mut self,
        draft: &Draft,
        leg: &Position,
        book: &Position,
        fill: &FillInput,
        qty: i64,
    ) -> Result<(), Overflow> {
        let assets = self.balances.len();
        let owner = self.strategy_mut(fill.strategy, assets);
        let fees = &mut owner.rows[usize::from(fill.fee_asset)].fees;
        // The last figure that can overflow: nothing is written before it.
        *fees = fees.checked_add(fill.fee).ok_or(Overflow)?;
        owner.legs.put(book);
        self.legs.put(leg);
        draft.commit(self);
        self.reduce_order(fill.order, qty);
        Ok(())
    }

    /// Trades the account's and a strategy's book without moving balances.
    pub(crate) fn book(
        &mut self,
        terms: &Terms,
        strategy: u16,
        instrument: InstrumentId,
        side: PositionSide,
        trade: &Trade,
    ) -> Result<(), Overflow> {
        let mut leg = self.legs.copy(instrument, side);
        leg.trade(terms, trade)?;
        let mut book = self.strategy_leg(strategy, &leg);
        book.trade(terms, trade)?;
        self.legs.put(&leg);
        let assets = self.balances.len();
        self.strategy_mut(strategy, assets).legs.put(&book);
        Ok(())
    }
}

impl Position {
    /// Books a spot fee: in quote as it is, in base as coins that leave at the fill's price.
    fn pay_spot_fee(&mut self, terms: &Terms, fill: &FillInput) -> Result<(), Overflow> {
        let worth = if fill.fee_asset == terms.quote {
            terms.at_cost(fill.fee)?
        } else if fill.fee_asset == terms.base {
            let (value, _) = terms.fraction(fill.fee, fill.price, terms.price_scale)?;
            let worth = if fill.fee < 0 { -value } else { value };
            self.dispose(terms, fill.fee, worth)?;
            worth
        } else {
            0
        };
        self.fees = self.fees.checked_add(worth).ok_or(Overflow)?;
        Ok(())
    }
}

/// True if a fill on `side` can only close this leg.
#[inline]
pub(crate) fn closes_leg(leg: PositionSide, side: Side) -> bool {
    matches!((leg, side), (PositionSide::Long, Side::Sell) | (PositionSide::Short, Side::Buy))
}
