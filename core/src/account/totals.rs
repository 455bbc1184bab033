//! The money identity: two ways to one equity, checked without tolerance (rule A34).

use crate::account::error::{AccountError, IdentityBroken};
use crate::account::wallet::{Line, Lines};
use crate::account::Accounts;
use crate::instrument::{AssetId, Kind};
use crate::units::{pow10, Overflow, COST_SCALE};

/// One asset of an account with every line; posted figures at the asset's scale, `rounding`,
/// `unrealised` and `equity` at cost scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// What explains the wallet.
    pub lines: Lines,
    /// Exact less posted profit; shown, and in no wallet.
    pub rounding: i128,
    /// Cross and isolated.
    pub wallet: i128,
    /// Borrowed, with interest.
    pub liability: i128,
    /// Of the contracts that settle in the asset, at their marks.
    pub unrealised: i128,
    /// `wallet − liability + unrealised`.
    pub equity: i128,
}

/// One asset of a strategy. Profit and rounding at cost scale, fees and funding at the asset's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StrategyTotals {
    /// Of positions that settle in the asset, spot positions quoted in it included.
    pub realised: i128,
    /// Exact less realised profit.
    pub rounding: i128,
    /// At the marks.
    pub unrealised: i128,
    /// Paid in the asset.
    pub fees: i128,
    /// Received in the asset, net.
    pub funding: i128,
}

impl Accounts {
    /// Equity of one asset at cost scale: `wallet − liability + unrealised`.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for unknown rows or a figure that does not fit.
    pub fn equity(&self, account: u16, asset: AssetId) -> Result<i128, AccountError> {
        let row = self.balance(account, asset)?;
        let unit = pow10(COST_SCALE - self.asset_scale(asset)?);
        let held = (row.wallet() - row.liability).checked_mul(unit);
        let profit = self.unrealised_of(account, asset)?;
        let equity = held.and_then(|v| v.checked_add(profit));
        equity.ok_or_else(|| AccountError::Overflow(self.asset_name(asset)))
    }

    /// Every figure of one asset.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for unknown rows or a figure that does not fit.
    pub fn totals(&self, account: u16, asset: AssetId) -> Result<Totals, AccountError> {
        let row = self.balance(account, asset)?;
        Ok(Totals {
            lines: row.lines,
            rounding: row.rounding,
            wallet: row.wallet(),
            liability: row.liability,
            unrealised: self.unrealised_of(account, asset)?,
            equity: self.equity(account, asset)?,
        })
    }

    /// One asset of a strategy; all zero if it never traded.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for unknown rows or a figure that does not fit.
    pub fn strategy_totals(
        &self,
        account: u16,
        strategy: u16,
        asset: AssetId,
    ) -> Result<StrategyTotals, AccountError> {
        self.asset_scale(asset)?;
        let mut totals = StrategyTotals::default();
        let Some(owner) = self.account(account)?.strategies.get(usize::from(strategy)) else {
            return Ok(totals);
        };
        let over = || AccountError::Overflow(self.asset_name(asset));
        let add = |sum: i128, more: i128| sum.checked_add(more).ok_or_else(over);
        for book in owner.legs.iter() {
            if self.terms(book.instrument)?.settle != asset {
                continue;
            }
            totals.realised = add(totals.realised, book.realised)?;
            totals.rounding = add(totals.rounding, book.rounding)?;
            totals.unrealised = add(totals.unrealised, self.unrealised(book)?)?;
        }
        let row = &owner.rows[usize::from(asset)];
        (totals.fees, totals.funding) = (row.fees, row.funding);
        Ok(totals)
    }

    /// Unrealised profit of the contracts that settle in an asset, at cost scale.
    pub(crate) fn unrealised_of(&self, account: u16, asset: AssetId) -> Result<i128, AccountError> {
        let mut sum = 0_i128;
        for leg in self.account(account)?.legs.iter() {
            let terms = self.terms(leg.instrument)?;
            if terms.kind == Kind::Spot || terms.settle != asset {
                continue;
            }
            let profit = self.unrealised(leg)?;
            sum = sum.checked_add(profit).ok_or_else(|| terms.overflow())?;
        }
        Ok(sum)
    }

