//! Numbers of a frame as scaled integers, straight from their digits.
//!
//! The hot form is a short decimal in quotes (`"61837.63000000"`), read eight digits at a time.
//! Whatever does not have that form is read digit by digit, with the same result or an error.

use veloz_core::book::PriceLevel;

use super::json::{first_non_digit, load8, DecodeError, Problem, Scanner, Type, Value};
use super::json::{NOT_DIGITS, TOPS, ZEROS};

/// A number of decimals, prepared for reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    decimals: u8,
    unit: i64,
    /// At most eight decimals.
    is_short: bool,
    /// The bytes of eight decimals that the scale does not hold.
    dropped: u64,
    /// Moves the kept decimals to the top of a word.
    shift: u32,
    /// Bits of a word that the kept decimals leave for digits before the point.
    free: u32,
}

impl Scale {
    /// Most decimals that a scale of this kind holds.
    pub const MAX: u8 = 18;

    /// A scale of `decimals` decimals, at most [`MAX`](Self::MAX).
    #[must_use]
    pub fn new(decimals: u8) -> Self {
        let decimals = decimals.min(Self::MAX);
        let eight = u32::from(decimals.min(8));
        Scale {
            decimals,
            unit: 10_i64.pow(u32::from(decimals)),
            is_short: decimals <= 8,
            dropped: if eight == 8 { 0 } else { u64::MAX << (8 * eight) },
            shift: 8 * (8 - eight.max(1)),
            free: 8 * (8 - eight),
        }
    }

    /// How many decimals it holds.
    #[must_use]
    pub fn decimals(&self) -> u8 {
        self.decimals
    }
}

/// Eight digits, the first in the lowest byte, as a number.
#[inline(always)]
fn eight_digits(x: u64) -> i64 {
    let x = x.wrapping_mul(2561) >> 8;
    let x = (x & 0x00FF_00FF_00FF_00FF).wrapping_mul(6_553_601) >> 16;
    ((x & 0x0000_FFFF_0000_FFFF).wrapping_mul(42_949_672_960_001) >> 32) as i64
}

/// A decimal whose first digit stands at `at`, and where its closing quote ends; `None` if it has
/// not the usual form.
///
/// Where the next number starts depends on how long this one is. Each length has code of its own,
/// so that the processor may guess the length and read on instead of waiting for it.
#[inline(always)]
fn quick_decimal(bytes: &[u8], at: usize, scale: &Scale) -> Option<(i64, usize)> {
    let word = load8(bytes, at)?;
    match first_non_digit(word ^ ZEROS) {
        1 => behind_digits::<1>(bytes, at, word, scale),
        2 => behind_digits::<2>(bytes, at, word, scale),
        3 => behind_digits::<3>(bytes, at, word, scale),
        4 => behind_digits::<4>(bytes, at, word, scale),
        5 => behind_digits::<5>(bytes, at, word, scale),
        6 => behind_digits::<6>(bytes, at, word, scale),
        7 => behind_digits::<7>(bytes, at, word, scale),
        _ => None,
    }
}

/// The rest of a decimal with `N` digits before its point.
#[inline(always)]
fn behind_digits<const N: usize>(
    bytes: &[u8],
    at: usize,
    word: u64,
    scale: &Scale,
) -> Option<(i64, usize)> {
    if !scale.is_short {
        return None;
    }
    let x_whole = word ^ ZEROS;
    let behind = at + N + 1;
    match (word >> (8 * N)) as u8 {
        b'"' => Some((eight_digits(x_whole << (64 - 8 * N)) * scale.unit, behind)),
        b'.' => {
            let x = load8(bytes, behind)? ^ ZEROS;
            let (part, end) = match first_non_digit(x) {
                8 => (x, behind + 8),
                1 => (x & 0xFF, behind + 1),
                2 => (x & 0xFFFF, behind + 2),
                3 => (x & 0xFF_FFFF, behind + 3),
                0 => return None,
                decimals => (x & ((1 << (8 * decimals)) - 1), behind + decimals as usize),
            };
            if part & scale.dropped != 0 || *bytes.get(end)? != b'"' {
                return None;
            }
            Some((joined::<N>(x_whole, part, scale), end + 1))
        }
        _ => None,
    }
}

