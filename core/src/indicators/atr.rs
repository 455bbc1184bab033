//! Average true range.

use super::{Indicator, IndicatorSpec, Parameter, Sample};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "atr",
    summary: "Average true range (Wilder), started by the simple average of the first `period` \
              true ranges; the first bar has none.",
    inputs: &["high", "low", "close"],
    parameters: &[Parameter::bars("period", 14.0, 1.0)],
    outputs: &["range"],
    talib: "ATR",
    make: |p| Ok(Box::new(Atr::new(p[0]))),
    warm_up: |p| p[0] as usize + 1,
};

/// How far the price went since the last close, in one bar.
#[inline]
pub(super) fn true_range(high: f64, low: f64, last_close: f64) -> f64 {
    (high - low).max((high - last_close).abs()).max((low - last_close).abs())
}

struct Atr {
    period: f64,
    /// Ranges seen, up to `period`.
    count: f64,
    sum: f64,
    last_close: f64,
    values: [f64; 1],
}

impl Atr {
    fn new(period: f64) -> Self {
        Self { period, count: 0.0, sum: 0.0, last_close: f64::NAN, values: [f64::NAN] }
    }
}

impl Indicator for Atr {
    #[inline]
    fn update(&mut self, sample: &Sample) {
        let last_close = self.last_close;
        self.last_close = sample.price(sample.close);
        if last_close.is_nan() {
            return;
        }
        let range = true_range(sample.price(sample.high), sample.price(sample.low), last_close);
        if self.count < self.period {
            (self.count, self.sum) = (self.count + 1.0, self.sum + range);
            if self.count == self.period {
                self.values[0] = self.sum / self.period;
            }
        } else {
            self.values[0] = (self.values[0] * (self.period - 1.0) + range) / self.period;
        }
    }

    fn values(&self) -> &[f64] {
        &self.values
    }

    fn reset(&mut self) {
        *self = Self::new(self.period);
    }
}