    /// Checks every equality that must hold after every event, to the last digit.
    ///
    /// Balances against their lines; isolated wallets and locks against their sums; the reporting
    /// currency against its lines; each position's quantity, and (linear and spot) its profit,
    /// against the sum over the strategies. Inverse profits of strategies and account differ by
    /// single units of 10^-18, since values are cut per fill; they are left to the laws' tests.
    ///
    /// # Errors
    ///
    /// [`IdentityBroken`] names the first one that does not hold.
    pub fn check_identity(&self, account: u16) -> Result<(), IdentityBroken> {
        let broken = |law, name: String, left, right| {
            if left == right {
                Ok(())
            } else {
                Err(IdentityBroken { account, law, name, left, right })
            }
        };
        let unreadable = |e: AccountError| IdentityBroken {
            account,
            law: "arithmetic",
            name: e.to_string(),
            left: 0,
            right: 0,
        };
        let books = self.account(account).map_err(unreadable)?;
        for (index, row) in books.balances.iter().enumerate() {
            let name = || self.assets[index].name.clone();
            let effect = row.lines.effect().map_err(|_| unreadable(AccountError::Overflow(name())));
            let held = row.wallet() - row.liability;
            if held != effect.clone()? {
                return broken("wallet", name(), held, effect?);
            }
            let isolated: i128 = self.isolated_sum(account, index as AssetId);
            if row.isolated != isolated {
                return broken("isolated", name(), row.isolated, isolated);
            }
            let locked = self.locked_by_orders(account, index as AssetId);
            if locked != Ok(row.locked) {
                return broken("locked", name(), row.locked, locked.unwrap_or(-1));
            }
        }
        self.check_books(account)?;
        if let Some(report) = self.reporting(account).map_err(unreadable)? {
            let by_balances = self.reporting_by_balances(account).map_err(unreadable)?;
            let name = self.asset_name(report.asset);
            broken("reporting", name, report.equity, by_balances)?;
        }
        Ok(())
    }

    fn isolated_sum(&self, account: u16, asset: AssetId) -> i128 {
        let legs = self.accounts[usize::from(account)].legs.iter();
        legs.filter(|leg| self.terms[leg.instrument as usize].settle == asset)
            .map(|leg| leg.isolated_wallet)
            .sum()
    }

    fn check_books(&self, account: u16) -> Result<(), IdentityBroken> {
        let books = &self.accounts[usize::from(account)];
        let legs = books.legs.iter();
        // Strategies may hold legs in which the account itself never traded (internal crosses).
        let inner = books.strategies.iter().flat_map(|owner| owner.legs.iter());
        for leg in legs.chain(inner.filter(|b| books.legs.get(b.instrument, b.side).is_none())) {
            let terms = &self.terms[leg.instrument as usize];
            let whole = books.legs.copy(leg.instrument, leg.side);
            let (mut qty, mut profit) = (0, 0_i128);
            for owner in &books.strategies {
                let Some(book) = owner.legs.get(leg.instrument, leg.side) else { continue };
                qty += book.units(terms);
                profit += book.realised + book.rounding - book.cost;
            }
            let broken = |law, left, right| {
                Err(IdentityBroken { account, law, name: terms.symbol.clone(), left, right })
            };
            if qty != whole.units(terms) {
                return broken("quantity", whole.units(terms), qty);
            }
            let own = whole.realised + whole.rounding - whole.cost;
            if terms.kind != Kind::Inverse && own != profit {
                return broken("profit", own, profit);
            }
        }
        Ok(())
    }
}

impl Totals {
    /// One line of the identity, at the asset's scale.
    #[must_use]
    pub const fn line(&self, line: Line) -> i128 {
        self.lines.get(line)
    }

    /// Equity by the lines, at cost scale: the other side of the identity.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if it does not fit.
    pub fn equity_by_lines(&self, asset_scale: u8) -> Result<i128, Overflow> {
        let posted = self.lines.effect()?.checked_mul(pow10(COST_SCALE - asset_scale));
        posted.and_then(|v| v.checked_add(self.unrealised)).ok_or(Overflow)
    }
}
