//! The accounts: every balance, position and margin figure, exact to the last digit.
//!
//! ```text
//!  fill, funding, deposit … ─► draft of the balances ─► written back whole, or not at all
//!                         └──► account's book ┐
//!                         └──► owner's book   ┘ same rules, same fills (rule A36)
//!  mark ─► one number per instrument; unrealised profit and margin are read, never stored
//! ```
//!
//! A newcomer would look for an average price: there is none. A position is a quantity and its
//! exact cost; averages, margins and liquidation prices are derived when they are read. Amounts
//! that were posted carry their asset's scale, figures of positions the cost scale.

mod cash;
mod error;
mod exact;
mod fee;
mod fill;
mod forced;
mod funding;
mod liquidation;
mod margin;
mod orders;
mod position;
mod reporting;
mod stored;
mod terms;
mod totals;
mod wallet;

pub use error::{AccountError, IdentityBroken};
pub use fee::{split, Fee, FeeRule};
pub use fill::{FillInput, FillOutcome};
pub use forced::{Liquidated, Settled};
pub(crate) use funding::SIDES;
pub use liquidation::PositionMargin;
pub use margin::PoolMargin;
pub use orders::{OpenOrder, OrderHold};
pub use position::Position;
pub use reporting::{ReportingTotals, REPORTING_SCALE};
pub use terms::LEVERAGE_SCALE;
pub use totals::{StrategyTotals, Totals};
pub use wallet::{Balance, Converted, Line, Lines};

use crate::instrument::{Asset, AssetId, Instrument, InstrumentId, Kind};
use crate::order::PositionSide;
use crate::units::{rescale, Rounding, COST_SCALE, MARK_SCALE};
use position::Legs;
use reporting::Reporting;
use terms::Terms;
use wallet::positive;

/// The strategy that owns manual and external trades.
pub const EXTERNAL: u16 = 0;

/// Where an instrument's mark came from; reports say so (rule A7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MarkSource {
    /// There is none yet: unrealised profit reads 0 and margins are unknown.
    #[default]
    None,
    /// Last trades stand in for it.
    Last,
    /// The venue's mark price.
    Mark,
}

/// The price that values an instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// At mark scale; 0 if there is none.
    pub price: i64,
    /// Where it came from.
    pub source: MarkSource,
}

/// Margin mode and leverage of one instrument in one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// Positions have a wallet of their own.
    pub is_isolated: bool,
    /// At [`LEVERAGE_SCALE`]; 0 where unknown: no initial margin is counted.
    pub leverage: i64,
}

/// One account's books.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    hedge: bool,
    /// Fills are booked whatever the balance: they happened.
    overdraws: bool,
    settings: Vec<Setting>,
    legs: Legs,
    balances: Vec<Balance>,
    strategies: Vec<Strategy>,
    reporting: Option<Reporting>,
    /// By number.
    orders: Vec<OpenOrder>,
}

/// One strategy's books within an account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strategy {
    legs: Legs,
    rows: Vec<StrategyRow>,
}

/// What a strategy paid and received in one asset, at its scale.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StrategyRow {
    fees: i128,
    funding: i128,
}

/// All accounts of a run.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    assets: Vec<Asset>,
    terms: Vec<Terms>,
    marks: Vec<Mark>,
    accounts: Vec<Account>,
}

impl Accounts {
    /// Books over these tables; rows that come later are appended with the `add_` methods.
    ///
    /// # Errors
    ///
    /// [`AccountError::BadScale`] for a row whose decimals the books cannot carry exactly.
    pub fn new(assets: &[Asset], instruments: &[Instrument]) -> Result<Accounts, AccountError> {
        let mut accounts = Accounts::default();
        for asset in assets {
            accounts.add_asset(asset)?;
        }
        for instrument in instruments {
            accounts.add_instrument(instrument)?;
        }
        Ok(accounts)
    }

    /// Appends an asset row.
    ///
    /// # Errors
    ///
    /// [`AccountError::BadScale`] above 18 decimals.
    pub fn add_asset(&mut self, asset: &Asset) -> Result<AssetId, AccountError> {
        let id = AssetId::try_from(self.assets.len());
        let id = id.map_err(|_| AccountError::Overflow(asset.name.clone()))?;
        if asset.scale > COST_SCALE {
            return Err(AccountError::BadScale(asset.name.clone()));
        }
        self.assets.push(asset.clone());
        for account in &mut self.accounts {
            account.add_asset(asset.scale);
        }
        Ok(id)
    }

