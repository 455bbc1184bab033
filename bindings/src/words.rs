//! The words of the Python API and what they stand for in the core.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use veloz_core::instrument::Instrument;
use veloz_core::order::{OrderType, PositionSide, Side, Stp, Tif, TriggerBy};
use veloz_core::strategy::Port;
use veloz_core::units::small_to_f64;

use crate::errors;
use crate::numbers::{scaled, Meaning};

/// Buy or sell.
pub fn side_of(text: &Bound<'_, PyString>) -> PyResult<Side> {
    match text.to_str()? {
        "buy" | "BUY" => Ok(Side::Buy),
        "sell" | "SELL" => Ok(Side::Sell),
        other => {
            Err(PyValueError::new_err(format!("side {other:?} is neither \"buy\" nor \"sell\"")))
        }
    }
}

/// The value that a word stands for; an error names all words.
pub fn choice<T: Copy>(what: &str, text: &str, table: &[(&str, T)]) -> PyResult<T> {
    table
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, value)| *value)
        .ok_or_else(|| {
            let known: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
            PyValueError::new_err(format!("{what} {text:?} is not one of {}", known.join(", ")))
        })
}

/// Order types.
pub const TYPES: [(&str, OrderType); 7] = [
    ("market", OrderType::Market),
    ("limit", OrderType::Limit),
    ("stop", OrderType::Stop),
    ("stop_limit", OrderType::StopLimit),
    ("take_profit", OrderType::TakeProfit),
    ("take_profit_limit", OrderType::TakeProfitLimit),
    ("trailing_stop", OrderType::TrailingStop),
];
/// Times in force.
pub const TIFS: [(&str, Tif); 4] =
    [("gtc", Tif::Gtc), ("ioc", Tif::Ioc), ("fok", Tif::Fok), ("gtd", Tif::Gtd)];
/// What a trigger watches.
pub const TRIGGERS: [(&str, TriggerBy); 3] =
    [("last", TriggerBy::Last), ("mark", TriggerBy::Mark), ("index", TriggerBy::Index)];
/// Self-trade prevention.
pub const STPS: [(&str, Stp); 6] = [
    ("none", Stp::None),
    ("expire_maker", Stp::ExpireMaker),
    ("expire_taker", Stp::ExpireTaker),
    ("expire_both", Stp::ExpireBoth),
    ("decrement", Stp::Decrement),
    ("transfer", Stp::Transfer),
];
/// Legs.
pub const POSITION_SIDES: [(&str, PositionSide); 3] =
    [("both", PositionSide::Both), ("long", PositionSide::Long), ("short", PositionSide::Short)];

/// Reason, zero byte, tag; nothing if both are empty.
pub fn note(why: Option<&str>, tag: Option<&str>) -> Option<Box<[u8]>> {
    match (why, tag) {
        (None, None) => None,
        (why, tag) => {
            let mut text = Vec::with_capacity(48);
            text.extend(why.unwrap_or_default().bytes().filter(|&byte| byte != 0));
            if let Some(tag) = tag {
                text.push(0);
                text.extend_from_slice(tag.as_bytes());
            }
            Some(text.into_boxed_slice())
        }
    }
}

/// A number on a grid, on the wanted side.
pub fn rounded(value: f64, scale: u8, step: i64, towards: &str) -> PyResult<f64> {
    use veloz_core::instrument::{Instrument, OffGrid};
    match Instrument::on_grid(value, scale, step) {
        Ok(units) => Ok(small_to_f64(units, scale)),
        Err(OffGrid::NotANumber) => {
            Err(PyValueError::new_err(format!("{value} is not a finite number")))
        }
        Err(OffGrid::Between(below, above)) => {
            let (low, high) = (small_to_f64(below, scale), small_to_f64(above, scale));
            match towards {
                "down" => Ok(low),
                "up" => Ok(high),
                "nearest" => Ok(if value - low <= high - value { low } else { high }),
                other => Err(PyValueError::new_err(format!(
                    "towards {other:?} is not one of down, nearest, up"
                ))),
            }
        }
    }
}

/// Kinds of subscription, and their bits of `veloz_core::strategy::wants`.
const KINDS: [(&str, u32); 10] = {
    use veloz_core::strategy::wants;
    [
        ("bars", wants::BARS),
        ("trades", wants::TRADES),
        ("quotes", wants::QUOTES),
        ("books", wants::BOOKS),
        ("marks", wants::MARKS),
        ("funding", wants::FUNDING),
        ("index", wants::INDEXES),
        ("open_interest", wants::INTEREST),
        ("liquidations", wants::LIQUIDATIONS),
        ("tickers", wants::TICKERS),
    ]
};

/// The bits for a kind of subscription.
pub fn wants_of(kind: &str) -> PyResult<u32> {
    choice("kind", kind, &KINDS)
}

/// The kind of subscription for its bit.
pub fn kind_of(bit: u32) -> &'static str {
    KINDS.iter().find(|(_, known)| *known == bit).map_or("", |(kind, _)| kind)
}

/// The leg that a call is about, and whether it is the only one of the instrument.
pub fn leg_of(
    port: &Port<'_>,
    row: u32,
    word: Option<&str>,
    call: &str,
) -> PyResult<(PositionSide, bool)> {
    let legs = port.legs(row);
    let leg = match word {
        None => PositionSide::Both,
        Some(word) => choice("position_side", word, &POSITION_SIDES)?,
    };
    if legs.contains(&leg) {
        return Ok((leg, legs.len() == 1));
    }
    Err(errors::strategy_error(&if legs.len() == 1 {
        format!("{call} takes no position_side here: the account is not in hedge mode")
    } else if call == "target" {
        "target knows no legs: in hedge mode open and close them with place_order".to_owned()
    } else {
        format!("{call} needs position_side=\"long\" or \"short\": the account is in hedge mode")
    }))
}

/// Reads `(price, qty)` tuples to quote at.
pub fn levels_of(
    instrument: &Instrument,
    levels: &Bound<'_, PyAny>,
    out: &mut Vec<(i64, i64)>,
) -> PyResult<()> {
    let mut push = |level: &Bound<'_, PyAny>| -> PyResult<()> {
        let pair = level
            .cast::<PyTuple>()
            .map_err(|_| PyValueError::new_err("a quoted level is a tuple (price, qty)"))?;
        if pair.len() != 2 {
            return Err(PyValueError::new_err("a quoted level is a tuple (price, qty)"));
        }
        let price = scaled(&*pair.get_borrowed_item(0)?, instrument, Meaning::Price)?;
        let qty = scaled(&*pair.get_borrowed_item(1)?, instrument, Meaning::Qty)?;
        out.push((price, qty));
        Ok(())
    };
    if let Ok(tuple) = levels.cast::<PyTuple>() {
        tuple.iter_borrowed().try_for_each(|level| push(&level))
    } else if let Ok(list) = levels.cast::<PyList>() {
        list.iter().try_for_each(|level| push(&level))
    } else {
        levels.try_iter()?.try_for_each(|level| push(&level?))
    }
}
