//! The sides of an order book: levels by price, dense around the touch and ordered beyond it.
//!
//! Prices are in the instrument's price units. Levels within a window of slots around the best
//! price are found by index and scanned by bitmap; the rest lies in an ordered map, and moves into
//! the window when the market comes near. Which of the two holds a level is invisible outside.
//!
//! The best level always has a slot. A level lies in the map because it is worse than everything
//! the window can hold, or because its price is not on the window's grid (a tick that changed).

use std::collections::BTreeMap;

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

    /// 1 if something stands here, else 0: by arithmetic that no compiler makes a branch of.
    fn presence(&self) -> u64;
}

/// 1 if a quantity is not zero, else 0; see [`Level::presence`].
#[inline(always)]
pub(crate) fn is_some(qty: i64) -> u64 {
    (qty | qty.wrapping_neg()) as u64 >> 63
}

impl Level for i64 {
    #[inline]
    fn is_absent(&self) -> bool {
        *self == 0
    }

    #[inline(always)]
    fn presence(&self) -> u64 {
        is_some(*self)
    }
}

/// Both sides of a book.
///
/// Which side a row of a feed is of is anybody's guess, so no code branches on it: both sides are
/// ladders of the same kind, picked by number, and asks stand under their mirrored price, in which
/// the lowest is the highest. The mirror turns every bit, which is its own way back and has no
/// overflow.
#[derive(Clone, Debug)]
pub struct Sides<L> {
    /// Asks, bids.
    ladders: [Ladder<L>; 2],
}

/// A price as the ladder of its side knows it, and the other way round.
#[inline(always)]
fn mirrored(is_bid: bool, price: i64) -> i64 {
    price ^ (i64::from(is_bid) - 1)
}

impl<L: Level> Sides<L> {
    /// Two empty sides whose neighbouring prices are `step` units apart.
    #[must_use]
    pub fn new(step: i64) -> Self {
        Sides { ladders: [Ladder::new(step), Ladder::new(step)] }
    }

    #[inline(always)]
    fn of(&self, is_bid: bool) -> &Ladder<L> {
        &self.ladders[usize::from(is_bid)]
    }

    #[inline(always)]
    fn of_mut(&mut self, is_bid: bool) -> &mut Ladder<L> {
        &mut self.ladders[usize::from(is_bid)]
    }

    /// Number of levels of a side.
    #[must_use]
    pub fn len(&self, is_bid: bool) -> usize {
        self.of(is_bid).len()
    }

    /// True if there is no level on either side.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ladders.iter().all(Ladder::is_empty)
    }

    /// Forgets all levels of both sides.
    pub fn clear(&mut self) {
        self.ladders.iter_mut().for_each(Ladder::clear);
    }

    /// What stands at a price; the default if nothing does.
    #[inline]
    #[must_use]
    pub fn get(&self, is_bid: bool, price: i64) -> L {
        self.of(is_bid).get(mirrored(is_bid, price))
    }

    /// Best price of a side, if any.
    #[inline]
    #[must_use]
    pub fn best_price(&self, is_bid: bool) -> Option<i64> {
        self.of(is_bid).best_price().map(|price| mirrored(is_bid, price))
    }

    /// Best price of a side and what stands there, if any.
    #[inline]
    #[must_use]
    pub fn best(&self, is_bid: bool) -> Option<(i64, L)> {
        self.of(is_bid).best().map(|(price, level)| (mirrored(is_bid, price), level))
    }

    /// Puts `level` at `price`; an absent one removes what stands there.
    #[inline]
    pub fn set(&mut self, is_bid: bool, price: i64, level: L) {
        self.of_mut(is_bid).set(mirrored(is_bid, price), level);
    }

    /// Changes what stands at `price` in place, and does nothing if nothing stands there.
    ///
    /// `change` must leave a present level present.
    #[inline]
    pub fn alter(&mut self, is_bid: bool, price: i64, change: impl FnOnce(&mut L)) {
        self.of_mut(is_bid).alter(mirrored(is_bid, price), change);
    }

    /// Puts at `price` what `next` makes of the level that stands there; false if the best price of
    /// the side is surely the one that it was.
    #[inline]
    pub fn replace(&mut self, is_bid: bool, price: i64, next: impl FnOnce(L) -> L) -> bool {
        self.of_mut(is_bid).replace(mirrored(is_bid, price), next)
    }

    /// The next level of a side behind `price`, if any.
    #[must_use]
    pub fn next_after(&self, is_bid: bool, price: i64) -> Option<(i64, L)> {
        let next = self.of(is_bid).next_after(mirrored(is_bid, price));
        next.map(|(price, level)| (mirrored(is_bid, price), level))
    }

    /// The levels of a side, best first.
    pub fn iter(&self, is_bid: bool) -> impl Iterator<Item = (i64, L)> + '_ {
        self.of(is_bid).iter().map(move |(price, level)| (mirrored(is_bid, price), level))
    }
}

