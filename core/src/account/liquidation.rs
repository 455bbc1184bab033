//! Margin of one position, and the prices at which it would be liquidated or bankrupt.

use crate::account::error::AccountError;
use crate::account::exact::compare_products;
use crate::account::margin::{maintenance, tier_of};
use crate::account::position::Position;
use crate::account::terms::{scaled, Terms};
use crate::account::Accounts;
use crate::instrument::{InstrumentId, Kind, Tier};
use crate::order::PositionSide;
use crate::units::{pow10, Overflow, COST_SCALE, MARK_SCALE, RATE_SCALE};
use std::cmp::Ordering;

/// The margin of one position at the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionMargin {
    /// Value at the mark, at cost scale, cut.
    pub notional: i128,
    /// The maintenance tier, from 1; `None` where the instrument has no tiers.
    pub tier: Option<u16>,
    /// At the settlement currency's scale, cut; `None` without leverage.
    pub initial_margin: Option<i128>,
    /// At the settlement currency's scale, cut; `None` without tiers.
    pub maintenance_margin: Option<i128>,
    /// At `price_scale + 6`, half to even; `None` if no price liquidates it.
    pub liquidation_price: Option<i128>,
    /// Where nothing would be left; likewise.
    pub bankruptcy_price: Option<i128>,
}

/// The legs of one instrument that share a margin, and what else stands behind them.
struct Pool<'a> {
    terms: &'a Terms,
    /// Signed quantities; two in cross hedge mode.
    units: Vec<i128>,
    cost: i128,
    /// Isolated wallet, or cross wallet with the profit of the other instruments.
    wallet: i128,
    /// The maintenance margin of the other instruments, rounded up.
    reserved: i128,
}

/// A positive price as an exact fraction.
#[derive(Clone, Copy)]
struct Price {
    above: i128,
    below: i128,
}

impl Accounts {
    /// The margin figures of a position; `None` if it is flat, spot, or without a mark.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for unknown rows or a figure that does not fit.
    pub fn position_margin(
        &self,
        account: u16,
        instrument: InstrumentId,
        side: PositionSide,
    ) -> Result<Option<PositionMargin>, AccountError> {
        let terms = self.terms(instrument)?;
        let books = self.account(account)?;
        let leg = books.legs.copy(instrument, side);
        let mark = self.marks[instrument as usize].price;
        if leg.is_flat() || mark == 0 || terms.kind == Kind::Spot {
            return Ok(None);
        }
        let setting = books.setting(instrument);
        let figures = || -> Result<PositionMargin, Overflow> {
            let value = terms.fraction(leg.units(terms), mark, MARK_SCALE)?;
            let tier = tier_of(terms, value);
            let pool = self.pool_of(account, terms, &leg, setting.is_isolated)?;
            Ok(PositionMargin {
                notional: value.0 / value.1,
                tier: tier.map(|t| t as u16 + 1),
                initial_margin: if setting.leverage > 0 {
                    Some(terms.post(terms.fine_over_leverage(value, setting.leverage)?.floor()))
                } else {
                    None
                },
                maintenance_margin: match tier {
                    Some(_) => Some(terms.post(maintenance(terms, value)?.floor())),
                    None => None,
                },
                liquidation_price: pool.liquidation_price()?,
                bankruptcy_price: pool.bankruptcy_price()?,
            })
        };
        figures().map(Some).map_err(|_| terms.overflow())
    }

    /// What may leave an isolated position's wallet (rule A20), at the settlement scale.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for unknown rows or a figure that does not fit.
    pub fn removable_margin(
        &self,
        account: u16,
        instrument: InstrumentId,
        side: PositionSide,
    ) -> Result<i128, AccountError> {
        let terms = self.contract(instrument)?;
        let books = self.account(account)?;
        let leg = books.legs.copy(instrument, side);
        let (setting, mark) = (books.setting(instrument), self.marks[instrument as usize].price);
        if !setting.is_isolated || leg.is_flat() || mark == 0 {
            return Ok(0);
        }
        let figure = || -> Result<i128, Overflow> {
            let value = terms.fraction(leg.units(terms), mark, MARK_SCALE)?;
            let wallet = terms.at_cost(leg.isolated_wallet)?;
            let spare = wallet - maintenance(terms, value)?.ceil();
            let profit = leg.unrealised(terms, mark, MARK_SCALE)?;
            let initial = terms.fine_over_leverage(value, setting.leverage)?.ceil();
            Ok(terms.post(spare.min(wallet + profit - initial).max(0)))
        };
        figure().map_err(|_| terms.overflow())
    }

