//! Moving average convergence and divergence.

use super::ema::weight;
use super::window::Seed;
use super::{Indicator, IndicatorSpec, Parameter, Sample};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "macd",
    summary: "Fast minus slow exponential average of closes, its own exponential average \
              (signal), and their difference (histogram).",
    inputs: &["close"],
    parameters: &[
        Parameter::bars("fast", 12.0, 2.0),
        Parameter::bars("slow", 26.0, 3.0),
        Parameter::bars("signal", 9.0, 1.0),
    ],
    outputs: &["macd", "signal", "histogram"],
    talib: "MACD",
    make: |p| {
        if p[0] >= p[1] {
            return Err(format!("macd: fast is {}, but must be below slow, {}", p[0], p[1]));
        }
        Ok(Box::new(Macd::new([p[0] as usize, p[1] as usize, p[2] as usize])))
    },
    warm_up: |p| (p[1] + p[2]) as usize - 1,
};

struct Macd {
    periods: [usize; 3],
    weights: [f64; 3],
    /// Bars to let pass until the fast average starts, so that both start on the same bar.
    wait: usize,
    fast_seed: Seed,
    slow_seed: Seed,
    fast: f64,
    slow: f64,
    /// Lines seen and their sum, until the signal starts.
    lines: usize,
    sum: f64,
    values: [f64; 3],
}

impl Macd {
    fn new(periods: [usize; 3]) -> Self {
        let [fast, slow, _] = periods;
        Self {
            periods,
            weights: periods.map(weight),
            wait: slow - fast,
            fast_seed: Seed::new(fast),
            slow_seed: Seed::new(slow),
            fast: f64::NAN,
            slow: f64::NAN,
            lines: 0,
            sum: 0.0,
            values: [f64::NAN; 3],
        }
    }

    #[inline]
    fn line(&mut self, sample: &Sample) -> f64 {
        if !self.slow.is_nan() {
            let price = sample.price(sample.close);
            self.fast += (price - self.fast) * self.weights[0];
            self.slow += (price - self.slow) * self.weights[1];
            return self.fast - self.slow;
        }
        let (close, scale) = (sample.close, sample.price_scale);
        if self.wait > 0 {
            self.wait -= 1;
        } else if let Some(mean) = self.fast_seed.push(close, scale) {
            self.fast = mean;
        }
        self.slow = self.slow_seed.push(close, scale).unwrap_or(f64::NAN);
        self.fast - self.slow
    }
}

impl Indicator for Macd {
    #[inline]
    fn update(&mut self, sample: &Sample) {
        let line = self.line(sample);
        if line.is_nan() {
            return;
        }
        let [_, last, _] = self.values;
        let signal = if last.is_nan() {
            (self.lines, self.sum) = (self.lines + 1, self.sum + line);
            if self.lines < self.periods[2] {
                return;
            }
            self.sum / self.periods[2] as f64
        } else {
            (line - last) * self.weights[2] + last
        };
        self.values = [line, signal, line - signal];
    }

    fn values(&self) -> &[f64] {
        &self.values
    }

    fn reset(&mut self) {
        *self = Self::new(self.periods);
    }
}