/// The scaled integer that `digits` stand for; `field` and `offset` are named in errors.
///
/// # Errors
///
/// If it is no plain decimal, too fine for the scale, or too large.
pub fn decimal(
    digits: &[u8],
    scale: &Scale,
    field: &'static str,
    offset: usize,
) -> Result<i64, DecodeError> {
    let fail = |at: usize, problem| DecodeError { field, offset: offset + at, problem };
    let is_negative = digits.first() == Some(&b'-');
    let (mut value, mut decimals, mut seen_point, mut any) = (0_i64, 0_u8, false, false);
    for (at, &byte) in digits.iter().enumerate().skip(usize::from(is_negative)) {
        match byte {
            b'.' if !seen_point && any => seen_point = true,
            b'0'..=b'9' => {
                any = true;
                if decimals == scale.decimals && seen_point {
                    if byte != b'0' {
                        return Err(fail(at, Problem::TooFine));
                    }
                    continue;
                }
                decimals += u8::from(seen_point);
                value = value
                    .checked_mul(10)
                    .and_then(|value| value.checked_add(i64::from(byte - b'0')))
                    .ok_or(fail(at, Problem::TooLarge))?;
            }
            _ => return Err(fail(at, Problem::WrongType("a decimal number"))),
        }
    }
    if !any {
        return Err(fail(0, Problem::WrongType("a decimal number")));
    }
    let value = value
        .checked_mul(10_i64.pow(u32::from(scale.decimals - decimals)))
        .ok_or(fail(0, Problem::TooLarge))?;
    Ok(if is_negative { -value } else { value })
}

/// A quoted decimal at least zero.
///
/// # Errors
///
/// If it is something else.
#[inline]
pub fn quoted(
    bytes: &[u8],
    value: Value,
    scale: &Scale,
    field: &'static str,
) -> Result<i64, DecodeError> {
    let offset = value.start as usize;
    if value.kind != Type::String {
        let problem = Problem::WrongType("a decimal number in quotes");
        return Err(DecodeError { field, offset, problem });
    }
    if let Some((number, end)) = quick_decimal(bytes, offset, scale) {
        if end == value.end as usize + 1 {
            return Ok(number);
        }
    }
    let number = decimal(value.of(bytes), scale, field, offset)?;
    if number < 0 {
        return Err(DecodeError { field, offset, problem: Problem::Negative });
    }
    Ok(number)
}

/// A whole number at least zero, without quotes.
///
/// # Errors
///
/// If it is something else.
#[inline]
pub fn whole(bytes: &[u8], value: Value, field: &'static str) -> Result<u64, DecodeError> {
    let offset = value.start as usize;
    let fail = |problem| DecodeError { field, offset, problem };
    if value.kind != Type::Number {
        return Err(fail(Problem::WrongType("a whole number")));
    }
    if let Some(number) = quick_whole(bytes, value) {
        return Ok(number);
    }
    value.of(bytes).iter().try_fold(0_u64, |number, byte| match byte {
        b'0'..=b'9' => number
            .checked_mul(10)
            .and_then(|number| number.checked_add(u64::from(byte - b'0')))
            .ok_or(fail(Problem::TooLarge)),
        _ => Err(fail(Problem::WrongType("a whole number"))),
    })
}

const TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// A whole number of eight to sixteen digits; `None` if it is another, or near the frame's end.
#[inline(always)]
fn quick_whole(bytes: &[u8], value: Value) -> Option<u64> {
    let behind = value.end.checked_sub(value.start)?.checked_sub(8)?;
    let head = load8(bytes, value.start as usize)? ^ ZEROS;
    // The last eight bytes, of which the first ones may be those of the head.
    let tail = load8(bytes, value.end as usize - 8)? ^ ZEROS;
    let wrong = (head.wrapping_add(NOT_DIGITS) | head) | (tail.wrapping_add(NOT_DIGITS) | tail);
    if behind > 8 || wrong & TOPS != 0 {
        return None;
    }
    let power = TENS[behind as usize];
    let tail = eight_digits(tail) as u64 % power;
    Some((eight_digits(head) as u64).wrapping_mul(power).wrapping_add(tail))
}

/// A stamp in nanoseconds from one in milliseconds or, above 10^14, microseconds.
///
/// # Errors
///
/// If it is no whole number or lies beyond the year 2262.
#[inline]
pub fn stamp(bytes: &[u8], value: Value, field: &'static str) -> Result<i64, DecodeError> {
    /// The year 5138 in milliseconds and 1973 in microseconds.
    const MICROSECONDS_FROM: u64 = 100_000_000_000_000;
    let number = whole(bytes, value, field)?;
    let unit = if number < MICROSECONDS_FROM { 1_000_000 } else { 1_000 };
    number.checked_mul(unit).and_then(|ns| i64::try_from(ns).ok()).ok_or(DecodeError {
        field,
        offset: value.start as usize,
        problem: Problem::TooLarge,
    })
}

