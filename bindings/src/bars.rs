//! `veloz._core.bars_from_trades`: bars of every kind from columns of trades.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use veloz_core::bars::{BarBuilder, BarSize};
use veloz_core::record::Record;

/// Adds this module's names to `veloz._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(bars_from_trades, module)?)
}

/// Aggregates trades to bars.
///
/// Args:
///     ts: Times of the trades in ns, rising; any buffer of int64.
///     price: Their prices in price units, int64.
///     qty: Their quantities in quantity units, int64.
///     kind: "time" (size in ns, on multiples of it since the epoch), "trades" (a count), "volume"
///         (quantity units) or "turnover" (price units × quantity units).
///     size: How much completes a bar; positive.
///     fills_empty: Of time bars: a quiet interval gives a flat bar at the last close.
///     instrument: Row of the instrument table that the bars name.
///
/// Returns:
///     Packed rows of the record `Bar`, see `record_schemas`. The last bar may be incomplete.
///
/// Raises:
///     ValueError: If columns differ in length or form, times fall, or there is no such kind.
#[pyfunction]
#[pyo3(signature = (ts, price, qty, *, kind, size, fills_empty = false, instrument = 0))]
#[allow(clippy::too_many_arguments)] // columns and options, each by its own name
fn bars_from_trades<'py>(
    py: Python<'py>,
    ts: PyBuffer<i64>,
    price: PyBuffer<i64>,
    qty: PyBuffer<i64>,
    kind: &str,
    size: i64,
    fills_empty: bool,
    instrument: u32,
) -> PyResult<Bound<'py, PyBytes>> {
    if size <= 0 {
        return Err(PyValueError::new_err(format!("size {size} is not positive")));
    }
    let size = match kind {
        "time" => BarSize::Time { interval_ns: size, fills_empty },
        "trades" => BarSize::Trades(size.unsigned_abs()),
        "volume" => BarSize::Volume(size),
        "turnover" => BarSize::Turnover(i128::from(size)),
        _ => {
            let text = format!("kind {kind:?} is not time, trades, volume or turnover");
            return Err(PyValueError::new_err(text));
        }
    };
    let columns = [ts.to_vec(py)?, price.to_vec(py)?, qty.to_vec(py)?];
    let [ts, price, qty] = &columns;
    if ts.len() != price.len() || ts.len() != qty.len() {
        return Err(PyValueError::new_err("ts, price and qty differ in length"));
    }
    let (mut builder, mut bars) = (BarBuilder::new(size, instrument), Vec::new());
    for ((&ts, &price), &qty) in ts.iter().zip(price).zip(qty) {
        builder
            .apply(ts, price, qty, &mut bars)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
    }
    builder.flush(&mut bars);
    let mut rows = Vec::new();
    for bar in &bars {
        bar.put(&mut rows);
    }
    Ok(PyBytes::new(py, &rows))
}
