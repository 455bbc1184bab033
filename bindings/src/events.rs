//! Market events and fills as strategies see them: frozen, typed, with `float` and exact views.
//!
//! Each holds the scaled integers and the two scales, and makes a `float` or a `Decimal` when it
//! is asked; a strategy may keep any of them for as long as it likes.

use pyo3::prelude::*;
use pyo3::types::PyString;
use veloz_core::facts;
use veloz_core::instrument::{Asset, Instrument};
use veloz_core::market;
use veloz_core::units::{small_to_f64, MARK_SCALE, RATE_SCALE};

use crate::numbers::decimal;

/// What an event needs of its instrument to show itself.
pub struct Face {
    pub symbol: Py<PyString>,
    pub price_scale: u8,
    pub qty_scale: u8,
}

impl Face {
    pub fn of(py: Python<'_>, instrument: &Instrument) -> Self {
        Face {
            symbol: PyString::new(py, &instrument.symbol).unbind(),
            price_scale: instrument.price_scale,
            qty_scale: instrument.qty_scale,
        }
    }
}

impl Clone for Face {
    #[inline]
    fn clone(&self) -> Self {
        // Events are only made while the interpreter is attached.
        let py = unsafe { Python::assume_attached() };
        Face {
            symbol: self.symbol.clone_ref(py),
            price_scale: self.price_scale,
            qty_scale: self.qty_scale,
        }
    }
}

