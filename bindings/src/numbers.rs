//! Python numbers to scaled integers and back: the float rule, and exact `Decimal` views.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyFloat, PyInt, PyString, PyType};
use veloz_core::instrument::{Instrument, OffGrid};
use veloz_core::units::{format_decimal, parse_decimal, pow10, BadDecimal};

/// What a number of a strategy is meant to be, for the sentence of an error.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    Price,
    Qty,
}

/// The scaled integer that a Python number stands for on an instrument's grid (decisions §3).
///
/// A float within a millionth of a step of a multiple is that multiple; ints, strings and
/// `Decimal`s must be exact.
pub fn scaled(value: &Bound<'_, PyAny>, instrument: &Instrument, meaning: Meaning) -> PyResult<i64> {
    let result = match meaning {
        Meaning::Price => grid(value, instrument.price_scale, instrument.tick)?,
        Meaning::Qty => grid(value, instrument.qty_scale, instrument.lot)?,
    };
    match result {
        Ok(number) if number > 0 => Ok(number),
        Ok(_) => Err(refuse(value, instrument, meaning, "must be greater than zero")),
        Err(problem) => Err(off_grid(value, instrument, meaning, problem)),
    }
}

/// A price that an instrument may be at, nearest, below or above a float; for rounding helpers.
#[inline]
pub fn grid(value: &Bound<'_, PyAny>, scale: u8, step: i64) -> PyResult<Result<i64, OffGrid>> {
    if let Ok(float) = value.cast::<PyFloat>() {
        return Ok(Instrument::on_grid(float.value(), scale, step));
    }
    if value.is_instance_of::<PyInt>() {
        let whole: i64 = match value.extract() {
            Ok(whole) => whole,
            Err(_) => return Ok(Err(OffGrid::NotANumber)),
        };
        let units = i128::from(whole) * pow10(scale);
        return Ok(exact(units, step));
    }
    let text = value.str()?;
    match parse_decimal(text.to_str()?, scale) {
        Ok(units) => Ok(exact(units, step)),
        Err(BadDecimal::TooFine) => {
            let float: f64 = value.extract::<f64>().or_else(|_| text.to_str()?.parse().map_err(|_| {
                PyValueError::new_err("not a number")
            }))?;
            // Finer than the scale, so it cannot be on the grid: name its neighbours.
            Ok(Err(match Instrument::on_grid(float, scale, step) {
                Err(problem) => problem,
                Ok(near) => OffGrid::Between(near - step, near + step),
            }))
        }
        Err(_) => match value.extract::<f64>() {
            Ok(float) => Ok(Instrument::on_grid(float, scale, step)),
            Err(_) => Ok(Err(OffGrid::NotANumber)),
        },
    }
}

fn exact(units: i128, step: i64) -> Result<i64, OffGrid> {
    let Ok(units) = i64::try_from(units) else { return Err(OffGrid::NotANumber) };
    let below = units.div_euclid(step) * step;
    if below == units {
        Ok(units)
    } else {
        Err(OffGrid::Between(below, below + step))
    }
}

fn words(instrument: &Instrument, meaning: Meaning) -> (&'static str, &'static str, &'static str, u8, i64) {
    match meaning {
        Meaning::Price => ("price", "tick", "self.round_price", instrument.price_scale, instrument.tick),
        Meaning::Qty => ("quantity", "lot", "self.round_qty", instrument.qty_scale, instrument.lot),
    }
}

#[cold]
fn refuse(value: &Bound<'_, PyAny>, instrument: &Instrument, meaning: Meaning, what: &str) -> PyErr {
    let (name, ..) = words(instrument, meaning);
    let shown = value.repr().map_or_else(|_| "?".to_owned(), |text| text.to_string());
    PyValueError::new_err(format!("{name} {shown} of {} {what}", instrument.symbol))
}

#[cold]
fn off_grid(
    value: &Bound<'_, PyAny>,
    instrument: &Instrument,
    meaning: Meaning,
    problem: OffGrid,
) -> PyErr {
    let (_, step_name, helper, scale, step) = words(instrument, meaning);
    match problem {
        OffGrid::NotANumber => refuse(value, instrument, meaning, "is not a finite number in range"),
        OffGrid::Between(below, above) => {
            let text = |units: i64| format_decimal(i128::from(units), scale);
            let what = format!(
                "is not a multiple of the {step_name} {}: the nearest are {} and {}; {helper}() rounds",
                text(step),
                text(below),
                text(above)
            );
            refuse(value, instrument, meaning, &what)
        }
    }
}

/// A scaled integer as `decimal.Decimal`.
pub fn decimal(py: Python<'_>, value: i128, scale: u8) -> PyResult<Py<PyAny>> {
    static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = DECIMAL.import(py, "decimal", "Decimal")?;
    let text = PyString::new(py, &format_decimal(value, scale));
    Ok(class.call1((text,))?.unbind())
}

/// A Python number or text as a scaled integer, exactly.
pub fn parse(value: &Bound<'_, PyAny>, scale: u8) -> PyResult<i128> {
    let text = value.str()?;
    parse_decimal(text.to_str()?, scale).map_err(|problem| {
        let shown = text.to_string();
        PyValueError::new_err(match problem {
            BadDecimal::Malformed => format!("'{shown}' is not a plain decimal number"),
            BadDecimal::TooFine => format!("{shown} has more than {scale} decimals"),
            BadDecimal::TooLarge => format!("{shown} is too large"),
        })
    })
}
