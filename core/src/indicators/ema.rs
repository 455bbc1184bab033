//! Exponential moving average.

use super::window::Seed;
use super::{Indicator, IndicatorSpec, Parameter, Sample};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "ema",
    summary: "Exponential moving average of closes, weight 2 / (period + 1), started by the \
              simple average of the first `period`.",
    inputs: &["close"],
    parameters: &[Parameter::bars("period", 20.0, 1.0)],
    outputs: &["average"],
    talib: "EMA",
    make: |p| {
        let period = p[0] as usize;
        Ok(Box::new(Ema { seed: Seed::new(period), weight: weight(period), values: [f64::NAN] }))
    },
    warm_up: |p| p[0] as usize,
};

/// The share of the newest value.
pub(super) fn weight(period: usize) -> f64 {
    2.0 / (period as f64 + 1.0)
}

struct Ema {
    seed: Seed,
    weight: f64,
    values: [f64; 1],
}

impl Indicator for Ema {
    #[inline]
    fn update(&mut self, sample: &Sample) {
        let last = self.values[0];
        self.values[0] = if last.is_nan() {
            self.seed.push(sample.close, sample.price_scale).unwrap_or(f64::NAN)
        } else {
            (sample.price(sample.close) - last) * self.weight + last
        };
    }

    fn values(&self) -> &[f64] {
        &self.values
    }

    fn reset(&mut self) {
        self.seed.clear();
        self.values = [f64::NAN];
    }
}
