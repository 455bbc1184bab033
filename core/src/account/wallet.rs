//! Balances of an account: one row for each asset, and the lines that explain it (rule A34).
//!
//! Nothing changes a balance without a line that says why. Events are drafted on copies of the
//! rows and written back whole, so that a refused event changes nothing (law L17).

use crate::account::error::{insufficient, AccountError};
use crate::account::{Account, Accounts};
use crate::instrument::AssetId;
use crate::units::{mul_div, pow10, Overflow, Rounding, MARK_SCALE, RATE_SCALE};

/// What explains a change of equity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Line {
    /// Deposits less withdrawals.
    Deposits = 0,
    /// Spot coins in less out.
    Traded = 1,
    /// Conversions in less out.
    Converted = 2,
    /// Realised profit of contracts.
    Realised = 3,
    /// Funding received less paid.
    Funding = 4,
    /// Commissions paid less rebates.
    Fees = 5,
    /// Clearance fees of liquidations.
    Clearance = 6,
    /// What an insurance fund credited.
    Insurance = 7,
    /// Interest on what is borrowed.
    Interest = 8,
}

impl Line {
    /// All of them, in their order.
    pub const ALL: [Line; 9] = [
        Line::Deposits,
        Line::Traded,
        Line::Converted,
        Line::Realised,
        Line::Funding,
        Line::Fees,
        Line::Clearance,
        Line::Insurance,
        Line::Interest,
    ];

    /// The line's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Line::Deposits => "deposits",
            Line::Traded => "traded",
            Line::Converted => "converted",
            Line::Realised => "realised",
            Line::Funding => "funding",
            Line::Fees => "fees",
            Line::Clearance => "clearance",
            Line::Insurance => "insurance",
            Line::Interest => "interest",
        }
    }

    /// +1 if the line adds to equity, −1 if it takes from it.
    #[must_use]
    pub const fn sign(self) -> i128 {
        match self {
            Line::Fees | Line::Clearance | Line::Interest => -1,
            Line::Deposits
            | Line::Traded
            | Line::Converted
            | Line::Realised
            | Line::Funding
            | Line::Insurance => 1,
        }
    }
}

/// The lines of one asset, cumulative from the start, each with the sign that its name says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines([i128; 9]);

impl Lines {
    /// The amount on one line.
    #[inline]
    #[must_use]
    pub const fn get(&self, line: Line) -> i128 {
        self.0[line as usize]
    }

    /// The sum of all lines by their effect on equity.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if it does not fit.
    pub fn effect(&self) -> Result<i128, Overflow> {
        Line::ALL.iter().try_fold(0_i128, |sum, &line| {
            sum.checked_add(line.sign() * self.get(line)).ok_or(Overflow)
        })
    }

    #[inline]
    pub(crate) fn add(&mut self, line: Line, amount: i128) -> Result<(), Overflow> {
        let cell = &mut self.0[line as usize];
        *cell = cell.checked_add(amount).ok_or(Overflow)?;
        Ok(())
    }
}

/// One asset of one account; amounts at the asset's scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Spot coins and the money behind all cross positions.
    pub cross: i128,
    /// The sum of the isolated wallets.
    pub isolated: i128,
    /// Promised to open spot orders.
    pub locked: i128,
    /// Borrowed, with interest.
    pub liability: i128,
    /// What explains it.
    pub lines: Lines,
    /// Exact less posted profit, at cost scale.
    pub rounding: i128,
}

impl Balance {
    /// Cross and isolated together.
    #[must_use]
    pub const fn wallet(&self) -> i128 {
        self.cross + self.isolated
    }

    /// The wallet less what orders lock.
    #[must_use]
    pub const fn free(&self) -> i128 {
        self.wallet() - self.locked
    }

    /// Adds to the cross wallet.
    #[inline]
    pub(crate) fn pay(&mut self, amount: i128) -> Result<(), Overflow> {
        self.cross = self.cross.checked_add(amount).ok_or(Overflow)?;
        // The sum of both wallets must fit too: `wallet` does not check.
        self.cross.checked_add(self.isolated).ok_or(Overflow)?;
        Ok(())
    }

