//! Incremental indicators: one bar in, the figures of that bar out, in constant time.
//!
//! ```text
//!  bar ─► Sample (integers) ─► Indicator::update ─► values(): NaN until ready, then numbers
//! ```
//!
//! Means and deviations of prices come from exact integer sums divided once, so two averages that
//! are equal as fractions are equal as floats and nothing drifts. Recursive figures (exponential
//! and Wilder smoothing) start as TA-Lib starts them, so the first bar given matters.
//!
//! To add one: a file beside this one with a `SPEC`, and a line in [`INDICATORS`].

use crate::market::Bar;
use crate::units::POW10_F64;

mod adx;
mod atr;
mod bollinger;
mod ema;
pub mod floats;
mod macd;
mod rsi;
mod sma;
mod stochastic;
mod vwap;
mod window;
mod zscore;

#[cfg(test)]
mod tests;

/// Every indicator, by name.
pub const INDICATORS: &[IndicatorSpec] = &[
    sma::SPEC,
    ema::SPEC,
    rsi::SPEC,
    macd::SPEC,
    bollinger::SPEC,
    atr::SPEC,
    adx::SPEC,
    stochastic::SPEC,
    vwap::SPEC,
    zscore::SPEC,
];

/// One bar (or one price, with all four equal) as an indicator sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Start of the bar, ns since the Unix epoch, UTC; decides its session, nothing else.
    pub ts_open: i64,
    /// In price units.
    pub open: i64,
    /// In price units; not below the other prices.
    pub high: i64,
    /// In price units; not above the other prices.
    pub low: i64,
    /// In price units.
    pub close: i64,
    /// In quantity units; not negative.
    pub volume: i64,
    /// Decimals of the prices; at most 22.
    pub price_scale: u8,
    /// Decimals of the volume; at most 22.
    pub qty_scale: u8,
}

impl Sample {
    /// A bar with the scales of its instrument.
    #[inline]
    #[must_use]
    pub fn of_bar(bar: &Bar, price_scale: u8, qty_scale: u8) -> Self {
        let Bar { ts_open, open, high, low, close, volume, .. } = *bar;
        Self { ts_open, open, high, low, close, volume, price_scale, qty_scale }
    }

    /// A lone price without volume: a trade, a mid, a mark.
    #[inline]
    #[must_use]
    pub fn of_price(price: i64, price_scale: u8) -> Self {
        let (open, high, low, close) = (price, price, price, price);
        Self { open, high, low, close, price_scale, ..Self::default() }
    }

    /// `units` of price as the nearest float.
    #[inline]
    fn price(&self, units: i64) -> f64 {
        units as f64 / POW10_F64[self.price_scale as usize]
    }
}

/// A figure that follows the market bar by bar.
pub trait Indicator: Send {
    /// Takes in the next bar.
    fn update(&mut self, sample: &Sample);
    /// The outputs after the last bar, in the order of the spec; all NaN until ready.
    fn values(&self) -> &[f64];
    /// Forgets everything: as if new.
    fn reset(&mut self);
    /// Whether the outputs are numbers.
    #[inline]
    fn is_ready(&self) -> bool {
        !self.values()[0].is_nan()
    }
}

/// A number that an indicator is made with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// Its name, in every language.
    pub name: &'static str,
    /// Used when none is given.
    pub default: f64,
    /// Smallest allowed.
    pub min: f64,
    /// Largest allowed.
    pub max: f64,
    /// Whether only whole numbers make sense.
    pub is_whole: bool,
}

impl Parameter {
    /// A count of bars.
    const fn bars(name: &'static str, default: f64, min: f64) -> Self {
        Self { name, default, min, max: 10_000.0, is_whole: true }
    }
}

/// Makes an indicator from its parameters, or says which of them contradict each other.
pub type Make = fn(&[f64]) -> Result<Box<dyn Indicator>, String>;

/// What there is to know about an indicator before making one.
#[derive(Clone, Copy, Debug)]
pub struct IndicatorSpec {
    /// Its name, in every language.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The columns of a bar that it reads: `high`, `low`, `close`, `volume`.
    pub inputs: &'static [&'static str],
    /// What it is made with, in order.
    pub parameters: &'static [Parameter],
    /// What it gives, in order; at most [`MAX_OUTPUTS`]. The first is its main value.
    pub outputs: &'static [&'static str],
    /// The TA-Lib function with the same figures, or empty.
    pub talib: &'static str,
    /// Makes one; called by [`IndicatorSpec::build`] with parameters inside their bounds.
    pub make: Make,
    /// How many bars give the first value.
    pub warm_up: fn(&[f64]) -> usize,
}

/// The most outputs an indicator may have.
pub const MAX_OUTPUTS: usize = 4;

impl IndicatorSpec {
    /// A new indicator with these parameters, one for each of [`IndicatorSpec::parameters`].
    ///
    /// # Errors
    ///
    /// A sentence that names the parameter and its bounds.
    pub fn build(&self, parameters: &[f64]) -> Result<Box<dyn Indicator>, String> {
        if parameters.len() != self.parameters.len() {
            let names: Vec<_> = self.parameters.iter().map(|p| p.name).collect();
            let (given, names) = (parameters.len(), names.join(", "));
            return Err(format!("{}: {given} parameters given, it takes {names}", self.name));
        }
        for (p, &value) in self.parameters.iter().zip(parameters) {
            let bad_form = p.is_whole && value.fract() != 0.0;
            if !(p.min..=p.max).contains(&value) || bad_form {
                let kind = if p.is_whole { "a whole number" } else { "a number" };
                return Err(format!(
                    "{}: {} is {value}, but must be {kind} from {} to {}",
                    self.name, p.name, p.min, p.max
                ));
            }
        }
        (self.make)(parameters)
    }

    /// All parameters from those a person gave: first in order, then by name, then the defaults.
    ///
    /// # Errors
    ///
    /// A sentence about the one that is unknown, given twice or too many.
    pub fn resolve(&self, ordered: &[f64], named: &[(String, f64)]) -> Result<Vec<f64>, String> {
        let names: Vec<_> = self.parameters.iter().map(|p| p.name).collect();
        let all = names.join(", ");
        if ordered.len() > names.len() {
            return Err(format!(
                "{}: {} parameters given, it takes {all}",
                self.name,
                ordered.len()
            ));
        }
        let mut values = self.defaults();
        values[..ordered.len()].copy_from_slice(ordered);
        for (name, value) in named {
            match names.iter().position(|known| known == name) {
                Some(i) if i < ordered.len() => {
                    return Err(format!("{}: {name} is given twice", self.name));
                }
                Some(i) => values[i] = *value,
                None => {
                    return Err(format!("{}: no parameter '{name}'; it takes {all}", self.name))
                }
            }
        }
        Ok(values)
    }

    /// The parameters used when none are given.
    #[must_use]
    pub fn defaults(&self) -> Vec<f64> {
        self.parameters.iter().map(|p| p.default).collect()
    }
}

/// The indicator of this name.
///
/// # Errors
///
/// A sentence that lists the names there are.
pub fn find(name: &str) -> Result<&'static IndicatorSpec, String> {
    INDICATORS.iter().find(|spec| spec.name == name).ok_or_else(|| {
        let names: Vec<_> = INDICATORS.iter().map(|spec| spec.name).collect();
        format!("there is no indicator '{name}'; there are {}", names.join(", "))
    })
}
