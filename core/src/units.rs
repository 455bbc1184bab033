//! Scaled integers: the only numbers that prices, quantities and money are made of.
//!
//! A value is an integer and a *scale*, the number of decimals it carries: 12345 at scale 2 is
//! 123.45. Prices and quantities are `i64` at their instrument's scale, amounts of an asset are
//! `i128` at the asset's scale, costs and unrealised profit are `i128` at [`COST_SCALE`], rates
//! are `i64` at [`RATE_SCALE`]. Nothing wraps and nothing saturates: what does not fit is an error.

use std::fmt;

/// Decimals of a position's cost and of unrealised profit: guard digits beyond any asset's own.
pub const COST_SCALE: u8 = 18;
/// Decimals of fee, funding, interest and margin rates.
pub const RATE_SCALE: u8 = 18;
/// Decimals of mark, index and settlement prices, which are finer than the instrument's tick.
pub const MARK_SCALE: u8 = 8;
/// Nanoseconds in a second.
pub const NS_PER_S: i64 = 1_000_000_000;

/// A value that does not fit its integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number is too large for its scaled integer")
    }
}

impl std::error::Error for Overflow {}

/// What happens to the part of a quotient that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Cut: toward zero. Everything that is posted to a ledger (rule A1).
    TowardZero,
    /// Away from zero. Interest, order locks.
    AwayFromZero,
    /// Toward minus infinity.
    Down,
    /// Toward plus infinity.
    Up,
    /// To the nearest, a tie to the even neighbour. Shown averages.
    HalfEven,
}

/// Powers of ten that an `i128` holds.
#[rustfmt::skip]
const POW10: [i128; 39] = {
    let mut table = [1_i128; 39];
    let mut i = 1;
    while i < 39 { table[i] = table[i - 1] * 10; i += 1; }
    table
};

/// 10 to the power of `n`; `n` at most 38.
#[inline]
#[must_use]
pub const fn pow10(n: u8) -> i128 {
    POW10[n as usize]
}

/// `numerator / denominator` under `rounding`; the denominator is not zero.
///
/// # Errors
///
/// [`Overflow`] if the denominator is zero or the quotient does not fit.
#[inline]
pub fn div_round(numerator: i128, denominator: i128, rounding: Rounding) -> Result<i128, Overflow> {
    let quotient = numerator.checked_div(denominator).ok_or(Overflow)?;
    let remainder = numerator - quotient * denominator;
    if remainder == 0 {
        return Ok(quotient);
    }
    let away = if (remainder < 0) == (denominator < 0) { 1 } else { -1 };
    let adjust = match rounding {
        Rounding::TowardZero => 0,
        Rounding::AwayFromZero => away,
        Rounding::Down => away.min(0),
        Rounding::Up => away.max(0),
        Rounding::HalfEven => {
            let (r, d) = (remainder.unsigned_abs(), denominator.unsigned_abs());
            match r.cmp(&(d - r)) {
                std::cmp::Ordering::Less => 0,
                std::cmp::Ordering::Greater => away,
                std::cmp::Ordering::Equal => away * (quotient & 1),
            }
        }
    };
    quotient.checked_add(adjust).ok_or(Overflow)
}

/// `a * b / c` with the product formed exactly, in 256 bits where it must be (rule A4).
///
/// # Errors
///
/// [`Overflow`] if `c` is zero or the result does not fit an `i128`.
#[inline]
pub fn mul_div(a: i128, b: i128, c: i128, rounding: Rounding) -> Result<i128, Overflow> {
    if let Some(product) = a.checked_mul(b) {
        return div_round(product, c, rounding);
    }
    wide_mul_div(a, b, c, rounding)
}

#[cold]
fn wide_mul_div(a: i128, b: i128, c: i128, rounding: Rounding) -> Result<i128, Overflow> {
    if c == 0 {
        return Err(Overflow);
    }
    let negative = (a < 0) ^ (b < 0) ^ (c < 0);
    let (hi, lo) = widening_mul(a.unsigned_abs(), b.unsigned_abs());
    let divisor = c.unsigned_abs();
    if hi >= divisor {
        return Err(Overflow);
    }
    // Long division, one bit at a time: `hi < divisor`, so the quotient fits 128 bits.
    let (mut remainder, mut quotient) = (hi, 0_u128);
    for bit in (0..128).rev() {
        let carry = remainder >> 127;
        remainder = (remainder << 1) | ((lo >> bit) & 1);
        quotient <<= 1;
        if carry == 1 || remainder >= divisor {
            remainder = remainder.wrapping_sub(divisor);
            quotient |= 1;
        }
    }
    let bump = remainder != 0
        && match rounding {
            Rounding::TowardZero => false,
            Rounding::AwayFromZero => true,
            Rounding::Down => negative,
            Rounding::Up => !negative,
            Rounding::HalfEven => match remainder.cmp(&(divisor - remainder)) {
                std::cmp::Ordering::Less => false,
                std::cmp::Ordering::Greater => true,
                std::cmp::Ordering::Equal => quotient & 1 == 1,
            },
        };
    let magnitude = quotient.checked_add(u128::from(bump)).ok_or(Overflow)?;
    let value = i128::try_from(magnitude).map_err(|_| Overflow)?;
    Ok(if negative { -value } else { value })
}

