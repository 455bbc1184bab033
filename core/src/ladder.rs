//! One side of an order book: levels by price, dense around the touch and ordered beyond it.
//!
//! Prices are in the instrument's price units. Levels within a window of slots around the best
//! price are found by index and scanned by bitmap; the rest lies in an ordered map, and moves into
//! the window when the market comes near. Which of the two holds a level is invisible outside.
//!
//! The best level always has a slot. A level lies in the map because it is worse than everything
//! the window can hold, or because its price is not on the window's grid (a tick that changed).

use std::collections::BTreeMap;
use std::ops::Bound;

/// Slots in the window; a power of two.
const SLOTS: usize = 4096;
const WORDS: usize = SLOTS / 64;
/// How far from the window's edge the best price may come before the window is moved.
const MARGIN: i64 = 256;
/// Widest step, so that a window's extent fits an `i64` with room to spare.
const STEP_MAX: i64 = 1 << 40;

/// What stands at one price. `Default` is the absent level.
pub trait Level: Copy + Default {
    /// True if nothing stands here, so that the level may be forgotten.
    fn is_absent(&self) -> bool;
}

impl Level for i64 {
    #[inline]
    fn is_absent(&self) -> bool {
        *self == 0
    }
}

/// The levels of one side; `BID` decides which price is best.
#[derive(Clone, Debug)]
pub struct Ladder<L, const BID: bool> {
    /// Price of slot 0, a multiple of `step`.
    base: i64,
    /// Price units between neighbouring slots: the tick.
    step: i64,
    /// Inverse of the odd part of `step`, modulo 2^64, and how many twos the rest is.
    step_inverse: u64,
    step_twos: u32,
    slots: Box<[L]>,
    present: [u64; WORDS],
    /// Slot of the best level, or `NONE`.
    best: i64,
    outside: BTreeMap<i64, L>,
    /// True if a level of `outside` may lie between slots of the window.
    off_grid: bool,
    count: usize,
}

impl<L: Level, const BID: bool> Ladder<L, BID> {
    /// In place of the best slot if there is none: behind every slot.
    const NONE: i64 = if BID { -1 } else { SLOTS as i64 };

    /// An empty side whose neighbouring prices are `step` units apart.
    #[must_use]
    pub fn new(step: i64) -> Self {
        let step = step.clamp(1, STEP_MAX);
        let step_twos = step.trailing_zeros();
        Ladder {
            base: i64::MIN,
            step,
            step_inverse: inverse((step >> step_twos) as u64),
            step_twos,
            slots: vec![L::default(); SLOTS].into_boxed_slice(),
            present: [0; WORDS],
            best: Self::NONE,
            outside: BTreeMap::new(),
            off_grid: false,
            count: 0,
        }
    }

    /// Number of levels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True if there is no level.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Forgets all levels.
    pub fn clear(&mut self) {
        for word in 0..WORDS {
            let mut bits = self.present[word];
            while bits != 0 {
                self.slots[word * 64 + bits.trailing_zeros() as usize] = L::default();
                bits &= bits - 1;
            }
            self.present[word] = 0;
        }
        self.outside.clear();
        self.off_grid = false;
        self.best = Self::NONE;
        self.count = 0;
        self.base = i64::MIN;
    }

    /// The slot of a price, if it lies in the window and on the grid.
    ///
    /// Division by multiplication: `step` is an odd number times a power of two, and multiplying by
    /// the inverse of the odd part, then rotating, maps exact multiples to their quotients and
    /// everything else to numbers far beyond any slot.
    #[inline]
    fn slot(&self, price: i64) -> Option<usize> {
        let distance = price.wrapping_sub(self.base) as u64;
        let slot = distance.wrapping_mul(self.step_inverse).rotate_right(self.step_twos);
        (slot < SLOTS as u64).then_some(slot as usize)
    }

    /// What stands at a price; the default if nothing does.
    #[inline]
    #[must_use]
    pub fn get(&self, price: i64) -> L {
        match self.slot(price) {
            Some(slot) => self.slots[slot],
            None => self.outside.get(&price).copied().unwrap_or_default(),
        }
    }

    /// Best price, if any.
    #[inline]
    #[must_use]
    pub fn best_price(&self) -> Option<i64> {
        (self.best != Self::NONE).then(|| self.base + self.best * self.step)
    }

    /// Best price and what stands there, if any.
    #[inline]
    #[must_use]
    pub fn best(&self) -> Option<(i64, L)> {
        (self.best != Self::NONE)
            .then(|| (self.base + self.best * self.step, self.slots[self.best as usize]))
    }

