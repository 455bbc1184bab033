//! `Book`: the live view of an instrument's market that a strategy reads.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyString;
use veloz_core::book::{BookSide, PriceLevel};
use veloz_core::desk::MarketView;
use veloz_core::instrument::Instrument;
use veloz_core::units::small_to_f64;

use crate::link::Link;
use crate::numbers::{scaled, Meaning};

/// The live market of one instrument: keep it, and read it at any time.
///
/// Prices and quantities are floats; a figure that the market does not give yet is NaN.
#[pyclass(frozen, module = "veloz")]
pub struct Book {
    row: u32,
    link: Arc<Link>,
}

impl Book {
    pub fn new(row: u32, link: Arc<Link>) -> Self {
        Book { row, link }
    }

    #[inline]
    fn view(&self) -> PyResult<&MarketView> {
        Ok(&self.link.desk()?.markets[self.row as usize])
    }

    #[inline]
    fn instrument(&self) -> &Instrument {
        &self.link.instruments[self.row as usize]
    }

    #[inline]
    fn price(&self, price: Option<i64>) -> f64 {
        let scale = self.link.faces[self.row as usize].price_scale;
        price.map_or(f64::NAN, |price| small_to_f64(price, scale))
    }

    #[inline]
    fn qty(&self, qty: Option<i64>) -> f64 {
        let scale = self.link.faces[self.row as usize].qty_scale;
        qty.map_or(f64::NAN, |qty| small_to_f64(qty, scale))
    }

    /// A mean price that the core gives in price units.
    fn mean(&self, price: Option<f64>) -> f64 {
        let scale = self.link.faces[self.row as usize].price_scale;
        price.map_or(f64::NAN, |price| price / 10_f64.powi(i32::from(scale)))
    }

    fn levels(&self, levels: &[PriceLevel]) -> Vec<(f64, f64)> {
        levels.iter().map(|l| (self.price(Some(l.price)), self.qty(Some(l.qty)))).collect()
    }

    fn side(&self, side: &str) -> PyResult<BookSide> {
        match side {
            "buy" => Ok(BookSide::Asks),
            "sell" => Ok(BookSide::Bids),
            other => Err(pyo3::exceptions::PyValueError::new_err(format!(
                "side {other:?} is neither \"buy\" nor \"sell\""
            ))),
        }
    }
}

#[pymethods]
impl Book {
    /// str: The instrument's symbol.
    #[getter]
    fn symbol(&self, py: Python<'_>) -> Py<PyString> {
        self.link.faces[self.row as usize].symbol.clone_ref(py)
    }

    /// float: Smallest price step of the instrument.
    #[getter]
    fn tick(&self) -> f64 {
        self.price(Some(self.instrument().tick))
    }

    /// float: Smallest quantity step of the instrument.
    #[getter]
    fn lot(&self) -> f64 {
        self.qty(Some(self.instrument().lot))
    }

    /// float: Best bid price.
    #[getter]
    fn bid(&self) -> PyResult<f64> {
        let view = self.view()?;
        let bid = view.book.best_bid().map(|level| level.price);
        Ok(self.price(bid.or(view.quote.map(|quote| quote.bid_price))))
    }

    /// float: Best ask price.
    #[getter]
    fn ask(&self) -> PyResult<f64> {
        let view = self.view()?;
        let ask = view.book.best_ask().map(|level| level.price);
        Ok(self.price(ask.or(view.quote.map(|quote| quote.ask_price))))
    }

    /// float: Quantity at the best bid.
    #[getter]
    fn bid_qty(&self) -> PyResult<f64> {
        let view = self.view()?;
        let bid = view.book.best_bid().map(|level| level.qty);
        Ok(self.qty(bid.or(view.quote.map(|quote| quote.bid_qty))))
    }

