//! Columns from Python to rows: int64 arrays in, the core's records out.

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use veloz_core::market::{
    Bar, Funding, IndexPrice, Liquidation, MarkPrice, OpenInterest, Published, Quote, Tick, Ticker,
    Trade,
};
use veloz_core::replay::TimedBar;

use crate::errors;

type Cell = pyo3::buffer::ReadOnlyCell<i64>;

/// A contiguous column of 64-bit integers.
fn column(py: Python<'_>, columns: &Bound<'_, PyDict>, name: &str) -> PyResult<Vec<i64>> {
    let value = columns.get_item(name)?;
    let value =
        value.ok_or_else(|| errors::data_error(&format!("the data have no column {name:?}")))?;
    let buffer = PyBuffer::<i64>::get(&value).map_err(|_| {
        errors::data_error(&format!("column {name:?} is not a contiguous array of 64-bit integers"))
    })?;
    buffer.to_vec(py)
}

/// A column that is read where it lies.
struct View {
    name: &'static str,
    buffer: PyBuffer<i64>,
}

impl View {
    fn of(columns: &Bound<'_, PyDict>, name: &'static str) -> PyResult<Self> {
        let value = columns.get_item(name)?;
        let value = value
            .ok_or_else(|| errors::data_error(&format!("the data have no column {name:?}")))?;
        let buffer = PyBuffer::<i64>::get(&value).ok().filter(|buffer| buffer.is_c_contiguous());
        let buffer = buffer.ok_or_else(|| {
            let text = format!("column {name:?} is not a contiguous array of 64-bit integers");
            errors::data_error(&text)
        })?;
        Ok(View { name, buffer })
    }

    fn rows(views: &[&View]) -> PyResult<usize> {
        let lengths: Vec<_> = views.iter().map(|v| (v.name, v.buffer.item_count())).collect();
        same_length(&lengths)?;
        Ok(lengths[0].1)
    }

    fn cells<'a>(&'a self, _attached: Python<'a>) -> &'a [Cell] {
        match self.buffer.as_slice_ptr() {
            // Sound: the buffer is held, contiguous, and read as cells under the interpreter's
            // lock, so that Python code may even write to it at other times.
            Some(raw) => unsafe {
                std::slice::from_raw_parts(raw.as_ptr().cast(), self.buffer.item_count())
            },
            None => &[],
        }
    }
}

fn column_or(
    py: Python<'_>,
    columns: &Bound<'_, PyDict>,
    name: &str,
    default: impl FnOnce() -> Vec<i64>,
) -> PyResult<Vec<i64>> {
    if columns.contains(name)? {
        column(py, columns, name)
    } else {
        Ok(default())
    }
}

fn same_length(columns: &[(&str, usize)]) -> PyResult<()> {
    let (first, rows) = columns[0];
    for (name, len) in columns {
        if *len != rows {
            return Err(errors::data_error(&format!(
                "column {name:?} has {len} rows, {first:?} has {rows}"
            )));
        }
    }
    Ok(())
}

/// Bars, appended to `rows`.
pub fn bars_of(
    py: Python<'_>,
    columns: &Bound<'_, PyDict>,
    row: u32,
    rows: &mut Vec<TimedBar>,
) -> PyResult<()> {
    let ts_open = View::of(columns, "ts_open")?;
    let ts_close = View::of(columns, "ts_close")?;
    let recv = if columns.contains("ts_recv")? { "ts_recv" } else { "ts_close" };
    let ts_recv = View::of(columns, recv)?;
    let open = View::of(columns, "open")?;
    let high = View::of(columns, "high")?;
    let low = View::of(columns, "low")?;
    let close = View::of(columns, "close")?;
    let volume = View::of(columns, "volume")?;
    let views = [&ts_open, &ts_close, &ts_recv, &open, &high, &low, &close, &volume];
    let count = View::rows(&views)?;
    let [ts_open, ts_close, ts_recv, open, high, low, close, volume] =
        views.map(|view| view.cells(py));
    rows.reserve(count);
    for at in 0..count {
        let bar = Bar {
            ts_open: ts_open[at].get(),
            ts_close: ts_close[at].get(),
            instrument: row,
            open: open[at].get(),
            high: high[at].get(),
            low: low[at].get(),
            close: close[at].get(),
            volume: volume[at].get(),
        };
        let inside = bar.low > 0
            && bar.low <= bar.open.min(bar.close)
            && bar.high >= bar.open.max(bar.close)
            && bar.ts_open < bar.ts_close
            && bar.volume >= 0;
        if !inside {
            return Err(errors::data_error(&format!(
                "bar {at} (opening at {} ns) is not a candle: its low must be positive and below, \
                 its high above, open and close; run `veloz data check`",
                bar.ts_open
            )));
        }
        rows.push(TimedBar { bar, ts_recv: ts_recv[at].get() });
    }
    Ok(())
}

