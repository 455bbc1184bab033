//! `BinanceUserDecoder`: private frames, answers and REST bodies as frozen values.
//!
//! The reports are copies of the Rust ones with every number as an exact `Decimal`. The engine reads
//! the Rust ones; these are for what is cold: reconciliation, recovery, tests.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use veloz_venues::binance::json::Value;
use veloz_venues::binance::report::{OrderRow, Reply};
use veloz_venues::binance::user::{UserDecoder, UserEvent};

use crate::feed::{failed, frame_bytes, BinanceDecoder};
use crate::views::{
    owned, BinanceAccount, BinanceAlgoReport, BinanceBalance, BinanceConfig, BinanceOrderList,
    BinanceOrderReport, BinancePosition, BinanceTrade,
};

/// Adds this module's names to `veloz._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<BinanceUserDecoder>()?;
    module.add_class::<BinanceUserEvent>()?;
    module.add_class::<BinanceOrderReport>()?;
    module.add_class::<BinanceAlgoReport>()?;
    module.add_class::<BinanceBalance>()?;
    module.add_class::<BinancePosition>()?;
    module.add_class::<BinanceTrade>()?;
    module.add_class::<BinanceAccount>()?;
    module.add_class::<BinanceOrderList>()?;
    module.add_class::<BinanceConfig>()?;
    module.add_class::<BinanceRefusal>()?;
    module.add_class::<BinanceReply>()
}

/// Why there is no order at a place of a list.
#[pyclass(frozen, get_all, module = "veloz._core")]
#[derive(Clone)]
pub struct BinanceRefusal {
    /// int: The venue's code.
    code: i64,
    /// str: The venue's text.
    text: String,
}

/// What Binance answered.
#[pyclass(frozen, get_all, module = "veloz._core")]
pub struct BinanceReply {
    /// str | None: The request's id.
    id: Option<String>,
    /// int: HTTP status, or the frame's.
    status: u16,
    /// bytes | None: The result, as it stands in the frame.
    result: Option<Py<PyBytes>>,
    /// int | None: The venue's error code.
    code: Option<i64>,
    /// str | None: The venue's error text.
    text: Option<String>,
    /// bytes | None: Further data of the error.
    data: Option<Py<PyBytes>>,
    /// int | None: When to come back after a 429 or 418, ns since the epoch.
    retry_at: Option<i64>,
    /// list[tuple[str, int, int, int]]: Kind, window in s, limit and use of each limit.
    limits: Vec<(String, u64, i64, i64)>,
}

impl BinanceReply {
    fn of(py: Python<'_>, reply: &Reply<'_>, bytes: &[u8]) -> Self {
        let span = |value: Option<Value>| value.map(|at| PyBytes::new(py, at.of(bytes)).unbind());
        BinanceReply {
            id: owned(reply.id.as_deref()),
            status: reply.status,
            result: span(reply.result),
            code: reply.code,
            text: owned(reply.text.as_deref()),
            data: span(reply.data),
            retry_at: reply.retry_at,
            limits: reply
                .limits
                .iter()
                .map(|one| (one.kind.to_owned(), one.window_s, one.limit, one.count))
                .collect(),
        }
    }
}

/// A private event of Binance: its name, and the one report that it holds.
#[pyclass(frozen, get_all, module = "veloz._core")]
pub struct BinanceUserEvent {
    /// str: The venue's name of the event.
    name: String,
    /// str: "order", "fill", "algo", "account", "balance_change", "lock", "list", "margin_call",
    /// "config", "trigger_refused", "stream_ended", "shutdown" or "other".
    kind: &'static str,
    /// int | None: When the venue sent it, ns.
    ts_event: Option<i64>,
    /// int | None: Which subscription of the connection it belongs to.
    subscription: Option<i64>,
    /// Any: The report; None for "stream_ended", "shutdown" and "other".
    report: Option<Py<PyAny>>,
}

/// Kind and report of an event.
fn parts(py: Python<'_>, event: &UserEvent<'_>) -> PyResult<(&'static str, Option<Py<PyAny>>)> {
    fn object<T: pyo3::PyClass>(
        py: Python<'_>,
        kind: &'static str,
        view: impl Into<PyClassInitializer<T>>,
    ) -> PyResult<(&'static str, Option<Py<PyAny>>)> {
        Ok((kind, Some(Py::new(py, view)?.into_any())))
    }
    match event {
        UserEvent::Order(r) => object(py, "order", BinanceOrderReport::of(r)),
        UserEvent::Fill(r) => object(py, "fill", BinanceOrderReport::of(r)),
        UserEvent::Algo(r) => object(py, "algo", BinanceAlgoReport::of(r)),
        UserEvent::Account(r) => object(py, "account", BinanceAccount::of(r)),
        UserEvent::BalanceChange(r) => object(py, "balance_change", BinanceBalance::of(r)),
        UserEvent::Lock(r) => object(py, "lock", BinanceBalance::of(r)),
        UserEvent::List(r) => object(py, "list", BinanceOrderList::of(r)),
        UserEvent::MarginCall(r) => object(py, "margin_call", BinanceAccount::of(r)),
        UserEvent::Config(r) => object(py, "config", BinanceConfig::of(r)),
        UserEvent::TriggerRefused(r) => object(py, "trigger_refused", BinanceOrderReport::of(r)),
        UserEvent::StreamEnded => Ok(("stream_ended", None)),
        UserEvent::Shutdown => Ok(("shutdown", None)),
        UserEvent::Other(_) => Ok(("other", None)),
    }
}