/// The levels of one side, of which the highest is the best.
#[derive(Clone, Debug)]
struct Ladder<L> {
    /// Price of slot 0, a multiple of `step`.
    base: i64,
    /// Price units between neighbouring slots: the tick.
    step: i64,
    /// Inverse of the odd part of `step`, modulo 2^64, and how many twos the rest is.
    step_inverse: u64,
    step_twos: u32,
    slots: Box<[L; SLOTS]>,
    present: [u64; WORDS],
    /// Slot of the best level, or `NONE`.
    best: i64,
    outside: BTreeMap<i64, L>,
    /// True if a level of `outside` may lie between slots of the window.
    off_grid: bool,
}

impl<L: Level> Ladder<L> {
    /// In place of the best slot if there is none: behind every slot.
    const NONE: i64 = -1;

    /// An empty side whose neighbouring prices are `step` units apart.
    fn new(step: i64) -> Self {
        let step = step.clamp(1, STEP_MAX);
        let step_twos = step.trailing_zeros();
        Ladder {
            base: i64::MIN,
            step,
            step_inverse: inverse((step >> step_twos) as u64),
            step_twos,
            slots: boxed_slots(),
            present: [0; WORDS],
            best: Self::NONE,
            outside: BTreeMap::new(),
            off_grid: false,
        }
    }

    /// Number of levels.
    fn len(&self) -> usize {
        // Counted when asked: a running count would be paid for by every update.
        let inside: u32 = self.present.iter().map(|word| word.count_ones()).sum();
        inside as usize + self.outside.len()
    }

    /// True if there is no level.
    fn is_empty(&self) -> bool {
        self.best == Self::NONE // the best level always has a slot
    }