/// Rows of a book feed, appended to `rows`.
pub fn ticks_of(
    py: Python<'_>,
    columns: &Bound<'_, PyDict>,
    row: u32,
    rows: &mut Vec<Tick>,
) -> PyResult<()> {
    let exchange = View::of(columns, "ts_exchange")?;
    let recv = View::of(columns, "ts_recv")?;
    let (price, qty) = (View::of(columns, "price")?, View::of(columns, "qty")?);
    let flags = View::of(columns, "flags")?;
    let views = [&exchange, &recv, &price, &qty, &flags];
    let count = View::rows(&views)?;
    let cells = views.map(|view| view.cells(py));
    let tick = |[exchange, recv, price, qty, flags]: [&Cell; 5]| Tick {
        ts_exchange: exchange.get(),
        ts_recv: recv.get(),
        price: price.get(),
        qty: qty.get(),
        flags: flags.get() as u32,
        instrument: row,
    };
    rows.reserve(count);
    for from in (0..count).step_by(LINE) {
        cells.iter().for_each(|column| ask_for(column, from + AHEAD));
        // Pieces of a length that the compiler knows: no check at each cell.
        match cells.map(|column| column[from..].first_chunk::<LINE>()) {
            [Some(a), Some(b), Some(c), Some(d), Some(e)] => {
                rows.extend((0..LINE).map(|at| tick([&a[at], &b[at], &c[at], &d[at], &e[at]])));
            }
            _ => rows.extend((from..count).map(|at| tick(cells.map(|column| &column[at])))),
        }
    }
    Ok(())
}

/// Cells of a cache line.
const LINE: usize = 8;
/// How far ahead cells are asked for. The processor foresees that a column goes on, but not across
/// pages, and five columns come to the end of one every hundred rows.
const AHEAD: usize = 128;

/// Asks memory for a cell that will be read soon; further pieces of a column often lie behind one.
#[inline(always)]
fn ask_for(column: &[Cell], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
        // Sound: a hint only, which at an address that is not there does nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(column.as_ptr().wrapping_add(at).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (column, at);
}

/// Public trades, appended to `rows`.
pub fn trades_of(
    py: Python<'_>,
    columns: &Bound<'_, PyDict>,
    row: u32,
    rows: &mut Vec<Trade>,
) -> PyResult<()> {
    let exchange = column(py, columns, "ts_exchange")?;
    let recv = column(py, columns, "ts_recv")?;
    let (price, qty) = (column(py, columns, "price")?, column(py, columns, "qty")?);
    let taker = column(py, columns, "taker")?;
    let ids = column_or(py, columns, "trade_id", || vec![0; exchange.len()])?;
    same_length(&[
        ("ts_exchange", exchange.len()),
        ("ts_recv", recv.len()),
        ("price", price.len()),
        ("qty", qty.len()),
        ("taker", taker.len()),
        ("trade_id", ids.len()),
    ])?;
    rows.extend((0..exchange.len()).map(|at| Trade {
        ts_exchange: exchange[at],
        ts_recv: recv[at],
        instrument: row,
        taker: taker[at].signum() as i8,
        price: price[at],
        qty: qty[at],
        trade_id: ids[at] as u64,
    }));
    Ok(())
}

/// Best bids and offers, appended to `rows`.
pub fn quotes_of(
    py: Python<'_>,
    columns: &Bound<'_, PyDict>,
    row: u32,
    rows: &mut Vec<Quote>,
) -> PyResult<()> {
    let exchange = column(py, columns, "ts_exchange")?;
    let recv = column(py, columns, "ts_recv")?;
    let [bid, bid_qty, ask, ask_qty] =
        ["bid_price", "bid_qty", "ask_price", "ask_qty"].map(|name| column(py, columns, name));
    let (bid, bid_qty, ask, ask_qty) = (bid?, bid_qty?, ask?, ask_qty?);
    same_length(&[
        ("ts_exchange", exchange.len()),
        ("ts_recv", recv.len()),
        ("bid_price", bid.len()),
        ("bid_qty", bid_qty.len()),
        ("ask_price", ask.len()),
        ("ask_qty", ask_qty.len()),
    ])?;
    rows.extend((0..exchange.len()).map(|at| Quote {
        ts_exchange: exchange[at],
        ts_recv: recv[at],
        instrument: row,
        bid_price: bid[at],
        bid_qty: bid_qty[at],
        ask_price: ask[at],
        ask_qty: ask_qty[at],
        update_id: 0,
    }));
    Ok(())
}

