//! `veloz._core`: the core seen from Python; it converts and calls, and decides nothing.

use pyo3::prelude::*;

mod journal;

/// The compiled core.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    journal::register(module)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
