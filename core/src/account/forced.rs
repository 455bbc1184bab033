//! What is done to a position from outside: liquidation, delivery, internal crosses, margin moves.

use crate::account::error::{insufficient, AccountError};
use crate::account::fee::split;
use crate::account::funding::SIDES;
use crate::account::position::{Position, Trade};
use crate::account::terms::Terms;
use crate::account::wallet::{positive, Draft, Line};
use crate::account::{Account, Accounts};
use crate::instrument::{InstrumentId, Kind};
use crate::order::PositionSide;
use crate::units::{Overflow, MARK_SCALE};

/// What a liquidation took; amounts at the settlement currency's scale but `realised`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liquidated {
    /// What was closed, in quantity units.
    pub qty: i64,
    /// Profit at cost scale.
    pub realised: i128,
    /// The clearance fee, never more than what was left.
    pub clearance: i128,
    /// What the insurance fund credited.
    pub insurance: i128,
}

/// What a delivery did, over all legs of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// What was closed, in quantity units.
    pub qty: i64,
    /// Profit at cost scale.
    pub realised: i128,
    /// At the settlement currency's scale.
    pub fee: i128,
}

impl Accounts {
    /// Closes `qty` (all if `None`) of a position by force at `price`, in price units (rule A32):
    /// clearance fee, insurance of a deficit, and the strategies' shares (rule A39). Orders are
    /// the caller's to cancel first.
    ///
    /// # Errors
    ///
    /// [`AccountError`]; nothing changed.
    pub fn liquidation(
        &mut self,
        account: u16,
        instrument: InstrumentId,
        side: PositionSide,
        qty: Option<i64>,
        price: i64,
    ) -> Result<Liquidated, AccountError> {
        positive(i128::from(price), "liquidation price")?;
        let symbol = self.contract(instrument)?.symbol.clone();
        let leg = self.account(account)?.legs.copy(instrument, side);
        let closed = qty.unwrap_or(leg.qty.abs());
        positive(i128::from(closed), "quantity of a liquidation")?;
        if closed > leg.qty.abs() {
            return Err(AccountError::ClosesMore(symbol));
        }
        self.atomically(account, |accounts| {
            let forced = accounts.force_close(account, leg, closed, price);
            forced.map_err(|_| AccountError::Overflow(symbol))
        })
    }

    fn force_close(
        &mut self,
        account: u16,
        mut leg: Position,
        closed: i64,
        price: i64,
    ) -> Result<Liquidated, Overflow> {
        let terms = &self.terms[leg.instrument as usize];
        let last = !self.other_cross(account, terms, &leg);
        let books = &mut self.accounts[usize::from(account)];
        let direction = -leg.qty.signum();
        let before = leg;
        let units = i128::from(closed * direction);
        let trade = Trade::at(terms, units, price, terms.price_scale)?;
        let mut draft = Draft::of(books);
        let step = books.apply_contract(terms, &mut draft, &mut leg, &trade)?;
        let isolated = books.setting(leg.instrument).is_isolated;
        let released = before.isolated_wallet - leg.isolated_wallet;
        let left =
            if isolated { released + step.posted } else { draft.row(books, terms.settle).cross };
        let fee =
            terms.at_rate(i128::from(closed), price, terms.price_scale, terms.liquidation_fee)?;
        let clearance = fee.min(left.max(0));
        draft.post(books, terms.settle, Line::Clearance, clearance)?;
        let mut deficit = (-left).max(0);
        if isolated {
            // What is still isolated pays before the fund does: the loss stops at that wallet.
            let own = deficit.min(leg.isolated_wallet);
            leg.isolated_wallet -= own;
            draft.row(books, terms.settle).isolate(-own)?;
            deficit -= own;
        } else if !leg.is_flat() || !last {
            deficit = 0;
        }
        draft.post(books, terms.settle, Line::Insurance, deficit)?;
        draft.commit(books);
        books.legs.put(&leg);
        books.share_close(terms, &before, closed, (price, terms.price_scale))?;
        Ok(Liquidated { qty: closed, realised: step.realised, clearance, insurance: deficit })
    }

