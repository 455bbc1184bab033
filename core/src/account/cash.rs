//! Money that the venue says has moved, in its own amounts: never computed here, never refused.

use super::position::Position;
use super::wallet::Line;
use super::{AccountError, Accounts};
use crate::instrument::{AssetId, InstrumentId};
use crate::order::PositionSide;
use crate::units::{mul_div, Overflow, Rounding};

impl Accounts {
    /// Lets fills take a balance below zero: a real venue's fills happened, whatever we know of
    /// the balance; the difference then shows in its next statement.
    pub fn allow_overdraft(&mut self) {
        for account in &mut self.accounts {
            account.overdraws = true;
        }
    }

    /// Books an amount on the line that says why; positive is received. The balance may go below
    /// zero, because the venue's word is not refused.
    ///
    /// # Errors
    ///
    /// [`AccountError`]; nothing changed.
    pub fn cash(
        &mut self,
        account: u16,
        asset: AssetId,
        line: Line,
        amount: i128,
    ) -> Result<(), AccountError> {
        self.draft(account, asset, |draft, books| {
            let signed = amount.checked_mul(line.sign()).ok_or(Overflow)?;
            draft.post(books, asset, line, signed)
        })
    }

    /// Books funding of an instrument as the venue paid it, and shares it over the strategies by
    /// signed position, the remainder to the largest. What is paid on a position that is closed by
    /// now belongs to the account alone.
    ///
    /// # Errors
    ///
    /// [`AccountError`]; nothing changed.
    pub fn funding_stated(
        &mut self,
        account: u16,
        instrument: InstrumentId,
        amount: i128,
    ) -> Result<(), AccountError> {
        let settle = self.contract(instrument)?.settle;
        self.atomically(account, |accounts| {
            accounts.cash(account, settle, Line::Funding, amount)?;
            let terms = accounts.terms(instrument)?.clone();
            let mut shared = || -> Result<(), Overflow> {
                let books = &mut accounts.accounts[usize::from(account)];
                let sides = [PositionSide::Both, PositionSide::Long, PositionSide::Short];
                let legs = sides.map(|side| books.legs.copy(instrument, side));
                let Some(mut leg) = legs.into_iter().max_by_key(|leg| leg.qty.unsigned_abs())
                else {
                    return Ok(());
                };
                if leg.qty == 0 {
                    return Ok(());
                }
                let held = i128::from(leg.qty);
                let due = |book: &Position| {
                    mul_div(amount, i128::from(book.qty), held, Rounding::TowardZero)
                };
                let shares = books.funding_shares(&leg, amount, due)?;
                leg.funding = leg.funding.checked_add(terms.at_cost(amount)?).ok_or(Overflow)?;
                books.legs.put(&leg);
                for (strategy, share) in shares {
                    let owner = &mut books.strategies[strategy];
                    let mut book = owner.legs.copy(instrument, leg.side);
                    book.funding =
                        book.funding.checked_add(terms.at_cost(share)?).ok_or(Overflow)?;
                    owner.legs.put(&book);
                    let row = &mut owner.rows[usize::from(settle)];
                    row.funding = row.funding.checked_add(share).ok_or(Overflow)?;
                }
                Ok(())
            };
            shared().map_err(|_| terms.overflow())
        })
    }
}
