//! The state of the accounts in the words of a vector, compared field by field.

use super::tables::{number, Outcome, Tables};
use serde_json::{json, Map, Value};
use veloz_core::account::{Accounts, Line, REPORTING_SCALE};
use veloz_core::instrument::Kind;
use veloz_core::units::{format_decimal, COST_SCALE};

/// The first field of `expected` that `actual` does not have, as decimals; and no field more.
pub fn difference(expected: &Value, actual: &Value, path: &str) -> Option<String> {
    match (expected, actual) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, value) in wanted {
                let path = format!("{path}/{key}");
                let Some(other) = found.get(key) else {
                    return Some(format!("{path}: expected {value}, found nothing"));
                };
                if let Some(found) = difference(value, other, &path) {
                    return Some(found);
                }
            }
            let extra = found.keys().find(|key| !wanted.contains_key(*key))?;
            Some(format!("{path}/{extra}: found {}, expected nothing", found[extra]))
        }
        (Value::String(wanted), Value::String(found)) => {
            // The finest figures are those of the reporting currency.
            let equal = match (number(wanted, REPORTING_SCALE), number(found, REPORTING_SCALE)) {
                (Ok(a), Ok(b)) => a == b,
                _ => wanted == found,
            };
            (!equal).then(|| format!("{path}: expected {wanted}, found {found}"))
        }
        (wanted, found) => {
            (wanted != found).then(|| format!("{path}: expected {wanted}, found {found}"))
        }
    }
}

/// Everything that the vector states, read from the accounts.
pub fn state(
    accounts: &Accounts,
    tables: &Tables,
    strategies: &[String],
    expected: &Value,
) -> Outcome<Value> {
    let mut state = Map::new();
    state.insert("balances".into(), balances(accounts, tables, expected)?);
    state.insert("positions".into(), positions(accounts, tables)?);
    state.insert("totals".into(), totals(accounts, tables, expected)?);
    if expected.get("reporting").is_some() {
        state.insert("reporting".into(), reporting(accounts, tables)?);
    }
    if expected.get("strategies").is_some() {
        state.insert("strategies".into(), strategy_books(accounts, tables, strategies)?);
    }
    Ok(Value::Object(state))
}

fn at(value: i128, scale: u8) -> Value {
    Value::String(format_decimal(value, scale))
}

fn say(error: veloz_core::account::AccountError) -> String {
    error.to_string()
}

fn balances(accounts: &Accounts, tables: &Tables, expected: &Value) -> Outcome<Value> {
    let mut rows = Map::new();
    for name in expected["balances"].as_object().ok_or("no balances")?.keys() {
        let id = tables.asset(name)?;
        let scale = tables.asset_rows[usize::from(id)].scale;
        let row = accounts.balance(0, id).map_err(say)?;
        rows.insert(
            name.clone(),
            json!({
                "wallet": at(row.wallet(), scale),
                "locked": at(row.locked, scale),
                "free": at(row.free(), scale),
                "liability": at(row.liability, scale),
            }),
        );
    }
    Ok(Value::Object(rows))
}

fn positions(accounts: &Accounts, tables: &Tables) -> Outcome<Value> {
    let mut rows = Map::new();
    for leg in accounts.positions(0).map_err(say)? {
        let spec = tables.spec(leg.instrument);
        let spot = spec.kind == Kind::Spot;
        let shown = spec.price_scale + 6;
        let mut row = Map::new();
        let average = accounts.average_entry(leg).map_err(say)?;
        row.insert("qty".into(), quantity(tables, leg));
        row.insert("cost".into(), at(leg.cost, COST_SCALE));
        row.insert("avg_entry".into(), average.map_or(Value::Null, |v| at(v, shown)));
        row.insert("realised".into(), at(leg.realised, COST_SCALE));
        row.insert("fees".into(), at(leg.fees, COST_SCALE));
        let profit = accounts.unrealised(leg).map_err(say)?;
        row.insert("unrealised".into(), at(profit, COST_SCALE));
        if spot {
            rows.insert(spec.symbol.clone(), Value::Object(row));
            continue;
        }
        row.insert("funding".into(), at(leg.funding, COST_SCALE));
        let settle = tables.asset_rows[usize::from(spec.settle)].scale;
        if accounts.setting(0, leg.instrument).map_err(say)?.is_isolated {
            row.insert("isolated_wallet".into(), at(leg.isolated_wallet, settle));
        }
        let margin = accounts.position_margin(0, leg.instrument, leg.side).map_err(say)?;
        if let Some(margin) = margin {
            let optional = |v: Option<i128>, scale| v.map_or(Value::Null, |v| at(v, scale));
            row.insert("notional".into(), at(margin.notional, COST_SCALE));
            row.insert("tier".into(), json!(margin.tier));
            row.insert("maintenance_margin".into(), optional(margin.maintenance_margin, settle));
            row.insert("liquidation_price".into(), optional(margin.liquidation_price, shown));
            row.insert("bankruptcy_price".into(), optional(margin.bankruptcy_price, shown));
            if margin.initial_margin.is_some() {
                row.insert("initial_margin".into(), optional(margin.initial_margin, settle));
            }
        }
        let side = format!("{:?}", leg.side).to_uppercase();
        rows.insert(format!("{}:{side}", spec.symbol), Value::Object(row));
    }
    Ok(Value::Object(rows))
}