    /// Appends an instrument row.
    ///
    /// # Errors
    ///
    /// [`AccountError::BadScale`], or an unknown asset row.
    pub fn add_instrument(
        &mut self,
        instrument: &Instrument,
    ) -> Result<InstrumentId, AccountError> {
        let terms = Terms::new(instrument, &self.assets)?;
        let id = InstrumentId::try_from(self.terms.len()).map_err(|_| terms.overflow())?;
        self.terms.push(terms);
        self.marks.push(Mark::default());
        for account in &mut self.accounts {
            account.settings.push(Setting::default());
        }
        Ok(id)
    }

    /// Appends an account and returns its row: one-way or hedge mode, and the currency that it
    /// reports in, if any. Every instrument starts cross, without leverage.
    ///
    /// # Errors
    ///
    /// [`AccountError::UnknownAsset`] for the reporting currency.
    pub fn add_account(
        &mut self,
        hedge: bool,
        reporting: Option<AssetId>,
    ) -> Result<u16, AccountError> {
        if let Some(asset) = reporting {
            self.asset_scale(asset)?;
        }
        let id = u16::try_from(self.accounts.len());
        let id = id.map_err(|_| AccountError::UnknownAccount(u16::MAX))?;
        let mut account = Account {
            hedge,
            overdraws: false,
            settings: vec![Setting::default(); self.terms.len()],
            legs: Legs::default(),
            balances: Vec::new(),
            strategies: Vec::new(),
            reporting: reporting.map(Reporting::new),
            orders: Vec::new(),
        };
        for asset in &self.assets {
            account.add_asset(asset.scale);
        }
        self.accounts.push(account);
        Ok(id)
    }

