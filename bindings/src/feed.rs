//! `veloz._core.BinanceDecoder`: Binance's frames in; books, counts and event columns out.

use pyo3::create_exception;
use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use veloz_core::book::{Book, BookSide, BookSync, PriceLevel, SyncState};
use veloz_core::instrument::{Instrument, Kind, Origin, Status};
use veloz_core::market::{
    AggTrade, Bar, Funding, IndexPrice, Liquidation, MarkPrice, OpenInterest, Quote, Tick, Ticker,
    Trade,
};
use veloz_core::record::{FieldKind, Record};
use veloz_core::units::{format_decimal, small_to_f64, POW10_F64, RATE_SCALE};
use veloz_venues::binance::decode::MessageKind;
use veloz_venues::binance::feed::Feed;
use veloz_venues::binance::infer::Inference;
use veloz_venues::binance::json::DecodeError as Fault;
use veloz_venues::binance::listing::ListingError;
use veloz_venues::binance::Market;

create_exception!(
    veloz._core,
    DecodeError,
    PyValueError,
    "A frame could not be decoded; the text names the field and the byte."
);

/// What `BinanceDecoder.frame` returns for a symbol that is not in the instrument table.
const UNKNOWN_SYMBOL: i64 = -1;

/// Adds this module's names to `veloz._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<BinanceDecoder>()?;
    module.add_class::<BinanceInference>()?;
    module.add_class::<BookView>()?;
    module.add("DecodeError", module.py().get_type::<DecodeError>())?;
    module.add_function(wrap_pyfunction!(record_schemas, module)?)
}

fn market(name: &str) -> PyResult<Market> {
    Market::named(name)
        .ok_or_else(|| PyValueError::new_err(format!("market {name:?} is not spot, usdm or coinm")))
}

pub fn failed(fault: Fault) -> PyErr {
    DecodeError::new_err(fault.to_string())
}

fn unlisted(error: ListingError) -> PyErr {
    match error {
        ListingError::Decode(fault) => failed(fault),
        ListingError::Assets(_) => PyValueError::new_err(error.to_string()),
    }
}

/// Lends the bytes of a frame to a call: of bytes, text, or any contiguous buffer of bytes, such as
/// the view that a socket's callback has for its own time.
#[inline]
pub fn with_bytes<R>(
    data: &Bound<'_, PyAny>,
    call: impl FnOnce(&[u8]) -> PyResult<R>,
) -> PyResult<R> {
    if let Ok(bytes) = frame_bytes(data) {
        return call(bytes);
    }
    let buffer = pyo3::buffer::PyBuffer::<u8>::get(data)
        .map_err(|_| PyTypeError::new_err("a frame is bytes, str or a buffer of bytes"))?;
    if !buffer.is_c_contiguous() {
        return Err(PyTypeError::new_err("a frame's buffer is contiguous"));
    }
    // Sound: the buffer is held for the call, which runs under the interpreter's lock on the
    // thread that owns the view; a view of a socket's frame is not written meanwhile.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast(), buffer.len_bytes()) };
    call(bytes)
}

/// The bytes of a frame given as bytes or as text.
#[inline]
pub fn frame_bytes<'a>(data: &'a Bound<'_, PyAny>) -> PyResult<&'a [u8]> {
    if let Ok(bytes) = data.cast::<PyBytes>() {
        return Ok(bytes.as_bytes());
    }
    match data.cast::<PyString>() {
        Ok(text) => Ok(text.to_str()?.as_bytes()),
        Err(_) => Err(PyTypeError::new_err("a frame is bytes or str")),
    }
}

fn code(kind: Option<MessageKind>) -> i64 {
    kind.map_or(UNKNOWN_SYMBOL, |kind| kind as i64)
}

/// Decodes one market's frames, keeps its books and counts what comes.
///
/// Args:
///     market: "spot", "usdm" or "coinm".
///     keep_events: Keep decoded events for `events()`; books are kept always.
///
/// Raises:
///     ValueError: If there is no such market.
#[pyclass(module = "veloz._core")]
pub struct BinanceDecoder(Feed);

