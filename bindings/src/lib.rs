//! `veloz._core`: the core seen from Python; it converts and calls, and decides nothing.

mod feed;

use pyo3::prelude::*;

/// The compiled core.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    feed::register(module)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