macro_rules! event {
    (
        $(#[$meta:meta])*
        $name:ident($record:ty) {
            price: [$($price:ident / $pexact:ident: $pdoc:literal),*],
            qty: [$($qty:ident / $qexact:ident: $qdoc:literal),*],
            mark: [$($mark:ident / $mexact:ident: $mdoc:literal),*],
            rate: [$($rate:ident / $rexact:ident: $rdoc:literal),*],
            plain: [$($plain:ident: $plain_ty:ty: $plain_doc:literal),*],
        }
    ) => {
        $(#[$meta])*
        #[pyclass(frozen, module = "veloz")]
        pub struct $name {
            pub record: $record,
            pub face: Face,
        }

        impl $name {
            #[inline]
            pub fn new(record: $record, face: Face) -> Self {
                $name { record, face }
            }

            /// Puts the next event into an object that nobody else holds, else into a new one.
            ///
            /// A callback may keep what it was given: then the reference count says so, and the
            /// object is left alone for ever.
            #[inline]
            pub fn renew(
                py: Python<'_>,
                spare: &mut Option<Py<Self>>,
                record: $record,
                face: &Face,
            ) -> PyResult<Py<Self>> {
                if let Some(object) = spare.take() {
                    let is_ours = unsafe { pyo3::ffi::Py_REFCNT(object.as_ptr()) } == 1;
                    let body = std::ptr::from_ref(object.get()).cast_mut();
                    // Sound: one reference, ours, under the interpreter's lock; no weak references.
                    if is_ours && object.get().face.symbol.is(&face.symbol) {
                        unsafe { (*body).record = record };
                        return Ok(object);
                    }
                }
                Py::new(py, Self::new(record, face.clone()))
            }
        }

        #[pymethods]
        impl $name {
            /// str: The instrument's symbol.
            #[getter]
            fn symbol(&self, py: Python<'_>) -> Py<PyString> {
                self.face.symbol.clone_ref(py)
            }
            $(
                #[doc = $pdoc]
                #[getter]
                fn $price(&self) -> f64 {
                    small_to_f64(self.record.$price, self.face.price_scale)
                }
                #[doc = concat!("Decimal: `", stringify!($price), "`, exactly.")]
                #[getter]
                fn $pexact(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                    decimal(py, i128::from(self.record.$price), self.face.price_scale)
                }
            )*
            $(
                #[doc = $qdoc]
                #[getter]
                fn $qty(&self) -> f64 {
                    small_to_f64(self.record.$qty, self.face.qty_scale)
                }
                #[doc = concat!("Decimal: `", stringify!($qty), "`, exactly.")]
                #[getter]
                fn $qexact(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                    decimal(py, i128::from(self.record.$qty), self.face.qty_scale)
                }
            )*
            $(
                #[doc = $mdoc]
                #[getter]
                fn $mark(&self) -> f64 {
                    small_to_f64(self.record.$mark, MARK_SCALE)
                }
                #[doc = concat!("Decimal: `", stringify!($mark), "`, exactly.")]
                #[getter]
                fn $mexact(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                    decimal(py, i128::from(self.record.$mark), MARK_SCALE)
                }
            )*
            $(
                #[doc = $rdoc]
                #[getter]
                fn $rate(&self) -> f64 {
                    small_to_f64(self.record.$rate, RATE_SCALE)
                }
                #[doc = concat!("Decimal: `", stringify!($rate), "`, exactly.")]
                #[getter]
                fn $rexact(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                    decimal(py, i128::from(self.record.$rate), RATE_SCALE)
                }
            )*
            $(
                #[doc = $plain_doc]
                #[getter]
                fn $plain(&self) -> $plain_ty {
                    self.record.$plain
                }
            )*
            fn __eq__(&self, other: &Self) -> bool {
                self.record == other.record
            }
            fn __hash__(&self) -> u64 {
                use std::hash::{Hash, Hasher};
                // Equal in every process: the hasher is not seeded.
                #[allow(deprecated)]
                let mut hasher = std::hash::SipHasher::new();
                self.record.hash(&mut hasher);
                hasher.finish()
            }
            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                let mut parts = vec![format!("symbol={:?}", self.face.symbol.to_str(py)?)];
                $(parts.push(format!("{}={}", stringify!($plain), self.record.$plain));)*
                $(parts.push(format!("{}={}", stringify!($price), self.$price()));)*
                $(parts.push(format!("{}={}", stringify!($qty), self.$qty()));)*
                $(parts.push(format!("{}={}", stringify!($mark), self.$mark()));)*
                $(parts.push(format!("{}={}", stringify!($rate), self.$rate()));)*
                Ok(format!("{}({})", stringify!($name), parts.join(", ")))
            }
        }
    };
}

event! {
    /// A finished candle over `[ts_open, ts_close)`.
    Bar(market::Bar) {
        price: [open / open_exact: "float: First price.",
                high / high_exact: "float: Highest price.",
                low / low_exact: "float: Lowest price.",
                close / close_exact: "float: Last price."],
        qty: [volume / volume_exact: "float: Traded quantity; contracts for inverse instruments."],
        mark: [],
        rate: [],
        plain: [ts_open: i64: "int: Start of the interval, ns since the epoch, UTC.",
                ts_close: i64: "int: End of the interval, exclusive, ns; the bar does not exist before."],
    }
}

event! {
    /// One public execution.
    Trade(market::Trade) {
        price: [price / price_exact: "float: Price."],
        qty: [qty / qty_exact: "float: Quantity."],
        mark: [],
        rate: [],
        plain: [ts_exchange: i64: "int: When the venue matched it, ns.",
                ts_recv: i64: "int: When it reached this host, ns.",
                taker: i8: "int: Who took liquidity: +1 the buyer, -1 the seller, 0 unknown.",
                trade_id: u64: "int: The venue's number of the trade; 0 where the data have none."],
    }
}

event! {
    /// Best bid and best offer.
    Quote(market::Quote) {
        price: [bid_price / bid_price_exact: "float: Best bid.",
                ask_price / ask_price_exact: "float: Best offer."],
        qty: [bid_qty / bid_qty_exact: "float: Quantity at the best bid.",
              ask_qty / ask_qty_exact: "float: Quantity at the best offer."],
        mark: [],
        rate: [],
        plain: [ts_exchange: i64: "int: The venue's event time, ns.",
                ts_recv: i64: "int: When it reached this host, ns.",
                update_id: u64: "int: The book update it is the top of; 0 if unknown."],
    }
}

event! {
    /// A mark price and what the venue publishes with it.
    MarkPrice(market::MarkPrice) {
        price: [],
        qty: [],
        mark: [mark / mark_exact: "float: Mark price.",
               index / index_exact: "float: Index price; 0 where absent."],
        rate: [funding_rate / funding_rate_exact: "float: Estimated rate of the next settlement."],
        plain: [ts_exchange: i64: "int: The venue's event time, ns.",
                ts_recv: i64: "int: When it reached this host, ns.",
                next_funding_ns: i64: "int: Next settlement, ns; 0 if there is none."],
    }
}

event! {
    /// One funding settlement.
    Funding(market::Funding) {
        price: [],
        qty: [],
        mark: [mark / mark_exact: "float: Mark price of the instant."],
        rate: [rate / rate_exact: "float: Rate; longs pay when positive."],
        plain: [ts_exchange: i64: "int: The settlement instant, ns.",
                ts_recv: i64: "int: When it was known here, ns."],
    }
}

event! {
    /// An index price: the basket of spot venues that a contract follows.
    IndexPrice(market::IndexPrice) {
        price: [],
        qty: [],
        mark: [index / index_exact: "float: Index price."],
        rate: [],
        plain: [ts_exchange: i64: "int: The venue's event time, ns.",
                ts_recv: i64: "int: When it reached this host, ns."],
    }
}

event! {
    /// Contracts outstanding.
    OpenInterest(market::OpenInterest) {
        price: [],
        qty: [qty / qty_exact: "float: Open interest; contracts for inverse instruments."],
        mark: [],
        rate: [],
        plain: [ts_exchange: i64: "int: The venue's event time, ns.",
                ts_recv: i64: "int: When it reached this host, ns."],
    }
}

event! {
    /// A public notice that somebody's position is being closed by force.
    Liquidation(market::Liquidation) {
        price: [price / price_exact: "float: Average price of the forced order."],
        qty: [qty / qty_exact: "float: Quantity of the forced order."],
        mark: [],
        rate: [],
        plain: [ts_exchange: i64: "int: The venue's event time, ns.",
                ts_recv: i64: "int: When it reached this host, ns.",
                side: i8: "int: Side of the forced order: -1 sells (a long is closed), +1 buys."],
    }
}

event! {
    /// Statistics of a rolling window, usually of 24 hours.
    Ticker(market::Ticker) {
        price: [open / open_exact: "float: First price of the window.",
                high / high_exact: "float: Highest price.",
                low / low_exact: "float: Lowest price.",
                last / last_exact: "float: Last price."],
        qty: [volume / volume_exact: "float: Traded quantity; contracts for inverse instruments."],
        mark: [],
        rate: [],
        plain: [ts_exchange: i64: "int: The venue's event time, ns.",
                ts_recv: i64: "int: When it reached this host, ns."],
    }
}

/// One execution of an own order.
#[pyclass(frozen, module = "veloz")]
pub struct Fill {
    record: facts::Fill,
    face: Face,
    fee_asset: Py<PyString>,
    fee_scale: u8,
    settle_scale: u8,
}

impl Fill {
    pub fn new(
        py: Python<'_>,
        record: facts::Fill,
        face: Face,
        fee_asset: &Asset,
        settle: &Asset,
    ) -> Self {
        Fill {
            record,
            face,
            fee_asset: PyString::new(py, &fee_asset.name).unbind(),
            fee_scale: fee_asset.scale,
            settle_scale: settle.scale,
        }
    }
}

#[pymethods]
impl Fill {
    /// str: The instrument's symbol.
    #[getter]
    fn symbol(&self, py: Python<'_>) -> Py<PyString> {
        self.face.symbol.clone_ref(py)
    }

    /// int: Handle of the order.
    #[getter]
    fn order_id(&self) -> u64 {
        self.record.order
    }

    /// str: "buy" or "sell".
    #[getter]
    fn side(&self) -> &'static str {
        if self.record.side > 0 {
            "buy"
        } else {
            "sell"
        }
    }

    /// float: Price.
    #[getter]
    fn price(&self) -> f64 {
        small_to_f64(self.record.price, self.face.price_scale)
    }

    /// Decimal: `price`, exactly.
    #[getter]
    fn price_exact(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        decimal(py, i128::from(self.record.price), self.face.price_scale)
    }

    /// float: Quantity, positive.
    #[getter]
    fn qty(&self) -> f64 {
        small_to_f64(self.record.qty, self.face.qty_scale)
    }

    /// Decimal: `qty`, exactly.
    #[getter]
    fn qty_exact(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        decimal(py, i128::from(self.record.qty), self.face.qty_scale)
    }

    /// float: Quantity, negative for a sale.
    #[getter]
    fn signed_qty(&self) -> f64 {
        f64::from(self.record.side) * self.qty()
    }

    /// Decimal: Fee paid in `fee_asset`; negative is a rebate.
    #[getter]
    fn fee(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        decimal(py, self.record.fee, self.fee_scale)
    }

    /// str: What the fee was paid in.
    #[getter]
    fn fee_asset(&self, py: Python<'_>) -> Py<PyString> {
        self.fee_asset.clone_ref(py)
    }

    /// Decimal: Profit that the account realised, in the settlement currency.
    #[getter]
    fn realised(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        decimal(py, self.record.realised, self.settle_scale)
    }

    /// bool: True if the order was resting.
    #[getter]
    fn is_maker(&self) -> bool {
        self.record.is_maker
    }

    /// int: When it happened at the venue, ns.
    #[getter]
    fn ts_exchange(&self) -> i64 {
        self.record.ts_exchange
    }

    /// int: The venue's number of the trade.
    #[getter]
    fn trade_id(&self) -> u64 {
        self.record.trade_id
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.record == other.record
    }

    fn __hash__(&self) -> u64 {
        self.record.order.rotate_left(32) ^ self.record.trade_id
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (symbol, role) =
            (self.face.symbol.to_str(py)?, if self.record.is_maker { "maker" } else { "taker" });
        let (side, qty, price) = (self.side(), self.qty(), self.price());
        Ok(format!("Fill({side} {qty} {symbol} @ {price}, {role}, order={})", self.record.order))
    }
}