impl BinanceDecoder {
    /// The instrument table.
    pub fn instruments_of(&self) -> &[Instrument] {
        self.0.instruments()
    }
}

#[pymethods]
impl BinanceDecoder {
    #[new]
    #[pyo3(signature = (market, *, keep_events = false))]
    fn new(market: &str, keep_events: bool) -> PyResult<Self> {
        Ok(BinanceDecoder(Feed::new(self::market(market)?, keep_events)))
    }

    /// The venue's names of the message kinds; `frame` and `rest` return an index into it.
    #[classattr]
    #[pyo3(name = "KINDS")]
    fn kinds(py: Python<'_>) -> PyResult<Py<pyo3::types::PyTuple>> {
        let names = MessageKind::ALL.map(MessageKind::name);
        Ok(pyo3::types::PyTuple::new(py, names)?.unbind())
    }

    /// Adds the instruments of an `exchangeInfo` body that are not known yet; returns how many.
    fn add_exchange_info(&mut self, body: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.0.add_exchange_info(frame_bytes(body)?).map_err(unlisted)
    }

    /// Adds inferred instruments that are not known yet; returns how many.
    fn add_inferred(&mut self, inference: &BinanceInference) -> PyResult<usize> {
        self.0.add_inferred(&inference.0).map_err(unlisted)
    }

    /// Decodes and applies one WebSocket frame, raw or combined.
    ///
    /// Args:
    ///     data: The frame, bytes or str.
    ///     ts_recv_ns: When it came, ns since the epoch.
    ///
    /// Returns:
    ///     The message's kind, an index into `KINDS`; -1 if its symbol is not in the table.
    ///
    /// Raises:
    ///     DecodeError: If it is malformed; books and events are as before.
    #[pyo3(signature = (data, ts_recv_ns, /))]
    fn frame(&mut self, data: &Bound<'_, PyAny>, ts_recv_ns: i64) -> PyResult<i64> {
        self.0.frame(frame_bytes(data)?, ts_recv_ns).map(code).map_err(failed)
    }

    /// Decodes and applies the body that a REST request was answered with.
    ///
    /// Args:
    ///     url: The request's URL; its path and `symbol` say what the body is.
    ///     body: The answer, bytes or str.
    ///     ts_recv_ns: When it came, ns since the epoch.
    ///
    /// Returns:
    ///     As `frame`. Exchange information adds its instruments.
    ///
    /// Raises:
    ///     DecodeError: If it is malformed; books and events are as before.
    #[pyo3(signature = (url, body, ts_recv_ns, /))]
    fn rest(&mut self, url: &str, body: &Bound<'_, PyAny>, ts_recv_ns: i64) -> PyResult<i64> {
        self.0.rest(url, frame_bytes(body)?, ts_recv_ns).map(code).map_err(failed)
    }

    /// The book of a venue symbol, a live view.
    ///
    /// Raises:
    ///     KeyError: If the symbol is not in the instrument table.
    fn book(mut slf: PyRefMut<'_, Self>, venue_symbol: &str) -> PyResult<BookView> {
        let row = slf
            .0
            .find(venue_symbol)
            .ok_or_else(|| PyKeyError::new_err(format!("no instrument {venue_symbol}")))?;
        let instrument = &slf.0.instruments()[row as usize];
        let (price_scale, qty_scale) = (instrument.price_scale, instrument.qty_scale);
        Ok(BookView { feed: slf.into(), row, price_scale, qty_scale })
    }

    /// Forgets all books after a lost connection: none is live before a new snapshot.
    fn disconnect(&mut self) {
        self.0.disconnect();
    }

