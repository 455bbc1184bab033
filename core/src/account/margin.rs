//! Margin of a currency's pool: what positions and orders tie up, and when they must close.
//!
//! Read, never stored. Decisions compare exact values (rule A29); what is shown is cut once.

use crate::account::error::AccountError;
use crate::account::exact::{compare_products, Fine};
use crate::account::position::Position;
use crate::account::terms::Terms;
use crate::account::{Account, Accounts};
use crate::instrument::{AssetId, InstrumentId, Kind};
use crate::order::{PositionSide, Side};
use crate::units::{Overflow, MARK_SCALE};
use std::cmp::Ordering;

/// The margin of one currency of one account. At the asset's scale unless stated otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolMargin {
    /// The money behind all cross positions.
    pub cross_wallet: i128,
    /// With their unrealised profit; at cost scale.
    pub cross_margin_balance: i128,
    /// Maintenance margin of the cross positions.
    pub cross_maintenance_margin: i128,
    /// Initial margin of the cross positions.
    pub cross_position_initial_margin: i128,
    /// Margin of open orders, cross and isolated (rule A25).
    pub open_order_initial_margin: i128,
    /// What new orders may take (rule A27).
    pub available: i128,
    /// What may leave the account (rule A27).
    pub withdrawable: i128,
    /// The cross positions must be liquidated (rule A29).
    pub cross_liquidatable: bool,
    /// The isolated positions that must be liquidated.
    pub isolated_liquidatable: Vec<(InstrumentId, PositionSide)>,
}

/// Sums over the positions of a pool.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    unrealised: i128,
    maintenance: Fine,
    /// Maintenance amounts, which are taken off at cost scale.
    amounts: i128,
    initial: Fine,
    has_cross: bool,
}

impl Accounts {
    /// The margin of one settlement currency.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for unknown rows or a figure that does not fit.
    pub fn pool_margin(&self, account: u16, asset: AssetId) -> Result<PoolMargin, AccountError> {
        let cross = self.balance(account, asset)?.cross;
        let books = self.account(account)?;
        let mut sums = Sums::default();
        let mut isolated_liquidatable = Vec::new();
        for leg in books.legs.iter().filter(|leg| !leg.is_flat()) {
            let terms = self.terms(leg.instrument)?;
            if terms.kind == Kind::Spot || terms.settle != asset {
                continue;
            }
            let mark = self.marks[leg.instrument as usize].price;
            if mark == 0 {
                continue;
            }
            let over = |_| terms.overflow();
            if books.setting(leg.instrument).is_isolated {
                if is_broke(terms, leg, mark).map_err(over)? {
                    isolated_liquidatable.push((leg.instrument, leg.side));
                }
            } else {
                sums.add(terms, leg, mark, books.setting(leg.instrument).leverage).map_err(over)?;
            }
        }
        let over = |_| AccountError::Overflow(self.asset_name(asset));
        let orders = self.open_order_margin(account, asset)?;
        let unit = crate::units::pow10(18 - self.asset_scale(asset)?);
        pool(cross, &sums, &orders, unit, isolated_liquidatable).map_err(over)
    }

