//! Bars from trades: by time, by number of trades, by volume, by turnover.
//!
//! A builder takes trades in order of time and hands out each bar when it is complete. Bars of time
//! lie on multiples of their interval since the epoch, so they equal the venue's own candles; a
//! time bar is complete when a later trade or [`advance`](BarBuilder::advance) says that its end
//! has passed. The other kinds are complete with the trade that reaches the size; a trade is never
//! split, so a bar may exceed it.

use std::fmt;

use crate::instrument::InstrumentId;
use crate::market::Bar;

/// When a bar is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarSize {
    /// After this many nanoseconds, on multiples of them since the epoch.
    Time {
        /// Length of the interval.
        interval_ns: i64,
        /// An interval without a trade gives a flat bar at the last close, as venues publish it;
        /// else it gives none.
        fills_empty: bool,
    },
    /// After this many trades.
    Trades(u64),
    /// When this much was traded, in quantity units.
    Volume(i64),
    /// When price × quantity sums to this, in price × quantity units: dollars, for most pairs.
    Turnover(i128),
}

/// Why a trade cannot enter a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarError {
    /// It is older than the bar under construction, or than the last one.
    Late,
    /// The bar's volume does not fit its integer.
    Overflow,
}

impl fmt::Display for BarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BarError::Late => "a trade is older than the bar it came after: sort trades by time",
            BarError::Overflow => "a bar's volume is too large for its scaled integer",
        })
    }
}

impl std::error::Error for BarError {}

/// Makes bars of one instrument.
#[derive(Clone, Debug)]
pub struct BarBuilder {
    size: BarSize,
    /// The bar under construction; `None` between bars.
    open: Option<Bar>,
    trades: u64,
    turnover: i128,
    /// Where the next bar may begin, and the last close; `None` before the first trade.
    last: Option<(i64, i64)>,
    instrument: InstrumentId,
}

impl BarBuilder {
    /// A builder that has seen no trade. A size below one counts as one.
    #[must_use]
    pub fn new(size: BarSize, instrument: InstrumentId) -> Self {
        let size = match size {
            BarSize::Time { interval_ns, fills_empty } => {
                BarSize::Time { interval_ns: interval_ns.max(1), fills_empty }
            }
            other => other,
        };
        BarBuilder { size, open: None, trades: 0, turnover: 0, last: None, instrument }
    }

    /// The bar under construction; its end is that of its interval, or of its last trade.
    #[must_use]
    pub fn partial(&self) -> Option<&Bar> {
        self.open.as_ref()
    }

    /// Adds a trade; bars that it completes are appended to `out`.
    ///
    /// # Errors
    ///
    /// [`BarError`]; the builder is then as before, but for bars that the time alone completed.
    pub fn apply(
        &mut self,
        ts: i64,
        price: i64,
        qty: i64,
        out: &mut Vec<Bar>,
    ) -> Result<(), BarError> {
        if self.last.is_some_and(|(from, _)| ts < from) {
            return Err(BarError::Late);
        }
        let (ts_open, ts_close) = match self.size {
            BarSize::Time { interval_ns, .. } => {
                self.advance(ts, out);
                let ts_open = ts.saturating_sub(ts.rem_euclid(interval_ns));
                (ts_open, ts_open.saturating_add(interval_ns))
            }
            // The first moment behind its last trade: a bar does not exist before it.
            _ => (ts, ts.saturating_add(1)),
        };
        let mut bar = self.open.unwrap_or(Bar {
            ts_open,
            ts_close,
            instrument: self.instrument,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0,
        });
        bar.volume = bar.volume.checked_add(qty).ok_or(BarError::Overflow)?;
        bar.high = bar.high.max(price);
        bar.low = bar.low.min(price);
        (bar.close, bar.ts_close) = (price, ts_close);
        self.trades += 1;
        self.turnover = self.turnover.saturating_add(i128::from(price) * i128::from(qty));
        self.last = Some((if self.is_timed() { bar.ts_open } else { ts }, price));
        self.open = Some(bar);
        let is_complete = match self.size {
            BarSize::Time { .. } => false,
            BarSize::Trades(size) => self.trades >= size,
            BarSize::Volume(size) => bar.volume >= size,
            BarSize::Turnover(size) => self.turnover >= size,
        };
        if is_complete {
            self.close(out);
        }
        Ok(())
    }

    /// Says that the time is `ts`: time bars that end until then are appended to `out`.
    pub fn advance(&mut self, ts: i64, out: &mut Vec<Bar>) {
        let BarSize::Time { interval_ns, fills_empty } = self.size else { return };
        if self.open.is_some_and(|bar| bar.ts_close <= ts) {
            self.close(out);
        }
        while let (true, None, Some((from, close))) = (fills_empty, self.open, self.last) {
            let Some(ts_close) = from.checked_add(interval_ns).filter(|&end| end <= ts) else {
                return;
            };
            out.push(Bar {
                ts_open: from,
                ts_close,
                instrument: self.instrument,
                open: close,
                high: close,
                low: close,
                close,
                volume: 0,
            });
            self.last = Some((ts_close, close));
        }
    }