    /// Number of accounts.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.accounts.len() as u16
    }

    /// Sets the leverage, at [`LEVERAGE_SCALE`]; it changes initial margin only (law L26).
    ///
    /// # Errors
    ///
    /// [`AccountError`]; nothing changed.
    pub fn leverage(
        &mut self,
        account: u16,
        instrument: InstrumentId,
        leverage: i64,
    ) -> Result<(), AccountError> {
        positive(i128::from(leverage), "leverage")?;
        self.terms(instrument)?;
        self.account_mut(account)?.settings[instrument as usize].leverage = leverage;
        Ok(())
    }

    /// True if the account keeps two legs a contract.
    #[must_use]
    pub fn is_hedge(&self, account: u16) -> bool {
        self.accounts.get(usize::from(account)).is_some_and(|books| books.hedge)
    }

    /// Chooses one-way or hedge mode (rule A18).
    ///
    /// # Errors
    ///
    /// [`AccountError::NotFlat`] while the account has a contract position or any order.
    pub fn position_mode(&mut self, account: u16, hedge: bool) -> Result<(), AccountError> {
        let books = self.account(account)?;
        let held = books
            .legs
            .iter()
            .find(|leg| !leg.is_flat() && self.terms[leg.instrument as usize].kind != Kind::Spot);
        let held = held.map(|leg| leg.instrument);
        let ordered = books.orders.first().map(|order| order.instrument);
        if let Some(instrument) = held.or(ordered) {
            return Err(AccountError::NotFlat(self.terms(instrument)?.symbol.clone()));
        }
        self.account_mut(account)?.hedge = hedge;
        Ok(())
    }

    /// Chooses isolated or cross margin.
    ///
    /// # Errors
    ///
    /// [`AccountError::NotFlat`] while there is a position or an order of the instrument,
    /// [`AccountError::NoLeverage`] for isolated margin before a leverage is set.
    pub fn margin_mode(
        &mut self,
        account: u16,
        instrument: InstrumentId,
        is_isolated: bool,
    ) -> Result<(), AccountError> {
        let symbol = self.contract(instrument)?.symbol.clone();
        let books = self.account_mut(account)?;
        let held = books.legs.iter().any(|leg| leg.instrument == instrument && !leg.is_flat());
        if held || books.orders.iter().any(|order| order.instrument == instrument) {
            return Err(AccountError::NotFlat(symbol));
        }
        let setting = &mut books.settings[instrument as usize];
        if is_isolated && setting.leverage == 0 {
            return Err(AccountError::NoLeverage(symbol));
        }
        setting.is_isolated = is_isolated;
        Ok(())
    }

    /// Margin mode and leverage of an instrument.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for unknown rows.
    pub fn setting(&self, account: u16, instrument: InstrumentId) -> Result<Setting, AccountError> {
        self.terms(instrument)?;
        Ok(self.account(account)?.setting(instrument))
    }

    /// The currency that an account reports in.
    ///
    /// # Errors
    ///
    /// [`AccountError::UnknownAccount`].
    pub fn reporting_asset(&self, account: u16) -> Result<Option<AssetId>, AccountError> {
        Ok(self.account(account)?.reporting.as_ref().map(|r| r.asset))
    }

    /// Sets the mark price, at mark scale.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for an unknown row or a price that is not positive.
    #[inline]
    pub fn mark(&mut self, instrument: InstrumentId, price: i64) -> Result<(), AccountError> {
        positive(i128::from(price), "mark price")?;
        let mark = self.marks.get_mut(instrument as usize);
        let mark = mark.ok_or(AccountError::UnknownInstrument(instrument))?;
        *mark = Mark { price, source: MarkSource::Mark };
        Ok(())
    }

    /// Lets a last trade, in price units, stand in for the mark while no mark was ever given.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for an unknown row, or a price that mark scale does not hold exactly.
    #[inline]
    pub fn mark_last(&mut self, instrument: InstrumentId, price: i64) -> Result<(), AccountError> {
        positive(i128::from(price), "last price")?;
        let terms = self.terms(instrument)?;
        let scale = terms.price_scale;
        let at_mark = rescale(i128::from(price), scale, MARK_SCALE, Rounding::TowardZero);
        let at_mark = at_mark.ok().and_then(|v| i64::try_from(v).ok());
        let at_mark = at_mark.ok_or_else(|| terms.overflow())?;
        if scale > MARK_SCALE
            && rescale(i128::from(at_mark), MARK_SCALE, scale, Rounding::TowardZero)
                != Ok(i128::from(price))
        {
            return Err(AccountError::BadScale(terms.symbol.clone()));
        }
        let mark = &mut self.marks[instrument as usize];
        if mark.source != MarkSource::Mark {
            *mark = Mark { price: at_mark, source: MarkSource::Last };
        }
        Ok(())
    }

    /// The price that values an instrument, and where it came from.
    ///
    /// # Errors
    ///
    /// [`AccountError::UnknownInstrument`].
    pub fn mark_of(&self, instrument: InstrumentId) -> Result<Mark, AccountError> {
        let mark = self.marks.get(instrument as usize);
        mark.copied().ok_or(AccountError::UnknownInstrument(instrument))
    }

    /// A strategy's own position; flat if it never traded there.
    #[inline]
    #[must_use]
    pub fn position(
        &self,
        account: u16,
        strategy: u16,
        instrument: InstrumentId,
        side: PositionSide,
    ) -> Position {
        let books = self.accounts.get(usize::from(account));
        let owner = books.and_then(|b| b.strategies.get(usize::from(strategy)));
        owner.map_or(Position::flat(instrument, side), |o| o.legs.copy(instrument, side))
    }

    /// The account's position, which the venue sees; flat if never traded.
    #[inline]
    #[must_use]
    pub fn account_position(
        &self,
        account: u16,
        instrument: InstrumentId,
        side: PositionSide,
    ) -> Position {
        let books = self.accounts.get(usize::from(account));
        books.map_or(Position::flat(instrument, side), |b| b.legs.copy(instrument, side))
    }

    /// The account's signed position in an instrument over all legs, in quantity units.
    #[inline]
    #[must_use]
    pub fn net_qty(&self, account: u16, instrument: InstrumentId) -> i64 {
        use PositionSide::{Both, Long, Short};
        let Some(books) = self.accounts.get(usize::from(account)) else { return 0 };
        let held = |side| books.legs.get(instrument, side).map_or(0, |leg| leg.qty);
        held(Both) + held(Long) + held(Short)
    }

    /// Every position that the account ever held, in the order of their first fills.
    ///
    /// # Errors
    ///
    /// [`AccountError::UnknownAccount`].
    pub fn positions(&self, account: u16) -> Result<impl Iterator<Item = &Position>, AccountError> {
        Ok(self.account(account)?.legs.iter())
    }

    /// Every position that a strategy ever held, in the order of their first fills.
    ///
    /// # Errors
    ///
    /// [`AccountError::UnknownAccount`].
    pub fn strategy_positions(
        &self,
        account: u16,
        strategy: u16,
    ) -> Result<impl Iterator<Item = &Position>, AccountError> {
        let owner = self.account(account)?.strategies.get(usize::from(strategy));
        Ok(owner.into_iter().flat_map(|o| o.legs.iter()))
    }

    /// Unrealised profit of a position at the mark, at cost scale; 0 before the first mark.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for an unknown instrument or an overflow.
    #[inline]
    pub fn unrealised(&self, position: &Position) -> Result<i128, AccountError> {
        let terms = self.terms(position.instrument)?;
        let mark = self.marks[position.instrument as usize].price;
        if mark == 0 {
            return Ok(0);
        }
        position.unrealised(terms, mark, MARK_SCALE).map_err(|_| terms.overflow())
    }

    /// Average entry price at `price_scale + 6`, half to even; `None` when flat.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for an unknown instrument or an overflow.
    pub fn average_entry(&self, position: &Position) -> Result<Option<i128>, AccountError> {
        let terms = self.terms(position.instrument)?;
        let units = position.units(terms);
        terms.average(units, position.cost).map_err(|_| terms.overflow())
    }

    /// One asset of an account.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for unknown rows.
    #[inline]
    pub fn balance(&self, account: u16, asset: AssetId) -> Result<&Balance, AccountError> {
        let row = self.account(account)?.balances.get(usize::from(asset));
        row.ok_or(AccountError::UnknownAsset(asset))
    }

    /// Runs a change that may fail half way and takes it back if it does. Not for the hot path.
    pub(crate) fn atomically<T>(
        &mut self,
        account: u16,
        change: impl FnOnce(&mut Accounts) -> Result<T, AccountError>,
    ) -> Result<T, AccountError> {
        let books = self.account(account)?.clone();
        let marks = self.marks.clone();
        let outcome = change(self);
        if outcome.is_err() {
            self.accounts[usize::from(account)] = books;
            self.marks = marks;
        }
        outcome
    }

    #[inline]
    pub(crate) fn terms(&self, instrument: InstrumentId) -> Result<&Terms, AccountError> {
        let terms = self.terms.get(instrument as usize);
        terms.ok_or(AccountError::UnknownInstrument(instrument))
    }

    pub(crate) fn contract(&self, instrument: InstrumentId) -> Result<&Terms, AccountError> {
        let terms = self.terms(instrument)?;
        if terms.kind == Kind::Spot {
            return Err(AccountError::WrongKind(terms.symbol.clone()));
        }
        Ok(terms)
    }

    #[inline]
    pub(crate) fn account(&self, account: u16) -> Result<&Account, AccountError> {
        let books = self.accounts.get(usize::from(account));
        books.ok_or(AccountError::UnknownAccount(account))
    }

    #[inline]
    pub(crate) fn account_mut(&mut self, account: u16) -> Result<&mut Account, AccountError> {
        let books = self.accounts.get_mut(usize::from(account));
        books.ok_or(AccountError::UnknownAccount(account))
    }

    pub(crate) fn asset_scale(&self, asset: AssetId) -> Result<u8, AccountError> {
        let row = self.assets.get(usize::from(asset));
        row.map(|a| a.scale).ok_or(AccountError::UnknownAsset(asset))
    }

    pub(crate) fn asset_name(&self, asset: AssetId) -> String {
        let row = self.assets.get(usize::from(asset));
        row.map_or_else(|| format!("asset row {asset}"), |a| a.name.clone())
    }
}

impl Account {
    fn add_asset(&mut self, scale: u8) {
        self.balances.push(Balance::default());
        if let Some(reporting) = &mut self.reporting {
            reporting.add_asset(scale);
        }
        for strategy in &mut self.strategies {
            strategy.rows.push(StrategyRow::default());
        }
    }

    #[inline]
    pub(crate) fn setting(&self, instrument: InstrumentId) -> Setting {
        self.settings[instrument as usize]
    }

    /// A strategy's copy of the leg that `leg` is in the account's book.
    #[inline]
    pub(crate) fn strategy_leg(&self, strategy: u16, leg: &Position) -> Position {
        let owner = self.strategies.get(usize::from(strategy));
        owner.map_or(Position::flat(leg.instrument, leg.side), |o| {
            o.legs.copy(leg.instrument, leg.side)
        })
    }

    #[inline]
    pub(crate) fn strategy_mut(&mut self, strategy: u16, assets: usize) -> &mut Strategy {
        let index = usize::from(strategy);
        while self.strategies.len() <= index {
            let rows = vec![StrategyRow::default(); assets];
            self.strategies.push(Strategy { legs: Legs::default(), rows });
        }
        &mut self.strategies[index]
    }
}
