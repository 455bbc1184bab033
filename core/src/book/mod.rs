//! The order book of one instrument by price level, and what is computed from it.
//!
//! [`Book`] only holds levels; whether they may be believed is [`BookSync`]'s business, which
//! follows the sequence numbers and applies each update whole or not at all. Prices and quantities
//! are in the instrument's units. What is a mean (mid, microprice, VWAP) is an exact integer sum
//! divided once into a float of price units; such floats are signals and never enter money.

mod sync;

pub use sync::{BookSync, Chain, Outcome, SyncCounts, SyncState, UpdateIds};

use crate::ladder::Sides;

/// One price and the quantity that stands there; quantity 0 means that the level is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct PriceLevel {
    /// In price units.
    pub price: i64,
    /// In quantity units.
    pub qty: i64,
}

impl From<(i64, i64)> for PriceLevel {
    fn from((price, qty): (i64, i64)) -> Self {
        PriceLevel { price, qty }
    }
}

/// One half of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookSide {
    /// Who wants to buy; best is highest.
    Bids,
    /// Who wants to sell; best is lowest.
    Asks,
}

/// What an order would meet that takes liquidity from one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Walk {
    /// How much of the wanted quantity the side holds, in quantity units.
    pub filled: i64,
    /// Sum of price × quantity over what is filled, in price × quantity units.
    pub cost: i128,
    /// How many levels it touches.
    pub levels: usize,
    /// The last price it reaches, in price units.
    pub worst_price: i64,
}

impl Walk {
    /// Average price in price units; `None` if nothing is filled.
    #[must_use]
    pub fn vwap(&self) -> Option<f64> {
        (self.filled > 0).then(|| self.cost as f64 / self.filled as f64)
    }
}

/// Levels by price, both sides.
#[derive(Clone, Debug)]
pub struct Book {
    sides: Sides<i64>,
}

impl Book {
    /// An empty book whose neighbouring prices are `tick` price units apart.
    #[must_use]
    pub fn new(tick: i64) -> Self {
        Book { sides: Sides::new(tick) }
    }

    /// Forgets all levels.
    pub fn clear(&mut self) {
        self.sides.clear();
    }

    /// Sets absolute quantities; 0 removes a level, and removing an absent one is normal.
    #[inline]
    pub fn apply(&mut self, bids: &[PriceLevel], asks: &[PriceLevel]) {
        for level in bids {
            self.sides.set(true, level.price, level.qty);
        }
        for level in asks {
            self.sides.set(false, level.price, level.qty);
        }
    }

    /// Sets the absolute quantity of one level; 0 removes it.
    #[inline]
    pub fn set(&mut self, is_bid: bool, price: i64, qty: i64) {
        self.sides.set(is_bid, price, qty);
    }

    /// As [`set`](Self::set) where `mask` is zero, and nothing where it is all ones; what it costs
    /// does not depend on which. The level is written in any case, if need be as it was.
    #[inline(always)]
    pub(crate) fn set_unless(&mut self, mask: i64, is_bid: bool, price: i64, qty: i64) {
        self.sides.replace(is_bid, price, |old| (old & mask) | (qty & !mask));
    }

    /// Best bid and best ask prices, if both sides have one.
    #[inline]
    #[must_use]
    pub fn touch(&self) -> Option<(i64, i64)> {
        Some((self.sides.best_price(true)?, self.sides.best_price(false)?))
    }

    /// Number of levels of a side.
    #[must_use]
    pub fn len(&self, side: BookSide) -> usize {
        self.sides.len(side == BookSide::Bids)
    }

