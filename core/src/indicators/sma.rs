//! Simple moving average.

use super::window::Window;
use super::{Indicator, IndicatorSpec, Parameter, Sample};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "sma",
    summary: "Simple moving average: the mean of the last `period` closes.",
    inputs: &["close"],
    parameters: &[Parameter::bars("period", 20.0, 1.0)],
    outputs: &["average"],
    talib: "SMA",
    make: |p| Ok(Box::new(Sma { window: Window::new(p[0] as usize), values: [f64::NAN] })),
    warm_up: |p| p[0] as usize,
};

struct Sma {
    window: Window,
    values: [f64; 1],
}

impl Indicator for Sma {
    #[inline]
    fn update(&mut self, sample: &Sample) {
        let (close, _) = self.window.align(sample.close, sample.price_scale);
        self.window.push(close);
        self.values[0] = self.window.mean();
    }

    fn values(&self) -> &[f64] {
        &self.values
    }

    fn reset(&mut self) {
        self.window.clear();
        self.values = [f64::NAN];
    }
}