fn quantity(tables: &Tables, leg: &veloz_core::account::Position) -> Value {
    let spec = tables.spec(leg.instrument);
    if spec.kind != Kind::Spot {
        return at(i128::from(leg.qty), spec.qty_scale);
    }
    let scale = tables.asset_rows[usize::from(spec.base)].scale;
    let unit = 10_i128.pow(u32::from(scale - spec.qty_scale));
    at(i128::from(leg.qty) * unit + i128::from(leg.dust), scale)
}

fn totals(accounts: &Accounts, tables: &Tables, expected: &Value) -> Outcome<Value> {
    let mut rows = Map::new();
    for (name, wanted) in expected["totals"].as_object().ok_or("no totals")? {
        let id = tables.asset(name)?;
        let scale = tables.asset_rows[usize::from(id)].scale;
        let totals = accounts.totals(0, id).map_err(say)?;
        let mut row = Map::new();
        for line in Line::ALL {
            row.insert(line.name().into(), at(totals.line(line), scale));
        }
        row.insert("rounding".into(), at(totals.rounding, COST_SCALE));
        row.insert("wallet".into(), at(totals.wallet, scale));
        row.insert("unrealised".into(), at(totals.unrealised, COST_SCALE));
        row.insert("equity".into(), at(totals.equity, COST_SCALE));
        // Only currencies that contracts settle in have a margin pool.
        let settles = tables.instrument_rows.iter().any(|i| i.kind != Kind::Spot && i.settle == id);
        if settles {
            pool(&mut row, accounts, tables, id, scale)?;
        }
        if let (Some(Value::Array(a)), Some(Value::Array(b))) =
            (wanted.get("isolated_liquidatable"), row.get_mut("isolated_liquidatable"))
        {
            if a.len() == b.len() && b.iter().all(|key| a.contains(key)) {
                b.clone_from(a);
            }
        }
        rows.insert(name.clone(), Value::Object(row));
    }
    Ok(Value::Object(rows))
}

fn pool(
    row: &mut Map<String, Value>,
    accounts: &Accounts,
    tables: &Tables,
    id: u16,
    scale: u8,
) -> Outcome<()> {
    let pool = accounts.pool_margin(0, id).map_err(say)?;
    let broke: Vec<Value> = pool
        .isolated_liquidatable
        .iter()
        .map(|(instrument, side)| {
            let side = format!("{side:?}").to_uppercase();
            json!(format!("{}:{side}", tables.spec(*instrument).symbol))
        })
        .collect();
    for (key, value) in [
        ("cross_wallet", at(pool.cross_wallet, scale)),
        ("cross_margin_balance", at(pool.cross_margin_balance, COST_SCALE)),
        ("cross_maintenance_margin", at(pool.cross_maintenance_margin, scale)),
        ("cross_position_initial_margin", at(pool.cross_position_initial_margin, scale)),
        ("open_order_initial_margin", at(pool.open_order_initial_margin, scale)),
        ("available", at(pool.available, scale)),
        ("cross_liquidatable", json!(pool.cross_liquidatable)),
        ("isolated_liquidatable", json!(broke)),
    ] {
        row.insert(key.into(), value);
    }
    Ok(())
}

fn reporting(accounts: &Accounts, tables: &Tables) -> Outcome<Value> {
    let report = accounts.reporting(0).map_err(say)?.ok_or("the reporting equity is undefined")?;
    let mut row = Map::new();
    for line in Line::ALL {
        row.insert(line.name().into(), at(report.lines.get(line), REPORTING_SCALE));
    }
    row.insert("revaluation".into(), at(report.revaluation, REPORTING_SCALE));
    row.insert("unrealised".into(), at(report.unrealised, REPORTING_SCALE));
    row.insert("equity".into(), at(report.equity, REPORTING_SCALE));
    row.insert("currency".into(), json!(tables.asset_rows[usize::from(report.asset)].name));
    Ok(Value::Object(row))
}

fn strategy_books(accounts: &Accounts, tables: &Tables, names: &[String]) -> Outcome<Value> {
    let mut rows = Map::new();
    for (index, name) in names.iter().enumerate() {
        let id = index as u16 + 1;
        let mut books = Map::new();
        for book in accounts.strategy_positions(0, id).map_err(say)? {
            let spec = tables.spec(book.instrument);
            let average = accounts.average_entry(book).map_err(say)?;
            let profit = accounts.unrealised(book).map_err(say)?;
            let shown = spec.price_scale + 6;
            books.insert(
                spec.symbol.clone(),
                json!({
                    "qty": quantity(tables, book),
                    "cost": at(book.cost, COST_SCALE),
                    "avg_entry": average.map_or(Value::Null, |v| at(v, shown)),
                    "realised": at(book.realised, COST_SCALE),
                    "rounding": at(book.rounding, COST_SCALE),
                    "unrealised": at(profit, COST_SCALE),
                }),
            );
        }
        if books.is_empty() {
            // Named by an event that was refused.
            continue;
        }
        let (mut fees, mut funding) = (Map::new(), Map::new());
        for (asset, row) in tables.asset_rows.iter().enumerate() {
            let totals = accounts.strategy_totals(0, id, asset as u16).map_err(say)?;
            for (map, amount) in [(&mut fees, totals.fees), (&mut funding, totals.funding)] {
                if amount != 0 {
                    map.insert(row.name.clone(), at(amount, row.scale));
                }
            }
        }
        rows.insert(name.clone(), json!({"positions": books, "fees": fees, "funding": funding}));
    }
    Ok(Value::Object(rows))
}
