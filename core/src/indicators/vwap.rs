//! Volume-weighted average price.

use std::collections::VecDeque;

use super::window::ratio;
use super::{Indicator, IndicatorSpec, Parameter, Sample};
use crate::units::{pow10, NS_PER_S};

pub(super) const SPEC: IndicatorSpec = IndicatorSpec {
    name: "vwap",
    summary: "Mean of the typical price (high + low + close) / 3, weighted by volume: over the \
              last `period` bars, or with period 0 over all since the session began. A session \
              is `session_s` seconds of UTC (86400: a day); 0 is one without end.",
    inputs: &["high", "low", "close", "volume"],
    parameters: &[
        Parameter::bars("period", 14.0, 0.0),
        Parameter { name: "session_s", default: 0.0, min: 0.0, max: 604_800.0, is_whole: true },
    ],
    outputs: &["price"],
    talib: "",
    make: |p| Ok(Box::new(Vwap::new(p[0] as usize, p[1] as i64 * NS_PER_S))),
    warm_up: |p| (p[0] as usize).max(1),
};

/// Three times the typical price of a bar, and its volume.
#[derive(Clone, Copy)]
struct Weighed {
    price3: i128,
    volume: i128,
}

impl Weighed {
    fn turnover(self) -> Option<i128> {
        self.price3.checked_mul(self.volume)
    }

    fn finer(self, price: i128, qty: i128) -> Option<Self> {
        let (price3, volume) = self.price3.checked_mul(price).zip(self.volume.checked_mul(qty))?;
        Some(Self { price3, volume })
    }
}

struct Vwap {
    period: usize,
    session_ns: i64,
    session: i64,
    price_scale: u8,
    qty_scale: u8,
    bars: VecDeque<Weighed>,
    /// Σ price3 × volume and Σ volume, or `None` once they have left 128 bits: no value then
    /// until the next session or reset.
    sums: Option<(i128, i128)>,
    values: [f64; 1],
}

impl Vwap {
    fn new(period: usize, session_ns: i64) -> Self {
        Self {
            period,
            session_ns,
            session: i64::MIN,
            price_scale: 0,
            qty_scale: 0,
            bars: VecDeque::with_capacity(period + 1),
            sums: Some((0, 0)),
            values: [f64::NAN],
        }
    }

    /// Starts over at the first bar of a session.
    fn enter_session(&mut self, ts_open: i64) {
        if self.session_ns == 0 {
            return;
        }
        let session = ts_open.div_euclid(self.session_ns);
        if session != self.session {
            self.reset();
            self.session = session;
        }
    }

    /// The sample at the finest scales seen so far, to which what is kept is brought as well.
    #[inline]
    fn align(&mut self, sample: &Sample) -> Option<Weighed> {
        let price3 = i128::from(sample.high) + i128::from(sample.low) + i128::from(sample.close);
        let weighed = Weighed { price3, volume: i128::from(sample.volume) };
        if (sample.price_scale, sample.qty_scale) == (self.price_scale, self.qty_scale) {
            return Some(weighed);
        }
        let price_scale = self.price_scale.max(sample.price_scale);
        let qty_scale = self.qty_scale.max(sample.qty_scale);
        let price = pow10(price_scale - self.price_scale);
        let qty = pow10(qty_scale - self.qty_scale);
        for bar in &mut self.bars {
            *bar = bar.finer(price, qty)?;
        }
        let (turnover, volume) = self.sums?;
        let turnover = turnover.checked_mul(price)?.checked_mul(qty)?;
        self.sums = Some((turnover, volume.checked_mul(qty)?));
        (self.price_scale, self.qty_scale) = (price_scale, qty_scale);
        weighed.finer(pow10(price_scale - sample.price_scale), pow10(qty_scale - sample.qty_scale))
    }

    #[inline]
    fn add(&mut self, sample: &Sample) -> Option<(i128, i128)> {
        let new = self.align(sample)?;
        let (mut turnover, mut volume) = self.sums?;
        turnover = turnover.checked_add(new.turnover()?)?;
        volume = volume.checked_add(new.volume)?;
        if self.period > 0 {
            self.bars.push_back(new);
            if self.bars.len() > self.period {
                let old = self.bars.pop_front()?;
                turnover -= old.turnover()?;
                volume -= old.volume;
            }
        }
        Some((turnover, volume))
    }
}

impl Indicator for Vwap {
    #[inline]
    fn update(&mut self, sample: &Sample) {
        self.enter_session(sample.ts_open);
        self.sums = self.add(sample);
        self.values[0] = match self.sums {
            // Without volume there is no price to speak of.
            Some((turnover, volume)) if volume > 0 && self.bars.len() == self.period => {
                match volume.checked_mul(3 * pow10(self.price_scale)) {
                    Some(divisor) => ratio(turnover, divisor),
                    None => f64::NAN,
                }
            }
            _ => f64::NAN,
        };
    }

    fn values(&self) -> &[f64] {
        &self.values
    }

    fn reset(&mut self) {
        self.bars.clear();
        self.sums = Some((0, 0));
        self.session = i64::MIN;
        self.values = [f64::NAN];
    }
}