    /// Hands out the bar under construction, complete or not, as at the end of the data.
    pub fn flush(&mut self, out: &mut Vec<Bar>) {
        self.close(out);
    }

    fn is_timed(&self) -> bool {
        matches!(self.size, BarSize::Time { .. })
    }

    fn close(&mut self, out: &mut Vec<Bar>) {
        let Some(bar) = self.open.take() else { return };
        let from = if self.is_timed() { bar.ts_close } else { bar.ts_close.saturating_sub(1) };
        (self.trades, self.turnover, self.last) = (0, 0, Some((from, bar.close)));
        out.push(bar);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(size: BarSize, trades: &[(i64, i64, i64)]) -> Vec<Bar> {
        let (mut builder, mut out) = (BarBuilder::new(size, 3), Vec::new());
        for &(ts, price, qty) in trades {
            builder.apply(ts, price, qty, &mut out).unwrap();
        }
        builder.flush(&mut out);
        out
    }

    fn bar(ts_open: i64, ts_close: i64, ohlc: [i64; 4], volume: i64) -> Bar {
        let [open, high, low, close] = ohlc;
        Bar { ts_open, ts_close, instrument: 3, open, high, low, close, volume }
    }

    const TRADES: [(i64, i64, i64); 6] =
        [(5, 10, 1), (9, 12, 2), (10, 11, 3), (19, 8, 1), (41, 9, 5), (41, 9, 1)];

    #[test]
    fn time_bars_lie_on_their_grid_and_skip_or_fill_quiet_intervals() {
        let ends = [bar(0, 10, [10, 12, 10, 12], 3), bar(10, 20, [11, 11, 8, 8], 4)];
        let last = bar(40, 50, [9, 9, 9, 9], 6);
        let skip = BarSize::Time { interval_ns: 10, fills_empty: false };
        assert_eq!(bars(skip, &TRADES), [ends[0], ends[1], last]);
        let fill = BarSize::Time { interval_ns: 10, fills_empty: true };
        let flat = [bar(20, 30, [8; 4], 0), bar(30, 40, [8; 4], 0)];
        assert_eq!(bars(fill, &TRADES), [ends[0], ends[1], flat[0], flat[1], last]);
    }

    #[test]
    fn a_time_bar_is_complete_when_the_clock_says_so() {
        let size = BarSize::Time { interval_ns: 10, fills_empty: true };
        let (mut builder, mut out) = (BarBuilder::new(size, 3), Vec::new());
        builder.apply(5, 10, 1, &mut out).unwrap();
        builder.advance(9, &mut out);
        assert_eq!(out, []);
        builder.advance(10, &mut out);
        assert_eq!(out, [bar(0, 10, [10; 4], 1)]);
        assert_eq!(builder.apply(9, 10, 1, &mut out), Err(BarError::Late));
        builder.advance(30, &mut out);
        assert_eq!(out.len(), 3);
    }

    #[test]
    fn other_bars_close_with_the_trade_that_reaches_the_size() {
        let by_trades = bars(BarSize::Trades(4), &TRADES);
        assert_eq!(by_trades, [bar(5, 20, [10, 12, 8, 8], 7), bar(41, 42, [9; 4], 6)]);
        let by_volume = bars(BarSize::Volume(3), &TRADES);
        assert_eq!(
            by_volume,
            [
                bar(5, 10, [10, 12, 10, 12], 3),
                bar(10, 11, [11; 4], 3),
                bar(19, 42, [8, 9, 8, 9], 6),
                bar(41, 42, [9; 4], 1),
            ]
        );
        let by_turnover = bars(BarSize::Turnover(60), &TRADES);
        assert_eq!(by_turnover, [bar(5, 11, [10, 12, 10, 11], 6), bar(19, 42, [8, 9, 8, 9], 7)]);
    }

    #[test]
    fn trades_out_of_order_and_volumes_too_large_are_refused() {
        let (mut builder, mut out) = (BarBuilder::new(BarSize::Trades(9), 3), Vec::new());
        builder.apply(5, 10, i64::MAX, &mut out).unwrap();
        assert_eq!(builder.apply(4, 10, 1, &mut out), Err(BarError::Late));
        assert_eq!(builder.apply(6, 10, 1, &mut out), Err(BarError::Overflow));
        assert_eq!(builder.partial().map(|bar| bar.volume), Some(i64::MAX));
    }
}
