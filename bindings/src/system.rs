//! `SystemEvent`: what a strategy is told of the things around it.

use pyo3::prelude::*;
use pyo3::types::PyString;
use veloz_core::strategy::{self, SystemKind};

/// Something around the strategy changed: whether a market is to be believed, or whether it may
/// trade.
#[pyclass(frozen, get_all, module = "veloz")]
pub struct SystemEvent {
    /// str: "market_stale": the data of `symbol` is not to be believed, and new orders there are
    /// refused unless they reduce; "market_ready": it is (again); "frozen": new orders are refused,
    /// cancels still pass; "released": no more.
    kind: &'static str,
    /// str | None: Where; None for every instrument of the account.
    symbol: Option<Py<PyString>>,
    /// str: Why, in words; empty if there is nothing to say.
    reason: Py<PyString>,
    /// int: When the engine learned of it, ns.
    ts_ns: i64,
}

impl SystemEvent {
    pub fn new(
        py: Python<'_>,
        event: &strategy::SystemEvent<'_>,
        symbol: Option<Py<PyString>>,
        ts_ns: i64,
    ) -> Self {
        let kind = match event.kind {
            SystemKind::MarketStale => "market_stale",
            SystemKind::MarketReady => "market_ready",
            SystemKind::Frozen => "frozen",
            SystemKind::Released => "released",
        };
        SystemEvent { kind, symbol, reason: PyString::new(py, event.reason).unbind(), ts_ns }
    }
}

#[pymethods]
impl SystemEvent {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let symbol = self.symbol.as_ref().map(|symbol| symbol.to_str(py)).transpose()?;
        let (place, reason) = (symbol.unwrap_or("every instrument"), self.reason.to_str(py)?);
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        Ok(format!("SystemEvent({} on {place}{why})", self.kind))
    }
}