/// Mark prices, appended to `rows`.
pub fn marks_of(
    py: Python<'_>,
    columns: &Bound<'_, PyDict>,
    row: u32,
    rows: &mut Vec<MarkPrice>,
) -> PyResult<()> {
    let exchange = column(py, columns, "ts_exchange")?;
    let zeros = || vec![0; exchange.len()];
    let recv = column(py, columns, "ts_recv")?;
    let mark = column(py, columns, "mark")?;
    let index = column_or(py, columns, "index", zeros)?;
    let rate = column_or(py, columns, "funding_rate", zeros)?;
    let next = column_or(py, columns, "next_funding_ns", zeros)?;
    same_length(&[
        ("ts_exchange", exchange.len()),
        ("ts_recv", recv.len()),
        ("mark", mark.len()),
        ("index", index.len()),
        ("funding_rate", rate.len()),
        ("next_funding_ns", next.len()),
    ])?;
    rows.extend((0..exchange.len()).map(|at| MarkPrice {
        ts_exchange: exchange[at],
        ts_recv: recv[at],
        instrument: row,
        mark: mark[at],
        index: index[at],
        settle: 0,
        funding_rate: rate[at],
        next_funding_ns: next[at],
    }));
    Ok(())
}

/// Funding settlements, appended to `rows`.
pub fn fundings_of(
    py: Python<'_>,
    columns: &Bound<'_, PyDict>,
    row: u32,
    rows: &mut Vec<Funding>,
) -> PyResult<()> {
    let exchange = column(py, columns, "ts_exchange")?;
    let recv = column_or(py, columns, "ts_recv", || exchange.clone())?;
    let rate = column(py, columns, "rate")?;
    let mark = column_or(py, columns, "mark", || vec![0; exchange.len()])?;
    same_length(&[
        ("ts_exchange", exchange.len()),
        ("ts_recv", recv.len()),
        ("rate", rate.len()),
        ("mark", mark.len()),
    ])?;
    rows.extend((0..exchange.len()).map(|at| Funding {
        ts_exchange: exchange[at],
        ts_recv: recv[at],
        instrument: row,
        rate: rate[at],
        mark: mark[at],
    }));
    Ok(())
}

/// A reader of rows that a venue publishes beside: each names its columns beside the times.
macro_rules! published {
    ($(#[$meta:meta])* $name:ident, $variant:ident($record:ident) { $($column:ident),* }) => {
        $(#[$meta])*
        pub fn $name(
            py: Python<'_>,
            columns: &Bound<'_, PyDict>,
            row: u32,
            rows: &mut Vec<Published>,
        ) -> PyResult<()> {
            let exchange = column(py, columns, "ts_exchange")?;
            let recv = column_or(py, columns, "ts_recv", || exchange.clone())?;
            $(let $column = column(py, columns, stringify!($column))?;)*
            same_length(&[
                ("ts_exchange", exchange.len()),
                ("ts_recv", recv.len()),
                $((stringify!($column), $column.len()),)*
            ])?;
            rows.extend((0..exchange.len()).map(|at| {
                Published::$variant($record {
                    ts_exchange: exchange[at],
                    ts_recv: recv[at],
                    instrument: row,
                    $($column: narrow($column[at]),)*
                })
            }));
            Ok(())
        }
    };
}

/// A column's value as its field has it.
trait Narrow {
    fn narrow(value: i64) -> Self;
}

impl Narrow for i64 {
    fn narrow(value: i64) -> Self {
        value
    }
}

impl Narrow for i8 {
    /// A side: only its sign counts.
    fn narrow(value: i64) -> Self {
        value.signum() as i8
    }
}

fn narrow<T: Narrow>(value: i64) -> T {
    T::narrow(value)
}

published! {
    /// Index prices, appended to `rows`.
    indexes_of, Index(IndexPrice) { index }
}
published! {
    /// Open interest, appended to `rows`.
    interests_of, OpenInterest(OpenInterest) { qty }
}
published! {
    /// Liquidations, appended to `rows`.
    liquidations_of, Liquidation(Liquidation) { side, price, qty }
}
published! {
    /// Rolling statistics, appended to `rows`.
    tickers_of, Ticker(Ticker) { open, high, low, last, volume }
}