/// BinanceUserDecoder()
///
/// Reads private frames, answers of the WebSocket API and REST bodies of Binance.
///
/// Every method raises `DecodeError`, which names the field and the byte, for what is malformed.
#[pyclass(module = "veloz._core")]
pub struct BinanceUserDecoder(UserDecoder);

#[pymethods]
impl BinanceUserDecoder {
    #[new]
    fn new() -> Self {
        BinanceUserDecoder(UserDecoder::new())
    }

    /// add_instruments(decoder: BinanceDecoder) -> None
    ///
    /// Adds a decoder's instruments, so that reports name their rows in its table.
    fn add_instruments(&mut self, decoder: PyRef<'_, BinanceDecoder>) {
        for (row, instrument) in decoder.instruments_of().iter().enumerate() {
            self.0.add(row as u32, instrument);
        }
    }

    /// frame(data: bytes | str) -> BinanceUserEvent | None
    ///
    /// One frame of a private stream; None for an answer of the WebSocket API: see `reply`.
    fn frame(
        &mut self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
    ) -> PyResult<Option<BinanceUserEvent>> {
        let Some(frame) = self.0.frame(frame_bytes(data)?).map_err(failed)? else {
            return Ok(None);
        };
        let (kind, report) = parts(py, &frame.event)?;
        let (ts_event, subscription) = (frame.ts_event, frame.subscription);
        let name = frame.name.to_owned();
        Ok(Some(BinanceUserEvent { name, kind, ts_event, subscription, report }))
    }

    /// reply(data: bytes | str) -> BinanceReply
    ///
    /// An answer of the WebSocket API.
    fn reply(&mut self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<BinanceReply> {
        let bytes = frame_bytes(data)?;
        self.0.reply(bytes).map(|reply| BinanceReply::of(py, &reply, bytes)).map_err(failed)
    }

    /// rest_reply(status: int, body: bytes | str) -> BinanceReply
    ///
    /// What REST answered: the code and text of an error; a body that is no JSON has neither.
    fn rest_reply(
        &mut self,
        py: Python<'_>,
        status: u16,
        body: &Bound<'_, PyAny>,
    ) -> PyResult<BinanceReply> {
        let bytes = frame_bytes(body)?;
        Ok(BinanceReply::of(py, &self.0.rest_reply(status, bytes), bytes))
    }

    /// orders(body: bytes | str) -> list[BinanceOrderReport | BinanceRefusal]
    ///
    /// The orders of a body or result, wherever they stand in it.
    fn orders<'py>(
        &mut self,
        py: Python<'py>,
        body: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let rows = PyList::empty(py);
        for row in self.0.orders(frame_bytes(body)?).map_err(failed)? {
            match row {
                OrderRow::Order(order) => rows.append(BinanceOrderReport::of(&order))?,
                OrderRow::Refused { code, text } => {
                    rows.append(BinanceRefusal { code, text: text.into_owned() })?;
                }
            }
        }
        Ok(rows)
    }

    /// algo_orders(body: bytes | str) -> list[BinanceAlgoReport]
    ///
    /// Conditional orders of futures: one, or a list.
    fn algo_orders(&mut self, body: &Bound<'_, PyAny>) -> PyResult<Vec<BinanceAlgoReport>> {
        let rows = self.0.algo_orders(frame_bytes(body)?).map_err(failed)?;
        Ok(rows.iter().map(BinanceAlgoReport::of).collect())
    }

    /// trades(body: bytes | str) -> list[BinanceTrade]
    ///
    /// Our own trades.
    fn trades(&mut self, body: &Bound<'_, PyAny>) -> PyResult<Vec<BinanceTrade>> {
        let rows = self.0.trades(frame_bytes(body)?).map_err(failed)?;
        Ok(rows.iter().map(BinanceTrade::of).collect())
    }

    /// account(body: bytes | str) -> BinanceAccount
    ///
    /// An account, a list of balances, or a list of positions.
    fn account(&mut self, body: &Bound<'_, PyAny>) -> PyResult<BinanceAccount> {
        self.0.account(frame_bytes(body)?).map(|r| BinanceAccount::of(&r)).map_err(failed)
    }

    /// dict[tuple[str, str], int]: Words that were not known, by field, and how often they came.
    #[getter]
    fn unknown<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let words = PyDict::new(py);
        for (field, word, count) in self.0.unknown() {
            words.set_item((field, word), count)?;
        }
        Ok(words)
    }
}
