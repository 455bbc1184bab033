//! Average directional index, with both directional indicators.

use super::atr::true_range;
use super::{Indicator, IndicatorSpec, Parameter, Sample};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "adx",
    summary: "Average directional index (Wilder): strength of a trend, with the share of upward \
              (+DI) and downward (-DI) movement; each from 0 to 100.",
    inputs: &["high", "low", "close"],
    parameters: &[Parameter::bars("period", 14.0, 2.0)],
    outputs: &["adx", "plus_di", "minus_di"],
    talib: "ADX, PLUS_DI, MINUS_DI",
    make: |p| Ok(Box::new(Adx::new(p[0]))),
    warm_up: |p| 2 * p[0] as usize,
};

struct Adx {
    period: f64,
    /// Changes seen, up to 2 × period − 1.
    count: f64,
    last: [f64; 3],
    /// Wilder sums of upward movement, downward movement and true range.
    plus: f64,
    minus: f64,
    range: f64,
    index: f64,
    values: [f64; 3],
}

impl Adx {
    fn new(period: f64) -> Self {
        let (plus, minus, range, index) = (0.0, 0.0, 0.0, 0.0);
        let (last, values) = ([f64::NAN; 3], [f64::NAN; 3]);
        Self { period, count: 0.0, last, plus, minus, range, index, values }
    }

    /// Upward and downward movement (at most one of them is not 0), and the true range.
    #[inline]
    fn movement(&self, [high, low, _]: [f64; 3]) -> [f64; 3] {
        let [last_high, last_low, last_close] = self.last;
        let (up, down) = (high - last_high, last_low - low);
        let plus = if up > 0.0 && up > down { up } else { 0.0 };
        let minus = if down > 0.0 && down > up { down } else { 0.0 };
        [plus, minus, true_range(high, low, last_close)]
    }
}

impl Indicator for Adx {
    #[inline]
    fn update(&mut self, sample: &Sample) {
        let bar = [sample.high, sample.low, sample.close].map(|units| sample.price(units));
        let [plus, minus, range] = self.movement(bar);
        let is_first = self.last[0].is_nan();
        self.last = bar;
        if is_first {
            return;
        }
        let n = self.period;
        self.count += 1.0;
        if self.count < n {
            self.plus += plus;
            self.minus += minus;
            self.range += range;
            return;
        }
        self.plus = self.plus - self.plus / n + plus;
        self.minus = self.minus - self.minus / n + minus;
        self.range = self.range - self.range / n + range;
        let (mut plus_di, mut minus_di) = (0.0, 0.0);
        if self.range > 0.0 {
            plus_di = 100.0 * (self.plus / self.range);
            minus_di = 100.0 * (self.minus / self.range);
        }
        let both = plus_di + minus_di;
        let direction = (both > 0.0).then(|| 100.0 * ((minus_di - plus_di).abs() / both));
        // A market without movement has no direction: the index then stays where it was.
        if self.count < 2.0 * n {
            self.index += direction.unwrap_or(0.0);
            if self.count < 2.0 * n - 1.0 {
                return;
            }
            self.index /= n;
        } else if let Some(direction) = direction {
            self.index = (self.index * (n - 1.0) + direction) / n;
        }
        self.values = [self.index, plus_di, minus_di];
    }

    fn values(&self) -> &[f64] {
        &self.values
    }

    fn reset(&mut self) {
        *self = Self::new(self.period);
    }
}
