//! Plain Python dicts to the core's tables: instruments and settings.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use veloz_core::instrument::{Asset, Filters, Instrument, Kind, Origin, Status, Tier};
use veloz_core::matching::{Level, VenueSettings};
use veloz_core::risk::Limits;
use veloz_core::units::{mul_div, parse_decimal, pow10, Rounding, COST_SCALE, RATE_SCALE};

use crate::errors;
use crate::numbers::parse;

/// The value of a key that must be there.
pub fn get<'py, T>(row: &Bound<'py, PyDict>, key: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    let value = row.get_item(key)?;
    let value = value.ok_or_else(|| PyValueError::new_err(format!("the row has no {key:?}")))?;
    value.extract()
}

/// The value of a key, or a default.
pub fn get_or<'py, T>(row: &Bound<'py, PyDict>, key: &str, default: T) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    match row.get_item(key)? {
        Some(value) if !value.is_none() => value.extract(),
        _ => Ok(default),
    }
}

/// Reads an exact rate or amount that is written as text or Decimal.
pub fn scaled_text(row: &Bound<'_, PyDict>, key: &str, scale: u8) -> PyResult<i128> {
    match row.get_item(key)? {
        Some(value) if !value.is_none() => parse(&value, scale),
        _ => Ok(0),
    }
}

fn narrow(value: i128, what: &str) -> PyResult<i64> {
    i64::try_from(value).map_err(|_| PyValueError::new_err(format!("{what} is too large")))
}

/// The instrument that a plain dict describes (see `veloz.environments.instruments`).
pub fn instrument_of(row: &Bound<'_, PyDict>, assets: &[Asset]) -> PyResult<Instrument> {
    let asset = |key: &str| -> PyResult<u16> {
        let name: String = get(row, key)?;
        let at = assets.iter().position(|asset| asset.name == name);
        at.map(|at| at as u16)
            .ok_or_else(|| PyValueError::new_err(format!("asset {name:?} is not in the table")))
    };
    let kind: String = get(row, "kind")?;
    let kind = match kind.as_str() {
        "spot" => Kind::Spot,
        "linear" => Kind::Linear,
        "inverse" => Kind::Inverse,
        other => {
            return Err(PyValueError::new_err(format!(
                "kind {other:?} is not one of spot, linear, inverse"
            )))
        }
    };
    let origin: String = get_or(row, "origin", "inferred".to_owned())?;
    let (price_scale, qty_scale): (u8, u8) = (get(row, "price_scale")?, get(row, "qty_scale")?);
    let rate = |key: &str| -> PyResult<i64> { narrow(scaled_text(row, key, RATE_SCALE)?, key) };
    let multiplier: String = get_or(row, "multiplier", "1".to_owned())?;
    let decimals = multiplier.split_once('.').map_or(0, |(_, part)| part.len()) as u8;
    let multiplier_units = parse_decimal(&multiplier, decimals)
        .map_err(|_| PyValueError::new_err(format!("multiplier {multiplier:?} is no decimal")))?;
    let filters = Filters {
        min_price: get_or(row, "min_price", 0)?,
        max_price: get_or(row, "max_price", 0)?,
        min_qty: get_or(row, "min_qty", 0)?,
        max_qty: get_or(row, "max_qty", 0)?,
        market_max_qty: get_or(row, "market_max_qty", 0)?,
        market_lot: get_or(row, "market_lot", 0)?,
        min_notional: scaled_text(row, "min_notional", COST_SCALE)?,
        max_notional: scaled_text(row, "max_notional", COST_SCALE)?,
        max_orders: get_or(row, "max_orders", 0)?,
        max_conditional_orders: get_or(row, "max_conditional_orders", 0)?,
        max_iceberg_parts: get_or(row, "max_iceberg_parts", 0)?,
        percent_price: None,
    };
    let instrument = Instrument {
        symbol: get(row, "symbol")?,
        venue_symbol: get_or(row, "venue_symbol", String::new())?,
        kind,
        base: asset("base")?,
        quote: asset("quote")?,
        settle: asset("settle")?,
        price_scale,
        qty_scale,
        tick: get(row, "tick")?,
        lot: get(row, "lot")?,
        multiplier: narrow(multiplier_units, "multiplier")?,
        multiplier_scale: decimals,
        maker_fee: rate("maker_fee")?,
        taker_fee: rate("taker_fee")?,
        liquidation_fee: rate("liquidation_fee")?,
        filters,
        tiers: tiers_of(row)?,
        expiry_ns: get_or(row, "expiry_ns", None)?,
        valid_from_ns: get_or(row, "valid_from_ns", 0)?,
        status: Status::Trading,
        origin: match origin.as_str() {
            "venue" => Origin::Venue,
            "file" => Origin::File,
            _ => Origin::Inferred,
        },
    };
    if instrument.tick <= 0 || instrument.lot <= 0 {
        return Err(PyValueError::new_err(format!(
            "tick and lot of {} must be greater than zero",
            instrument.symbol
        )));
    }
    if !instrument.fits() {
        return Err(PyValueError::new_err(format!(
            "the largest order that the filters of {} allow does not fit exact arithmetic",
            instrument.symbol
        )));
    }
    Ok(instrument)
}