    /// The market's name.
    #[getter]
    fn market(&self) -> &'static str {
        self.0.market().name()
    }

    /// The instrument table, one dict a row. Prices and quantities of filters are in the row's
    /// own units, notionals and rates at 18 decimals.
    #[getter]
    fn instruments<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let rows = PyList::empty(py);
        for instrument in self.0.instruments() {
            rows.append(instrument_row(py, &self.0, instrument)?)?;
        }
        Ok(rows)
    }

    /// Decoded messages by kind, without those that never came.
    #[getter]
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = PyDict::new(py);
        for kind in MessageKind::ALL {
            if self.0.count(kind) > 0 {
                counts.set_item(kind.name(), self.0.count(kind))?;
            }
        }
        Ok(counts)
    }

    /// Messages that ended in an error.
    #[getter]
    fn errors(&self) -> u64 {
        self.0.errors()
    }

    /// Messages by symbol that is not in the table.
    #[getter]
    fn unknown<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let unknown = PyDict::new(py);
        for (symbol, count) in self.0.unknown() {
            unknown.set_item(symbol, count)?;
        }
        Ok(unknown)
    }

    /// Hands over the kept events: packed rows by record type, laid out as `record_schemas` says,
    /// so that `np.frombuffer(rows, np.dtype(schema))` gives the columns. Types without a row are
    /// left out.
    fn events<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let columns = self.0.take_columns();
        let events = PyDict::new(py);
        put(&events, &columns.ticks)?;
        put(&events, &columns.trades)?;
        put(&events, &columns.agg_trades)?;
        put(&events, &columns.quotes)?;
        put(&events, &columns.bars)?;
        put(&events, &columns.mark_prices)?;
        put(&events, &columns.index_prices)?;
        put(&events, &columns.fundings)?;
        put(&events, &columns.open_interests)?;
        put(&events, &columns.liquidations)?;
        put(&events, &columns.tickers)?;
        Ok(events)
    }
}

fn put<R: Record>(events: &Bound<'_, PyDict>, records: &[R]) -> PyResult<()> {
    if records.is_empty() {
        return Ok(());
    }
    let mut rows = Vec::with_capacity(size_of_val(records));
    for record in records {
        record.put(&mut rows);
    }
    events.set_item(R::NAME, PyBytes::new(events.py(), &rows))
}

/// The packed layout of each record type: a list of (field, NumPy type) pairs by record name.
#[pyfunction]
fn record_schemas(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let schemas = PyDict::new(py);
    schema::<Tick>(&schemas)?;
    schema::<Trade>(&schemas)?;
    schema::<AggTrade>(&schemas)?;
    schema::<Quote>(&schemas)?;
    schema::<Bar>(&schemas)?;
    schema::<MarkPrice>(&schemas)?;
    schema::<IndexPrice>(&schemas)?;
    schema::<Funding>(&schemas)?;
    schema::<OpenInterest>(&schemas)?;
    schema::<Liquidation>(&schemas)?;
    schema::<Ticker>(&schemas)?;
    Ok(schemas)
}

fn schema<R: Record>(schemas: &Bound<'_, PyDict>) -> PyResult<()> {
    let fields = R::FIELDS.iter().map(|field| {
        let kind = match field.kind {
            FieldKind::Bool => "?",
            FieldKind::U8 => "u1",
            FieldKind::I8 => "i1",
            FieldKind::U16 => "<u2",
            FieldKind::U32 => "<u4",
            FieldKind::U64 => "<u8",
            FieldKind::I64 => "<i8",
            FieldKind::I128 => "V16",
            FieldKind::Bytes => "O",
        };
        (field.name, kind)
    });
    schemas.set_item(R::NAME, PyList::new(schemas.py(), fields.collect::<Vec<_>>())?)
}