fn widening_mul(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let (low, mid1, mid2, high) = (a0 * b0, a0 * b1, a1 * b0, a1 * b1);
    let mid = (low >> 64) + (mid1 & LOW) + (mid2 & LOW);
    let hi = high + (mid1 >> 64) + (mid2 >> 64) + (mid >> 64);
    (hi, (mid << 64) | (low & LOW))
}

/// `value` moved from one scale to another; digits that are lost are rounded.
///
/// # Errors
///
/// [`Overflow`] if the result does not fit.
#[inline]
pub fn rescale(value: i128, from: u8, to: u8, rounding: Rounding) -> Result<i128, Overflow> {
    if to >= from {
        value.checked_mul(pow10(to - from)).ok_or(Overflow)
    } else {
        div_round(value, pow10(from - to), rounding)
    }
}

/// Why a text is not a decimal number at a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadDecimal {
    /// Not digits with at most one point and a sign.
    Malformed,
    /// More decimals than the scale holds, and they are not zeros.
    TooFine,
    /// Too many digits for the integer.
    TooLarge,
}

/// The scaled integer that a plain decimal text (`-12.50`) stands for; no exponent.
///
/// # Errors
///
/// [`BadDecimal`] says why not.
pub fn parse_decimal(text: &str, scale: u8) -> Result<i128, BadDecimal> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let (mut value, mut decimals, mut seen_point, mut any) = (0_i128, 0_u8, false, false);
    for &byte in digits {
        match byte {
            b'.' if !seen_point => seen_point = true,
            b'0'..=b'9' => {
                any = true;
                if seen_point && decimals == scale {
                    if byte != b'0' {
                        return Err(BadDecimal::TooFine);
                    }
                    continue;
                }
                decimals += u8::from(seen_point);
                value = value
                    .checked_mul(10)
                    .and_then(|v| v.checked_add(i128::from(byte - b'0')))
                    .ok_or(BadDecimal::TooLarge)?;
            }
            _ => return Err(BadDecimal::Malformed),
        }
    }
    if !any {
        return Err(BadDecimal::Malformed);
    }
    let value = value.checked_mul(pow10(scale - decimals)).ok_or(BadDecimal::TooLarge)?;
    Ok(if negative { -value } else { value })
}

/// A scaled integer as plain decimal text, without trailing zeros after the point.
#[must_use]
pub fn format_decimal(value: i128, scale: u8) -> String {
    let magnitude = value.unsigned_abs();
    let unit = pow10(scale).unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    let (whole, part) = (magnitude / unit, magnitude % unit);
    if part == 0 {
        return format!("{sign}{whole}");
    }
    let decimals = format!("{part:0width$}", width = scale as usize);
    format!("{sign}{whole}.{}", decimals.trim_end_matches('0'))
}

/// The float nearest to a scaled integer; for statistics and signals only.
#[inline]
#[must_use]
pub fn to_f64(value: i128, scale: u8) -> f64 {
    // One correctly rounded division while both sides are exact, which holds for every price.
    value as f64 / POW10_F64[scale as usize]
}

/// As [`to_f64`], for prices and quantities: one instruction cheaper by far.
#[inline]
#[must_use]
pub fn small_to_f64(value: i64, scale: u8) -> f64 {
    value as f64 / POW10_F64[scale as usize]
}

/// Powers of ten as floats; exact up to 10^22.
#[rustfmt::skip]
pub const POW10_F64: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_text_goes_there_and_back() {
        for (text, scale, value) in
            [("0", 2, 0), ("-1.5", 3, -1500), ("12.340", 2, 1234), (".5", 1, 5)]
        {
            assert_eq!(parse_decimal(text, scale), Ok(value));
        }
        assert_eq!(format_decimal(-1500, 3), "-1.5");
        assert_eq!(format_decimal(-5, 3), "-0.005");
        assert_eq!(parse_decimal("1.234", 2), Err(BadDecimal::TooFine));
        assert_eq!(parse_decimal("1e5", 2), Err(BadDecimal::Malformed));
        assert_eq!(parse_decimal("", 2), Err(BadDecimal::Malformed));
    }

    #[test]
    fn every_rounding_of_plus_and_minus_five_halves() {
        use Rounding::*;
        for (rounding, plus, minus) in [
            (TowardZero, 2, -2),
            (AwayFromZero, 3, -3),
            (Down, 2, -3),
            (Up, 3, -2),
            (HalfEven, 2, -2),
        ] {
            assert_eq!(div_round(5, 2, rounding), Ok(plus));
            assert_eq!(div_round(-5, 2, rounding), Ok(minus));
            assert_eq!(wide_mul_div(5, 1, 2, rounding), Ok(plus));
            assert_eq!(wide_mul_div(5, 1, -2, rounding), Ok(minus));
        }
    }

    #[test]
    fn a_product_wider_than_128_bits_is_divided_exactly() {
        let big = i128::MAX / 3;
        assert_eq!(mul_div(big, 7, 7, Rounding::TowardZero), Ok(big));
        assert_eq!(mul_div(big, -700, 700, Rounding::HalfEven), Ok(-big));
        assert_eq!(mul_div(i128::MAX, 2, 1, Rounding::TowardZero), Err(Overflow));
        assert_eq!(mul_div(1, 1, 0, Rounding::TowardZero), Err(Overflow));
    }
}
