//! Z-score of the close.

use super::window::Moments;
use super::{Indicator, IndicatorSpec, Parameter, Sample};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "zscore",
    summary: "Distance of the close from the mean of the last `period` closes, in population \
              standard deviations; 0 if they are all equal.",
    inputs: &["close"],
    parameters: &[Parameter::bars("period", 20.0, 2.0)],
    outputs: &["score"],
    talib: "",
    make: |p| Ok(Box::new(ZScore { moments: Moments::new(p[0] as usize), values: [f64::NAN] })),
    warm_up: |p| p[0] as usize,
};

struct ZScore {
    moments: Moments,
    values: [f64; 1],
}

impl Indicator for ZScore {
    #[inline]
    fn update(&mut self, sample: &Sample) {
        self.moments.push(sample.close, sample.price_scale);
        // (x − mean) / deviation with both sides times n: exact integers up to the square root.
        let deviation = self.moments.n_deviations();
        self.values[0] = if deviation == 0.0 {
            0.0
        } else if deviation.is_nan() {
            f64::NAN
        } else {
            self.moments.n_distance(sample.close, sample.price_scale) / deviation
        };
    }

    fn values(&self) -> &[f64] {
        &self.values
    }

    fn reset(&mut self) {
        self.moments.clear();
        self.values = [f64::NAN];
    }
}