fn instrument_row<'py>(
    py: Python<'py>,
    feed: &Feed,
    instrument: &Instrument,
) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    let asset = |id: u16| feed.assets()[id as usize].name.clone();
    row.set_item("symbol", &instrument.symbol)?;
    row.set_item("venue_symbol", &instrument.venue_symbol)?;
    row.set_item(
        "kind",
        match instrument.kind {
            Kind::Spot => "spot",
            Kind::Linear => "linear",
            Kind::Inverse => "inverse",
        },
    )?;
    row.set_item("base", asset(instrument.base))?;
    row.set_item("quote", asset(instrument.quote))?;
    row.set_item("settle", asset(instrument.settle))?;
    row.set_item("price_scale", instrument.price_scale)?;
    row.set_item("qty_scale", instrument.qty_scale)?;
    row.set_item("tick", instrument.tick)?;
    row.set_item("lot", instrument.lot)?;
    let multiplier = i128::from(instrument.multiplier);
    row.set_item("multiplier", format_decimal(multiplier, instrument.multiplier_scale))?;
    let rate = |rate: i64| format_decimal(i128::from(rate), RATE_SCALE);
    row.set_item("maker_fee", rate(instrument.maker_fee))?;
    row.set_item("taker_fee", rate(instrument.taker_fee))?;
    row.set_item("liquidation_fee", rate(instrument.liquidation_fee))?;
    let limits = &instrument.filters;
    row.set_item("min_price", limits.min_price)?;
    row.set_item("max_price", limits.max_price)?;
    row.set_item("min_qty", limits.min_qty)?;
    row.set_item("max_qty", limits.max_qty)?;
    row.set_item("market_max_qty", limits.market_max_qty)?;
    row.set_item("market_lot", limits.market_lot)?;
    row.set_item("min_notional", format_decimal(limits.min_notional, RATE_SCALE))?;
    row.set_item("max_notional", format_decimal(limits.max_notional, RATE_SCALE))?;
    row.set_item("max_orders", limits.max_orders)?;
    row.set_item("max_conditional_orders", limits.max_conditional_orders)?;
    row.set_item("max_iceberg_parts", limits.max_iceberg_parts)?;
    let band = limits.percent_price.map(|band| (rate(band.up), rate(band.down), band.both_sides));
    row.set_item("percent_price", band)?;
    row.set_item("expiry_ns", instrument.expiry_ns)?;
    row.set_item(
        "status",
        match instrument.status {
            Status::Trading => "trading",
            Status::CancelOnly => "cancel_only",
            Status::Halt => "halt",
            Status::Closed => "closed",
        },
    )?;
    row.set_item(
        "origin",
        match instrument.origin {
            Origin::Venue => "venue",
            Origin::File => "file",
            Origin::Inferred => "inferred",
        },
    )?;
    Ok(row)
}

/// Infers instruments from the frames of a recording that holds no exchange information: tick and
/// lot are the steps seen.
///
/// Args:
///     market: "spot", "usdm" or "coinm".
#[pyclass(module = "veloz._core")]
pub struct BinanceInference(Inference);

#[pymethods]
impl BinanceInference {
    #[new]
    fn new(market: &str) -> PyResult<Self> {
        Ok(BinanceInference(Inference::new(self::market(market)?)))
    }

    /// Looks at a WebSocket frame, bytes or str; a malformed one shows nothing.
    #[pyo3(signature = (data, /))]
    fn frame(&mut self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.frame(frame_bytes(data)?);
        Ok(())
    }

    /// Looks at the body, bytes or str, that a REST request was answered with.
    #[pyo3(signature = (url, body, /))]
    fn rest(&mut self, url: &str, body: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.rest(url, frame_bytes(body)?);
        Ok(())
    }
}

/// One instrument's book inside a decoder; a live view. Prices and quantities are floats.
///
/// Figures are of the last levels known; they are current only while `state` is "live".
#[pyclass(module = "veloz._core", frozen)]
pub struct BookView {
    feed: Py<BinanceDecoder>,
    row: u32,
    price_scale: u8,
    qty_scale: u8,
}

/// The side of the book that a taker of this side meets.
fn met_by(side: &str) -> PyResult<BookSide> {
    match side {
        "buy" => Ok(BookSide::Asks),
        "sell" => Ok(BookSide::Bids),
        _ => Err(PyValueError::new_err(format!("side {side:?} is not buy or sell"))),
    }
}

