//! One side of an order book: levels by price, dense around the touch and ordered beyond it.
//!
//! Prices are in the instrument's price units. Levels within a window of slots around the best
//! price are found by index and scanned by bitmap; the rest lies in an ordered map, and moves into
//! the window when the market comes near. Which of the two holds a level is invisible outside.

use std::collections::BTreeMap;

/// Slots in the window; a power of two.
const SLOTS: usize = 4096;
const WORDS: usize = SLOTS / 64;
/// How far from the window's edge the best price may come before the window is moved.
const MARGIN: i64 = 256;

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
    slots: Box<[L]>,
    present: [u64; WORDS],
    /// Slot of the best level, or `NONE`.
    best: i64,
    outside: BTreeMap<i64, L>,
    count: usize,
}

const NONE: i64 = -1;

impl<L: Level, const BID: bool> Ladder<L, BID> {
    /// An empty side whose neighbouring prices are `step` units apart.
    #[must_use]
    pub fn new(step: i64) -> Self {
        Ladder {
            base: i64::MIN,
            step: step.max(1),
            slots: vec![L::default(); SLOTS].into_boxed_slice(),
            present: [0; WORDS],
            best: NONE,
            outside: BTreeMap::new(),
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
        self.best = NONE;
        self.count = 0;
        self.base = i64::MIN;
    }

    /// The slot of a price, if it lies in the window and on the grid.
    #[inline]
    fn slot(&self, price: i64) -> Option<usize> {
        let distance = price.wrapping_sub(self.base) as u64;
        if self.step == 1 {
            return (distance < SLOTS as u64).then_some(distance as usize);
        }
        let step = self.step as u64;
        let slot = distance / step;
        (slot < SLOTS as u64 && slot * step == distance).then_some(slot as usize)
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
        (self.best != NONE).then(|| self.base + self.best * self.step)
    }

    /// Best price and what stands there, if any.
    #[inline]
    #[must_use]
    pub fn best(&self) -> Option<(i64, L)> {
        (self.best != NONE)
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
        let (word, bit) = (slot / 64, 1_u64 << (slot % 64));
        let was = self.present[word] & bit != 0;
        self.slots[slot] = level;
        let index = slot as i64;
        if level.is_absent() {
            if was {
                self.present[word] &= !bit;
                self.count -= 1;
                if index == self.best {
                    self.find_best();
                }
            }
        } else if !was {
            self.present[word] |= bit;
            self.count += 1;
            if self.best == NONE || if BID { index > self.best } else { index < self.best } {
                self.best = index;
                if index < MARGIN || index >= SLOTS as i64 - MARGIN {
                    self.recenter();
                }
            }
        }
    }

    /// The best slot at or behind the old best, or the best of the levels outside.
    #[inline(never)]
    fn find_best(&mut self) {
        let from = self.best as usize;
        let mut word = from / 64;
        let mask = if BID { u64::MAX >> (63 - from % 64) } else { u64::MAX << (from % 64) };
        let mut bits = self.present[word] & mask;
        while bits == 0 {
            if if BID { word == 0 } else { word == WORDS - 1 } {
                self.best = NONE;
                if !self.outside.is_empty() {
                    self.recenter();
                }
                return;
            }
            word = if BID { word - 1 } else { word + 1 };
            bits = self.present[word];
        }
        let bit = if BID { 63 - bits.leading_zeros() } else { bits.trailing_zeros() };
        self.best = (word * 64) as i64 + i64::from(bit);
        if self.best < MARGIN || self.best >= SLOTS as i64 - MARGIN {
            self.recenter();
        }
    }

    #[cold]
    fn set_outside(&mut self, price: i64, level: L) {
        if level.is_absent() {
            self.count -= usize::from(self.outside.remove(&price).is_some());
            return;
        }
        self.count += usize::from(self.outside.insert(price, level).is_none());
        let better = match self.best_price() {
            None => true,
            Some(best) => {
                if BID {
                    price > best
                } else {
                    price < best
                }
            }
        };
        if better {
            self.recenter();
        }
    }

    /// Moves the window so that the best price of all levels lies in its middle.
    #[cold]
    fn recenter(&mut self) {
        let mut moved = std::mem::take(&mut self.outside);
        for word in 0..WORDS {
            let mut bits = self.present[word];
            while bits != 0 {
                let slot = word * 64 + bits.trailing_zeros() as usize;
                moved.insert(self.base + slot as i64 * self.step, self.slots[slot]);
                self.slots[slot] = L::default();
                bits &= bits - 1;
            }
            self.present[word] = 0;
        }
        self.best = NONE;
        let best = if BID { moved.last_key_value() } else { moved.first_key_value() };
        let Some((&best, _)) = best else { return };
        // An off-grid best price still gets a slot: the grid is laid through it.
        self.base = best.saturating_sub(SLOTS as i64 / 2 * self.step);
        for (price, level) in moved {
            match self.slot(price) {
                Some(slot) => {
                    self.slots[slot] = level;
                    self.present[slot / 64] |= 1 << (slot % 64);
                }
                None => {
                    self.outside.insert(price, level);
                }
            }
        }
        self.best = self.slot(best).map_or(NONE, |slot| slot as i64);
    }

    /// The levels, best first.
    pub fn iter(&self) -> impl Iterator<Item = (i64, L)> + '_ {
        Levels { side: self, next: self.best_price() }
    }

    /// The next level behind `price`, if any.
    #[must_use]
    pub fn next_after(&self, price: i64) -> Option<(i64, L)> {
        let outside = if BID {
            self.outside.range(..price).next_back()
        } else {
            self.outside.range(price.saturating_add(1)..).next()
        };
        let outside = outside.map(|(&p, &l)| (p, l));
        match (self.next_slot(price), outside) {
            (Some(a), Some(b)) => Some(if (a.0 > b.0) == BID { a } else { b }),
            (a, b) => a.or(b),
        }
    }

    fn next_slot(&self, price: i64) -> Option<(i64, L)> {
        if self.best == NONE {
            return None;
        }
        let top = self.base + (SLOTS as i64 - 1) * self.step;
        // The first slot strictly behind `price`.
        let from = if BID {
            if price <= self.base {
                return None;
            }
            if price > top {
                SLOTS - 1
            } else {
                ((price - 1 - self.base) / self.step) as usize
            }
        } else {
            if price >= top {
                return None;
            }
            if price < self.base {
                0
            } else {
                ((price - self.base) / self.step) as usize + 1
            }
        };
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
        let slot = word * 64 + bit as usize;
        Some((self.base + slot as i64 * self.step, self.slots[slot]))
    }
}

struct Levels<'a, L, const BID: bool> {
    side: &'a Ladder<L, BID>,
    next: Option<i64>,
}

impl<L: Level, const BID: bool> Iterator for Levels<'_, L, BID> {
    type Item = (i64, L);

    fn next(&mut self) -> Option<(i64, L)> {
        let price = self.next?;
        self.next = self.side.next_after(price).map(|(p, _)| p);
        Some((price, self.side.get(price)))
    }
}