    /// Puts `level` at `price`; an absent one removes what stands there.
    #[inline]
    pub fn set(&mut self, price: i64, level: L) {
        match self.slot(price) {
            Some(slot) => self.set_slot(slot, level),
            None => self.set_outside(price, level),
        }
    }

    /// Changes what stands at `price` in place, and does nothing if nothing stands there.
    ///
    /// `change` must leave a present level present.
    #[inline]
    pub fn alter(&mut self, price: i64, change: impl FnOnce(&mut L)) {
        let level = match self.slot(price) {
            Some(slot) => &mut self.slots[slot],
            None => match self.outside.get_mut(&price) {
                Some(level) => level,
                None => return,
            },
        };
        if !level.is_absent() {
            change(level);
        }
    }

    /// Puts at `price` what `next` makes of the level that stands there.
    #[inline]
    pub fn replace(&mut self, price: i64, next: impl FnOnce(L) -> L) {
        match self.slot(price) {
            Some(slot) => self.set_slot(slot, next(self.slots[slot])),
            None => {
                let old = self.outside.get(&price).copied().unwrap_or_default();
                self.set_outside(price, next(old));
            }
        }
    }

    #[inline(always)]
    fn set_slot(&mut self, slot: usize, level: L) {
        let (word, bit) = (slot / 64, slot % 64);
        let (was, is) = ((self.present[word] >> bit) & 1, u64::from(!level.is_absent()));
        self.slots[slot] = level;
        // Whether a level comes or goes is anybody's guess, so there is no branch on it.
        self.present[word] = (self.present[word] & !(1 << bit)) | (is << bit);
        self.count = self.count + is as usize - was as usize;
        if !is_better::<BID>(self.best, slot as i64) {
            self.touch(slot as i64, is == 1);
        }
    }

    /// What follows for the best level from a change of it or ahead of it.
    #[inline]
    fn touch(&mut self, slot: i64, is_present: bool) {
        if is_present && slot != self.best {
            self.best = slot;
            if slot < MARGIN || slot >= SLOTS as i64 - MARGIN {
                self.recenter();
            }
        } else if !is_present && slot == self.best {
            self.find_best();
        }
    }

    /// The best slot at or behind the old best, or the best of the levels outside.
    #[inline(never)]
    fn find_best(&mut self) {
        let Some(slot) = self.scan(self.best as usize) else {
            self.best = Self::NONE;
            if !self.outside.is_empty() {
                self.recenter();
            }
            return;
        };
        self.best = slot as i64;
        if self.best < MARGIN || self.best >= SLOTS as i64 - MARGIN || self.off_grid {
            self.recenter();
        }
    }

    /// The first occupied slot at or behind `from`.
    #[inline]
    fn scan(&self, from: usize) -> Option<usize> {
        let mut word = from / 64;
        let mask = if BID { u64::MAX >> (63 - from % 64) } else { u64::MAX << (from % 64) };
        let mut bits = self.present[word] & mask;
        while bits == 0 {
            if if BID { word == 0 } else { word == WORDS - 1 } {
                return None;
            }
            word = if BID { word - 1 } else { word + 1 };
            bits = self.present[word];
        }
        let bit = if BID { 63 - bits.leading_zeros() } else { bits.trailing_zeros() };
        Some(word * 64 + bit as usize)
    }

    #[cold]
    fn set_outside(&mut self, price: i64, level: L) {
        if level.is_absent() {
            self.count -= usize::from(self.outside.remove(&price).is_some());
            return;
        }
        self.count += usize::from(self.outside.insert(price, level).is_none());
        if self.best_price().is_none_or(|best| is_better::<BID>(price, best)) {
            self.recenter();
        } else {
            self.off_grid |= (self.base..=self.top()).contains(&price);
        }
    }

    /// Price of the last slot.
    fn top(&self) -> i64 {
        self.base.saturating_add((SLOTS as i64 - 1) * self.step)
    }

