//! What several indicators stand on: exact windows of integers, their moments, folds of floats.
//!
//! Sums of prices are integers at the finest scale seen. Where one does not fit its 128 bits (a
//! price of 2^59 units squared over 20 bars, 2^50 over 10,000), or a change of scale does not fit,
//! the window starts over or has no value: the figure is then not ready, never wrong.

use crate::units::pow10;

/// Largest integer below which every integer is a float.
const EXACT: i128 = 1 << 53;

/// `numerator / denominator` as the nearest float; the denominator is positive.
///
/// Correctly rounded while the denominator is below 2^64, so equal fractions give equal floats.
#[inline]
pub(super) fn ratio(numerator: i128, denominator: i128) -> f64 {
    if (-EXACT..=EXACT).contains(&numerator) && denominator <= EXACT {
        // Both sides are exact as floats, so this one division is the only rounding.
        return numerator as i64 as f64 / denominator as i64 as f64;
    }
    wide_ratio(numerator, denominator)
}

#[cold]
fn wide_ratio(numerator: i128, denominator: i128) -> f64 {
    let Ok(divisor) = u64::try_from(denominator) else {
        return numerator as f64 / denominator as f64;
    };
    if numerator == 0 {
        return 0.0;
    }
    let (magnitude, divisor) = (numerator.unsigned_abs(), u128::from(divisor));
    let shift = magnitude.leading_zeros();
    let shifted = magnitude << shift;
    // At least 64 bits of quotient; the lost remainder leaves its mark in the last of them, so
    // the conversion rounds once and rightly.
    let quotient = (shifted / divisor) | u128::from(shifted % divisor != 0);
    let scaled_down = quotient as f64 * f64::from_bits(u64::from(1023 - shift) << 52);
    if numerator < 0 {
        -scaled_down
    } else {
        scaled_down
    }
}

/// The last n integers and their exact sum.
#[derive(Debug)]
pub(super) struct Window {
    ring: Box<[i64]>,
    next: usize,
    is_full: bool,
    scale: u8,
    sum: i128,
    /// n × 10^scale: what the sum is divided by.
    divisor: i128,
}

impl Window {
    pub(super) fn new(n: usize) -> Self {
        let ring = vec![0; n].into_boxed_slice();
        Self { ring, next: 0, is_full: false, scale: 0, sum: 0, divisor: n as i128 }
    }

    pub(super) fn clear(&mut self) {
        (self.next, self.is_full, self.sum) = (0, false, 0);
    }

    /// Takes in a value and gives back what it displaced, 0 while the window fills.
    #[inline]
    pub(super) fn push(&mut self, value: i64) -> i64 {
        let old = if self.is_full { self.ring[self.next] } else { 0 };
        self.ring[self.next] = value;
        self.sum += i128::from(value) - i128::from(old);
        self.next += 1;
        if self.next == self.ring.len() {
            (self.next, self.is_full) = (0, true);
        }
        old
    }

    /// The mean in whole units of price, the nearest float; NaN until n values are in.
    #[inline]
    pub(super) fn mean(&self) -> f64 {
        if self.is_full {
            ratio(self.sum, self.divisor)
        } else {
            f64::NAN
        }
    }

    /// `value` at the window's scale; true if the contents changed to make that possible.
    #[inline]
    pub(super) fn align(&mut self, value: i64, scale: u8) -> (i64, bool) {
        if scale == self.scale {
            (value, false)
        } else {
            self.rescale(value, scale)
        }
    }

    #[cold]
    fn rescale(&mut self, value: i64, scale: u8) -> (i64, bool) {
        let factor = i64::try_from(pow10(scale.abs_diff(self.scale))).ok();
        if scale < self.scale {
            if let Some(finer) = factor.and_then(|f| value.checked_mul(f)) {
                return (finer, false);
            }
        }
        let kept: Option<Vec<i64>> = if scale > self.scale || self.len() == 0 {
            let finer = |v: &i64| factor.and_then(|f| v.checked_mul(f));
            self.in_order().map(finer).collect()
        } else {
            None
        };
        self.clear();
        self.scale = scale;
        self.divisor = self.ring.len() as i128 * pow10(scale);
        for v in kept.unwrap_or_default() {
            self.push(v);
        }
        (value, true)
    }

    fn len(&self) -> usize {
        if self.is_full {
            self.ring.len()
        } else {
            self.next
        }
    }

    fn in_order(&self) -> impl Iterator<Item = &i64> {
        let (newer, older) = self.ring.split_at(self.next);
        let older = if self.is_full { older } else { &[] };
        older.iter().chain(newer)
    }
}

/// A window with its exact sum of squares.
#[derive(Debug)]
pub(super) struct Moments {
    window: Window,
    squares: i128,
}

