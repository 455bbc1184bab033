//! Stochastic oscillator, slow.

use super::window::Fold;
use super::{Indicator, IndicatorSpec, Parameter, Sample};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "stochastic",
    summary: "Slow stochastic: where the close stands in the range of the last `period` bars, 0 \
              to 100, averaged over `k_period` (k), and that over `d_period` (d).",
    inputs: &["high", "low", "close"],
    parameters: &[
        Parameter::bars("period", 5.0, 1.0),
        Parameter::bars("k_period", 3.0, 1.0),
        Parameter::bars("d_period", 3.0, 1.0),
    ],
    outputs: &["k", "d"],
    talib: "STOCH",
    make: |p| {
        Ok(Box::new(Stochastic {
            highest: Fold::new(p[0] as usize, f64::max),
            lowest: Fold::new(p[0] as usize, f64::min),
            k_sum: Fold::new(p[1] as usize, |a, b| a + b),
            d_sum: Fold::new(p[2] as usize, |a, b| a + b),
            k_period: p[1],
            d_period: p[2],
            values: [f64::NAN; 2],
        }))
    },
    warm_up: |p| (p[0] + p[1] + p[2]) as usize - 2,
};

struct Stochastic {
    highest: Fold,
    lowest: Fold,
    k_sum: Fold,
    d_sum: Fold,
    k_period: f64,
    d_period: f64,
    values: [f64; 2],
}

impl Stochastic {
    #[inline]
    fn next(&mut self, sample: &Sample) -> Option<[f64; 2]> {
        let highest = self.highest.push(sample.price(sample.high));
        let lowest = self.lowest.push(sample.price(sample.low));
        let (highest, lowest) = highest.zip(lowest)?;
        let percent = (highest - lowest) / 100.0;
        let place = sample.price(sample.close) - lowest;
        let fast = if percent == 0.0 { 0.0 } else { place / percent };
        let k = self.k_sum.push(fast)? / self.k_period;
        let d = self.d_sum.push(k)? / self.d_period;
        Some([k, d])
    }
}

impl Indicator for Stochastic {
    #[inline]
    fn update(&mut self, sample: &Sample) {
        if let Some(values) = self.next(sample) {
            self.values = values;
        }
    }

    fn values(&self) -> &[f64] {
        &self.values
    }

    fn reset(&mut self) {
        for fold in [&mut self.highest, &mut self.lowest, &mut self.k_sum, &mut self.d_sum] {
            fold.clear();
        }
        self.values = [f64::NAN; 2];
    }
}