    /// Moves from the cross to the isolated wallets.
    pub(crate) fn isolate(&mut self, amount: i128) -> Result<(), Overflow> {
        self.cross = self.cross.checked_sub(amount).ok_or(Overflow)?;
        self.isolated = self.isolated.checked_add(amount).ok_or(Overflow)?;
        Ok(())
    }
}

/// Copies of the balances that one event touches, written back together.
pub(crate) struct Draft {
    rows: [(AssetId, Balance); 3],
    used: usize,
    report: Option<Lines>,
}

impl Draft {
    #[inline]
    pub(crate) fn of(account: &Account) -> Draft {
        let report = account.reporting.as_ref().map(|r| r.lines);
        Draft { rows: [(0, Balance::default()); 3], used: 0, report }
    }

    /// The draft's row of an asset; an event touches three at most.
    #[inline]
    pub(crate) fn row(&mut self, account: &Account, asset: AssetId) -> &mut Balance {
        let place = match self.rows[..self.used].iter().position(|(id, _)| *id == asset) {
            Some(place) => place,
            None => {
                self.rows[self.used] = (asset, account.balances[usize::from(asset)]);
                self.used += 1;
                self.used - 1
            }
        };
        &mut self.rows[place].1
    }

    /// Puts `amount` on a line, in the asset and in the reporting currency; moves no money.
    #[inline]
    pub(crate) fn note(
        &mut self,
        account: &Account,
        asset: AssetId,
        line: Line,
        amount: i128,
    ) -> Result<(), Overflow> {
        self.row(account, asset).lines.add(line, amount)?;
        if let (Some(lines), Some(reporting)) = (&mut self.report, &account.reporting) {
            lines.add(line, reporting.worth(asset, amount)?)?;
        }
        Ok(())
    }

    /// Puts `amount` on a line and its effect into the cross wallet.
    #[inline]
    pub(crate) fn post(
        &mut self,
        account: &Account,
        asset: AssetId,
        line: Line,
        amount: i128,
    ) -> Result<(), Overflow> {
        self.note(account, asset, line, amount)?;
        let effect = amount.checked_mul(line.sign()).ok_or(Overflow)?;
        self.row(account, asset).pay(effect)
    }

    #[inline]
    pub(crate) fn commit(&self, account: &mut Account) {
        for (id, row) in &self.rows[..self.used] {
            account.balances[usize::from(*id)] = *row;
        }
        if let (Some(lines), Some(reporting)) = (self.report, &mut account.reporting) {
            reporting.lines = lines;
        }
    }
}

/// What a conversion gave; at the received asset's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Converted {
    /// Before the fee.
    pub received: i128,
    /// Taken from what was received.
    pub fee: i128,
}

impl Accounts {
    /// Adds money from outside.
    ///
    /// # Errors
    ///
    /// [`AccountError`]; nothing changed.
    pub fn deposit(
        &mut self,
        account: u16,
        asset: AssetId,
        amount: i128,
    ) -> Result<(), AccountError> {
        positive(amount, "amount")?;
        self.draft(account, asset, |draft, books| {
            draft.post(books, asset, Line::Deposits, amount)?;
            Ok(())
        })
    }

    /// Takes money out.
    ///
    /// # Errors
    ///
    /// [`AccountError::Insufficient`] if the cross wallet less what is locked does not hold it.
    pub fn withdraw(
        &mut self,
        account: u16,
        asset: AssetId,
        amount: i128,
    ) -> Result<(), AccountError> {
        positive(amount, "amount")?;
        self.can_pay(account, asset, amount)?;
        self.draft(account, asset, |draft, books| {
            draft.post(books, asset, Line::Deposits, -amount)?;
            Ok(())
        })
    }

    /// Borrows an asset (rule A12).
    ///
    /// # Errors
    ///
    /// [`AccountError`]; nothing changed.
    pub fn borrow(
        &mut self,
        account: u16,
        asset: AssetId,
        amount: i128,
    ) -> Result<(), AccountError> {
        positive(amount, "amount")?;
        self.draft(account, asset, |draft, books| {
            let row = draft.row(books, asset);
            row.liability = row.liability.checked_add(amount).ok_or(Overflow)?;
            row.pay(amount)
        })
    }