    /// Forgets all levels.
    fn clear(&mut self) {
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
    fn get(&self, price: i64) -> L {
        match self.slot(price) {
            Some(slot) => self.slots[slot],
            None => self.outside.get(&price).copied().unwrap_or_default(),
        }
    }

    /// Best price, if any.
    #[inline]
    fn best_price(&self) -> Option<i64> {
        (self.best != Self::NONE).then(|| self.base + self.best * self.step)
    }

    /// Best price and what stands there, if any.
    #[inline]
    fn best(&self) -> Option<(i64, L)> {
        (self.best != Self::NONE)
            .then(|| (self.base + self.best * self.step, self.slots[self.best as usize]))
    }

    /// Puts `level` at `price`; an absent one removes what stands there.
    #[inline]
    fn set(&mut self, price: i64, level: L) {
        match self.slot(price) {
            Some(slot) => {
                self.set_slot(slot, level);
            }
            None => self.set_outside(price, level),
        }
    }

    /// Changes what stands at `price` in place, and does nothing if nothing stands there.
    ///
    /// `change` must leave a present level present.
    #[inline]
    fn alter(&mut self, price: i64, change: impl FnOnce(&mut L)) {
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

    /// Puts at `price` what `next` makes of the level that stands there; false if the best price is
    /// surely the one that it was.
    #[inline]
    fn replace(&mut self, price: i64, next: impl FnOnce(L) -> L) -> bool {
        match self.slot(price) {
            Some(slot) => self.set_slot(slot, next(self.slots[slot])),
            None => {
                let old = self.outside.get(&price).copied().unwrap_or_default();
                self.set_outside(price, next(old));
                true
            }
        }
    }

    /// False if the best level is surely where it was.
    #[inline(always)]
    fn set_slot(&mut self, slot: usize, level: L) -> bool {
        let (word, bit) = (slot / 64, slot % 64);
        let is = level.presence();
        self.slots[slot] = level;
        // Whether a level comes or goes is anybody's guess, so there is no branch on it.
        self.present[word] = (self.present[word] & !(1 << bit)) | (is << bit);
        // Most changes at the best price leave it the best: one question finds those that may not,
        // a level ahead of the best, and an absent one at it.
        let concerns_best = slot as i64 + 1 - is as i64 > self.best;
        if concerns_best {
            self.touch(slot as i64, is == 1);
        }
        concerns_best
    }

    /// What follows for the best level from a change of it or ahead of it.
    #[inline]
    fn touch(&mut self, slot: i64, is_present: bool) {
        if is_present {
            self.best = slot;
            if slot < MARGIN || slot >= SLOTS as i64 - MARGIN {
                self.recenter();
            }
        } else if slot == self.best {
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
        let mut bits = self.present[word] & (u64::MAX >> (63 - from % 64));
        while bits == 0 {
            word = word.checked_sub(1)?;
            bits = self.present[word];
        }
        Some(word * 64 + 63 - bits.leading_zeros() as usize)
    }

    #[cold]
    fn set_outside(&mut self, price: i64, level: L) {
        if level.is_absent() {
            self.outside.remove(&price);
            return;
        }
        self.outside.insert(price, level);
        if self.best_price().is_none_or(|best| price > best) {
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
        let nearest = inside.last().map(|&(price, _)| price);
        let beyond = self.outside.last_key_value().map(|(&price, _)| price);
        let Some(best) = nearest.max(beyond) else { return };
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
        let mut levels = Vec::with_capacity(self.len());
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
        let wanted = last - ahead;
        // At the ends of the number range the window stops short.
        let below = wanted.min((best - i128::from(i64::MIN)) / step);
        let below = below.max(last - (i128::from(i64::MAX) - best) / step);
        (best - below * step) as i64
    }

    /// The levels, best first.
    fn iter(&self) -> impl Iterator<Item = (i64, L)> + '_ {
        Levels { side: self, next: self.best() }
    }

    /// The next level behind `price`, if any.
    fn next_after(&self, price: i64) -> Option<(i64, L)> {
        let inside = self.next_slot(price);
        if inside.is_some() && !self.off_grid {
            return inside;
        }
        let beyond = self.outside.range(..price).next_back();
        match (inside, beyond.map(|(&price, &level)| (price, level))) {
            (Some(a), Some(b)) => Some(if a.0 > b.0 { a } else { b }),
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
        let from = (distance - 1).div_euclid(step);
        if from < 0 {
            return None;
        }
        let slot = self.scan(from.min(SLOTS as i128 - 1) as usize)?;
        Some((self.price(slot), self.slots[slot]))
    }
}

/// Absent levels for a whole window; a length that the type knows needs no check at each access.
fn boxed_slots<L: Level>() -> Box<[L; SLOTS]> {
    let slots = vec![L::default(); SLOTS].into_boxed_slice();
    slots.try_into().unwrap_or_else(|_| unreachable!("the length is that of the type"))
}

/// The inverse of an odd number modulo 2^64: each round doubles the bits that are right.
fn inverse(odd: u64) -> u64 {
    (0..5).fold(odd.wrapping_mul(3) ^ 2, |x, _| {
        x.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(x)))
    })
}

struct Levels<'a, L> {
    side: &'a Ladder<L>,
    next: Option<(i64, L)>,
}

impl<L: Level> Iterator for Levels<'_, L> {
    type Item = (i64, L);

    fn next(&mut self) -> Option<(i64, L)> {
        let level = self.next?;
        self.next = self.side.next_after(level.0);
        Some(level)
    }
}