    /// True if another cross position of the leg's currency is open.
    fn other_cross(&self, account: u16, terms: &Terms, leg: &Position) -> bool {
        let books = &self.accounts[usize::from(account)];
        books.legs.iter().any(|other| {
            let theirs = &self.terms[other.instrument as usize];
            !other.is_flat()
                && theirs.kind != Kind::Spot
                && theirs.settle == terms.settle
                && !books.setting(other.instrument).is_isolated
                && (other.instrument, other.side) != (leg.instrument, leg.side)
        })
    }

    /// Delivers a dated contract at `price`, at mark scale, with a fee at `fee_rate` on its value
    /// (rule A22). Every strategy's book closes at that price.
    ///
    /// # Errors
    ///
    /// [`AccountError`]; nothing changed.
    pub fn settle(
        &mut self,
        account: u16,
        instrument: InstrumentId,
        price: i64,
        fee_rate: i64,
    ) -> Result<Settled, AccountError> {
        positive(i128::from(price), "settlement price")?;
        let symbol = self.contract(instrument)?.symbol.clone();
        self.account(account)?;
        self.atomically(account, |accounts| {
            let mut settled = Settled::default();
            for side in SIDES {
                let leg = accounts.settle_leg(account, (instrument, side), price, fee_rate);
                let leg = leg.map_err(|_| AccountError::Overflow(symbol.clone()))?;
                settled.qty += leg.qty;
                settled.realised += leg.realised;
                settled.fee += leg.fee;
            }
            Ok(settled)
        })
    }

    fn settle_leg(
        &mut self,
        account: u16,
        (instrument, side): (InstrumentId, PositionSide),
        price: i64,
        fee_rate: i64,
    ) -> Result<Settled, Overflow> {
        let terms = &self.terms[instrument as usize];
        let books = &mut self.accounts[usize::from(account)];
        let mut leg = books.legs.copy(instrument, side);
        let held = leg.qty;
        let mut settled = Settled { qty: held.abs(), ..Settled::default() };
        if held != 0 {
            let trade = Trade::at(terms, -i128::from(held), price, MARK_SCALE)?;
            let mut draft = Draft::of(books);
            settled.realised = books.apply_contract(terms, &mut draft, &mut leg, &trade)?.realised;
            settled.fee = terms.at_rate(i128::from(held.abs()), price, MARK_SCALE, fee_rate)?;
            draft.post(books, terms.settle, Line::Fees, settled.fee)?;
            leg.fees = leg.fees.checked_add(terms.at_cost(settled.fee)?).ok_or(Overflow)?;
            draft.commit(books);
            books.legs.put(&leg);
        }
        let holdings: Vec<i64> = books
            .strategies
            .iter()
            .map(|owner| owner.legs.get(instrument, side).map_or(0, |book| book.qty))
            .collect();
        let payers: Vec<i64> = holdings
            .iter()
            .map(|&qty| if qty.signum() == held.signum() { qty.abs() } else { 0 })
            .collect();
        let fees = split(settled.fee, &payers)?;
        for (index, &qty) in holdings.iter().enumerate().filter(|(_, &qty)| qty != 0) {
            let owner = &mut books.strategies[index];
            let mut book = owner.legs.copy(instrument, side);
            book.trade(terms, &Trade::at(terms, -i128::from(qty), price, MARK_SCALE)?)?;
            book.fees = book.fees.checked_add(terms.at_cost(fees[index])?).ok_or(Overflow)?;
            owner.legs.put(&book);
            let row = &mut owner.rows[usize::from(terms.settle)];
            row.fees = row.fees.checked_add(fees[index]).ok_or(Overflow)?;
        }
        Ok(settled)
    }

    /// Matches opposite wishes of two strategies inside the account, in quantity and price units:
    /// only their books move (rule A38).
    ///
    /// # Errors
    ///
    /// [`AccountError`]; nothing changed.
    pub fn internal_cross(
        &mut self,
        account: u16,
        (instrument, side): (InstrumentId, PositionSide),
        (buyer, seller): (u16, u16),
        qty: i64,
        price: i64,
    ) -> Result<(), AccountError> {
        positive(i128::from(qty), "quantity of a cross")?;
        positive(i128::from(price), "price of a cross")?;
        let terms = self.terms(instrument)?.clone();
        self.account(account)?.check_side(&terms, side)?;
        self.atomically(account, |accounts| {
            let books = accounts.account_mut(account)?;
            let assets = books.balances.len();
            for (strategy, sign) in [(buyer, 1), (seller, -1)] {
                let crossed = || -> Result<Position, Overflow> {
                    let mut book = books.strategy_leg(strategy, &Position::flat(instrument, side));
                    let units = terms.units(qty) * sign;
                    let trade = if terms.kind == Kind::Spot {
                        let quote = terms.notional(units, price, terms.price_scale)?;
                        Trade::of_coins(units, terms.at_cost(terms.post(quote))?)
                    } else {
                        Trade::at(&terms, units, price, terms.price_scale)?
                    };
                    book.trade(&terms, &trade)?;
                    Ok(book)
                };
                let book = crossed().map_err(|_| terms.overflow())?;
                books.strategy_mut(strategy, assets).legs.put(&book);
            }
            Ok(())
        })
    }

