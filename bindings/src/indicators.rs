//! `veloz._core.Indicator`: an incremental indicator, seen from Python.
//!
//! A strategy reads `value` at every bar, so it is a member of the object, which the interpreter
//! reads without a call. Each name in the outputs of [`INDICATORS`] becomes an attribute when the
//! module is made. The interpreter's lock guards all of it: see [`Indicator::figures`].

use std::cell::UnsafeCell;
use std::ffi::{c_void, CString};
use std::mem::offset_of;

use pyo3::basic::CompareOp;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyAttributeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyString, PyTuple, PyType};
use pyo3::{ffi, IntoPyObjectExt};
use veloz_core::indicators::floats::{self, Columns};
use veloz_core::indicators::{self, IndicatorSpec, Sample, INDICATORS, MAX_OUTPUTS};

/// Adds the class, its output attributes and the table to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Indicator>()?;
    module.add_function(wrap_pyfunction!(indicator_specs, module)?)?;
    let class = module.py().get_type::<Indicator>();
    add_value(&class)?;
    add_outputs(&class)
}

/// A technical indicator that is updated bar by bar, in constant time.
///
/// Made by name, with parameters in order or by name: `Indicator("sma", 20)`,
/// `Indicator("macd", fast=8)`. `veloz.indicators` has a maker for each. All outputs are NaN
/// until as many bars as `warm_up` have come. Two indicators, or an indicator and a number,
/// compare by `value`.
///
/// Args:
///     name: One of `indicator_specs()`.
///     *parameters: In the order of the specification; those not given have their default.
///     **named: By name.
///
/// Raises:
///     ValueError: If the name or a parameter is unknown or out of bounds; the sentence says
///         what is allowed.
#[pyclass(frozen, module = "veloz._core")]
pub struct Indicator {
    spec: &'static IndicatorSpec,
    parameters: Vec<f64>,
    figures: UnsafeCell<Figures>,
    /// The first output as Python sees it.
    value: UnsafeCell<Py<PyFloat>>,
}

/// What an indicator knows.
struct Figures {
    state: Box<dyn indicators::Indicator>,
    /// The outputs after the last update and the one before it.
    now: [f64; MAX_OUTPUTS],
    before: [f64; MAX_OUTPUTS],
}

// SAFETY: the cells are only looked into by threads that hold the interpreter's lock, for a time in
// which no Python code runs.
unsafe impl Sync for Indicator {}

impl Indicator {
    /// An indicator of this specification; an error is a sentence about a parameter.
    pub fn build(
        py: Python<'_>,
        spec: &'static IndicatorSpec,
        parameters: Vec<f64>,
    ) -> Result<Self, String> {
        let nan = [f64::NAN; MAX_OUTPUTS];
        let figures = Figures { state: spec.build(&parameters)?, now: nan, before: nan };
        let value = PyFloat::new(py, f64::NAN).unbind();
        Ok(Self { spec, parameters, figures: figures.into(), value: value.into() })
    }

    /// Takes in the next bar, without Python.
    #[inline]
    pub fn feed(&self, py: Python<'_>, sample: &Sample) {
        let figures = self.figures(py);
        figures.state.update(sample);
        for (i, value) in figures.state.values().iter().enumerate() {
            figures.before[i] = figures.now[i];
            figures.now[i] = *value;
        }
        self.show(py, figures.now[0]);
    }

    /// Makes a number the `value` that Python reads.
    #[inline]
    fn show(&self, py: Python<'_>, number: f64) {
        // SAFETY: under the interpreter's lock. A float that only this object refers to is seen by
        // nobody else, so changing it is as good as making another.
        unsafe {
            let value = &mut *self.value.get();
            if ffi::Py_REFCNT(value.as_ptr()) == 1 {
                (*value.as_ptr().cast::<ffi::PyFloatObject>()).ob_fval = number;
            } else {
                *value = PyFloat::new(py, number).unbind();
            }
        }
    }

    /// How many bars give the first value.
    pub fn bars_needed(&self) -> usize {
        (self.spec.warm_up)(&self.parameters)
    }

