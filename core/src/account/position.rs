//! One position: a signed quantity and its exact cost, from which the average price is derived.
//!
//! The same rules serve the account's book, each strategy's book, contracts and spot (rules A5,
//! A6, A11). The average is never stored and never fed back.

use crate::account::terms::Terms;
use crate::instrument::{InstrumentId, Kind};
use crate::order::PositionSide;
use crate::units::{mul_div, pow10, Overflow, Rounding};

/// A position of an account or of one of its strategies. Amounts are at cost scale (10^-18) of
/// the settlement currency (spot: the quote) unless stated otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Row of the instrument table.
    pub instrument: InstrumentId,
    /// Which leg; `Both` in one-way mode and for spot.
    pub side: PositionSide,
    /// Signed, in the instrument's quantity units.
    pub qty: i64,
    /// Spot: what is held beyond `qty`, in units of the base coin's scale, less than one quantity
    /// unit and of the same sign. Zero for contracts.
    pub dust: i64,
    /// Signed cost.
    pub cost: i128,
    /// Profit of what was closed. Contracts: as posted to the wallet.
    pub realised: i128,
    /// Funding received, net.
    pub funding: i128,
    /// Fees paid, net of rebates, in the settlement or quote currency; a fee in the base coin of a
    /// spot trade counts at the fill's price, one in another coin does not.
    pub fees: i128,
    /// Exact profit less realised profit: the dust that closes left behind (rule A6).
    pub rounding: i128,
    /// Contracts with isolated margin: its wallet, at the settlement currency's scale.
    pub isolated_wallet: i128,
}

impl Position {
    /// A position that was never opened.
    #[must_use]
    pub const fn flat(instrument: InstrumentId, side: PositionSide) -> Position {
        Position {
            instrument,
            side,
            qty: 0,
            dust: 0,
            cost: 0,
            realised: 0,
            funding: 0,
            fees: 0,
            rounding: 0,
            isolated_wallet: 0,
        }
    }

    /// True if nothing is held, dust included.
    #[must_use]
    pub const fn is_flat(&self) -> bool {
        self.qty == 0 && self.dust == 0
    }

    /// The quantity in position units: quantity units, or for spot units of the base coin.
    #[inline]
    pub(crate) fn units(&self, terms: &Terms) -> i128 {
        i128::from(self.qty) * pow10(terms.dust_scale) + i128::from(self.dust)
    }

    fn set_units(&mut self, units: i128, terms: &Terms) -> Result<(), Overflow> {
        if terms.dust_scale == 0 {
            self.qty = i64::try_from(units).map_err(|_| Overflow)?;
            return Ok(());
        }
        let unit = pow10(terms.dust_scale);
        self.qty = i64::try_from(units / unit).map_err(|_| Overflow)?;
        self.dust = i64::try_from(units % unit).map_err(|_| Overflow)?;
        Ok(())
    }

    /// Profit of what is held at a mark price.
    #[inline]
    pub(crate) fn unrealised(&self, terms: &Terms, mark: i64, scale: u8) -> Result<i128, Overflow> {
        if self.is_flat() {
            return Ok(0);
        }
        terms.value(self.units(terms), mark, scale)?.checked_sub(self.cost).ok_or(Overflow)
    }

    /// Applies a trade of signed `units` that are worth `value` at cost scale.
    #[inline]
    pub(crate) fn trade(&mut self, terms: &Terms, trade: &Trade) -> Result<Step, Overflow> {
        let held = self.units(terms);
        if held == 0 || (held < 0) == (trade.units < 0) {
            // Booked late or early, a fill can open here what it closed at the venue.
            let posted = trade.posted.unwrap_or(0);
            let realised = terms.at_cost(posted)?;
            let kept = trade.value.checked_add(realised).ok_or(Overflow)?;
            self.cost = self.cost.checked_add(kept).ok_or(Overflow)?;
            self.realised = self.realised.checked_add(realised).ok_or(Overflow)?;
            self.set_units(held.checked_add(trade.units).ok_or(Overflow)?, terms)?;
            let opened = trade.units.abs();
            return Ok(Step { opened, realised, posted, ..Step::default() });
        }
        let closed = held.abs().min(trade.units.abs());
        let opened = trade.units.abs() - closed;
        let part = if opened == 0 { trade.value } else { trade.share(closed, terms)? };
        let released = if closed == held.abs() {
            self.cost
        } else {
            mul_div(self.cost, closed, held.abs(), Rounding::TowardZero)?
        };
        let exact = part.checked_add(released).and_then(i128::checked_neg).ok_or(Overflow)?;
        // Coins of a spot trade moved already, so its profit is a figure and not a posting.
        let (realised, posted) = match terms.kind {
            Kind::Spot => (exact, 0),
            Kind::Linear | Kind::Inverse => {
                // What the venue's profit differs from ours by stays in the cost, as dust does.
                let posted = trade.posted.unwrap_or_else(|| terms.post(exact));
                (terms.at_cost(posted)?, posted)
            }
        };
        self.realised = self.realised.checked_add(realised).ok_or(Overflow)?;
        let kept = part.checked_add(realised).ok_or(Overflow)?;
        self.cost = self.cost.checked_add(kept).ok_or(Overflow)?;
        let mut rounding = 0;
        if closed == held.abs() {
            rounding = -self.cost;
            self.rounding = self.rounding.checked_add(rounding).ok_or(Overflow)?;
            self.cost = if opened == 0 { 0 } else { trade.rest(part, opened, terms)? };
        }
        self.set_units(held.checked_add(trade.units).ok_or(Overflow)?, terms)?;
        Ok(Step { closed, opened, realised, posted, rounding })
    }

