//! Funding: a payment between longs and shorts, and its share for each strategy (A16, A37).

use crate::account::error::AccountError;
use crate::account::position::Position;
use crate::account::wallet::{positive, Draft, Line};
use crate::account::{Account, Accounts};
use crate::instrument::InstrumentId;
use crate::order::PositionSide;
use crate::units::{Overflow, MARK_SCALE};

/// The legs that a contract can have.
pub(crate) const SIDES: [PositionSide; 3] =
    [PositionSide::Both, PositionSide::Long, PositionSide::Short];

impl Accounts {
    /// Pays funding at `rate` (rate scale) on the positions held now, valued at `mark` (mark
    /// scale), which becomes the mark. Returns what the account received, net, at the settlement
    /// currency's scale.
    ///
    /// # Errors
    ///
    /// [`AccountError`]; nothing changed.
    pub fn funding(
        &mut self,
        account: u16,
        instrument: InstrumentId,
        rate: i64,
        mark: i64,
    ) -> Result<i128, AccountError> {
        positive(i128::from(mark), "mark price")?;
        self.contract(instrument)?;
        self.atomically(account, |accounts| {
            accounts.mark(instrument, mark)?;
            let mut total = 0;
            for side in SIDES {
                let paid = accounts.fund_leg(account, (instrument, side), rate, mark);
                total += paid.map_err(|_| {
                    AccountError::Overflow(accounts.terms[instrument as usize].symbol.clone())
                })?;
            }
            Ok(total)
        })
    }

    fn fund_leg(
        &mut self,
        account: u16,
        (instrument, side): (InstrumentId, PositionSide),
        rate: i64,
        mark: i64,
    ) -> Result<i128, Overflow> {
        let terms = &self.terms[instrument as usize];
        let books = &mut self.accounts[usize::from(account)];
        let due = |position: &Position| {
            terms.at_rate(position.units(terms), mark, MARK_SCALE, rate).map(|v| -v)
        };
        let mut leg = books.legs.copy(instrument, side);
        let amount = due(&leg)?;
        let shares = books.funding_shares(&leg, amount, due)?;
        if !leg.is_flat() {
            let mut draft = Draft::of(books);
            draft.post(books, terms.settle, Line::Funding, amount)?;
            if books.setting(instrument).is_isolated {
                leg.isolated_wallet = leg.isolated_wallet.checked_add(amount).ok_or(Overflow)?;
                draft.row(books, terms.settle).isolate(amount)?;
            }
            let at_cost = terms.at_cost(amount)?;
            leg.funding = leg.funding.checked_add(at_cost).ok_or(Overflow)?;
            draft.commit(books);
            books.legs.put(&leg);
        }
        for (strategy, share) in shares {
            let owner = &mut books.strategies[strategy];
            let mut book = owner.legs.copy(instrument, side);
            let at_cost = terms.at_cost(share)?;
            book.funding = book.funding.checked_add(at_cost).ok_or(Overflow)?;
            owner.legs.put(&book);
            let row = &mut owner.rows[usize::from(terms.settle)];
            row.funding = row.funding.checked_add(share).ok_or(Overflow)?;
        }
        Ok(amount)
    }
}

impl Account {
    /// What each strategy that holds some of the leg receives; the difference to what was posted
    /// goes to the largest holder, of equals to the smallest id.
    pub(crate) fn funding_shares(
        &self,
        leg: &Position,
        posted: i128,
        due: impl Fn(&Position) -> Result<i128, Overflow>,
    ) -> Result<Vec<(usize, i128)>, Overflow> {
        let mut shares = Vec::new();
        let mut largest: Option<(u64, usize)> = None;
        let mut given = 0_i128;
        for (id, owner) in self.strategies.iter().enumerate() {
            let Some(book) = owner.legs.get(leg.instrument, leg.side) else { continue };
            if book.qty == 0 {
                continue;
            }
            let share = due(book)?;
            given = given.checked_add(share).ok_or(Overflow)?;
            let size = book.qty.unsigned_abs();
            if largest.is_none_or(|(most, _)| size > most) {
                largest = Some((size, shares.len()));
            }
            shares.push((id, share));
        }
        if let Some((_, place)) = largest {
            shares[place].1 += posted - given;
        }
        Ok(shares)
    }
}