/// A list of `["price","qty"]` pairs, appended to `out`; further elements of a pair are passed
/// over.
///
/// # Errors
///
/// If it is something else.
#[inline]
pub fn levels(
    scan: &mut Scanner<'_>,
    (price_scale, qty_scale): (&Scale, &Scale),
    field: &'static str,
    out: &mut Vec<PriceLevel>,
) -> Result<(), DecodeError> {
    if scan.peek() != Some(b'[') {
        let problem = Problem::WrongType("a list of [price, quantity] pairs");
        return Err(DecodeError { field, offset: scan.at, problem });
    }
    scan.at += 1;
    if scan.eat(b']') {
        return Ok(());
    }
    // Eight decimals are all that a short scale can hold.
    let is_short = price_scale.is_short && qty_scale.is_short;
    loop {
        let usual = match is_short {
            true => usual_level(scan.bytes, scan.at, price_scale, qty_scale),
            false => None,
        };
        let level = match usual {
            Some((level, end)) => {
                scan.at = end;
                level
            }
            None => unusual_level(scan, price_scale, qty_scale, field)?,
        };
        out.push(level);
        match scan.bytes.get(scan.at) {
            Some(b',') => scan.at += 1,
            Some(b']') => {
                scan.at += 1;
                return Ok(());
            }
            _ => {
                if !scan.more(b']', field)? {
                    return Ok(());
                }
            }
        }
    }
}

/// Bytes of a usual level with nine digits before its points, the least that must follow.
///
/// The last level of a frame has as many with six such digits, because three brackets close it.
const USUAL: usize = 34;

/// A level as spot writes it, both numbers with eight decimals; `None` if it looks different.
///
/// With the number of decimals given, everything stands at a fixed distance from the digits before
/// the point, so that one check of the length does for a whole level.
#[inline(always)]
fn usual_level(bytes: &[u8], at: usize, price: &Scale, qty: &Scale) -> Option<(PriceLevel, usize)> {
    let text: &[u8; USUAL] = bytes.get(at..)?.first_chunk()?;
    let word = load8(text, 2)?;
    let (level, length) = match first_non_digit(word ^ ZEROS) {
        1 => behind_price::<1>(text, word, price, qty)?,
        2 => behind_price::<2>(text, word, price, qty)?,
        3 => behind_price::<3>(text, word, price, qty)?,
        4 => behind_price::<4>(text, word, price, qty)?,
        5 => behind_price::<5>(text, word, price, qty)?,
        6 => behind_price::<6>(text, word, price, qty)?,
        _ => return None,
    };
    Some((level, at.wrapping_add(length)))
}

/// The rest of a level whose price has `N` digits before the point, and the length of it all.
#[inline(always)]
fn behind_price<const N: usize>(
    text: &[u8; USUAL],
    word: u64,
    price: &Scale,
    qty: &Scale,
) -> Option<(PriceLevel, usize)> {
    const BETWEEN: u32 = u32::from_le_bytes(*b"\",\"\0");
    let between = u32::from_le_bytes(text.get(N + 11..N + 15)?.try_into().ok()?);
    if text[..2] != *b"[\"" || between & 0xFF_FFFF != BETWEEN {
        return None;
    }
    let price = eight_decimals::<N>(word, load8(text, N + 3)?, price)?;
    let word = load8(text, N + 14)?;
    match first_non_digit(word ^ ZEROS) {
        1 => behind_qty::<N, 1>(text, word, price, qty),
        2 => behind_qty::<N, 2>(text, word, price, qty),
        3 => behind_qty::<N, 3>(text, word, price, qty),
        4 => behind_qty::<N, 4>(text, word, price, qty),
        5 => behind_qty::<N, 5>(text, word, price, qty),
        6 => behind_qty::<N, 6>(text, word, price, qty),
        _ => None,
    }
}

/// The rest of a level with `N` and `M` digits before its points, and the length of it all.
#[inline(always)]
fn behind_qty<const N: usize, const M: usize>(
    text: &[u8; USUAL],
    word: u64,
    price: i64,
    qty: &Scale,
) -> Option<(PriceLevel, usize)> {
    let length = N + M + 25;
    if text.get(length - 2..length)? != b"\"]" {
        return None;
    }
    let qty = eight_decimals::<M>(word, load8(text, N + M + 15)?, qty)?;
    Some((PriceLevel { price, qty }, length))
}

/// A number whose first eight bytes are `word`, with `N` digits before a point; behind that are the
/// eight decimals of `part`.
#[inline(always)]
fn eight_decimals<const N: usize>(word: u64, part: u64, scale: &Scale) -> Option<i64> {
    let part = part ^ ZEROS;
    let wrong = ((part.wrapping_add(NOT_DIGITS) | part) & TOPS) | (part & scale.dropped);
    if (word >> (8 * N)) as u8 != b'.' || wrong != 0 {
        return None;
    }
    Some(joined::<N>(word ^ ZEROS, part, scale))
}

