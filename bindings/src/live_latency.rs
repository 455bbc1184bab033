//! What a live engine measures of itself: from the receipt of a read to each stage behind it.
//!
//! The receipt is that of the first frame of a read: whoever stands behind others in it waits, and
//! the wait counts.

use std::collections::BTreeMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use veloz_core::histogram::Histogram;

use crate::link::{wall_ns, Link};
use crate::live::LiveEngine;

/// Requests that have not been written yet; older ones are forgotten.
const MOST_UNWRITTEN: usize = 1_024;

/// The histograms, and what is needed to fill them.
#[derive(Default)]
pub struct Latencies {
    /// Market frame → strategy called.
    callback: Histogram,
    /// Frame → request made.
    request: Histogram,
    /// Frame → the request's bytes handed to the network.
    written: Histogram,
    /// Private frame or answer → `on_fill` called.
    fill: Histogram,
    /// Receipt of the input that is at work; 0 if it came from no socket.
    cause_ns: i64,
    /// The causes of requests that are not written yet.
    unwritten: BTreeMap<u64, i64>,
}

impl Latencies {
    /// An input begins that was received then; 0 if it came from no socket.
    #[inline]
    pub fn begin(&mut self, link: &Link, cause_ns: i64) {
        self.cause_ns = cause_ns;
        link.await_call();
    }

    /// The input has been applied.
    #[inline]
    pub fn end(&mut self, link: &Link, is_market: bool, has_requests: bool) {
        let (called, filled) = link.called_ns();
        let since = |then: i64| then - self.cause_ns;
        match (called, filled) {
            (Some(called), _) if is_market => self.callback.add(since(called)),
            (_, Some(filled)) if !is_market => self.fill.add(since(filled)),
            _ => {}
        }
        if has_requests {
            self.request.add(since(wall_ns()));
        } else {
            self.rest();
        }
    }

    /// A request leaves the engine under this number.
    pub fn leaves(&mut self, number: u64) {
        if self.cause_ns == 0 {
            return;
        }
        self.unwritten.insert(number, self.cause_ns);
        if self.unwritten.len() > MOST_UNWRITTEN {
            self.unwritten.pop_first();
        }
    }

    /// What follows has another cause.
    pub fn rest(&mut self) {
        self.cause_ns = 0;
    }

    fn written(&mut self, number: u64) {
        let now_ns = wall_ns(); // first: what is noted takes its time as well
        if let Some(cause_ns) = self.unwritten.remove(&number) {
            self.written.add(now_ns - cause_ns);
        }
    }

    fn named(&self, name: &str) -> Option<&Histogram> {
        match name {
            "callback" => Some(&self.callback),
            "request" => Some(&self.request),
            "written" => Some(&self.written),
            "fill" => Some(&self.fill),
            _ => None,
        }
    }
}

#[pymethods]
impl LiveEngine {
    /// written(number: int) -> None
    ///
    /// The bytes of a request were handed to the network: notes how long after its cause.
    #[pyo3(signature = (number, /))]
    fn written(&mut self, number: u64) {
        self.latencies.written(number);
    }

    /// latency(name: str) -> tuple[int, int, int, int]
    ///
    /// Count, p50, p99 and maximum in ns, from the receipt of the read: to the strategy's "callback"
    /// of a market frame, to the "request" that it makes, until the request's bytes are "written",
    /// and from a private frame or an answer to "fill", the strategy's `on_fill`.
    fn latency(&self, name: &str) -> PyResult<(u64, i64, i64, i64)> {
        let found = self.latencies.named(name);
        let histogram =
            found.ok_or_else(|| PyValueError::new_err(format!("no latency is named {name:?}")))?;
        let [half, most] = [0.5, 0.99].map(|share| histogram.quantile_ns(share));
        Ok((histogram.count(), half, most, histogram.max_ns()))
    }
}