    /// Margin of all open orders of a currency, and of those in isolated instruments.
    fn open_order_margin(
        &self,
        account: u16,
        asset: AssetId,
    ) -> Result<OrderSums, AccountError> {
        let books = self.account(account)?;
        let mut sums = OrderSums::default();
        let mut seen: Vec<InstrumentId> = Vec::new();
        for order in &books.orders {
            let terms = self.terms(order.instrument)?;
            let counted = terms.kind != Kind::Spot && terms.settle == asset;
            if !counted || seen.contains(&order.instrument) {
                continue;
            }
            seen.push(order.instrument);
            let mark = self.marks[order.instrument as usize].price;
            let margin = books.order_margin(terms, order.instrument, mark);
            let margin = margin.map_err(|_| terms.overflow())?;
            sums.all = sums.all.plus(margin).map_err(|_| terms.overflow())?;
            if books.setting(order.instrument).is_isolated {
                sums.isolated = sums.isolated.plus(margin).map_err(|_| terms.overflow())?;
            }
        }
        Ok(sums)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct OrderSums {
    all: Fine,
    isolated: Fine,
}

impl Sums {
    fn add(
        &mut self,
        terms: &Terms,
        leg: &Position,
        mark: i64,
        leverage: i64,
    ) -> Result<(), Overflow> {
        let value = terms.fraction(leg.units(terms), mark, MARK_SCALE)?;
        let profit = leg.unrealised(terms, mark, MARK_SCALE)?;
        self.unrealised = self.unrealised.checked_add(profit).ok_or(Overflow)?;
        if let Some(tier) = tier_of(terms, value) {
            let tier = &terms.tiers[tier];
            let rated = terms.fine_at_rate(value, tier.rate)?;
            self.maintenance = self.maintenance.plus(rated)?;
            self.amounts = self.amounts.checked_add(tier.amount).ok_or(Overflow)?;
        }
        if leverage > 0 {
            let margin = terms.fine_over_leverage(value, leverage)?;
            self.initial = self.initial.plus(margin)?;
        }
        self.has_cross = true;
        Ok(())
    }
}

fn pool(
    cross: i128,
    sums: &Sums,
    orders: &OrderSums,
    unit: i128,
    isolated_liquidatable: Vec<(InstrumentId, PositionSide)>,
) -> Result<PoolMargin, Overflow> {
    let wallet = cross.checked_mul(unit).ok_or(Overflow)?;
    let balance = wallet.checked_add(sums.unrealised).ok_or(Overflow)?;
    let maintenance = sums.maintenance.minus(sums.amounts)?;
    let tied = sums.initial.plus(orders.all)?;
    let available = (balance - tied.ceil()).max(0) / unit;
    let kept = maintenance.plus(orders.isolated)?;
    let withdrawable = available.min((wallet - kept.ceil()).max(0) / unit);
    Ok(PoolMargin {
        cross_wallet: cross,
        cross_margin_balance: balance,
        cross_maintenance_margin: maintenance.floor() / unit,
        cross_position_initial_margin: sums.initial.floor() / unit,
        open_order_initial_margin: orders.all.floor() / unit,
        available,
        withdrawable,
        // The balance is a whole number of 10^-18, so it is at most the exact margin if and only
        // if it is at most the margin's floor.
        cross_liquidatable: sums.has_cross && balance <= maintenance.floor(),
        isolated_liquidatable,
    })
}

/// True if an isolated position's margin balance is at most its maintenance margin.
fn is_broke(terms: &Terms, leg: &Position, mark: i64) -> Result<bool, Overflow> {
    let value = terms.fraction(leg.units(terms), mark, MARK_SCALE)?;
    let wallet = terms.at_cost(leg.isolated_wallet)?;
    let balance = wallet.checked_add(leg.unrealised(terms, mark, MARK_SCALE)?).ok_or(Overflow)?;
    Ok(balance <= maintenance(terms, value)?.floor())
}

/// The maintenance margin of a notional; 0 where the instrument has no tiers.
pub(crate) fn maintenance(terms: &Terms, value: (i128, i128)) -> Result<Fine, Overflow> {
    let Some(tier) = tier_of(terms, value) else { return Ok(Fine::default()) };
    let tier = &terms.tiers[tier];
    terms.fine_at_rate(value, tier.rate)?.minus(tier.amount)
}

/// The tier that a notional belongs to: the first whose cap is not below it.
pub(crate) fn tier_of(terms: &Terms, (value, divisor): (i128, i128)) -> Option<usize> {
    terms.tiers.iter().position(|tier| match tier.cap {
        Some(cap) => compare_products(value, 1, cap, divisor) != Ordering::Greater,
        None => true,
    })
}

impl Account {
    /// Open-order margin of one instrument (rule A25).
    fn order_margin(
        &self,
        terms: &Terms,
        instrument: InstrumentId,
        mark: i64,
    ) -> Result<Fine, Overflow> {
        let leverage = self.setting(instrument).leverage;
        if leverage == 0 {
            return Ok(Fine::default());
        }
        let (mut buys, mut sells) = (0_i128, 0_i128);
        for order in self.orders.iter().filter(|o| o.instrument == instrument && o.opens()) {
            let value =
                terms.notional(i128::from(order.qty), order.price, terms.price_scale)?;
            let sum = match order.side {
                Side::Buy => &mut buys,
                Side::Sell => &mut sells,
            };
            *sum = sum.checked_add(value).ok_or(Overflow)?;
        }
        let needed = if self.hedge {
            buys.checked_add(sells).ok_or(Overflow)?
        } else {
            let leg = self.legs.copy(instrument, PositionSide::Both);
            let mut held = 0;
            if mark > 0 {
                held = terms.notional(leg.units(terms), mark, MARK_SCALE)?;
                held *= i128::from(leg.qty.signum());
            }
            let up = held.checked_add(buys).ok_or(Overflow)?;
            let down = held.checked_sub(sells).ok_or(Overflow)?;
            up.abs().max(down.abs()) - held.abs()
        };
        terms.fine_over_leverage((needed, 1), leverage)
    }
}