/// The number of `N` digits in the low bytes of `whole` and the decimals in those of `part`.
#[inline(always)]
fn joined<const N: usize>(whole: u64, part: u64, scale: &Scale) -> i64 {
    if 8 * N as u32 <= scale.free {
        // Digits before and behind the point fit one word: read them as one number.
        let both = (whole & ((1 << (8 * N)) - 1)) | (part << (8 * N));
        eight_digits(both << (scale.free.wrapping_sub(8 * N as u32) & 63))
    } else {
        // Seven digits and eight decimals at most: far from the bounds of an integer.
        let whole = eight_digits(whole << (64 - 8 * N));
        whole.wrapping_mul(scale.unit).wrapping_add(eight_digits(part << (scale.shift & 63)))
    }
}

#[inline(always)]
fn quick_level(bytes: &[u8], at: usize, price: &Scale, qty: &Scale) -> Option<(PriceLevel, usize)> {
    if *bytes.get(at..at + 2)? != *b"[\"" {
        return None;
    }
    let (price, end) = quick_decimal(bytes, at + 2, price)?;
    if *bytes.get(end..end + 2)? != *b",\"" {
        return None;
    }
    let (qty, end) = quick_decimal(bytes, end + 2, qty)?;
    (*bytes.get(end)? == b']').then_some((PriceLevel { price, qty }, end + 1))
}

#[inline(never)]
fn unusual_level(
    scan: &mut Scanner<'_>,
    price: &Scale,
    qty: &Scale,
    field: &'static str,
) -> Result<PriceLevel, DecodeError> {
    match quick_level(scan.bytes, scan.at, price, qty) {
        Some((level, end)) => {
            scan.at = end;
            Ok(level)
        }
        None => slow_level(scan, price, qty, field),
    }
}

#[cold]
fn slow_level(
    scan: &mut Scanner<'_>,
    price: &Scale,
    qty: &Scale,
    field: &'static str,
) -> Result<PriceLevel, DecodeError> {
    scan.expect(b'[', field, "a [price, quantity] pair")?;
    let at = scan.value(field)?;
    let price = quoted(scan.bytes, at, price, field)?;
    if scan.peek() == Some(b']') {
        let problem = Problem::WrongType("a quantity behind the price");
        return Err(DecodeError { field, offset: scan.at, problem });
    }
    scan.expect(b',', field, "a comma")?;
    let at = scan.value(field)?;
    let qty = quoted(scan.bytes, at, qty, field)?;
    while scan.more(b']', field)? {
        scan.value(field)?;
    }
    Ok(PriceLevel { price, qty })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str, decimals: u8) -> Result<i64, Problem> {
        // Padded, so that the quick form is taken near the end too.
        let frame = format!("\"{text}\"        ");
        let value = Value { kind: Type::String, start: 1, end: text.len() as u32 + 1 };
        quoted(frame.as_bytes(), value, &Scale::new(decimals), "p").map_err(|error| error.problem)
    }

    #[test]
    fn decimals_of_every_form() {
        assert_eq!(read("61837.63000000", 2), Ok(6_183_763));
        assert_eq!(read("61837.63000000", 8), Ok(6_183_763_000_000));
        assert_eq!(read("0.00006547", 8), Ok(6_547));
        assert_eq!(read("15", 0), Ok(15));
        assert_eq!(read("15.000", 0), Ok(15));
        assert_eq!(read("15.5", 3), Ok(15_500));
        assert_eq!(read("123456789012.5", 3), Ok(123_456_789_012_500));
        assert_eq!(read("0.000000000000000001", 18), Ok(1));
        assert_eq!(read("15.5", 0), Err(Problem::TooFine));
        assert_eq!(read("1.123", 2), Err(Problem::TooFine));
        assert_eq!(read("99999999999999999999", 2), Err(Problem::TooLarge));
        assert_eq!(read("-1.5", 2), Err(Problem::Negative));
        for text in ["", ".", "-", "1.2.3", "1e5", "0x10", " 1", "1,5", "NaN", ".5"] {
            assert_eq!(read(text, 2), Err(Problem::WrongType("a decimal number")), "{text:?}");
        }
        assert_eq!(read("5.", 2), Ok(500));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

        #[test]
        fn both_ways_of_reading_agree(text in "[0-9]{1,9}(\\.[0-9]{1,9})?", decimals in 0_u8..11) {
            let slow = decimal(text.as_bytes(), &Scale::new(decimals), "p", 0);
            prop_assert_eq!(read(&text, decimals), slow.map_err(|error| error.problem));
        }
    }
}
