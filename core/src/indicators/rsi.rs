//! Relative strength index.

use super::{Indicator, IndicatorSpec, Parameter, Sample};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "rsi",
    summary: "Relative strength index (Wilder): 100 × average gain / (average gain + average \
              loss); 0 while the price has never moved.",
    inputs: &["close"],
    parameters: &[Parameter::bars("period", 14.0, 2.0)],
    outputs: &["strength"],
    talib: "RSI",
    make: |p| Ok(Box::new(Rsi::new(p[0]))),
    warm_up: |p| p[0] as usize + 1,
};

struct Rsi {
    period: f64,
    /// Changes seen, up to `period`.
    count: f64,
    last: f64,
    gain: f64,
    loss: f64,
    values: [f64; 1],
}

impl Rsi {
    fn new(period: f64) -> Self {
        let nan = f64::NAN;
        Self { period, count: 0.0, last: nan, gain: 0.0, loss: 0.0, values: [nan] }
    }
}

impl Indicator for Rsi {
    #[inline]
    fn update(&mut self, sample: &Sample) {
        let price = sample.price(sample.close);
        let change = price - self.last;
        self.last = price;
        if change.is_nan() {
            return; // the first price has nothing before it
        }
        let (gain, loss) = (change.max(0.0), (-change).max(0.0));
        if self.count < self.period {
            self.count += 1.0;
            (self.gain, self.loss) = (self.gain + gain, self.loss + loss);
            if self.count < self.period {
                return;
            }
            (self.gain, self.loss) = (self.gain / self.period, self.loss / self.period);
        } else {
            let kept = self.period - 1.0;
            self.gain = (self.gain * kept + gain) / self.period;
            self.loss = (self.loss * kept + loss) / self.period;
        }
        let moved = self.gain + self.loss;
        self.values[0] = if moved > 0.0 { 100.0 * (self.gain / moved) } else { 0.0 };
    }

    fn values(&self) -> &[f64] {
        &self.values
    }

    fn reset(&mut self) {
        *self = Self::new(self.period);
    }
}
