//! Queue models: how much of what was cancelled at our price stood before us.
//!
//! Quantities are in millionths of a lot. Only prints move an order forward for certain; the depth
//! feed shows that a level shrank, not who left. Each model answers that with one share.

use super::exact_float::{ln, pow};
use super::settings::{choice, decimal};
use crate::units::{mul_div, Rounding, RATE_SCALE};

/// Millionths of a lot in a lot.
pub const MICRO: i128 = 1_000_000;

/// Which part of the cancellations at a level falls on those ahead of us.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Queue {
    /// None: only prints advance us. The pessimistic bound.
    Back,
    /// All of them, as far as there are any. The optimistic bound.
    Ahead,
    /// In proportion to the quantities: `a/(a+b)`.
    Proportional,
    /// `aⁿ/(aⁿ+bⁿ)`: the larger part loses more.
    Power(f64),
    /// `√a/(√a+√b)`: the smaller part loses more.
    Sqrt,
    /// `ln(1+a)/(ln(1+a)+ln(1+b))` in lots.
    Log,
    /// `(a/(a+b))ⁿ`: with n > 1 young orders cancel first.
    Share(f64),
}

impl Queue {
    /// How much of `cancelled` stood ahead, with `ahead` before us and `behind` after us.
    ///
    /// Rounded to the nearest millionth of a lot; may exceed `ahead`, which the caller caps.
    #[must_use]
    pub fn cancelled_ahead(self, cancelled: i128, ahead: i128, behind: i128) -> i128 {
        match self {
            Queue::Back => 0,
            Queue::Ahead => cancelled,
            _ if ahead <= 0 => 0,
            _ if behind <= 0 => cancelled,
            Queue::Proportional => {
                let total = ahead + behind;
                mul_div(cancelled, ahead, total, Rounding::HalfEven).unwrap_or(cancelled)
            }
            Queue::Power(_) | Queue::Sqrt | Queue::Log | Queue::Share(_) => {
                self.share_of(cancelled, ahead, behind)
            }
        }
    }

    /// Apart, since a conversion of 128 bits to a float is a call that no other model should make.
    #[inline(never)]
    fn share_of(self, cancelled: i128, ahead: i128, behind: i128) -> i128 {
        let share = self.share(ahead as f64, behind as f64);
        (cancelled as f64 * share + 0.5) as i128
    }

    /// The share for positive quantities, from IEEE basic operations and their exact square root.
    fn share(self, a: f64, b: f64) -> f64 {
        match self {
            Queue::Back => 0.0,
            Queue::Ahead => 1.0,
            Queue::Proportional => a / (a + b),
            Queue::Power(n) => 1.0 / (1.0 + pow(b / a, n)),
            Queue::Sqrt => a.sqrt() / (a.sqrt() + b.sqrt()),
            Queue::Log => {
                let (la, lb) = (ln(1.0 + a / MICRO as f64), ln(1.0 + b / MICRO as f64));
                la / (la + lb)
            }
            Queue::Share(n) => pow(a / (a + b), n),
        }
    }

    /// The model that a text names.
    ///
    /// # Errors
    ///
    /// A sentence that lists what exists.
    pub fn parse(text: &str) -> Result<Queue, String> {
        let names = "back, ahead, proportional, power:N, share:N, sqrt, log";
        let exponent = |n: &str| {
            let value = decimal(n).filter(|v| *v > 0).map(|v| v as f64 / 1e18);
            value.ok_or_else(|| format!("queue {text:?} needs a positive number; use {names}"))
        };
        match text.split_once(':') {
            Some(("power", n)) => Ok(Queue::Power(exponent(n)?)),
            Some(("share", n)) => Ok(Queue::Share(exponent(n)?)),
            _ => choice(
                "queue",
                text,
                &[
                    ("back", Queue::Back),
                    ("ahead", Queue::Ahead),
                    ("proportional", Queue::Proportional),
                    ("sqrt", Queue::Sqrt),
                    ("log", Queue::Log),
                ],
                names,
            ),
        }
    }
}

const _: () = assert!(RATE_SCALE == 18);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_cases_of_the_table() {
        let lots = |n: i128| n * MICRO;
        let cases = [
            (Queue::Back, 6, 10, 4, 0),
            (Queue::Ahead, 6, 10, 4, 6_000_000),
            (Queue::Proportional, 8, 10, 10, 4_000_000),
            (Queue::Power(2.0), 1, 6, 2, 900_000),
            (Queue::Sqrt, 5, 9, 4, 3_000_000),
            (Queue::Log, 4, 7, 1, 3_000_000),
            (Queue::Share(2.0), 4, 1, 1, 1_000_000),
        ];
        for (queue, cancelled, ahead, behind, expected) in cases {
            let got = queue.cancelled_ahead(lots(cancelled), lots(ahead), lots(behind));
            assert_eq!(got, expected, "{queue:?}");
        }
    }

    #[test]
    fn every_model_lies_between_the_bounds() {
        let all =
            ["back", "ahead", "proportional", "power:3", "power:0.5", "share:2", "sqrt", "log"];
        for name in all {
            let queue = Queue::parse(name).unwrap();
            for (c, a, b) in [(1, 1, 1), (5, 0, 9), (5, 9, 0), (7, 3, 5_000_000), (0, 4, 4)] {
                let cut = queue.cancelled_ahead(c, a, b);
                assert!((0..=c).contains(&cut), "{name} {c} {a} {b}: {cut}");
            }
        }
        assert!(Queue::parse("fifo").unwrap_err().contains("proportional"));
        assert!(Queue::parse("power:0").is_err() && Queue::parse("power:x").is_err());
    }
}