    fn pool_of<'a>(
        &self,
        account: u16,
        terms: &'a Terms,
        leg: &Position,
        is_isolated: bool,
    ) -> Result<Pool<'a>, Overflow> {
        if is_isolated {
            return Ok(Pool {
                terms,
                units: vec![leg.units(terms)],
                cost: leg.cost,
                wallet: terms.at_cost(leg.isolated_wallet)?,
                reserved: 0,
            });
        }
        let books = &self.accounts[usize::from(account)];
        let cross = books.balances[usize::from(terms.settle)].cross;
        let mut pool =
            Pool { terms, units: Vec::new(), cost: 0, wallet: terms.at_cost(cross)?, reserved: 0 };
        for other in books.legs.iter().filter(|other| !other.is_flat()) {
            let theirs = &self.terms[other.instrument as usize];
            let mark = self.marks[other.instrument as usize].price;
            if other.instrument == leg.instrument {
                pool.units.push(other.units(terms));
                pool.cost = pool.cost.checked_add(other.cost).ok_or(Overflow)?;
            } else if theirs.kind != Kind::Spot
                && theirs.settle == terms.settle
                && !books.setting(other.instrument).is_isolated
                && mark > 0
            {
                let profit = other.unrealised(theirs, mark, MARK_SCALE)?;
                pool.wallet = pool.wallet.checked_add(profit).ok_or(Overflow)?;
                let value = theirs.fraction(other.units(theirs), mark, MARK_SCALE)?;
                let margin = maintenance(theirs, value)?.ceil();
                pool.reserved = pool.reserved.checked_add(margin).ok_or(Overflow)?;
            }
        }
        Ok(pool)
    }
}

impl Pool<'_> {
    /// The price at which the margin balance equals the maintenance margin (rule A30): tiers are
    /// tried until the notionals at the price lie in them. The margin is continuous in the price,
    /// so the first solution is the only one.
    fn liquidation_price(&self) -> Result<Option<i128>, Overflow> {
        let tiers = &self.terms.tiers;
        match self.units.len() {
            1 => {
                for tier in tiers {
                    if let Some(price) = self.solution(&[tier])? {
                        return Ok(Some(price));
                    }
                }
            }
            _ => {
                for first in tiers {
                    for second in tiers {
                        if let Some(price) = self.solution(&[first, second])? {
                            return Ok(Some(price));
                        }
                    }
                }
            }
        }
        Ok(None)
    }

    fn solution(&self, tiers: &[&Tier]) -> Result<Option<i128>, Overflow> {
        let mut money = self
            .wallet
            .checked_sub(self.reserved)
            .and_then(|v| v.checked_sub(self.cost))
            .ok_or(Overflow)?;
        let one = pow10(RATE_SCALE);
        let mut rated = 0_i128;
        for (units, tier) in self.units.iter().zip(tiers) {
            money = money.checked_add(tier.amount).ok_or(Overflow)?;
            let (face, _) = self.terms.face(*units)?;
            let sign = if self.terms.kind == Kind::Inverse { one } else { -one };
            let rate = i128::from(tier.rate) * face.signum() + sign;
            rated = face.checked_mul(rate).and_then(|v| rated.checked_add(v)).ok_or(Overflow)?;
        }
        let Some(price) = Price::positive(self.terms, money, rated) else { return Ok(None) };
        for (units, tier) in self.units.iter().zip(tiers) {
            if !price.lies_in(self.terms, *units, tier)? {
                return Ok(None);
            }
        }
        price.shown(self.terms, RATE_SCALE).map(Some)
    }

    /// The price at which nothing is left (rule A31).
    fn bankruptcy_price(&self) -> Result<Option<i128>, Overflow> {
        let money = self.wallet.checked_sub(self.cost).ok_or(Overflow)?;
        let held: i128 = self.units.iter().sum();
        let (face, _) = self.terms.face(held)?;
        let signed = if self.terms.kind == Kind::Inverse { face } else { -face };
        match Price::positive(self.terms, money, signed) {
            Some(price) => price.shown(self.terms, 0).map(Some),
            None => Ok(None),
        }
    }
}

impl Price {
    /// Linear prices are money over quantity, inverse ones quantity over money.
    fn positive(terms: &Terms, money: i128, quantity: i128) -> Option<Price> {
        if money == 0 || quantity == 0 || (money < 0) != (quantity < 0) {
            return None;
        }
        let (money, quantity) = (money.abs(), quantity.abs());
        Some(if terms.kind == Kind::Inverse {
            Price { above: quantity, below: money }
        } else {
            Price { above: money, below: quantity }
        })
    }

    /// True if the notional of a quantity at this price belongs to the tier.
    fn lies_in(self, terms: &Terms, units: i128, tier: &Tier) -> Result<bool, Overflow> {
        let (face, _) = terms.face(units.abs())?;
        // Rates carry 18 decimals in `rated`, and so does the notional at cost scale: both sides
        // are brought to the same power of ten.
        let (size, above, below) = match terms.kind {
            Kind::Inverse => (face, self.below, self.above),
            Kind::Spot | Kind::Linear => (face, self.above, self.below),
        };
        let size = size.checked_mul(pow10(RATE_SCALE)).ok_or(Overflow)?;
        let fits = |limit: i128, wanted: Ordering| {
            compare_products(size, above, limit, below) != wanted
        };
        let below_cap = tier.cap.is_none_or(|cap| fits(cap, Ordering::Greater));
        Ok(below_cap && fits(tier.floor, Ordering::Less))
    }

    /// At `price_scale + 6`, half to even; `extra` decimals are in the quantity.
    fn shown(self, terms: &Terms, extra: u8) -> Result<i128, Overflow> {
        let (_, decimals) = terms.face(0)?;
        let shown = terms.price_scale + 6;
        match terms.kind {
            Kind::Spot | Kind::Linear => {
                scaled(self.above, self.below, shown + decimals + extra, COST_SCALE)
            }
            Kind::Inverse => {
                scaled(self.above, self.below, shown + COST_SCALE, decimals + extra)
            }
        }
    }
}
