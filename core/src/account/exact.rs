//! Fractions finer than the cost scale: quotients that are summed or compared before they are cut.
//!
//! Decisions compare exact values (rule A29), and a shown sum is cut once (rule A1). A margin is a
//! quotient, so it is carried here with 36 decimals: the first 18 exactly floored, the rest cut.

use crate::units::{mul_div, pow10, Overflow, Rounding};
use std::cmp::Ordering;

const ONE: i128 = pow10(18);
/// Sums of fewer terms than this are exact: see [`Fine::settled`].
const TERMS_MAX: i128 = 1 << 16;

/// A value that is not negative: whole units of 10^-18, and the part below in units of 10^-36.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fine {
    whole: i128,
    part: i128,
}

impl Fine {
    /// `a × b ÷ c` in units of 10^-18; `a`, `b` not negative and `c` positive.
    pub(crate) fn ratio(a: i128, b: i128, c: i128) -> Result<Fine, Overflow> {
        let whole = mul_div(a, b, c, Rounding::TowardZero)?;
        // The true remainder lies in 0..c, so arithmetic modulo 2^128 gives it exactly.
        let remainder = a.wrapping_mul(b).wrapping_sub(whole.wrapping_mul(c));
        Ok(Fine { whole, part: mul_div(remainder, ONE, c, Rounding::TowardZero)? })
    }

    /// The sum of both.
    pub(crate) fn plus(self, other: Fine) -> Result<Fine, Overflow> {
        let part = self.part + other.part;
        let whole = self.whole.checked_add(other.whole).ok_or(Overflow)?;
        Ok(Fine { whole: whole.checked_add(part / ONE).ok_or(Overflow)?, part: part % ONE })
    }

    /// Less a whole number of units of 10^-18.
    pub(crate) fn minus(self, units: i128) -> Result<Fine, Overflow> {
        Ok(Fine { whole: self.whole.checked_sub(units).ok_or(Overflow)?, part: self.part })
    }

    /// Each term of a sum is short by less than 10^-36, so a sum that is short of a whole unit
    /// by no more than its terms is that whole unit: thirds add up to one.
    fn settled(self) -> Fine {
        if self.part > ONE - TERMS_MAX {
            Fine { whole: self.whole + 1, part: 0 }
        } else {
            self
        }
    }

    /// The largest multiple of 10^-18 that is not above it.
    pub(crate) fn floor(self) -> i128 {
        self.settled().whole
    }

    /// The smallest multiple of 10^-18 that is not below it.
    pub(crate) fn ceil(self) -> i128 {
        let settled = self.settled();
        settled.whole + i128::from(settled.part > 0)
    }
}

/// Compares `a × b` with `c × d` exactly; all four not negative.
pub(crate) fn compare_products(a: i128, b: i128, c: i128, d: i128) -> Ordering {
    product(a, b).cmp(&product(c, d))
}

fn product(a: i128, b: i128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a, b) = (a.unsigned_abs(), b.unsigned_abs());
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let (low, mid1, mid2) = (a0 * b0, a0 * b1, a1 * b0);
    let mid = (low >> 64) + (mid1 & LOW) + (mid2 & LOW);
    (a1 * b1 + (mid1 >> 64) + (mid2 >> 64) + (mid >> 64), (mid << 64) | (low & LOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_thirds_are_one() {
        let third = Fine::ratio(ONE, 1, 3).unwrap();
        assert_eq!((third.floor(), third.ceil()), (ONE / 3, ONE / 3 + 1));
        let sum = third.plus(third).unwrap().plus(third).unwrap();
        assert_eq!((sum.floor(), sum.ceil()), (ONE, ONE));
    }

    #[test]
    fn products_beyond_128_bits_compare() {
        let big = i128::MAX;
        assert_eq!(compare_products(big, big, big, big - 1), Ordering::Greater);
        assert_eq!(compare_products(big - 1, big, big, big - 1), Ordering::Equal);
        assert_eq!(compare_products(3, 5, 4, 4), Ordering::Less);
    }
}