    /// Moves margin from the cross wallet to an isolated position's (or back, if negative), at
    /// the settlement currency's scale. What a venue would let go is `removable_margin`.
    ///
    /// # Errors
    ///
    /// [`AccountError`]; nothing changed.
    pub fn transfer_margin(
        &mut self,
        account: u16,
        instrument: InstrumentId,
        side: PositionSide,
        amount: i128,
    ) -> Result<(), AccountError> {
        let terms = self.contract(instrument)?;
        let books = self.account(account)?;
        let mut leg = books.legs.copy(instrument, side);
        if !books.setting(instrument).is_isolated || leg.is_flat() {
            return Err(AccountError::NotIsolated(terms.symbol.clone()));
        }
        let row = &books.balances[usize::from(terms.settle)];
        let payer = if amount > 0 { row.cross - row.locked } else { leg.isolated_wallet };
        let short = amount.saturating_abs() - payer;
        if short > 0 {
            let name = self.asset_name(terms.settle);
            return Err(insufficient(&name, short, terms.settle_scale));
        }
        let mut draft = Draft::of(books);
        leg.isolated_wallet += amount;
        draft.row(books, terms.settle).isolate(amount).map_err(|_| terms.overflow())?;
        let books = self.account_mut(account)?;
        draft.commit(books);
        books.legs.put(&leg);
        Ok(())
    }
}

impl Account {
    /// Closes `closed` of what the account held over the strategies on that side, in whole lots.
    fn share_close(
        &mut self,
        terms: &Terms,
        held: &Position,
        closed: i64,
        (price, scale): (i64, u8),
    ) -> Result<(), Overflow> {
        let holdings: Vec<i64> = self
            .strategies
            .iter()
            .map(|owner| match owner.legs.get(held.instrument, held.side) {
                Some(book) if book.qty.signum() == held.qty.signum() => book.qty.abs(),
                Some(_) | None => 0,
            })
            .collect();
        let direction = -i128::from(held.qty.signum());
        for (index, part) in in_lots(closed, terms.lot, &holdings).into_iter().enumerate() {
            if part == 0 {
                continue;
            }
            let owner = &mut self.strategies[index];
            let mut book = owner.legs.copy(held.instrument, held.side);
            book.trade(terms, &Trade::at(terms, i128::from(part) * direction, price, scale)?)?;
            owner.legs.put(&book);
        }
        Ok(())
    }
}

/// Splits a quantity over holdings in whole lots, the largest remainders first, of equals the
/// first; what is less than a lot goes with the largest holding.
fn in_lots(qty: i64, lot: i64, holdings: &[i64]) -> Vec<i64> {
    let total: i128 = holdings.iter().map(|&h| i128::from(h)).sum();
    let mut parts = vec![0_i64; holdings.len()];
    if total == 0 {
        return parts;
    }
    let mut remainders: Vec<(i128, usize)> = Vec::new();
    for (index, &holding) in holdings.iter().enumerate() {
        let lots = i128::from(qty / lot) * i128::from(holding);
        parts[index] = (lots / total) as i64 * lot;
        remainders.push((lots % total, index));
    }
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut left = qty - parts.iter().sum::<i64>();
    for &(_, index) in &remainders {
        if left < lot || holdings[index] == 0 {
            continue;
        }
        parts[index] += lot;
        left -= lot;
    }
    if left > 0 {
        let largest = (0..holdings.len()).rev().max_by_key(|&i| holdings[i]).unwrap_or(0);
        parts[largest] += left;
    }
    parts
}