    /// Applies the trade that took the account's leg from `before` to `after`. An owner that holds
    /// just what the account holds gets the same figures without a second set of divisions.
    #[inline]
    pub(crate) fn follow(
        &mut self,
        terms: &Terms,
        trade: &Trade,
        (before, after, step): (&Position, &Position, &Step),
    ) -> Result<(), Overflow> {
        if (self.qty, self.dust, self.cost) != (before.qty, before.dust, before.cost) {
            // The venue speaks of the account's position, not of this share of it.
            return self.trade(terms, &Trade { posted: None, ..*trade }).map(|_| ());
        }
        (self.qty, self.dust, self.cost) = (after.qty, after.dust, after.cost);
        self.realised = self.realised.checked_add(step.realised).ok_or(Overflow)?;
        self.rounding = self.rounding.checked_add(step.rounding).ok_or(Overflow)?;
        Ok(())
    }

    /// Takes base coins that a fee consumed out of the book, at the fill's price and without
    /// profit (rule A11).
    pub(crate) fn dispose(
        &mut self,
        terms: &Terms,
        fee: i128,
        worth: i128,
    ) -> Result<(), Overflow> {
        let left = self.units(terms).checked_sub(fee).ok_or(Overflow)?;
        self.set_units(left, terms)?;
        self.cost = self.cost.checked_sub(worth).ok_or(Overflow)?;
        if left == 0 {
            self.rounding = self.rounding.checked_sub(self.cost).ok_or(Overflow)?;
            self.cost = 0;
        }
        Ok(())
    }
}

/// What a position trades: signed position units and their signed value at cost scale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trade {
    pub(crate) units: i128,
    pub(crate) value: i128,
    /// Price and its scale, from which a contract's part is valued anew.
    pub(crate) price: (i64, u8),
    /// Profit that the venue booked for it, at the settlement currency's scale, if it said so.
    pub(crate) posted: Option<i128>,
}

impl Trade {
    /// A trade of a contract at a price.
    #[inline]
    pub(crate) fn at(terms: &Terms, units: i128, price: i64, scale: u8) -> Result<Trade, Overflow> {
        Ok(Trade {
            units,
            value: terms.value(units, price, scale)?,
            price: (price, scale),
            posted: None,
        })
    }

    /// A spot trade whose value is the quote amount that moved.
    pub(crate) fn of_coins(units: i128, quote_at_cost: i128) -> Trade {
        let value = if units < 0 { -quote_at_cost } else { quote_at_cost };
        Trade { units, value, price: (0, 0), posted: None }
    }

    fn share(&self, part: i128, terms: &Terms) -> Result<i128, Overflow> {
        match terms.kind {
            Kind::Spot => mul_div(self.value, part, self.units.abs(), Rounding::TowardZero),
            Kind::Linear | Kind::Inverse => {
                terms.value(part * self.units.signum(), self.price.0, self.price.1)
            }
        }
    }

    /// The value of what is left after `part` closed; spot: all of the amount that is left.
    fn rest(&self, part: i128, opened: i128, terms: &Terms) -> Result<i128, Overflow> {
        match terms.kind {
            Kind::Spot => Ok(self.value - part),
            Kind::Linear | Kind::Inverse => self.share(opened, terms),
        }
    }
}

/// What a trade did to a position: unsigned position units, and amounts at cost scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) closed: i128,
    pub(crate) opened: i128,
    pub(crate) realised: i128,
    /// The same of a contract, at the settlement currency's scale.
    pub(crate) posted: i128,
    pub(crate) rounding: i128,
}

/// Positions by instrument and side: a dense table of rows, and an index into it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Legs {
    /// Row number plus one, by `instrument × 3 + side`; 0 where never touched.
    slots: Vec<u32>,
    rows: Vec<Position>,
}

impl Legs {
    #[inline]
    pub(crate) fn get(&self, instrument: InstrumentId, side: PositionSide) -> Option<&Position> {
        let slot = *self.slots.get(instrument as usize * 3 + side as usize)?;
        self.rows.get((slot as usize).checked_sub(1)?)
    }

    /// A copy, flat if never touched.
    #[inline]
    pub(crate) fn copy(&self, instrument: InstrumentId, side: PositionSide) -> Position {
        self.get(instrument, side).copied().unwrap_or(Position::flat(instrument, side))
    }

    /// Writes a row back; only the first one of its key allocates.
    #[inline]
    pub(crate) fn put(&mut self, position: &Position) {
        let key = position.instrument as usize * 3 + position.side as usize;
        if self.slots.len() <= key {
            self.slots.resize(key + 1, 0);
        }
        if self.slots[key] == 0 {
            self.rows.push(*position);
            self.slots[key] = self.rows.len() as u32;
        } else {
            self.rows[self.slots[key] as usize - 1] = *position;
        }
    }

    /// All rows ever touched, in the order of their first trade.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Position> {
        self.rows.iter()
    }
}
