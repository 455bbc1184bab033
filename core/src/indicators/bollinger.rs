//! Bollinger bands.

use super::window::Moments;
use super::{Indicator, IndicatorSpec, Parameter, Sample};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "bollinger",
    summary: "Bollinger bands: the mean of the last `period` closes, and `deviations` population \
              standard deviations above and below it.",
    inputs: &["close"],
    parameters: &[
        Parameter::bars("period", 20.0, 2.0),
        Parameter { name: "deviations", default: 2.0, min: 0.0, max: 100.0, is_whole: false },
    ],
    outputs: &["middle", "upper", "lower"],
    talib: "BBANDS",
    make: |p| {
        let moments = Moments::new(p[0] as usize);
        Ok(Box::new(Bollinger { moments, deviations: p[1], values: [f64::NAN; 3] }))
    },
    warm_up: |p| p[0] as usize,
};

struct Bollinger {
    moments: Moments,
    deviations: f64,
    values: [f64; 3],
}

impl Indicator for Bollinger {
    #[inline]
    fn update(&mut self, sample: &Sample) {
        self.moments.push(sample.close, sample.price_scale);
        let middle = self.moments.mean();
        let distance = self.deviations * self.moments.deviation();
        // The mean may fit where the squares do not; the bands are ready together or not at all.
        let is_ready = !distance.is_nan();
        let bands = [middle, middle + distance, middle - distance];
        self.values = if is_ready { bands } else { [f64::NAN; 3] };
    }

    fn values(&self) -> &[f64] {
        &self.values
    }

    fn reset(&mut self) {
        self.moments.clear();
        self.values = [f64::NAN; 3];
    }
}
