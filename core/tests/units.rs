//! Scaled integers against plain long arithmetic on lists of digits, for any numbers at all.

use proptest::prelude::*;
use veloz_core::units::{
    div_round, format_decimal, mul_div, parse_decimal, pow10, rescale, BadDecimal, Overflow,
    Rounding,
};

const ROUNDINGS: [Rounding; 5] = [
    Rounding::TowardZero,
    Rounding::AwayFromZero,
    Rounding::Down,
    Rounding::Up,
    Rounding::HalfEven,
];

/// A natural number as 32-bit limbs, lowest first: slow, and without a trick in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Natural(Vec<u32>);

impl Natural {
    fn new(mut value: u128) -> Natural {
        let mut limbs = Vec::new();
        while value > 0 {
            limbs.push(value as u32);
            value >>= 32;
        }
        Natural(limbs)
    }

    fn times(&self, other: &Natural) -> Natural {
        let mut limbs = vec![0_u32; self.0.len() + other.0.len()];
        for (i, a) in self.0.iter().enumerate() {
            let mut carry = 0_u64;
            for (j, b) in other.0.iter().enumerate() {
                let sum = u64::from(*a) * u64::from(*b) + u64::from(limbs[i + j]) + carry;
                limbs[i + j] = sum as u32;
                carry = sum >> 32;
            }
            limbs[i + other.0.len()] = carry as u32;
        }
        Natural(limbs).trimmed()
    }

    fn plus(&self, other: &Natural) -> Natural {
        let mut limbs = Vec::new();
        let mut carry = 0_u64;
        for i in 0..self.0.len().max(other.0.len()) + 1 {
            let limb = |n: &Natural| u64::from(n.0.get(i).copied().unwrap_or(0));
            let sum = limb(self) + limb(other) + carry;
            limbs.push(sum as u32);
            carry = sum >> 32;
        }
        Natural(limbs).trimmed()
    }

    fn trimmed(mut self) -> Natural {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Natural) -> std::cmp::Ordering {
        let lengths = self.0.len().cmp(&other.0.len());
        lengths.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Natural) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// True if `result` is `a * b / c` under `rounding`: by the defining inequalities, no division.
fn is_quotient(a: i128, b: i128, c: i128, rounding: Rounding, result: i128) -> bool {
    let negative = (a < 0) ^ (b < 0) ^ (c < 0);
    let product = Natural::new(a.unsigned_abs()).times(&Natural::new(b.unsigned_abs()));
    if result != 0 && product != Natural::new(0) && (result < 0) != negative {
        return false;
    }
    let (q, d) = (Natural::new(result.unsigned_abs()), Natural::new(c.unsigned_abs()));
    let (one, two) = (Natural::new(1), Natural::new(2));
    let reached = q.times(&d);
    let cut = reached <= product && product < q.plus(&one).times(&d);
    let raised = product <= reached && reached < product.plus(&d);
    match (rounding, negative) {
        (Rounding::TowardZero, _) | (Rounding::Down, false) | (Rounding::Up, true) => cut,
        (Rounding::AwayFromZero, _) | (Rounding::Down, true) | (Rounding::Up, false) => raised,
        (Rounding::HalfEven, _) => {
            // |2qd - 2p| <= d, and q is even where they are equal.
            let (twice, target) = (reached.times(&two), product.times(&two));
            let is_even = result & 1 == 0;
            let below = target.cmp(&twice.plus(&d));
            let above = twice.cmp(&target.plus(&d));
            let within = |order: std::cmp::Ordering| order.is_lt() || (order.is_eq() && is_even);
            within(below) && within(above)
        }
    }
}

/// Small, middling and extreme numbers alike.
fn number() -> impl Strategy<Value = i128> {
    prop_oneof![
        -20_i128..20,
        any::<i64>().prop_map(i128::from),
        any::<i128>(),
        (0_u32..127, -2_i128..3).prop_map(|(bits, near)| (1_i128 << bits) + near),
        Just(i128::MAX),
        Just(i128::MIN),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn mul_div_is_the_rounded_quotient_or_does_not_fit(a in number(), b in number(), c in number()) {
        for rounding in ROUNDINGS {
            match mul_div(a, b, c, rounding) {
                Ok(result) => {
                    prop_assert!(is_quotient(a, b, c, rounding, result), "{rounding:?}: {result}");
                }
                Err(Overflow) => {
                    // Too large by its own sign, or a division by zero: no i128 is the quotient.
                    let most = Natural::new(i128::MAX.unsigned_abs());
                    let product =
                        Natural::new(a.unsigned_abs()).times(&Natural::new(b.unsigned_abs()));
                    let limit = most.times(&Natural::new(c.unsigned_abs()));
                    prop_assert!(c == 0 || product > limit, "{rounding:?}");
                }
            }
        }
    }

    /// Random numbers never hit a tie; `k (2q + 1) / 2k` always does, in 128 bits and beyond.
    #[test]
    fn a_tie_goes_to_the_even_neighbour(q in any::<i64>(), k in 1_i128..1 << 125, negate: bool) {
        let (odd, q) = (2 * i128::from(q) + 1, i128::from(q));
        let sign = if negate { -1 } else { 1 };
        let even = if q % 2 == 0 { q } else { q + 1 };
        prop_assert_eq!(mul_div(k, sign * odd, 2 * k, Rounding::HalfEven), Ok(sign * even));
        prop_assert_eq!(mul_div(k, odd, 2 * k, Rounding::Down), Ok(q));
        prop_assert_eq!(mul_div(k, odd, -2 * k, Rounding::Up), Ok(-q));
        prop_assert_eq!(mul_div(k, odd, 2 * k, Rounding::Up), Ok(q + 1));
    }

    #[test]
    fn div_round_agrees_with_mul_div(a in number(), c in number()) {
        for rounding in ROUNDINGS {
            prop_assert_eq!(div_round(a, c, rounding), mul_div(a, 1, c, rounding));
        }
    }

    #[test]
    fn text_goes_there_and_back(value in number(), scale in 0_u8..=38) {
        prop_assume!(value != i128::MIN);
        prop_assert_eq!(parse_decimal(&format_decimal(value, scale), scale), Ok(value));
    }

    #[test]
    fn any_text_parses_or_says_why(text in "[-+]?[0-9.e ]{0,45}", scale in 0_u8..=38) {
        if let Ok(value) = parse_decimal(&text, scale) {
            prop_assert_eq!(parse_decimal(&format_decimal(value, scale), scale), Ok(value));
        }
    }

    #[test]
    fn a_digit_too_many_is_refused(value in any::<i64>(), scale in 0_u8..=18, digit in 1_u8..=9) {
        let text = format_decimal(i128::from(value), 0);
        let too_fine = format!("{text}.{}{digit}", "0".repeat(usize::from(scale)));
        prop_assert_eq!(parse_decimal(&too_fine, scale), Err(BadDecimal::TooFine));
        let zeros = format!("{text}.{}", "0".repeat(usize::from(scale) + 3));
        prop_assert_eq!(parse_decimal(&zeros, scale), Ok(i128::from(value) * pow10(scale)));
    }

    #[test]
    fn rescaling_up_and_down_loses_nothing(value in any::<i64>(), from in 0_u8..=18, more in 0_u8..=18) {
        let value = i128::from(value);
        let finer = rescale(value, from, from + more, Rounding::HalfEven).unwrap();
        prop_assert_eq!(format_decimal(finer, from + more), format_decimal(value, from));
        for rounding in ROUNDINGS {
            prop_assert_eq!(rescale(finer, from + more, from, rounding), Ok(value));
        }
    }
}
