//! The one link between Python objects and the desk of a run.
//!
//! Strategies, orders and books that Python holds reach the desk through a [`Link`]: during a
//! callback through the port that the engine lent, otherwise through the resting desk itself.
//! Nothing here runs Python code while the desk is borrowed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use veloz_core::desk::Desk;
use veloz_core::instrument::{Asset, Instrument};
use veloz_core::strategy::Port;

use crate::errors;
use crate::events::Face;

/// Instruments by row, each in the version that holds now. One that was replaced stays where it is
/// for as long as the link: who looks at it keeps it.
pub struct Versions {
    now: Vec<Cell<*const Instrument>>,
    all: RefCell<Vec<*mut Instrument>>,
}

impl Versions {
    fn new(instruments: Vec<Instrument>) -> Self {
        let mut versions = Versions { now: Vec::new(), all: RefCell::default() };
        versions.now = instruments.into_iter().map(|one| Cell::new(versions.keep(one))).collect();
        versions
    }

    fn keep(&self, instrument: Instrument) -> *const Instrument {
        let kept = Box::into_raw(Box::new(instrument));
        self.all.borrow_mut().push(kept);
        kept
    }

    /// Puts a new version in the place of a row's.
    pub fn renew(&self, row: usize, instrument: Instrument) {
        self.now[row].set(self.keep(instrument));
    }

    pub fn len(&self) -> usize {
        self.now.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Instrument> {
        (0..self.now.len()).map(|row| &self[row])
    }
}

impl std::ops::Index<usize> for Versions {
    type Output = Instrument;

    #[inline]
    fn index(&self, row: usize) -> &Instrument {
        // Every version lives as long as `self`, and none is changed once it is kept.
        unsafe { &*self.now[row].get() }
    }
}

impl Drop for Versions {
    fn drop(&mut self) {
        self.now.clear();
        for kept in self.all.get_mut().drain(..) {
            // Made by `keep`, and freed here alone.
            drop(unsafe { Box::from_raw(kept) });
        }
    }
}

/// The way to a desk. Only touched by threads that hold the interpreter's lock.
pub struct Link {
    /// The port of the callback that is running; null outside callbacks.
    port: Cell<*mut Port<'static>>,
    /// The desk while no run is under way; null while the engine has it, and after it is gone.
    resting: Cell<*mut Desk>,
    pub instruments: Versions,
    pub assets: Vec<Asset>,
    pub faces: Vec<Face>,
    rows: HashMap<String, u32>,
    /// When the first callback since it was asked for began, ns; 0 before, -1 if nobody asks.
    called_ns: Cell<i64>,
    /// The same of `on_fill`.
    filled_ns: Cell<i64>,
    /// The last symbol that was looked up: strategies ask for the same one again and again.
    last: RefCell<Option<(Py<PyAny>, u32)>>,
}

// The pointers are only used under the interpreter's lock, by the thread that runs the engine or,
// at rest, by one thread at a time.
unsafe impl Send for Link {}
unsafe impl Sync for Link {}

impl Link {
    pub fn new(py: Python<'_>, instruments: Vec<Instrument>, assets: Vec<Asset>) -> Self {
        let faces = instruments.iter().map(|instrument| Face::of(py, instrument)).collect();
        let rows =
            instruments.iter().enumerate().map(|(row, i)| (i.symbol.clone(), row as u32)).collect();
        Link {
            port: Cell::new(std::ptr::null_mut()),
            resting: Cell::new(std::ptr::null_mut()),
            instruments: Versions::new(instruments),
            assets,
            faces,
            rows,
            called_ns: Cell::new(-1),
            filled_ns: Cell::new(-1),
            last: RefCell::new(None),
        }
    }

    /// Asks when the next callback begins.
    #[inline]
    pub fn await_call(&self) {
        self.called_ns.set(0);
        self.filled_ns.set(0);
    }

    /// When it began, and when `on_fill` did, ns since the epoch; `None` where there was none.
    #[inline]
    pub fn called_ns(&self) -> (Option<i64>, Option<i64>) {
        let [called, filled] = [&self.called_ns, &self.filled_ns].map(|at| at.replace(-1));
        ((called > 0).then_some(called), (filled > 0).then_some(filled))
    }

    /// A callback begins.
    #[inline]
    pub fn note_call(&self) {
        if self.called_ns.get() == 0 {
            self.called_ns.set(wall_ns());
        }
    }

    /// A call of `on_fill` is next.
    #[inline]
    pub fn note_fill(&self) {
        if self.filled_ns.get() == 0 {
            self.filled_ns.set(wall_ns());
        }
    }

    /// Lends the port for the time of `call`.
    #[inline]
    pub fn lend<R>(&self, port: &mut Port<'_>, call: impl FnOnce() -> R) -> R {
        let outer = self.port.replace(std::ptr::from_mut(port).cast());
        let result = call();
        self.port.set(outer);
        result
    }

    /// Says where the desk rests, or that it does not.
    pub fn rest(&self, desk: *mut Desk) {
        self.resting.set(desk);
    }

    /// The port of the running callback.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "a pointer is followed, the link is not borrowed")]
    pub fn port(&self) -> PyResult<&mut Port<'static>> {
        let port = self.port.get();
        if port.is_null() {
            return Err(errors::strategy_error(
                "this call works only inside a callback of a running strategy",
            ));
        }
        // Lent by `lend`, which outlives the callback that we are in.
        Ok(unsafe { &mut *port })
    }

    /// The port, for one more command; a callback that gives them without end gets an error.
    #[inline]
    pub fn giving(&self) -> PyResult<&mut Port<'static>> {
        let port = self.port()?;
        if port.is_flooded() {
            return Err(errors::strategy_error(
                "one callback gave more than 10000 commands; look for a loop that does not end",
            ));
        }
        Ok(port)
    }

    /// The desk, in a callback or at rest.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "a pointer is followed, the link is not borrowed")]
    pub fn desk(&self) -> PyResult<&mut Desk> {
        let port = self.port.get();
        if !port.is_null() {
            return Ok(unsafe { &mut *port }.desk_mut());
        }
        let desk = self.resting.get();
        if desk.is_null() {
            return Err(PyRuntimeError::new_err(
                "the run that this belongs to is not there any more",
            ));
        }
        Ok(unsafe { &mut *desk })
    }

    /// The row of a symbol.
    #[inline]
    pub fn row(&self, symbol: &Bound<'_, PyAny>) -> PyResult<u32> {
        if let Some((last, row)) = &*self.last.borrow() {
            if last.as_ptr() == symbol.as_ptr() {
                return Ok(*row);
            }
        }
        self.find(symbol)
    }

    #[cold]
    fn find(&self, symbol: &Bound<'_, PyAny>) -> PyResult<u32> {
        let text = symbol.cast::<PyString>().map_err(|_| {
            errors::strategy_error("a symbol is a text such as \"binance:BTC/USDT:USDT\"")
        })?;
        let text = text.to_str()?;
        let Some(&row) = self.rows.get(text) else {
            let mut known: Vec<&str> = self.rows.keys().map(String::as_str).collect();
            known.sort_unstable();
            return Err(errors::strategy_error(&format!(
                "the run has no instrument {text:?}; it has {}",
                known.join(", ")
            )));
        };
        *self.last.borrow_mut() = Some((symbol.clone().unbind(), row));
        Ok(row)
    }
}

/// The wall clock, ns since the epoch: for measuring latency alone, never for a decision.
#[inline]
pub fn wall_ns() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_nanos() as i64)
}