    /// The state; held by nobody else, for the lock is ours and holders run no Python code.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the interpreter's lock takes the place of a borrow")]
    fn figures(&self, _locked: Python<'_>) -> &mut Figures {
        // SAFETY: see above.
        unsafe { &mut *self.figures.get() }
    }

    #[inline]
    fn now(&self, output: usize) -> f64 {
        // SAFETY: all callers hold the interpreter's lock, and the reference ends here.
        unsafe { (*self.figures.get()).now[output] }
    }

    #[inline]
    fn before(&self, output: usize) -> f64 {
        // SAFETY: as in `now`.
        unsafe { (*self.figures.get()).before[output] }
    }

    fn output(&self, name: &str) -> Option<usize> {
        self.spec.outputs.iter().position(|output| *output == name)
    }

    fn no_output(&self, name: &str) -> String {
        format!(
            "{} has no output '{name}'; it has {}",
            self.spec.name,
            self.spec.outputs.join(", ")
        )
    }

    /// What `other` was one update ago, and is now.
    #[inline]
    fn pair(&self, other: &Bound<'_, PyAny>) -> PyResult<(f64, f64)> {
        if let Ok(indicator) = other.cast_exact::<Self>() {
            let indicator = indicator.get();
            return Ok((indicator.before(0), indicator.now(0)));
        }
        let Ok(name) = other.cast::<PyString>() else {
            let number = other.extract::<f64>().map_err(|_| {
                PyTypeError::new_err("compare with an indicator, a number or the name of an output")
            })?;
            return Ok((number, number));
        };
        let name = name.to_str()?;
        let output =
            self.output(name).ok_or_else(|| PyValueError::new_err(self.no_output(name)))?;
        Ok((self.before(output), self.now(output)))
    }

    fn feed_floats(
        &self,
        py: Python<'_>,
        ts_open: i64,
        prices: [f64; 4],
        volume: f64,
    ) -> PyResult<()> {
        let sample = floats::sample(ts_open, prices, volume);
        self.feed(py, &sample.map_err(PyValueError::new_err)?);
        Ok(())
    }
}

#[pymethods]
impl Indicator {
    #[new]
    #[pyo3(signature = (name, *parameters, **named), text_signature = "(name, *parameters, **named)")]
    fn new(
        py: Python<'_>,
        name: &str,
        parameters: Vec<f64>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let spec = indicators::find(name).map_err(PyValueError::new_err)?;
        let named: Vec<(String, f64)> = named.map_or(Ok(Vec::new()), |d| {
            d.iter().map(|(k, v)| Ok::<_, PyErr>((k.extract()?, v.extract()?))).collect()
        })?;
        let resolved = spec.resolve(&parameters, &named);
        resolved.and_then(|all| Self::build(py, spec, all)).map_err(PyValueError::new_err)
    }

    /// `value` one update earlier; NaN if that was before it was ready.
    #[getter]
    fn previous(&self) -> f64 {
        self.before(0)
    }

    /// Whether the outputs are numbers.
    #[getter]
    pub fn ready(&self) -> bool {
        !self.now(0).is_nan()
    }