    /// float: Quantity at the best ask.
    #[getter]
    fn ask_qty(&self) -> PyResult<f64> {
        let view = self.view()?;
        let ask = view.book.best_ask().map(|level| level.qty);
        Ok(self.qty(ask.or(view.quote.map(|quote| quote.ask_qty))))
    }

    /// bool: True if both sides have a price that may be believed.
    #[getter]
    fn is_ready(&self) -> PyResult<bool> {
        let view = self.view()?;
        Ok(!view.is_stale && view.touch().is_some())
    }

    /// bool: True while the levels are not to be believed: after a gap, a lost connection, or
    /// silence. Orders that open are refused meanwhile.
    #[getter]
    fn is_stale(&self) -> PyResult<bool> {
        Ok(self.view()?.is_stale)
    }

    /// float: Middle of best bid and best ask.
    #[getter]
    fn mid(&self) -> PyResult<f64> {
        let touch = self.view()?.touch();
        let scale = 10_f64.powi(i32::from(self.link.faces[self.row as usize].price_scale));
        Ok(touch.map_or(f64::NAN, |(bid, ask)| (bid + ask) as f64 / (2.0 * scale)))
    }

    /// float: Best ask less best bid.
    #[getter]
    fn spread(&self) -> PyResult<f64> {
        Ok(self.price(self.view()?.touch().map(|(bid, ask)| ask - bid)))
    }

    /// float: Mid weighted by the quantity of the other side.
    #[getter]
    fn microprice(&self) -> PyResult<f64> {
        Ok(self.mean(self.view()?.book.microprice()))
    }

    /// float: Last traded price, or the close of the last bar.
    #[getter]
    fn last(&self) -> PyResult<f64> {
        let last = self.view()?.last;
        Ok(self.price((last > 0).then_some(last)))
    }

    /// float: Mark price; NaN where the run has none.
    #[getter]
    fn mark(&self) -> PyResult<f64> {
        let mark = self.view()?.mark;
        Ok(if mark > 0 { small_to_f64(mark, veloz_core::units::MARK_SCALE) } else { f64::NAN })
    }

    /// list[tuple[float, float]]: The best `n` bids as (price, qty), best first.
    #[pyo3(signature = (n=20))]
    fn bids(&self, n: usize) -> PyResult<Vec<(f64, f64)>> {
        Ok(self.levels(&self.view()?.book.top(BookSide::Bids, n)))
    }

    /// list[tuple[float, float]]: The best `n` asks as (price, qty), best first.
    #[pyo3(signature = (n=20))]
    fn asks(&self, n: usize) -> PyResult<Vec<(f64, f64)>> {
        Ok(self.levels(&self.view()?.book.top(BookSide::Asks, n)))
    }

    /// float: Share of bids in the quantity of the best `n` levels, from -1 (asks) to 1 (bids).
    #[pyo3(signature = (n=5))]
    fn imbalance(&self, n: usize) -> PyResult<f64> {
        Ok(self.view()?.book.imbalance(n).unwrap_or(f64::NAN))
    }

    /// float: Mean price of taking `qty` from the book; NaN if the book is too thin.
    fn vwap(&self, side: &str, qty: &Bound<'_, PyAny>) -> PyResult<f64> {
        let qty = scaled(qty, self.instrument(), Meaning::Qty)?;
        Ok(self.mean(self.view()?.book.vwap(self.side(side)?, qty)))
    }

    /// float: Cost of taking `qty`, hundredths of a per cent beyond mid; NaN if too thin.
    fn impact_bps(&self, side: &str, qty: &Bound<'_, PyAny>) -> PyResult<f64> {
        let qty = scaled(qty, self.instrument(), Meaning::Qty)?;
        Ok(self.view()?.book.impact_bps(self.side(side)?, qty).unwrap_or(f64::NAN))
    }

    fn __repr__(&self) -> PyResult<String> {
        let (bid, ask) = (self.bid()?, self.ask()?);
        Ok(format!("Book({}, bid={bid}, ask={ask})", self.instrument().symbol))
    }
}
