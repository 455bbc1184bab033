//! Money that moves without a trade: deposits, funding that we compute, and the check of the
//! identity after each change.

use super::{Desk, DeskError, Notice, Turn};
use crate::facts::{self, number};
use crate::instrument::AssetId;
use crate::market::Funding;

impl Desk {
    /// A deposit, or a withdrawal if negative.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if the balance does not fit or cannot pay.
    pub fn deposit(&mut self, account: u16, asset: AssetId, amount: i128) -> Result<(), DeskError> {
        let result = if amount >= 0 {
            self.accounts.deposit(account, asset, amount)
        } else {
            self.accounts.withdraw(account, asset, -amount)
        };
        result.map_err(|error| DeskError(format!("deposit refused: {error}")))?;
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record(number::DEPOSIT, &facts::Deposit { account, asset, amount });
        self.journal.commit();
        self.check_money(account)
    }

    /// Exchanges funding on an account's position in an instrument (A16).
    ///
    /// # Errors
    ///
    /// [`DeskError`] if the value does not fit.
    pub fn funding(&mut self, account: u16, funding: &Funding) -> Result<(), DeskError> {
        let instrument = funding.instrument;
        let amount = self
            .accounts
            .funding(account, instrument, funding.rate, funding.mark)
            .map_err(|error| self.broken(instrument, &error.to_string()))?;
        // The settlement's mark became the account's; the market's own is put back when next read.
        self.markets[instrument as usize].valued = funding.mark;
        if amount == 0 {
            return Ok(());
        }
        let fact = facts::FundingPaid {
            account,
            instrument,
            rate: funding.rate,
            mark: funding.mark,
            amount,
        };
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record(number::FUNDING, &fact);
        self.journal.commit();
        self.outbox.turns.push_back(Turn::Notice(Notice::Funding(account)));
        self.check_money(account)
    }

    #[inline]
    pub(super) fn check_money(&mut self, account: u16) -> Result<(), DeskError> {
        self.settled = None;
        self.money_moves += 1;
        if self.check_identity {
            self.accounts
                .check_identity(account)
                .map_err(|broken| DeskError(format!("the money identity is broken: {broken}")))?;
        }
        Ok(())
    }
}
