//! What a Python strategy and the adapter that the engine calls have in common.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use pyo3::prelude::*;

use crate::indicators::Indicator;
use crate::link::Link;

/// An indicator and the bars that feed it.
pub struct Fed {
    pub instrument: u32,
    pub interval_ns: i64,
    pub indicator: Py<Indicator>,
    /// End of the last bar that it had, ns; the lowest number before the first.
    pub last_ns: Cell<i64>,
}

/// What a strategy and its adapter share. Only touched under the interpreter's lock.
pub struct Wiring {
    pub link: Arc<Link>,
    pub fed: RefCell<Vec<Fed>>,
    /// Names of timers, by number.
    pub timers: RefCell<Vec<(Py<PyAny>, bool)>>,
    /// True once every indicator is ready; then nobody asks again.
    pub warm: Cell<bool>,
    /// Room for the levels of one `quote`, bids and asks, kept so that each call need not allocate.
    pub levels: Cell<[Vec<(i64, i64)>; 2]>,
}

unsafe impl Send for Wiring {}
unsafe impl Sync for Wiring {}

impl Wiring {
    pub fn new(link: Arc<Link>) -> Self {
        Wiring {
            link,
            fed: RefCell::new(Vec::new()),
            timers: RefCell::new(Vec::new()),
            warm: Cell::new(false),
            levels: Cell::default(),
        }
    }
}