    /// True if there is no level at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sides.is_empty()
    }

    /// Best bid, if any.
    #[inline]
    #[must_use]
    pub fn best_bid(&self) -> Option<PriceLevel> {
        self.sides.best(true).map(PriceLevel::from)
    }

    /// Best ask, if any.
    #[inline]
    #[must_use]
    pub fn best_ask(&self) -> Option<PriceLevel> {
        self.sides.best(false).map(PriceLevel::from)
    }

    /// Best bid and best ask; `None` while a side is empty.
    #[inline]
    #[must_use]
    pub fn best(&self) -> Option<(PriceLevel, PriceLevel)> {
        Some((self.best_bid()?, self.best_ask()?))
    }

    /// True if the best bid is at or above the best ask, which a venue's own book never is.
    #[inline]
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        matches!(self.best(), Some((bid, ask)) if bid.price >= ask.price)
    }

    /// Quantity that stands at a price, in quantity units.
    #[must_use]
    pub fn qty_at(&self, side: BookSide, price: i64) -> i64 {
        self.sides.get(side == BookSide::Bids, price)
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: BookSide) -> Box<dyn Iterator<Item = PriceLevel> + '_> {
        Box::new(self.sides.iter(side == BookSide::Bids).map(PriceLevel::from))
    }

    /// The best `n` levels of a side, best first.
    #[must_use]
    pub fn top(&self, side: BookSide, n: usize) -> Vec<PriceLevel> {
        self.levels(side).take(n).collect()
    }

    /// Best ask minus best bid, in price units; negative while crossed.
    #[must_use]
    pub fn spread(&self) -> Option<i64> {
        self.best().and_then(|(bid, ask)| ask.price.checked_sub(bid.price))
    }

    /// Halfway between the best prices, in price units.
    #[must_use]
    pub fn mid(&self) -> Option<f64> {
        let (bid, ask) = self.best()?;
        Some((i128::from(bid.price) + i128::from(ask.price)) as f64 / 2.0)
    }

    /// The best prices weighted by the opposite quantities, in price units: it leans to the side
    /// that is about to be eaten.
    #[must_use]
    pub fn microprice(&self) -> Option<f64> {
        let (bid, ask) = self.best()?;
        let weighted = i128::from(bid.price) * i128::from(ask.qty)
            + i128::from(ask.price) * i128::from(bid.qty);
        Some(weighted as f64 / (i128::from(bid.qty) + i128::from(ask.qty)) as f64)
    }

    /// (bids − asks) ÷ (bids + asks) by quantity over the best `n` levels of each side, in
    /// [−1, 1]; `None` if there are none.
    #[must_use]
    pub fn imbalance(&self, n: usize) -> Option<f64> {
        let sum = |side| self.levels(side).take(n).map(|level| i128::from(level.qty)).sum::<i128>();
        let (bids, asks) = (sum(BookSide::Bids), sum(BookSide::Asks));
        (bids + asks > 0).then(|| (bids - asks) as f64 / (bids + asks) as f64)
    }

    /// What an order for `qty` quantity units would meet on a side, best level first.
    #[must_use]
    pub fn walk(&self, side: BookSide, qty: i64) -> Walk {
        let mut walk = Walk::default();
        for level in self.levels(side) {
            if walk.filled >= qty {
                break;
            }
            walk.take(level, qty);
        }
        walk
    }

    /// Average price of the best `n` levels of a side, in price units.
    #[must_use]
    pub fn vwap_of_levels(&self, side: BookSide, n: usize) -> Option<f64> {
        let mut walk = Walk::default();
        for level in self.levels(side).take(n) {
            walk.take(level, i64::MAX);
        }
        walk.vwap()
    }

    /// Average price of taking exactly `qty` from a side, in price units; `None` if it holds less.
    #[must_use]
    pub fn vwap(&self, side: BookSide, qty: i64) -> Option<f64> {
        let walk = self.walk(side, qty);
        if walk.filled < qty {
            return None;
        }
        walk.vwap()
    }

    /// What taking `qty` from a side costs beyond the mid, in basis points of the mid; `None` if
    /// the side holds less or the book has no mid.
    #[must_use]
    pub fn impact_bps(&self, side: BookSide, qty: i64) -> Option<f64> {
        let (mid, vwap) = (self.mid()?, self.vwap(side, qty)?);
        let paid = match side {
            BookSide::Asks => vwap - mid,
            BookSide::Bids => mid - vwap,
        };
        (mid > 0.0).then(|| paid / mid * 1e4)
    }
}

impl Walk {
    fn take(&mut self, level: PriceLevel, wanted: i64) {
        let qty = level.qty.min(wanted - self.filled);
        self.filled += qty;
        self.cost += i128::from(level.price) * i128::from(qty);
        self.levels += 1;
        self.worst_price = level.price;
    }
}