impl Moments {
    pub(super) fn new(n: usize) -> Self {
        Self { window: Window::new(n), squares: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.window.clear();
        self.squares = 0;
    }

    /// Takes in a price.
    #[inline]
    pub(super) fn push(&mut self, value: i64, scale: u8) {
        let (value, has_changed) = self.window.align(value, scale);
        if has_changed {
            self.squares = self.sum_squares().unwrap_or_else(|| {
                self.window.clear();
                0
            });
        }
        let old = i128::from(self.window.push(value));
        let new = i128::from(value);
        match self.squares.checked_add(new * new) {
            Some(squares) => self.squares = squares - old * old,
            None => self.clear(),
        }
    }

    fn sum_squares(&self) -> Option<i128> {
        let square = |v: &i64| i128::from(*v) * i128::from(*v);
        self.window.in_order().map(square).try_fold(0_i128, i128::checked_add)
    }

    /// The mean price, the nearest float; NaN until ready.
    #[inline]
    pub(super) fn mean(&self) -> f64 {
        self.window.mean()
    }

    /// n times the population deviation, in price units; NaN until ready.
    #[inline]
    pub(super) fn n_deviations(&self) -> f64 {
        if !self.window.is_full {
            return f64::NAN;
        }
        // n² variance = n Σx² − (Σx)², an exact integer: no cancellation.
        let n = self.window.ring.len() as i128;
        let sum = self.window.sum;
        let scaled = self.squares.checked_mul(n).zip(sum.checked_mul(sum));
        scaled.map_or(f64::NAN, |(a, b)| narrow(a - b).sqrt())
    }

    /// The population deviation as a price.
    #[inline]
    pub(super) fn deviation(&self) -> f64 {
        self.n_deviations() / narrow(self.window.divisor)
    }

    /// n times the distance of a price from the mean, in price units.
    #[inline]
    pub(super) fn n_distance(&self, value: i64, scale: u8) -> f64 {
        let finer = i128::from(value) * pow10(self.window.scale - scale);
        narrow(finer * self.window.ring.len() as i128 - self.window.sum)
    }
}

/// An `i128` as a float, cheaply where it is small.
#[inline]
fn narrow(value: i128) -> f64 {
    i64::try_from(value).map_or_else(|_| value as f64, |small| small as f64)
}

/// The mean of the first n prices, exact: where an exponential average starts.
#[derive(Debug)]
pub(super) struct Seed {
    n: usize,
    count: usize,
    scale: u8,
    sum: i128,
}

impl Seed {
    pub(super) fn new(n: usize) -> Self {
        Self { n, count: 0, scale: 0, sum: 0 }
    }

    pub(super) fn clear(&mut self) {
        (self.count, self.sum) = (0, 0);
    }

    /// Takes in a price; gives the mean when it is the n-th.
    pub(super) fn push(&mut self, value: i64, scale: u8) -> Option<f64> {
        let finest = scale.max(self.scale);
        let (grown, aligned) = (pow10(finest - self.scale), pow10(finest - scale));
        let sum = self.sum.checked_mul(grown).zip(i128::from(value).checked_mul(aligned));
        self.scale = finest;
        match sum.and_then(|(sum, value)| sum.checked_add(value)) {
            Some(sum) => (self.sum, self.count) = (sum, self.count + 1),
            None => self.clear(),
        }
        (self.count == self.n).then(|| ratio(self.sum, self.n as i128 * pow10(finest)))
    }
}

/// The last n floats folded with an associative function, in constant amortised time.
///
/// The ring is filled in blocks of n. When a block ends it is folded from the right, so the fold
/// of the window is always (tail of the last block) with (head of this one): nothing is ever
/// subtracted, so a sum does not drift.
#[derive(Debug)]
pub(super) struct Fold {
    /// Left of `next`: this block's values. From it on: the last block's right folds.
    ring: Box<[f64]>,
    next: usize,
    has_block: bool,
    head: f64,
    combine: fn(f64, f64) -> f64,
}

impl Fold {
    pub(super) fn new(n: usize, combine: fn(f64, f64) -> f64) -> Self {
        let ring = vec![0.0; n].into_boxed_slice();
        Self { ring, next: 0, has_block: false, head: 0.0, combine }
    }

    pub(super) fn clear(&mut self) {
        (self.next, self.has_block) = (0, false);
    }

    /// Takes in a value and gives the fold of the last n; `None` until n are in.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        self.head = if self.next == 0 { value } else { (self.combine)(self.head, value) };
        self.ring[self.next] = value;
        self.next += 1;
        if let Some(&tail) = self.ring.get(self.next) {
            return self.has_block.then(|| (self.combine)(tail, self.head));
        }
        for i in (0..self.ring.len() - 1).rev() {
            self.ring[i] = (self.combine)(self.ring[i], self.ring[i + 1]);
        }
        (self.next, self.has_block) = (0, true);
        Some(self.head)
    }
}