    /// Pays back what is owed, interest included.
    ///
    /// # Errors
    ///
    /// [`AccountError::Insufficient`] if the free balance does not hold it,
    /// [`AccountError::OwesLess`] if less is owed.
    pub fn repay(
        &mut self,
        account: u16,
        asset: AssetId,
        amount: i128,
    ) -> Result<(), AccountError> {
        positive(amount, "amount")?;
        if amount > self.balance(account, asset)?.liability {
            return Err(AccountError::OwesLess(self.asset_name(asset)));
        }
        self.can_pay(account, asset, amount)?;
        self.draft(account, asset, |draft, books| {
            let row = draft.row(books, asset);
            row.liability -= amount;
            row.pay(-amount)
        })
    }

    /// Charges interest for started hours: `principal × hourly rate × hours`, rounded up (rule
    /// A12). The rate is at rate scale. Returns what was charged.
    ///
    /// # Errors
    ///
    /// [`AccountError`]; nothing changed.
    pub fn interest(
        &mut self,
        account: u16,
        asset: AssetId,
        principal: i128,
        hourly_rate: i64,
        hours: u32,
    ) -> Result<i128, AccountError> {
        let over = || AccountError::Overflow(self.asset_name(asset));
        let factor = i128::from(hourly_rate) * i128::from(hours);
        let amount = mul_div(principal, factor, pow10(RATE_SCALE), Rounding::Up);
        let amount = amount.map_err(|_| over())?;
        self.draft(account, asset, |draft, books| {
            draft.note(books, asset, Line::Interest, amount)?;
            let row = draft.row(books, asset);
            row.liability = row.liability.checked_add(amount).ok_or(Overflow)?;
            Ok(())
        })?;
        Ok(amount)
    }

    /// Turns `amount` of one asset into another at `price` (units of `to` for one of `from`, at
    /// mark scale), less a fee in what is received (rule A13). Spot cost books do not move, and the
    /// fee belongs to the account, to none of its strategies.
    ///
    /// # Errors
    ///
    /// [`AccountError`]; nothing changed.
    pub fn convert(
        &mut self,
        account: u16,
        from: AssetId,
        to: AssetId,
        amount: i128,
        price: i64,
        fee_rate: i64,
    ) -> Result<Converted, AccountError> {
        positive(amount, "amount")?;
        positive(i128::from(price), "price")?;
        self.can_pay(account, from, amount)?;
        let (from_scale, to_scale) = (self.asset_scale(from)?, self.asset_scale(to)?);
        let over = |_| AccountError::Overflow(self.asset_name(to));
        let price = i128::from(price).checked_mul(pow10(to_scale)).ok_or_else(|| over(Overflow))?;
        let unit = pow10(from_scale + MARK_SCALE);
        let received = mul_div(amount, price, unit, Rounding::TowardZero).map_err(over)?;
        let unit = pow10(RATE_SCALE);
        let fee = mul_div(received, i128::from(fee_rate), unit, Rounding::TowardZero);
        let fee = fee.map_err(over)?;
        self.draft(account, to, |draft, books| {
            draft.post(books, from, Line::Converted, -amount)?;
            draft.post(books, to, Line::Converted, received)?;
            draft.post(books, to, Line::Fees, fee)
        })?;
        Ok(Converted { received, fee })
    }

    /// Runs a change on a draft of an account's balances and writes it back if it succeeds.
    pub(crate) fn draft(
        &mut self,
        account: u16,
        asset: AssetId,
        change: impl FnOnce(&mut Draft, &Account) -> Result<(), Overflow>,
    ) -> Result<(), AccountError> {
        self.asset_scale(asset)?;
        let books = self.account(account)?;
        let mut draft = Draft::of(books);
        change(&mut draft, books).map_err(|_| AccountError::Overflow(self.asset_name(asset)))?;
        draft.commit(self.account_mut(account)?);
        Ok(())
    }

    fn can_pay(&self, account: u16, asset: AssetId, amount: i128) -> Result<(), AccountError> {
        let row = self.balance(account, asset)?;
        let left = row.cross - row.locked - amount;
        if left < 0 {
            return Err(insufficient(&self.asset_name(asset), -left, self.asset_scale(asset)?));
        }
        Ok(())
    }
}

pub(crate) fn positive(value: i128, what: &'static str) -> Result<(), AccountError> {
    if value > 0 {
        return Ok(());
    }
    Err(AccountError::NotPositive(what))
}
