//! One currency for the whole account: every line at its event's rate, revaluation apart.
//!
//! A change of a rate is not trading profit, so it has a line of its own (rule A34). Amounts are
//! at [`REPORTING_SCALE`], where the product of a cost-scale profit and a rate is whole: the
//! identity needs no tolerance.

use crate::account::error::AccountError;
use crate::account::wallet::{positive, Line, Lines};
use crate::account::Accounts;
use crate::instrument::AssetId;
use crate::units::{pow10, Overflow, COST_SCALE, MARK_SCALE};

/// Decimals of amounts in the reporting currency.
pub const REPORTING_SCALE: u8 = COST_SCALE + MARK_SCALE;

/// What an account reports in, and what it has reported.
#[derive(Clone, Debug)]
pub(crate) struct Reporting {
    pub(crate) asset: AssetId,
    /// By asset, at mark scale; 0 while unknown.
    pub(crate) rates: Vec<i64>,
    /// By asset: what turns an amount times a rate into reporting scale.
    units: Vec<i128>,
    pub(crate) lines: Lines,
    revaluation: i128,
}

impl Reporting {
    pub(crate) fn new(asset: AssetId) -> Reporting {
        Reporting {
            asset,
            rates: Vec::new(),
            units: Vec::new(),
            lines: Lines::default(),
            revaluation: 0,
        }
    }

    pub(crate) fn add_asset(&mut self, scale: u8) {
        let own = self.rates.len() == usize::from(self.asset);
        self.rates.push(if own { pow10(MARK_SCALE) as i64 } else { 0 });
        self.units.push(pow10(COST_SCALE - scale));
    }

    /// An amount at the asset's scale in the reporting currency; 0 while the rate is unknown,
    /// which [`Accounts::reporting`] then says.
    #[inline]
    pub(crate) fn worth(&self, asset: AssetId, amount: i128) -> Result<i128, Overflow> {
        let (rate, unit) = (self.rates[usize::from(asset)], self.units[usize::from(asset)]);
        let product = amount.checked_mul(i128::from(rate)).ok_or(Overflow)?;
        product.checked_mul(unit).ok_or(Overflow)
    }
}

/// An account in its reporting currency; amounts at [`REPORTING_SCALE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportingTotals {
    /// The reporting currency.
    pub asset: AssetId,
    /// Every line at the rates of its events.
    pub lines: Lines,
    /// What changes of rates did to the balances.
    pub revaluation: i128,
    /// Unrealised profit at the current rates.
    pub unrealised: i128,
    /// The sum of all that.
    pub equity: i128,
}

impl Accounts {
    /// Sets the price of `asset` in `reporting`, at mark scale, for every account that reports in
    /// it. The first rate of an asset also converts the lines that it gathered before. A currency
    /// is always worth one of itself: a rate of it in itself is not stored.
    ///
    /// # Errors
    ///
    /// [`AccountError`]; nothing changed.
    pub fn rate(
        &mut self,
        asset: AssetId,
        reporting: AssetId,
        price: i64,
    ) -> Result<(), AccountError> {
        positive(i128::from(price), "rate")?;
        self.asset_scale(asset)?;
        // Two passes, so that a figure that does not fit leaves every account as it was.
        for commit in [false, true] {
            for index in 0..self.accounts.len() {
                let changed = match &self.accounts[index].reporting {
                    Some(r) if r.asset == reporting && asset != reporting => {
                        self.revalued(index, asset, price)
                    }
                    Some(_) | None => continue,
                };
                let changed =
                    changed.map_err(|_| AccountError::Overflow(self.asset_name(asset)))?;
                if commit {
                    self.accounts[index].reporting = Some(changed);
                }
            }
        }
        Ok(())
    }

    fn revalued(&self, index: usize, asset: AssetId, price: i64) -> Result<Reporting, Overflow> {
        let account = &self.accounts[index];
        let mut report = account.reporting.clone().ok_or(Overflow)?;
        let row = &account.balances[usize::from(asset)];
        let old = std::mem::replace(&mut report.rates[usize::from(asset)], price);
        if old == 0 {
            for line in Line::ALL {
                let worth = report.worth(asset, row.lines.get(line))?;
                report.lines.add(line, worth)?;
            }
            return Ok(report);
        }
        let held = (row.wallet() - row.liability)
            .checked_mul(i128::from(price) - i128::from(old))
            .and_then(|v| v.checked_mul(report.units[usize::from(asset)]))
            .ok_or(Overflow)?;
        report.revaluation = report.revaluation.checked_add(held).ok_or(Overflow)?;
        Ok(report)
    }

    /// The account in its reporting currency: `None` if it has none, or while an asset that it
    /// ever held has no rate (then its equity is undefined, not zero).
    ///
    /// # Errors
    ///
    /// [`AccountError`] for an unknown account or a figure that does not fit.
    pub fn reporting(&self, account: u16) -> Result<Option<ReportingTotals>, AccountError> {
        let books = self.account(account)?;
        let Some(report) = &books.reporting else { return Ok(None) };
        let over = || AccountError::Overflow(self.asset_name(report.asset));
        let mut unrealised = 0_i128;
        for (index, row) in books.balances.iter().enumerate() {
            let asset = index as AssetId;
            let profit = self.unrealised_of(account, asset)?;
            let used = profit != 0 || row.wallet() != 0 || row.liability != 0;
            if report.rates[index] == 0 {
                if used || row.lines != Lines::default() {
                    return Ok(None);
                }
                continue;
            }
            let worth = profit.checked_mul(i128::from(report.rates[index])).ok_or_else(over)?;
            unrealised = unrealised.checked_add(worth).ok_or_else(over)?;
        }
        let equity = report
            .lines
            .effect()
            .ok()
            .and_then(|v| v.checked_add(report.revaluation))
            .and_then(|v| v.checked_add(unrealised))
            .ok_or_else(over)?;
        Ok(Some(ReportingTotals {
            asset: report.asset,
            lines: report.lines,
            revaluation: report.revaluation,
            unrealised,
            equity,
        }))
    }

    /// Equity in the reporting currency by the balances alone, the other side of the identity.
    pub(crate) fn reporting_by_balances(&self, account: u16) -> Result<i128, AccountError> {
        let books = self.account(account)?;
        let Some(report) = &books.reporting else { return Ok(0) };
        let over = |_| AccountError::Overflow(self.asset_name(report.asset));
        let mut sum = 0_i128;
        for (index, row) in books.balances.iter().enumerate() {
            let asset = index as AssetId;
            let held = report.worth(asset, row.wallet() - row.liability).map_err(over)?;
            let profit = self.unrealised_of(account, asset)?;
            let profit = profit.checked_mul(i128::from(report.rates[index]));
            let both = profit.and_then(|p| p.checked_add(held)).and_then(|v| sum.checked_add(v));
            sum = both.ok_or_else(|| over(Overflow))?;
        }
        Ok(sum)
    }
}
