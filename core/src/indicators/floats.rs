//! Indicators on floats, for research: prices come as floats and are made integers again.
//!
//! A float that was written with few decimals (`91250.1`) becomes exactly that decimal, so the
//! figures are those of the engine. One that was not (`1 / 3`) is kept to its 15 digits.

use super::{Indicator, Sample};
use crate::units::POW10_F64;

/// Most decimals that a sample carries.
const FINEST: u8 = 22;

/// Columns of bars; all of one length.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// Starts of the bars, ns since the Unix epoch; empty if unknown.
    pub ts_open: &'a [i64],
    /// Open, high, low, close.
    pub prices: [&'a [f64]; 4],
    /// Volumes; empty stands for zeros.
    pub volume: &'a [f64],
}

/// A sample of `[open, high, low, close]` and a volume.
///
/// # Errors
///
/// A sentence if a number is not finite or too large.
pub fn sample(ts_open: i64, prices: [f64; 4], volume: f64) -> Result<Sample, String> {
    sample_near(ts_open, prices, volume, [0; 2], [FINEST; 2])
}

/// A sample at the scales of `tried` if they are exact, else at those found up to `finest`.
fn sample_near(
    ts_open: i64,
    prices: [f64; 4],
    volume: f64,
    tried: [u8; 2],
    finest: [u8; 2],
) -> Result<Sample, String> {
    let price_scale = scale_of(&prices, tried[0], finest[0]);
    let qty_scale = scale_of(&[volume], tried[1], finest[1]);
    let [open, high, low, close] = prices.map(|price| units(price, price_scale));
    Ok(Sample {
        ts_open,
        open: open?,
        high: high?,
        low: low?,
        close: close?,
        volume: units(volume, qty_scale)?,
        price_scale,
        qty_scale,
    })
}

/// Every output of `indicator` for every bar; NaN until it is ready.
///
/// # Errors
///
/// A sentence with the row that is not a bar, or about columns of different lengths.
pub fn compute(
    indicator: &mut dyn Indicator,
    columns: &Columns<'_>,
) -> Result<Vec<Vec<f64>>, String> {
    let rows = columns.prices[3].len();
    let is_short = |n: usize| n != 0 && n != rows;
    if columns.prices.iter().any(|column| column.len() != rows)
        || is_short(columns.volume.len())
        || is_short(columns.ts_open.len())
    {
        return Err("the columns have different lengths; give one value for each bar".into());
    }
    let prices = columns.prices.iter().copied().flatten();
    let finest = [finest_of(prices), finest_of(columns.volume.iter())];
    // Columns have few scales: the last row's is nearly always this one's.
    let mut tried = [0; 2];
    let mut outputs = vec![Vec::with_capacity(rows); indicator.values().len()];
    for row in 0..rows {
        let prices = columns.prices.map(|column| column[row]);
        let volume = columns.volume.get(row).copied().unwrap_or(0.0);
        let ts_open = columns.ts_open.get(row).copied().unwrap_or(0);
        let sample = sample_near(ts_open, prices, volume, tried, finest)
            .map_err(|why| format!("row {row}: {why}"))?;
        tried = [sample.price_scale, sample.qty_scale];
        indicator.update(&sample);
        for (output, value) in outputs.iter_mut().zip(indicator.values()) {
            output.push(*value);
        }
    }
    Ok(outputs)
}

/// The finest scale at which the largest of `values` keeps all its digits.
fn finest_of<'a>(values: impl Iterator<Item = &'a f64>) -> u8 {
    let largest = values.fold(0.0_f64, |largest, value| largest.max(value.abs()));
    fitting(largest, FINEST)
}

/// Integers up to here are floats, so a price that stays below goes there and back unchanged.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn fitting(largest: f64, finest: u8) -> u8 {
    (1..=finest)
        .take_while(|&scale| largest * POW10_F64[scale as usize] <= EXACT)
        .last()
        .unwrap_or(0)
}

/// `tried` if all `values` are exact with it, else the fewest decimals with which they are, else
/// as many as fit.
fn scale_of(values: &[f64], tried: u8, finest: u8) -> u8 {
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let fits = |scale: u8| scale == 0 || largest * POW10_F64[scale as usize] <= EXACT;
    let is_exact = |scale: u8| {
        let unit = POW10_F64[scale as usize];
        values.iter().all(|&value| nearest(value * unit) as f64 / unit == value)
    };
    if fits(tried) && is_exact(tried) {
        return tried;
    }
    (0..=finest)
        .take_while(|&scale| fits(scale))
        .find(|&scale| is_exact(scale))
        .unwrap_or_else(|| fitting(largest, finest))
}

/// The nearest integer; a conversion costs a tenth of `f64::round` where that is a call.
fn nearest(value: f64) -> i64 {
    (value + 0.5_f64.copysign(value)) as i64
}

fn units(value: f64, scale: u8) -> Result<i64, String> {
    let scaled = value * POW10_F64[scale as usize];
    // The bound is 2^63; a NaN fails the comparison as well.
    if scaled.abs() < 9_223_372_036_854_775_808.0 {
        Ok(nearest(scaled))
    } else {
        Err(format!("{value} is not a price or a volume; give finite numbers below 9.2e18"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_stays_the_decimal_it_was() {
        let bar = sample(0, [91_250.0, 91_250.1, 0.3, 1e-8], 0.125).unwrap();
        assert_eq!((bar.high, bar.low, bar.close), (9_125_010_000_000, 30_000_000, 1));
        assert_eq!((bar.price_scale, bar.volume, bar.qty_scale), (8, 125, 3));
        let third = sample(0, [1.0 / 3.0; 4], 0.0).unwrap();
        assert!((third.price(third.close) * 3.0 - 1.0).abs() < 1e-15);
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for bad in [f64::NAN, f64::INFINITY, -1e19] {
            assert!(sample(0, [bad; 4], 0.0).unwrap_err().contains("finite"));
        }
    }
}