    /// Moves the window so that the best price of all levels has a quarter of it ahead and the
    /// rest behind, where the book is deep.
    #[cold]
    fn recenter(&mut self) {
        let inside = self.drain_slots();
        let nearest = if BID { inside.last() } else { inside.first() }.map(|&(price, _)| price);
        let beyond =
            if BID { self.outside.last_key_value() } else { self.outside.first_key_value() }
                .map(|(&price, _)| price);
        let best = match (nearest, beyond) {
            (Some(a), Some(b)) if is_better::<BID>(b, a) => b,
            (Some(a), _) => a,
            (None, Some(b)) => b,
            (None, None) => return,
        };
        self.base = self.base_for(best);
        for (price, level) in inside {
            match self.slot(price) {
                Some(slot) => self.fill_slot(slot, level),
                None => drop(self.outside.insert(price, level)),
            }
        }
        let near: Vec<i64> = self.outside.range(self.base..=self.top()).map(|(&p, _)| p).collect();
        self.off_grid = false;
        for price in near {
            match self.slot(price) {
                Some(slot) => {
                    let level = self.outside.remove(&price).unwrap_or_default();
                    self.fill_slot(slot, level);
                }
                None => self.off_grid = true,
            }
        }
        self.best = self.slot(best).map_or(Self::NONE, |slot| slot as i64);
    }

    /// Takes all levels out of the window, by rising price.
    fn drain_slots(&mut self) -> Vec<(i64, L)> {
        let mut levels = Vec::with_capacity(self.count);
        for word in 0..WORDS {
            let mut bits = self.present[word];
            while bits != 0 {
                let slot = word * 64 + bits.trailing_zeros() as usize;
                levels.push((self.price(slot), std::mem::take(&mut self.slots[slot])));
                bits &= bits - 1;
            }
            self.present[word] = 0;
        }
        self.best = Self::NONE;
        levels
    }

    fn fill_slot(&mut self, slot: usize, level: L) {
        self.slots[slot] = level;
        self.present[slot / 64] |= 1 << (slot % 64);
    }

    #[inline]
    fn price(&self, slot: usize) -> i64 {
        self.base + slot as i64 * self.step
    }

    /// The lowest price of a window in which `best` has a slot; the grid is laid through `best`,
    /// so that an off-grid best price gets one too.
    fn base_for(&self, best: i64) -> i64 {
        let (step, best, last) = (i128::from(self.step), i128::from(best), SLOTS as i128 - 1);
        let ahead = SLOTS as i128 / 4;
        let wanted = if BID { last - ahead } else { ahead };
        // At the ends of the number range the window stops short.
        let below = wanted.min((best - i128::from(i64::MIN)) / step);
        let below = below.max(last - (i128::from(i64::MAX) - best) / step);
        (best - below * step) as i64
    }

    /// The levels, best first.
    pub fn iter(&self) -> impl Iterator<Item = (i64, L)> + '_ {
        Levels { side: self, next: self.best() }
    }

    /// The next level behind `price`, if any.
    #[must_use]
    pub fn next_after(&self, price: i64) -> Option<(i64, L)> {
        let inside = self.next_slot(price);
        if inside.is_some() && !self.off_grid {
            return inside;
        }
        let beyond = if BID {
            self.outside.range(..price).next_back()
        } else {
            self.outside.range((Bound::Excluded(price), Bound::Unbounded)).next()
        };
        match (inside, beyond.map(|(&price, &level)| (price, level))) {
            (Some(a), Some(b)) => Some(if is_better::<BID>(a.0, b.0) { a } else { b }),
            (a, b) => a.or(b),
        }
    }

    fn next_slot(&self, price: i64) -> Option<(i64, L)> {
        if self.best == Self::NONE {
            return None;
        }
        // The first slot strictly behind `price`; prices may lie anywhere in the number range.
        let distance = i128::from(price) - i128::from(self.base);
        let step = i128::from(self.step);
        let from =
            if BID { (distance - 1).div_euclid(step) } else { distance.div_euclid(step) + 1 };
        let last = SLOTS as i128 - 1;
        if if BID { from < 0 } else { from > last } {
            return None;
        }
        let slot = self.scan(from.clamp(0, last) as usize)?;
        Some((self.price(slot), self.slots[slot]))
    }
}

/// The inverse of an odd number modulo 2^64: each round doubles the bits that are right.
fn inverse(odd: u64) -> u64 {
    (0..5).fold(odd.wrapping_mul(3) ^ 2, |x, _| {
        x.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(x)))
    })
}

/// True if price `a` comes before price `b` on this side.
#[inline]
fn is_better<const BID: bool>(a: i64, b: i64) -> bool {
    if BID {
        a > b
    } else {
        a < b
    }
}

struct Levels<'a, L, const BID: bool> {
    side: &'a Ladder<L, BID>,
    next: Option<(i64, L)>,
}

impl<L: Level, const BID: bool> Iterator for Levels<'_, L, BID> {
    type Item = (i64, L);

    fn next(&mut self) -> Option<(i64, L)> {
        let level = self.next?;
        self.next = self.side.next_after(level.0);
        Some(level)
    }
}
