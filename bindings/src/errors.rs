//! The core raises the classes of `veloz.errors`, so that callers catch one family of errors.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

fn raise(slot: &'static PyOnceLock<Py<PyType>>, name: &str, message: &str) -> PyErr {
    Python::attach(|py| match slot.import(py, "veloz.errors", name) {
        Ok(class) => PyErr::from_type(class.clone(), message.to_owned()),
        Err(error) => {
            let error = PyRuntimeError::new_err(format!("{message} (and {error})"));
            error
        }
    })
}

/// A strategy asked for something that cannot be.
#[cold]
pub fn strategy_error(message: &str) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(&CLASS, "StrategyError", message)
}

/// Market data cannot be used as they are.
#[cold]
pub fn data_error(message: &str) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(&CLASS, "DataError", message)
}

/// A setting is wrong.
#[cold]
pub fn config_error(message: &str) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(&CLASS, "ConfigError", message)
}