    /// The indicator's name.
    #[getter]
    fn name(&self) -> &'static str {
        self.spec.name
    }

    /// How many bars give the first value.
    #[getter]
    fn warm_up(&self) -> usize {
        self.bars_needed()
    }

    /// The names of the outputs, each of which is an attribute; the first is `value`.
    #[getter]
    fn outputs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.spec.outputs)
    }

    /// The parameters it was made with, by name.
    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        named_parameters(py, self.spec, &self.parameters)
    }

    /// Whether `value` went above `other` in the last update: it was not above, and is now.
    ///
    /// Touching without crossing is no cross. False until both were ready for two updates.
    ///
    /// Args:
    ///     other: An indicator, a number, or the name of one of this indicator's own outputs
    ///         (`macd.crossed_above("signal")`).
    #[pyo3(text_signature = "($self, other)")]
    fn crossed_above(&self, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (before, now) = self.pair(other)?;
        Ok(self.before(0) <= before && self.now(0) > now)
    }

    /// Whether `value` went below `other` in the last update: it was not below, and is now.
    ///
    /// Args:
    ///     other: As in `crossed_above`.
    #[pyo3(text_signature = "($self, other)")]
    fn crossed_below(&self, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (before, now) = self.pair(other)?;
        Ok(self.before(0) >= before && self.now(0) < now)
    }

    /// Takes in a bar: an object with `open`, `high`, `low`, `close` and `volume` as numbers,
    /// and with `ts_open` in ns where sessions matter.
    ///
    /// Indicators of a strategy are updated by the engine; this is for use on their own.
    ///
    /// Raises:
    ///     ValueError: If a number is not finite or too large.
    #[pyo3(text_signature = "($self, bar)")]
    fn update(&self, bar: &Bound<'_, PyAny>) -> PyResult<()> {
        let read = |name: &str| bar.getattr(name)?.extract::<f64>();
        let prices = [read("open")?, read("high")?, read("low")?, read("close")?];
        let ts_open = bar.getattr_opt("ts_open")?.map_or(Ok(0), |ts| ts.extract())?;
        self.feed_floats(bar.py(), ts_open, prices, read("volume")?)
    }

    /// Takes in a lone price: open, high, low and close are all equal to it.
    ///
    /// Raises:
    ///     ValueError: If it is not finite, or the indicator needs a volume.
    #[pyo3(text_signature = "($self, price)")]
    fn update_price(&self, py: Python<'_>, price: f64) -> PyResult<()> {
        need(self.spec, "volume", false)?;
        self.feed_floats(py, 0, [price; 4], 0.0)
    }

    /// Takes in a bar as five numbers, with the start of the bar in ns where sessions matter.
    ///
    /// Raises:
    ///     ValueError: If a number is not finite or too large.
    #[pyo3(signature = (open, high, low, close, volume, ts_open = 0), text_signature = "($self, open, high, low, close, volume, ts_open=0)")]
    #[allow(clippy::too_many_arguments)] // the columns of a bar
    fn update_ohlcv(
        &self,
        py: Python<'_>,
        open: f64,
        high: f64,
        low: f64,
        close: f64,
        volume: f64,
        ts_open: i64,
    ) -> PyResult<()> {
        self.feed_floats(py, ts_open, [open, high, low, close], volume)
    }

    /// Forgets everything, as if new.
    #[pyo3(text_signature = "($self)")]
    fn reset(&self, py: Python<'_>) {
        let figures = self.figures(py);
        figures.state.reset();
        figures.now.fill(f64::NAN);
        figures.before.fill(f64::NAN);
        self.show(py, f64::NAN);
    }

    /// All outputs for whole columns of bars, from a fresh start; this object does not change.
    ///
    /// Args:
    ///     open: Shape (n,); `close` if not given.
    ///     high: Shape (n,); needed if the indicator reads it.
    ///     low: Shape (n,); likewise.
    ///     close: Shape (n,).
    ///     volume: Shape (n,); likewise.
    ///     ts_open: Shape (n,), starts of the bars in ns, where sessions matter.
    ///
    /// Returns:
    ///     For each output a float64 array of shape (n,), NaN until ready.
    ///
    /// Raises:
    ///     ValueError: If a column is missing or of another length, or a number is not finite;
    ///         the sentence names the row.
    #[allow(clippy::too_many_arguments)] // the columns of a bar, given by keyword
    #[pyo3(
        signature = (open = None, high = None, low = None, close = None, volume = None, ts_open = None),
        text_signature = "($self, open=None, high=None, low=None, close=None, volume=None, ts_open=None)"
    )]
    fn compute<'py>(
        &self,
        py: Python<'py>,
        open: Option<&Bound<'py, PyAny>>,
        high: Option<&Bound<'py, PyAny>>,
        low: Option<&Bound<'py, PyAny>>,
        close: Option<&Bound<'py, PyAny>>,
        volume: Option<&Bound<'py, PyAny>>,
        ts_open: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        for (name, given) in [("high", high), ("low", low), ("close", close), ("volume", volume)] {
            need(self.spec, name, given.is_some())?;
        }
        let read = |given: Option<&Bound<'py, PyAny>>| column::<f64>(py, given, "float64");
        let (open, high, low) = (read(open)?, read(high)?, read(low)?);
        let (close, volume) = (read(close)?.unwrap_or_default(), read(volume)?.unwrap_or_default());
        let ts_open = column::<i64>(py, ts_open, "int64")?.unwrap_or_default();
        let outputs = py.detach(|| {
            let [open, high, low] =
                [&open, &high, &low].map(|given| given.as_deref().unwrap_or(&close));
            let prices = [open, high, low, &close[..]];
            let columns = Columns { ts_open: &ts_open, prices, volume: &volume };
            floats::compute(&mut *self.spec.build(&self.parameters)?, &columns)
        });
        let result = PyDict::new(py);
        for (name, values) in self.spec.outputs.iter().zip(outputs.map_err(PyValueError::new_err)?)
        {
            result.set_item(name, array(py, &values)?)?;
        }
        Ok(result)
    }

    fn __float__(&self) -> f64 {
        self.now(0)
    }

    fn __richcmp__(&self, other: &Bound<'_, PyAny>, op: CompareOp) -> PyResult<Py<PyAny>> {
        let py = other.py();
        let now = match other.cast_exact::<Self>() {
            Ok(indicator) => indicator.get().now(0),
            Err(_) => match other.extract::<f64>() {
                Ok(number) => number,
                Err(_) => return Ok(py.NotImplemented()),
            },
        };
        let mine = self.now(0);
        let answer = match op {
            CompareOp::Lt => mine < now,
            CompareOp::Le => mine <= now,
            CompareOp::Eq => mine == now,
            CompareOp::Ne => mine != now,
            CompareOp::Gt => mine > now,
            CompareOp::Ge => mine >= now,
        };
        answer.into_py_any(py)
    }

    fn __repr__(&self) -> String {
        let given = self.spec.parameters.iter().zip(&self.parameters);
        let given: Vec<_> = given.map(|(p, value)| format!("{}={value}", p.name)).collect();
        format!("<{}({}): {}>", self.spec.name, given.join(", "), self.now(0))
    }
}

