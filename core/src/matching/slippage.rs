//! Slippage of takers at bar level: how far beyond the shown price they trade.

use super::settings::decimal;
use crate::units::{mul_div, Rounding, RATE_SCALE};

/// A distance in price units, always rounded to the tick against us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slippage {
    /// Nothing beyond half the spread.
    None,
    /// A fixed number of ticks.
    Ticks(i64),
    /// A fraction of the price, in millionths of a basis point.
    Bps(i64),
    /// In proportion to size: this many millionths of a basis point for an order as large as the
    /// bar's volume.
    Linear(i64),
    /// With the square root of size: this many millionths of a basis point for an order as large
    /// as the bar's volume, half of it for a quarter (the square-root law of market impact; Tóth
    /// et al., "Anomalous price impact and the critical nature of liquidity", 2011).
    Sqrt(i64),
}

/// Millionths of a basis point in one.
const ONE: i128 = 10_000_000_000;
/// Scale of a square root, and of what it is taken of.
const ROOT_ONE: i128 = 1_000_000_000;

impl Slippage {
    /// The distance for `qty` at `price`, with `volume` traded in the bar.
    #[must_use]
    pub fn distance(self, price: i64, tick: i64, qty: i64, volume: i64) -> i64 {
        let part = |bps: i128| {
            let raw = mul_div(i128::from(price), bps, ONE, Rounding::AwayFromZero);
            let ticks = raw.unwrap_or(0).unsigned_abs().div_ceil(tick.unsigned_abs().into());
            i64::try_from(ticks).unwrap_or(i64::MAX).saturating_mul(tick)
        };
        match self {
            Slippage::None => 0,
            Slippage::Ticks(n) => n.saturating_mul(tick),
            Slippage::Bps(bps) => part(i128::from(bps)),
            Slippage::Linear(bps) => {
                let volume = i128::from(volume.max(1));
                let scaled =
                    mul_div(i128::from(bps), i128::from(qty), volume, Rounding::AwayFromZero);
                part(scaled.unwrap_or(0))
            }
            Slippage::Sqrt(bps) => {
                let volume = i128::from(volume.max(1));
                let one = ROOT_ONE * ROOT_ONE;
                let share = mul_div(i128::from(qty), one, volume, Rounding::AwayFromZero);
                let share = share.unwrap_or(one).unsigned_abs();
                let root = share.isqrt();
                let root = (root + u128::from(root * root < share)) as i128; // up, against us
                let scaled = mul_div(i128::from(bps), root, ROOT_ONE, Rounding::AwayFromZero);
                part(scaled.unwrap_or(0))
            }
        }
    }

    /// The model that a text names: `none`, `2` or `ticks:2`, `bps:1.5`, `linear:10`,
    /// `sqrt:10`.
    ///
    /// # Errors
    ///
    /// A sentence that lists what exists.
    pub fn parse(text: &str) -> Result<Slippage, String> {
        let unknown = || {
            format!(
                "slip {text:?} is unknown; use none, ticks:N (or N), bps:X, linear:X or sqrt:X (bps)"
            )
        };
        let (name, rest) = text.split_once(':').unwrap_or(("ticks", text));
        let positive = |v: &str| decimal(v).filter(|v| *v >= 0).ok_or_else(unknown);
        let micro = 10_i128.pow(u32::from(RATE_SCALE) - 6);
        let rate = |v: &str| i64::try_from(positive(v)? / micro).map_err(|_| unknown());
        match name {
            "ticks" if rest == "none" => Ok(Slippage::None),
            "ticks" => {
                rest.parse().ok().filter(|n| *n >= 0).map(Slippage::Ticks).ok_or_else(unknown)
            }
            "bps" => Ok(Slippage::Bps(rate(rest)?)),
            "linear" => Ok(Slippage::Linear(rate(rest)?)),
            "sqrt" => Ok(Slippage::Sqrt(rate(rest)?)),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_whole_ticks_against_us() {
        let at = |text: &str| Slippage::parse(text).unwrap().distance(30_001, 5, 3, 60);
        assert_eq!(at("none"), 0);
        assert_eq!(at("2"), 10);
        assert_eq!(at("ticks:3"), 15);
        assert_eq!(at("bps:1.5"), 5); // 4.50015 units, up to one tick
        assert_eq!(at("linear:100"), 20); // 5 bps of 30,001 is 15.0005, up to four ticks
        assert_eq!(at("sqrt:20"), 15); // root of 3/60 is 0.2236; 4.47 bps is 13.4, up to three ticks
        assert!(Slippage::parse("magic").unwrap_err().contains("linear"));
        assert!(Slippage::parse("-1").is_err() && Slippage::parse("bps:-1").is_err());
    }
}
