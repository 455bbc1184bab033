//! `Declared`: what stands on a strategy's class where a parameter was declared.

use pyo3::intern;
use pyo3::prelude::*;

/// Stands on a strategy's class in place of a parameter's declaration, and answers as it does.
///
/// The interpreter remembers where an instance has an attribute only if what the class has under
/// that name is nothing, or of a type that cannot change. A declaration is of a Python class, which
/// can: each read of a parameter would cost three times as much.
#[pyclass(frozen, immutable_type, get_all, module = "veloz._core")]
pub struct Declared {
    /// Any: The declaration.
    parameter: Py<PyAny>,
}

#[pymethods]
impl Declared {
    #[new]
    fn new(parameter: Py<PyAny>) -> Self {
        Declared { parameter }
    }

    /// The declaration's own answer: an instance that has a value is not asked for it here.
    fn __get__(
        &self,
        py: Python<'_>,
        instance: Option<&Bound<'_, PyAny>>,
        owner: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        self.parameter.call_method1(py, intern!(py, "__get__"), (instance, owner))
    }
}