/// What indicators there are: for each a dict with `name`, `summary`, `inputs`, `outputs`,
/// `talib` and `parameters`, which has `name`, `default`, `min`, `max` and `is_whole` of each.
#[pyfunction]
#[pyo3(text_signature = "()")]
fn indicator_specs(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    let describe = |spec: &'static IndicatorSpec| {
        let row = PyDict::new(py);
        row.set_item("name", spec.name)?;
        row.set_item("summary", spec.summary)?;
        row.set_item("inputs", PyTuple::new(py, spec.inputs)?)?;
        row.set_item("outputs", PyTuple::new(py, spec.outputs)?)?;
        row.set_item("talib", spec.talib)?;
        row.set_item("warm_up", (spec.warm_up)(&spec.defaults()))?;
        let parameters = spec.parameters.iter().map(|p| {
            let parameter = PyDict::new(py);
            parameter.set_item("name", p.name)?;
            parameter.set_item("default", p.default)?;
            parameter.set_item("min", p.min)?;
            parameter.set_item("max", p.max)?;
            parameter.set_item("is_whole", p.is_whole)?;
            Ok(parameter)
        });
        row.set_item("parameters", parameters.collect::<PyResult<Vec<_>>>()?)?;
        Ok(row)
    };
    INDICATORS.iter().map(describe).collect()
}

fn named_parameters<'py>(
    py: Python<'py>,
    spec: &IndicatorSpec,
    values: &[f64],
) -> PyResult<Bound<'py, PyDict>> {
    let result = PyDict::new(py);
    for (parameter, &value) in spec.parameters.iter().zip(values) {
        if parameter.is_whole {
            result.set_item(parameter.name, value as i64)?;
        } else {
            result.set_item(parameter.name, value)?;
        }
    }
    Ok(result)
}

fn need(spec: &IndicatorSpec, input: &str, is_given: bool) -> PyResult<()> {
    if is_given || !spec.inputs.contains(&input) {
        return Ok(());
    }
    let all = spec.inputs.join(", ");
    Err(PyValueError::new_err(format!("{} needs {input}; it reads {all}", spec.name)))
}