impl BookView {
    #[inline]
    fn read<T>(&self, py: Python<'_>, read: impl FnOnce(&BookSync) -> T) -> PyResult<Option<T>> {
        Ok(self.feed.bind(py).try_borrow()?.0.sync(self.row).map(read))
    }

    fn figure(
        &self,
        py: Python<'_>,
        read: impl FnOnce(&Book) -> Option<f64>,
    ) -> PyResult<Option<f64>> {
        Ok(self.read(py, |sync| read(sync.book()))?.flatten())
    }

    fn price(&self, units: f64) -> f64 {
        units / POW10_F64[self.price_scale as usize]
    }

    fn units(&self, value: f64, scale: u8) -> PyResult<i64> {
        let units = (value * POW10_F64[scale as usize]).round();
        if units.is_finite() && (0.0..9e18).contains(&units) {
            return Ok(units as i64);
        }
        Err(PyValueError::new_err(format!("{value} is no price or quantity of this book")))
    }

    fn level(&self, level: PriceLevel) -> (f64, f64) {
        (small_to_f64(level.price, self.price_scale), small_to_f64(level.qty, self.qty_scale))
    }

    fn text(&self, level: PriceLevel) -> (String, String) {
        (
            format_decimal(i128::from(level.price), self.price_scale),
            format_decimal(i128::from(level.qty), self.qty_scale),
        )
    }
}

#[pymethods]
impl BookView {
    /// (bid, bid quantity, ask, ask quantity), or None while a side is empty.
    #[getter]
    fn best(&self, py: Python<'_>) -> PyResult<Option<(f64, f64, f64, f64)>> {
        let best = self.read(py, |sync| sync.book().best())?.flatten();
        Ok(best.map(|(bid, ask)| {
            let ((bid, bid_qty), (ask, ask_qty)) = (self.level(bid), self.level(ask));
            (bid, bid_qty, ask, ask_qty)
        }))
    }

    /// As `best`, in the instrument's integer units.
    #[getter]
    fn best_units(&self, py: Python<'_>) -> PyResult<Option<(i64, i64, i64, i64)>> {
        let best = self.read(py, |sync| sync.book().best())?.flatten();
        Ok(best.map(|(bid, ask)| (bid.price, bid.qty, ask.price, ask.qty)))
    }

    /// "waiting" for a snapshot, "live", or "stale" after a gap.
    #[getter]
    fn state(&self, py: Python<'_>) -> PyResult<&'static str> {
        let state = self.read(py, BookSync::state)?;
        Ok(match state {
            None | Some(SyncState::Waiting) => "waiting",
            Some(SyncState::Live) => "live",
            Some(SyncState::Stale) => "stale",
        })
    }

    /// Last update id that the book includes; 0 before the first snapshot.
    #[getter]
    fn last_update_id(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.read(py, BookSync::last_id)?.unwrap_or(0))
    }