/// Maintenance tiers: [upper end of the notional or None, rate] by rising notional. Amounts follow,
/// so that the margin does not jump at a border (rule A28).
fn tiers_of(row: &Bound<'_, PyDict>) -> PyResult<Vec<Tier>> {
    let mut tiers: Vec<Tier> = Vec::new();
    let given: Vec<[Option<String>; 2]> = get_or(row, "tiers", Vec::new())?;
    let decimal = |text: &str, scale: u8| {
        parse_decimal(text, scale)
            .map_err(|_| PyValueError::new_err(format!("tier figure {text:?} is no decimal")))
    };
    for [cap, rate] in given {
        let rate = narrow(decimal(&rate.unwrap_or_default(), RATE_SCALE)?, "a maintenance rate")?;
        let cap = cap.map(|cap| decimal(&cap, COST_SCALE)).transpose()?;
        let (floor, amount) = match tiers.last() {
            None => (0, 0),
            Some(Tier { cap: None, .. }) => {
                return Err(PyValueError::new_err("a maintenance tier follows the last one"))
            }
            Some(below) => {
                let floor = below.cap.unwrap_or_default();
                let step = i128::from(rate - below.rate);
                let more = mul_div(floor, step, pow10(RATE_SCALE), Rounding::HalfEven);
                let more = more.map_err(|_| PyValueError::new_err("a tier is too large"))?;
                (floor, below.amount + more)
            }
        };
        if rate <= 0 || cap.is_some_and(|cap| cap <= floor) {
            return Err(PyValueError::new_err("maintenance tiers are not by rising notional"));
        }
        tiers.push(Tier { floor, cap, rate, amount, max_leverage: 0 });
    }
    Ok(tiers)
}

/// The risk limits of a run: the key `limits` of its settings.
pub fn limits_of(settings: &Bound<'_, PyDict>) -> PyResult<Limits> {
    let mut limits = Limits::default();
    let Some(given) = settings.get_item("limits")? else { return Ok(limits) };
    let given = given.cast::<PyDict>()?;
    limits.price_band_bps = get_or(given, "price_band_bps", limits.price_band_bps)?;
    limits.max_orders_in_window =
        get_or(given, "max_orders_per_second", limits.max_orders_in_window)?;
    limits.max_leverage = get_or(given, "max_leverage", limits.max_leverage)?;
    limits.check_funds = get_or(given, "check_funds", limits.check_funds)?;
    limits.max_order_notional = scaled_text(given, "max_order_notional", COST_SCALE)?;
    limits.max_order_qty = get_or(given, "max_order_qty", Vec::new())?;
    limits.max_position = get_or(given, "max_position", Vec::new())?;
    Ok(limits)
}

/// The simulated venue of a run: the keys `venue` and `levels` of its settings.
pub fn venue_of(settings: &Bound<'_, PyDict>) -> PyResult<VenueSettings> {
    let mut venue = VenueSettings::default();
    let choices: Vec<String> = get_or(settings, "venue", Vec::new())?;
    for choice in &choices {
        venue.set(choice).map_err(|error| errors::config_error(&error))?;
    }
    let levels: Vec<String> = get(settings, "levels")?;
    for (row, level) in levels.iter().enumerate() {
        let mut market = venue.market;
        market.level = match level.as_str() {
            "bar" => Level::Bar,
            "trade" => Level::Trade,
            "quote" => Level::Quote,
            "book" => Level::Book,
            other => return Err(PyValueError::new_err(format!("level {other:?} is unknown"))),
        };
        venue.overrides.insert(row as u32, market);
    }
    Ok(venue)
}