fn column<T>(
    py: Python<'_>,
    given: Option<&Bound<'_, PyAny>>,
    kind: &str,
) -> PyResult<Option<Vec<T>>>
where
    T: pyo3::buffer::Element,
{
    let Some(given) = given else { return Ok(None) };
    let whole = py.import("numpy")?.call_method1("ascontiguousarray", (given, kind))?;
    let buffer = PyBuffer::<T>::get(&whole)?;
    if buffer.dimensions() != 1 {
        return Err(PyValueError::new_err("a column must have one dimension"));
    }
    buffer.to_vec(py).map(Some)
}

fn array<'py>(py: Python<'py>, values: &[f64]) -> PyResult<Bound<'py, PyAny>> {
    let result = py.import("numpy")?.call_method1("empty", (values.len(),))?;
    PyBuffer::<f64>::get(&result)?.copy_from_slice(py, values)?;
    Ok(result)
}

/// Makes `value` a member of the class.
///
/// A getter would be called through a slow path at each read: the interpreter learns the place of a
/// member and reads it there.
fn add_value(class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = class.py();
    // All objects of the class are laid out alike, so that any of them shows where the member lies.
    let object = Bound::new(py, Indicator::new(py, "sma", Vec::new(), None)?)?;
    let body = std::ptr::from_ref(object.get()) as usize - object.as_ptr() as usize;
    let definition = Box::new(ffi::PyMemberDef {
        name: c"value".as_ptr(),
        type_code: ffi::Py_T_OBJECT_EX,
        offset: (body + offset_of!(Indicator, value)) as ffi::Py_ssize_t,
        flags: ffi::Py_READONLY,
        doc: c"float: The main figure (the first output) after the last update; NaN until ready."
            .as_ptr(),
    });
    // SAFETY: the class is a live type object, the definition is leaked, and at its offset every
    // object of the class has a pointer to a Python object that it owns.
    let descriptor = unsafe {
        let made = ffi::PyDescr_NewMember(class.as_type_ptr(), Box::leak(definition));
        Bound::from_owned_ptr_or_err(py, made)?
    };
    class.setattr("value", descriptor)
}

/// Makes every output name of the table an attribute of the class.
///
/// `#[getter]` wants names in the source, and `__getattr__` raises and catches an exception at
/// each read; a C descriptor made from the table costs neither.
fn add_outputs(class: &Bound<'_, PyType>) -> PyResult<()> {
    let mut names: Vec<&'static str> =
        INDICATORS.iter().flat_map(|spec| spec.outputs.iter().copied()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let owners = INDICATORS.iter().filter(|spec| spec.outputs.contains(&name));
        let owners: Vec<_> = owners.map(|spec| spec.name).collect();
        let doc = CString::new(format!("Output of {}; NaN until ready.", owners.join(", ")))?;
        let c_name = CString::new(name)?;
        let definition = Box::new(ffi::PyGetSetDef {
            name: c_name.into_raw(),
            get: Some(read_output),
            set: None,
            doc: doc.into_raw(),
            closure: (Box::leak(Box::new(name)) as *mut &'static str).cast::<c_void>(),
        });
        // SAFETY: the class is a live type object, and the definition and all it points to are
        // leaked, so they outlive the descriptor.
        let descriptor = unsafe {
            let made = ffi::PyDescr_NewGetSet(class.as_type_ptr(), Box::leak(definition));
            Bound::from_owned_ptr_or_err(class.py(), made)?
        };
        class.setattr(name, descriptor)?;
    }
    Ok(())
}

/// Reads one output; `closure` is its name.
///
/// # Safety
///
/// Called by a descriptor of [`add_outputs`] only: the interpreter is attached, `object` is an
/// [`Indicator`] (the descriptor checks that) and `closure` a leaked `&'static str`.
unsafe extern "C" fn read_output(
    object: *mut ffi::PyObject,
    closure: *mut c_void,
) -> *mut ffi::PyObject {
    let py = unsafe { Python::assume_attached() };
    let object = unsafe { Borrowed::from_ptr(py, object).cast_unchecked::<Indicator>() };
    let name = unsafe { *closure.cast::<&'static str>() };
    let indicator = object.get();
    match indicator.output(name) {
        Some(output) => unsafe { ffi::PyFloat_FromDouble(indicator.now(output)) },
        None => {
            PyAttributeError::new_err(indicator.no_output(name)).restore(py);
            std::ptr::null_mut()
        }
    }
}