    /// diffs, applied, old, gaps, snapshots, too_old, resyncs, crossed, forgotten.
    #[getter]
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = self.read(py, BookSync::counts)?.unwrap_or_default();
        let counts = PyDict::new(py);
        counts.set_item("diffs", found.diffs)?;
        counts.set_item("applied", found.applied)?;
        counts.set_item("old", found.old)?;
        counts.set_item("gaps", found.gaps)?;
        counts.set_item("snapshots", found.snapshots)?;
        counts.set_item("too_old", found.too_old)?;
        counts.set_item("resyncs", found.resyncs)?;
        counts.set_item("crossed", found.crossed)?;
        counts.set_item("forgotten", found.forgotten)?;
        Ok(counts)
    }

    /// Number of (bids, asks).
    #[getter]
    fn depth(&self, py: Python<'_>) -> PyResult<(usize, usize)> {
        let depth = self
            .read(py, |sync| (sync.book().len(BookSide::Bids), sync.book().len(BookSide::Asks)))?;
        Ok(depth.unwrap_or_default())
    }

    /// The best n (bids, asks), each a list of (price, quantity), best first.
    #[pyo3(signature = (n = 10))]
    #[allow(clippy::type_complexity)] // the shape is the docstring's
    fn top(&self, py: Python<'_>, n: usize) -> PyResult<(Vec<(f64, f64)>, Vec<(f64, f64)>)> {
        let top = self.read(py, |sync| {
            let side = |side| sync.book().top(side, n).into_iter().map(|l| self.level(l)).collect();
            (side(BookSide::Bids), side(BookSide::Asks))
        })?;
        Ok(top.unwrap_or_default())
    }

    /// As `top`, exact: plain decimal text without trailing zeros.
    #[pyo3(signature = (n = 10))]
    #[allow(clippy::type_complexity)] // the shape is the docstring's
    fn top_text(
        &self,
        py: Python<'_>,
        n: usize,
    ) -> PyResult<(Vec<(String, String)>, Vec<(String, String)>)> {
        let top = self.read(py, |sync| {
            let side = |side| sync.book().top(side, n).into_iter().map(|l| self.text(l)).collect();
            (side(BookSide::Bids), side(BookSide::Asks))
        })?;
        Ok(top.unwrap_or_default())
    }

    /// Halfway between the best prices.
    #[getter]
    fn mid(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        Ok(self.figure(py, Book::mid)?.map(|units| self.price(units)))
    }

    /// Best ask minus best bid.
    #[getter]
    fn spread(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        let spread = self.figure(py, |book| book.spread().map(|units| units as f64))?;
        Ok(spread.map(|units| self.price(units)))
    }

    /// The best prices weighted by the opposite quantities.
    #[getter]
    fn microprice(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        Ok(self.figure(py, Book::microprice)?.map(|units| self.price(units)))
    }

    /// (bids − asks) ÷ (bids + asks) by quantity over the best n levels, in [−1, 1].
    #[pyo3(signature = (n = 5))]
    fn imbalance(&self, py: Python<'_>, n: usize) -> PyResult<Option<f64>> {
        self.figure(py, |book| book.imbalance(n))
    }

    /// Average price of taking a quantity; None if the book holds less. A "buy" meets the asks.
    fn vwap(&self, py: Python<'_>, side: &str, qty: f64) -> PyResult<Option<f64>> {
        let (side, qty) = (met_by(side)?, self.units(qty, self.qty_scale)?);
        Ok(self.figure(py, |book| book.vwap(side, qty))?.map(|units| self.price(units)))
    }

    /// Average price of the best n levels that a taker of this side meets.
    fn vwap_of_levels(&self, py: Python<'_>, side: &str, n: usize) -> PyResult<Option<f64>> {
        let side = met_by(side)?;
        Ok(self.figure(py, |book| book.vwap_of_levels(side, n))?.map(|units| self.price(units)))
    }

    /// What taking a quantity costs beyond the mid, in basis points of it.
    fn impact_bps(&self, py: Python<'_>, side: &str, qty: f64) -> PyResult<Option<f64>> {
        let (side, qty) = (met_by(side)?, self.units(qty, self.qty_scale)?);
        self.figure(py, |book| book.impact_bps(side, qty))
    }

    /// Quantity that stands at a price among the "bid" or "ask" levels.
    fn qty_at(&self, py: Python<'_>, side: &str, price: f64) -> PyResult<f64> {
        let side = match side {
            "bid" => BookSide::Bids,
            "ask" => BookSide::Asks,
            _ => return Err(PyValueError::new_err(format!("side {side:?} is not bid or ask"))),
        };
        let price = self.units(price, self.price_scale)?;
        let qty = self.read(py, |sync| sync.book().qty_at(side, price))?.unwrap_or(0);
        Ok(small_to_f64(qty, self.qty_scale))
    }
}
